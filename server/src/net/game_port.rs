//! What the game port answers: the page, the state of a room, and the upgrade to a WebSocket.
//!
//! A request comes in with its TCP connection's slot and deadline; an answer goes out, and for a
//! WebSocket a task that serves it. Everything about the request is checked before the upgrade
//! (draining, method, origin, handshake), so that whoever may not come in gets an HTTP status.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    HeaderName, HeaderValue, IF_NONE_MATCH, REFERRER_POLICY, RETRY_AFTER, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use hyper::{HeaderMap, Request, Response, StatusCode};
use tokio::sync::Semaphore;

use super::connection::{Connection, MAX_PENDING_BYTES};
use super::echo::{self, Echo};
use super::flood;
use super::frame::Rules;
use super::handler::{Handler, Rooms};
use super::heartbeat::HeartbeatTimes;
use super::open::OpenConnections;
use super::origin;
use super::page::{self, Asset};
use super::poller::Pollers;
use super::reader::{Reader, Reading, Terms};
use super::slots::{Slot, Slots};
use super::upgrade::{self, Upgraded};
use crate::close::{Close, CloseCode};
use crate::config::Config;
use crate::files::Places;
use crate::http::{self, Answer};
use crate::metrics::{ConnectionOutcome, Metrics};
use crate::shutdown::Shutdown;

/// While `/echo` has more than this to send, it reads no more.
const ECHO_PAUSE_BYTES: usize = 256 * 1024;

/// The game port's state, shared by all of its connections.
pub struct GamePort<R> {
    pub(crate) config: Arc<Config>,
    pub(crate) rooms: Arc<R>,
    pub(crate) metrics: Arc<Metrics>,
    /// Draining: no new players.
    pub(crate) draining: Shutdown,
    pub(crate) slots: Arc<Slots>,
    pub(crate) open: Arc<OpenConnections>,
    pollers: Pollers,
    /// Connections that may be told at a time that there is no place.
    pub(super) refusals: Semaphore,
}

/// What a request's connection brings along.
#[derive(Clone)]
pub(super) struct Caller {
    pub(super) peer: SocketAddr,
    /// Until when a Hello must have come, if this request becomes a WebSocket.
    pub(super) deadline: Instant,
    pub(super) slot: Arc<Slot>,
}

impl<R: Rooms> GamePort<R> {
    /// The port of a server that starts.
    ///
    /// # Errors
    /// If the system has no thread or no poll to give.
    pub(crate) fn new(
        config: Arc<Config>,
        rooms: Arc<R>,
        metrics: Arc<Metrics>,
        draining: Shutdown,
    ) -> io::Result<Arc<Self>> {
        // Reading and decoding cost a fraction of what ticking and sending do.
        let pollers = Pollers::start(config.workers.div_ceil(2))?;
        // Workers that have just begun may not have opened theirs yet.
        let places = Places::of_process(config.max_connections, 2 * config.workers);
        Ok(Arc::new(Self {
            pollers,
            slots: Slots::new(places.connections, config.max_connections_per_ip),
            refusals: Semaphore::new(places.refusals),
            open: OpenConnections::new(metrics.connections.clone()),
            config,
            rooms,
            metrics,
            draining,
        }))
    }

    /// Answers a request.
    pub(super) async fn answer(
        self: &Arc<Self>,
        mut request: Request<Incoming>,
        caller: Caller,
    ) -> Answer {
        if let Err(refusal) = http::check_host(&request) {
            return *refusal;
        }
        let path = request.uri().path();
        let answer = match path {
            "/ws" => self.websocket(&mut request, caller),
            "/echo" if self.config.ws_echo => self.echo(&mut request, caller),
            _ => match room_of_state_path(path) {
                Some(room) => match http::check_method(request.method(), "GET, HEAD") {
                    Ok(()) => Ok(self.room_state(room).await),
                    Err(answer) => Err(answer),
                },
                None => file(&request),
            },
        };
        answer.unwrap_or_else(|refusal| *refusal)
    }

    async fn room_state(&self, room: &str) -> Answer {
        match self.rooms.room_state(room).await {
            Some(state) => http::json(StatusCode::OK, &state),
            None => http::text(StatusCode::NOT_FOUND, "there is no such room"),
        }
    }

    fn websocket(
        self: &Arc<Self>,
        request: &mut Request<Incoming>,
        caller: Caller,
    ) -> Result<Answer, Box<Answer>> {
        let (answer, future) = self.check_upgrade(request, Some(upgrade::SUBPROTOCOL))?;
        let room = request.uri().query().and_then(room_of_query);
        let terms = Terms {
            rules: Rules {
                max_message_bytes: self.config.max_message_bytes,
                text: false,
            },
            reading: Reading {
                greeting_deadline: Some(caller.deadline),
                flood_limit: Some(flood::limit(self.config.tick_rate)),
                pause_above: usize::MAX,
                // More than anyone may say in a tick: a flood waits, and the others don't.
                reads_per_turn: 1,
            },
            ..self.terms()
        };
        let rooms = Arc::clone(&self.rooms);
        let deadline = caller.deadline;
        self.spawn(
            future,
            caller,
            terms,
            MAX_PENDING_BYTES,
            move |connection| rooms.connected(connection, room, deadline),
        );
        Ok(answer)
    }

    fn echo(
        self: &Arc<Self>,
        request: &mut Request<Incoming>,
        caller: Caller,
    ) -> Result<Answer, Box<Answer>> {
        let (answer, future) = self.check_upgrade(request, None)?;
        let mut terms = self.terms();
        // A conformance suite expects the frames that it asked for, and no others.
        terms.heartbeat.rtt_interval = Duration::ZERO;
        self.spawn(future, caller, terms, echo::MAX_PENDING_BYTES, Echo);
        Ok(answer)
    }

    /// The terms of `/echo`, and the basis of the game's.
    fn terms(&self) -> Terms {
        Terms {
            rules: echo::RULES,
            heartbeat: HeartbeatTimes {
                rtt_interval: self.config.rtt_interval,
                interval: self.config.heartbeat_interval,
                timeout: self.config.heartbeat_timeout,
            },
            reading: Reading {
                greeting_deadline: None,
                flood_limit: None,
                pause_above: ECHO_PAUSE_BYTES,
                reads_per_turn: 8,
            },
        }
    }

    fn check_upgrade(
        &self,
        request: &mut Request<Incoming>,
        subprotocol: Option<&'static str>,
    ) -> Result<(Answer, fastwebsockets::upgrade::UpgradeFut), Box<Answer>> {
        // The origin goes first: a foreign page shall not even learn what its handshake lacks.
        let refusal = if !origin::is_allowed(request.headers(), &self.config.allowed_origins) {
            let sentence = "this page's origin may not connect; see --allowed-origin";
            let answer = http::text(StatusCode::FORBIDDEN, sentence);
            (ConnectionOutcome::Origin, Box::new(answer))
        } else if self.draining.is_asked() {
            (ConnectionOutcome::Draining, Box::new(unavailable()))
        } else {
            let accepted = http::check_method(request.method(), "GET")
                .and_then(|()| upgrade::accept(request, subprotocol));
            match accepted {
                Ok(accepted) => return Ok(accepted),
                Err(answer) => (ConnectionOutcome::BadHandshake, answer),
            }
        };
        self.metrics.connections_total.get(refusal.0).inc();
        Err(refusal.1)
    }

    /// Serves the WebSocket when its handshake's answer has been sent.
    fn spawn<H: Handler>(
        self: &Arc<Self>,
        future: fastwebsockets::upgrade::UpgradeFut,
        caller: Caller,
        terms: Terms,
        max_pending: usize,
        handler: impl FnOnce(Arc<Connection>) -> H + Send + 'static,
    ) {
        let port = Arc::clone(self);
        tokio::spawn(async move {
            let upgraded = match upgrade::finish(future).await {
                Ok(upgraded) => upgraded,
                Err(error) => return tracing::debug!(peer = %caller.peer, "{error}"),
            };
            let Upgraded { socket, tls, early } = upgraded;
            let opened = socket.into_std().and_then(|socket| {
                let poller = port.pollers.next();
                Connection::new(socket, tls, caller.peer, max_pending, poller)
            });
            let connection = match opened {
                Ok(connection) => connection,
                Err(error) => return tracing::debug!(peer = %caller.peer, "{error}"),
            };
            port.metrics
                .connections_total
                .get(ConnectionOutcome::Accepted)
                .inc();
            let places = (port.open.enter(&connection), caller.slot);
            let handler = handler(Arc::clone(&connection));
            // Draining may have begun since the request, and have missed this connection.
            if port.draining.is_asked() {
                connection.close(&going_away());
            }
            let token = connection.id().token();
            let poller = Arc::clone(connection.poller());
            let metrics = Arc::clone(&port.metrics);
            let reader = Reader::new(connection, handler, early, terms, metrics, places);
            poller.serve(token, Box::new(reader));
        });
    }
}

/// The close of a server that drains.
pub(crate) fn going_away() -> Close {
    Close::new(
        CloseCode::GoingAway,
        "the server is going away; reconnect soon",
    )
}

/// 503, for a server that is full or drains.
pub(super) fn unavailable() -> Answer {
    let sentence = "the server takes no more connections now; try again later";
    let mut answer = http::text(StatusCode::SERVICE_UNAVAILABLE, sentence);
    answer
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from_static("5"));
    answer
}

/// 429, for an address that has too many connections.
pub(super) fn too_many() -> Answer {
    let sentence = "too many connections from this address; close one first";
    let mut answer = http::text(StatusCode::TOO_MANY_REQUESTS, sentence);
    answer
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from_static("5"));
    answer
}

/// A file of the page.
fn file(request: &Request<Incoming>) -> Result<Answer, Box<Answer>> {
    let Some(asset) = page::find(request.uri().path()) else {
        return Ok(http::not_found());
    };
    http::check_method(request.method(), "GET, HEAD")?;
    let known = request.headers().get_all(IF_NONE_MATCH);
    let unchanged = known.iter().any(|tags| has_tag(tags, asset));
    let takes_gzip = takes_gzip(request.headers());
    let body = match (unchanged, takes_gzip) {
        (true, _) => Bytes::new(),
        (false, true) => asset.gzip.clone(),
        (false, false) => Bytes::from_static(asset.bytes),
    };
    let mut answer = Response::new(body.into());
    if unchanged {
        *answer.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = answer.headers_mut();
    for (name, value) in [
        (CONTENT_TYPE, asset.content_type),
        (CACHE_CONTROL, "no-cache"),
        (VARY, "accept-encoding"),
        (CONTENT_SECURITY_POLICY, page::CONTENT_SECURITY_POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // Of the compressed form it is weak: other bytes, the same contents.
    let weak = if takes_gzip { "W/" } else { "" };
    if let Ok(etag) = HeaderValue::from_str(&format!("{weak}{}", asset.etag)) {
        headers.insert(ETAG, etag);
    }
    if takes_gzip && !unchanged {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    Ok(answer)
}

/// Whether the client names gzip, and not as what it won't have (RFC 9110 section 12.5.3).
fn takes_gzip(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(ACCEPT_ENCODING).iter();
    let codings = lines.flat_map(|line| line.as_bytes().split(|&b| b == b','));
    let mut codings = codings.map(|coding| String::from_utf8_lossy(coding).replace(' ', ""));
    codings.any(|coding| {
        let (name, weight) = coding.split_once(";q=").unwrap_or((&coding, "1"));
        name.eq_ignore_ascii_case("gzip") && weight.parse().is_ok_and(|weight: f32| weight > 0.0)
    })
}

fn has_tag(tags: &HeaderValue, asset: &Asset) -> bool {
    // The weak comparison (RFC 9110 section 13.1.2): a proxy that compresses makes a tag weak.
    let same = |tag: &[u8]| {
        let tag = tag.trim_ascii();
        tag == b"*" || tag.strip_prefix(b"W/").unwrap_or(tag) == asset.etag.as_bytes()
    };
    tags.as_bytes().split(|&b| b == b',').any(same)
}

/// `NAME` of `/rooms/NAME/state`.
fn room_of_state_path(path: &str) -> Option<&str> {
    let room = path.strip_prefix("/rooms/")?.strip_suffix("/state")?;
    (!room.is_empty() && !room.contains('/')).then_some(room)
}

/// `NAME` of `...room=NAME...`, decoded; the last one counts.
fn room_of_query(query: &str) -> Option<String> {
    let value = query
        .split('&')
        .rev()
        .find_map(|pair| pair.strip_prefix("room="))?;
    Some(percent_decoded(value))
}

/// What can't be decoded stays as it is: it makes no valid name, and is refused as such.
fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let decoded = match (byte, after) {
            (b'%', [high, low, ..]) => (char::from(*high).to_digit(16))
                .zip(char::from(*low).to_digit(16))
                .and_then(|(high, low)| u8::try_from(high * 16 + low).ok()),
            _ => None,
        };
        bytes.push(decoded.unwrap_or(byte));
        rest = if decoded.is_some() {
            &after[2..]
        } else {
            after
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rooms_are_named_by_paths_and_queries() {
        assert_eq!(room_of_state_path("/rooms/lobby/state"), Some("lobby"));
        assert_eq!(room_of_state_path("/rooms//state"), None);
        assert_eq!(room_of_state_path("/rooms/a/b/state"), None);
        assert_eq!(room_of_state_path("/rooms/state"), None);
        assert_eq!(room_of_query("room=lobby"), Some("lobby".into()));
        assert_eq!(room_of_query("x=1&room=a%2Db&y"), Some("a-b".into()));
        assert_eq!(room_of_query("rooms=a"), None);
        assert_eq!(room_of_query("room=%"), Some("%".into()));
        assert_eq!(room_of_query("room=%zz%4"), Some("%zz%4".into()));
        assert_eq!(room_of_query("room="), Some(String::new()));
    }
}
