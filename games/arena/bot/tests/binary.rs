//! The binary: exit codes, and errors about invalid flags.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::process::{Command, Output};

fn bot(flags: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tickwire-bot"))
        .args(flags)
        .output()
        .unwrap()
}

#[test]
fn an_invalid_flag_exits_with_2_and_one_line() {
    for flags in [["--bots", "none"], ["--url", "udp://x"], ["--stall", "7"]] {
        let output = bot(&flags);
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(
            text.contains(flags[0]) && text.lines().count() == 1,
            "{text}"
        );
    }
}

#[test]
fn help_succeeds_and_shows_no_secret() {
    let output = Command::new(env!("CARGO_BIN_EXE_tickwire-bot"))
        .arg("--help")
        .env("TICKWIRE_TICKET", "s3cret")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(
        text.contains("--forge-view") && !text.contains("s3cret"),
        "{text}"
    );
}

#[test]
fn without_a_server_the_bots_say_so_and_exit_with_1() {
    // A port that was free a moment ago: nobody listens there.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let url = format!("ws://127.0.0.1:{port}/ws");
    let output = bot(&["--url", &url, "--bots", "2", "--duration", "100ms"]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("0 of 2 connected"), "{text}");
    assert!(text.contains("bot-0: no connection"), "{text}");
}
