//! How the payloads of inputs, events, commands and messages read, so that any client, bot or recording can name their fields.
//!
//! An input is a row of bits: each field has a fixed number of them, from the lowest bit of the first byte. A shorter payload is
//! extended by zeros, so the empty one means that every field is 0. Events, commands and messages are a row of fields, each as
//! its [`FieldType`] says; commands and messages begin with the number of their kind. docs/PROTOCOL.md has the details.

use super::value_type::ValueType;

/// One field of an input.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct InputField {
    /// The name, for people and clients, such as "dash".
    pub name: String,
    /// The unit of the value 1.
    pub unit: String,
    /// How many bits the field has, 1 to 32: two's complement if `min` is negative.
    pub bits: u32,
    /// The smallest value, at most 0. What is smaller is read as this.
    pub min: i32,
    /// The largest value, at least 0. What is larger is read as this.
    pub max: i32,
    /// Whether the field is 0 where the input is repeated because none came.
    pub once: bool,
    /// What the value stands for.
    pub value: ValueType,
}

impl InputField {
    /// Whether the bits hold the range, and the range includes 0.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        let is_signed = self.min < 0;
        let value_bits = self.bits.saturating_sub(u32::from(is_signed));
        let holds = |value: i32| (i64::from(value) ^ i64::from(value) >> 63) >> value_bits == 0;
        (1..=32).contains(&self.bits)
            && self.min <= 0
            && self.max >= 0
            && holds(self.min)
            && holds(self.max)
    }
}

/// One kind of event, command or message.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PayloadKind {
    /// The name, for people and clients, such as "touched".
    pub name: String,
    /// The fields, in the order of the payload. `None` for a game that encodes them in its own way.
    pub fields: Option<Vec<Field>>,
}

/// One field of an event, a command or a message.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Field {
    /// The name, for people and clients, such as "who".
    pub name: String,
    /// The unit of the value 1.
    pub unit: String,
    /// How the field is encoded.
    pub encoding: FieldType,
    /// What an integer stands for.
    pub value: ValueType,
}

/// How a field of an event, a command or a message is encoded.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum FieldType {
    /// A signed integer of 32 bits: a varint of its zigzag form, as protobuf's sint32.
    #[default]
    Integer,
    /// UTF-8: its length in bytes as a varint, then the bytes.
    Text,
    /// Bytes: their number as a varint, then the bytes.
    Bytes,
    /// A signed integer of 32 bits in four bytes, little-endian.
    Fixed,
}

impl From<&str> for PayloadKind {
    /// A kind with this name, whose payload is the game's own encoding.
    fn from(name: &str) -> Self {
        Self {
            name: name.into(),
            fields: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_must_hold_the_range() {
        let field = |bits, min, max| InputField {
            bits,
            min,
            max,
            ..InputField::default()
        };
        assert!(field(2, -1, 1).is_valid() && field(2, -2, 1).is_valid());
        assert!(!field(2, -3, 1).is_valid() && !field(2, -1, 2).is_valid());
        assert!(field(1, 0, 1).is_valid() && !field(1, 0, 2).is_valid());
        assert!(field(32, i32::MIN, i32::MAX).is_valid());
        assert!(!field(0, 0, 0).is_valid() && !field(8, 1, 5).is_valid());
    }
}
