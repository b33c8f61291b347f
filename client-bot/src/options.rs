//! The flags of the bots.

use clap::{Parser, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;
use tickwire_client::native::PathSettings;

/// Headless players for a Tickwire server.
#[derive(Clone, Debug, Parser)]
#[command(name = "tickwire-bot", version)]
pub struct Options {
    /// Where to connect to: ws://HOST:PORT/ws or wss://...
    #[arg(long, env = "TICKWIRE_URL", default_value = "ws://127.0.0.1:7777/ws")]
    pub url: String,
    /// Take any certificate (for self-signed development servers).
    #[arg(long)]
    pub insecure: bool,
    /// How the server shall encode blocks.
    #[arg(long, value_enum, default_value_t = EncodingName::Packed)]
    pub encoding: EncodingName,
    /// How many bots.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub bots: u32,
    /// Connections started per second.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub ramp: u32,
    /// How long the bots play; then they leave politely.
    #[arg(long, default_value = "30s", value_parser = humantime::parse_duration)]
    pub duration: Duration,
    /// Room to join; with --rooms the prefix of their names.
    #[arg(long, default_value = "")]
    pub room: String,
    /// Prefix of the bots' names.
    #[arg(long, default_value = "bot")]
    pub name: String,
    /// Signed ticket, where the server demands one.
    #[arg(long, default_value = "")]
    pub ticket: String,
    /// Spread the bots evenly over this many rooms, ROOM-0, ROOM-1 ...
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub rooms: u32,
    /// Cheat: claim in every shot a screen older than the true one by this much.
    #[arg(long, default_value = "0ms", value_parser = humantime::parse_duration)]
    pub forge_view: Duration,
    /// What the bots do.
    #[arg(long, value_enum, default_value_t = BehaviourName::Mixed)]
    pub behaviour: BehaviourName,
    /// Emulated delay of the line, each way.
    #[arg(long, default_value = "0ms", value_parser = humantime::parse_duration)]
    pub latency: Duration,
    /// Spread of that delay: up to this much more or less.
    #[arg(long, default_value = "0ms", value_parser = humantime::parse_duration)]
    pub jitter: Duration,
    /// Chance per second of a head-of-line stall of 200 ms, each way.
    #[arg(long, default_value_t = 0.0, value_parser = chance)]
    pub stall: f64,
    /// Seed of everything random.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Write the report as JSON to this file.
    #[arg(long)]
    pub report: Option<PathBuf>,
    /// Write the report as a page with plots to this file.
    #[arg(long)]
    pub report_html: Option<PathBuf>,
}

/// Names of the behaviours.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum BehaviourName {
    /// Flies about.
    Wander,
    /// Aims and shoots at what its screen shows.
    Duel,
    /// Joins, and does nothing.
    Idle,
    /// Watches.
    Spectate,
    /// Wanders, and reads its socket slowly.
    SlowReader,
    /// Wanders, drops its connection every few seconds, and comes back.
    Flapper,
    /// Of ten bots: five wander, three duel, one idles, one spectates.
    Mixed,
}

/// Names of the encodings.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum EncodingName {
    /// The packed one, where the server has it.
    Packed,
    /// Protobuf all the way down.
    Plain,
}

impl BehaviourName {
    /// What bot number `index` does.
    #[must_use]
    pub fn of_bot(self, index: u32) -> Self {
        match (self, index % 10) {
            (Self::Mixed, 0..5) => Self::Wander,
            (Self::Mixed, 5..8) => Self::Duel,
            (Self::Mixed, 8) => Self::Idle,
            (Self::Mixed, _) => Self::Spectate,
            (name, _) => name,
        }
    }

    /// Whether the bot takes every snapshot that it can get, so that its rate says something about the server.
    #[must_use]
    pub fn keeps_reading(self) -> bool {
        !matches!(self, Self::SlowReader | Self::Flapper)
    }

    /// The name as on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Wander => "wander",
            Self::Duel => "duel",
            Self::Idle => "idle",
            Self::Spectate => "spectate",
            Self::SlowReader => "slow-reader",
            Self::Flapper => "flapper",
            Self::Mixed => "mixed",
        }
    }
}

impl Options {
    /// The room of bot number `index`.
    #[must_use]
    pub fn room_of(&self, index: u32) -> String {
        match (self.rooms, self.room.as_str()) {
            (1, room) => room.to_owned(),
            (rooms, "") => format!("room-{}", index % rooms),
            (rooms, room) => format!("{room}-{}", index % rooms),
        }
    }

    /// The emulated line.
    #[must_use]
    pub fn path(&self) -> PathSettings {
        PathSettings {
            latency: self.latency,
            jitter: self.jitter,
            stall: self.stall,
        }
    }
}

fn chance(text: &str) -> Result<f64, String> {
    let chance: f64 = text.parse().map_err(|_| "is no number".to_owned())?;
    if (0.0..=1.0).contains(&chance) {
        Ok(chance)
    } else {
        Err("must be from 0 to 1".to_owned())
    }
}
