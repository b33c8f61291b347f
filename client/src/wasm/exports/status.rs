//! Measurements of a session's connection.

use super::numbers::Numbers;
use crate::stats::RecentSamples;
use crate::wasm::client::WasmClient;
use wasm_bindgen::prelude::wasm_bindgen;

/// Measurements.
#[wasm_bindgen]
impl WasmClient {
    /// Inputs whose position was confirmed, and how many of these had first been predicted more than `bound` lane units away; then
    /// replays for neighbours' sake, and how many of these moved the newest position by more than `bound` lane units.
    #[must_use]
    pub fn prediction_errors(&self, bound: u32) -> Vec<u8> {
        let stats = self.client.prediction_stats();
        let mut numbers = Numbers::default();
        for errors in [&stats.input_errors, &stats.replay_errors] {
            numbers.push_all(&[errors.count() as f64, errors.beyond(bound) as f64]);
        }
        numbers.into_bytes()
    }
}

impl WasmClient {
    /// Measurements, in the order of the SDK's `Stats`. Ages are never negative, whatever the error of the clocks. During a stall, the
    /// gap between snapshots is the one that has not ended yet.
    pub(super) fn stats(&self) -> Vec<u8> {
        let client = &self.client;
        let newest = |samples: &RecentSamples| samples.newest().unwrap_or_default();
        let entities = client.replica().map_or(0, |replica| {
            let rows = |(cell, _)| replica.rows(cell).len();
            replica.cells().map(rows).sum()
        });
        let (tick, arrived_at) = client.newest_snapshot();
        let open_gap_ms = self.sampled_at.since(arrived_at).as_millis();
        let (prediction, counters) = (client.prediction_stats(), client.counters());
        let mut numbers = Numbers::default();
        numbers.push_all(&[
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
        ]);
        numbers.into_bytes()
    }
}
