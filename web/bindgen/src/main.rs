//! Generates the JavaScript side of the wasm module, like `wasm-bindgen --target web`.
//!
//! In: the module that cargo built for wasm32-unknown-unknown. Out: `tickwire_bg.wasm`, and the JavaScript and TypeScript declarations
//! through which a page loads it.

use std::error::Error;
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
        .generate(out)?;
    Ok(())
}
