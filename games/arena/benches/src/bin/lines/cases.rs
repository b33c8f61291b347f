//! The cases: each has a line, what happens to it, and its figures.

use crate::net::{Net, PORT, Process, SERVER, Server, beside};
use crate::record::{Record, at, mean};
use anyhow::{Context as _, bail};
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, SystemTime};
use tokio::signal::unix::{SignalKind, signal};

/// How long after the start of a run joining and its burst are over, in seconds.
pub(super) const WARM_UP: u64 = 3;

pub(super) struct Settings {
    pub(super) seconds: u64,
    pub(super) npcs: u32,
    encoding: String,
    only: String,
    /// How many times the line is cut.
    cuts: u32,
}

/// `lines [--seconds N] [--npcs N] [--encoding plain|packed] [--only WORD] [--cuts N]`
pub fn run(arguments: &[&str]) -> anyhow::Result<()> {
    let mut settings = Settings {
        seconds: 20,
        npcs: 500,
        encoding: "plain".to_owned(),
        only: String::new(),
        cuts: 10,
    };
    for pair in arguments.chunks(2) {
        match *pair {
            ["--seconds", value] => settings.seconds = value.parse()?,
            ["--npcs", value] => settings.npcs = value.parse()?,
            ["--encoding", value] => settings.encoding = value.to_owned(),
            ["--only", value] => settings.only = value.to_owned(),
            ["--cuts", value] => settings.cuts = value.parse()?,
            _ => bail!(
                "lines [--seconds N] [--npcs N] [--encoding plain|packed] [--only WORD] [--cuts N]"
            ),
        }
    }
    let net = Net::make()?;
    remove_when_asked_to_end(&net);
    let server = Server::start(&net, settings.npcs)?;
    let mut bench = Bench {
        net,
        server,
        settings,
        zero: 0.0,
    };
    let near = bench.probe(&bench.net.server(), "clock", 3, 0, 0)?;
    bench.zero = near.finish()?.zero;
    println!(
        "line                            age ms p50     p99     max  late %  snapshots/s  used %  kbit/s  near ms   far ms  far/near  beyond one way  wrong  server CPU %"
    );
    for control in ["cubic", "bbr"] {
        if !bench.net.set_congestion_control(control) {
            println!(
                "{control}: not for namespaces here; it must be among net.ipv4.tcp_allowed_congestion_control"
            );
            continue;
        }
        for (kbit, round_trip, jitter) in [
            (100_000, 10, 0),
            (100_000, 80, 0),
            (100_000, 80, 20),
            (256, 10, 0),
            (256, 80, 0),
            (512, 30, 0),
            (1000, 80, 40),
        ] {
            bench.steady(control, kbit, round_trip, jitter)?;
        }
    }
    bench.net.set_congestion_control("cubic");
    bench.compare()?;
    bench.crowd()?;
    bench.map()?;
    for round_trip in [10, 80] {
        bench.change(round_trip)?;
    }
    bench.cut()?;
    bench.change_network()
}

/// Removes the namespaces when the program is interrupted, since they outlive their maker.
fn remove_when_asked_to_end(net: &Net) {
    let net = net.handle();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let Ok(runtime) = runtime else { return };
        runtime.block_on(async {
            let terminated = signal(SignalKind::terminate());
            let Ok(mut terminated) = terminated else {
                return;
            };
            tokio::select! {
                _ = terminated.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            net.remove();
            std::process::exit(1);
        });
    });
}

pub(super) struct Bench {
    pub(super) net: Net,
    server: Server,
    pub(super) settings: Settings,
    /// When tick 0 was due, in microseconds since 1970.
    zero: f64,
}

/// The outcome of one cut of the line. Times are in milliseconds until the newest world was there again; NaN if it never was.
struct Cut {
    since_return: f64,
    since_first: f64,
    joins: usize,
    /// The most bytes in flight to the player, and waiting in the server.
    most_held: u64,
    /// The gaps between another player's snapshots, sorted, in milliseconds.
    gaps_before: Vec<f64>,
    gaps_meanwhile: Vec<f64>,
    wrong: String,
}

/// A running probe.
pub(super) struct Probe {
    process: Process,
    started: u64,
    out: std::path::PathBuf,
}

impl Bench {
    /// Starts a probe in a namespace. `round_trip` and `jitter` are in milliseconds.
    fn probe(
        &self,
        namespace: &str,
        name: &str,
        seconds: u64,
        round_trip: u32,
        jitter: u32,
    ) -> anyhow::Result<Probe> {
        self.probe_at(
            (PORT, self.zero),
            namespace,
            name,
            seconds,
            (round_trip, jitter),
        )
    }

    /// Starts a probe at the server on a port, whose tick 0 was due at a known time.
    pub(super) fn probe_at(
        &self,
        (port, zero): (u16, f64),
        namespace: &str,
        name: &str,
        seconds: u64,
        (round_trip, jitter): (u32, u32),
    ) -> anyhow::Result<Probe> {
        let out =
            std::env::temp_dir().join(format!("tickwire-lines-{}-{name}", std::process::id()));
        let mut command = Net::within(namespace, &beside("lines")?);
        command
            .args([
                "probe",
                &format!("ws://{SERVER}:{port}/ws?room=lines"),
                &seconds.to_string(),
            ])
            .args([(round_trip / 2).to_string(), jitter.to_string()])
            .args([self.settings.encoding.as_str(), name, &zero.to_string()])
            .stdout(Stdio::from(std::fs::File::create(&out)?));
        Ok(Probe {
            started: now(),
            process: Process::start(command)?,
            out,
        })
    }

    pub(super) fn is_left_out(&self, name: &str) -> bool {
        !name.contains(&self.settings.only)
    }

    /// A line that does not change.
    fn steady(&self, control: &str, kbit: u32, round_trip: u32, jitter: u32) -> anyhow::Result<()> {
        let name = format!("{control} {}", line_name(kbit, round_trip, jitter));
        if self.is_left_out(&name) {
            return Ok(());
        }
        self.net.set_rate(kbit)?;
        let probe = self.probe(
            &self.net.client(),
            "thin",
            self.settings.seconds + WARM_UP,
            round_trip,
            jitter,
        )?;
        sleep(Duration::from_secs(WARM_UP));
        let (bytes, cpu, from) = (self.net.line_bytes()?, self.server.cpu_seconds(), now());
        sleep(Duration::from_secs(self.settings.seconds - 1));
        let (bytes, cpu, to) = (
            self.net.line_bytes()? - bytes,
            self.server.cpu_seconds() - cpu,
            now(),
        );
        let record = probe.finish()?;
        let seconds = (to - from) as f64 / 1e6;
        let ages = record.ages(from, to);
        // One way, the snapshot's own time on the wire, and two ticks.
        let one_way = f64::from(round_trip) / 2.0 + f64::from(jitter);
        let is_late = |(_, age, bytes): &&(u64, f64, u64)| {
            *age > one_way + (bytes + 66) as f64 * 8.0 / f64::from(kbit) + 33.4
        };
        let late = record.between(from, to).filter(is_late).count();
        let kbits = bytes as f64 * 8.0 / 1e3 / seconds;
        let (near, far) = (mean(&record.near), mean(&record.far));
        println!(
            "{name:30} {:10.1} {:7.1} {:7.1}  {:6.1}  {:11.1}  {:6.1}  {kbits:6.0}  {near:7.1}  {far:7.1}  {:8.1}  {:14.1}  {:>5}  {:12.1}",
            at(0.5, &ages),
            at(0.99, &ages),
            at(1.0, &ages),
            late as f64 * 100.0 / ages.len() as f64,
            ages.len() as f64 / seconds,
            kbits * 100.0 / f64::from(kbit),
            far / near,
            // The path's one-way delay is in both ages, and nobody chooses it.
            (far - f64::from(round_trip) / 2.0) / (near - f64::from(round_trip) / 2.0),
            wrong(&record),
            cpu * 100.0 / seconds,
        );
        Ok(())
    }

    /// 1 Mbit/s, then 256 kbit/s, then 1 Mbit/s again.
    fn change(&self, round_trip: u32) -> anyhow::Result<()> {
        let name = format!("change, RTT {round_trip}");
        if self.is_left_out(&name) {
            return Ok(());
        }
        println!("\n1 Mbit/s -> 256 kbit/s -> 1 Mbit/s, RTT {round_trip}, 8 s each, three times");
        for _ in 0..3 {
            self.net.set_rate(1000)?;
            let probe = self.probe(&self.net.client(), "change", 26, round_trip, 0)?;
            sleep(Duration::from_secs(9));
            let down = now();
            self.net.set_rate(256)?;
            sleep(Duration::from_secs(8));
            let up = now();
            self.net.set_rate(1000)?;
            sleep(Duration::from_secs(7));
            let end = now();
            let record = probe.finish()?;
            // One way, the snapshot's own time on the slower wire, and two ticks.
            let allowed =
                |bytes: u64| f64::from(round_trip) / 2.0 + (bytes + 66) as f64 * 8.0 / 256.0 + 33.4;
            println!(
                "  fresh again {:.0} ms after it became slower (oldest {:.0} ms), {:.0} ms after it became faster; snapshots/s {:.1} {:.1} {:.1}; wrong {}",
                record.fresh_after(down, up, allowed),
                at(1.0, &record.ages(down, up)),
                record.fresh_after(up, end, allowed),
                rate(&record, down - 5_000_000, down),
                rate(&record, down + 1_000_000, up),
                rate(&record, up + 1_000_000, end),
                wrong(&record)
            );
        }
        Ok(())
    }

    /// The line is cut for five seconds while others play on. The room's state is requested as often before the cut as during it,
    /// so that both spans contain the cost of the requests.
    fn cut(&self) -> anyhow::Result<()> {
        if self.is_left_out("cut") {
            return Ok(());
        }
        println!(
            "\nline of 1 Mbit/s, RTT 30, cut for 5 s, {} times",
            self.settings.cuts
        );
        self.net.set_rate(1000)?;
        let mut cuts = Vec::new();
        for _ in 0..self.settings.cuts {
            let cut = self.one_cut()?;
            println!(
                "  true world {:.0} ms after the line's return, {:.0} ms after the first snapshot that got through; {} joins; at most {} bytes on their way; others' gap p99 {:.1} ms before, {:.1} ms meanwhile; wrong {}",
                cut.since_return,
                cut.since_first,
                cut.joins,
                cut.most_held,
                at(0.99, &cut.gaps_before),
                at(0.99, &cut.gaps_meanwhile),
                cut.wrong
            );
            cuts.push(cut);
        }
        let those = |is_so: fn(&Cut) -> bool| cuts.iter().filter(|cut| is_so(cut)).count();
        let all = |gaps: fn(&Cut) -> &[f64]| {
            let mut all: Vec<f64> = cuts.iter().flat_map(gaps).copied().collect();
            all.sort_by(f64::total_cmp);
            all
        };
        let (before, meanwhile) = (all(|cut| &cut.gaps_before), all(|cut| &cut.gaps_meanwhile));
        println!(
            "  of {} cuts: {} within 2 s of the line's return, {} within 1 RTT and 2 ticks of the first snapshot, {} with at most 64 KiB held; all others' gaps p50/p99/max {:.1}/{:.1}/{:.1} ms before, {:.1}/{:.1}/{:.1} ms meanwhile",
            cuts.len(),
            those(|cut| cut.since_return <= 2000.0),
            those(|cut| cut.since_first <= 30.0 + 33.4),
            those(|cut| cut.most_held <= 64 << 10),
            at(0.5, &before),
            at(0.99, &before),
            at(1.0, &before),
            at(0.5, &meanwhile),
            at(0.99, &meanwhile),
            at(1.0, &meanwhile),
        );
        Ok(())
    }

    fn one_cut(&self) -> anyhow::Result<Cut> {
        let probe = self.probe(&self.net.client(), "cut", 16, 30, 0)?;
        let other = self.probe(&self.net.server(), "other", 16, 0, 0)?;
        self.most_held_for("cut", now() + 5_000_000);
        let cut = now();
        self.net.cut()?;
        let most_held = self.most_held_for("cut", cut + 5_000_000);
        let mended = now();
        self.net.mend()?;
        sleep(Duration::from_secs(5));
        let end = now();
        let (record, other) = (probe.finish()?, other.finish()?);
        let first = record.between(mended, end).next().map(|(at, _, _)| *at);
        let fresh = record
            .between(mended, end)
            .find(|(_, age, _)| *age < 15.0 + 50.0)
            .map(|(at, _, _)| *at);
        let since = |from: u64| fresh.map_or(f64::NAN, |at| (at - from) as f64 / 1e3);
        Ok(Cut {
            since_return: since(mended),
            since_first: since(first.unwrap_or(mended)),
            joins: record.joined.len(),
            most_held,
            gaps_before: other.gaps(cut - 3_000_000, cut),
            gaps_meanwhile: other.gaps(cut, mended),
            wrong: wrong(&record),
        })
    }

    /// Requests the room's state five times a second until then. Returns the most that was held for that player.
    fn most_held_for(&self, name: &str, until: u64) -> u64 {
        let mut most = 0;
        while now() < until {
            most = most.max(self.held_for(name).unwrap_or(0));
            sleep(Duration::from_millis(200));
        }
        most
    }

    /// The bytes in flight to a player and waiting in the server, by the room's state.
    fn held_for(&self, name: &str) -> Option<u64> {
        let mut command = Net::within(&self.net.server(), &beside("lines").ok()?);
        command.args(["get", &format!("{SERVER}:{PORT}"), "/rooms/lines/state"]);
        let out = command.output().ok()?;
        let state: serde_json::Value = serde_json::from_slice(&out.stdout).ok()?;
        let players = state["players"].as_array()?;
        let player = players.iter().find(|player| player["name"] == name)?;
        let bytes = |field: &str| player[field].as_u64().unwrap_or(0);
        Some(bytes("bytes_in_flight") + bytes("pending_bytes"))
    }

    /// The network is gone for good, and another one takes its place.
    fn change_network(&self) -> anyhow::Result<()> {
        if self.is_left_out("network") {
            return Ok(());
        }
        println!(
            "\nthe network is gone for good, and another one is there (another source address)"
        );
        self.net.set_rate(1000)?;
        let probe = self.probe(&self.net.client(), "mover", 14, 0, 0)?;
        sleep(Duration::from_secs(5));
        let cut = now();
        self.net.change_network()?;
        sleep(Duration::from_secs(8));
        let end = now();
        let players = self.players_named("mover");
        let record = probe.finish()?;
        let again = record.joined.iter().find(|(at, _, _)| *at > cut);
        let (first, again) = (
            record.joined.first().context("it never joined")?,
            again.context("it did not come back")?,
        );
        let playing = record
            .between(again.0, end)
            .next()
            .map_or(f64::NAN, |(at, _, _)| (at - cut) as f64 / 1e3);
        println!(
            "  playing again {playing:.0} ms after the cut, resumed: {}, same entity: {}, players of that name: {players}; wrong {}",
            again.1,
            again.2 == first.2,
            wrong(&record)
        );
        Ok(())
    }

    fn players_named(&self, name: &str) -> usize {
        let Ok(program) = beside("lines") else {
            return 0;
        };
        let mut command = Net::within(&self.net.server(), &program);
        command.args(["get", &format!("{SERVER}:{PORT}"), "/rooms/lines/state"]);
        let out = command.output().map(|out| out.stdout).unwrap_or_default();
        let state: serde_json::Value = serde_json::from_slice(&out).unwrap_or_default();
        let players = state["players"].as_array().cloned().unwrap_or_default();
        players
            .iter()
            .filter(|player| player["name"] == name)
            .count()
    }
}

impl Probe {
    /// Waits for the probe to end by itself, and reads its record.
    pub(super) fn finish(self) -> anyhow::Result<Record> {
        let is_good = self.process.wait()?;
        let text = std::fs::read_to_string(&self.out)?;
        let _ = std::fs::remove_file(&self.out);
        if !is_good || text.is_empty() {
            bail!(
                "a probe failed, {:.1} s after its start",
                (now() - self.started) as f64 / 1e6
            );
        }
        Ok(Record::read(&text))
    }
}

pub(super) fn line_name(kbit: u32, round_trip: u32, jitter: u32) -> String {
    let spread = if jitter == 0 {
        String::new()
    } else {
        format!(" ± {jitter}")
    };
    format!("{kbit} kbit/s, RTT {round_trip}{spread}")
}

/// Mismatches and protocol errors, of how many view checks.
pub(super) fn wrong(record: &Record) -> String {
    let (mismatches, errors, checks) = record.end.unwrap_or((0, 0, 0));
    format!("{}/{checks}", mismatches + errors)
}

fn rate(record: &Record, from: u64, to: u64) -> f64 {
    record.between(from, to).count() as f64 * 1e6 / (to - from) as f64
}

pub(super) fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_micros() as u64)
}
