//! Typed inputs: what a player wants in one tick, packed into few bits.
//!
//! In: a struct whose fields are numbers, flags and choices. Out: a payload, and from any payload a struct again. Field after field
//! takes its bits, from the lowest bit of the first byte. Zero bytes at the end are left out, so that the neutral input is empty.

use crate::payload::PayloadError;
use crate::raw::RuleInput;
use crate::value::{Angle, Fixed, LaneValue, Pos};
use tickwire_sync::{InputField, PlayerId, ValueType};

/// What a player wants in one tick. `#[derive(Input)]` implements it, and its documentation lists the attributes.
///
/// The neutral input, which counts where a player is away, has every field 0, `false`, or the first choice.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an input",
    label = "write `#[derive(Input, Clone)]` on it",
    note = "a game without inputs has `type Input = ();`"
)]
pub trait Input: Sized + Clone + Send + 'static {
    /// The fields, as the schema describes them.
    fn fields() -> Vec<InputField>;

    /// Appends the payload to `out`.
    fn encode(&self, out: &mut Vec<u8>);

    /// Reads a payload. Any bytes are an input: missing ones are 0, further ones are ignored, and a value out of range is clamped.
    fn decode(payload: &[u8]) -> Self;

    /// This input without its `once` fields: what is left of it when it is repeated because no newer one came.
    #[must_use]
    fn repeated(self) -> Self;

    /// The input as the rules see it.
    #[must_use]
    fn of(input: RuleInput<'_>) -> Self {
        match input {
            RuleInput::Fresh(payload) => Self::decode(payload),
            RuleInput::Repeated(payload) => Self::decode(payload).repeated(),
            RuleInput::Neutral => Self::decode(&[]),
        }
    }

    /// The payload.
    #[must_use]
    fn to_payload(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode(&mut out);
        out
    }
}

/// For games that take no input.
impl Input for () {
    fn fields() -> Vec<InputField> {
        Vec::new()
    }

    fn encode(&self, _: &mut Vec<u8>) {}

    fn decode(_: &[u8]) -> Self {}

    fn repeated(self) -> Self {}
}

/// The range of an input field, both ends included, with 0 within it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InputRange {
    /// The smallest value.
    pub min: i32,
    /// The largest value.
    pub max: i32,
}

impl InputRange {
    /// How many bits hold the range: two's complement if `min` is negative.
    #[must_use]
    pub const fn bits(self) -> u32 {
        let largest = if self.min < 0 && -1 - self.min > self.max {
            -1 - self.min
        } else {
            self.max
        };
        let bits = 32 - largest.leading_zeros() + (self.min < 0) as u32;
        if bits == 0 { 1 } else { bits }
    }
}

/// A field type of an input: one or two integers of a known range.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a field of an input",
    label = "no input can hold this type",
    note = "fields are `i8`, `u8`, `i16`, `u16`, `i32`, `bool`, `Angle<N>`, `Fixed<N>`, `Pos<N>`, `PlayerId`, `Option<PlayerId>`, and what derives `Choice` or `Flags`"
)]
pub trait InputValue: Sized {
    /// How many integers a value has.
    const PARTS: usize;
    /// The range of each integer, unless the field declares a narrower one.
    const RANGE: InputRange;

    /// The value as integers, of which the first [`Self::PARTS`] count.
    fn to_parts(&self) -> [i32; 2];

    /// The value from integers within the field's range.
    fn from_parts(parts: [i32; 2]) -> Self;

    /// The names of the integers, given the field's, and what they stand for.
    fn describe(name: &str) -> Vec<(String, String, ValueType)>;
}

macro_rules! integer_inputs {
    ($($integer:ty),*) => {$(
        impl InputValue for $integer {
            const PARTS: usize = 1;
            const RANGE: InputRange = InputRange { min: <$integer>::MIN as i32, max: <$integer>::MAX as i32 };

            fn to_parts(&self) -> [i32; 2] {
                [i32::from(*self), 0]
            }

            fn from_parts([value, _]: [i32; 2]) -> Self {
                value.clamp(<$integer>::MIN.into(), <$integer>::MAX.into()) as $integer
            }

            fn describe(name: &str) -> Vec<(String, String, ValueType)> {
                vec![(name.into(), String::new(), ValueType::Integer)]
            }
        }
    )*};
}

integer_inputs!(i8, u8, i16, u16, i32);

impl InputValue for bool {
    const PARTS: usize = 1;
    const RANGE: InputRange = InputRange { min: 0, max: 1 };

    fn to_parts(&self) -> [i32; 2] {
        [i32::from(*self), 0]
    }

    fn from_parts([value, _]: [i32; 2]) -> Self {
        value != 0
    }

    fn describe(name: &str) -> Vec<(String, String, ValueType)> {
        vec![(name.into(), String::new(), ValueType::Boolean)]
    }
}

macro_rules! lane_inputs {
    ($(impl $(<const $n:ident: $t:ty>)? for $type:ty, $parts:literal, $range:expr;)*) => {$(
        impl $(<const $n: $t>)? InputValue for $type {
            const PARTS: usize = $parts;
            const RANGE: InputRange = $range;

            fn to_parts(&self) -> [i32; 2] {
                let mut parts = [0; 2];
                self.write(&mut parts);
                parts
            }

            fn from_parts(parts: [i32; 2]) -> Self {
                Self::read(&parts)
            }

            fn describe(name: &str) -> Vec<(String, String, ValueType)> {
                describe_lane::<Self>(name)
            }
        }
    )*};
}

const WHOLE: InputRange = InputRange {
    min: i32::MIN,
    max: i32::MAX,
};

lane_inputs! {
    impl<const N: i32> for Angle<N>, 1, InputRange { min: 0, max: N - 1 };
    impl<const N: i32> for Fixed<N>, 1, WHOLE;
    impl<const N: i32> for Pos<N>, 2, WHOLE;
    impl for PlayerId, 1, WHOLE;
    impl for Option<PlayerId>, 1, WHOLE;
}

/// The description of a type of one or two lanes as an input. Called by the derives.
#[doc(hidden)]
#[must_use]
pub fn describe_lane<T: LaneValue>(name: &str) -> Vec<(String, String, ValueType)> {
    let mut lanes = Vec::new();
    T::declare(name, &mut lanes);
    let describe = |lane: tickwire_sync::Lane| (lane.name, lane.unit, lane.value);
    lanes.into_iter().map(describe).collect()
}

/// Appends the description of a field to `fields`. Called by the derive.
#[doc(hidden)]
pub fn describe_input<T: InputValue>(
    name: &str,
    range: InputRange,
    once: bool,
    fields: &mut Vec<InputField>,
) {
    for (name, unit, value) in T::describe(name) {
        fields.push(InputField {
            name,
            unit,
            bits: range.bits(),
            min: range.min,
            max: range.max,
            once,
            value,
        });
    }
}

/// Writes fields of a few bits each, the lowest bit first.
#[derive(Debug, Default)]
pub struct BitWriter {
    bits: u64,
    count: u32,
}

impl BitWriter {
    /// Appends a field. A value out of range is clamped.
    pub fn put<T: InputValue>(&mut self, value: &T, range: InputRange, out: &mut Vec<u8>) {
        for part in &value.to_parts()[..T::PARTS] {
            self.put_int((*part).clamp(range.min, range.max), range.bits(), out);
        }
    }

    /// Appends the low `bits` bits, at most 32, of an integer.
    pub fn put_int(&mut self, value: i32, bits: u32, out: &mut Vec<u8>) {
        // At most 7 bits wait, so 39 are in use.
        self.bits |= (u64::from(value as u32) & ((1 << bits) - 1)) << self.count;
        self.count += bits;
        while self.count >= 8 {
            out.push(self.bits as u8);
            self.bits >>= 8;
            self.count -= 8;
        }
    }

    /// Ends the payload that began at `start`, and drops zero bytes at its end.
    pub fn finish(self, start: usize, out: &mut Vec<u8>) {
        if self.count > 0 {
            out.push(self.bits as u8);
        }
        while out.len() > start && out.last() == Some(&0) {
            out.pop();
        }
    }
}

/// Reads what [`BitWriter`] wrote, from any bytes.
#[derive(Debug)]
pub struct BitReader<'a> {
    payload: &'a [u8],
    bits: u64,
    count: u32,
}

impl<'a> BitReader<'a> {
    /// Reads a payload from its beginning.
    #[must_use]
    #[inline]
    pub fn new(payload: &'a [u8]) -> Self {
        // Nearly every input fits into one word; beyond its end there are zeros.
        let (first, rest) = match *payload {
            [] => (0, payload),
            [a] => (u64::from(a), &[][..]),
            [a, b] => (u64::from(u16::from_le_bytes([a, b])), &[][..]),
            _ => {
                let (first, rest) = payload.split_at(payload.len().min(8));
                let word = |bits, byte: &u8| bits << 8 | u64::from(*byte);
                (first.iter().rev().fold(0, word), rest)
            }
        };
        Self {
            payload: rest,
            bits: first,
            count: u64::BITS,
        }
    }

    /// The next field, clamped to its range.
    #[inline]
    pub fn get<T: InputValue>(&mut self, range: InputRange) -> T {
        let mut parts = [0; 2];
        for part in &mut parts[..T::PARTS] {
            let value = self.get_int(range.bits(), range.min < 0);
            *part = value.clamp(range.min, range.max);
        }
        T::from_parts(parts)
    }

    /// The next `bits` bits, at most 32. Beyond the payload there are zeros.
    #[inline]
    pub fn get_int(&mut self, bits: u32, is_signed: bool) -> i32 {
        if self.count < bits {
            self.refill(bits);
        }
        let value = (self.bits & ((1 << bits) - 1)) as u32;
        self.bits >>= bits;
        self.count -= bits;
        let unused = 32 - bits;
        if is_signed {
            (value << unused) as i32 >> unused
        } else {
            // All 32 bits of an unsigned field never occur: a range ends at i32::MAX.
            value as i32
        }
    }

    #[cold]
    fn refill(&mut self, bits: u32) {
        while self.count < bits {
            let (byte, rest) = self.payload.split_first().unwrap_or((&0, &[]));
            self.payload = rest;
            self.bits |= u64::from(*byte) << self.count;
            self.count += 8;
        }
    }
}

/// An input's payload from the values of a schema's fields, for tools that know a game only by its schema. Values out of range are
/// clamped.
///
/// # Errors
/// If there are more or fewer values than fields, or a field is impossible.
pub fn encode_fields(fields: &[InputField], values: &[i32]) -> Result<Vec<u8>, PayloadError> {
    if fields.len() != values.len() || !fields.iter().all(InputField::is_valid) {
        return Err(PayloadError::Fields);
    }
    let (mut out, mut bits) = (Vec::new(), BitWriter::default());
    for (field, value) in fields.iter().zip(values) {
        bits.put_int((*value).clamp(field.min, field.max), field.bits, &mut out);
    }
    bits.finish(0, &mut out);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_range_takes_no_bit_more_than_it_needs() {
        for (min, max, bits) in [
            (0, 0, 1),
            (0, 1, 1),
            (-1, 1, 2),
            (-2, 1, 2),
            (0, 1023, 10),
            (-128, 127, 8),
            (i32::MIN, i32::MAX, 32),
        ] {
            assert_eq!(InputRange { min, max }.bits(), bits, "{min}..={max}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(a: i8, b: bool, c: i32, d in 0..1000_i32) {
            let (mut out, mut writer) = (Vec::new(), BitWriter::default());
            let narrow = InputRange { min: -1, max: 1 };
            writer.put(&a, narrow, &mut out);
            writer.put(&b, bool::RANGE, &mut out);
            writer.put(&c, i32::RANGE, &mut out);
            writer.put(&Angle::<1000>::from_steps(d), Angle::<1000>::RANGE, &mut out);
            writer.finish(0, &mut out);
            let mut reader = BitReader::new(&out);
            prop_assert_eq!(reader.get::<i8>(narrow), a.clamp(-1, 1));
            prop_assert_eq!(reader.get::<bool>(bool::RANGE), b);
            prop_assert_eq!(reader.get::<i32>(i32::RANGE), c);
            prop_assert_eq!(reader.get::<Angle<1000>>(Angle::<1000>::RANGE).steps(), d);
        }

        #[test]
        fn any_payload_is_read(payload in prop::collection::vec(any::<u8>(), 0..64)) {
            let mut reader = BitReader::new(&payload);
            for _ in 0..20 {
                let value: i8 = reader.get(InputRange { min: -1, max: 1 });
                prop_assert!((-1..=1).contains(&value));
            }
        }
    }

    proptest! {
        #[test]
        fn many_fields_cross_the_first_word(values in prop::collection::vec(any::<i32>(), 1..16)) {
            let (mut out, mut writer) = (Vec::new(), BitWriter::default());
            let range = InputRange { min: -1000, max: 70_000 };
            for value in &values {
                writer.put(value, range, &mut out);
            }
            writer.finish(0, &mut out);
            let mut reader = BitReader::new(&out);
            for value in values {
                prop_assert_eq!(reader.get::<i32>(range), value.clamp(-1000, 70_000));
            }
        }
    }

    #[test]
    fn the_neutral_input_is_empty() {
        let (mut out, mut writer) = (Vec::new(), BitWriter::default());
        writer.put(&0_i32, i32::RANGE, &mut out);
        writer.finish(0, &mut out);
        assert!(out.is_empty());
    }
}
