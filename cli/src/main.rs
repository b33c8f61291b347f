//! The command `tickwire`.

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use std::path::PathBuf;
use tickwire_cli::{fetch::fetch_schema, typescript::typescript_of};

/// Tools for games on Tickwire.
#[derive(Parser)]
#[command(name = "tickwire", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Writes a game's protocol as TypeScript, for `join` of @tickwire/client.
    Types {
        /// The address of a server that runs the game.
        #[arg(long, default_value = "ws://127.0.0.1:7777/ws")]
        url: String,
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

fn main() -> anyhow::Result<()> {
    let Command::Types {
        url,
        room,
        insecure,
        out,
    } = Arguments::parse().command;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (game, schema) = runtime.block_on(fetch_schema(&url, &room, insecure))?;
    let source = typescript_of(&game, &schema);
    match out {
        Some(file) => std::fs::write(&file, source)
            .with_context(|| format!("{} cannot be written", file.display()))?,
        None => print!("{source}"),
    }
    Ok(())
}
