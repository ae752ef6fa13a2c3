//! Acting on a real API server: done, taken back, held, refused, and what breaks in between.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, missing_docs, reason = "tests")]

mod cluster;
mod hand;

use cluster::{Cluster, until};
use farthing_edge::{Act, Class, Measure, Observe, Prepared};
use farthing_kube::{Flavour, Kube, Rules};
use farthing_model::{
    Action, Currency, Money, NodeId, OfferId, Reason, ReceiptOutcome, Step, StepId, Window,
    WorkloadState,
};
use hand::{
    act, bind, conflict, field, held, id, members, on, open, prepare, ready, refused, scale, seen,
    step, suspend, undo, wanted,
};
use jiff::{SignedDuration, Timestamp};

fn job(name: &str, annotations: &str) -> String {
    format!(
        "apiVersion: batch/v1\nkind: Job\n\
         metadata: {{name: {name}, namespace: research, annotations: {{{annotations}}}}}\n\
         spec: {{template: {{spec: {{restartPolicy: Never, containers: [{{name: c, image: i, \
         resources: {{requests: {{cpu: '1'}}}}}}]}}}}}}\n---\n"
    )
}

const MAY: &str = "farthing.dev/interruptible: 'true'";

/// One cluster for everything: each part leaves what the next one needs.
#[test]
fn steps_are_done_taken_back_held_and_refused_on_a_real_server() {
    let users = ["acts", "proposes", "observer"];
    let Some(cluster) = cluster::start(&users, &["tests/cluster/demo/nodes.yaml"]) else {
        return;
    };
    cluster.apply(NAMESPACES);
    // RBAC is on, and each has exactly the role that is generated for what it does.
    bind(&cluster, "acts", Flavour::Enforce);
    bind(&cluster, "proposes", Flavour::Recommend);
    bind(&cluster, "observer", Flavour::Observe);
    let mut kube = open(cluster.kubeconfig_of("acts"));
    a_job_is_suspended_and_taken_back_by_another_process(&cluster, &mut kube);
    what_changed_meanwhile_is_a_conflict(&cluster, &mut kube);
    what_may_not_be_touched_is_held(&cluster, &mut kube);
    what_the_server_refuses_is_held_with_its_words(&cluster, &mut kube);
    a_suspended_job_is_started_on_an_offer(&cluster, &mut kube);
    services_go_to_none_and_back(&cluster, &mut kube);
    autoscalers_are_told_and_not_fought(&cluster, &mut kube);
    a_node_is_emptied_within_its_budgets(&cluster, &mut kube);
    odd_objects_are_steered_or_held(&cluster, &mut kube);
    a_node_is_emptied_while_it_is_sick(&cluster, &mut kube);
    a_server_that_is_down_leaves_nothing_half(&cluster, &mut kube);
}

const NAMESPACES: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: research}
---
apiVersion: v1
kind: Namespace
metadata: {name: serving}
---
apiVersion: v1
kind: Namespace
metadata: {name: apart, annotations: {farthing.dev/exclude: 'true'}}
";

fn a_job_is_suspended_and_taken_back_by_another_process(cluster: &Cluster, kube: &mut Kube) {
    cluster.apply(&job("train", MAY));
    until("the job runs", || (members(&seen(kube, "research/train")?) == 1).then_some(()));
    let before = wanted(cluster, "job", "research", "train");
    let at = ("research", "train");
    let step = on(kube, "p1/1", suspend("research/train"));
    let written = ready(kube, &step);
    assert!(written.contains(r#""path":["spec","suspend"],"was":false,"is":true"#), "{written}");
    assert_eq!(wanted(cluster, "job", "research", "train"), before, "nothing is changed yet");
    assert_eq!(act(kube, &step), ReceiptOutcome::Done);
    assert_eq!(field(cluster, "job", at, ".spec.suspend"), "true");
    assert_eq!(act(kube, &step), ReceiptOutcome::AlreadyDone);
    until("it is seen to be suspended", || {
        (seen(kube, "research/train")?.state == WorkloadState::Suspended).then_some(())
    });
    // Others change what is theirs.
    cluster.kubectl(&["label", "job", "train", "-n", "research", "note=kept"]);
    cluster.kubectl(&[
        "patch",
        "job",
        "train",
        "-n",
        "research",
        "-p",
        r#"{"spec":{"backoffLimit":9}}"#,
    ]);
    // Another process has only what was written down.
    let mut other = open(cluster.kubeconfig_of("acts"));
    assert!(other.outcome_of(&step.id, Timestamp::now()).unwrap().is_none(), "it knows nothing");
    other.recall(&step.id, &written);
    let outcome = other.outcome_of(&step.id, Timestamp::now()).unwrap().unwrap().outcome;
    assert_eq!(outcome, ReceiptOutcome::Done);
    assert_eq!(undo(&mut other, &step).outcome, ReceiptOutcome::Done);
    let mut expected = before;
    expected["metadata"]["labels"]["note"] = "kept".into();
    expected["spec"]["backoffLimit"] = 9.into();
    assert_eq!(wanted(cluster, "job", "research", "train"), expected, "byte for byte");
    assert_eq!(undo(&mut other, &step).outcome, ReceiptOutcome::AlreadyDone);
    // Whoever suspends it by hand has it: it is not the step's to let go.
    let by_hand = |suspend: bool| {
        let patch = format!("{{\"spec\":{{\"suspend\":{suspend}}}}}");
        cluster.kubectl(&["patch", "job", "train", "-n", "research", "-p", &patch]);
    };
    by_hand(true);
    assert!(conflict(undo(&mut other, &step)).contains("someone else has it now"));
    by_hand(false);
    assert!(other.outcome_of(&step.id, Timestamp::now()).unwrap().is_none());
    until("it runs again", || (members(&seen(kube, "research/train")?) == 1).then_some(()));
    let events =
        cluster.kubectl(&["get", "events", "-n", "research", "-o", "jsonpath={.items[*].message}"]);
    assert!(
        events.contains("suspended: this test says so (step p1/1; `farthing undo p1/1`"),
        "{events}"
    );
    assert!(events.contains("step p1/1 was taken back"), "{events}");
}

fn what_changed_meanwhile_is_a_conflict(cluster: &Cluster, kube: &mut Kube) {
    cluster.apply(&job("moving", MAY));
    let at = ("research", "moving");
    let old = on(kube, "p2/1", suspend("research/moving"));
    cluster.kubectl(&[
        "patch",
        "job",
        "moving",
        "-n",
        "research",
        "-p",
        r#"{"spec":{"backoffLimit":2}}"#,
    ]);
    let why = refused(kube, &old);
    assert_eq!(why, "Job research/moving was changed since it was seen");
    // A change between the intent and the call.
    let generation = old.generation;
    let step = until("the change is seen", || {
        let now = seen(kube, "research/moving")?.generation;
        (now != generation).then(|| step("p2/2", suspend("research/moving"), now))
    });
    ready(kube, &step);
    cluster.kubectl(&[
        "patch",
        "job",
        "moving",
        "-n",
        "research",
        "-p",
        r#"{"spec":{"backoffLimit":3}}"#,
    ]);
    let why = conflict(kube.act(&step, Timestamp::now()).unwrap());
    assert_eq!(why, "Job research/moving was changed since it was seen");
    assert_eq!(field(cluster, "job", at, ".spec.suspend"), "false");
    assert!(kube.outcome_of(&step.id, Timestamp::now()).unwrap().is_none());
    // A status that moves is no reason.
    let generation = seen(kube, "research/moving").unwrap().generation;
    let late = on(kube, "p2/3", suspend("research/moving"));
    let status = r#"{"status":{"uncountedTerminatedPods":{"succeeded":["a"]}}}"#;
    ready(kube, &late);
    cluster.kubectl(&[
        "patch",
        "job",
        "moving",
        "-n",
        "research",
        "--subresource=status",
        "--type=merge",
        "-p",
        status,
    ]);
    assert_eq!(act(kube, &late), ReceiptOutcome::Done, "{generation}");
    // Someone else takes it back by hand: what is left is the mark.
    let resume = ["patch", "job", "moving", "-n", "research", "-p", r#"{"spec":{"suspend":null}}"#];
    cluster.kubectl(&resume);
    assert_eq!(undo(kube, &late).outcome, ReceiptOutcome::Done);
    assert_eq!(field(cluster, "job", at, ".spec.suspend"), "false");
    assert_eq!(field(cluster, "job", at, r".metadata.annotations.farthing\.dev/step"), "");
    // Gone, and another one of the same name.
    cluster.kubectl(&["delete", "job", "moving", "-n", "research", "--cascade=foreground"]);
    let why = refused(kube, &late);
    assert!(why.contains("is not there any more"), "{why}");
    cluster.apply(&job("moving", MAY));
    until("another one is seen", || seen(kube, "research/moving"));
    let why = refused(kube, &step);
    assert_eq!(why, "Job research/moving was changed since it was seen");
    let why = conflict(undo(kube, &late));
    assert!(why.contains("is not there any more"), "{why}");
}

fn what_may_not_be_touched_is_held(cluster: &Cluster, kube: &mut Kube) {
    let both = format!("{MAY}, farthing.dev/exclude: 'true'");
    let apart = job("apart", MAY).replace("namespace: research", "namespace: apart");
    let slow = "farthing.dev/interruptible: 'checkpoint=2m'";
    let manifests = [job("ours", &both), job("firm", ""), job("slow", slow), apart].concat();
    cluster.apply(&manifests);
    for (workload, why) in [
        ("research/ours", "says farthing.dev/exclude: it is left alone"),
        ("apart/apart", "its namespace says farthing.dev/exclude"),
        ("research/firm", "must not be interrupted"),
        ("research/slow", "get 30 s to end and a checkpoint takes 120 s"),
    ] {
        let step = on(kube, "p3/1", suspend(workload));
        let said = held(kube, &step);
        assert!(said.contains(why), "{workload}: {said}");
        let (namespace, name) = workload.split_once('/').unwrap();
        assert_eq!(field(cluster, "job", (namespace, name), ".spec.suspend"), "false");
    }
    // Only what is managed.
    kube.steer_by(Rules { only_managed: true, ..Rules::default() });
    let step = on(kube, "p3/2", suspend("research/train"));
    assert!(held(kube, &step).contains("does not say farthing.dev/managed"));
    let asked = kube.inventory().requests;
    assert!(held(kube, &step).contains("does not say farthing.dev/managed"));
    assert_eq!(kube.inventory().requests, asked, "nothing changed: nobody is asked again");
    cluster.kubectl(&["annotate", "namespace", "research", "farthing.dev/managed=true"]);
    until("that is seen", || matches!(prepare(kube, &step), Prepared::Ready(_)).then_some(()));
    kube.steer_by(Rules::default());
    // What is held is said where people look.
    let events =
        cluster.kubectl(&["get", "events", "-n", "research", "-o", "jsonpath={.items[*].message}"]);
    assert!(events.contains("held: Job research/firm must not be interrupted"), "{events}");
    assert_eq!(events.matches("research/firm must not").count(), 1);
}

const NO: &str = "
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: calm}
spec:
  matchConstraints:
    resourceRules:
      - {apiGroups: [batch], apiVersions: [v1], operations: [UPDATE], resources: [jobs]}
  validations: [{expression: '!object.spec.suspend', message: nobody rests in this house}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: calm}
spec: {policyName: calm, validationActions: [Deny]}
";

fn what_the_server_refuses_is_held_with_its_words(cluster: &Cluster, kube: &mut Kube) {
    cluster.apply(NO);
    let step = on(kube, "p4/1", suspend("research/train"));
    let why = until("the policy is in force", || match prepare(kube, &step) {
        Prepared::Held(why) => Some(why),
        _ => None,
    });
    assert!(why.contains("nobody rests in this house"), "{why}");
    // It is not asked beforehand where it came between.
    cluster.kubectl(&["delete", "validatingadmissionpolicybinding", "calm"]);
    until("the policy is gone", || {
        matches!(prepare(kube, &step), Prepared::Ready(_)).then_some(())
    });
    cluster.apply(NO);
    until("the policy is back", || {
        let mut other = step.clone();
        other.id = StepId::new("p4/2").unwrap();
        matches!(prepare(kube, &other), Prepared::Held(_)).then_some(())
    });
    // The right to look is not the right to act.
    for user in ["observer", "proposes"] {
        let mut looking = open(cluster.kubeconfig_of(user));
        let before = wanted(cluster, "job", "research", "train");
        let denied = looking.prepare(&step, Timestamp::now()).unwrap_err();
        assert_eq!(denied.class(), Class::Denied, "{user}");
        let why = denied.to_string();
        assert!(why.contains("answers 403: Forbidden") && why.contains("kube manifests"), "{why}");
        let failed = act(&mut looking, &step);
        assert!(
            matches!(&failed, ReceiptOutcome::Failed(why) if why.contains("403")),
            "{failed:?}"
        );
        assert_eq!(wanted(cluster, "job", "research", "train"), before, "{user}");
    }
    // Who may say something has said it on the object, as a warning.
    let warnings = ["get", "events", "-n", "research", "--field-selector=type=Warning"];
    let warnings =
        cluster.kubectl(&[&warnings[..], &["-o", "jsonpath={.items[*].message}"]].concat());
    assert!(warnings.contains("answers 403: Forbidden"), "{warnings}");
    cluster.kubectl(&["delete", "validatingadmissionpolicybinding", "calm"]);
}

const WAITING: &str = "
apiVersion: batch/v1
kind: Job
metadata: {name: waits, namespace: research, annotations: {farthing.dev/managed: 'true'}}
spec:
  suspend: true
  parallelism: 2
  completions: 2
  template:
    spec:
      restartPolicy: Never
      nodeSelector: {kubernetes.io/arch: amd64}
      containers: [{name: c, image: i, resources: {requests: {cpu: '1'}}}]
";

fn a_suspended_job_is_started_on_an_offer(cluster: &Cluster, kube: &mut Kube) {
    // All nodes of the offer.
    cluster.kubectl(&["taint", "node", "a10g-b", "a10g-c", "spot=yes:NoSchedule"]);
    cluster.apply(WAITING);
    let waits = until("it waits", || {
        seen(kube, "research/waits").filter(|it| it.state == WorkloadState::Waiting)
    });
    let before = wanted(cluster, "job", "research", "waits");
    let window = Window::starting(Timestamp::now(), SignedDuration::from_hours(1)).unwrap();
    let start = |members| Action::Start {
        workload: id("research/waits"),
        offer: OfferId::new("lab/here/g5.12xlarge/spot").unwrap(),
        members,
        nodes_each: 1,
        window,
    };
    let half = step("p9/0", start(1), waits.generation);
    assert!(held(kube, &half).contains("has 2 members"));
    let step = until("the taint is seen", || {
        let step = step("p9/1", start(2), waits.generation);
        let Prepared::Ready(Some(before)) = prepare(kube, &step) else { return None };
        before.contains("tolerations").then_some(step)
    });
    let written = ready(kube, &step);
    assert_eq!(act(kube, &step), ReceiptOutcome::Done);
    until("it runs", || (members(&seen(kube, "research/waits")?) == 2).then_some(()));
    let nodes = ["get", "pods", "-n", "research", "-l", "job-name=waits", "-o"];
    let nodes = cluster.kubectl(&[&nodes[..], &["jsonpath={.items[*].spec.nodeName}"]].concat());
    assert!(nodes.split(' ').all(|node| ["a10g-b", "a10g-c"].contains(&node)), "{nodes}");
    // One that runs is never moved.
    let again = on(kube, "p9/2", start(2));
    assert!(held(kube, &again).contains("is not suspended"));
    kube.recall(&step.id, &written);
    assert_eq!(undo(kube, &step).outcome, ReceiptOutcome::Done);
    assert_eq!(wanted(cluster, "job", "research", "waits"), before, "byte for byte");
    cluster.kubectl(&["delete", "job", "waits", "-n", "research"]);
    cluster.kubectl(&["taint", "node", "a10g-b", "a10g-c", "spot-"]);
}

const SERVICES: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: chat, namespace: serving}
spec:
  replicas: 3
  selector: {matchLabels: {app: chat}}
  template:
    metadata: {labels: {app: chat}}
    spec:
      nodeSelector: {kubernetes.io/hostname: a10g-a}
      containers: [{name: c, image: i, resources: {requests: {cpu: '1'}}}]
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: store, namespace: serving}
spec:
  replicas: 2
  serviceName: store
  selector: {matchLabels: {app: store}}
  template:
    metadata: {labels: {app: store}}
    spec: {containers: [{name: c, image: i, resources: {requests: {cpu: '1'}}}]}
";

fn services_go_to_none_and_back(cluster: &Cluster, kube: &mut Kube) {
    cluster.apply(SERVICES);
    for (kind, name, count) in [("deployment", "chat", 3), ("statefulset", "store", 2)] {
        let (at, workload) = (("serving", name), format!("serving/{name}"));
        until("it runs", || (members(&seen(kube, &workload)?) == count).then_some(()));
        let before = wanted(cluster, kind, "serving", name);
        let wrong = on(kube, &format!("{name}/0"), scale(&workload, count - 1, 0));
        assert!(refused(kube, &wrong).contains(&format!("has {count} replicas, not the")));
        let down = on(kube, &format!("{name}/1"), scale(&workload, count, 0));
        let written = ready(kube, &down);
        assert_eq!(act(kube, &down), ReceiptOutcome::Done);
        assert_eq!(field(cluster, kind, at, ".spec.replicas"), "0");
        let annotation = r".metadata.annotations.farthing\.dev/replicas-before";
        assert_eq!(field(cluster, kind, at, annotation), count.to_string());
        until("it is gone", || (members(&seen(kube, &workload)?) == 0).then_some(()));
        // Back by a step of its own, that again, and then the first: all is as it was.
        let up = on(kube, &format!("{name}/2"), scale(&workload, 0, count));
        ready(kube, &up);
        assert_eq!(act(kube, &up), ReceiptOutcome::Done);
        assert_eq!(field(cluster, kind, at, annotation), "");
        assert_eq!(undo(kube, &up).outcome, ReceiptOutcome::Done);
        assert_eq!(field(cluster, kind, at, ".spec.replicas"), "0");
        kube.recall(&down.id, &written);
        assert_eq!(undo(kube, &down).outcome, ReceiptOutcome::Done);
        assert_eq!(wanted(cluster, kind, "serving", name), before);
    }
    // Whoever scaled it himself is told, and keeps what he did.
    until("it runs", || (members(&seen(kube, "serving/chat")?) == 3).then_some(()));
    let down = on(kube, "p5/1", scale("serving/chat", 3, 0));
    ready(kube, &down);
    assert_eq!(act(kube, &down), ReceiptOutcome::Done);
    cluster.kubectl(&["scale", "deployment/chat", "-n", "serving", "--replicas=2"]);
    let why = conflict(undo(kube, &down));
    let told = "spec.replicas 2 now; it was 3 before the step, which made it 0";
    assert!(why.contains(told), "{why}");
    assert_eq!(field(cluster, "deployment", ("serving", "chat"), ".spec.replicas"), "2");
    cluster.kubectl(&["scale", "deployment/chat", "-n", "serving", "--replicas=3"]);
}

const AUTOSCALERS: &str = "
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: chat, namespace: serving}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: chat}
  minReplicas: 2
  maxReplicas: 8
  metrics:
    - type: Resource
      resource: {name: cpu, target: {type: Utilization, averageUtilization: 60}}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: scaledobjects.keda.sh}
spec:
  group: keda.sh
  scope: Namespaced
  names: {kind: ScaledObject, plural: scaledobjects, singular: scaledobject}
  versions:
    - name: v1alpha1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties: {spec: {type: object, x-kubernetes-preserve-unknown-fields: true}}
";

const KEDA: &str = "
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: store, namespace: serving}
spec: {scaleTargetRef: {name: store, kind: StatefulSet}, minReplicaCount: 1, maxReplicaCount: 4}
";

fn autoscalers_are_told_and_not_fought(cluster: &Cluster, kube: &mut Kube) {
    cluster.apply(AUTOSCALERS);
    cluster.kubectl(&["wait", "--for=condition=Established", "crd/scaledobjects.keda.sh"]);
    cluster.apply(KEDA);
    until("it runs", || (members(&seen(kube, "serving/chat")?) == 3).then_some(()));
    let (hpa, at) = ("horizontalpodautoscaler", ("serving", "chat"));
    let before = wanted(cluster, hpa, "serving", "chat");
    let bounds = |at| {
        let of = |path| field(cluster, hpa, at, path);
        (of(".spec.minReplicas"), of(".spec.maxReplicas"))
    };
    for (name, to, expected) in [("p6/1", 1, ("1", "1")), ("p6/2", 5, ("5", "8"))] {
        let fewer = on(kube, name, scale("serving/chat", 3, to));
        ready(kube, &fewer);
        assert_eq!(act(kube, &fewer), ReceiptOutcome::Done);
        assert_eq!(bounds(at), (expected.0.to_owned(), expected.1.to_owned()));
        assert_eq!(undo(kube, &fewer).outcome, ReceiptOutcome::Done);
        assert_eq!(wanted(cluster, hpa, "serving", "chat"), before);
    }
    // To none it rests while its target has none.
    let none = on(kube, "p6/3", scale("serving/chat", 3, 0));
    ready(kube, &none);
    assert_eq!(act(kube, &none), ReceiptOutcome::Done);
    assert_eq!(field(cluster, "deployment", at, ".spec.replicas"), "0");
    assert_eq!(wanted(cluster, hpa, "serving", "chat"), before);
    assert_eq!(undo(kube, &none).outcome, ReceiptOutcome::Done);
    // KEDA's own object is what counts.
    until("it runs", || (members(&seen(kube, "serving/store")?) == 2).then_some(()));
    let (keda, at) = ("scaledobject", ("serving", "store"));
    let before = wanted(cluster, keda, "serving", "store");
    let paused = r".metadata.annotations.autoscaling\.keda\.sh/paused-replicas";
    let none = on(kube, "p6/4", scale("serving/store", 2, 0));
    ready(kube, &none);
    assert_eq!(act(kube, &none), ReceiptOutcome::Done);
    assert_eq!(field(cluster, keda, at, paused), "0");
    assert_eq!(field(cluster, "statefulset", at, ".spec.replicas"), "2");
    assert_eq!(undo(kube, &none).outcome, ReceiptOutcome::Done);
    assert_eq!(wanted(cluster, keda, "serving", "store"), before);
    let fewer = on(kube, "p6/5", scale("serving/store", 2, 1));
    ready(kube, &fewer);
    assert_eq!(act(kube, &fewer), ReceiptOutcome::Done);
    assert_eq!(field(cluster, keda, at, ".spec.maxReplicaCount"), "1");
    assert_eq!(undo(kube, &fewer).outcome, ReceiptOutcome::Done);
    assert_eq!(wanted(cluster, keda, "serving", "store"), before);
    cluster.kubectl(&["delete", hpa, "chat", "-n", "serving"]);
}

const BUDGET: &str = "
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: chat, namespace: serving}
spec: {minAvailable: 3, selector: {matchLabels: {app: chat}}}
";

fn release(name: &str) -> Step {
    step(name, Action::Release { node: NodeId::new("a10g-a").unwrap() }, 0)
}

fn a_node_is_emptied_within_its_budgets(cluster: &Cluster, kube: &mut Kube) {
    until("all replicas are on the node", || {
        (members(&seen(kube, "serving/chat")?) == 3).then_some(())
    });
    cluster.apply(BUDGET);
    until("the budget is counted", || {
        let allowed = field(cluster, "pdb", ("serving", "chat"), ".status.currentHealthy");
        (allowed == "3").then_some(())
    });
    let node = |path: &str| {
        cluster.kubectl(&["get", "node", "a10g-a", "-o", &format!("jsonpath={{{path}}}")])
    };
    let mut idle = release("p7/0");
    idle.reasons = vec![Reason::IdleNode];
    assert!(refused(kube, &idle).contains("is not idle: serving/chat-"));
    let first = release("p7/1");
    let why = held(kube, &first);
    assert!(why.contains("must not move now") && why.contains("disruption budget"), "{why}");
    assert_eq!(node(".spec.unschedulable"), "");
    // One may go at a time: the node is cordoned, and asked for again until it is empty.
    cluster.kubectl(&[
        "patch",
        "pdb",
        "chat",
        "-n",
        "serving",
        "--type=merge",
        "-p",
        r#"{"spec":{"minAvailable":2}}"#,
    ]);
    let template = r#"{"spec":{"template":{"spec":{"nodeSelector":null}}}}"#;
    until("one may go", || {
        (field(cluster, "pdb", ("serving", "chat"), ".status.disruptionsAllowed") == "1")
            .then_some(())
    });
    let step = release("p7/2");
    let written = ready(kube, &step);
    let error = kube.act(&step, Timestamp::now()).unwrap_err();
    assert_eq!(error.class(), Class::Transient);
    assert!(error.to_string().contains("is being emptied: "), "{error}");
    assert_eq!(node(".spec.unschedulable"), "true");
    // Its replicas could run nowhere else so far; now they can.
    assert!(kube.outcome_of(&step.id, Timestamp::now()).is_err());
    cluster.kubectl(&["patch", "deployment", "chat", "-n", "serving", "-p", template]);
    let outcome = until("it is empty", || kube.outcome_of(&step.id, Timestamp::now()).ok());
    assert_eq!(outcome.unwrap().outcome, ReceiptOutcome::Done);
    until("they run elsewhere", || (members(&seen(kube, "serving/chat")?) == 3).then_some(()));
    let mut other = open(cluster.kubeconfig_of("acts"));
    other.recall(&step.id, &written);
    assert_eq!(undo(&mut other, &step).outcome, ReceiptOutcome::Done);
    assert_eq!(node(".spec.unschedulable"), "");
    assert_eq!(node(r".metadata.annotations.farthing\.dev/step"), "");
    // What is not empty after an hour takes work again.
    let step = release("p7/3");
    ready(kube, &step);
    // A replica that came back meanwhile is asked to go again.
    let receipt = until("nothing is on it any more", || kube.act(&step, Timestamp::now()).ok());
    assert!(matches!(receipt.outcome, ReceiptOutcome::Done | ReceiptOutcome::AlreadyDone));
    let late = Timestamp::now() + SignedDuration::from_hours(2);
    let given_up = kube.outcome_of(&step.id, late).unwrap().unwrap().outcome;
    assert!(matches!(given_up, ReceiptOutcome::Failed(why) if why.contains("takes work again")));
    assert_eq!(node(".spec.unschedulable"), "");
    // Pods that would not come back are not asked.
    cluster.apply(
        "{apiVersion: v1, kind: Pod, metadata: {name: bare, namespace: serving}, spec: {nodeName: \
         a10g-a, containers: [{name: c, image: i}]}}",
    );
    until("it is there", || seen(kube, "serving/bare").filter(|it| members(it) == 1));
    assert!(held(kube, &release("p7/4")).contains("is nobody's"));
}

/// The longest name, amounts as nobody writes them, and annotations that are no numbers.
fn odd_objects_are_steered_or_held(cluster: &Cluster, kube: &mut Kube) {
    let long = "n".repeat(253);
    let set = |name: &str, annotations: &str, amounts: &str| {
        format!(
            "apiVersion: apps/v1\nkind: ReplicaSet\n\
             metadata: {{name: {name}, namespace: serving, annotations: {{{annotations}}}}}\n\
             spec: {{replicas: 2, selector: {{matchLabels: {{set: odd}}}}, template: {{metadata: \
             {{labels: {{set: odd}}}}, spec: {{containers: [{{name: c, image: i, resources: \
             {{requests: {{{amounts}}}}}}}]}}}}}}\n---\n"
        )
    };
    let half = set("half", "", "nvidia.com/gpu: '0.5'").replace("requests", "limits");
    let refusal = cluster.refusal(&half);
    assert!(refusal.contains("must be an integer"), "{refusal}");
    cluster.apply(&set(&long, "'farthing.dev/deadline': soon", "cpu: 1e-1, memory: 1e6"));
    let workload = format!("serving/{long}");
    until("it runs", || (members(&seen(kube, &workload)?) == 2).then_some(()));
    let asked = seen(kube, &workload).unwrap().workload.resources;
    assert_eq!((asked.cpu_milli, asked.memory_bytes), (100, 1_000_000));
    let before = wanted(cluster, "replicaset", "serving", &long);
    let fewer = on(kube, "p10/1", scale(&workload, 2, 1));
    ready(kube, &fewer);
    assert_eq!(act(kube, &fewer), ReceiptOutcome::Done);
    assert_eq!(undo(kube, &fewer).outcome, ReceiptOutcome::Done);
    assert_eq!(wanted(cluster, "replicaset", "serving", &long), before, "byte for byte");
    let faults =
        kube.measure(Window::starting(Timestamp::now(), SignedDuration::from_secs(1)).unwrap());
    let faults = faults.unwrap().faults;
    assert!(!faults.iter().any(|it| it.contains("no event could be written")), "{faults:?}");
    // Between how many it may have is said, or cannot be read: nothing goes beyond it.
    for (said, expected) in [("min=2,max=8", "1 is not within that"), ("some", "write it like")] {
        let elastic = format!("farthing.dev/elastic={said}");
        cluster.kubectl(&["annotate", "rs", &long, "-n", "serving", &elastic, "--overwrite"]);
        let fewer = on(kube, "p10/2", scale(&workload, 2, 1));
        let why = held(kube, &fewer);
        assert!(why.contains(expected), "{why}");
    }
    cluster.kubectl(&["delete", "rs", &long, "-n", "serving"]);
    cluster.apply(&job("odd", "farthing.dev/interruptible: 'now and then'"));
    until("the job runs", || (members(&seen(kube, "research/odd")?) == 1).then_some(()));
    let odd = on(kube, "p10/3", suspend("research/odd"));
    let why = held(kube, &odd);
    assert!(why.contains("`now and then`: write it like"), "{why}");
    cluster.kubectl(&["delete", "job", "odd", "-n", "research"]);
}

fn a_node_is_emptied_while_it_is_sick(cluster: &Cluster, kube: &mut Kube) {
    let condition = |status: &str| {
        let xid = format!(
            r#"{{"type":"XidError","status":"{status}","reason":"Xid79","message":"off the bus"}}"#
        );
        let patch = format!(r#"{{"status":{{"conditions":[{xid}]}}}}"#);
        let status = ["--subresource=status", "--type=strategic", "-p", &patch];
        cluster.kubectl(&[&["patch", "node", "cpu-b"][..], &status].concat());
    };
    let symptoms = |kube: &mut Kube| {
        let terms = kube.observe(Timestamp::now()).unwrap().terms;
        let node = terms.nodes.get(&NodeId::new("cpu-b").unwrap())?.clone();
        let found = node.symptoms.into_iter().map(|it| format!("{}: {}", it.name, it.says));
        Some(found.collect::<Vec<_>>())
    };
    condition("True");
    until("it is seen", || {
        let own = symptoms(kube).unwrap_or_default();
        own.contains(&"XidError=True: Xid79: off the bus".to_owned()).then_some(())
    });
    let mut step = step("p11/1", Action::Release { node: NodeId::new("cpu-b").unwrap() }, 0);
    let zero = Money::zero(Currency::USD);
    step.reasons = vec![Reason::Sick {
        symptom: "XidError=True".to_owned(),
        says: "off the bus".to_owned(),
        loses: zero,
        move_costs: zero,
    }];
    // From a journal reasons come back as words.
    let words = step.reasons[0].to_string();
    step.reasons = vec![Reason::Rule(words)];
    ready(kube, &step);
    // It got well between the plan and the step.
    condition("False");
    assert_eq!(refused(kube, &step), "the node is well again");
    condition("True");
    ready(kube, &step);
    assert!(matches!(kube.act(&step, Timestamp::now()), Ok(_) | Err(_)));
    let outcome = until("it is empty", || kube.outcome_of(&step.id, Timestamp::now()).ok());
    assert_eq!(outcome.unwrap().outcome, ReceiptOutcome::Done);
    assert_eq!(undo(kube, &step).outcome, ReceiptOutcome::Done);
    condition("False");
}

fn a_server_that_is_down_leaves_nothing_half(cluster: &Cluster, kube: &mut Kube) {
    let step = on(kube, "p8/1", suspend("research/train"));
    let written = ready(kube, &step);
    cluster.restart_server();
    let error = until("the server is gone", || kube.act(&step, Timestamp::now()).err());
    assert_eq!(error.class(), Class::Transient, "{error}");
    let at = ("research", "train");
    let outcome = until("the server is back", || kube.outcome_of(&step.id, Timestamp::now()).ok());
    // Whether the call came through before the end or not, both sides say the same.
    until("kubectl is answered", || {
        let answer = cluster.ask(&["get", "job", "train", "-n", "research", "-o", "name"]);
        (!answer.is_empty()).then_some(())
    });
    let suspended = field(cluster, "job", at, ".spec.suspend") == "true";
    assert_eq!(outcome.is_some(), suspended);
    kube.recall(&step.id, &written);
    let outcome = undo(kube, &step).outcome;
    let expected = if suspended { ReceiptOutcome::Done } else { ReceiptOutcome::AlreadyDone };
    assert_eq!(outcome, expected);
    assert_eq!(field(cluster, "job", at, ".spec.suspend"), "false");
}
