//! A loop that runs while a test looks at it.
#![allow(dead_code, reason = "not every test needs all of it")]

use super::{PROGRAM, Place};
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// How long a test waits for an answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// A demo, or another loop, that is stopped when the test ends.
pub(crate) struct Demo {
    child: Child,
    /// `host:port` of its HTTP.
    pub(crate) address: String,
    /// What it says after that.
    lines: Receiver<String>,
}

impl Demo {
    /// Starts a demo in `place` on a free port, and waits until it says where it listens.
    pub(crate) fn start(place: &Place, arguments: &[&str]) -> Self {
        // What a test does not ask for it does not wait for.
        let past: &[&str] =
            if arguments.contains(&"--history") { &[] } else { &["--history", "0s"] };
        Self::up(place, &[&["--demo"], past, arguments].concat())
    }

    /// The same of any loop.
    pub(crate) fn up(place: &Place, arguments: &[&str]) -> Self {
        let mut child = Command::new(PROGRAM)
            .args(["up", "--listen", "127.0.0.1:0"])
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
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in said.map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        Self { child, address, lines }
    }

    /// Waits for a line with these words.
    pub(crate) fn says(&self, words: &str) -> String {
        let (until, mut said) = (Instant::now() + PATIENCE, Vec::new());
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let Ok(line) = self.lines.recv_timeout(left) else {
                panic!("`{words}` is not said: {}", said.join("\n"))
            };
            if line.contains(words) {
                return line;
            }
            said.push(line);
        }
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: nix::sys::signal::Signal) {
        let id = nix::unistd::Pid::from_raw(self.child.id().try_into().unwrap());
        nix::sys::signal::kill(id, signal).unwrap();
    }

    /// Asks its API, with a token where there is one: the status, and the content.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &str, token: &str) -> (u16, String) {
        let asked = ask(&self.address, (method, path), (body, token), PATIENCE);
        let (status, _, body) = asked.expect("it is there and answers");
        (status, body)
    }

    /// Ends it as a crash does, by SIGKILL.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
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

/// An answer: its status, its head and its content; `None` where nobody is there (any more).
pub(crate) fn ask(
    address: &str,
    (method, path): (&str, &str),
    (body, token): (&str, &str),
    patience: Duration,
) -> Option<(u16, String, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(patience)).ok()?;
    let bearer = match token {
        "" => String::new(),
        token => format!("Authorization: Bearer {token}\r\n"),
    };
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{bearer}\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(head.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, head.to_owned(), body.to_owned()))
}
