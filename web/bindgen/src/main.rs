//! Generates the JavaScript side of the wasm module, like `wasm-bindgen --target web`.
//!
//! In: the module that cargo built for wasm32-unknown-unknown. Out: `tickwire_bg.wasm`, and the JavaScript and TypeScript declarations
//! through which a page loads it.
//!
//! Both name the build: the module imports its functions from a name that is made of its own bytes. So a script and a module of two
//! builds, as a browser gets them while a new version is rolled out, do not link, instead of playing wrongly.

use std::error::Error;
use std::path::{Path, PathBuf};
use wasm_bindgen_cli_support::{Bindgen, EncodeInto};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args_os().skip(1);
    let (Some(module), Some(out)) = (args.next(), args.next()) else {
        return Err("usage: tickwire-bindgen MODULE.wasm OUT_FOLDER".into());
    };
    Bindgen::new()
        .input_path(module)
        .out_name("tickwire")
        .web(true)?
        .omit_default_module_path(false)
        .typescript(true)
        .encode_into(EncodeInto::Always)
        .remove_name_section(true)
        .remove_producers_section(true)
        .generate(&out)?;
    name_build(&PathBuf::from(out))?;
    Ok(())
}

/// Where wasm-bindgen has a module's imports come from.
const IMPORTS_FROM: &str = "./tickwire_bg.js";

/// Puts the build's name in place of [`IMPORTS_FROM`], in the module and in the script.
fn name_build(folder: &Path) -> Result<(), Box<dyn Error>> {
    let (module, script) = (folder.join("tickwire_bg.wasm"), folder.join("tickwire.js"));
    let wasm = std::fs::read(&module)?;
    let name = build_name(&wasm);
    // Of equal length, so that nothing else in the module moves.
    assert_eq!(name.len(), IMPORTS_FROM.len());
    std::fs::write(&module, replaced(wasm, name.as_bytes())?)?;
    let text = std::fs::read(&script)?;
    std::fs::write(&script, replaced(text, name.as_bytes())?)?;
    Ok(())
}

/// A name made of the module's bytes (FNV-1a).
fn build_name(wasm: &[u8]) -> String {
    let hash = wasm.iter().fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3)
    });
    format!("{hash:016x}")
}

fn replaced(mut bytes: Vec<u8>, name: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut at = 0;
    let mut count = 0;
    while let Some(found) = (bytes[at..].windows(IMPORTS_FROM.len()))
        .position(|window| window == IMPORTS_FROM.as_bytes())
    {
        at += found;
        bytes[at..at + name.len()].copy_from_slice(name);
        count += 1;
    }
    if count == 0 {
        return Err(format!("there is no {IMPORTS_FROM} to replace").into());
    }
    Ok(bytes)
}
