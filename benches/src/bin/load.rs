//! The load bench: what Tickwire costs beside the floor. See benches/README.md for how to run and read it.

use clap::{Args, Parser, Subcommand};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tickwire_benches::load::case::{Case, Outcome, PLAYERS_CORE, Verdict};
use tickwire_benches::load::child::Kind;
use tickwire_benches::load::game::WorldSize;
use tickwire_benches::load::server::Server;
use tickwire_benches::load::{floor, process, sleeper, storm};
use tickwire_server::TlsSource;
use tickwire_server::internals::Tls;

#[derive(Parser)]
#[command(about = "What Tickwire costs beside the floor: one core serves, another plays")]
struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// W1: one room, every ship moves every tick, each sees about 32
    W1(Repeated),
    /// One room in which everybody sees everybody
    Everybody(Repeated),
    /// W1 among ships that rest
    Resting(Repeated),
    /// Rooms of ten
    Rooms(Repeated),
    /// The most players that are served well, of Tickwire and of the floor
    Largest(Repeated),
    /// Many connections in a second into a running room
    Storm(Repeated),
    #[command(hide = true)]
    Server(Server),
    #[command(hide = true)]
    Floor(Floor),
    #[command(hide = true)]
    Sleeper(Sleeper),
}

#[derive(Args, Clone)]
struct Repeated {
    /// Players; several numbers make several measurements
    #[arg(long, value_delimiter = ',', default_values_t = [800])]
    players: Vec<usize>,
    /// Times that each is measured; the median counts
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Seconds of each measurement
    #[arg(long, default_value_t = 6)]
    seconds: u64,
    /// About how many ships a player sees: 32 or 85
    #[arg(long, default_value_t = 32)]
    rows: u32,
    /// Side of a cell, in units: smaller ones show less of what is out of sight
    #[arg(long, default_value_t = 384)]
    cell: u32,
    /// Ships that rest
    #[arg(long, default_value_t = 10_000)]
    resting: u32,
    /// Everything over TLS
    #[arg(long)]
    tls: bool,
    /// Players in each room, where it is the most players that are looked for; 0: all in one
    #[arg(long, default_value_t = 0)]
    per_room: usize,
    /// Leave the floor out
    #[arg(long)]
    no_floor: bool,
}

#[derive(Args)]
struct Floor {
    #[arg(long)]
    bytes: usize,
    #[arg(long)]
    core: usize,
    #[arg(long)]
    tls: bool,
}

#[derive(Args)]
struct Sleeper {
    #[arg(long)]
    core: usize,
    #[arg(long)]
    seconds: u64,
}

fn main() -> anyhow::Result<()> {
    process::raise_socket_limit();
    match Options::parse().what {
        What::Server(server) => server.serve(),
        What::Floor(role) => {
            process::pin(role.core)?;
            let tls = match role.tls {
                true => Some(Arc::clone(
                    Tls::load(TlsSource::SelfSigned)?.acceptor()?.config(),
                )),
                false => None,
            };
            Ok(floor::run(role.bytes, tls)?)
        }
        What::Sleeper(role) => {
            process::pin(role.core)?;
            sleeper::run(Duration::from_secs(role.seconds));
            Ok(())
        }
        what => {
            process::pin(PLAYERS_CORE)?;
            Ok(measure(what)?)
        }
    }
}

fn measure(what: What) -> io::Result<()> {
    match what {
        What::W1(repeated) => {
            beside_the_floor(&repeated, |players| (w1(&repeated, players), players))
        }
        What::Everybody(repeated) => beside_the_floor(&repeated, |players| {
            let size = WorldSize {
                half: 100_000,
                ..w1(&repeated, players)
            };
            (size, players)
        }),
        What::Resting(repeated) => beside_the_floor(&repeated, |players| {
            let size = WorldSize {
                resting: repeated.resting,
                ..w1(&repeated, players)
            };
            (size, players)
        }),
        What::Rooms(repeated) => beside_the_floor(&repeated, |_| (w1(&repeated, 10), 10)),
        What::Largest(repeated) => largest(&repeated),
        What::Storm(repeated) => storm::run(w1(&repeated, 1200), tls(&repeated)),
        What::Server(_) | What::Floor(_) | What::Sleeper(_) => Ok(()),
    }
}

/// The world in which this many players each see about the wanted number of ships.
fn w1(repeated: &Repeated, players: usize) -> WorldSize {
    WorldSize {
        side: (4096.0 * (players as f64 / 800.0).sqrt()) as i32,
        half: if repeated.rows > 50 { 480 } else { 220 },
        cell: repeated.cell,
        resting: 0,
        drifting: 0,
    }
}

/// The players' TLS: any certificate is accepted, as the server's was made a moment ago.
fn tls(repeated: &Repeated) -> Option<Arc<rustls::ClientConfig>> {
    let config = tickwire_client::native::tls_config(true).ok();
    config.filter(|_| repeated.tls)
}

fn case(repeated: &Repeated, kind: Kind, players: usize, per_room: usize) -> Case {
    Case {
        kind,
        players,
        per_room,
        tls: tls(repeated),
        settle: Duration::from_secs(5),
        time: Duration::from_secs(repeated.seconds),
    }
}

/// Measures each number of players, with Tickwire and the floor taking turns.
fn beside_the_floor(
    repeated: &Repeated,
    world: impl Fn(usize) -> (WorldSize, usize),
) -> io::Result<()> {
    for &players in &repeated.players {
        let (size, per_room) = world(players);
        println!(
            "\n{players} players, {per_room} a room, {size:?}, tls {}",
            repeated.tls
        );
        println!("{}", heading());
        let (mut ours, mut floors, mut sleepers) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..repeated.runs {
            let outcome = case(repeated, Kind::Server(size), players, per_room).run()?;
            println!("{}", line("tickwire", &outcome));
            let bytes = outcome.snapshot_bytes() as usize;
            ours.push(outcome);
            sleepers.push(sleeper::beside(Duration::from_secs(repeated.seconds))?);
            if !repeated.no_floor {
                let outcome = case(repeated, Kind::Floor(bytes), players, per_room).run()?;
                println!("{}", line("floor", &outcome));
                floors.push(outcome);
            }
        }
        let cost = |outcome: &Outcome| outcome.cpu_us;
        let (own, floor) = (
            median(ours.iter().map(cost)),
            median(floors.iter().map(cost)),
        );
        // Neighbours were measured one right after the other, so the machine was in the same state for both.
        let pairs = ours.iter().zip(&floors);
        let ratio = median(pairs.map(|(own, floor)| own.cpu_us / floor.cpu_us));
        println!(
            "median: {own:.2} us per client and tick; floor {floor:.2}; ratio {:.2}, of neighbours {ratio:.2}",
            own / floor
        );
        if let Some(outcome) = ours.last() {
            print_phases(outcome);
        }
        print_lateness(&ours, &sleepers);
    }
    Ok(())
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut all: Vec<f64> = values.collect();
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Raises the number of players until one is not served well, or the players have no time for more.
fn largest(repeated: &Repeated) -> io::Result<()> {
    let sample = match repeated.per_room {
        0 => 400,
        some => some,
    };
    let bytes = case(repeated, Kind::Server(w1(repeated, sample)), sample, sample)
        .run()?
        .snapshot_bytes() as usize;
    for is_floor in [true, false] {
        let name = if is_floor { "floor" } else { "tickwire" };
        println!("\n{}", heading());
        let (mut good, mut bad) = (0, None);
        let mut players = 1200;
        let mut why = Verdict::Fails;
        // To within 50.
        while bad.is_none_or(|bad| bad - good > 50) {
            let per_room = match repeated.per_room {
                0 => players,
                some => some,
            };
            let kind = match is_floor {
                true => Kind::Floor(bytes),
                false => Kind::Server(w1(repeated, per_room)),
            };
            let run = || -> io::Result<Verdict> {
                let outcome = case(repeated, kind, players, per_room).run()?;
                println!("{players:>6} {}", line(name, &outcome));
                Ok(outcome.verdict())
            };
            // A noisy moment is not the limit: the number must fail twice.
            let verdict = match run()? {
                Verdict::Holds => Verdict::Holds,
                Verdict::Fails | Verdict::Void => run()?,
            };
            match verdict {
                Verdict::Holds => good = players,
                Verdict::Fails | Verdict::Void => (bad, why) = (Some(players), verdict),
            }
            players = match bad {
                Some(bad) => (good + bad) / 2,
                None => good + 400,
            };
        }
        let limit = match why {
            Verdict::Void => "; more is void, as the players have no time for it",
            Verdict::Holds | Verdict::Fails => "",
        };
        println!("largest of {name}: {good}{limit}");
    }
    Ok(())
}

fn heading() -> String {
    format!(
        "{:>9} {:>8} {:>6} {:>6} {:>7} {:>7} {:>8} {:>7} {:>7} {:>7} {:>9} {:>9} {:>6}",
        "",
        "us/c/t",
        "idle",
        "p.idle",
        "inputs",
        "bytes",
        "slowest",
        "gap50",
        "gap99",
        "gapmax",
        "KiB each",
        "peak KiB",
        "holds"
    )
}

fn line(name: &str, outcome: &Outcome) -> String {
    format!(
        "{name:>9} {:>8.2} {:>5.0}% {:>5.0}% {:>7.2} {:>7.1} {:>8.2} {:>7.2} {:>7.2} {:>7.2} {:>9.1} {:>9} {:>6}",
        outcome.cpu_us,
        outcome.role_idle * 100.0,
        outcome.players_idle * 100.0,
        outcome.counted.inputs,
        outcome.snapshot_bytes(),
        outcome.counted.slowest,
        outcome.gap_ms(0.5),
        outcome.gap_ms(0.99),
        outcome.gap_ms(1.0),
        outcome.memory_kib,
        outcome.peak_kib,
        outcome.verdict().as_str(),
    )
}

/// Where the ticks' time went, by the server's own metrics.
fn print_phases(outcome: &Outcome) {
    let Some((before, after)) = &outcome.metrics else {
        return;
    };
    let snapshots = after.grown(before, "tickwire_snapshots_sent_total");
    let ticks = after.grown(before, "tickwire_ticks_total");
    print!("us per client and tick by phase:");
    for phase in ["input", "step", "publish", "encode", "send"] {
        let seconds = after.grown(
            before,
            &format!("tickwire_phase_seconds_sum{{phase=\"{phase}\"}}"),
        );
        print!(" {phase} {:.2}", seconds * 1e6 / snapshots);
    }
    println!(
        "\nblocks encoded a tick {:.1}, reused {:.1}; waited {:.0} for the window, {:.0} for the socket; inputs applied {:.0}, late {:.0}, repeated {:.0}, flooded {:.0}; ticks skipped {:.0}",
        after.grown(before, "tickwire_blocks_encoded_total") / ticks,
        after.grown(before, "tickwire_blocks_reused_total") / ticks,
        after.grown(
            before,
            "tickwire_snapshots_deferred_total{reason=\"window\"}"
        ),
        after.grown(
            before,
            "tickwire_snapshots_deferred_total{reason=\"socket\"}"
        ),
        after.grown(before, "tickwire_inputs_total{outcome=\"applied\"}"),
        after.grown(before, "tickwire_inputs_total{outcome=\"late\"}"),
        after.grown(before, "tickwire_inputs_total{outcome=\"repeated\"}"),
        after.grown(before, "tickwire_inputs_total{outcome=\"flooded\"}"),
        after.grown(before, "tickwire_ticks_skipped_total"),
    );
}

/// How late ticks began in each run, and how late a bare thread woke on the same core in between.
fn print_lateness(outcomes: &[Outcome], sleepers: &[f64]) {
    print!("lateness p99.9, ms (a bare sleeper's):");
    let scrapes = outcomes.iter().filter_map(|one| one.metrics.as_ref());
    for ((before, after), sleeper) in scrapes.zip(sleepers) {
        let lateness = after.quantile(before, "tickwire_tick_lateness_seconds", 0.999);
        print!(" <= {:.2} ({sleeper:.2})", lateness * 1e3);
    }
    println!();
}
