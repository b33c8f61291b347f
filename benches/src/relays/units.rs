//! Unit costs from measurements, and the model of them beside real nodes.

use super::cluster::{Cluster, Usage};
use super::processes::{Carrier, Swarm};
use crate::scaling::{RelayCosts, UnitCosts};
use serde_json::Value;
use std::io;
use std::time::Duration;

/// Ticks a second.
const TICK_RATE: f64 = 60.0;

/// What is measured.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Rooms that the first node owns.
    pub rooms: usize,
    /// Players who come and go; one more per room stays.
    pub players: usize,
    /// How long to count.
    pub time: Duration,
}

/// What one more player costs over one carrier, and how old snapshots are.
#[derive(Clone, Copy, Debug, Default)]
pub struct Units {
    /// A node alone, a second.
    pub node_us: f64,
    /// A room with one player, a second.
    pub room_of_one_us: f64,
    /// A local player, a tick.
    pub local_us: f64,
    /// A relayed one.
    pub relayed: RelayCosts,
    /// A relayed one, where only a tenth as many are.
    pub relayed_few: RelayCosts,
    /// Envelopes between the nodes per relayed player and tick.
    pub envelopes: f64,
    /// Their bytes.
    pub envelope_bytes: f64,
    /// Redis per relayed player, a second.
    pub redis_us: f64,
    /// Bytes to Redis per relayed player, a second.
    pub redis_in: f64,
    /// Bytes from Redis.
    pub redis_out: f64,
    /// Redis for a node without rooms, a second.
    pub redis_node_us: f64,
    /// Ages of snapshots of local and of relayed players in the same rooms.
    pub local_age: Age,
    /// Those of relayed ones.
    pub relayed_age: Age,
    /// Bytes that a local player gets in a second.
    pub bytes_down: f64,
    /// Snapshots a second of the player who got the fewest.
    pub slowest: f64,
    /// The most that anything else on the machine used, of one core.
    pub others: f64,
}

/// How old snapshots are on arrival, in milliseconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Age {
    /// The median.
    pub p50: f64,
    /// 99 of 100 are younger.
    pub p99: f64,
}

fn number(report: &Value, path: &str) -> f64 {
    report
        .pointer(path)
        .and_then(Value::as_f64)
        .unwrap_or(f64::NAN)
}

impl Age {
    fn of(report: &Value) -> Self {
        Self {
            p50: number(report, "/snapshot_age_ms/p50"),
            p99: number(report, "/snapshot_age_ms/p99"),
        }
    }
}

/// Two nodes, of which the first owns the rooms, and what players at either use.
struct Pair {
    cluster: Cluster,
    /// One player in each room, so that the first node owns it.
    stay: Swarm,
    load: Load,
    slowest: f64,
    others: f64,
}

impl Pair {
    /// What is used while so many more players are at each of the two, and their reports.
    fn with(&mut self, local: usize, relayed: usize) -> io::Result<(Usage, Vec<Value>)> {
        let mut swarms = Vec::new();
        for (node, bots) in self.cluster.nodes.iter().zip([local, relayed]) {
            if bots > 0 {
                swarms.push(Swarm::start(&[node], self.load.rooms, bots)?);
            }
        }
        self.cluster.settle(self.load.rooms + local + relayed)?;
        let mut watched = vec![&self.stay];
        watched.extend(&swarms);
        let usage = self.cluster.measure(self.load.time, &watched)?;
        let reports: io::Result<Vec<_>> = swarms.into_iter().map(Swarm::end).collect();
        let reports = reports?;
        for report in &reports {
            let slowest = number(report, "/snapshots_per_second/min");
            self.slowest = self.slowest.min(slowest);
        }
        self.others = self.others.max(usage.others_us / 1e6);
        self.cluster.settle(self.load.rooms)?;
        Ok((usage, reports))
    }
}

impl Units {
    /// Measures one round, on a fresh Redis and two fresh nodes. `relayed_first` says which of two that are compared comes first.
    ///
    /// # Errors
    /// If something does not start, ends, or goes wrong.
    pub fn measure(load: Load, carrier: Carrier, relayed_first: bool) -> io::Result<Self> {
        let cluster = Cluster::start(2, carrier)?;
        cluster.settle(0)?;
        let idle = cluster.measure(load.time, &[])?;
        let stay = Swarm::start(&[&cluster.nodes[0]], load.rooms, load.rooms)?;
        cluster.settle(load.rooms)?;
        let alone = cluster.measure(load.time, &[&stay])?;
        let mut pair = Pair {
            cluster,
            stay,
            load,
            slowest: f64::INFINITY,
            others: idle.others_us.max(alone.others_us) / 1e6,
        };
        let count = load.players;
        let few = (count / 10).max(1);
        let (with_local, with_relayed) = if relayed_first {
            let relayed = pair.with(0, count)?;
            (pair.with(count, 0)?, relayed)
        } else {
            (pair.with(count, 0)?, pair.with(0, count)?)
        };
        let with_few = pair.with(0, few)?.0;
        let both = pair.with(count / 2, count / 2)?.1;
        let (local, relayed) = (with_local.0, with_relayed.0);
        let owner = |usage: &Usage| usage.node_us[0] - alone.node_us[0];
        let relay = |usage: &Usage| usage.node_us[1] - alone.node_us[1];
        let of_relay = |usage: &Usage, players: usize| RelayCosts {
            owner_us: owner(usage) / players as f64 / TICK_RATE,
            relay_us: relay(usage) / players as f64 / TICK_RATE,
        };
        // Beside as many local players, whose checkpoints are as large.
        let per_player = |of: fn(&Usage) -> f64| (of(&relayed) - of(&local)) / count as f64;
        let [local_report, relayed_report] = &both[..] else {
            return Err(io::Error::other("a swarm has made no report"));
        };
        let units = Self {
            node_us: idle.node_us.iter().sum::<f64>() / 2.0,
            room_of_one_us: (alone.node_us[0] - idle.node_us[0]) / load.rooms as f64,
            local_us: owner(&local) / count as f64 / TICK_RATE,
            relayed: of_relay(&relayed, count),
            relayed_few: of_relay(&with_few, few),
            envelopes: per_player(|usage| usage.envelopes) / TICK_RATE,
            envelope_bytes: per_player(|usage| usage.envelope_bytes) / TICK_RATE,
            redis_us: per_player(|usage| usage.redis_us),
            redis_in: per_player(|usage| usage.redis_in),
            redis_out: per_player(|usage| usage.redis_out),
            redis_node_us: idle.redis_us / 2.0,
            local_age: Age::of(local_report),
            relayed_age: Age::of(relayed_report),
            bytes_down: number(&with_local.1[0], "/bytes_per_second_per_bot"),
            slowest: pair.slowest,
            others: pair.others,
        };
        drop(pair.stay.end()?);
        Ok(units)
    }

    /// The medians of several rounds, each figure by itself.
    #[must_use]
    pub fn median(rounds: &[Self]) -> Self {
        let median = |of: fn(&Self) -> f64| median(rounds.iter().map(of).collect());
        Self {
            node_us: median(|units| units.node_us),
            room_of_one_us: median(|units| units.room_of_one_us),
            local_us: median(|units| units.local_us),
            relayed: RelayCosts {
                owner_us: median(|units| units.relayed.owner_us),
                relay_us: median(|units| units.relayed.relay_us),
            },
            relayed_few: RelayCosts {
                owner_us: median(|units| units.relayed_few.owner_us),
                relay_us: median(|units| units.relayed_few.relay_us),
            },
            envelopes: median(|units| units.envelopes),
            envelope_bytes: median(|units| units.envelope_bytes),
            redis_us: median(|units| units.redis_us),
            redis_in: median(|units| units.redis_in),
            redis_out: median(|units| units.redis_out),
            redis_node_us: median(|units| units.redis_node_us),
            local_age: Age {
                p50: median(|units| units.local_age.p50),
                p99: median(|units| units.local_age.p99),
            },
            relayed_age: Age {
                p50: median(|units| units.relayed_age.p50),
                p99: median(|units| units.relayed_age.p99),
            },
            bytes_down: median(|units| units.bytes_down),
            slowest: median(|units| units.slowest),
            others: median(|units| units.others),
        }
    }
}

/// The middle of these, the upper one of an even number.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// What Redis uses for the checkpoints of rooms.
#[derive(Clone, Copy, Debug, Default)]
pub struct CheckpointUnits {
    /// Checkpoints of a room, a second.
    pub per_second: f64,
    /// CPU time of Redis for one, in microseconds.
    pub redis_us: f64,
    /// Bytes of one.
    pub bytes: f64,
    /// Bytes to Redis for one.
    pub redis_in: f64,
    /// Bytes from Redis for one.
    pub redis_out: f64,
}

impl CheckpointUnits {
    /// Measures so many rooms with so many players in each, at one node, beside the same node without any.
    ///
    /// # Errors
    /// If something does not start, ends, or goes wrong.
    pub fn measure(rooms: usize, per_room: usize, time: Duration) -> io::Result<Self> {
        let cluster = Cluster::start(1, Carrier::Link)?;
        cluster.settle(0)?;
        let idle = cluster.measure(time, &[])?;
        let swarm = Swarm::start(&[&cluster.nodes[0]], rooms, rooms * per_room)?;
        cluster.settle(rooms * per_room)?;
        let usage = cluster.measure(time, &[&swarm])?;
        swarm.end()?;
        let each = |used: f64, idle: f64| (used - idle) / usage.checkpoints;
        Ok(Self {
            per_second: usage.checkpoints / rooms as f64,
            redis_us: each(usage.redis_us, idle.redis_us),
            bytes: each(usage.checkpoint_bytes, 0.0),
            redis_in: each(usage.redis_in, idle.redis_in),
            redis_out: each(usage.redis_out, idle.redis_out),
        })
    }
}

/// What the model says and what real nodes use, in microseconds a second.
#[derive(Clone, Copy, Debug)]
pub struct Comparison {
    /// Players whose rooms another node owns.
    pub relayed: f64,
    /// All nodes, by the model.
    pub predicted_us: f64,
    /// All nodes, by the kernel's accounts.
    pub measured_us: f64,
    /// Redis, by the model.
    pub redis_predicted_us: f64,
    /// Redis, by its own account.
    pub redis_measured_us: f64,
}

/// Spreads players over so many nodes, and compares what they use with what the model says.
///
/// # Errors
/// If something does not start, ends, or goes wrong.
pub fn compare(
    count: usize,
    carrier: Carrier,
    load: Load,
    costs: &UnitCosts,
) -> io::Result<Comparison> {
    let cluster = Cluster::start(count, carrier)?;
    cluster.settle(0)?;
    let nodes: Vec<_> = cluster.nodes.iter().collect();
    let players = load.rooms + load.players;
    let swarm = Swarm::start(&nodes, load.rooms, players)?;
    cluster.settle(players)?;
    let usage = cluster.measure(load.time, &[&swarm])?;
    let relayed = cluster.sum("tickwire_cluster_relayed_players")?;
    swarm.end()?;
    let relay = match carrier {
        Carrier::Link => costs.link,
        Carrier::PubSub => costs.pub_sub,
    };
    let rooms = load.rooms as f64;
    let players_us =
        (players as f64 - relayed) * costs.local_us + relayed * (relay.owner_us + relay.relay_us);
    let relayed_us = match carrier {
        Carrier::Link => 0.0,
        Carrier::PubSub => relayed * TICK_RATE * costs.redis_relayed_us,
    };
    Ok(Comparison {
        relayed,
        predicted_us: count as f64 * costs.node_us + rooms * costs.room_us + TICK_RATE * players_us,
        measured_us: usage.node_us.iter().sum(),
        redis_predicted_us: count as f64 * costs.redis_node_us
            + relayed_us
            + usage.checkpoints * costs.redis_checkpoint_us,
        redis_measured_us: usage.redis_us,
    })
}
