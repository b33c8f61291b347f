//! The arena is an ordinary game: nothing outside of its folder names it.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::fs;
use std::path::{Path, PathBuf};

/// What is not part of the sources: build results, and the list of the workspace's packages.
const SKIPPED: [&str; 5] = ["target", "node_modules", "games", ".git", "docs"];
const SOURCES: [&str; 9] = [
    "rs", "toml", "proto", "ts", "mjs", "js", "json", "html", "css",
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            if !SKIPPED.contains(&&*name) {
                sources(&path, found);
            }
        } else if path
            .extension()
            .is_some_and(|extension| SOURCES.iter().any(|source| extension == *source))
        {
            found.push(path);
        }
    }
}

#[test]
fn no_other_source_names_the_arena() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    let mut files = Vec::new();
    sources(&root, &mut files);
    files.retain(|path| path.parent() != Some(&root));
    assert!(files.len() > 300, "only {} files were found", files.len());
    let naming: Vec<_> = files
        .into_iter()
        .filter(|path| {
            let bytes = fs::read(path).unwrap();
            String::from_utf8_lossy(&bytes)
                .to_lowercase()
                .contains("arena")
        })
        .collect();
    assert!(naming.is_empty(), "these name the arena: {naming:?}");
}
