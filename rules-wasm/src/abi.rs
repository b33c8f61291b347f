//! The numbers of the ABI between a rules module and its hosts.

/// The version that `tickwire_abi` gives.
pub const VERSION: i32 = 1;
/// The size of the exchange buffer in bytes: a row, [`tickwire_rules::MAX_NEARBY_ROWS`] rows near by, and an input, all of the
/// largest size.
pub const BUFFER_BYTES: usize = 16 * 1024;
/// The most pages of 64 KiB that a module's memory may declare as its maximum: 16 MiB. Modules are built with 1 MiB.
pub const MAX_MEMORY_PAGES: u32 = 256;
/// The largest module in bytes.
pub const MAX_MODULE_BYTES: usize = 1 << 20;
/// `input` of `tickwire_advance`: nothing is pressed.
pub const INPUT_NEUTRAL: i32 = 0;
/// `input` of `tickwire_advance`: the input was made for this tick.
pub const INPUT_FRESH: i32 = 1;
/// `input` of `tickwire_advance`: the last input, repeated because none came.
pub const INPUT_REPEATED: i32 = 2;
