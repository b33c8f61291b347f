//! The life of a server process: listen, print the ready line, serve, drain, end.
//!
//! [`start`] opens both ports over given rooms. [`Server::run`] prints the ready line and serves until a signal or
//! `POST /drain`. [`Server::drain`] ends in good order: it accepts no new connections, sends `Goodbye` and close 1001 to every
//! player, and takes at most `--drain-timeout`.

use std::io::{self, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::agones::Agones;
use crate::clock;
use crate::cluster::JoinClusterError;
use crate::config::Config;
use crate::freed_memory;
use crate::log_limit;
use crate::metrics::Metrics;
use crate::net::accept;
use crate::net::http::{GamePort, Site, going_away};
use crate::net::room_service::RoomService;
use crate::ops::{self, Operations, RoomOperations};
use crate::shutdown::Shutdown;
use crate::systemd;
use crate::tls::{Tls, TlsError};

/// How long close frames may take to leave, however short `--drain-timeout` is.
const CLOSE_GRACE: Duration = Duration::from_millis(500);
/// The part of `--drain-timeout` that is kept for the end of the process, which must not outlast it.
const EXIT_RESERVE: Duration = Duration::from_millis(500);
/// The part of that reserve which stays after Agones was told of the end.
const AGONES_RESERVE: Duration = Duration::from_millis(250);

/// Why the server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A port cannot be opened.
    #[error("--{flag} {address}: {error}")]
    Listen {
        /// `listen` or `ops-listen`.
        flag: &'static str,
        /// The address that was asked for.
        address: SocketAddr,
        /// The system's reason.
        error: io::Error,
    },
    /// The certificate cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The cluster cannot be joined.
    #[error(transparent)]
    Cluster(#[from] JoinClusterError),
    /// Signal handlers cannot be installed.
    #[error("signals can't be received: {0}")]
    Signals(io::Error),
    /// The threads that read sockets cannot start.
    #[error("the threads that read sockets can't start: {0}")]
    Threads(io::Error),
    /// The task that accepts connections has died of a bug.
    #[error(
        "connections are no longer accepted, because of a bug; start this server again, and report the panic above"
    )]
    AcceptEnded,
    /// Standard output is closed.
    #[error("the ready line can't be printed: {0}")]
    Output(io::Error),
}

/// A server that listens on both ports.
pub struct Server<R> {
    game_addr: SocketAddr,
    ops_addr: SocketAddr,
    tls: Option<Arc<Tls>>,
    port: Arc<GamePort<R>>,
    /// Called when the server is ready, and at its end.
    agones: Option<Arc<Agones>>,
    /// Tells Agones that the server is ready and healthy; from the ready line on.
    agones_task: Option<JoinHandle<()>>,
    /// Tells systemd that the server is healthy; from the ready line on.
    watchdog_task: Option<JoinHandle<()>>,
    /// The request to drain; the game port stops only after `--drain-delay`.
    drain_request: Shutdown,
    /// Accepts connections to the game port; ends when the server drains.
    accept_task: JoinHandle<()>,
    /// Serves the operations port until it is aborted, so that operators get answers to the last.
    ops_task: JoinHandle<()>,
    /// Says what was left out of the log.
    log_task: JoinHandle<()>,
    /// Gives the memory of rooms that have ended back to the system.
    memory_task: JoinHandle<()>,
}

/// Opens both ports over the rooms and the site. Must be called inside a tokio runtime.
///
/// # Errors
/// If a port cannot be opened, or the certificate cannot be used.
pub fn start<R: RoomService + RoomOperations>(
    config: Arc<Config>,
    rooms: Arc<R>,
    site: Site,
    metrics: Arc<Metrics>,
) -> Result<Server<R>, StartError> {
    let tls = config.tls.clone().map(Tls::load).transpose()?;
    let acceptor = tls.as_ref().map(Tls::acceptor).transpose()?;
    if let Some(tls) = &tls {
        tokio::spawn(Arc::clone(tls).follow_files());
    }
    let (game, game_addr) = listen("listen", config.listen)?;
    let (ops, ops_addr) = listen("ops-listen", config.ops_listen)?;
    let drain_request = Shutdown::new();
    let operations = Arc::new(Operations {
        rooms: Arc::clone(&rooms),
        metrics: Arc::clone(&metrics),
        draining: drain_request.clone(),
        moderation: Arc::clone(&config.moderation),
        hosts: config.ops_hosts.clone(),
        token: config.ops_token.clone(),
    });
    let agones = config.agones.clone();
    let agones = agones.map(|address| Arc::new(Agones::new(address, Arc::clone(&metrics))));
    let port = GamePort::new(config, rooms, site, metrics, Shutdown::new())
        .map_err(StartError::Threads)?;
    let log_task = tokio::spawn(async {
        let mut period = tokio::time::interval(log_limit::PERIOD);
        loop {
            period.tick().await;
            log_limit::report(clock::now());
        }
    });
    Ok(Server {
        agones,
        agones_task: None,
        watchdog_task: None,
        log_task,
        memory_task: tokio::spawn(freed_memory::give_back()),
        drain_request,
        game_addr,
        ops_addr,
        tls,
        accept_task: tokio::spawn(accept::serve(game, acceptor, Arc::clone(&port))),
        ops_task: tokio::spawn(ops::serve(ops, operations)),
        port,
    })
}

fn listen(
    flag: &'static str,
    address: SocketAddr,
) -> Result<(tokio::net::TcpListener, SocketAddr), StartError> {
    let bound = accept::bind(address)
        .and_then(|listener| listener.local_addr().map(|real| (listener, real)));
    bound.map_err(|error| StartError::Listen {
        flag,
        address,
        error,
    })
}

impl<R: RoomService + RoomOperations> Server<R> {
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

    /// The certificate in use, if the game port uses TLS.
    #[doc(hidden)]
    #[must_use]
    pub fn tls(&self) -> Option<&Arc<Tls>> {
        self.tls.as_ref()
    }

    /// The request to drain. Any holder may make it.
    #[must_use]
    pub fn draining(&self) -> Shutdown {
        self.drain_request.clone()
    }

    /// The one line on standard output that says where the server listens.
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

    /// The page's address, for a browser on this machine.
    fn page_url(&self) -> String {
        let http = if self.tls.is_some() { "https" } else { "http" };
        let mut address = self.game_addr;
        if address.ip().is_unspecified() {
            address.set_ip(match address {
                SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
            });
        }
        format!("{http}://{address}/")
    }

    /// Joins the cluster of `--redis`, if there is one. [`Self::run`] does so too.
    ///
    /// # Errors
    /// If Redis does not answer, or `--node-listen` cannot be used.
    pub async fn join_cluster(&self) -> Result<(), StartError> {
        Ok(self.port.rooms.join_cluster().await?)
    }

    /// Prints the ready line, serves until SIGTERM, SIGINT or `POST /drain`, and drains.
    ///
    /// # Errors
    /// If signals cannot be received, or the ready line cannot be printed.
    pub async fn run(mut self) -> Result<(), StartError> {
        let mut signals = Signals::new().map_err(StartError::Signals)?;
        self.join_cluster().await?;
        print_line(&self.ready_line()).map_err(StartError::Output)?;
        tracing::info!("open {}", self.page_url());
        let draining = self.draining();
        self.agones_task = self.agones.clone().map(|agones| {
            let (port, draining) = (Arc::clone(&self.port), draining.clone());
            let is_alive = move || port.rooms.health().is_alive();
            tokio::spawn(async move { agones.report(is_alive, draining).await })
        });
        systemd::ready();
        let port = Arc::clone(&self.port);
        let report = systemd::watchdog(move || port.rooms.health().is_alive());
        self.watchdog_task = report.map(tokio::spawn);
        loop {
            tokio::select! {
                () = draining.requested() => break,
                // It ends only when the server drains.
                _ = &mut self.accept_task => return Err(StartError::AcceptEnded),
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
        let keys = &self.port.config.ticket_keys;
        if self.tls.is_none() && keys.is_none() {
            tracing::info!("SIGHUP: there is nothing to reload");
        }
        match self.tls.as_ref().map(|tls| tls.reload()) {
            None => {}
            Some(Ok(())) => tracing::info!("SIGHUP: the certificate was reloaded"),
            Some(Err(error)) => tracing::error!("SIGHUP: the old certificate stays: {error}"),
        }
        match keys.as_ref().map(|keys| keys.reload()) {
            None => {}
            Some(Ok(())) => tracing::info!("SIGHUP: the secrets of tickets were reloaded"),
            Some(Err(error)) => {
                tracing::error!("SIGHUP: the old secrets stay: --ticket-secret-file {error}");
            }
        }
    }

    /// Goes on for `--drain-delay`, while balancers learn of the drain; then stops accepting, says `Goodbye` to every player, closes
    /// all connections with 1001, and waits for them. All that takes at most `--drain-timeout` after the delay.
    pub async fn drain(self) {
        let drain_timeout = self.port.config.drain_timeout;
        let drain_delay = self.port.config.drain_delay;
        tracing::info!("draining, for at most {drain_timeout:?} after {drain_delay:?}");
        self.drain_request.request();
        systemd::stopping();
        tokio::time::sleep(drain_delay).await;
        let began = Instant::now();
        self.port.draining.request();
        let open = &self.port.open;
        // However short the timeout is, players get the rooms' Goodbye before the close.
        let goodbye = timeout(
            drain_timeout.saturating_sub(EXIT_RESERVE).max(CLOSE_GRACE),
            async {
                let _ = self.accept_task.await;
                self.port.rooms.drain().await;
            },
        );
        if goodbye.await.is_err() {
            tracing::warn!(
                "--drain-timeout is over before all rooms have ended: last checkpoints may be missing"
            );
        }
        open.close_all(&going_away());
        // However short the timeout is, the close frames get a moment to leave.
        let time_left = (drain_timeout.saturating_sub(EXIT_RESERVE + began.elapsed()))
            .max(CLOSE_GRACE.saturating_sub(began.elapsed()));
        if timeout(time_left, open.all_closed()).await.is_err() {
            tracing::warn!("connections are still open after --drain-timeout: leaving them");
        }
        if let Some(task) = &self.agones_task {
            task.abort();
        }
        if let Some(agones) = &self.agones {
            let time_left = drain_timeout.saturating_sub(AGONES_RESERVE + began.elapsed());
            agones.shut_down(time_left.max(AGONES_RESERVE)).await;
        }
        if let Some(task) = &self.watchdog_task {
            task.abort();
        }
        self.ops_task.abort();
        self.log_task.abort();
        self.memory_task.abort();
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
        // Where Ctrl-C cannot be received, `POST /drain` still ends the server.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        Signal::Terminate
    }
}
