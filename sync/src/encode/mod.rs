//! From frames to bytes: the encoded difference of one cell (a block), made once per tick and shared by all clients.
//!
//! In: the history, and requests for a cell against a baseline tick. Out: bytes in the plain (protobuf) or the packed
//! encoding. Two clients with the same baseline get the same bytes.

mod block_cache;
mod cell_delta;
mod encoding;
mod header;
pub mod packed;
mod plain;
pub(crate) mod protobuf;
mod zigzag;

pub use block_cache::{BlockCache, BlockKey};
pub use encoding::Encoding;
pub(crate) use header::HeaderBaseline;
pub use header::{Header, HeaderDecoder};
pub(crate) use zigzag::{unzigzag, zigzag};
