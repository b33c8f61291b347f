//! The promise of the whole crate: after every snapshot the replica equals the server's view, bit for bit.
//!
//! Random worlds: moves, spawns, despawns, reused slots, cell crossings, skipped ticks, events, cells deferred at different
//! baselines, views that move, rests longer than the history. proptest prints and shrinks a failing case.

#![allow(clippy::unwrap_used)] // a test that unwraps nothing has failed

use glam::IVec2;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use prost::Message;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tickwire_proto::v1;
use tickwire_sync::client::{ApplyOutcome, Replica, Row, RowObserver};
use tickwire_sync::encode::{BlockCache, Encoding, Header, HeaderDecoder};
use tickwire_sync::frame::{Events, Frame, History, MIN_HISTORY_FRAMES};
use tickwire_sync::interest::{ClientView, InterestArea};
use tickwire_sync::snapshot::SnapshotBuilder;
use tickwire_sync::{
    CellId, CellPart, EntityId, Layer, LayerSet, PlayerId, RowKey, Scope, Seq, Tick,
};

mod world;

use world::{Step, Turn, World, schema, turn};

struct Client {
    view: ClientView,
    replica: Replica,
    headers: HeaderDecoder,
    events: Vec<u32>,
    observed: Observed,
}

/// The entities in view, by what an observer gets.
#[derive(Default)]
struct Observed(BTreeSet<EntityId>);

impl RowObserver for Observed {
    fn row(&mut self, row: &Row, _: Tick) {
        self.0.insert(row.id);
    }

    fn gone(&mut self, id: EntityId, _: Tick) {
        self.0.remove(&id);
    }
}

fn decode_snapshot(bytes: &[u8]) -> v1::Snapshot {
    match v1::ServerMessage::decode(bytes).unwrap().body.unwrap() {
        v1::server_message::Body::Snapshot(snapshot) => snapshot,
        other => panic!("not a snapshot: {other:?}"),
    }
}

/// The members of a cell, or of a part of it, in a frame.
fn members(replica: &Replica, cell: CellId, frame: &Frame) -> Vec<RowKey> {
    let (whole, index) = replica.schema().grid.whole_cell(cell);
    let part = CellPart::new(index, replica.part_count_log2(whole));
    let all = frame.members(whole).iter().copied();
    all.filter(|key| part.contains(*key)).collect()
}

fn assert_cell_equals_frame(replica: &Replica, cell: CellId, frame: &Frame) {
    let rows = replica.rows(cell);
    let names: Vec<RowKey> = rows.iter().map(|row| row.id.key()).collect();
    assert_eq!(names, members(replica, cell, frame), "members of {cell:?}");
    for row in rows {
        assert_eq!(Some(row.id), frame.id(row.id.key()));
        assert_eq!(
            row.lanes.to_vec(),
            frame.lanes(row.id.key()).collect::<Vec<_>>(),
            "{:?}",
            row.id
        );
        assert!(
            row.texts
                .iter()
                .map(|text| &**text)
                .eq(frame.texts(row.id.key())),
            "{:?}",
            row.id
        );
    }
}

/// Plays the turns with three clients, checks every replica against its view, and passes each snapshot's bytes to `on_bytes`.
fn run(turns: &[Turn], encoding: Encoding, on_bytes: &mut dyn FnMut(&[u8])) {
    run_in_parts(turns, &[], encoding, on_bytes);
}

/// A cell to part for one of the clients, and into how many parts, as a power of two.
type Splits = Vec<(usize, u32, u8)>;

/// Like [`run`], with cells that go in parts: for each turn those to part.
fn run_in_parts(
    turns: &[Turn],
    splits: &[Splits],
    encoding: Encoding,
    on_bytes: &mut dyn FnMut(&[u8]),
) {
    let schema = schema();
    let mut history = History::new(Arc::clone(&schema), MIN_HISTORY_FRAMES);
    let mut block_cache = BlockCache::new(&schema);
    let mut events = Events::default();
    let mut snapshot = SnapshotBuilder::default();
    let mut world = World {
        slots_between: if splits.is_empty() { 0 } else { 8 },
        ..World::default()
    };
    let mut frames: BTreeMap<Tick, Frame> = BTreeMap::new();
    let new_client = || Client {
        view: ClientView::default(),
        replica: Replica::new(Arc::clone(&schema)),
        headers: HeaderDecoder::default(),
        events: Vec::new(),
        observed: Observed::default(),
    };
    let mut clients: Vec<Client> = (0..3).map(|_| new_client()).collect();
    let mut tick = Tick(0);
    for (at, turn) in turns.iter().enumerate() {
        for _ in 0..turn.rest {
            tick = tick.next();
            history.publish(tick, &mut events, |out| world.publish(out));
            frames.insert(tick, history.newest().unwrap().clone());
        }
        tick = Tick(tick.0 + 1 + turn.skipped_ticks);
        for step in &turn.steps {
            world.apply(step, &schema.grid, &mut events);
        }
        history.publish(tick, &mut events, |out| world.publish(out));
        frames.insert(tick, history.newest().unwrap().clone());
        // A huge share, so that any gain pays.
        if let Some(changes) = block_cache.tune_codebooks(20, 1e9) {
            // All codes or the changed ones: the result is the same.
            let whole = block_cache.codebooks().to_proto();
            for (client, message) in clients
                .iter_mut()
                .zip([&changes, &whole].into_iter().cycle())
            {
                client.replica.update_codebooks(message).unwrap();
            }
        }
        // Encoding ahead must not change any byte.
        if !tick.0.is_multiple_of(3) {
            block_cache.encode_ahead(&history);
        }
        for (index, (client, client_step)) in clients.iter_mut().zip(&turn.clients).enumerate() {
            let layers = if client_step.layers {
                LayerSet::default().with(Layer(1))
            } else {
                LayerSet::default()
            };
            client.view.update_interest(
                &schema.grid,
                InterestArea {
                    focus: client_step.focus.into(),
                    half_extent: IVec2::splat(80),
                    layers,
                },
            );
            if client_step.resyncs {
                client.view.request_full_snapshot();
                client.replica.await_full_snapshot();
            }
            client.view.make_settled_cells_whole(&schema.grid);
            let splits = splits.get(at).into_iter().flatten();
            for (_, cell, count_log2) in splits.filter(|(of, _, _)| *of == index) {
                let _ = client.view.split(&history, CellId(*cell), *count_log2);
            }
            if !client_step.is_sent {
                continue;
            }
            let header = Header {
                owner: PlayerId(1 + index as u32),
                with_view_hash: true,
                applied_seq: Seq(tick.0 / 3 * 2),
                starved_inputs: tick.0 / 5,
                ..Header::default()
            };
            let defers = |cell: CellId| cell.0 & client_step.defer_mask != 0;
            snapshot.build(
                &mut client.view,
                &history,
                &mut block_cache,
                encoding,
                header,
                defers,
            );
            let bytes = snapshot.message(&block_cache);
            on_bytes(&bytes);
            let mut message = decode_snapshot(&bytes);
            if encoding == Encoding::Packed {
                client.headers.decode(&mut message);
            }
            assert_eq!(
                (message.tick, message.applied_seq, message.starved_inputs),
                (tick.0, header.applied_seq.0, header.starved_inputs)
            );
            client.view.mark_sent(&history);
            let applied = client
                .replica
                .apply(&message, &mut client.observed)
                .unwrap();
            assert_eq!(
                applied,
                ApplyOutcome::Applied {
                    view_hash_agreed: Some(true)
                }
            );
            let expected: Vec<_> = client
                .view
                .baselines()
                .filter_map(|(cell, base)| Some((cell, base?)))
                .collect();
            assert_eq!(client.replica.cells().collect::<Vec<_>>(), expected);
            for (cell, base) in expected {
                assert_cell_equals_frame(&client.replica, cell, &frames[&base]);
            }
            assert_visible_rows_are_right(client, &frames, tick);
            let own: Vec<_> = message.owned.iter().map(|own| own.slot).collect();
            let wanted: Vec<_> = world
                .ships
                .keys()
                .copied()
                .filter(|slot| slot % 3 == index as u32)
                .map(|slot| slot * (1 + world.slots_between))
                .collect();
            assert_eq!(own, wanted);
            client.events.extend(
                client
                    .replica
                    .take_events()
                    .into_iter()
                    .map(|event| event.number),
            );
        }
    }
    for client in &mut clients {
        let count = client.events.len();
        client.events.sort_unstable();
        client.events.dedup();
        assert_eq!(client.events.len(), count, "an event was shown twice");
    }
}

/// Checks the visible rows while cells stand at different ticks: each entity once, none that is known to be gone, and every row
/// as it was at its tick.
fn assert_visible_rows_are_right(client: &Client, frames: &BTreeMap<Tick, Frame>, now: Tick) {
    let shown = client.replica.visible_rows();
    let mut keys: Vec<RowKey> = shown.iter().map(|(row, _, _)| row.id.key()).collect();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), shown.len(), "an entity is shown twice");
    let all_up_to_date = client.replica.cells().all(|(_, tick)| tick == now);
    for (row, tick, _) in &shown {
        let was = frames
            .range(..=tick)
            .rev()
            .any(|(_, frame)| frame.id(row.id.key()) == Some(row.id));
        assert!(was, "{:?} is visible but never existed", row.id);
        if all_up_to_date {
            assert_eq!(
                frames[tick].id(row.id.key()),
                Some(row.id),
                "something dead is shown"
            );
        }
    }
    // The observer got every visible entity. Once all cells are up to date, it also got the end of every one that is gone.
    let seen = client
        .observed
        .0
        .iter()
        .filter(|id| all_up_to_date || shown.iter().any(|(row, _, _)| row.id == **id));
    let mut ids: Vec<EntityId> = shown.iter().map(|(row, _, _)| row.id).collect();
    ids.sort_unstable();
    assert!(
        seen.eq(ids.iter()),
        "{:?} were observed, {ids:?} are shown",
        client.observed.0
    );
    // Every member of a cell that is up to date is visible, with its newest row.
    let frame = &frames[&now];
    for (cell, tick) in client.replica.cells().filter(|(_, tick)| *tick == now) {
        for key in &members(&client.replica, cell, frame) {
            let row = shown.iter().find(|(row, _, _)| row.id.key() == *key);
            assert!(
                row.is_some_and(|(row, at, _)| *at == tick && Some(row.id) == frame.id(*key)),
                "{key:?} of {cell:?} is not shown"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn the_replica_equals_the_view_after_every_snapshot(turns in prop::collection::vec(turn(), 1..60)) {
        run(&turns, Encoding::Plain, &mut |_| ());
        run(&turns, Encoding::Packed, &mut |_| ());
    }

    #[test]
    fn the_replica_equals_a_view_of_parted_cells(
        turns in prop::collection::vec(turn(), 1..60),
        splits in prop::collection::vec(prop::collection::vec((0..3_usize, prop_oneof![Just(0_u32), 0..52_u32], 0..5_u8), 0..3), 60),
    ) {
        run_in_parts(&turns, &splits, Encoding::Plain, &mut |_| ());
        run_in_parts(&turns, &splits, Encoding::Packed, &mut |_| ());
    }

    #[test]
    fn a_damaged_snapshot_never_panics_and_is_found(
        turns in prop::collection::vec(turn(), 2..20),
        damage in prop::collection::vec((any::<prop::sample::Index>(), 1..=255_u8), 1..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
        is_packed: bool,
    ) {
        let encoding = if is_packed { Encoding::Packed } else { Encoding::Plain };
        let mut headers = HeaderDecoder::default();
        let mut events = Events::default();
        let schema = schema();
        let mut history = History::new(Arc::clone(&schema), MIN_HISTORY_FRAMES);
        let (mut block_cache, mut snapshot, mut world) = (BlockCache::new(&schema), SnapshotBuilder::default(), World::default());
        let (mut view, mut replica) = (ClientView::default(), Replica::new(Arc::clone(&schema)));
        for (tick, turn) in turns.iter().enumerate() {
            for step in &turn.steps {
                world.apply(step, &schema.grid, &mut events);
            }
            history.publish(Tick(tick as u32 + 1), &mut events, |out| world.publish(out));
            view.update_interest(&schema.grid, InterestArea { focus: IVec2::splat(250), half_extent: IVec2::splat(200), layers: LayerSet::default() });
            let header = Header { with_view_hash: true, ..Header::default() };
            snapshot.build(&mut view, &history, &mut block_cache, encoding, header, |_| false);
            let mut bytes = snapshot.message(&block_cache);
            let is_last = tick + 1 == turns.len();
            if is_last {
                for (at, with) in &damage {
                    let at = at.index(bytes.len());
                    bytes[at] ^= with;
                }
                if let Some(cut) = &cut {
                    bytes.truncate(cut.index(bytes.len()));
                }
            }
            view.mark_sent(&history);
            let Ok(v1::ServerMessage { body: Some(v1::server_message::Body::Snapshot(message)) }) = v1::ServerMessage::decode(&bytes[..]) else {
                prop_assert!(is_last);
                return Ok(());
            };
            let mut message = message;
            if is_packed {
                headers.decode(&mut message);
            }
            match replica.apply(&message, &mut ()) {
                // If the view hash agrees, the rows must be right.
                Ok(ApplyOutcome::Applied { view_hash_agreed: Some(true) }) => {
                    for (cell, base) in replica.cells() {
                        if base == Tick(tick as u32 + 1) && view.baselines().any(|(other, _)| other == cell) {
                            assert_cell_equals_frame(&replica, cell, history.newest().unwrap());
                        }
                    }
                }
                Ok(_) => prop_assert!(is_last),
                Err(_) => {
                    prop_assert!(is_last);
                    prop_assert_eq!(replica.apply(&v1::Snapshot::default(), &mut ()), Ok(ApplyOutcome::AwaitingFullSnapshot));
                }
            }
        }
    }
}

/// The 64-bit FNV-1a hash of every snapshot of 48 seeded worlds, in both encodings.
///
/// A change of this number is a change of the wire: clients in the field would no longer understand the server.
#[test]
fn seeded_worlds_give_the_recorded_wire_bytes() {
    let mut runner = TestRunner::new_with_rng(
        ProptestConfig::default(),
        TestRng::deterministic_rng(RngAlgorithm::ChaCha),
    );
    let (mut hash, mut total_bytes) = (0xcbf2_9ce4_8422_2325_u64, 0);
    for _ in 0..48 {
        let turns = prop::collection::vec(turn(), 40..60)
            .new_tree(&mut runner)
            .unwrap()
            .current();
        for encoding in [Encoding::Plain, Encoding::Packed] {
            run(&turns, encoding, &mut |bytes| {
                total_bytes += bytes.len();
                for byte in bytes {
                    hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
                }
            });
        }
    }
    println!("wire hash of the seeded worlds: {hash:016x} over {total_bytes} bytes");
    assert_eq!(
        format!("{hash:016x} {total_bytes}"),
        include_str!("wire_hash.txt").trim()
    );
}

#[test]
fn each_cell_is_encoded_once_for_all_clients() {
    let encoding = Encoding::Packed;
    let schema = schema();
    let mut history = History::new(Arc::clone(&schema), MIN_HISTORY_FRAMES);
    let mut block_cache = BlockCache::new(&schema);
    let mut events = Events::default();
    let mut snapshot = SnapshotBuilder::default();
    let mut world = World::default();
    for slot in 0..10 {
        world.spawn(
            slot,
            (slot as i32 * 45, slot as i32 * 45),
            Scope::Layer(Layer(0)),
        );
    }
    let mut views = vec![ClientView::default(); 200];
    let mut encoded_by_tick = Vec::new();
    let mut unforeseen = 0;
    for tick in 1..20 {
        for slot in 0..10 {
            world.apply(
                &Step::Move {
                    slot,
                    by: (1, 0),
                    turn: 1,
                },
                &schema.grid,
                &mut events,
            );
        }
        history.publish(Tick(tick), &mut events, |out| world.publish(out));
        let before = block_cache.misses();
        block_cache.encode_ahead(&history);
        let ahead = block_cache.misses() - before;
        for view in &mut views {
            view.update_interest(
                &schema.grid,
                InterestArea {
                    focus: IVec2::splat(250),
                    half_extent: IVec2::splat(250),
                    layers: LayerSet::default(),
                },
            );
            snapshot.build(
                view,
                &history,
                &mut block_cache,
                encoding,
                Header::default(),
                |_| false,
            );
            view.mark_sent(&history);
        }
        let cells: std::collections::BTreeSet<_> = world
            .ships
            .values()
            .map(|ship| {
                schema
                    .grid
                    .cell_at(IVec2::new(ship.lanes[0], ship.lanes[1]), Layer(0))
            })
            .collect();
        encoded_by_tick.push((block_cache.misses() - before, cells.len() as u64));
        if tick > 3 {
            unforeseen += block_cache.misses() - before - ahead;
        }
    }
    assert!(
        encoded_by_tick[1..]
            .iter()
            .all(|(encoded, cells)| encoded == cells),
        "{encoded_by_tick:?}"
    );
    assert!(block_cache.hits() > block_cache.misses() * 100);
    assert_eq!(
        unforeseen, 1,
        "once a ship comes to where nothing had changed before"
    );
}

#[test]
fn a_world_at_rest_costs_only_headers() {
    let encoding = Encoding::Plain;
    let mut events = Events::default();
    let schema = schema();
    let mut history = History::new(Arc::clone(&schema), MIN_HISTORY_FRAMES);
    let (mut block_cache, mut snapshot, mut world, mut view) = (
        BlockCache::new(&schema),
        SnapshotBuilder::default(),
        World::default(),
        ClientView::default(),
    );
    let mut replica = Replica::new(Arc::clone(&schema));
    world.spawn(0, (250, 250), Scope::Layer(Layer(0)));
    for tick in 1..1000 {
        history.publish(Tick(tick), &mut events, |out| world.publish(out));
        view.update_interest(
            &schema.grid,
            InterestArea {
                focus: IVec2::splat(250),
                half_extent: IVec2::splat(80),
                layers: LayerSet::default(),
            },
        );
        // A client that misses long stretches gets no keyframe either, as nothing has changed.
        if tick == 1 || tick % 300 == 0 {
            snapshot.build(
                &mut view,
                &history,
                &mut block_cache,
                encoding,
                Header::default(),
                |_| false,
            );
            view.mark_sent(&history);
            replica
                .apply(&decode_snapshot(&snapshot.message(&block_cache)), &mut ())
                .unwrap();
        }
    }
    assert_eq!(
        block_cache.misses(),
        2,
        "one keyframe for the ship's cell, one for the global cell, and nothing after"
    );
    assert_eq!(replica.tick(), Tick(900));
}
