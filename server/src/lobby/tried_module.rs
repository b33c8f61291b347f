//! Tries a game's rules module before any client loads it.
//!
//! In: the game that is made at the start. Out: the module to serve, or one line in the log that says why there is none. A module
//! that is not exactly the native rules is not served: clients would predict what the server does not do.

use crate::net::rules_module::RulesModule;
use thiserror::Error;
use tickwire_game::Game;
use tickwire_rules_wasm::{Difference, LoadError, WasmRules, compare};

/// Rows on which module and native rules are compared. Random rows differ within a few if the rules do; a game's own tests compare
/// more.
const TRIED_ROWS: u32 = 2_000;
/// The same rows at every start and on every node, so that all of them agree.
const TRIAL_SEED: u64 = 1;

/// Why a module is not served.
#[derive(Debug, Error)]
enum Unfit {
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Differs(#[from] Difference),
    #[error("the game has no native rules to compare it with (Game::rules)")]
    NoNativeRules,
}

/// The game's module if it moves rows as the native rules do.
pub(super) fn tried_module(game: &dyn Game) -> Option<RulesModule> {
    let module = game.rules_module();
    if module.is_empty() {
        if game.rules().is_some() {
            let note = match game.rules_note() {
                "" => "the game was built without its rules module",
                note => note,
            };
            tracing::warn!("browsers play without prediction: {note}");
        }
        return None;
    }
    match compare_with_native(game, module) {
        Ok(()) => {
            let served = RulesModule::new(module);
            tracing::info!(
                path = served.path(),
                bytes = module.len(),
                "clients may load the rules module"
            );
            Some(served)
        }
        Err(unfit) => {
            tracing::error!(
                "the rules module is not served, so browsers play without prediction: {unfit}. If the rules panic, that is why; else build the game and its module again from the same sources. A test with tickwire::testing::assert_module_is_equal shows more"
            );
            None
        }
    }
}

fn compare_with_native(game: &dyn Game, module: &[u8]) -> Result<(), Unfit> {
    let native = game.rules().ok_or(Unfit::NoNativeRules)?;
    let schema = game.schema();
    let names: Vec<&str> = schema.kinds.iter().map(|kind| &*kind.name).collect();
    let loaded = WasmRules::load(module, &names, &game.map(), game.rules_hash())?;
    Ok(compare(&*native, &loaded, &schema, TRIAL_SEED, TRIED_ROWS)?)
}
