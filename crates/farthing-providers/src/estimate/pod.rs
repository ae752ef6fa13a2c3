//! Pods: what the scheduler sets aside for one, and where it may go.

use super::{Group, PlaceAsked, Wrong, dig, list, texts};
use crate::catalog;
use crate::yaml::{Node, Value};
use farthing_model::amount::{bytes, cores_milli, devices};
use farthing_model::{AcceleratorQuery, Purchase, Resources};
use std::collections::BTreeMap;

/// Resource names of whole accelerators.
const DEVICES: [&str; 4] =
    ["nvidia.com/gpu", "amd.com/gpu", "gpu.intel.com/i915", "google.com/tpu"];
/// How names of slices begin.
const SLICE: &str = "nvidia.com/mig-";

/// Labels of nodes that name the accelerator.
const PRODUCTS: [&str; 4] = [
    "nvidia.com/gpu.product",
    "cloud.google.com/gke-accelerator",
    "k8s.amazonaws.com/accelerator",
    "karpenter.k8s.aws/instance-gpu-name",
];
const INSTANCE_TYPES: [&str; 2] =
    ["node.kubernetes.io/instance-type", "beta.kubernetes.io/instance-type"];
const REGIONS: [&str; 2] =
    ["topology.kubernetes.io/region", "failure-domain.beta.kubernetes.io/region"];

/// What one of the same pods asks for. `template` has `metadata` and `spec`.
pub(super) fn group(
    role: &str,
    template: &Node,
    (count, rounds): (u32, u32),
    assumptions: &mut Vec<String>,
) -> Result<Group, Wrong> {
    let spec = template.get("spec").ok_or_else(|| Wrong::at(template, "a pod without `spec`"))?;
    let containers = list(spec.get("containers"));
    if containers.is_empty() {
        return Err(Wrong::at(spec, "a pod without `containers`"));
    }
    let each = effective(spec, containers, assumptions)?;
    let place = Place::of(spec);
    let image = containers[0].get("image").and_then(Node::text).unwrap_or("no image");
    Ok(Group {
        role: role.to_owned(),
        count,
        rounds,
        each,
        accelerator: if each.gpu_milli > 0 { place.accelerator(spec, assumptions)? } else { None },
        place: place.asked(assumptions),
        runs: without_tag(image).to_owned(),
    })
}

/// The same code has many tags, and digests.
fn without_tag(image: &str) -> &str {
    let image = image.split('@').next().unwrap_or(image);
    match image.rsplit_once(':') {
        // A port of a registry is not a tag.
        Some((name, tag)) if !tag.contains('/') => name,
        _ => image,
    }
}

/// As the scheduler counts: containers together with those that start before them and stay, or the
/// largest of those that run before them, whichever is more; and the overhead.
fn effective(
    spec: &Node,
    containers: &[Node],
    assumptions: &mut Vec<String>,
) -> Result<Resources, Wrong> {
    let mut sum = Resources::default();
    for container in containers {
        sum = add(sum, requests(container, assumptions)?);
    }
    let (mut stays, mut most) = (Resources::default(), Resources::default());
    for container in list(spec.get("initContainers")) {
        let own = requests(container, assumptions)?;
        if container.get("restartPolicy").and_then(Node::text) == Some("Always") {
            stays = add(stays, own);
            most = larger(most, stays);
        } else {
            most = larger(most, add(stays, own));
        }
    }
    let overhead = spec.get("overhead").map(amounts).transpose()?.unwrap_or_default();
    Ok(add(larger(add(sum, stays), most), overhead))
}

/// What a container asks for; a limit without a request is one.
fn requests(container: &Node, assumptions: &mut Vec<String>) -> Result<Resources, Wrong> {
    let name = container.get("name").and_then(Node::text).unwrap_or("?");
    let of = |what: &str| {
        let found = dig(container, &["resources", what]).map(entries).unwrap_or_default();
        found.into_iter().collect::<BTreeMap<_, _>>()
    };
    let mut all = of("limits");
    all.extend(of("requests"));
    if all.is_empty() {
        let note = format!("container {name} asks for nothing: it is counted as nothing");
        if !assumptions.contains(&note) {
            assumptions.push(note);
        }
    }
    let resources = amounts_of(all.into_iter());
    resources.map_err(|wrong| Wrong { what: format!("container {name}: {}", wrong.what), ..wrong })
}

fn entries(map: &Node) -> Vec<(&str, &Node)> {
    match &map.value {
        Value::Map(entries) => {
            entries.iter().map(|(key, node)| (key.name.as_str(), node)).collect()
        }
        _ => Vec::new(),
    }
}

fn amounts(map: &Node) -> Result<Resources, Wrong> {
    amounts_of(entries(map).into_iter())
}

fn amounts_of<'n>(entries: impl Iterator<Item = (&'n str, &'n Node)>) -> Result<Resources, Wrong> {
    let mut found = Resources::default();
    for (name, node) in entries {
        let text = node.text().ok_or_else(|| Wrong::of(name, node, "is not a quantity"))?;
        let wrong = |why: String| Wrong::of(name, node, why);
        match name {
            "cpu" => found.cpu_milli = cores_milli(text).map_err(wrong)?,
            "memory" => found.memory_bytes = bytes(text).map_err(wrong)?,
            "ephemeral-storage" => found.storage_bytes = bytes(text).map_err(wrong)?,
            name if DEVICES.contains(&name) => {
                let count = devices(name, text).map_err(wrong)?;
                let milli = count.checked_mul(1_000).ok_or_else(|| wrong("too many".to_owned()))?;
                found.gpu_milli = found.gpu_milli.saturating_add(milli);
            }
            name if name.starts_with(SLICE) => {
                let why = "slices are not estimated: which part of a device's price one is depends \
                           on what else is on it";
                return Err(Wrong::of(name, node, why));
            }
            // Huge pages, network cards and whatever else there is are in no price book.
            _ => {}
        }
    }
    Ok(found)
}

fn add(one: Resources, other: Resources) -> Resources {
    Resources {
        gpu_milli: one.gpu_milli.saturating_add(other.gpu_milli),
        cpu_milli: one.cpu_milli.saturating_add(other.cpu_milli),
        memory_bytes: one.memory_bytes.saturating_add(other.memory_bytes),
        storage_bytes: one.storage_bytes.saturating_add(other.storage_bytes),
    }
}

fn larger(one: Resources, other: Resources) -> Resources {
    Resources {
        gpu_milli: one.gpu_milli.max(other.gpu_milli),
        cpu_milli: one.cpu_milli.max(other.cpu_milli),
        memory_bytes: one.memory_bytes.max(other.memory_bytes),
        storage_bytes: one.storage_bytes.max(other.storage_bytes),
    }
}

/// Labels that the node must have, and the values that will do.
struct Place(BTreeMap<String, Vec<String>>);

impl Place {
    fn of(spec: &Node) -> Self {
        let mut wanted: BTreeMap<String, Vec<String>> = texts(spec.get("nodeSelector"))
            .into_iter()
            .map(|(key, value)| (key, vec![value]))
            .collect();
        let required = "requiredDuringSchedulingIgnoredDuringExecution";
        let terms = dig(spec, &["affinity", "nodeAffinity", required, "nodeSelectorTerms"]);
        // Terms are alternatives: of several only what all say alike would be sure.
        if let [term] = list(terms) {
            for expression in list(term.get("matchExpressions")) {
                let text = |name| expression.get(name).and_then(Node::text);
                if let (Some(key), Some("In")) = (text("key"), text("operator")) {
                    let values = list(expression.get("values"));
                    let values = values.iter().filter_map(Node::text).map(str::to_owned);
                    wanted.entry(key.to_owned()).or_default().extend(values);
                }
            }
        }
        Self(wanted)
    }

    fn values(&self, keys: &[&str]) -> Vec<String> {
        keys.iter().filter_map(|key| self.0.get(*key)).flatten().cloned().collect()
    }

    fn accelerator(
        &self,
        spec: &Node,
        assumptions: &mut Vec<String>,
    ) -> Result<Option<AcceleratorQuery>, Wrong> {
        let products = self.values(&PRODUCTS);
        let Some(product) = products.first() else {
            assumptions.push(
                "which GPU is not said (nodeSelector nvidia.com/gpu.product): any will do"
                    .to_owned(),
            );
            return Ok(None);
        };
        if products.len() > 1 {
            let others = products.join(", ");
            assumptions.push(format!("of the GPUs {others} the first is counted with"));
        }
        let known = catalog::accelerator_of_label(product).ok_or_else(|| {
            let why =
                format!("`{product}` is no GPU that is known: data/accelerators.csv has them");
            Wrong::of("nodeSelector", spec, why)
        })?;
        let query = known.name.to_string().parse::<AcceleratorQuery>();
        query.map(Some).map_err(|why| Wrong::of("nodeSelector", spec, why))
    }

    fn asked(&self, assumptions: &mut Vec<String>) -> PlaceAsked {
        let capacity = self.values(&["karpenter.sh/capacity-type", "node.kubernetes.io/lifecycle"]);
        let purchase = |text: &String| match text.as_str() {
            "spot" => Some(Purchase::Spot),
            "on-demand" | "normal" => Some(Purchase::OnDemand),
            _ => None,
        };
        let known = |key: &String| {
            let key = key.as_str();
            PRODUCTS.contains(&key)
                || INSTANCE_TYPES.contains(&key)
                || REGIONS.contains(&key)
                || key == "karpenter.sh/capacity-type"
                || key == "node.kubernetes.io/lifecycle"
                || key.starts_with("kubernetes.io/")
        };
        let unknown: Vec<&str> =
            self.0.keys().filter(|key| !known(key)).map(String::as_str).collect();
        if !unknown.is_empty() {
            assumptions.push(format!(
                "labels of nodes that price books do not have are not looked at: {}",
                unknown.join(", ")
            ));
        }
        PlaceAsked {
            instance_types: self.values(&INSTANCE_TYPES),
            regions: self.values(&REGIONS),
            purchases: capacity.iter().filter_map(purchase).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_and_digests_are_not_the_image() {
        for (image, name) in [
            ("pytorch/pytorch:2.9", "pytorch/pytorch"),
            ("registry.example:5000/a/b", "registry.example:5000/a/b"),
            ("registry.example:5000/a/b:v1@sha256:00", "registry.example:5000/a/b"),
        ] {
            assert_eq!(without_tag(image), name);
        }
    }
}
