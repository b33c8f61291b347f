//! Bits, from the lowest of a byte up.

/// Appends bits to a byte vector.
#[derive(Debug)]
pub(crate) struct BitWriter<'a> {
    out: &'a mut Vec<u8>,
    /// Bits that do not fill 32 yet, and their number.
    pending: u64,
    pending_count: u32,
}

impl<'a> BitWriter<'a> {
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        Self {
            out,
            pending: 0,
            pending_count: 0,
        }
    }

    /// Appends the lowest `count` bits of `bits`, at most 32; the others must be 0.
    pub fn put(&mut self, bits: u32, count: u32) {
        self.pending |= u64::from(bits) << self.pending_count;
        self.pending_count += count;
        if self.pending_count >= 32 {
            self.out
                .extend_from_slice(&(self.pending as u32).to_le_bytes());
            self.pending >>= 32;
            self.pending_count -= 32;
        }
    }

    /// Appends one bit.
    pub fn flag(&mut self, is_set: bool) {
        self.put(u32::from(is_set), 1);
    }

    /// Appends a number of any size: groups of four bits from the lowest, each followed by a bit that says whether more follow.
    pub fn number(&mut self, mut number: u32) {
        loop {
            let has_more = number >= 16;
            self.put(number & 15 | u32::from(has_more) << 4, 5);
            number >>= 4;
            if !has_more {
                return;
            }
        }
    }

    /// How many bits [`Self::number`] takes.
    pub fn bit_length_of(number: u32) -> u32 {
        5 * (32 - number.leading_zeros()).div_ceil(4).max(1)
    }

    /// Appends a length and bytes.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u32);
        for byte in bytes {
            self.put(u32::from(*byte), 8);
        }
    }

    /// Pads with zeros to a whole byte.
    pub fn finish(self) {
        let bytes = self.pending_count.div_ceil(8) as usize;
        self.out
            .extend_from_slice(&self.pending.to_le_bytes()[..bytes]);
    }
}

/// Reads what [`BitWriter`] wrote. Every read beyond the end gives `None`.
#[derive(Clone, Debug)]
pub(crate) struct BitReader<'a> {
    bytes: &'a [u8],
    /// Bits read so far.
    at: usize,
}

impl<'a> BitReader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// How many bits are left.
    pub fn remaining_bits(&self) -> usize {
        self.bytes.len() * 8 - self.at
    }

    /// The next `count` bits, at most 32, without consuming them; zeros beyond the end.
    pub fn peek(&self, count: u32) -> u32 {
        let first = self.at / 8;
        let window = match self
            .bytes
            .get(first..first + 8)
            .and_then(|bytes| bytes.try_into().ok())
        {
            Some(bytes) => u64::from_le_bytes(bytes),
            None => self
                .bytes
                .get(first..)
                .unwrap_or_default()
                .iter()
                .rev()
                .fold(0, |window, byte| window << 8 | u64::from(*byte)),
        };
        (window >> (self.at % 8) & ((1 << count) - 1)) as u32
    }

    /// Consumes bits; `None` beyond the end.
    pub fn skip(&mut self, count: u32) -> Option<()> {
        if count as usize > self.remaining_bits() {
            return None;
        }
        self.at += count as usize;
        Some(())
    }

    /// Reads `count` bits, at most 32.
    pub fn take(&mut self, count: u32) -> Option<u32> {
        let bits = self.peek(count);
        self.skip(count)?;
        Some(bits)
    }

    /// Reads one bit.
    pub fn flag(&mut self) -> Option<bool> {
        Some(self.take(1)? == 1)
    }

    /// Reads what [`BitWriter::number`] wrote.
    pub fn number(&mut self) -> Option<u32> {
        let mut number = 0_u32;
        for group in 0..8 {
            let bits = self.take(5)?;
            number |= (bits & 15) << (4 * group);
            if bits & 16 == 0 {
                return Some(number);
            }
        }
        None
    }

    /// Reads the number of items that follow, each at least `bits_each` bits long; `None` if so many cannot follow. So nobody
    /// can make the reader reserve memory that the message does not pay for.
    pub fn count(&mut self, bits_each: usize) -> Option<u32> {
        let count = self.number()?;
        (count as usize <= self.remaining_bits() / bits_each).then_some(count)
    }

    /// Reads what [`BitWriter::bytes`] wrote.
    pub fn bytes(&mut self) -> Option<Vec<u8>> {
        let length = self.count(8)?;
        (0..length).map(|_| Some(self.take(8)? as u8)).collect()
    }

    /// Ends reading, and returns how many whole bytes were used.
    pub fn finish(self) -> usize {
        self.at.div_ceil(8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(values in prop::collection::vec((any::<u32>(), 0..=32_u32), 0..50), numbers in prop::collection::vec(any::<u32>(), 0..20)) {
            let mut out = Vec::new();
            let mut writer = BitWriter::new(&mut out);
            let cut = |bits: u32, count: u32| (u64::from(bits) & ((1_u64 << count) - 1)) as u32;
            for (bits, count) in &values {
                writer.put(cut(*bits, *count), *count);
            }
            numbers.iter().for_each(|number| writer.number(*number));
            writer.bytes(b"end");
            writer.finish();
            let mut reader = BitReader::new(&out);
            for (bits, count) in &values {
                prop_assert_eq!(reader.take(*count), Some(cut(*bits, *count)));
            }
            for number in &numbers {
                prop_assert_eq!(reader.number(), Some(*number));
            }
            prop_assert_eq!(reader.bytes(), Some(b"end".to_vec()));
            prop_assert_eq!(reader.clone().finish(), out.len());
            prop_assert_eq!(reader.take(8), None);
        }
    }
}
