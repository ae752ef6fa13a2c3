//! What a member of a workload costs by the hour: its nodes, and where members share nodes its part
//! of one, as the meter charges it for what it asks for. Refuses to know what it uses beyond that.

use farthing_ledger::Weights;
use farthing_model::{
    Assignment, HourlyRate, Money, OfferId, Resource, Resources, Snapshot, Stretch, Window,
    proportion,
};

/// What one member costs where it is placed: a rate, and how many times that; `None` where no node
/// of the kind has a known price.
pub(crate) fn member_rate(
    snapshot: &Snapshot,
    weights: &Weights,
    (asks, placed): (Resources, &Assignment),
) -> Option<(HourlyRate, i128)> {
    let mut nodes = snapshot.nodes.iter().filter(|node| node.offer == placed.offer);
    let (node, rate) = nodes.find_map(|node| Some((node, node.price.rate()?)))?;
    if !snapshot.terms.shared {
        return Some((rate, placed.nodes_each.into()));
    }
    let list = node.price.provenance().and_then(|from| from.list.as_deref());
    let off = list.and_then(|list| list.discounts.as_ref()).map(|discounts| &discounts.off);
    let machine = (instance_type(&placed.offer), node.capacity);
    let parts = weights.split(rate.per_hour(), machine, off).ok()?;
    let mut sum = Money::zero(rate.per_hour().currency());
    for resource in Resource::CHARGED {
        let has = node.capacity.nano(resource);
        // More than there is cannot be set aside.
        let asks = asks.nano(resource).min(has);
        if asks > 0 {
            let pico = proportion(parts.get(resource).pico(), asks, has)?;
            sum = sum.checked_add(Money::from_pico(pico, sum.currency())).ok()?;
        }
    }
    Some((HourlyRate::new(sum)?, 1))
}

/// What one member costs of what may be stretched, likewise; `None` also where its members are not
/// all in one place.
pub(crate) fn stretch_rate(
    snapshot: &Snapshot,
    weights: &Weights,
    stretch: &Stretch,
) -> Option<(HourlyRate, i128)> {
    let placed = Assignment {
        offer: stretch.offer.clone()?,
        members: stretch.wanted,
        nodes_each: stretch.pods_each,
        window: Window::starting(snapshot.at, jiff::SignedDuration::from_hours(1))?,
    };
    let (rate, times) = member_rate(snapshot, weights, (stretch.each, &placed))?;
    let pods = if snapshot.terms.shared { i128::from(stretch.pods_each) } else { 1 };
    Some((rate, times * pods))
}

/// The provider's name of the machine, which stands before how it is paid.
fn instance_type(offer: &OfferId) -> &str {
    offer.as_str().rsplit('/').nth(1).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use farthing_model::{
        ClusterId, Coverage, Node, NodeId, NodeState, PerResource, Price, PriceKind, Provenance,
        Terms, Window,
    };
    use jiff::{SignedDuration, Timestamp};
    use std::sync::Arc;

    fn offer() -> OfferId {
        OfferId::new("aws/us-east-1/p5.48xlarge/on-demand").unwrap()
    }

    /// One node of 8 accelerators at 98.32 USD/h.
    fn snapshot(shared: bool) -> Snapshot {
        let from = Provenance {
            kind: PriceKind::List,
            source: "made up".to_owned(),
            as_of: jiff::civil::date(2026, 2, 1),
            list: None,
        };
        let node = Node {
            id: NodeId::new("n").unwrap(),
            offer: offer(),
            capacity: whole(),
            price: Price::Known("98.32 USD/h".parse().unwrap(), from),
            state: NodeState::Ready,
            since: Timestamp::UNIX_EPOCH,
            until: None,
        };
        Snapshot {
            cluster: ClusterId::new("lab").unwrap(),
            at: Timestamp::UNIX_EPOCH,
            nodes: vec![node],
            workloads: Vec::new(),
            ages: Vec::new(),
            coverage: Coverage::default(),
            terms: Arc::new(Terms { shared, ..Terms::default() }),
        }
    }

    fn whole() -> Resources {
        Resources { gpu_milli: 8_000, cpu_milli: 192_000, memory_bytes: 2 << 40, storage_bytes: 0 }
    }

    fn rate(shared: bool, asks: Resources) -> Money {
        let window = Window::starting(Timestamp::UNIX_EPOCH, SignedDuration::from_hours(1));
        let window = window.unwrap();
        let placed = Assignment { offer: offer(), members: 8, nodes_each: 1, window };
        let weights = Weights::new(PerResource::from_fn(|resource| {
            let rate = if resource == Resource::Gpu { "2 USD/h" } else { "0.01 USD/h" };
            rate.parse().unwrap()
        }));
        let found = member_rate(&snapshot(shared), &weights, (asks, &placed));
        let (rate, times) = found.unwrap();
        assert_eq!(times, 1);
        rate.per_hour()
    }

    #[test]
    fn eight_members_on_one_node_cost_it_once() {
        let eighth = Resources {
            gpu_milli: 1_000,
            cpu_milli: 24_000,
            memory_bytes: 256 << 30,
            storage_bytes: 0,
        };
        let node: Money = "98.32 USD".parse().unwrap();
        assert_eq!(rate(true, whole()), node, "all of a node is a node");
        let eight = rate(true, eighth).checked_mul_int(8).unwrap();
        // Rounded down for each resource of each member.
        let lost = node.pico() - eight.pico();
        assert!((0..8 * 4).contains(&lost), "{eight}");
        // What asks for accelerators alone does not pay for cores that others may have.
        let accelerator = Resources { gpu_milli: 1_000, ..Resources::default() };
        assert!(rate(true, accelerator).pico() < rate(true, eighth).pico());
        assert!(rate(true, Resources::default()).is_zero());
        assert_eq!(rate(false, eighth), node, "a node to itself");
    }
}
