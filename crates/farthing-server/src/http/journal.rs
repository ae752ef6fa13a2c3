//! The journal in pages, newest first: its records, and the plans and savings among them.

use super::page::{ITEMS, ITEMS_MAX};
use super::parameters::Parameters;
use super::problem::Problem;
use super::routes::unread;
use crate::scope::{Page, Scoped, Wanted};
use crate::wire;
use axum::Json;
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use farthing_edge::RecordKind;
use serde_json::json as object;

/// The records.
pub(super) async fn journal(scoped: Scoped, uri: Uri) -> Result<Response, Problem> {
    let parameters = Parameters::of(&uri, &["cursor", "limit", "kind"])?;
    let known = RecordKind::ALL.map(|kind| (kind.name(), kind));
    let kind = |text: &str| {
        let found = known.iter().find(|(name, _)| *name == text);
        let names = known.map(|(name, _)| name).join(", ");
        found.map(|(_, kind)| *kind).ok_or_else(|| format!("`{text}` is not one of {names}"))
    };
    let kinds = parameters.list("kind", kind)?.unwrap_or_default();
    let page = read(&scoped, asked(&parameters, kinds)?).await?;
    Ok(Json(json(&page)).into_response())
}

/// The plans that said something new.
pub(super) async fn plans(scoped: Scoped, uri: Uri) -> Result<Response, Problem> {
    let parameters = Parameters::of(&uri, &["cursor", "limit"])?;
    let asked = asked(&parameters, vec![RecordKind::Planned])?;
    Ok(Json(json(&read(&scoped, asked).await?)).into_response())
}

/// Steps that ended, predicted against realised, and steps that were taken back.
pub(super) async fn savings(scoped: Scoped, uri: Uri) -> Result<Response, Problem> {
    let parameters = Parameters::of(&uri, &["cursor", "limit"])?;
    let kinds = vec![RecordKind::Verified, RecordKind::Undone];
    let page = json(&read(&scoped, asked(&parameters, kinds)?).await?);
    let scores = scoped.scores().await.map_err(unread)?;
    Ok(Json(object!({
        "items": page.items,
        "next": page.next,
        "totals": wire::scores(&scores),
    }))
    .into_response())
}

fn asked(parameters: &Parameters, kinds: Vec<RecordKind>) -> Result<Wanted, Problem> {
    let before = parameters.number("cursor", 1..=u64::MAX)?;
    let limit = parameters.number("limit", 1..=ITEMS_MAX)?.unwrap_or(ITEMS);
    Ok(Wanted { before, limit, kinds })
}

async fn read(scoped: &Scoped, wanted: Wanted) -> Result<Page, Problem> {
    let page = scoped.records(wanted).await.map_err(unread)?;
    page.ok_or_else(|| Problem::nothing_here("this server has no journal to read"))
}

fn json(page: &Page) -> wire::PageJson<wire::RecordJson> {
    let items = page.found.iter().map(|found| wire::record(&found.record, found.is_part)).collect();
    wire::PageJson { items, next: page.next.map(|seq| seq.to_string()) }
}
