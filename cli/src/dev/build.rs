//! A build of the game by cargo.
//!
//! In: the package. Out: the path of its program, or one line that says why there is none. What cargo has to say goes to standard error.

use super::{DevOptions, process};
use anyhow::Context as _;
use serde::Deserialize;
use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, Command};

/// Cargo, building.
pub struct Build {
    cargo: Child,
    manifest: PathBuf,
}

impl Build {
    pub fn start(options: &DevOptions) -> anyhow::Result<Self> {
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command
            .args(["build", "--message-format=json-render-diagnostics"])
            .current_dir(&options.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        if options.is_release {
            command.arg("--release");
        }
        match &options.program {
            Some(program) => command.args(["--bin", program]),
            None => command.arg("--bins"),
        };
        let manifest = options.folder.join("Cargo.toml");
        Ok(Self {
            cargo: command.spawn().context("cargo cannot be started")?,
            manifest: manifest.canonicalize().unwrap_or(manifest),
        })
    }

    /// The path of the program.
    pub async fn finish(&mut self) -> Result<PathBuf, String> {
        let mut messages = String::new();
        if let Some(stdout) = &mut self.cargo.stdout {
            let read = stdout.read_to_string(&mut messages).await;
            read.map_err(|error| format!("what cargo says cannot be read: {error}"))?;
        }
        match self.cargo.wait().await {
            Ok(status) if status.success() => program(&messages, &self.manifest),
            Ok(_) => Err("the build failed".to_owned()),
            Err(error) => Err(format!("cargo is lost: {error}")),
        }
    }

    pub async fn stop(&mut self) {
        process::end(&mut self.cargo).await;
    }
}

/// A message of cargo about something that it has built.
#[derive(Deserialize)]
struct Artifact {
    manifest_path: PathBuf,
    target: Target,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    kind: Vec<String>,
}

/// The package's program among cargo's messages.
fn program(messages: &str, manifest: &Path) -> Result<PathBuf, String> {
    let programs = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Artifact>(line).ok())
        .filter(|built| built.manifest_path == manifest)
        .filter(|built| built.target.kind.iter().any(|kind| kind == "bin"))
        .filter_map(|built| built.executable);
    let mut programs: Vec<_> = programs.collect();
    match (programs.pop(), programs.is_empty()) {
        (Some(program), true) => Ok(program),
        (None, _) => Err("the package has no program: write a src/main.rs".to_owned()),
        (Some(last), false) => {
            programs.push(last);
            let names = programs.iter().filter_map(|program| program.file_name());
            let names: Vec<_> = names.map(OsStr::to_string_lossy).collect();
            Err(format!(
                "the package has several programs: choose with --bin one of {}",
                names.join(", ")
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn artifact(folder: &str, kind: &str, executable: &str) -> String {
        format!(
            r#"{{"reason":"compiler-artifact","package_id":"x","manifest_path":"{folder}/Cargo.toml","target":{{"kind":["{kind}"],"name":"x"}},"executable":{executable}}}"#
        )
    }

    #[test]
    fn the_program_is_the_packages_own() {
        let lines = [
            artifact("/other", "bin", "\"/target/other\""),
            artifact("/game", "lib", "null"),
            artifact("/game", "custom-build", "\"/target/build\""),
            artifact("/game", "bin", "\"/target/game\""),
            r#"{"reason":"build-finished","success":true}"#.to_owned(),
        ];
        let manifest = Path::new("/game/Cargo.toml");
        assert_eq!(
            program(&lines.join("\n"), manifest).unwrap(),
            Path::new("/target/game")
        );
        let twice = [
            artifact("/game", "bin", "\"/a\""),
            artifact("/game", "bin", "\"/b\""),
        ];
        let reason = program(&twice.join("\n"), manifest).unwrap_err();
        assert!(reason.ends_with("--bin one of a, b"), "{reason}");
        assert!(program("", manifest).unwrap_err().contains("no program"));
    }
}
