//! The codebooks that a room shares with all its clients, and how it tunes them.
//!
//! In: the symbols that were encoded. Out: codebooks. Every client gets them over its ordered connection before the first
//! snapshot that uses them, so no block needs to name its codebook. A code changes only where that saves each client more
//! than the message costs, so the rarely used lanes of a large schema cost nothing.

use super::huffman::{Counts, HuffmanCode, MAX_LENGTH, SYMBOLS};
use crate::world::Schema;
use thiserror::Error;
use tickwire_proto::v1;

/// Bytes that the lengths of one code take in a message.
const CODE_BYTES: usize = SYMBOLS / 2;
/// Bits that one changed code takes in a message, its number included.
const CODE_BITS: f64 = (CODE_BYTES as f64 + 1.0) * 8.0;
/// The fewest groups by which to judge which lanes usually change.
const MIN_GROUPS: u64 = 32;
/// Beyond this many groups of a kind, or residuals of a lane, older counts fade.
const FADING_GROUPS: u64 = 1_000;
const FADING_RESIDUALS: u32 = 1_000;

/// The codebooks of a message do not fit the schema, or are no codes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("these codebooks do not fit the schema")]
pub struct CodebookError;

/// One Huffman code for each kind and public lane, without and with prediction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Codebooks {
    kinds: Vec<KindCodebooks>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct KindCodebooks {
    /// The lanes that usually change.
    usual_lanes: u64,
    /// For each lane the code without and the code with prediction.
    codes: Vec<[HuffmanCode; 2]>,
}

/// How often each symbol was written since the codebooks were last tuned.
#[derive(Clone, Debug, Default)]
pub struct SymbolCounts {
    kinds: Vec<KindCounts>,
    residuals: u64,
}

#[derive(Clone, Debug, Default)]
struct KindCounts {
    lanes: Vec<LaneCounts>,
    /// Groups of rows that were encoded together.
    groups: u64,
}

#[derive(Clone, Debug)]
struct LaneCounts {
    counts: [Counts; 2],
    /// Groups in which the lane changed.
    groups: u64,
}

impl Codebooks {
    /// The codebooks of a new room, before anything is measured.
    #[must_use]
    pub fn initial(schema: &Schema) -> Self {
        let code = HuffmanCode::initial();
        let kinds = schema.kinds.iter().map(|kind| KindCodebooks {
            usual_lanes: kind
                .lanes
                .iter()
                .enumerate()
                .fold(0, |lanes, (index, lane)| {
                    lanes | u64::from(lane.continuous) << index
                }),
            codes: vec![[code.clone(), code.clone()]; kind.lanes.len()],
        });
        Self {
            kinds: kinds.collect(),
        }
    }

    /// These codebooks with the changes of a message. A message without [`v1::Codebooks::changed`] replaces all codes.
    ///
    /// # Errors
    /// If the message does not fit the schema.
    pub fn with_changes(&self, message: &v1::Codebooks) -> Result<Self, CodebookError> {
        let mut changed = self.clone();
        if message.usual_lanes.len() != changed.kinds.len() {
            return Err(CodebookError);
        }
        for (kind, usual_lanes) in changed.kinds.iter_mut().zip(&message.usual_lanes) {
            kind.usual_lanes = *usual_lanes;
        }
        let mut lengths = message.code_lengths.chunks_exact(CODE_BYTES);
        let mut next = || {
            lengths
                .next()
                .and_then(code_from_bytes)
                .ok_or(CodebookError)
        };
        if message.changed.is_empty() && !message.code_lengths.is_empty() {
            for code in changed.codes_mut() {
                *code = next()?;
            }
        } else {
            let mut codes = changed.codes_mut();
            for skipped in &message.changed {
                *codes.nth(*skipped as usize).ok_or(CodebookError)? = next()?;
            }
        }
        let all_used = lengths.next().is_none() && lengths.remainder().is_empty();
        all_used.then_some(changed).ok_or(CodebookError)
    }

    /// The message that carries all codes.
    #[must_use]
    pub fn to_proto(&self) -> v1::Codebooks {
        v1::Codebooks {
            code_lengths: self.codes_in_order().flat_map(length_bytes).collect(),
            usual_lanes: self.kinds.iter().map(|kind| kind.usual_lanes).collect(),
            changed: Vec::new(),
        }
    }

    /// The message that turns `before` into these codebooks.
    #[must_use]
    pub fn changes_since(&self, before: &Self) -> v1::Codebooks {
        let mut message = v1::Codebooks {
            usual_lanes: self.kinds.iter().map(|kind| kind.usual_lanes).collect(),
            ..v1::Codebooks::default()
        };
        let mut skipped = 0;
        for (new, old) in self.codes_in_order().zip(before.codes_in_order()) {
            if new == old {
                skipped += 1;
                continue;
            }
            message.changed.push(std::mem::take(&mut skipped));
            message.code_lengths.extend(length_bytes(new));
        }
        message
    }

    /// All codes in the order of messages.
    fn codes_in_order(&self) -> impl Iterator<Item = &HuffmanCode> {
        self.kinds
            .iter()
            .flat_map(|kind| kind.codes.iter().flatten())
    }

    fn codes_mut(&mut self) -> impl Iterator<Item = &mut HuffmanCode> {
        let kinds = self.kinds.iter_mut();
        kinds.flat_map(|kind| kind.codes.iter_mut().flatten())
    }

    /// The lanes of a kind that usually change, bit i for lane i.
    pub(crate) fn usual_lanes(&self, kind: usize) -> u64 {
        self.kinds.get(kind).map_or(0, |kind| kind.usual_lanes)
    }

    /// A lane's codes without and with prediction.
    pub(crate) fn codes(&self, kind: usize, lane: usize) -> Option<&[HuffmanCode; 2]> {
        self.kinds.get(kind)?.codes.get(lane)
    }

    /// Better codebooks for the symbols counted since the last call; `None` with fewer than `min_residuals` residuals, or where
    /// no change would pay. `share` is the part of the blocks that one client gets, from 0 to 1.
    pub fn tuned(&self, counts: &mut SymbolCounts, min_residuals: u64, share: f64) -> Option<Self> {
        if counts.residuals < min_residuals {
            return None;
        }
        let mut better = self.clone();
        for (kind, measured) in better.kinds.iter_mut().zip(&counts.kinds) {
            for (codes, lane) in kind.codes.iter_mut().zip(&measured.lanes) {
                for (code, counts) in codes.iter_mut().zip(&lane.counts) {
                    tune_code(code, counts, share);
                }
            }
            kind.usual_lanes = measured.usual_lanes(kind.usual_lanes);
        }
        counts.fade();
        (better != *self).then_some(better)
    }
}

/// Replaces a code by a better one, where that saves each client more than the message costs.
fn tune_code(code: &mut HuffmanCode, counts: &Counts, share: f64) {
    // No code can save more than all bits that were written.
    let cost = code.cost(counts);
    if cost as f64 * share <= CODE_BITS {
        return;
    }
    let better = HuffmanCode::from_counts(counts);
    let saved = cost.saturating_sub(better.cost(counts));
    if saved as f64 * share > CODE_BITS {
        *code = better;
    }
}

fn code_from_bytes(bytes: &[u8]) -> Option<HuffmanCode> {
    let mut lengths = [0; SYMBOLS];
    for (pair, byte) in lengths.chunks_exact_mut(2).zip(bytes) {
        pair[0] = byte & 15;
        pair[1] = byte >> 4;
    }
    HuffmanCode::from_lengths(lengths)
}

fn length_bytes(code: &HuffmanCode) -> impl Iterator<Item = u8> {
    const { assert!(MAX_LENGTH < 16, "a length takes half a byte") };
    let pairs = code.lengths().chunks_exact(2);
    pairs.map(|pair| pair[0] | pair[1] << 4)
}

impl KindCounts {
    /// The lanes that usually change. Lanes that changed in over five eighths of the groups are added, those in under three
    /// eighths removed. Lanes in between stay as they were, so that the set does not flap.
    fn usual_lanes(&self, before: u64) -> u64 {
        if self.groups < MIN_GROUPS {
            return before;
        }
        let (high, low) = (self.groups / 8 * 5, self.groups / 8 * 3);
        let lanes = self.lanes.iter().enumerate();
        lanes.fold(before, |usual, (index, lane)| match lane.groups {
            groups if groups > high => usual | 1 << index,
            groups if groups < low => usual & !(1 << index),
            _ => usual,
        })
    }
}

impl SymbolCounts {
    /// Counts of zero.
    #[must_use]
    pub fn new(schema: &Schema) -> Self {
        let lane = LaneCounts {
            counts: [[0; SYMBOLS]; 2],
            groups: 0,
        };
        let kinds = schema.kinds.iter().map(|kind| KindCounts {
            lanes: vec![lane.clone(); kind.lanes.len()],
            groups: 0,
        });
        Self {
            kinds: kinds.collect(),
            residuals: 0,
        }
    }

    /// Counts one group of rows whose set of changed lanes is `lanes`.
    pub(super) fn count_group(&mut self, kind: usize, lanes: u64) {
        let Some(kind) = self.kinds.get_mut(kind) else {
            return;
        };
        kind.groups += 1;
        for (index, lane) in kind.lanes.iter_mut().enumerate() {
            lane.groups += lanes >> index & 1;
        }
    }

    /// Counts one symbol of a lane.
    pub(super) fn count_residual(
        &mut self,
        kind: usize,
        lane: usize,
        is_predicted: bool,
        symbol: usize,
    ) {
        if let Some(lane) = self
            .kinds
            .get_mut(kind)
            .and_then(|kind| kind.lanes.get_mut(lane))
        {
            lane.counts[usize::from(is_predicted)][symbol] += 1;
            self.residuals += 1;
        }
    }

    /// Halves the weight of everything counted so far. Small counts keep theirs, until there is enough to judge by.
    fn fade(&mut self) {
        self.residuals = 0;
        for kind in &mut self.kinds {
            if kind.groups > FADING_GROUPS {
                kind.groups /= 2;
                kind.lanes.iter_mut().for_each(|lane| lane.groups /= 2);
            }
            for counts in kind.lanes.iter_mut().flat_map(|lane| &mut lane.counts) {
                if counts.iter().sum::<u32>() > FADING_RESIDUALS {
                    counts.iter_mut().for_each(|count| *count /= 2);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::{Grid, Kind, Lane};
    use glam::IVec2;
    use proptest::prelude::*;

    fn schema(kinds: usize, lanes: usize) -> Schema {
        let kind = Kind {
            lanes: vec![Lane::discrete("level", "points"); lanes],
            ..Kind::default()
        };
        Schema {
            kinds: vec![kind; kinds],
            events: Vec::new(),
            grid: Grid {
                origin: IVec2::ZERO,
                cell_size: 1,
                columns: 1,
                rows: 1,
                layers: 1,
            },
            ..Schema::default()
        }
    }

    proptest! {
        #[test]
        fn changes_alone_bring_a_client_up_to_date(
            seen in prop::collection::vec((0..3_usize, 0..4_usize, any::<bool>(), 0..SYMBOLS, 1..3_000_u32), 0..40),
            groups in prop::collection::vec((0..3_usize, 0..16_u64), 0..100),
        ) {
            let schema = schema(3, 4);
            let (before, mut counts) = (Codebooks::initial(&schema), SymbolCounts::new(&schema));
            for (kind, lane, is_predicted, symbol, times) in seen {
                (0..times).for_each(|_| counts.count_residual(kind, lane, is_predicted, symbol));
            }
            for (kind, lanes) in groups {
                counts.count_group(kind, lanes);
            }
            let after = before.tuned(&mut counts, 0, 1.0).unwrap_or_else(|| before.clone());
            let changes = after.changes_since(&before);
            prop_assert_eq!(changes.code_lengths.len(), changes.changed.len() * CODE_BYTES);
            prop_assert_eq!(&before.with_changes(&changes).unwrap(), &after);
            prop_assert_eq!(&before.with_changes(&after.to_proto()).unwrap(), &after);
            prop_assert_eq!(after.with_changes(&before.to_proto()).unwrap(), before);
        }

        #[test]
        fn codebooks_that_do_not_fit_are_refused(
            code_lengths in prop::collection::vec(any::<u8>(), 0..4 * CODE_BYTES),
            changed in prop::collection::vec(0..6_u32, 0..4),
            usual_lanes in prop::collection::vec(any::<u64>(), 0..3),
        ) {
            let codebooks = Codebooks::initial(&schema(2, 2));
            let message = v1::Codebooks { code_lengths, usual_lanes, changed };
            let fits = codebooks.with_changes(&message).is_ok();
            prop_assert!(!fits || message.usual_lanes.len() == 2 && message.code_lengths.is_empty());
        }
    }

    /// How many codes change after each lane of a large schema was seen `times` times at rest.
    fn codes_changed_by_rest(times: u64, share: f64) -> usize {
        let schema = schema(60, 32);
        let (before, mut counts) = (Codebooks::initial(&schema), SymbolCounts::new(&schema));
        for _ in 0..times {
            (0..60).for_each(|kind| {
                (0..32).for_each(|lane| counts.count_residual(kind, lane, true, 0));
            });
        }
        let after = before.tuned(&mut counts, 2_000, share);
        after.map_or(0, |after| after.changes_since(&before).changed.len())
    }

    #[test]
    fn a_code_changes_where_it_saves_more_than_it_costs() {
        // Each use saves one bit, and a changed code costs 184 bits.
        assert_eq!(HuffmanCode::initial().lengths()[0], 2);
        assert_eq!(codes_changed_by_rest(184, 1.0), 0);
        assert_eq!(codes_changed_by_rest(185, 1.0), 60 * 32);
        // A client that gets a tenth of the blocks saves a tenth.
        assert_eq!(codes_changed_by_rest(1_840, 0.1), 0);
        assert_eq!(codes_changed_by_rest(1_841, 0.1), 60 * 32);
    }

    #[test]
    fn usual_lanes_do_not_flap() {
        let schema = schema(1, 3);
        let (before, mut counts) = (Codebooks::initial(&schema), SymbolCounts::new(&schema));
        for group in 0..80 {
            counts.count_group(0, 0b001 | u64::from(group % 2 == 0) << 1);
        }
        let after = before.tuned(&mut counts, 0, 1.0).unwrap();
        assert_eq!(after.usual_lanes(0), 0b001);
        for group in 0..80 {
            counts.count_group(0, 0b001 | u64::from(group % 2 == 0) << 1);
        }
        assert_eq!(after.tuned(&mut counts, 0, 1.0), None);
    }
}
