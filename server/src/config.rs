//! The server's configuration. Flags override the environment, which overrides the file, which overrides defaults.
//!
//! In: options from the three sources. Out: a [`Config`], validated once: files are readable, numbers in range, combinations
//! possible. A problem becomes one [`ConfigError`] whose line names the flag.

mod error;
mod options;
mod validate;

use std::any::TypeId;
use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::{CommandFactory as _, FromArgMatches as _};
use tickwire_sync::bench_policies::WindowPolicy;

pub use error::ConfigError;
use options::Switch;
use options::{HumanBytes, HumanDuration, Options};
pub use options::{IoUring, KernelRtt, LogFormat};

pub use crate::agones::AgonesAddress;
pub use crate::fair_share::FairShare;
pub use crate::join_hook::{JoinHookFails, JoinHookUrl};

use crate::moderation::Moderation;
use crate::ticket::TicketKeys;
use crate::tls::TlsSource;
use crate::trusted_proxy::TrustedProxies;
use validate::{
    address, agones, checkpoint_interval, cluster, duration, host_names, invalid, join_hook,
    max_rewind, moderation, nonzero_duration, ops_token, origins, page_folder, record, ticket_keys,
    tls, trusted_proxies, within,
};

/// Every setting of the server, validated.
#[derive(Clone, Debug)]
pub struct Config {
    /// The game port's address; port 0 asks for a free one.
    pub listen: SocketAddr,
    /// The operations port's address; port 0 asks for a free one.
    pub ops_listen: SocketAddr,
    /// Name of the game that the rooms run; `None`: the program's first. Not validated here: only the program knows its games.
    pub game: Option<String>,
    /// Ticks per second, 1 to 240.
    pub tick_rate: u32,
    /// Computer-controlled players per room.
    pub npcs: u32,
    /// Rooms that may exist at a time, at least 1.
    pub max_rooms: usize,
    /// Threads that own rooms, at least 1.
    pub workers: usize,
    /// Where the game port's certificate comes from; `None`: no TLS.
    pub tls: Option<TlsSource>,
    /// Origins that may connect beside the server's own, normalized; `*` for any.
    pub allowed_origins: Vec<String>,
    /// Names by which players reach the game port, in lower case; empty: any.
    pub allowed_hosts: Vec<String>,
    /// Names by which operators reach the operations port, in lower case, beside addresses and `localhost`.
    pub ops_hosts: Vec<String>,
    /// The bearer token of the operations port.
    pub ops_token: Option<OpsToken>,
    /// Proxies that are believed about the addresses of their clients.
    pub trusted_proxies: TrustedProxies,
    /// Which addresses have shares.
    pub fair_share: FairShare,
    /// Joins per second and address; 0 for no limit.
    pub join_rate: u32,
    /// Whether everybody may read the state of a room.
    pub room_state: bool,
    /// Whether everybody may read the list of public rooms.
    pub room_list: bool,
    /// If set, `Hello` must carry a ticket that is signed with one of these secrets.
    pub ticket_keys: Option<Arc<TicketKeys>>,
    /// How long a session goes on after its ticket has expired.
    pub ticket_grace: Duration,
    /// Asked before each join.
    pub join_hook: Option<JoinHookUrl>,
    /// What happens where it does not answer.
    pub join_hook_fails: JoinHookFails,
    /// The SDK server of Agones, which hears of this server's life; `None`: nobody does.
    pub agones: Option<AgonesAddress>,
    /// The folder of what is kept over restarts; `None`: nothing is.
    pub data_dir: Option<PathBuf>,
    /// Where rooms are recorded; `None`: nowhere.
    pub record: Option<RecordConfig>,
    /// The cluster that the node joins; `None`: it is alone.
    pub cluster: Option<ClusterConfig>,
    /// How often each room is saved, in that folder or in the cluster's Redis.
    pub checkpoint_interval: Duration,
    /// Bans and mutes, which are kept in that folder.
    pub(crate) moderation: Arc<Moderation>,
    /// Players per room, at least 1.
    pub max_players: usize,
    /// TCP connections to the game port; 0 for no limit.
    pub max_connections: usize,
    /// TCP connections to the game port from one address; 0 for no limit.
    pub max_connections_per_ip: usize,
    /// The largest message that is accepted from a client.
    pub max_message_bytes: usize,
    /// Time from accept to `Hello`.
    pub handshake_timeout: Duration,
    /// Time between heartbeat pings.
    pub heartbeat_interval: Duration,
    /// A connection without a pong for the interval and this long is dead.
    pub heartbeat_timeout: Duration,
    /// Time between RTT probes; zero for none.
    pub rtt_interval: Duration,
    /// How long a session waits for its player.
    pub resume_window: Duration,
    /// How far into the past a shot may be judged, at most 500 ms and 60 ticks.
    pub max_rewind: Duration,
    /// How long a drain goes on accepting.
    pub drain_delay: Duration,
    /// How long draining takes at most, after the delay.
    pub drain_timeout: Duration,
    /// The format of log lines.
    pub log_format: LogFormat,
    /// Whether workers read and send by io_uring.
    pub io_uring: IoUring,
    /// Whether the kernel's round trip bounds what pongs say.
    pub kernel_rtt: KernelRtt,
    /// Whether the first panic ends the process, for development.
    pub stop_on_panic: bool,
    /// What the seeds of rooms come from; `None`: a secret of the process.
    pub world_seed: Option<u64>,
    /// Whether every snapshot carries the view hash, for tests of clients; else one a second does.
    pub hash_every_snapshot: bool,
    /// Whether the program prints the game's schema and ends.
    pub print_schema: bool,
    /// Asks the server with this operations port whether it is healthy, and ends.
    pub healthcheck: bool,
    /// The folder of the page at `/`, without links, for development; `None`: the embedded page.
    pub page: Option<PathBuf>,
    /// Whether open pages reload when a file of [`Self::page`] changes, for development.
    pub page_reload: bool,
    /// Whether the game port has `/echo`.
    pub ws_echo: bool,
    /// Whether the congestion window defers snapshots. No flag changes the default; benches do.
    pub window_policy: WindowPolicy,
}

impl Config {
    /// Whether the kernel's round trip of a peer's TCP connection bounds what its pongs say.
    #[must_use]
    pub fn believes_kernel_rtt(&self, peer: IpAddr) -> bool {
        match self.kernel_rtt {
            KernelRtt::Auto => {
                self.fair_share == FairShare::Strict || !peer.to_canonical().is_loopback()
            }
            KernelRtt::On => true,
            KernelRtt::Off => false,
        }
    }

    /// Reads the arguments (the program's name first), the environment, and the file that they name.
    ///
    /// # Errors
    /// One line that names the flag. A request for help is an error too; see [`clap::Error::exit_code`].
    pub fn load<I, T>(arguments: I) -> Result<Self, ConfigError>
    where
        I: IntoIterator<Item = T>,
        T: Into<OsString> + Clone,
    {
        let options = Options::from_arg_matches(&command().try_get_matches_from(arguments)?)?;
        if let Some(shell) = options.completions {
            return Err(ConfigError::Completions(shell));
        }
        if options.man {
            return Err(ConfigError::Man);
        }
        let file = match &options.config {
            Some(path) => read_file(path)?,
            None => Options::default(),
        };
        Self::try_from(options.over(file))
    }
}

/// The flags.
pub(crate) fn command() -> clap::Command {
    // Numbers and durations may begin with a dash, so that the error is about the value and not about an unknown flag.
    let quantities = [
        TypeId::of::<u32>(),
        TypeId::of::<usize>(),
        TypeId::of::<HumanDuration>(),
        TypeId::of::<HumanBytes>(),
    ];
    Options::command().mut_args(|arg| {
        let kind = arg.get_value_parser().type_id();
        let is_quantity = quantities.iter().any(|quantity| kind == *quantity);
        arg.allow_hyphen_values(is_quantity)
    })
}

impl TryFrom<Options> for Config {
    type Error = ConfigError;

    fn try_from(options: Options) -> Result<Self, ConfigError> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let tls = tls(options.tls_cert, options.tls_key, options.tls_self_signed)?;
        let config = Self {
            listen: address("listen", options.listen, "127.0.0.1:7777")?,
            ops_listen: address("ops-listen", options.ops_listen, "127.0.0.1:9777")?,
            game: options.game,
            tick_rate: within("tick-rate", options.tick_rate.unwrap_or(60), 1, 240)?,
            npcs: within("npcs", options.npcs.unwrap_or(8), 0, 10_000)?,
            max_rooms: within("max-rooms", options.max_rooms.unwrap_or(1000), 1, 1_000_000)?,
            workers: within("workers", options.workers.unwrap_or(cores), 1, 1024)?,
            tls,
            allowed_origins: origins(options.allowed_origin.unwrap_or_default())?,
            allowed_hosts: host_names("allowed-host", options.allowed_host.unwrap_or_default())?,
            ops_hosts: host_names("ops-host", options.ops_host.unwrap_or_default())?,
            ops_token: options.ops_token_file.map(ops_token).transpose()?,
            trusted_proxies: trusted_proxies(options.trusted_proxy.unwrap_or_default())?,
            fair_share: options.fair_share.unwrap_or_default(),
            join_rate: within("join-rate", options.join_rate.unwrap_or(50), 0, 1_000_000)?,
            room_state: options.room_state != Some(Switch::Off),
            room_list: options.room_list == Some(Switch::On),
            ticket_keys: options
                .ticket_secret_file
                .map(ticket_keys)
                .transpose()?
                .map(Arc::new),
            ticket_grace: duration("ticket-grace", options.ticket_grace, 0)?,
            join_hook: options.join_hook.map(|url| join_hook(&url)).transpose()?,
            join_hook_fails: options.join_hook_fails.unwrap_or_default(),
            agones: agones(options.agones.as_deref().unwrap_or("off"))?,
            moderation: match &options.data_dir {
                Some(folder) => Arc::new(moderation(folder)?),
                None => Arc::default(),
            },
            data_dir: options.data_dir,
            record: record(
                options.record,
                options.record_max_bytes,
                options.record_max_age,
                options.record_keep_bytes,
            )?,
            cluster: cluster(
                options.redis,
                options.node_name,
                options.node_listen,
                options.public_url,
            )?,
            checkpoint_interval: checkpoint_interval(options.checkpoint_interval)?,
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
            handshake_timeout: nonzero_duration("handshake-timeout", options.handshake_timeout, 5)?,
            heartbeat_interval: nonzero_duration(
                "heartbeat-interval",
                options.heartbeat_interval,
                30,
            )?,
            heartbeat_timeout: nonzero_duration(
                "heartbeat-timeout",
                options.heartbeat_timeout,
                10,
            )?,
            rtt_interval: duration("rtt-interval", options.rtt_interval, 1)?,
            resume_window: duration("resume-window", options.resume_window, 60)?,
            max_rewind: max_rewind(options.max_rewind, options.tick_rate.unwrap_or(60))?,
            drain_delay: duration("drain-delay", options.drain_delay, 0)?,
            drain_timeout: duration("drain-timeout", options.drain_timeout, 8)?,
            log_format: options.log_format.unwrap_or_default(),
            io_uring: options.io_uring.unwrap_or_default(),
            kernel_rtt: options.kernel_rtt.unwrap_or_default(),
            stop_on_panic: options.stop_on_panic.unwrap_or(false),
            world_seed: options.world_seed,
            hash_every_snapshot: options.hash_every_snapshot.unwrap_or(false),
            print_schema: options.print_schema.unwrap_or(false),
            healthcheck: options.healthcheck,
            page: options.page.map(page_folder).transpose()?,
            page_reload: options.page_reload.unwrap_or(false),
            ws_echo: options.ws_echo.unwrap_or(false),
            window_policy: WindowPolicy::default(),
        };
        if config.listen == config.ops_listen && config.listen.port() != 0 {
            let problem = "must differ from --listen: operations are never on the game port";
            return Err(invalid("ops-listen", problem));
        }
        if config.ops_token.is_none() && !config.ops_listen.ip().is_loopback() {
            let problem =
                "is needed where --ops-listen is not on loopback: that port commands the server";
            return Err(invalid("ops-token-file", problem));
        }
        Ok(config)
    }
}

/// Where and how rooms are recorded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecordConfig {
    /// The folder, which exists.
    pub folder: PathBuf,
    /// The longest file, in bytes.
    pub max_bytes: u64,
    /// How long a file goes on.
    pub max_age: Duration,
    /// All files together, in bytes; the oldest go.
    pub keep_bytes: u64,
}

/// A cluster, and this node in it.
#[derive(Clone, PartialEq, Eq)]
pub struct ClusterConfig {
    /// Where Redis is; may hold a password.
    pub redis_url: String,
    /// This node's name.
    pub node_name: String,
    /// Where other nodes reach this one directly; `None`: by Redis alone.
    pub node_listen: Option<SocketAddr>,
    /// Where clients reach this node, if not at the cluster's common address.
    pub public_url: Option<String>,
}

impl std::fmt::Debug for ClusterConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClusterConfig")
            .field("node_name", &self.node_name)
            .field("node_listen", &self.node_listen)
            .finish_non_exhaustive()
    }
}

/// The bearer token of the operations port. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct OpsToken(String);

impl OpsToken {
    pub(crate) fn new(token: String) -> Self {
        Self(token)
    }

    /// Whether this is the token; takes a time that does not tell how much of it is right.
    pub(crate) fn is(&self, token: &[u8]) -> bool {
        let own = self.0.as_bytes();
        own.len() == token.len()
            && own
                .iter()
                .zip(token)
                .fold(0, |difference, (a, b)| difference | (a ^ b))
                == 0
    }
}

impl std::fmt::Debug for OpsToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OpsToken(..)")
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
            // The key, and not its value, which may be a secret.
            let key = text
                .lines()
                .nth(line)
                .and_then(|line| line.split('=').next());
            format!("line {}, {}: ", line + 1, key.unwrap_or_default().trim())
        });
        // The message alone, because the whole error is a drawing of several lines.
        let message = error.message().replace('\n', "; ");
        ConfigError::File {
            path: path.to_owned(),
            problem: format!("{at}{message}"),
        }
    })
}

#[cfg(test)]
#[path = "config/config_tests.rs"]
mod tests;
