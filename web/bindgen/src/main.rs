//! Generates the JavaScript side of the wasm module, like `wasm-bindgen --target web`.
//!
//! In: the module that cargo built for wasm32-unknown-unknown. Out: `tickwire_bg.wasm`, and the JavaScript and TypeScript declarations
//! through which a page loads it.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args_os().skip(1);
    let (Some(module), Some(out)) = (args.next(), args.next()) else {
        return Err("usage: tickwire-bindgen MODULE.wasm OUT_FOLDER".into());
    };
    wasm_bindgen_cli_support::Bindgen::new()
        .input_path(module)
        .out_name("tickwire")
        .web(true)?
        .omit_default_module_path(false)
        .typescript(true)
        .remove_name_section(true)
        .remove_producers_section(true)
        .generate(out)?;
    Ok(())
}
