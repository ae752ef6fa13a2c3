//! The corpora of the fuzzing targets of this crate, and what simple damage makes of them: no bytes
//! panic, and what is refused is said in one line.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

#[path = "../../farthing-providers/tests/damage/mod.rs"]
mod damage;

use bytes::Bytes;
use damage::{each, each_text};
use farthing_ledger::{Filter, read_bill};

#[test]
fn the_corpus_of_bills_is_read_or_told() {
    let mut read = 0;
    each("focus", |bytes| match read_bill(Bytes::copy_from_slice(bytes), None) {
        Ok(bill) => read += u64::from(bill.rows > 0),
        Err(error) => assert!(!error.to_string().contains('\n'), "{error}"),
    });
    assert!(read > 100, "{read} were read");
}

/// What is read says itself again as it was meant.
#[test]
fn the_corpus_of_filters_is_read_or_told() {
    let mut read = 0;
    each_text("filter", 1, |text| match text.parse::<Filter>() {
        Ok(filter) => {
            read += 1;
            assert_eq!(filter.to_string().parse(), Ok(filter), "{text}");
        }
        // It repeats what was asked, which may be of several lines.
        Err(error) => assert!(text.contains('\n') || !error.to_string().contains('\n'), "{error}"),
    });
    assert!(read > 10, "{read} were read");
}
