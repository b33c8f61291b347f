//! The simulator: one room, its bots and their lines, event by event in simulated time.
//!
//! In: a [`Cell`]. Out: an [`Outcome`]. The room, the client cores and the bots' behaviour and shots are the very ones that run on
//! sockets; only time and the lines are simulated. No clock is read, so the same seed gives the same numbers.

use super::TICK_RATE;
use super::cell::{Cell, Forgery};
use super::line::Way;
use super::link::SimLink;
use super::outcome::{Outcome, Shot};
use prost::Message as _;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tickwire::{Map as _, RoomGame};
use tickwire_arena::{Arena, Rocks};
use tickwire_arena_bots::{ArenaBot, Duel, ShotRecord};
use tickwire_bot::Pilot;
use tickwire_client::{Action, LinkId};
use tickwire_game::{Game as _, GameSettings};
use tickwire_proto::v1::{self, client_message, server_message};
use tickwire_server::internals::{
    Inbox, InboxMessage, JoinRequest, ReceivedInput, Room, RoomSettings,
};
use tickwire_sync::bench_policies::WindowPolicy;
use tickwire_sync::encode::Encoding;
use tickwire_sync::{Micros, Tick, TickClock};

/// How often the server pings.
const PING_INTERVAL: Micros = Micros::from_millis(1_000);
/// The most that a timer wakes a bot too late, in microseconds.
const TIMER_SLOP_US: u64 = 200;
/// How many inputs are remembered with the time when they were made.
const MEMORY: usize = 512;

enum Event {
    Tick(Tick),
    Open { bot: usize, link: LinkId },
    ToClient { bot: usize, message: Vec<u8> },
    ToServer { bot: usize, message: Vec<u8> },
    Ping { bot: usize },
    PingAtClient { bot: usize, sent: Micros },
    Pong { bot: usize, sent: Micros },
    Wake { bot: usize, number: u64 },
}

struct Bot {
    pilot: Pilot<ArenaBot>,
    link: Arc<SimLink>,
    inbox: Arc<Inbox>,
    open: Option<LinkId>,
    down: Way,
    up: Way,
    /// For how long it keeps what has arrived before it takes it in.
    held: Micros,
    /// The bot's clock minus the simulator's.
    clock_offset: Micros,
    wakes: u64,
    /// The newest inputs: sequence number, when each was made, and when it reached the server, if it has.
    made: VecDeque<(u32, Micros, Option<Micros>)>,
}

/// The simulator of one cell.
pub struct World<'a> {
    cell: &'a Cell,
    now: Micros,
    events: BTreeMap<(Micros, u64), Event>,
    numbers: u64,
    random: fastrand::Rng,
    ticks: TickClock,
    room: Room<SimLink>,
    rocks: Rocks,
    bots: Vec<Bot>,
    outcome: Outcome,
}

impl<'a> World<'a> {
    /// A room before its first tick, with every bot about to connect.
    #[must_use]
    pub fn new(cell: &'a Cell) -> Self {
        let mut random = fastrand::Rng::with_seed(cell.seed);
        let ticks = TickClock {
            tick_zero_us: 50_000,
            tick_rate: TICK_RATE,
        };
        let game = RoomGame::<Arena>::new(&GameSettings {
            seed: random.u64(..),
            tick_rate: TICK_RATE,
            ..GameSettings::default()
        });
        let rocks = Rocks::from_bytes(&game.map()).unwrap_or_default();
        let settings = RoomSettings {
            moderation: Arc::default(),
            rules_module: None,
            tick_rate: TICK_RATE,
            max_players: cell.bots as usize,
            resume_window: Duration::from_secs(60),
            max_message_bytes: 4096,
            hash_every_snapshot: false,
            max_rewind: Duration::from_millis(250),
            view_policy: cell.policy,
            window_policy: WindowPolicy::default(),
        };
        let mut secret = [0; 32];
        random.fill(&mut secret);
        let room = Room::new("netcode", settings, Box::new(game), ticks, secret);
        let bots: Vec<Bot> = (0..cell.bots).map(|index| Bot::new(cell, index)).collect();
        let mut world = Self {
            cell,
            now: Micros(0),
            events: BTreeMap::new(),
            numbers: 0,
            random,
            ticks,
            room,
            rocks,
            outcome: Outcome::new(bots.len()),
            bots,
        };
        // The first tick is not before the second one of a pair.
        let first = Tick(cell.ticks_together - 1);
        let due = Micros(ticks.due_us(first) as u64);
        world.plan(due, Event::Tick(first));
        for bot in 0..world.bots.len() {
            let start = Micros(100_000 + world.random.u64(0..900_000));
            world.bots[bot].wakes = 1;
            world.plan(start, Event::Wake { bot, number: 1 });
            let ping = start.plus(PING_INTERVAL);
            world.plan(ping, Event::Ping { bot });
        }
        world
    }

    /// Runs to the end.
    #[must_use]
    pub fn run(mut self) -> Outcome {
        let end = self.cell.settle.plus(self.cell.length);
        let mut is_counting = false;
        while let Some(((at, _), event)) = self.events.pop_first() {
            if at >= end {
                break;
            }
            if at >= self.cell.settle && !is_counting {
                is_counting = true;
                self.begin_counting();
            }
            self.now = at;
            self.happen(event, is_counting);
        }
        for bot in &self.bots {
            self.outcome.end(&bot.pilot.client);
        }
        self.outcome
    }

    fn begin_counting(&mut self) {
        let _ = self.room.take_stats();
        for bot in &self.bots {
            self.outcome.begin(&bot.pilot.client);
        }
    }

    fn count_tick(&mut self, is_counting: bool) {
        let stats = self.room.take_stats();
        if is_counting {
            self.outcome.tick(&stats);
        }
    }

    fn plan(&mut self, at: Micros, event: Event) {
        self.numbers += 1;
        self.events.insert((at, self.numbers), event);
    }

    fn happen(&mut self, event: Event, is_counting: bool) {
        match event {
            Event::Tick(tick) => {
                let now = self.now;
                for late in tick.0 + 1 - self.cell.ticks_together..tick.0 {
                    self.room.tick(Tick(late), now, || now);
                    self.room.skip_replication(now, || now);
                    self.count_tick(is_counting);
                }
                self.room.tick(tick, now, || now);
                self.room.replicate(now, || now);
                self.count_tick(is_counting);
                for bot in 0..self.bots.len() {
                    self.send_down(bot);
                }
                let next = Tick(tick.0 + self.cell.ticks_together);
                let due = Micros(self.ticks.due_us(next) as u64);
                self.plan(due, Event::Tick(next));
            }
            Event::Open { bot, link } => {
                self.bots[bot].open = Some(link);
                let at = self.bots[bot].clock(self.now);
                self.bots[bot].pilot.client.opened(link, at);
                self.step(bot, is_counting);
            }
            Event::ToClient { bot, message } => self.receive(bot, &message, is_counting),
            Event::ToServer { bot, message } => self.serve(bot, &message, is_counting),
            Event::Ping { bot } => {
                let sent = self.now;
                let arrival = self.bots[bot].taken_in(sent);
                self.plan(arrival, Event::PingAtClient { bot, sent });
                self.plan(sent.plus(PING_INTERVAL), Event::Ping { bot });
            }
            Event::PingAtClient { bot, sent } => {
                let arrival = self.bots[bot].up.arrival(self.now);
                self.plan(arrival, Event::Pong { bot, sent });
            }
            Event::Pong { bot, sent } => {
                let bot = &self.bots[bot];
                bot.link.pong(sent, bot.held, self.now);
            }
            Event::Wake { bot, number } if self.bots[bot].wakes == number => {
                self.step(bot, is_counting);
            }
            Event::Wake { .. } => {}
        }
    }

    /// Delivers a message to a bot.
    fn receive(&mut self, bot: usize, message: &[u8], is_counting: bool) {
        let it = &mut self.bots[bot];
        let (Some(link), now) = (it.open, it.clock(self.now)) else {
            return;
        };
        // Where the own ship is by prediction, and where the screen draws it.
        let place = |pilot: &Pilot<ArenaBot>| {
            let own = pilot.client.predicted()?;
            let (_, drawn) = pilot.client.own_on_screen(now)?;
            let places = [[own.lanes[0], own.lanes[1]], [drawn[0], drawn[1]]];
            Some(((own.id, own.tick), places))
        };
        let (before, snapshots) = (place(&it.pilot), it.pilot.client.counters().snapshots);
        it.pilot.client.received(link, message, now);
        if is_counting {
            if let Some((before, after)) = before.zip(place(&it.pilot))
                && before.0 == after.0
            {
                self.outcome.shifted(before.1, after.1);
            }
            if it.pilot.client.counters().snapshots > snapshots {
                self.outcome.snapshot(&it.pilot.client);
            }
        }
        self.step(bot, is_counting);
    }

    /// Lets a bot do what is due.
    fn step(&mut self, bot: usize, is_counting: bool) {
        let it = &mut self.bots[bot];
        let now = it.clock(self.now);
        let seq = it.pilot.client.input_seq();
        let stepped = it.pilot.step(now);
        for made in 1..=stepped.input_count {
            if it.made.len() == MEMORY {
                it.made.pop_front();
            }
            it.made.push_back((seq + made, self.now, None));
        }
        while let Some(action) = self.bots[bot].pilot.client.next_action() {
            match action {
                Action::Open(link) => {
                    let at = self.now.plus(Micros(2 * self.cell.line.latency.0));
                    self.plan(at, Event::Open { bot, link });
                }
                Action::Send(_, message) => {
                    let arrival = self.bots[bot].up.arrival(self.now);
                    let read = self.read_at(arrival);
                    self.plan(read, Event::ToServer { bot, message });
                }
                Action::Close(_) => self.bots[bot].open = None,
            }
        }
        for record in self.bots[bot].pilot.behaviour.take_shot_records() {
            if is_counting {
                self.judge(bot, &record);
            }
        }
        let it = &mut self.bots[bot];
        it.wakes += 1;
        let number = it.wakes;
        let wake = it.pilot.client.wake_at(now);
        let slop = self.random.u64(0..TIMER_SLOP_US);
        let at = self.now.plus(wake.since(now)).plus(Micros(slop + 1));
        self.plan(at, Event::Wake { bot, number });
    }

    /// When the server reads what has arrived.
    fn read_at(&self, arrival: Micros) -> Micros {
        if self.cell.reads_per_tick == 0 {
            return arrival;
        }
        let reads = f64::from(self.cell.reads_per_tick);
        let ticks = (self.ticks.ticks_at(arrival.0 as f64) * reads).ceil() / reads;
        // Slightly earlier, so that the read at a tick's due time comes before the tick.
        let at = self.ticks.tick_zero_us as f64 + ticks * self.ticks.tick_us() - 1.0;
        Micros(at as u64).max(arrival)
    }

    /// Counts a settled shot.
    fn judge(&mut self, bot: usize, record: &ShotRecord) {
        let it = &self.bots[bot];
        let Some((_, made, arrived)) = it.made.iter().find(|made| made.0 == record.seq) else {
            return;
        };
        if *made < self.cell.settle {
            return;
        }
        let usual = self.cell.line.latency.plus(self.cell.line.jitter);
        let is_held =
            arrived.is_none_or(|arrived| arrived.since(*made) > usual.plus(Micros(1_000)));
        let in_stall = it.down.is_stalled(*made, Micros(0)) || is_held;
        let shot = Shot {
            record: *record,
            in_stall: self.cell.line.stalls.is_some() && in_stall,
        };
        self.outcome
            .shot(bot, &shot, self.room.history(), &self.rocks);
    }

    /// Delivers a message to the server.
    fn serve(&mut self, bot: usize, message: &[u8], is_counting: bool) {
        let Ok(v1::ClientMessage { body: Some(body) }) = v1::ClientMessage::decode(message) else {
            return;
        };
        let it = &mut self.bots[bot];
        match body {
            client_message::Body::Hello(hello) => {
                let hello = JoinRequest {
                    name: hello.name.clone(),
                    resume_token: hello.resume_token.clone(),
                    last_message: hello.last_message,
                    takes_cell_parts: hello.cell_parts,
                    encoding: Encoding::Packed,
                    ..JoinRequest::default()
                };
                let (link, inbox) = (Arc::clone(&it.link), Arc::clone(&it.inbox));
                // The room has a place for every bot, and the arena refuses none.
                let _ = self.room.join(&hello, link, inbox, self.now);
            }
            client_message::Body::Inputs(inputs) => {
                let due = Micros(self.ticks.due_us(Tick(inputs.target_tick)) as u64);
                let made = it.made.iter_mut().find(|made| made.0 == inputs.seq);
                if let Some((_, made, arrived)) = made {
                    *arrived = Some(self.now);
                    if is_counting && self.now < due {
                        let beyond = due.0 as f64 - (made.plus(self.cell.line.latency)).0 as f64;
                        self.outcome.input(beyond / self.ticks.tick_us());
                    }
                }
                if let Some(inputs) = ReceivedInput::new(&inputs, self.now) {
                    it.inbox.put(InboxMessage::Input(inputs));
                }
            }
            client_message::Body::Resync(resync) => {
                let view_mismatch = resync.view_mismatch;
                it.inbox.put(InboxMessage::Resync { view_mismatch });
            }
            client_message::Body::Ping(ping) => {
                let pong = v1::Pong {
                    stamp: ping.stamp,
                    clock_us: self.now.0,
                    held_us: 0,
                    tick: self.room.tick_now().0,
                };
                let body = Some(server_message::Body::Pong(pong));
                tickwire_server::internals::Link::send(
                    &*it.link,
                    &v1::ServerMessage { body }.encode_to_vec(),
                );
            }
            client_message::Body::Chat(_)
            | client_message::Body::Command(_)
            | client_message::Body::Leave(_) => {}
        }
        self.send_down(bot);
    }

    /// Puts what the server has for a bot on its line.
    fn send_down(&mut self, bot: usize) {
        for message in self.bots[bot].link.take() {
            let arrival = self.bots[bot].taken_in(self.now);
            self.plan(arrival, Event::ToClient { bot, message });
        }
    }
}

impl Bot {
    fn new(cell: &Cell, index: u32) -> Self {
        let seed = cell.seed.wrapping_mul(1_000_003) + u64::from(index);
        let mut random = fastrand::Rng::with_seed(seed);
        let forges = cell.forges(index);
        let duel = match cell.forgery {
            Forgery::Hindsight(ticks) if forges => Duel::with_hindsight(seed, ticks),
            _ => Duel::new(seed),
        };
        let clock_offset = Micros(random.u64(0..10_000_000_000));
        let options = tickwire_client::Options {
            name: format!("bot-{index}"),
            encoding: v1::Encoding::Packed,
            seed,
            ..tickwire_client::Options::default()
        };
        let client = tickwire_client::Client::new(options, clock_offset)
            .with_rules(tickwire_arena::rules_for);
        let mut pilot = Pilot::new(client, ArenaBot::new(Box::new(duel)));
        pilot.behaviour.record_shots();
        if let Forgery::Claims(ticks) = cell.forgery
            && forges
        {
            pilot.client.forge_view(f64::from(ticks));
        }
        Self {
            pilot,
            link: Arc::default(),
            inbox: Arc::default(),
            open: None,
            down: Way::new(cell.line, random.u64(..)),
            up: Way::new(cell.line, random.u64(..)),
            held: match cell.forgery {
                Forgery::HeldLine(ticks) if forges => {
                    Micros(u64::from(ticks) * 1_000_000 / u64::from(TICK_RATE))
                }
                _ => Micros(0),
            },
            clock_offset,
            wakes: 0,
            made: VecDeque::new(),
        }
    }

    /// When the bot takes in what the server sends at `now`.
    fn taken_in(&mut self, now: Micros) -> Micros {
        self.down.arrival(now).plus(self.held)
    }

    /// The bot's clock.
    fn clock(&self, now: Micros) -> Micros {
        now.plus(self.clock_offset)
    }
}
