//! Killed under load, again and again: the journal verifies each time, and no reservation that was
//! acknowledged is lost, none is there twice, and none comes back.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, missing_docs, reason = "tests")]

#[path = "../../farthing-providers/tests/server/mod.rs"]
mod server;

use farthing_edge::Store;
use farthing_engine::{Answer, Ask, Gate};
use farthing_ledger::Books;
use farthing_model::{Budget, BudgetId, ClusterId, Currency, Limit, Money, Period, Scope};
use farthing_providers::postgres::{self, PostgresStore};
use farthing_providers::sqlite::{self, SqliteStore};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

/// How often it is killed.
const ROUNDS: usize = 50;
/// Threads that ask in each process.
const ASKERS: usize = 2;
const PLACE: &str = "FARTHING_TEST_STORE";

fn usd(text: &str) -> Money {
    Money::from_decimal(text, Currency::USD).unwrap()
}

fn lab() -> ClusterId {
    ClusterId::new("lab").unwrap()
}

fn now() -> Timestamp {
    "2026-11-26T12:00:00Z".parse().unwrap()
}

fn open(place: &str) -> Box<dyn Store> {
    if place.starts_with("postgres://") {
        return Box::new(PostgresStore::open(&place.parse().unwrap(), &lab()).unwrap());
    }
    Box::new(SqliteStore::open(Path::new(place)).unwrap())
}

fn gate(place: &str) -> Gate<Box<dyn Store>> {
    let budget = Budget {
        id: BudgetId::new("all").unwrap(),
        scope: Scope::All,
        limit: Limit::Money(usd("1000000")),
        period: Period::Month,
        hard: true,
        carry: None,
        escalate: Vec::new(),
    };
    Gate::open(open(place), (&Books::in_memory(), &lab()), vec![budget], Currency::USD).unwrap()
}

fn ask() -> Ask {
    Ask {
        what: "a run".to_owned(),
        team: None,
        labels: BTreeMap::new(),
        amount: usd("1.000000000001"),
        gpu_hours_milli: 0,
        expires: now().checked_add(SignedDuration::from_hours(1)).unwrap(),
        by: "test".to_owned(),
    }
}

#[test]
#[ignore = "the child of the tests below"]
fn child_asks_until_it_is_killed() {
    let place = std::env::var(PLACE).expect("started by its parent");
    std::thread::scope(|threads| {
        for _ in 0..ASKERS {
            threads.spawn(|| {
                let mut gate = gate(&place);
                for number in 0.. {
                    let Answer::Granted(claim) = gate.claim(&ask(), now()).unwrap() else {
                        panic!("there is room for all")
                    };
                    println!("granted {}", claim.id);
                    if number % 2 == 0 {
                        println!("begins {}", claim.id);
                        gate.settle(&claim.id, Some(usd("0.5")), "confirmed", now()).unwrap();
                        println!("settled {}", claim.id);
                    }
                }
            });
        }
    });
}

/// What was acknowledged before the children were killed.
#[derive(Default)]
struct Acknowledged {
    granted: BTreeSet<String>,
    /// That settling was begun; whether it was done is known only of the next.
    begun: BTreeSet<String>,
    settled: BTreeSet<String>,
}

/// Starts a child, and kills it after so many lines.
fn round(place: &str, lines: usize, seen: &mut Acknowledged) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_asks_until_it_is_killed"])
        .args(["--ignored", "--nocapture", "--test-threads=1"])
        .env(PLACE, place)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut count = 0;
    loop {
        let mut line = String::new();
        if output.read_line(&mut line).unwrap() == 0 {
            break;
        }
        // The first line of all shares its line with the harness; one that is cut off was not said.
        let Some(line) = line.strip_suffix('\n') else { break };
        let mut words = line.split_whitespace().rev();
        let (Some(id), Some(word)) = (words.next(), words.next()) else { continue };
        let kept = match word {
            "granted" => &mut seen.granted,
            "begins" => &mut seen.begun,
            "settled" => &mut seen.settled,
            _ => continue,
        };
        assert!(kept.insert(id.to_owned()), "{word} {id} twice");
        count += 1;
        if count == lines {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(count >= lines, "the child ended by itself after {count} lines");
}

fn killed_again_and_again(place: &str, verify: impl Fn() -> (u64, Option<String>)) {
    let mut seen = Acknowledged::default();
    for number in 0..ROUNDS {
        // Killed early and late, at whatever it is about.
        round(place, 1 + number % 17, &mut seen);
        let (checked, fault) = verify();
        assert_eq!(fault, None, "round {number}");
        assert!(checked >= u64::try_from(seen.granted.len() + seen.settled.len()).unwrap());
    }
    let gate = gate(place);
    let open: BTreeSet<String> = gate.claims().map(|claim| claim.id.clone()).collect();
    for id in &seen.granted {
        let may_be_open = !seen.settled.contains(id);
        let may_be_settled = seen.begun.contains(id);
        assert!(open.contains(id) || may_be_settled, "{id} was granted, and is lost");
        assert!(!open.contains(id) || may_be_open, "{id} was settled, and is back");
    }
    // Granted and not acknowledged: at most what each asker was about when it was killed.
    let silent = open.difference(&seen.granted).count();
    assert!(silent <= ROUNDS * ASKERS, "{silent} of {} were never asked for", open.len());
    // What is reserved is what is open, each once, to the unit.
    let count = i128::try_from(open.len()).unwrap();
    let state = &gate.exposures(now()).unwrap()[0].state;
    assert_eq!(state.committed.pico(), ask().amount.pico() * count);
    println!(
        "{} granted, {} settled, {silent} not heard of",
        seen.granted.len(),
        seen.settled.len()
    );
}

#[test]
fn a_file_is_whole_after_each_kill() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lab.journal");
    killed_again_and_again(path.to_str().unwrap(), || {
        let check = sqlite::verify(&path).unwrap();
        (check.checked, check.first_fault.map(|fault| fault.to_string()))
    });
}

#[test]
fn a_database_is_whole_after_each_kill() {
    let Some(server) = server::server() else { return };
    let url = server.fresh();
    killed_again_and_again(&url, || {
        let url = url.parse().unwrap();
        let check = postgres::verify_known(&url, &lab(), &[], &mut |_| {}).unwrap();
        (check.checked, check.first_fault.map(|fault| fault.to_string()))
    });
}
