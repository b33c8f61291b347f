//! Runs seeds of the simulator, and prints what they did. See docs/design/simulator.md.

use clap::Parser;
use std::process::ExitCode;
use std::time::Instant;
use tickwire_sim::{Settings, run_seeds};

/// The flags.
#[derive(Debug, Parser)]
#[command(
    about = "Runs real rooms, sessions and clients under a seeded clock and network, and checks what must always be true"
)]
struct Flags {
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many seeds to run, from that one on.
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// Ticks of each run.
    #[arg(long, default_value_t = 3_600)]
    ticks: u32,
    /// Honest clients of each run; up to three hostile peers come beside them.
    #[arg(long, default_value_t = 8)]
    clients: usize,
    /// Seeds that run at once.
    #[arg(long, default_value_t = std::thread::available_parallelism().map_or(1, usize::from))]
    threads: usize,
    /// End once this many client-ticks are made, and however many seeds that takes.
    #[arg(long)]
    client_ticks: Option<u64>,
}

fn main() -> ExitCode {
    let flags = Flags::parse();
    let first = Settings {
        seed: flags.seed,
        ticks: flags.ticks,
        clients: flags.clients,
    };
    let seeds = if flags.client_ticks.is_some() {
        u64::MAX
    } else {
        flags.seeds
    };
    let started = Instant::now();
    let summary = run_seeds(first, seeds, flags.threads, flags.client_ticks);
    let seconds = started.elapsed().as_secs_f64();
    let total = summary.total;
    println!("seeds passed      {}", summary.passed);
    println!("client-ticks      {}", total.client_ticks);
    println!(
        "  per second      {:.0}",
        total.client_ticks as f64 / seconds
    );
    println!("room ticks        {}", total.ticks);
    println!("snapshots checked {}", total.snapshots);
    let parts = total.parts;
    println!(
        "cells parted      {} global, {} others, {} made whole again",
        parts.parted_global, parts.parted_square, parts.made_whole
    );
    println!(
        "parts apart       {} snapshots; rows came {}, went {}, moved {}",
        parts.apart, parts.came, parts.went, parts.moved
    );
    println!("inputs applied    {}", total.inputs);
    println!("letters, events   {}, {}", total.letters, total.events);
    println!("faults            {}", total.faults);
    println!("sessions, resumes {}, {}", total.sessions, total.resumes);
    println!("heals checked     {}", total.healed);
    println!("messages          {}", total.messages);
    println!("traffic hash      {:016x}", total.traffic_hash);
    println!("seconds           {seconds:.1}");
    for failure in &summary.failures {
        println!("\n{failure}");
    }
    if summary.failures.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
