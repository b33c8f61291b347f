//! UTF-8 checked while it arrives, in pieces cut anywhere.
//!
//! Bytes come in, and an error goes out at the first piece that no continuation could make valid:
//! RFC 6455 section 8.1 allows failing that early, and the conformance suites prefer it. At most
//! three bytes are kept (the begun character); the text itself is never copied.

/// What has been seen of a text so far.
#[derive(Debug, Default)]
pub struct Utf8 {
    begun: [u8; 4],
    begun_len: usize,
}

/// The bytes are no UTF-8, and can't become it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidUtf8;

impl Utf8 {
    /// Takes the next piece.
    ///
    /// # Errors
    /// If the text up to here can't be the beginning of a valid one.
    pub fn push(&mut self, mut piece: &[u8]) -> Result<(), InvalidUtf8> {
        while self.begun_len > 0 {
            let Some((&byte, rest)) = piece.split_first() else {
                return Ok(());
            };
            // A begun character has at most 3 bytes: with 4 it is complete or an error.
            self.begun[self.begun_len] = byte;
            self.begun_len += 1;
            piece = rest;
            match std::str::from_utf8(&self.begun[..self.begun_len]) {
                Ok(_) => self.begun_len = 0,
                Err(error) if error.error_len().is_some() => return Err(InvalidUtf8),
                Err(_) => {}
            }
        }
        match std::str::from_utf8(piece) {
            Ok(_) => Ok(()),
            Err(error) if error.error_len().is_some() => Err(InvalidUtf8),
            Err(error) => {
                let begun = &piece[error.valid_up_to()..];
                self.begun[..begun.len()].copy_from_slice(begun);
                self.begun_len = begun.len();
                Ok(())
            }
        }
    }

    /// Ends the text, and begins the next one.
    ///
    /// # Errors
    /// If it ended inside a character.
    pub fn finish(&mut self) -> Result<(), InvalidUtf8> {
        match std::mem::take(&mut self.begun_len) {
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
    fn fails_at_the_first_byte_that_cannot_be_saved() {
        let mut utf8 = Utf8::default();
        // "κόσμε" and then 0xF4 0x90: beyond U+10FFFF, known at its second byte.
        assert_eq!(utf8.push("κόσμε".as_bytes()), Ok(()));
        assert_eq!(utf8.push(&[0xF4]), Ok(()));
        assert_eq!(utf8.push(&[0x90]), Err(InvalidUtf8));
    }

    #[test]
    fn an_unfinished_character_is_an_error_only_at_the_end() {
        let mut utf8 = Utf8::default();
        assert_eq!(utf8.push(&[0xE2, 0x82]), Ok(()));
        assert_eq!(utf8.finish(), Err(InvalidUtf8));
        assert_eq!(utf8.finish(), Ok(()));
    }

    proptest! {
        #[test]
        fn agrees_with_the_whole_text_however_it_is_cut(
            bytes in prop_oneof![
                any::<String>().prop_map(String::into_bytes),
                proptest::collection::vec(any::<u8>(), 0..24),
            ],
            cut in 1usize..6,
        ) {
            let mut utf8 = Utf8::default();
            let pieces = bytes.chunks(cut).try_for_each(|piece| utf8.push(piece));
            let whole = pieces.and_then(|()| utf8.finish());
            prop_assert_eq!(whole.is_ok(), std::str::from_utf8(&bytes).is_ok());
        }
    }
}
