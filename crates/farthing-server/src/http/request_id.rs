//! The id of a request: in its answer, and in the problem that it may have.

use super::problem::Problem;
use crate::identity::request_id;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// Letters of an id that was made elsewhere, at most.
const LENGTH_MAX: usize = 64;

/// Takes the id that a request comes with, or gives it one.
pub(super) async fn name(request: Request, next: Next) -> Response {
    let told = request.headers().get(HEADER).and_then(|value| value.to_str().ok());
    let plain = |letter: u8| letter.is_ascii_alphanumeric() || b"-_.:".contains(&letter);
    let good = |id: &&str| !id.is_empty() && id.len() <= LENGTH_MAX && id.bytes().all(plain);
    let id = told.filter(good).map_or_else(request_id, str::to_owned);
    let mut response = next.run(request).await;
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        // The problem was made where its request had no name yet.
        let named = problem.named(id.clone()).into_response();
        *response.body_mut() = named.into_body();
        response.headers_mut().remove(axum::http::header::CONTENT_LENGTH);
        response.extensions_mut().remove::<Problem>();
    }
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(HEADER, value);
    }
    response
}
