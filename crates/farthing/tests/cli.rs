//! The command line as people and scripts meet it: exit codes, messages, statements that add up.
#![allow(clippy::unwrap_used, clippy::needless_raw_string_hashes, missing_docs, reason = "tests")]

use expect_test::{Expect, expect};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Runs the program at the root of the repository, with a state folder of its own.
fn farthing(state: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_farthing"))
        .args(arguments)
        .current_dir(root())
        .env("FARTHING_DATA", state)
        .output()
        .unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A command that must fail: its exit code and everything it says.
fn fails(arguments: &[&str], exit: i32, expect: &Expect) {
    let state = tempfile::tempdir().unwrap();
    let output = farthing(state.path(), arguments);
    let said = String::from_utf8(output.stderr.clone()).unwrap();
    let said = said.replace(&state.path().display().to_string(), "STATE");
    expect.assert_eq(&said);
    assert_eq!(code(&output), exit, "{said}");
    assert!(output.stdout.is_empty(), "nothing is printed as data when it fails");
}

#[test]
fn wrong_use_says_what_would_be_right() {
    fails(
        &["cost"],
        2,
        &expect![[r"
        farthing: there are no books in STATE yet
          hint: run `farthing up` or `farthing up --demo` first, or name --data FOLDER
    "]],
    );
    fails(
        &["offers", "--accelerator", "A100"],
        2,
        &expect![[r"
        farthing: `A100` is more than one accelerator: name one of A100-40GB, A100-80GB
    "]],
    );
    fails(
        &["offers", "--accelerator", "H100-80GB", "--max-price", "10 USD"],
        2,
        &expect![[r"
        farthing: --max-price: `10 USD` has no unit of time: write it like 3.90 USD/h
    "]],
    );
    fails(
        &["up", "--for", "60"],
        2,
        &expect![[r"
        farthing: --for `60` is not a duration
          hint: write it like 30s, 10m or 2h30m
    "]],
    );
    fails(
        &["up", "--no-listen", "--for", "1s", "--every", "0s"],
        2,
        &expect![[r"
        farthing: --every `0s` is not a duration
          hint: write it like 30s, 10m or 2h30m
    "]],
    );
}

#[test]
fn a_taken_port_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let state = tempfile::tempdir().unwrap();
    let output = farthing(state.path(), &["up", "--for", "1s", "--listen", &address]);
    let said = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(code(&output), 2, "{said}");
    assert!(said.contains(&address) && said.contains("--listen"), "{said}");
}

#[test]
fn an_empty_file_a_folder_and_a_missing_file_are_named() {
    let state = tempfile::tempdir().unwrap();
    let empty = state.path().join("empty.yaml");
    std::fs::write(&empty, "").unwrap();
    for (path, words) in [
        (empty.as_path(), "empty.yaml"),
        (state.path(), "folder"),
        (Path::new("no-such-file.yaml"), "no-such-file.yaml"),
    ] {
        let output = farthing(state.path(), &["plan", "-f", &path.display().to_string()]);
        let said = String::from_utf8(output.stderr.clone()).unwrap();
        assert_eq!(code(&output), 2, "{said}");
        assert!(said.contains(words), "{said}");
        assert!(!said.contains("panicked"), "{said}");
    }
}

#[test]
fn a_read_only_state_folder_is_named_and_nothing_is_written() {
    let state = Path::new("/proc/farthing-cannot-be-here");
    let output = farthing(state, &["up", "--no-listen", "--for", "1s"]);
    let said = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(code(&output), 1, "{said}");
    assert!(said.contains("/proc/farthing-cannot-be-here"), "{said}");
}

#[test]
fn the_example_is_planned_with_a_proof() {
    let state = tempfile::tempdir().unwrap();
    let arguments = [
        "plan",
        "-f",
        "examples/research-team.yaml",
        "--baselines",
        "--output",
        "json",
        "--now",
        "2026-11-24T00:00:00Z",
    ];
    let output = farthing(state.path(), &arguments);
    assert_eq!(code(&output), 0, "{}", String::from_utf8_lossy(&output.stderr));
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
        assert!(plan.get(key).is_some(), "{key} is one of the fixed keys");
    }
    let number = |value: &Value| value.as_str().unwrap().parse::<f64>().unwrap();
    assert!(number(&plan["lower_bound"]) <= number(&plan["cost"]));
    assert!(plan["gap"].as_f64().unwrap() <= 0.01);
    for policy in ["fifo", "greedy-r", "ffd-cheapest"] {
        let value = |plan: &Value| number(&plan["value"]);
        assert!(value(&plan["baselines"][policy]) <= value(&plan), "{policy} does no more value");
    }
    // Law 1: the same plan again, all of it but how long it took.
    let untimed = |output: &Output| {
        let mut plan = json(output);
        plan["solve_ms"] = Value::Null;
        plan
    };
    assert_eq!(untimed(&farthing(state.path(), &arguments)), untimed(&output));
}

/// The seeds' second worked example: the rule calls done what cannot be done.
#[test]
fn seed_4_3_shows_what_the_rule_does_not_notice() {
    let state = tempfile::tempdir().unwrap();
    let output = farthing(
        state.path(),
        &[
            "plan",
            "-f",
            "examples/seed-4-3.yaml",
            "--baselines",
            "--output",
            "json",
            "--now",
            "2026-11-24T00:00:00Z",
        ],
    );
    assert_eq!(code(&output), 3, "task a cannot be done in time beside task b");
    let plan = json(&output);
    assert_eq!(plan["cost"], "15.999999999993");
    assert_eq!(plan["waiting"][0]["workload"], "task-a");
    let rule = &plan["baselines"]["greedy-r"];
    assert_eq!(rule["steps"].as_array().unwrap().len(), 2);
    assert!(rule["unknown"].to_string().contains("misses its deadline"));
}

/// The seeds' third worked example: the rule places nothing, the knapsack is exact.
#[test]
fn seed_5_2_is_an_exact_knapsack() {
    let state = tempfile::tempdir().unwrap();
    let output = farthing(
        state.path(),
        &["plan", "-f", "examples/seed-5-2.yaml", "--baselines", "--output", "json"],
    );
    assert_eq!(code(&output), 0);
    let plan = json(&output);
    assert_eq!((&plan["cost"], &plan["value"]), (&Value::from("1.40"), &Value::from("250")));
    let rule = &plan["baselines"]["greedy-r"];
    assert_eq!((&rule["cost"], &rule["value"]), (&Value::from("0.00"), &Value::from("0")));
}

/// The demo from end to end, twice with one seed: the books add up, hold, and are the same.
#[test]
fn a_demo_leaves_books_that_hold_and_repeat() {
    let run = || {
        let state = tempfile::tempdir().unwrap();
        let arguments =
            ["up", "--demo", "--history", "0s", "--no-listen", "--for", "1s", "--speed", "21600"];
        let output = farthing(state.path(), &arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(code(&output), 0, "{said}");
        assert!(stdout(&output).contains("(difference 0.00)"), "{said}");
        let verified = farthing(state.path(), &["verify", "--output", "json"]);
        assert_eq!(code(&verified), 0);
        assert_eq!(json(&verified)["ledger"]["ok"], true);
        let cost = json(&farthing(state.path(), &["cost", "--by", "team", "--output", "json"]));
        assert_eq!(cost["difference"], "0.00");
        let explained = farthing(state.path(), &["explain", "p1"]);
        assert!(stdout(&explained).contains("because"), "a step says why");
        let id = cost["rows"][0]["id"].as_str().unwrap().to_owned();
        assert!(stdout(&farthing(state.path(), &["explain", &id])).contains("PRICES"));
        (stdout(&output).replace(rate(&stdout(&output)).as_str(), ""), cost.to_string())
    };
    assert_eq!(run(), run());
}

/// The past of the demo is in its books as imported hours are: it holds, forecasts are made from
/// it, and who has done nothing since before the run is known.
#[test]
fn a_demo_has_a_past() {
    let state = tempfile::tempdir().unwrap();
    let arguments =
        ["up", "--demo", "--history", "5d", "--no-listen", "--for", "1s", "--speed", "21600"];
    let output = farthing(state.path(), &arguments);
    assert_eq!(code(&output), 0, "{}", String::from_utf8_lossy(&output.stderr));
    let verified = json(&farthing(state.path(), &["verify", "--output", "json"]));
    assert_eq!(
        (&verified["ledger"]["ok"], &verified["journal"]["ok"]),
        (&true.into(), &true.into())
    );
    // The closing statement is of the run, and the books have more.
    let cost = json(&farthing(state.path(), &["cost", "--window", "7d", "--output", "json"]));
    let paid = cost["paid"].as_str().unwrap().parse::<f64>().unwrap();
    let said = stdout(&output);
    let said = said.lines().find_map(|line| line.strip_prefix("paid ")).unwrap();
    let said = said.split(' ').next().unwrap().replace(',', "").parse::<f64>().unwrap();
    assert!(paid > 10.0 * said, "{paid} in 5.25 days, {said} in the last 0.25");
    assert_eq!(cost["difference"], "0.00");
    let budgets = json(&farthing(state.path(), &["budget", "--output", "json"]));
    let everything = budgets["budgets"].as_array().unwrap().iter();
    let everything = everything.clone().find(|it| it["budget"] == "everything").unwrap();
    let at = |name: &str| everything["forecast"][name].as_str().unwrap().parse::<f64>().unwrap();
    assert!(at("p10") < at("p50") && at("p50") < at("p90"), "{everything}");
    let idle = farthing(state.path(), &["idle", "--window", "24h", "--output", "json"]);
    let idle = json(&idle);
    let verdicts = idle["verdicts"].as_array().unwrap();
    let notebook = verdicts.iter().find(|it| it["workload"] == "research-notebook").unwrap();
    assert_eq!(
        (&notebook["state"], &notebook["idle"]),
        (&"LOADED_IDLE".into(), &true.into()),
        "{notebook}"
    );
    assert!(verdicts.iter().any(|it| it["state"] == "BUSY"), "{idle}");
    // What is idle is idle by its records, and not by their absence.
    assert!(notebook["coverage"].as_f64().unwrap() > 0.95, "{notebook}");
    let hard =
        farthing(state.path(), &["budget", "check", "--team", "research", "--estimate", "1e9USD"]);
    assert_eq!(code(&hard), 3, "{}", stdout(&hard));
}

/// The last line of the closing statement tells how fast it was, which differs.
fn rate(text: &str) -> String {
    text.lines().last().unwrap().to_owned()
}

#[test]
fn a_flipped_byte_in_the_books_is_found_and_located() {
    let state = tempfile::tempdir().unwrap();
    let arguments =
        ["up", "--demo", "--history", "0s", "--no-listen", "--for", "1s", "--speed", "7200"];
    assert_eq!(code(&farthing(state.path(), &arguments)), 0);
    let charges = state.path().join("books/cluster=demo/charges/date=2026-11-02/hour=00.parquet");
    let mut bytes = std::fs::read(&charges).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&charges, bytes).unwrap();
    let verified = farthing(state.path(), &["verify", "--output", "json"]);
    assert_eq!(code(&verified), 1);
    let fault = json(&verified)["ledger"]["first_fault"].to_string();
    assert!(fault.contains("hour=00.parquet"), "{fault}");
}

/// This machine, for three short ticks.
#[test]
fn this_machine_is_accounted_to_the_last_unit() {
    let state = tempfile::tempdir().unwrap();
    let output = farthing(state.path(), &["up", "--no-listen", "--for", "3s", "--every", "1s"]);
    assert_eq!(code(&output), 0, "{}", String::from_utf8_lossy(&output.stderr));
    let cost = json(&farthing(state.path(), &["cost", "--by", "process", "--output", "json"]));
    assert_eq!(cost["difference"], "0.00");
    let sum: i128 = cost["rows"].as_array().unwrap().iter().map(|row| pico(&row["total"])).sum();
    assert_eq!(sum, pico(&cost["paid"]), "the rows sum to what is paid, to the last unit");
    assert_eq!(code(&farthing(state.path(), &["verify"])), 0);
}

/// Money in 10^-12 units.
fn pico(value: &Value) -> i128 {
    let text = value.as_str().unwrap();
    let (whole, fraction) = text.split_once('.').unwrap();
    format!("{whole}{fraction:0<12}").parse().unwrap()
}
