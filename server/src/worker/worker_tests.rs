//! A worker's thread, run in the test's own.

use super::*;
use crate::room::RoomSettings;
use tickwire_game::GameSettings;
use tickwire_game::arena::Arena;
use tickwire_sync::claim::ViewPolicy;
use tickwire_sync::clock::TickClock;
use tickwire_sync::window::WindowPolicy;

fn room(ticks: TickClock) -> OwnRoom {
    let settings = RoomSettings {
        tick_rate: ticks.tick_rate,
        max_players: 8,
        resume_window: Duration::from_secs(60),
        max_message_bytes: 4096,
        max_rewind: Duration::from_millis(250),
        view_policy: ViewPolicy::default(),
        window_policy: WindowPolicy::default(),
    };
    let game = Arena::new(&GameSettings {
        seed: 1,
        tick_rate: ticks.tick_rate,
        npcs: 0,
    });
    Room::new("tested", settings, Box::new(game), ticks, [1; 32])
}

#[test]
fn a_due_tick_waits_for_one_command_at_most() {
    let (commands, receiver) = channel();
    let metrics = Arc::new(Metrics::new().unwrap());
    // Its first tick is due at once.
    let ticks = TickClock {
        tick_zero_us: now().0 as i64 - 1_000_000,
        tick_rate: 60,
    };
    let open = Command::Open(Box::new(room(ticks)), Arc::default());
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
