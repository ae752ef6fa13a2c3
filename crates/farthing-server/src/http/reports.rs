//! Reports from the books: the statement, OpenCost's shapes, where a number comes from, verdicts.

use super::parameters::Parameters;
use super::problem::Problem;
use super::routes::{Archive, Sources, last, unread};
use super::{allocation, statement};
use crate::wire;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use farthing_edge::EdgeError;
use farthing_engine::{Body, Story};
use farthing_ledger::{Books, ReportError, Watch};

/// Records of the journal read at a time.
const PAGE: usize = 1_000;

/// The statement.
pub(super) async fn cost(State(sources): State<Sources>, uri: Uri) -> Result<Response, Problem> {
    let view = sources.published.view();
    let now = last(&view)?.tick.at;
    let parameters = Parameters::of(&uri, &statement::PARAMETERS)?;
    let query = statement::query(&view, now, &parameters)?;
    let made = sources.books.read(move |books| farthing_ledger::statement(books, &query)).await;
    Ok(Json(wire::cost(&made.map_err(unread)?)).into_response())
}

/// Where a row, a step or a plan comes from.
pub(super) async fn explain(
    State(sources): State<Sources>,
    Path(id): Path<String>,
    uri: Uri,
) -> Result<Response, Problem> {
    let view = sources.published.view();
    let now = last(&view)?.tick.at;
    let parameters = Parameters::of(&uri, &statement::PARAMETERS)?;
    let query = statement::query(&view, now, &parameters)?;
    if let Some(journal) = &sources.journal {
        let asked = id.clone();
        let told = journal.read(move |journal| story(journal, &asked)).await.map_err(unread)?;
        if let Some(story) = told {
            return Ok(Json(wire::story(&story)).into_response());
        }
    }
    let read = move |books: &Books| match farthing_ledger::explain(books, &query, &id) {
        Err(error @ ReportError::NotFound { .. }) => Ok(Err(error.to_string())),
        explained => explained.map(Ok),
    };
    match sources.books.read(read).await.map_err(unread)? {
        Ok(explained) => Ok(Json(wire::explanation(&explained)).into_response()),
        Err(nothing) => Err(Problem::nothing_here(nothing)),
    }
}

/// What the journal says of a step or plan.
fn story(journal: &Archive, id: &str) -> Result<Option<Story>, EdgeError> {
    let (mut story, mut from) = (None, 1);
    loop {
        let page = journal.read(from, PAGE)?;
        let Some(last) = page.last() else { return Ok(story) };
        from = last.seq + 1;
        for record in &page {
            // A record that cannot be read says nothing of this step; `verify` names it.
            if let Ok(body) = Body::read(record) {
                Story::read(&mut story, id, record.at, body);
            }
        }
    }
}

/// Who holds accelerators and does nothing with them.
pub(super) async fn verdicts(
    State(sources): State<Sources>,
    uri: Uri,
) -> Result<Response, Problem> {
    let view = sources.published.view();
    let now = last(&view)?.tick.at;
    let parameters = Parameters::of(&uri, &["window"])?;
    let window = statement::window(&parameters, now)?;
    let cluster = view.about.cluster.clone();
    let currency = view.about.currency;
    let asked = Watch { window, every: None, calendar: Vec::new(), currency };
    let read = move |books: &Books| farthing_ledger::survey(books, &cluster, &asked);
    let found = sources.books.read(read).await.map_err(unread)?;
    let json = wire::idle(found.window, &found.verdicts, &found.unallocated, &found.ladders);
    Ok(Json(json).into_response())
}

/// OpenCost's allocations.
pub(super) async fn allocations(
    State(sources): State<Sources>,
    uri: Uri,
) -> Result<Response, Problem> {
    let view = sources.published.view();
    let now = last(&view)?.tick.at;
    let parameters = Parameters::of(&uri, &allocation::PARAMETERS)?;
    let asked = allocation::asked(&view, now, &parameters)?;
    let queries = asked.queries;
    let read = move |books: &Books| {
        queries.iter().map(|query| farthing_ledger::allocations(books, query)).collect()
    };
    let sets: Vec<_> = sources.books.read::<_, ReportError>(read).await.map_err(unread)?;
    Ok(Json(wire::allocations(&sets, asked.include_idle)).into_response())
}

/// OpenCost's assets: nodes and their disks.
pub(super) async fn assets(State(sources): State<Sources>, uri: Uri) -> Result<Response, Problem> {
    let view = sources.published.view();
    let now = last(&view)?.tick.at;
    let parameters = Parameters::of(&uri, &allocation::ASSET_PARAMETERS)?;
    let query = allocation::assets(&view, now, &parameters)?;
    let made = sources.books.read(move |books| farthing_ledger::statement(books, &query)).await;
    let statement = made.map_err(unread)?;
    Ok(Json(wire::assets(&statement, view.about.cluster.as_str())).into_response())
}
