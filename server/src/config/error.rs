//! Why the configuration cannot be used, in one line that names the flag.

use std::path::PathBuf;

use clap::error::ErrorKind;

use crate::tls::TlsError;

/// Why the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A flag or a variable is malformed, or help was asked for.
    #[error("{}", first_line(.0))]
    Flags(#[from] clap::Error),
    /// Completions for a shell were asked for.
    #[error("--completions prints, and serves nothing")]
    Completions(clap_complete::Shell),
    /// The man page was asked for.
    #[error("--man prints, and serves nothing")]
    Man,
    /// The file cannot be read.
    #[error("--config {path}: {error}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        error: std::io::Error,
    },
    /// The file is malformed.
    #[error("--config {path}: {problem}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The problem and its line.
        problem: String,
    },
    /// A value is out of range, or does not fit the others.
    #[error("--{flag} {problem}")]
    Value {
        /// The flag's name.
        flag: &'static str,
        /// The problem, and what would be right.
        problem: String,
    },
    /// The certificate cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// The first line of clap's error, which names the flag and the reason.
fn first_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let mut lines = text.lines().map(str::trim);
    let line = lines.next().unwrap_or_default();
    let line = line.strip_prefix("error: ").unwrap_or(line);
    // For an invalid value, the second line lists the valid ones.
    let valid_values = lines.next().filter(|values| !values.is_empty());
    match valid_values.filter(|_| error.kind() == ErrorKind::InvalidValue) {
        Some(values) => format!("{line} {values}"),
        None => line.to_owned(),
    }
}
