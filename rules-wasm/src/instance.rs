//! One instance of a rules module in the interpreter: while it is started, and while it moves rows.
//!
//! In: the bytes of a module, a map, names of kinds, and rows. Out: the module's numbers of kinds, and moved rows, or why not. Memory,
//! stack and fuel are bounded in both phases. Nothing here is shared between threads.

use crate::abi::{
    BUFFER_BYTES, INPUT_FRESH, INPUT_NEUTRAL, INPUT_REPEATED, MAX_MAP_BYTES, MAX_MEMORY_PAGES,
    MAX_TABLE_ENTRIES, VERSION,
};
use crate::shape::{ShapeError, check_shape};
use std::panic::{AssertUnwindSafe, catch_unwind};
use thiserror::Error;
use tickwire_rules::{RuleContext, RuleInput};
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

/// A kind as the module knows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OwnKind {
    pub id: KindId,
    pub reach: u32,
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
        // Of some invalid modules the interpreter breaks an assertion of its own, where assertions are on.
        let compiled = catch_unwind(AssertUnwindSafe(|| Module::new(&engine, module)));
        let module = match compiled {
            Ok(compiled) => compiled.map_err(invalid)?,
            Err(_) => return Err(LoadError::Invalid("its code makes no sense".to_owned())),
        };
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
pub(crate) struct Running {
    store: Store<StoreLimits>,
    memory: Memory,
    /// The address of the exchange buffer. Memories never shrink, so it stays inside.
    buffer: usize,
    advance: TypedFunc<AdvanceParams, ()>,
    /// What calls have used beyond the average.
    fuel_debt: u64,
}

impl Running {
    /// Compiles and starts a module; see `WasmRules::load`. Returns the instance, and the kinds by the schema's numbers.
    ///
    /// # Errors
    /// If the module is not what it should be.
    pub fn start(
        module: &[u8],
        kinds: &[&str],
        map: &[u8],
        expected_hash: u64,
    ) -> Result<(Self, Vec<Option<OwnKind>>), LoadError> {
        check_shape(module)?;
        let mut starting = Starting::new(module)?;
        let abi = starting.call::<(), i32>("tickwire_abi", ())?;
        if abi != VERSION {
            return Err(LoadError::Abi(abi));
        }
        let found = starting.call::<(), i64>("tickwire_rules_hash", ())? as u64;
        if found != expected_hash {
            return Err(LoadError::OtherRules {
                expected: expected_hash,
                found,
            });
        }
        starting.start(map)?;
        let buffer = starting.call::<(), i32>("tickwire_buffer", ())? as u32 as usize;
        if !buffer.is_multiple_of(4) || starting.bytes(buffer, BUFFER_BYTES).is_none() {
            return Err(LoadError::Buffer);
        }
        let kinds = (kinds.iter())
            .map(|name| starting.kind(buffer, name))
            .collect::<Result<_, _>>()?;
        let advance = starting.function("tickwire_advance")?;
        let running = Self {
            store: starting.store,
            memory: starting.memory,
            buffer,
            advance,
            fuel_debt: 0,
        };
        Ok((running, kinds))
    }

    /// Moves one row by a tick. A row that does not fit into the exchange buffer stays as it is.
    ///
    /// # Errors
    /// If the module traps, or computes for too long.
    pub fn advance(
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
pub(crate) fn reason(error: &wasmi::Error) -> String {
    if error.as_trap_code() == Some(TrapCode::OutOfFuel) {
        "it used up its fuel: it loops for ever, or computes for too long".to_owned()
    } else {
        format!("it trapped: {error}")
    }
}
