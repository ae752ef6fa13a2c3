//! `snapshot`: the nodes that are paid and the workloads that are known, as they were last seen.

use super::scalar::time;
use super::tick::{AgeJson, ages};
use farthing_model::{
    Node, NodeState, Observed, Offer, Price, Resources, Snapshot, WorkloadKind, WorkloadState,
};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// The world as it was seen.
#[derive(Clone, Debug, Serialize)]
pub struct SnapshotJson {
    /// When.
    pub at: String,
    /// The nodes, by id.
    pub nodes: Vec<NodeJson>,
    /// The workloads, by id.
    pub workloads: Vec<WorkloadJson>,
    /// How old each part is.
    pub ages: Vec<AgeJson>,
}

/// A node.
#[derive(Clone, Debug, Serialize)]
pub struct NodeJson {
    /// Its name.
    pub id: String,
    /// What was bought.
    pub offer: String,
    /// `booting`, `ready` or `lost`.
    pub state: &'static str,
    /// What is known of the offer; `null` where it is in no price book of now.
    #[serde(flatten)]
    pub machine: MachineJson,
    /// Price of an hour; `null` = unknown.
    pub price: Option<String>,
    /// Its currency.
    pub currency: Option<String>,
    /// Why the price is unknown.
    pub price_unknown: Option<String>,
    /// Paid from here on.
    pub since: String,
    /// Paid up to here, where that is known.
    pub until: Option<String>,
    /// What it has.
    pub capacity: CapacityJson,
}

/// What an offer says of its machines.
#[derive(Clone, Debug, Default, Serialize)]
pub struct MachineJson {
    /// Who sells it.
    pub provider: Option<String>,
    /// Where.
    pub region: Option<String>,
    /// Where exactly.
    pub zone: Option<String>,
    /// The type.
    pub instance_type: Option<String>,
    /// Its accelerator.
    pub accelerator: Option<String>,
    /// How many of them.
    pub accelerator_count: Option<u32>,
    /// `on-demand`, `spot`, `reserved` or `owned`.
    pub purchase: Option<&'static str>,
}

/// Amounts of resources.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct CapacityJson {
    /// Accelerators.
    pub gpu: f64,
    /// Cores.
    pub cpu: f64,
    /// Memory in GiB.
    pub memory_gib: f64,
    /// Disk in GiB.
    pub storage_gib: f64,
}

/// A workload.
#[derive(Clone, Debug, Serialize)]
pub struct WorkloadJson {
    /// Its name.
    pub id: String,
    /// Who pays.
    pub team: Option<String>,
    /// `job` or `service`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// `waiting`, `placed`, `suspended` or `finished`.
    pub state: &'static str,
    /// Members of a job, or replicas that a service has now.
    pub members: u32,
    /// Where it is or will be, by offer.
    pub offers: Vec<String>,
    /// Since when it is known.
    pub since: String,
    /// When a job has to be done.
    pub deadline: Option<String>,
    /// When it is expected to end, or has ended.
    pub ends: Option<String>,
    /// All labels.
    pub labels: BTreeMap<String, String>,
}

/// The wire form of a snapshot; `offers` are those of the price book of now, sorted by id.
pub fn snapshot(snapshot: &Snapshot, offers: &[Offer]) -> SnapshotJson {
    SnapshotJson {
        at: time(snapshot.at),
        nodes: snapshot.nodes.iter().map(|node| node_json(node, offers)).collect(),
        workloads: snapshot.workloads.iter().map(workload_json).collect(),
        ages: ages(snapshot),
    }
}

fn node_json(node: &Node, offers: &[Offer]) -> NodeJson {
    let found = offers.binary_search_by(|offer| offer.id.cmp(&node.offer)).ok();
    let (price, currency, price_unknown) = match &node.price {
        Price::Known(rate, _) => {
            let hour = rate.per_hour();
            (Some(hour.to_decimal()), Some(hour.currency().to_string()), None)
        }
        Price::Unknown(why) => (None, None, Some(why.clone())),
    };
    NodeJson {
        id: node.id.to_string(),
        offer: node.offer.to_string(),
        state: match node.state {
            NodeState::Booting => "booting",
            NodeState::Ready => "ready",
            NodeState::Lost => "lost",
        },
        machine: found.map(|index| machine(&offers[index])).unwrap_or_default(),
        price,
        currency,
        price_unknown,
        since: time(node.since),
        until: node.until.map(time),
        capacity: capacity(node.capacity),
    }
}

fn machine(offer: &Offer) -> MachineJson {
    MachineJson {
        provider: Some(offer.place.provider.clone()),
        region: Some(offer.place.region.clone()),
        zone: offer.place.zone.clone(),
        instance_type: Some(offer.instance_type.clone()),
        accelerator: offer.accelerator.as_ref().map(ToString::to_string),
        accelerator_count: Some(offer.accelerator_count),
        purchase: Some(offer.purchase.name()),
    }
}

#[allow(clippy::cast_precision_loss, reason = "for people to read; nothing is computed from it")]
fn capacity(resources: Resources) -> CapacityJson {
    let gib = |bytes: u64| (bytes as f64 / f64::from(1 << 20)).round() / 1024.0;
    CapacityJson {
        gpu: resources.gpu_milli as f64 / 1e3,
        cpu: resources.cpu_milli as f64 / 1e3,
        memory_gib: gib(resources.memory_bytes),
        storage_gib: gib(resources.storage_bytes),
    }
}

fn workload_json(observed: &Observed) -> WorkloadJson {
    let workload = &observed.workload;
    let (kind, count, deadline) = match &workload.kind {
        WorkloadKind::Job(job) => ("job", Some(job.count), job.deadline),
        WorkloadKind::Service(_) => ("service", None, None),
    };
    let (state, assignments, finished) = match &observed.state {
        WorkloadState::Waiting => ("waiting", &[][..], None),
        WorkloadState::Placed(assignments) => ("placed", assignments.as_slice(), None),
        WorkloadState::Suspended => ("suspended", &[][..], None),
        WorkloadState::Finished(at) => ("finished", &[][..], Some(*at)),
    };
    let offers: BTreeSet<String> =
        assignments.iter().map(|assigned| assigned.offer.to_string()).collect();
    let last = assignments.iter().map(|assigned| assigned.window.to()).max();
    // The end of a service is only that of the horizon.
    let ends = finished.or(last.filter(|_| kind == "job"));
    WorkloadJson {
        id: workload.id.to_string(),
        team: workload.team.as_ref().map(ToString::to_string),
        kind,
        state,
        members: count.unwrap_or_else(|| assignments.iter().map(|assigned| assigned.members).sum()),
        offers: offers.into_iter().collect(),
        since: time(observed.since),
        deadline: deadline.map(time),
        ends: ends.map(time),
        labels: workload.labels.clone(),
    }
}
