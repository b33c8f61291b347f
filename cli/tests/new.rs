//! What `tickwire new` writes: it compiles, and its own tests pass. In the test command's own target folder, as all that
//! the game needs is compiled there once.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A folder that is removed in the end.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn folder(name: &str) -> Folder {
    let folder = std::env::temp_dir().join(format!("tickwire-{name}-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    Folder(folder)
}

fn checkout() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn tickwire(at: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tickwire"));
    command.args(arguments).current_dir(at).output().unwrap()
}

/// The target folder of this test: two above the program's, `target/debug/tickwire`.
fn target() -> &'static Path {
    let program = Path::new(env!("CARGO_BIN_EXE_tickwire"));
    program.parent().and_then(Path::parent).unwrap()
}

#[test]
#[ignore = "compiles the whole server for the new game: ./test.sh --long"]
fn a_new_game_compiles_and_its_tests_pass() {
    // Always the same folder, which web/test/long/dev.test.mjs uses too: what has its path in it is compiled once.
    let parent = Path::new(env!("CARGO_TARGET_TMPDIR")).join("new-game");
    let game = parent.join("walk");
    let _ = fs::remove_dir_all(&game);
    fs::create_dir_all(&parent).unwrap();
    let path = checkout().to_str().unwrap();
    let output = tickwire(&parent, &["new", "walk", "--path", path]);
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("cd walk\n"), "{said}");
    let output = Command::new(env!("CARGO"))
        .args(["test", "--offline", "--quiet"])
        .current_dir(&game)
        .env("CARGO_TARGET_DIR", target())
        .output()
        .unwrap();
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains("3 passed") && !said.contains("warning"),
        "{said}"
    );
}

#[test]
fn a_game_of_the_published_version_names_it() {
    let parent = folder("published");
    let output = tickwire(&parent.0, &["new", "tag"]);
    assert!(output.status.success(), "{output:?}");
    let manifest = fs::read_to_string(parent.0.join("tag/Cargo.toml")).unwrap();
    let version = env!("CARGO_PKG_VERSION");
    for line in [
        format!("tickwire = {version:?}\n"),
        format!("tickwire-rules-build = {version:?}\n"),
    ] {
        assert!(manifest.contains(&line), "{manifest}");
    }
}

#[test]
fn what_cannot_be_done_is_one_sentence() {
    let parent = folder("sentences");
    for (arguments, sentence) in [
        (
            &["new", "My Game"][..],
            "tickwire: \"My Game\" is no name for a game",
        ),
        (
            &["new", "x", "--path", "nowhere"],
            "tickwire: --path nowhere is no checkout",
        ),
        (&["dev"], "tickwire: there is no Cargo.toml in"),
    ] {
        let output = tickwire(&parent.0, arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(
            said.starts_with(sentence) && said.lines().count() == 1,
            "{said}"
        );
    }
}
