//! A line to one client in simulated time: snapshots go through one bottleneck, and inputs come back.
//!
//! In: the properties of the line, and a policy that decides at each tick whether a snapshot goes. Out: what arrived, and how
//! old it was. As over TCP nothing overtakes and nothing is lost for good: a lost packet delays all that follow by a round
//! trip. Seeded, event by event.

use crate::outcome::{Arrival, Outcome};
use crate::policies::Policy;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use tickwire_sync::{Micros, Tick};

pub const TICK_US: i64 = 16_667;
/// Headers of WebSocket, TCP and IP, in bytes.
pub const HEADERS: i64 = 66;
/// Bytes of a competing flow's packet.
const PACKET: i64 = 1500;
/// How far the client's clock is ahead: just before its 32 bits wrap.
const CLOCK_OFFSET: i64 = (1 << 32) - 3_000_000;

/// When the client acks what it has received.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answers {
    /// With every tick's input.
    EveryTick,
    /// With every tick's input, which arrive in bursts of this many.
    InBurstsOf(usize),
    /// Never, from this moment on (a hidden tab).
    NeverFrom(i64),
}

/// How packets are lost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Losses {
    /// On the downlink alone; every retransmission arrives.
    Mild,
    /// Both ways; retransmissions can be lost too.
    Harsh,
}

/// The properties of a line. Times are in microseconds.
#[derive(Clone, Debug)]
pub struct Line {
    pub name: &'static str,
    /// From each time on, how many bits per second it carries.
    pub rates: Vec<(i64, i64)>,
    pub round_trip: i64,
    /// From each time on, by how much each way varies, evenly.
    pub jitters: Vec<(i64, i64)>,
    /// The probability that a packet is lost.
    pub loss: f64,
    pub losses: Losses,
    /// Competing flows that fill the queue, as downloads do: start and end of each.
    pub competitors: Vec<(i64, i64)>,
    /// Bytes that go through at once after a pause, as through a token bucket.
    pub burst: i64,
    /// How long the bottleneck's queue is, in time.
    pub queue: i64,
    pub answers: Answers,
    pub seconds: i64,
    /// The bytes of a snapshot with everything in it, and by how much they vary.
    pub wants: i64,
    pub varies: i64,
    /// Whether crowds come and go: three seconds with little to send, three with much, and so on.
    pub crowds: bool,
    /// Whether a snapshot may be cut to a budget.
    pub fills: bool,
    /// How often per second the client's process stops on average, and the shortest and longest stop.
    pub hiccups: (f64, i64, i64),
    /// By how many bytes a cut snapshot may exceed its budget, as it is made of whole blocks.
    pub overshoot: i64,
}

impl Line {
    pub fn new(name: &'static str, kbit: i64, round_trip_ms: i64) -> Self {
        Self {
            name,
            rates: vec![(0, kbit * 1000)],
            round_trip: round_trip_ms * 1000,
            jitters: Vec::new(),
            loss: 0.0,
            losses: Losses::Mild,
            competitors: Vec::new(),
            burst: 0,
            queue: 400_000,
            answers: Answers::EveryTick,
            seconds: 30,
            wants: 1200,
            varies: 0,
            crowds: false,
            fills: false,
            overshoot: 0,
            hiccups: (0.0, 0, 0),
        }
    }

    /// The same line with a queue of this many milliseconds.
    pub fn queue(self, millis: i64) -> Self {
        Self {
            queue: millis * 1000,
            ..self
        }
    }

    fn rate_at(&self, time: i64) -> i64 {
        value_at(&self.rates, time)
    }

    /// When the last of these bytes has left the bottleneck, if the first enters it at `start`.
    fn departure(&self, start: i64, bytes: i64) -> i64 {
        let mut bits = bytes * 8 * 1_000_000;
        let mut at = start;
        loop {
            let rate = self.rate_at(at);
            let until = self
                .rates
                .iter()
                .map(|(from, _)| *from)
                .find(|from| *from > at);
            match until {
                Some(until) if rate * (until - at) < bits => {
                    bits -= rate * (until - at);
                    at = until;
                }
                _ => return at + bits / rate.max(1),
            }
        }
    }
}

/// The value at a time, of values that each hold from a time on.
fn value_at(values: &[(i64, i64)], time: i64) -> i64 {
    let past = values.iter().take_while(|(from, _)| *from <= time);
    past.last().map_or(0, |(_, value)| *value)
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Event {
    /// A packet of this competing flow is acked.
    Acknowledged(usize),
    /// The client's process stops, or continues.
    Stops,
    GoesOn,
    Delivered {
        tick: u32,
        sent: i64,
        bytes: i64,
    },
    InputMade,
    InputArrived {
        received: u32,
        at: u32,
    },
    ServerTick(u32),
}

/// Builds the snapshot of a tick within a budget (`usize::MAX`: none), and returns its bytes.
pub type Source<'a> = &'a mut dyn FnMut(u32, usize) -> i64;

struct Run<'a> {
    line: &'a Line,
    /// Where snapshots come from; `None`: of the line's size.
    source: Option<Source<'a>>,
    random: fastrand::Rng,
    events: BinaryHeap<Reverse<(i64, u64, Event)>>,
    numbered: u64,
    /// When the bottleneck is free again.
    free_at: i64,
    newest_delivery: i64,
    newest_input: i64,
    held_inputs: Vec<(u32, u32)>,
    /// Inputs that the client should have made while its process stood still.
    inputs_due: usize,
    received: (u32, u32),
    /// Snapshots that arrived while the client's process is stopped, and are unread.
    unread: Option<VecDeque<(u32, i64, i64)>>,
    in_flight: i64,
    /// For each competing flow its window and what is in flight, in packets.
    competing: Vec<(f64, f64)>,
}

/// Plays a policy on a line.
pub fn run(line: &Line, policy: &mut dyn Policy, seed: u64) -> Outcome {
    run_from(line, policy, None, seed)
}

/// Plays a policy on a line, with snapshots from a source.
pub fn run_from<'a>(
    line: &'a Line,
    policy: &mut dyn Policy,
    source: Option<Source<'a>>,
    seed: u64,
) -> Outcome {
    let mut run = Run {
        line,
        source,
        random: fastrand::Rng::with_seed(seed),
        events: BinaryHeap::new(),
        numbered: 0,
        free_at: 0,
        newest_delivery: 0,
        newest_input: 0,
        held_inputs: Vec::new(),
        inputs_due: 0,
        received: (0, 0),
        unread: None,
        in_flight: 0,
        competing: vec![(10.0, 0.0); line.competitors.len()],
    };
    let end = line.seconds * 1_000_000;
    let mut outcome = Outcome::default();
    let mut at = 0;
    while at < end {
        outcome.line_bytes += line.rate_at(at) as f64 / 8e3;
        at += 1000;
    }
    run.at(TICK_US, Event::ServerTick(1));
    let phase = run.random.i64(0..TICK_US);
    run.at(phase, Event::InputMade);
    if line.hiccups.0 > 0.0 {
        run.at(0, Event::Stops);
    }
    for (flow, (from, _)) in line.competitors.iter().enumerate() {
        run.at(*from, Event::Acknowledged(flow));
    }
    while let Some(Reverse((now, _, event))) = run.events.pop() {
        if now > end {
            break;
        }
        run.step(now, event, policy, &mut outcome);
    }
    outcome
}

impl Run<'_> {
    fn at(&mut self, time: i64, event: Event) {
        self.numbered += 1;
        self.events.push(Reverse((time, self.numbered, event)));
    }

    fn jitter(&mut self, now: i64) -> i64 {
        let jitter = value_at(&self.line.jitters, now);
        if jitter == 0 {
            0
        } else {
            self.random.i64(-jitter..=jitter)
        }
    }

    fn step(&mut self, now: i64, event: Event, policy: &mut dyn Policy, outcome: &mut Outcome) {
        match event {
            Event::ServerTick(tick) => {
                self.server_tick(now, tick, policy);
                outcome.most_in_flight = outcome.most_in_flight.max(self.in_flight);
                self.at(now + TICK_US, Event::ServerTick(tick + 1));
            }
            Event::Delivered { tick, sent, bytes } => {
                self.in_flight -= bytes;
                match &mut self.unread {
                    Some(unread) => unread.push_back((tick, sent, bytes)),
                    None => self.read((tick, sent, bytes), now, outcome),
                }
            }
            Event::Stops => {
                let (often, least, most) = self.line.hiccups;
                if now > 0 {
                    self.unread = Some(VecDeque::new());
                    let length = self.random.i64(least..=most);
                    self.at(now + length, Event::GoesOn);
                }
                let pause = (-self.random.f64().max(1e-9).ln() / often * 1e6) as i64;
                self.at(now + most + pause, Event::Stops);
            }
            Event::GoesOn => {
                // The order is up to the client's loop: some snapshots are read, late inputs are made all at once, the rest is read.
                let mut unread = self.unread.take().unwrap_or_default();
                let first = self.random.usize(0..=unread.len());
                for snapshot in unread.drain(..first) {
                    self.read(snapshot, now, outcome);
                }
                for _ in 0..std::mem::take(&mut self.inputs_due) {
                    self.make_input(now);
                }
                for snapshot in unread {
                    self.read(snapshot, now, outcome);
                }
            }
            Event::InputMade => self.input_made(now),
            Event::InputArrived { received, at } => {
                policy.received(Tick(received), at, Micros(now as u64));
            }
            Event::Acknowledged(flow) => self.compete(flow, now),
        }
    }

    fn server_tick(&mut self, now: i64, tick: u32, policy: &mut dyn Policy) {
        let backlog = self.backlog(now);
        let Some(fill) = policy.request_send(Micros(now as u64), backlog) else {
            return;
        };
        let varies = self.line.varies;
        let mut bytes = self.line.wants
            + if varies == 0 {
                0
            } else {
                self.random.i64(-varies..=varies)
            };
        if self.line.crowds && now / 3_000_000 % 2 == 0 {
            bytes /= 5;
        }
        if tick == 1 {
            bytes *= 5;
        } else if self.line.fills {
            // The last block exceeds the budget a little.
            let more = self.random.i64(0..=self.line.overshoot);
            bytes = bytes.min(i64::try_from(fill).unwrap_or(i64::MAX / 2) + more);
        }
        if let Some(source) = &mut self.source {
            bytes = source(tick, fill);
        }
        policy.sent(Tick(tick), bytes as usize, Micros(now as u64));
        self.in_flight += bytes;
        // Dropped at the tail of the queue: comes again after a round trip through it.
        let late = if backlog_time(self, now) > self.line.queue && !self.competing.is_empty() {
            self.line.round_trip + self.line.queue
        } else {
            self.retransmission_delay()
        };
        let credit = (self.line.burst * 8_000_000 / self.line.rate_at(now).max(1)).min(now);
        self.free_at = self
            .line
            .departure(self.free_at.max(now - credit), bytes + HEADERS);
        let delay = (self.line.round_trip / 2 + self.jitter(now)).max(0);
        self.newest_delivery = self
            .newest_delivery
            .max(self.free_at.max(now) + delay + late);
        self.at(
            self.newest_delivery,
            Event::Delivered {
                tick,
                sent: now,
                bytes,
            },
        );
    }

    /// How late losses make a packet. It comes again a round trip later. With harsh losses that takes the ack of the next packet,
    /// and a second loss takes the sender's timer.
    fn retransmission_delay(&mut self) -> i64 {
        if self.line.losses == Losses::Mild {
            let is_lost = self.random.f64() < self.line.loss;
            return i64::from(is_lost) * (self.line.round_trip + 5_000);
        }
        let mut late = 0;
        let mut repeats_after = TICK_US + self.line.round_trip * 5 / 4;
        while late < 2_000_000 && self.random.f64() < self.line.loss {
            late += repeats_after;
            repeats_after = self.line.round_trip + 200_000.max(late);
        }
        late
    }

    fn read(&mut self, (tick, sent, bytes): (u32, i64, i64), now: i64, outcome: &mut Outcome) {
        self.received = (tick, (now + CLOCK_OFFSET) as u32);
        outcome.arrivals.push(Arrival {
            sent,
            at: now,
            bytes,
        });
    }

    /// Bytes that queue before the bottleneck.
    fn backlog(&self, now: i64) -> i64 {
        backlog_time(self, now) * self.line.rate_at(now) / 8_000_000
    }

    fn input_made(&mut self, now: i64) {
        self.at(now + TICK_US, Event::InputMade);
        if self.unread.is_some() {
            self.inputs_due += 1;
        } else {
            self.make_input(now);
        }
    }

    fn make_input(&mut self, now: i64) {
        let burst = match self.line.answers {
            Answers::EveryTick => 1,
            Answers::InBurstsOf(burst) => burst,
            Answers::NeverFrom(from) if now >= from => return,
            Answers::NeverFrom(_) => 1,
        };
        self.held_inputs.push(self.received);
        if self.held_inputs.len() < burst {
            return;
        }
        let delay = (self.line.round_trip / 2 + self.jitter(now)).max(0);
        let late = match self.line.losses {
            Losses::Mild => 0,
            Losses::Harsh => self.retransmission_delay(),
        };
        self.newest_input = self.newest_input.max(now + delay + late);
        // The server reads its sockets every few milliseconds.
        let arrival = (self.newest_input / 4_000 + 1) * 4_000;
        for (received, at) in std::mem::take(&mut self.held_inputs) {
            self.at(arrival, Event::InputArrived { received, at });
        }
    }

    /// A flow that grows by a packet per round trip, and keeps seven tenths after a loss, as CUBIC does.
    fn compete(&mut self, flow: usize, now: i64) {
        let (window, flying) = &mut self.competing[flow];
        *flying = (*flying - 1.0).max(0.0);
        *window += 1.0 / *window;
        if now > self.line.competitors[flow].1 {
            return;
        }
        while self.competing[flow].1 < self.competing[flow].0 {
            if backlog_time(self, now) > self.line.queue {
                let window = &mut self.competing[flow].0;
                *window = (*window * 0.7).max(2.0);
                break;
            }
            self.free_at = self.line.departure(self.free_at.max(now), PACKET);
            self.competing[flow].1 += 1.0;
            let acknowledged = self.free_at + self.line.round_trip;
            self.at(acknowledged, Event::Acknowledged(flow));
        }
        if self.competing[flow].1 < 1.0 {
            let next = now + self.line.round_trip + 1000;
            self.at(next, Event::Acknowledged(flow));
        }
    }
}

fn backlog_time(run: &Run<'_>, now: i64) -> i64 {
    (run.free_at - now).max(0)
}
