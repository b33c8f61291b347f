//! The file of bans and mutes: JSON, replaced as a whole.
//!
//! In: a folder. Out: its entries, or what is wrong, in one line. A write that is cut off leaves the old file as it was.

use super::entry::Entry;
use super::{MAX_ENTRIES, ModerationError};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

/// The file's name in `--data-dir`.
pub(super) const NAME: &str = "moderation.json";
/// What is written before it takes the file's place.
const TEMPORARY_NAME: &str = "moderation.json.new";

fn system(path: &Path) -> impl FnOnce(io::Error) -> ModerationError {
    let path = path.to_owned();
    |error| ModerationError::System { path, error }
}

/// Makes the folder if there is none, and checks that files can be written to it: at the first ban it would be too late to learn.
pub(super) fn check_folder(folder: &Path) -> Result<(), ModerationError> {
    fs::create_dir_all(folder).map_err(system(folder))?;
    let trial = folder.join(TEMPORARY_NAME);
    File::create(&trial)
        .and_then(|_| fs::remove_file(&trial))
        .map_err(system(&trial))
}

/// Reads the newest id and the entries; none where there is no file.
pub(super) fn read(path: &Path) -> Result<(u64, Vec<Entry>), ModerationError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((0, Vec::new())),
        Err(error) => return Err(system(path)(error)),
    };
    parse(&text).map_err(|problem| ModerationError::Malformed {
        path: path.to_owned(),
        problem,
    })
}

fn parse(text: &str) -> Result<(u64, Vec<Entry>), String> {
    let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let newest_id = value.get("newest_id").and_then(Value::as_u64);
    let newest_id = newest_id.ok_or("newest_id is no number")?;
    let entries = value.get("entries").and_then(Value::as_array);
    let entries = entries.ok_or("entries is no list")?;
    if entries.len() > MAX_ENTRIES {
        return Err(format!("there are more than {MAX_ENTRIES} entries"));
    }
    let read = |(index, entry)| {
        let read = Entry::from_json(entry);
        read.map_err(|problem| format!("entry {}: {problem}", index + 1))
    };
    let entries: Vec<Entry> = (entries.iter().enumerate().map(read)).collect::<Result<_, _>>()?;
    // A file that was written by hand may have larger ids.
    let largest = entries.iter().map(|entry| entry.id).max().unwrap_or(0);
    Ok((newest_id.max(largest), entries))
}

/// The file's contents, with an entry a line, for people who look.
pub(super) fn text<'a>(newest_id: u64, entries: impl Iterator<Item = &'a Entry>) -> String {
    let lines: Vec<String> = entries
        .map(|entry| format!("  {}", entry.to_json()))
        .collect();
    format!(
        "{{\"newest_id\": {}, \"entries\": [\n{}\n]}}\n",
        json!(newest_id),
        lines.join(",\n")
    )
}

/// Replaces the file: whatever happens, there is the old one or the new one.
pub(super) fn write(path: &Path, text: &str) -> Result<(), ModerationError> {
    let temporary = path.with_file_name(TEMPORARY_NAME);
    let written = File::create(&temporary).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.map_err(system(&temporary))?;
    fs::rename(&temporary, path).map_err(system(path))?;
    // The new name is on the disk once the folder is. Windows has no folder that can be opened like this, and needs none.
    #[cfg(unix)]
    if let Some(folder) = path.parent() {
        (File::open(folder).and_then(|folder| folder.sync_all())).map_err(system(folder))?;
    }
    Ok(())
}
