//! Checks that bytes are a rules module, before an engine compiles them.
//!
//! In: any bytes. Out: nothing, or what is wrong with them. The check reads the sections that say what a module asks for: imports,
//! memory, exports. It takes time in proportion to the bytes, allocates nothing and never panics. It does not validate code, which
//! the engine does; and it does not know whether the rules are the right ones, which the host asks the module itself.

use crate::abi::{FUNCTIONS, MAX_MEMORY_PAGES, MAX_MODULE_BYTES, MAX_TABLE_ENTRIES};
use thiserror::Error;

/// Why bytes are not a rules module.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum ShapeError {
    /// Too many bytes.
    #[error(
        "the rules module is larger than 1 MiB: build it for size, or keep tables and art out of the rules"
    )]
    TooLarge,
    /// Not WebAssembly of version 1.
    #[error("the rules module is not a WebAssembly module of version 1")]
    NoModule,
    /// A section that ends early, or stands twice.
    #[error("the rules module is damaged: a section does not read to its end")]
    Damaged,
    /// Parts that hosts don't run.
    #[error(
        "the rules module uses a part of WebAssembly that rules cannot use, such as garbage-collected types, tags or computed tables"
    )]
    Unsupported,
    /// Imports.
    #[error(
        "the rules module has imports: rules can call nothing outside, such as clocks, files, randomness or JavaScript"
    )]
    Imports,
    /// A start function.
    #[error("the rules module has a start function: nothing may run before the host calls it")]
    StartFunction,
    /// No memory, or several.
    #[error("the rules module needs exactly one memory of its own")]
    NoMemory,
    /// A memory without a maximum.
    #[error("the rules module's memory has no maximum: link with --max-memory=1048576")]
    NoMemoryMaximum,
    /// A memory that is too large.
    #[error("the rules module's memory may grow beyond 16 MiB: link with --max-memory=1048576")]
    MemoryTooLarge,
    /// A memory that is shared or has 64-bit addresses.
    #[error(
        "the rules module's memory is shared or has 64-bit addresses: rules need a plain memory"
    )]
    MemoryKind,
    /// A table that is too large, or without a maximum.
    #[error(
        "the rules module's tables are more than one, have no maximum, or hold more than 65,536 entries"
    )]
    TableTooLarge,
    /// An export that is not there.
    #[error("the rules module does not export {0}: write its exports with export_rules!")]
    NoExport(&'static str),
    /// An export of another kind or signature.
    #[error(
        "the rules module exports {0} with another kind or signature: was it built for another version of the ABI?"
    )]
    WrongExport(&'static str),
}

/// Checks that a module has no imports and no start function, one plain memory with a maximum of at most
/// [`MAX_MEMORY_PAGES`], and all exports of the ABI.
///
/// # Errors
/// The first thing that is wrong.
pub fn check_shape(module: &[u8]) -> Result<(), ShapeError> {
    if module.len() > MAX_MODULE_BYTES {
        return Err(ShapeError::TooLarge);
    }
    let sections = Sections::read(module)?;
    if sections.count(IMPORT)? > 0 {
        return Err(ShapeError::Imports);
    }
    if sections.bytes[START].is_some() {
        return Err(ShapeError::StartFunction);
    }
    check_types(sections.reader(TYPE))?;
    check_memory(sections.reader(MEMORY))?;
    check_tables(sections.reader(TABLE))?;
    check_exports(&sections)
}

// Numbers of sections.
const CUSTOM: usize = 0;
const TYPE: usize = 1;
const IMPORT: usize = 2;
const FUNCTION: usize = 3;
const TABLE: usize = 4;
const MEMORY: usize = 5;
const EXPORT: usize = 7;
const START: usize = 8;
const SECTIONS: usize = 13;

/// The form of a function's type.
const FUNCTION_FORM: u8 = 0x60;
/// Flags of limits: a maximum is there; shared; addresses of 64 bits.
const HAS_MAXIMUM: u8 = 1;

struct Sections<'a> {
    /// By number; none twice.
    bytes: [Option<&'a [u8]>; SECTIONS],
}

impl<'a> Sections<'a> {
    fn read(module: &'a [u8]) -> Result<Self, ShapeError> {
        let rest = module.strip_prefix(b"\0asm\x01\0\0\0");
        let mut reader = Reader(rest.ok_or(ShapeError::NoModule)?);
        let mut bytes = [None; SECTIONS];
        while !reader.0.is_empty() {
            let number = usize::from(reader.byte()?);
            let content = reader.sized()?;
            if number == CUSTOM {
                continue;
            }
            let section = bytes.get_mut(number).ok_or(ShapeError::Unsupported)?;
            if section.replace(content).is_some() {
                return Err(ShapeError::Damaged);
            }
        }
        Ok(Self { bytes })
    }

    fn reader(&self, number: usize) -> Option<Reader<'a>> {
        self.bytes[number].map(Reader)
    }

    /// How many entries a section has; 0 if it is not there.
    fn count(&self, number: usize) -> Result<u32, ShapeError> {
        self.reader(number)
            .map_or(Ok(0), |mut reader| reader.number())
    }
}

fn check_types(types: Option<Reader<'_>>) -> Result<(), ShapeError> {
    let Some(mut types) = types else {
        return Ok(());
    };
    for _ in 0..types.number()? {
        types.function_type()?;
    }
    Ok(())
}

fn check_memory(memories: Option<Reader<'_>>) -> Result<(), ShapeError> {
    let mut memories = memories.ok_or(ShapeError::NoMemory)?;
    if memories.number()? != 1 {
        return Err(ShapeError::NoMemory);
    }
    let flags = memories.byte()?;
    if flags & !HAS_MAXIMUM != 0 {
        return Err(ShapeError::MemoryKind);
    }
    let minimum = memories.number()?;
    if flags & HAS_MAXIMUM == 0 {
        return Err(ShapeError::NoMemoryMaximum);
    }
    if minimum.max(memories.number()?) > MAX_MEMORY_PAGES {
        return Err(ShapeError::MemoryTooLarge);
    }
    Ok(())
}

fn check_tables(tables: Option<Reader<'_>>) -> Result<(), ShapeError> {
    let Some(mut tables) = tables else {
        return Ok(());
    };
    match tables.number()? {
        0 => return Ok(()),
        1 => {}
        _ => return Err(ShapeError::TableTooLarge),
    }
    // References to functions or to outside; a longer form has types of its own or a computed first value.
    if !matches!(tables.byte()?, 0x70 | 0x6F) {
        return Err(ShapeError::Unsupported);
    }
    if tables.byte()? != HAS_MAXIMUM || tables.number()?.max(tables.number()?) > MAX_TABLE_ENTRIES {
        return Err(ShapeError::TableTooLarge);
    }
    Ok(())
}

fn check_exports(sections: &Sections<'_>) -> Result<(), ShapeError> {
    let functions = FUNCTIONS.iter().map(|one| (one.0, Some(one.1)));
    for (name, signature) in [("memory", None)].into_iter().chain(functions) {
        let (kind, index) = find_export(sections, name)?.ok_or(ShapeError::NoExport(name))?;
        let fits = match signature {
            None => kind == 2 && index == 0,
            Some(signature) => kind == 0 && function_type(sections, index)? == signature,
        };
        if !fits {
            return Err(ShapeError::WrongExport(name));
        }
    }
    Ok(())
}

/// The kind and the index of an export.
fn find_export(sections: &Sections<'_>, name: &str) -> Result<Option<(u8, u32)>, ShapeError> {
    let Some(mut exports) = sections.reader(EXPORT) else {
        return Ok(None);
    };
    for _ in 0..exports.number()? {
        let found = exports.sized()?;
        let export = (exports.byte()?, exports.number()?);
        if found == name.as_bytes() {
            return Ok(Some(export));
        }
    }
    Ok(None)
}

/// The type of a function. Without imports, the first function of the module has the index 0.
fn function_type<'a>(sections: &Sections<'a>, index: u32) -> Result<&'a [u8], ShapeError> {
    let mut functions = sections.reader(FUNCTION).ok_or(ShapeError::Damaged)?;
    let mut types = sections.reader(TYPE).ok_or(ShapeError::Damaged)?;
    if index >= functions.number()? {
        return Err(ShapeError::Damaged);
    }
    for _ in 0..index {
        functions.number()?;
    }
    let index = functions.number()?;
    if index >= types.number()? {
        return Err(ShapeError::Damaged);
    }
    for _ in 0..index {
        types.function_type()?;
    }
    types.function_type()
}

/// Reads from the front of its bytes.
#[derive(Clone, Copy)]
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Result<u8, ShapeError> {
        let (&byte, rest) = self.0.split_first().ok_or(ShapeError::Damaged)?;
        self.0 = rest;
        Ok(byte)
    }

    /// An unsigned LEB128 number of 32 bits. Bits beyond that are damage, as they are to every engine.
    fn number(&mut self) -> Result<u32, ShapeError> {
        let mut number = 0_u64;
        for shift in [0, 7, 14, 21, 28] {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return u32::try_from(number).map_err(|_| ShapeError::Damaged);
            }
        }
        Err(ShapeError::Damaged)
    }

    fn take(&mut self, count: u32) -> Result<&'a [u8], ShapeError> {
        let (taken, rest) = (self.0.split_at_checked(count as usize)).ok_or(ShapeError::Damaged)?;
        self.0 = rest;
        Ok(taken)
    }

    /// Bytes after their number.
    fn sized(&mut self) -> Result<&'a [u8], ShapeError> {
        let count = self.number()?;
        self.take(count)
    }

    /// A function's type without its form: the numbers and types of parameters and results, as they stand.
    fn function_type(&mut self) -> Result<&'a [u8], ShapeError> {
        if self.byte()? != FUNCTION_FORM {
            return Err(ShapeError::Unsupported);
        }
        let start = self.0;
        self.sized()?;
        self.sized()?;
        Ok(&start[..start.len() - self.0.len()])
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WALKER: &str = include_str!("../tests/walker.wat");

    fn changed(from: &str, to: &str) -> Result<(), ShapeError> {
        assert!(WALKER.contains(from), "the module has {from}");
        check_shape(&wat::parse_str(WALKER.replace(from, to)).unwrap())
    }

    #[test]
    fn a_rules_module_passes() {
        assert_eq!(changed("", ""), Ok(()));
    }

    #[test]
    fn what_is_no_module_is_refused() {
        assert_eq!(check_shape(b""), Err(ShapeError::NoModule));
        assert_eq!(check_shape(b"<!doctype html>"), Err(ShapeError::NoModule));
        assert_eq!(check_shape(b"\0asm\x0D\0\x01\0"), Err(ShapeError::NoModule));
        let huge = vec![0; MAX_MODULE_BYTES + 1];
        assert_eq!(check_shape(&huge), Err(ShapeError::TooLarge));
    }

    #[test]
    fn imports_and_a_start_function_are_refused() {
        let import = "(module (import \"env\" \"now\" (func (result i64)))";
        assert_eq!(changed("(module", import), Err(ShapeError::Imports));
        let start = "(module (start $setup) (func $setup)";
        assert_eq!(changed("(module", start), Err(ShapeError::StartFunction));
    }

    #[test]
    fn a_memory_needs_a_small_maximum() {
        let memory = "(memory (export \"memory\") 2 16)";
        for (to, error) in [
            (
                "(memory (export \"memory\") 2)",
                ShapeError::NoMemoryMaximum,
            ),
            (
                "(memory (export \"memory\") 2 65536)",
                ShapeError::MemoryTooLarge,
            ),
            (
                "(memory (export \"memory\") 2 257)",
                ShapeError::MemoryTooLarge,
            ),
            (
                "(memory (export \"memory\") 2 16 shared)",
                ShapeError::MemoryKind,
            ),
            (
                "(memory (export \"memory\") i64 2 16)",
                ShapeError::MemoryKind,
            ),
            (
                "(memory (export \"memory\") 2 16) (memory 1 1)",
                ShapeError::NoMemory,
            ),
            ("(memory 2 16)", ShapeError::NoExport("memory")),
        ] {
            assert_eq!(changed(memory, to), Err(error), "{to}");
        }
        assert_eq!(
            changed(memory, "(memory (export \"memory\") 2 256)"),
            Ok(())
        );
    }

    #[test]
    fn tables_and_types_are_plain_and_small() {
        for (part, result) in [
            ("(table 3 3 funcref)", Ok(())),
            ("(table 3 funcref)", Err(ShapeError::TableTooLarge)),
            (
                "(table 65537 65537 funcref)",
                Err(ShapeError::TableTooLarge),
            ),
            (
                "(table 1 1 funcref) (table 1 1 funcref)",
                Err(ShapeError::TableTooLarge),
            ),
            ("(type (array i8))", Err(ShapeError::Unsupported)),
            ("(tag (param i32))", Err(ShapeError::Unsupported)),
        ] {
            assert_eq!(
                changed("(module", &format!("(module {part}")),
                result,
                "{part}"
            );
        }
    }

    #[test]
    fn every_export_of_the_abi_is_needed_as_it_is() {
        for (name, _) in FUNCTIONS {
            let quoted = format!("\"{name}\"");
            assert_eq!(
                changed(&quoted, "\"another\""),
                Err(ShapeError::NoExport(name))
            );
            let global = format!("(module (global (export {quoted}) i32 (i32.const 1))");
            let hidden = WALKER
                .replace(&quoted, "\"another\"")
                .replace("(module", &global);
            let module = wat::parse_str(hidden).unwrap();
            assert_eq!(check_shape(&module), Err(ShapeError::WrongExport(name)));
        }
        assert_eq!(
            changed("(result i64) (i64.const", "(result i32) (i32.const"),
            Err(ShapeError::WrongExport("tickwire_rules_hash"))
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_checked_without_a_panic(bytes: Vec<u8>) {
            let _ = check_shape(&bytes);
            let _ = check_shape(&[b"\0asm\x01\0\0\0", &bytes[..]].concat());
        }

        #[test]
        fn a_changed_module_is_checked_without_a_panic(changes: Vec<(prop::sample::Index, u8)>, end: prop::sample::Index) {
            let mut module = wat::parse_str(WALKER).unwrap();
            let _ = check_shape(&module[..end.index(module.len())]);
            for (at, byte) in changes {
                let at = at.index(module.len());
                module[at] = byte;
            }
            let _ = check_shape(&module);
        }
    }
}
