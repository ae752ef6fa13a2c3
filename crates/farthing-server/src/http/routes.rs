//! The routes.

use super::guard::{ANSWERS_MAX, Guarded, guard};
use super::problem::Problem;
use super::{
    budgets, dashboard, etag, events, journal, live, offers, reports, request_id, session, steps,
    utilisation, what_if,
};
use crate::identity::Deed;
use crate::orders::NotCarried;
use crate::page::{SCRIPT, STYLE};
use crate::publish::{Ticked, View};
use crate::reader::Unread;
use crate::scope::{Scoped, Sources, Unfit};
use axum::extract::DefaultBodyLimit;
use axum::http::{Method, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Router, middleware};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// All routes, for people who ask for one that is not there.
pub(super) const ROUTES: [&str; 32] = [
    "/",
    "/plain",
    "/healthz",
    "/readyz",
    "/metrics",
    "/api/v1/session",
    "/api/v1/session/end",
    "/api/v1/health",
    "/api/v1/tick",
    "/api/v1/events",
    "/api/v1/snapshot",
    "/api/v1/plan",
    "/api/v1/plans",
    "/api/v1/steps",
    "/api/v1/steps/{id}/approve",
    "/api/v1/steps/{id}/reject",
    "/api/v1/steps/{id}/undo",
    "/api/v1/budgets",
    "/api/v1/reservations",
    "/api/v1/reservations/{id}/confirm",
    "/api/v1/reservations/{id}/release",
    "/api/v1/savings",
    "/api/v1/cost",
    "/api/v1/explain/{id}",
    "/api/v1/verdicts",
    "/api/v1/utilisation",
    "/api/v1/offers",
    "/api/v1/what-if",
    "/api/v1/journal",
    "/allocation",
    "/allocation/compute",
    "/assets",
];

/// The most bytes of a request's content.
pub(super) const CONTENT_MAX: usize = 64 << 10;

pub(super) fn router(sources: Sources) -> Router {
    let api = Router::new()
        .route("/health", get(live::health))
        .route("/tick", get(live::tick))
        .route("/events", get(events::events))
        .route("/snapshot", get(live::snapshot))
        .route("/plan", get(live::plan))
        .route("/plans", get(journal::plans))
        .route("/steps", get(steps::steps))
        .route("/steps/{id}/approve", post(steps::approve))
        .route("/steps/{id}/reject", post(steps::reject))
        .route("/steps/{id}/undo", post(steps::undo))
        .route("/budgets", get(budgets::budgets))
        .route("/reservations", get(budgets::reservations).post(budgets::reserve))
        .route("/reservations/{id}/confirm", post(budgets::confirm))
        .route("/reservations/{id}/release", post(budgets::release))
        .route("/savings", get(journal::savings))
        .route("/cost", get(reports::cost))
        .route("/explain/{id}", get(reports::explain))
        .route("/verdicts", get(reports::verdicts))
        .route("/utilisation", get(utilisation::utilisation))
        .route("/offers", get(offers::offers))
        .route("/what-if", get(what_if::now).post(what_if::changed))
        .route("/session", get(session::session).post(session::begin))
        .route("/session/end", post(session::end))
        .route("/journal", get(journal::journal))
        .layer(middleware::from_fn_with_state(sources.clone(), etag::tag));
    let guarded = Guarded { sources: sources.clone(), free: Arc::new(Semaphore::new(ANSWERS_MAX)) };
    Router::new()
        .route("/plain", get(dashboard::plain))
        .route("/app.js", get(([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], SCRIPT)))
        .route("/app.css", get(([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE)))
        .route("/healthz", get(live::healthz))
        .route("/readyz", get(live::readyz))
        .route("/metrics", get(live::metrics_text))
        .nest("/api/v1", api)
        .route("/allocation", get(reports::allocations))
        .route("/allocation/compute", get(reports::allocations))
        .route("/assets", get(reports::assets))
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
        Unread::Busy => Problem::not_now("busy", "too many answers are being made", 2),
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
        Unfit::Not(NotCarried::Conflict(text)) => Problem::conflict(text),
        Unfit::Not(why @ NotCarried::Busy) => Problem::not_now("busy", why.to_string(), 2),
        Unfit::Not(why @ NotCarried::Ended) => Problem::not_now("ended", why.to_string(), 30),
        Unfit::Not(NotCarried::Failed(text)) => Problem::failed(text),
    }
}

/// Refuses someone who may not read everything that is his to see.
pub(super) fn reads(scoped: &Scoped) -> Result<(), Problem> {
    if scoped.may(Deed::Read) { Ok(()) } else { Err(unfit(Unfit::MayNot(Deed::Read))) }
}
