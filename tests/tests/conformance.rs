//! The conformance game takes the project's own client through every feature of the protocol, and no view hash differs.
//!
//! A [`Witness`] is the client core on a real socket. It notes what the server's messages had and what the replica made of them. The
//! script repeats until everything wanted was seen: a machine that stalls for a moment misses something, and sees it in the next run.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use prost::Message as _;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tickwire_client::{Action, Client, LinkId, Options, SessionEvent};
use tickwire_conformance::{BLINK, Conformance, MAP_BYTES, MARK, PANEL, SCRIPT_TICKS, TALLY};
use tickwire_game::{Game, GameSettings};
use tickwire_proto::v1::{self, Encoding, client_message, server_message};
use tickwire_rules::encode_fields;
use tickwire_sync::client::{Lanes, Replica};
use tickwire_sync::{CellId, EntityId, Lane, Layer, Micros, RowKey};
use tickwire_tests::{PATIENCE, Player, RawClient, TestServer, within};

/// What every client sees in a run of the script.
const WANTED: &[&str] = &[
    "a cell dropped and added at once",
    "a cell of layer 1",
    "a cell of layer 2",
    "a continuous lane that changed",
    "a discrete lane that changed",
    "a discrete lane that wrapped",
    "a full snapshot again",
    "a lane that wrapped",
    "a lane that wrapped at 32 bits",
    "a layer that went",
    "a message to one player",
    "a message to those who see a layer",
    "a message to everybody",
    "a row that crossed between cells",
    "a row that is gone",
    "a row with 64 lanes",
    "a row without lanes",
    "a slot reused at once in another cell",
    "a slot reused at once in its cell",
    "a slot reused later",
    "a teleport",
    "a text that became empty",
    "a text that changed alone",
    "a text that changed with lanes",
    "added cells",
    "an event of kind beam",
    "an event of kind hit",
    "an event of kind nightfall",
    "an event of kind raw",
    "an event without a payload",
    "an input that came back",
    "an own line of chat",
    "as many events as a cell keeps of a tick",
    "dropped cells",
    "input_margin",
    "owned rows",
    "parts of the map",
    "several skipped ticks",
];
/// What a client sees that takes cells in parts.
const WANTED_OF_PARTS: &[&str] = &[
    "a cell in parts",
    "a cell that is whole again",
    "deferred bits",
];
/// What a client sees that does not.
const WANTED_OF_WHOLE_CELLS: &[&str] = &["deferred cells"];
/// What a client of the packed encoding sees.
const WANTED_OF_PACKED: &[&str] = &["codebooks"];
/// How long acks are withheld around the blink, in ticks: from this long before it.
const WITHHELD_BEFORE: u32 = 20;
const WITHHELD_TICKS: u32 = 45;
/// When the line is thin, so that cells are deferred, and how many bytes a second it carries then.
const THIN: std::ops::Range<u32> = 505..600;
const THIN_BYTES_PER_SECOND: u64 = 4_000;

/// A row as the last snapshot left it, with its cell.
#[derive(Clone, PartialEq)]
struct SeenRow {
    cell: CellId,
    id: EntityId,
    lanes: Lanes,
    texts: Vec<String>,
}

struct Witness {
    raw: RawClient,
    client: Client,
    start: Instant,
    takes_parts: bool,
    seen: BTreeMap<&'static str, u32>,
    rows: BTreeMap<RowKey, SeenRow>,
    /// The newest generation of each slot that was ever seen.
    generations: BTreeMap<RowKey, u32>,
    cells: BTreeSet<CellId>,
    /// The tick of the newest snapshot.
    tick: u32,
    /// Messages on the line, and when each has arrived.
    line: VecDeque<(Micros, server_message::Body)>,
    /// The ack that is repeated, and until which target tick.
    withheld: Option<(v1::Inputs, u32)>,
    has_asked_for_a_full_snapshot: bool,
    commands: Vec<Vec<u8>>,
    echoes: Vec<Vec<u8>>,
    newest_level: i32,
}

impl Witness {
    /// Plays in a new room until everything wanted was seen, and the script once at least.
    async fn play(server: &TestServer, room: &str, encoding: Encoding, takes_parts: bool) -> Self {
        let raw = RawClient::connect(server.addr, &format!("/ws?room={room}")).await;
        let options = Options {
            name: "Ada".into(),
            encoding,
            ..Options::default()
        };
        let mut client = Client::new(options, Micros(0));
        client.poll(Micros(0));
        let Some(Action::Open(link)) = client.next_action() else {
            panic!("the client does not connect");
        };
        client.opened(link, Micros(0));
        let mut witness = Self {
            raw,
            client,
            start: Instant::now(),
            takes_parts,
            seen: BTreeMap::new(),
            rows: BTreeMap::new(),
            generations: BTreeMap::new(),
            cells: BTreeSet::new(),
            tick: 0,
            line: VecDeque::new(),
            withheld: None,
            has_asked_for_a_full_snapshot: false,
            commands: Vec::new(),
            echoes: Vec::new(),
            newest_level: 0,
        };
        while witness.run() < 1 || !witness.missing(encoding).is_empty() {
            witness.step(link).await;
            // At least five runs.
            let missing = witness.missing(encoding);
            assert!(
                witness.start.elapsed() < PATIENCE,
                "{room}: not seen: {missing:?}; seen: {:#?}",
                witness.seen
            );
        }
        witness
    }

    fn now(&self) -> Micros {
        Micros(self.start.elapsed().as_micros() as u64)
    }

    fn note(&mut self, what: &'static str, is_seen: bool) {
        *self.seen.entry(what).or_default() += u32::from(is_seen);
    }

    fn missing(&self, encoding: Encoding) -> Vec<&'static str> {
        let of_cells = match self.takes_parts {
            true => WANTED_OF_PARTS,
            false => WANTED_OF_WHOLE_CELLS,
        };
        let of_encoding = match encoding {
            Encoding::Packed => WANTED_OF_PACKED,
            _ => &[],
        };
        let wanted = WANTED.iter().chain(of_cells).chain(of_encoding).copied();
        let is_missing = |what: &&str| self.seen.get(what).is_none_or(|count| *count == 0);
        wanted.filter(is_missing).collect()
    }

    /// Where the script was at the newest snapshot. The row of kind tally says where it was at the tick of its cell, which can be older.
    fn script_ticks(&self) -> u32 {
        let replica = self.client.replica();
        let tally = replica.and_then(|replica| replica.find_with_tick(RowKey::new(TALLY, 0)));
        tally.map_or(0, |(row, tick)| {
            let [at, run] = [row.lanes[0] as u32, row.lanes[1] as u32];
            run * SCRIPT_TICKS + at + self.client.newest_snapshot().0.since(tick)
        })
    }

    fn at(&self) -> u32 {
        self.script_ticks() % SCRIPT_TICKS
    }

    fn run(&self) -> u32 {
        self.script_ticks() / SCRIPT_TICKS
    }

    /// Sends what is pending, waits for a message or a timer, and makes the inputs that are due.
    async fn step(&mut self, link: LinkId) {
        self.send_pending().await;
        let on_line = self.line.front().map(|(arrival, _)| *arrival);
        let wake_at = self.client.wake_at(self.now());
        let wake_at = on_line.map_or(wake_at, |arrival| arrival.min(wake_at));
        let wake_at = self.start + Duration::from_micros(wake_at.0);
        let next = tokio::time::timeout_at(wake_at.into(), self.raw.next()).await;
        if let Ok(message) = next {
            let body = message.unwrap_or_else(|end| panic!("the connection ended: {end:?}"));
            self.put_on_line(body);
        }
        let now = self.now();
        while let Some((_, body)) = self.line.pop_front_if(|(arrival, _)| *arrival <= now) {
            self.receive(link, body).await;
        }
        let now = self.now();
        self.client.poll(now);
        while let Some(tick) = self.client.next_due_tick(now) {
            let schema = Conformance::new(&GameSettings::default()).schema();
            let level = self.client.input_seq() as i32 + 1;
            let values = [tick.0 as i32 % 3 - 1, 1, tick.0 as i32 % 1000, level];
            let payload = encode_fields(&schema.input, &values).unwrap();
            self.client.input(&payload);
        }
        self.send_pending().await;
    }

    /// Lets a message arrive as late as the line of this part of the script delivers it.
    fn put_on_line(&mut self, body: server_message::Body) {
        let now = self.now();
        let before = self
            .line
            .back()
            .map_or(now, |(arrival, _)| *arrival)
            .max(now);
        let bytes = body.encoded_len() as u64;
        let takes = match THIN.contains(&self.at()) {
            true => bytes * 1_000_000 / THIN_BYTES_PER_SECOND,
            false => 0,
        };
        self.line.push_back((before.plus(Micros(takes)), body));
    }

    async fn receive(&mut self, link: LinkId, body: server_message::Body) {
        let snapshot = match &body {
            server_message::Body::Snapshot(snapshot) => Some(snapshot.clone()),
            _ => None,
        };
        let is_map_part = matches!(body, server_message::Body::MapPart(_));
        self.note("parts of the map", is_map_part);
        let is_codebooks = matches!(body, server_message::Body::Codebooks(_));
        self.note("codebooks", is_codebooks);
        let bytes = v1::ServerMessage { body: Some(body) }.encode_to_vec();
        let now = self.now();
        self.client.received(link, &bytes, now);
        if let Some(snapshot) = snapshot {
            self.check();
            self.note_header(&snapshot);
            self.note_rows();
            self.act().await;
        }
        self.note_events();
    }

    async fn send_pending(&mut self) {
        while let Some(action) = self.client.next_action() {
            let Action::Send(_, bytes) = action else {
                continue;
            };
            let mut message = v1::ClientMessage::decode(&bytes[..]).unwrap();
            match &mut message.body {
                Some(client_message::Body::Hello(hello)) => hello.cell_parts = self.takes_parts,
                Some(client_message::Body::Inputs(inputs)) => self.withhold_ack(inputs),
                _ => {}
            }
            self.raw.send_bytes(message.encode_to_vec()).await;
        }
    }

    /// Around the blink the newest ack is repeated, so that the server sends nothing until the view is back.
    fn withhold_ack(&mut self, inputs: &mut v1::Inputs) {
        let before = BLINK.start - WITHHELD_BEFORE..BLINK.start - WITHHELD_BEFORE / 2;
        if self.withheld.is_none() && before.contains(&self.at()) {
            self.withheld = Some((inputs.clone(), inputs.target_tick + WITHHELD_TICKS));
        }
        if let Some((ack, until)) = &self.withheld {
            if inputs.target_tick < *until {
                inputs.received_tick = ack.received_tick;
                inputs.received_at_us = ack.received_at_us;
            } else if self.at() > BLINK.end {
                self.withheld = None;
            }
        }
    }

    /// Every snapshot carried a view hash, and it agreed.
    fn check(&self) {
        let counters = self.client.counters();
        let tick = self.client.newest_snapshot().0;
        let at = self.at();
        assert_eq!(
            counters.view_mismatches, 0,
            "the view differs at tick {tick:?}, one after {at} of the script"
        );
        assert_eq!(counters.protocol_errors, 0);
        assert_eq!(counters.view_checks, counters.snapshots);
    }

    fn note_header(&mut self, snapshot: &v1::Snapshot) {
        let is_full = snapshot.full_snapshot;
        self.note("a full snapshot again", is_full && self.tick > 0);
        let tick = self.client.newest_snapshot().0.0;
        self.note(
            "several skipped ticks",
            self.tick > 0 && tick > self.tick + 4,
        );
        self.tick = tick;
        self.note("added cells", !snapshot.added_cells.is_empty());
        self.note("dropped cells", !snapshot.dropped_cells.is_empty());
        let dropped = &snapshot.dropped_cells;
        let returns = snapshot
            .added_cells
            .iter()
            .any(|cell| dropped.contains(cell));
        self.note("a cell dropped and added at once", returns);
        self.note("deferred cells", !snapshot.deferred_cells.is_empty());
        self.note("deferred bits", !snapshot.deferred_bits.is_empty());
        let counts = snapshot.cell_parts.iter().map(|parts| parts & 7);
        let (parted, whole): (Vec<u32>, Vec<u32>) = counts.partition(|log2| *log2 > 0);
        self.note("a cell in parts", !parted.is_empty());
        self.note("a cell that is whole again", !whole.is_empty());
        self.note("owned rows", !snapshot.owned.is_empty());
        self.note("input_margin", snapshot.input_margin.is_some());
    }

    fn note_rows(&mut self) {
        let replica = self.client.replica().unwrap();
        let schema = replica.schema().clone();
        let (rows, cells) = (rows_of(replica), replica.cells().map(|(cell, _)| cell));
        let cells: BTreeSet<CellId> = cells.collect();
        let layers = |cells: &BTreeSet<CellId>| -> BTreeSet<Layer> {
            cells
                .iter()
                .map(|cell| schema.grid.layer_of(*cell))
                .collect()
        };
        let (layers_before, layers) = (layers(&self.cells), layers(&cells));
        self.note("a cell of layer 1", layers.contains(&Layer(1)));
        self.note("a cell of layer 2", layers.contains(&Layer(2)));
        self.note("a layer that went", !layers.is_superset(&layers_before));
        self.cells = cells;
        let before = std::mem::replace(&mut self.rows, rows.clone());
        let is_gone = |key: &&RowKey| !rows.contains_key(*key);
        self.note("a row that is gone", before.keys().any(|key| is_gone(&key)));
        for (key, row) in &rows {
            let kind = &schema.kinds[row.id.kind.index()];
            self.note(
                "a row with 64 lanes",
                row.id.kind == PANEL && row.lanes.len() == 64,
            );
            self.note("a row without lanes", row.id.kind == MARK);
            let newest = self.generations.insert(*key, row.id.generation);
            let is_new = newest.is_some_and(|newest| newest < row.id.generation);
            let Some(old) = before.get(key) else {
                self.note("a slot reused later", is_new);
                continue;
            };
            let is_same_cell = old.cell == row.cell;
            if old.id != row.id {
                self.note("a slot reused at once in its cell", is_same_cell);
                self.note("a slot reused at once in another cell", !is_same_cell);
                continue;
            }
            self.note("a row that crossed between cells", !is_same_cell);
            let teleported =
                kind.has_teleported(old.lanes.iter().copied(), row.lanes.iter().copied());
            self.note("a teleport", teleported);
            let (lanes, texts) = (old.lanes != row.lanes, old.texts != row.texts);
            self.note("a text that changed alone", texts && !lanes);
            self.note("a text that changed with lanes", texts && lanes);
            let became_empty =
                (old.texts.iter().zip(&row.texts)).any(|(a, b)| a != b && b.is_empty());
            self.note("a text that became empty", became_empty);
            for ((from, to), lane) in old.lanes.iter().zip(&row.lanes).zip(&kind.lanes) {
                self.note_lane(lane, *from, *to);
            }
        }
        let own = self.client.entity().unwrap();
        let level = self.client.private_lanes(own).map_or(0, |lanes| lanes[3]);
        let has_come_back = level > self.newest_level && level <= self.client.input_seq() as i32;
        self.note("an input that came back", has_come_back);
        self.newest_level = self.newest_level.max(level);
    }

    fn note_lane(&mut self, lane: &Lane, from: i32, to: i32) {
        if from == to {
            return;
        }
        self.note("a continuous lane that changed", lane.continuous);
        self.note("a discrete lane that changed", !lane.continuous);
        let straight = i64::from(from) + i64::from(lane.difference(from, to));
        let wraps = lane.modulus > 0 && straight != i64::from(to);
        self.note("a lane that wrapped", wraps && lane.continuous);
        self.note("a discrete lane that wrapped", wraps && !lane.continuous);
        let overflows = lane.modulus == 0 && to.checked_sub(from).is_none();
        self.note("a lane that wrapped at 32 bits", overflows);
    }

    fn note_events(&mut self) {
        let mut singles: BTreeMap<u32, u32> = BTreeMap::new();
        while let Some(event) = self.client.next_event() {
            match event {
                SessionEvent::GameEvent(event) => {
                    let kind = match event.kind {
                        0 => "an event of kind raw",
                        1 => "an event of kind hit",
                        2 => "an event of kind nightfall",
                        _ => "an event of kind beam",
                    };
                    self.note(kind, true);
                    self.note("an event without a payload", event.payload.is_empty());
                    if event.kind == 0 && event.payload.len() == 1 {
                        *singles.entry(event.tick.0).or_default() += 1;
                    }
                }
                SessionEvent::GameMessage(payload) => {
                    // The kind, then a length.
                    match (payload[0], &payload[2..]) {
                        (1, command) => {
                            self.echoes.push(command.to_vec());
                            self.note("a message to one player", true);
                        }
                        (_, b"a whisper") => self.note("a message to those who see a layer", true),
                        _ => self.note("a message to everybody", true),
                    }
                }
                SessionEvent::Chat { name, text, .. } => {
                    self.note("an own line of chat", name == "Ada" && text == "hello, Zoë");
                }
                _ => {}
            }
        }
        let most = singles.values().max().copied().unwrap_or_default();
        self.note("as many events as a cell keeps of a tick", most >= 64);
    }

    /// Sends a line of chat, commands, and asks once for a full snapshot.
    async fn act(&mut self) {
        if self.client.counters().snapshots == 1 {
            self.client.chat("hello, Zoë");
        }
        if self.at() / 100 > self.commands.len() as u32 {
            let command = vec![self.commands.len() as u8; self.commands.len() * 20];
            self.client.command(&command);
            self.commands.push(command);
        }
        if self.at() > 520 && !self.has_asked_for_a_full_snapshot {
            self.has_asked_for_a_full_snapshot = true;
            let resync = v1::Resync::default();
            self.raw.send(client_message::Body::Resync(resync)).await;
        }
    }
}

/// The rows to show, each with its cell. A part counts as its cell.
fn rows_of(replica: &Replica) -> BTreeMap<RowKey, SeenRow> {
    let mut rows = BTreeMap::new();
    for (cell, _) in replica.cells() {
        for row in replica.rows(cell) {
            let seen = SeenRow {
                cell: replica.schema().grid.whole_cell(cell).0,
                id: row.id,
                lanes: row.lanes.clone(),
                texts: row.texts.iter().map(ToString::to_string).collect(),
            };
            let is_shown = (replica.find(row.id.key())).is_some_and(|shown| shown.id == row.id);
            if is_shown {
                rows.insert(row.id.key(), seen);
            }
        }
    }
    rows
}

fn server() -> TestServer {
    TestServer::start_with(&["--hash-every-snapshot"], |settings| {
        Box::new(Conformance::new(settings))
    })
}

/// All clients at once, each in a room of its own.
#[tokio::test(flavor = "multi_thread")]
async fn clients_of_both_encodings_with_and_without_parts_stay_in_sync() {
    let server = Arc::new(server());
    let clients = [
        ("packed-parts", Encoding::Packed, true),
        ("packed-whole", Encoding::Packed, false),
        ("plain-parts", Encoding::Plain, true),
        ("plain-whole", Encoding::Plain, false),
    ];
    let clients = clients.map(|(room, encoding, takes_parts)| {
        let server = Arc::clone(&server);
        tokio::spawn(async move { play(&server, room, encoding, takes_parts).await })
    });
    for client in clients {
        client.await.unwrap();
    }
    let reported = server.metric("tickwire_view_mismatches_total").await;
    assert_eq!(reported, 0.0);
}

async fn play(server: &TestServer, room: &str, encoding: Encoding, takes_parts: bool) {
    let witness = Witness::play(server, room, encoding, takes_parts).await;
    println!("{room}: {:#?}", witness.seen);
    let counters = witness.client.counters();
    assert!(counters.view_checks > 300, "{room}: {counters:?}");
    let expected: Vec<u8> = (0..MAP_BYTES).map(|at| (at % 251) as u8).collect();
    assert!(witness.client.map() == expected, "{room}");
    assert!(witness.echoes.len() >= 4, "{room}");
    assert!(witness.commands.starts_with(&witness.echoes), "{room}");
    if !takes_parts {
        assert_eq!(witness.seen["a cell in parts"], 0, "{room}");
    }
}

/// The whole script over a line that carries it only in parts, and that breaks once while the crowded cell is in parts.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_behind_a_thin_line_stays_in_sync() {
    let server = server();
    let mut player = Player::behind_thin_line(&server.url("thin"), 8_000);
    let (mut parted, mut behind) = (0, 0);
    within("a run of the script", async {
        loop {
            player.for_snapshots(1).await;
            let replica = player.client.replica().unwrap();
            let now = replica.tick();
            let in_parts = |cell: CellId| {
                let (whole, _) = replica.schema().grid.whole_cell(cell);
                replica.part_count_log2(whole) > 0
            };
            let parts = replica.cells().filter(|(cell, _)| in_parts(*cell));
            let ticks: Vec<_> = parts.map(|(_, tick)| tick).collect();
            parted += usize::from(!ticks.is_empty());
            behind += usize::from(ticks.iter().any(|tick| *tick < now));
            let counters = player.client.counters();
            assert_eq!(counters.view_mismatches, 0, "{counters:?}");
            assert_eq!(counters.protocol_errors, 0, "{counters:?}");
            let tally = replica.find(RowKey::new(TALLY, 0));
            let is_over = tally.is_some_and(|row| row.lanes[1] >= 1);
            if is_over && counters.resumes > 0 {
                break;
            }
            if behind == 10 && counters.reconnects == 0 {
                player.cut();
            }
        }
    })
    .await;
    let counters = player.client.counters();
    println!("{parted} snapshots with parts, {behind} with parts of different ticks; {counters:?}");
    assert!(parted > 0 && behind > 0);
    assert_eq!(counters.view_checks, counters.snapshots);
}
