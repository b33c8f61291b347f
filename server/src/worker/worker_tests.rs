//! A worker's thread, run in the test's own.

use super::*;
use crate::room::tests::room;
use tickwire_sync::window::WindowPolicy;

#[test]
fn a_due_tick_waits_for_one_command_at_most() {
    let (commands, receiver) = channel();
    let metrics = Arc::new(Metrics::new().unwrap());
    // Its first tick is due at once.
    let room = room(now().0 as i64 - 1_000_000, WindowPolicy::default());
    let open = Command::Open(Box::new(room), Arc::default());
    commands.send(open).unwrap();
    for _ in 0..1_000 {
        let (answer, _) = oneshot::channel();
        commands.send(Command::List { answer }).unwrap();
    }
    // All commands are there before it begins, and it ends when none is left.
    drop(commands);
    Thread::new(receiver, Arc::clone(&metrics), Arc::default()).run();
    assert!(metrics.ticks.get() > 0, "a thousand questions came first");
}

/// A room in which nobody is, whose first tick is due now.
fn open(thread: &mut Thread) -> RoomKey {
    let room = Box::new(room(now().0 as i64, WindowPolicy::default()));
    let before: Vec<RoomKey> = thread.rooms.keys().collect();
    thread.obey(Command::Open(room, Arc::default()));
    let mut keys = thread.rooms.keys();
    keys.find(|key| !before.contains(key)).unwrap()
}

fn ticks_until(thread: &mut Thread, key: RoomKey, is_done: impl Fn(&Running) -> bool) {
    let began = std::time::Instant::now();
    while !is_done(&thread.rooms[key]) {
        assert!(began.elapsed().as_secs() < 30, "its turn does not come");
        thread.tick_next();
    }
}

#[test]
fn a_room_that_is_woken_and_ends_takes_no_other_along() {
    let metrics = Arc::new(Metrics::new().unwrap());
    let mut thread = Thread::new(channel().1, metrics, Arc::default());
    let (one, other) = (open(&mut thread), open(&mut thread));
    ticks_until(&mut thread, one, |room| room.is_resting);
    ticks_until(&mut thread, other, |room| room.is_resting);
    assert_eq!(thread.tick_cost, Micros(0), "who rests takes no time");
    // Both have one name here, which is the other's. Its old deadline is left when it has ended.
    let (name, before) = ("tested", thread.deadlines.len());
    thread.wake(name);
    assert_eq!(thread.deadlines.len(), before + 1);
    thread.end(other);
    let due = thread.rooms[one].due;
    ticks_until(&mut thread, one, |room| room.due != due);
}

#[test]
fn a_room_that_is_woken_ticks_again_and_is_not_late() {
    let metrics = Arc::new(Metrics::new().unwrap());
    let mut thread = Thread::new(channel().1, Arc::clone(&metrics), Arc::default());
    let key = open(&mut thread);
    ticks_until(&mut thread, key, |room| room.is_resting);
    let stood_at = thread.rooms[key].room.tick_now();
    let skipped = metrics.ticks_skipped.get();
    std::thread::sleep(Duration::from_millis(300));
    // As a join does; as nobody comes after all, it rests again after a turn.
    thread.wake("tested");
    assert!(thread.rooms[key].room.tick_now().0 > stood_at.0 + 10);
    ticks_until(&mut thread, key, |room| room.is_resting);
    assert_eq!(metrics.ticks_skipped.get(), skipped);
}
