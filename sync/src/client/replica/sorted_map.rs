//! A map that is one list, sorted by key.
//!
//! In: keys and values. Out: the value of a key, or all of them by ascending keys. A view has at most some hundred cells, so it is as
//! quick as a tree. It is also a small part of a tree's code, of which every browser loads each byte.

/// Values by key.
#[derive(Clone, Debug)]
pub(super) struct SortedMap<K, V> {
    entries: Vec<(K, V)>,
}

impl<K, V> Default for SortedMap<K, V> {
    fn default() -> Self {
        let entries = Vec::new();
        Self { entries }
    }
}

impl<K: Ord + Copy, V> SortedMap<K, V> {
    pub fn clear(&mut self) {
        self.entries.clear();
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn get(&self, key: K) -> Option<&V> {
        let position = self.position(key).ok()?;
        Some(&self.entries[position].1)
    }

    pub fn get_mut(&mut self, key: K) -> Option<&mut V> {
        let position = self.position(key).ok()?;
        Some(&mut self.entries[position].1)
    }

    /// Sets the value of a key. Returns the one that it had.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self.position(key) {
            Ok(position) => Some(std::mem::replace(&mut self.entries[position].1, value)),
            Err(position) => {
                self.entries.insert(position, (key, value));
                None
            }
        }
    }

    pub fn remove(&mut self, key: K) -> Option<V> {
        let position = self.position(key).ok()?;
        Some(self.entries.remove(position).1)
    }

    pub fn retain(&mut self, mut is_kept: impl FnMut(K, &V) -> bool) {
        self.entries.retain(|(key, value)| is_kept(*key, value));
    }

    pub fn iter(&self) -> impl Iterator<Item = (K, &V)> {
        self.entries.iter().map(|(key, value)| (*key, value))
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = (K, &mut V)> {
        self.entries.iter_mut().map(|(key, value)| (*key, value))
    }

    pub fn keys(&self) -> impl Iterator<Item = K> {
        self.entries.iter().map(|(key, _)| *key)
    }

    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.entries.iter().map(|(_, value)| value)
    }

    /// From `key` on, or from the next larger one.
    pub fn from(&self, key: K) -> impl Iterator<Item = (K, &V)> {
        let (Ok(first) | Err(first)) = self.position(key);
        let entries = self.entries[first..].iter();
        entries.map(|(key, value)| (*key, value))
    }

    /// Where a key is, or where it would be inserted.
    fn position(&self, key: K) -> Result<usize, usize> {
        self.entries.binary_search_by_key(&key, |(key, _)| *key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn it_is_the_same_as_a_tree(steps: Vec<(u8, Option<u32>)>, from: u8) {
            let (mut map, mut tree) = (SortedMap::default(), BTreeMap::new());
            for (key, value) in steps {
                match value {
                    Some(value) => prop_assert_eq!(map.insert(key, value), tree.insert(key, value)),
                    None => prop_assert_eq!(map.remove(key), tree.remove(&key)),
                }
                prop_assert_eq!(map.get(key), tree.get(&key));
            }
            map.retain(|key, value| value % 3 != u32::from(key % 3));
            tree.retain(|key, value| *value % 3 != u32::from(key % 3));
            prop_assert!(map.iter().eq(tree.iter().map(|(key, value)| (*key, value))));
            prop_assert!(map.keys().eq(tree.keys().copied()));
            prop_assert!(map.values().eq(tree.values()));
            prop_assert!(map.from(from).eq(tree.range(from..).map(|(key, value)| (*key, value))));
        }
    }
}
