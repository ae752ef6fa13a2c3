//! The corpus of the fuzzing targets, and what simple damage makes of it, through the functions
//! that the targets call: no bytes panic, and every line is either read or told.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    missing_docs,
    reason = "tests"
)]

use farthing_providers::archive::{self, ReadError};
use farthing_providers::prometheus::Answer;
use farthing_providers::telemetry::{Intake, SourceMap, TextOptions};
use std::collections::BTreeSet;
use std::path::Path;

/// The files of a corpus, each whole, cut off at every byte, and with single bytes changed.
fn each(name: &str, mut check: impl FnMut(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(name);
    let mut files = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        files += 1;
        for end in 0..=bytes.len() {
            check(&bytes[..end]);
        }
        for at in 0..bytes.len() {
            for other in [0, b'"', b'{', b'}', b'\\', b'\n', 0xff] {
                let mut damaged = bytes.clone();
                damaged[at] = other;
                check(&damaged);
            }
        }
    }
    assert!(files >= 5, "{}", folder.display());
}

#[test]
fn the_corpus_of_exposition_text_is_read_or_told() {
    let map = SourceMap::built_in().unwrap();
    each("exposition", |bytes| {
        let mut intake = Intake::new(map.clone());
        intake.read_text("corpus", bytes, &TextOptions::default(), &mut |_| {});
        let totals = *intake.totals();
        assert!(totals.faults <= totals.lines + 1);
        assert!(totals.samples + totals.faults <= totals.lines + 1);
        assert_eq!(intake.faults().count() > 0, totals.faults > 0);
    });
}

#[test]
fn the_corpus_of_answers_is_read_or_told() {
    each("prometheus_answer", |bytes| {
        if let Err(error) = Answer::parse(bytes) {
            assert!(!error.to_string().contains('\n'));
        }
    });
}

#[test]
fn the_corpus_of_journals_is_read_or_told() {
    let mut whole = BTreeSet::new();
    each("archive", |bytes| {
        match archive::read(&mut &*bytes, &mut |_, _| Ok::<(), ReadError>(())) {
            Ok(_) => drop(whole.insert(bytes.to_vec())),
            Err(error) => assert!(!error.to_string().contains('\n'), "{error}"),
        }
    });
    // The two that are whole: any other byte anywhere is found.
    assert_eq!(whole.len(), 2);
}
