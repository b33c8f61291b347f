//! The publisher: takes the rows of one tick from a game.
//!
//! In: every entity that exists, once a tick. Out: the working frame, and which player owns which private lanes. It
//! panics only on a mistake in the game, to tell its author; nothing that comes from a network can make it panic.

use super::owned_rows::OwnedRows;
use super::working_frame::WorkingFrame;
use crate::world::{EntityId, Grid, KindId, PlayerId, Schema, Scope};
use std::sync::Arc;

/// Takes the rows of one tick from a game: each entity by [`Self::put`], its owner by [`Self::own`].
#[derive(Debug)]
pub struct Publisher<'a> {
    pub(super) working: &'a mut WorkingFrame,
    pub(super) owned: &'a mut OwnedRows,
    pub(super) schema: &'a Schema,
}

/// Panics. Takes the kind by value: a borrowed one would have to be stored in memory for every row that is put.
#[cold]
#[inline(never)]
#[track_caller]
fn unknown_kind(kind: KindId) -> ! {
    panic!("the schema has no kind {}", kind.0);
}

impl Publisher<'_> {
    /// The interest grid that [`Scope`] refers to.
    #[must_use]
    pub fn grid(&self) -> &Grid {
        &self.schema.grid
    }

    /// Publishes one entity: its public lanes and texts in the schema's order. Lanes with a modulus are brought into range.
    ///
    /// # Panics
    /// If the kind is unknown, the number of lanes or texts is not the schema's, a kind without a position is put on a layer,
    /// a placed one on a layer that the grid does not have, the generation is 0, the slot is too large, or the slot was put
    /// before in this tick.
    #[inline]
    #[track_caller]
    pub fn put(&mut self, id: EntityId, scope: Scope, lanes: &[i32], texts: &[Arc<str>]) {
        let Some(table) = self.working.tables.get_mut(id.kind.index()) else {
            unknown_kind(id.kind);
        };
        let fits_schema = lanes.len() == table.lane_count && texts.len() == table.text_count;
        if fits_schema && table.is_unchanged(&self.schema.grid, id, scope, lanes, texts) {
            table.mark_put(id);
        } else {
            self.put_changed(id, scope, lanes, texts);
        }
    }

    #[track_caller]
    fn put_changed(&mut self, id: EntityId, scope: Scope, lanes: &[i32], texts: &[Arc<str>]) {
        let kind = &self.schema.kinds[id.kind.index()];
        let name = &kind.name;
        assert!(
            lanes.len() == kind.lanes.len(),
            "kind {name}: published {} lanes, the schema says {}",
            lanes.len(),
            kind.lanes.len()
        );
        assert!(
            texts.len() == kind.texts.len(),
            "kind {name}: published {} texts, the schema says {}",
            texts.len(),
            kind.texts.len()
        );
        assert!(
            id.generation != 0 && id.slot < EntityId::MAX_SLOTS,
            "{id:?} is no valid entity: generations count from 1, slots stay below 2^24"
        );
        assert!(
            kind.placed || scope == Scope::Global,
            "kind {name} has no position, so it can only be published with Scope::Global"
        );
        self.working
            .put_changed(self.schema, id, scope, lanes, texts);
    }

    /// Makes a player the owner of an entity of this tick, and publishes its private lanes to that player alone, in the
    /// schema's order.
    ///
    /// # Panics
    /// If the number of lanes is not the schema's.
    #[track_caller]
    pub fn own(&mut self, owner: PlayerId, id: EntityId, private_lanes: &[i32]) {
        let kind = &self.schema.kinds[id.kind.index()];
        assert!(
            private_lanes.len() == kind.private_lanes.len(),
            "kind {}: published {} private lanes, the schema says {}",
            kind.name,
            private_lanes.len(),
            kind.private_lanes.len()
        );
        let lanes = private_lanes
            .iter()
            .zip(&kind.private_lanes)
            .map(|(value, lane)| lane.normalise(*value));
        self.owned.add(owner, id, lanes);
    }
}
