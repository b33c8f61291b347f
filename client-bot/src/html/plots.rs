//! What the plots of a report show, second by second.

use crate::report::Report;
use crate::timeline::Slice;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// A line of a plot.
struct Line {
    label: &'static str,
    of: fn(&Slice) -> Option<f64>,
}

/// A plot over the time of the run.
struct Plot {
    id: &'static str,
    title: &'static str,
    /// Behind the numbers of the axis.
    unit: &'static str,
    lines: &'static [Line],
}

const PLOTS: [Plot; 8] = [
    Plot {
        id: "gaps",
        title: "Gaps between snapshots",
        unit: " ms",
        lines: &[
            Line {
                label: "p50",
                of: |slice| slice.latencies.gaps.at(0.5),
            },
            Line {
                label: "p99",
                of: |slice| slice.latencies.gaps.at(0.99),
            },
            Line {
                label: "max",
                of: |slice| slice.latencies.gaps.at(1.0),
            },
        ],
    },
    Plot {
        id: "ages",
        title: "Ages of snapshots when they arrive",
        unit: " ms",
        lines: &[
            Line {
                label: "p50",
                of: |slice| slice.latencies.ages.at(0.5),
            },
            Line {
                label: "p99",
                of: |slice| slice.latencies.ages.at(0.99),
            },
        ],
    },
    Plot {
        id: "rtts",
        title: "Round trips, and from an input to its acknowledgement",
        unit: " ms",
        lines: &[
            Line {
                label: "RTT p50",
                of: |slice| slice.latencies.rtts.at(0.5),
            },
            Line {
                label: "RTT p99",
                of: |slice| slice.latencies.rtts.at(0.99),
            },
            Line {
                label: "input to ack p99",
                of: |slice| slice.latencies.acks.at(0.99),
            },
        ],
    },
    Plot {
        id: "bytes",
        title: "Kilobytes per second and bot",
        unit: " kB",
        lines: &[Line {
            label: "kB/s and bot",
            of: |slice| {
                let bot_seconds = slice.bots as f64 * slice.seconds;
                (bot_seconds > 0.0).then(|| slice.counts.bytes_in as f64 / 1e3 / bot_seconds)
            },
        }],
    },
    Plot {
        id: "hits",
        title: "Hits per second",
        unit: "",
        lines: &[
            Line {
                label: "on the screen",
                of: |slice| per_second(slice, slice.counts.hits_on_screen),
            },
            Line {
                label: "confirmed",
                of: |slice| per_second(slice, slice.counts.hits_confirmed),
            },
            Line {
                label: "false hits",
                of: |slice| per_second(slice, slice.counts.false_hits),
            },
        ],
    },
    Plot {
        id: "corrections",
        title: "Corrections per second, ticks without an input",
        unit: "",
        lines: &[
            Line {
                label: "corrections",
                of: |slice| per_second(slice, slice.counts.corrections),
            },
            Line {
                label: "starved ticks",
                of: |slice| per_second(slice, slice.counts.starved_inputs),
            },
        ],
    },
    Plot {
        id: "rooms",
        title: "Bots in rooms, reconnects per second",
        unit: "",
        lines: &[
            Line {
                label: "bots in rooms",
                of: |slice| Some(slice.bots as f64),
            },
            Line {
                label: "reconnects/s",
                of: |slice| per_second(slice, slice.counts.reconnects),
            },
        ],
    },
    Plot {
        id: "snapshots",
        title: "Snapshots per second and bot",
        unit: "",
        lines: &[Line {
            label: "snapshots/s and bot",
            of: |slice| {
                let bot_seconds = slice.bots as f64 * slice.seconds;
                (bot_seconds > 0.0).then(|| slice.counts.snapshots as f64 / bot_seconds)
            },
        }],
    },
];

fn per_second(slice: &Slice, count: u64) -> Option<f64> {
    (slice.seconds > 0.0).then(|| count as f64 / slice.seconds)
}

/// A slice that is shorter says nothing about a second.
const MIN_SLICE_SECONDS: f64 = 0.2;

/// What the page's script draws.
pub(super) fn data(report: &Report) -> Value {
    let slices = || {
        let slices = report.timeline.iter();
        slices.filter(|slice| slice.seconds >= MIN_SLICE_SECONDS)
    };
    let plot = |plot: &Plot| {
        let line = |line: &Line| json!({ "label": line.label, "values": slices().map(line.of).map(rounded).collect::<Vec<_>>() });
        json!({ "id": plot.id, "unit": plot.unit, "series": plot.lines.iter().map(line).collect::<Vec<_>>() })
    };
    let phase = |phase: &crate::report::PhaseReport| {
        let to = phase.at_s + phase.seconds;
        json!({ "name": phase.name, "from": phase.at_s, "to": to })
    };
    let middle = |slice: &Slice| rounded(Some(slice.at_s + slice.seconds / 2.0));
    json!({
        "x": slices().map(middle).collect::<Vec<_>>(),
        "phases": report.phases.iter().map(phase).collect::<Vec<_>>(),
        "plots": PLOTS.iter().map(plot).collect::<Vec<_>>(),
        "distributions": [
            { "id": "gap-counts", "counts": &report.gap_histogram_ms },
            { "id": "age-counts", "counts": &report.age_histogram_ms },
        ],
    })
}

/// With three decimals, as nobody sees more.
fn rounded(value: Option<f64>) -> Option<f64> {
    value.map(|value| (value * 1e3).round() / 1e3)
}

/// Where the plots go.
pub(super) fn sections() -> String {
    let mut html =
        "<h2>Second by second</h2><p class=\"soft\">Drag to zoom, double-click to see all. The bands are the phases.</p><div class=\"plots\">"
            .to_owned();
    for Plot { id, title, .. } in &PLOTS {
        // Writing into a String cannot fail.
        let _ = write!(
            html,
            "<div class=\"plot\"><h3>{title}</h3><div id=\"{id}\"></div></div>"
        );
    }
    html += "</div><h2>Distributions</h2><div class=\"plots\">";
    for (id, title) in [
        (
            "gap-counts",
            "Gaps between snapshots, 100 ms and more at the end",
        ),
        (
            "age-counts",
            "Ages of snapshots, 300 ms and more at the end",
        ),
    ] {
        let _ = write!(
            html,
            "<div class=\"plot\"><h3>{title}</h3><div id=\"{id}\"></div></div>"
        );
    }
    html + "</div>"
}
