//! What `SQLite`'s faults mean: a class and a message that names the file.

use farthing_edge::{Class, EdgeError};
use rusqlite::{Error, ErrorCode};
use std::path::Path;

/// Whether the disk is full, in one of the two ways in which `SQLite` says so.
fn is_full(error: &Error, code: ErrorCode) -> bool {
    let extended = match error {
        Error::SqliteFailure(failure, _) => failure.extended_code,
        _ => 0,
    };
    code == ErrorCode::DiskFull || extended == rusqlite::ffi::SQLITE_IOERR_SHMSIZE
}

/// The fault of an attempt to have `path` opened, read, written or sealed.
pub(crate) fn fault(path: &Path, done: &str, error: Error) -> EdgeError {
    let code = match &error {
        Error::SqliteFailure(failure, _) => failure.code,
        _ => ErrorCode::Unknown,
    };
    let (class, what, hint) = match code {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => {
            (Class::Transient, "another process holds it", Some("try again"))
        }
        // Memory that SQLite shares through a file beside the log is disk, too.
        ErrorCode::DiskFull | ErrorCode::SystemIoFailure if is_full(&error, code) => {
            (Class::Exhausted, "the disk is full; nothing was written", Some("make room"))
        }
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied => (
            Class::Denied,
            "it is read-only here",
            Some("give the file or folder write permission"),
        ),
        ErrorCode::CannotOpen => {
            let hint = Some("the folder must be writable: SQLite keeps a log beside the file");
            (Class::Denied, "the file or its folder refuses", hint)
        }
        ErrorCode::NotADatabase => (Class::Invalid, "it is not a SQLite file, or damaged", None),
        ErrorCode::DatabaseCorrupt => {
            let hint = Some("keep the file, and go on with a copy from before or a new one");
            (Class::Invalid, "the file is damaged or cut off", hint)
        }
        ErrorCode::SystemIoFailure => (Class::Transient, "the disk fails", None),
        _ => (Class::Invalid, "SQLite refuses", None),
    };
    let message = format!("{}: the journal cannot be {done}: {what}", path.display());
    let fault = EdgeError::new(class, message).with_source(error);
    match hint {
        Some(hint) => fault.with_hint(hint),
        None => fault,
    }
}
