//! Why an identity token, or a log-in with one, is refused.
//!
//! The words go to whoever asked and to the journal. Nothing of a token is in them.

use crate::reader::Unread;

/// Why someone with a token of the provider is not let in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    /// It is not three parts of base64 with JSON in them.
    #[error("an identity token that cannot be read")]
    Unreadable,
    /// `alg` is `none`.
    #[error("an identity token that is not signed")]
    Unsigned,
    /// Its algorithm takes a secret, or is not one for the key that it names.
    #[error("an identity token that is signed in a way that its key is not for")]
    Algorithm,
    /// No key of the provider is the one that it names.
    #[error("an identity token that is signed with a key that the provider does not have")]
    UnknownKey,
    /// The signature is wrong.
    #[error("an identity token whose signature is wrong")]
    Signature,
    /// It is of another provider.
    #[error("an identity token of another issuer")]
    Issuer,
    /// It is for someone else.
    #[error("an identity token that is for another audience")]
    Audience,
    /// It was good once.
    #[error("an identity token that has expired")]
    Expired,
    /// It is not good yet.
    #[error("an identity token that is not good yet")]
    NotYet,
    /// A claim is missing, or of the wrong type.
    #[error("an identity token that lacks a claim, or has one of the wrong type")]
    Claims,
    /// It is not the answer to this log-in.
    #[error("an identity token without the nonce of this log-in")]
    Nonce,
    /// The answer of the provider belongs to no log-in that this browser began.
    #[error("a log-in that this browser did not begin, or began too long ago")]
    State,
    /// The provider said no.
    #[error("a log-in that the provider of identities refused")]
    Denied,
    /// None of his groups may do anything here.
    #[error("a log-in by someone none of whose groups may do anything here")]
    NoGrant {
        /// Who, as the provider says.
        who: String,
    },
    /// The provider cannot be asked, or answers what is none.
    #[error("the provider of identities cannot be asked: {0}")]
    Provider(String),
}

impl Refused {
    /// One word for it, which the page of the log-in knows.
    pub(crate) const fn word(&self) -> &'static str {
        match self {
            Self::State | Self::Nonce => "state",
            Self::Denied => "denied",
            Self::NoGrant { .. } => "no-grant",
            Self::Provider(_) => "provider",
            _ => "token",
        }
    }
}

impl Refused {
    /// Who it was, where that is known all the same.
    pub(crate) fn who(&self) -> Option<&str> {
        match self {
            Self::NoGrant { who } => Some(who),
            _ => None,
        }
    }
}

impl From<Unread> for Refused {
    fn from(why: Unread) -> Self {
        Self::Provider(match why {
            Unread::Failed(why) => why,
            Unread::Busy(_) => "too many wait for it".to_owned(),
            Unread::Gone | Unread::NotYours(_) => "nobody asks it".to_owned(),
        })
    }
}
