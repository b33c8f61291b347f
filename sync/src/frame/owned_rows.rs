//! Owned rows: the private lanes of the newest frame, by owner.
//!
//! In: owner, entity and private lanes, once a tick. Out: for each player the lanes that only that player is sent.

use crate::world::{EntityId, PlayerId, Schema};

/// The private lanes of the newest frame, by owner.
#[derive(Clone, Default, Debug)]
pub struct OwnedRows {
    rows: Vec<OwnedRow>,
    lanes: Vec<i32>,
}

#[derive(Clone, Copy, Debug)]
struct OwnedRow {
    owner: PlayerId,
    id: EntityId,
    first_lane: u32,
}

impl OwnedRows {
    pub(super) fn clear(&mut self) {
        self.rows.clear();
        self.lanes.clear();
    }

    pub(super) fn add(&mut self, owner: PlayerId, id: EntityId, lanes: impl Iterator<Item = i32>) {
        let first_lane = self.lanes.len() as u32;
        self.rows.push(OwnedRow {
            owner,
            id,
            first_lane,
        });
        self.lanes.extend(lanes);
    }

    /// Makes this the same as `other`. Nothing is allocated once this has held as many rows.
    pub fn copy_from(&mut self, other: &Self) {
        self.rows.clear();
        self.rows.extend_from_slice(&other.rows);
        self.lanes.clear();
        self.lanes.extend_from_slice(&other.lanes);
    }

    /// The entities of all players with their owners and private lanes, sorted by owner, kind and slot.
    pub fn all<'a>(
        &'a self,
        schema: &'a Schema,
    ) -> impl Iterator<Item = (PlayerId, EntityId, &'a [i32])> {
        self.rows.iter().map(move |row| {
            let kind = schema.kind(row.id.kind);
            let count = kind.map_or(0, |kind| kind.private_lanes.len());
            let first = row.first_lane as usize;
            let lanes = self.lanes.get(first..first + count);
            (row.owner, row.id, lanes.unwrap_or_default())
        })
    }

    /// Sorts the rows by owner, for [`Self::of`].
    pub(super) fn sort(&mut self) {
        self.rows
            .sort_unstable_by_key(|row| (row.owner, row.id.key()));
    }

    /// The entities of one player with their private lanes, sorted by kind and slot.
    pub fn of<'a>(
        &'a self,
        owner: PlayerId,
        schema: &'a Schema,
    ) -> impl Iterator<Item = (EntityId, &'a [i32])> {
        let start = self.rows.partition_point(|row| row.owner < owner);
        let rest = self.rows.get(start..).unwrap_or_default();
        rest.iter()
            .take_while(move |row| row.owner == owner)
            .map(move |row| {
                let count = schema
                    .kind(row.id.kind)
                    .map_or(0, |kind| kind.private_lanes.len());
                let first = row.first_lane as usize;
                (
                    row.id,
                    self.lanes.get(first..first + count).unwrap_or_default(),
                )
            })
    }
}
