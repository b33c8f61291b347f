//! One player that records what arrives. It is a process of its own, since it lives in another namespace.
//!
//! In: URL, seconds, delay and jitter in milliseconds, encoding. Out: on standard output one line per snapshot, join or sample, which
//! `record.rs` reads. Times are since 1970, which all processes of the machine share.

use crate::record::Line;
use anyhow::bail;
use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use tickwire::Input as _;
use tickwire_arena::{ArenaInput, Heading, STEPS};
use tickwire_client::native::{Emulation, PathSettings, Shell, SocketEvent, Target};
use tickwire_client::{Client, Options, Phase, SessionEvent};
use tickwire_proto::v1;
use tickwire_sync::Micros;

/// Rows closer to the own ship than this are near, rows farther than the second value are far, in units.
const NEAR: f64 = 256.0;
const FAR: f64 = 512.0;
const TICK_US: f64 = 1e6 / 60.0;
/// Ticks between two samples of the rows' ages.
const LOOK_INTERVAL: u32 = 7;

pub fn run(arguments: &[&str]) -> anyhow::Result<()> {
    let [url, seconds, delay, jitter, encoding, name, zero] = arguments else {
        bail!("probe URL SECONDS DELAY_MS JITTER_MS ENCODING NAME TICK_ZERO_US");
    };
    let millis = |text: &str| text.parse().map(Duration::from_millis);
    let path = PathSettings {
        latency: millis(delay)?,
        jitter: millis(jitter)?,
        stall: 0.0,
    };
    let encoding = match *encoding {
        "plain" => v1::Encoding::Plain,
        _ => v1::Encoding::Packed,
    };
    let options = Options {
        name: (*name).to_owned(),
        encoding,
        ..Options::default()
    };
    let target = Arc::new(Target::new(url, false)?);
    let until = Instant::now() + Duration::from_secs(seconds.parse()?);
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(async {
            let emulation = Emulation {
                path,
                max_read_rate: None,
                seed: 1,
                ..Emulation::default()
            };
            Probe::new(
                options,
                Shell::with_emulation(target, emulation),
                zero.parse()?,
            )
            .play(until)
            .await
        })
}

struct Probe {
    client: Client,
    shell: Shell,
    start: Instant,
    ticks: u32,
    /// When tick 0 was due, in microseconds since 1970; 0 to use the client's estimate.
    zero: f64,
    out: Vec<u8>,
}

impl Probe {
    fn new(options: Options, shell: Shell, zero: f64) -> Self {
        Self {
            client: Client::new(options, Micros(0)).with_rules(tickwire_arena::rules_for),
            shell,
            start: Instant::now(),
            ticks: 0,
            zero,
            out: Vec::new(),
        }
    }

    async fn play(mut self, until: Instant) -> anyhow::Result<()> {
        while Instant::now() < until {
            let wake = self.start + Duration::from_micros(self.client.wake_at(self.now()).0);
            let happened = self.shell.next_event(wake.min(until)).await;
            if let Some(happened) = happened {
                self.take(happened);
            }
            let now = self.now();
            self.client.poll(now);
            while self.client.next_due_tick(now).is_some() {
                self.input(now);
            }
            while let Some(incoming) = self.client.next_event() {
                if let SessionEvent::Joined { resumed } = incoming {
                    let slot = self.client.entity().map_or(0, |entity| entity.slot);
                    self.write(&Line::Joined {
                        at: epoch_us(),
                        resumed,
                        slot,
                    });
                }
            }
            self.act();
            if let Phase::Closed { reason, .. } = self.client.phase() {
                bail!("the session ended: {reason}");
            }
        }
        if let Some(ticks) = self.client.server_ticks(self.now()) {
            let at = epoch_us() as f64 - ticks * TICK_US;
            self.write(&Line::Zero { at });
        }
        let counters = self.client.counters();
        self.write(&Line::End {
            mismatches: counters.view_mismatches,
            errors: counters.protocol_errors,
            checks: counters.view_checks,
        });
        std::io::stdout().write_all(&self.out)?;
        self.client.leave();
        self.act();
        self.shell
            .finish_closing(Instant::now() + Duration::from_millis(200))
            .await;
        Ok(())
    }

    fn now(&self) -> Micros {
        Micros(self.start.elapsed().as_micros() as u64)
    }

    /// The server's position on the tick axis now. By the machine's clock where that is known, since over a slow line the client's
    /// estimate is off by half the difference between the two ways.
    fn server_ticks(&self, now: Micros) -> Option<f64> {
        if self.zero > 0.0 {
            return Some((epoch_us() as f64 - self.zero) / TICK_US);
        }
        self.client.server_ticks(now)
    }

    fn act(&mut self) {
        while let Some(action) = self.client.next_action() {
            self.shell.perform(action);
        }
    }

    fn take(&mut self, happened: SocketEvent) {
        let now = self.now();
        match happened {
            SocketEvent::Opened(link) => self.client.opened(link, now),
            SocketEvent::Received(link, message) => {
                let before = self.client.counters();
                self.client.received(link, &message, now);
                let after = self.client.counters();
                if after.snapshots > before.snapshots
                    && let Some(server) = self.server_ticks(now)
                {
                    let tick = self.client.newest_snapshot().0;
                    let age = (server - f64::from(tick.0)) * TICK_US / 1e3;
                    self.write(&Line::Snapshot {
                        at: epoch_us(),
                        age,
                        bytes: after.bytes_in - before.bytes_in,
                    });
                }
            }
            SocketEvent::Closed(link, code, reason) => self.client.closed(link, code, &reason, now),
        }
    }

    fn input(&mut self, now: Micros) {
        self.ticks += 1;
        // In circles, so that cells come and go.
        let leg = self.ticks / 90 % 4;
        let input = ArenaInput {
            up: leg == 0,
            right: leg == 1,
            down: leg == 2,
            left: leg == 3,
            ..ArenaInput::default()
        };
        let heading = Heading::from_steps(self.ticks as i32);
        self.client.input(&input.pointing(heading).to_payload());
        if self.ticks.is_multiple_of(LOOK_INTERVAL) {
            self.sample(now);
        }
    }

    /// The ages of near and far rows now, by the server's clock.
    fn sample(&mut self, now: Micros) {
        let (Some(own), Some(replica), Some(server)) = (
            self.client.predicted(),
            self.client.replica(),
            self.server_ticks(now),
        ) else {
            return;
        };
        let (x, y) = (f64::from(own.lanes[0]), f64::from(own.lanes[1]));
        let (mut near, mut far) = ((0.0, 0_u32), (0.0, 0_u32));
        for (row, tick, _) in replica.visible_rows() {
            let is_placed = replica
                .schema()
                .kind(row.id.kind)
                .is_some_and(|kind| kind.placed);
            // Rows that never move are never old.
            if !is_placed || row.id.kind != own.id.kind || row.id == own.id {
                continue;
            }
            let distance =
                (f64::from(row.lanes[0]) - x).hypot(f64::from(row.lanes[1]) - y) / f64::from(STEPS);
            let age = (server - f64::from(tick.0)) * TICK_US / 1e3;
            let group = if distance < NEAR {
                &mut near
            } else if distance > FAR {
                &mut far
            } else {
                continue;
            };
            *group = (group.0 + age, group.1 + 1);
        }
        if near.1 > 0 && far.1 > 0 {
            let mean = |group: (f64, u32)| group.0 / f64::from(group.1);
            self.write(&Line::Rows {
                near: mean(near),
                far: mean(far),
            });
        }
    }

    fn write(&mut self, line: &Line) {
        // Writing to memory cannot fail.
        let _ = writeln!(self.out, "{line}");
    }
}

fn epoch_us() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_micros() as u64)
}
