//! One test for each promise that a room makes to its links, which keep what they are sent here.

use super::{Arrived, Hello, Inbox, InputsArrived, Link, Room, RoomSettings, ToSend};
use crate::close::Close;
use crate::net::connection::SendOutcome;
use prost::Message as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tickwire_game::GameSettings;
use tickwire_game::arena::Arena;
use tickwire_proto::v1::{self, ServerMessage, server_message::Body};
use tickwire_sync::claim::ViewPolicy;
use tickwire_sync::clock::TickClock;
use tickwire_sync::memo::Encoding;
use tickwire_sync::window::WindowPolicy;
use tickwire_sync::{CellId, Micros, Tick};

const TICK_RATE: u32 = 60;

/// A link that keeps what was sent at once, and takes nothing while it is blocked.
#[derive(Default)]
struct Kept {
    is_blocked: AtomicBool,
    pending: AtomicUsize,
    packets: Mutex<Vec<Vec<Body>>>,
}

impl Kept {
    fn keep<'a>(&self, messages: impl IntoIterator<Item = &'a [u8]>) {
        let body = |message| ServerMessage::decode(message).unwrap().body.unwrap();
        let packet = messages.into_iter().map(body).collect();
        self.packets.lock().unwrap().push(packet);
    }

    fn take(&self) -> Vec<Vec<Body>> {
        std::mem::take(&mut self.packets.lock().unwrap())
    }
}

impl Link for Kept {
    fn try_send(to_send: &mut [ToSend<'_, Self>]) {
        for one in to_send {
            one.outcome = match one.link.is_blocked.load(Ordering::Relaxed) {
                true => SendOutcome::WouldBlock,
                false => SendOutcome::Sent,
            };
            if one.outcome == SendOutcome::Sent {
                one.link.keep(one.messages.iter().copied());
            }
        }
    }

    fn send(&self, message: &[u8]) {
        self.keep([message]);
    }

    fn close(&self, _: &Close) {}

    fn round_trip(&self) -> Option<Micros> {
        None
    }

    fn pending_bytes(&self) -> usize {
        self.pending.load(Ordering::Relaxed)
    }
}

/// A room of the arena before its first tick.
pub(crate) fn room<L: Link>(tick_zero_us: i64, window_policy: WindowPolicy) -> Room<L> {
    let settings = RoomSettings {
        tick_rate: TICK_RATE,
        max_players: 64,
        resume_window: Duration::from_secs(60),
        max_message_bytes: 4096,
        max_rewind: Duration::from_millis(250),
        view_policy: ViewPolicy::default(),
        window_policy,
    };
    let ticks = TickClock {
        tick_zero_us,
        tick_rate: TICK_RATE,
    };
    let game = Arena::new(&GameSettings {
        seed: 1,
        tick_rate: TICK_RATE,
        npcs: 60,
        ..GameSettings::default()
    });
    Room::new("tested", settings, Box::new(game), ticks, [1; 32])
}

fn watcher(room: &mut Room<Kept>, encoding: Encoding) -> Arc<Kept> {
    join(room, encoding).0
}

fn join(room: &mut Room<Kept>, encoding: Encoding) -> (Arc<Kept>, Arc<Inbox>) {
    let hello = Hello {
        name: String::new(),
        subject: None,
        resume_token: Vec::new(),
        last_message: 0,
        encoding,
        is_spectator: true,
    };
    let (link, inbox) = (Arc::new(Kept::default()), Arc::new(Inbox::default()));
    room.join(&hello, Arc::clone(&link), Arc::clone(&inbox), Micros(0))
        .unwrap();
    (link, inbox)
}

fn tick(room: &mut Room<Kept>, tick: Tick) {
    let now = Micros(room.ticks().due_us(tick) as u64);
    room.tick(tick, now, || now);
    room.show(now, || now);
}

fn has_tables(packet: &[Body]) -> bool {
    packet.iter().any(|body| matches!(body, Body::Tables(_)))
}

/// Whether it is one packet, with the tables before the snapshot that uses them.
fn is_tables_with_snapshot(packets: &[Vec<Body>]) -> bool {
    match packets {
        [packet] => matches!(&packet[..], [Body::Tables(_), .., Body::Snapshot(_)]),
        _ => false,
    }
}

#[test]
fn new_tables_go_with_the_first_snapshot_that_can_go() {
    let mut room = room(0, WindowPolicy::Open);
    let plain = watcher(&mut room, Encoding::Plain);
    let packed = watcher(&mut room, Encoding::Packed);
    let blocked = watcher(&mut room, Encoding::Packed);
    let found = (1..20 * TICK_RATE).map(Tick).find_map(|number| {
        blocked.is_blocked.store(true, Ordering::Relaxed);
        tick(&mut room, number);
        let packets = packed.take();
        packets
            .iter()
            .any(|packet| has_tables(packet))
            .then_some((number, packets))
    });
    let (number, packets) = found.expect("sixty ships that move are worth tables of their own");
    assert!(is_tables_with_snapshot(&packets));

    // Not again; and who was blocked has got none, and gets them as soon as something goes.
    blocked.take();
    blocked.is_blocked.store(false, Ordering::Relaxed);
    tick(&mut room, Tick(number.0 + 1));
    assert!(!packed.take().iter().any(|packet| has_tables(packet)));
    assert!(is_tables_with_snapshot(&blocked.take()));

    // Who comes now has them in the welcome, and who reads plain snapshots never needs any.
    let late = watcher(&mut room, Encoding::Packed);
    tick(&mut room, Tick(number.0 + 2));
    assert!(!late.take().iter().any(|packet| has_tables(packet)));
    assert!(!plain.take().iter().any(|packet| has_tables(packet)));
}

/// What a client says that could apply the snapshot of `received`, and none after it.
fn input(number: Tick, received: Tick) -> Arrived {
    let inputs = v1::Inputs {
        seq: number.0,
        target_tick: number.0 + 1,
        received_tick: received.0,
        ..v1::Inputs::default()
    };
    let arrived = Micros(u64::from(number.0) * 1_000_000 / u64::from(TICK_RATE));
    Arrived::Inputs(InputsArrived::new(&inputs, arrived).unwrap())
}

fn starts_over(packets: &[Vec<Body>]) -> usize {
    let bodies = packets.iter().flatten();
    bodies
        .filter(|body| matches!(body, Body::Snapshot(snapshot) if snapshot.start_over))
        .count()
}

#[test]
fn who_lost_its_view_gets_a_whole_one_whatever_is_on_its_way_and_one_a_second() {
    let mut room = room(0, WindowPolicy::FollowsThePath);
    let (link, inbox) = join(&mut room, Encoding::Packed);
    let mut run = |ticks: std::ops::Range<u32>, lost: bool| {
        for number in ticks.map(Tick) {
            inbox.put(input(number, Tick(1)));
            if lost {
                inbox.put(Arrived::Resync {
                    view_mismatch: true,
                });
            }
            tick(&mut room, number);
        }
        (starts_over(&link.take()), room.take_stats().view_mismatches)
    };
    assert_eq!(run(1..60, false), (1, 0));
    // Nothing that it was sent will ever be named, and the first second's allowance is there.
    assert_eq!(run(60..61, true), (1, 1));
    let (again, mismatches) = run(61..60 + 10 * TICK_RATE, true);
    assert!((9..=10).contains(&again), "{again}");
    assert!((9..=11).contains(&mismatches), "{mismatches}");
}

#[test]
fn messages_wait_for_a_link_that_is_full_and_come_in_their_order() {
    let mut room = room(0, WindowPolicy::Open);
    let (slow, _) = join(&mut room, Encoding::Packed);
    let (_, inbox) = join(&mut room, Encoding::Packed);
    let numbers = |packets: Vec<Vec<Body>>| -> Vec<u32> {
        let number = |body| match body {
            Body::Message(message) => Some(message.number),
            _ => None,
        };
        packets.into_iter().flatten().filter_map(number).collect()
    };
    slow.pending.store(1 << 20, Ordering::Relaxed);
    for number in 1..=20 {
        if number <= 3 {
            inbox.put(Arrived::Chat(number.to_string()));
        }
        tick(&mut room, Tick(number));
    }
    assert!(numbers(slow.take()).is_empty());
    slow.pending.store(0, Ordering::Relaxed);
    for number in 21..=40 {
        tick(&mut room, Tick(number));
    }
    assert_eq!(numbers(slow.take()), [1, 2, 3]);
}

#[test]
fn a_room_takes_so_many_lines_of_chat_and_says_so_once_a_second() {
    let mut room = room(0, WindowPolicy::Open);
    let players: Vec<_> = (0..40).map(|_| join(&mut room, Encoding::Packed)).collect();
    let mut heard = (0, 0);
    for second in 0..10 {
        for number in (1..=TICK_RATE).map(|part| Tick(second * TICK_RATE + part)) {
            for (_, inbox) in &players {
                inbox.put(Arrived::Chat("hello".to_owned()));
            }
            tick(&mut room, number);
        }
        let packets = players[0].0.take();
        let bodies = packets.iter().flatten();
        for body in bodies {
            heard.0 += u32::from(matches!(body, Body::Message(_)));
            heard.1 += u32::from(matches!(body, Body::Notice(_)));
        }
    }
    // Sixty at once, and then twenty a second.
    assert!((60 + 9 * 20..=60 + 10 * 20).contains(&heard.0), "{heard:?}");
    assert!((9..=11).contains(&heard.1), "{heard:?}");
}

#[test]
fn events_that_a_cell_has_no_place_for_are_counted() {
    let mut room: Room<Kept> = room(0, WindowPolicy::Open);
    let dropped_of = |count: usize, room: &mut Room<Kept>| {
        for _ in 0..count {
            room.events.emit(0, b"", [CellId::GLOBAL]);
        }
        let next = room.tick_now().next();
        tick(room, next);
        room.take_stats().events_dropped
    };
    assert_eq!(dropped_of(70, &mut room), 6);
    assert_eq!(dropped_of(64, &mut room), 0);
    assert_eq!(dropped_of(65, &mut room), 1);
}
