//! In the steady state a tick allocates nothing: neither in reading nor in the step, in encoding or in sending.
//!
//! A server in a process of its own counts the allocations of all its threads from one step of the game to the next, while the
//! load bench's players in this process play over real sockets.

#![allow(clippy::expect_used)] // a test that can't do this has failed

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use std::alloc::System;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use tickwire_benches::load::game::{Turning, WorldSize};
use tickwire_benches::load::players::Players;
use tickwire_game::{Game, Identity, Refusal, Step};
use tickwire_server::config::Config;
use tickwire_sync::frame::Publisher;
use tickwire_sync::interest::InterestArea;
use tickwire_sync::{EntityId, PlayerId, Schema};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// The environment variable that makes this binary the server.
const SERVES: &str = "TICKWIRE_TEST_SERVES";
const PLAYERS: usize = 40;
/// How many ticks in a row must not allocate. They include everything that is done once a second for every player, but not the
/// codebooks, which the room tunes every two seconds.
const IN_A_ROW: usize = 110;
/// Within how many ticks that must come. A tick now and then allocates until every buffer has found its size: inputs that wait in
/// a stall of a busy machine, views, cells.
const PATIENCE: usize = 6_000;

fn main() {
    if std::env::var_os(SERVES).is_some() {
        serve();
        return;
    }
    // Like any test, it can be listed and filtered by name.
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let name = "a_tick_allocates_nothing_in_the_steady_state";
    if arguments.iter().any(|argument| argument == "--list") {
        println!("{name}: test");
        return;
    }
    let is_filtered =
        |argument: &String| !argument.starts_with('-') && !name.contains(&argument[..]);
    if arguments.iter().any(is_filtered) {
        return;
    }
    a_tick_allocates_nothing_in_the_steady_state();
    println!("test {name} ... ok");
}

fn a_tick_allocates_nothing_in_the_steady_state() {
    let mut server = Server::start();
    let mut players = Players::new().expect("a poll");
    players
        .join(PLAYERS, server.address, None, |_| "room".to_owned())
        .expect("the players join");
    // All players fall silent once and then send everything at once, so that the buffers of waiting inputs find their size.
    for _ in 0..10 {
        std::thread::sleep(Duration::from_millis(50));
    }
    let patience = Instant::now() + Duration::from_secs(300);
    let line = loop {
        players.run(Duration::from_millis(20));
        if let Ok(line) = server.lines.try_recv() {
            break line;
        }
        assert!(Instant::now() < patience, "the server has not counted");
    };
    let _ = server.child.kill();
    let counts: Vec<usize> = line
        .split(' ')
        .map(|count| count.parse().expect("a count"))
        .collect();
    let row = counts.iter().rev().take_while(|count| **count == 0).count();
    assert!(
        row >= IN_A_ROW,
        "of {} ticks no {IN_A_ROW} in a row did without allocations; the latest: {:?}",
        counts.len(),
        &counts[counts.len().saturating_sub(600)..]
    );
}

struct Server {
    child: Child,
    address: SocketAddr,
    lines: Receiver<String>,
}

impl Server {
    fn start() -> Self {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .env(SERVES, "1")
            .env("RUST_LOG", "off")
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program starts again");
        let output = child.stdout.take().expect("it is piped");
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let ready = lines
            .recv_timeout(Duration::from_secs(60))
            .expect("the server is ready");
        let url = ready
            .split(' ')
            .nth(2)
            .expect("an address in the ready line");
        let address = url.trim_start_matches("ws://").trim_end_matches("/ws");
        Self {
            child,
            address: address.parse().expect("an address"),
            lines,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn serve() {
    let arguments = [
        "test",
        "--listen",
        "127.0.0.1:0",
        "--ops-listen",
        "127.0.0.1:0",
        "--world-seed",
        "0",
    ];
    let config = Config::load(arguments).expect("these flags are right");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let game = |_: &_| Box::new(Counting::new()) as Box<dyn Game>;
    runtime
        .block_on(tickwire_server::run(config, Arc::new(game)))
        .expect("the server runs");
}

/// The game of the load bench, which counts allocations from step to step.
struct Counting {
    game: Turning,
    players: usize,
    before: usize,
    /// Ticks since the last one that allocated.
    row: usize,
    counts: Vec<usize>,
    is_over: bool,
}

impl Counting {
    fn new() -> Self {
        let size = WorldSize {
            side: 1000,
            half: 300,
            cell: 256,
            resting: 100,
            drifting: 0,
        };
        Self {
            game: Turning::new(size),
            players: 0,
            before: 0,
            row: 0,
            counts: Vec::with_capacity(PATIENCE),
            is_over: false,
        }
    }

    fn count(&mut self) {
        let stats = ALLOCATOR.stats();
        let allocations = stats.allocations + stats.reallocations;
        let since = allocations - std::mem::replace(&mut self.before, allocations);
        if self.players < PLAYERS || self.is_over {
            return;
        }
        self.row = if since == 0 { self.row + 1 } else { 0 };
        self.counts.push(since);
        if self.row == IN_A_ROW || self.counts.len() == PATIENCE {
            self.is_over = true;
            let counts: Vec<String> = self.counts.iter().map(usize::to_string).collect();
            println!("{}", counts.join(" "));
        }
    }
}

impl Game for Counting {
    fn name(&self) -> &'static str {
        self.game.name()
    }

    fn schema(&self) -> Arc<Schema> {
        self.game.schema()
    }

    fn map(&self) -> Vec<u8> {
        self.game.map()
    }

    fn rules_hash(&self) -> u64 {
        self.game.rules_hash()
    }

    fn join(&mut self, player: PlayerId, who: &Identity) -> Result<Option<EntityId>, Refusal> {
        self.players += 1;
        self.game.join(player, who)
    }

    fn leave(&mut self, player: PlayerId) {
        self.game.leave(player);
    }

    fn step(&mut self, step: &mut Step<'_>) {
        self.count();
        self.game.step(step);
    }

    fn publish(&self, out: &mut Publisher<'_>) {
        self.game.publish(out);
    }

    fn interest_area(&self, player: PlayerId) -> InterestArea {
        self.game.interest_area(player)
    }
}
