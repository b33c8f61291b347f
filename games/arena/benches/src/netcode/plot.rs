//! The plot: one self-contained SVG of four panels of bars, for honoured hits, hits in cover, and the feel beside the goals.

use super::cell::{Forgery, LINES, POLICIES, policy_name};
use super::matrix::Done;
use super::outcome::Outcome;
use std::fmt::Write as _;
use tickwire_sync::bench_policies::ViewPolicy;

const WIDTH: f64 = 900.0;
const PANEL_HEIGHT: f64 = 250.0;
const COLOURS: [&str; 4] = ["#2f6fde", "#b0b7c3", "#e0a030", "#c0504d"];

/// The bars of one panel: a group per line, a bar per series. `None` where nothing was measured.
struct Panel {
    title: &'static str,
    most: f64,
    series: Vec<(String, Vec<Option<f64>>)>,
}

/// The picture of a run.
#[must_use]
pub fn plot(done: &[Done]) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = draw(&mut text, &panels(done));
    text
}

fn panels(done: &[Done]) -> Vec<Panel> {
    let by_line = |policy, forgery, figure: &dyn Fn(&Outcome) -> f64| {
        LINES
            .iter()
            .map(|line| {
                let mut found = done.iter().filter(|(cell, _)| {
                    cell.line == *line && cell.policy == policy && cell.forgery == forgery
                });
                found.next().map(|(_, outcome)| figure(outcome))
            })
            .collect::<Vec<_>>()
    };
    let by_policy = |figure: &dyn Fn(&Outcome) -> f64| {
        POLICIES
            .map(|policy| {
                (
                    policy_name(policy).to_owned(),
                    by_line(policy, Forgery::None, figure),
                )
            })
            .to_vec()
    };
    let ours = |name: &str, figure: &dyn Fn(&Outcome) -> f64| {
        let bars = by_line(ViewPolicy::Clamped, Forgery::None, figure);
        (name.to_owned(), bars)
    };
    let p99 = |samples: &[f64]| Outcome::percentiles(samples).p99;
    let p50 = |samples: &[f64]| Outcome::percentiles(samples).p50;
    vec![
        Panel {
            title: "Hits on the shooter's screen that are honoured outside stalls, %",
            most: 100.0,
            series: by_policy(&|outcome| outcome.calm.honoured_percent()),
        },
        Panel {
            title: "Shots that hit whom the screen did not show as hit, %",
            most: 6.0,
            series: by_policy(&|outcome| outcome.all.false_percent()),
        },
        Panel {
            title: "Hit in cover: how long after reaching it, ms (p99)",
            most: 300.0,
            series: by_policy(&|outcome| p99(&outcome.cover) * 1e3 / 60.0),
        },
        Panel {
            title: "Ours, in ticks: input to effect beyond one way, interpolation delay (median), and the arrivals' jitter",
            most: 5.0,
            series: vec![
                ours("input to effect", &|outcome| p50(&outcome.effect)),
                ours("jitter p99", &|outcome| p50(&outcome.jitter)),
                ours("interpolation delay", &|outcome| p50(&outcome.delay)),
            ],
        },
    ]
}

fn draw(text: &mut String, panels: &[Panel]) -> std::fmt::Result {
    let height = PANEL_HEIGHT * panels.len() as f64;
    writeln!(
        text,
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="12" fill="#222">
<rect width="{WIDTH}" height="{height}" fill="#fff"/>"##
    )?;
    for (index, panel) in panels.iter().enumerate() {
        draw_panel(text, panel, PANEL_HEIGHT * index as f64)?;
    }
    writeln!(text, "</svg>")
}

fn draw_panel(text: &mut String, panel: &Panel, top: f64) -> std::fmt::Result {
    let (left, right) = (50.0, WIDTH - 20.0);
    let (high, low) = (top + 55.0, top + PANEL_HEIGHT - 35.0);
    writeln!(
        text,
        r#"<text x="{left}" y="{}" font-size="14" font-weight="bold">{}</text>"#,
        top + 24.0,
        panel.title
    )?;
    for (index, (name, _)) in panel.series.iter().enumerate() {
        let x = left + 190.0 * index as f64;
        let (y, colour) = (top + 34.0, COLOURS[index % COLOURS.len()]);
        writeln!(
            text,
            r#"<rect x="{x}" y="{y}" width="10" height="10" fill="{colour}"/><text x="{}" y="{}">{name}</text>"#,
            x + 15.0,
            y + 9.0
        )?;
    }
    for step in 0..=4 {
        let part = f64::from(step) / 4.0;
        let y = low - (low - high) * part;
        writeln!(
            text,
            r##"<path d="M{left} {y:.1}H{right}" stroke="#ddd"/><text x="{}" y="{:.1}" text-anchor="end">{}</text>"##,
            left - 6.0,
            y + 4.0,
            Number(panel.most * part)
        )?;
    }
    let group = (right - left) / LINES.len() as f64;
    for (index, line) in LINES.iter().enumerate() {
        let from = left + group * index as f64;
        writeln!(
            text,
            r#"<text x="{:.1}" y="{}" text-anchor="middle">{}</text>"#,
            from + group / 2.0,
            low + 18.0,
            line.name
        )?;
        let width = group * 0.8 / panel.series.len() as f64;
        for (number, (_, bars)) in panel.series.iter().enumerate() {
            let Some(value) = bars.get(index).copied().flatten() else {
                continue;
            };
            let x = from + group * 0.1 + width * number as f64;
            let tall = (low - high) * (value / panel.most).clamp(0.0, 1.0);
            let colour = COLOURS[number % COLOURS.len()];
            writeln!(
                text,
                r#"<rect x="{x:.1}" y="{:.1}" width="{:.1}" height="{tall:.1}" fill="{colour}"/><text x="{:.1}" y="{:.1}" font-size="9" text-anchor="middle">{}</text>"#,
                low - tall,
                width - 1.0,
                x + width / 2.0,
                low - tall - 2.0,
                Number(value)
            )?;
        }
    }
    Ok(())
}

/// A number as a label, with no more digits than it needs.
struct Number(f64);

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let rounded = (self.0 * 100.0).round() / 100.0;
        write!(f, "{rounded}")
    }
}
