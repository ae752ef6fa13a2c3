use super::*;
use crate::claim::claim;
use farthing_edge::MemoryStore;
use farthing_model::{BudgetId, Escalation, EscalationAction, Limit, Mode, Money, Period};
use farthing_model::{Ratio, Scope};
use jiff::SignedDuration;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn usd(dollars: i128) -> Money {
    Money::from_pico(dollars * 1_000_000_000_000, Currency::USD)
}

fn now() -> Timestamp {
    "2026-11-10T12:00:00Z".parse().unwrap()
}

fn budget(limit: i128) -> Budget {
    Budget {
        id: BudgetId::new("all").unwrap(),
        scope: Scope::All,
        limit: Limit::Money(usd(limit)),
        period: Period::Month,
        hard: true,
        escalate: vec![Escalation {
            at: Ratio::from_ppm(500_000),
            action: EscalationAction::Hold,
            mode: Mode::Enforce,
        }],
        carry: None,
    }
}

fn ask(dollars: i128) -> Ask {
    Ask {
        what: "a job".to_owned(),
        team: None,
        labels: BTreeMap::new(),
        amount: usd(dollars),
        gpu_hours_milli: 0,
        expires: now() + SignedDuration::from_hours(100),
        by: "test".to_owned(),
    }
}

fn granted(answer: Answer) -> Option<Claim> {
    match answer {
        Answer::Granted(claim) => Some(claim),
        Answer::Refused(_) => None,
    }
}

proptest! {
    /// Whatever is claimed and renewed, no more is granted than there is; a hold rung keeps new
    /// work back and not what goes on; a reader finds the same after a restart.
    #[test]
    fn no_more_is_granted_than_there_is(
        steps in prop::collection::vec((0_usize..4, 0_i128..80), 1..30),
    ) {
        let budgets = [budget(100)];
        let mut journal = Journal::open(MemoryStore::default()).unwrap();
        let sums = Sums::default();
        let sums = (&[&sums][..], Currency::USD);
        let mut mine: Vec<Claim> = Vec::new();
        for (which, dollars) in steps {
            let gone: i128 = mine.iter().map(|it| it.ask.amount.pico()).sum();
            if let Some(old) = mine.get(which).cloned() {
                let (claim, ask) = (old.id.as_str(), ask(dollars));
                let found = renew(&mut journal, &budgets, sums, (claim, &ask), now()).unwrap();
                let fits = gone - old.ask.amount.pico() + usd(dollars).pico() <= usd(100).pico();
                let fits = fits || usd(dollars).pico() <= old.ask.amount.pico();
                let found = granted(found);
                prop_assert_eq!(found.is_some(), fits);
                if let Some(new) = found {
                    prop_assert_eq!(&new.id, &old.id);
                    mine[which] = new;
                }
            } else {
                let found = claim(&mut journal, &budgets, sums, &ask(dollars), now()).unwrap();
                let fits = gone + usd(dollars).pico() <= usd(100).pico() && gone < usd(50).pico();
                let found = granted(found);
                prop_assert_eq!(found.is_some(), fits);
                mine.extend(found);
            }
        }
        let again = Journal::open(journal.into_store()).unwrap();
        let known: Vec<&Claim> = again.state().claims.values().collect();
        mine.sort_by(|a, b| a.id.cmp(&b.id));
        prop_assert_eq!(known, mine.iter().collect::<Vec<_>>());
    }
}

#[test]
fn what_was_settled_is_not_renewed() {
    let mut journal = Journal::open(MemoryStore::default()).unwrap();
    let sums = Sums::default();
    let sums = (&[&sums][..], Currency::USD);
    let error = renew(&mut journal, &[], sums, ("c7", &ask(1)), now()).unwrap_err();
    assert!(matches!(error, EngineError::NoClaim(claim) if claim == "c7"));
}
