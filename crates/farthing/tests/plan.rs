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

/// The days of the offers that are used, not of the book; their age is that at the plan's time.
#[test]
fn a_plan_says_how_old_its_prices_are() {
    let folder = tempfile::tempdir().unwrap();
    let book = folder.path().join("prices.csv");
    let row = |instance: &str, accelerator: &str, day: &str| {
        format!("aws,us-east-1,,{instance},{accelerator},1,8,32,,on-demand,1,USD,hour,seen,{day}\n")
    };
    let head = "provider,region,zone,instance_type,accelerator,accelerator_count,vcpus,memory_gib,\
        storage_gib,purchase,price,currency,unit,source,as_of\n";
    let text =
        [head.to_owned(), row("a", "L4-24GB", "2026-11-20"), row("b", "T4-16GB", "2020-01-01")];
    std::fs::write(&book, text.concat()).unwrap();
    let job = folder.path().join("job.yaml");
    std::fs::write(
        &job,
        "apiVersion: farthing.dev/v1alpha1\nkind: Workload\nmetadata: {name: job}\nspec:\n  \
         type: job\n  value: 100\n  work: 3600 steps\n  \
         throughput: [{accelerator: L4-24GB, count: 1, rate: 1 steps/s}]\n",
    )
    .unwrap();
    let (job, book) = (job.to_str().unwrap(), book.to_str().unwrap());
    let at = |now: &str, form: &str| {
        let output = plan(&["-f", job, "--prices", book, "--now", now, "--output", form]);
        String::from_utf8(output.stdout).unwrap()
    };
    let json: Value = serde_json::from_str(&at("2026-11-26T12:00:00Z", "json")).unwrap();
    let expected = serde_json::json!({
        "oldest": "2026-11-20", "newest": "2026-11-20", "age_days": 6, "sources": ["seen"],
    });
    assert_eq!(json["prices"], expected, "{json}");
    let text = at("2026-11-26T12:00:00Z", "table");
    assert!(text.contains("\nprices of 2026-11-20, 6 days old, from seen\n"), "{text}");
}
