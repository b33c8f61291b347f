//! Accepts links of other nodes.

use super::handshake::Secret;
use super::{Connection, LinkError, LinkTls, connection};
use crate::node::NodeId;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Handshakes under way at once. Whoever connects beyond them is closed at once.
pub const MAX_HANDSHAKES: usize = 64;
/// Where the system cannot accept (no file descriptors), the next attempt is after this time.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// A bound `--node-listen`.
pub(crate) struct LinkListener {
    listener: TcpListener,
    address: SocketAddr,
}

impl LinkListener {
    /// Binds. Port 0 is any free one.
    pub async fn bind(address: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// Where it is bound.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts for ever. Gives out each connection that has proven itself, and why others failed.
    pub async fn run<F: Future<Output = ()> + Send + 'static>(
        self,
        me: NodeId,
        tls: LinkTls,
        secret: impl Fn() -> Secret + Send + Sync,
        handler: impl Fn(Result<Connection, LinkError>) -> F + Send + Sync + 'static,
    ) {
        let places = Arc::new(Semaphore::new(MAX_HANDSHAKES));
        let handler = Arc::new(handler);
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                Some(_) = connections.join_next() => continue,
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!("--node-listen can't accept: {error}");
                    tokio::time::sleep(ACCEPT_AGAIN).await;
                    continue;
                }
            };
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                continue;
            };
            let (me, tls, secret, handler) =
                (me.clone(), tls.clone(), secret(), Arc::clone(&handler));
            connections.spawn(async move {
                let accepted = connection::accept(stream, &me, &tls, &secret).await;
                drop(place);
                handler(accepted).await;
            });
        }
    }
}
