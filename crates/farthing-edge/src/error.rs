//! What can go wrong at the edge: a class that decides what to do, and a text for people.

use std::{error::Error, fmt};

/// What a fault means for the caller; also the label of its metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// It may work when tried again.
    Transient,
    /// The target changed since it was seen: look again and decide again.
    Conflict,
    /// Not allowed.
    Denied,
    /// Not there.
    NotFound,
    /// The data makes no sense.
    Invalid,
    /// No space, no quota, too many.
    Exhausted,
}

impl Class {
    /// The label of its metric.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::Conflict => "conflict",
            Self::Denied => "denied",
            Self::NotFound => "not-found",
            Self::Invalid => "invalid",
            Self::Exhausted => "exhausted",
        }
    }
}

/// A fault of an adapter.
#[derive(Debug)]
pub struct EdgeError {
    class: Class,
    message: String,
    hint: Option<String>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl EdgeError {
    /// A fault: lower case, names the file, line or object.
    pub fn new(class: Class, message: impl Into<String>) -> Self {
        Self { class, message: message.into(), hint: None, source: None }
    }

    /// With advice on what would be right.
    #[must_use]
    pub fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// With the fault that caused it.
    #[must_use]
    pub fn with_source(self, source: impl Error + Send + Sync + 'static) -> Self {
        Self { source: Some(Box::new(source)), ..self }
    }

    /// What the fault means for the caller.
    pub const fn class(&self) -> Class {
        self.class
    }

    /// What would be right, where that is known.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl fmt::Display for EdgeError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)
    }
}

impl Error for EdgeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|source| &**source as &(dyn Error + 'static))
    }
}
