//! The promises of the netcode, in short runs of the simulator. The full matrix is `--bin netcode`.

#![allow(clippy::unwrap_used, reason = "this is a test")]

use tickwire_arena_benches::netcode::{
    Cell, FORGED_TICKS, Forgery, HELD_TICKS, LINES, Line, Outcome, World,
};
use tickwire_sync::Micros;
use tickwire_sync::bench_policies::ViewPolicy;

fn cell(line: Line, seed: u64) -> Cell {
    Cell {
        line,
        policy: ViewPolicy::Clamped,
        forgery: Forgery::None,
        bots: 12,
        settle: Micros::from_millis(4_000),
        length: Micros::from_millis(12_000),
        reads_per_tick: 0,
        ticks_together: 1,
        seed,
    }
}

fn run(cell: &Cell) -> Outcome {
    World::new(cell).run()
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let one = run(&cell(LINES[2], 5));
    assert_eq!(one, run(&cell(LINES[2], 5)));
    assert_ne!(one, run(&cell(LINES[2], 6)));
}

#[test]
fn a_calm_line_honours_every_hit_without_corrections() {
    for line in [LINES[0], LINES[1]] {
        let outcome = run(&cell(line, 1));
        assert!(outcome.all.hits_on_screen > 50);
        assert_eq!(outcome.all.honoured, outcome.all.hits_on_screen);
        assert_eq!(outcome.all.false_hits, 0);
        assert_eq!(outcome.corrections, 0);
        assert_eq!((outcome.clamped, outcome.mismatches), (0, 0));
    }
}

#[test]
fn an_overloaded_server_is_in_sync_and_honours_hits() {
    for ticks_together in [2, 3] {
        let outcome = run(&Cell {
            ticks_together,
            ..cell(LINES[1], 1)
        });
        assert!(outcome.all.hits_on_screen > 50);
        assert_eq!(outcome.all.honoured, outcome.all.hits_on_screen);
        assert_eq!((outcome.mismatches, outcome.corrections), (0, 0));
    }
}

#[test]
fn exactly_the_shots_within_the_rewind_are_honoured() {
    // With the round trip, the input's lead and the interpolation, the limit is at about 119 ms one way.
    let mut sides = [0, 0];
    for latency_ms in [110, 116, 119, 122, 130] {
        let line = Line {
            name: "at the limit",
            latency: Micros::from_millis(latency_ms),
            jitter: Micros::from_millis(2),
            stalls: None,
        };
        let outcome = run(&cell(line, latency_ms));
        let (within, beyond) = (outcome.within, outcome.beyond);
        assert_eq!(
            within.honoured, within.hits_on_screen,
            "{latency_ms} ms: {within:?}"
        );
        assert_eq!(within.false_hits, 0, "{latency_ms} ms");
        // Exactly the claims beyond it are clamped. A few shots are in flight when counting begins and ends.
        let clamped = outcome.clamped.abs_diff(beyond.shots);
        assert!(clamped <= 15, "{} clamped, {beyond:?}", outcome.clamped);
        let most = outcome.rewind.iter().copied().fold(0.0, f64::max);
        assert!(most <= 15.0, "rewound by {most} ticks");
        sides = [sides[0] + within.shots, sides[1] + beyond.shots];
    }
    assert!(sides[0] > 100 && sides[1] > 100, "{sides:?}");
}

#[test]
fn stalls_move_no_ship_by_its_length() {
    let outcome = run(&cell(LINES[4], 2));
    assert!(outcome.calm.hits_on_screen > 50);
    assert!(
        outcome.calm.honoured_percent() >= 95.0,
        "{:?}",
        outcome.calm
    );
    assert_eq!((outcome.snaps, outcome.mismatches), (0, 0));
    assert!(outcome.late > 0 && outcome.repeated > 0);
}

#[test]
fn a_forger_hits_nobody_long_in_cover() {
    let hindsight = |policy| {
        run(&Cell {
            policy,
            forgery: Forgery::Hindsight(FORGED_TICKS),
            ..cell(LINES[0], 4)
        })
    };
    let longest = |outcome: &Outcome| outcome.cover.iter().copied().fold(0.0, f64::max);
    let (ours, trust) = (
        hindsight(ViewPolicy::Clamped),
        hindsight(ViewPolicy::TrustClaim),
    );
    assert!(longest(&ours) <= 4.0, "{:?}", ours.cover);
    assert!(longest(&trust) > longest(&ours), "{:?}", trust.cover);
}

#[test]
fn held_pongs_and_snapshots_gain_no_rewind() {
    let held = |policy| {
        run(&Cell {
            policy,
            forgery: Forgery::HeldLine(HELD_TICKS),
            length: Micros::from_millis(40_000),
            ..cell(LINES[0], 4)
        })
    };
    let (ours, trust) = (held(ViewPolicy::Clamped), held(ViewPolicy::TrustClaim));
    assert!(trust.forgers.hits_on_screen > 50, "{:?}", trust.forgers);
    assert!(
        trust.forgers.honoured_percent() > 90.0,
        "{:?}",
        trust.forgers
    );
    assert!(ours.forgers.hits_on_screen > 50, "{:?}", ours.forgers);
    assert!(
        ours.clamped > ours.forgers.shots / 2,
        "{} clamped",
        ours.clamped
    );
    assert!(
        ours.forgers.honoured_percent() <= 50.0,
        "{:?}",
        ours.forgers
    );
}
