//! Books in an object store, of whichever cloud: what holds in each.
#![allow(dead_code, reason = "not every test needs all of it")]

use super::{PROGRAM, files};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The program with its books in a cloud, and a folder of its own for the rest.
pub(crate) struct Cloud {
    books: &'static str,
    settings: Vec<(&'static str, String)>,
    pub(crate) place: tempfile::TempDir,
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures")
}

impl Cloud {
    pub(crate) fn new(books: &'static str, settings: Vec<(&'static str, String)>) -> Self {
        Self { books, settings, place: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let output = Command::new(PROGRAM)
            .args(arguments)
            .current_dir(self.place.path())
            .env("FARTHING_DATA", self.place.path().join("state"))
            .env("FARTHING_BOOKS", self.books)
            .envs(self.settings.iter().map(|(name, value)| (name, value)))
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let (out, said) = (text(&output.stdout), text(&output.stderr));
        assert!(!said.contains("panicked"), "{said}");
        (output.status.code().unwrap(), out, said)
    }

    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let (code, out, said) = self.run(&[arguments, &["--output", "json"]].concat());
        assert_eq!(code, 0, "{arguments:?}: {said}");
        serde_json::from_str(&out).unwrap()
    }

    fn import(&self, more: &[&str]) -> (i32, String, String) {
        let names = ["kube.om", "cadvisor.om", "dcgm.om"];
        let paths = names.map(|name| fixtures().join(name).display().to_string());
        let mut arguments = vec!["import", "telemetry"];
        arguments.extend(paths.iter().map(String::as_str));
        self.run(&[&arguments[..], more].concat())
    }
}

/// Books are written, priced again, explained and verified as on a disk.
pub(crate) fn the_same_books(cloud: &Cloud) {
    let prices = fixtures().join("prices.csv").display().to_string();
    let import = |prices: &str| -> Value {
        let (code, out, said) = cloud.import(&["--prices", prices, "--output", "json"]);
        assert_eq!(code, 0, "{said}");
        serde_json::from_str(&out).unwrap()
    };
    assert_eq!(import(&prices)["paid"], "6.40");
    let statement = cloud.json(&["cost", "--by", "namespace,pod"]);
    assert_eq!((&statement["paid"], &statement["difference"]), (&"6.40".into(), &"0.00".into()));
    // The same again changes nothing; another price replaces the hour and says so.
    assert_eq!(import(&prices)["corrections"], serde_json::json!([]));
    let dearer = std::fs::read_to_string(&prices).unwrap().replace(",6.00,", ",7.00,");
    std::fs::write(cloud.place.path().join("dearer.csv"), dearer).unwrap();
    let correction = &import("dearer.csv")["corrections"][0];
    assert_eq!(correction["before"], "6.40");
    let statement = cloud.json(&["cost"]);
    assert_eq!(statement["paid"], correction["after"]);
    let id = statement["rows"][0]["id"].as_str().unwrap();
    assert_eq!(cloud.run(&["explain", id]).0, 0);
    let check = cloud.json(&["verify"]);
    assert_eq!((&check["ledger"]["ok"], &check["journal"]["ok"]), (&true.into(), &true.into()));
    // Nothing of the books is on this machine.
    assert!(files(&cloud.place.path().join("state/books")).is_empty());
}

/// Two programs that each import another part of an hour at the same time: what both measured is in
/// the books, once, whoever was refused and did it again.
pub(crate) fn two_writers(cloud: &Cloud) {
    let prices = fixtures().join("prices.csv").display().to_string();
    let halves =
        ["2026-11-02T10:00:00Z/2026-11-02T10:30:00Z", "2026-11-02T10:30:00Z/2026-11-02T11:00:00Z"];
    let import = |window: &str| cloud.import(&["--prices", &prices, "--window", window]);
    let ends: Vec<_> = std::thread::scope(|scope| {
        let runs = halves.map(|window| scope.spawn(move || import(window)));
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    for (window, (code, _, said)) in halves.iter().zip(ends) {
        if code != 0 {
            assert!(said.contains("another writer"), "{said}");
            let (code, _, said) = import(window);
            assert_eq!(code, 0, "{said}");
        }
    }
    // Doing both again adds nothing that one of them missed.
    let last = halves.map(import);
    assert!(last.iter().all(|(code, ..)| *code == 0));
    let statement = cloud.json(&["cost"]);
    assert_eq!((&statement["paid"], &statement["difference"]), (&"6.40".into(), &"0.00".into()));
    assert_eq!(cloud.run(&["verify"]).0, 0);
}
