//! Runs seeds: one after the other, or many on all cores.

use crate::failure::Failure;
use crate::settings::Settings;
use crate::world::{Outcome, World};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use tickwire_sync::{Micros, Tick};

/// The sum over many runs.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Runs without a failure.
    pub passed: u64,
    /// The sums of their outcomes; the hash is that of all of them together.
    pub total: Outcome,
    /// The failures, by seed.
    pub failures: Vec<Failure>,
}

impl Summary {
    fn add(&mut self, outcome: &Outcome) {
        let total = &mut self.total;
        self.passed += 1;
        total.client_ticks += outcome.client_ticks;
        total.ticks += outcome.ticks;
        total.snapshots += outcome.snapshots;
        total.parts.add(&outcome.parts);
        total.inputs += outcome.inputs;
        total.letters += outcome.letters;
        total.events += outcome.events;
        total.faults += outcome.faults;
        total.sessions += outcome.sessions;
        total.resumes += outcome.resumes;
        total.restored_rooms += outcome.restored_rooms;
        total.healed += outcome.healed;
        total.messages += outcome.messages;
        // In any order of the seeds.
        total.traffic_hash = total.traffic_hash.wrapping_add(outcome.traffic_hash);
    }
}

/// Runs one seed.
///
/// # Errors
/// The promise that was broken. A panic is one too.
pub fn run_seed(settings: Settings) -> Result<Outcome, Box<Failure>> {
    let ran = catch_unwind(AssertUnwindSafe(|| World::new(settings).run()));
    ran.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(Box::new(Failure {
            settings,
            invariant: "nothing_panics",
            tick: Tick(0),
            at: Micros(0),
            session: None,
            peer: None,
            message: text.unwrap_or("a panic without a text").to_owned(),
            trace: Vec::new(),
        }))
    })
}

/// Runs seeds from `first.seed` on, on so many threads, and stops after the first failure. With `most_client_ticks`, no further seed is
/// begun once so many are made.
pub fn run_seeds(
    first: Settings,
    seeds: u64,
    threads: usize,
    most_client_ticks: Option<u64>,
) -> Summary {
    let summary = Mutex::new(Summary::default());
    let next = AtomicU64::new(0);
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= seeds {
                        return;
                    }
                    let seed = first.seed.wrapping_add(number);
                    let ran = run_seed(Settings { seed, ..first });
                    let mut summary = summary.lock().unwrap_or_else(PoisonError::into_inner);
                    match ran {
                        Ok(outcome) => summary.add(&outcome),
                        Err(failure) => {
                            summary.failures.push(*failure);
                            is_over.store(true, Ordering::Relaxed);
                        }
                    }
                    if most_client_ticks.is_some_and(|most| summary.total.client_ticks >= most) {
                        is_over.store(true, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    summary.into_inner().unwrap_or_else(PoisonError::into_inner)
}
