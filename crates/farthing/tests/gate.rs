//! The gate in front of budgets: whatever asks at once, and whatever crashes, no more is granted
//! than there is.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failed test")]

#[path = "../../farthing-providers/tests/server/mod.rs"]
mod server;

use farthing_edge::{Head, MemoryStore, Store};
use farthing_engine::{Answer, Ask, Gate, Shortage};
use farthing_ledger::Books;
use farthing_model::{
    Budget, BudgetId, ClusterId, Currency, Escalation, EscalationAction, Limit, Mode, Money,
    Period, Ratio, Scope, TeamId,
};
use farthing_providers::postgres::{self, PgUrl, PostgresStore};
use farthing_providers::sqlite::{SqliteStore, verify};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};

const USD: Currency = Currency::USD;

fn usd(text: &str) -> Money {
    Money::from_decimal(text, USD).unwrap()
}

fn now() -> Timestamp {
    "2026-11-26T12:00:00Z".parse().unwrap()
}

fn team(name: &str) -> TeamId {
    TeamId::new(name).unwrap()
}

fn budget(name: &str, scope: Scope, limit: Limit) -> Budget {
    let id = BudgetId::new(name).unwrap();
    Budget {
        id,
        scope,
        limit,
        period: Period::Month,
        hard: true,
        escalate: Vec::new(),
        carry: None,
    }
}

fn research(limit: &str) -> Vec<Budget> {
    let all = budget("all", Scope::All, Limit::Money(usd("1000000")));
    let team = Scope::Team(team("research"));
    vec![all, budget("research", team, Limit::Money(usd(limit)))]
}

fn ask(amount: &str) -> Ask {
    Ask {
        what: "a run".to_owned(),
        team: Some(team("research")),
        labels: BTreeMap::new(),
        amount: usd(amount),
        gpu_hours_milli: 0,
        expires: now().checked_add(SignedDuration::from_hours(1)).unwrap(),
        by: "test".to_owned(),
    }
}

fn gate<S: Store>(store: S, budgets: Vec<Budget>) -> Gate<S> {
    let cluster = ClusterId::new("lab").unwrap();
    Gate::open(store, (&Books::in_memory(), &cluster), budgets, USD).unwrap()
}

#[test]
fn two_hundred_at_once_cannot_overspend_by_one_unit_of_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lab.journal");
    two_hundred_at_once(|| SqliteStore::open(&path).unwrap());
    let check = verify(&path).unwrap();
    assert_eq!((check.checked, check.first_fault), (36, None));
}

#[test]
fn two_hundred_at_once_cannot_overspend_by_one_unit_of_a_database() {
    let Some(server) = server::server() else { return };
    let url: PgUrl = server.fresh().parse().unwrap();
    let cluster = ClusterId::new("lab").unwrap();
    two_hundred_at_once(|| PostgresStore::open(&url, &cluster).unwrap());
    let check = postgres::verify_known(&url, &cluster, &[], &mut |_| {}).unwrap();
    assert_eq!((check.checked, check.first_fault), (36, None));
}

/// Asks of 200 who have a connection each, as 200 processes have, and who are let go together.
fn two_hundred_at_once<S: Store>(open: impl Fn() -> S + Sync) {
    drop(open());
    let together = Barrier::new(200);
    // 37 of these fit, and one unit more does not.
    let limit = "37.000000000036";
    let granted = AtomicUsize::new(0);
    std::thread::scope(|threads| {
        for _ in 0..200 {
            threads.spawn(|| {
                let mut gate = gate(open(), research(limit));
                together.wait();
                match gate.claim(&ask("1.000000000001"), now()).unwrap() {
                    Answer::Granted(_) => {
                        granted.fetch_add(1, Ordering::Relaxed);
                    }
                    Answer::Refused(short) => assert_eq!(short[0].budget.as_str(), "research"),
                }
            });
        }
    });
    // 37 times 1.000000000001 is one unit more than the limit.
    assert_eq!(granted.into_inner(), 36);
    let after = gate(open(), research(limit));
    let exposures = after.exposures(now()).unwrap();
    for exposure in &exposures {
        assert_eq!(exposure.state.committed, usd("36.000000000036"));
    }
}

#[test]
fn a_claim_counts_until_it_ends_or_expires() {
    let mut gate = gate(MemoryStore::default(), research("10"));
    let Answer::Granted(claim) = gate.claim(&ask("6"), now()).unwrap() else { panic!("it fits") };
    assert_eq!(claim.budgets, ["all", "research"]);
    let Answer::Refused(short) = gate.claim(&ask("4.01"), now()).unwrap() else {
        panic!("it does not fit")
    };
    let why = Shortage::Money { left: usd("4"), asked: usd("4.01") };
    assert_eq!((short.len(), &short[0].why), (1, &why));
    // Of another team it fits: the budget of this one does not count it.
    assert!(gate.check(&Ask { team: None, ..ask("4.01") }, now()).unwrap().is_empty());
    // What was spent stays spent, and the rest is free again.
    gate.settle(&claim.id, Some(usd("2.5")), "confirmed", now()).unwrap();
    let state = &gate.exposures(now()).unwrap()[1].state;
    assert_eq!((state.spent, state.committed), (usd("2.5"), usd("0")));
    let error = gate.settle(&claim.id, None, "again", now()).unwrap_err();
    assert_eq!(error.to_string(), format!("there is no open claim `{}`", claim.id));
    // One that nobody ends stops counting by itself, and can be settled late.
    let Answer::Granted(lost) = gate.claim(&ask("7.5"), now()).unwrap() else { panic!("it fits") };
    let later = now().checked_add(SignedDuration::from_hours(1)).unwrap();
    assert!(gate.check(&ask("1"), now()).unwrap().len() == 1);
    assert!(gate.check(&ask("7.5"), later).unwrap().is_empty());
    gate.settle(&lost.id, Some(usd("7.5")), "told late", later).unwrap();
    assert_eq!(gate.check(&ask("0.01"), later).unwrap().len(), 1);
    // Next month is another matter.
    let december = "2026-12-01T00:00:00Z".parse().unwrap();
    assert!(gate.check(&ask("10"), december).unwrap().is_empty());
}

#[test]
fn a_limit_in_accelerator_hours_holds_too() {
    let limit = Limit::GpuHoursMilli(10_000);
    let mut gate = gate(MemoryStore::default(), vec![budget("gpus", Scope::All, limit)]);
    let hours = |milli| Ask { gpu_hours_milli: milli, ..ask("0") };
    assert!(matches!(gate.claim(&hours(9_999), now()).unwrap(), Answer::Granted(_)));
    assert!(matches!(gate.claim(&hours(1), now()).unwrap(), Answer::Granted(_)));
    let short = gate.check(&hours(1), now()).unwrap();
    assert_eq!(short[0].why, Shortage::GpuHours { left_milli: 0, asked_milli: 1 });
}

#[test]
fn an_escalation_that_holds_lets_nothing_new_in() {
    let mut budgets = research("100");
    let rung = |ppm, action| Escalation { at: Ratio::from_ppm(ppm), action, mode: Mode::Enforce };
    budgets[1].hard = false;
    budgets[1].escalate =
        vec![rung(500_000, EscalationAction::Notify), rung(800_000, EscalationAction::Hold)];
    let mut gate = gate(MemoryStore::default(), budgets);
    for amount in ["50", "30"] {
        assert!(matches!(gate.claim(&ask(amount), now()).unwrap(), Answer::Granted(_)));
    }
    let short = gate.check(&ask("0.01"), now()).unwrap();
    assert_eq!(short[0].why, Shortage::Held(Ratio::from_ppm(800_000)));
}

/// A store that writes and then says that it does not know, as a lost connection does.
#[derive(Debug, Default)]
struct Forgetful {
    store: MemoryStore,
    appended: usize,
}

impl Store for Forgetful {
    fn head(&self) -> Result<Head, farthing_edge::EdgeError> {
        self.store.head()
    }

    fn append(
        &mut self,
        expected: &Head,
        records: &[farthing_edge::NewRecord],
    ) -> Result<Vec<farthing_edge::Record>, farthing_edge::EdgeError> {
        let written = self.store.append(expected, records)?;
        self.appended += 1;
        if self.appended % 2 == 1 {
            let class = farthing_edge::Class::Transient;
            return Err(farthing_edge::EdgeError::new(class, "the connection was lost"));
        }
        Ok(written)
    }

    fn read(
        &self,
        from: u64,
        limit: usize,
    ) -> Result<Vec<farthing_edge::Record>, farthing_edge::EdgeError> {
        self.store.read(from, limit)
    }
}

#[test]
fn an_answer_that_was_lost_is_neither_lost_nor_doubled() {
    let mut gate = gate(Forgetful::default(), research("10"));
    for left in ["4", "6", "8"] {
        let Answer::Granted(claim) = gate.claim(&ask("2"), now()).unwrap() else {
            panic!("it fits")
        };
        assert_eq!(gate.claims().count(), 1, "{claim:?}");
        gate.settle(&claim.id, Some(usd("2")), "confirmed", now()).unwrap();
        assert_eq!(gate.claims().count(), 0);
        let spent = gate.exposures(now()).unwrap()[1].state.spent;
        assert_eq!(usd(left).pico(), usd("2").pico() + spent.pico());
    }
}
