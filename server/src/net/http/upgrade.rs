//! The server's side of the WebSocket handshake (RFC 6455, section 4.2).
//!
//! In: an HTTP request. Out: the answer, and, once hyper has sent a 101, the socket. A request that is not a well-formed
//! handshake is answered with an HTTP status that says why. fastwebsockets computes the accept key and writes the answer.

use bytes::Bytes;
use fastwebsockets::upgrade::UpgradeFut;
use hyper::body::{Body as _, Incoming};
use hyper::header::{
    HeaderValue, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use hyper::{HeaderMap, Request, StatusCode, Version};
use hyper_util::rt::TokioIo;
use rustls::ServerConnection;
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::http_answers::{Answer, text};
use crate::net::accept::StallGuard;

/// The subprotocol of `/ws`.
pub(super) const SUBPROTOCOL: &str = tickwire_proto::SUBPROTOCOL;

/// A socket after the handshake.
pub(super) struct Upgraded {
    /// The TCP connection.
    pub socket: TcpStream,
    /// The TLS session, if there is one.
    pub tls: Option<ServerConnection>,
    /// Bytes that the peer has sent behind its request, before it had the answer, in plaintext.
    pub early_bytes: Bytes,
}

/// Why there is no socket though the handshake was accepted.
#[derive(Debug, thiserror::Error)]
pub(super) enum UpgradeError {
    /// The peer went away before it had the answer.
    #[error("the connection broke during the handshake: {0}")]
    Broken(#[from] fastwebsockets::WebSocketError),
    /// A bug: no connection with this kind of stream is served.
    #[error("the upgraded stream is neither TCP nor TLS over TCP")]
    UnknownStream,
}

/// Checks the handshake. Returns its answer (101) and the future of its socket. `subprotocol` is chosen if the client offers
/// it, and required if the client offers any.
///
/// # Errors
/// The answer that refuses: 426 for a request that is no WebSocket handshake of version 13, 400 for a malformed one.
pub(super) fn accept(
    request: &mut Request<Incoming>,
    subprotocol: Option<&'static str>,
) -> Result<(Answer, UpgradeFut), Box<Answer>> {
    if request.version() != Version::HTTP_11
        || !fastwebsockets::upgrade::is_upgrade_request(request)
    {
        return Err(Box::new(upgrade_required(
            "this endpoint serves WebSocket only",
        )));
    }
    let headers = request.headers();
    let mut versions = headers.get_all(SEC_WEBSOCKET_VERSION).iter();
    if versions.next().is_none_or(|version| version != "13") || versions.next().is_some() {
        return Err(Box::new(upgrade_required(
            "the WebSocket version must be 13",
        )));
    }
    let bad_request = |sentence: &str| Box::new(text(StatusCode::BAD_REQUEST, sentence));
    if !request.body().is_end_stream() {
        // Bytes of a body would be taken for frames.
        return Err(bad_request("a WebSocket handshake has no body"));
    }
    let mut keys = headers.get_all(SEC_WEBSOCKET_KEY).iter();
    match (keys.next(), keys.next()) {
        (Some(key), None) if is_key(key.as_bytes()) => {}
        _ => return Err(bad_request("Sec-WebSocket-Key must be 16 bytes in base64")),
    }
    let chosen = match subprotocol {
        Some(ours) => choose_subprotocol(headers, ours)
            .map_err(|()| bad_request("offer the subprotocol tickwire.v1, or none"))?,
        None => None,
    };
    let (response, upgraded) = fastwebsockets::upgrade::upgrade(&mut *request)
        .map_err(|error| bad_request(&format!("the WebSocket handshake is malformed: {error}")))?;
    let mut answer = response.map(|_| http_body_util::Full::default());
    if let Some(chosen) = chosen {
        let value = HeaderValue::from_static(chosen);
        answer.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, value);
    }
    Ok((answer, upgraded))
}

/// The socket, once hyper has sent the answer.
///
/// # Errors
/// If the peer went away.
pub(super) async fn finish(upgraded: UpgradeFut) -> Result<Upgraded, UpgradeError> {
    let upgraded = upgraded.await?.into_inner().into_inner();
    let upgraded = match upgraded.downcast::<TokioIo<StallGuard<TcpStream>>>() {
        Ok(parts) => {
            return Ok(Upgraded {
                socket: parts.io.into_inner().into_inner(),
                tls: None,
                early_bytes: parts.read_buf,
            });
        }
        Err(upgraded) => upgraded,
    };
    match upgraded.downcast::<TokioIo<StallGuard<TlsStream<TcpStream>>>>() {
        Ok(parts) => {
            let (socket, tls) = parts.io.into_inner().into_inner().into_inner();
            Ok(Upgraded {
                socket,
                tls: Some(tls),
                early_bytes: parts.read_buf,
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

/// `ours` if the client offers it; `None` if it offers no subprotocol; an error if it offers only others.
fn choose_subprotocol(headers: &HeaderMap, ours: &'static str) -> Result<Option<&'static str>, ()> {
    let lines = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter();
    let mut offers = lines
        .flat_map(|line| line.as_bytes().split(|&b| b == b','))
        .peekable();
    if offers.peek().is_none() {
        return Ok(None);
    }
    if offers.any(|offer| offer.trim_ascii() == ours.as_bytes()) {
        Ok(Some(ours))
    } else {
        Err(())
    }
}

/// Whether a key is 16 bytes in base64: 22 digits, of which the last carries 2 bits, and the padding.
fn is_key(key: &[u8]) -> bool {
    let is_digit = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/');
    key.len() == 24 && key.ends_with(b"==") && key[..22].iter().all(is_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subprotocol_is_chosen_only_from_the_offers() {
        let chosen = |lines: &[&str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(SEC_WEBSOCKET_PROTOCOL, line.parse().unwrap());
            }
            choose_subprotocol(&headers, SUBPROTOCOL)
        };
        assert_eq!(chosen(&[]), Ok(None));
        assert_eq!(chosen(&["tickwire.v1"]), Ok(Some(SUBPROTOCOL)));
        assert_eq!(chosen(&["tickwire.v2, tickwire.v1"]), Ok(Some(SUBPROTOCOL)));
        assert_eq!(chosen(&["chat", "tickwire.v1"]), Ok(Some(SUBPROTOCOL)));
        assert_eq!(chosen(&["tickwire.v2"]), Err(()));
    }

    #[test]
    fn a_key_has_sixteen_bytes() {
        assert!(is_key(b"dGhlIHNhbXBsZSBub25jZQ=="));
        assert!(!is_key(b"dGhlIHNhbXBsZSBub25jZQ"));
        assert!(!is_key(b"dGhlIHNhbXBsZSBub25j!Q=="));
        assert!(!is_key(b""));
    }
}
