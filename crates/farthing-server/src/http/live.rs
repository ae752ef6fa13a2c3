//! What the loop published last: health, the tick, the plan, the world.

use super::parameters::Parameters;
use super::problem::Problem;
use super::routes::last;
use crate::metrics::{METRICS_CONTENT_TYPE, metrics};
use crate::scope::{Scoped, Sources};
use crate::wire;
use axum::Json;
use axum::extract::State;
use axum::http::{Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// The process answers: that is all this says.
pub(super) async fn healthz(State(sources): State<Sources>) -> Response {
    let pulse = sources.pulse();
    Json(json!({
        "status": "ok",
        "version": pulse.version,
        "cluster": pulse.cluster,
        "started": pulse.started.to_string(),
        "ticks": pulse.ticks,
        "failures": pulse.failures,
        "last_error": pulse.last_error,
    }))
    .into_response()
}

/// The loop ticks: what is shown is of now.
pub(super) async fn readyz(State(sources): State<Sources>) -> Response {
    let pulse = sources.pulse();
    match pulse.why_not {
        None => Json(json!({ "status": "ready", "ticks": pulse.ticks })).into_response(),
        Some(why) => Problem::not_now("not-ready", why, 5).into_response(),
    }
}

/// What runs here, and how it is.
pub(super) async fn health(scoped: Scoped) -> Response {
    Json(wire::health(&scoped.view())).into_response()
}

/// Series for Prometheus.
pub(super) async fn metrics_text(scoped: Scoped) -> Response {
    let text = metrics(&scoped.view());
    ([(header::CONTENT_TYPE, METRICS_CONTENT_TYPE)], text).into_response()
}

/// The newest plan.
pub(super) async fn plan(scoped: Scoped, uri: Uri) -> Result<Response, Problem> {
    Parameters::of(&uri, &[])?;
    let view = scoped.view();
    let ticked = view.planned.as_ref();
    let planned = ticked.and_then(|ticked| Some((ticked, ticked.tick.planned.as_ref()?)));
    let Some((ticked, planned)) = planned else {
        let mode = view.about.policy.mode.name();
        let why = format!("no plan was made yet (mode {mode}, {} ticks)", view.ticks);
        return Err(Problem::not_now("no-plan", why, 5));
    };
    let plan = wire::plan(planned, &ticked.offers, ticked.solve);
    let plan = if view.partial { plan.of_a_part() } else { plan };
    Ok(Json(plan).into_response())
}

/// The last tick.
pub(super) async fn tick(scoped: Scoped, uri: Uri) -> Result<Response, Problem> {
    Parameters::of(&uri, &[])?;
    let view = scoped.view();
    Ok(Json(wire::tick(&last(&view)?.tick)).into_response())
}

/// The nodes and workloads as they were last seen.
pub(super) async fn snapshot(scoped: Scoped, uri: Uri) -> Result<Response, Problem> {
    Parameters::of(&uri, &[])?;
    let view = scoped.view();
    let ticked = last(&view)?;
    Ok(Json(wire::snapshot(&ticked.tick.snapshot, &ticked.offers)).into_response())
}
