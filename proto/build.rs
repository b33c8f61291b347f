//! Compiles the .proto files with protox, so that no protoc is needed, and generates the types with prost-build.
use std::error::Error;

const FILES: [&str; 3] = [
    "tickwire/v1/common.proto",
    "tickwire/v1/client.proto",
    "tickwire/v1/server.proto",
];

/// What a schema is made of: as JSON it has the names of the protocol.
const SCHEMA_MESSAGES: [&str; 8] = [
    "Schema",
    "Kind",
    "Lane",
    "ValueType",
    "InputField",
    "PayloadKind",
    "Field",
    "Grid",
];
const JSON: &str = r#"#[cfg_attr(feature = "json", derive(serde::Serialize, serde::Deserialize), serde(default))]"#;
const LEAVE_OUT_NOTHING: &str =
    r#"#[cfg_attr(feature = "json", serde(skip_serializing_if = "Option::is_none"))]"#;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=tickwire");
    let descriptors = protox::compile(FILES, ["."])?;
    let mut config = prost_build::Config::new();
    config.bytes([".tickwire.v1.Snapshot.packed"]);
    for message in SCHEMA_MESSAGES {
        config.message_attribute(format!(".tickwire.v1.{message}"), JSON);
    }
    for message in ["Lane", "InputField", "Field"] {
        config.field_attribute(format!(".tickwire.v1.{message}.value"), LEAVE_OUT_NOTHING);
    }
    if std::env::var_os("CARGO_FEATURE_PLAIN").is_none() {
        // The unit type is prost's message without fields: it skips whatever a block has.
        config.extern_path(".tickwire.v1.Block", "()");
    }
    config.compile_fds(descriptors)?;
    Ok(())
}
