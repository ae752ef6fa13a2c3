//! What goes wrong with a request, as RFC 9457 problem details.

use crate::wire::ShortJson;
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// Prefix of problem types: a tag URI (RFC 4151), which names and does not promise a page.
const TYPE: &str = "tag:farthing.dev,2026:";

/// A problem: what, and what would be right.
#[derive(Debug, Serialize)]
pub(super) struct Problem {
    #[serde(rename = "type")]
    kind: Box<str>,
    title: &'static str,
    status: u16,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter: Option<Box<str>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    allowed: Vec<String>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    budgets: Box<[ShortJson]>,
    #[serde(skip)]
    retry_after_s: Option<u8>,
}

impl Problem {
    fn new(status: StatusCode, name: &str, title: &'static str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("{TYPE}{name}").into(),
            title,
            status: status.as_u16(),
            detail: detail.into(),
            parameter: None,
            allowed: Vec::new(),
            budgets: Box::new([]),
            retry_after_s: None,
        }
    }

    /// 400: a query parameter is wrong.
    pub(super) fn parameter(
        name: &str,
        detail: impl Into<String>,
        allowed: impl IntoIterator<Item = &'static str>,
    ) -> Self {
        let title = "a query parameter is wrong";
        let mut problem = Self::new(StatusCode::BAD_REQUEST, "bad-parameter", title, detail);
        problem.parameter = Some(name.into());
        problem.allowed = allowed.into_iter().map(str::to_owned).collect();
        problem
    }

    /// 404: there is no such route.
    pub(super) fn no_route(path: &str, routes: &[&'static str]) -> Self {
        let detail = format!("there is nothing at {path}");
        let title = "no such route";
        let mut problem = Self::new(StatusCode::NOT_FOUND, "no-such-route", title, detail);
        problem.allowed = routes.iter().map(|route| (*route).to_owned()).collect();
        problem
    }

    /// 405: the route is read only.
    pub(super) fn read_only(method: &str) -> Self {
        let detail = format!("{method} is not possible here: this route is read only");
        let mut problem =
            Self::new(StatusCode::METHOD_NOT_ALLOWED, "read-only", "only GET and HEAD", detail);
        problem.allowed = vec!["GET".to_owned(), "HEAD".to_owned()];
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
        problem.allowed = vec!["POST".to_owned()];
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

    /// 409: it does not fit into budgets.
    pub(super) fn over_budget(detail: impl Into<String>, budgets: Vec<ShortJson>) -> Self {
        let title = "it does not fit";
        let problem = Self::new(StatusCode::CONFLICT, "over-budget", title, detail);
        Self { budgets: budgets.into(), ..problem }
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

    /// 503: not now; `retry_after_s` seconds are a sensible pause.
    pub(super) fn not_now(name: &str, detail: impl Into<String>, retry_after_s: u8) -> Self {
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
        let mut response = (status, Json(self)).into_response();
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        if let Some(seconds) = retry_after_s {
            let seconds = HeaderValue::from(u16::from(seconds));
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response
    }
}
