//! The congestion window on simulated lines: its promises, and a table that compares it with other policies.
//!
//! `cargo test --release -p tickwire-sync --test paths -- --nocapture table` prints the table. Everything is seeded, so the
//! figures are the same on every machine.

#![allow(clippy::unwrap_used, reason = "this is a test")]
#![allow(missing_docs, reason = "this is a test")]

mod crowd;
mod line;
mod lines;
mod outcome;
mod policies;

use crowd::Crowd;
use line::{Answers, Line, run, run_from};
use lines::{
    answers, changing, competing, download, filled, held_back, hiccups, jitter, jitter_between,
    loss, small, tuned_on,
};
use outcome::{Arrival, Outcome};
use policies::{FirstWindow, Model, Policy, QueueEverything, WhileTheSocketTakes};

const SEEDS: std::ops::Range<u64> = 1..6;
/// Two ticks, in milliseconds.
const TWO_TICKS: f64 = 33.4;

fn model(line: &Line, seed: u64) -> Outcome {
    run(line, &mut Model::new(), seed)
}

#[test]
fn table() {
    println!(
        "{:33} {:12} {:>9} {:>9} {:>6} {:>7} {:>9}",
        "line", "policy", "age p50", "age p99", "/s", "used %", "in flight"
    );
    for line in tuned_on().into_iter().chain(held_back()) {
        let mut policies: [(&str, Box<dyn Policy>); 4] = [
            ("everything", Box::new(QueueEverything)),
            ("socket", Box::new(WhileTheSocketTakes { bytes: 80_000 })),
            ("first window", Box::new(FirstWindow::default())),
            ("model", Box::new(Model::new())),
        ];
        for (name, policy) in &mut policies {
            let outcome = run(&line, policy.as_mut(), 1);
            let end = line.seconds as f64;
            println!(
                "{:33} {name:12} {:9.1} {:9.1} {:6.1} {:7.1} {:9}",
                line.name,
                outcome.age_ms(0.5, 1.0, end),
                outcome.age_ms(0.99, 1.0, end),
                outcome.rate(1.0, end),
                outcome.used() * 100.0,
                outcome.most_in_flight
            );
        }
    }
}

/// The goal for a snapshot's age: one way, its own time on the wire, and two ticks.
fn goal_ms(line: &Line, bytes: i64) -> f64 {
    (line.round_trip / 2) as f64 / 1e3
        + (bytes + 66) as f64 * 8e3 / line.rates[0].1 as f64
        + TWO_TICKS
}

#[test]
fn a_thin_line_is_used_and_its_snapshots_are_fresh() {
    for line in [
        Line::new("256 kbit/s, RTT 10", 256, 10),
        Line::new("256 kbit/s, RTT 80", 256, 80),
        Line::new("512 kbit/s, RTT 30", 512, 30),
        Line::new("384 kbit/s, RTT 50", 384, 50),
        Line::new("200 kbit/s, RTT 150", 200, 150),
        filled(Line::new("256 kbit/s, RTT 10, filled", 256, 10)),
        filled(Line::new("256 kbit/s, RTT 80, filled", 256, 80)),
        filled(Line::new("300 kbit/s, RTT 40, filled", 300, 40)),
        filled(Line::new("128 kbit/s, RTT 120, filled", 128, 120)),
    ] {
        let tick_bytes = line.rates[0].1 / 8 / 60;
        let bytes = if line.fills {
            tick_bytes.max(256)
        } else {
            line.wants
        };
        for seed in SEEDS {
            let outcome = model(&line, seed);
            let age = outcome.age_ms(0.99, 2.0, line.seconds as f64);
            let goal = goal_ms(&line, bytes);
            assert!(age <= goal, "{} seed {seed}: {age} of {goal} ms", line.name);
            let used = outcome.used();
            assert!(used >= 0.85, "{} seed {seed}: {used} is used", line.name);
        }
    }
}

/// As on the bench's real lines: real blocks, a token bucket, two minutes. The path is drained every ten seconds, and the bucket
/// fills meanwhile. A window that takes this for a faster line sends more than the line carries.
#[test]
fn a_token_bucket_makes_nearly_no_snapshot_late() {
    for round_trip in [10, 30, 80, 120] {
        for seed in SEEDS {
            let line = Line {
                wants: 1200,
                varies: 250,
                overshoot: 120,
                burst: 1600,
                seconds: 120,
                ..filled(Line::new("", 256, round_trip))
            };
            let outcome = model(&line, seed);
            let is_late =
                |one: &&Arrival| (one.at - one.sent) as f64 / 1e3 > goal_ms(&line, one.bytes);
            let counted = || outcome.arrivals.iter().filter(|one| one.at > 3_000_000);
            let late = counted().filter(is_late).count() as f64 / counted().count() as f64;
            assert!(
                late <= 0.001,
                "RTT {round_trip}, seed {seed}: {late} of all"
            );
        }
    }
}

#[test]
fn a_line_that_carries_everything_gets_every_tick() {
    for line in [
        Line::new("100 Mbit/s, RTT 10", 100_000, 10),
        Line::new("100 Mbit/s, RTT 80", 100_000, 80),
        Line::new("20 Mbit/s, RTT 200", 20_000, 200),
        Line::new("700 kbit/s, RTT 20", 700, 20),
        Line {
            wants: 250,
            varies: 200,
            ..Line::new("small", 100_000, 80)
        },
        Line {
            wants: 3000,
            varies: 2900,
            ..Line::new("varied", 10_000, 80)
        },
    ] {
        for seed in SEEDS {
            let rate = model(&line, seed).rate(2.0, line.seconds as f64);
            assert!(rate >= 59.5, "{} seed {seed}: {rate}/s", line.name);
        }
    }
}

/// Plays the same lines and seeds with and without a window, to show what the window costs where there is no queue.
#[test]
fn without_a_queue_the_window_costs_nothing() {
    let base = Line::new;
    println!(
        "{:24} {:>14} {:>16} {:>16}",
        "with / without a window", "snapshots/s", "age p50 ms", "age p99 ms"
    );
    for (line, least) in [
        (base("100 Mbit/s, RTT 10", 100_000, 10), 1.0),
        (base("100 Mbit/s, RTT 80", 100_000, 80), 1.0),
        (
            jitter(base("100 Mbit/s, RTT 80 ± 20", 100_000, 80), 20),
            0.98,
        ),
        (hiccups(base("RTT 10, hiccups", 100_000, 10), 1.0), 0.999),
    ] {
        let end = line.seconds as f64;
        let (mut with, mut without) = ([0.0; 3], [0.0; 3]);
        for seed in SEEDS {
            for (sum, outcome) in [
                (&mut with, model(&line, seed)),
                (&mut without, run(&line, &mut QueueEverything, seed)),
            ] {
                let figures = [
                    outcome.rate(2.0, end),
                    outcome.age_ms(0.5, 2.0, end),
                    outcome.age_ms(0.99, 2.0, end),
                ];
                for (sum, figure) in sum.iter_mut().zip(figures) {
                    *sum += figure / SEEDS.count() as f64;
                }
            }
        }
        println!(
            "{:24} {:6.2} / {:5.2} {:7.1} / {:6.1} {:7.1} / {:6.1}",
            line.name, with[0], without[0], with[1], without[1], with[2], without[2]
        );
        assert!(with[0] >= without[0] * least, "{}: {with:?}", line.name);
        // A deferred snapshot is younger, never older.
        assert!(with[1] <= without[1] + 0.5, "{}: {with:?}", line.name);
        assert!(with[2] <= without[2] + 0.5, "{}: {with:?}", line.name);
    }
}

#[test]
fn a_client_that_hiccups_on_a_fast_line_loses_nothing() {
    for line in [
        hiccups(Line::new("RTT 0", 100_000, 0), 1.0),
        hiccups(Line::new("RTT 10", 100_000, 10), 1.0),
        hiccups(Line::new("RTT 80", 100_000, 80), 1.0),
        hiccups(Line::new("RTT 0, many", 100_000, 0), 5.0),
        hiccups(Line::new("20 Mbit/s", 20_000, 30), 2.0),
    ] {
        for seed in SEEDS {
            let rate = model(&line, seed).rate(2.0, line.seconds as f64);
            assert!(rate >= 59.5, "{} seed {seed}: {rate}/s", line.name);
        }
    }
}

#[test]
fn jitter_is_no_queue() {
    for (line, least) in [
        (jitter(Line::new("100 Mbit/s ± 20", 100_000, 80), 20), 57.0),
        (jitter(Line::new("1 Mbit/s ± 40", 1000, 100), 40), 45.0),
        (jitter(Line::new("2 Mbit/s ± 30", 2000, 120), 30), 50.0),
    ] {
        for seed in SEEDS {
            let rate = model(&line, seed).rate(1.0, line.seconds as f64);
            assert!(rate >= least, "{} seed {seed}: {rate}/s", line.name);
        }
    }
}

/// Small snapshots over a long line, as in a duel between continents. A window that takes the scatter of the first acks for a
/// queue counts such a line as slow for half a minute. Among many lines that scatter by chance a few do look like a queue.
#[test]
fn on_a_long_fast_line_jitter_each_way_defers_nothing() {
    const LINES: u64 = 200;
    for (round_trip, millis, most_deferred, may_be_more) in
        [(80, 5, 0, 0), (200, 20, 1, 3), (120, 30, 2, 12)]
    {
        let line = Line {
            wants: 120,
            varies: 40,
            ..jitter(Line::new("", 100_000, round_trip), millis)
        };
        let (mut rates, mut more) = (Vec::new(), 0);
        for seed in 1..=LINES {
            let outcome = model(&line, seed);
            rates.push(outcome.rate(2.0, line.seconds as f64));
            more += u32::from(outcome.longest_deferral(2.0) > most_deferred);
        }
        rates.sort_by(f64::total_cmp);
        assert!(
            rates[LINES as usize / 20] >= 59.85 && more <= may_be_more,
            "RTT {round_trip} ± {millis}: slowest {:?}/s, {more} with more than {most_deferred} in a row deferred",
            &rates[..10]
        );
    }
}

/// Across an ocean the first ack takes a fifth of a second. A client must not stand still for it.
#[test]
fn a_far_client_sees_all_from_the_start() {
    for round_trip in [100, 200, 400] {
        let line = Line {
            wants: 80,
            ..Line::new("", 100_000, round_trip)
        };
        let first = round_trip as f64 / 2e3;
        let rate = model(&line, 1).rate(first, first + 2.0);
        assert!(
            rate >= 59.0,
            "RTT {round_trip}: {rate}/s in the first two seconds"
        );
    }
}

/// Jitter from the start, jitter that begins, and jitter that ends look like a queue at first.
#[test]
fn a_path_wrongly_counted_as_thin_recovers_soon() {
    for (kbit, millis) in [1000, 100_000]
        .iter()
        .flat_map(|kbit| [20, 40, 60].map(|millis| (*kbit, millis)))
    {
        for (from, to) in [(0, 60), (10, 60), (0, 12)] {
            let line = jitter_between(Line::new("", kbit, 2 * millis + 20), from, to, millis);
            for line in [line.clone(), small(line)] {
                for seed in 1..20 {
                    let slow = model(&line, seed).longest_below(54.0, 2, 60);
                    assert!(
                        slow <= 6,
                        "{kbit} kbit/s ± {millis} from {from} to {to} s, {} bytes, seed {seed}: {slow} s",
                        line.wants
                    );
                }
            }
        }
    }
}

/// Whatever else happens on the line, a screen's world is nearly as fresh as without a window.
#[test]
fn cross_traffic_and_losses_cost_little() {
    let base = Line::new;
    println!("{:28} shown age, ms: with, without", "line");
    for (line, more) in [
        (
            download(base("10 Mbit/s, download", 10_000, 40), 5, 25),
            1.1,
        ),
        (download(base("8 Mbit/s, download", 8_000, 70), 6, 20), 1.1),
        (
            download(base("20 Mbit/s, short queue", 20_000, 30), 5, 25).queue(60),
            1.1,
        ),
        (
            download(base("50 Mbit/s, short queue", 50_000, 20), 8, 30).queue(40),
            1.1,
        ),
        (loss(base("RTT 20, 1 % loss", 10_000, 20), 0.01), 1.05),
        (loss(base("RTT 50, 2 % loss", 20_000, 50), 0.02), 1.1),
        (loss(base("RTT 100, 1 % loss", 5_000, 100), 0.01), 1.1),
        (loss(base("RTT 150, 3 % loss", 100_000, 150), 0.03), 1.2),
    ] {
        let mean_age = |policy: &dyn Fn() -> Box<dyn Policy>| {
            let ages: Vec<f64> = SEEDS
                .flat_map(|seed| {
                    let outcome = run(&line, policy().as_mut(), seed);
                    outcome.shown_ages_ms(2.0, line.seconds as f64)
                })
                .collect();
            ages.iter().sum::<f64>() / ages.len() as f64
        };
        let with = mean_age(&|| Box::new(Model::new()));
        let without = mean_age(&|| Box::new(QueueEverything));
        println!("{:28} {with:6.1} {without:6.1}", line.name);
        assert!(
            with <= without * more,
            "{}: {with}, without {without}",
            line.name
        );
    }
}

#[test]
fn a_changed_line_is_fresh_within_half_a_second() {
    for line in [
        changing("RTT 10", 1_000_000, 256_000, 10),
        changing("RTT 30", 1_000_000, 256_000, 30),
        changing("RTT 80", 1_000_000, 256_000, 80),
        changing("RTT 50", 2_000_000, 400_000, 50),
    ] {
        let slow = line.rates[1].1;
        let goal = (line.round_trip / 2) as f64 / 1e3 + 16.7 + 66.0 * 8e3 / slow as f64 + TWO_TICKS;
        for seed in SEEDS {
            let outcome = model(&line, seed);
            let slower = outcome.fresh_after_ms(10.0, 20.0, goal + 10.0);
            let faster = outcome.fresh_after_ms(20.0, 30.0, goal + 10.0);
            assert!(
                slower <= 500.0 && faster <= 500.0,
                "{} seed {seed}: {slower} and {faster} ms",
                line.name
            );
            let rate = outcome.rate(21.5, 30.0);
            assert!(
                rate > 57.0,
                "{} seed {seed}: {rate}/s on the faster line",
                line.name
            );
        }
    }
}

/// As the bench of real lines counts it: real blocks, a token bucket, and a change at any moment.
#[test]
fn a_slower_line_is_fresh_within_half_a_second() {
    for round_trip in [10, 30, 80] {
        for seed in 1..40 {
            let down = 10_000_000 + seed * 1_371;
            let line = Line {
                rates: vec![(0, 1_000_000), (down, 256_000), (20_000_000, 1_000_000)],
                wants: 1150,
                varies: 300,
                overshoot: 200,
                burst: 1600,
                ..filled(Line::new("", 0, round_trip))
            };
            let allowed = |bytes: i64| {
                round_trip as f64 / 2.0 + (bytes + 66) as f64 * 8.0 / 256.0 + TWO_TICKS
            };
            let outcome = model(&line, seed as u64);
            let slower = outcome.fresh_for_ms(down as f64 / 1e6, 20.0, &allowed);
            let faster = outcome.fresh_for_ms(20.0, 30.0, &allowed);
            assert!(
                slower <= 500.0 && faster <= 500.0,
                "RTT {round_trip}, seed {seed}: {slower} and {faster} ms"
            );
        }
    }
}

#[test]
fn after_a_stall_the_first_ack_brings_the_newest_world() {
    let cut = vec![(0, 1_000_000), (10_000_000, 0), (15_000_000, 1_000_000)];
    let line = Line {
        rates: cut,
        ..Line::new("cut", 1000, 30)
    };
    for seed in SEEDS {
        let outcome = model(&line, seed);
        assert!(outcome.most_in_flight <= 64 * 1024);
        let first = outcome
            .arrivals
            .iter()
            .find(|arrival| arrival.at >= 15_000_000)
            .unwrap();
        let fresh = outcome
            .arrivals
            .iter()
            .find(|arrival| arrival.at >= 15_000_000 && arrival.at - arrival.sent < 60_000);
        let after = fresh.unwrap().at - first.at;
        // What was in flight drains, an ack comes back, and a snapshot goes.
        assert!(
            after <= 30_000 + 8 * 10_000 + 2 * 16_667,
            "seed {seed}: {after} µs"
        );
        let rate = outcome.rate(16.0, 30.0);
        assert!(rate > 57.0, "seed {seed}: {rate}/s");
    }
}

#[test]
fn nobody_is_sent_more_than_64_kib_ahead() {
    for line in tuned_on().into_iter().chain(held_back()) {
        for seed in SEEDS {
            let most = model(&line, seed).most_in_flight;
            assert!(most <= 64 * 1024, "{} seed {seed}: {most}", line.name);
        }
    }
}

#[test]
fn a_hidden_tab_costs_less_than_a_kilobyte_a_second() {
    let hidden = Line {
        answers: Answers::NeverFrom(5_000_000),
        seconds: 120,
        ..Line::new("hidden", 10_000, 60)
    };
    let outcome = model(&hidden, 1);
    let late = outcome
        .arrivals
        .iter()
        .filter(|arrival| arrival.at > 10_000_000);
    let bytes: i64 = late.map(|arrival| arrival.bytes).sum();
    assert!(bytes < 110_000, "{bytes} bytes in 110 s");
    assert!(
        bytes > 30_000,
        "{bytes} bytes in 110 s: it must not stand still"
    );
}

#[test]
fn acks_in_bursts_and_lost_packets_cost_little() {
    for (line, least) in [
        (answers(Line::new("by 6", 10_000, 60), 6), 59.0),
        (answers(Line::new("by 30", 10_000, 60), 30), 55.0),
        (
            Line {
                loss: 0.02,
                ..Line::new("2 % loss", 10_000, 60)
            },
            57.0,
        ),
        (loss(Line::new("1 % loss, harsh", 10_000, 20), 0.01), 59.0),
        (loss(Line::new("2 % loss, harsh", 10_000, 60), 0.02), 54.0),
    ] {
        for seed in SEEDS {
            let rate = model(&line, seed).rate(2.0, line.seconds as f64);
            assert!(rate >= least, "{} seed {seed}: {rate}/s", line.name);
        }
    }
}

#[test]
fn beside_a_download_a_share_of_the_line_is_left() {
    for line in [
        competing(Line::new("1 Mbit/s", 1000, 30)),
        competing(Line::new("2 Mbit/s", 2000, 60)),
    ] {
        for seed in SEEDS {
            // The download keeps a queue of 280 to 400 ms. Waiting for its end would leave 4 to 6 snapshots per second.
            let rate = model(&line, seed).rate(10.0, line.seconds as f64);
            assert!(rate >= 12.0, "{} seed {seed}: {rate}/s", line.name);
        }
    }
}

/// A room of 1,500 players: their names and scores are in the global cell, and a crowd of 150 is around the focus. Once the first
/// view is through, what comes is as fresh as on any thin line, and no snapshot is much larger than its share of the line.
#[test]
fn a_crowded_room_is_fresh_over_a_thin_line() {
    println!(
        "line, crowd: view through, s; age p50, p99 ms (goal); bytes p50; age of near rows, ms"
    );
    for (kbit, round_trip, crowd) in [(128, 10, 0), (128, 10, 150), (128, 80, 150), (256, 30, 150)]
    {
        let line = Line {
            burst: 1600,
            ..Line::new("crowd", kbit, round_trip)
        };
        let mut room = Crowd::new(1500, crowd);
        let mut source = |tick, budget| room.snapshot(tick, budget);
        let outcome = run_from(&line, &mut Model::new(), Some(&mut source), 1);
        let seconds = |tick: u32| f64::from(tick) / 60.0;
        let first_own = seconds(room.first_own.unwrap());
        let through = seconds(room.view_complete.expect("the view is never complete"));
        let view_seconds = room.view_bytes as f64 * 8.0 / (kbit * 1000) as f64;
        let end = line.seconds as f64;
        let (p50, p99) = (
            outcome.age_ms(0.5, through + 1.0, end),
            outcome.age_ms(0.99, through + 1.0, end),
        );
        let bytes = outcome.bytes(0.5, through + 1.0, end);
        let goal = goal_ms(&line, bytes);
        let near = room.near_age_ms(through + 1.0);
        println!(
            "{kbit} kbit/s, RTT {round_trip}, {crowd}: {through:.1} of {view_seconds:.1} alone; {p50:.1}, {p99:.1} ({goal:.1}); {bytes}; {near:.0}; own after {first_own:.2}"
        );
        assert!(
            p50 <= goal,
            "{kbit} kbit/s, crowd {crowd}: {p50} of {goal} ms"
        );
        assert!(
            p99 <= 2.0 * goal,
            "{kbit} kbit/s, crowd {crowd}: {p99} of {goal} ms"
        );
        assert!(first_own < 0.1, "the own ship comes first: {first_own}");
        assert!(
            bytes <= 3 * line.rates[0].1 / 8 / 60,
            "{bytes} bytes a snapshot"
        );
        assert!(
            through <= 3.0 * view_seconds + 2.0,
            "the view takes {through} of {view_seconds} s"
        );
    }
}
