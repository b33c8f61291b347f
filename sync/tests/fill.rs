//! What a thin line gets: near cells fresh, far ones less often, all of them right.

#![allow(clippy::unwrap_used, reason = "this is a test")]

use glam::IVec2;
use prost::Message as _;
use std::sync::Arc;
use tickwire_proto::v1;
use tickwire_sync::event::Events;
use tickwire_sync::fill::Fill;
use tickwire_sync::frame::Place;
use tickwire_sync::history::{History, MIN_FRAMES};
use tickwire_sync::memo::{BlockMemo, Encoding};
use tickwire_sync::replica::{Applied, Replica};
use tickwire_sync::snapshot::{Header, HeaderState, Snapshot};
use tickwire_sync::view::{Sight, View};
use tickwire_sync::{
    CellId, EntityId, Grid, Kind, KindId, Lane, Layer, LayerSet, PlayerId, Schema, SentTicks, Tick,
};

const SIDE: i32 = 512;
const CELLS: i32 = 9;
const FOCUS: IVec2 = IVec2::new(4 * SIDE + 256, 4 * SIDE + 256);

fn schema() -> Arc<Schema> {
    let ship = Kind {
        name: "ship".into(),
        lanes: vec![Lane::continuous("x", ""), Lane::continuous("y", "")],
        placed: true,
        ..Kind::default()
    };
    Arc::new(Schema {
        kinds: vec![ship],
        events: Vec::new(),
        grid: Grid::covering(IVec2::ZERO, IVec2::splat(CELLS * SIDE), SIDE as u32),
    })
}

/// Ten ships in each cell, all of which move every tick, some of them from cell to cell.
fn publish(history: &mut History, tick: Tick) {
    let mut random = fastrand::Rng::with_seed(1);
    let mut events = Events::default();
    history.publish(tick, &mut events, |out| {
        for slot in 0..(CELLS * CELLS * 10) as u32 {
            let (x, y) = (random.i32(0..CELLS * SIDE), random.i32(0..CELLS * SIDE));
            let speed = random.i32(1..6);
            let id = EntityId {
                kind: KindId(0),
                slot,
                generation: 1,
            };
            let x = (x + speed * tick.0 as i32).rem_euclid(CELLS * SIDE);
            out.put(id, Place::Layer(Layer(0)), &[x, y], &[]);
        }
    });
}

struct Client {
    view: View,
    replica: Replica,
    headers: HeaderState,
    history: History,
    memo: BlockMemo,
    snapshot: Snapshot,
    fill: Fill,
    encoding: Encoding,
    tick: Tick,
}

impl Client {
    fn new(encoding: Encoding) -> Self {
        let schema = schema();
        Self {
            view: View::default(),
            replica: Replica::new(Arc::clone(&schema)),
            headers: HeaderState::default(),
            memo: BlockMemo::new(&schema),
            history: History::new(schema, MIN_FRAMES),
            snapshot: Snapshot::default(),
            fill: Fill::default(),
            encoding,
            tick: Tick(0),
        }
    }

    /// A tick, and a snapshot of so many bytes. Gives the snapshot's length.
    fn tick(&mut self, bytes: Option<usize>) -> usize {
        self.tick = self.tick.next();
        publish(&mut self.history, self.tick);
        let sight = Sight {
            focus: FOCUS,
            half_extent: IVec2::new(2 * SIDE, SIDE),
            layers: LayerSet::default(),
        };
        self.view.aim(&self.history.schema().grid, sight);
        match bytes {
            None => self.fill.everything(),
            Some(bytes) => self.fill.choose(
                &self.view,
                &self.history,
                &mut self.memo,
                self.encoding,
                FOCUS,
                bytes,
            ),
        }
        let header = Header {
            owner: PlayerId(1),
            with_view_hash: true,
            ..Header::default()
        };
        let fill = &self.fill;
        self.snapshot.build(
            &mut self.view,
            &self.history,
            &mut self.memo,
            self.encoding,
            header,
            |cell| fill.holds(cell),
        );
        let bytes = self.snapshot.message(&self.memo);
        let body = v1::ServerMessage::decode(&bytes[..]).unwrap().body;
        let Some(v1::server_message::Body::Snapshot(mut message)) = body else {
            panic!("no snapshot");
        };
        if self.encoding == Encoding::Packed {
            self.headers.fill_in(&mut message);
        }
        self.view.sent(&self.history);
        let applied = self.replica.apply(&message, &mut ()).unwrap();
        assert_eq!(
            applied,
            Applied::Yes {
                view_hash_agreed: Some(true)
            }
        );
        bytes.len()
    }

    fn age(&self, cell: CellId) -> u32 {
        let base = self.view.bases().find(|(id, _)| *id == cell).unwrap().1;
        self.tick.since(base.unwrap_or(Tick(0)))
    }
}

fn cell(dx: i32, dy: i32) -> CellId {
    let grid = Grid::covering(IVec2::ZERO, IVec2::splat(CELLS * SIDE), SIDE as u32);
    grid.cell_at(FOCUS + IVec2::new(dx, dy) * SIDE, Layer(0))
}

/// The mean ages, in ticks, of the own cell, its four neighbours, and those two cells away.
fn ages(client: &mut Client, bytes: usize) -> [f64; 3] {
    let groups: [Vec<CellId>; 3] = [
        vec![cell(0, 0)],
        vec![cell(1, 0), cell(-1, 0), cell(0, 1), cell(0, -1)],
        vec![cell(2, 0), cell(-2, 0), cell(2, 1), cell(-2, -1)],
    ];
    let mut sums = [0.0; 3];
    let ticks = 600;
    for _ in 0..ticks {
        client.tick(Some(bytes));
        for (sum, group) in sums.iter_mut().zip(&groups) {
            let ages = group.iter().map(|cell| f64::from(client.age(*cell)));
            *sum += ages.sum::<f64>() / group.len() as f64;
        }
        let oldest = client.view.bases().map(|(cell, _)| client.age(cell)).max();
        // Both ends remember so many ticks of a cell.
        assert!(oldest.unwrap() <= SentTicks::REACH, "{oldest:?} ticks old");
    }
    sums.map(|sum| sum / f64::from(ticks))
}

#[test]
fn near_cells_are_fresh_and_far_ones_come_less_often_but_come() {
    for encoding in [Encoding::Plain, Encoding::Packed] {
        let mut client = Client::new(encoding);
        for _ in 0..10 {
            client.tick(None);
        }
        let whole = client.tick(None);
        let [own, near, far] = ages(&mut client, whole * 2 / 5);
        assert!(own < 0.01, "the own cell goes always: {own}");
        assert!(near < 3.0, "{near}");
        // Ages on the screen are at least a tick of snapshot and some of the path beyond these.
        assert!(far > 3.0 * (near + 1.0), "{near} and {far}");
        // Every snapshot's hash agreed; and as soon as the line carries everything, nothing is left behind.
        client.tick(None);
        let now = client.tick;
        assert!(client.replica.cells().all(|(_, tick)| tick == now));
        for (cell, _) in client.replica.cells() {
            let frame = client.history.newest().unwrap();
            let rows = client.replica.rows(cell).iter().map(|row| row.id.key());
            assert!(rows.eq(frame.members(cell).iter().copied()), "{cell:?}");
        }
    }
}

#[test]
fn a_snapshot_is_about_as_long_as_the_path_carries() {
    let mut client = Client::new(Encoding::Plain);
    for _ in 0..10 {
        client.tick(None);
    }
    let whole = client.tick(None);
    for part in 2..6 {
        let bytes = whole / part;
        let lengths: Vec<usize> = (0..120).map(|_| client.tick(Some(bytes))).collect();
        let mean = lengths.iter().sum::<usize>() / lengths.len();
        // Whole blocks, and the list of the cells that are held.
        let block = whole / 15;
        assert!(mean < bytes + block + 40, "{mean} of {bytes}");
        assert!(mean > bytes * 9 / 10, "{mean} of {bytes}");
    }
}

#[test]
fn nothing_is_held_where_all_fits() {
    let mut client = Client::new(Encoding::Packed);
    for _ in 0..100 {
        client.tick(Some(1 << 20));
        assert_eq!(client.fill.held_count(), 0);
    }
}
