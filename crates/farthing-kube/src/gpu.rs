//! Accelerators of nodes: how many a node has, and which share of one each resource name is.
//!
//! Device plugins count whole devices, replicas of them (time slicing, MPS) and MIG instances under
//! names of resources; GPU feature discovery says in labels how to read them. A share that is not
//! known is said to be, and never taken for a whole device.

use crate::object::{NodeObject, Slice};
use farthing_model::{Accelerator, MigDevice, Share};
use std::collections::BTreeMap;

/// Resource names of whole accelerators.
pub(crate) const WHOLE: [&str; 8] = [
    "nvidia.com/gpu",
    "nvidia.com/gpu.shared",
    "amd.com/gpu",
    "gpu.intel.com/i915",
    "gpu.intel.com/xe",
    "google.com/tpu",
    "habana.ai/gaudi",
    "aws.amazon.com/neuron",
];
/// How names of MIG instances begin.
const MIG: &str = "nvidia.com/mig-";
/// How names of what NVIDIA's plugin counts begin.
const NVIDIA: &str = "nvidia.com/";

/// Whether a resource is a whole device, or a replica of one.
pub(crate) fn is_whole(resource: &str) -> bool {
    WHOLE.contains(&resource)
}

/// The label that names the accelerators of a node.
const PRODUCT: &str = "nvidia.com/gpu.product";

/// Whether a resource is a device or a slice of one.
pub(crate) fn is_device(resource: &str) -> bool {
    is_whole(resource) || resource.starts_with(MIG)
}

/// The accelerator that a node's labels name, and the profile that all of them are cut into, where
/// there is one: `NVIDIA-A100-SXM4-40GB-MIG-1g.5gb-SHARED`.
pub fn product(labels: &BTreeMap<String, String>) -> Option<(&str, Option<&str>)> {
    labels.get(PRODUCT).map(|label| parts(label))
}

/// The product that a label says, and the profile.
fn parts(label: &str) -> (&str, Option<&str>) {
    let product = label.trim_end_matches("-SHARED");
    match product.split_once("-MIG-") {
        Some((product, profile)) => (product.trim_end_matches("-SHARED"), Some(profile)),
        None => (product, None),
    }
}

/// How the devices of a node are to be read.
#[derive(Debug)]
pub(crate) struct Reading<'n> {
    node: &'n NodeObject,
    device: MigDevice,
    replicas: u32,
    /// The profile that every device of the node is cut into.
    single: Option<&'n str>,
}

impl<'n> Reading<'n> {
    /// From the labels of a node and, where it is known, what its machine has.
    pub(crate) fn of(node: &'n NodeObject, accelerator: Option<&Accelerator>) -> Self {
        let label = |name: &str| node.labels.get(name).map(|text| &**text);
        let (product, single) = label(PRODUCT).map(parts).unwrap_or_default();
        let device = accelerator.map_or_else(|| named(product), MigDevice::of);
        let replicas = label("nvidia.com/gpu.replicas").and_then(|text| text.parse().ok());
        Self { node, device, replicas: replicas.unwrap_or(1).max(1), single }
    }

    /// Which share of one device a unit of a resource is.
    pub(crate) fn share(&self, resource: &str) -> Result<Share, String> {
        let profile = |name: &str| {
            let profile = self.device.profile(name).map_err(|error| error.to_string())?;
            Ok::<_, String>(profile.share())
        };
        if let Some(name) = resource.strip_prefix(MIG) {
            return profile(name.trim_end_matches(".shared"));
        }
        if !resource.starts_with(NVIDIA) {
            return Ok(Share::WHOLE);
        }
        let device = self.single.map_or(Ok(Share::WHOLE), profile)?;
        let share = Share::replica(self.replicas).within(device);
        share.ok_or_else(|| format!("{resource}: {} replicas are too many", self.replicas))
    }

    /// The share of a device that a driver lists: a slice of the product that it names, or a whole.
    pub(crate) fn share_of_slice(&self, slice: Option<&Slice>) -> Result<Share, String> {
        let Some(slice) = slice else { return Ok(Share::WHOLE) };
        let device = if slice.product.is_empty() { self.device } else { named(&slice.product) };
        let profile = device.profile(&slice.profile).map_err(|error| error.to_string())?;
        Ok(profile.share())
    }

    /// How many whole devices the node has.
    pub(crate) fn count(&self) -> Result<u64, String> {
        let others = self.node.devices.iter().filter(|(name, _)| !name.starts_with(NVIDIA));
        let others: u64 = others.map(|(_, count)| count).sum();
        let label = self.node.labels.get("nvidia.com/gpu.count");
        // With one profile for all the label counts instances.
        let said = label.filter(|_| self.single.is_none()).and_then(|text| text.parse().ok());
        let nvidia = match said {
            Some(count) => count,
            None => self.counted()?,
        };
        Ok(others.saturating_add(nvidia))
    }

    /// The devices that the shares of a node fill.
    fn counted(&self) -> Result<u64, String> {
        let mut nano: i128 = 0;
        for (name, count) in self.node.devices.iter().filter(|(it, _)| it.starts_with(NVIDIA)) {
            let share = self.share(name)?;
            nano = nano.saturating_add(share.nano().saturating_mul(i128::from(*count)));
        }
        // Shares such as a seventh are rounded down: seven of them are still one device.
        let tolerance = 1_000;
        let whole = (nano + 1_000_000_000 - tolerance) / 1_000_000_000;
        u64::try_from(whole.max(0)).map_err(|_| "more devices than can be counted".to_owned())
    }
}

/// The device that a product label says: its memory (`NVIDIA-A100-SXM4-80GB`), where it is in it.
fn named(product: &str) -> MigDevice {
    let memory = product
        .split(['-', ' '])
        .find_map(|part| part.strip_suffix("GB").or_else(|| part.strip_suffix("gb"))?.parse().ok());
    if product.contains("A30") {
        MigDevice::of_four(memory.or(Some(24)))
    } else {
        MigDevice::of_seven(memory)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::Names;

    fn node(labels: &[(&str, &str)], capacity: &[(&str, &str)]) -> NodeObject {
        let map = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).into()));
            serde_json::Value::Object(pairs.collect())
        };
        let text = serde_json::json!({
            "metadata": {"name": "n", "labels": map(labels)},
            "status": {"capacity": map(capacity)},
        });
        let wire = serde_json::from_value(text).unwrap();
        NodeObject::of(wire, &mut Names::default(), jiff::Timestamp::UNIX_EPOCH).unwrap()
    }

    fn check(labels: &[(&str, &str)], capacity: &[(&str, &str)], expected: (u64, &str, &str)) {
        let node = node(labels, capacity);
        let reading = Reading::of(&node, None);
        let (count, resource, share) = expected;
        assert_eq!(reading.count(), Ok(count), "{labels:?} {capacity:?}");
        assert_eq!(reading.share(resource).map(|it| it.to_string()), Ok(share.to_owned()));
    }

    const PRODUCT: &str = "nvidia.com/gpu.product";

    #[test]
    fn whole_devices_replicas_and_slices_are_shares_of_one() {
        let gpu = "nvidia.com/gpu";
        check(&[], &[(gpu, "8")], (8, gpu, "1/1"));
        check(&[], &[("amd.com/gpu", "4")], (4, "amd.com/gpu", "1/1"));
        let sliced = [("nvidia.com/gpu.replicas", "4"), ("nvidia.com/gpu.count", "2")];
        check(&sliced, &[(gpu, "8")], (2, gpu, "1/4"));
        check(&sliced[..1], &[(gpu, "8")], (2, gpu, "1/4"));
        // All devices cut alike: 56 instances of a seventh are 8 devices.
        let single =
            [(PRODUCT, "NVIDIA-A100-SXM4-40GB-MIG-1g.5gb"), ("nvidia.com/gpu.count", "56")];
        check(&single, &[(gpu, "56")], (8, gpu, "1/7"));
        let mixed = [(PRODUCT, "NVIDIA-A100-SXM4-80GB"), ("nvidia.com/gpu.count", "8")];
        check(
            &mixed,
            &[(gpu, "7"), ("nvidia.com/mig-3g.40gb", "2")],
            (8, "nvidia.com/mig-3g.40gb", "1/2"),
        );
    }

    #[test]
    fn a_share_that_is_not_known_is_not_a_whole_device() {
        let node = node(&[], &[("nvidia.com/mig-9g.99gb", "1")]);
        let reading = Reading::of(&node, None);
        assert!(reading.share("nvidia.com/mig-9g.99gb").is_err());
        assert!(reading.count().is_err());
    }
}
