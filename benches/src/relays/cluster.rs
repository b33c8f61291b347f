//! A Redis and its nodes, and what they use while they are watched.

use super::processes::{Carrier, Node, Redis, Swarm, until};
use crate::load::measure::{Accounts, Scrape};
use std::io;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long whatever has just come is given before it is measured.
const SETTLE: Duration = Duration::from_secs(3);
/// Kernel ticks a second, in `/proc/stat`.
const STAT_HZ: f64 = 100.0;

/// What a cluster uses in a second.
#[derive(Clone, Debug, Default)]
pub struct Usage {
    /// CPU time of each node, in microseconds.
    pub node_us: Vec<f64>,
    /// CPU time of Redis, in microseconds.
    pub redis_us: f64,
    /// Bytes that Redis got.
    pub redis_in: f64,
    /// Bytes that Redis sent.
    pub redis_out: f64,
    /// Commands that Redis ran.
    pub redis_commands: f64,
    /// Envelopes between nodes, over both carriers.
    pub envelopes: f64,
    /// Their bytes.
    pub envelope_bytes: f64,
    /// Checkpoints that were written.
    pub checkpoints: f64,
    /// Their bytes.
    pub checkpoint_bytes: f64,
    /// CPU time of the bots, in microseconds.
    pub bots_us: f64,
    /// CPU time of everything else on this machine, in microseconds: how quiet it was.
    pub others_us: f64,
}

/// A Redis and its nodes.
pub struct Cluster {
    /// The nodes.
    pub nodes: Vec<Node>,
    /// Ends after them.
    redis: Redis,
}

struct Moment {
    at: Instant,
    nodes: Vec<(f64, Scrape)>,
    redis: super::processes::RedisUsage,
    bots_us: f64,
    machine_us: f64,
}

impl Cluster {
    /// Starts a Redis and so many nodes, and waits until all know each other.
    ///
    /// # Errors
    /// If one does not start.
    pub fn start(count: usize, carrier: Carrier) -> io::Result<Self> {
        let redis = Redis::start()?;
        let nodes = ["a", "b", "c"].iter().take(count);
        let nodes: io::Result<Vec<_>> = nodes
            .map(|name| Node::start(&redis, name, carrier))
            .collect();
        let cluster = Self {
            nodes: nodes?,
            redis,
        };
        let links = match carrier {
            Carrier::Link => count - 1,
            Carrier::PubSub => 0,
        };
        until("all nodes to know each other", || {
            let have = |name, count| cluster.all_have(name, count);
            Ok(have("tickwire_cluster_nodes", count)? && have("tickwire_cluster_links", links)?)
        })?;
        Ok(cluster)
    }

    fn all_have(&self, metric: &str, count: usize) -> io::Result<bool> {
        for node in &self.nodes {
            if node.metrics()?.value(metric) != count as f64 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The sum of a metric over all nodes.
    ///
    /// # Errors
    /// If one does not answer.
    pub fn sum(&self, metric: &str) -> io::Result<f64> {
        let values = self
            .nodes
            .iter()
            .map(|node| Ok(node.metrics()?.value(metric)));
        values.sum()
    }

    /// Waits until exactly so many players are in rooms, and then for what they cause to settle.
    ///
    /// # Errors
    /// If they do not come.
    pub fn settle(&self, players: usize) -> io::Result<()> {
        until("the players", || {
            Ok(self.sum("tickwire_players")? == players as f64)
        })?;
        sleep(SETTLE);
        Ok(())
    }

    /// What everything uses for a while, per second.
    ///
    /// # Errors
    /// If a process has ended.
    pub fn measure(&self, time: Duration, swarms: &[&Swarm]) -> io::Result<Usage> {
        let before = self.now(swarms)?;
        sleep(time);
        let after = self.now(swarms)?;
        let seconds = after.at.duration_since(before.at).as_secs_f64();
        let per_second = |after: f64, before: f64| (after - before) / seconds;
        let grown = |metric: &str| {
            let nodes = after.nodes.iter().zip(&before.nodes);
            let grown = nodes.map(|((_, after), (_, before))| after.grown(before, metric));
            grown.sum::<f64>() / seconds
        };
        let sent = |metric: &str| {
            let by = |way: &str| grown(&format!("{metric}{{direction=\"sent_{way}\"}}"));
            by("link") + by("redis")
        };
        let node_us: Vec<f64> = (after.nodes.iter().zip(&before.nodes))
            .map(|((after, _), (before, _))| per_second(*after, *before))
            .collect();
        let redis_us = per_second(after.redis.cpu_us, before.redis.cpu_us);
        let bots_us = per_second(after.bots_us, before.bots_us);
        let machine_us = per_second(after.machine_us, before.machine_us);
        Ok(Usage {
            others_us: machine_us - node_us.iter().sum::<f64>() - redis_us - bots_us,
            node_us,
            redis_us,
            redis_in: per_second(after.redis.bytes_in, before.redis.bytes_in),
            redis_out: per_second(after.redis.bytes_out, before.redis.bytes_out),
            redis_commands: per_second(after.redis.commands, before.redis.commands),
            envelopes: sent("tickwire_cluster_messages_total"),
            envelope_bytes: sent("tickwire_cluster_bytes_total"),
            checkpoints: grown("tickwire_checkpoints_total{outcome=\"written\"}"),
            checkpoint_bytes: grown("tickwire_checkpoint_bytes_total"),
            bots_us,
        })
    }

    fn now(&self, swarms: &[&Swarm]) -> io::Result<Moment> {
        let nodes: io::Result<Vec<_>> = (self.nodes.iter())
            .map(|node| Ok((Accounts::of(&node.process())?.cpu_us, node.metrics()?)))
            .collect();
        let bots = swarms
            .iter()
            .map(|swarm| Ok(Accounts::of(&swarm.process())?.cpu_us));
        Ok(Moment {
            at: Instant::now(),
            nodes: nodes?,
            redis: self.redis.usage()?,
            bots_us: bots.sum::<io::Result<f64>>()?,
            machine_us: machine_us()?,
        })
    }
}

/// The time in which this machine's cores were not idle, in microseconds.
fn machine_us() -> io::Result<f64> {
    let text = std::fs::read_to_string("/proc/stat")?;
    let line = text.lines().next().unwrap_or_default();
    let times = line.split_whitespace().skip(1).enumerate();
    // user nice system idle iowait irq softirq steal; guests are in user already.
    let busy = times.filter(|(index, _)| !matches!(index, 3 | 4 | 8..));
    let ticks: f64 = busy.filter_map(|(_, time)| time.parse::<f64>().ok()).sum();
    Ok(ticks * 1e6 / STAT_HZ)
}
