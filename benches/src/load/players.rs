//! All players of a case, in one thread. Reads what comes, sends each player's input once a tick, spread over the tick as real
//! players are, and counts.

use super::player::{Heard, Player};
use hdrhistogram::Histogram;
use mio::{Events, Interest, Poll, Token};
use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tickwire_batch::{Batch, MAX_ENTRIES, Send};

/// In how many portions per tick the inputs go out.
const SLICES: u32 = 16;

/// All players of a case.
pub struct Players {
    poll: Poll,
    events: Events,
    players: Vec<Player>,
    /// Batches of reads and writes, so that the players cost less than the server that they measure.
    batch: Batch,
    buffers: (Vec<u8>, Vec<u8>),
    /// Inputs to send together: their bytes, and which part is whose.
    wire: Vec<u8>,
    parts: Vec<(usize, Range<usize>)>,
    began: Instant,
    slice: u32,
    /// From one snapshot to the same player's next, in microseconds.
    gaps: Histogram<u32>,
}

/// What was counted in a span of time.
#[derive(Clone, Debug)]
pub struct Counted {
    /// Snapshots received.
    pub snapshots: u64,
    /// The snapshots' payload bytes.
    pub bytes: u64,
    /// Snapshots per second of the slowest player.
    pub slowest: f64,
    /// Inputs per player and second. Below 60 the players themselves were short of time.
    pub inputs: f64,
    /// From one snapshot to the same player's next, in microseconds.
    pub gaps: Histogram<u32>,
    /// Players whose connection has ended.
    pub gone: usize,
}

impl Players {
    /// No players yet.
    ///
    /// # Errors
    /// If the system has no poll, or no io_uring.
    pub fn new() -> io::Result<Self> {
        let no_batch = || io::Error::other("the players need io_uring, which this system forbids");
        Ok(Self {
            batch: Batch::new().ok_or_else(no_batch)?,
            wire: Vec::new(),
            parts: Vec::with_capacity(MAX_ENTRIES),
            poll: Poll::new()?,
            events: Events::with_capacity(1024),
            players: Vec::new(),
            buffers: (vec![0; 64 * 1024], Vec::new()),
            began: Instant::now(),
            slice: 0,
            gaps: gaps(),
        })
    }

    /// How many players there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.players.len()
    }

    /// Whether there are no players.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.players.is_empty()
    }

    /// Adds `count` more players over time, each in the room that `room` names.
    ///
    /// # Errors
    /// If the server refuses.
    pub fn join(
        &mut self,
        count: usize,
        address: SocketAddr,
        tls: Option<&Arc<rustls::ClientConfig>>,
        room: impl Fn(usize) -> String,
    ) -> io::Result<()> {
        for _ in 0..count {
            let index = self.players.len();
            let player = Player::connect(address, &room(index), tls)?;
            self.add(player)?;
            // The other players play on meanwhile.
            self.run_until(Instant::now() + Duration::from_micros(500));
        }
        Ok(())
    }

    /// Adds a player that has sent `Hello`.
    ///
    /// # Errors
    /// If the player's socket cannot be polled.
    pub fn add(&mut self, mut player: Player) -> io::Result<()> {
        let token = Token(self.players.len());
        let registry = self.poll.registry();
        registry.register(&mut player.stream.socket, token, Interest::READABLE)?;
        self.players.push(player);
        Ok(())
    }

    /// Plays for a while.
    pub fn run(&mut self, time: Duration) {
        self.run_until(Instant::now() + time);
    }

    /// Plays for a while and counts.
    pub fn count(&mut self, time: Duration) -> Counted {
        self.gaps = gaps();
        let before: Vec<(u64, u64)> = self
            .players
            .iter()
            .map(|player| (player.snapshots, player.snapshot_bytes))
            .collect();
        let inputs = |players: &[Player]| players.iter().map(|player| player.inputs).sum::<u64>();
        let inputs_before = inputs(&self.players);
        let began = Instant::now();
        self.run(time);
        let seconds = began.elapsed().as_secs_f64();
        let mut counted = Counted {
            snapshots: 0,
            bytes: 0,
            slowest: f64::INFINITY,
            inputs: (inputs(&self.players) - inputs_before) as f64
                / seconds
                / self.players.len() as f64,
            gaps: std::mem::replace(&mut self.gaps, gaps()),
            gone: 0,
        };
        for (player, (snapshots, bytes)) in self.players.iter().zip(before) {
            let more = player.snapshots - snapshots;
            counted.snapshots += more;
            counted.bytes += player.snapshot_bytes - bytes;
            counted.slowest = counted.slowest.min(more as f64 / seconds);
            counted.gone += usize::from(player.is_gone);
        }
        counted
    }

    fn run_until(&mut self, end: Instant) {
        let slice_time = Duration::from_nanos(1_000_000_000 / 60 / u64::from(SLICES));
        loop {
            let now = Instant::now();
            if now >= end {
                return;
            }
            let due = self.began + slice_time * self.slice;
            if now >= due {
                self.send_slice();
                // More than a tick late, the input is missed, as for a player whose machine stalls.
                let late = now.duration_since(due).as_nanos() / slice_time.as_nanos();
                if late > u128::from(SLICES) {
                    self.slice += late as u32 / SLICES * SLICES;
                }
                self.read();
                continue;
            }
            // What arrives within a portion is read together; a player's screen would not show it sooner.
            std::thread::sleep(due.min(end).saturating_duration_since(now));
            self.read();
        }
    }

    fn send_slice(&mut self) {
        let since_began = self.since_began();
        let first = (self.slice % SLICES) as usize;
        for index in (first..self.players.len()).step_by(SLICES as usize) {
            let start = self.wire.len();
            self.players[index].put_input(since_began, &mut self.wire);
            if self.wire.len() > start {
                self.parts.push((index, start..self.wire.len()));
            }
            if self.parts.len() == MAX_ENTRIES {
                self.send_parts();
            }
        }
        self.send_parts();
        self.slice += 1;
    }

    fn send_parts(&mut self) {
        let mut results = Vec::with_capacity(MAX_ENTRIES);
        let sends = self.parts.iter().map(|(index, bytes)| Send {
            socket: self.players[*index].stream.socket.as_fd(),
            bytes: &self.wire[bytes.clone()],
        });
        self.batch.send(sends, |_, result| results.push(result));
        for ((index, bytes), result) in self.parts.drain(..).zip(results) {
            self.players[index].took(&self.wire[bytes], result);
        }
        self.wire.clear();
    }

    fn read(&mut self) {
        let Self {
            poll,
            events,
            players,
            batch,
            buffers,
            began,
            gaps,
            ..
        } = self;
        let mut heard = |player: &mut Player, heard: Heard| {
            if matches!(heard, Heard::Snapshot) {
                let now = Instant::now();
                if let Some(before) = player.newest.replace(now) {
                    let gap = now.duration_since(before).as_micros() as u64;
                    gaps.saturating_record(gap.max(1));
                }
            }
        };
        loop {
            // An interrupted wait is an empty one.
            let _ = poll.poll(events, Some(Duration::ZERO));
            let ready: Vec<usize> = events.iter().map(|event| event.token().0).collect();
            for group in ready.chunks(MAX_ENTRIES) {
                let sockets = group
                    .iter()
                    .map(|index| players[*index].stream.socket.as_fd());
                batch.receive(sockets);
                let since_began = began.elapsed().as_nanos() as f64 / 1e3;
                for (place, index) in group.iter().enumerate() {
                    let (player, received) = (&mut players[*index], batch.received(place));
                    let is_full = received.is_full;
                    player.take_read(received.bytes, &mut buffers.1, since_began, &mut heard);
                    if is_full {
                        player.read(buffers, since_began, &mut heard);
                    }
                }
            }
            if ready.len() < 1024 {
                return;
            }
        }
    }

    fn since_began(&self) -> f64 {
        self.began.elapsed().as_nanos() as f64 / 1e3
    }
}

fn gaps() -> Histogram<u32> {
    // Three digits always fit.
    Histogram::new_with_max(60_000_000, 3).unwrap_or_else(|_| unreachable!("three digits fit"))
}
