//! Checkpoints in Redis, written by a thread that may block.
//!
//! In: checkpoints of rooms that this node owns. Out: whether Redis took them. Fencing happens here, at the resource: the script that writes
//! checks the room's owner and epoch, so that an owner that was replaced without knowing it (it was paused, or cut off) changes nothing.

use super::connection::{CONNECTION_TIMEOUT, client};
use super::error::DirectoryError;
use super::keys::Keys;
use crate::node::NodeId;
use ::redis::{
    Client, Connection, Pipeline, ProtocolVersion, RedisError, RedisResult, Script, cmd, pipe,
};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long a read or a write of the connection waits.
const IO_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a checkpoint that was set aside is kept.
const ASIDE_SECONDS: u64 = 7 * 24 * 60 * 60;
/// Checkpoints in one pipeline; a larger one goes alone.
const PIPELINE_BYTES: usize = 4 << 20;
/// Commands in one pipeline: their answers fit into the socket's buffer, so that Redis never waits for this node.
const PIPELINE_COMMANDS: usize = 1_000;

/// The number of the newest save of this process. It orders saves that Redis gets out of order, over two connections.
static SAVES: AtomicU64 = AtomicU64::new(0);

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
        /// The room is free with this checkpoint: any node may claim it at once, and this one saves it no more.
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
    /// Redis holds it. A room that Redis did not know, or knew with an older epoch, belongs to this node and epoch again.
    Done,
    /// The room belongs to a later claim, or was handed over: nothing was written.
    Fenced,
}

/// Writes checkpoints. Each pipeline of at most 4 MiB blocks for about 3 s at the very most (to connect, to write, to read), and a name server
/// that does not answer for as long as the system's resolver waits. Connects anew after an error. Never panics.
pub struct RoomStore {
    client: Client,
    keys: Keys,
    me: NodeId,
    connection: Option<Connection>,
    save: Script,
    remove: Script,
}

impl RoomStore {
    /// A store that connects when it is first used.
    ///
    /// # Errors
    /// [`DirectoryError::Url`] alone.
    pub fn new(url: &str, game: &str, me: NodeId) -> Result<Self, DirectoryError> {
        Ok(Self {
            client: client(url, ProtocolVersion::RESP2)?,
            keys: Keys::new(game),
            me,
            connection: None,
            save: Script::new(include_str!("scripts/save.lua")),
            remove: Script::new(include_str!("scripts/remove.lua")),
        })
    }

    /// Applies changes, in order, and returns an outcome for each.
    ///
    /// # Errors
    /// [`DirectoryError`]. Some of the changes may have been applied then; all of them can be applied again.
    pub fn apply<'a>(
        &mut self,
        changes: impl Iterator<Item = RoomChange<'a>>,
    ) -> Result<Vec<RoomChangeOutcome>, DirectoryError> {
        let mut outcomes = Vec::new();
        let mut changes = changes.peekable();
        while changes.peek().is_some() {
            let mut pipeline = pipe();
            // A Redis that restarted has forgotten the scripts. Bringing them along costs less than a second try that keeps the order.
            for script in [
                include_str!("scripts/save.lua"),
                include_str!("scripts/remove.lua"),
            ] {
                pipeline.cmd("SCRIPT").arg("LOAD").arg(script).ignore();
            }
            let (mut bytes, mut commands) = (0, 0);
            while let Some(change) = changes.next_if(|change| {
                commands < PIPELINE_COMMANDS
                    && (bytes == 0 || bytes + size(change) <= PIPELINE_BYTES)
            }) {
                bytes += size(&change);
                commands += 1;
                self.add(&mut pipeline, change);
            }
            let answers: Vec<bool> = self.run(|connection| pipeline.query(connection))?;
            outcomes.extend(answers.into_iter().map(|is_done| {
                if is_done {
                    RoomChangeOutcome::Done
                } else {
                    RoomChangeOutcome::Fenced
                }
            }));
        }
        Ok(outcomes)
    }

    /// Keeps a checkpoint that can't be used for 7 days, under a key that it returns, for somebody to look into.
    ///
    /// # Errors
    /// [`DirectoryError`].
    pub fn set_aside(&mut self, room: &str, bytes: &[u8]) -> Result<String, DirectoryError> {
        let time_ms = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_millis());
        let key = self.keys.aside(room, time_ms);
        let mut set = cmd("SET");
        set.arg(&key).arg(bytes).arg("EX").arg(ASIDE_SECONDS);
        self.run(|connection| set.query::<()>(connection))?;
        Ok(key)
    }

    fn add(&self, pipeline: &mut Pipeline, change: RoomChange<'_>) {
        let (script, RoomChange::Save { room, epoch, .. } | RoomChange::Remove { room, epoch }) = (
            match change {
                RoomChange::Save { .. } => &self.save,
                RoomChange::Remove { .. } => &self.remove,
            },
            change,
        );
        pipeline
            .cmd("EVALSHA")
            .arg(script.get_hash())
            .arg(2)
            .arg(self.keys.room(room))
            .arg(self.keys.checkpoint(room))
            .arg(self.me.as_str())
            .arg(epoch);
        if let RoomChange::Save {
            bytes, hand_over, ..
        } = change
        {
            pipeline
                .arg(bytes)
                .arg(u8::from(hand_over))
                .arg(SAVES.fetch_add(1, Ordering::Relaxed) + 1);
        }
    }

    fn run<T>(
        &mut self,
        request: impl Fn(&mut Connection) -> RedisResult<T>,
    ) -> Result<T, DirectoryError> {
        let was_connected = self.connection.is_some();
        let mut result = self.run_once(&request);
        // The connection is as old as the last save: Redis may have restarted since.
        if was_connected
            && result
                .as_ref()
                .is_err_and(RedisError::is_connection_dropped)
        {
            result = self.run_once(&request);
        }
        Ok(result?)
    }

    fn run_once<T>(
        &mut self,
        request: &impl Fn(&mut Connection) -> RedisResult<T>,
    ) -> RedisResult<T> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                let connection = self
                    .client
                    .get_connection_with_timeout(CONNECTION_TIMEOUT)?;
                connection.set_read_timeout(Some(IO_TIMEOUT))?;
                connection.set_write_timeout(Some(IO_TIMEOUT))?;
                connection
            }
        };
        let answer = request(&mut connection)?;
        // After an error, answers may still be on their way: that connection is not used again.
        self.connection = Some(connection);
        Ok(answer)
    }
}

fn size(change: &RoomChange<'_>) -> usize {
    match change {
        RoomChange::Save { bytes, .. } => bytes.len(),
        RoomChange::Remove { .. } => 0,
    }
}
