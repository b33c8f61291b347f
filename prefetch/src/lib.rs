//! Prefetch: hints to the processor to fetch memory before it is needed.
//!
//! A worker goes through its players several times per tick, and what it keeps of them is larger than the caches of a core. Nearly
//! every cache line would be a miss, and waiting for the misses one after the other costs more than the work. So while one
//! player is handled, [`ahead`] fetches the memory of those that follow. A hint reads nothing and cannot fail. Where the processor
//! has no such instruction, nothing happens. docs/decisions/2026-11-29-prefetch-per-player.md has the measurement.
//!
//! This crate has `unsafe`, because the standard library has no safe form of the instruction.

/// The size of a cache line, in bytes.
const CACHE_LINE: usize = 64;
/// How many elements ahead an element itself is fetched. Twice and three times as many were slower: what is fetched too early
/// has left the cache again, and a core waits for only some two dozen lines at a time.
const ELEMENT_DISTANCE: usize = 4;
/// How many elements ahead the memory is fetched that an element points to.
const POINTEE_DISTANCE: usize = 2;

/// Prefetches for the elements that follow `index`: calls `element` to fetch the memory of an element, and, closer to its turn,
/// `pointees` to fetch what the element points to. The first element follows the last.
#[inline]
pub fn ahead<T>(elements: &[T], index: usize, element: impl FnOnce(&T), pointees: impl FnOnce(&T)) {
    let following = |distance| {
        let index = index + distance;
        elements
            .get(index)
            .or_else(|| elements.get(index - elements.len()))
    };
    if let Some(following) = following(ELEMENT_DISTANCE) {
        element(following);
    }
    if let Some(following) = following(POINTEE_DISTANCE) {
        pointees(following);
    }
}

/// Prefetches all bytes of a value, but not what it points to.
#[inline]
pub fn value<T: ?Sized>(value: &T) {
    lines(std::ptr::from_ref(value).cast(), size_of_val(value));
}

/// Prefetches the place where the next element of a list will be pushed.
#[inline]
pub fn next_place<T>(list: &[T]) {
    lines(
        list.as_ptr().wrapping_add(list.len()).cast(),
        size_of::<T>(),
    );
}

#[inline]
fn lines(start: *const u8, length: usize) {
    for offset in (0..length).step_by(CACHE_LINE) {
        line(start.wrapping_add(offset));
    }
}

#[inline]
fn line(address: *const u8) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: the instruction is a hint. It reads nothing that the program could see, and does not fault at any address.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(address.cast());
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = address;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    #[test]
    fn an_element_is_fetched_before_what_it_points_to() {
        let elements: Vec<String> = (0..9).map(|number| number.to_string()).collect();
        let fetched = RefCell::new(Vec::new());
        for index in 0..elements.len() {
            let fetch = |what: &str, element: &String| {
                fetched.borrow_mut().push(format!("{what} {element}"));
            };
            ahead(
                &elements,
                index,
                |element| fetch("element", element),
                |element| fetch("pointees", element),
            );
        }
        let fetched = fetched.into_inner();
        let position = |what: &str| fetched.iter().position(|one| one == what).unwrap();
        assert!(position("element 4") < position("pointees 4"));
        assert_eq!(fetched.len(), 2 * elements.len());
        ahead(&[] as &[String], 0, |_| unreachable!(), |_| unreachable!());
    }

    #[test]
    fn any_value_can_be_prefetched() {
        value("");
        value(&[0_u8; 1000][..]);
        value(&());
        value::<dyn std::fmt::Debug>(&[1_u64; 100]);
        next_place(&[1, 2, 3]);
        next_place(&[] as &[String]);
    }
}
