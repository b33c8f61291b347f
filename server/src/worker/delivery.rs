//! What is delivered to rooms wherever they are: notices, and messages between rooms.
//!
//! In: what games send, and what the lobby and the bus of the cluster deliver. Out: what each room is given, once. In a cluster each delivery
//! has the bus's number. A room knows the newest number that it was given, and takes it along in its checkpoints; the worker on which it goes
//! on leaves out what it had before, and gives it what it missed on its way.

use crate::log_limit;
use crate::metrics::{Metrics, RoomMessageOutcome};
use std::collections::VecDeque;
use std::sync::Arc;
use tickwire_game::{MAX_ROOM_MESSAGE_BYTES, RoomRecipient};
use tickwire_sync::Micros;
use tokio::sync::mpsc;

/// Deliveries are remembered for this long, and so many of them: rooms are on their way for less.
pub(super) const REMEMBERED_FOR: Micros = Micros::from_millis(30_000);
const MAX_REMEMBERED: usize = 1_024;
/// Messages that wait for the post. Further ones are dropped.
const MAX_WAITING: usize = 4_096;

/// Something for rooms of any node.
#[derive(Debug)]
pub(crate) struct Delivery {
    /// Its number on the bus; 0: this node is alone.
    pub seq: u64,
    pub body: DeliveryBody,
}

#[derive(Debug)]
pub(crate) enum DeliveryBody {
    /// For the players of one room, or of all.
    Notice { text: String, room: Option<String> },
    /// For the games of rooms, in this order.
    Messages(Vec<RoomPost>),
}

impl Delivery {
    /// Whether it is for people, rather than for games.
    pub fn is_notice(&self) -> bool {
        matches!(self.body, DeliveryBody::Notice { .. })
    }
}

/// A message from room to room.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct RoomPost {
    pub from: String,
    pub to: RoomRecipient,
    pub payload: Vec<u8>,
}

impl RoomPost {
    /// Whether the room of this name gets it.
    pub fn is_for(&self, room: &str) -> bool {
        match &self.to {
            RoomRecipient::Room(name) => name == room,
            RoomRecipient::OtherRooms => self.from != room,
        }
    }
}

/// Where workers put the messages that their games send. By default there is no post, and they are dropped.
#[derive(Clone, Default)]
pub(crate) struct PostBox(Option<mpsc::Sender<RoomPost>>);

impl PostBox {
    /// A box, and where its messages come out.
    pub fn new() -> (Self, mpsc::Receiver<RoomPost>) {
        let (sender, receiver) = mpsc::channel(MAX_WAITING);
        (Self(Some(sender)), receiver)
    }

    /// Puts a message in, unless it is too long or too many wait. Never waits.
    pub fn put(&self, post: RoomPost, metrics: &Metrics, now: Micros) {
        let (post, problem) = if post.payload.len() > MAX_ROOM_MESSAGE_BYTES {
            (post, "it is too long")
        } else if let Some(sender) = &self.0 {
            match sender.try_send(post) {
                Ok(()) => return metrics.room_messages.get(RoomMessageOutcome::Sent).inc(),
                Err(refused) => (refused.into_inner(), "too many wait"),
            }
        } else {
            (post, "there is no post")
        };
        metrics.room_messages.get(RoomMessageOutcome::Dropped).inc();
        if log_limit::admits("room_message_dropped", now) {
            let (room, bytes) = (post.from, post.payload.len());
            tracing::warn!(
                room,
                bytes,
                "a message to another room is dropped: {problem}"
            );
        }
    }
}

/// The latest deliveries of the bus.
#[derive(Debug, Default)]
pub(super) struct DeliveryLog {
    newest: u64,
    /// The newest that is no longer remembered.
    forgotten: u64,
    recent: VecDeque<(Micros, Arc<Delivery>)>,
}

impl DeliveryLog {
    /// The number of the newest delivery.
    pub fn newest(&self) -> u64 {
        self.newest
    }

    /// Remembers a delivery. `false`: the bus counts anew, so that what rooms know of it means nothing any more.
    pub fn add(&mut self, delivery: &Arc<Delivery>, now: Micros) -> bool {
        if delivery.seq == 0 {
            return true;
        }
        let goes_on = delivery.seq > self.newest;
        if !goes_on {
            self.recent.clear();
            self.forgotten = 0;
        }
        self.newest = delivery.seq;
        self.recent.push_back((now, Arc::clone(delivery)));
        let is_full = self.recent.len() > MAX_REMEMBERED;
        let is_old = |(at, _): &mut (Micros, _)| is_full || now.since(*at) > REMEMBERED_FOR;
        while let Some((_, gone)) = self.recent.pop_front_if(is_old) {
            self.forgotten = gone.seq;
            if is_full {
                break;
            }
        }
        goes_on
    }

    /// Whether something that came after this number is no longer remembered.
    pub fn has_forgotten_after(&self, seq: u64) -> bool {
        self.forgotten > seq
    }

    /// What came after this number, oldest first.
    pub fn after(&self, seq: u64) -> Vec<Arc<Delivery>> {
        let missed = self.recent.iter().map(|(_, delivery)| delivery);
        missed
            .filter(|delivery| delivery.seq > seq)
            .map(Arc::clone)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(seq: u64) -> Arc<Delivery> {
        let body = DeliveryBody::Messages(Vec::new());
        Arc::new(Delivery { seq, body })
    }

    fn numbers(log: &DeliveryLog, after: u64) -> Vec<u64> {
        let missed = log.after(after).into_iter();
        missed.map(|delivery| delivery.seq).collect()
    }

    #[test]
    fn what_came_after_a_number_is_remembered_for_a_while() {
        let mut log = DeliveryLog::default();
        for seq in 1..=4 {
            assert!(log.add(&delivery(seq), Micros::from_millis(10_000 * seq)));
        }
        assert_eq!((numbers(&log, 2), log.newest()), (vec![3, 4], 4));
        log.add(&delivery(5), Micros::from_millis(55_000));
        assert_eq!(numbers(&log, 0), [3, 4, 5]);
        assert!(log.has_forgotten_after(1) && !log.has_forgotten_after(2));
        for seq in 6..=3_000 {
            log.add(&delivery(seq), Micros::from_millis(55_000));
        }
        assert_eq!(numbers(&log, 0).len(), MAX_REMEMBERED);
        assert_eq!(numbers(&log, 2_999), [3_000]);
    }

    #[test]
    fn a_bus_that_counts_anew_is_noticed() {
        let mut log = DeliveryLog::default();
        assert!(log.add(&delivery(100), Micros(0)));
        assert!(!log.add(&delivery(7), Micros(0)));
        assert_eq!((numbers(&log, 0), log.newest()), (vec![7], 7));
        assert!(!log.has_forgotten_after(0));
        // Those of a node that is alone have no numbers.
        assert!(log.add(&delivery(0), Micros(0)));
        assert_eq!(log.newest(), 7);
    }

    #[test]
    fn a_message_is_for_one_room_or_for_all_others() {
        let post = |to| RoomPost {
            from: "a".to_owned(),
            to,
            payload: Vec::new(),
        };
        let to_a = post(RoomRecipient::Room("a".to_owned()));
        assert!(to_a.is_for("a") && !to_a.is_for("b"));
        let to_others = post(RoomRecipient::OtherRooms);
        assert!(!to_others.is_for("a") && to_others.is_for("b"));
    }

    #[test]
    fn what_cannot_be_carried_is_counted() {
        let metrics = Metrics::new().unwrap();
        let (post_box, mut posts) = PostBox::new();
        let post = |bytes| RoomPost {
            from: "a".to_owned(),
            to: RoomRecipient::OtherRooms,
            payload: vec![1; bytes],
        };
        post_box.put(post(4_097), &metrics, Micros(0));
        for _ in 0..=MAX_WAITING {
            post_box.put(post(4_096), &metrics, Micros(0));
        }
        PostBox::default().put(post(1), &metrics, Micros(0));
        let count = |outcome| metrics.room_messages.get(outcome).get();
        assert_eq!(count(RoomMessageOutcome::Sent), MAX_WAITING as u64);
        assert_eq!(count(RoomMessageOutcome::Dropped), 3);
        assert_eq!(posts.try_recv().unwrap(), post(4_096));
    }
}
