//! Reports from the books: the statement, OpenCost's shapes, where a number comes from, verdicts.

use super::parameters::Parameters;
use super::problem::Problem;
use super::routes::{last, unread};
use super::seen::Id;
use super::{allocation, statement};
use crate::scope::Scoped;
use crate::wire;
use axum::Json;
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use farthing_ledger::Watch;

/// The statement.
pub(super) async fn cost(scoped: Scoped, uri: Uri) -> Result<Response, Problem> {
    let view = scoped.view();
    let now = last(&view)?.tick.at;
    let parameters = Parameters::of(&uri, &statement::PARAMETERS)?;
    let query = statement::query(&view, now, &parameters)?;
    let made = scoped.statement(query).await.map_err(unread)?;
    Ok(Json(wire::cost(&made)).into_response())
}

/// Where a row, a step or a plan comes from.
pub(super) async fn explain(scoped: Scoped, Id(id): Id, uri: Uri) -> Result<Response, Problem> {
    let view = scoped.view();
    let now = last(&view)?.tick.at;
    let parameters = Parameters::of(&uri, &statement::PARAMETERS)?;
    let query = statement::query(&view, now, &parameters)?;
    if let Some(story) = scoped.story(&id).await.map_err(unread)? {
        return Ok(Json(wire::story(&story)).into_response());
    }
    let window = query.window;
    match scoped.explanation(query, id.clone()).await.map_err(unread)? {
        Some(explained) => Ok(Json(wire::explanation(&explained)).into_response()),
        None => Err(Problem::nothing_here(format!("nothing is called `{id}` in {window}"))),
    }
}

/// Who holds accelerators and does nothing with them.
pub(super) async fn verdicts(scoped: Scoped, uri: Uri) -> Result<Response, Problem> {
    let view = scoped.view();
    let now = last(&view)?.tick.at;
    let parameters = Parameters::of(&uri, &["window"])?;
    let window = statement::window(&parameters, now)?;
    let currency = view.about.currency;
    let asked = Watch { window, every: None, calendar: Vec::new(), currency };
    let found = scoped.survey(asked).await.map_err(unread)?;
    let json = wire::idle(found.window, &found.verdicts, &found.unallocated, &found.ladders);
    Ok(Json(json).into_response())
}

/// OpenCost's allocations.
pub(super) async fn allocations(scoped: Scoped, uri: Uri) -> Result<Response, Problem> {
    let view = scoped.view();
    let now = last(&view)?.tick.at;
    let parameters = Parameters::of(&uri, &allocation::PARAMETERS)?;
    let asked = allocation::asked(&view, now, &parameters)?;
    let sets = scoped.allocations(asked.queries).await.map_err(unread)?;
    Ok(Json(wire::allocations(&sets, asked.include_idle)).into_response())
}

/// OpenCost's assets: nodes and their disks.
pub(super) async fn assets(scoped: Scoped, uri: Uri) -> Result<Response, Problem> {
    let view = scoped.view();
    let now = last(&view)?.tick.at;
    let parameters = Parameters::of(&uri, &allocation::ASSET_PARAMETERS)?;
    let query = allocation::assets(&view, now, &parameters)?;
    let statement = scoped.statement(query).await.map_err(unread)?;
    Ok(Json(wire::assets(&statement, view.about.cluster.as_str())).into_response())
}
