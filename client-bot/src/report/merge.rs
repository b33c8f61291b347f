//! One report of several: a swarm that is too large for one process, or bots in several places.
//!
//! Sums and histograms add up, so that a percentile is that of all samples (see [`crate::latency`]). Seconds are put side by side by the
//! machines' clocks. Where reports had different settings, the merged one has the larger number, or `several`.

use super::{Histograms, Report, Totals};
use crate::timeline::Slice;
use std::collections::BTreeMap;

/// Why reports cannot be merged.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MergeError {
    /// There is none.
    #[error("there is no report to merge")]
    NoReport,
    /// Their runs were not the same.
    #[error("the reports are of different scenarios: one has the phases {0}, another {1}")]
    DifferentPhases(String, String),
}

impl Report {
    /// One report of several runs of the same scenario, such as those of several processes. The bots of all are in it; thresholds are
    /// left out, as the merged figures are others.
    ///
    /// # Errors
    /// If there is no report, or if their phases have other names or kinds.
    pub fn merge(reports: Vec<Self>) -> Result<Self, MergeError> {
        let starts = reports.iter().map(|report| report.started_at_unix_ms);
        let start = starts.min().ok_or(MergeError::NoReport)?;
        let has_readers = reports.iter().any(|report| report.has_readers);
        let mut seconds = BTreeMap::new();
        let mut merged: Option<Self> = None;
        for mut report in reports {
            if has_readers && !report.has_readers {
                report.forget_gaps_and_ages();
            }
            let shift_s = (report.started_at_unix_ms - start) as f64 / 1e3;
            for slice in std::mem::take(&mut report.timeline) {
                add_slice(&mut seconds, slice, shift_s);
            }
            match &mut merged {
                None => merged = Some(report),
                Some(merged) => merged.add(report)?,
            }
        }
        let mut merged = merged.ok_or(MergeError::NoReport)?;
        merged.started_at_unix_ms = start;
        merged.has_readers = has_readers;
        merged.timeline = seconds.into_values().collect();
        merged.thresholds.clear();
        merged.summarise();
        Ok(merged)
    }

    /// Gaps and ages of bots that do not keep reading say nothing beside those of bots that do.
    fn forget_gaps_and_ages(&mut self) {
        self.histograms.snapshot_gap = Default::default();
        self.histograms.snapshot_age = Default::default();
        for slice in &mut self.timeline {
            slice.latencies.gaps = Default::default();
            slice.latencies.ages = Default::default();
        }
    }

    fn add(&mut self, other: Self) -> Result<(), MergeError> {
        let (own_phases, phases) = (self.phase_list(), other.phase_list());
        if own_phases != phases {
            return Err(MergeError::DifferentPhases(own_phases, phases));
        }
        self.bots += other.bots;
        self.connected += other.connected;
        self.connect_failures += other.connect_failures;
        self.reconnects += other.reconnects;
        self.resumes += other.resumes;
        self.view_checks += other.view_checks;
        self.view_mismatches += other.view_mismatches;
        self.shots += other.shots;
        self.prediction.inputs += other.prediction.inputs;
        self.prediction.corrections += other.prediction.corrections;
        let max_error = &mut self.prediction.max_error_units;
        *max_error = max_error.max(other.prediction.max_error_units);
        for (reason, bots) in other.prediction.lacking {
            *self.prediction.lacking.entry(reason).or_default() += bots;
        }
        self.starved_inputs += other.starved_inputs;
        self.notices += other.notices;
        self.protocol_errors += other.protocol_errors;
        self.cpu_seconds += other.cpu_seconds;
        self.frozen += other.frozen;
        self.offline += other.offline;
        self.per_bot.extend(other.per_bot);
        self.totals.add(other.totals);
        self.histograms.add(&other.histograms);
        // The machine that kept time worst.
        let timer = &mut self.timer_control.per_second;
        *timer = timer.min(other.timer_control.per_second);
        self.add_settings(
            [
                other.latency_ms,
                other.jitter_ms,
                other.stall,
                other.forge_view_ms,
                other.hold_incoming_ms,
                other.seconds,
            ],
            [other.behaviour, other.encoding, other.link, other.scenario],
        );
        for url in other.url.split(' ') {
            if !self.url.split(' ').any(|own| own == url) {
                self.url = format!("{} {url}", self.url);
            }
        }
        Ok(())
    }

    /// `others` and `names`: in the order of the fields below.
    fn add_settings(&mut self, others: [f64; 6], names: [String; 4]) {
        let own = [
            &mut self.latency_ms,
            &mut self.jitter_ms,
            &mut self.stall,
            &mut self.forge_view_ms,
            &mut self.hold_incoming_ms,
            &mut self.seconds,
        ];
        for (own, other) in own.into_iter().zip(others) {
            *own = own.max(other);
        }
        let own = [
            &mut self.behaviour,
            &mut self.encoding,
            &mut self.link,
            &mut self.scenario,
        ];
        for (own, other) in own.into_iter().zip(names) {
            if *own != other {
                "several".clone_into(own);
            }
        }
    }

    /// Names and kinds of the phases.
    fn phase_list(&self) -> String {
        let names = self.phases.iter().map(|phase| match &phase.name {
            name if *name == phase.kind => name.clone(),
            name => format!("{name} ({})", phase.kind),
        });
        names.collect::<Vec<_>>().join(", ")
    }
}

/// Adds a slice to the second in which it began. `shift_s`: by how much its run began later than the first one.
fn add_slice(seconds: &mut BTreeMap<(u64, usize), Slice>, slice: Slice, shift_s: f64) {
    let at_s = slice.at_s + shift_s;
    let key = (at_s.round() as u64, slice.phase);
    let Some(sum) = seconds.get_mut(&key) else {
        seconds.insert(key, Slice { at_s, ..slice });
        return;
    };
    let end_s = (sum.at_s + sum.seconds).max(at_s + slice.seconds);
    sum.at_s = sum.at_s.min(at_s);
    sum.seconds = end_s - sum.at_s;
    sum.bots += slice.bots;
    sum.counts = sum.counts.plus(slice.counts);
    sum.latencies.merge(&slice.latencies);
}

impl Histograms {
    fn add(&mut self, other: &Self) {
        self.snapshot_gap.merge(&other.snapshot_gap);
        self.snapshot_age.merge(&other.snapshot_age);
        self.rtt.merge(&other.rtt);
        self.input_to_ack.merge(&other.input_to_ack);
        self.interpolation_delay.merge(&other.interpolation_delay);
        self.timer_lateness.merge(&other.timer_lateness);
    }
}

impl Totals {
    fn add(&mut self, other: Self) {
        self.bytes_in += other.bytes_in;
        self.row_updates += other.row_updates;
        self.bot_seconds += other.bot_seconds;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latency::LatencyHistogram;
    use crate::report::{BotReport, PhaseReport};
    use crate::timeline::{Counts, Latencies};

    /// A run of one bot with these gaps, one a second.
    fn report(started_at_unix_ms: u64, gaps: &[f64]) -> Report {
        let of = |gaps: &[f64]| {
            let mut histogram = LatencyHistogram::new();
            gaps.iter().for_each(|gap| histogram.record(*gap));
            histogram
        };
        let slice = |(second, gap): (usize, &f64)| Slice {
            at_s: second as f64,
            seconds: 1.0,
            bots: 1,
            counts: Counts {
                bytes_in: 1000,
                ..Counts::default()
            },
            latencies: Latencies {
                gaps: of(&[*gap]),
                ..Latencies::default()
            },
            ..Slice::default()
        };
        let mut report = Report {
            bots: 1,
            connected: 1,
            started_at_unix_ms,
            has_readers: true,
            url: "ws://one/ws".to_owned(),
            link: "lan".to_owned(),
            per_bot: vec![BotReport {
                session: 1,
                keeps_reading: true,
                snapshots_per_second: gaps.len() as f64,
                ..BotReport::default()
            }],
            phases: vec![PhaseReport {
                name: "hold".to_owned(),
                kind: "hold".to_owned(),
                ..PhaseReport::default()
            }],
            totals: Totals {
                bytes_in: 1000 * gaps.len() as u64,
                row_updates: 10,
                bot_seconds: gaps.len() as f64,
            },
            histograms: Histograms {
                snapshot_gap: of(gaps),
                ..Histograms::default()
            },
            timeline: gaps.iter().enumerate().map(slice).collect(),
            ..Report::default()
        };
        report.summarise();
        report
    }

    #[test]
    fn a_merged_percentile_is_that_of_all_samples() {
        let fast = [10.0; 300];
        let slow = [100.0; 100];
        let merged = Report::merge(vec![report(5000, &fast), report(5000, &slow)]).unwrap();
        // Of 400 gaps the 200th is 10, the 396th 100. Averages of the two would be 55.
        assert_eq!(merged.snapshot_gap_ms.samples, 400);
        assert!((merged.snapshot_gap_ms.p50 - 10.0).abs() < 0.1);
        assert!((merged.snapshot_gap_ms.p99 - 100.0).abs() < 1.0);
        assert_eq!(
            (merged.bots, merged.connected, merged.per_bot.len()),
            (2, 2, 2)
        );
        assert_eq!(merged.snapshots_per_second.min, 100.0);
        assert_eq!(merged.bytes_per_second_per_bot, 1000.0);
        assert!(merged.is_good());
    }

    #[test]
    fn seconds_are_put_side_by_side_by_the_clock() {
        let merged = Report::merge(vec![report(7000, &[1.0; 3]), report(5000, &[1.0; 3])]).unwrap();
        assert_eq!(merged.started_at_unix_ms, 5000);
        let bots: Vec<_> = merged.timeline.iter().map(|slice| slice.bots).collect();
        assert_eq!(bots, [1, 1, 2, 1, 1]);
        assert_eq!(
            (merged.phases[0].at_s, merged.phases[0].seconds),
            (0.0, 5.0)
        );
        assert_eq!(merged.phases[0].counts.bytes_in, 6000);
    }

    #[test]
    fn bots_that_do_not_read_leave_the_gaps_to_those_that_do() {
        let mut flappers = report(5000, &[900.0; 9]);
        flappers.has_readers = false;
        flappers.per_bot[0].keeps_reading = false;
        flappers.link = "4g".to_owned();
        let merged = Report::merge(vec![flappers, report(5000, &[10.0; 9])]).unwrap();
        assert!(merged.snapshot_gap_ms.max < 11.0);
        assert!(merged.phases[0].snapshot_gap_ms.max < 11.0);
        assert_eq!(
            (merged.link.as_str(), merged.url.as_str()),
            ("several", "ws://one/ws")
        );
    }

    #[test]
    fn different_scenarios_do_not_merge() {
        let mut other = report(5000, &[1.0]);
        other.phases[0].name = "rest".to_owned();
        let error = Report::merge(vec![report(5000, &[1.0]), other]).unwrap_err();
        assert!(error.to_string().contains("rest (hold)"), "{error}");
        assert_eq!(Report::merge(Vec::new()), Err(MergeError::NoReport));
    }

    #[test]
    fn a_report_survives_its_file() {
        let report = report(5000, &[3.0, 4.0, 500.0]);
        let text = serde_json::to_string_pretty(&report).unwrap();
        assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
    }
}
