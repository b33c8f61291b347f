//! The binary: exit codes, and what it says about wrong flags.

#![allow(clippy::unwrap_used)] // a test that unwraps nothing has failed

use std::process::{Command, Output};

fn bot(flags: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tickwire-bot"))
        .args(flags)
        .output()
        .unwrap()
}

#[test]
fn a_wrong_flag_ends_with_code_2_and_one_line_that_names_it() {
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
fn help_is_no_error_and_shows_no_secret() {
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
fn bots_that_find_no_server_say_so_and_end_with_code_1() {
    // A port that was free a moment ago, and where nobody listens.
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
