//! Validates UTF-8 while it arrives, in pieces cut anywhere.
//!
//! In: bytes. Out: an error at the first piece that no continuation could make valid. RFC 6455, section 8.1 allows failing that
//! early, and conformance suites prefer it. At most three bytes are kept (an incomplete character); the text is never copied.

/// Validates one text after the other.
#[derive(Debug, Default)]
pub struct Utf8Validator {
    /// The bytes of an incomplete character at the end of the last piece.
    partial: [u8; 4],
    partial_len: usize,
}

/// The bytes are not UTF-8, whatever may follow them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidUtf8;

impl Utf8Validator {
    /// Validates the next piece.
    ///
    /// # Errors
    /// If the text so far cannot be the beginning of a valid one.
    pub fn push(&mut self, mut piece: &[u8]) -> Result<(), InvalidUtf8> {
        while self.partial_len > 0 {
            let Some((&byte, rest)) = piece.split_first() else {
                return Ok(());
            };
            // An incomplete character has at most three bytes; a fourth completes it or is an error.
            self.partial[self.partial_len] = byte;
            self.partial_len += 1;
            piece = rest;
            match std::str::from_utf8(&self.partial[..self.partial_len]) {
                Ok(_) => self.partial_len = 0,
                Err(error) if error.error_len().is_some() => return Err(InvalidUtf8),
                Err(_) => {}
            }
        }
        match std::str::from_utf8(piece) {
            Ok(_) => Ok(()),
            Err(error) if error.error_len().is_some() => Err(InvalidUtf8),
            Err(error) => {
                let partial = &piece[error.valid_up_to()..];
                self.partial[..partial.len()].copy_from_slice(partial);
                self.partial_len = partial.len();
                Ok(())
            }
        }
    }

    /// Ends the text, and begins the next one.
    ///
    /// # Errors
    /// If the text ended inside a character.
    pub fn finish(&mut self) -> Result<(), InvalidUtf8> {
        match std::mem::take(&mut self.partial_len) {
            0 => Ok(()),
            _ => Err(InvalidUtf8),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_error_shows_at_the_first_hopeless_byte() {
        let mut utf8 = Utf8Validator::default();
        // After "κόσμε", 0xF4 0x90 is beyond U+10FFFF, which its second byte shows.
        assert_eq!(utf8.push("κόσμε".as_bytes()), Ok(()));
        assert_eq!(utf8.push(&[0xF4]), Ok(()));
        assert_eq!(utf8.push(&[0x90]), Err(InvalidUtf8));
    }

    #[test]
    fn an_incomplete_character_is_an_error_only_at_the_end() {
        let mut utf8 = Utf8Validator::default();
        assert_eq!(utf8.push(&[0xE2, 0x82]), Ok(()));
        assert_eq!(utf8.finish(), Err(InvalidUtf8));
        assert_eq!(utf8.finish(), Ok(()));
    }

    proptest! {
        #[test]
        fn any_cuts_give_the_result_for_the_whole_text(
            bytes in prop_oneof![
                any::<String>().prop_map(String::into_bytes),
                proptest::collection::vec(any::<u8>(), 0..24),
            ],
            cut in 1usize..6,
        ) {
            let mut utf8 = Utf8Validator::default();
            let pieces = bytes.chunks(cut).try_for_each(|piece| utf8.push(piece));
            let whole = pieces.and_then(|()| utf8.finish());
            prop_assert_eq!(whole.is_ok(), std::str::from_utf8(&bytes).is_ok());
        }
    }
}
