//! The simulator in the test command: fixed seeds, one of the day, and the same seed twice.
#![allow(clippy::unwrap_used, reason = "a test that unwraps nothing has failed")]

use std::time::{SystemTime, UNIX_EPOCH};
use tickwire_sim::{Settings, Summary, run_seed, run_seeds};

/// Some 70 s of a room at 60 Hz: a storm, and the calm after it.
const TICKS: u32 = 3_600;

fn run(seed: u64, seeds: u64, clients: usize) -> Summary {
    let first = Settings {
        seed,
        ticks: TICKS,
        clients,
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let summary = run_seeds(first, seeds, threads, None);
    if let Some(failure) = summary.failures.first() {
        panic!("\n{failure}");
    }
    summary
}

#[test]
fn every_promise_holds_under_the_fixed_seeds() {
    let summary = run(1, 16, 8);
    let total = summary.total;
    println!("{total:?}");
    // A simulator in which nothing happens would find nothing.
    assert!(
        total.client_ticks > 100_000 && total.healed > 10,
        "{total:?}"
    );
    assert!(total.resumes > 100 && total.faults > 1_000, "{total:?}");
    assert!(total.letters > 10_000 && total.events > 5_000, "{total:?}");
    assert!(total.restored_rooms > 3, "{total:?}");
    // Crowded cells went in parts, were whole again, and rows came, went and moved between cells meanwhile.
    let parts = total.parts;
    assert!(
        parts.parted_global > 20 && parts.parted_square > 5 && parts.made_whole > 15,
        "{parts:?}"
    );
    assert!(parts.apart > 1_000, "{parts:?}");
    assert!(
        parts.came > 1_000 && parts.went > 1_000 && parts.moved > 1_000,
        "{parts:?}"
    );
}

#[test]
fn every_promise_holds_under_the_seed_of_the_day() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let day = now.as_secs() / 86_400;
    println!("seed of the day: {day}");
    run(day, 1, 8);
}

#[test]
fn the_same_seed_gives_the_same_traffic() {
    for seed in [4, 12] {
        let settings = Settings {
            seed,
            ticks: 1_200,
            clients: 5,
        };
        let [one, other] = [(); 2].map(|()| {
            // A thread of its own has buffers of its own.
            let run = std::thread::spawn(move || run_seed(settings));
            run.join().unwrap().unwrap()
        });
        assert_eq!(one, other);
        assert!(one.messages > 5_000, "{one:?}");
    }
}
