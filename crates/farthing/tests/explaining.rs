//! `farthing explain`: every row of every statement, every step, and what is said where there is
//! nothing to explain.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

mod program;

use program::Place;
use serde_json::Value;

fn rows(place: &Place, by: &str) -> Vec<Value> {
    let run = place.run(&["cost", "--by", by, "--output", "json"]);
    assert_eq!(run.code, 0, "{}", run.said);
    let statement: Value = serde_json::from_str(&run.out).unwrap();
    statement["rows"].as_array().unwrap().clone()
}

fn pico(value: &Value) -> i128 {
    let text = value.as_str().unwrap();
    let (whole, fraction) = text.split_once('.').unwrap();
    format!("{whole}{fraction:0<12}").parse().unwrap()
}

/// Every row under every key leads to charges that sum to it, their prices, and the samples.
#[test]
fn every_row_of_this_machine_is_explained() {
    let place = Place::new();
    let run = place.run(&["up", "--no-listen", "--for", "2s", "--every", "1s"]);
    assert_eq!(run.code, 0, "{}", run.said);
    let keys = ["process", "container", "user", "node", "offer", "resource", "team", "workload"];
    for by in
        keys.into_iter().chain(["hour", "purchase", "instance-type", "region", "user,process"])
    {
        // The dearest rows, and the cheapest.
        let rows = rows(&place, by);
        for row in rows.iter().take(6).chain(rows.last()) {
            let id = row["id"].as_str().unwrap();
            let run = place.run(&["explain", id, "--output", "json"]);
            assert_eq!(run.code, 0, "{by} {id}: {}", run.said);
            let explained: Value = serde_json::from_str(&run.out).unwrap();
            assert_eq!(explained["total"], row["total"], "{by} {id}");
            let lines = explained["lines"].as_array().unwrap();
            let sum: i128 = lines.iter().map(|line| pico(&line["cost"])).sum();
            assert_eq!(sum, pico(&row["total"]), "{by} {id}");
            let workloads = explained["workloads"].as_array().unwrap();
            let of_them: i128 = workloads.iter().map(|pair| pico(&pair[1])).sum();
            assert!(of_them <= sum, "{by} {id}");
            let run = place.run(&["explain", id]);
            for part in ["CHARGES", "PRICES", "data/hardware.yaml", "SAMPLES"] {
                assert!(run.out.contains(part), "{by} {id}: no {part} in {}", run.out);
            }
            if row["total"] == row["used"] && pico(&row["used"]) > 0 {
                assert!(run.out.contains("procfs") || run.out.contains("statvfs"), "{}", run.out);
            }
        }
    }
    let unallocated = rows(&place, "process");
    let unallocated = unallocated.iter().find(|row| row["process"] == "(unallocated)").unwrap();
    let run = place.run(&["explain", unallocated["id"].as_str().unwrap()]);
    assert!(
        run.out.contains("(unallocated) is paid capacity that nobody asked for"),
        "{}",
        run.out
    );
    assert!(run.out.contains("none: it is what the samples of all others leave"), "{}", run.out);
    // Names do as well as ids.
    assert!(place.run(&["explain", "farthing"]).out.contains("process farthing"));
}

#[test]
fn what_is_not_known_is_answered_with_what_is() {
    let place = Place::new();
    let run = place.run(&["up", "--no-listen", "--for", "2s", "--every", "1s"]);
    assert_eq!(run.code, 0, "{}", run.said);
    let hint = |id: &str| {
        let run = place.run(&["explain", id]);
        assert_eq!(run.code, 2, "{}", run.said);
        assert!(run.out.is_empty(), "{}", run.out);
        run.said
    };
    assert!(hint("farthin").contains("did you mean farthing"), "{}", hint("farthin"));
    let id = rows(&place, "process")[0]["id"].as_str().unwrap().to_owned();
    assert!(hint(&id[..id.len() - 1]).contains(&format!("did you mean {id}")));
    let said = hint("p1");
    assert!(said.contains("it has no plan yet: nothing was proposed"), "{said}");
    assert!(hint("xyzzy-never").contains("`farthing cost --by workload` lists names and ids"));
    let said = place.run(&["cost", "--by", "proces"]).said;
    assert!(said.contains("did you mean process?"), "{said}");
}

#[test]
fn steps_and_plans_say_what_why_and_what_came_of_it() {
    let place = Place::new();
    let run = place.run(&[
        "up",
        "--demo",
        "--history",
        "0s",
        "--no-listen",
        "--for",
        "1s",
        "--speed",
        "7200",
    ]);
    assert_eq!(run.code, 0, "{}", run.said);
    let plan = place.run(&["explain", "p1"]).out;
    assert!(plan.starts_with("p1 (farthing): costs "), "{plan}");
    let step = plan.lines().find(|line| line.contains(" of p1 ")).unwrap();
    let step = step.split(' ').next().unwrap();
    let told = place.run(&["explain", step]).out;
    for part in ["does      ", "costs     ", "saves     ", "expires   ", "because   ", "then      "]
    {
        assert!(told.contains(part), "{step}: no {part:?} in {told}");
    }
    assert!(!told.contains('{'), "in words: {told}");
    let run = place.run(&["explain", "p1000000"]);
    assert_eq!(run.code, 2, "{}", run.said);
    assert!(run.said.contains("its plans and steps are p1 to p"), "{}", run.said);
}

/// A plan of files is made again to be explained: by step and by workload, the same.
#[test]
fn a_workload_of_a_plan_of_files_is_explained() {
    let place = Place::new();
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/research-team.yaml");
    let now = ["--now", "2026-12-01T00:00:00Z", "-f", file];
    let run = |arguments: &[&str]| place.run(&[arguments, &now[..]].concat());
    let plan: Value = serde_json::from_str(&run(&["plan", "--output", "json"]).out).unwrap();
    let step = &plan["steps"][0];
    let (id, name) = (step["id"].as_str().unwrap(), step["workload"].as_str().unwrap());
    let by_step = run(&["explain", id, "--output", "json"]);
    assert_eq!(by_step.out, run(&["explain", name, "--output", "json"]).out);
    let explained: Value = serde_json::from_str(&by_step.out).unwrap();
    assert_eq!(explained["steps"][0], *step);
    assert_eq!(explained["binding"], plan["binding"]);
    assert_eq!(explained["prices"][0]["offer"], step["offer"]);
    let text = run(&["explain", name]).out;
    for part in ["costs     ", " x ", " USD/h (list price of 2026-", "because   ", "WHAT BINDS"] {
        assert!(text.contains(part), "no {part} in {text}");
    }
    let waits = run(&["explain", "sweep-resnet18"]).out;
    assert!(waits.contains("12 wait\nbecause   budget research has"), "{waits}");
    let wrong = run(&["explain", "sweep-resnet19"]);
    assert_eq!(wrong.code, 2);
    assert!(wrong.said.contains("did you mean sweep-resnet18?"), "{}", wrong.said);
    let alone = place.run(&["explain", name, "--now", "2026-12-01T00:00:00Z"]);
    assert_eq!(alone.code, 2);
    assert!(alone.said.contains("name its manifests with -f"), "{}", alone.said);
}
