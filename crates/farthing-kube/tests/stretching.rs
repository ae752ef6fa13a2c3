//! More or fewer members of what works, on a real API server: pods of a Job, jobs of a `JobSet`,
//! workers of a `RayCluster`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, missing_docs, reason = "tests")]

mod cluster;
mod hand;

use cluster::{Cluster, until};
use farthing_edge::{Act, Observe};
use farthing_kube::{Flavour, Kube};
use farthing_model::{ReceiptOutcome, Stretch};
use hand::{act, bind, conflict, field, held, id, on, open, ready, scale, step, undo, wanted};
use jiff::{SignedDuration, Timestamp};

/// How far a workload may be stretched, once it is seen to be in one place.
fn stretch(kube: &mut Kube, workload: &str) -> Option<Stretch> {
    let snapshot = kube.observe(Timestamp::now()).unwrap();
    let stretch = snapshot.terms.workloads.get(&id(workload))?.stretch.clone()?;
    stretch.offer.is_some().then_some(stretch)
}

/// One cluster for everything; each kind is by itself.
#[test]
fn members_come_and_go_on_a_real_server() {
    let users = ["acts", "observer"];
    let Some(cluster) = cluster::start(&users, &["tests/cluster/demo/nodes.yaml"]) else {
        return;
    };
    cluster.apply("{apiVersion: v1, kind: Namespace, metadata: {name: research}}");
    cluster.apply(&kinds(true));
    for name in ["jobsets.jobset.x-k8s.io", "rayclusters.ray.io"] {
        cluster.kubectl(&["wait", "--for=condition=Established", &format!("crd/{name}")]);
    }
    bind(&cluster, "acts", Flavour::Enforce);
    bind(&cluster, "observer", Flavour::Observe);
    let mut kube = open(cluster.kubeconfig_of("acts"));
    a_job_has_fewer_pods_and_more_again(&cluster, &mut kube);
    what_is_left_of_a_job_goes_by_what_its_pods_took(&cluster, &mut kube);
    what_is_not_elastic_or_not_ours_is_held(&cluster, &mut kube);
    workers_of_ray_change_within_their_bounds(&cluster, &mut kube);
    jobs_of_a_set_change_where_its_server_lets_them(&cluster, &mut kube);
}

/// The kinds as far as they are needed here. A set's jobs are as they were made, or may change.
fn kinds(fixed: bool) -> String {
    let rule = "x-kubernetes-validations: [{rule: self == oldSelf, message: field is immutable}]";
    let replicas =
        if fixed { format!("type: integer, {rule}") } else { "type: integer".to_owned() };
    let kind = |group: &str, version: &str, (kind, plural): (&str, &str), spec: &str| {
        let singular = kind.to_lowercase();
        format!(
            "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: \
             {{name: {plural}.{group}}}\nspec:\n  group: {group}\n  scope: Namespaced\n  names: \
             {{kind: {kind}, plural: {plural}, singular: {singular}}}\n  versions:\n    - name: \
             {version}\n      served: true\n      storage: true\n      schema:\n        \
             openAPIV3Schema: {{type: object, properties: {{spec: {{type: object, properties: \
             {{{spec}}}}}}}}}\n---\n"
        )
    };
    let list = |key: &str, more: &str| {
        format!(
            "type: array, x-kubernetes-list-type: map, x-kubernetes-list-map-keys: [{key}], items: \
             {{type: object, required: [{key}], x-kubernetes-preserve-unknown-fields: true, \
             properties: {{{key}: {{type: string, maxLength: 63}}, {more}}}}}"
        )
    };
    let jobs = list("name", &format!("replicas: {{{replicas}}}"));
    let groups = list("groupName", "replicas: {type: integer}");
    let set = format!("suspend: {{type: boolean}}, replicatedJobs: {{{jobs}}}");
    let ray = format!(
        "suspend: {{type: boolean}}, enableInTreeAutoscaling: {{type: boolean}}, \
         workerGroupSpecs: {{{groups}}}"
    );
    kind("jobset.x-k8s.io", "v1alpha2", ("JobSet", "jobsets"), &set)
        + &kind("ray.io", "v1", ("RayCluster", "rayclusters"), &ray)
}

fn sweep(name: &str, annotations: &str, (spec, pod): (&str, &str)) -> String {
    format!(
        "apiVersion: batch/v1\nkind: Job\n\
         metadata: {{name: {name}, namespace: research, annotations: {{{annotations}}}}}\n\
         spec: {{{spec}, template: {{metadata: {{annotations: {{{pod}}}}}, spec: {{restartPolicy: \
         Never, nodeSelector: {{node.kubernetes.io/instance-type: g5.12xlarge}}, containers: \
         [{{name: c, image: i, resources: {{requests: {{cpu: '2'}}}}}}]}}}}}}\n---\n"
    )
}

const ELASTIC: &str = "farthing.dev/elastic: 'min=2,max=8'";

fn a_job_has_fewer_pods_and_more_again(cluster: &Cluster, kube: &mut Kube) {
    cluster.apply(&sweep("sweep", ELASTIC, ("parallelism: 4, completions: 40", "")));
    let at = ("research", "sweep");
    let seen = until("it runs on one kind of node", || stretch(kube, "research/sweep"));
    assert_eq!((seen.wanted, seen.least, seen.most, seen.pods_each), (4, 2, 8, 1));
    assert_eq!((seen.each.cpu_milli, seen.left), (2_000, None));
    let before = wanted(cluster, "job", "research", "sweep");
    let fewer = on(kube, "e1/1", scale("research/sweep", 4, 2));
    let written = ready(kube, &fewer);
    assert!(written.contains(r#""path":["spec","parallelism"],"was":4,"is":2"#), "{written}");
    assert_eq!(wanted(cluster, "job", "research", "sweep"), before, "nothing is changed yet");
    assert_eq!(act(kube, &fewer), ReceiptOutcome::Done);
    assert_eq!(act(kube, &fewer), ReceiptOutcome::AlreadyDone);
    assert_eq!(field(cluster, "job", at, ".spec.parallelism"), "2");
    until("two are left", || stretch(kube, "research/sweep").filter(|it| it.wanted == 2));
    // Others change what is theirs; another process has only what was written down.
    let patch = r#"{"spec":{"backoffLimit":9}}"#;
    cluster.kubectl(&["patch", "job", "sweep", "-n", "research", "-p", patch]);
    let mut other = open(cluster.kubeconfig_of("acts"));
    other.recall(&fewer.id, &written);
    let outcome = other.outcome_of(&fewer.id, Timestamp::now()).unwrap().unwrap().outcome;
    assert_eq!(outcome, ReceiptOutcome::Done);
    assert_eq!(undo(&mut other, &fewer).outcome, ReceiptOutcome::Done);
    let mut expected = before;
    expected["spec"]["backoffLimit"] = 9.into();
    assert_eq!(wanted(cluster, "job", "research", "sweep"), expected, "byte for byte");
    // More, and somebody makes it another number: that is his.
    let more = on(kube, "e1/2", scale("research/sweep", 4, 8));
    ready(kube, &more);
    assert_eq!(act(kube, &more), ReceiptOutcome::Done);
    until("eight run", || stretch(kube, "research/sweep").filter(|it| it.wanted == 8));
    let patch = r#"{"spec":{"parallelism":5}}"#;
    cluster.kubectl(&["patch", "job", "sweep", "-n", "research", "-p", patch]);
    let why = conflict(undo(kube, &more));
    let moved = "has spec.parallelism 5 now; it was 4 before the step, which made it 8";
    assert!(why.contains(moved), "{why}");
    // It changed since it was seen, between the look and the call.
    let late = on(kube, "e1/3", scale("research/sweep", 5, 3));
    ready(kube, &late);
    let patch = r#"{"spec":{"parallelism":6}}"#;
    cluster.kubectl(&["patch", "job", "sweep", "-n", "research", "-p", patch]);
    let why = conflict(kube.act(&late, Timestamp::now()).unwrap());
    assert_eq!(why, "Job research/sweep was changed since it was seen");
    assert_eq!(field(cluster, "job", at, ".spec.parallelism"), "6");
    cluster.kubectl(&["delete", "job", "sweep", "-n", "research"]);
}

fn what_is_left_of_a_job_goes_by_what_its_pods_took(cluster: &Cluster, kube: &mut Kube) {
    let due = Timestamp::now() + SignedDuration::from_hours(1);
    let said = format!("{ELASTIC}, farthing.dev/deadline: '{due}'");
    let pod = "cluster.farthing.dev/runs-for: 3s";
    cluster.apply(&sweep("pieces", &said, ("parallelism: 4, completions: 400", pod)));
    let seen = until("some are done", || {
        let done = field(cluster, "job", ("research", "pieces"), ".status.succeeded");
        let enough = done.parse().is_ok_and(|done: u32| done >= 8);
        stretch(kube, "research/pieces").filter(|it| enough && it.left.is_some())
    });
    // Some three to eight seconds each, as the machine is fast, and nearly 400 of them.
    let left = seen.left.unwrap().as_secs();
    assert!((1_000..3_600).contains(&left), "{left} s");
    // Three nodes of 48 cores, of which the four have eight; nothing else is on them.
    assert_eq!(
        until("the others are gone", || {
            stretch(kube, "research/pieces").map(|it| it.room).filter(|room| *room == 68)
        }),
        68
    );
    cluster.kubectl(&["delete", "job", "pieces", "-n", "research"]);
}

fn what_is_not_elastic_or_not_ours_is_held(cluster: &Cluster, kube: &mut Kube) {
    let spec = ("parallelism: 4", "");
    cluster.apply(&sweep("plain", "a: b", spec));
    cluster.apply(&sweep("apart", &format!("{ELASTIC}, farthing.dev/exclude: 'true'"), spec));
    cluster.apply(&sweep("odd", "farthing.dev/elastic: some", spec));
    cluster.apply(&sweep("right", ELASTIC, spec));
    let cases = [
        ("research/plain", 2, "does not say farthing.dev/elastic"),
        ("research/apart", 2, "it is left alone"),
        ("research/odd", 2, "write it like"),
        ("research/right", 1, "1 is not within that"),
        ("research/right", 9, "9 is not within that"),
    ];
    for (workload, to, expected) in cases {
        let step = on(kube, "e2/1", scale(workload, 4, to));
        let why = held(kube, &step);
        assert!(why.contains(expected), "{workload}: {why}");
    }
    // A role that only looks may not.
    let mut observer = open(cluster.kubeconfig_of("observer"));
    let step = on(&mut observer, "e2/2", scale("research/right", 4, 3));
    let error = observer.prepare(&step, Timestamp::now()).unwrap_err();
    assert!(error.to_string().contains("forbidden"), "{error}");
    for name in ["plain", "apart", "odd", "right"] {
        cluster.kubectl(&["delete", "job", name, "-n", "research"]);
    }
}

/// A pod as the operator of a kind would make it.
fn pod(cluster: &Cluster, name: &str, of: (&str, &str, &str), label: (&str, &str)) -> String {
    let (api, kind, owner) = of;
    let uid = field(cluster, &kind.to_lowercase(), ("research", owner), ".metadata.uid");
    let (key, value) = label;
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: research, labels: \
         {{{key}: {value}}}, ownerReferences: [{{apiVersion: {api}, kind: {kind}, name: {owner}, \
         uid: {uid}, controller: true}}]}}\nspec: {{nodeSelector: \
         {{node.kubernetes.io/instance-type: g5.12xlarge}}, containers: [{{name: c, image: i, \
         resources: {{requests: {{cpu: '1'}}}}}}]}}\n---\n"
    )
}

const RAY: &str = "
apiVersion: ray.io/v1
kind: RayCluster
metadata:
  {name: tune, namespace: research, annotations: {farthing.dev/elastic: 'min=1,max=9,of=gpu'}}
spec:
  workerGroupSpecs:
    - {groupName: cpu, replicas: 1, minReplicas: 0, maxReplicas: 4}
    - groupName: gpu
      replicas: 3
      minReplicas: 2
      maxReplicas: 4
      template: {spec: {containers: [{name: c, resources: {requests: {cpu: '1'}}}]}}
";

fn workers_of_ray_change_within_their_bounds(cluster: &Cluster, kube: &mut Kube) {
    cluster.apply(RAY);
    let ray = ("ray.io/v1", "RayCluster", "tune");
    let group = "ray.io/group";
    let worker = |name: &str| pod(cluster, name, ray, (group, "gpu"));
    let head = pod(cluster, "tune-head", ray, (group, "headgroup"));
    cluster.apply(&(head + &worker("tune-1") + &worker("tune-2") + &worker("tune-3")));
    let seen = until("its workers run", || stretch(kube, "research/tune"));
    assert_eq!((seen.wanted, seen.least, seen.most), (3, 2, 4), "its own bounds count, too");
    assert_eq!(seen.each.cpu_milli, 1_000);
    let (kind, at) = ("raycluster", ("research", "tune"));
    let replicas = |at| field(cluster, kind, at, ".spec.workerGroupSpecs[*].replicas");
    let before = wanted(cluster, kind, "research", "tune");
    let beyond = on(kube, "e3/1", scale("research/tune", 3, 5));
    assert!(held(kube, &beyond).contains("itself has 2 to 4 members, and not 5"));
    let fewer = on(kube, "e3/2", scale("research/tune", 3, 2));
    let written = ready(kube, &fewer);
    assert_eq!(act(kube, &fewer), ReceiptOutcome::Done);
    assert_eq!(replicas(at), "1 2");
    // Somebody puts a group in front, and another one changes the other group.
    let patch = concat!(
        r#"[{"op":"add","path":"/spec/workerGroupSpecs/0","value":{"groupName":"tpu"}},"#,
        r#"{"op":"replace","path":"/spec/workerGroupSpecs/1/replicas","value":4}]"#
    );
    cluster.kubectl(&["patch", kind, "tune", "-n", "research", "--type=json", "-p", patch]);
    let mut other = open(cluster.kubeconfig_of("acts"));
    other.recall(&fewer.id, &written);
    assert_eq!(undo(&mut other, &fewer).outcome, ReceiptOutcome::Done);
    let mut expected = before;
    let groups = expected["spec"]["workerGroupSpecs"].as_array_mut().unwrap();
    groups[0]["replicas"] = 4.into();
    groups.insert(0, serde_json::json!({"groupName": "tpu"}));
    assert_eq!(wanted(cluster, kind, "research", "tune"), expected, "byte for byte");
    // Where its own autoscaler decides, nobody fights it.
    let patch = r#"{"spec":{"enableInTreeAutoscaling":true}}"#;
    cluster.kubectl(&["patch", kind, "tune", "-n", "research", "--type=merge", "-p", patch]);
    until("it is seen", || stretch(kube, "research/tune").is_none().then_some(()));
    let fewer = on(kube, "e3/3", scale("research/tune", 3, 2));
    assert!(held(kube, &fewer).contains("its own autoscaler decides"));
}

const SET: &str = "
apiVersion: jobset.x-k8s.io/v1alpha2
kind: JobSet
metadata:
  {name: slices, namespace: research, annotations: {farthing.dev/elastic: 'min=1,max=4'}}
spec:
  replicatedJobs:
    - name: workers
      replicas: 2
      template:
        spec:
          parallelism: 2
          completions: 2
          template: {spec: {containers: [{name: c, resources: {requests: {cpu: '1'}}}]}}
";

fn jobs_of_a_set_change_where_its_server_lets_them(cluster: &Cluster, kube: &mut Kube) {
    cluster.apply(SET);
    let set = ("jobset.x-k8s.io/v1alpha2", "JobSet", "slices");
    let label = ("jobset.sigs.k8s.io/replicatedjob-name", "workers");
    let names = ["slices-0-0", "slices-0-1", "slices-1-0", "slices-1-1"];
    let pods = names.map(|name| pod(cluster, name, set, label));
    cluster.apply(&pods.concat());
    let seen = until("its pods run", || stretch(kube, "research/slices"));
    assert_eq!((seen.wanted, seen.pods_each, seen.least, seen.most), (2, 2, 1, 4));
    let (kind, at) = ("jobset", ("research", "slices"));
    let fewer = on(kube, "e4/1", scale("research/slices", 2, 1));
    // Versions before elastic sets keep the jobs as they were made: the server's word counts.
    let why = held(kube, &fewer);
    assert!(why.contains("field is immutable"), "{why}");
    assert_eq!(field(cluster, kind, at, ".spec.replicatedJobs[0].replicas"), "2");
    cluster.apply(&kinds(false));
    let one = r#"[{"op":"replace","path":"/spec/replicatedJobs/0/replicas","value":1}]"#;
    let try_it = ["--type=json", "--dry-run=server", "-o", "name", "-p", one];
    let patch = [&["patch", kind, "slices", "-n", "research"][..], &try_it].concat();
    until("its server takes it", || (!cluster.ask(&patch).is_empty()).then_some(()));
    // What was held is remembered for minutes, while the object is as it was.
    cluster.kubectl(&["label", kind, "slices", "-n", "research", "version=newer"]);
    let before = wanted(cluster, kind, "research", "slices");
    until("the server takes it", || {
        let fewer = on(kube, "e4/2", scale("research/slices", 2, 1));
        let made = kube.prepare(&fewer, Timestamp::now()).ok()?;
        let done = matches!(made, farthing_edge::Prepared::Ready(_));
        (done && act(kube, &fewer) == ReceiptOutcome::Done).then_some(())
    });
    assert_eq!(field(cluster, kind, at, ".spec.replicatedJobs[0].replicas"), "1");
    let fewer = step("e4/2", scale("research/slices", 2, 1), 0);
    assert_eq!(undo(kube, &fewer).outcome, ReceiptOutcome::Done);
    assert_eq!(wanted(cluster, kind, "research", "slices"), before, "byte for byte");
}
