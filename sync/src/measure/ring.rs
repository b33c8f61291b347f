//! A ring of the latest few values, in memory of fixed size.

/// The latest `N` values.
#[derive(Clone, Debug)]
pub(crate) struct Ring<T, const N: usize> {
    /// Boxed: only one slot is touched at a time, so the ring would separate its owner's fields that are used together.
    slots: Box<[T; N]>,
    next: u8,
    count: u8,
}

impl<T: Copy + Default, const N: usize> Default for Ring<T, N> {
    fn default() -> Self {
        Self {
            slots: Box::new([T::default(); N]),
            next: 0,
            count: 0,
        }
    }
}

impl<T: Copy, const N: usize> Ring<T, N> {
    /// Adds a value, in place of the oldest where the ring is full.
    pub fn push(&mut self, value: T) {
        const { assert!(N < 256) };
        self.slots[usize::from(self.next)] = value;
        self.next = ((usize::from(self.next) + 1) % N) as u8;
        self.count = (self.count + 1).min(N as u8);
    }

    /// Prefetches the newest value, and the place of the next one.
    pub fn prefetch(&self) {
        let next = usize::from(self.next);
        tickwire_prefetch::value(&self.slots[next]);
        tickwire_prefetch::value(&self.slots[(next + N - 1) % N]);
    }

    /// How many values are held.
    pub fn len(&self) -> usize {
        self.count.into()
    }

    /// Forgets all values.
    pub fn clear(&mut self) {
        self.count = 0;
    }

    /// The value added last.
    pub fn newest(&self) -> Option<T> {
        self.newest_first().next().copied()
    }

    /// All values, the newest first.
    pub fn newest_first(&self) -> impl Iterator<Item = &T> {
        let next = usize::from(self.next);
        (1..=usize::from(self.count)).map(move |back| &self.slots[(next + N - back) % N])
    }
}
