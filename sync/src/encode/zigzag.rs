//! Zigzag: maps signed integers to unsigned ones so that small magnitudes become small numbers (protobuf's `sint32`).

/// 0, -1, 1, -2, 2 become 0, 1, 2, 3, 4.
pub(crate) fn zigzag(value: i32) -> u32 {
    (value.wrapping_shl(1) ^ (value >> 31)) as u32
}

/// The inverse of [`zigzag`].
pub(crate) fn unzigzag(value: u32) -> i32 {
    (value >> 1) as i32 ^ -((value & 1) as i32)
}
