//! Which corners of the protocol the recorded messages have reached, as far as protobuf shows it. What the packed bits say is
//! counted by the reader that checks the file (`web/test/protocol-vectors.test.mjs`).

use std::collections::{BTreeMap, BTreeSet};
use tickwire_proto::v1;
use tickwire_sync::encode::Encoding;

/// How many cells the schema has: so far apart are the numbers of a cell's parts.
const CELLS: u32 = 37;
/// Everything that some message must show.
const WANTED: &[&str] = &[
    "a block with events alone",
    "a block with several ticks of events",
    "a cell dropped and added at once",
    "a cell in more parts than before",
    "a cell in parts",
    "a cell in parts that is dropped",
    "a cell that is whole again",
    "a changed lane 63",
    "a changed lane and text of one row",
    "a keyframe of a cell that the client has",
    "a row that changed lanes alone",
    "a row that changed texts alone",
    "a row that changed two texts",
    "a row that enters another cell in the tick in which it left one",
    "a row that went to a cell of the view",
    "a row that went to a cell outside of the view",
    "a row that went to a deferred cell",
    "a row that is gone",
    "a row without lanes",
    "a second part that is added",
    "a slot above 65,535",
    "a slot reused in one block",
    "a snapshot with a wrong hash",
    "a snapshot without blocks",
    "a text of more than 15 bytes",
    "a text that became empty",
    "a view hash",
    "an added cell that is empty",
    "an added cell with a keyframe",
    "an event ago",
    "an event in two blocks",
    "an event now",
    "an event number above 127",
    "an event of a cell in parts",
    "an event payload of more than 15 bytes",
    "an event without a payload",
    "an ignored snapshot",
    "applied_advance above 0",
    "applied_advance below 0",
    "blocks of different baselines",
    "codebooks: all codes",
    "codebooks: some codes",
    "codebooks: some codes, with others between them",
    "codebooks: usual lanes alone",
    "deferred cells",
    "deferred parts",
    "deferred parts, of more than eight cells",
    "dropped cells",
    "full_snapshot again",
    "input_margin 0",
    "input_margin above 0",
    "input_margin absent",
    "input_margin below 0",
    "more than one owned row",
    "owned rows without private lanes",
    "packed: a tick that is left out",
    "packed: a tick that is not the next",
    "packed: starved_inputs added",
    "packed: without blocks",
    "starved_inputs",
    "the largest generation",
];

/// The corners that were reached.
#[derive(Default)]
pub struct Coverage {
    reached: BTreeSet<&'static str>,
    /// The cells of the plain view, and the numbers of the events that came in blocks.
    view: BTreeSet<u32>,
    events: BTreeSet<u32>,
    /// The cells that go in parts, and how many there are, as a power of two.
    parts: BTreeMap<u32, u32>,
    snapshots: u32,
}

impl Coverage {
    pub fn begin_connection(&mut self) {
        self.view.clear();
        self.events.clear();
        self.parts.clear();
        self.snapshots = 0;
    }

    pub fn codebooks(&mut self, message: &v1::Codebooks) {
        let (has_codes, has_changes) = (
            !message.code_lengths.is_empty(),
            !message.changed.is_empty(),
        );
        self.reached.insert(match (has_codes, has_changes) {
            (true, true) => "codebooks: some codes",
            (true, false) => "codebooks: all codes",
            (false, _) => "codebooks: usual lanes alone",
        });
        let has_gap = message.changed.iter().skip(1).any(|gap| *gap > 0);
        self.note("codebooks: some codes, with others between them", has_gap);
    }

    pub fn snapshot(&mut self, encoding: Encoding, sent: &v1::Snapshot, outcome: &str) {
        match encoding {
            Encoding::Plain => self.plain(sent, outcome),
            Encoding::Packed => self.packed(sent),
        }
    }

    /// Fails with what was not reached.
    pub fn assert_complete(&self) {
        let missing: Vec<_> = WANTED
            .iter()
            .filter(|corner| !self.reached.contains(*corner))
            .collect();
        let unknown: Vec<_> = self
            .reached
            .iter()
            .filter(|corner| !WANTED.contains(corner))
            .collect();
        assert!(
            missing.is_empty() && unknown.is_empty(),
            "the cases do not reach {missing:#?}; not in the list: {unknown:?}"
        );
    }

    fn note(&mut self, corner: &'static str, is_reached: bool) {
        if is_reached {
            self.reached.insert(corner);
        }
    }

    fn packed(&mut self, sent: &v1::Snapshot) {
        self.note("packed: a tick that is left out", sent.tick == 0);
        let is_full = sent.full_snapshot;
        self.note(
            "packed: a tick that is not the next",
            sent.tick != 0 && !is_full,
        );
        self.note("applied_advance above 0", sent.applied_advance > 0);
        self.note("applied_advance below 0", sent.applied_advance < 0);
        self.note(
            "packed: starved_inputs added",
            sent.starved_inputs > 0 && !is_full,
        );
        self.note("packed: without blocks", sent.packed.is_empty());
    }

    fn plain(&mut self, sent: &v1::Snapshot, outcome: &str) {
        self.note("a snapshot with a wrong hash", outcome == "resync");
        self.note("an ignored snapshot", outcome == "ignored");
        self.note(
            "full_snapshot again",
            sent.full_snapshot && self.snapshots > 0,
        );
        self.note("a view hash", sent.view_hash.is_some());
        self.note("starved_inputs", sent.starved_inputs > 0);
        self.note("input_margin absent", sent.input_margin.is_none());
        self.note("input_margin 0", sent.input_margin == Some(0));
        self.note(
            "input_margin above 0",
            sent.input_margin.is_some_and(|margin| margin > 0),
        );
        self.note(
            "input_margin below 0",
            sent.input_margin.is_some_and(|margin| margin < 0),
        );
        self.note("more than one owned row", sent.owned.len() > 1);
        let is_bare = |own: &v1::OwnedRow| own.lanes.is_empty();
        self.note(
            "owned rows without private lanes",
            sent.owned.iter().any(is_bare),
        );
        self.note("a snapshot without blocks", sent.blocks.is_empty());
        self.snapshots += 1;
        self.cells(sent);
        for block in &sent.blocks {
            self.block(sent, block);
        }
        self.events(sent);
    }

    fn cells(&mut self, sent: &v1::Snapshot) {
        if sent.full_snapshot {
            self.view.clear();
        }
        self.parts(sent);
        self.note("dropped cells", !sent.dropped_cells.is_empty());
        self.note("deferred cells", !sent.deferred_cells.is_empty());
        let added = &sent.added_cells;
        let returns = |cell: &u32| added.contains(cell);
        self.note(
            "a cell dropped and added at once",
            sent.dropped_cells.iter().any(returns),
        );
        let has_block = |cell: &u32| sent.blocks.iter().any(|block| block.cell == *cell);
        self.note(
            "an added cell that is empty",
            added.iter().any(|cell| !has_block(cell)),
        );
        self.note("an added cell with a keyframe", added.iter().any(has_block));
        let ages: BTreeSet<u32> = sent.blocks.iter().map(|block| block.baseline_ago).collect();
        self.note(
            "blocks of different baselines",
            ages.iter().filter(|ago| **ago > 0).count() > 1,
        );
        (self.view).retain(|cell| !sent.dropped_cells.contains(&(cell % CELLS)));
        for block in &sent.blocks {
            let is_held = self.view.contains(&block.cell);
            self.note(
                "a keyframe of a cell that the client has",
                is_held && block.baseline_ago == 0,
            );
        }
        self.view.extend(added);
    }

    fn parts(&mut self, sent: &v1::Snapshot) {
        for cell in &sent.dropped_cells {
            let was_parted = self.parts.remove(cell).is_some();
            self.note("a cell in parts that is dropped", was_parted);
        }
        for (cell, count_log2) in sent.cell_parts.iter().map(|parts| (parts >> 3, parts & 7)) {
            let before = self.parts.remove(&cell).unwrap_or(0);
            self.note("a cell in parts", before == 0 && count_log2 > 0);
            let has_more = before > 0 && count_log2 > before;
            self.note("a cell in more parts than before", has_more);
            self.note("a cell that is whole again", before > 0 && count_log2 == 0);
            if count_log2 > 0 {
                self.parts.insert(cell, count_log2);
            }
        }
        let bytes = sent.deferred_bits.len();
        self.note("deferred parts", bytes > 0);
        self.note("deferred parts, of more than eight cells", bytes > 1);
        let is_later_part = |cell: &u32| *cell >= CELLS;
        let has_part = sent.added_cells.iter().any(is_later_part);
        self.note("a second part that is added", has_part);
        let has_event =
            |block: &v1::Block| !block.events.is_empty() && self.parts.contains_key(&block.cell);
        let has_event = sent.blocks.iter().any(has_event);
        self.note("an event of a cell in parts", has_event);
    }

    fn block(&mut self, sent: &v1::Snapshot, block: &v1::Block) {
        for left in &block.left {
            let to = left.to_cell_plus_one.checked_sub(1);
            self.note("a row that is gone", to.is_none());
            let in_view = |cell: u32| self.view.contains(&cell);
            let (is_seen, is_deferred) = (
                to.is_some_and(in_view),
                to.is_some_and(|cell| sent.deferred_cells.contains(&cell)),
            );
            self.note(
                "a row that went to a cell of the view",
                is_seen && !is_deferred,
            );
            self.note("a row that went to a deferred cell", is_deferred);
            self.note(
                "a row that went to a cell outside of the view",
                to.is_some() && !is_seen,
            );
            let is_same = |row: &v1::Row| (row.kind, row.slot) == (left.kind, left.slot);
            self.note(
                "a slot reused in one block",
                block.entered.iter().any(is_same),
            );
            let elsewhere = sent.blocks.iter().filter(|other| Some(other.cell) == to);
            let enters = elsewhere.flat_map(|other| &other.entered).any(is_same);
            self.note(
                "a row that enters another cell in the tick in which it left one",
                enters,
            );
        }
        for row in &block.entered {
            self.note("a slot above 65,535", row.slot > 65_535);
            self.note("the largest generation", row.generation == u32::MAX);
            self.note(
                "a row without lanes",
                row.lanes.is_empty() && row.texts.is_empty(),
            );
            self.note(
                "a text of more than 15 bytes",
                row.texts.iter().any(|text| text.len() > 15),
            );
        }
        for change in &block.changed {
            let (lanes, texts) = (!change.deltas.is_empty(), !change.texts.is_empty());
            self.note("a row that changed lanes alone", lanes && !texts);
            self.note("a row that changed texts alone", texts && !lanes);
            self.note("a changed lane and text of one row", lanes && texts);
            self.note("a row that changed two texts", change.texts.len() == 2);
            self.note("a changed lane 63", change.lane_mask >> 63 == 1);
            self.note(
                "a text that became empty",
                change.texts.iter().any(|text| text.value.is_empty()),
            );
        }
        let rows = block.left.len() + block.entered.len() + block.changed.len();
        self.note(
            "a block with events alone",
            rows == 0 && !block.events.is_empty(),
        );
        let ages: BTreeSet<u32> = block.events.iter().map(|event| event.ticks_ago).collect();
        self.note("a block with several ticks of events", ages.len() > 1);
    }

    fn events(&mut self, sent: &v1::Snapshot) {
        for event in sent.blocks.iter().flat_map(|block| &block.events) {
            let is_new = self.events.insert(event.number);
            self.note("an event in two blocks", !is_new);
            self.note("an event now", event.ticks_ago == 0);
            self.note("an event ago", event.ticks_ago > 0);
            self.note("an event number above 127", event.number > 127);
            self.note("an event without a payload", event.payload.is_empty());
            self.note(
                "an event payload of more than 15 bytes",
                event.payload.len() > 15,
            );
        }
    }
}
