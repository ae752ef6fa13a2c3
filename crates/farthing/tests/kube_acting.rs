//! `farthing up --kube` that acts on a real API server: a team over its budget, a job that is
//! suspended for it, and everything back as it was, whatever is killed in between.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, missing_docs, reason = "tests")]

#[path = "../../farthing-kube/tests/cluster/mod.rs"]
mod cluster;
mod program;

use cluster::{Cluster, until};
use program::Place;
use program::up::Demo;
use serde_json::{Value, json};
use std::time::Duration;

const OVER: &str = "\
kind: Policy
metadata: {name: acts}
spec: {mode: enforce, limits: {stepsPerHour: 100}}
---
kind: Budget
metadata: {name: research-monthly}
spec:
  scope: {team: research}
  limit: 0.0001 USD
  period: month
  escalate: [{at: 100%, do: suspend}]
";

/// Who the program is in the cluster.
const WHO: &str = "acts";

/// Gives it exactly the roles that are generated for acting.
fn bind(cluster: &Cluster) {
    let roles = farthing_kube::roles(farthing_kube::Flavour::Enforce);
    cluster.apply(&roles);
    let (user, role) = (format!("--user={WHO}"), "farthing-enforce");
    let all = format!("--clusterrole={role}");
    cluster.kubectl(&["create", "clusterrolebinding", WHO, &user, &all]);
    let own = format!("--role={role}");
    cluster.kubectl(&["create", "rolebinding", WHO, "-n", "farthing", &user, &own]);
}

/// What is wanted of an object: all but what the server keeps of how it came to be.
fn wanted(cluster: &Cluster, kind: &str, name: &str) -> Value {
    let text = cluster.kubectl(&["get", kind, name, "-n", "research", "-o", "json"]);
    let mut object: Value = serde_json::from_str(&text).unwrap();
    object.as_object_mut().unwrap().remove("status");
    let meta = object["metadata"].as_object_mut().unwrap();
    for kept in ["managedFields", "resourceVersion", "generation"] {
        meta.remove(kept);
    }
    object
}

fn is_suspended(cluster: &Cluster) -> bool {
    let path = "jsonpath={.spec.suspend}";
    cluster.kubectl(&["get", "job", "train", "-n", "research", "-o", path]) == "true"
}

fn up(place: &Place, cluster: &Cluster, more: &[&str]) -> Demo {
    let kubeconfig = cluster.kubeconfig_of(WHO);
    let kube = ["--kube", "farthing", "--every", "1s", "--kubeconfig"];
    Demo::up(place, &[&kube[..], &[kubeconfig.to_str().unwrap()], more].concat())
}

/// The step that is in force.
fn in_force(up: &Demo) -> Option<String> {
    let (status, steps) = up.json("GET", "/steps", None);
    let items = steps["items"].as_array().filter(|_| status == 200)?;
    let step = items.iter().find(|step| step["can"] == json!(["undo"]))?;
    Some(step["id"].as_str()?.to_owned())
}

#[test]
fn a_team_over_its_budget_is_suspended_and_all_of_it_is_taken_back() {
    let Some(cluster) = cluster::demo(&[WHO]) else { return };
    bind(&cluster);
    cluster.kubectl(&[
        "annotate",
        "job",
        "train",
        "-n",
        "research",
        "farthing.dev/interruptible=checkpoint=10s,restart=1m",
    ]);
    let before = wanted(&cluster, "job", "train");
    let notebook = wanted(&cluster, "statefulset", "notebook");
    let place = Place::new();
    let over = place.file("over.yaml", OVER);
    only_proposals_are_made_where_that_is_said(&place, &cluster, &over);
    // The real thing: the rung of the budget suspends what may be interrupted.
    let loop_ = up(&place, &cluster, &["--config", &over]);
    until("the job is suspended", || is_suspended(&cluster).then_some(()));
    let step = until("the step is in force", || in_force(&loop_));
    assert_eq!(wanted(&cluster, "statefulset", "notebook"), notebook, "services are left alone");
    let events = ["get", "events", "-n", "research", "-o", "jsonpath={.items[*].message}"];
    let events = cluster.kubectl(&events);
    assert!(events.contains("suspended: budget research-monthly is at"), "{events}");
    // A crash; the step is taken back by its journal alone.
    loop_.kill();
    let kubeconfig = cluster.kubeconfig_of(WHO);
    let by = ["--kube", "farthing", "--kubeconfig", kubeconfig.to_str().unwrap()];
    let wrong = place.run(&[&["undo", "p9/9"][..], &by].concat());
    assert_eq!(wrong.code, 1, "{}", wrong.said);
    assert!(wrong.said.contains(&format!("those that are: {step}")), "{}", wrong.said);
    let undone = place.run(&[&["undo", &step][..], &by].concat());
    assert_eq!(undone.code, 0, "{}", undone.said);
    assert_eq!(wanted(&cluster, "job", "train"), before, "byte for byte");
    killed_at_any_time(&place, &cluster, &over);
    // Without its budget there is no reason any more: what was done by itself is undone by itself.
    let free =
        place.file("free.yaml", "kind: Policy\nmetadata: {name: acts}\nspec: {mode: enforce}\n");
    let loop_ = up(&place, &cluster, &["--config", &free]);
    until("the job goes on", || (!is_suspended(&cluster)).then_some(()));
    until("nothing is in force", || in_force(&loop_).is_none().then_some(()));
    loop_.kill();
    assert_eq!(wanted(&cluster, "job", "train"), before, "byte for byte");
    let verify = place.run(&["verify"]);
    assert_eq!(verify.code, 0, "{}", verify.said);
}

/// `--mode` is the most that is done, whatever a policy allows.
fn only_proposals_are_made_where_that_is_said(place: &Place, cluster: &Cluster, over: &str) {
    let loop_ = up(place, cluster, &["--config", over, "--mode", "approve"]);
    until("the step is proposed", || {
        let (status, steps) = loop_.json("GET", "/steps", None);
        let items = steps["items"].as_array().filter(|_| status == 200)?;
        let can = |step: &Value| step["can"].as_array().unwrap().contains(&json!("approve"));
        items.iter().any(can).then_some(())
    });
    assert!(!is_suspended(cluster));
    loop_.kill();
    let wrong = place.run(&["up", "--kube", "farthing", "--mode", "force"]);
    assert_eq!(wrong.code, 2, "{}", wrong.said);
    assert!(wrong.said.contains("observe, recommend, approve, enforce"), "{}", wrong.said);
}

/// Ended by SIGKILL again and again while it acts: no step is done twice, and none is lost.
fn killed_at_any_time(place: &Place, cluster: &Cluster, over: &str) {
    for round in 0..6_u64 {
        let loop_ = up(place, cluster, &["--config", over]);
        std::thread::sleep(Duration::from_millis(150 * round * round));
        loop_.kill();
    }
    let loop_ = up(place, cluster, &["--config", over]);
    until("it is suspended again", || is_suspended(cluster).then_some(()));
    let step = until("the step is in force", || in_force(&loop_));
    // Over HTTP, as people have it: the rung is still reached, and takes it away again.
    let undo = place.run(&["undo", &step, "--server", &format!("http://{}", loop_.address)]);
    assert_eq!(undo.code, 0, "{}", undo.said);
    let again = until("the rung does it again", || in_force(&loop_).filter(|other| *other != step));
    assert!(is_suspended(cluster), "{again}");
    loop_.kill();
}
