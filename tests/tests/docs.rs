//! Keeps the Markdown files of the repository true to its tree: relative links, paths in backticks, and names of tests.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed unwrap fails the test"
)]

use std::path::{Component, Path, PathBuf};

/// Folders that hold nothing that is committed.
const SKIPPED_FOLDERS: [&str; 3] = [".git", "target", "node_modules"];
/// A word in backticks that ends like this names a file, even without its folder.
const SOURCE_EXTENSIONS: [&str; 6] = [".rs", ".ts", ".mjs", ".proto", ".sh", ".md"];

/// Every file of the repository, and the Markdown files among them with their text.
struct Repository {
    root: PathBuf,
    files: Vec<PathBuf>,
}

impl Repository {
    fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let mut files = Vec::new();
        let mut folders = vec![root.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let name = path.file_name().unwrap().to_str().unwrap();
                if !path.is_dir() {
                    files.push(path);
                } else if !SKIPPED_FOLDERS.contains(&name) && !path.join("CACHEDIR.TAG").exists() {
                    folders.push(path);
                }
            }
        }
        Self {
            root: root.to_owned(),
            files,
        }
    }

    fn markdown(&self) -> Vec<(&Path, String)> {
        let is_markdown = |file: &&PathBuf| file.extension().is_some_and(|ext| ext == "md");
        let files = self.files.iter().filter(is_markdown);
        let texts: Vec<_> = files
            .map(|file| (file.as_path(), std::fs::read_to_string(file).unwrap()))
            .collect();
        assert!(texts.len() > 10, "the Markdown files were not found");
        texts
    }

    /// Whether a word in backticks names a path of the repository that does not exist. What follows `::` is a name in the file.
    fn is_dead(&self, word: &str) -> bool {
        let word = word.split_once("::").map_or(word, |(path, _)| path);
        let path = Path::new(word);
        let Some(Component::Normal(first)) = path.components().next() else {
            return false;
        };
        if SKIPPED_FOLDERS.iter().any(|skipped| first == *skipped) {
            return false; // what a build makes is there on some machines only
        }
        if word.starts_with("deploy/bin/") {
            return false; // of a game made from the template
        }
        if word.contains('/') && self.root.join(first).is_dir() {
            return !self.root.join(path).exists();
        }
        SOURCE_EXTENSIONS.iter().any(|ext| word.ends_with(ext))
            && !self.files.iter().any(|file| file.ends_with(path))
    }
}

/// A Markdown text without its fenced blocks.
fn prose(text: &str) -> String {
    let mut is_fenced = false;
    let is_prose = |line: &&str| {
        let is_fence = line.trim_start().starts_with("```");
        is_fenced ^= is_fence;
        !is_fence && !is_fenced
    };
    text.lines().filter(is_prose).collect::<Vec<_>>().join("\n")
}

/// The targets of `[text](target)`.
fn links(prose: &str) -> impl Iterator<Item = &str> {
    prose
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
}

/// What stands in backticks.
fn code_spans(prose: &str) -> impl Iterator<Item = &str> {
    prose.split('`').skip(1).step_by(2)
}

/// The first word of each span in backticks, with `a/{b,c}` as `a/b` and `a/c`.
fn code_words(prose: &str) -> Vec<String> {
    let words = code_spans(prose).filter_map(|span| span.split_whitespace().next());
    words.flat_map(expand_braces).collect()
}

fn expand_braces(word: &str) -> Vec<String> {
    let Some((before, (choices, after))) = word
        .split_once('{')
        .and_then(|(before, rest)| Some((before, rest.split_once('}')?)))
    else {
        return vec![word.to_owned()];
    };
    choices
        .split(',')
        .map(|choice| format!("{before}{choice}{after}"))
        .collect()
}

/// The anchors of a page's headings, as GitHub makes them.
fn anchors(prose: &str) -> Vec<String> {
    let headings = prose.lines().filter(|line| line.starts_with('#'));
    let anchor = |line: &str| {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let kept = title
            .chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.collect::<String>().replace(' ', "-")
    };
    headings.map(anchor).collect()
}

#[test]
fn every_relative_link_has_a_target() {
    let repository = Repository::read();
    let mut dead = Vec::new();
    for (file, text) in repository.markdown() {
        let prose_here = prose(&text);
        for link in links(&prose_here) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = match path {
                "" => file.to_owned(),
                path => file.parent().unwrap().join(path),
            };
            let has_anchor = || {
                let page = std::fs::read_to_string(&target).unwrap_or_default();
                anchors(&prose(&page)).iter().any(|known| known == anchor)
            };
            if !target.exists() || !anchor.is_empty() && !has_anchor() {
                dead.push(format!("{}: {link}", file.display()));
            }
        }
    }
    assert!(dead.is_empty(), "dead links:\n{}", dead.join("\n"));
}

#[test]
fn every_path_in_backticks_exists() {
    let repository = Repository::read();
    let mut dead = Vec::new();
    for (file, text) in repository.markdown() {
        let words = code_words(&prose(&text));
        let unknown = words.into_iter().filter(|word| repository.is_dead(word));
        dead.extend(unknown.map(|word| format!("{}: {word}", file.display())));
    }
    assert!(dead.is_empty(), "unknown paths:\n{}", dead.join("\n"));
}

#[test]
fn a_wrong_path_in_backticks_is_found() {
    let repository = Repository::read();
    let text = "`server/src/{serve,gone}.rs --flag`\n```\n`docs/fenced.md`\n```\n`no_such_file.rs`, `docs/`, `text/plain`, `target/release/mine`";
    let mut words = code_words(&prose(text));
    words.retain(|word| repository.is_dead(word));
    assert_eq!(words, ["server/src/gone.rs", "no_such_file.rs"]);
}

/// The fenced blocks of a Markdown text that name a file (```rs PATH, ```js PATH, ```html PATH), with that path.
fn blocks_of_files(text: &str) -> Vec<(&str, &str)> {
    let with_path = |(fence, block)| {
        let (language, path) = str::split_once(fence, ' ')?;
        // Other pages have blocks of other kinds, with names.
        matches!(language, "rs" | "js" | "html").then_some((path, block))
    };
    blocks(text).into_iter().filter_map(with_path).collect()
}

/// The fenced blocks of a Markdown text, each with what follows the opening fence.
fn blocks(text: &str) -> Vec<(&str, &str)> {
    let mut parts = text.split("\n```").skip(1);
    let mut blocks = Vec::new();
    while let Some(part) = parts.next() {
        blocks.push(part.split_once('\n').expect("a block has lines"));
        parts.next(); // what follows the block
    }
    blocks
}

#[test]
fn every_block_of_the_guide_is_checked_somewhere() {
    let root = Repository::read().root;
    let guide = std::fs::read_to_string(root.join("docs/GAME_GUIDE.md")).unwrap();
    for (fence, block) in blocks(&guide) {
        let is_checked = match fence.split_once(' ') {
            // The test below.
            Some((_, path)) => root.join(path).is_file(),
            // The doc tests of this crate, and commands for the reader.
            None => matches!(fence, "rust" | "sh"),
        };
        assert!(is_checked, "```{fence}\n{block}");
    }
}

#[test]
fn every_block_that_names_a_file_is_in_it() {
    let repository = Repository::read();
    let (mut count, mut differing) = (0, Vec::new());
    for (page, text) in repository.markdown() {
        for (path, block) in blocks_of_files(&text) {
            count += 1;
            let file = std::fs::read_to_string(repository.root.join(path)).unwrap_or_default();
            if !file.contains(block) {
                let first = block.lines().next().unwrap_or_default();
                differing.push(format!("{}: {path}: {first}", page.display()));
            }
        }
    }
    assert!(count > 10, "the blocks were not found");
    assert!(
        differing.is_empty(),
        "blocks that their files do not have:\n{}",
        differing.join("\n")
    );
}

/// Lines of code before the tests, without comments of the module and without empty lines.
fn lines_before_tests(code: &str) -> Vec<&str> {
    let (code, _) = code.split_once("#[cfg(test)]").unwrap_or((code, ""));
    let is_kept = |line: &&str| !line.trim().is_empty() && !line.starts_with("//!");
    code.lines().filter(is_kept).collect()
}

#[test]
fn who_copies_the_guides_blocks_has_all_of_tag() {
    let root = Repository::read().root;
    let guide = std::fs::read_to_string(root.join("docs/GAME_GUIDE.md")).unwrap();
    for path in [
        "examples/tag/src/lib.rs",
        "examples/tag/src/main.rs",
        "examples/tag/page/page.js",
    ] {
        let blocks = blocks_of_files(&guide).into_iter();
        let copied: Vec<_> = blocks
            .filter(|(of, _)| *of == path)
            .map(|(_, block)| block)
            .collect();
        let file = std::fs::read_to_string(root.join(path)).unwrap();
        assert_eq!(
            lines_before_tests(&copied.join("\n")),
            lines_before_tests(&file),
            "{path}"
        );
    }
}

#[test]
fn no_example_is_left_uncompiled() {
    for (page, text) in Repository::read().markdown() {
        for escape in ["rust,ignore", "rust,text", "rust,compile_fail"] {
            let fence = format!("```{escape}");
            assert!(
                !text.lines().any(|line| line.starts_with(&fence)),
                "{} has {fence}",
                page.display()
            );
        }
    }
}

/// The tests that a Markdown text names as `path::name`, by their path and name.
fn named_tests(prose: &str) -> impl Iterator<Item = (&str, &str)> {
    let names = code_spans(prose).filter_map(|span| span.split_once("::"));
    names.filter(|(path, _)| path.ends_with(".rs") || path.ends_with(".mjs"))
}

/// Whether a test file has a test of this name: a function under `#[test]`, or the title of a test for Node.
fn has_test(path: &str, code: &str, name: &str) -> bool {
    if path.ends_with(".mjs") {
        return ['"', '`']
            .iter()
            .any(|quote| code.contains(&format!("{quote}{name}{quote}")));
    }
    let is_named = |line: &str| {
        let line = line.trim_start();
        let line = line.strip_prefix("async ").unwrap_or(line);
        let rest = line
            .strip_prefix("fn ")
            .and_then(|rest| rest.strip_prefix(name));
        rest.is_some_and(|rest| rest.starts_with('('))
    };
    let lines: Vec<&str> = code.lines().collect();
    let mut named = (0..lines.len()).filter(|at| is_named(lines[*at]));
    named.any(|at| {
        let attributes = lines[..at].iter().rev().map(|line| line.trim_start());
        let mut attributes = attributes.take_while(|line| line.starts_with("#["));
        attributes.any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"))
    })
}

#[test]
fn every_test_that_a_page_names_exists() {
    let repository = Repository::read();
    let (mut count, mut unknown) = (0, Vec::new());
    for (page, text) in repository.markdown() {
        for (path, name) in named_tests(&prose(&text)) {
            count += 1;
            let code = std::fs::read_to_string(repository.root.join(path)).unwrap_or_default();
            if !has_test(path, &code, name) {
                unknown.push(format!("{}: {path}::{name}", page.display()));
            }
        }
    }
    assert!(count > 100, "the names of tests were not found");
    assert!(unknown.is_empty(), "unknown tests:\n{}", unknown.join("\n"));
}

#[test]
fn a_wrong_name_of_a_test_is_found() {
    let code = "#[test]\nfn holds() {}\n\nfn helper() {}\n\n#[tokio::test(flavor = \"multi_thread\")]\nasync fn waits() {}";
    let known =
        ["holds", "waits", "hold", "helper", "gone"].map(|name| has_test("a.rs", code, name));
    assert_eq!(known, [true, true, false, false, false]);
    let script = "test(\"a page plays\", async () => {});\ntest(`it is ${name}`, body);";
    let known =
        ["a page plays", "it is ${name}", "a page"].map(|name| has_test("a.mjs", script, name));
    assert_eq!(known, [true, true, false]);
}

#[test]
fn every_promise_of_reliability_has_its_test() {
    let root = Repository::read().root;
    let page = std::fs::read_to_string(root.join("docs/RELIABILITY.md")).unwrap();
    for (heading, least) in [("Bad inputs", 70), ("Faults", 25)] {
        let section = page
            .split("\n## ")
            .find(|part| part.starts_with(heading))
            .unwrap();
        // The first two lines of a table are its head.
        let tables = section.split("\n### ").skip(1);
        let rows: Vec<&str> = tables
            .flat_map(|table| table.lines().filter(|line| line.starts_with('|')).skip(2))
            .collect();
        let without: Vec<_> = rows
            .iter()
            .filter(|row| named_tests(row).next().is_none())
            .collect();
        assert!(without.is_empty(), "promises without a test: {without:#?}");
        assert!(rows.len() >= least, "{} rows under {heading}", rows.len());
    }
}
