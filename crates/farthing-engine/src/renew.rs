//! Claims of work that goes on: more for longer, or less as its spending comes into the books.
//!
//! A renewed claim is the same record again under the same name, so that at every moment one of the
//! two counts, and never both. Less always fits; of more it is the difference that has to.

use crate::claim::{Answer, Ask, Claim, ClaimRecord, Short, Shortage, covers, shortage, shortages};
use crate::engine::{Engine, World};
use crate::error::EngineError;
use crate::exposure::{Exposure, Ground};
use crate::gate::Gate;
use crate::journal::Journal;
use crate::record::Body;
use crate::sums::Sums;
use crate::unfit::{self, Unfit};
use farthing_edge::{Class, Store};
use farthing_model::{Budget, Currency, MoneyError};
use jiff::Timestamp;

/// How often the room is counted again when others write to the journal meanwhile.
const TRIES: usize = 1_000;

/// Puts `ask` in place of what a claim was granted, if it fits.
pub(crate) fn renew<S: Store>(
    journal: &mut Journal<S>,
    budgets: &[Budget],
    (sums, currency): (&[&Sums], Currency),
    (claim, ask): (&str, &Ask),
    now: Timestamp,
) -> Result<Answer, EngineError> {
    Unfit::ask(ask, currency).map_err(EngineError::Unfit)?;
    for _ in 0..TRIES {
        let Some(old) = journal.state().claims.get(claim).cloned() else {
            return Err(EngineError::NoClaim(claim.to_owned()));
        };
        let ground = Ground { open: journal.state(), sums: sums.to_vec(), currency };
        let exposures = ground.exposures(budgets, now)?;
        let short = lacks(&exposures, (&old, ask), now).map_err(EngineError::Money)?;
        if !short.is_empty() {
            return Ok(Answer::Refused(short));
        }
        let counted = exposures.iter().filter(|exposure| covers(&exposure.state.budget, ask));
        let new = Claim {
            id: claim.to_owned(),
            at: now,
            ask: ask.clone(),
            budgets: counted.map(|exposure| exposure.state.budget.id.to_string()).collect(),
        };
        match journal.append(now, &[Body::Claimed(ClaimRecord::of(&new))]) {
            Ok(()) => return Ok(Answer::Granted(new)),
            // Someone else wrote first: the room is counted again.
            Err(EngineError::Superseded) => {}
            Err(EngineError::Store(error)) if error.class() == Class::Transient => {
                journal.refresh()?;
                // It may have been written all the same.
                if journal.state().claims.get(claim) == Some(&new) {
                    return Ok(Answer::Granted(new));
                }
            }
            Err(error) => return Err(error),
        }
    }
    Err(EngineError::Superseded)
}

/// What there is too little of for the difference. Budgets that hold new work back do not hold what
/// goes on.
fn lacks(
    exposures: &[Exposure],
    (old, ask): (&Claim, &Ask),
    now: Timestamp,
) -> Result<Vec<Short>, MoneyError> {
    let mut short = Vec::new();
    let hard = exposures.iter().filter(|it| it.state.budget.hard);
    for exposure in hard.filter(|it| covers(&it.state.budget, ask)) {
        let budget = &exposure.state.budget.id;
        let mut more = ask.clone();
        let counts = unfit::counts(old.ask.amount, ask.amount.currency());
        let counts = counts && now < old.ask.expires;
        if counts && old.budgets.iter().any(|name| name == budget.as_str()) {
            more.amount = ask.amount.checked_sub(old.ask.amount)?;
            more.gpu_hours_milli = ask.gpu_hours_milli.saturating_sub(old.ask.gpu_hours_milli);
        }
        let Some(why) = shortage(exposure, &more)? else { continue };
        let is_more = match &why {
            Shortage::Money { asked, .. } => !asked.is_negative() && !asked.is_zero(),
            Shortage::GpuHours { asked_milli, .. } => *asked_milli > 0,
            Shortage::Held(_) => false,
        };
        if is_more {
            short.push(Short { budget: budget.clone(), period: exposure.state.period, why });
        }
    }
    Ok(short)
}

impl<S: Store> Gate<S> {
    /// Puts what is asked for now in place of what a claim was granted, under the same name: less
    /// always fits, and of more it is the difference that has to.
    ///
    /// # Errors
    /// There is no such claim, the journal failed, or it is in another currency.
    pub fn renew(&mut self, claim: &str, ask: &Ask, now: Timestamp) -> Result<Answer, EngineError> {
        let sums = (&[&self.sums][..], self.currency);
        renew(&mut self.journal, &self.budgets, sums, (claim, ask), now)
    }
}

impl<W: World, S: Store> Engine<W, S> {
    /// As [`Gate::renew`], for the loop's own journal.
    ///
    /// # Errors
    /// As there.
    pub fn renew(&mut self, claim: &str, ask: &Ask, now: Timestamp) -> Result<Answer, EngineError> {
        let sums = self.accounts.sums();
        let sums = (&sums[..], self.config.currency);
        renew(&mut self.journal, &self.config.budgets, sums, (claim, ask), now)
    }

    /// Why what is asked for would not fit now; nothing is claimed.
    ///
    /// # Errors
    /// The sums do not fit, or it is in another currency.
    pub fn lacks(&self, ask: &Ask, now: Timestamp) -> Result<Vec<Short>, EngineError> {
        Unfit::ask(ask, self.config.currency).map_err(EngineError::Unfit)?;
        shortages(&self.exposures(now)?, ask).map_err(EngineError::Money)
    }
}

#[cfg(test)]
mod tests;
