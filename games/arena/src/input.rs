//! What a player wants in one tick: three bytes on the wire, the buttons and then the heading.

use crate::TURN;
use tickwire::prelude::*;

/// A direction, in 1/1024 turn.
pub type Heading = Angle<TURN>;

/// What a player wants in one tick.
#[derive(Input, Clone, Copy, PartialEq, Eq, Debug, Default)]
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
    #[input(once)]
    pub fire: bool,
    /// Room for three more buttons, so that the heading has bytes of its own.
    #[input(range = 0..=7)]
    pub spare: u8,
    /// Where the ship should point, modulo a turn; 0: where it points now. [`Self::pointing`] sets it.
    #[input(name = "heading")]
    pub turn: u16,
}

impl ArenaInput {
    /// This input with the wish to point somewhere.
    #[must_use]
    pub fn pointing(self, heading: Heading) -> Self {
        // A whole turn, as 0 keeps the heading.
        let steps = if heading.steps() == 0 {
            TURN
        } else {
            heading.steps()
        };
        Self {
            turn: steps as u16,
            ..self
        }
    }

    /// Where the ship should point; `None` keeps its heading.
    #[must_use]
    pub fn heading(self) -> Option<Heading> {
        (self.turn != 0).then(|| Heading::from_steps(self.turn.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_are_buttons_and_then_the_heading() {
        let input = ArenaInput {
            down: true,
            right: true,
            fire: true,
            ..ArenaInput::default()
        };
        let input = input.pointing(Heading::from_steps(300));
        assert_eq!(input.to_payload(), [0b11010, 44, 1]);
        assert_eq!(ArenaInput::decode(&[0b11010, 44, 1]), input);
        assert_eq!(input.repeated().to_payload(), [0b01010, 44, 1]);
    }

    #[test]
    fn a_neutral_input_keeps_the_heading() {
        assert_eq!(ArenaInput::decode(&[]).heading(), None);
        let right = Heading::from_steps(0);
        let pointing = ArenaInput::default().pointing(right);
        assert_eq!(pointing.heading(), Some(right));
    }
}
