//! What a rung that acts takes away: jobs that are suspended, and services that get fewer replicas.
//!
//! Two things may be needed. What is *committed* has to be below the rung again, which only jobs
//! can help. And what the period will have cost at its *end*, with everything that runs on, has to
//! be within the limit, which jobs and services can help: a service has no end, so that what it
//! will cost is not committed. Of all sets of cuts that bring both, the one that loses the least is
//! taken. Nothing is done here; start at [`Scene::relief`].

mod stretch;

use crate::cuts::{self, Chosen};
use crate::error::EngineError;
use crate::exposure::{Exposure, Held};
use crate::member::member_rate;
use crate::sums::Account;
use farthing_ledger::Weights;
use farthing_model::{
    Assignment, BudgetId, Currency, Decimal, Escalation, EscalationAction, HourlyRate,
    Interruptible, Limit, Money, MoneyError, Observed, OfferId, Purchase, Ratio, StepId, Window,
    WorkloadId, WorkloadState, gpu_hours, gpu_rate,
};
use farthing_planner::{BudgetState, Fewer, Gone, Input, accelerators, fewer_replicas};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// Millionths of a whole.
const PPM: i128 = 1_000_000;

/// What a rung that acts takes away, or would.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relief {
    /// Which budget.
    pub budget: BudgetId,
    /// The rung that is reached.
    pub rung: Escalation,
    /// What has to be free again: for what is committed to be below the rung, and for the period to
    /// end within the limit.
    pub need: Money,
    /// What is cut.
    pub cuts: Vec<Cut>,
    /// Whether they free that much.
    pub enough: bool,
    /// Whether nothing that frees as much loses less.
    pub proven: bool,
}

/// A workload that is cut, or would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Which.
    pub workload: WorkloadId,
    /// How.
    pub how: How,
    /// What it would still have cost in the period.
    pub frees: Money,
    /// The same in the unit of the budget: of one in GPU-hours, the hours that it would have had.
    pub of_budget: Money,
    /// What it costs to have it back: of a job saving its work and starting it again, of replicas
    /// their boots.
    pub loses: Money,
    /// The value that is lost meanwhile: of a job that is late if it goes on with the next period,
    /// of a service by the part of its requests that is not carried.
    pub loses_value: Decimal,
    /// The step that does it, where one is proposed: undoing it takes it back.
    pub step: Option<StepId>,
}

/// How a workload is cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum How {
    /// A job is suspended.
    Suspend,
    /// A service gets fewer replicas on an offer, or what may be stretched fewer members.
    Shrink {
        /// Where.
        offer: OfferId,
        /// How many there are.
        from: u32,
        /// How many are left.
        to: u32,
        /// Nodes of each.
        nodes_each: u32,
        /// The part of the service's requests that is carried with all of its cuts, or of the
        /// members of what may be stretched that are left.
        carried: Ratio,
    },
}

/// What cuts are chosen from.
pub(crate) struct Scene<'a> {
    /// The world, prices and policy.
    pub(crate) input: &'a Input,
    /// Services that are not touched now.
    pub(crate) left_alone: BTreeSet<WorkloadId>,
    /// What is committed and not spent, by workload and offer.
    pub(crate) held: BTreeMap<Account, Held>,
    /// How the price of a node is split over its resources.
    pub(crate) weights: &'a Weights,
    /// Now.
    pub(crate) now: Timestamp,
}

/// The ways to cut one workload, each with what it takes.
struct Thing {
    ways: Vec<Vec<Cut>>,
}

impl Thing {
    /// Whether one of its ways takes what is committed: a job that is stopped.
    fn is_committed(&self) -> bool {
        self.ways.iter().flatten().any(|cut| cut.how == How::Suspend)
    }
}

impl Scene<'_> {
    /// What a rung takes away.
    pub(crate) fn relief(
        &self,
        exposure: &Exposure,
        rung: Escalation,
    ) -> Result<Relief, EngineError> {
        let state = &exposure.state;
        let limit = state.limit.amount();
        let mut things = Vec::new();
        for observed in &self.input.snapshot.workloads {
            if !state.budget.scope.covers(&observed.workload) {
                continue;
            }
            // Fewer members before none.
            let mut ways = self.stretch(observed, state).map_err(EngineError::Money)?;
            let job = self.job(observed, state).map_err(EngineError::Money)?;
            ways.extend(job.map(|job| vec![job]));
            if ways.is_empty() {
                ways.extend(self.service(observed, state)?.into_iter().flatten());
            }
            if !ways.is_empty() {
                things.push(Thing { ways });
            }
        }
        let need = self.need(exposure, rung, limit, &things).map_err(EngineError::Money)?;
        let money = state.spent.currency();
        let options = options(&things, (limit.currency(), money)).map_err(EngineError::Money)?;
        let chosen = match rung.action {
            EscalationAction::Suspend => everything(&options, need),
            _ => cuts::least_loss(&options, need),
        };
        let taken = chosen.cuts.iter().flat_map(|(thing, way)| things[*thing].ways[*way].clone());
        Ok(Relief {
            budget: state.budget.id.clone(),
            rung,
            need: Money::from_pico(need[0].max(need[1]).max(0), limit.currency()),
            cuts: taken.collect(),
            enough: chosen.enough,
            proven: chosen.proven,
        })
    }

    /// The end of what is looked at: of a period that is over the last days at every moment, the
    /// end of the horizon.
    pub(crate) fn end(&self, period: Window) -> Timestamp {
        if period.to() == Timestamp::MAX { self.input.horizon.to() } else { period.to() }
    }

    /// What has to be free again, of what is committed and at the end of the period.
    fn need(
        &self,
        exposure: &Exposure,
        rung: Escalation,
        limit: Money,
        things: &[Thing],
    ) -> Result<cuts::Frees, MoneyError> {
        let gone = exposure.gone_amount()?;
        // To be below the rung and not on it. Where there is no job, nothing is committed that a
        // cut would free.
        let committed = if things.iter().any(Thing::is_committed) {
            let need = gone.checked_sub(part(limit, rung.at)?)?;
            need.checked_add(Money::from_pico(1, limit.currency()))?.pico()
        } else {
            0
        };
        let at_end = gone.checked_add(self.going(exposure, limit)?)?.checked_sub(limit)?;
        Ok([committed, at_end.pico()])
    }

    /// What runs on in the scope of a budget will still cost in its period, beyond what is
    /// committed. What nobody knows the price of is not in it.
    fn going(&self, exposure: &Exposure, limit: Money) -> Result<Money, MoneyError> {
        let (state, zero) = (&exposure.state, Money::zero(limit.currency()));
        let end = self.end(state.period);
        let mut accounts: BTreeMap<Account, Money> = BTreeMap::new();
        for observed in &self.input.snapshot.workloads {
            let WorkloadState::Placed(there) = &observed.state else { continue };
            if !state.budget.scope.covers(&observed.workload) {
                continue;
            }
            let service = observed.workload.service().is_some();
            for assignment in there {
                let until = if service { end } else { assignment.window.to().min(end) };
                let Some((rate, each)) = self.rate_under(state, (observed, assignment)) else {
                    continue;
                };
                let Ok(inside) = Window::new(assignment.window.from().max(self.now), until) else {
                    continue;
                };
                let (workload, offer) = (observed.workload.id.clone(), assignment.offer.clone());
                let cost =
                    rate.cost(inside)?.checked_mul_int(each * i128::from(assignment.members))?;
                let sum = accounts.entry(Account { workload, offer }).or_insert(zero);
                *sum = sum.checked_add(cost)?;
            }
        }
        let mut going = zero;
        for (account, cost) in accounts {
            let held = self.held.get(&account).map_or(zero, |held| held.of(state.limit));
            let more = cost.checked_sub(held)?;
            if !more.is_negative() {
                going = going.checked_add(more)?;
            }
        }
        Ok(going)
    }

    /// What one member takes of a budget in an hour, in the budget's unit: a rate, and how many
    /// times that; `None` where nobody knows.
    fn rate_under(
        &self,
        state: &BudgetState,
        (observed, placed): (&Observed, &Assignment),
    ) -> Option<(HourlyRate, i128)> {
        if matches!(state.limit, Limit::Money(_)) {
            return self.rate(observed, placed);
        }
        if self.input.snapshot.terms.shared {
            let asks = observed.workload.resources.gpu_milli;
            return Some((HourlyRate::new(gpu_hours(asks))?, 1));
        }
        let listed = self.input.offers.iter().find(|it| it.id == placed.offer);
        let accelerators = accelerators(&self.input.snapshot, (&placed.offer, listed))?;
        Some((gpu_rate(accelerators), placed.nodes_each.into()))
    }

    /// What suspending a job frees and loses; `None` for what cannot be suspended, has nothing of
    /// the budget to free, or costs nobody knows what.
    fn job(&self, observed: &Observed, state: &BudgetState) -> Result<Option<Cut>, MoneyError> {
        let (workload, now, period) = (&observed.workload, self.now, state.period);
        let Some(job) = workload.job() else { return Ok(None) };
        let (Some(interruptible), WorkloadState::Placed(there)) =
            (job.interruptible, &observed.state)
        else {
            return Ok(None);
        };
        let (mut frees, mut loses): (Option<Money>, Option<Money>) = (None, None);
        let mut of_budget = Money::zero(state.limit.amount().currency());
        let mut late = 0_u32;
        for assignment in there.iter().filter(|there| there.window.to() > now) {
            let Some((rate, each)) = self.rate(observed, assignment) else { return Ok(None) };
            let under = self.rate_under(state, (observed, assignment));
            let Some((under, each_under)) = under else { return Ok(None) };
            let members = i128::from(assignment.members);
            let nodes = each * members;
            let left = assignment.window.from().max(now);
            let inside = Window::new(left, assignment.window.to().min(period.to()));
            let Ok(inside) = inside else { continue };
            let zero = Money::zero(rate.per_hour().currency());
            let saved = rate.cost(inside)?.checked_mul_int(nodes)?;
            frees = Some(frees.unwrap_or(zero).checked_add(saved)?);
            let taken = under.cost(inside)?.checked_mul_int(each_under * members)?;
            of_budget = of_budget.checked_add(taken)?;
            let again = match Window::starting(now, again(interruptible)) {
                Some(window) => rate.cost(window)?.checked_mul_int(nodes)?,
                None => zero,
            };
            loses = Some(loses.unwrap_or(zero).checked_add(again)?);
            let left = assignment.window.to().duration_since(left);
            if is_late(job.deadline, left, period, interruptible) {
                late += assignment.members;
            }
        }
        let (Some(frees), Some(loses), false) = (frees, loses, of_budget.is_zero()) else {
            return Ok(None);
        };
        let value = workload.value.nano().checked_mul(i128::from(late));
        let loses_value = Decimal::from_nano(value.ok_or(MoneyError::Overflow)?.max(0));
        let (workload, how, step) = (workload.id.clone(), How::Suspend, None);
        Ok(Some(Cut { workload, how, frees, of_budget, loses, loses_value, step }))
    }

    /// The ways to give a service fewer replicas; `None` where it has no more than it may, or
    /// nobody knows what they carry or cost.
    fn service(
        &self,
        observed: &Observed,
        state: &BudgetState,
    ) -> Result<Option<Vec<Vec<Cut>>>, EngineError> {
        let id = &observed.workload.id;
        if observed.workload.service().is_none() || self.left_alone.contains(id) {
            return Ok(None);
        }
        let end = self.end(state.period);
        let Ok(window) = Window::new(self.now, end) else { return Ok(None) };
        let fewer = fewer_replicas(self.input, id).map_err(EngineError::Plan)?;
        let Some((_, fewer)) = fewer else { return Ok(None) };
        let way = |fewer: &Fewer| self.shrink(observed, fewer, (state, window));
        let ways: Result<Option<Vec<_>>, MoneyError> = fewer.iter().map(way).collect();
        ways.map_err(EngineError::Money)
    }

    /// What taking replicas of a service frees and loses, by offer.
    fn shrink(
        &self,
        observed: &Observed,
        fewer: &Fewer,
        (state, window): (&BudgetState, Window),
    ) -> Result<Option<Vec<Cut>>, MoneyError> {
        let WorkloadState::Placed(there) = &observed.state else { return Ok(None) };
        let mut cuts = Vec::new();
        for Gone { offer, from, to, nodes_each, unserved } in &fewer.gone {
            let here = there.iter().find(|it| it.offer == *offer && it.nodes_each == *nodes_each);
            let Some(here) = here else { return Ok(None) };
            let rates = self.rate(observed, here).zip(self.rate_under(state, (observed, here)));
            let Some(((rate, each), (under, each_under))) = rates else { return Ok(None) };
            let members = i128::from(from - to);
            let gone = members * each;
            let frees = rate.cost(window)?.checked_mul_int(gone)?;
            let of_budget = under.cost(window)?.checked_mul_int(each_under * members)?;
            let boots = Window::starting(self.now, self.input.policy.boot);
            let loses = match boots.filter(|_| self.is_bought(offer)) {
                Some(boot) => rate.cost(boot)?.checked_mul_int(gone)?,
                None => Money::zero(frees.currency()),
            };
            let value = observed.workload.value.nano().max(0);
            let lost = value.checked_mul(i128::from(unserved.ppm())).ok_or(MoneyError::Overflow)?;
            // Rounded up: a loss is never too small.
            let lost = lost.div_euclid(PPM) + i128::from(lost.rem_euclid(PPM) > 0);
            let how = How::Shrink {
                offer: offer.clone(),
                from: *from,
                to: *to,
                nodes_each: *nodes_each,
                carried: fewer.carried,
            };
            let (workload, loses_value) = (observed.workload.id.clone(), Decimal::from_nano(lost));
            cuts.push(Cut { workload, how, frees, of_budget, loses, loses_value, step: None });
        }
        Ok(Some(cuts))
    }

    /// What one member costs where it is placed: a rate, and how many times that.
    fn rate(&self, observed: &Observed, placed: &Assignment) -> Option<(HourlyRate, i128)> {
        let asks = observed.workload.resources;
        member_rate(&self.input.snapshot, self.weights, (asks, placed))
    }

    /// Whether a node of an offer has to be bought again, and is paid while it boots.
    fn is_bought(&self, offer: &OfferId) -> bool {
        let mut offers = self.input.offers.iter();
        offers.find(|it| it.id == *offer).is_none_or(|it| it.purchase != Purchase::Owned)
    }
}

/// The cuts as what is searched, freed in the unit of the budget and lost in money; their sums fit.
fn options(
    things: &[Thing],
    (unit, money): (Currency, Currency),
) -> Result<Vec<Vec<cuts::Cut>>, MoneyError> {
    let mut all = Vec::new();
    let (mut frees_all, mut loses_all, mut value_all) =
        (Money::zero(unit), Money::zero(money), 0_i128);
    for thing in things {
        let mut ways = Vec::new();
        for way in &thing.ways {
            let frees = Money::sum(way.iter().map(|cut| cut.of_budget), unit)?;
            let loses = Money::sum(way.iter().map(|cut| cut.loses), money)?;
            let value = way.iter().try_fold(0_i128, |sum, cut| {
                sum.checked_add(cut.loses_value.nano()).ok_or(MoneyError::Overflow)
            })?;
            let stops = way.iter().any(|cut| cut.how == How::Suspend);
            let committed = if stops { frees.pico() } else { 0 };
            let frees_both = [committed, frees.pico()];
            ways.push(cuts::Cut { frees: frees_both, loses: (value, loses.pico()) });
            frees_all = frees_all.checked_add(frees)?;
            loses_all = loses_all.checked_add(loses)?;
            value_all = value_all.checked_add(value).ok_or(MoneyError::Overflow)?;
        }
        all.push(ways);
    }
    Ok(all)
}

/// All that can be cut, each in its last way.
fn everything(options: &[Vec<cuts::Cut>], need: cuts::Frees) -> Chosen {
    let last = |(thing, ways): (usize, &Vec<cuts::Cut>)| Some((thing, ways.len().checked_sub(1)?));
    let cuts: Vec<(usize, usize)> = options.iter().enumerate().filter_map(last).collect();
    let freed = cuts.iter().fold([0, 0], |sum: cuts::Frees, (thing, way)| {
        let frees = options[*thing][*way].frees;
        [sum[0] + frees[0], sum[1] + frees[1]]
    });
    Chosen { cuts, enough: freed[0] >= need[0] && freed[1] >= need[1], proven: true }
}

/// A part of a limit, rounded down.
fn part(limit: Money, part: Ratio) -> Result<Money, MoneyError> {
    let pico = part.part_of(limit.pico()).ok_or(MoneyError::Overflow)?;
    Ok(Money::from_pico(pico, limit.currency()))
}

/// What is paid and brings nothing: the checkpoint, and becoming productive again.
fn again(interruptible: Interruptible) -> SignedDuration {
    interruptible.checkpoint.saturating_add(interruptible.restart)
}

/// Whether work that goes on with the next period misses its deadline. Of a period without an end
/// nobody knows when there is room again: what has a deadline is then taken for late.
fn is_late(
    deadline: Option<Timestamp>,
    left: SignedDuration,
    period: Window,
    interruptible: Interruptible,
) -> bool {
    let Some(deadline) = deadline else { return false };
    let next = period.to().checked_add(left.saturating_add(again(interruptible)));
    next.map_or(true, |done| done > deadline)
}
