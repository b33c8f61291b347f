//! Status of a session: its phase, its identity, and measurements of its connection.

use crate::client::Phase;
use crate::stats::RecentSamples;
use crate::wasm::client::WasmClient;
use wasm_bindgen::prelude::wasm_bindgen;

/// State of a session.
#[wasm_bindgen]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PhaseKind {
    /// Not yet in the room.
    Connecting = 0,
    /// In the room, over a live link.
    Playing = 1,
    /// Was in the room and tries to come back.
    Reconnecting = 2,
    /// Over for good; `close_code` and `trouble` say why.
    Closed = 3,
}

/// Status of the session.
#[wasm_bindgen]
impl WasmClient {
    /// State of the session.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn phase(&self) -> PhaseKind {
        match self.client.phase() {
            Phase::Connecting => PhaseKind::Connecting,
            Phase::Playing => PhaseKind::Playing,
            Phase::Reconnecting => PhaseKind::Reconnecting,
            Phase::Closed { .. } => PhaseKind::Closed,
        }
    }

    /// The close code of a session that is over; 0 before.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn close_code(&self) -> u16 {
        match self.client.phase() {
            Phase::Closed { code, .. } => *code,
            _ => 0,
        }
    }

    /// Whether the player's own entity is predicted. If not, [`Self::prediction_note`] says why.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn is_predicting(&self) -> bool {
        self.client.is_predicting()
    }

    /// Why the player's own entity is not predicted, for people; empty while it is, and where nothing is to predict.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn prediction_note(&self) -> String {
        self.client.prediction_note().unwrap_or_default().to_owned()
    }

    /// The number of the newest input made, as the server knows it: an event of the game may name the input that caused it.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn input_number(&self) -> u32 {
        self.client.input_seq()
    }

    /// Why the session is over, or why there is no connection, for people; empty if all is well or the reason is unknown.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn trouble(&self) -> String {
        match self.client.phase() {
            Phase::Closed { reason, .. } => reason.clone(),
            _ => self.client.last_error().to_owned(),
        }
    }

    /// Inputs whose position was confirmed, and how many of these had first been predicted more than `bound` lane units away; then
    /// replays for neighbours' sake, and how many of these moved the newest position by more than `bound` lane units.
    #[must_use]
    pub fn prediction_errors(&self, bound: u32) -> Vec<f64> {
        let stats = self.client.prediction_stats();
        [stats.input_errors, stats.replay_errors]
            .iter()
            .flat_map(|errors| [errors.count() as f64, errors.beyond(bound) as f64])
            .collect()
    }

    /// The tick of the newest snapshot; 0 before the first one.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn tick(&self) -> u32 {
        self.client.newest_snapshot().0.0
    }

    /// Measurements, in the order of the SDK's `Stats`. Ages are never negative, whatever the error of the clocks. During a stall, the
    /// gap between snapshots is the one that has not ended yet.
    #[must_use]
    pub fn stats(&self) -> Vec<f64> {
        let client = &self.client;
        let newest = |samples: &RecentSamples| samples.newest().unwrap_or_default();
        let entities = client.replica().map_or(0, |replica| {
            let rows = |(cell, _)| replica.rows(cell).len();
            replica.cells().map(rows).sum()
        });
        let (tick, arrived_at) = client.newest_snapshot();
        let open_gap_ms = self.sampled_at.since(arrived_at).as_millis();
        let (prediction, counters) = (client.prediction_stats(), client.counters());
        vec![
            f64::from(tick.0),
            entities as f64,
            newest(client.rtt_ms()),
            client.jitter_ms(),
            newest(client.input_margin_ticks()),
            client.interpolation_delay_ms().unwrap_or_default(),
            newest(client.snapshot_age_ms()).max(0.0),
            newest(client.snapshot_gap_ms()).max(open_gap_ms),
            prediction.inputs as f64,
            prediction.compared as f64,
            prediction.corrections as f64,
            counters.view_mismatches as f64,
            counters.protocol_errors as f64,
            counters.bytes_in as f64,
            counters.bytes_out as f64,
        ]
    }
}
