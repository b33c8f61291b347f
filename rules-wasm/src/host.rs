//! Runs a rules module in an interpreter, for native clients and bots, and for a server that tries its own module.
//!
//! In: the bytes of a module, the names of a schema's kinds, and a map. Out: [`Rules`]. A module is a stranger's code: `instance` bounds
//! its memory, its stack and its fuel, and it can call nothing. One that traps or uses up its fuel is never called again, leaves every
//! row as it is from then on, and says why.

use crate::instance::{LoadError, OwnKind, Running, reason};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use tickwire_rules::{RuleContext, Rules};
use tickwire_sync::KindId;

/// Rules that run in a module. A clone is the same instance: if it fails, it fails for all.
#[derive(Clone, Debug)]
pub struct WasmRules(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// The module's own numbers and reaches, by the schema's numbers.
    kinds: Vec<Option<OwnKind>>,
    /// Only one thread at a time can be in a module: for about a microsecond.
    running: Mutex<Option<Running>>,
    failure: OnceLock<String>,
}

impl WasmRules {
    /// Compiles and starts a module: for a schema whose kinds have these names in this order, on a map in the game's own encoding,
    /// if it has the rules of the expected hash (`Welcome.rules_hash`). Takes a few milliseconds.
    ///
    /// # Errors
    /// If the module is not what it should be.
    pub fn load(
        module: &[u8],
        kinds: &[&str],
        map: &[u8],
        expected_hash: u64,
    ) -> Result<Self, LoadError> {
        let (running, kinds) = Running::start(module, kinds, map, expected_hash)?;
        Ok(Self(Arc::new(Shared {
            kinds,
            running: Mutex::new(Some(running)),
            failure: OnceLock::new(),
        })))
    }

    fn own(&self, kind: KindId) -> Option<OwnKind> {
        *self.0.kinds.get(kind.index())?
    }
}

impl Rules for WasmRules {
    fn advance(
        &self,
        kind: KindId,
        lanes: &mut [i32],
        private_lanes: &mut [i32],
        context: &RuleContext<'_>,
    ) {
        let Some(kind) = self.own(kind) else {
            return;
        };
        // A thread that panicked in here has left nothing half done that matters: the buffer is written anew.
        let mut slot = self
            .0
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = slot.as_mut()
            && let Err(error) = running.advance(kind.id, lanes, private_lanes, context)
        {
            let _ = self.0.failure.set(reason(&error));
            *slot = None;
        }
    }

    fn nearby_reach(&self, kind: KindId) -> u32 {
        self.own(kind).map_or(0, |kind| kind.reach)
    }

    fn nearby_kind(&self, kind: KindId) -> Option<KindId> {
        self.own(kind).map(|kind| kind.id)
    }

    fn failure(&self) -> Option<String> {
        self.0.failure.get().cloned()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests {
    use super::*;
    use crate::abi::BUFFER_BYTES;
    use tickwire_rules::{NearbyRows, RuleInput};
    use tickwire_sync::Tick;

    const WALKER: &str = include_str!("../tests/walker.wat");
    const HASH: u64 = 4660;
    const SPEED_3: [u8; 4] = [3, 0, 0, 0];

    fn load(wat: &str) -> Result<WasmRules, LoadError> {
        let module = wat::parse_str(wat).unwrap();
        WasmRules::load(&module, &["tree", "walker"], &SPEED_3, HASH)
    }

    /// The walker with another body of an export.
    fn with(export: &str, body: &str) -> Result<WasmRules, LoadError> {
        let start = WALKER
            .find(&format!("(func (export \"{export}\")"))
            .unwrap();
        let rest = &WALKER[start..];
        let end = rest[1..]
            .find("\n  (func")
            .map_or(rest.len() - 2, |at| at + 1);
        let head = rest.lines().next().unwrap();
        let params = if export == "tickwire_advance" {
            "(param i32 i32 i32 i32 i32 i32 i32)"
        } else {
            ""
        };
        let head = head
            .trim_end_matches(" (i32.const 1))")
            .trim_end_matches(" (i32.const 65536))");
        load(&format!(
            "{}{head} {params} {body}){}",
            &WALKER[..start],
            &rest[end..]
        ))
    }

    fn advance(rules: &WasmRules, input: RuleInput<'_>, nearby: &[i32]) -> [i32; 3] {
        let (mut lanes, mut private_lanes) = ([10, 20], [5]);
        let context = RuleContext {
            tick: Tick(1),
            input,
            nearby: NearbyRows::from_words(nearby),
        };
        rules.advance(KindId(1), &mut lanes, &mut private_lanes, &context);
        [lanes[0], lanes[1], private_lanes[0]]
    }

    #[test]
    fn a_module_moves_rows() {
        let rules = load(WALKER).unwrap();
        assert_eq!(
            advance(&rules, RuleInput::Fresh(&[1, 0xFE]), &[]),
            [13, 14, 6]
        );
        assert_eq!(
            advance(&rules, RuleInput::Repeated(&[1, 0xFE]), &[]),
            [13, 14, 5]
        );
        assert_eq!(advance(&rules, RuleInput::Neutral, &[]), [10, 20, 5]);
        let nearby = [0, 7, 1, 2, -9, 0];
        assert_eq!(
            advance(&rules, RuleInput::Fresh(&[1, 0xFE]), &nearby),
            [13, 9, 6]
        );
        assert_eq!(rules.failure(), None);
    }

    #[test]
    fn kinds_are_the_modules_own() {
        let rules = load(WALKER).unwrap();
        let kinds = [0, 1, 2].map(|kind| rules.nearby_kind(KindId(kind)));
        assert_eq!(kinds, [None, Some(KindId(0)), None]);
        let reaches = [0, 1, 2].map(|kind| rules.nearby_reach(KindId(kind)));
        assert_eq!(reaches, [0, 100, 0]);
        let mut lanes = [1, 2];
        let context = RuleContext::alone(Tick(1), RuleInput::Fresh(&[1, 1]));
        rules.advance(KindId(0), &mut lanes, &mut [0], &context);
        assert_eq!(lanes, [1, 2]);
    }

    #[test]
    fn an_input_beyond_the_buffer_leaves_the_row() {
        let rules = load(WALKER).unwrap();
        let huge = [1; BUFFER_BYTES];
        assert_eq!(advance(&rules, RuleInput::Fresh(&huge), &[]), [10, 20, 5]);
        assert_eq!(rules.failure(), None);
    }

    #[test]
    fn a_trap_ends_the_rules_and_leaves_the_row() {
        let body = "(i32.store (i32.const 65536) (i32.const 99)) unreachable";
        let rules = with("tickwire_advance", body).unwrap();
        assert_eq!(rules.failure(), None);
        for _ in 0..2 {
            assert_eq!(advance(&rules, RuleInput::Neutral, &[]), [10, 20, 5]);
            assert!(rules.failure().unwrap().starts_with("it trapped"));
        }
    }

    #[test]
    fn a_loop_for_ever_runs_out_of_fuel() {
        let rules = with("tickwire_advance", "(loop $again (br $again))").unwrap();
        assert_eq!(advance(&rules, RuleInput::Neutral, &[]), [10, 20, 5]);
        assert!(rules.failure().unwrap().contains("fuel"));
    }

    #[test]
    fn calls_that_are_all_expensive_run_into_debt() {
        // Some 400,000 operators a call: no single call runs out of fuel.
        let body = "(local $left i32) (local.set $left (i32.const 60000)) \
                    (loop $again (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))";
        let rules = with("tickwire_advance", body).unwrap();
        let calls = (0..1000).take_while(|_| {
            advance(&rules, RuleInput::Neutral, &[]);
            rules.failure().is_none()
        });
        let calls = calls.count();
        assert!((10..500).contains(&calls), "{calls} calls");
        assert!(rules.failure().unwrap().contains("call after call"));
    }

    #[test]
    fn cheap_calls_never_run_into_debt() {
        let rules = load(WALKER).unwrap();
        for _ in 0..10_000 {
            advance(&rules, RuleInput::Fresh(&[1, 1]), &[]);
        }
        assert_eq!(rules.failure(), None);
    }

    #[test]
    fn a_recursion_for_ever_traps() {
        let again = "(call $again)) (func $again (call $again)";
        let rules = with("tickwire_advance", again).unwrap();
        assert_eq!(advance(&rules, RuleInput::Neutral, &[]), [10, 20, 5]);
        assert!(rules.failure().unwrap().starts_with("it trapped"));
    }

    #[test]
    fn memory_grows_no_further_than_its_maximum() {
        let body = "(loop $again (br_if $again (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) \
                    (i32.store (i32.const 65536) (memory.size))";
        let rules = with("tickwire_advance", body).unwrap();
        assert_eq!(advance(&rules, RuleInput::Neutral, &[])[0], 16);
    }

    #[test]
    fn a_module_that_lies_is_not_loaded() {
        let module = wat::parse_str(WALKER).unwrap();
        let other = WasmRules::load(&module, &["walker"], &SPEED_3, 1).unwrap_err();
        assert_eq!(
            other,
            LoadError::OtherRules {
                expected: 1,
                found: HASH
            }
        );
        let map = WasmRules::load(&module, &["walker"], &[], HASH).unwrap_err();
        assert_eq!(map, LoadError::Map);
        let map = WasmRules::load(&module, &["walker"], &[0; 5000], HASH).unwrap_err();
        assert_eq!(map, LoadError::MapTooLarge(5000));
        let abi = with("tickwire_abi", "(i32.const 2)").unwrap_err();
        assert_eq!(abi, LoadError::Abi(2));
        for address in [2, 65537, 2 * 65536 - BUFFER_BYTES as i32 + 4, -4] {
            let body = format!("(i32.const {address})");
            assert_eq!(
                with("tickwire_buffer", &body).unwrap_err(),
                LoadError::Buffer
            );
        }
        let looping = with("tickwire_abi", "(loop $again (br $again)) unreachable").unwrap_err();
        assert!(matches!(looping, LoadError::Failed(reason) if reason.contains("fuel")));
        let invalid = with("tickwire_abi", "(f32.const 1)").unwrap_err();
        assert!(matches!(invalid, LoadError::Invalid(_)));
    }
}
