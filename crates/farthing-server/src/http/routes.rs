//! The routes.

use super::allocation;
use super::guard::guard;
use super::parameters::Parameters;
use super::problem::Problem;
use super::reader::{Reader, Unread};
use super::statement;
use crate::metrics::{METRICS_CONTENT_TYPE, metrics};
use crate::page::{SCRIPT, STYLE, page};
use crate::publish::{Published, Ticked, View};
use crate::wire;
use axum::extract::State;
use axum::http::{Method, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router, middleware};
use farthing_ledger::Books;
use serde_json::json;
use std::error::Error;
use std::sync::Arc;

/// All routes, for people who ask for one that is not there.
const ROUTES: [&str; 10] = [
    "/",
    "/healthz",
    "/readyz",
    "/metrics",
    "/api/v1/plan",
    "/api/v1/cost",
    "/api/v1/tick",
    "/allocation",
    "/allocation/compute",
    "/assets",
];

#[derive(Clone)]
struct Sources {
    published: Published,
    reader: Reader,
}

pub(super) fn router(published: Published, reader: Reader) -> Router {
    Router::new()
        .route("/", get(index))
        .route("/app.js", get(([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], SCRIPT)))
        .route("/app.css", get(([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE)))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics_text))
        .route("/api/v1/plan", get(plan))
        .route("/api/v1/cost", get(cost))
        .route("/api/v1/tick", get(tick))
        .route("/allocation", get(allocations))
        .route("/allocation/compute", get(allocations))
        .route("/assets", get(assets))
        .fallback(|uri: Uri| async move { Problem::no_route(uri.path(), &ROUTES) })
        .method_not_allowed_fallback(|method: Method| async move {
            ([(header::ALLOW, "GET, HEAD")], Problem::read_only(method.as_str()))
        })
        .layer(middleware::from_fn(guard))
        .with_state(Sources { published, reader })
}

async fn index(State(sources): State<Sources>) -> Response {
    let kind = "text/html; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], page(&sources.published.view())).into_response()
}

/// The process answers: that is all this says.
async fn healthz(State(sources): State<Sources>) -> Response {
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
async fn readyz(State(sources): State<Sources>) -> Response {
    let view = sources.published.view();
    match view.ready() {
        Ok(()) => Json(json!({ "status": "ready", "ticks": view.ticks })).into_response(),
        Err(why) => Problem::not_now("not-ready", why.to_string(), 5).into_response(),
    }
}

async fn metrics_text(State(sources): State<Sources>) -> Response {
    let text = metrics(&sources.published.view());
    ([(header::CONTENT_TYPE, METRICS_CONTENT_TYPE)], text).into_response()
}

async fn plan(State(sources): State<Sources>) -> Result<Response, Problem> {
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

async fn tick(State(sources): State<Sources>) -> Result<Response, Problem> {
    let view = sources.published.view();
    Ok(Json(wire::tick(&last(&view)?.tick)).into_response())
}

async fn cost(State(sources): State<Sources>, uri: Uri) -> Result<Response, Problem> {
    let view = sources.published.view();
    let now = last(&view)?.tick.at;
    let parameters = Parameters::of(&uri, &statement::PARAMETERS)?;
    let query = statement::query(&view, now, &parameters)?;
    let made = sources.reader.read(move |books| farthing_ledger::statement(books, &query)).await;
    Ok(Json(wire::cost(&made.map_err(unread)?)).into_response())
}

/// OpenCost's allocations.
async fn allocations(State(sources): State<Sources>, uri: Uri) -> Result<Response, Problem> {
    let view = sources.published.view();
    let now = last(&view)?.tick.at;
    let parameters = Parameters::of(&uri, &allocation::PARAMETERS)?;
    let asked = allocation::asked(&view, now, &parameters)?;
    let queries = asked.queries;
    let read = move |books: &Books| {
        queries.iter().map(|query| farthing_ledger::allocations(books, query)).collect()
    };
    let sets: Vec<_> = sources.reader.read(read).await.map_err(unread)?;
    Ok(Json(wire::allocations(&sets, asked.include_idle)).into_response())
}

/// OpenCost's assets: nodes and their disks.
async fn assets(State(sources): State<Sources>, uri: Uri) -> Result<Response, Problem> {
    let view = sources.published.view();
    let now = last(&view)?.tick.at;
    let parameters = Parameters::of(&uri, &allocation::ASSET_PARAMETERS)?;
    let query = allocation::assets(&view, now, &parameters)?;
    let made = sources.reader.read(move |books| farthing_ledger::statement(books, &query)).await;
    let statement = made.map_err(unread)?;
    Ok(Json(wire::assets(&statement, view.about.cluster.as_str())).into_response())
}

fn last(view: &View) -> Result<&Arc<Ticked>, Problem> {
    let nothing = || Problem::not_now("no-tick", "the first tick is not finished", 5);
    view.last.as_ref().ok_or_else(nothing)
}

fn unread(why: Unread) -> Problem {
    match why {
        Unread::Busy => Problem::not_now("busy", "too many statements are being made", 2),
        Unread::Gone => Problem::books("the thread that reads the books has ended"),
        Unread::Report(error) => {
            let mut detail = error.to_string();
            let mut cause = error.source();
            while let Some(error) = cause {
                detail = format!("{detail}: {error}");
                cause = error.source();
            }
            Problem::books(detail)
        }
    }
}
