//! The WebSocket handshake (RFC 6455 section 4.2): checks a request, and gets the socket back from
//! hyper when the answer has been sent. The accept key is computed by fastwebsockets.

use bytes::Bytes;
use hyper::body::{Body as _, Incoming};
use hyper::header::{
    HeaderValue, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use hyper::{HeaderMap, Request, StatusCode, Version};
use hyper_util::rt::TokioIo;
use rustls::ServerConnection;
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::http::{Answer, text};

/// The subprotocol that `/ws` speaks.
pub const SUBPROTOCOL: &str = "tickwire.v1";

/// A socket after the handshake.
pub struct Upgraded {
    /// The TCP connection.
    pub socket: TcpStream,
    /// The TLS session, if there is one.
    pub tls: Option<ServerConnection>,
    /// What the peer has sent behind its request already (plaintext).
    pub early: Bytes,
}

/// Why there is no socket after a handshake that was answered.
#[derive(Debug, thiserror::Error)]
pub enum UpgradeError {
    /// The peer went away before it had the answer.
    #[error("the connection broke during the handshake: {0}")]
    Broken(#[from] fastwebsockets::WebSocketError),
    /// A bug: the stream is of a sort that was not served.
    #[error("the upgraded stream is neither TCP nor TLS over TCP")]
    UnknownStream,
}

/// Checks the handshake, and makes its answer (101) and the future of its socket.
/// `subprotocol` is spoken if the client offers it, and required if it offers any.
///
/// # Errors
/// The answer that refuses: 426 for what is no WebSocket of version 13, 400 for what is malformed.
pub fn accept(
    request: &mut Request<Incoming>,
    subprotocol: Option<&'static str>,
) -> Result<(Answer, fastwebsockets::upgrade::UpgradeFut), Box<Answer>> {
    if request.version() != Version::HTTP_11
        || !fastwebsockets::upgrade::is_upgrade_request(request)
    {
        return Err(Box::new(upgrade_required("this speaks WebSocket only")));
    }
    let headers = request.headers();
    let mut versions = headers.get_all(SEC_WEBSOCKET_VERSION).iter();
    if versions.next().is_none_or(|version| version != "13") || versions.next().is_some() {
        return Err(Box::new(upgrade_required(
            "the WebSocket version must be 13",
        )));
    }
    let bad = |sentence: &str| Box::new(text(StatusCode::BAD_REQUEST, sentence));
    if !request.body().is_end_stream() {
        // What comes behind the request would be taken for frames.
        return Err(bad("a WebSocket handshake has no body"));
    }
    let mut keys = headers.get_all(SEC_WEBSOCKET_KEY).iter();
    let is_good = |key: &HeaderValue| is_key(key.as_bytes());
    if !keys.next().is_some_and(is_good) || keys.next().is_some() {
        return Err(bad("Sec-WebSocket-Key must be 16 bytes in base64"));
    }
    let chosen = match subprotocol {
        Some(ours) => {
            choose(headers, ours).map_err(|()| bad("offer the subprotocol tickwire.v1, or none"))?
        }
        None => None,
    };
    let (response, future) = fastwebsockets::upgrade::upgrade(&mut *request)
        .map_err(|error| bad(&format!("the WebSocket handshake is malformed: {error}")))?;
    let mut answer = response.map(|_| http_body_util::Full::default());
    if let Some(chosen) = chosen {
        let value = HeaderValue::from_static(chosen);
        answer.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, value);
    }
    Ok((answer, future))
}

/// The socket, once the answer was sent.
///
/// # Errors
/// If the peer went away.
pub async fn finish(future: fastwebsockets::upgrade::UpgradeFut) -> Result<Upgraded, UpgradeError> {
    let upgraded = future.await?.into_inner().into_inner();
    let upgraded = match upgraded.downcast::<TokioIo<TcpStream>>() {
        Ok(parts) => {
            return Ok(Upgraded {
                socket: parts.io.into_inner(),
                tls: None,
                early: parts.read_buf,
            });
        }
        Err(upgraded) => upgraded,
    };
    match upgraded.downcast::<TokioIo<TlsStream<TcpStream>>>() {
        Ok(parts) => {
            let (socket, tls) = parts.io.into_inner().into_inner();
            Ok(Upgraded {
                socket,
                tls: Some(tls),
                early: parts.read_buf,
            })
        }
        Err(_) => Err(UpgradeError::UnknownStream),
    }
}

fn upgrade_required(sentence: &str) -> Answer {
    let mut answer = text(StatusCode::UPGRADE_REQUIRED, sentence);
    let headers = answer.headers_mut();
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    answer
}

/// Ours, if it is offered; none, if none is; an error, if only others are.
fn choose(headers: &HeaderMap, ours: &'static str) -> Result<Option<&'static str>, ()> {
    let offers = headers.get_all(SEC_WEBSOCKET_PROTOCOL);
    let mut any = false;
    for offer in offers
        .iter()
        .flat_map(|line| line.as_bytes().split(|&b| b == b','))
    {
        any = true;
        if offer.trim_ascii() == ours.as_bytes() {
            return Ok(Some(ours));
        }
    }
    if any { Err(()) } else { Ok(None) }
}

/// 16 bytes in base64: 22 digits, of which the last carries 2 bits, and the padding.
fn is_key(key: &[u8]) -> bool {
    let is_digit = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/');
    key.len() == 24 && key.ends_with(b"==") && key[..22].iter().all(is_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subprotocol_is_chosen_only_from_what_is_offered() {
        let offered = |lines: &[&str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(SEC_WEBSOCKET_PROTOCOL, line.parse().unwrap());
            }
            choose(&headers, SUBPROTOCOL)
        };
        assert_eq!(offered(&[]), Ok(None));
        assert_eq!(offered(&["tickwire.v1"]), Ok(Some(SUBPROTOCOL)));
        assert_eq!(
            offered(&["tickwire.v2, tickwire.v1"]),
            Ok(Some(SUBPROTOCOL))
        );
        assert_eq!(offered(&["chat", "tickwire.v1"]), Ok(Some(SUBPROTOCOL)));
        assert_eq!(offered(&["tickwire.v2"]), Err(()));
    }

    #[test]
    fn a_key_has_sixteen_bytes() {
        assert!(is_key(b"dGhlIHNhbXBsZSBub25jZQ=="));
        assert!(!is_key(b"dGhlIHNhbXBsZSBub25jZQ"));
        assert!(!is_key(b"dGhlIHNhbXBsZSBub25j!Q=="));
        assert!(!is_key(b""));
    }
}
