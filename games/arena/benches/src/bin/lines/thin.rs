//! What a thin line hardly carries: a crowded room, and a large map.
//!
//! `crowd` plays a room of 1,500 computer players over 128 kbit/s, alone and beside 150 bots. `map` lets one player into a room whose
//! map has 2 MB over 256 kbit/s. Each has a server of its own.

use crate::cases::{Bench, now, wrong};
use crate::net::{Net, PORT, Process, SERVER, Server, beside};
use crate::record::at;
use std::process::Stdio;
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;
use tickwire_game::{Game, Identity, Refusal, Step};
use tickwire_server::config::Config;
use tickwire_sync::frame::Publisher;
use tickwire_sync::interest::InterestArea;
use tickwire_sync::{EntityId, LayerSet, PlayerId, Schema};

const CROWD_NPCS: u32 = 1500;
const CROWD_KBIT: u32 = 128;
const CROWD_SECONDS: u64 = 33;
const MAP_KBIT: u32 = 256;
const MAP_BYTES: usize = 2_000_000;
/// Within this time the map has to be there.
const MAP_SECONDS: u64 = 150;

impl Bench {
    /// A crowded room over a thin line, alone and beside bots.
    pub fn crowd(&self) -> anyhow::Result<()> {
        if self.is_left_out("crowd") {
            return Ok(());
        }
        println!(
            "\n{CROWD_NPCS} computer players over {CROWD_KBIT} kbit/s, RTT 10, {CROWD_SECONDS} s from the join"
        );
        for bots in [0, 150] {
            self.net.set_rate(100_000)?;
            let port = PORT + 3;
            let _server = Server::start_at(&self.net, port, CROWD_NPCS)?;
            let clock = self.probe_at((port, 0.0), &self.net.server(), "clock", 3, (0, 0))?;
            let zero = clock.finish()?.zero;
            let _bots = (bots > 0)
                .then(|| self.start_bots(port, bots))
                .transpose()?;
            self.net.set_rate(CROWD_KBIT)?;
            let client = self.net.client();
            let thin = self.probe_at((port, zero), &client, "thin", CROWD_SECONDS, (10, 0))?;
            sleep(Duration::from_secs(CROWD_SECONDS));
            let to = now();
            let record = thin.finish()?;
            let from = record.joined.first().map_or(to, |(at, _, _)| *at);
            // One way, the snapshot's own time on the wire, and two ticks.
            let allowed =
                |bytes: u64| 5.0 + (bytes + 66) as f64 * 8.0 / f64::from(CROWD_KBIT) + 33.4;
            let fresh = record.fresh_after(from, to, allowed);
            let half = from + 10_000_000;
            let bytes = |from| -> Vec<f64> {
                let snapshots = record.between(from, to);
                snapshots.map(|(_, _, bytes)| *bytes as f64).collect()
            };
            let late = record
                .between(half, to)
                .filter(|(_, age, bytes)| *age > allowed(*bytes));
            println!(
                "  beside {bots} bots: fresh {fresh:.0} ms after the join; age p50 {:.1} ms over all, {:.1} (p99 {:.1}) after 10 s, {:.1} % late; {:.0} bytes p50, {:.1}/s; wrong {}",
                at(0.5, &record.ages(from, to)),
                at(0.5, &record.ages(half, to)),
                at(0.99, &record.ages(half, to)),
                late.count() as f64 * 100.0 / bytes(half).len().max(1) as f64,
                at(0.5, &bytes(half)),
                bytes(half).len() as f64 * 1e6 / (to - half) as f64,
                wrong(&record),
            );
        }
        Ok(())
    }

    fn start_bots(&self, port: u16, bots: u32) -> anyhow::Result<Process> {
        let mut command = Net::within(&self.net.server(), &beside("tickwire-bot")?);
        command
            .args(["--url", &format!("ws://{SERVER}:{port}/ws?room=lines")])
            .args(["--bots", &bots.to_string(), "--duration", "120s"])
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let process = Process::start(command)?;
        sleep(Duration::from_secs(3));
        Ok(process)
    }

    /// A large map over a thin line.
    pub fn map(&self) -> anyhow::Result<()> {
        if self.is_left_out("map") {
            return Ok(());
        }
        println!("\na map of {MAP_BYTES} bytes over {MAP_KBIT} kbit/s");
        self.net.set_rate(MAP_KBIT)?;
        let port = PORT + 4;
        let _server = Server::start_with_map(&self.net, port)?;
        let started = now();
        let probe = self.probe_at((port, 0.0), &self.net.client(), "map", MAP_SECONDS, (0, 0))?;
        let record = probe.finish()?;
        let joined = record.joined.first().map(|(at, _, _)| *at);
        let first = record.between(started, now()).next().map(|(at, _, _)| *at);
        let after = |at: Option<u64>| at.map_or(f64::NAN, |at| (at - started) as f64 / 1e6);
        println!(
            "  joined after {:.1} s, first snapshot after {:.1} s",
            after(joined),
            after(first)
        );
        let mut command = Net::within(&self.net.server(), &beside("lines")?);
        command.args(["get", &format!("127.0.0.1:{}", port + 2000), "/metrics"]);
        let out = command.output()?;
        for line in String::from_utf8_lossy(&out.stdout).lines() {
            if line.contains(r#"outcome="accepted""#)
                || line.contains("heartbeat_timeout")
                || line.starts_with("tickwire_sent_bytes")
            {
                println!("  {line}");
            }
        }
        Ok(())
    }
}

/// A room with a large map and nothing on it.
struct Atlas;

impl Game for Atlas {
    fn name(&self) -> &'static str {
        "atlas"
    }

    fn schema(&self) -> Arc<Schema> {
        Arc::new(Schema::default())
    }

    fn map(&self) -> Vec<u8> {
        vec![7; MAP_BYTES]
    }

    fn rules_hash(&self) -> u64 {
        0
    }

    fn join(&mut self, _: PlayerId, _: &Identity) -> Result<Option<EntityId>, Refusal> {
        Ok(None)
    }

    fn leave(&mut self, _: PlayerId) {}

    fn step(&mut self, _: &mut Step<'_>) {}

    fn publish(&self, _: &mut Publisher<'_>) {}

    fn interest_area(&self, _: PlayerId) -> InterestArea {
        InterestArea {
            focus: glam::IVec2::ZERO,
            half_extent: glam::IVec2::ONE,
            layers: LayerSet::default(),
        }
    }
}

/// The server of the case `map`: `map-server FLAGS`.
pub fn serve(flags: &[&str]) -> anyhow::Result<()> {
    let config = Config::load(std::iter::once("lines").chain(flags.iter().copied()))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let server = tickwire_server::run(config, Arc::new(|_| Box::new(Atlas)));
    Ok(runtime.block_on(server)?)
}
