//! Two loops on one PostgreSQL: one leads, the other goes on when it is killed; and a loop whose
//! connection is cut goes on by itself.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, missing_docs, reason = "tests")]

mod program;
#[path = "../../farthing-providers/tests/server/mod.rs"]
mod server;

use farthing_edge::{MemoryStore, Record, RecordKind, Store};
use farthing_ledger::{Books, Weights};
use farthing_model::ClusterId;
use farthing_providers::catalog;
use farthing_providers::postgres::{Campaign, PostgresStore};
use farthing_sim::{Race, Records, Scenario};
use jiff::SignedDuration;
use program::{PROGRAM, Place};
use serde_json::Value;
use server::{Server, database};
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// A running loop, and the lines that it says.
struct Loop {
    child: Child,
    lines: Receiver<String>,
    said: Vec<String>,
}

impl Loop {
    fn start(place: &Place, url: &str) -> Self {
        let mut child = Command::new(PROGRAM)
            .args(["up", "--no-listen", "--every", "1s", "--for", "2m", "--store", url])
            .current_dir(place.path())
            .env("FARTHING_DATA", place.state())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = channel();
        let stderr = child.stderr.take().unwrap();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        Self { child, lines, said: Vec::new() }
    }

    /// Waits for a line.
    fn says(&mut self, words: &str) -> String {
        let until = Instant::now() + Duration::from_secs(30);
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let Ok(line) = self.lines.recv_timeout(left) else {
                panic!("`{words}` is not said: {}", self.said.join("\n"))
            };
            self.said.push(line.clone());
            if line.contains(words) {
                return line;
            }
        }
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ends it as Ctrl-C does; its exit code.
    fn end(&mut self) -> Option<i32> {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn verified(place: &Place, url: &str) -> Value {
    let run = place.run(&["verify", "--store", url, "--output", "json"]);
    assert_eq!(run.code, 0, "{}{}", run.out, run.said);
    serde_json::from_str(&run.out).unwrap()
}

fn records(server: &Server, url: &str) -> u64 {
    server.sql(database(url), "SELECT count(*) FROM farthing.journal").parse().unwrap()
}

#[test]
fn budgets_are_asked_where_the_last_run_kept_its_journal() {
    let Some(server) = server::server() else { return };
    let (place, url) = (Place::new(), server.fresh());
    let team = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/team.yaml");
    let up = ["up", "--no-listen", "--every", "1s", "--for", "3s", "--config", team, "--store"];
    let up = place.run(&[&up[..], &[&url]].concat());
    assert_eq!(up.code, 0, "{}", up.said);
    let check = ["budget", "check", "--team", "research", "--estimate", "1e9USD"];
    let ask = |password: &str| {
        let words = check.join(" ");
        place.shell(&format!("PGPASSWORD='{password}' \"$FARTHING\" {words} --strict"))
    };
    let asked = ask(server::PASSWORD);
    assert_eq!(asked.code, 3, "{}{}", asked.out, asked.said);
    assert!(asked.out.contains("does not fit"), "{}", asked.out);
    let refused = ask("another");
    assert_eq!(refused.code, 2, "{}{}", refused.out, refused.said);
    assert!(refused.said.contains("PGPASSWORD"), "{}", refused.said);
    assert!(
        !place
            .state()
            .read_dir()
            .unwrap()
            .any(|file| { file.unwrap().file_name().to_string_lossy().ends_with(".journal") })
    );
}

#[test]
fn when_the_leader_is_killed_the_other_goes_on() {
    let Some(server) = server::server() else { return };
    let (place, url) = (Place::new(), server.fresh());
    let mut first = Loop::start(&place, &url);
    assert!(first.says("leads").ends_with("term 1"), "{:?}", first.said);
    first.says(" | ");
    let mut second = Loop::start(&place, &url);
    let waits = second.says("waits: ");
    assert!(waits.contains(&format!("process {} leads", first.child.id())), "{waits}");
    assert!(!waits.contains("p@ss") && !waits.contains("p%40ss"), "{waits}");
    first.says(" | ");
    first.kill();
    let began = Instant::now();
    assert!(second.says("leads").ends_with("term 2"), "{:?}", second.said);
    println!("taken over in {:?}", began.elapsed());
    assert!(began.elapsed() < Duration::from_secs(5));
    second.says(" | ");
    // A third one waits, and takes over at once when the leader ends as it should.
    let mut third = Loop::start(&place, &url);
    third.says("waits: ");
    assert_eq!(second.end(), Some(0));
    assert!(third.says("leads").ends_with("term 3"), "{:?}", third.said);
    third.says(" | ");
    assert_eq!(third.end(), Some(0));
    let checked = verified(&place, &url);
    assert_eq!(checked["journal"]["checked"], records(server, &url));
    let begun = "SELECT count(*) FROM farthing.journal WHERE kind = 'started'";
    assert_eq!(server.sql(database(&url), begun), "3");
}

#[test]
fn a_loop_whose_connection_is_cut_goes_on_and_loses_nothing() {
    let Some(server) = server::server() else { return };
    let (place, url) = (Place::new(), server.fresh());
    let mut up = Loop::start(&place, &url);
    up.says(" | ");
    let name = database(&url);
    for _ in 0..3 {
        let cut = format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
        );
        server.sql("postgres", &cut);
        up.says(" | ");
        up.says(" | ");
    }
    assert!(!up.said.iter().any(|line| line.contains("failed")), "{:?}", up.said);
    assert_eq!(up.end(), Some(0));
    assert_eq!(verified(&place, &url)["journal"]["checked"], records(server, &url));
}

#[test]
fn a_leader_that_another_one_follows_stops_before_it_does_anything() {
    let Some(server) = server::server() else { return };
    let (place, url) = (Place::new(), server.fresh());
    let mut up = Loop::start(&place, &url);
    up.says(" | ");
    // As another leader would: the term counts up, whatever became of the lock.
    server.sql(database(&url), "UPDATE farthing.cluster SET term = term + 1");
    let cut = format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'",
        database(&url)
    );
    server.sql("postgres", &cut);
    let said = up.says("leads no more");
    assert!(said.contains("its term 1 is over"), "{said}");
    assert_eq!(up.child.wait().unwrap().code(), Some(1));
    verified(&place, &url);
}

#[test]
fn commands_read_the_database_and_say_what_is_wrong_with_an_address() {
    let Some(server) = server::server() else { return };
    let (place, url) = (Place::new(), server.fresh());
    let up = ["up", "--no-listen", "--for", "2s", "--every", "1s", "--store", url.as_str()];
    let run = place.run(&up);
    assert_eq!(run.code, 0, "{}", run.said);
    assert!(
        !place
            .path()
            .join("state")
            .read_dir()
            .unwrap()
            .flatten()
            .any(|entry| { entry.file_name().to_string_lossy().ends_with(".journal") })
    );
    let budget = place.file(
        "budget.yaml",
        "apiVersion: farthing.dev/v1alpha1\nkind: Budget\nmetadata: {name: all}\nspec: {scope: all, \
         limit: 10 USD, period: month, hard: true}\n",
    );
    let store = ["--store", url.as_str()];
    let ask = |estimate: &str| {
        let reserve = ["--config", &budget, "--estimate", estimate, "--reserve", "1h"];
        place.run(&[&["budget", "check"], &reserve[..], &store[..]].concat()).code
    };
    assert_eq!((ask("6USD"), ask("6USD"), ask("3USD")), (0, 3, 0));
    let listed =
        place.run(&[&["budget", "reservations", "--config", &budget], &store[..]].concat());
    assert_eq!(listed.code, 0, "{}", listed.said);
    verified(&place, &url);
    let wrong = place.run(&["verify", "--store", "mysql://x"]);
    assert_eq!(wrong.code, 2, "{}", wrong.said);
    assert!(wrong.said.contains("postgres://USER@HOST/DATABASE"), "{}", wrong.said);
}

/// The same journal, record by record, whether the store is asked in peace or its connection is cut
/// again and again: no step is lost, and none is done twice.
#[test]
fn a_run_whose_connection_is_cut_writes_what_it_would_have_written() {
    let Some(server) = server::server() else { return };
    let url = server.fresh();
    let lab = ClusterId::new("demo").unwrap();
    let mut store = PostgresStore::open(&url.parse().unwrap(), &lab).unwrap();
    assert!(matches!(store.campaign("test").unwrap(), Campaign::Leads(_)));
    let done = AtomicBool::new(false);
    let cut_off = std::thread::scope(|threads| {
        let cutter = threads.spawn(|| {
            let name = database(&url);
            let cut = format!(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
            );
            let mut times = 0;
            let until = Instant::now() + Duration::from_secs(60);
            while !done.load(Ordering::Relaxed) && Instant::now() < until {
                times += usize::from(!server.sql("postgres", &cut).is_empty());
                std::thread::sleep(Duration::from_millis(250));
            }
            times
        });
        let records = simulated(store);
        done.store(true, Ordering::Relaxed);
        (records, cutter.join().unwrap())
    });
    let (records, times) = cut_off;
    let calm = simulated(MemoryStore::default());
    assert!(records.iter().any(|record| record.kind == RecordKind::Intended));
    assert!(times >= 3, "cut {times} times in {} records", records.len());
    assert_eq!(records.len(), calm.len());
    assert_eq!(records, calm);
}

/// A simulated cluster for some hours, and all that its journal says.
fn simulated<S: Store>(store: S) -> Vec<Record> {
    let book = catalog::default_book();
    let scenario = Scenario::demo(1, &book.offers).unwrap();
    let prices = "gpu 2.50 USD/h\ncpu 0.03 USD/h\nmemory 0.004 USD/h\nstorage 0.0001 USD/h\n";
    let weights = Weights::from_text(prices).unwrap();
    let end = scenario.start.checked_add(SignedDuration::from_hours(12)).unwrap();
    let ours = Records { store, books: Books::in_memory() };
    let span = (SignedDuration::from_mins(5), end);
    let mut race = Race::new(&scenario, &weights, (ours, Records::in_memory()), span).unwrap();
    while race.step().unwrap().is_some() {}
    race.finish().unwrap();
    let (_, store, _) = race.ours.into_parts();
    store.read(1, usize::MAX).unwrap()
}
