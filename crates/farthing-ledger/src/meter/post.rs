//! From quantities to charges: the money of each stretch is split once, and the books are closed.

use super::claim::{Claims, SYSTEM};
use super::fill::{Filled, Place};
use super::stretch::{PieceKind, Stretch, Timelines};
use super::{Fault, MeterError, MeterInput, Metered, Method, Unpriced};
use farthing_model::{
    Asset, Charge, Coverage, Destination, Discounts, HourlyRate, Money, MoneyError, PerResource,
    Provenance, Resource, SplitError, Window, split_money,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Writes the charges and asserts that they conserve.
pub(super) fn post(
    (input, method): (&MeterInput<'_>, Method),
    timelines: &Timelines<'_>,
    claims: &Claims,
    filled: &Filled,
) -> Result<Metered, MeterError> {
    let instance_types = input.spans.iter().map(|span| span.instance_type.as_str());
    let mut faults = timelines.faults.clone();
    faults.extend(claims.faults.iter().cloned());
    faults.extend(filled.faults.iter().cloned());
    join_strays(&mut faults);
    let mut metered = Metered {
        cluster: input.cluster.clone(),
        window: input.window,
        currency: input.currency,
        method,
        weights: input.weights.only(instance_types),
        // All at once: a list that grows would leave holes of all sizes behind.
        charges: Vec::with_capacity(filled.shares.values().map(BTreeMap::len).sum()),
        paid: Money::zero(input.currency),
        list: Money::zero(input.currency),
        usage: PerResource::default(),
        coverage: coverage(timelines),
        overcommits: filled.overcommits.clone(),
        unpriced: Vec::new(),
        duplicates: claims.duplicates.values().sum(),
        faults,
    };
    let (nothing, mut bought) = (BTreeMap::new(), None);
    for (index, stretch) in timelines.stretches.iter().enumerate() {
        let Some(window) = stretch.time.window() else { continue };
        let shares = |resource| filled.shares.get(&(index, resource)).unwrap_or(&nothing);
        let shares = PerResource::from_fn(shares);
        match stretch.price(input) {
            Ok(price) => {
                let own = Bought::of(stretch, price.1, bought.take());
                let bought = &*bought.insert(own);
                let poster = Poster { input, claims, stretch, window, price, bought };
                poster.post(&shares, &mut metered)?;
            }
            Err(why) => metered.unpriced.push(unpriced(stretch, window, why, &shares)?),
        }
    }
    Ok(metered)
}

/// One line for each node and resource, however many samples strayed.
fn join_strays(faults: &mut Vec<Fault>) {
    faults.sort();
    faults.dedup_by(|next, kept| match (next, kept) {
        (
            Fault::Stray { node, resource, quantity_nano },
            Fault::Stray { node: kept_node, resource: kept_resource, quantity_nano: sum },
        ) if node == kept_node && resource == kept_resource => {
            *sum += *quantity_nano;
            true
        }
        _ => false,
    });
}

fn coverage(timelines: &Timelines<'_>) -> Coverage {
    let mut coverage = Coverage::default();
    for piece in timelines.pieces.iter().flatten() {
        // Who has a volume or what was sent is not a question of looking at a machine.
        if timelines.stretches[piece.stretch].like.asset != Asset::Node {
            continue;
        }
        coverage.expected_nanos += piece.span.len();
        // A node that boots is known to do nothing.
        if piece.kind != PieceKind::Unmeasured {
            coverage.measured_nanos += piece.span.len();
        }
    }
    coverage
}

fn unpriced(
    stretch: &Stretch<'_>,
    window: Window,
    why: String,
    shares: &PerResource<&BTreeMap<Place, i128>>,
) -> Result<Unpriced, MeterError> {
    let mut quantity_nano = PerResource::<i128>::default();
    for resource in Resource::ALL {
        *quantity_nano.get_mut(resource) = stretch.capacity(resource, stretch.time)?;
    }
    *quantity_nano.get_mut(Resource::Network) = shares.get(Resource::Network).values().sum();
    let (node, offer) = (stretch.like.node.clone(), stretch.like.offer.clone());
    Ok(Unpriced { node, offer, window, why, quantity_nano })
}

/// What something costs, and what it would at the price of the list.
#[derive(Clone, Copy, Debug)]
struct Cost {
    paid: Money,
    list: Money,
}

impl Cost {
    fn is_zero(self) -> bool {
        self.paid.is_zero() && self.list.is_zero()
    }
}

/// One of the two of a charge.
type CostOf = fn(&Charge) -> Money;
const PAID: CostOf = |charge| charge.cost;
const LIST: CostOf = |charge| charge.list_cost;

/// What a node was bought as, which its charges share, and those of the next node if it is like it.
struct Bought {
    place: Arc<farthing_model::Place>,
    instance_type: Arc<str>,
    provenance: Arc<Provenance>,
}

impl Bought {
    fn of(stretch: &Stretch<'_>, provenance: &Provenance, last: Option<Self>) -> Self {
        let like = stretch.like;
        let same = |last: &Self| {
            *last.place == like.place
                && *last.instance_type == *like.instance_type
                && *last.provenance == *provenance
        };
        last.filter(same).unwrap_or_else(|| Self {
            place: Arc::new(like.place.clone()),
            instance_type: Arc::from(like.instance_type.as_str()),
            provenance: Arc::new(provenance.clone()),
        })
    }
}

/// One stretch with a price.
struct Poster<'a> {
    input: &'a MeterInput<'a>,
    claims: &'a Claims,
    stretch: &'a Stretch<'a>,
    window: Window,
    price: (HourlyRate, &'a Provenance),
    bought: &'a Bought,
}

impl Poster<'_> {
    fn post(
        &self,
        shares: &PerResource<&BTreeMap<Place, i128>>,
        metered: &mut Metered,
    ) -> Result<(), MeterError> {
        let like = self.stretch.like;
        let money = |source| self.money_error(source);
        let sent = *shares.get(Resource::Network);
        let costs = |rate: HourlyRate| {
            like.asset.cost(rate, self.window, sent.values().sum()).map_err(money)
        };
        let list = self.price.1.list.as_deref();
        let paid = costs(self.price.0)?;
        let cost = Cost { paid, list: list.map_or(Ok(paid), |list| costs(list.rate))? };
        let first = metered.charges.len();
        if like.asset == Asset::Network {
            self.shared(Resource::Network, cost, sent, metered)?;
        } else if like.capacity == farthing_model::Resources::default() {
            // Paid, and has nothing to sell: there is no resource to charge but the node itself.
            let whole = (SYSTEM, Destination::Overhead, None);
            metered.charges.push(self.charge(Resource::Cpu, whole, 0, cost));
        } else {
            let parts = self.split(cost, list.and_then(|list| list.discounts.as_ref()))?;
            for resource in Resource::ALL {
                self.resource(resource, *parts.get(resource), shares.get(resource), metered)?;
            }
        }
        for (whole, part) in [(cost.paid, PAID), (cost.list, LIST)] {
            let posted = metered.charges[first..].iter().map(part);
            let posted = Money::sum(posted, self.input.currency).map_err(money)?;
            if posted != whole {
                return Err(self.not_conserved("money".to_owned(), whole.pico(), posted.pico()));
            }
        }
        metered.paid = metered.paid.checked_add(cost.paid).map_err(money)?;
        metered.list = metered.list.checked_add(cost.list).map_err(money)?;
        Ok(())
    }

    /// Splits what a node costs over its resources: at the list by their weights, and what is paid
    /// by what the contract leaves of these.
    fn split(
        &self,
        cost: Cost,
        discounts: Option<&Discounts>,
    ) -> Result<PerResource<Cost>, MeterError> {
        let (weights, like) = (&self.input.weights, self.stretch.like);
        let machine = (&*like.instance_type, like.capacity);
        let split = |cost, off| {
            weights.split(cost, machine, off).map_err(|source| self.split_error(source))
        };
        let paid = split(cost.paid, discounts.map(|discounts| &discounts.off))?;
        let mut list;
        if discounts.is_some() {
            list = split(cost.list, None)?;
        } else {
            list = paid;
            for (resource, saved) in split(self.saved(cost)?, None)?.iter() {
                let sum = list.get(resource).checked_add(*saved);
                *list.get_mut(resource) = sum.map_err(|source| self.money_error(source))?;
            }
        }
        Ok(PerResource::from_fn(|resource| Cost {
            paid: *paid.get(resource),
            list: *list.get(resource),
        }))
    }

    fn resource(
        &self,
        resource: Resource,
        cost: Cost,
        shares: &BTreeMap<Place, i128>,
        metered: &mut Metered,
    ) -> Result<(), MeterError> {
        let capacity = self.stretch.capacity(resource, self.stretch.time)?;
        let quantities: Vec<i128> = shares.values().copied().collect();
        let sum: i128 = quantities.iter().sum();
        if sum != capacity || quantities.iter().any(|nano| *nano < 0) {
            return Err(self.not_conserved(resource.to_string(), capacity, sum));
        }
        if sum == 0 && !cost.is_zero() {
            // So short that a fraction of a core offers less than the smallest unit, and costs one.
            let place = (SYSTEM, Destination::Unallocated, None);
            metered.charges.push(self.charge(resource, place, 0, cost));
            return Ok(());
        }
        self.shared(resource, cost, shares, metered)
    }

    /// Splits what a resource costs by what each place has of it.
    fn shared(
        &self,
        resource: Resource,
        cost: Cost,
        shares: &BTreeMap<Place, i128>,
        metered: &mut Metered,
    ) -> Result<(), MeterError> {
        let quantities: Vec<i128> = shares.values().copied().collect();
        let split =
            |cost| split_money(cost, &quantities).map_err(|source| self.split_error(source));
        let paid = split(cost.paid)?;
        let saved = split(self.saved(cost)?)?;
        for ((place, nano), (paid, saved)) in shares.iter().zip(paid.into_iter().zip(saved)) {
            let list = paid.checked_add(saved).map_err(|source| self.money_error(source))?;
            let cost = Cost { paid, list };
            metered.usage.get_mut(resource).add(place.1, *nano);
            metered.charges.push(self.charge(resource, *place, *nano, cost));
        }
        Ok(())
    }

    fn charge(&self, resource: Resource, place: Place, quantity_nano: i128, cost: Cost) -> Charge {
        let (who, destination, detail) = place;
        let like = self.stretch.like;
        let attribution = match (who, destination) {
            // A node that one workload has to itself boots for it.
            (SYSTEM, Destination::Overhead) => like.held_for.clone(),
            (SYSTEM, _) => None,
            _ => Some(self.claims.who[who as usize - 1].clone()),
        };
        Charge {
            cluster: self.input.cluster.clone(),
            window: self.window,
            node: like.node.clone(),
            asset: like.asset,
            offer: like.offer.clone(),
            place: Arc::clone(&self.bought.place),
            instance_type: Arc::clone(&self.bought.instance_type),
            purchase: like.purchase,
            resource,
            destination,
            detail,
            attribution,
            quantity_nano,
            cost: cost.paid,
            list_cost: cost.list,
            node_rate: self.price.0,
            provenance: Arc::clone(&self.bought.provenance),
        }
    }

    /// What is paid less than at the price of the list. It is split by itself, so that no rounding
    /// puts a list below its cost.
    fn saved(&self, cost: Cost) -> Result<Money, MeterError> {
        cost.list.checked_sub(cost.paid).map_err(|source| self.money_error(source))
    }

    fn money_error(&self, source: MoneyError) -> MeterError {
        MeterError::Money { node: self.stretch.like.node.clone(), source }
    }

    fn split_error(&self, source: SplitError) -> MeterError {
        MeterError::Split { node: self.stretch.like.node.clone(), source }
    }

    fn not_conserved(&self, what: String, whole: i128, parts: i128) -> MeterError {
        MeterError::NotConserved { node: self.stretch.like.node.clone(), what, whole, parts }
    }
}
