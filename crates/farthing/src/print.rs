//! Printing: data on stdout, talk on stderr. A closed pipe ends the program quietly.

use std::io::{ErrorKind, Write as _};

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
