//! How many cores, and how much of a Redis, so many players need.
//!
//! In: what a deployment is like ([`Inputs`]), and what things cost ([`UnitCosts`], as the bench of relays measures them). Out: [`Needs`].
//! Sums and products, so that anybody can check them by hand. docs/SCALING.md says what they leave out.

/// What a deployment is like.
#[derive(Clone, Copy, PartialEq, Debug, clap::Args)]
pub struct Inputs {
    /// Players at a time
    #[arg(long, default_value_t = 100_000.0)]
    pub players: f64,
    /// Players in a room
    #[arg(long, default_value_t = 10.0)]
    pub per_room: f64,
    /// Share of the players who arrive at another node than their room's owner, 0 to 1
    #[arg(long, default_value_t = 0.05)]
    pub relayed: f64,
    /// Share of the relayed players whose frames go over Redis and not over direct links, 0 to 1
    #[arg(long, default_value_t = 0.0)]
    pub over_redis: f64,
    /// Ticks a second
    #[arg(long, default_value_t = 60.0)]
    pub tick_rate: f64,
    /// Bytes of a snapshot
    #[arg(long, default_value_t = 60.0)]
    pub snapshot_bytes: f64,
    /// Bytes of a room's checkpoint
    #[arg(long, default_value_t = 10_600.0)]
    pub checkpoint_bytes: f64,
    /// Seconds between two checkpoints of a room
    #[arg(long, default_value_t = 0.5)]
    pub checkpoint_seconds: f64,
    /// Worker cores of a node
    #[arg(long, default_value_t = 8.0)]
    pub cores_per_node: f64,
    /// Share of each core that stays free, 0 to below 1
    #[arg(long, default_value_t = 0.5)]
    pub headroom: f64,
}

/// What things cost: CPU times in microseconds, and bytes.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct UnitCosts {
    /// A node on which nobody plays, a second.
    pub node_us: f64,
    /// A room without its players, a second, with its checkpoints.
    pub room_us: f64,
    /// A player at the owner of the room, a tick.
    pub local_us: f64,
    /// By a direct link.
    pub link: RelayCosts,
    /// By Redis Pub/Sub.
    pub pub_sub: RelayCosts,
    /// Redis: a node, a second.
    pub redis_node_us: f64,
    /// Redis: a relayed player over Pub/Sub, a tick.
    pub redis_relayed_us: f64,
    /// Redis: bytes that come and go for such a player, a tick.
    pub redis_relayed_bytes: f64,
    /// Redis: a checkpoint.
    pub redis_checkpoint_us: f64,
    /// Redis: bytes of a checkpoint beyond the room's own.
    pub redis_checkpoint_extra_bytes: f64,
}

/// What a relayed player costs a tick, in microseconds.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct RelayCosts {
    /// The owner of the room.
    pub owner_us: f64,
    /// The node that holds the connection.
    pub relay_us: f64,
}

/// What a deployment needs.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Needs {
    /// Rooms.
    pub rooms: f64,
    /// Nodes, with the headroom.
    pub nodes: f64,
    /// Cores that are busy with rooms and local players.
    pub owner_cores: f64,
    /// Cores that are busy with relayed players, at both ends.
    pub relay_cores: f64,
    /// Cores that are busy with the nodes themselves.
    pub node_cores: f64,
    /// Of the one core that a Redis has.
    pub redis_cores: f64,
    /// Bytes a second that Redis gets and sends.
    pub redis_bytes: f64,
    /// Bytes a second of snapshots to players, without the headers of TCP and IP.
    pub snapshot_bytes: f64,
    /// Bytes of checkpoints that Redis holds.
    pub redis_memory: f64,
}

/// What the bench of relays measured: docs/SCALING.md says when, where and how. Relayed players cost what they do where
/// only ten of a pair of nodes are: with a balancer that hashes by room they are few.
pub const MEASURED: UnitCosts = UnitCosts {
    node_us: 4_200.0,
    room_us: 13_700.0,
    local_us: 19.2,
    link: RelayCosts {
        owner_us: 44.9,
        relay_us: 67.6,
    },
    pub_sub: RelayCosts {
        owner_us: 40.1,
        relay_us: 62.2,
    },
    redis_node_us: 1_900.0,
    redis_relayed_us: 5.7,
    redis_relayed_bytes: 199.0,
    redis_checkpoint_us: 76.0,
    redis_checkpoint_extra_bytes: 370.0,
};

const SECOND_US: f64 = 1e6;

impl UnitCosts {
    /// The costs of a machine on which everything takes this many times as long.
    #[must_use]
    pub fn scaled(&self, factor: f64) -> Self {
        let relay = |costs: RelayCosts| RelayCosts {
            owner_us: costs.owner_us * factor,
            relay_us: costs.relay_us * factor,
        };
        Self {
            node_us: self.node_us * factor,
            room_us: self.room_us * factor,
            local_us: self.local_us * factor,
            link: relay(self.link),
            pub_sub: relay(self.pub_sub),
            redis_node_us: self.redis_node_us * factor,
            redis_relayed_us: self.redis_relayed_us * factor,
            redis_checkpoint_us: self.redis_checkpoint_us * factor,
            ..*self
        }
    }
}

impl Inputs {
    /// What a deployment like this needs.
    #[must_use]
    pub fn needs(&self, costs: &UnitCosts) -> Needs {
        let rooms = (self.players / self.per_room).ceil();
        let relayed = self.players * self.relayed;
        let over_redis = relayed * self.over_redis;
        let both_ends = |costs: RelayCosts| costs.owner_us + costs.relay_us;
        let locals_us = (self.players - relayed) * self.tick_rate * costs.local_us;
        let relayed_us = self.tick_rate
            * ((relayed - over_redis) * both_ends(costs.link)
                + over_redis * both_ends(costs.pub_sub));
        let owner_cores = (rooms * costs.room_us + locals_us) / SECOND_US;
        let relay_cores = relayed_us / SECOND_US;
        let usable = self.cores_per_node * (1.0 - self.headroom) - costs.node_us / SECOND_US;
        let nodes = ((owner_cores + relay_cores) / usable).ceil().max(1.0);
        let checkpoints = rooms / self.checkpoint_seconds;
        let redis_us = nodes * costs.redis_node_us
            + over_redis * self.tick_rate * costs.redis_relayed_us
            + checkpoints * costs.redis_checkpoint_us;
        Needs {
            rooms,
            nodes,
            owner_cores,
            relay_cores,
            node_cores: nodes * costs.node_us / SECOND_US,
            redis_cores: redis_us / SECOND_US,
            redis_bytes: over_redis * self.tick_rate * costs.redis_relayed_bytes
                + checkpoints * (self.checkpoint_bytes + costs.redis_checkpoint_extra_bytes),
            snapshot_bytes: self.players * self.tick_rate * self.snapshot_bytes,
            redis_memory: rooms * self.checkpoint_bytes,
        }
    }
}

impl Needs {
    /// Busy cores of all nodes.
    #[must_use]
    pub fn busy_cores(&self) -> f64 {
        self.owner_cores + self.relay_cores + self.node_cores
    }

    /// Clusters among which the rooms must be split so that each one's Redis keeps the headroom.
    #[must_use]
    pub fn clusters(&self, headroom: f64) -> f64 {
        (self.redis_cores / (1.0 - headroom)).ceil().max(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INPUTS: Inputs = Inputs {
        players: 1_000.0,
        per_room: 10.0,
        relayed: 0.1,
        over_redis: 0.5,
        tick_rate: 50.0,
        snapshot_bytes: 40.0,
        checkpoint_bytes: 1_000.0,
        checkpoint_seconds: 0.5,
        cores_per_node: 1.0,
        headroom: 0.5,
    };
    const COSTS: UnitCosts = UnitCosts {
        node_us: 10_000.0,
        room_us: 1_000.0,
        local_us: 10.0,
        link: RelayCosts {
            owner_us: 4.0,
            relay_us: 16.0,
        },
        pub_sub: RelayCosts {
            owner_us: 10.0,
            relay_us: 30.0,
        },
        redis_node_us: 1_000.0,
        redis_relayed_us: 20.0,
        redis_relayed_bytes: 200.0,
        redis_checkpoint_us: 100.0,
        redis_checkpoint_extra_bytes: 500.0,
    };

    fn assert_near(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-9, "{found}, not {expected}");
    }

    #[test]
    fn needs_are_the_sum_of_units() {
        let needs = INPUTS.needs(&COSTS);
        assert_near(needs.rooms, 100.0);
        assert_near(needs.owner_cores, (100.0 * 1_000.0 + 900.0 * 500.0) / 1e6);
        assert_near(needs.relay_cores, 50.0 * 50.0 * (20.0 + 40.0) / 1e6);
        // 0.7 cores, of which a node does 0.5 less its own 0.01.
        assert_near(needs.nodes, 2.0);
        assert_near(needs.node_cores, 0.02);
        assert_near(needs.busy_cores(), 0.72);
        let (relayed, checkpoints) = (50.0 * 50.0, 200.0);
        assert_near(
            needs.redis_cores,
            (2_000.0 + relayed * 20.0 + checkpoints * 100.0) / 1e6,
        );
        assert_near(needs.redis_bytes, relayed * 200.0 + checkpoints * 1_500.0);
        assert_near(needs.snapshot_bytes, 2e6);
        assert_near(needs.redis_memory, 1e5);
    }

    #[test]
    fn without_relays_redis_has_leases_and_checkpoints_alone() {
        let inputs = Inputs {
            relayed: 0.0,
            ..INPUTS
        };
        let needs = inputs.needs(&COSTS);
        assert_near(needs.relay_cores, 0.0);
        assert_near(needs.redis_bytes, 200.0 * 1_500.0);
    }

    #[test]
    fn a_redis_that_is_too_small_is_split_by_clusters() {
        let needs = |players| Inputs { players, ..INPUTS }.needs(&COSTS);
        assert_near(needs(1_000.0).clusters(0.5), 1.0);
        // 100 times the load is 7.2 cores and some, at half a core each.
        assert!(needs(100_000.0).clusters(0.5) >= 14.0);
    }
}
