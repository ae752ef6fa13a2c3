//! The running hour in the books: whatever the ticks, restarts and other writers, it is what all of
//! its telemetry comes to when it is metered at once.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use farthing_ledger::{MeterInput, meter};
use farthing_model::{
    Asset, Attribution, Charge, NodeId, NodeSpan, Place, Policy, Price, PriceKind, Provenance,
    Purchase, Resource, Resources, Sample, SourceId,
};
use jiff::SignedDuration;
use proptest::prelude::*;
use std::path::Path;
use std::sync::Arc;

const MARK: Head = Head { seq: 7, hash: [3; 32] };

fn at(nanos: i64) -> Timestamp {
    "2026-12-01T10:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_nanos(nanos)
}

fn window(from: i64, to: i64) -> Window {
    Window::new(at(from), at(to)).unwrap()
}

fn config() -> Config {
    Config {
        cluster: ClusterId::new("lab").unwrap(),
        currency: Currency::USD,
        policy: Policy::default(),
        budgets: Vec::new(),
        planner: crate::Planner::Farthing,
        horizon: SignedDuration::from_hours(1),
        tick: SignedDuration::from_mins(1),
        weights: Weights::from_text(WEIGHTS).unwrap(),
        effort: crate::planner::Effort::default(),
    }
}

/// A pod: its node, what it asks for in thousandths of cores, from when to when.
type Pod = (usize, i128, i64, i64);

fn measured(pods: &[Pod], part: Window) -> Measured {
    let source = "made up".to_owned();
    let as_of = jiff::civil::date(2026, 12, 1);
    let region = "r".to_owned();
    let node = |node: usize| NodeSpan {
        node: NodeId::new(&format!("n{node}")).unwrap(),
        asset: Asset::Node,
        offer: farthing_model::OfferId::new("p/r/m/on-demand").unwrap(),
        place: Place { provider: "p".to_owned(), region: region.clone(), zone: None },
        instance_type: "m".to_owned(),
        purchase: Purchase::OnDemand,
        capacity: Resources { cpu_milli: 4_000, ..Resources::default() },
        price: Price::Known(
            "1.234567890123 USD/h".parse().unwrap(),
            Provenance { kind: PriceKind::List, source: source.clone(), as_of, list: None },
        ),
        window: part,
        ready: part.from(),
        held_for: None,
        measured: true,
    };
    let samples = pods.iter().enumerate().filter_map(|(index, (node, milli, from, length))| {
        let part = window(*from, from + length).intersect(part)?;
        let until = |at: Timestamp| milli * at.as_nanosecond() / 1_000;
        let who = Attribution::of(WorkloadId::new(&format!("w{index}")).unwrap());
        Some(Sample {
            source: SourceId::new("test").unwrap(),
            node: NodeId::new(&format!("n{node}")).unwrap(),
            device: None,
            slice: None,
            attribution: Some(Arc::new(who)),
            resource: Resource::Cpu,
            window: part,
            requested_nano: until(part.to()) - until(part.from()),
            used_nano: None,
            held_nano: None,
        })
    });
    Measured { spans: vec![node(0), node(1)], samples: samples.collect(), ..Measured::default() }
}

/// The bytes of the one file of charges in a folder.
fn charges(folder: &Path, cluster: &ClusterId) -> Vec<u8> {
    let mut files = vec![Books::charges_folder(folder, cluster)];
    loop {
        let next = files.pop().unwrap();
        if next.is_file() {
            assert_eq!(next.extension().unwrap(), "parquet");
            return std::fs::read(next).unwrap();
        }
        files.extend(std::fs::read_dir(next).unwrap().map(|file| file.unwrap().path()));
    }
}

/// What the telemetry of an hour comes to at once, in books of its own.
fn at_once(books: &Books, config: &Config) -> (tempfile::TempDir, Metered) {
    let segments = books.segments(&config.cluster, at(0)).unwrap();
    let whole = join(segments).unwrap();
    let metered = meter(&MeterInput {
        cluster: &config.cluster,
        window: whole.window,
        currency: config.currency,
        spans: &whole.spans,
        samples: &whole.samples,
        weights: &config.weights,
    });
    let (metered, folder) = (metered.unwrap(), tempfile::tempdir().unwrap());
    Books::open_folder(folder.path()).unwrap().put_hour_at(&metered, mark(MARK)).unwrap();
    (folder, metered)
}

const WEIGHTS: &str = "gpu 2.50 USD/h\ncpu 0.03 USD/h\nmemory 0.004 USD/h\nstorage 0.0001 USD/h\n";
const HOUR: i64 = 3_600_000_000_000;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Pods of which some do not fit, an hour in any ticks, restarts between any two of them: the
    /// file of charges is byte by byte that of metering the hour at once.
    #[test]
    fn the_books_of_an_hour_are_those_of_metering_it_at_once(
        pods in prop::collection::vec((0_usize..2, 1_i128..2_500, 0..HOUR, 1..HOUR), 1..8),
        cuts in prop::collection::btree_set(1..HOUR, 1..12),
        restarts in any::<u16>(),
        twice in 0_usize..24,
    ) {
        let config = config();
        let folder = tempfile::tempdir().unwrap();
        let open = || {
            let books = Books::open_folder(folder.path()).unwrap();
            Accounts::open(books, &config, MARK).unwrap()
        };
        let mut accounts = open();
        let edges: Vec<i64> = [0].into_iter().chain(cuts).chain([HOUR]).collect();
        for (index, pair) in edges.windows(2).enumerate() {
            if restarts >> (index % 16) & 1 == 1 {
                accounts = open();
            }
            if index == twice {
                // Another controller measured the same, and more: it is in the books only.
                let part = window(pair[0] / 2, pair[1]);
                let Measured { spans, samples, uses, .. } = measured(&pods, part);
                let other = Segment { window: part, spans, samples, uses };
                accounts.books().put_segment(&config.cluster, &other).unwrap();
                accounts = open();
            }
            let tick = window(pair[0], pair[1]);
            accounts.post(tick, measured(&pods, tick)).unwrap();
            let (at_once, metered) = at_once(accounts.books(), &config);
            prop_assert_eq!(
                charges(folder.path(), &config.cluster),
                charges(at_once.path(), &config.cluster)
            );
            let posted = Money::sum(
                pods.iter().enumerate().map(|(index, _)| {
                    let name = WorkloadId::new(&format!("w{index}")).unwrap();
                    accounts.posted_anywhere(&name).unwrap()
                }),
                config.currency,
            );
            let charged = metered.charges.iter().filter(|it| it.attribution.is_some());
            let charged = Money::sum(charged.map(|it| it.cost), config.currency);
            prop_assert_eq!(posted.unwrap(), charged.unwrap());
        }
    }
}

/// Ticks of an hour that is over are folded into one file, whether they fit into a group of rows or
/// not.
#[test]
fn an_hour_is_folded_when_the_next_one_begins() {
    let config = config();
    let books = Books::in_memory();
    let mut accounts = Accounts::open(books.clone(), &config, MARK).unwrap();
    let pods: Vec<Pod> = vec![(0, 1_000, 0, 2 * HOUR), (1, 500, HOUR / 2, HOUR)];
    for minute in 0..61 {
        let tick = window(minute * HOUR / 60, (minute + 1) * HOUR / 60);
        accounts.post(tick, measured(&pods, tick)).unwrap();
    }
    assert_eq!(books.segments(&config.cluster, at(0)).unwrap().len(), 60);
    let verified = books.hour(&config.cluster, at(0)).unwrap().unwrap();
    assert_eq!(verified.window, window(0, HOUR));
    let again = accounts.how().kept(at(0)).unwrap().unwrap().metered(&accounts.how()).unwrap();
    // A file has them in its own order.
    let in_order = |charges: Vec<Charge>| {
        let mut lines: Vec<String> = charges.iter().map(|it| format!("{it:?}")).collect();
        lines.sort();
        lines
    };
    assert_eq!(in_order(verified.charges().unwrap()), in_order(again.charges));
}

/// What the books have of each hour, against what the accounts count as posted and what all kept
/// telemetry comes to.
fn assert_whole(accounts: &Accounts, config: &Config, pods: &[Pod]) {
    let books = accounts.books();
    let mut charged = Money::zero(config.currency);
    for hour in books.posted_hours(&config.cluster).unwrap() {
        let book = books.hour(&config.cluster, hour.from()).unwrap().unwrap();
        let kept = accounts.how().kept(hour.from()).unwrap().unwrap();
        let again = kept.metered(&accounts.how()).unwrap();
        assert_eq!((book.window, book.paid), (again.window, again.paid), "{hour}");
        let of_somebody = again.charges.iter().filter(|it| it.attribution.is_some());
        let sum = Money::sum(of_somebody.map(|it| it.cost), config.currency).unwrap();
        charged = charged.checked_add(sum).unwrap();
    }
    let posted = (0..pods.len()).map(|index| {
        accounts.posted_anywhere(&WorkloadId::new(&format!("w{index}")).unwrap()).unwrap()
    });
    assert_eq!(Money::sum(posted, config.currency).unwrap(), charged);
}

/// A tick across hours that failed in the second one was measured again from its beginning: the
/// first hour then had that end of it alone in the books, and counted twice against budgets.
#[test]
fn a_tick_that_fails_between_two_hours_is_neither_lost_nor_counted_twice() {
    let (config, folder) = (config(), tempfile::tempdir().unwrap());
    let books = Books::open_folder(folder.path()).unwrap();
    let mut accounts = Accounts::open(books, &config, MARK).unwrap();
    let pods: Vec<Pod> = vec![(0, 1_000, 0, 2 * HOUR), (1, 500, HOUR / 2, HOUR)];
    let post = |accounts: &mut Accounts, tick: Window| {
        accounts.post(tick, measured(&pods, tick)).map(|_| ())
    };
    post(&mut accounts, window(0, HOUR / 2)).unwrap();
    // Where the telemetry of the second hour is to be, something stands in the way.
    let hour = "cluster=lab/telemetry/date=2026-12-01/hour=11";
    let blocked = folder.path().join(hour);
    std::fs::write(&blocked, "in the way").unwrap();
    assert!(post(&mut accounts, window(HOUR / 2, 3 * HOUR / 2)).is_err());
    std::fs::remove_file(&blocked).unwrap();
    assert_eq!(accounts.kept_until(), Some(at(HOUR)), "the first hour is in the books");
    post(&mut accounts, window(HOUR, 5 * HOUR / 3)).unwrap();
    assert_whole(&accounts, &config, &pods);
    // The same in the charges: what is kept is posted before its hour is closed.
    let blocked = folder.path().join("cluster=lab/charges/date=2026-12-01/hour=12.parquet");
    std::fs::create_dir_all(blocked.join("in the way")).unwrap();
    assert!(post(&mut accounts, window(5 * HOUR / 3, 5 * HOUR / 2)).is_err());
    std::fs::remove_dir_all(&blocked).unwrap();
    assert_eq!(accounts.kept_until(), Some(at(5 * HOUR / 2)));
    post(&mut accounts, window(5 * HOUR / 2, 7 * HOUR / 2)).unwrap();
    assert_whole(&accounts, &config, &pods);
}

/// A controller that comes late to an hour, as one that waited for the lead, put its own part of it
/// in the place of what the one before had posted.
#[test]
fn who_comes_late_to_an_hour_keeps_what_others_posted() {
    let (config, books) = (config(), Books::in_memory());
    let open = || Accounts::open(books.clone(), &config, MARK).unwrap();
    let (mut first, mut second) = (open(), open());
    let pods: Vec<Pod> = vec![(0, 1_000, 0, HOUR), (1, 500, HOUR / 4, HOUR / 2)];
    let (early, late) = (window(0, HOUR / 3), window(HOUR / 2, HOUR));
    first.post(early, measured(&pods, early)).unwrap();
    second.post(late, measured(&pods, late)).unwrap();
    let book = books.hour(&config.cluster, at(0)).unwrap().unwrap();
    assert_eq!(book.window, window(0, HOUR), "both parts are posted");
    assert_whole(&second, &config, &pods);
}
