//! Accelerator time: the least cost within so many GPU-hours.
//!
//! For any price `t >= 0` of an accelerator-hour beside what it costs, no plan that takes `H` of
//! them or fewer costs less than `min (cost + t hours) - t H`. So a price is looked for at which the
//! cheapest plan takes no more than `H`: the search is that of plans without such a limit, at other
//! prices, and the best of these numbers is a proven bound. It refuses to search by itself.

use super::market::Market;
use super::report::Obstacle;
use super::{DagError, DagInput, DagPlan, explain, planned};
use crate::Status;
use farthing_model::{Dag, Money, NANOS_PER_HOUR, Objective, Ratio, proportion};

/// Milliseconds in a thousandth of an hour.
const MILLI_HOUR_MS: i128 = 3_600;
/// The price of an accelerator-hour grows by this until little enough is taken, and at most to
/// this: then nothing else counts.
const GROWTH: i128 = 8;
const TOLL_MAX: i128 = 1_000_000_000_000_000_000_000;
/// Prices that are tried between one that is too low and one that is enough.
const HALVINGS: u32 = 12;
/// Ends that are tried where the soonest takes too much.
const ENDS: u32 = 6;
/// The part of all work, one of so many, that each price is tried with.
const PART: u64 = 4;

/// Accelerator-milliseconds that a task takes on nodes with so many accelerators.
pub(super) fn taken(accelerators: u32, nodes: u32, run: i64) -> i128 {
    i128::from(accelerators) * i128::from(nodes) * i128::from(run)
}

/// The most accelerator-milliseconds.
pub(super) fn cap(milli: u64) -> i128 {
    i128::from(milli) * MILLI_HOUR_MS
}

/// The plan, or another that takes no more accelerator time than the DAG may; a plan that cannot
/// be stays as it is.
pub(super) fn within(input: &DagInput<'_>, plan: DagPlan) -> Result<DagPlan, DagError> {
    let Some(milli) = input.dag.gpu_hours_max_milli else { return Ok(plan) };
    if plan.tasks.is_empty() || hours(input.market, &plan) <= cap(milli) {
        return Ok(plan);
    }
    match input.dag.objective {
        Objective::Time => soonest(input, &plan, milli),
        Objective::Cost | Objective::Carbon => {
            let found = Search { input, cap: cap(milli) }.run(&plan, HALVINGS)?;
            Ok(found.report(input, &plan, milli))
        }
    }
}

/// Accelerator-milliseconds of a plan.
fn hours(market: &Market, plan: &DagPlan) -> i128 {
    let of = plan.tasks.iter().filter_map(|task| {
        let at = market.position(&task.offer)?;
        let run = i64::try_from(task.window?.nanos() / 1_000_000).ok()?;
        Some(taken(market.count[at as usize], task.nodes, run))
    });
    of.sum()
}

/// The plan that ends soonest within the cap, as near as some halvings come.
fn soonest(input: &DagInput<'_>, free: &DagPlan, milli: u64) -> Result<DagPlan, DagError> {
    let cap = cap(milli);
    let dag = Dag { objective: Objective::Cost, ..input.dag.clone() };
    let by_cost = DagInput { dag: &dag, ..*input };
    let mut found = Search { input: &by_cost, cap }.run(&planned(&by_cost)?, HALVINGS)?;
    let (mut low, mut high) = match &found.best {
        Some(best) => (free.makespan, best.makespan),
        None => return Ok(found.report(input, free, milli)),
    };
    for _ in 0..ENDS {
        let middle = low + (high.saturating_sub(low)) / 2;
        if middle <= low {
            break;
        }
        let Ok(end) = input.now.checked_add(middle) else { break };
        let due = dag.deadline.map_or(end, |due| due.min(end));
        let early = Dag { deadline: Some(due), ..dag.clone() };
        let early = DagInput { dag: &early, ..by_cost };
        let free = planned(&early)?;
        let best = match free.tasks.is_empty() {
            true => None,
            false if hours(input.market, &free) <= cap => Some(free),
            false => Search { input: &early, cap }.run(&free, ENDS)?.best,
        };
        match best {
            Some(best) => {
                high = best.makespan;
                found.best = Some(best);
            }
            None => low = middle,
        }
    }
    // Nothing is proven of what ends as early.
    found.bound = None;
    let plan = found.report(input, free, milli);
    Ok(DagPlan { makespan_bound: free.makespan_bound, ..plan })
}

/// A search for the least cost within a cap.
struct Search<'a> {
    input: &'a DagInput<'a>,
    cap: i128,
}

/// What came of it.
struct Found {
    /// The cheapest plan within the cap.
    best: Option<DagPlan>,
    /// No plan within the cap costs less.
    bound: Option<i128>,
    /// The fewest accelerator-milliseconds of any plan that was seen.
    least: i128,
    /// The offers of the last plan that was cheaper and took too much.
    over: Vec<u32>,
}

impl Search<'_> {
    /// Looks for prices from that of a plan which takes too much.
    fn run(&self, plan: &DagPlan, halvings: u32) -> Result<Found, DagError> {
        let taken = hours(self.input.market, plan);
        let bound = plan.lower_bound.map(Money::pico);
        let mut found = Found { best: None, bound, least: taken, over: self.offers(plan) };
        if !plan.tasks.is_empty() && taken <= self.cap {
            found.best = Some(plan.clone());
            return Ok(found);
        }
        // What an accelerator-hour costs in it: a price of that order may change something.
        let each = proportion(plan.cost.pico(), 3_600_000, taken.max(1)).unwrap_or(0);
        let (mut low, mut high) = (0, (each / GROWTH).max(1_000));
        while !self.try_toll(high, &mut found)? {
            if high >= TOLL_MAX {
                return Ok(found);
            }
            low = high;
            high = high.saturating_mul(GROWTH).min(TOLL_MAX);
        }
        for _ in 0..halvings {
            let is_proven = found.best.as_ref().map(|best| best.cost.pico()) == found.bound;
            let toll = low + (high - low) / 2;
            if is_proven || toll <= low {
                break;
            }
            if self.try_toll(toll, &mut found)? {
                high = toll;
            } else {
                low = toll;
            }
        }
        self.polish(&mut found)?;
        Ok(found)
    }

    /// Between two prices tasks change together: each is put back alone where there is room for it.
    fn polish(&self, found: &mut Found) -> Result<(), DagError> {
        for task in 0..found.over.len() {
            let Some(best) = &found.best else { return Ok(()) };
            let mut offers = self.offers(best);
            if offers.len() != found.over.len() || offers[task] == found.over[task] {
                continue;
            }
            offers[task] = found.over[task];
            self.try_offers(offers, found)?;
        }
        Ok(())
    }

    /// Where each task of a plan is.
    fn offers(&self, plan: &DagPlan) -> Vec<u32> {
        let market = self.input.market;
        plan.tasks.iter().filter_map(|task| market.position(&task.offer)).collect()
    }

    /// The plan with each task on one offer, kept where it is the cheapest that takes few.
    fn try_offers(&self, offers: Vec<u32>, found: &mut Found) -> Result<(), DagError> {
        let only = self.input.market.only(offers);
        let work_max = self.input.work_max / PART;
        let plan = planned(&DagInput { market: &only, work_max, ..*self.input })?;
        let costs = |plan: &DagPlan| (plan.unpriced_bytes, plan.cost.pico());
        let fits = !plan.tasks.is_empty() && hours(&only, &plan) <= self.cap;
        if fits && found.best.as_ref().is_none_or(|best| costs(&plan) < costs(best)) {
            found.best = Some(plan);
        }
        Ok(())
    }

    /// The cheapest plan at a price; whether it takes little enough.
    fn try_toll(&self, toll: i128, found: &mut Found) -> Result<bool, DagError> {
        let market = self.input.market.with_toll(toll);
        // A cap on cost is on what is paid.
        let dag = Dag { cost_max: None, ..self.input.dag.clone() };
        let work_max = self.input.work_max / PART;
        let tolled = planned(&DagInput { dag: &dag, market: &market, work_max, ..*self.input })?;
        if tolled.tasks.is_empty() {
            return Ok(false);
        }
        if let Some(bound) = tolled.lower_bound {
            let toll = toll.saturating_mul(self.cap).div_euclid(NANOS_PER_HOUR / 1_000_000) + 1;
            // Each task was rounded down once.
            let rounded = i128::try_from(dag.tasks.len()).unwrap_or(i128::MAX);
            let bound = bound.pico().saturating_sub(toll).saturating_sub(rounded);
            found.bound = found.bound.max(Some(bound));
        }
        let taken = hours(&market, &tolled);
        found.least = found.least.min(taken);
        if taken > self.cap {
            found.over = self.offers(&tolled);
            return Ok(false);
        }
        self.try_offers(self.offers(&tolled), found)?;
        Ok(true)
    }
}

impl Found {
    /// The plan, with what is proven of it and of others; or that there is none.
    fn report(self, input: &DagInput<'_>, free: &DagPlan, cap_milli: u64) -> DagPlan {
        let Some(best) = self.best else {
            let least = (self.least + MILLI_HOUR_MS - 1) / MILLI_HOUR_MS;
            let least_milli = u64::try_from(least).unwrap_or(u64::MAX);
            let obstacle = Obstacle::GpuHours { cap_milli, least_milli };
            return explain::infeasible(input, vec![obstacle]);
        };
        let bound = self.bound.map(|bound| bound.min(best.cost.pico()));
        let bound = bound.map(|bound| Money::from_pico(bound, best.currency));
        let is_optimal = bound == Some(best.cost);
        let gap = bound.and_then(|bound| Ratio::of(best.cost.pico() - bound.pico(), bound.pico()));
        let mut plan = DagPlan {
            reference: free.reference,
            // They are held to the cap, too.
            baselines: free.baselines.clone(),
            status: if is_optimal { Status::Optimal } else { Status::Feasible },
            lower_bound: bound,
            gap,
            ..best
        };
        plan.search.method = "price of an accelerator-hour";
        plan.search.limited = !is_optimal;
        for task in &mut plan.tasks {
            task.reasons.push(format!(
                "the cheapest plan of all takes more than the {} GPU-hours that it may",
                farthing_model::Decimal::from_nano(i128::from(cap_milli) * 1_000_000)
            ));
        }
        plan
    }
}
