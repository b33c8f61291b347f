//! The server's role: the library that games are built on, with the game of the bench.

use super::game::{Turning, WorldSize};
use super::process;
use std::sync::Arc;
use tickwire_server::config::Config;

/// The options of a server process, as [`super::child::Role`] passes them.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Server {
    /// The world.
    #[command(flatten)]
    pub size: WorldSize,
    /// The core to run on.
    #[arg(long)]
    pub core: usize,
    /// Serves over TLS.
    #[arg(long)]
    pub tls: bool,
}

impl Server {
    /// Serves the game of the bench on loopback ports, which its ready line names, until the process is ended.
    ///
    /// # Errors
    /// If the server does not start.
    pub fn serve(&self) -> anyhow::Result<()> {
        process::pin(self.core)?;
        let mut arguments = vec![
            "load",
            "--listen",
            "127.0.0.1:0",
            "--ops-listen",
            "127.0.0.1:0",
            "--world-seed",
            "0",
        ];
        arguments.extend([
            "--max-rooms",
            "100000",
            "--max-players",
            "20000",
            "--max-connections",
            "0",
        ]);
        if self.tls {
            arguments.push("--tls-self-signed");
        }
        let config = Config::load(arguments)?;
        let size = self.size;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()?;
        let game =
            Arc::new(move |_: &_| Box::new(Turning::new(size)) as Box<dyn tickwire_game::Game>);
        Ok(runtime.block_on(tickwire_server::run(config, game))?)
    }
}
