//! The latest few of something, in a place of fixed size.

/// The latest `N` of something.
#[derive(Clone, Debug)]
pub(crate) struct Ring<T, const N: usize> {
    /// Apart from what owns the ring: of all this only one place is touched at a time.
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
    pub fn push(&mut self, value: T) {
        const { assert!(N < 256) };
        self.slots[usize::from(self.next)] = value;
        self.next = ((usize::from(self.next) + 1) % N) as u8;
        self.count = (self.count + 1).min(N as u8);
    }

    /// The number of those that are kept.
    pub fn len(&self) -> usize {
        self.count.into()
    }

    /// The newest, and the place of the next one, soon to be written; see `tickwire_prefetch`.
    pub fn prefetch(&self) {
        let next = usize::from(self.next);
        tickwire_prefetch::near(&self.slots[next]);
        tickwire_prefetch::near(&self.slots[(next + N - 1) % N]);
    }

    pub fn clear(&mut self) {
        self.count = 0;
    }

    pub fn newest(&self) -> Option<T> {
        self.newest_first().next().copied()
    }

    pub fn newest_first(&self) -> impl Iterator<Item = &T> {
        let next = usize::from(self.next);
        (1..=usize::from(self.count)).map(move |back| &self.slots[(next + N - back) % N])
    }
}
