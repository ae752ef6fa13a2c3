//! What a service does not need for a while, lent to batch work that gives it back within a bound.
//!
//! What the service will need until a replica that is asked back is there again is forecast from
//! its own days before: at this time of the day, by how much did demand rise above where it stood?
//! Of those rises the upper quantile is taken as conformal prediction does it, so that the next
//! rise is above it in no more than the rest of cases if days are alike; where too few days are
//! known for that, nothing is lent.

/// What is known of a service.
#[derive(Clone, Copy, Debug)]
pub struct Demand<'a> {
    /// Demand in each slot so far, oldest first, in any unit; the last one is that which ends now.
    pub seen: &'a [u64],
    /// Slots of a day.
    pub day: usize,
    /// Demand that a replica serves within its objective.
    pub replica: u64,
    /// Replicas that are owned.
    pub owned: u32,
    /// Slots until a replica that is asked back serves again, rounded up.
    pub back: usize,
    /// Slots for which a replica must be free to be worth lending.
    pub worth: usize,
    /// Of how many cases in a million the forecast is to hold.
    pub quantile_ppm: u64,
}

/// How many replicas may be elsewhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lending {
    /// No more than so many may be lent: what is above is asked back.
    pub most: u32,
    /// As long as fewer than so many are lent, another one is worth it.
    pub worth: u32,
    /// What the forecast until a replica would be back rests on: rises of days before.
    pub samples: usize,
}

/// Slots before and after the same time of other days whose rises count.
const AROUND_PARTS: usize = 24;

/// How many replicas can be lent now.
pub fn lend(demand: &Demand<'_>) -> Lending {
    let needed = |ahead: usize| {
        let (rate, samples) = forecast(demand, ahead)?;
        let replicas = rate.div_ceil(demand.replica.max(1));
        let free = u64::from(demand.owned).saturating_sub(replicas);
        Some((u32::try_from(free).unwrap_or(0), samples))
    };
    let Some((most, samples)) = needed(demand.back + 1) else { return Lending::default() };
    let worth = needed(demand.back + demand.worth.max(1)).map_or(0, |(free, _)| free.min(most));
    Lending { most, worth, samples }
}

/// The highest demand in so many slots from now on that is to be expected, and of how many rises.
fn forecast(demand: &Demand<'_>, ahead: usize) -> Option<(u64, usize)> {
    let (seen, day) = (demand.seen, demand.day.max(1));
    let now = *seen.last()?;
    let around = day / AROUND_PARTS;
    let (mut sums, mut factors) = (Vec::new(), Vec::new());
    let mut same = seen.len() - 1;
    while let Some(before) = same.checked_sub(day) {
        same = before;
        for at in before.saturating_sub(around)..=before + around {
            let Some(next) = seen.get(at + 1..at + 1 + ahead) else { continue };
            let (stood, rose) = (seen[at], next.iter().copied().max().unwrap_or(0));
            sums.push(rose.saturating_sub(stood));
            factors.push(u128::from(rose) * 1_000_000 / u128::from(stood.max(1)));
        }
    }
    let samples = sums.len();
    let rank = (samples as u128 + 1) * u128::from(demand.quantile_ppm);
    let rank = usize::try_from(rank.div_ceil(1_000_000)).ok()?.max(1);
    sums.sort_unstable();
    factors.sort_unstable();
    // Beyond the last one: too few days are known for this quantile.
    let (sum, factor) = (*sums.get(rank - 1)?, *factors.get(rank - 1)?);
    let by_factor = u128::from(now) * factor / 1_000_000;
    // At the same level both say the same; where the level is another one, the larger is believed,
    // but no more than a rise by the sum twice: a factor of almost nothing says nothing.
    let by_sum = now.saturating_add(sum);
    let most = u128::from(now.saturating_add(sum.saturating_mul(2)));
    Some((by_sum.max(u64::try_from(by_factor.min(most)).unwrap_or(u64::MAX)), samples))
}
