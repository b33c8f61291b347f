//! One row of a replica: its lanes and texts, and the motion that the packed encoding predicts it by.
//!
//! In: what blocks say of the row. Out: the integers of the server's frame. What does not fit the schema is an error.

use super::error::ReplicaError;
use crate::world::{EntityId, Kind, KindId, Lane, RowKey, Schema, Tick, hash};
use smallvec::SmallVec;
use std::sync::Arc;
use tickwire_proto::v1;

/// The values of a row's lanes. Up to six are stored in the row itself: a swarm of bots holds the rows of hundreds of views,
/// and every pointer would be a cache miss.
pub type Lanes = SmallVec<[i32; 6]>;

/// One entity as the replica has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// The entity.
    pub id: EntityId,
    /// Public lanes, in the schema's order.
    pub lanes: Lanes,
    /// Texts, in the schema's order.
    pub texts: Vec<Arc<str>>,
    motion: Motion,
}

/// What the packed encoding predicts a row from.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Motion {
    /// The lanes before the last change.
    before: Lanes,
    /// The tick of that change; equal to `entered` if there was none.
    changed: Tick,
    /// Since when the row has been in its cell.
    entered: Tick,
    /// Whether the change being read is predicted from `before`.
    is_predicted: bool,
}

/// The key of a row that a plain block names.
pub(super) fn row_key(kind: u32, slot: u32) -> Result<RowKey, ReplicaError> {
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

    /// Starts a change to `tick`. `previous` is the tick at which the cell stood before, where that predicts; the row's lanes
    /// are then extrapolated from their values there.
    pub(super) fn begin_change(&mut self, previous: Option<Tick>, tick: Tick) {
        let motion = &mut self.motion;
        motion.is_predicted = previous.is_some_and(|previous| motion.entered <= previous);
        // A row that the last snapshot did not change had the same lanes before.
        let has_just_changed = previous.is_some_and(|previous| motion.changed > previous)
            && motion.before.len() == self.lanes.len();
        if !has_just_changed {
            motion.before.clear();
            motion.before.extend_from_slice(&self.lanes);
        }
        motion.changed = tick;
    }

    /// Whether [`Self::begin_change`] was called for this tick.
    pub(super) fn is_changing(&self, tick: Tick) -> bool {
        self.motion.changed == tick
    }

    /// Whether the change being read is predicted.
    pub(super) fn is_predicted(&self) -> bool {
        self.motion.is_predicted
    }

    /// Sets one lane to its predicted value plus the residual, and keeps the old value for the next prediction.
    pub(super) fn update_lane(&mut self, index: usize, lane: &Lane, residual: i32) {
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

    /// The row's hash, as the server computes it.
    pub(super) fn hash(&self) -> u64 {
        hash::row_hash(
            self.id,
            self.lanes.iter().copied(),
            self.texts.iter().map(|text| &**text),
        )
    }

    /// The row that a plain block carries.
    pub(super) fn from_proto(
        schema: &Schema,
        row: &v1::Row,
        tick: Tick,
    ) -> Result<Self, ReplicaError> {
        let shape = ReplicaError::Shape(row.kind, row.slot);
        let key = row_key(row.kind, row.slot)?;
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

    /// Applies a change of a plain block.
    pub(super) fn apply_change(
        &mut self,
        kind: &Kind,
        change: &v1::Change,
    ) -> Result<(), ReplicaError> {
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
