//! The options of a swarm: flags override the environment, which overrides the file, which overrides defaults.
//!
//! In: arguments. Out: valid [`Options`] (the URL can be used, the room names are valid, the reports can be written), or an error of
//! one line that names the flag. Nothing behind this module checks them again.

use crate::about::About;
use crate::links::{Link, LinkName};
use crate::plan::Plan;
use crate::report::Report;
use crate::scenario::Scenario;
use crate::threshold::Threshold;
use anyhow::{Context as _, anyhow, bail};
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{CommandFactory as _, FromArgMatches as _, Parser, ValueEnum};
use std::any::TypeId;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tickwire_client::native::{PathSettings, Target};
use tickwire_proto::{MAX_ROOM_NAME_BYTES, is_room_name};

/// Headless bots that play on a Tickwire server.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "tickwire-bot",
    version,
    args_override_self = true,
    after_help = "`tickwire-bot merge REPORTS...` makes one report of several; see its --help.\nExit codes: 0 all is well; 1 a bot did not connect or was lost, a mismatch, a protocol error; 2 wrong flags; 3 a threshold failed."
)]
pub struct Options {
    /// TOML file with flags as keys, e.g. bots = 200
    #[arg(long, env = "TICKWIRE_CONFIG")]
    pub config: Option<PathBuf>,
    /// What the program prints instead of playing
    #[command(flatten)]
    pub about: About,
    /// Server address: ws://HOST:PORT/ws or wss://HOST:PORT/ws; repeatable: the bots are spread over the addresses, and each comes back
    /// at the next one
    #[arg(
        long,
        env = "TICKWIRE_URL",
        default_value = "ws://127.0.0.1:7777/ws",
        value_delimiter = ','
    )]
    pub url: Vec<String>,
    /// Accept any certificate (for development servers with a self-signed one)
    #[arg(long, env = "TICKWIRE_INSECURE", value_parser = clap::builder::BoolishValueParser::new())]
    pub insecure: bool,
    /// Encoding of blocks to request from the server
    #[arg(long, env = "TICKWIRE_ENCODING", value_enum, default_value_t = EncodingName::Packed)]
    pub encoding: EncodingName,
    /// Number of bots
    #[arg(long, env = "TICKWIRE_BOTS", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub bots: u32,
    /// Bots started per second
    #[arg(long, env = "TICKWIRE_RAMP", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub ramp: u32,
    /// How long all bots play, counted from the start of the last one; then they leave
    #[arg(long, env = "TICKWIRE_DURATION", default_value = "30s", value_parser = humantime::parse_duration)]
    pub duration: Duration,
    /// Room to join, or with --rooms the prefix of the room names; empty: the URL's room
    #[arg(long, env = "TICKWIRE_ROOM", default_value = "")]
    pub room: String,
    /// Prefix of the bots' names
    #[arg(long, env = "TICKWIRE_NAME", default_value = "bot")]
    pub name: String,
    /// Signed ticket, where the server demands one
    #[arg(
        long,
        env = "TICKWIRE_TICKET",
        hide_env_values = true,
        default_value = ""
    )]
    pub ticket: String,
    /// File with a signed ticket a line, one for each bot in turn; a server lets each subject play once in a room
    #[arg(long, env = "TICKWIRE_TICKET_FILE", value_parser = tickets_of_file, conflicts_with = "ticket")]
    pub ticket_file: Option<Tickets>,
    /// Spread the bots evenly over this many rooms: ROOM-0, ROOM-1, ...
    #[arg(long, env = "TICKWIRE_ROOMS", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub rooms: u32,
    /// Cheat: claim in every input a view that is older than the true one by this time
    #[arg(long, env = "TICKWIRE_FORGE_VIEW", default_value = "0ms", value_parser = humantime::parse_duration)]
    pub forge_view: Duration,
    /// Cheat: take in whatever comes, pings included, this much later than it arrives, and send at once, to pretend a slow line
    #[arg(long, env = "TICKWIRE_HOLD_INCOMING", default_value = "0ms", value_parser = humantime::parse_duration)]
    pub hold_incoming: Duration,
    /// What the bots do; mixed: of ten bots five wander, three duel, one idles, one spectates; in a game that the bots do not know, all that play send random inputs, as with random
    #[arg(long, env = "TICKWIRE_BEHAVIOUR", value_enum, default_value_t = BehaviourName::Mixed)]
    pub behaviour: BehaviourName,
    /// Emulate a typical line by its name; the next three override parts of it
    #[arg(long, env = "TICKWIRE_LINK", value_enum)]
    pub link: Option<LinkName>,
    /// Emulated network delay, each way [default: the link's, or none]
    #[arg(long, env = "TICKWIRE_LATENCY", value_parser = humantime::parse_duration)]
    pub latency: Option<Duration>,
    /// Largest random deviation from that delay [default: the link's, or none]
    #[arg(long, env = "TICKWIRE_JITTER", value_parser = humantime::parse_duration)]
    pub jitter: Option<Duration>,
    /// Probability per second of an emulated head-of-line stall of 200 ms, each way [default: the link's, or 0]
    #[arg(long, env = "TICKWIRE_STALL", value_parser = probability)]
    pub stall: Option<f64>,
    /// TOML file with phases, links, behaviours and thresholds of a run; it replaces --bots, --ramp and --duration
    #[arg(long, env = "TICKWIRE_SCENARIO", value_parser = Scenario::of_file)]
    pub scenario: Option<Scenario>,
    /// Exit with 3 if this is so at the end, such as snapshot_gap_ms.p99>25: a figure of the JSON report, one of < <= > >= == != and a
    /// number; repeatable
    #[arg(long, env = "TICKWIRE_FAIL_IF", value_delimiter = ',')]
    pub fail_if: Vec<Threshold>,
    /// Seed of all randomness
    #[arg(long, env = "TICKWIRE_SEED", default_value_t = 1)]
    pub seed: u64,
    /// Write the report to this file, as JSON
    #[arg(long, env = "TICKWIRE_REPORT")]
    pub report: Option<PathBuf>,
    /// Write the report to this file, as an HTML page with plots
    #[arg(long, env = "TICKWIRE_REPORT_HTML")]
    pub report_html: Option<PathBuf>,
}

/// Names of the behaviours.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum BehaviourName {
    /// Moves around at random.
    Wander,
    /// Chases and fights whom it sees.
    Duel,
    /// Joins and does nothing.
    Idle,
    /// Watches without playing.
    Spectate,
    /// Wanders and reads its socket slowly.
    SlowReader,
    /// Wanders, drops its connection every few seconds, and reconnects.
    Flapper,
    /// Sends random valid inputs of the game's own schema, whatever the game.
    Random,
    /// Of ten bots: five wander, three duel, one idles, one spectates.
    Mixed,
}

/// The tickets of a file; at least one. `Debug` does not show them.
#[derive(Clone)]
pub struct Tickets(Arc<[String]>);

impl std::fmt::Debug for Tickets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} tickets", self.0.len())
    }
}

fn tickets_of_file(path: &str) -> Result<Tickets, String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let tickets: Arc<[String]> = lines.map(str::to_owned).collect();
    if tickets.is_empty() {
        return Err("the file has no ticket".to_owned());
    }
    Ok(Tickets(tickets))
}

/// Names of the encodings.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum EncodingName {
    /// The packed encoding, where the server has it.
    Packed,
    /// Blocks as plain protobuf.
    Plain,
}

impl BehaviourName {
    /// The behaviour of bot number `index`: of a mix the one in turn, else itself.
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

    /// Whether the bot reads every snapshot at once, so that its rate measures the server.
    #[must_use]
    pub fn keeps_reading(self) -> bool {
        !matches!(self, Self::SlowReader | Self::Flapper)
    }

    /// The name on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Wander => "wander",
            Self::Duel => "duel",
            Self::Idle => "idle",
            Self::Spectate => "spectate",
            Self::SlowReader => "slow-reader",
            Self::Flapper => "flapper",
            Self::Random => "random",
            Self::Mixed => "mixed",
        }
    }
}

impl Options {
    /// Reads the arguments (the program's name first), the environment and the configuration file, and checks them.
    ///
    /// # Errors
    /// If an option is invalid; [`one_line_error`] formats the error. A [`clap::Error`] may also be a request for help.
    pub fn load<I, T>(arguments: I) -> anyhow::Result<Self>
    where
        I: IntoIterator<Item = T>,
        T: Into<OsString> + Clone,
    {
        let arguments: Vec<OsString> = arguments.into_iter().map(Into::into).collect();
        let mut matches = command().try_get_matches_from(&arguments)?;
        if let Some(asked) = About::from_arg_matches(&matches)?.asked() {
            return Err(asked.into());
        }
        if let Some(path) = matches.get_one::<PathBuf>("config") {
            let command =
                command_with_file(path).with_context(|| format!("--config {}", path.display()))?;
            matches = command.try_get_matches_from(&arguments)?;
        }
        let options = Self::from_arg_matches(&matches)?;
        options.check_against_scenario(&matches)?;
        options.check()?;
        Ok(options)
    }

    /// What the scenario says cannot be said by flags too: nobody would know which one holds.
    fn check_against_scenario(&self, matches: &clap::ArgMatches) -> anyhow::Result<()> {
        let Some(scenario) = &self.scenario else {
            return Ok(());
        };
        let has_links = !scenario.links.is_empty();
        let said = [
            ("bots", true),
            ("ramp", true),
            ("duration", true),
            ("room", scenario.room.is_some()),
            ("rooms", scenario.rooms.is_some()),
            ("behaviour", !scenario.behaviours.is_empty()),
            ("link", has_links),
            ("latency", has_links),
            ("jitter", has_links),
            ("stall", has_links),
        ];
        for (flag, is_said) in said {
            let source = matches.value_source(flag);
            let is_given = matches!(
                source,
                Some(ValueSource::CommandLine | ValueSource::EnvVariable)
            );
            if is_said && is_given {
                bail!("--{flag}: the scenario says this; change it there");
            }
        }
        Ok(())
    }

    fn check(&self) -> anyhow::Result<()> {
        let plan = Plan::of(self);
        let shape = Report::shape(plan.phases.iter().map(|phase| phase.name.as_str()));
        for threshold in &self.fail_if {
            let checked = threshold.check(&shape);
            checked.map_err(|error| anyhow!("--fail-if {threshold}: {error}"))?;
        }
        for url in &self.url {
            Target::new(url, self.insecure).map_err(|error| anyhow!("--url: {error}"))?;
        }
        let last = self.room_of(self.room_count() - 1);
        // Without a name the server chooses the room.
        if !last.is_empty() && !is_room_name(&last) {
            bail!(
                "--room: {last:?} is not a room name: use up to {MAX_ROOM_NAME_BYTES} of A-Z a-z 0-9 _ -"
            );
        }
        if self.report.is_some() && self.report == self.report_html {
            bail!("--report-html: this is the file of --report; choose another one");
        }
        for (flag, path) in [("report", &self.report), ("report-html", &self.report_html)] {
            // Tested before the run, not after it. An existing report stays until there is a new one.
            let Some(path) = path else { continue };
            let file = std::fs::OpenOptions::new()
                .append(true)
                .create(true)
                .open(path);
            file.map_err(|error| {
                anyhow!("--{flag} {}: cannot be written: {error}", path.display())
            })?;
        }
        Ok(())
    }

    /// The room of bot number `index`.
    #[must_use]
    pub fn room_of(&self, index: u32) -> String {
        let room = self.scenario.as_ref().and_then(|said| said.room.as_ref());
        match (self.room_count(), room.unwrap_or(&self.room).as_str()) {
            (1, room) => room.to_owned(),
            (rooms, "") => format!("room-{}", index % rooms),
            (rooms, room) => format!("{room}-{}", index % rooms),
        }
    }

    /// The ticket of bot number `index`; empty: none.
    #[must_use]
    pub fn ticket_of(&self, index: u32) -> &str {
        match &self.ticket_file {
            Some(Tickets(tickets)) => &tickets[index as usize % tickets.len()],
            None => &self.ticket,
        }
    }

    /// The behaviour of bot number `index`. Every large room gets the whole mix, and small rooms differ.
    #[must_use]
    pub fn behaviour_of(&self, index: u32) -> BehaviourName {
        let rooms = self.room_count();
        self.behaviour.of_bot(index / rooms + index % rooms)
    }

    /// How many rooms there are.
    fn room_count(&self) -> u32 {
        let said = self.scenario.as_ref().and_then(|scenario| scenario.rooms);
        said.unwrap_or(self.rooms)
    }

    /// The link that the flags say.
    pub(crate) fn link(&self) -> Link {
        Link {
            name: self.link,
            latency: self.latency,
            jitter: self.jitter,
            stall: self.stall,
        }
    }

    /// The path that the flags say, each way; a scenario's links are in the scenario.
    #[must_use]
    pub fn path(&self) -> PathSettings {
        self.link().path()
    }

    /// The scenario's file; empty without one.
    pub(crate) fn scenario_path(&self) -> &str {
        self.scenario.as_ref().map_or("", |scenario| &scenario.path)
    }

    /// The thresholds of the scenario and of the flags.
    pub(crate) fn thresholds(&self) -> impl Iterator<Item = &Threshold> {
        let of_scenario = self.scenario.iter().flat_map(|said| &said.thresholds);
        of_scenario.chain(&self.fail_if)
    }
}

/// Flags that are no settings.
const NOT_IN_FILES: [&str; 3] = ["config", "completions", "man"];

/// The flags. Numbers and times may begin with a dash, so that the error says what is wrong with `-5s` instead of that there is no
/// such flag.
pub(crate) fn command() -> clap::Command {
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

/// The flags, with the file's values as their defaults.
fn command_with_file(path: &Path) -> anyhow::Result<clap::Command> {
    let text = std::fs::read_to_string(path)?;
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        // The message alone: the whole error has several lines.
        anyhow!("{}", error.message().replace('\n', "; "))
    })?;
    let mut command = command();
    for (key, value) in table {
        let is_flag =
            |arg: &clap::Arg| arg.get_long() == Some(&key) && !NOT_IN_FILES.contains(&key.as_str());
        let Some(id) = command
            .get_arguments()
            .find(|arg| is_flag(arg))
            .map(|arg| arg.get_id().clone())
        else {
            bail!("there is no flag --{key}");
        };
        let values: Vec<String> = match value {
            toml::Value::Array(values) => values.into_iter().map(text_of).collect(),
            value => vec![text_of(value)],
        };
        command = command.mut_arg(id, |arg| arg.default_values(values));
    }
    Ok(command)
}

/// A value of the file as it stands on the command line.
fn text_of(value: toml::Value) -> String {
    match value {
        toml::Value::String(text) => text,
        other => other.to_string(),
    }
}

/// Formats an error in one line. Of clap's errors the advice below the first lines is left out.
#[must_use]
pub fn one_line_error(error: &anyhow::Error) -> String {
    let Some(flags) = error.downcast_ref::<clap::Error>() else {
        return format!("{error:#}");
    };
    let text = flags.to_string();
    let mut lines = text.lines().map(str::trim);
    let first = lines.next().unwrap_or_default();
    let first = first.strip_prefix("error: ").unwrap_or(first);
    // The second line of these lists the valid values.
    let is_continued = matches!(
        flags.kind(),
        ErrorKind::InvalidValue | ErrorKind::MissingRequiredArgument
    );
    match lines.next().filter(|line| is_continued && !line.is_empty()) {
        Some(second) => format!("{first} {second}"),
        None => first.to_owned(),
    }
}

fn probability(text: &str) -> Result<f64, String> {
    let probability: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.0..=1.0).contains(&probability) {
        Ok(probability)
    } else {
        Err("must be from 0 to 1".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(flags: &[&str]) -> Result<Options, String> {
        Options::load(["tickwire-bot"].iter().chain(flags)).map_err(|error| one_line_error(&error))
    }

    #[test]
    fn defaults_are_as_documented() {
        let options = load(&[]).unwrap();
        assert_eq!(options.url, ["ws://127.0.0.1:7777/ws"]);
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
    fn each_bot_has_a_ticket_of_the_file_in_turn() {
        let path = std::env::temp_dir().join(format!("tickwire-tickets-{}", std::process::id()));
        std::fs::write(&path, "one\r\n\ntwo\n").unwrap();
        let file = path.to_str().unwrap();
        let options = load(&["--ticket-file", file]).unwrap();
        assert_eq!(
            [0, 1, 2].map(|bot| options.ticket_of(bot)),
            ["one", "two", "one"]
        );
        std::fs::write(&path, "\n").unwrap();
        let error = load(&["--ticket-file", file]).unwrap_err();
        assert!(error.contains("--ticket-file"), "{error}");
        std::fs::remove_file(path).unwrap();
        assert_eq!(load(&["--ticket", "three"]).unwrap().ticket_of(9), "three");
        assert_eq!(load(&[]).unwrap().ticket_of(0), "");
    }

    #[test]
    fn an_error_is_one_line_that_names_the_flag() {
        let long = "x".repeat(32);
        let bad: [(&[&str], &str); 20] = [
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
            (&["--link", "5g"], "bad-wifi"),
            (&["--fail-if", "bots"], "--fail-if"),
            (&["--fail-if", "bots>few"], "few"),
            (&["--fail-if", "gap.p99>25"], "no figure gap.p99"),
            (
                &["--fail-if", "phases.storm.resumes<1"],
                "phases has ramp, hold",
            ),
            (&["--scenario", "/no/such/file.toml"], "--scenario"),
        ];
        for (flags, flag) in bad {
            let line = load(flags).unwrap_err();
            assert!(
                line.contains(flag) && line.lines().count() == 1,
                "{flags:?} gives {line:?}"
            );
        }
        let line = load(&["--report", "one", "--report-html", "one"]).unwrap_err();
        assert!(line.contains("the file of --report"), "{line:?}");
        let line = load(&["--behaviour", "sleep"]).unwrap_err();
        assert!(
            line.contains("slow-reader"),
            "{line:?} lists the behaviours"
        );
    }

    #[test]
    fn flags_override_the_file() {
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
        assert_eq!(options.stall, Some(0.5));
        std::fs::write(
            &path,
            "link = \"wifi\"\nfail-if = [\"bots<3\", \"connected < 3\"]\n",
        )
        .unwrap();
        let options = load(&["--config", file, "--jitter", "1ms"]).unwrap();
        assert_eq!(options.thresholds().count(), 2);
        assert_eq!(options.path().jitter, Duration::from_millis(1));
        assert_eq!(options.path().latency, LinkName::Wifi.path().latency);
        std::fs::write(&path, "man = true\n").unwrap();
        assert!(load(&["--config", file]).unwrap_err().contains("man"));
        std::fs::write(&path, "botz = 7\n").unwrap();
        assert!(load(&["--config", file]).unwrap_err().contains("botz"));
        std::fs::write(&path, "bots = = 7\n").unwrap();
        assert_eq!(load(&["--config", file]).unwrap_err().lines().count(), 1);
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_scenario_replaces_what_it_says_and_no_flag_may_say_it_too() {
        let path = std::env::temp_dir().join(format!("tickwire-scenario-{}", std::process::id()));
        let phases =
            "[[phase]]\nkind = \"ramp\"\nbots = 6\n[[phase]]\nkind = \"hold\"\nfor = \"3s\"\n";
        let text = format!("rooms = 2\nfail-if = [\"bots<3\"]\n[[link]]\nname = \"lan\"\n{phases}");
        std::fs::write(&path, text).unwrap();
        let file = path.to_str().unwrap();
        let options = load(&["--scenario", file, "--room", "r", "--fail-if", "bots>9"]).unwrap();
        assert_eq!(options.room_of(3), "r-1");
        assert_eq!(
            (options.thresholds().count(), options.scenario_path()),
            (2, file)
        );
        let plan = Plan::of(&options);
        assert_eq!((plan.bots(), plan.roles.len()), (6, 6));
        assert_eq!(plan.roles[0].link.name, Some(LinkName::Lan));
        assert!(plan.duration() > Duration::from_secs(3));
        for flag in ["--bots", "--ramp", "--rooms", "--stall"] {
            let error = load(&["--scenario", file, flag, "1"]).unwrap_err();
            assert!(
                error.contains(flag) && error.contains("scenario"),
                "{error}"
            );
        }
        std::fs::write(&path, "[[phase]]\nkind = 3\n").unwrap();
        let error = load(&["--scenario", file]).unwrap_err();
        assert!(error.contains("line 2, column 8"), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn mixed_bots_have_the_documented_shares_in_every_room() {
        let options = load(&["--rooms", "4", "--room", "hall"]).unwrap();
        let behaviours: Vec<_> = (0..200).map(|index| options.behaviour_of(index)).collect();
        let count = |name| {
            behaviours
                .iter()
                .filter(|behaviour| **behaviour == name)
                .count()
        };
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
            .filter(|index| options.room_of(*index) == "hall-3")
            .count();
        assert_eq!(in_last, 50);
        let options = load(&["--rooms", "300"]).unwrap();
        let spectators = (0..3000).filter(|index| {
            options.room_of(*index) == "room-42"
                && options.behaviour_of(*index) == BehaviourName::Spectate
        });
        assert_eq!(
            spectators.count(),
            1,
            "a room of ten bots has the whole mix"
        );
    }
}
