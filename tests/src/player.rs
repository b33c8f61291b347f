//! The client core on a socket, one step at a time.

use futures_util::{SinkExt as _, StreamExt as _};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tickwire_client::{Action, Client, Incoming, LinkId, Options, Phase};
use tickwire_sync::Micros;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

/// How often a player looks at the time.
const STEP: Duration = Duration::from_millis(4);

enum Heard {
    Opened(LinkId, mpsc::UnboundedSender<Message>),
    Received(LinkId, Vec<u8>),
    Closed(LinkId, Option<u16>, String),
}

/// See the module's head.
pub struct Player {
    /// The core.
    pub client: Client,
    /// What came besides the world.
    pub incoming: Vec<Incoming>,
    /// What the player does in each tick.
    pub payload: Vec<u8>,
    url: String,
    start: Instant,
    heard: mpsc::UnboundedReceiver<Heard>,
    hears: mpsc::UnboundedSender<Heard>,
    links: BTreeMap<LinkId, mpsc::UnboundedSender<Message>>,
    tasks: BTreeMap<LinkId, JoinHandle<()>>,
}

impl Player {
    /// A player who is about to connect.
    #[must_use]
    pub fn new(url: &str, options: Options) -> Self {
        let (hears, heard) = mpsc::unbounded_channel();
        Self {
            client: Client::new(options, Micros(0)),
            incoming: Vec::new(),
            payload: Vec::new(),
            url: url.to_owned(),
            start: Instant::now(),
            heard,
            hears,
            links: BTreeMap::new(),
            tasks: BTreeMap::new(),
        }
    }

    /// A player who is in the room and has seen a first snapshot.
    pub async fn joined(url: &str, name: &str) -> Self {
        let mut player = Self::new(
            url,
            Options {
                name: name.to_owned(),
                ..Options::default()
            },
        );
        player
            .until("the first snapshot", |player| {
                player.client.counters().snapshots > 0
            })
            .await;
        player
    }

    /// The player's clock.
    #[must_use]
    pub fn now(&self) -> Micros {
        Micros(self.start.elapsed().as_micros() as u64)
    }

    /// Whether the session is in the room.
    #[must_use]
    pub fn is_playing(&self) -> bool {
        *self.client.phase() == Phase::Playing
    }

    /// Goes on until `done`.
    ///
    /// # Panics
    /// If that does not come.
    pub async fn until(&mut self, what: &str, mut done: impl FnMut(&mut Self) -> bool) {
        crate::within(what, async {
            while !done(self) {
                self.step().await;
            }
        })
        .await;
    }

    /// Goes on for this many snapshots.
    pub async fn for_snapshots(&mut self, count: u64) {
        let until = self.client.counters().snapshots + count;
        self.until("more snapshots", |player| {
            player.client.counters().snapshots >= until
        })
        .await;
    }

    /// Drops the sockets as a crashed machine would, without telling the core.
    pub fn cut(&mut self) {
        for (link, task) in std::mem::take(&mut self.tasks) {
            task.abort();
            self.links.remove(&link);
            let _ = self.hears.send(Heard::Closed(link, None, "cut".to_owned()));
        }
    }

    /// Takes what came, and does what is due.
    pub async fn step(&mut self) {
        let _ = tokio::time::timeout(STEP, self.heard.recv())
            .await
            .map(|heard| heard.map(|heard| self.take(heard)));
        while let Ok(heard) = self.heard.try_recv() {
            self.take(heard);
        }
        let now = self.now();
        self.client.poll(now);
        while self.client.due(now).is_some() {
            let payload = if self.client.is_spectator() {
                Vec::new()
            } else {
                self.payload.clone()
            };
            self.client.input(&payload);
        }
        while let Some(action) = self.client.next_action() {
            self.act(action);
        }
        while let Some(incoming) = self.client.next_incoming() {
            self.incoming.push(incoming);
        }
    }

    fn take(&mut self, heard: Heard) {
        let now = self.now();
        match heard {
            Heard::Opened(link, sender) => {
                self.links.insert(link, sender);
                self.client.opened(link, now);
            }
            Heard::Received(link, message) => self.client.received(link, &message, now),
            Heard::Closed(link, code, reason) => {
                self.links.remove(&link);
                self.client.closed(link, code, &reason, now);
            }
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Open(link) => {
                let task = tokio::spawn(run_link(link, self.url.clone(), self.hears.clone()));
                self.tasks.insert(link, task);
            }
            Action::Send(link, message) => {
                if let Some(sender) = self.links.get(&link) {
                    let _ = sender.send(Message::binary(message));
                }
            }
            Action::Close(link) => {
                if let Some(sender) = self.links.remove(&link) {
                    let _ = sender.send(Message::Close(None));
                }
            }
        }
    }
}

async fn run_link(link: LinkId, url: String, hears: mpsc::UnboundedSender<Heard>) {
    let mut request = url.into_client_request().unwrap();
    request.headers_mut().insert(
        "sec-websocket-protocol",
        tickwire_proto::SUBPROTOCOL.parse().unwrap(),
    );
    let Ok((socket, _)) = tokio_tungstenite::connect_async(request).await else {
        let _ = hears.send(Heard::Closed(link, None, "no connection".to_owned()));
        return;
    };
    if let tokio_tungstenite::MaybeTlsStream::Plain(tcp) = socket.get_ref() {
        let tcp: &TcpStream = tcp;
        tcp.set_nodelay(true).unwrap();
    }
    let (mut sink, mut stream) = socket.split();
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let _ = hears.send(Heard::Opened(link, sender));
    let mut end = (None, "lost".to_owned());
    loop {
        tokio::select! {
            message = receiver.recv() => match message {
                Some(message) => if sink.send(message).await.is_err() { break },
                None => break,
            },
            message = stream.next() => match message {
                Some(Ok(Message::Binary(bytes))) => { let _ = hears.send(Heard::Received(link, bytes.to_vec())); }
                Some(Ok(Message::Close(frame))) => {
                    end = frame.map_or((None, String::new()), |frame| (Some(frame.code.into()), frame.reason.to_string()));
                    break;
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => break,
            },
        }
    }
    let _ = hears.send(Heard::Closed(link, end.0, end.1));
}
