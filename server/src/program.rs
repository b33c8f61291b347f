//! A whole program: reads the configuration, starts logging and the runtime, runs the server, and says by its exit code how it went.
//!
//! In: the process's arguments and environment, and which game is played. Exit codes: 0 after a drain, 1 if the server cannot start,
//! 2 for a wrong configuration; with one line on standard error that says why.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::ffi::OsStr;
use std::fmt::Display;
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use crate::config::{Config, ConfigError, DEFAULT_GAME, LogFormat};
use crate::lobby::NewGame;
use tickwire_game::{Game, GameSettings};
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;

/// Exit code for a configuration that can't be.
const BAD_CONFIGURATION: u8 = 2;
/// Lines of the log that may wait for whoever reads it; more are dropped.
const LOG_LINES: usize = 8192;

/// The whole of a program that serves a game of your own: all flags of `tickwire-server` work, but for `--game`.
///
/// ```no_run
/// use tickwire_game::arena::Arena; // or a game of your own
///
/// fn main() -> std::process::ExitCode {
///     tickwire_server::main(|settings| Box::new(Arena::new(settings)))
/// }
/// ```
pub fn main(new_game: impl Fn(&GameSettings) -> Box<dyn Game> + Send + Sync + 'static) -> ExitCode {
    main_of(|config| match config.game.as_str() {
        DEFAULT_GAME => Ok(Arc::new(new_game)),
        _ => Err("--game chooses among games that ship; this plays its own".to_owned()),
    })
}

/// The same with a game that the configuration chooses, or a sentence that says why there is none.
pub fn main_of(choose: impl FnOnce(&Config) -> Result<NewGame, String>) -> ExitCode {
    let config = match Config::load(std::env::args_os()) {
        Ok(config) => config,
        // Help and version are no errors, and go to standard output.
        Err(ConfigError::Flags(error)) if !error.use_stderr() => error.exit(),
        Err(error) => return fail(error, BAD_CONFIGURATION),
    };
    let game = match refuse_what_is_to_come(&config).and_then(|()| choose(&config)) {
        Ok(game) => game,
        Err(problem) => return fail(problem, BAD_CONFIGURATION),
    };
    // What was logged is written until the end of this.
    let _writer = log_to_stderr(config.log_format);
    match run(config, game) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(error, 1),
    }
}

/// Says why, if anyone hears it, in this program's name.
fn fail(why: impl Display, code: u8) -> ExitCode {
    let program = std::env::args_os().next().map(PathBuf::from);
    let name = program.as_deref().and_then(Path::file_stem);
    let name = name.unwrap_or_else(|| OsStr::new("tickwire-server"));
    let _ = writeln!(std::io::stderr(), "{}: {why}", name.display());
    ExitCode::from(code)
}

fn refuse_what_is_to_come(config: &Config) -> Result<(), String> {
    let to_come = [
        ("redis", config.cluster.is_some()),
        ("record", config.record.is_some()),
        ("journal", config.journal.is_some()),
    ];
    match to_come.iter().find(|(_, is_asked)| *is_asked) {
        Some((flag, _)) => Err(format!(
            "--{flag} is not part of this version yet; leave it out"
        )),
        None => Ok(()),
    }
}

fn run(config: Config, game: NewGame) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("the runtime can't start: {error}"))?;
    let ran = runtime.block_on(crate::run(config, game));
    ran.map_err(|error| error.to_string())
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
    // Whoever has set up a log before keeps it.
    let _ = match format {
        LogFormat::Text => log.try_init(),
        LogFormat::Json => log.json().try_init(),
    };
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
