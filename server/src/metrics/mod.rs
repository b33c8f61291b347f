//! Every metric of the server, as handles that are resolved once.
//!
//! Whoever counts gets the one [`Metrics`] and touches a field: an atomic add, no look-up, no lock,
//! no allocation; fit for the tick. [`Metrics::render`] makes the text for `/metrics`
//! (Prometheus text format 0.0.4). Names are those of the contract and never change their meaning.

mod labels;
mod process;

pub(crate) use labels::labels;
pub use labels::{ByLabel, Label};

use prometheus::{Encoder, Histogram, HistogramOpts, IntCounter, IntGauge, Registry, TextEncoder};

use crate::close::Disconnect;
use crate::net::violation::ProtocolError;
use labels::{counters, histograms, register};
use process::Process;

/// Something is wrong with the metrics themselves: a bug, found when the server starts.
#[derive(Debug, thiserror::Error)]
#[error("metrics can't be set up or rendered: {0}")]
pub struct MetricsError(#[from] prometheus::Error);

labels! {
    /// What became of a TCP connection to the game port.
    pub enum ConnectionOutcome {
        /// It became a WebSocket.
        Accepted = "accepted",
        /// It was refused: `--max-connections` (HTTP 503).
        Full = "full",
        /// It was refused: `--max-connections-per-ip` (HTTP 429).
        PerIp = "per_ip",
        /// It was refused: draining (HTTP 503).
        Draining = "draining",
        /// Its `Origin` is not allowed (HTTP 403).
        Origin = "origin",
        /// Its WebSocket handshake was malformed, or asked for another subprotocol (HTTP 400, 426).
        BadHandshake = "bad_handshake",
        /// It spoke no HTTP, or no TLS.
        Garbled = "garbled",
        /// It asked for nothing within `--handshake-timeout`.
        Timeout = "timeout",
    }
}

labels! {
    /// What became of an attempt to resume a session.
    pub enum ResumeOutcome {
        /// The session went on.
        Resumed = "resumed",
        /// The resume window had passed, or the room has ended.
        Expired = "expired",
        /// The token is unknown.
        Unknown = "unknown",
    }
}

labels! {
    /// The parts of a tick.
    pub enum Phase {
        /// Inputs are taken from their buffers.
        Input = "input",
        /// The game's step.
        Step = "step",
        /// The frame is written, and sorted into cells.
        Publish = "publish",
        /// Blocks that all are sure to want are encoded.
        Encode = "encode",
        /// Snapshots are assembled and written, and blocks encoded that only few want.
        Send = "send",
    }
}

labels! {
    /// Why a client's snapshot waited.
    pub enum Deferred {
        /// Its window was full.
        Window = "window",
        /// Its socket would have blocked.
        Socket = "socket",
        /// The room was late for the second time running, and showed only the newest of its late ticks.
        Late = "late",
    }
}

labels! {
    /// What became of an input.
    pub enum InputOutcome {
        /// It was applied at its tick.
        Applied = "applied",
        /// It came after its tick.
        Late = "late",
        /// None had come: the last one was repeated.
        Repeated = "repeated",
        /// More came than there are ticks.
        Flooded = "flooded",
        /// The game or the protocol refused it.
        Rejected = "rejected",
    }
}

labels! {
    /// What became of a shot.
    pub enum ShotOutcome {
        /// It hit.
        Hit = "hit",
        /// It missed.
        Miss = "miss",
        /// Its claimed view was outside of what is believed, and was clamped; it counts as a hit or a miss too.
        Clamped = "clamped",
        /// It was refused.
        Rejected = "rejected",
    }
}

labels! {
    /// A message's way between nodes.
    pub enum Direction {
        /// To other nodes.
        Sent = "sent",
        /// From other nodes.
        Received = "received",
    }
}

/// Seconds; a tick at 60 Hz has 16.7 ms.
const TICK_BUCKETS: &[f64] = &[
    1e-6, 2e-6, 5e-6, 10e-6, 20e-6, 50e-6, 100e-6, 200e-6, 500e-6, 1e-3, 2e-3, 4e-3, 8e-3, 12e-3,
    16e-3, 25e-3, 50e-3,
];
/// Seconds after the tick's due time.
const LATENESS_BUCKETS: &[f64] = &[
    10e-6, 20e-6, 50e-6, 100e-6, 200e-6, 500e-6, 1e-3, 2e-3, 5e-3, 10e-3, 20e-3, 50e-3, 0.1, 0.2,
    0.5, 1.0,
];
/// Seconds there and back.
const RTT_BUCKETS: &[f64] = &[
    1e-3, 2e-3, 5e-3, 10e-3, 20e-3, 30e-3, 50e-3, 75e-3, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.0,
];
/// Seconds into the past; 250 ms is the most that is believed.
const REWIND_BUCKETS: &[f64] = &[
    5e-3, 10e-3, 20e-3, 30e-3, 50e-3, 75e-3, 0.1, 0.125, 0.15, 0.175, 0.2, 0.225, 0.25,
];

/// Every metric. Fields are named like the metrics.
#[derive(Debug)]
#[allow(
    missing_docs,
    reason = "each field's meaning is its metric's help text, below"
)]
pub struct Metrics {
    registry: Registry,
    pub rooms: IntGauge,
    pub players: IntGauge,
    pub sessions: IntGauge,
    pub entities: IntGauge,
    pub connections: IntGauge,
    pub connections_total: ByLabel<ConnectionOutcome, IntCounter>,
    pub disconnects: ByLabel<Disconnect, IntCounter>,
    pub resumes: ByLabel<ResumeOutcome, IntCounter>,
    pub protocol_errors: ByLabel<ProtocolError, IntCounter>,
    pub received_bytes: IntCounter,
    pub sent_bytes: IntCounter,
    pub ticks: IntCounter,
    pub ticks_skipped: IntCounter,
    pub tick_duration: Histogram,
    pub tick_lateness: Histogram,
    pub phase: ByLabel<Phase, Histogram>,
    pub snapshots_sent: IntCounter,
    pub snapshot_bytes: IntCounter,
    pub snapshots_deferred: ByLabel<Deferred, IntCounter>,
    pub cells_held: IntCounter,
    /// Events that a crowded cell had no place for.
    pub events_dropped: IntCounter,
    pub blocks_encoded: IntCounter,
    pub blocks_reused: IntCounter,
    pub inputs: ByLabel<InputOutcome, IntCounter>,
    pub rtt: Histogram,
    pub rewind: Histogram,
    pub shots: ByLabel<ShotOutcome, IntCounter>,
    pub view_mismatches: IntCounter,
    pub cluster_nodes: IntGauge,
    pub cluster_rooms: IntGauge,
    pub cluster_messages: ByLabel<Direction, IntCounter>,
    pub cluster_bytes: ByLabel<Direction, IntCounter>,
    pub cluster_errors: IntCounter,
}

impl Metrics {
    /// All metrics at zero, in a registry of their own (so that tests may have several).
    ///
    /// # Errors
    /// If two metrics have one name: a bug that any start shows.
    #[rustfmt::skip] // A table: one line a metric reads better than six.
    pub fn new() -> Result<Self, MetricsError> {
        let registry = Registry::new();
        let r = &registry;
        let counter = |name, help| register(r, IntCounter::new(name, help));
        let gauge = |name, help| register(r, IntGauge::new(name, help));
        let seconds = |name: &str, help: &str, buckets: &[f64]| {
            HistogramOpts::new(name, help).buckets(buckets.to_vec())
        };
        let histogram = |name: &str, help: &str, buckets: &[f64]| {
            register(r, Histogram::with_opts(seconds(name, help, buckets)))
        };
        let metrics = Self {
            rooms: gauge("tickwire_rooms", "Rooms that this node runs.")?,
            players: gauge("tickwire_players", "Players in the rooms, connected ones only.")?,
            sessions: gauge("tickwire_sessions", "Sessions, with those that wait to be resumed.")?,
            entities: gauge("tickwire_entities", "Entities in all rooms.")?,
            connections: gauge("tickwire_connections", "Open WebSocket connections.")?,
            connections_total: counters(r, "tickwire_connections_total", "Connections to the game port, by what became of them.", "outcome")?,
            disconnects: counters(r, "tickwire_disconnects_total", "WebSocket connections that ended, by reason.", "reason")?,
            resumes: counters(r, "tickwire_resumes_total", "Attempts to resume a session, by outcome.", "outcome")?,
            protocol_errors: counters(r, "tickwire_protocol_errors_total", "What peers got wrong, by kind.", "kind")?,
            received_bytes: counter("tickwire_received_bytes_total", "Bytes of WebSocket frames received, before TLS.")?,
            sent_bytes: counter("tickwire_sent_bytes_total", "Bytes that the kernel took from us for WebSocket connections, after TLS.")?,
            ticks: counter("tickwire_ticks_total", "Ticks of all rooms.")?,
            ticks_skipped: counter("tickwire_ticks_skipped_total", "Ticks that were skipped because their room was late.")?,
            tick_duration: histogram("tickwire_tick_duration_seconds", "How long a room's tick took.", TICK_BUCKETS)?,
            tick_lateness: histogram("tickwire_tick_lateness_seconds", "How long after its due time a tick began.", LATENESS_BUCKETS)?,
            phase: histograms(r, seconds("tickwire_phase_seconds", "How long each part of a room's tick took.", TICK_BUCKETS), "phase")?,
            snapshots_sent: counter("tickwire_snapshots_sent_total", "Snapshots handed to the kernel.")?,
            snapshot_bytes: counter("tickwire_snapshot_bytes_total", "Bytes of the snapshots sent, without framing.")?,
            snapshots_deferred: counters(r, "tickwire_snapshots_deferred_total", "Snapshots that waited; the next one spans the gap.", "reason")?,
            events_dropped: counter("tickwire_events_dropped_total", "Events that a cell did not show, as it had more of one tick than it can; the oldest of them.")?,
            cells_held: counter("tickwire_cells_held_total", "Changed cells that snapshots left out, as the line does not carry all; far ones above all.")?,
            blocks_encoded: counter("tickwire_blocks_encoded_total", "Blocks that were encoded.")?,
            blocks_reused: counter("tickwire_blocks_reused_total", "Blocks that were sent again, to a further client, without encoding.")?,
            inputs: counters(r, "tickwire_inputs_total", "Inputs, by what became of them.", "outcome")?,
            rtt: histogram("tickwire_rtt_seconds", "Round trips, measured by WebSocket ping and pong.", RTT_BUCKETS)?,
            rewind: histogram("tickwire_rewind_seconds", "How far into the past shots were judged.", REWIND_BUCKETS)?,
            shots: counters(r, "tickwire_shots_total", "Shots that hit or missed; those of them whose claimed view was clamped are counted as clamped too.", "outcome")?,
            view_mismatches: counter("tickwire_view_mismatches_total", "Replicas that disagreed with the server. Must stay 0.")?,
            cluster_nodes: gauge("tickwire_cluster_nodes", "Nodes of the cluster that this node sees, itself included; 0 without a cluster.")?,
            cluster_rooms: gauge("tickwire_cluster_edge_rooms", "Rooms of other nodes that this node serves as an edge.")?,
            cluster_messages: counters(r, "tickwire_cluster_messages_total", "Messages between nodes.", "direction")?,
            cluster_bytes: counters(r, "tickwire_cluster_bytes_total", "Bytes between nodes.", "direction")?,
            cluster_errors: counter("tickwire_cluster_errors_total", "Failures to reach the cluster.")?,
            registry: registry.clone(),
        };
        registry.register(Box::new(Process::new()))?;
        Ok(metrics)
    }

    /// The text for Prometheus, and its content type.
    ///
    /// # Errors
    /// If a metric can't be written as text: a bug.
    pub fn render(&self) -> Result<(Vec<u8>, String), MetricsError> {
        let encoder = TextEncoder::new();
        let mut text = Vec::with_capacity(32 * 1024);
        encoder.encode(&self.registry.gather(), &mut text)?;
        Ok((text, encoder.format_type().to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_of_the_contract_shows_from_the_start() {
        let metrics = Metrics::new().unwrap();
        metrics.disconnects.get(Disconnect::TooBig).inc();
        let (text, content_type) = metrics.render().unwrap();
        let text = String::from_utf8(text).unwrap();
        assert!(content_type.contains("version=0.0.4"), "{content_type}");
        for line in [
            "tickwire_players 0",
            "tickwire_sessions 0",
            "tickwire_connections 0",
            r#"tickwire_connections_total{outcome="accepted"} 0"#,
            r#"tickwire_disconnects_total{reason="too_big"} 1"#,
            r#"tickwire_disconnects_total{reason="lost"} 0"#,
            r#"tickwire_resumes_total{outcome="resumed"} 0"#,
            "tickwire_ticks_total 0",
            "tickwire_ticks_skipped_total 0",
            "tickwire_tick_duration_seconds_count 0",
            "tickwire_tick_lateness_seconds_count 0",
            r#"tickwire_phase_seconds_count{phase="encode"} 0"#,
            "tickwire_entities 0",
            "tickwire_snapshots_sent_total 0",
            "tickwire_snapshot_bytes_total 0",
            r#"tickwire_snapshots_deferred_total{reason="window"} 0"#,
            "tickwire_blocks_encoded_total 0",
            "tickwire_blocks_reused_total 0",
            r#"tickwire_inputs_total{outcome="repeated"} 0"#,
            "tickwire_rtt_seconds_count 0",
            "tickwire_rewind_seconds_count 0",
            r#"tickwire_shots_total{outcome="hit"} 0"#,
            "tickwire_view_mismatches_total 0",
            r#"tickwire_protocol_errors_total{kind="unmasked"} 0"#,
            "tickwire_cluster_nodes 0",
        ] {
            assert!(text.lines().any(|l| l == line), "missing: {line}\n{text}");
        }
        assert!(text.contains("process_open_fds"), "no process metrics");
    }
}
