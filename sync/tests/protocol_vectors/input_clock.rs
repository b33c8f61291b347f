//! The input clock over four lines: what margins came, and where the clock was then.
//!
//! A step is `[now_us, due, ticks]`, and where a snapshot had come before it, its tick and `input_margin` after these. Ticks are in
//! millionths, as floats print differently in other languages.

use serde_json::{Value, json};
use tickwire_sync::client::InputClock;
use tickwire_sync::{Micros, Tick};

const TICK_RATE: u32 = 60;
const TICK_US: f64 = 1e6 / TICK_RATE as f64;
/// The server's tick when the clock starts.
const START: f64 = 1_000.0;

struct Line {
    about: &'static str,
    steps: u32,
    /// How many ticks an input of this step is on its way, and a snapshot as well.
    delay: fn(u32) -> f64,
    /// By how many ticks the first guess is wrong.
    wrong_by: f64,
}

const LINES: [Line; 4] = [
    Line {
        about: "a first guess that is three ticks too early: the clock runs slower",
        steps: 130,
        delay: |_| 2.3,
        wrong_by: 3.0,
    },
    Line {
        about: "a first guess that is two ticks late: the clock runs faster",
        steps: 100,
        delay: |_| 2.3,
        wrong_by: -2.0,
    },
    Line {
        about: "a guess that is off by 20 ticks for long: the clock jumps",
        steps: 60,
        delay: |_| 1.0,
        wrong_by: 20.0,
    },
    Line {
        about: "a line with jitter, for longer than margins are remembered",
        steps: 300,
        delay: |step| {
            3.0 + f64::from(step * 7919 % 97) / 40.0 + if step % 70 == 69 { 9.0 } else { 0.0 }
        },
        wrong_by: 0.0,
    },
];

pub fn input_clock() -> Vec<Value> {
    LINES.iter().map(play).collect()
}

fn play(line: &Line) -> Value {
    let arrival_ticks = START + (line.delay)(0) + line.wrong_by;
    let mut clock = InputClock::new(TICK_RATE, Micros(0), arrival_ticks);
    let mut made = None;
    // The newest input's tick, and how many ticks early it came, by the server's tick at which a snapshot says so.
    let mut reports: Vec<(f64, Tick, i32)> = Vec::new();
    let mut steps = Vec::new();
    for step in 0..line.steps {
        // Screens do not wake at ticks: every third step is late by a third of one.
        let now = f64::from(step) + if step % 3 == 2 { 0.33 } else { 0.0 };
        let now_us = Micros((now * TICK_US) as u64);
        let report = reports
            .iter()
            .position(|(arrives, ..)| *arrives <= now)
            .map(|index| reports.remove(index));
        if let Some((_, tick, margin)) = report {
            clock.report_margin(tick, f64::from(margin) / 16.0);
        }
        let due = clock.advance(now_us);
        let delay = (line.delay)(step);
        if made != Some(due) {
            let arrives = now + delay;
            let margin = (f64::from(due.0) - START - arrives) * 16.0;
            let tick = Tick((START + arrives).ceil() as u32);
            let reported = f64::from(tick.0) - START + delay;
            reports.push((reported, tick, margin as i32));
            made = Some(due);
        }
        let millionths = (clock.ticks() * 1e6).round() as u64;
        let mut entry = json!([now_us.0, due.0, millionths]);
        if let (Some((_, tick, margin)), Some(entry)) = (report, entry.as_array_mut()) {
            entry.extend([json!(tick.0), json!(margin)]);
        }
        steps.push(entry);
    }
    json!({"about": line.about, "tick_rate": TICK_RATE, "arrival_ticks": arrival_ticks, "steps": steps})
}
