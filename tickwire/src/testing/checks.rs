//! Checks that hold any game to its promises: one line each in a game's tests.

use super::room::TestRoom;
use crate::game::Game;
use crate::random::Random;
use crate::room_game::RoomGame;
use tickwire_game::{Game as _, GameSettings};
use tickwire_rules::{FieldValue, Input, Map as _, ModuleRules as _, Payload, encode_fields};
use tickwire_rules_wasm::assert_module_equals_native;
use tickwire_sync::{FieldType, PlayerId};

/// How many random rows a module is compared on.
const COMPARED_ROWS: u32 = 10_000;
/// How many ticks a restored game is compared with the one that was saved.
const COMPARED_TICKS: u32 = 300;

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
    for age in [0, 1, 60, 500] {
        let [mut saved, mut same, mut restored] =
            std::array::from_fn(|_| crowded_room::<G>(seed, age));
        if let Err(error) = restored.room.save_and_restore() {
            panic!("{} after {age} ticks: {error}", G::NAME);
        }
        for _ in 0..COMPARED_TICKS {
            let [shown, shown_again, shown_restored] =
                [&mut saved, &mut same, &mut restored].map(Crowd::play);
            let tick = saved.room.tick();
            assert!(
                shown == shown_again,
                "{} is not deterministic: two rooms with the same players and inputs differ at tick {tick} (seed {seed}). Look for hash maps, clocks, statics and randomness without the seed",
                G::NAME
            );
            assert!(
                shown == shown_restored,
                "{} was restored after {age} ticks and differs at tick {tick} (seed {seed}). Look for what the game depends on and its World does not save: skipped fields, statics",
                G::NAME
            );
        }
    }
}

/// A room in which random players do what the schema allows.
struct Crowd<G: Game> {
    room: TestRoom<G>,
    random: Random,
    players: Vec<PlayerId>,
}

fn crowded_room<G: Game>(seed: u64, age: u32) -> Crowd<G> {
    let mut crowd = Crowd {
        room: TestRoom::with(GameSettings {
            room: "test".to_owned(),
            seed,
            tick_rate: 60,
            npcs: 2,
        }),
        random: Random::new(seed),
        players: Vec::new(),
    };
    for _ in 0..age {
        crowd.play();
    }
    crowd
}

impl<G: Game> Crowd<G> {
    /// Makes one tick, in which players may join, leave, go away, come back, send a command, or change their input. Returns a hash of
    /// what clients are shown and told.
    fn play(&mut self) -> u64 {
        let action = self.random.int(0..40);
        let chosen = self.random.int(0..1 << 16) as usize;
        let player = self
            .players
            .get(chosen % self.players.len().max(1))
            .copied();
        match (action, player) {
            (0, _) if self.players.len() < 8 => {
                let name = format!("Player {chosen}");
                if let Ok(player) = self.room.try_join(&name, chosen.is_multiple_of(8)) {
                    self.players.push(player);
                }
            }
            (1, Some(player)) if self.players.len() > 2 => {
                self.players.retain(|other| *other != player);
                self.room.leave(player);
            }
            (2, Some(player)) => self.room.away(player),
            (3, Some(player)) => self.room.resume(player),
            (4..20, Some(player)) => {
                let input = self.random_input();
                self.room.hold(player, &input);
            }
            (20..24, Some(player)) => {
                let input = self.random_input();
                self.room.press(player, &input);
            }
            (24..27, Some(player)) => {
                if let Some(command) = self.random_command() {
                    self.room.command(player, &command);
                }
            }
            (27, _) => self.room.skip(chosen as u32 % 5),
            _ => {}
        }
        self.room.step(1);
        self.room.take_shown_hash()
    }

    /// A command with random values of the schema's fields; `None` if the game takes none.
    fn random_command(&mut self) -> Option<G::Command> {
        let kinds = G::Command::kinds();
        let number = self.random.int(0..i32::try_from(kinds.len()).ok()?.max(1));
        let kind = kinds.get(number as usize)?;
        let mut fields = Vec::new();
        for field in kind.fields.iter().flatten() {
            let value = self.random.int(-2..9);
            match field.encoding {
                FieldType::Integer => FieldValue::encode(&value, &mut fields),
                FieldType::Text => FieldValue::encode(&value.to_string(), &mut fields),
                FieldType::Bytes => FieldValue::encode(&vec![value as u8; 3], &mut fields),
                FieldType::Fixed => fields.extend(value.to_le_bytes()),
            }
        }
        G::Command::decode_fields(number as u32, &fields).ok()
    }

    /// An input with random values of the schema's fields.
    fn random_input(&mut self) -> G::Input {
        let fields = G::Input::fields();
        let values: Vec<_> = fields
            .iter()
            .map(|field| match field.max.checked_add(1) {
                Some(end) => self.random.int(field.min..end),
                None => self.random.int(field.min..field.max),
            })
            .collect();
        G::Input::decode(&encode_fields(&fields, &values).unwrap_or_default())
    }
}
