//! The fields of events, commands and messages.

use super::PayloadError;
use crate::value::{LaneValue, Text};
use tickwire_sync::{Field, FieldType, Lane};

/// A field type of an event, a command or a message: every lane type, texts and bytes.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a field of an event, a command or a message",
    label = "no payload can hold this type",
    note = "fields are the types that entities have, `String`, `Text` and `Vec<u8>`"
)]
pub trait FieldValue: Sized {
    /// Appends the description of a field with this name to `fields`.
    fn declare(name: &str, fields: &mut Vec<Field>);

    /// Appends the value to `out`.
    fn encode(&self, out: &mut Vec<u8>);

    /// Takes the value from the beginning of `bytes`.
    ///
    /// # Errors
    /// If the bytes end too early or are no such value.
    fn decode(bytes: &mut &[u8]) -> Result<Self, PayloadError>;
}

/// Appends the description of a field, with its unit unless that is empty. Called by the derives.
#[doc(hidden)]
pub fn declare_field<T: FieldValue>(name: &str, unit: &str, fields: &mut Vec<Field>) {
    let first = fields.len();
    T::declare(name, fields);
    if !unit.is_empty() {
        for field in &mut fields[first..] {
            unit.clone_into(&mut field.unit);
        }
    }
}

/// More lanes than any field type has; an array of so many fields would be longer than a message.
const MAX_FIELD_LANES: usize = 64;

#[diagnostic::do_not_recommend]
impl<T: LaneValue> FieldValue for T {
    fn declare(name: &str, fields: &mut Vec<Field>) {
        let mut lanes: Vec<Lane> = Vec::new();
        T::declare(name, &mut lanes);
        fields.extend(lanes.into_iter().map(|lane| Field {
            name: lane.name,
            unit: lane.unit,
            encoding: FieldType::Integer,
            value: lane.value,
        }));
    }

    fn encode(&self, out: &mut Vec<u8>) {
        const { assert!(T::LANES <= MAX_FIELD_LANES) };
        let mut lanes = [0; MAX_FIELD_LANES];
        self.write(&mut lanes[..T::LANES]);
        for value in &lanes[..T::LANES] {
            put_varint(((value << 1) ^ (value >> 31)) as u32, out);
        }
    }

    fn decode(bytes: &mut &[u8]) -> Result<Self, PayloadError> {
        let mut lanes = [0; MAX_FIELD_LANES];
        for lane in &mut lanes[..T::LANES] {
            let zigzag = take_varint(bytes)?;
            *lane = (zigzag >> 1) as i32 ^ -((zigzag & 1) as i32);
        }
        Ok(T::read(&lanes[..T::LANES]))
    }
}

/// Appends the description of a field whose integers take four bytes each. Called by the derives.
#[doc(hidden)]
pub fn declare_fixed<T: LaneValue>(name: &str, unit: &str, fields: &mut Vec<Field>) {
    let first = fields.len();
    declare_field::<T>(name, unit, fields);
    for field in &mut fields[first..] {
        field.encoding = FieldType::Fixed;
    }
}

/// Appends a value, four bytes an integer. Called by the derives.
#[doc(hidden)]
pub fn encode_fixed<T: LaneValue>(value: &T, out: &mut Vec<u8>) {
    const { assert!(T::LANES <= MAX_FIELD_LANES) };
    let mut lanes = [0; MAX_FIELD_LANES];
    value.write(&mut lanes[..T::LANES]);
    for lane in &lanes[..T::LANES] {
        out.extend_from_slice(&lane.to_le_bytes());
    }
}

/// Takes what [`encode_fixed`] wrote. Called by the derives.
///
/// # Errors
/// If the bytes end too early.
#[doc(hidden)]
pub fn decode_fixed<T: LaneValue>(bytes: &mut &[u8]) -> Result<T, PayloadError> {
    let mut lanes = [0; MAX_FIELD_LANES];
    for lane in &mut lanes[..T::LANES] {
        let (word, rest) = bytes.split_first_chunk().ok_or(PayloadError::Length)?;
        *bytes = rest;
        *lane = i32::from_le_bytes(*word);
    }
    Ok(T::read(&lanes[..T::LANES]))
}

impl FieldValue for String {
    fn declare(name: &str, fields: &mut Vec<Field>) {
        fields.push(Field {
            name: name.into(),
            encoding: FieldType::Text,
            ..Field::default()
        });
    }

    fn encode(&self, out: &mut Vec<u8>) {
        put_bytes(self.as_bytes(), out);
    }

    fn decode(bytes: &mut &[u8]) -> Result<Self, PayloadError> {
        String::from_utf8(take_bytes(bytes)?.to_vec()).map_err(|_| PayloadError::Fields)
    }
}

impl FieldValue for Text {
    fn declare(name: &str, fields: &mut Vec<Field>) {
        String::declare(name, fields);
    }

    fn encode(&self, out: &mut Vec<u8>) {
        put_bytes(self.as_bytes(), out);
    }

    fn decode(bytes: &mut &[u8]) -> Result<Self, PayloadError> {
        String::decode(bytes).map(Text::from)
    }
}

impl FieldValue for Vec<u8> {
    fn declare(name: &str, fields: &mut Vec<Field>) {
        fields.push(Field {
            name: name.into(),
            encoding: FieldType::Bytes,
            ..Field::default()
        });
    }

    fn encode(&self, out: &mut Vec<u8>) {
        put_bytes(self, out);
    }

    fn decode(bytes: &mut &[u8]) -> Result<Self, PayloadError> {
        Ok(take_bytes(bytes)?.to_vec())
    }
}

/// Appends a varint: seven bits a byte, the lowest first, the highest bit set on all bytes but the last.
pub(super) fn put_varint(mut value: u32, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Takes a varint of at most five bytes. Bits beyond 32 are an error.
pub(super) fn take_varint(bytes: &mut &[u8]) -> Result<u32, PayloadError> {
    let mut value = 0_u64;
    for shift in [0, 7, 14, 21, 28] {
        let (byte, rest) = bytes.split_first().ok_or(PayloadError::Length)?;
        *bytes = rest;
        value |= u64::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return u32::try_from(value).map_err(|_| PayloadError::Fields);
        }
    }
    Err(PayloadError::Fields)
}

fn put_bytes(value: &[u8], out: &mut Vec<u8>) {
    put_varint(value.len() as u32, out);
    out.extend_from_slice(value);
}

fn take_bytes<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8], PayloadError> {
    let length = take_varint(bytes)? as usize;
    let (value, rest) = bytes.split_at_checked(length).ok_or(PayloadError::Length)?;
    *bytes = rest;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(number: i32, small: u8, text: String, bytes: Vec<u8>) {
            let mut out = Vec::new();
            number.encode(&mut out);
            small.encode(&mut out);
            text.encode(&mut out);
            bytes.encode(&mut out);
            let mut rest = &out[..];
            prop_assert_eq!(i32::decode(&mut rest), Ok(number));
            prop_assert_eq!(u8::decode(&mut rest), Ok(small));
            prop_assert_eq!(String::decode(&mut rest), Ok(text));
            prop_assert_eq!(Vec::<u8>::decode(&mut rest), Ok(bytes));
            prop_assert!(rest.is_empty());
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let _ = i32::decode(&mut &bytes[..]);
            let _ = String::decode(&mut &bytes[..]);
            let _ = <[i32; 3]>::decode(&mut &bytes[..]);
        }
    }
}
