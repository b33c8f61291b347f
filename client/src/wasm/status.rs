//! What a session says of itself: where it stands, who it is, and how well it does.

use super::session::WasmClient;
use crate::client::Phase;
use wasm_bindgen::prelude::wasm_bindgen;

/// Where the session stands.
#[wasm_bindgen]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PhaseKind {
    /// Not yet in the room.
    Connecting = 0,
    /// In the room, and the link is alive.
    Playing = 1,
    /// Was in the room, and tries to come back.
    Reconnecting = 2,
    /// Over; `close_code` and `close_reason` say why.
    Closed = 3,
}

/// What the session says of itself.
#[wasm_bindgen]
impl WasmClient {
    /// Where the session stands.
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

    /// Why it is over; 0 if it is not.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn close_code(&self) -> u16 {
        match self.client.phase() {
            Phase::Closed { code, .. } => *code,
            _ => 0,
        }
    }

    /// Why it is over, for people.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn close_reason(&self) -> String {
        match self.client.phase() {
            Phase::Closed { reason, .. } => reason.clone(),
            _ => String::new(),
        }
    }

    /// Why there is no connection, for people; empty: there is one, or nobody said why.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn trouble(&self) -> String {
        self.client.trouble().to_owned()
    }

    /// The session's number in the room.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn session(&self) -> u32 {
        self.client.session()
    }

    /// The player's entity: its kind in the upper 8 bits, its slot below. 0: none.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn player_id(&self) -> u32 {
        self.client
            .entity()
            .map_or(0, |id| u32::from(id.kind.0) << 24 | id.slot)
    }

    /// The player's slot; none for spectators.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn player_slot(&self) -> Option<u32> {
        self.client.entity().map(|id| id.slot)
    }

    /// The player's name as the server has it.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn name(&self) -> String {
        self.client.name().to_owned()
    }

    /// The room's name.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn room(&self) -> String {
        self.client.room().to_owned()
    }

    /// Whether this session only watches.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn is_spectator(&self) -> bool {
        self.client.is_spectator()
    }

    /// Whether this module has the server's rules. If not, a newer page is to be had.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn is_predicting(&self) -> bool {
        self.client.is_predicting()
    }

    /// The tick of the newest snapshot.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn tick(&self) -> u32 {
        self.client.newest_snapshot().0.0
    }

    /// Entities in the view.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn entities(&self) -> usize {
        self.client.replica().map_or(0, |replica| {
            replica
                .cells()
                .map(|(cell, _)| replica.rows(cell).len())
                .sum()
        })
    }

    /// The newest round trip.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn rtt_ms(&self) -> f64 {
        self.client.rtt_ms().newest().unwrap_or_default()
    }

    /// The 99th percentile of the arrivals' jitter.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn jitter_ms(&self) -> f64 {
        self.client.jitter_ms()
    }

    /// By how many ticks the newest inputs came earlier than needed.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn margin_ticks(&self) -> f64 {
        self.client.margin_ticks().newest().unwrap_or_default()
    }

    /// How far the shown moment is behind the quickest arrival.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn interpolation_delay_ms(&self) -> f64 {
        self.client.interpolation_delay_ms().unwrap_or_default()
    }

    /// The newest snapshot's arrival minus its tick's due time; never below 0, although the two clocks agree only nearly.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn snapshot_age_ms(&self) -> f64 {
        self.client.age_ms().newest().unwrap_or_default().max(0.0)
    }

    /// The newest gap between two snapshots; in a stall, the one that has not ended yet.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn snapshot_gap_ms(&self) -> f64 {
        let newest = self.client.gap_ms().newest().unwrap_or_default();
        let open = self.looked_at.since(self.client.newest_snapshot().1);
        newest.max(open.as_millis())
    }

    /// Predictions that the server corrected.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn corrections(&self) -> f64 {
        self.client.prediction_stats().corrections as f64
    }

    /// View hashes that did not match.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn view_mismatches(&self) -> f64 {
        self.client.counters().view_mismatches as f64
    }

    /// Messages that could not be read or applied.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn protocol_errors(&self) -> f64 {
        self.client.counters().protocol_errors as f64
    }

    /// All message bytes received.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn bytes_in(&self) -> f64 {
        self.client.counters().bytes_in as f64
    }

    /// All message bytes sent.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn bytes_out(&self) -> f64 {
        self.client.counters().bytes_out as f64
    }
}
