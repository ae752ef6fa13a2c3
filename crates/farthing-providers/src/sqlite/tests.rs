// Snapshots are written by `UPDATE_EXPECT=1`, which writes them with hashes.
#![allow(clippy::needless_raw_string_hashes)]

use super::*;
use expect_test::expect;
use farthing_edge::check::Known;
use farthing_edge::conformance;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use tempfile::TempDir;

fn note(body: &str) -> NewRecord {
    let at = Timestamp::from_nanosecond(1_800_000_000_123_456_789).unwrap();
    NewRecord { at, kind: RecordKind::Noted, body: body.to_owned() }
}

fn add(store: &mut SqliteStore, body: &str) {
    let head = store.head().unwrap();
    store.append(&head, &[note(body)]).unwrap();
}

/// A journal of enough records for several pages and an inner page, closed cleanly.
fn journal(folder: &TempDir, records: usize) -> PathBuf {
    let path = folder.path().join("journal.sqlite");
    let mut store = SqliteStore::open(&path).unwrap();
    for index in 0..records {
        add(
            &mut store,
            &format!("{{\"index\":{index},\"text\":\"{}\"}}", "word ".repeat(index % 60)),
        );
    }
    store.close().unwrap();
    path
}

fn plain(error: &EdgeError, folder: &TempDir) -> String {
    format!("{}: {error}", error.class().name())
        .replace(&format!("{}/", folder.path().display()), "")
}

#[test]
fn conforms() {
    let folder = tempfile::tempdir().unwrap();
    let number = std::cell::Cell::new(0);
    conformance::store(|| {
        number.set(number.get() + 1);
        let path = folder.path().join(format!("{}.sqlite", number.get()));
        Box::new(SqliteStore::open(&path).unwrap())
    });
    let path = folder.path().join("shared.sqlite");
    conformance::shared(|| SqliteStore::open(&path).unwrap());
    assert_eq!(verify(&path).unwrap().first_fault, None);
}

#[test]
fn every_released_schema_is_brought_forward() {
    let folder = tempfile::tempdir().unwrap();
    let dumps = [include_str!("fixtures/v1.sql")];
    for (index, dump) in dumps.iter().enumerate() {
        let path = folder.path().join(format!("v{}.sqlite", index + 1));
        Connection::open(&path).unwrap().execute_batch(dump).unwrap();
        let mut store = SqliteStore::open(&path).unwrap();
        assert_eq!(store.read(1, 10).unwrap()[1].body, "{\"text\":\"é\"}");
        add(&mut store, "after");
        store.close().unwrap();
        let check = verify(&path).unwrap();
        assert_eq!((check.checked, check.sealed, check.first_fault), (3, true, None));
    }
    assert_eq!(dumps.len(), MIGRATIONS.len(), "a dump for each version");
}

#[test]
fn records_survive_closing_and_opening() {
    let folder = tempfile::tempdir().unwrap();
    let path = journal(&folder, 50);
    let mut store = SqliteStore::open(&path).unwrap();
    assert_eq!(store.head().unwrap().seq, 50);
    assert_eq!(store.read(1, 1).unwrap()[0].at, note("").at);
    add(&mut store, "more");
    drop(store);
    let check = verify(&path).unwrap();
    assert_eq!((check.checked, check.sealed, check.first_fault), (51, true, None));
}

#[test]
fn of_two_writers_the_second_gets_a_conflict_and_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = journal(&folder, 3);
    let mut first = SqliteStore::open(&path).unwrap();
    let mut second = SqliteStore::open(&path).unwrap();
    let head = second.head().unwrap();
    add(&mut first, "mine");
    let error = second.append(&head, &[note("theirs")]).unwrap_err();
    assert_eq!(
        plain(&error, &folder),
        "conflict: journal.sqlite: the journal is at record 4, not 3: another controller wrote \
         to it"
    );
    assert_eq!(second.read(4, 9).unwrap().len(), 1);
    add(&mut second, "after reading on");
    assert_eq!(first.head().unwrap().seq, 5);
}

#[test]
fn closing_beside_another_writer_leaves_no_stale_seal() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.sqlite");
    let mut first = SqliteStore::open(&path).unwrap();
    let mut second = SqliteStore::open(&path).unwrap();
    add(&mut first, "a");
    first.close().unwrap();
    add(&mut second, "b");
    assert_eq!(verify(&path).unwrap().first_fault, None);
    second.close().unwrap();
    let check = verify(&path).unwrap();
    assert_eq!((check.checked, check.sealed, check.first_fault), (2, true, None));
}

#[test]
fn files_that_are_no_journal_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let open = |name: &str| {
        plain(&SqliteStore::open(&folder.path().join(name)).unwrap_err(), &folder) + "\n"
    };
    let text = folder.path().join("text.sqlite");
    fs::write(
        &text,
        "a letter to my mother, long enough to be a header of a database file, and more",
    )
    .unwrap();
    expect![[r#"
        invalid: text.sqlite: the journal cannot be opened: it is not a SQLite file, or damaged
    "#]]
    .assert_eq(&open("text.sqlite"));
    assert_eq!(fs::read(&text).unwrap().len(), 78);
    let other = Connection::open(folder.path().join("other.sqlite")).unwrap();
    other.execute_batch("CREATE TABLE t (a)").unwrap();
    drop(other);
    expect![[r#"
        invalid: other.sqlite: is a SQLite file of another program
    "#]]
    .assert_eq(&open("other.sqlite"));
    fs::create_dir(folder.path().join("folder")).unwrap();
    expect![[r#"
        invalid: folder: is a folder; the journal is a file
    "#]]
    .assert_eq(&open("folder"));
    expect![[r#"
        not-found: none/journal.sqlite: there is no folder none
    "#]]
    .assert_eq(&open("none/journal.sqlite"));
    journal(&folder, 1);
    let newer = Connection::open(folder.path().join("journal.sqlite")).unwrap();
    newer.pragma_update(None, "user_version", 9).unwrap();
    drop(newer);
    std::fs::remove_file(folder.path().join("journal.sqlite-seal")).unwrap();
    expect![[r#"
        invalid: journal.sqlite: has the journal version 9, and this program knows 1: it was written by a newer one
    "#]].assert_eq(&open("journal.sqlite"));
}

#[test]
fn a_folder_that_refuses_is_named() {
    // Nobody may make files here, not even root.
    let error = SqliteStore::open(Path::new("/proc/farthing-journal.sqlite")).unwrap_err();
    assert_eq!(error.class(), Class::Denied);
    expect![[r#"
        /proc/farthing-journal.sqlite: the journal cannot be opened: the file or its folder refuses
    "#]]
    .assert_eq(&format!("{error}\n"));
    assert!(error.hint().unwrap().contains("writable"), "{:?}", error.hint());
}

#[test]
fn a_full_disk_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = journal(&folder, 3);
    let mut store = SqliteStore::open(&path).unwrap();
    // What SQLite does when the file may not grow is what it does when the disk is full.
    store.connection.pragma_update(None, "max_page_count", 3).unwrap();
    let head = store.head().unwrap();
    let error = store.append(&head, &[note("small"), note(&"x".repeat(100_000))]).unwrap_err();
    assert_eq!(
        plain(&error, &folder),
        "exhausted: journal.sqlite: the journal cannot be written: the disk is full; nothing was \
         written"
    );
    assert_eq!(store.head().unwrap(), head);
    drop(store);
    assert_eq!(verify(&path).unwrap().checked, 3);
}

#[test]
fn a_truncated_file_is_found_at_any_length() {
    let folder = tempfile::tempdir().unwrap();
    let path = journal(&folder, 300);
    let bytes = fs::read(&path).unwrap();
    for len in (1..bytes.len()).step_by(1_777) {
        let cut = folder.path().join(format!("cut-{len}.sqlite"));
        fs::write(&cut, &bytes[..len]).unwrap();
        let check = verify(&cut).unwrap();
        assert!(check.first_fault.is_some(), "{len} of {} bytes", bytes.len());
    }
    let cut = folder.path().join("cut-100.sqlite");
    fs::write(&cut, &bytes[..8_192]).unwrap();
    let error = SqliteStore::open(&cut).unwrap_err();
    assert_eq!(error.class(), Class::Invalid);
    assert_eq!(fs::read(&cut).unwrap(), &bytes[..8_192], "nothing is written to a damaged file");
}

/// Positions over the whole file: all of the header, and a stride that meets every kind of byte.
fn positions(len: usize) -> impl Iterator<Item = usize> {
    (0..len).filter(move |at| *at < 128 || at % 97 == 0)
}

#[test]
fn one_flipped_byte_anywhere_in_a_closed_journal_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = journal(&folder, 200);
    let bytes = fs::read(&path).unwrap();
    assert_eq!(verify(&path).unwrap().first_fault, None);
    let mut located = 0;
    for at in positions(bytes.len()) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        fs::write(&path, &flipped).unwrap();
        let fault = verify(&path).unwrap().first_fault;
        let fault = fault.unwrap_or_else(|| panic!("byte {at} flipped and not found"));
        located += usize::from(fault.seq.is_some());
    }
    assert!(located > positions(bytes.len()).count() / 2, "{located} at a record");
}

#[test]
fn without_a_seal_a_flipped_byte_is_found_or_changes_no_record() {
    let folder = tempfile::tempdir().unwrap();
    let path = journal(&folder, 200);
    seal::remove(&path).unwrap();
    let bytes = fs::read(&path).unwrap();
    let records = SqliteStore::open(&path).unwrap().read(1, 1_000).unwrap();
    let (mut found, mut harmless) = (0, 0);
    for at in positions(bytes.len()) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        fs::write(&path, &flipped).unwrap();
        let check = verify(&path).unwrap();
        assert!(!check.sealed);
        if check.first_fault.is_some() {
            found += 1;
            continue;
        }
        harmless += 1;
        assert_eq!(SqliteStore::open(&path).unwrap().read(1, 1_000).unwrap(), records, "byte {at}");
    }
    assert!(found > harmless * 3, "{found} found, {harmless} harmless");
}

#[test]
fn a_flipped_byte_of_the_seal_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = journal(&folder, 20);
    let seal = folder.path().join("journal.sqlite-seal");
    let bytes = fs::read(&seal).unwrap();
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 4;
        fs::write(&seal, &flipped).unwrap();
        assert!(verify(&path).unwrap().first_fault.is_some(), "byte {at} of the seal");
    }
}

#[test]
fn a_flipped_byte_is_located_at_its_record() {
    let folder = tempfile::tempdir().unwrap();
    let path = journal(&folder, 200);
    let mut bytes = fs::read(&path).unwrap();
    let needle = b"\"index\":137,";
    let at = bytes.windows(needle.len()).position(|window| window == needle).unwrap();
    bytes[at + 9] = b'2';
    fs::write(&path, &bytes).unwrap();
    let check = verify(&path).unwrap();
    assert_eq!(check.checked, 137);
    assert_eq!(
        check.first_fault.unwrap().to_string(),
        "record 138: its content does not have the hash it was sealed with"
    );
}

/// The end of a chain holds by itself: someone must know a record that is gone.
#[test]
fn records_taken_from_the_end_are_missed_by_who_knows_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = journal(&folder, 20);
    let head = |seq| {
        let store = SqliteStore::open(&path).unwrap();
        Head { seq, hash: store.read(seq, 1).unwrap()[0].hash }
    };
    let (tenth, last) = (head(10), head(20));
    let fault = |known: &[(Head, &str)]| {
        let known: Vec<_> = known.iter().map(|(head, by)| Known { head: *head, by }).collect();
        let mut seen = 0;
        let check = verify_known(&path, &known, &mut |_| seen += 1).unwrap();
        assert_eq!(seen, check.checked);
        check.first_fault.map(|fault| fault.to_string())
    };
    assert_eq!(fault(&[(tenth, "hour 1"), (tenth, "hour 2"), (last, "hour 3")]), None);
    let other = Head { seq: 10, hash: [7; 32] };
    assert_eq!(
        fault(&[(other, "hour 1"), (last, "hour 3")]).unwrap(),
        "record 10: it is not the record that hour 1 knows by this number"
    );
    let connection = Connection::open(&path).unwrap();
    connection.execute("DELETE FROM journal WHERE seq > 15", ()).unwrap();
    drop(connection);
    fs::remove_file(folder.path().join("journal.sqlite-seal")).unwrap();
    assert_eq!(verify(&path).unwrap().first_fault, None, "nothing in the file shows it");
    assert_eq!(
        fault(&[(tenth, "hour 1"), (last, "hour 3")]).unwrap(),
        "record 16: records were taken from the end: hour 3 knows record 20, and the last one is 15"
    );
}

/// A file that changed since it was sealed is not gone on with: the next seal would hide it, and
/// `SQLite` takes an empty file for a new journal.
#[test]
fn a_journal_that_is_not_as_it_was_sealed_is_not_written_to() {
    let folder = tempfile::tempdir().unwrap();
    let path = journal(&folder, 50);
    let good = fs::read(&path).unwrap();
    let refused = || {
        let error = SqliteStore::open(&path).unwrap_err();
        assert!(error.hint().unwrap().contains("journal.sqlite-seal"), "{error}");
        plain(&error, &folder)
    };
    for len in [0, 1, 99, 4_096, good.len() - 1] {
        fs::write(&path, &good[..len]).unwrap();
        let said = refused();
        assert!(said.contains(&format!("the file has {len} bytes, and was sealed with")), "{said}");
        assert_eq!(fs::read(&path).unwrap(), good[..len], "nothing is written");
    }
    fs::remove_file(&path).unwrap();
    assert_eq!(refused(), "not-found: journal.sqlite: the journal is gone, its seal is there");
    assert!(!path.exists());
    fs::write(&path, &good).unwrap();
    assert_eq!(SqliteStore::open(&path).unwrap().head().unwrap().seq, 50);
}

/// Copies an open journal with its log, as a machine that lost its power leaves it.
fn crashed(folder: &TempDir) -> (PathBuf, PathBuf) {
    let path = folder.path().join("journal.sqlite");
    let mut store = SqliteStore::open(&path).unwrap();
    for index in 0..40 {
        add(&mut store, &format!("record {index}"));
    }
    let copy = folder.path().join("copy.sqlite");
    let log = folder.path().join("copy.sqlite-wal");
    fs::copy(&path, &copy).unwrap();
    fs::copy(folder.path().join("journal.sqlite-wal"), &log).unwrap();
    (copy, log)
}

#[test]
fn nothing_acknowledged_is_lost_with_the_power() {
    let folder = tempfile::tempdir().unwrap();
    let (copy, log) = crashed(&folder);
    let check = verify(&copy).unwrap();
    assert_eq!((check.checked, check.sealed, check.first_fault), (40, false, None));
    // A write that was cut off is no damage.
    let bytes = fs::read(&log).unwrap();
    fs::write(&log, &bytes[..bytes.len() - 1_000]).unwrap();
    assert_eq!(verify(&copy).unwrap().first_fault, None);
    assert_eq!(SqliteStore::open(&copy).unwrap().head().unwrap().seq, 39);
}

#[test]
fn one_flipped_byte_of_the_log_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let (copy, log) = crashed(&folder);
    let (file, bytes) = (fs::read(&copy).unwrap(), fs::read(&log).unwrap());
    for at in positions(bytes.len()) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        fs::write(&copy, &file).unwrap();
        fs::write(&log, &flipped).unwrap();
        let _ = fs::remove_file(folder.path().join("copy.sqlite-shm"));
        assert!(verify(&copy).unwrap().first_fault.is_some(), "byte {at} of the log");
    }
}

#[test]
#[ignore = "the child of a_killed_process_loses_nothing_acknowledged"]
fn child_appends_until_it_is_killed() {
    let path = std::env::var_os("FARTHING_TEST_JOURNAL").expect("started by its parent");
    let mut store = SqliteStore::open(Path::new(&path)).unwrap();
    loop {
        let head = store.head().unwrap();
        let records = store.append(&head, &[note("one"), note("two")]).unwrap();
        println!("acknowledged {}", records[1].seq);
    }
}

#[test]
fn a_killed_process_loses_nothing_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.sqlite");
    let mut acknowledged = 0;
    for round in 1..=3_u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "sqlite::tests::child_appends_until_it_is_killed"])
            .args(["--ignored", "--nocapture", "--test-threads=1"])
            .env("FARTHING_TEST_JOURNAL", &path)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut seen = 0;
        while seen < 7 * round {
            let line = lines.next().expect("the child writes until it is killed").unwrap();
            if let Some(seq) = line.rsplit_once("acknowledged ").map(|(_, seq)| seq) {
                acknowledged = seq.parse::<u64>().unwrap();
                seen += 1;
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let check = verify(&path).unwrap();
        assert_eq!(check.first_fault, None);
        assert!(check.checked >= acknowledged, "{} of {acknowledged}", check.checked);
        assert_eq!(check.checked % 2, 0, "an append is done entirely or not at all");
    }
    assert_eq!(SqliteStore::open(&path).unwrap().head().unwrap().seq % 2, 0);
}

#[test]
fn there_must_be_a_journal_to_verify() {
    let folder = tempfile::tempdir().unwrap();
    let error = verify(&folder.path().join("none.sqlite")).unwrap_err();
    assert_eq!(plain(&error, &folder), "not-found: none.sqlite: there is no journal");
    assert!(!folder.path().join("none.sqlite").exists());
}
