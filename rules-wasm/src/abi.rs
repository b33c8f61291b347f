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
/// The largest map in bytes that a module takes: half of the memory that modules are built with.
pub const MAX_MAP_BYTES: usize = 512 * 1024;
/// `input` of `tickwire_advance`: nothing is pressed.
pub const INPUT_NEUTRAL: i32 = 0;
/// `input` of `tickwire_advance`: the input was made for this tick.
pub const INPUT_FRESH: i32 = 1;
/// `input` of `tickwire_advance`: the last input, repeated because none came.
pub const INPUT_REPEATED: i32 = 2;
/// The most entries of a module's table: what 1 MiB of code could ever name.
pub const MAX_TABLE_ENTRIES: u32 = 1 << 16;

/// The exported functions: name and signature. A signature is as the binary format writes it: the number of parameters, their
/// types, the number of results, their types.
pub const FUNCTIONS: [(&str, &[u8]); 8] = [
    ("tickwire_abi", &[0, 1, I32]),
    ("tickwire_rules_hash", &[0, 1, I64]),
    ("tickwire_buffer", &[0, 1, I32]),
    ("tickwire_map_buffer", &[1, I32, 1, I32]),
    ("tickwire_start", &[1, I32, 1, I32]),
    ("tickwire_kind", &[1, I32, 1, I32]),
    ("tickwire_reach", &[1, I32, 1, I32]),
    (
        "tickwire_advance",
        &[7, I32, I32, I32, I32, I32, I32, I32, 0],
    ),
];

const I32: u8 = 0x7F;
const I64: u8 = 0x7E;
