//! Numbers for the texts of rows: JavaScript fetches each text once, by its number.
//!
//! In: the texts that a frame shows. Out: a number for each. Never grows without bound.

use std::sync::Arc;

/// Texts that may have numbers. With more than these, and more than twice as many as a frame shows, all are dropped and numbered
/// anew with the next frame, so that a game which keeps writing new texts does not fill the memory.
const MAX_TEXTS: usize = 4_096;
/// The number of an unknown text: that of an entity which the newest snapshot no longer has.
pub(super) const NO_TEXT: i32 = -1;

/// The numbered texts.
#[derive(Debug, Default)]
pub(super) struct Texts {
    /// Sorted by text.
    numbers: Vec<(Arc<str>, i32)>,
    /// By number, from `first_number` on.
    texts: Vec<Arc<str>>,
    first_number: i32,
    /// Look-ups in this frame so far.
    frame_lookups: usize,
}

impl Texts {
    /// The number of a text; a new one if it has none.
    pub fn number(&mut self, text: &Arc<str>) -> i32 {
        self.frame_lookups += 1;
        let place = self.numbers.binary_search_by(|(known, _)| known.cmp(text));
        let place = match place {
            Ok(place) => return self.numbers[place].1,
            Err(place) => place,
        };
        let number = self.first_number + self.texts.len() as i32;
        self.numbers.insert(place, (Arc::clone(text), number));
        self.texts.push(Arc::clone(text));
        number
    }

    pub fn text(&self, number: i32) -> Option<&str> {
        let index = usize::try_from(number.checked_sub(self.first_number)?).ok()?;
        self.texts.get(index).map(AsRef::as_ref)
    }

    /// The lowest number in use.
    pub fn first_number(&self) -> i32 {
        self.first_number
    }

    /// Begins a new frame: the lists of the previous one are no longer read.
    pub fn begin_frame(&mut self) {
        let shown_count = std::mem::take(&mut self.frame_lookups);
        if self.texts.len() >= MAX_TEXTS.max(2 * shown_count) {
            // Numbers start again from 0 only after so many that no page still has an old one.
            self.first_number = (self.first_number.checked_add(self.texts.len() as i32))
                .filter(|first| *first < i32::MAX / 2)
                .unwrap_or(0);
            self.texts.clear();
            self.numbers.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_keep_their_numbers_while_frames_show_many() {
        let mut texts = Texts::default();
        let ada = texts.number(&Arc::from("Ada"));
        let bob = texts.number(&Arc::from("Bob"));
        assert_eq!((texts.number(&Arc::from("Ada")), ada != bob), (ada, true));
        let many: Vec<Arc<str>> = (0..2 * MAX_TEXTS)
            .map(|index| Arc::from(index.to_string()))
            .collect();
        for _ in 0..3 {
            texts.begin_frame();
            many.iter().for_each(|text| {
                texts.number(text);
            });
            assert_eq!((texts.text(ada), texts.first_number), (Some("Ada"), 0));
        }
        texts.begin_frame();
        // The latest frame showed nothing, so the many texts are dropped.
        texts.begin_frame();
        assert_eq!((texts.text(ada), texts.text(NO_TEXT)), (None, None));
        let again = texts.number(&Arc::from("Bob"));
        assert!(again > bob);
        assert_eq!(texts.text(again), Some("Bob"));
    }
}
