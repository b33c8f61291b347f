//! The run second by second: every slice belongs to a phase and has the figures of all bots together.
//!
//! In: what each bot measured since it last looked, and the swarm's clock, which begins slices. Out: the slices. A bot gives what it has
//! when it sees that a new slice has begun, so the lock is taken once a second and bot.

use crate::latency::LatencyHistogram;
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What all bots counted in a slice or a phase.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Snapshots received.
    pub snapshots: u64,
    /// Payload bytes received.
    pub bytes_in: u64,
    /// Inputs predicted.
    pub inputs: u64,
    /// Snapshots that differed from the prediction.
    pub corrections: u64,
    /// Ticks for which the server had no input.
    pub starved_inputs: u64,
    /// Times that a bot came back after it had lost its connection.
    pub reconnects: u64,
    /// Of these: those as the same session.
    pub resumes: u64,
    /// View hashes compared.
    pub view_checks: u64,
    /// View hashes that differed from the server's.
    pub view_mismatches: u64,
    /// Messages that could not be decoded or applied.
    pub protocol_errors: u64,
    /// Shots fired.
    pub shots_fired: u64,
    /// Of the judged shots: those that hit on the screen.
    pub hits_on_screen: u64,
    /// Of these: those that the server confirmed.
    pub hits_confirmed: u64,
    /// Hits that the screen did not show.
    pub false_hits: u64,
}

impl Counts {
    /// What was counted since an earlier time. A count that went back, as when a bot of another game takes over, has grown by nothing.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        self.zip(earlier, u64::saturating_sub)
    }

    /// The sum of both.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        self.zip(other, u64::saturating_add)
    }

    fn zip(self, other: Self, with: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            snapshots: with(self.snapshots, other.snapshots),
            bytes_in: with(self.bytes_in, other.bytes_in),
            inputs: with(self.inputs, other.inputs),
            corrections: with(self.corrections, other.corrections),
            starved_inputs: with(self.starved_inputs, other.starved_inputs),
            reconnects: with(self.reconnects, other.reconnects),
            resumes: with(self.resumes, other.resumes),
            view_checks: with(self.view_checks, other.view_checks),
            view_mismatches: with(self.view_mismatches, other.view_mismatches),
            protocol_errors: with(self.protocol_errors, other.protocol_errors),
            shots_fired: with(self.shots_fired, other.shots_fired),
            hits_on_screen: with(self.hits_on_screen, other.hits_on_screen),
            hits_confirmed: with(self.hits_confirmed, other.hits_confirmed),
            false_hits: with(self.false_hits, other.false_hits),
        }
    }
}

/// The latencies that a timeline has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Latency {
    Gap,
    Age,
    Rtt,
    Ack,
}

/// The latencies of a slice or a phase.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Latencies {
    /// Gaps between snapshots that ended here, of the bots that keep reading.
    pub gaps: LatencyHistogram,
    /// Ages of snapshots, of the same bots.
    pub ages: LatencyHistogram,
    /// Round trips of clock pings.
    pub rtts: LatencyHistogram,
    /// From making an input to the snapshot that says it was applied.
    pub acks: LatencyHistogram,
}

impl Latencies {
    fn record(&mut self, latency: Latency, millis: f64) {
        match latency {
            Latency::Gap => self.gaps.record(millis),
            Latency::Age => self.ages.record(millis),
            Latency::Rtt => self.rtts.record(millis),
            Latency::Ack => self.acks.record(millis),
        }
    }

    /// Adds those of another slice.
    pub fn merge(&mut self, other: &Self) {
        self.gaps.merge(&other.gaps);
        self.ages.merge(&other.ages);
        self.rtts.merge(&other.rtts);
        self.acks.merge(&other.acks);
    }
}

/// A second of the run, or what is left of one when its phase ends.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Slice {
    /// When it began, in seconds of the run.
    pub at_s: f64,
    /// How long it was.
    pub seconds: f64,
    /// Position of its phase in the report's list.
    pub phase: usize,
    /// Bots in a room when it ended.
    pub bots: u64,
    /// What the bots counted.
    #[serde(flatten)]
    pub counts: Counts,
    /// What the bots timed.
    pub latencies: Latencies,
}

/// The slices of a run, shared by the swarm and its bots.
#[derive(Debug, Default)]
pub(crate) struct Timeline {
    /// Number of the slice that bots measure for, from 0.
    current: AtomicUsize,
    slices: Mutex<Vec<Slice>>,
}

impl Timeline {
    fn slices(&self) -> MutexGuard<'_, Vec<Slice>> {
        // No code panics under this lock.
        self.slices.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the current slice and begins one of a phase. `at_s`: the time of the run; `bots`: how many are in a room.
    pub fn begin(&self, at_s: f64, phase: usize, bots: u64) {
        let mut slices = self.slices();
        end(slices.last_mut(), at_s, bots);
        let slice = Slice {
            at_s,
            phase,
            ..Slice::default()
        };
        slices.push(slice);
        self.current.store(slices.len() - 1, Ordering::Relaxed);
    }

    /// Begins another slice of the current phase.
    pub fn go_on(&self, at_s: f64, bots: u64) {
        let phase = self.slices().last().map_or(0, |slice| slice.phase);
        self.begin(at_s, phase, bots);
    }

    /// Ends the last slice and takes all of them.
    pub fn finish(&self, at_s: f64, bots: u64) -> Vec<Slice> {
        let mut slices = self.slices();
        end(slices.last_mut(), at_s, bots);
        std::mem::take(&mut slices)
    }
}

fn end(slice: Option<&mut Slice>, at_s: f64, bots: u64) {
    if let Some(slice) = slice {
        slice.seconds = at_s - slice.at_s;
        slice.bots = bots;
    }
}

/// One bot's part of the timeline.
#[derive(Debug)]
pub(crate) struct SliceWriter {
    timeline: std::sync::Arc<Timeline>,
    /// The slice that the samples are of.
    slice: usize,
    samples: Vec<(Latency, f32)>,
    /// What has been given to earlier slices.
    given: Counts,
}

impl SliceWriter {
    pub fn new(timeline: std::sync::Arc<Timeline>) -> Self {
        let slice = timeline.current.load(Ordering::Relaxed);
        Self {
            timeline,
            slice,
            samples: Vec::new(),
            given: Counts::default(),
        }
    }

    pub fn record(&mut self, latency: Latency, millis: f64) {
        self.samples.push((latency, millis as f32));
    }

    /// Whether another slice has begun since [`Self::give`].
    pub fn is_due(&self) -> bool {
        self.timeline.current.load(Ordering::Relaxed) != self.slice
    }

    /// Gives all samples, and what was counted since the last call, to the slice in which they were measured. `counts`: since the bot's
    /// start.
    pub fn give(&mut self, counts: Counts) {
        let grown = counts.since(self.given);
        self.given = counts;
        if let Some(slice) = self.timeline.slices().get_mut(self.slice) {
            slice.counts = slice.counts.plus(grown);
            for (latency, millis) in self.samples.drain(..) {
                slice.latencies.record(latency, millis.into());
            }
        }
        self.slice = self.timeline.current.load(Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn what_a_bot_measures_belongs_to_the_slice_of_its_time() {
        let timeline = Arc::new(Timeline::default());
        timeline.begin(0.0, 0, 0);
        let mut bot = SliceWriter::new(Arc::clone(&timeline));
        let counts = |bytes_in| Counts {
            bytes_in,
            ..Counts::default()
        };
        bot.record(Latency::Gap, 17.0);
        assert!(!bot.is_due());
        timeline.go_on(1.0, 5);
        timeline.begin(1.5, 1, 6);
        assert!(bot.is_due());
        bot.give(counts(100));
        bot.record(Latency::Gap, 30.0);
        bot.record(Latency::Rtt, 9.0);
        bot.give(counts(150));
        let slices = timeline.finish(2.0, 7);
        let summary: Vec<_> = slices
            .iter()
            .map(|slice| {
                let gaps = slice.latencies.gaps.samples();
                (
                    slice.phase,
                    slice.seconds,
                    slice.bots,
                    slice.counts.bytes_in,
                    gaps,
                )
            })
            .collect();
        assert_eq!(
            summary,
            [(0, 1.0, 5, 100, 1), (0, 0.5, 6, 0, 0), (1, 0.5, 7, 50, 1)]
        );
        assert_eq!(slices[2].latencies.rtts.samples(), 1);
    }
}
