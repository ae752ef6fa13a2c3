//! The laws of a whole run, when nothing goes wrong any more and it was ended on purpose.

use super::story::Account;
use super::{Auditor, Crew, Law};
use crate::world::SimWorld;
use farthing_edge::{Head, MemoryStore, Store as _, chain};
use farthing_ledger::{Books, StatementQuery, statement, verify};
use farthing_model::{Action, Charge, Money, NodeId, WorkloadId, WorkloadState};
use std::collections::BTreeMap;

impl Auditor {
    /// The run is over. `calm`: nothing went wrong in it, and nobody took anything back.
    pub(in crate::storm) fn ends(
        &mut self,
        calm: bool,
        journal: &MemoryStore,
        world: &SimWorld,
        books: &Books,
    ) {
        self.read_log(world);
        self.whole_chain_holds(journal);
        let lost = self.stories.by_id.values().find(|story| story.is_begun());
        let broken = lost.map(|story| format!("step {} is begun and forgotten", story.step.id));
        self.hold(Law::NoneLost, broken);
        self.journal_is_world();
        if let Err(error) = self.ledger.read(books) {
            return self.hold(Law::BooksVerify, Some(error.to_string()));
        }
        if let Some(whole) = self.whole() {
            self.paid_is_bill(whole, world, books);
        }
        self.gaps_are_told(world);
        self.settled_is_posted();
        self.books_verify(books);
        if calm {
            self.predicted_is_posted(world, books);
        }
    }

    fn whole_chain_holds(&mut self, journal: &MemoryStore) {
        let broken = match journal.read(1, usize::MAX) {
            Err(error) => Some(error.to_string()),
            Ok(records) => match chain::verify(&Head::GENESIS, &records) {
                Err(fault) => Some(fault.to_string()),
                Ok(head) => (head != self.head).then(|| {
                    format!("the journal ends at record {}, and had {}", head.seq, self.head.seq)
                }),
            },
        };
        self.hold(Law::ChainHolds, broken);
    }

    /// What is posted for a workload on an offer is settled once: no step takes another's. A
    /// service goes on after the window of a step, and what it then costs belongs to no step; nor
    /// does what is measured late, as after a clock that went back. Of two controllers at once
    /// each settles by what it has posted itself, and knows no better.
    fn settled_is_posted(&mut self) {
        if self.crew == Crew::Two {
            return;
        }
        let mut settled: BTreeMap<Account, (i128, bool)> = BTreeMap::new();
        for (id, story) in &self.stories.by_id {
            let Some(account) = story.account() else { continue };
            // What nobody could know of is posted and settled for nobody.
            let ends = matches!(story.step.action, Action::Start { .. });
            let known = ends && self.calm && !self.between.contains(id);
            let sum = settled.entry(account).or_insert((0, true));
            if story.is_done() {
                sum.0 += story.settled.map_or(0, Money::pico);
                sum.1 &= story.settled.is_some();
            }
            sum.1 &= known;
        }
        let wrong = settled.into_iter().find_map(|(account, (sum, all))| {
            let is = self.ledger.posted(&account);
            let (workload, offer) = account;
            (sum > is || (all && sum != is))
                .then(|| format!("{workload} on {offer}: {sum} is settled of {is} posted"))
        });
        self.hold(Law::SettledIsPosted, wrong);
    }

    fn books_verify(&mut self, books: &Books) {
        let cluster = self.config.cluster.clone();
        // Two at once keep the same time by other pieces: what is paid is the same, not each row.
        let rows = self.crew != Crew::Two;
        let broken = match verify(books, &cluster) {
            _ if !rows => None,
            Err(error) => Some(error.to_string()),
            Ok(check) if !check.ok || !check.unposted.is_empty() => Some(format!("{check:?}")),
            Ok(_) => None,
        };
        self.hold(Law::BooksVerify, broken);
        let Some(whole) = self.whole() else { return };
        let query = StatementQuery::of(cluster, whole, self.config.currency);
        let broken = match statement(books, &query) {
            Err(error) => Some(error.to_string()),
            Ok(said) => (!said.difference.is_zero())
                .then(|| format!("the statement differs by {}", said.difference)),
        };
        self.hold(Law::BooksVerify, broken);
    }

    /// Law 3: what the nodes cost that a finished job held is what its steps were to cost.
    fn predicted_is_posted(&mut self, world: &SimWorld, books: &Books) {
        let mut predicted: BTreeMap<&WorkloadId, i128> = BTreeMap::new();
        for story in self.stories.by_id.values().filter(|story| story.is_done()) {
            if let Action::Start { workload, .. } = &story.step.action {
                *predicted.entry(workload).or_default() += story.step.cost.pico();
            }
        }
        let charges = self.whole().map(|whole| books.charges(&self.config.cluster, whole));
        let Some(Ok(charges)) = charges else { return };
        let posted = by_holder(&charges);
        let truth = world.truth(world.now());
        let mut broken = None;
        for seen in &truth.workloads {
            let id = &seen.workload.id;
            let finished = matches!(seen.state, WorkloadState::Finished(_));
            let Some(predicted) = predicted.get(id).filter(|_| finished) else { continue };
            let is = posted.get(id).copied().unwrap_or(0);
            if is != *predicted {
                broken = Some(format!("job {id} was to cost {predicted}, and {is} is posted"));
            }
        }
        self.hold(Law::PredictedIsPosted, broken);
    }
}

/// What the nodes of each workload cost, in 10^-12. A bought node is held by one workload.
fn by_holder(charges: &[Charge]) -> BTreeMap<WorkloadId, i128> {
    let mut holders: BTreeMap<&NodeId, &WorkloadId> = BTreeMap::new();
    for charge in charges {
        if let Some(who) = &charge.attribution {
            holders.insert(&charge.node, &who.workload);
        }
    }
    let mut posted = BTreeMap::new();
    for charge in charges {
        if let Some(holder) = holders.get(&charge.node) {
            *posted.entry((*holder).clone()).or_default() += charge.cost.pico();
        }
    }
    posted
}
