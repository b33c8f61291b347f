//! The hash that identifies the rules of a package.
//!
//! In: the package's name and its sources. Out: 64 bits that are the same in every folder and on every system. More than the rules
//! goes in, so that nobody has to say which files are rules: a changed server is a changed hash, which costs its clients nothing,
//! as they load the module anew.

use std::path::Path;
use std::{fs, io};

const FNV_OFFSET: u64 = 0xCBF2_9CE4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01B3;

/// The hash (64-bit FNV-1a) of a name, of this version of Tickwire, and of all `.rs` files below a folder.
pub fn of_package(name: &str, sources: &Path) -> io::Result<u64> {
    let mut files = Vec::new();
    collect(sources, "", &mut files)?;
    files.sort();
    let head = [name.as_bytes(), env!("CARGO_PKG_VERSION").as_bytes()];
    let parts = files
        .iter()
        .flat_map(|(path, text)| [path.as_bytes(), text]);
    let hash = head
        .into_iter()
        .chain(parts)
        .fold(FNV_OFFSET, |hash, part| {
            // The end of a part counts, so that nothing can move from one to the next. Line ends of Windows don't.
            (part.iter().filter(|&&byte| byte != b'\r'))
                .chain(&[0])
                .fold(hash, |hash, &byte| {
                    (hash ^ u64::from(byte)).wrapping_mul(FNV_PRIME)
                })
        });
    Ok(hash)
}

fn collect(folder: &Path, prefix: &str, files: &mut Vec<(String, Vec<u8>)>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        let relative = format!("{prefix}{name}");
        if path.is_dir() {
            collect(&path, &format!("{relative}/"), files)?;
        } else if relative.ends_with(".rs") {
            files.push((relative, fs::read(&path)?));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_follows_sources_and_nothing_else() {
        let folder = std::env::temp_dir().join(format!("tickwire-hash-{}", std::process::id()));
        fs::create_dir_all(folder.join("deep")).unwrap();
        fs::write(folder.join("lib.rs"), "mod deep;\n").unwrap();
        fs::write(folder.join("deep/mod.rs"), "").unwrap();
        let hash = || of_package("tag", &folder).unwrap();
        let first = hash();
        fs::write(folder.join("notes.txt"), "x").unwrap();
        fs::write(folder.join("lib.rs"), "mod deep;\r\n").unwrap();
        assert_eq!(hash(), first);
        assert_ne!(of_package("gat", &folder).unwrap(), first);
        fs::write(folder.join("deep/mod.rs"), "// more").unwrap();
        assert_ne!(hash(), first);
        fs::remove_dir_all(folder).unwrap();
    }
}
