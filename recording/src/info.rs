//! What is in a recording: how long it is, who played, and which part of it takes how much.

pub use crate::column::Part;

use crate::head::Head;
use crate::recording::{ReadError, Recording};
use crate::tick::Participant;
use std::collections::BTreeMap;
use std::io::{Read, Seek};
use std::time::Duration;
use tickwire_sync::Tick;

/// Bytes of a lane that is not encoded.
const LANE_BYTES: u64 = size_of::<i32>() as u64;

/// What is in a recording.
#[derive(Clone, PartialEq, Debug)]
pub struct Info {
    /// What it is about.
    pub head: Head,
    /// The first and the last tick; `None` if there are none.
    pub ticks: Option<(Tick, Tick)>,
    /// How many ticks there are.
    pub tick_count: u64,
    /// When the first tick was made: milliseconds since 1970.
    pub unix_ms: u64,
    /// Everybody who was there, by ascending player.
    pub players: Vec<Participant>,
    /// Chunks.
    pub chunks: usize,
    /// Chunks that cannot be read, about which nothing else here says anything.
    pub damaged_chunks: usize,
    /// Bytes of each part, compressed.
    pub part_bytes: BTreeMap<Part, u64>,
    /// Bytes of all chunks.
    pub chunk_bytes: u64,
    /// Connected sessions, summed over the ticks.
    pub player_ticks: u64,
    /// Bytes of the public lanes of all rows of all ticks, at four a lane.
    pub raw_bytes: u64,
}

impl Info {
    /// Reads what all chunks say of themselves. No tick is decoded.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn of<S: Read + Seek>(recording: &mut Recording<S>) -> Result<Self, ReadError> {
        let mut info = Self {
            head: recording.head().clone(),
            ticks: recording.ticks(),
            tick_count: 0,
            unix_ms: recording.head().unix_ms,
            players: Vec::new(),
            chunks: recording.chunks().len(),
            damaged_chunks: 0,
            part_bytes: BTreeMap::new(),
            chunk_bytes: recording.chunks().iter().map(|chunk| chunk.bytes).sum(),
            player_ticks: 0,
            raw_bytes: 0,
        };
        let mut players = BTreeMap::new();
        let mut is_first = true;
        for chunk in 0..info.chunks {
            let summary = match recording.summary(chunk) {
                Ok(summary) => summary,
                Err(ReadError::Damaged(_)) => {
                    info.damaged_chunks += 1;
                    continue;
                }
                Err(error) => return Err(error),
            };
            if std::mem::take(&mut is_first) {
                info.unix_ms = summary.head.unix_ms;
            }
            info.tick_count += u64::from(summary.head.tick_count);
            // Sums of what a file says may be anything.
            info.player_ticks = info.player_ticks.saturating_add(summary.head.player_ticks);
            let raw = summary.head.lanes.saturating_mul(LANE_BYTES);
            info.raw_bytes = info.raw_bytes.saturating_add(raw);
            for (part, bytes) in summary.parts {
                *info.part_bytes.entry(part).or_default() += bytes as u64;
            }
            players.extend(summary.participants);
        }
        info.players = players.into_values().collect();
        Ok(info)
    }

    /// How long the recorded ticks lasted.
    #[must_use]
    pub fn duration(&self) -> Duration {
        Duration::from_secs_f64(self.tick_count as f64 / f64::from(self.head.tick_rate.max(1)))
    }

    /// For how many minutes players were connected, all players together.
    #[must_use]
    pub fn player_minutes(&self) -> f64 {
        self.player_ticks as f64 / f64::from(self.head.tick_rate.max(1)) / 60.0
    }
}
