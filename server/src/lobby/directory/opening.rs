//! Rooms open: new ones, and those that go on from a checkpoint.
//!
//! In: a name, with what is known of the room. Out: its entry among the rooms, and a command to the worker with the fewest of them, which
//! makes the game.

use super::{NoPlace, RoomDirectory, Rooms};
use crate::clock::{now, unix_ms};
use crate::close::{Close, CloseCode};
use crate::fair_share::allowance;
use crate::lobby::restored_rooms::{FoundRoom, KeptRooms, RoomRecipe, clock_at, shared_clock};
use crate::lobby::room_handle::{RoomHandle, RoomProfile, Tenure};
use crate::net::rules_module::RulesModule;
use crate::room::RoomSettings;
use crate::worker::{Command, RoomEntry, ServerRoom};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tickwire_sync::bench_policies::ViewPolicy;
use tickwire_sync::{Micros, Tick, TickClock};

impl RoomDirectory {
    /// Opens the rooms that an earlier process has left.
    pub(super) fn restore(&self, found: Vec<FoundRoom>) {
        let count = found.len();
        let process = self.kept.as_ref().map_or(0, KeptRooms::process);
        let tenure = Tenure {
            epoch: None,
            process,
        };
        for found in found {
            self.open_found(&mut self.rooms(), found, tenure);
        }
        if count > self.config.max_rooms {
            let max_rooms = self.config.max_rooms;
            tracing::warn!(
                "{count} rooms go on from their checkpoints, and --max-rooms is {max_rooms}"
            );
        } else if count > 0 {
            tracing::info!("{count} rooms go on from their checkpoints");
        }
    }

    /// Opens a room from its checkpoint.
    pub(in crate::lobby) fn open_found(&self, rooms: &mut Rooms, found: FoundRoom, tenure: Tenure) {
        let now = now();
        self.forget_gone(rooms, now);
        let tick_rate = self.config.tick_rate;
        let unix_ms = unix_ms();
        let profile = Arc::new(found.profile());
        let shared =
            (tenure.epoch).and_then(|_| shared_clock(&found.head, tick_rate, unix_ms, now));
        let tick = match shared {
            Some(clock) => Tick(clock.ticks_at(now.0 as f64) as u32),
            None => found.tick_at(tenure.process, unix_ms, tick_rate),
        };
        let clock = |number| shared.unwrap_or_else(|| clock_at(number, tick_rate, tick, now));
        let handle = self.new_handle(rooms, found.head.opened_by, profile, tenure, clock);
        // Its players are on their way: it is nobody's to give up before they have come and gone.
        handle.entry.is_attended.store(true, Ordering::Release);
        let name = found.name.clone();
        self.open(&name, &handle, Some((found, tick)));
        let handle = RoomHandle {
            is_open: true,
            ..handle
        };
        rooms.by_name.insert(name, handle);
    }

    /// Adds a room, which its first player opens.
    ///
    /// # Errors
    /// If there is no place for it, or not for this address.
    pub(in crate::lobby) fn add_room<'a>(
        &self,
        rooms: &'a mut Rooms,
        name: &str,
        opened_by: Option<IpAddr>,
        profile: Arc<RoomProfile>,
        tenure: Tenure,
    ) -> Result<&'a mut RoomHandle, NoPlace> {
        let now = now();
        self.forget_gone(rooms, now);
        let is_own = |handle: &&RoomHandle| opened_by.is_some() && handle.opened_by == opened_by;
        let own = rooms.by_name.values().filter(is_own).count();
        let others = rooms.by_name.len() - own;
        if opened_by.is_some() && own >= allowance(self.config.max_rooms, others) {
            return Err(NoPlace::OfAddress);
        }
        if rooms.by_name.len() >= self.config.max_rooms && !self.make_place(rooms, opened_by) {
            return Err(NoPlace::OfAll);
        }
        let clock = |number| new_tick_clock(number, self.config.tick_rate, now);
        let handle = self.new_handle(rooms, opened_by, profile, tenure, clock);
        let entry = rooms.by_name.entry(name.to_owned());
        Ok(entry.insert_entry(handle).into_mut())
    }

    /// A room on the worker that has the fewest. `clock` makes its clock from its number.
    fn new_handle(
        &self,
        rooms: &mut Rooms,
        opened_by: Option<IpAddr>,
        profile: Arc<RoomProfile>,
        tenure: Tenure,
        clock: impl FnOnce(u64) -> TickClock,
    ) -> RoomHandle {
        let mut room_counts = vec![0_usize; self.workers.len()];
        for handle in rooms.by_name.values() {
            room_counts[handle.worker] += 1;
        }
        let worker = (0..room_counts.len())
            .min_by_key(|worker| room_counts[*worker])
            .unwrap_or(0);
        let number = rooms.added_count;
        rooms.added_count += 1;
        RoomHandle {
            worker,
            tick_clock: clock(number),
            entry: Arc::new(RoomEntry {
                is_listed: self.config.room_list && !profile.is_private(),
                is_private: profile.is_private(),
                ..RoomEntry::default()
            }),
            number,
            opened_by,
            profile,
            tenure,
            held_until: Micros(0),
            is_open: false,
        }
    }

    /// The room of this name, open: its worker runs it from now on.
    ///
    /// # Errors
    /// If there is no such room.
    pub(super) fn opened(&self, rooms: &mut Rooms, name: &str) -> Result<RoomHandle, Close> {
        let Some(handle) = rooms.by_name.get_mut(name) else {
            return Err(Close::new(
                CloseCode::Full,
                "the room has just ended; connect again",
            ));
        };
        if !std::mem::replace(&mut handle.is_open, true) {
            self.open(name, handle, None);
        }
        Ok(handle.clone())
    }

    /// Has the room's worker open it: anew, or as an earlier process has left it.
    fn open(&self, name: &str, handle: &RoomHandle, found: Option<(FoundRoom, Tick)>) {
        let settings = RoomSettings {
            rules_module: self.rules_module.as_ref().map(RulesModule::hash),
            moderation: Arc::clone(&self.config.moderation),
            tick_rate: self.config.tick_rate,
            max_players: handle.profile.max_players(&self.config),
            resume_window: self.config.resume_window,
            max_message_bytes: self.config.max_message_bytes,
            hash_every_snapshot: self.config.hash_every_snapshot,
            max_rewind: self.config.max_rewind,
            view_policy: ViewPolicy::Clamped,
            window_policy: self.config.window_policy,
        };
        let (config, rules_hash) = (&self.config, self.rules_hash);
        let recipe = RoomRecipe::new(
            config,
            &self.seeds,
            &self.new_game,
            settings,
            name,
            handle,
            rules_hash,
        );
        let checkpoints = self.kept.as_ref().map(|kept| {
            let found = found.as_ref().map(|(found, _)| found);
            Box::new(kept.checkpoints_of(config, handle, recipe.clone(), found))
        });
        let make: Box<dyn FnOnce() -> ServerRoom + Send> = match (&self.kept, found) {
            (Some(kept), Some((found, tick))) => {
                let tenure = handle.tenure;
                let keeps_clients = kept.is_same_to_clients(&found.head, handle.tick_clock);
                Box::new(kept.maker(found, tenure, keeps_clients, recipe, tick))
            }
            _ => Box::new(move || recipe.make()),
        };
        self.workers[handle.worker].send(Command::Open {
            name: name.to_owned(),
            make,
            entry: Arc::clone(&handle.entry),
            checkpoints,
            recording: self
                .recorder
                .as_ref()
                .map(|recorder| Box::new(recorder.room())),
        });
    }

    /// Forgets the rooms that have ended, and gives up the claims on those that nobody has opened.
    fn forget_gone(&self, rooms: &mut Rooms, now: Micros) {
        let gone = (rooms.by_name).extract_if(.., |_, handle| handle.is_gone(now));
        for (name, handle) in gone {
            if let (Some(kept), Some(epoch), false) =
                (&self.kept, handle.tenure.epoch, handle.is_open)
            {
                kept.release(&name, epoch);
            }
        }
    }
}

/// When the ticks of the process's `number`th room are due. The golden ratio spreads any number of rooms evenly over a tick,
/// whenever each was opened, so that few rooms wait for another.
pub(in crate::lobby) fn new_tick_clock(number: u64, tick_rate: u32, now: Micros) -> TickClock {
    let since_start = TickClock {
        tick_zero_us: 0,
        tick_rate,
    };
    let phase = (number as f64 * 0.618_033_988_75).fract();
    let tick_zero = since_start.ticks_at(now.0 as f64).floor() + phase;
    TickClock {
        tick_zero_us: (tick_zero * since_start.tick_us()) as i64,
        tick_rate,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rooms_spread_over_the_tick_whenever_they_open() {
        let mut random = fastrand::Rng::with_seed(1);
        let mut now = Micros(5_000_000);
        let mut phases: Vec<f64> = (0..100)
            .map(|number| {
                now = now.plus(Micros(random.u64(0..100_000)));
                let tick_clock = new_tick_clock(number, 60, now);
                let first_tick = tick_clock.ticks_at(now.0 as f64);
                assert!((-1.0..1.0).contains(&first_tick), "{first_tick}");
                tick_clock.ticks_at(0.0).rem_euclid(1.0)
            })
            .collect();
        phases.sort_by(f64::total_cmp);
        let gaps = phases.windows(2).map(|pair| pair[1] - pair[0]);
        let widest_gap = gaps.fold(0.0, f64::max);
        assert!(widest_gap < 0.03, "no room in {widest_gap} of a tick");
    }
}
