//! The clocks of devices: they are set, they sleep, and they show the time in steps. Play goes on.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use tickwire_client::Phase;
use tickwire_sync::Micros;
use tickwire_tests::LonePlayer;

/// How many inputs reach the game in the 4th and 5th second from now.
fn inputs_of_the_fourth_and_fifth_second(player: &mut LonePlayer) -> u64 {
    player.pass(3_000, |_, _| {});
    let before = player.applied;
    player.pass(2_000, |_, _| {});
    player.applied - before
}

#[test]
fn after_a_leap_of_the_clock_inputs_reach_the_game() {
    for leap_ms in [100, 300, 900, 1_100, 1_500, 5_000, 60_000, 3_600_000] {
        for leap_ms in [leap_ms, -leap_ms] {
            for (delay_ms, jitter_ms) in [(1, 0), (50, 0), (150, 20)] {
                let mut player = LonePlayer::new(delay_ms, jitter_ms);
                player.pass(2_000, |_, _| {});
                player.set_clock(leap_ms);
                let mut phases = Vec::new();
                let before = player.applied;
                player.pass(200, |player, _| phases.push(player.client.phase().clone()));
                let at_once = player.applied - before;
                let inputs = inputs_of_the_fourth_and_fifth_second(&mut player);
                let what = format!(
                    "leap of {leap_ms} ms, {delay_ms} ms each way: {at_once} at once, then {inputs}"
                );
                println!("{what}");
                assert!(inputs >= 100, "{what}");
                assert!(
                    phases.iter().all(|phase| *phase == Phase::Playing),
                    "{what}"
                );
                assert_eq!(player.client.counters().reconnects, 0, "{what}");
            }
        }
    }
}

#[test]
fn a_clock_that_leaps_again_and_again_is_played_with() {
    let mut player = LonePlayer::new(50, 0);
    player.pass(2_000, |_, _| {});
    for leap_ms in [2_000, -7_000, 60_000, -1, -55_000, 1_500] {
        player.set_clock(leap_ms);
        player.pass(700, |_, _| {});
    }
    let inputs = inputs_of_the_fourth_and_fifth_second(&mut player);
    assert!(inputs >= 100, "{inputs}");
}

#[test]
fn a_clock_in_steps_of_100_ms_is_played_with() {
    let mut player = LonePlayer::new(50, 0);
    player.set_clock_step(100);
    player.pass(5_000, |_, _| {});
    let before = player.applied;
    player.pass(5_000, |_, _| {});
    let inputs = player.applied - before;
    // They come in bursts of six. The browser's shell counts on within the steps, and loses none of them.
    assert!(inputs >= 270, "{inputs} of 300");
}

#[test]
fn after_a_sleep_inputs_reach_the_game() {
    for (sleep_ms, is_counted) in [
        (1_500, true),
        (5_000, true),
        (5_000, false),
        (20_000, true),
        (20_000, false),
    ] {
        let mut player = LonePlayer::new(50, 0);
        player.pass(2_000, |_, _| {});
        player.is_asleep = true;
        player.pass(sleep_ms, |_, _| {});
        player.is_asleep = false;
        if !is_counted {
            player.set_clock(-(sleep_ms as i64));
        }
        let inputs = inputs_of_the_fourth_and_fifth_second(&mut player);
        assert!(
            inputs >= 100,
            "{sleep_ms} ms, counted: {is_counted}: {inputs}"
        );
    }
}

#[test]
fn a_long_hitch_is_no_leap() {
    let mut player = LonePlayer::new(10, 0);
    player.pass(2_000, |_, _| {});
    player.is_asleep = true;
    player.pass(800, |_, _| {});
    player.is_asleep = false;
    let pongs = player.client.counters().pongs;
    player.pass(20, |_, _| {});
    let before = player.applied;
    player.pass(500, |_, _| {});
    assert!(player.applied - before >= 28);
    assert!(player.client.counters().pongs <= pongs + 1);
}

/// How far the own entity is along x on the screen, in steps with a fraction.
fn own_x(player: &LonePlayer, now: Micros) -> f64 {
    let mut x = None;
    let own = player.client.entity();
    player.client.for_each_on_screen(None, now, &mut |shown| {
        if Some(shown.id) == own {
            x = Some(f64::from(shown.lanes[0]) + f64::from(shown.fraction[0]) / 256.0);
        }
    });
    x.unwrap()
}

#[test]
fn own_motion_is_even_at_any_rate_of_the_display() {
    /// Steps a tick: the walker's speed, times the input.
    const SPEED: f64 = 3.0 * 16.0;
    for hz in [48, 60, 75, 90, 120, 144, 240] {
        for jitter_ms in [0, 2, 20] {
            let mut player = LonePlayer::new(50, jitter_ms);
            player.payload = vec![0, 0];
            player.pass(8_000, |_, _| {});
            player.payload = vec![16, 0];
            player.pass(500, |_, _| {});
            let mut frames: Vec<(Micros, f64)> = Vec::new();
            player.pass(4_000, |player, passed| {
                if passed * hz / 1_000 != (passed - 1) * hz / 1_000 {
                    let now = player.now();
                    player.poll();
                    player.client.sample(now);
                    frames.push((now, own_x(player, now)));
                }
            });
            let errors = frames.windows(2).map(|pair| {
                let ideal = (pair[1].0.since(pair[0].0)).0 as f64 * 60e-6 * SPEED;
                (pair[1].1 - pair[0].1 - ideal).abs()
            });
            let worst = errors.fold(0.0, f64::max);
            println!("{hz} Hz, jitter of {jitter_ms} ms: {worst:.2} steps");
            assert!(
                worst <= 1.0,
                "{hz} Hz, jitter of {jitter_ms} ms: {worst} steps"
            );
        }
    }
}
