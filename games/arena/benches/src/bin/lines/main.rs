//! Real TCP over slow, changing and broken lines: what arrives, how old it is, and how much of the line is used.
//!
//! Makes three network namespaces: server, router, client. The bottleneck is a `tc tbf` on the router, where the sender's kernel
//! cannot see it. Needs root, `ip` and `tc`, and the server's release build beside this binary. Everything ends in bounded time,
//! and the namespaces and processes with it. benches/README.md says how to read the figures.

mod cases;
mod compare;
mod net;
mod probe;
mod record;
mod thin;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        // Inside a namespace, started by the cases.
        ["probe", rest @ ..] => probe::run(rest),
        ["server", rest @ ..] => compare::serve(rest),
        ["map-server", rest @ ..] => thin::serve(rest),
        ["get", addr, path] => net::get(addr, path).map(|body| println!("{body}")),
        _ => cases::run(&words),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
