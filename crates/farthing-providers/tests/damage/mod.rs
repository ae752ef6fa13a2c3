//! The files of a corpus for fuzzing, and what simple damage makes of them.
#![allow(clippy::unwrap_used, dead_code, reason = "tests, of which not every one needs all of it")]

use std::path::Path;

/// Bytes that mean something in one format or another.
const OTHERS: [u8; 7] = [0, b'"', b'{', b'}', b'\\', b'\n', 0xff];

/// The files of a corpus, each whole, cut off at every `every`th byte, and with single bytes
/// changed.
pub(crate) fn each_of(name: &str, every: usize, mut check: impl FnMut(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(name);
    let mut files = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        files += 1;
        for end in (0..bytes.len()).step_by(every).chain([bytes.len()]) {
            check(&bytes[..end]);
        }
        for at in (0..bytes.len()).step_by(every) {
            for other in OTHERS {
                let mut damaged = bytes.clone();
                damaged[at] = other;
                check(&damaged);
            }
        }
    }
    assert!(files >= 5, "{}", folder.display());
}

/// As [`each_of`], at every byte.
pub(crate) fn each(name: &str, check: impl FnMut(&[u8])) {
    each_of(name, 1, check);
}

/// As [`each_of`], of what is text.
pub(crate) fn each_text(name: &str, every: usize, mut check: impl FnMut(&str)) {
    each_of(name, every, |bytes| {
        if let Ok(text) = std::str::from_utf8(bytes) {
            check(text);
        }
    });
}
