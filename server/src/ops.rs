//! The operations port: metrics, health probes, notices, draining, the list of rooms, and moderation.
//!
//! In: HTTP requests of operators and their tools. Out: answers, notices to players, and the request to drain. The port belongs
//! on an address that players cannot reach. A web page cannot drive it: requests that other sites make a browser send are refused,
//! and so are names that are not this server's. Every command is logged with where it came from.

mod moderation;

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, HOST, HeaderValue, ORIGIN, WWW_AUTHENTICATE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Method, Request, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::cluster::JoinClusterError;
use crate::config::OpsToken;
use crate::host;
use crate::http_answers::{Answer, answer, check_host, check_method, json, not_found, text};
use crate::metrics::Metrics;
use crate::moderation::{ActedOn, Entry, Moderation, SessionAction, Whom};
use crate::net::accept::AcceptErrors;
use crate::recorder::{Clip, ClipError};
use crate::shutdown::Shutdown;

/// Longest body of a request.
const MAX_BODY_BYTES: usize = 64 * 1024;
/// Longest notice.
const MAX_NOTICE_CHARS: usize = 500;
/// How long the head or the body of a request may take to arrive.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// Connections at a time; further ones are dropped.
const MAX_CONNECTIONS: usize = 64;
/// Where more than half of the workers have been late for this long, the server takes no new players.
const MAX_LATE: Duration = Duration::from_secs(5);

/// Whether the rooms' workers keep up; asked for `/healthz` and `/readyz`, which show it as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// Every worker makes progress, and at most half of them are late.
    Ok,
    /// Every worker makes progress, but more than half of them have been late for this long without a break.
    Late(Duration),
    /// A worker makes no progress.
    Stuck,
    /// The node's lease in its cluster has lapsed, so its rooms stand still.
    Lapsed,
}

impl Health {
    /// The worker threads make progress.
    pub(crate) fn is_alive(self) -> bool {
        self != Self::Stuck
    }

    /// New players are welcome, because most workers have not been late for long. Draining is not part of this.
    fn is_ready(self) -> bool {
        match self {
            Self::Ok => true,
            Self::Late(late) => late < MAX_LATE,
            Self::Stuck | Self::Lapsed => false,
        }
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ok => f.write_str("ok"),
            Self::Late(late) => write!(f, "late for {late:.1?}"),
            Self::Stuck => f.write_str("a worker makes no progress"),
            Self::Lapsed => f.write_str("out of touch with the cluster"),
        }
    }
}

/// The rooms, as operators see them.
pub trait RoomOperations: Send + Sync + 'static {
    /// Joins the cluster of `--redis`, if there is one, before any player comes.
    ///
    /// # Errors
    /// If that is not possible.
    fn join_cluster(&self) -> impl Future<Output = Result<(), JoinClusterError>> + Send;

    /// The nodes of the cluster, for `GET /nodes`; without a cluster, this one.
    fn list_nodes(&self) -> serde_json::Value;

    /// Tells the other nodes of a ban or mute.
    fn share_entry(&self, entry: &Entry) -> impl Future<Output = ()> + Send;

    /// Tells the other nodes that a ban or mute is lifted.
    fn share_lift(&self, id: u64) -> impl Future<Output = ()> + Send;

    /// The list of rooms, for `GET /rooms`.
    fn list_rooms(&self) -> impl Future<Output = serde_json::Value> + Send;

    /// Sends a notice to all players, or to those of one room; returns the number of players.
    ///
    /// # Errors
    /// A sentence for the operator, if there is no such room.
    fn broadcast_notice(
        &self,
        text: &str,
        room: Option<&str>,
    ) -> impl Future<Output = Result<usize, String>> + Send;

    /// Does something with sessions, in whatever rooms they are. Returns which they were.
    fn act_on_sessions(
        &self,
        whom: &Whom,
        action: &SessionAction,
    ) -> impl Future<Output = ActedOn> + Send;

    /// Saves the newest minute of a room as a recording, for `POST /rooms/NAME/clip`.
    ///
    /// # Errors
    /// If there is no such room here, or nothing of it is recorded.
    fn clip(&self, room: &str) -> impl Future<Output = Result<Clip, ClipError>> + Send;

    /// Whether the workers keep up. Must be cheap: probes ask every second.
    fn health(&self) -> Health;

    /// The server drains: sends `Goodbye` to every player and closes with 1001. What is still open a moment after this returns
    /// is closed without it.
    fn drain(&self) -> impl Future<Output = ()> + Send;
}

/// The parts of the server that the operations port shows and commands.
pub struct Operations<R> {
    /// Answers questions about rooms, and passes notices on.
    pub rooms: Arc<R>,
    /// Rendered for `/metrics`.
    pub metrics: Arc<Metrics>,
    /// Requested by `POST /drain`; shown by `/readyz`.
    pub draining: Shutdown,
    /// Changed by `/ban` and `/mute`.
    pub moderation: Arc<Moderation>,
    /// Names that the port goes by, beside addresses and `localhost`.
    pub hosts: Vec<String>,
    /// The bearer token for everything but the probes.
    pub token: Option<OpsToken>,
}

/// Serves the operations port until the task is aborted.
pub async fn serve<R: RoomOperations>(listener: TcpListener, operations: Arc<Operations<R>>) {
    let mut accept_errors = AcceptErrors::default();
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                accept_errors
                    .log_and_pause("a connection to the operations port", &error)
                    .await;
                continue;
            }
        };
        let operations = Arc::clone(&operations);
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            continue;
        };
        tokio::spawn(async move {
            let _place = place;
            let service = service_fn(|request| async {
                Ok::<_, Infallible>(operations.answer(request, peer).await)
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

impl<R: RoomOperations> Operations<R> {
    async fn answer(&self, request: Request<Incoming>, peer: SocketAddr) -> Answer {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let answer = match self.check(&request) {
            Ok(()) => self.perform(request, peer).await,
            Err(refusal) => *refusal,
        };
        if method != Method::GET && method != Method::HEAD {
            let status = answer.status().as_u16();
            tracing::info!(%peer, %method, path, status, "a command on the operations port");
        }
        answer
    }

    /// Checks who asks. The two probes are for everybody.
    fn check(&self, request: &Request<Incoming>) -> Result<(), Box<Answer>> {
        if matches!(request.uri().path(), "/healthz" | "/readyz") {
            return Ok(());
        }
        let headers = request.headers();
        let forbidden = |sentence: &str| Err(Box::new(text(StatusCode::FORBIDDEN, sentence)));
        check_host(request)?;
        if !host::is_known(headers, &self.hosts) {
            return forbidden("this port does not go by that name; see --ops-host");
        }
        let site = headers.get("sec-fetch-site");
        if site.is_some_and(|site| site != "none" && site != "same-origin") {
            return forbidden("other sites can't reach the operations port");
        }
        let Some(token) = &self.token else {
            return Ok(());
        };
        let given = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
        let given = given.and_then(|given| given.strip_prefix(b"Bearer "));
        if given.is_some_and(|given| token.is(given)) {
            return Ok(());
        }
        let mut refusal = text(
            StatusCode::UNAUTHORIZED,
            "send the token of --ops-token-file: Authorization: Bearer TOKEN",
        );
        let scheme = HeaderValue::from_static("Bearer");
        refusal.headers_mut().insert(WWW_AUTHENTICATE, scheme);
        Err(Box::new(refusal))
    }

    async fn perform(&self, request: Request<Incoming>, peer: SocketAddr) -> Answer {
        let method = request.method();
        let answer = match request.uri().path() {
            "/metrics" => check_method(method, "GET, HEAD").map(|()| self.metrics()),
            "/healthz" => check_method(method, "GET, HEAD").map(|()| self.healthz()),
            "/readyz" => check_method(method, "GET, HEAD").map(|()| self.readyz()),
            "/rooms" => match check_method(method, "GET, HEAD") {
                Ok(()) => Ok(json(StatusCode::OK, &self.rooms.list_rooms().await)),
                Err(answer) => Err(answer),
            },
            "/nodes" => check_method(method, "GET, HEAD")
                .map(|()| json(StatusCode::OK, &self.rooms.list_nodes())),
            "/drain" => (self.check_command(&request, &Method::POST)).map(|()| self.drain()),
            "/notice" => match self.check_command(&request, &Method::POST) {
                Ok(()) => self.notice(request).await,
                Err(answer) => Err(answer),
            },
            "/kick" | "/mute" | "/ban" => match self.check_command(&request, &Method::POST) {
                Ok(()) => self.moderate(request, peer).await,
                Err(answer) => Err(answer),
            },
            "/bans" => check_method(method, "GET, HEAD").map(|()| self.list_bans()),
            path => match (path.strip_prefix("/bans/"), clipped_room(path)) {
                (Some(id), _) => match self.check_command(&request, &Method::DELETE) {
                    Ok(()) => self.lift(id, peer).await,
                    Err(answer) => Err(answer),
                },
                (None, Some(room)) => match self.check_command(&request, &Method::POST) {
                    Ok(()) => Ok(clip_answer(self.rooms.clip(room).await)),
                    Err(answer) => Err(answer),
                },
                (None, None) => Ok(not_found()),
            },
        };
        answer.unwrap_or_else(|refusal| *refusal)
    }

    /// Checks that a request that changes something has the right method, and does not come from a web page, unless that page is this port's
    /// own and knows the token.
    fn check_command(
        &self,
        request: &Request<Incoming>,
        method: &Method,
    ) -> Result<(), Box<Answer>> {
        let method = if method == Method::DELETE {
            "DELETE"
        } else {
            "POST"
        };
        check_method(request.method(), method)?;
        let headers = request.headers();
        if headers.contains_key(ORIGIN) && !(self.token.is_some() && is_own_origin(headers)) {
            let sentence = "web pages can't command the operations port";
            return Err(Box::new(text(StatusCode::FORBIDDEN, sentence)));
        }
        Ok(())
    }

    fn metrics(&self) -> Answer {
        self.metrics.ready.set(self.not_ready().is_none().into());
        match self.metrics.render() {
            Ok((body, content_type)) => answer(StatusCode::OK, &content_type, body),
            Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        }
    }

    fn healthz(&self) -> Answer {
        let health = self.rooms.health();
        text(ok_if(health.is_alive()), &health.to_string())
    }

    fn readyz(&self) -> Answer {
        match self.not_ready() {
            Some(reason) => text(StatusCode::SERVICE_UNAVAILABLE, &reason),
            None => text(StatusCode::OK, &self.rooms.health().to_string()),
        }
    }

    /// Why no new players should be sent here.
    fn not_ready(&self) -> Option<String> {
        let health = self.rooms.health();
        if self.draining.is_requested() {
            return Some("draining".to_owned());
        }
        (!health.is_ready()).then(|| health.to_string())
    }

    fn drain(&self) -> Answer {
        self.draining.request();
        json(
            StatusCode::ACCEPTED,
            &serde_json::json!({ "draining": true }),
        )
    }

    async fn notice(&self, request: Request<Incoming>) -> Result<Answer, Box<Answer>> {
        let expected = r#"expected {"text": "...", "room": optional}"#;
        let fields = json_body(request, expected).await?;
        let notice: Notice = serde_json::from_value(fields.into())
            .map_err(|error| bad_request(&format!("{expected}: {error}")))?;
        // Control characters are removed as in chat, because a player's terminal or page might execute them.
        let notice_text = notice.text.replace(char::is_control, "");
        let notice_text = notice_text.trim();
        if notice_text.is_empty() || notice_text.chars().count() > MAX_NOTICE_CHARS {
            return Err(bad_request("text must have 1 to 500 characters"));
        }
        let room = notice.room.as_deref();
        match self.rooms.broadcast_notice(notice_text, room).await {
            Ok(players) => Ok(json(
                StatusCode::OK,
                &serde_json::json!({ "players": players }),
            )),
            Err(problem) => Err(Box::new(text(StatusCode::NOT_FOUND, &problem))),
        }
    }
}

/// The room of `/rooms/NAME/clip`.
fn clipped_room(path: &str) -> Option<&str> {
    path.strip_prefix("/rooms/")?.strip_suffix("/clip")
}

fn clip_answer(clip: Result<Clip, ClipError>) -> Answer {
    let error = match clip {
        Ok(clip) => return json(StatusCode::OK, &serde_json::json!(clip)),
        Err(error) => error,
    };
    let status = match error {
        ClipError::NoRoom => StatusCode::NOT_FOUND,
        ClipError::Off | ClipError::Nothing => StatusCode::CONFLICT,
        ClipError::Ended | ClipError::Behind => StatusCode::SERVICE_UNAVAILABLE,
        ClipError::Io(_) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    text(status, &error.to_string())
}

/// The JSON object in the body of a request. `expected` says in an error what would be right.
async fn json_body(
    request: Request<Incoming>,
    expected: &str,
) -> Result<serde_json::Map<String, serde_json::Value>, Box<Answer>> {
    let refusal = |status, sentence: &str| Err(Box::new(text(status, sentence)));
    let body = Limited::new(request.into_body(), MAX_BODY_BYTES).collect();
    let body = match tokio::time::timeout(READ_TIMEOUT, body).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            return refusal(
                StatusCode::PAYLOAD_TOO_LARGE,
                "a body is smaller than 64 KiB",
            );
        }
        Ok(Err(_)) => return refusal(StatusCode::BAD_REQUEST, "the body is incomplete"),
        Err(_) => {
            return refusal(StatusCode::REQUEST_TIMEOUT, "the body did not come in time");
        }
    };
    serde_json::from_slice(&body).map_err(|error| bad_request(&format!("{expected}: {error}")))
}

fn bad_request(sentence: &str) -> Box<Answer> {
    Box::new(text(StatusCode::BAD_REQUEST, sentence))
}

/// Whether the one `Origin` is the one `Host`.
fn is_own_origin(headers: &HeaderMap) -> bool {
    let mut origins = headers.get_all(ORIGIN).iter();
    let (Some(origin), None) = (origins.next(), origins.next()) else {
        return false;
    };
    let authority = origin
        .to_str()
        .ok()
        .and_then(|origin| origin.strip_prefix("http://"));
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    authority.is_some() && authority == host
}

fn ok_if(is_good: bool) -> StatusCode {
    if is_good {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    }
}
