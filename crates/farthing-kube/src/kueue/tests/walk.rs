//! Random histories.

use super::stand_in::{is, state};
use super::world::{Break, CHECK, World, usd};
use crate::kueue::rules::Rules;
use proptest::prelude::*;
use serde_json::json;
use std::collections::BTreeSet;

#[derive(Clone, Debug)]
enum Event {
    Add { pods: u64, limit_s: Option<i64>, runs_s: Option<i64> },
    Pass(i64),
    Manage,
    Turn,
    Crash,
    Preempt(usize),
    Delete(usize),
    Deactivate(usize),
    Activate(usize),
    Limit(i128),
    WriteBreaks(bool),
    PurseBreaks(bool),
}

fn events() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => (1_u64..5, prop::option::of(60_i64..20_000), prop::option::of(10_i64..20_000))
            .prop_map(|(pods, limit_s, runs_s)| Event::Add { pods, limit_s, runs_s }),
        4 => (0_i64..2_000).prop_map(Event::Pass),
        8 => Just(Event::Manage),
        8 => Just(Event::Turn),
        1 => Just(Event::Crash),
        1 => (0_usize..8).prop_map(Event::Preempt),
        1 => (0_usize..8).prop_map(Event::Delete),
        1 => (0_usize..8).prop_map(Event::Deactivate),
        1 => (0_usize..8).prop_map(Event::Activate),
        1 => (0_i128..80).prop_map(Event::Limit),
        2 => any::<bool>().prop_map(Event::WriteBreaks),
        2 => any::<bool>().prop_map(Event::PurseBreaks),
    ]
}

fn nth(world: &World, at: usize) -> Option<String> {
    world.server.workloads.borrow().keys().nth(at).cloned()
}

fn break_of(after: bool) -> Break {
    if after { Break::After } else { Break::Before }
}

fn happen(world: &mut World, event: &Event) {
    let now = world.now.as_second();
    match *event {
        Event::Add { pods, limit_s, runs_s } => {
            let name = format!("w{}", world.made);
            world.lengths.extend(runs_s.map(|length| (name.clone(), length)));
            world.add(&name, pods, limit_s);
        }
        Event::Pass(seconds) => world.pass(seconds),
        Event::Manage => world.manage(),
        Event::Turn => drop(world.turn()),
        Event::Crash => world.crash(),
        Event::Limit(dollars) => world.wallet.limit = usd(dollars).pico(),
        Event::WriteBreaks(after) => {
            world.server.luck.0.borrow_mut().push_back(break_of(after));
        }
        Event::PurseBreaks(after) => {
            world.wallet.luck.0.borrow_mut().push_back(break_of(after));
        }
        Event::Preempt(at) => {
            let Some(name) = nth(world, at) else { return };
            let it = world.server.get(&name);
            if !is(&it, "Finished") {
                let evicted = world.manager.preempt(&it, now);
                world.server.put(&name, evicted);
            }
        }
        Event::Delete(at) => {
            let Some(name) = nth(world, at) else { return };
            world.server.workloads.borrow_mut().remove(&name);
        }
        Event::Deactivate(at) | Event::Activate(at) => {
            let active = matches!(event, Event::Activate(_));
            let Some(name) = nth(world, at) else { return };
            world.change(&name, |it| it["spec"]["active"] = json!(active));
        }
    }
}

/// What must hold at every moment.
fn holds(world: &World) -> Result<(), TestCaseError> {
    let uids: BTreeSet<&str> = world.wallet.claims.values().map(|it| it.uid.as_str()).collect();
    prop_assert_eq!(uids.len(), world.wallet.claims.len(), "one reservation for each");
    for it in world.server.workloads.borrow().values() {
        // Nothing is answered Ready whose money was not set aside before: also when it was given
        // back since, there is a record that it was.
        if state(it, CHECK) == Some("Ready") {
            let uid = it["metadata"]["uid"].as_str().unwrap();
            let settled = world.wallet.settled.iter().any(|(held, _)| held.uid == uid);
            prop_assert!(uids.contains(uid) || settled, "{it}");
        }
        prop_assert!(!is(it, "FailedToStart"));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn money_is_set_aside_first_and_once_and_is_given_back(
        limit in 1_i128..60,
        events in prop::collection::vec(events(), 1..120),
    ) {
        let mut world = World::new(limit, Rules::default());
        let mut granted_within = true;
        for event in events {
            let lowered = matches!(event, Event::Limit(_));
            let before = world.wallet.committed();
            happen(&mut world, &event);
            holds(&world)?;
            // What is granted anew is within the limit of then.
            if !lowered && world.wallet.committed() > before {
                granted_within &= world.wallet.committed() <= world.wallet.limit;
            }
        }
        prop_assert!(granted_within);
        // Then nothing breaks any more and all jobs end: everything is given back.
        world.server.luck.0.borrow_mut().clear();
        world.wallet.luck.0.borrow_mut().clear();
        world.wallet.limit = usd(1_000_000).pico();
        let names: Vec<String> = world.server.workloads.borrow().keys().cloned().collect();
        for name in &names {
            world.lengths.entry(name.clone()).or_insert(30);
        }
        world.run(6_000, 60);
        world.run(60_000, 600);
        for name in &names {
            let it = world.server.get(name);
            let waits = it["spec"]["active"] == false || state(&it, CHECK) == Some("Rejected");
            prop_assert!(is(&it, "Finished") || waits, "{it:#}");
            let ours = it["metadata"]["annotations"].get("farthing.dev/held").is_some();
            prop_assert!(!ours || is(&it, "Finished"), "it waits though there is room: {it:#}");
        }
        prop_assert!(world.wallet.claims.is_empty(), "{:?}", world.wallet.claims);
    }
}
