//! What lasts over the end of a loop, and what is taken while it runs: log-ins, manifests that are
//! read again, and the turn to run.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failed test")]

mod program;

use nix::sys::signal::Signal;
use program::up::Demo;
use program::{PROGRAM, Place};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const EVERY: [&str; 4] = ["--every", "1s", "--for", "2m"];

/// Asks with the cookie and the word of a session: the status, the head and the content.
fn ask(
    running: &Demo,
    (method, path): (&str, &str),
    (cookie, csrf): (&str, &str),
    body: &str,
) -> (u16, String, String) {
    let mut stream = TcpStream::connect(&running.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let (address, length) = (&running.address, body.len());
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nCookie: {cookie}\r\n\
         X-Farthing-CSRF: {csrf}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n\
         {body}"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head.to_owned(), body.to_owned())
}

/// Logs in: the cookie and the word of the session.
fn log_in(running: &Demo, token: &str) -> (String, String) {
    let body = json!({ "token": token }).to_string();
    let began = Instant::now();
    loop {
        let (status, head, said) = ask(running, ("POST", "/api/v1/session"), ("", ""), &body);
        // What another process writes counts soon.
        if status != 200 && began.elapsed() < Duration::from_secs(15) {
            std::thread::sleep(Duration::from_millis(100));
            continue;
        }
        assert_eq!(status, 200, "{said}");
        let line = head.lines().find(|line| line.to_lowercase().starts_with("set-cookie:"));
        let cookie = line.unwrap().split_once(": ").unwrap().1.split(';').next().unwrap();
        let told: Value = serde_json::from_str(&said).unwrap();
        return (cookie.to_owned(), told["csrf"].as_str().unwrap().to_owned());
    }
}

#[test]
fn a_log_in_lasts_over_a_crash_until_it_is_ended_or_its_token_is_revoked() {
    let place = Place::new();
    let start = || Demo::up(&place, &[&["--auth"], &EVERY[..]].concat());
    let running = start();
    let made = place.run(&["token", "create", "anna", "--role", "operator", "--output", "json"]);
    let made: Value = serde_json::from_str(&made.out).unwrap();
    let (token, id) = (made["token"].as_str().unwrap(), made["id"].as_str().unwrap());
    let (stays, leaves) = (log_in(&running, token), log_in(&running, token));
    let session = ("GET", "/api/v1/session");
    let with = |it: &(String, String)| (it.0.clone(), it.1.clone());
    let of = |running: &Demo, it: &(String, String)| {
        let (cookie, csrf) = with(it);
        ask(running, session, (&cookie, &csrf), "")
    };
    let (cookie, csrf) = with(&leaves);
    assert_eq!(ask(&running, ("POST", "/api/v1/session/end"), (&cookie, &csrf), "").0, 204);
    running.kill();
    let running = start();
    let (status, _, said) = of(&running, &stays);
    assert_eq!(status, 200, "{said}");
    let told: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&told["user"]["name"], &told["csrf"]), (&json!("anna"), &json!(stays.1)));
    assert_eq!(of(&running, &leaves).0, 401, "who logged out stays out");
    // What changes something still takes the word of the session.
    let cookie = stays.0.as_str();
    assert_eq!(ask(&running, ("POST", "/api/v1/session/end"), (cookie, "wrong"), "").0, 403);
    assert_eq!(place.run(&["token", "revoke", id]).code, 0);
    running.kill();
    let running = start();
    assert_eq!(of(&running, &stays).0, 401, "its token is revoked");
    running.kill();
    // Others could have written what is in it.
    let file = std::fs::read_dir(place.state()).unwrap().map(|entry| entry.unwrap().path());
    let file = file.into_iter().find(|path| path.extension().is_some_and(|it| it == "sessions"));
    let file = file.unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(!text.contains(stays.0.split_once('=').unwrap().1), "{text}");
    let set = Command::new("chmod").arg("666").arg(&file).status().unwrap();
    assert!(set.success());
    let running = start();
    let mode = Command::new("stat").args(["-c", "%a"]).arg(&file).output().unwrap();
    assert_eq!(String::from_utf8(mode.stdout).unwrap().trim(), "600");
    drop(running);
}

fn budget(name: &str, limit: &str) -> String {
    format!(
        "apiVersion: farthing.dev/v1alpha1\nkind: Budget\nmetadata: {{name: {name}}}\nspec:\n  \
         scope: all\n  limit: {limit}\n  period: month\n---\n"
    )
}

#[test]
fn manifests_are_read_again_on_a_signal_all_or_none_of_them() {
    let place = Place::new();
    place.file("team.yaml", budget("everybody", "100 USD"));
    let running = Demo::up(&place, &[&["--config", "team.yaml"], &EVERY[..]].concat());
    let limits = |running: &Demo, expect: &[(&str, &str)]| {
        let began = Instant::now();
        loop {
            let (_, said) = running.json("GET", "/budgets", None);
            let items = said["items"].as_array().cloned().unwrap_or_default();
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let seen: Vec<(String, String)> =
                items.iter().map(|it| (text(&it["budget"]), text(&it["limit"]))).collect();
            if seen.iter().map(|(a, b)| (a.as_str(), b.as_str())).eq(expect.iter().copied()) {
                return;
            }
            assert!(began.elapsed() < Duration::from_secs(20), "{seen:?} and not {expect:?}");
            std::thread::sleep(Duration::from_millis(100));
        }
    };
    limits(&running, &[("everybody", "100.00")]);
    place.file("team.yaml", budget("everybody", "50 USD") + &budget("more", "7.5 USD"));
    running.signal(Signal::SIGHUP);
    let line = running.says("SIGHUP");
    assert!(line.contains("team.yaml read again: 2 budgets"), "{line}");
    limits(&running, &[("everybody", "50.00"), ("more", "7.50")]);
    // One of two is not in order: neither is taken.
    place.file("team.yaml", budget("everybody", "1 USD") + &budget("more", "many USD"));
    running.signal(Signal::SIGHUP);
    let line = running.says("SIGHUP");
    assert!(line.contains("what was told before holds") && line.contains("team.yaml"), "{line}");
    limits(&running, &[("everybody", "50.00"), ("more", "7.50")]);
    // In another currency than the books nothing could be planned any more.
    place.file("team.yaml", budget("everybody", "1 USD") + &budget("theirs", "100 EUR"));
    running.signal(Signal::SIGHUP);
    let line = running.says("SIGHUP");
    let why = "Budget theirs: `limit` is 100.00 EUR, and the books are in USD";
    assert!(line.contains("team.yaml:11:") && line.contains(why), "{line}");
    limits(&running, &[("everybody", "50.00"), ("more", "7.50")]);
    let journal = place.run(&["journal", "export", "-"]);
    let journal = if journal.code == 0 {
        journal.out
    } else {
        running.ask("GET", "/api/v1/journal?limit=100", "", "").1
    };
    assert_eq!(journal.matches("reconfigured").count(), 1, "{journal}");
    assert!(journal.contains("what was told before holds"), "{journal}");
    // The gate of another process knows the new ones.
    let checked = place.run(&["budget", "check", "--estimate", "8USD"]);
    assert!(checked.out.contains("more"), "{} {}", checked.out, checked.said);
}

#[test]
fn a_second_loop_on_a_journal_waits_until_the_first_is_gone() {
    let place = Place::new();
    let first = Demo::up(&place, &EVERY);
    let mut second = Command::new(PROGRAM)
        .args(["up", "--no-listen"])
        .args(EVERY)
        .current_dir(place.path())
        .env("FARTHING_DATA", place.state())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(second.stderr.take().unwrap()).lines().map_while(Result::ok);
    let line = said.find(|line| line.starts_with("waits: ")).unwrap();
    assert!(line.starts_with("waits: process ") && line.contains(".journal"), "{line}");
    // Neither is its journal put back from a file meanwhile.
    let backup = place.run(&["store", "backup", "journal.jsonl"]);
    assert_eq!(backup.code, 0, "{}", backup.said);
    let restored = place.run(&["store", "restore", "journal.jsonl", "--replace"]);
    assert!(restored.code != 0 && restored.said.contains("stop it first"), "{}", restored.said);
    first.kill();
    let line = said.next().unwrap();
    assert!(!line.starts_with("waits"), "{line}");
    second.kill().unwrap();
    second.wait().unwrap();
    let verified = place.run(&["verify", "--output", "json"]);
    assert!(verified.out.contains("\"ok\": true"), "{}", verified.out);
}

/// Of a loop that runs, and of one that ended: what is copied is sound, and says what it has.
#[test]
fn a_backup_with_books_is_books_and_a_journal_of_one_moment() {
    let place = Place::new();
    let running = Demo::start(&place, &["--for", "40s"]);
    // Until some hours are over in the simulated time.
    let (began, books) = (Instant::now(), place.state().join("books"));
    let hours = || {
        let files = program::files(&books);
        files.iter().filter(|file| file.to_string_lossy().contains("/charges/")).count()
    };
    while hours() < 4 {
        assert!(began.elapsed() < Duration::from_secs(30), "{} hours", hours());
        std::thread::sleep(Duration::from_millis(100));
    }
    let backup = |name: &str| {
        let (file, folder) = (format!("{name}.jsonl"), format!("{name}-books"));
        let run =
            place.run(&["store", "backup", &file, "--with-books", &folder, "--output", "json"]);
        assert_eq!(run.code, 0, "{}", run.said);
        let told: Value = serde_json::from_str(&run.out).unwrap();
        assert!(told["books_files"].as_u64().unwrap() > 2, "{told}");
        let restore = format!(
            "FARTHING_DATA=$PWD/{name}-state $FARTHING store restore {file} && \
             FARTHING_DATA=$PWD/{name}-state $FARTHING verify --books {folder} --output json"
        );
        let verified = place.shell(&restore);
        assert!(verified.out.contains("\"ok\": true"), "{} {}", verified.out, verified.said);
        assert!(!verified.out.contains("\"ok\": false"), "{}", verified.out);
        told["books_until"].as_str().unwrap().to_owned()
    };
    let until = backup("running");
    assert!(until.ends_with(":00:00Z"), "{until}");
    running.kill();
    assert_eq!(backup("ended"), "the end");
    let cost = |books: &[&str]| {
        let run = place.run(&[&["cost", "--window", "30d", "--output", "json"], books].concat());
        let told: Value = serde_json::from_str(&run.out).unwrap();
        (told["paid"].clone(), told["used"].clone())
    };
    assert_eq!(cost(&[]), cost(&["--books", "ended-books"]));
    // Never into what is there.
    let twice = place.run(&["store", "backup", "x.jsonl", "--with-books", "ended-books"]);
    assert!(twice.code != 0 && twice.said.contains("it is there already"), "{}", twice.said);
    let without = place.run(&["store", "backup", "y.jsonl"]);
    assert!(without.out.contains("--with-books"), "{}", without.out);
}
