//! Kueue: the admission check `farthing.dev/budget`, behind which nothing runs whose money is not
//! set aside.
//!
//! ```text
//! watched objects -> decide (pure) -> Purse: set aside, durably -> write: our entry, the brake
//! ```
//!
//! It refuses to know budgets and journals, which are the [`Purse`]'s. Start with `decide`, which
//! has the whole protocol as one table, and [`Kueue::turn`], which carries it out.

mod boost;
mod brake;
pub mod config;
mod cost;
mod decide;
mod object;
mod purse;
mod queues;
mod rules;
#[cfg(test)]
mod tests;
mod turn;
mod view;
mod watchdog;
mod write;

pub(crate) use object::{QueueObject, read};
pub use purse::{Ask, Held, Overdraft, Purse, Ran, Room, Used};
pub(crate) use queues::Queues;
pub use rules::{Fail, Rules};
pub(crate) use write::CALLS;

use crate::client::Client;
use crate::kind::KINDS;
use crate::object::OwnerRef;
use crate::price::{NodePrices, Prices};
use crate::state::State;
use crate::watch::Shared;
use crate::webhook::Board;
use crate::whose;
pub(crate) use cost::FlavorPrices;
#[cfg(test)]
pub(crate) use cost::priced;
use farthing_model::TeamId;
use jiff::{SignedDuration, Timestamp};
use object::Queued;
use std::sync::Arc;
use turn::Answering;
pub use view::Turn;
use view::View;
pub use watchdog::{Barked, Watchdog};

/// Without a change the Workloads are looked at again so often: time passes for them too.
const IDLE: SignedDuration = SignedDuration::from_secs(1);
/// Nodes come and go: flavors are priced again so often.
const PRICED: SignedDuration = SignedDuration::from_secs(10);

/// Answers the checks of a cluster that is watched.
pub struct Kueue {
    client: Arc<Client>,
    shared: Arc<Shared>,
    prices: NodePrices,
    answering: Answering,
    flavors: (FlavorPrices, Option<Timestamp>),
    /// Where others read what flavors cost.
    board: Arc<Board>,
    /// The last turn: after how many changes, and when.
    seen: Option<(u64, Timestamp)>,
}

impl Kueue {
    pub(crate) fn new(
        client: Arc<Client>,
        shared: Arc<Shared>,
        prices: Box<dyn Prices + Send>,
        rules: Rules,
    ) -> Self {
        let flavors = (FlavorPrices::default(), None);
        let prices = NodePrices::new(prices);
        let (answering, board) = (Answering::new(rules), Arc::default());
        Self { client, shared, prices, answering, flavors, board, seen: None }
    }

    /// What the webhook goes by.
    pub fn board(&self) -> Arc<Board> {
        Arc::clone(&self.board)
    }

    /// Whether something may have to be done.
    pub fn is_due(&self, now: Timestamp) -> bool {
        let changes = self.shared.state().kueue.changes;
        self.seen.is_none_or(|(seen, at)| {
            // A clock that was set back is no reason to wait.
            changes != seen || now.duration_since(at).abs() >= IDLE
        })
    }

    /// Does what there is to do now: asks the purse, then answers.
    pub fn turn(&mut self, purse: &mut dyn Purse, now: Timestamp) -> Turn {
        let shared = Arc::clone(&self.shared);
        let team = |it: &Queued| team(&shared.state(), it);
        let view = {
            let state = self.shared.state();
            self.seen = Some((state.kueue.changes, now));
            let (flavors, priced) = &mut self.flavors;
            let stale = |at: &Timestamp| now.duration_since(*at).abs() >= PRICED;
            if priced.as_ref().is_none_or(stale) || !flavors.knows(&state.kueue) {
                self.prices.refresh(state.nodes.len());
                *flavors = FlavorPrices::of(&state, &mut self.prices);
                self.board.write(flavors.clone());
                *priced = Some(now);
            }
            View::of(&state.kueue, is_whole(&state), flavors, &team)
        };
        self.answering.turn(&view, (purse, &*self.client), now)
    }
}

/// Whether Workloads, and what tells them apart, are known as they are now. What is not there then
/// is no more.
fn is_whole(state: &State) -> bool {
    let of = |name: &str| KINDS.iter().zip(&state.health).find(|(kind, _)| kind.name == name);
    of("Workload").is_some_and(|(_, health)| health.listed && health.connected)
}

/// Who pays for what a Workload does not say itself: as its owner or its namespace says.
fn team(state: &State, it: &Queued) -> Option<TeamId> {
    let top: Option<&OwnerRef> = it.owner.as_ref();
    whose::team(state, it.team.as_ref(), top, &it.key.namespace)
}
