//! `farthing plan` of a Dag as people and scripts meet it.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn plan(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_farthing"))
        .args(["plan", "--now", "2026-11-26T00:00:00Z"])
        .args(arguments)
        .current_dir(root())
        .output()
        .unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A decimal string in units of 10^-12.
fn pico(value: &Value) -> i128 {
    let (whole, fraction) = value.as_str().unwrap().split_once('.').unwrap();
    format!("{whole}{fraction:0<12}").parse().unwrap()
}

const DIAMOND: [&str; 6] =
    ["-f", "examples/dag-diamond.yaml", "--egress", "examples/egress-flat.csv", "--output", "json"];

#[test]
fn the_diamond_is_planned_to_the_last_unit_with_a_proof() {
    let output = plan(&DIAMOND);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let plan = json(&output);
    for key in [
        "cost",
        "lower_bound",
        "gap",
        "status",
        "solve_ms",
        "currency",
        "steps",
        "waiting",
        "cuts",
        "offers_used",
        "budgets",
        "unknown",
        "baselines",
    ] {
        assert!(plan.get(key).is_some(), "{key}");
    }
    assert_eq!(plan["status"], "optimal");
    assert_eq!(plan["cost"], plan["lower_bound"]);
    assert_eq!(plan["gap"], 0.0);
    let steps = plan["steps"].as_array().unwrap();
    let names: Vec<&str> = steps.iter().map(|step| step["workload"].as_str().unwrap()).collect();
    assert_eq!(names, ["prep", "train-llm", "train-bert", "eval"]);
    let moves = plan["transfers"].as_array().unwrap();
    let compute: i128 = steps.iter().map(|step| pico(&step["cost"])).sum();
    let egress: i128 = moves.iter().map(|transfer| pico(&transfer["cost"])).sum();
    assert_eq!(compute + egress, pico(&plan["cost"]));
    // 20 hours at the price of one node, exactly.
    let train = &steps[1];
    assert_eq!(pico(&train["cost"]), 20 * pico(&train["price"]));
    for step in steps {
        assert_eq!(step["alternatives"].as_array().unwrap().len(), 2, "{step}");
    }
    assert_eq!(plan["critical_path"][0], "prep");
    // The same input gives the same plan, but for the time that it took.
    let again = |output: &Output| {
        let mut plan = json(output);
        plan["solve_ms"] = Value::Null;
        plan
    };
    assert_eq!(again(&output), again(&self::plan(&DIAMOND)));
}

#[test]
fn what_cannot_be_met_is_an_answer_with_exit_code_three() {
    let mut arguments = DIAMOND.to_vec();
    arguments.extend(["--budget", "500 USD"]);
    let output = plan(&arguments);
    assert_eq!(output.status.code(), Some(3));
    let plan = json(&output);
    assert_eq!(plan["status"], "infeasible");
    let obstacle = &plan["obstacles"][0];
    assert_eq!(obstacle["kind"], "cost-cap");
    assert_eq!(pico(&obstacle["nearest"]) - pico(&obstacle["limit"]), pico(&obstacle["over"]));
    assert_eq!(plan["waiting"].as_array().unwrap().len(), 4);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("late.yaml");
    let text = std::fs::read_to_string(root().join("examples/dag-diamond.yaml")).unwrap();
    std::fs::write(&file, text.replace("deadline: in 72h", "deadline: in 12h")).unwrap();
    let output = self::plan(&["-f", &file.display().to_string(), "--output", "json"]);
    assert_eq!(output.status.code(), Some(3));
    let plan = json(&output);
    assert_eq!(plan["obstacles"][0]["kind"], "deadline");
    // 4 + 20 + 3 hours, against 12.
    assert_eq!(plan["obstacles"][0]["over"], "54000");
    assert_eq!(plan["obstacles"][0]["nearest"], "2026-11-27T03:00:00Z");
}

#[test]
fn without_an_egress_table_nothing_moves_that_can_stay() {
    let output = plan(&["-f", "examples/dag-diamond.yaml"]);
    assert_eq!(output.status.code(), Some(0));
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("7300 GB would move at a price nobody knows"), "{said}");
    assert!(!said.contains("UNKNOWN"), "{said}");
}

#[test]
fn wrong_use_is_told() {
    let check = |arguments: &[&str], expect: &str| {
        let output = plan(arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(expect), "{said}");
    };
    let diamond = ["-f", "examples/dag-diamond.yaml"];
    check(&[&diamond[..], &["--horizon", "1h"]].concat(), "--horizon is for workloads");
    check(&[&diamond[..], &["--egress", "no.csv"]].concat(), "no.csv: there is no such file");
    check(&[&diamond[..], &["-f", "examples/research-team.yaml"]].concat(), "a Dag and Workloads");
    let team = ["-f", "examples/research-team.yaml"];
    check(
        &[&team[..], &["--egress", "examples/egress-flat.csv"]].concat(),
        "--egress is for a Dag",
    );
    check(&[&diamond[..], &["--egress", "data/hardware.yaml"]].concat(), "is not an egress table");
}

#[test]
fn the_picture_shows_tasks_what_moves_and_when_it_is_due() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dag.svg");
    let manifest = folder.path().join("dag.yaml");
    let text = std::fs::read_to_string(root().join("examples/dag-diamond.yaml")).unwrap();
    std::fs::write(&manifest, text.replace("in 72h", "in 40h")).unwrap();
    let (manifest, file) = (manifest.to_str().unwrap(), path.to_str().unwrap());
    let output = plan(&[
        "-f",
        manifest,
        "--egress",
        "examples/egress-flat.csv",
        "--plot",
        file,
        "--baselines",
    ]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("BASELINES"));
    let svg = std::fs::read_to_string(&path).unwrap();
    for words in ["prep", "train-llm", "data in aws/us-east-1", "300 GB, 27.00", ">deadline<"] {
        assert!(svg.contains(words), "{words}");
    }
    assert!(svg.ends_with("</svg>\n"));
}

#[test]
fn the_age_and_source_of_prices_are_said() {
    let plan = json(&plan(&DIAMOND));
    let prices = &plan["prices"];
    assert!(prices["age_days"].as_i64().is_some(), "{prices}");
    assert!(!prices["sources"].as_array().unwrap().is_empty(), "{prices}");
    let text = self::plan(&DIAMOND[..4]);
    assert!(String::from_utf8_lossy(&text.stdout).contains("\nprices of "));
}

fn explain(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_farthing"))
        .arg("explain")
        .args(arguments)
        .args(["--now", "2026-11-26T00:00:00Z"])
        .current_dir(root())
        .output()
        .unwrap()
}

#[test]
fn one_task_is_explained_with_what_lost() {
    let output = explain(&[&["train-llm"], &DIAMOND[..]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let told = json(&output);
    assert_eq!(told["steps"].as_array().unwrap().len(), 1);
    assert_eq!(told["steps"][0]["workload"], "train-llm");
    assert_eq!(told["steps"][0]["alternatives"].as_array().unwrap().len(), 2);
    assert_eq!(told["transfers"].as_array().unwrap().len(), 2);
    let output = explain(&[&["train-llm"], &DIAMOND[..4]].concat());
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    for word in ["train-llm: ", "because   ", "has from  prep", "gives to  eval", "instead   "] {
        assert!(text.contains(word), "{word}: {text}");
    }
    let output = explain(&[&["train-lm"], &DIAMOND[..4]].concat());
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("train-llm"));
}

/// One task of ten hours, with a policy of ten minutes to boot.
const SPOT: &str = "
apiVersion: farthing.dev/v1alpha1
kind: Policy
metadata: {name: p}
spec:
  boot: 10m
  spot: {meanUp: 5h, source: made up}
---
apiVersion: farthing.dev/v1alpha1
kind: Dag
metadata: {name: d}
spec:
  tasks:
    - {name: t, resources: {cpu: 1}, hours: 10, purchase: spot, interruptible: {checkpoint: 1m, restart: 14m}}
";

#[test]
fn boot_and_expected_loss_are_counted() {
    let folder = std::env::temp_dir().join(format!("farthing-dag-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (file, book) = (folder.join("spot.yaml"), folder.join("book.csv"));
    std::fs::write(&file, SPOT).unwrap();
    let head = "provider,region,zone,instance_type,accelerator,accelerator_count,vcpus,memory_gib,\
                storage_gib,purchase,price,currency,unit,source,as_of";
    let row = "aws,r,,m,,,4,16,,spot,6,USD,hour,made up,2026-11-25";
    std::fs::write(&book, format!("{head}\n{row}\n")).unwrap();
    let (file, book) = (file.to_str().unwrap(), book.to_str().unwrap());
    let output = plan(&["-f", file, "--prices", book, "--output", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let plan = json(&output);
    // Two interruptions of 15 minutes, and ten minutes to boot: 10 h 40 min at 6 USD.
    assert_eq!(plan["steps"][0]["run_s"], 38_400.0, "{plan}");
    assert_eq!(plan["steps"][0]["overhead_s"], 2_400.0);
    assert_eq!(pico(&plan["cost"]), 64 * 1_000_000_000_000);
    std::fs::remove_dir_all(folder).unwrap();
}
