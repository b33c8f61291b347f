//! Runs the cells of the matrix on several threads. Each cell is a world of its own, so the order does not matter.

use super::cell::{Cell, FORGED_TICKS, Forgery, HELD_TICKS, LINES, POLICIES};
use super::outcome::Outcome;
use super::world::World;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use tickwire_sync::Micros;
use tickwire_sync::bench_policies::ViewPolicy;

/// Game time before counting.
const SETTLE: Micros = Micros::from_millis(6_000);

/// Settings of all cells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Settings {
    /// Duelling bots.
    pub bots: u32,
    /// Game time that is counted.
    pub length: Micros,
    /// How often per tick the server reads its sockets; 0: it has each message at once.
    pub reads_per_tick: u32,
    /// The first seed.
    pub seed: u64,
    /// How many seeds to run; a cell's figures are over all of them.
    pub seeds: u64,
}

/// A cell and its outcome.
pub type Done = (Cell, Outcome);

/// The cells of the table: every line under every policy, then forgers on every line, under the clamping policy and under trust.
#[must_use]
pub fn cells(settings: Settings) -> Vec<Cell> {
    let cell = |line, policy, forgery| Cell {
        line,
        policy,
        forgery,
        bots: settings.bots,
        settle: SETTLE,
        length: settings.length,
        reads_per_tick: settings.reads_per_tick,
        ticks_together: 1,
        seed: settings.seed,
    };
    let honest = LINES
        .into_iter()
        .flat_map(|line| POLICIES.map(|policy| cell(line, policy, Forgery::None)));
    let forgers = LINES.into_iter().flat_map(|line| {
        [ViewPolicy::Clamped, ViewPolicy::TrustClaim]
            .into_iter()
            .flat_map(move |policy| {
                [
                    Forgery::Claims(FORGED_TICKS),
                    Forgery::Hindsight(FORGED_TICKS),
                    Forgery::HeldLine(HELD_TICKS),
                ]
                .map(|forgery| (line, policy, forgery))
            })
    });
    honest
        .chain(forgers.map(|(line, policy, forgery)| cell(line, policy, forgery)))
        .collect()
}

/// Runs all cells under each seed, and calls `note` for each finished cell.
pub fn run(cells: Vec<Cell>, seeds: u64, threads: usize, note: impl Fn(&Cell) + Sync) -> Vec<Done> {
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<Option<Outcome>>> = Mutex::new(vec![None; cells.len()]);
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                while let Some(cell) = cells.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let mut outcome = World::new(cell).run();
                    for more in 1..seeds.max(1) {
                        let seed = cell.seed + more;
                        let cell = Cell {
                            seed,
                            ..cell.clone()
                        };
                        outcome.add(World::new(&cell).run());
                    }
                    note(cell);
                    let index = cells.iter().position(|other| std::ptr::eq(other, cell));
                    let mut done = done
                        .lock()
                        .unwrap_or_else(std::sync::PoisonError::into_inner);
                    if let Some(place) = index.and_then(|index| done.get_mut(index)) {
                        *place = Some(outcome);
                    }
                }
            });
        }
    });
    let outcomes = done
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    cells
        .into_iter()
        .zip(outcomes.into_iter().map(Option::unwrap_or_default))
        .collect()
}
