//! People steer a loop that runs: they approve, reject and undo over HTTP, and ask its budgets
//! first.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failed test")]

mod program;

use program::Place;
use program::up::Demo;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const APPROVE: &str = "\
apiVersion: farthing.dev/v1alpha1
kind: Policy
metadata: {name: asks}
spec: {mode: approve, limits: {ageMax: 30m}}
---
apiVersion: farthing.dev/v1alpha1
kind: Budget
metadata: {name: pipelines}
spec: {scope: {label: {pipeline: nightly}}, limit: 100 USD, period: month}
";

/// A demo that asks people.
struct Up(Demo);

impl Up {
    fn start(place: &Place, speed: &str) -> Self {
        let config = place.file("asks.yaml", APPROVE);
        Self(Demo::start(place, &["--for", "60s", "--speed", speed, "--config", &config]))
    }

    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        self.0.json(method, path, body)
    }

    fn get(&self, path: &str) -> Value {
        let (status, body) = self.ask("GET", path, None);
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    /// Asks again and again until `found` finds something.
    fn until<T>(&self, path: &str, found: impl Fn(&Value) -> Option<T>) -> T {
        let end = Instant::now() + Duration::from_secs(40);
        while Instant::now() < end {
            let (status, body) = self.ask("GET", path, None);
            if status == 200
                && let Some(found) = found(&body)
            {
                return found;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("{path} never had it: {}", self.ask("GET", path, None).1);
    }
}

/// A step of a page of steps that can be `act`ed on.
fn can(steps: &Value, act: &str) -> Option<String> {
    let items = steps["items"].as_array().unwrap().iter();
    let mut those = items.filter(|step| step["can"].as_array().unwrap().contains(&json!(act)));
    those.next().map(|step| step["id"].as_str().unwrap().replace('/', "%2F"))
}

fn stage(steps: &Value, id: &str) -> Option<String> {
    let id = id.replace("%2F", "/");
    let mut items = steps["items"].as_array().unwrap().iter();
    let found = items.find(|step| step["id"] == json!(id))?;
    Some(found["stage"].as_str().unwrap().to_owned())
}

#[test]
fn a_step_is_approved_done_and_undone() {
    let place = Place::new();
    // A tick is a second, so that nothing expires while it is looked at.
    let up = Up::start(&place, "300");
    let step = up.until("/steps", |steps| can(steps, "approve"));
    let (status, said) = up.ask("POST", &format!("/steps/{step}/approve"), Some(&json!({})));
    assert_eq!((status, &said["approved"]), (200, &json!(true)), "{said}");
    up.until("/steps", |steps| stage(steps, &step).filter(|stage| stage == "in-force"));
    let (status, said) = up.ask("POST", &format!("/steps/{step}/undo"), None);
    assert_eq!((status, &said["outcome"]), (200, &json!("done")), "{said}");
    assert_eq!(stage(&up.get("/steps"), &step), None);
    // What became of it is in the journal, and its story can be read.
    let told = up.get(&format!("/explain/{step}"));
    let then: Vec<&str> = told["then"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["record"].as_str().unwrap())
        .collect();
    let order = ["approved", "intended", "receipted", "undone"];
    let places: Vec<_> = order.iter().map(|it| then.iter().position(|one| one == it)).collect();
    assert!(places.is_sorted() && places.iter().all(Option::is_some), "{then:?}");
    let (status, said) = up.ask("POST", &format!("/steps/{step}/undo"), None);
    assert_eq!((status, said["type"].as_str().unwrap()), (404, "tag:farthing.dev,2026:not-found"));
    let (status, _) = up.ask("POST", "/steps/p1%2F999/approve", None);
    assert_eq!(status, 409);
}

#[test]
fn a_launcher_asks_first_and_tells_afterwards() {
    let place = Place::new();
    let up = Up::start(&place, "300");
    up.until("/budgets", |budgets| budgets["items"][0]["budget"].as_str().map(|_| ()));
    let want = |estimate: &str| {
        json!({ "estimate": estimate, "for": "a nightly run",
        "labels": { "pipeline": "nightly" }, "hold": "24h" })
    };
    let (status, first) = up.ask("POST", "/reservations", Some(&want("60 USD")));
    assert_eq!(status, 201, "{first}");
    assert!(first["budgets"].as_array().unwrap().contains(&json!("pipelines")), "{first}");
    let (status, short) = up.ask("POST", "/reservations", Some(&want("40.01 USD")));
    assert_eq!((status, &short["budgets"][0]["left"]), (409, &json!("40.00")), "{short}");
    let id = first["id"].as_str().unwrap();
    let told = json!({ "spent": "12.5 USD" });
    let (status, _) = up.ask("POST", &format!("/reservations/{id}/confirm"), Some(&told));
    assert_eq!(status, 200);
    let budgets = up.get("/budgets");
    let mut items = budgets["items"].as_array().unwrap().iter();
    let pipelines = items.find(|one| one["budget"] == "pipelines").unwrap();
    assert_eq!((&pipelines["spent"], &pipelines["left"]), (&json!("12.50"), &json!("87.50")));
    assert_eq!(up.get("/reservations")["items"], json!([]));
    for (body, field) in [
        (json!({ "estimate": "60", "for": "x" }), "estimate"),
        (json!({ "estimate": "-1 USD", "for": "x" }), "estimate"),
        (json!({ "estimate": "1 USD", "for": " " }), "for"),
        (json!({ "estimate": "1 USD", "for": "x", "hold": "2 years" }), "hold"),
        (json!({ "estimate": "1 USD", "for": "x", "team": "" }), "team"),
        (json!({ "estimate": "1 EUR", "for": "x" }), "estimate"),
        (json!({ "estimate": "1 USD", "for": "x", "owner": "me" }), "owner"),
    ] {
        let (status, said) = up.ask("POST", "/reservations", Some(&body));
        assert_eq!(status, 400, "{said}");
        assert!(said["detail"].as_str().unwrap().contains(field), "{said}");
    }
}

#[test]
fn the_command_line_asks_the_budgets_of_the_last_run() {
    let place = Place::new();
    let config = place.file("asks.yaml", APPROVE);
    let up = [
        "up",
        "--demo",
        "--history",
        "0s",
        "--no-listen",
        "--for",
        "1s",
        "--speed",
        "21600",
        "--config",
        &config,
    ];
    assert_eq!(place.run(&up).code, 0);
    let now = ["--now", "2026-11-02T12:00:00Z"];
    let check = |more: &[&str]| {
        let ask = ["budget", "check", "--label", "pipeline=nightly"];
        place.run(&[&ask[..], &now, more].concat())
    };
    assert_eq!(check(&["--estimate", "100USD"]).code, 0);
    let short = check(&["--estimate", "1e9USD"]);
    assert_eq!(short.code, 3);
    assert!(short.out.contains("budget pipelines has 100.00 USD left"), "{}", short.out);
    let held = check(&["--estimate", "99.5 USD", "--reserve", "2h", "--output", "json"]);
    let held: Value = serde_json::from_str(&held.out).unwrap();
    let id = held["reservation"]["id"].as_str().unwrap();
    assert_eq!(check(&["--estimate", "0.51USD"]).code, 3);
    assert_eq!(check(&["--estimate", "0.5USD"]).code, 0);
    let settle = ["budget", "settle", id, "--spent", "1USD"];
    assert_eq!(place.run(&[&settle[..], &now].concat()).code, 0);
    assert_eq!(check(&["--estimate", "99USD"]).code, 0);
    let again = place.run(&[&settle[..], &now].concat());
    assert_eq!(again.code, 2, "{}", again.said);
    let shown = place.run(&[&["budget", "--output", "json"][..], &now].concat());
    let shown: Value = serde_json::from_str(&shown.out).unwrap();
    let names: Vec<&str> = shown["budgets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["budget"].as_str().unwrap())
        .collect();
    assert!(names.contains(&"everything") && names.contains(&"pipelines"), "{names:?}");
    let what_if = place.run(&[&["budget", "show", "--if", "pipelines=50USD"][..], &now].concat());
    assert!(what_if.out.contains("50.00 USD"), "{}", what_if.out);
    assert_eq!(place.run(&[&["budget", "show", "--if", "no=50USD"][..], &now].concat()).code, 2);
}

#[test]
fn a_loop_that_is_late_with_every_tick_hears_people() {
    let place = Place::new();
    // A tick is due every third of a millisecond: there is never time to wait for people.
    let up = Up::start(&place, "1000000");
    up.until("/budgets", |budgets| budgets["items"][0]["budget"].as_str().map(|_| ()));
    let want = json!({ "estimate": "1 USD", "for": "a run", "labels": { "pipeline": "nightly" } });
    let began = Instant::now();
    for _ in 0..3 {
        let (status, said) = up.ask("POST", "/reservations", Some(&want));
        assert_eq!(status, 201, "{said}");
    }
    let took = began.elapsed();
    // Not because the simulated time was over.
    let (ticks, state) = (up.get("/health")["ticks"].clone(), up.get("/health"));
    assert!(state["ended"].is_null() || took < Duration::from_secs(5), "{took:?}, {state}");
    assert!(ticks.as_u64().unwrap() > 0 && took < Duration::from_secs(10), "{took:?}, {state}");
}

#[test]
fn an_estimate_over_a_soft_budget_fits_and_names_it() {
    let place = Place::new();
    let soft = "\
apiVersion: farthing.dev/v1alpha1
kind: Budget
metadata: {name: hint}
spec: {scope: {label: {pipeline: nightly}}, limit: 80 USD, period: month, hard: false}
---
apiVersion: farthing.dev/v1alpha1
kind: Budget
metadata: {name: hours}
spec: {scope: {label: {pipeline: nightly}}, limit: 2.5 GPU-h, period: month, hard: false}
---
apiVersion: farthing.dev/v1alpha1
kind: Budget
metadata: {name: everything}
spec: {scope: all, limit: 123456 USD, period: month, hard: false}
";
    let config = place.file("soft.yaml", format!("{APPROVE}---\n{soft}"));
    let up = [
        "up",
        "--demo",
        "--history",
        "0s",
        "--no-listen",
        "--for",
        "1s",
        "--speed",
        "300",
        "--config",
        &config,
    ];
    assert_eq!(place.run(&up).code, 0);
    let check = |more: &[&str]| {
        let ask = ["budget", "check", "--label", "pipeline=nightly"];
        let now = ["--now", "2026-11-02T12:00:00Z"];
        place.run(&[&ask[..], &now, more].concat())
    };
    assert_eq!(check(&["--estimate", "80USD"]).out.trim(), "80.00 USD fits pipelines");
    let over = check(&["--estimate", "99USD", "--gpu-hours", "4"]);
    assert_eq!(over.code, 0);
    let expected = "\
99.00 USD fits the hard limits of pipelines
exceeds soft budget hint by 19.00 USD: budget hint has 80.00 USD left of";
    assert!(over.out.starts_with(expected), "{}", over.out);
    assert!(over.out.contains("exceeds soft budget hours by 1.5 GPU-hours: "), "{}", over.out);
    let over = check(&["--estimate", "101USD", "--output", "json"]);
    let said: Value = serde_json::from_str(&over.out).unwrap();
    assert_eq!((over.code, &said["fits"]), (3, &json!(false)));
    assert_eq!(said["short"][0]["budget"], "pipelines");
    assert_eq!(said["soft"][0]["short_by"], "21.00 USD");
    // The demo has one of that name, whose place this one takes.
    let shown = place.run(&["budget", "show", "--output", "csv"]).out;
    let named: Vec<&str> = shown.lines().filter(|line| line.starts_with("everything ")).collect();
    assert_eq!(named.len(), 1, "{shown}");
    assert!(named[0].contains("123456"), "{shown}");
}
