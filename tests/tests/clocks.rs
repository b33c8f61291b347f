//! The clocks of devices: they are set, they sleep, and they show the time in steps. Play goes on.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::time::{Duration, Instant};
use tickwire_client::Phase;
use tickwire_game::{Game, GameSettings};
use tickwire_proto::v1::{self, client_message, server_message};
use tickwire_sync::Micros;
use tickwire_tests::walkers::Walkers;
use tickwire_tests::{LonePlayer, RawClient, TestServer, within};

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

#[test]
fn the_clock_is_right_though_the_server_holds_pings() {
    for delay_ms in [1, 40] {
        let mut player = LonePlayer::new(delay_ms, 0);
        player.holds_pings = true;
        player.pass(3_000, |_, _| {});
        let mut worst_ms: f64 = 0.0;
        player.pass(2_000, |player, _| {
            let now = player.now();
            let ticks = player.client.server_ticks(now).unwrap() - player.server_ticks();
            worst_ms = worst_ms.max(ticks.abs() * 1_000.0 / 60.0);
        });
        assert!(player.client.counters().pongs >= 5);
        assert!(worst_ms < 0.1, "{worst_ms} ms over {delay_ms} ms each way");
    }
}

#[test]
fn a_client_of_a_room_near_tick_2_32_plays_and_joins_anew() {
    // The last ticks before a server ends a room.
    let age = u32::MAX - (1 << 24) - 300;
    let mut player = LonePlayer::with_room_of_age(20, 0, age);
    player.pass(2_000, |_, _| {});
    let inputs = inputs_of_the_fourth_and_fifth_second(&mut player);
    assert!(inputs >= 100, "{inputs}");
    assert!(player.client.newest_snapshot().0.0 > age);
    player.replace_room();
    player.pass(2_000, |_, _| {});
    let inputs = inputs_of_the_fourth_and_fifth_second(&mut player);
    assert!(inputs >= 100, "{inputs}");
    let counters = player.client.counters();
    assert_eq!((counters.reconnects, counters.resumes), (1, 0));
    assert!(player.client.newest_snapshot().0.0 < 1_000);
    assert_eq!(*player.client.phase(), Phase::Playing);
}

/// Each answer bounds how far the server's clock is from this one: by half of what the network took. All must agree.
#[tokio::test(flavor = "multi_thread")]
async fn the_server_says_truly_how_long_it_held_a_ping() {
    let new_game = |_: &GameSettings| -> Box<dyn Game> { Box::new(Walkers::new(&[])) };
    // Its worker reads every 50 ms.
    let server = TestServer::start_with(&["--tick-rate", "20"], new_game);
    let mut client = RawClient::connect(server.addr, "/ws?room=r").await;
    client.join(v1::Hello::default()).await;
    let start = Instant::now();
    let now_us = || start.elapsed().as_micros() as i64;
    let (mut earliest, mut latest) = (i64::MIN, i64::MAX);
    // Until one was held for long, and for nearly all of its round trip.
    within("a ping that is held", async {
        for stamp in 1.. {
            let sent = now_us();
            client
                .send(client_message::Body::Ping(v1::Ping { stamp }))
                .await;
            let pong = client.wait_for(|body| match body {
                server_message::Body::Pong(pong) => Some(pong),
                _ => None,
            });
            let pong = pong.await;
            let (received, held) = (now_us(), i64::from(pong.held_us));
            assert_eq!(pong.stamp, stamp);
            let network = received - sent - held;
            assert!(
                network >= 0,
                "held for longer than the round trip: {pong:?}"
            );
            // The server answered between these two moments of the own clock.
            earliest = earliest.max(pong.clock_us as i64 - received);
            latest = latest.min(pong.clock_us as i64 - (sent + held));
            assert!(earliest <= latest, "{pong:?} contradicts those before");
            if held >= 20_000 && network < held / 4 {
                return;
            }
            // At another moment of the tick.
            tokio::time::sleep(Duration::from_millis(stamp * 7 % 50)).await;
        }
    })
    .await;
}
