//! The program is as well-behaved as the server whose `main` it borrows.

#![allow(clippy::unwrap_used, reason = "a test that unwraps nothing has failed")]

use std::process::{Command, Output};

fn tag(flags: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tag"))
        .args(flags)
        .output()
        .unwrap()
}

#[test]
fn help_is_no_error() {
    let output = tag(&["--help"]);
    assert!(output.status.success() && output.stderr.is_empty());
    assert!(
        String::from_utf8(output.stdout)
            .unwrap()
            .contains("--listen")
    );
}

#[test]
fn what_is_wrong_is_one_line_in_its_own_name() {
    for (flags, sentence) in [
        (["--listen", "7777"], "tag: --listen 7777"),
        (
            ["--game", "chess"],
            "tag: --game chooses among the games of tickwire-server",
        ),
        (
            ["--journal", "file"],
            "tag: unexpected argument '--journal' found",
        ),
    ] {
        let output = tag(&flags);
        let line = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{line}");
        assert!(
            line.starts_with(sentence) && line.lines().count() == 1,
            "{line}"
        );
    }
}
