//! `farthing up --kube --kueue` on a real API server, beside a stand-in for Kueue's manager: out of
//! the budgets of the journal, also when it is killed between the journal and the answer.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, missing_docs, reason = "tests")]

#[path = "../../farthing-kube/tests/admitter/mod.rs"]
mod admitter;
#[path = "../../farthing-kube/tests/cluster/mod.rs"]
mod cluster;
mod program;

use admitter::{CHECK, stand_in};
use cluster::{Cluster, until};
use program::{PROGRAM, Place};
use serde_json::Value;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const BUDGET: &str = "apiVersion: farthing.dev/v1alpha1
kind: Budget
metadata: {name: research-monthly}
spec: {scope: {team: research}, limit: 150 USD, period: month, hard: true}
---
apiVersion: farthing.dev/v1alpha1
kind: Policy
metadata: {name: p}
spec: {mode: enforce}
";

const ANSWERS: &str = r"
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: answers}
rules:
  - apiGroups: [kueue.x-k8s.io]
    resources: [workloads, workloads/status, admissionchecks/status]
    verbs: [patch]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: answers}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: answers}
subjects: [{kind: User, name: money}]
";

/// Killed without a word when it is dropped.
struct Up(Child);

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn up(place: &Place, cluster: &Cluster) -> Up {
    let kubeconfig = cluster.kubeconfig_of("money");
    let path = place.path().join("said");
    let said = std::fs::File::options().create(true).append(true).open(path).unwrap();
    let child = Command::new(PROGRAM)
        .args(["up", "--kubeconfig", kubeconfig.to_str().unwrap(), "--no-listen", "--kube"])
        .args(["farthing", "--every", "2s", "--config", "budget.yaml", "--kueue"])
        .current_dir(place.path())
        .env("FARTHING_DATA", place.state())
        .stdout(Stdio::null())
        .stderr(said)
        .spawn()
        .unwrap();
    Up(child)
}

/// Reservations in the journal.
fn reservations(place: &Place) -> Vec<Value> {
    let arguments =
        ["budget", "--cluster", "farthing", "--config", "budget.yaml", "--output", "json"];
    let run = place.run(&[&arguments[..], &["reservations"]].concat());
    let all: Option<Value> = serde_json::from_str(&run.out).ok();
    all.and_then(|all| all["items"].as_array().cloned()).unwrap_or_default()
}

fn said(place: &Place) -> String {
    std::fs::read_to_string(place.path().join("said")).unwrap_or_default()
}

#[test]
fn a_reservation_is_found_again_after_a_kill_between_the_journal_and_the_answer() {
    let files = ["tests/cluster/demo/nodes.yaml", "tests/cluster/kueue/crds.yaml"];
    let Some(cluster) = cluster::start(&["money"], &files) else { return };
    until("the kinds are served", || {
        let kinds = cluster.ask(&["api-resources", "--api-group=kueue.x-k8s.io"]);
        kinds.contains("workloads").then_some(())
    });
    let queue = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/cluster/kueue/queue.yaml");
    cluster.kubectl(&["apply", "--server-side", "-f", queue]);
    let bind = ["create", "clusterrolebinding", "looks", "--user=money"];
    let place = Place::new();
    place.file("budget.yaml", BUDGET);
    cluster.apply(&place.run(&["kube", "manifests", "--role", "observe"]).out);
    cluster.kubectl(&[&bind[..], &["--clusterrole=farthing-observe"]].concat());
    // Somebody else said that the check is answered: quota is reserved.
    let manager = admitter::start(&cluster, CHECK, 16);
    let active = r#"{"status": {"conditions": [{"type": "Active", "status": "True",
        "reason": "Test", "message": "", "lastTransitionTime": "2026-11-01T00:00:00Z"}]}}"#;
    let patch = ["patch", "admissioncheck", CHECK, "--subresource=status", "--type=merge", "-p"];
    cluster.kubectl(&[&patch[..], &[active]].concat());
    // Two hours of a node of 8: more than 100 dollars, less than 150.
    manager.api.add("first", 8, Some(7_200));
    let killed = up(&place, &cluster);
    let before = until(&format!("it is in the journal: {}", said(&place)), || {
        let all = reservations(&place);
        (all.len() == 1 && said(&place).contains("403")).then_some(all)
    });
    assert!(!manager.is("first", "Admitted"), "its answer was refused");
    drop(killed);
    cluster.apply(ANSWERS);
    let _up = up(&place, &cluster);
    until("it is let in", || manager.is("first", "Admitted").then_some(()));
    let after = reservations(&place);
    assert_eq!(after, before, "the same, neither doubled nor lost: {}", said(&place));
    let first = manager.api.workload("first");
    let entry = &first["status"]["admissionChecks"][0];
    let note = &entry["podSetUpdates"][0]["annotations"]["farthing.dev/reservation"];
    assert_eq!(note, &before[0]["id"], "{first}");
    // The next does not fit: it gives its quota back, and says what lacks.
    manager.api.add("second", 8, Some(7_200));
    let note = until("it is held", || {
        let it = manager.api.workload("second");
        let held = it["metadata"]["annotations"]["farthing.dev/held"].as_str().map(str::to_owned);
        held.filter(|_| !stand_in::active(&it) && !stand_in::is(&it, "QuotaReserved"))
    });
    assert!(note.contains("budget research-monthly has "), "{note}");
    manager.api.finish("first");
    // What was held rests for a minute before it is tried again.
    std::thread::sleep(Duration::from_secs(30));
    until("it is given back, and the next tries again", || {
        manager.is("second", "Admitted").then_some(())
    });
    let all = reservations(&place);
    assert_eq!(all.len(), 1, "{all:?}");
    assert_ne!(all[0]["id"], before[0]["id"]);
    let verify = place.run(&["verify"]);
    assert_eq!(verify.code, 0, "{}", verify.said);
}
