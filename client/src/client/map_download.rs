//! A large map that comes in parts, after `Welcome`.
//!
//! In: `Welcome`, and the parts. Out: the `Welcome` with its whole map, once that is there. What has arrived is kept over links, so a
//! line that breaks goes on where it was, and a resume does not bring the map again.

use super::link_set::LinkId;
use tickwire_proto::v1;
use tickwire_sync::Micros;

/// The map of the room, or as much of it as has arrived.
#[derive(Default)]
pub(super) struct MapDownload {
    id: Vec<u8>,
    bytes: Vec<u8>,
    /// The `Welcome` that waits for its map.
    waiting: Option<WaitingWelcome>,
}

/// A `Welcome` that waits for its map.
pub(super) struct WaitingWelcome {
    pub link: LinkId,
    pub welcome: v1::Welcome,
    /// When it arrived, which its clock is for.
    pub arrived: Micros,
}

impl MapDownload {
    /// For `Hello`: the map that is known, and how many bytes of it.
    pub fn known(&self) -> (Vec<u8>, u32) {
        (self.id.clone(), self.bytes.len() as u32)
    }

    /// Takes a `Welcome`. Returns it if its map is there, or is part of it.
    pub fn begin(
        &mut self,
        link: LinkId,
        welcome: v1::Welcome,
        arrived: Micros,
    ) -> Option<WaitingWelcome> {
        let waiting = WaitingWelcome {
            link,
            welcome,
            arrived,
        };
        let welcome = &waiting.welcome;
        if welcome.map_id.is_empty() {
            *self = Self::default();
            return Some(waiting);
        }
        if self.id != welcome.map_id {
            self.id.clone_from(&welcome.map_id);
            self.bytes.clear();
        }
        self.bytes.truncate(welcome.map_offset as usize);
        self.waiting = Some(waiting);
        self.take_if_complete()
    }

    /// Takes a part that came over a link. Returns the `Welcome` if the map is complete.
    pub fn part(&mut self, link: LinkId, bytes: &[u8]) -> Option<WaitingWelcome> {
        self.waiting.as_ref().filter(|one| one.link == link)?;
        self.bytes.extend_from_slice(bytes);
        self.take_if_complete()
    }

    fn take_if_complete(&mut self) -> Option<WaitingWelcome> {
        let length = self.waiting.as_ref()?.welcome.map_bytes as usize;
        if self.bytes.len() < length {
            return None;
        }
        let mut waiting = self.waiting.take()?;
        waiting.welcome.map = self.bytes[..length].to_vec();
        Some(waiting)
    }
}
