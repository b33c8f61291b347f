//! Tests of a room, one for each promise. Its links record what they are sent.

use super::test_game::{Fault, Wanderers};
use super::{
    ChatLine, Inbox, InboxMessage, JoinError, JoinRequest, KnownMap, Link, ReceivedInput, Room,
    RoomSettings,
};
use crate::close::{Close, CloseCode, DisconnectReason};
use crate::fair_share::allowance;
use crate::net::peer::send::{SendOutcome, SendRequest};
use prost::Message as _;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tickwire_game::Game;
use tickwire_proto::v1::{self, ServerMessage, server_message::Body};
use tickwire_sync::bench_policies::{ViewPolicy, WindowPolicy};
use tickwire_sync::encode::Encoding;
use tickwire_sync::{CellId, Micros, Tick, TickClock};

const TICK_RATE: u32 = 60;

/// A link that records the messages of each packet, and takes no snapshots while it is blocked.
#[derive(Default)]
struct RecordingLink {
    is_blocked: AtomicBool,
    pending_bytes: AtomicUsize,
    packets: Mutex<Vec<Vec<Body>>>,
    /// The first close.
    closed: Mutex<Option<(CloseCode, String)>>,
}

impl RecordingLink {
    fn record<'a>(&self, messages: impl IntoIterator<Item = &'a [u8]>) {
        let body = |message| ServerMessage::decode(message).unwrap().body.unwrap();
        let packet = messages.into_iter().map(body).collect();
        self.packets.lock().unwrap().push(packet);
    }

    fn take(&self) -> Vec<Vec<Body>> {
        std::mem::take(&mut self.packets.lock().unwrap())
    }
}

impl Link for RecordingLink {
    fn try_send(requests: &mut [SendRequest<'_, Self>]) {
        for one in requests {
            one.outcome = if one.link.is_blocked.load(Ordering::Relaxed) {
                SendOutcome::WouldBlock
            } else {
                SendOutcome::Sent
            };
            if one.outcome == SendOutcome::Sent {
                one.link.record(one.messages.iter().copied());
            }
        }
    }

    fn send(&self, message: &[u8]) {
        self.record([message]);
    }

    fn close(&self, close: &Close) {
        let closed = (close.code, close.reason.to_string());
        self.closed.lock().unwrap().get_or_insert(closed);
    }

    fn round_trip(&self) -> Option<Micros> {
        None
    }

    fn pending_bytes(&self) -> usize {
        self.pending_bytes.load(Ordering::Relaxed)
    }
}

fn line(text: &str) -> InboxMessage {
    InboxMessage::Chat(ChatLine::new(text).unwrap())
}

/// A room before its first tick, in which sixty things move.
pub(crate) fn room<L: Link>(tick_zero_us: i64, window_policy: WindowPolicy) -> Room<L> {
    room_of(Box::new(Wanderers::new(60)), tick_zero_us, window_policy)
}

/// A room of this game before its first tick.
pub(crate) fn room_of<L: Link>(
    game: Box<dyn Game>,
    tick_zero_us: i64,
    window_policy: WindowPolicy,
) -> Room<L> {
    let settings = RoomSettings {
        moderation: Arc::default(),
        rules_module: None,
        tick_rate: TICK_RATE,
        max_players: 64,
        resume_window: Duration::from_secs(60),
        max_message_bytes: 4096,
        hash_every_snapshot: false,
        max_rewind: Duration::from_millis(250),
        view_policy: ViewPolicy::default(),
        window_policy,
    };
    let tick_clock = TickClock {
        tick_zero_us,
        tick_rate: TICK_RATE,
    };
    Room::new("tested", settings, game, tick_clock, [1; 32])
}

fn watcher(room: &mut Room<RecordingLink>, encoding: Encoding) -> Arc<RecordingLink> {
    join(room, encoding).0
}

fn join(room: &mut Room<RecordingLink>, encoding: Encoding) -> (Arc<RecordingLink>, Arc<Inbox>) {
    let request = JoinRequest {
        name: String::new(),
        is_name_vouched: false,
        subject: None,
        ticket_ends: None,
        address: None,
        peer: None,
        opened_at: Micros(0),
        resume_token: Vec::new(),
        last_message: 0,
        map: KnownMap::default(),
        takes_cell_parts: true,
        encoding,
        is_spectator: true,
        goes_on: false,
    };
    let (link, inbox) = (
        Arc::new(RecordingLink::default()),
        Arc::new(Inbox::default()),
    );
    room.join(&request, Arc::clone(&link), Arc::clone(&inbox), Micros(0))
        .unwrap();
    (link, inbox)
}

fn tick(room: &mut Room<RecordingLink>, tick: Tick) {
    let now = Micros(room.tick_clock().due_us(tick) as u64);
    room.tick(tick, now, || now);
    room.replicate(now, || now);
}

fn has_codebooks(packet: &[Body]) -> bool {
    packet.iter().any(|body| matches!(body, Body::Codebooks(_)))
}

/// Whether there is one packet, with the codebooks before the snapshot that uses them.
fn is_codebooks_with_snapshot(packets: &[Vec<Body>]) -> bool {
    match packets {
        [packet] => matches!(&packet[..], [Body::Codebooks(_), .., Body::Snapshot(_)]),
        _ => false,
    }
}

#[test]
fn new_codebooks_go_with_the_first_snapshot_that_can_go() {
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
            .any(|packet| has_codebooks(packet))
            .then_some((number, packets))
    });
    let (number, packets) = found.expect("sixty moving things brought no codebooks of their own");
    assert!(is_codebooks_with_snapshot(&packets));

    // They are not sent again. A client that was blocked has got none, and gets them with its next snapshot.
    blocked.take();
    blocked.is_blocked.store(false, Ordering::Relaxed);
    tick(&mut room, Tick(number.0 + 1));
    assert!(!packed.take().iter().any(|packet| has_codebooks(packet)));
    assert!(is_codebooks_with_snapshot(&blocked.take()));

    // A new client gets them in its welcome, and a client that reads plain snapshots never needs any.
    let late = watcher(&mut room, Encoding::Packed);
    tick(&mut room, Tick(number.0 + 2));
    assert!(!late.take().iter().any(|packet| has_codebooks(packet)));
    assert!(!plain.take().iter().any(|packet| has_codebooks(packet)));
}

/// The input of a client that has applied the snapshot of `received`, and none after it.
fn input(number: Tick, received: Tick) -> InboxMessage {
    let inputs = v1::Inputs {
        seq: number.0,
        target_tick: number.0 + 1,
        received_tick: received.0,
        ..v1::Inputs::default()
    };
    let arrived = Micros(u64::from(number.0) * 1_000_000 / u64::from(TICK_RATE));
    InboxMessage::Input(ReceivedInput::new(&inputs, arrived).unwrap())
}

fn full_snapshots(packets: &[Vec<Body>]) -> usize {
    let bodies = packets.iter().flatten();
    bodies
        .filter(|body| matches!(body, Body::Snapshot(snapshot) if snapshot.full_snapshot))
        .count()
}

#[test]
fn a_lost_view_gets_one_full_snapshot_a_second() {
    let mut room = room(0, WindowPolicy::FollowPath);
    let (link, inbox) = join(&mut room, Encoding::Packed);
    let mut run = |ticks: std::ops::Range<u32>, lost: bool| {
        for number in ticks.map(Tick) {
            inbox.put(input(number, Tick(1)));
            if lost {
                inbox.put(InboxMessage::Resync {
                    view_mismatch: true,
                });
            }
            tick(&mut room, number);
        }
        (
            full_snapshots(&link.take()),
            room.take_stats().view_mismatches,
        )
    };
    assert_eq!(run(1..60, false), (1, 0));
    // The window is full of snapshots that are never acknowledged, and the first full snapshot goes nevertheless.
    assert_eq!(run(60..61, true), (1, 1));
    let (again, mismatches) = run(61..60 + 10 * TICK_RATE, true);
    assert!((9..=10).contains(&again), "{again}");
    assert!((9..=11).contains(&mismatches), "{mismatches}");
}

#[test]
fn reliable_messages_wait_for_a_full_link_in_order() {
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
    slow.is_blocked.store(true, Ordering::Relaxed);
    for number in 1..=20 {
        if number <= 3 {
            inbox.put(line(&number.to_string()));
        }
        tick(&mut room, Tick(number));
    }
    assert!(numbers(slow.take()).is_empty());
    slow.is_blocked.store(false, Ordering::Relaxed);
    for number in 21..=40 {
        tick(&mut room, Tick(number));
    }
    assert_eq!(numbers(slow.take()), [1, 2, 3]);
}

#[test]
fn chat_beyond_the_limit_is_refused_with_one_notice_a_second() {
    let mut room = room(0, WindowPolicy::Open);
    let players: Vec<_> = (0..40).map(|_| join(&mut room, Encoding::Packed)).collect();
    let mut received = (0, 0);
    for second in 0..10 {
        for number in (1..=TICK_RATE).map(|part| Tick(second * TICK_RATE + part)) {
            for (_, inbox) in &players {
                inbox.put(line("hello"));
            }
            tick(&mut room, number);
        }
        let packets = players[0].0.take();
        let bodies = packets.iter().flatten();
        for body in bodies {
            received.0 += u32::from(matches!(body, Body::Message(_)));
            received.1 += u32::from(matches!(body, Body::Notice(_)));
        }
    }
    // The burst is sixty, and then twenty a second.
    assert!(
        (60 + 9 * 20..=60 + 10 * 20).contains(&received.0),
        "{received:?}"
    );
    assert!((9..=11).contains(&received.1), "{received:?}");
}

#[test]
fn events_beyond_the_limit_of_a_cell_are_counted() {
    let mut room: Room<RecordingLink> = room(0, WindowPolicy::Open);
    let dropped_of = |count: usize, room: &mut Room<RecordingLink>| {
        for _ in 0..count {
            room.step_output.events.emit(0, b"", [CellId::GLOBAL]);
        }
        let next = room.tick_now().next();
        tick(room, next);
        room.take_stats().events_dropped
    };
    assert_eq!(dropped_of(70, &mut room), 6);
    assert_eq!(dropped_of(64, &mut room), 0);
    assert_eq!(dropped_of(65, &mut room), 1);
}

/// The request of somebody who has no token.
fn newcomer(encoding: Encoding) -> JoinRequest {
    JoinRequest {
        name: String::new(),
        is_name_vouched: false,
        subject: None,
        ticket_ends: None,
        address: None,
        peer: None,
        opened_at: Micros(0),
        resume_token: Vec::new(),
        last_message: 0,
        map: KnownMap::default(),
        takes_cell_parts: true,
        encoding,
        is_spectator: true,
        goes_on: false,
    }
}

#[test]
fn a_panic_while_a_room_is_shown_reaches_no_other_room() {
    let game = Wanderers::with_fault(60, Fault::FifthInterestArea);
    let is_armed = Arc::clone(&game.is_armed);
    let mut broken = room_of(Box::new(game), 0, WindowPolicy::Open);
    let broken_links: Vec<_> = (0..12)
        .map(|_| watcher(&mut broken, Encoding::Packed))
        .collect();
    let mut calm = room(0, WindowPolicy::Open);
    let calm_links =
        [Encoding::Packed, Encoding::Plain].map(|encoding| watcher(&mut calm, encoding));
    tick(&mut broken, Tick(1));
    tick(&mut calm, Tick(1));
    for link in broken_links.iter().chain(&calm_links) {
        link.take();
    }
    is_armed.store(true, Ordering::Relaxed);
    let shown = catch_unwind(AssertUnwindSafe(|| tick(&mut broken, Tick(2))));
    assert!(shown.is_err(), "the game did not panic");
    // The other room shows what it shows without the panic.
    let mut control = room(0, WindowPolicy::Open);
    let control_links =
        [Encoding::Packed, Encoding::Plain].map(|encoding| watcher(&mut control, encoding));
    std::thread::scope(|scope| {
        // A thread of its own has buffers of its own.
        let _ = scope.spawn(|| (1..=3).for_each(|number| tick(&mut control, Tick(number))));
    });
    for link in &control_links {
        link.packets.lock().unwrap().remove(0);
        link.packets.lock().unwrap().remove(0);
    }
    (2..=3).for_each(|number| tick(&mut calm, Tick(number)));
    for (calm, control) in calm_links.iter().zip(&control_links) {
        assert_eq!(calm.take(), control.take());
    }
}

#[test]
fn a_chat_burst_goes_with_the_snapshots_in_portions() {
    let mut room = room(0, WindowPolicy::Open);
    let players: Vec<_> = (0..40).map(|_| join(&mut room, Encoding::Packed)).collect();
    tick(&mut room, Tick(1));
    for (link, _) in &players {
        link.take();
    }
    for (_, inbox) in &players[..12] {
        inbox.put(line("hello"));
    }
    let mut lines = Vec::new();
    for number in 2..=4 {
        tick(&mut room, Tick(number));
        let packets = players[39].0.take();
        // One packet a tick: the lines are in it, before the snapshot.
        let [packet] = &packets[..] else {
            panic!("{packets:?}");
        };
        assert!(matches!(packet.last(), Some(Body::Snapshot(_))));
        let is_line = |body: &&Body| matches!(body, Body::Message(_));
        lines.push(packet.iter().filter(is_line).count());
    }
    assert_eq!(lines, [4, 4, 4]);
}

#[test]
fn chat_to_an_absent_player_takes_less_than_ten_kib() {
    let mut room = room(0, WindowPolicy::Open);
    let (_, absent) = join(&mut room, Encoding::Packed);
    let players: Vec<_> = (0..20).map(|_| join(&mut room, Encoding::Packed)).collect();
    absent.put(InboxMessage::ConnectionClosed(DisconnectReason::Lost));
    for number in (1..=20 * TICK_RATE).map(Tick) {
        for (_, inbox) in &players {
            inbox.put(line(&"x".repeat(200)));
            // A client that acks what it gets.
            inbox.put(input(number, Tick(number.0 - 1)));
        }
        tick(&mut room, number);
    }
    let kept =
        |room: &Room<RecordingLink>, index: usize| room.sessions()[index].reliable.kept_bytes();
    assert!(
        (1..10 * 1024).contains(&kept(&room, 0)),
        "{}",
        kept(&room, 0)
    );
    // Who acks keeps next to nothing.
    assert!(kept(&room, 1) < 2 * 1024, "{}", kept(&room, 1));
}

#[test]
fn a_client_of_a_moved_room_gets_no_welcome_but_all_it_needs() {
    let mut room = room(0, WindowPolicy::Open);
    let (old, _) = join(&mut room, Encoding::Packed);
    let [welcome] = &old.take()[..] else {
        panic!("no Welcome");
    };
    let [Body::Welcome(welcome)] = &welcome[..] else {
        panic!("{welcome:?}");
    };
    tick(&mut room, Tick(1));
    let request = JoinRequest {
        resume_token: welcome.resume_token.clone(),
        opened_at: Micros(1),
        goes_on: true,
        ..newcomer(Encoding::Packed)
    };
    let link: Arc<RecordingLink> = Arc::default();
    let joined = room.join(&request, Arc::clone(&link), Arc::default(), Micros(1));
    assert!(joined.unwrap().resumed);
    assert!(link.take().is_empty());
    tick(&mut room, Tick(2));
    let packets = link.take();
    assert!(is_codebooks_with_snapshot(&packets), "{packets:?}");
    let Some(Body::Snapshot(snapshot)) = packets[0].last() else {
        panic!("no snapshot");
    };
    assert!(snapshot.full_snapshot);
    // Nobody gets a new session that way.
    let unknown = JoinRequest {
        goes_on: true,
        ..newcomer(Encoding::Packed)
    };
    let refused = room.join(&unknown, Arc::default(), Arc::default(), Micros(2));
    assert_eq!(refused, Err(JoinError::Unknown));
}

const ATTACKER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
const STRANGER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

/// Joins from an address, and loses the connection at once.
fn join_and_drop(room: &mut Room<RecordingLink>, address: IpAddr) -> bool {
    let request = JoinRequest {
        address: Some(address),
        ..newcomer(Encoding::Packed)
    };
    let inbox = Arc::new(Inbox::default());
    let joined = room.join(&request, Arc::default(), Arc::clone(&inbox), Micros(0));
    inbox.put(InboxMessage::ConnectionClosed(DisconnectReason::Lost));
    joined.is_ok()
}

#[test]
fn one_address_keeps_only_its_share_of_absent_sessions() {
    let mut room = room(0, WindowPolicy::Open);
    for number in (1..=40).map(Tick) {
        assert!(join_and_drop(&mut room, ATTACKER));
        tick(&mut room, number);
    }
    assert!(
        room.sessions().len() <= 1 + allowance(64, 0),
        "{}",
        room.sessions().len()
    );
}

#[test]
fn a_room_full_of_absent_sessions_takes_a_stranger() {
    let mut room = room(0, WindowPolicy::Open);
    // All before a tick, so that no session of the attacker's has ended.
    while room.sessions().len() < 64 {
        assert!(join_and_drop(&mut room, ATTACKER));
    }
    tick(&mut room, Tick(1));
    while room.sessions().len() < 64 {
        assert!(join_and_drop(&mut room, ATTACKER));
    }
    for session in &room.sessions {
        session.take_messages(&mut Vec::new());
    }
    for session in &mut room.sessions {
        session.detach(None, Micros(1));
    }
    assert!(join_and_drop(&mut room, STRANGER));
    assert_eq!(room.sessions().len(), 64);
}

#[test]
fn a_page_that_is_gone_without_a_word_is_waited_for_briefly() {
    let mut room = room(0, WindowPolicy::Open);
    for why in [DisconnectReason::PageClosed, DisconnectReason::Lost] {
        let (_, inbox) = join(&mut room, Encoding::Packed);
        inbox.put(InboxMessage::ConnectionClosed(why));
    }
    let mut waiting_after = |seconds: u32| {
        let last = room.tick_clock().tick_rate * seconds;
        for number in room.tick_now().0 + 1..=last {
            tick(&mut room, Tick(number));
        }
        room.sessions().len()
    };
    assert_eq!([9, 11, 59, 62].map(&mut waiting_after), [2, 1, 1, 0]);
}

/// A machine that slept for an hour, with players on their way back.
#[test]
fn a_pause_of_the_process_ends_no_absent_session() {
    let mut room = room(0, WindowPolicy::Open);
    let (_, inbox) = join(&mut room, Encoding::Packed);
    inbox.put(InboxMessage::ConnectionClosed(DisconnectReason::Lost));
    tick(&mut room, Tick(1));
    let rate = room.tick_clock().tick_rate;
    let hour = 3600 * rate;
    for number in hour..hour + 55 * rate {
        tick(&mut room, Tick(number));
    }
    assert_eq!(room.sessions().len(), 1);
    for number in hour + 55 * rate..hour + 62 * rate {
        tick(&mut room, Tick(number));
    }
    assert_eq!(room.sessions().len(), 0);
}

/// A request with a ticket of this subject.
fn with_ticket(subject: &str, ends_ms: u64) -> JoinRequest {
    JoinRequest {
        subject: Some(subject.to_owned()),
        ticket_ends: Some(Micros::from_millis(ends_ms)),
        ..newcomer(Encoding::Packed)
    }
}

#[test]
fn a_subject_has_one_session_in_a_room() {
    let mut room = room(0, WindowPolicy::Open);
    let mut enter = |request: &JoinRequest| {
        let link: Arc<RecordingLink> = Arc::default();
        let joined = room.join(request, Arc::clone(&link), Arc::default(), Micros(0));
        (joined.unwrap(), link)
    };
    let (first, old_link) = enter(&with_ticket("ada", 60_000));
    let (other, _) = enter(&with_ticket("eve", 60_000));
    let (second, _) = enter(&with_ticket("ada", 60_000));
    assert_eq!((second.player, second.resumed), (first.player, true));
    assert_ne!(other.player, first.player);
    let closed = old_link.closed.lock().unwrap().clone().unwrap();
    assert_eq!(closed.0, CloseCode::ResumedElsewhere);
    // A client that has a token of another room must forget what it knows of it.
    let stale = JoinRequest {
        resume_token: vec![7; 28],
        ..with_ticket("ada", 60_000)
    };
    let (third, _) = enter(&stale);
    assert_eq!((third.player, third.resumed), (first.player, false));
    assert_eq!(room.sessions().len(), 2);
}

/// Seed 1031 of the simulator: a page on a slow path was loaded again on a quick one, and its old inputs kept the new ones out.
#[test]
fn a_resume_drops_the_inputs_of_the_old_connection() {
    let mut room = room(0, WindowPolicy::Open);
    let (_, inbox) = join(&mut room, Encoding::Packed);
    inbox.put(input(Tick(20), Tick(0)));
    tick(&mut room, Tick(1));
    let waiting = |room: &Room<RecordingLink>| room.sessions()[0].footprint().waiting_inputs;
    assert_eq!(waiting(&room), 1);
    let request = JoinRequest {
        resume_token: room.sessions[0].token.to_vec(),
        ..newcomer(Encoding::Packed)
    };
    let joined = room.join(&request, Arc::default(), Arc::default(), Micros(0));
    assert!(joined.unwrap().resumed);
    assert_eq!(waiting(&room), 0);
}

/// Seed 1038 of the simulator: the `Hello` of a page that was loaded again was held up, took the session from the new page when it
/// came, and the new page was shut out for good.
#[test]
fn an_older_connection_takes_no_session_from_a_newer_one() {
    let mut room = room(0, WindowPolicy::Open);
    join(&mut room, Encoding::Packed);
    let token = room.sessions[0].token.to_vec();
    let resume = |room: &mut Room<RecordingLink>, opened_ms| {
        let (link, inbox): (Arc<RecordingLink>, Arc<Inbox>) = Default::default();
        let request = JoinRequest {
            opened_at: Micros::from_millis(opened_ms),
            resume_token: token.clone(),
            ..newcomer(Encoding::Packed)
        };
        let joined = room.join(&request, Arc::clone(&link), Arc::clone(&inbox), Micros(0));
        (joined.map(|joined| joined.resumed), link, inbox)
    };
    let (resumed, newer, inbox) = resume(&mut room, 20);
    assert_eq!(resumed, Ok(true));
    assert_eq!(resume(&mut room, 10).0, Err(JoinError::Replaced));
    assert_eq!(*newer.closed.lock().unwrap(), None);
    // Once the newer one has ended, the older one may go on.
    inbox.put(InboxMessage::ConnectionClosed(DisconnectReason::Lost));
    tick(&mut room, Tick(1));
    assert_eq!(resume(&mut room, 10).0, Ok(true));
}

#[test]
fn a_session_ends_with_its_ticket_unless_it_is_renewed() {
    let mut room = room(0, WindowPolicy::Open);
    let enter = |room: &mut Room<RecordingLink>, subject, ends_ms| {
        let link: Arc<RecordingLink> = Arc::default();
        let request = with_ticket(subject, ends_ms);
        let inbox = Arc::default();
        room.join(&request, Arc::clone(&link), inbox, Micros(0))
            .unwrap();
        link
    };
    let [ada, _eve] = ["ada", "eve"].map(|subject| enter(&mut room, subject, 500));
    let renewed = enter(&mut room, "eve", 5_000);
    (1..=TICK_RATE).for_each(|number| tick(&mut room, Tick(number)));
    let closed = ada.closed.lock().unwrap().clone();
    assert_eq!(
        closed,
        Some((CloseCode::Policy, "ticket expired".to_owned()))
    );
    assert_eq!(*renewed.closed.lock().unwrap(), None);
    assert_eq!(room.sessions().len(), 1);
}

#[test]
fn a_tickets_name_takes_the_place_of_a_self_given_one() {
    let mut room = room(0, WindowPolicy::Open);
    let enter = |room: &mut Room<RecordingLink>, name: &str, is_name_vouched| {
        let request = JoinRequest {
            name: name.to_owned(),
            is_name_vouched,
            ..newcomer(Encoding::Packed)
        };
        room.join(&request, Arc::default(), Arc::default(), Micros(0))
            .unwrap();
    };
    let names = |room: &Room<RecordingLink>| -> Vec<String> {
        let sessions = room.sessions().iter();
        sessions.map(|session| session.name.clone()).collect()
    };
    enter(&mut room, "Ada", false);
    enter(&mut room, "Ada", true);
    enter(&mut room, "Ada", false);
    assert_eq!(names(&room), ["Ada (1)", "Ada", "Ada (3)"]);
    room.sessions[1].end();
    tick(&mut room, Tick(1));
    enter(&mut room, "Ada", false);
    assert_eq!(names(&room), ["Ada (1)", "Ada (3)", "Ada"]);
}
