//! What workloads had and used, tick by tick, as it was metered: what is decided about replicas by.
//!
//! Only elastic workloads are kept, and no longer than anybody asks. It refuses to know what is
//! done with it, and to guess: what nobody measured is not known. Start at [`Loads`].

use crate::error::EngineError;
use farthing_ledger::Metered;
use farthing_model::{
    Destination, Detail, Money, MoneyError, Resource, Resources, Window, WorkloadId, proportion,
};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Ticks that are kept at most, however long is asked for: a day of minutes.
const TICKS_MAX: usize = 1_440;
/// What a replica takes more of with more to do. Its memory it has either way.
const GROWS: [Resource; 2] = [Resource::Gpu, Resource::Cpu];

/// What a workload had and used in a tick.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Load {
    /// What it was charged.
    cost: Money,
    parts: BTreeMap<Resource, Part>,
}

/// Of one resource, in 10^-9 unit-seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Part {
    used: i128,
    allocated: i128,
    /// Of which nobody knows whether it was used.
    unknown: i128,
}

/// The last ticks, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Loads {
    /// Who is looked at.
    watched: BTreeSet<WorkloadId>,
    ticks: VecDeque<(Window, BTreeMap<WorkloadId, Load>)>,
}

/// How much of its replicas a service used: as many whole replicas would have been filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Filled {
    /// By what was used of which resource.
    pub(crate) by: Resource,
    /// In 10^-6 replicas.
    pub(crate) micro: i128,
}

impl Loads {
    /// Keeps an eye on these from now on.
    pub(crate) fn watch(&mut self, watched: BTreeSet<WorkloadId>) {
        self.watched = watched;
    }

    /// Takes what was metered in a tick, or a part of one.
    pub(crate) fn add(&mut self, metered: &Metered) -> Result<(), EngineError> {
        if self.watched.is_empty() {
            self.ticks.clear();
            return Ok(());
        }
        let mut loads = BTreeMap::new();
        for charge in &metered.charges {
            let Some(who) = charge.attribution.as_ref() else { continue };
            let Some(id) = self.watched.get(&who.workload) else { continue };
            let nothing = || Load { cost: Money::zero(metered.currency), parts: BTreeMap::new() };
            let load: &mut Load = loads.entry(id.clone()).or_insert_with(nothing);
            load.cost = load.cost.checked_add(charge.cost).map_err(EngineError::Money)?;
            let part = load.parts.entry(charge.resource).or_default();
            match charge.destination {
                Destination::Used => part.used += charge.quantity_nano,
                Destination::Idle => {}
                Destination::Unallocated | Destination::Overhead => continue,
            }
            part.allocated += charge.quantity_nano;
            if charge.detail == Some(Detail::Unknown) {
                part.unknown += charge.quantity_nano;
            }
        }
        self.ticks.push_back((metered.window, loads));
        Ok(())
    }

    /// Forgets what nobody asks for any more.
    pub(crate) fn keep(&mut self, span: SignedDuration, now: Timestamp) {
        let from = now.checked_sub(span).unwrap_or(Timestamp::MIN);
        while self.ticks.front().is_some_and(|(window, _)| window.to() <= from)
            || self.ticks.len() > TICKS_MAX
        {
            self.ticks.pop_front();
        }
    }

    /// The ticks of a span that ends now, whole and without gaps; `None` where some of it was not
    /// seen.
    pub(crate) fn over(
        &self,
        workload: &WorkloadId,
        span: SignedDuration,
        now: Timestamp,
    ) -> Option<Vec<(Window, &Load)>> {
        let from = now.checked_sub(span).ok()?;
        let mut seen = Vec::new();
        let mut until = None;
        for (window, loads) in self.ticks.iter().filter(|(window, _)| window.to() > from) {
            let first = until.is_none() && window.from() > from;
            if first || until.is_some_and(|until| until != window.from()) {
                return None;
            }
            until = Some(window.to());
            seen.push((*window, loads.get(workload)?));
        }
        (until == Some(now)).then_some(seen)
    }

    /// The newest tick.
    pub(crate) fn last(&self, workload: &WorkloadId) -> Option<(Window, &Load)> {
        let (window, loads) = self.ticks.back()?;
        Some((*window, loads.get(workload)?))
    }
}

/// What one replica has of a resource in a window, in 10^-12 unit-seconds.
fn of_one(resource: Resource, each: Resources, window: Window) -> i128 {
    let milli = match resource {
        Resource::Gpu => each.gpu_milli,
        Resource::Cpu => each.cpu_milli,
        _ => 0,
    };
    i128::from(milli).saturating_mul(window.nanos())
}

impl Load {
    /// How many replicas were filled by what was used of each resource that they take more of with
    /// more to do; `None` where not all of that is known.
    pub(crate) fn filled(&self, each: Resources, window: Window) -> Option<Vec<Filled>> {
        let mut all = Vec::new();
        for by in GROWS {
            let one = of_one(by, each, window);
            if one == 0 {
                continue;
            }
            let part = self.parts.get(&by).filter(|part| part.unknown == 0)?;
            let micro = proportion(part.used, 1_000_000_000, one)?;
            all.push(Filled { by, micro });
        }
        (!all.is_empty()).then_some(all)
    }

    /// What so many replicas cost in so long, at what those cost that there were.
    pub(crate) fn cost_of(
        &self,
        replicas: u32,
        (each, window): (Resources, Window),
        length: SignedDuration,
    ) -> Result<Option<Money>, MoneyError> {
        let had = GROWS.into_iter().find_map(|by| {
            let (one, part) = (of_one(by, each, window), self.parts.get(&by)?);
            (one > 0 && part.allocated > 0).then_some((one, part.allocated))
        });
        let Some((one, allocated)) = had else { return Ok(None) };
        // allocated / one is how many there were in the mean.
        let part = one.checked_mul(length.as_nanos()).zip(Some(i128::from(replicas)));
        let part = part.and_then(|(part, replicas)| part.checked_mul(replicas));
        let all = allocated.checked_mul(1_000).and_then(|all| all.checked_mul(window.nanos()));
        let whole = part.zip(all).and_then(|(part, all)| proportion(self.cost.pico(), part, all));
        let pico = whole.ok_or(MoneyError::Overflow)?;
        Ok(Some(Money::from_pico(pico, self.cost.currency())))
    }
}

/// The fewest replicas of which `filled` is no more than a part.
pub(crate) fn needed(filled: Filled, part_ppm: u32) -> u32 {
    let part = i128::from(part_ppm.max(1));
    u32::try_from((filled.micro + part - 1).div_euclid(part)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
