//! What it costs to follow a room by short polling, long polling and WebSocket. See benches/README.md for how to run and read it.

use clap::{Parser, Subcommand};
use std::io;
use std::time::Duration;
use tickwire_benches::followers::case::{Case, Outcome, Way};
use tickwire_benches::followers::http::Polling;
use tickwire_benches::load::case::PLAYERS_CORE;
use tickwire_benches::load::process;
use tickwire_benches::load::server::Server;
use tokio::task::LocalSet;

const WAYS: [(&str, Way); 4] = [
    ("short polling, every 1 s", short(1_000)),
    ("short polling, every 100 ms", short(100)),
    ("long polling", Way::Http(Polling::Long)),
    ("WebSocket", Way::WebSocket),
];

#[derive(Parser)]
#[command(about = "What it costs to follow a room: one core serves, another follows")]
struct Options {
    #[command(subcommand)]
    role: Option<Role>,
    /// Followers; several numbers make several measurements
    #[arg(long, value_delimiter = ',', default_values_t = [1, 10, 100])]
    followers: Vec<usize>,
    /// Ships that move in the room
    #[arg(long, default_value_t = 50)]
    ships: u32,
    /// Seconds of each measurement: without followers, and with them
    #[arg(long, default_value_t = 6)]
    seconds: u64,
    /// Only the ways whose names contain this
    #[arg(long, default_value = "")]
    way: String,
}

#[derive(Subcommand)]
enum Role {
    #[command(hide = true)]
    Server(Server),
}

const fn short(interval_ms: u64) -> Way {
    Way::Http(Polling::Short(Duration::from_millis(interval_ms)))
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    process::raise_socket_limit();
    if let Some(Role::Server(server)) = &options.role {
        return server.serve();
    }
    process::pin(PLAYERS_CORE)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    Ok(LocalSet::new().block_on(&runtime, measure(&options))?)
}

async fn measure(options: &Options) -> io::Result<()> {
    println!(
        "| followers | way | updates/s each | bytes down per update | bytes up | server µs per update | staleness p50 ms | p99 ms | server ms/s | without followers | followers ms/s |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    let mut controls = Vec::new();
    for &followers in &options.followers {
        for (name, way) in WAYS.iter().filter(|(name, _)| name.contains(&options.way)) {
            let case = Case {
                way: *way,
                followers,
                ships: options.ships,
                settle: Duration::from_secs(2),
                time: Duration::from_secs(options.seconds),
            };
            let outcome = case.run().await?;
            println!("{}", line(name, followers, &outcome));
            controls.push(outcome.control_us / 1e3);
        }
    }
    controls.sort_by(f64::total_cmp);
    if let [least, .., most] = &controls[..] {
        println!("server without followers: {least:.1} to {most:.1} ms a second");
    }
    Ok(())
}

fn line(name: &str, followers: usize, outcome: &Outcome) -> String {
    format!(
        "| {followers} | {name} | {:.1} | {:.0} | {:.0} | {:.0} | {:.1} | {:.1} | {:.1} | {:.1} | {:.1} |",
        outcome.updates,
        outcome.bytes_down,
        outcome.bytes_up,
        outcome.cpu_us(followers),
        outcome.staleness_ms(0.5),
        outcome.staleness_ms(0.99),
        outcome.server_us / 1e3,
        outcome.control_us / 1e3,
        outcome.followers_us / 1e3,
    )
}
