//! One row of a replica: its lanes and texts, and what the packed encoding predicts it by.
//!
//! In: what blocks say of it. Out: the integers of the server's frame. What does not fit the schema is an error.

use super::ReplicaError;
use crate::hash;
use crate::ids::{EntityId, KindId, RowKey, Tick};
use crate::schema::{Kind, Lane, Schema};
use smallvec::SmallVec;
use std::sync::Arc;
use tickwire_proto::v1;

/// The values of a row's lanes. Those of most rows lie in the row itself: a swarm has the rows of hundreds of views, and finds each where it was left a tick ago, far
/// from the processor.
pub type Lanes = SmallVec<[i32; 6]>;

/// One entity as the replica has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// The entity's name.
    pub id: EntityId,
    /// Public lanes, in the schema's order.
    pub lanes: Lanes,
    /// Texts, in the schema's order.
    pub texts: Vec<Arc<str>>,
    motion: Motion,
}

/// What the packed encoding predicts a row by.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Motion {
    /// The lanes before the last change.
    before: Lanes,
    /// The tick of that change; with `entered` if there was none.
    changed: Tick,
    /// Since when the row has been in its cell.
    entered: Tick,
    /// In a change that is being read: the lanes are predicted by `before`.
    is_predicted: bool,
}

/// The place that a plain block names.
pub(super) fn key(kind: u32, slot: u32) -> Result<RowKey, ReplicaError> {
    match u8::try_from(kind) {
        Ok(kind) if slot < EntityId::MAX_SLOTS => Ok(RowKey::new(KindId(kind), slot)),
        _ => Err(ReplicaError::Shape(kind, slot)),
    }
}

impl Row {
    /// A row that entered its cell at `tick`.
    #[must_use]
    pub fn new(id: EntityId, lanes: Lanes, texts: Vec<Arc<str>>, tick: Tick) -> Self {
        let motion = Motion {
            before: Lanes::new(),
            changed: tick,
            entered: tick,
            is_predicted: false,
        };
        Self {
            id,
            lanes,
            texts,
            motion,
        }
    }

    /// Makes ready for a change to `tick`. `previous`: the tick before the row's, if both predict; then the lanes are taken on
    /// from their values there.
    pub(crate) fn begin_change(&mut self, previous: Option<Tick>, tick: Tick) {
        let motion = &mut self.motion;
        motion.is_predicted = previous.is_some_and(|previous| motion.entered <= previous);
        // A row that did not change last was the same before.
        let has_just_changed = previous.is_some_and(|previous| motion.changed > previous)
            && motion.before.len() == self.lanes.len();
        if !has_just_changed {
            motion.before.clear();
            motion.before.extend_from_slice(&self.lanes);
        }
        motion.changed = tick;
    }

    /// Whether [`Self::begin_change`] was called for this tick.
    pub(crate) fn is_changing(&self, tick: Tick) -> bool {
        self.motion.changed == tick
    }

    pub(crate) fn is_predicted(&self) -> bool {
        self.motion.is_predicted
    }

    /// Moves one lane to its new value, from where it was or was predicted; what it was before is kept for the next prediction.
    pub(crate) fn move_lane(&mut self, index: usize, lane: &Lane, residual: i32) {
        let (Some(value), Some(before)) =
            (self.lanes.get_mut(index), self.motion.before.get_mut(index))
        else {
            return;
        };
        let predicted = if self.motion.is_predicted {
            lane.extrapolate(*before, *value)
        } else {
            *value
        };
        *before = *value;
        *value = lane.add(predicted, residual);
    }

    pub(super) fn hash(&self) -> u64 {
        hash::row(
            self.id,
            self.lanes.iter().copied(),
            self.texts.iter().map(|text| &**text),
        )
    }

    pub(super) fn from_proto(
        schema: &Schema,
        row: &v1::Row,
        tick: Tick,
    ) -> Result<Self, ReplicaError> {
        let shape = ReplicaError::Shape(row.kind, row.slot);
        let key = key(row.kind, row.slot)?;
        let kind = schema.kind(key.kind()).ok_or(shape)?;
        if row.lanes.len() != kind.lanes.len() || row.texts.len() != kind.texts.len() {
            return Err(shape);
        }
        let id = EntityId {
            kind: key.kind(),
            slot: row.slot,
            generation: row.generation,
        };
        let lanes = row
            .lanes
            .iter()
            .zip(&kind.lanes)
            .map(|(value, lane)| lane.normalise(*value))
            .collect();
        let texts = row
            .texts
            .iter()
            .map(|text| Arc::from(text.as_str()))
            .collect();
        Ok(Self::new(id, lanes, texts, tick))
    }

    pub(super) fn change(&mut self, kind: &Kind, change: &v1::Change) -> Result<(), ReplicaError> {
        let shape = ReplicaError::Shape(change.kind, change.slot);
        let mut mask = change.lane_mask;
        if mask.count_ones() as usize != change.deltas.len() {
            return Err(shape);
        }
        for delta in &change.deltas {
            let index = mask.trailing_zeros() as usize;
            mask &= mask - 1;
            let lane = kind.lanes.get(index).ok_or(shape)?;
            let value = self.lanes.get_mut(index).ok_or(shape)?;
            *value = lane.add(*value, *delta);
        }
        for text in &change.texts {
            *self.texts.get_mut(text.text as usize).ok_or(shape)? = Arc::from(text.value.as_str());
        }
        Ok(())
    }
}
