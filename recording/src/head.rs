//! What a file says about itself: its head, and the marks in its index.

use crate::column::{Packed, unpack};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tickwire_sync::{PlayerId, Schema, Tick};

/// Counts up when older files can no longer be read.
pub(crate) const VERSION: u16 = 1;
/// The largest head that is read: one with a large map.
const MAX_HEAD_BYTES: usize = 64 << 20;

/// What a recording is about.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Head {
    /// The game's name.
    pub game: String,
    /// The schema, as a message of the protocol.
    pub schema: Vec<u8>,
    /// The hash of the game's rules.
    pub rules_hash: u64,
    /// The room's name.
    pub room: String,
    /// Ticks per second.
    pub tick_rate: u32,
    /// The room's newest tick when the recording began.
    pub tick: Tick,
    /// When the recording began, on the wall's clock: milliseconds since 1970.
    pub unix_ms: u64,
    /// When tick 0 was due, by the clock of the server's process, in microseconds.
    pub tick_zero_us: i64,
    /// The room's map, in the game's own encoding.
    pub map: Vec<u8>,
}

impl Head {
    pub(crate) fn to_payload(&self) -> Vec<u8> {
        let mut payload = VERSION.to_le_bytes().to_vec();
        // Serializing into memory cannot fail.
        let bytes = postcard::to_stdvec(self).unwrap_or_default();
        Packed::new(&bytes).append_to(&mut payload);
        payload
    }

    pub(crate) fn from_payload(payload: &[u8]) -> Result<(Self, Arc<Schema>), String> {
        let (version, rest) = payload.split_first_chunk().ok_or("the head is empty")?;
        let version = u16::from_le_bytes(*version);
        if version != VERSION {
            return Err(format!(
                "its format is version {version}, and this program reads version {VERSION}"
            ));
        }
        let bytes = unpack(rest, MAX_HEAD_BYTES).ok_or("the head cannot be unpacked")?;
        let head: Self = postcard::from_bytes(&bytes)
            .map_err(|error| format!("the head cannot be read: {error}"))?;
        let schema = <tickwire_proto::v1::Schema as prost::Message>::decode(&head.schema[..])
            .map_err(|error| format!("the schema cannot be read: {error}"))?;
        let schema = Schema::from_proto(&schema)
            .map_err(|error| format!("the schema cannot be used: {error}"))?;
        if head.tick_rate == 0 {
            return Err("its tick rate is 0".to_owned());
        }
        Ok((head, Arc::new(schema)))
    }
}

/// Something in a recording that a person looks for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Mark {
    /// When it happened.
    pub tick: Tick,
    /// What it is.
    pub kind: MarkKind,
    /// Whose it is.
    pub player: PlayerId,
}

/// What a mark marks.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum MarkKind {
    /// A player joined.
    Joined,
    /// A player left for good.
    Left,
    /// A shot hit.
    Hit,
    /// A shot missed.
    Miss,
    /// A client's replica disagreed with the server.
    Mismatch,
}
