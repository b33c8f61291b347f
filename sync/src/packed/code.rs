//! A prefix code for residuals: small ones by one symbol each, larger ones by a symbol for their length and the bits themselves.
//!
//! In: how often each symbol occurs. Out: a canonical Huffman code whose lengths say everything (RFC 1951 section 3.2.2),
//! limited to [`MAX_LENGTH`] bits. Every symbol has a code, so every residual can be written under every table.

use super::bits::{BitReader, BitWriter};

/// Symbols: 16 for the values 0 to 15, then one for each bit length from 5 to 32.
pub(super) const SYMBOLS: usize = 16 + 28;
/// Longest code.
pub(super) const MAX_LENGTH: u32 = 11;
const LENGTHS: usize = MAX_LENGTH as usize;

/// How often each symbol occurred.
pub(super) type Counts = [u32; SYMBOLS];

/// See the module's head.
#[derive(Clone, Debug)]
pub(super) struct Code {
    lengths: [u8; SYMBOLS],
    /// Bit-reversed, as bits are written from the lowest.
    codes: [u16; SYMBOLS],
    order: Order,
}

/// What reading needs: the codes in ascending order, where shorter ones come before longer ones. It is searched by length instead of looked up in a
/// table of all bits, as there are many codes and each is met a few times a snapshot: this is two lines of the processor's cache, and a table 64.
#[derive(Clone, Debug)]
struct Order {
    /// All symbols, by the length of their codes and then by number.
    symbols: [u8; SYMBOLS],
    /// For each length (less 1), on `MAX_LENGTH` bits: the first code beyond those of this length.
    ends: [u16; LENGTHS],
    /// For each length (less 1): what is added to a code of so many bits to get the place of its symbol; wraps.
    offsets: [u16; LENGTHS],
}

impl Code {
    /// The best code for these counts.
    pub fn from_counts(counts: &Counts) -> Self {
        // Every symbol may occur, however rarely.
        let mut weights: Vec<u64> = counts
            .iter()
            .map(|count| u64::from(*count) * 16 + 1)
            .collect();
        loop {
            let lengths = huffman_lengths(&weights);
            if lengths
                .iter()
                .all(|length| u32::from(*length) <= MAX_LENGTH)
            {
                // Lengths of a Huffman tree always make a code.
                return Self::from_lengths(lengths).unwrap_or_else(Self::uniform);
            }
            // Flatter weights make shorter longest codes.
            weights
                .iter_mut()
                .for_each(|weight| *weight = *weight / 2 + 1);
        }
    }

    /// The code with these lengths; `None` if there is none in which every string of bits means something.
    pub fn from_lengths(lengths: [u8; SYMBOLS]) -> Option<Self> {
        let is_possible = lengths
            .iter()
            .all(|length| (1..=MAX_LENGTH).contains(&u32::from(*length)));
        let used: u32 = lengths
            .iter()
            .map(|length| {
                1_u32
                    .checked_shl(MAX_LENGTH.saturating_sub(u32::from(*length)))
                    .unwrap_or(0)
            })
            .sum();
        if !is_possible || used != 1 << MAX_LENGTH {
            return None;
        }
        Some(Self::of(lengths))
    }

    /// The same for lengths that make one.
    fn of(lengths: [u8; SYMBOLS]) -> Self {
        let mut code = Self {
            lengths,
            codes: [0; SYMBOLS],
            order: Order {
                symbols: [0; SYMBOLS],
                ends: [0; LENGTHS],
                offsets: [0; LENGTHS],
            },
        };
        let (mut next, mut place) = (0_u16, 0);
        for length in 1..=MAX_LENGTH {
            next <<= 1;
            let of_length = length as usize - 1;
            code.order.offsets[of_length] = (place as u16).wrapping_sub(next);
            for symbol in (0..SYMBOLS).filter(|symbol| u32::from(lengths[*symbol]) == length) {
                code.codes[symbol] = next.reverse_bits() >> (16 - length);
                code.order.symbols[place] = symbol as u8;
                next += 1;
                place += 1;
            }
            code.order.ends[of_length] = next << (MAX_LENGTH - length);
        }
        code
    }

    /// A code for residuals around 0, before anything is known of a lane.
    pub fn initial() -> Self {
        let mut counts = [0; SYMBOLS];
        for (symbol, count) in counts.iter_mut().enumerate() {
            *count = if symbol < 16 {
                4000 / (symbol as u32 + 1)
            } else {
                3000 >> (symbol - 16).min(12)
            };
        }
        Self::from_counts(&counts)
    }

    /// As long as possible the same length for all; only there so that nothing can fail.
    fn uniform() -> Self {
        // 20 symbols of 5 bits and 24 of 6 fill the code space.
        let mut lengths = [6; SYMBOLS];
        lengths[..20].fill(5);
        Self::of(lengths)
    }

    /// The lengths that make this code.
    pub fn lengths(&self) -> &[u8; SYMBOLS] {
        &self.lengths
    }

    /// How many bits these symbols take, beyond the bits that large values bring along anyway.
    pub fn cost(&self, counts: &Counts) -> u64 {
        self.lengths
            .iter()
            .zip(counts)
            .map(|(length, count)| u64::from(*length) * u64::from(*count))
            .sum()
    }

    /// Writes a residual, and returns its symbol.
    pub fn write(&self, residual: i32, out: &mut BitWriter<'_>) -> usize {
        let value = zigzag(residual);
        let (symbol, extra) = symbol_of(value);
        out.put(
            u32::from(self.codes[symbol]),
            u32::from(self.lengths[symbol]),
        );
        if extra > 0 {
            // The highest bit is known from the symbol.
            out.put(value & !(1 << extra), extra);
        }
        symbol
    }

    /// Reads a residual.
    pub fn read(&self, from: &mut BitReader<'_>) -> Option<i32> {
        let (symbol, length) = self.order.first(from.peek(MAX_LENGTH));
        from.skip(length)?;
        let value = match symbol {
            small @ 0..16 => small,
            symbol => {
                let extra = symbol - 16 + 4;
                from.take(extra)? | 1 << extra
            }
        };
        Some((value >> 1) as i32 ^ -((value & 1) as i32))
    }
}

impl Order {
    /// The symbol whose code is at the start of these bits, lowest first, and the length of that code.
    fn first(&self, bits: u32) -> (u32, u32) {
        let bits = (bits as u16).reverse_bits() >> (u16::BITS - MAX_LENGTH);
        let shorter = self.ends.iter().filter(|end| **end <= bits).count();
        // The last end is beyond all bits.
        let index = shorter.min(LENGTHS - 1);
        let length = index as u32 + 1;
        let place = (bits >> (MAX_LENGTH - length)).wrapping_add(self.offsets[index]);
        let symbol = self.symbols.get(usize::from(place)).copied();
        (u32::from(symbol.unwrap_or(0)), length)
    }
}

/// The lengths say everything.
impl PartialEq for Code {
    fn eq(&self, other: &Self) -> bool {
        self.lengths == other.lengths
    }
}

impl Eq for Code {}

fn zigzag(value: i32) -> u32 {
    (value.wrapping_shl(1) ^ (value >> 31)) as u32
}

/// The symbol of a value, and how many bits follow it.
fn symbol_of(value: u32) -> (usize, u32) {
    if value < 16 {
        return (value as usize, 0);
    }
    let extra = value.ilog2();
    (16 + extra as usize - 4, extra)
}

/// Huffman's algorithm; the lengths of a tree over symbols of these weights.
fn huffman_lengths(weights: &[u64]) -> [u8; SYMBOLS] {
    use std::cmp::Reverse;
    use std::collections::BinaryHeap;
    let mut parents = vec![0_usize; 2 * SYMBOLS - 1];
    let mut heap: BinaryHeap<Reverse<(u64, usize)>> = weights
        .iter()
        .enumerate()
        .map(|(symbol, weight)| Reverse((*weight, symbol)))
        .collect();
    let mut next = SYMBOLS;
    while let (Some(Reverse((light, a))), Some(Reverse((heavy, b)))) = (heap.pop(), heap.pop()) {
        parents[a] = next;
        parents[b] = next;
        if next + 1 == parents.len() {
            break;
        }
        heap.push(Reverse((light + heavy, next)));
        next += 1;
    }
    let mut depths = vec![0_u8; parents.len()];
    for node in (0..parents.len() - 1).rev() {
        depths[node] = depths[parents[node]] + 1;
    }
    let mut lengths = [0; SYMBOLS];
    lengths.copy_from_slice(&depths[..SYMBOLS]);
    lengths
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_residual_survives_every_code(counts in prop::array::uniform(0..1_000_000_u32), residuals in prop::collection::vec(any::<i32>(), 0..50)) {
            let code = Code::from_counts(&counts);
            prop_assert_eq!(Code::from_lengths(*code.lengths()), Some(code.clone()));
            let mut out = Vec::new();
            let mut writer = BitWriter::new(&mut out);
            for residual in &residuals {
                code.write(*residual, &mut writer);
            }
            writer.finish();
            let mut reader = BitReader::new(&out);
            for residual in &residuals {
                prop_assert_eq!(code.read(&mut reader), Some(*residual));
            }
        }

        #[test]
        fn lengths_that_make_no_code_are_refused(lengths in prop::array::uniform(0..16_u8)) {
            if let Some(code) = Code::from_lengths(lengths) {
                prop_assert_eq!(code.lengths(), &lengths);
            }
        }
    }

    #[test]
    fn frequent_symbols_have_short_codes() {
        let mut counts = [0; SYMBOLS];
        (counts[0], counts[1], counts[2]) = (1000, 500, 500);
        let code = Code::from_counts(&counts);
        assert_eq!(
            (code.lengths()[0], code.lengths()[1] + code.lengths()[2]),
            (1, 5)
        );
        assert_eq!(
            Code::initial()
                .lengths()
                .iter()
                .max()
                .map(|longest| u32::from(*longest) <= MAX_LENGTH),
            Some(true)
        );
    }
}
