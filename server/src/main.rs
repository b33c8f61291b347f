//! The binary: reads the configuration, starts logging and the runtime, and runs the server.

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use tickwire_server::close::{Close, CloseCode, Disconnect};
use tickwire_server::config::{Config, ConfigError, LogFormat};
use tickwire_server::metrics::Metrics;
use tickwire_server::net::connection::Connection;
use tickwire_server::net::handler::{Handler, Health, Rooms};
use tickwire_server::serve;
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
    log_to_stderr(config.log_format);
    match run(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tickwire-server: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(config: Config) -> anyhow::Result<()> {
    let metrics = Arc::new(Metrics::new()?);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the runtime can't start")?;
    runtime.block_on(async {
        let server = serve::start(Arc::new(config), Arc::new(NoRooms), metrics)?;
        Ok(server.run().await?)
    })
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

/// Until there are rooms: nobody is let in.
struct NoRooms;

struct NoHandler;

impl Handler for NoHandler {
    fn message(&mut self, _payload: &[u8]) -> Result<(), Close> {
        Err(Close::new(
            CloseCode::UnknownOrUnsupported,
            "this server has no rooms yet",
        ))
    }

    fn closed(&mut self, _why: Disconnect) {}
}

impl Rooms for NoRooms {
    type Handler = NoHandler;

    fn connected(
        &self,
        _connection: Arc<Connection>,
        _room: Option<String>,
        _deadline: Instant,
    ) -> NoHandler {
        NoHandler
    }

    async fn room_state(&self, _room: &str) -> Option<serde_json::Value> {
        None
    }

    async fn rooms(&self) -> serde_json::Value {
        serde_json::json!([])
    }

    async fn notice(&self, _text: &str, _room: Option<&str>) -> Result<usize, String> {
        Ok(0)
    }

    fn health(&self) -> Health {
        Health::ok()
    }

    async fn drain(&self) {}
}
