//! Rules modules: any bytes are refused with a sentence, or run within their memory and fuel and change nothing but the row.
//!
//! Input: a first byte that chooses. Even: the rest is a module. Odd: the rest is the code of `tickwire_advance` in a good module, so
//! that code is fuzzed and not only the format around it. libFuzzer's own limit of time finds code that runs beyond its fuel.

use crate::memory::measure;
use tickwire_rules::{NearbyRows, RuleContext, RuleInput, Rules as _};
use tickwire_rules_wasm::abi::MAX_MEMORY_PAGES;
use tickwire_rules_wasm::{LoadError, WasmRules, check_shape};
use tickwire_sync::{KindId, Tick};

/// `rules-wasm/tests/walker.wat`, compiled; its last function is `tickwire_advance`.
pub const WALKER: &[u8] = include_bytes!("../walker.wasm");

const KINDS: [&str; 3] = ["tree", "walker", "player"];
const MAP: [u8; 4] = [3, 0, 0, 0];
/// Memory and tables of a module at their largest, each held once.
const MODULE_BYTES: usize = MAX_MEMORY_PAGES as usize * 64 * 1024 + (4 << 20);
/// What the interpreter may take for each byte of a module.
const BYTES_EACH: usize = 4096;

/// One run of the target.
///
/// # Panics
/// If a module gets more than it may have.
pub fn run(input: &[u8]) {
    let Some((&choice, rest)) = input.split_first() else {
        return;
    };
    let spliced;
    let module = if choice % 2 == 0 {
        rest
    } else {
        spliced = with_last_body(WALKER, rest);
        &spliced
    };
    let is_shaped = check_shape(module);
    let ((loaded, result), allocated) = measure(|| {
        let mut loaded = WasmRules::load(module, &KINDS, &MAP, 0);
        // Which rules they are, only the module says.
        if let Err(LoadError::OtherRules { found, .. }) = loaded {
            loaded = WasmRules::load(module, &KINDS, &MAP, found);
        }
        let result = loaded.as_ref().map(|rules| {
            for kind in 0..KINDS.len() as u8 {
                advance(rules, KindId(kind));
            }
        });
        let result = result.map_err(ToString::to_string);
        (loaded, result)
    });
    assert!(
        allocated.total <= 3 * MODULE_BYTES + BYTES_EACH * module.len(),
        "{allocated:?}"
    );
    match (is_shaped, result) {
        (Err(shape), Err(sentence)) => assert_eq!(sentence, shape.to_string()),
        (Err(shape), Ok(())) => panic!("a module of the wrong shape was loaded: {shape}"),
        (Ok(()), Err(sentence)) => assert!(!sentence.is_empty()),
        (Ok(()), Ok(())) => drop(loaded),
    }
}

/// Moves some rows of a kind. The row of a module that failed stays as it is, and so do all after it.
fn advance(rules: &WasmRules, kind: KindId) {
    // What is near by: a walker, by the module's own numbers.
    let nearby = [0, 7, 1, 2, -9, 0];
    let inputs = [
        RuleInput::Fresh(&[1, 0xFE, 3, 0x80]),
        RuleInput::Repeated(&[1]),
        RuleInput::Neutral,
    ];
    let mut row = ([10, -20, 300], [5]);
    for (tick, input) in [0, 7, u32::MAX].into_iter().zip(inputs) {
        let before = row;
        let context = RuleContext {
            tick: Tick(tick),
            input,
            nearby: NearbyRows::from_words(if tick % 2 == 0 { &nearby } else { &[] }),
        };
        let lanes = if kind.0 == 1 { 2 } else { 3 };
        rules.advance(kind, &mut row.0[..lanes], &mut row.1, &context);
        if rules.failure().is_some() {
            assert_eq!(row, before, "a failed module leaves the row");
        }
        assert_eq!(row.0[lanes..], before.0[lanes..]);
    }
}

const CODE_SECTION: u8 = 10;

/// A module with another body of its last function.
#[must_use]
pub fn with_last_body(module: &[u8], body: &[u8]) -> Vec<u8> {
    let mut out = module[..8].to_vec();
    let mut rest = &module[8..];
    while let Some((&section, after)) = rest.split_first() {
        let (content, after) = sized(after);
        rest = after;
        out.push(section);
        if section != CODE_SECTION {
            put_sized(&mut out, content);
            continue;
        }
        let (count, mut bodies) = number(content);
        let mut code = Vec::new();
        put_number(&mut code, count);
        for _ in 1..count {
            let one;
            (one, bodies) = sized(bodies);
            put_sized(&mut code, one);
        }
        put_sized(&mut code, body);
        put_sized(&mut out, &code);
    }
    out
}

/// A number of the binary format, and what comes after it.
fn number(bytes: &[u8]) -> (usize, &[u8]) {
    let end = bytes
        .iter()
        .position(|byte| *byte < 0x80)
        .map_or(0, |at| at + 1);
    let digits = bytes[..end].iter().rev();
    let number = digits.fold(0, |number, byte| number << 7 | usize::from(byte & 0x7F));
    (number, &bytes[end..])
}

fn sized(bytes: &[u8]) -> (&[u8], &[u8]) {
    let (length, rest) = number(bytes);
    rest.split_at(length)
}

fn put_number(out: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn put_sized(out: &mut Vec<u8>, bytes: &[u8]) {
    put_number(out, bytes.len());
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_walker_is_what_its_text_says() {
        let text = include_str!("../../rules-wasm/tests/walker.wat");
        assert_eq!(
            wat::parse_str(text).unwrap(),
            WALKER,
            "run the example `seeds`"
        );
    }

    #[test]
    fn another_body_changes_nothing_else() {
        // No locals, and the end.
        let module = with_last_body(WALKER, &[0, 0x0B]);
        assert!(module.len() < WALKER.len());
        let rules = WasmRules::load(&module, &KINDS, &MAP, 4660).unwrap();
        advance(&rules, KindId(1));
        assert_eq!(rules.failure(), None);
    }
}
