//! The figures of a report: from what the bots measured, and from sums and histograms, which merged reports have too.

use super::{
    BotReport, EntityIdReport, Histograms, PercentilesMs, PhaseReport, Prediction, Rates, Report,
    TimerControl, Totals,
};
use crate::latency::LatencyHistogram;
use crate::measurements::BotMeasurements;
use crate::options::Options;
use crate::plan::Plan;
use crate::shot_counts::ShotCounts;
use crate::timeline::{Counts, Latencies, Slice};
use std::collections::BTreeMap;
use tickwire_sync::EntityId;

/// What a swarm knows beside its bots' measurements.
pub(crate) struct RunFigures {
    pub started_at_unix_ms: u64,
    /// How long the run took.
    pub seconds: f64,
    /// Processor time of the bots.
    pub cpu_seconds: f64,
    /// Wake-ups per second of the bare timer.
    pub timer_per_second: f64,
    pub timer_lateness: LatencyHistogram,
    pub timeline: Vec<Slice>,
}

impl Report {
    /// Merges the bots' measurements.
    pub(crate) fn new(
        options: &Options,
        plan: &Plan,
        bots: &[BotMeasurements],
        run: RunFigures,
    ) -> Self {
        let has_readers = plan.has_readers();
        let connected = || bots.iter().filter(|bot| bot.has_connected());
        let readers = || connected().filter(|bot| bot.behaviour.keeps_reading() || !has_readers);
        let of_readers = |of| merged(of, &mut readers());
        let of_all = |of| merged(of, &mut bots.iter());
        let sum = |of: fn(&BotMeasurements) -> u64| bots.iter().map(of).sum::<u64>();
        let mut shots = ShotCounts::default();
        bots.iter().for_each(|bot| shots += bot.shots);
        let path = options.link().path();
        let phase = |phase: &crate::plan::Phase| PhaseReport {
            name: phase.name.clone(),
            kind: phase.action.kind().to_owned(),
            ..PhaseReport::default()
        };
        let mut report = Self {
            bots: plan.bots(),
            connected: connected().count() as u64,
            connect_failures: sum(|bot| bot.connect_failures),
            reconnects: sum(|bot| bot.counters.reconnects),
            resumes: sum(|bot| bot.counters.resumes),
            view_checks: sum(|bot| bot.counters.view_checks),
            view_mismatches: sum(|bot| bot.counters.view_mismatches),
            shots,
            prediction: Prediction {
                inputs: sum(|bot| bot.prediction.inputs),
                corrections: sum(|bot| bot.prediction.corrections),
                max_error_units: bots
                    .iter()
                    .map(|bot| bot.prediction.max_error / f64::from(bot.steps_per_unit))
                    .fold(0.0, f64::max),
                lacking: lacking(bots.iter().filter_map(|bot| bot.prediction_note.as_deref())),
            },
            starved_inputs: sum(|bot| bot.counters.starved_inputs),
            notices: sum(|bot| bot.counters.notices),
            protocol_errors: sum(|bot| bot.counters.protocol_errors),
            cpu_seconds: run.cpu_seconds,
            seconds: run.seconds,
            timer_control: TimerControl {
                per_second: run.timer_per_second,
                ..TimerControl::default()
            },
            url: options.url.join(" "),
            behaviour: behaviour(options),
            latency_ms: path.latency.as_secs_f64() * 1e3,
            jitter_ms: path.jitter.as_secs_f64() * 1e3,
            stall: path.stall,
            forge_view_ms: options.forge_view.as_secs_f64() * 1e3,
            hold_incoming_ms: options.hold_incoming.as_secs_f64() * 1e3,
            seed: options.seed,
            encoding: format!("{:?}", options.encoding).to_lowercase(),
            offline: bots.iter().filter(|bot| bot.is_offline).count() as u64,
            frozen: readers().filter(|bot| bot.is_frozen()).count() as u64,
            per_bot: bots.iter().map(BotReport::of).collect(),
            link: options.link().label().to_owned(),
            scenario: options.scenario_path().to_owned(),
            started_at_unix_ms: run.started_at_unix_ms,
            has_readers,
            phases: plan.phases.iter().map(phase).collect(),
            totals: Totals {
                bytes_in: sum(|bot| bot.counters.bytes_in),
                row_updates: sum(|bot| bot.counters.row_updates),
                bot_seconds: bots.iter().map(|bot| bot.seconds).sum(),
            },
            histograms: Histograms {
                snapshot_gap: of_readers(|bot| &bot.gap_ms),
                snapshot_age: of_readers(|bot| &bot.age_ms),
                rtt: of_all(|bot| &bot.rtt_ms),
                input_to_ack: of_all(|bot| &bot.ack_ms),
                interpolation_delay: of_all(|bot| &bot.interpolation_delay_ms),
                timer_lateness: run.timer_lateness,
            },
            timeline: run.timeline,
            ..Self::default()
        };
        report.summarise();
        report
    }

    /// Works out what follows from the sums, the histograms, the bots and the timeline.
    pub(super) fn summarise(&mut self) {
        let all = &self.histograms;
        self.snapshot_gap_ms = PercentilesMs::of(&all.snapshot_gap);
        self.snapshot_age_ms = PercentilesMs::of(&all.snapshot_age);
        self.rtt_ms = PercentilesMs::of(&all.rtt);
        self.input_to_ack_ms = PercentilesMs::of(&all.input_to_ack);
        self.interpolation_delay_ms = PercentilesMs::of(&all.interpolation_delay);
        self.timer_control.lateness_ms = PercentilesMs::of(&all.timer_lateness);
        self.gap_histogram_ms = all.snapshot_gap.counts_by_step(1.0, 101);
        self.age_histogram_ms = all.snapshot_age.counts_by_step(1.0, 301);
        let totals = self.totals;
        let bot_seconds = totals.bot_seconds.max(1e-9);
        self.bytes_per_second_per_bot = totals.bytes_in as f64 / bot_seconds;
        self.row_updates_per_second_per_bot = totals.row_updates as f64 / bot_seconds;
        self.bytes_per_row_update = match totals.row_updates {
            0 => 0.0,
            rows => totals.bytes_in as f64 / rows as f64,
        };
        let counted =
            |bot: &&BotReport| bot.session != 0 && (bot.keeps_reading || !self.has_readers);
        let rates = self.per_bot.iter().filter(counted);
        self.snapshots_per_second = Rates::of(rates.map(|bot| bot.snapshots_per_second).collect());
        for (index, phase) in self.phases.iter_mut().enumerate() {
            phase.summarise(self.timeline.iter().filter(|slice| slice.phase == index));
        }
    }
}

fn behaviour(options: &Options) -> String {
    let scenario = options.scenario.as_ref();
    let names = scenario.map_or(&[][..], |scenario| &scenario.behaviours);
    match names {
        [] => options.behaviour.as_str().to_owned(),
        [(name, _)] => name.as_str().to_owned(),
        _ => "several".to_owned(),
    }
}

fn merged(
    of: fn(&BotMeasurements) -> &LatencyHistogram,
    bots: &mut dyn Iterator<Item = &BotMeasurements>,
) -> LatencyHistogram {
    bots.fold(LatencyHistogram::new(), |mut all, bot| {
        all.merge(of(bot));
        all
    })
}

fn lacking<'a>(notes: impl Iterator<Item = &'a str>) -> BTreeMap<String, u32> {
    let mut reasons = BTreeMap::new();
    for note in notes {
        *reasons.entry(note.to_owned()).or_default() += 1;
    }
    reasons
}

impl PhaseReport {
    fn summarise<'a>(&mut self, slices: impl Iterator<Item = &'a Slice>) {
        let (mut latencies, mut counts) = (Latencies::default(), Counts::default());
        let (mut bot_seconds, mut end_s) = (0.0, 0.0_f64);
        let mut begin_s = f64::INFINITY;
        for slice in slices {
            latencies.merge(&slice.latencies);
            counts = counts.plus(slice.counts);
            bot_seconds += slice.bots as f64 * slice.seconds;
            begin_s = begin_s.min(slice.at_s);
            end_s = end_s.max(slice.at_s + slice.seconds);
            self.bots = slice.bots;
        }
        if begin_s.is_finite() {
            (self.at_s, self.seconds) = (begin_s, end_s - begin_s);
        }
        self.snapshot_gap_ms = PercentilesMs::of(&latencies.gaps);
        self.snapshot_age_ms = PercentilesMs::of(&latencies.ages);
        self.rtt_ms = PercentilesMs::of(&latencies.rtts);
        self.input_to_ack_ms = PercentilesMs::of(&latencies.acks);
        self.bytes_per_second_per_bot = if bot_seconds > 0.0 {
            counts.bytes_in as f64 / bot_seconds
        } else {
            0.0
        };
        self.counts = counts;
    }
}

impl Rates {
    fn of(mut rates: Vec<f64>) -> Self {
        rates.sort_unstable_by(f64::total_cmp);
        let Some(last) = rates.len().checked_sub(1) else {
            return Self::default();
        };
        Self {
            min: rates[0],
            p50: rates[last / 2],
            max: rates[last],
        }
    }
}

impl PercentilesMs {
    pub(crate) fn of(latencies: &LatencyHistogram) -> Self {
        Self {
            p50: latencies.quantile(0.5),
            p99: latencies.quantile(0.99),
            max: latencies.max(),
            samples: latencies.samples(),
        }
    }
}

impl BotReport {
    fn of(bot: &BotMeasurements) -> Self {
        let entity_id = |id: EntityId| EntityIdReport {
            kind: id.kind.0,
            slot: id.slot,
            generation: id.generation,
        };
        Self {
            name: bot.name.clone(),
            room: bot.room.clone(),
            behaviour: bot.behaviour.as_str().to_owned(),
            link: bot.link.to_owned(),
            keeps_reading: bot.behaviour.keeps_reading(),
            session: bot.session,
            entity: bot.entity.map(entity_id),
            score: bot.score,
            snapshots_per_second: bot.snapshot_rate(),
            snapshot_gap_ms: PercentilesMs::of(&bot.gap_ms),
            longest_gap_ms: bot.longest_gap_ms,
            snapshot_age_ms: PercentilesMs::of(&bot.age_ms),
            reconnects: bot.counters.reconnects,
            resumes: bot.counters.resumes,
            rtt_ms: PercentilesMs::of(&bot.rtt_ms),
            input_to_ack_ms: PercentilesMs::of(&bot.ack_ms),
            interpolation_delay_ms: PercentilesMs::of(&bot.interpolation_delay_ms),
            bytes_in: bot.counters.bytes_in,
            starved_inputs: bot.counters.starved_inputs,
            corrections: bot.prediction.corrections,
            shots: bot.shots,
            view_mismatches: bot.counters.view_mismatches,
            protocol_errors: bot.counters.protocol_errors,
            refusal: bot.refusal.clone(),
        }
    }
}
