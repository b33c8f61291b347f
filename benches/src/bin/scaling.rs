//! The model of docs/SCALING.md: what so many players need, from what the bench of relays measured.

use clap::Parser;
use tickwire_benches::scaling::{Inputs, MEASURED, UnitCosts};

#[derive(Parser)]
#[command(about = "What so many players need in cores, Redis and bytes")]
struct Options {
    #[command(flatten)]
    inputs: Inputs,
    /// A local player's cost in microseconds per tick, as measured on your machine; all others are scaled with it
    #[arg(long, default_value_t = MEASURED.local_us)]
    local_us: f64,
}

fn main() {
    let Options { inputs, local_us } = Options::parse();
    let costs: UnitCosts = MEASURED.scaled(local_us / MEASURED.local_us);
    let needs = inputs.needs(&costs);
    let rows = [
        ("rooms", format!("{:.0}", needs.rooms)),
        (
            "relayed players",
            format!("{:.0}", inputs.players * inputs.relayed),
        ),
        (
            "busy cores: rooms and local players",
            format!("{:.1}", needs.owner_cores),
        ),
        (
            "busy cores: relayed players, both ends",
            format!("{:.1}", needs.relay_cores),
        ),
        (
            "busy cores: nodes themselves",
            format!("{:.2}", needs.node_cores),
        ),
        (
            "cores to have, with headroom",
            format!("{:.0}", needs.nodes * inputs.cores_per_node),
        ),
        ("nodes", format!("{:.0}", needs.nodes)),
        (
            "Redis, of one core",
            format!("{:.0} %", needs.redis_cores * 100.0),
        ),
        (
            "Redis, MB/s in and out",
            format!("{:.1}", needs.redis_bytes / 1e6),
        ),
        (
            "Redis, MB of checkpoints",
            format!("{:.0}", needs.redis_memory / 1e6),
        ),
        (
            "clusters, each with a Redis that keeps the headroom",
            format!("{:.0}", needs.clusters(inputs.headroom)),
        ),
        (
            "Gbit/s of snapshots, without TCP and IP",
            format!("{:.2}", needs.snapshot_bytes * 8.0 / 1e9),
        ),
    ];
    println!("| {:.0} players | needs |\n|---|---|", inputs.players);
    for (name, value) in rows {
        println!("| {name} | {value} |");
    }
}
