//! A game's schema from a file, as a server prints it with `--print-schema`.

use anyhow::Context as _;
use std::io::Read as _;
use std::path::Path;
use tickwire_proto::GameSchema;
use tickwire_sync::Schema;

/// The game's name and schema. `-` is standard input.
///
/// # Errors
/// If the file cannot be read, is none of a server, or its schema breaks a limit of the protocol.
pub fn read_schema(file: &Path) -> anyhow::Result<(String, Schema)> {
    let read = || {
        if file.as_os_str() != "-" {
            return std::fs::read_to_string(file);
        }
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    };
    let name = file.display();
    let text = read().with_context(|| format!("{name} cannot be read"))?;
    let GameSchema { game, schema } = serde_json::from_str(&text)
        .with_context(|| format!("{name} is not what a server prints with --print-schema"))?;
    let schema = Schema::from_proto(&schema)
        .with_context(|| format!("{name} has a schema that no server would serve"))?;
    Ok((game, schema))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(String, Schema), String> {
        let name = format!("tickwire-schema-{}-{}", std::process::id(), text.len());
        let file = std::env::temp_dir().join(name);
        std::fs::write(&file, text).map_err(|error| error.to_string())?;
        let result = read_schema(&file).map_err(|error| error.to_string());
        let _ = std::fs::remove_file(file);
        result
    }

    #[test]
    fn what_a_schema_says_is_read() {
        let text = r#"{"game": "dots", "grid": {"cell_size": 1, "columns": 1, "rows": 1, "layers": 1},
            "kinds": [{"name": "dot", "lanes": [{"name": "x", "value": {"meaning": 2, "steps": 16}}]}]}"#;
        let (game, schema) = read(text).unwrap();
        assert_eq!((&*game, &*schema.kinds[0].lanes[0].name), ("dots", "x"));
    }

    #[test]
    fn what_is_no_schema_is_an_error_with_a_sentence() {
        let error = read("no JSON").unwrap_err();
        assert!(error.contains("--print-schema"), "{error}");
        let error = read(r#"{"game": "dots"}"#).unwrap_err();
        assert!(error.contains("no server would serve"), "{error}");
    }
}
