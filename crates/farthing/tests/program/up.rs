//! A loop that runs while a test looks at it.
#![allow(dead_code, reason = "not every test needs all of it")]

use super::{PROGRAM, Place};
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A demo that is stopped when the test ends.
pub(crate) struct Demo {
    child: Child,
    /// `host:port` of its HTTP.
    pub(crate) address: String,
}

impl Demo {
    /// Starts a demo in `place` on a free port, and waits until it says where it listens.
    pub(crate) fn start(place: &Place, arguments: &[&str]) -> Self {
        let mut child = Command::new(PROGRAM)
            .args(["up", "--demo", "--listen", "127.0.0.1:0"])
            .args(arguments)
            .current_dir(place.path())
            .env("FARTHING_DATA", place.state())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = loop {
            let line = said.next().expect("it says where it listens").unwrap();
            if let Some(address) = line.strip_prefix("listening on http://") {
                break address.to_owned();
            }
        };
        // What it says after that must not fill the pipe.
        std::thread::spawn(move || said.for_each(drop));
        Self { child, address }
    }

    /// Asks its API, with a token where there is one: the status, and the content.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &str, token: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let (address, length) = (&self.address, body.len());
        let bearer = match token {
            "" => String::new(),
            token => format!("Authorization: Bearer {token}\r\n"),
        };
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{bearer}\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    /// Asks its API for JSON.
    pub(crate) fn json(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let body = body.map_or_else(String::new, Value::to_string);
        let (status, text) = self.ask(method, &format!("/api/v1{path}"), &body, "");
        (status, serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}")))
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
