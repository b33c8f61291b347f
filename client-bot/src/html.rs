//! The report as an HTML page: one file that needs no network, with plots that zoom.
//!
//! In: a [`Report`]. Out: a page that says from top to bottom whether the run was good, by which figures, when, and whose. Plots are drawn by
//! uPlot, whose text is in the page.

mod plots;

use crate::report::{BotReport, PercentilesMs, Report};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{Display, Write as _};

const STYLE: &str = include_str!("html/page.css");
const SCRIPT: &str = include_str!("html/page.js");
const UPLOT_STYLE: &str = include_str!("../vendor/uplot/uPlot.min.css");
const UPLOT_SCRIPT: &str = include_str!("../vendor/uplot/uPlot.iife.min.js");
const UPLOT_LICENCE: &str = include_str!("../vendor/uplot/LICENSE");

/// Bots among the outliers.
const MAX_OUTLIERS: usize = 12;
/// Bots on a link that are enough to compare them with each other.
const MIN_PEERS: usize = 4;
/// A figure this many times the median bot's stands out.
const OUTLYING: f64 = 3.0;

/// Renders the report as an HTML page.
#[must_use]
pub fn html_page(report: &Report) -> String {
    let data = plots::data(report).to_string().replace('<', "\\u003c");
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>Tickwire bots</title>\n<!-- uPlot:\n{UPLOT_LICENCE}-->\n<style>{UPLOT_STYLE}\n{STYLE}</style>\n{}{}{}{}{}{}{}\n\
         <script type=\"application/json\" id=\"data\">{data}</script>\n<script>{UPLOT_SCRIPT}</script>\n<script>{SCRIPT}</script></html>\n",
        verdict(report),
        thresholds(report),
        tiles(report),
        phases(report),
        plots::sections(),
        outliers(report),
        all_bots(report),
    )
}

fn verdict(report: &Report) -> String {
    let failed = report.failed_thresholds().count();
    let (class, sentence) = match failed {
        _ if !report.is_good() => (
            "bad",
            format!(
                "Not every bot joined and stayed in sync without errors: {} of {} connected, {} frozen, {} without a connection in the end, {} mismatches, {} protocol errors.",
                report.connected,
                report.bots,
                report.frozen,
                report.offline,
                report.view_mismatches,
                report.protocol_errors
            ),
        ),
        0 => (
            "good",
            "Every bot joined and stayed in sync, without errors.".to_owned(),
        ),
        1 => ("bad", "A threshold failed.".to_owned()),
        failed => ("bad", format!("{failed} thresholds failed.")),
    };
    let mut line = format!("behaviour {}, seed {}", report.behaviour, report.seed);
    for (what, name) in [("scenario", &report.scenario), ("link", &report.link)] {
        if !name.is_empty() {
            // Writing into a String cannot fail.
            let _ = write!(line, ", {what} {name}");
        }
    }
    format!(
        "<div class=\"verdict {class}\"><h1>{} bots for {:.0} s</h1><p>{sentence}</p></div><p class=\"soft\">{} &middot; {}</p>",
        report.bots,
        report.seconds,
        escape(&report.url),
        escape(&line),
    )
}

fn thresholds(report: &Report) -> String {
    if report.thresholds.is_empty() {
        return String::new();
    }
    let mut rows = String::new();
    for verdict in &report.thresholds {
        let (class, word) = if verdict.failed {
            ("bad", "failed")
        } else {
            ("good", "passed")
        };
        let value = verdict
            .value
            .map_or("nothing was measured".to_owned(), |value| {
                format!("{}", (value * 1e3).round() / 1e3)
            });
        let fail_if = escape(&verdict.fail_if);
        let _ = write!(
            rows,
            "<tr><td>{fail_if}<td>{value}<td>{}<td class=\"{class}\">{word}</tr>",
            verdict.bound
        );
    }
    table("Thresholds", "fails if|it is|bound|verdict", &rows)
}

fn tiles(report: &Report) -> String {
    let percentiles = |of: PercentilesMs| match of.samples {
        0 => "&ndash;".to_owned(),
        _ => format!("{:.1} / {:.1} / {:.0} ms", of.p50, of.p99, of.max),
    };
    let shots = report.shots;
    let rate = report.snapshots_per_second;
    let tiles = [
        ("gap, p50 / p99 / max", percentiles(report.snapshot_gap_ms)),
        ("age, p50 / p99 / max", percentiles(report.snapshot_age_ms)),
        ("round trip, p50 / p99 / max", percentiles(report.rtt_ms)),
        (
            "input to ack, p50 / p99 / max",
            percentiles(report.input_to_ack_ms),
        ),
        (
            "interpolation delay, p50 / p99 / max",
            percentiles(report.interpolation_delay_ms),
        ),
        (
            "snapshots/s, min / p50 / max",
            format!("{:.1} / {:.1} / {:.1}", rate.min, rate.p50, rate.max),
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
            "hits confirmed of those on screen",
            format!("{} of {}", shots.confirmed, shots.hit_on_screen),
        ),
        (
            "false hits of shots",
            format!("{} of {}", shots.false_hits, shots.fired),
        ),
        (
            "corrections of predicted inputs",
            format!(
                "{} of {}",
                report.prediction.corrections, report.prediction.inputs
            ),
        ),
        (
            "view mismatches of checks",
            format!("{} of {}", report.view_mismatches, report.view_checks),
        ),
        (
            "reconnects, of these resumed",
            format!("{}, {}", report.reconnects, report.resumes),
        ),
        (
            "a bare timer here, per second",
            format!("{:.2}", report.timer_control.per_second),
        ),
        (
            "processor time of the bots",
            format!("{:.2} s", report.cpu_seconds),
        ),
    ];
    let mut html = "<h2>Figures</h2><div class=\"tiles\">".to_owned();
    for (name, value) in tiles {
        let _ = write!(
            html,
            "<div class=\"tile\"><span class=\"soft\">{name}</span><b>{value}</b></div>"
        );
    }
    html + "</div>"
}

fn phases(report: &Report) -> String {
    let mut rows = String::new();
    for phase in &report.phases {
        let counts = phase.counts;
        let _ = write!(
            rows,
            "<tr><td>{}<td>{}<td>{:.1}<td>{:.1}<td>{}<td>{:.1}<td>{:.1}<td>{:.0}<td>{:.1}<td>{:.0}<td>{}<td>{}<td>{}</tr>",
            escape(&phase.name),
            escape(&phase.kind),
            phase.at_s,
            phase.seconds,
            phase.bots,
            phase.snapshot_gap_ms.p50,
            phase.snapshot_gap_ms.p99,
            phase.snapshot_gap_ms.max,
            phase.snapshot_age_ms.p99,
            phase.bytes_per_second_per_bot,
            counts.corrections,
            counts.reconnects,
            counts.resumes,
        );
    }
    let head = "phase|kind|at s|seconds|bots|gap p50|gap p99|gap max|age p99|bytes/s and bot|corrections|reconnects|resumes";
    table("Phases", head, &rows)
}

/// The figures of a bot by which it can stand out.
fn figures(bot: &BotReport) -> [f64; 8] {
    [
        bot.longest_gap_ms,
        bot.snapshot_gap_ms.p99,
        bot.snapshot_age_ms.p99,
        bot.rtt_ms.p99,
        bot.input_to_ack_ms.p99,
        bot.corrections as f64,
        bot.starved_inputs as f64,
        bot.reconnects as f64,
    ]
}

const FIGURES: &str = "longest gap|gap p99|age p99|RTT p99|ack p99|corrections|starved|reconnects";

/// Of each figure the median of some bots.
fn medians<'a>(bots: impl Iterator<Item = &'a BotReport>) -> [f64; 8] {
    let all: Vec<[f64; 8]> = bots.map(figures).collect();
    std::array::from_fn(|index| {
        let mut values: Vec<f64> = all.iter().map(|figures| figures[index]).collect();
        values.sort_unstable_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or(0.0)
    })
}

/// What a bot is compared with: the medians of all bots on the same link, or of all bots where few have it.
struct Peers<'a> {
    all: [f64; 8],
    by_link: BTreeMap<&'a str, [f64; 8]>,
}

impl<'a> Peers<'a> {
    fn of(bots: &'a [BotReport]) -> Self {
        let links: BTreeSet<&str> = bots.iter().map(|bot| bot.link.as_str()).collect();
        let on_link = |link: &'a str| {
            let peers = || bots.iter().filter(move |bot| bot.link == link);
            (peers().count() >= MIN_PEERS).then(|| (link, medians(peers())))
        };
        Self {
            all: medians(bots.iter()),
            by_link: links.into_iter().filter_map(on_link).collect(),
        }
    }

    fn medians(&self, bot: &BotReport) -> &[f64; 8] {
        self.by_link.get(bot.link.as_str()).unwrap_or(&self.all)
    }
}

fn stands_out(value: f64, median: f64) -> bool {
    value > OUTLYING * median.max(1.0)
}

/// By how much a bot stands out: the sum over its figures of how often the median's each is.
fn strangeness(bot: &BotReport, medians: &[f64; 8]) -> f64 {
    let excess = |(value, median): (f64, &f64)| match stands_out(value, *median) {
        true => (value / median.max(1.0)).ln(),
        false => 0.0,
    };
    let refused = f64::from(bot.refusal.is_some()) * 100.0;
    refused
        + figures(bot)
            .into_iter()
            .zip(medians)
            .map(excess)
            .sum::<f64>()
}

fn outliers(report: &Report) -> String {
    let peers = Peers::of(&report.per_bot);
    let mut bots: Vec<(f64, &BotReport)> = (report.per_bot.iter())
        .map(|bot| (strangeness(bot, peers.medians(bot)), bot))
        .filter(|(strangeness, _)| *strangeness > 0.0)
        .collect();
    bots.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    let count = bots.len();
    bots.truncate(MAX_OUTLIERS);
    if bots.is_empty() {
        return "<h2>Outliers</h2><p class=\"soft\">No bot has a figure of more than three times the median of the bots on its link.</p>".to_owned();
    }
    let mut rows = String::new();
    for (_, bot) in &bots {
        rows += &row(bot, peers.medians(bot));
    }
    let _ = write!(
        rows,
        "<tr><td class=\"soft\">the median bot<td><td><td>{}<td></tr>",
        cells(&peers.all, None)
    );
    let more = match count - bots.len() {
        0 => String::new(),
        more => format!(" {more} more are in the list of all bots."),
    };
    let note = format!(
        "<p class=\"soft\">Times in ms. Bold: more than three times the median of the bots on the same link.{more}</p>"
    );
    table("Outliers", &head(), &rows) + &note
}

fn all_bots(report: &Report) -> String {
    let peers = Peers::of(&report.per_bot);
    let rows: String = report
        .per_bot
        .iter()
        .map(|bot| row(bot, peers.medians(bot)))
        .collect();
    let table = table("", &head(), &rows);
    format!(
        "<details><summary>All {} bots</summary>{table}</details>",
        report.per_bot.len()
    )
}

fn head() -> String {
    format!("name|behaviour|link|snapshots/s|{FIGURES}|note")
}

fn row(bot: &BotReport, medians: &[f64; 8]) -> String {
    format!(
        "<tr><td>{}<td>{}<td>{}<td>{:.1}{}<td>{}</tr>",
        escape(&bot.name),
        escape(&bot.behaviour),
        escape(&bot.link),
        bot.snapshots_per_second,
        cells(&figures(bot), Some(medians)),
        escape(bot.refusal.as_deref().unwrap_or_default()),
    )
}

fn cells(figures: &[f64; 8], medians: Option<&[f64; 8]>) -> String {
    let cell = |(index, value): (usize, &f64)| {
        let is_outlying = medians.is_some_and(|medians| stands_out(*value, medians[index]));
        let class = if is_outlying { " class=\"bad\"" } else { "" };
        match value.fract() == 0.0 {
            true => format!("<td{class}>{value:.0}"),
            false => format!("<td{class}>{value:.1}"),
        }
    };
    figures.iter().enumerate().map(cell).collect()
}

/// A table with a heading. `head`: the columns' names, with bars between them.
fn table(heading: &str, head: &str, rows: &str) -> String {
    let heading = match heading {
        "" => String::new(),
        heading => format!("<h2>{heading}</h2>"),
    };
    let head = head.replace('|', "<th>");
    format!("{heading}<div class=\"wide\"><table><tr><th>{head}</tr>{rows}</table></div>")
}

fn escape(text: impl Display) -> String {
    text.to_string()
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::PhaseReport;
    use crate::threshold::Verdict;

    fn report() -> Report {
        let bot = |index: u32| BotReport {
            name: format!("bot-{index}<script>"),
            longest_gap_ms: if index == 7 { 900.0 } else { 20.0 },
            ..BotReport::default()
        };
        Report {
            bots: 20,
            connected: 20,
            per_bot: (0..20).map(bot).collect(),
            phases: vec![PhaseReport {
                name: "hold".to_owned(),
                ..PhaseReport::default()
            }],
            thresholds: vec![
                Verdict {
                    fail_if: "bots<3".to_owned(),
                    value: Some(20.0),
                    bound: 3.0,
                    failed: false,
                },
                Verdict {
                    fail_if: "rtt_ms.p99>9".to_owned(),
                    value: None,
                    bound: 9.0,
                    failed: true,
                },
            ],
            ..Report::default()
        }
    }

    #[test]
    fn a_page_says_what_failed_and_needs_no_network() {
        let page = html_page(&report());
        assert!(page.contains("A threshold failed."));
        assert!(page.contains("bots&lt;3<td>20<td>3<td class=\"good\">passed"));
        assert!(page.contains("nothing was measured<td>9<td class=\"bad\">failed"));
        for away in ["src=", "href=", "@import", "url("] {
            assert!(!page.contains(away), "the page has {away}");
        }
    }

    #[test]
    fn names_cannot_become_markup() {
        let mut report = report();
        report.phases[0].name = "</script><script>alert(1)</script>".to_owned();
        report.url = "ws://x/<b>".to_owned();
        let page = html_page(&report);
        assert!(!page.contains("<script>alert"));
        assert!(!page.contains("7<script>") && !page.contains("<b>ws"));
        assert_eq!(page.matches("</script>").count(), 3);
    }

    #[test]
    fn only_bots_that_stand_out_are_outliers() {
        let listed = outliers(&report());
        assert!(
            listed.contains("bot-7&lt;") && !listed.contains("bot-8&lt;"),
            "{listed}"
        );
        assert!(outliers(&Report::default()).contains("No bot"));
    }
}
