//! The operations port: metrics, probes, notices, draining, the list of rooms. For operators and
//! their tools, so it belongs on an address that players can't reach. A web page can't drive it:
//! what changes anything is refused if it comes with an `Origin`.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::header::ORIGIN;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::Deserialize;
use tokio::net::TcpListener;

use crate::http::{Answer, answer, check_method, json, not_found, text};
use crate::metrics::Metrics;
use crate::net::handler::Rooms;
use crate::net::listener::AcceptTrouble;
use crate::shutdown::Shutdown;

/// What a body may have.
const MAX_BODY_BYTES: usize = 64 * 1024;
/// What a notice may have.
const MAX_NOTICE_CHARS: usize = 500;
/// How long a request may take to come.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// What the operations port shows and commands.
pub struct Operations<R> {
    /// The rooms.
    pub rooms: Arc<R>,
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// Asked for by `POST /drain`; shown by `/readyz`.
    pub draining: Shutdown,
}

/// Serves the operations port for as long as the process lives.
pub async fn serve<R: Rooms>(listener: TcpListener, operations: Arc<Operations<R>>) {
    let mut trouble = AcceptTrouble::default();
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                trouble
                    .wait("a connection to the operations port", &error)
                    .await;
                continue;
            }
        };
        let operations = Arc::clone(&operations);
        tokio::spawn(async move {
            let service = service_fn(|request| async {
                Ok::<_, Infallible>(operations.answer(request).await)
            });
            let served = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(READ_TIMEOUT)
                .serve_connection(TokioIo::new(stream), service)
                .await;
            if let Err(error) = served {
                tracing::debug!("operations port: {error}");
            }
        });
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Notice {
    text: String,
    room: Option<String>,
}

impl<R: Rooms> Operations<R> {
    async fn answer(&self, request: Request<Incoming>) -> Answer {
        let method = request.method();
        let answer = match request.uri().path() {
            "/metrics" => check_method(method, "GET, HEAD").map(|()| self.metrics()),
            "/healthz" => check_method(method, "GET, HEAD").map(|()| self.healthz()),
            "/readyz" => check_method(method, "GET, HEAD").map(|()| self.readyz()),
            "/rooms" => match check_method(method, "GET, HEAD") {
                Ok(()) => Ok(json(StatusCode::OK, &self.rooms.rooms().await)),
                Err(answer) => Err(answer),
            },
            "/drain" => check_command(&request).map(|()| self.drain()),
            "/notice" => match check_command(&request) {
                Ok(()) => Ok(self.notice(request).await),
                Err(answer) => Err(answer),
            },
            _ => Ok(not_found()),
        };
        answer.unwrap_or_else(|refusal| *refusal)
    }

    fn metrics(&self) -> Answer {
        match self.metrics.render() {
            Ok((body, content_type)) => answer(StatusCode::OK, &content_type, body),
            Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        }
    }

    fn healthz(&self) -> Answer {
        let health = self.rooms.health();
        text(ok_if(health.alive), &health.detail)
    }

    fn readyz(&self) -> Answer {
        let health = self.rooms.health();
        if self.draining.is_asked() {
            return text(StatusCode::SERVICE_UNAVAILABLE, "draining");
        }
        text(ok_if(health.ready && health.alive), &health.detail)
    }

    fn drain(&self) -> Answer {
        self.draining.ask();
        json(
            StatusCode::ACCEPTED,
            &serde_json::json!({ "draining": true }),
        )
    }

    async fn notice(&self, request: Request<Incoming>) -> Answer {
        let body = Limited::new(request.into_body(), MAX_BODY_BYTES).collect();
        let body = match tokio::time::timeout(READ_TIMEOUT, body).await {
            Ok(Ok(body)) => body.to_bytes(),
            Ok(Err(error)) if error.is::<LengthLimitError>() => {
                return text(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    "a notice is smaller than 64 KiB",
                );
            }
            Ok(Err(_)) => return text(StatusCode::BAD_REQUEST, "the body is incomplete"),
            Err(_) => return text(StatusCode::REQUEST_TIMEOUT, "the body did not come in time"),
        };
        // By way of a map, as a list of the two would do as well otherwise.
        let map = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&body);
        let notice = match map.and_then(|map| serde_json::from_value::<Notice>(map.into())) {
            Ok(notice) => notice,
            Err(error) => {
                let expected = r#"expected {"text": "...", "room": optional}"#;
                return text(StatusCode::BAD_REQUEST, &format!("{expected}: {error}"));
            }
        };
        // As with chat: what a player's terminal or page would make of them nobody knows.
        let said: String = notice
            .text
            .chars()
            .filter(|said| !said.is_control())
            .collect();
        let said = said.trim();
        if said.is_empty() || said.chars().count() > MAX_NOTICE_CHARS {
            return text(
                StatusCode::BAD_REQUEST,
                "text must have 1 to 500 characters",
            );
        }
        match self.rooms.notice(said, notice.room.as_deref()).await {
            Ok(players) => json(StatusCode::OK, &serde_json::json!({ "players": players })),
            Err(problem) => text(StatusCode::NOT_FOUND, &problem),
        }
    }
}

/// POST, and not from a web page.
fn check_command(request: &Request<Incoming>) -> Result<(), Box<Answer>> {
    check_method(request.method(), Method::POST.as_str())?;
    if request.headers().contains_key(ORIGIN) {
        let sentence = "web pages can't command the operations port";
        return Err(Box::new(text(StatusCode::FORBIDDEN, sentence)));
    }
    Ok(())
}

fn ok_if(good: bool) -> StatusCode {
    if good {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    }
}
