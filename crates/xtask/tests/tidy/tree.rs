//! The files of the repository, as they lie in the working tree. What git ignores by name is left
//! out, so that a build folder or a book of the demo is not judged.

use std::fs;
use std::path::{Path, PathBuf};

/// Folders that hold nothing of ours.
const SKIPPED: [&str; 5] = [".git", "target", "dist", ".farthing", "node_modules"];

/// Endings of files that people write as text.
const TEXT: [&str; 14] = [
    "rs", "toml", "md", "sh", "yaml", "yml", "json", "csv", "cmake", "html", "css", "js", "txt",
    "lock",
];

/// A file, by its path from the root of the repository.
pub(crate) struct Entry {
    pub(crate) path: String,
}

impl Entry {
    pub(crate) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    pub(crate) fn extension(&self) -> &str {
        extension(&self.path)
    }

    pub(crate) fn text(&self) -> String {
        read(&self.path)
    }

    pub(crate) fn bytes(&self) -> u64 {
        fs::metadata(root().join(&self.path)).map_or(0, |found| found.len())
    }

    pub(crate) fn is_rust(&self) -> bool {
        self.extension() == "rs"
    }

    /// Text without a rule of its own for the length of its lines.
    pub(crate) fn is_source(&self) -> bool {
        matches!(self.extension(), "rs" | "toml" | "sh" | "cmake")
            || matches!(self.path.as_str(), "Makefile" | ".ci/run")
    }

    pub(crate) fn is_text(&self) -> bool {
        self.is_source() || TEXT.contains(&self.extension())
    }

    /// Tests and what they read: recorded input may hold any path.
    pub(crate) fn is_test(&self) -> bool {
        let inside = |folder: &str| self.path.contains(&format!("/{folder}/"));
        inside("tests") || inside("fixtures") || self.path.ends_with("/tests.rs")
    }
}

/// What stands after the last dot of a path.
pub(crate) fn extension(path: &str) -> &str {
    path.rsplit_once('.').map_or("", |(_, extension)| extension)
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

pub(crate) fn exists(path: &str) -> bool {
    root().join(path).exists()
}

/// The text of a file of the repository; fails the test when there is none.
pub(crate) fn read(path: &str) -> String {
    let bytes = fs::read(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    String::from_utf8(bytes).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// All files, sorted by path.
pub(crate) fn files() -> Vec<Entry> {
    let mut found = Vec::new();
    walk(&root(), "", &mut found);
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn walk(folder: &Path, prefix: &str, found: &mut Vec<Entry>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{prefix}: {error}"));
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && !SKIPPED.contains(&name.as_str()) => {
                walk(&entry.path(), &format!("{path}/"), found);
            }
            Ok(kind) if kind.is_file() => found.push(Entry { path }),
            _ => {}
        }
    }
}

#[test]
fn this_file_is_found_and_is_a_test() {
    let files = files();
    let own = files.iter().find(|file| file.path == "crates/xtask/tests/tidy/tree.rs");
    assert!(own.is_some_and(|file| file.is_test() && file.is_rust() && file.bytes() > 0));
    assert!(files.iter().all(|file| !file.path.starts_with("target/")));
}
