//! `tickwire replay` on a file of the fuzz corpus: it also holds that recordings of this version can be read by later ones.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::path::PathBuf;
use tickwire_cli::replay::{check, cut_out, describe};

/// One chunk of 19 ticks, behind a byte that is the fuzz target's.
const SEED: &[u8] = include_bytes!("../../fuzz/corpus/recording/seed-000");

/// A folder that goes with the test, with a recording in it.
struct Folder(PathBuf);

impl Folder {
    fn with(name: &str, recording: &[u8]) -> (Self, PathBuf) {
        let name = format!("tickwire-replay-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("main-1-1.tickwire");
        std::fs::write(&file, recording).unwrap();
        (Self(folder), file)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn info_says_who_played_what() {
    let (_folder, file) = Folder::with("info", &SEED[1..]);
    let text = describe(&file).unwrap();
    for part in [
        "game      fuzz",
        "room      main",
        "19 ticks",
        "Ada",
        "frames",
    ] {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
}

#[test]
fn verify_says_where_a_bit_is_wrong() {
    let (_folder, file) = Folder::with("verify", &SEED[1..]);
    let (text, is_good) = check(&file).unwrap();
    assert!(is_good && text.contains("19 ticks in 1 chunks"), "{text}");
    let mut damaged = SEED[1..].to_vec();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 4;
    std::fs::write(&file, damaged).unwrap();
    let (text, is_good) = check(&file).unwrap();
    assert!(!is_good && text.contains("damaged at byte "), "{text}");
    std::fs::write(&file, "no recording").unwrap();
    let error = format!("{:#}", check(&file).unwrap_err());
    assert!(error.contains("no recording"), "{error}");
}

#[test]
fn a_cut_says_what_it_wrote_and_overwrites_nothing() {
    let (_folder, file) = Folder::with("cut", &SEED[1..]);
    let text = cut_out(&file, "0s..0.1s".parse().unwrap(), None).unwrap();
    let smaller = file.with_file_name("main-1-1-1-7.tickwire");
    assert!(text.contains("ticks 1 to 19 in 1 whole chunks"), "{text}");
    assert!(check(&smaller).unwrap().1);
    let again = cut_out(&file, "0s..0.1s".parse().unwrap(), None);
    assert!(format!("{:#}", again.unwrap_err()).contains("cannot be made"));
    let nothing = cut_out(&file, "500..".parse().unwrap(), None);
    assert!(format!("{:#}", nothing.unwrap_err()).contains("it has 1 to 19"));
}
