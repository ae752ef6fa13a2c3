//! Books in a bucket: the program against a server that speaks the API of S3 (moto, on loopback).
#![cfg(feature = "cloud")]
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

#[path = "../../farthing-providers/tests/moto/mod.rs"]
mod moto;
mod program;

use moto::Server;
use program::{PROGRAM, files};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// The program with its books in the bucket, and a folder of its own for the rest.
struct Place {
    server: Server,
    place: tempfile::TempDir,
}

impl Place {
    fn new() -> Option<Self> {
        Some(Self { server: Server::start()?, place: tempfile::tempdir().unwrap() })
    }

    /// Runs the program with its books in the bucket, and a folder of its own for the rest.
    fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let output = Command::new(PROGRAM)
            .args(arguments)
            .current_dir(self.place.path())
            .env("FARTHING_DATA", self.place.path().join("state"))
            .env("FARTHING_BOOKS", "s3://finops/farthing/eu")
            .env("AWS_ENDPOINT_URL", format!("http://{}", self.server.address))
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("AWS_REGION", "us-east-1")
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let (out, said) = (text(&output.stdout), text(&output.stderr));
        assert!(!said.contains("panicked"), "{said}");
        (output.status.code().unwrap(), out, said)
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let (code, out, said) = self.run(arguments);
        assert_eq!(code, 0, "{arguments:?}: {said}");
        serde_json::from_str(&out).unwrap()
    }

    fn import(&self, prices: &str) -> Value {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures");
        let paths = ["kube.om", "cadvisor.om", "dcgm.om"].map(|name| fixtures.join(name));
        let mut arguments = vec!["import", "telemetry"];
        arguments.extend(paths.iter().map(|path| path.to_str().unwrap()));
        arguments.extend(["--prices", prices, "--output", "json"]);
        self.json(&arguments)
    }
}

#[test]
fn books_in_a_bucket_are_the_same_books() {
    let Some(server) = Place::new() else { return };
    // The guard against two writers stands on this: the server does honour it.
    let put = |header: &str| server.server.http("PUT", "/finops/probe", &[header], b"x");
    assert!(put("If-None-Match: *").starts_with("HTTP/1.1 200"));
    let refused = put("If-None-Match: *");
    assert!(refused.starts_with("HTTP/1.1 412"), "{refused}");
    let refused = put("If-Match: \"0123456789abcdef0123456789abcdef\"");
    assert!(refused.starts_with("HTTP/1.1 412"), "{refused}");
    server.server.http("DELETE", "/finops/probe", &[], b"");

    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures");
    let prices = fixtures.join("prices.csv").display().to_string();
    assert_eq!(server.import(&prices)["paid"], "6.40");
    let keys = server.server.keys();
    assert!(keys.iter().all(|key| key.starts_with("farthing/eu/cluster=imported/")), "{keys:?}");
    assert!(keys.iter().any(|key| key.ends_with("charges/date=2026-11-02/hour=10.parquet")));
    let statement = server.json(&["cost", "--by", "namespace,pod", "--output", "json"]);
    assert_eq!((&statement["paid"], &statement["difference"]), (&"6.40".into(), &"0.00".into()));
    // The same again changes nothing; another price replaces the hour and says so.
    assert_eq!(server.import(&prices)["corrections"], serde_json::json!([]));
    let dearer = std::fs::read_to_string(&prices).unwrap().replace(",6.00,", ",7.00,");
    std::fs::write(server.place.path().join("dearer.csv"), dearer).unwrap();
    let correction = &server.import("dearer.csv")["corrections"][0];
    assert_eq!(correction["before"], "6.40");
    let statement = server.json(&["cost", "--output", "json"]);
    assert_eq!(statement["paid"], correction["after"]);
    let id = statement["rows"][0]["id"].as_str().unwrap();
    assert_eq!(server.run(&["explain", id]).0, 0);
    let check = server.json(&["verify", "--output", "json"]);
    assert_eq!((&check["ledger"]["ok"], &check["journal"]["ok"]), (&true.into(), &true.into()));
    // Folding takes nothing, as the only day is the newest, and says so.
    let folded = server.json(&["books", "compact", "--older-than", "0d", "--output", "json"]);
    assert_eq!(folded["result"]["days_folded"], 0);
    let (code, _, said) = server.run(&["sql", "SELECT 1"]);
    assert_eq!(code, 2, "{said}");
    // Nothing of the books is on this machine.
    assert!(files(&server.place.path().join("state/books")).is_empty());
}

/// Two programs that each import another part of an hour at the same time: what both measured is
/// in the books, once, whoever was refused and did it again.
#[test]
fn two_writers_of_one_hour_leave_both_parts() {
    let Some(server) = Place::new() else { return };
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures");
    let prices = fixtures.join("prices.csv").display().to_string();
    let halves =
        ["2026-11-02T10:00:00Z/2026-11-02T10:30:00Z", "2026-11-02T10:30:00Z/2026-11-02T11:00:00Z"];
    let import = |window: &str| {
        let paths = ["kube.om", "cadvisor.om", "dcgm.om"].map(|name| fixtures.join(name));
        let mut arguments = vec!["import", "telemetry"];
        arguments.extend(paths.iter().map(|path| path.to_str().unwrap()));
        arguments.extend(["--prices", &prices, "--window", window]);
        server.run(&arguments)
    };
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
    let statement = server.json(&["cost", "--output", "json"]);
    assert_eq!((&statement["paid"], &statement["difference"]), (&"6.40".into(), &"0.00".into()));
    assert_eq!(server.run(&["verify"]).0, 0);
}

#[test]
fn a_bucket_that_cannot_be_had_is_one_line() {
    let place = program::Place::new();
    let check = |url: &str, code: i32, expected: &str| {
        let run = place.shell(&format!(
            "AWS_ENDPOINT_URL=http://127.0.0.1:9 AWS_ACCESS_KEY_ID=a AWS_SECRET_ACCESS_KEY=b \
             AWS_REGION=us-east-1 \"$FARTHING\" cost --cluster c --books {url}"
        ));
        assert_eq!(run.code, code, "{}", run.said);
        assert!(run.said.contains(expected), "{}", run.said);
        assert!(run.said.lines().count() <= 6, "{}", run.said);
    };
    check("s3:///x", 2, "--books: `s3:///x` is not the address of a bucket");
    check("ftp://a/b", 2, "is not the address of a bucket");
    check("s3://finops/a", 1, "s3://finops/a/cluster=c/charges cannot be listed");
}
