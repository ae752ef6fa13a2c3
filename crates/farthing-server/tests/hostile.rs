//! What nobody who means well sends.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failed test")]

mod client;
mod world;

use client::*;
use farthing_server::{AccessRules, Behind, Running, Server};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};
use world::*;

fn serve() -> Running {
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    Server::bind(address, AccessRules::default(), None)
        .unwrap()
        .serve(Behind {
            published: published(),
            books: books(),
            journal: None,
            orders: None,
            offers: None,
            oidc: None,
            sessions: farthing_server::Sessions::default(),
        })
        .unwrap()
}

/// Sends bytes, as far as they are taken, and reads what comes.
fn send(server: &Running, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(20))).unwrap();
    // The other side may hang up before all is sent.
    let _ = stream.write_all(bytes);
    let mut said = Vec::new();
    let _ = stream.read_to_end(&mut said);
    String::from_utf8_lossy(&said).into_owned()
}

#[test]
fn what_is_too_large_is_refused_and_the_server_goes_on() {
    let server = serve();
    let host = server.address();
    let long = "a".repeat(20_000);
    let head = format!("GET /api/v1/tick HTTP/1.1\r\nHost: {host}\r\nX-Long: {long}\r\n\r\n");
    let answer =
        send(&server, head.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n").as_bytes());
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    assert!(answer.contains("tag:farthing.dev,2026:head-too-large"), "{answer}");
    let huge = "a".repeat(10 << 20);
    let head = format!("GET /api/v1/tick HTTP/1.1\r\nHost: {host}\r\nX-Huge: {huge}\r\n\r\n");
    let answer = send(&server, head.as_bytes());
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431 "), "{answer}");
    let path = format!("GET /{huge} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let answer = send(&server, path.as_bytes());
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    // With its length said, and without.
    let content = format!(
        "POST /api/v1/reservations HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{huge}",
        huge.len()
    );
    let answer = send(&server, content.as_bytes());
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 413 "), "{answer}");
    let chunk = "a".repeat(100_000);
    let chunked = format!(
        "POST /api/v1/reservations HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{chunk}\r\n\
         0\r\n\r\n",
        chunk.len()
    );
    let answer = send(&server, chunked.as_bytes());
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 413 "), "{answer}");
    // Content of another type is no content of ours, whatever it says.
    for kind in ["Content-Type: text/plain\r\n", ""] {
        let content = format!(
            "POST /api/v1/budgets/simulate HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
             {kind}Content-Length: 2\r\n\r\n{{}}"
        );
        let answer = send(&server, content.as_bytes());
        assert!(answer.starts_with("HTTP/1.1 415 "), "{answer}");
        assert!(answer.contains("tag:farthing.dev,2026:other-type"), "{answer}");
    }
    for route in ["plan", "tick", "snapshot", "what-if", "anomalies"] {
        let answer = get(&server, &format!("/api/v1/{route}?plan=nosuch"));
        assert_eq!(answer.status, 400, "{route}: {}", answer.body);
        assert!(answer.body.contains("there is no parameter `plan`: none"), "{}", answer.body);
    }
    assert_eq!(get(&server, "/api/v1/tick").status, 200);
}

#[test]
fn bad_text_paths_upward_and_sql_are_only_text() {
    let server = serve();
    for (path, statuses) in [
        ("/api/v1/explain/%ff%fe", &[400][..]),
        ("/api/v1/steps/%ff/approve", &[405]),
        ("/../../../etc/passwd", &[404]),
        ("/assets/..%2f..%2f..%2fetc%2fpasswd", &[404]),
        ("/%2e%2e/%2e%2e/etc/passwd", &[404]),
        ("/api/v1/../../etc/passwd", &[404]),
        ("//etc/passwd", &[404]),
        ("/api/v1/cost?window=%00", &[400]),
        ("/api/v1/cost?by=%ff", &[400]),
    ] {
        let answer = get(&server, path);
        assert!(statuses.contains(&answer.status), "{path}: {} {}", answer.status, answer.body);
        assert_eq!(answer.header("content-type"), "application/problem+json", "{path}");
        assert!(!answer.body.contains("root:"), "{path}");
    }
    let sql = "1%27%3B%20DROP%20TABLE%20journal%3B--";
    let routes: [(&str, &[&str]); 8] = [
        ("/api/v1/cost", &["window", "by", "step", "filter", "share_idle", "share", "basis"]),
        ("/api/v1/journal", &["cursor", "limit", "kind"]),
        ("/api/v1/utilisation", &["window", "step", "limit", "sort", "node"]),
        ("/api/v1/offers", &["accelerator", "count", "region", "max_price"]),
        ("/api/v1/offers/history", &["window", "cursor", "limit"]),
        ("/api/v1/what-if/history", &["window", "idle_after", "reserve", "limit"]),
        ("/allocation", &["window", "aggregate", "filter", "shareLabels"]),
        ("/assets", &["window", "filter"]),
    ];
    for (route, parameters) in routes {
        for parameter in parameters {
            let answer = get(&server, &format!("{route}?{parameter}={sql}"));
            let is_text = *parameter == "node" && answer.status == 200;
            assert!(is_text || [400, 404].contains(&answer.status), "{route} {parameter}");
        }
    }
    for id in [sql, "..%2f..%2fetc", "%00", "a%0ab"] {
        assert_eq!(get(&server, &format!("/api/v1/explain/{id}")).status, 404, "{id}");
    }
}

#[test]
fn what_is_no_http_is_hung_up_on() {
    let server = serve();
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x00\x00\x00\x00\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nHo st: x\r\n\r\n",
        b"POST /api/v1/reservations HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\
          Transfer-Encoding: chunked\r\n\r\nxxxxx",
    ] {
        let answer = send(&server, bytes);
        let is_refused = answer.is_empty() || answer.starts_with("HTTP/1.1 4");
        assert!(is_refused, "{:?}: {answer}", String::from_utf8_lossy(bytes));
    }
    assert_eq!(get(&server, "/api/v1/tick").status, 200);
}

#[test]
fn requests_that_trickle_in_end_and_hold_nobody_up() {
    let server = serve();
    let began = Instant::now();
    let mut slow: Vec<TcpStream> = (0..200)
        .map(|_| {
            let mut stream = TcpStream::connect(server.address()).unwrap();
            stream.write_all(b"GET / HTTP/1.1\r\nX-Slow: ").unwrap();
            stream
        })
        .collect();
    let asked = Instant::now();
    assert_eq!(get(&server, "/api/v1/tick").status, 200);
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    let first = &mut slow[0];
    first.set_read_timeout(Some(Duration::from_secs(25))).unwrap();
    let mut said = Vec::new();
    // A letter now and then is not enough.
    while began.elapsed() < Duration::from_secs(24) {
        let _ = first.write_all(b"a");
        first.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        let mut bytes = [0; 512];
        match first.read(&mut bytes) {
            Ok(0) => break,
            Ok(count) => said.extend_from_slice(&bytes[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => break,
            Err(_) => {}
        }
    }
    assert!(began.elapsed() < Duration::from_secs(20), "{:?} {said:?}", began.elapsed());
}
