//! Weights: base prices that only split the price of a node over its resources.

use farthing_model::{
    HourlyRate, Money, PerResource, Ratio, Resource, Resources, SplitError, split_money,
};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Bytes in a GiB, the unit that memory and storage weights are given in.
const GIB: i128 = 1 << 30;

/// Base prices of one GPU-hour, core-hour, GiB-hour of memory and GiB-hour of storage.
///
/// They are never charged: they are scaled so that their sum over a node's capacity is the node's
/// price. Only their ratios matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weights {
    base: PerResource<HourlyRate>,
    gpu_of: BTreeMap<String, HourlyRate>,
}

/// Why a text is not weights.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a weight: write `gpu 2.55 USD/h` or `gpu:INSTANCE_TYPE 2.55 USD/h`")]
pub struct WeightsError(String);

impl Weights {
    /// From the base price of each resource's unit: GPU, core, GiB of memory, GiB of storage.
    pub const fn new(base: PerResource<HourlyRate>) -> Self {
        Self { base, gpu_of: BTreeMap::new() }
    }

    /// Sets the base price of one accelerator of a machine type, where cards differ in price.
    #[must_use]
    pub fn with_gpu(mut self, instance_type: &str, gpu_hour: HourlyRate) -> Self {
        self.gpu_of.insert(instance_type.to_owned(), gpu_hour);
        self
    }

    /// Only what matters for these machine types; what is kept beside an hour's charges.
    #[must_use]
    pub fn only<'a>(&self, instance_types: impl IntoIterator<Item = &'a str>) -> Self {
        let kept = |name: &str| Some((name.to_owned(), *self.gpu_of.get(name)?));
        let gpu_of = instance_types.into_iter().filter_map(kept).collect();
        Self { base: self.base, gpu_of }
    }

    /// These, and for machine types that they do not name those of others.
    #[must_use]
    pub fn or(&self, others: &Self) -> Self {
        let mut gpu_of = others.gpu_of.clone();
        gpu_of.extend(self.gpu_of.iter().map(|(name, rate)| (name.clone(), *rate)));
        Self { base: self.base, gpu_of }
    }

    /// Splits what a node costs over its resources by largest remainder. A resource without
    /// capacity gets nothing; when every resource that has capacity weighs nothing, they weigh
    /// the same. Where a contract takes so much off each resource, they weigh what it leaves.
    ///
    /// # Errors
    /// The node has a cost and no capacity at all, or a product does not fit.
    pub fn split(
        &self,
        cost: Money,
        (instance_type, capacity): (&str, Resources),
        off: Option<&PerResource<Ratio>>,
    ) -> Result<PerResource<Money>, SplitError> {
        let mut weights = [0; Resource::CHARGED.len()];
        for (weight, resource) in weights.iter_mut().zip(Resource::CHARGED) {
            *weight = self.weight(instance_type, capacity, resource)?;
            if let Some(off) = off {
                let left = Ratio::ONE.minus(*off.get(resource)).ppm();
                *weight = weight.checked_mul(left.into()).ok_or(SplitError::Overflow)?;
            }
        }
        if weights.iter().all(|weight| *weight == 0) {
            weights = Resource::CHARGED.map(|resource| i128::from(capacity.nano(resource) > 0));
        }
        let parts = split_money(cost, &weights)?;
        Ok(PerResource::from_fn(|resource| parts[resource as usize]))
    }

    fn weight(
        &self,
        instance_type: &str,
        capacity: Resources,
        resource: Resource,
    ) -> Result<i128, SplitError> {
        let (base, amount) = match resource {
            Resource::Gpu => {
                let special = self.gpu_of.get(instance_type);
                let base = special.unwrap_or_else(|| self.base.get(resource));
                (base, i128::from(capacity.gpu_milli) * GIB)
            }
            Resource::Cpu => (self.base.get(resource), i128::from(capacity.cpu_milli) * GIB),
            // Thousandths of a byte, so that all four are in the same 1/(1000 x 2^30).
            Resource::Memory => {
                (self.base.get(resource), i128::from(capacity.memory_bytes) * 1_000)
            }
            Resource::Network => return Ok(0),
            Resource::Storage => {
                (self.base.get(resource), i128::from(capacity.storage_bytes) * 1_000)
            }
        };
        base.per_hour().pico().checked_mul(amount).ok_or(SplitError::Overflow)
    }

    /// One weight a line, such as `gpu 2.55 USD/h`; [`Weights::from_text`] reads it back.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for resource in Resource::ALL {
            let rate = self.base.get(resource);
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{resource} {rate}");
        }
        for (instance_type, rate) in &self.gpu_of {
            let _ = writeln!(text, "gpu:{instance_type} {rate}");
        }
        text
    }

    /// Reads what [`Weights::to_text`] wrote; a resource that is not named weighs nothing.
    ///
    /// # Errors
    /// A line that is not a weight.
    pub fn from_text(text: &str) -> Result<Self, WeightsError> {
        let mut base: [Option<HourlyRate>; 5] = [None; Resource::CHARGED.len()];
        let mut gpu_of = BTreeMap::new();
        let mut zero = None;
        for line in text.lines() {
            let bad = || WeightsError(line.to_owned());
            // The rate is the last two words; a machine's name may have spaces.
            let split = line.rmatch_indices(' ').nth(1).ok_or_else(bad)?.0;
            let (name, rate) = (&line[..split], &line[split + 1..]);
            let rate: HourlyRate = rate.parse().map_err(|_| bad())?;
            zero = HourlyRate::new(Money::zero(rate.per_hour().currency()));
            if let Some(instance_type) = name.strip_prefix("gpu:") {
                gpu_of.insert(instance_type.to_owned(), rate);
            } else {
                let resource: Resource = name.parse().map_err(|_| bad())?;
                base[resource as usize] = Some(rate);
            }
        }
        let zero = zero.ok_or_else(|| WeightsError(text.to_owned()))?;
        let base = PerResource::from_fn(|resource| base[resource as usize].unwrap_or(zero));
        Ok(Self { base, gpu_of })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use farthing_model::Currency;

    fn weights() -> Weights {
        let text = "gpu 2.50 USD/h\ncpu 0.03 USD/h\nmemory 0.004 USD/h\nstorage 0.0001 USD/h\n\
                    gpu:my type 0.50 USD/h\n";
        let weights = Weights::from_text(text).unwrap();
        assert_eq!(weights.to_text().parse_back(), weights);
        weights
    }

    trait ParseBack {
        fn parse_back(&self) -> Weights;
    }

    impl ParseBack for String {
        fn parse_back(&self) -> Weights {
            Weights::from_text(self).unwrap()
        }
    }

    fn node() -> Resources {
        let (memory_bytes, storage_bytes) = (100 << 30, 1_000 << 30);
        Resources { gpu_milli: 2_000, cpu_milli: 10_000, memory_bytes, storage_bytes }
    }

    #[test]
    fn the_price_is_split_as_the_weights_say() {
        // 2 x 2.50 + 10 x 0.03 + 100 x 0.004 + 1000 x 0.0001 = 5.80: the node's own price.
        let cost = Money::from_decimal("5.80", Currency::USD).unwrap();
        let parts = weights().split(cost, ("other", node()), None).unwrap();
        let parts: Vec<_> = parts.iter().map(|(_, money)| money.to_decimal()).collect();
        assert_eq!(parts, ["5.00", "0.30", "0.40", "0.10", "0.00"]);
        // With cards at 0.50 the others get more: 1.00 of 1.80.
        let cost = Money::from_decimal("3.60", Currency::USD).unwrap();
        let parts = weights().split(cost, ("my type", node()), None).unwrap();
        assert_eq!(parts.get(Resource::Gpu).to_decimal(), "2.00");
    }

    #[test]
    fn a_resource_without_capacity_gets_nothing() {
        let cost = Money::from_decimal("1", Currency::USD).unwrap();
        let only_memory = Resources { memory_bytes: 1, ..Resources::default() };
        let parts = weights().split(cost, ("other", only_memory), None).unwrap();
        assert_eq!(*parts.get(Resource::Memory), cost);
        assert_eq!(
            weights().split(cost, ("other", Resources::default()), None),
            Err(SplitError::NoWeight)
        );
    }

    #[test]
    fn a_bad_line_is_named() {
        let message = Weights::from_text("gpu 2.50\n").unwrap_err().to_string();
        assert!(message.starts_with("`gpu 2.50` is not a weight"), "{message}");
    }
}
