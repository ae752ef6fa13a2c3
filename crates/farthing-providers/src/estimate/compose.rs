//! Compose files: services of containers on one machine, or of a swarm.

use super::{AskedJob, Group, PlaceAsked, Wrong, count, dig, list, texts};
use crate::yaml::{Node, Value};
use farthing_model::Resources;
use farthing_model::amount::{bytes, cores_milli};
use std::collections::BTreeMap;

/// Reads a file: its services together are one job, as they are started together.
pub(super) fn read(node: &Node) -> Result<Vec<AskedJob>, Wrong> {
    let Some(Value::Map(services)) = node.get("services").map(|services| &services.value) else {
        return Err(Wrong::at(node, "`services` is not a map of services"));
    };
    let name = node.get("name").and_then(Node::text).unwrap_or("compose");
    let mut job = AskedJob {
        spot: node.spot,
        kind: "compose",
        name: name.to_owned(),
        labels: BTreeMap::new(),
        options: Vec::new(),
        exact: false,
        groups: Vec::new(),
        limit: None,
        endless: true,
        assumptions: Vec::new(),
    };
    for (key, service) in services {
        let read = self::service(&key.name, service, &mut job);
        read.map_err(|wrong| wrong.named(&format!("service {}", key.name)))?;
    }
    Ok(vec![job])
}

fn service(name: &str, service: &Node, job: &mut AskedJob) -> Result<(), Wrong> {
    let scale = count(service, &["scale"], 1)?;
    let replicas = count(service, &["deploy", "replicas"], scale)?;
    let asks = |what: &str| dig(service, &["deploy", "resources", what]);
    let (reserved, limits) = (asks("reservations"), asks("limits"));
    let first = |name: &str, old: &str| {
        let of = |node: Option<&'_ Node>| node.and_then(|node| node.get(name)).cloned();
        of(reserved).or_else(|| of(limits)).or_else(|| service.get(old).cloned())
    };
    let mut each = Resources::default();
    if let Some(cpus) = first("cpus", "cpus") {
        let text = cpus.text().unwrap_or_default();
        each.cpu_milli = cores_milli(text).map_err(|why| Wrong::of("cpus", &cpus, why))?;
    }
    if let Some(memory) = first("memory", "mem_limit") {
        let text = memory.text().unwrap_or_default();
        each.memory_bytes = size(text).map_err(|why| Wrong::of("memory", &memory, why))?;
    }
    let mut unsaid = false;
    for device in list(reserved.and_then(|reserved| reserved.get("devices"))) {
        let is_gpu = list(device.get("capabilities")).iter().any(|it| it.text() == Some("gpu"));
        if !is_gpu {
            continue;
        }
        let ids = u32::try_from(list(device.get("device_ids")).len()).unwrap_or(u32::MAX);
        let all = device.get("count").and_then(Node::text) == Some("all");
        if all || (ids == 0 && device.get("count").is_none()) {
            unsaid = true;
        }
        let devices = if all { 1 } else { count(device, &["count"], ids.max(1))? };
        each.gpu_milli += u64::from(devices) * 1_000;
    }
    if unsaid {
        job.assumptions.push(format!("{name} has all GPUs of its machine: counted as one"));
    }
    if each.gpu_milli > 0 {
        job.assumptions.push(format!("{name}: which GPU is not said: any will do"));
    }
    if each == Resources::default() {
        job.assumptions.push(format!("{name} asks for nothing: it is counted as nothing"));
    }
    job.labels.extend(texts(service.get("labels")));
    let image = service.get("image").and_then(Node::text).unwrap_or("built here");
    job.groups.push(Group {
        role: name.to_owned(),
        count: replicas,
        rounds: 1,
        each,
        accelerator: None,
        place: PlaceAsked::default(),
        runs: image.to_owned(),
    });
    Ok(())
}

/// `512m`, `2gb`, `1.5G`: powers of two, whatever the case.
fn size(text: &str) -> Result<u64, String> {
    let lower = text.trim().to_ascii_lowercase();
    let number = lower.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &lower[number.len()..] {
        "" | "b" => "",
        "k" | "kb" | "kib" => "Ki",
        "m" | "mb" | "mib" => "Mi",
        "g" | "gb" | "gib" => "Gi",
        "t" | "tb" | "tib" => "Ti",
        _ => return Err(format!("`{text}` is not a size such as 512m or 2gb")),
    };
    bytes(&format!("{number}{unit}"))
}
