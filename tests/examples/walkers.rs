//! A server whose players walk about, for the browser's tests: its rules module is made by hand.

use std::process::ExitCode;
use tickwire_tests::modules;
use tickwire_tests::walkers::Walkers;

fn main() -> ExitCode {
    let module: &[u8] = modules::good().leak();
    tickwire_server::main(move |_| Box::new(Walkers::new(module)))
}
