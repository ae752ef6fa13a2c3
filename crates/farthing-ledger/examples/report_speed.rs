//! How fast reports are over large books: `report_speed [HOURS] [ROWS] [TICKS] [copied]` writes so
//! many hours of so many charges into a temporary folder, with so many ticks of telemetry of each
//! (four samples of each pod a tick, of 2,000 pods at most), and times statements and explanations
//! of them. With `copied` the first hour's file of charges stands for all: reading is the same, and
//! writing is not waited for. That of telemetry always does.
//!
//! Prints what each took, and one JSON line for each figure, as `bench/README.md` says.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "an example")]

#[path = "large/mod.rs"]
mod large;

use farthing_ledger::{Books, Key, StatementQuery, explain, statement};
use farthing_model::{ClusterId, Currency, Window};
use jiff::{SignedDuration, Timestamp};
use std::path::Path;
use std::time::Instant;

/// How often what is fast is done.
const ROUNDS: u32 = 10;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number =
        |at: usize, otherwise: u32| arguments.get(at).map_or(otherwise, |n| n.parse().unwrap());
    let (hours, rows) = (number(0, 24), number(1, 70_000));
    let folder = tempfile::tempdir().unwrap();
    let books = Books::open_folder(folder.path()).unwrap();
    let cluster = ClusterId::new("large").unwrap();
    let start: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
    let began = Instant::now();
    let at = |hour: u32| start.checked_add(SignedDuration::from_hours(hour.into())).unwrap();
    let written = if arguments.len() > 3 { 1 } else { hours };
    for hour in 0..written {
        books.put_hour(&large::metered(&cluster, at(hour), rows)).unwrap();
    }
    println!("wrote {} charges in {:.1?}", written * rows, began.elapsed());
    copy(&Books::charges_folder(folder.path(), &cluster), written..hours, at);
    let ticks = number(2, 60);
    let began = Instant::now();
    let telemetry = large::telemetry(at(0), (rows, ticks));
    let samples = u64::try_from(telemetry.samples.len()).unwrap() * u64::from(hours);
    books.put_segment(&cluster, &telemetry).unwrap();
    drop(telemetry);
    spread(folder.path(), 1..hours, at);
    println!("wrote an hour of {samples} samples in {:.1?}", began.elapsed());
    let window = Window::starting(start, SignedDuration::from_hours(hours.into())).unwrap();
    let all = StatementQuery::of(cluster, window, Currency::USD);
    let charges = u64::from(hours) * u64::from(rows);
    for by in [vec![Key::Team], vec![Key::Namespace, Key::Pod], vec![Key::Label("app".into())]] {
        let names: Vec<_> = by.iter().map(Key::name).collect();
        let query = StatementQuery { by: by.clone(), ..all.clone() };
        let began = Instant::now();
        let found = statement(&books, &query).unwrap().rows.len();
        let (took, names) = (began.elapsed(), names.join(","));
        let each = took.as_nanos() / u128::from(charges);
        println!("by {names}: {found} rows in {took:.2?}, {each} ns a charge");
    }
    let query = StatementQuery { by: vec![Key::Team], ..all };
    let seconds = timed(|| drop(statement(&books, &query).unwrap()));
    // What a hundred million charges would take.
    let limit = (2, 100e6 / f64::from(u32::try_from(charges).unwrap()));
    figure("statement-by-team", seconds * limit.1, limit.0, ("s", charges, seconds));
    for (name, key) in [("statement-by-pod", Key::Pod), ("statement-by-node", Key::Node)] {
        let query = StatementQuery { by: vec![key], ..query.clone() };
        let seconds = timed(|| drop(statement(&books, &query).unwrap()));
        // Every row is read: no sums are by these.
        let each = seconds * 1e9 / f64::from(u32::try_from(charges).unwrap());
        figure(name, each, 250, ("ns", charges, seconds));
    }
    let id = statement(&books, &query).unwrap().rows[3].id.clone();
    for (name, subject) in [("explain-row", id.as_str()), ("explain-name", "pod-17")] {
        let lines = explain(&books, &query, subject).unwrap().lines.len();
        let seconds = timed(|| drop(explain(&books, &query, subject).unwrap()));
        println!("explain {subject}: {lines} lines in {:.0} ms", seconds * 1e3);
        figure(name, seconds * 1e3, 200, ("ms", charges, seconds));
    }
}

/// Lets the telemetry of the first hour stand for other hours too.
fn spread(folder: &Path, hours: std::ops::Range<u32>, at: impl Fn(u32) -> Timestamp) {
    let place = |hour: u32| {
        let at = jiff::tz::Offset::UTC.to_datetime(at(hour));
        format!("cluster=large/telemetry/date={}/hour={:02}", at.date(), at.hour())
    };
    for hour in hours {
        let to = folder.join(place(hour));
        std::fs::create_dir_all(&to).unwrap();
        for file in std::fs::read_dir(folder.join(place(0))).unwrap() {
            let file = file.unwrap();
            std::fs::hard_link(file.path(), to.join(file.file_name())).unwrap();
        }
    }
}

/// Lets the first file stand for other hours too.
fn copy(folder: &Path, hours: std::ops::Range<u32>, at: impl Fn(u32) -> Timestamp) {
    let path = |hour: u32| {
        let at = jiff::tz::Offset::UTC.to_datetime(at(hour));
        folder.join(format!("date={}", at.date())).join(format!("hour={:02}.parquet", at.hour()))
    };
    for hour in hours {
        std::fs::create_dir_all(path(hour).parent().unwrap()).unwrap();
        std::fs::copy(path(0), path(hour)).unwrap();
    }
}

/// Processor time of one round, in seconds.
fn timed(mut work: impl FnMut()) -> f64 {
    let before = cpu_s();
    (0..ROUNDS).for_each(|_| work());
    (cpu_s() - before) / f64::from(ROUNDS)
}

fn figure(name: &str, value: f64, limit: u32, (unit, charges, seconds): (&str, u64, f64)) {
    println!(
        "{{\"bench\":\"{name}\",\"value\":{value:.3},\"limit\":{limit},\"unit\":\"{unit}\",\
         \"charges\":{charges},\"cpu_s\":{seconds:.3}}}"
    );
}

/// The processor time of this process, in seconds.
fn cpu_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    // After the name, which may hold anything: utime and stime are the 14th and 15th.
    let after = stat.rsplit_once(')').unwrap().1;
    let ticks = after.split_ascii_whitespace().skip(11).take(2);
    ticks.map(|ticks| ticks.parse::<f64>().unwrap()).sum::<f64>() / 100.0
}
