//! The journal in pages, newest first: its records, and the plans and savings among them.

use super::parameters::Parameters;
use super::problem::Problem;
use super::routes::{Archive, Sources, unread};
use crate::wire;
use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use farthing_edge::{EdgeError, Record, RecordKind};
use serde_json::json;

/// Items on a page where nothing is said, and at most.
const ITEMS: usize = 100;
const ITEMS_MAX: usize = 500;
/// Records read at a time, and at most for one page: of a rare kind a page may be short.
const CHUNK: u64 = 1_000;
const READ_MAX: u64 = 50_000;

/// A page that was asked for.
struct Asked {
    before: Option<u64>,
    limit: usize,
    kinds: Vec<RecordKind>,
}

/// A page of records, newest first.
struct Page {
    records: Vec<Record>,
    next: Option<u64>,
}

impl Page {
    fn json(&self) -> wire::PageJson<wire::RecordJson> {
        let items = self.records.iter().map(wire::record).collect();
        wire::PageJson { items, next: self.next.map(|seq| seq.to_string()) }
    }
}

/// The records.
pub(super) async fn journal(State(sources): State<Sources>, uri: Uri) -> Result<Response, Problem> {
    let parameters = Parameters::of(&uri, &["cursor", "limit", "kind"])?;
    let known = RecordKind::ALL.map(|kind| (kind.name(), kind));
    let kind = |text: &str| {
        let found = known.iter().find(|(name, _)| *name == text);
        let names = known.map(|(name, _)| name).join(", ");
        found.map(|(_, kind)| *kind).ok_or_else(|| format!("`{text}` is not one of {names}"))
    };
    let kinds = parameters.list("kind", kind)?.unwrap_or_default();
    Ok(Json(read(&sources, asked(&parameters, kinds)?).await?.json()).into_response())
}

/// The plans that said something new.
pub(super) async fn plans(State(sources): State<Sources>, uri: Uri) -> Result<Response, Problem> {
    let parameters = Parameters::of(&uri, &["cursor", "limit"])?;
    let asked = asked(&parameters, vec![RecordKind::Planned])?;
    Ok(Json(read(&sources, asked).await?.json()).into_response())
}

/// Steps that ended, predicted against realised, and steps that were taken back.
pub(super) async fn savings(State(sources): State<Sources>, uri: Uri) -> Result<Response, Problem> {
    let parameters = Parameters::of(&uri, &["cursor", "limit"])?;
    let kinds = vec![RecordKind::Verified, RecordKind::Undone];
    let page = read(&sources, asked(&parameters, kinds)?).await?.json();
    let view = sources.published.view();
    Ok(Json(json!({
        "items": page.items,
        "next": page.next,
        "totals": wire::scores(&view.open.scores),
    }))
    .into_response())
}

fn asked(parameters: &Parameters, kinds: Vec<RecordKind>) -> Result<Asked, Problem> {
    let before = parameters.number("cursor", 1..=u64::MAX)?;
    let limit = parameters.number("limit", 1..=ITEMS_MAX)?.unwrap_or(ITEMS);
    Ok(Asked { before, limit, kinds })
}

async fn read(sources: &Sources, asked: Asked) -> Result<Page, Problem> {
    let Some(journal) = &sources.journal else {
        return Err(Problem::nothing_here("this server has no journal to read"));
    };
    journal.read(move |journal| page(journal, &asked)).await.map_err(unread)
}

/// The newest records of the kinds before a number.
fn page(journal: &Archive, asked: &Asked) -> Result<Page, EdgeError> {
    let head = journal.head()?.seq;
    // Records `1 .. end` are still to be looked at.
    let mut end = asked.before.unwrap_or(head + 1).min(head + 1);
    let stop = end.saturating_sub(READ_MAX).max(1);
    let mut records = Vec::new();
    while end > stop && records.len() < asked.limit {
        let from = end.saturating_sub(CHUNK).max(stop);
        let chunk = journal.read(from, usize::try_from(end - from).unwrap_or(usize::MAX))?;
        for record in chunk.into_iter().rev() {
            if records.len() == asked.limit {
                break;
            }
            end = record.seq;
            if asked.kinds.is_empty() || asked.kinds.contains(&record.kind) {
                records.push(record);
            }
        }
        if records.len() < asked.limit {
            end = from;
        }
    }
    Ok(Page { records, next: (end > 1).then_some(end) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use farthing_edge::{Head, MemoryStore, NewRecord, Store as _};
    use jiff::Timestamp;

    fn journal(count: usize) -> Archive {
        let mut store = MemoryStore::default();
        let record = |index: usize| NewRecord {
            at: Timestamp::UNIX_EPOCH,
            kind: if index.is_multiple_of(10) { RecordKind::Planned } else { RecordKind::Noted },
            body: index.to_string(),
        };
        let records: Vec<_> = (1..=count).map(record).collect();
        store.append(&Head::GENESIS, &records).unwrap();
        Box::new(store)
    }

    /// Follows the pages to the end.
    fn all(journal: &Archive, limit: usize, kinds: &[RecordKind]) -> Vec<u64> {
        let (mut seen, mut before) = (Vec::new(), None);
        loop {
            let page = page(journal, &Asked { before, limit, kinds: kinds.to_vec() }).unwrap();
            seen.extend(page.records.iter().map(|record| record.seq));
            before = page.next;
            if before.is_none() {
                return seen;
            }
        }
    }

    #[test]
    fn pages_meet_without_a_gap() {
        for count in [0, 1, 7, 999, 1_000, 1_001, 2_345] {
            let journal = journal(count);
            let every: Vec<u64> = (1..=count as u64).rev().collect();
            for limit in [1, 7, 500, 5_000] {
                assert_eq!(all(&journal, limit, &[]), every, "{count} by {limit}");
            }
            let tenth: Vec<u64> =
                every.iter().copied().filter(|seq| seq.is_multiple_of(10)).collect();
            assert_eq!(all(&journal, 3, &[RecordKind::Planned]), tenth);
        }
    }
}
