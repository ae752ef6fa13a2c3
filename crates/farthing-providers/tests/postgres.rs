//! The journal in a real PostgreSQL: the contract, faults of the connection, and who leads.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, missing_docs, reason = "tests")]

mod server;

use farthing_edge::{Class, EdgeError, Head, NewRecord, RecordKind, Store, conformance};
use farthing_model::ClusterId;
use farthing_providers::postgres::{Campaign, PgUrl, PostgresStore, Standing, verify_known};
use jiff::Timestamp;
use server::{PASSWORD, Server, database, server};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

fn note(body: &str) -> NewRecord {
    let at = Timestamp::from_nanosecond(1_800_000_000_123_456_789).unwrap();
    NewRecord { at, kind: RecordKind::Noted, body: body.to_owned() }
}

fn lab() -> ClusterId {
    ClusterId::new("lab").unwrap()
}

fn open(url: &str) -> PostgresStore {
    PostgresStore::open(&url.parse().unwrap(), &lab()).unwrap()
}

fn leads(store: &mut PostgresStore, who: &str) -> Standing {
    match store.campaign(who).unwrap() {
        Campaign::Leads(standing) => standing,
        Campaign::Follows(leader) => panic!("{leader:?} leads, and {who} was to"),
    }
}

fn add(store: &mut PostgresStore, body: &str) -> Result<(), EdgeError> {
    let head = store.head()?;
    store.append(&head, &[note(body)]).map(|_| ())
}

/// Ends the sessions that use a database, as an administrator or a failing network does.
fn cut(server: &Server, url: &str) {
    let name = database(url);
    server.sql(
        "postgres",
        &format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"),
    );
}

fn check(url: &str) -> (u64, Option<String>) {
    let check = verify_known(&url.parse().unwrap(), &lab(), &[], &mut |_| {}).unwrap();
    (check.checked, check.first_fault.map(|fault| fault.to_string()))
}

#[test]
fn conforms() {
    let Some(server) = server() else { return };
    conformance::store(|| Box::new(open(&server.fresh())));
    let url = server.fresh();
    conformance::shared(|| open(&url));
    assert_eq!(check(&url).1, None);
}

#[test]
fn clusters_of_one_database_are_apart() {
    let Some(server) = server() else { return };
    let url: PgUrl = server.fresh().parse().unwrap();
    assert_eq!(PostgresStore::clusters(&url).unwrap(), [""; 0]);
    for name in ["a", "b"] {
        let mut store = PostgresStore::open(&url, &ClusterId::new(name).unwrap()).unwrap();
        store.append(&Head::GENESIS, &[note(name)]).unwrap();
    }
    assert_eq!(PostgresStore::clusters(&url).unwrap(), ["a", "b"]);
    PostgresStore::forget(&url, &ClusterId::new("a").unwrap()).unwrap();
    assert_eq!(PostgresStore::clusters(&url).unwrap(), ["b"]);
    let error = PostgresStore::look(&url, &ClusterId::new("a").unwrap()).unwrap_err();
    assert_eq!(error.class(), Class::NotFound);
}

#[test]
fn a_connection_that_is_cut_loses_nothing_and_doubles_nothing() {
    let Some(server) = server() else { return };
    let url = server.fresh();
    let mut store = open(&url);
    let done = AtomicBool::new(false);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            // Cut at any moment of an append, between and within its two trips.
            while !done.load(Ordering::Relaxed) {
                cut(server, &url);
                std::thread::sleep(Duration::from_millis(90));
            }
        });
        let began = Instant::now();
        let mut number = 0;
        while began.elapsed() < Duration::from_secs(3) {
            let head = store.head().unwrap();
            let records = store.append(&head, &[note(&number.to_string()), note("more")]).unwrap();
            assert_eq!(records[0].seq, number * 2 + 1, "once, and none is missing");
            number += 1;
        }
        done.store(true, Ordering::Relaxed);
        assert!(number > 20, "{number} appends");
    });
    let (checked, fault) = check(&url);
    assert_eq!((checked % 2, fault), (0, None));
}

#[test]
fn a_server_that_is_gone_is_a_typed_fault_and_no_hang() {
    let Some(server) = server() else { return };
    let url = server.fresh();
    let mut store = open(&url);
    add(&mut store, "one").unwrap();
    let name = database(&url);
    cut(server, &url);
    server.sql("postgres", &format!("ALTER DATABASE {name} RENAME TO {name}_away"));
    let error = add(&mut store, "two").unwrap_err();
    assert_eq!(error.class(), Class::NotFound, "{error:?}");
    server.sql("postgres", &format!("ALTER DATABASE {name}_away RENAME TO {name}"));
    add(&mut store, "two").unwrap();
    assert_eq!(check(&url), (2, None));
    let nobody = "postgres://me@127.0.0.1:1/x".parse().unwrap();
    let error = PostgresStore::open(&nobody, &lab()).unwrap_err();
    assert_eq!(error.class(), Class::Transient);
    assert_eq!(error.to_string(), "postgres://me@127.0.0.1:1/x: the journal cannot be reached");
}

#[test]
fn one_leads_and_an_old_leaders_append_is_refused() {
    let Some(server) = server() else { return };
    let url = server.fresh();
    let (mut one, mut two) = (open(&url), open(&url));
    let standing = leads(&mut one, "one");
    assert_eq!(standing.term(), 1);
    let Campaign::Follows(leader) = two.campaign("two").unwrap() else { panic!("one leads") };
    assert_eq!(leader.name, "one");
    add(&mut one, "by one").unwrap();
    // Its session ends, and before it notices another one leads.
    cut(server, &url);
    let next = leads(&mut two, "two");
    assert_eq!(next.term(), 2);
    let error = add(&mut one, "by one, late").unwrap_err();
    assert_eq!(error.class(), Class::Denied, "{error:?}");
    assert!(error.to_string().contains("leads no more: its term 1 is over"), "{error}");
    assert!(standing.is_lost() && !next.is_lost());
    assert!(add(&mut one, "for ever").is_err());
    add(&mut two, "by two").unwrap();
    // Who only asks for budgets appends without leading.
    add(&mut open(&url), "by a command").unwrap();
    assert_eq!(check(&url), (3, None));
}

/// The lock alone does not do: a leader that was stopped for long finds its session ended and the
/// lock free again, and others led in between.
#[test]
fn a_leader_that_slept_through_another_term_is_refused() {
    let Some(server) = server() else { return };
    let url = server.fresh();
    let (mut one, mut two) = (open(&url), open(&url));
    let standing = leads(&mut one, "one");
    cut(server, &url);
    leads(&mut two, "two");
    two.resign();
    let error = add(&mut one, "late").unwrap_err();
    assert_eq!(error.class(), Class::Denied);
    assert!(standing.is_lost());
    // Nobody led in between: it goes on.
    let standing = leads(&mut one, "one");
    cut(server, &url);
    add(&mut one, "goes on").unwrap();
    assert!(!standing.is_lost());
    assert!(matches!(two.campaign("two").unwrap(), Campaign::Follows(_)));
}

#[test]
fn a_newer_schema_is_refused_and_left_alone() {
    let Some(server) = server() else { return };
    let url = server.fresh();
    drop(open(&url));
    server.sql(database(&url), "UPDATE farthing.version SET version = 9");
    let error = PostgresStore::open(&url.parse().unwrap(), &lab()).unwrap_err();
    assert_eq!(error.class(), Class::Invalid);
    let said = error.to_string();
    assert!(
        said.ends_with(
            "has the journal version 9, and this program knows 1: it was written by a newer one"
        ),
        "{said}"
    );
    assert!(!said.contains("p@ss") && !said.contains("p%40ss"), "{said}");
    assert_eq!(server.sql(database(&url), "SELECT version FROM farthing.version"), "9");
}

#[test]
fn every_released_schema_is_brought_forward() {
    let Some(server) = server() else { return };
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/postgres/fixtures");
    let mut versions = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let dump = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let url = server.fresh();
        server.sql(database(&url), &dump);
        let mut store = open(&url);
        assert_eq!(store.read(1, 10).unwrap()[1].body, "{\"text\":\"é\"}");
        add(&mut store, "after").unwrap();
        assert_eq!(check(&url), (3, None));
        versions += 1;
    }
    assert_eq!(versions, 1);
}

#[test]
fn a_changed_record_is_found() {
    let Some(server) = server() else { return };
    let url = server.fresh();
    let mut store = open(&url);
    for index in 0..20 {
        add(&mut store, &index.to_string()).unwrap();
    }
    let good = check(&url);
    assert_eq!(good, (20, None));
    let name = database(&url);
    for (change, back, says) in [
        ("body = '77' WHERE seq = 8", "body = '7' WHERE seq = 8", "record 8: its content"),
        ("kind = 'nothing' WHERE seq = 3", "kind = 'noted' WHERE seq = 3", "record 3: "),
        ("seq = 99 WHERE seq = 20", "seq = 20 WHERE seq = 99", "record 99: follows record 19"),
        ("cluster = 'x' WHERE seq = 5", "cluster = 'lab' WHERE seq = 5", "record 6: follows"),
    ] {
        server.sql(name, &format!("UPDATE farthing.journal SET {change}"));
        let fault = check(&url).1.expect(change);
        assert!(fault.starts_with(says), "{fault}");
        server.sql(name, &format!("UPDATE farthing.journal SET {back}"));
    }
    assert_eq!(check(&url), good);
}

#[test]
fn log_ins_and_certificates_are_checked() {
    let Some(server) = server() else { return };
    let url = server.fresh();
    let refused = |url: &str| {
        let url: PgUrl = url.parse().unwrap();
        let error = PostgresStore::open(&url, &lab()).unwrap_err();
        assert_eq!(error.class(), Class::Denied, "{error:?}");
        std::error::Error::source(&error).unwrap().to_string()
    };
    let (port, name) = (server.port, database(&url));
    let said = refused(&format!("postgres://farthing:wrong@127.0.0.1:{port}/{name}"));
    assert!(said.contains("password authentication failed"), "{said}");
    let said = refused(&format!("postgres://farthing@127.0.0.1:{port}/{name}"));
    assert!(said.contains("PGPASSWORD"), "{said}");
    let secure = format!("postgres://farthing@localhost:{port}/{name}?sslmode=verify-full");
    let said = refused(&secure);
    assert!(said.contains("certificate"), "{said}");
    let roots = server.folder.join("server.crt").display().to_string();
    let wrong =
        refused(&format!("postgres://farthing@127.0.0.1:{port}/{name}?sslrootcert={roots}"));
    assert!(wrong.contains("certificate"), "{wrong}");
    let good: PgUrl = format!("{secure}&sslrootcert={roots}").parse().unwrap();
    let good = good.or_password(Some(PASSWORD.to_owned()));
    let mut store = PostgresStore::open(&good, &lab()).unwrap();
    add(&mut store, &"over TLS ".repeat(100_000)).unwrap();
    assert_eq!(store.read(1, 1).unwrap()[0].body.len(), 900_000);
    let socket = format!(
        "postgres:///{name}?host={}&port={port}&user=farthing&password=p%40ss%20word",
        server.folder.display()
    );
    assert_eq!(open(&socket).head().unwrap().seq, 1);
}
