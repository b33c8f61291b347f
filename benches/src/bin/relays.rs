//! What relayed players, checkpoints and Redis cost, and the model of docs/SCALING.md beside real nodes. See benches/README.md for how to run and read it.

use clap::{Parser, ValueEnum};
use std::io;
use std::time::Duration;
use tickwire_benches::load::process;
use tickwire_benches::relays::processes::Carrier;
use tickwire_benches::relays::units::{CheckpointUnits, Load, Units, compare};
use tickwire_benches::scaling::UnitCosts;

#[derive(Parser)]
#[command(
    about = "What relayed players cost: two nodes, a Redis and bots, all in processes of their own"
)]
struct Options {
    /// Players who are local, or relayed
    #[arg(long, default_value_t = 100)]
    players: usize,
    /// Rooms over which they are spread; one more player stays in each
    #[arg(long, default_value_t = 1)]
    rooms: usize,
    /// Seconds of each measurement
    #[arg(long, default_value_t = 8)]
    seconds: u64,
    /// Rounds, each with fresh nodes; the medians count
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Rooms whose checkpoints are measured
    #[arg(long, default_value_t = 100)]
    saved_rooms: usize,
    /// What to measure; the comparison with the model needs the other two
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Part::Relays, Part::Checkpoints, Part::Nodes])]
    parts: Vec<Part>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    Relays,
    Checkpoints,
    Nodes,
}

const CARRIERS: [Carrier; 2] = [Carrier::Link, Carrier::PubSub];

fn main() -> io::Result<()> {
    let options = Options::parse();
    process::raise_socket_limit();
    let load = Load {
        rooms: options.rooms,
        players: options.players,
        time: Duration::from_secs(options.seconds),
    };
    let has = |part| options.parts.contains(&part);
    let units = has(Part::Relays)
        .then(|| measure_relays(&options, load))
        .transpose()?;
    let checkpoints = has(Part::Checkpoints)
        .then(|| measure_checkpoints(&options, load.time))
        .transpose()?;
    if let (Some([link, pub_sub]), Some(checkpoints)) = (units, checkpoints) {
        let costs = unit_costs(&link, &pub_sub, &checkpoints);
        println!("\n{costs:#?}");
        if has(Part::Nodes) {
            compare_with_model(&options, load, &costs)?;
        }
    }
    Ok(())
}

fn measure_relays(options: &Options, load: Load) -> io::Result<[Units; 2]> {
    println!(
        "{} players in {} rooms, and one more in each; µs per player and tick\n",
        load.players, load.rooms
    );
    println!(
        "| carrier | round | local | relayed: owner | owner's ratio | relay | few relayed: owner | relay | envelopes per player and tick | their bytes | local age p50 ms | p99 | relayed age p50 ms | p99 | Redis ms/s per 100 | Redis kB/s in per 100 | out | idle node ms/s | rooms ms/s | slowest | others |"
    );
    println!("|{}", "---|".repeat(21));
    let mut rounds = [Vec::new(), Vec::new()];
    for round in 0..options.rounds {
        for (carrier, rounds) in CARRIERS.iter().zip(&mut rounds) {
            let units = Units::measure(load, *carrier, round % 2 == 1)?;
            println!("{}", line(*carrier, &(round + 1).to_string(), &units, load));
            rounds.push(units);
        }
    }
    let medians = rounds.map(|rounds| Units::median(&rounds));
    for (carrier, units) in CARRIERS.iter().zip(&medians) {
        println!("{}", line(*carrier, "median", units, load));
    }
    Ok(medians)
}

fn line(carrier: Carrier, round: &str, units: &Units, load: Load) -> String {
    format!(
        "| {} | {round} | {:.1} | {:.1} | {:.2} | {:.1} | {:.1} | {:.1} | {:.2} | {:.0} | {:.2} | {:.2} | {:.2} | {:.2} | {:.1} | {:.0} | {:.0} | {:.1} | {:.1} | {:.1} | {:.2} |",
        carrier.name(),
        units.local_us,
        units.relayed.owner_us,
        units.relayed.owner_us / units.local_us,
        units.relayed.relay_us,
        units.relayed_few.owner_us,
        units.relayed_few.relay_us,
        units.envelopes,
        units.envelope_bytes,
        units.local_age.p50,
        units.local_age.p99,
        units.relayed_age.p50,
        units.relayed_age.p99,
        units.redis_us / 10.0,
        units.redis_in / 10.0,
        units.redis_out / 10.0,
        units.node_us / 1e3,
        units.room_of_one_us * load.rooms as f64 / 1e3,
        units.slowest,
        units.others,
    )
}

fn measure_checkpoints(options: &Options, time: Duration) -> io::Result<CheckpointUnits> {
    println!(
        "\n| rooms | players in each | checkpoints/s each | bytes of one | Redis µs of one | Redis bytes in | out | per 1,000 rooms: Redis ms/s | MB/s in |"
    );
    println!("|{}", "---|".repeat(9));
    let many = (options.saved_rooms, 1);
    let large = (options.saved_rooms / 10, 10);
    let mut of_one = None;
    for (rooms, per_room) in [many, large] {
        let units = CheckpointUnits::measure(rooms, per_room, time)?;
        let per_thousand = units.per_second * 1e3;
        println!(
            "| {rooms} | {per_room} | {:.2} | {:.0} | {:.0} | {:.0} | {:.0} | {:.0} | {:.2} |",
            units.per_second,
            units.bytes,
            units.redis_us,
            units.redis_in,
            units.redis_out,
            per_thousand * units.redis_us / 1e3,
            per_thousand * units.redis_in / 1e6,
        );
        of_one.get_or_insert(units);
    }
    of_one.ok_or_else(|| io::Error::other("no checkpoints were measured"))
}

fn unit_costs(link: &Units, pub_sub: &Units, checkpoints: &CheckpointUnits) -> UnitCosts {
    let local_us = (link.local_us + pub_sub.local_us) / 2.0;
    let room_of_one_us = (link.room_of_one_us + pub_sub.room_of_one_us) / 2.0;
    UnitCosts {
        node_us: (link.node_us + pub_sub.node_us) / 2.0,
        // Where rooms are large, the one player costs less than the average.
        room_us: (room_of_one_us - local_us * 60.0).max(0.0),
        local_us,
        link: link.relayed,
        pub_sub: pub_sub.relayed,
        redis_node_us: link.redis_node_us,
        redis_relayed_us: pub_sub.redis_us / 60.0,
        redis_relayed_bytes: (pub_sub.redis_in + pub_sub.redis_out) / 60.0,
        redis_checkpoint_us: checkpoints.redis_us,
        redis_checkpoint_extra_bytes: checkpoints.redis_in + checkpoints.redis_out
            - checkpoints.bytes,
    }
}

fn compare_with_model(options: &Options, load: Load, costs: &UnitCosts) -> io::Result<()> {
    println!(
        "\n| carrier | nodes | players | of them relayed | nodes ms/s, model | measured | measured / model | Redis ms/s, model | measured |"
    );
    println!("|{}", "---|".repeat(9));
    for carrier in CARRIERS {
        for count in 1..=3 {
            let rounds: io::Result<Vec<_>> = (0..options.rounds)
                .map(|_| compare(count, carrier, load, costs))
                .collect();
            let mut rounds = rounds?;
            rounds.sort_by(|a, b| a.measured_us.total_cmp(&b.measured_us));
            let Some(median) = rounds.get(rounds.len() / 2) else {
                continue;
            };
            println!(
                "| {} | {count} | {} | {:.0} | {:.0} | {:.0} | {:.2} | {:.1} | {:.1} |",
                carrier.name(),
                load.players + load.rooms,
                median.relayed,
                median.predicted_us / 1e3,
                median.measured_us / 1e3,
                median.measured_us / median.predicted_us,
                median.redis_predicted_us / 1e3,
                median.redis_measured_us / 1e3,
            );
        }
    }
    Ok(())
}
