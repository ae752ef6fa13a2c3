//! What the loop published last: health, the tick, the plan, the world.

use super::problem::Problem;
use super::routes::{Sources, last};
use crate::metrics::{METRICS_CONTENT_TYPE, metrics};
use crate::wire;
use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// The process answers: that is all this says.
pub(super) async fn healthz(State(sources): State<Sources>) -> Response {
    let view = sources.published.view();
    let failure = view.failure.as_ref();
    Json(json!({
        "status": "ok",
        "version": view.about.version,
        "cluster": view.about.cluster.as_str(),
        "started": view.about.started.to_string(),
        "ticks": view.ticks,
        "failures": view.failures,
        "last_error": failure.map(|failure| failure.text.as_str()),
    }))
    .into_response()
}

/// The loop ticks: what is shown is of now.
pub(super) async fn readyz(State(sources): State<Sources>) -> Response {
    let view = sources.published.view();
    match view.ready() {
        Ok(()) => Json(json!({ "status": "ready", "ticks": view.ticks })).into_response(),
        Err(why) => Problem::not_now("not-ready", why.to_string(), 5).into_response(),
    }
}

/// What runs here, and how it is.
pub(super) async fn health(State(sources): State<Sources>) -> Response {
    Json(wire::health(&sources.published.view())).into_response()
}

/// Series for Prometheus.
pub(super) async fn metrics_text(State(sources): State<Sources>) -> Response {
    let text = metrics(&sources.published.view());
    ([(header::CONTENT_TYPE, METRICS_CONTENT_TYPE)], text).into_response()
}

/// The newest plan.
pub(super) async fn plan(State(sources): State<Sources>) -> Result<Response, Problem> {
    let view = sources.published.view();
    let ticked = view.planned.as_ref();
    let planned = ticked.and_then(|ticked| Some((ticked, ticked.tick.planned.as_ref()?)));
    let Some((ticked, planned)) = planned else {
        let mode = view.about.policy.mode.name();
        let why = format!("no plan was made yet (mode {mode}, {} ticks)", view.ticks);
        return Err(Problem::not_now("no-plan", why, 5));
    };
    Ok(Json(wire::plan(planned, &ticked.offers, ticked.solve)).into_response())
}

/// The last tick.
pub(super) async fn tick(State(sources): State<Sources>) -> Result<Response, Problem> {
    let view = sources.published.view();
    Ok(Json(wire::tick(&last(&view)?.tick)).into_response())
}

/// The nodes and workloads as they were last seen.
pub(super) async fn snapshot(State(sources): State<Sources>) -> Result<Response, Problem> {
    let view = sources.published.view();
    let ticked = last(&view)?;
    Ok(Json(wire::snapshot(&ticked.tick.snapshot, &ticked.offers)).into_response())
}

/// Who asks: on loopback without log-in, whoever is at this machine.
pub(super) async fn session() -> Response {
    Json(json!({
        "user": { "name": "local", "role": "admin", "teams": null },
        "login": "none",
        "csrf": null,
    }))
    .into_response()
}
