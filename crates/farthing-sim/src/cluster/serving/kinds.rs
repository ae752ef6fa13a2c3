//! What replicas can do, by the table of throughputs.

use super::ServingSpec;
use crate::cluster::error::ClusterError;
use farthing_model::{
    Accelerator, AcceleratorError, AcceleratorQuery, BucketRate, Currency, Money,
};

/// Microseconds of a second in 10^-9 requests per second times microseconds.
const NANO_MICROS: i128 = 1_000_000_000_000_000;
/// A whole in 10^-9.
const NANO: i128 = 1_000_000_000;
/// Most requests that a replica works on at once.
const SLOTS_MAX: i128 = 1 << 20;

/// How long a replica takes for requests of a size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Takes {
    /// That it has a place, in microseconds.
    pub(super) place_us: i64,
    /// From then to its first token.
    pub(super) first_us: i64,
}

/// A kind of replica.
#[derive(Clone, Debug)]
pub(super) struct Kind {
    pub(super) pool: usize,
    /// Accelerators of one copy of the model.
    pub(super) accelerators: u32,
    pub(super) nodes_each: u32,
    /// Requests that a replica works on at once, with all copies on its nodes.
    pub(super) slots: u32,
    /// By size; `None` where it cannot serve it.
    pub(super) takes: Vec<Option<Takes>>,
    /// What an hour of it costs, in 10^-12.
    pub(super) price: i128,
}

/// The kinds of replicas, and the sizes of requests that are told apart.
#[derive(Clone, Debug)]
pub struct Kinds {
    pub(super) sizes: Vec<(u32, u32)>,
    pub(super) all: Vec<Kind>,
    names: Vec<String>,
}

impl Kinds {
    /// Those that the nodes of a cluster allow.
    ///
    /// # Errors
    /// Nothing is measured on a kind of node, or a size is served by none.
    pub fn of(spec: &ServingSpec) -> Result<Self, ClusterError> {
        let mut sizes: Vec<(u32, u32)> =
            spec.throughput.iter().map(|row| (row.input_tokens, row.output_tokens)).collect();
        sizes.sort_unstable();
        sizes.dedup();
        let (mut all, mut names) = (Vec::new(), Vec::new());
        for (index, pool) in spec.pools.iter().enumerate() {
            let wrong = |_: AcceleratorError| ClusterError::Name(format!("`{}`", pool.name));
            let accelerator: Accelerator = pool.name.parse().map_err(wrong)?;
            let rows =
                || spec.throughput.iter().filter(|row| row.accelerator.matches(&accelerator));
            let mut counts: Vec<u32> = rows().map(|row| row.count.max(1)).collect();
            counts.sort_unstable();
            counts.dedup();
            if counts.is_empty() {
                let known = spec.throughput.iter().map(|row| &row.accelerator);
                let mut known: Vec<String> = known.map(AcceleratorQuery::to_string).collect();
                known.sort_unstable();
                known.dedup();
                let what = format!("`{}` is in no row of the throughputs", pool.name);
                return Err(ClusterError::Name(format!("{what}; they know {}", known.join(", "))));
            }
            for count in counts {
                let rows: Vec<&BucketRate> =
                    rows().filter(|row| row.count.max(1) == count).collect();
                let nodes_each = count.div_ceil(pool.accelerators.max(1));
                if pool.nodes.is_some_and(|nodes| nodes < nodes_each) {
                    continue;
                }
                let copies = (pool.accelerators / count).max(1);
                let price = pool.price.per_hour().pico() * i128::from(nodes_each);
                let (slots, takes) = measured(&rows, &sizes, copies);
                let accelerators = count;
                all.push(Kind { pool: index, accelerators, nodes_each, slots, takes, price });
                names.push(format!("{}x{count}", pool.name));
            }
        }
        let served = |size: usize| all.iter().any(|kind| kind.takes[size].is_some());
        if let Some((input, output)) =
            (0..sizes.len()).find(|size| !served(*size)).map(|size| sizes[size])
        {
            let what = "no node of the cluster serves requests of";
            return Err(ClusterError::Name(format!("{what} {input} tokens in and {output} out")));
        }
        Ok(Self { sizes, all, names })
    }

    /// The kinds by name: the accelerator, and how many of them a copy of the model has.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// What an hour of each costs, in 10^-12, in the order of the names.
    pub fn prices(&self) -> impl Iterator<Item = i128> {
        self.all.iter().map(|kind| kind.price)
    }

    /// The size that a request counts as: the nearest by the ratio of tokens.
    #[allow(clippy::cast_possible_truncation, reason = "a table has no 65,536 sizes")]
    pub(super) fn size(&self, input: u32, output: u32) -> u16 {
        let far = |a: u32, b: u32| {
            let (a, b) = (f64::from(a) + 1.0, f64::from(b) + 1.0);
            a.max(b) / a.min(b)
        };
        let of = |(a, b): (u32, u32)| far(a, input) * far(b, output);
        let (mut best, mut least) = (0, f64::INFINITY);
        for (at, size) in self.sizes.iter().enumerate() {
            let distance = of(*size);
            if distance < least {
                (best, least) = (at, distance);
            }
        }
        best as u16
    }

    /// What serving so many requests of each size takes of a kind alone, in microseconds of
    /// replicas; `None` where it cannot serve some.
    pub(super) fn work_us(&self, kind: usize, counts: &[u64]) -> Option<i128> {
        let kind = &self.all[kind];
        let mut sum = 0;
        for (takes, count) in kind.takes.iter().zip(counts).filter(|(_, count)| **count > 0) {
            sum += i128::from(takes.as_ref()?.place_us) * i128::from(*count);
        }
        let slots = i128::from(kind.slots);
        Some((sum + slots - 1) / slots)
    }

    /// The kind that serves a mix at the lowest cost alone.
    pub(super) fn cheapest(&self, counts: &[u64]) -> usize {
        let cost = |kind: usize| Some(self.work_us(kind, counts)? * self.all[kind].price);
        let kinds = (0..self.all.len()).filter_map(|kind| Some((cost(kind)?, kind)));
        kinds.min().map_or(0, |(_, kind)| kind)
    }

    /// The work of requests, each at the lowest cost that it can have: no policy can be below.
    pub(super) fn least(&self, counts: &[u64], currency: Currency) -> Money {
        const HOUR_US: i128 = 3_600_000_000;
        let mut pico = 0;
        for (size, count) in counts.iter().enumerate() {
            let costs = self.all.iter().filter_map(|kind| {
                let place_us = i128::from(kind.takes[size]?.place_us);
                Some(kind.price * place_us / i128::from(kind.slots))
            });
            pico += costs.min().unwrap_or(0) * i128::from(*count) / HOUR_US;
        }
        Money::from_pico(pico, currency)
    }
}

/// Places of a replica, and how long a request of each size has one. So many as are worked on at
/// once for as long as that takes are what is served: throughput times time.
fn measured(rows: &[&BucketRate], sizes: &[(u32, u32)], copies: u32) -> (u32, Vec<Option<Takes>>) {
    let at_once = |row: &&&BucketRate| {
        let phases = row.phases?;
        let whole = phases.prefill_s.nano().checked_add(phases.decode_s.nano())?;
        let many = row.requests_per_s.nano().checked_mul(whole)?;
        // Rounded to the nearest: both numbers were.
        Some((many + NANO * NANO / 2) / (NANO * NANO))
    };
    let least =
        rows.iter().filter(|row| row.requests_per_s.is_positive()).filter_map(|row| at_once(&row));
    let slots = least.min().unwrap_or(1).clamp(1, SLOTS_MAX);
    let takes = |(input, output): &(u32, u32)| {
        let is = |row: &&&BucketRate| (row.input_tokens, row.output_tokens) == (*input, *output);
        let row = rows.iter().find(is).filter(|row| row.requests_per_s.is_positive())?;
        let place = slots * NANO_MICROS / row.requests_per_s.nano();
        let first = row.phases.map_or(0, |phases| phases.prefill_s.nano() / 1_000);
        let micros = |value: i128| i64::try_from(value).unwrap_or(i64::MAX / 4).max(1);
        let place_us = micros(place);
        Some(Takes { place_us, first_us: micros(first).min(place_us) })
    };
    let all = sizes.iter().map(takes).collect();
    let slots = u32::try_from(slots).unwrap_or(1).saturating_mul(copies);
    (slots, all)
}
