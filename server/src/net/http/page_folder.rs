//! The page from a folder, for development (`--page`).
//!
//! In: a URL's path. Out: the file's bytes as they are now, read on a thread that no tick waits for. Never reads a file outside of
//! the folder, however the path or a link in the folder names it, and no hidden one.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, Read as _};
use std::path::{Component, Path, PathBuf};
use std::time::SystemTime;

/// Larger files are not served: a file is read whole.
const MAX_FILE_BYTES: u64 = 64 << 20;

/// The folder of `--page`.
#[derive(Clone, Debug)]
pub(super) struct PageFolder {
    /// Without links.
    root: PathBuf,
}

impl PageFolder {
    /// `root`: a path without links, as [`std::fs::canonicalize`] gives it.
    pub fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// The file that a decoded path of a URL names; `None` if there is none to serve.
    pub async fn read(&self, path: &str) -> Option<Vec<u8>> {
        let file = self.root.join(relative(path)?);
        let root = self.root.clone();
        let read = tokio::task::spawn_blocking(move || read(&root, &file));
        let read = read
            .await
            .unwrap_or_else(|error| Err(io::Error::other(error)));
        read.inspect_err(|error| tracing::debug!("--page: {path}: {error}"))
            .ok()
    }

    /// A number that is another one after each change of a file: of its name, its time or its length. Hidden files don't count, nor
    /// does what cannot be read.
    pub async fn version(&self) -> u64 {
        let root = self.root.clone();
        let version = tokio::task::spawn_blocking(move || {
            let mut files = Vec::new();
            collect(&root, 0, &mut files);
            files.sort();
            // The hasher has fixed keys: a server that was restarted gives the same number.
            let mut hasher = DefaultHasher::new();
            files.hash(&mut hasher);
            hasher.finish()
        });
        version.await.unwrap_or_default()
    }
}

/// How deep folders within the page's folder are looked at. A link may lead back up.
const MAX_DEPTH: usize = 8;

/// Adds the files of a folder, each with its time and length.
fn collect(folder: &Path, depth: usize, files: &mut Vec<(PathBuf, Option<SystemTime>, u64)>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let path = entry.path();
        match std::fs::metadata(&path) {
            Ok(meta) if meta.is_dir() && depth < MAX_DEPTH => collect(&path, depth + 1, files),
            Ok(meta) if meta.is_file() => files.push((path, meta.modified().ok(), meta.len())),
            _ => {}
        }
    }
}

/// A path of a URL as one within the folder. `None` if it leads out of it, or to a hidden file.
fn relative(path: &str) -> Option<PathBuf> {
    let path = path.strip_prefix('/')?;
    let mut relative = PathBuf::new();
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        // One plain name on any system: neither "..", nor "C:", nor a name with a separator in it.
        let mut components = Path::new(segment).components();
        let (Some(Component::Normal(name)), None) = (components.next(), components.next()) else {
            return None;
        };
        if segment.starts_with('.') || segment.contains(['\\', '\0']) || name != segment {
            return None;
        }
        relative.push(name);
    }
    if path.is_empty() || path.ends_with('/') {
        relative.push("index.html");
    }
    Some(relative)
}

fn read(root: &Path, file: &Path) -> io::Result<Vec<u8>> {
    // Links are followed first: one may lead out of the folder.
    let file = std::fs::canonicalize(file)?;
    if !file.starts_with(root) {
        return Err(io::Error::other("the link leads out of the folder"));
    }
    // Checked before opening, as opening a pipe waits for its other end.
    if !std::fs::metadata(&file)?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let mut bytes = Vec::new();
    let limited = std::fs::File::open(&file)?.take(MAX_FILE_BYTES + 1);
    { limited }.read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(io::Error::other("the file is too large"));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_urls_stay_in_the_folder() {
        let relative = |path| relative(path).map(|path| path.display().to_string());
        assert_eq!(relative("/").as_deref(), Some("index.html"));
        assert_eq!(relative("/help/").as_deref(), Some("help/index.html"));
        assert_eq!(relative("/a//b c.js").as_deref(), Some("a/b c.js"));
        for path in [
            "",
            "a",
            "/..",
            "/../a",
            "/a/../b",
            "/.",
            "/.git/config",
            "/a/.env",
            "/a\\b",
            "/a\0",
        ] {
            assert_eq!(relative(path), None, "{path:?}");
        }
    }
}
