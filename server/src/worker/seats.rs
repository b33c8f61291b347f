//! The seats of a room: how many are taken, and which are reserved.
//!
//! In: reservations from the lobby, sessions from the room's worker. Out: whether a newcomer may sit down, and on which terms. The lobby
//! and the worker share it, so that a seat is given once. The lock is held for a look at the reservations, of which there are few, and
//! never while a game runs.

use crate::fair_share::allowance;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tickwire_sync::Micros;

/// How long a reservation holds a seat.
pub(crate) const SEAT_HELD_FOR: Duration = Duration::from_secs(10);
/// Reservations of a room at a time.
const MAX_RESERVED: usize = 256;

/// The secret by which a client takes the seat that is reserved for it.
pub(crate) type Reservation = [u8; 16];

/// The seats of one room.
#[derive(Debug, Default)]
pub(crate) struct Seats {
    state: Mutex<SeatState>,
}

#[derive(Debug, Default)]
struct SeatState {
    /// Sessions, and players who are connected, as the worker has told last.
    sessions: usize,
    players: usize,
    /// Newcomers whom the worker lets in now, who are not among the sessions yet.
    sitting_down: usize,
    reserved: Vec<ReservedSeat>,
}

#[derive(Debug)]
struct ReservedSeat {
    reservation: Reservation,
    until: Micros,
    /// It was held longer once, and is not again.
    is_held_longer: bool,
    /// The address that it counts under; `None`: it counts under none.
    address: Option<IpAddr>,
}

/// Why there is no seat for a reservation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct UnknownReservation;

impl Seats {
    /// Holds one of `max` seats for whoever comes with the reservation. `false`: there is none free, or the address holds its share.
    pub fn reserve(
        &self,
        max: usize,
        reservation: Reservation,
        address: Option<IpAddr>,
        now: Micros,
    ) -> bool {
        let mut state = self.lock();
        state.drop_expired(now);
        let taken = state.taken();
        if taken >= max || state.reserved.len() >= MAX_RESERVED {
            return false;
        }
        let is_own = |seat: &&ReservedSeat| address.is_some() && seat.address == address;
        let own = state.reserved.iter().filter(is_own).count();
        if address.is_some() && own >= allowance(max, taken - own) {
            return false;
        }
        let until = now.plus(Micros(SEAT_HELD_FOR.as_micros() as u64));
        state.reserved.push(ReservedSeat {
            reservation,
            until,
            is_held_longer: false,
            address,
        });
        true
    }

    /// Its player has come, and waits for somebody else, for this long at most. Holds the seat that much longer; once, so that nobody
    /// holds one by coming again and again.
    pub fn hold_longer(&self, reservation: &[u8], by: Duration, now: Micros) {
        let mut state = self.lock();
        state.drop_expired(now);
        let mut seats = state.reserved.iter_mut();
        let is_it = |seat: &&mut ReservedSeat| seat.reservation[..] == *reservation;
        if let Some(seat) = seats.find(is_it).filter(|seat| !seat.is_held_longer) {
            seat.until = seat.until.plus(Micros(by.as_micros() as u64));
            seat.is_held_longer = true;
        }
    }

    /// A newcomer sits down, with a reservation unless it is empty; [`Self::settle`] must follow. Returns how many seats others have
    /// reserved.
    ///
    /// # Errors
    /// If there is no such reservation: it was used, has expired, or never was.
    pub fn sit_down(&self, reservation: &[u8], now: Micros) -> Result<usize, UnknownReservation> {
        let mut state = self.lock();
        state.drop_expired(now);
        if !reservation.is_empty() && !state.take(reservation) {
            return Err(UnknownReservation);
        }
        state.sitting_down += 1;
        Ok(state.reserved.len())
    }

    /// Gives a reservation back, because its player needs none.
    pub fn give_back(&self, reservation: &[u8]) {
        if !reservation.is_empty() {
            self.lock().take(reservation);
        }
    }

    /// The worker tells how many sessions there are now, and how many players of them are connected.
    pub fn settle(&self, sessions: usize, players: usize) {
        let mut state = self.lock();
        (state.sessions, state.players) = (sessions, players);
        state.sitting_down = 0;
    }

    /// How many of `max` seats are free.
    pub fn free(&self, max: usize, now: Micros) -> usize {
        let mut state = self.lock();
        state.drop_expired(now);
        max.saturating_sub(state.taken())
    }

    /// How many players are connected.
    pub fn players(&self) -> usize {
        self.lock().players
    }

    /// Whether anybody is awaited.
    pub fn is_any_reserved(&self, now: Micros) -> bool {
        let mut state = self.lock();
        state.drop_expired(now);
        !state.reserved.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, SeatState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SeatState {
    fn taken(&self) -> usize {
        self.sessions + self.sitting_down + self.reserved.len()
    }

    fn drop_expired(&mut self, now: Micros) {
        self.reserved.retain(|seat| now < seat.until);
    }

    fn take(&mut self, reservation: &[u8]) -> bool {
        let is_it = |seat: &ReservedSeat| seat.reservation[..] == *reservation;
        let index = self.reserved.iter().position(is_it);
        index
            .map(|index| self.reserved.swap_remove(index))
            .is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Micros = Micros(1_000_000);

    fn later(ms: u64) -> Micros {
        NOW.plus(Micros::from_millis(ms))
    }

    #[test]
    fn a_reservation_holds_a_seat_until_it_is_used() {
        let seats = Seats::default();
        seats.settle(2, 1);
        assert!(seats.reserve(4, [1; 16], None, NOW));
        assert!(seats.reserve(4, [2; 16], None, NOW));
        assert!(!seats.reserve(4, [3; 16], None, NOW), "a fifth seat");
        // A newcomer without one finds two seats reserved; the first of them finds one.
        assert_eq!(seats.sit_down(&[], NOW), Ok(2));
        seats.settle(2, 2);
        assert_eq!(seats.sit_down(&[1; 16], NOW), Ok(1));
        // The seat is not given away before the session is counted.
        assert_eq!(seats.free(4, NOW), 0);
        seats.settle(3, 3);
        assert_eq!(seats.free(4, NOW), 0);
        assert_eq!(seats.sit_down(&[1; 16], NOW), Err(UnknownReservation));
        assert_eq!(seats.sit_down(&[9], NOW), Err(UnknownReservation));
    }

    #[test]
    fn a_reservation_expires_after_ten_seconds() {
        let seats = Seats::default();
        assert!(seats.reserve(1, [1; 16], None, NOW));
        assert!(seats.is_any_reserved(later(9_999)));
        assert_eq!(seats.free(1, later(9_999)), 0);
        assert!(!seats.is_any_reserved(later(10_000)));
        assert_eq!(
            seats.sit_down(&[1; 16], later(10_000)),
            Err(UnknownReservation)
        );
        assert_eq!(seats.free(1, later(10_000)), 1);
    }

    #[test]
    fn a_reservation_is_held_longer_once() {
        let seats = Seats::default();
        let by = Duration::from_secs(2);
        assert!(seats.reserve(2, [1; 16], None, NOW));
        assert!(seats.reserve(2, [2; 16], None, NOW));
        seats.hold_longer(&[1; 16], by, later(9_999));
        seats.hold_longer(&[1; 16], by, later(11_000));
        // What has expired is not held.
        seats.hold_longer(&[2; 16], by, later(10_000));
        assert_eq!(seats.free(2, later(11_999)), 1);
        assert_eq!(seats.free(2, later(12_000)), 2);
    }

    #[test]
    fn one_address_reserves_its_share_of_a_room() {
        let seats = Seats::default();
        let fill = |address: [u8; 4], from: u8| {
            let reserve = |number: &u8| {
                let address = Some(IpAddr::from(address));
                seats.reserve(100, [from + *number; 16], address, NOW)
            };
            (0..100).filter(reserve).count()
        };
        assert_eq!(fill([10, 0, 0, 1], 0), 25);
        assert_eq!(fill([10, 0, 0, 2], 100), 18);
        // In a small room nobody is held to less than sixteen.
        assert!(seats.reserve(100, [255; 16], None, NOW));
    }

    #[test]
    fn a_reservation_that_is_given_back_is_free_again() {
        let seats = Seats::default();
        assert!(seats.reserve(1, [1; 16], None, NOW));
        seats.give_back(&[1; 16]);
        assert_eq!(seats.free(1, NOW), 1);
    }
}
