//! Tags of answers, so that what has not changed is not sent again.
//!
//! An answer that is made from what is published alone has a tag before it is made: while nothing
//! new is published, asking again costs nothing. Any other answer is tagged by its bytes. What
//! several people ask for at once is made once ([`super::kept`]).

use super::guard::Guest;
use super::kept::Kept;
use super::seen;
use crate::identity::content_tag;
use crate::scope::{Scoped, Sources};
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

/// Routes that are made from what is published, and from their own address.
const PUBLISHED: [&str; 5] =
    ["/api/v1/tick", "/api/v1/snapshot", "/api/v1/plan", "/api/v1/steps", "/api/v1/reservations"];

/// Reports from the books that dashboards ask for again and again.
const REPORTS: [&str; 5] = [
    "/api/v1/cost",
    "/api/v1/budgets",
    "/api/v1/anomalies",
    "/api/v1/verdicts",
    "/api/v1/utilisation",
];

/// Larger answers are sent as they are.
const BYTES_MAX: usize = 8 << 20;

/// What tagging knows.
#[derive(Clone)]
pub(super) struct Tagging {
    pub(super) sources: Sources,
    pub(super) kept: Arc<Kept>,
}

/// Answers 304 to whoever has it already.
pub(super) async fn tag(
    State(Tagging { sources, kept }): State<Tagging>,
    request: Request,
    next: Next,
) -> Response {
    let is_api = request.uri().path().starts_with("/api/v1/");
    if !is_api || !matches!(*request.method(), Method::GET | Method::HEAD) {
        return next.run(request).await;
    }
    let known = request.headers().get(header::IF_NONE_MATCH).cloned();
    let early = early(&sources, &request, &PUBLISHED);
    if let (Some(tag), Some(known)) = (&early, &known)
        && matches(known, tag)
    {
        return unchanged(tag);
    }
    let is_shared = *request.method() == Method::GET;
    if let Some(key) = early.clone().or_else(|| self::early(&sources, &request, &REPORTS))
        && is_shared
    {
        note_read(&sources, &request);
        return match kept.answer(key, BYTES_MAX, (request, next)).await {
            Err(other) => *other,
            Ok(answered) => {
                let tag = early.as_ref().unwrap_or(&answered.tag);
                if known.is_some_and(|known| matches(&known, tag)) {
                    return unchanged(tag);
                }
                tagged(answered.response(), tag)
            }
        };
    }
    let response = next.run(request).await;
    if response.status() != StatusCode::OK || is_stream(response.headers()) {
        return response;
    }
    let (parts, body) = response.into_parts();
    let (tag, body) = match early {
        Some(tag) => (tag, body),
        None => match to_bytes(body, BYTES_MAX).await {
            Ok(bytes) => (content_tag(&bytes), Body::from(bytes)),
            Err(_) => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        },
    };
    if known.is_some_and(|known| matches(&known, &tag)) {
        return unchanged(&tag);
    }
    tagged(Response::from_parts(parts, body), &tag)
}

fn tagged(mut response: Response, tag: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(tag) {
        let headers = response.headers_mut();
        headers.insert(header::ETAG, value);
        // Kept, and asked for again each time: what is one's is of no use to another.
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    }
    response
}

/// Notes that someone reads what is everybody's; the handler, which would, may not be asked.
fn note_read(sources: &Sources, request: &Request) {
    let guest = request.extensions().get::<Guest>();
    if let Some(Guest { entered: Some(entered), from, .. }) = guest {
        let scoped = Scoped::new(sources, entered.who.clone(), *from);
        scoped.note_read(request.uri().path());
    }
}

/// The tag of an answer of one of these routes that is not made yet: it names what is published,
/// whose of it is seen, and what is asked for.
fn early(sources: &Sources, request: &Request, routes: &[&str]) -> Option<String> {
    let guest = request.extensions().get::<Guest>()?;
    let who = guest.entered.as_ref()?;
    let path = request.uri().path();
    if !routes.contains(&path) || !seen::may_read(&who.who, path) {
        return None;
    }
    let of = format!("{} {:?} {}", sources.mark(), who.who.teams, request.uri());
    Some(content_tag(of.as_bytes()))
}

fn matches(known: &HeaderValue, tag: &str) -> bool {
    let weak = |one: &str| one.trim().trim_start_matches("W/").to_owned();
    known.to_str().is_ok_and(|known| known.split(',').any(|one| weak(one) == weak(tag)))
}

fn unchanged(tag: &str) -> Response {
    let mut response = StatusCode::NOT_MODIFIED.into_response();
    if let Ok(value) = HeaderValue::from_str(tag) {
        response.headers_mut().insert(header::ETAG, value);
    }
    response
}

fn is_stream(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("text/event-stream"))
}
