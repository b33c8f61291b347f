//! The binary: reads the configuration, starts logging and the runtime, and runs the server.

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use tickwire_game::NewGame;
use tickwire_server::config::{Config, ConfigError, LogFormat};
use tracing_subscriber::EnvFilter;

/// Exit code for a configuration that can't be.
const BAD_CONFIGURATION: u8 = 2;

fn main() -> ExitCode {
    let config = match Config::load(std::env::args_os()) {
        Ok(config) => config,
        // Help and version are no errors, and go to standard output.
        Err(ConfigError::Flags(error)) if !error.use_stderr() => error.exit(),
        Err(error) => {
            eprintln!("tickwire-server: {error}");
            return ExitCode::from(BAD_CONFIGURATION);
        }
    };
    let game = match playable(&config) {
        Ok(game) => game,
        Err(problem) => {
            eprintln!("tickwire-server: {problem}");
            return ExitCode::from(BAD_CONFIGURATION);
        }
    };
    log_to_stderr(config.log_format);
    match run(config, game) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tickwire-server: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The game, if this version has everything that the configuration asks for.
fn playable(config: &Config) -> Result<NewGame, String> {
    let to_come = [
        ("redis", config.cluster.is_some()),
        ("record", config.record.is_some()),
        ("journal", config.journal.is_some()),
    ];
    if let Some((flag, _)) = to_come.iter().find(|(_, is_asked)| *is_asked) {
        return Err(format!(
            "--{flag} is not part of this version yet; leave it out"
        ));
    }
    let known = tickwire_game::SHIPPED.join(", ");
    tickwire_game::shipped(&config.game)
        .ok_or_else(|| format!("--game {} is not shipped; there are: {known}", config.game))
}

fn run(config: Config, game: NewGame) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the runtime can't start")?;
    runtime.block_on(tickwire_server::run(config, Arc::new(game)))?;
    Ok(())
}

fn log_to_stderr(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_env_filter(filter);
    match format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().init(),
    }
}
