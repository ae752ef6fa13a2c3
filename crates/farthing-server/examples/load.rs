//! How a server answers two hundred people: `load [SECONDS] [USERS] [HOURS] [ROWS]` writes so many
//! hours of so many charges (ten million together by default; one hour's file stands for all),
//! serves them from a process of one core, and asks as the dashboards of so many people would.
//!
//! A new tick is published every five seconds, so that nothing is answered from what is old.
//! Prints what each kind of request took, and one JSON line for each figure, as `bench/README.md`
//! says. Refusals (429) have to say when to come again and are counted apart.
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::panic, reason = "an example")]

#[path = "../../farthing-ledger/examples/large/mod.rs"]
mod large;
#[path = "../tests/world/mod.rs"]
#[allow(clippy::wildcard_imports, reason = "as in tests")]
mod world;

use farthing_ledger::Books;
use farthing_server::{AccessRules, Behind, Server};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Between two ticks.
const TICK: Duration = Duration::from_secs(5);
/// What a page of the dashboard asks for that is made from what was published.
const PAGES: [&str; 4] = ["/api/v1/tick", "/api/v1/plan", "/api/v1/steps", "/api/v1/snapshot"];
/// Statements over all charges: those that are answered from the sums of each hour, and one that
/// has to read every charge.
const REPORTS: [(&str, &str); 4] = [
    ("cost", "/api/v1/cost?window=7d&by=team"),
    ("cost", "/api/v1/cost?window=7d&by=namespace"),
    ("cost", "/api/v1/cost?window=7d&by=day,team"),
    ("cost-label", "/api/v1/cost?window=7d&by=label:app"),
];
/// Between two looks of one person.
const THINKS: Duration = Duration::from_secs(1);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [serve, folder] = &arguments[..]
        && serve == "serve"
    {
        return self::serve(Path::new(folder));
    }
    let number =
        |at: usize, otherwise: u32| arguments.get(at).map_or(otherwise, |n| n.parse().unwrap());
    let (seconds, users) = (number(0, 20), number(1, 200));
    let (hours, rows) = (number(2, 143), number(3, 70_000));
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), hours, rows);
    let served = Served::start(folder.path());
    for (_, report) in REPORTS {
        let before = served.cpu_s();
        let mut connection = BufReader::new(TcpStream::connect(served.address).unwrap());
        assert_eq!(ask(&mut connection, report, &mut BTreeMap::new()), 200);
        println!("{report} alone: {:.2} s of processor time", served.cpu_s() - before);
    }
    let took = ask_all(served.address, users, Duration::from_secs(seconds.into()));
    let memory = served.most_memory_mb();
    let about = format!("{users} users, {} charges, {seconds} s", u64::from(hours * rows));
    println!("{about}");
    for (name, limit) in [("page", 100.0), ("cost", 500.0), ("cost-label", 500.0)] {
        let of = &took.answered[name];
        let (half, most) = (part(of, 50), part(of, 99));
        println!("{name}: {} answered, half in {half:.1} ms, 99 % in {most:.1} ms", of.len());
        figure(&format!("load-{name}-p99"), most, limit, "ms");
    }
    println!("{} told to come again", took.refused);
    figure("load-memory", memory, 300.0, "MB");
}

/// Charges of so many hours before the world's last tick.
fn fill(folder: &Path, hours: u32, rows: u32) {
    let books = Books::open_folder(folder).unwrap();
    let end: Timestamp = "2026-11-24T12:00:00Z".parse().unwrap();
    let at = |hour: u32| end.checked_sub(SignedDuration::from_hours(i64::from(hour) + 1)).unwrap();
    books.put_hour(&large::metered(&world::cluster(), at(0), rows)).unwrap();
    let charges = Books::charges_folder(folder, &world::cluster());
    let path = |hour: u32| {
        let at = jiff::tz::Offset::UTC.to_datetime(at(hour));
        charges.join(format!("date={}", at.date())).join(format!("hour={:02}.parquet", at.hour()))
    };
    for hour in 1..hours {
        std::fs::create_dir_all(path(hour).parent().unwrap()).unwrap();
        std::fs::copy(path(0), path(hour)).unwrap();
    }
}

/// Serves until its input ends.
fn serve(folder: &Path) {
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    let bound = Server::bind(address, AccessRules::default(), None).unwrap();
    let published = world::published();
    let server = bound
        .serve(Behind {
            published: published.clone(),
            books: Books::open_folder(folder).unwrap(),
            journal: None,
            orders: None,
            offers: None,
            oidc: None,
            sessions: farthing_server::Sessions::default(),
        })
        .unwrap();
    println!("{}", server.address());
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(TICK);
            published.ticked(world::ticked()).unwrap();
        }
    });
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}

/// A server in a process of its own, on the first core.
struct Served {
    child: Child,
    address: SocketAddr,
}

impl Served {
    fn start(folder: &Path) -> Self {
        let program = std::env::current_exe().unwrap();
        let mut child = Command::new("taskset")
            .args(["-c", "0"])
            .arg(program)
            .arg("serve")
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, address: line.trim().parse().unwrap() }
    }

    /// Its processor time so far, in seconds.
    fn cpu_s(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
        let ticks: f64 = fields[11..13].iter().map(|ticks| ticks.parse::<f64>().unwrap()).sum();
        ticks / 100.0
    }

    /// The most memory that it ever had, in 10^6 bytes.
    fn most_memory_mb(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        let kib: f64 = line.trim().trim_end_matches(" kB").parse().unwrap();
        kib * 1_024.0 / 1e6
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How long answers took in milliseconds, by kind, and how many were refused.
#[derive(Default)]
struct Took {
    answered: BTreeMap<&'static str, Vec<f64>>,
    refused: usize,
}

fn ask_all(address: SocketAddr, users: u32, length: Duration) -> Took {
    let end = Instant::now() + length;
    let people: Vec<_> = (0..users)
        .map(|user| {
            let person = std::thread::Builder::new().stack_size(256 << 10);
            person.spawn(move || person_asks(address, user, end)).unwrap()
        })
        .collect();
    let mut all = Took::default();
    for person in people {
        let took = person.join().unwrap();
        all.refused += took.refused;
        for (kind, more) in took.answered {
            all.answered.entry(kind).or_default().extend(more);
        }
    }
    all
}

/// One person: opens a page, thinks, opens the next one.
fn person_asks(address: SocketAddr, user: u32, end: Instant) -> Took {
    let mut took = Took::default();
    // They do not all come at once.
    std::thread::sleep(THINKS * (user % 100) / 100);
    let mut connection = BufReader::new(TcpStream::connect(address).unwrap());
    let mut tags = BTreeMap::new();
    for look in 0.. {
        let report = REPORTS[usize::try_from((user + look) % 4).unwrap()];
        let pages = PAGES.iter().map(|page| ("page", *page)).chain([report]);
        for (kind, path) in pages {
            let began = Instant::now();
            let status = ask(&mut connection, path, &mut tags);
            match status {
                200 | 304 => {
                    let each = took.answered.entry(kind).or_default();
                    each.push(began.elapsed().as_secs_f64() * 1e3);
                }
                429 => took.refused += 1,
                other => panic!("{path}: {other}"),
            }
        }
        if Instant::now() >= end {
            return took;
        }
        std::thread::sleep(THINKS);
    }
    took
}

/// Asks as a browser does that has the answer already: the status.
fn ask(
    connection: &mut BufReader<TcpStream>,
    path: &'static str,
    tags: &mut BTreeMap<&'static str, String>,
) -> u16 {
    let tag = tags.get(path).map_or_else(String::new, |tag| format!("If-None-Match: {tag}\r\n"));
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{tag}\r\n");
    connection.get_mut().write_all(request.as_bytes()).unwrap();
    let (mut status, mut length, mut again) = (0, 0, false);
    loop {
        let mut line = String::new();
        assert!(connection.read_line(&mut line).unwrap() > 0, "{path}: it hung up");
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if let Some(rest) = line.strip_prefix("HTTP/1.1 ") {
            status = rest[..3].parse().unwrap();
        }
        let Some((name, value)) = line.split_once(": ") else { continue };
        match name {
            "content-length" => length = value.parse().unwrap(),
            "etag" => drop(tags.insert(path, value.to_owned())),
            "retry-after" => again = true,
            _ => {}
        }
    }
    assert!(status != 429 || again, "{path}: it does not say when to come again");
    connection.read_exact(&mut vec![0; length]).unwrap();
    status
}

/// The value that so many of a hundred are not above.
fn part(values: &[f64], of_hundred: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[(sorted.len() * of_hundred / 100).min(sorted.len() - 1)]
}

fn figure(name: &str, value: f64, limit: f64, unit: &str) {
    println!("{{\"bench\":\"{name}\",\"value\":{value:.1},\"limit\":{limit},\"unit\":\"{unit}\"}}");
}
