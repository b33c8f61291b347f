//! The game port's HTTP: the page, the rules module, the state of a room, and the upgrade to a WebSocket.
//!
//! In: a request, with the permit and the deadline of its TCP connection. Out: an answer, and for a WebSocket a reader at a
//! poller. Everything about a request (draining, method, origin, handshake) is checked before the upgrade, so a client that may
//! not connect gets an HTTP status.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use fastwebsockets::upgrade::UpgradeFut;
use hyper::body::Incoming;
use hyper::header::{HeaderValue, RETRY_AFTER};
use hyper::{HeaderMap, Request, StatusCode};
use tokio::sync::Semaphore;

use super::cross_origin;
use super::match_port::MatchPort;
use super::percent::percent_decoded;
use super::room_list;
use super::room_state;
use super::site::Site;
use super::upgrade::{self, Upgraded};
use crate::clock::now;
use crate::close::{Close, CloseCode};
use crate::config::Config;
use crate::fair_share::RateByAddress;
use crate::fd_budget::FdBudget;
use crate::host;
use crate::http_answers::{self, Answer};
use crate::log_limit;
use crate::metrics::{ConnectionOutcome, Metrics, RoomListOutcome};
use crate::net::accept::Handshakes;
use crate::net::connection_limits::{ConnectionLimits, ConnectionPermit, LimitReached};
use crate::net::io::poller::Pollers;
use crate::net::peer::connection::{Connection, MAX_GAME_PENDING_BYTES};
use crate::net::peer::echo::{self, Echo};
use crate::net::peer::flood;
use crate::net::peer::handler::Handler;
use crate::net::peer::keepalive::KeepaliveTimes;
use crate::net::peer::open_connections::OpenConnections;
use crate::net::peer::reader::{ReadPolicy, Reader, ReaderSettings};
use crate::net::room_service::RoomService;
use crate::net::rules_module;
use crate::net::websocket::frame::FrameLimits;
use crate::origin;
use crate::shutdown::Shutdown;

/// Above this many pending bytes, `/echo` reads nothing more.
const ECHO_PAUSE_ABOVE_BYTES: usize = 256 * 1024;

/// Requests for rooms and matches that an address may make at once, in seconds of `--join-rate`.
const LOBBY_BURST: f64 = 4.0;
/// Frames of one player that are handled before others are polled. A client sends one or two in a tick; what comes after a stall of
/// seconds is handled within some ticks.
const MAX_FRAMES_PER_POLL: usize = 128;

/// The game port's state, shared by all of its connections.
pub struct GamePort<R> {
    pub(crate) config: Arc<Config>,
    pub(crate) rooms: Arc<R>,
    site: Site,
    pub(crate) metrics: Arc<Metrics>,
    /// Once requested, no new player is let in.
    pub(crate) draining: Shutdown,
    pub(crate) limits: Arc<ConnectionLimits>,
    pub(crate) open: Arc<OpenConnections>,
    pollers: Pollers,
    pub(in crate::net) handshakes: Arc<Handshakes>,
    /// How often an address may ask for rooms and matches.
    lobby_rate: RateByAddress,
    /// How often an address may ask for the states of rooms.
    state_rate: RateByAddress,
    /// Permits for connections that are being refused because a limit is reached.
    pub(crate) refusals: Semaphore,
    /// An untrusted proxy is named in the log once: anybody can pass for one.
    has_warned_of_proxy: AtomicBool,
}

/// The TCP connection that a request came on.
#[derive(Clone)]
pub(in crate::net) struct Caller {
    pub peer: SocketAddr,
    /// When `Hello` must have come, if this request becomes a WebSocket.
    pub hello_deadline: Instant,
    pub permit: Arc<ConnectionPermit>,
    /// The connection comes from a trusted proxy.
    pub is_behind_proxy: bool,
}

impl<R: RoomService> GamePort<R> {
    /// Starts the pollers of the game port.
    ///
    /// # Errors
    /// If the system cannot start a thread or create a poll.
    pub fn new(
        config: Arc<Config>,
        rooms: Arc<R>,
        site: Site,
        metrics: Arc<Metrics>,
        draining: Shutdown,
    ) -> io::Result<Arc<Self>> {
        // Before the rooms' workers take connections over, reading costs a fraction of what ticking and sending do.
        let pollers = Pollers::start(config.workers.div_ceil(2))?;
        // Workers that have just started may not have opened their files yet.
        let budget = FdBudget::of_process(config.max_connections, 2 * config.workers);
        Ok(Arc::new(Self {
            pollers,
            limits: ConnectionLimits::new(
                budget.connections,
                config.max_connections_per_ip,
                config.fair_share,
            ),
            handshakes: Handshakes::new(config.join_rate),
            lobby_rate: RateByAddress::new(
                f64::from(config.join_rate),
                f64::from(config.join_rate) * LOBBY_BURST,
            ),
            state_rate: room_state::rate(),
            refusals: Semaphore::new(budget.refusals),
            has_warned_of_proxy: AtomicBool::new(false),
            open: OpenConnections::new(metrics.connections.clone()),
            config,
            rooms,
            site,
            metrics,
            draining,
        }))
    }

    /// Answers a request.
    pub(in crate::net) async fn answer(
        self: &Arc<Self>,
        mut request: Request<Incoming>,
        mut caller: Caller,
    ) -> Answer {
        if let Err(refusal) = http_answers::check_host(&request) {
            return *refusal;
        }
        let client = self
            .config
            .trusted_proxies
            .client_of(caller.peer, request.headers());
        if !host::is_allowed(request.headers(), &self.config.allowed_hosts) {
            if matches!(request.uri().path(), "/ws" | "/echo") {
                let origin = ConnectionOutcome::Origin;
                self.metrics.connections_total.get(origin).inc();
            }
            origin::warn_of_host(request.headers(), client.ip());
            let sentence = "this server does not go by that name; see --allowed-host";
            return http_answers::text(StatusCode::FORBIDDEN, sentence);
        }
        self.warn_of_untrusted_proxy(&request, &caller);
        if client != caller.peer {
            let proxy = Arc::clone(&caller.permit);
            match self.limits.acquire_behind(proxy, client.ip(), now()) {
                Ok(permit) => caller.permit = Arc::new(permit),
                Err(limit) => {
                    self.metrics
                        .connections_total
                        .get(ConnectionOutcome::PerIp)
                        .inc();
                    let kind = ConnectionOutcome::PerIp.as_str();
                    if log_limit::admits(kind, now()) {
                        tracing::info!(peer = %client, reason = limit.as_str(), kind, "refused");
                    }
                    return refusal(limit);
                }
            }
            caller.peer = client;
        }
        let path = request.uri().path();
        let answer = match path {
            "/ws" => self.websocket(&mut request, caller),
            "/echo" if self.config.ws_echo => self.echo(&mut request, caller),
            "/match" => {
                let port = self.match_port(&request, &caller);
                Ok(port.answer(request, caller.peer.ip()).await)
            }
            "/rooms" if self.config.room_list => {
                Ok(self.room_list_answer(&request, caller.peer.ip()).await)
            }
            _ => match room_of_state_path(path).filter(|_| self.config.room_state) {
                Some(room) => {
                    let address = self.config.fair_share.counted(caller.peer.ip());
                    let (rooms, rate) = (&*self.rooms, &self.state_rate);
                    let mut answer = room_state::answer(&request, room, rooms, rate, address).await;
                    let origins = &self.config.allowed_origins;
                    cross_origin::allow(&mut answer, request.headers(), origins);
                    Ok(answer)
                }
                None if path.starts_with("/rules/") => {
                    let module = self.rooms.rules_module();
                    rules_module::serve(&request, module, &self.config.allowed_origins)
                }
                None => self.site.serve(&request).await,
            },
        };
        answer.unwrap_or_else(|refusal| *refusal)
    }

    fn match_port(&self, request: &Request<Incoming>, caller: &Caller) -> MatchPort<'_, R> {
        MatchPort {
            rooms: &*self.rooms,
            config: &self.config,
            metrics: &self.metrics,
            rate: &self.lobby_rate,
            is_draining: self.draining.is_requested(),
            may_lack_port: self.may_lack_port(request.headers(), caller),
        }
    }

    /// Whether a proxy that the operator knows may have dropped the port of `Host`.
    fn may_lack_port(&self, headers: &HeaderMap, caller: &Caller) -> bool {
        caller.is_behind_proxy || host::is_named(headers, &self.config.allowed_hosts)
    }

    async fn room_list_answer(&self, request: &Request<Incoming>, peer: IpAddr) -> Answer {
        let address = self.config.fair_share.counted(peer);
        let (outcome, mut answer) = if self.lobby_rate.take(address, now()) {
            room_list::answer(request, &*self.rooms).await
        } else {
            (RoomListOutcome::Rate, room_list::too_fast())
        };
        self.metrics.room_lists.get(outcome).inc();
        cross_origin::allow(&mut answer, request.headers(), &self.config.allowed_origins);
        answer
    }

    /// A proxy that nobody has named makes all of its players one address, with one share and one rate of joins.
    fn warn_of_untrusted_proxy(&self, request: &Request<Incoming>, caller: &Caller) {
        let peer = caller.peer.ip();
        if request.headers().contains_key("x-forwarded-for")
            && !self.config.trusted_proxies.trusts(peer)
            && self.config.fair_share.counted(peer).is_some()
            && !self.has_warned_of_proxy.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(
                "{peer} sends X-Forwarded-For and is no --trusted-proxy: if it is your proxy, name it, or all players behind it share one address"
            );
        }
    }

    fn websocket(
        self: &Arc<Self>,
        request: &mut Request<Incoming>,
        caller: Caller,
    ) -> Result<Answer, Box<Answer>> {
        let (answer, upgrade_future) =
            self.check_upgrade(request, &caller, Some(upgrade::SUBPROTOCOL))?;
        let room = request.uri().query().and_then(room_of_query);
        let settings = ReaderSettings {
            frames: FrameLimits {
                max_message_bytes: self.config.max_message_bytes,
                allow_text: false,
            },
            reading: ReadPolicy {
                hello_deadline: Some(caller.hello_deadline),
                max_messages_per_second: Some(flood::max_messages_per_second(
                    self.config.tick_rate,
                )),
                pause_above_bytes: usize::MAX,
                // One read takes more than a player may send in a tick, so a flood waits and other players do not.
                reads_per_poll: 1,
                frames_per_poll: MAX_FRAMES_PER_POLL,
                pongs_once: true,
                uses_kernel_rtt: !caller.is_behind_proxy
                    && (self.config).believes_kernel_rtt(caller.peer.ip()),
            },
            ..self.echo_settings()
        };
        let rooms = Arc::clone(&self.rooms);
        self.spawn(
            upgrade_future,
            caller,
            settings,
            MAX_GAME_PENDING_BYTES,
            move |connection| rooms.connected(connection, room),
        );
        Ok(answer)
    }

    fn echo(
        self: &Arc<Self>,
        request: &mut Request<Incoming>,
        caller: Caller,
    ) -> Result<Answer, Box<Answer>> {
        let (answer, upgrade_future) = self.check_upgrade(request, &caller, None)?;
        let mut settings = self.echo_settings();
        // A conformance suite expects the frames that it asked for, and no pings.
        settings.keepalive.rtt_interval = Duration::ZERO;
        self.spawn(
            upgrade_future,
            caller,
            settings,
            echo::MAX_ECHO_PENDING_BYTES,
            Echo,
        );
        Ok(answer)
    }

    /// How `/echo` is served; `/ws` differs in some of it.
    fn echo_settings(&self) -> ReaderSettings {
        ReaderSettings {
            frames: echo::LIMITS,
            keepalive: KeepaliveTimes {
                rtt_interval: self.config.rtt_interval,
                interval: self.config.heartbeat_interval,
                timeout: self.config.heartbeat_timeout,
            },
            reading: ReadPolicy {
                hello_deadline: None,
                max_messages_per_second: None,
                pause_above_bytes: ECHO_PAUSE_ABOVE_BYTES,
                reads_per_poll: 8,
                // A conformance suite wants an answer to each ping.
                frames_per_poll: usize::MAX,
                pongs_once: false,
                uses_kernel_rtt: false,
            },
        }
    }

    fn check_upgrade(
        &self,
        request: &mut Request<Incoming>,
        caller: &Caller,
        subprotocol: Option<&'static str>,
    ) -> Result<(Answer, UpgradeFut), Box<Answer>> {
        // The origin is checked first, so that a foreign page does not even learn what its handshake lacks.
        let headers = request.headers();
        let config = &self.config;
        let may_lack_port = self.may_lack_port(headers, caller);
        let refusal = if !origin::is_allowed(headers, &config.allowed_origins, may_lack_port) {
            origin::warn_of_origin(headers, caller.peer.ip());
            let sentence = "this page's origin may not connect; see --allowed-origin";
            let answer = http_answers::text(StatusCode::FORBIDDEN, sentence);
            (ConnectionOutcome::Origin, Box::new(answer))
        } else if self.draining.is_requested() {
            (ConnectionOutcome::Draining, Box::new(unavailable()))
        } else {
            let accepted = http_answers::check_method(request.method(), "GET")
                .and_then(|()| upgrade::accept(request, subprotocol));
            match accepted {
                Ok(accepted) => return Ok(accepted),
                Err(answer) => (ConnectionOutcome::BadHandshake, answer),
            }
        };
        self.metrics.connections_total.get(refusal.0).inc();
        Err(refusal.1)
    }

    /// Serves the WebSocket once the answer to its handshake has been sent.
    fn spawn<H: Handler>(
        self: &Arc<Self>,
        upgrade_future: UpgradeFut,
        caller: Caller,
        settings: ReaderSettings,
        max_pending_bytes: usize,
        handler: impl FnOnce(Arc<Connection>) -> H + Send + 'static,
    ) {
        let port = Arc::clone(self);
        tokio::spawn(async move {
            let upgraded = match upgrade::finish(upgrade_future).await {
                Ok(upgraded) => upgraded,
                Err(error) => return tracing::debug!(peer = %caller.peer, "{error}"),
            };
            let Upgraded {
                socket,
                tls,
                early_bytes,
            } = upgraded;
            let opened = socket.into_std().and_then(|socket| {
                let poller = port.pollers.next();
                Connection::new(socket, tls, caller.peer, max_pending_bytes, poller)
            });
            let connection = match opened {
                Ok(connection) => connection,
                Err(error) => return tracing::debug!(peer = %caller.peer, "{error}"),
            };
            port.metrics
                .connections_total
                .get(ConnectionOutcome::Accepted)
                .inc();
            let open = port.open.add(&connection);
            let handler = handler(Arc::clone(&connection));
            // Draining may have begun since the request, and may have missed this connection.
            if port.draining.is_requested() {
                connection.close(&going_away());
            }
            let token = connection.id().token();
            let poller = Arc::clone(connection.poller());
            let metrics = Arc::clone(&port.metrics);
            let reader = Reader::new(
                connection,
                handler,
                early_bytes,
                settings,
                metrics,
                open,
                caller.permit,
            );
            poller.adopt(token, Box::new(reader));
        });
    }
}

/// The close frame of a server that drains.
pub(crate) fn going_away() -> Close {
    Close::new(
        CloseCode::GoingAway,
        "the server is going away; reconnect soon",
    )
}

/// The answer for a connection over a limit.
pub(in crate::net) fn refusal(limit: LimitReached) -> Answer {
    match limit {
        LimitReached::Total => unavailable(),
        LimitReached::PerAddress => too_many_connections(),
        LimitReached::Flooded => flooded(),
    }
}

/// 503: the server is full or drains.
pub(super) fn unavailable() -> Answer {
    let sentence = "the server takes no more connections now; try again later";
    let mut answer = http_answers::text(StatusCode::SERVICE_UNAVAILABLE, sentence);
    answer
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from_static("5"));
    answer
}

/// 429: the address has too many connections.
fn too_many_connections() -> Answer {
    let sentence = "too many connections from this address; close one first";
    let mut answer = http_answers::text(StatusCode::TOO_MANY_REQUESTS, sentence);
    answer
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from_static("5"));
    answer
}

/// 429: the address has flooded.
fn flooded() -> Answer {
    let sentence = "this address has sent a flood of messages; try again in a minute";
    let mut answer = http_answers::text(StatusCode::TOO_MANY_REQUESTS, sentence);
    answer
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from_static("60"));
    answer
}

/// `NAME` of `/rooms/NAME/state`.
fn room_of_state_path(path: &str) -> Option<&str> {
    let room = path.strip_prefix("/rooms/")?.strip_suffix("/state")?;
    (!room.is_empty() && !room.contains('/')).then_some(room)
}

/// `NAME` of a query `...room=NAME...`, percent-decoded; the last one counts.
fn room_of_query(query: &str) -> Option<String> {
    let value = query
        .split('&')
        .rev()
        .find_map(|pair| pair.strip_prefix("room="))?;
    Some(percent_decoded(value).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_queries_name_rooms() {
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
