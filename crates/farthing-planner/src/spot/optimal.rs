//! The least cost with the whole trace known: exact dynamic programming, for comparison only.
//!
//! States are the tick, where the job is, and the slack: time left less work and launches that are
//! left. A tick of work keeps the slack, a tick of waiting takes a tick of it, a launch takes an
//! overhead. A launch that does not outlive its overhead is never part of a least cost, so nothing
//! else of it is kept.

use super::{SpotError, Terms};
use crate::program::gcd;
use farthing_model::Money;

/// Slack in units, at most.
const SLACK_MAX: i64 = 200_000;
/// The cost of what is late; no sum of prices comes near.
const LATE: u64 = u64::MAX / 4;

/// The least cost of being in time, rounded down to 10^-12, or `None` where there is no way.
///
/// # Errors
/// The trace is shorter than the deadline, the lengths have too small a divisor in common, or the
/// prices too many digits.
pub fn optimal(terms: &Terms, available: &[bool]) -> Result<Option<Money>, SpotError> {
    let ticks = usize::try_from(terms.ticks()).unwrap_or(usize::MAX);
    let Some(trace) = available.get(..ticks) else {
        return Err(SpotError::Short { given: available.len(), needed: terms.ticks() });
    };
    let prices = Prices::of(terms)?;
    let Some(lengths) = Lengths::of(terms)? else { return Ok(None) };
    let mut next = Costs::new(lengths.slack + 1);
    let mut costs = Costs::new(lengths.slack + 1);
    for (gone, available) in trace.iter().rev().enumerate() {
        costs.fill(&next, &lengths, (gone + 1, available.then_some(prices.spot), prices.on_demand));
        std::mem::swap(&mut costs, &mut next);
    }
    let least = next.idle[lengths.slack];
    let of = |units: u64| {
        let pico = i128::from(units) * prices.unit_pico * i128::from(terms.tick_s) / 3_600;
        Money::from_pico(pico, terms.spot_hour.currency())
    };
    Ok((least < LATE).then(|| of(least)))
}

/// Prices of an hour in whole units.
struct Prices {
    unit_pico: i128,
    spot: u64,
    on_demand: u64,
}

impl Prices {
    fn of(terms: &Terms) -> Result<Self, SpotError> {
        let (spot, on_demand) = (terms.spot_hour.pico(), terms.on_demand_hour.pico());
        let unit_pico = gcd(on_demand, spot);
        let most = i128::from(LATE) / i128::from(2 * terms.ticks());
        let whole = |pico: i128| {
            let units = pico / unit_pico;
            u64::try_from(units)
                .ok()
                .filter(|_| units < most)
                .ok_or(SpotError::Prices { spot: terms.spot_hour, on_demand: terms.on_demand_hour })
        };
        Ok(Self { unit_pico, spot: whole(spot)?, on_demand: whole(on_demand)? })
    }
}

/// Lengths in a unit that divides them all.
struct Lengths {
    tick: usize,
    overhead: usize,
    work: usize,
    slack: usize,
}

impl Lengths {
    /// `None` where there is more work than time.
    fn of(terms: &Terms) -> Result<Option<Self>, SpotError> {
        let unit_s = [terms.work_s, terms.overhead_s, terms.deadline_s]
            .into_iter()
            .fold(i128::from(terms.tick_s), |unit, length| gcd(unit, length.into()));
        let unit_s = i64::try_from(unit_s).unwrap_or(1);
        let slack = (terms.deadline_s - terms.work_s) / unit_s;
        if slack > SLACK_MAX {
            return Err(SpotError::Fine { unit_s });
        }
        let whole = |length: i64| usize::try_from(length / unit_s).unwrap_or(usize::MAX);
        Ok(usize::try_from(slack).ok().map(|slack| Self {
            tick: whole(terms.tick_s),
            overhead: whole(terms.overhead_s),
            work: whole(terms.work_s),
            slack,
        }))
    }
}

/// The least cost from a tick on, by slack: of a job that does not run, runs on spot, on demand.
struct Costs {
    idle: Vec<u64>,
    spot: Vec<u64>,
    on_demand: Vec<u64>,
}

impl Costs {
    /// At the deadline: what has slack has ended, for there is no time left.
    fn new(len: usize) -> Self {
        Self { idle: vec![0; len], spot: vec![0; len], on_demand: vec![0; len] }
    }

    /// From those of the tick after, with so many ticks left.
    fn fill(
        &mut self,
        next: &Self,
        lengths: &Lengths,
        (left, spot, on_demand): (usize, Option<u64>, u64),
    ) {
        let len = self.idle.len();
        let Lengths { tick, overhead, work, .. } = *lengths;
        // With more slack the work is done; less slack would be more work than there ever is.
        let end = (left * tick).min(len);
        let start = (left * tick).saturating_sub(work + overhead).min(end);
        for slack in start..end {
            let mut idle = slack.checked_sub(tick).map_or(LATE, |at| next.idle[at]);
            if let Some(launched) = slack.checked_sub(overhead) {
                idle = idle.min(next.on_demand[launched] + on_demand);
                if let Some(price) = spot {
                    idle = idle.min(next.spot[launched] + price);
                }
            }
            self.idle[slack] = idle.min(LATE);
            self.spot[slack] = spot.map_or(idle, |price| idle.min(next.spot[slack] + price));
            self.on_demand[slack] = idle.min(next.on_demand[slack] + on_demand);
        }
        for costs in [&mut self.idle, &mut self.spot, &mut self.on_demand] {
            costs[..start].fill(LATE);
            costs[end..].fill(0);
        }
    }
}
