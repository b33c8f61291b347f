//! Rules that run in a module of their own, a second WebAssembly instance beside this one.
//!
//! In: the calls of prediction. Out: words for `web/src/sdk/rules.ts`, which copies them into the module's exchange buffer, calls the
//! module, and copies the row back. Never touches the module itself: the instances stay in JavaScript, under a number.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use tickwire_game::{RuleContext, RuleInput, Rules};
use tickwire_rules_wasm::abi;
use tickwire_sync::KindId;
use wasm_bindgen::prelude::wasm_bindgen;

#[wasm_bindgen(raw_module = "../sdk/rules.ts")]
extern "C" {
    /// Runs `tickwire_advance` on the words at an address of this instance's memory: lanes, private lanes, words near by, input. The
    /// lanes and private lanes are replaced by the result. `false`: the module has trapped. Numbers are words, as in the module's own
    /// function; but with words alone the generated loader would import all of `rules.ts` as one object, which is longer.
    #[wasm_bindgen(js_name = advance)]
    fn advance_in(
        module: u32,
        words: i32,
        word_count: i32,
        kind: i32,
        tick: i32,
        lanes: i32,
        private_lanes: i32,
        nearby_words: i32,
        input: i32,
        input_bytes: i32,
    ) -> bool;

    /// Writes why a module has trapped as UTF-8 to an address of this instance's memory, as far as there is room. Returns its bytes.
    #[wasm_bindgen(js_name = writeFailure)]
    fn write_failure(module: u32, address: usize, room: usize) -> usize;

    /// Forgets a module.
    #[wasm_bindgen(js_name = dropModule)]
    fn drop_module(module: u32);
}

/// The longest sentence that is shown of what an engine says of a trap.
const MAX_FAILURE_BYTES: usize = 500;

/// The rules of a module that JavaScript has started.
#[derive(Debug)]
pub(super) struct ModuleRules {
    module: u32,
    /// The module's own numbers and reaches, by the schema's numbers.
    kinds: Vec<Option<(KindId, u32)>>,
    has_failed: AtomicBool,
    /// The words of one call. Kept, so that no call allocates.
    words: Mutex<Vec<i32>>,
}

impl ModuleRules {
    /// `kinds`: for each kind of the schema the module's own number (-1: none) and its reach, as the bytes of words.
    pub fn new(module: u32, kinds: &[u8]) -> Self {
        let (words, _) = kinds.as_chunks::<4>();
        let (pairs, _) = words.as_chunks::<2>();
        let kind = |[number, reach]: &[[u8; 4]; 2]| {
            let number = u8::try_from(i32::from_le_bytes(*number)).ok()?;
            Some((KindId(number), u32::from_le_bytes(*reach)))
        };
        Self {
            module,
            kinds: pairs.iter().map(kind).collect(),
            has_failed: AtomicBool::new(false),
            words: Mutex::default(),
        }
    }

    fn own(&self, kind: KindId) -> Option<(KindId, u32)> {
        *self.kinds.get(kind.index())?
    }
}

impl Rules for ModuleRules {
    fn advance(
        &self,
        kind: KindId,
        lanes: &mut [i32],
        private_lanes: &mut [i32],
        context: &RuleContext<'_>,
    ) {
        let Some((kind, _)) = self.own(kind) else {
            return;
        };
        if self.has_failed.load(Ordering::Relaxed) {
            return;
        }
        let (input, payload) = match context.input {
            RuleInput::Neutral => (abi::INPUT_NEUTRAL, &[][..]),
            RuleInput::Fresh(payload) => (abi::INPUT_FRESH, payload),
            RuleInput::Repeated(payload) => (abi::INPUT_REPEATED, payload),
        };
        let nearby = context.nearby.words();
        let mut words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        words.clear();
        words.extend_from_slice(lanes);
        words.extend_from_slice(private_lanes);
        words.extend_from_slice(nearby);
        words.extend(payload.chunks(4).map(|bytes| {
            let mut word = [0; 4];
            word[..bytes.len()].copy_from_slice(bytes);
            i32::from_le_bytes(word)
        }));
        if words.len() * 4 > abi::BUFFER_BYTES {
            return;
        }
        let has_run = advance_in(
            self.module,
            words.as_mut_ptr().expose_provenance() as i32,
            words.len() as i32,
            i32::from(kind.0),
            context.tick.0 as i32,
            lanes.len() as i32,
            private_lanes.len() as i32,
            nearby.len() as i32,
            input,
            payload.len() as i32,
        );
        if has_run {
            let (new_lanes, rest) = words.split_at(lanes.len());
            lanes.copy_from_slice(new_lanes);
            private_lanes.copy_from_slice(&rest[..private_lanes.len()]);
        } else {
            self.has_failed.store(true, Ordering::Relaxed);
        }
    }

    fn nearby_reach(&self, kind: KindId) -> u32 {
        self.own(kind).map_or(0, |(_, reach)| reach)
    }

    fn nearby_kind(&self, kind: KindId) -> Option<KindId> {
        self.own(kind).map(|(number, _)| number)
    }

    fn failure(&self) -> Option<String> {
        let has_failed = self.has_failed.load(Ordering::Relaxed);
        has_failed.then(|| {
            let mut text = vec![0; MAX_FAILURE_BYTES];
            let address = text.as_mut_ptr().expose_provenance();
            text.truncate(write_failure(self.module, address, MAX_FAILURE_BYTES));
            String::from_utf8(text).unwrap_or_default()
        })
    }
}

impl Drop for ModuleRules {
    fn drop(&mut self) {
        drop_module(self.module);
    }
}
