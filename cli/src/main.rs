//! The command `tickwire`.

use anyhow::Context as _;
use clap::{ArgGroup, CommandFactory as _, Parser, Subcommand};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tickwire_bot::About;
use tickwire_cli::dev::{DevOptions, develop};
use tickwire_cli::replay::{Range, check, cut_out, describe};
use tickwire_cli::{
    fetch::fetch_schema, project::write_project, schema_file::read_schema,
    typescript::typescript_of,
};

/// Tools for games on Tickwire.
#[derive(Parser)]
#[command(
    name = "tickwire",
    version,
    arg_required_else_help = true,
    args_conflicts_with_subcommands = true
)]
struct Arguments {
    #[command(flatten)]
    about: About,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Writes a game that builds and runs, into a new folder.
    New {
        /// The game's name, such as my-game.
        name: String,
        /// A checkout of Tickwire to build the game with, instead of the published version.
        #[arg(long, value_name = "DIR")]
        path: Option<PathBuf>,
    },
    /// Builds the game of this folder, serves it, and does so again on every change.
    Dev {
        /// Build with optimisation.
        #[arg(long)]
        release: bool,
        /// The program to run, where the package has several.
        #[arg(long, value_name = "NAME")]
        bin: Option<String>,
        /// Flags for the game's server, such as `-- --listen 0.0.0.0:7777`.
        #[arg(last = true)]
        flags: Vec<OsString>,
    },
    /// Sends a swarm of bots to a game's server: they send random inputs of the game's own schema, and check every view hash.
    #[command(disable_help_flag = true)]
    Bots {
        /// Flags of the bots, such as --bots 50 --duration 30s; --help lists them.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        flags: Vec<OsString>,
    },
    /// Says what is in a recording of a server with --record, checks it, or cuts a part out of it.
    #[command(group = ArgGroup::new("what").required(true))]
    Replay {
        /// The recording.
        file: PathBuf,
        /// Say what is in it: players, ticks, and how much each part takes.
        #[arg(long, group = "what")]
        info: bool,
        /// Check every block, and compute the hash of every tick anew; exit code 1 if something is wrong.
        #[arg(long, group = "what")]
        verify: bool,
        /// Write the whole chunks that hold these ticks, or seconds from the beginning, into a file of their own.
        #[arg(long, group = "what", value_name = "FROM..TO")]
        cut: Option<Range>,
        /// The file that --cut makes [default: the recording's name with the ticks]
        #[arg(long, value_name = "FILE", requires = "cut")]
        out: Option<PathBuf>,
    },
    /// Writes a game's protocol as TypeScript, for `join` of @tickwire/client.
    Types {
        /// The address of a server that runs the game.
        #[arg(long, default_value = "ws://127.0.0.1:7777/ws")]
        url: String,
        /// A file that the game's server printed with `--print-schema`, instead of a running server; - for standard input.
        #[arg(long, value_name = "FILE", conflicts_with_all = ["url", "room", "insecure"])]
        schema: Option<PathBuf>,
        /// The room to ask.
        #[arg(long, default_value = "main")]
        room: String,
        /// Take a self-signed certificate.
        #[arg(long)]
        insecure: bool,
        /// The file to write; default: standard output.
        #[arg(long)]
        out: Option<PathBuf>,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match (arguments.about.asked(), arguments.command) {
        (Some(asked), _) => (asked.print(Arguments::command()))
            .map(|()| ExitCode::SUCCESS)
            .map_err(anyhow::Error::from),
        (None, Some(command)) => run(command),
        // Clap has shown the help: there is no other way to ask for nothing.
        (None, None) => Ok(ExitCode::FAILURE),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("tickwire: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    match command {
        Command::Bots { flags } => {
            let arguments = std::iter::once("tickwire bots".into()).chain(flags);
            return Ok(tickwire_bot::main_with(arguments, None));
        }
        Command::New { name, path } => {
            let folder = write_project(&name, Path::new(""), path.as_deref())?;
            println!(
                "{} is there. Next:\n  cd {name}\n  tickwire dev    # builds it, and says which page to open",
                folder.display()
            );
        }
        Command::Dev {
            release,
            bin,
            flags,
        } => runtime.block_on(develop(DevOptions {
            folder: std::env::current_dir()?,
            is_release: release,
            program: bin,
            flags,
        }))?,
        Command::Replay {
            file,
            info,
            verify,
            cut,
            out,
        } => {
            if info {
                print!("{}", describe(&file)?);
            }
            if verify {
                let (text, is_good) = check(&file)?;
                print!("{text}");
                if !is_good {
                    return Ok(ExitCode::FAILURE);
                }
            }
            if let Some(range) = cut {
                print!("{}", cut_out(&file, range, out)?);
            }
        }
        Command::Types {
            url,
            schema,
            room,
            insecure,
            out,
        } => {
            let (game, schema) = match schema {
                Some(file) => read_schema(&file)?,
                None => runtime.block_on(fetch_schema(&url, &room, insecure))?,
            };
            let source = typescript_of(&game, &schema);
            match out {
                Some(file) => std::fs::write(&file, source)
                    .with_context(|| format!("{} cannot be written", file.display()))?,
                None => print!("{source}"),
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
