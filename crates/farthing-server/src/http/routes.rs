//! The routes.

use super::guard::guard;
use super::problem::Problem;
use super::reader::{Reader, Unread};
use super::{
    RankOffers, budgets, dashboard, events, journal, live, offers, reports, steps, utilisation,
    what_if,
};
use crate::orders::Orders;
use crate::page::{SCRIPT, STYLE};
use crate::publish::{Published, Ticked, View};
use axum::extract::DefaultBodyLimit;
use axum::http::{Method, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Router, middleware};
use farthing_edge::Store;
use farthing_ledger::Books;
use std::sync::Arc;

/// All routes, for people who ask for one that is not there.
pub(super) const ROUTES: [&str; 34] = [
    "/",
    "/plain",
    "/healthz",
    "/readyz",
    "/metrics",
    "/api/v1/session",
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
    "/api/v1/anomalies",
    "/api/v1/budgets",
    "/api/v1/budgets/simulate",
    "/api/v1/budgets/{id}/limit",
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

/// A journal that another thread reads.
pub(super) type Archive = Box<dyn Store + Send>;

/// What routes answer from.
#[derive(Clone)]
pub(super) struct Sources {
    /// What the loop publishes.
    pub(super) published: Published,
    /// The books.
    pub(super) books: Reader<Books>,
    /// The journal, where there is one to read.
    pub(super) journal: Option<Reader<Archive>>,
    /// A thread that plans what would be otherwise.
    pub(super) planner: Reader<()>,
    /// Ranks offers, where there is a price book.
    pub(super) offers: Option<RankOffers>,
    /// The way to the loop, where it takes orders.
    pub(super) orders: Option<Orders>,
}

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
        .route("/anomalies", get(budgets::anomalies))
        .route("/budgets", get(budgets::budgets))
        .route("/budgets/simulate", post(budgets::simulate))
        .route("/budgets/{id}/limit", post(budgets::change_limit))
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
        .route("/session", get(live::session))
        .route("/journal", get(journal::journal));
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
        .layer(middleware::from_fn(guard))
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
    }
}
