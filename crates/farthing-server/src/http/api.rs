//! All routes, each with what is to be said of it: the router and the document of the API are made
//! from this one list, so that neither has what the other has not.

use super::{
    allocation, budgets, dashboard, events, journal, live, offers, oidc, openapi, reports, session,
    statement, steps, utilisation, what_if,
};
use crate::identity::{BACK, Deed};
use crate::scope::Sources;
use axum::routing::{MethodRouter, get, post};

/// A route.
pub(super) struct Route {
    /// `GET` or `POST`.
    pub(super) method: &'static str,
    /// With `{id}` for a segment.
    pub(super) path: &'static str,
    /// What it does.
    pub(super) summary: &'static str,
    /// What one must be allowed to do; `None` = anybody may ask.
    pub(super) deed: Option<Deed>,
    /// The names of its parameters.
    pub(super) parameters: &'static [&'static str],
    /// The type of the content of a request.
    pub(super) content: Option<&'static str>,
    /// What is answered.
    pub(super) answer: Answer,
    /// What answers.
    pub(super) on: MethodRouter<Sources>,
}

/// What is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// JSON of a type.
    Json(&'static str),
    /// A page of a list of these.
    Page(&'static str),
    /// JSON of no fixed type.
    Object,
    /// The same, with status 201.
    Created(&'static str),
    /// Nothing.
    Nothing,
    /// Where to go.
    Elsewhere,
    /// Text of a media type.
    Text(&'static str),
}

use Answer::{Created, Elsewhere, Json, Nothing, Object, Page, Text};

fn read(
    path: &'static str,
    summary: &'static str,
    answer: Answer,
    on: MethodRouter<Sources>,
) -> Route {
    let deed = Some(Deed::Read);
    Route { method: "GET", path, summary, deed, parameters: &[], content: None, answer, on }
}

fn order(
    path: &'static str,
    summary: &'static str,
    deed: Deed,
    answer: Answer,
    on: MethodRouter<Sources>,
) -> Route {
    Route { method: "POST", deed: Some(deed), ..read(path, summary, answer, on) }
}

impl Route {
    fn with(self, parameters: &'static [&'static str]) -> Self {
        Self { parameters, ..self }
    }

    fn of(self, content: &'static str) -> Self {
        Self { content: Some(content), ..self }
    }

    fn for_anybody(self) -> Self {
        Self { deed: None, ..self }
    }
}

const HTML: Answer = Text("text/html");
const PAGES: &[&str] = &["cursor", "limit"];

/// All routes.
pub(super) fn routes() -> Vec<Route> {
    let mut all = for_people();
    all.extend(published());
    all.extend(decided());
    all.extend(money());
    all.extend(reservations());
    all.extend(otherwise());
    all.extend(reported());
    all.extend(of_others());
    all
}

/// The page, health, and who asks.
fn for_people() -> Vec<Route> {
    vec![
        read("/plain", "The last tick as one page without scripts", HTML, get(dashboard::plain)),
        read("/healthz", "Whether the process answers", Object, get(live::healthz)).for_anybody(),
        read("/readyz", "Whether the loop ticks", Object, get(live::readyz)).for_anybody(),
        Route {
            deed: Some(Deed::Metrics),
            ..read(
                "/metrics",
                "Series for Prometheus, as OpenMetrics",
                Text("application/openmetrics-text"),
                get(live::metrics_text),
            )
        },
        read("/api/v1/session", "Who asks", Object, get(session::session)).for_anybody(),
        order(
            "/api/v1/session",
            "Log in by a token: answers with the cookie of a session",
            Deed::Read,
            Object,
            post(session::begin),
        )
        .of("LogIn")
        .for_anybody(),
        order("/api/v1/session/end", "Log out", Deed::Read, Nothing, post(session::end))
            .for_anybody(),
        read(
            "/api/v1/login/oidc",
            "Send a browser to the provider of identities",
            Elsewhere,
            get(oidc::begin),
        )
        .with(&oidc::PARAMETERS)
        .for_anybody(),
        read(BACK, "Take a browser that comes back from it", Elsewhere, get(oidc::back))
            .for_anybody(),
        read("/api/v1/openapi.json", "This document", Object, get(openapi::document)).for_anybody(),
    ]
}

/// What the loop published last.
fn published() -> Vec<Route> {
    vec![
        read(
            "/api/v1/health",
            "What runs here, and how it is",
            Json("HealthJson"),
            get(live::health),
        ),
        read("/api/v1/tick", "What the last tick came to", Json("TickJson"), get(live::tick)),
        read(
            "/api/v1/events",
            "Each tick as it happens, as server-sent events",
            Text("text/event-stream"),
            get(events::events),
        ),
        read(
            "/api/v1/snapshot",
            "The nodes and workloads as they were last seen",
            Json("SnapshotJson"),
            get(live::snapshot),
        ),
        read("/api/v1/plan", "The newest plan", Json("PlanJson"), get(live::plan)),
    ]
}

/// Steps, and what people say to them.
fn decided() -> Vec<Route> {
    vec![
        read(
            "/api/v1/steps",
            "Proposals of the newest plan, and steps that are in force",
            Page("OpenStepJson"),
            get(steps::steps),
        )
        .with(PAGES),
        order(
            "/api/v1/steps/{id}/approve",
            "Say yes to a proposal",
            Deed::Steps,
            Object,
            post(steps::approve),
        ),
        order(
            "/api/v1/steps/{id}/reject",
            "Say no to a proposal",
            Deed::Steps,
            Object,
            post(steps::reject),
        ),
        order(
            "/api/v1/steps/{id}/undo",
            "Take back a step that is in force",
            Deed::Steps,
            Object,
            post(steps::undo),
        ),
    ]
}

/// Budgets, and what is asked of them.
fn money() -> Vec<Route> {
    vec![
        read(
            "/api/v1/budgets",
            "Budgets: spent, committed, reserved, left, and where they are going",
            Page("BudgetStateJson"),
            get(budgets::budgets),
        )
        .with(PAGES),
        read(
            "/api/v1/anomalies",
            "Teams and workloads whose last hours cost far more than those of past weeks",
            Page("AnomalyJson"),
            get(budgets::anomalies),
        ),
        order(
            "/api/v1/budgets/simulate",
            "Budgets as they would stand with other limits; nothing is changed",
            Deed::Read,
            Page("BudgetStateJson"),
            post(budgets::simulate),
        )
        .of("LimitsTried"),
        order(
            "/api/v1/budgets/{id}/limit",
            "Change the limit of a budget, for good or for a while",
            Deed::Steps,
            Object,
            post(budgets::change_limit),
        )
        .of("LimitGiven"),
    ]
}

/// What is asked of budgets, and set aside in them.
fn reservations() -> Vec<Route> {
    vec![
        read(
            "/api/v1/reservations",
            "Reservations that were granted and not ended",
            Page("ClaimJson"),
            get(budgets::reservations),
        )
        .with(PAGES),
        order(
            "/api/v1/reservations",
            "Reserve money of the budgets, if it fits",
            Deed::Reserve,
            Created("ClaimJson"),
            post(budgets::reserve),
        )
        .of("ReservationWanted"),
        order(
            "/api/v1/reservations/check",
            "Whether it would fit the budgets; nothing is reserved",
            Deed::Reserve,
            Json("CheckedJson"),
            post(budgets::check),
        )
        .of("ReservationWanted"),
        order(
            "/api/v1/reservations/{id}/confirm",
            "What was reserved was spent, all or another amount of it",
            Deed::Reserve,
            Object,
            post(budgets::confirm),
        )
        .of("ReservationEnded"),
        order(
            "/api/v1/reservations/{id}/release",
            "What was reserved is free again",
            Deed::Reserve,
            Object,
            post(budgets::release),
        ),
    ]
}

/// What would be planned in another world.
fn otherwise() -> Vec<Route> {
    vec![
        read(
            "/api/v1/what-if",
            "The plan of now beside the policies of old",
            Json("PlanJson"),
            get(what_if::now),
        ),
        order(
            "/api/v1/what-if",
            "Plan with something else in the world; nothing is recorded",
            Deed::Read,
            Json("PlanJson"),
            post(what_if::changed),
        )
        .of("WhatIfAsked"),
        read(
            "/api/v1/what-if/history",
            "What a past window would have cost under other choices, beside what it did",
            Json("HindsightJson"),
            get(what_if::history),
        )
        .with(&what_if::HISTORY),
    ]
}

/// What the books and the journal say.
fn reported() -> Vec<Route> {
    vec![
        read("/api/v1/cost", "The statement", Json("CostJson"), get(reports::cost))
            .with(&statement::PARAMETERS),
        read(
            "/api/v1/explain/{id}",
            "Where a row, a step or a plan comes from",
            Object,
            get(reports::explain),
        )
        .with(&statement::PARAMETERS),
        read(
            "/api/v1/verdicts",
            "Who holds accelerators and does nothing with them",
            Json("IdleJson"),
            get(reports::verdicts),
        )
        .with(&["window"]),
        read(
            "/api/v1/utilisation",
            "How much was used, allocated and paid, over time and by node",
            Json("UtilisationOverTimeJson"),
            get(utilisation::utilisation),
        )
        .with(&utilisation::PARAMETERS),
        read("/api/v1/offers", "Offers, ranked", Json("OffersJson"), get(offers::offers))
            .with(&offers::PARAMETERS),
        read(
            "/api/v1/offers/history",
            "The prices that were paid for each offer over time",
            Page("PriceSeriesJson"),
            get(offers::history),
        )
        .with(&offers::HISTORY),
        read(
            "/api/v1/journal",
            "Records of the journal, newest first",
            Page("RecordJson"),
            get(journal::journal),
        )
        .with(&["cursor", "limit", "kind"]),
        read(
            "/api/v1/plans",
            "Plans that said something new, newest first",
            Page("RecordJson"),
            get(journal::plans),
        )
        .with(PAGES),
        read(
            "/api/v1/savings",
            "Steps that ended, predicted against realised, newest first; with `totals`",
            Object,
            get(journal::savings),
        )
        .with(PAGES),
    ]
}

/// The shapes of OpenCost.
fn of_others() -> Vec<Route> {
    let allocations = || get(reports::allocations);
    vec![
        read("/allocation", "Allocations, as OpenCost has them", Object, allocations())
            .with(&allocation::PARAMETERS),
        read("/allocation/compute", "The same as /allocation", Object, allocations())
            .with(&allocation::PARAMETERS),
        read("/assets", "Nodes and disks, as OpenCost has them", Object, get(reports::assets))
            .with(&allocation::ASSET_PARAMETERS),
    ]
}
