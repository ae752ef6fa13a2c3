//! Watching a real API server: what there is, what changes, and what breaks.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, missing_docs, reason = "tests")]

mod cluster;

use cluster::{Cluster, SystemClock, until};
use farthing_edge::{Clock, Measure, Observe};
use farthing_kube::{Kube, Kubeconfig, Priced, Prices};
use farthing_model::{
    ClusterId, IdError, Node, NodeState, Observed, Offer, Place, Price, Purchase, Resource,
    Snapshot, Window, WorkloadState,
};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Prices are not this crate's business: everything is known by its labels and costs nothing known.
struct Labels;

impl Prices for Labels {
    fn price(
        &mut self,
        labels: &BTreeMap<String, String>,
        provider_id: Option<&str>,
    ) -> Result<Priced, IdError> {
        let label = |name: &str| labels.get(name).cloned().unwrap_or_default();
        assert!(provider_id.is_none_or(|id| id.starts_with("aws:///")));
        let place = Place {
            provider: "aws".to_owned(),
            region: label("topology.kubernetes.io/region"),
            zone: None,
        };
        let instance_type = label("node.kubernetes.io/instance-type");
        let purchase = match label("karpenter.sh/capacity-type").as_str() {
            "spot" => Purchase::Spot,
            _ => Purchase::OnDemand,
        };
        Ok(Priced {
            offer: Offer::id_of(&place, &instance_type, purchase)?,
            place,
            instance_type,
            accelerator: None,
            purchase,
            price: Price::Unknown("this test has no prices".to_owned()),
        })
    }
}

fn watch(kubeconfig: std::path::PathBuf) -> Kube {
    let access = Kubeconfig::load(&[kubeconfig]).unwrap().access(None).unwrap();
    let cluster = ClusterId::new("lab").unwrap();
    let kube = Kube::open(access, cluster, Arc::new(SystemClock), Box::new(Labels)).unwrap();
    assert!(kube.wait(Duration::from_secs(30)), "{:?}", kube.inventory());
    kube
}

fn look(kube: &mut Kube) -> Snapshot {
    kube.observe(Timestamp::now()).unwrap()
}

fn workload<'s>(seen: &'s Snapshot, id: &str) -> Option<&'s Observed> {
    seen.workloads.iter().find(|it| it.workload.id.as_str() == id)
}

fn members(seen: &Snapshot, id: &str) -> u32 {
    match workload(seen, id).map(|it| &it.state) {
        Some(WorkloadState::Placed(placed)) => placed.iter().map(|it| it.members).sum(),
        _ => 0,
    }
}

fn node<'s>(seen: &'s Snapshot, name: &str) -> &'s Node {
    seen.nodes.iter().find(|node| node.id.as_str() == name).unwrap()
}

const MORE: &str = r"
apiVersion: v1
kind: Namespace
metadata: {name: labs, annotations: {farthing.dev/team: labs-team}}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly, namespace: labs}
spec:
  schedule: '0 0 1 1 *'
  jobTemplate: {spec: {template: {spec: {restartPolicy: Never,
    containers: [{name: c, image: i, resources: {requests: {cpu: 1e0, memory: 1e9}}}]}}}}
---
apiVersion: batch/v1
kind: Job
metadata: {name: held, namespace: labs, annotations: {farthing.dev/team: other}}
spec:
  suspend: true
  parallelism: 2
  completions: 4
  template: {spec: {restartPolicy: Never,
    containers: [{name: c, image: i, resources: {limits: {nvidia.com/gpu: '2'}}}]}}
---
apiVersion: v1
kind: Pod
metadata: {name: bare, namespace: labs}
spec:
  initContainers: [{name: first, image: i, resources: {requests: {cpu: '6'}}}]
  containers: [{name: c, image: i, resources: {requests: {cpu: 500m, memory: 1Gi}}}]
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent, namespace: kube-system}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec: {containers: [{name: c, image: i, resources: {requests: {cpu: 100m}}}]}
";

/// One cluster for everything: each part leaves what the next one needs.
#[test]
fn a_real_cluster_is_seen_changes_and_breaks() {
    let Some(cluster) = cluster::demo(&["nobody", "observer"]) else { return };
    cluster.apply(MORE);
    let mut kube = watch(cluster.kubeconfig());
    what_there_is_is_seen(&mut kube);
    requests_are_metered(&cluster, &mut kube);
    what_changes_is_seen(&cluster, &mut kube);
    a_restart_of_the_server_is_survived(&cluster, &mut kube);
    the_role_of_our_manifests_is_enough(&cluster);
    a_clock_that_is_off_breaks_nothing(&cluster);
    who_may_not_look_is_told_so(&cluster);
}

fn what_there_is_is_seen(kube: &mut Kube) {
    let seen = until("the demo's work is placed", || {
        let seen = look(kube);
        let nodes = u32::try_from(seen.nodes.len()).unwrap();
        (members(&seen, "serving/chat") == 3
            && members(&seen, "kube-system/agent") == nodes
            && members(&seen, "research/notebook") == 1
            && members(&seen, "labs/bare") == 1
            && seen.nodes.iter().all(|node| node.state == NodeState::Ready))
        .then_some(seen)
    });
    let h100 = node(&seen, "h100-a");
    assert_eq!(h100.offer.as_str(), "aws/us-east-1/p5.48xlarge/on-demand");
    assert_eq!((h100.capacity.gpu_milli, h100.capacity.cpu_milli), (8_000, 192_000));
    assert_eq!(node(&seen, "a10g-c").offer.as_str(), "aws/us-east-1/g5.12xlarge/spot");
    assert!(seen.nodes.is_sorted_by(|a, b| a.id < b.id));
    assert!(seen.workloads.is_sorted_by(|a, b| a.workload.id < b.workload.id));
    let train = workload(&seen, "research/train").unwrap();
    assert_eq!(train.workload.team.as_ref().unwrap().as_str(), "research");
    assert_eq!(train.workload.resources.gpu_milli, 8_000);
    let held = workload(&seen, "labs/held").unwrap();
    assert_eq!(held.state, WorkloadState::Suspended);
    assert_eq!(held.workload.job().unwrap().count, 2);
    assert_eq!(held.workload.team.as_ref().unwrap().as_str(), "other");
    let bare = workload(&seen, "labs/bare").unwrap();
    // The init container asks for more than what runs after it; its namespace names the team.
    assert_eq!(bare.workload.resources.cpu_milli, 6_000);
    assert_eq!(bare.workload.team.as_ref().unwrap().as_str(), "labs-team");
    assert!(workload(&seen, "labs/nightly").is_some());
    let oldest = seen.oldest();
    assert!(oldest < SignedDuration::from_secs(75), "{oldest:?}");
    let inventory = kube.inventory();
    assert_eq!(inventory.unknown, []);
    assert!(inventory.absent.contains(&"JobSet") && inventory.version.starts_with("v1."));
    assert!(inventory.objects["PriorityClass"] >= 2, "{inventory:?}");
}

fn requests_are_metered(cluster: &Cluster, kube: &mut Kube) {
    let from = Timestamp::now();
    cluster.apply(
        "{apiVersion: v1, kind: Pod, metadata: {name: short, namespace: labs, annotations: \
         {cluster.farthing.dev/runs-for: 1s}}, spec: {restartPolicy: Never, containers: [{name: c, \
         image: i, resources: {requests: {cpu: '2'}}}]}}",
    );
    until("the short pod is done", || {
        let seen = look(kube);
        let state = &workload(&seen, "labs/short")?.state;
        matches!(state, WorkloadState::Finished(_)).then_some(())
    });
    std::thread::sleep(Duration::from_secs(1));
    let window = Window::new(from, Timestamp::now()).unwrap();
    let measured = kube.measure(window).unwrap();
    let nodes = look(kube).nodes.len();
    assert_eq!(measured.spans.len(), nodes);
    assert!(measured.spans.iter().all(|span| span.measured && span.window == window));
    assert_eq!(measured.coverage.ratio().unwrap(), farthing_model::Ratio::ONE);
    let of = |pod: &str, resource: Resource| -> i128 {
        let own = measured.samples.iter().filter(|it| {
            let who = it.attribution.as_ref().unwrap();
            it.resource == resource && who.pod.as_deref().unwrap().starts_with(pod)
        });
        own.inspect(|it| assert_eq!(it.used_nano, None, "nobody looked"))
            .map(|it| it.requested_nano)
            .sum()
    };
    // Three replicas of one GPU and 8 cores, all of the window.
    assert_eq!(of("chat-", Resource::Gpu), 3 * window.nanos());
    assert_eq!(of("chat-", Resource::Cpu), 3 * 8 * window.nanos());
    assert_eq!(of("train-", Resource::Gpu), 8 * window.nanos());
    // Less than the window, and not nothing: from when it was scheduled until its container ended.
    let short = of("short", Resource::Cpu);
    assert!(short > 0 && short < 2 * window.nanos(), "{short}");
    let sample = measured
        .samples
        .iter()
        .find(|it| it.attribution.as_ref().unwrap().pod.as_deref().unwrap().starts_with("train-"));
    let who = sample.unwrap().attribution.clone().unwrap();
    let controller = who.controller.clone().unwrap();
    assert_eq!((controller.kind.as_str(), controller.name.as_str()), ("job", "train"));
    assert_eq!(who.workload.as_str(), "research/train");
    assert!(!who.labels.keys().any(|label| label.ends_with("controller-uid")));
    let chat = measured.samples.iter().find_map(|it| {
        let who = it.attribution.as_ref().unwrap();
        who.pod.as_deref().unwrap().starts_with("chat-").then_some(who)
    });
    assert_eq!(chat.unwrap().controller.as_ref().unwrap().kind, "deployment");
    // What has ended is metered once.
    let next = Window::new(window.to(), Timestamp::now()).unwrap();
    let again = kube.measure(next).unwrap();
    let short = again
        .samples
        .iter()
        .filter(|it| it.attribution.as_ref().unwrap().pod.as_deref() == Some("short"));
    assert_eq!(short.count(), 0);
}

fn what_changes_is_seen(cluster: &Cluster, kube: &mut Kube) {
    let before = workload(&look(kube), "serving/chat").unwrap().generation;
    cluster.kubectl(&["scale", "deployment/chat", "-n", "serving", "--replicas=1"]);
    cluster.kubectl(&["patch", "job/held", "-n", "labs", "-p", r#"{"spec":{"suspend":false}}"#]);
    cluster.kubectl(&["delete", "node", "cpu-b", "--wait=false"]);
    let from = Timestamp::now();
    let seen = until("replicas, a suspension and a node change", || {
        let seen = look(kube);
        let gone = !seen.nodes.iter().any(|node| node.id.as_str() == "cpu-b");
        (members(&seen, "serving/chat") == 1 && members(&seen, "labs/held") == 2 && gone)
            .then_some(seen)
    });
    assert_ne!(workload(&seen, "serving/chat").unwrap().generation, before);
    std::thread::sleep(Duration::from_millis(200));
    let window = Window::new(from, Timestamp::now()).unwrap();
    let measured = kube.measure(window).unwrap();
    let gone = measured.spans.iter().find(|span| span.node.as_str() == "cpu-b");
    assert!(gone.is_none_or(|span| span.window.to() < window.to()), "it is paid to its end");
}

fn a_restart_of_the_server_is_survived(cluster: &Cluster, kube: &mut Kube) {
    let lists = kube.inventory().lists;
    let from = Timestamp::now();
    cluster.restart_server();
    until("the server is gone", || {
        let unknown = kube.inventory().unknown;
        unknown.iter().any(|(kind, _)| *kind == "Pod").then_some(())
    });
    // What is known is still there, and is said to be old.
    let down = Timestamp::now();
    let window = Window::new(from, down).unwrap();
    let measured = kube.measure(window).unwrap();
    let ratio = measured.coverage.ratio().unwrap();
    assert!(ratio < farthing_model::Ratio::ONE, "{ratio:?}");
    assert!(measured.faults.iter().any(|it| it.contains("is not known since")), "{measured:?}");
    assert!(members(&look(kube), "serving/chat") == 1);
    let began = Instant::now();
    until("the server is back", || kube.inventory().unknown.is_empty().then_some(()));
    println!("heard of everything again after {:?}", began.elapsed());
    until("a change is seen again", || {
        cluster.kubectl(&["scale", "deployment/chat", "-n", "serving", "--replicas=2"]);
        (members(&look(kube), "serving/chat") == 2).then_some(())
    });
    // Its cache of changes is new: what we had is too old (410 Gone), and is read whole again.
    let again = kube.inventory().lists - lists;
    println!("{again} kinds were read whole again");
    assert!(again > 0, "versions from before the restart are too old");
    let window = Window::new(down, Timestamp::now()).unwrap();
    let measured = kube.measure(window).unwrap();
    assert_eq!(measured.coverage.ratio().unwrap(), farthing_model::Ratio::ONE);
}

/// RBAC is on: what the role lacks, the server refuses.
fn the_role_of_our_manifests_is_enough(cluster: &Cluster) {
    cluster.apply(&farthing_kube::roles(farthing_kube::Flavour::Observe));
    let bind = ["create", "clusterrolebinding", "observer", "--user=observer"];
    cluster.kubectl(&[&bind[..], &["--clusterrole=farthing-observe"]].concat());
    let mut kube = watch(cluster.kubeconfig_of("observer"));
    until("all that there is is known", || kube.inventory().unknown.is_empty().then_some(()));
    assert!(members(&look(&mut kube), "serving/chat") > 0);
    let may = |verb: &str, what: &str| {
        let config = cluster.kubeconfig_of("observer");
        let ask = ["auth", "can-i", verb, what, "-A", "--kubeconfig", config.to_str().unwrap()];
        cluster.ask(&ask)
    };
    assert_eq!(may("list", "pods").trim(), "yes");
    for (verb, what) in [("get", "secrets"), ("patch", "jobs"), ("delete", "pods")] {
        assert_eq!(may(verb, what).trim(), "no", "{verb} {what}");
    }
}

/// A clock that differs from the server's by so many seconds.
struct Off(i64);

impl Off {
    fn time(&self) -> Timestamp {
        Timestamp::now() + SignedDuration::from_secs(self.0)
    }
}

impl Clock for Off {
    fn now(&self) -> Timestamp {
        self.time()
    }
}

fn a_clock_that_is_off_breaks_nothing(cluster: &Cluster) {
    for seconds in [-1_200, 1_200] {
        let access = Kubeconfig::load(&[cluster.kubeconfig()]).unwrap().access(None).unwrap();
        let (lab, clock) = (ClusterId::new("lab").unwrap(), Off(seconds));
        let mut kube = Kube::open(access, lab, Arc::new(Off(seconds)), Box::new(Labels)).unwrap();
        assert!(kube.wait(Duration::from_secs(30)), "{:?}", kube.inventory());
        let now = clock.time();
        let seen = kube.observe(now).unwrap();
        assert!(seen.nodes.iter().all(|node| node.since <= now), "{seconds}");
        assert!(seen.workloads.iter().all(|it| it.since <= now), "{seconds}");
        assert!(members(&seen, "serving/chat") > 0, "{seconds}");
        std::thread::sleep(Duration::from_millis(1_100));
        let window = Window::new(now, clock.time()).unwrap();
        let measured = kube.measure(window).unwrap();
        let inside = |part: Window| part.intersect(window) == Some(part);
        assert!(measured.spans.iter().all(|span| inside(span.window)), "{seconds}");
        assert!(measured.samples.iter().all(|sample| inside(sample.window)), "{seconds}");
        // What the server made in what is our future is paid once that is there.
        assert_eq!(measured.spans.is_empty(), seconds < 0, "{measured:?}");
    }
}

fn who_may_not_look_is_told_so(cluster: &Cluster) {
    let mut kube = watch(cluster.kubeconfig_of("nobody"));
    let error = kube.observe(Timestamp::now()).unwrap_err().to_string();
    assert!(error.contains("nodes of the cluster are not known"), "{error}");
    assert!(error.contains("403: Forbidden"), "{error}");
    let config = cluster.kubeconfig_of("nobody");
    let text = std::fs::read_to_string(&config).unwrap();
    let wrong = text.lines().map(|line| match line.split_once("token: ") {
        Some((before, _)) => format!("{before}token: wrong}}}}]\n"),
        None => format!("{line}\n"),
    });
    std::fs::write(&config, wrong.collect::<String>()).unwrap();
    let access = Kubeconfig::load(&[config]).unwrap().access(None).unwrap();
    let lab = ClusterId::new("lab").unwrap();
    let error = Kube::open(access, lab, Arc::new(SystemClock), Box::new(Labels)).err().unwrap();
    assert_eq!(error.code(), Some(401), "{error}");
    assert!(error.hint().unwrap().contains("log in"));
}
