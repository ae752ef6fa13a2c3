//! SQL and the ledger's own statements come to equal sums, to the last unit, over the same files.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "a test fails by panicking")]

#[path = "../../farthing-ledger/tests/world/mod.rs"]
mod world;

use farthing_ledger::{Books, Key, StatementQuery, statement};
use farthing_model::{Currency, Destination, Money, Resource, Resources};
use farthing_sql::{Cell, Sql, SqlError};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::path::Path;
use world::*;

type Rows = Vec<Vec<Cell>>;

fn rows(sql: &Sql, query: &str) -> Rows {
    let mut rows = Vec::new();
    let push = |row: &[Cell]| {
        rows.push(row.to_vec());
        Ok::<_, SqlError>(())
    };
    sql.query(query).unwrap().rows(push).unwrap();
    rows
}

fn pico(cell: &Cell) -> i128 {
    match cell {
        Cell::Exact(text) => Money::from_decimal(text, Currency::USD).unwrap().pico(),
        Cell::Null => 0,
        other => panic!("{other:?} is not money"),
    }
}

/// Three hours of three nodes with the claims of some workloads.
fn keep(folder: &Path, claims: &[(i64, usize, usize, usize, i128)]) {
    let books = Books::open_folder(folder).unwrap();
    let capacity = Resources {
        gpu_milli: 8_000,
        cpu_milli: 96_000,
        memory_bytes: 1 << 40,
        storage_bytes: 3 << 40,
    };
    for hour in 0..3 {
        let whole = window(hour * 3_600, hour * 3_600 + 3_600);
        let spans: Vec<_> = (0..3)
            .map(|n| {
                node(
                    &format!("n{n}"),
                    ["98.32 USD/h", "0.526 USD/h", "7 USD/h"][n],
                    capacity,
                    whole,
                )
            })
            .collect();
        let samples: Vec<_> = claims
            .iter()
            .filter(|claim| claim.0 / 3_600 == hour)
            .map(|(start, n, who, resource, milli)| {
                let until = (start + 600).min(hour * 3_600 + 3_600);
                let team = ["red", "it's \"blue\"", "naïve"][who % 3];
                let who = world::who(&format!("w{who}"), (*who > 0).then_some(team));
                let amounts = (*milli, milli / 3);
                let resource = Resource::ALL[*resource];
                sample(&format!("n{n}"), resource, Some(who), window(*start, until), amounts)
            })
            .collect();
        books.put_hour(&run(whole, &spans, &samples)).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn sums_are_equal(
        claims in prop::collection::vec(
            (0_i64..10_790, 0_usize..3, 0_usize..5, 0_usize..4, 1_i128..9_000), 0..60),
    ) {
        let folder = tempfile::tempdir().unwrap();
        keep(folder.path(), &claims);
        let books = Books::open_folder(folder.path()).unwrap();
        let query = StatementQuery {
            by: vec![Key::Team, Key::Workload, Key::Node],
            ..StatementQuery::of(cluster(), window(0, 3 * 3_600), Currency::USD)
        };
        let statement = statement(&books, &query).unwrap();
        let sql = Sql::open(folder.path(), &cluster()).unwrap();
        let found = rows(
            &sql,
            "SELECT x_team, x_workload, x_node, sum(BilledCost),
                 sum(CASE WHEN x_destination = 'used' THEN BilledCost END),
                 sum(CASE WHEN x_resource = 'gpu' THEN x_quantity_nano END)
             FROM charges
             WHERE x_destination IN ('used', 'idle')
             GROUP BY x_team, x_workload, x_node",
        );
        let name = |cell: &Cell, none: &str| match cell {
            Cell::Null => none.to_owned(),
            cell => cell.to_string(),
        };
        let mut sums: BTreeMap<Vec<String>, (i128, i128, i128)> = BTreeMap::new();
        for row in &found {
            let keys = vec![name(&row[0], "(no team)"), row[1].to_string(), row[2].to_string()];
            let nano = row[5].to_string();
            let nano = if nano.is_empty() { 0 } else { nano.parse().unwrap() };
            sums.insert(keys, (pico(&row[3]), pico(&row[4]), nano));
        }
        let mut expected = BTreeMap::new();
        for row in statement.rows.iter().filter(|row| !row.keys[1].starts_with('(')) {
            let charged = row.used.pico() + row.idle.pico();
            let gpu = row.usage.get(Resource::Gpu).allocated_nano();
            expected.insert(row.keys.clone(), (charged, row.used.pico(), gpu));
        }
        prop_assert_eq!(sums, expected);
        let paid = rows(&sql, "SELECT sum(BilledCost) FROM charges");
        prop_assert_eq!(pico(&paid[0][0]), statement.paid.pico());
        for destination in Destination::ALL {
            let query = format!(
                "SELECT sum(BilledCost) FROM charges WHERE x_destination = '{}'", destination.name()
            );
            let sum = match destination {
                Destination::Used => statement.used,
                Destination::Idle => statement.idle,
                Destination::Unallocated => statement.unallocated,
                Destination::Overhead => statement.overhead,
            };
            prop_assert_eq!(pico(&rows(&sql, &query)[0][0]), sum.pico());
        }
    }
}

#[test]
fn times_flags_and_nothing_have_their_forms() {
    let folder = tempfile::tempdir().unwrap();
    keep(folder.path(), &[(60, 0, 1, 0, 500)]);
    let sql = Sql::open(folder.path(), &cluster()).unwrap();
    let found = rows(
        &sql,
        "SELECT ChargePeriodStart, ChargePeriodStart < ChargePeriodEnd, x_user, count(*), 0.5e0,
             x_price_as_of
         FROM charges WHERE x_workload = 'w1' AND x_destination = 'used'
         GROUP BY ChargePeriodStart, ChargePeriodEnd, x_user, x_price_as_of",
    );
    let text = |text: &str| Cell::Text(text.to_owned());
    let expected = vec![
        text("2026-03-01T10:00:00Z"),
        Cell::Flag(true),
        Cell::Null,
        Cell::Whole(1),
        Cell::Float(0.5),
        text("2026-02-01"),
    ];
    assert_eq!(found, [expected]);
}

/// Files of an earlier format have fewer columns; what they lack is null.
#[test]
fn files_of_earlier_formats_are_read_beside_new_ones() {
    let folder = tempfile::tempdir().unwrap();
    let hour = "cluster=test/charges/date=2026-03-01/hour=10.parquet";
    let old = Path::new("../farthing-ledger/tests/fixtures/format-1").join(hour);
    let path = folder.path().join(hour);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join(old), path).unwrap();
    let books = Books::open_folder(folder.path()).unwrap();
    let next = window(3_600, 7_200);
    let mut holder = (*who("train", None)).clone();
    holder.namespace = Some("ml".to_owned());
    let samples = [sample("b", Resource::Cpu, Some(holder.into()), next, (4_000, 4_000))];
    books.put_hour(&run(next, &[node("b", "2 USD/h", cores(4), next)], &samples)).unwrap();
    let sql = Sql::open(folder.path(), &cluster()).unwrap();
    let query = "SELECT x_namespace, count(*) > 0 FROM charges WHERE x_workload = 'train'
                 GROUP BY x_namespace ORDER BY x_namespace NULLS FIRST";
    let ml = Cell::Text("ml".to_owned());
    assert_eq!(rows(&sql, query), [[Cell::Null, Cell::Flag(true)], [ml, Cell::Flag(true)]]);
}

#[test]
fn what_is_no_query_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    keep(folder.path(), &[]);
    let sql = Sql::open(folder.path(), &cluster()).unwrap();
    let file = folder.path().join("out.csv");
    for (query, part) in [
        ("SELECT nothing FROM charges", "nothing"),
        ("SELEKT 1", "SELEKT"),
        ("DROP TABLE charges", "DDL not supported"),
        ("INSERT INTO charges VALUES (1)", ""),
        ("SET datafusion.execution.batch_size = 1", "Statement not supported"),
        (&format!("COPY charges TO '{}'", file.display()), "DML not supported"),
        ("SELECT * FROM '/etc/passwd'", "not found"),
        ("CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'", "DDL not supported"),
    ] {
        let said = match sql.query(query) {
            Err(error) => error.to_string(),
            Ok(_) => panic!("{query} was taken"),
        };
        assert!(said.contains(part) && !said.contains("backtrace"), "{query}: {said}");
    }
    assert!(!file.exists());
    let nobody = farthing_model::ClusterId::new("nobody").unwrap();
    let error = Sql::open(folder.path(), &nobody).err().unwrap().to_string();
    assert!(error.starts_with("the books of nobody have no charges yet"), "{error}");
}
