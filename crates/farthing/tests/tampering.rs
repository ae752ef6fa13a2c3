//! `farthing verify` on a folder that was tampered with: one byte anywhere, one byte less, one file
//! less, records less; each is found, and the file is named.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

mod program;

use program::{Place, files};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// A demo of two virtual hours: closed hours, an open one, plans, receipts.
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
    let run = place.run(&["verify"]);
    assert_eq!(run.code, 0, "{}", run.out);
    assert!(!run.out.contains("not sealed"), "{}", run.out);
    place
}

fn short(place: &Place, file: &Path) -> String {
    file.strip_prefix(place.path()).unwrap().display().to_string()
}

/// What verifying says: it must fail, and name `file`.
fn found(place: &Place, file: &Path, what: &str) -> Value {
    let run = place.run(&["verify", "--output", "json"]);
    let name = short(place, file);
    assert_eq!(run.code, 1, "{what} of {name} is not found: {} {}", run.out, run.said);
    // The seal is part of its journal.
    let told = name.strip_suffix("-seal").unwrap_or(&name);
    let said = run.out.clone() + &run.said;
    assert!(said.contains(told), "{what} of {name} is found and not located: {said}");
    serde_json::from_str(&run.out).unwrap_or(Value::Null)
}

fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

/// All files of a run; of the many of telemetry the first, the last and some between.
fn sample(place: &Place) -> Vec<PathBuf> {
    // The lock of the loop says nothing.
    let files = files(&place.state()).into_iter();
    let files = files.filter(|file| file.extension().is_none_or(|end| end != "lock"));
    let (telemetry, mut others): (Vec<_>, Vec<_>) =
        files.partition(|file| file.to_string_lossy().contains("/telemetry/"));
    assert!(others.len() >= 6 && telemetry.len() >= 2, "{others:?} {telemetry:?}");
    let step = (telemetry.len() / 4).max(1);
    others.extend(telemetry.iter().step_by(step).chain(telemetry.last()).cloned());
    others
}

#[test]
fn one_byte_anywhere_and_one_byte_less() {
    let place = finished();
    let mut seed = 20_261_124;
    for file in sample(&place) {
        let good = std::fs::read(&file).unwrap();
        let last = good.len() - 1;
        let any = (0..6).map(|_| usize::try_from(random(&mut seed)).unwrap() % good.len());
        for at in [0, last / 2, last].into_iter().chain(any.collect::<Vec<_>>()) {
            let mut bad = good.clone();
            bad[at] ^= 1 << (random(&mut seed) % 8);
            std::fs::write(&file, bad).unwrap();
            found(&place, &file, &format!("byte {at}"));
        }
        std::fs::write(&file, &good[..last]).unwrap();
        found(&place, &file, "the last byte");
        std::fs::write(&file, []).unwrap();
        found(&place, &file, "everything");
        std::fs::write(&file, good).unwrap();
    }
    assert_eq!(place.run(&["verify"]).code, 0, "all is as it was");
}

#[test]
fn one_file_less() {
    let place = finished();
    for file in sample(&place) {
        let good = std::fs::read(&file).unwrap();
        std::fs::remove_file(&file).unwrap();
        if short(&place, &file).ends_with("-seal") {
            // The same as after a crash: the chain holds, and what the seal held is said.
            let run = place.run(&["verify"]);
            assert_eq!(run.code, 0, "{}", run.out);
            assert!(run.out.contains("not sealed"), "{}", run.out);
        } else if short(&place, &file).ends_with("signing.key") {
            // The journal holds, and whose signatures are in it is for others to know.
            let run = place.run(&["verify"]);
            assert_eq!(run.code, 0, "{}", run.out);
            assert!(run.out.contains("which nobody here knows"), "{}", run.out);
        } else if short(&place, &file).contains("/telemetry/") {
            // A file that is not there is missed by the charges that were metered from it.
            let charges = short(&place, &file).replace("/telemetry/", "/charges/");
            let hour = charges.rsplit_once('/').unwrap().0.to_owned() + ".parquet";
            found(&place, &place.path().join(hour), "telemetry");
        } else {
            found(&place, &file, "the file");
        }
        std::fs::write(&file, good).unwrap();
    }
    assert_eq!(place.run(&["verify"]).code, 0, "all is as it was");
}

/// The end of a chain holds by itself, with a seal that is made anew; the books know better.
#[test]
fn records_taken_from_the_journals_end() {
    let place = finished();
    let journal = place.state().join("demo.journal");
    let before = place.run(&["verify", "--output", "json"]).out;
    let records = serde_json::from_str::<Value>(&before).unwrap()["journal"]["checked"].clone();
    let records = records.as_i64().unwrap();
    // The seal goes with them, as after a crash.
    std::fs::remove_file(place.state().join("demo.journal-seal")).unwrap();
    let connection = rusqlite::Connection::open(&journal).unwrap();
    connection.execute("DELETE FROM journal WHERE seq = ?", [records]).unwrap();
    drop(connection);
    let checked = found(&place, &journal, "the last record");
    assert_eq!(checked["journal"]["first_fault"]["row"], records);
    let what = checked["journal"]["first_fault"]["what"].as_str().unwrap();
    assert!(what.starts_with("records were taken from the end: "), "{what}");
    assert!(what.contains(&format!("knows record {records}, and the last one is")), "{what}");
}

/// A file of charges that is damaged can be deleted: the next run meters its hour again.
#[test]
fn charges_are_metered_again_where_they_are_gone() {
    let place = Place::new();
    let up = ["up", "--no-listen", "--for", "2s", "--every", "1s"];
    assert_eq!(place.run(&up).code, 0);
    let is_charges = |file: &PathBuf| file.to_string_lossy().contains("/charges/");
    let charges = files(&place.state()).into_iter().find(is_charges).unwrap();
    let mut bytes = std::fs::read(&charges).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&charges, bytes).unwrap();
    let run = place.run(&up);
    assert_eq!(run.code, 1, "{}", run.said);
    assert!(
        run.said.contains("delete it: `farthing up` then meters its hour again"),
        "{}",
        run.said
    );
    std::fs::remove_file(&charges).unwrap();
    assert_eq!(place.run(&up).code, 0);
    let verified = place.run(&["verify"]);
    assert_eq!(verified.code, 0, "{}", verified.out);
}
