//! What goes wrong: for one player's connections, and with the server; and the times when nothing does.

use super::World;
use super::connections::ConnectionId;
use super::events::Event;
use crate::model::Peer;
use crate::settings::{CALM, STORM};
use tickwire_client::Phase;
use tickwire_sync::Micros;

/// The second half of a fault.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Later {
    /// The page is shown again.
    Show,
    /// The page is used again, after it has gone away for a while.
    ComeBack,
}

/// Whether the network is bad, and until when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weather {
    is_stormy: bool,
    changes_at: Micros,
}

impl Weather {
    /// Bad from the start.
    pub fn new(now: Micros) -> Self {
        Self {
            is_stormy: true,
            changes_at: now.plus(STORM),
        }
    }

    pub fn changes_at(&self) -> Micros {
        self.changes_at
    }

    pub fn is_stormy(&self) -> bool {
        self.is_stormy
    }
}

impl World {
    /// The network heals, or gets bad again after everybody was checked.
    pub(super) fn weather_changes(&mut self) {
        let now = self.now;
        let is_stormy = !self.weather.is_stormy;
        self.trace.add(
            now,
            None,
            "the weather changes (to bad)",
            [is_stormy.into(), 0],
        );
        if is_stormy {
            self.check_healed();
        } else {
            self.heal();
        }
        self.weather = Weather {
            is_stormy,
            changes_at: now.plus(if is_stormy { STORM } else { CALM }),
        };
        self.events.plan(self.weather.changes_at, Event::Weather);
    }

    fn heal(&mut self) {
        for player in &mut self.players {
            player.line.heal();
        }
        // Who sends over a connection that the other side has lost is told so now.
        let broken: Vec<ConnectionId> = (self.connections.iter())
            .filter(|(_, connection)| connection.is_broken)
            .map(|(id, _)| *id)
            .collect();
        for id in broken {
            let (client, server) = (
                self.random.u64(1..1_000_000),
                self.random.u64(1..20_000_000),
            );
            self.events
                .plan(self.now.plus(Micros(client)), Event::TellClient(id));
            self.events
                .plan(self.now.plus(Micros(server)), Event::TellServer(id));
        }
    }

    /// A random time with this mean.
    fn pause(&mut self, mean: Micros) -> Micros {
        Micros(self.random.u64(1..=2 * mean.0))
    }

    pub(super) fn plan_fault(&mut self, player: usize) {
        let pause = self.pause(self.plan.fault_interval);
        self.events.plan(self.now.plus(pause), Event::Fault(player));
    }

    fn until(&mut self, least_ms: u64, most_ms: u64) -> Micros {
        let span = Micros(self.random.u64(least_ms * 1_000..most_ms * 1_000));
        self.now.plus(span).min(self.weather.changes_at)
    }

    /// Something goes wrong for a player.
    pub(super) fn fault(&mut self, player: usize) {
        self.plan_fault(player);
        if !self.weather.is_stormy() || self.players[player].returns_at.is_some() {
            return;
        }
        self.outcome.faults += 1;
        let kind = self.random.u8(0..15);
        self.trace.add(
            self.now,
            Some(Peer::Honest(player)),
            "fault (kind)",
            [kind.into(), 0],
        );
        match kind {
            0 | 1 => self.block(player, true, true, (50, 800)),
            2 => self.block(player, true, true, (1_000, 7_000)),
            3 => self.block(player, true, false, (500, 5_000)),
            4 => self.block(player, false, true, (500, 5_000)),
            5 => {
                let until = self.until(300, 6_000);
                self.players[player].line.stop_reading(until);
            }
            // Both sides learn of the end, each at its time; or one of them does.
            6 | 7 => self.break_all(player, Some(2_000_000), Some(500_000)),
            8 => self.break_all(player, Some(200_000), None),
            9 => self.break_all(player, None, Some(200_000)),
            10 => self.reload(player),
            11 => self.leave(player),
            12 => self.go_away(player),
            13 => {
                let at = self.players[player].clock(self.now);
                self.players[player].line.change_path();
                self.players[player].client.probe_now(at);
                self.step_player(player);
            }
            _ => self.hide(player),
        }
    }

    fn block(&mut self, player: usize, up: bool, down: bool, (least_ms, most_ms): (u64, u64)) {
        let until = self.until(least_ms, most_ms);
        self.players[player].line.block(up, down, until);
    }

    fn break_all(&mut self, player: usize, server_us: Option<u64>, client_us: Option<u64>) {
        let ids: Vec<ConnectionId> = self.players[player]
            .links
            .iter()
            .map(|(_, id)| *id)
            .collect();
        for id in ids {
            if !self.connections.get(&id).is_some_and(|one| one.is_open) {
                continue;
            }
            let server = server_us.map(|most| Micros(self.random.u64(1..most)));
            let client = client_us.map(|most| Micros(self.random.u64(1..most)));
            self.break_connection(id, server, client);
        }
    }

    /// The page is loaded anew, with or without a farewell of the sockets.
    fn reload(&mut self, player: usize) {
        if let Some(model) = self.players[player]
            .session
            .and_then(|key| self.models.get_mut(&key))
        {
            model.lost_commands_below = self.players[player].commands + 1;
        }
        let says_so = self.random.bool();
        self.abandon_links(player, says_so);
        self.players[player].reload(true, self.now);
        self.step_player(player);
    }

    fn leave(&mut self, player: usize) {
        self.players[player].client.leave();
        let until = self.until(10, 3_000);
        self.players[player].returns_at = Some(until);
        self.carry_out(player);
        self.wake_player(player, until);
    }

    fn go_away(&mut self, player: usize) {
        if matches!(self.players[player].client.phase(), Phase::Closed { .. }) {
            return;
        }
        let grace_ms = self.random.u32(1..8_000);
        self.players[player].client.go_away(grace_ms);
        self.carry_out(player);
        self.later_for(player, Later::ComeBack);
    }

    fn hide(&mut self, player: usize) {
        self.players[player].client.hide();
        self.later_for(player, Later::Show);
    }

    fn later_for(&mut self, player: usize, what: Later) {
        let at = self.until(50, 6_000);
        let generation = self.players[player].generation;
        self.events.plan(
            at,
            Event::Later {
                player,
                generation,
                what,
            },
        );
    }

    /// The second half of a fault, unless the client was replaced since.
    pub(super) fn later(&mut self, player: usize, generation: u32, what: Later) {
        let one = &mut self.players[player];
        if one.generation != generation || one.returns_at.is_some() {
            return;
        }
        let at = one.clock(self.now);
        match what {
            Later::Show => one.client.show(at),
            Later::ComeBack => one.client.come_back(at),
        }
        self.step_player(player);
    }

    pub(super) fn plan_hitch(&mut self) {
        let pause = self.pause(self.plan.hitch_interval);
        self.events.plan(self.now.plus(pause), Event::Hitch);
    }

    /// The server does not run for a while, or restarts.
    pub(super) fn hitch(&mut self) {
        self.plan_hitch();
        if !self.weather.is_stormy() || !self.server.is_up() {
            return;
        }
        self.outcome.faults += 1;
        if self.plan.has_restarts && self.random.u8(0..6) == 0 {
            self.server_goes_down();
        } else {
            let stall = Micros(self.random.u64(1_000..400_000));
            self.trace
                .add(self.now, None, "stands still (us)", [stall.0, 0]);
            self.server_stands_still(stall);
        }
    }
}
