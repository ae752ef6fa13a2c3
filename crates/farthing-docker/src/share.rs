//! Parts of the machine: what they are called, what they cost, and how many of them fit.
//!
//! The planner knows nodes that belong to one member each (ADR 0008). A container with limits is
//! such a node: a part of the machine that is its own, at the price of that part. What is left of
//! the machine is a node too, so that what is paid stays what the machine costs.

use farthing_model::{
    DeviceId, HourlyRate, IdError, Money, Offer, OfferId, PerResource, Place, Price, Purchase,
    Resource, Resources, proportion,
};

/// Resources that a container is given a part of.
const SHARED: [Resource; 2] = [Resource::Cpu, Resource::Memory];

/// The machine that containers share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shares {
    /// Where it stands.
    pub place: Place,
    /// How it is paid.
    pub purchase: Purchase,
    /// What an hour of all of it costs.
    pub price: Price,
    /// What of that is for each of its resources.
    pub parts: PerResource<Money>,
    /// What it has.
    pub capacity: Resources,
    /// Its accelerators, in the driver's order.
    pub gpus: Vec<DeviceId>,
}

impl Shares {
    /// The machine's type of a part: `share 500m 64Mi`.
    pub(crate) fn instance_type(shape: Resources) -> String {
        format!("share {} {}", cores(shape.cpu_milli), bytes(shape.memory_bytes))
    }

    /// The offer of a part; `None` where the place has a name that no id can have.
    pub(crate) fn offer(&self, shape: Resources) -> Option<OfferId> {
        self.id(shape).ok()
    }

    fn id(&self, shape: Resources) -> Result<OfferId, IdError> {
        Offer::id_of(&self.place, &Self::instance_type(shape), self.purchase)
    }

    /// What an hour of a part costs, rounded down to the last unit of money.
    pub(crate) fn price(&self, shape: Resources) -> Price {
        let (rate, from) = match &self.price {
            Price::Known(rate, from) => (rate, from),
            Price::Unknown(why) => return Price::Unknown(why.clone()),
        };
        let part = |resource: Resource| {
            let all = self.capacity.nano(resource);
            let part = self.parts.get(resource).pico();
            if all == 0 { Some(0) } else { proportion(part, shape.nano(resource), all) }
        };
        let pico = SHARED.into_iter().try_fold(0_i128, |sum, resource| {
            part(resource).and_then(|part| sum.checked_add(part))
        });
        let money = pico.map(|pico| Money::from_pico(pico, rate.per_hour().currency()));
        match money.and_then(HourlyRate::new) {
            Some(rate) => Price::Known(rate, from.clone()),
            None => Price::Unknown("its part of the machine's price does not fit".to_owned()),
        }
    }

    /// What an hour of the machine costs beside those parts of it.
    pub(crate) fn rest(&self, shapes: &[Resources]) -> Price {
        let (rate, from) = match &self.price {
            Price::Known(rate, from) => (rate.per_hour(), from),
            Price::Unknown(why) => return Price::Unknown(why.clone()),
        };
        let left = shapes.iter().try_fold(rate, |left, shape| {
            let part = self.price(*shape).rate()?.per_hour();
            left.checked_sub(part).ok()
        });
        match left.and_then(HourlyRate::new) {
            Some(rate) => Price::Known(rate, from.clone()),
            None => Price::Unknown("its containers cost more than the machine".to_owned()),
        }
    }

    /// How many more parts of a shape fit beside what is taken.
    pub(crate) fn fit(&self, shape: Resources, taken: Resources) -> u32 {
        let fits = SHARED.into_iter().filter_map(|resource| {
            let each = shape.nano(resource);
            let left = (self.capacity.nano(resource) - taken.nano(resource)).max(0);
            (each > 0).then(|| left / each)
        });
        fits.min().and_then(|fit| u32::try_from(fit).ok()).unwrap_or(0)
    }
}

/// The sum of what is taken; saturates, as no machine is that large.
pub(crate) const fn plus(one: Resources, other: Resources) -> Resources {
    Resources {
        gpu_milli: one.gpu_milli.saturating_add(other.gpu_milli),
        cpu_milli: one.cpu_milli.saturating_add(other.cpu_milli),
        memory_bytes: one.memory_bytes.saturating_add(other.memory_bytes),
        storage_bytes: one.storage_bytes.saturating_add(other.storage_bytes),
    }
}

/// What is left; nothing where more is taken than there is.
pub(crate) const fn minus(one: Resources, other: Resources) -> Resources {
    Resources {
        gpu_milli: one.gpu_milli.saturating_sub(other.gpu_milli),
        cpu_milli: one.cpu_milli.saturating_sub(other.cpu_milli),
        memory_bytes: one.memory_bytes.saturating_sub(other.memory_bytes),
        storage_bytes: one.storage_bytes.saturating_sub(other.storage_bytes),
    }
}

/// `2`, `500m`.
pub(crate) fn cores(milli: u64) -> String {
    if milli.is_multiple_of(1_000) { (milli / 1_000).to_string() } else { format!("{milli}m") }
}

/// `4Gi`, `64Mi`, `1000` in the largest unit that is exact.
pub(crate) fn bytes(bytes: u64) -> String {
    for (shift, unit) in [(30, "Gi"), (20, "Mi"), (10, "Ki")] {
        if bytes > 0 && bytes.is_multiple_of(1 << shift) {
            return format!("{}{unit}", bytes >> shift);
        }
    }
    bytes.to_string()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use farthing_model::{Currency, PriceKind, Provenance};
    use proptest::prelude::*;

    /// A machine of 4 cores and 8 GiB at 1 USD/h, of which cores are 0.6 and memory 0.3.
    pub(crate) fn shares() -> Shares {
        let money = |milli: i128| Money::from_pico(milli * 1_000_000_000, Currency::USD);
        let mut parts = PerResource::from_fn(|_| Money::zero(Currency::USD));
        *parts.get_mut(Resource::Cpu) = money(600);
        *parts.get_mut(Resource::Memory) = money(300);
        *parts.get_mut(Resource::Storage) = money(100);
        let from = Provenance {
            kind: PriceKind::List,
            source: "test".to_owned(),
            as_of: "2026-11-01".parse().unwrap(),
            list: None,
        };
        Shares {
            place: Place { provider: "local".to_owned(), region: "box".to_owned(), zone: None },
            purchase: Purchase::Owned,
            price: Price::Known(HourlyRate::new(money(1_000)).unwrap(), from),
            parts,
            capacity: shape(4_000, 8 << 30),
            gpus: Vec::new(),
        }
    }

    pub(crate) fn shape(cpu_milli: u64, memory_bytes: u64) -> Resources {
        Resources { cpu_milli, memory_bytes, ..Resources::default() }
    }

    fn per_hour(price: &Price) -> i128 {
        price.rate().unwrap().per_hour().pico()
    }

    #[test]
    fn a_part_costs_its_part_and_is_named_by_it() {
        let (all, part) = (shares(), shape(1_000, 4 << 30));
        assert_eq!(per_hour(&all.price(part)), 300_000_000_000, "0.15 and 0.15");
        assert_eq!(all.offer(part).unwrap().as_str(), "local/box/share 1 4Gi/owned");
        assert_eq!(Shares::instance_type(shape(500, 64 << 20)), "share 500m 64Mi");
        assert_eq!(Shares::instance_type(shape(1_500, 1_000)), "share 1500m 1000");
        assert_eq!(all.fit(part, Resources::default()), 2);
        assert_eq!(all.fit(part, shape(3_500, 0)), 0);
        assert_eq!(all.fit(part, shape(9_000, 9 << 40)), 0, "more is taken than there is");
    }

    proptest! {
        #[test]
        fn parts_and_the_rest_are_the_machine(
            parts in prop::collection::vec((1_u64..4_000, 1_u64..(8 << 30)), 0..9),
        ) {
            let all = shares();
            let shapes: Vec<_> = parts.iter().map(|(cpu, memory)| shape(*cpu, *memory)).collect();
            let taken = shapes.iter().copied().fold(Resources::default(), plus);
            prop_assume!(taken.fits_in(Resources { storage_bytes: 1, ..all.capacity }));
            let rest = per_hour(&all.rest(&shapes));
            let sum: i128 = shapes.iter().map(|shape| per_hour(&all.price(*shape))).sum();
            prop_assert_eq!(rest + sum, 1_000_000_000_000);
            prop_assert!(rest >= 100_000_000_000, "disks are nobody's part");
        }
    }
}
