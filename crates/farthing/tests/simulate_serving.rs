//! `farthing simulate` on requests to a model, and on a recorded run: what is answered, what is
//! paid, and which decisions come out again.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

const TRACE: &str = "data/traces/azure-llm-conv.csv";
const SERVED: [&str; 8] = [
    "--format",
    "azure-llm",
    "--throughput",
    "examples/serving/throughput.csv",
    "--cluster",
    "A100-80GB=64x2,H100-80GB=64x2",
    "--price",
    "A100-80GB=1.79,H100-80GB=2.49",
];

fn farthing(args: &[&str]) -> Output {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    Command::new(env!("CARGO_BIN_EXE_farthing")).args(args).current_dir(root).output().unwrap()
}

fn served(more: &[&str]) -> Output {
    farthing(&[&["simulate", "--trace", TRACE], &SERVED[..], more].concat())
}

fn told(output: &Output) -> String {
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn json(output: &Output) -> Value {
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn pico(value: &Value) -> i128 {
    let text = value.as_str().unwrap();
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}{part:0<12}").parse().unwrap()
}

#[test]
fn requests_are_answered_under_each_policy_and_the_books_hold() {
    let folder = tempfile::tempdir().unwrap();
    let (books, plot) = (folder.path().join("books"), folder.path().join("r.svg"));
    let (books, plot) = (books.to_str().unwrap(), plot.to_str().unwrap());
    let answer = json(&served(&["--output", "json", "--books", books, "--plot", plot]));
    let policies = answer["policies"].as_object().unwrap();
    assert_eq!(policies.len(), 3);
    for (name, policy) in policies {
        assert_eq!(policy["completed"], answer["jobs"], "{name}");
        let parts = pico(&policy["used"]) + pico(&policy["idle"]);
        assert_eq!(parts, pico(&policy["paid"]), "{name}");
        assert!(pico(&answer["lower_bound"]) <= pico(&policy["paid"]), "{name}");
        assert!(!policy["replicas"].as_array().unwrap().is_empty(), "{name}");
        let cluster = format!("simulated-azure-llm-{name}");
        let cost = ["cost", "--books", books, "--cluster", &cluster, "--window", "90d"];
        let statement = json(&farthing(&[&cost[..], &["--output", "json"]].concat()));
        assert_eq!(pico(&statement["paid"]), pico(&policy["paid"]), "{name}");
        assert_eq!(pico(&statement["difference"]), 0, "{name}");
    }
    let within = policies["farthing"]["within_slo"].as_f64().unwrap();
    assert!(within >= 0.99, "{within}");
    assert!(std::fs::read_to_string(plot).unwrap().contains("static-peak"));
}

#[test]
fn what_is_asked_wrongly_is_told_with_what_would_be_right() {
    let wrong = told(&served(&["--set", "tfft=1s"]));
    assert!(wrong.contains("there is no parameter `tfft`"), "{wrong}");
    assert!(wrong.contains("did you mean `ttft`?"), "{wrong}");
    let wrong = told(&served(&["--policy", "hpaa"]));
    assert!(wrong.contains("did you mean `hpa`?"), "{wrong}");
    let wrong = told(&served(&["--set", "target=1.5"]));
    assert!(wrong.contains("--set target=1.5: it is no part of the whole"), "{wrong}");
    let wrong = told(&served(&["--variant", "code"]));
    assert!(wrong.contains("it has no trace `code`"), "{wrong}");
    let v100 = ["--cluster", "V100-32GB=4", "--price", "V100-32GB=1"];
    let asked = ["simulate", "--trace", TRACE, "--format", "azure-llm"];
    let table = ["--throughput", "examples/serving/throughput.csv"];
    let wrong = told(&farthing(&[&asked[..], &table, &v100].concat()));
    assert!(wrong.contains("`V100-32GB` is in no row of the throughputs"), "{wrong}");
    let wrong = told(&farthing(&[&asked[..], &v100].concat()));
    assert!(wrong.contains("--throughput is missing"), "{wrong}");
}

/// A recorded day: each plan comes out again as it was, and with another reserve some do not.
#[test]
fn recorded_decisions_come_out_again_byte_for_byte() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let up = ["up", "--demo", "--for", "4s", "--speed", "21600", "--no-listen", "--data", data];
    let run = farthing(&up);
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let replay = ["simulate", "--format", "journal", "--trace", data];
    let sets = ["--set", "utilisation.gpu.reserve=0.6", "--set", "idle-release=24h"];
    let answer = json(&farthing(&[&replay[..], &sets, &["--output", "json"]].concat()));
    let ran = &answer["policies"]["recorded"];
    let (plans, made) = (ran["plans"].as_u64().unwrap(), &ran["replay"]);
    assert!(plans > 3, "{plans}");
    assert_eq!(made["made"], plans, "{made}");
    assert_eq!(made["same"], plans, "{made}");
    let changed: Vec<u64> = answer["set"]
        .as_array()
        .unwrap()
        .iter()
        .map(|set| set["decided"]["plans_changed"].as_u64().unwrap())
        .collect();
    assert!(changed.iter().any(|changed| *changed > 0), "{changed:?}");
    // What was not kept is said, and nothing is made up for it.
    let kept = std::fs::read_dir(data).unwrap().map(|entry| entry.unwrap().path());
    let kept: Vec<_> = kept.filter(|path| path.to_string_lossy().ends_with(".inputs")).collect();
    assert_eq!(kept.len(), 1);
    std::fs::remove_dir_all(&kept[0]).unwrap();
    let text = farthing(&replay);
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    let none = format!("{plans} plans were recorded without what they were made from");
    assert!(text.contains(&none), "{text}");
}
