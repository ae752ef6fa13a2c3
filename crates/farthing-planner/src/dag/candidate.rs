//! Candidates: on which offers a task can run, how long, and at which cost; or what stops it.
//!
//! Filters before price, in a fixed order: size, way to pay, provider and region, residency,
//! price known, number available, caps on an hour. What passes is kept by place: the cheapest and
//! the second for each run time, as nothing else can be better. Nothing here chooses.

use super::configuration::{Configuration, Held, configurations, runs};
use super::market::Market;
use super::report::Obstacle;
use super::{DagError, DagInput};
use farthing_model::{Dag, Money, NANOS_PER_HOUR, Purchase, Task, proportion};
use std::collections::BTreeSet;

/// Nanoseconds in a millisecond, the grain of run times.
pub(super) const MILLI: i128 = 1_000_000;
/// What is compared where nobody said how long a task runs.
pub(super) const HOUR: i64 = 3_600_000;

/// An offer on which a task can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// Position of the offer in the market.
    pub(crate) offer: u32,
    /// Position of its place in the market.
    pub(crate) place: u32,
    /// How long, in milliseconds, with boot and expected loss.
    pub(crate) run: i64,
    /// How much longer where its nodes boot as late as they do at worst.
    pub(crate) late: i64,
    /// How long it works in that time.
    pub(crate) busy: i64,
    /// What all nodes cost for that long, in 10^-12.
    pub(crate) cost: i128,
}

/// Where a task may be: for each place of the market, the filter that stops it there, if any.
struct Filters<'a> {
    task: &'a Task,
    /// Its position in the DAG.
    number: usize,
    places: Vec<Stop>,
    node_price_max: i128,
    price_max: i128,
}

/// What stops an offer, in the order of filters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stop {
    Size,
    Purchase,
    Place,
    Residency,
    Price,
    Available,
    NodeCap,
    Cap,
    Nothing,
}

/// The candidates of a task: the cheapest of each place and run time first, then the second ones.
pub(crate) struct Candidates {
    pub(crate) best: Vec<Candidate>,
    pub(crate) second: Vec<Candidate>,
    /// Where there are only so many of the cheapest: all that are cheaper than the first of which
    /// there is no end, and that one.
    pub(crate) rest: Vec<Candidate>,
    /// Offers that passed all filters.
    pub(crate) passed: usize,
}

/// The candidates of a task, or what stops it.
pub(crate) fn candidates(
    input: &DagInput<'_>,
    number: usize,
) -> Result<Result<Candidates, Obstacle>, DagError> {
    let (market, task) = (input.market, &input.dag.tasks[number]);
    let mut configurations = match configurations(task, market)? {
        Ok(configurations) => configurations,
        Err(obstacle) => return Ok(Err(obstacle)),
    };
    for configuration in &mut configurations {
        configuration.runs = runs(task, input.policy, configuration.busy)?;
    }
    let filters = Filters::new(input.dag, number, market);
    let mut runs: Vec<Held> = configurations.iter().flat_map(|it| it.runs).collect();
    runs.sort_unstable();
    runs.dedup();
    // For each run time and place the two cheapest offers so far.
    let mut least = vec![[None::<(i128, u32, i64)>; 2]; runs.len() * market.places.len()];
    let mut passed = 0;
    for configuration in &configurations {
        let row = configuration
            .runs
            .map(|run| runs.binary_search(&run).unwrap_or_default() * market.places.len());
        configuration.machines.each(market, |at| {
            if filters.stop(market, at, configuration.count) != Stop::Nothing {
                return;
            }
            passed += 1;
            let Some(rate) = market.weighed(at) else { return };
            let row = row[way(market.purchase[at as usize])];
            let [first, second] = &mut least[row + market.place[at as usize] as usize];
            let this = Some((rate, at, configuration.busy));
            if first.is_none_or(|(least, ..)| rate < least) {
                *second = std::mem::replace(first, this);
            } else if first.is_none_or(|it| it.1 != at)
                && second.is_none_or(|(least, ..)| rate < least)
            {
                *second = this;
            }
        });
    }
    if passed == 0 {
        return Ok(Err(filters.obstacle(market, &configurations)));
    }
    let mut found = Candidates { best: Vec::new(), second: Vec::new(), rest: Vec::new(), passed };
    for (at, [first, second]) in least.iter().enumerate() {
        let Held { run, late } = runs[at / market.places.len()];
        let place = u32::try_from(at % market.places.len()).unwrap_or(u32::MAX);
        for (slot, list) in [(first, &mut found.best), (second, &mut found.second)] {
            let Some((rate, offer, busy)) = *slot else { continue };
            let cost = cost(rate, task.nodes, run).ok_or_else(|| too_large(task))?;
            list.push(Candidate { offer, place, run, late, busy, cost });
        }
    }
    if market.limited {
        found.rest = rest(market, &filters, &configurations, &found)?;
    }
    Ok(Ok(found))
}

/// What may be chosen where the cheapest of a place and run time runs out, without the two that are
/// known of each.
fn rest(
    market: &Market,
    filters: &Filters<'_>,
    configurations: &[Configuration],
    known: &Candidates,
) -> Result<Vec<Candidate>, DagError> {
    let task = filters.task;
    let mut all: Vec<(Held, u32, i128, u32, i64)> = Vec::new();
    for configuration in configurations {
        configuration.machines.each(market, |at| {
            if filters.stop(market, at, configuration.count) == Stop::Nothing
                && let Some(rate) = market.weighed(at)
            {
                let run = configuration.runs[way(market.purchase[at as usize])];
                all.push((run, market.place[at as usize], rate, at, configuration.busy));
            }
        });
    }
    all.sort_unstable();
    all.dedup_by_key(|(run, _, _, at, _)| (*run, *at));
    let listed: BTreeSet<(i64, u32)> =
        known.best.iter().chain(&known.second).map(|it| (it.run, it.offer)).collect();
    let mut rest = Vec::new();
    for same in all.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
        let endless =
            same.iter().position(|(_, _, _, at, _)| market.available[*at as usize] == u32::MAX);
        for (Held { run, late }, place, rate, offer, busy) in
            &same[..endless.map_or(same.len(), |at| at + 1)]
        {
            if !listed.contains(&(*run, *offer)) {
                let cost = cost(*rate, task.nodes, *run).ok_or_else(|| too_large(task))?;
                let (offer, place) = (*offer, *place);
                let (run, late) = (*run, *late);
                rest.push(Candidate { offer, place, run, late, busy: *busy, cost });
            }
        }
    }
    Ok(rest)
}

/// Where a way to pay stands in [`Purchase::ALL`].
fn way(purchase: Purchase) -> usize {
    Purchase::ALL.iter().position(|other| *other == purchase).unwrap_or_default()
}

/// `rate x nodes x run`, rounded down once to 10^-12.
fn cost(rate: i128, nodes: u32, run: i64) -> Option<i128> {
    proportion(rate.checked_mul(nodes.into())?, i128::from(run) * MILLI, NANOS_PER_HOUR)
}

pub(super) fn too_large(task: &Task) -> DagError {
    DagError::TooLarge(format!("task {}", task.name))
}

impl<'a> Filters<'a> {
    fn new(dag: &'a Dag, number: usize, market: &Market) -> Self {
        let task = &dag.tasks[number];
        let named = |list: &[String], name: &str| {
            list.is_empty() || list.iter().any(|it| it.eq_ignore_ascii_case(name))
        };
        let held = |list: &[String], holds: &[String]| {
            list.is_empty() || list.iter().any(|it| holds.contains(it))
        };
        let place = |(place, holds): (&farthing_model::Place, &Vec<String>)| {
            if !named(&task.providers, &place.provider) || !named(&task.regions, &place.region) {
                Stop::Place
            } else if !held(&dag.residency, holds) || !held(&task.residency, holds) {
                Stop::Residency
            } else {
                Stop::Nothing
            }
        };
        let most = |cap: Option<farthing_model::HourlyRate>| {
            cap.map_or(i128::MAX, |cap| cap.per_hour().pico())
        };
        Self {
            task,
            number,
            places: market.places.iter().zip(&market.residency).map(place).collect(),
            node_price_max: most(task.node_price_max),
            price_max: most(task.price_max),
        }
    }

    fn stop(&self, market: &Market, at: u32, count: u32) -> Stop {
        if !market.allows(self.number, at) {
            return Stop::Size;
        }
        let at = at as usize;
        if market.count[at] < count || !self.task.resources.fits_in(market.capacity[at]) {
            return Stop::Size;
        }
        if !self.pays(market.purchase[at]) {
            return Stop::Purchase;
        }
        let place = self.places[market.place[at] as usize];
        if place != Stop::Nothing {
            return place;
        }
        let Some(rate) = market.rate[at] else { return Stop::Price };
        if market.available[at] < self.task.nodes {
            Stop::Available
        } else if rate > self.node_price_max {
            Stop::NodeCap
        } else if rate.saturating_mul(self.task.nodes.into()) > self.price_max {
            Stop::Cap
        } else {
            Stop::Nothing
        }
    }

    /// None named is on demand, or what one owns.
    fn pays(&self, purchase: Purchase) -> bool {
        let named = &self.task.purchase;
        if named.is_empty() {
            return matches!(purchase, Purchase::OnDemand | Purchase::Owned);
        }
        named.contains(&purchase)
    }

    /// Why no offer passed: the last filter that any came to.
    fn obstacle(&self, market: &Market, configurations: &[Configuration]) -> Obstacle {
        let (mut furthest, mut least) = (Stop::Size, i128::MAX);
        for configuration in configurations {
            configuration.machines.each(market, |at| {
                let stop = self.stop(market, at, configuration.count);
                furthest = furthest.max(stop);
                if matches!(stop, Stop::NodeCap | Stop::Cap) {
                    least = least.min(market.rate[at as usize].unwrap_or(i128::MAX));
                }
            });
        }
        let task = self.task.name.clone();
        let money = |pico| Money::from_pico(pico, market.currency);
        let no_offer = |why: &str| Obstacle::NoOffer { task: task.clone(), why: why.to_owned() };
        let all = least.saturating_mul(self.task.nodes.into());
        match furthest {
            Stop::Size => no_offer("no machine is large enough"),
            Stop::Purchase => no_offer("no machine that is large enough is sold that way"),
            Stop::Place => no_offer("the providers and regions that are named do not have it"),
            Stop::Residency => no_offer(
                "no place that has it is known to be in the jurisdictions that the DAG and the \
                 task ask for",
            ),
            Stop::Price => no_offer("no price is known"),
            Stop::Available => no_offer("not so many nodes are available anywhere"),
            // The cap of a node comes first, so what came to the cap of all nodes passed it.
            Stop::Cap => Obstacle::Price {
                task: task.clone(),
                per: "all nodes",
                cap: money(self.price_max),
                least: money(all),
            },
            Stop::NodeCap | Stop::Nothing => Obstacle::Price {
                task: task.clone(),
                per: "one node",
                cap: money(self.node_price_max),
                least: money(least),
            },
        }
    }
}
