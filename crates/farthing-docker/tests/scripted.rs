//! What real engines do seldom: thousands of containers, answers that are none, and silence.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

use farthing_docker::{Docker, Shares};
use farthing_model::{Currency, Money, NodeId, PerResource, Place, Price, Purchase, Resources};
use jiff::Timestamp;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

/// An engine that says what it is told to.
struct Scripted {
    folder: tempfile::TempDir,
}

impl Scripted {
    /// Answers each path by a status and a body, until the test ends.
    fn new(answer: impl Fn(&str) -> Vec<u8> + Send + 'static) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("s")).unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                let first = lines.next().unwrap().unwrap();
                let path = first.split(' ').nth(1).unwrap().to_owned();
                while lines.next().is_some_and(|line| !line.unwrap().is_empty()) {}
                let _ = stream.write_all(&answer(&path));
            }
        });
        Self { folder }
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("s")
    }

    fn open(&self) -> Result<Docker<()>, String> {
        let nothing = PerResource::from_fn(|_| Money::zero(Currency::USD));
        let shares = Shares {
            place: Place { provider: "local".to_owned(), region: "box".to_owned(), zone: None },
            purchase: Purchase::Owned,
            price: Price::Unknown("a test".to_owned()),
            parts: nothing,
            capacity: Resources::default(),
            gpus: Vec::new(),
        };
        let machine = (NodeId::new("box").unwrap(), ());
        Docker::open(&self.socket(), machine, shares, Vec::new()).map_err(|error| error.to_string())
    }
}

fn ok(body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// A body in pieces, as Docker sends long lists.
fn in_pieces(body: &str) -> Vec<u8> {
    let mut out = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for piece in body.as_bytes().chunks(1_000) {
        write!(out, "{:x}\r\n", piece.len()).unwrap();
        out.extend_from_slice(piece);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"0\r\n\r\n");
    out
}

const VERSION: &str = r#"{"Version":"29.0.0","ApiVersion":"1.99","MinAPIVersion":"1.44"}"#;

#[test]
fn a_thousand_containers_are_one_question() {
    let row = |number: usize| {
        format!(
            "{{\"Id\":\"{number:012x}abcd\",\"Names\":[\"/c{number}\"],\"State\":\"running\",\
              \"Labels\":{{\"team\":\"<script>\\u001b[2J\",\"long\":\"{}\"}},\"New\":[1]}}",
            "x".repeat(2_000)
        )
    };
    let list = format!("[{}]", (0..1_000).map(row).collect::<Vec<_>>().join(","));
    let engine = Scripted::new(move |path| match path {
        "/version" => ok(VERSION),
        "/v1.51/containers/json?all=1" => in_pieces(&list),
        other => panic!("{other} is asked for"),
    });
    let found = engine.open().unwrap().inventory(Timestamp::now()).unwrap();
    assert_eq!((found.others, found.ours, found.engine.as_str()), (1_000, 0, "Docker 29.0.0"));
}

#[test]
fn answers_that_are_none_are_told() {
    let said = |answer: fn(&str) -> Vec<u8>| {
        Scripted::new(answer).open().and_then(|mut docker| {
            docker.inventory(Timestamp::now()).map(|_| ()).map_err(|error| error.to_string())
        })
    };
    let old = said(|_| ok(r#"{"ApiVersion":"1.99","MinAPIVersion":"1.90"}"#)).unwrap_err();
    assert!(old.contains("its oldest API is newer than 1.51"), "{old}");
    let none = said(|_| ok("<html>")).unwrap_err();
    assert!(none.contains("ask for the version: says what is not an answer"), "{none}");
    let refused = said(|path| match path {
        "/version" => ok(VERSION),
        _ => {
            b"HTTP/1.1 403 Forbidden\r\nContent-Length: 18\r\n\r\n{\"message\":\"no\\n\"}".to_vec()
        }
    });
    assert_eq!(refused.unwrap_err(), "list the containers: answers 403: no");
    let half = said(|path| match path {
        "/version" => ok(VERSION),
        _ => b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[".to_vec(),
    });
    assert!(half.is_err(), "an answer that ends in the middle is none");
    assert!(said(|_| Vec::new()).is_err(), "no answer at all");
}

#[test]
fn a_container_that_is_not_as_we_made_it_is_told_and_left_alone() {
    let list = r#"[{"Id":"aaaaaaaaaaaaaaaa","Names":["/mine"],"State":"running",
        "Labels":{"farthing.dev/step":"p1-1"}},{"Id":"short","Names":null,"Labels":null}]"#;
    let one = r#"{"Id":"aaaaaaaaaaaaaaaa","Name":"/mine","State":{"Status":"running"},
        "Config":{"Labels":{"farthing.dev/step":"p1-1"}}}"#;
    let engine = Scripted::new(move |path| match path {
        "/version" => ok(VERSION),
        "/v1.51/containers/json?all=1" => ok(list),
        _ => ok(one),
    });
    let found = engine.open().unwrap().inventory(Timestamp::now()).unwrap();
    assert_eq!((found.others, found.ours), (1, 0));
}
