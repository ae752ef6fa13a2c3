//! The HTTP side of buckets: one request at a time, tried again where that is safe.

use crate::trust;
use http_body_util::BodyExt as _;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody,
    HttpResponse, HttpResponseBody, HttpService,
};
use std::io::Read as _;
use std::thread::sleep;
use std::time::Duration;
use ureq::http::{Method, Request, Response};
use ureq::{Agent, AsSendBody, Error};

/// Tries of one request.
const TRIES: u32 = 4;
/// Before the second try; doubled before each further one.
const BACK_OFF: Duration = Duration::from_millis(250);
/// How long one request may take.
const TIMEOUT: Duration = Duration::from_secs(120);
/// How long it may take until a connection stands. Where a machine has no identity, whoever would
/// tell it does not answer, and nobody should wait long for that.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Most bytes of an answer: that of a file of the books, which is held in memory whole.
const BODY_BYTES_MAX: u64 = 4 << 30;

/// Makes clients.
#[derive(Debug)]
pub(super) struct Connector;

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        let mut config = Agent::config_builder()
            .timeout_global(Some(TIMEOUT))
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            .max_redirects(0)
            .user_agent(concat!("farthing/", env!("CARGO_PKG_VERSION")));
        // Without certificates only servers that need none can be reached, and they may do.
        if let Ok(roots) = trust::system() {
            config = config.tls_config(trust::over_http(&roots, None));
        }
        Ok(HttpClient::new(Client { agent: config.build().new_agent() }))
    }
}

#[derive(Debug)]
struct Client {
    agent: Agent,
}

#[async_trait::async_trait]
impl HttpService for Client {
    /// Blocks until it is answered: whoever keeps books waits for them. A write that is tried again
    /// and had been done is refused by its condition; the books then look whether it was theirs.
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (head, body) = request.into_parts();
        let bytes = whole(body).await?;
        let mut pause = BACK_OFF;
        for tried in 1.. {
            let last = tried == TRIES || head.method == Method::POST;
            match self.once(&head, &bytes) {
                Ok(answer) if last || !is_passing(answer.status().as_u16()) => return Ok(answer),
                Err(error) if last || error.kind() == HttpErrorKind::Unknown => return Err(error),
                _ => {}
            }
            sleep(pause);
            pause *= 2;
        }
        Err(failed(HttpErrorKind::Unknown, std::io::Error::other("no try is left")))
    }
}

impl Client {
    fn once(
        &self,
        head: &ureq::http::request::Parts,
        body: &[u8],
    ) -> Result<HttpResponse, HttpError> {
        let mut request = Request::builder().method(head.method.clone()).uri(head.uri.clone());
        for (name, value) in &head.headers {
            // The client counts the bytes by itself.
            if name != ureq::http::header::CONTENT_LENGTH {
                request = request.header(name, value);
            }
        }
        let answer = if body.is_empty() && !matches!(head.method, Method::PUT | Method::POST) {
            request.body(()).map(|request| self.run(request))
        } else {
            request.body(body).map(|request| self.run(request))
        };
        answer.map_err(|error| failed(HttpErrorKind::Unknown, error))?
    }

    fn run(&self, request: Request<impl AsSendBody>) -> Result<HttpResponse, HttpError> {
        let answer = self.agent.run(request).map_err(of_ureq)?;
        let (head, body) = answer.into_parts();
        let mut bytes = Vec::new();
        let mut body = body.into_with_config().limit(BODY_BYTES_MAX).reader();
        body.read_to_end(&mut bytes).map_err(|error| failed(HttpErrorKind::Interrupted, error))?;
        Ok(Response::from_parts(head, HttpResponseBody::from(bytes::Bytes::from(bytes))))
    }
}

/// The bytes of a request.
async fn whole(body: HttpRequestBody) -> Result<bytes::Bytes, HttpError> {
    Ok(body.collect().await?.to_bytes())
}

fn failed(kind: HttpErrorKind, error: impl std::error::Error + Send + Sync + 'static) -> HttpError {
    HttpError::new(kind, error)
}

/// What went wrong, as the store's client tells it apart.
fn of_ureq(error: Error) -> HttpError {
    let kind = match &error {
        Error::Timeout(_) => HttpErrorKind::Timeout,
        Error::HostNotFound | Error::ConnectionFailed => HttpErrorKind::Connect,
        // A certificate that is not trusted now will not be in a second.
        Error::Io(inner) if inner.get_ref().is_none_or(|it| !it.is::<rustls::Error>()) => {
            HttpErrorKind::Interrupted
        }
        _ => HttpErrorKind::Unknown,
    };
    HttpError::new(kind, error)
}

/// Whether a server that answers so may answer otherwise in a second.
const fn is_passing(status: u16) -> bool {
    matches!(status, 429 | 500 | 502 | 503 | 504)
}
