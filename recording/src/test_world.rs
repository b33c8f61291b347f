//! Worlds for tests: rows that come, move and go, sessions that press and see things, all by chance from a seed.

use crate::tick::{
    AppliedInput, DroppedInput, InputSource, Note, Participant, RecordedTick, Sending, SessionTick,
    ShotNote,
};
use crate::{ChunkEncoder, EncodedChunk, Head, RecordingFile};
use glam::IVec2;
use std::collections::BTreeMap;
use std::sync::Arc;
use tickwire_sync::frame::{Events, History, MIN_HISTORY_FRAMES};
use tickwire_sync::lagcomp::{ClampedBy, RayTest, ResolvedView, Trace, TracedTarget};
use tickwire_sync::{
    CellId, EntityId, Grid, Kind, KindId, Lane, Layer, PlayerId, Schema, Scope, Seq, Tick, ViewTick,
};

pub(crate) fn schema() -> Arc<Schema> {
    let ship = Kind {
        name: "ship".into(),
        lanes: vec![
            Lane::continuous("x", ""),
            Lane::continuous("y", ""),
            Lane::angle("heading", "", 1024),
            Lane::discrete("health", ""),
        ],
        private_lanes: vec![Lane::discrete("ammo", ""), Lane::angle("aim", "", 7)],
        texts: vec!["name".into()],
        placed: true,
        ..Kind::default()
    };
    let score = Kind {
        name: "score".into(),
        lanes: vec![Lane::discrete("points", "")],
        ..Kind::default()
    };
    let mut grid = Grid::covering(IVec2::splat(-500), IVec2::splat(500), 100);
    grid.layers = 2;
    Arc::new(Schema {
        kinds: vec![ship, score],
        events: vec!["bell".into(), "bang".into()],
        grid,
        ..Schema::default()
    })
}

pub(crate) fn head(schema: &Schema) -> Head {
    Head {
        game: "test".into(),
        schema: prost::Message::encode_to_vec(&schema.to_proto()),
        rules_hash: 7,
        room: "main".into(),
        tick_rate: 10,
        tick: Tick(0),
        unix_ms: 1_700_000_000_000,
        tick_zero_us: -5,
        map: vec![3; 300],
    }
}

#[derive(Clone)]
struct Ship {
    generation: u32,
    lanes: [i32; 4],
    speed: i32,
    scope: Scope,
    name: Arc<str>,
    owner: Option<PlayerId>,
}

/// A world that goes on by chance.
pub(crate) struct TestWorld {
    pub schema: Arc<Schema>,
    pub history: History,
    random: fastrand::Rng,
    ships: BTreeMap<u32, Ship>,
    generations: BTreeMap<u32, u32>,
    events: Events,
    players: Vec<(PlayerId, Seq)>,
    tick: u32,
}

impl TestWorld {
    pub fn new(seed: u64) -> Self {
        let schema = schema();
        Self {
            history: History::new(Arc::clone(&schema), MIN_HISTORY_FRAMES),
            schema,
            random: fastrand::Rng::with_seed(seed),
            ships: BTreeMap::new(),
            generations: BTreeMap::new(),
            events: Events::default(),
            players: Vec::new(),
            tick: 100,
        }
    }

    /// Makes the next tick, and fills `recorded` with it.
    pub fn step(&mut self, recorded: &mut RecordedTick) {
        let random = &mut self.random;
        self.tick += if random.u8(0..20) == 0 { 3 } else { 1 };
        let facts = &mut recorded.facts;
        if random.u8(0..8) == 0 && self.players.len() < 6 {
            let player = PlayerId(self.players.last().map_or(1, |(last, _)| last.0 + 1));
            self.players.push((player, Seq(0)));
            facts.notes.push(Note::Joined(participant(player)));
        } else if random.u8(0..25) == 0 && !self.players.is_empty() {
            let gone = self.players.remove(random.usize(0..self.players.len()));
            facts.notes.push(Note::Left(gone.0));
        }
        for _ in 0..2 {
            let slot = random.u32(0..150);
            if random.bool() && !self.ships.contains_key(&slot) {
                let generation = self.generations.entry(slot).or_default();
                *generation += 1;
                let owner = (self.players.get(random.usize(0..8))).map(|(player, _)| *player);
                let ship = Ship {
                    generation: *generation,
                    lanes: [random.i32(-500..500), random.i32(-500..500), 3, 100],
                    speed: random.i32(-9..9),
                    scope: [
                        Scope::Layer(Layer(0)),
                        Scope::Layer(Layer(1)),
                        Scope::Global,
                    ][random.usize(0..3)],
                    name: Arc::from(format!("ship {slot}")),
                    owner,
                };
                self.ships.insert(slot, ship);
            } else if random.u8(0..6) == 0 {
                self.ships.remove(&slot);
            }
        }
        for ship in self.ships.values_mut() {
            if random.u8(0..4) > 0 {
                ship.lanes[0] += ship.speed;
                ship.lanes[2] = (ship.lanes[2] + 17) % 1024;
            }
            match random.u8(0..100) {
                0 => ship.speed = random.i32(-9..9),
                1 => ship.lanes[1] = random.i32(i32::MIN..i32::MAX),
                2 => ship.name = Arc::from("ünïcode"),
                3 => ship.scope = Scope::Layer(Layer(random.u8(0..2))),
                4 => ship.lanes[3] -= 25,
                _ => {}
            }
        }
        for _ in 0..random.u8(0..3) {
            let cells = [CellId(random.u32(0..20)), CellId(random.u32(0..20))];
            let payload = [random.u8(..); 3];
            self.events
                .emit(random.u32(0..2), &payload[..random.usize(0..4)], cells);
        }
        let (ships, tick) = (&self.ships, self.tick);
        self.history.publish(Tick(tick), &mut self.events, |out| {
            for (slot, ship) in ships {
                let id = EntityId {
                    kind: KindId(0),
                    slot: *slot,
                    generation: ship.generation,
                };
                out.put(id, ship.scope, &ship.lanes, &[Arc::clone(&ship.name)]);
                if let Some(owner) = ship.owner {
                    out.own(owner, id, &[ship.lanes[3], ship.lanes[0] / 50]);
                }
            }
            let score = EntityId {
                kind: KindId(1),
                slot: 0,
                generation: 1,
            };
            out.put(score, Scope::Global, &[(tick / 10) as i32], &[]);
        });
        let newest = self.history.newest().unwrap();
        recorded.frame.share(newest);
        recorded.owned.copy_from(self.history.owned());
        recorded.unix_ms = 1_700_000_000_000 + u64::from(tick) * 100;
        self.fill_sessions(recorded);
    }

    fn fill_sessions(&mut self, recorded: &mut RecordedTick) {
        let (random, facts) = (&mut self.random, &mut recorded.facts);
        let tick = self.tick;
        for (player, seq) in &mut self.players {
            let source = match random.u8(0..10) {
                0 => InputSource::Repeated,
                1 => InputSource::Neutral,
                _ => InputSource::Fresh,
            };
            if source == InputSource::Fresh {
                seq.0 += if random.u8(0..9) == 0 { 4 } else { 1 };
            }
            let start = facts.payloads.len();
            let mut view = ResolvedView::default();
            if source != InputSource::Neutral {
                let length = random.usize(0..4);
                facts.payloads.extend_from_slice(&[9; 4][..length]);
                let at = ViewTick::from_ticks(f64::from(tick) - 3.3);
                view = ResolvedView {
                    at,
                    received: (random.u8(0..5) > 0).then_some(Tick(tick - 2)),
                    claimed: at,
                    ..ResolvedView::default()
                };
                if random.u8(0..7) == 0 {
                    view.claimed = ViewTick(at.0 - 300);
                    view.was_clamped = true;
                    view.clamped_by = ClampedBy::Due;
                }
            }
            let sending = match random.u8(0..10) {
                0 => Sending::Window,
                1 => Sending::Away,
                2 => Sending::Late,
                _ => Sending::Sent,
            };
            let is_sent = sending == Sending::Sent;
            let first_cell = facts.cells.len();
            if is_sent {
                let cells = random.u32(0..2)..random.u32(10..12);
                facts.cells.extend(cells.map(CellId));
            }
            let is_here = sending != Sending::Away;
            facts.sessions.push(SessionTick {
                player: *player,
                input: AppliedInput {
                    source,
                    seq: *seq,
                    view,
                    payload: if source == InputSource::Neutral {
                        0..0
                    } else {
                        start..facts.payloads.len()
                    },
                },
                sending,
                bytes: if is_sent { random.u32(0..2_000) } else { 0 },
                cells: if is_sent {
                    first_cell..facts.cells.len()
                } else {
                    0..0
                },
                acked: Tick(if is_here { tick - random.u32(1..4) } else { 0 }),
                margin: (is_here && random.bool()).then(|| random.i32(-20..20)),
                starved: if is_here { random.u32(0..3) } else { 0 },
                view_hash: (is_sent && random.u8(0..9) == 0).then(|| random.u64(..)),
            });
            if random.u8(0..20) == 0 {
                facts.dropped.push(DroppedInput {
                    player: *player,
                    seq: *seq,
                    target: Tick(tick),
                    is_late: random.bool(),
                });
                facts.notes.push(Note::Chat(*player, "hello".into()));
                facts.shots.push(ShotNote {
                    player: *player,
                    seq: *seq,
                    is_hit: random.bool(),
                    rewound: 700,
                    view,
                });
                facts.traces.push(trace(*player, *seq, view));
            }
        }
    }
}

fn trace(player: PlayerId, seq: Seq, view: ResolvedView) -> Trace {
    let id = EntityId {
        kind: KindId(0),
        slot: 3,
        generation: 1,
    };
    Trace {
        player,
        seq,
        view,
        test: RayTest {
            kind: KindId(0),
            from: [1, 2],
            to: [3, 4],
            end: [3, 3],
            radius: 5,
            except: None,
            hit: Some(id),
        },
        targets: vec![TracedTarget {
            id,
            at: [-5, 9],
            drawn_from: (Tick(3), Tick(5)),
            is_extrapolated: true,
            margin: -3,
        }],
    }
}

pub(crate) fn participant(player: PlayerId) -> Participant {
    Participant {
        player,
        name: format!("player {}", player.0),
        entity: None,
        is_spectator: player.0.is_multiple_of(2),
        is_connected: true,
    }
}

/// Chunks of so many ticks of a world.
pub(crate) fn chunks(seed: u64, ticks: usize) -> Vec<EncodedChunk> {
    let mut world = TestWorld::new(seed);
    let mut encoder = ChunkEncoder::new(Arc::clone(&world.schema), 10);
    let mut recorded = RecordedTick::new(&world.schema);
    let mut chunks = Vec::new();
    for tick in 0..ticks {
        recorded.clear();
        recorded.begins = tick == 0;
        world.step(&mut recorded);
        encoder.push(&mut recorded);
        if encoder.is_full() {
            chunks.extend(encoder.finish());
        }
    }
    chunks.extend(encoder.finish());
    chunks
}

/// A whole file of such chunks.
pub(crate) fn file(seed: u64, ticks: usize) -> Vec<u8> {
    let mut file = RecordingFile::begin(Vec::new(), &head(&schema())).unwrap();
    for chunk in chunks(seed, ticks) {
        file.append(&chunk).unwrap();
    }
    file.finish().unwrap().0
}
