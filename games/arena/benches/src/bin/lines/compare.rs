//! Fast lines with the congestion window and with none, by turns: what the window costs where there is no queue.
//!
//! Two servers of the same binary run side by side in the server's namespace. They differ in `Config::window_policy` alone. At any
//! time one of them has a player.

use crate::cases::{Bench, WARM_UP, line_name, now, wrong};
use crate::net::{PORT, Server};
use crate::record::at;
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;
use tickwire_server::config::Config;
use tickwire_sync::bench_policies::WindowPolicy;

/// How many turns each of the two gets on a line.
const TURNS: u64 = 5;

/// One of the two servers, and its results so far.
struct Side {
    name: &'static str,
    port: u16,
    zero: f64,
    seconds: f64,
    ages: Vec<f64>,
    gaps: Vec<f64>,
    wrong: Vec<String>,
}

impl Bench {
    /// Plays the fast lines.
    pub fn compare(&self) -> anyhow::Result<()> {
        let lines = [(10, 0), (80, 0), (80, 20)];
        let named = lines.map(|(round_trip, jitter)| {
            let line = line_name(100_000, round_trip, jitter);
            (format!("compare {line}"), round_trip, jitter)
        });
        if named.iter().all(|(name, ..)| self.is_left_out(name)) {
            return Ok(());
        }
        self.net.set_rate(100_000)?;
        let ports = [PORT + 1, PORT + 2];
        let npcs = self.settings.npcs;
        let _with = Server::start_own(&self.net, ports[0], npcs, true)?;
        let _without = Server::start_own(&self.net, ports[1], npcs, false)?;
        let mut zeros = [0.0; 2];
        for (port, zero) in ports.iter().zip(&mut zeros) {
            let near = self.probe_at((*port, 0.0), &self.net.server(), "clock", 3, (0, 0))?;
            *zero = near.finish()?.zero;
        }
        println!(
            "\nby turns, {TURNS} of {} s each        snapshots/s   gap ms p50     p99     max   age ms p50     p99     max  wrong",
            self.turn_seconds()
        );
        for (name, round_trip, jitter) in &named {
            if !self.is_left_out(name) {
                self.compare_on(name, (*round_trip, *jitter), ports, zeros)?;
            }
        }
        Ok(())
    }

    fn turn_seconds(&self) -> u64 {
        (self.settings.seconds / TURNS).max(2)
    }

    fn compare_on(
        &self,
        name: &str,
        line: (u32, u32),
        ports: [u16; 2],
        zeros: [f64; 2],
    ) -> anyhow::Result<()> {
        let side = |name, which: usize| Side {
            name,
            port: ports[which],
            zero: zeros[which],
            seconds: 0.0,
            ages: Vec::new(),
            gaps: Vec::new(),
            wrong: Vec::new(),
        };
        let mut sides = [side("window", 0), side("none", 1)];
        for turn in 0..TURNS {
            // The two alternate who goes first.
            for which in [turn % 2, 1 - turn % 2] {
                self.turn(&mut sides[which as usize], line)?;
            }
        }
        for side in &sides {
            println!(
                "{name:32} {:7} {:6.2}   {:10.1} {:7.1} {:7.1}   {:10.1} {:7.1} {:7.1}  {}",
                side.name,
                side.ages.len() as f64 / side.seconds,
                at(0.5, &side.gaps),
                at(0.99, &side.gaps),
                at(1.0, &side.gaps),
                at(0.5, &side.ages),
                at(0.99, &side.ages),
                at(1.0, &side.ages),
                side.wrong.join(" ")
            );
        }
        Ok(())
    }

    fn turn(&self, side: &mut Side, line: (u32, u32)) -> anyhow::Result<()> {
        let seconds = self.turn_seconds();
        let place = (side.port, side.zero);
        let probe = self.probe_at(
            place,
            &self.net.client(),
            side.name,
            seconds + WARM_UP,
            line,
        )?;
        sleep(Duration::from_secs(WARM_UP));
        let from = now();
        sleep(Duration::from_secs(seconds) - Duration::from_millis(200));
        let to = now();
        let record = probe.finish()?;
        side.seconds += (to - from) as f64 / 1e6;
        side.ages.extend(record.ages(from, to));
        side.gaps.extend(record.gaps(from, to));
        side.wrong.push(wrong(&record));
        Ok(())
    }
}

/// The server with a window or with none: `server window|open FLAGS`.
pub fn serve(arguments: &[&str]) -> anyhow::Result<()> {
    let (policy, flags) = match arguments {
        ["open", flags @ ..] => (WindowPolicy::Open, flags),
        ["window", flags @ ..] => (WindowPolicy::FollowPath, flags),
        _ => anyhow::bail!("server window|open FLAGS"),
    };
    let mut config = Config::load(std::iter::once("lines").chain(flags.iter().copied()))?;
    config.window_policy = policy;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    Ok(runtime.block_on(tickwire_server::run(
        config,
        Arc::new(|settings| Box::new(tickwire::RoomGame::<tickwire_arena::Arena>::new(settings))),
    ))?)
}
