//! The page from a folder, for development (`--page`).
//!
//! In: a URL's path. Out: the file's bytes as they are now, read on a thread that no tick waits for. Never reads a file outside of
//! the folder, however the path or a link in the folder names it, and no hidden one.

use std::io::{self, Read as _};
use std::path::{Component, Path, PathBuf};

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
