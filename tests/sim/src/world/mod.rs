//! The simulation: one server, its clients and the network between them, event by event in simulated time.
//!
//! In: [`Settings`]. Out: an [`Outcome`], or the [`Failure`] that ended the run. The room, the sessions and the clients are the ones
//! that run on sockets; time, network and the people are simulated. No clock is read, so the same seed gives the same run.
//!
//! `events` orders what happens, `connections` moves packets, `server` has the room and `ticks` runs it, `clients` steps the honest
//! players, `hostiles` the others, and `faults` breaks the network and heals it.

mod clients;
mod connections;
mod events;
mod faults;
mod healed;
mod hostiles;
mod joins;
mod kept_room;
mod ledger;
mod restarts;
mod server;
mod ticks;

pub use connections::ConnectionId;

use crate::failure::Failure;
use crate::invariants::{PartCounts, Verdict};
use crate::model::{Peer, SessionKey, SessionModel};
use crate::peers::{Hostile, Player};
use crate::settings::{Plan, Settings};
use crate::trace::Trace;
use connections::Connection;
use events::{Event, Events};
use faults::Weather;
use server::Server;
use std::collections::BTreeMap;
use tickwire_sync::Micros;

/// When a run begins, on its own clock.
const START: Micros = Micros::from_millis(1_000);

/// What a run without a failure was.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Outcome {
    /// For each tick of a room, the honest clients that were connected.
    pub client_ticks: u64,
    /// Ticks of rooms.
    pub ticks: u64,
    /// Snapshots that honest clients applied, each compared with the server's view.
    pub snapshots: u64,
    /// How often cells went in parts to honest clients, and what happened then.
    pub parts: PartCounts,
    /// Inputs of honest clients that the game was given.
    pub inputs: u64,
    /// Lines of chat and messages that honest clients received.
    pub letters: u64,
    /// Events that honest clients received.
    pub events: u64,
    /// Faults of the network and of the server.
    pub faults: u64,
    /// Sessions that were opened.
    pub sessions: u64,
    /// Times that a session was resumed.
    pub resumes: u64,
    /// Times that a room with its sessions went on after a restart.
    pub restored_rooms: u64,
    /// Times that the network healed, and every honest client was in and fresh.
    pub healed: u64,
    /// Messages in both directions.
    pub messages: u64,
    /// A hash of all messages, with their times.
    pub traffic_hash: u64,
}

/// The simulation.
pub struct World {
    settings: Settings,
    plan: Plan,
    random: fastrand::Rng,
    now: Micros,
    end: Micros,
    events: Events,
    server: Server,
    connections: BTreeMap<ConnectionId, Connection>,
    newest_connection: u64,
    players: Vec<Player>,
    hostiles: Vec<Hostile>,
    models: BTreeMap<SessionKey, SessionModel>,
    weather: Weather,
    trace: Trace,
    outcome: Outcome,
    failure: Option<Box<Failure>>,
}

impl World {
    /// A room before its first tick, with everybody about to connect.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let mut random = fastrand::Rng::with_seed(settings.seed);
        let plan = Plan::new(settings, &mut random);
        let length_us = u64::from(settings.ticks) * 1_000_000 / u64::from(plan.tick_rate);
        let players = (0..settings.clients)
            .map(|index| Player::new(index, random.u64(..), plan.crowd_size > 0, START))
            .collect();
        let hostiles = (0..plan.hostiles)
            .map(|_| hostiles::some_hostile(&mut random))
            .collect();
        let server = Server::new(&plan, &mut random, START);
        let mut world = Self {
            settings,
            random,
            now: START,
            end: START.plus(Micros(length_us)),
            events: Events::default(),
            server,
            connections: BTreeMap::new(),
            newest_connection: 0,
            players,
            hostiles,
            models: BTreeMap::new(),
            weather: Weather::new(START),
            trace: Trace::default(),
            outcome: Outcome {
                traffic_hash: 0xcbf2_9ce4_8422_2325,
                ..Outcome::default()
            },
            failure: None,
            plan,
        };
        world.plan_first_events();
        world
    }

    fn plan_first_events(&mut self) {
        self.plan_tick();
        for player in 0..self.players.len() {
            let at = START.plus(Micros(self.random.u64(0..2_000_000)));
            self.wake_player(player, at);
            self.plan_fault(player);
        }
        for hostile in 0..self.hostiles.len() {
            let at = START.plus(Micros(self.random.u64(0..3_000_000)));
            self.events.plan(at, Event::Hostile(hostile));
        }
        self.plan_hitch();
        let at = self.weather.changes_at();
        self.events.plan(at, Event::Weather);
    }

    /// Runs to the end, or to the first failure.
    ///
    /// # Errors
    /// The first failure.
    pub fn run(mut self) -> Result<Outcome, Box<Failure>> {
        while let Some((at, event)) = self.events.next() {
            if at >= self.end {
                break;
            }
            self.now = at;
            self.happen(event);
            if let Some(failure) = self.failure.take() {
                return Err(failure);
            }
        }
        Ok(self.outcome)
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Tick { room } => self.tick_is_due(room),
            Event::ServerUp => self.server_comes_up(),
            Event::Opened(id) => self.opened(id),
            Event::Down(id) => self.deliver_down(id),
            Event::Up(id) => self.deliver_up(id),
            Event::Second(id) => self.second_has_passed(id),
            Event::TellServer(id) => self.tell_server(id),
            Event::TellClient(id) => self.tell_client(id),
            Event::Wake { player, number } => {
                if self.players[player].wakes == number {
                    self.step_player(player);
                }
            }
            Event::Fault(player) => self.fault(player),
            Event::Later {
                player,
                generation,
                what,
            } => self.later(player, generation, what),
            Event::Hostile(hostile) => self.hostile_acts(hostile),
            Event::Hitch => self.hitch(),
            Event::Weather => self.weather_changes(),
        }
    }

    /// Notes a failure, unless there is one already.
    fn check(&mut self, invariant: &'static str, session: Option<SessionKey>, verdict: Verdict) {
        let Err(message) = verdict else { return };
        let owner = session
            .and_then(|key| self.models.get(&key))
            .map(|model| model.owner);
        self.fail(invariant, session, owner, message);
    }

    /// Notes a failure of one peer, unless there is one already.
    fn fail(
        &mut self,
        invariant: &'static str,
        session: Option<SessionKey>,
        peer: Option<Peer>,
        message: String,
    ) {
        if self.failure.is_some() {
            return;
        }
        let peers: Vec<Peer> = peer.into_iter().collect();
        self.failure = Some(Box::new(Failure {
            settings: self.settings,
            invariant,
            tick: self.server.tick_now(),
            at: self.now,
            session,
            peer,
            message,
            trace: self.trace.lines(&peers),
        }));
    }

    /// Adds a message to the hash of all traffic.
    fn hash_message(&mut self, id: ConnectionId, is_up: bool, message: &[u8]) {
        self.outcome.messages += 1;
        let mut hash = self.outcome.traffic_hash;
        let mut add =
            |word: u64| hash = (hash ^ word).wrapping_mul(0x0100_0000_01b3).rotate_left(23);
        add(self.now.0);
        add(id.0 << 1 | u64::from(is_up));
        add(message.len() as u64);
        for part in message.chunks(8) {
            let mut word = [0; 8];
            word[..part.len()].copy_from_slice(part);
            add(u64::from_le_bytes(word));
        }
        self.outcome.traffic_hash = hash;
    }
}
