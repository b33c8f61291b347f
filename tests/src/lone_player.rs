//! A real room and the client core of one player, over a simulated line in simulated time.
//!
//! In: the true time, one millisecond after the other, and how far the player's clock is from it. Out: the room's counts, and the client.
//! No clock is read, and nothing is random but the line's jitter, which is seeded.

use crate::walkers::{Walkers, native};
use prost::Message as _;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tickwire_client::{Action, Client, LinkId, Options};
use tickwire_proto::v1::{self, client_message, server_message};
use tickwire_server::internals::{
    Close, Inbox, InboxMessage, InputOutcome, JoinRequest, Link, ReceivedInput, Room, RoomSettings,
    SendOutcome, SendRequest,
};
use tickwire_sync::bench_policies::{ViewPolicy, WindowPolicy};
use tickwire_sync::encode::Encoding;
use tickwire_sync::{Micros, Tick, TickClock};

const TICKS: TickClock = TickClock {
    tick_zero_us: 0,
    tick_rate: 60,
};
/// How often the shell of the client wakes.
const WAKE_MS: u64 = 8;
/// How far the player's clock is from the true one at first.
const FIRST_OFFSET_US: i64 = 10_000_000_000;

/// The server's end of the line.
#[derive(Default)]
struct ServerEnd {
    sent: Mutex<Vec<Vec<u8>>>,
    closed: Mutex<Option<Close>>,
}

impl Link for ServerEnd {
    fn try_send(requests: &mut [SendRequest<'_, Self>]) {
        for one in requests {
            let messages = one.messages.iter().map(|message| message.to_vec());
            one.link.sent.lock().unwrap().extend(messages);
            one.outcome = SendOutcome::Sent;
        }
    }

    fn send(&self, message: &[u8]) {
        self.sent.lock().unwrap().push(message.to_vec());
    }

    fn close(&self, close: &Close) {
        (self.closed.lock().unwrap()).get_or_insert_with(|| close.clone());
    }

    fn round_trip(&self) -> Option<Micros> {
        None
    }

    fn pending_bytes(&self) -> usize {
        0
    }
}

/// One direction of the line.
struct Way {
    delay_ms: u64,
    jitter_ms: u64,
    random: fastrand::Rng,
    /// Each message with its arrival, in true milliseconds. Nothing overtakes.
    under_way: VecDeque<(u64, Vec<u8>)>,
}

impl Way {
    fn send(&mut self, message: Vec<u8>, now_ms: u64) {
        let arrival = now_ms + self.delay_ms + self.random.u64(0..=self.jitter_ms);
        let newest = self.under_way.back().map_or(0, |(arrival, _)| *arrival);
        self.under_way.push_back((arrival.max(newest), message));
    }

    fn arrived(&mut self, now_ms: u64) -> Option<Vec<u8>> {
        let (_, message) = self
            .under_way
            .pop_front_if(|(arrival, _)| *arrival <= now_ms)?;
        Some(message)
    }
}

fn new_room(ticks: TickClock) -> Room<ServerEnd> {
    let settings = RoomSettings {
        moderation: Arc::default(),
        rules_module: None,
        tick_rate: ticks.tick_rate,
        max_players: 1,
        resume_window: Duration::from_secs(60),
        max_message_bytes: 4096,
        hash_every_snapshot: false,
        max_rewind: Duration::from_millis(250),
        view_policy: ViewPolicy::default(),
        window_policy: WindowPolicy::default(),
    };
    let game = Box::new(Walkers::new(&[]));
    let mut room = Room::new("simulated", settings, game, ticks, [1; 32]);
    // As a worker does when it opens a room.
    room.skip_to(Tick(ticks.ticks_at(0.0) as u32));
    room
}

/// A player alone in a room of [`Walkers`].
pub struct LonePlayer {
    /// The client core.
    pub client: Client,
    /// The input of every tick.
    pub payload: Vec<u8>,
    /// Whether the player's device stands still: no message is read and no timer runs.
    pub is_asleep: bool,
    /// How many inputs the room has applied at their ticks.
    pub applied: u64,
    /// Whether the server reads once a tick, and so holds each ping until the next one.
    pub holds_pings: bool,
    /// When each ping arrived that is held, and its stamp.
    held_pings: Vec<(Micros, u64)>,
    ticks: TickClock,
    room: Room<ServerEnd>,
    server_end: Arc<ServerEnd>,
    inbox: Arc<Inbox>,
    link: LinkId,
    up: Way,
    down: Way,
    now_ms: u64,
    /// The player's clock minus the true one.
    offset_us: i64,
    /// The steps in which the player's clock is read, in microseconds.
    clock_step_us: u64,
}

impl LonePlayer {
    /// A player about to connect, over a line with this delay each way and up to so much jitter.
    #[must_use]
    pub fn new(delay_ms: u64, jitter_ms: u64) -> Self {
        Self::with_room_of_age(delay_ms, jitter_ms, 0)
    }

    /// A player about to connect to a room that has made so many ticks.
    #[must_use]
    pub fn with_room_of_age(delay_ms: u64, jitter_ms: u64, ticks: u32) -> Self {
        let ticks = TickClock {
            tick_zero_us: -(i64::from(ticks) * 1_000_000 / i64::from(TICKS.tick_rate)),
            ..TICKS
        };
        let way = |seed| Way {
            delay_ms,
            jitter_ms,
            random: fastrand::Rng::with_seed(seed),
            under_way: VecDeque::new(),
        };
        let start = Micros(FIRST_OFFSET_US as u64);
        let client =
            Client::new(Options::default(), start).with_rules(|_, _, _| Some(Box::new(native())));
        Self {
            client,
            payload: vec![1, 0],
            is_asleep: false,
            applied: 0,
            holds_pings: false,
            held_pings: Vec::new(),
            ticks,
            room: new_room(ticks),
            server_end: Arc::default(),
            inbox: Arc::default(),
            link: LinkId(0),
            up: way(1),
            down: way(2),
            now_ms: 0,
            offset_us: FIRST_OFFSET_US,
            clock_step_us: 1,
        }
    }

    /// What the player's clock reads.
    #[must_use]
    pub fn now(&self) -> Micros {
        let exact = (self.now_ms * 1_000).saturating_add_signed(self.offset_us);
        Micros(exact - exact % self.clock_step_us)
    }

    /// Sets the player's clock ahead, or back if `by_ms` is negative.
    pub fn set_clock(&mut self, by_ms: i64) {
        self.offset_us += by_ms * 1_000;
    }

    /// Lets the player's clock show the time in steps.
    pub fn set_clock_step(&mut self, ms: u64) {
        self.clock_step_us = ms * 1_000;
    }

    /// Lets time pass. `look`: called every millisecond with the player, and how many of them have passed.
    pub fn pass(&mut self, ms: u64, mut look: impl FnMut(&mut Self, u64)) {
        for passed in 1..=ms {
            self.now_ms += 1;
            self.serve();
            if !self.is_asleep {
                self.play();
            }
            look(self, passed);
        }
    }

    /// The server's part of a millisecond.
    fn serve(&mut self) {
        let now = Micros(self.now_ms * 1_000);
        while let Some(message) = self.up.arrived(self.now_ms) {
            self.take(&message, now);
        }
        let due = Tick(self.ticks.ticks_at(now.0 as f64) as u32);
        if due > self.room.tick_now() {
            for (arrived, stamp) in std::mem::take(&mut self.held_pings) {
                self.pong(stamp, arrived, now);
            }
            self.room.tick(due, now, || now);
            self.room.replicate(now, || now);
            self.applied += self.room.take_stats().inputs[InputOutcome::Applied as usize];
        }
        for message in std::mem::take(&mut *self.server_end.sent.lock().unwrap()) {
            self.down.send(message, self.now_ms);
        }
    }

    fn take(&mut self, message: &[u8], now: Micros) {
        let message = v1::ClientMessage::decode(message).unwrap();
        match message.body.unwrap() {
            client_message::Body::Hello(hello) => {
                let request = JoinRequest {
                    name: hello.name,
                    resume_token: hello.resume_token,
                    last_message: hello.last_message,
                    encoding: Encoding::Packed,
                    takes_cell_parts: hello.cell_parts,
                    ..JoinRequest::default()
                };
                let (link, inbox) = (Arc::clone(&self.server_end), Arc::clone(&self.inbox));
                self.room.join(&request, link, inbox, now).unwrap();
            }
            client_message::Body::Inputs(inputs) => {
                if let Some(input) = ReceivedInput::new(&inputs, now) {
                    self.inbox.put(InboxMessage::Input(input));
                }
            }
            client_message::Body::Ping(ping) if self.holds_pings => {
                self.held_pings.push((now, ping.stamp));
            }
            client_message::Body::Ping(ping) => self.pong(ping.stamp, now, now),
            client_message::Body::Resync(resync) => {
                let view_mismatch = resync.view_mismatch;
                self.inbox.put(InboxMessage::Resync { view_mismatch });
            }
            other => panic!("the client sent {other:?}"),
        }
    }

    fn pong(&self, stamp: u64, arrived: Micros, now: Micros) {
        let body = Some(server_message::Body::Pong(v1::Pong {
            stamp,
            clock_us: now.0,
            held_us: now.since(arrived).0 as u32,
            tick: self.room.tick_now().0,
        }));
        (self.server_end).send(&v1::ServerMessage { body }.encode_to_vec());
    }

    /// The room ends with a goodbye, and a new one opens in its place.
    pub fn replace_room(&mut self) {
        self.room
            .say_goodbye("the room is very old", Duration::ZERO);
        let now = Micros(self.now_ms * 1_000);
        self.ticks.tick_zero_us = now.0 as i64;
        self.room = new_room(self.ticks);
    }

    /// What the server's clock reads in ticks of the room.
    #[must_use]
    pub fn server_ticks(&self) -> f64 {
        self.ticks.ticks_at((self.now_ms * 1_000) as f64)
    }

    /// The client's part of a millisecond.
    fn play(&mut self) {
        let now = self.now();
        while let Some(message) = self.down.arrived(self.now_ms) {
            self.client.received(self.link, &message, now);
        }
        if self.down.under_way.is_empty()
            && let Some(close) = self.server_end.closed.lock().unwrap().take()
        {
            let code = Some(close.code.number());
            self.client.closed(self.link, code, &close.reason, now);
        }
        if self.now_ms.is_multiple_of(WAKE_MS) {
            self.poll();
        }
        while let Some(action) = self.client.next_action() {
            match action {
                Action::Open(link) => {
                    self.link = link;
                    (self.server_end, self.inbox) = Default::default();
                    self.client.opened(link, now);
                }
                Action::Send(_, message) => self.up.send(message, self.now_ms),
                Action::Close(_) => {}
            }
        }
    }

    /// Makes the inputs that are due.
    pub fn poll(&mut self) {
        let now = self.now();
        self.client.poll(now);
        while self.client.next_due_tick(now).is_some() {
            self.client.input(&self.payload);
        }
    }
}
