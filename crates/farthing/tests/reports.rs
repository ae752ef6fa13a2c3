//! `farthing cost`, `export focus` and `import focus` on the books of a simulated cluster.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

mod program;

use program::{Place, files};
use serde_json::Value;
use std::fmt::Write as _;

/// A few hours of a simulated cluster.
fn books() -> Place {
    let place = Place::new();
    let run = place.run(&[
        "up",
        "--demo",
        "--history",
        "0s",
        "--no-listen",
        "--for",
        "2s",
        "--speed",
        "3600",
    ]);
    assert_eq!(run.code, 0, "{}", run.said);
    place
}

fn json(place: &Place, arguments: &[&str]) -> Value {
    let run = place.run(&[arguments, &["--output", "json"]].concat());
    assert_eq!(run.code, 0, "{arguments:?}: {}", run.said);
    serde_json::from_str(&run.out).unwrap()
}

fn pico(value: &Value) -> i128 {
    let text = value.as_str().unwrap();
    let (whole, fraction) = text.split_once('.').unwrap();
    let sign = if whole.starts_with('-') { -1 } else { 1 };
    sign * format!("{}{fraction:0<12}", whole.trim_start_matches('-')).parse::<i128>().unwrap()
}

#[test]
fn statements_of_all_kinds_conserve() {
    let place = books();
    let whole = json(&place, &["cost", "--by", "team"]);
    let teams: Vec<&str> = whole["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["team"].as_str().unwrap())
        .filter(|team| !team.starts_with('('))
        .collect();
    let (is, not) = (format!("team:\"{}\"", teams[0]), format!("team!:\"{}\"", teams[0]));
    let kinds: [&[&str]; 10] = [
        &["--basis", "occupied"],
        &["--by", "label:team,service,cluster"],
        &["--step", "1h", "--by", "team"],
        &["--step", "1d", "--share-idle", "proportional", "--by-resource", "--idle-by", "node"],
        &["--basis", "used", "--by", "team"],
        &["--filter", &not, "--share-idle", "even"],
        &["--filter", &is, "--share-idle", "proportional", "--after-filter"],
        &["--share", &is, "--overhead", "2.50 USD/h"],
        &["--share", &is, "--share-evenly", "--filter", "node!:x"],
        &["--window", "today", "--by", "namespace,pod,controller_kind,controller"],
    ];
    for kind in kinds {
        let statement = json(&place, &[&["cost"], kind].concat());
        assert_eq!(statement["difference"], "0.00", "{kind:?}");
        let rows = statement["rows"].as_array().unwrap();
        assert!(!rows.is_empty(), "{kind:?}");
        let total: i128 = rows.iter().map(|row| pico(&row["total"])).sum();
        assert_eq!(total, pico(&statement["paid"]), "{kind:?}");
        if kind.contains(&"--filter") {
            let both = pico(&statement["paid"]) + pico(&statement["filtered"]);
            assert_eq!(both, pico(&whole["paid"]), "{kind:?}");
        }
    }
    let steps = json(&place, &["cost", "--step", "1h", "--by", "team"]);
    let hours: Vec<&str> =
        steps["rows"].as_array().unwrap().iter().map(|row| row["hour"].as_str().unwrap()).collect();
    assert!(hours.is_sorted(), "steps are in the order of time: {hours:?}");
}

#[test]
fn the_window_is_said_exactly() {
    let place = books();
    let text = place.run(&["cost", "--window", "1h"]).out;
    assert!(text.lines().next().unwrap().ends_with("; UTC, without its end"), "{text}");
    let day = place.run(&["cost", "--window", "yesterday", "--now", "2026-11-03T12:00:00Z"]);
    assert!(day.out.starts_with("2026-11-02T00:00:00Z to "), "{}", day.out);
    let wrong = |arguments: &[&str], part: &str| {
        let run = place.run(arguments);
        assert_eq!(run.code, 2, "{arguments:?}: {}", run.said);
        assert!(run.said.contains(part), "{arguments:?}: {}", run.said);
    };
    wrong(&["cost", "--window", "tomorow"], "is not a span of time: write it like 90m");
    wrong(&["cost", "--filter", "team:a+nod:b"], "team:a+nod:b\n           ^\n  hint: `nod` is");
    wrong(&["cost", "--by", "teem"], "hint: did you mean team?");
    wrong(&["cost", "--step", "5m"], "hint: charges are kept by the UTC hour: 1h or 1d");
    wrong(&["cost", "--basis", "ocupied"], "invalid value");
    wrong(&["cost", "--overhead", "3"], "--overhead: `3` has no unit");
}

#[test]
fn focus_goes_out_whole_and_comes_back() {
    let place = books();
    let whole = json(&place, &["cost", "--window", "7d"]);
    let rows = |version: &str, name: &str| {
        let run = place.run(&["export", "focus", "--focus-version", version, "--out", name]);
        assert_eq!(run.code, 0, "{}", run.said);
        assert!(run.said.contains("(difference 0.00)"), "{}", run.said);
        let bill = &json(&place, &["import", "focus", name])["bills"][0];
        assert_eq!(
            (bill["version"].as_str(), bill["faults"].as_array().unwrap().len()),
            (Some(version), 0),
            "{bill}"
        );
        assert_eq!(bill["billed"], whole["paid"]);
        assert_eq!(bill["effective"], whole["paid"]);
        assert_eq!(bill["new"], true);
        bill["rows"].as_u64().unwrap()
    };
    let csv = rows("1.2", "f.csv");
    assert_eq!(rows("1.3", "f.parquet"), csv);
    // The same file twice changes nothing.
    let state = || files(&place.state().join("books"));
    let before = state();
    assert_eq!(json(&place, &["import", "focus", "f.csv"])["bills"][0]["new"], false);
    assert_eq!(state(), before);
    // Beside the books both say what the meter says, and that once.
    let beside = json(&place, &["cost", "--bills", "--by", "provider,region"]);
    assert_eq!((&beside["billed"], &beside["metered"]), (&whole["paid"], &whole["paid"]));
    assert_eq!(beside["difference"], "0.00", "{beside}");
    assert_eq!((beside["bills"].as_u64(), beside["repeated_rows"].as_u64()), (Some(2), Some(csv)));
    let rows = beside["rows"].as_array().unwrap();
    assert!(!rows.is_empty() && rows.iter().all(|row| row["difference"] == "0.00"), "{beside}");
    let by_team = place.run(&["cost", "--bills", "--by", "team"]);
    assert_eq!(by_team.code, 2, "{}", by_team.said);
    assert!(by_team.said.contains("a bill does not say its team"), "{}", by_team.said);
    let out = place.run(&["export", "focus", "--out", "-"]);
    let lines: Vec<&str> = out.out.lines().collect();
    assert_eq!(lines.len() as u64, csv + 1);
    assert_eq!(lines[0].split(',').filter(|name| !name.starts_with("x_")).count(), 57);
    let bad = place.run(&["export", "focus", "--out", "f.xlsx"]);
    assert_eq!(
        (bad.code, bad.said.contains("name it .csv or .parquet")),
        (2, true),
        "{}",
        bad.said
    );
}

#[test]
fn a_bill_that_is_wrong_leaves_nothing() {
    let place = Place::new();
    let wrong = |name: &str, text: &[u8], part: &str| {
        let name = place.file(name, text);
        let run = place.run(&["import", "focus", &name, "--currency", "EUR"]);
        assert_eq!(run.code, 2, "{}", run.said);
        assert!(run.said.contains(part), "{}", run.said);
        assert!(files(&place.state()).is_empty());
    };
    wrong(
        "a.csv",
        b"BilledCost,Tags\n1,x\n",
        "a.csv: it is not a FOCUS file: it has no column Bill",
    );
    wrong("b.csv", b"", "it has no column BilledCost");
    wrong("c.parquet", b"PAR1", "c.parquet: it is not readable as Parquet");
    wrong("d.csv.gz", &[0x1f, 0x8b, 8, 0], "d.csv.gz cannot be read");
    let header = "BilledCost,BillingAccountId,BillingCurrency,BillingPeriodEnd,BillingPeriodStart,\
                  ChargeCategory,ChargePeriodEnd,ChargePeriodStart,EffectiveCost,ListCost,\
                  ServiceCategory,ServiceName\n1,a,USD,2026-04-01T00:00:00Z,\
                  2026-03-01T00:00:00Z,Usage,2026-03-02T01:00:00Z,2026-03-02T00:00:00Z,1,1,\
                  Compute,VM\n";
    wrong("e.csv", header.as_bytes(), "row 1 is in USD, and EUR is asked for");
    let none = place.run(&["import", "focus", "nothing.csv"]);
    assert_eq!((none.code, none.said.contains("nothing.csv cannot be read")), (2, true));
}

/// Bills from elsewhere, where they are beside the repository.
#[test]
fn bills_of_others_are_read() {
    let shared = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared");
    let bills = ["fixtures/focus12_minimal.csv", "data/focus-sample/focus_1.0_sample_1000.csv.gz"];
    let there: Vec<String> = bills.map(|bill| format!("{shared}/{bill}")).into();
    if !std::path::Path::new(&there[0]).exists() {
        println!("left out: {shared} has no bills");
        return;
    }
    let place = Place::new();
    let read = json(&place, &["import", "focus", &there[0], &there[1]]);
    let sum = |bill: usize| {
        let bill = &read["bills"][bill];
        (bill["rows"].as_u64(), bill["billed"].as_str().unwrap().to_owned())
    };
    assert_eq!(sum(0), (Some(3), "6.0072".to_owned()));
    // The sum of the column to twelve decimals; its floats have more.
    assert_eq!((sum(1).0, &sum(1).1[..8]), (Some(1_000), "20.52022"));
    assert_eq!(read["bills"][0]["faults"].as_array().unwrap().len(), 0);
}

/// A contract that begins while the time that is imported goes on: hours before it cost what the
/// list says, hours after it what the contract leaves, and the list stays beside both.
#[test]
fn a_contract_holds_from_its_day_on() {
    let place = Place::new();
    let mut text = String::new();
    // 22:00 to 02:00, each minute: two hours before the contract, two after its first midnight.
    for minute in 0..=240 {
        let at = 1_793_656_800_i64 + minute * 60;
        let labels = "label_node_kubernetes_io_instance_type=\"m5.2xlarge\",\
            label_topology_kubernetes_io_region=\"us-east-1\",label_farthing_dev_provider=\"aws\"";
        let _ = write!(
            text,
            "kube_node_info{{node=\"n\"}} 1 {at}000\n\
             kube_node_labels{{node=\"n\",{labels}}} 1 {at}000\n\
             kube_node_status_capacity{{node=\"n\",resource=\"cpu\"}} 8 {at}000\n\
             kube_node_status_capacity{{node=\"n\",resource=\"memory\"}} 34359738368 {at}000\n"
        );
    }
    let telemetry = place.file("nodes.prom", text.as_bytes());
    let fixtures = format!("{}/../../tests/fixtures", env!("CARGO_MANIFEST_DIR"));
    let contract = place.file(
        "contract.yaml",
        b"kind: PriceBook\nspec:\n  adjust:\n  - {name: half, provider: aws, discount: 50%, \
          from: 2026-11-03, source: made up}\n  - {name: cores, discounts: {cpu: 100%}, \
          from: 2026-11-03, to: 2026-11-04, source: made up}\n",
    );
    let prices = format!("{fixtures}/prices.csv");
    let run = place.run(&[
        "import",
        "telemetry",
        &telemetry,
        "--prices",
        &prices,
        "--prices",
        &contract,
        "--window",
        "2026-11-02T22:00:00Z/2026-11-03T02:00:00Z",
    ]);
    assert_eq!(run.code, 0, "{}", run.said);
    let window = ["--window", "2026-11-02T22:00:00Z,2026-11-03T02:00:00Z"];
    let cost = json(&place, &[&["cost", "--by", "day,resource"], &window[..]].concat());
    let row = |day: &str, resource: &str| {
        let rows = cost["rows"].as_array().unwrap();
        let found = rows.iter().find(|row| row["day"] == day && row["resource"] == resource);
        let found = found.unwrap_or_else(|| panic!("{day} {resource} in {cost}"));
        (pico(&found["total"]), pico(&found["list"]))
    };
    assert_eq!(
        (pico(&cost["list"]), cost["difference"].as_str()),
        (1_600_000_000_000, Some("0.00"))
    );
    let (cores, memory) = (row("2026-11-02", "cpu"), row("2026-11-02", "memory"));
    assert_eq!((cores.0, memory.0), (cores.1, memory.1), "the list is what was paid");
    assert_eq!(cores.0 + memory.0, 800_000_000_000);
    let (later_cores, later_memory) = (row("2026-11-03", "cpu"), row("2026-11-03", "memory"));
    assert_eq!((later_cores.1, later_memory.1), (cores.1, memory.1), "the list is the same");
    assert_eq!(later_cores.0, 0, "all of what cores cost is taken off");
    assert!((later_memory.0 * 2 - later_memory.1).abs() <= 8, "half of memory: {later_memory:?}");
    assert_eq!(place.run(&["verify"]).code, 0);
    let said = place.run(&[&["cost"], &window[..]].concat()).out;
    assert!(said.contains("at list prices it would be 1.60: "), "{said}");
    let out = place.run(&["export", "focus", "--out", "-"]);
    assert_eq!(out.code, 0, "{}", out.said);
}
