//! Every answer, without a server.

use super::*;
use crate::kueue::priced;
use farthing_model::Currency;

/// A machine of 8 devices, 64 cores and 64 GiB at 16 USD an hour, and one of 4 cores at 2 USD.
fn webhook(fail: Fail) -> Webhook {
    let board = Board::default();
    let usd = |dollars: i128| Money::from_pico(dollars * 1_000_000_000_000, Currency::USD);
    board.write(FlavorPrices::with([
        ("gpus", priced(&[("nvidia.com/gpu", 8), ("cpu", 64_000), ("memory", 64 << 30)], usd(16))),
        ("small", priced(&[("cpu", 4_000), ("memory", 16 << 30)], usd(2))),
    ]));
    Webhook::new(Arc::new(board), fail)
}

fn job(annotations: &Value, labels: &Value, requests: &Value) -> Value {
    json!({
        "metadata": { "name": "train", "annotations": annotations, "labels": labels },
        "spec": { "parallelism": 2, "completions": 4, "template": { "spec": { "containers": [
            { "name": "a", "resources": { "requests": requests } },
        ] } } },
    })
}

fn queue() -> Value {
    json!({ "kueue.x-k8s.io/queue-name": "research" })
}

fn costs(text: &str) -> Value {
    json!({ MAX_COST: text })
}

/// `seconds N`, `as it is`, or why not; and the warning.
fn answer(webhook: &Webhook, object: &Value) -> String {
    let review = json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "u-1", "operation": "CREATE", "object": object, "dryRun": false,
            "kind": { "group": "batch", "version": "v1", "kind": "Job" },
        },
    });
    let answer = webhook.answer(review.to_string().as_bytes()).unwrap();
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    let response = &answer["response"];
    assert_eq!(response["uid"], "u-1");
    let warned = response["warnings"][0].as_str().unwrap_or_default();
    if response["allowed"] == false {
        return response["status"]["message"].as_str().unwrap().to_owned();
    }
    let Some(patch) = response["patch"].as_str() else { return format!("as it is{warned}") };
    let patch: Value = serde_json::from_slice(&STANDARD.decode(patch).unwrap()).unwrap();
    let last = patch.as_array().unwrap().last().unwrap();
    assert_eq!(last["path"], "/metadata/labels/kueue.x-k8s.io~1max-exec-time-seconds");
    format!("seconds {} of {}", last["value"].as_str().unwrap(), patch.as_array().unwrap().len())
}

#[test]
fn money_becomes_time_on_the_dearest_machine() {
    let webhook = webhook(Fail::Closed);
    let gpus = json!({ "nvidia.com/gpu": "4", "cpu": "1" });
    // Two pods of half a machine each: 16 USD an hour.
    let job_of = |cost: &str| job(&costs(cost), &queue(), &gpus);
    assert_eq!(answer(&webhook, &job_of("8 USD")), "seconds 1800 of 1");
    assert_eq!(answer(&webhook, &job_of("0.01 USD")), "seconds 2 of 1", "rounded down");
    let little = answer(&webhook, &job_of("0.001 USD"));
    assert!(little.contains("pays for less than a second of it, at up to 16.00 USD"), "{little}");
    assert_eq!(answer(&webhook, &job_of("900000000 USD")), "seconds 2147483647 of 1");
    // Two cores fit on both: half of the small machine is dearer than a part of the large one.
    let cores = json!({ "cpu": "2" });
    let small = job(&costs("1 USD"), &queue(), &cores);
    assert_eq!(answer(&webhook, &small), "seconds 1800 of 1");
    // What it says itself is kept where it is less.
    let mut labels = queue();
    labels[MAX_SECONDS] = json!("60");
    assert_eq!(answer(&webhook, &job(&costs("8 USD"), &labels, &gpus)), "as it is");
    labels[MAX_SECONDS] = json!("86400");
    assert_eq!(answer(&webhook, &job(&costs("8 USD"), &labels, &gpus)), "seconds 1800 of 1");
}

#[test]
fn what_says_no_limit_is_left_alone_and_what_cannot_be_held_to_is_told() {
    let (open, closed) = (webhook(Fail::Open), webhook(Fail::Closed));
    let cores = json!({ "cpu": "2" });
    assert_eq!(answer(&closed, &job(&json!({}), &queue(), &cores)), "as it is");
    let mut excluded = costs("1 USD");
    excluded["farthing.dev/exclude"] = json!("true");
    assert_eq!(answer(&closed, &job(&excluded, &queue(), &cores)), "as it is");
    let nowhere = answer(&closed, &job(&costs("1 USD"), &Value::Null, &cores));
    assert!(nowhere.contains("Kueue's queues only"), "{nowhere}");
    for wrong in ["12.50", "much", "-1 USD", "0 USD", "1e3 USD", ""] {
        let said = answer(&open, &job(&costs(wrong), &queue(), &cores));
        assert!(said.contains("is no amount above zero, such as `12.50 USD`"), "{wrong}: {said}");
    }
    let half = json!({ "nvidia.com/gpu": "0.5" });
    let said = answer(&open, &job(&costs("1 USD"), &queue(), &half));
    assert!(said.contains("nvidia.com/gpu"), "{said}");
    let mut labels = queue();
    labels[MAX_SECONDS] = json!("soon");
    let said = answer(&open, &job(&costs("1 USD"), &labels, &cores));
    assert!(said.contains("`soon` is no number of seconds"), "{said}");
    // No machine has that, nobody knows prices yet, another currency: by the policy.
    for (webhook, object, why) in [
        (&open, job(&costs("1 USD"), &queue(), &json!({ "cpu": "100" })), "no machine has"),
        (&open, job(&costs("1 EUR"), &queue(), &cores), "it is in EUR"),
        (
            &Webhook::new(Arc::default(), Fail::Open),
            job(&costs("1 USD"), &queue(), &cores),
            "no prices are known yet",
        ),
    ] {
        let said = answer(webhook, &object);
        assert!(said.starts_with("as it is") && said.contains(why), "{said}");
        let closed = Webhook { fail: Fail::Closed, ..webhook.clone() };
        let said = answer(&closed, &object);
        assert!(said.contains("cannot be held to") && said.contains(why), "{said}");
    }
}

#[test]
fn other_questions_and_none_at_all() {
    let webhook = webhook(Fail::Closed);
    let object = job(&costs("nonsense"), &queue(), &json!({}));
    let ask = |version: &str, operation: &str, kind: &str| {
        let review = json!({
            "apiVersion": version, "kind": "AdmissionReview",
            "request": { "uid": "u", "operation": operation, "object": object,
                "kind": { "group": "batch", "version": "v1", "kind": kind } },
        });
        webhook.answer(review.to_string().as_bytes())
    };
    let allowed = |answer: Vec<u8>| {
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        answer["response"]["allowed"].as_bool().unwrap()
    };
    assert!(allowed(ask("admission.k8s.io/v1", "UPDATE", "Job").unwrap()));
    assert!(allowed(ask("admission.k8s.io/v1", "CREATE", "CronJob").unwrap()));
    assert!(!allowed(ask("admission.k8s.io/v1", "CREATE", "Job").unwrap()));
    let old = ask("admission.k8s.io/v1beta1", "CREATE", "Job").unwrap_err();
    assert!(old.contains("is no AdmissionReview of admission.k8s.io/v1"), "{old}");
    assert!(webhook.answer(b"{}").unwrap_err().contains("this is no AdmissionReview"));
    assert!(webhook.answer(&[0xff; 9]).is_err());
}
