//! Checkpoints: rooms that outlive their process.
//!
//! In: the state of each room, which its worker saves every `--checkpoint-interval`. Out: a file in `--data-dir`, and from it, at the
//! next start, the rooms of the last process. [`format`] says what a checkpoint is in bytes, [`store`] keeps the newest of each room ([`redis_store`] does so in a cluster),
//! and [`writer`] is the thread between workers and store, so that no tick waits for a disk. What a room saves is in `room/saved.rs`, and
//! when it does in `worker/room_checkpoints.rs`.

mod format;
mod metrics;
mod redis_store;
mod store;
mod writer;

pub(crate) use format::{CheckpointHead, ShownToClients, open, seal, sealed_len};
pub(crate) use metrics::{CheckpointOutcome, RestoreOutcome};
pub(crate) use redis_store::RedisStore;
#[cfg(test)]
pub(crate) use store::tests::Folder as TestFolder;
pub(crate) use store::{CheckpointStore, StoreError};
pub(crate) use writer::{CheckpointWriter, NewCheckpoint, WriterError};
