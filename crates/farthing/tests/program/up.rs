//! A loop that runs while a test looks at it.
#![allow(dead_code, reason = "not every test needs all of it")]

use super::{PROGRAM, Place};
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

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
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
