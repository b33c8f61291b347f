//! The newest checkpoint of each room in Redis, from where any node of the cluster goes on.
//!
//! Redis compares the epoch of each change with that of the room's owner, so an owner that was paused overwrites nothing.

use super::format::{seal, sealed_len};
use super::store::{Applied, Change, ChangeKind, SetAside, StateStore, StoreError};
use std::collections::BTreeMap;
use tickwire_cluster::redis::room_store::{RoomChange, RoomChangeOutcome, RoomStore};

/// Checkpoints in Redis.
pub(crate) struct RedisStore(pub RoomStore);

impl StateStore for RedisStore {
    fn apply(
        &mut self,
        changes: &BTreeMap<String, Change>,
        set_aside: &[SetAside],
    ) -> Result<Applied, StoreError> {
        let failed = |error| StoreError::Redis(format!("{error}"));
        for SetAside {
            room,
            epoch,
            checkpoint,
        } in set_aside
        {
            let key = self.0.set_aside(room, checkpoint).map_err(failed)?;
            tracing::info!(room, key, "the checkpoint is kept there for a week");
            // Else the room would begin with it the next time, too.
            let epoch = *epoch;
            let remove = [RoomChange::Remove { room, epoch }];
            self.0.apply(remove.into_iter()).map_err(failed)?;
        }
        let sealed: Vec<Option<Vec<u8>>> = (changes.values())
            .map(|change| match &change.kind {
                ChangeKind::Put { body, .. } => Some(seal(body)),
                ChangeKind::Remove => None,
            })
            .collect();
        let made = changes.iter().zip(&sealed).map(|((room, change), sealed)| {
            let epoch = change.epoch;
            match (&change.kind, sealed) {
                (ChangeKind::Put { is_last, .. }, Some(bytes)) => RoomChange::Save {
                    room,
                    epoch,
                    bytes,
                    hand_over: *is_last,
                },
                _ => RoomChange::Remove { room, epoch },
            }
        });
        let outcomes = self.0.apply(made).map_err(failed)?;
        let mut applied = Applied::default();
        for ((room, change), outcome) in changes.iter().zip(outcomes) {
            match (outcome, &change.kind) {
                (RoomChangeOutcome::Fenced, ChangeKind::Put { .. }) => {
                    applied.fenced.push((room.clone(), change.epoch));
                }
                (RoomChangeOutcome::Done, ChangeKind::Put { body, .. }) => {
                    applied.bytes += sealed_len(body.len()) as u64;
                }
                // A room that has ended, or goes on elsewhere.
                (_, ChangeKind::Remove) => {}
            }
        }
        Ok(applied)
    }
}
