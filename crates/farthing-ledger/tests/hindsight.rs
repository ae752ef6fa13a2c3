//! What would have been paid: against figures by hand, against a walk minute by minute, and against
//! the statement of the same window.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod world;

use farthing_ledger::{
    Books, Choice, Hindsight, HindsightQuery, KeptAsItWas, Outcome, Segment, StatementQuery,
    hindsight, price_history, statement,
};
use farthing_model::{
    Attribution, Controller, Currency, Money, NodeSpan, Offer, Place, Purchase, Ratio, Resource,
    Resources, Sample, TeamId, Window,
};
use jiff::SignedDuration;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::sync::Arc;
use world::*;

const TICK: i64 = 300;

fn minutes(count: i64) -> SignedDuration {
    SignedDuration::from_mins(count)
}

fn release(after: i64) -> Choice {
    Choice::Release { after: minutes(after), idle_too: false }
}

fn books(ticks: &[Segment]) -> Books {
    let books = Books::in_memory();
    for tick in ticks {
        books.put_segment(&cluster(), tick).unwrap();
    }
    for hour in books.measured_hours(&cluster()).unwrap() {
        let segments = books.segments(&cluster(), hour.from()).unwrap();
        let spans: Vec<_> = segments.iter().flat_map(|tick| tick.spans.clone()).collect();
        let samples: Vec<_> = segments.iter().flat_map(|tick| tick.samples.clone()).collect();
        books.put_hour(&run(hour, &spans, &samples)).unwrap();
    }
    books
}

fn offer(region: &str, machine: &str, purchase: Purchase, rate: &str) -> Offer {
    let place = Place { provider: "aws".to_owned(), region: region.to_owned(), zone: None };
    Offer {
        id: Offer::id_of(&place, machine, purchase).unwrap(),
        place,
        instance_type: machine.to_owned(),
        accelerator: Some("A10G-24GB".parse().unwrap()),
        accelerator_count: 1,
        capacity: Resources { gpu_milli: 1_000, ..cores(4) },
        purchase,
        price: known(rate),
        available: None,
        residency: Vec::new(),
        warnings: Vec::new(),
    }
}

fn query(choices: &[Choice], offers: Vec<Offer>) -> HindsightQuery {
    HindsightQuery {
        cluster: cluster(),
        window: window(0, 7_200),
        currency: Currency::USD,
        choices: choices.to_vec(),
        offers: offers.into(),
        boot: minutes(3),
        teams: None,
    }
}

/// Every answer: its parts add up, and as it was is what the statement says.
fn asked(books: &Books, query: &HindsightQuery) -> Hindsight {
    let found = hindsight(books, query).unwrap();
    let all = StatementQuery::of(cluster(), query.window, Currency::USD);
    let statement = statement(books, &all).unwrap();
    assert_eq!(statement.difference, usd("0"));
    if query.teams.is_none() {
        assert_eq!((found.paid, found.hours), (statement.paid, statement.hours));
    }
    for outcome in &found.outcomes {
        let sum = |amounts: Vec<Money>| Money::sum(amounts, Currency::USD).unwrap();
        let (was, cost): (Vec<_>, Vec<_>) =
            outcome.rows.iter().map(|row| (row.was, row.cost)).unzip();
        assert_eq!((sum(was), sum(cost)), (found.paid, outcome.cost));
        assert_eq!(outcome.saving, found.paid.checked_sub(outcome.cost).unwrap());
    }
    found
}

fn one(books: &Books, choice: Choice, offers: Vec<Offer>) -> Outcome {
    asked(books, &query(&[choice], offers)).outcomes.remove(0)
}

fn g5(name: &str, window: Window) -> NodeSpan {
    node(name, "6 USD/h", Resources { gpu_milli: 1_000, ..cores(4) }, window)
}

/// Two hours of one node, with work in these ticks.
fn worked(busy: impl Fn(i64) -> bool, change: impl Fn(&mut NodeSpan, i64)) -> Vec<Segment> {
    let tick = |tick: i64| {
        let window = window(tick * TICK, tick * TICK + TICK);
        let mut span = g5("a", window);
        change(&mut span, tick);
        let work =
            sample("a", Resource::Gpu, Some(who("train", Some("lab"))), window, (1_000, 500));
        let samples = if busy(tick) { vec![work] } else { Vec::new() };
        Segment { window, spans: vec![span], samples, uses: Vec::new() }
    };
    (0..24).map(tick).collect()
}

#[test]
fn a_node_without_work_is_given_back_and_bought_again() {
    // Without work from the 30th minute to the 90th: out from the 45th on, over the hour's edge.
    let books = books(&worked(|tick| !(6..18).contains(&tick), |_, _| {}));
    let outcome = one(&books, release(15), Vec::new());
    // 45 minutes of 6 an hour, less a boot of 3 minutes.
    assert_eq!((outcome.saving, outcome.cost), (usd("4.2"), usd("7.8")));
    assert_eq!((outcome.late_count, outcome.late[0].at), (1, at(90 * 60)));
    assert_eq!(outcome.late[0].workload.as_str(), "train");
    assert_eq!(outcome.rows[0].other_nanos, (120 - 45 + 3) * 60 * 1_000_000_000);
    // After an hour without work nothing is left to give back, and nobody waits.
    let outcome = one(&books, release(60), Vec::new());
    assert_eq!((outcome.saving, outcome.late_count), (usd("0"), 0));
}

#[test]
fn what_nobody_looked_at_boots_or_is_owned_is_not_given_back() {
    let free = |_| false;
    let unseen = books(&worked(free, |span, tick| span.measured = tick < 12));
    // Only of the first hour is it known, and it is out after ten minutes of that.
    let outcome = one(&unseen, release(10), Vec::new());
    assert_eq!((outcome.saving, outcome.late_count), (usd("5"), 0));
    let boots = books(&worked(free, |span, _| span.ready = at(3_000)));
    assert_eq!(one(&boots, release(10), Vec::new()).saving, usd("6"), "from the 60th minute on");
    let owned = books(&worked(free, |span, _| span.purchase = Purchase::Owned));
    let choices =
        [release(10), Choice::Reserve(Ratio::ZERO), Choice::Paid(Purchase::Spot), Choice::Cheapest];
    for outcome in asked(&owned, &query(&choices, Vec::new())).outcomes {
        assert_eq!((outcome.saving, outcome.rows.len()), (usd("0"), 1));
        assert_eq!(outcome.rows[0].kept, Some(KeptAsItWas::Committed));
    }
}

#[test]
fn what_is_there_because_the_node_is_does_not_keep_it() {
    let mut ticks = worked(|_| false, |_, _| {});
    let logs = Attribution {
        controller: Some(Controller { kind: "daemonset".to_owned(), name: "logs".to_owned() }),
        ..(*who("logs", None)).clone()
    };
    for tick in &mut ticks {
        let logs = Some(Arc::new(logs.clone()));
        tick.samples.push(sample("a", Resource::Cpu, logs, tick.window, (100, 50)));
    }
    assert_eq!(one(&books(&ticks), release(60), Vec::new()).saving, usd("6"));
}

#[test]
fn without_telemetry_charges_tell_of_whole_hours() {
    // The second hour has no work; what was seen of both is gone.
    let ticks = worked(|tick| tick < 2, |_, _| {});
    let (all, kept) = (books(&ticks), Books::in_memory());
    for hour in [0, 3_600] {
        let (spans, samples): (Vec<_>, Vec<_>) = ticks
            .iter()
            .filter(|tick| tick.window.intersect(window(hour, hour + 3_600)).is_some())
            .map(|tick| (tick.spans.clone(), tick.samples.clone()))
            .unzip();
        let metered = run(window(hour, hour + 3_600), &spans.concat(), &samples.concat());
        kept.put_hour(&metered).unwrap();
    }
    assert_eq!(one(&all, release(30), Vec::new()).saving, usd("8"), "from the 40th minute on");
    let outcome = one(&kept, release(30), Vec::new());
    assert_eq!(outcome.saving, usd("3"), "from the 90th on");
    let unseen = outcome.rows.iter().find(|row| row.kept == Some(KeptAsItWas::Unseen)).unwrap();
    assert_eq!((unseen.was, unseen.cost), (usd("6"), usd("6")));
}

#[test]
fn the_same_hours_at_other_prices() {
    let books = books(&worked(|_| true, |_, _| {}));
    let book = || {
        vec![
            offer("us-east-1", "g5.xlarge", Purchase::OnDemand, "6 USD/h"),
            offer("us-east-1", "g5.xlarge", Purchase::Spot, "2.123456789012 USD/h"),
            offer("us-west-2", "g5.xlarge", Purchase::Spot, "1 USD/h"),
            offer("eu-west-1", "g5.xlarge", Purchase::OnDemand, "5 USD/h"),
            Offer {
                capacity: Resources { gpu_milli: 1_000, ..cores(2) },
                ..offer("us-west-2", "g5.small", Purchase::OnDemand, "0.01 USD/h")
            },
        ]
    };
    // The same machine and region only; two whole hours at that rate, to the last unit.
    let spot = one(&books, Choice::Paid(Purchase::Spot), book());
    assert_eq!(spot.cost, usd("4.246913578024"));
    assert_eq!(one(&books, Choice::Paid(Purchase::OnDemand), book()).saving, usd("0"));
    let reserved = one(&books, Choice::Paid(Purchase::Reserved), book());
    assert_eq!(reserved.rows[0].kept, Some(KeptAsItWas::NoOffer));
    // Anywhere, but nothing that has less.
    let cheapest = one(&books, Choice::Cheapest, book());
    let other = cheapest.rows[0].other.as_ref().unwrap().as_str();
    assert_eq!((cheapest.cost, other), (usd("10"), "aws/eu-west-1/g5.xlarge/on-demand"));
}

#[test]
fn a_team_is_told_of_its_own_part() {
    let mut ticks = worked(|_| true, |_, _| {});
    for tick in &mut ticks {
        let other = Some(who("chat", Some("web")));
        tick.samples.push(sample("a", Resource::Cpu, other, tick.window, (2_000, 1_000)));
    }
    let books = books(&ticks);
    let book = vec![offer("us-east-1", "g5.xlarge", Purchase::Spot, "3 USD/h")];
    let all = query(&[Choice::Paid(Purchase::Spot)], book);
    let teams = Some(BTreeSet::from([TeamId::new("lab").unwrap()]));
    let own = asked(&books, &HindsightQuery { teams, ..all });
    let by_team = StatementQuery {
        by: vec![farthing_ledger::Key::Team],
        ..StatementQuery::of(cluster(), window(0, 7_200), Currency::USD)
    };
    let rows = statement(&books, &by_team).unwrap().rows;
    let lab = rows.iter().find(|row| row.keys == ["lab"]).unwrap();
    assert_eq!(own.paid, lab.used.checked_add(lab.idle).unwrap());
    let halved = own.outcomes[0].cost.pico() - own.paid.pico() / 2;
    assert!(halved.abs() <= 2, "half of its part, to a unit an hour: {halved}");
}

#[test]
fn a_reserve_is_the_least_that_holds_what_was_allocated() {
    // Two nodes of 4 cores; 3 cores allocated on one of them in the first hour, all in the second.
    let hour = |from: i64, milli: i128| {
        let window = window(from, from + 3_600);
        let nodes = ["a", "b"].map(|name| node(name, "4 USD/h", cores(4), window));
        let work = ["a", "b"].map(|name| {
            let milli = if name == "a" { milli } else { milli - 3_000 };
            sample(name, Resource::Cpu, Some(who("w", None)), window, (milli, 0))
        });
        Segment { window, spans: nodes.to_vec(), samples: work.to_vec(), uses: Vec::new() }
    };
    let books = books(&[hour(0, 3_000), hour(3_600, 4_000)]);
    // 3 of 8 cores, and 5 of 8: without a reserve 3/8 and 5/8 of 8 an hour.
    assert_eq!(one(&books, Choice::Reserve(Ratio::ZERO), Vec::new()).cost, usd("8"));
    let half = Ratio::from_ppm(500_000);
    assert_eq!(one(&books, Choice::Reserve(half), Vec::new()).cost, usd("16"));
}

#[test]
fn prices_have_a_history() {
    let mut ticks = worked(|_| true, |_, _| {});
    for tick in &mut ticks[9..15] {
        tick.spans[0].price = known("7 USD/h");
    }
    let of = (&cluster(), window(0, 7_200), Currency::USD);
    let series = price_history(&books(&ticks), of, None).unwrap();
    let points: Vec<_> =
        series[0].points.iter().map(|it| (it.window, it.rate.to_string())).collect();
    let at = |from, to, rate: &str| (window(from * TICK, to * TICK), rate.to_owned());
    let expected = [at(0, 9, "6.00 USD/h"), at(9, 15, "7.00 USD/h"), at(15, 24, "6.00 USD/h")];
    assert_eq!((series.len(), points.as_slice()), (1, expected.as_slice()));
}

/// What a tick of a node is: not paid, not looked at, booting, without work, or at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Was {
    Gone,
    Unseen,
    Boots,
    Free,
    Works,
}

fn was() -> impl Strategy<Value = Was> {
    prop_oneof![
        1 => Just(Was::Gone),
        1 => Just(Was::Unseen),
        1 => Just(Was::Boots),
        8 => Just(Was::Free),
        4 => Just(Was::Works),
    ]
}

fn segment(tick: i64, nodes: &[Vec<Was>]) -> Segment {
    let window = window(tick * TICK, tick * TICK + TICK);
    let mut segment = Segment { window, spans: vec![], samples: vec![], uses: vec![] };
    for (index, ticks) in nodes.iter().enumerate() {
        let name = format!("n{index}");
        let was = ticks[usize::try_from(tick).unwrap()];
        if was == Was::Gone {
            continue;
        }
        let mut span = g5(&name, window);
        span.measured = was != Was::Unseen;
        if was == Was::Boots {
            span.ready = window.to();
        }
        segment.spans.push(span);
        if was == Was::Works {
            let work: Sample = sample(&name, Resource::Gpu, Some(who("w", None)), window, (500, 1));
            segment.samples.push(work);
        }
    }
    segment
}

/// Cents saved and events, by walking one node tick by tick: 5 minutes of 6 an hour are 50 cents.
fn walked(ticks: &[Was], after: i64) -> (i128, u64) {
    let (mut free, mut cents, mut late) = (0, 0, 0);
    for was in ticks {
        match was {
            Was::Free => {
                cents += if free >= after / 5 { 50 } else { 0 };
                free += 1;
            }
            Was::Works => {
                let came = free > after / 5;
                late += u64::from(came);
                cents -= if came { 30 } else { 0 };
                free = 0;
            }
            Was::Gone | Was::Unseen | Was::Boots => free = 0,
        }
    }
    (cents, late)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn giving_back_is_as_by_walking_every_tick(
        nodes in prop::collection::vec(prop::collection::vec(was(), 24..=24), 1..4),
        after in (1_i64..8).prop_map(|ticks| ticks * 5),
        free in 0_u32..900_000,
    ) {
        let ticks: Vec<Segment> = (0..24).map(|tick| segment(tick, &nodes)).collect();
        prop_assume!(ticks.iter().any(|tick| !tick.spans.is_empty()));
        let books = books(&ticks);
        let choices = [release(after), Choice::Reserve(Ratio::from_ppm(free)), Choice::Cheapest];
        let found = asked(&books, &query(&choices, Vec::new()));
        let walked: Vec<_> = nodes.iter().map(|ticks| walked(ticks, after)).collect();
        let cents: i128 = walked.iter().map(|(cents, _)| cents).sum();
        let late: u64 = walked.iter().map(|(_, late)| late).sum();
        // A stretch of an hour is cut in proportion, rounded down to a unit.
        let saved = found.outcomes[0].saving.pico();
        prop_assert!((saved - cents * 10_000_000_000).abs() <= 100, "{saved} {cents}");
        prop_assert_eq!(found.outcomes[0].late_count, late);
        if free == 0 {
            prop_assert!(!found.outcomes[1].saving.is_negative());
        }
        prop_assert!(found.outcomes[2].saving.is_zero());
    }
}
