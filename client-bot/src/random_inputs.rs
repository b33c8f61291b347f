//! Inputs for any game, from what its schema says of them.
//!
//! In: the fields of an input, and a seed. Out: valid payloads, one a tick, as a person would make them: a value is held for a while,
//! rest and full deflection are common, and what happens once is pressed now and then. Knows no game.

use tickwire_rules::encode_fields;
use tickwire_sync::InputField;

/// How long a value is held, in ticks.
const HELD_TICKS: std::ops::Range<u32> = 6..60;
/// One tick in so many has a pulse of a field that happens once.
const PULSE_INTERVAL_TICKS: u32 = 40;

/// Makes the inputs of one bot.
#[derive(Clone, Debug)]
pub struct RandomInputs {
    random: fastrand::Rng,
    /// Of each field its value, and for how many more ticks it is held.
    held: Vec<(i32, u32)>,
}

impl RandomInputs {
    /// Inputs that repeat with their seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            random: fastrand::Rng::with_seed(seed),
            held: Vec::new(),
        }
    }

    /// The input of the next tick; `None` if the game encodes its inputs in its own way.
    pub fn next(&mut self, fields: &[InputField]) -> Option<Vec<u8>> {
        if fields.is_empty() {
            return None;
        }
        self.held.resize(fields.len(), (0, 0));
        let random = &mut self.random;
        let values = fields
            .iter()
            .zip(&mut self.held)
            .map(|(field, (value, ticks))| {
                if field.once {
                    let is_pulse = random.u32(..PULSE_INTERVAL_TICKS) == 0;
                    return if is_pulse { pressed(random, field) } else { 0 };
                }
                if *ticks == 0 {
                    *ticks = random.u32(HELD_TICKS);
                    *value = deflected(random, field);
                }
                *ticks -= 1;
                *value
            });
        encode_fields(fields, &values.collect::<Vec<_>>()).ok()
    }
}

/// A value of a field that is held: at rest, at an end, or anywhere.
fn deflected(random: &mut fastrand::Rng, field: &InputField) -> i32 {
    match random.u8(..4) {
        0 => 0,
        1 => field.min,
        2 => field.max,
        _ => random.i32(field.min.min(0)..=field.max.max(0)),
    }
}

/// A value other than 0, if the field has one.
fn pressed(random: &mut fastrand::Rng, field: &InputField) -> i32 {
    match random.i32(field.min.min(0)..=field.max.max(0)) {
        0 if field.max > 0 => field.max,
        0 => field.min,
        value => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tickwire_rules::BitReader;

    fn fields() -> Vec<InputField> {
        let field = |bits, min, max, once| InputField {
            bits,
            min,
            max,
            once,
            ..InputField::default()
        };
        vec![
            field(2, -1, 1, false),
            field(10, 0, 1000, false),
            field(32, i32::MIN, i32::MAX, false),
            field(1, 0, 1, true),
            field(3, -4, 0, true),
        ]
    }

    fn read(payload: &[u8]) -> Vec<i32> {
        let mut bits = BitReader::new(payload);
        (fields().iter())
            .map(|field| bits.get_int(field.bits, field.min < 0))
            .collect()
    }

    #[test]
    fn inputs_are_valid_and_repeat_with_their_seed() {
        let fields = fields();
        let [mut one, mut same, mut other] = [1, 1, 2].map(RandomInputs::new);
        let mut differ = 0;
        for _ in 0..2000 {
            let payload = one.next(&fields).unwrap();
            for (field, value) in fields.iter().zip(read(&payload)) {
                assert!(
                    (field.min..=field.max).contains(&value),
                    "{field:?}: {value}"
                );
            }
            assert_eq!(same.next(&fields), Some(payload.clone()));
            differ += usize::from(other.next(&fields) != Some(payload));
        }
        assert!(differ > 1000);
    }

    #[test]
    fn values_are_held_and_what_happens_once_is_pulsed() {
        let fields = fields();
        let mut inputs = RandomInputs::new(3);
        let rows: Vec<_> = (0..4000)
            .map(|_| read(&inputs.next(&fields).unwrap()))
            .collect();
        let changes = |at: usize| {
            rows.windows(2)
                .filter(|two| two[0][at] != two[1][at])
                .count()
        };
        assert!((20..200).contains(&changes(1)), "{}", changes(1));
        for at in [3, 4] {
            let pulses = rows.iter().filter(|row| row[at] != 0).count();
            assert!((50..200).contains(&pulses), "{pulses}");
        }
    }

    #[test]
    fn a_game_with_inputs_of_its_own_gets_none() {
        assert_eq!(RandomInputs::new(1).next(&[]), None);
    }
}
