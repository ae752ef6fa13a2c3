//! `farthing up --kube` on a real API server: seen, priced, metered by requests, and in the books.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, missing_docs, reason = "tests")]

#[path = "../../farthing-kube/tests/cluster/mod.rs"]
mod cluster;
mod program;

use program::{PROGRAM, Place};
use serde_json::Value;
use std::process::Command;

/// Runs the loop on a cluster for some seconds; what it says.
fn up(place: &Place, kubeconfig: &str, arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(PROGRAM)
        .args(["up", "--kubeconfig", kubeconfig, "--no-listen", "--every", "1s", "--for", "6s"])
        .args(arguments)
        .current_dir(place.path())
        .env("FARTHING_DATA", place.state())
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn json(place: &Place, arguments: &[&str]) -> Value {
    let run = place.run(arguments);
    assert_eq!(run.code, 0, "{}", run.said);
    serde_json::from_str(&run.out).unwrap()
}

/// Money is text, hours are numbers.
fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| value.as_str().unwrap().parse().unwrap())
}

#[test]
fn a_cluster_is_metered_by_requests_and_unknown_prices_are_named() {
    let Some(cluster) = cluster::demo(&[]) else { return };
    cluster::until("the work runs", || {
        let pods = cluster.kubectl(&["get", "pods", "-A", "--no-headers"]);
        (pods.lines().filter(|line| line.contains("Running")).count() == 5).then_some(())
    });
    let place = Place::new();
    let kubeconfig = cluster.kubeconfig();
    let (code, statement, said) = up(&place, kubeconfig.to_str().unwrap(), &["--kube", "farthing"]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("requests only"), "{said}");
    // The price book has no spot price of this machine in this region.
    let unknown = "UNKNOWN price of node a10g-c: the price book has no g5.12xlarge in \
                   aws/us-east-1, spot";
    assert!(said.contains(unknown), "{said}");
    assert!(said.contains(" = asked for ") && !said.contains(" % under"), "{said}");
    assert!(statement.contains("serving/chat"), "{statement}");
    let cost = json(&place, &["cost", "--by", "workload", "--output", "json"]);
    let rows = cost["rows"].as_array().unwrap();
    let row = |name: &str| {
        let found = rows.iter().find(|row| row["workload"] == name);
        found.unwrap_or_else(|| panic!("no {name} in {cost}"))
    };
    // GPU hours are as the requests are: eight of the job, one of each replica whose node has a
    // price.
    let (train, chat) = (row("research/train"), row("serving/chat"));
    let nodes = ["get", "pods", "-n", "serving", "-o", "jsonpath={.items[*].spec.nodeName}"];
    let nodes = cluster.kubectl(&nodes);
    let priced = nodes.split(' ').filter(|node| !["a10g-b", "a10g-c"].contains(node)).count();
    let hours = |row: &Value| number(&row["gpu_hours"]);
    let expected = hours(train) / 8.0 * f64::from(u32::try_from(priced).unwrap());
    assert!((hours(chat) - expected).abs() < 1e-6, "{nodes}: {cost}");
    assert!(number(&train["total"]) > 0.0 && number(&chat["total"]) > 0.0, "{cost}");
    // Nobody looked at what they use.
    assert!(number(&cost["difference"]).abs() < 1e-12, "{cost}");
    let parts = ["used", "idle", "unallocated", "overhead"].map(|part| number(&cost[part]));
    assert!((parts.iter().sum::<f64>() - number(&cost["paid"])).abs() < 1e-9, "{cost}");
    let by_team = json(&place, &["cost", "--by", "team", "--output", "json"]);
    let teams: Vec<_> =
        by_team["rows"].as_array().unwrap().iter().filter_map(|it| it["team"].as_str()).collect();
    assert!(teams.contains(&"research") && teams.contains(&"serving"), "{by_team}");
    let verify = place.run(&["verify"]);
    assert_eq!(verify.code, 0, "{}", verify.said);
}

#[test]
fn a_context_that_is_not_there_is_named_with_those_that_are() {
    let place = Place::new();
    place.file("config", "contexts: [{name: lab, context: {cluster: c}}]\nclusters: []\n");
    let run = place.run(&["up", "--kubeconfig", "config", "--kube", "prod"]);
    assert_eq!(run.code, 2, "{}", run.said);
    assert!(run.said.contains("there is no context `prod`: there are lab"), "{}", run.said);
    let run = place.run(&["up", "--kubeconfig", "none", "--kube"]);
    assert!(run.said.contains("none cannot be read"), "{}", run.said);
    place.file(
        "refused",
        "current-context: a\ncontexts: [{name: a, context: {cluster: c}}]\n\
        clusters: [{name: c, cluster: {server: 'http://127.0.0.1:9'}}]\n",
    );
    let run = place.run(&["up", "--kubeconfig", "refused", "--kube"]);
    assert_eq!(run.code, 1, "{}", run.said);
    assert!(
        run.said.contains("http://127.0.0.1:9/version: refuses the connection"),
        "{}",
        run.said
    );
}
