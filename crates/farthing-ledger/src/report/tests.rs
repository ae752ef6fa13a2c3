//! What is read by columns and by sums is what the rows say, one by one.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::statement::made;
use super::*;
use crate::books::Books;
use crate::meter::{Metered, Method};
use crate::weights::Weights;
use farthing_model::{
    Asset, Attribution, Charge, ClusterId, Controller, Coverage, Destination, Detail, Money,
    NodeId, OfferId, PerResource, Place, PriceKind, Provenance, Purchase, Resource, TeamId,
    WorkloadId,
};
use jiff::Timestamp;
use proptest::prelude::*;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// 2026-03-01T10:00:00Z.
const HOUR: i64 = 1_772_359_200;

fn hour(number: i64) -> Window {
    let at = |second| Timestamp::from_second(second).unwrap();
    Window::new(at(HOUR + number * 3_600), at(HOUR + number * 3_600 + 3_600)).unwrap()
}

fn cluster() -> ClusterId {
    ClusterId::new("sums").unwrap()
}

/// Any number makes a row; what it is about has few values, and is the same hour after hour.
fn charge(number: u64, window: Window) -> Charge {
    let part = |shift: u32, of: u64| (number >> shift) % of;
    let destination = Destination::ALL[usize::try_from(part(0, 4)).unwrap()];
    let detail = Detail::ALL[usize::try_from(part(2, 4)).unwrap()];
    let detail = (detail.destination() == destination).then_some(detail);
    let mut who = Attribution::of(WorkloadId::new(&format!("job-{}", part(4, 29))).unwrap());
    who.team = (part(9, 4) > 0).then(|| TeamId::new(&format!("team-{}", part(9, 4))).unwrap());
    who.namespace = (part(11, 3) > 0).then(|| format!("space-{}", part(11, 3)));
    who.pod = Some(format!("pod-{}", part(13, 97)));
    let app = format!("app-{}", part(4, 29) % 2);
    Arc::make_mut(&mut who.labels).insert("app".to_owned(), app);
    who.controller = Some(Controller { kind: "job".to_owned(), name: who.workload.to_string() });
    let has_owner = match destination {
        Destination::Unallocated => false,
        Destination::Overhead => part(20, 2) > 0,
        _ => true,
    };
    let (provider, region) = ("aws".to_owned(), format!("region-{}", part(21, 2)));
    Charge {
        cluster: cluster(),
        window,
        node: NodeId::new(&format!("node-{}", part(21, 6))).unwrap(),
        asset: Asset::Node,
        offer: OfferId::new("aws/offer").unwrap(),
        place: Arc::new(Place { provider, region, zone: None }),
        instance_type: Arc::from("m7i"),
        purchase: Purchase::OnDemand,
        resource: Resource::ALL[usize::try_from(part(24, 4)).unwrap()],
        destination,
        detail,
        attribution: has_owner.then(|| Arc::new(who)),
        quantity_nano: i128::from(part(26, 1_000)),
        cost: Money::from_pico(i128::from(part(30, 100_000)), Currency::USD),
        list_cost: Money::from_pico(i128::from(part(11, 200_000)), Currency::USD),
        node_rate: ["1 USD/h", "2 USD/h"][usize::try_from(part(33, 2)).unwrap()].parse().unwrap(),
        provenance: Arc::new(Provenance {
            kind: PriceKind::List,
            source: "made up".to_owned(),
            as_of: jiff::civil::date(2026, 2, 1),
            list: None,
        }),
    }
}

fn metered(window: Window, numbers: &[u64]) -> Metered {
    let charges: Vec<Charge> = numbers.iter().map(|number| charge(*number, window)).collect();
    let paid = Money::sum(charges.iter().map(|charge| charge.cost), Currency::USD).unwrap();
    let list = Money::sum(charges.iter().map(|charge| charge.list_cost), Currency::USD).unwrap();
    let weights = "gpu 1 USD/h\ncpu 1 USD/h\nmemory 1 USD/h\nstorage 1 USD/h\n";
    Metered {
        cluster: cluster(),
        window,
        currency: Currency::USD,
        method: Method::default(),
        weights: Weights::from_text(weights).unwrap(),
        charges,
        paid,
        list,
        usage: PerResource::default(),
        coverage: Coverage { expected_nanos: 9, measured_nanos: 7 },
        overcommits: Vec::new(),
        unpriced: Vec::new(),
        duplicates: 0,
        faults: Vec::new(),
    }
}

/// Keys, filters and rules of a statement that the seed picks.
fn query(seed: u64) -> StatementQuery {
    let mut query = StatementQuery::of(cluster(), hours(3), Currency::USD);
    let keys = [
        Key::Team,
        Key::Namespace,
        Key::Resource,
        Key::Region,
        Key::Hour,
        Key::Label("app".into()),
        Key::Workload,
        Key::Node,
        Key::Cluster,
    ];
    query.by = keys
        .into_iter()
        .enumerate()
        .filter(|(at, _)| (seed >> (2 * at)).is_multiple_of(4))
        .map(|k| k.1)
        .collect();
    let filters = [
        "team:\"team-1\"",
        "namespace!:\"space-1\"",
        "region:\"region-0\"",
        "label[app]:\"app-1\"",
    ];
    let filter = |shift: u32| filters.get(usize::try_from(seed >> shift & 7).unwrap());
    let parsed = |text: &&str| text.parse::<Filter>().unwrap();
    query.filter = filter(20).map(parsed);
    query.sharing.common = filter(23).map(parsed);
    query.basis = [Basis::Reserved, Basis::Occupied, Basis::Used, Basis::Reserved]
        [usize::try_from(seed >> 26 & 3).unwrap()];
    query.sharing.idle =
        [ShareIdle::Separate, ShareIdle::Even, ShareIdle::Proportional, ShareIdle::Separate]
            [usize::try_from(seed >> 28 & 3).unwrap()];
    query.sharing.weigh = [Weigh::Resource, Weigh::Total][usize::try_from(seed >> 33 & 1).unwrap()];
    query.sharing.scope = [Scope::Cluster, Scope::Node, Scope::Place, Scope::Place]
        [usize::try_from(seed >> 34 & 3).unwrap()];
    query.sharing.after_filter = seed >> 36 & 1 == 0;
    query.sharing.common_evenly = seed >> 37 & 1 == 0;
    query.sharing.flat =
        (seed >> 38).is_multiple_of(4).then(|| Money::from_pico(7_777_777, Currency::USD));
    query.resources = (seed >> 30).is_multiple_of(4).then(|| vec![Resource::Gpu, Resource::Memory]);
    query
}

fn hours(count: i64) -> Window {
    Window::new(hour(0).from(), hour(count - 1).to()).unwrap()
}

/// The statement, and how many hours were read by their sums.
fn by_rollup(books: &Books, query: &StatementQuery) -> (Statement, u32) {
    let read = Cell::new(0);
    let open = |cluster: &ClusterId, hour: Window, asked: &[&str]| {
        let book = books.hour_by(cluster, hour.from(), asked)?;
        let is_sums = book.as_ref().is_some_and(|book| !book.generation.is_posted());
        read.set(read.get() + u32::from(is_sums));
        Ok(book)
    };
    (made(books, query, (&open, &mut |_, _| {})).unwrap(), read.get())
}

fn by_rows(books: &Books, query: &StatementQuery) -> Statement {
    let open = |cluster: &ClusterId, hour: Window, _: &[&str]| books.hour(cluster, hour.from());
    made(books, query, (&open, &mut |_, _| {})).unwrap()
}

#[test]
fn an_hour_of_many_rows_is_read_by_its_sums() {
    let books = Books::in_memory();
    let numbers: Vec<u64> = (0..6_000_u64).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect();
    for number in 0..3 {
        books.put_hour(&metered(hour(number), &numbers)).unwrap();
    }
    let of = |by: Vec<Key>| {
        let query = StatementQuery { by, ..query(u64::MAX) };
        let (statement, read) = by_rollup(&books, &query);
        assert_eq!(statement, by_rows(&books, &query));
        assert!(statement.difference.is_zero());
        read
    };
    assert_eq!(of(vec![Key::Team]), 3);
    assert_eq!(of(vec![Key::Hour, Key::Namespace, Key::Region]), 3);
    assert_eq!(of(vec![Key::Pod]), 0, "six thousand rows of a hundred pods each");
    // The third hour is replaced by one so small that it has no sums.
    books.put_hour(&metered(hour(2), &numbers[..20])).unwrap();
    assert_eq!(of(vec![Key::Team]), 2);
}

#[test]
fn a_rollup_that_does_not_say_what_the_rows_do_is_found() {
    let books = Books::in_memory();
    let numbers: Vec<u64> = (0..4_000_u64).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect();
    books.put_hour(&metered(hour(0), &numbers)).unwrap();
    let book = books.hour(&cluster(), hour(0).from()).unwrap().unwrap();
    let kept = book.kept_rollup().unwrap();
    let mut charges = book.charges().unwrap();
    assert_eq!(kept.fault(&charges).unwrap(), None);
    charges[7].cost = Money::from_pico(charges[7].cost.pico() + 1, Currency::USD);
    let found = kept.fault(&charges).unwrap();
    assert_eq!(found, Some("its rollup does not say what its rows sum to"));
    // Of the whole books nothing is said that is not so: these were never metered.
    let check = verify(&books, &cluster()).unwrap();
    assert!(check.first_fault.unwrap().what.contains("do not sum to its price"));
}

/// What contracts took off, in the rows of a statement.
fn discounts(statement: &Statement) -> i128 {
    statement.rows.iter().map(|row| row.list.pico() - row.total.pico()).sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Whatever is shared, filtered or grouped: what contracts took off is in the rows, once, and
    /// no row is above its list. Where nothing was taken off, each list is its total.
    #[test]
    fn a_list_is_where_its_cost_is(
        numbers in prop::collection::vec(any::<u64>(), 1..120),
        seeds in prop::collection::vec(any::<u64>(), 8),
        free in any::<bool>(),
    ) {
        let books = Books::in_memory();
        for number in 0..3 {
            let mut metered = metered(hour(number), &numbers);
            for (charge, seed) in metered.charges.iter_mut().zip(&numbers) {
                let off = if free { 0 } else { i128::from(*seed >> 40 & 0xffff) };
                charge.list_cost = Money::from_pico(charge.cost.pico() + off, Currency::USD);
            }
            let lists = metered.charges.iter().map(|charge| charge.list_cost);
            metered.list = Money::sum(lists, Currency::USD).unwrap();
            books.put_hour(&metered).unwrap();
        }
        for seed in seeds {
            let query = query(seed);
            let statement = by_rows(&books, &query);
            prop_assert!(statement.difference.is_zero());
            prop_assert_eq!(statement.list.pico() - statement.paid.pico(), discounts(&statement));
            for row in &statement.rows {
                prop_assert!(row.list.pico() >= row.total.pico(), "{:?} {:?}", row, query);
                prop_assert!(!free || row.list == row.total);
            }
            let mut whole = StatementQuery { filter: None, ..query.clone() };
            let taken: i128 = books
                .charges(&cluster(), hours(3))
                .unwrap()
                .iter()
                .filter(|charge| {
                    query.resources.as_ref().is_none_or(|kept| kept.contains(&charge.resource))
                })
                .map(|charge| charge.list_cost.pico() - charge.cost.pico())
                .sum();
            prop_assert_eq!(discounts(&by_rows(&books, &whole)), taken);
            // A filter and its opposite are the whole; not where each takes what the other leaves,
            // or where neither has anybody to take what nobody has.
            if let Some(filter) = &query.filter && query.sharing.flat.is_none() {
                let paid = by_rows(&books, &whole).paid;
                whole.filter = Some(format!("!({filter})").parse().unwrap());
                let opposite = by_rows(&books, &whole);
                if statement.paid.checked_add(opposite.paid) == Ok(paid) {
                    prop_assert_eq!(discounts(&statement) + discounts(&opposite), taken);
                }
            }
        }
    }
}

/// The cost and quantity of each line of an explanation, from charges one by one.
type Lines = BTreeMap<(String, i128, Resource, Destination), (i128, i128)>;

fn lines_one_by_one(books: &Books, row: &Explanation) -> (Lines, BTreeMap<(String, i128), i128>) {
    let (mut lines, mut nodes) = (Lines::new(), BTreeMap::new());
    let labels: BTreeSet<Vec<String>> = [row.keys.clone()].into();
    for charge in books.charges(&cluster(), row.window).unwrap() {
        let bought = (charge.node.to_string(), charge.node_rate.per_hour().pico());
        *nodes.entry(bought.clone()).or_default() += charge.cost.pico();
        let texts: Vec<String> = row.by.iter().map(|key| key.of(&charge).text(key)).collect();
        if labels.contains(&texts) {
            let line = lines
                .entry((bought.0, bought.1, charge.resource, charge.destination))
                .or_insert((0, 0));
            *line = (line.0 + charge.cost.pico(), line.1 + charge.quantity_nano);
        }
    }
    (lines, nodes)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Each row of any statement by up to three keys is found by its id alone, and its lines are
    /// the sums of its charges.
    #[test]
    fn an_explanation_is_what_the_charges_say(
        numbers in prop::collection::vec(any::<u64>(), 1..60),
        picked in prop::sample::subsequence(Key::ALL.to_vec(), 1..=3),
    ) {
        let books = Books::in_memory();
        for number in 0..2 {
            let numbers = &numbers[..numbers.len().div_ceil(usize::try_from(number).unwrap() + 1)];
            books.put_hour(&metered(hour(number), numbers)).unwrap();
        }
        let all = StatementQuery::of(cluster(), hours(2), Currency::USD);
        let query = StatementQuery { by: picked.clone(), ..all.clone() };
        for row in statement(&books, &query).unwrap().rows.iter().take(12) {
            let explained = explain(&books, &all, &row.id).unwrap();
            prop_assert_eq!((&explained.by, explained.total), (&picked, row.total));
            let (lines, nodes) = lines_one_by_one(&books, &explained);
            let found = explained.lines.iter().map(|line| {
                let rate = line.node_rate.per_hour().pico();
                assert_eq!(line.node_cost.pico(), nodes[&(line.node.to_string(), rate)]);
                let key = (line.node.to_string(), rate, line.resource, line.destination);
                (key, (line.cost.pico(), line.quantity_nano))
            });
            prop_assert_eq!(found.collect::<Lines>(), lines);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Whatever is asked of whatever books: with rollups it is what it is without.
    #[test]
    fn a_statement_by_rollups_is_that_of_all_rows(
        numbers in prop::collection::vec(any::<u64>(), 1_000..1_300),
        kinds in 1_u64..200,
        seeds in prop::collection::vec(any::<u64>(), 6),
    ) {
        let books = Books::in_memory();
        for number in 0..3 {
            // Rows of few kinds, so that there is something to sum up.
            let few = numbers.iter().map(|n| n % kinds + (n >> 32 & !0x00ff_ffff));
            let few: Vec<u64> = few.skip(usize::try_from(number).unwrap() * 7).collect();
            books.put_hour(&metered(hour(number), &few)).unwrap();
        }
        for seed in seeds {
            let query = query(seed);
            prop_assert_eq!(by_rollup(&books, &query).0, by_rows(&books, &query));
        }
    }
}

/// Rows that are used: labels cross with places, teams and namespaces to more sums than are kept.
fn crossing(numbers: &[u64]) -> Vec<u64> {
    numbers.iter().map(|number| number << 4).collect()
}

#[test]
fn sums_by_labels_that_are_wrong_are_found() {
    let books = Books::in_memory();
    let numbers: Vec<u64> = (0..2_000_u64).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect();
    books.put_hour(&metered(hour(0), &crossing(&numbers))).unwrap();
    let book = books.hour(&cluster(), hour(0).from()).unwrap().unwrap();
    let kept = book.kept_rollup().unwrap();
    let mut charges = book.charges().unwrap();
    assert_eq!(kept.fault(&charges).unwrap(), None);
    // The same amounts, of another application: only the sums by labels can tell.
    let mut who = (**charges[7].attribution.as_ref().unwrap()).clone();
    let app = if who.labels["app"] == "app-0" { "app-1" } else { "app-0" };
    Arc::make_mut(&mut who.labels).insert("app".to_owned(), app.to_owned());
    charges[7].attribution = Some(Arc::new(who));
    let found = kept.fault(&charges).unwrap();
    assert_eq!(found, Some("its rollup does not say what its rows sum to"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Labels have sums of their own where they are too many for those of teams.
    #[test]
    fn a_statement_by_labels_is_that_of_all_rows(
        numbers in prop::collection::vec(any::<u64>(), 2_000..2_040),
        seed in any::<u64>(),
    ) {
        let books = Books::in_memory();
        for number in 0..2 {
            let skip = usize::try_from(number).unwrap() * 11;
            books.put_hour(&metered(hour(number), &crossing(&numbers[skip..]))).unwrap();
        }
        let label = Key::Label("app".into());
        for (by, by_sums) in [
            (vec![label.clone()], true),
            (vec![Key::Hour, label.clone(), Key::Resource], true),
            (vec![Key::Team], true),
            (vec![label.clone(), Key::Team, Key::Namespace], false),
        ] {
            let query = StatementQuery { by, ..query(u64::MAX) };
            let (statement, read) = by_rollup(&books, &query);
            prop_assert_eq!(&statement, &by_rows(&books, &query));
            prop_assert_eq!(read, if by_sums { 2 } else { 0 });
            prop_assert!(statement.difference.is_zero());
        }
        // And with any rules of sharing.
        let query = StatementQuery { by: vec![label], ..query(seed) };
        prop_assert_eq!(by_rollup(&books, &query).0, by_rows(&books, &query));
    }
}
