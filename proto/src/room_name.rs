//! The rule of a room's name.

/// Longest room name, in bytes.
pub const MAX_ROOM_NAME_BYTES: usize = 32;

/// Whether `name` can name a room: 1 to [`MAX_ROOM_NAME_BYTES`] of `A-Z a-z 0-9 _ -`.
#[must_use]
pub fn is_room_name(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    (1..=MAX_ROOM_NAME_BYTES).contains(&name.len()) && name.bytes().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_name_is_1_to_32_letters_digits_and_dashes() {
        let longest = "a".repeat(MAX_ROOM_NAME_BYTES);
        for name in ["a", "Main_room-2", &longest] {
            assert!(is_room_name(name), "{name:?}");
        }
        let too_long = "a".repeat(MAX_ROOM_NAME_BYTES + 1);
        for name in ["", "no such", "a/b", "caf\u{e9}", &too_long] {
            assert!(!is_room_name(name), "{name:?}");
        }
    }
}
