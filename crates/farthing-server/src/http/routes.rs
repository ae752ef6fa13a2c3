//! The routes.

use super::guard::{ANSWERS_MAX, Guarded, guard};
use super::problem::Problem;
use super::{api, dashboard, etag, request_id};
use crate::identity::Deed;
use crate::orders::NotCarried;
use crate::page::{SCRIPT, STYLE};
use crate::publish::{Ticked, View};
use crate::reader::Unread;
use crate::scope::{Scoped, Sources, Unfit};
use axum::extract::DefaultBodyLimit;
use axum::http::{Method, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Router, middleware};
use std::sync::{Arc, LazyLock};
use tokio::sync::Semaphore;

/// All paths, for people who ask for one that is not there.
pub(super) static PATHS: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let mut paths = vec!["/"];
    for route in api::routes() {
        // Of two methods, one after the other.
        if paths.last() != Some(&route.path) {
            paths.push(route.path);
        }
    }
    paths
});

/// The most bytes of a request's content.
pub(super) const CONTENT_MAX: usize = 64 << 10;

pub(super) fn router(sources: Sources) -> Router {
    let tagging = etag::Tagging { sources: sources.clone(), kept: Arc::default() };
    let tagged = middleware::from_fn_with_state(tagging, etag::tag);
    let mut all = Router::new();
    for route in api::routes() {
        all = all.route(route.path, route.on);
    }
    let guarded = Guarded { sources: sources.clone(), free: Arc::new(Semaphore::new(ANSWERS_MAX)) };
    all.layer(tagged)
        .route("/app.js", get(([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], SCRIPT)))
        .route("/app.css", get(([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE)))
        .fallback(dashboard::files)
        .method_not_allowed_fallback(not_allowed)
        .layer(DefaultBodyLimit::max(CONTENT_MAX))
        .layer(middleware::from_fn_with_state(guarded, guard))
        .layer(middleware::from_fn(request_id::name))
        .with_state(sources)
}

async fn not_allowed(method: Method) -> Response {
    let (allow, problem) = match method {
        Method::GET | Method::HEAD => ("POST", Problem::only_post()),
        method => ("GET, HEAD", Problem::read_only(method.as_str())),
    };
    ([(header::ALLOW, allow)], problem).into_response()
}

/// The last tick, where there was one.
pub(super) fn last(view: &View) -> Result<&Arc<Ticked>, Problem> {
    let nothing = || Problem::not_now("no-tick", "the first tick is not finished", 5);
    view.last.as_ref().ok_or_else(nothing)
}

/// Why something could not be read, as a problem.
pub(super) fn unread(why: Unread) -> Problem {
    match why {
        Unread::Busy(wait_s) => Problem::busy("too many answers are being made", wait_s),
        Unread::Gone => Problem::books("the thread that reads them has ended"),
        Unread::Failed(detail) => Problem::books(detail),
        Unread::NotYours(why) => Problem::not_allowed(why),
    }
}

/// Why an order was not carried out, as a problem.
pub(super) fn unfit(why: Unfit) -> Problem {
    match why {
        Unfit::MayNot(deed) => {
            let (name, least) = (deed.name(), deed.least().name());
            Problem::not_allowed(format!(
                "this takes the role {least} or more, and a token that is not limited to other \
                 scopes than `{name}`"
            ))
        }
        Unfit::OtherTeam(own) => {
            Problem::not_allowed(format!("`team` has to be one of yours: {own}"))
        }
        Unfit::NoLoop => Problem::conflict("the loop behind this server takes no orders"),
        Unfit::Not(NotCarried::Unknown(text)) => Problem::nothing_here(text),
        Unfit::Not(NotCarried::Wrong(text)) => Problem::content(text),
        Unfit::Not(NotCarried::Conflict(text)) => Problem::conflict(text),
        Unfit::Not(why @ NotCarried::Busy) => Problem::busy(why.to_string(), 2),
        Unfit::Not(why @ NotCarried::Ended) => Problem::not_now("ended", why.to_string(), 30),
        Unfit::Not(NotCarried::Failed(text)) => Problem::failed(text),
    }
}

/// Refuses someone who may not read everything that is his to see.
pub(super) fn reads(scoped: &Scoped) -> Result<(), Problem> {
    if scoped.may(Deed::Read) { Ok(()) } else { Err(unfit(Unfit::MayNot(Deed::Read))) }
}
