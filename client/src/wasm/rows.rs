//! The rows of any game, as the screen shows them: one flat list of numbers for each kind.
//!
//! In: a kind's number. Out: its entities at the shown moment, blended as the native client has them
//! (`Client::for_each_shown_at`). A text is a number in the list: the page fetches it once and remembers it, as strings are
//! the only costly thing to hand over.

use super::session::{WasmClient, micros};
use crate::client::Client;
use crate::screen::Shown;
use std::collections::HashMap;
use std::sync::Arc;
use tickwire_sync::{KindId, ViewTick};
use wasm_bindgen::prelude::wasm_bindgen;

/// Texts that have numbers; beyond that, and beyond twice as many as a frame shows, all of them are forgotten and numbered anew with
/// the next frame, so that a game that writes new texts for ever does not fill the memory.
const MAX_TEXTS: usize = 4_096;
/// The number of a text that is not known: that of an entity which the newest snapshot does not have any more.
const NO_TEXT: i32 = -1;

/// The numbers of the texts that rows have.
#[derive(Debug, Default)]
pub(super) struct Texts {
    numbers: HashMap<Arc<str>, i32>,
    /// By number, from `first` on.
    texts: Vec<Arc<str>>,
    first: i32,
    /// How often this frame has asked so far.
    asked: usize,
}

impl Texts {
    fn number(&mut self, text: &Arc<str>) -> i32 {
        self.asked += 1;
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = self.first + self.texts.len() as i32;
        self.numbers.insert(Arc::clone(text), number);
        self.texts.push(Arc::clone(text));
        number
    }

    fn text(&self, number: i32) -> Option<&str> {
        let index = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.texts.get(index).map(AsRef::as_ref)
    }

    /// A new frame begins: nobody reads the lists of the last one any more.
    fn begin_frame(&mut self) {
        let shown = std::mem::take(&mut self.asked);
        if self.texts.len() >= MAX_TEXTS.max(2 * shown) {
            // After so many that it does not matter, numbers begin again.
            self.first = (self.first.checked_add(self.texts.len() as i32))
                .filter(|first| *first < i32::MAX / 2)
                .unwrap_or(0);
            self.texts.clear();
            self.numbers.clear();
        }
    }
}

/// `Client::for_each_shown_at`, once in the module instead of once for each caller, which took 4 KB more.
pub(super) fn for_each_shown(
    client: &Client,
    view: ViewTick,
    kind: KindId,
    show: &mut dyn FnMut(Shown<'_>),
) {
    client.for_each_shown_at(view, Some(kind), show);
}

/// What the screen shows.
#[wasm_bindgen]
impl WasmClient {
    /// Moves the shown moment on to `now`: what [`Self::rows`] and the arena's lists are made of until the next call.
    pub fn look(&mut self, now_ms: f64) {
        self.looked_at = micros(now_ms);
        self.view = self.client.look(self.looked_at);
        self.texts.begin_frame();
    }

    /// The moment that the latest [`Self::look`] shows, in ticks.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn shown_ticks(&self) -> f64 {
        self.view.as_ticks()
    }

    /// The entities of a kind at the shown moment. Of each: slot, generation, its public lanes, a number for each of its texts.
    #[must_use]
    pub fn rows(&mut self, kind: u8) -> Vec<i32> {
        let mut list = Vec::new();
        let kind = KindId(kind);
        let schema = self.client.replica().map(|replica| replica.schema());
        let Some(texts) = schema.and_then(|schema| Some(schema.kind(kind)?.texts.len())) else {
            return list;
        };
        for_each_shown(&self.client, self.view, kind, &mut |shown| {
            list.extend([shown.id.slot as i32, shown.id.generation as i32]);
            list.extend_from_slice(shown.lanes);
            list.extend((0..texts).map(|index| {
                let text = shown.row.texts.get(index);
                text.map_or(NO_TEXT, |text| self.texts.number(text))
            }));
        });
        list
    }

    /// The first number that a text has now: where it changes, all older numbers are void.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn texts_from(&self) -> i32 {
        self.texts.first
    }

    /// The text with a number of [`Self::rows`]; empty if it is not known.
    #[must_use]
    pub fn text(&self, number: i32) -> String {
        self.texts.text(number).unwrap_or_default().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_have_one_number_and_a_frame_of_many_keeps_them() {
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
            assert_eq!((texts.text(ada), texts.first), (Some("Ada"), 0));
        }
        texts.begin_frame();
        // Now next to nothing is shown.
        texts.begin_frame();
        assert_eq!((texts.text(ada), texts.text(NO_TEXT)), (None, None));
        let again = texts.number(&Arc::from("Bob"));
        assert!(again > bob);
        assert_eq!(texts.text(again), Some("Bob"));
    }
}
