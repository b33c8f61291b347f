//! What a room says to other rooms, and what it is given: their messages, and notices.

use super::{Activity, RoomRunner};
use crate::clock::now;
use crate::log_limit;
use crate::metrics::{Metrics, RoomMessageOutcome};
use crate::token_bucket::TokenBucket;
use crate::worker::delivery::{Delivery, DeliveryBody, PostBox, REMEMBERED_FOR, RoomPost};
use tickwire_sync::Micros;

/// Messages that a room may send to others at once, and a second.
const MESSAGE_BURST: f64 = 200.0;
const MESSAGES_PER_SECOND: f64 = 100.0;

/// The limit of a new room.
pub(super) fn message_limit(now: Micros) -> TokenBucket {
    TokenBucket::new(MESSAGE_BURST, MESSAGES_PER_SECOND, now)
}

impl RoomRunner {
    /// Sends what the game has to say to other rooms.
    pub fn post_messages(&mut self, post_box: &PostBox, metrics: &Metrics, now: Micros) {
        if !self.room.has_room_messages() {
            return;
        }
        let from = self.room.name().to_owned();
        let mut dropped = 0_u64;
        for (to, payload) in self.room.take_room_messages() {
            if !self.message_limit.take(now) {
                dropped += 1;
                continue;
            }
            let from = from.clone();
            post_box.put(RoomPost { from, to, payload }, metrics, now);
        }
        if dropped > 0 {
            let outcomes = &metrics.room_messages;
            outcomes.get(RoomMessageOutcome::Dropped).inc_by(dropped);
            if log_limit::admits("room_messages_too_many", now) {
                tracing::warn!(
                    room = from,
                    dropped,
                    "the game sends too many messages to other rooms"
                );
            }
        }
    }

    /// Gives the room what is for it, once. Returns how many players read a notice; `None`: nothing is for this room. May panic as the game
    /// does.
    pub fn deliver(&mut self, delivery: &Delivery, metrics: &Metrics) -> Option<usize> {
        if self.activity == Activity::Closed {
            return None;
        }
        if delivery.seq != 0 {
            // Later, smaller numbers are those of a bus that counts anew.
            let may_be_ahead = now().since(self.opened) < REMEMBERED_FOR;
            if delivery.seq <= self.delivered && may_be_ahead {
                return None;
            }
            self.delivered = delivery.seq;
        }
        match &delivery.body {
            DeliveryBody::Notice { text, room } => {
                let is_for_it = room.as_deref().is_none_or(|room| room == self.room.name());
                is_for_it.then(|| self.room.notice(text, now()))
            }
            DeliveryBody::Messages(posts) => {
                let mut count = 0;
                for post in posts {
                    if post.is_for(self.room.name()) {
                        self.room.receive_room_message(&post.from, &post.payload);
                        count += 1;
                    }
                }
                if count > 0 {
                    let outcomes = &metrics.room_messages;
                    outcomes.get(RoomMessageOutcome::Delivered).inc_by(count);
                    self.is_outdated();
                }
                None
            }
        }
    }
}
