//! A journal backed up while the loop runs, put back, moved between files and PostgreSQL, handed
//! out and checked elsewhere.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, missing_docs, reason = "tests")]

mod program;
#[path = "../../farthing-providers/tests/server/mod.rs"]
mod server;

use program::{PROGRAM, Place, Run};
use serde_json::Value;
use std::process::{Command, Stdio};

/// A demo of some virtual hours.
fn finished() -> Place {
    let place = Place::new();
    let run = place.run(&[
        "up",
        "--demo",
        "--history",
        "0s",
        "--no-listen",
        "--for",
        "1s",
        "--speed",
        "7500",
    ]);
    assert_eq!(run.code, 0, "{}", run.said);
    place
}

fn json(run: &Run) -> Value {
    assert_eq!(run.code, 0, "{}{}", run.out, run.said);
    serde_json::from_str(&run.out).unwrap()
}

fn key(place: &Place) -> String {
    place.run(&["journal", "key"]).out.trim().to_owned()
}

#[test]
fn a_backup_is_taken_while_the_loop_runs_and_put_back() {
    let place = Place::new();
    let mut up = Command::new(PROGRAM)
        .args([
            "up",
            "--demo",
            "--history",
            "0s",
            "--no-listen",
            "--for",
            "60s",
            "--speed",
            "20000",
        ])
        .current_dir(place.path())
        .env("FARTHING_DATA", place.state())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let journal = place.state().join("demo.journal");
    let mut sizes = Vec::new();
    for number in 0..200 {
        std::thread::sleep(std::time::Duration::from_millis(50));
        if !journal.exists() || sizes.len() == 4 {
            continue;
        }
        let file = format!("backup-{number}");
        let run = place.run(&["store", "backup", &file, "--output", "json"]);
        let records = json(&run)["records"].as_u64().unwrap();
        if records > 0 && sizes.last().is_none_or(|(_, last)| *last < records) {
            sizes.push((file, records));
        }
    }
    up.kill().unwrap();
    up.wait().unwrap();
    assert!(sizes.len() > 1, "the journal grows meanwhile: {sizes:?}");
    let (last, records) = sizes.last().unwrap();
    let before = json(&place.run(&["verify", "--output", "json"]))["journal"]["checked"].clone();
    assert!(before.as_u64().unwrap() >= *records);
    // Into the journal that went on it is not put without a word, nor into another.
    let run = place.run(&["store", "restore", last]);
    let went_on = before.as_u64().unwrap() > *records;
    assert_eq!(run.code, if went_on { 2 } else { 0 }, "{}", run.said);
    let run = place.run(&["store", "restore", last, "--replace", "--output", "json"]);
    assert_eq!(json(&run)["records"], *records);
    // An earlier file is the begin of it: it is refused, and a later one goes on from there.
    let (first, _) = &sizes[0];
    let run = place.run(&["store", "restore", first]);
    assert_eq!(run.code, 2, "{}", run.said);
    assert!(run.said.contains("there is another journal"), "{}", run.said);
    json(&place.run(&["store", "restore", first, "--replace", "--output", "json"]));
    let run = json(&place.run(&["store", "restore", last, "--output", "json"]));
    assert_eq!((&run["records"], &run["were_there"]), (&(*records).into(), &sizes[0].1.into()));
}

#[test]
fn a_journal_moves_to_postgresql_and_back() {
    let Some(server) = server::server() else { return };
    let (place, url) = (finished(), server.fresh());
    let verified = json(&place.run(&["verify", "--output", "json"]))["journal"]["checked"].clone();
    json(&place.run(&["store", "backup", "one.jsonl", "--output", "json"]));
    let store = ["--store", url.as_str(), "--output", "json"];
    let run = json(&place.run(&[&["store", "restore", "one.jsonl"], &store[..]].concat()));
    assert_eq!(run["records"], verified);
    let there = json(&place.run(&[&["verify"], &store[..]].concat()));
    assert_eq!(there["journal"]["checked"], verified);
    // Once more changes nothing: it is there already.
    let again = json(&place.run(&[&["store", "restore", "one.jsonl"], &store[..]].concat()));
    assert_eq!((&again["records"], &again["were_there"]), (&verified, &verified));
    json(&place.run(&[&["store", "backup", "two.jsonl"], &store[..]].concat()));
    let read = |name: &str| std::fs::read(place.path().join(name)).unwrap();
    assert_eq!(read("one.jsonl"), read("two.jsonl"), "each byte, hashes and signatures too");
    let other = Place::new();
    std::fs::copy(place.path().join("two.jsonl"), other.path().join("two.jsonl")).unwrap();
    let run = json(&other.run(&["store", "restore", "two.jsonl", "--output", "json"]));
    assert_eq!(run["records"], verified);
    assert_eq!(other.run(&["store", "backup", "two.jsonl"]).code, 2, "it is there already");
}

#[test]
fn what_was_handed_out_is_checked_against_a_key_and_the_journal() {
    let place = finished();
    let run = place.run(&["journal", "export", "--out", "out.jsonl", "--output", "json"]);
    let records = json(&run)["records"].clone();
    let key = key(&place);
    let checked = json(&place.run(&["verify", "--exported", "out.jsonl", "--output", "json"]));
    assert_eq!(checked["exported"]["checked"], records);
    assert_eq!(checked["journal"]["ok"], true);
    let notes = checked["journal"]["notes"].to_string();
    assert!(notes.contains(&format!("by {key}")), "{notes}");
    // Elsewhere, with nothing but the file and the key.
    let other = Place::new();
    let text = std::fs::read_to_string(place.path().join("out.jsonl")).unwrap();
    other.file("out.jsonl", &text);
    let verify =
        |more: &[&str]| other.run(&[&["verify", "--exported", "out.jsonl"], more].concat());
    assert_eq!(verify(&["--key", &key]).code, 0);
    let run = verify(&["--key", &"00".repeat(32)]);
    assert_eq!(run.code, 1, "{}", run.out);
    assert!(run.out.contains("is not one that is trusted"), "{}", run.out);
    other.file("out.jsonl", text.replacen("\"seq\":2,", "\"seq\":3,", 1));
    let run = verify(&["--key", &key]);
    assert_eq!(run.code, 1, "{}", run.out);
    assert!(run.out.contains("line 3: "), "{}", run.out);
    // A journal that ends before what was handed out was cut off.
    std::fs::remove_file(place.state().join("demo.journal-seal")).unwrap();
    let connection = rusqlite::Connection::open(place.state().join("demo.journal")).unwrap();
    let last = records.as_i64().unwrap();
    connection.execute("DELETE FROM journal WHERE seq = ?", [last]).unwrap();
    drop(connection);
    let run = place.run(&["verify", "--exported", "out.jsonl"]);
    assert_eq!(run.code, 1, "{}", run.out);
    assert!(run.out.contains("records were taken from the end"), "{}", run.out);
}

/// Who can write the file makes its chain hold again, and has not the key.
#[test]
fn a_journal_written_anew_does_not_hold_against_the_key() {
    let place = finished();
    let key = key(&place);
    assert_eq!(place.run(&["verify", "--key", &key]).code, 0);
    let out = place.run(&["journal", "export", "--out", "out.jsonl"]);
    assert_eq!(out.code, 0, "{}", out.said);
    let journal = place.state().join("demo.journal");
    let mut store = farthing_providers::sqlite::SqliteStore::open(&journal).unwrap();
    let records = farthing_edge::Store::read(&store, 1, usize::MAX).unwrap();
    let mut news: Vec<_> = records
        .into_iter()
        .map(|it| farthing_edge::NewRecord { at: it.at, kind: it.kind, body: it.body })
        .collect();
    let at = news.iter().position(|it| it.body.contains("\"record\":\"planned\"")).unwrap();
    news[at].body = news[at].body.replacen("USD", "EUR", 1);
    drop(store);
    for ending in ["", "-seal"] {
        std::fs::remove_file(place.state().join(format!("demo.journal{ending}"))).unwrap();
    }
    store = farthing_providers::sqlite::SqliteStore::open(&journal).unwrap();
    farthing_edge::Store::append(&mut store, &farthing_edge::Head::GENESIS, &news).unwrap();
    store.close().unwrap();
    let run = place.run(&["verify", "--key", &key]);
    assert_eq!(run.code, 1, "{}", run.out);
    // The books know single records, and the key the whole.
    let said = run.out;
    assert!(said.contains("a checkpoint of another record") || said.contains("knows by"), "{said}");
}
