//! Adds what a room counted in a tick to the metrics of the process.

use crate::labels::Label as _;
use crate::metrics::{
    DeferReason, InputOutcome, Metrics, ModerationEvent, ResumeOutcome, ShotOutcome, TickPhase,
};
use crate::room::RoomStats;
use tickwire_sync::{Micros, ViewTick};

/// Adds the counts of one tick; `tick_us` is the time from one tick to the next.
pub(super) fn record_stats(metrics: &Metrics, stats: &RoomStats, tick_us: f64) {
    let seconds = |span: Micros| span.0 as f64 / 1e6;
    let phases = stats.phases;
    let durations = [
        (TickPhase::Input, phases.input),
        (TickPhase::Step, phases.step),
        (TickPhase::Publish, phases.publish),
        (TickPhase::Encode, phases.encode),
        (TickPhase::Send, phases.send),
    ];
    for (phase, span) in durations {
        metrics.phase.get(phase).observe(seconds(span));
    }
    let add = |counter: &prometheus::IntCounter, count: u64| {
        if count > 0 {
            counter.inc_by(count);
        }
    };
    add(&metrics.snapshots_sent, stats.snapshots);
    add(&metrics.snapshot_bytes, stats.snapshot_bytes);
    add(&metrics.blocks_encoded, stats.blocks_encoded);
    add(&metrics.cells_deferred, stats.cells_deferred);
    add(&metrics.events_dropped, stats.events_dropped);
    add(&metrics.blocks_reused, stats.blocks_reused);
    add(&metrics.view_mismatches, stats.view_mismatches);
    let muted_lines = metrics.moderation.get(ModerationEvent::MutedLine);
    add(muted_lines, stats.muted_lines);
    for outcome in InputOutcome::ALL {
        add(metrics.inputs.get(*outcome), stats.inputs[outcome.index()]);
    }
    for outcome in ResumeOutcome::ALL {
        add(
            metrics.resumes.get(*outcome),
            stats.resumes[outcome.index()],
        );
    }
    for reason in DeferReason::ALL {
        add(
            metrics.snapshots_deferred.get(*reason),
            stats.deferred[reason.index()],
        );
    }
    for shot in &stats.shots {
        let label = match shot.outcome {
            tickwire_game::ShotOutcome::Hit => ShotOutcome::Hit,
            tickwire_game::ShotOutcome::Miss => ShotOutcome::Miss,
        };
        metrics.shots.get(label).inc();
        if shot.was_clamped {
            metrics.shots.get(ShotOutcome::Clamped).inc();
        }
        metrics
            .rewind
            .observe(shot.rewound as f64 / ViewTick::FRACTIONS as f64 * tick_us / 1e6);
    }
}
