//! Waiting until the cluster has settled, and an autoscaler of its nodes, the same in both days: it
//! makes a node where pods find no room, and deletes what has been empty for half an hour; a node
//! that is half empty or more is given up where its replicas find room on others.

use super::api::Api;
use super::warp::Warp;
use super::{PATIENCE, at};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Accelerators of a node.
const GPUS: u64 = 4;
/// A node without work is kept for so long.
const EMPTY: SignedDuration = SignedDuration::from_mins(30);

/// What the cluster autoscaler puts on nodes that it is about to delete.
const CANDIDATE: &str = "DeletionCandidateOfClusterAutoscaler";

#[derive(Default)]
pub(crate) struct Pool {
    made: usize,
    /// Since when nodes have had no work.
    empty: BTreeMap<String, Timestamp>,
}

/// What is there at one moment.
struct Scene {
    nodes: Vec<Value>,
    pods: Vec<Value>,
}

pub(crate) fn name(object: &Value) -> &str {
    at(object, "/metadata/name").as_str().unwrap_or_default()
}

fn gpus(pod: &Value) -> u64 {
    let asked = at(pod, "/spec/containers/0/resources/limits/nvidia.com~1gpu");
    asked.as_str().and_then(|text| text.parse().ok()).unwrap_or(0)
}

pub(crate) fn is_over(pod: &Value) -> bool {
    matches!(at(pod, "/status/phase").as_str(), Some("Succeeded" | "Failed"))
}

fn node_of(pod: &Value) -> Option<&str> {
    at(pod, "/spec/nodeName").as_str().filter(|node| !node.is_empty())
}

fn owner(object: &Value) -> &str {
    at(object, "/metadata/ownerReferences/0/kind").as_str().unwrap_or_default()
}

impl Scene {
    fn look(api: &Api) -> Self {
        Self { nodes: api.items("/api/v1/nodes"), pods: api.items("/api/v1/pods") }
    }

    fn on(&self, node: &str) -> impl Iterator<Item = &Value> {
        let node = node.to_owned();
        self.pods.iter().filter(move |pod| !is_over(pod) && node_of(pod) == Some(&node))
    }

    /// Accelerators that are free on a node that takes work.
    fn free(&self, node: &Value) -> u64 {
        if at(node, "/spec/unschedulable").as_bool() == Some(true) {
            return 0;
        }
        GPUS.saturating_sub(self.on(name(node)).map(gpus).sum())
    }

    fn fits(&self, pod: &Value) -> bool {
        self.nodes.iter().any(|node| self.free(node) >= gpus(pod))
    }

    fn waiting(&self) -> Vec<&Value> {
        self.pods.iter().filter(|pod| !is_over(pod) && node_of(pod).is_none()).collect()
    }
}

impl Pool {
    /// Waits until nothing moves any more; makes and deletes nodes as the rules have it.
    pub(crate) fn settle(&mut self, api: &Api, warp: Option<&Warp>, now: Timestamp) {
        loop {
            let scene = quiet(api, warp);
            if !self.grow(api, &scene) && !self.shrink(api, &scene, now) {
                return;
            }
        }
    }

    /// Makes nodes for pods that find no room; whether any.
    fn grow(&mut self, api: &Api, scene: &Scene) -> bool {
        let mut room = 0;
        let waiting = scene.waiting();
        for pod in &waiting {
            let asks = gpus(pod);
            if asks > room {
                self.made += 1;
                api.create("/api/v1/nodes", &node(self.made));
                room = GPUS;
            }
            room -= asks;
        }
        !waiting.is_empty()
    }

    /// Deletes what is empty for long enough, and empties what is half empty; whether anything
    /// moves then.
    fn shrink(&mut self, api: &Api, scene: &Scene, now: Timestamp) -> bool {
        let mut moves = false;
        let is_empty = |node: &&Value| scene.on(name(node)).next().is_none();
        let empty: Vec<&str> = scene.nodes.iter().filter(is_empty).map(name).collect();
        self.used_again(api, &empty);
        for node in empty {
            let since = *self.empty.entry(node.to_owned()).or_insert_with(|| {
                taint(api, node, &json!([{"key": CANDIDATE, "effect": "PreferNoSchedule"}]));
                now
            });
            if now.duration_since(since) >= EMPTY {
                api.delete(&format!("/api/v1/nodes/{node}"));
                self.empty.remove(node);
                moves = true;
            }
        }
        moves || consolidate(api, scene)
    }
}

impl Pool {
    /// Nodes that were empty and are not any more are candidates no more.
    fn used_again(&mut self, api: &Api, empty: &[&str]) {
        let used = |node: &String| !empty.contains(&node.as_str());
        let all: Vec<String> = self.empty.keys().filter(|node| used(node)).cloned().collect();
        for node in all {
            taint(api, &node, &Value::Null);
            self.empty.remove(&node);
        }
    }
}

fn taint(api: &Api, node: &str, taints: &Value) {
    api.merge(&format!("/api/v1/nodes/{node}"), &json!({"spec": {"taints": taints}}));
}

/// Moves the replicas of the emptiest node that is half empty or more, where others have room.
fn consolidate(api: &Api, scene: &Scene) -> bool {
    let mut candidates: Vec<(u64, &Value)> = Vec::new();
    for node in &scene.nodes {
        let used: u64 = scene.on(name(node)).map(gpus).sum();
        let movable = scene.on(name(node)).all(|pod| owner(pod) == "ReplicaSet");
        if used > 0 && used * 2 <= GPUS && movable && scene.free(node) > 0 {
            candidates.push((used, node));
        }
    }
    candidates.sort_by_key(|(used, node)| (*used, name(node)));
    for (used, node) in candidates {
        let others = scene.nodes.iter().filter(|other| name(other) != name(node));
        // Only what is in use takes more: an empty node is to go.
        let others = others.filter(|other| scene.on(name(other)).next().is_some());
        if others.map(|other| scene.free(other)).sum::<u64>() < used {
            continue;
        }
        let cordon = json!({"spec": {"unschedulable": true}});
        api.merge(&format!("/api/v1/nodes/{}", name(node)), &cordon);
        for pod in scene.on(name(node)) {
            evict(api, pod);
        }
        return true;
    }
    false
}

/// Asks a pod to move, as `kubectl drain` does.
pub(crate) fn evict(api: &Api, pod: &Value) {
    let (namespace, name) = (at(pod, "/metadata/namespace").as_str().unwrap(), name(pod));
    let eviction = json!({"apiVersion": "policy/v1", "kind": "Eviction",
        "metadata": {"name": name, "namespace": namespace}});
    api.create(&format!("/api/v1/namespaces/{namespace}/pods/{name}/eviction"), &eviction);
}

fn node(number: usize) -> Value {
    let name = format!("gpu-{number}");
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": name, "labels": {
            "node.kubernetes.io/instance-type": "g5.12xlarge",
            "topology.kubernetes.io/region": "us-east-1",
            "topology.kubernetes.io/zone": "us-east-1a",
            "karpenter.sh/capacity-type": "on-demand",
            "kubernetes.io/arch": "amd64", "kubernetes.io/os": "linux",
            "kubernetes.io/hostname": name,
            "nvidia.com/gpu.product": "NVIDIA-A10G", "nvidia.com/gpu.count": "4",
            "nvidia.com/gpu.memory": "23028",
        }},
        "spec": {"providerID": format!("aws:///us-east-1a/i-{name}")},
        "status": {"capacity":
            {"cpu": "48", "memory": "192Gi", "pods": "110", "nvidia.com/gpu": "4"}},
    })
}

/// Waits until scheduler, controllers and kubelets have done what there is to do, and the watchers
/// have heard of it.
fn quiet(api: &Api, warp: Option<&Warp>) -> Scene {
    let late = Instant::now() + PATIENCE;
    loop {
        let scene = Scene::look(api);
        let why = restless(api, &scene, warp);
        let Some(why) = why else { return scene };
        assert!(Instant::now() < late, "the cluster does not settle: {why}");
        std::thread::sleep(Duration::from_millis(25));
    }
}

/// What still moves.
fn restless(api: &Api, scene: &Scene, warp: Option<&Warp>) -> Option<String> {
    for node in &scene.nodes {
        let conditions = at(node, "/status/conditions").as_array().cloned().unwrap_or_default();
        let ready = |it: &Value| it["type"] == "Ready" && it["status"] == "True";
        // A node has a taint until its controller has seen that it is ready.
        let taints = at(node, "/spec/taints").as_array().cloned().unwrap_or_default();
        let starts = |it: &Value| it["key"] == "node.kubernetes.io/not-ready";
        if !conditions.iter().any(ready) || taints.iter().any(starts) {
            return Some(format!("node {} starts", name(node)));
        }
    }
    for pod in &scene.pods {
        let phase = at(pod, "/status/phase").as_str().unwrap_or_default();
        let ends = !at(pod, "/metadata/deletionTimestamp").is_null();
        let told = at(pod, "/status/conditions").as_array().is_some_and(|all| {
            all.iter().any(|it| it["type"] == "PodScheduled" && it["status"] == "False")
        });
        let waits = phase == "Pending" && told && !scene.fits(pod);
        if ends || !(phase == "Running" || is_over(pod) || waits) {
            return Some(format!("pod {} is {phase}", name(pod)));
        }
        let asked_to_end = at(pod, "/metadata/annotations/cluster.farthing.dev~1runs-for");
        if phase == "Running" && !asked_to_end.is_null() {
            return Some(format!("pod {} is about to end", name(pod)));
        }
    }
    let mut all: Vec<Value> = scene.nodes.iter().chain(&scene.pods).cloned().collect();
    for path in ["/apis/apps/v1/deployments", "/apis/apps/v1/statefulsets", "/apis/batch/v1/jobs"] {
        for object in api.items(path) {
            if let Some(why) = unsteady(&object, scene) {
                return Some(why);
            }
            all.push(object);
        }
    }
    let untold = warp.and_then(|warp| all.iter().find(|object| !warp.has_told(object)));
    untold.map(|object| format!("{} is not told yet", name(object)))
}

/// Whether what owns pods has those that it wants.
fn unsteady(object: &Value, scene: &Scene) -> Option<String> {
    let app = name(object);
    let own = scene.pods.iter().filter(|pod| at(pod, "/metadata/labels/app") == app);
    let there = own.filter(|pod| !is_over(pod)).count() as u64;
    let number = |path: &str| at(object, path).as_u64();
    let wanted = match number("/spec/parallelism") {
        Some(_) if at(object, "/spec/suspend").as_bool() == Some(true) => 0,
        Some(at_once) => {
            let over = at(object, "/status/conditions").as_array().is_some_and(|all| {
                all.iter().any(|it| it["type"] == "Complete" && it["status"] == "True")
            });
            if over { 0 } else { at_once }
        }
        None => {
            let (generation, seen) =
                (number("/metadata/generation"), number("/status/observedGeneration"));
            if generation != seen {
                return Some(format!("{app} is not seen yet"));
            }
            number("/spec/replicas").unwrap_or(1)
        }
    };
    let counted = number("/status/replicas").or(number("/status/active")).unwrap_or(0);
    (there != wanted || counted != wanted)
        .then(|| format!("{app} has {there} of {wanted} pods, and counts {counted}"))
}
