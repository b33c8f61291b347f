//! One test for each promise of the congestion window. `sync/tests/paths` plays whole lines.

use super::*;
use std::collections::VecDeque;

const TICK: u64 = 16_667;

fn at(tick: u32) -> Micros {
    Micros(u64::from(tick) * TICK)
}

#[test]
fn a_client_that_keeps_up_gets_every_tick_whole() {
    let mut window = CongestionWindow::new(Micros(0), 60);
    let mut deferred = 0;
    for tick in 1..600_u32 {
        if window.request_send(at(tick)) {
            window.on_sent(Tick(tick), 1000, at(tick));
        } else {
            deferred += 1;
        }
        // Acked five ticks later. The client's clock wraps meanwhile.
        let newest = tick.saturating_sub(5);
        let received_at = (at(newest).0 as u32).wrapping_sub(4_000_000);
        window.on_ack(Tick(newest), received_at, at(tick));
        assert!(tick < 300 || window.byte_budget().is_none(), "tick {tick}");
    }
    assert!(deferred < 10, "{deferred} waited at the beginning");
}

#[test]
fn a_snapshot_larger_than_the_window_goes_alone() {
    let mut window = CongestionWindow::new(Micros(0), 60);
    let mut sent = 0;
    for tick in 1..120_u32 {
        if window.request_send(at(tick)) {
            assert_eq!(window.bytes_in_flight(), 0, "tick {tick}");
            window.on_sent(Tick(tick), 3 * MAX_BYTES_IN_FLIGHT, at(tick));
            sent += 1;
        }
        let newest = tick.saturating_sub(2);
        window.on_ack(Tick(newest), at(newest).0 as u32, at(tick));
    }
    assert!(sent > 30, "{sent} went");
}

#[test]
fn a_client_that_acks_nothing_gets_its_full_snapshot() {
    let mut window = CongestionWindow::new(Micros(0), 60);
    let mut newest = 0;
    for tick in 1..60_u32 {
        if window.request_send(at(tick)) {
            window.on_sent(Tick(tick), 1000, at(tick));
            newest = tick;
        }
        // The client could apply the first one only.
        window.on_ack(Tick(1), at(1).0 as u32, at(tick));
    }
    assert!(
        !window.request_send(at(60)),
        "nothing more goes while the client acks nothing"
    );
    window.forget_in_flight();
    assert!(window.request_send(at(60)) && newest < 59);
    window.on_sent(Tick(60), 1000, at(60));
    // Earlier snapshots stay unacked, and nothing is counted twice.
    window.on_ack(Tick(1), at(1).0 as u32, at(61));
    assert_eq!(window.bytes_in_flight(), 1000);
    window.on_ack(Tick(60), at(62).0 as u32, at(63));
    assert_eq!(window.bytes_in_flight(), 0);
}

#[test]
fn an_open_window_has_bounded_memory() {
    let mut window = CongestionWindow::with_policy(Micros(0), 60, WindowPolicy::Open);
    let mut sent = 0;
    for tick in 1..6000_u32 {
        if window.request_send(at(tick)) {
            window.on_sent(Tick(tick), 1500, at(tick));
            sent += 1;
        }
        assert_eq!(window.byte_budget(), None);
    }
    assert_eq!(sent, MAX_SNAPSHOTS_IN_FLIGHT);
}

#[test]
fn chance_does_not_add_up_to_a_thin_line() {
    for seed in 0..20 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut window = CongestionWindow::new(Micros(0), 60);
        let (mut deferred, mut late) = (0, 0_u64);
        let mut in_flight = VecDeque::new();
        for tick in 1..600_u32 {
            // The client's machine is busy, at times more than at others. The path takes no time.
            late = (late + random.u64(0..2_000))
                .saturating_sub(1_000)
                .min(4_000);
            // The input that acks a snapshot is taken two ticks after it.
            if let Some((acked, came)) = in_flight.pop_front_if(|(sent, _)| *sent + 2 <= tick) {
                window.on_ack(Tick(acked), came as u32, Micros(came + TICK));
            }
            if window.request_send(at(tick)) {
                // Small ones, and now and then a part of the world that comes into view.
                let bytes = match tick {
                    1 => 20_000,
                    _ if random.u32(0..20) == 0 => 3_000,
                    _ => 150,
                };
                window.on_sent(Tick(tick), bytes, at(tick));
                in_flight.push_back((tick, u64::from(tick) * TICK + late));
            } else if tick > 120 {
                deferred += 1;
            }
        }
        assert_eq!(deferred, 0, "seed {seed}");
    }
}

#[test]
fn a_client_that_acks_only_old_snapshots_waits() {
    let mut window = CongestionWindow::new(Micros(0), 60);
    let mut max_bytes = 0;
    for tick in 1..6000_u32 {
        if window.request_send(at(tick)) {
            window.on_sent(Tick(tick), 1500, at(tick));
        }
        // Inputs come, but everything that they ack is ten seconds old.
        let newest = tick.saturating_sub(600);
        window.on_ack(Tick(newest), at(tick).0 as u32, at(tick));
        max_bytes = max_bytes.max(window.bytes_in_flight());
    }
    assert!(
        max_bytes <= MAX_BYTES_IN_FLIGHT,
        "{max_bytes} bytes were in flight"
    );
}

#[test]
fn an_ack_of_a_snapshot_never_sent_frees_nothing() {
    let mut window = CongestionWindow::new(Micros(0), 60);
    let mut sent = 0;
    for tick in 1..600_u32 {
        if window.request_send(at(tick)) {
            window.on_sent(Tick(tick), 1500, at(tick));
            sent += 1;
        }
        window.on_ack(Tick(u32::MAX), at(tick).0 as u32, at(tick));
    }
    assert!(sent <= STARTUP_SNAPSHOTS, "{sent} snapshots went");
}

#[test]
fn a_stalled_downlink_gets_nothing_while_inputs_come() {
    let mut window = CongestionWindow::new(Micros(0), 60);
    let mut sent_late = 0;
    for tick in 1..900_u32 {
        if window.request_send(at(tick)) {
            window.on_sent(Tick(tick), 1000, at(tick));
            sent_late += u32::from(tick > 308);
        }
        // From tick 300 on nothing arrives.
        let newest = tick.saturating_sub(2).min(300);
        window.on_ack(Tick(newest), at(newest).0 as u32, at(tick));
    }
    assert_eq!(sent_late, 0);
    assert!(window.bytes_in_flight() <= 8_000);
}

#[test]
fn a_silent_client_costs_less_than_a_kilobyte_a_second() {
    let mut window = CongestionWindow::new(Micros(0), 60);
    let mut bytes = 0;
    for tick in 1..=3600_u32 {
        if tick > 60 && window.request_send(at(tick)) {
            window.on_sent(Tick(tick), 2500, at(tick));
            bytes += 2500;
        }
    }
    assert!(bytes < 60_000, "{bytes} bytes in a minute");
    assert!(bytes > 0);
}

#[test]
fn impossible_times_do_no_harm() {
    let mut random = fastrand::Rng::with_seed(1);
    let mut window = CongestionWindow::new(Micros(0), 60);
    for tick in 1..20_000_u32 {
        if window.request_send(at(tick)) {
            window.on_sent(Tick(tick), random.usize(0..5000), at(tick));
        }
        let newest = Tick(tick.saturating_sub(random.u32(0..20)));
        window.on_ack(newest, random.u32(..), Micros(random.u64(0..=at(tick).0)));
        assert!(window.bytes_in_flight() <= MAX_BYTES_IN_FLIGHT + 5000);
        assert!(
            window
                .byte_budget()
                .is_none_or(|budget| budget >= MIN_BUDGET_BYTES)
        );
    }
}
