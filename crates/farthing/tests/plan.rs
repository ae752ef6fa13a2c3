//! What `farthing plan` adds to a plan: what binds it, and a picture.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

fn plan(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_farthing"))
        .arg("plan")
        .args(arguments)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))
        .output()
        .unwrap()
}

/// Budget 1.5 holds tasks 2 and 4; a tenth more holds tasks 2, 3 and 4 (0.8 + 0.3 + 0.5 = 1.6).
#[test]
fn a_budget_that_binds_says_what_a_tenth_more_is_worth() {
    let output = plan(&["-f", "examples/seed-5-2.yaml", "--output", "json"]);
    let plan: Value = serde_json::from_slice(&output.stdout).unwrap();
    let binding = &plan["binding"][0];
    assert_eq!(binding["constraint"], "budget");
    assert_eq!(binding["slack"], "+0.15 USD");
    let relaxed = |limit: &str| {
        let file = std::fs::read_to_string(
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/seed-5-2.yaml"),
        );
        let text = file.unwrap().replace("limit: 1.5 USD", &format!("limit: {limit} USD"));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("more.yaml");
        std::fs::write(&path, text).unwrap();
        let output = self::plan(&["-f", path.to_str().unwrap(), "--output", "json"]);
        let plan: Value = serde_json::from_slice(&output.stdout).unwrap();
        let number = |key: &str| plan[key].as_str().unwrap().parse::<f64>().unwrap();
        (number("value"), number("cost"))
    };
    let (before, after) = (relaxed("1.5"), relaxed("1.65"));
    let change = |key: &str| binding[key].as_str().unwrap().parse::<f64>().unwrap();
    assert!((change("value_change") - (after.0 - before.0)).abs() < 1e-9, "{binding}");
    assert!((change("cost_change") - (after.1 - before.1)).abs() < 1e-9, "{binding}");
    assert!(change("value_change") > 0.0, "a tenth more buys something: {binding}");
}

#[test]
fn a_plan_is_drawn_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plan.svg");
    let example = ["-f", "examples/research-team.yaml", "--now", "2026-12-01T00:00:00Z", "--plot"];
    let output = plan(&[&example[..], &[path.to_str().unwrap()]].concat());
    assert_eq!(output.status.code(), Some(0));
    let svg = std::fs::read_to_string(&path).unwrap();
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    for words in ["1 x train-resnet50, 60.00", ">research</text>", "waits: 12 x sweep-resnet18"] {
        assert!(svg.contains(words), "{words} is not in the picture");
    }
    let output = plan(&[&example[..], &["plan.png"]].concat());
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("plan.png: pictures are written as SVG"), "{said}");
    let nowhere = folder.path().join("no/such/folder/plan.svg");
    let output = plan(&[&example[..], &[nowhere.to_str().unwrap()]].concat());
    assert_eq!(output.status.code(), Some(1));
    assert!(!nowhere.exists());
}

/// No kind of accelerator alone is drawn below the mix: their lines end higher up, or not at all.
#[test]
fn services_are_drawn_against_their_rate() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("serving.svg");
    let output = plan(&["-f", "examples/serving.yaml", "--plot", path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0));
    let svg = std::fs::read_to_string(&path).unwrap();
    assert!(svg.contains(">the cheapest mix</text>") && svg.contains(">asked for</text>"));
    let ends: Vec<f64> = svg
        .lines()
        .filter(|line| line.contains("stroke-width=\"3\"") || line.contains("stroke-width=\"1.5\""))
        .map(|line| {
            let points = line.split('"').nth(1).unwrap();
            points.rsplit(',').next().unwrap().parse().unwrap()
        })
        .collect();
    let (mix, alone) = ends.split_last().unwrap();
    assert!(!alone.is_empty() && alone.iter().all(|end| end <= mix), "{ends:?}");
}
