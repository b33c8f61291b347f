//! The coding tables that a room shares with all its clients, and how it finds better ones.
//!
//! In: the residuals that were encoded. Out: tables. They go to every client over the same ordered connection before the
//! first snapshot that uses them, so no block needs to name its table. A code becomes another one only where that saves each
//! client more than the message takes that tells of it, so what a large schema has and hardly uses costs nothing.

use super::code::{Code, Counts, MAX_LENGTH, SYMBOLS};
use crate::schema::Schema;
use thiserror::Error;
use tickwire_proto::v1;

/// Bytes of one code's lengths.
const CODE_BYTES: usize = SYMBOLS / 2;
/// Bits that another code takes in a message, its number included.
const CODE_BITS: f64 = (CODE_BYTES as f64 + 1.0) * 8.0;
/// Groups that show which lanes usually change.
const MIN_GROUPS: u64 = 32;
/// What says all that there is to say of a kind's groups, and of a lane's residuals.
const ENOUGH_GROUPS: u64 = 1_000;
const ENOUGH_RESIDUALS: u32 = 1_000;

/// The tables of a message do not fit the schema, or are no codes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("these coding tables do not fit the schema")]
pub struct TablesError;

/// One code for each kind, public lane and way of prediction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tables {
    kinds: Vec<KindTables>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct KindTables {
    /// The lanes that usually change.
    usual_lanes: u64,
    /// For each lane: without and with prediction.
    codes: Vec<[Code; 2]>,
}

/// What was encoded since the last look.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    kinds: Vec<KindTally>,
    residuals: u64,
}

#[derive(Clone, Debug, Default)]
struct KindTally {
    lanes: Vec<LaneTally>,
    /// Groups of rows that were encoded together.
    groups: u64,
}

#[derive(Clone, Debug)]
struct LaneTally {
    counts: [Counts; 2],
    /// Groups in which the lane changed.
    groups: u64,
}

impl Tables {
    /// The tables of a room of which nothing is known yet.
    #[must_use]
    pub fn initial(schema: &Schema) -> Self {
        let code = Code::initial();
        let kinds = schema.kinds.iter().map(|kind| KindTables {
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

    /// These tables with what a message changes; a message without [`v1::Tables::changed`] brings all of them.
    ///
    /// # Errors
    /// If it does not fit the schema.
    pub fn changed_by(&self, message: &v1::Tables) -> Result<Self, TablesError> {
        let mut changed = self.clone();
        if message.usual_lanes.len() != changed.kinds.len() {
            return Err(TablesError);
        }
        for (kind, usual_lanes) in changed.kinds.iter_mut().zip(&message.usual_lanes) {
            kind.usual_lanes = *usual_lanes;
        }
        let mut lengths = message.code_lengths.chunks_exact(CODE_BYTES);
        let mut next = || lengths.next().and_then(code_of).ok_or(TablesError);
        if message.changed.is_empty() && !message.code_lengths.is_empty() {
            for code in changed.codes_mut() {
                *code = next()?;
            }
        } else {
            let mut codes = changed.codes_mut();
            for between in &message.changed {
                *codes.nth(*between as usize).ok_or(TablesError)? = next()?;
            }
        }
        let is_all = lengths.next().is_none() && lengths.remainder().is_empty();
        is_all.then_some(changed).ok_or(TablesError)
    }

    /// The tables as a message carries all of them.
    #[must_use]
    pub fn to_proto(&self) -> v1::Tables {
        v1::Tables {
            code_lengths: self.codes_in_order().flat_map(lengths_of).collect(),
            usual_lanes: self.kinds.iter().map(|kind| kind.usual_lanes).collect(),
            changed: Vec::new(),
        }
    }

    /// The message that makes these tables of `before`.
    #[must_use]
    pub fn changes_since(&self, before: &Self) -> v1::Tables {
        let mut message = v1::Tables {
            usual_lanes: self.kinds.iter().map(|kind| kind.usual_lanes).collect(),
            ..v1::Tables::default()
        };
        let mut between = 0;
        for (new, old) in self.codes_in_order().zip(before.codes_in_order()) {
            if new == old {
                between += 1;
                continue;
            }
            message.changed.push(std::mem::take(&mut between));
            message.code_lengths.extend(lengths_of(new));
        }
        message
    }

    /// In the order of messages.
    fn codes_in_order(&self) -> impl Iterator<Item = &Code> {
        self.kinds
            .iter()
            .flat_map(|kind| kind.codes.iter().flatten())
    }

    fn codes_mut(&mut self) -> impl Iterator<Item = &mut Code> {
        let kinds = self.kinds.iter_mut();
        kinds.flat_map(|kind| kind.codes.iter_mut().flatten())
    }

    pub(super) fn usual_lanes(&self, kind: usize) -> u64 {
        self.kinds.get(kind).map_or(0, |kind| kind.usual_lanes)
    }

    /// A lane's codes without and with prediction.
    pub(super) fn codes(&self, kind: usize, lane: usize) -> Option<&[Code; 2]> {
        self.kinds.get(kind)?.codes.get(lane)
    }

    /// Better tables for what was encoded since the last call; `None`: there are fewer than `enough` residuals to judge by, or nothing that would
    /// pay. `share` is the part of it that one client gets.
    pub fn improved(&self, tally: &mut Tally, enough: u64, share: f64) -> Option<Self> {
        if tally.residuals < enough {
            return None;
        }
        let mut better = self.clone();
        for (kind, measured) in better.kinds.iter_mut().zip(&tally.kinds) {
            for (codes, lane) in kind.codes.iter_mut().zip(&measured.lanes) {
                for (code, counts) in codes.iter_mut().zip(&lane.counts) {
                    improve(code, counts, share);
                }
            }
            kind.usual_lanes = measured.usual_lanes(kind.usual_lanes);
        }
        tally.halve();
        (better != *self).then_some(better)
    }
}

/// Another code instead, if it saves more than it takes to tell of it.
fn improve(code: &mut Code, counts: &Counts, share: f64) {
    // None can be better by more than all there is.
    let cost = code.cost(counts);
    if cost as f64 * share <= CODE_BITS {
        return;
    }
    let better = Code::from_counts(counts);
    let saved = cost.saturating_sub(better.cost(counts));
    if saved as f64 * share > CODE_BITS {
        *code = better;
    }
}

fn code_of(bytes: &[u8]) -> Option<Code> {
    let mut lengths = [0; SYMBOLS];
    for (pair, byte) in lengths.chunks_exact_mut(2).zip(bytes) {
        pair[0] = byte & 15;
        pair[1] = byte >> 4;
    }
    Code::from_lengths(lengths)
}

fn lengths_of(code: &Code) -> impl Iterator<Item = u8> {
    const { assert!(MAX_LENGTH < 16, "a length takes half a byte") };
    let pairs = code.lengths().chunks_exact(2);
    pairs.map(|pair| pair[0] | pair[1] << 4)
}

impl KindTally {
    /// The lanes that usually change: those that did in well over half of the groups, less those that did in well under half; what is in between
    /// stays what it was, or it would be one thing at one look and another at the next.
    fn usual_lanes(&self, before: u64) -> u64 {
        if self.groups < MIN_GROUPS {
            return before;
        }
        let (most, few) = (self.groups / 8 * 5, self.groups / 8 * 3);
        let lanes = self.lanes.iter().enumerate();
        lanes.fold(before, |usual, (index, lane)| match lane.groups {
            groups if groups > most => usual | 1 << index,
            groups if groups < few => usual & !(1 << index),
            _ => usual,
        })
    }
}

impl Tally {
    /// Nothing yet.
    #[must_use]
    pub fn new(schema: &Schema) -> Self {
        let lane = LaneTally {
            counts: [[0; SYMBOLS]; 2],
            groups: 0,
        };
        let kinds = schema.kinds.iter().map(|kind| KindTally {
            lanes: vec![lane.clone(); kind.lanes.len()],
            groups: 0,
        });
        Self {
            kinds: kinds.collect(),
            residuals: 0,
        }
    }

    pub(super) fn group(&mut self, kind: usize, lanes: u64) {
        let Some(kind) = self.kinds.get_mut(kind) else {
            return;
        };
        kind.groups += 1;
        for (index, lane) in kind.lanes.iter_mut().enumerate() {
            lane.groups += lanes >> index & 1;
        }
    }

    pub(super) fn residual(&mut self, kind: usize, lane: usize, is_predicted: bool, symbol: usize) {
        if let Some(lane) = self
            .kinds
            .get_mut(kind)
            .and_then(|kind| kind.lanes.get_mut(lane))
        {
            lane.counts[usize::from(is_predicted)][symbol] += 1;
            self.residuals += 1;
        }
    }

    /// What was before counts for half from now on, but where little was seen yet: that adds up until there is enough to judge by.
    fn halve(&mut self) {
        self.residuals = 0;
        for kind in &mut self.kinds {
            if kind.groups > ENOUGH_GROUPS {
                kind.groups /= 2;
                kind.lanes.iter_mut().for_each(|lane| lane.groups /= 2);
            }
            for counts in kind.lanes.iter_mut().flat_map(|lane| &mut lane.counts) {
                if counts.iter().sum::<u32>() > ENOUGH_RESIDUALS {
                    counts.iter_mut().for_each(|count| *count /= 2);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::Grid;
    use crate::schema::{Kind, Lane};
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
        }
    }

    proptest! {
        #[test]
        fn what_changed_is_all_that_a_client_needs(
            seen in prop::collection::vec((0..3_usize, 0..4_usize, any::<bool>(), 0..SYMBOLS, 1..3_000_u32), 0..40),
            groups in prop::collection::vec((0..3_usize, 0..16_u64), 0..100),
        ) {
            let schema = schema(3, 4);
            let (before, mut tally) = (Tables::initial(&schema), Tally::new(&schema));
            for (kind, lane, is_predicted, symbol, times) in seen {
                (0..times).for_each(|_| tally.residual(kind, lane, is_predicted, symbol));
            }
            for (kind, lanes) in groups {
                tally.group(kind, lanes);
            }
            let after = before.improved(&mut tally, 0, 1.0).unwrap_or_else(|| before.clone());
            let changes = after.changes_since(&before);
            prop_assert_eq!(changes.code_lengths.len(), changes.changed.len() * CODE_BYTES);
            prop_assert_eq!(&before.changed_by(&changes).unwrap(), &after);
            prop_assert_eq!(&before.changed_by(&after.to_proto()).unwrap(), &after);
            prop_assert_eq!(after.changed_by(&before.to_proto()).unwrap(), before);
        }

        #[test]
        fn what_does_not_fit_is_refused(
            code_lengths in prop::collection::vec(any::<u8>(), 0..4 * CODE_BYTES),
            changed in prop::collection::vec(0..6_u32, 0..4),
            usual_lanes in prop::collection::vec(any::<u64>(), 0..3),
        ) {
            let tables = Tables::initial(&schema(2, 2));
            let message = v1::Tables { code_lengths, usual_lanes, changed };
            let fits = tables.changed_by(&message).is_ok();
            prop_assert!(!fits || message.usual_lanes.len() == 2 && message.code_lengths.is_empty());
        }
    }

    /// Which codes are others after each lane of a large schema was seen so many times to stay as it is.
    fn changed_by_rest(times: u64, share: f64) -> usize {
        let schema = schema(60, 32);
        let (before, mut tally) = (Tables::initial(&schema), Tally::new(&schema));
        for _ in 0..times {
            (0..60).for_each(|kind| (0..32).for_each(|lane| tally.residual(kind, lane, true, 0)));
        }
        let after = before.improved(&mut tally, 2_000, share);
        after.map_or(0, |after| after.changes_since(&before).changed.len())
    }

    #[test]
    fn a_code_changes_where_that_saves_more_than_it_takes_to_tell() {
        // One bit is saved each time, and a code is told in 184; so no code of 3,840 changes for what was seen a little.
        assert_eq!(Code::initial().lengths()[0], 2);
        assert_eq!(changed_by_rest(184, 1.0), 0);
        assert_eq!(changed_by_rest(185, 1.0), 60 * 32);
        // Who gets a tenth of it all saves a tenth.
        assert_eq!(changed_by_rest(1_840, 0.1), 0);
        assert_eq!(changed_by_rest(1_841, 0.1), 60 * 32);
    }

    #[test]
    fn lanes_about_which_opinions_differ_stay_as_they_were() {
        let schema = schema(1, 3);
        let (before, mut tally) = (Tables::initial(&schema), Tally::new(&schema));
        for group in 0..80 {
            tally.group(0, 0b001 | u64::from(group % 2 == 0) << 1);
        }
        let after = before.improved(&mut tally, 0, 1.0).unwrap();
        assert_eq!(after.usual_lanes(0), 0b001);
        for group in 0..80 {
            tally.group(0, 0b001 | u64::from(group % 2 == 0) << 1);
        }
        assert_eq!(after.improved(&mut tally, 0, 1.0), None);
    }
}
