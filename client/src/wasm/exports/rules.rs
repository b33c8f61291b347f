//! The room's rules module: which one to load, and what came of it.

use crate::WantedRules;
use crate::wasm::client::{WasmClient, micros};
use crate::wasm::module_rules::ModuleRules;
use wasm_bindgen::prelude::wasm_bindgen;

/// The rules module. The page fetches it, `web/src/sdk/rules.ts` runs it.
#[wasm_bindgen]
impl WasmClient {
    /// The hash that the module must give for its rules.
    #[must_use]
    pub fn wanted_hash(&self) -> u64 {
        self.wanted().map_or(0, |wanted| wanted.rules_hash)
    }

    /// What is wrong with bytes that should be the module, for people; empty: they can be compiled.
    #[must_use]
    pub fn check_rules(&self, bytes: &[u8]) -> String {
        let checked = self.wanted().map(|wanted| wanted.check(bytes));
        match checked {
            Some(Err(error)) => error.to_string(),
            _ => String::new(),
        }
    }

    /// From now on the client predicts by a started module. `kinds`: for each kind of the schema the module's own number (-1: none)
    /// and its reach, as the bytes of words.
    pub fn give_rules(&mut self, module: u32, kinds: &[u8], now_ms: f64) {
        let rules = Box::new(ModuleRules::new(module, kinds));
        if let Some(wanted) = self.wanted_rules.take() {
            self.client.give_rules(&wanted, rules, micros(now_ms));
            self.take_events();
        }
    }

    fn wanted(&self) -> Option<&WantedRules> {
        self.wanted_rules.as_ref()
    }
}

impl WasmClient {
    /// [`CoreString::WantedRules`](super::values::CoreString::WantedRules).
    pub(super) fn take_wanted_rules(&mut self) -> String {
        let Some(wanted) = self.client.wanted_rules() else {
            return String::new();
        };
        let path = wanted.path();
        self.wanted_rules = Some(wanted);
        path
    }

    /// The module cannot be used; `reason` is a sentence for people.
    pub(super) fn refuse_rules(&mut self, reason: &str) {
        if let Some(wanted) = self.wanted_rules.take() {
            self.client.refuse_rules(&wanted, reason);
            self.take_events();
        }
    }
}
