//! Devices by dynamic resource allocation: claims, which pods reserve them, and what nodes have.

use super::{Key, Meta, Names, or_default};
use serde::Deserialize;
use std::sync::Arc;

/// Drivers whose devices are accelerators.
const DRIVERS: [&str; 4] =
    ["gpu.nvidia.com", "gpu.amd.com", "gpu.intel.com", "gpu.resource.intel.com"];

/// A claim of devices as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) key: Key,
    /// The accelerators that it was given, each as pool and name.
    pub(crate) devices: Vec<(Arc<str>, Arc<str>)>,
    /// The pods that reserve it, by name.
    pub(crate) pods: Vec<Arc<str>>,
}

/// A claim as the server writes it.
#[derive(Deserialize)]
pub(crate) struct ClaimWire {
    metadata: Meta,
    #[serde(default)]
    status: ClaimStatus,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ClaimStatus {
    allocation: Option<Allocation>,
    #[serde(deserialize_with = "or_default")]
    reserved_for: Vec<Consumer>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Allocation {
    #[serde(deserialize_with = "or_default")]
    devices: Devices,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Devices {
    #[serde(deserialize_with = "or_default")]
    results: Vec<Device>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Device {
    driver: String,
    pool: String,
    #[serde(rename = "device")]
    name: String,
    /// Access without use, such as that of a monitor.
    #[serde(default)]
    admin_access: Option<bool>,
}

#[derive(Deserialize)]
struct Consumer {
    resource: String,
    name: String,
}

impl Claim {
    pub(crate) fn of(wire: &ClaimWire, names: &mut Names) -> Self {
        let devices = wire.status.allocation.iter().flat_map(|it| &it.devices.results);
        let held = devices.filter(|device| {
            DRIVERS.contains(&device.driver.as_str()) && device.admin_access != Some(true)
        });
        let pods = wire.status.reserved_for.iter().filter(|it| it.resource == "pods");
        Self {
            devices: held.map(|it| (names.of(&it.pool), names.of(&it.name))).collect(),
            pods: pods.map(|it| Arc::from(it.name.as_str())).collect(),
            key: wire.metadata.key(names),
        }
    }
}

/// The devices of one driver on one node, as they are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Slices {
    pub(crate) key: Key,
    pub(crate) node: Option<Arc<str>>,
    pub(crate) pool: Arc<str>,
    pub(crate) devices: Vec<Known>,
}

/// A device that a driver lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) name: Arc<str>,
    /// The slice of a device that it is; none where it is a whole one.
    pub(crate) slice: Option<Slice>,
}

/// A slice as its driver says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Slice {
    pub(crate) profile: Arc<str>,
    /// The device that it is of.
    pub(crate) product: Arc<str>,
}

/// A resource slice as the server writes it.
#[derive(Deserialize)]
pub(crate) struct SliceWire {
    metadata: Meta,
    spec: SliceSpec,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SliceSpec {
    driver: String,
    #[serde(default)]
    node_name: Option<String>,
    pool: Pool,
    #[serde(default, deserialize_with = "or_default")]
    devices: Vec<Listed>,
}

#[derive(Deserialize)]
struct Pool {
    name: String,
}

#[derive(Deserialize)]
struct Listed {
    name: String,
    #[serde(default, deserialize_with = "or_default")]
    attributes: std::collections::BTreeMap<String, Attribute>,
}

#[derive(Deserialize)]
struct Attribute {
    #[serde(default)]
    string: Option<String>,
}

impl Slices {
    pub(crate) fn of(wire: &SliceWire, names: &mut Names) -> Self {
        let of_gpus = DRIVERS.contains(&wire.spec.driver.as_str());
        let devices = wire.spec.devices.iter().filter(|_| of_gpus).map(|device| {
            let text = |name: &str| device.attributes.get(name).and_then(|it| it.string.as_deref());
            let profile = text("profile").filter(|_| text("type") == Some("mig"));
            let slice = profile.map(|profile| Slice {
                profile: names.of(profile),
                product: names.of(text("productName").unwrap_or_default()),
            });
            Known { name: names.of(&device.name), slice }
        });
        Self {
            devices: devices.collect(),
            node: wire.spec.node_name.as_deref().map(|node| names.of(node)),
            pool: names.of(&wire.spec.pool.name),
            key: wire.metadata.key(names),
        }
    }
}
