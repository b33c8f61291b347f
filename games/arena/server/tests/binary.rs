//! The binary as an operator meets it: its ready line, its exit codes, its signals.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is a test")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

fn server(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tickwire-server"));
    command
        .args(arguments)
        .stderr(Stdio::piped())
        .stdout(Stdio::piped());
    command
}

/// Starts a server on free ports. Returns the process and its ready line.
fn start(arguments: &[&str]) -> (Child, String) {
    let ports = ["--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0"];
    let mut child = server(&[&ports[..], arguments].concat()).spawn().unwrap();
    let mut line = String::new();
    let stdout = child.stdout.take().unwrap();
    BufReader::new(stdout).read_line(&mut line).unwrap();
    (child, line.trim_end().to_owned())
}

#[test]
fn a_wrong_configuration_is_one_line_and_exit_code_2() {
    for (arguments, variable, flag) in [
        (&["--tick-rate", "0"][..], None, "--tick-rate"),
        (&["--no-such-flag"], None, "--no-such-flag"),
        (&["--journal", "file"], None, "--journal"),
        (&["--redis", "127.0.0.1"], None, "--redis"),
        (&["--record", "Cargo.toml"], None, "--record"),
        (&["--page", "Cargo.toml"], None, "--page"),
        (&[], Some(("TICKWIRE_MAX_ROOMS", "many")), "--max-rooms"),
        (&["--listen", "127.0.0.1"], None, "--listen"),
    ] {
        let output = server(arguments).envs(variable).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert!(stderr.contains(flag), "{stderr}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn the_environment_overrides_the_file_and_flags_both() {
    let file = std::env::temp_dir().join(format!("tickwire-env-{}.toml", std::process::id()));
    std::fs::write(&file, "tick-rate = 500\n").unwrap();
    let path = file.display().to_string();
    let run = |arguments: &[&str], rate: &str| {
        let arguments = [&["--config", &path, "--workers", "0"], arguments].concat();
        let output = server(&arguments)
            .env("TICKWIRE_TICK_RATE", rate)
            .output()
            .unwrap();
        String::from_utf8(output.stderr).unwrap()
    };
    // The file's 500 is out of range, but the environment's 30 overrides it, so only --workers is wrong.
    assert!(run(&[], "30").contains("--workers"));
    assert!(run(&[], "600").contains("600"));
    assert!(run(&["--tick-rate", "30"], "600").contains("--workers"));
    std::fs::remove_file(file).unwrap();
}

#[test]
fn help_exits_with_success() {
    let output = server(&["--help"]).output().unwrap();
    assert!(output.status.success());
    assert!(
        String::from_utf8(output.stdout)
            .unwrap()
            .contains("--ws-echo")
    );
}

#[test]
fn an_error_about_a_port_names_its_flag() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = server(&["--listen", &address]).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("--listen"), "{stderr}");
}

#[cfg(unix)]
#[test]
fn sigterm_ends_a_ready_server_with_success() {
    let (mut child, line) = start(&["--log-format", "json"]);
    let (game, ops) = line
        .strip_prefix("tickwire ready ws://")
        .and_then(|rest| rest.split_once("/ws ops http://"))
        .unwrap_or_else(|| panic!("{line:?}"));
    assert!(!game.ends_with(":0"));
    let mut stream = TcpStream::connect(ops).unwrap();
    stream
        .write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let terminated = Command::new("kill").arg(child.id().to_string()).status();
    assert!(terminated.unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let mut log = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut log)
        .unwrap();
    for line in log.lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap_or_else(|_| panic!("{line:?}"));
    }
}

#[test]
fn the_ready_line_shows_tls_and_drain_ends_the_server() {
    let (mut child, line) = start(&["--tls-self-signed"]);
    assert!(line.starts_with("tickwire ready wss://"), "{line:?}");
    let ops = line.rsplit("http://").next().unwrap();
    let mut stream = TcpStream::connect(ops).unwrap();
    stream
        .write_all(b"POST /drain HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[cfg(unix)]
#[test]
fn the_log_says_where_the_page_is_and_the_page_is_there() {
    let (mut child, line) = start(&[]);
    let game = line.strip_prefix("tickwire ready ws://").unwrap();
    let game = game.split_once("/ws").unwrap().0;
    let get = |path: &str| {
        let mut stream = TcpStream::connect(game).unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    };
    assert!(get("/").contains("<title>Tickwire arena</title>"));
    for file in ["/app.js", "/style.css", "/sdk/index.js"] {
        assert!(get(file).starts_with("HTTP/1.1 200"), "{file}");
    }
    let terminated = Command::new("kill").arg(child.id().to_string()).status();
    assert!(terminated.unwrap().success());
    child.wait().unwrap();
    let mut log = String::new();
    let mut stderr = child.stderr.take().unwrap();
    stderr.read_to_string(&mut log).unwrap();
    assert!(log.contains(&format!("open http://{game}/")), "{log}");
}

#[test]
fn the_games_schema_is_printed_as_json() {
    let output = server(&["--print-schema"]).output().unwrap();
    assert!(output.status.success());
    let printed: tickwire_proto::GameSchema = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(printed.game, "arena");
    let names: Vec<_> = printed
        .schema
        .kinds
        .iter()
        .map(|kind| &*kind.name)
        .collect();
    assert!(names.contains(&"ship"), "{names:?}");
}

/// What a flag prints on standard output; the exit code must be 0.
fn printed(arguments: &[&str]) -> String {
    let output = server(arguments).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty());
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn completions_and_the_man_page_have_every_flag() {
    let help = printed(&["--help"]);
    // A line of a flag begins with it; texts name other programs' flags too.
    let lines = help.lines().map(str::trim_start);
    let words = lines.filter_map(|line| line.split([' ', '[', '=']).next());
    let mut flags: Vec<&str> = words.filter(|word| word.starts_with("--")).collect();
    flags.sort_unstable();
    flags.dedup();
    assert!(flags.len() > 50 && flags.contains(&"--listen"));
    let pages = [
        printed(&["--completions", "bash"]),
        printed(&["--man"]).replace("\\-", "-"),
    ];
    for flag in flags {
        for page in &pages {
            assert!(page.contains(flag), "{flag}");
        }
    }
    assert!(printed(&["--completions", "fish"]).contains("tickwire-server"));
    let output = server(&["--completions", "cmd"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    // They are no settings.
    for (name, text) in [
        ("man", "man = true"),
        ("completions", "completions = \"bash\""),
    ] {
        let file = std::env::temp_dir().join(format!("tickwire-{name}-{}", std::process::id()));
        std::fs::write(&file, text).unwrap();
        let output = server(&["--config", file.to_str().unwrap()])
            .output()
            .unwrap();
        std::fs::remove_file(file).unwrap();
        assert_eq!(output.status.code(), Some(2), "{name}");
    }
}

#[test]
fn a_health_check_needs_no_other_program() {
    let (mut child, line) = start(&[]);
    let ops = line.rsplit("http://").next().unwrap().to_owned();
    let check = || {
        let output = server(&["--healthcheck"])
            .env("TICKWIRE_OPS_LISTEN", &ops)
            .output()
            .unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    assert_eq!(check(), (Some(0), String::new()));
    child.kill().unwrap();
    child.wait().unwrap();
    let (code, sentence) = check();
    assert_eq!(code, Some(1));
    assert!(
        sentence.contains(&ops) && sentence.lines().count() == 1,
        "{sentence}"
    );
}

/// A service manager's socket: what a server says to it.
#[cfg(target_os = "linux")]
#[test]
fn systemd_is_told_that_the_server_is_ready_alive_and_stopping() {
    use std::os::unix::net::UnixDatagram;
    use std::time::Duration;

    let path = std::env::temp_dir().join(format!("tickwire-notify-{}", std::process::id()));
    let manager = UnixDatagram::bind(&path).unwrap();
    manager
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let next = || {
        let mut buffer = [0; 256];
        let length = manager.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length])
            .trim_end()
            .to_owned()
    };
    let mut child = server(&["--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0"])
        .env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", "200000")
        .spawn()
        .unwrap();
    assert_eq!(next(), "READY=1");
    for _ in 0..3 {
        assert_eq!(next(), "WATCHDOG=1");
    }
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let mut said = next();
    while said == "WATCHDOG=1" {
        said = next();
    }
    assert_eq!(said, "STOPPING=1");
    assert!(child.wait().unwrap().success());
    std::fs::remove_file(path).unwrap();
}
