//! Writes the rules modules of the tests to a folder, for tests in other languages: `good.wasm`, and one for each thing that can be
//! wrong with a module.
//!
//! `cargo run -p tickwire-tests --example rules_modules -- FOLDER`

use std::path::PathBuf;
use tickwire_tests::modules::{self, Bad};

fn main() -> std::io::Result<()> {
    let Some(folder) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("which folder?");
        std::process::exit(2);
    };
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("good.wasm"), modules::good())?;
    for bad in Bad::ALL.into_iter().chain(Bad::IN_PLAY) {
        let file = folder.join(bad.name()).with_extension("wasm");
        std::fs::write(file, bad.bytes())?;
    }
    Ok(())
}
