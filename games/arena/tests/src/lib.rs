//! What the end-to-end tests of the arena share: a server that plays it, and players who predict by its native rules.

use std::path::PathBuf;
use std::process::Command;
use tickwire::RoomGame;
use tickwire_arena::Arena;
use tickwire_tests::TestServer;

/// Starts a server that plays the arena, on free ports, with more flags.
///
/// # Panics
/// If it does not start.
#[must_use]
pub fn arena_server(flags: &[&str]) -> TestServer {
    TestServer::start_with(flags, |settings| Box::new(RoomGame::<Arena>::new(settings)))
}

/// The program of this name (`tickwire-server`, `tickwire-bot`), of the same build as the test that calls.
///
/// # Panics
/// If it cannot be built.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    let test =
        std::env::current_exe().unwrap_or_else(|error| panic!("no path of this test: {error}"));
    let profile = test.ancestors().nth(2).unwrap_or(&test);
    let program = profile.join(name);
    if !program.exists() {
        // `cargo test --workspace` builds the programs; running one test alone does not.
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "-p", name, "--target-dir"]);
        build.arg(profile.parent().unwrap_or(profile));
        if profile.ends_with("release") {
            build.arg("--release");
        }
        let is_built = build.status().is_ok_and(|status| status.success());
        assert!(is_built, "{name} cannot be built");
    }
    program
}
