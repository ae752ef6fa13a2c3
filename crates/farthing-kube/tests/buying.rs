//! Letting the pools of an autoscaler buy on a real API server, and asking people where there is
//! none.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, missing_docs, reason = "tests")]

mod cluster;
mod hand;

use cluster::{Cluster, SystemClock, until};
use farthing_edge::{Act, Buyable, Quote};
use farthing_kube::{Flavour, Kube, Kubeconfig, Priced, Prices};
use farthing_model::{
    Action, ClusterId, IdError, OfferId, Place, ReceiptOutcome, Resources, Step, Window,
};
use hand::{
    Types, act, bind, conflict, held, id, members, ready, refused, seen, step, undo, wanted,
};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// What machines have; the rest is as in the other tests.
struct Machines;

fn has(machine: &str) -> Option<Resources> {
    let (cores, gib, gpus) = match machine {
        "p5.48xlarge" => (192, 2_048, 8),
        "p4d.24xlarge" => (96, 1_152, 8),
        "g5.12xlarge" => (48, 192, 4),
        _ => return None,
    };
    Some(Resources {
        cpu_milli: cores * 1_000,
        memory_bytes: gib << 30,
        gpu_milli: gpus * 1_000,
        storage_bytes: 0,
    })
}

impl Prices for Machines {
    fn price(
        &mut self,
        labels: &BTreeMap<String, String>,
        provider_id: Option<&str>,
    ) -> Result<Priced, IdError> {
        Types.price(labels, provider_id)
    }

    fn capacity(&mut self, offer: &OfferId) -> Option<Resources> {
        has(offer.as_str().rsplit('/').nth(1)?)
    }

    fn machines(&mut self, _: &Place) -> Vec<(Priced, Resources)> {
        let label = ("node.kubernetes.io/instance-type".to_owned(), "p4d.24xlarge".to_owned());
        let priced = Types.price(&BTreeMap::from([label]), None).unwrap();
        vec![(priced, has("p4d.24xlarge").unwrap())]
    }
}

fn open(kubeconfig: PathBuf) -> Kube {
    let access = Kubeconfig::load(&[kubeconfig]).unwrap().access(None).unwrap();
    let lab = ClusterId::new("lab").unwrap();
    let kube = Kube::open(access, lab, Arc::new(SystemClock), Box::new(Machines)).unwrap();
    assert!(kube.wait(Duration::from_secs(30)), "{:?}", kube.inventory());
    kube
}

/// Kinds and fields of Karpenter's pools, as far as they are needed here.
const KIND: &str = "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: nodepools.karpenter.sh}
spec:
  group: karpenter.sh
  scope: Cluster
  names: {kind: NodePool, plural: nodepools, singular: nodepool}
  versions:
    - name: v1
      served: true
      storage: true
      subresources: {status: {}}
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec: {type: object, x-kubernetes-preserve-unknown-fields: true}
            status: {type: object, x-kubernetes-preserve-unknown-fields: true}
";

const POOL: &str = "
apiVersion: karpenter.sh/v1
kind: NodePool
metadata: {name: gpus}
spec:
  weight: 10
  limits: {cpu: 1000, nvidia.com/gpu: '16'}
  template:
    spec:
      requirements:
        - {key: kubernetes.io/arch, operator: In, values: [amd64]}
        - key: node.kubernetes.io/instance-type
          operator: In
          values: [g5.12xlarge, p5.48xlarge, p4d.24xlarge]
        - {key: karpenter.sh/capacity-type, operator: In, values: [spot, on-demand]}
";

/// Three replicas of eight devices each, where there are two nodes with so many.
const WORK: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: serving}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: large, namespace: serving}
spec:
  replicas: 3
  selector: {matchLabels: {app: large}}
  template:
    metadata: {labels: {app: large}}
    spec:
      containers: [{name: c, image: i, resources: {limits: {nvidia.com/gpu: 8}}}]
";

fn to_buy(kube: &mut Kube) -> Vec<Buyable> {
    kube.to_buy(&id("serving/large"), Timestamp::now()).unwrap()
}

fn names(found: &[Buyable]) -> Vec<&str> {
    found.iter().map(|it| it.offer.id.as_str()).collect()
}

fn buy(name: &str, (offer, pool): (&str, Option<&str>), generation: u64) -> Step {
    let window = Window::starting(Timestamp::now(), SignedDuration::from_hours(1)).unwrap();
    let action = Action::Buy {
        workload: id("serving/large"),
        offer: OfferId::new(offer).unwrap(),
        nodes: 1,
        pool: pool.map(str::to_owned),
        window,
    };
    step(name, action, generation)
}

const P4D: &str = "lab/here/p4d.24xlarge/on-demand";
const P5: &str = "lab/here/p5.48xlarge/on-demand";

#[test]
fn pools_are_told_what_they_may_buy_and_people_where_there_is_none() {
    let Some(cluster) = cluster::start(&["acts"], &["tests/cluster/demo/nodes.yaml"]) else {
        return;
    };
    cluster.apply(KIND);
    cluster.kubectl(&["wait", "--for=condition=Established", "crd/nodepools.karpenter.sh"]);
    cluster.apply(WORK);
    bind(&cluster, "acts", Flavour::Enforce);
    let mut kube = open(cluster.kubeconfig_of("acts"));
    until("two of three run", || (members(&seen(&mut kube, "serving/large")?) == 2).then_some(()));
    people_are_told_what_to_do(&cluster, &mut kube);
    a_pool_may_buy_more_and_no_more_after_that(&cluster, &mut kube);
    what_a_pool_must_not_is_held(&cluster, &mut kube);
}

fn people_are_told_what_to_do(cluster: &Cluster, kube: &mut Kube) {
    let found = to_buy(kube);
    assert_eq!(names(&found), [P5], "whether other accelerators would do, nobody says");
    assert!(found.iter().all(|it| it.pool.is_none() && it.members == 1));
    assert_eq!(found[0].how, "one more like node h100-a");
    let group = "eks.amazonaws.com/nodegroup=large";
    cluster.kubectl(&["label", "node", "h100-a", "h100-b", group]);
    let how = until("the group is seen", || {
        let how = to_buy(kube).pop()?.how;
        how.starts_with('`').then_some(how)
    });
    assert!(how.contains("--nodegroup-name large --scaling-config"), "{how}");
    // Nobody here buys it: it is shown, and nothing else.
    let why = held(kube, &buy("b1/1", (P5, None), 0));
    assert_eq!(why, "no autoscaler of nodes would buy it: it is for people to buy");
}

/// Puts the pool there as it has bought both nodes.
fn pool(cluster: &Cluster, kube: &mut Kube) -> Vec<Buyable> {
    cluster.apply(POOL);
    let status = r#"{"status":{"resources":{"cpu":"384","nvidia.com/gpu":"16"}}}"#;
    let patch = ["--subresource=status", "--type=merge", "-p", status];
    cluster.kubectl(&[&["patch", "nodepool", "gpus"][..], &patch].concat());
    until("the pool is in the way", || {
        Some(to_buy(kube)).filter(|it| it.iter().any(|it| it.pool.is_some()))
    })
}

fn pool_field(cluster: &Cluster, path: &str) -> String {
    cluster.kubectl(&["get", "nodepool", "gpus", "-o", &format!("jsonpath={{{path}}}")])
}

fn a_pool_may_buy_more_and_no_more_after_that(cluster: &Cluster, kube: &mut Kube) {
    cluster.kubectl(&["label", "node", "h100-a", "h100-b", "karpenter.sh/nodepool=gpus"]);
    let found = pool(cluster, kube);
    // Eight devices fit on two of its three machines, and it must not be interrupted.
    assert_eq!(names(&found), [P4D, P5]);
    assert_eq!(found[0].pool.as_deref(), Some("gpus"));
    let before = wanted(cluster, "nodepool", "default", "gpus");
    let more = buy("b2/1", (P4D, Some("gpus")), found[0].generation);
    let written = ready(kube, &more);
    assert_eq!(wanted(cluster, "nodepool", "default", "gpus"), before, "nothing is changed yet");
    assert_eq!(act(kube, &more), ReceiptOutcome::Done);
    assert_eq!(act(kube, &more), ReceiptOutcome::AlreadyDone);
    // 16 are bought, and eight more may be: cores were not in the way. What it has stays allowed.
    assert_eq!(pool_field(cluster, ".spec.limits"), r#"{"cpu":1000,"nvidia.com/gpu":"24"}"#);
    let requirements = pool_field(cluster, ".spec.template.spec.requirements[*].values");
    assert_eq!(requirements, r#"["amd64"] ["p5.48xlarge","p4d.24xlarge"] ["on-demand"]"#);
    // Karpenter buys by itself now: there is nothing more to say.
    until("the pool may buy", || to_buy(kube).is_empty().then_some(()));
    // Others change what is theirs, another process takes it back.
    let patch = concat!(
        r#"[{"op":"add","path":"/spec/template/spec/requirements/0","value":"#,
        r#"{"key":"a","operator":"Exists"}},{"op":"replace","path":"/spec/weight","value":20}]"#
    );
    cluster.kubectl(&["patch", "nodepool", "gpus", "--type=json", "-p", patch]);
    let mut other = open(cluster.kubeconfig_of("acts"));
    other.recall(&more.id, &written);
    let outcome = other.outcome_of(&more.id, Timestamp::now()).unwrap().unwrap().outcome;
    assert_eq!(outcome, ReceiptOutcome::Done);
    assert_eq!(undo(&mut other, &more).outcome, ReceiptOutcome::Done);
    let mut expected = before;
    expected["spec"]["weight"] = 20.into();
    let requirements = expected["spec"]["template"]["spec"]["requirements"].as_array_mut().unwrap();
    requirements.insert(0, serde_json::json!({"key": "a", "operator": "Exists"}));
    assert_eq!(wanted(cluster, "nodepool", "default", "gpus"), expected, "byte for byte");
}

fn what_a_pool_must_not_is_held(cluster: &Cluster, kube: &mut Kube) {
    let found = until("it is in the way again", || Some(to_buy(kube)).filter(|it| !it.is_empty()));
    let generation = found[0].generation;
    let other = buy("b3/1", ("lab/here/p3.2xlarge/on-demand", Some("gpus")), generation);
    assert!(held(kube, &other).contains("nobody knows what a node"));
    let old = buy("b3/2", (P5, Some("gpus")), generation + 1);
    assert_eq!(refused(kube, &old), "NodePool gpus was changed since it was seen");
    let late = buy("b3/3", (P5, Some("gpus")), generation);
    ready(kube, &late);
    let patch = r#"{"spec":{"limits":{"nvidia.com/gpu":"20"}}}"#;
    cluster.kubectl(&["patch", "nodepool", "gpus", "--type=merge", "-p", patch]);
    let why = conflict(kube.act(&late, Timestamp::now()).unwrap());
    assert_eq!(why, "NodePool gpus was changed since it was seen");
    assert_eq!(pool_field(cluster, r".spec.limits.nvidia\.com/gpu"), "20");
    cluster.kubectl(&["annotate", "nodepool", "gpus", "farthing.dev/exclude=ours"]);
    let found = until("the change is seen", || {
        to_buy(kube).into_iter().find(|it| it.generation != generation)
    });
    let kept = buy("b3/4", (P5, Some("gpus")), found.generation);
    assert!(held(kube, &kept).contains("it is left alone"));
    // Without pools it is for people again.
    cluster.kubectl(&["delete", "nodepool", "gpus"]);
    until("it is gone", || to_buy(kube).iter().all(|it| it.pool.is_none()).then_some(()));
}
