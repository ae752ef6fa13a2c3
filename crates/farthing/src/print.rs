//! Printing: data on stdout, talk on stderr. A closed pipe ends the program quietly.

use std::io::{ErrorKind, IsTerminal as _, Write as _};

/// Data, for people or programs.
pub(crate) fn data(text: &str) {
    let mut out = std::io::stdout().lock();
    let written = out
        .write_all(text.as_bytes())
        .and_then(|()| if text.ends_with('\n') { Ok(()) } else { out.write_all(b"\n") });
    if let Err(error) = written.and_then(|()| out.flush()) {
        // `farthing cost | head` closes the pipe: that is no fault.
        if error.kind() != ErrorKind::BrokenPipe {
            talk(&format!("farthing: stdout cannot be written: {error}"));
        }
        std::process::exit(i32::from(error.kind() != ErrorKind::BrokenPipe));
    }
}

/// Talk, for people only. There is nowhere to tell that stderr is closed.
pub(crate) fn talk(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// How far something long has come: one line on a terminal that is written over, nothing elsewhere.
pub(crate) struct Progress {
    on_terminal: bool,
    told: bool,
}

impl Progress {
    /// Nothing told yet.
    pub(crate) fn new() -> Self {
        Self { on_terminal: std::io::stderr().is_terminal(), told: false }
    }

    /// Writes the line anew.
    pub(crate) fn tell(&mut self, text: &str) {
        if self.on_terminal {
            self.told = true;
            let _ = write!(std::io::stderr().lock(), "\r\x1b[K{text}");
        }
    }

    /// Takes the line away.
    pub(crate) fn end(&mut self) {
        if std::mem::take(&mut self.told) {
            let _ = write!(std::io::stderr().lock(), "\r\x1b[K");
        }
    }
}
