//! Reservations over HTTP: what no budget can count is refused with a reason, and whatever is sent,
//! the loop goes on, also after it is started again.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failed test")]

mod client;
mod living;
mod world;

use client::*;
use living::{Living, budgets};
use proptest::prelude::*;
use serde_json::{Value, json};

fn post(living: &Living, path: &str, body: &Value) -> Answer {
    ask(&living.server, &format!("POST /api/v1{path}"), &[], &body.to_string())
}

/// Reserves five, and gives the name of it.
fn reserved(living: &Living) -> String {
    let body = json!({ "estimate": "5 USD", "for": "a test", "hold": "700h" });
    let answer = post(living, "/reservations", &body);
    assert_eq!(answer.status, 201, "{}", answer.body);
    answer.json()["id"].as_str().unwrap().to_owned()
}

/// Spent and reserved of each budget.
fn stand(living: &Living) -> Vec<(String, String)> {
    let answer = get(&living.server, "/api/v1/budgets");
    assert_eq!(answer.status, 200, "{}", answer.body);
    let text = |item: &Value, key: &str| item[key].as_str().unwrap_or_default().to_owned();
    let told = answer.json();
    let items = told["items"].as_array().unwrap().iter();
    let all: Vec<_> = items.map(|it| (text(it, "spent"), text(it, "reserved"))).collect();
    assert_eq!(all.len(), budgets().len(), "{told}");
    all
}

#[test]
fn what_no_budget_can_count_is_refused_and_the_reservation_stays() {
    let living = Living::start(budgets());
    let id = reserved(&living);
    let before = stand(&living);
    let confirm = format!("/reservations/{id}/confirm");
    for (spent, why) in [
        ("-1000000 USD", "-1000000.00 USD is below zero"),
        ("1 EUR", "1.00 EUR is not in USD: the budgets are in USD"),
        ("99999999999999999999999999 USD", "is more than can be counted"),
        ("1000000000000001 USD", "is more than can be counted"),
        ("1", "`spent` is wrong: `1` has no currency"),
    ] {
        let refused = post(&living, &confirm, &json!({ "spent": spent }));
        let told = problem(&refused, 400, "bad-content");
        assert!(told["detail"].as_str().unwrap().contains(why), "{told}");
    }
    for (field, value, why) in [
        ("estimate", "99999999999999999999999999 USD", "more than can be counted"),
        ("estimate", "-1 USD", "below zero"),
        ("estimate", "1 EUR", "not in USD"),
        ("for", "a\u{1b}[2J\u{0}b", "control character"),
        ("for", "a\nb", "control character"),
        ("gpu_hours", "170141183460469231731687303715", "gpu_hours"),
        ("gpu_hours", "9999999999999999", "GPU-hours"),
        ("hold", "745h", "at most 744h"),
    ] {
        let mut body = json!({ "estimate": "1 USD", "for": "a test" });
        body[field] = value.into();
        let refused = post(&living, "/reservations", &body);
        let told = problem(&refused, 400, "bad-content");
        assert!(told["detail"].as_str().unwrap().contains(why), "{told}");
    }
    assert_eq!(stand(&living), before);
    living.restart().unwrap();
    assert_eq!(stand(&living), before);
    assert_eq!(post(&living, &confirm, &json!({ "spent": "2.5 USD" })).status, 200);
    living.restart().unwrap();
    assert_eq!(stand(&living)[0], ("2.50".to_owned(), "0.00".to_owned()));
}

/// An amount as someone may send it: right, wrong, too large, in any currency.
fn amount() -> impl Strategy<Value = Value> {
    let number = prop_oneof![
        any::<i128>().prop_map(|number| number.to_string()),
        (-9_i64..9).prop_map(|number| number.to_string()),
        (0_u32..1_000, 0_usize..30).prop_map(|(digits, zeros)| format!("{digits}{:0>zeros$}", "")),
        "-?[0-9]{0,5}\\.[0-9]{0,13}",
    ];
    let code = prop_oneof![4 => Just("USD"), 1 => Just("EUR"), 1 => Just("JPY"), 1 => Just("")];
    prop_oneof![
        6 => (number, code).prop_map(|(number, code)| Value::from(format!("{number} {code}"))),
        1 => any::<String>().prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => Just(Value::Null),
    ]
}

fn text() -> impl Strategy<Value = Value> {
    prop_oneof![
        3 => "[a-z ]{1,12}".prop_map(Value::from),
        1 => any::<String>().prop_map(Value::from),
        1 => Just(json!(["a"])),
    ]
}

/// A body that is sent to reserve, and one that is sent to confirm.
fn bodies() -> impl Strategy<Value = (Value, Value)> {
    let wanted = (amount(), text(), prop::option::of(amount()), prop::option::of(text()));
    let wanted = wanted.prop_map(|(estimate, what, hours, label)| {
        let mut body = json!({ "estimate": estimate, "for": what });
        if let Some(hours) = hours {
            // Without its currency it is a number of hours.
            let text = hours.as_str().map(|text| text.split(' ').next().unwrap_or("").to_owned());
            body["gpu_hours"] = text.map_or(hours, Value::from);
        }
        if let Some(label) = label {
            body["labels"] = json!({ "project": label });
        }
        body
    });
    let ended = prop_oneof![
        8 => amount().prop_map(|spent| json!({ "spent": spent })),
        1 => Just(json!({})),
        1 => any::<String>().prop_map(Value::from),
    ];
    (wanted, ended)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 64, ..Default::default() })]

    /// Whatever is sent, a tick, a start and `/budgets` work after it, and nothing is spent that
    /// was refused.
    #[test]
    fn whatever_is_sent_the_loop_goes_on(
        sent in prop::collection::vec(bodies(), 1..8),
    ) {
        let living = Living::start(budgets());
        for (wanted, ended) in &sent {
            let id = reserved(&living);
            let before = stand(&living);
            let answer = post(&living, &format!("/reservations/{id}/confirm"), ended);
            prop_assert!(matches!(answer.status, 200 | 400 | 413), "{ended}: {}", answer.body);
            if answer.status != 200 {
                prop_assert_eq!(stand(&living), before);
                let released = format!("/reservations/{id}/release");
                prop_assert_eq!(post(&living, &released, &Value::Null).status, 200);
            }
            let answer = post(&living, "/reservations", wanted);
            let known = matches!(answer.status, 201 | 400 | 409 | 413);
            prop_assert!(known, "{wanted}: {}", answer.body);
            if answer.status == 201 {
                let told = answer.json();
                let path = format!("/reservations/{}/release", told["id"].as_str().unwrap());
                prop_assert!(living.tick().is_ok());
                prop_assert_eq!(post(&living, &path, &Value::Null).status, 200);
            }
            if stand(&living)[0].0.parse::<f64>().unwrap() > 900_000.0 {
                // All of it is spent: nothing more can be reserved.
                break;
            }
        }
        let before = stand(&living);
        prop_assert_eq!(living.tick(), Ok(()));
        prop_assert_eq!(living.restart(), Ok(()));
        prop_assert_eq!(stand(&living), before);
    }
}
