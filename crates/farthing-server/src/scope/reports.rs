//! Reports from the books, as far as they are someone's.
//!
//! A team pays for what it holds, and for what boots or stands for it alone: capacity that nobody
//! has, and what is shared among all, says how much the others have, and is not told to one.

use super::{Scoped, Teams, view};
use crate::reader::Unread;
use crate::wire::looked;
use farthing_engine::planner::{Cut, Planned};
use farthing_engine::{Changes, Exposure, Relief, what_if};
use farthing_ledger::{
    AllocationQuery, AllocationSet, Anomaly, Books, Explanation, Filter, Key, Outlook, ReportError,
    ShareIdle, Sharing, Statement, StatementQuery, StatementRow, Survey, Usage, Watch,
    all_anomalies, allocations, explain, outlooks, statement, survey,
};
use farthing_model::{Currency, Money, Offer};
use jiff::Timestamp;
use std::sync::Arc;

/// What a team is told that asks for what is shared.
const SHARED: &str = "what is shared among all says what others have: only those who see all teams \
                      can ask for it";

/// Names that something may be explained by.
const NAMED: [Key; 7] =
    [Key::Workload, Key::Process, Key::Pod, Key::Container, Key::User, Key::Namespace, Key::Team];

/// Budgets, how they got where they are, and what the newest plan cuts for them.
pub(crate) struct Prospects {
    /// As they stand.
    pub(crate) exposures: Arc<[Exposure]>,
    /// Where each comes from and where it goes.
    pub(crate) outlooks: Vec<Outlook>,
    /// Of the newest plan.
    pub(crate) cuts: Vec<Cut>,
    /// Of ladders.
    pub(crate) reliefs: Vec<Relief>,
}

/// What would be planned, and what the policies of old would have done.
pub(crate) struct Otherwise {
    /// The plan.
    pub(crate) planned: Planned,
    /// The baselines.
    pub(crate) baselines: Vec<Planned>,
    /// What could be bought.
    pub(crate) offers: Arc<[Offer]>,
}

impl Scoped {
    /// A statement.
    pub(crate) async fn statement(&self, query: StatementQuery) -> Result<Statement, Unread> {
        let Some(teams) = self.teams() else {
            return self.read(move |books| statement(books, &query)).await;
        };
        if query.sharing != Sharing::default() {
            return Err(Unread::NotYours(SHARED));
        }
        let query = StatementQuery { filter: of(teams, query.filter), ..query };
        self.read(move |books| own(books, &query)).await
    }

    /// Allocations in the shape of OpenCost, of several windows.
    pub(crate) async fn allocations(
        &self,
        mut queries: Vec<AllocationQuery>,
    ) -> Result<Vec<AllocationSet>, Unread> {
        if let Some(teams) = self.teams() {
            let shares = |query: &AllocationQuery| {
                query.idle != ShareIdle::Separate || query.common.is_some() || query.flat.is_some()
            };
            if queries.iter().any(shares) {
                return Err(Unread::NotYours(SHARED));
            }
            for query in &mut queries {
                query.filter = of(teams, query.filter.take());
            }
        }
        let read = move |books: &Books| -> Result<Vec<_>, ReportError> {
            queries.iter().map(|query| allocations(books, query)).collect()
        };
        let mut sets = self.read(read).await?;
        if self.teams().is_some() {
            for set in &mut sets {
                set.allocations.retain(|_, allocation| !allocation.is_idle);
            }
        }
        Ok(sets)
    }

    /// Where a row of a statement, or something that has a name, comes from; `None` where there is
    /// no such thing.
    pub(crate) async fn explanation(
        &self,
        query: StatementQuery,
        id: String,
    ) -> Result<Option<Explanation>, Unread> {
        let teams = self.teams().cloned();
        self.read(move |books| match teams {
            None => found(explain(books, &query, &id)),
            Some(teams) => explain_own(books, &query, &id, &teams),
        })
        .await
    }

    /// Who holds accelerators and does nothing with them.
    pub(crate) async fn survey(&self, asked: Watch) -> Result<Survey, Unread> {
        let cluster = self.inner().published.view().about.cluster.clone();
        let own = self.names().await?;
        let read = move |books: &Books| survey(books, &cluster, &asked);
        let mut found = self.inner().books.read(read).await.map_err(|why| self.unread(why))?;
        if let Some(names) = own {
            found.verdicts.retain(|verdict| names.owns(verdict.workload.as_str()));
            found.unallocated.clear();
            found.ladders.retain(|ladder| {
                ladder.workload.as_ref().is_some_and(|workload| names.owns(workload.as_str()))
            });
        }
        Ok(found)
    }

    /// The budgets, with where they come from and where they go; the books are read once for all.
    ///
    /// `tried` are these budgets with other limits.
    pub(crate) async fn prospects(
        &self,
        tried: Option<Vec<Exposure>>,
        now: Timestamp,
    ) -> Result<Prospects, Unread> {
        let view = self.view();
        let exposures = tried.map_or_else(|| Arc::clone(&view.exposures), Arc::from);
        self.read(move |books| {
            let planned = view.planned.as_ref().and_then(|ticked| ticked.tick.planned.as_ref());
            let cuts = planned.map_or(&[][..], |planned| &planned.report.cuts);
            let books = (books, &view.about.cluster, view.about.currency);
            Ok(Prospects {
                outlooks: outlooks(books, &looked(&exposures), now)?,
                exposures,
                cuts: cuts.to_vec(),
                reliefs: view.last.as_ref().map_or_else(Vec::new, |it| it.tick.reliefs.clone()),
            })
        })
        .await
    }

    /// Whose last hours cost far more than those of past weeks: `team` or `workload`, and which.
    pub(crate) async fn anomalies(
        &self,
        now: Timestamp,
    ) -> Result<Vec<(&'static str, String, Anomaly)>, Unread> {
        let view = self.view();
        let own = self.names().await?;
        let teams = self.teams().cloned();
        self.read(move |books| {
            let books = (books, &view.about.cluster, view.about.currency);
            let mut found = all_anomalies(books, now)?;
            found.retain(|(of, name, _)| match *of {
                "team" => teams.as_ref().is_none_or(|own| own.iter().any(|it| it.as_str() == name)),
                _ => own.as_ref().is_none_or(|own| own.owns(name)),
            });
            Ok(found)
        })
        .await
    }

    /// The plan of now with something else in the world; `None` where nothing was planned yet.
    pub(crate) async fn otherwise(&self, changes: Changes) -> Result<Option<Otherwise>, Unread> {
        let whole = self.inner().published.view();
        let planned = whole.planned.as_ref();
        let Some(input) = planned.and_then(|ticked| ticked.tick.input.clone()) else {
            return Ok(None);
        };
        let offers = Arc::clone(&input.offers);
        // On the thread that plans, as the answers of others must not wait for it.
        let made = self.inner().planner.read(move |()| what_if(&input, &changes)).await;
        let made = made.map_err(|why| self.unread(why))?;
        let narrow = |planned: Planned| match self.teams() {
            None => planned,
            Some(teams) => super::plans::narrow(&planned, &view::names(&whole, teams)),
        };
        Ok(Some(Otherwise {
            planned: narrow(made.planned),
            baselines: made.baselines.into_iter().map(narrow).collect(),
            offers,
        }))
    }

    async fn read<R: Send + 'static>(
        &self,
        read: impl FnOnce(&Books) -> Result<R, ReportError> + Send + 'static,
    ) -> Result<R, Unread> {
        self.inner().books.read(read).await.map_err(|why| self.unread(why))
    }
}

/// A filter, and that it is of these teams.
fn of(teams: &Teams, asked: Option<Filter>) -> Option<Filter> {
    let names = teams.iter().map(ToString::to_string).collect();
    Filter::all(asked.into_iter().chain([Filter::one_of(Key::Team, names)]))
}

/// A statement of what teams are charged, without their part of what nobody holds. The overhead of
/// their own rows (a node that boots for one workload alone) is theirs: it is in what their budgets
/// have spent.
fn own(books: &Books, query: &StatementQuery) -> Result<Statement, ReportError> {
    let mut all = statement(books, query)?;
    // Rows by team have nobody's overhead apart; others have it among their own.
    let by = [&query.by[..], &[Key::Team]].concat();
    let split = statement(books, &StatementQuery { by, ..query.clone() })?;
    for row in &mut all.rows {
        charged(row, &split.rows);
    }
    Ok(only_own(all))
}

/// Makes the overhead and the list of a row those of the rows by team that are somebody's.
fn charged(row: &mut StatementRow, split: &[StatementRow]) {
    let keys = row.keys.len();
    let own = split.iter().filter(|one| one.is_someones && one.keys[..keys] == row.keys[..]);
    let own: Vec<&StatementRow> = own.collect();
    let currency = row.total.currency();
    row.overhead = sum(own.iter().map(|one| one.overhead), currency);
    row.list = sum(own.iter().map(|one| one.list), currency);
    row.usage = farthing_model::PerResource::from_fn(|resource| Usage {
        overhead_nano: own.iter().map(|one| one.usage.get(resource).overhead_nano).sum(),
        ..*row.usage.get(resource)
    });
}

fn only_own(mut all: Statement) -> Statement {
    let zero = Money::zero(all.currency);
    for row in &mut all.rows {
        (row.unallocated, row.shared) = (zero, zero);
        row.total = sum([row.used, row.idle, row.overhead], all.currency);
        row.usage = held(&row.usage);
    }
    let has = |usage: &Usage| usage.allocated_nano() != 0;
    all.rows.retain(|row| !row.total.is_zero() || row.usage.iter().any(|(_, usage)| has(usage)));
    all.overhead = sum(all.rows.iter().map(|row| row.overhead), all.currency);
    all.list = sum(all.rows.iter().map(|row| row.list), all.currency);
    all.paid = sum([all.used, all.idle, all.overhead], all.currency);
    (all.unallocated, all.shared) = (zero, zero);
    (all.filtered, all.apart) = (zero, zero);
    let rows = sum(all.rows.iter().map(|row| row.total), all.currency);
    all.difference = all.paid.checked_sub(rows).unwrap_or(zero);
    all.usage = farthing_model::PerResource::from_fn(|resource| Usage {
        unallocated_nano: 0,
        overhead_nano: all.rows.iter().map(|row| row.usage.get(resource).overhead_nano).sum(),
        ..*all.usage.get(resource)
    });
    all.unpriced.clear();
    all.corrections.clear();
    all.spare.clear();
    all
}

fn held(usage: &farthing_model::PerResource<Usage>) -> farthing_model::PerResource<Usage> {
    farthing_model::PerResource::from_fn(|resource| Usage {
        unallocated_nano: 0,
        ..*usage.get(resource)
    })
}

/// Parts of a sum that fits.
fn sum(parts: impl IntoIterator<Item = Money>, currency: Currency) -> Money {
    Money::sum(parts, currency).unwrap_or(Money::zero(currency))
}

fn found(explained: Result<Explanation, ReportError>) -> Result<Option<Explanation>, ReportError> {
    match explained {
        Err(ReportError::NotFound { .. }) => Ok(None),
        explained => explained.map(Some),
    }
}

/// As [`explain`], of what is theirs: an id must be of a row of their own statement, and a name one
/// that only they have. What is another's takes the same way as what is not there.
fn explain_own(
    books: &Books,
    query: &StatementQuery,
    id: &str,
    teams: &Teams,
) -> Result<Option<Explanation>, ReportError> {
    let by = if id.starts_with("row-") { query.by.clone() } else { NAMED.to_vec() };
    let asked =
        StatementQuery { by: by.clone(), filter: of(teams, query.filter.clone()), ..query.clone() };
    let rows = own(books, &asked)?.rows;
    if id.starts_with("row-") {
        let is_row = rows.iter().any(|row| row.id == id);
        // The same keys may be another's too, where they do not say whose.
        let keys = rows.iter().find(|row| row.id == id).map(|row| row.keys.clone());
        let is_own = is_row && only_theirs(books, query, (&by, &keys.unwrap_or_default()), teams)?;
        return if is_own { found(explain(books, query, id)) } else { Ok(None) };
    }
    let position = (0..by.len()).find(|at| rows.iter().any(|row| row.keys[*at] == id));
    let Some(position) = position else { return Ok(None) };
    let (key, value) = (by[position].clone(), id.to_owned());
    if !only_theirs(books, query, (&[key], &[value]), teams)? {
        return Ok(None);
    }
    found(explain(books, query, id))
}

/// Whether what has these values of these keys is charged to these teams only.
fn only_theirs(
    books: &Books,
    query: &StatementQuery,
    (keys, values): (&[Key], &[String]),
    teams: &Teams,
) -> Result<bool, ReportError> {
    let keys = keys.iter().zip(values).filter(|(key, _)| !key.is_time());
    let each = keys.map(|(key, value)| Filter::one_of(key.clone(), vec![value.clone()]));
    let all = StatementQuery { by: vec![Key::Team], filter: Filter::all(each), ..query.clone() };
    let rows = own(books, &all)?.rows;
    let theirs = |row: &StatementRow| {
        row.keys.first().is_some_and(|name| teams.iter().any(|team| team.as_str() == name))
    };
    Ok(!rows.is_empty() && rows.iter().all(theirs))
}
