//! Statements, explanations and the check of the books.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod world;

use expect_test::expect;
use farthing_ledger::{
    Basis, Books, Key, ReportError, Scope, Segment, ShareIdle, Sharing, Statement, StatementQuery,
    Weigh, explain, statement, verify,
};
use farthing_model::{Currency, Destination, Money, Resource, Resources, Window};
use proptest::prelude::*;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use world::*;

/// Two hours, two nodes, two teams, a boot, the system's own use.
///
/// With these weights a g5.xlarge is 2.50 of GPU + 0.12 of cores (4) + 0.38 of memory (95 GiB):
/// 3.00, which is also its price. Node `b` has cores only, at 1.00.
fn ticks() -> Vec<Segment> {
    let g5 =
        Resources { gpu_milli: 1_000, cpu_milli: 4_000, memory_bytes: 95 << 30, storage_bytes: 0 };
    (0..8)
        .map(|tick| {
            let window = window(tick * 900, tick * 900 + 900);
            let mut a = node("a", "3 USD/h", g5, window);
            a.ready = at(900);
            let b = node("b", "1 USD/h", cores(10), window);
            let research = Some(who("train", Some("research")));
            let (chat, nobody) = (Some(who("serve", Some("chat"))), Some(who("cron", None)));
            let mut samples = vec![
                sample("b", Resource::Cpu, chat, window, (5_000, 4_000)),
                sample("b", Resource::Cpu, nobody, window, (1_000, 0)),
                sample("b", Resource::Cpu, None, window, (0, 2_000)),
            ];
            if tick > 0 {
                samples.push(sample("a", Resource::Gpu, research.clone(), window, (1_000, 800)));
                samples.push(sample("a", Resource::Cpu, research, window, (1_000, 3_000)));
            }
            Segment { window, spans: vec![a, b], samples, uses: vec![] }
        })
        .collect()
}

fn keep(books: &Books, ticks: &[Segment]) {
    for tick in ticks {
        books.put_segment(&cluster(), tick).unwrap();
    }
    for hour in books.measured_hours(&cluster()).unwrap() {
        let segments = books.segments(&cluster(), hour.from()).unwrap();
        let spans: Vec<_> = segments.iter().flat_map(|tick| tick.spans.clone()).collect();
        let samples: Vec<_> = segments.iter().flat_map(|tick| tick.samples.clone()).collect();
        books.put_hour(&run(hour, &spans, &samples)).unwrap();
    }
}

fn query(by: &[Key], share_idle: ShareIdle) -> StatementQuery {
    let all = StatementQuery::of(cluster(), window(60, 7_000), Currency::USD);
    let sharing = Sharing { idle: share_idle, ..Sharing::default() };
    StatementQuery { by: by.to_vec(), sharing, ..all }
}

fn of(by: &[Key], share_idle: ShareIdle) -> Statement {
    let books = Books::in_memory();
    keep(&books, &ticks());
    conserved(statement(&books, &query(by, share_idle)).unwrap())
}

/// Every statement, whatever it is grouped by.
fn conserved(statement: Statement) -> Statement {
    let sum = |amounts: &[Money]| Money::sum(amounts.iter().copied(), Currency::USD).unwrap();
    let s = &statement;
    assert_eq!(sum(&[s.used, s.idle, s.unallocated, s.overhead]), s.paid);
    assert!(s.difference.is_zero(), "{}", s.difference);
    let totals: Vec<_> = s.rows.iter().map(|row| row.total).collect();
    assert_eq!(sum(&totals), s.paid);
    for row in &s.rows {
        let parts = [row.used, row.idle, row.unallocated, row.overhead, row.shared];
        assert_eq!(sum(&parts), row.total);
    }
    statement
}

fn table(statement: &Statement) -> String {
    let mut text = String::new();
    for row in &statement.rows {
        let utilisation = row.utilisation.map_or("-".to_owned(), |ratio| ratio.to_string());
        let (used, idle, shared) = (row.used, row.idle, row.shared);
        let rest = row.unallocated.checked_add(row.overhead).unwrap();
        let amounts = [used, idle, rest, shared, row.total].map(|money| money.rounded(4));
        let hours = format!("{}/{}/{}", row.gpu_hours(), row.core_hours(), row.gib_hours());
        let (keys, amounts) = (row.keys.join(" "), amounts.join(" "));
        let _ = writeln!(text, "{} {keys}: {amounts} | {hours} | {utilisation}", row.id);
    }
    text
}

#[test]
fn a_statement_by_team() {
    let statement = of(&[Key::Team], ShareIdle::Separate);
    assert_eq!(statement.paid, usd("8"), "two hours at 3 and 1");
    // GPU: 2.50 an hour, 1.75 hours of it claimed, 80 % used: 3.50 used, 0.875 idle.
    // Cores of a: 0.03 an hour each, 3 used for 1.75 hours: 0.1575. Of b: 0.10 each, 4 used: 0.80.
    assert_eq!(statement.used, usd("4.4575"));
    assert_eq!(statement.idle, usd("1.275"), "0.875, and one core for two hours twice: 0.40");
    // Node a boots for a quarter of an hour: 0.75. The system uses 2 cores of b: 0.40.
    assert_eq!(statement.overhead, usd("1.15"));
    assert_eq!(statement.unallocated, usd("1.1175"));
    assert_eq!((statement.hours, statement.window), (2, window(0, 7_200)));
    assert_eq!(statement.usage.get(Resource::Gpu).paid_nano(), 7_200 * 1_000_000_000);
    expect![[r"
        row-81489045abb5cc3 research: 3.6575 0.8750 0.0000 0.0000 4.5325 | 1.75/5.25/0 | 80.7 %
        row-814b62f7fac6d53 (overhead): 0.0000 0.0000 1.1500 0.0000 1.1500 | 0.25/5/23.75 | -
        row-814e304a17ba123 (unallocated): 0.0000 0.0000 1.1175 0.0000 1.1175 | 0/5.75/166.25 | -
        row-814e0144123e13d chat: 0.8000 0.2000 0.0000 0.0000 1.0000 | 0/10/0 | 80.0 %
        row-814ec21873beb2a (no team): 0.0000 0.2000 0.0000 0.0000 0.2000 | 0/2/0 | 0.0 %
    "]]
    .assert_eq(&table(&statement));
}

#[test]
fn what_nobody_used_is_shared_and_still_sums() {
    let even = of(&[Key::Team], ShareIdle::Even);
    assert_eq!((even.shared, even.rows.len()), (usd("2.2675"), 3));
    let shares: Vec<_> = even.rows.iter().map(|row| row.shared.pico()).collect();
    assert_eq!(shares.iter().max().unwrap() - shares.iter().min().unwrap(), 1, "largest remainder");
    let proportional = of(&[Key::Workload], ShareIdle::Proportional);
    let totals: Vec<_> =
        proportional.rows.iter().map(|row| (row.keys[0].as_str(), row.total.rounded(6))).collect();
    // 8 / 5.7325 of what each was charged.
    let expected = [("train", "6.325338"), ("serve", "1.395552"), ("cron", "0.279110")];
    assert_eq!(totals, expected.map(|(name, total)| (name, total.to_owned())));
}

#[test]
fn shared_costs_stay_with_their_place() {
    let by = [Key::Node, Key::Team];
    let shared = of(&by, ShareIdle::Proportional);
    let on_a: Vec<_> = shared.rows.iter().filter(|row| row.keys[0] == "a").collect();
    assert_eq!((on_a.len(), on_a[0].total), (1, usd("6")), "node a is research's alone");
    // By node only there is nobody to share with: the node carries its own.
    let by_node = of(&[Key::Node], ShareIdle::Separate);
    assert_eq!(by_node.rows[0].total, usd("6"));
    assert_eq!(by_node.rows[1].overhead, usd("0.40"));
    assert_eq!(of(&[Key::Node], ShareIdle::Even).rows[1].shared, usd("0.80"));
    // A resource of which nobody claims anything keeps its row.
    let by_resource = of(&[Key::Resource, Key::Workload], ShareIdle::Even);
    let memory: Vec<_> = by_resource.rows.iter().filter(|row| row.keys[0] == "memory").collect();
    assert_eq!(memory.len(), 2);
    assert!(memory.iter().all(|row| row.shared.is_zero() && !row.total.is_zero()));
}

#[test]
fn every_key_groups_and_conserves() {
    for key in Key::ALL {
        for share in [ShareIdle::Separate, ShareIdle::Even, ShareIdle::Proportional] {
            assert!(!of(std::slice::from_ref(&key), share).rows.is_empty(), "{key}");
        }
        assert_eq!(key.name().parse(), Ok(key));
    }
    let hours: Vec<_> =
        of(&[Key::Hour], ShareIdle::Separate).rows.into_iter().map(|row| row.keys).collect();
    assert_eq!(hours, [["2026-03-01T10:00:00Z"], ["2026-03-01T11:00:00Z"]]);
    assert_eq!("controllerKind".parse(), Ok(Key::ControllerKind));
    assert_eq!("instance-type".parse(), Ok(Key::InstanceType));
    assert_eq!("label:app".parse(), Ok(Key::Label("app".into())));
    let message = "cluser".parse::<Key>().unwrap_err();
    assert_eq!(message, "`cluser` is not a key: did you mean cluster?");
    let message = "something".parse::<Key>().unwrap_err();
    assert!(message.starts_with("`something` is not a key: team, workload"));
    assert_eq!(of(&[], ShareIdle::Separate).rows.len(), 1);
}

#[test]
fn a_filter_keeps_the_whole() {
    let books = Books::in_memory();
    keep(&books, &ticks());
    let mut gpu = query(&[Key::Team], ShareIdle::Even);
    gpu.resources = Some(vec![Resource::Gpu]);
    let statement = conserved(statement(&books, &gpu).unwrap());
    assert_eq!((statement.paid, statement.rows.len()), (usd("5"), 1));
    assert_eq!(statement.rows[0].keys, ["research"]);
}

static KEPT: LazyLock<Books> = LazyLock::new(|| {
    let books = Books::in_memory();
    keep(&books, &ticks());
    books
});

fn filtered(by: &[Key], filter: &str, sharing: Sharing) -> Statement {
    let filter = Some(filter.parse().unwrap());
    let all = query(by, ShareIdle::Separate);
    conserved(statement(&KEPT, &StatementQuery { filter, sharing, ..all }).unwrap())
}

/// What a filter keeps and what it leaves out are the whole, whatever is shared.
#[test]
fn a_filter_and_its_opposite_are_the_whole() {
    let shares = [ShareIdle::Separate, ShareIdle::Even, ShareIdle::Proportional];
    for idle in shares {
        for scope in [Scope::Place, Scope::Cluster, Scope::Node] {
            for weigh in [Weigh::Total, Weigh::Resource] {
                for text in ["team:research", "node:a", "team!:chat+node:b", "workload:nothing"] {
                    let sharing = Sharing { idle, scope, weigh, ..Sharing::default() };
                    let kept = filtered(&[Key::Team], text, sharing.clone());
                    let opposite = filtered(&[Key::Team], &format!("!({text})"), sharing);
                    let both = kept.paid.checked_add(opposite.paid).unwrap();
                    assert_eq!(both, usd("8"), "{text} {idle:?} {scope:?} {weigh:?}");
                    assert_eq!(kept.filtered, opposite.paid);
                }
            }
        }
    }
}

#[test]
fn a_filter_keeps_the_idle_that_goes_with_it() {
    // A filter of places decides about capacity that nobody asked for, too.
    let on_b = filtered(&[Key::Team], "node:b", Sharing::default());
    assert_eq!((on_b.paid, on_b.unallocated), (usd("2"), usd("0.40")));
    // One of teams does not: of 2.2675 that is nobody's and of 5.7325 that is charged, research has
    // 4.5325 and 4.5325 / 5.7325 of the rest.
    let research = filtered(&[Key::Team], "team:research", Sharing::default());
    let nobodys = research.unallocated.checked_add(research.overhead).unwrap();
    assert_eq!((nobodys.rounded(6), research.used), ("1.792838".to_owned(), usd("3.6575")));
    // Shared before the filter, a row is as it is without it; after it, it takes everything.
    let proportional = Sharing { idle: ShareIdle::Proportional, ..Sharing::default() };
    let before = filtered(&[Key::Workload], "team:research", proportional.clone());
    assert_eq!(before.rows[0].total.rounded(6), "6.325338");
    let after = Sharing { after_filter: true, ..proportional };
    assert_eq!(filtered(&[Key::Workload], "team:research", after).rows[0].total, usd("6.80"));
}

#[test]
fn common_and_flat_costs_are_shared() {
    let common = || Some("team:chat".parse().unwrap());
    // 1.00 of chat over 4.5325 of research and 0.20 of nobody's.
    let weighted = Sharing { common: common(), ..Sharing::default() };
    let statement = filtered(&[Key::Workload], "node!:x", weighted);
    let row = |name: &str| statement.rows.iter().find(|row| row.keys[0] == name);
    assert_eq!(row("train").unwrap().shared.rounded(6), "0.957739");
    assert!(row("serve").is_none(), "its cost is in those of others");
    let even = Sharing { common: common(), common_evenly: true, ..Sharing::default() };
    let statement = filtered(&[Key::Workload], "node!:x", Sharing { flat: Some(usd("3")), ..even });
    let shares: Vec<_> = statement.rows.iter().map(|row| row.shared).collect();
    assert_eq!(shares.iter().filter(|share| **share == usd("2")).count(), 2);
    assert_eq!((statement.paid, statement.overhead), (usd("11"), usd("4.15")));
    // There is nobody to take it: it is a row of its own.
    let all = Sharing { flat: Some(usd("3")), ..Sharing::default() };
    let nobody = filtered(&[Key::Team], "team:none", Sharing { after_filter: true, ..all });
    let last: Vec<_> = nobody.rows.iter().map(|row| (&*row.keys[0], row.total)).collect();
    assert_eq!(last, [("(shared)", usd("3"))]);
}

#[test]
fn only_use_is_charged_where_that_is_the_basis() {
    let books = Books::in_memory();
    keep(&books, &ticks());
    let of_use = StatementQuery { basis: Basis::Used, ..query(&[Key::Team], ShareIdle::Separate) };
    let statement = conserved(statement(&books, &of_use).unwrap());
    let row = |name: &str| statement.rows.iter().find(|row| row.keys[0] == name).unwrap();
    assert_eq!((row("research").total, row("research").idle), (usd("3.6575"), usd("0")));
    assert_eq!((row("(idle)").total, statement.idle), (usd("1.275"), usd("1.275")));
}

#[test]
fn days_and_labels_group_too() {
    let books = Books::in_memory();
    let mut ticks = ticks();
    for sample in ticks.iter_mut().flat_map(|tick| &mut tick.samples) {
        let Some(who) = &sample.attribution else { continue };
        let mut who = (**who).clone();
        Arc::make_mut(&mut who.labels).insert("app".to_owned(), format!("{}-app", who.workload));
        who.services = vec!["front".to_owned(), "back".to_owned()];
        sample.attribution = Some(who.into());
    }
    keep(&books, &ticks);
    let by = [Key::Day, Key::Label("app".into())];
    let statement = conserved(statement(&books, &query(&by, ShareIdle::Separate)).unwrap());
    assert_eq!(statement.rows[0].keys, ["2026-03-01", "train-app"]);
    assert!(statement.rows.iter().any(|row| row.keys[1] == "(unallocated)"));
    let filter = Some("label[app]:\"train-app\"+services:back".parse().unwrap());
    let all = query(&[Key::Service], ShareIdle::Separate);
    let query = StatementQuery { filter, ..all };
    let statement = conserved(farthing_ledger::statement(&books, &query).unwrap());
    let front: Vec<_> = statement.rows.iter().filter(|row| row.keys == ["front"]).collect();
    assert_eq!((front.len(), front[0].used), (1, usd("3.6575")));
}

#[test]
fn no_charges_and_another_currency() {
    let books = Books::in_memory();
    let mut query = query(&[Key::Team], ShareIdle::Separate);
    let empty = conserved(statement(&books, &query).unwrap());
    assert_eq!((empty.hours, empty.rows.len(), empty.paid), (0, 0, usd("0")));
    keep(&books, &ticks());
    query.currency = "EUR".parse().unwrap();
    let error = statement(&books, &query).unwrap_err().to_string();
    let file = "memory:/cluster=test/charges/date=2026-03-01/hour=10.parquet";
    let expected = format!("{file} is in USD, and the statement is in EUR: ask for USD");
    assert_eq!(error, expected);
}

#[test]
fn any_number_can_be_recomputed() {
    let books = Books::in_memory();
    keep(&books, &ticks());
    let query = query(&[Key::Team], ShareIdle::Separate);
    let statement = statement(&books, &query).unwrap();
    for row in &statement.rows {
        let explained = explain(&books, &query, &row.id).unwrap();
        assert_eq!((&explained.id, &explained.keys), (&row.id, &row.keys));
        assert_eq!(explained.total, row.total);
        for line in &explained.lines {
            let node_cost = line.node_rate.per_hour().checked_mul_int(2).unwrap();
            assert_eq!((line.node_cost, line.node_hours.to_string().as_str()), (node_cost, "2"));
            let (cost, rest) = line
                .resource_cost
                .checked_mul_int(line.quantity_nano)
                .unwrap()
                .div_rem(line.resource_quantity_nano)
                .unwrap();
            assert_eq!((cost, rest.is_zero()), (line.cost, true));
        }
    }
    // Without the keys of the statement, and in a narrower window, the id still means the row.
    let mut later = query.clone();
    (later.by, later.window) = (vec![], window(3_600, 3_700));
    let explained = explain(&books, &later, &statement.rows[0].id).unwrap();
    assert_eq!((explained.by, explained.keys), (vec![Key::Team], vec!["research".to_owned()]));
    assert_eq!(explained.total, usd("2.59"), "2.00 and 0.50 of GPU, 0.09 of cores");
    let gpu = &explained.samples[0];
    assert_eq!((gpu.count, gpu.resource, gpu.source.as_str()), (4, Resource::Gpu, "test"));
    assert_eq!((gpu.first, gpu.last), (at(3_600), at(7_200)));
    assert_eq!((gpu.used_min_nano, gpu.used_max_nano), (800_000_000, 800_000_000));
    assert_eq!(gpu.used_mean_nano(), 800_000_000);
}

#[test]
fn names_are_explained_too() {
    let books = Books::in_memory();
    keep(&books, &ticks());
    let query = query(&[], ShareIdle::Separate);
    let node = explain(&books, &query, "b").unwrap();
    assert_eq!((node.by, node.total), (vec![Key::Node], usd("2")));
    let lines: Vec<_> = node.lines.iter().map(|l| (l.destination, l.cost)).collect();
    let expected = [
        (Destination::Used, usd("0.80")),
        (Destination::Idle, usd("0.40")),
        (Destination::Unallocated, usd("0.40")),
        (Destination::Overhead, usd("0.40")),
    ];
    assert_eq!(lines, expected);
    assert_eq!((node.samples.len(), node.samples[0].count), (1, 24));
    assert_eq!(explain(&books, &query, "serve").unwrap().by, [Key::Workload]);
    for unknown in ["row-000000000000000", "nobody"] {
        let error = explain(&books, &query, unknown).unwrap_err();
        assert!(matches!(error, ReportError::NotFound { .. }));
        assert!(error.to_string().contains(&format!("is called `{unknown}`: it must be")));
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

#[test]
fn any_flipped_byte_is_found_and_located() {
    let folder = tempfile::tempdir().unwrap();
    let books = Books::open_folder(folder.path()).unwrap();
    keep(&books, &ticks());
    let sound = verify(&books, &cluster()).unwrap();
    assert_eq!((sound.ok, sound.checked, sound.first_fault), (true, 2, None));
    let files = files(folder.path());
    assert_eq!(files.len(), 10, "two of charges, eight of telemetry");
    let mut step = 0x2545_f491_4f6c_dd1d_u64;
    for file in [&files[0], &files[1], &files[2], &files[9]] {
        let good = std::fs::read(file).unwrap();
        for round in 0..80 {
            // The first and last bytes, then any: the footer's length and magic are as guarded.
            step = step.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let random = usize::try_from(step >> 33).unwrap() % good.len();
            let index = match round {
                0..12 => round,
                12..24 => good.len() - 1 - (round - 12),
                _ => random,
            };
            let mut bad = good.clone();
            bad[index] ^= 1 << (step >> 61);
            std::fs::write(file, bad).unwrap();
            let check = verify(&books, &cluster()).unwrap();
            assert!(!check.ok, "byte {index} of {}", file.display());
            let fault = check.first_fault.unwrap();
            assert_eq!(Path::new(&fault.file), file, "byte {index}: {}", fault.what);
        }
        std::fs::write(file, good).unwrap();
    }
    assert!(verify(&books, &cluster()).unwrap().ok);
}

#[test]
fn charges_that_do_not_follow_from_telemetry_are_found() {
    let books = Books::in_memory();
    let ticks = ticks();
    keep(&books, &ticks);
    let charges = "memory:/cluster=test/charges/date=2026-03-01";
    let fault = |books: &Books| verify(books, &cluster()).unwrap().first_fault.unwrap();
    // A tick that changed after its hour was posted.
    let mut changed = ticks[6].clone();
    changed.samples[0].used_nano = changed.samples[0].used_nano.map(|used| used + 1);
    books.put_segment(&cluster(), &changed).unwrap();
    let found = fault(&books);
    assert_eq!((found.file.as_str(), found.row), (&*format!("{charges}/hour=11.parquet"), Some(5)));
    assert_eq!(found.what, "metering the telemetry again gives another charge");
    books.put_segment(&cluster(), &ticks[6]).unwrap();
    assert!(verify(&books, &cluster()).unwrap().ok);
    // A tick that is not posted yet is no fault; an hour that is missing between others is.
    let mut later = ticks[0].clone();
    later.window = window(10_800, 11_700);
    later.samples.clear();
    later.spans.iter_mut().for_each(|span| span.window = later.window);
    books.put_segment(&cluster(), &later).unwrap();
    let check = verify(&books, &cluster()).unwrap();
    assert_eq!((check.ok, check.checked), (true, 3));
    assert_eq!(check.unposted, [window(10_800, 14_400)]);
    let mut last = later.clone();
    last.window = window(14_400, 15_300);
    last.spans.iter_mut().for_each(|span| span.window = last.window);
    books.put_hour(&run(window(14_400, 18_000), &last.spans, &[])).unwrap();
    let found = fault(&books);
    assert_eq!(found.file, format!("{charges}/hour=13.parquet"));
    assert_eq!(found.what, "the hour has telemetry and no charges, and later hours have");
}

#[test]
fn forged_charges_are_found_without_telemetry() {
    let books = Books::in_memory();
    let ticks = ticks();
    let spans: Vec<_> = ticks[..4].iter().flat_map(|tick| tick.spans.clone()).collect();
    let good = run(hour(), &spans, &[]);
    let what = |change: &dyn Fn(&mut farthing_ledger::Metered)| {
        let mut forged = good.clone();
        change(&mut forged);
        books.put_hour(&forged).unwrap();
        verify(&books, &cluster()).unwrap().first_fault.map(|fault| (fault.row, fault.what))
    };
    assert_eq!(what(&|_| {}), None);
    let more = |metered: &mut farthing_ledger::Metered| {
        let charge = metered.charges.last_mut().unwrap();
        charge.cost = charge.cost.checked_add(Money::from_pico(1, Currency::USD)).unwrap();
    };
    let message = "the charges of node b do not sum to its price".to_owned();
    assert_eq!(what(&more), Some((Some(6), message)));
    let lost = |metered: &mut farthing_ledger::Metered| {
        metered.charges.retain(|charge| charge.node.as_str() == "a");
    };
    let message = "its charges do not sum to what was paid".to_owned();
    assert_eq!(what(&lost), Some((None, message)));
    let outside = |metered: &mut farthing_ledger::Metered| {
        metered.charges[0].window = Window::new(at(-1), at(3_600)).unwrap();
    };
    assert_eq!(what(&outside), Some((Some(0), "the charge is outside of the hour".to_owned())));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever is in the books, and however it is grouped and shared, the parts are the whole.
    #[test]
    fn statements_conserve(
        samples in prop::collection::vec(
            (0_usize..3, 0_usize..4, 0_usize..6, 0_i64..7_000, 1_i64..900, 0_i128..9_000,
             0_i128..9_000),
            0..60,
        ),
        by in prop::sample::subsequence(Key::ALL.to_vec(), 0..4).prop_shuffle(),
        share in (0_usize..3, 0_usize..3, any::<bool>(), any::<bool>()),
        text in prop::sample::select(vec!["", "node:n1", "team:\"team 1\"", "user:x"]),
    ) {
        let books = Books::in_memory();
        let whole = window(0, 7_200);
        let memory_bytes = 1 << 37;
        let capacity =
            Resources { gpu_milli: 2_000, cpu_milli: 7_000, memory_bytes, storage_bytes: 3 };
        let rates = ["3.3333 USD/h", "0 USD/h", "0.0000071 USD/h"];
        let spans = (0..3).map(|n| node(&format!("n{n}"), rates[n], capacity, whole)).collect();
        let samples = samples.into_iter().enumerate().map(|(index, sample)| {
            let (node, resource, owner, from, length, requested, used) = sample;
            let attribution = (owner > 0).then(|| {
                let team = (owner > 2).then(|| format!("team {}", index % 3));
                let mut who = (*who(&format!("w{owner}"), team.as_deref())).clone();
                who.process = (index % 2 == 0).then(|| format!("p{index}"));
                who.into()
            });
            let window = window(from, (from + length).min(7_200));
            let amounts = (requested, used);
            let (node, resource) = (format!("n{node}"), Resource::ALL[resource]);
            world::sample(&node, resource, attribution, window, amounts)
        });
        keep(&books, &[Segment { window: whole, spans, samples: samples.collect(), uses: vec![] }]);
        let sharing = Sharing {
            idle: [ShareIdle::Separate, ShareIdle::Even, ShareIdle::Proportional][share.0],
            scope: [Scope::Place, Scope::Cluster, Scope::Node][share.1],
            weigh: if share.2 { Weigh::Total } else { Weigh::Resource },
            after_filter: share.3,
            common: share.3.then(|| "workload:w1".parse().unwrap()),
            common_evenly: share.2,
            flat: None,
        };
        let filter = (!text.is_empty()).then(|| text.parse().unwrap());
        let asked = StatementQuery { sharing, filter, ..query(&by, ShareIdle::Separate) };
        let statement = conserved(statement(&books, &asked).unwrap());
        let whole = statement.paid.checked_add(statement.filtered).unwrap();
        prop_assert_eq!(whole, usd("6.6666142"));
        prop_assert!(verify(&books, &cluster()).unwrap().ok);
    }
}
