//! The engine's side of the ledger: it keeps telemetry, posts the running hour whole with every
//! tick, and knows what is posted for each workload and budget.

use crate::config::Config;
use crate::error::EngineError;
use crate::hour::{Hour, How};
use crate::load::Loads;
use crate::share::{TeamShare, add_teams};
use crate::sums::{self, Account, Sums};
use crate::tick::Flow;
use farthing_edge::{Head, Measured};
use farthing_ledger::{
    Books, BooksError, Generation, Mark, MeterError, Metered, Segment, Usage, Weights,
};
use farthing_model::{
    Budget, ClusterId, Coverage, Currency, Money, MoneyError, PerResource, TeamId, Window,
    WorkloadId, hour_floor,
};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// What is posted, and the running hour.
#[derive(Debug)]
pub(crate) struct Accounts {
    books: Books,
    cluster: ClusterId,
    currency: Currency,
    weights: Weights,
    budgets: Vec<Budget>,
    /// Where the journal stands, which posted hours remember.
    journal: Mark,
    /// Whether they do: not where the journal ends with the run.
    marks: bool,
    /// Where the journal stood when the newest hour was posted by an earlier run.
    known: Option<Mark>,
    /// What this run last posted or found posted, by the start of the hour, and which writing that
    /// was. It is found before telemetry of the hour is read, never after: whoever posts the hour
    /// in between has kept something that was not read, and must be seen.
    written: Option<(Timestamp, Generation)>,
    /// The running hour.
    running: Option<Hour>,
    /// Whether more of it is kept than is posted, as a tick failed in between.
    unposted: bool,
    /// The end of what this run has kept: what is in the books is not measured again.
    kept_until: Option<Timestamp>,
    /// The end of what the last run posted, also where there was nothing to pay.
    posted_until: Option<Timestamp>,
    /// Sums of the hours before the running one.
    closed: Sums,
    /// Sums of the running hour, computed anew with every tick.
    open: Sums,
    /// What elastic workloads used.
    loads: Loads,
}

/// What a tick came to alone, for people: the ledger has whole hours.
#[derive(Clone, Debug)]
pub(crate) struct Posted {
    /// Where its money went.
    pub(crate) money: Flow,
    /// Where its resources went; `None` where nothing was metered.
    pub(crate) usage: Option<PerResource<Usage>>,
    /// What of both is whose.
    pub(crate) teams: BTreeMap<TeamId, TeamShare>,
    /// How much of it was measured.
    pub(crate) coverage: Coverage,
    /// What the meter found odd, and what has no price.
    pub(crate) notes: Vec<String>,
}

impl Posted {
    /// Nothing.
    pub(crate) fn nothing(currency: Currency) -> Self {
        let zero = Money::zero(currency);
        let money = Flow { paid: zero, used: zero, idle: zero, unallocated: zero, overhead: zero };
        let (coverage, notes) = (Coverage::default(), Vec::new());
        Self { money, usage: None, teams: BTreeMap::new(), coverage, notes }
    }

    /// Adds what was metered, and keeps its sums only: it has a charge for each pod.
    fn add(&mut self, metered: &Metered) -> Result<(), EngineError> {
        let zero = Money::zero(metered.currency);
        let money = Flow::of(std::slice::from_ref(metered), zero)?;
        self.money = self.money.checked_add(money).map_err(EngineError::Money)?;
        let sum = self.usage.unwrap_or_default();
        self.usage = Some(PerResource::from_fn(|resource| {
            let (sum, more) = (sum.get(resource), metered.usage.get(resource));
            Usage {
                used_nano: sum.used_nano + more.used_nano,
                idle_nano: sum.idle_nano + more.idle_nano,
                unallocated_nano: sum.unallocated_nano + more.unallocated_nano,
                overhead_nano: sum.overhead_nano + more.overhead_nano,
            }
        }));
        add_teams(&mut self.teams, metered, zero)?;
        self.coverage.expected_nanos += metered.coverage.expected_nanos;
        self.coverage.measured_nanos += metered.coverage.measured_nanos;
        self.notes.extend(metered.faults.iter().map(ToString::to_string));
        let unpriced = metered.unpriced.iter();
        self.notes.extend(unpriced.map(|node| format!("node {}: {}", node.node, node.why)));
        Ok(())
    }
}

impl Accounts {
    /// Opens the books and sums what is posted.
    pub(crate) fn open(books: Books, config: &Config, head: Head) -> Result<Self, EngineError> {
        let mut accounts = Self {
            books,
            cluster: config.cluster.clone(),
            currency: config.currency,
            weights: config.weights.clone(),
            budgets: config.budgets.clone(),
            journal: mark(head),
            marks: true,
            known: None,
            written: None,
            running: None,
            unposted: false,
            kept_until: None,
            posted_until: None,
            closed: Sums::default(),
            open: Sums::default(),
            loads: Loads::default(),
        };
        accounts.load()?;
        Ok(accounts)
    }

    fn load(&mut self) -> Result<(), EngineError> {
        let measured = self.books.measured_hours(&self.cluster).map_err(EngineError::Books)?;
        let last = measured.last().copied();
        self.post_what_was_kept(&measured)?;
        let posted = self.books.posted_hours(&self.cluster).map_err(EngineError::Books)?;
        if let Some(newest) = posted.last() {
            let book = self.books.hour(&self.cluster, newest.from()).map_err(EngineError::Books)?;
            self.posted_until = book.as_ref().map(|book| book.window.to());
            self.known = book.and_then(|book| book.journal);
        }
        for hour in posted {
            if last.is_some_and(|last| hour.from() >= last.from()) {
                break;
            }
            let book = self.books.hour(&self.cluster, hour.from()).map_err(EngineError::Books)?;
            let Some(book) = book else { continue };
            let charges = book.charges().map_err(EngineError::Books)?;
            self.closed.add(&charges, &self.budgets)?;
        }
        // The newest hour may have telemetry that a crash kept from being posted.
        if let Some(last) = last {
            self.find(last.from())?;
            self.running = self.how().kept(last.from())?;
            self.post_running()?;
        }
        Ok(())
    }

    /// Posts the hours before the newest whose telemetry was kept and whose charges are not there:
    /// a tick across hours is kept whole before it is posted, and a damaged file of charges may
    /// have been deleted.
    fn post_what_was_kept(&mut self, measured: &[Window]) -> Result<(), EngineError> {
        let posted = self.books.posted_hours(&self.cluster).map_err(EngineError::Books)?;
        let mut whole = false;
        for hour in measured.iter().rev().skip(1) {
            let is_posted = posted.binary_search(hour).is_ok();
            // Hours before one that is posted to its end are too, where they are posted.
            if is_posted && whole {
                continue;
            }
            self.find(hour.from())?;
            let segments =
                self.books.segments(&self.cluster, hour.from()).map_err(EngineError::Books)?;
            let Some(kept) = join(segments) else { continue };
            if is_posted {
                let book = self.books.hour(&self.cluster, hour.from());
                let book = book.map_err(EngineError::Books)?;
                whole = book.is_some_and(|book| book.window.to() >= kept.window.to());
                if whole {
                    continue;
                }
            }
            let metered = self.how().alone(&kept).map_err(EngineError::Meter)?;
            self.put(metered)?;
        }
        Ok(())
    }

    /// Finds which writing of the hour that holds `at` stands, before its telemetry is read.
    fn find(&mut self, at: Timestamp) -> Result<(), EngineError> {
        let hour = hour_floor(at);
        let found = self.books.generation(&self.cluster, hour).map_err(EngineError::Books)?;
        self.written = Some((hour, found));
        Ok(())
    }

    /// Posts an hour in the place of what this run posted last, or found, and says what is posted.
    ///
    /// Another controller may have posted it since. Then this one is refused, and meters again all
    /// that both of them kept: charges are never merged, and nobody's telemetry is lost.
    fn put(&mut self, metered: Metered) -> Result<Metered, EngineError> {
        let hour = hour_floor(metered.window.from());
        let known = match &self.written {
            Some((written, generation)) if *written == hour => generation.clone(),
            _ => self.books.generation(&self.cluster, hour).map_err(EngineError::Books)?,
        };
        let (metered, written) = match self.replace(&metered, &known) {
            Ok(written) => (metered, written),
            Err(BooksError::Conflict { .. }) => self.put_again(hour, metered)?,
            Err(error) => return Err(EngineError::Books(error)),
        };
        self.written = Some((hour, written));
        Ok(metered)
    }

    fn replace(&self, metered: &Metered, known: &Generation) -> Result<Generation, BooksError> {
        self.books.replace_hour(metered, self.marks.then_some(self.journal), known, None)
    }

    /// What [`Accounts::put`] does after a refusal; to be refused twice is an error.
    fn put_again(
        &mut self,
        hour: Timestamp,
        refused: Metered,
    ) -> Result<(Metered, Generation), EngineError> {
        let known = self.books.generation(&self.cluster, hour).map_err(EngineError::Books)?;
        let metered = match self.how().kept(hour)? {
            Some(kept) => {
                let metered = kept.metered(&self.how())?;
                let is_running = |running: &Hour| hour_floor(running.window().from()) == hour;
                if self.running.as_ref().is_some_and(is_running) {
                    self.running = Some(kept);
                }
                metered
            }
            None => refused,
        };
        let written = self.replace(&metered, &known).map_err(EngineError::Books)?;
        Ok((metered, written))
    }

    /// Where the journal stood when an earlier run posted the newest hour.
    pub(crate) const fn known(&self) -> Option<Mark> {
        self.known
    }

    /// What is posted from now on remembers no journal.
    pub(crate) const fn forget_journal(&mut self) {
        self.marks = false;
    }

    /// What is posted from now on remembers that the journal stands here.
    pub(crate) const fn journal_is_at(&mut self, head: Head) {
        self.journal = mark(head);
    }

    /// The end of what this run has kept, also where posting it failed.
    pub(crate) const fn kept_until(&self) -> Option<Timestamp> {
        self.kept_until
    }

    /// The end of what is posted.
    pub(crate) const fn posted_until(&self) -> Option<Timestamp> {
        self.posted_until
    }

    /// The end of what is measured, from which measuring goes on after a restart. A window in
    /// which nothing was paid leaves no telemetry and is posted all the same.
    pub(crate) fn measured_until(&self) -> Option<Timestamp> {
        let kept = self.running.as_ref().map(|hour| hour.window().to());
        kept.max(self.posted_until)
    }

    /// Keeps what was measured in `window` and posts the hours that it touches.
    pub(crate) fn post(
        &mut self,
        window: Window,
        measured: Measured,
    ) -> Result<Posted, EngineError> {
        let Measured { spans, samples, uses, .. } = measured;
        let whole = Segment { window, spans, samples, uses };
        let mut posted = Posted::nothing(self.currency);
        // Metered as it is kept, cut by the hour, so that metering it again gives the same.
        for segment in whole.into_hours() {
            let same_hour = |running: &Hour| {
                hour_floor(running.window().from()) == hour_floor(segment.window.from())
            };
            if !self.running.as_ref().is_some_and(same_hour) {
                self.close_hour()?;
            }
            if let Err(error) = self.books.put_segment(&self.cluster, &segment) {
                // It may be there all the same, and is measured again: only the books know then.
                if let Some(hour) = &mut self.running {
                    hour.is_in_books();
                }
                return Err(EngineError::Books(error));
            }
            let (hour, alone) = match self.running.take() {
                Some(mut hour) => {
                    let alone = hour.add(&self.how(), &segment);
                    (hour, alone)
                }
                None => self.begin_hour(&segment)?,
            };
            (self.running, self.unposted) = (Some(hour), true);
            self.kept_until = Some(segment.window.to());
            drop(segment);
            let alone = alone.map_err(EngineError::Meter)?;
            posted.add(&alone)?;
            self.loads.add(&alone)?;
            self.post_running()?;
        }
        Ok(posted)
    }

    /// An hour that this run has not known: others may have kept some of it, or this one before it
    /// failed.
    fn begin_hour(
        &mut self,
        segment: &Segment,
    ) -> Result<(Hour, Result<Metered, MeterError>), EngineError> {
        self.find(segment.window.from())?;
        match self.how().kept(segment.window.from())? {
            Some(hour) if !segment.is_empty() => Ok((hour, self.how().alone(segment))),
            // Nothing is kept of a tick in which nothing was paid.
            kept => {
                let mut hour = kept.unwrap_or_else(|| Hour::of(segment.window));
                let alone = hour.add(&self.how(), segment);
                Ok((hour, alone))
            }
        }
    }

    /// Sums the running hour for good and folds its telemetry into one file.
    fn close_hour(&mut self) -> Result<(), EngineError> {
        if self.unposted {
            self.post_running()?;
        }
        let Some(running) = self.running.take() else { return Ok(()) };
        let open = std::mem::take(&mut self.open);
        self.closed.merge(open)?;
        self.books.compact(&self.cluster, running.window().from()).map_err(EngineError::Books)
    }

    /// Posts the running hour, whole.
    pub(crate) fn post_running(&mut self) -> Result<(), EngineError> {
        let Some(running) = &self.running else { return Ok(()) };
        let metered = running.metered(&self.how())?;
        let metered = self.put(metered)?;
        self.unposted = false;
        self.posted_until = self.posted_until.max(Some(metered.window.to()));
        self.open = Sums::default();
        self.open.add(&metered.charges, &self.budgets)
    }

    const fn how(&self) -> How<'_> {
        let Self { books, cluster, currency, weights, .. } = self;
        How { books, cluster, currency: *currency, weights }
    }

    /// All that is posted.
    pub(crate) const fn sums(&self) -> [&Sums; 2] {
        [&self.closed, &self.open]
    }

    /// What is posted for a workload on an offer, in all.
    pub(crate) fn posted(&self, account: &Account) -> Money {
        sums::posted(&self.sums(), account, self.currency)
    }

    /// What is posted for a workload wherever it ran.
    pub(crate) fn posted_anywhere(&self, workload: &WorkloadId) -> Result<Money, MoneyError> {
        sums::posted_anywhere(&self.sums(), workload, self.currency)
    }

    /// What elastic workloads used.
    pub(crate) const fn loads(&self) -> &Loads {
        &self.loads
    }

    /// The same, to change what is kept.
    pub(crate) const fn loads_mut(&mut self) -> &mut Loads {
        &mut self.loads
    }

    /// The books, for reports.
    pub(crate) const fn books(&self) -> &Books {
        &self.books
    }
}

const fn mark(head: Head) -> Mark {
    Mark { seq: head.seq, hash: head.hash }
}

fn join(segments: impl IntoIterator<Item = Segment>) -> Option<Segment> {
    let mut segments = segments.into_iter();
    let mut joined = segments.next()?;
    for segment in segments {
        let from = joined.window.from().min(segment.window.from());
        let to = joined.window.to().max(segment.window.to());
        joined.window = Window::new(from, to).unwrap_or(joined.window);
        joined.spans.extend(segment.spans);
        joined.samples.extend(segment.samples);
        joined.uses.extend(segment.uses);
    }
    Some(joined)
}

#[cfg(test)]
mod tests;
