//! Finds rooms for players: the list of public rooms, and seats in them.
//!
//! In: what a page wants. Out: rooms, and reservations. Nothing here asks a worker: a match costs the game port's threads a look at the
//! rooms, and a new room costs a worker nothing before its first player comes.

use super::directory::{NoPlace, RoomDirectory, Rooms};
use super::room_handle::{PRIVATE_PREFIX, RoomHandle, RoomProfile, Tenure};
use crate::clock::now;
use crate::net::room_service::{
    ListedRoom, MatchMode, MatchRefusal, MatchRequest, Matched, RoomListPage, RoomListQuery,
};
use crate::worker::{Reservation, SEAT_HELD_FOR};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::cmp::Reverse;
use std::net::IpAddr;
use std::ops::Bound;
use std::sync::{Arc, PoisonError};
use std::time::SystemTime;
use tickwire_sync::Micros;

/// Rooms that one request looks at.
const MAX_ROOMS_LOOKED_AT: usize = 4_096;
/// Rooms in which a match tries to reserve a seat.
const MAX_ROOMS_TRIED: usize = 8;
/// Letters and digits of a new room's name that nobody takes for one another.
const NAME_LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
const NAME_LENGTH: usize = 10;

impl RoomDirectory {
    /// A seat in a room for whoever asks from `address`.
    ///
    /// # Errors
    /// If there is none.
    pub async fn find_match(
        self: &Arc<Self>,
        request: &MatchRequest,
        address: Option<IpAddr>,
    ) -> Result<Matched, MatchRefusal> {
        let may_open = request.mode != MatchMode::Join && request.room.is_none();
        let Some(member) = &self.member else {
            // Under one lock, so that players who come at the same time meet.
            let mut rooms = self.rooms();
            return match self.seat_here(&rooms, request, address) {
                Err(MatchRefusal::NoSuchRoom) if may_open => {
                    let (name, key) = new_name(&rooms, request.is_private);
                    let tenure = self.tenure();
                    self.seat_in_new(&mut rooms, &name, key, request, address, tenure)
                }
                found => found,
            };
        };
        let here = self.seat_here(&self.rooms(), request, address);
        let found = match here {
            Err(MatchRefusal::NoSuchRoom | MatchRefusal::NotInvited)
                if request.mode != MatchMode::Create || request.room.is_some() =>
            {
                member.find_match(request, address).await
            }
            found => found,
        };
        match found {
            Err(MatchRefusal::NoSuchRoom) if may_open => {
                let (name, key) = new_name(&self.rooms(), request.is_private);
                let busy = "the cluster's directory does not answer; try again in a moment";
                let tenure = member.claim_new(&name).await;
                let tenure = tenure.ok_or(MatchRefusal::TooManyRooms(busy))?;
                let mut rooms = self.rooms();
                let seated = self.seat_in_new(&mut rooms, &name, key, request, address, tenure);
                if let (Err(_), Some(kept), Some(epoch)) = (&seated, &self.kept, tenure.epoch) {
                    kept.release(&name, epoch);
                }
                seated
            }
            found => found,
        }
    }

    /// A seat in a room that this node has, for a player of another.
    ///
    /// # Errors
    /// If there is none.
    pub fn find_seat(
        &self,
        request: &MatchRequest,
        address: Option<IpAddr>,
    ) -> Result<Matched, MatchRefusal> {
        self.seat_here(&self.rooms(), request, address)
    }

    /// A seat in a room that there is.
    fn seat_here(
        &self,
        rooms: &Rooms,
        request: &MatchRequest,
        address: Option<IpAddr>,
    ) -> Result<Matched, MatchRefusal> {
        let reservation: Reservation = rand::random();
        let room = match (&request.room, request.mode) {
            (Some(room), _) => Some(self.seat_in(rooms, room, request, reservation, address)?),
            (None, MatchMode::Create) => None,
            (None, _) => self.seat_anywhere(rooms, request, reservation, address, now()),
        };
        let room = room.ok_or(MatchRefusal::NoSuchRoom)?;
        Ok(matched(room, reservation, None, false))
    }

    /// A seat in the room that the request names.
    fn seat_in(
        &self,
        rooms: &Rooms,
        room: &str,
        request: &MatchRequest,
        reservation: Reservation,
        address: Option<IpAddr>,
    ) -> Result<String, MatchRefusal> {
        let now = now();
        let is_invited = |handle: &&RoomHandle| match &handle.profile.key {
            None => true,
            Some(key) => is_key(key, &request.key),
        };
        let handle = (rooms.by_name.get(room)).filter(|handle| !handle.is_gone(now));
        // Whether a private room exists is nobody's to find out.
        let handle = handle
            .filter(is_invited)
            .ok_or(match request.key.as_str() {
                "" => MatchRefusal::NoSuchRoom,
                _ => MatchRefusal::NotInvited,
            })?;
        let max_players = handle.profile.max_players(&self.config);
        if !handle.reserve(max_players, reservation, address, now) {
            return Err(MatchRefusal::RoomIsFull);
        }
        Ok(room.to_owned())
    }

    /// A seat in the fullest public room that has the tags, so that players meet.
    fn seat_anywhere(
        &self,
        rooms: &Rooms,
        request: &MatchRequest,
        reservation: Reservation,
        address: Option<IpAddr>,
        now: Micros,
    ) -> Option<String> {
        let with_free_seats = |(name, handle): (&'_ String, &'_ RoomHandle)| {
            let is_candidate = !handle.profile.is_private()
                && handle.profile.has_tags(&request.tags)
                && !handle.is_gone(now);
            let max = handle.profile.max_players(&self.config);
            let free = is_candidate.then(|| handle.entry.seats.free(max, now))?;
            (free > 0).then(|| ((max - free, Reverse(handle.number)), name.clone()))
        };
        let looked_at = rooms.by_name.iter().take(MAX_ROOMS_LOOKED_AT);
        let mut candidates: Vec<_> = looked_at.filter_map(with_free_seats).collect();
        candidates.sort_unstable_by_key(|candidate| Reverse(candidate.0));
        let mut tried = candidates.into_iter().take(MAX_ROOMS_TRIED);
        let is_seated = |room: &(_, String)| {
            rooms.by_name.get(&room.1).is_some_and(|handle| {
                let max = handle.profile.max_players(&self.config);
                handle.reserve(max, reservation, address, now)
            })
        };
        tried.find(is_seated).map(|(_, room)| room)
    }

    /// A seat in a new room of this name, which nobody has opened yet.
    fn seat_in_new(
        &self,
        rooms: &mut Rooms,
        name: &str,
        key: Option<[u8; 16]>,
        request: &MatchRequest,
        address: Option<IpAddr>,
        tenure: Tenure,
    ) -> Result<Matched, MatchRefusal> {
        let reservation: Reservation = rand::random();
        let profile = Arc::new(RoomProfile {
            tags: request.tags.clone(),
            max_players: request.max_players,
            key,
        });
        let max_players = profile.max_players(&self.config);
        let added = self.add_room(rooms, name, address, profile, tenure);
        let handle = added.map_err(|no_place| match no_place {
            NoPlace::OfAddress => MatchRefusal::TooManyOfAddress(no_place.sentence()),
            NoPlace::OfAll => MatchRefusal::TooManyRooms(no_place.sentence()),
        })?;
        match handle.reserve(max_players, reservation, address, now()) {
            true => Ok(matched(name.to_owned(), reservation, key, true)),
            false => Err(MatchRefusal::RoomIsFull),
        }
    }

    /// A page of the list of public rooms.
    pub fn public_rooms(&self, query: &RoomListQuery) -> RoomListPage {
        let after = match query.after.as_str() {
            "" => Bound::Unbounded,
            after => Bound::Excluded(after),
        };
        let mut rooms = Vec::new();
        let mut next = None;
        let directory = self.rooms();
        let named = directory.by_name.range::<str, _>((after, Bound::Unbounded));
        let now = now();
        let mut last_name: Option<&String> = None;
        for (number, (name, handle)) in named.enumerate() {
            if rooms.len() == query.limit || number == MAX_ROOMS_LOOKED_AT {
                next = last_name.cloned();
                break;
            }
            last_name = Some(name);
            // A room that nobody has opened is not there yet.
            let is_listed = handle.is_open && handle.entry.is_listed && !handle.is_gone(now);
            if !is_listed || !handle.profile.has_tags(&query.tags) {
                continue;
            }
            let metadata = handle.entry.metadata.lock();
            let metadata = Arc::clone(&metadata.unwrap_or_else(PoisonError::into_inner));
            rooms.push(ListedRoom {
                room: name.clone(),
                players: handle.entry.seats.players(),
                max: handle.profile.max_players(&self.config),
                tags: handle.profile.tags.clone(),
                metadata,
            });
        }
        RoomListPage { rooms, next }
    }
}

/// The name of a new room, and its key if it is private.
fn new_name(rooms: &Rooms, is_private: bool) -> (String, Option<[u8; 16]>) {
    let key: Option<[u8; 16]> = is_private.then(rand::random);
    let name = match key {
        Some(_) => {
            let secret: [u8; 16] = rand::random();
            format!("{PRIVATE_PREFIX}{}", URL_SAFE_NO_PAD.encode(secret))
        }
        None => public_name(rooms),
    };
    (name, key)
}

/// A seat, as the player is told of it.
fn matched(room: String, reservation: Reservation, key: Option<[u8; 16]>, is_new: bool) -> Matched {
    let expires = SystemTime::now() + SEAT_HELD_FOR;
    let since_1970 = expires.duration_since(SystemTime::UNIX_EPOCH);
    Matched {
        room,
        reservation: URL_SAFE_NO_PAD.encode(reservation),
        key: key.map(|key| URL_SAFE_NO_PAD.encode(key)),
        expires_unix_s: since_1970.unwrap_or_default().as_secs(),
        is_new,
    }
}

/// A name that no room here has.
fn public_name(rooms: &Rooms) -> String {
    loop {
        let random: [u8; NAME_LENGTH] = rand::random();
        let letter = |byte: &u8| char::from(NAME_LETTERS[usize::from(byte % 32)]);
        let name: String = random.iter().map(letter).collect();
        if !rooms.by_name.contains_key(&name) {
            return name;
        }
    }
}

/// Whether a text is a room's key; takes a time that does not tell how much of it is right.
fn is_key(key: &[u8; 16], text: &str) -> bool {
    let Ok(given) = URL_SAFE_NO_PAD.decode(text) else {
        return false;
    };
    given.len() == key.len()
        && key
            .iter()
            .zip(&given)
            .fold(0, |difference, (a, b)| difference | (a ^ b))
            == 0
}
