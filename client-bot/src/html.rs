//! The report as an HTML page: one file, no scripts, plots as inline SVG.

use crate::report::{PercentilesMs, Report};
use std::fmt::Write as _;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b2330}\
    h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}table{border-collapse:collapse;width:100%}\
    td,th{padding:.2rem .6rem;border-bottom:1px solid #dde3ea;text-align:right}td:first-child,th:first-child{text-align:left}\
    svg{width:100%;height:160px;background:#f4f6f9}rect{fill:#2f6fde}.bad{color:#b00020;font-weight:bold}";

/// Renders the report as an HTML page.
#[must_use]
pub fn html_page(report: &Report) -> String {
    let verdict = if report.is_good() {
        "<p>Every bot joined and stayed in sync, without errors.</p>"
    } else {
        "<p class=\"bad\">Not every bot joined and stayed in sync without errors.</p>"
    };
    let rates: Vec<f64> = report
        .per_bot
        .iter()
        .map(|bot| bot.snapshots_per_second)
        .collect();
    let counts = |counts: &[u64]| counts.iter().map(|count| *count as f64).collect::<Vec<_>>();
    let mut html = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Tickwire bots</title><style>{STYLE}</style>\
         <h1>{} bots for {:.0} s</h1>{verdict}<table>{}</table>\
         <h2>Snapshots per second, bot by bot (0 to 62)</h2>{}\
         <h2>Gaps between snapshots, 0 to 100 ms</h2>{}<h2>Age of snapshots, 0 to 300 ms</h2>{}<h2>Bots</h2><table>\
         <tr><th>name<th>behaviour<th>session<th>score<th>snapshots/s<th>gap p99 ms<th>age p99 ms<th>reconnects<th>resumes</tr>",
        report.bots,
        report.seconds,
        figures(report),
        bars(&rates, 62.0),
        bars(&counts(&report.gap_histogram_ms), 0.0),
        bars(&counts(&report.age_histogram_ms), 0.0),
    );
    for bot in &report.per_bot {
        // Writing into a String cannot fail.
        let _ = write!(
            html,
            "<tr><td>{}<td>{}<td>{}<td>{}<td>{:.2}<td>{:.1}<td>{:.1}<td>{}<td>{}</tr>",
            escape(&bot.name),
            bot.behaviour,
            bot.session,
            bot.score,
            bot.snapshots_per_second,
            bot.snapshot_gap_ms.p99,
            bot.snapshot_age_ms.p99,
            bot.reconnects,
            bot.resumes,
        );
    }
    html + "</table></html>\n"
}

fn figures(report: &Report) -> String {
    let percentiles = |latency: PercentilesMs| {
        format!(
            "{:.2} / {:.2} / {:.2}",
            latency.p50, latency.p99, latency.max
        )
    };
    let rows = [
        (
            "connected",
            format!("{} of {}", report.connected, report.bots),
        ),
        (
            "snapshots per second, min / p50 / max",
            format!(
                "{:.2} / {:.2} / {:.2}",
                report.snapshots_per_second.min,
                report.snapshots_per_second.p50,
                report.snapshots_per_second.max
            ),
        ),
        (
            "a bare timer for comparison, per second",
            format!("{:.2}", report.timer_control.per_second),
        ),
        (
            "snapshot gap ms, p50 / p99 / max",
            percentiles(report.snapshot_gap_ms),
        ),
        (
            "snapshot age ms, p50 / p99 / max",
            percentiles(report.snapshot_age_ms),
        ),
        (
            "input to acknowledgement ms, p50 / p99 / max",
            percentiles(report.input_to_ack_ms),
        ),
        (
            "interpolation delay ms, p50 / p99 / max",
            percentiles(report.interpolation_delay_ms),
        ),
        (
            "bytes per second and bot",
            format!("{:.0}", report.bytes_per_second_per_bot),
        ),
        (
            "bytes per row update",
            format!("{:.2}", report.bytes_per_row_update),
        ),
        (
            "view checks / mismatches",
            format!("{} / {}", report.view_checks, report.view_mismatches),
        ),
        (
            "shots: fired / hit on screen / confirmed / false hits",
            format!(
                "{} / {} / {} / {}",
                report.shots.fired,
                report.shots.hit_on_screen,
                report.shots.confirmed,
                report.shots.false_hits
            ),
        ),
        (
            "predicted inputs / corrections",
            format!(
                "{} / {}",
                report.prediction.inputs, report.prediction.corrections
            ),
        ),
        ("protocol errors", report.protocol_errors.to_string()),
        (
            "CPU seconds of the bots",
            format!("{:.2}", report.cpu_seconds),
        ),
    ];
    rows.iter()
        .map(|(name, value)| format!("<tr><td>{name}<td>{value}</tr>"))
        .collect()
}

/// Draws bars over the whole width. The scale ends at `max`, or with 0 at the largest value.
fn bars(values: &[f64], max: f64) -> String {
    let max = if max > 0.0 {
        max
    } else {
        values.iter().copied().fold(1.0, f64::max)
    };
    let width = 1000.0 / values.len().max(1) as f64;
    let mut svg =
        "<svg viewBox=\"0 0 1000 160\" preserveAspectRatio=\"none\" role=\"img\">".to_owned();
    for (index, value) in values.iter().enumerate() {
        let height = (value / max * 150.0).clamp(0.0, 150.0);
        let _ = write!(
            svg,
            "<rect x=\"{:.2}\" y=\"{:.2}\" width=\"{:.2}\" height=\"{height:.2}\"/>",
            index as f64 * width,
            160.0 - height,
            (width * 0.9).max(0.5)
        );
    }
    svg + "</svg>"
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
