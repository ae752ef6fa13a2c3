//! A server under load: people are answered or told when to come again, and whoever was granted a
//! reservation has it also when the server is killed at that very moment.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "tests")]

mod program;

use program::Place;
use program::up::Demo;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How often the server is killed; `FARTHING_KILLS` says another number.
const KILLS: usize = 50;
/// Those who ask at once.
const ASKERS: usize = 8;

const BUDGETS: &str = "\
apiVersion: farthing.dev/v1alpha1
kind: Budget
metadata: {name: pipelines}
spec: {scope: {label: {pipeline: nightly}}, limit: 1000000 USD, period: year-of-tests}
";

/// What the API answers; `None` where the server is gone.
fn ask(address: &str, method: &str, path: &str, body: &str) -> Option<(u16, String, String)> {
    let path = format!("/api/v1{path}");
    program::up::ask(address, (method, &path), (body, ""), Duration::from_secs(30))
}

/// Asks for reservations until the server is gone; `seen` has those that were granted.
fn reserve_until_it_is_gone(address: &str, seen: &Mutex<BTreeSet<String>>) {
    let want = json!({ "estimate": "0.25 USD", "for": "load", "hold": "700h",
        "labels": { "pipeline": "nightly" } })
    .to_string();
    while let Some((status, head, body)) = ask(address, "POST", "/reservations", &want) {
        match status {
            201 => {
                // An answer that was cut off was not heard.
                let Ok(told) = serde_json::from_str::<Value>(&body) else { return };
                let id = told["id"].as_str().unwrap().to_owned();
                assert!(seen.lock().unwrap().insert(id.clone()), "{id} was granted twice");
            }
            429 => assert!(head.contains("retry-after: "), "{head}"),
            503 => std::thread::sleep(Duration::from_millis(20)),
            other => panic!("{other}: {body}"),
        }
    }
}

#[test]
fn no_reservation_is_lost_however_often_the_server_is_killed() {
    let place = Place::new();
    let config = place.file("budgets.yaml", BUDGETS.replace("year-of-tests", "quarter"));
    let kills = std::env::var("FARTHING_KILLS").ok().and_then(|text| text.parse().ok());
    let kills = kills.unwrap_or(KILLS);
    let seen = Mutex::new(BTreeSet::new());
    for round in 0..kills {
        let up = Demo::up(&place, &["--every", "2s", "--config", &config]);
        let (address, before) = (up.address.clone(), seen.lock().unwrap().len());
        std::thread::scope(|threads| {
            for _ in 0..ASKERS {
                threads.spawn(|| reserve_until_it_is_gone(&address, &seen));
            }
            // Killed early and late, while it is asked.
            let end = Instant::now() + Duration::from_secs(20);
            while seen.lock().unwrap().len() < before + 1 + round % 5 * 7 {
                assert!(Instant::now() < end, "nothing is granted in round {round}");
                std::thread::sleep(Duration::from_millis(2));
            }
            // SIGKILL; those who ask notice that it is gone.
            up.kill();
        });
        let verified = place.run(&["verify"]);
        assert_eq!(verified.code, 0, "round {round}: {}{}", verified.out, verified.said);
    }
    let listed = place.run(&["budget", "reservations", "--output", "json"]);
    let listed: Value = serde_json::from_str(&listed.out).unwrap();
    let ids = listed["items"].as_array().unwrap().iter();
    let ids: Vec<String> = ids.map(|item| item["id"].as_str().unwrap().to_owned()).collect();
    let kept: BTreeSet<String> = ids.iter().cloned().collect();
    assert_eq!(kept.len(), ids.len(), "a reservation is there twice");
    let seen = seen.into_inner().unwrap();
    let lost: Vec<&String> = seen.difference(&kept).collect();
    assert!(lost.is_empty(), "granted and lost: {lost:?}");
    // Granted and not heard of: at most what each asker was about when it was killed.
    assert!(kept.len() - seen.len() <= kills * ASKERS, "{} of {}", seen.len(), kept.len());
    println!("{kills} kills, {} granted, {} kept", seen.len(), kept.len());
}

#[test]
fn many_at_once_are_answered_or_told_when_to_come_again() {
    let place = Place::new();
    let demo = Demo::start(&place, &["--for", "60s", "--speed", "300"]);
    while ask(&demo.address, "GET", "/plan", "").is_none_or(|(status, ..)| status != 200) {
        std::thread::sleep(Duration::from_millis(50));
    }
    let paths = ["/tick", "/plan", "/steps", "/snapshot", "/budgets", "/verdicts?window=1h"];
    let took = Mutex::new((Vec::new(), 0_usize));
    std::thread::scope(|threads| {
        for person in 0..64_usize {
            let (took, address) = (&took, &demo.address);
            threads.spawn(move || {
                for look in 0..6 {
                    // Each statement is another one, so that none can be shared.
                    let cost = format!("/cost?window={}m&by=team", 60 + person * 6 + look);
                    for path in [paths[(person + look) % paths.len()], &cost] {
                        let began = Instant::now();
                        let (status, head, body) = ask(address, "GET", path, "").unwrap();
                        let mut took = took.lock().unwrap();
                        match status {
                            200 => took.0.push(began.elapsed()),
                            429 => {
                                assert!(head.contains("retry-after: "), "{head}");
                                assert!(body.contains("more is asked than can be"), "{body}");
                                took.1 += 1;
                            }
                            other => panic!("{path}: {other}: {body}"),
                        }
                    }
                }
            });
        }
    });
    let (mut answered, refused) = took.into_inner().unwrap();
    answered.sort_unstable();
    let all = answered.len() + refused;
    assert_eq!(all, 64 * 6 * 2);
    assert!(answered.len() * 2 > all, "{refused} of {all} were refused");
    println!("{} answered, the slowest in {:?}", answered.len(), answered.last().unwrap());
}
