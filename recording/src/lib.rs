//! Recordings: every tick of a room, in a file that can be read from any of its ticks.
//!
//! In: a room's frames, inputs, what was sent to whom, and what happened. Out: a file, and from it the same integers again. A
//! recording is canonical: it holds the whole world once, and not what was sent to somebody. What a player saw follows from it,
//! because it says which cells each session was sent at which tick. The crate is pure: no threads, no sockets, no clock; bytes
//! and files are arguments.
//!
//! The modules in the order of the data: [`tick`] is what a room hands over, `encode` makes chunks of it, [`file`](mod@file) puts chunks into
//! a file, [`recording`] reads a file, and `decode` makes ticks of chunks. [`verify`](mod@verify), [`info`] and [`cut`](mod@cut) are what
//! people do with a file. docs/design/recordings.md describes the format.

mod block;
mod checksum;
mod column;
pub mod cut;
mod decode;
mod encode;
pub mod file;
mod head;
pub mod info;
pub mod recording;
#[cfg(test)]
mod test_world;
pub mod tick;
pub mod verify;
mod world_hash;

pub use block::Damage;
pub use cut::cut;
pub use decode::{Malformed, Playing, RecordedEvent, Row, World};
pub use encode::{ChunkEncoder, EncodedChunk, MAX_CHUNK_SECONDS};
#[doc(hidden)]
pub use file::sealed_chunk;
pub use file::{ChunkPlace, RecordingFile};
pub use head::{Head, Mark, MarkKind};
pub use info::Info;
pub use recording::{Playback, ReadError, Recording};
pub use tick::{
    Addressee, AppliedInput, DroppedInput, InputSource, Note, Participant, RecordedTick, Sending,
    SessionTick, ShotNote, TickFacts,
};
pub use verify::{Verdict, verify};
