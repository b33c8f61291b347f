//! Least values of the latest time, in constant memory: of the half span that runs and the one before.
//!
//! In: values, and when they were measured. Out: the least of the latest half to whole span.

use crate::path::Sent;

/// For how long a least delay counts.
const LEAST_DELAY_SPAN: i64 = 10_000_000;

/// The least delay of the last 5 to 10 s, with the bytes of the snapshot that had it.
///
/// A snapshot that was sent while no other was on its way meets no queue of ours: if three in a row show more, then the
/// path itself has become longer, or others fill it, and waiting would only give our share to them.
#[derive(Clone, Debug)]
pub(crate) struct LeastDelay {
    older: (i64, u32),
    newer: (i64, u32),
    since: i64,
    alone: (i64, u32),
    alone_count: u32,
}

impl Default for LeastDelay {
    fn default() -> Self {
        Self {
            older: (i64::MAX, 0),
            newer: (i64::MAX, 0),
            since: 0,
            alone: (i64::MAX, 0),
            alone_count: 0,
        }
    }
}

impl LeastDelay {
    const ALONE_IN_A_ROW: u32 = 3;

    /// The least delay, and the bytes of the snapshot that had it.
    pub fn get(&self) -> (i64, u32) {
        self.older.min(self.newer)
    }

    /// Takes a delay. `is_fresh_start`: the path was run empty for it. Gives by how much the least is more than it was, where
    /// what was the least before counts no more.
    pub fn add(&mut self, delay: i64, sent: &Sent, is_fresh_start: bool) -> Option<i64> {
        let (before, _) = self.get();
        let sample = (delay, sent.bytes);
        if sent.at - self.since >= LEAST_DELAY_SPAN / 2 {
            self.older = std::mem::replace(&mut self.newer, (i64::MAX, 0));
            self.since = sent.at;
        }
        self.newer = self.newer.min(sample);
        if !sent.alone {
            self.alone_count = 0;
            return None;
        }
        self.alone = if self.alone_count == 0 {
            sample
        } else {
            self.alone.min(sample)
        };
        self.alone_count += 1;
        let counts = self.alone_count >= Self::ALONE_IN_A_ROW || is_fresh_start;
        if counts {
            (self.older, self.newer) = (self.alone, self.alone);
            self.alone_count = 0;
        }
        counts.then(|| self.alone.0.saturating_sub(before))
    }
}

/// The least value of the latest half to whole span.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LeastOf {
    span: i64,
    older: i64,
    newer: i64,
    since: Option<i64>,
}

impl LeastOf {
    pub fn new(span: i64) -> Self {
        Self {
            span,
            older: i64::MAX,
            newer: i64::MAX,
            since: None,
        }
    }

    pub fn add(&mut self, value: i64, now: i64) {
        let since = *self.since.get_or_insert(now);
        if now - since >= self.span / 2 {
            self.older = std::mem::replace(&mut self.newer, i64::MAX);
            self.since = Some(now);
        }
        self.newer = self.newer.min(value);
    }

    /// `None`: there is none.
    pub fn least(&self) -> Option<i64> {
        Some(self.older.min(self.newer)).filter(|least| *least != i64::MAX)
    }
}
