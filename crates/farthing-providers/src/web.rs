//! One question to a server of someone else, over the program's one HTTP client.
//!
//! Refuses to know what is asked: providers of identities are asked through it. TLS is that of the
//! system's certificates; without it only this machine is asked, as what is sent may be secret.

use crate::trust;
use farthing_edge::{Class, EdgeError, Fetch, Question, Reply};
use std::io::Read as _;
use std::time::Duration;
use ureq::{Agent, RequestBuilder};

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of an answer.
const BODY_BYTES_MAX: u64 = 1 << 20;

/// Asks by HTTP.
#[derive(Debug)]
pub struct Web {
    agent: Agent,
}

impl Web {
    /// With the certificates that this system trusts.
    ///
    /// # Errors
    /// They cannot be read, where `tls` is wanted.
    pub fn open(tls: bool) -> Result<Self, EdgeError> {
        let mut config = Agent::config_builder()
            .timeout_global(Some(TIMEOUT))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("farthing/", env!("CARGO_PKG_VERSION")));
        if tls {
            let roots = trust::system().map_err(|error| {
                EdgeError::new(Class::Invalid, "the system's certificates").with_source(error)
            })?;
            config = config.tls_config(trust::over_http(&roots, None));
        }
        Ok(Self { agent: config.build().into() })
    }
}

/// The host of a URL without its port.
fn host(rest: &str) -> &str {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    match authority.strip_prefix('[') {
        Some(six) => six.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    }
}

/// Whether a host, a name or an address without brackets, is this machine.
pub(crate) fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
}

/// Whether what is sent to a URL stays secret: by TLS, or because it stays on this machine.
pub fn is_private(url: &str) -> bool {
    if url.starts_with("https://") {
        return true;
    }
    url.strip_prefix("http://").is_some_and(|rest| {
        let host = host(rest);
        // A user before the host would make it look like another one.
        let is_plain = !rest.split('/').next().unwrap_or_default().contains('@');
        is_plain && is_this_machine(host)
    })
}

impl Fetch for Web {
    fn fetch(&self, question: &Question) -> Result<Reply, EdgeError> {
        if !is_private(&question.url) {
            let what = "asked by https only, or by http on this machine";
            return Err(EdgeError::new(Class::Denied, what));
        }
        let answer = match (&question.form, &question.json) {
            (None, None) => headed(self.agent.get(&question.url), question).call(),
            (None, Some(json)) => headed(self.agent.post(&question.url), question)
                .header("content-type", "application/json")
                .send(json.as_str()),
            (Some(form), _) => headed(self.agent.post(&question.url), question)
                .send_form(form.iter().map(|(name, value)| (*name, value.as_str()))),
        };
        // The address may have something secret in it, so that no error has the address.
        let mut answer = answer.map_err(|error| EdgeError::new(Class::Transient, why(&error)))?;
        let mut body = Vec::new();
        let mut reader = answer.body_mut().as_reader().take(BODY_BYTES_MAX + 1);
        reader
            .read_to_end(&mut body)
            .map_err(|_| EdgeError::new(Class::Transient, "the answer broke off"))?;
        if body.len() as u64 > BODY_BYTES_MAX {
            let what = format!("the answer has more than {BODY_BYTES_MAX} bytes");
            return Err(EdgeError::new(Class::Exhausted, what));
        }
        Ok(Reply { status: answer.status().as_u16(), body })
    }
}

/// A request with what every question says of itself.
fn headed<B>(request: RequestBuilder<B>, question: &Question) -> RequestBuilder<B> {
    let request = request.header("accept", "application/json");
    match &question.authorization {
        Some(value) => request.header("authorization", value),
        None => request,
    }
}

fn why(error: &ureq::Error) -> &'static str {
    match error {
        ureq::Error::Timeout(_) => "no answer in time",
        ureq::Error::HostNotFound => "the host is not known",
        ureq::Error::ConnectionFailed | ureq::Error::Io(_) => "no connection",
        ureq::Error::BadUri(_) => "the address is not one",
        _ => "the connection failed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_secret_goes_by_tls_or_stays_on_this_machine() {
        for url in
            ["https://id.example", "http://127.0.0.1:9/x", "http://localhost", "http://[::1]"]
        {
            assert!(is_private(url), "{url}");
        }
        for url in [
            "http://id.example",
            "http://localhost.evil.example",
            "http://127.0.0.1@evil.example/",
            "http://localhost:1@evil.example/",
            "ftp://localhost",
            "",
        ] {
            assert!(!is_private(url), "{url}");
        }
        let web = Web::open(false).unwrap();
        let asked = Question { url: "http://id.example/?secret".to_owned(), ..Question::default() };
        let error = web.fetch(&asked).unwrap_err().to_string();
        assert!(!error.contains("secret") && error.contains("https"), "{error}");
    }
}
