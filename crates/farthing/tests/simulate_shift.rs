//! `farthing simulate` of work over time: jobs that wait for cheap hours, a service that lends,
//! jobs that grow; what they save beside doing nothing, and what is told when asked wrongly.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

const GRID: [&str; 12] = [
    "--format",
    "grid",
    "--trace",
    "examples/grid-hours.csv",
    "--jobs",
    "data/traces/philly-jobs.csv",
    "--deadline",
    "24h",
    "--limit",
    "80",
    "--set",
    "carbon-price=80",
];
const LENDING: [&str; 10] = [
    "--format",
    "lending",
    "--trace",
    "examples/service-demand.csv",
    "--set",
    "replica-rate=4",
    "--work",
    "1000h",
    "--price",
    "owned=1.20,batch=2.10",
];
const ELASTIC: [&str; 12] = [
    "--format",
    "elastic",
    "--trace",
    "examples/elastic-jobs.csv",
    "--throughput",
    "examples/elastic-steps.csv",
    "--cluster",
    "A100=16",
    "--price",
    "A100=1.20",
    "--rent",
    "A100=2.10",
];

fn simulate(args: &[&str], more: &[&str]) -> Output {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut command = Command::new(env!("CARGO_BIN_EXE_farthing"));
    command.arg("simulate").args(args).args(more).current_dir(root).output().unwrap()
}

fn answer(args: &[&str], more: &[&str]) -> Value {
    let output = simulate(args, &[more, &["--output", "json"]].concat());
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn told(args: &[&str], more: &[&str]) -> String {
    let output = simulate(args, more);
    assert_eq!(output.status.code(), Some(2), "{more:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn pico(value: &Value) -> i128 {
    let text = value.as_str().unwrap();
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits: i128 = format!("{whole}{part:0<12}").parse().unwrap();
    digits
}

#[test]
fn jobs_that_wait_cost_less_and_are_in_time() {
    for more in [&[][..], &["--set", "pause=5m", "--round", "30m"]] {
        let answer = answer(&GRID, more);
        let of = |name: &str| &answer["policies"][name];
        let cost = |name: &str| pico(&of(name)["cost"]);
        for name in ["farthing", "at-once", "foresight"] {
            assert_eq!(of(name)["deadline_misses"], 0, "{name}");
            assert_eq!((&of(name)["completed"], &answer["jobs"]), (&80.into(), &80.into()));
            let parts = pico(&of(name)["power_cost"]) + pico(&of(name)["carbon_cost"]);
            assert_eq!(parts, cost(name));
            assert_eq!(pico(&of(name)["saved"]), cost("at-once") - cost(name));
        }
        assert!(cost("farthing") * 100 < cost("at-once") * 95);
        assert!(pico(&answer["lower_bound"]) <= cost("foresight"));
        assert!(cost("foresight") <= cost("farthing"));
        assert!(of("farthing")["saved_kg"].as_f64().unwrap() > 0.0);
        // No policy uses more power than another but for what pauses lose.
        if more.is_empty() {
            assert_eq!(of("farthing")["kwh"], of("at-once")["kwh"]);
        }
    }
}

#[test]
fn carbon_alone_moves_jobs_to_clean_hours() {
    let dear = answer(&GRID, &["--set", "known=48h"]);
    let free: Vec<&str> =
        GRID.iter().map(|arg| if *arg == "carbon-price=80" { "watts=700" } else { *arg }).collect();
    let free = answer(&free, &["--set", "known=48h"]);
    let kg = |answer: &Value| answer["policies"]["foresight"]["carbon_kg"].as_f64().unwrap();
    assert!(kg(&dear) < kg(&free), "{} {}", kg(&dear), kg(&free));
    assert_eq!(free["policies"]["foresight"]["carbon_cost"], "0");
}

#[test]
fn a_service_lends_and_keeps_its_objective() {
    let answer = answer(&LENDING, &[]);
    let of = |name: &str| &answer["policies"][name];
    for name in ["farthing", "apart", "all-idle", "foresight"] {
        let parts = pico(&of(name)["used"]) + pico(&of(name)["idle"]);
        assert_eq!(parts, pico(&of(name)["paid"]), "{name}");
        let hours = |key: &str| of(name)[key].as_f64().unwrap();
        assert!((hours("worked_hours") + hours("rented_hours") - 1_000.0).abs() < 0.05, "{name}");
        assert!(of(name)["back_most_s"].as_u64().unwrap() <= 600, "{name}");
        let saved = pico(&of("apart")["cost"]) - pico(&of(name)["cost"]);
        assert!((saved - pico(&of(name)["saved"])).abs() < 10, "{name}");
    }
    assert_eq!(of("apart")["waited"], 0);
    let waited = |name: &str| of(name)["waited"].as_u64().unwrap();
    let requests = of("farthing")["requests"].as_u64().unwrap();
    assert!(waited("farthing") * 1_000 < requests, "{} of {requests}", waited("farthing"));
    assert!(waited("all-idle") > 10 * waited("farthing").max(1));
    assert!(pico(&of("farthing")["saved"]) > 0);
}

#[test]
fn jobs_that_grow_end_sooner_and_rent_less() {
    let answer = answer(&ELASTIC, &[]);
    let of = |name: &str| &answer["policies"][name];
    assert!(pico(&of("farthing")["rented"]) < pico(&of("fixed")["rented"]));
    assert!(of("farthing")["mean_jct_s"].as_i64() < of("fixed")["mean_jct_s"].as_i64());
    let saved = pico(&of("fixed")["cost"]) - pico(&of("farthing")["cost"]);
    assert_eq!(pico(&of("farthing")["saved"]), saved);
    for name in ["farthing", "fixed"] {
        let parts = pico(&of(name)["used"]) + pico(&of(name)["idle"]);
        assert_eq!(parts, pico(&of(name)["paid"]), "{name}");
    }
}

#[test]
fn what_is_wrong_is_named() {
    for (args, more, what) in [
        (&GRID[..], &["--set", "cabron=1"][..], "there is no parameter `cabron`"),
        (&GRID, &["--round", "7m"], "no whole part of an hour"),
        (&GRID, &["--policy", "at-onec"], "did you mean `at-once`?"),
        (&GRID, &["--zone", "DE-LU"], "no column `zone`"),
        (&GRID, &["--set", "accelerators=1"], "a job needs"),
        (&GRID, &["--carbon", "examples/service-demand.csv"], "none of the columns g_kwh"),
        (&LENDING, &["--set", "quantile=1.5"], "no part of a whole"),
        (&LENDING, &["--variant", "m"], "no column `model`"),
        (&LENDING, &["--price", "spot=1"], "there is no price `spot`"),
        (&ELASTIC, &["--set", "restart=soon"], "is not a duration"),
        (&ELASTIC, &["--cluster", "H100=4"], "one kind of accelerator"),
        (&ELASTIC, &["--deadline", "4h"], "--deadline means nothing for --format elastic"),
    ] {
        let told = told(args, more);
        assert!(told.contains(what), "{more:?}: {told}");
    }
}

#[test]
fn a_plan_says_what_later_starts_would_save() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let plan = |more: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_farthing"))
            .args(["plan", "-f", "examples/night-shift.yaml", "--now", "2026-03-10T17:00:00Z"])
            .args(more)
            .current_dir(&root)
            .output()
            .unwrap()
    };
    let json = |output: Output| -> Value { serde_json::from_slice(&output.stdout).unwrap() };
    let power = ["--power", "examples/grid-hours.csv"];
    let answer = json(plan(&[&power[..], &["--carbon-price", "80", "--output", "json"]].concat()));
    let later = &answer["later"];
    assert_eq!(later["looked_at"], 3);
    let jobs = later["jobs"].as_array().unwrap();
    assert!(!jobs.is_empty());
    let mut sum = 0;
    for job in jobs {
        // What is due tonight has no better hour.
        assert_ne!(job["workload"], "tonight");
        assert!(job["start"].as_str() > job["planned"].as_str(), "{job}");
        assert!(job["start"].as_str() < job["due"].as_str(), "{job}");
        sum += pico(&job["saved"]);
    }
    assert_eq!(sum, pico(&later["saved"]));
    assert!(sum > 0);
    // Steps are those of the plan without it, and nothing is said where nobody asked.
    let without = json(plan(&["--output", "json"]));
    assert!(without.get("later").is_none());
    assert_eq!(without["steps"], answer["steps"]);
    let text = plan(&power);
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("Later starts would save"), "{text}");
    let late = Command::new(env!("CARGO_BIN_EXE_farthing"))
        .args(["plan", "-f", "examples/night-shift.yaml", "--now", "2026-02-20T17:00:00Z"])
        .args(power)
        .current_dir(&root)
        .output()
        .unwrap();
    assert_eq!(late.status.code(), Some(2));
    let told = String::from_utf8(late.stderr).unwrap();
    assert!(told.contains("2026-03-22T00:00:00Z"), "{told}");
}
