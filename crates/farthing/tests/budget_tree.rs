//! Budgets as a tree: what counts for a user counts for its project, team and company, and none of
//! them grants more than it has, whoever asks at once.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failed test")]

use farthing_edge::{Class, EdgeError, Head, MemoryStore, NewRecord, Record, Store};
use farthing_engine::{Answer, Ask, Gate, Shortage, Told};
use farthing_ledger::Books;
use farthing_model::{Budget, ClusterId, Currency, Limit, Money, Scope, TeamId};
use farthing_providers::manifest;
use farthing_providers::sqlite::{SqliteStore, verify};
use jiff::{SignedDuration, Timestamp};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Mutex;

const USD: Currency = Currency::USD;

const TREE: &str = "
kind: Budget
metadata: {name: a-company}
spec: {scope: all, limit: 60.000000000001 USD, period: month}
---
kind: Budget
metadata: {name: b-research}
spec: {scope: {team: research}, limit: 45 USD, period: month}
---
kind: Budget
metadata: {name: c-vision}
spec: {scope: {team: research, project: vision}, limit: 30 USD, period: week}
---
kind: Budget
metadata: {name: d-anna}
spec: {scope: {team: research, project: vision, user: anna}, limit: 20 GPU-hours, period: day}
";

fn usd(text: &str) -> Money {
    Money::from_decimal(text, USD).unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn now() -> Timestamp {
    at("2026-11-26T12:00:00Z")
}

fn budgets(text: &str) -> Vec<Budget> {
    manifest::parse(text, "m.yaml", now()).unwrap().budgets
}

fn ask(amount: &str, who: [&str; 3]) -> Ask {
    let [team, project, user] = who;
    let labels = [("project", project), ("user", user)];
    let labels = labels.into_iter().filter(|(_, value)| !value.is_empty());
    Ask {
        what: "a run".to_owned(),
        team: TeamId::new(team).ok(),
        labels: labels.map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
        amount: usd(amount),
        gpu_hours_milli: 1_000,
        expires: now().checked_add(SignedDuration::from_hours(1)).unwrap(),
        by: "test".to_owned(),
    }
}

fn gate<S: Store>(store: S, budgets: Vec<Budget>) -> Gate<S> {
    let cluster = ClusterId::new("lab").unwrap();
    Gate::open(store, (&Books::in_memory(), &cluster), budgets, USD).unwrap()
}

/// Leaves of the tree ask all at once, each through a connection of its own. What was granted is
/// added up here again, scope by scope: no level has a unit more than its limit, and nothing was
/// refused that would have fitted everywhere.
#[test]
fn two_hundred_at_once_overspend_no_level_of_the_tree() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lab.journal");
    drop(SqliteStore::open(&path).unwrap());
    let all = budgets(TREE);
    let askers = [
        ["research", "vision", "anna"],
        ["research", "vision", "ben"],
        ["research", "speech", "anna"],
        ["sales", "", ""],
    ];
    let granted: Mutex<Vec<Ask>> = Mutex::new(Vec::new());
    std::thread::scope(|threads| {
        for number in 0..200 {
            let (path, all, granted) = (&path, &all, &granted);
            threads.spawn(move || {
                let mut gate = gate(SqliteStore::open(path).unwrap(), all.clone());
                let ask = ask("1.000000000001", askers[number % askers.len()]);
                if let Answer::Granted(claim) = gate.claim(&ask, now()).unwrap() {
                    granted.lock().unwrap().push(claim.ask);
                }
            });
        }
    });
    let granted = granted.into_inner().unwrap();
    let counts = |scope: &Scope, ask: &Ask| scope.holds(ask.team.as_ref(), &ask.labels);
    let sum = |scope: &Scope| granted.iter().filter(|ask| counts(scope, ask)).count();
    let one = usd("1.000000000001").pico();
    for budget in &all {
        let count = i128::try_from(sum(&budget.scope)).unwrap();
        match budget.limit {
            Limit::Money(limit) => assert!(count * one <= limit.pico(), "{}: {count}", budget.id),
            Limit::GpuHoursMilli(milli) => assert!(count * 1_000 <= i128::from(milli)),
        }
    }
    // 59 times one and a bit is what the company allows, and 50 ask of the other team.
    assert_eq!(sum(&Scope::All), 59);
    let after = gate(SqliteStore::open(&path).unwrap(), all.clone());
    for exposure in after.exposures(now()).unwrap() {
        let counted = sum(&exposure.state.budget.scope);
        assert_eq!(exposure.claimed.pico(), one * i128::try_from(counted).unwrap());
        assert_eq!(exposure.gpu_claimed_milli, 1_000 * u64::try_from(counted).unwrap());
    }
    drop(after);
    let check = verify(&path).unwrap();
    assert_eq!((check.checked, check.first_fault), (59, None));
}

#[test]
fn the_hard_limit_of_a_parent_binds_its_children() {
    let mut gate = gate(MemoryStore::default(), budgets(TREE));
    let Answer::Granted(claim) =
        gate.claim(&ask("29", ["research", "vision", "anna"]), now()).unwrap()
    else {
        panic!("it fits")
    };
    assert_eq!(claim.budgets, ["a-company", "b-research", "c-vision", "d-anna"]);
    // There is room for the project of speech in none of its own budgets but in its team's.
    let short = gate.check(&ask("16.01", ["research", "speech", ""]), now()).unwrap();
    assert_eq!(short.len(), 1);
    assert_eq!(short[0].budget.as_str(), "b-research");
    assert!(gate.check(&ask("16", ["research", "speech", ""]), now()).unwrap().is_empty());
    let short = gate.check(&ask("31.01", ["sales", "", ""]), now()).unwrap();
    assert_eq!(short[0].budget.as_str(), "a-company");
}

#[test]
fn what_is_unspent_goes_on_up_to_its_cap() {
    let mut gate = gate(
        MemoryStore::default(),
        budgets(
            "
kind: Budget
metadata: {name: days}
spec:
  scope: all
  limit: 10 USD
  period: day
  carry: {max: 150%, since: 2026-11-23T00:00:00Z}
",
        ),
    );
    let mut spend = |amount: &str, at: Timestamp| {
        let ask = Ask { expires: Timestamp::MAX, ..ask(amount, ["", "", ""]) };
        let Answer::Granted(claim) = gate.claim(&ask, at).unwrap() else { return None };
        gate.settle(&claim.id, Some(usd(amount)), "confirmed", at).unwrap();
        Some(gate.exposures(at).unwrap().remove(0))
    };
    // The day itself, before anything went on; what was before `since` is nobody's saving.
    let first = spend("4", at("2026-11-23T10:00:00Z")).unwrap();
    assert_eq!(first.state.limit, Limit::Money(usd("10")));
    // 10 + 6: all of it can be spent, and no unit more.
    assert!(spend("16.000000000001", at("2026-11-24T10:00:00Z")).is_none());
    let second = spend("1", at("2026-11-24T10:00:00Z")).unwrap();
    assert_eq!(second.carried, Some(Limit::Money(usd("6"))));
    assert_eq!(second.state.budget.limit, Limit::Money(usd("10")));
    // 15 were left, which is the cap; a day on which nothing is asked leaves no more than that.
    let fourth = spend("25", at("2026-11-26T00:00:00Z")).unwrap();
    assert_eq!(fourth.state.limit, Limit::Money(usd("25")));
    // All was spent: the next day begins with its own.
    assert!(spend("10.01", at("2026-11-27T00:00:00Z")).is_none());
}

#[test]
fn a_rolling_budget_looks_back_at_every_moment() {
    let text = "
kind: Budget
metadata: {name: week}
spec: {scope: all, limit: 10 USD, period: {last: 7d}}
";
    let mut gate = gate(MemoryStore::default(), budgets(text));
    let ask = |amount: &str| Ask { expires: Timestamp::MAX, ..ask(amount, ["", "", ""]) };
    for (amount, when) in [("6", "2026-11-20T09:30:00Z"), ("4", "2026-11-24T00:00:00Z")] {
        let Answer::Granted(claim) = gate.claim(&ask(amount), at(when)).unwrap() else {
            panic!("{amount} fits")
        };
        gate.settle(&claim.id, Some(usd(amount)), "confirmed", at(when)).unwrap();
    }
    let left = |gate: &Gate<_>, when: &str| {
        let short = gate.check(&ask("1000"), at(when)).unwrap();
        let Shortage::Money { left, .. } = short[0].why else { panic!("{short:?}") };
        left
    };
    assert_eq!(left(&gate, "2026-11-27T09:59:59Z"), usd("0"));
    assert_eq!(left(&gate, "2026-11-27T10:00:00Z"), usd("6"));
    assert_eq!(left(&gate, "2026-12-01T01:00:00Z"), usd("10"));
}

#[test]
fn an_operator_allows_more_for_a_while_and_for_good() {
    let all = budgets(
        "kind: Budget\nmetadata: {name: b}\nspec: {scope: all, limit: 10 USD, period: month}",
    );
    let mut gate = gate(MemoryStore::default(), all.clone());
    let left = |gate: &Gate<MemoryStore>, at: Timestamp| {
        let state = gate.exposures(at).unwrap().remove(0).state;
        (state.limit, state.budget.limit)
    };
    let money = |text: &str| Limit::Money(usd(text));
    let hour = now().checked_add(SignedDuration::from_hours(1)).unwrap();
    let told =
        Told { budget: "b", limit: money("25"), until: Some(hour), why: "a demo", by: "eva" };
    gate.limit(&told, now()).unwrap();
    // For later periods nothing more is counted on.
    assert_eq!(left(&gate, now()), (money("25"), money("10")));
    assert_eq!(left(&gate, hour), (money("10"), money("10")));
    gate.limit(&Told { limit: money("5"), ..told }, now()).unwrap();
    assert_eq!(left(&gate, now()), (money("5"), money("5")));
    gate.limit(&Told { limit: money("12"), until: None, ..told }, now()).unwrap();
    assert_eq!(left(&gate, hour), (money("12"), money("12")));
    for (told, wrong) in [
        (Told { budget: "c", ..told }, "there is no budget `c`"),
        (
            Told { why: " ", ..told },
            "the limit of budget `b` cannot be changed: say why, in up to 500 bytes",
        ),
        (
            Told { limit: Limit::GpuHoursMilli(1), ..told },
            "the limit of budget `b` cannot be changed: its limit is in money",
        ),
    ] {
        assert_eq!(gate.limit(&told, now()).unwrap_err().to_string(), wrong);
    }
}

/// What was set for good counts until the manifest says something else than it said then.
#[test]
fn a_manifest_that_changes_ends_what_was_set() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lab.journal");
    let with = |limit: &str| {
        let text =
            "kind: Budget\nmetadata: {name: b}\nspec: {scope: all, limit: LIMIT, period: day}";
        gate(SqliteStore::open(&path).unwrap(), budgets(&text.replace("LIMIT", limit)))
    };
    let limit = Limit::Money(usd("50"));
    let told = Told { budget: "b", limit, until: None, why: "more people", by: "eva" };
    with("10 USD").limit(&told, now()).unwrap();
    let now_of = |limit: &str| with(limit).exposures(now()).unwrap().remove(0).state.limit;
    assert_eq!(now_of("10 USD"), Limit::Money(usd("50")));
    assert_eq!(now_of("20 USD"), Limit::Money(usd("20")));
}

#[test]
fn scopes_are_read_level_by_level() {
    let all = budgets(TREE);
    let parents: BTreeMap<&str, &str> =
        all.iter().filter_map(|it| Some((it.id.as_str(), it.parent(&all)?.id.as_str()))).collect();
    let expect = [("b-research", "a-company"), ("c-vision", "b-research"), ("d-anna", "c-vision")];
    assert_eq!(parents, BTreeMap::from(expect));
}

/// A store of a process that dies at its n-th append: before it is written, or after.
#[derive(Clone, Debug)]
struct Mortal {
    store: Rc<RefCell<MemoryStore>>,
    left: usize,
    after: bool,
}

impl Store for Mortal {
    fn head(&self) -> Result<Head, EdgeError> {
        self.store.borrow().head()
    }

    fn append(&mut self, expected: &Head, new: &[NewRecord]) -> Result<Vec<Record>, EdgeError> {
        let dead = || EdgeError::new(Class::Exhausted, "the process is gone");
        if self.left == 0 {
            return Err(dead());
        }
        self.left -= 1;
        if self.left == 0 && !self.after {
            return Err(dead());
        }
        let written = self.store.borrow_mut().append(expected, new)?;
        if self.left == 0 { Err(dead()) } else { Ok(written) }
    }

    fn read(&self, from: u64, limit: usize) -> Result<Vec<Record>, EdgeError> {
        self.store.borrow().read(from, limit)
    }
}

/// The process dies at each point between asking, spending and telling. Whoever comes next sees
/// what was reserved, neither lost nor twice, and it is free again when it expires or is ended.
#[test]
fn a_crash_at_any_point_loses_and_doubles_no_reservation() {
    let all = budgets(TREE);
    let who = ["research", "", ""];
    for (point, after) in [(1, false), (1, true), (2, false), (2, true)] {
        let store = Rc::new(RefCell::new(MemoryStore::default()));
        let mortal = |left| Mortal { store: Rc::clone(&store), left, after };
        let mut first = gate(mortal(point), all.clone());
        // Asked for, spent, and told, until it dies.
        let claimed = first.claim(&ask("10", who), now());
        if let Ok(Answer::Granted(claim)) = &claimed {
            assert!(first.settle(&claim.id, Some(usd("7")), "confirmed", now()).is_err());
        }
        drop(first);
        let mut next = gate(mortal(usize::MAX), all.clone());
        let state = next.exposures(now()).unwrap().remove(1).state;
        let open: Vec<String> = next.claims().map(|claim| claim.id.clone()).collect();
        // What was written is there once; what was not never was.
        let (spent, committed, claims) = match (point, after) {
            (1, false) => ("0", "0", 0),
            (1, true) | (2, false) => ("0", "10", 1),
            _ => ("7", "0", 0),
        };
        assert_eq!((state.spent, state.committed), (usd(spent), usd(committed)), "{point} {after}");
        assert_eq!(open.len(), claims);
        // By time, and before that by whoever knows what became of it.
        let expired = now().checked_add(SignedDuration::from_hours(1)).unwrap();
        let state = next.exposures(expired).unwrap().remove(1).state;
        assert_eq!(state.committed, usd("0"));
        for id in &open {
            next.settle(id, Some(usd("7")), "found after a crash", now()).unwrap();
            assert!(next.settle(id, Some(usd("7")), "twice", now()).is_err());
            let state = next.exposures(now()).unwrap().remove(1).state;
            assert_eq!((state.spent, state.committed), (usd("7"), usd("0")));
        }
    }
}
