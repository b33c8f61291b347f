//! Requests that two HTTP parsers could read as different ones: each is refused, or read as RFC 9112 says, and never as two.
//!
//! Behind the bytes that are read differently stands a request for the state of a room. A server that took it for a request of its
//! own would let a stranger put words into another's mouth behind a shared proxy.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::*;

/// The request that must not be answered.
const INNER: &str = "GET /rooms/lobby/state HTTP/1.1\r\nHost: inner.example\r\n\r\n";
/// What its answer has.
const INNER_ANSWER: &str = r#""room":"lobby""#;

/// The connection ends without an answer, instead of a status.
const UNANSWERED: u16 = 0;

/// Sends bytes, and reads until the server ends the connection.
async fn exchange(server: &TestServer, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let _ = within(stream.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// A request to a path that is not there, so that 404 says that it was read as a whole, and 400 that it was refused.
fn post(headers: &str, body: &str) -> String {
    format!("POST /nothing HTTP/1.1\r\nHost: game.example\r\n{headers}\r\n{body}")
}

/// What stands in front of the inner request, with the status of the one answer.
fn cases() -> Vec<(&'static str, String, u16)> {
    let inner = INNER.len();
    let chunked = "Transfer-Encoding: chunked\r\n";
    let length = format!("Content-Length: {inner}\r\n");
    let wrong_length = format!("Content-Length: {}\r\n", inner + 5);
    let no_chunks = format!("0\r\n\r\n{INNER}");
    let one_chunk = format!("{inner:x}\r\n{INNER}\r\n0\r\n\r\n");
    let chunks = |size: &str| {
        let head = format!("POST /match HTTP/1.1\r\nHost: game.example\r\n{chunked}\r\n");
        format!("{head}{size}\r\n{INNER}\r\n0\r\n\r\n")
    };
    let upgrade = |headers: &str, body: &str| {
        let handshake = [UPGRADE, VERSION, KEY].concat();
        request("GET", "/ws", &(handshake + headers)) + body
    };
    let line = |line: &str| format!("{line}\r\nHost: game.example\r\n\r\n{INNER}");
    let long = format!("Content-Length: {}0\r\n", u64::MAX);
    vec![
        // RFC 9112, section 6.3: chunks win over a length, and the connection ends behind the answer.
        (
            "a length and chunks",
            post(&(wrong_length.clone() + chunked), &no_chunks),
            404,
        ),
        (
            "chunks and a length",
            post(&(chunked.to_owned() + &wrong_length), &no_chunks),
            404,
        ),
        (
            "chunks and a wrong length",
            post(&format!("{chunked}Content-Length: -1\r\n"), &no_chunks),
            404,
        ),
        (
            "two lengths",
            post(&("Content-Length: 0\r\n".to_owned() + &length), INNER),
            400,
        ),
        ("one length twice", post(&length.repeat(2), INNER), 404),
        (
            "a list of lengths",
            post(&format!("Content-Length: 0, {inner}\r\n"), INNER),
            400,
        ),
        (
            "one length twice in a list",
            post(&format!("Content-Length: {inner}, {inner}\r\n"), INNER),
            400,
        ),
        (
            "a length with a plus",
            post(&format!("Content-Length: +{inner}\r\n"), INNER),
            400,
        ),
        (
            "a negative length",
            post("Content-Length: -1\r\n", INNER),
            400,
        ),
        (
            "a hexadecimal length",
            post(&format!("Content-Length: {inner:#x}\r\n"), INNER),
            400,
        ),
        ("an empty length", post("Content-Length:\r\n", INNER), 400),
        ("a length beyond 64 bits", post(&long, INNER), 400),
        (
            "two words of length",
            post("Content-Length: 1 1\r\n", INNER),
            400,
        ),
        (
            "an unknown coding",
            post("Transfer-Encoding: xchunked\r\n", &no_chunks),
            400,
        ),
        (
            "no coding at all",
            post("Transfer-Encoding: identity\r\n", &no_chunks),
            400,
        ),
        (
            "chunks that are not the last coding",
            post("Transfer-Encoding: chunked, identity\r\n", &no_chunks),
            400,
        ),
        (
            "two codings",
            post(
                &format!("{chunked}Transfer-Encoding: identity\r\n"),
                &no_chunks,
            ),
            400,
        ),
        (
            "a space before the colon",
            post("Transfer-Encoding : chunked\r\n", &no_chunks),
            400,
        ),
        (
            "a folded value",
            post("Transfer-Encoding:\r\n chunked\r\n", &no_chunks),
            400,
        ),
        (
            "a header folded into another",
            post(&format!("X: y\r\n {chunked}"), &no_chunks),
            400,
        ),
        (
            "a vertical tab",
            post("Transfer-Encoding: \x0bchunked\r\n", &no_chunks),
            400,
        ),
        (
            "a bare carriage return",
            post(&format!("X: y\r{chunked}"), &no_chunks),
            400,
        ),
        (
            "a NUL in a value",
            post(&format!("X: y\0\r\n{length}"), INNER),
            400,
        ),
        (
            "a header without a colon",
            post(&format!("X\r\n{length}"), INNER),
            400,
        ),
        (
            "a space before the first header",
            line("GET /nothing HTTP/1.1\r\n X: y"),
            400,
        ),
        (
            "chunks in HTTP/1.0",
            format!("POST /nothing HTTP/1.0\r\nHost: game.example\r\n{chunked}\r\n{no_chunks}"),
            400,
        ),
        ("a chunk size with a sign", chunks("+1"), 400),
        ("a chunk size with a prefix", chunks("0x50"), 400),
        (
            "a chunk size beyond 64 bits",
            chunks("10000000000000000"),
            400,
        ),
        ("a chunk that is longer than its size", chunks("1"), 400),
        (
            "a body of GET",
            request("GET", "/nothing", &length) + INNER,
            404,
        ),
        ("a handshake with a body", upgrade(&length, INNER), 400),
        ("a handshake with chunks", upgrade(chunked, &one_chunk), 400),
        (
            "two spaces in the request line",
            line("GET  /nothing HTTP/1.1"),
            400,
        ),
        (
            "a request line of three words and more",
            line("GET /nothing HTTP/1.1 x"),
            400,
        ),
        ("an unknown version", line("GET /nothing HTTP/1.9"), 400),
        ("HTTP/0.9", format!("GET /nothing\r\n\r\n{INNER}"), 400),
        (
            "the preface of HTTP/2",
            format!("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0{INNER}"),
            UNANSWERED,
        ),
    ]
}

#[tokio::test]
async fn smuggled_requests_are_not_answered() {
    let mut server = TestServer::start(&["--handshake-timeout", "2s"]);
    let (mut player, _connection) = server.join().await;
    player.send(&frame(0x82, b"hello")).await;
    // On its own, the inner request is answered.
    assert!(
        exchange(&server, INNER.as_bytes())
            .await
            .contains(INNER_ANSWER)
    );
    let mut wrong = Vec::new();
    for (what, bytes, status) in cases() {
        let answer = exchange(&server, bytes.as_bytes()).await;
        let is_expected = match status {
            UNANSWERED => answer.is_empty(),
            _ => {
                answer.starts_with(&format!("HTTP/1.1 {status} "))
                    && answer.matches("HTTP/1.1 ").count() == 1
            }
        };
        if !is_expected || answer.contains(INNER_ANSWER) {
            wrong.push(format!("{what}, {status}: {answer:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    player.send(&frame(0x82, b"still here")).await;
    loop {
        if matches!(server.next_event().await, RoomEvent::Message(m) if m == b"still here") {
            break;
        }
    }
}

#[tokio::test]
async fn requests_that_are_none_count_as_garbled() {
    let server = TestServer::start(&[]);
    let garbled: Vec<_> = (cases().into_iter())
        .filter(|(what, _, status)| {
            matches!(*status, 400 | UNANSWERED)
                && !what.contains("chunk")
                && !what.contains("handshake")
        })
        .collect();
    for (_, bytes, _) in &garbled {
        exchange(&server, bytes.as_bytes()).await;
    }
    let count = || server.metric(r#"tickwire_connections_total{outcome="garbled"}"#);
    within(async {
        while count() != garbled.len().to_string() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
