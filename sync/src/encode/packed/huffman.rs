//! A Huffman code for residuals: a symbol for each small value, and for larger ones a symbol for the bit length and the bits.
//!
//! In: how often each symbol occurs. Out: a canonical Huffman code, fully described by its code lengths (RFC 1951 section
//! 3.2.2) and limited to [`MAX_LENGTH`] bits. Every symbol has a code, so every residual can be written in every code.

use super::bits::{BitReader, BitWriter};
use crate::encode::{unzigzag, zigzag};

/// How many symbols there are: 16 for the values 0 to 15, then one for each bit length from 5 to 32.
pub(crate) const SYMBOLS: usize = 16 + 28;
/// The longest code, in bits.
pub(super) const MAX_LENGTH: u32 = 11;
const LENGTHS: usize = MAX_LENGTH as usize;

/// The lengths of [`HuffmanCode::initial`]. A constant, because clients need no other code than those that they are told, and so do
/// without the algorithm.
#[rustfmt::skip]
const INITIAL_LENGTHS: [u8; SYMBOLS] = [
    2, 3, 4, 4, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 6, 6,
    3, 4, 5, 6, 7, 8, 9, 9, 10, 10, 10, 10, 11, 11, 11, 11,
    11, 11, 11, 11, 10, 10, 10, 10, 10, 10, 10, 10,
];

/// How often each symbol occurred.
pub(crate) type Counts = [u32; SYMBOLS];

/// A canonical Huffman code over the residuals' symbols.
#[derive(Clone, Debug)]
pub(crate) struct HuffmanCode {
    lengths: [u8; SYMBOLS],
    /// Bit-reversed, since bits are written from the lowest.
    codes: [u16; SYMBOLS],
    order: Order,
}

/// What reading needs: the symbols in ascending order of their codes, shorter ones first. Searched by length instead of
/// looked up in a table of all bit patterns: there are many codes, each used a few times per snapshot, and this takes two
/// cache lines where a table takes 64.
#[derive(Clone, Debug)]
struct Order {
    /// All symbols, by code length and then by number.
    symbols: [u8; SYMBOLS],
    /// For each length minus 1: the first code beyond those of this length, extended to `MAX_LENGTH` bits.
    ends: [u16; LENGTHS],
    /// For each length minus 1: what to add to a code of that length to get the index of its symbol; wraps.
    offsets: [u16; LENGTHS],
}

impl HuffmanCode {
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
                // The lengths of a Huffman tree always make a code.
                return Self::from_lengths(lengths).unwrap_or_else(Self::uniform);
            }
            // Flatter weights shorten the longest codes.
            weights
                .iter_mut()
                .for_each(|weight| *weight = *weight / 2 + 1);
        }
    }

    /// The code with these lengths; `None` unless it is complete, so that every bit pattern decodes.
    pub fn from_lengths(lengths: [u8; SYMBOLS]) -> Option<Self> {
        let are_in_range = lengths
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
        if !are_in_range || used != 1 << MAX_LENGTH {
            return None;
        }
        Some(Self::from_complete_lengths(lengths))
    }

    /// The code with these lengths, which must be complete.
    fn from_complete_lengths(lengths: [u8; SYMBOLS]) -> Self {
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

    /// A code for residuals around 0, to start with before a lane is measured.
    pub fn initial() -> Self {
        Self::from_complete_lengths(INITIAL_LENGTHS)
    }

    /// Nearly equal lengths for all symbols. A fallback that is never needed, so that nothing can fail.
    fn uniform() -> Self {
        // 20 symbols of 5 bits and 24 of 6 bits fill the code space.
        let mut lengths = [6; SYMBOLS];
        lengths[..20].fill(5);
        Self::from_complete_lengths(lengths)
    }

    /// The code length of each symbol.
    pub fn lengths(&self) -> &[u8; SYMBOLS] {
        &self.lengths
    }

    /// How many bits these symbols take in this code, without the extra bits of large values, which every code adds alike.
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
            // The symbol implies the highest bit.
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
        Some(unzigzag(value))
    }
}

impl Order {
    /// The symbol whose code these bits start with, lowest bit first, and the length of that code.
    fn first(&self, bits: u32) -> (u32, u32) {
        let bits = (bits as u16).reverse_bits() >> (u16::BITS - MAX_LENGTH);
        let shorter = self.ends.iter().filter(|end| **end <= bits).count();
        // The last end is beyond all bit patterns.
        let index = shorter.min(LENGTHS - 1);
        let length = index as u32 + 1;
        let index_of_symbol = (bits >> (MAX_LENGTH - length)).wrapping_add(self.offsets[index]);
        let symbol = self.symbols.get(usize::from(index_of_symbol)).copied();
        (u32::from(symbol.unwrap_or(0)), length)
    }
}

/// Codes are equal if their lengths are.
impl PartialEq for HuffmanCode {
    fn eq(&self, other: &Self) -> bool {
        self.lengths == other.lengths
    }
}

impl Eq for HuffmanCode {}

/// The symbol of a value, and how many extra bits follow it.
fn symbol_of(value: u32) -> (usize, u32) {
    if value < 16 {
        return (value as usize, 0);
    }
    let extra = value.ilog2();
    (16 + extra as usize - 4, extra)
}

/// Huffman's algorithm: the code lengths of a tree over symbols of these weights.
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
            let code = HuffmanCode::from_counts(&counts);
            prop_assert_eq!(HuffmanCode::from_lengths(*code.lengths()), Some(code.clone()));
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
            if let Some(code) = HuffmanCode::from_lengths(lengths) {
                prop_assert_eq!(code.lengths(), &lengths);
            }
        }
    }

    #[test]
    fn the_initial_code_is_the_best_for_residuals_around_zero() {
        let counts = std::array::from_fn(|symbol| match symbol {
            0..16 => 4000 / (symbol as u32 + 1),
            _ => 3000 >> (symbol - 16).min(12),
        });
        assert_eq!(INITIAL_LENGTHS, HuffmanCode::from_counts(&counts).lengths);
    }

    #[test]
    fn frequent_symbols_have_short_codes() {
        let mut counts = [0; SYMBOLS];
        (counts[0], counts[1], counts[2]) = (1000, 500, 500);
        let code = HuffmanCode::from_counts(&counts);
        assert_eq!(
            (code.lengths()[0], code.lengths()[1] + code.lengths()[2]),
            (1, 5)
        );
        assert_eq!(
            HuffmanCode::initial()
                .lengths()
                .iter()
                .max()
                .map(|longest| u32::from(*longest) <= MAX_LENGTH),
            Some(true)
        );
    }
}
