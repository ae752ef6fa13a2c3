//! Data that others made says where it is from, and there is not much of it.

use std::collections::BTreeSet;

/// All committed excerpts together; what is larger is made again from its source.
const BYTES_MAX: u64 = 300_000;

/// Folders without a SOURCE.md (README.md for `data/` itself), and too much in all; given as
/// (path, bytes).
pub(crate) fn faults(files: &[(String, u64)]) -> Vec<String> {
    let mut faults = Vec::new();
    let folder = |path: &str| path.rsplit_once('/').map(|(folder, _)| folder.to_owned());
    let folders: BTreeSet<String> = files.iter().filter_map(|(path, _)| folder(path)).collect();
    for folder in folders {
        let note = if folder == "data" { "README.md" } else { "SOURCE.md" };
        let wanted = format!("{folder}/{note}");
        if !files.iter().any(|(path, bytes)| *path == wanted && *bytes > 0) {
            faults.push(format!("{wanted} is missing: say where the data is from"));
        }
    }
    let bytes: u64 = files.iter().map(|(_, bytes)| bytes).sum();
    if bytes > BYTES_MAX {
        faults.push(format!("data/: {bytes} bytes, at most {BYTES_MAX}"));
    }
    faults
}

#[test]
fn data_without_a_source_or_too_much_of_it_is_found() {
    let file = |path: &str, bytes| (path.to_owned(), bytes);
    let good = [file("data/README.md", 1), file("data/a/SOURCE.md", 1), file("data/a/x.csv", 9)];
    assert!(faults(&good).is_empty());
    assert_eq!(
        faults(&[file("data/README.md", 1), file("data/a/x.csv", 9)]),
        ["data/a/SOURCE.md is missing: say where the data is from"]
    );
    let large = faults(&[file("data/README.md", BYTES_MAX + 1)]);
    assert_eq!(large, ["data/: 300001 bytes, at most 300000"]);
}
