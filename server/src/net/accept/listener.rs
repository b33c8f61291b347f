//! Accepts TCP connections on the game port and serves HTTP on them, over TLS if that is configured.
//!
//! In: the listening socket. Out: HTTP requests to the [`GamePort`]. Every connection gets its deadline when it is accepted, and
//! the deadline travels with it up to `Hello`; silent connections end there. A connection over a limit still gets an HTTP answer
//! that says so (503, 429), but no permit; if too many of those are open at a time, further ones are dropped.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hyper::header::{CONNECTION, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::{sleep_until, timeout_at};
use tokio_rustls::TlsAcceptor;

use super::stall_guard::StallGuard;
use crate::clock;
use crate::log_limit;
use crate::metrics::ConnectionOutcome;
use crate::net::connection_limits::{ConnectionPermit, LimitReached};
use crate::net::http::{Caller, GamePort, refusal};
use crate::net::peer::connection::NOTSENT_LOWAT_BYTES;
use crate::net::room_service::RoomService;
use socket2::SockRef;

/// Connections that may wait to be accepted, for when thousands come at once.
const BACKLOG: u32 = 4096;
/// How long plain HTTP (the page and its files) may keep a connection.
const MAX_HTTP_LIFETIME: Duration = Duration::from_secs(120);
/// Longest head of a request.
const MAX_HEAD_BYTES: usize = 16 * 1024;

/// Listens on an address; port 0 asks for a free one.
///
/// # Errors
/// If the address cannot be used.
pub(crate) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Accepts connections to the game port until the server drains; then the listening socket is closed.
pub(crate) async fn serve<R: RoomService>(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    port: Arc<GamePort<R>>,
) {
    let draining = port.draining.clone();
    let mut accept_errors = AcceptErrors::default();
    let mut requested = std::pin::pin!(draining.requested());
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut requested => return,
        };
        match accepted {
            Ok((socket, peer)) => {
                let (port, tls) = (Arc::clone(&port), tls.clone());
                tokio::spawn(async move { serve_tcp(socket, peer, tls, port).await });
            }
            Err(error) => accept_errors.log_and_pause("a connection", &error).await,
        }
    }
}

/// Handles errors of `accept`: the process is out of file descriptors, or a connection broke before it was accepted. Neither
/// ends the port.
#[derive(Debug, Default)]
pub(crate) struct AcceptErrors {
    /// Limits the log to one line a second.
    last_logged: Option<Instant>,
}

impl AcceptErrors {
    /// Logs what could not be accepted, and waits a little if that may help.
    pub async fn log_and_pause(&mut self, what: &str, error: &io::Error) {
        use io::ErrorKind::{ConnectionAborted, ConnectionReset};
        if matches!(error.kind(), ConnectionAborted | ConnectionReset) {
            return;
        }
        let now = Instant::now();
        if self
            .last_logged
            .is_none_or(|last| now - last >= Duration::from_secs(1))
        {
            self.last_logged = Some(now);
            tracing::warn!("{what} can't be accepted: {error}");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Keeps the kernel from taking more of an answer than the peer reads, so that an answer that is not read shows.
fn bound_unsent_bytes(socket: &TcpStream) {
    #[cfg(any(target_os = "linux", target_os = "android", target_os = "macos"))]
    let _ = SockRef::from(socket).set_tcp_notsent_lowat(NOTSENT_LOWAT_BYTES);
    #[cfg(not(any(target_os = "linux", target_os = "android", target_os = "macos")))]
    let _ = socket;
}

async fn serve_tcp<R: RoomService>(
    mut socket: TcpStream,
    peer: SocketAddr,
    tls: Option<TlsAcceptor>,
    port: Arc<GamePort<R>>,
) {
    let deadline = Instant::now() + port.config.handshake_timeout;
    let proxies = &port.config.trusted_proxies;
    let header = proxies.read_header(&mut socket, peer);
    let (proxy, peer) = match timeout_at(deadline.into(), header).await {
        Ok(Ok(client)) => (peer, client),
        // A proxy that says nothing, or nonsense.
        Ok(Err(_)) | Err(_) => return,
    };
    // A proxy without the PROXY protocol names its clients in each request.
    let is_behind_proxy = proxies.trusts(proxy.ip());
    let is_proxy = proxy == peer && proxies.trusts(peer.ip());
    let now = clock::now();
    let permit = port.limits.acquire(peer.ip(), is_proxy, now);
    let refusal_permit = match &permit {
        Ok(_) => None,
        Err(limit) => {
            let outcome = match limit {
                LimitReached::Total => ConnectionOutcome::Full,
                LimitReached::PerAddress | LimitReached::Flooded => ConnectionOutcome::PerIp,
            };
            port.metrics.connections_total.get(outcome).inc();
            let kind = outcome.as_str();
            if log_limit::admits(kind, now) {
                tracing::info!(%peer, reason = limit.as_str(), kind, "refused");
            }
            if !port.limits.may_answer(peer.ip(), now) {
                return;
            }
            match port.refusals.try_acquire() {
                Ok(refusal_permit) => Some(refusal_permit),
                Err(_) => return,
            }
        }
    };
    // The calls fail only if the peer has gone, and the first read finds that out.
    let _ = socket.set_nodelay(true);
    bound_unsent_bytes(&socket);
    let permit = permit.map(Arc::new);
    let failure = match tls {
        None => serve_http(socket, peer, deadline, &port, permit, is_behind_proxy).await,
        Some(tls) => {
            let counted = port.config.fair_share.counted(peer.ip());
            let Some(handshake) = port.handshakes.begin(counted, port.rooms.are_ticks_late())
            else {
                return port
                    .metrics
                    .connections_total
                    .get(ConnectionOutcome::Full)
                    .inc();
            };
            let accepted = timeout_at(deadline.into(), tls.accept(socket)).await;
            drop(handshake);
            match accepted {
                Ok(Ok(stream)) => {
                    serve_http(stream, peer, deadline, &port, permit, is_behind_proxy).await
                }
                Ok(Err(error)) => {
                    tracing::debug!(%peer, "TLS handshake failed: {error}");
                    Some(ConnectionOutcome::Garbled)
                }
                Err(_) => Some(ConnectionOutcome::Timeout),
            }
        }
    };
    if let Some(outcome) = failure {
        port.metrics.connections_total.get(outcome).inc();
    }
    drop(refusal_permit);
}

/// Serves HTTP on any stream, as on a TCP connection without TLS. For the fuzz targets: only on sockets can an accepted handshake
/// become a WebSocket.
pub async fn serve_stream<R: RoomService>(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: SocketAddr,
    port: &Arc<GamePort<R>>,
) {
    let deadline = Instant::now() + port.config.handshake_timeout;
    let is_proxy = port.config.trusted_proxies.trusts(peer.ip());
    let permit = port.limits.acquire(peer.ip(), is_proxy, clock::now());
    serve_http(stream, peer, deadline, port, permit.map(Arc::new), is_proxy).await;
}

/// Serves HTTP until the connection ends, is upgraded, or is out of time. Returns what went wrong if no request ever came.
async fn serve_http<R: RoomService, S>(
    stream: S,
    peer: SocketAddr,
    deadline: Instant,
    port: &Arc<GamePort<R>>,
    permit: Result<Arc<ConnectionPermit>, LimitReached>,
    is_behind_proxy: bool,
) -> Option<ConnectionOutcome>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let has_request = AtomicBool::new(false);
    let service = service_fn(|request| {
        let is_first = !has_request.swap(true, Ordering::Relaxed);
        let permit = permit.clone();
        async move {
            let answer = match permit {
                Ok(permit) => {
                    // A browser may reuse a connection that fetched the page.
                    let hello_deadline = if is_first {
                        deadline
                    } else {
                        Instant::now() + port.config.handshake_timeout
                    };
                    let caller = Caller {
                        peer,
                        hello_deadline,
                        permit,
                        is_behind_proxy,
                    };
                    port.answer(request, caller).await
                }
                Err(limit) => {
                    let mut answer = refusal(limit);
                    let close = HeaderValue::from_static("close");
                    answer.headers_mut().insert(CONNECTION, close);
                    answer
                }
            };
            Ok::<_, Infallible>(answer)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(port.config.handshake_timeout)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(StallGuard::new(stream)), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let first_deadline = timeout_at(deadline.into(), connection.as_mut());
    let result = match first_deadline.await {
        Ok(result) => Some(result),
        Err(_) if !has_request.load(Ordering::Relaxed) => return Some(ConnectionOutcome::Timeout),
        Err(_) => tokio::select! {
            result = connection => Some(result),
            () = sleep_until((deadline + MAX_HTTP_LIFETIME).into()) => None,
        },
    };
    match result {
        Some(Err(error)) if !has_request.load(Ordering::Relaxed) => {
            tracing::debug!(%peer, "no HTTP request came: {error}");
            Some(if error.is_timeout() {
                ConnectionOutcome::Timeout
            } else {
                ConnectionOutcome::Garbled
            })
        }
        _ => None,
    }
}
