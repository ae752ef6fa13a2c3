//! What a handler is given instead of data: what its principal may see, and the id in a path.

use super::guard::Guest;
use super::problem::Problem;
use super::routes::unfit;
use crate::identity::{Deed, Principal};
use crate::scope::{Scoped, Sources, Unfit};
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};

/// What the one who asks may see. A request that was not let in has none, and neither has one of a
/// token that is not for reading.
impl FromRequestParts<Sources> for Scoped {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, sources: &Sources) -> Result<Self, Problem> {
        let guest = parts.extensions.get::<Guest>();
        let Some(Guest { entered: Some(entered), from, .. }) = guest else {
            return Err(Problem::log_in("log in first", &sources.door().ways()));
        };
        let scoped = Self::new(sources, entered.who.clone(), *from);
        let path = parts.uri.path();
        // What an order takes is asked where it is given.
        if parts.method != Method::POST && !may_read(&entered.who, path) {
            scoped.may(Deed::Read);
            return Err(unfit(Unfit::MayNot(Deed::Read)));
        }
        if parts.method != Method::POST {
            scoped.note_read(path);
        }
        Ok(scoped)
    }
}

/// Whether someone may read a path.
pub(super) fn may_read(who: &Principal, path: &str) -> bool {
    who.may(Deed::Read) || (path == "/metrics" && who.may(Deed::Metrics))
}

/// The one segment of a path that is an id.
pub(super) struct Id(pub(super) String);

impl FromRequestParts<Sources> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, sources: &Sources) -> Result<Self, Problem> {
        let read = Path::<String>::from_request_parts(parts, sources).await;
        read.map(|Path(id)| Self(id)).map_err(|_| {
            Problem::parameter("id", "the id in the path is not percent-encoded UTF-8", [])
        })
    }
}

/// Why the content of a request cannot be read.
pub(super) fn unreadable(error: &JsonRejection) -> Problem {
    match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::too_large(super::routes::CONTENT_MAX),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Problem::other_type(),
        _ => Problem::content(error.body_text()),
    }
}
