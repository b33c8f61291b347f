//! The crate that becomes the module: a few lines around the game's library.
//!
//! In: the game's package. Out: a crate in a folder, with a workspace of its own and the game's `Cargo.lock`. Writes only what
//! changed, so that cargo builds only what changed.

use std::path::{Path, PathBuf};
use std::{fs, io};

/// What the crate is made of.
pub struct Wrapper<'a> {
    /// The name of the game's package.
    pub package: &'a str,
    /// The folder of the game's package.
    pub folder: &'a Path,
    /// The path of the rules within the game's library.
    pub rules: &'a str,
    /// The dependency on `tickwire-rules-wasm`, as a value in `Cargo.toml`.
    pub rules_wasm: &'a str,
    /// The game's lock file.
    pub lock: &'a str,
}

/// The name of the crate for a game's package.
pub fn crate_name(package: &str) -> String {
    format!("{package}-rules-module")
}

impl Wrapper<'_> {
    /// Writes the crate to a folder; returns its `Cargo.toml`.
    pub fn write(&self, to: &Path) -> io::Result<PathBuf> {
        fs::create_dir_all(to.join("src"))?;
        let manifest = to.join("Cargo.toml");
        write_if_changed(&manifest, &self.manifest())?;
        write_if_changed(&to.join("src/lib.rs"), &self.library())?;
        // Cargo leaves out what the module does not need, and writes the file anew.
        fs::write(to.join("Cargo.lock"), self.lock)?;
        Ok(manifest)
    }

    fn manifest(&self) -> String {
        let Self {
            package,
            rules_wasm,
            ..
        } = self;
        let name = crate_name(package);
        let path = self.folder.display().to_string();
        format!(
            r#"# Written by tickwire-rules-build.
[package]
name = {name:?}
version = "0.0.0"
edition = "2024"
publish = false

[lib]
crate-type = ["cdylib"]

[dependencies]
game = {{ package = {package:?}, path = {path:?} }}
tickwire-rules-wasm = {rules_wasm}

[profile.release]
opt-level = "s"
debug = false
lto = "fat"
codegen-units = 1
panic = "abort"
strip = true

[workspace]
"#
        )
    }

    fn library(&self) -> String {
        let rules = self.rules;
        format!(
            "//! Written by tickwire-rules-build.\n\ntickwire_rules_wasm::export_rules!(game::{rules});\n"
        )
    }
}

fn write_if_changed(file: &Path, text: &str) -> io::Result<()> {
    match fs::read_to_string(file) {
        Ok(written) if written == text => Ok(()),
        _ => fs::write(file, text),
    }
}
