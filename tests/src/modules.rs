//! Rules modules made by hand: a good one, and one for each thing that can be wrong with a module.
//!
//! All are the same small rules in WebAssembly's text format with one change each. [`Walker`] is the native code of the same rules.

use tickwire_rules::{ModuleRules, RuleContext, RuleInput, Rules};
use tickwire_sync::{Grid, InputField, Kind, KindId, Lane, Schema};

const WALKER: &str = include_str!("../../rules-wasm/tests/walker.wat");

/// The rules of the walker's module, natively. On its map, one 32-bit word, is the speed.
#[derive(Clone, Copy, Debug)]
pub struct Walker {
    speed: i32,
}

impl Walker {
    /// The name of the kind that the rules move.
    pub const KIND: &str = "walker";
    /// A map on which walkers go three steps a tick.
    pub const MAP: [u8; 4] = [3, 0, 0, 0];

    /// A schema with the walker behind a kind that the rules don't know.
    #[must_use]
    pub fn schema() -> Schema {
        let position = || vec![Lane::continuous("x", "step"), Lane::continuous("y", "step")];
        let tree = Kind {
            name: "tree".into(),
            lanes: position(),
            placed: true,
            ..Kind::default()
        };
        let walker = Kind {
            name: Self::KIND.into(),
            lanes: position(),
            private_lanes: vec![Lane::discrete("steps", "step")],
            placed: true,
            predicted: true,
            ..Kind::default()
        };
        let input = |name: &str| InputField {
            name: name.into(),
            bits: 8,
            min: -128,
            max: 127,
            ..InputField::default()
        };
        Schema {
            kinds: vec![tree, walker],
            grid: Grid::covering(glam::IVec2::ZERO, glam::IVec2::splat(4000), 500),
            input: vec![input("dx"), input("dy")],
            ..Schema::default()
        }
    }
}

impl Rules for Walker {
    fn advance(
        &self,
        kind: KindId,
        lanes: &mut [i32],
        private_lanes: &mut [i32],
        context: &RuleContext<'_>,
    ) {
        let (KindId(0), [x, y], [steps]) = (kind, lanes, private_lanes) else {
            return;
        };
        if let RuleInput::Fresh(&[dx, dy, ..]) | RuleInput::Repeated(&[dx, dy, ..]) = context.input
        {
            *x = x.wrapping_add(self.speed.wrapping_mul((dx as i8).into()));
            *y = y.wrapping_add(self.speed.wrapping_mul((dy as i8).into()));
            let is_fresh = matches!(context.input, RuleInput::Fresh(_));
            *steps = steps.wrapping_add(is_fresh.into());
        }
        if let Some(&near_x) = (context.nearby.iter().next()).and_then(|row| row.lanes.first()) {
            *y = y.wrapping_add(near_x >> 1);
        }
    }

    fn nearby_reach(&self, kind: KindId) -> u32 {
        if kind == KindId(0) { 100 } else { 0 }
    }
}

impl ModuleRules for Walker {
    const HASH: u64 = 4660;

    fn new(map: &[u8]) -> Option<Self> {
        let speed = i32::from_le_bytes(map.try_into().ok()?);
        Some(Self { speed })
    }

    fn kind(name: &str) -> Option<KindId> {
        (name == Self::KIND).then_some(KindId(0))
    }
}

/// The walker's module.
///
/// # Panics
/// Never: the text is valid.
#[must_use]
pub fn good() -> Vec<u8> {
    wat::parse_str(WALKER).unwrap()
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
    /// It moves rows one step further along x than the native rules.
    Differs,
    /// It looks further than the native rules.
    DiffersInReach,
}

impl Bad {
    /// All of them.
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
            Self::OtherRules => ("(i64.const 4660)", "(i64.const 4661)"),
            Self::TrapsAtStart => (START, "unreachable"),
            Self::Traps => (ADVANCE, "(local $input_at i32) unreachable"),
            Self::TrapsLater => (
                ADVANCE,
                "(local $input_at i32) (if (i32.eqz (i32.and (local.get $tick) (i32.const 255))) (then unreachable))",
            ),
            Self::LoopsForEver => (ADVANCE, "(local $input_at i32) (loop $again (br $again))"),
            Self::LoopsAtStart => (START, "(loop $again (br $again))"),
            Self::Differs => (
                ADVANCE,
                "(local $input_at i32) (i32.store (i32.const 65536) (i32.add (i32.load (i32.const 65536)) (i32.const 1)))",
            ),
            Self::DiffersInReach => ("(i32.const 100)", "(i32.const 101)"),
        };
        assert!(WALKER.contains(place), "the walker's text has {place}");
        let mut wat = WALKER.replacen(place, text, 1);
        if self == Self::WrongSignature {
            wat = wat.replace(
                "(local.get $input_bytes)",
                "(i32.wrap_i64 (local.get $input_bytes))",
            );
        }
        wat::parse_str(wat).unwrap()
    }
}
