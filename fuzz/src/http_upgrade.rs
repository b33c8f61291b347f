//! HTTP on the game port, up to the upgrade: any bytes get well-formed answers, and a 101 only if the request is a handshake.
//!
//! Input: what a peer sends on its connection, which it then ends. `\n` without `\r` before it is a line's end too, so that texts
//! make requests. The connection is a stream in memory, so a handshake gets its 101 and then no WebSocket.

use crate::memory::measure;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use httparse::{EMPTY_HEADER, Header, Request, Response, Status};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, LazyLock};
use std::time::Instant;
use tickwire_server::Shutdown;
use tickwire_server::config::Config;
use tickwire_server::internals::{
    Close, Connection, DisconnectReason, GamePort, Handler, ListedRoom, MatchMode, MatchRefusal,
    MatchRequest, Matched, Metrics, PublicState, RoomListPage, RoomListQuery, RoomService,
    RoomState, RulesModule, Site, serve_stream,
};
use tickwire_sync::Tick;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::runtime::{Builder, Runtime};

const FLAGS: [&str; 12] = [
    "fuzz",
    "--workers",
    "1",
    "--room-list",
    "on",
    "--join-rate",
    "1000000",
    "--trusted-proxy",
    "127.0.0.1",
    "--allowed-origin",
    "https://game.example",
    "--ws-echo",
];
const PEER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 4000);
/// What an answer to a handshake hashes behind the key (RFC 6455, section 1.3).
const ACCEPT_SUFFIX: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const MAX_HEADERS: usize = 128;
/// What the server may allocate for a connection: the largest answer, with copies, and hyper's buffers.
const OWN_BYTES: usize = 8 << 20;
/// What each further byte may cost: a request of some 40 bytes for the largest answer.
const BYTES_EACH: usize = 32 * 1024;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime can be made")
});

static PORT: LazyLock<Arc<GamePort<Rooms>>> = LazyLock::new(|| {
    let config = Arc::new(Config::load(FLAGS).expect("the flags are right"));
    let metrics = Arc::new(Metrics::new().expect("the metrics can be registered"));
    let site = Site::new("fuzz", &[], &config);
    let rooms = Arc::new(Rooms {
        rules: RulesModule::new(b"no rules"),
    });
    GamePort::new(config, rooms, site, metrics, Shutdown::new()).expect("pollers can start")
});

/// One run of the target.
///
/// # Panics
/// If the server breaks a promise.
pub fn run(input: &[u8]) {
    let port = &*PORT;
    let sent = with_line_ends(input);
    let (answer, allocated) = measure(|| RUNTIME.block_on(exchange(port, &sent)));
    assert!(
        allocated.total <= OWN_BYTES + BYTES_EACH * sent.len(),
        "{} bytes make the server allocate {allocated:?}",
        sent.len()
    );
    check(&sent, &answer);
}

/// `\r` before every `\n` that has none.
fn with_line_ends(input: &[u8]) -> Vec<u8> {
    let mut sent = Vec::with_capacity(input.len() + 32);
    for &byte in input {
        if byte == b'\n' && sent.last() != Some(&b'\r') {
            sent.push(b'\r');
        }
        sent.push(byte);
    }
    sent
}

/// Sends a peer's bytes, and returns all that comes back.
async fn exchange(port: &Arc<GamePort<Rooms>>, sent: &[u8]) -> Vec<u8> {
    let (mut peer, server) = tokio::io::duplex(64 * 1024);
    let mut answer = Vec::new();
    let peer = async {
        // The server may end the connection first.
        let _ = peer.write_all(sent).await;
        let _ = peer.shutdown().await;
        let _ = peer.read_to_end(&mut answer).await;
    };
    tokio::join!(serve_stream(server, PEER, port), peer);
    // The task that waits for the upgraded stream finds that it is none.
    for _ in 0..4 {
        tokio::task::yield_now().await;
    }
    answer
}

fn check(sent: &[u8], received: &[u8]) {
    if received.is_empty() {
        return;
    }
    let mut headers = [EMPTY_HEADER; MAX_HEADERS];
    let mut answer = Response::new(&mut headers);
    let Ok(Status::Complete(length)) = answer.parse(received) else {
        panic!("not an answer: {}", String::from_utf8_lossy(received));
    };
    let code = answer.code.unwrap_or_default();
    assert!(
        matches!(code, 100 | 101 | 200 | 204 | 304 | 307 | 308 | 400 | 403..=405 | 408..=431 | 503),
        "the server answers {code}"
    );
    for header in answer.headers.iter() {
        assert!(
            !header
                .value
                .iter()
                .any(|byte| matches!(byte, b'\r' | b'\n' | 0))
        );
    }
    if code == 101 {
        assert_eq!(received.len(), length, "nothing follows a 101");
        check_handshake(sent, &answer);
    }
}

/// The request is a handshake (RFC 6455, section 4.2.1), and the answer answers it (4.2.2).
fn check_handshake(sent: &[u8], answer: &Response<'_, '_>) {
    let mut headers = [EMPTY_HEADER; MAX_HEADERS];
    let mut request = Request::new(&mut headers);
    let parsed = request.parse(sent);
    assert!(matches!(parsed, Ok(Status::Complete(_))), "{parsed:?}");
    assert_eq!(request.method, Some("GET"));
    assert_eq!(request.version, Some(1));
    let headers = &*request.headers;
    let path = request.path.unwrap_or_default();
    let path = path.split(['?', '#']).next().unwrap_or_default();
    assert!(path.ends_with("/ws") || path.ends_with("/echo"), "{path}");
    let upgrade = one(headers, "upgrade");
    assert!(upgrade.eq_ignore_ascii_case(b"websocket"));
    let connection = all(headers, "connection").flat_map(|line| line.split(|byte| *byte == b','));
    let mut connection = connection.map(<[u8]>::trim_ascii);
    assert!(connection.any(|option| option.eq_ignore_ascii_case(b"upgrade")));
    assert_eq!(one(headers, "sec-websocket-version"), b"13");
    let key = one(headers, "sec-websocket-key");
    assert_eq!(key.len(), 24);
    assert_eq!(all(headers, "host").count(), 1);
    assert!(all(headers, "origin").count() <= 1);
    if let Some(origin) = all(headers, "origin").next() {
        let host = String::from_utf8_lossy(one(headers, "host")).to_ascii_lowercase();
        let origin = String::from_utf8_lossy(origin).to_ascii_lowercase();
        // A page's own host, at any port where the proxy may have dropped it, or the one that is allowed.
        let name = host.split(':').next().unwrap_or_default();
        assert!(
            origin.contains(name) || origin.contains("game.example"),
            "{origin} may not connect to {host}"
        );
    }
    let keyed = [key, ACCEPT_SUFFIX].concat();
    let accept = STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, &keyed));
    assert_eq!(
        one(answer.headers, "sec-websocket-accept"),
        accept.as_bytes()
    );
    let offers_ours = all(headers, "sec-websocket-protocol")
        .flat_map(|line| line.split(|byte| *byte == b','))
        .any(|offer| offer.trim_ascii() == b"tickwire.v1");
    let chosen = all(answer.headers, "sec-websocket-protocol").next();
    assert!(chosen.is_none_or(|chosen| offers_ours && chosen == b"tickwire.v1"));
}

fn all<'a>(headers: &'a [Header<'_>], name: &str) -> impl Iterator<Item = &'a [u8]> {
    let named = move |header: &&Header<'_>| header.name.eq_ignore_ascii_case(name);
    headers.iter().filter(named).map(|header| header.value)
}

/// The value of a header that must be there.
fn one<'a>(headers: &'a [Header<'_>], name: &str) -> &'a [u8] {
    let value = all(headers, name).next();
    value.unwrap_or_else(|| panic!("there is no {name}"))
}

/// Rooms that are always the same.
struct Rooms {
    rules: RulesModule,
}

/// Nobody opens a WebSocket here.
struct Nobody;

impl Handler for Nobody {
    fn message(&mut self, _: &[u8], _: Instant, _: bool) -> Result<(), Close> {
        Ok(())
    }

    fn closed(&mut self, _: DisconnectReason) {}
}

impl RoomService for Rooms {
    type Handler = Nobody;

    fn connected(self: &Arc<Self>, _: Arc<Connection>, _: Option<String>) -> Nobody {
        Nobody
    }

    fn rules_module(&self) -> Option<&RulesModule> {
        Some(&self.rules)
    }

    fn are_ticks_late(&self) -> bool {
        false
    }

    async fn room_state(&self, room: &str, after: Option<Tick>) -> RoomState {
        match room {
            "lobby" if after.is_some() => RoomState::Unchanged,
            "lobby" => RoomState::Now(PublicState {
                json: "{}".into(),
                tick: Tick(7),
                version: 7,
            }),
            "busy" => RoomState::Busy,
            _ => RoomState::Missing,
        }
    }

    async fn public_rooms(&self, query: &RoomListQuery) -> RoomListPage {
        assert!(query.limit > 0);
        let listed = |room: &str| ListedRoom {
            room: room.to_owned(),
            players: 2,
            max: 8,
            tags: query.tags.clone(),
            metadata: Arc::default(),
        };
        let rooms = ["den", "lobby"].map(listed).into_iter();
        let rooms = rooms.filter(|room| room.room > query.after);
        RoomListPage {
            rooms: rooms.take(query.limit).collect(),
            next: None,
        }
    }

    async fn find_match(
        &self,
        request: &MatchRequest,
        _: Option<IpAddr>,
    ) -> Result<Matched, MatchRefusal> {
        assert!(request.max_players.is_none_or(|max| max > 0));
        assert!(!request.is_private || request.mode == MatchMode::Create);
        match &request.room {
            Some(room) => assert!(tickwire_proto::is_room_name(room)),
            None => assert!(request.key.is_empty()),
        }
        Ok(Matched {
            room: "lobby".to_owned(),
            reservation: "cmVzZXJ2ZWQ".to_owned(),
            key: None,
            expires_unix_s: 1_900_000_000,
            is_new: request.mode == MatchMode::Create,
        })
    }
}
