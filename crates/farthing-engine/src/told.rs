//! What a running engine is told anew: another policy, other budgets.

use crate::Engine;
use crate::accounts::Accounts;
use crate::budget_record::BudgetRecord;
use crate::engine::World;
use crate::error::EngineError;
use crate::execute::note;
use crate::record::Body;
use farthing_edge::Store;
use farthing_model::{Budget, Policy};
use jiff::Timestamp;

impl<W: World, S: Store> Engine<W, S> {
    /// Goes on by another policy and other budgets; whether they are others. What is set aside
    /// stays set aside, and what was spent counts in new budgets as if they had always been there.
    ///
    /// The journal has the budgets of now as after a start, as whoever asks the gate reads them
    /// there.
    ///
    /// # Errors
    /// The books cannot be read, or the journal failed; then everything is as it was.
    pub fn tell(
        &mut self,
        policy: &Policy,
        budgets: &[Budget],
        now: Timestamp,
    ) -> Result<bool, EngineError> {
        let same_budgets = self.config.budgets == budgets;
        if same_budgets && self.config.policy == *policy {
            return Ok(false);
        }
        let mut config = self.config.clone();
        (config.policy, config.budgets) = (policy.clone(), budgets.to_vec());
        // Sums are kept by budget: others are summed from the books, as at a start.
        let accounts = if same_budgets {
            None
        } else {
            let books = self.accounts.books().clone();
            Some(Accounts::open(books, &config, self.journal.head())?)
        };
        let text = format!("told anew: mode {}, {} budgets", policy.mode.name(), budgets.len());
        let started = Body::Started {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            cluster: config.cluster.to_string(),
            mode: policy.mode.name().to_owned(),
            budgets: budgets.iter().map(BudgetRecord::of).collect(),
        };
        self.journal.append(now, &[note("told", text), started])?;
        self.config = config;
        if let Some(accounts) = accounts {
            self.accounts = accounts;
        }
        Ok(true)
    }
}
