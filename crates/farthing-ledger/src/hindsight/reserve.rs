//! Capacity kept free: the least time of nodes that would have held what was allocated.
//!
//! Each hour, of each offer, the scarcest resource decides. It is the least that any packing could
//! come to: whether the work would have fitted onto fewer nodes, and could have been moved, is not
//! known. Boots, the system's own and what nobody looked at count as allocated.

use super::draft::{Draft, Made};
use super::{Hour, committed};
use crate::paid::{Paid, Went};
use farthing_model::{Money, MoneyError, OfferId, PerResource, Ratio, Resource, proportion};
use std::collections::BTreeMap;

/// So much is kept free.
pub(super) struct Reserve(pub(super) Ratio);

impl Reserve {
    pub(super) fn look(&self, hour: &Hour<'_>, draft: &mut Draft) -> Result<(), MoneyError> {
        let mut pools: BTreeMap<&OfferId, Vec<&Paid>> = BTreeMap::new();
        for paid in hour.paid.values() {
            match committed(paid) {
                Some(why) => draft.keep(paid, why)?,
                None => pools.entry(&paid.offer).or_default().push(paid),
            }
        }
        for nodes in pools.into_values() {
            let mut went = PerResource::<Went>::default();
            for (resource, of) in nodes.iter().flat_map(|paid| paid.went.iter()) {
                let sum = went.get_mut(resource);
                sum.paid_nano += of.paid_nano;
                sum.free_nano += of.free_nano;
            }
            let (part, whole) = self.needed(&went)?;
            for paid in nodes {
                let of = |amount| proportion(amount, part, whole).ok_or(MoneyError::Overflow);
                let cost = Money::from_pico(of(paid.cost.pico())?, paid.cost.currency());
                draft.change(paid, &Made { cost, nanos: of(paid.window.nanos())?, other: None })?;
            }
        }
        Ok(())
    }

    /// What part of the nodes' time holds what was allocated with the reserve, as a fraction.
    fn needed(&self, went: &PerResource<Went>) -> Result<(i128, i128), MoneyError> {
        /// A whole in parts per million.
        const WHOLE: i128 = 1_000_000;
        let usable = i128::from(Ratio::ONE.minus(self.0).ppm());
        let mut most = (0, 1);
        for resource in Resource::ALL {
            let Went { paid_nano, free_nano } = *went.get(resource);
            let allocated = paid_nano - free_nano;
            if paid_nano <= 0 {
                continue;
            }
            // Compared as millionths of millionths, which no sum of an hour is too large for.
            let part = proportion(allocated, WHOLE * WHOLE, paid_nano);
            let part = part.ok_or(MoneyError::Overflow)?;
            most = (most.0.max(part), WHOLE * WHOLE);
        }
        let (part, whole) = most;
        Ok((part * WHOLE, whole * usable.max(1)))
    }
}
