//! Cuts of what may be stretched: fewer members, which work longer.

use super::{Cut, How, Scene};
use crate::member::stretch_rate;
use farthing_model::{
    Decimal, HourlyRate, Limit, Money, MoneyError, Observed, OfferId, Purchase, Ratio, Stretch,
    Window, WorkloadState, gpu_hours,
};
use farthing_planner::{BudgetState, accelerators};
use jiff::{SignedDuration, Timestamp};

/// Ways in which one workload is cut, at most.
const WAYS_MAX: u32 = 16;

/// What one member takes in an hour, in money and of a budget.
struct Rates {
    money: (HourlyRate, i128),
    budget: (HourlyRate, i128),
}

impl Scene<'_> {
    /// The ways to give what may be stretched fewer members, the least cut first; none where it has
    /// no more than it may, somebody else decides it, or nobody knows what its members cost.
    pub(super) fn stretch(
        &self,
        observed: &Observed,
        state: &BudgetState,
    ) -> Result<Vec<Vec<Cut>>, MoneyError> {
        let id = &observed.workload.id;
        let terms = self.input.snapshot.terms.workloads.get(id);
        let free = terms.filter(|terms| !terms.excluded && terms.steered_by.is_empty());
        let Some(stretch) = free.and_then(|terms| terms.stretch.as_ref()) else {
            return Ok(Vec::new());
        };
        let WorkloadState::Placed(there) = &observed.state else { return Ok(Vec::new()) };
        let end = self.end(state.period);
        let until = match observed.workload.job() {
            Some(_) => there.iter().map(|there| there.window.to()).max().unwrap_or(self.now),
            None => end,
        };
        let (Some(offer), Some(rates), Ok(window)) =
            (&stretch.offer, self.rates(stretch, state), Window::new(self.now, until.min(end)))
        else {
            return Ok(Vec::new());
        };
        let frees_nothing = rates.budget.0.per_hour().is_zero();
        if frees_nothing || self.left_alone.contains(id) || stretch.least >= stretch.wanted {
            return Ok(Vec::new());
        }
        let most = stretch.wanted - stretch.least;
        let each = most.div_ceil(WAYS_MAX).max(1);
        let gone = (1..=most).filter(|gone| gone % each == 0 || *gone == most);
        let way = |gone: u32| {
            let to = stretch.wanted - gone;
            let cut = self.fewer(observed, (stretch, offer, to), &rates, (window, end));
            cut.map(|cut| vec![cut])
        };
        gone.map(way).collect()
    }

    fn rates(&self, stretch: &Stretch, state: &BudgetState) -> Option<Rates> {
        let snapshot = &self.input.snapshot;
        let money = stretch_rate(snapshot, self.weights, stretch)?;
        if matches!(state.limit, Limit::Money(_)) {
            return Some(Rates { money, budget: money });
        }
        let pods = i128::from(stretch.pods_each);
        if snapshot.terms.shared {
            let each = gpu_hours(stretch.each.gpu_milli);
            return Some(Rates { money, budget: (HourlyRate::new(each)?, pods) });
        }
        let offer = stretch.offer.as_ref()?;
        let listed = self.input.offers.iter().find(|it| it.id == *offer);
        let has = accelerators(snapshot, (offer, listed))?;
        Some(Rates { money, budget: (farthing_model::gpu_rate(has), pods) })
    }

    fn fewer(
        &self,
        observed: &Observed,
        (stretch, offer, to): (&Stretch, &OfferId, u32),
        rates: &Rates,
        (window, end): (Window, Timestamp),
    ) -> Result<Cut, MoneyError> {
        let gone = i128::from(stretch.wanted - to);
        let of = |(rate, each): (HourlyRate, i128), window: Window| {
            rate.cost(window)?.checked_mul_int(each * gone)
        };
        let frees = of(rates.money, window)?;
        let mut offers = self.input.offers.iter();
        let owned = offers.find(|it| it.id == *offer).map(|it| it.purchase);
        let boots = Window::starting(self.now, self.input.policy.boot);
        let loses = match boots.filter(|_| owned != Some(Purchase::Owned)) {
            Some(boot) => of(rates.money, boot)?,
            None => Money::zero(frees.currency()),
        };
        let deadline = observed.workload.job().and_then(|job| job.deadline);
        let late = deadline.is_some_and(|due| is_late(stretch, to, due, (self.now, end)));
        let members = if late { stretch.wanted } else { 0 };
        let value = observed.workload.value.nano().max(0).checked_mul(i128::from(members));
        let carried = Ratio::of(i128::from(to), i128::from(stretch.wanted)).unwrap_or(Ratio::ZERO);
        Ok(Cut {
            workload: observed.workload.id.clone(),
            how: How::Shrink {
                offer: offer.clone(),
                from: stretch.wanted,
                to,
                nodes_each: stretch.pods_each,
                carried,
            },
            frees,
            of_budget: of(rates.budget, window)?,
            loses,
            loses_value: Decimal::from_nano(value.ok_or(MoneyError::Overflow)?),
            step: None,
        })
    }
}

/// Whether work with `to` members until `end`, and all of them after that, misses a deadline that
/// it would not miss with all of them. Where nobody knows what is left it is taken for late.
fn is_late(stretch: &Stretch, to: u32, due: Timestamp, (now, end): (Timestamp, Timestamp)) -> bool {
    let Some(left) = stretch.left.map(|left| left.as_nanos()) else { return true };
    let (all, few) = (i128::from(stretch.wanted), i128::from(to));
    let span = |nanos: i128| SignedDuration::try_from_nanos_i128(nanos);
    let after = |from: Timestamp, work: i128, members: i128| {
        let nanos = span((work + members - 1).div_euclid(members.max(1)))?;
        from.checked_add(nanos).ok()
    };
    // Late already: fewer members lose nothing more of its value.
    if after(now, left, all).is_none_or(|done| done > due) {
        return false;
    }
    let meanwhile = end.duration_since(now).as_nanos().saturating_mul(few);
    let done =
        if left <= meanwhile { after(now, left, few) } else { after(end, left - meanwhile, all) };
    done.is_none_or(|done| done > due)
}
