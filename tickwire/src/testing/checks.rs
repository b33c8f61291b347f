//! Checks that hold any game to its promises: one line each in a game's tests.

use crate::game::Game;
use crate::room_game::RoomGame;
use tickwire_game::{Game as _, GameSettings};
use tickwire_rules::{Map as _, ModuleRules as _};
use tickwire_rules_wasm::assert_module_equals_native;

/// How many random rows a module is compared on.
const COMPARED_ROWS: u32 = 10_000;

/// Checks that the game's schema can be played.
///
/// # Panics
/// With the limit that it breaks.
#[track_caller]
pub fn assert_schema_is_valid<G: Game>() {
    let settings = GameSettings {
        tick_rate: 60,
        ..GameSettings::default()
    };
    if let Err(error) = RoomGame::<G>::new(&settings).schema().validate() {
        panic!("{} cannot be played: {error}", G::NAME);
    }
}

/// Checks that the rules module of a game moves 10,000 random rows exactly as the native rules do. Without a module, because this machine
/// has no Rust for WebAssembly, it says so and checks nothing.
///
/// # Panics
/// With the first row that differs, and the seed.
#[track_caller]
pub fn assert_module_is_equal<G: Game>() {
    let settings = GameSettings {
        tick_rate: 60,
        ..GameSettings::default()
    };
    let game = RoomGame::<G>::new(&settings);
    assert_module_equals_native::<G::Rules>(
        G::Rules::MODULE,
        &game.schema(),
        &game.game().map().to_bytes(),
        COMPARED_ROWS,
    );
}

/// Checks that a game is deterministic, and that a restored one plays on exactly as the saved one would have: random players join,
/// play, send commands and leave, ticks are skipped, and from several moments in the first seconds on the same inputs give the same
/// frames, events and messages. What happens later in a game needs a test of its own, with
/// [`TestRoom::save_and_restore`](super::TestRoom::save_and_restore). `seed` chooses what the players do.
///
/// # Panics
/// If the state cannot be saved or restored, or at the first tick whose frames differ. That means that something the game depends on
/// is not in its [`World`](macro@crate::World), such as a static or a skipped field.
#[track_caller]
pub fn assert_plays_on_after_restore<G: Game>(seed: u64) {
    tickwire_game::testing::assert_plays_on_after_restore(
        |settings| Box::new(RoomGame::<G>::new(settings)),
        seed,
    );
}
