//! A crowded room as a source of real snapshots: many players in the global cell, and a crowd around the focus.
//!
//! In: the tick and the byte budget. Out: the bytes of the snapshot, which a replica has applied and checked.

use glam::IVec2;
use prost::Message as _;
use std::sync::Arc;
use tickwire_proto::v1;
use tickwire_sync::client::{ApplyOutcome, Replica};
use tickwire_sync::encode::{BlockCache, Encoding, Header, HeaderDecoder};
use tickwire_sync::frame::{Events, History, MIN_HISTORY_FRAMES};
use tickwire_sync::interest::{CellPrioritizer, ClientView, InterestArea};
use tickwire_sync::snapshot::SnapshotBuilder;
use tickwire_sync::{
    EntityId, Grid, Kind, KindId, Lane, Layer, LayerSet, PlayerId, Schema, Scope, Tick,
};

const SIDE: i32 = 512;
const CELLS: i32 = 24;
const FOCUS: IVec2 = IVec2::new(12 * SIDE + 256, 12 * SIDE + 256);
const SHIP: KindId = KindId(0);
const PLAYER: KindId = KindId(1);
/// The slot of the ship that the client steers.
const OWN: u32 = 40;

/// A room, and one client of it.
pub struct Crowd {
    history: History,
    cache: BlockCache,
    view: ClientView,
    prioritizer: CellPrioritizer,
    snapshot: SnapshotBuilder,
    replica: Replica,
    headers: HeaderDecoder,
    random: fastrand::Rng,
    ships: Vec<([i32; 2], [i32; 2])>,
    players: Vec<([i32; 4], Arc<str>)>,
    tick: u32,
    /// The tick at which the client first had its own ship.
    pub first_own: Option<u32>,
    /// The tick at which the client first had every cell of its view.
    pub view_complete: Option<u32>,
    /// The bytes of a full snapshot.
    pub view_bytes: usize,
    /// For each snapshot its tick, and the mean age of the rows of the focus's cell in ticks.
    near_ages: Vec<(u32, f64)>,
}

fn schema() -> Arc<Schema> {
    let ship = Kind {
        name: "ship".into(),
        lanes: vec![
            Lane::continuous("x", ""),
            Lane::continuous("y", ""),
            Lane::angle("heading", "", 1024),
            Lane::discrete("health", ""),
        ],
        placed: true,
        predicted: true,
        ..Kind::default()
    };
    let player = Kind {
        name: "player".into(),
        lanes: ["score", "kills", "deaths", "session"]
            .map(|name| Lane::discrete(name, ""))
            .to_vec(),
        texts: vec!["name".into()],
        ..Kind::default()
    };
    Arc::new(Schema {
        kinds: vec![ship, player],
        grid: Grid::covering(IVec2::ZERO, IVec2::splat(CELLS * SIDE), SIDE as u32),
        ..Schema::default()
    })
}

impl Crowd {
    /// So many players with a ship each, all over the map, and so many ships more around the focus.
    pub fn new(players: usize, crowd: usize) -> Self {
        let schema = schema();
        let mut random = fastrand::Rng::with_seed(7);
        let speed = |random: &mut fastrand::Rng| [random.i32(-6..7), random.i32(-6..7)];
        let mut ships = Vec::new();
        for _ in 0..players {
            let at = [random.i32(0..CELLS * SIDE), random.i32(0..CELLS * SIDE)];
            ships.push((at, speed(&mut random)));
        }
        for _ in 0..crowd {
            let at = [FOCUS.x, FOCUS.y].map(|at| at + random.i32(-200..200));
            ships.push((at, speed(&mut random)));
        }
        ships[OWN as usize] = ([FOCUS.x, FOCUS.y], [0, 0]);
        let players =
            (0..players).map(|number| ([0, 0, 0, 0], format!("computer {number}").into()));
        let mut room = Self {
            history: History::new(Arc::clone(&schema), MIN_HISTORY_FRAMES),
            cache: BlockCache::new(&schema),
            view: taking_parts(),
            prioritizer: CellPrioritizer::default(),
            snapshot: SnapshotBuilder::default(),
            replica: Replica::new(schema),
            headers: HeaderDecoder::default(),
            players: players.collect(),
            random,
            ships,
            tick: 0,
            first_own: None,
            view_complete: None,
            view_bytes: 0,
            near_ages: Vec::new(),
        };
        room.step();
        let mut view = ClientView::default();
        view.update_interest(&room.history.schema().grid, area());
        room.build(&mut view);
        room.view_bytes = room.snapshot.message(&room.cache).len();
        room
    }

    fn step(&mut self) {
        self.tick += 1;
        for (index, (at, speed)) in self.ships.iter_mut().enumerate() {
            for (at, speed) in at.iter_mut().zip(&mut *speed) {
                *at = (*at + *speed).rem_euclid(CELLS * SIDE);
            }
            // The crowd stays around the focus.
            let off = IVec2::from(*at) - FOCUS;
            if index >= self.players.len() && off.abs().max_element() > 220 {
                *speed = [off.x, off.y].map(|off| -off.signum() * self.random.i32(1..7));
            } else if index >= self.players.len() {
                // As players do who fight: another course at every moment.
                *speed = speed.map(|along| (along + self.random.i32(-3..4)).clamp(-12, 12));
            } else if self.random.u32(0..40) == 0 {
                *speed = [self.random.i32(-6..7), self.random.i32(-6..7)];
            }
        }
        for _ in 0..2 {
            let player = self.random.usize(0..self.players.len());
            self.players[player].0[self.random.usize(0..3)] += 1;
        }
        let (ships, players) = (&self.ships, &self.players);
        self.history
            .publish(Tick(self.tick), &mut Events::default(), |out| {
                for (slot, (at, speed)) in ships.iter().enumerate() {
                    let id = EntityId {
                        kind: SHIP,
                        slot: slot as u32,
                        generation: 1,
                    };
                    let lanes = [at[0], at[1], speed[0] * 70 + speed[1] * 11, 100];
                    out.put(id, Scope::Layer(Layer(0)), &lanes, &[]);
                    if id.slot == OWN {
                        out.own(PlayerId(1), id, &[]);
                    }
                }
                for (slot, (lanes, name)) in players.iter().enumerate() {
                    let id = EntityId {
                        kind: PLAYER,
                        slot: slot as u32,
                        generation: 1,
                    };
                    out.put(id, Scope::Global, lanes, &[Arc::clone(name)]);
                }
            });
    }

    fn build(&mut self, view: &mut ClientView) {
        let header = Header {
            owner: PlayerId(1),
            with_view_hash: true,
            ..Header::default()
        };
        let prioritizer = &self.prioritizer;
        self.snapshot.build(
            view,
            &self.history,
            &mut self.cache,
            Encoding::Packed,
            header,
            |cell| prioritizer.defers(cell),
        );
    }

    /// Plays on to a tick, and builds its snapshot within a budget. Returns its bytes.
    pub fn snapshot(&mut self, tick: u32, budget: usize) -> i64 {
        while self.tick < tick {
            self.step();
            if let Some(changes) = self.cache.tune_codebooks(2000, 1e3) {
                self.replica.update_codebooks(&changes).unwrap();
            }
        }
        let mut view = std::mem::take(&mut self.view);
        let grid = self.history.schema().grid;
        view.update_interest(&grid, area());
        if budget == usize::MAX {
            self.prioritizer.defer_nothing(&mut view, &grid);
        } else {
            self.prioritizer.select(
                &mut view,
                &self.history,
                &mut self.cache,
                Encoding::Packed,
                FOCUS,
                PlayerId(1),
                budget,
            );
        }
        self.build(&mut view);
        let bytes = self.snapshot.message(&self.cache);
        let body = v1::ServerMessage::decode(&bytes[..]).unwrap().body;
        let Some(v1::server_message::Body::Snapshot(mut message)) = body else {
            panic!("no snapshot");
        };
        self.headers.decode(&mut message);
        view.mark_sent(&self.history);
        self.view = view;
        let applied = self.replica.apply(&message, &mut ()).unwrap();
        let agreed = ApplyOutcome::Applied {
            view_hash_agreed: Some(true),
        };
        assert_eq!(applied, agreed);
        self.observe(tick);
        bytes.len() as i64
    }

    fn observe(&mut self, tick: u32) {
        let own = EntityId {
            kind: SHIP,
            slot: OWN,
            generation: 1,
        };
        if self.replica.find(own.key()).is_some() {
            self.first_own.get_or_insert(tick);
        }
        let frame = self.history.newest().unwrap();
        let is_complete = (self.view.baselines()).all(|(_, base)| base.is_some());
        if is_complete {
            self.view_complete.get_or_insert(tick);
        }
        let near = self.history.schema().grid.cell_at(FOCUS, Layer(0));
        let ages = frame.members(near).iter().filter_map(|key| {
            let (_, at) = self.replica.find_with_tick(*key)?;
            Some(f64::from(tick - at.0))
        });
        let (count, sum) = ages.fold((0, 0.0), |(count, sum), age| (count + 1, sum + age));
        self.near_ages.push((tick, sum / f64::from(count.max(1))));
    }

    /// The mean age of the rows near the focus when a snapshot is sent, from a second on, in milliseconds.
    pub fn near_age_ms(&self, from: f64) -> f64 {
        let late = (self.near_ages.iter()).filter(|(tick, _)| f64::from(*tick) / 60.0 >= from);
        let (count, sum) = late.fold((0, 0.0), |(count, sum), (_, age)| (count + 1, sum + age));
        sum / f64::from(count.max(1)) * 1000.0 / 60.0
    }
}

fn taking_parts() -> ClientView {
    let mut view = ClientView::default();
    view.take_parts(true);
    view
}

fn area() -> InterestArea {
    InterestArea {
        focus: FOCUS,
        half_extent: IVec2::new(SIDE, SIDE / 2),
        layers: LayerSet::default(),
    }
}
