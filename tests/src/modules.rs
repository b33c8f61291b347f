//! Rules modules made by hand: a good one, and one for each thing that can be wrong with a module.
//!
//! All are the same small rules in WebAssembly's text format with one change each. [`Walker`] is the native code of the same rules.

use tickwire_rules::ModuleRules as _;
pub use tickwire_test_walker::Walker;

const WALKER: &str = include_str!("../../rules-wasm/tests/walker.wat");

/// The walker's module, by hand. [`Walker::MODULE`] is the one that was built from Rust.
///
/// # Panics
/// Never: the text is valid.
#[must_use]
pub fn good() -> Vec<u8> {
    wat::parse_str(text_with(Walker::HASH)).unwrap()
}

fn text_with(hash: u64) -> String {
    WALKER.replacen("4660", &hash.to_string(), 1)
}

/// What is wrong with a module.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bad {
    /// It imports a function.
    Imports,
    /// It has a start function.
    StartFunction,
    /// Its memory has no maximum.
    NoMemoryMaximum,
    /// Its memory may grow to 4 GiB.
    FourGigabytes,
    /// It asks for 4 GiB at once.
    FourGigabytesAtOnce,
    /// It is a page of HTML.
    NoModule,
    /// It ends in the middle of its code.
    CutOff,
    /// It exports another name instead of `tickwire_advance`.
    WrongExports,
    /// Its `tickwire_advance` takes other parameters.
    WrongSignature,
    /// Its code does not validate.
    InvalidCode,
    /// It speaks a later version of the ABI.
    LaterAbi,
    /// It has the rules of another hash.
    OtherRules,
    /// It traps when it is started.
    TrapsAtStart,
    /// It traps when it moves a row.
    Traps,
    /// It traps when it moves a row at a tick that can be divided by 256.
    TrapsLater,
    /// It loops for ever when it moves a row.
    LoopsForEver,
    /// It loops for ever when it is started.
    LoopsAtStart,
    /// It traps on an input of four bytes or more, which no trial has.
    TrapsOnLongInput,
    /// It loops for ever on an input of four bytes or more.
    LoopsOnLongInput,
    /// It moves rows one step further along x than the native rules.
    Differs,
    /// It looks further than the native rules.
    DiffersInReach,
}

impl Bad {
    /// Those that pass a trial, and fail in play.
    pub const IN_PLAY: [Self; 2] = [Self::TrapsOnLongInput, Self::LoopsOnLongInput];
    /// All others: a host refuses them, or finds out when it tries them.
    pub const ALL: [Self; 19] = [
        Self::Imports,
        Self::StartFunction,
        Self::NoMemoryMaximum,
        Self::FourGigabytes,
        Self::FourGigabytesAtOnce,
        Self::NoModule,
        Self::CutOff,
        Self::WrongExports,
        Self::WrongSignature,
        Self::InvalidCode,
        Self::LaterAbi,
        Self::OtherRules,
        Self::TrapsAtStart,
        Self::Traps,
        Self::TrapsLater,
        Self::LoopsForEver,
        Self::LoopsAtStart,
        Self::Differs,
        Self::DiffersInReach,
    ];

    /// The name in words with dashes, such as "loops-for-ever".
    #[must_use]
    pub fn name(self) -> String {
        let mut name = String::new();
        for letter in format!("{self:?}").chars() {
            if letter.is_uppercase() && !name.is_empty() {
                name.push('-');
            }
            name.push(letter.to_ascii_lowercase());
        }
        name
    }

    /// The module.
    ///
    /// # Panics
    /// Never: each change fits the walker's text.
    #[must_use]
    pub fn bytes(self) -> Vec<u8> {
        const MODULE: &str = "(module\n";
        const MEMORY: &str = "2 16)";
        const START: &str = "(global.set $speed (i32.load (i32.const 1024)))";
        const ADVANCE: &str = "(local $input_at i32)\n";
        let (place, text) = match self {
            Self::OtherRules => {
                return wat::parse_str(text_with(Walker::HASH ^ 1)).unwrap();
            }
            Self::NoModule => return b"<!doctype html><title>404</title>".to_vec(),
            Self::CutOff => {
                let mut module = good();
                module.truncate(module.len() - 20);
                return module;
            }
            Self::Imports => (
                MODULE,
                "(module (import \"env\" \"now\" (func (result i64)))\n",
            ),
            Self::StartFunction => (MODULE, "(module (start $setup) (func $setup)\n"),
            Self::NoMemoryMaximum => (MEMORY, "2)"),
            Self::FourGigabytes => (MEMORY, "2 65536)"),
            Self::FourGigabytesAtOnce => (MEMORY, "65536 65536)"),
            Self::WrongExports => ("\"tickwire_advance\"", "\"advance\""),
            Self::WrongSignature => ("(param $input_bytes i32)", "(param $input_bytes i64)"),
            Self::InvalidCode => (START, "(i32.const 1)"),
            Self::LaterAbi => ("(i32.const 1))", "(i32.const 2))"),
            Self::TrapsAtStart => (START, "unreachable"),
            Self::Traps => (ADVANCE, "(local $input_at i32) unreachable"),
            Self::TrapsLater => (
                ADVANCE,
                "(local $input_at i32) (if (i32.eqz (i32.and (local.get $tick) (i32.const 255))) (then unreachable))",
            ),
            Self::TrapsOnLongInput => (
                ADVANCE,
                "(local $input_at i32) (if (i32.gt_s (local.get $input_bytes) (i32.const 3)) (then unreachable))",
            ),
            Self::LoopsOnLongInput => (
                ADVANCE,
                "(local $input_at i32) (loop $again (br_if $again (i32.gt_s (local.get $input_bytes) (i32.const 3))))",
            ),
            Self::LoopsForEver => (ADVANCE, "(local $input_at i32) (loop $again (br $again))"),
            Self::LoopsAtStart => (START, "(loop $again (br $again))"),
            Self::Differs => (
                ADVANCE,
                "(local $input_at i32) (i32.store (i32.const 65536) (i32.add (i32.load (i32.const 65536)) (i32.const 1)))",
            ),
            Self::DiffersInReach => ("(i32.const 100)", "(i32.const 101)"),
        };
        let walker = text_with(Walker::HASH);
        assert!(walker.contains(place), "the walker's text has {place}");
        let mut wat = walker.replacen(place, text, 1);
        if self == Self::WrongSignature {
            wat = wat.replace(
                "(local.get $input_bytes)",
                "(i32.wrap_i64 (local.get $input_bytes))",
            );
        }
        wat::parse_str(wat).unwrap()
    }
}
