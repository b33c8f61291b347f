//! The lines: those that the window was tuned on, and those that were held back meanwhile.

use crate::line::{Answers, Line, Losses};

/// A line whose rate changes at second 10 and back at second 20. Rates are in bits per second.
pub fn changing(name: &'static str, first: i64, then: i64, round_trip_ms: i64) -> Line {
    Line {
        rates: vec![(0, first), (10_000_000, then), (20_000_000, first)],
        fills: true,
        ..Line::new(name, 0, round_trip_ms)
    }
}

/// The lines that the window was tuned on.
pub fn tuned_on() -> Vec<Line> {
    let base = Line::new;
    let cut = vec![(0, 1_000_000), (10_000_000, 0), (15_000_000, 1_000_000)];
    vec![
        base("256 kbit/s, RTT 10", 256, 10),
        base("256 kbit/s, RTT 80", 256, 80),
        base("512 kbit/s, RTT 30", 512, 30),
        base("100 Mbit/s, RTT 10", 100_000, 10),
        base("100 Mbit/s, RTT 80", 100_000, 80),
        jitter(base("100 Mbit/s, RTT 80 ± 20", 100_000, 80), 20),
        jitter(base("1 Mbit/s, RTT 100 ± 40", 1000, 100), 40),
        jitter(base("256 kbit/s, RTT 80 ± 20", 256, 80), 20),
        filled(base("256 kbit/s, RTT 10, filled", 256, 10)),
        filled(base("256 kbit/s, RTT 80, filled", 256, 80)),
        changing("1 Mbit/s, 256 k, 1 M, RTT 30", 1_000_000, 256_000, 30),
        changing("1 Mbit/s, 256 k, 1 M, RTT 80", 1_000_000, 256_000, 80),
        Line {
            rates: cut,
            ..base("1 Mbit/s, cut for 5 s", 1000, 30)
        },
        competing(base("1 Mbit/s, RTT 30, download", 1000, 30)),
        filled(competing(base("512 kbit/s, RTT 30, download", 512, 30))),
        loss(base("10 Mbit/s, RTT 60, 2 % loss", 10_000, 60), 0.02),
        answers(base("10 Mbit/s, answers by 6", 10_000, 60), 6),
        answers(base("10 Mbit/s, answers by 30", 10_000, 60), 30),
        Line {
            wants: 250,
            varies: 200,
            ..base("100 Mbit/s, small", 100_000, 80)
        },
        Line {
            wants: 3000,
            varies: 2900,
            ..base("10 Mbit/s, varied", 10_000, 80)
        },
        bucket(filled(base("256 kbit/s, RTT 10, bucket", 256, 10))),
        bucket(filled(base("256 kbit/s, RTT 80, bucket", 256, 80))),
        crowds(bucket(filled(base("256 kbit/s, RTT 10, crowds", 256, 10)))),
        crowds(filled(base("256 kbit/s, RTT 80, crowds", 256, 80))),
        Line {
            overshoot: 300,
            wants: 1500,
            varies: 500,
            ..bucket(filled(base("256 kbit/s, RTT 80, blocks", 256, 80)))
        },
        Line {
            wants: 1000,
            varies: 300,
            ..jitter(base("100 Mbit/s ± 20, varied", 100_000, 80), 20)
        },
        Line {
            wants: 400,
            ..filled(base("64 kbit/s, RTT 60", 64, 60))
        },
        hiccups(base("100 Mbit/s, RTT 0, hiccups", 100_000, 0), 1.0),
        hiccups(base("100 Mbit/s, RTT 10, hiccups", 100_000, 10), 1.0),
        hiccups(base("100 Mbit/s, RTT 80, hiccups", 100_000, 80), 1.0),
        hiccups(base("100 Mbit/s, RTT 0, many", 100_000, 0), 5.0),
        hiccups(filled(base("256 kbit/s, RTT 10, hiccups", 256, 10)), 1.0),
        jitter(base("100 Mbit/s, RTT 120 ± 60", 100_000, 120), 60),
        jitter_between(base("100 Mbit/s, late ± 40", 100_000, 100), 10, 60, 40),
        jitter_between(base("100 Mbit/s, ± 40 ends", 100_000, 100), 0, 10, 40),
        jitter_between(base("100 Mbit/s, ± 20 for 20 s", 100_000, 50), 10, 30, 20),
        jitter_between(base("1 Mbit/s, late ± 30", 1000, 80), 10, 60, 30),
        jitter_between(filled(base("256 kbit/s, late ± 20", 256, 80)), 10, 30, 20),
        small(jitter_between(
            base("100 Mbit/s, small, late ± 40", 100_000, 100),
            10,
            60,
            40,
        )),
        small(jitter_between(
            base("100 Mbit/s, small, ± 30 ends", 100_000, 100),
            0,
            10,
            30,
        )),
        download(base("10 Mbit/s, a download", 10_000, 40), 5, 25),
        download(base("20 Mbit/s, short queue", 20_000, 30), 5, 25).queue(60),
        download(
            download(base("5 Mbit/s, two downloads", 5_000, 60), 5, 60),
            15,
            30,
        ),
        loss(base("10 Mbit/s, RTT 20, 1 % loss", 10_000, 20), 0.01),
        loss(base("100 Mbit/s, RTT 150, 3 % loss", 100_000, 150), 0.03),
        loss(filled(base("256 kbit/s, RTT 80, 1 % loss", 256, 80)), 0.01),
    ]
}

/// The lines that were held back while the window was tuned.
pub fn held_back() -> Vec<Line> {
    let base = Line::new;
    vec![
        base("384 kbit/s, RTT 50", 384, 50),
        base("200 kbit/s, RTT 150", 200, 150),
        filled(base("300 kbit/s, RTT 40, filled", 300, 40)),
        filled(base("128 kbit/s, RTT 120, filled", 128, 120)),
        base("700 kbit/s, RTT 20", 700, 20),
        base("20 Mbit/s, RTT 200", 20_000, 200),
        jitter(base("2 Mbit/s, RTT 120 ± 30", 2000, 120), 30),
        jitter(filled(base("400 kbit/s, RTT 60 ± 10, filled", 400, 60)), 10),
        changing("2 Mbit/s, 400 k, 2 M, RTT 50", 2_000_000, 400_000, 50),
        changing("800 kbit/s, 200 k, 800 k, RTT 20", 800_000, 200_000, 20),
        loss(
            filled(base("512 kbit/s, RTT 50, 0.5 % loss", 512, 50)),
            0.005,
        ),
        answers(filled(base("512 kbit/s, answers by 12", 512, 40)), 12),
        competing(base("2 Mbit/s, RTT 60, download", 2000, 60)),
        hiccups(base("20 Mbit/s, RTT 30, hiccups", 20_000, 30), 2.0),
        hiccups(filled(base("300 kbit/s, RTT 40, hiccups", 300, 40)), 2.0),
        Line {
            wants: 700,
            varies: 600,
            ..base("1 Mbit/s, varied", 1000, 40)
        },
        jitter(base("50 Mbit/s, RTT 90 ± 45", 50_000, 90), 45),
        jitter_between(base("20 Mbit/s, late ± 50", 20_000, 140), 8, 60, 50),
        jitter_between(base("50 Mbit/s, ± 30 ends", 50_000, 70), 0, 12, 30),
        jitter_between(base("2 Mbit/s, ± 25 for 15 s", 2000, 60), 12, 27, 25),
        jitter_between(base("1500 kbit/s, late ± 40", 1500, 120), 15, 60, 40),
        jitter_between(filled(base("400 kbit/s, late ± 15", 400, 50)), 12, 30, 15),
        small(jitter_between(
            base("20 Mbit/s, small, late ± 30", 20_000, 150),
            15,
            60,
            30,
        )),
        small(jitter_between(
            base("20 Mbit/s, small, ± 50 ends", 20_000, 130),
            0,
            15,
            50,
        )),
        download(base("8 Mbit/s, a download", 8_000, 70), 6, 20),
        download(base("50 Mbit/s, short queue", 50_000, 20), 8, 30).queue(40),
        download(
            download(base("3 Mbit/s, two downloads", 3_000, 40), 8, 60),
            20,
            40,
        ),
        loss(base("20 Mbit/s, RTT 50, 2 % loss", 20_000, 50), 0.02),
        loss(base("5 Mbit/s, RTT 100, 1 % loss", 5_000, 100), 0.01),
        loss(filled(base("384 kbit/s, RTT 60, 1 % loss", 384, 60)), 0.01),
    ]
}

/// With small snapshots, as in a duel.
pub fn small(line: Line) -> Line {
    Line {
        wants: 120,
        varies: 40,
        ..line
    }
}

/// With jitter from one second to another, over a minute.
pub fn jitter_between(line: Line, from: i64, to: i64, millis: i64) -> Line {
    Line {
        jitters: vec![(from * 1_000_000, millis * 1000), (to * 1_000_000, 0)],
        seconds: 60,
        ..line
    }
}

/// With a download from one second to another, over 40 s.
pub fn download(line: Line, from: i64, to: i64) -> Line {
    let mut competitors = line.competitors.clone();
    competitors.push((from * 1_000_000, to * 1_000_000));
    Line {
        competitors,
        seconds: 40,
        ..line
    }
}

pub fn loss(line: Line, loss: f64) -> Line {
    Line {
        loss,
        losses: Losses::Harsh,
        ..line
    }
}

pub fn jitter(line: Line, millis: i64) -> Line {
    Line {
        jitters: vec![(0, millis * 1000)],
        ..line
    }
}

/// With a client process that stops this often per second, for 20 to 80 ms.
pub fn hiccups(line: Line, often: f64) -> Line {
    Line {
        hiccups: (often, 20_000, 80_000),
        ..line
    }
}

pub fn filled(line: Line) -> Line {
    Line {
        fills: true,
        ..line
    }
}

/// With a token bucket like `tc tbf`'s, of the smallest burst that lets a packet through.
pub fn bucket(line: Line) -> Line {
    Line {
        burst: 1600,
        wants: 1000,
        varies: 300,
        ..line
    }
}

pub fn crowds(line: Line) -> Line {
    Line {
        crowds: true,
        ..line
    }
}

pub fn competing(line: Line) -> Line {
    Line {
        competitors: vec![(5_000_000, i64::MAX)],
        ..line
    }
}

pub fn answers(line: Line, by: usize) -> Line {
    Line {
        answers: Answers::InBurstsOf(by),
        ..line
    }
}
