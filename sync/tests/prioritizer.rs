//! What a slow line gets: near cells fresh, far cells less often, all of them right.

#![allow(clippy::unwrap_used, reason = "this is a test")]

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
    CellId, EntityId, Grid, Kind, KindId, Lane, Layer, LayerSet, PlayerId, Priority, Schema, Scope,
    SentTicks, Tick,
};

const SIDE: i32 = 512;
const CELLS: i32 = 9;
const FOCUS: IVec2 = IVec2::new(4 * SIDE + 256, 4 * SIDE + 256);

/// Ships, and a table of scores in the global cell with this priority.
fn schema(priority: Priority) -> Arc<Schema> {
    let ship = Kind {
        name: "ship".into(),
        lanes: vec![Lane::continuous("x", ""), Lane::continuous("y", "")],
        placed: true,
        ..Kind::default()
    };
    let score = Kind {
        name: "score".into(),
        lanes: vec![Lane::discrete("points", "")],
        priority,
        ..Kind::default()
    };
    Arc::new(Schema {
        kinds: vec![ship, score],
        grid: Grid::covering(IVec2::ZERO, IVec2::splat(CELLS * SIDE), SIDE as u32),
        ..Schema::default()
    })
}

/// Ten ships per cell. All move every tick, some from cell to cell. And so many scores, which all change every tick.
fn publish(history: &mut History, tick: Tick, scores: u32) {
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
            out.put(id, Scope::Layer(Layer(0)), &[x, y], &[]);
        }
        for slot in 0..scores {
            let id = EntityId {
                kind: KindId(1),
                slot,
                generation: 1,
            };
            let points = random.i32(0..1 << 16) ^ (tick.0 as i32).wrapping_mul(40_503);
            out.put(id, Scope::Global, &[points], &[]);
        }
    });
}

struct Client {
    view: ClientView,
    replica: Replica,
    headers: HeaderDecoder,
    history: History,
    block_cache: BlockCache,
    snapshot: SnapshotBuilder,
    prioritizer: CellPrioritizer,
    encoding: Encoding,
    tick: Tick,
    scores: u32,
}

impl Client {
    fn new(encoding: Encoding) -> Self {
        Self::with_scores(encoding, 0, Priority::default())
    }

    fn with_scores(encoding: Encoding, scores: u32, priority: Priority) -> Self {
        let schema = schema(priority);
        Self {
            view: ClientView::default(),
            replica: Replica::new(Arc::clone(&schema)),
            headers: HeaderDecoder::default(),
            block_cache: BlockCache::new(&schema),
            history: History::new(schema, MIN_HISTORY_FRAMES),
            snapshot: SnapshotBuilder::default(),
            prioritizer: CellPrioritizer::default(),
            encoding,
            tick: Tick(0),
            scores,
        }
    }

    /// Plays a tick with a byte budget for its snapshot. Returns the snapshot's length.
    fn tick(&mut self, bytes: Option<usize>) -> usize {
        self.tick = self.tick.next();
        publish(&mut self.history, self.tick, self.scores);
        let area = InterestArea {
            focus: FOCUS,
            half_extent: IVec2::new(2 * SIDE, SIDE),
            layers: LayerSet::default(),
        };
        self.view.update_interest(&self.history.schema().grid, area);
        match bytes {
            None => (self.prioritizer).defer_nothing(&mut self.view, &self.history.schema().grid),
            Some(bytes) => self.prioritizer.select(
                &mut self.view,
                &self.history,
                &mut self.block_cache,
                self.encoding,
                FOCUS,
                PlayerId(1),
                bytes,
            ),
        }
        let header = Header {
            owner: PlayerId(1),
            with_view_hash: true,
            ..Header::default()
        };
        let prioritizer = &self.prioritizer;
        self.snapshot.build(
            &mut self.view,
            &self.history,
            &mut self.block_cache,
            self.encoding,
            header,
            |cell| prioritizer.defers(cell),
        );
        let bytes = self.snapshot.message(&self.block_cache);
        let body = v1::ServerMessage::decode(&bytes[..]).unwrap().body;
        let Some(v1::server_message::Body::Snapshot(mut message)) = body else {
            panic!("no snapshot");
        };
        if self.encoding == Encoding::Packed {
            self.headers.decode(&mut message);
        }
        self.view.mark_sent(&self.history);
        let applied = self.replica.apply(&message, &mut ()).unwrap();
        assert_eq!(
            applied,
            ApplyOutcome::Applied {
                view_hash_agreed: Some(true)
            }
        );
        bytes.len()
    }

    fn age(&self, cell: CellId) -> u32 {
        let base = self.view.baselines().find(|(id, _)| *id == cell).unwrap().1;
        self.tick.since(base.unwrap_or(Tick(0)))
    }
}

fn cell(dx: i32, dy: i32) -> CellId {
    let grid = Grid::covering(IVec2::ZERO, IVec2::splat(CELLS * SIDE), SIDE as u32);
    grid.cell_at(FOCUS + IVec2::new(dx, dy) * SIDE, Layer(0))
}

/// The mean ages, in ticks, of the focus's own cell, its four neighbours, and the cells two away.
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
        let oldest = client
            .view
            .baselines()
            .map(|(cell, _)| client.age(cell))
            .max();
        // Both ends remember this many ticks of a cell.
        assert!(oldest.unwrap() <= SentTicks::REACH, "{oldest:?} ticks old");
    }
    sums.map(|sum| sum / f64::from(ticks))
}

#[test]
fn near_cells_are_fresh_and_far_ones_still_come() {
    for encoding in [Encoding::Plain, Encoding::Packed] {
        let mut client = Client::new(encoding);
        for _ in 0..10 {
            client.tick(None);
        }
        let whole = client.tick(None);
        let [own, near, far] = ages(&mut client, whole * 2 / 5);
        assert!(own < 0.01, "the own cell always goes: {own}");
        assert!(near < 3.0, "{near}");
        // Ages on a screen are larger by at least a tick and the path's delay.
        assert!(far > 3.0 * (near + 1.0), "{near} and {far}");
        // Every snapshot's hash agreed. Once the line carries everything, no cell is left behind.
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
fn a_snapshot_is_about_as_long_as_its_budget() {
    let mut client = Client::new(Encoding::Plain);
    for _ in 0..10 {
        client.tick(None);
    }
    let whole = client.tick(None);
    for part in 2..6 {
        let bytes = whole / part;
        let lengths: Vec<usize> = (0..120).map(|_| client.tick(Some(bytes))).collect();
        let mean = lengths.iter().sum::<usize>() / lengths.len();
        // Whole blocks, and the list of deferred cells.
        let block = whole / 15;
        assert!(mean < bytes + block + 40, "{mean} of {bytes}");
        assert!(mean > bytes * 9 / 10, "{mean} of {bytes}");
    }
}

#[test]
fn nothing_is_deferred_where_all_fits() {
    let mut client = Client::new(Encoding::Packed);
    for _ in 0..100 {
        client.tick(Some(1 << 20));
        assert_eq!(client.prioritizer.deferred_count(), 0);
    }
}

#[test]
fn a_table_of_low_priority_leaves_the_line_to_near_cells() {
    // The sums of the ages, in ticks, of the table and of a cell near by.
    let ages = [20, 100].map(|percent| {
        let mut client = Client::with_scores(Encoding::Packed, 400, Priority(percent));
        for _ in 0..10 {
            client.tick(None);
        }
        let whole = client.tick(None);
        let (mut table, mut near) = (0, 0);
        for _ in 0..300 {
            client.tick(Some(whole / 12));
            table += client.age(CellId::GLOBAL);
            near += client.age(cell(1, 0));
        }
        assert!(client.age(CellId::GLOBAL) <= SentTicks::REACH);
        [table, near]
    });
    let [[_, low_near], [_, usual_near]] = ages;
    assert!(low_near * 4 < usual_near, "{ages:?}");
}

/// 400 scores that all change every tick, over a line that carries a tenth of them.
#[test]
fn a_large_table_goes_in_parts_to_who_takes_them() {
    let play = |takes_parts: bool| {
        let mut client = Client::with_scores(Encoding::Packed, 400, Priority::default());
        client.view.take_parts(takes_parts);
        for _ in 0..10 {
            client.tick(None);
        }
        let whole = client.tick(None);
        let largest = (0..120).map(|_| client.tick(Some(whole / 10))).max();
        let cells = client.view.baselines().count();
        (client, whole, largest.unwrap(), cells)
    };
    let (_, _, largest_whole, whole_cells) = play(false);
    let (mut client, whole, largest, cells) = play(true);
    assert!(cells > whole_cells, "{cells} and {whole_cells}");
    assert!(largest < largest_whole / 2, "{largest} and {largest_whole}");
    // Once the line carries everything for as long as both ends remember, the cell is whole again, and costs what it did.
    for _ in 0..SentTicks::REACH + 8 {
        client.tick(None);
    }
    assert_eq!(client.view.baselines().count(), whole_cells);
    let again = client.tick(None);
    assert!(again.abs_diff(whole) < whole / 20, "{again} and {whole}");
}
