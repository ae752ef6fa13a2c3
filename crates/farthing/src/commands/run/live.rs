//! The line that tells how a command goes: on a terminal only, while it is ours to write on, and
//! never over a program that draws there itself.

use crate::args;
use nix::unistd::getpgrp;
use rustix::termios::{LocalModes, tcgetattr, tcgetpgrp};
use std::io::{IsTerminal as _, Write as _, stderr};

/// The line.
pub(crate) struct Live {
    how: args::Live,
    shown: bool,
}

impl Live {
    pub(crate) fn new(how: args::Live) -> Self {
        let how = if stderr().is_terminal() { how } else { args::Live::Off };
        Self { how, shown: false }
    }

    /// Whether anyone would see it.
    pub(crate) fn is_on(&self) -> bool {
        self.how != args::Live::Off && is_ours()
    }

    /// Writes it anew. The cursor is left at its start, so that what the command writes next takes
    /// its place.
    pub(crate) fn tell(&mut self, text: &str) {
        // There is nowhere to tell that stderr is closed.
        let _ = match self.how {
            args::Live::Line => {
                self.shown = true;
                write!(stderr().lock(), "\r\x1b[K{text}\r")
            }
            args::Live::Title => write!(stderr().lock(), "\x1b]2;{text}\x07"),
            args::Live::Off => Ok(()),
        };
    }

    /// Takes it away.
    pub(crate) fn end(&mut self) {
        if std::mem::take(&mut self.shown) && is_ours() {
            let _ = write!(stderr().lock(), "\r\x1b[K");
        }
    }
}

/// Whether we are in the foreground of the terminal, and nobody there reads keys one by one, as
/// editors, pagers and prompts with a history do.
fn is_ours() -> bool {
    let front =
        tcgetpgrp(stderr()).is_ok_and(|group| group.as_raw_nonzero().get() == getpgrp().as_raw());
    let lines = LocalModes::ICANON | LocalModes::ECHO;
    front && tcgetattr(stderr()).is_ok_and(|modes| modes.local_modes.contains(lines))
}
