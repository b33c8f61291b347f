use super::{BusEvent, BusMessage, BusReader, REMEMBERED_IDS, StreamRead};
use bytes::Bytes;
use proptest::prelude::*;

/// Messages of one read, few, so that reads take several.
const READ_COUNT: usize = 3;

/// Redis as the reader sees it.
struct Redis {
    epoch: u64,
    base: u64,
    newest: u64,
    stream: Vec<BusMessage>,
}

impl Redis {
    fn new() -> Self {
        Self {
            epoch: 1,
            base: 1_000,
            newest: 1_000,
            stream: Vec::new(),
        }
    }

    fn post(&mut self, id: u128) -> BusMessage {
        self.newest += 1;
        let message = BusMessage {
            seq: self.newest,
            id,
            payload: payload(id),
        };
        self.stream.push(message.clone());
        message
    }

    /// A restart that kept the oldest messages alone.
    fn forget(&mut self, kept: usize, is_clock_back: bool) {
        self.stream.truncate(kept);
        self.epoch += 1;
        let newest = self.stream.last().map_or(0, |message| message.seq);
        self.base = newest.max(if is_clock_back { 5 } else { self.epoch * 1_000 });
        self.newest = self.base;
    }

    fn epoch(&self) -> String {
        self.epoch.to_string()
    }

    fn read(&self, after: u64) -> StreamRead {
        let rest = self.stream.iter().filter(|message| message.seq > after);
        let messages: Vec<BusMessage> = rest.take(READ_COUNT).cloned().collect();
        StreamRead {
            epoch: self.epoch(),
            base: self.base,
            newest: self.newest,
            is_complete: messages.len() < READ_COUNT,
            messages,
        }
    }

    fn reader(&self) -> BusReader {
        BusReader::new(self.epoch(), self.base, self.newest)
    }
}

fn payload(id: u128) -> Bytes {
    id.to_string().into()
}

fn events(reader: &mut BusReader) -> Vec<BusEvent> {
    let without_number = |event| match event {
        BusEvent::Message(_, payload) => BusEvent::Message(0, payload),
        other => other,
    };
    let events = std::iter::from_fn(|| reader.poll_event());
    let is_message = |event: &BusEvent| !matches!(event, BusEvent::Begins(_));
    events.filter(is_message).map(without_number).collect()
}

fn message(id: u128) -> BusEvent {
    BusEvent::Message(0, payload(id))
}

/// Reads until the reader wants no more.
fn read_all(redis: &Redis, reader: &mut BusReader) {
    for _ in 0..10_000 {
        let Some(after) = reader.begin_read() else {
            return;
        };
        reader.stream_read(redis.read(after));
    }
    panic!("the reader never has enough");
}

#[test]
fn published_messages_are_delivered_without_a_read() {
    let mut redis = Redis::new();
    redis.post(1);
    let mut reader = redis.reader();
    for id in 2..5 {
        let posted = redis.post(id);
        reader.published("1", posted.clone());
        reader.published("1", posted);
    }
    assert_eq!(reader.begin_read(), None);
    assert_eq!(events(&mut reader), [message(2), message(3), message(4)]);
}

#[test]
fn a_gap_is_read_from_the_stream() {
    let mut redis = Redis::new();
    let mut reader = redis.reader();
    redis.post(1);
    let second = redis.post(2);
    reader.published("1", second);
    assert_eq!(events(&mut reader), []);
    assert_eq!(reader.begin_read(), Some(1_000));
    // What comes meanwhile waits.
    let read = redis.read(1_000);
    let third = redis.post(3);
    reader.published("1", third);
    assert_eq!(events(&mut reader), []);
    reader.stream_read(read);
    assert_eq!(events(&mut reader), [message(1), message(2), message(3)]);
    assert_eq!(reader.begin_read(), None);
}

#[test]
fn a_subscription_reads_what_was_missed() {
    let mut redis = Redis::new();
    let mut reader = redis.reader();
    redis.post(1);
    reader.subscribed();
    // A read that was made before another subscription may be too early.
    let after = reader.begin_read().unwrap();
    let read = redis.read(after);
    redis.post(2);
    reader.subscribed();
    reader.stream_read(read);
    assert!(reader.is_read_wanted());
    read_all(&redis, &mut reader);
    assert_eq!(events(&mut reader), [message(1), message(2)]);
}

#[test]
fn a_failed_read_is_wanted_again() {
    let redis = Redis::new();
    let mut reader = redis.reader();
    reader.subscribed();
    assert_eq!(reader.begin_read(), Some(1_000));
    assert_eq!(reader.begin_read(), None);
    reader.read_failed();
    assert_eq!(reader.begin_read(), Some(1_000));
}

#[test]
fn a_message_that_was_posted_twice_is_delivered_once() {
    let mut redis = Redis::new();
    let mut reader = redis.reader();
    for id in [1, 2, 1] {
        let posted = redis.post(id);
        reader.published("1", posted);
    }
    assert_eq!(events(&mut reader), [message(1), message(2)]);
    assert_eq!(
        reader.begin_read(),
        None,
        "no gap where a copy was left out"
    );
}

#[test]
fn a_new_epoch_is_said_once_and_read_from_its_beginning() {
    let mut redis = Redis::new();
    let mut reader = redis.reader();
    let first = redis.post(1);
    reader.published("1", first);
    redis.post(2);
    redis.forget(2, false);
    redis.post(3);
    let posted = redis.post(4);
    reader.published("2", posted);
    read_all(&redis, &mut reader);
    assert_eq!(
        events(&mut reader),
        [
            message(1),
            BusEvent::Forgotten,
            message(2),
            message(3),
            message(4)
        ]
    );
}

#[test]
fn a_clock_that_was_set_back_hides_no_messages() {
    let mut redis = Redis::new();
    let mut reader = redis.reader();
    let first = redis.post(1);
    reader.published("1", first);
    redis.forget(0, true);
    redis.post(2);
    reader.subscribed();
    read_all(&redis, &mut reader);
    assert_eq!(
        events(&mut reader),
        [message(1), BusEvent::Forgotten, message(2)]
    );
}

#[test]
fn messages_that_the_stream_dropped_are_counted() {
    let mut redis = Redis::new();
    let mut reader = redis.reader();
    for id in 1..=6 {
        redis.post(id);
    }
    redis.stream.drain(..4);
    reader.subscribed();
    read_all(&redis, &mut reader);
    assert_eq!(
        events(&mut reader),
        [BusEvent::Missed(4), message(5), message(6)]
    );
    // Also where nothing is left of it.
    redis.post(7);
    redis.stream.clear();
    reader.subscribed();
    read_all(&redis, &mut reader);
    assert_eq!(events(&mut reader), [BusEvent::Missed(1)]);
}

#[test]
fn memory_is_bounded_while_the_stream_is_read() {
    let mut redis = Redis::new();
    let mut reader = redis.reader();
    reader.subscribed();
    let after = reader.begin_read().unwrap();
    let read = redis.read(after);
    for id in 0..20_000 {
        let posted = redis.post(id);
        reader.published("1", posted);
    }
    assert!(reader.early.len() <= super::EARLY_MESSAGES);
    reader.stream_read(read);
    read_all(&redis, &mut reader);
    assert_eq!(events(&mut reader).len(), 20_000);
    assert_eq!(
        (reader.ids.known.len(), reader.ids.order.len()),
        (REMEMBERED_IDS, REMEMBERED_IDS)
    );
    assert_eq!((reader.early.len(), reader.early_bytes), (0, 0));
}

/// What may happen between Redis and one node.
#[derive(Clone, Copy, Debug)]
enum Step {
    Post,
    /// A post whose answer was lost: the same message again.
    PostAgain {
        back: usize,
    },
    /// The connection breaks: nothing that is published arrives.
    Lose,
    Subscribe,
    BeginRead,
    /// Redis runs the read now, and the answer is under way.
    RunRead,
    FinishRead,
    FailRead,
    /// Redis restarts with data that lacks the last few messages, which are posted again.
    Forget {
        lost: usize,
        is_clock_back: bool,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => Just(Step::Post),
        2 => (0..4usize).prop_map(|back| Step::PostAgain { back }),
        1 => Just(Step::Lose),
        3 => Just(Step::Subscribe),
        4 => Just(Step::BeginRead),
        4 => Just(Step::RunRead),
        4 => Just(Step::FinishRead),
        1 => Just(Step::FailRead),
        1 => (0..6usize, any::<bool>()).prop_map(|(lost, is_clock_back)| Step::Forget { lost, is_clock_back }),
    ]
}

proptest! {
    #[test]
    fn every_message_is_delivered_once(steps in prop::collection::vec(step(), 0..200)) {
        let mut redis = Redis::new();
        let mut reader = redis.reader();
        let (mut is_subscribed, mut reading, mut read) = (false, None, None);
        let mut ids: u128 = 0;
        let mut forgotten = 0;
        // Numbers that were set back are noticed by a read. Before it, another epoch would hide them.
        let mut is_set_back = false;
        for step in steps {
            let mut posts = Vec::new();
            match step {
                Step::Post => {
                    ids += 1;
                    posts.push(redis.post(ids));
                }
                Step::PostAgain { back } => {
                    if let Some(id) = ids.checked_sub(back as u128).filter(|id| *id > 0) {
                        posts.push(redis.post(id));
                    }
                }
                Step::Lose => is_subscribed = false,
                Step::Subscribe => {
                    if !is_subscribed {
                        is_subscribed = true;
                        reader.subscribed();
                    }
                }
                Step::BeginRead => {
                    if reading.is_none() {
                        reading = reader.begin_read();
                    }
                }
                Step::RunRead => read = reading.map(|after| redis.read(after)),
                Step::FinishRead => {
                    if let Some(read) = read.take() {
                        reading = None;
                        is_set_back &= read.epoch != redis.epoch();
                        reader.stream_read(read);
                    }
                }
                Step::FailRead => {
                    if reading.take().is_some() {
                        read = None;
                        reader.read_failed();
                    }
                }
                Step::Forget { .. } if is_set_back => {}
                Step::Forget { lost, is_clock_back } => {
                    is_set_back = is_clock_back;
                    forgotten += 1;
                    let kept = redis.stream.len().saturating_sub(lost);
                    let again: Vec<u128> = redis.stream[kept..].iter().map(|message| message.id).collect();
                    redis.forget(kept, is_clock_back);
                    is_subscribed = false;
                    posts.extend(again.into_iter().map(|id| redis.post(id)));
                }
            }
            if is_subscribed {
                for posted in posts {
                    reader.published(&redis.epoch(), posted);
                }
            }
        }
        // An answer that is under way counts; in the end a subscription stands, and all reads succeed.
        if let Some(read) = read {
            reader.stream_read(read);
        } else if reading.is_some() {
            reader.read_failed();
        }
        reader.subscribed();
        read_all(&redis, &mut reader);
        let events = events(&mut reader);
        let mut delivered: Vec<String> = Vec::new();
        for event in &events {
            match event {
                BusEvent::Begins(_) => {}
                BusEvent::Message(_, payload) => delivered.push(String::from_utf8_lossy(payload).into_owned()),
                BusEvent::Forgotten => forgotten -= 1,
                BusEvent::Missed(count) => prop_assert!(false, "missed {}", count),
            }
        }
        prop_assert!(forgotten >= 0, "a new epoch is said once");
        let is_in_order = events.contains(&BusEvent::Forgotten) || delivered.is_sorted_by_key(|id| id.parse::<u128>().unwrap_or(0));
        prop_assert!(is_in_order, "{:?}", delivered);
        delivered.sort_by_key(|id| id.parse::<u128>().unwrap_or(0));
        let expected: Vec<String> = (1..=ids).map(|id| id.to_string()).collect();
        prop_assert_eq!(delivered, expected);
    }
}
