//! Tests of the configuration. Environment variables are tested with the binary (`tests/binary.rs`), where they can be set
//! without a race.

use super::*;
use std::path::PathBuf;

/// A file that is removed after the test.
struct TestFile(PathBuf);

impl TestFile {
    fn new(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("tickwire-{name}-{}", std::process::id()));
        std::fs::write(&path, text).unwrap();
        Self(path)
    }

    fn arg(&self) -> String {
        self.0.display().to_string()
    }
}

impl Drop for TestFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn load(arguments: &[&str]) -> Result<Config, ConfigError> {
    Config::load(["tickwire-server"].iter().chain(arguments))
}

/// The line on standard error for these arguments.
fn error_line(arguments: &[&str]) -> String {
    let line = load(arguments).unwrap_err().to_string();
    assert_eq!(line.lines().count(), 1, "{line}");
    line
}

#[test]
fn the_defaults_are_the_documented_ones() {
    let config = load(&[]).unwrap();
    assert_eq!(config.listen, "127.0.0.1:7777".parse().unwrap());
    assert_eq!(config.ops_listen, "127.0.0.1:9777".parse().unwrap());
    assert_eq!((config.tick_rate, config.npcs), (60, 8));
    assert_eq!((config.max_rooms, config.max_players), (1000, 4000));
    assert_eq!(
        (config.max_connections, config.max_connections_per_ip),
        (10_000, 0)
    );
    assert_eq!(config.max_message_bytes, 4096);
    assert_eq!(config.handshake_timeout, Duration::from_secs(5));
    assert_eq!(config.heartbeat_interval, Duration::from_secs(30));
    assert_eq!(config.resume_window, Duration::from_secs(60));
    assert_eq!((config.fair_share, config.join_rate), (FairShare::On, 50));
    assert_eq!(config.drain_timeout, Duration::from_secs(8));
    assert!(config.drain_delay.is_zero() && config.ticket_grace.is_zero());
    assert!(config.room_state && config.ops_token.is_none());
    assert_eq!(config.log_format, LogFormat::Text);
    assert!(!config.ws_echo && config.tls.is_none());
}

#[test]
fn a_data_folder_that_cannot_be_used_is_named() {
    let file = TestFile::new("no-folder", "{}");
    let line = error_line(&["--data-dir", &file.arg()]);
    assert!(
        line.starts_with("--data-dir ") && line.contains("no-folder"),
        "{line}"
    );
    let folder = std::env::temp_dir().join(format!("tickwire-data-{}", std::process::id()));
    let arg = folder.display().to_string();
    let config = load(&["--data-dir", &arg]).unwrap();
    assert_eq!(config.data_dir, Some(folder.clone()));
    std::fs::write(folder.join("moderation.json"), "{").unwrap();
    let line = error_line(&["--data-dir", &arg]);
    assert!(line.contains("moderation.json"), "{line}");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_folder_of_recordings_must_be_writable() {
    let file = TestFile::new("no-recordings", "");
    let line = error_line(&["--record", &file.arg()]);
    assert!(
        line.starts_with("--record ") && line.contains("no-recordings"),
        "{line}"
    );
    let line = error_line(&["--record-max-age", "5m"]);
    assert_eq!(line, "--record-max-age needs --record as well");
    let folder = std::env::temp_dir().join(format!("tickwire-record-{}", std::process::id()));
    let arg = folder.display().to_string();
    let record = |flags: &[&str]| {
        let flags: Vec<&str> = ["--record", &arg]
            .into_iter()
            .chain(flags.iter().copied())
            .collect();
        load(&flags).map(|config| config.record.unwrap())
    };
    let default = record(&[]).unwrap();
    assert_eq!(
        (default.max_bytes, default.keep_bytes),
        (256 << 20, 8 << 30)
    );
    let given = record(&["--record-max-bytes", "3 MiB", "--record-max-age", "5m"]).unwrap();
    assert_eq!(given.max_bytes, 3 << 20);
    assert_eq!(given.max_age, Duration::from_secs(300));
    for wrong in ["3MB", "1000", "-1", "99999999TiB", "MiB"] {
        let flags = ["--record", &*arg, "--record-keep-bytes", wrong];
        let line = error_line(&flags);
        assert!(line.contains("--record-keep-bytes"), "{line}");
    }
    let file = TestFile::new(
        "bytes.toml",
        &format!("record = \"{arg}\"\nrecord-max-bytes = 2097152\nrecord-keep-bytes = \"1GiB\"\n"),
    );
    let config = load(&["--config", &file.arg()]).unwrap().record.unwrap();
    assert_eq!((config.max_bytes, config.keep_bytes), (2 << 20, 1 << 30));
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn flags_override_the_file() {
    let file = TestFile::new(
        "order.toml",
        "tick-rate = 30\nmax-rooms = 7\nhandshake-timeout = \"250ms\"\nws-echo = true\n\
         allowed-origin = [\"https://a.example\", \"https://b.example\"]\n",
    );
    let config = load(&["--config", &file.arg(), "--tick-rate", "20"]).unwrap();
    assert_eq!((config.tick_rate, config.max_rooms), (20, 7));
    assert_eq!(config.handshake_timeout, Duration::from_millis(250));
    assert!(config.ws_echo);
    assert_eq!(
        config.allowed_origins,
        ["https://a.example", "https://b.example"]
    );
    let config = load(&["--config", &file.arg(), "--ws-echo=false"]).unwrap();
    assert!(!config.ws_echo);
}

#[test]
fn origins_may_repeat_and_are_normalized() {
    let one = ["--allowed-origin", "https://A.example:443/"];
    let config = load(&[one, ["--allowed-origin", "http://b.example:8080"]].concat()).unwrap();
    assert_eq!(
        config.allowed_origins,
        ["https://a.example", "http://b.example:8080"]
    );
    assert!(error_line(&["--allowed-origin", "game.example"]).starts_with("--allowed-origin game"));
    let file = TestFile::new("origin.toml", "allowed-origin = \"https://a.example\"\n");
    let config = load(&["--config", &file.arg()]).unwrap();
    assert_eq!(config.allowed_origins, ["https://a.example"]);
}

#[test]
fn every_error_is_one_line_that_names_the_flag() {
    for (arguments, flag) in [
        (&["--tick-rate", "0"][..], "--tick-rate"),
        (&["--tick-rate", "241"], "--tick-rate"),
        (&["--tick-rate", "-1"], "--tick-rate"),
        (&["--heartbeat-timeout", "-5s"], "--heartbeat-timeout"),
        (&["--tick-rate", "fast"], "--tick-rate"),
        (&["--max-rewind", "501ms"], "--max-rewind"),
        (
            &["--tick-rate", "240", "--max-rewind", "300ms"],
            "--max-rewind",
        ),
        (&["--listen", "nonsense"], "--listen"),
        (&["--max-message-bytes", "1"], "--max-message-bytes"),
        (&["--handshake-timeout", "5 parsecs"], "--handshake-timeout"),
        (&["--handshake-timeout", "0s"], "--handshake-timeout"),
        (&["--tls-cert", "cert.pem"], "--tls-cert"),
        (&["--tls-key", "key.pem"], "--tls-key"),
        (
            &["--tls-cert", "/no/cert", "--tls-key", "/no/key"],
            "--tls-cert",
        ),
        (
            &["--ticket-secret-file", "/no/secret"],
            "--ticket-secret-file",
        ),
        (&["--redis", "localhost"], "--redis"),
        (&["--node-name", "a"], "--node-name"),
        (&["--node-listen", "127.0.0.1:0"], "--node-listen"),
        (&["--public-url", "wss://a.example"], "--public-url"),
        (
            &["--redis", "redis://localhost", "--node-name", "a b"],
            "--node-name",
        ),
        (
            &["--redis", "redis://localhost", "--public-url", "a.example"],
            "--public-url",
        ),
        (&["--log-format", "xml"], "--log-format"),
        (&["--workers", "0"], "--workers"),
        (&["--config", "/no/file"], "--config"),
        (&["--ops-listen", "127.0.0.1:7777"], "--ops-listen"),
        (&["--fair-share", "maybe"], "--fair-share"),
        (&["--join-rate", "-1"], "--join-rate"),
        (&["--trusted-proxy", "proxy.example"], "--trusted-proxy"),
        (&["--allowed-host", "https://a.example"], "--allowed-host"),
        (&["--ops-host", ""], "--ops-host"),
        (&["--ops-token-file", "/no/token"], "--ops-token-file"),
        (&["--ops-listen", "0.0.0.0:0"], "--ops-token-file"),
        (&["--room-state", "perhaps"], "--room-state"),
        (&["--ticket-grace", "25h"], "--ticket-grace"),
        (&["--drain-delay", "soon"], "--drain-delay"),
        (&["--frobnicate"], "--frobnicate"),
        (&["--record", "/dev/null/folder"], "--record"),
        (&["--journal", "/tmp"], "--journal"),
        (&["--node-name", "one"], "--node-name"),
    ] {
        let line = error_line(arguments);
        assert!(line.contains(flag), "{line:?} does not name {flag}");
    }
}

#[test]
fn an_unknown_key_in_the_file_is_an_error() {
    let file = TestFile::new("unknown.toml", "tick-rate = 30\ntickrate = 60\n");
    let line = error_line(&["--config", &file.arg()]);
    assert!(
        line.contains("tickrate") && line.contains("line 2"),
        "{line}"
    );
}

#[test]
fn a_wrong_value_in_the_file_names_its_line_and_key() {
    let file = TestFile::new("value.toml", "\nrtt-interval = \"soon\"\n");
    let line = error_line(&["--config", &file.arg()]);
    assert!(
        line.contains("line 2, rtt-interval: ") && line.contains("5s"),
        "{line}"
    );
}

#[test]
fn an_empty_secret_is_refused_and_none_is_shown() {
    let empty = TestFile::new("empty-secret", "\n");
    let arguments = ["--ticket-secret-file", &empty.arg()];
    assert!(error_line(&arguments).contains("is empty"));
    let file = TestFile::new("secret", "hunter2\n");
    let short = error_line(&["--ticket-secret-file", &file.arg()]);
    assert!(
        short.contains("line 1 is shorter than 32 bytes") && !short.contains("hunter2"),
        "{short}"
    );
    let file = TestFile::new("long-secret", &"hunter2".repeat(5));
    let config = load(&["--ticket-secret-file", &file.arg()]).unwrap();
    assert!(config.ticket_keys.is_some());
    assert!(!format!("{config:?}").contains("hunter2"));
}

#[test]
fn the_page_must_be_a_folder() {
    let file = TestFile::new("page", "");
    for path in [&file.arg(), "/no/such/folder"] {
        let line = error_line(&["--page", path]);
        assert!(line.contains("--page") && line.contains(path), "{line}");
    }
    let folder = std::env::temp_dir();
    let config = load(&["--page", folder.to_str().unwrap()]).unwrap();
    assert_eq!(config.page, folder.canonicalize().ok());
}
