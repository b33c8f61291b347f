//! A swarm: starts the bots one after the other, lets them play, and merges their measurements into a report.

use crate::behaviour::Playbook;
use crate::bot::Bot;
use crate::latency::LatencyHistogram;
use crate::measurements::{BotMeasurements, SwarmTotals};
use crate::options::Options;
use crate::progress;
use crate::report::{PercentilesMs, Report, TimerControl};
use anyhow::Context as _;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tickwire_client::native::Target;
#[cfg(unix)]
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Runs a swarm until its duration is over or Ctrl-C, SIGTERM or SIGHUP arrives. Call it inside a tokio runtime. The bots play the
/// playbook's game by its behaviours, and any other game by its schema.
///
/// # Errors
/// If the URL cannot be used.
pub async fn run(options: &Options, playbook: Option<Arc<dyn Playbook>>) -> anyhow::Result<Report> {
    let targets: Vec<Arc<Target>> = (options.url.iter())
        .map(|url| {
            let target = Target::new(url, options.insecure);
            target.map(Arc::new).with_context(|| format!("--url {url}"))
        })
        .collect::<anyhow::Result<_>>()?;
    let totals = Arc::new(SwarmTotals::default());
    let (stopper, stop) = watch::channel(false);
    let start = Instant::now();
    let progress = tokio::spawn(progress::show(
        Arc::clone(&totals),
        options.bots,
        options.duration,
        stop.clone(),
    ));
    let timer = tokio::spawn(timer_control(stop.clone()));
    let mut swarm = JoinSet::new();
    let pause = Duration::from_secs_f64(1.0 / f64::from(options.ramp));
    let starting = async {
        for index in 0..options.bots {
            tokio::time::sleep_until((start + pause * index).into()).await;
            // Spread over the addresses; each comes back at the ones that follow its own.
            let first = index as usize % targets.len();
            let (before, from) = targets.split_at(first);
            let others = from[1..].iter().chain(before).map(Arc::clone).collect();
            let (target, totals) = (Arc::clone(&from[0]), Arc::clone(&totals));
            let bot = Bot::new(index, options, playbook.clone(), target, others, totals);
            swarm.spawn(bot.play(stop.clone()));
        }
        // Every bot plays for the whole duration, even the last one started.
        tokio::time::sleep(options.duration).await;
    };
    tokio::select! {
        () = starting => {}
        () = interrupted() => {}
    }
    let _ = stopper.send(true);
    let seconds = start.elapsed().as_secs_f64();
    let mut measured: Vec<BotMeasurements> = Vec::with_capacity(options.bots as usize);
    while let Some(bot) = swarm.join_next().await {
        measured.push(bot.context("a bot panicked")?);
    }
    measured.sort_unstable_by_key(|bot| bot.index);
    let _ = progress.await;
    let timer = timer.await.unwrap_or_default();
    let cpu = cpu_seconds();
    Ok(Report::new(options, &measured, timer, seconds, cpu))
}

/// Waits for a signal to end the swarm early.
async fn interrupted() {
    #[cfg(unix)]
    if let (Ok(mut terminated), Ok(mut hung_up)) = (
        signal(SignalKind::terminate()),
        signal(SignalKind::hangup()),
    ) {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminated.recv() => {}
            // SIGHUP: the terminal was closed.
            _ = hung_up.recv() => {}
        }
        return;
    }
    let _ = tokio::signal::ctrl_c().await;
}

/// A bare 60 Hz timer beside the bots, as a control: how well this machine keeps time under their load. A missed period is lost,
/// like a missed tick: catching up would show a full rate on a machine that stalls again and again.
async fn timer_control(stop: watch::Receiver<bool>) -> TimerControl {
    const PERIOD_US: u64 = 16_667;
    let start = Instant::now();
    let mut lateness = LatencyHistogram::new();
    let (mut count, mut period) = (0_u32, 0);
    while !*stop.borrow() {
        let now = start.elapsed().as_micros() as u64;
        period = (now / PERIOD_US).max(period) + 1;
        let due = start + Duration::from_micros(period * PERIOD_US);
        tokio::time::sleep_until(due.into()).await;
        lateness.record(due.elapsed().as_secs_f64() * 1e3);
        count += 1;
    }
    TimerControl {
        per_second: f64::from(count) / start.elapsed().as_secs_f64(),
        lateness_ms: PercentilesMs::of(&lateness),
    }
}

/// CPU time of this process, user and system.
fn cpu_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
