//! Plans of services as people and scripts meet them: what they cost, and what bad input says.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, missing_docs, reason = "tests")]

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Two accelerators by the hour, one of which is fast.
const BOOK: &str = "apiVersion: farthing.dev/v1alpha1
kind: PriceBook
metadata: {name: two}
spec:
  offers:
    - {provider: a, region: r, instance_type: small, accelerator: A10G-24GB, accelerator_count: 1, purchase: on-demand, price: 1.01, currency: USD, unit: hour, source: made up, as_of: 2026-11-01}
    - {provider: a, region: r, instance_type: large, accelerator: A100-80GB, accelerator_count: 1, purchase: on-demand, price: 3.67, currency: USD, unit: hour, source: made up, as_of: 2026-11-01}
---
";

const BUCKETS: &str = "input_tokens,output_tokens,share
100,100,0.2
100,500,0.1
1000,100,0.5
1000,500,0.2
";

const THROUGHPUT: &str = "accelerator,input_tokens,output_tokens,requests_per_s
A10G-24GB,100,100,2
A10G-24GB,100,500,1
A10G-24GB,1000,100,5
A10G-24GB,1000,500,2
A100-80GB,100,100,20
A100-80GB,100,500,20
A100-80GB,1000,100,40
A100-80GB,1000,500,20
";

/// A folder with the tables above and a service over them.
struct Case(tempfile::TempDir);

impl Case {
    fn new(requests: &str, more: &str) -> Self {
        let case = Self(tempfile::tempdir().unwrap());
        case.write("buckets.csv", BUCKETS);
        case.write("throughput.csv", THROUGHPUT);
        let service = format!(
            "apiVersion: farthing.dev/v1alpha1\nkind: Workload\nmetadata: {{name: chat}}\nspec:\n  \
             type: service\n  requests: {{{requests}, buckets: buckets.csv}}\n  \
             throughput: throughput.csv\n{more}"
        );
        case.write("m.yaml", &format!("{BOOK}{service}"));
        case
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.path().join(name), text).unwrap();
    }

    fn run(&self) -> Output {
        let file: PathBuf = self.0.path().join("m.yaml");
        plan(&file, self.0.path())
    }

    fn json(&self) -> Value {
        let output = self.run();
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
    }

    /// What is said where it fails for wrong use.
    fn refused(&self) -> String {
        let output = self.run();
        assert_eq!(output.status.code(), Some(2));
        let said = String::from_utf8(output.stderr).unwrap();
        said.replace(&format!("{}/", self.0.path().display()), "")
    }
}

fn plan(file: &Path, state: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_farthing"))
        .args(["plan", "--output", "json", "--now", "2026-11-24T00:00:00Z", "-f"])
        .arg(file)
        .env("FARTHING_DATA", state)
        .output()
        .unwrap()
}

#[test]
fn the_example_is_planned_with_its_day_and_the_cost_of_tokens() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/serving.yaml");
    let state = tempfile::tempdir().unwrap();
    let output = plan(&file, state.path());
    let plan: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(plan["status"], "optimal");
    assert_eq!(plan["cost"], plan["lower_bound"]);
    let service = &plan["services"][0];
    assert_eq!(service["requests_per_s"], 32.0, "sized for the highest of the curve");
    let tokens: f64 = service["cost_per_million_tokens"].as_str().unwrap().parse().unwrap();
    assert!(tokens > 0.05 && tokens < 5.0, "{tokens}");
    let day = &service["day"];
    let money = |key: &str| day[key].as_str().unwrap().parse::<f64>().unwrap();
    assert!(money("lower_bound") <= money("cost") && money("cost") < money("flat_cost"));
    assert_eq!(day["spans"].as_array().unwrap().len(), 10);
    let spans = day["spans"].as_array().unwrap().iter();
    let sum: f64 = spans.map(|it| it["cost"].as_str().unwrap().parse::<f64>().unwrap()).sum();
    assert!((sum - money("cost")).abs() < 1e-9);
}

/// Published as an example of the slice model, whose own solver pays 6.70 for it.
#[test]
fn any_division_is_cheaper_than_slices() {
    let mixed = Case::new("rate: 30/s", "").json();
    assert_eq!((&mixed["cost"], &mixed["status"]), (&"4.68".into(), &"optimal".into()));
    let sliced = Case::new("rate: 30/s", "  split: {slices: 1}\n").json();
    assert_eq!((&sliced["cost"], &sliced["status"]), (&"6.70".into(), &"optimal".into()));
    let taken = mixed["services"][0]["buckets"].as_array().unwrap().iter();
    for bucket in taken {
        let shares = bucket["taken"].as_array().unwrap().iter();
        let whole: f64 = shares.map(|it| it["share"].as_f64().unwrap()).sum();
        assert!((whole - 1.0).abs() < 1e-5, "{bucket}");
    }
}

/// Seeds' vector: 3,000 tokens a second in and 300 out on hardware for 670.08 a day.
#[test]
fn a_million_tokens_cost_what_they_should_together_and_apart() {
    let offer = "{provider: a, region: r, instance_type: node, accelerator: H100-80GB, \
                 accelerator_count: 8, purchase: on-demand, price: 27.92, currency: USD, \
                 unit: hour, source: made up, as_of: 2026-11-01}";
    let head = "apiVersion: farthing.dev/v1alpha1\nkind: PriceBook\nmetadata: {name: one}\n";
    let book = &format!("{head}spec:\n  offers:\n    - {offer}\n---\n");
    let tokens = |buckets: &str, times: &str, more: &str| {
        let case = Case::new("rate: 1/s", more);
        let manifest = std::fs::read_to_string(case.0.path().join("m.yaml")).unwrap();
        case.write("m.yaml", &manifest.replace(BOOK, book));
        case.write("buckets.csv", &format!("input_tokens,output_tokens,share\n{buckets}"));
        let header =
            "accelerator,count,input_tokens,output_tokens,requests_per_s,prefill_s,decode_s";
        case.write("throughput.csv", &format!("{header}\n{times}"));
        let service = case.json()["services"][0].clone();
        let of = |key: &str| service[key].as_str().map(|it| it[..5].to_owned());
        let keys = ["", "input_", "output_"].map(|part| format!("cost_per_million_{part}tokens"));
        (keys.map(|key| of(&key)), service["token_split"].clone())
    };
    let one = |times: &str, more: &str| tokens("3000,300,1\n", times, more);
    let some = |all: [&str; 3]| all.map(|it| Some(it.to_owned()));
    // A quarter of the time is for 10.8 million tokens an hour, the rest for 1.08 million.
    let measured = one("H100-80GB,8,3000,300,1,0.5,1.5\n", "");
    assert_eq!(measured, (some(["2.350", "0.646", "19.38"]), "measured".into()));
    let declared = one("H100-80GB,8,3000,300,1,,\n", "  outputWeight: 10\n");
    assert_eq!(declared, (some(["2.350", "1.292", "12.92"]), "declared".into()));
    let unknown = one("H100-80GB,8,3000,300,1,,\n", "");
    assert_eq!(unknown, ([Some("2.350".to_owned()), None, None], Value::Null));
    // Requests as slow as 1 part for each token in and 10 for each out: fitted without a word.
    let rows = "H100-80GB,8,6000,100,1,,\nH100-80GB,8,500,650,1,,\n";
    let fitted = tokens("6000,100,0.5\n500,650,0.5\n", rows, "");
    assert_eq!(fitted.1, "fitted");
    let price = |at: usize| fitted.0[at].as_ref().unwrap().parse::<f64>().unwrap();
    assert!((price(2) / price(1) - 10.0).abs() < 0.1, "{:?}", fitted.0);
}

#[test]
fn a_target_leaves_room_and_a_policy_gives_one() {
    let half = Case::new("rate: 30/s", "  utilisation: 0.5\n").json();
    let full = Case::new("rate: 30/s", "").json();
    let cost = |plan: &Value| plan["cost"].as_str().unwrap().parse::<f64>().unwrap();
    assert!(cost(&half) > 1.5 * cost(&full));
    let policy = "---\napiVersion: farthing.dev/v1alpha1\nkind: Policy\nspec: {mode: recommend}\n";
    let reserved = Case::new("rate: 30/s", policy).json();
    assert_eq!(reserved["services"][0]["target"], 0.8, "the lower edge of the usual band");
    assert!(cost(&reserved) > cost(&full));
}

#[test]
fn a_queue_needs_more_and_says_how_many_are_late() {
    let slo = "  slo: {ttft: 1s, tpot: 100ms, percentile: 99%}\n";
    let queued = Case::new("rate: 30/s", slo).json();
    let cost: f64 = queued["cost"].as_str().unwrap().parse().unwrap();
    let bound: f64 = queued["lower_bound"].as_str().unwrap().parse().unwrap();
    assert!(cost > 4.68 && bound <= cost, "{cost}");
    for row in queued["services"][0]["mix"].as_array().unwrap() {
        assert!(row["late"].as_f64().unwrap() <= 0.01, "{row}");
    }
}

/// Two services that both want the fast accelerator, of which there are too few.
#[test]
fn queues_are_kept_where_services_compete() {
    let slo = "  slo: {ttft: 100ms, tpot: 100ms, percentile: 99%}\n";
    let case = Case::new("rate: 38/s", slo);
    let one = std::fs::read_to_string(case.0.path().join("m.yaml")).unwrap();
    let other = one.split_once("---\n").unwrap().1.replace("name: chat", "name: other");
    let few = "as_of: 2026-11-01, available: 6}\n---";
    let both = format!("{}---\n{other}", one.replace("as_of: 2026-11-01}\n---", few));
    case.write("m.yaml", &both);
    let plan = case.json();
    let services = plan["services"].as_array().unwrap();
    assert_eq!(services.len(), 2, "{plan}");
    for service in services {
        for row in service["mix"].as_array().unwrap() {
            assert!(row["late"].as_f64().is_none_or(|late| late <= 0.01), "{row}");
        }
    }
    assert_eq!(plan["waiting"].as_array().unwrap().len(), 0, "{plan}");
}

#[test]
fn a_service_scales_to_none_only_where_it_pays() {
    let curve = |gap: u32| format!("curve: [{{hour: 0, rate: 30}}, {{hour: {gap}, rate: 0}}]");
    let spans = |requests: &str, more: &str| {
        let plan = Case::new(requests, &format!("  start: {{cold: 6m{more}}}\n  replicas: 0\n"));
        let plan = plan.json();
        let spans = plan["services"][0]["day"]["spans"].as_array().unwrap().clone();
        spans[1]["replicas"].as_array().unwrap().len()
    };
    assert_eq!(spans(&curve(20), ""), 0, "four hours without requests");
    // An hour of the cheapest replica costs 1.01: four hours are worth less than 5.
    assert_eq!(spans(&curve(20), ", penalty: 5 USD"), 1);
    assert_eq!(spans(&curve(20), ", penalty: 3 USD"), 0);
    // One replica at least is never given back.
    let kept = Case::new(&curve(20), "  start: {cold: 6m}\n").json();
    let spans = kept["services"][0]["day"]["spans"].as_array().unwrap().clone();
    assert_eq!(spans[1]["replicas"].as_array().unwrap().len(), 1);
}

#[test]
fn no_requests_need_what_is_asked_for_and_no_more() {
    let idle = Case::new("rate: 0/s", "").json();
    assert_eq!(idle["cost"], "1.01");
    assert_eq!(idle["services"][0]["cost_per_million_tokens"], Value::Null);
    let none = Case::new("rate: 0/s", "  replicas: 0\n").json();
    assert_eq!((&none["cost"], none["steps"].as_array().unwrap().len()), (&"0.00".into(), 0));
}

#[test]
fn a_bucket_that_nothing_serves_is_named() {
    let case = Case::new("rate: 30/s", "");
    case.write(
        "throughput.csv",
        &THROUGHPUT.replace("1000,500,2\n", "1000,500,0\n").replace("1000,500,20\n", "1000,500,\n"),
    );
    let output = case.run();
    assert_eq!(output.status.code(), Some(3));
    let plan: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(plan["status"], "infeasible");
    let reason = plan["waiting"][0]["reason"].as_str().unwrap();
    let expect = "requests of 1000 tokens in and 500 out cannot be served: no accelerator of its \
                  throughput table serves it";
    assert!(reason.contains(expect), "{reason}");
}

#[test]
fn bad_tables_are_refused_with_file_and_line() {
    let with = |name: &str, text: &str| {
        let case = Case::new("rate: 30/s", "");
        case.write(name, text);
        case.refused()
    };
    let says = |said: &str, expect: &str| assert!(said.contains(expect), "{said}\nnot: {expect}");
    let negative = THROUGHPUT.replace("100,500,1\n", "100,500,-1\n");
    says(&with("throughput.csv", &negative), "throughput.csv:3:1");
    says(&with("throughput.csv", &negative), "`-1` is below zero");
    let nan = THROUGHPUT.replace("1000,100,5\n", "1000,100,NaN\n");
    says(&with("throughput.csv", &nan), "throughput.csv:4:1");
    let twice = format!("{THROUGHPUT}A10G-24GB,100,100,3\n");
    says(&with("throughput.csv", &twice), "throughput.csv:10:1");
    says(&with("throughput.csv", &twice), "at 2 and at 3 per second: keep one row");
    let shares = BUCKETS.replace("0.5", "0.6");
    says(&with("buckets.csv", &shares), "the shares of `buckets` sum to 1.1, not to 1");
    let case = Case::new("rate: 30/s", "");
    std::fs::remove_file(case.0.path().join("buckets.csv")).unwrap();
    says(&case.refused(), "buckets.csv");
    let twice = format!("{BUCKETS}100,500,0\n");
    says(&with("buckets.csv", &twice), "buckets.csv:6:1");
    says(&with("buckets.csv", &twice), "the bucket 100 in, 500 out is given twice");
    let without: Vec<&str> =
        THROUGHPUT.lines().map(|line| line.rsplit_once(',').unwrap().0).collect();
    let said = with("throughput.csv", &without.join("\n"));
    says(&said, "no row of `throughput` has `requests_per_s`");
    let said = Case::new("rate: 999999999999999999/s", "").refused();
    says(&said, "is more than 1000000000 requests per second");
    for rate in ["NaN/s", "-3/s", "inf/s", "16"] {
        says(&Case::new(&format!("rate: {rate}"), "").refused(), "`rate`");
    }
    let half = THROUGHPUT.replace("per_s\n", "per_s,prefill_s,decode_s\n").replace("\nA", ",,\nA");
    let half = half.replace("100,500,1,,\n", "100,500,1,0.2,\n");
    let half = half.replace("s,,\nA", "s\nA").trim_end().to_owned() + ",,\n";
    says(&with("throughput.csv", &half), "throughput.csv:3:1");
    says(&with("throughput.csv", &half), "give both or neither");
    let back = Case::new("curve: [{hour: 3, rate: 1}, {hour: 2, rate: 1}]", "").refused();
    says(&back, "is not after the point before it");
    let never = "  slo: {ttft: 1s, tpot: 1ms, percentile: 100%}\n";
    says(&Case::new("rate: 1/s", never).refused(), "no number of replicas serves all requests");
}

/// The script that makes tables out of public measurements; `None` without a Python to run it.
fn script(arguments: &[&str], out: &Path) -> Option<Output> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut command = Command::new("python3");
    command.arg("tools/serving_tables.py").args(arguments).arg("--out").arg(out);
    command.current_dir(root).output().ok()
}

fn skip(what: &str, absent: &str) {
    assert!(std::env::var_os("CI").is_none(), "{absent} is not here");
    println!("skipped: {what} needs {absent}");
}

/// What the script made is planned: everything is served, and proven.
fn planned_from(folder: &Path, rate: &str) -> Value {
    let manifest = format!(
        "apiVersion: farthing.dev/v1alpha1\nkind: Workload\nmetadata: {{name: chat}}\nspec:\n  \
         type: service\n  requests: {{rate: {rate}, buckets: buckets.csv}}\n  \
         throughput: throughput.csv\n"
    );
    let file = folder.join("m.yaml");
    std::fs::write(&file, manifest).unwrap();
    let output = plan(&file, folder);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let plan: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{said}"));
    assert_eq!(plan["status"], "optimal", "{plan}");
    plan
}

#[test]
fn tables_are_made_from_requests_and_measurements() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).unwrap();
        folder.path().join(name).display().to_string()
    };
    let trace = write("t.csv", "context_tokens,generated_tokens\n100,10\n300,30\n2000,200\n");
    let Some(output) = script(&["sizes", "azure", &trace], folder.path()) else {
        return skip("making tables", "python3");
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let made = std::fs::read_to_string(folder.path().join("buckets.csv")).unwrap();
    assert_eq!(
        made,
        "input_tokens,output_tokens,share\n100,10,0.333333333\n300,30,0.333333333\n\
         2000,200,0.333333333\n"
    );
    // One size was measured: 100 tokens in and 50 out, at 500 tokens of answers a second.
    let header = "task,model_id,gpu_model,num_gpus,tensor_parallel,expert_parallel,data_parallel,\
                  max_num_seqs,avg_output_len,output_throughput_tokens_per_sec,p95_itl_ms";
    let rows = "chat,m,H100,2,2,1,1,8,50,200,20\nchat,m,H100,2,2,1,1,64,50,500,90\n\
                chat,m,H100,2,2,1,1,256,50,900,150\n";
    let runs = write("runs.csv", &format!("{header}\n{rows}"));
    let asked = ["speeds", "mlenergy", &runs, "--model", "m", "--task", "chat"];
    let said = |more: &[&str]| {
        let output = script(&[&asked, more].concat(), folder.path()).unwrap();
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    };
    assert!(said(&["--input-tokens", "100"]).1.contains("--input-weight"));
    let (made, why) = said(&["--input-tokens", "100", "--input-weight", "0.1"]);
    assert!(made && why.contains("left out: 1 rows with more than 120 ms between tokens"), "{why}");
    let made = std::fs::read_to_string(folder.path().join("throughput.csv")).unwrap();
    // 10 requests of 50 + 10 a second are 600 of work; 10 + 10, 30 + 30 and 200 + 200 are asked.
    let expect = "H100-80GB,2,100,10,30.000000\nH100-80GB,2,300,30,10.000000\n\
                  H100-80GB,2,2000,200,1.500000\n";
    assert_eq!(made.split_once('\n').unwrap().1, expect);
    planned_from(folder.path(), "12/s");
    let broken = write("t.csv", "context_tokens,generated_tokens\n100,10\n300,NaN\n");
    let output = script(&["sizes", "azure", &broken], folder.path()).unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("t.csv:3: generated_tokens is 'NaN'"), "{said}");
}

#[test]
fn tables_are_made_from_published_measurements() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    if !shared.is_dir() {
        println!("skipped: published measurements are not in {}", shared.display());
        return;
    }
    let at = |name: &str| shared.join(name).display().to_string();
    let speeds = [
        ("splitwise", at("splitwise-perf/perf_model.csv.gz"), vec![]),
        (
            "mlenergy",
            at("mlenergy/configurations.csv.gz"),
            vec!["--model", "meta-llama/Llama-3.1-70B-Instruct", "--input-tokens", "100"],
        ),
        (
            "mlperf",
            at("mlperf-inference-older/v4.1_v2.1_results.csv.gz"),
            vec!["--model", "llama2-70b-99", "--input-tokens", "300"],
        ),
    ];
    for (source, path, more) in speeds {
        let folder = tempfile::tempdir().unwrap();
        if source == "splitwise" {
            let sizes = ["sizes", "azure", "data/traces/azure-llm-conv.csv"];
            if script(&sizes, folder.path()).is_none() {
                return skip("making tables", "python3");
            }
        }
        let output = script(&[&["speeds", source, &path], &more[..]].concat(), folder.path());
        let output = output.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let plan = planned_from(folder.path(), "20/s");
        let split = &plan["services"][0]["token_split"];
        assert_eq!(split == "measured", source == "splitwise", "{split}");
    }
}
