//! What an engine answers when it does not do what it is asked.

use farthing_edge::{Class, EdgeError};
use serde::Deserialize;
use std::path::PathBuf;

/// Most characters of a message that are told.
const MESSAGE_CHARS_MAX: usize = 300;

/// Why a request has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DockerError {
    /// Nobody listens, or the answer did not come, or ended in the middle.
    #[error("{}: {what}", .socket.display())]
    Unreachable {
        /// The socket.
        socket: PathBuf,
        /// What happened.
        what: String,
    },
    /// An answer that says no.
    #[error("{question}: answers {code}: {message}")]
    Refused {
        /// What was asked for.
        question: String,
        /// The HTTP status.
        code: u16,
        /// In words.
        message: String,
    },
    /// An answer that is none.
    #[error("{question}: says what is not an answer: {what}")]
    Syntax {
        /// What was asked for.
        question: String,
        /// What is wrong.
        what: String,
    },
}

#[derive(Deserialize)]
struct Said {
    message: String,
}

impl DockerError {
    /// What a body that says no means.
    pub(crate) fn refused(question: &str, code: u16, body: &[u8]) -> Self {
        let said = serde_json::from_slice::<Said>(body).map(|said| said.message);
        let message = said.unwrap_or_else(|_| String::from_utf8_lossy(body).into_owned());
        let message = plain(message.trim(), MESSAGE_CHARS_MAX);
        Self::Refused { question: question.to_owned(), code, message }
    }

    /// The HTTP status, where there is one.
    pub const fn code(&self) -> Option<u16> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// What it means for whoever asked.
    pub const fn class(&self) -> Class {
        match self {
            Self::Unreachable { .. } => Class::Transient,
            Self::Syntax { .. } => Class::Invalid,
            Self::Refused { code, .. } => match code {
                401 | 403 => Class::Denied,
                404 => Class::NotFound,
                409 => Class::Conflict,
                429 | 500..=599 => Class::Transient,
                _ => Class::Invalid,
            },
        }
    }

    pub(crate) fn at_the_edge(self) -> EdgeError {
        EdgeError::new(self.class(), self.to_string()).with_source(self)
    }
}

/// A text that others wrote, on one line, without control characters, and not too long.
pub(crate) fn plain(text: &str, chars_max: usize) -> String {
    text.chars().take(chars_max).map(|c| if c.is_control() { '?' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_was_asked_and_why_not() {
        let body =
            br#"{"cause":"image not known","message":"no such image:\u001b[31m x","response":404}"#;
        let error = DockerError::refused("create a container", 404, body);
        assert_eq!(error.to_string(), "create a container: answers 404: no such image:?[31m x");
        assert_eq!((error.class(), error.code()), (Class::NotFound, Some(404)));
        let text = DockerError::refused("q", 502, b"bad gateway\n");
        assert_eq!(text.to_string(), "q: answers 502: bad gateway");
        let long = DockerError::refused("q", 400, "x".repeat(9_999).as_bytes());
        assert!(long.to_string().len() < 400);
    }
}
