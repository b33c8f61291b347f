//! Every metric of the server, as handles that are resolved once.
//!
//! In: counts from everywhere; code that counts holds the one [`Metrics`] and touches a field, which is an atomic add without a
//! look-up, a lock or an allocation, so it is fit for the tick. Out: the text for `/metrics` (Prometheus text format 0.0.4).
//! Names of metrics and labels never change their meaning.

mod by_label;
mod process;

pub use by_label::ByLabel;

use prometheus::core::Collector;
use prometheus::{Encoder, Histogram, HistogramOpts, IntCounter, IntGauge, Registry, TextEncoder};

use crate::close::DisconnectReason;
use crate::labels::{Label, labels};
use by_label::{counters, histograms, register};
use process::ProcessMetrics;

/// The metrics themselves are wrong: a bug, found when the server starts.
#[derive(Debug, thiserror::Error)]
#[error("metrics can't be set up or rendered: {0}")]
pub struct MetricsError(#[from] prometheus::Error);

labels! {
    /// The result of a TCP connection to the game port.
    pub enum ConnectionOutcome {
        /// The connection became a WebSocket.
        Accepted = "accepted",
        /// Refused: `--max-connections` are open (HTTP 503).
        Full = "full",
        /// Refused: `--max-connections-per-ip` are open (HTTP 429).
        PerIp = "per_ip",
        /// Refused: the server drains (HTTP 503).
        Draining = "draining",
        /// Refused: the `Origin` is not allowed (HTTP 403).
        Origin = "origin",
        /// Refused: the WebSocket handshake is malformed, or asks for another subprotocol (HTTP 400, 426).
        BadHandshake = "bad_handshake",
        /// The peer spoke no HTTP, or no TLS.
        Garbled = "garbled",
        /// The peer asked for nothing within `--handshake-timeout`.
        Timeout = "timeout",
    }
}

labels! {
    /// The result of an attempt to resume a session.
    pub enum ResumeOutcome {
        /// The session goes on.
        Resumed = "resumed",
        /// The resume window has passed, or the room has ended.
        Expired = "expired",
        /// The token belongs to no session, or to another player's.
        Unknown = "unknown",
    }
}

labels! {
    /// The result of a `POST /match`.
    pub enum MatchOutcome {
        /// A seat in a room that there was.
        Joined = "joined",
        /// A seat in a new room.
        Created = "created",
        /// There is no such room, or none with a seat (HTTP 404, 409).
        None = "none",
        /// There are too many rooms, in all or of the address (HTTP 429, 503).
        Full = "full",
        /// Refused: the address asks too often (HTTP 429).
        Rate = "rate",
        /// Refused: the `Origin` is not allowed (HTTP 403).
        Origin = "origin",
        /// Refused: the server drains (HTTP 503).
        Draining = "draining",
        /// Not a request for a match (HTTP 400, 405, 408, 413).
        Bad = "bad",
    }
}

labels! {
    /// What became of messages between rooms.
    pub enum RoomMessageOutcome {
        /// A game sent one.
        Sent = "sent",
        /// A room of this node got one.
        Delivered = "delivered",
        /// It was too long, too many waited, or the other nodes could not be told.
        Dropped = "dropped",
    }
}

labels! {
    /// What operators did against players, and what it kept out: the `event` of `tickwire_moderation_total`.
    pub enum ModerationEvent {
        /// A call of `/kick` that ended a session.
        Kick = "kick",
        /// A call of `/mute`.
        Mute = "mute",
        /// A call of `/ban`.
        Ban = "ban",
        /// A ban or mute was lifted.
        Lift = "lift",
        /// A banned player was kept out.
        BannedJoin = "banned_join",
        /// A line of a muted player's chat was dropped.
        MutedLine = "muted_line",
    }
}

labels! {
    /// The result of a `GET /rooms`.
    pub enum RoomListOutcome {
        /// The list was sent.
        Sent = "sent",
        /// The client has it already (HTTP 304).
        Unchanged = "unchanged",
        /// Refused: the address asks too often (HTTP 429).
        Rate = "rate",
        /// Not a request for a list (HTTP 400, 405).
        Bad = "bad",
    }
}

labels! {
    /// What became of a reservation that a `Hello` carried.
    pub enum ReservationOutcome {
        /// Its player got the seat.
        Used = "used",
        /// It was used before, has expired, or never was.
        Refused = "refused",
    }
}

labels! {
    /// What the join hook said: the `outcome` of `tickwire_join_hook_total`.
    pub enum JoinHookOutcome {
        /// The player may join.
        Admitted = "admitted",
        /// The player is refused.
        Refused = "refused",
        /// No answer came, or one that means nothing.
        Failed = "failed",
        /// Too many questions were under way to ask another.
        Busy = "busy",
    }
}

labels! {
    /// A call to the SDK server of Agones: the `outcome` of `tickwire_agones_calls_total`.
    pub enum AgonesOutcome {
        /// It was told that the server is ready.
        Ready = "ready",
        /// It was told that the server is healthy.
        Health = "health",
        /// It was told that the server is at its end.
        Shutdown = "shutdown",
        /// It did not answer, or refused.
        Failed = "failed",
    }
}

labels! {
    /// The phases of a tick.
    pub enum TickPhase {
        /// Inputs are read from the connections and taken from their buffers.
        Input = "input",
        /// The game's step.
        Step = "step",
        /// The frame is written and sorted into cells.
        Publish = "publish",
        /// Blocks that many clients are sure to need are encoded.
        Encode = "encode",
        /// Snapshots are assembled and sent; blocks that only few clients need are encoded.
        Send = "send",
    }
}

labels! {
    /// Why a client's snapshot was deferred.
    pub enum DeferReason {
        /// Its congestion window was full.
        CongestionWindow = "window",
        /// Its socket would have blocked.
        Socket = "socket",
        /// The room was late for the second time running, and sent only the newest of its late ticks.
        Late = "late",
    }
}

labels! {
    /// What happened to an input.
    pub enum InputOutcome {
        /// Applied at its tick.
        Applied = "applied",
        /// Arrived after its tick.
        Late = "late",
        /// None had arrived, so the last one was repeated.
        Repeated = "repeated",
        /// More arrived than there are ticks.
        Flooded = "flooded",
        /// The game or the protocol refused it.
        Rejected = "rejected",
    }
}

labels! {
    /// The result of a shot.
    pub enum ShotOutcome {
        /// The shot hit.
        Hit = "hit",
        /// The shot missed.
        Miss = "miss",
        /// The claimed view was not plausible and was clamped; the shot counts as a hit or a miss too.
        Clamped = "clamped",
    }
}

labels! {
    /// What a peer got wrong: the `kind` of `tickwire_protocol_errors_total`.
    pub enum ProtocolErrorKind {
        /// An unmasked frame.
        Unmasked = "unmasked",
        /// Reserved bits or opcode, or a malformed length.
        Frame = "frame",
        /// A control frame that is fragmented or too long.
        Control = "control",
        /// Fragments in the wrong order.
        Fragmentation = "fragmentation",
        /// A malformed close frame.
        Close = "close",
        /// Invalid UTF-8.
        Utf8 = "utf8",
        /// Text where only binary is allowed.
        Text = "text",
        /// A message over the limit.
        TooBig = "too_big",
        /// More messages than a client needs, after a warning.
        Flood = "flood",
        /// Bytes that are not a `ClientMessage`, or one with impossible contents.
        Malformed = "malformed",
        /// A message at the wrong time.
        Order = "order",
    }
}

/// In seconds; a tick at 60 Hz lasts 16.7 ms.
const TICK_BUCKETS: &[f64] = &[
    1e-6, 2e-6, 5e-6, 10e-6, 20e-6, 50e-6, 100e-6, 200e-6, 500e-6, 1e-3, 2e-3, 4e-3, 8e-3, 12e-3,
    16e-3, 25e-3, 50e-3,
];
/// In seconds after the tick's due time.
const LATENESS_BUCKETS: &[f64] = &[
    10e-6, 20e-6, 50e-6, 100e-6, 200e-6, 500e-6, 1e-3, 2e-3, 5e-3, 10e-3, 20e-3, 50e-3, 0.1, 0.2,
    0.5, 1.0,
];
/// In seconds, there and back.
const RTT_BUCKETS: &[f64] = &[
    1e-3, 2e-3, 5e-3, 10e-3, 20e-3, 30e-3, 50e-3, 75e-3, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.0,
];
/// In seconds into the past; the default of `--max-rewind` is 250 ms.
const REWIND_BUCKETS: &[f64] = &[
    5e-3, 10e-3, 20e-3, 30e-3, 50e-3, 75e-3, 0.1, 0.125, 0.15, 0.175, 0.2, 0.225, 0.25,
];

/// Every metric; fields are named like the metrics.
#[derive(Debug)]
#[allow(
    missing_docs,
    reason = "each field's meaning is its metric's help text, below"
)]
pub struct Metrics {
    registry: Registry,
    pub ready: IntGauge,
    pub rooms: IntGauge,
    pub rooms_failed: IntCounter,
    pub players: IntGauge,
    pub sessions: IntGauge,
    pub entities: IntGauge,
    pub connections: IntGauge,
    pub connections_total: ByLabel<ConnectionOutcome, IntCounter>,
    pub disconnects: ByLabel<DisconnectReason, IntCounter>,
    pub resumes: ByLabel<ResumeOutcome, IntCounter>,
    pub protocol_errors: ByLabel<ProtocolErrorKind, IntCounter>,
    pub matches: ByLabel<MatchOutcome, IntCounter>,
    pub room_lists: ByLabel<RoomListOutcome, IntCounter>,
    pub reservations: ByLabel<ReservationOutcome, IntCounter>,
    pub moderation: ByLabel<ModerationEvent, IntCounter>,
    pub room_messages: ByLabel<RoomMessageOutcome, IntCounter>,
    pub join_hook: ByLabel<JoinHookOutcome, IntCounter>,
    pub agones: ByLabel<AgonesOutcome, IntCounter>,
    pub received_bytes: IntCounter,
    pub sent_bytes: IntCounter,
    pub ticks: IntCounter,
    pub ticks_skipped: IntCounter,
    pub tick_duration: Histogram,
    pub tick_lateness: Histogram,
    pub phase: ByLabel<TickPhase, Histogram>,
    pub snapshots_sent: IntCounter,
    pub snapshot_bytes: IntCounter,
    pub snapshots_deferred: ByLabel<DeferReason, IntCounter>,
    pub cells_deferred: IntCounter,
    pub events_dropped: IntCounter,
    pub blocks_encoded: IntCounter,
    pub blocks_reused: IntCounter,
    pub inputs: ByLabel<InputOutcome, IntCounter>,
    pub rtt: Histogram,
    pub rewind: Histogram,
    pub shots: ByLabel<ShotOutcome, IntCounter>,
    pub view_mismatches: IntCounter,
}

impl Metrics {
    /// All metrics at zero, in a registry of their own, so that tests can have several.
    ///
    /// # Errors
    /// If two metrics have the same name: a bug that any start shows.
    #[rustfmt::skip] // A table: one line for each metric reads better than six.
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
            ready: gauge("tickwire_ready", "Whether new players are welcome, as /readyz says: 1 or 0.")?,
            rooms: gauge("tickwire_rooms", "Rooms that run.")?,
            rooms_failed: counter("tickwire_rooms_failed_total", "Rooms whose game panicked.")?,
            players: gauge("tickwire_players", "Connected players in all rooms.")?,
            sessions: gauge("tickwire_sessions", "Sessions in all rooms, those that wait to be resumed included.")?,
            entities: gauge("tickwire_entities", "Entities in all rooms.")?,
            connections: gauge("tickwire_connections", "Open WebSocket connections.")?,
            connections_total: counters(r, "tickwire_connections_total", "TCP connections to the game port, by outcome.", "outcome")?,
            disconnects: counters(r, "tickwire_disconnects_total", "WebSocket connections that ended, by reason.", "reason")?,
            resumes: counters(r, "tickwire_resumes_total", "Attempts to resume a session, by outcome.", "outcome")?,
            protocol_errors: counters(r, "tickwire_protocol_errors_total", "Protocol errors of peers, by kind.", "kind")?,
            matches: counters(r, "tickwire_matches_total", "Requests for a match (POST /match), by outcome.", "outcome")?,
            room_lists: counters(r, "tickwire_room_lists_total", "Requests for the list of rooms (GET /rooms of the game port), by outcome.", "outcome")?,
            reservations: counters(r, "tickwire_reservations_total", "Reservations that joining players gave, by outcome.", "outcome")?,
            moderation: counters(r, "tickwire_moderation_total", "Kicks, mutes, bans and lifts by operators; banned players kept out, and lines of muted ones dropped.", "event")?,
            room_messages: counters(r, "tickwire_room_messages_total", "Messages between rooms, by outcome.", "outcome")?,
            join_hook: counters(r, "tickwire_join_hook_total", "Questions to the join hook, by outcome.", "outcome")?,
            agones: counters(r, "tickwire_agones_calls_total", "Calls to the SDK server of Agones, by outcome.", "outcome")?,
            received_bytes: counter("tickwire_received_bytes_total", "Bytes of WebSocket frames received, before TLS.")?,
            sent_bytes: counter("tickwire_sent_bytes_total", "Bytes that the kernel took for WebSocket connections, after TLS.")?,
            ticks: counter("tickwire_ticks_total", "Ticks made, in all rooms.")?,
            ticks_skipped: counter("tickwire_ticks_skipped_total", "Ticks skipped because their room was late.")?,
            tick_duration: histogram("tickwire_tick_duration_seconds", "Duration of a room's tick.", TICK_BUCKETS)?,
            tick_lateness: histogram("tickwire_tick_lateness_seconds", "Time from a tick's due time to its start.", LATENESS_BUCKETS)?,
            phase: histograms(r, seconds("tickwire_phase_seconds", "Duration of each phase of a room's tick.", TICK_BUCKETS), "phase")?,
            snapshots_sent: counter("tickwire_snapshots_sent_total", "Snapshots that the kernel took.")?,
            snapshot_bytes: counter("tickwire_snapshot_bytes_total", "Bytes of the snapshots sent, without framing.")?,
            snapshots_deferred: counters(r, "tickwire_snapshots_deferred_total", "Snapshots not sent in their tick, by reason; the next snapshot spans the gap.", "reason")?,
            events_dropped: counter("tickwire_events_dropped_total", "Events dropped because a cell had more in one tick than a snapshot carries; the oldest go first.")?,
            cells_deferred: counter("tickwire_cells_deferred_total", "Changed cells left out of snapshots because the path cannot carry all of them; far cells first.")?,
            blocks_encoded: counter("tickwire_blocks_encoded_total", "Blocks encoded (misses of the block cache).")?,
            blocks_reused: counter("tickwire_blocks_reused_total", "Blocks sent to a further client without encoding (hits of the block cache).")?,
            inputs: counters(r, "tickwire_inputs_total", "Inputs, by outcome.", "outcome")?,
            rtt: histogram("tickwire_rtt_seconds", "Round-trip times, measured by WebSocket ping and pong.", RTT_BUCKETS)?,
            rewind: histogram("tickwire_rewind_seconds", "How far into the past shots were judged (lag compensation).", REWIND_BUCKETS)?,
            shots: counters(r, "tickwire_shots_total", "Shots that hit or missed; shots whose claimed view was clamped count as clamped too.", "outcome")?,
            view_mismatches: counter("tickwire_view_mismatches_total", "Client replicas whose view hash disagreed with the server. Must stay 0.")?,
            registry: registry.clone(),
        };
        registry.register(Box::new(ProcessMetrics::new()?))?;
        Ok(metrics)
    }

    /// Adds a metric that exists only where something can count it.
    ///
    /// # Errors
    /// If there is one of this name.
    pub(crate) fn add(&self, collector: Box<dyn Collector>) -> Result<(), MetricsError> {
        Ok(self.registry.register(collector)?)
    }

    /// Adds a counter, as [`Self::add`] does.
    pub(crate) fn add_counter(&self, name: &str, help: &str) -> Result<IntCounter, MetricsError> {
        Ok(register(&self.registry, IntCounter::new(name, help))?)
    }

    /// Adds a counter for each value of a label, as [`Self::add`] does.
    pub(crate) fn add_counters<L: Label>(
        &self,
        name: &str,
        help: &str,
        label: &str,
    ) -> Result<ByLabel<L, IntCounter>, MetricsError> {
        Ok(counters(&self.registry, name, help, label)?)
    }

    /// Adds a histogram with these buckets, as [`Self::add`] does.
    pub(crate) fn add_histogram(
        &self,
        name: &str,
        help: &str,
        buckets: &[f64],
    ) -> Result<Histogram, MetricsError> {
        let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
        Ok(register(&self.registry, Histogram::with_opts(options))?)
    }

    /// The text for Prometheus, and its content type.
    ///
    /// # Errors
    /// If a metric cannot be written as text: a bug.
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
    fn every_series_exists_from_the_first_scrape() {
        let metrics = Metrics::new().unwrap();
        metrics.disconnects.get(DisconnectReason::TooBig).inc();
        let (text, content_type) = metrics.render().unwrap();
        let text = String::from_utf8(text).unwrap();
        assert!(content_type.contains("version=0.0.4"), "{content_type}");
        for line in [
            "tickwire_ready 0",
            "tickwire_players 0",
            "tickwire_sessions 0",
            "tickwire_connections 0",
            r#"tickwire_connections_total{outcome="accepted"} 0"#,
            r#"tickwire_disconnects_total{reason="too_big"} 1"#,
            r#"tickwire_disconnects_total{reason="lost"} 0"#,
            r#"tickwire_disconnects_total{reason="banned"} 0"#,
            r#"tickwire_moderation_total{event="banned_join"} 0"#,
            r#"tickwire_room_messages_total{outcome="sent"} 0"#,
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
            r#"tickwire_shots_total{outcome="clamped"} 0"#,
            "tickwire_view_mismatches_total 0",
            r#"tickwire_protocol_errors_total{kind="unmasked"} 0"#,
            r#"tickwire_matches_total{outcome="created"} 0"#,
            r#"tickwire_room_lists_total{outcome="unchanged"} 0"#,
            r#"tickwire_reservations_total{outcome="refused"} 0"#,
        ] {
            assert!(text.lines().any(|l| l == line), "missing: {line}\n{text}");
        }
        assert!(text.contains("\nprocess_open_fds "), "no process metrics");
        assert!(!text.contains("tickwire_cluster_"), "nothing counts these");
    }
}
