//! One authenticated connection to another node.

use super::handshake::{self, Role, Secret};
use super::wire::{self, LinkStatus, Message};
use super::{HANDSHAKE_TIMEOUT, LinkError, LinkTls, SILENT_AFTER, STATUS_EVERY};
use crate::node::NodeId;
use bytes::BytesMut;
use std::net::SocketAddr;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_rustls::TlsStream;

/// Envelopes that wait for the connection to take them.
const QUEUE_LEN: usize = 16;
/// Room for what one read brings.
const READ_BYTES: usize = 64 * 1024;

/// What a link brings.
pub(crate) enum LinkEvent<'a> {
    Status(LinkStatus),
    Envelope(&'a [u8]),
}

/// Tells the links of one process apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct LinkId(pub u64);

/// Where envelopes for the other node go.
#[derive(Clone, Debug)]
pub(crate) struct LinkQueue {
    id: LinkId,
    messages: mpsc::Sender<Vec<u8>>,
}

impl LinkQueue {
    /// Begins a message, to which the caller appends its envelope.
    pub fn begin(out: &mut Vec<u8>) {
        wire::begin_envelope(out);
    }

    /// Sends the message that [`LinkQueue::begin`] began. False if the link has ended, or if no link takes so long a message.
    pub async fn send(&self, mut message: Vec<u8>) -> bool {
        wire::end_envelope(&mut message) && self.messages.send(message).await.is_ok()
    }

    /// The queue of no link.
    #[cfg(test)]
    pub fn unconnected() -> Self {
        let (messages, _) = mpsc::channel(1);
        Self {
            id: LinkId(0),
            messages,
        }
    }

    /// Sends bytes that need not be a message.
    #[cfg(test)]
    pub async fn send_raw(&self, bytes: Vec<u8>) {
        let _ = self.messages.send(bytes).await;
    }

    /// The link.
    pub fn id(&self) -> LinkId {
        self.id
    }
}

/// A connection whose other end has proven that it is this node.
pub(crate) struct Connection {
    node: NodeId,
    stream: TlsStream<TcpStream>,
}

/// Connects to the node at this address.
pub(crate) async fn connect(
    address: SocketAddr,
    node: &NodeId,
    me: &NodeId,
    tls: &LinkTls,
    secret: &Secret,
) -> Result<Connection, LinkError> {
    let connected = async {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let stream = tls.connector.connect(tls.name.clone(), stream).await?;
        let connection = Connection::proven(stream.into(), Role::Dialer, me, secret).await?;
        if connection.node == *node {
            Ok(connection)
        } else {
            Err(LinkError::AnotherNode)
        }
    };
    timeout(HANDSHAKE_TIMEOUT, connected)
        .await
        .unwrap_or(Err(LinkError::HandshakeTimeout))
}

/// Takes what somebody connected.
pub(super) async fn accept(
    stream: TcpStream,
    me: &NodeId,
    tls: &LinkTls,
    secret: &Secret,
) -> Result<Connection, LinkError> {
    let accepted = async {
        stream.set_nodelay(true)?;
        let stream = tls.acceptor.accept(stream).await?;
        Connection::proven(stream.into(), Role::Listener, me, secret).await
    };
    timeout(HANDSHAKE_TIMEOUT, accepted)
        .await
        .unwrap_or(Err(LinkError::HandshakeTimeout))
}

impl Connection {
    async fn proven(
        mut stream: TlsStream<TcpStream>,
        role: Role,
        me: &NodeId,
        secret: &Secret,
    ) -> Result<Self, LinkError> {
        let channel = handshake::channel(&stream)?;
        let node = handshake::prove(&mut stream, role, me, secret, &channel).await?;
        Ok(Self { node, stream })
    }

    /// The node at the other end.
    pub fn node(&self) -> &NodeId {
        &self.node
    }

    /// Splits the connection into the queue of its envelopes and the link that carries them.
    pub fn open(self, id: LinkId) -> (LinkQueue, OpenLink) {
        let (messages, queued) = mpsc::channel(QUEUE_LEN);
        let link = OpenLink {
            stream: self.stream,
            queued,
        };
        (LinkQueue { id, messages }, link)
    }
}

/// A link that carries envelopes once it runs.
pub(crate) struct OpenLink {
    stream: TlsStream<TcpStream>,
    queued: mpsc::Receiver<Vec<u8>>,
}

impl OpenLink {
    /// Runs the link until it fails, or until every [`LinkQueue`] of it is gone. Says how this node is whenever that changes.
    pub async fn run(
        self,
        status: watch::Receiver<LinkStatus>,
        mut handler: impl FnMut(LinkEvent<'_>),
    ) -> LinkError {
        // Both halves in one task: neither waits for the other's lock.
        let (reader, writer) = tokio::io::split(self.stream);
        let ended = tokio::select! {
            ended = read(reader, &mut handler) => ended,
            ended = write(writer, self.queued, status) => ended,
        };
        ended.err().unwrap_or(LinkError::Closed)
    }
}

async fn read(
    mut reader: impl AsyncRead + Unpin,
    handler: &mut impl FnMut(LinkEvent<'_>),
) -> Result<(), LinkError> {
    let mut received = BytesMut::with_capacity(READ_BYTES);
    loop {
        received.reserve(READ_BYTES);
        let read = timeout(SILENT_AFTER, reader.read_buf(&mut received)).await;
        if read.map_err(|_| LinkError::Silent)?? == 0 {
            return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
        }
        while let Some(message) = wire::take_message(&mut received)
            .map_err(|error| LinkError::NotAMessage(error.to_string()))?
        {
            match message {
                Message::Status(status) => handler(LinkEvent::Status(status)),
                Message::Envelope(envelope) => handler(LinkEvent::Envelope(&envelope)),
            }
        }
    }
}

async fn write(
    mut writer: impl AsyncWrite + Unpin,
    mut queued: mpsc::Receiver<Vec<u8>>,
    mut status: watch::Receiver<LinkStatus>,
) -> Result<(), LinkError> {
    let mut ticks = tokio::time::interval(STATUS_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut messages = Vec::with_capacity(QUEUE_LEN);
    let mut bytes = Vec::new();
    loop {
        let says_status = tokio::select! {
            biased;
            changed = status.changed() => {
                changed.map_err(|_| LinkError::Closed)?;
                true
            }
            _ = ticks.tick() => true,
            count = queued.recv_many(&mut messages, QUEUE_LEN) => {
                if count == 0 {
                    return Err(LinkError::Closed);
                }
                false
            }
        };
        if says_status {
            bytes.clear();
            wire::write_status(&mut bytes, *status.borrow_and_update());
            writer.write_all(&bytes).await?;
        }
        for message in messages.drain(..) {
            writer.write_all(&message).await?;
        }
        writer.flush().await?;
    }
}
