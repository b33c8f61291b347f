//! Writes protobuf by hand, for the messages that are too hot for a tree of structs.
//!
//! In: fields. Out: bytes at the end of a reused `Vec`. Only what the encoders need; decoding is left to prost.

use super::zigzag::zigzag;
use prost::encoding::{WireType, encode_varint};

/// Appends a varint. Nearly all are one byte.
#[inline]
fn varint(out: &mut Vec<u8>, value: u64) {
    if value < 0x80 {
        out.push(value as u8);
    } else {
        encode_varint(value, out);
    }
}

/// Appends a field's key: its number and wire type.
#[inline]
fn key(out: &mut Vec<u8>, field: u32, wire_type: WireType) {
    varint(out, u64::from(field << 3 | wire_type as u32));
}

/// Appends a varint field.
pub(crate) fn uint(out: &mut Vec<u8>, field: u32, value: u64) {
    key(out, field, WireType::Varint);
    varint(out, value);
}

/// Appends a varint field, unless it is 0: proto3 leaves out default values.
pub(crate) fn uint_unless_zero(out: &mut Vec<u8>, field: u32, value: u64) {
    if value != 0 {
        uint(out, field, value);
    }
}

/// Appends a `sint32` field.
pub(crate) fn sint(out: &mut Vec<u8>, field: u32, value: i32) {
    uint(out, field, u64::from(zigzag(value)));
}

/// Appends a `sint32` field, unless it is 0.
pub(crate) fn sint_unless_zero(out: &mut Vec<u8>, field: u32, value: i32) {
    uint_unless_zero(out, field, u64::from(zigzag(value)));
}

/// Appends a fixed64 field.
pub(crate) fn fixed64(out: &mut Vec<u8>, field: u32, value: u64) {
    key(out, field, WireType::SixtyFourBit);
    out.extend_from_slice(&value.to_le_bytes());
}

/// Appends a bytes or string field.
pub(crate) fn bytes(out: &mut Vec<u8>, field: u32, value: &[u8]) {
    bytes_key(out, field, value.len() as u64);
    out.extend_from_slice(value);
}

/// Appends key and length of a bytes field whose content the caller appends.
pub(crate) fn bytes_key(out: &mut Vec<u8>, field: u32, length: u64) {
    key(out, field, WireType::LengthDelimited);
    varint(out, length);
}

/// Appends a length-delimited field (a message or a packed list) whose content `write` appends.
pub(crate) fn delimited(out: &mut Vec<u8>, field: u32, write: impl FnOnce(&mut Vec<u8>)) {
    key(out, field, WireType::LengthDelimited);
    // Nearly all contents are shorter than 128 bytes, so one byte is reserved for the length.
    let at = out.len();
    out.push(0);
    write(out);
    let length = out.len() - at - 1;
    if length < 0x80 {
        out[at] = length as u8;
        return;
    }
    let mut prefix = [0_u8; 10];
    let mut rest = &mut prefix[..];
    encode_varint(length as u64, &mut rest);
    let used = 10 - rest.len();
    out.splice(at..=at, prefix[..used].iter().copied());
}

/// Appends a packed list of `sint32`; left out when it is empty.
pub(crate) fn packed_sints(out: &mut Vec<u8>, field: u32, values: impl IntoIterator<Item = i32>) {
    packed(
        out,
        field,
        values.into_iter().map(|value| u64::from(zigzag(value))),
    );
}

/// Appends a packed list of varints; left out when it is empty.
pub(crate) fn packed(out: &mut Vec<u8>, field: u32, values: impl IntoIterator<Item = u64>) {
    let mut values = values.into_iter().peekable();
    if values.peek().is_some() {
        delimited(out, field, |out| {
            values.for_each(|value| varint(out, value));
        });
    }
}
