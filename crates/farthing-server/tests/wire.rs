//! The JSON forms: the keys that INTERFACES fixes, and one snapshot of each.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failed test")]

mod world;

use expect_test::{Expect, expect};
use farthing_ledger::{
    FirstFault, Key, LedgerCheck, ShareIdle, Sharing, StatementQuery, statement,
};
use farthing_model::{Currency, Price, Resource, Window};
use farthing_server::wire::{self, Book, JournalCheck, Listed, Listing};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;
use world::*;

fn value(json: &impl Serialize) -> Value {
    serde_json::to_value(json).unwrap()
}

/// Every fixed key is there; more may be.
fn has(value: &Value, keys: &str) {
    let object = value.as_object().unwrap();
    for key in keys.split(", ") {
        assert!(object.contains_key(key), "`{key}` is missing in {object:?}");
    }
}

fn check(json: &impl Serialize, expect: &Expect) {
    expect.assert_eq(&serde_json::to_string_pretty(json).unwrap());
}

#[test]
fn a_plan_has_its_keys() {
    const KEYS: &str = "cost, lower_bound, gap, status, solve_ms, currency, steps, waiting, cuts, \
                        offers_used, budgets, unknown, baselines";
    let mut baseline = planned();
    baseline.report.policy = "fifo";
    (baseline.report.lower_bound, baseline.report.gap) = (None, None);
    let plan = wire::plan(&planned(), &offers(), Some(Duration::from_micros(17_250)))
        .with_baselines([wire::plan(&baseline, &offers(), None)]);
    let json = value(&plan);
    has(&json, KEYS);
    has(&json["baselines"]["fifo"], KEYS);
    for step in json["steps"].as_array().unwrap() {
        has(step, "workload, offer, count, start, end, cost, saving, reasons");
    }
    has(&json["waiting"][0], "workload, reason");
    assert_eq!(json["cost"], "229.8176");
    assert_eq!(json["lower_bound"], "228.50");
    assert_eq!(json["gap"].to_string(), "0.005766");
    assert_eq!(json["solve_ms"].to_string(), "17.25");
    assert_eq!(json["offers_used"].to_string(), r#"{"H100-80GB-SXM":1,"L4-24GB":2}"#);
    assert_eq!(json["baselines"]["fifo"]["lower_bound"], Value::Null);
    assert_eq!(json["steps"][2]["workload"], Value::Null);
    assert_eq!(json["steps"][2]["node"], "small-1");
}

#[test]
fn a_step_a_waiting_one_and_a_cut_read_like_this() {
    let plan = wire::plan(&planned(), &[], None);
    check(
        &plan.steps[0],
        &expect![[r#"
        {
          "id": "p7-1",
          "action": "start",
          "workload": "finetune-70b",
          "node": null,
          "offer": "aws/us-east-1/p5.48xlarge/on-demand",
          "count": 1,
          "count_before": null,
          "nodes_each": 1,
          "start": "2026-11-24T12:10:00Z",
          "end": "2026-11-24T16:10:00Z",
          "cost": "220.16",
          "saving": "117.35",
          "reasons": [
            "cheapest of 14 in time; next aws/us-east-1/m7i.48xlarge/on-demand at 812.40",
            "aws/us-east-1/g6.xlarge/on-demand at 61.90 would be late"
          ],
          "expires": "2026-11-24T12:15:00Z"
        }"#]],
    );
    check(
        &plan.waiting[0],
        &expect![[r#"
        {
          "workload": "pretrain-eu",
          "reason": "budget research-monthly has 310.50 left, 881.92 needed",
          "kind": "over-budget",
          "members": 4,
          "late": true
        }"#]],
    );
    check(
        &plan.cuts[0],
        &expect![[r#"
        {
          "budget": "research-monthly",
          "workload": "pretrain-eu",
          "members": 4,
          "value": "80",
          "saved": "881.92",
          "retry": "2026-12-01T00:00:00Z"
        }"#]],
    );
    check(
        &plan.budgets[0],
        &expect![[r#"
        {
          "budget": "research-monthly",
          "limit": "120000.00",
          "spent": "81250.25",
          "committed": "21400.00",
          "planned": "9000.00",
          "forecast": "111650.25",
          "rung": "notify"
        }"#]],
    );
    check(
        &plan.utilisation[0],
        &expect![[r#"
        {
          "resource": "gpu",
          "now": 0.603667,
          "threshold": 0.8,
          "max": 0.95,
          "state": "under",
          "after": 0.87,
          "proposal": "release small-1; lend 2 GPU of gpu-1"
        }"#]],
    );
    // Without the price book an offer is named by its instance type.
    assert_eq!(value(&plan.offers_used).to_string(), r#"{"g6.xlarge":2,"p5.48xlarge":1}"#);
}

#[test]
fn offers_have_their_keys_and_no_price_is_never_zero() {
    let offers = offers();
    let mut unknown = offers[0].clone();
    unknown.price = Price::Unknown("no row for eu-west-9".to_owned());
    let listed = |offer, nodes, total: &str| Listed {
        offer,
        arch: Some("x86_64"),
        nodes,
        total: total.parse().unwrap(),
        finish: None,
        notes: &[],
    };
    let listing = Listing {
        offers: vec![listed(&offers[2], 2, "110.08 USD"), listed(&unknown, 1, "0 USD")],
        considered: 5,
        matched: 2,
        excluded: BTreeMap::from([("no price".to_owned(), 3)]),
        took: Duration::from_micros(1_234),
        compared: "price per hour",
        near: Vec::new(),
        otherwise_paid: Vec::new(),
        split: None,
        book: Book {
            offers: 5,
            oldest: None,
            newest: None,
            age_days: None,
            load_ms: 1,
            from: "files",
            faults: Vec::new(),
        },
    };
    let json = value(&wire::offers(&listing));
    has(&json, "offers, considered, excluded, query_ms");
    for offer in json["offers"].as_array().unwrap() {
        has(
            offer,
            "provider, region, zone, instance_type, accelerator, accelerator_count, vcpus, \
             memory_gib, purchase, price, currency, source, as_of, warnings",
        );
    }
    assert_eq!(json["offers"][1]["price"], Value::Null);
    assert_eq!(json["offers"][1]["warnings"][0], "no price: no row for eu-west-9");
    check(
        &wire::offers(&listing).offers[0],
        &expect![[r#"
        {
          "id": "aws/us-east-1/p5.48xlarge/on-demand",
          "provider": "aws",
          "region": "us-east-1",
          "zone": null,
          "instance_type": "p5.48xlarge",
          "accelerator": "H100-80GB-SXM",
          "accelerator_count": 8,
          "vcpus": "192",
          "memory_gib": "2048",
          "arch": "x86_64",
          "purchase": "on-demand",
          "price": "55.04",
          "currency": "USD",
          "price_kind": "list",
          "source": "prices/default.csv:7",
          "as_of": "2026-11-01",
          "nodes": 2,
          "total": "110.08",
          "finish_cost": null,
          "finish_s": null,
          "warnings": []
        }"#]],
    );
}

#[test]
fn a_statement_has_its_keys_and_its_parts_sum() {
    let window = Window::hour_of(at("2026-11-24T12:00:00Z")).unwrap();
    let sharing = Sharing { idle: ShareIdle::Proportional, ..Sharing::default() };
    let all = StatementQuery::of(cluster(), window, Currency::USD);
    let query = StatementQuery { by: vec![Key::Team, Key::Workload], sharing, ..all };
    let statement = statement(&books(), &query).unwrap();
    let json = value(&wire::cost(&statement));
    has(
        &json,
        "window, currency, paid, used, idle, unallocated, overhead, shared, difference, coverage, \
         rows",
    );
    for row in json["rows"].as_array().unwrap() {
        has(
            row,
            "team, workload, used, idle, shared, total, gpu_hours, core_hours, gib_hours, \
             utilisation",
        );
    }
    assert_eq!(json["difference"], "0.00");
    // The keys come first in a row, in the order that was asked for.
    let text = serde_json::to_string(&wire::cost(&statement)).unwrap();
    assert!(text.contains(r#""rows":[{"team":"research","workload":"finetune-70b","used":"#));
    check(
        &wire::cost(&statement).rows[0],
        &expect![[r#"
            {
              "team": "research",
              "workload": "finetune-70b",
              "used": "3.377830848518",
              "idle": "0.875684091049",
              "shared": "5.016999853706",
              "unallocated": "0.00",
              "overhead": "0.00",
              "total": "9.270514793273",
              "unknown": "0.00",
              "list": "9.270514793273",
              "gpu_hours": 0.85,
              "core_hours": 9.066666667,
              "gib_hours": 72.533333333,
              "storage_gib_hours": 0.0,
              "utilisation": 0.794127,
              "id": "row-db33eaff89cb5eb"
            }"#]],
    );
}

#[test]
fn a_tick_reads_like_this() {
    let tick = wire::tick(&tick());
    has(
        &value(&tick),
        "at, window, currency, paid, used, idle, unallocated, overhead, difference, coverage, \
         resources, world, plan, budgets, receipts, held, unknown, verified, notes",
    );
    let flow = [&tick.paid, &tick.used, &tick.idle, &tick.unallocated, &tick.overhead];
    check(
        &flow,
        &expect![[r#"
        [
          "0.232686666666",
          "0.099519958629",
          "0.026082078642",
          "0.10689665774",
          "0.000187971655"
        ]"#]],
    );
    assert_eq!(tick.difference, "0.00");
    check(
        &tick.resources[0],
        &expect![[r#"
        {
          "resource": "gpu",
          "unit": "gpu",
          "utilisation": 0.603667,
          "utilisation_of_allocated": 0.776143,
          "used_hours": 0.0226375,
          "idle_hours": 0.006529167,
          "unallocated_hours": 0.008333333,
          "overhead_hours": 0.0
        }"#]],
    );
    assert_eq!(tick.resources[2].unit, "gib");
    check(
        &tick.world,
        &expect![[r#"
        {
          "cluster": "lab",
          "nodes": 2,
          "nodes_ready": 2,
          "workloads": {
            "waiting": 0,
            "placed": 0,
            "suspended": 0,
            "finished": 0
          },
          "ages": [
            {
              "part": "usage",
              "age_s": 1.5
            }
          ]
        }"#]],
    );
}

#[test]
fn what_a_tick_did_reads_like_this() {
    let tick = wire::tick(&tick());
    check(
        &tick.budgets,
        &expect![[r#"
        [
          {
            "budget": "research-monthly",
            "period": {
              "from": "2026-11-01T00:00:00Z",
              "to": "2026-12-01T00:00:00Z"
            },
            "limit": "120000.00",
            "spent": "81250.25",
            "committed": "21400.00"
          }
        ]"#]],
    );
    check(
        &tick.receipts,
        &expect![[r#"
        [
          {
            "step": "p7-1",
            "at": "2026-11-24T12:10:00Z",
            "outcome": "done",
            "detail": null
          }
        ]"#]],
    );
    check(
        &tick.held,
        &expect![[r#"
        [
          {
            "step": "p7-2",
            "action": "start",
            "target": "<script>alert(1)</script>",
            "reason": "waits for approval"
          }
        ]"#]],
    );
    check(
        &tick.verified,
        &expect![[r#"
            [
              {
                "step": "p6-1",
                "target": "finetune-70b",
                "complete": true,
                "reference": "52.25",
                "predicted": "12.5",
                "realised": "12.25",
                "posted": "40.00",
                "from": "2026-11-24T11:00:00Z",
                "to": "2026-11-24T12:00:00Z"
              }
            ]"#]],
    );
}

#[test]
fn a_check_says_where_it_does_not_hold() {
    let file = "cluster=lab/charges/date=2026-11-24/hour=12.parquet".to_owned();
    let fault = FirstFault { file, row: Some(3), what: "its hash is another one".to_owned() };
    let ledger = LedgerCheck {
        ok: false,
        checked: 5,
        first_fault: Some(fault),
        unposted: Vec::new(),
        posted_until: None,
        marks: Vec::new(),
        corrections: Vec::new(),
        retention: farthing_ledger::Retention::default(),
    };
    let file = "lab.journal";
    let sound = JournalCheck { checked: 42, file, fault: None, sealed: Some(false) };
    let whole = wire::verify(&ledger, sound);
    let json = value(&whole);
    has(&json, "ledger, journal");
    has(&json["ledger"], "ok, checked, first_fault, notes");
    has(&json["journal"], "ok, checked, first_fault, notes");
    check(
        &whole,
        &expect![[r#"
            {
              "ledger": {
                "ok": false,
                "checked": 5,
                "first_fault": {
                  "file": "cluster=lab/charges/date=2026-11-24/hour=12.parquet",
                  "row": 3,
                  "what": "its hash is another one"
                },
                "notes": []
              },
              "journal": {
                "ok": true,
                "checked": 42,
                "first_fault": null,
                "notes": [
                  "not sealed: the last run goes on or was cut off, and bytes that belong to no record are held by nothing"
                ]
              }
            }"#]],
    );
    let fault = Some((Some(17), "records are missing"));
    let broken = JournalCheck { checked: 17, file, fault, sealed: Some(false) };
    let json = value(&wire::verify(&ledger, broken));
    assert_eq!(json["journal"]["ok"], false);
    assert_eq!(json["journal"]["first_fault"]["row"], 17);
    assert_eq!(json["journal"]["first_fault"]["file"], "lab.journal");
}

#[test]
fn what_nobody_measured_is_unknown_and_neither_unused_nor_unpaid() {
    let books = books_with_a_dark_node();
    let day = Window::new(at("2026-11-24T00:00:00Z"), at("2026-11-25T00:00:00Z")).unwrap();
    let by = |keys: &[Key], resources: Option<Vec<Resource>>| {
        let all = StatementQuery::of(cluster(), day, Currency::USD);
        statement(&books, &StatementQuery { by: keys.to_vec(), resources, ..all }).unwrap()
    };
    let nodes = [Resource::Gpu, Resource::Cpu]
        .map(|resource| (resource, by(&[Key::Hour, Key::Node], Some(vec![resource]))));
    let json = wire::utilisation_over_time(&by(&[Key::Hour], None), &nodes);
    assert_eq!(json.series.len(), 1);
    let of = |name: &str| json.nodes.iter().find(|row| row.node == name).unwrap();
    let dark = of("dark-1");
    assert_eq!((dark.resource, dark.mean, dark.values.as_slice()), ("gpu", None, &[None][..]));
    // Of ten minutes it booted for one and a half, which is known.
    assert_eq!(dark.measured, [Some(0.15)]);
    let gpu = of("gpu-1");
    assert_eq!(gpu.measured, [Some(1.0)]);
    assert!(gpu.mean.unwrap() > 0.5 && gpu.values == [gpu.mean], "{gpu:?}");
}
