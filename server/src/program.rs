//! The binary: reads the configuration, starts logging and the runtime, and runs the server.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::fmt::Display;
use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use tickwire_game::NewGame;
use tickwire_server::config::{Config, ConfigError, LogFormat};
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;

/// Exit code for a configuration that can't be.
const BAD_CONFIGURATION: u8 = 2;
/// Lines of the log that may wait for whoever reads it; more are dropped.
const LOG_LINES: usize = 8192;

fn main() -> ExitCode {
    let config = match Config::load(std::env::args_os()) {
        Ok(config) => config,
        // Help and version are no errors, and go to standard output.
        Err(ConfigError::Flags(error)) if !error.use_stderr() => error.exit(),
        Err(error) => {
            return fail(error, BAD_CONFIGURATION);
        }
    };
    let game = match playable(&config) {
        Ok(game) => game,
        Err(problem) => {
            return fail(problem, BAD_CONFIGURATION);
        }
    };
    // What was logged is written until the end of this.
    let _writer = log_to_stderr(config.log_format);
    match run(config, game) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(format_args!("{error:#}"), 1),
    }
}

/// Says why, if anyone hears it.
fn fail(why: impl Display, code: u8) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "tickwire-server: {why}");
    ExitCode::from(code)
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

/// By a thread of its own: whoever reads the log may stall or go away, and no tick waits for that.
fn log_to_stderr(format: LogFormat) -> WorkerGuard {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let (writer, guard) = NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(LOG_LINES)
        .thread_name("log")
        .finish(std::io::stderr());
    let log = tracing_subscriber::fmt()
        .with_writer(writer)
        .with_ansi(std::io::stderr().is_terminal())
        .with_env_filter(filter);
    match format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().init(),
    }
    // What a game or a connection does wrong ends it alone, so its panic must not wait for the log's reader either.
    std::panic::set_hook(Box::new(|panic| {
        let backtrace = Backtrace::capture();
        match backtrace.status() {
            BacktraceStatus::Captured => tracing::error!(%backtrace, "{panic}"),
            _ => tracing::error!("{panic}"),
        }
    }));
    guard
}
