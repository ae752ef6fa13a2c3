//! The laws of money: budgets before a step, and the books against what the nodes cost.

use super::story::{Account, Story};
use super::{Auditor, Crew, Law};
use crate::world::SimWorld;
use farthing_ledger::Books;
use farthing_model::{
    Action, Budget, Limit, Money, MoneyError, Scope, Step, Window, Workload, hour_floor,
};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

impl Auditor {
    /// Law 6: with what is posted and what is set aside, the step still fits.
    pub(super) fn budget_holds(&mut self, at: Timestamp, story: &Story) {
        let step = &story.step;
        let workload = step.action.workload().and_then(|id| self.workloads.get(id));
        let Some(workload) = workload.cloned().filter(|_| !step.cost.is_zero()) else { return };
        let budgets: Vec<Budget> =
            self.config.budgets.iter().filter(|budget| budget.hard).cloned().collect();
        for budget in budgets.iter().filter(|budget| budget.scope.covers(&workload)) {
            let (Limit::Money(limit), Some(period)) = (budget.limit, budget.period.window_at(at))
            else {
                continue;
            };
            let spent = self.ledger.spent(&budget.scope, period);
            let committed = self.committed(&budget.scope, period);
            let needed = inside(step.cost.pico(), step, period);
            let over = spent + committed + needed > limit.pico();
            let broken = over.then(|| {
                format!(
                    "budget {} of {limit}: {spent} spent and {committed} set aside, step {} needs \
                     {needed}",
                    budget.id, step.id
                )
            });
            self.hold(Law::BudgetHolds, broken);
        }
    }

    /// What is set aside and not yet posted, in 10^-12. Steps of one workload on one offer are
    /// posted together, so what was posted since the first of them counts against all.
    fn committed(&self, scope: &Scope, period: Window) -> i128 {
        let covers = |workload: &Workload| scope.covers(workload);
        let mut groups: BTreeMap<Account, (i128, i128)> = BTreeMap::new();
        for story in self.stories.by_id.values().filter(|it| it.is_begun() || it.is_in_force()) {
            let (Some(account), Some(amount)) = (story.account(), story.reserved) else { continue };
            if !self.workloads.get(&account.0).is_some_and(|it| covers(it)) {
                continue;
            }
            let before = story.posted_before.map_or(0, Money::pico);
            let rest = inside(amount.pico(), &story.step, period);
            let group = groups.entry(account).or_insert((0, before));
            *group = (group.0 + rest, group.1.min(before));
        }
        let open = groups.into_iter().map(|(account, (reserved, before))| {
            (reserved - (self.ledger.posted(&account) - before)).max(0)
        });
        open.sum()
    }

    /// Law 3: what counts as posted before a step is posted. Of two controllers one may have posted
    /// since the other one looked.
    pub(super) fn posted_before_is_posted(&mut self, story: &Story) {
        let (Some(account), Some(before)) = (story.account(), story.posted_before) else { return };
        if self.crew == Crew::Two {
            return;
        }
        let is = self.ledger.posted(&account);
        let (id, says) = (&story.step.id, before.pico());
        let broken = (is != says)
            .then(|| format!("step {id} says that {says} were posted before it, and {is} were"));
        self.hold(Law::SettledIsPosted, broken);
    }

    /// Law 5: the hours of a window have in the books what the nodes cost in them, as far as they
    /// were measured.
    pub(super) fn paid_is_bill(&mut self, window: Window, world: &SimWorld, books: &Books) {
        if let Err(error) = self.ledger.look(books) {
            return self.hold(Law::BooksVerify, Some(error.to_string()));
        }
        for part in window.by_hour() {
            let Some(hour) = Window::hour_of(part.from()) else { continue };
            let parts = self.kept.inside(hour);
            let bill = bill(world, &parts).map(Money::pico);
            let (paid, charged) = self.ledger.paid(hour_floor(hour.from()));
            let charged = charged.unwrap_or(paid);
            let broken = match bill {
                Err(error) => Some(error.to_string()),
                Ok(bill) if bill != paid || paid != charged => Some(format!(
                    "the hour of {}: {paid} are in the books, {charged} in charges, and the nodes \
                     cost {bill}",
                    hour.from()
                )),
                Ok(_) => None,
            };
            self.hold(Law::PaidIsBill, broken);
        }
    }

    /// Time that was paid and is not in the books is told of.
    pub(super) fn gaps_are_told(&mut self, world: &SimWorld) {
        let (Some(from), Some(to)) = (self.begun_at, self.kept.end()) else { return };
        let Ok(window) = Window::new(from, to) else { return };
        let unmeasured = self.kept.outside(window);
        let untold: Vec<Window> =
            unmeasured.into_iter().flat_map(|gap| self.told.outside(gap)).collect();
        let paid = untold
            .iter()
            .find(|gap| bill(world, std::slice::from_ref(*gap)).is_ok_and(|bill| !bill.is_zero()));
        let broken =
            paid.map(|gap| format!("{gap} was paid, is not in the books, and nobody says so"));
        self.hold(Law::GapsAreTold, broken);
    }

    /// Hours that may hold something of the run.
    pub(super) fn whole(&self) -> Option<Window> {
        let end = self.kept.end()?.checked_add(SignedDuration::from_hours(1)).ok()?;
        Window::new(hour_floor(self.begun_at?), end).ok()
    }
}

/// What the nodes of a world cost in some windows.
fn bill(world: &SimWorld, windows: &[Window]) -> Result<Money, MoneyError> {
    let zero = Money::zero(farthing_model::Currency::USD);
    windows.iter().try_fold(zero, |sum, window| sum.checked_add(world.bill(*window)?))
}

/// The part of an amount over a step's window that falls into a period, rounded down: at most what
/// any careful reservation sets aside.
fn inside(amount: i128, step: &Step, period: Window) -> i128 {
    let (Action::Start { window, .. } | Action::Scale { window, .. }) = &step.action else {
        return amount;
    };
    let inside = window.intersect(period).map_or(0, Window::nanos);
    if inside == window.nanos() { amount } else { amount / window.nanos().max(1) * inside }
}
