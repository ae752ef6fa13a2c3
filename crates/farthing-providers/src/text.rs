//! Reading files that people give: with a limit, and with a plain line for everything that is not
//! a text file.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Why a file could not be read. The message names the file.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It is not there.
    #[error("{}: {}", .0.display(), self.what())]
    Missing(PathBuf),
    /// It is a folder.
    #[error("{}: {}", .0.display(), self.what())]
    Folder(PathBuf),
    /// It is a pipe, a socket or a device.
    #[error("{}: {}", .0.display(), self.what())]
    Special(PathBuf),
    /// More bytes than any such file has.
    #[error("{}: {}", .path.display(), self.what())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its length in bytes.
        len: u64,
        /// The limit in bytes.
        max: u64,
    },
    /// Nothing in it but white space.
    #[error("{}: {}", .0.display(), self.what())]
    Empty(PathBuf),
    /// Some other program's bytes.
    #[error("{}:{line}: {}", .path.display(), self.what())]
    NotText {
        /// The file.
        path: PathBuf,
        /// The line of the first byte that is wrong, from 1.
        line: usize,
        /// The position of that byte, from 0.
        at: usize,
    },
    /// The system refuses.
    #[error("{}: {}", .path.display(), self.what())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}

impl ReadError {
    /// What is wrong, without the name of the file.
    pub fn what(&self) -> String {
        match self {
            Self::Missing(_) => "there is no such file".to_owned(),
            Self::Folder(_) => "is a folder; give a file".to_owned(),
            Self::Special(_) => "is not a regular file".to_owned(),
            Self::TooLarge { len, max, .. } => {
                format!("has {len} bytes; at most {max} are read from such a file")
            }
            Self::Empty(_) => "is empty".to_owned(),
            Self::NotText { at, .. } => format!("is not a text in UTF-8, from byte {at} on"),
            Self::Io { source, .. } => format!("cannot be read ({})", source.kind()),
        }
    }
}

/// Reads a regular file of at most `max` bytes.
///
/// # Errors
/// [`ReadError`], before anything is read where the file is too large or no file at all.
pub fn read_bytes(path: &Path, max: u64) -> Result<Vec<u8>, ReadError> {
    let io = |source: std::io::Error| match source.kind() {
        std::io::ErrorKind::NotFound => ReadError::Missing(path.to_owned()),
        _ => ReadError::Io { path: path.to_owned(), source },
    };
    let meta = std::fs::metadata(path).map_err(io)?;
    if meta.is_dir() {
        return Err(ReadError::Folder(path.to_owned()));
    }
    if !meta.is_file() {
        return Err(ReadError::Special(path.to_owned()));
    }
    let too_large = |len| ReadError::TooLarge { path: path.to_owned(), len, max };
    if meta.len() > max {
        return Err(too_large(meta.len()));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(meta.len()).unwrap_or_default());
    // The file may grow between the two calls: the limit holds for what is read, too.
    File::open(path)
        .and_then(|file| file.take(max.saturating_add(1)).read_to_end(&mut bytes))
        .map_err(io)?;
    let len = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    if len > max { Err(too_large(len)) } else { Ok(bytes) }
}

/// Reads a regular text file of at most `max` bytes that has something in it.
///
/// # Errors
/// [`ReadError`].
pub fn read_text(path: &Path, max: u64) -> Result<String, ReadError> {
    into_text(path, read_bytes(path, max)?)
}

/// Takes bytes of `path` for text.
///
/// # Errors
/// Nothing in it, or not UTF-8.
pub fn into_text(path: &Path, bytes: Vec<u8>) -> Result<String, ReadError> {
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        // Line feeds are one byte each, also in a text that is not one.
        let line = error.as_bytes()[..at].split(|byte| *byte == b'\n').count();
        ReadError::NotText { path: path.to_owned(), line, at }
    })?;
    // A NUL is valid UTF-8 and still nothing that anyone types: it is some other program's file.
    if let Some(at) = text.find('\0') {
        let line = 1 + text[..at].matches('\n').count();
        return Err(ReadError::NotText { path: path.to_owned(), line, at });
    }
    if text.trim_start_matches('\u{feff}').trim().is_empty() {
        return Err(ReadError::Empty(path.to_owned()));
    }
    Ok(text)
}
