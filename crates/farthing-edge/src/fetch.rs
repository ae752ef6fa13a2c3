//! One question to a server of someone else, by HTTP: what those may ask who open no connections.

use crate::EdgeError;
use std::fmt;

/// A question: a GET, or a POST where there is a form or JSON.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Question {
    /// Where to; `https`, or `http` on this machine.
    pub url: String,
    /// The fields of a form.
    pub form: Option<Vec<(&'static str, String)>>,
    /// A body in JSON, where there is no form.
    pub json: Option<String>,
    /// What stands behind `Authorization:`.
    pub authorization: Option<String>,
}

impl fmt::Debug for Question {
    /// Says where to, and nothing of what is secret.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_post = self.form.is_some() || self.json.is_some();
        let method = if is_post { "POST" } else { "GET" };
        write!(out, "Question({method} {})", self.url)
    }
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The status of HTTP.
    pub status: u16,
    /// The content, whatever the status.
    pub body: Vec<u8>,
}

/// Asks servers.
pub trait Fetch {
    /// Asks once, and follows nothing: an answer that points elsewhere is the answer.
    ///
    /// Guarantees: it ends within some seconds, and a body has a limit. No error holds what the
    /// question carried.
    ///
    /// # Errors
    /// There was no answer, or too much of one.
    fn fetch(&self, question: &Question) -> Result<Reply, EdgeError>;
}
