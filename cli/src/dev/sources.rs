//! The sources of a project, and what of them has changed.
//!
//! In: the project's folder. Out: the first file that changed, came or went. Files are looked at four times a second, by time and
//! length: that works in every container and on every file system, where notices of the system do not.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// How often files are looked at.
const INTERVAL: Duration = Duration::from_millis(250);
/// What is looked at: files, and folders with all that is in them. Not `Cargo.lock`, which the build itself writes.
const CODE: [&str; 3] = ["src", "build.rs", "Cargo.toml"];
const PAGE: &str = "page";

/// What has changed: a file, relative to the project.
#[derive(PartialEq, Eq, Debug)]
pub enum Change {
    /// The program must be built.
    Code(PathBuf),
    /// The server reads the page's files anew with each request.
    Page(PathBuf),
}

/// A file's time and length.
type Stamp = (Option<SystemTime>, u64);

/// The files as they were when they were last looked at.
pub struct Sources {
    folder: PathBuf,
    files: BTreeMap<PathBuf, Stamp>,
}

impl Sources {
    pub fn read(folder: &Path) -> Self {
        let mut files = BTreeMap::new();
        for name in CODE.into_iter().chain([PAGE]) {
            collect(folder, Path::new(name), &mut files);
        }
        Self {
            folder: folder.to_owned(),
            files,
        }
    }

    /// Waits for a change. What changed since [`Self::read`] counts.
    pub async fn changed(&mut self) -> Change {
        loop {
            if let Some(change) = self.look() {
                return change;
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }

    /// The first change since the last look; of the code if there is one.
    fn look(&mut self) -> Option<Change> {
        let newer = Self::read(&self.folder).files;
        let older = std::mem::replace(&mut self.files, newer);
        let newer = &self.files;
        let mut changed = (older.keys().chain(newer.keys()))
            .filter(|file| older.get(*file) != newer.get(*file))
            .cloned();
        let is_page = |file: &PathBuf| file.starts_with(PAGE);
        let first = changed.next()?;
        if is_page(&first) {
            let code = changed.find(|file| !is_page(file));
            return Some(code.map_or(Change::Page(first), Change::Code));
        }
        Some(Change::Code(first))
    }
}

/// Adds a file, or all files of a folder but hidden ones. What cannot be read is not there: it may come back.
fn collect(root: &Path, path: &Path, files: &mut BTreeMap<PathBuf, Stamp>) {
    let full = root.join(path);
    let Ok(meta) = fs::metadata(&full) else {
        return;
    };
    if !meta.is_dir() {
        files.insert(path.to_owned(), (meta.modified().ok(), meta.len()));
        return;
    }
    for entry in fs::read_dir(&full).into_iter().flatten().flatten() {
        let name = entry.file_name();
        if !name.as_encoded_bytes().starts_with(b".") {
            collect(root, &path.join(name), files);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_told_once_and_code_comes_first() {
        let folder = std::env::temp_dir().join(format!("tickwire-sources-{}", std::process::id()));
        fs::create_dir_all(folder.join("src/rules")).unwrap();
        fs::create_dir_all(folder.join("page")).unwrap();
        fs::write(folder.join("src/main.rs"), "").unwrap();
        let mut sources = Sources::read(&folder);
        assert_eq!(sources.look(), None);
        fs::write(folder.join("page/page.js"), "1").unwrap();
        assert_eq!(sources.look(), Some(Change::Page("page/page.js".into())));
        fs::write(folder.join("page/page.js"), "12").unwrap();
        fs::write(folder.join("src/rules/mod.rs"), "").unwrap();
        fs::write(folder.join("src/.mod.rs.swp"), "").unwrap();
        assert_eq!(
            sources.look(),
            Some(Change::Code("src/rules/mod.rs".into()))
        );
        assert_eq!(sources.look(), None);
        fs::remove_file(folder.join("src/main.rs")).unwrap();
        assert_eq!(sources.look(), Some(Change::Code("src/main.rs".into())));
        fs::remove_dir_all(&folder).unwrap();
    }
}
