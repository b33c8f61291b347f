//! Typed events, commands and messages: enums whose variants are kinds, and structs that are one kind.
//!
//! In: a value. Out: its kind's number and the bytes of its fields; from any bytes a value or an error. Fields follow each other
//! without a tag: integers as the varint of their zigzag form, texts and bytes with their length before them.

mod field;

pub use field::{FieldValue, declare_field, declare_fixed, decode_fixed, encode_fixed};

use tickwire_sync::PayloadKind;

/// Why a payload cannot be read or made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PayloadError {
    /// The payload ends too early, or goes on after its last field.
    Length,
    /// The schema has no such kind.
    Kind,
    /// A field's value is impossible, or the values are not those of the schema's fields.
    Fields,
}

impl std::fmt::Display for PayloadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Length => "the payload is too short or too long",
            Self::Kind => "the schema has no kind with this number",
            Self::Fields => "a field has a value that is not possible",
        })
    }
}

impl std::error::Error for PayloadError {}

/// What events, commands and messages have in common. The derives `Event`, `Command` and `Message` implement it.
pub trait Payload: Sized + 'static {
    /// The kinds, as the schema describes them.
    fn kinds() -> Vec<PayloadKind>;

    /// The number of this value's kind: its position in [`Self::kinds`].
    fn kind(&self) -> u32;

    /// Appends the fields to `out`.
    fn encode_fields(&self, out: &mut Vec<u8>);

    /// Reads the fields of a kind.
    ///
    /// # Errors
    /// If there is no such kind, or the bytes are not its fields.
    fn decode_fields(kind: u32, fields: &[u8]) -> Result<Self, PayloadError>;

    /// Appends the number of the kind and the fields, as commands and messages have it.
    fn encode(&self, out: &mut Vec<u8>) {
        field::put_varint(self.kind(), out);
        self.encode_fields(out);
    }

    /// Reads what [`Self::encode`] wrote.
    ///
    /// # Errors
    /// If the bytes are no payload of these kinds.
    fn decode(mut payload: &[u8]) -> Result<Self, PayloadError> {
        let kind = field::take_varint(&mut payload)?;
        Self::decode_fields(kind, payload)
    }
}

/// Something that happened at one tick and leaves no state behind. `#[derive(Event)]` implements it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a type of events",
    label = "write `#[derive(Event)]` on it",
    note = "a game without events has `type Event = Nothing;`"
)]
pub trait Event: Payload {}

/// What a player's client asks the game for beside its inputs; it arrives once and in order. `#[derive(Command)]` implements it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a type of commands",
    label = "write `#[derive(Command)]` on it",
    note = "a game without commands has `type Command = Nothing;`"
)]
pub trait Command: Payload {}

/// A reliable message from the game to players. `#[derive(Message)]` implements it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a type of messages",
    label = "write `#[derive(Message)]` on it",
    note = "a game without messages has `type Message = Nothing;`"
)]
pub trait Message: Payload {}

/// For games without events, commands or messages: no value of this type exists.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Nothing {}

impl Payload for Nothing {
    fn kinds() -> Vec<PayloadKind> {
        Vec::new()
    }

    fn kind(&self) -> u32 {
        match *self {}
    }

    fn encode_fields(&self, _: &mut Vec<u8>) {
        match *self {}
    }

    fn decode_fields(_: u32, _: &[u8]) -> Result<Self, PayloadError> {
        Err(PayloadError::Kind)
    }
}

impl Event for Nothing {}
impl Command for Nothing {}
impl Message for Nothing {}
