//! Checks that a game is deterministic, and that a restored one plays on as the saved one would have.

use super::room::RawRoom;
use crate::{Game, GameSettings, SaveError};
use tickwire_rules::encode_fields;
use tickwire_sync::{Field, FieldType, PlayerId, Schema};

/// How many ticks a restored game is compared with the one that was saved.
const COMPARED_TICKS: u32 = 300;

/// Checks that a game is deterministic, and that a restored one plays on exactly as the saved one would have: random players join,
/// play, send commands and leave, ticks are skipped, and from several moments in the first seconds on the same inputs give the same
/// frames, events and messages. `new_game` makes the game of a room. `seed` chooses what the players do.
///
/// Inputs and commands are random values of the fields that the schema describes; a game that encodes them in its own way gets random
/// bytes. What happens later in a game needs a test of its own.
///
/// # Panics
/// If the state cannot be saved or restored, or at the first tick whose frames differ.
#[track_caller]
pub fn assert_plays_on_after_restore(new_game: impl Fn(&GameSettings) -> Box<dyn Game>, seed: u64) {
    for age in [0, 1, 60, 500] {
        let [mut saved, mut same, mut restored] =
            std::array::from_fn(|_| Crowd::playing(&new_game, seed, age));
        let name = saved.room.game().name();
        if let Err(error) = restored.save_and_restore(&new_game) {
            panic!("{name} after {age} ticks: {error}");
        }
        for _ in 0..COMPARED_TICKS {
            let [shown, shown_again, shown_restored] =
                [&mut saved, &mut same, &mut restored].map(Crowd::play);
            let tick = saved.room.tick();
            assert!(
                shown == shown_again,
                "{name} is not deterministic: two rooms with the same players and inputs differ at tick {tick} (seed {seed}). Look for hash maps, clocks, statics and randomness without the seed"
            );
            assert!(
                shown == shown_restored,
                "{name} was restored after {age} ticks and differs at tick {tick} (seed {seed}). Look for what the game depends on and its saved state lacks: skipped fields, statics"
            );
        }
    }
}

/// A room in which random players do what the schema allows.
struct Crowd {
    room: RawRoom<dyn Game>,
    settings: GameSettings,
    random: fastrand::Rng,
    players: Vec<PlayerId>,
}

impl Crowd {
    fn playing(new_game: &impl Fn(&GameSettings) -> Box<dyn Game>, seed: u64, ticks: u32) -> Self {
        let settings = GameSettings {
            room: "test".to_owned(),
            seed,
            tick_rate: 60,
            npcs: 2,
            ..GameSettings::default()
        };
        let mut crowd = Self {
            room: RawRoom::new(new_game(&settings), &settings),
            settings,
            random: fastrand::Rng::with_seed(seed),
            players: Vec::new(),
        };
        for _ in 0..ticks {
            crowd.play();
        }
        crowd
    }

    fn save_and_restore(
        &mut self,
        new_game: &impl Fn(&GameSettings) -> Box<dyn Game>,
    ) -> Result<(), SaveError> {
        let mut state = Vec::new();
        self.room.game().save(&mut state)?;
        let mut restored = new_game(&self.settings);
        restored.restore(&state)?;
        self.room.replace_game(restored);
        Ok(())
    }

    /// Makes one tick, in which players may join, leave, go away, come back, send a command, or change their input. Returns a hash of
    /// what clients are shown and told.
    fn play(&mut self) -> u64 {
        let action = self.random.i32(0..40);
        let chosen = self.random.usize(0..1 << 16);
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
                let command = self.random_command();
                self.room.command(player, &command);
            }
            (27, _) => self.room.skip(chosen as u32 % 5),
            _ => {}
        }
        self.room.step(1);
        self.room.take_shown_hash()
    }

    fn random_input(&mut self) -> Vec<u8> {
        let schema = self.room.game().schema();
        if schema.input.is_empty() {
            return self.random_bytes();
        }
        let values: Vec<_> = schema
            .input
            .iter()
            .map(|field| self.random.i32(field.min..=field.max))
            .collect();
        encode_fields(&schema.input, &values).unwrap_or_default()
    }

    fn random_command(&mut self) -> Vec<u8> {
        let schema: &Schema = &self.room.game().schema();
        if schema.commands.is_empty() {
            return self.random_bytes();
        }
        // The number of a kind is a varint of one byte, and of two beyond 127.
        let number = self.random.usize(0..schema.commands.len().min(128));
        let mut payload = vec![number as u8];
        for field in schema.commands[number].fields.iter().flatten() {
            self.put_random(field, &mut payload);
        }
        payload
    }

    fn put_random(&mut self, field: &Field, payload: &mut Vec<u8>) {
        use tickwire_rules::FieldValue;
        let value = self.random.i32(-2..9);
        match field.encoding {
            FieldType::Integer => FieldValue::encode(&value, payload),
            FieldType::Text => FieldValue::encode(&value.to_string(), payload),
            FieldType::Bytes => FieldValue::encode(&vec![value as u8; 3], payload),
            FieldType::Fixed => payload.extend(value.to_le_bytes()),
        }
    }

    fn random_bytes(&mut self) -> Vec<u8> {
        let length = self.random.usize(0..5);
        (0..length).map(|_| self.random.u8(..)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Identity, Refusal, Step};
    use std::sync::Arc;
    use tickwire_sync::frame::Publisher;
    use tickwire_sync::interest::InterestArea;
    use tickwire_sync::{EntityId, Kind, KindId, Lane, LayerSet, Scope};

    /// A raw game with one row: a sum of what its players wish, and of how many they are.
    #[derive(Default)]
    struct Sum {
        players: Vec<PlayerId>,
        sum: i32,
        /// Whether the sum is left out of the saved state.
        forgets: bool,
    }

    impl Game for Sum {
        fn name(&self) -> &'static str {
            "sum"
        }

        fn schema(&self) -> Arc<Schema> {
            let kind = Kind {
                name: "sum".to_owned(),
                lanes: vec![Lane::discrete("value", "")],
                ..Kind::default()
            };
            Arc::new(Schema {
                kinds: vec![kind],
                ..Schema::default()
            })
        }

        fn map(&self) -> Vec<u8> {
            Vec::new()
        }

        fn rules_hash(&self) -> u64 {
            0
        }

        fn join(&mut self, player: PlayerId, _: &Identity) -> Result<Option<EntityId>, Refusal> {
            self.players.push(player);
            Ok(None)
        }

        fn leave(&mut self, player: PlayerId) {
            self.players.retain(|other| *other != player);
        }

        fn step(&mut self, step: &mut Step<'_>) {
            for player in &self.players {
                let input = step.inputs.of(*player);
                let wish: i32 = input.map_or(0, |input| {
                    input.payload().iter().map(|byte| i32::from(*byte)).sum()
                });
                self.sum = self.sum.wrapping_add(wish + 1);
            }
        }

        fn publish(&self, out: &mut Publisher<'_>) {
            let id = EntityId {
                kind: KindId(0),
                slot: 0,
                generation: 1,
            };
            out.put(id, Scope::Global, &[self.sum], &[]);
        }

        fn interest_area(&self, _: PlayerId) -> InterestArea {
            InterestArea {
                focus: glam::IVec2::ZERO,
                half_extent: glam::IVec2::ZERO,
                layers: LayerSet::default(),
            }
        }

        fn save(&self, out: &mut Vec<u8>) -> Result<(), SaveError> {
            let sum = if self.forgets { 0 } else { self.sum };
            out.extend(sum.to_le_bytes());
            out.extend(
                self.players
                    .iter()
                    .flat_map(|player| player.0.to_le_bytes()),
            );
            Ok(())
        }

        fn restore(&mut self, state: &[u8]) -> Result<(), SaveError> {
            let words: Vec<_> = state.as_chunks::<4>().0.to_vec();
            let Some((sum, players)) = words.split_first() else {
                return Err(SaveError::Unreadable("it is empty".to_owned()));
            };
            self.sum = i32::from_le_bytes(*sum);
            let ids = players
                .iter()
                .map(|word| PlayerId(u32::from_le_bytes(*word)));
            self.players = ids.collect();
            Ok(())
        }
    }

    #[test]
    fn a_raw_game_plays_on_after_a_restore() {
        assert_plays_on_after_restore(|_| Box::new(Sum::default()), 3);
    }

    #[test]
    #[should_panic(expected = "was restored after")]
    fn a_raw_game_that_forgets_is_found_out() {
        let forgetful = || Sum {
            forgets: true,
            ..Sum::default()
        };
        assert_plays_on_after_restore(|_| Box::new(forgetful()), 3);
    }
}
