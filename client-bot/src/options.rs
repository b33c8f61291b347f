//! The flags of the bots: flags before environment before file before default, checked once.
//!
//! [`Options`] that were loaded are right: the URL can be used, the rooms' names are valid, the reports can be written. What is
//! wrong becomes one line that names the flag.

use anyhow::{Context as _, anyhow, bail};
use clap::error::ErrorKind;
use clap::{CommandFactory as _, FromArgMatches as _, Parser, ValueEnum};
use std::any::TypeId;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tickwire_client::native::{PathSettings, Target};

/// Longest name of a room.
const MAX_ROOM: usize = 32;

/// Headless players for a Tickwire server.
#[derive(Clone, Debug, Parser)]
#[command(name = "tickwire-bot", version, args_override_self = true)]
pub struct Options {
    /// TOML file with flags as keys, e.g. bots = 200.
    #[arg(long, env = "TICKWIRE_CONFIG")]
    pub config: Option<PathBuf>,
    /// Where to connect to: ws://HOST:PORT/ws or wss://...
    #[arg(long, env = "TICKWIRE_URL", default_value = "ws://127.0.0.1:7777/ws")]
    pub url: String,
    /// Take any certificate (for self-signed development servers).
    #[arg(long, env = "TICKWIRE_INSECURE", value_parser = clap::builder::BoolishValueParser::new())]
    pub insecure: bool,
    /// How the server shall encode blocks.
    #[arg(long, env = "TICKWIRE_ENCODING", value_enum, default_value_t = EncodingName::Packed)]
    pub encoding: EncodingName,
    /// How many bots.
    #[arg(long, env = "TICKWIRE_BOTS", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub bots: u32,
    /// Connections started per second.
    #[arg(long, env = "TICKWIRE_RAMP", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub ramp: u32,
    /// How long they play, from when the last one was started; then they leave politely.
    #[arg(long, env = "TICKWIRE_DURATION", default_value = "30s", value_parser = humantime::parse_duration)]
    pub duration: Duration,
    /// Room to join; with --rooms the prefix of their names. Empty: the URL's.
    #[arg(long, env = "TICKWIRE_ROOM", default_value = "")]
    pub room: String,
    /// Prefix of the bots' names.
    #[arg(long, env = "TICKWIRE_NAME", default_value = "bot")]
    pub name: String,
    /// Signed ticket, where the server demands one.
    #[arg(
        long,
        env = "TICKWIRE_TICKET",
        hide_env_values = true,
        default_value = ""
    )]
    pub ticket: String,
    /// Spread the bots evenly over this many rooms, ROOM-0, ROOM-1 ...
    #[arg(long, env = "TICKWIRE_ROOMS", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub rooms: u32,
    /// Cheat: claim in every input a screen older than the true one by this much.
    #[arg(long, env = "TICKWIRE_FORGE_VIEW", default_value = "0ms", value_parser = humantime::parse_duration)]
    pub forge_view: Duration,
    /// What the bots do. mixed: of ten, five wander, three duel, one idles, one spectates.
    #[arg(long, env = "TICKWIRE_BEHAVIOUR", value_enum, default_value_t = BehaviourName::Mixed)]
    pub behaviour: BehaviourName,
    /// Emulated delay of the line, each way.
    #[arg(long, env = "TICKWIRE_LATENCY", default_value = "0ms", value_parser = humantime::parse_duration)]
    pub latency: Duration,
    /// Spread of that delay: up to this much more or less.
    #[arg(long, env = "TICKWIRE_JITTER", default_value = "0ms", value_parser = humantime::parse_duration)]
    pub jitter: Duration,
    /// Chance per second of a head-of-line stall of 200 ms, each way.
    #[arg(long, env = "TICKWIRE_STALL", default_value_t = 0.0, value_parser = chance)]
    pub stall: f64,
    /// Seed of everything random.
    #[arg(long, env = "TICKWIRE_SEED", default_value_t = 1)]
    pub seed: u64,
    /// Write the report as JSON to this file.
    #[arg(long, env = "TICKWIRE_REPORT")]
    pub report: Option<PathBuf>,
    /// Write the report as a page with plots to this file.
    #[arg(long, env = "TICKWIRE_REPORT_HTML")]
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
    /// The behaviour at this place of a row of bots: itself, unless it is a mix.
    #[must_use]
    pub fn at(self, place: u32) -> Self {
        match (self, place % 10) {
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
    /// Reads arguments (the program's name first), the environment, and the file they name, and checks them.
    ///
    /// # Errors
    /// One line that names the flag; or a [`clap::Error`], which may also be a request for help.
    pub fn load<I, T>(arguments: I) -> anyhow::Result<Self>
    where
        I: IntoIterator<Item = T>,
        T: Into<OsString> + Clone,
    {
        let arguments: Vec<OsString> = arguments.into_iter().map(Into::into).collect();
        let mut matches = command().try_get_matches_from(&arguments)?;
        if let Some(path) = matches.get_one::<PathBuf>("config") {
            let command =
                with_defaults_of(path).with_context(|| format!("--config {}", path.display()))?;
            matches = command.try_get_matches_from(&arguments)?;
        }
        let options = Self::from_arg_matches(&matches)?;
        options.check()?;
        Ok(options)
    }

    fn check(&self) -> anyhow::Result<()> {
        Target::new(&self.url, self.insecure).map_err(|error| anyhow!("--url: {error}"))?;
        let last = self.room_of(self.rooms - 1);
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        if last.len() > MAX_ROOM || !last.bytes().all(is_name) {
            bail!(
                "--room: {last:?} is no name of a room; it takes up to {MAX_ROOM} of A-Z a-z 0-9 _ -"
            );
        }
        if self.report.is_some() && self.report == self.report_html {
            bail!("--report-html: this is the file of --report; name another one");
        }
        for (flag, path) in [("report", &self.report), ("report-html", &self.report_html)] {
            // Before the run, not after it; what is there stays until there is something new.
            let Some(path) = path else { continue };
            let file = std::fs::OpenOptions::new()
                .append(true)
                .create(true)
                .open(path);
            file.map_err(|error| {
                anyhow!("--{flag} {}: it cannot be written: {error}", path.display())
            })?;
        }
        Ok(())
    }

    /// The room of bot number `index`.
    #[must_use]
    pub fn room_of(&self, index: u32) -> String {
        match (self.rooms, self.room.as_str()) {
            (1, room) => room.to_owned(),
            (rooms, "") => format!("room-{}", index % rooms),
            (rooms, room) => format!("{room}-{}", index % rooms),
        }
    }

    /// What bot number `index` does. Every room gets the whole mix, and small rooms differ.
    #[must_use]
    pub fn behaviour_of(&self, index: u32) -> BehaviourName {
        self.behaviour.at(index / self.rooms + index % self.rooms)
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

/// The flags. A number or a time may begin with a dash, so that one hears what is wrong with it, and not that there is no such flag.
fn command() -> clap::Command {
    let quantities = [
        TypeId::of::<u32>(),
        TypeId::of::<u64>(),
        TypeId::of::<f64>(),
        TypeId::of::<Duration>(),
    ];
    Options::command().mut_args(|arg| {
        let kind = arg.get_value_parser().type_id();
        let is_quantity = quantities.iter().any(|quantity| kind == *quantity);
        arg.allow_hyphen_values(is_quantity)
    })
}

/// The flags with what the file says in the place of their defaults.
fn with_defaults_of(path: &Path) -> anyhow::Result<clap::Command> {
    let text = std::fs::read_to_string(path)?;
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        // The message alone: the whole error would be a drawing of several lines.
        anyhow!("{}", error.message().replace('\n', "; "))
    })?;
    let mut command = command();
    for (key, value) in table {
        let is_flag = |arg: &clap::Arg| arg.get_long() == Some(&key) && key != "config";
        let Some(id) = command
            .get_arguments()
            .find(|arg| is_flag(arg))
            .map(|arg| arg.get_id().clone())
        else {
            bail!("there is no flag {key}");
        };
        let value = match value {
            toml::Value::String(text) => text,
            other => other.to_string(),
        };
        command = command.mut_arg(id, |arg| arg.default_value(value));
    }
    Ok(command)
}

/// What went wrong in one line; what clap adds below its first lines is advice.
#[must_use]
pub fn one_line(error: &anyhow::Error) -> String {
    let Some(flags) = error.downcast_ref::<clap::Error>() else {
        return format!("{error:#}");
    };
    let text = flags.to_string();
    let mut lines = text.lines().map(str::trim);
    let first = lines.next().unwrap_or_default();
    let first = first.strip_prefix("error: ").unwrap_or(first);
    // The second line of these says what would be right.
    let is_continued = matches!(
        flags.kind(),
        ErrorKind::InvalidValue | ErrorKind::MissingRequiredArgument
    );
    match lines.next().filter(|line| is_continued && !line.is_empty()) {
        Some(second) => format!("{first} {second}"),
        None => first.to_owned(),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn load(flags: &[&str]) -> Result<Options, String> {
        Options::load(["tickwire-bot"].iter().chain(flags)).map_err(|error| one_line(&error))
    }

    #[test]
    fn defaults_are_those_of_the_contract() {
        let options = load(&[]).unwrap();
        assert_eq!(options.url, "ws://127.0.0.1:7777/ws");
        assert_eq!(
            (options.bots, options.ramp, options.rooms, options.seed),
            (50, 200, 1, 1)
        );
        assert_eq!(options.duration, Duration::from_secs(30));
        assert_eq!(
            (options.encoding, options.behaviour),
            (EncodingName::Packed, BehaviourName::Mixed)
        );
        assert_eq!(options.path(), PathSettings::default());
        assert_eq!(options.forge_view, Duration::ZERO);
    }

    #[test]
    fn what_is_wrong_is_one_line_that_names_the_flag() {
        let long = "x".repeat(32);
        let wrong: [(&[&str], &str); 14] = [
            (&["--bots", "0"], "--bots"),
            (&["--bots", "-1"], "--bots"),
            (&["--duration", "-5s"], "--duration"),
            (&["--bots", "many"], "--bots"),
            (&["--ramp", "0"], "--ramp"),
            (&["--duration", "soon"], "--duration"),
            (&["--behaviour", "sleep"], "--behaviour"),
            (&["--encoding", "xml"], "--encoding"),
            (&["--stall", "2"], "--stall"),
            (&["--url", "http://example.org"], "--url"),
            (&["--room", "a b"], "--room"),
            (&["--room", &long, "--rooms", "2"], "--room"),
            (&["--report", "/no/such/directory/report.json"], "--report"),
            (&["--no-such-flag"], "--no-such-flag"),
        ];
        for (flags, flag) in wrong {
            let line = load(flags).unwrap_err();
            assert!(
                line.contains(flag) && line.lines().count() == 1,
                "{flags:?} gives {line:?}"
            );
        }
        let line = load(&["--report", "one", "--report-html", "one"]).unwrap_err();
        assert!(line.contains("the file of --report"), "{line:?}");
        let line = load(&["--behaviour", "sleep"]).unwrap_err();
        assert!(line.contains("slow-reader"), "{line:?} says what there is");
    }

    #[test]
    fn a_file_gives_defaults_and_flags_beat_it() {
        let path = std::env::temp_dir().join(format!("tickwire-bot-{}.toml", std::process::id()));
        std::fs::write(
            &path,
            "bots = 7\nbehaviour = \"duel\"\nduration = \"2s\"\nstall = 0.5\ninsecure = true\n",
        )
        .unwrap();
        let file = path.to_str().unwrap();
        let options = load(&["--config", file, "--duration", "5s"]).unwrap();
        assert_eq!(
            (options.bots, options.behaviour, options.insecure),
            (7, BehaviourName::Duel, true)
        );
        assert_eq!(options.duration, Duration::from_secs(5));
        assert!((options.stall - 0.5).abs() < 1e-9);
        std::fs::write(&path, "botz = 7\n").unwrap();
        assert!(load(&["--config", file]).unwrap_err().contains("botz"));
        std::fs::write(&path, "bots = = 7\n").unwrap();
        assert_eq!(load(&["--config", file]).unwrap_err().lines().count(), 1);
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn mixed_bots_are_what_help_says_and_rooms_get_even_shares() {
        let options = load(&["--rooms", "4", "--room", "arena"]).unwrap();
        let kinds: Vec<_> = (0..200).map(|index| options.behaviour_of(index)).collect();
        let count = |name| kinds.iter().filter(|kind| **kind == name).count();
        assert_eq!(
            [
                BehaviourName::Wander,
                BehaviourName::Duel,
                BehaviourName::Idle,
                BehaviourName::Spectate
            ]
            .map(count),
            [100, 60, 20, 20]
        );
        let in_last = (0..200)
            .filter(|index| options.room_of(*index) == "arena-3")
            .count();
        assert_eq!(in_last, 50);
        let options = load(&["--rooms", "300"]).unwrap();
        let spectators = (0..3000).filter(|index| {
            options.room_of(*index) == "room-42"
                && options.behaviour_of(*index) == BehaviourName::Spectate
        });
        assert_eq!(spectators.count(), 1, "a room of ten has the whole mix");
    }
}
