//! From what was used to samples: limits count as requests, rows are bounded, amounts stay within
//! what the machine has.

use super::groups::{Group, GroupId, Groups};
use super::rows::{OTHERS, named};
use farthing_model::{Attribution, DeviceId, NodeId, Resource, Sample, SourceId, Window, split};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Most rows of one resource that are kept apart; the smaller ones are `process:(others)`.
const ROWS_MAX: usize = 2_000;

/// What someone used of a resource, in 10^-9 unit-seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Use {
    /// `None` = the system.
    pub(super) who: Option<Arc<Attribution>>,
    pub(super) group: Option<GroupId>,
    pub(super) device: Option<DeviceId>,
    pub(super) source: SourceId,
    pub(super) used_nano: i128,
    pub(super) requested_nano: i128,
    /// Whether nobody could say what was used.
    pub(super) unread: bool,
    /// Of a device: whether memory of it is held now; `None` where that is not asked.
    pub(super) holds: Option<bool>,
    /// Memory of the device that is held, in bytes, where the driver says.
    pub(super) memory_bytes: Option<u64>,
}

impl Use {
    /// The system's own use.
    pub(super) const fn of_system(source: SourceId, used_nano: i128) -> Self {
        Self {
            who: None,
            group: None,
            device: None,
            source,
            used_nano,
            requested_nano: 0,
            unread: false,
            holds: None,
            memory_bytes: None,
        }
    }

    /// Someone's use, of no group and device.
    pub(super) fn of(who: Arc<Attribution>, source: SourceId, used_nano: i128) -> Self {
        Self { who: Some(who), ..Self::of_system(source, used_nano) }
    }

    /// What of its share was occupied: all of it while memory is held, else what was used.
    fn held_nano(&self) -> Option<i128> {
        self.holds.map(|holds| if holds { self.claim() } else { self.used_nano })
    }

    fn claim(&self) -> i128 {
        self.used_nano.max(self.requested_nano)
    }
}

/// Scales the uses down in proportion where they sum over `most_nano`; returns what was over.
pub(super) fn keep_within(uses: &mut [Use], most_nano: i128) -> i128 {
    let weights: Vec<i128> = uses.iter().map(|one| one.used_nano).collect();
    let over = weights.iter().sum::<i128>() - most_nano;
    if over <= 0 {
        return 0;
    }
    // A sum over zero has a weight, and amounts are far below the range of the split.
    if let Ok(parts) = split(most_nano.max(0), &weights) {
        for (one, part) in uses.iter_mut().zip(parts) {
            one.used_nano = part;
        }
    }
    over
}

/// A container's limit is what was set aside for it: it is shared out over the container's rows as
/// they used it, evenly where none did. `limit_nano` is in 10^-9 unit-seconds over the window; a
/// limit of all that there is, or more, limits nothing and is no request.
pub(super) fn request_limits(
    uses: &mut [Use],
    groups: &Groups,
    capacity_nano: i128,
    limit_nano: impl Fn(&Group) -> Option<i128>,
) {
    let mut members: BTreeMap<GroupId, Vec<usize>> = BTreeMap::new();
    for (index, one) in uses.iter().enumerate() {
        if let Some(group) = one.group {
            members.entry(group).or_default().push(index);
        }
    }
    for (id, members) in members {
        let limit = groups.get(id).and_then(&limit_nano).filter(|limit| *limit < capacity_nano);
        let Some(limit) = limit else { continue };
        let used: Vec<i128> = members.iter().map(|index| uses[*index].used_nano).collect();
        let evenly = vec![1; members.len()];
        let parts = split(limit, &used).or_else(|_| split(limit, &evenly)).unwrap_or_default();
        for (index, part) in members.into_iter().zip(parts) {
            uses[index].requested_nano = part;
        }
    }
}

/// The samples of a resource: rows of one attribution and device are one, empty ones are left out,
/// the smallest beyond the most rows are one row of others, and all are sorted.
pub(super) fn samples(
    uses: Vec<Use>,
    node: &NodeId,
    resource: Resource,
    window: Window,
) -> Vec<Sample> {
    let mut samples: Vec<Sample> = Vec::with_capacity(uses.len().min(ROWS_MAX + 2));
    for one in at_most(uses, ROWS_MAX) {
        samples.push(Sample {
            held_nano: one.held_nano(),
            source: one.source,
            node: node.clone(),
            device: one.device,
            slice: None,
            attribution: one.who,
            resource,
            window,
            requested_nano: one.requested_nano,
            used_nano: (!one.unread).then_some(one.used_nano),
        });
    }
    samples.sort_by(|a, b| {
        (&a.attribution, &a.device, &a.source).cmp(&(&b.attribution, &b.device, &b.source))
    });
    samples.dedup_by(|next, kept| {
        let same = (&next.attribution, &next.device) == (&kept.attribution, &kept.device);
        if same {
            // Of a device each process claims for itself: the sum of the larger ones, so that
            // what one used beyond its share does not hide what another left idle.
            if kept.device.is_some() {
                kept.requested_nano = kept.requested_nano.max(kept.known_use());
                kept.requested_nano += next.requested_nano.max(next.known_use());
            } else {
                kept.requested_nano += next.requested_nano;
            }
            kept.used_nano = kept.used_nano.zip(next.used_nano).map(|(a, b)| a + b);
            kept.held_nano = kept.held_nano.zip(next.held_nano).map(|(a, b)| a + b);
        }
        same
    });
    samples
}

fn at_most(mut uses: Vec<Use>, most: usize) -> Vec<Use> {
    uses.retain(|one| one.claim() > 0);
    if uses.len() <= most {
        return uses;
    }
    // The system's own row is never one of the others.
    uses.sort_by_cached_key(|one| (one.who.is_some(), -one.claim(), one.who.clone()));
    let rest = uses.split_off(most);
    let mut others: BTreeMap<(Option<DeviceId>, SourceId), (i128, i128)> = BTreeMap::new();
    for one in rest {
        let (used, requested) = others.entry((one.device, one.source)).or_default();
        *used += one.used_nano;
        *requested += one.requested_nano;
    }
    let who = named(&format!("process:{OTHERS}"));
    uses.extend(others.into_iter().map(|((device, source), (used_nano, requested_nano))| Use {
        device,
        requested_nano,
        ..Use::of(who.clone(), source, used_nano)
    }));
    uses
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use proptest::prelude::*;

    fn source() -> SourceId {
        SourceId::new("procfs").unwrap()
    }

    fn uses(amounts: &[i128]) -> Vec<Use> {
        let of = |(index, used): (usize, &i128)| {
            Use::of(named(&format!("process:p{index}")), source(), *used)
        };
        amounts.iter().enumerate().map(of).collect()
    }

    fn sampled(uses: Vec<Use>) -> Vec<Sample> {
        let at = |second| Timestamp::from_second(second).unwrap();
        let window = Window::new(at(0), at(10)).unwrap();
        samples(uses, &NodeId::new("n").unwrap(), Resource::Cpu, window)
    }

    #[test]
    fn rows_of_one_name_are_one_sample() {
        let mut twice = uses(&[5, 0, 7]);
        twice.extend(uses(&[1]));
        twice.push(Use::of_system(source(), 2));
        let samples = sampled(twice);
        let used: Vec<_> = samples.iter().map(Sample::known_use).collect();
        assert_eq!(used, [2, 6, 7], "the system first, an empty row not at all");
    }

    #[test]
    fn rows_are_bounded_and_nothing_is_lost() {
        let amounts: Vec<i128> = (1..=2_500).collect();
        let mut all = uses(&amounts);
        all.push(Use::of_system(source(), 1));
        let samples = sampled(all);
        assert_eq!(samples.len(), ROWS_MAX + 1);
        let sum: i128 = samples.iter().map(Sample::known_use).sum();
        assert_eq!(sum, amounts.iter().sum::<i128>() + 1);
        assert!(samples[0].attribution.is_none(), "the system's row is kept");
        let others = named("process:(others)");
        let others = samples.iter().find(|sample| sample.attribution.as_ref() == Some(&others));
        assert_eq!(others.unwrap().known_use(), (1..=501).sum::<i128>());
    }

    proptest! {
        #[test]
        fn scaling_keeps_the_sum(
            amounts in prop::collection::vec(0_i128..1 << 80, 1..30), most in 0_i128..1 << 80,
        ) {
            let mut all = uses(&amounts);
            let sum: i128 = amounts.iter().sum();
            let over = keep_within(&mut all, most);
            prop_assert_eq!(over, (sum - most).max(0));
            let after: i128 = all.iter().map(|one| one.used_nano).sum();
            prop_assert_eq!(after, sum.min(most));
        }
    }
}
