//! `farthing simulate` on traces of jobs: keys, sums, books, seeds, sweeps, pictures, and what is
//! told when asked wrongly.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

const TRACE: &str = "data/traces/philly-jobs.csv";
const POLICIES: [&str; 4] = ["farthing", "fifo", "greedy-r", "ffd-cheapest"];

fn farthing(args: &[&str]) -> Output {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    Command::new(env!("CARGO_BIN_EXE_farthing")).args(args).current_dir(root).output().unwrap()
}

fn simulate(more: &[&str]) -> Output {
    let asked = ["simulate", "--format", "philly", "--trace", TRACE, "--cluster", "P100=8x8"];
    farthing(&[&asked[..], &["--price", "P100=0.43"], more].concat())
}

fn text(output: &Output) -> String {
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_str(&text(output)).unwrap()
}

fn pico(value: &Value) -> i128 {
    let text = value.as_str().unwrap();
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}{part:0<12}").parse().unwrap()
}

#[test]
fn keys_are_those_of_the_interfaces_and_parts_sum_to_what_is_paid() {
    let answer = json(&simulate(&["--output", "json"]));
    assert_eq!((&answer["trace"], &answer["jobs"]), (&TRACE.into(), &1_117.into()));
    let policies = answer["policies"].as_object().unwrap();
    assert_eq!(policies.len(), POLICIES.len());
    for name in POLICIES {
        let policy = &policies[name];
        assert_eq!(policy["completed"], 1_117, "{name}");
        assert_eq!(pico(&policy["used"]) + pico(&policy["idle"]), pico(&policy["paid"]), "{name}");
        let idle = ["held", "unallocated", "overhead"].map(|part| pico(&policy[part]));
        assert_eq!(idle.iter().sum::<i128>(), pico(&policy["idle"]), "{name}");
        assert_eq!(policy["cost"], policy["paid"]);
        assert!(pico(&answer["lower_bound"]) <= pico(&policy["cost"]) + 1_000_000, "{name}");
        for key in ["makespan_s", "mean_jct_s", "p99_jct_s", "events", "wall_ms"] {
            assert!(policy[key].is_u64(), "{name}: {key}");
        }
        assert_eq!(policy["deadline_misses"], 0);
    }
    let cost = |name: &str| pico(&policies[name]["cost"]);
    assert!(cost("farthing") < cost("fifo"), "{answer}");
    let mean = |name: &str| policies[name]["mean_jct_s"].as_u64().unwrap();
    assert!(mean("farthing") < mean("fifo"), "{answer}");
}

#[test]
fn the_books_of_the_simulated_month_are_read_by_cost_and_verify() {
    let folder = tempfile::tempdir().unwrap();
    let books = folder.path().join("books");
    let books = books.to_str().unwrap();
    let kept = ["--policy", "farthing", "--output", "json", "--books", books];
    let answer = json(&simulate(&kept));
    let asked = ["cost", "--books", books, "--cluster", "simulated-philly-farthing"];
    let window = ["--window", "90d", "--by", "team", "--output", "json"];
    let statement = json(&farthing(&[&asked[..], &window].concat()));
    let policy = &answer["policies"]["farthing"];
    for (ours, theirs) in [
        ("paid", "paid"),
        ("used", "used"),
        ("unallocated", "unallocated"),
        ("overhead", "overhead"),
    ] {
        assert_eq!(pico(&policy[ours]), pico(&statement[theirs]), "{ours}");
    }
    assert!(statement["rows"].as_array().unwrap().len() > 5);
}

#[test]
fn seeds_have_intervals_sweeps_have_rows_and_a_picture_has_three_parts() {
    let folder = tempfile::tempdir().unwrap();
    let plot = folder.path().join("philly.svg");
    let limited = ["--limit", "300", "--policy", "farthing,fifo"];
    let sweep = ["--seeds", "3", "--sweep", "reserve=0,0.25", "--plot", plot.to_str().unwrap()];
    let answer = json(&simulate(&[&limited[..], &sweep, &["--output", "json"]].concat()));
    let values = answer["sweep"].as_array().unwrap();
    assert_eq!(values.len(), 2);
    let spread = |at: usize| &values[at]["policies"]["farthing"]["spread"]["cost"];
    assert!(spread(0)["low"].as_f64().unwrap() <= spread(0)["mean"].as_f64().unwrap());
    assert!(spread(0)["mean"].as_f64().unwrap() < spread(1)["mean"].as_f64().unwrap());
    assert_eq!(values[1]["set"], "reserve=0.25");
    let picture = std::fs::read_to_string(&plot).unwrap();
    for words in ["paid by then", "by day and hour of the day", "from submission to end"] {
        assert!(picture.contains(words), "{words}");
    }
    let table = text(&simulate(&[&limited[..], &sweep[..4]].concat()));
    assert!(table.contains("reserve=0.25  farthing"), "{table}");
    // The same seed gives the same numbers.
    let once = json(&simulate(&[&limited[..], &["--seed", "7", "--output", "json"]].concat()));
    let again = json(&simulate(&[&limited[..], &["--seed", "7", "--output", "json"]].concat()));
    assert_eq!(once["policies"]["farthing"]["cost"], again["policies"]["farthing"]["cost"]);
}

#[test]
fn what_is_asked_wrongly_is_told_with_what_would_be_right() {
    let told = |output: Output, message: &str, hint: &str| {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(message) && said.contains(hint), "{said}");
    };
    let bare = |more: &[&str]| {
        farthing(&[&["simulate", "--format", "philly", "--trace", TRACE], more].concat())
    };
    told(bare(&[]), "--cluster is missing", "like --cluster V100=80x8");
    told(bare(&["--cluster", "V100=2x8"]), "V100: what an hour of it costs", "give --price V100");
    told(bare(&["--cluster", "V100"]), "it has no `=`", "80 nodes of eight V100");
    told(bare(&["--cluster", "V100=0"]), "`0` is no number of nodes from 1", "write it like");
    told(simulate(&["--policy", "fifoo"]), "no policy `fifoo`", "did you mean `fifo`?");
    told(simulate(&["--sweep", "reserv=0,1"]), "no parameter `reserv`", "mean `reserve`?");
    told(simulate(&["--sweep", "colour=0"]), "there are reserve, boot, idle-release", "");
    told(simulate(&["--set", "reserve=much"]), "it is no part such as 0.05", "");
    told(simulate(&["--price", "H100=1"]), "the cluster has no such accelerator", "");
    told(simulate(&["--seeds", "0"]), "--seeds 0 leaves no run", "");
    told(simulate(&["--work", "48h"]), "--work means nothing for --format philly", "it takes --");
    told(simulate(&["--rent", "V100"]), "--rent V100: what an hour", "give --price");
    let wrong = ["simulate", "--format", "phily", "--trace", TRACE];
    told(farthing(&wrong), "no format `phily`", "did you mean `philly`?");
    let folder = tempfile::tempdir().unwrap();
    let broken = |text: &str, message: &str| {
        let file = folder.path().join("t.csv");
        std::fs::write(&file, text).unwrap();
        let asked = ["simulate", "--format", "csv", "--trace", file.to_str().unwrap()];
        let cluster = ["--cluster", "V100=2", "--price", "V100=1", "--policy", "fifo"];
        told(farthing(&[&asked[..], &cluster].concat()), message, "");
    };
    broken("submit,run_s,accelerators\n9,1,1\n5,1,1\n", "sort the rows by submission");
    broken("submit,run_s,accelerators\n9,-1,1\n", "the job ends 1 s before it starts");
    broken("submit,run_s,accelerators\n9,1\n", "not readable as CSV");
    broken("submit,run_s\n", "there is no column `accelerators`");
    // Without a format it is what the columns say.
    let guessed = ["simulate", "--trace", TRACE, "--cluster", "P100=8", "--price", "P100=1"];
    let table = text(&farthing(&[&guessed[..], &["--limit", "9", "--policy", "fifo"]].concat()));
    assert!(table.starts_with("9 jobs of data/traces/philly-jobs.csv"), "{table}");
}

#[test]
fn the_whole_philly_trace_costs_less_under_ours_and_nobody_is_lost() {
    let trace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/philly");
    if !trace.is_dir() {
        println!("skipped: {} is not there", trace.display());
        return;
    }
    let asked = ["simulate", "--format", "philly", "--trace", trace.to_str().unwrap()];
    let cluster = ["--cluster", "P100=160x8", "--price", "P100=0.43"];
    let policies = ["--policy", "farthing,fifo", "--output", "json"];
    let answer = json(&farthing(&[&asked[..], &cluster, &policies].concat()));
    assert_eq!(answer["jobs"], 82_247);
    let policy = |name: &str| &answer["policies"][name];
    assert_eq!(policy("farthing")["completed"], 82_247);
    assert!(pico(&policy("farthing")["cost"]) * 10 < pico(&policy("fifo")["cost"]) * 6, "{answer}");
}
