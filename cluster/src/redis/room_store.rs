//! Checkpoints in Redis, written by a thread that may block.

use crate::node::NodeId;
use crate::redis::DirectoryError;

/// A change of what Redis keeps of a room that this node owns.
#[derive(Clone, Copy, Debug)]
pub enum RoomChange<'a> {
    /// Replaces the room's checkpoint.
    Save {
        /// The room's name.
        room: &'a str,
        /// The epoch of the claim with which this node owns it.
        epoch: u64,
        /// The checkpoint.
        bytes: &'a [u8],
        /// The room is free with this checkpoint: any node may claim it at once.
        hand_over: bool,
    },
    /// Deletes the room's entry and checkpoint.
    Remove {
        /// The room's name.
        room: &'a str,
        /// The epoch of the claim with which this node owns it.
        epoch: u64,
    },
}

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoomChangeOutcome {
    /// Redis holds it.
    Done,
    /// The room belongs to a later claim, or was handed over: nothing was written.
    Fenced,
}

/// Writes checkpoints. Blocks for at most about 2 s a call; connects anew after an error.
pub struct RoomStore {}

impl RoomStore {
    /// A store that connects when it is first used.
    ///
    /// # Errors
    /// [`DirectoryError::Url`] alone.
    pub fn new(url: &str, game: &str, me: NodeId) -> Result<Self, DirectoryError> {
        todo!()
    }

    /// Applies changes, in order, and returns an outcome for each. After an error some of them may have been applied; all of them can be
    /// applied again.
    pub fn apply<'a>(
        &mut self,
        changes: impl Iterator<Item = RoomChange<'a>>,
    ) -> Result<Vec<RoomChangeOutcome>, DirectoryError> {
        todo!()
    }

    /// Keeps a checkpoint that can't be used for 7 days, under a key that it returns, for somebody to look into.
    pub fn set_aside(&mut self, room: &str, bytes: &[u8]) -> Result<String, DirectoryError> {
        todo!()
    }
}
