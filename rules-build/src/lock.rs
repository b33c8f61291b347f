//! Where the game takes Tickwire's crates from, as its `Cargo.lock` says.
//!
//! In: the text of a `Cargo.lock`. Out: what to write as a dependency, so that the module's crate uses the very same crates. A copy
//! from elsewhere would be other types to the compiler.

use std::path::Path;

/// The dependency on a crate of Tickwire, as a value in `Cargo.toml`. Without an entry in the lock file, the crate beside this one
/// is taken, or the registry's.
pub fn dependency(lock: &str, own_folder: &Path, crate_name: &str, folder: &str) -> String {
    let beside = own_folder.with_file_name(folder);
    match source_of(lock, "tickwire-rules") {
        Source::Git(source) => git_dependency(source),
        Source::Path | Source::Unknown if beside.join("Cargo.toml").is_file() => {
            format!("{{ path = {:?} }}", beside.display().to_string())
        }
        _ => {
            let version = env!("CARGO_PKG_VERSION");
            format!("{{ package = {crate_name:?}, version = \"={version}\" }}")
        }
    }
}

#[derive(PartialEq, Eq, Debug)]
enum Source<'a> {
    /// The crate is not in the lock file.
    Unknown,
    /// A folder.
    Path,
    /// A registry.
    Registry,
    /// A repository: its URL, and what of it.
    Git(&'a str),
}

fn source_of<'a>(lock: &'a str, crate_name: &str) -> Source<'a> {
    let name = format!("name = {crate_name:?}");
    let mut packages = lock.split("[[package]]");
    let Some(package) = packages.find(|package| package.lines().any(|line| line.trim() == name))
    else {
        return Source::Unknown;
    };
    let source = package
        .lines()
        .find_map(|line| line.trim().strip_prefix("source = \"")?.strip_suffix('"'));
    match source {
        None => Source::Path,
        Some(source) => source
            .strip_prefix("git+")
            .map_or(Source::Registry, Source::Git),
    }
}

/// `URL?branch=x#commit` as a dependency. The commit is in the copied lock file.
fn git_dependency(source: &str) -> String {
    let source = source.split_once('#').map_or(source, |(source, _)| source);
    let (url, query) = source.split_once('?').unwrap_or((source, ""));
    let reference = query
        .split_once('=')
        .map(|(key, value)| format!(", {key} = {value:?}"))
        .unwrap_or_default();
    format!("{{ git = {url:?}{reference} }}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock(source: &str) -> String {
        format!(
            "version = 4\n\n[[package]]\nname = \"tickwire-rules-build\"\nversion = \"0.1.0\"\n\n\
             [[package]]\nname = \"tickwire-rules\"\nversion = \"0.1.0\"\n{source}\ndependencies = []\n"
        )
    }

    #[test]
    fn crates_come_from_where_the_game_takes_them() {
        let nowhere = Path::new("/nowhere/rules-build");
        let beside = Path::new(env!("CARGO_MANIFEST_DIR"));
        let of = |source: &str, own: &Path| {
            dependency(&lock(source), own, "tickwire-rules-wasm", "rules-wasm")
        };
        let registry = "source = \"registry+https://example.org/index\"";
        let version = format!(
            "{{ package = \"tickwire-rules-wasm\", version = \"={}\" }}",
            env!("CARGO_PKG_VERSION")
        );
        assert_eq!(of(registry, beside), version);
        assert_eq!(of("", nowhere), version);
        assert!(of("", beside).ends_with("rules-wasm\" }"));
        assert_eq!(
            of(
                "source = \"git+https://example.org/t?branch=main#abc\"",
                nowhere
            ),
            "{ git = \"https://example.org/t\", branch = \"main\" }"
        );
        assert_eq!(
            of("source = \"git+https://example.org/t#abc\"", nowhere),
            "{ git = \"https://example.org/t\" }"
        );
    }
}
