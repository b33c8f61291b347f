//! What the SDK's debug overlay asks beside what every page reads: `web/src/sdk/debug/probe.ts` reads these lists.

use super::numbers::Numbers;
use crate::prediction::PredictedState;
use crate::wasm::client::WasmClient;

impl WasmClient {
    pub(super) fn debug_counters(&self) -> Vec<u8> {
        let counters = self.client.counters();
        let mut numbers = Numbers::default();
        numbers.push_all(&[
            counters.inputs as f64,
            counters.starved_inputs as f64,
            counters.snapshots as f64,
            counters.reconnects as f64,
        ]);
        numbers.into_bytes()
    }

    /// Origin, cell size, columns, rows and layers of the grid; how many kinds there are, and for each whether it has a position;
    /// then number and tick of each cell.
    pub(super) fn debug_world(&self) -> Vec<u8> {
        let Some(replica) = self.client.replica() else {
            return Vec::new();
        };
        let (grid, kinds) = (&replica.schema().grid, &replica.schema().kinds);
        let mut numbers = Numbers::default();
        numbers.push_all(&[
            f64::from(grid.origin.x),
            f64::from(grid.origin.y),
            f64::from(grid.cell_size),
            f64::from(grid.columns),
            f64::from(grid.rows),
            f64::from(grid.layers),
            kinds.len() as f64,
        ]);
        for kind in kinds {
            numbers.push(f64::from(u8::from(kind.placed)));
        }
        for (cell, tick) in replica.cells() {
            numbers.push_all(&[cell.0.into(), tick.0.into()]);
        }
        numbers.into_bytes()
    }

    /// Of each correction: tick, kind, slot, generation, cause, how far the newest position moved, length of the input, its bytes; then
    /// all lanes as predicted, and as corrected.
    pub(super) fn take_corrections(&mut self) -> Vec<u8> {
        let mut numbers = Numbers::default();
        while let Some(correction) = self.client.take_correction() {
            let PredictedState { id, tick, .. } = correction.corrected;
            numbers.push_all(&[
                f64::from(tick.0),
                f64::from(id.kind.0),
                f64::from(id.slot),
                f64::from(id.generation),
                f64::from(correction.cause as u8),
                correction.moved,
                correction.input.len() as f64,
            ]);
            for byte in correction.input {
                numbers.push(byte.into());
            }
            for state in [correction.predicted, correction.corrected] {
                for lanes in [state.lanes, state.private_lanes] {
                    for lane in lanes {
                        numbers.push(lane.into());
                    }
                }
            }
        }
        numbers.into_bytes()
    }
}
