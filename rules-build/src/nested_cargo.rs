//! Runs cargo within a build script, for the module.
//!
//! In: the game's package and a toolchain. Out: the module in a file, and the sources that went into it. The nested cargo has a
//! target folder that all games of the outer one share, so that the standard library is built once, and an environment without
//! what the outer cargo has set, which would change what is built.

use crate::Package;
use crate::lock;
use crate::toolchain::{TARGET, Toolchain};
use crate::wrapper::{self, Wrapper};
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{env, iter};

/// The memory that a module may have, in bytes.
const MAX_MEMORY: u32 = 1 << 20;
/// The stack within that memory, in bytes.
const STACK: u32 = 64 * 1024;
/// How many lines of a failed build are shown: the last ones say what is wrong.
const SHOWN_LINES: usize = 20;
/// Variables of cargo that the user sets and that the nested cargo needs as well.
const KEPT: [&str; 6] = [
    "CARGO_HOME",
    "CARGO_HTTP_",
    "CARGO_NET_",
    "CARGO_REGISTR",
    "CARGO_SOURCE_",
    "CARGO_BUILD_JOBS",
];
/// Other variables that cargo sets for build scripts and compilers.
const REMOVED: [&str; 14] = [
    "CARGO",
    "DEBUG",
    "HOST",
    "MAKEFLAGS",
    "MFLAGS",
    "NUM_JOBS",
    "OPT_LEVEL",
    "OUT_DIR",
    "PROFILE",
    "RUSTC",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTDOC",
    "RUSTFLAGS",
    "TARGET",
];

/// Why the module could not be built.
#[derive(Debug)]
pub enum BuildError {
    /// A file could not be read or written, or cargo could not be started.
    Io(PathBuf, io::Error),
    /// Cargo failed: the first error that it said.
    Failed(String),
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(path, error) => write!(f, "the rules module: {}: {error}", path.display()),
            Self::Failed(lines) => write!(
                f,
                "the rules don't compile to WebAssembly (the library of the package must, without features of the system):\n{lines}"
            ),
        }
    }
}

impl std::error::Error for BuildError {}

/// Builds the module of a package.
pub fn build(
    package: &Package,
    toolchain: &Toolchain,
    rules: &str,
    module: &Path,
) -> Result<(), BuildError> {
    let at = |path: &Path| {
        let path = path.to_owned();
        move |error| BuildError::Io(path, error)
    };
    let target = target_folder(&package.out);
    fs::create_dir_all(&target).map_err(at(&target))?;
    // Two games, or a game twice, must not write the same file at once.
    let guard = target.join("lock");
    let lock_file = File::create(&guard).map_err(at(&guard))?;
    lock_file.lock().map_err(at(&guard))?;

    let workspace = workspace_folder(&package.folder);
    let lock = fs::read_to_string(workspace.join("Cargo.lock")).unwrap_or_default();
    let own_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let rules_wasm = lock::dependency(&lock, own_folder, "tickwire-rules-wasm", "rules-wasm");
    let wrapper = Wrapper {
        package: &package.name,
        folder: &package.folder,
        rules,
        rules_wasm: &rules_wasm,
        lock: &lock,
    };
    let folder = target.join("crates").join(&package.name);
    let manifest = wrapper.write(&folder).map_err(at(&folder))?;

    let flags = flags(toolchain, &workspace, own_folder, &target);
    let run = |is_offline: bool| {
        let mut command = command(toolchain, &manifest, &target, &flags);
        if is_offline {
            command.arg("--offline");
        }
        command.output().map_err(at(&toolchain.cargo))
    };
    let mut output = run(true)?;
    // All that the game needs is here already; parts that only the module needs may not be.
    if !output.status.success() && text_of(&output).contains("offline") {
        output = run(false)?;
    }
    if !output.status.success() {
        return Err(BuildError::Failed(first_error(&text_of(&output))));
    }
    let built = artifact(package, "wasm");
    fs::copy(&built, module).map_err(at(&built))?;
    Ok(())
}

/// The sources of the last module that was built. A failed build leaves those of the one before.
pub fn sources(package: &Package) -> Vec<PathBuf> {
    let target = target_folder(&package.out);
    let dep_info = fs::read_to_string(artifact(package, "d")).unwrap_or_default();
    paths_in(&dep_info)
        .filter(|path| !path.starts_with(&target) && path.is_file())
        .collect()
}

/// A file that the nested cargo makes.
fn artifact(package: &Package, extension: &str) -> PathBuf {
    let name = wrapper::crate_name(&package.name).replace('-', "_");
    let folder = target_folder(&package.out).join(TARGET).join("release");
    folder.join(name).with_extension(extension)
}

/// A target folder beside what the outer cargo builds. Cargo marks the root of its own with a file for backup programs.
fn target_folder(out: &Path) -> PathBuf {
    let root = out
        .ancestors()
        .find(|folder| folder.join("CACHEDIR.TAG").is_file());
    root.unwrap_or(out).join("rules-wasm")
}

/// The folder with the lock file that holds for a package.
pub fn workspace_folder(package: &Path) -> PathBuf {
    let with_lock = package
        .ancestors()
        .find(|folder| folder.join("Cargo.lock").is_file());
    with_lock.unwrap_or(package).to_owned()
}

/// Flags of the compiler. Without the remapped paths, messages of panics would name folders of this machine, and the same sources
/// would give other bytes elsewhere.
fn flags(toolchain: &Toolchain, workspace: &Path, own_folder: &Path, target: &Path) -> String {
    let cargo_home = env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(env::home_dir()?.join(".cargo")));
    let library = toolchain.sysroot.join("lib/rustlib/src/rust");
    let registries = (cargo_home.iter())
        .filter_map(|home| fs::read_dir(home.join("registry/src")).ok())
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()));
    // Of several prefixes that fit, the compiler takes the last.
    let remapped = (own_folder
        .parent()
        .map(|folder| (folder.to_owned(), "/tickwire")))
    .into_iter()
    .chain([(workspace.to_owned(), "/game")])
    .chain(cargo_home.clone().map(|home| (home, "/cargo")))
    .chain(registries.map(|folder| (folder, "/cargo/registry")))
    .chain(
        fs::canonicalize(&library)
            .ok()
            .map(|folder| (folder, "/rust")),
    )
    .chain([(library, "/rust"), (target.to_owned(), "/target")])
    .map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display()));
    let linked = [
        format!("-Clink-arg=--max-memory={MAX_MEMORY}"),
        format!("-Clink-arg=-zstack-size={STACK}"),
    ];
    let flags: Vec<_> = remapped.chain(linked).collect();
    flags.join("\x1f")
}

fn command(toolchain: &Toolchain, manifest: &Path, target: &Path, flags: &str) -> Command {
    let mut command = Command::new(&toolchain.cargo);
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        let is_cargos =
            text.starts_with("CARGO_") && !KEPT.iter().any(|kept| text.starts_with(kept));
        if is_cargos || text.starts_with("DEP_") || REMOVED.contains(&&*text) {
            command.env_remove(&name);
        }
    }
    command
        .current_dir(manifest.parent().unwrap_or(target))
        .args(["build", "--release", "--quiet", "--color", "never"])
        .args(["--target", TARGET, "--manifest-path"])
        .arg(manifest)
        .arg("--target-dir")
        .arg(target)
        .env("RUSTC", &toolchain.rustc)
        .env("CARGO_ENCODED_RUSTFLAGS", flags)
        .env("TICKWIRE_RULES_MODULE", "off");
    if let Some(linker) = toolchain.builds_std_with {
        // -Zbuild-std is a nightly option; RUSTC_BOOTSTRAP allows it in a stable compiler.
        command
            .args(["-Zbuild-std=std,panic_abort"])
            .env("RUSTC_BOOTSTRAP", "1")
            .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
    }
    command
}

fn text_of(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The first error of a compiler: those after it often follow from it. Where there is none, the last lines.
fn first_error(text: &str) -> String {
    let begins_error = |line: &&str| line.starts_with("error") && !line.starts_with("error: could");
    let mut lines = text.lines().skip_while(|line| !begins_error(line));
    let error: Vec<_> = (lines.by_ref().take(SHOWN_LINES))
        .take_while(|line| !line.trim().is_empty())
        .collect();
    if !error.is_empty() {
        return error.join("\n");
    }
    let lines: Vec<_> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n")
}

/// The sources in a file such as `module: src/lib.rs other\ folder/lib.rs`.
fn paths_in(dep_info: &str) -> impl Iterator<Item = PathBuf> {
    let (_, mut rest) = dep_info.split_once(": ").unwrap_or_default();
    iter::from_fn(move || {
        rest = rest.trim_start();
        let mut path = String::new();
        let mut letters = rest.char_indices();
        while let Some((_, letter)) = letters.next() {
            match letter {
                // Only spaces are escaped; other backslashes are parts of Windows paths.
                '\\' if letters.as_str().starts_with(' ') => {
                    letters.next();
                    path.push(' ');
                }
                letter if letter.is_whitespace() => break,
                letter => path.push(letter),
            }
        }
        rest = letters.as_str();
        (!path.is_empty()).then(|| path.into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_read_from_dep_info() {
        let paths = |text| paths_in(text).collect::<Vec<_>>();
        assert_eq!(
            paths("/t/a.wasm: /g/src/lib.rs /my\\ games/lib.rs C:\\g\\lib.rs\n"),
            ["/g/src/lib.rs", "/my games/lib.rs", "C:\\g\\lib.rs"].map(PathBuf::from)
        );
        assert_eq!(paths(""), Vec::<PathBuf>::new());
        assert_eq!(paths("/t/a.wasm:\n"), Vec::<PathBuf>::new());
    }

    #[test]
    fn the_first_error_of_a_failure_is_shown() {
        let text = "warning: unused\n --> a.rs:1\n\nerror[E0425]: cannot find `a`\n --> a.rs:2\n  |\n\nerror: another\n\nerror: could not compile `a`\n";
        assert_eq!(
            first_error(text),
            "error[E0425]: cannot find `a`\n --> a.rs:2\n  |"
        );
        // Something else than a compiler failed.
        let text: String = (0..50).map(|line| format!("{line}\n\n")).collect();
        let shown = first_error(&text);
        assert!(shown.starts_with("30\n") && shown.ends_with("\n49"));
    }
}
