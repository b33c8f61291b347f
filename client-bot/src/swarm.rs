//! A swarm: carries out the phases of a plan, and merges its bots' measurements into a report.

mod phases;

use crate::behaviour::Playbook;
use crate::bot::{Bot, BotCommand, Shared};
use crate::latency::LatencyHistogram;
use crate::measurements::{BotMeasurements, SwarmTotals};
use crate::options::Options;
use crate::plan::Plan;
use crate::progress;
use crate::report::{Report, RunFigures};
use crate::threshold::Threshold;
use crate::timeline::Timeline;
use anyhow::Context as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};
use tickwire_client::native::Target;
#[cfg(unix)]
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::time::sleep_until;

/// Slices of a run at most: a longer run has longer ones than a second.
const MAX_SLICES: f64 = 1800.0;

/// Runs a swarm until its phases are over or Ctrl-C, SIGTERM or SIGHUP arrives. Call it inside a tokio runtime. The bots play the
/// playbook's game by its behaviours, and any other game by its schema.
///
/// # Errors
/// If a URL cannot be used, or a bot panicked.
pub async fn run(options: &Options, playbook: Option<Arc<dyn Playbook>>) -> anyhow::Result<Report> {
    let plan = Plan::of(options);
    let mut swarm = Swarm::new(options, &plan, playbook)?;
    let started_at = SystemTime::now();
    let (stopper, stop) = watch::channel(false);
    let progress = tokio::spawn(progress::show(
        Arc::clone(&swarm.shared.totals),
        plan.bots(),
        plan.duration(),
        swarm.phase_name.subscribe(),
        stop.clone(),
    ));
    let timer = tokio::spawn(timer_control(stop));
    tokio::select! {
        () = swarm.carry_out(&plan) => {}
        () = interrupted() => {}
    }
    let _ = stopper.send(true);
    let seconds = swarm.start.elapsed().as_secs_f64();
    let bots_at_end = swarm.bots_in_rooms();
    let measured = swarm.finish().await?;
    let _ = progress.await;
    let (timer_per_second, timer_lateness) = timer.await.unwrap_or_default();
    let since_1970 = started_at.duration_since(SystemTime::UNIX_EPOCH);
    let run = RunFigures {
        started_at_unix_ms: since_1970.unwrap_or_default().as_millis() as u64,
        seconds,
        cpu_seconds: cpu_seconds(),
        timer_per_second,
        timer_lateness,
        timeline: swarm.shared.timeline.finish(seconds, bots_at_end),
    };
    let mut report = Report::new(options, &plan, &measured, run);
    let thresholds: Vec<Threshold> = options.thresholds().cloned().collect();
    report.judge(thresholds)?;
    Ok(report)
}

/// How to tell one bot.
type BotCommands = mpsc::UnboundedSender<BotCommand>;

/// The bots of a run.
struct Swarm<'a> {
    options: &'a Options,
    plan: &'a Plan,
    targets: Vec<Arc<Target>>,
    shared: Shared,
    start: Instant,
    phase_name: watch::Sender<String>,
    /// How to tell each bot; none once the bot was told to leave.
    commands: Vec<Option<BotCommands>>,
    /// What bots measured, from those that have ended.
    ended: mpsc::UnboundedReceiver<BotMeasurements>,
    /// Given to every bot; none once no bot will start any more.
    ending: Option<mpsc::UnboundedSender<BotMeasurements>>,
    measured: Vec<BotMeasurements>,
    /// The bot whose connection a storm drops next.
    next_in_storm: usize,
}

impl<'a> Swarm<'a> {
    fn new(
        options: &'a Options,
        plan: &'a Plan,
        playbook: Option<Arc<dyn Playbook>>,
    ) -> anyhow::Result<Self> {
        let targets: Vec<Arc<Target>> = (options.url.iter())
            .map(|url| {
                let target = Target::new(url, options.insecure);
                target.map(Arc::new).with_context(|| format!("--url {url}"))
            })
            .collect::<anyhow::Result<_>>()?;
        let (ending, ended) = mpsc::unbounded_channel();
        Ok(Self {
            options,
            plan,
            targets,
            shared: Shared {
                playbook,
                totals: Arc::new(SwarmTotals::default()),
                timeline: Arc::new(Timeline::default()),
                has_readers: plan.has_readers(),
            },
            start: Instant::now(),
            phase_name: watch::Sender::new(String::new()),
            commands: Vec::new(),
            ended,
            ending: Some(ending),
            measured: Vec::new(),
            next_in_storm: 0,
        })
    }

    fn bots_in_rooms(&self) -> u64 {
        self.shared.totals.connected.load(Ordering::Relaxed)
    }

    /// Starts the next bot.
    fn start_bot(&mut self) {
        let Some(ending) = self.ending.clone() else {
            return;
        };
        let index = self.commands.len();
        // Spread over the addresses; each comes back at the ones that follow its own.
        let (before, from) = self.targets.split_at(index % self.targets.len());
        let others = from[1..].iter().chain(before).map(Arc::clone).collect();
        let targets = (Arc::clone(&from[0]), others);
        let role = self.plan.roles[index];
        let bot = Bot::new(
            index as u32,
            role,
            self.options,
            targets,
            self.shared.clone(),
        );
        let (sender, commands) = mpsc::unbounded_channel();
        self.commands.push(Some(sender));
        tokio::spawn(async move {
            // Nobody listens only if the swarm itself has panicked.
            let _ = ending.send(bot.play(commands).await);
        });
    }

    /// Tells all bots to leave, and waits for what they measured.
    async fn finish(&mut self) -> anyhow::Result<Vec<BotMeasurements>> {
        let started = self.commands.len();
        self.commands.clear();
        self.ending = None;
        while let Some(bot) = self.ended.recv().await {
            self.measured.push(bot);
        }
        let mut measured = std::mem::take(&mut self.measured);
        anyhow::ensure!(measured.len() == started, "a bot panicked");
        measured.sort_unstable_by_key(|bot| bot.index);
        Ok(measured)
    }
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
/// like a missed tick: catching up would show a full rate on a machine that stalls again and again. Gives the wake-ups per second, and
/// how late they were.
async fn timer_control(stop: watch::Receiver<bool>) -> (f64, LatencyHistogram) {
    const PERIOD_US: u64 = 16_667;
    let start = Instant::now();
    let mut lateness = LatencyHistogram::new();
    let (mut count, mut period) = (0_u32, 0);
    while !*stop.borrow() {
        let now = start.elapsed().as_micros() as u64;
        period = (now / PERIOD_US).max(period) + 1;
        let due = start + Duration::from_micros(period * PERIOD_US);
        sleep_until(due.into()).await;
        lateness.record(due.elapsed().as_secs_f64() * 1e3);
        count += 1;
    }
    (f64::from(count) / start.elapsed().as_secs_f64(), lateness)
}

/// CPU time of this process, user and system.
fn cpu_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
