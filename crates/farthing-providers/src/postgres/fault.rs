//! What a server's faults mean: a class, and a message that names the database.

use super::wire::{Complaint, Malformed};
use farthing_edge::{Class, EdgeError};
use std::io;

/// Why something could not be had from a server.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// The connection failed, or the server said nothing in time.
    #[error("the connection failed")]
    Io(#[from] io::Error),
    /// No secure connection.
    #[error("no secure connection: {0}")]
    Tls(String),
    /// The log-in went wrong on our side.
    #[error("the log-in failed: {0}")]
    LogIn(&'static str),
    /// The server refuses.
    #[error("the server says: {} ({})", .0.message, .0.code)]
    Refused(Complaint),
    /// The server speaks another language.
    #[error("the server sent what PostgreSQL does not send: {0}")]
    Protocol(&'static str),
}

impl From<Malformed> for Fault {
    fn from(_: Malformed) -> Self {
        Self::Protocol("a message is cut off or not UTF-8")
    }
}

impl Fault {
    /// Whether the connection is gone, and another may do.
    pub(crate) fn is_disconnect(&self) -> bool {
        match self {
            Self::Io(_) => true,
            Self::Refused(complaint) => {
                // The connection was ended by an administrator, a crash, a start or a time-out.
                let code = complaint.code.as_str();
                code.starts_with("08") || code.starts_with("57P") || code == "25P03"
            }
            _ => false,
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::Io(_) => Class::Transient,
            Self::Tls(_) | Self::LogIn(_) => Class::Denied,
            Self::Protocol(_) => Class::Invalid,
            Self::Refused(complaint) => match complaint.code.as_str() {
                // A constraint of ours: someone else wrote the same number.
                "23505" => Class::Conflict,
                "3D000" => Class::NotFound,
                "42501" | "25006" => Class::Denied,
                "53300" | "55P03" | "57014" | "40001" | "40P01" | "25P03" => Class::Transient,
                code => match code.get(..2) {
                    Some("08" | "57") => Class::Transient,
                    Some("53" | "54") => Class::Exhausted,
                    Some("28") => Class::Denied,
                    _ => Class::Invalid,
                },
            },
        }
    }

    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Io(_) => Some("is the server running, and does it listen there?"),
            Self::Tls(_) => Some("sslrootcert=FILE names the authority of its certificate"),
            Self::LogIn(_) => None,
            Self::Protocol(_) => Some("is it a PostgreSQL of version 12 or newer?"),
            Self::Refused(complaint) => match complaint.code.as_str() {
                "3D000" => Some("make it with `createdb`"),
                "28P01" => Some("a password is in the address or in PGPASSWORD"),
                "42501" => Some("the user must be its owner, or may create a schema in it"),
                "25006" => Some("it is a standby: name the primary"),
                "53100" => Some("make room"),
                "53300" => Some("raise max_connections, or start fewer programs"),
                _ => None,
            },
        }
    }

    /// As a fault of the journal that was `done` something to.
    pub(crate) fn into_edge(self, place: &str, done: &str) -> EdgeError {
        let message = format!("{place}: the journal cannot be {done}");
        let (class, hint) = (self.class(), self.hint());
        let error = EdgeError::new(class, message).with_source(self);
        match hint {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }
}
