//! Rules of a game as a small WebAssembly module, which travels with the room: every client runs the very rules of the server.
//!
//! A module has no imports, no start function, and a memory with a declared maximum. It exports a plain ABI of numbers (version
//! [`abi::VERSION`]), so that hosts in any language can run it:
//!
//! | export | signature | meaning |
//! |---|---|---|
//! | `memory` | memory | one memory, with a maximum of at most [`abi::MAX_MEMORY_PAGES`] |
//! | `tickwire_abi` | `() -> i32` | the ABI's version |
//! | `tickwire_rules_hash` | `() -> i64` | the hash of the rules, equal to `Welcome.rules_hash` |
//! | `tickwire_buffer` | `() -> i32` | the address of the exchange buffer: [`abi::BUFFER_BYTES`], aligned to 4 |
//! | `tickwire_map_buffer` | `(bytes: i32) -> i32` | reserves memory for the map and gives its address; 0: too large |
//! | `tickwire_start` | `(bytes: i32) -> i32` | takes the map of that many bytes from the map buffer; 1: ready, 0: unreadable. Called once, before all below |
//! | `tickwire_kind` | `(bytes: i32) -> i32` | the module's own number of the kind whose name (UTF-8) is in the exchange buffer; -1: the rules neither move such rows nor look at them |
//! | `tickwire_reach` | `(kind: i32) -> i32` | how far the rules of that kind look for other rows, in lane units (as unsigned); 0: they don't |
//! | `tickwire_advance` | `(kind: i32, tick: i32, lanes: i32, private_lanes: i32, nearby_words: i32, input: i32, input_bytes: i32)` | moves the row in the exchange buffer by one tick |
//!
//! `kind` is the module's own number, also of the rows near by. The buffer of `tickwire_advance` holds, one after the other, all integers as little-endian
//! 32-bit words: the public lanes, the private lanes (both are replaced by the result), the words of the rows near by
//! ([`tickwire_rules::NearbyRows`]), then the input's bytes. `input` is [`abi::INPUT_NEUTRAL`], [`abi::INPUT_FRESH`] or
//! [`abi::INPUT_REPEATED`]. A module that knows other numbers of lanes than the call has leaves the row as it is.

#![deny(unsafe_code)]

pub mod abi;
#[cfg(feature = "host")]
mod compare;
#[doc(hidden)]
#[allow(
    unsafe_code,
    reason = "symbols of the whole program, and state that they reach through a static"
)]
pub mod export;
#[cfg(feature = "host")]
mod host;
#[cfg(feature = "host")]
mod instance;
mod shape;

#[cfg(feature = "host")]
pub use {
    compare::{Difference, assert_module_equals_native, compare},
    host::WasmRules,
    instance::{FUEL_PER_CALL, LoadError},
};

pub use shape::{ShapeError, check_shape};
