//! A checkpoint in bytes.
//!
//! Four bytes `TWCP`, the version of the format (2 bytes, little-endian), the SHA-256 of all that follows, the head, the state of the
//! room. Head and state are in postcard's format. A checkpoint of another version, or one that was damaged, is told apart before anything of
//! it is believed.

use ring::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use thiserror::Error;
use tickwire_game::Tags;
use tickwire_sync::Tick;

const MAGIC: &[u8; 4] = b"TWCP";
/// Counts up when older checkpoints can no longer be read.
const VERSION: u16 = 3;
/// The oldest version that is read. Its heads end before [`CheckpointHead::shown`], and those of version 2 before
/// [`CheckpointHead::delivered`].
const OLDEST_VERSION: u16 = 1;
const HASH_START: usize = MAGIC.len() + size_of::<u16>();
const BODY_START: usize = HASH_START + SHA256_OUTPUT_LEN;

/// What a checkpoint says of its room, beside the room's own state.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct CheckpointHead {
    /// The game's name.
    pub game: String,
    /// The hash of its rules. Another one does not mean that the game cannot read the state.
    pub rules_hash: u64,
    /// Counts up whenever the room is made again: of two checkpoints of a room, the one with the larger epoch is the newer one.
    pub epoch: u64,
    /// The number of the process that saved it, among those that had the store open.
    pub process: u64,
    /// The newest tick that the room has made.
    pub tick: Tick,
    /// Ticks per second.
    pub tick_rate: u32,
    /// When the state was saved, on the wall's clock: milliseconds since 1970.
    pub unix_ms: u64,
    /// How long after it the next checkpoint was to come, in milliseconds.
    pub interval_ms: u64,
    /// Whether nothing came after it, because the server ended in good order.
    pub is_last: bool,
    /// What the match that opened the room asked for.
    pub tags: Tags,
    /// How many players the room takes; `None`: `--max-players`.
    pub max_players: Option<u32>,
    /// The secret of a private room's invitation; `None`: the room is public.
    pub key: Option<[u8; 16]>,
    /// The address that the room counts under.
    pub opened_by: Option<IpAddr>,
    /// What clients know of the room, where the nodes of a cluster share their clock; `None`: the clock was the process's own.
    pub shown: Option<ShownToClients>,
    /// The number of the newest delivery of the cluster's bus that the room was given; 0: none, or there is no cluster.
    pub delivered: u64,
}

/// What clients have learned of a room with their `Welcome`. A room that goes on with the same goes on for them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct ShownToClients {
    /// When tick 0 of the room's clock was.
    pub tick_zero_us: i64,
    /// A hash of the schema.
    pub schema_hash: u64,
}

/// What heads of all versions begin with.
#[derive(Deserialize)]
struct HeadOfVersion1 {
    game: String,
    rules_hash: u64,
    epoch: u64,
    process: u64,
    tick: Tick,
    tick_rate: u32,
    unix_ms: u64,
    interval_ms: u64,
    is_last: bool,
    tags: Tags,
    max_players: Option<u32>,
    key: Option<[u8; 16]>,
    opened_by: Option<IpAddr>,
}

impl HeadOfVersion1 {
    fn with(self, shown: Option<ShownToClients>, delivered: u64) -> CheckpointHead {
        let head = self;
        CheckpointHead {
            game: head.game,
            rules_hash: head.rules_hash,
            epoch: head.epoch,
            process: head.process,
            tick: head.tick,
            tick_rate: head.tick_rate,
            unix_ms: head.unix_ms,
            interval_ms: head.interval_ms,
            is_last: head.is_last,
            tags: head.tags,
            max_players: head.max_players,
            key: head.key,
            opened_by: head.opened_by,
            shown,
            delivered,
        }
    }
}

/// Why a checkpoint cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub(crate) enum UnusableCheckpoint {
    /// The bytes are no checkpoint.
    #[error("it is no checkpoint")]
    Foreign,
    /// The checkpoint was written by a newer server, or by a very old one.
    #[error("its format is version {0}, and this server reads version {VERSION}")]
    Version(u16),
    /// The checkpoint was damaged.
    #[error("it is damaged: its checksum is wrong")]
    Checksum,
    /// The head is malformed, although nothing was damaged.
    #[error("its head cannot be read: {0}")]
    Head(String),
}

/// How long a checkpoint is whose head and state have so many bytes.
pub(crate) fn sealed_len(body: usize) -> usize {
    BODY_START + body
}

/// Writes a checkpoint with this head and state to `out`, which must have [`sealed_len`] bytes.
pub(crate) fn seal_into(body: &[u8], out: &mut [u8]) {
    out[..MAGIC.len()].copy_from_slice(MAGIC);
    out[MAGIC.len()..HASH_START].copy_from_slice(&VERSION.to_le_bytes());
    out[HASH_START..BODY_START].copy_from_slice(digest(&SHA256, body).as_ref());
    out[BODY_START..].copy_from_slice(body);
}

/// A checkpoint with this head and state.
pub(crate) fn seal(body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; sealed_len(body.len())];
    seal_into(body, &mut bytes);
    bytes
}

/// Reads a checkpoint: its head, and the state of its room.
///
/// # Errors
/// If it is of another version, or damaged.
pub(crate) fn open(bytes: &[u8]) -> Result<(CheckpointHead, &[u8]), UnusableCheckpoint> {
    let rest = bytes.strip_prefix(MAGIC);
    let (version, rest) =
        (rest.and_then(<[u8]>::split_first_chunk)).ok_or(UnusableCheckpoint::Foreign)?;
    let version = u16::from_le_bytes(*version);
    if !(OLDEST_VERSION..=VERSION).contains(&version) {
        return Err(UnusableCheckpoint::Version(version));
    }
    let (hash, body) =
        (rest.split_first_chunk::<SHA256_OUTPUT_LEN>()).ok_or(UnusableCheckpoint::Foreign)?;
    if digest(&SHA256, body).as_ref() != hash {
        return Err(UnusableCheckpoint::Checksum);
    }
    let malformed = |error: postcard::Error| UnusableCheckpoint::Head(error.to_string());
    let (head, mut rest) = postcard::take_from_bytes::<HeadOfVersion1>(body).map_err(malformed)?;
    let (mut shown, mut delivered) = (None, 0);
    if version >= 2 {
        (shown, rest) = postcard::take_from_bytes(rest).map_err(malformed)?;
    }
    if version >= 3 {
        (delivered, rest) = postcard::take_from_bytes(rest).map_err(malformed)?;
    }
    Ok((head.with(shown, delivered), rest))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn head(tick: u32) -> CheckpointHead {
        CheckpointHead {
            game: "tested".to_owned(),
            rules_hash: 7,
            epoch: 3,
            process: 2,
            tick: Tick(tick),
            tick_rate: 60,
            unix_ms: 1_000_000,
            interval_ms: 500,
            is_last: false,
            tags: Tags::from([("mode".to_owned(), "duel".to_owned())]),
            max_players: Some(4),
            key: Some([5; 16]),
            opened_by: Some([127, 0, 0, 1].into()),
            shown: Some(ShownToClients {
                tick_zero_us: -5,
                schema_hash: 9,
            }),
            delivered: 700,
        }
    }

    fn sealed(head: &CheckpointHead, state: &[u8]) -> Vec<u8> {
        let body = postcard::to_extend(head, Vec::new()).unwrap();
        let body = [&body[..], state].concat();
        seal(&body)
    }

    #[test]
    fn a_checkpoint_is_read_as_it_was_written() {
        let bytes = sealed(&head(600), b"state");
        assert_eq!(open(&bytes), Ok((head(600), &b"state"[..])));
    }

    #[test]
    fn any_damage_and_other_versions_are_noticed() {
        let bytes = sealed(&head(600), b"state");
        for index in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[index] ^= 4;
            assert!(open(&damaged).is_err(), "byte {index}");
            assert!(open(&bytes[..index]).is_err(), "cut at {index}");
        }
        let mut other = bytes;
        for version in [0, 4] {
            other[4] = version;
            let expected = UnusableCheckpoint::Version(u16::from(version));
            assert_eq!(open(&other), Err(expected));
        }
    }

    #[test]
    fn checkpoints_of_the_versions_before_are_read() {
        let mut expected = head(600);
        expected.delivered = 0;
        for version in [2, 1] {
            if version == 1 {
                expected.shown = None;
            }
            let mut body = postcard::to_extend(&expected, Vec::new()).unwrap();
            // Each absent field is one byte.
            for _ in version..VERSION {
                assert_eq!(body.pop(), Some(0));
            }
            let mut bytes = seal(&[&body[..], b"state"].concat());
            bytes[4] = version as u8;
            assert_eq!(open(&bytes), Ok((expected.clone(), &b"state"[..])));
        }
    }
}
