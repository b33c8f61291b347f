//! Shows that a module has the rules that the native code has.
//!
//! In: both, a schema, and a seed. Out: nothing, or the first row that they move differently. The rows are random, but such as a
//! game of that schema could have.

use crate::host::WasmRules;
use crate::instance::LoadError;
use fastrand::Rng;
use glam::IVec2;
use std::fmt::Write as _;
use std::hash::{BuildHasher as _, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind};
use thiserror::Error;
use tickwire_rules::{
    ByKindName, MAX_NEARBY_ROWS, ModuleRules, NearbyCollector, RuleContext, RuleInput, Rules,
};
use tickwire_sync::{EntityId, Kind, KindId, Lane, Schema, Tick, ValueType};

/// A row that two implementations of the same rules move differently, or another sign that they are not the same.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum Difference {
    /// The module cannot be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Different reaches.
    #[error(
        "rows of kind {kind} look {native} far by the native rules, {module} far by the rules module"
    )]
    Reach {
        /// The kind's name.
        kind: String,
        /// The native rules' reach.
        native: u32,
        /// The module's reach.
        module: u32,
    },
    /// A row. The text has the row, the input, and both results.
    #[error("the native rules and the rules module move a row differently: {0}")]
    Row(String),
    /// The module failed on a row.
    #[error("the rules module failed: {failure}. The row: {row}")]
    Failed {
        /// Why.
        failure: String,
        /// The row and the input.
        row: String,
    },
    /// The native rules panic on a row. A server would lose the room by it, and a client its prediction.
    #[error("the native rules panic; they must take any row and any input. The row: {0}")]
    NativePanics(String),
}

/// Compares native rules with a module on `runs` random rows, inputs and rows near by, of all kinds that the schema predicts.
///
/// # Errors
/// The first difference.
pub fn compare(
    native: &dyn Rules,
    module: &WasmRules,
    schema: &Schema,
    seed: u64,
    runs: u32,
) -> Result<(), Difference> {
    for (id, kind) in kinds(schema) {
        let reaches = (native.nearby_reach(id), module.nearby_reach(id));
        if reaches.0 != reaches.1 {
            return Err(Difference::Reach {
                kind: kind.name.clone(),
                native: reaches.0,
                module: reaches.1,
            });
        }
    }
    let predicted: Vec<_> = kinds(schema).filter(|(_, kind)| kind.predicted).collect();
    let mut rng = Rng::with_seed(seed);
    let mut trial = Trial::default();
    for _ in 0..runs {
        let Some(&(id, kind)) = rng.choice(&predicted) else {
            return Ok(());
        };
        trial.change(&mut rng, schema, id, kind, native.nearby_reach(id));
        let Some(by_native) = trial.run(native) else {
            return Err(Difference::NativePanics(trial.text(kind, seed)));
        };
        let by_module = trial.run(module).unwrap_or_default();
        if let Some(failure) = module.failure() {
            let row = trial.text(kind, seed);
            return Err(Difference::Failed { failure, row });
        }
        if by_native != by_module {
            let row = trial.text(kind, seed);
            return Err(Difference::Row(format!(
                "{row}: natively {by_native:?}, by the module {by_module:?}"
            )));
        }
        trial.row = Some((id, by_native));
    }
    Ok(())
}

/// Proves that a module has the rules of `R`: loads it on a map, and compares both on `runs` random rows, inputs and rows near by.
/// An empty module, which a build without a WebAssembly toolchain leaves, passes with a word on standard error.
///
/// # Panics
/// On a difference, with the seed and the row. `TICKWIRE_SEED` in the environment repeats a seed.
pub fn assert_module_equals_native<R: ModuleRules>(
    module: &[u8],
    schema: &Schema,
    map: &[u8],
    runs: u32,
) {
    if module.is_empty() {
        assert!(!R::NOTE.contains("could not be built"), "{}", R::NOTE);
        eprintln!("not compared: no rules module was built, see the note of tickwire-rules-build");
        return;
    }
    let seed = std::env::var("TICKWIRE_SEED").ok();
    let seed = seed
        .and_then(|seed| seed.parse().ok())
        .unwrap_or_else(|| RandomState::new().hash_one(0));
    let names: Vec<&str> = schema.kinds.iter().map(|kind| &*kind.name).collect();
    let compared = WasmRules::load(module, &names, map, R::HASH)
        .map_err(Difference::from)
        .and_then(|module| {
            let native = ByKindName::<R>::new(names.iter().copied(), map).ok_or(LoadError::Map)?;
            compare(&native, &module, schema, seed, runs)
        });
    if let Err(difference) = compared {
        panic!("{difference} (TICKWIRE_SEED={seed} repeats this)");
    }
}

fn kinds(schema: &Schema) -> impl Iterator<Item = (KindId, &Kind)> {
    (0..=u8::MAX).map(KindId).zip(&schema.kinds)
}

/// A row to move, with all that its rules see.
#[derive(Default)]
struct Trial {
    /// The row that the last trial left, with its kind.
    row: Option<(KindId, [Vec<i32>; 2])>,
    tick: u32,
    /// 0: neutral, 1: fresh, 2: repeated.
    input: u8,
    payload: Vec<u8>,
    focus: IVec2,
    reach: u32,
    /// By the schema's numbers.
    nearby: Vec<(EntityId, Vec<i32>)>,
}

impl Trial {
    /// Another input, other rows near by, and the last row moved on, or a new one.
    fn change(&mut self, rng: &mut Rng, schema: &Schema, id: KindId, kind: &Kind, reach: u32) {
        let goes_on = matches!(self.row, Some((last, _)) if last == id) && rng.u8(..) < 192;
        if !goes_on {
            let mut lanes: Vec<_> = kind.lanes.iter().map(|lane| value(rng, lane)).collect();
            if kind.placed {
                place(rng, schema, &mut lanes);
            }
            let private = kind.private_lanes.iter().map(|lane| value(rng, lane));
            self.row = Some((id, [lanes, private.collect()]));
        }
        self.tick = if goes_on {
            self.tick.saturating_add(1)
        } else {
            rng.u32(..)
        };
        // Held for some ticks, as people do.
        if !goes_on || rng.u8(..) < 64 {
            self.payload = payload(rng, schema);
        }
        self.input = rng.u8(..8).min(2);
        self.nearby.clear();
        self.reach = reach;
        self.focus = match &self.row {
            Some((_, [lanes, _])) if lanes.len() >= 2 => IVec2::new(lanes[0], lanes[1]),
            _ => IVec2::ZERO,
        };
        if reach == 0 {
            return;
        }
        let placed: Vec<_> = kinds(schema).filter(|(_, kind)| kind.placed).collect();
        let count = [0, 1, 3, MAX_NEARBY_ROWS + 3][rng.usize(..4)];
        for slot in 0..count as u32 {
            let Some(&(kind_id, kind)) = rng.choice(&placed) else {
                return;
            };
            let mut lanes: Vec<_> = kind.lanes.iter().map(|lane| value(rng, lane)).collect();
            let span = i32::try_from(reach >> rng.u32(..4)).unwrap_or(i32::MAX);
            lanes[0] = self.focus.x.saturating_add(rng.i32(-span..=span));
            lanes[1] = self.focus.y.saturating_add(rng.i32(-span..=span));
            let id = EntityId {
                kind: kind_id,
                slot,
                generation: rng.u32(1..9),
            };
            self.nearby.push((id, lanes));
        }
    }

    /// The row after its tick by some rules; `None` if they panic.
    fn run(&self, rules: &dyn Rules) -> Option<[Vec<i32>; 2]> {
        let (kind, mut row) = self.row.clone()?;
        let mut collector = NearbyCollector::default();
        collector.begin(self.focus, self.reach);
        for (id, lanes) in &self.nearby {
            if let Some(kind) = rules.nearby_kind(id.kind) {
                collector.offer(EntityId { kind, ..*id }, lanes.iter().copied());
            }
        }
        let context = RuleContext {
            tick: Tick(self.tick),
            input: match self.input {
                0 => RuleInput::Neutral,
                1 => RuleInput::Repeated(&self.payload),
                _ => RuleInput::Fresh(&self.payload),
            },
            nearby: collector.finish(),
        };
        let [lanes, private_lanes] = &mut row;
        catch_unwind(AssertUnwindSafe(|| {
            rules.advance(kind, lanes, private_lanes, &context);
        }))
        .ok()?;
        Some(row)
    }

    fn text(&self, kind: &Kind, seed: u64) -> String {
        let mut text = format!("kind {}, tick {}", kind.name, self.tick);
        if let Some((_, [lanes, private_lanes])) = &self.row {
            let _ = write!(text, ", lanes {lanes:?}, private lanes {private_lanes:?}");
        }
        let input = ["none", "repeated", "fresh"][usize::from(self.input.min(2))];
        let _ = write!(text, ", input {input} {:?}", self.payload);
        for (id, lanes) in &self.nearby {
            let _ = write!(
                text,
                ", near by kind {} slot {} {lanes:?}",
                id.kind.0, id.slot
            );
        }
        let _ = write!(text, ", seed {seed}");
        text
    }
}

/// A value that a lane could have.
fn value(rng: &mut Rng, lane: &Lane) -> i32 {
    let below =
        |rng: &mut Rng, count: usize| rng.i32(0..i32::try_from(count.max(1)).unwrap_or(i32::MAX));
    match &lane.value {
        ValueType::Boolean => rng.i32(0..2),
        ValueType::Choice(names) => below(rng, names.len()),
        ValueType::Flags(names) => below(rng, 1 << names.len().min(30)),
        ValueType::Teleports => rng.i32(0..256),
        ValueType::Player | ValueType::EntitySlot { .. } | ValueType::EntityGeneration => {
            rng.i32(0..9)
        }
        _ if lane.modulus > 0 => below(rng, lane.modulus as usize),
        _ => match rng.u8(..4) {
            0 => rng.i32(-3..4),
            1 => rng.i32(0..256),
            2 => rng.i32(-1000..1001),
            _ => rng.i32(-30_000..30_001),
        },
    }
}

/// Puts a row somewhere on the grid.
fn place(rng: &mut Rng, schema: &Schema, lanes: &mut [i32]) {
    let grid = &schema.grid;
    let counts = [(grid.origin.x, grid.columns), (grid.origin.y, grid.rows)];
    for (lane, (origin, cells)) in lanes.iter_mut().zip(counts) {
        let span = u64::from(cells) * u64::from(grid.cell_size);
        let at = i64::from(origin) + rng.u64(0..span.clamp(1, 1 << 32)) as i64;
        *lane = at.clamp(i32::MIN.into(), i32::MAX.into()) as i32;
    }
}

/// Any bytes, as many as an input of the schema has. All are possible; decoders clamp.
fn payload(rng: &mut Rng, schema: &Schema) -> Vec<u8> {
    let bits: u32 = schema.input.iter().map(|field| field.bits).sum();
    let bytes = match bits.div_ceil(8) {
        0 => rng.usize(0..9),
        bytes if rng.u8(..16) == 0 => rng.usize(0..bytes as usize + 2),
        bytes => bytes as usize,
    };
    (0..bytes).map(|_| rng.u8(..)).collect()
}
