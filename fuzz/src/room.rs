//! A room and two clients: whatever they say, the room goes on, and a client that takes what it is sent stays in sync.
//!
//! Input: messages (see [`crate::messages`]). The first byte of each says who sends it and what happens then; the rest is a
//! `ClientMessage`. Bit 0: the client. Bit 1: its connection breaks first. Bit 2: from now on its connection takes snapshots, or takes
//! none. Bits 3 and 4: how many ticks follow. Bit 5: the room is late with them.

use crate::messages::split;
use prost::Message as _;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tickwire_game::glam::IVec2;
use tickwire_game::{Game, Identity, Recipient, Refusal, SaveError, ShotOutcome, Step};
use tickwire_proto::v1::{self, client_message, server_message::Body};
use tickwire_server::internals::{
    ChatLine, Close, DisconnectReason, Inbox, InboxMessage, JoinRequest, Link, Moment,
    ReceivedInput, Room, RoomSettings, SendOutcome, SendRequest,
};
use tickwire_sync::bench_policies::{ViewPolicy, WindowPolicy};
use tickwire_sync::client::{ApplyOutcome, Replica};
use tickwire_sync::encode::{Encoding, HeaderDecoder};
use tickwire_sync::frame::Publisher;
use tickwire_sync::interest::InterestArea;
use tickwire_sync::{
    EntityId, Grid, Kind, KindId, Lane, Layer, LayerSet, Micros, PlayerId, Schema, Scope, Tick,
    TickClock,
};

const TICK_RATE: u32 = 60;
/// Ticks of one run, so that an input cannot ask for hours.
const MAX_TICKS: u32 = 600;
const MAX_MESSAGE_BYTES: usize = 4096;

/// One run of the target.
///
/// # Panics
/// If the room panics, or a client gets out of sync.
pub fn run(input: &[u8]) {
    let mut world = after(input);
    // The connections take everything again, and all clients catch up.
    for client in &world.clients {
        if let Some(link) = &client.link {
            link.is_full.store(false, Ordering::Relaxed);
        }
    }
    for _ in 0..4 {
        world.tick(false);
    }
}

/// The saved state of the room after an input, as a seed of the target `saved_room`.
///
/// # Panics
/// If the room panics.
#[must_use]
pub fn state_after(input: &[u8]) -> Vec<u8> {
    let world = after(input);
    let moment = Moment {
        now: world.now,
        unix_ms: 1_800_000_000_000,
    };
    let mut state = Vec::new();
    let saved = world.room.save(moment, &mut state);
    saved.expect("the game saves its state");
    state
}

fn after(input: &[u8]) -> World {
    let mut world = World::new();
    for message in split(input) {
        let Some((&action, message)) = message.split_first() else {
            continue;
        };
        let client = usize::from(action & 1);
        if action & 2 != 0 {
            world.clients[client].disconnect();
        }
        if action & 4 != 0
            && let Some(link) = &world.clients[client].link
        {
            link.is_full.fetch_xor(true, Ordering::Relaxed);
        }
        if message.len() <= MAX_MESSAGE_BYTES {
            world.receive(client, message);
        }
        for _ in 0..action >> 3 & 3 {
            world.tick(action & 32 != 0);
        }
    }
    world
}

struct World {
    room: Room<MemoryLink>,
    tick: Tick,
    now: Micros,
    clients: [Client; 2],
}

/// The settings of the rooms of the fuzz targets.
pub(crate) fn settings() -> RoomSettings {
    RoomSettings {
        rules_module: None,
        moderation: Arc::default(),
        tick_rate: TICK_RATE,
        max_players: 3,
        resume_window: Duration::from_secs(1),
        max_message_bytes: MAX_MESSAGE_BYTES,
        hash_every_snapshot: false,
        max_rewind: Duration::from_millis(250),
        view_policy: ViewPolicy::default(),
        window_policy: WindowPolicy::default(),
    }
}

impl World {
    fn new() -> Self {
        let ticks = TickClock {
            tick_zero_us: 0,
            tick_rate: TICK_RATE,
        };
        let game = Box::new(Walkers::default());
        Self {
            room: Room::new("fuzz", settings(), game, ticks, [7; 32]),
            tick: Tick(0),
            now: Micros(0),
            clients: Default::default(),
        }
    }

    /// Takes a message as the lobby does: it ends in a validated type, or is dropped here.
    fn receive(&mut self, client: usize, message: &[u8]) {
        let Some((_, inbox)) = self.clients[client].joined() else {
            return self.join(client, message);
        };
        if let Some(input) = ReceivedInput::decode(message, self.now) {
            inbox.put(InboxMessage::Input(input));
            return;
        }
        let Ok(v1::ClientMessage { body: Some(body) }) = v1::ClientMessage::decode(message) else {
            return;
        };
        use client_message::Body;
        let message = match body {
            Body::Inputs(inputs) => match ReceivedInput::new(&inputs, self.now) {
                Some(input) => InboxMessage::Input(input),
                None => return,
            },
            Body::Chat(chat) => match ChatLine::new(&chat.text) {
                Some(line) => InboxMessage::Chat(line),
                None => return,
            },
            Body::Command(v1::Command { number, payload }) => {
                InboxMessage::Command { number, payload }
            }
            Body::Resync(resync) => InboxMessage::Resync {
                view_mismatch: resync.view_mismatch,
            },
            Body::Leave(leave) => InboxMessage::Leave {
                grace: Duration::from_millis(leave.grace_ms.into()),
            },
            Body::Hello(_) | Body::Ping(_) => return,
        };
        inbox.put(message);
    }

    fn join(&mut self, client: usize, message: &[u8]) {
        let Ok(v1::ClientMessage {
            body: Some(client_message::Body::Hello(hello)),
        }) = v1::ClientMessage::decode(message)
        else {
            return;
        };
        let encoding = Encoding::negotiate(hello.encoding());
        let mut request = JoinRequest {
            address: Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, client as u8))),
            last_message: hello.last_message,
            takes_cell_parts: hello.cell_parts,
            encoding,
            is_spectator: hello.spectate,
            name: hello.name,
            resume_token: hello.resume_token,
            ..JoinRequest::default()
        };
        request.map.takes_parts = hello.map_parts;
        request.map.id = hello.map_id;
        request.map.bytes = hello.map_offset;
        // No fuzzer guesses a token, but it can ask for the last one.
        if request.resume_token == b"mine" {
            request.resume_token.clone_from(&self.clients[client].token);
        }
        let (link, inbox) = (Arc::new(MemoryLink::default()), Arc::new(Inbox::default()));
        let joined = self
            .room
            .join(&request, Arc::clone(&link), Arc::clone(&inbox), self.now);
        if joined.is_ok() {
            let client = &mut self.clients[client];
            (client.link, client.inbox) = (Some(link), Some(inbox));
            client.is_packed = encoding == Encoding::Packed;
        }
        self.read();
    }

    fn tick(&mut self, is_late: bool) {
        if self.tick.0 == MAX_TICKS {
            return;
        }
        self.tick = self.tick.next();
        self.now = self.now.plus(Micros(1_000_000 / u64::from(TICK_RATE)));
        let now = self.now;
        self.room.tick(self.tick, now, || now);
        if is_late {
            self.room.skip_replication(now, || now);
        } else {
            self.room.replicate(now, || now);
        }
        let _ = self.room.take_stats();
        self.read();
    }

    /// The clients read what they were sent.
    fn read(&mut self) {
        for client in &mut self.clients {
            client.read();
        }
    }
}

#[derive(Default)]
struct Client {
    link: Option<Arc<MemoryLink>>,
    inbox: Option<Arc<Inbox>>,
    is_packed: bool,
    token: Vec<u8>,
    replica: Option<Replica>,
    headers: HeaderDecoder,
}

impl Client {
    fn joined(&self) -> Option<(&MemoryLink, &Inbox)> {
        Some((self.link.as_deref()?, self.inbox.as_deref()?))
    }

    fn disconnect(&mut self) {
        if let Some(inbox) = self.inbox.take() {
            inbox.put(InboxMessage::ConnectionClosed(DisconnectReason::Lost));
        }
        self.link = None;
    }

    fn read(&mut self) {
        let Some(link) = &self.link else { return };
        let messages = std::mem::take(&mut *link.lock());
        let is_closed = link.is_closed.load(Ordering::Relaxed);
        for message in messages {
            let decoded = v1::ServerMessage::decode(&message[..]);
            let body = decoded.expect("the server writes its own protocol").body;
            self.take(body.expect("every message of the server has a body"));
        }
        if is_closed {
            self.disconnect();
        }
    }

    fn take(&mut self, body: Body) {
        match body {
            Body::Welcome(welcome) => {
                let schema = welcome.schema.expect("Welcome has a schema");
                let schema = Schema::from_proto(&schema).expect("the schema can be used");
                let mut replica = Replica::new(Arc::new(schema));
                if let Some(codebooks) = &welcome.codebooks {
                    let taken = replica.update_codebooks(codebooks);
                    assert!(taken.is_ok(), "codebooks fit the schema");
                }
                self.replica = Some(replica);
                self.headers = HeaderDecoder::default();
                self.token = welcome.resume_token;
            }
            Body::Snapshot(mut snapshot) => {
                let replica = self.replica.as_mut().expect("Welcome comes first");
                if self.is_packed {
                    self.headers.decode(&mut snapshot);
                }
                match replica.apply(&snapshot, &mut ()) {
                    Ok(ApplyOutcome::Applied { view_hash_agreed }) => {
                        assert_ne!(view_hash_agreed, Some(false), "the client is in sync");
                    }
                    other => panic!("a snapshot of the server is applied: {other:?}"),
                }
                replica.take_events();
            }
            Body::Codebooks(codebooks) => {
                let replica = self.replica.as_mut().expect("Welcome comes first");
                let taken = replica.update_codebooks(&codebooks);
                assert!(taken.is_ok(), "codebooks fit the schema");
            }
            Body::Message(message) => {
                assert!(message.number > 0, "reliable messages count from 1");
            }
            _ => {}
        }
    }
}

/// A connection in memory.
#[derive(Debug, Default)]
pub(crate) struct MemoryLink {
    sent: Mutex<Vec<Vec<u8>>>,
    /// Takes no snapshots.
    is_full: AtomicBool,
    is_closed: AtomicBool,
}

impl MemoryLink {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Vec<u8>>> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Link for MemoryLink {
    fn try_send(requests: &mut [SendRequest<'_, Self>]) {
        for one in requests {
            one.outcome = if one.link.is_closed.load(Ordering::Relaxed) {
                SendOutcome::Closed
            } else if one.link.is_full.load(Ordering::Relaxed) {
                SendOutcome::WouldBlock
            } else {
                let messages = one.messages.iter().map(|message| message.to_vec());
                one.link.lock().extend(messages);
                SendOutcome::Sent
            };
        }
    }

    fn send(&self, message: &[u8]) {
        self.lock().push(message.to_vec());
    }

    fn close(&self, _: &Close) {
        self.is_closed.store(true, Ordering::Relaxed);
    }

    fn round_trip(&self) -> Option<Micros> {
        Some(Micros(20_000))
    }

    fn pending_bytes(&self) -> usize {
        0
    }
}

/// Players who walk by their inputs, shoot back in time, ring bells by commands, and send texts around.
#[derive(Default)]
pub(crate) struct Walkers {
    players: Vec<(PlayerId, [i32; 3])>,
    newest_text: Vec<u8>,
}

impl Walkers {
    fn id(player: PlayerId) -> EntityId {
        EntityId {
            kind: KindId(0),
            slot: player.0 % 4096,
            generation: player.0 / 4096 + 1,
        }
    }
}

impl Game for Walkers {
    fn name(&self) -> &'static str {
        "walkers"
    }

    fn schema(&self) -> Arc<Schema> {
        Arc::new(Schema {
            kinds: vec![Kind {
                name: "walker".into(),
                lanes: vec![
                    Lane::continuous("x", "unit"),
                    Lane::continuous("y", "unit"),
                    Lane::angle("heading", "1/256 turn", 256),
                ],
                placed: true,
                ..Kind::default()
            }],
            events: vec!["bell".into()],
            grid: Grid::covering(IVec2::ZERO, IVec2::splat(1_000), 100),
            ..Schema::default()
        })
    }

    fn map(&self) -> Vec<u8> {
        (0..100).collect()
    }

    fn rules_hash(&self) -> u64 {
        0
    }

    fn join(&mut self, player: PlayerId, identity: &Identity) -> Result<Option<EntityId>, Refusal> {
        assert!(!identity.name.is_empty(), "every player has a name");
        if identity.is_spectator {
            return Ok(None);
        }
        self.players.push((player, [500, 500, 0]));
        Ok(Some(Self::id(player)))
    }

    fn command(&mut self, _: PlayerId, payload: &[u8]) {
        self.newest_text = payload.to_vec();
    }

    fn chat(&mut self, _: PlayerId, line: &str) -> bool {
        assert!(!line.is_empty() && !line.contains('\n'), "chat is clean");
        self.newest_text = line.as_bytes().to_vec();
        !line.starts_with('/')
    }

    fn leave(&mut self, player: PlayerId) {
        self.players.retain(|(one, _)| *one != player);
    }

    fn save(&self, out: &mut Vec<u8>) -> Result<(), SaveError> {
        for (player, lanes) in &self.players {
            out.extend(player.0.to_le_bytes());
            out.extend(lanes.iter().flat_map(|lane| lane.to_le_bytes()));
        }
        Ok(())
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), SaveError> {
        let unreadable = || SaveError::Unreadable("no walkers".to_owned());
        for bytes in state.chunks(16) {
            let (numbers, []) = bytes.as_chunks::<4>() else {
                return Err(unreadable());
            };
            let [player, x, y, heading] = *numbers else {
                return Err(unreadable());
            };
            let player = PlayerId(u32::from_le_bytes(player));
            let [x, y, heading] = [x, y, heading].map(i32::from_le_bytes);
            let is_new = (self.players.iter())
                .all(|(other, _)| Self::id(*other).slot != Self::id(player).slot);
            if !is_new || ![x, y].iter().all(|lane| (0..1_000).contains(lane)) {
                return Err(unreadable());
            }
            self.players.push((player, [x, y, heading.rem_euclid(256)]));
        }
        Ok(())
    }

    fn step(&mut self, step: &mut Step<'_>) {
        let text = std::mem::take(&mut self.newest_text);
        if !text.is_empty() {
            let cell = step.grid().cell_at(IVec2::splat(500), Layer(0));
            step.events.emit(0, &text, [cell]);
            step.messages.send(Recipient::Everyone, text);
        }
        for (player, [x, y, heading]) in &mut self.players {
            let Some(input) = step.inputs.of(*player) else {
                continue;
            };
            if let [dx, dy, ..] = *input.payload() {
                *x = (*x + i32::from(dx as i8)).clamp(0, 999);
                *y = (*y + i32::from(dy as i8)).clamp(0, 999);
                *heading = (*heading + i32::from(dx)) % 256;
            }
            if input.fresh_seq().is_some() {
                let world = step.rewound_for(&input);
                let mut lanes = Vec::new();
                let hit = (world.entities(KindId(0))).any(|id| world.row(id, &mut lanes));
                let outcome = if hit {
                    ShotOutcome::Hit
                } else {
                    ShotOutcome::Miss
                };
                step.shots.count(outcome, step.tick, &input);
            }
        }
    }

    fn publish(&self, out: &mut Publisher<'_>) {
        for (player, lanes) in &self.players {
            out.put(Self::id(*player), Scope::Layer(Layer(0)), lanes, &[]);
            out.own(*player, Self::id(*player), &[]);
        }
    }

    fn interest_area(&self, player: PlayerId) -> InterestArea {
        let own = self.players.iter().find(|(one, _)| *one == player);
        let focus = own.map_or(IVec2::splat(500), |(_, lanes)| {
            IVec2::new(lanes[0], lanes[1])
        });
        InterestArea {
            focus,
            half_extent: IVec2::splat(150),
            layers: LayerSet::default(),
        }
    }
}
