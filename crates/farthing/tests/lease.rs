//! Several loops on one cluster: one leads by its lease, another goes on when it is killed, and
//! none leads with another journal.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, missing_docs, reason = "tests")]

#[path = "../../farthing-kube/tests/cluster/mod.rs"]
mod cluster;
mod program;

use cluster::{Cluster, until};
use program::{PROGRAM, Place};
use serde_json::Value;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

struct Replica {
    child: Child,
    said: PathBuf,
}

impl Replica {
    fn start(place: &Place, cluster: &Cluster, name: &str, data: &str) -> Self {
        let said = place.path().join(name);
        let child = Command::new(PROGRAM)
            .args(["up", "--kube", "--lease", "--no-listen", "--every", "1s", "--for", "2m"])
            .args(["--data", data, "--kubeconfig"])
            .arg(cluster.kubeconfig_of("replica"))
            .current_dir(place.path())
            .env("HOSTNAME", name)
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&said).unwrap())
            .spawn()
            .unwrap();
        Self { child, said }
    }

    fn said(&self) -> String {
        std::fs::read_to_string(&self.said).unwrap()
    }

    fn says(&self, words: &str) {
        until(words, || self.said().contains(words).then_some(()));
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lease(cluster: &Cluster) -> Value {
    let said = cluster.ask(&["get", "lease", "farthing", "-n", "farthing", "-o", "json"]);
    serde_json::from_str(&said).unwrap_or_default()
}

fn holder(cluster: &Cluster) -> String {
    let holder = lease(cluster)["spec"]["holderIdentity"].as_str().unwrap_or_default().to_owned();
    holder.split('_').next().unwrap_or_default().to_owned()
}

#[test]
fn one_leads_and_another_goes_on_when_it_is_killed() {
    let files = ["tests/cluster/demo/nodes.yaml"];
    let Some(cluster) = cluster::start(&["replica"], &files) else { return };
    let place = Place::new();
    let run = place.run(&["kube", "manifests"]);
    let (roles, _) =
        run.out.split_once("---\napiVersion: v1\nkind: PersistentVolumeClaim").unwrap();
    cluster.apply(roles);
    let bind = ["--user=replica", "--clusterrole=farthing-recommend"];
    cluster.kubectl(&[&["create", "clusterrolebinding", "r"], &bind[..]].concat());
    let bind = ["-n", "farthing", "--user=replica", "--role=farthing-recommend"];
    cluster.kubectl(&[&["create", "rolebinding", "r"], &bind[..]].concat());
    until("the kinds are served", || {
        let policy = "apiVersion: farthing.dev/v1alpha1\nkind: Policy\nmetadata: {name: lab}\n\
                      spec: {mode: recommend, idleRelease: 1s, boot: 1s}\n";
        cluster.refusal(policy).is_empty().then_some(())
    });

    let first = Replica::start(&place, &cluster, "first", "shared");
    first.says("leads farthing by lease, term 1");
    first.says(" | ");
    let second = Replica::start(&place, &cluster, "second", "shared");
    second.says("waits: first_");
    // A clock that is wrong by hours decides nothing: what counts is how long nothing was renewed.
    let old = r#"{"spec":{"renewTime":"2020-01-01T00:00:00.000000Z"}}"#;
    let patch = ["patch", "lease", "farthing", "-n", "farthing", "--type", "merge", "-p", old];
    cluster.kubectl(&patch);
    until("it is renewed again", || {
        let renewed = lease(&cluster)["spec"]["renewTime"].as_str()?.to_owned();
        (!renewed.starts_with("2020")).then_some(())
    });
    assert_eq!(holder(&cluster), "first");

    // Killed in the middle of whatever it does.
    first.signal("-KILL");
    let began = Instant::now();
    second.says("leads farthing by lease, term 2");
    println!("taken over in {:?}", began.elapsed());
    assert!(began.elapsed() < Duration::from_secs(20));
    second.says(" | ");

    // Another journal is refused, by name.
    second.signal("-INT");
    until("it is given back", || holder(&cluster).is_empty().then_some(()));
    let mut other = Replica::start(&place, &cluster, "other", "elsewhere");
    assert_eq!(other.child.wait().unwrap().code(), Some(2), "{}", other.said());
    assert!(other.said().contains("kept another journal"), "{}", other.said());
    assert!(other.said().contains("--store postgres://"), "{}", other.said());

    // One that sleeps for longer than its lease does nothing when it wakes up.
    let mut third = Replica::start(&place, &cluster, "third", "shared");
    let began = Instant::now();
    third.says("leads farthing by lease, term 3");
    assert!(began.elapsed() < Duration::from_secs(8), "what was given back is free at once");
    third.says(" | ");
    third.signal("-STOP");
    let fourth = Replica::start(&place, &cluster, "fourth", "shared");
    fourth.says("leads farthing by lease, term 4");
    fourth.says(" | ");
    third.signal("-CONT");
    assert_eq!(third.child.wait().unwrap().code(), Some(1), "{}", third.said());
    third.says("this replica leads no more");
    fourth.signal("-INT");
    until("it is given back", || holder(&cluster).is_empty().then_some(()));

    let verify = place.run(&["verify", "--data", "shared", "--cluster", "farthing"]);
    assert_eq!(verify.code, 0, "{}{}", verify.out, verify.said);
    // Every plan of the journal is shown once, whoever led.
    let plans = cluster.kubectl(&["get", "plans", "-o", "jsonpath={.items[*].spec.plan}"]);
    let mut all: Vec<&str> = plans.split_whitespace().collect();
    let count = all.len();
    all.sort_unstable();
    all.dedup();
    assert!(count > 0 && all.len() == count, "{plans}");
}
