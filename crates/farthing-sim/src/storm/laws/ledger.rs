//! The charges of the books as the auditor reads them: sums by hour, read again where a file has
//! changed, by nobody's door.

use super::story::Account;
use farthing_ledger::{Books, BooksError};
use farthing_model::{Charge, ClusterId, Scope, TeamId, Window};
use futures::StreamExt as _;
use futures::executor::block_on;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;
use object_store::memory::InMemory;
use object_store::{ObjectMeta, ObjectStore as _, path::Path};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What is posted in one hour, in 10^-12.
#[derive(Clone, Debug, Default)]
pub(super) struct Hour {
    version: Option<String>,
    /// What its file says was paid.
    pub(super) paid: i128,
    /// The sum of its charges.
    pub(super) sum: i128,
    teams: BTreeMap<Option<TeamId>, i128>,
    accounts: BTreeMap<Account, i128>,
}

/// The hours of one cluster.
#[derive(Debug)]
pub(super) struct Ledger {
    files: Arc<InMemory>,
    cluster: ClusterId,
    hours: BTreeMap<Timestamp, Hour>,
}

impl Ledger {
    pub(super) fn new(files: &Arc<InMemory>, cluster: &ClusterId) -> Self {
        Self { files: Arc::clone(files), cluster: cluster.clone(), hours: BTreeMap::new() }
    }

    /// Reads the hours whose files have changed since.
    ///
    /// # Errors
    /// A file cannot be read or is damaged.
    pub(super) fn refresh(&mut self, books: &Books) -> Result<(), BooksError> {
        let folder = Path::from(format!("cluster={}/charges", self.cluster));
        let listed: Vec<_> = block_on(self.files.list(Some(&folder)).collect());
        for meta in listed.into_iter().flatten() {
            let Some(begin) = hour_in(&meta) else { continue };
            if self.hours.get(&begin).is_some_and(|hour| hour.version == meta.e_tag) {
                continue;
            }
            let Some(book) = books.hour(&self.cluster, begin)? else { continue };
            let paid = book.paid.pico();
            let hour = Hour { version: meta.e_tag, paid, ..Hour::of(&book.charges()?) };
            self.hours.insert(begin, hour);
        }
        Ok(())
    }

    /// An hour, as it was last read.
    pub(super) fn hour(&self, begin: Timestamp) -> Option<&Hour> {
        self.hours.get(&begin)
    }

    /// What is posted of a scope in a period.
    pub(super) fn spent(&self, scope: &Scope, period: Window) -> i128 {
        let hours = self.hours.range(period.from()..period.to());
        let spent = hours.map(|(_, hour)| match scope {
            Scope::All => hour.sum,
            scope => {
                let holds = |team: &Option<TeamId>| scope.holds(team.as_ref(), &BTreeMap::new());
                hour.teams.iter().filter(|(team, _)| holds(team)).map(|(_, sum)| sum).sum()
            }
        });
        spent.sum()
    }

    /// What is posted for a workload on an offer.
    pub(super) fn posted(&self, account: &Account) -> i128 {
        self.hours.values().filter_map(|hour| hour.accounts.get(account)).sum()
    }
}

impl Hour {
    fn of(charges: &[Charge]) -> Self {
        let mut hour = Self::default();
        for charge in charges {
            let cost = charge.cost.pico();
            hour.sum += cost;
            let team = charge.attribution.as_ref().and_then(|who| who.team.clone());
            *hour.teams.entry(team).or_default() += cost;
            let Some(who) = &charge.attribution else { continue };
            let account = (who.workload.clone(), charge.offer.clone());
            *hour.accounts.entry(account).or_default() += cost;
        }
        hour
    }
}

/// The hour whose charges a file has: `…/date=YYYY-MM-DD/hour=HH.parquet`.
fn hour_in(meta: &ObjectMeta) -> Option<Timestamp> {
    let mut parts = meta.location.as_ref().strip_suffix(".parquet")?.rsplit('/');
    let hour: i8 = parts.next()?.strip_prefix("hour=")?.parse().ok()?;
    let date: Date = parts.next()?.strip_prefix("date=")?.parse().ok()?;
    Offset::UTC.to_timestamp(date.at(hour, 0, 0, 0)).ok()
}
