//! The arena's events and their encoding: little-endian, of fixed length.

use super::kind;
use tickwire_sync::EntityId;

/// The kind of the beam event: its position in the schema.
pub const BEAM: u32 = 0;
/// The kind of the kill event: its position in the schema.
pub const KILL: u32 = 1;

/// A beam was fired. Touches every cell that it crosses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BeamFired {
    /// The shooter's ship.
    pub shooter: EntityId,
    /// The sequence number of the input that fired the beam; 0 for computer players.
    pub seq: u32,
    /// Start and end in lane units: x, y, x, y.
    pub line: [i32; 4],
    /// The ship that the beam hit.
    pub hit: Option<EntityId>,
}

/// A ship was shot down. Emitted in the global cell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Kill {
    /// The slot of the player who shot.
    pub killer: u32,
    /// The slot of the player who lost the ship.
    pub victim: u32,
}

impl BeamFired {
    /// The event's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let hit = self.hit.map_or([0, 0], |hit| [hit.slot, hit.generation]);
        let line = self.line.map(|value| value as u32);
        words(&[
            self.shooter.slot,
            self.shooter.generation,
            self.seq,
            line[0],
            line[1],
            line[2],
            line[3],
            hit[0],
            hit[1],
        ])
    }

    /// Reads what [`Self::encode`] wrote.
    #[must_use]
    pub fn decode(payload: &[u8]) -> Option<Self> {
        let [
            slot,
            generation,
            seq,
            x0,
            y0,
            x1,
            y1,
            hit_slot,
            hit_generation,
        ] = read(payload)?;
        let ship = |slot, generation| EntityId {
            kind: kind::SHIP,
            slot,
            generation,
        };
        Some(Self {
            shooter: ship(slot, generation),
            seq,
            line: [x0, y0, x1, y1].map(|value| value as i32),
            hit: (hit_generation != 0).then(|| ship(hit_slot, hit_generation)),
        })
    }
}

impl Kill {
    /// The event's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        words(&[self.killer, self.victim])
    }

    /// Reads what [`Self::encode`] wrote.
    #[must_use]
    pub fn decode(payload: &[u8]) -> Option<Self> {
        let [killer, victim] = read(payload)?;
        Some(Self { killer, victim })
    }
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn read<const N: usize>(payload: &[u8]) -> Option<[u32; N]> {
    let (chunks, rest) = payload.as_chunks::<4>();
    let chunks: &[[u8; 4]; N] = chunks.try_into().ok()?;
    rest.is_empty().then(|| chunks.map(u32::from_le_bytes))
}
