//! What a program prints of its flags: completions for shells, and a man page.

use clap::Args;
use clap_complete::Shell;
use std::io::Write as _;
use std::path::PathBuf;

/// The flags that print, and nothing else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Args)]
pub struct About {
    /// Prints completions of the flags for a shell, and exits
    #[arg(long, value_name = "SHELL", value_enum)]
    pub completions: Option<Shell>,
    /// Prints a man page, and exits
    #[arg(long)]
    pub man: bool,
}

/// Something that was asked for instead of what the program does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Asked {
    /// Completions for a shell.
    #[error("--completions prints, and does nothing else")]
    Completions(Shell),
    /// The man page.
    #[error("--man prints, and does nothing else")]
    Man,
}

impl About {
    /// What was asked for, if anything.
    #[must_use]
    pub fn asked(self) -> Option<Asked> {
        match self {
            Self {
                completions: Some(shell),
                ..
            } => Some(Asked::Completions(shell)),
            Self { man: true, .. } => Some(Asked::Man),
            Self { .. } => None,
        }
    }
}

impl Asked {
    /// Prints it on standard output, for a program that has these flags, under the name by which it was called.
    ///
    /// # Errors
    /// If standard output is closed.
    pub fn print(self, mut command: clap::Command) -> std::io::Result<()> {
        let program = std::env::args_os().next().map(PathBuf::from);
        let name = program.as_deref().and_then(|path| path.file_stem());
        let name = name.map_or_else(
            || command.get_name().to_owned(),
            |name| name.display().to_string(),
        );
        let mut text = Vec::new();
        match self {
            Self::Completions(shell) => {
                clap_complete::generate(shell, &mut command, name, &mut text);
            }
            Self::Man => clap_mangen::Man::new(command.name(name)).render(&mut text)?,
        }
        std::io::stdout().write_all(&text)
    }
}
