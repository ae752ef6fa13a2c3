//! What an API server answers when it does not do what it is asked.

use crate::access::AccessError;
use farthing_edge::Class;
use serde::Deserialize;
use std::time::Duration;

/// Why a request has no answer. Each names its address.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// It is not known how to ask.
    #[error("it is not known how to reach the API server")]
    Access(#[source] AccessError),
    /// A certificate or a key that cannot be read.
    #[error("{what} cannot be read: {why}")]
    Pem {
        /// Which one.
        what: &'static str,
        /// Why.
        why: String,
    },
    /// No connection, or it ended in the middle.
    #[error("{url}: {what}")]
    Unreachable {
        /// The address.
        url: String,
        /// What happened.
        what: String,
    },
    /// An answer that says no.
    #[error("{url}: answers {code}{}{}", colon(.reason), colon(.message))]
    Status {
        /// The address.
        url: String,
        /// The HTTP status.
        code: u16,
        /// In one word of Kubernetes, such as `Forbidden`; empty where it is not said.
        reason: String,
        /// In words.
        message: String,
        /// Not to be asked again before so long.
        retry_after: Option<Duration>,
    },
    /// A change that was not asked for, as this replica does not lead any more.
    #[error("{url}: not asked: this replica does not lead, as its lease was not renewed in time")]
    Deposed {
        /// The address.
        url: String,
    },
    /// An answer that is none.
    #[error("{url}: says what is not an answer: {what}")]
    Syntax {
        /// The address.
        url: String,
        /// What is wrong.
        what: String,
    },
}

fn colon(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": {text}") }
}

/// A `Status` object of Kubernetes.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Status {
    pub(crate) code: Option<u16>,
    pub(crate) reason: Option<String>,
    pub(crate) message: Option<String>,
    details: Option<Details>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Details {
    retry_after_seconds: Option<u64>,
}

impl ApiError {
    /// What a body that says no means.
    pub(crate) fn refused(url: &str, code: u16, body: &[u8], retry_after: Option<u64>) -> Self {
        let status: Status = serde_json::from_slice(body).unwrap_or_else(|_| {
            let text = String::from_utf8_lossy(body);
            let line = text.lines().next().unwrap_or_default();
            Status { message: Some(line.chars().take(200).collect()), ..Status::default() }
        });
        Self::status(url, code, status, retry_after)
    }

    pub(crate) fn status(url: &str, code: u16, said: Status, retry_after: Option<u64>) -> Self {
        let seconds = retry_after.or(said.details.and_then(|it| it.retry_after_seconds));
        Self::Status {
            url: url.to_owned(),
            code: said.code.unwrap_or(code),
            reason: said.reason.unwrap_or_default(),
            message: said.message.unwrap_or_default(),
            retry_after: seconds.map(Duration::from_secs),
        }
    }

    /// The HTTP status, where there is one.
    pub const fn code(&self) -> Option<u16> {
        match self {
            Self::Status { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// Whether what was read last is too old to go on from: a new list is needed.
    pub(crate) fn is_gone(&self) -> bool {
        match self {
            Self::Status { code: 410, .. } => true,
            Self::Status { reason, .. } => reason == "Expired" || reason == "Gone",
            _ => false,
        }
    }

    /// How long the server wants to be left alone.
    pub(crate) const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// What it means for whoever asked.
    pub fn class(&self) -> Class {
        match self {
            Self::Access(_) | Self::Pem { .. } | Self::Deposed { .. } => Class::Denied,
            Self::Unreachable { .. } => Class::Transient,
            Self::Syntax { .. } => Class::Invalid,
            Self::Status { code, .. } => match code {
                401 | 403 => Class::Denied,
                404 => Class::NotFound,
                409 | 410 | 412 => Class::Conflict,
                507 => Class::Exhausted,
                429 | 500..=599 => Class::Transient,
                _ => Class::Invalid,
            },
        }
    }

    /// What would be right, where that is known.
    pub const fn hint(&self) -> Option<&'static str> {
        match self.code() {
            Some(401) => Some("the token is wrong or has expired: log in to the cluster again"),
            Some(403) => Some("`farthing kube manifests` prints the role that looking needs"),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_says_what_to_do_next() {
        let body = br#"{"kind":"Status","reason":"Expired","message":"too old","code":410}"#;
        let error = ApiError::refused("u", 410, body, None);
        assert!(error.is_gone());
        assert_eq!(error.to_string(), "u: answers 410: Expired: too old");
        let body = br#"{"reason":"TooManyRequests","details":{"retryAfterSeconds":7}}"#;
        let error = ApiError::refused("u", 429, body, None);
        assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
        assert_eq!(ApiError::refused("u", 429, body, Some(2)).retry_after().unwrap().as_secs(), 2);
        assert_eq!(error.class(), Class::Transient);
        let error = ApiError::refused("u", 502, b"<html>\nbad gateway", None);
        assert_eq!(error.to_string(), "u: answers 502: <html>");
        assert_eq!(ApiError::refused("u", 403, b"{}", None).class(), Class::Denied);
    }
}
