//! One step of a case, as the file writes it.

use serde::Serialize;
use tickwire_sync::RowKey;
use tickwire_sync::client::Replica;
use tickwire_sync::frame::Frame;

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// One snapshot, with the messages that come right before it, and what a client must have after it.
#[derive(Serialize)]
pub struct Step {
    pub note: &'static str,
    pub plain: Vec<String>,
    pub packed: Vec<String>,
    /// What the client does: `applied`, `resync` (finds that it cannot be right) or `ignored` (awaits a full snapshot).
    pub outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<After>,
}

/// The header's values, and the whole view after the snapshot.
#[derive(Serialize, PartialEq)]
pub struct After {
    pub tick: u32,
    pub applied_seq: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_margin: Option<i32>,
    pub starved_inputs: u32,
    pub owned: Vec<OwnedRow>,
    /// Events received for the first time, in the order of the blocks.
    pub events: Vec<Event>,
    pub cells: Vec<Cell>,
    /// The rows to show, where cells stand at different ticks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub visible: Option<Vec<VisibleRow>>,
    pub view_hash: String,
}

/// Which of an entity's rows to show: the one that it had at this tick.
#[derive(Serialize, PartialEq)]
pub struct VisibleRow {
    pub kind: u8,
    pub slot: u32,
    pub generation: u32,
    pub tick: u32,
    pub lanes: Vec<i32>,
}

#[derive(Serialize, PartialEq)]
pub struct OwnedRow {
    pub kind: u8,
    pub slot: u32,
    pub generation: u32,
    pub lanes: Vec<i32>,
}

#[derive(Serialize, PartialEq)]
pub struct Event {
    pub number: u32,
    pub tick: u32,
    pub kind: u32,
    pub payload: String,
}

#[derive(Serialize, PartialEq)]
pub struct Cell {
    pub cell: u32,
    pub tick: u32,
    pub rows: Vec<Row>,
}

#[derive(Serialize, PartialEq)]
pub struct Row {
    pub kind: u8,
    pub slot: u32,
    pub generation: u32,
    pub lanes: Vec<i32>,
    pub texts: Vec<String>,
}

/// What Tickwire's own client shows, by kind and slot; `None` if all cells stand at the newest tick, so that every row is shown.
pub fn visible_rows(replica: &Replica) -> Option<Vec<VisibleRow>> {
    if replica.cells().all(|(_, tick)| tick == replica.tick()) {
        return None;
    }
    let rows = replica.visible_rows();
    let mut visible: Vec<VisibleRow> = rows
        .iter()
        .map(|(row, tick, _)| VisibleRow {
            kind: row.id.kind.0,
            slot: row.id.slot,
            generation: row.id.generation,
            tick: tick.0,
            lanes: row.lanes.to_vec(),
        })
        .collect();
    visible.sort_unstable_by_key(|row| (row.kind, row.slot));
    Some(visible)
}

pub fn row(frame: &Frame, key: RowKey) -> Row {
    let id = frame.id(key).unwrap();
    Row {
        kind: id.kind.0,
        slot: id.slot,
        generation: id.generation,
        lanes: frame.lanes(key).collect(),
        texts: frame.texts(key).map(str::to_owned).collect(),
    }
}
