//! A client of a few lines, that sends what it is told and reads what comes.
#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failed test")]

use farthing_server::Running;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// Sends `head` as it is, and reads until the server closes.
pub(crate) fn raw(server: &Running, head: &str) -> Answer {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let header = |line: &str| {
        let (name, value) = line.split_once(": ").unwrap();
        (name.to_ascii_lowercase(), value.to_owned())
    };
    Answer { status, headers: lines.map(header).collect(), body: body.to_owned() }
}

pub(crate) fn get(server: &Running, path: &str) -> Answer {
    let host = server.address();
    raw(server, &format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"))
}

/// A problem of RFC 9457.
pub(crate) fn problem(answer: &Answer, status: u16, name: &str) -> Value {
    assert_eq!(answer.status, status, "{}", answer.body);
    assert_eq!(answer.header("content-type"), "application/problem+json");
    let json = answer.json();
    assert_eq!(json["status"], status);
    assert_eq!(json["type"], format!("tag:farthing.dev,2026:{name}"));
    assert!(json["title"].is_string() && json["detail"].is_string());
    json
}

/// Asks with further lines in the head.
pub(crate) fn ask(server: &Running, line: &str, head: &[(&str, &str)], content: &str) -> Answer {
    let mut text =
        format!("{line} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", server.address());
    for (name, value) in head {
        write!(text, "{name}: {value}\r\n").unwrap();
    }
    if !content.is_empty() || line.starts_with("POST") {
        write!(text, "Content-Type: application/json\r\nContent-Length: {}\r\n", content.len())
            .unwrap();
    }
    raw(server, &format!("{text}\r\n{content}"))
}

/// Asks with a token.
pub(crate) fn ask_as(server: &Running, token: &str, line: &str, content: &str) -> Answer {
    let head = [("Authorization", &*format!("Bearer {token}")), ("X-Request-Id", "a-test")];
    ask(server, line, &head, content)
}
