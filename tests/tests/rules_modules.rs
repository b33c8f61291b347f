//! Rules modules in the native host: what is wrong with a module is found before or while it runs, and a good one is equal to the
//! native rules.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use tickwire_rules::{ByKindName, ModuleRules as _, RuleContext, RuleInput, Rules as _};
use tickwire_rules_wasm::{
    Difference, LoadError, ShapeError, WasmRules, assert_module_equals_native, compare,
};
use tickwire_sync::{KindId, Schema, Tick};
use tickwire_tests::modules::{self, Bad, Walker};

const RUNS: u32 = 10_000;

fn load(module: &[u8]) -> Result<WasmRules, LoadError> {
    let schema = Walker::schema();
    WasmRules::load(module, &names(&schema), &Walker::MAP, Walker::HASH)
}

fn names(schema: &Schema) -> Vec<&str> {
    schema.kinds.iter().map(|kind| &*kind.name).collect()
}

fn compared(bad: Bad) -> Difference {
    let schema = Walker::schema();
    let native = ByKindName::<Walker>::new(names(&schema), &Walker::MAP).unwrap();
    let module = load(&bad.bytes()).unwrap();
    compare(&native, &module, &schema, 1, RUNS).unwrap_err()
}

#[test]
fn a_good_module_equals_the_native_rules() {
    assert_module_equals_native::<Walker>(&modules::good(), &Walker::schema(), &Walker::MAP, RUNS);
}

#[test]
fn the_module_that_cargo_built_equals_the_native_rules() {
    assert_module_equals_native::<Walker>(Walker::MODULE, &Walker::schema(), &Walker::MAP, RUNS);
    assert_eq!(Walker::MODULE.is_empty(), !Walker::NOTE.is_empty());
}

#[test]
#[should_panic(expected = "TICKWIRE_SEED=")]
fn a_module_that_differs_fails_the_test_with_its_seed() {
    let module = Bad::Differs.bytes();
    assert_module_equals_native::<Walker>(&module, &Walker::schema(), &Walker::MAP, RUNS);
}

#[test]
fn a_module_with_imports_is_refused() {
    assert_eq!(
        load(&Bad::Imports.bytes()).unwrap_err(),
        ShapeError::Imports.into()
    );
}

#[test]
fn a_module_with_a_start_function_is_refused() {
    let error = load(&Bad::StartFunction.bytes()).unwrap_err();
    assert_eq!(error, ShapeError::StartFunction.into());
}

#[test]
fn a_module_without_a_memory_maximum_is_refused() {
    let error = load(&Bad::NoMemoryMaximum.bytes()).unwrap_err();
    assert_eq!(error, ShapeError::NoMemoryMaximum.into());
}

#[test]
fn a_module_that_asks_for_four_gigabytes_is_refused() {
    for bad in [Bad::FourGigabytes, Bad::FourGigabytesAtOnce] {
        let error = load(&bad.bytes()).unwrap_err();
        assert_eq!(error, ShapeError::MemoryTooLarge.into());
    }
}

#[test]
fn what_is_no_module_is_refused() {
    assert_eq!(
        load(&Bad::NoModule.bytes()).unwrap_err(),
        ShapeError::NoModule.into()
    );
    assert_eq!(
        load(&Bad::CutOff.bytes()).unwrap_err(),
        ShapeError::Damaged.into()
    );
}

#[test]
fn a_module_with_wrong_exports_is_refused() {
    let missing = load(&Bad::WrongExports.bytes()).unwrap_err();
    assert_eq!(missing, ShapeError::NoExport("tickwire_advance").into());
    let wrong = load(&Bad::WrongSignature.bytes()).unwrap_err();
    assert_eq!(wrong, ShapeError::WrongExport("tickwire_advance").into());
}

#[test]
fn a_module_with_invalid_code_is_refused() {
    let error = load(&Bad::InvalidCode.bytes()).unwrap_err();
    assert!(matches!(error, LoadError::Invalid(_)), "{error}");
}

#[test]
fn a_module_of_another_abi_or_other_rules_is_refused() {
    assert_eq!(load(&Bad::LaterAbi.bytes()).unwrap_err(), LoadError::Abi(2));
    let other = load(&Bad::OtherRules.bytes()).unwrap_err();
    assert!(matches!(other, LoadError::OtherRules { expected, .. } if expected == Walker::HASH));
}

#[test]
fn a_module_that_fails_at_its_start_is_refused() {
    for (bad, word) in [(Bad::TrapsAtStart, "trapped"), (Bad::LoopsAtStart, "fuel")] {
        let error = load(&bad.bytes()).unwrap_err();
        assert!(
            matches!(&error, LoadError::Failed(why) if why.contains(word)),
            "{error}"
        );
    }
}

#[test]
fn a_module_that_traps_is_found() {
    for bad in [Bad::Traps, Bad::TrapsLater] {
        let difference = compared(bad);
        assert!(
            matches!(&difference, Difference::Failed { failure, .. } if failure.contains("trapped")),
            "{difference}"
        );
    }
}

#[test]
fn a_module_that_loops_for_ever_is_found() {
    let difference = compared(Bad::LoopsForEver);
    assert!(
        matches!(&difference, Difference::Failed { failure, .. } if failure.contains("fuel")),
        "{difference}"
    );
}

#[test]
fn a_module_that_differs_is_found() {
    assert!(matches!(compared(Bad::Differs), Difference::Row(_)));
    assert!(matches!(
        compared(Bad::DiffersInReach),
        Difference::Reach {
            native: 100,
            module: 101,
            ..
        }
    ));
}

#[test]
fn a_module_that_failed_leaves_all_rows_as_they_are() {
    let module = load(&Bad::TrapsLater.bytes()).unwrap();
    let mut lanes = [1, 2];
    let mut advance = |tick| {
        let context = RuleContext::alone(Tick(tick), RuleInput::Fresh(&[1, 0]));
        module.advance(KindId(1), &mut lanes, &mut [0], &context);
        (lanes[0], module.failure().is_some())
    };
    assert_eq!(advance(255), (4, false));
    assert_eq!(advance(256), (4, true));
    assert_eq!(advance(257), (4, true));
}
