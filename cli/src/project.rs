//! `tickwire new`: writes a game that builds and runs.
//!
//! In: a name, a folder to write into, and where the game takes Tickwire from. Out: the files of `template/`, with the name in them.
//! Nothing that exists is overwritten.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The files of a project, as they are in `template/`.
const FILES: [(&str, &str); 9] = [
    ("Cargo.toml", include_str!("../template/manifest.toml")),
    (".gitignore", include_str!("../template/gitignore")),
    ("README.md", include_str!("../template/README.md")),
    ("build.rs", include_str!("../template/build.rs")),
    ("src/lib.rs", include_str!("../template/src/lib.rs")),
    ("src/main.rs", include_str!("../template/src/main.rs")),
    (
        "page/index.html",
        include_str!("../template/page/index.html"),
    ),
    ("page/style.css", include_str!("../template/page/style.css")),
    ("page/page.js", include_str!("../template/page/page.js")),
];
/// The longest name: servers show it in lines and labels.
const MAX_NAME_LENGTH: usize = 32;
/// Names that cargo refuses, that a program has already, or that would hide the crates of Tickwire.
const RESERVED: &str = "abstract alloc as async await become box break build const continue core crate deps do dyn else enum examples \
    extern false final fn for gen if impl in incremental let loop macro match mod move mut override priv proc_macro pub ref return self \
    static std struct super test tickwire tickwire_rules_build trait true try type typeof union unsafe unsized use virtual where while \
    yield";

/// Why no project was written.
#[derive(Debug, thiserror::Error)]
pub enum NewProjectError {
    /// The name has other characters, or is too long.
    #[error(
        "{0:?} is no name for a game: use up to 32 lower-case letters, digits, - and _, with a letter first, as in my-game"
    )]
    Name(String),
    /// The name means something else to Rust or cargo.
    #[error("{0:?} means something else to Rust: choose another name, such as {0}-game")]
    Reserved(String),
    /// There is such a folder or file.
    #[error("{} exists: choose another name, or remove it", .0.display())]
    Exists(PathBuf),
    /// `--path` names something else.
    #[error("--path {} is no checkout of Tickwire: it has no tickwire/Cargo.toml", .0.display())]
    NoCheckout(PathBuf),
    /// The system says why.
    #[error("{} cannot be written: {}", .0.display(), .1)]
    Write(PathBuf, #[source] io::Error),
}

/// Writes a project into a new folder of this name, and returns the folder. `checkout`: a folder with Tickwire's sources, whose
/// `Cargo.lock` the project begins with, and whose target folder it is built in; without it the version of this command is taken from the registry.
///
/// # Errors
/// If the name is none, the folder exists, the checkout is none, or a file cannot be written.
pub fn write_project(
    name: &str,
    parent: &Path,
    checkout: Option<&Path>,
) -> Result<PathBuf, NewProjectError> {
    check_name(name)?;
    let source = Source::find(checkout)?;
    let folder = parent.join(name);
    if folder.symlink_metadata().is_ok() {
        return Err(NewProjectError::Exists(folder));
    }
    let identifier = name.replace('-', "_");
    for (path, template) in FILES {
        let text = template
            .replace("my-game", name)
            .replace("my_game", &identifier)
            .replace("MyGame", &type_name(name))
            .replace("RULES_BUILD", &source.dependency("rules-build"))
            .replace("TICKWIRE", &source.dependency("tickwire"));
        write(&folder.join(path), &text)?;
    }
    if let Some(lock) = source.lock() {
        write(&folder.join("Cargo.lock"), &lock)?;
    }
    if let Some(config) = source.cargo_config() {
        write(&folder.join(".cargo/config.toml"), &config)?;
    }
    Ok(folder)
}

fn check_name(name: &str) -> Result<(), NewProjectError> {
    let is_allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    let begins_well = name.starts_with(|c: char| c.is_ascii_lowercase());
    if !begins_well || !name.chars().all(is_allowed) || name.len() > MAX_NAME_LENGTH {
        return Err(NewProjectError::Name(name.to_owned()));
    }
    let identifier = name.replace('-', "_");
    if RESERVED.split_whitespace().any(|word| word == identifier) {
        return Err(NewProjectError::Reserved(name.to_owned()));
    }
    Ok(())
}

/// `king-of-the-hill` as `KingOfTheHill`, with a name that no type of the prelude has.
fn type_name(name: &str) -> String {
    let words = name.split(['-', '_']).filter(|word| !word.is_empty());
    let capital = |word: &str| word[..1].to_ascii_uppercase() + &word[1..];
    let type_name: String = words.map(capital).collect();
    if type_name.ends_with("Game") && type_name.len() > 4 {
        type_name
    } else {
        type_name + "Game"
    }
}

fn write(file: &Path, text: &str) -> Result<(), NewProjectError> {
    let failed = |error| NewProjectError::Write(file.to_owned(), error);
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    fs::write(file, text).map_err(failed)
}

/// Where a project takes Tickwire from.
enum Source {
    Registry,
    Checkout(PathBuf),
}

impl Source {
    fn find(checkout: Option<&Path>) -> Result<Self, NewProjectError> {
        let Some(given) = checkout else {
            return Ok(Self::Registry);
        };
        match given.canonicalize() {
            Ok(folder) if folder.join("tickwire/Cargo.toml").is_file() => {
                Ok(Self::Checkout(folder))
            }
            _ => Err(NewProjectError::NoCheckout(given.to_owned())),
        }
    }

    /// The value of a dependency in `Cargo.toml`.
    fn dependency(&self, folder: &str) -> String {
        match self {
            Self::Registry => format!("{:?}", env!("CARGO_PKG_VERSION")),
            Self::Checkout(checkout) => {
                format!(
                    "{{ path = {:?} }}",
                    checkout.join(folder).display().to_string()
                )
            }
        }
    }

    /// Lets the game be built in the checkout's target folder.
    fn cargo_config(&self) -> Option<String> {
        let Self::Checkout(checkout) = self else {
            return None;
        };
        let target = checkout.join("target").display().to_string();
        Some(format!(
            "# Beside the checkout's own programs, so that what they all need is compiled once.\n[build]\ntarget-dir = {target:?}\n"
        ))
    }

    /// The versions that the checkout is tested with.
    fn lock(&self) -> Option<String> {
        match self {
            Self::Registry => None,
            Self::Checkout(checkout) => fs::read_to_string(checkout.join("Cargo.lock")).ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_cargo_would_refuse_are_refused_with_a_sentence() {
        for name in [
            "",
            "Game",
            "2048",
            "-x",
            "a b",
            "../x",
            "ä",
            &"x".repeat(33),
        ] {
            let error = check_name(name).unwrap_err();
            assert!(matches!(error, NewProjectError::Name(_)), "{name}");
        }
        for name in ["async", "std", "tickwire", "proc-macro"] {
            let error = check_name(name).unwrap_err().to_string();
            assert!(error.contains("choose another name"), "{error}");
        }
        for name in ["tag", "king-of-the-hill", "a_1"] {
            check_name(name).unwrap();
        }
    }

    #[test]
    fn a_games_type_has_no_name_of_the_prelude() {
        for (name, expected) in [
            ("world", "WorldGame"),
            ("game", "GameGame"),
            ("my-game", "MyGame"),
            ("king-of_the-hill", "KingOfTheHillGame"),
        ] {
            assert_eq!(type_name(name), expected);
        }
    }

    #[test]
    fn what_exists_is_not_overwritten() {
        let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let error = write_project("cli", checkout, None).unwrap_err();
        assert!(matches!(error, NewProjectError::Exists(_)), "{error}");
        let error = write_project("x", checkout, Some(Path::new("/no/where"))).unwrap_err();
        assert!(error.to_string().contains("is no checkout"), "{error}");
    }

    #[test]
    fn the_template_is_a_small_game() {
        let lines = |path: &str| {
            let (_, text) = FILES.iter().find(|(of, _)| *of == path).unwrap();
            let (code, _) = text.split_once("#[cfg(test)]").unwrap_or((text, ""));
            code.lines().count()
        };
        assert!(lines("src/lib.rs") + lines("src/main.rs") < 100);
        assert!(lines("page/page.js") < 60);
    }
}
