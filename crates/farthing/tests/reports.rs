//! `farthing cost`, `export focus` and `import focus` on the books of a simulated cluster.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

mod program;

use program::{Place, files};
use serde_json::Value;

/// A few hours of a simulated cluster.
fn books() -> Place {
    let place = Place::new();
    let run = place.run(&["up", "--demo", "--no-listen", "--for", "2s", "--speed", "3600"]);
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
