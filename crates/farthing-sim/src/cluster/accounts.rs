//! The books of a run: what was paid and held in each hour, metered by the ledger itself.
//!
//! The simulation hands over one [`Hour`] after another and goes on; the ledger meters them beside
//! it. What the nodes cost is also summed up where they are switched off, from their rate and their
//! time alone: both must come to the same to the last unit.

use super::error::ClusterError;
use super::spec::{ClusterSpec, PoolSpec};
use farthing_ledger::{Books, MeterInput, Weights, meter};
use farthing_model::{
    Asset, Attribution, ClusterId, Currency, Destination, HourlyRate, Money, NodeId, NodeSpan,
    OfferId, PerResource, Place, Price, PriceKind, Provenance, Purchase, Resource, Resources,
    Sample, SourceId, Window,
};
use jiff::Timestamp;
use std::sync::Arc;

/// A node that was paid.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paid {
    pub(super) pool: usize,
    pub(super) node: u32,
    pub(super) from_s: i64,
    pub(super) to_s: i64,
    pub(super) ready_s: i64,
}

/// Accelerators of a node that a job held.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) pool: usize,
    pub(super) node: u32,
    pub(super) count: u32,
    pub(super) from_s: i64,
    pub(super) to_s: i64,
    /// It ran from then on; before, it waited for its other nodes.
    pub(super) runs_s: i64,
    /// Accelerator-nanoseconds that it used; `None` = all from when it ran.
    pub(super) used_nano: Option<i128>,
    pub(super) who: Arc<Attribution>,
}

/// Everything that was paid and held within an hour.
#[derive(Debug)]
pub(super) struct Hour {
    pub(super) from_s: i64,
    pub(super) paid: Vec<Paid>,
    pub(super) held: Vec<Held>,
}

/// What the ledger says of one hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HourSum {
    /// The beginning of the hour, in seconds since 1970.
    pub from_s: i64,
    /// What was paid.
    pub paid: Money,
    /// What of it did work.
    pub used: Money,
}

/// What the ledger says of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posted {
    /// What nodes cost.
    pub paid: Money,
    /// Accelerators that jobs ran on.
    pub used: Money,
    /// Accelerators that jobs held while they waited for their other nodes.
    pub idle: Money,
    /// Accelerators of nodes that were on and that nobody held.
    pub unallocated: Money,
    /// Nodes that booted.
    pub overhead: Money,
    /// Accelerator time that jobs ran, in nanoseconds.
    pub used_nano: i128,
    /// Charges in the books.
    pub charges: u64,
    /// Each hour, in order.
    pub hours: Vec<HourSum>,
}

/// Meters hours as they come.
pub(super) struct Ledger<'a> {
    spec: &'a ClusterSpec,
    cluster: ClusterId,
    offers: Vec<(OfferId, Price, Resources)>,
    nodes: Vec<Vec<NodeId>>,
    source: SourceId,
    books: Option<&'a Books>,
    weights: Weights,
    posted: Posted,
}

impl<'a> Ledger<'a> {
    /// Empty books, kept in `books` where there are some.
    pub(super) fn new(
        spec: &'a ClusterSpec,
        cluster: &ClusterId,
        books: Option<&'a Books>,
    ) -> Result<Self, ClusterError> {
        let offers = spec.pools.iter().map(offer).collect::<Result<_, _>>()?;
        let zero = Money::zero(currency(spec));
        Ok(Self {
            spec,
            cluster: cluster.clone(),
            offers,
            nodes: vec![Vec::new(); spec.pools.len()],
            source: SourceId::new("simulation").map_err(ClusterError::name)?,
            books,
            weights: weights(currency(spec)),
            posted: Posted {
                paid: zero,
                used: zero,
                idle: zero,
                unallocated: zero,
                overhead: zero,
                used_nano: 0,
                charges: 0,
                hours: Vec::new(),
            },
        })
    }

    /// Meters an hour.
    pub(super) fn post(&mut self, hour: &Hour) -> Result<(), ClusterError> {
        let spans = hour.paid.iter().map(|paid| self.span(paid)).collect::<Result<Vec<_>, _>>()?;
        let mut samples = Vec::with_capacity(hour.held.len());
        for held in &hour.held {
            self.samples(held, &mut samples)?;
        }
        let window = window(hour.from_s, hour.from_s + 3_600)?;
        let currency = currency(self.spec);
        let input = MeterInput {
            cluster: &self.cluster,
            window,
            currency,
            spans: &spans,
            samples: &samples,
            weights: &self.weights,
        };
        let metered = meter(&input).map_err(ClusterError::Meter)?;
        if let Some(fault) = metered.faults.first() {
            return Err(ClusterError::Books(fault.to_string()));
        }
        let mut sums = [Money::zero(currency); 4];
        for charge in &metered.charges {
            let sum = &mut sums[place(charge.destination)];
            *sum = sum.checked_add(charge.cost).map_err(ClusterError::Money)?;
        }
        let posted = &mut self.posted;
        let totals =
            [&mut posted.used, &mut posted.idle, &mut posted.unallocated, &mut posted.overhead];
        for (total, sum) in totals.into_iter().zip(sums) {
            *total = total.checked_add(sum).map_err(ClusterError::Money)?;
        }
        posted.paid = posted.paid.checked_add(metered.paid).map_err(ClusterError::Money)?;
        posted.used_nano += metered.usage.get(Resource::Gpu).used_nano;
        posted.charges += u64::try_from(metered.charges.len()).unwrap_or(u64::MAX);
        posted.hours.push(HourSum { from_s: hour.from_s, paid: metered.paid, used: sums[0] });
        if let Some(books) = self.books {
            books.put_hour(&metered).map_err(|error| ClusterError::Books(error.what()))?;
        }
        Ok(())
    }

    /// Closes the books: the parts are the whole, and the whole is what was expected.
    pub(super) fn close(self, expected: Money, used_nano: i128) -> Result<Posted, ClusterError> {
        let Posted { paid, used, idle, unallocated, overhead, .. } = self.posted;
        let parts = Money::sum([used, idle, unallocated, overhead], paid.currency());
        let parts = parts.map_err(ClusterError::Money)?;
        if parts != paid || paid != expected {
            return Err(ClusterError::NotConserved { paid, parts, expected });
        }
        if self.posted.used_nano != used_nano {
            let found = self.posted.used_nano;
            return Err(ClusterError::NotAllRan { found, expected: used_nano });
        }
        Ok(self.posted)
    }

    fn span(&mut self, paid: &Paid) -> Result<NodeSpan, ClusterError> {
        let pool = &self.spec.pools[paid.pool];
        let names = &mut self.nodes[paid.pool];
        let index = usize::try_from(paid.node).unwrap_or(usize::MAX);
        while names.len() <= index {
            let kind = if pool.nodes.is_some() { "" } else { "rented-" };
            let name = format!("{kind}{}-{:05}", pool.name, names.len());
            names.push(NodeId::new(&name).map_err(ClusterError::name)?);
        }
        let (offer, price, capacity) = &self.offers[paid.pool];
        Ok(NodeSpan {
            node: names[index].clone(),
            asset: Asset::Node,
            offer: offer.clone(),
            place: Place { provider: "trace".to_owned(), region: "trace".to_owned(), zone: None },
            instance_type: pool.name.clone(),
            purchase: purchase(pool),
            capacity: *capacity,
            price: price.clone(),
            window: window(paid.from_s, paid.to_s)?,
            ready: moment(paid.ready_s)?,
            held_for: None,
            measured: true,
        })
    }

    /// What a job held, before it ran and then.
    fn samples(&self, held: &Held, samples: &mut Vec<Sample>) -> Result<(), ClusterError> {
        let runs_s = held.runs_s.clamp(held.from_s, held.to_s);
        for (from_s, to_s, ran) in [(held.from_s, runs_s, false), (runs_s, held.to_s, true)] {
            if from_s >= to_s {
                continue;
            }
            let nano = i128::from(to_s - from_s) * i128::from(held.count) * 1_000_000_000;
            samples.push(Sample {
                source: self.source.clone(),
                node: self.nodes[held.pool][usize::try_from(held.node).unwrap_or(0)].clone(),
                device: None,
                slice: None,
                attribution: Some(Arc::clone(&held.who)),
                resource: Resource::Gpu,
                window: window(from_s, to_s)?,
                requested_nano: nano,
                used_nano: Some(if ran { held.used_nano.unwrap_or(nano) } else { 0 }),
                held_nano: None,
            });
        }
        Ok(())
    }
}

/// Whether nodes are the owner's own.
pub(super) fn purchase(pool: &PoolSpec) -> Purchase {
    if pool.nodes.is_some() { Purchase::Owned } else { Purchase::OnDemand }
}

/// A node of a trace is nothing but its accelerators, so that they get all of its price.
fn weights(currency: Currency) -> Weights {
    let unit = HourlyRate::new(Money::from_pico(1_000_000_000_000, currency));
    Weights::new(PerResource::from_fn(|resource| match (resource, unit) {
        (Resource::Gpu, Some(unit)) => unit,
        _ => HourlyRate::free(currency),
    }))
}

/// The currency of all prices of a cluster.
pub(super) fn currency(spec: &ClusterSpec) -> Currency {
    spec.pools.first().map_or(Currency::USD, |pool| pool.price.per_hour().currency())
}

fn offer(pool: &PoolSpec) -> Result<(OfferId, Price, Resources), ClusterError> {
    let kind = purchase(pool).name();
    let id = OfferId::new(&format!("trace/{kind}/{}", pool.name)).map_err(ClusterError::name)?;
    let provenance = Provenance {
        kind: PriceKind::List,
        source: "farthing simulate".to_owned(),
        as_of: jiff::civil::date(1970, 1, 1),
        list: None,
    };
    let gpu_milli = u64::from(pool.accelerators) * 1_000;
    let capacity = Resources { gpu_milli, ..Resources::default() };
    Ok((id, Price::Known(pool.price, provenance), capacity))
}

const fn place(destination: Destination) -> usize {
    match destination {
        Destination::Used => 0,
        Destination::Idle => 1,
        Destination::Unallocated => 2,
        Destination::Overhead => 3,
    }
}

/// A moment of a trace.
pub(super) fn moment(second: i64) -> Result<Timestamp, ClusterError> {
    Timestamp::from_second(second).map_err(|_| ClusterError::Time(second))
}

/// A span of a trace.
pub(super) fn window(from_s: i64, to_s: i64) -> Result<Window, ClusterError> {
    Window::new(moment(from_s)?, moment(to_s)?).map_err(|_| ClusterError::Time(to_s))
}
