//! The exports of a rules module: the bridge between the ABI's numbers and rules in Rust.
//!
//! In: numbers from a host, and the exchange buffer that the host has filled. Out: the buffer with the row one tick later. The
//! only `unsafe` code of the crate is here: the exports are symbols of the whole program, and their state is reached through a
//! static. Nothing is allocated but the map; a number that does not fit leaves the row as it is; a panic of the rules traps.

use crate::abi::{BUFFER_BYTES, INPUT_FRESH, INPUT_NEUTRAL, INPUT_REPEATED, MAX_MAP_BYTES};
use std::cell::UnsafeCell;
use tickwire_rules::{ModuleRules, NearbyRows, RuleContext, RuleInput};
use tickwire_sync::{KindId, Tick};

const BUFFER_WORDS: usize = BUFFER_BYTES / 4;

/// Exports the rules of a type that implements [`ModuleRules`], on wasm32. Stands once, in the crate that becomes the module;
/// `tickwire-rules-build` writes that crate.
#[macro_export]
macro_rules! export_rules {
    ($rules:ty) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            use $crate::export::{Buffer, Module};

            static BUFFER: Buffer = Buffer::new();
            // SAFETY: the module has one memory that no thread shares (`check_shape`), so its host calls one export at a time. The
            // buffer is used here alone.
            static MODULE: Module<$rules> = unsafe { Module::new(&BUFFER) };

            #[unsafe(no_mangle)]
            extern "C" fn tickwire_abi() -> i32 {
                $crate::abi::VERSION
            }

            #[unsafe(no_mangle)]
            extern "C" fn tickwire_rules_hash() -> i64 {
                Module::<$rules>::HASH
            }

            #[unsafe(no_mangle)]
            extern "C" fn tickwire_buffer() -> i32 {
                MODULE.buffer_address()
            }

            #[unsafe(no_mangle)]
            extern "C" fn tickwire_map_buffer(bytes: i32) -> i32 {
                MODULE.reserve_map(bytes)
            }

            #[unsafe(no_mangle)]
            extern "C" fn tickwire_start(bytes: i32) -> i32 {
                MODULE.start(bytes)
            }

            #[unsafe(no_mangle)]
            extern "C" fn tickwire_kind(bytes: i32) -> i32 {
                MODULE.kind(bytes)
            }

            #[unsafe(no_mangle)]
            extern "C" fn tickwire_reach(kind: i32) -> i32 {
                MODULE.reach(kind)
            }

            #[unsafe(no_mangle)]
            extern "C" fn tickwire_advance(
                kind: i32,
                tick: i32,
                lanes: i32,
                private_lanes: i32,
                nearby_words: i32,
                input: i32,
                input_bytes: i32,
            ) {
                MODULE.advance(
                    kind,
                    tick,
                    [lanes, private_lanes, nearby_words],
                    input,
                    input_bytes,
                );
            }
        };
    };
}

/// The exchange buffer. A static of its own: all zeros, it takes no room in the file.
#[derive(Debug)]
pub struct Buffer(UnsafeCell<[i32; BUFFER_WORDS]>);

impl Buffer {
    /// An empty buffer.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "for statics")]
    pub const fn new() -> Self {
        Self(UnsafeCell::new([0; BUFFER_WORDS]))
    }
}

// SAFETY: only the methods of `Module` reach what is inside, and whoever makes one promises that no two threads use it at once.
unsafe impl Sync for Buffer {}

/// The state of a module: its rules, once it was started, the exchange buffer and the map.
#[derive(Debug)]
pub struct Module<R> {
    rules: UnsafeCell<Option<R>>,
    buffer: &'static Buffer,
    map: UnsafeCell<Vec<u8>>,
}

// SAFETY: whoever calls `new` promises that no two threads use the value at once.
unsafe impl<R> Sync for Module<R> {}

impl<R: ModuleRules> Module<R> {
    /// The hash of the rules as the ABI gives it: the same bits.
    pub const HASH: i64 = R::HASH as i64;

    /// A module that is not started.
    ///
    /// # Safety
    /// No two threads use the value at once, no method is called while another one runs, and no other value has the buffer.
    #[must_use]
    pub const unsafe fn new(buffer: &'static Buffer) -> Self {
        Self {
            rules: UnsafeCell::new(None),
            buffer,
            map: UnsafeCell::new(Vec::new()),
        }
    }

    /// `tickwire_buffer`.
    #[must_use]
    pub fn buffer_address(&self) -> i32 {
        address(self.buffer.0.get().cast())
    }

    /// `tickwire_map_buffer`.
    #[must_use]
    pub fn reserve_map(&self, bytes: i32) -> i32 {
        // SAFETY: no other reference to the map lives: see `new`, and no method keeps one.
        let map = unsafe { &mut *self.map.get() };
        match usize::try_from(bytes) {
            Ok(bytes) if bytes <= MAX_MAP_BYTES && map.try_reserve_exact(bytes).is_ok() => {
                // One byte at least, so that the address is one of memory.
                map.resize(bytes.max(1), 0);
                address(map.as_mut_ptr())
            }
            _ => 0,
        }
    }

    /// `tickwire_start`.
    #[must_use]
    pub fn start(&self, bytes: i32) -> i32 {
        // SAFETY: no other reference to the map or the rules lives: see `new`, and no method keeps one.
        let (map, rules) =
            unsafe { (std::mem::take(&mut *self.map.get()), &mut *self.rules.get()) };
        *rules = usize::try_from(bytes)
            .ok()
            .and_then(|bytes| R::new(map.get(..bytes)?));
        rules.is_some().into()
    }

    /// `tickwire_kind`.
    #[must_use]
    pub fn kind(&self, bytes: i32) -> i32 {
        // SAFETY: no reference that can write to the buffer lives: see `new`, and no method keeps one.
        let buffer = unsafe { &*self.buffer.0.get() };
        usize::try_from(bytes)
            .ok()
            .and_then(|bytes| as_bytes(buffer).get(..bytes))
            .and_then(|name| R::kind(std::str::from_utf8(name).ok()?))
            .map_or(-1, |kind| kind.0.into())
    }

    /// `tickwire_reach`.
    #[must_use]
    pub fn reach(&self, kind: i32) -> i32 {
        let kind = u8::try_from(kind).map(KindId);
        (self.rules().zip(kind.ok())).map_or(0, |(rules, kind)| rules.nearby_reach(kind) as i32)
    }

    /// `tickwire_advance`. `words` are the lengths of the public lanes, the private lanes and the rows near by.
    pub fn advance(&self, kind: i32, tick: i32, words: [i32; 3], input: i32, input_bytes: i32) {
        // SAFETY: no other reference to the buffer lives: see `new`, and no method keeps one.
        let buffer = unsafe { &mut *self.buffer.0.get() };
        if let (Some(rules), Ok(kind)) = (self.rules(), u8::try_from(kind)) {
            let moved = advance(rules, buffer, KindId(kind), tick, words, input, input_bytes);
            // Numbers that don't fit leave the row as it is.
            moved.unwrap_or_default();
        }
    }

    fn rules(&self) -> Option<&R> {
        // SAFETY: only `start` writes to the rules, and it does not run meanwhile: see `new`.
        unsafe { (*self.rules.get()).as_ref() }
    }
}

/// Moves the row in the buffer; `None` if the lengths are negative or beyond the buffer, or the kind of input does not exist.
fn advance<R: ModuleRules>(
    rules: &R,
    buffer: &mut [i32],
    kind: KindId,
    tick: i32,
    words: [i32; 3],
    input: i32,
    input_bytes: i32,
) -> Option<()> {
    let [lanes, private_lanes, nearby] = words.map(|count| usize::try_from(count).ok());
    let (lanes, rest) = buffer.split_at_mut_checked(lanes?)?;
    let (private_lanes, rest) = rest.split_at_mut_checked(private_lanes?)?;
    let (nearby, rest) = rest.split_at_checked(nearby?)?;
    let payload = as_bytes(rest).get(..usize::try_from(input_bytes).ok()?)?;
    let input = match input {
        INPUT_NEUTRAL => RuleInput::Neutral,
        INPUT_FRESH => RuleInput::Fresh(payload),
        INPUT_REPEATED => RuleInput::Repeated(payload),
        _ => return None,
    };
    let context = RuleContext {
        tick: Tick(tick as u32),
        input,
        nearby: NearbyRows::from_words(nearby),
    };
    rules.advance(kind, lanes, private_lanes, &context);
    Some(())
}

/// An address as the ABI gives it: 32 bits, as all of wasm32 are.
fn address(pointer: *mut u8) -> i32 {
    pointer as usize as i32
}

fn as_bytes(words: &[i32]) -> &[u8] {
    // SAFETY: every bit pattern is a byte, bytes need no alignment, and the length in bytes is that of the words.
    unsafe { std::slice::from_raw_parts(words.as_ptr().cast(), size_of_val(words)) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tickwire_rules::Rules;

    /// Adds all that it is shown to its first lane.
    struct Sum(i32);

    impl Rules for Sum {
        fn advance(
            &self,
            _: KindId,
            lanes: &mut [i32],
            private_lanes: &mut [i32],
            context: &RuleContext<'_>,
        ) {
            let (RuleInput::Fresh(payload) | RuleInput::Repeated(payload), [first, ..]) =
                (context.input, lanes)
            else {
                return;
            };
            let payload = payload.iter().map(|&byte| i32::from(byte));
            let nearby = context.nearby.words().iter().copied();
            *first = payload
                .chain(nearby)
                .chain(private_lanes.iter().copied())
                .fold(first.wrapping_add(self.0), i32::wrapping_add);
            private_lanes.fill(0);
        }

        fn nearby_reach(&self, _: KindId) -> u32 {
            u32::MAX
        }
    }

    impl ModuleRules for Sum {
        const HASH: u64 = u64::MAX;

        fn new(map: &[u8]) -> Option<Self> {
            Some(Self(i32::from(*map.first()?)))
        }

        fn kind(name: &str) -> Option<KindId> {
            (name == "sum").then_some(KindId(7))
        }
    }

    fn module() -> Module<Sum> {
        // SAFETY: each test uses its own value in one thread.
        unsafe { Module::new(Box::leak(Box::new(Buffer::new()))) }
    }

    fn buffer(module: &mut Module<Sum>) -> &mut [i32; BUFFER_WORDS] {
        // SAFETY: the module is borrowed mutably, so none of its methods runs.
        unsafe { &mut *module.buffer.0.get() }
    }

    fn started() -> Module<Sum> {
        let module = module();
        assert_ne!(module.reserve_map(1), 0);
        assert_eq!(module.start(1), 1);
        module
    }

    #[test]
    fn a_row_is_moved_in_the_buffer() {
        let mut module = started();
        buffer(&mut module)[..4].copy_from_slice(&[1, 20, 300, i32::from_le_bytes([1, 2, 3, 9])]);
        module.advance(7, 1, [1, 1, 1], INPUT_FRESH, 3);
        assert_eq!(buffer(&mut module)[..3], [327, 0, 300]);
        assert_eq!((Module::<Sum>::HASH, module.reach(7)), (-1, -1));
        assert_eq!((module.reach(-1), module.reach(256)), (0, 0));
    }

    #[test]
    fn kinds_are_known_by_their_name() {
        let mut module = started();
        buffer(&mut module)[0] = i32::from_le_bytes(*b"sum\xFF");
        assert_eq!(module.kind(3), 7);
        for bytes in [2, 4, 0, -1, i32::MAX] {
            assert_eq!(module.kind(bytes), -1);
        }
    }

    #[test]
    fn an_unreadable_map_starts_nothing() {
        let module = module();
        assert_eq!(module.start(0), 0);
        assert_eq!(module.reserve_map(-1), 0);
        assert_eq!(module.reserve_map(MAX_MAP_BYTES as i32 + 1), 0);
        assert_ne!(module.reserve_map(0), 0);
        assert_eq!(module.start(2), 0);
        module.advance(7, 1, [1, 0, 0], INPUT_NEUTRAL, 0);
    }

    proptest! {
        #[test]
        fn any_numbers_from_a_host_are_taken(kind: i32, tick: i32, words: [i32; 3], input: i32, input_bytes: i32) {
            started().advance(kind, tick, words, input, input_bytes);
        }

        #[test]
        fn lengths_beyond_the_buffer_leave_the_row(
            words in prop::array::uniform3(-1..BUFFER_WORDS as i32 + 2),
            input in -1..4,
            input_bytes in -1..BUFFER_BYTES as i32 + 2,
        ) {
            let mut module = started();
            buffer(&mut module).fill(1);
            module.advance(7, 1, words, input, input_bytes);
            let fits = words.iter().all(|&count| count >= 0) && input_bytes >= 0
                && words.map(i64::from).iter().sum::<i64>() * 4 + i64::from(input_bytes) <= BUFFER_BYTES as i64;
            let moves = fits && words[0] > 0 && (input == INPUT_FRESH || input == INPUT_REPEATED);
            prop_assert_eq!(buffer(&mut module)[0] != 1, moves);
        }
    }
}
