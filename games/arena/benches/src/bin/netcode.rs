//! The netcode matrix in simulated time: `cargo run --release -p tickwire-arena-benches --bin netcode`. See games/arena/benches/README.md.

use anyhow::Context as _;
use clap::Parser;
use std::path::PathBuf;
use std::time::Instant;
use tickwire_arena_benches::netcode::{Settings, cells, plot, policy_name, run, table};
use tickwire_sync::Micros;

/// The flags.
#[derive(Debug, Parser)]
#[command(about = "Runs duelling bots over simulated lines and writes a table and a plot")]
struct Flags {
    /// Duelling bots.
    #[arg(long, default_value_t = 32)]
    bots: u32,
    /// Seconds of game time that each cell counts.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// The seed of everything random; the same seed gives the same numbers.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many seeds to run, from that one on; a cell's figures are over all of them.
    #[arg(long, default_value_t = 2)]
    seeds: u64,
    /// How often per tick the server reads its sockets; 0: it has each message at once.
    #[arg(long, default_value_t = 0)]
    reads_per_tick: u32,
    /// Cells that run at once.
    #[arg(long, default_value_t = std::thread::available_parallelism().map_or(1, usize::from))]
    threads: usize,
    /// Only lines whose name contains this.
    #[arg(long, default_value = "")]
    line: String,
    /// Write the table to this file too (Markdown).
    #[arg(long)]
    table: Option<PathBuf>,
    /// Draw the plot into this file (SVG).
    #[arg(long)]
    plot: Option<PathBuf>,
}

fn main() -> anyhow::Result<()> {
    let flags = Flags::parse();
    let settings = Settings {
        bots: flags.bots,
        length: Micros::from_millis(flags.seconds * 1_000),
        reads_per_tick: flags.reads_per_tick,
        seed: flags.seed,
        seeds: flags.seeds,
    };
    let mut cells = cells(settings);
    cells.retain(|cell| cell.line.name.contains(&flags.line));
    let start = Instant::now();
    let done = run(cells, flags.seeds, flags.threads, |cell| {
        eprintln!(
            "{:6.1} s: {}, {}, {:?}",
            start.elapsed().as_secs_f64(),
            cell.line.name,
            policy_name(cell.policy),
            cell.forgery
        );
    });
    let text = table(settings, &done);
    println!("{text}");
    if let Some(path) = &flags.table {
        std::fs::write(path, &text).with_context(|| path.display().to_string())?;
    }
    if let Some(path) = &flags.plot {
        std::fs::write(path, plot(&done)).with_context(|| path.display().to_string())?;
    }
    Ok(())
}
