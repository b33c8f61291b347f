//! The wire: the types generated from `tickwire/v1/*.proto`.
//!
//! In: the .proto files, which document every message and field. Out: prost types under [`v1`], and the few
//! constants and rules that both ends share. Nothing here knows what the messages are used for.

mod close_code;
#[cfg(feature = "json")]
mod game_schema;
mod room_name;

pub use close_code::CloseCode;
#[cfg(feature = "json")]
pub use game_schema::GameSchema;
pub use room_name::{MAX_ROOM_NAME_BYTES, is_room_name};

/// Version 1 of the protocol, generated from `tickwire/v1/*.proto`.
#[allow(missing_docs, clippy::doc_markdown, clippy::large_enum_variant)]
pub mod v1 {
    include!(concat!(env!("OUT_DIR"), "/tickwire.v1.rs"));
}

/// The protocol version that `Hello` names.
pub const VERSION: u32 = 1;

/// The WebSocket subprotocol (RFC 6455 section 1.9) of this version.
pub const SUBPROTOCOL: &str = "tickwire.v1";

/// Characters of a name; what is beyond them is cut off.
pub const MAX_NAME_CHARACTERS: usize = 24;
