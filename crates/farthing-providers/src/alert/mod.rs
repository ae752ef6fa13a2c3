//! Telling people: webhook, Slack, Alertmanager and e-mail.
//!
//! [`Settings`] is what a policy says; [`Settings::open`] finds the secrets and makes channels,
//! each a [`farthing_edge::Notify`]; the [`Outbox`] carries notices on a thread a channel, so that
//! the loop never waits for a server. Refuses to know what is told and when: that is the engine's.
//! A secret is in no message, error or debug text.

mod http;
mod message;
mod outbox;
mod smtp;

pub use outbox::{Outbox, Outcome, Patience};

use farthing_edge::{Notify, Severity};
use jiff::SignedDuration;
use std::fmt;
use std::path::PathBuf;

/// What a policy says on alerts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// What is still so is told again after this.
    pub repeat: SignedDuration,
    /// When only what matters enough is told.
    pub quiet: Option<QuietHours>,
    /// Where it is told; each name once.
    pub channels: Vec<Channel>,
}

/// Hours in which people sleep, in seconds after midnight, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuietHours {
    /// From.
    pub from_s: i64,
    /// To; before `from_s` where they go over midnight.
    pub to_s: i64,
    /// What matters this much is told all the same.
    pub unless: Severity,
}

/// A place where people are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    /// Its name in records and messages.
    pub name: String,
    /// What it is.
    pub kind: Kind,
}

/// What a channel is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// JSON to an address of one's own, signed where there is a secret.
    Webhook {
        /// Where to.
        url: Secret,
        /// What it is signed with.
        secret: Option<Secret>,
    },
    /// An incoming webhook of Slack, whose address is its secret.
    Slack {
        /// Where to.
        url: Secret,
    },
    /// Prometheus Alertmanager, API v2.
    Alertmanager {
        /// Its root, such as `http://alertmanager:9093`.
        url: Secret,
    },
    /// E-mail.
    Email(Box<Mail>),
}

/// How e-mail is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// Host and port.
    pub server: (String, u16),
    /// How the connection is kept secret.
    pub tls: MailTls,
    /// Who sends it, to the server.
    pub login: Option<(String, Secret)>,
    /// Who sends it, to people.
    pub from: String,
    /// Who gets it.
    pub to: Vec<String>,
}

/// How a connection to a mail server is kept secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailTls {
    /// It begins open, and nothing is said before it is secret (port 587).
    StartTls,
    /// From the first byte (port 465).
    Implicit,
    /// Not at all: for a server on this machine. A password is never sent over it elsewhere.
    None,
}

/// Something that is found when it is needed: the text itself, or where it is.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// The text.
    Text(String),
    /// An environment variable.
    Env(String),
    /// A file; a line feed at its end does not belong to it.
    File(PathBuf),
}

impl fmt::Debug for Secret {
    /// Says where it is and never what it is.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(_) => out.write_str("Secret(given)"),
            Self::Env(name) => write!(out, "Secret(env {name})"),
            Self::File(path) => write!(out, "Secret(file {})", path.display()),
        }
    }
}

/// Why a channel cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("alert channel `{channel}`: {why}")]
pub struct OpenError {
    /// Which.
    pub channel: String,
    /// Why.
    pub why: String,
}

impl Settings {
    /// Opens the channels. `env` finds environment variables.
    ///
    /// # Errors
    /// A secret is not where it is said to be, or an address is not one.
    pub fn open(
        &self,
        env: impl Fn(&str) -> Option<String>,
    ) -> Result<Vec<Box<dyn Notify + Send>>, OpenError> {
        let lasts = self.repeat.saturating_add(SignedDuration::from_hours(1));
        let opened = self.channels.iter().map(|channel| {
            let read = |secret: &Secret| secret.read(&env);
            let wrong = |why: String| OpenError { channel: channel.name.clone(), why };
            channel.open(&read, lasts).map_err(wrong)
        });
        opened.collect()
    }
}

impl Channel {
    fn open(
        &self,
        read: &dyn Fn(&Secret) -> Result<String, String>,
        lasts: SignedDuration,
    ) -> Result<Box<dyn Notify + Send>, String> {
        let name = self.name.clone();
        Ok(match &self.kind {
            Kind::Webhook { url, secret } => {
                let secret = secret.as_ref().map(read).transpose()?;
                Box::new(http::Post::open(name, &read(url)?, http::Form::Webhook(secret))?)
            }
            Kind::Slack { url } => {
                Box::new(http::Post::open(name, &read(url)?, http::Form::Slack)?)
            }
            Kind::Alertmanager { url } => {
                let url = format!("{}/api/v2/alerts", read(url)?.trim_end_matches('/'));
                Box::new(http::Post::open(name, &url, http::Form::Alertmanager(lasts))?)
            }
            Kind::Email(mail) => {
                let login = match &mail.login {
                    Some((user, password)) => Some((user.clone(), read(password)?)),
                    None => None,
                };
                Box::new(smtp::Smtp::open(name, (**mail).clone(), login)?)
            }
        })
    }
}

impl Secret {
    /// What it is.
    ///
    /// # Errors
    /// It is not where it is said to be.
    pub fn read(&self, env: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
        match self {
            Self::Text(text) => Ok(text.clone()),
            Self::Env(name) => env(name)
                .filter(|text| !text.is_empty())
                .ok_or_else(|| format!("the environment variable {name} is not set")),
            Self::File(path) => {
                let text = std::fs::read_to_string(path);
                let text = text.map_err(|error| format!("{}: {error}", path.display()))?;
                Ok(text.trim_end_matches(['\n', '\r']).to_owned())
            }
        }
    }
}

#[cfg(test)]
mod tests;
