//! The life of a server process: listen, say so, serve, drain, end.
//!
//! [`start`] opens both ports over given rooms; [`Server::run`] prints the ready line and stays until
//! a signal or `POST /drain`; [`Server::drain`] ends in good order: no new connections, Goodbye and
//! close 1001 to all, and at most `--drain-timeout` of patience.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::config::Config;
use crate::metrics::Metrics;
use crate::net::game_port::{GamePort, going_away};
use crate::net::handler::Rooms;
use crate::net::listener;
use crate::ops::{self, Operations};
use crate::shutdown::Shutdown;
use crate::tls::{Tls, TlsError};

/// What closes take at the end of a drain, so that close frames still leave.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Why the server can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A port can't be had.
    #[error("--{flag} {address}: {error}")]
    Listen {
        /// `listen` or `ops-listen`.
        flag: &'static str,
        /// The address that was asked for.
        address: SocketAddr,
        /// Why not.
        error: io::Error,
    },
    /// The certificate can't be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Signals can't be heard.
    #[error("signals can't be heard: {0}")]
    Signals(io::Error),
    /// No threads for the sockets.
    #[error("the threads that read sockets can't start: {0}")]
    Threads(io::Error),
    /// Standard output is closed.
    #[error("the ready line can't be printed: {0}")]
    Output(io::Error),
}

/// A server that listens.
pub struct Server<R> {
    game_addr: SocketAddr,
    ops_addr: SocketAddr,
    tls: Option<Arc<Tls>>,
    port: Arc<GamePort<R>>,
    /// Ends when the server drains.
    accepting: JoinHandle<()>,
    /// Ends when it is aborted: the operations port answers to the last.
    operating: JoinHandle<()>,
}

/// Opens both ports over the rooms. Must be called inside of a tokio runtime.
///
/// # Errors
/// If a port can't be had, or the certificate not be used.
pub fn start<R: Rooms>(
    config: Arc<Config>,
    rooms: Arc<R>,
    metrics: Arc<Metrics>,
) -> Result<Server<R>, StartError> {
    let tls = config.tls.clone().map(Tls::load).transpose()?;
    let acceptor = tls.as_ref().map(Tls::acceptor).transpose()?;
    let (game, game_addr) = listen("listen", config.listen)?;
    let (ops, ops_addr) = listen("ops-listen", config.ops_listen)?;
    let draining = Shutdown::new();
    let operations = Arc::new(Operations {
        rooms: Arc::clone(&rooms),
        metrics: Arc::clone(&metrics),
        draining: draining.clone(),
    });
    let port = GamePort::new(config, rooms, metrics, draining).map_err(StartError::Threads)?;
    Ok(Server {
        game_addr,
        ops_addr,
        tls,
        accepting: tokio::spawn(listener::serve(game, acceptor, Arc::clone(&port))),
        operating: tokio::spawn(ops::serve(ops, operations)),
        port,
    })
}

fn listen(
    flag: &'static str,
    address: SocketAddr,
) -> Result<(tokio::net::TcpListener, SocketAddr), StartError> {
    let bound = listener::bind(address)
        .and_then(|listener| listener.local_addr().map(|real| (listener, real)));
    bound.map_err(|error| StartError::Listen {
        flag,
        address,
        error,
    })
}

impl<R: Rooms> Server<R> {
    /// The game port's real address.
    #[must_use]
    pub fn game_addr(&self) -> SocketAddr {
        self.game_addr
    }

    /// The operations port's real address.
    #[must_use]
    pub fn ops_addr(&self) -> SocketAddr {
        self.ops_addr
    }

    /// The certificate in use, if the game port speaks TLS.
    #[must_use]
    pub fn tls(&self) -> Option<&Arc<Tls>> {
        self.tls.as_ref()
    }

    /// The wish to drain; anyone may ask for it.
    #[must_use]
    pub fn draining(&self) -> Shutdown {
        self.port.draining.clone()
    }

    /// The one line on standard output that says where the server is.
    #[must_use]
    pub fn ready_line(&self) -> String {
        let ws = if self.tls.is_some() { "wss" } else { "ws" };
        let Self {
            game_addr,
            ops_addr,
            ..
        } = self;
        format!("tickwire ready {ws}://{game_addr}/ws ops http://{ops_addr}")
    }

    /// Says that it is ready, serves until SIGTERM, SIGINT or `POST /drain`, and drains.
    ///
    /// # Errors
    /// If signals can't be heard, or the ready line not be printed.
    pub async fn run(self) -> Result<(), StartError> {
        let mut signals = Signals::new().map_err(StartError::Signals)?;
        print_line(&self.ready_line()).map_err(StartError::Output)?;
        let draining = self.draining();
        loop {
            tokio::select! {
                () = draining.asked() => break,
                signal = signals.next() => match signal {
                    Signal::Reload => self.reload(),
                    Signal::Terminate => break,
                },
            }
        }
        self.drain().await;
        Ok(())
    }

    fn reload(&self) {
        match self.tls.as_ref().map(|tls| tls.reload()) {
            None => tracing::info!("SIGHUP: there is nothing to reload"),
            Some(Ok(())) => tracing::info!("SIGHUP: the certificate was reloaded"),
            Some(Err(error)) => tracing::error!("SIGHUP: the old certificate stays: {error}"),
        }
    }

    /// Ends in good order; see the module's head.
    pub async fn drain(self) {
        let patience = self.port.config.drain_timeout;
        tracing::info!("draining, for at most {patience:?}");
        let began = Instant::now();
        self.port.draining.ask();
        let open = &self.port.open;
        // However little patience there is, the players hear the rooms' Goodbye before the close.
        let said = timeout(patience.max(LAST_WORDS), async {
            let _ = self.accepting.await;
            self.port.rooms.drain().await;
        });
        let _ = said.await;
        open.close_all(&going_away());
        let in_order = timeout(patience.saturating_sub(began.elapsed()), open.none_left());
        if in_order.await.is_err() {
            tracing::warn!("connections are still open after --drain-timeout: leaving them");
            let _ = timeout(LAST_WORDS, open.none_left()).await;
        }
        self.operating.abort();
        tracing::info!("drained");
    }
}

fn print_line(line: &str) -> io::Result<()> {
    let mut output = io::stdout().lock();
    writeln!(output, "{line}")?;
    output.flush()
}

enum Signal {
    Reload,
    Terminate,
}

#[cfg(unix)]
struct Signals {
    hangup: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.hangup.recv() => Signal::Reload,
            _ = self.interrupt.recv() => Signal::Terminate,
            _ = self.terminate.recv() => Signal::Terminate,
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> Signal {
        // Without Ctrl-C one can still `POST /drain`.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        Signal::Terminate
    }
}
