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

mod damage;

use damage::{each, each_of, each_text};
use farthing_providers::archive::{self, ReadError};
use farthing_providers::catalog::{Catalogue, Options};
use farthing_providers::prometheus::Answer;
use farthing_providers::telemetry::{Intake, SourceMap, TextOptions};
use farthing_providers::{egress, estimate, manifest};
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::path::Path;

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

#[test]
fn the_corpus_of_source_maps_is_read_or_told() {
    each_text("sources", 3, |text| {
        if let Err(error) = SourceMap::parse(text, Path::new("corpus")) {
            assert!(error.to_string().contains("corpus"), "{error}");
        }
    });
}

#[test]
fn the_corpus_of_manifests_is_read_or_told() {
    each_text("manifest", 3, |text| {
        if let Err(error) = manifest::parse(text, "corpus", Timestamp::UNIX_EPOCH) {
            assert!(error.to_string().contains("corpus"), "{error}");
        }
    });
}

#[test]
fn the_corpus_of_what_is_to_be_priced_is_read_or_told() {
    each_text("estimate", 3, |text| {
        drop(estimate::read(Path::new("corpus"), text, Timestamp::UNIX_EPOCH));
    });
}

#[test]
fn the_corpus_of_price_books_and_of_egress_is_read_or_told() {
    each_text("egress", 1, |text| {
        if let Err(error) = egress::parse(text, Path::new("corpus")) {
            assert!(error.to_string().contains("corpus"), "{error}");
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("prices.csv");
    each_of("prices", 7, |bytes| {
        std::fs::write(&file, bytes).unwrap();
        if let Err(error) = Catalogue::load(std::slice::from_ref(&file), &Options::default()) {
            assert!(error.to_string().contains("prices.csv"), "{error}");
        }
    });
}
