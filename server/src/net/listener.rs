//! From the listening socket to HTTP: accepts, counts, ends the silent, and unwraps TLS.
//!
//! Every TCP connection gets its deadline here, when it is accepted, and the deadline travels with
//! it up to the Hello. Connections over a limit still get an HTTP answer that says so (503, 429),
//! by the same code, but no slot; beyond a bound of those they are just dropped.

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

use super::game_port::{Caller, GamePort, too_many, unavailable};
use super::handler::Rooms;
use super::slots::{Refusal, Slot};
use crate::metrics::ConnectionOutcome;

/// Connections that wait to be accepted, for when thousands come at once.
const BACKLOG: u32 = 4096;
/// How long plain HTTP (the page and its files) may keep a connection.
const MAX_HTTP_LIFE: Duration = Duration::from_secs(120);
/// What a request's head may have.
const MAX_HEAD_BYTES: usize = 16 * 1024;

/// Listens on an address; port 0 asks for a free one.
///
/// # Errors
/// If the address can't be had.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Accepts connections to the game port until it drains; then the listening socket is closed.
pub async fn serve<R: Rooms>(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    port: Arc<GamePort<R>>,
) {
    let draining = port.draining.clone();
    let mut trouble = AcceptTrouble::default();
    let mut asked = std::pin::pin!(draining.asked());
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut asked => return,
        };
        match accepted {
            Ok((socket, peer)) => {
                let (port, tls) = (Arc::clone(&port), tls.clone());
                tokio::spawn(async move { serve_tcp(socket, peer, tls, port).await });
            }
            Err(error) => trouble.wait("a connection", &error).await,
        }
    }
}

/// What keeps a port from accepting: out of file descriptors, or a connection that broke before we took it. Neither is the end.
#[derive(Debug, Default)]
pub(crate) struct AcceptTrouble {
    /// When the log heard of it; once a second is enough.
    said: Option<Instant>,
}

impl AcceptTrouble {
    /// Says what could not be accepted, and waits a little where that may help.
    pub async fn wait(&mut self, what: &str, error: &io::Error) {
        use io::ErrorKind::{ConnectionAborted, ConnectionReset};
        if matches!(error.kind(), ConnectionAborted | ConnectionReset) {
            return;
        }
        let now = Instant::now();
        if self
            .said
            .is_none_or(|said| now - said >= Duration::from_secs(1))
        {
            self.said = Some(now);
            tracing::warn!("{what} can't be accepted: {error}");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn serve_tcp<R: Rooms>(
    socket: TcpStream,
    peer: SocketAddr,
    tls: Option<TlsAcceptor>,
    port: Arc<GamePort<R>>,
) {
    let deadline = Instant::now() + port.config.handshake_timeout;
    let slot = port.slots.take(peer.ip());
    let permit = match &slot {
        Ok(_) => None,
        Err(refusal) => {
            let outcome = match refusal {
                Refusal::Full => ConnectionOutcome::Full,
                Refusal::PerIp => ConnectionOutcome::PerIp,
            };
            port.metrics.connections_total.get(outcome).inc();
            match port.refusals.try_acquire() {
                Ok(permit) => Some(permit),
                Err(_) => return,
            }
        }
    };
    // A peer that has gone already is found out by the first read.
    let _ = socket.set_nodelay(true);
    let slot = slot.map(Arc::new);
    let trouble = match tls {
        None => serve_http(socket, peer, deadline, &port, slot).await,
        Some(tls) => match timeout_at(deadline.into(), tls.accept(socket)).await {
            Ok(Ok(stream)) => serve_http(stream, peer, deadline, &port, slot).await,
            Ok(Err(error)) => {
                tracing::debug!(%peer, "TLS handshake failed: {error}");
                Some(ConnectionOutcome::Garbled)
            }
            Err(_) => Some(ConnectionOutcome::Timeout),
        },
    };
    if let Some(outcome) = trouble {
        port.metrics.connections_total.get(outcome).inc();
    }
    drop(permit);
}

/// Serves HTTP until the connection ends, is upgraded, or is out of time. Gives what went wrong if
/// it never asked for anything.
async fn serve_http<R: Rooms, S>(
    stream: S,
    peer: SocketAddr,
    deadline: Instant,
    port: &Arc<GamePort<R>>,
    slot: Result<Arc<Slot>, Refusal>,
) -> Option<ConnectionOutcome>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let has_asked = AtomicBool::new(false);
    let service = service_fn(|request| {
        let first = !has_asked.swap(true, Ordering::Relaxed);
        let slot = slot.clone();
        async move {
            let answer = match slot {
                Ok(slot) => {
                    // A browser may reuse a connection that fetched the page.
                    let deadline = match first {
                        true => deadline,
                        false => Instant::now() + port.config.handshake_timeout,
                    };
                    let caller = Caller {
                        peer,
                        deadline,
                        slot,
                    };
                    port.answer(request, caller).await
                }
                Err(refusal) => {
                    let mut answer = match refusal {
                        Refusal::Full => unavailable(),
                        Refusal::PerIp => too_many(),
                    };
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
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let first_deadline = timeout_at(deadline.into(), connection.as_mut());
    let result = match first_deadline.await {
        Ok(result) => Some(result),
        Err(_) if !has_asked.load(Ordering::Relaxed) => return Some(ConnectionOutcome::Timeout),
        Err(_) => tokio::select! {
            result = connection => Some(result),
            () = sleep_until((deadline + MAX_HTTP_LIFE).into()) => None,
        },
    };
    match result {
        Some(Err(error)) if !has_asked.load(Ordering::Relaxed) => {
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
