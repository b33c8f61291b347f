//! For the build script of a game: identifies the rules by a hash, and builds them as a WebAssembly module, which the server offers
//! to every client ([`rules_module`]); embeds the game's page ([`page()`]).
//!
//! ```no_run
//! // In `main` of build.rs:
//! tickwire_rules_build::rules_module("Rules");
//! ```
//!
//! In: the sources of the package, and a Rust toolchain for wasm32 if this machine has one. Out: three variables for `env!`:
//!
//! | variable | value |
//! |---|---|
//! | `TICKWIRE_RULES_HASH` | the hash of the package's sources and of this version of Tickwire, a decimal `u64` |
//! | `TICKWIRE_RULES_WASM` | the path of the module; an empty file if there is none |
//! | `TICKWIRE_RULES_NOTE` | why there is no module and what to run, in one line; empty if there is one |
//!
//! A machine without such a toolchain builds the server all the same. In the environment, `TICKWIRE_RULES_MODULE=off` builds no module
//! (editors save time by it), `TICKWIRE_RULES_REQUIRED=1` makes the lack of a module an error, and
//! `TICKWIRE_WASM_TOOLCHAIN=rustup` or `=debian` picks one where both exist.

#![allow(
    clippy::needless_doctest_main,
    reason = "the example is a whole build script"
)]

mod lock;
mod nested_cargo;
mod page;
mod source_hash;
mod toolchain;
mod wrapper;

pub use page::page;
use std::path::{Path, PathBuf};
use std::{env, fs};
use toolchain::Toolchain;

/// Does all that a build script has to do for the rules of its package. `rules` is the path of the type that implements
/// `ModuleRules` within the package's library, such as `Rules` or `rules::Rules`. The type must be public.
///
/// # Panics
/// Outside of a build script, if the sources cannot be read, and without a module where `TICKWIRE_RULES_REQUIRED=1`.
pub fn rules_module(rules: &str) {
    let package = Package::current();
    println!("cargo::rerun-if-changed=src");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=Cargo.toml");
    // The module has the versions of the dependencies that the server has.
    let lock = nested_cargo::workspace_folder(&package.folder).join("Cargo.lock");
    if lock.is_file() {
        println!("cargo::rerun-if-changed={}", lock.display());
    }
    for name in [
        "TICKWIRE_RULES_MODULE",
        "TICKWIRE_RULES_REQUIRED",
        "TICKWIRE_WASM_TOOLCHAIN",
    ] {
        println!("cargo::rerun-if-env-changed={name}");
    }
    let hash = source_hash::of_package(&package.name, &package.folder.join("src"))
        .unwrap_or_else(|error| panic!("the sources in src cannot be read: {error}"));
    println!("cargo::rustc-env=TICKWIRE_RULES_HASH={hash}");

    let module = package.out.join("rules.wasm");
    let note = match package.build_module(rules, &module) {
        Outcome::Built | Outcome::OnWasm => String::new(),
        Outcome::NotWanted => "no rules module was wanted (TICKWIRE_RULES_MODULE=off)".to_owned(),
        Outcome::Missing(note) => note,
    };
    if !note.is_empty() || package.is_wasm {
        fs::write(&module, []).unwrap_or_else(|error| panic!("{}: {error}", module.display()));
    }
    if !note.is_empty() && is_set("TICKWIRE_RULES_REQUIRED") {
        println!("cargo::error={note}");
        std::process::exit(1);
    }
    println!("cargo::rustc-env=TICKWIRE_RULES_WASM={}", module.display());
    println!("cargo::rustc-env=TICKWIRE_RULES_NOTE={note}");
}

/// The package whose build script runs.
struct Package {
    name: String,
    folder: PathBuf,
    out: PathBuf,
    /// The build is the one of the module: nothing more is to be built.
    is_wasm: bool,
}

enum Outcome {
    Built,
    NotWanted,
    /// The module itself is being built.
    OnWasm,
    /// Why there is no module, and what to run.
    Missing(String),
}

impl Package {
    fn current() -> Self {
        Self {
            name: variable("CARGO_PKG_NAME"),
            folder: variable("CARGO_MANIFEST_DIR").into(),
            out: variable("OUT_DIR").into(),
            is_wasm: variable("CARGO_CFG_TARGET_ARCH") == "wasm32",
        }
    }

    fn build_module(&self, rules: &str, module: &Path) -> Outcome {
        if self.is_wasm {
            return Outcome::OnWasm;
        }
        if env::var("TICKWIRE_RULES_MODULE").is_ok_and(|value| value == "off") {
            return Outcome::NotWanted;
        }
        let toolchain = match Toolchain::find() {
            Ok(toolchain) => toolchain,
            Err(missing) => {
                // Whoever installs one gets a module with the next build.
                for folder in missing.watched {
                    println!("cargo::rerun-if-changed={}", folder.display());
                }
                return Outcome::Missing(missing.note);
            }
        };
        let built = nested_cargo::build(self, &toolchain, rules, module);
        for source in nested_cargo::sources(self) {
            println!("cargo::rerun-if-changed={}", source.display());
        }
        match built {
            Ok(()) => Outcome::Built,
            Err(error) => {
                for line in error.to_string().lines() {
                    println!("cargo::warning={line}");
                }
                Outcome::Missing(format!(
                    "the rules module could not be built: cargo said why when it built {}",
                    self.name
                ))
            }
        }
    }
}

fn is_set(name: &str) -> bool {
    env::var(name).is_ok_and(|value| !matches!(&*value, "" | "0"))
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("{name} is not set: this is for build scripts"))
}
