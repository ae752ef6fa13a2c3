//! The HTTP side: one GET or POST at a time, with retries and a limit on everything.

use super::answer::{AnswerError, one_line};
use crate::base64;
use crate::trust::{self, Root};
use std::thread::sleep;
use std::time::Duration;
use ureq::tls::{ClientCert, PrivateKey, TlsConfig};
use ureq::{Agent, Error};

/// Tries of one request.
const TRIES: u32 = 4;
/// Before the second try; doubled before each further one.
const BACK_OFF: Duration = Duration::from_millis(250);
/// Most bytes of one answer: a stretch that has more is halved.
const BODY_BYTES_MAX: u64 = 256 << 20;

/// How a server is reached.
#[derive(Clone)]
pub struct Access {
    /// A bearer token.
    pub bearer: Option<String>,
    /// A user and a password.
    pub basic: Option<(String, String)>,
    /// Certificates (PEM) to trust instead of the system's.
    pub ca: Option<String>,
    /// A certificate and its private key (PEM) to show.
    pub identity: Option<(String, String)>,
    /// How long one answer may take.
    pub timeout: Duration,
}

impl Default for Access {
    fn default() -> Self {
        let timeout = Duration::from_secs(60);
        Self { bearer: None, basic: None, ca: None, identity: None, timeout }
    }
}

impl std::fmt::Debug for Access {
    /// Says what is there and nothing of what it is.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let how = match (&self.bearer, &self.basic) {
            (Some(_), _) => "bearer",
            (_, Some(_)) => "basic",
            _ => "none",
        };
        write!(out, "Access({how}, identity: {})", self.identity.is_some())
    }
}

/// Why a server could not be read. Each names its address.
#[derive(Debug, thiserror::Error)]
pub enum PrometheusError {
    /// The address is not one.
    #[error("`{0}` is not the address of a server: write it like http://prometheus:9090")]
    Url(String),
    /// A key or a certificate that cannot be read.
    #[error("{what} cannot be read: {why}")]
    Pem {
        /// Which one.
        what: &'static str,
        /// Why.
        why: String,
    },
    /// No connection, after several tries.
    #[error("{url}: {what}")]
    Unreachable {
        /// The address.
        url: String,
        /// What happened.
        what: String,
    },
    /// An answer that says no.
    #[error("{url}: answers {status}{}", colon(.said))]
    Status {
        /// The address.
        url: String,
        /// The HTTP status.
        status: u16,
        /// What the answer says.
        said: String,
    },
    /// An answer that is none.
    #[error("{url}: {source}")]
    Answer {
        /// The address.
        url: String,
        /// What is wrong.
        source: AnswerError,
    },
    /// Too much for the server or for us, even in the shortest stretch.
    #[error("{url}: {what}, also for one minute of {metric}")]
    TooMuch {
        /// The address.
        url: String,
        /// The metric.
        metric: String,
        /// What was too much.
        what: String,
    },
}

fn colon(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": {text}") }
}

/// What became of a request.
pub(super) enum Reply {
    /// The body of a good answer.
    Body(Vec<u8>),
    /// The stretch that was asked for is too much.
    TooMuch(String),
    /// The server does not know the endpoint.
    NotFound(u16),
}

pub(super) struct Client {
    agent: Agent,
    url: String,
    authorization: Option<String>,
    timeout: Duration,
}

impl Client {
    pub(super) fn new(url: &str, access: &Access) -> Result<Self, PrometheusError> {
        let trimmed = url.trim_end_matches('/');
        let host = trimmed.strip_prefix("http://").or_else(|| trimmed.strip_prefix("https://"));
        if host.is_none_or(|host| host.is_empty() || host.starts_with('/')) {
            return Err(PrometheusError::Url(url.to_owned()));
        }
        let mut config = Agent::config_builder()
            .timeout_global(Some(access.timeout))
            .http_status_as_error(false)
            .max_redirects(3)
            .user_agent(concat!("farthing/", env!("CARGO_PKG_VERSION")));
        if trimmed.starts_with("https://") {
            config = config.tls_config(tls(access)?);
        }
        let authorization = match (&access.bearer, &access.basic) {
            (Some(token), _) => Some(format!("Bearer {token}")),
            (None, Some((user, password))) => {
                Some(format!("Basic {}", base64::encode(format!("{user}:{password}").as_bytes())))
            }
            (None, None) => None,
        };
        let (agent, url) = (config.build().into(), trimmed.to_owned());
        Ok(Self { agent, url, authorization, timeout: access.timeout })
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Asks a question that may be long, again while the server is busy or does not answer.
    pub(super) fn ask(&self, path: &str, form: &[(&str, &str)]) -> Result<Reply, PrometheusError> {
        self.until_it_answers(|| self.post(path, form))
    }

    /// Asks for a list, as [`Self::ask`].
    pub(super) fn get(&self, path: &str, form: &[(&str, &str)]) -> Result<Reply, PrometheusError> {
        self.until_it_answers(|| {
            let mut request = self.agent.get(format!("{}/api/v1/{path}", self.url));
            request = request.query_pairs(form.iter().copied());
            if let Some(value) = &self.authorization {
                request = request.header("authorization", value);
            }
            body(request.call()?)
        })
    }

    fn until_it_answers(
        &self,
        once: impl Fn() -> Result<(u16, Vec<u8>), Error>,
    ) -> Result<Reply, PrometheusError> {
        let mut pause = BACK_OFF;
        for tried in 1.. {
            match once() {
                Ok((status @ (429 | 500 | 502..=504), said)) if tried < TRIES => {
                    // A query that was stopped for being too much is not worth asking again.
                    if let Some(why) = too_much(status, &said) {
                        return Ok(Reply::TooMuch(why));
                    }
                }
                Ok((status, body)) => return self.judge(status, body),
                Err(error) if tried < TRIES && is_passing(&error) => {}
                Err(Error::BodyExceedsLimit(max)) => {
                    return Ok(Reply::TooMuch(format!("an answer of over {max} bytes")));
                }
                Err(error) => return Err(self.unreachable(&error, tried)),
            }
            sleep(pause);
            pause *= 2;
        }
        Ok(Reply::NotFound(404))
    }

    fn post(&self, path: &str, form: &[(&str, &str)]) -> Result<(u16, Vec<u8>), Error> {
        let mut request = self.agent.post(format!("{}/api/v1/{path}", self.url));
        if let Some(value) = &self.authorization {
            request = request.header("authorization", value);
        }
        body(request.send_form(form.iter().copied())?)
    }

    fn judge(&self, status: u16, body: Vec<u8>) -> Result<Reply, PrometheusError> {
        if status == 200 {
            return Ok(Reply::Body(body));
        }
        if let Some(why) = too_much(status, &body) {
            return Ok(Reply::TooMuch(why));
        }
        if matches!(status, 404 | 405 | 501) {
            return Ok(Reply::NotFound(status));
        }
        let hint = match status {
            401 | 403 => "the credentials are missing or wrong".to_owned(),
            _ => match super::Answer::parse(&body) {
                Err(AnswerError::Refused { kind, what }) => format!("{kind}: {what}"),
                _ => String::new(),
            },
        };
        let url = self.url.clone();
        Err(PrometheusError::Status { url, status, said: one_line(&hint) })
    }

    fn unreachable(&self, error: &Error, tries: u32) -> PrometheusError {
        let what = match error {
            Error::Timeout(_) => format!("does not answer within {:?} (--timeout)", self.timeout),
            Error::HostNotFound => "there is no such host".to_owned(),
            Error::ConnectionFailed => "refuses the connection".to_owned(),
            Error::Io(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                "refuses the connection".to_owned()
            }
            Error::Io(error) => match error.get_ref().and_then(|it| it.downcast_ref()) {
                Some(tls) => no_secure_connection(tls),
                None => one_line(&error.to_string()),
            },
            Error::Rustls(error) => no_secure_connection(error),
            Error::Tls(_) | Error::Pem(_) => format!("no secure connection ({error})"),
            other => one_line(&other.to_string()),
        };
        let again = if tries > 1 { format!(" ({tries} tries)") } else { String::new() };
        PrometheusError::Unreachable { url: self.url.clone(), what: what + &again }
    }
}

fn body(mut answer: ureq::http::Response<ureq::Body>) -> Result<(u16, Vec<u8>), Error> {
    let body = answer.body_mut().with_config().limit(BODY_BYTES_MAX).read_to_vec()?;
    Ok((answer.status().as_u16(), body))
}

/// Why there is no secure connection, and what would be right.
fn no_secure_connection(error: &rustls::Error) -> String {
    use rustls::{AlertDescription as Alert, CertificateError as Bad, Error as Tls};
    let what = match error {
        Tls::AlertReceived(Alert::CertificateRequired) => {
            "it asks who we are: name a certificate with --cert and --key"
        }
        Tls::AlertReceived(
            Alert::UnknownCA
            | Alert::BadCertificate
            | Alert::CertificateUnknown
            | Alert::CertificateExpired
            | Alert::AccessDenied,
        ) => "it does not take the certificate of --cert",
        Tls::InvalidCertificate(Bad::UnknownIssuer) => {
            "its certificate is of an authority that is not trusted: name that with --ca"
        }
        Tls::InvalidCertificate(Bad::NotValidForName | Bad::NotValidForNameContext { .. }) => {
            "its certificate is of another name than that of the address"
        }
        Tls::InvalidCertificate(Bad::Expired | Bad::ExpiredContext { .. }) => {
            "its certificate has expired"
        }
        _ => return format!("no secure connection ({})", one_line(&error.to_string())),
    };
    format!("no secure connection: {what}")
}

/// Whether trying again may help. A server that said nothing for all of the time it may take will
/// not say more in the next, and who waits wants to know.
fn is_passing(error: &Error) -> bool {
    match error {
        Error::ConnectionFailed => true,
        Error::Io(error) => error.get_ref().is_none_or(|inner| {
            // A certificate that is not trusted now will not be in a second.
            !inner.is::<rustls::Error>()
        }),
        _ => false,
    }
}

/// Whether an answer says that the question was too large, and how.
fn too_much(status: u16, body: &[u8]) -> Option<String> {
    if !matches!(status, 400 | 422 | 500 | 503) {
        return None;
    }
    let Err(AnswerError::Refused { what, .. }) = super::Answer::parse(body) else { return None };
    let low = what.to_lowercase();
    let says = ["too many samples", "exceeded maximum", "timed out", "maximum resolution", "limit"];
    says.iter().any(|words| low.contains(words)).then(|| one_line(&what))
}

fn tls(access: &Access) -> Result<TlsConfig, PrometheusError> {
    let roots = match &access.ca {
        Some(text) => certificates("the certificates to trust", text)?,
        None => trust::system().map_err(|error| pem("the system's certificates", &error))?,
    };
    let identity = match &access.identity {
        Some((certificate, key)) => {
            let chain = certificates("the certificate", certificate)?;
            let key = PrivateKey::from_pem(key.as_bytes());
            let key = key.map_err(|error| pem("the private key", &error))?;
            Some(ClientCert::new_with_certs(&trust::as_shown(&chain), key))
        }
        None => None,
    };
    Ok(trust::over_http(&roots, identity))
}

fn certificates(what: &'static str, text: &str) -> Result<Vec<Root>, PrometheusError> {
    trust::read(text.as_bytes()).map_err(|error| pem(what, &error))
}

fn pem(what: &'static str, error: &dyn std::fmt::Display) -> PrometheusError {
    PrometheusError::Pem { what, why: error.to_string() }
}
