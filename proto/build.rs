//! Compiles the .proto files with protox, so that no protoc is needed, and generates the types with prost-build.
use std::error::Error;

const FILES: [&str; 3] = [
    "tickwire/v1/common.proto",
    "tickwire/v1/client.proto",
    "tickwire/v1/server.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=tickwire");
    let descriptors = protox::compile(FILES, ["."])?;
    prost_build::Config::new()
        .bytes([".tickwire.v1.Snapshot.packed"])
        .compile_fds(descriptors)?;
    Ok(())
}
