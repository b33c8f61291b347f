//! A whole program: reads the configuration, starts logging and the runtime, runs the server, and reports the result as an exit
//! code.
//!
//! In: the process's arguments and environment, the game to play, and its page. Out: exit code 0 after a drain, 1 if the server cannot
//! start, 2 for a wrong configuration; an error comes with one line on standard error.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::ffi::OsStr;
use std::fmt::Display;
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use crate::config::{Config, ConfigError, LogFormat, command};
use crate::healthcheck;
use crate::lobby::{NewGame, schema_of};
use crate::page_file::PageFile;
use tickwire_game::{Game, GameSettings};
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;

/// Exit code for a wrong configuration.
const EXIT_BAD_CONFIG: u8 = 2;
/// Exit code for a server that cannot start.
const EXIT_FAILED: u8 = 1;
/// Log lines that may wait to be written; further ones are dropped.
const MAX_WAITING_LOG_LINES: usize = 8192;

/// The whole program of a server that plays a game of its own: [`Program::new`] and [`Program::run`].
pub fn main(new_game: impl Fn(&GameSettings) -> Box<dyn Game> + Send + Sync + 'static) -> ExitCode {
    Program::new(new_game).run()
}

/// Chooses the game by the configuration, or says in a sentence why there is none.
type Choose = dyn FnOnce(&Config) -> Result<NewGame, String>;

/// The whole program of a server.
///
/// ```no_run
/// use tickwire_game::{Game, GameSettings};
///
/// fn serve(new_game: fn(&GameSettings) -> Box<dyn Game>) -> std::process::ExitCode {
///     tickwire_server::Program::new(new_game).run()
/// }
/// ```
#[must_use = "a program does nothing until it is run"]
pub struct Program {
    choose: Box<Choose>,
    page: &'static [PageFile],
}

impl Program {
    /// A program that plays one game. All flags of `tickwire-server` work except `--game`.
    pub fn new(new_game: impl Fn(&GameSettings) -> Box<dyn Game> + Send + Sync + 'static) -> Self {
        Self::choosing(|config| {
            match config.game {
            None => Ok(Arc::new(new_game)),
            Some(_) => Err("--game chooses among the games of tickwire-server; this program plays its own; leave the flag out".to_owned()),
        }
        })
    }

    /// A program whose game depends on the configuration. `choose` returns the game, or a sentence that says why there is none; the
    /// program then ends with exit code 2.
    pub fn choosing(choose: impl FnOnce(&Config) -> Result<NewGame, String> + 'static) -> Self {
        Self {
            choose: Box::new(choose),
            page: &[],
        }
    }

    /// Serves these files, usually [`page!()`](crate::page!): the page at `/`, and what it loads. Without them `/` has a page that says
    /// how to make one.
    pub fn page(mut self, files: &'static [PageFile]) -> Self {
        self.page = files;
        self
    }

    /// Runs the program until it is asked to drain, and returns its exit code.
    #[must_use]
    pub fn run(self) -> ExitCode {
        let config = match Config::load(std::env::args_os()) {
            Ok(config) => config,
            // Help and version are not errors; clap prints them to standard output.
            Err(ConfigError::Flags(error)) if !error.use_stderr() => error.exit(),
            Err(ConfigError::Completions(shell)) => return print_completions(shell),
            Err(ConfigError::Man) => return print_man_page(),
            Err(error) => return fail(error, EXIT_BAD_CONFIG),
        };
        let game = match (self.choose)(&config) {
            Ok(game) => game,
            Err(problem) => return fail(problem, EXIT_BAD_CONFIG),
        };
        if config.healthcheck {
            return match healthcheck::ask(config.ops_listen) {
                Ok(()) => ExitCode::SUCCESS,
                Err(problem) => fail(problem, EXIT_FAILED),
            };
        }
        if config.print_schema {
            return print_schema(&config, &game);
        }
        // Dropping the guard writes the log lines that still wait.
        let _log_guard = log_to_stderr(config.log_format);
        if config.stop_on_panic {
            stop_on_panic();
        }
        match serve(config, game, self.page) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(error, EXIT_FAILED),
        }
    }
}

/// Prints completions of this program's flags on standard output.
fn print_completions(shell: clap_complete::Shell) -> ExitCode {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut command(), program_name(), &mut text);
    print(&text)
}

/// Prints this program's man page on standard output.
fn print_man_page() -> ExitCode {
    let mut text = Vec::new();
    let page = clap_mangen::Man::new(command().name(program_name()));
    match page.render(&mut text) {
        Ok(()) => print(&text),
        Err(error) => fail(error, EXIT_FAILED),
    }
}

fn print(text: &[u8]) -> ExitCode {
    match std::io::stdout().write_all(text) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(error, EXIT_FAILED),
    }
}

/// The name by which this program was called.
fn program_name() -> String {
    let program = std::env::args_os().next().map(PathBuf::from);
    let name = program.as_deref().and_then(Path::file_stem);
    let name = name.unwrap_or_else(|| OsStr::new("tickwire-server"));
    name.display().to_string()
}

/// Prints the game's schema as JSON on standard output.
fn print_schema(config: &Config, game: &NewGame) -> ExitCode {
    let printed = schema_of(config, game)
        .map_err(|error| error.to_string())
        .and_then(|schema| serde_json::to_string_pretty(&schema).map_err(|error| error.to_string()))
        .and_then(|json| writeln!(std::io::stdout(), "{json}").map_err(|error| error.to_string()));
    match printed {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(error, EXIT_FAILED),
    }
}

/// Prints the reason on standard error, after this program's name.
fn fail(reason: impl Display, code: u8) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "{}: {reason}", program_name());
    ExitCode::from(code)
}

fn serve(config: Config, game: NewGame, page: &'static [PageFile]) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("the runtime can't start: {error}"))?;
    runtime.block_on(async {
        let server =
            crate::start_with_page(config, game, page).map_err(|error| error.to_string())?;
        server.run().await.map_err(|error| error.to_string())
    })
}

/// Makes the first panic end the process. A room whose game panics would otherwise open again and panic again, and the first report
/// scrolls away.
fn stop_on_panic() {
    std::panic::set_hook(Box::new(|panic| {
        // Not logged: the log's thread would not live to write the line.
        let _ = writeln!(
            std::io::stderr(),
            "{panic}\n{}\n--stop-on-panic: this program ends here",
            Backtrace::capture()
        );
        std::process::exit(EXIT_FAILED.into());
    }));
}

/// Logs to standard error from a thread of its own, because the reader of the log may stall or go away, and no tick may wait
/// for it.
fn log_to_stderr(format: LogFormat) -> WorkerGuard {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let (writer, guard) = NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(MAX_WAITING_LOG_LINES)
        .thread_name("log")
        .finish(std::io::stderr());
    let log = tracing_subscriber::fmt()
        .with_writer(writer)
        .with_ansi(std::io::stderr().is_terminal())
        .with_env_filter(filter);
    // A subscriber that the embedding program has set up before stays.
    let _ = match format {
        LogFormat::Text => log.try_init(),
        LogFormat::Json => log.json().try_init(),
    };
    // A panic of a game or a connection ends only that room or connection, so its report must not wait for the log's reader.
    std::panic::set_hook(Box::new(|panic| {
        let backtrace = Backtrace::capture();
        match backtrace.status() {
            BacktraceStatus::Captured => tracing::error!(%backtrace, "{panic}"),
            _ => tracing::error!("{panic}"),
        }
    }));
    guard
}
