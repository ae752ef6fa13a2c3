//! `farthing simulate` on made-up windows: keys, sums, forms, reasons, and what is told when asked
//! wrongly.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

const TRACE: &str = "examples/spot-windows.csv";

fn simulate(more: &[&str]) -> Output {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    Command::new(env!("CARGO_BIN_EXE_farthing"))
        .args(["simulate", "--work", "10h", "--price", "spot=0.9731,on-demand=3.06"])
        .args(more)
        .current_dir(root)
        .output()
        .unwrap()
}

fn text(output: &Output) -> String {
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn keys_are_those_of_the_interfaces_and_sums_are_those_of_the_rows() {
    let asked = ["--format", "spot-windows", "--trace", TRACE, "--deadline", "12h,14h"];
    let more = ["--overhead", "3m,12m", "--limit", "3", "--output", "json"];
    let answer: Value = serde_json::from_str(&text(&simulate(&[asked, more].concat()))).unwrap();
    assert_eq!((&answer["jobs"], &answer["trace"]), (&24.into(), &TRACE.into()));
    let policies = answer["policies"].as_object().unwrap();
    assert_eq!(policies.len(), 5);
    let pico = |value: &Value| -> i128 {
        let (whole, part) = value.as_str().unwrap().split_once('.').unwrap();
        format!("{whole}{part:0<12}").parse().unwrap()
    };
    for (name, policy) in policies {
        let rows = policy["rows"].as_array().unwrap();
        assert_eq!(rows.len(), 24, "{name}");
        let sum: i128 = rows.iter().map(|row| pico(&row["cost"])).sum();
        assert_eq!(sum, pico(&policy["cost"]), "{name}");
        assert_eq!(policy["deadline_misses"], 0, "{name}");
        assert_eq!(policy["completed"], 24, "{name}");
        assert!(pico(&answer["lower_bound"]) <= sum, "{name}");
        if name != "optimal" {
            let parts = pico(&policy["used"]) + pico(&policy["idle"]);
            assert_eq!(parts, pico(&policy["paid"]), "{name}");
        }
    }
    let row = &answer["policies"]["on-demand"]["rows"][1];
    assert_eq!((&row["env"], &row["window"]), (&"plenty".into(), &2.into()));
    assert_eq!((&row["deadline"], &row["overhead"]), (&"12h".into(), &"3m".into()));
    assert_eq!((&row["deadline_s"], &row["overhead_s"]), (&43_200.into(), &180.into()));
    assert_eq!((&row["cost"], &row["late"]), (&"31.11".into(), &false.into()));
    assert_eq!(row["finished_s"], 36_180);
}

#[test]
fn tables_csv_pictures_and_reasons_come_out() {
    let folder = tempfile::tempdir().unwrap();
    let plot = folder.path().join("cost.svg");
    let asked = ["--trace", TRACE, "--deadline", "12h,14h", "--plot", plot.to_str().unwrap()];
    let table = text(&simulate(&asked));
    assert!(
        table.starts_with("16 jobs, mean cost of `optimal`, and the cost of the others over it")
    );
    assert!(table.contains("deadline 14h, overhead 3m"), "{table}");
    assert!(std::fs::read_to_string(&plot).unwrap().contains("hours to the deadline"));
    let csv = text(&simulate(&[&asked[..4], &["--output", "csv"]].concat()));
    assert_eq!(csv.lines().count(), 1 + 5 * 16);
    let why = ["--trace", TRACE, "--deadline", "14h", "--explain", "scarce/0"];
    let reasons = text(&simulate(&why));
    assert!(reasons.lines().next().unwrap().contains("if on demand"), "{reasons}");
    assert!(reasons.lines().nth(1).unwrap().trim_start().starts_with("0:00"), "{reasons}");
    let json: Value =
        serde_json::from_str(&text(&simulate(&[&why[..], &["--output", "json"]].concat())))
            .unwrap();
    let first = &json["decisions"][0];
    assert_eq!((&first["elapsed_s"], &first["remaining_s"]), (&0.into(), &36_000.into()));
    assert!(first["cost_to_go"]["on_demand"].is_string());
}

#[test]
fn what_is_asked_wrongly_is_told_with_what_would_be_right() {
    let told = |more: &[&str], message: &str, hint: &str| {
        let output = simulate(more);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(message) && said.contains(hint), "{said}");
    };
    let asked = ["--trace", TRACE, "--deadline", "12h"];
    let with = |more: &[&'static str]| [&asked[..], more].concat();
    told(&with(&["--format", "spot-window"]), "no format `spot-window`", "mean `spot-windows`?");
    told(&["--format", "dreams"], "no format `dreams`; there are spot-windows, gavel, chronus", "");
    told(&[], "--trace is missing", "(env,window,tick,available)");
    told(&["--trace", TRACE], "--deadline is missing", "like --deadline 52h,70h");
    told(&with(&["--policy", "spot-gredy"]), "no policy", "did you mean `spot-greedy`?");
    told(&with(&["--policy", "optimal,optimal"]), "optimal is there twice", "");
    told(&with(&["--price", "reserved=1"]), "neither spot nor on-demand", "write both");
    told(&with(&["--limit", "0"]), "leaves no window", "");
    told(&with(&["--explain", "x/1"]), "no such window", "write it like plenty/0");
    told(&["--trace", TRACE, "--deadline", "12h5m"], "no whole number of ticks", "");
    told(&["--trace", TRACE, "--deadline", "90h"], "the trace has 96 ticks", "after 540");
    told(&["--trace", "Cargo.toml", "--deadline", "12h"], "there is no column `env`", "");
    told(&["--trace", "nowhere", "--deadline", "12h"], "nowhere cannot be read", "No such file");
}

/// Jobs made up, on a small cluster.
fn fleet(more: &[&str]) -> Output {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    Command::new(env!("CARGO_BIN_EXE_farthing"))
        .args(["simulate", "--format", "gavel", "--trace", "examples/gavel-jobs.trace"])
        .args(["--throughput", "examples/gavel-throughputs.csv"])
        .args(more)
        .current_dir(root)
        .output()
        .unwrap()
}

const CLUSTER: [&str; 4] =
    ["--cluster", "V100=12,P100=12,K80=12", "--price", "V100=0.74,P100=0.43,K80=0.135"];

#[test]
fn a_fleet_is_in_time_and_near_the_bound() {
    let policies = ["--policy", "farthing,fifo,greedy-r,ffd-cheapest,edf", "--output", "json"];
    let answer: Value =
        serde_json::from_str(&text(&fleet(&[&CLUSTER[..], &policies[..]].concat()))).unwrap();
    assert_eq!((&answer["jobs"], &answer["deadlines_hold"]), (&24.into(), &true.into()));
    let number = |value: &Value| value.as_str().unwrap().parse::<f64>().unwrap();
    let bound = number(&answer["lower_bound"]);
    let ours = &answer["policies"]["farthing"];
    assert_eq!((&ours["deadline_misses"], &ours["completed"]), (&0.into(), &24.into()));
    assert!((bound..bound * 1.03).contains(&number(&ours["cost"])), "{bound} {ours}");
    for (name, policy) in answer["policies"].as_object().unwrap() {
        let dearer = number(&policy["cost"]) >= number(&ours["cost"]);
        assert!(dearer || policy["deadline_misses"] != 0, "{name}: {policy}");
        let kinds = [("V100", 0.74), ("P100", 0.43), ("K80", 0.135)];
        let paid = kinds.map(|(kind, price)| policy["used_gpu_s"][kind].as_f64().unwrap() * price);
        let off = paid.iter().sum::<f64>() / 3600.0 - number(&policy["cost"]);
        assert!(off.abs() < 1e-6, "{name}");
    }
    let table = text(&fleet(&CLUSTER));
    assert!(
        table.starts_with("24 jobs of examples/gavel-jobs.trace, no policy that is in time can be")
    );
}

#[test]
fn what_is_asked_of_a_fleet_wrongly_is_told() {
    let told = |more: &[&str], message: &str| {
        let output = fleet(more);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(message), "{said}");
    };
    let with = |more: &[&'static str]| [&CLUSTER[..], more].concat();
    told(&[], "--cluster is missing");
    told(&CLUSTER[..2], "--price is missing");
    told(&with(&["--round", "0s"]), "--round `0s` is not a duration");
    told(&with(&["--work", "3h"]), "--work means nothing for --format gavel");
    told(&with(&["--policy", "fijo"]), "no policy `fijo`");
    told(&["--cluster", "V100=8", "--price", "V100=1,T4=2"], "--cluster has no such kind");
    told(&["--cluster", "V100=8,T4=1", "--price", "V100=1"], "--price has no price of T4");
    told(&["--cluster", "T4=1", "--price", "T4=1"], "the throughputs know no `T4`");
    told(&["--cluster", "V100=-1", "--price", "V100=1"], "--cluster V100=-1: invalid digit");
    told(&["--cluster", "V100=1", "--price", "V100=-1"], "it is below zero");
    told(&["--cluster", "V100", "--price", "V100=1"], "it has no `=`");
    told(&["--cluster", "V100=2", "--price", "V100=1"], "no kind has so many accelerators");
}

fn openb(more: &[&str]) -> Output {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    Command::new(env!("CARGO_BIN_EXE_farthing"))
        .args(["simulate", "--format", "openb", "--nodes", "examples/shared-gpus-nodes.csv"])
        .args(more)
        .current_dir(root)
        .output()
        .unwrap()
}

#[test]
fn placements_say_what_is_allocated_in_every_order_and_invent_no_money() {
    let asked = [
        "--trace",
        "examples/shared-gpus-pods.csv",
        "--seed",
        "1",
        "--seeds",
        "2",
        "--output",
        "json",
    ];
    let answer: Value = serde_json::from_str(&text(&openb(&asked))).unwrap();
    let policies = answer["policies"].as_object().unwrap();
    assert_eq!(policies.keys().collect::<Vec<_>>(), ["best-fit", "farthing", "fgd"]);
    let allocation = |name: &str| policies[name]["allocation"].as_f64().unwrap();
    for (name, policy) in policies {
        let rows = policy["rows"].as_array().unwrap();
        assert_eq!(rows.len(), 3, "{name}");
        let seeds: Vec<&Value> = rows.iter().map(|row| &row["seed"]).collect();
        assert_eq!(seeds, [&Value::Null, &1.into(), &2.into()], "{name}");
        for row in rows {
            let (part, whole) = (&row["gpu_milli"], &row["capacity_milli"]);
            let ratio = part.as_f64().unwrap() / whole.as_f64().unwrap();
            assert!((ratio - row["allocation"].as_f64().unwrap()).abs() < 2e-6, "{name}");
        }
        assert!((0.85..=1.0).contains(&allocation(name)), "{name}");
        assert_eq!((&policy["cost"], &policy["paid"]), (&Value::Null, &Value::Null), "{name}");
    }
    assert!(allocation("farthing") >= allocation("best-fit"));
}

#[test]
fn placements_say_what_is_missing() {
    let told = |more: &[&str]| String::from_utf8(openb(more).stderr).unwrap();
    let told_of = told(&["--trace", "examples/spot-windows.csv"]);
    assert!(told_of.contains("there is no column `cpu_milli`"), "{told_of}");
    let told_of = told(&["--trace", "examples/shared-gpus-pods.csv", "--policy", "fgb"]);
    assert!(told_of.contains("did you mean `fgd`?"), "{told_of}");
    let told_of = told(&["--trace", "crates/farthing/src"]);
    assert!(told_of.contains("0 files of CSV"), "{told_of}");
}
