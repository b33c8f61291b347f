//! One test for each promise of the window; whole lines are played in `sync/tests/paths`.

use super::*;

const TICK: u64 = 16_667;

fn at(tick: u32) -> Micros {
    Micros(u64::from(tick) * TICK)
}

#[test]
fn a_client_that_keeps_up_gets_every_tick_whole() {
    let mut window = Window::new(Micros(0), 60, WindowPolicy::FollowsThePath);
    let mut deferred = 0;
    for tick in 1..600_u32 {
        if window.may_send(at(tick)) {
            window.sent(Tick(tick), 1000, at(tick));
        } else {
            deferred += 1;
        }
        // Named five ticks later; the client's clock wraps meanwhile.
        let newest = tick.saturating_sub(5);
        let received_at = (at(newest).0 as u32).wrapping_sub(4_000_000);
        window.received(Tick(newest), received_at, at(tick));
        assert!(tick < 300 || window.fill().is_none(), "tick {tick}");
    }
    assert!(deferred < 10, "{deferred} waited at the beginning");
}

#[test]
fn a_view_that_is_larger_than_the_window_goes_alone_and_the_next_one_after_it() {
    let mut window = Window::new(Micros(0), 60, WindowPolicy::FollowsThePath);
    let mut sent = 0;
    for tick in 1..120_u32 {
        if window.may_send(at(tick)) {
            assert_eq!(window.bytes_in_flight(), 0, "tick {tick}");
            window.sent(Tick(tick), 3 * MAX_BYTES, at(tick));
            sent += 1;
        }
        let newest = tick.saturating_sub(2);
        window.received(Tick(newest), at(newest).0 as u32, at(tick));
    }
    assert!(sent > 30, "{sent} went");
}

#[test]
fn who_waits_for_a_fresh_start_names_nothing_and_gets_it_all_the_same() {
    let mut window = Window::new(Micros(0), 60, WindowPolicy::FollowsThePath);
    let mut newest = 0;
    for tick in 1..60_u32 {
        if window.may_send(at(tick)) {
            window.sent(Tick(tick), 1000, at(tick));
            newest = tick;
        }
        // It could apply the first one only.
        window.received(Tick(1), at(1).0 as u32, at(tick));
    }
    assert!(
        !window.may_send(at(60)),
        "nothing more goes while it names nothing"
    );
    window.forget_sent();
    assert!(window.may_send(at(60)) && newest < 59);
    window.sent(Tick(60), 1000, at(60));
    // What went before is not heard of, and nothing is counted twice.
    window.received(Tick(1), at(1).0 as u32, at(61));
    assert_eq!(window.bytes_in_flight(), 1000);
    window.received(Tick(60), at(62).0 as u32, at(63));
    assert_eq!(window.bytes_in_flight(), 0);
}

#[test]
fn an_open_window_lets_everything_go_but_holds_its_memory_bounded() {
    let mut window = Window::new(Micros(0), 60, WindowPolicy::Open);
    let mut sent = 0;
    for tick in 1..6000_u32 {
        if window.may_send(at(tick)) {
            window.sent(Tick(tick), 1500, at(tick));
            sent += 1;
        }
        assert_eq!(window.fill(), None);
    }
    assert_eq!(sent, MAX_SNAPSHOTS);
}

#[test]
fn where_no_queue_was_ever_seen_chance_does_not_add_up_to_a_thin_line() {
    for seed in 0..20 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut window = Window::new(Micros(0), 60, WindowPolicy::FollowsThePath);
        let (mut deferred, mut late) = (0, 0_u64);
        let mut on_the_way = VecDeque::new();
        for tick in 1..600_u32 {
            // The client's machine is busy, more at times than at others; the path takes no time.
            late = (late + random.u64(0..2_000))
                .saturating_sub(1_000)
                .min(4_000);
            // The input that names a snapshot is taken two ticks after it.
            if let Some((named, came)) = on_the_way.pop_front_if(|(sent, _)| *sent + 2 <= tick) {
                window.received(Tick(named), came as u32, Micros(came + TICK));
            }
            if window.may_send(at(tick)) {
                // Small ones, and now and then a part of the world that comes into sight.
                let bytes = match tick {
                    1 => 20_000,
                    _ if random.u32(0..20) == 0 => 3_000,
                    _ => 150,
                };
                window.sent(Tick(tick), bytes, at(tick));
                on_the_way.push_back((tick, u64::from(tick) * TICK + late));
            } else if tick > 120 {
                deferred += 1;
            }
        }
        assert_eq!(deferred, 0, "seed {seed}");
    }
}

#[test]
fn a_client_that_names_only_old_snapshots_waits_within_the_window() {
    let mut window = Window::new(Micros(0), 60, WindowPolicy::FollowsThePath);
    let mut most = 0;
    for tick in 1..6000_u32 {
        if window.may_send(at(tick)) {
            window.sent(Tick(tick), 1500, at(tick));
        }
        // Inputs come, but everything they name is ten seconds old.
        let newest = tick.saturating_sub(600);
        window.received(Tick(newest), at(tick).0 as u32, at(tick));
        most = most.max(window.bytes_in_flight());
    }
    assert!(most <= MAX_BYTES, "{most} bytes were on their way");
}

#[test]
fn who_names_what_was_never_sent_frees_nothing() {
    let mut window = Window::new(Micros(0), 60, WindowPolicy::FollowsThePath);
    let mut sent = 0;
    for tick in 1..600_u32 {
        if window.may_send(at(tick)) {
            window.sent(Tick(tick), 1500, at(tick));
            sent += 1;
        }
        window.received(Tick(u32::MAX), at(tick).0 as u32, at(tick));
    }
    assert!(sent <= FIRST_SNAPSHOTS, "{sent} snapshots went");
}

#[test]
fn a_stalled_downlink_gets_nothing_while_inputs_say_so() {
    let mut window = Window::new(Micros(0), 60, WindowPolicy::FollowsThePath);
    let mut sent_late = 0;
    for tick in 1..900_u32 {
        if window.may_send(at(tick)) {
            window.sent(Tick(tick), 1000, at(tick));
            sent_late += u32::from(tick > 308);
        }
        // From tick 300 on nothing arrives.
        let newest = tick.saturating_sub(2).min(300);
        window.received(Tick(newest), at(newest).0 as u32, at(tick));
    }
    assert_eq!(sent_late, 0);
    assert!(window.bytes_in_flight() <= 8_000);
}

#[test]
fn a_silent_client_costs_less_than_a_kilobyte_a_second() {
    let mut window = Window::new(Micros(0), 60, WindowPolicy::FollowsThePath);
    let mut bytes = 0;
    for tick in 1..=3600_u32 {
        if tick > 60 && window.may_send(at(tick)) {
            window.sent(Tick(tick), 2500, at(tick));
            bytes += 2500;
        }
    }
    assert!(bytes < 60_000, "{bytes} bytes in a minute");
    assert!(bytes > 0);
}

#[test]
fn times_that_cannot_be_right_do_no_harm() {
    let mut random = fastrand::Rng::with_seed(1);
    let mut window = Window::new(Micros(0), 60, WindowPolicy::FollowsThePath);
    for tick in 1..20_000_u32 {
        if window.may_send(at(tick)) {
            window.sent(Tick(tick), random.usize(0..5000), at(tick));
        }
        let newest = Tick(tick.saturating_sub(random.u32(0..20)));
        window.received(newest, random.u32(..), Micros(random.u64(0..=at(tick).0)));
        assert!(window.bytes_in_flight() <= MAX_BYTES + 5000);
        assert!(window.fill().is_none_or(|fill| fill >= LEAST_FILL));
    }
}
