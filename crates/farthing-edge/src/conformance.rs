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

/// Runs what [`Store`] promises to several who share one journal, which `open` opens and which is
/// empty at first.
pub fn shared<S: Store>(open: impl Fn() -> S + Sync) {
    const WRITERS: usize = 8;
    const EACH: usize = 5;
    std::thread::scope(|threads| {
        for writer in 0..WRITERS {
            let open = &open;
            threads.spawn(move || {
                let mut store = open();
                for index in 0..EACH {
                    append_at_last(&mut store, &format!("{writer}/{index}"));
                }
            });
        }
    });
    let mut store = open();
    let all = store.read(1, usize::MAX).unwrap();
    let mut bodies: Vec<_> = all.iter().map(|record| record.body.clone()).collect();
    bodies.sort();
    bodies.dedup();
    assert_eq!((all.len(), bodies.len()), (WRITERS * EACH, WRITERS * EACH), "each once");
    assert_eq!(verify(&Head::GENESIS, &all), Ok(store.head().unwrap()));
    // A batch of more than one page is still all or nothing, and seen by others at once.
    let before = store.head().unwrap();
    let many: Vec<_> = (0..2_500).map(|index| record(&format!("{index:060}"))).collect();
    store.append(&before, &many).unwrap();
    let other = open();
    assert_eq!(other.head().unwrap(), store.head().unwrap());
    assert!(verify(&before, &other.read(before.seq + 1, 3_000).unwrap()).is_ok());
    assert!(store.append(&before, &many).is_err());
    assert_eq!(other.head().unwrap().seq, before.seq + 2_500);
    keeps_moments_exactly(&mut store);
}

/// Appends, however often others are first.
fn append_at_last(store: &mut dyn Store, body: &str) {
    for _ in 0..10_000 {
        let head = store.head().unwrap();
        match store.append(&head, &[record(body)]) {
            Ok(_) => return,
            Err(error) if error.class() == Class::Conflict => {}
            Err(error) => panic!("{error:?}"),
        }
    }
    panic!("others are always first");
}

fn keeps_moments_exactly(store: &mut dyn Store) {
    let head = store.head().unwrap();
    let moments = [Timestamp::MIN, Timestamp::UNIX_EPOCH, Timestamp::MAX];
    let records: Vec<_> = moments.iter().map(|at| NewRecord { at: *at, ..record("x") }).collect();
    store.append(&head, &records).unwrap();
    let read = store.read(head.seq + 1, 10).unwrap();
    assert_eq!(read.iter().map(|record| record.at).collect::<Vec<_>>(), moments);
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
