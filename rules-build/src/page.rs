//! The files of a game's page, embedded in its program.
//!
//! In: a folder. Out: Rust source that lists its files, for `page!()`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// Embeds the files of a folder, and of the folders in it, as the game's page: `tickwire::page!()` gives them to the program. `folder`
/// is relative to the package. Its `index.html` is the page at `/`. Hidden files are left out. A change of any file builds the program
/// anew.
///
/// ```no_run
/// // In `main` of build.rs:
/// tickwire_rules_build::page("page");
/// ```
///
/// # Panics
/// Outside of a build script, and if the folder cannot be read or has no `index.html`.
pub fn page(folder: &str) {
    let variable = |name| {
        env::var(name).unwrap_or_else(|_| panic!("{name} is not set: this is for build scripts"))
    };
    let root = Path::new(&variable("CARGO_MANIFEST_DIR")).join(folder);
    let mut files = Vec::new();
    list(&root, "", &mut files)
        .unwrap_or_else(|error| panic!("the page's folder {}: {error}", root.display()));
    assert!(
        files.iter().any(|(path, _)| path == "/"),
        "the page's folder {} has no index.html",
        root.display()
    );
    // The environment of this process is not the program's: whatever changes there changes nothing here.
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={}", root.display());
    let list = Path::new(&variable("OUT_DIR")).join("page.rs");
    fs::write(&list, source(&files)).unwrap_or_else(|error| panic!("{}: {error}", list.display()));
    println!("cargo::rustc-env=TICKWIRE_PAGE_FILES={}", list.display());
}

/// Lists the files below a folder, each with its path in the URL, in the order of the paths.
fn list(folder: &Path, prefix: &str, files: &mut Vec<(String, PathBuf)>) -> io::Result<()> {
    let mut entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name();
        let name = name.to_str().ok_or_else(|| {
            io::Error::other(format!("the name {} is not valid UTF-8", name.display()))
        })?;
        if name.starts_with('.') {
            continue;
        }
        let path = entry.path();
        if path.is_dir() {
            list(&path, &format!("{prefix}/{name}"), files)?;
        } else if name == "index.html" {
            files.push((format!("{prefix}/"), path));
        } else {
            files.push((format!("{prefix}/{name}"), path));
        }
    }
    Ok(())
}

/// The list as a Rust expression.
fn source(files: &[(String, PathBuf)]) -> String {
    let mut source = "&[\n".to_owned();
    for (path, file) in files {
        let file = file.display().to_string();
        let _ = writeln!(
            source,
            "    PageFile::new({path:?}, include_bytes!({file:?})),"
        );
    }
    source + "]\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_listed_with_its_subfolders() {
        let root = env::temp_dir().join(format!("tickwire-page-{}", std::process::id()));
        fs::create_dir_all(root.join("art")).unwrap();
        fs::create_dir_all(root.join(".git")).unwrap();
        for file in [
            "index.html",
            "app.js",
            "art/ship.png",
            ".git/config",
            ".env",
        ] {
            fs::write(root.join(file), "").unwrap();
        }
        let mut files = Vec::new();
        list(&root, "", &mut files).unwrap();
        fs::remove_dir_all(&root).unwrap();
        let paths: Vec<_> = files.iter().map(|(path, _)| &path[..]).collect();
        assert_eq!(paths, ["/app.js", "/art/ship.png", "/"]);
        assert!(source(&files).contains(r#"PageFile::new("/app.js", include_bytes!("#));
    }
}
