//! The table, as Markdown.

use super::cell::{Forgery, LINES, policy_name};
use super::matrix::{Done, Settings};
use super::outcome::Outcome;
use std::fmt::Write as _;
use tickwire_sync::bench_policies::ViewPolicy;

/// Milliseconds in a tick.
const TICK_MS: f64 = 1e3 / super::TICK_RATE as f64;

/// The whole report.
#[must_use]
pub fn table(settings: Settings, done: &[Done]) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_table(&mut text, settings, done);
    text
}

fn write_table(text: &mut String, settings: Settings, done: &[Done]) -> std::fmt::Result {
    writeln!(
        text,
        "{} dueling bots, {} s of game time a cell under each of the seeds {} to {}.\n",
        settings.bots,
        settings.length.0 / 1_000_000,
        settings.seed,
        settings.seed + settings.seeds.max(1) - 1
    )?;
    honoured(text, done)?;
    feel(text, done)?;
    victims(text, done)?;
    forgers(text, done)
}

fn honest(done: &[Done]) -> impl Iterator<Item = &Done> {
    done.iter()
        .filter(|(cell, _)| cell.forgery == Forgery::None)
}

fn honoured(text: &mut String, done: &[Done]) -> std::fmt::Result {
    writeln!(text, "## Shots: what you see is what you hit\n")?;
    writeln!(
        text,
        "| line, each way | policy | hits on the screen | honoured % | outside stalls % | within the rewind % (shots) | beyond it % (shots) | false hits % | never reached the game | clamped | rewind p50 / p99, ticks |"
    )?;
    writeln!(text, "|---|---|---|---|---|---|---|---|---|---|---|")?;
    for (cell, outcome) in honest(done) {
        let rewind = Outcome::percentiles(&outcome.rewind);
        writeln!(
            text,
            "| {} | {} | {} | {:.2} | {:.2} | {:.2} ({}) | {:.2} ({}) | {:.3} | {} | {} | {:.1} / {:.1} |",
            cell.line.name,
            policy_name(cell.policy),
            outcome.all.hits_on_screen,
            outcome.all.honoured_percent(),
            outcome.calm.honoured_percent(),
            outcome.within.honoured_percent(),
            outcome.within.hits_on_screen,
            outcome.beyond.honoured_percent(),
            outcome.beyond.hits_on_screen,
            outcome.all.false_percent(),
            outcome.all.unmatched,
            outcome.clamped,
            rewind.p50,
            rewind.p99,
        )?;
    }
    writeln!(text)
}

fn feel(text: &mut String, done: &[Done]) -> std::fmt::Result {
    writeln!(text, "## Feel: prediction, inputs, interpolation (ours)\n")?;
    writeln!(
        text,
        "| line, each way | corrections per 1,000 inputs | snaps over a ship's length on the screen (largest; in the state) | input to effect beyond one way, ticks p50 / p99 | interpolation delay, ticks p50 / p99 | jitter p99, ticks | inputs | late | repeated | starved | view mismatches |"
    )?;
    writeln!(text, "|---|---|---|---|---|---|---|---|---|---|---|")?;
    for (cell, outcome) in honest(done).filter(|(cell, _)| cell.policy == ViewPolicy::Clamped) {
        let (effect, delay) = (
            Outcome::percentiles(&outcome.effect),
            Outcome::percentiles(&outcome.delay),
        );
        writeln!(
            text,
            "| {} | {:.2} | {} ({:.2}; {:.2}) | {:.2} / {:.2} | {:.2} / {:.2} | {:.2} | {} | {} | {} | {} | {} |",
            cell.line.name,
            outcome.corrections_per_thousand(),
            outcome.snaps,
            outcome.largest_snap,
            outcome.largest_shift,
            effect.p50,
            effect.p99,
            delay.p50,
            delay.p99,
            Outcome::percentiles(&outcome.jitter).p50,
            outcome.inputs,
            outcome.late,
            outcome.repeated,
            outcome.starved,
            outcome.mismatches,
        )?;
    }
    writeln!(text)
}

fn victims(text: &mut String, done: &[Done]) -> std::fmt::Result {
    writeln!(text, "## The victim's side: hit in cover\n")?;
    writeln!(
        text,
        "| line, each way | policy | forgers | hits | of them in cover % | in cover for, ms p50 / p99 / max |"
    )?;
    writeln!(text, "|---|---|---|---|---|---|")?;
    for (cell, outcome) in done {
        let cover = Outcome::percentiles(&outcome.cover);
        let hits: u64 = outcome.hits.iter().sum();
        writeln!(
            text,
            "| {} | {} | {} | {hits} | {:.2} | {:.0} / {:.0} / {:.0} |",
            cell.line.name,
            policy_name(cell.policy),
            forgery_name(cell.forgery),
            outcome.cover.len() as f64 * 100.0 / hits.max(1) as f64,
            cover.p50 * TICK_MS,
            cover.p99 * TICK_MS,
            cover.max * TICK_MS,
        )?;
    }
    writeln!(text)
}

fn forgers(text: &mut String, done: &[Done]) -> std::fmt::Result {
    writeln!(
        text,
        "## Forgers: every other bot cheats by 250 ms; hits against the same bots' when they play fair under ours\n"
    )?;
    writeln!(
        text,
        "| line, each way | cheat | fair hits | ours: hits (gain %) | of those on its screen % | trust the claim: hits (gain %) | of those on its screen % |"
    )?;
    writeln!(text, "|---|---|---|---|---|---|---|")?;
    for line in LINES {
        let of = |policy, forgery| {
            let mut found = done.iter().filter(|(cell, _)| {
                cell.line == line && cell.policy == policy && cell.forgery == forgery
            });
            found.next().map(|(_, outcome)| outcome)
        };
        let Some(fair) = of(ViewPolicy::Clamped, Forgery::None).map(Outcome::forgers_hits) else {
            continue;
        };
        let forgeries = done
            .iter()
            .filter(|(cell, _)| cell.line == line && cell.policy == ViewPolicy::Clamped)
            .map(|(cell, _)| cell.forgery)
            .filter(|forgery| *forgery != Forgery::None);
        for forgery in forgeries {
            let gain = |policy| {
                of(policy, forgery).map_or_else(String::new, |outcome| {
                    let hits = outcome.forgers_hits();
                    let percent = (hits as f64 / fair.max(1) as f64 - 1.0) * 100.0;
                    let honoured = outcome.forgers.honoured_percent();
                    format!("{hits} ({percent:+.1}) | {honoured:.1}")
                })
            };
            writeln!(
                text,
                "| {} | {} | {fair} | {} | {} |",
                line.name,
                forgery_name(forgery),
                gain(ViewPolicy::Clamped),
                gain(ViewPolicy::TrustClaim),
            )?;
        }
    }
    writeln!(text)
}

fn forgery_name(forgery: Forgery) -> &'static str {
    match forgery {
        Forgery::None => "none",
        Forgery::Claims(_) => "claims older",
        Forgery::Hindsight(_) => "hindsight",
        Forgery::HeldLine(_) => "held line",
    }
}
