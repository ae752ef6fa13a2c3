//! The real program, as tests start it.
#![allow(dead_code, reason = "not every test needs all of it")]

pub(crate) mod cloud;
pub(crate) mod podman;
pub(crate) mod up;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Where the program is.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_farthing");

/// A folder of its own for a test, with what the program keeps under `state`.
pub(crate) struct Place(tempfile::TempDir);

/// How a run of the program ended.
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) said: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.path().join("state")
    }

    /// Writes a file and gives its name.
    pub(crate) fn file(&self, name: &str, text: impl AsRef<[u8]>) -> String {
        std::fs::write(self.path().join(name), text).unwrap();
        name.to_owned()
    }

    /// Runs the program in this folder.
    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        self.end(Command::new(PROGRAM).args(arguments))
    }

    /// Runs a script of the shell in this folder; `$FARTHING` is the program.
    pub(crate) fn shell(&self, script: &str) -> Run {
        self.end(Command::new("sh").args(["-c", script]))
    }

    fn end(&self, command: &mut Command) -> Run {
        let command = command.current_dir(self.path()).env("FARTHING_DATA", self.state());
        let output: Output = command.env("FARTHING", PROGRAM).output().unwrap();
        let text = |bytes: &[u8]| {
            String::from_utf8(bytes.to_vec())
                .unwrap()
                .replace(&format!("{}/", self.path().display()), "")
        };
        let (out, said) = (text(&output.stdout), text(&output.stderr));
        assert!(!said.contains("panicked") && !said.contains("RUST_BACKTRACE"), "{said}");
        Run { code: output.status.code().unwrap(), out, said }
    }
}

/// All files under a folder, by name.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}
