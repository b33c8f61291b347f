//! What a room counted in a tick, into the metrics of the process.

use crate::metrics::{
    Deferred, InputOutcome, Label as _, Metrics, Phase, ResumeOutcome, ShotOutcome,
};
use crate::room::RoomStats;
use tickwire_sync::{Micros, ViewTick};

/// Adds a tick's counts; the tick lasts `tick_us`.
pub(super) fn count(metrics: &Metrics, stats: &RoomStats, tick_us: f64) {
    let seconds = |span: Micros| span.0 as f64 / 1e6;
    let phases = stats.phases;
    let parts = [
        (Phase::Input, phases.input),
        (Phase::Step, phases.step),
        (Phase::Publish, phases.publish),
        (Phase::Encode, phases.encode),
        (Phase::Send, phases.send),
    ];
    for (phase, span) in parts {
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
    add(&metrics.cells_held, stats.cells_held);
    add(&metrics.events_dropped, stats.events_dropped);
    add(&metrics.blocks_reused, stats.blocks_reused);
    add(&metrics.view_mismatches, stats.view_mismatches);
    for outcome in InputOutcome::ALL {
        add(metrics.inputs.get(*outcome), stats.inputs[outcome.index()]);
    }
    for outcome in ResumeOutcome::ALL {
        add(
            metrics.resumes.get(*outcome),
            stats.resumes[outcome.index()],
        );
    }
    for reason in Deferred::ALL {
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
