//! A list of numbers for JavaScript, as the bytes of floats: the page has no view of floats in this memory.

/// The numbers so far.
#[derive(Default)]
pub(super) struct Numbers {
    bytes: Vec<u8>,
}

impl Numbers {
    /// Not inlined: lists are long, and every browser loads each byte of this code.
    #[inline(never)]
    pub fn push(&mut self, number: f64) {
        self.bytes.extend_from_slice(&number.to_le_bytes());
    }

    pub fn push_all(&mut self, numbers: &[f64]) {
        for number in numbers {
            self.push(*number);
        }
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}
