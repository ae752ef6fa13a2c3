//! Notices as JSON over HTTP.
//!
//! A webhook with a secret is signed: `x-farthing-signature: v1=HEX`, which is the HMAC-SHA256 of
//! the time in `x-farthing-timestamp` (seconds since 1970), a full stop, and the body. Whoever
//! receives it computes the same, and refuses what is older than a few minutes.

use super::message;
use crate::trust;
use farthing_edge::{Class, EdgeError, Notice, Notify};
use farthing_model::hex;
use jiff::{SignedDuration, Timestamp};
use ring::hmac;
use std::time::Duration;
use ureq::Agent;

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What is posted.
pub(super) enum Form {
    /// Ours, signed with a secret.
    Webhook(Option<String>),
    /// Slack's blocks.
    Slack,
    /// Alertmanager's; what is so lasts so long.
    Alertmanager(SignedDuration),
}

/// A channel that is posted to.
pub(super) struct Post {
    name: String,
    url: String,
    form: Form,
    agent: Agent,
}

impl Post {
    pub(super) fn open(name: String, url: &str, form: Form) -> Result<Self, String> {
        let mut config = Agent::config_builder()
            .timeout_global(Some(TIMEOUT))
            .http_status_as_error(false)
            // What is sent is for one address and not for whom it points to.
            .max_redirects(0)
            .user_agent(concat!("farthing/", env!("CARGO_PKG_VERSION")));
        let url = url.trim();
        if url.starts_with("https://") {
            let roots = trust::system().map_err(|error| error.to_string())?;
            config = config.tls_config(trust::over_http(&roots, None));
        } else if !url.starts_with("http://") {
            return Err("its address does not begin with https:// or http://".to_owned());
        }
        Ok(Self { name, url: url.to_owned(), form, agent: config.build().into() })
    }

    fn body(&self, notice: &Notice) -> String {
        match &self.form {
            Form::Webhook(_) => message::webhook(notice),
            Form::Slack => message::slack(notice),
            Form::Alertmanager(lasts) => message::alertmanager(notice, *lasts),
        }
        .to_string()
    }
}

impl Notify for Post {
    fn name(&self) -> &str {
        &self.name
    }

    fn notify(&mut self, notice: &Notice) -> Result<(), EdgeError> {
        let body = self.body(notice);
        let mut request = self.agent.post(&self.url).header("content-type", "application/json");
        if let Form::Webhook(Some(secret)) = &self.form {
            let at = Timestamp::now().as_second();
            request = request
                .header("x-farthing-timestamp", at.to_string())
                .header("x-farthing-signature", signature(secret, at, &body));
        }
        // The address may have a secret in it, so that no error has the address.
        let answer = request.send(body.as_str()).map_err(|error| {
            let why = match error {
                ureq::Error::Timeout(_) => "no answer in time",
                ureq::Error::HostNotFound => "the host is not known",
                ureq::Error::ConnectionFailed | ureq::Error::Io(_) => "no connection",
                ureq::Error::BadUri(_) => "the address is not one",
                _ => "the connection failed",
            };
            EdgeError::new(Class::Transient, why)
        })?;
        let status = answer.status().as_u16();
        match status {
            200..=299 => Ok(()),
            408 | 425 | 429 | 500..=599 => {
                Err(EdgeError::new(Class::Transient, format!("it answered {status}")))
            }
            _ => Err(EdgeError::new(Class::Denied, format!("it answered {status}"))),
        }
    }
}

/// The signature of a body at a time.
pub(super) fn signature(secret: &str, at: i64, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, format!("{at}.{body}").as_bytes());
    format!("v1={}", hex(tag.as_ref()))
}
