//! A room whose links keep what they are sent.

use crate::close::Close;
use crate::net::connection::SendOutcome;
use crate::room::{Hello, Link, Room, RoomSettings, ToSend};
use prost::Message as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tickwire_game::GameSettings;
use tickwire_game::arena::Arena;
use tickwire_proto::v1::{ServerMessage, server_message::Body};
use tickwire_sync::claim::ViewPolicy;
use tickwire_sync::clock::TickClock;
use tickwire_sync::memo::Encoding;
use tickwire_sync::window::WindowPolicy;
use tickwire_sync::{Micros, Tick};

const TICK_RATE: u32 = 60;

/// A link that keeps what was sent at once, and takes nothing while it is blocked.
#[derive(Default)]
struct Kept {
    is_blocked: AtomicBool,
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
        0
    }
}

fn room() -> Room<Kept> {
    let settings = RoomSettings {
        tick_rate: TICK_RATE,
        max_players: 8,
        resume_window: Duration::from_secs(60),
        max_message_bytes: 4096,
        max_rewind: Duration::from_millis(250),
        view_policy: ViewPolicy::default(),
        window_policy: WindowPolicy::Open,
    };
    let ticks = TickClock {
        tick_zero_us: 0,
        tick_rate: TICK_RATE,
    };
    let game = Arena::new(&GameSettings {
        seed: 1,
        tick_rate: TICK_RATE,
        npcs: 60,
    });
    Room::new("tables", settings, Box::new(game), ticks, 1)
}

fn watcher(room: &mut Room<Kept>, encoding: Encoding) -> Arc<Kept> {
    let hello = Hello {
        name: String::new(),
        subject: None,
        resume_token: Vec::new(),
        last_message: 0,
        encoding,
        is_spectator: true,
    };
    let link = Arc::new(Kept::default());
    room.join(&hello, Arc::clone(&link), Arc::default(), Micros(0))
        .unwrap();
    link
}

fn tick(room: &mut Room<Kept>, tick: Tick) {
    let now = Micros(room.ticks().due_us(tick) as u64);
    room.tick(tick, now, || now);
    room.show(now, || now);
}

fn has_tables(packet: &[Body]) -> bool {
    packet.iter().any(|body| matches!(body, Body::Tables(_)))
}

#[test]
fn new_tables_go_with_the_first_snapshot_that_can_go() {
    let mut room = room();
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
    // In one packet, before the snapshot that uses them.
    assert!(
        matches!(&packets[..], [packet] if matches!(&packet[..], [Body::Tables(_), .., Body::Snapshot(_)]))
    );

    // Not again; and who was blocked has got none, and gets them as soon as something goes.
    blocked.take();
    blocked.is_blocked.store(false, Ordering::Relaxed);
    tick(&mut room, Tick(number.0 + 1));
    assert!(!packed.take().iter().any(|packet| has_tables(packet)));
    let packets = blocked.take();
    assert!(
        matches!(&packets[..], [packet] if matches!(&packet[..], [Body::Tables(_), .., Body::Snapshot(_)]))
    );

    // Who comes now has them in the welcome, and who reads plain snapshots never needs any.
    let late = watcher(&mut room, Encoding::Packed);
    tick(&mut room, Tick(number.0 + 2));
    assert!(!late.take().iter().any(|packet| has_tables(packet)));
    assert!(!plain.take().iter().any(|packet| has_tables(packet)));
}
