//! `farthing import`: from files of metrics to a statement that adds up, again and again.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

mod program;

use program::{Place, files};
use serde_json::Value;
use std::path::{Path, PathBuf};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures")
}

fn fixture(name: &str) -> String {
    fixtures().join(name).display().to_string()
}

/// Imports the fixtures, with more arguments behind.
fn import(place: &Place, more: &[&str]) -> Value {
    let paths = ["kube.om", "cadvisor.om", "dcgm.om"].map(fixture);
    let prices = fixture("prices.csv");
    let mut arguments = vec!["import", "telemetry"];
    arguments.extend(paths.iter().map(String::as_str));
    arguments.extend(["--prices", &prices, "--output", "json"]);
    arguments.extend(more);
    let run = place.run(&arguments);
    assert_eq!(run.code, 0, "{}", run.said);
    serde_json::from_str(&run.out).unwrap()
}

fn cost(place: &Place, by: &str) -> Value {
    let run = place.run(&["cost", "--by", by, "--output", "json"]);
    assert_eq!(run.code, 0, "{}", run.said);
    serde_json::from_str(&run.out).unwrap()
}

/// Verdicts and ladders come from the records of devices, scrape by scrape.
#[test]
fn what_devices_did_is_judged() {
    let place = Place::new();
    import(&place, &[]);
    let run = place.run(&["idle", "--window", "30m", "--output", "json"]);
    assert_eq!(run.code, 0, "{}", run.said);
    let idle: Value = serde_json::from_str(&run.out).unwrap();
    let said = |verdict: &Value| {
        let text = |key: &str| verdict[key].as_str().unwrap().to_owned();
        let most = |device: &Value| device["active_most"].as_f64().unwrap();
        let devices: Vec<f64> = verdict["devices"].as_array().unwrap().iter().map(most).collect();
        (text("workload"), text("state"), verdict["coverage"].as_f64().unwrap(), devices)
    };
    let verdicts: Vec<_> = idle["verdicts"].as_array().unwrap().iter().map(said).collect();
    let busy = "BUSY".to_owned();
    let expected = [
        ("ml/train".to_owned(), busy.clone(), 1.0, vec![0.93, 0.88]),
        ("ml/notebook".to_owned(), busy, 1.0, vec![0.02]),
    ];
    assert_eq!(verdicts, expected);
    assert_eq!(idle["unallocated"], serde_json::json!([{ "node": "gpu-1", "device": "GPU-3" }]));
    let rungs = &idle["ladders"][0]["rungs"];
    assert_eq!(
        (&rungs["engine"]["value"], &rungs["context"]["value"]),
        (&0.93.into(), &1.0.into())
    );
    let line = rungs["sm"]["export"].as_str().unwrap();
    assert!(line.starts_with("DCGM_FI_PROF_SM_ACTIVE, gauge"), "{line}");
}

fn books(place: &Place) -> Vec<(PathBuf, Vec<u8>)> {
    let all = files(&place.state()).into_iter();
    all.map(|file| (file.clone(), std::fs::read(file).unwrap())).collect()
}

#[test]
fn a_cluster_is_imported_and_its_statement_adds_up() {
    let place = Place::new();
    let imported = import(&place, &[]);
    assert_eq!(imported["paid"], "6.40");
    assert_eq!(imported["notes"], serde_json::json!([]));
    assert_eq!(imported["coverage"], "100.0 %");
    let statement = cost(&place, "namespace,pod");
    assert_eq!(statement["difference"], "0.00");
    assert_eq!(statement["paid"], "6.40");
    let row = |pod: &str| {
        let rows = statement["rows"].as_array().unwrap();
        rows.iter().find(|row| row["pod"] == pod).unwrap_or_else(|| panic!("{pod}")).clone()
    };
    assert_eq!(row("train-0")["gpu_hours"], 2.0);
    assert_eq!(row("notebook-0")["gpu_hours"], 1.0);
    // Resized from one core to two after half an hour; restarted and above its request.
    assert_eq!(row("front-7d9f-a")["core_hours"], 1.5);
    assert_eq!(row("front-7d9f-b")["core_hours"], 1.5);
    assert_eq!(row("front-7d9f-b")["gib_hours"], 3.0);
    // Done after 42 minutes, though its requests are still exported.
    assert_eq!(row("report-x1")["core_hours"], 1.4);
    let by_owner = cost(&place, "team,controller-kind,controller");
    let has = |team: &str, kind: &str, name: &str| {
        let rows = by_owner["rows"].as_array().unwrap();
        rows.iter().any(|row| {
            row["team"] == team && row["controller_kind"] == kind && row["controller"] == name
        })
    };
    assert!(has("shop", "deployment", "front") && has("data", "cronjob", "nightly"));
    assert!(
        has("research", "pytorchjob", "train") && has("ml-platform", "statefulset", "notebook")
    );
    let run = place.run(&["verify"]);
    assert_eq!(run.code, 0, "{}", run.out);
    let id = statement["rows"][0]["id"].as_str().unwrap();
    let run = place.run(&["explain", id]);
    assert_eq!(run.code, 0, "{}", run.said);
    assert!(run.out.contains("made up"), "{}", run.out);
}

#[test]
fn importing_twice_or_in_parts_changes_nothing() {
    let place = Place::new();
    import(&place, &[]);
    let before = books(&place);
    assert!(before.len() >= 3);
    import(&place, &[]);
    assert_eq!(books(&place), before);
    let dry = Place::new();
    let said = import(&dry, &["--dry-run"]);
    assert_eq!((&said["written"], &said["paid"]), (&Value::Bool(false), &Value::from("6.40")));
    assert!(files(&dry.state()).is_empty());
}

/// The same hour at another price: posted again, shown with the reason, and sound.
#[test]
fn a_price_that_was_wrong_is_corrected_and_shown() {
    let place = Place::new();
    import(&place, &[]);
    let prices = std::fs::read_to_string(fixture("prices.csv")).unwrap();
    place.file("right.csv", prices.replace(",6.00,", ",7.00,"));
    let correct = |more: &[&str]| {
        let mut arguments = vec!["correct", "--prices", "right.csv", "--window", "7d"];
        arguments.extend(["--why", "the contract of May", "--output", "json"]);
        arguments.extend(more);
        let run = place.run(&arguments);
        assert_eq!(run.code, 0, "{}", run.said);
        serde_json::from_str::<Value>(&run.out).unwrap()
    };
    let before = books(&place);
    let dry = correct(&["--dry-run"]);
    assert_eq!(books(&place), before, "a dry run writes nothing");
    let done = correct(&[]);
    assert_eq!((&done["written"], &dry["written"]), (&true.into(), &false.into()));
    let correction = &done["corrections"][0];
    assert_eq!(correction["before"], "6.40");
    assert_eq!(correction["after"], dry["corrections"][0]["after"]);
    let statement = cost(&place, "namespace,pod");
    assert_eq!(statement["difference"], "0.00");
    assert_eq!(statement["paid"], correction["after"]);
    assert_ne!(statement["paid"], "6.40");
    assert_eq!(statement["corrections"], done["corrections"]);
    let shown = place.run(&["cost"]).out;
    assert!(shown.contains("corrected: 1 hours, 1 times; +"), "{shown}");
    assert!(shown.contains("the contract of May (6.40 USD before"), "{shown}");
    // Doing it again changes nothing; importing at the old prices corrects it back, and says so.
    assert_eq!(correct(&[])["corrections"], serde_json::json!([]));
    let back = import(&place, &[]);
    assert_eq!(back["corrections"][0]["why"], "imported again: other prices");
    let statement = cost(&place, "namespace,pod");
    assert_eq!(statement["paid"], "6.40");
    assert_eq!(statement["corrections"].as_array().unwrap().len(), 2);
    let run = place.run(&["verify"]);
    assert_eq!(run.code, 0, "{}", run.out);
    assert!(run.out.contains("there is none: these books were imported"), "{}", run.out);
}

/// The fixtures, some days later.
fn later(place: &Place, days: i64) -> Vec<String> {
    let moved = |line: &str| match line.rsplit_once(' ') {
        Some((rest, at)) if !line.starts_with('#') => {
            let (whole, fraction) = at.split_once('.').unwrap_or((at, "0"));
            let whole: i64 = whole.parse().unwrap();
            format!("{rest} {}.{fraction}", whole + 86_400 * days)
        }
        _ => line.to_owned(),
    };
    let file = |name: &str| {
        let text = std::fs::read_to_string(fixture(name)).unwrap();
        let text: Vec<String> = text.lines().map(moved).collect();
        place.file(&format!("{days}-{name}"), text.join("\n") + "\n")
    };
    ["kube.om", "cadvisor.om", "dcgm.om"].map(file).to_vec()
}

#[test]
fn days_are_folded_into_one_file_and_read_the_same() {
    let place = Place::new();
    let prices = fixture("prices.csv");
    for days in 0..3 {
        let paths = later(&place, days);
        let mut arguments = vec!["import", "telemetry", "--prices", &prices];
        arguments.extend(paths.iter().map(String::as_str));
        let run = place.run(&arguments);
        assert_eq!(run.code, 0, "{}", run.said);
    }
    let all = || {
        let run = place.run(&["cost", "--by", "day,namespace,pod", "--output", "json"]);
        assert_eq!((run.code, place.run(&["verify"]).code), (0, 0), "{}", run.said);
        run.out
    };
    let before = all();
    let compact = |more: &[&str]| {
        let arguments = [&["books", "compact", "--output", "json"], more].concat();
        let run = place.run(&arguments);
        assert_eq!(run.code, 0, "{}", run.said);
        serde_json::from_str::<Value>(&run.out).unwrap()["result"].clone()
    };
    let files_before = books(&place);
    assert_eq!(compact(&["--dry-run"])["days_to_fold"], 1, "the day before the newest is young");
    assert_eq!(compact(&["--older-than", "0d", "--dry-run"])["days_to_fold"], 2);
    assert_eq!(books(&place), files_before);
    let folded = compact(&["--older-than", "0d"]);
    assert_eq!((&folded["days_folded"], &folded["hours_folded"]), (&2.into(), &2.into()));
    assert_eq!(all(), before);
    let charges = |name: &str| {
        let names = files(&place.state());
        names.iter().filter(|path| path.display().to_string().contains(name)).count()
    };
    assert_eq!((charges("/charges/month=2026-11/day="), charges("/charges/date=")), (2, 1));
    let keep = place.run(&["books", "retain", "--telemetry", "1d", "--output", "json"]);
    assert_eq!(keep.code, 0, "{}", keep.said);
    assert_eq!(all(), before, "charges stay");
    let run = place.run(&["verify"]);
    assert!(run.out.contains("was let go of, as `farthing books retain` asked"), "{}", run.out);
    let short = place.run(&["books", "retain", "--charges", "1d"]);
    assert_eq!(short.code, 2, "{}", short.said);
}

#[test]
fn of_a_longer_window_only_known_time_is_paid_and_the_rest_is_said() {
    let place = Place::new();
    let window = "2026-11-02T09:00:00Z/2026-11-02T12:00:00Z";
    let imported = import(&place, &["--window", window]);
    assert_eq!(imported["paid"], "6.40");
    let note = imported["notes"][0].as_str().unwrap();
    assert!(note.contains("were read for 60 of 180 minutes"), "{note}");
    let statement = cost(&place, "namespace,pod");
    assert_eq!(statement["difference"], "0.00");
}

#[test]
fn compressed_files_are_read_and_bad_ones_are_one_line() {
    let place = Place::new();
    let gz = place.shell(&format!("gzip -c {} > kube.om.gz", fixture("kube.om")));
    assert_eq!(gz.code, 0, "{}", gz.said);
    let run = place.run(&["import", "telemetry", "kube.om.gz", "--dry-run"]);
    assert_eq!(run.code, 0, "{}", run.said);
    assert!(run.said.contains("use of containers is not measured"), "{}", run.said);
    let check = |name: &str, content: &[u8], expected: &str| {
        place.file(name, content);
        let run = place.run(&["import", "telemetry", name]);
        assert_eq!(run.code, 2, "{name}: {}", run.said);
        assert!(run.said.contains(expected), "{name}: {}", run.said);
    };
    check("page.prom", b"<html>\n", "left out: page.prom:1: `<html>` has no value");
    check("empty.prom", b"", "there is no sample of a metric that is read in it");
    check("bytes.prom", b"kube_node_info{node=\"\xff\xfe\"} 1 1793613600\n", "not a text in UTF-8");
    let one = b"kube_node_info{node=\"n\"} 1 1793613600\n";
    check("one.prom", one, "all samples are of one moment, 2026-11-02T10:00:00Z");
    let missing = place.run(&["import", "telemetry", "none.prom"]);
    assert_eq!(missing.code, 2);
    assert!(missing.said.contains("none.prom: cannot be read"), "{}", missing.said);
    place.file("map.yaml", "sources:\n  - name: x\n    metrics: [{metric: a, field: b}]\n");
    let run = place.run(&["import", "telemetry", "one.prom", "--source-map", "map.yaml"]);
    assert!(run.said.contains("map.yaml:3: `b` is not a field"), "{}", run.said);
    assert!(files(&place.state()).is_empty(), "nothing is written");
}

#[test]
fn a_server_that_cannot_be_reached_is_one_line_and_nothing_is_written() {
    let place = Place::new();
    let run = place.run(&["import", "prometheus", "--url", "prometheus:9090", "--window", "1h"]);
    assert_eq!(run.code, 2, "{}", run.said);
    assert!(run.said.contains("is not the address of a server"), "{}", run.said);
    let arguments = ["import", "prometheus", "--url", "http://127.0.0.1:9", "--window", "1h"];
    let run = place.run(&arguments);
    assert_eq!(run.code, 1, "{}", run.said);
    assert!(run.said.contains("http://127.0.0.1:9: refuses the connection"), "{}", run.said);
    assert!(files(&place.state()).is_empty());
}
