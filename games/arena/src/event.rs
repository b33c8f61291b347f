//! What happens in the arena, and is over at once.

use crate::{STEPS, Ship};
use tickwire::prelude::*;

/// An event. Each number has four bytes: clients in other languages read it so since the first version.
#[derive(Event, Clone, Copy, PartialEq, Eq, Debug)]
#[event(fixed)]
pub enum ArenaEvent {
    /// A beam was fired. All who see any part of it are told.
    Beam {
        /// The shooter's ship.
        shooter: Id<Ship>,
        /// The number of the input that fired the beam; 0 for computer players.
        input_number: u32,
        /// Where it starts.
        from: Pos<STEPS>,
        /// Where it ends.
        to: Pos<STEPS>,
        /// The ship that the beam hit.
        hit: Option<Id<Ship>>,
    },
    /// A ship was shot down. Everybody is told.
    Kill {
        /// The slot of the player who shot.
        #[event(unit = "slot of kind player")]
        killer: u32,
        /// The slot of the player who lost the ship.
        #[event(unit = "slot of kind player")]
        victim: u32,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use tickwire::Payload as _;

    #[test]
    fn events_are_words_of_four_bytes() {
        let bytes = |event: ArenaEvent| {
            let mut out = Vec::new();
            event.encode_fields(&mut out);
            (event.kind(), out)
        };
        let words = |words: &[i32]| words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let beam = ArenaEvent::Beam {
            shooter: Id::new(3, 2),
            input_number: 70_000,
            from: Pos::new(1.0, 2.0),
            to: Pos::new(-1.0, 100.0),
            hit: Some(Id::new(9, 4)),
        };
        let beam_words: Vec<u8> = words(&[3, 2, 70_000, 16, 32, -16, 1600, 9, 4]);
        assert_eq!(bytes(beam), (0, beam_words));
        let kill = ArenaEvent::Kill {
            killer: 5,
            victim: 6,
        };
        assert_eq!(bytes(kill), (1, words(&[5, 6])));
    }
}
