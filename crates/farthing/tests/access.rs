//! Tokens at the command line, and a loop that asks for them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failed test")]

mod program;

use program::Place;
use program::up::Demo;
use serde_json::Value;
use std::time::{Duration, Instant};

/// A loop that runs until it is dropped.
struct Loop(Demo);

impl Loop {
    fn start(place: &Place, more: &[&str]) -> Self {
        Self(Demo::start(place, &[&["--for", "60s"], more].concat()))
    }

    fn get(&self, path: &str, token: &str) -> (u16, String) {
        self.0.ask("GET", path, "", token)
    }

    /// Asks again until the status is as it should be: what another process writes counts soon.
    fn until(&self, path: &str, token: &str, status: u16) -> String {
        let began = Instant::now();
        loop {
            let (answered, body) = self.get(path, token);
            if answered == status {
                return body;
            }
            assert!(began.elapsed() < Duration::from_secs(15), "{answered}: {body}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

#[test]
fn a_token_that_is_made_while_a_loop_runs_lets_in_until_it_is_revoked() {
    let place = Place::new();
    let running = Loop::start(&place, &["--auth"]);
    assert_eq!(running.get("/api/v1/tick", "").0, 401);
    assert_eq!(running.get("/healthz", "").0, 200);
    let arguments = ["token", "create", "anna", "--role", "admin", "--output", "json"];
    let made = place.run(&arguments);
    assert_eq!(made.code, 0, "{}", made.said);
    let made: Value = serde_json::from_str(&made.out).unwrap();
    let (token, id) = (made["token"].as_str().unwrap(), made["id"].as_str().unwrap());
    running.until("/api/v1/tick", token, 200);
    let session: Value =
        serde_json::from_str(&running.until("/api/v1/session", token, 200)).unwrap();
    assert_eq!(session["user"]["name"], "anna");
    let listed = place.run(&["token", "list"]);
    assert!(listed.out.contains(id) && listed.out.contains("anna"), "{}", listed.out);
    assert!(!listed.out.contains(token), "{}", listed.out);
    // Who was refused is in the journal, once.
    let journal = running.until("/api/v1/journal?kind=accessed,identity", token, 200);
    assert!(journal.contains("\"record\":\"issued\""), "{journal}");
    assert!(!journal.contains(&token[15..]), "{journal}");
    let revoked = place.run(&["token", "revoke", id]);
    assert_eq!(revoked.code, 0, "{}", revoked.said);
    running.until("/api/v1/tick", token, 401);
    drop(running);
    let verified = place.run(&["verify", "--output", "json"]);
    assert!(verified.out.contains("\"ok\": true"), "{}", verified.out);
}

#[test]
fn what_cannot_be_a_token_is_refused_in_words() {
    let place = Place::new();
    let none = place.run(&["token", "list"]);
    assert_eq!(none.code, 2, "{}", none.said);
    place.run(&["up", "--demo", "--history", "0s", "--for", "1s", "--no-listen"]);
    for (arguments, says) in [
        (&["create", "x", "--role", "root"][..], "is not a role"),
        (&["create", "x", "--role", "team"], "is for someone of a team"),
        (&["create", "x", "--scope", "steps"], "takes the role operator or more"),
        (&["create", "x", "--scope", "all"], "is not a scope"),
        (&["create", "x", "--expires", "soon"], "is not a duration"),
        (&["create", " "], "needs a name"),
        (&["revoke", "fth_0123456789"], "there is no token"),
        (&["revoke", "é"], "there is no token"),
    ] {
        let run = place.run(&[&["token"], arguments].concat());
        assert_eq!(run.code, 2, "{arguments:?}: {}", run.said);
        assert!(run.said.contains(says), "{arguments:?}: {}", run.said);
    }
    for (arguments, says) in [
        (&["--listen", "0.0.0.0:0"][..], "nobody would have to log in"),
        (&["--listen", "0.0.0.0:0", "--auth"], "nothing would be encrypted"),
        (&["--tls-cert", "a.pem"], "--tls-key"),
        (&["--tls-cert", "a.pem", "--tls-key", "b.pem"], "a.pem: not certificates in PEM"),
    ] {
        let run =
            place.run(&[&["up", "--demo", "--history", "0s", "--for", "1s"], arguments].concat());
        assert_eq!(run.code, 2, "{arguments:?}: {}", run.said);
        assert!(run.said.contains(says), "{arguments:?}: {}", run.said);
    }
}
