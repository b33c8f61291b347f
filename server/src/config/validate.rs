//! Turns single settings into valid values.
//!
//! In: a flag's name and its value, if one was given. Out: the value or its default, or an error that names the flag.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::ConfigError;
use super::options::{HumanBytes, HumanDuration};
use crate::agones::AgonesAddress;
use crate::config::{ClusterConfig, OpsToken, RecordConfig};
use crate::join_hook::JoinHookUrl;
use crate::moderation::Moderation;
use crate::origin;
use crate::recorder::check_folder;
use crate::ticket::TicketKeys;
use crate::tls::{Tls, TlsSource};
use crate::trusted_proxy::TrustedProxies;

/// Less would not hold a chunk of a large room.
const MIN_RECORD_BYTES: u64 = 1 << 20;

pub(super) fn invalid(flag: &'static str, problem: impl Into<String>) -> ConfigError {
    ConfigError::Value {
        flag,
        problem: problem.into(),
    }
}

pub(super) fn within<T>(flag: &'static str, value: T, min: T, max: T) -> Result<T, ConfigError>
where
    T: PartialOrd + std::fmt::Display,
{
    if value < min || value > max {
        let problem = format!("{value} is out of range; it takes {min} to {max}");
        return Err(invalid(flag, problem));
    }
    Ok(value)
}

/// A duration from zero to a day.
pub(super) fn duration(
    flag: &'static str,
    value: Option<HumanDuration>,
    default_seconds: u64,
) -> Result<Duration, ConfigError> {
    let duration = value.map_or(Duration::from_secs(default_seconds), |period| period.0);
    if duration > Duration::from_secs(24 * 3600) {
        let problem = format!(
            "{} is out of range; it takes at most 24h",
            humantime::format_duration(duration)
        );
        return Err(invalid(flag, problem));
    }
    Ok(duration)
}

/// The limit of rewind. A session remembers which of the latest 64 ticks it was sent, so 60 ticks are the most.
pub(super) fn max_rewind(
    value: Option<HumanDuration>,
    tick_rate: u32,
) -> Result<Duration, ConfigError> {
    const MAX_TICKS: f64 = 60.0;
    let rewind = value.map_or(Duration::from_millis(250), |period| period.0);
    let ticks = rewind.as_secs_f64() * f64::from(tick_rate);
    if rewind > Duration::from_millis(500) || ticks > MAX_TICKS {
        return Err(invalid(
            "max-rewind",
            "takes at most 500ms, and at most 60 ticks",
        ));
    }
    Ok(rewind)
}

/// The time between two checkpoints of a room.
pub(super) fn checkpoint_interval(value: Option<HumanDuration>) -> Result<Duration, ConfigError> {
    let interval = value.map_or(Duration::from_millis(500), |period| period.0);
    let range = Duration::from_millis(100)..=Duration::from_secs(10);
    if range.contains(&interval) {
        Ok(interval)
    } else {
        Err(invalid("checkpoint-interval", "takes 100ms to 10s"))
    }
}

/// Where rooms are recorded, if `--record` names a folder, which is made if there is none. The other flags need it.
pub(super) fn record(
    folder: Option<PathBuf>,
    max_bytes: Option<HumanBytes>,
    max_age: Option<HumanDuration>,
    keep_bytes: Option<HumanBytes>,
) -> Result<Option<RecordConfig>, ConfigError> {
    let Some(folder) = folder else {
        let given = [
            ("record-max-bytes", max_bytes.is_some()),
            ("record-max-age", max_age.is_some()),
            ("record-keep-bytes", keep_bytes.is_some()),
        ];
        return match given.iter().find(|(_, is_given)| *is_given) {
            Some((flag, _)) => Err(invalid(flag, "needs --record as well")),
            None => Ok(None),
        };
    };
    let bytes = |flag, given: Option<HumanBytes>, default: u64| {
        let bytes = given.map_or(default, |bytes| bytes.0);
        match bytes >= MIN_RECORD_BYTES {
            true => Ok(bytes),
            false => Err(invalid(flag, "takes at least 1MiB")),
        }
    };
    let record = RecordConfig {
        max_bytes: bytes("record-max-bytes", max_bytes, 256 << 20)?,
        max_age: nonzero_duration("record-max-age", max_age, 3_600)?,
        keep_bytes: bytes("record-keep-bytes", keep_bytes, 8 << 30)?,
        folder,
    };
    check_folder(&record.folder).map_err(|error| {
        let folder = record.folder.display();
        invalid(
            "record",
            format!("{folder}: nothing can be written there: {error}"),
        )
    })?;
    Ok(Some(record))
}

/// The cluster, if `--redis` names one. The other flags need it.
pub(super) fn cluster(
    redis: Option<String>,
    name: Option<String>,
    listen: Option<String>,
    public_url: Option<String>,
) -> Result<Option<ClusterConfig>, ConfigError> {
    let Some(redis_url) = redis else {
        let given = [
            ("node-name", name.is_some()),
            ("node-listen", listen.is_some()),
            ("public-url", public_url.is_some()),
        ];
        return match given.iter().find(|(_, is_given)| *is_given) {
            Some((flag, _)) => Err(invalid(flag, "needs --redis as well")),
            None => Ok(None),
        };
    };
    tickwire_cluster::redis::check_url(&redis_url)
        .map_err(|problem| invalid("redis", problem.to_string()))?;
    let name = name.unwrap_or_else(default_node_name);
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.len() > 64 || !name.chars().all(is_name) {
        let problem = format!("{name} is no name; it takes 1 to 64 letters, digits, -, _ or .");
        return Err(invalid("node-name", problem));
    }
    let node_listen = listen
        .map(|text| address("node-listen", Some(text), "0.0.0.0:7778"))
        .transpose()?;
    if let Some(url) = &public_url
        && !["ws://", "wss://", "http://", "https://"]
            .iter()
            .any(|scheme| url.len() > scheme.len() && url.starts_with(scheme))
    {
        let problem = format!("{url} is no address; write it like wss://node-1.game.example");
        return Err(invalid("public-url", problem));
    }
    Ok(Some(ClusterConfig {
        redis_url,
        node_name: name,
        node_listen,
        public_url,
    }))
}

/// The host's name, as far as a node's may be like it, and a random number, so that several nodes of a host have names of their own.
fn default_node_name() -> String {
    let host = std::env::var("HOSTNAME").ok();
    let host = host.or_else(|| std::fs::read_to_string("/etc/hostname").ok());
    let is_kept = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let host: String = host
        .unwrap_or_default()
        .chars()
        .filter(is_kept)
        .take(48)
        .collect();
    let host = if host.is_empty() { "node" } else { &host };
    format!("{host}-{:08x}", rand::random::<u32>())
}

/// A duration from a tenth of a second to a day.
pub(super) fn nonzero_duration(
    flag: &'static str,
    value: Option<HumanDuration>,
    default_seconds: u64,
) -> Result<Duration, ConfigError> {
    let duration = duration(flag, value, default_seconds)?;
    if duration < Duration::from_millis(100) {
        let problem = format!(
            "{} is out of range; it takes at least 100ms",
            humantime::format_duration(duration)
        );
        return Err(invalid(flag, problem));
    }
    Ok(duration)
}

pub(super) fn address(
    flag: &'static str,
    value: Option<String>,
    default: &str,
) -> Result<SocketAddr, ConfigError> {
    let text = value.as_deref().unwrap_or(default);
    let mut found = text
        .to_socket_addrs()
        .map_err(|error| invalid(flag, format!("{text}: {error}; write it like {default}")))?;
    found
        .next()
        .ok_or_else(|| invalid(flag, format!("{text} names no address")))
}

pub(super) fn tls(
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
    self_signed: Option<bool>,
) -> Result<Option<TlsSource>, ConfigError> {
    let source = match (cert, key, self_signed.unwrap_or(false)) {
        (None, None, false) => return Ok(None),
        (None, None, true) => TlsSource::SelfSigned,
        (Some(cert), Some(key), false) => TlsSource::Files { cert, key },
        (Some(_), None, _) => return Err(invalid("tls-cert", "needs --tls-key as well")),
        (None, Some(_), _) => return Err(invalid("tls-key", "needs --tls-cert as well")),
        (Some(_), Some(_), true) => {
            return Err(invalid(
                "tls-self-signed",
                "can't be used together with --tls-cert",
            ));
        }
    };
    Tls::load(source.clone())?;
    Ok(Some(source))
}

pub(super) fn origins(values: Vec<String>) -> Result<Vec<String>, ConfigError> {
    let check = |value: String| {
        let value = value.trim();
        let host = value
            .split_once("://")
            .map(|(_, rest)| rest.trim_end_matches('/'));
        if value == "*"
            || value == "null"
            || host.is_some_and(|h| !h.is_empty() && !h.contains('/'))
        {
            return Ok(origin::normalized(value));
        }
        let problem = format!("{value} is not an origin; write it like https://game.example");
        Err(invalid("allowed-origin", problem))
    };
    values.into_iter().map(check).collect()
}

/// Names of hosts, in lower case and without ports.
pub(super) fn host_names(
    flag: &'static str,
    values: Vec<String>,
) -> Result<Vec<String>, ConfigError> {
    let check = |value: String| {
        let value = value.trim().to_ascii_lowercase();
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if value.is_empty() || !value.chars().all(is_name) {
            let problem =
                format!("{value} is not a name; write it like game.example, without a port");
            return Err(invalid(flag, problem));
        }
        Ok(value)
    };
    values.into_iter().map(check).collect()
}

pub(super) fn trusted_proxies(values: Vec<String>) -> Result<TrustedProxies, ConfigError> {
    TrustedProxies::parse(&values).map_err(|problem| invalid("trusted-proxy", problem))
}

pub(super) fn ops_token(path: PathBuf) -> Result<OpsToken, ConfigError> {
    let flag = "ops-token-file";
    let text = std::fs::read_to_string(&path)
        .map_err(|error| invalid(flag, format!("{}: {error}", path.display())))?;
    let token = text.trim();
    if token.len() < 16 || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        let problem = format!(
            "{}: the token must have 16 or more letters, digits or signs, and no space",
            path.display()
        );
        return Err(invalid(flag, problem));
    }
    Ok(OpsToken::new(token.to_owned()))
}

pub(super) fn ticket_keys(path: PathBuf) -> Result<TicketKeys, ConfigError> {
    TicketKeys::load(path).map_err(|problem| invalid("ticket-secret-file", problem.to_string()))
}

pub(super) fn join_hook(url: &str) -> Result<JoinHookUrl, ConfigError> {
    JoinHookUrl::parse(url).map_err(|problem| invalid("join-hook", problem))
}

/// The SDK server of Agones; `off` for none.
pub(super) fn agones(address: &str) -> Result<Option<AgonesAddress>, ConfigError> {
    if address == "off" {
        return Ok(None);
    }
    AgonesAddress::parse(address)
        .map(Some)
        .map_err(|problem| invalid("agones", problem))
}

/// The bans and mutes in the folder of `--data-dir`, which is made if there is none.
pub(super) fn moderation(folder: &Path) -> Result<Moderation, ConfigError> {
    Moderation::open(folder).map_err(|problem| invalid("data-dir", problem.to_string()))
}

/// The folder's path without links, so that a file can be told to be in it.
pub(super) fn page_folder(path: PathBuf) -> Result<PathBuf, ConfigError> {
    let shown = path.display();
    let folder = std::fs::canonicalize(&path)
        .map_err(|error| invalid("page", format!("{shown}: {error}")))?;
    if !folder.is_dir() {
        let problem = format!("{shown} is no folder; give the one that has the page's index.html");
        return Err(invalid("page", problem));
    }
    Ok(folder)
}
