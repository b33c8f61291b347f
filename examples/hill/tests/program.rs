//! The program is a whole server, with the flags of one.

#![allow(clippy::unwrap_used, reason = "a test that unwraps nothing has failed")]

use std::process::Command;

#[test]
fn the_program_has_the_flags_of_a_server() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_hill"));
    let output = program.arg("--help").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && help.contains("--stop-on-panic"));
}
