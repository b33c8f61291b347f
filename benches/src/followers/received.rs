//! What one follower has received: counted by the follower, read by the measurement.

use std::cell::Cell;

/// The counters of a follower. Bytes are those of HTTP or WebSocket with their headers, without TCP's.
#[derive(Debug, Default)]
pub struct Received {
    tick: Cell<u32>,
    updates: Cell<u64>,
    bytes_down: Cell<u64>,
    bytes_up: Cell<u64>,
}

/// The sums of some followers' counters at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sums {
    /// States of a newer tick.
    pub updates: u64,
    /// Bytes from the server.
    pub bytes_down: u64,
    /// Bytes to the server.
    pub bytes_up: u64,
}

impl Received {
    /// The follower has the state of this tick; counted if the tick is newer than all before.
    pub fn state(&self, tick: u32) {
        if tick > self.tick.get() {
            self.tick.set(tick);
            self.updates.set(self.updates.get() + 1);
        }
    }

    /// Counts bytes from the server.
    pub fn down(&self, bytes: usize) {
        self.bytes_down.set(self.bytes_down.get() + bytes as u64);
    }

    /// Counts bytes to the server.
    pub fn up(&self, bytes: usize) {
        self.bytes_up.set(self.bytes_up.get() + bytes as u64);
    }

    /// The newest tick that the follower has; 0: none.
    #[must_use]
    pub fn tick(&self) -> u32 {
        self.tick.get()
    }
}

impl Sums {
    /// The sums of `followers`.
    pub fn of<'a>(followers: impl IntoIterator<Item = &'a Received>) -> Self {
        let none = Self::default();
        followers.into_iter().fold(none, |sums, one| Self {
            updates: sums.updates + one.updates.get(),
            bytes_down: sums.bytes_down + one.bytes_down.get(),
            bytes_up: sums.bytes_up + one.bytes_up.get(),
        })
    }

    /// How much the sums have grown since `before`.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        Self {
            updates: self.updates - before.updates,
            bytes_down: self.bytes_down - before.bytes_down,
            bytes_up: self.bytes_up - before.bytes_up,
        }
    }
}
