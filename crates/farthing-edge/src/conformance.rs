//! The suite that every adapter of a contract must pass. Call it from the adapter's own tests.
//!
//! Panics with what was violated: it is test code that lives here so that all adapters share it.
#![allow(clippy::missing_panics_doc, clippy::panic, clippy::unwrap_used)]

use crate::Store;
use crate::chain::{Head, NewRecord, RecordKind, verify};
use crate::error::Class;
use jiff::Timestamp;

fn record(body: &str) -> NewRecord {
    let at = Timestamp::from_second(1_800_000_000).unwrap();
    NewRecord { at, kind: RecordKind::Noted, body: body.to_owned() }
}

/// Runs the contract of [`Store`] against fresh stores made by `fresh`.
pub fn store(fresh: impl Fn() -> Box<dyn Store>) {
    starts_empty(&*fresh());
    appends_in_order(&mut *fresh());
    refuses_a_stale_head(&mut *fresh());
    reads_pages(&mut *fresh());
    keeps_bodies_exactly(&mut *fresh());
}

fn starts_empty(store: &dyn Store) {
    assert_eq!(store.head().unwrap(), Head::GENESIS);
    assert!(store.read(1, 10).unwrap().is_empty());
}

fn appends_in_order(store: &mut dyn Store) {
    let first = store.append(&Head::GENESIS, &[record("a"), record("b")]).unwrap();
    let head = store.head().unwrap();
    assert_eq!((head.seq, head.hash), (2, first[1].hash));
    store.append(&head, &[record("c")]).unwrap();
    let all = store.read(1, 10).unwrap();
    assert_eq!(all.iter().map(|r| r.body.as_str()).collect::<Vec<_>>(), ["a", "b", "c"]);
    assert_eq!(verify(&Head::GENESIS, &all), Ok(store.head().unwrap()));
}

fn refuses_a_stale_head(store: &mut dyn Store) {
    store.append(&Head::GENESIS, &[record("a")]).unwrap();
    let before = store.head().unwrap();
    let error = store.append(&Head::GENESIS, &[record("b")]).unwrap_err();
    assert_eq!(error.class(), Class::Conflict);
    assert_eq!(store.head().unwrap(), before, "a refused append writes nothing");
}

fn reads_pages(store: &mut dyn Store) {
    let many: Vec<_> = (0..25).map(|index| record(&index.to_string())).collect();
    store.append(&Head::GENESIS, &many).unwrap();
    assert_eq!(store.read(11, 10).unwrap()[0].body, "10");
    assert_eq!(store.read(11, 10).unwrap().len(), 10);
    assert_eq!(store.read(21, 10).unwrap().len(), 5);
    assert!(store.read(26, 10).unwrap().is_empty());
}

fn keeps_bodies_exactly(store: &mut dyn Store) {
    let body = "{\"text\":\"quotes \\\" and \u{1F4B0} and \\u0000\"}";
    store.append(&Head::GENESIS, &[record(body), record("")]).unwrap();
    let read = store.read(1, 2).unwrap();
    assert_eq!(read[0].body, body);
    assert_eq!(read[1].body, "");
    assert!(verify(&Head::GENESIS, &read).is_ok());
}
