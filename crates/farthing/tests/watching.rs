//! Budgets of a loop that runs: people are told when a rung is reached, change a limit from
//! anywhere, and are told when it is over.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failed test")]

mod program;

use program::up::Demo;
use program::{PROGRAM, Place};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

const WAIT: Duration = Duration::from_secs(30);

fn config(url: &str) -> String {
    format!(
        "\
apiVersion: farthing.dev/v1alpha1
kind: Policy
metadata: {{name: tells}}
spec:
  mode: enforce
  limits: {{ageMax: 30m}}
  alerts:
    channels: [{{type: webhook, name: ops, url: \"{url}\"}}]
---
apiVersion: farthing.dev/v1alpha1
kind: Budget
metadata: {{name: pipelines}}
spec:
  scope: {{label: {{pipeline: nightly}}}}
  limit: 100 USD
  period: month
  escalate: [{{at: 50%, do: notify}}, {{at: 100%, do: hold}}]
"
    )
}

/// Takes every post, and gives what it says of the budget of this test.
fn sink() -> (String, Receiver<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (give, take) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut length = 0;
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                if line.trim().is_empty() {
                    break;
                }
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            stream.write_all(answer).unwrap();
            let said: Value = serde_json::from_slice(&body).unwrap();
            if said["object"] == "pipelines" && give.send(said).is_err() {
                return;
            }
        }
    });
    (url, take)
}

/// A demo that tells people.
struct Up(Demo);

impl Up {
    fn start(place: &Place, config: &str) -> Self {
        let config = place.file("tells.yaml", config);
        Self(Demo::start(place, &["--for", "60s", "--speed", "600", "--config", &config]))
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        self.0.json(method, path, Some(body))
    }

    /// The budget of this test.
    fn budget(&self) -> Value {
        let (_, body) = self.ask("GET", "/budgets", &Value::Null);
        let items = body["items"].as_array().unwrap();
        items.iter().find(|it| it["budget"] == "pipelines").unwrap().clone()
    }

    /// Reserves as soon as there was a tick.
    fn reserve(&self, amount: &str) -> u16 {
        let wanted = json!({
            "estimate": amount, "for": "evaluation", "labels": {"pipeline": "nightly"},
            "hold": "700h",
        });
        for _ in 0..100 {
            let (status, _) = self.ask("POST", "/reservations", &wanted);
            if status != 503 {
                return status;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("there is no tick")
    }
}

#[test]
fn a_rung_is_told_once_and_when_a_larger_limit_ends_it() {
    let place = Place::new();
    let (url, told) = sink();
    let up = Up::start(&place, &config(&url));
    assert_eq!(up.reserve("80 USD"), 201);
    let first = told.recv_timeout(WAIT).unwrap();
    assert_eq!((&first["change"], &first["severity"]), (&json!("raised"), &json!("warning")));
    assert_eq!(first["summary"], "budget pipelines has reached 50.0 % of 100.00 USD");
    assert_eq!(up.reserve("30 USD"), 409);
    // What would be, without changing anything.
    let (status, would) =
        up.ask("POST", "/budgets/simulate", &json!({"limits": {"pipelines": "60 USD"}}));
    assert_eq!(status, 200, "{would}");
    let would = would["items"].as_array().unwrap();
    let would = would.iter().find(|it| it["budget"] == "pipelines").unwrap();
    assert_eq!((&would["left"], &would["rung"]), (&json!("-20.00"), &json!("hold")));
    assert_eq!(would["drivers"][0]["what"], "evaluation");
    assert_eq!(up.budget()["limit"], "100.00");
    // An operator allows more for a while: the reason is asked for, and shown.
    let path = "/budgets/pipelines/limit";
    let (status, _) = up.ask("POST", path, &json!({"limit": "500 USD", "why": "", "for": "700h"}));
    assert_eq!(status, 409);
    let (status, _) = up.ask("POST", path, &json!({"limit": "500 EUR", "why": "x"}));
    assert_eq!(status, 409);
    let allowed = json!({"limit": "500 USD", "why": "a deadline", "for": "700h"});
    assert_eq!(up.ask("POST", path, &allowed).0, 200);
    let budget = up.budget();
    assert_eq!((&budget["limit"], &budget["base"]), (&json!("500.00"), &json!("100.00")));
    assert_eq!(budget["allowed"]["why"], "a deadline");
    assert_eq!(up.reserve("30 USD"), 201);
    // It is over: told once more, and nothing in between.
    let last = told.recv_timeout(WAIT).unwrap();
    assert_eq!(last["change"], "resolved", "{last}");
    // What was told, and that it was carried, is in the journal.
    let (_, journal) = up.ask("GET", "/journal?limit=500", &Value::Null);
    let text = journal.to_string();
    assert!(text.contains("a deadline"), "{text}");
}

#[test]
fn the_command_line_changes_limits_in_the_journal() {
    let place = Place::new();
    let file = place.file("tells.yaml", config("http://127.0.0.1:9"));
    let farthing = |words: &[&str]| {
        let out = Command::new(PROGRAM)
            .args(["budget", "--config", &file, "--cluster", "lab"])
            .args(["--now", "2026-11-26T12:00:00Z"])
            .args(words)
            .current_dir(place.path())
            .env("FARTHING_DATA", place.state())
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (out.status.code().unwrap(), text(out.stdout), text(out.stderr))
    };
    let ask = ["check", "--label", "pipeline=nightly", "--estimate", "120USD"];
    assert_eq!(farthing(&ask).0, 3);
    let (code, out, _) = farthing(&["simulate", "--limit", "pipelines=50USD"]);
    assert_eq!(code, 0, "{out}");
    let words = ["override", "pipelines", "150USD", "--for", "4h", "--why", "a demo"];
    let (code, out, error) = farthing(&words);
    assert_eq!(code, 0, "{error}");
    assert!(
        out.contains("command line allowed this limit until 2026-11-26T16:00:00Z: a demo"),
        "{out}"
    );
    assert_eq!(farthing(&ask).0, 0);
    assert_eq!(farthing(&["override", "pipelines", "1USD", "--for", "0s", "--why", "over"]).0, 0);
    assert_eq!(farthing(&ask).0, 3);
    assert_eq!(farthing(&["set", "pipelines", "130 USD", "--why", "more people"]).0, 0);
    assert_eq!(farthing(&ask).0, 0);
    let (code, _, error) = farthing(&["set", "pipeline", "130 USD", "--why", "more people"]);
    assert_eq!(code, 2);
    assert!(error.contains("there is no budget `pipeline`"), "{error}");
}
