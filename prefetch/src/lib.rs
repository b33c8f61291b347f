//! Asks the processor for memory before it is needed.
//!
//! A server goes through its players several times a tick, and what it keeps of them is larger than the caches near a core:
//! nearly every line is far away when its turn comes, and waiting for one after the other costs more than the work. So while one
//! is in hand, the memory of those that follow is asked for ([`ahead`]): first what lies in the element itself, and when that has
//! come, what it points to. Larger things that follow each other, as rooms do, are asked for step by step: functions named
//! `prefetch(hops)` ask for what lies so many pointers away (0: the thing itself), and are called one after the other, with some
//! microseconds between them for the pointers to come. Only hints: nothing is read, nothing can go wrong, and where the processor knows no such
//! instruction nothing happens. Measured in docs/PERFORMANCE.md.
//!
//! The only crate with `unsafe`, since the instruction has no safe form in the standard library.

/// Bytes that come at once.
const LINE: usize = 64;
/// So many elements ahead the element itself is asked for. Twice and three times as many were slower: what is asked for too
/// early is gone again, and a core waits for only some two dozen lines at a time.
const FAR: usize = 4;
/// So many ahead, what the element points to.
const NEAR: usize = 2;
/// So many lines of a list are its start.
const MOST_LINES: usize = 16;

/// Asks for the memory of those that follow element `index`: `itself` names what lies in the element, `behind` what it points to.
/// After the last one comes the first one.
#[inline]
pub fn ahead<T>(all: &[T], index: usize, itself: impl FnOnce(&T), behind: impl FnOnce(&T)) {
    // Beyond the end it goes on at the start.
    let after = |steps| {
        all.get(index + steps)
            .or_else(|| all.get(index + steps - all.len()))
    };
    if let Some(far) = after(FAR) {
        itself(far);
    }
    if let Some(near) = after(NEAR) {
        behind(near);
    }
}

/// Asks for the first elements, for which [`ahead`] comes too late: what lies in themselves.
#[inline]
pub fn first<T>(all: &[T], itself: impl FnMut(&T)) {
    all.iter().take(FAR).for_each(itself);
}

/// The same for what they point to.
#[inline]
pub fn behind_first<T>(all: &[T], behind: impl FnMut(&T)) {
    all.iter().take(NEAR).for_each(behind);
}

/// Asks for the start of a list: all of one that is small.
#[inline]
pub fn start<T>(all: &[T]) {
    let most = MOST_LINES * LINE / size_of::<T>().max(1);
    near(&all[..all.len().min(most)]);
}

/// Asks for the place where a list's next element will be pushed.
#[inline]
pub fn end<T>(all: &[T]) {
    lines(all.as_ptr().wrapping_add(all.len()).cast(), size_of::<T>());
}

/// Asks for all bytes of a value. Not for what it points to.
#[inline]
pub fn near<T: ?Sized>(value: &T) {
    lines(std::ptr::from_ref(value).cast(), size_of_val(value));
}

#[inline]
fn lines(start: *const u8, length: usize) {
    let mut at = 0;
    while at < length {
        line(start.wrapping_add(at));
        at += LINE;
    }
}

#[inline]
fn line(at: *const u8) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: the instruction is a hint. It reads nothing that the program could see, and does not fault at any address.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(at.cast());
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = at;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    #[test]
    fn the_element_is_asked_for_before_what_it_points_to() {
        let all: Vec<String> = (0..9).map(|number| number.to_string()).collect();
        let asked = RefCell::new(Vec::new());
        for index in 0..all.len() {
            let ask = |what: &str, one: &String| asked.borrow_mut().push(format!("{what} {one}"));
            ahead(
                &all,
                index,
                |one| ask("itself", one),
                |one| ask("behind", one),
            );
        }
        let asked = asked.into_inner();
        let place = |what: &str| asked.iter().position(|one| one == what).unwrap();
        assert!(place("itself 4") < place("behind 4"));
        assert_eq!(asked.len(), 2 * all.len());
        ahead(&[] as &[String], 0, |_| unreachable!(), |_| unreachable!());
    }

    #[test]
    fn any_value_can_be_asked_for() {
        near("");
        near(&[0_u8; 1000][..]);
        near(&());
        near::<dyn std::fmt::Debug>(&[1_u64; 100]);
        start(&[[0_u64; 100]; 3]);
        start(&[(); 9]);
        end(&[1, 2, 3]);
        end(&[] as &[String]);
    }
}
