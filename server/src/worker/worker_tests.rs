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
