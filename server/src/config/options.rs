//! The settings as they are written: one list serves flags, environment variables and the file.
//!
//! In: arguments, environment, TOML. Out: [`Options`], in which every setting is optional so that the three sources can be laid
//! over each other. Defaults and validation belong to [`super::Config`]. The file's keys are the flags' names.

use crate::fair_share::FairShare;
use crate::join_hook::JoinHookFails;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::Parser;
use clap::builder::BoolishValueParser;
use serde::{Deserialize, Deserializer};

/// A duration as a person writes it: `5s`, `250ms`, `1m 30s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct HumanDuration(pub Duration);

impl FromStr for HumanDuration {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match humantime::parse_duration(text) {
            Ok(duration) => Ok(Self(duration)),
            Err(error) => Err(format!("{error}; write it like 5s or 250ms")),
        }
    }
}

impl TryFrom<String> for HumanDuration {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// A number of bytes as a person writes it: `256MiB`, `8GiB`, `1000000`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "WrittenBytes")]
pub struct HumanBytes(pub u64);

/// Bytes in a file: a text, or a plain number.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "this takes a number of bytes, or a text like \"256MiB\""
)]
enum WrittenBytes {
    Number(u64),
    Text(String),
}

impl TryFrom<WrittenBytes> for HumanBytes {
    type Error = String;

    fn try_from(written: WrittenBytes) -> Result<Self, String> {
        match written {
            WrittenBytes::Number(bytes) => Ok(Self(bytes)),
            WrittenBytes::Text(text) => text.parse(),
        }
    }
}

impl FromStr for HumanBytes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let unit_bytes = match unit.trim() {
            "" | "B" => Some(1),
            "KiB" => Some(1 << 10),
            "MiB" => Some(1 << 20),
            "GiB" => Some(1 << 30),
            "TiB" => Some(1_u64 << 40),
            _ => None,
        };
        let bytes = (number.parse::<u64>().ok())
            .zip(unit_bytes)
            .and_then(|(number, unit)| number.checked_mul(unit));
        let problem = || format!("{text} is no number of bytes; write it like 256MiB or 8GiB");
        bytes.map(Self).ok_or_else(problem)
    }
}

/// The format of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// Text for people.
    #[default]
    Text,
    /// One JSON object per line, for programs.
    Json,
}

/// Whether workers read and send by io_uring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum IoUring {
    /// Where the kernel permits it.
    #[default]
    Auto,
    /// Always: the server does not start where the kernel forbids it.
    On,
    /// Workers never use io_uring; they serve sockets one by one.
    Off,
}

/// Whether the kernel's round trip of a TCP connection bounds what its pongs say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum KernelRtt {
    /// Not for loopback, where proxies and emulated lines are, unless the fair share is strict.
    #[default]
    Auto,
    /// For every client that comes through no trusted proxy.
    On,
    /// For nobody.
    Off,
}

/// Something that is on or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Switch {
    /// On.
    On,
    /// Off.
    Off,
}

/// Reads a list that may be written as a single word.
fn one_or_more<'de, D: Deserializer<'de>>(file: D) -> Result<Option<Vec<String>>, D::Error> {
    #[derive(Deserialize)]
    #[serde(
        untagged,
        expecting = "this takes a word, or a list of them in brackets"
    )]
    enum Words {
        One(String),
        Many(Vec<String>),
    }
    Ok(Some(match Words::deserialize(file)? {
        Words::One(word) => word.split(',').map(|word| word.trim().to_owned()).collect(),
        Words::Many(words) => words,
    }))
}

macro_rules! options {
    ($(#[doc = $doc:literal] $(#[arg($($arg:tt)*)])? $field:ident: $type:ty, $env:literal;)+) => {
        /// Tickwire's authoritative game-state sync server.
        #[derive(Clone, Debug, Default, Parser, Deserialize)]
        #[command(name = "tickwire-server", version)]
        #[serde(rename_all = "kebab-case", deny_unknown_fields)]
        pub struct Options {
            /// TOML file with any of these settings; keys are the flags' names. Flags and
            /// environment override it
            #[arg(long, env = "TICKWIRE_CONFIG", value_name = "FILE")]
            #[serde(skip)]
            pub config: Option<PathBuf>,
            /// Origin whose pages may connect, beside the server's own; repeatable, * for any
            /// [default: same origin]
            #[arg(long, env = "TICKWIRE_ALLOWED_ORIGIN", value_name = "ORIGIN", value_delimiter = ',')]
            #[serde(default, deserialize_with = "one_or_more")]
            pub allowed_origin: Option<Vec<String>>,
            /// Name by which players reach the game port; repeatable. Then requests under other names get 403; addresses and
            /// localhost always pass [default: any]
            #[arg(long, env = "TICKWIRE_ALLOWED_HOST", value_name = "NAME", value_delimiter = ',')]
            #[serde(default, deserialize_with = "one_or_more")]
            pub allowed_host: Option<Vec<String>>,
            /// Name by which operators reach the operations port, beside addresses and localhost; repeatable
            #[arg(long, env = "TICKWIRE_OPS_HOST", value_name = "NAME", value_delimiter = ',')]
            #[serde(default, deserialize_with = "one_or_more")]
            pub ops_host: Option<Vec<String>>,
            /// Network of proxies, like 10.0.0.0/8; repeatable. Only from there are X-Forwarded-For and the PROXY protocol believed
            #[arg(long, env = "TICKWIRE_TRUSTED_PROXY", value_name = "CIDR", value_delimiter = ',')]
            #[serde(default, deserialize_with = "one_or_more")]
            pub trusted_proxy: Option<Vec<String>>,
            /// Prints completions of the flags for a shell, and exits
            #[arg(long, value_name = "SHELL", value_enum)]
            #[serde(skip)]
            pub completions: Option<clap_complete::Shell>,
            /// Prints a man page, and exits
            #[arg(long)]
            #[serde(skip)]
            pub man: bool,
            /// Asks the server with this operations port whether it is healthy, and exits: 0 if it is, 1 if not. For containers
            #[arg(long)]
            #[serde(skip)]
            pub healthcheck: bool,
            $(
                #[doc = $doc]
                #[arg(long, env = $env, hide_env_values = true, $($($arg)*)?)]
                #[serde(default)]
                pub $field: Option<$type>,
            )+
        }

        impl Options {
            /// The options of `self`, and those of `below` where `self` has none.
            #[must_use]
            pub fn over(self, below: Self) -> Self {
                Self {
                    config: self.config,
                    completions: self.completions,
                    man: self.man,
                    healthcheck: self.healthcheck,
                    allowed_origin: self.allowed_origin.or(below.allowed_origin),
                    allowed_host: self.allowed_host.or(below.allowed_host),
                    ops_host: self.ops_host.or(below.ops_host),
                    trusted_proxy: self.trusted_proxy.or(below.trusted_proxy),
                    $($field: self.$field.or(below.$field),)+
                }
            }
        }
    };
}

options! {
    /// Game port: page at /, WebSocket at /ws [default: 127.0.0.1:7777]
    #[arg(value_name = "ADDR:PORT")]
    listen: String, "TICKWIRE_LISTEN";
    /// Operations port: metrics, health, drain; never the game port [default: 127.0.0.1:9777]
    #[arg(value_name = "ADDR:PORT")]
    ops_listen: String, "TICKWIRE_OPS_LISTEN";
    /// Which of the program's games the rooms run [default: its first]
    #[arg(value_name = "NAME")]
    game: String, "TICKWIRE_GAME";
    /// Ticks per second, 1 to 240 [default: 60]
    #[arg(value_name = "HZ")]
    tick_rate: u32, "TICKWIRE_TICK_RATE";
    /// Computer-controlled players per room, 0 to 10000 [default: 8]
    npcs: u32, "TICKWIRE_NPCS";
    /// Rooms that may exist at a time; further ones get close 1013 [default: 1000]
    max_rooms: usize, "TICKWIRE_MAX_ROOMS";
    /// Threads that own the rooms [default: one a core]
    workers: usize, "TICKWIRE_WORKERS";
    /// PEM file with the certificate's chain: the game port then accepts only TLS
    #[arg(value_name = "FILE")]
    tls_cert: PathBuf, "TICKWIRE_TLS_CERT";
    /// PEM file with the certificate's key
    #[arg(value_name = "FILE")]
    tls_key: PathBuf, "TICKWIRE_TLS_KEY";
    /// TLS with a development certificate that is made in memory
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = BoolishValueParser::new())]
    tls_self_signed: bool, "TICKWIRE_TLS_SELF_SIGNED";
    /// File with the secrets that sign tickets (HS256), one a line: Hello must then carry a ticket
    #[arg(value_name = "FILE")]
    ticket_secret_file: PathBuf, "TICKWIRE_TICKET_SECRET_FILE";
    /// How long a session goes on after its ticket has expired [default: 0s]
    #[arg(value_name = "TIME")]
    ticket_grace: HumanDuration, "TICKWIRE_TICKET_GRACE";
    /// Folder of what is kept over restarts (rooms with their players, bans and mutes); made if there is none [default: nothing is kept]
    #[arg(value_name = "DIR")]
    data_dir: PathBuf, "TICKWIRE_DATA_DIR";
    /// Redis of the cluster that this node joins, like redis://host:6379 or rediss://:password@host [default: the node is alone]
    #[arg(value_name = "URL")]
    redis: String, "TICKWIRE_REDIS";
    /// This node's name in the cluster: 1 to 64 letters, digits, -, _ or . [default: the host's name and a random number]
    #[arg(value_name = "NAME")]
    node_name: String, "TICKWIRE_NODE_NAME";
    /// Where other nodes of the cluster reach this one directly, which spares Redis [default: by Redis alone]
    #[arg(value_name = "ADDR:PORT")]
    node_listen: String, "TICKWIRE_NODE_LISTEN";
    /// Where clients reach this node, for GET /nodes, if not at the cluster's common address
    #[arg(value_name = "URL")]
    public_url: String, "TICKWIRE_PUBLIC_URL";
    /// How often each room is saved in --data-dir or the cluster's Redis, from 100ms to 10s [default: 500ms]
    #[arg(value_name = "TIME")]
    checkpoint_interval: HumanDuration, "TICKWIRE_CHECKPOINT_INTERVAL";
    /// URL that is asked before each join, by POST with JSON: 2xx lets in, 403 refuses [default: nobody is asked]
    #[arg(value_name = "URL")]
    join_hook: String, "TICKWIRE_JOIN_HOOK";
    /// What happens where the join hook does not answer within 2s: closed refuses, open lets in [default: closed]
    #[arg(value_enum)]
    join_hook_fails: JoinHookFails, "TICKWIRE_JOIN_HOOK_FAILS";
    /// Tells Agones by the SDK server of this machine, or the one of a URL, when the server is ready, healthy and at its end [default: off]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "on", value_name = "URL")]
    agones: String, "TICKWIRE_AGONES";
    /// File with the bearer token that the operations port asks for; needed where that port is not on loopback
    #[arg(value_name = "FILE")]
    ops_token_file: PathBuf, "TICKWIRE_OPS_TOKEN_FILE";
    /// Whether an address may hold only its share of connections, rooms and waiting sessions; strict: loopback too [default: on]
    #[arg(value_enum)]
    fair_share: FairShare, "TICKWIRE_FAIR_SHARE";
    /// Joins per second and address, with a burst of four times as many; 0 for no limit [default: 50]
    join_rate: u32, "TICKWIRE_JOIN_RATE";
    /// Whether /rooms/NAME/state shows a room to everybody [default: on]
    #[arg(value_enum)]
    room_state: Switch, "TICKWIRE_ROOM_STATE";
    /// Whether GET /rooms lists the public rooms to everybody [default: off]
    #[arg(value_enum)]
    room_list: Switch, "TICKWIRE_ROOM_LIST";
    /// Players per room; further ones get close 1013 [default: 4000]
    max_players: usize, "TICKWIRE_MAX_PLAYERS";
    /// Connections at a time, 0 for no limit; further ones get HTTP 503 [default: 10000]
    max_connections: usize, "TICKWIRE_MAX_CONNECTIONS";
    /// Connections at a time from one address, 0 for no limit; further ones get HTTP 429 [default: 0]
    max_connections_per_ip: usize, "TICKWIRE_MAX_CONNECTIONS_PER_IP";
    /// Largest message, 64 to 16777216 bytes; larger ones get close 1009 [default: 4096]
    #[arg(value_name = "BYTES")]
    max_message_bytes: usize, "TICKWIRE_MAX_MESSAGE_BYTES";
    /// Longest time from accept to Hello [default: 5s]
    #[arg(value_name = "TIME")]
    handshake_timeout: HumanDuration, "TICKWIRE_HANDSHAKE_TIMEOUT";
    /// Time between heartbeat pings [default: 30s]
    #[arg(value_name = "TIME")]
    heartbeat_interval: HumanDuration, "TICKWIRE_HEARTBEAT_INTERVAL";
    /// A connection without a pong for the interval and this long is closed [default: 10s]
    #[arg(value_name = "TIME")]
    heartbeat_timeout: HumanDuration, "TICKWIRE_HEARTBEAT_TIMEOUT";
    /// Time between RTT probes, 0s for none [default: 1s]
    #[arg(value_name = "TIME")]
    rtt_interval: HumanDuration, "TICKWIRE_RTT_INTERVAL";
    /// Folder in which rooms are recorded, every tick of them, for tickwire replay [default: none]
    #[arg(value_name = "DIR")]
    record: PathBuf, "TICKWIRE_RECORD";
    /// The longest file of a recording; a room goes on in another one [default: 256MiB]
    #[arg(value_name = "BYTES")]
    record_max_bytes: HumanBytes, "TICKWIRE_RECORD_MAX_BYTES";
    /// How long a file of a recording goes on [default: 1h]
    #[arg(value_name = "TIME")]
    record_max_age: HumanDuration, "TICKWIRE_RECORD_MAX_AGE";
    /// All recordings in the folder together; the oldest files are removed [default: 8GiB]
    #[arg(value_name = "BYTES")]
    record_keep_bytes: HumanBytes, "TICKWIRE_RECORD_KEEP_BYTES";
    /// How long a session waits for its player [default: 60s]
    #[arg(value_name = "TIME")]
    resume_window: HumanDuration, "TICKWIRE_RESUME_WINDOW";
    /// How far into the past a shot may be judged, at most 500ms; 0s for no lag compensation [default: 250ms]
    #[arg(value_name = "TIME")]
    max_rewind: HumanDuration, "TICKWIRE_MAX_REWIND";
    /// How long a drain goes on accepting, while /readyz says 503 [default: 0s]
    #[arg(value_name = "TIME")]
    drain_delay: HumanDuration, "TICKWIRE_DRAIN_DELAY";
    /// How long draining takes at most, after the delay [default: 8s]
    #[arg(value_name = "TIME")]
    drain_timeout: HumanDuration, "TICKWIRE_DRAIN_TIMEOUT";
    /// Format of log lines on standard error [default: text]
    #[arg(value_enum)]
    log_format: LogFormat, "TICKWIRE_LOG_FORMAT";
    /// Whether workers read and send by io_uring: auto where the kernel permits it, or off [default: auto]
    #[arg(value_enum)]
    io_uring: IoUring, "TICKWIRE_IO_URING";
    /// Whether a client's pongs may pretend no longer round trip than the kernel's, so that nobody gains rewind by holding them: auto leaves out loopback unless --fair-share strict [default: auto]
    #[arg(value_enum)]
    kernel_rtt: KernelRtt, "TICKWIRE_KERNEL_RTT";
    /// For development: the first panic of a game ends the process with exit code 1, after its report
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = BoolishValueParser::new())]
    stop_on_panic: bool, "TICKWIRE_STOP_ON_PANIC";
    /// For tests: rooms of one name have the same world on each start, made from this number [default: a secret one]
    #[arg(value_name = "NUMBER")]
    world_seed: u64, "TICKWIRE_WORLD_SEED";
    /// For tests of clients: every snapshot carries the view hash, and not one a second
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = BoolishValueParser::new())]
    hash_every_snapshot: bool, "TICKWIRE_HASH_EVERY_SNAPSHOT";
    /// Prints the game's schema as JSON, for tickwire types --schema, and exits
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = BoolishValueParser::new())]
    print_schema: bool, "TICKWIRE_PRINT_SCHEMA";
    /// Folder of the page at /, for development: its files are read with each request [default: the embedded page]
    #[arg(value_name = "DIR")]
    page: PathBuf, "TICKWIRE_PAGE";
    /// For development, with --page: pages that are open reload when a file of the folder changes
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = BoolishValueParser::new())]
    page_reload: bool, "TICKWIRE_PAGE_RELOAD";
    /// Adds /echo, for RFC 6455 conformance suites
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = BoolishValueParser::new())]
    ws_echo: bool, "TICKWIRE_WS_ECHO";
}
