//! A client that sends single messages, valid or not.

use futures_util::{SinkExt as _, StreamExt as _};
use prost::Message as _;
use std::net::{IpAddr, SocketAddr};
use tickwire_proto::v1::{self, client_message, server_message};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// A WebSocket connection without a client behind it.
pub struct RawClient<S = MaybeTlsStream<TcpStream>> {
    socket: WebSocketStream<S>,
}

/// How a connection ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConnectionEnd {
    /// The close code; `None` without a closing handshake.
    pub code: Option<u16>,
    /// The reason; empty without a closing handshake.
    pub reason: String,
}

impl RawClient {
    /// Opens a WebSocket at a path such as `/ws?room=a`.
    ///
    /// # Panics
    /// If the server refuses.
    pub async fn connect(addr: SocketAddr, path: &str) -> Self {
        let mut request = format!("ws://{addr}{path}").into_client_request().unwrap();
        request.headers_mut().insert(
            "sec-websocket-protocol",
            tickwire_proto::SUBPROTOCOL.parse().unwrap(),
        );
        let (socket, _) = crate::within("the upgrade", tokio_tungstenite::connect_async(request))
            .await
            .unwrap();
        Self { socket }
    }

    /// Opens a WebSocket from one of this machine's addresses, as another host would; `None` if the server refuses.
    ///
    /// # Panics
    /// If the address is not this machine's.
    pub async fn connect_from(source: IpAddr, addr: SocketAddr, path: &str) -> Option<Self> {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::new(source, 0)).unwrap();
        let mut request = format!("ws://{addr}{path}").into_client_request().unwrap();
        request.headers_mut().insert(
            "sec-websocket-protocol",
            tickwire_proto::SUBPROTOCOL.parse().unwrap(),
        );
        let stream = crate::within("a connection", socket.connect(addr))
            .await
            .ok()?;
        let upgrade = tokio_tungstenite::client_async(request, MaybeTlsStream::Plain(stream));
        let (socket, _) = crate::within("the upgrade", upgrade).await.ok()?;
        Some(Self { socket })
    }

    /// Resets the connection, as a device does that was switched off and on.
    ///
    /// # Panics
    /// If the connection is TLS.
    pub fn reset(self) {
        match self.socket.get_ref() {
            MaybeTlsStream::Plain(stream) => stream.set_zero_linger().unwrap(),
            _ => panic!("resets are of plain connections"),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> RawClient<S> {
    /// Opens a WebSocket over any stream, for a URL and with further headers.
    ///
    /// # Errors
    /// The HTTP status if the server refuses; 0 if it does not answer.
    ///
    /// # Panics
    /// If the URL or a header cannot be used.
    pub async fn over(stream: S, url: &str, headers: &[(&'static str, &str)]) -> Result<Self, u16> {
        let mut request = url.into_client_request().unwrap();
        let subprotocol = ("sec-websocket-protocol", tickwire_proto::SUBPROTOCOL);
        for (name, value) in headers.iter().chain([&subprotocol]) {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let upgrade = tokio_tungstenite::client_async(request, stream);
        match crate::within("the upgrade", upgrade).await {
            Ok((socket, _)) => Ok(Self { socket }),
            Err(Error::Http(answer)) => Err(answer.status().as_u16()),
            Err(_) => Err(0),
        }
    }

    /// Sends a message.
    ///
    /// # Panics
    /// If the connection is gone.
    pub async fn send(&mut self, body: client_message::Body) {
        self.send_bytes(v1::ClientMessage { body: Some(body) }.encode_to_vec())
            .await;
    }

    /// Sends a message; `false` if the connection is gone.
    pub async fn try_send(&mut self, body: client_message::Body) -> bool {
        let bytes = v1::ClientMessage { body: Some(body) }.encode_to_vec();
        self.socket.send(Message::binary(bytes)).await.is_ok()
    }

    /// Sends any bytes as a binary message.
    ///
    /// # Panics
    /// If the connection is gone.
    pub async fn send_bytes(&mut self, bytes: Vec<u8>) {
        self.socket.send(Message::binary(bytes)).await.unwrap();
    }

    /// Sends `Hello` and waits for `Welcome`.
    ///
    /// # Panics
    /// If another message arrives.
    pub async fn join(&mut self, hello: v1::Hello) -> v1::Welcome {
        self.send(client_message::Body::Hello(v1::Hello {
            version: tickwire_proto::VERSION,
            ..hello
        }))
        .await;
        match self.next().await {
            Ok(server_message::Body::Welcome(welcome)) => welcome,
            other => panic!("expected Welcome, got {other:?}"),
        }
    }

    /// The next message, or how the connection ended.
    ///
    /// # Errors
    /// If the connection has ended.
    ///
    /// # Panics
    /// If a message cannot be decoded.
    pub async fn next(&mut self) -> Result<server_message::Body, ConnectionEnd> {
        loop {
            match crate::within("a message", self.socket.next()).await {
                Some(Ok(Message::Binary(bytes))) => {
                    return Ok(v1::ServerMessage::decode(&bytes[..]).unwrap().body.unwrap());
                }
                Some(Ok(Message::Close(Some(frame)))) => {
                    return Err(ConnectionEnd {
                        code: Some(frame.code.into()),
                        reason: frame.reason.to_string(),
                    });
                }
                Some(Ok(Message::Close(None)) | Err(_)) | None => {
                    return Err(ConnectionEnd {
                        code: None,
                        reason: String::new(),
                    });
                }
                Some(Ok(_)) => {}
            }
        }
    }

    /// Waits for a message for which `pick` returns a value.
    ///
    /// # Panics
    /// If the connection ends first.
    pub async fn wait_for<T>(
        &mut self,
        mut pick: impl FnMut(server_message::Body) -> Option<T>,
    ) -> T {
        loop {
            if let Some(found) = pick(self.next().await.unwrap()) {
                return found;
            }
        }
    }

    /// Waits for the end of the connection, and skips messages before it.
    pub async fn end(mut self) -> ConnectionEnd {
        loop {
            if let Err(ended) = self.next().await {
                return ended;
            }
        }
    }
}
