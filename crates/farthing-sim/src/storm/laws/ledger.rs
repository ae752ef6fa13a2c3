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

/// An hour that is posted.
#[derive(Clone, Debug)]
struct Hour {
    version: Option<String>,
    /// What its file says was paid, in 10^-12.
    paid: i128,
    /// Its charges, as far as somebody asked for them.
    sums: Option<Sums>,
}

/// What the charges of an hour sum to, in 10^-12.
#[derive(Clone, Debug, Default)]
struct Sums {
    all: i128,
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

    /// Looks at the hours whose files have changed since.
    ///
    /// # Errors
    /// A file cannot be read or is damaged.
    pub(super) fn look(&mut self, books: &Books) -> Result<(), BooksError> {
        let folder = Path::from(format!("cluster={}/charges", self.cluster));
        let listed: Vec<_> = block_on(self.files.list(Some(&folder)).collect());
        for meta in listed.into_iter().flatten() {
            let Some(begin) = hour_in(&meta) else { continue };
            if self.hours.get(&begin).is_some_and(|hour| hour.version == meta.e_tag) {
                continue;
            }
            let Some(book) = books.hour(&self.cluster, begin)? else { continue };
            let hour = Hour { version: meta.e_tag, paid: book.paid.pico(), sums: None };
            self.hours.insert(begin, hour);
        }
        Ok(())
    }

    /// The same, and reads the charges of all hours that were not read as they are.
    ///
    /// # Errors
    /// As [`Ledger::look`].
    pub(super) fn read(&mut self, books: &Books) -> Result<(), BooksError> {
        self.look(books)?;
        for (begin, hour) in self.hours.iter_mut().filter(|(_, hour)| hour.sums.is_none()) {
            if let Some(book) = books.hour(&self.cluster, *begin)? {
                hour.sums = Some(Sums::of(&book.charges()?));
            }
        }
        Ok(())
    }

    /// What the file of an hour says was paid, and the sum of its charges if they were read.
    pub(super) fn paid(&self, begin: Timestamp) -> (i128, Option<i128>) {
        let hour = self.hours.get(&begin);
        hour.map_or((0, None), |hour| (hour.paid, hour.sums.as_ref().map(|sums| sums.all)))
    }

    fn sums(&self) -> impl Iterator<Item = &Sums> {
        self.hours.values().filter_map(|hour| hour.sums.as_ref())
    }

    /// What is posted of a scope in a period.
    pub(super) fn spent(&self, scope: &Scope, period: Window) -> i128 {
        let hours = self.hours.range(period.from()..period.to());
        let spent = hours.filter_map(|(_, hour)| hour.sums.as_ref()).map(|sums| match scope {
            Scope::All => sums.all,
            scope => {
                let holds = |team: &Option<TeamId>| scope.holds(team.as_ref(), &BTreeMap::new());
                sums.teams.iter().filter(|(team, _)| holds(team)).map(|(_, sum)| sum).sum()
            }
        });
        spent.sum()
    }

    /// What is posted for a workload on an offer.
    pub(super) fn posted(&self, account: &Account) -> i128 {
        self.sums().filter_map(|sums| sums.accounts.get(account)).sum()
    }
}

impl Sums {
    fn of(charges: &[Charge]) -> Self {
        let mut sums = Self::default();
        for charge in charges {
            let cost = charge.cost.pico();
            sums.all += cost;
            let team = charge.attribution.as_ref().and_then(|who| who.team.clone());
            *sums.teams.entry(team).or_default() += cost;
            let Some(who) = &charge.attribution else { continue };
            let account = (who.workload.clone(), charge.offer.clone());
            *sums.accounts.entry(account).or_default() += cost;
        }
        sums
    }
}

/// The hour whose charges a file has: `…/date=YYYY-MM-DD/hour=HH.parquet`.
fn hour_in(meta: &ObjectMeta) -> Option<Timestamp> {
    let mut parts = meta.location.as_ref().strip_suffix(".parquet")?.rsplit('/');
    let hour: i8 = parts.next()?.strip_prefix("hour=")?.parse().ok()?;
    let date: Date = parts.next()?.strip_prefix("date=")?.parse().ok()?;
    Offset::UTC.to_timestamp(date.at(hour, 0, 0, 0)).ok()
}
