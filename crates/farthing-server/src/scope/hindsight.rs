//! The past under other choices, and the prices that were paid in it, as far as they are someone's.
//!
//! Capacity that all share says what others have: of that a team is not told. At what prices its
//! own part could have been had is its own.

use super::Scoped;
use crate::reader::Unread;
use farthing_engine::{Deadlines, deadlines};
use farthing_ledger::{
    Books, Choice, Hindsight, HindsightQuery, PriceSeries, hindsight, price_history,
};
use farthing_model::{Offer, Window};
use jiff::SignedDuration;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A past window under other choices.
pub(crate) struct Looked {
    pub(crate) hindsight: Hindsight,
    /// For each outcome.
    pub(crate) deadlines: Vec<Deadlines>,
    /// Whether choices were left out, as they are about what all teams share.
    pub(crate) is_part: bool,
}

impl Scoped {
    /// What a window of the past would have cost under other choices.
    pub(crate) async fn hindsight(
        &self,
        window: Window,
        choices: &[Choice],
        boot: SignedDuration,
    ) -> Result<Looked, Unread> {
        let view = self.view();
        let teams = self.teams().cloned();
        let is_part = teams.is_some();
        let choices = choices.iter().copied().filter(|it| !(is_part && it.is_about_all()));
        let query = HindsightQuery {
            cluster: view.about.cluster.clone(),
            window,
            currency: view.about.currency,
            choices: choices.collect(),
            offers: self.price_book(),
            boot,
            teams,
        };
        let read = move |books: &Books| hindsight(books, &query);
        let hindsight = self.inner().history.read(read).await.map_err(|why| self.unread(why))?;
        let of = |late: &[_]| {
            let snapshot = view.last.as_ref().map(|last| &last.tick.snapshot);
            snapshot.map_or_else(Deadlines::default, |snapshot| deadlines(late, boot, snapshot))
        };
        let deadlines = hindsight.outcomes.iter().map(|outcome| of(&outcome.late)).collect();
        Ok(Looked { hindsight, deadlines, is_part })
    }

    /// The prices that were paid in a window, by offer.
    pub(crate) async fn price_history(&self, window: Window) -> Result<Vec<PriceSeries>, Unread> {
        let view = self.view();
        let teams = self.teams().cloned();
        let read = move |books: &Books| {
            let about = &view.about;
            price_history(books, (&about.cluster, window, about.currency), teams.as_ref())
        };
        self.inner().history.read(read).await.map_err(|why| self.unread(why))
    }

    /// What can be bought: what the loop knows, and the rest of the price book.
    pub(crate) fn price_book(&self) -> Arc<[Offer]> {
        let view = self.view();
        let known = view.last.as_ref().map_or_else(Arc::default, |last| Arc::clone(&last.offers));
        let Some(market) = &self.inner().offers else { return known };
        let ids: BTreeSet<&str> = known.iter().map(|offer| offer.id.as_str()).collect();
        let more = (market.all)();
        let more = more.iter().filter(|offer| !ids.contains(offer.id.as_str()));
        known.iter().chain(more).cloned().collect()
    }
}
