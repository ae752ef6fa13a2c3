//! The books: what is written is read back, doing it twice is doing it once, and damage is found.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

mod world;

use farthing_ledger::{Books, BooksError, Key, Metered, Method, Segment, StatementQuery};
use farthing_model::{
    Attribution, Controller, Currency, Destination, DeviceId, Price, Resource, Resources,
};
use std::collections::BTreeMap;
use std::error::Error as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use world::*;

fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// Two nodes, three teams, boot, an unknown price: a bit of everything.
fn ticks() -> Vec<Segment> {
    let capacity = Resources {
        gpu_milli: 8_000,
        cpu_milli: 96_000,
        memory_bytes: 1 << 40,
        storage_bytes: 3 << 40,
    };
    (0..12)
        .map(|tick| {
            let window = window(tick * 300, tick * 300 + 300);
            let mut first = node("a", "98.32 USD/h", capacity, window);
            first.ready = at(450);
            first.place.zone = Some("us-east-1a".to_owned());
            let mut unknown = node("c", "1 USD/h", capacity, window);
            unknown.price = Price::Unknown("no such\trow".to_owned());
            let second = node("b", "0.526 USD/h", cores(4), window);
            let mut train = (*who("train", Some("research"))).clone();
            train.user = Some("ada".to_owned());
            train.container = Some("sha256:0f".to_owned());
            train.process = Some("python".to_owned());
            let tags = [("project", "alpha"), ("quote\" and \u{e9}\n", "")];
            train.labels = Arc::new(labels(&tags));
            train.namespace = Some("ml".to_owned());
            train.pod = Some("train-0".to_owned());
            let (kind, name) = ("pytorchjob".to_owned(), "train".to_owned());
            train.controller = Some(Controller { kind, name });
            train.annotations = labels(&[("example.org/owner", "ada")]);
            train.services = vec!["metrics".to_owned(), "rank-0".to_owned()];
            let mut gpu =
                sample("a", Resource::Gpu, Some(train.clone().into()), window, (6_000, 4_321));
            gpu.device = Some(DeviceId::new("GPU-1").unwrap());
            let samples = vec![
                gpu,
                sample("a", Resource::Cpu, Some(train.into()), window, (0, 33_333)),
                sample("b", Resource::Cpu, Some(who("serve", Some("chat"))), window, (2_000, 777)),
                sample("b", Resource::Cpu, Some(who("cron", None)), window, (500, 1)),
                sample("b", Resource::Cpu, None, window, (0, 100)),
            ];
            Segment { window, spans: vec![first, second, unknown], samples, uses: vec![] }
        })
        .collect()
}

fn metered(ticks: &[Segment]) -> Metered {
    let spans: Vec<_> = ticks.iter().flat_map(|tick| tick.spans.clone()).collect();
    let samples: Vec<_> = ticks.iter().flat_map(|tick| tick.samples.clone()).collect();
    run(hour(), &spans, &samples)
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

fn sorted(mut charges: Vec<farthing_model::Charge>) -> Vec<farthing_model::Charge> {
    charges.sort_by_key(|c| format!("{c:?}"));
    charges
}

#[test]
fn charges_come_back_exactly_and_twice_is_once() {
    let books = Books::in_memory();
    let metered = metered(&ticks());
    books.put_hour(&metered).unwrap();
    books.put_hour(&metered).unwrap();
    let back = books.charges(&cluster(), window(60, 120)).unwrap();
    assert_eq!(sorted(back), sorted(metered.charges.clone()));
    assert_eq!(books.posted_hours(&cluster()).unwrap(), [hour()]);
    let book = books.hour(&cluster(), at(5)).unwrap().unwrap();
    assert_eq!((book.paid, book.coverage), (metered.paid, metered.coverage));
    assert_eq!((book.window, &book.weights), (hour(), &metered.weights));
    assert_eq!(book.unpriced[0].why, "no such row");
    assert_eq!(book.unpriced[0].quantity_nano, metered.unpriced[0].quantity_nano);
    assert!(books.hour(&cluster(), at(-5)).unwrap().is_none());
    assert_eq!(books.charges(&cluster(), window(-50, 0)).unwrap(), []);
}

/// Files of an earlier format, which an earlier version wrote from two of [`ticks`]: they read as
/// before, verify, and what was not kept then is not there.
fn books_of_a_format_are_read(format: &str, forget: impl Fn(&mut Attribution)) {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(format);
    let folder = tempfile::tempdir().unwrap();
    for file in files(&fixture) {
        let copy = folder.path().join(file.strip_prefix(&fixture).unwrap());
        std::fs::create_dir_all(copy.parent().unwrap()).unwrap();
        std::fs::copy(&file, copy).unwrap();
    }
    let books = Books::open_folder(folder.path()).unwrap();
    let forgotten = |mut segment: Segment| {
        for who in segment.samples.iter_mut().filter_map(|sample| sample.attribution.as_mut()) {
            forget(std::sync::Arc::make_mut(who));
        }
        segment
    };
    let ticks: Vec<Segment> = ticks().into_iter().take(2).map(forgotten).collect();
    assert_eq!(books.segments(&cluster(), at(0)).unwrap(), ticks);
    let spans: Vec<_> = ticks.iter().flat_map(|tick| tick.spans.clone()).collect();
    let samples: Vec<_> = ticks.iter().flat_map(|tick| tick.samples.clone()).collect();
    let metered = run_by(Method::ByNode, window(0, 600), &spans, &samples);
    let charges = books.charges(&cluster(), hour()).unwrap();
    assert_eq!(sorted(charges), sorted(metered.charges));
    let by = vec![Key::Workload, Key::Pod];
    let query = StatementQuery { by, ..StatementQuery::of(cluster(), hour(), Currency::USD) };
    let rows = farthing_ledger::statement(&books, &query).unwrap().rows;
    assert!(rows.iter().any(|row| row.keys == ["train", "(no pod)"]), "{rows:?}");
    // An hour may have files of both: the ticks before an upgrade, and those after it.
    books.put_segment(&cluster(), &self::ticks()[2]).unwrap();
    assert_eq!(books.segments(&cluster(), at(0)).unwrap()[2], self::ticks()[2]);
    std::fs::remove_file(files(folder.path()).pop().unwrap()).unwrap();
    assert!(farthing_ledger::verify(&books, &cluster()).unwrap().ok);
    books.compact(&cluster(), at(0)).unwrap();
    assert!(farthing_ledger::verify(&books, &cluster()).unwrap().ok);
}

fn forget_pods(who: &mut Attribution) {
    *who = Attribution {
        team: who.team.take(),
        user: who.user.take(),
        container: who.container.take(),
        process: who.process.take(),
        labels: std::mem::take(&mut who.labels),
        ..Attribution::of(who.workload.clone())
    };
}

#[test]
fn books_of_the_first_format_are_read() {
    books_of_a_format_are_read("format-1", |who| {
        forget_pods(who);
        who.labels = Arc::default();
    });
}

#[test]
fn books_of_the_second_format_are_read() {
    books_of_a_format_are_read("format-2", forget_pods);
}

#[test]
fn the_same_charges_are_the_same_bytes_wherever_they_come_from() {
    let bytes = |metered: &Metered| {
        let folder = tempfile::tempdir().unwrap();
        Books::open_folder(folder.path()).unwrap().put_hour(metered).unwrap();
        let files = files(folder.path());
        let expected = "cluster=test/charges/date=2026-03-01/hour=10.parquet";
        assert_eq!(files, [folder.path().join(expected)]);
        std::fs::read(&files[0]).unwrap()
    };
    let once = metered(&ticks());
    let mut shuffled = once.clone();
    shuffled.charges.reverse();
    assert_eq!(bytes(&once), bytes(&shuffled));
}

#[test]
fn telemetry_comes_back_and_compaction_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let books = Books::open_folder(folder.path()).unwrap();
    let ticks = ticks();
    for tick in ticks.iter().rev().chain(&ticks[..1]) {
        books.put_segment(&cluster(), tick).unwrap();
    }
    assert_eq!(books.segments(&cluster(), at(7)).unwrap(), ticks);
    assert_eq!(files(folder.path()).len(), 12);
    let loose = files(folder.path());
    let copy = std::fs::read(&loose[3]).unwrap();
    books.compact(&cluster(), at(0)).unwrap();
    books.compact(&cluster(), at(0)).unwrap();
    let expected = "cluster=test/telemetry/date=2026-03-01/hour=10/hour.parquet";
    assert_eq!(files(folder.path()), [folder.path().join(expected)]);
    assert_eq!(books.segments(&cluster(), at(7)).unwrap(), ticks);
    assert_eq!(books.measured_hours(&cluster()).unwrap(), [hour()]);

    // A crash between writing the compacted file and deleting the last tick: nothing doubles.
    std::fs::write(&loose[3], copy).unwrap();
    assert_eq!(books.segments(&cluster(), at(7)).unwrap(), ticks);
    // A tick that is measured again after it was compacted stands.
    let mut again = ticks[5].clone();
    again.samples.pop();
    books.put_segment(&cluster(), &again).unwrap();
    for _ in 0..2 {
        assert_eq!(books.segments(&cluster(), at(7)).unwrap()[5], again);
        books.compact(&cluster(), at(7)).unwrap();
    }
}

#[test]
fn a_tick_across_hours_is_cut_and_sums() {
    let books = Books::in_memory();
    let across = window(3_595, 3_607);
    let mut tick = Segment {
        window: across,
        spans: vec![node("b", "1 USD/h", cores(4), across)],
        samples: vec![sample("b", Resource::Cpu, None, across, (100, 33))],
        uses: vec![],
    };
    tick.samples[0].used_nano = tick.samples[0].used_nano.map(|used| used + 1);
    books.put_segment(&cluster(), &tick).unwrap();
    let before = books.segments(&cluster(), at(0)).unwrap();
    let after = books.segments(&cluster(), at(3_600)).unwrap();
    assert_eq!((before.len(), after.len()), (1, 1));
    assert_eq!(before[0].window, window(3_595, 3_600));
    let used = before[0].samples[0].known_use() + after[0].samples[0].known_use();
    assert_eq!(used, tick.samples[0].known_use());
    assert_eq!(after[0].spans[0].window, window(3_600, 3_607));
}

#[test]
fn names_of_clusters_cannot_leave_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let books = Books::open_folder(folder.path()).unwrap();
    let mut metered = metered(&ticks());
    for name in ["../../etc", "a/b", "..", "50% off?"] {
        let cluster = farthing_model::ClusterId::new(name).unwrap();
        metered.cluster = cluster.clone();
        for charge in &mut metered.charges {
            charge.cluster = cluster.clone();
        }
        books.put_hour(&metered).unwrap();
        assert_eq!(books.charges(&cluster, hour()).unwrap().len(), metered.charges.len());
    }
    let inside = files(folder.path());
    assert_eq!(inside.len(), 4, "{inside:?}");
}

/// The message and its causes, as they are printed.
fn chain(error: &BooksError, folder: &Path) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text.replace(folder.to_str().unwrap(), "BOOKS")
}

#[test]
fn damage_is_an_error_that_names_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let books = Books::open_folder(folder.path()).unwrap();
    books.put_hour(&metered(&ticks())).unwrap();
    let file = files(folder.path()).remove(0);
    let good = std::fs::read(&file).unwrap();
    let name = "BOOKS/cluster=test/charges/date=2026-03-01/hour=10.parquet";
    let unsealed = "is damaged: it has no seal: it was cut short, or something else wrote it; \
                    put back a copy, or delete it: `farthing up` then meters its hour again from \
                    telemetry";
    let mut flipped = good.clone();
    flipped[100] ^= 1;
    let changed = "is damaged: its bytes are not the ones that were sealed; put back a copy, or \
                   delete it: `farthing up` then meters its hour again from telemetry";
    let cases: [(&[u8], &str); 5] = [
        (&[], unsealed),
        (&good[..good.len() / 2], unsealed),
        (b"PAR1 not a file of ours PAR1", unsealed),
        (&flipped, changed),
        (&good[..good.len() - 1], changed),
    ];
    for (bytes, message) in cases {
        std::fs::write(&file, bytes).unwrap();
        let error = books.charges(&cluster(), hour()).unwrap_err();
        assert_eq!(chain(&error, folder.path()), format!("{name} {message}"));
    }
    std::fs::write(&file, &good).unwrap();
    assert!(books.charges(&cluster(), hour()).is_ok());
    // Telemetry where charges should be: sealed, but something else.
    books.put_segment(&cluster(), &ticks()[0]).unwrap();
    let telemetry = files(folder.path()).pop().unwrap();
    std::fs::copy(telemetry, &file).unwrap();
    let error = books.charges(&cluster(), hour()).unwrap_err();
    assert!(error.to_string().contains("does not hold charges"), "{error}");
}

#[test]
fn a_store_that_cannot_be_written_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let error = Books::open_folder(&file).unwrap_err();
    let message = chain(&error, folder.path());
    let expected = "BOOKS/file cannot hold the books: it must be a folder that can be written to";
    assert!(message.starts_with(expected), "{message}");

    // A file where a folder is needed stands for any refusal of the system.
    let books = Books::open_folder(folder.path()).unwrap();
    std::fs::write(folder.path().join("cluster=test"), "x").unwrap();
    let error = books.put_hour(&metered(&ticks())).unwrap_err();
    let message = chain(&error, folder.path());
    let expected = "BOOKS/cluster=test/charges/date=2026-03-01/hour=10.parquet cannot be written: ";
    assert!(message.starts_with(expected), "{message}");
    assert_eq!(files(folder.path()).len(), 2, "nothing half-written");
}

/// A disk of 64 kB, where this process may mount one.
#[test]
fn a_full_disk_is_an_error_and_keeps_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let mount = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"])
        .arg(folder.path())
        .output();
    if !mount.is_ok_and(|mount| mount.status.success()) {
        println!("left out: no small disk can be mounted here");
        return;
    }
    let books = Books::open_folder(folder.path()).unwrap();
    let metered = metered(&ticks());
    books.put_hour(&metered).unwrap();
    std::fs::write(folder.path().join("ballast"), vec![0; 8_000]).unwrap();
    let mut error = None;
    for tick in ticks() {
        error = error.or(books.put_segment(&cluster(), &tick).err());
    }
    let replaced = books.put_hour(&metered);
    let error = error.or(replaced.err()).map(|error| chain(&error, folder.path()));
    let kept = books.charges(&cluster(), hour()).map(|charges| charges.len());
    let names: Vec<String> =
        files(folder.path()).iter().map(|file| file.display().to_string()).collect();
    let unmount = std::process::Command::new("umount").arg(folder.path()).status();
    assert!(unmount.unwrap().success());
    let error = error.expect("the disk is full");
    assert!(error.starts_with("BOOKS/cluster=test/"), "{error}");
    assert!(error.contains(".parquet cannot be written: "), "{error}");
    assert_eq!(kept.unwrap(), metered.charges.len());
    assert!(names.iter().all(|name| !name.contains('#')), "nothing half-written: {names:?}");
}

#[test]
fn every_destination_is_there() {
    // Guards the fixture: a world without boot or system use would test less than it says.
    let metered = metered(&ticks());
    for destination in Destination::ALL {
        assert!(!metered.total(destination).unwrap().is_zero(), "{destination:?}");
    }
}
