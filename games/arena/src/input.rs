//! The arena's input of one tick, in three bytes.

use tickwire_rules::RuleInput;

/// One tick's input. Byte 0 holds the buttons, bytes 1 and 2 the heading (little-endian, below 1024).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ArenaInput {
    /// Thrust up the screen.
    pub up: bool,
    /// Thrust down the screen.
    pub down: bool,
    /// Thrust to the left.
    pub left: bool,
    /// Thrust to the right.
    pub right: bool,
    /// Fire when the beam is ready.
    pub fire: bool,
    /// Where the ship should point; `None` keeps its heading.
    pub heading: Option<i32>,
}

impl ArenaInput {
    /// The input as the rules apply it. A repeated input keeps moving and never fires.
    #[must_use]
    pub fn of(input: RuleInput<'_>) -> Self {
        match input {
            RuleInput::Fresh(payload) => Self::decode(payload),
            RuleInput::Repeated(payload) => Self {
                fire: false,
                ..Self::decode(payload)
            },
            RuleInput::Neutral => Self::default(),
        }
    }

    /// Reads an input. An empty or unreadable one is neutral.
    #[must_use]
    pub fn decode(payload: &[u8]) -> Self {
        let [buttons, low, high] = *payload else {
            return Self::default();
        };
        Self {
            up: buttons & 1 != 0,
            down: buttons & 2 != 0,
            left: buttons & 4 != 0,
            right: buttons & 8 != 0,
            fire: buttons & 16 != 0,
            heading: Some(i32::from(
                u16::from_le_bytes([low, high]) % super::TURN as u16,
            )),
        }
    }

    /// The bytes that [`Self::decode`] reads. An input without a heading becomes the empty, neutral one.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let Some(heading) = self.heading else {
            return Vec::new();
        };
        let buttons = [self.up, self.down, self.left, self.right, self.fire];
        let buttons = buttons
            .iter()
            .enumerate()
            .fold(0, |bits, (bit, is_down)| bits | u8::from(*is_down) << bit);
        let [low, high] = (heading.rem_euclid(super::TURN as i32) as u16).to_le_bytes();
        vec![buttons, low, high]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_input_moves_and_never_fires() {
        let input = ArenaInput {
            right: true,
            fire: true,
            heading: Some(300),
            ..ArenaInput::default()
        };
        let payload = input.encode();
        assert_eq!(ArenaInput::of(RuleInput::Fresh(&payload)), input);
        let repeated = ArenaInput::of(RuleInput::Repeated(&payload));
        assert_eq!(
            repeated,
            ArenaInput {
                fire: false,
                ..input
            }
        );
        assert_eq!(ArenaInput::of(RuleInput::Neutral), ArenaInput::default());
    }
}
