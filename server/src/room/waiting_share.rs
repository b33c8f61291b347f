//! Fair share of the sessions that wait for their player: no address keeps a room full of absent ones.
//!
//! In: an address whose player goes away, or a newcomer to a full room. Out: sessions that end before their resume window.

use super::Room;
use super::link::Link;
use super::session::Session;
use crate::fair_share::{allowance, item_to_give_up};
use crate::log_limit;
use std::net::IpAddr;
use tickwire_sync::Micros;

impl<L: Link> Room<L> {
    /// Ends the oldest waiting session of the address of the session at `index` if the address has more of them than its share.
    pub(super) fn limit_waiting(&mut self, index: usize, now: Micros) {
        let Some(address) = self.sessions[index].address else {
            return;
        };
        let (mut own, mut others) = (0, 0);
        for one in self.sessions.iter().filter(|one| one.is_away()) {
            match one.address == Some(address) {
                true => own += 1,
                false => others += 1,
            }
        }
        if own <= allowance(self.settings.max_players, others) {
            return;
        }
        let oldest = oldest_of(&self.sessions, |one| one.address == Some(address));
        self.give_up(oldest, now);
    }

    /// Ends the oldest waiting session of the address that has most of them, because the room is full. `false`: there is none.
    pub(super) fn make_place(&mut self, newcomer: Option<IpAddr>, now: Micros) -> bool {
        let mut waiting: Vec<(Micros, usize)> = (self.sessions.iter().enumerate())
            .filter_map(|(index, one)| Some((one.away_since()?, index)))
            .collect();
        waiting.sort_unstable();
        let addresses = waiting
            .iter()
            .map(|(_, index)| self.sessions[*index].address);
        let found = item_to_give_up(addresses, newcomer);
        self.give_up(found.map(|place| waiting[place].1), now);
        self.end_sessions();
        found.is_some()
    }

    fn give_up(&mut self, index: Option<usize>, now: Micros) {
        let Some(index) = index else { return };
        let session = &mut self.sessions[index];
        session.end();
        let (room, session) = (&*self.name, session.player.0);
        if log_limit::admits("session_given_up", now) {
            tracing::info!(
                room,
                session,
                "gave up its place: its address has too many sessions that wait"
            );
        }
    }
}

fn oldest_of<L: Link>(
    sessions: &[Session<L>],
    is_meant: impl Fn(&Session<L>) -> bool,
) -> Option<usize> {
    let waiting = sessions.iter().enumerate().filter(|(_, one)| is_meant(one));
    let since = waiting.filter_map(|(index, one)| Some((one.away_since()?, index)));
    since.min().map(|(_, index)| index)
}
