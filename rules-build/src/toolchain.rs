//! Finds a Rust toolchain for wasm32 on this machine.
//!
//! In: the compiler that runs the build, and what is installed. Out: the programs to run and what makes the standard library, or
//! what to install. Installs nothing.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// The target of rules modules.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// A toolchain for wasm32.
#[derive(Clone)]
pub struct Toolchain {
    /// The program `cargo`.
    pub cargo: PathBuf,
    /// The program `rustc`.
    pub rustc: PathBuf,
    /// The folder of the compiler.
    pub sysroot: PathBuf,
    /// The standard library for wasm32 is built from its sources, with this linker.
    pub builds_std_with: Option<&'static str>,
}

/// No toolchain.
pub struct Missing {
    /// What to run, for people.
    pub note: String,
    /// Folders that change when a toolchain is installed.
    pub watched: Vec<PathBuf>,
}

impl Toolchain {
    /// The toolchain of this build if it has the target, else Debian's, which builds the standard library too.
    pub fn find() -> Result<Self, Missing> {
        let wanted = env::var("TICKWIRE_WASM_TOOLCHAIN").unwrap_or_default();
        let current = Self::current();
        let installed = || current.as_ref().filter(|one| one.has_target());
        let found = match &*wanted {
            "" => installed().cloned().or_else(Self::debian),
            "rustup" => installed().cloned(),
            "debian" => Self::debian(),
            _ => {
                return Err(Missing {
                    note: format!(
                        "TICKWIRE_WASM_TOOLCHAIN is '{wanted}': it can be rustup or debian"
                    ),
                    watched: Vec::new(),
                });
            }
        };
        found.ok_or_else(|| {
            let has_rustup = env::var_os("RUSTUP_TOOLCHAIN").is_some();
            let advice = if has_rustup {
                format!("run 'rustup target add {TARGET}'")
            } else {
                "install rustc-web, cargo-web, rust-web-src and lld-19 (Debian), or rustup".to_owned()
            };
            let rustlib = current.map(|one| one.sysroot.join("lib/rustlib"));
            Missing {
                note: format!(
                    "this machine has no Rust for WebAssembly, so clients cannot load the rules and play without prediction: \
                     {advice}, and build again"
                ),
                watched: rustlib.into_iter().filter(|folder| folder.is_dir()).collect(),
            }
        })
    }

    /// The toolchain that runs this build.
    fn current() -> Option<Self> {
        let program = |name: &str| env::var_os(name).map(PathBuf::from);
        let rustc = program("RUSTC")?;
        Some(Self {
            cargo: program("CARGO")?,
            sysroot: printed(&rustc, &["--print", "sysroot"])?,
            rustc,
            builds_std_with: None,
        })
    }

    fn debian() -> Option<Self> {
        let (cargo, rustc) = (
            PathBuf::from("/usr/bin/cargo"),
            PathBuf::from("/usr/bin/rustc"),
        );
        let linker = "wasm-ld-19";
        let is_there = cargo.is_file() && rustc.is_file() && is_in_path(linker);
        let sysroot = is_there.then(|| printed(&rustc, &["--print", "sysroot"]))??;
        let has_sources = sysroot.join("lib/rustlib/src/rust/library/std").is_dir();
        has_sources.then_some(Self {
            cargo,
            rustc,
            sysroot,
            builds_std_with: Some(linker),
        })
    }

    /// Whether the standard library for wasm32 is installed.
    fn has_target(&self) -> bool {
        let arguments = ["--print", "target-libdir", "--target", TARGET];
        let Some(entries) =
            printed(&self.rustc, &arguments).and_then(|folder| fs::read_dir(folder).ok())
        else {
            return false;
        };
        let mut names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        names.any(|name| name.starts_with("libstd-") && name.ends_with(".rlib"))
    }
}

fn printed(rustc: &Path, arguments: &[&str]) -> Option<PathBuf> {
    let output = Command::new(rustc).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().into())
}

fn is_in_path(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(program).is_file())
}
