//! What older programs wrote is read, named once, and left out; new records of that kind are
//! refused.

use super::*;
use crate::claim::{self, Answer, Claim, ClaimRecord};
use crate::error::EngineError;
use crate::exposure::{Exposure, Ground};
use crate::journal::Journal;
use crate::record::Body;
use farthing_edge::{MemoryStore, Store as _};
use farthing_model::{Budget, BudgetId, Period, Scope};
use jiff::Timestamp;
use proptest::prelude::*;
use std::collections::BTreeMap;

const USD: Currency = Currency::USD;

fn now() -> Timestamp {
    "2026-11-10T12:00:00Z".parse().unwrap()
}

fn money(text: &str) -> Money {
    text.parse().unwrap()
}

fn budgets() -> Vec<Budget> {
    let budget = |name: &str, limit: Limit, hard| Budget {
        id: BudgetId::new(name).unwrap(),
        scope: Scope::All,
        limit,
        period: Period::Month,
        hard,
        escalate: Vec::new(),
        carry: None,
    };
    vec![
        budget("hard", Limit::Money(money("100 USD")), true),
        budget("hours", Limit::GpuHoursMilli(5_000), false),
        budget("soft", Limit::Money(money("1 USD")), false),
    ]
}

fn ask(amount: Money) -> Ask {
    Ask {
        what: "a job".to_owned(),
        team: None,
        labels: BTreeMap::new(),
        amount,
        gpu_hours_milli: 0,
        expires: now() + SignedDuration::from_hours(100),
        by: "test".to_owned(),
    }
}

fn exposures(journal: &Journal<MemoryStore>) -> Vec<Exposure> {
    let ground = Ground { open: journal.state(), sums: Vec::new(), currency: USD };
    ground.exposures(&budgets(), now()).unwrap()
}

fn take(journal: &mut Journal<MemoryStore>, ask: &Ask) -> Result<Answer, EngineError> {
    claim::claim(journal, &budgets(), (&[], USD), ask, now())
}

fn settle(
    journal: &mut Journal<MemoryStore>,
    claim: &str,
    spent: Option<Money>,
) -> Result<(), EngineError> {
    claim::settle(journal, (claim, USD), (spent, "test"), now())
}

/// Writes what older programs wrote without looking at it.
fn written(journal: &mut Journal<MemoryStore>, id: &str, amount: &str, spent: Option<&str>) {
    let all = budgets().iter().map(|budget| budget.id.to_string()).collect();
    let claim = Claim { id: id.to_owned(), at: now(), ask: ask(money(amount)), budgets: all };
    journal.append(now(), &[Body::Claimed(ClaimRecord::of(&claim))]).unwrap();
    if let Some(spent) = spent {
        let (claim, spent) = (id.to_owned(), Some(spent.to_owned()));
        let body = Body::Released { claim, spent, why: "confirmed".to_owned() };
        journal.append(now(), &[body]).unwrap();
    }
}

#[test]
fn what_no_budget_can_count_is_refused_before_it_is_written() {
    let mut journal = Journal::open(MemoryStore::default()).unwrap();
    let Answer::Granted(granted) = take(&mut journal, &ask(money("5 USD"))).unwrap() else {
        panic!("it fits")
    };
    let head = journal.head();
    for (text, why) in [
        ("-1000000 USD", "is below zero: nothing or more can be reserved and spent"),
        ("1 EUR", "is not in USD: the budgets are in USD"),
        ("1000000000000000.01 USD", "is more than can be counted: at most 1000000000000000 USD"),
        ("100000000000000000000000000 USD", "is more than can be counted"),
    ] {
        for error in [
            settle(&mut journal, &granted.id, Some(money(text))).unwrap_err(),
            take(&mut journal, &ask(money(text))).unwrap_err(),
        ] {
            assert!(matches!(error, EngineError::Unfit(_)), "{error}");
            assert!(error.to_string().starts_with(&format!("{} {why}", money(text))), "{error}");
        }
    }
    let long = Ask { gpu_hours_milli: u64::MAX, ..ask(money("1 USD")) };
    let bad = Ask { what: "a\u{1b}[2Jb".to_owned(), ..ask(money("1 USD")) };
    let mut labelled = ask(money("1 USD"));
    labelled.labels.insert("a".to_owned(), "b\n".to_owned());
    for (ask, why) in [(long, "GPU-hours"), (bad, "'\\u{1b}'"), (labelled, "a label has")] {
        let error = take(&mut journal, &ask).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
    assert_eq!(journal.head(), head, "nothing is written");
    settle(&mut journal, &granted.id, Some(money("2 USD"))).unwrap();
    let hard = &exposures(&journal)[0].state;
    assert_eq!((hard.spent, hard.committed), (money("2 USD"), money("0 USD")));
}

#[test]
fn records_of_older_programs_are_read_left_out_and_named_once() {
    let mut journal = Journal::open(MemoryStore::default()).unwrap();
    // More than 38 digits of units, were they added to one another.
    let huge = Money::from_pico(i128::MAX, USD).to_string();
    written(&mut journal, "c1", "5 USD", Some("-1000000 USD"));
    written(&mut journal, "c2", "5 USD", Some("1 EUR"));
    written(&mut journal, "c3", "5 EUR", None);
    written(&mut journal, "c4", "5 USD", Some("3 USD"));
    let sums: Vec<_> = exposures(&journal).iter().map(|it| it.state.clone()).collect();
    for state in &sums {
        assert_eq!((state.spent, state.committed), (money("3 USD"), money("0 USD")));
    }
    assert!(exposures(&journal)[0].drivers.is_empty());
    for id in ["c5", "c6"] {
        written(&mut journal, id, &huge, Some(&huge));
        written(&mut journal, &format!("{id}-open"), &huge, None);
    }
    // It stays readable, and every sum that is made of it fits.
    let mut again = Journal::open(journal.into_store()).unwrap();
    for exposure in exposures(&again) {
        assert!(exposure.state.spent.pico() > 0 && exposure.state.committed.pico() > 0);
        exposure.rung().unwrap();
        exposure.gone().unwrap();
        exposure.reaches(farthing_model::Ratio::from_ppm(1_000_000)).unwrap();
    }
    assert!(matches!(take(&mut again, &ask(money("1 USD"))).unwrap(), Answer::Refused(_)));
    let said = again.state().odd(USD);
    let left = "which no budget counts";
    assert_eq!(
        said,
        [
            format!("reservation c1 was settled with -1000000.00 USD, {left}"),
            format!("reservation c2 was settled with 1.00 EUR, {left}"),
            format!("reservation c3 is of 5.00 EUR, {left}"),
        ]
    );
    let notes = said.into_iter().map(|text| Body::Noted { about: ABOUT.to_owned(), text });
    again.append(now(), &notes.collect::<Vec<_>>()).unwrap();
    assert!(Journal::open(again.into_store()).unwrap().state().odd(USD).is_empty());
}

#[test]
fn a_limit_is_reached_exactly_also_where_it_is_large() {
    let mut journal = Journal::open(MemoryStore::default()).unwrap();
    written(&mut journal, "c1", "0.000000000001 USD", Some("0.000000000003 USD"));
    let mut exposure = exposures(&journal).remove(0);
    for (limit, ppm, reached) in [
        (6, 500_000, true),
        (7, 500_000, false),
        (i128::MAX, 1, false),
        (3_000_000, 1, true),
        (3_000_001, 1, false),
        (0, 1_000_000, true),
    ] {
        exposure.state.limit = Limit::Money(Money::from_pico(limit, USD));
        let part = farthing_model::Ratio::from_ppm(ppm);
        assert_eq!(exposure.reaches(part).unwrap(), reached, "{limit} {ppm}");
    }
    let large = Limit::Money(money("1000000000000001 USD"));
    let why = exposure.try_limit(large).unwrap_err();
    assert!(why.contains("more than can be counted"), "{why}");
    assert!(exposure.try_limit(Limit::Money(money("5 EUR"))).is_err());
    exposure.try_limit(Limit::Money(money("5 USD"))).unwrap();
}

proptest! {
    /// Whatever is claimed and settled, the journal opens again, and its budgets can be told.
    #[test]
    fn whatever_is_asked_the_journal_stays_good(
        steps in prop::collection::vec(
            (any::<i128>(), any::<u64>(), 0_u8..4, any::<bool>()), 1..20,
        ),
    ) {
        let mut journal = Journal::open(MemoryStore::default()).unwrap();
        let eur: Currency = "EUR".parse().unwrap();
        for (pico, hours, shrink, settles) in steps {
            // Also amounts that are not refused.
            let pico = pico / [1, 1_000_000_000, 1 << 60, 1 << 90][usize::from(shrink)];
            let currency = if hours % 5 == 0 { eur } else { USD };
            let amount = Money::from_pico(pico, currency);
            let open = journal.state().claims.keys().next().cloned();
            match open.filter(|_| settles) {
                Some(claim) => drop(settle(&mut journal, &claim, Some(amount))),
                None => drop(take(&mut journal, &Ask { gpu_hours_milli: hours, ..ask(amount) })),
            }
            let before = exposures(&journal);
            for exposure in &before {
                prop_assert!(!exposure.state.spent.is_negative());
                prop_assert!(!exposure.state.committed.is_negative());
                exposure.rung().unwrap();
            }
            journal = Journal::open(journal.into_store()).unwrap();
            prop_assert_eq!(exposures(&journal), before);
            prop_assert!(journal.state().odd(USD).is_empty());
        }
        let store = journal.into_store();
        prop_assert!(store.head().is_ok());
    }
}
