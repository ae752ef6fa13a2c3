//! Books in a bucket: the program against a server that speaks the API of S3 (moto, on loopback).
#![cfg(feature = "cloud")]
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

#[path = "../../farthing-providers/tests/moto/mod.rs"]
mod moto;
mod program;

use moto::Server;
use program::cloud::{Cloud, the_same_books, two_writers};
use program::files;

/// The program with its books in a bucket of this server.
fn cloud(server: &Server) -> Cloud {
    let settings = [
        ("AWS_ENDPOINT_URL", format!("http://{}", server.address)),
        ("AWS_ACCESS_KEY_ID", "test".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
        ("AWS_REGION", "us-east-1".to_owned()),
    ];
    Cloud::new("s3://finops/farthing/eu", settings.into())
}

#[test]
fn books_in_a_bucket_are_the_same_books() {
    let Some(server) = Server::start() else { return };
    // The guard against two writers stands on this: the server does honour it.
    let put = |header: &str| server.http("PUT", "/finops/probe", &[header], b"x");
    assert!(put("If-None-Match: *").starts_with("HTTP/1.1 200"));
    let refused = put("If-None-Match: *");
    assert!(refused.starts_with("HTTP/1.1 412"), "{refused}");
    let refused = put("If-Match: \"0123456789abcdef0123456789abcdef\"");
    assert!(refused.starts_with("HTTP/1.1 412"), "{refused}");
    server.http("DELETE", "/finops/probe", &[], b"");

    let cloud = cloud(&server);
    the_same_books(&cloud);
    let keys = server.keys();
    assert!(keys.iter().all(|key| key.starts_with("farthing/eu/cluster=imported/")), "{keys:?}");
    assert!(keys.iter().any(|key| key.ends_with("charges/date=2026-11-02/hour=10.parquet")));
    // Folding takes nothing, as the only day is the newest, and says so.
    let folded = cloud.json(&["books", "compact", "--older-than", "0d"]);
    assert_eq!(folded["result"]["days_folded"], 0);
    let (code, _, said) = cloud.run(&["sql", "SELECT 1"]);
    assert_eq!(code, 2, "{said}");
    // Nothing of the books is on this machine.
    assert!(files(&cloud.place.path().join("state/books")).is_empty());
}

#[test]
fn two_writers_of_one_hour_leave_both_parts() {
    let Some(server) = Server::start() else { return };
    two_writers(&cloud(&server));
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
