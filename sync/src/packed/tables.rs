//! The coding tables that a room shares with all its clients, and how it finds better ones.
//!
//! In: the residuals that were encoded. Out: tables. They go to every client over the same ordered connection before the
//! first snapshot that uses them, so no block needs to name its table.

use super::code::{Code, Counts, MAX_LENGTH, SYMBOLS};
use crate::schema::Schema;
use thiserror::Error;
use tickwire_proto::v1;

/// Bytes of one code's lengths.
const CODE_BYTES: usize = SYMBOLS / 2;
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

    /// The tables that a message carried.
    ///
    /// # Errors
    /// If they do not fit the schema.
    pub fn from_proto(tables: &v1::Tables, schema: &Schema) -> Result<Self, TablesError> {
        let count: usize = schema.kinds.iter().map(|kind| kind.lanes.len() * 2).sum();
        if tables.code_lengths.len() != count * CODE_BYTES
            || tables.usual_lanes.len() != schema.kinds.len()
        {
            return Err(TablesError);
        }
        let mut codes = tables.code_lengths.chunks_exact(CODE_BYTES).map(|bytes| {
            let mut lengths = [0; SYMBOLS];
            for (pair, byte) in lengths.chunks_exact_mut(2).zip(bytes) {
                pair[0] = byte & 15;
                pair[1] = byte >> 4;
            }
            Code::from_lengths(lengths).ok_or(TablesError)
        });
        let mut next = || codes.next().unwrap_or(Err(TablesError));
        let mut kinds = Vec::with_capacity(schema.kinds.len());
        for (kind, usual_lanes) in schema.kinds.iter().zip(&tables.usual_lanes) {
            let codes = kind
                .lanes
                .iter()
                .map(|_| Ok([next()?, next()?]))
                .collect::<Result<_, _>>()?;
            kinds.push(KindTables {
                usual_lanes: *usual_lanes,
                codes,
            });
        }
        Ok(Self { kinds })
    }

    /// The tables as a message carries them.
    #[must_use]
    pub fn to_proto(&self) -> v1::Tables {
        let codes = self
            .kinds
            .iter()
            .flat_map(|kind| kind.codes.iter().flatten());
        let bytes = codes.flat_map(|code| {
            code.lengths()
                .chunks_exact(2)
                .map(|pair| pair[0] | pair[1] << 4)
        });
        const { assert!(MAX_LENGTH < 16, "a length takes half a byte") };
        v1::Tables {
            code_lengths: bytes.collect(),
            usual_lanes: self.kinds.iter().map(|kind| kind.usual_lanes).collect(),
        }
    }

    pub(super) fn usual_lanes(&self, kind: usize) -> u64 {
        self.kinds.get(kind).map_or(0, |kind| kind.usual_lanes)
    }

    /// A lane's codes without and with prediction.
    pub(super) fn codes(&self, kind: usize, lane: usize) -> Option<&[Code; 2]> {
        self.kinds.get(kind)?.codes.get(lane)
    }

    /// Better tables for what was encoded since the last call; `None`: there are fewer than `enough` residuals to judge by, or the gain would not pay.
    pub fn improved(&self, tally: &mut Tally, enough: u64) -> Option<Self> {
        if tally.residuals < enough {
            return None;
        }
        let (mut old_cost, mut new_cost) = (0, 0);
        let mut better = self.clone();
        for (kind, measured) in better.kinds.iter_mut().zip(&tally.kinds) {
            for (index, (codes, lane)) in kind.codes.iter_mut().zip(&measured.lanes).enumerate() {
                for (code, counts) in codes.iter_mut().zip(&lane.counts) {
                    // A lane that did not move keeps what was known of it.
                    if counts.iter().any(|count| *count > 0) {
                        let improved = Code::from_counts(counts);
                        old_cost += code.cost(counts);
                        new_cost += improved.cost(counts);
                        *code = improved;
                    }
                }
                if measured.groups > 0 {
                    let is_usual = lane.groups * 2 > measured.groups;
                    kind.usual_lanes =
                        kind.usual_lanes & !(1 << index) | u64::from(is_usual) << index;
                }
            }
        }
        tally.halve();
        let pays = new_cost * 100 < old_cost * 98
            || better
                .kinds
                .iter()
                .zip(&self.kinds)
                .any(|(new, old)| new.usual_lanes != old.usual_lanes);
        pays.then_some(better)
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

    /// What was before counts for half from now on.
    fn halve(&mut self) {
        self.residuals = 0;
        for kind in &mut self.kinds {
            kind.groups /= 2;
            for lane in &mut kind.lanes {
                lane.groups /= 2;
                lane.counts
                    .iter_mut()
                    .flatten()
                    .for_each(|count| *count /= 2);
            }
        }
    }
}
