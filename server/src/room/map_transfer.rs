//! Large maps: they go in parts, as fast as the line takes them, so that nothing queues behind a whole map.
//!
//! In: the room's map, and what a client says it has of it. Out: which bytes go next. A ping, a heartbeat or a close waits for one
//! part at most, and a cut line goes on where it was. A client that takes no parts gets the map at the end of its `Welcome`. In both
//! cases all clients share the map's bytes, however slowly they read.

use super::join::join_request::KnownMap;
use super::link::Link;
use super::messages;
use crate::net::peer::send::{SendOutcome, SendRequest};
use bytes::Bytes;
use ring::digest::{SHA256, digest};
use std::sync::Arc;
use tickwire_proto::v1::{self, server_message::Body};
use tickwire_sync::Micros;

/// A map up to this long is part of `Welcome`, as for clients that take no parts.
const MAX_WELCOME_BYTES: usize = 16 * 1024;
/// Bytes of a part: over a line of 16 kbit/s a client hears something every two seconds.
const PART_BYTES: usize = 4 * 1024;
/// Parts that are offered to a link together, and how often in a tick: 64 KiB, so that a fast line has a map of 4 MB in a second.
const PARTS_TOGETHER: usize = 4;
const MAX_OFFERS: usize = 4;
/// A client that has the whole map begins to send inputs. If none comes for so long, it has no need to.
const FIRST_INPUT_WAIT: Micros = Micros::from_millis(1_000);
/// Bytes of the digest that names a map.
const ID_BYTES: usize = 16;

/// The map of a room.
pub(super) struct RoomMap {
    bytes: Bytes,
    /// Names the map where it goes in parts; empty for a small one.
    id: Vec<u8>,
}

/// The map on its way to one client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct MapTransfer {
    /// How many bytes the link has taken.
    offset: usize,
    /// When it had taken all.
    sent_at: Option<Micros>,
}

impl RoomMap {
    pub fn new(bytes: Vec<u8>) -> Self {
        let id = if bytes.len() > MAX_WELCOME_BYTES && u32::try_from(bytes.len()).is_ok() {
            digest(&SHA256, &bytes).as_ref()[..ID_BYTES].to_vec()
        } else {
            Vec::new()
        };
        Self {
            bytes: bytes.into(),
            id,
        }
    }

    /// The map, in the game's own encoding.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Begins to send the map to a client, unless it goes with `Welcome`.
    pub fn transfer_to(&self, known: &KnownMap) -> Option<MapTransfer> {
        if self.id.is_empty() || !known.takes_parts {
            return None;
        }
        let offset = if known.id == self.id {
            (known.bytes as usize).min(self.bytes.len())
        } else {
            0
        };
        Some(MapTransfer {
            offset,
            sent_at: None,
        })
    }

    /// Sends `Welcome` with what it says of the map.
    pub fn welcome<L: Link>(
        &self,
        link: &L,
        mut welcome: v1::Welcome,
        transfer: Option<MapTransfer>,
    ) {
        match transfer {
            None if self.id.is_empty() => welcome.map = self.bytes.to_vec(),
            None => {
                let start = messages::welcome_before_map(&welcome, self.bytes.len());
                return link.send_sharing(&start, &self.bytes);
            }
            Some(transfer) => {
                welcome.map_id.clone_from(&self.id);
                welcome.map_bytes = self.bytes.len() as u32;
                welcome.map_offset = transfer.offset as u32;
            }
        }
        link.send(&messages::encode(Body::Welcome(welcome)));
    }
}

impl MapTransfer {
    /// Sends what the link takes of the map. Returns whether snapshots may begin: all of it is sent, and the client has sent an
    /// input since, or has had time to.
    pub fn go_on<L: Link>(
        &mut self,
        map: &RoomMap,
        link: &Arc<L>,
        now: Micros,
        sends_inputs: bool,
    ) -> bool {
        for _ in 0..MAX_OFFERS {
            let rest = map.bytes.get(self.offset..).unwrap_or_default();
            if rest.is_empty() {
                break;
            }
            let parts: Vec<Vec<u8>> = (rest.chunks(PART_BYTES).take(PARTS_TOGETHER))
                .map(|part| {
                    messages::encode(Body::MapPart(v1::MapPart {
                        bytes: part.to_vec(),
                    }))
                })
                .collect();
            let mut request = [SendRequest {
                link: &**link,
                messages: parts.iter().map(Vec::as_slice).collect(),
                outcome: SendOutcome::Closed,
            }];
            L::try_send(&mut request);
            if request[0].outcome != SendOutcome::Sent {
                break;
            }
            self.offset = (self.offset + PARTS_TOGETHER * PART_BYTES).min(map.bytes.len());
        }
        if self.offset < map.bytes.len() {
            return false;
        }
        let sent_at = *self.sent_at.get_or_insert(now);
        sends_inputs || now.since(sent_at) >= FIRST_INPUT_WAIT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(takes_parts: bool, id: &[u8], bytes: u32) -> KnownMap {
        KnownMap {
            takes_parts,
            id: id.to_vec(),
            bytes,
        }
    }

    #[test]
    fn a_small_map_is_part_of_welcome_for_all() {
        let map = RoomMap::new(vec![7; MAX_WELCOME_BYTES]);
        assert_eq!(map.transfer_to(&known(true, b"", 0)), None);
    }

    #[test]
    fn a_large_map_goes_on_where_it_was_cut() {
        let map = RoomMap::new(vec![7; 100_000]);
        let offset = |known| map.transfer_to(&known).map(|transfer| transfer.offset);
        assert_eq!(offset(known(false, b"", 0)), None);
        assert_eq!(offset(known(true, b"", 9)), Some(0));
        assert_eq!(offset(known(true, &map.id, 9)), Some(9));
        assert_eq!(offset(known(true, &map.id, 1 << 30)), Some(100_000));
        assert_eq!(offset(known(true, b"another map", 9)), Some(0));
    }
}
