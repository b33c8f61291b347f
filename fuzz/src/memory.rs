//! Bounds for memory: what strangers send must not make the program reserve much more than they have sent.

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, Stats};

/// What was allocated while a function ran, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Allocated {
    /// In all, whether freed or not.
    pub total: usize,
    /// Not freed when the function ended; 0 if more was freed.
    pub kept: usize,
}

/// Runs a function, and measures what it allocates. Other threads are measured too.
pub fn measure<R>(run: impl FnOnce() -> R) -> (R, Allocated) {
    let region = Region::new(&INSTRUMENTED_SYSTEM);
    let result = run();
    let Stats {
        bytes_allocated,
        bytes_deallocated,
        ..
    } = region.change();
    let allocated = Allocated {
        total: bytes_allocated,
        kept: bytes_allocated.saturating_sub(bytes_deallocated),
    };
    (result, allocated)
}
