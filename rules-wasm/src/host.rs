//! Runs a rules module in an interpreter, for native clients and bots, and for a server that tries its own module.
//!
//! In: the bytes of a module, the names of a schema's kinds, and a map. Out: [`Rules`]. A module is a stranger's code: its memory,
//! its stack and the fuel of each call are bounded, and it can call nothing. One that traps or uses up its fuel is never called
//! again, leaves every row as it is from then on, and says why.

use crate::abi::{
    BUFFER_BYTES, INPUT_FRESH, INPUT_NEUTRAL, INPUT_REPEATED, MAX_MAP_BYTES, MAX_MEMORY_PAGES,
    MAX_TABLE_ENTRIES, VERSION,
};
use crate::shape::{ShapeError, check_shape};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use thiserror::Error;
use tickwire_rules::{RuleContext, RuleInput, Rules};
use tickwire_sync::KindId;
use wasmi::{
    CompilationMode, Config, EnforcedLimits, Engine, Instance, Memory, Module, Store, StoreLimits,
    StoreLimitsBuilder, TrapCode, TypedFunc, WasmParams, WasmResults,
};

/// Fuel of a call that moves a row. An operator of WebAssembly costs one. Rules of games need hundreds, and thousands where they
/// look at all rows near by. A module that loops for ever has used this up after about a millisecond, and is not called again.
pub const FUEL_PER_CALL: u64 = 500_000;
/// Fuel that a call may use on average. What calls use beyond it adds up to a debt, which later calls pay off.
const FUEL_PER_CALL_ON_AVERAGE: u64 = 20_000;
/// The largest debt: some 40 ms of computing. A module whose calls are all expensive would keep its client busy.
const MAX_FUEL_DEBT: u64 = 20_000_000;
/// Fuel of the call that reads the map, and of those that ask for a kind: once per session.
const FUEL_TO_START: u64 = 50_000_000;
/// The stack of the interpreter in bytes, beside the one of 64 KiB in the module's memory.
const STACK_BYTES: usize = 256 * 1024;
/// How deep functions may call one another.
const CALL_DEPTH: usize = 512;

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

#[derive(Clone, Copy, Debug)]
struct OwnKind {
    id: KindId,
    reach: u32,
}

/// Why a module cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum LoadError {
    /// The bytes are no rules module.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// The engine refuses the code.
    #[error("the rules module is not valid: {0}")]
    Invalid(String),
    /// Another version of the ABI.
    #[error(
        "the rules module speaks version {0} of the ABI, this program version {VERSION}: build both with the same Tickwire"
    )]
    Abi(i32),
    /// Other rules than expected.
    #[error(
        "the rules module has the rules {found:016x}, the room plays by {expected:016x}: build the module again"
    )]
    OtherRules {
        /// The hash of the room's rules.
        expected: u64,
        /// The hash that the module gives.
        found: u64,
    },
    /// The exchange buffer is not in the memory.
    #[error(
        "the rules module's exchange buffer is not inside its memory, or is not aligned to 4 bytes"
    )]
    Buffer,
    /// The map does not fit.
    #[error(
        "the map of {0} bytes does not fit into the rules module: a map can have at most 512 KiB"
    )]
    MapTooLarge(usize),
    /// The map cannot be read.
    #[error("the rules module cannot read the room's map")]
    Map,
    /// A kind's number is impossible.
    #[error("the rules module gives kind {0} an impossible number")]
    Kind(String),
    /// A trap or too much fuel before the first row was moved.
    #[error("the rules module failed while it was started: {0}")]
    Failed(String),
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
        check_shape(module)?;
        let mut running = Starting::new(module)?;
        let abi = running.call::<(), i32>("tickwire_abi", ())?;
        if abi != VERSION {
            return Err(LoadError::Abi(abi));
        }
        let found = running.call::<(), i64>("tickwire_rules_hash", ())? as u64;
        if found != expected_hash {
            return Err(LoadError::OtherRules {
                expected: expected_hash,
                found,
            });
        }
        running.start(map)?;
        let buffer = running.call::<(), i32>("tickwire_buffer", ())? as u32 as usize;
        if !buffer.is_multiple_of(4) || running.bytes(buffer, BUFFER_BYTES).is_none() {
            return Err(LoadError::Buffer);
        }
        let kinds = (kinds.iter())
            .map(|name| running.kind(buffer, name))
            .collect::<Result<_, _>>()?;
        let advance = running.function("tickwire_advance")?;
        Ok(Self(Arc::new(Shared {
            kinds,
            running: Mutex::new(Some(Running {
                fuel_debt: 0,
                store: running.store,
                memory: running.memory,
                buffer,
                advance,
            })),
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

/// An instance that is being started.
struct Starting {
    store: Store<StoreLimits>,
    instance: Instance,
    memory: Memory,
}

impl Starting {
    fn new(module: &[u8]) -> Result<Self, LoadError> {
        let invalid = |error: wasmi::Error| LoadError::Invalid(error.to_string());
        let mut config = Config::default();
        config
            .consume_fuel(true)
            .allow_start_fn(false)
            .ignore_custom_sections(true)
            .compilation_mode(CompilationMode::Eager)
            .enforced_limits(EnforcedLimits::strict())
            .set_max_stack_height(STACK_BYTES)
            .set_max_recursion_depth(CALL_DEPTH);
        let engine = Engine::new(&config);
        let module = Module::new(&engine, module).map_err(invalid)?;
        let limits = StoreLimitsBuilder::new()
            .memory_size(MAX_MEMORY_PAGES as usize * 64 * 1024)
            .table_elements(MAX_TABLE_ENTRIES as usize)
            .instances(1)
            .memories(1)
            .tables(1)
            .build();
        let mut store = Store::new(&engine, limits);
        store.limiter(|limits| limits);
        store.set_fuel(FUEL_TO_START).map_err(invalid)?;
        let instance = Instance::new(&mut store, &module, &[]).map_err(invalid)?;
        let memory = (instance.get_memory(&store, "memory")).ok_or(LoadError::Buffer)?;
        Ok(Self {
            store,
            instance,
            memory,
        })
    }

    fn function<P: WasmParams, R: WasmResults>(
        &self,
        name: &str,
    ) -> Result<TypedFunc<P, R>, LoadError> {
        (self.instance.get_typed_func(&self.store, name))
            .map_err(|error| LoadError::Invalid(error.to_string()))
    }

    fn call<P: WasmParams, R: WasmResults>(&mut self, name: &str, p: P) -> Result<R, LoadError> {
        let function = self.function::<P, R>(name)?;
        (function.call(&mut self.store, p)).map_err(|error| LoadError::Failed(reason(&error)))
    }

    /// A part of the memory, if it is inside.
    fn bytes(&mut self, address: usize, count: usize) -> Option<&mut [u8]> {
        let memory = self.memory.data_mut(&mut self.store);
        memory.get_mut(address..)?.get_mut(..count)
    }

    fn start(&mut self, map: &[u8]) -> Result<(), LoadError> {
        let too_large = LoadError::MapTooLarge(map.len());
        if map.len() > MAX_MAP_BYTES {
            return Err(too_large);
        }
        let bytes = map.len() as i32;
        let address = self.call::<i32, i32>("tickwire_map_buffer", bytes)? as u32 as usize;
        match self.bytes(address, map.len()) {
            Some(place) if address != 0 => place.copy_from_slice(map),
            _ => return Err(too_large),
        }
        match self.call::<i32, i32>("tickwire_start", bytes)? {
            1 => Ok(()),
            _ => Err(LoadError::Map),
        }
    }

    fn kind(&mut self, buffer: usize, name: &str) -> Result<Option<OwnKind>, LoadError> {
        // A name that is longer than the buffer is none that the module can know.
        let Some(place) = self
            .bytes(buffer, BUFFER_BYTES)
            .and_then(|all| all.get_mut(..name.len()))
        else {
            return Ok(None);
        };
        place.copy_from_slice(name.as_bytes());
        let id = self.call::<i32, i32>("tickwire_kind", name.len() as i32)?;
        if id == -1 {
            return Ok(None);
        }
        let Ok(kind) = u8::try_from(id) else {
            return Err(LoadError::Kind(name.to_owned()));
        };
        let reach = self.call::<i32, i32>("tickwire_reach", id)? as u32;
        Ok(Some(OwnKind {
            id: KindId(kind),
            reach,
        }))
    }
}

/// Kind, tick, lanes, private lanes, words near by, kind of input, bytes of input.
type AdvanceParams = (i32, i32, i32, i32, i32, i32, i32);

/// An instance that moves rows.
#[derive(Debug)]
struct Running {
    store: Store<StoreLimits>,
    memory: Memory,
    /// The address of the exchange buffer. Memories never shrink, so it stays inside.
    buffer: usize,
    advance: TypedFunc<AdvanceParams, ()>,
    /// What calls have used beyond the average.
    fuel_debt: u64,
}

impl Running {
    fn advance(
        &mut self,
        kind: KindId,
        lanes: &mut [i32],
        private_lanes: &mut [i32],
        context: &RuleContext<'_>,
    ) -> Result<(), wasmi::Error> {
        let (input, payload) = match context.input {
            RuleInput::Neutral => (INPUT_NEUTRAL, &[][..]),
            RuleInput::Fresh(payload) => (INPUT_FRESH, payload),
            RuleInput::Repeated(payload) => (INPUT_REPEATED, payload),
        };
        let nearby = context.nearby.words();
        let words = lanes.len() + private_lanes.len() + nearby.len();
        if words * 4 + payload.len() > BUFFER_BYTES {
            return Ok(());
        }
        let buffer = &mut self.memory.data_mut(&mut self.store)[self.buffer..][..BUFFER_BYTES];
        let (filled, rest) = buffer.split_at_mut(words * 4);
        let all = lanes.iter().chain(&*private_lanes).chain(nearby);
        for (place, word) in filled.as_chunks_mut::<4>().0.iter_mut().zip(all) {
            *place = word.to_le_bytes();
        }
        rest[..payload.len()].copy_from_slice(payload);
        self.store.set_fuel(FUEL_PER_CALL)?;
        let params = (
            kind.0.into(),
            context.tick.0 as i32,
            lanes.len() as i32,
            private_lanes.len() as i32,
            nearby.len() as i32,
            input,
            payload.len() as i32,
        );
        self.advance.call(&mut self.store, params)?;
        let used = FUEL_PER_CALL.saturating_sub(self.store.get_fuel()?);
        self.fuel_debt = (self.fuel_debt + used).saturating_sub(FUEL_PER_CALL_ON_AVERAGE);
        if self.fuel_debt > MAX_FUEL_DEBT {
            return Err(wasmi::Error::new(
                "it computes for too long, call after call",
            ));
        }
        let buffer = &self.memory.data(&self.store)[self.buffer..];
        let all = lanes.iter_mut().chain(private_lanes);
        for (word, place) in all.zip(buffer.as_chunks::<4>().0) {
            *word = i32::from_le_bytes(*place);
        }
        Ok(())
    }
}

/// Why a call failed, for people.
fn reason(error: &wasmi::Error) -> String {
    if error.as_trap_code() == Some(TrapCode::OutOfFuel) {
        "it used up its fuel: it loops for ever, or computes for too long".to_owned()
    } else {
        format!("it trapped: {error}")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests {
    use super::*;
    use tickwire_rules::NearbyRows;
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
