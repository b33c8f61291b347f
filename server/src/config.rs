//! The server's configuration: flags before environment before file before default, validated once.
//!
//! A [`Config`] that exists is right: files are readable, numbers in range, combinations possible.
//! What is wrong becomes one [`ConfigError`] whose line names the flag; nothing is read later.

mod options;

use std::any::TypeId;
use std::ffi::OsString;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, FromArgMatches as _};
use tickwire_sync::window::WindowPolicy;

pub use options::{IoUring, LogFormat, Options, Period};

use crate::net::origin;
use crate::tls::{Tls, TlsError, TlsSource};

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A flag or a variable can't be understood, or help was asked for.
    #[error("{}", first_line(.0))]
    Flags(#[from] clap::Error),
    /// The file can't be read.
    #[error("--config {path}: {error}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The file can't be understood.
    #[error("--config {path}: {problem}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What and where.
        problem: String,
    },
    /// A value that can't be.
    #[error("--{flag} {problem}")]
    Value {
        /// The flag's name.
        flag: &'static str,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// The certificate.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// clap's first line names the flag and the reason; what follows is advice.
fn first_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let mut lines = text.lines().map(str::trim);
    let line = lines.next().unwrap_or_default();
    let line = line.strip_prefix("error: ").unwrap_or(line);
    // The second line of these says what would be right.
    let right = lines.next().filter(|right| !right.is_empty());
    match right.filter(|_| error.kind() == ErrorKind::InvalidValue) {
        Some(right) => format!("{line} {right}"),
        None => line.to_owned(),
    }
}

/// The key that signs tickets; never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct TicketSecret(Vec<u8>);

impl TicketSecret {
    /// The key.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for TicketSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TicketSecret(..)")
    }
}

/// The cluster that this node belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// URL of the Redis, `redis://` or `rediss://`.
    pub redis: String,
    /// This node's name; none: to be made up.
    pub node_name: Option<String>,
}

/// What `--game` is if nobody says.
pub const DEFAULT_GAME: &str = "arena";

/// Everything that can be set, in range and ready for use.
#[derive(Clone, Debug)]
pub struct Config {
    /// The game port's address; port 0 asks for a free one.
    pub listen: SocketAddr,
    /// The operations port's address; port 0 asks for a free one.
    pub ops_listen: SocketAddr,
    /// Name of the game that the rooms run. Whether it is shipped, the games know.
    pub game: String,
    /// Ticks per second, 1 to 240.
    pub tick_rate: u32,
    /// Computer-controlled players per room.
    pub npcs: u32,
    /// Rooms at a time, at least 1.
    pub max_rooms: usize,
    /// Threads that own rooms, at least 1.
    pub workers: usize,
    /// Where the game port's certificate comes from; none: no TLS.
    pub tls: Option<TlsSource>,
    /// Origins that may connect beside the server's own, in normal form; `*` for any.
    pub allowed_origins: Vec<String>,
    /// If set, `Hello` must carry a ticket that is signed with it.
    pub ticket_secret: Option<TicketSecret>,
    /// Players per room, at least 1.
    pub max_players: usize,
    /// TCP connections to the game port; 0 for no limit.
    pub max_connections: usize,
    /// The same per address; 0 for no limit.
    pub max_connections_per_ip: usize,
    /// The largest message that is accepted, in bytes.
    pub max_message_bytes: usize,
    /// From accept to `Hello`.
    pub handshake_timeout: Duration,
    /// Between heartbeat pings.
    pub heartbeat_interval: Duration,
    /// How long after the interval without any pong a connection is dead.
    pub heartbeat_timeout: Duration,
    /// Between pings that measure the round trip; zero for none.
    pub rtt_interval: Duration,
    /// How long a session waits for its player.
    pub resume_window: Duration,
    /// How far back a shot may be judged, at most 500 ms and 60 ticks.
    pub max_rewind: Duration,
    /// How long draining waits for connections to end.
    pub drain_timeout: Duration,
    /// The cluster; none: a single node.
    pub cluster: Option<Cluster>,
    /// Directory for replay files.
    pub record: Option<PathBuf>,
    /// Directory for journals.
    pub journal: Option<PathBuf>,
    /// How log lines look.
    pub log_format: LogFormat,
    /// Whether snapshots are sent by io_uring.
    pub io_uring: IoUring,
    /// Whether there is `/echo`.
    pub ws_echo: bool,
    /// Whether snapshots wait for the path. No flag sets another than the default: it is for measuring.
    pub window_policy: WindowPolicy,
}

impl Config {
    /// Reads arguments (the program's name first), the environment, and the file they name.
    ///
    /// # Errors
    /// One line that names the flag. clap's requests for help are errors too: see
    /// [`clap::Error::exit_code`].
    pub fn load<I, T>(arguments: I) -> Result<Self, ConfigError>
    where
        I: IntoIterator<Item = T>,
        T: Into<OsString> + Clone,
    {
        // A number or a time may begin with a dash, so that one hears what is wrong with it, and not that there is no such flag.
        let quantities = [
            TypeId::of::<u32>(),
            TypeId::of::<usize>(),
            TypeId::of::<Period>(),
        ];
        let command = Options::command().mut_args(|arg| {
            let kind = arg.get_value_parser().type_id();
            let is_quantity = quantities.iter().any(|quantity| kind == *quantity);
            arg.allow_hyphen_values(is_quantity)
        });
        let options = Options::from_arg_matches(&command.try_get_matches_from(arguments)?)?;
        let file = match &options.config {
            Some(path) => read_file(path)?,
            None => Options::default(),
        };
        Self::try_from(options.over(file))
    }
}

impl TryFrom<Options> for Config {
    type Error = ConfigError;

    fn try_from(options: Options) -> Result<Self, ConfigError> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let tls = tls(options.tls_cert, options.tls_key, options.tls_self_signed)?;
        let config = Self {
            listen: address("listen", options.listen, "127.0.0.1:7777")?,
            ops_listen: address("ops-listen", options.ops_listen, "127.0.0.1:9777")?,
            game: options.game.unwrap_or_else(|| DEFAULT_GAME.to_owned()),
            tick_rate: within("tick-rate", options.tick_rate.unwrap_or(60), 1, 240)?,
            npcs: within("npcs", options.npcs.unwrap_or(8), 0, 10_000)?,
            max_rooms: within("max-rooms", options.max_rooms.unwrap_or(1000), 1, 1_000_000)?,
            workers: within("workers", options.workers.unwrap_or(cores), 1, 1024)?,
            tls,
            allowed_origins: origins(options.allowed_origin.unwrap_or_default())?,
            ticket_secret: options.ticket_secret_file.map(ticket_secret).transpose()?,
            max_players: within(
                "max-players",
                options.max_players.unwrap_or(4000),
                1,
                65_535,
            )?,
            max_connections: options.max_connections.unwrap_or(10_000),
            max_connections_per_ip: options.max_connections_per_ip.unwrap_or(0),
            max_message_bytes: within(
                "max-message-bytes",
                options.max_message_bytes.unwrap_or(4096),
                64,
                16 << 20,
            )?,
            handshake_timeout: some_time("handshake-timeout", options.handshake_timeout, 5)?,
            heartbeat_interval: some_time("heartbeat-interval", options.heartbeat_interval, 30)?,
            heartbeat_timeout: some_time("heartbeat-timeout", options.heartbeat_timeout, 10)?,
            rtt_interval: time("rtt-interval", options.rtt_interval, 1)?,
            resume_window: time("resume-window", options.resume_window, 60)?,
            max_rewind: rewind(options.max_rewind, options.tick_rate.unwrap_or(60))?,
            drain_timeout: time("drain-timeout", options.drain_timeout, 10)?,
            cluster: cluster(options.redis, options.node_name)?,
            record: directory("record", options.record)?,
            journal: directory("journal", options.journal)?,
            log_format: options.log_format.unwrap_or_default(),
            io_uring: options.io_uring.unwrap_or_default(),
            ws_echo: options.ws_echo.unwrap_or(false),
            window_policy: WindowPolicy::default(),
        };
        if config.listen == config.ops_listen && config.listen.port() != 0 {
            let problem = "must differ from --listen: operations are never on the game port";
            return Err(wrong("ops-listen", problem));
        }
        Ok(config)
    }
}

fn wrong(flag: &'static str, problem: impl Into<String>) -> ConfigError {
    ConfigError::Value {
        flag,
        problem: problem.into(),
    }
}

fn read_file(path: &Path) -> Result<Options, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|error| ConfigError::Unreadable {
        path: path.to_owned(),
        error,
    })?;
    toml::from_str(&text).map_err(|error: toml::de::Error| {
        let line = error
            .span()
            .map(|span| text[..span.start].matches('\n').count());
        let at = line.map_or_else(String::new, |line| {
            // Its key, and not its value, which may be a secret.
            let key = text
                .lines()
                .nth(line)
                .and_then(|line| line.split('=').next());
            format!("line {}, {}: ", line + 1, key.unwrap_or_default().trim())
        });
        // The message alone: the whole error would be a drawing of several lines.
        let message = error.message().replace('\n', "; ");
        ConfigError::File {
            path: path.to_owned(),
            problem: format!("{at}{message}"),
        }
    })
}

fn within<T>(flag: &'static str, value: T, min: T, max: T) -> Result<T, ConfigError>
where
    T: PartialOrd + std::fmt::Display,
{
    if value < min || value > max {
        let problem = format!("{value} is out of range; it takes {min} to {max}");
        return Err(wrong(flag, problem));
    }
    Ok(value)
}

/// A time that may be zero, and not longer than a day.
fn time(flag: &'static str, value: Option<Period>, seconds: u64) -> Result<Duration, ConfigError> {
    let time = value.map_or(Duration::from_secs(seconds), |period| period.0);
    if time > Duration::from_secs(24 * 3600) {
        let problem = format!(
            "{} is out of range; it takes at most 24h",
            humantime::format_duration(time)
        );
        return Err(wrong(flag, problem));
    }
    Ok(time)
}

/// How far back a shot may be judged: a session remembers which of the latest 64 ticks it was sent.
fn rewind(value: Option<Period>, tick_rate: u32) -> Result<Duration, ConfigError> {
    const MOST_TICKS: f64 = 60.0;
    let rewind = value.map_or(Duration::from_millis(250), |period| period.0);
    let ticks = rewind.as_secs_f64() * f64::from(tick_rate);
    if rewind > Duration::from_millis(500) || ticks > MOST_TICKS {
        return Err(wrong(
            "max-rewind",
            "takes at most 500ms, and at most 60 ticks",
        ));
    }
    Ok(rewind)
}

/// The same, but at least a tenth of a second.
fn some_time(
    flag: &'static str,
    value: Option<Period>,
    seconds: u64,
) -> Result<Duration, ConfigError> {
    let time = time(flag, value, seconds)?;
    if time < Duration::from_millis(100) {
        let problem = format!(
            "{} is out of range; it takes at least 100ms",
            humantime::format_duration(time)
        );
        return Err(wrong(flag, problem));
    }
    Ok(time)
}

fn address(
    flag: &'static str,
    value: Option<String>,
    default: &str,
) -> Result<SocketAddr, ConfigError> {
    let text = value.as_deref().unwrap_or(default);
    let mut found = text
        .to_socket_addrs()
        .map_err(|error| wrong(flag, format!("{text}: {error}; write it like {default}")))?;
    found
        .next()
        .ok_or_else(|| wrong(flag, format!("{text} names no address")))
}

fn tls(
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
    self_signed: Option<bool>,
) -> Result<Option<TlsSource>, ConfigError> {
    let source = match (cert, key, self_signed.unwrap_or(false)) {
        (None, None, false) => return Ok(None),
        (None, None, true) => TlsSource::SelfSigned,
        (Some(cert), Some(key), false) => TlsSource::Files { cert, key },
        (Some(_), None, _) => return Err(wrong("tls-cert", "needs --tls-key as well")),
        (None, Some(_), _) => return Err(wrong("tls-key", "needs --tls-cert as well")),
        (Some(_), Some(_), true) => {
            return Err(wrong(
                "tls-self-signed",
                "can't be used together with --tls-cert",
            ));
        }
    };
    Tls::load(source.clone())?;
    Ok(Some(source))
}

fn origins(values: Vec<String>) -> Result<Vec<String>, ConfigError> {
    let check = |value: String| {
        let value = value.trim();
        let host = value
            .split_once("://")
            .map(|(_, rest)| rest.trim_end_matches('/'));
        if value == "*"
            || value == "null"
            || host.is_some_and(|h| !h.is_empty() && !h.contains('/'))
        {
            return Ok(origin::normal(value));
        }
        let problem = format!("{value} is no origin; write it like https://game.example");
        Err(wrong("allowed-origin", problem))
    };
    values.into_iter().map(check).collect()
}

fn ticket_secret(path: PathBuf) -> Result<TicketSecret, ConfigError> {
    let flag = "ticket-secret-file";
    let bytes = std::fs::read(&path)
        .map_err(|error| wrong(flag, format!("{}: {error}", path.display())))?;
    // Editors and `echo` end files with a newline that no one means.
    let secret = bytes.trim_ascii_end();
    if secret.is_empty() {
        return Err(wrong(
            flag,
            format!("{}: the file is empty", path.display()),
        ));
    }
    Ok(TicketSecret(secret.to_vec()))
}

fn cluster(
    redis: Option<String>,
    node_name: Option<String>,
) -> Result<Option<Cluster>, ConfigError> {
    let is_name = |name: &str| {
        (1..=64).contains(&name.len())
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
    };
    if let Some(name) = node_name.as_deref().filter(|name| !is_name(name)) {
        let problem = format!("{name:?}: it takes 1 to 64 of A-Z a-z 0-9 - _ .");
        return Err(wrong("node-name", problem));
    }
    let Some(redis) = redis else {
        return Ok(None);
    };
    if !["redis://", "rediss://"]
        .iter()
        .any(|scheme| redis.starts_with(scheme))
    {
        // Not shown: it may hold a password.
        let problem = "is no URL of a Redis; write it like redis://127.0.0.1:6379";
        return Err(wrong("redis", problem));
    }
    Ok(Some(Cluster { redis, node_name }))
}

fn directory(flag: &'static str, path: Option<PathBuf>) -> Result<Option<PathBuf>, ConfigError> {
    let Some(path) = path else {
        return Ok(None);
    };
    std::fs::create_dir_all(&path)
        .map_err(|error| wrong(flag, format!("{}: {error}", path.display())))?;
    Ok(Some(path))
}

#[cfg(test)]
#[path = "config/config_tests.rs"]
mod tests;
