//! The minimum over a sliding window, in constant memory.
//!
//! In: values, and when they were measured. Out: the minimum of the latest half to whole window: of the half that runs and the
//! one before.

/// `window` is in the unit of the times.
#[derive(Clone, Copy, Debug)]
pub(super) struct WindowedMin {
    window: i64,
    older: i64,
    newer: i64,
    half_began_at: Option<i64>,
}

impl WindowedMin {
    pub fn new(window: i64) -> Self {
        Self {
            window,
            older: i64::MAX,
            newer: i64::MAX,
            half_began_at: None,
        }
    }

    pub fn add(&mut self, value: i64, now: i64) {
        let half_began_at = *self.half_began_at.get_or_insert(now);
        if now - half_began_at >= self.window / 2 {
            self.older = std::mem::replace(&mut self.newer, i64::MAX);
            self.half_began_at = Some(now);
        }
        self.newer = self.newer.min(value);
    }

    /// The minimum; `None` if nothing was added lately.
    pub fn min(&self) -> Option<i64> {
        Some(self.older.min(self.newer)).filter(|min| *min != i64::MAX)
    }
}
