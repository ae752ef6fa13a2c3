//! A gate for whatever wants to spend and is not part of the loop: asks the budgets of a journal
//! and its books, in any process.

use crate::claim::{self, Answer, Ask, Checked, Claim};
use crate::engine::{Engine, World};
use crate::error::EngineError;
use crate::exposure::{Exposure, Ground};
use crate::journal::Journal;
use crate::limits::{self, Allowance, Told};
use crate::sums::Sums;
use crate::unfit::Unfit;
use farthing_edge::Store;
use farthing_ledger::Books;
use farthing_model::{Budget, ClusterId, Currency, Money};
use jiff::Timestamp;

/// The budgets of a cluster, to be asked.
#[derive(Debug)]
pub struct Gate<S> {
    pub(crate) journal: Journal<S>,
    pub(crate) budgets: Vec<Budget>,
    pub(crate) sums: Sums,
    pub(crate) currency: Currency,
}

impl<S: Store> Gate<S> {
    /// Opens the journal, and sums what the books have posted. With `budgets` empty those count
    /// that the last run of the loop was told of.
    ///
    /// # Errors
    /// The journal or the books cannot be read, or do not hold.
    pub fn open(
        store: S,
        (books, cluster): (&Books, &ClusterId),
        budgets: Vec<Budget>,
        currency: Currency,
    ) -> Result<Self, EngineError> {
        let journal = Journal::open(store)?;
        let told = || journal.state().budgets.clone();
        let budgets = if budgets.is_empty() { told() } else { budgets };
        let sums = Sums::read(books, cluster, &budgets)?;
        Ok(Self { journal, budgets, sums, currency })
    }

    /// The budgets that count.
    pub fn budgets(&self) -> &[Budget] {
        &self.budgets
    }

    /// Claims that were granted and not ended, by name; expired ones too.
    pub fn claims(&self) -> impl Iterator<Item = &Claim> {
        self.journal.state().claims.values()
    }

    /// The budgets as they stand.
    ///
    /// # Errors
    /// The sums do not fit.
    pub fn exposures(&self, now: Timestamp) -> Result<Vec<Exposure>, EngineError> {
        let ground =
            Ground { open: self.journal.state(), sums: vec![&self.sums], currency: self.currency };
        ground.exposures(&self.budgets, now)
    }

    /// What asking would come to now: what it does not fit into, what it would exceed, and who was
    /// asked; nothing is claimed.
    ///
    /// # Errors
    /// The sums do not fit, or it is in another currency.
    pub fn look(&self, ask: &Ask, now: Timestamp) -> Result<Checked, EngineError> {
        Unfit::ask(ask, self.currency).map_err(EngineError::Unfit)?;
        Checked::of(&self.exposures(now)?, ask).map_err(EngineError::Money)
    }

    /// Whether it would fit now; nothing is claimed.
    ///
    /// # Errors
    /// The sums do not fit, or it is in another currency.
    pub fn check(&self, ask: &Ask, now: Timestamp) -> Result<Vec<claim::Short>, EngineError> {
        Unfit::ask(ask, self.currency).map_err(EngineError::Unfit)?;
        claim::shortages(&self.exposures(now)?, ask).map_err(EngineError::Money)
    }

    /// The soft budgets that it would exceed now, which only warn; nothing is claimed.
    ///
    /// # Errors
    /// The sums do not fit, or it is in another currency.
    pub fn overruns(&self, ask: &Ask, now: Timestamp) -> Result<Vec<claim::Short>, EngineError> {
        Unfit::ask(ask, self.currency).map_err(EngineError::Unfit)?;
        claim::overruns(&self.exposures(now)?, ask).map_err(EngineError::Money)
    }

    /// Claims what is asked for, if it fits: the record is durable when this returns.
    ///
    /// # Errors
    /// It cannot be claimed at all ([`EngineError::Unfit`]), or the journal failed.
    pub fn claim(&mut self, ask: &Ask, now: Timestamp) -> Result<Answer, EngineError> {
        let sums = (&[&self.sums][..], self.currency);
        claim::claim(&mut self.journal, &self.budgets, sums, ask, now)
    }

    /// Ends a claim. `spent` is what it took, where the ledger does not know of that.
    ///
    /// # Errors
    /// There is no such claim, budgets cannot count what was spent ([`EngineError::Unfit`]; nothing
    /// is written), or the journal failed.
    pub fn settle(
        &mut self,
        claim: &str,
        spent: Option<Money>,
        why: &str,
        now: Timestamp,
    ) -> Result<(), EngineError> {
        claim::settle(&mut self.journal, (claim, self.currency), (spent, why), now)
    }
}

impl<S: Store> Gate<S> {
    /// Changes the limit of a budget, for good or for a while: the newest word counts.
    ///
    /// # Errors
    /// There is no such budget, it cannot have such a limit, no reason is given, or the journal
    /// failed.
    pub fn limit(&mut self, told: &Told<'_>, now: Timestamp) -> Result<Allowance, EngineError> {
        limits::limit(&mut self.journal, &self.budgets, told, now)
    }
}

impl<W: World, S: Store> Engine<W, S> {
    /// As [`Gate::limit`], for the loop's own journal.
    ///
    /// # Errors
    /// As there.
    pub fn limit(&mut self, told: &Told<'_>, now: Timestamp) -> Result<Allowance, EngineError> {
        limits::limit(&mut self.journal, &self.config.budgets, told, now)
    }

    /// As [`Gate::claim`], for the loop's own journal.
    ///
    /// # Errors
    /// As there.
    pub fn claim(&mut self, ask: &Ask, now: Timestamp) -> Result<Answer, EngineError> {
        let sums = self.accounts.sums();
        let sums = (&sums[..], self.config.currency);
        claim::claim(&mut self.journal, &self.config.budgets, sums, ask, now)
    }

    /// As [`Gate::look`], for the loop's own journal.
    ///
    /// # Errors
    /// As there.
    pub fn look(&self, ask: &Ask, now: Timestamp) -> Result<Checked, EngineError> {
        Unfit::ask(ask, self.config.currency).map_err(EngineError::Unfit)?;
        Checked::of(&self.exposures(now)?, ask).map_err(EngineError::Money)
    }

    /// As [`Gate::settle`], for the loop's own journal.
    ///
    /// # Errors
    /// As there.
    pub fn settle_claim(
        &mut self,
        claim: &str,
        spent: Option<Money>,
        why: &str,
        now: Timestamp,
    ) -> Result<(), EngineError> {
        claim::settle(&mut self.journal, (claim, self.config.currency), (spent, why), now)
    }

    /// The budgets as they stand.
    ///
    /// # Errors
    /// The sums do not fit.
    pub fn exposures(&self, now: Timestamp) -> Result<Vec<Exposure>, EngineError> {
        self.ground().exposures(&self.config.budgets, now)
    }
}
