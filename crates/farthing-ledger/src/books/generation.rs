//! Which writing of an hour's charges: what a writer must know to replace it.
//!
//! Two writers of one hour would each undo the other's work without noticing. So a writer says
//! which file its own replaces, and is refused when that is not the one that stands. Object stores
//! compare and replace in one step; in a folder a lock does, which the system takes back from a
//! writer that dies.

use super::{BooksError, Correction, seal};
use bytes::Bytes;
use std::fs::File;
use std::path::Path;

/// A writing of an hour's charges, by its seal; the default is that there is none yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Generation {
    seal: Option<String>,
    /// What the file says of corrections: whoever replaces it keeps them.
    corrections: Vec<Correction>,
}

impl Generation {
    /// The generation of a file's bytes, sound or not, with the corrections that are in it.
    pub(super) fn of(bytes: &Bytes, corrections: Vec<Correction>) -> Self {
        let unsealed = || format!("{} bytes", bytes.len());
        Self { seal: Some(seal::line(bytes).unwrap_or_else(unsealed)), corrections }
    }

    /// That of a file with this seal, wherever its rows are kept now.
    pub(super) const fn of_seal(seal: String) -> Self {
        Self { seal: Some(seal), corrections: Vec::new() }
    }

    /// Its seal, if there is a file.
    pub(super) fn seal(&self) -> Option<&str> {
        self.seal.as_deref()
    }

    /// The same, with the corrections that its file says.
    pub(super) fn with(self, corrections: Vec<Correction>) -> Self {
        Self { corrections, ..self }
    }

    /// Whether there is a file.
    pub const fn is_posted(&self) -> bool {
        self.seal.is_some()
    }

    /// Whether both are the same writing.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.seal == other.seal
    }

    pub(super) fn corrections(&self) -> &[Correction] {
        &self.corrections
    }
}

/// Waits until no other process replaces charges in the folder; until the file is dropped, none
/// does.
pub(super) fn lock(folder: &Path) -> Result<File, BooksError> {
    let name = || folder.display().to_string();
    // The folder itself, so that no file lies in the books that is none of them.
    let file = File::open(folder).map_err(|source| BooksError::Lock { file: name(), source })?;
    file.lock().map_err(|source| BooksError::Lock { file: name(), source })?;
    Ok(file)
}
