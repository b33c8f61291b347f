//! The window on simulated lines.

#![allow(clippy::unwrap_used, reason = "this is a test")]
#![allow(missing_docs, reason = "this is a test")]

mod line;
mod policies;

use line::{Answers, Line, Outcome, run};
use policies::{FirstWindow, Model, Policy, QueueEverything, WhileTheSocketTakes};

fn lines() -> Vec<Line> {
    let base = Line::new;
    vec![
        base("256k, 10", 256, 10),
        base("256k, 80", 256, 80),
        base("512k, 30", 512, 30),
        base("100M, 10", 100_000, 10),
        base("100M, 80", 100_000, 80),
        Line {
            jitter: 20_000,
            ..base("100M, 80 ±20", 100_000, 80)
        },
        Line {
            jitter: 40_000,
            ..base("1M, 100 ±40", 1000, 100)
        },
        Line {
            jitter: 20_000,
            ..base("256k, 80 ±20", 256, 80)
        },
        Line {
            fills: true,
            ..base("256k, 10 fill", 256, 10)
        },
        Line {
            fills: true,
            ..base("256k, 80 fill", 256, 80)
        },
        Line {
            fills: true,
            rates: vec![
                (0, 1_000_000),
                (10_000_000, 256_000),
                (20_000_000, 1_000_000),
            ],
            ..base("1M-256k-1M, 30", 1000, 30)
        },
        Line {
            fills: true,
            rates: vec![
                (0, 1_000_000),
                (10_000_000, 256_000),
                (20_000_000, 1_000_000),
            ],
            ..base("1M-256k-1M, 80", 1000, 80)
        },
        Line {
            rates: vec![(0, 1_000_000), (10_000_000, 0), (15_000_000, 1_000_000)],
            ..base("cut 10-15", 1000, 30)
        },
        Line {
            competitor_from: Some(5_000_000),
            ..base("1M, 30 compete", 1000, 30)
        },
        Line {
            competitor_from: Some(5_000_000),
            fills: true,
            ..base("512k, 30 compete", 512, 30)
        },
        Line {
            loss: 0.02,
            ..base("10M, 60 loss 2%", 10_000, 60)
        },
        Line {
            answers: Answers::InBurstsOf(6),
            ..base("10M, 60 bursts 6", 10_000, 60)
        },
        Line {
            answers: Answers::InBurstsOf(30),
            ..base("10M, 60 bursts 30", 10_000, 60)
        },
        Line {
            answers: Answers::NeverFrom(5_000_000),
            ..base("10M hidden at 5s", 10_000, 60)
        },
        Line {
            wants: 250,
            varies: 200,
            ..base("100M, 80 small", 100_000, 80)
        },
        Line {
            wants: 3000,
            varies: 2900,
            ..base("10M, 80 varied", 10_000, 80)
        },
        Line {
            wants: 400,
            fills: true,
            ..base("64k, 60", 64, 60)
        },
    ]
}

fn row(line: &Line, name: &str, policy: &mut dyn Policy) -> Outcome {
    let outcome = run(line, policy, 1);
    let end = line.seconds as f64;
    println!(
        "{:20} {:10} age p50 {:8.1} p99 {:8.1}  {:5.1}/s  used {:5.1} %  most {:6} B",
        line.name,
        name,
        outcome.age_ms(0.5, 1.0, end),
        outcome.age_ms(0.99, 1.0, end),
        outcome.rate(1.0, end),
        outcome.used() * 100.0,
        outcome.most_in_flight
    );
    outcome
}

#[test]
fn table() {
    for line in lines() {
        if std::env::var("ONLY").is_ok_and(|name| !line.name.contains(&name)) {
            continue;
        }
        if std::env::var("ALL").is_ok() {
            row(&line, "everything", &mut QueueEverything);
            row(&line, "socket", &mut WhileTheSocketTakes { bytes: 80_000 });
            row(&line, "first", &mut FirstWindow::default());
        }
        let o = row(&line, "model", &mut Model::new());
        if std::env::var("TRACE").is_ok_and(|name| line.name.contains(&name)) {
            for second in 0..line.seconds {
                let s = second as f64;
                println!(
                    "   {second:3} s: age {:.0} {:.0}  {:.0}/s",
                    o.age_ms(0.5, s, s + 1.0),
                    o.age_ms(1.0, s, s + 1.0),
                    o.rate(s, s + 1.0)
                );
            }
        }
        if line.rates.len() > 1 {
            println!(
                "     fresh after change {:.0} {:.0} ms; rates {:.1} {:.1} {:.1}",
                o.fresh_after_ms(10.0, 15.0, 100.0),
                o.fresh_after_ms(20.0, 25.0, 100.0),
                o.rate(1.0, 10.0),
                o.rate(10.0, 20.0),
                o.rate(20.0, 30.0)
            );
        }
    }
}
