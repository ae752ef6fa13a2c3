//! Asking an API server: one request at a time on each thread, and streams of changes.
//!
//! Over `ureq` and `rustls` with the same cryptography as everything else here; ADR 0022 says why
//! not over the `kube` crate. What the answers mean is `object`'s business, trying again that of
//! `watch`.

use crate::access::{Access, Credentials};
use crate::call::{Body, Call, Target, Verb};
use crate::error::ApiError;
use crate::ours::Fence;
use farthing_edge::Clock;
use jiff::Timestamp;
use std::io::{BufRead, BufReader, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use ureq::http::Method;
use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Error};

/// How long an answer to a single question may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a stream may be silent: a server that is asked for bookmarks says one a minute.
const SILENCE: Duration = Duration::from_secs(90);
/// Most bytes of one answer: a page of 500 objects of the largest size that etcd takes is less.
const ANSWER_BYTES_MAX: u64 = 1 << 30;
/// Most bytes of one change: etcd takes objects of 1.5 MB, which JSON can double.
const LINE_BYTES_MAX: u64 = 16 << 20;
/// Most bytes of a refusal that are read.
const REFUSAL_BYTES_MAX: u64 = 1 << 20;
/// Buffers of a connection; there is one for each kind of object.
const BUFFER_BYTES: usize = 32 << 10;

/// A clock that several threads read.
pub type SharedClock = Arc<dyn Clock + Send + Sync>;

/// Who owns the fields that we write.
const FIELD_MANAGER: &str = "farthing";

/// Asks one API server.
pub(crate) struct Client {
    access: Access,
    clock: SharedClock,
    session: Mutex<Option<Arc<Session>>>,
    requests: AtomicU64,
    /// Whether changes may be made now, where that depends on anything.
    fence: Mutex<Option<Arc<Fence>>>,
}

/// What is shown to the server, for as long as it is good.
struct Session {
    agent: Agent,
    authorization: Option<String>,
    until: Option<Timestamp>,
}

type Answer = ureq::http::Response<ureq::Body>;

/// Changes, one in each line.
pub(crate) struct Lines {
    reader: BufReader<ureq::BodyReader<'static>>,
    url: String,
}

impl Client {
    pub(crate) const fn new(access: Access, clock: SharedClock) -> Self {
        Self {
            access,
            clock,
            session: Mutex::new(None),
            requests: AtomicU64::new(0),
            fence: Mutex::new(None),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) const fn access(&self) -> &Access {
        &self.access
    }

    /// How many requests were made.
    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Asks a question and reads all of the answer.
    pub(crate) fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Vec<u8>, ApiError> {
        let mut answer = self.call(path, query, Some(PATIENCE))?;
        self.read(path, &mut answer)
    }

    /// Makes a call on one object; what the server says that it is then. With `dry_run` the server
    /// checks all of it and changes nothing.
    ///
    /// Not tried again here: an error of class `Transient` leaves open whether it took effect, so
    /// whoever calls asks what became of it.
    pub(crate) fn call_on(
        &self,
        call: &Call,
        target: &Target<'_>,
        body: &Body<'_>,
        dry_run: bool,
    ) -> Result<serde_json::Value, ApiError> {
        let fence = self.fence.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if !dry_run && call.verb != Verb::Get && fence.is_some_and(|fence| !fence.holds(self.now()))
        {
            return Err(ApiError::Deposed { url: self.url(&call.path(target)) });
        }
        self.call_in(call, target, body, dry_run)
    }

    /// From now on, changes are made only while this holds.
    pub(crate) fn fence(&self, fence: Arc<Fence>) {
        *self.fence.lock().unwrap_or_else(PoisonError::into_inner) = Some(fence);
    }

    /// A call that may be made whoever leads: that on the lease itself.
    pub(crate) fn call_unfenced(
        &self,
        call: &Call,
        target: &Target<'_>,
        body: &Body<'_>,
    ) -> Result<serde_json::Value, ApiError> {
        self.call_in(call, target, body, false)
    }

    fn call_in(
        &self,
        call: &Call,
        target: &Target<'_>,
        body: &Body<'_>,
        dry_run: bool,
    ) -> Result<serde_json::Value, ApiError> {
        let path = call.path(target);
        let mut query = Vec::new();
        if !matches!(body, Body::Nothing) {
            query.push(("fieldManager", FIELD_MANAGER));
            query.push(("fieldValidation", "Strict"));
        }
        if matches!(body, Body::Apply { force: true, .. }) {
            query.push(("force", "true"));
        }
        if dry_run {
            query.push(("dryRun", "All"));
        }
        let said = match (body, call.verb) {
            (Body::Nothing, _) => self.get(&path, &query)?,
            (Body::Whole(object), verb) => {
                let method = if verb == Verb::Update { Method::PUT } else { Method::POST };
                self.send(&method, "application/json", &path, &query, object)?
            }
            (Body::Apply { object, .. }, _) => {
                // What is written in YAML may be JSON.
                self.send(&Method::PATCH, "application/apply-patch+yaml", &path, &query, object)?
            }
            (Body::Merge(object), _) => {
                self.send(&Method::PATCH, "application/merge-patch+json", &path, &query, object)?
            }
        };
        serde_json::from_slice(&said)
            .map_err(|error| ApiError::Syntax { url: self.url(&path), what: error.to_string() })
    }

    fn send(
        &self,
        method: &Method,
        kind: &'static str,
        path: &str,
        query: &[(&str, &str)],
        body: &serde_json::Value,
    ) -> Result<Vec<u8>, ApiError> {
        let session = self.session()?;
        self.requests.fetch_add(1, Ordering::Relaxed);
        let url = self.url(path);
        let request = match *method {
            Method::POST => session.agent.post(url),
            Method::PUT => session.agent.put(url),
            _ => session.agent.patch(url),
        };
        let request = request.query_pairs(query.iter().copied()).header("content-type", kind);
        let request = Self::as_ourselves(&session, request).config().timeout_global(Some(PATIENCE));
        let sent = request.build().send(body.to_string());
        let mut answer = self.accepted(path, sent)?;
        self.read(path, &mut answer)
    }

    /// Says who we are, and what we can read.
    fn as_ourselves<B>(
        session: &Session,
        request: ureq::RequestBuilder<B>,
    ) -> ureq::RequestBuilder<B> {
        let request = request.header("accept", "application/json");
        match &session.authorization {
            Some(value) => request.header("authorization", value),
            None => request,
        }
    }

    fn read(&self, path: &str, answer: &mut Answer) -> Result<Vec<u8>, ApiError> {
        let body = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec();
        body.map_err(|error| self.unreachable(path, &error))
    }

    /// Asks for changes, as long as the server goes on saying them.
    pub(crate) fn lines(&self, path: &str, query: &[(&str, &str)]) -> Result<Lines, ApiError> {
        let answer = self.call(path, query, None)?;
        let reader = BufReader::with_capacity(BUFFER_BYTES, answer.into_body().into_reader());
        Ok(Lines { reader, url: self.url(path) })
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.access.server)
    }

    fn call(
        &self,
        path: &str,
        query: &[(&str, &str)],
        patience: Option<Duration>,
    ) -> Result<Answer, ApiError> {
        let session = self.session()?;
        self.requests.fetch_add(1, Ordering::Relaxed);
        let request = session.agent.get(self.url(path)).query_pairs(query.iter().copied());
        let request = Self::as_ourselves(&session, request).config();
        let request = request.timeout_global(patience).timeout_per_read(Some(SILENCE));
        self.accepted(path, request.build().call())
    }

    /// The answer, where it says yes.
    fn accepted(&self, path: &str, answer: Result<Answer, Error>) -> Result<Answer, ApiError> {
        let mut answer = answer.map_err(|error| self.unreachable(path, &error))?;
        let code = answer.status().as_u16();
        if (200..300).contains(&code) {
            return Ok(answer);
        }
        if code == 401 {
            // Whatever was shown is not good any more: the next request asks for it anew.
            *self.session.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
        let after = answer.headers().get("retry-after").and_then(|value| value.to_str().ok());
        let after = after.and_then(|text| text.trim().parse().ok());
        let body = answer.body_mut().with_config().limit(REFUSAL_BYTES_MAX).read_to_vec();
        Err(ApiError::refused(&self.url(path), code, &body.unwrap_or_default(), after))
    }

    fn session(&self) -> Result<Arc<Session>, ApiError> {
        let now = self.now();
        let mut kept = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(session) = kept.as_ref().filter(|it| it.until.is_none_or(|end| now < end)) {
            return Ok(Arc::clone(session));
        }
        let credentials = self.access.identity.credentials(&self.access.server, now);
        let session = Arc::new(self.open(credentials.map_err(ApiError::Access)?)?);
        *kept = Some(Arc::clone(&session));
        Ok(session)
    }

    fn open(&self, credentials: Credentials) -> Result<Session, ApiError> {
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .timeout_connect(Some(Duration::from_secs(10)))
            .input_buffer_size(BUFFER_BYTES)
            .output_buffer_size(BUFFER_BYTES / 4)
            .user_agent(concat!("farthing/", env!("CARGO_PKG_VERSION")));
        if self.access.server.starts_with("https://") {
            config = config.tls_config(tls(&self.access, credentials.certificate)?);
        }
        Ok(Session {
            agent: config.build().into(),
            authorization: credentials.bearer.map(|token| format!("Bearer {token}")),
            until: credentials.until,
        })
    }

    fn unreachable(&self, path: &str, error: &Error) -> ApiError {
        let what = match error {
            Error::Timeout(_) => "does not answer in time".to_owned(),
            Error::HostNotFound => "there is no such host".to_owned(),
            Error::ConnectionFailed => "refuses the connection".to_owned(),
            Error::Io(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                "refuses the connection".to_owned()
            }
            other => other.to_string().lines().next().unwrap_or_default().to_owned(),
        };
        ApiError::Unreachable { url: self.url(path), what }
    }
}

impl Lines {
    /// The next change; `None` at the end of the stream.
    pub(crate) fn next(&mut self, line: &mut Vec<u8>) -> Result<Option<()>, ApiError> {
        line.clear();
        let limited = self.reader.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', line);
        match limited {
            Ok(0) => Ok(None),
            Ok(_) if line.last() == Some(&b'\n') => Ok(Some(())),
            // The end of the connection in the middle of a line.
            Ok(_) if (line.len() as u64) < LINE_BYTES_MAX => Ok(None),
            Ok(_) => {
                let what = format!("a change of more than {LINE_BYTES_MAX} bytes");
                Err(ApiError::Syntax { url: self.url.clone(), what })
            }
            Err(error) => {
                let what = format!("the stream of changes ended: {error}");
                Err(ApiError::Unreachable { url: self.url.clone(), what })
            }
        }
    }
}

fn tls(access: &Access, identity: Option<(Vec<u8>, Vec<u8>)>) -> Result<TlsConfig, ApiError> {
    let roots = match &access.ca {
        Some(pem) => certificates("the cluster's certificates", pem)?,
        None if access.insecure => Vec::new(),
        None => {
            let (what, why) = ("the certificates to trust", "nobody names any".to_owned());
            return Err(ApiError::Pem { what, why });
        }
    };
    let identity = match identity {
        Some((certificate, key)) => {
            let chain = certificates("the client certificate", &certificate)?;
            let key = PrivateKey::from_pem(&key).map_err(|error| ApiError::Pem {
                what: "the key of the client certificate",
                why: error.to_string(),
            })?;
            Some(ClientCert::new_with_certs(&chain, key))
        }
        None => None,
    };
    Ok(TlsConfig::builder()
        .root_certs(RootCerts::new_with_certs(&roots))
        .client_cert(identity)
        .disable_verification(access.insecure)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build())
}

fn certificates(what: &'static str, pem: &[u8]) -> Result<Vec<Certificate<'static>>, ApiError> {
    let mut found = Vec::new();
    for item in parse_pem(pem) {
        match item {
            Ok(PemItem::Certificate(certificate)) => found.push(certificate),
            Ok(_) => {}
            Err(error) => return Err(ApiError::Pem { what, why: error.to_string() }),
        }
    }
    if found.is_empty() {
        let why = "there is no certificate in PEM form".to_owned();
        return Err(ApiError::Pem { what, why });
    }
    Ok(found)
}
