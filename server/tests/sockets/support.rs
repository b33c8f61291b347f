//! A server whose rooms only report what reaches them, and a client that can send any bytes.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tickwire_server::config::Config;
use tickwire_server::internals::{
    self, ActedOn, Clip, ClipError, Close, CloseCode, Connection, DisconnectReason, Entry, Handler,
    Health, ListedRoom, MatchMode, MatchRefusal, MatchRequest, Matched, Metrics, PublicState,
    RoomListPage, RoomListQuery, RoomOperations, RoomService, RoomState, RulesModule, Server,
    SessionAction, SessionIdentity, Site, Whom,
};
use tickwire_server::{JoinClusterError, PageFile, Shutdown};
use tickwire_sync::Tick;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

/// What the rooms serve as their rules module.
pub const RULES: &[u8] = &[b'r'; 1000];
/// The SHA-256 of [`RULES`].
pub const RULES_HASH: &str = "adcab17e55c173c2dceb5220d75bf0ec110327fc0befb1c534f8773c6db7fe0d";

/// Longer than anything here takes: a test that waits this long has failed.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Waits for something that must happen.
pub async fn within<T>(future: impl Future<Output = T>) -> T {
    (tokio::time::timeout(PATIENCE, future).await).expect("nothing happened in time")
}

/// Something that reaches the rooms.
#[derive(Debug)]
pub enum RoomEvent {
    Connected(Arc<Connection>, Option<String>),
    Message(Vec<u8>),
    FloodWarning,
    Closed(DisconnectReason),
    Notice(String, Option<String>),
    ActOnSessions(Whom, SessionAction),
}

pub struct TestRooms {
    events: mpsc::UnboundedSender<RoomEvent>,
    late: Shutdown,
    rules: RulesModule,
}

pub struct TestHandler {
    connection: Arc<Connection>,
    events: mpsc::UnboundedSender<RoomEvent>,
}

impl Handler for TestHandler {
    fn message(&mut self, payload: &[u8], _: Instant, _: bool) -> Result<(), Close> {
        let _ = self.events.send(RoomEvent::Message(payload.to_vec()));
        match payload {
            b"hello" => self.connection.mark_hello_received(),
            b"malformed" => return Err(Close::new(CloseCode::Malformed, "no ClientMessage")),
            b"panic" => panic!("the test asked for a panic"),
            _ => {}
        }
        Ok(())
    }

    fn flood_warning(&mut self) {
        let _ = self.events.send(RoomEvent::FloodWarning);
    }

    fn closed(&mut self, why: DisconnectReason) {
        let _ = self.events.send(RoomEvent::Closed(why));
    }
}

impl RoomService for TestRooms {
    type Handler = TestHandler;

    fn connected(
        self: &Arc<Self>,
        connection: Arc<Connection>,
        room: Option<String>,
    ) -> TestHandler {
        let _ = (self.events).send(RoomEvent::Connected(Arc::clone(&connection), room));
        TestHandler {
            connection,
            events: self.events.clone(),
        }
    }

    fn rules_module(&self) -> Option<&RulesModule> {
        Some(&self.rules)
    }

    fn are_ticks_late(&self) -> bool {
        self.late.is_requested()
    }

    async fn public_rooms(&self, query: &RoomListQuery) -> RoomListPage {
        let names = ["den", "lobby"].into_iter();
        let rooms = names.filter(|name| *name > query.after.as_str());
        let listed = |room: &str| ListedRoom {
            room: room.to_owned(),
            players: 2,
            max: 8,
            tags: query.tags.clone(),
            metadata: Arc::default(),
        };
        let rooms: Vec<_> = rooms.take(query.limit).map(listed).collect();
        let next = rooms.last().filter(|last| last.room != "lobby");
        let next = next.map(|last| last.room.clone());
        RoomListPage { rooms, next }
    }

    async fn find_match(
        &self,
        request: &MatchRequest,
        _: Option<IpAddr>,
    ) -> Result<Matched, MatchRefusal> {
        match request.mode {
            MatchMode::Join => Err(MatchRefusal::NoSuchRoom),
            MatchMode::Create if request.is_private => Err(MatchRefusal::TooManyRooms("full")),
            mode => Ok(Matched {
                room: "lobby".to_owned(),
                reservation: "cmVzZXJ2ZWQ".to_owned(),
                key: None,
                expires_unix_s: 1_900_000_000,
                is_new: mode == MatchMode::Create,
            }),
        }
    }

    async fn room_state(&self, room: &str, after: Option<Tick>) -> RoomState {
        match after {
            _ if room != "lobby" => RoomState::Missing,
            Some(after) if after >= Tick(7) => RoomState::Unchanged,
            _ => RoomState::Now(PublicState {
                json: r#"{"room":"lobby","tick":7}"#.into(),
                tick: Tick(7),
                version: 0xABC,
            }),
        }
    }
}

impl RoomOperations for TestRooms {
    async fn join_cluster(&self) -> Result<(), JoinClusterError> {
        Ok(())
    }

    fn list_nodes(&self) -> serde_json::Value {
        serde_json::json!([{ "node": "test" }])
    }

    async fn share_entry(&self, _: &Entry) {}

    async fn share_lift(&self, _: u64) {}

    async fn list_rooms(&self) -> serde_json::Value {
        serde_json::json!([{ "room": "lobby", "players": 2 }])
    }

    async fn broadcast_notice(&self, text: &str, room: Option<&str>) -> Result<usize, String> {
        let room = room.map(str::to_owned);
        if room.as_deref().is_some_and(|room| room != "lobby") {
            return Err("there is no such room".to_owned());
        }
        let _ = self.events.send(RoomEvent::Notice(text.to_owned(), room));
        Ok(2)
    }

    async fn act_on_sessions(&self, whom: &Whom, action: &SessionAction) -> ActedOn {
        let order = RoomEvent::ActOnSessions(whom.clone(), action.clone());
        let _ = self.events.send(order);
        match whom {
            // An anonymous player, and one with a ticket.
            Whom::Session { number: 1, .. } => found(None, "192.0.2.1"),
            Whom::Session { number: 2, .. } => found(Some("ada"), "192.0.2.2"),
            Whom::Session { .. } => ActedOn::default(),
            Whom::Target(_) => found(None, "192.0.2.3"),
        }
    }

    fn health(&self) -> Health {
        if self.late.is_requested() {
            Health::Late(Duration::from_secs(60))
        } else {
            Health::Ok
        }
    }

    async fn clip(&self, room: &str) -> Result<Clip, ClipError> {
        match room {
            "lobby" => Ok(Clip {
                file: "records/lobby-1-1-clip.tickwire".into(),
                from_tick: 7,
                to_tick: 3_607,
                bytes: 9_000,
            }),
            "quiet" => Err(ClipError::Off),
            _ => Err(ClipError::NoRoom),
        }
    }

    async fn drain(&self) {}
}

fn found(subject: Option<&str>, address: &str) -> ActedOn {
    let identity = SessionIdentity {
        subject: subject.map(str::to_owned),
        address: Some(address.parse().unwrap()),
    };
    ActedOn {
        sessions: 1,
        first: Some(identity),
    }
}

pub struct TestServer {
    pub addr: SocketAddr,
    pub ops: SocketAddr,
    pub metrics: Arc<Metrics>,
    pub late: Shutdown,
    pub server: Server<TestRooms>,
    events: mpsc::UnboundedReceiver<RoomEvent>,
}

impl TestServer {
    /// Starts a server with these flags, of a game without a page.
    pub fn start(flags: &[&str]) -> Self {
        Self::start_with_page(flags, &[])
    }

    /// Starts a server with these flags, of a game with this page.
    pub fn start_with_page(flags: &[&str], page: &'static [PageFile]) -> Self {
        let fixed = [
            "test",
            "--listen",
            "127.0.0.1:0",
            "--ops-listen",
            "127.0.0.1:0",
            "--ops-host",
            "game.example",
        ];
        let config = Config::load(fixed.iter().chain(flags)).unwrap();
        let metrics = Arc::new(Metrics::new().unwrap());
        let (sender, events) = mpsc::unbounded_channel();
        let late = Shutdown::new();
        let rooms = TestRooms {
            events: sender,
            late: late.clone(),
            rules: RulesModule::new(RULES),
        };
        let site = Site::new("test <game>", page, &config);
        let server = internals::start(
            Arc::new(config),
            Arc::new(rooms),
            site,
            Arc::clone(&metrics),
        )
        .unwrap();
        Self {
            addr: server.game_addr(),
            ops: server.ops_addr(),
            metrics,
            late,
            server,
            events,
        }
    }

    /// The next thing that reaches the rooms.
    pub async fn next_event(&mut self) -> RoomEvent {
        within(self.events.recv())
            .await
            .expect("the rooms are gone")
    }

    /// A client on `/ws`, and its connection at the server.
    pub async fn join(&mut self) -> (Client<TcpStream>, Arc<Connection>) {
        let client = Client::connect(self.addr, "/ws", "").await;
        match self.next_event().await {
            RoomEvent::Connected(connection, _) => (client, connection),
            other => panic!("expected a connection: {other:?}"),
        }
    }

    /// Skips events until a connection has ended. Returns its reason.
    pub async fn closed(&mut self) -> DisconnectReason {
        loop {
            if let RoomEvent::Closed(why) = self.next_event().await {
                return why;
            }
        }
    }

    /// The value of the first line of `/metrics` that starts like this.
    pub fn metric(&self, line_start: &str) -> String {
        let text = String::from_utf8(self.metrics.render().unwrap().0).unwrap();
        let line = text.lines().find(|line| line.starts_with(line_start));
        let line = line.unwrap_or_else(|| panic!("no {line_start} in {text}"));
        line.rsplit(' ').next().unwrap().to_owned()
    }
}

/// A client that sends the bytes of the test, right or wrong.
pub struct Client<S> {
    pub stream: S,
    pub response: String,
    received: Vec<u8>,
}

/// A frame from the server, which must be unmasked and unfragmented.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame {
    pub opcode: u8,
    pub payload: Vec<u8>,
}

pub const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
pub const UPGRADE: &str = "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n";
pub const VERSION: &str = "Sec-WebSocket-Version: 13\r\n";

/// The bytes of a request.
pub fn request(method: &str, path: &str, headers: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: game.example:7777\r\n{headers}\r\n")
}

/// A masked frame; `first` is its first byte.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [9, 8, 7, 6];
    let mut bytes = vec![first];
    match payload.len() {
        len @ 0..126 => bytes.push(0x80 | len as u8),
        len @ 126..65536 => {
            bytes.push(0x80 | 126);
            bytes.extend_from_slice(&(len as u16).to_be_bytes());
        }
        len => {
            bytes.push(0x80 | 127);
            bytes.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(&mask);
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(b, m)| b ^ m));
    bytes
}

impl Client<TcpStream> {
    /// Opens a WebSocket, with further headers.
    pub async fn connect(addr: SocketAddr, path: &str, headers: &str) -> Self {
        Self::over(TcpStream::connect(addr).await.unwrap(), path, headers).await
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    /// Opens a WebSocket over any stream, with further headers.
    pub async fn over(stream: S, path: &str, headers: &str) -> Self {
        let headers = format!("{UPGRADE}{VERSION}{KEY}{headers}");
        let client = Self::asked(stream, request("GET", path, &headers).as_bytes()).await;
        assert!(
            client.response.starts_with("HTTP/1.1 101"),
            "{}",
            client.response
        );
        let accept = "sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=";
        assert!(client.response.to_ascii_lowercase().contains(accept));
        client
    }

    /// Sends a request, and reads the head of the answer.
    pub async fn asked(stream: S, request: &[u8]) -> Self {
        let mut client = Self {
            stream,
            response: String::new(),
            received: Vec::new(),
        };
        client.send(request).await;
        loop {
            let end = client.received.windows(4).position(|w| w == b"\r\n\r\n");
            if let Some(end) = end {
                let head: Vec<u8> = client.received.drain(..end + 4).collect();
                client.response = String::from_utf8(head).unwrap();
                return client;
            }
            assert!(client.more().await, "no answer: {:?}", client.received);
        }
    }

    async fn more(&mut self) -> bool {
        matches!(
            within(self.stream.read_buf(&mut self.received)).await,
            Ok(1..)
        )
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
        // TLS may hold back what the socket did not take at once.
        self.stream.flush().await.unwrap();
    }

    /// The next frame that is not a ping; `None`: the stream has ended.
    pub async fn next(&mut self) -> Option<Frame> {
        loop {
            let frame = self.next_or_ping().await?;
            if frame.opcode != 9 {
                return Some(frame);
            }
        }
    }

    /// The next frame, pings included; `None`: the stream has ended.
    pub async fn next_or_ping(&mut self) -> Option<Frame> {
        loop {
            if let Some((head, len)) = frame_size(&self.received)
                && self.received.len() >= head + len
            {
                assert_eq!(
                    self.received[0] & 0xF0,
                    0x80,
                    "a fragment, or reserved bits"
                );
                let opcode = self.received[0] & 0x0F;
                let payload = self.received[head..head + len].to_vec();
                self.received.drain(..head + len);
                return Some(Frame { opcode, payload });
            }
            if !self.more().await {
                assert_eq!(self.received, b"", "the stream ended inside of a frame");
                return None;
            }
        }
    }

    /// The bytes after the head of an answer, until the stream ends.
    pub async fn body(mut self) -> String {
        while self.more().await {}
        String::from_utf8(self.received).unwrap()
    }

    /// Expects a close frame with this code, and then the end of the stream. Returns the frame's reason.
    pub async fn closed_with(&mut self, code: u16) -> String {
        let frame = self
            .next()
            .await
            .expect("the stream ended without a close frame");
        assert_eq!(frame.opcode, 8, "{frame:?}");
        let got = u16::from_be_bytes([frame.payload[0], frame.payload[1]]);
        let reason = String::from_utf8(frame.payload[2..].to_vec()).unwrap();
        assert_eq!(got, code, "{reason}");
        self.send_if_possible(&super::support::frame(0x88, &frame.payload))
            .await;
        assert_eq!(self.next().await, None);
        reason
    }

    /// Sends to a server that may have ended the connection.
    pub async fn send_if_possible(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes).await;
    }
}

/// The lengths of a frame's header and payload; `None`: the header is incomplete.
fn frame_size(bytes: &[u8]) -> Option<(usize, usize)> {
    assert!(
        bytes.len() < 2 || bytes[1] & 0x80 == 0,
        "a server's frame is masked"
    );
    match bytes.get(1)? {
        126 => Some((
            4,
            usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().unwrap())),
        )),
        127 => {
            let len = u64::from_be_bytes(bytes.get(2..10)?.try_into().unwrap());
            Some((10, len as usize))
        }
        &len => Some((2, usize::from(len))),
    }
}

/// Sends one request on a connection of its own. Returns head and body of the answer.
pub async fn http(addr: SocketAddr, method: &str, path: &str, body: &str) -> (String, String) {
    let headers = format!("Connection: close\r\nContent-Length: {}\r\n", body.len());
    http_with(addr, method, path, &headers, body).await
}

/// Sends one request with these headers. Returns head and body of the answer.
pub async fn http_with(
    addr: SocketAddr,
    method: &str,
    path: &str,
    headers: &str,
    body: &str,
) -> (String, String) {
    let stream = TcpStream::connect(addr).await.unwrap();
    let request = request(method, path, headers) + body;
    let client = Client::asked(stream, request.as_bytes()).await;
    (client.response.clone(), client.body().await)
}

/// Whether the server has closed a connection without a byte.
pub fn is_at_end(stream: &TcpStream) -> bool {
    match stream.try_read(&mut [0]) {
        Ok(count) => count == 0,
        Err(error) => error.kind() != std::io::ErrorKind::WouldBlock,
    }
}
