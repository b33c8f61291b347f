//! Tests of the worker loop, run in the test's own worker.

use super::*;
use crate::net::peer::connection::tests::connected;
use crate::net::room_service::RoomState;
use crate::room::JoinRequest;
use crate::room::test_game::{Fault, Wanderers};
use crate::room::tests::{room, room_of};
use crate::worker::PlayerLink;
use crate::worker::command::Newcomer;
use bytes::Bytes;
use prost::Message as _;
use std::io::Read as _;
use std::sync::atomic::Ordering;
use std::sync::mpsc::channel;
use tickwire_proto::v1::{ServerMessage, server_message::Body};
use tickwire_sync::bench_policies::WindowPolicy;
use tokio::sync::oneshot;

/// A worker that is alone, with these metrics.
fn worker_of(receiver: Receiver<Command>, metrics: &Arc<Metrics>) -> WorkerLoop {
    let (lease, post_box) = (RoomLease::default(), PostBox::default());
    WorkerLoop::new(
        receiver,
        Arc::clone(metrics),
        Arc::default(),
        lease,
        post_box,
    )
}

fn open_command(room: ServerRoom) -> Command {
    Command::Open {
        name: room.name().to_owned(),
        make: Box::new(move || room),
        entry: Arc::default(),
        checkpoints: None,
        recording: None,
    }
}

#[test]
fn a_due_tick_waits_for_one_command_at_most() {
    let (commands, receiver) = channel();
    let metrics = Arc::new(Metrics::new().unwrap());
    // The first tick is due at once.
    let room = room(now().0 as i64 - 1_000_000, WindowPolicy::default());
    commands.send(open_command(room)).unwrap();
    for _ in 0..1_000 {
        let (answer, _) = oneshot::channel();
        commands.send(Command::List { answer }).unwrap();
    }
    // All commands are sent before the loop begins, and it ends when none is left.
    drop(commands);
    worker_of(receiver, &metrics).run();
    assert!(
        metrics.ticks.get() > 0,
        "a thousand commands came before the tick"
    );
}

/// Opens an empty room whose first tick is due now.
fn open(worker: &mut WorkerLoop) -> RoomKey {
    let room = Box::new(room(now().0 as i64, WindowPolicy::default()));
    let before: Vec<RoomKey> = worker.rooms.keys().collect();
    worker.handle(open_command(*room));
    let mut keys = worker.rooms.keys();
    keys.find(|key| !before.contains(key)).unwrap()
}

fn run_until(worker: &mut WorkerLoop, key: RoomKey, is_done: impl Fn(&RoomRunner) -> bool) {
    let began = std::time::Instant::now();
    while !is_done(&worker.rooms[key]) {
        assert!(
            began.elapsed().as_secs() < 30,
            "the room did not get there in 30 s"
        );
        worker.run_due_room();
    }
}

#[test]
fn a_woken_room_that_ends_leaves_the_others_alone() {
    let metrics = Arc::new(Metrics::new().unwrap());
    let mut worker = worker_of(channel().1, &metrics);
    let (one, other) = (open(&mut worker), open(&mut worker));
    run_until(&mut worker, one, |room| room.activity == Activity::Resting);
    run_until(&mut worker, other, |room| {
        room.activity == Activity::Resting
    });
    assert_eq!(worker.tick_cost, Micros(0), "a resting room costs time");
    // Both rooms have the same name here, which leads to the second. Waking it leaves its old deadline behind when it ends.
    let (name, before) = ("tested", worker.deadlines.len());
    worker.wake(name);
    assert_eq!(worker.deadlines.len(), before + 1);
    worker.end_room(other);
    let due = worker.rooms[one].due;
    run_until(&mut worker, one, |room| room.due != due);
}

#[test]
fn a_woken_room_ticks_again_and_is_not_late() {
    let metrics = Arc::new(Metrics::new().unwrap());
    let mut worker = worker_of(channel().1, &metrics);
    let key = open(&mut worker);
    run_until(&mut worker, key, |room| room.activity == Activity::Resting);
    let last_tick = worker.rooms[key].room.tick_now();
    let skipped = metrics.ticks_skipped.get();
    std::thread::sleep(Duration::from_millis(300));
    // A join wakes the room like this. Nobody comes after all, so the room rests again after a turn.
    worker.wake("tested");
    assert!(worker.rooms[key].room.tick_now().0 > last_tick.0 + 10);
    run_until(&mut worker, key, |room| room.activity == Activity::Resting);
    assert_eq!(metrics.ticks_skipped.get(), skipped);
}

#[test]
fn a_game_whose_drop_panics_harms_no_other_room() {
    let metrics = Arc::new(Metrics::new().unwrap());
    let mut worker = worker_of(channel().1, &metrics);
    let game = Wanderers::with_fault(1, Fault::Drop);
    game.is_armed.store(true, Ordering::Relaxed);
    let broken = room_of(Box::new(game), now().0 as i64, WindowPolicy::Open);
    worker.handle(open_command(broken));
    let key = worker.rooms.keys().next().unwrap();
    let other = open(&mut worker);
    worker.end_room(key);
    assert_eq!((metrics.rooms.get(), metrics.rooms_failed.get()), (1, 1));
    run_until(&mut worker, other, |room| {
        room.activity == Activity::Resting
    });
}

#[test]
fn a_drop_that_panics_does_not_fail_the_end_of_the_process() {
    let metrics = Arc::new(Metrics::new().unwrap());
    let (commands, receiver) = channel();
    let game = Wanderers::with_fault(1, Fault::Drop);
    game.is_armed.store(true, Ordering::Relaxed);
    let broken = room_of(Box::new(game), now().0 as i64, WindowPolicy::Open);
    commands.send(open_command(broken)).unwrap();
    drop(commands);
    worker_of(receiver, &metrics).run();
    assert_eq!(metrics.rooms_failed.get(), 1);
}

#[test]
fn a_game_that_is_slow_to_make_has_skipped_no_ticks() {
    let metrics = Arc::new(Metrics::new().unwrap());
    let mut worker = worker_of(channel().1, &metrics);
    // Its tick zero was two seconds ago, when somebody asked for the room.
    let room = room(now().0 as i64 - 2_000_000, WindowPolicy::default());
    worker.handle(open_command(room));
    let key = worker.rooms.keys().next().unwrap();
    assert!(worker.rooms[key].room.tick_now().0 >= 119);
}

#[test]
fn a_slow_room_beside_rooms_that_rest_is_not_held_back() {
    let metrics = Arc::new(Metrics::new().unwrap());
    let mut worker = worker_of(channel().1, &metrics);
    let game = Box::new(Wanderers::new(1));
    let resting = room_of(game, now().0 as i64, WindowPolicy::Open);
    worker.handle(Command::Open {
        name: "resting".to_owned(),
        make: Box::new(move || resting),
        entry: Arc::default(),
        checkpoints: None,
        recording: None,
    });
    let other = worker.rooms.keys().next().unwrap();
    run_until(&mut worker, other, |room| {
        room.activity == Activity::Resting
    });
    let slow = open(&mut worker);
    let due_after_turn = |worker: &mut WorkerLoop| {
        worker.rooms[slow].tick_cost = Micros::from_millis(40);
        // It does not rest itself.
        worker.rooms[slow].record_join(&metrics);
        let before = worker.rooms[slow].due;
        run_until(worker, slow, |room| room.due != before);
        let runner = &worker.rooms[slow];
        runner.due.since(runner.next_due())
    };
    assert_eq!(due_after_turn(&mut worker), Micros(0));
}

#[test]
fn a_slow_room_beside_one_that_ticks_is_held_back() {
    let metrics = Arc::new(Metrics::new().unwrap());
    let mut worker = worker_of(channel().1, &metrics);
    let mut game = Wanderers::new(1);
    game.step_takes = Duration::from_millis(40);
    let slow = room_of(Box::new(game), now().0 as i64, WindowPolicy::Open);
    worker.handle(Command::Open {
        name: "slow".to_owned(),
        make: Box::new(move || slow),
        entry: Arc::default(),
        checkpoints: None,
        recording: None,
    });
    let slow = worker.rooms.keys().next().unwrap();
    let other = open(&mut worker);
    let began = std::time::Instant::now();
    loop {
        assert!(began.elapsed().as_secs() < 30, "the slow room had no turn");
        // Neither rests.
        for key in [slow, other] {
            worker.rooms[key].record_join(&metrics);
        }
        let (before, was_slow) = (now(), worker.rooms[slow].is_too_slow());
        let due = worker.rooms[slow].due;
        worker.run_due_room();
        if was_slow && worker.rooms[slow].due != due {
            let rest = worker.rooms[slow].due.since(before);
            assert!(rest >= Micros::from_millis(160), "{rest:?}");
            return;
        }
    }
}

#[test]
fn a_game_that_cannot_be_made_harms_no_other_room() {
    let metrics = Arc::new(Metrics::new().unwrap());
    let mut worker = worker_of(channel().1, &metrics);
    let other = open(&mut worker);
    let entry: Arc<RoomEntry> = Arc::default();
    worker.handle(Command::Open {
        name: "broken".to_owned(),
        make: Box::new(|| panic!("the test wants a panic")),
        entry: Arc::clone(&entry),
        checkpoints: None,
        recording: None,
    });
    assert!(*entry.has_ended.read().unwrap());
    assert_eq!((metrics.rooms.get(), metrics.rooms_failed.get()), (1, 1));
    run_until(&mut worker, other, |room| {
        room.activity == Activity::Resting
    });
}

#[test]
fn a_state_that_panics_ends_its_room_alone() {
    let metrics = Arc::new(Metrics::new().unwrap());
    let mut worker = worker_of(channel().1, &metrics);
    let game = Wanderers::with_fault(1, Fault::Name);
    game.is_armed.store(true, Ordering::Relaxed);
    let broken = room_of(Box::new(game), now().0 as i64, WindowPolicy::Open);
    let entry: Arc<RoomEntry> = Arc::default();
    worker.handle(Command::Open {
        name: "tested".to_owned(),
        make: Box::new(move || broken),
        entry: Arc::clone(&entry),
        checkpoints: None,
        recording: None,
    });
    let room = "tested".to_owned();
    worker.handle(Command::State {
        room,
        entry: Arc::clone(&entry),
    });
    worker.make_state(now());
    assert!(*entry.has_ended.read().unwrap());
    assert_eq!(metrics.rooms_failed.get(), 1);
}

#[tokio::test]
async fn an_awaited_tick_is_shown_and_a_resting_room_makes_no_state() {
    let metrics = Arc::new(Metrics::new().unwrap());
    let mut worker = worker_of(channel().1, &metrics);
    let key = open(&mut worker);
    let entry = Arc::clone(&worker.rooms[key].entry);
    let after = worker.rooms[key].room.tick_now();
    let first = Some((Bytes::from_static(b"{}"), after));
    entry.state.publish(first, Micros(u64::MAX));
    let wait = |after| {
        let nobody = || panic!("the copy is fresh");
        (entry.state).read_newer(after, Duration::from_secs(60), Micros(0), nobody)
    };
    let ticks = async {
        run_until(&mut worker, key, |room| room.room.tick_now() > after);
        assert_eq!(worker.wanted_states.len(), 1);
        worker.make_state(now());
    };
    let (answer, ()) = tokio::join!(wait(after), ticks);
    let RoomState::Now(state) = answer else {
        panic!("{answer:?}");
    };
    assert!(state.tick > after);

    run_until(&mut worker, key, |room| room.activity == Activity::Resting);
    let last = worker.rooms[key].room.tick_now();
    entry
        .state
        .publish(Some((state.json, last)), Micros(u64::MAX));
    let rest = async {
        let due = worker.rooms[key].due;
        run_until(&mut worker, key, |room| room.due != due);
        assert!(worker.wanted_states.is_empty());
        worker.end_room(key);
    };
    let (answer, ()) = tokio::join!(wait(last), rest);
    assert_eq!(answer, RoomState::Missing);
}

#[test]
fn a_room_ends_well_before_its_ticks_are_used_up() {
    let metrics = Arc::new(Metrics::new().unwrap());
    let mut worker = worker_of(channel().1, &metrics);
    // As if it ran for two years.
    let ticks = i64::from(u32::MAX - (1 << 20));
    let room = room(now().0 as i64 - ticks * 1_000_000 / 60, WindowPolicy::Open);
    worker.handle(open_command(room));
    let key = worker.rooms.keys().next().unwrap();
    // Nobody is connected, so nobody need be waited for.
    for _ in 0..1_000 {
        worker.run_due_room();
    }
    assert!(!worker.rooms.contains_key(key));
    assert_eq!(metrics.rooms_failed.get(), 0);
}

/// The frames that a server has sent on a connection: their opcodes and payloads.
fn frames(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut frames = Vec::new();
    while let [first, length, rest @ ..] = bytes {
        let (length, rest) = match (length, rest) {
            (126, [a, b, rest @ ..]) => (usize::from(u16::from_be_bytes([*a, *b])), rest),
            (length, rest) => (usize::from(*length), rest),
        };
        frames.push((first & 0x0F, rest[..length].to_vec()));
        bytes = &rest[length..];
    }
    frames
}

#[test]
fn a_player_of_a_room_out_of_ticks_gets_a_goodbye() {
    let metrics = Arc::new(Metrics::new().unwrap());
    let mut worker = worker_of(channel().1, &metrics);
    let ticks = i64::from(u32::MAX - (1 << 20));
    let room = room(now().0 as i64 - ticks * 1_000_000 / 60, WindowPolicy::Open);
    let entry: Arc<RoomEntry> = Arc::default();
    worker.handle(Command::Open {
        name: "tested".to_owned(),
        make: Box::new(move || room),
        entry: Arc::clone(&entry),
        checkpoints: None,
        recording: None,
    });
    let key = worker.rooms.keys().next().unwrap();
    let (connection, mut peer) = connected();
    let newcomer = Newcomer {
        room: "tested".to_owned(),
        request: JoinRequest::default(),
        reservation: Vec::new(),
        link: Arc::new(PlayerLink::Local(connection)),
        inbox: Arc::default(),
    };
    worker.handle(Command::Join {
        newcomer: Box::new(newcomer),
        rate: None,
        ask: None,
    });
    assert_eq!(metrics.players.get(), 1);
    // No worker reads the connection here, so the room is over at once.
    let began = std::time::Instant::now();
    while worker.rooms.contains_key(key) {
        assert!(began.elapsed().as_secs() < 30, "the room did not end");
        worker.run_due_room();
    }
    // From now on, whoever comes gets into a new room.
    assert!(*entry.has_ended.read().unwrap());
    assert_eq!((metrics.players.get(), metrics.rooms_failed.get()), (0, 0));
    // Ends the connection, so that all was read that was sent.
    drop(worker);
    let mut bytes = Vec::new();
    peer.read_to_end(&mut bytes).unwrap();
    let frames = frames(&bytes);
    let messages = frames.iter().filter(|(opcode, _)| *opcode == 2);
    let messages: Vec<_> = messages
        .map(|(_, bytes)| ServerMessage::decode(&bytes[..]).unwrap().body.unwrap())
        .collect();
    assert!(matches!(messages[0], Body::Welcome(_)));
    assert!(matches!(messages.last(), Some(Body::Goodbye(_))));
    let (opcode, close) = frames.last().unwrap();
    assert_eq!((*opcode, &close[..2]), (8, &1001_u16.to_be_bytes()[..]));
}
