//! Objects as an API server writes them, put into the tables: whose pods are, and which devices
//! they hold.

use crate::call::{Flavour, calls};
use crate::kind::KINDS;
use crate::measure::{Faces, Measuring};
use crate::object::Names;
use crate::price::{NodePrices, Priced, Prices};
use crate::state::State;
use crate::subject::subject;
use crate::usage::{PodUse, Usage};
use crate::{roles, whose};
use farthing_edge::Measured;
use farthing_model::{
    IdError, Offer, Place, Price, Purchase, Resource, SourceId, Window, WorkloadId,
};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const NOW: &str = "2026-12-01T00:00:00Z";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Puts an object of a kind into the tables.
fn put(state: &mut State, kind: &str, object: &Value) {
    let (index, kind) = KINDS.iter().enumerate().find(|(_, it)| it.name == kind).unwrap();
    let read = kind.read(&object.to_string(), &mut Names::default(), at(NOW)).unwrap();
    state.put(kind, read);
    state.health[index].served = Some(true);
}

fn owned(kind: &str, name: &str) -> Value {
    json!([{"apiVersion": "x/v1", "kind": kind, "name": name, "uid": "u", "controller": true}])
}

fn object(name: &str, owner: Option<(&str, &str)>) -> Value {
    let owners = owner.map_or(Value::Null, |(kind, name)| owned(kind, name));
    json!({"metadata": {"name": name, "namespace": "n", "uid": name, "resourceVersion": "1",
        "creationTimestamp": "2026-11-30T00:00:00Z", "ownerReferences": owners}})
}

fn pod(name: &str, owner: Option<(&str, &str)>, spec: &Value) -> Value {
    let mut pod = object(name, owner);
    pod["spec"] = spec.clone();
    pod["status"] = json!({"phase": "Running", "conditions": [{"type": "PodScheduled",
        "status": "True", "lastTransitionTime": "2026-11-30T12:00:00Z"}]});
    pod
}

/// The controller at the top of a chain of owners, the pod's own first.
fn check(chain: &[(&str, &str)], expected: &str) {
    let mut state = State::default();
    put(&mut state, "Pod", &pod("p", chain.first().copied(), &json!({"nodeName": "node"})));
    for (index, (kind, name)) in chain.iter().enumerate() {
        let above = chain.get(index + 1).copied();
        if *kind == "Pod" {
            put(&mut state, "Pod", &pod(name, above, &json!({})));
        } else if KINDS.iter().any(|it| it.name == *kind) {
            put(&mut state, kind, &object(name, above));
        }
    }
    let pod = state.pods.values().find(|pod| &*pod.key.name == "p").unwrap();
    let top = whose::top(&state, pod);
    assert!(top.complete, "{chain:?}");
    let who = whose::attribution(&state, pod, &top).unwrap();
    let controller = who.controller.map_or_else(String::new, |it| format!(" {}", it.kind));
    assert_eq!(format!("{}{controller}", who.workload), expected, "{chain:?}");
}

#[test]
fn pods_are_followed_to_the_top() {
    check(&[], "n/p");
    check(&[("ReplicaSet", "web-1"), ("Deployment", "web")], "n/web deployment");
    check(&[("StatefulSet", "db")], "n/db statefulset");
    check(&[("DaemonSet", "agent")], "n/agent daemonset");
    check(&[("Job", "nightly-1"), ("CronJob", "nightly")], "n/nightly cronjob");
    check(&[("Job", "set-workers-0"), ("JobSet", "set")], "n/set jobset");
    check(&[("PyTorchJob", "ft")], "n/ft pytorchjob");
    check(&[("RayCluster", "ray-x"), ("RayJob", "ray")], "n/ray rayjob");
    check(&[("RayCluster", "notebook")], "n/notebook raycluster");
    let leader = [
        ("StatefulSet", "lws-0"),
        ("Pod", "lws-0"),
        ("StatefulSet", "lws"),
        ("LeaderWorkerSet", "lws"),
    ];
    check(&leader, "n/lws leaderworkerset");
    let served = [("ReplicaSet", "llm-1"), ("Deployment", "llm-p"), ("InferenceService", "llm")];
    check(&served, "n/llm inferenceservice");
    // A node's own manifests; an owner of a kind that nobody watches.
    check(&[("Node", "node")], "n/p");
    check(&[("Gadget", "g")], "n/g gadget");
}

#[test]
fn an_owner_that_comes_after_its_pod_is_waited_for() {
    let mut state = State::default();
    put(&mut state, "Pod", &pod("p", Some(("ReplicaSet", "web-1")), &json!({})));
    let top = |state: &State| whose::top(state, state.pods.values().next().unwrap());
    assert!(!top(&state).complete);
    put(&mut state, "ReplicaSet", &object("web-1", Some(("Deployment", "web"))));
    assert!(!top(&state).complete);
    put(&mut state, "Deployment", &object("web", None));
    assert!(top(&state).complete);
    // A loop of owners ends.
    put(&mut state, "Deployment", &object("web", Some(("ReplicaSet", "web-1"))));
    assert!(top(&state).complete);
}

#[test]
fn a_team_is_what_is_nearest() {
    let mut state = State::default();
    put(&mut state, "Pod", &pod("p", Some(("Job", "j")), &json!({})));
    let team = |state: &State| {
        let pod = state.pods.values().next().unwrap();
        let who = whose::attribution(state, pod, &whose::top(state, pod)).unwrap();
        who.team.map(|team| team.to_string())
    };
    assert_eq!(team(&state), None);
    put(&mut state, "Namespace", &json!({"metadata": {"name": "n", "labels": {"team": "ns"}}}));
    assert_eq!(team(&state).as_deref(), Some("ns"));
    let mut job = object("j", None);
    job["metadata"]["annotations"] = json!({"farthing.dev/team": "job"});
    put(&mut state, "Job", &job);
    assert_eq!(team(&state).as_deref(), Some("job"));
    let mut labelled = pod("p", Some(("Job", "j")), &json!({}));
    labelled["metadata"]["labels"] = json!({"team": "own", "farthing.dev/team": "ours"});
    put(&mut state, "Pod", &labelled);
    assert_eq!(team(&state).as_deref(), Some("ours"));
}

#[test]
fn a_node_of_the_same_name_ends_the_one_before_it() {
    let mut state = State::default();
    put(&mut state, "Node", &node(&json!({"cpu": "8"}), &json!({})));
    let mut again = node(&json!({"cpu": "4"}), &json!({}));
    again["metadata"]["creationTimestamp"] = json!("2026-11-30T23:15:00Z");
    put(&mut state, "Node", &again);
    put(&mut state, "Node", &again);
    let spans = measure(&state).spans;
    let cores: Vec<_> = spans
        .iter()
        .map(|it| (it.capacity.cpu_milli, it.window.nanos() / 60_000_000_000))
        .collect();
    assert_eq!(cores, [(8_000, 15), (4_000, 45)]);
}

struct Free;

impl Prices for Free {
    fn price(
        &mut self,
        _labels: &BTreeMap<String, String>,
        _provider_id: Option<&str>,
    ) -> Result<Priced, IdError> {
        let place = Place { provider: "x".to_owned(), region: "y".to_owned(), zone: None };
        Ok(Priced {
            offer: Offer::id_of(&place, "m", Purchase::OnDemand)?,
            place,
            instance_type: "m".to_owned(),
            accelerator: None,
            purchase: Purchase::OnDemand,
            price: Price::Unknown("not looked up".to_owned()),
        })
    }
}

fn free() -> NodePrices {
    NodePrices::new(Box::new(Free))
}

/// Measures an hour before now.
fn measure(state: &State) -> Measured {
    let window = Window::new(at("2026-11-30T23:00:00Z"), at(NOW)).unwrap();
    let source = SourceId::new("kubernetes").unwrap();
    let (source, usage) = (&source, &Usage::Unknown(String::new()));
    let measuring = Measuring { state, window, known: at(NOW), source, usage };
    measuring.measure(&mut free(), &mut Faces::default())
}

fn node(capacity: &Value, labels: &Value) -> Value {
    json!({"metadata": {"name": "node", "labels": labels, "creationTimestamp": NOW_MINUS_A_DAY},
        "status": {"capacity": capacity, "conditions": [{"type": "Ready", "status": "True",
            "lastTransitionTime": NOW_MINUS_A_DAY}]}})
}

const NOW_MINUS_A_DAY: &str = "2026-11-30T00:00:00Z";

/// Accelerator hours of an hour, in thousandths.
fn gpu_milli(measured: &Measured) -> i128 {
    let gpus = measured.samples.iter().filter(|it| it.resource == Resource::Gpu);
    gpus.map(|it| it.requested_nano).sum::<i128>() / 3_600 / 1_000_000
}

fn container(resources: &Value) -> Value {
    json!({"nodeName": "node", "containers": [{"name": "c", "resources": resources}]})
}

#[test]
fn devices_are_shares_of_what_the_node_has() {
    let mut state = State::default();
    let labels = json!({"nvidia.com/gpu.product": "NVIDIA-A100-SXM4-80GB",
        "nvidia.com/gpu.count": "8"});
    let capacity = json!({"cpu": "96", "memory": "1Ti", "nvidia.com/gpu": "7",
        "nvidia.com/mig-3g.40gb": "2", "hugepages-2Mi": "0", "pods": "110"});
    put(&mut state, "Node", &node(&capacity, &labels));
    let asks = json!({"limits": {"nvidia.com/gpu": "2", "nvidia.com/mig-3g.40gb": "1"}});
    put(&mut state, "Pod", &pod("p", None, &container(&asks)));
    let measured = measure(&state);
    assert_eq!(measured.faults, Vec::<String>::new());
    assert_eq!(measured.spans[0].capacity.gpu_milli, 8_000);
    // Two whole ones, and half of one: 3 of 7 compute slices, 4 of 8 memory slices.
    assert_eq!(gpu_milli(&measured), 2_500);
}

#[test]
fn claimed_devices_are_split_over_the_pods_that_reserve_them() {
    let mut state = State::default();
    put(&mut state, "Node", &node(&json!({"cpu": "96", "memory": "1Ti"}), &json!({})));
    let device = |name: &str, attributes: &Value| json!({"name": name, "attributes": attributes});
    let mig = json!({"type": {"string": "mig"}, "profile": {"string": "1g.5gb"},
        "productName": {"string": "NVIDIA A100-SXM4-40GB"}});
    let devices = [
        device("gpu-0", &json!({"type": {"string": "gpu"}})),
        device("gpu-1", &json!({"type": {"string": "gpu"}})),
        device("gpu-1-mig", &mig),
    ];
    put(
        &mut state,
        "ResourceSlice",
        &json!({"metadata": {"name": "s"}, "spec": {
        "driver": "gpu.nvidia.com", "nodeName": "node", "pool": {"name": "node"},
        "devices": devices}}),
    );
    let claim = |name: &str, device: &str, pods: &[&str]| {
        let pods = pods.iter().map(|pod| json!({"resource": "pods", "name": pod, "uid": "u"}));
        json!({"metadata": {"name": name, "namespace": "n"}, "status": {
            "reservedFor": pods.collect::<Value>(), "allocation": {"devices": {"results": [
                {"driver": "gpu.nvidia.com", "pool": "node", "device": device, "request": "r"},
                {"driver": "net.example", "pool": "node", "device": "nic", "request": "n"},
                {"driver": "gpu.nvidia.com", "pool": "node", "device": "gpu-1", "request": "m",
                    "adminAccess": true}]}}}})
    };
    put(&mut state, "ResourceClaim", &claim("shared", "gpu-0", &["a", "b"]));
    put(&mut state, "ResourceClaim", &claim("sliced", "gpu-1-mig", &["c"]));
    for (name, claim) in [("a", "shared"), ("b", "shared"), ("c", "sliced")] {
        let mut pod = pod(name, None, &container(&json!({"requests": {"cpu": "1"}})));
        pod["status"]["resourceClaimStatuses"] =
            json!([{"name": "gpu", "resourceClaimName": claim}]);
        put(&mut state, "Pod", &pod);
    }
    let measured = measure(&state);
    assert_eq!(measured.spans[0].capacity.gpu_milli, 2_000, "slices are no devices of their own");
    let of = |name: &str| {
        let own = measured.samples.iter().filter(|it| {
            let who = it.attribution.as_ref().unwrap();
            it.resource == Resource::Gpu && who.pod.as_deref() == Some(name)
        });
        own.map(|it| it.requested_nano).sum::<i128>() / 3_600 / 1_000_000
    };
    assert_eq!((of("a"), of("b"), of("c")), (500, 500, 142));
}

#[test]
fn a_pod_asks_for_what_the_scheduler_counts() {
    let mut state = State::default();
    put(&mut state, "Node", &node(&json!({"cpu": "96", "memory": "1Ti"}), &json!({})));
    let spec = json!({"nodeName": "node", "overhead": {"cpu": "250m"},
        "containers": [
            {"name": "a", "resources": {"requests": {"cpu": "1", "memory": "1e9"}}},
            {"name": "b", "resources": {"limits": {"cpu": "500m", "vendor.example/nic": "1"}}}],
        "initContainers": [
            {"name": "sidecar", "restartPolicy": "Always",
                "resources": {"requests": {"cpu": "100m"}}},
            {"name": "first", "resources": {"requests": {"cpu": "3", "memory": "1Mi"}}}]});
    put(&mut state, "Pod", &pod("p", None, &spec));
    let asks = |state: &State| state.pods.values().next().unwrap().asks.clone();
    // The one that runs before the others together with the sidecar, and the overhead.
    assert_eq!(asks(&state).resources.cpu_milli, 3_350);
    assert_eq!(asks(&state).resources.memory_bytes, 1_000_000_000);
    assert!(asks(&state).devices.is_empty());
    let mut whole = spec.clone();
    whole["resources"] = json!({"requests": {"cpu": "5"}});
    put(&mut state, "Pod", &pod("p", None, &whole));
    assert_eq!(asks(&state).resources.cpu_milli, 5_250, "what the pod as a whole asks for stands");
    let half = container(&json!({"limits": {"nvidia.com/gpu": "0.5"}}));
    let text = pod("q", None, &half).to_string();
    let error = KINDS[1].read(&text, &mut Names::default(), at(NOW)).unwrap_err();
    assert!(error.starts_with("container c: nvidia.com/gpu: `0.5`"), "{error}");
}

#[test]
fn time_that_is_not_known_is_paid_and_not_measured() {
    let mut state = State::default();
    put(&mut state, "Node", &node(&json!({"cpu": "8", "memory": "8Gi"}), &json!({})));
    let asks = json!({"requests": {"cpu": "2"}});
    put(&mut state, "Pod", &pod("p", None, &container(&asks)));
    let mut done = pod("done", None, &container(&asks));
    done["status"]["phase"] = json!("Failed");
    done["status"]["containerStatuses"] =
        json!([{"state": {"terminated": {"finishedAt": "2026-11-30T23:15:00Z"}}}]);
    put(&mut state, "Pod", &done);
    let window = Window::new(at("2026-11-30T23:00:00Z"), at(NOW)).unwrap();
    let source = SourceId::new("kubernetes").unwrap();
    let known = at("2026-11-30T23:30:00Z");
    let measuring = Measuring {
        state: &state,
        window,
        known,
        usage: &Usage::Unknown(String::new()),
        source: &source,
    };
    let measured = measuring.measure(&mut free(), &mut Faces::default());
    let spans: Vec<_> = measured.spans.iter().map(|it| (it.window.to(), it.measured)).collect();
    assert_eq!(spans, [(known, true), (at(NOW), false)]);
    let hours = |name: &str| {
        let own = measured
            .samples
            .iter()
            .filter(|it| it.attribution.as_ref().unwrap().pod.as_deref() == Some(name));
        own.map(|it| (it.window.to(), it.requested_nano / 1_000_000_000)).collect::<Vec<_>>()
    };
    assert_eq!(hours("p"), [(known, 2 * 1_800)]);
    assert_eq!(hours("done"), [(at("2026-11-30T23:15:00Z"), 2 * 900)]);
    assert_eq!(measured.coverage.ratio().unwrap().to_string(), "50.0 %");
}

#[test]
fn the_role_is_what_is_watched_and_only_for_looking() {
    let text = roles(Flavour::Observe);
    for kind in &KINDS {
        assert!(text.contains(&format!("      - {}\n", kind.plural)), "{}", kind.plural);
    }
    let verbs: Vec<_> = text.lines().filter(|line| line.contains("verbs:")).collect();
    // What pods use is only listed.
    let looks = ["verbs: [list, watch]", "verbs: [list]"];
    assert!(verbs.iter().all(|line| looks.contains(&line.trim())), "{verbs:?}");
    assert!(!text.contains("secrets") && !text.contains('*'));
}

#[test]
fn each_role_has_what_its_calls_need_and_nothing_can_be_deleted() {
    for flavour in Flavour::ALL {
        let text = roles(flavour);
        assert!(!text.contains("delete") && !text.contains('*'), "{text}");
        for call in calls() {
            let rule = text.split("  - apiGroups: ").find(|rule| {
                let is = |line: &str| line.trim() == format!("- {}", call.resource());
                rule.starts_with(&format!("[\"{}\"]", call.group)) && rule.lines().any(is)
            });
            let verbs = rule.and_then(|rule| rule.split("verbs: [").nth(1)).unwrap_or_default();
            let verbs: Vec<&str> = verbs.split(']').next().unwrap().split(", ").collect();
            let has = verbs.contains(&call.verb.name());
            // What is watched is listed by every role.
            let mut kinds = KINDS.iter();
            let is_watched = call.verb.name() == "list"
                && kinds.any(|kind| (kind.group, kind.plural) == (call.group, call.plural));
            let may = is_watched || call.flavour <= flavour;
            assert_eq!(has, may, "{call} of {}", flavour.name());
        }
    }
}

#[test]
fn a_workload_has_one_object_that_stands_for_it() {
    let mut state = State::default();
    let find = |state: &State, name: &str| subject(state, &WorkloadId::new(name).unwrap());
    put(&mut state, "ReplicaSet", &object("web-1", Some(("Deployment", "web"))));
    put(&mut state, "Pod", &pod("web-1-x", Some(("ReplicaSet", "web-1")), &json!({})));
    assert_eq!(find(&state, "n/web"), None, "it was not told yet");
    let mut web = object("web", None);
    web["metadata"]["generation"] = json!(7);
    web["metadata"]["resourceVersion"] = json!("00912");
    web["metadata"]["annotations"] =
        json!({"farthing.dev/exclude": "true", "farthing.dev/team": "shop", "other": "x"});
    web["spec"] = json!({"replicas": 3});
    put(&mut state, "Deployment", &web);
    let seen = find(&state, "n/web").unwrap();
    assert_eq!((seen.kind, seen.api_version.as_str()), ("Deployment", "apps/v1"));
    assert_eq!(seen.path, "/apis/apps/v1/namespaces/n/deployments/web");
    assert_eq!((seen.uid.as_str(), seen.resource_version.as_str()), ("web", "00912"));
    assert_eq!((seen.generation, seen.replicas, seen.suspend), (7, Some(3), None));
    let marks: Vec<_> = seen.marks.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    assert_eq!(marks, [("exclude", "true"), ("team", "shop")]);
    // What is owned stands for nothing.
    assert_eq!(find(&state, "n/web-1"), None);
    assert_eq!(find(&state, "n/web-1-x"), None);
    let mut held = object("train", None);
    held["spec"] = json!({"runPolicy": {"suspend": true}});
    held["metadata"]["deletionTimestamp"] = json!(NOW);
    put(&mut state, "PyTorchJob", &held);
    let seen = find(&state, "n/train").unwrap();
    assert_eq!((seen.suspend, seen.deleting, seen.replicas), (Some(true), true, None));
    assert_eq!(seen.path, "/apis/kubeflow.org/v1/namespaces/n/pytorchjobs/train");
    put(&mut state, "Pod", &pod("bare", None, &json!({})));
    let seen = find(&state, "n/bare").unwrap();
    assert_eq!((seen.kind, seen.path.as_str()), ("Pod", "/api/v1/namespaces/n/pods/bare"));
    assert_eq!(seen.resource_version, "1");
}

/// A cluster in which others have said much about a node and a workload.
fn said_by_others() -> State {
    let mut state = State::default();
    let mut taken = object("n1", None);
    taken["metadata"]["labels"] = json!({"karpenter.sh/nodepool": "gpus"});
    taken["spec"] = json!({"unschedulable": true, "taints": [
        {"key": "gpu", "value": "h100", "effect": "NoSchedule"},
        {"key": "old", "effect": "Sometimes"}]});
    put(&mut state, "Node", &taken);
    put(&mut state, "Node", &object("n2", None));
    let rule = |kind: &str, name: &str, spec: Value, status: Value| {
        let mut rule = object(name, None);
        (rule["spec"], rule["status"]) = (spec, status);
        (kind.to_owned(), rule)
    };
    let quota = |name: &str, hard: Value, used: Value| {
        rule("ResourceQuota", name, Value::Null, json!({"hard": hard, "used": used}))
    };
    let mut class = object("high", None);
    class["metadata"]["namespace"] = json!("");
    class["value"] = json!(1_000);
    let target = |kind: &str, name: &str| json!({"kind": kind, "name": name});
    let rules = [
        quota(
            "a",
            json!({"requests.cpu": "10", "requests.nvidia.com/gpu": "8", "pods": "5"}),
            json!({"requests.cpu": "2500m", "requests.nvidia.com/gpu": "3", "pods": "9"}),
        ),
        quota("b", json!({"cpu": "9", "limits.cpu": "1"}), json!({"cpu": "3"})),
        rule(
            "ResourceQuota",
            "scoped",
            json!({"scopes": ["BestEffort"]}),
            json!({"hard": {"pods": "0"}}),
        ),
        rule(
            "PodDisruptionBudget",
            "p",
            json!({"selector": {"matchLabels": {"app": "web"}}}),
            json!({"disruptionsAllowed": 2}),
        ),
        rule(
            "PodDisruptionBudget",
            "q",
            json!({"selector": {"matchExpressions": [
            {"key": "app", "operator": "NotIn", "values": ["db"]}]}}),
            json!({"disruptionsAllowed": 1}),
        ),
        rule(
            "PodDisruptionBudget",
            "r",
            json!({"selector": {"matchLabels": {"app": "db"}}}),
            json!({"disruptionsAllowed": 0}),
        ),
        ("PriorityClass".to_owned(), class),
        rule(
            "HorizontalPodAutoscaler",
            "h",
            json!({"minReplicas": 2, "maxReplicas": 9,
            "scaleTargetRef": target("Deployment", "web")}),
            Value::Null,
        ),
        rule("ScaledObject", "k", json!({"scaleTargetRef": {"name": "idle"}}), Value::Null),
        rule(
            "NodePool",
            "gpus",
            json!({"limits": {"nvidia.com/gpu": "16"}, "weight": 7}),
            json!({"resources": {"nvidia.com/gpu": "8", "cpu": "192"}}),
        ),
    ];
    for (kind, rule) in &rules {
        put(&mut state, kind, rule);
    }
    let template = json!({"tolerations": [{"key": "gpu", "operator": "Exists"},
            {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"}],
        "nodeSelector": {"zone": "a"}, "priorityClassName": "high",
        "volumes": [{"name": "d", "persistentVolumeClaim": {"claimName": "d"}}, {"name": "e"}]});
    let mut web = object("web", None);
    web["metadata"]["labels"] = json!({"kueue.x-k8s.io/queue-name": "team-a"});
    web["spec"] = json!({"template": {"spec": template}});
    put(&mut state, "Deployment", &web);
    put(&mut state, "ReplicaSet", &object("web-1", Some(("Deployment", "web"))));
    let mut one = pod("web-1-x", Some(("ReplicaSet", "web-1")), &json!({}));
    one["metadata"]["labels"] = json!({"app": "web"});
    one["metadata"]["annotations"] = json!({"karpenter.sh/do-not-disrupt": "true"});
    put(&mut state, "Pod", &one);
    put(&mut state, "Deployment", &object("plain", None));
    put(&mut state, "Deployment", &object("idle", None));
    state
}

/// What others say becomes terms of a snapshot: only of whom it is said.
#[test]
fn what_others_say_becomes_terms() {
    let state = said_by_others();
    let lab = farthing_model::ClusterId::new("lab").unwrap();
    let seen = crate::observe::snapshot(
        (&state, &mut crate::observe::Seen::new()),
        (&lab, at(NOW)),
        &mut free(),
        farthing_model::Coverage::default(),
        &mut std::collections::BTreeSet::new(),
    );
    let terms = &*seen.terms;
    let node = &terms.nodes[&farthing_model::NodeId::new("n1").unwrap()];
    assert_eq!((node.cordoned, node.pool.as_deref(), node.taints.len()), (true, Some("gpus"), 1));
    assert!(node.taints[0].keeps_off(&[]));
    assert_eq!(terms.nodes.len(), 1, "of the other nothing is said");
    let room = terms.room["n"];
    assert_eq!((room.cpu_milli, room.gpu_milli, room.pods), (Some(6_000), Some(5_000), Some(0)));
    let pool = &terms.pools["gpus"];
    assert_eq!((pool.limit.gpu_milli, pool.bought.gpu_milli), (Some(16_000), 8_000));
    assert_eq!((pool.limit.cpu_milli, pool.weight), (None, 7));
    let of = |name: &str| terms.workloads.get(&WorkloadId::new(name).unwrap());
    let web = of("n/web").unwrap();
    assert!(!node.taints[0].keeps_off(&web.tolerations));
    assert_eq!(web.tolerations.len(), 1, "what every pod tolerates is not said");
    assert_eq!((web.priority, web.disruptions, web.volumes), (1_000, Some(1), 1));
    assert!(web.undisturbed && !web.more_affinity && web.selector["zone"] == "a");
    let scaler = farthing_model::Steering::Replicas {
        kind: "HorizontalPodAutoscaler".to_owned(),
        name: "h".to_owned(),
        least: 2,
        most: 9,
    };
    assert_eq!(web.steered_by, [farthing_model::Steering::Queue("team-a".to_owned()), scaler]);
    assert_eq!(of("n/idle").unwrap().steered_by.len(), 1, "KEDA");
    assert_eq!(of("n/plain"), None);
}

/// Where the metrics server tells it, what a pod uses is known, also of one that asks for nothing.
#[test]
fn what_the_metrics_server_tells_is_metered() {
    let mut state = State::default();
    put(&mut state, "Node", &node(&json!({"cpu": "8", "memory": "32Gi"}), &json!({})));
    let spec = |asks: Value| {
        let container = json!({"name": "c", "resources": {"requests": asks}});
        json!({"nodeName": "node", "containers": [container]})
    };
    put(&mut state, "Pod", &pod("p", None, &spec(json!({"cpu": "2", "memory": "1Gi"}))));
    put(&mut state, "Pod", &pod("q", None, &spec(json!({}))));
    let told = |name: &str| {
        json!({"metadata": {"name": name, "namespace": "n"}, "timestamp": NOW,
            "containers": [{"usage": {"cpu": "500m", "memory": "2Gi"}}]})
    };
    let usage = Usage::read(
        json!({"items": [told("p"), told("q")]}).to_string().as_bytes(),
        &mut Vec::new(),
    )
    .unwrap();
    let window = Window::new(at("2026-11-30T23:00:00Z"), at(NOW)).unwrap();
    let source = SourceId::new("kubernetes").unwrap();
    let (source, usage, known) = (&source, &usage, at(NOW));
    let measuring = Measuring { state: &state, window, known, source, usage };
    let measured = measuring.measure(&mut free(), &mut Faces::default());
    let of = |name: &str, resource: Resource| {
        let own = measured.samples.iter().find(|it| {
            let who = it.attribution.as_ref().unwrap();
            it.resource == resource && who.pod.as_deref() == Some(name)
        });
        own.map(|it| (it.requested_nano, it.used_nano))
    };
    let hour = window.nanos();
    assert_eq!(of("p", Resource::Cpu), Some((2 * hour, Some(hour / 2))));
    assert_eq!(of("p", Resource::Memory), Some((hour << 30, Some(hour << 31))));
    assert_eq!(of("q", Resource::Cpu), Some((0, Some(hour / 2))));
    assert_eq!(of("q", Resource::Storage), None);
}

/// Of whole accelerators the use is told; of instances of one it is not, whatever is said.
#[test]
fn use_of_accelerators_is_that_of_whole_ones() {
    let mut state = State::default();
    let labels = json!({"nvidia.com/gpu.product": "NVIDIA-A100-SXM4-80GB",
        "nvidia.com/gpu.count": "8"});
    let capacity = json!({"cpu": "96", "memory": "1Ti", "nvidia.com/gpu": "7",
        "nvidia.com/mig-3g.40gb": "2"});
    put(&mut state, "Node", &node(&capacity, &labels));
    for (name, device, count) in
        [("whole", "nvidia.com/gpu", "2"), ("part", "nvidia.com/mig-3g.40gb", "1")]
    {
        let asks = json!({"limits": {device: count}});
        put(&mut state, "Pod", &pod(name, None, &container(&asks)));
    }
    // An exporter's own pod has no accelerator, and is said to use one.
    put(&mut state, "Pod", &pod("exporter", None, &container(&json!({}))));
    let uses = ["whole", "part", "exporter"].map(|name| PodUse {
        namespace: "n".to_owned(),
        name: name.to_owned(),
        gpu_nano: Some(1_500_000_000),
        ..PodUse::default()
    });
    let window = Window::new(at("2026-11-30T23:00:00Z"), at(NOW)).unwrap();
    let source = SourceId::new("kubernetes").unwrap();
    let usage = Usage::told(uses.into(), "somebody".to_owned(), at(NOW));
    let (source, usage, known) = (&source, &usage, at(NOW));
    let measuring = Measuring { state: &state, window, known, source, usage };
    let measured = measuring.measure(&mut free(), &mut Faces::default());
    let of = |name: &str| {
        let own = measured.samples.iter().find(|it| {
            let who = it.attribution.as_ref().unwrap();
            it.resource == Resource::Gpu && who.pod.as_deref() == Some(name)
        });
        own.map(|it| it.used_nano)
    };
    assert_eq!(of("whole"), Some(Some(window.nanos() * 3 / 2)));
    assert_eq!((of("part"), of("exporter")), (Some(None), None));
}
