//! What goes wrong with a request, as RFC 9457 problem details.

use crate::identity::{Refusal, Refused};
use crate::wire::ShortJson;
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// Prefix of problem types: a tag URI (RFC 4151), which names and does not promise a page.
const TYPE: &str = "tag:farthing.dev,2026:";

/// A problem: what, and what would be right.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Problem {
    #[serde(rename = "type")]
    kind: Box<str>,
    title: &'static str,
    status: u16,
    detail: String,
    #[serde(flatten)]
    more: Box<More>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<Box<str>>,
    #[serde(skip)]
    retry_after_s: Option<u16>,
}

/// What some problems say beside that.
#[derive(Clone, Debug, Default, Serialize)]
struct More {
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    allowed: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    budgets: Vec<ShortJson>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    login: Vec<&'static str>,
}

impl Problem {
    fn new(status: StatusCode, name: &str, title: &'static str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("{TYPE}{name}").into(),
            title,
            status: status.as_u16(),
            detail: detail.into(),
            more: Box::default(),
            request_id: None,
            retry_after_s: None,
        }
    }

    /// The same, of a request with this id.
    pub(super) fn named(self, id: String) -> Self {
        Self { request_id: Some(id.into()), ..self }
    }

    /// 401: whoever asks has to say who he is, in one of these ways.
    pub(super) fn log_in(detail: impl Into<String>, ways: &[&'static str]) -> Self {
        let mut problem = Self::new(StatusCode::UNAUTHORIZED, "log-in", "log in first", detail);
        problem.more.login = ways.to_vec();
        problem
    }

    /// 403: his role, his token or his teams do not allow it.
    pub(super) fn not_allowed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "not-allowed", "you may not do this", detail)
    }

    /// What the provider of identities says does not let him in.
    fn identity(why: &Refused) -> Self {
        match why {
            Refused::Provider(_) => {
                // Why is in the journal: it is nobody's else.
                Self::not_now("identity-provider", "the provider of identities cannot be asked", 10)
            }
            Refused::NoGrant { .. } => {
                Self::not_allowed("none of your groups may do anything here")
            }
            why => Self::log_in(why.to_string(), &[]),
        }
    }

    /// Why a request was not let in.
    pub(super) fn refusal(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::LogIn(why) => Self::log_in(*why, &[]),
            Refusal::Identity(why) => Self::identity(why),
            Refusal::NoWord => {
                let detail = "send the `csrf` of /api/v1/session as X-Farthing-CSRF";
                Self::new(StatusCode::FORBIDDEN, "csrf", "not from a page of this session", detail)
            }
            Refusal::Wait(wait) => {
                let seconds = u16::try_from(wait.as_secs() + 1).unwrap_or(u16::MAX);
                let detail = format!("too many attempts failed: come again in {seconds} s");
                let title = "too many attempts";
                let status = StatusCode::TOO_MANY_REQUESTS;
                let problem = Self::new(status, "too-many-attempts", title, detail);
                Self { retry_after_s: Some(seconds), ..problem }
            }
            Refusal::Unavailable => {
                Self::not_now("identity", "who may come in cannot be read at the moment", 5)
            }
        }
    }

    /// 431: the head of a request is too large.
    pub(super) fn head_too_large(max: usize) -> Self {
        let detail = format!("the head of a request has at most {max} bytes");
        let title = "the head of the request is too large";
        let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        Self::new(status, "head-too-large", title, detail)
    }

    /// 400: a query parameter is wrong.
    pub(super) fn parameter(
        name: &str,
        detail: impl Into<String>,
        allowed: impl IntoIterator<Item = &'static str>,
    ) -> Self {
        let title = "a query parameter is wrong";
        let mut problem = Self::new(StatusCode::BAD_REQUEST, "bad-parameter", title, detail);
        problem.more.parameter = Some(name.into());
        problem.more.allowed = allowed.into_iter().map(str::to_owned).collect();
        problem
    }

    /// 404: there is no such route.
    pub(super) fn no_route(path: &str, routes: &[&'static str]) -> Self {
        let detail = format!("there is nothing at {path}");
        let title = "no such route";
        let mut problem = Self::new(StatusCode::NOT_FOUND, "no-such-route", title, detail);
        problem.more.allowed = routes.iter().map(|route| (*route).to_owned()).collect();
        problem
    }

    /// 405: the route is read only.
    pub(super) fn read_only(method: &str) -> Self {
        let detail = format!("{method} is not possible here: this route is read only");
        let mut problem =
            Self::new(StatusCode::METHOD_NOT_ALLOWED, "read-only", "only GET and HEAD", detail);
        problem.more.allowed = vec!["GET".to_owned(), "HEAD".to_owned()];
        problem
    }

    /// 404: the route is there, and what it was asked for is not.
    pub(super) fn nothing_here(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "there is no such thing", detail)
    }

    /// 405: the route only takes orders.
    pub(super) fn only_post() -> Self {
        let title = "only POST";
        let detail = "this route takes an order; ask /api/v1/steps for what there is";
        let mut problem = Self::new(StatusCode::METHOD_NOT_ALLOWED, "only-post", title, detail);
        problem.more.allowed = vec!["POST".to_owned()];
        problem
    }

    /// 403: a request that another site made.
    pub(super) fn other_site(origin: &str) -> Self {
        let detail = format!("a page of `{origin}` may not change anything here");
        Self::new(StatusCode::FORBIDDEN, "other-site", "from another site", detail)
    }

    /// 409: not as things stand.
    pub(super) fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", "not possible as things stand", detail)
    }

    /// 400: the content of a request is not what it should be.
    pub(super) fn content(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-content", "the content is wrong", detail)
    }

    /// 415: the content of a request is of another type than the route reads.
    pub(super) fn other_type() -> Self {
        let detail = "send JSON with `Content-Type: application/json`";
        let title = "the content is of another type";
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "other-type", title, detail)
    }

    /// 409: it does not fit into budgets.
    pub(super) fn over_budget(detail: impl Into<String>, budgets: Vec<ShortJson>) -> Self {
        let title = "it does not fit";
        let mut problem = Self::new(StatusCode::CONFLICT, "over-budget", title, detail);
        problem.more.budgets = budgets;
        problem
    }

    /// 502: the world or the journal failed while an order was carried out.
    pub(super) fn failed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_GATEWAY, "failed", "it could not be carried out", detail)
    }

    /// 413: the request is too large.
    pub(super) fn too_large(max: usize) -> Self {
        let detail = format!("the content of a request has at most {max} bytes");
        let title = "the request is too large";
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", title, detail)
    }

    /// 421: the request was meant for another host.
    pub(super) fn other_host(host: &str) -> Self {
        let detail = format!(
            "this server answers for localhost and loopback addresses only, not for `{host}`"
        );
        let title = "meant for another host";
        Self::new(StatusCode::MISDIRECTED_REQUEST, "other-host", title, detail)
    }

    /// 429: more is asked than can be answered; `retry_after_s` seconds are a sensible pause.
    pub(super) fn busy(detail: impl Into<String>, retry_after_s: u16) -> Self {
        let title = "more is asked than can be answered";
        let mut problem = Self::new(StatusCode::TOO_MANY_REQUESTS, "busy", title, detail);
        problem.retry_after_s = Some(retry_after_s);
        problem
    }

    /// 503: not now; `retry_after_s` seconds are a sensible pause.
    pub(super) fn not_now(name: &str, detail: impl Into<String>, retry_after_s: u16) -> Self {
        let title = "not available at the moment";
        let mut problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, name, title, detail);
        problem.retry_after_s = Some(retry_after_s);
        problem
    }

    /// 500: the books cannot be read.
    pub(super) fn books(detail: impl Into<String>) -> Self {
        let title = "the books cannot be read";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "books", title, detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let retry_after_s = self.retry_after_s;
        let kept = self.clone();
        let is_log_in = self.status == StatusCode::UNAUTHORIZED.as_u16();
        let mut response = (status, Json(self)).into_response();
        response.extensions_mut().insert(kept);
        if is_log_in {
            let bearer = HeaderValue::from_static("Bearer realm=\"farthing\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, bearer);
        }
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        if let Some(seconds) = retry_after_s {
            let seconds = HeaderValue::from(seconds);
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response
    }
}
