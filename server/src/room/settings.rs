//! The settings that all rooms of a server share.

use crate::moderation::Moderation;
use std::sync::Arc;
use std::time::Duration;
use tickwire_sync::bench_policies::{ViewPolicy, WindowPolicy};

/// The settings of a room.
#[derive(Clone, Debug)]
pub struct RoomSettings {
    /// The SHA-256 of the rules module that the server serves, for `Welcome`; `None` if it serves none.
    pub rules_module: Option<[u8; 32]>,
    /// Who is banned, and who is muted.
    pub moderation: Arc<Moderation>,
    /// Ticks per second.
    pub tick_rate: u32,
    /// Sessions that a room takes.
    pub max_players: usize,
    /// How long a session waits for its player.
    pub resume_window: Duration,
    /// The longest message that a client may send; `Welcome` tells clients.
    pub max_message_bytes: usize,
    /// Whether every snapshot carries the view hash; else one a second does.
    pub hash_every_snapshot: bool,
    /// How far into the past a shot may be judged.
    pub max_rewind: Duration,
    /// How clients' claims about their screens are resolved. Only benches change the default.
    pub view_policy: ViewPolicy,
    /// Whether the congestion window defers snapshots. Only benches change the default.
    pub window_policy: WindowPolicy,
}
