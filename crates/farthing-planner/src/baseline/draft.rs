//! A plan in the making: who holds what, what budgets have left, and what waits.

use super::member::{Replicas, Run};
use crate::account::{exposure, later, rate_under};
use crate::standing::{Standing, held, standing};
use crate::{BudgetState, Input, Placement, PlanError, Waiting};
use farthing_model::{
    Currency, Decimal, HourlyRate, Limit, Money, MoneyError, Observed, Offer, OfferId, Reason,
    Window, Workload, WorkloadId, WorkloadKind, WorkloadState,
};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// Whether hard budgets stop admission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Budgets {
    /// They do.
    Hard,
    /// They do not: for the reference.
    Ignored,
}

/// What a hard budget still allows in one of its periods.
#[derive(Clone, Copy, Debug)]
struct Left<'a> {
    state: &'a BudgetState,
    period: Window,
    money: Money,
}

/// A plan in the making.
pub(super) struct Draft<'a> {
    pub(super) input: &'a Input,
    /// Who holds how many nodes of each offer, and when.
    holds: BTreeMap<&'a OfferId, Vec<(Window, u64)>>,
    /// What hard budgets still allow, each in its unit, in their period around now and, as far as
    /// placements reach, in later ones.
    left: Vec<Left<'a>>,
    /// What was there before.
    standing: Vec<Standing<'a>>,
    pub(super) placements: Vec<Placement>,
    pub(super) waiting: Vec<Waiting>,
    pub(super) notes: Vec<String>,
}

/// `PlanError` for money that does not fit.
pub(super) fn money_of(object: &str) -> impl FnOnce(MoneyError) -> PlanError {
    let object = object.to_owned();
    |source| PlanError::Money { object, source }
}

/// Members of a job, or one service, that are not placed and not done.
pub(super) fn open_members(observed: &Observed) -> u32 {
    let placed = match &observed.state {
        WorkloadState::Waiting => 0,
        WorkloadState::Placed(all) => {
            all.iter().map(|assignment| assignment.members).fold(0_u32, u32::saturating_add)
        }
        WorkloadState::Suspended | WorkloadState::Finished(_) => return 0,
    };
    match &observed.workload.kind {
        WorkloadKind::Job(job) => job.count.saturating_sub(placed),
        WorkloadKind::Service(_) => u32::from(observed.state == WorkloadState::Waiting),
    }
}

impl<'a> Draft<'a> {
    /// Starts with what stays placed.
    pub(super) fn new(input: &'a Input, budgets: Budgets) -> Result<Self, PlanError> {
        let mut draft = Self {
            input,
            holds: BTreeMap::new(),
            left: Vec::new(),
            standing: standing(input),
            placements: Vec::new(),
            waiting: Vec::new(),
            notes: Vec::new(),
        };
        for state in &input.budgets {
            if budgets == Budgets::Ignored || !state.budget.hard {
                continue;
            }
            let mut gone = exposure(state)?;
            if let Limit::GpuHoursMilli(_) = state.limit {
                let standing = held(&draft.standing, state, state.period)?;
                gone = gone.checked_add(standing).map_err(money_of(state.budget.id.as_str()))?;
            }
            let money = state.limit.amount().checked_sub(gone);
            let money = money.map_err(money_of(state.budget.id.as_str()))?;
            draft.left.push(Left { state, period: state.period, money });
        }
        for observed in &input.snapshot.workloads {
            draft.keep(observed)?;
        }
        Ok(draft)
    }

    /// What is placed and has not ended stays as it is; a service for the whole horizon, as nobody
    /// stops it.
    fn keep(&mut self, observed: &'a Observed) -> Result<(), PlanError> {
        let WorkloadState::Placed(assignments) = &observed.state else { return Ok(()) };
        let id = &observed.workload.id;
        for assignment in assignments {
            let from = assignment.window.from().max(self.input.horizon.from());
            let to = match observed.workload.kind {
                WorkloadKind::Job(_) => assignment.window.to(),
                WorkloadKind::Service(_) => assignment.window.to().max(self.input.horizon.to()),
            };
            let Ok(window) = Window::new(from, to) else { continue };
            let rate = self.offer(&assignment.offer).and_then(|offer| offer.price.rate());
            let nodes = u64::from(assignment.members) * u64::from(assignment.nodes_each);
            let cost = match rate {
                None => {
                    let offer = &assignment.offer;
                    self.notes.push(format!(
                        "{id} is on {offer}, whose price is not known: its cost is left out"
                    ));
                    Money::zero(self.input.currency)
                }
                Some(rate) => rate
                    .cost(window)
                    .and_then(|one| one.checked_mul_int(nodes.into()))
                    .map_err(money_of(id.as_str()))?,
            };
            self.holds.entry(&assignment.offer).or_default().push((window, nodes));
            self.placements.push(Placement {
                workload: id.clone(),
                offer: Some(assignment.offer.clone()),
                members: assignment.members,
                nodes_each: assignment.nodes_each,
                window,
                cost,
                reference: None,
                r: None,
                stays: true,
                reasons: Vec::new(),
            });
        }
        Ok(())
    }

    pub(super) fn offer(&self, id: &OfferId) -> Option<&'a Offer> {
        self.input.offers.iter().find(|offer| offer.id == *id)
    }

    /// Nodes of an offer that somebody holds at some instant of `window`.
    pub(super) fn held(&self, offer: &OfferId, window: Window) -> u64 {
        let Some(holds) = self.holds.get(offer) else { return 0 };
        let at = |at: Timestamp| -> u64 {
            holds.iter().filter(|(span, _)| span.contains(at)).map(|(_, nodes)| nodes).sum()
        };
        let starts = holds.iter().map(|(span, _)| span.from()).filter(|at| window.contains(*at));
        starts.chain([window.from()]).map(at).max().unwrap_or(0)
    }

    /// The first window of `length` from `from` on, inside the horizon, in which `nodes` more
    /// nodes of the offer can be had.
    pub(super) fn earliest(
        &self,
        offer: &Offer,
        nodes: u64,
        from: Timestamp,
        length: SignedDuration,
    ) -> Option<Window> {
        let mut starts = vec![from];
        if offer.available.is_some() {
            let ends = self.holds.get(&offer.id).into_iter().flatten().map(|(span, _)| span.to());
            starts.extend(ends.filter(|end| *end > from));
            starts.sort_unstable();
        }
        starts
            .into_iter()
            .take_while(|start| *start < self.input.horizon.to())
            .filter_map(|start| Window::starting(start, length))
            .find(|window| {
                offer.available.is_none_or(|available| {
                    self.held(&offer.id, *window) + nodes <= u64::from(available)
                })
            })
    }

    /// The first instant at which a job may start.
    pub(super) fn may_start(&self, observed: &Observed) -> Timestamp {
        let submitted = observed.workload.job().and_then(|job| job.submitted);
        submitted.map_or(self.input.horizon.from(), |at| at.max(self.input.horizon.from()))
    }

    /// Places one member if hard budgets allow it; else says which does not.
    pub(super) fn admit(
        &mut self,
        workload: &Workload,
        offer: &'a Offer,
        (members, nodes_each): (u32, u32),
        window: Window,
        reasons: Vec<Reason>,
    ) -> Result<Result<(), Reason>, PlanError> {
        let wrong = || money_of(workload.id.as_str());
        let nodes = u64::from(members) * u64::from(nodes_each);
        let cost_in =
            |rate: Option<HourlyRate>, window: Option<Window>, unit: Currency| match (rate, window)
            {
                (Some(rate), Some(window)) => rate.cost(window)?.checked_mul_int(nodes.into()),
                _ => Ok(Money::zero(unit)),
            };
        self.look_ahead(window.to())?;
        let needed = |left: &Left<'_>| {
            let (rate, inside) = (rate_under(left.state, offer), window.intersect(left.period));
            cost_in(rate, inside, left.money.currency())
        };
        if let Err(reason) = self.reserve(workload, needed)? {
            return Ok(Err(reason));
        }
        let cost = cost_in(offer.price.rate(), Some(window), self.input.currency);
        let cost = cost.map_err(wrong())?;
        self.holds.entry(&offer.id).or_default().push((window, nodes));
        self.placements.push(Placement {
            workload: workload.id.clone(),
            offer: Some(offer.id.clone()),
            members,
            nodes_each,
            window,
            cost,
            reference: None,
            r: None,
            stays: false,
            reasons,
        });
        Ok(Ok(()))
    }

    /// Places one member at its quoted cost, as [`Self::admit`].
    pub(super) fn admit_quoted(
        &mut self,
        workload: &Workload,
        cost: Money,
        reasons: Vec<Reason>,
    ) -> Result<Result<(), Reason>, PlanError> {
        // A quoted cost is due at once, and is no accelerator time.
        let needed = |left: &Left<'_>| {
            let (is_now, unit) = (left.period == left.state.period, left.money.currency());
            let counts = is_now && unit == cost.currency();
            Ok(if counts { cost } else { Money::zero(unit) })
        };
        if let Err(reason) = self.reserve(workload, needed)? {
            return Ok(Err(reason));
        }
        self.placements.push(Placement {
            workload: workload.id.clone(),
            offer: None,
            members: 1,
            nodes_each: 0,
            window: self.input.horizon,
            cost,
            reference: None,
            r: None,
            stays: false,
            reasons,
        });
        Ok(Ok(()))
    }

    /// Opens the periods of hard budgets that begin before `until`, each with its limit less what
    /// was there before and goes on into it.
    fn look_ahead(&mut self, until: Timestamp) -> Result<(), PlanError> {
        let input = self.input;
        for state in &input.budgets {
            let opened = |period| {
                move |left: &Left<'_>| {
                    left.period == period && left.state.budget.id == state.budget.id
                }
            };
            let limit = state.budget.limit.amount();
            if !self.left.iter().any(opened(state.period)) {
                continue;
            }
            for period in later(input, state, until) {
                if self.left.iter().any(opened(period)) {
                    continue;
                }
                let gone = held(&self.standing, state, period)?;
                let money = limit.checked_sub(gone).map_err(money_of(state.budget.id.as_str()))?;
                self.left.push(Left { state, period, money });
            }
        }
        Ok(())
    }

    /// Takes a cost out of each hard budget that covers the workload, or out of none.
    fn reserve(
        &mut self,
        workload: &Workload,
        needed: impl Fn(&Left<'_>) -> Result<Money, MoneyError>,
    ) -> Result<Result<(), Reason>, PlanError> {
        let mut rest_of_all = Vec::with_capacity(self.left.len());
        for left in &self.left {
            let Left { state, money, .. } = *left;
            if !state.budget.scope.covers(workload) {
                rest_of_all.push(*left);
                continue;
            }
            let needed = needed(left).map_err(money_of(workload.id.as_str()))?;
            let rest = money.checked_sub(needed).map_err(money_of(state.budget.id.as_str()))?;
            if rest.is_negative() && needed.pico() > 0 {
                let budget = state.budget.id.clone();
                return Ok(Err(Reason::OverBudget { budget, left: money, needed }));
            }
            rest_of_all.push(Left { money: rest, ..*left });
        }
        self.left = rest_of_all;
        Ok(Ok(()))
    }

    /// Lets members wait.
    pub(super) fn wait(&mut self, workload: &Workload, members: u32, reason: Reason) {
        let late = workload.job().is_some_and(|job| job.deadline.is_some());
        match self.waiting.last_mut() {
            Some(last) if last.workload == workload.id && last.reason == reason => {
                last.members += members;
            }
            _ => {
                let workload = workload.id.clone();
                self.waiting.push(Waiting { workload, members, reason, late });
            }
        }
    }

    /// What each workload costs that is placed whole, and was not placed before.
    pub(super) fn costs_of_the_whole(self) -> Result<BTreeMap<WorkloadId, Money>, PlanError> {
        let mut costs: BTreeMap<WorkloadId, Money> = BTreeMap::new();
        for placement in self.placements.iter().filter(|placement| !placement.stays) {
            let zero = Money::zero(self.input.currency);
            let cost = costs.entry(placement.workload.clone()).or_insert(zero);
            *cost =
                cost.checked_add(placement.cost).map_err(money_of(placement.workload.as_str()))?;
        }
        for row in &self.waiting {
            costs.remove(&row.workload);
        }
        Ok(costs)
    }
}

/// `R = value / cost` in 10^-9 per currency unit; `None` at no cost.
pub(super) fn r(value: Decimal, times: u32, cost: Money) -> Option<Decimal> {
    /// Units of [`Money`] in one unit of its currency.
    const PICO: i128 = 1_000_000_000_000;
    if cost.pico() <= 0 {
        return None;
    }
    let scaled = value.nano().checked_mul(times.into())?.checked_mul(PICO)?;
    Some(Decimal::from_nano(scaled.div_euclid(cost.pico())))
}

/// A place for one member of a job.
#[derive(Clone, Copy)]
pub(super) struct Spot<'a> {
    pub(super) offer: &'a Offer,
    pub(super) run: Run,
    pub(super) window: Window,
}

/// A place for all replicas of a service.
#[derive(Clone, Copy)]
pub(super) struct Site<'a> {
    pub(super) offer: &'a Offer,
    pub(super) replicas: Replicas,
}
