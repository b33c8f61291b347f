//! One HTTP question: a POST with JSON on a connection of its own, for the programs that the server calls.
//!
//! In: a stream to the other program, the path, and the body. Out: the answer's status and body, or a sentence. Knows no time-out: who asks
//! drops the future.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;

/// Longest answer.
const MAX_ANSWER_BYTES: usize = 16 * 1024;

/// Posts `body` to `path` of the program at the other end of `stream`. `authority` is its name and port, as the `Host` header has them.
///
/// # Errors
/// A sentence, if the connection ends before the answer, or the answer is no HTTP or longer than 16 KiB.
pub(crate) async fn post_json(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    authority: &str,
    path: &str,
    body: &Value,
) -> Result<(StatusCode, Bytes), String> {
    let (mut sender, connection) = (http1::handshake(TokioIo::new(stream)).await)
        .map_err(|error: hyper::Error| error.to_string())?;
    // Ends with this call, also at the caller's time-out.
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let body = body.to_string();
    let request = Request::post(path)
        .header(HOST, authority)
        .header(CONTENT_TYPE, "application/json")
        .header(CONTENT_LENGTH, body.len())
        .header(ACCEPT, "application/json")
        .header(CONNECTION, "close")
        .body(Full::<Bytes>::from(body))
        .map_err(|error| error.to_string())?;
    let response = sender.send_request(request).await;
    let response = response.map_err(|error| error.to_string())?;
    let status = response.status();
    let body = Limited::new(response.into_body(), MAX_ANSWER_BYTES);
    let body = body.collect().await.map_err(|error| error.to_string())?;
    Ok((status, body.to_bytes()))
}
