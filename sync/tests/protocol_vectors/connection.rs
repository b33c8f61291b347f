//! One connection in both encodings, recorded step by step by the server's own code.
//!
//! In: a world that a case changes, ticks, areas of interest, cells to defer. Out: for each snapshot its bytes in both
//! encodings, and the view that a client must hold after it, taken from the server's frames.

use crate::coverage::Coverage;
use crate::step::{After, Cell, Event, OwnedRow, Step, hex, row, visible_rows};
use crate::world::World;
use glam::IVec2;
use prost::Message as _;
use std::collections::BTreeMap;
use std::sync::Arc;
use tickwire_proto::v1::{self, server_message::Body};
use tickwire_sync::client::{ApplyOutcome, Replica};
use tickwire_sync::encode::{BlockCache, Encoding, Header, HeaderDecoder};
use tickwire_sync::frame::{Events, Frame, History, MIN_HISTORY_FRAMES};
use tickwire_sync::interest::{ClientView, InterestArea};
use tickwire_sync::snapshot::SnapshotBuilder;
use tickwire_sync::world::hash;
use tickwire_sync::{CellId, CellPart, Layer, LayerSet, PlayerId, RowKey, Schema, Seq, Tick};

/// The player whose connection is recorded.
pub const PLAYER: u32 = 7;
/// The tick of each case's first frame.
pub const FIRST_TICK: u32 = 300;

/// One encoding's connection: the server's view of the client, and Tickwire's own client.
struct End {
    encoding: Encoding,
    view: ClientView,
    replica: Replica,
    headers: HeaderDecoder,
}

pub struct Connection<'a> {
    pub world: World,
    pub events: Events,
    /// The focus of the area of interest, which reaches 60 units from it.
    pub focus: (i32, i32),
    pub layers: LayerSet,
    /// Cells that the next snapshot defers.
    pub deferred: Vec<u32>,
    pub input_margin: Option<i32>,
    pub starved_inputs: u32,
    /// How far the input seq is ahead of the tick, beyond its usual distance.
    pub seq_lead: i32,
    pub with_view_hash: bool,
    schema: Arc<Schema>,
    history: History,
    cache: BlockCache,
    frames: BTreeMap<Tick, Frame>,
    tick: u32,
    codebooks: Option<v1::Codebooks>,
    ends: [End; 2],
    snapshot: SnapshotBuilder,
    awaits_full: bool,
    steps: Vec<Step>,
    coverage: &'a mut Coverage,
}

impl<'a> Connection<'a> {
    pub fn new(schema: &Arc<Schema>, coverage: &'a mut Coverage) -> Self {
        let end = |encoding| End {
            encoding,
            view: ClientView::default(),
            replica: Replica::new(Arc::clone(schema)),
            headers: HeaderDecoder::default(),
        };
        coverage.begin_connection();
        Self {
            world: World::default(),
            events: Events::default(),
            focus: (0, 0),
            layers: LayerSet::default(),
            deferred: Vec::new(),
            input_margin: None,
            starved_inputs: 0,
            seq_lead: 0,
            with_view_hash: false,
            history: History::new(Arc::clone(schema), MIN_HISTORY_FRAMES),
            cache: BlockCache::new(schema),
            frames: BTreeMap::new(),
            tick: FIRST_TICK - 1,
            codebooks: None,
            ends: [end(Encoding::Plain), end(Encoding::Packed)],
            snapshot: SnapshotBuilder::default(),
            awaits_full: false,
            steps: Vec::new(),
            schema: Arc::clone(schema),
            coverage,
        }
    }

    pub fn sees_layer(&mut self, layer: u8) {
        self.layers = self.layers.with(Layer(layer));
    }

    /// Emits an event that touches these cells.
    pub fn emit(&mut self, kind: u32, payload: &[u8], cells: &[u32]) {
        self.events
            .emit(kind, payload, cells.iter().copied().map(CellId));
    }

    /// Publishes the world as the frame `ticks` ticks later. No snapshot is sent.
    pub fn tick(&mut self, ticks: u32) {
        self.tick += ticks;
        let world = &self.world;
        self.history
            .publish(Tick(self.tick), &mut self.events, |out| world.publish(out));
        let newest = self.history.newest().unwrap();
        self.frames.insert(Tick(self.tick), newest.clone());
        let area = InterestArea {
            focus: self.focus.into(),
            half_extent: IVec2::splat(60),
            layers: self.layers,
        };
        for end in &mut self.ends {
            end.view.update_interest(&self.schema.grid, area);
        }
    }

    /// Tunes the codebooks to what was encoded so far. The next step sends the changes, or all codes. With a share of 0 no code
    /// changes, and with a huge one any gain pays.
    pub fn tune_codebooks(&mut self, share: f64, as_changes: bool) {
        let changes = self.cache.tune_codebooks(20, share).unwrap();
        self.codebooks = Some(if as_changes {
            changes
        } else {
            self.cache.codebooks().to_proto()
        });
    }

    /// Has a cell go in two to the power of `count_log2` parts from the next snapshot on.
    pub fn part(&mut self, cell: u32, count_log2: u8) {
        for end in &mut self.ends {
            end.view.take_parts(true);
            let is_parted = end.view.split(&self.history, CellId(cell), count_log2);
            assert!(is_parted, "cell {cell} cannot go in parts");
        }
    }

    /// Makes the cells whole again all of whose parts were sent at the same ticks.
    pub fn make_cells_whole(&mut self) {
        for end in &mut self.ends {
            end.view.make_settled_cells_whole(&self.schema.grid);
        }
    }

    /// The number of a part on the wire.
    pub fn part_id(&self, cell: u32, index: u32) -> u32 {
        let part = CellPart::new(index, CellPart::MAX_COUNT_LOG2);
        self.schema.grid.part_id(CellId(cell), part).0
    }

    /// The client has sent `Resync`, or the connection is a new one: the next snapshot is a full one.
    pub fn request_full_snapshot(&mut self) {
        self.awaits_full = false;
        for end in &mut self.ends {
            end.view.request_full_snapshot();
            end.replica.await_full_snapshot();
        }
    }

    /// One tick later: a snapshot that is sent.
    pub fn step(&mut self, note: &'static str) {
        self.tick(1);
        self.send(note);
    }

    /// Sends the snapshot of the newest frame.
    pub fn send(&mut self, note: &'static str) {
        let outcome = if self.awaits_full {
            "ignored"
        } else {
            "applied"
        };
        self.record(note, outcome, 0);
    }

    /// Sends a snapshot whose view hash is wrong. The client ignores what follows until a full snapshot.
    pub fn send_with_a_wrong_hash(&mut self, note: &'static str) {
        self.with_view_hash = true;
        self.record(note, "resync", 1);
        self.with_view_hash = false;
    }

    /// Sends a snapshot that never arrives.
    pub fn lose(&mut self) {
        let header = self.header();
        for end in &mut self.ends {
            self.snapshot.build(
                &mut end.view,
                &self.history,
                &mut self.cache,
                end.encoding,
                header,
                |_| false,
            );
            end.view.mark_sent(&self.history);
        }
    }

    /// Sends the snapshot after one that was lost. The client finds it by the baseline in the plain encoding, and by the view
    /// hash in the packed one, whose blocks do not name their baseline.
    pub fn send_after_a_loss(&mut self, note: &'static str) {
        self.record(note, "resync", 0);
    }

    pub fn finish(self) -> Vec<Step> {
        self.steps
    }

    fn header(&self) -> Header {
        Header {
            owner: PlayerId(PLAYER),
            applied_seq: Seq((self.tick - 290).wrapping_add_signed(self.seq_lead)),
            input_margin: self.input_margin,
            starved_inputs: self.starved_inputs,
            with_view_hash: self.with_view_hash,
        }
    }

    /// `hash_error` is flipped in the view hash.
    fn record(&mut self, note: &'static str, outcome: &'static str, hash_error: u64) {
        let codebooks = self.codebooks.take();
        let (plain, after) = self.send_to(0, None, outcome, hash_error);
        let (packed, after_packed) = self.send_to(1, codebooks, outcome, hash_error);
        assert!(after == after_packed, "{note}: the encodings disagree");
        self.awaits_full |= outcome == "resync";
        self.steps.push(Step {
            note,
            plain: plain.iter().map(|bytes| hex(bytes)).collect(),
            packed: packed.iter().map(|bytes| hex(bytes)).collect(),
            outcome,
            after,
        });
    }

    /// Builds the messages of one step for one end, and what a client has after them.
    fn send_to(
        &mut self,
        index: usize,
        codebooks: Option<v1::Codebooks>,
        outcome: &str,
        hash_error: u64,
    ) -> (Vec<Vec<u8>>, Option<After>) {
        let mut header = self.header();
        let end = &mut self.ends[index];
        header.with_view_hash |= outcome == "resync" && end.encoding == Encoding::Packed;
        let mut messages = Vec::new();
        if let Some(codebooks) = codebooks {
            end.replica.update_codebooks(&codebooks).unwrap();
            self.coverage.codebooks(&codebooks);
            messages.push(encode(Body::Codebooks(codebooks)));
        }
        self.snapshot.build(
            &mut end.view,
            &self.history,
            &mut self.cache,
            end.encoding,
            header,
            |cell| self.deferred.contains(&cell.0),
        );
        let mut bytes = self.snapshot.message(&self.cache);
        end.view.mark_sent(&self.history);
        if hash_error != 0 {
            let mut snapshot = decode_snapshot(&bytes);
            snapshot.view_hash = snapshot.view_hash.map(|hash| hash ^ hash_error);
            bytes = encode(Body::Snapshot(snapshot));
        }
        let mut sent = decode_snapshot(&bytes);
        self.coverage.snapshot(end.encoding, &sent, outcome);
        messages.push(bytes);
        if end.encoding == Encoding::Packed {
            end.headers.decode(&mut sent);
        }
        let applied = end.replica.apply(&sent, &mut ());
        let applied_with = |hash| {
            Ok(ApplyOutcome::Applied {
                view_hash_agreed: hash,
            })
        };
        match outcome {
            "applied" => assert_eq!(applied, applied_with(self.with_view_hash.then_some(true))),
            "ignored" => assert_eq!(applied, Ok(ApplyOutcome::AwaitingFullSnapshot)),
            _ => {
                assert!(applied.is_err() || applied == applied_with(Some(false)));
                end.replica.await_full_snapshot();
            }
        }
        let events = end.replica.take_events().into_iter();
        let events = events.map(|event| Event {
            number: event.number,
            tick: event.tick.0,
            kind: event.kind,
            payload: hex(&event.payload),
        });
        let events = events.collect();
        let after = (outcome == "applied").then(|| self.after(index, events));
        (messages, after)
    }

    /// What a client has after a snapshot: the rows are those of the server's frames.
    fn after(&self, index: usize, events: Vec<Event>) -> After {
        let end = &self.ends[index];
        let header = self.header();
        let mut view_hash = 0_u64;
        let mut cells = Vec::new();
        for (cell, baseline) in end.view.baselines() {
            let Some(tick) = baseline else { continue };
            let frame = &self.frames[&tick];
            let (whole, _) = self.schema.grid.whole_cell(cell);
            let count_log2 = end.replica.part_count_log2(whole);
            let is_here = |key: &RowKey| {
                let part = CellPart::of_row(*key, count_log2);
                self.schema.grid.part_id(whole, part) == cell
            };
            let rows = frame.members(whole).iter().copied();
            let rows: Vec<RowKey> = rows.filter(is_here).collect();
            let sum = rows.iter().fold(0_u64, |sum, key| {
                let id = frame.id(*key).unwrap();
                sum.wrapping_add(hash::row_hash(id, frame.lanes(*key), frame.texts(*key)))
            });
            view_hash = view_hash.wrapping_add(hash::cell_hash_in_view(cell, sum));
            cells.push(Cell {
                cell: cell.0,
                tick: tick.0,
                rows: rows.iter().map(|key| row(frame, *key)).collect(),
            });
        }
        assert_eq!(end.replica.view_hash(), view_hash);
        let owned = self.history.owned().of(header.owner, &self.schema);
        After {
            tick: self.tick,
            applied_seq: header.applied_seq.0,
            input_margin: header.input_margin,
            starved_inputs: header.starved_inputs,
            owned: owned
                .map(|(id, lanes)| OwnedRow {
                    kind: id.kind.0,
                    slot: id.slot,
                    generation: id.generation,
                    lanes: lanes.to_vec(),
                })
                .collect(),
            events,
            visible: visible_rows(&end.replica),
            cells,
            view_hash: format!("{view_hash:016x}"),
        }
    }
}

fn encode(body: Body) -> Vec<u8> {
    v1::ServerMessage { body: Some(body) }.encode_to_vec()
}

fn decode_snapshot(bytes: &[u8]) -> v1::Snapshot {
    match v1::ServerMessage::decode(bytes).unwrap().body {
        Some(Body::Snapshot(snapshot)) => snapshot,
        other => panic!("not a snapshot: {other:?}"),
    }
}
