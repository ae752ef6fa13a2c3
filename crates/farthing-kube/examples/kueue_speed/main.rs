//! What a decision on a Workload of Kueue takes of our own processor: pricing it, asking a purse in
//! memory, and writing the answer. What a journal and encryption take is not in it.
//!
//! Another process says on a loopback socket what an API server says of so many Workloads that all
//! have quota, and takes the answers; its time is not ours. `kueue_speed [WORKLOADS]` (1,000)
//! prints one line as `make bench` reads it.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, missing_docs, reason = "a tool")]

use farthing_edge::{Clock, EdgeError};
use farthing_kube::kueue::{Ask, Held, Overdraft, Purse, Ran, Room, Rules, Used};
use farthing_kube::{Access, Identity, Kube, Priced, Prices};
use farthing_model::{
    ClusterId, Currency, HourlyRate, IdError, Money, Offer, Place, Price, PriceKind, Provenance,
    Purchase,
};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

/// The most that one decision may take, in microseconds.
const LIMIT_US: u64 = 1_000;
const NODES: usize = 1_000;
const BEGAN: &str = "2026-11-01T00:00:00Z";

struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

struct Flat;

impl Prices for Flat {
    fn price(
        &mut self,
        labels: &BTreeMap<String, String>,
        _provider_id: Option<&str>,
    ) -> Result<Priced, IdError> {
        let place = Place { provider: "x".to_owned(), region: "y".to_owned(), zone: None };
        let instance_type = labels["node.kubernetes.io/instance-type"].clone();
        let rate = HourlyRate::new(Money::from_pico(16_000_000_000_000, Currency::USD)).unwrap();
        let from = Provenance {
            kind: PriceKind::List,
            source: "made up".to_owned(),
            as_of: jiff::civil::date(2026, 11, 1),
            list: None,
        };
        Ok(Priced {
            offer: Offer::id_of(&place, &instance_type, Purchase::OnDemand)?,
            place,
            instance_type,
            accelerator: None,
            purchase: Purchase::OnDemand,
            price: Price::Known(rate, from),
        })
    }
}

/// Everything fits.
#[derive(Default)]
struct Wallet(BTreeMap<String, Held>);

impl Purse for Wallet {
    fn held(&self) -> Vec<Held> {
        self.0.values().cloned().collect()
    }

    fn reserve(
        &mut self,
        ask: &Ask,
        _of: Option<&Held>,
        now: Timestamp,
    ) -> Result<Room, EdgeError> {
        let held = Held {
            claim: format!("c{}", self.0.len()),
            uid: ask.uid.clone(),
            what: ask.what.clone(),
            amount: ask.amount,
            at: now,
            until: ask.until,
            counts: true,
            budgets: vec!["all".to_owned()],
            past_s: ask.past_s,
        };
        self.0.insert(held.uid.clone(), held.clone());
        Ok(Room::Granted(held))
    }

    fn lacks(&self, _ask: &Ask, _now: Timestamp) -> Result<Option<String>, EdgeError> {
        Ok(None)
    }

    fn settle(&mut self, held: &Held, _used: Used, _now: Timestamp) -> Result<(), EdgeError> {
        self.0.remove(&held.uid);
        Ok(())
    }

    fn learned(&self, _kind: &str) -> Vec<i64> {
        (1..=50).map(|minutes| minutes * 60).collect()
    }

    fn learn(&mut self, _ran: &Ran, _now: Timestamp) -> Result<(), EdgeError> {
        Ok(())
    }

    fn posted(&self, now: Timestamp) -> Timestamp {
        now
    }

    fn overdrafts(&self, _now: Timestamp) -> Result<Vec<Overdraft>, EdgeError> {
        Ok(Vec::new())
    }
}

/// The process, which ends with this.
struct Server(Child, String);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn main() {
    let asked: Vec<String> = std::env::args().skip(1).collect();
    if let [serve, workloads] = &asked[..]
        && serve == "serve"
    {
        serve_all(workloads.parse().unwrap());
        return;
    }
    let workloads: usize = asked.first().map_or(1_000, |text| text.parse().unwrap());
    let server = start(workloads);
    let access = Access {
        server: server.1.clone(),
        ca: None,
        insecure: false,
        identity: Identity::Anonymous,
        name: "generated".to_owned(),
    };
    let lab = ClusterId::new("lab").unwrap();
    let kube = Kube::open(access, lab, Arc::new(SystemClock), Box::new(Flat)).unwrap();
    assert!(kube.wait(Duration::from_secs(60)), "{:?}", kube.inventory());
    // Streams begin a moment after lists.
    std::thread::sleep(Duration::from_millis(500));
    let mut kueue = kube.kueue(Box::new(Flat), Rules::default());
    let mut wallet = Wallet::default();
    let before = cpu_us();
    let turn = kueue.turn(&mut wallet, Timestamp::now());
    let took = cpu_us() - before;
    assert_eq!(turn.let_in, workloads, "{:?}", turn.lines);
    let each = took / u64::try_from(workloads).unwrap();
    let line = json!({ "bench": "kueue decision, own CPU", "value": each, "limit": LIMIT_US,
        "unit": "us", "workloads": workloads, "nodes": NODES });
    println!("{line}");
}

fn start(workloads: usize) -> Server {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["serve", &workloads.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    Server(child, line.trim().to_owned())
}

/// Serves until it is killed.
fn serve_all(workloads: usize) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    println!("http://{}", listener.local_addr().unwrap());
    for stream in listener.incoming().map(Result::unwrap) {
        std::thread::spawn(move || answer_all(&stream, workloads));
    }
}

fn answer_all(stream: &TcpStream, workloads: usize) {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    while reader.read_line(&mut line).is_ok_and(|read| read > 0) {
        let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        let mut length = 0;
        loop {
            line.clear();
            reader.read_line(&mut line).unwrap();
            let text = line.trim().to_ascii_lowercase();
            if let Some(said) = text.strip_prefix("content-length: ") {
                length = said.parse().unwrap();
            }
            if text.is_empty() {
                break;
            }
        }
        reader.read_exact(&mut vec![0; length]).unwrap();
        line.clear();
        if path.contains("watch=true") {
            let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
            if (&*stream).write_all(head.as_bytes()).is_ok() {
                std::thread::sleep(Duration::from_secs(600));
            }
            return;
        }
        let body = body(&path, workloads);
        let (status, body) = body.map_or(("404 Not Found", String::new()), |it| ("200 OK", it));
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", body.len());
        if (&*stream).write_all(format!("{head}{body}").as_bytes()).is_err() {
            return;
        }
    }
}

fn body(path: &str, workloads: usize) -> Option<String> {
    const KUEUE: &str = "/apis/kueue.x-k8s.io";
    let path = path.split('?').next().unwrap_or_default();
    Some(match path {
        "/version" => r#"{"gitVersion":"v1.36.3"}"#.to_owned(),
        "/api/v1/nodes" => list(&(0..NODES).map(node).collect::<Vec<_>>()),
        path if path.starts_with(KUEUE) => match &path[KUEUE.len()..] {
            "" => json!({ "versions": [{ "version": "v1beta2" }] }).to_string(),
            "/v1beta2/workloads" => list(&(0..workloads).map(workload).collect::<Vec<_>>()),
            "/v1beta2/resourceflavors" => list(&[json!({
                "metadata": { "name": "h100", "resourceVersion": "1" },
                "spec": { "nodeLabels": { "node.kubernetes.io/instance-type": "p5.48xlarge" } },
            })]),
            "/v1beta2/admissionchecks" => list(&[json!({
                "metadata": { "name": "money", "resourceVersion": "1" },
                "spec": { "controllerName": "farthing.dev/budget" },
                "status": { "conditions": [{ "type": "Active", "status": "True" }] },
            })]),
            path if path.ends_with("/status") => workload(0).to_string(),
            _ => list(&[]),
        },
        path if path.starts_with("/api/v1/") || path.ends_with('s') && path.contains("/v1/") => {
            list(&[])
        }
        _ => return None,
    })
}

fn list(items: &[Value]) -> String {
    json!({ "metadata": { "resourceVersion": "1" }, "items": items }).to_string()
}

fn node(at: usize) -> Value {
    json!({
        "metadata": { "name": format!("n{at}"), "uid": format!("n{at}"), "resourceVersion": "1",
            "creationTimestamp": BEGAN, "labels": {
                "node.kubernetes.io/instance-type": "p5.48xlarge", "nvidia.com/gpu.count": "8" } },
        "status": { "conditions": [{ "type": "Ready", "status": "True" }],
            "capacity": { "cpu": "192", "memory": "2Ti", "nvidia.com/gpu": "8" } },
    })
}

fn workload(at: usize) -> Value {
    let env: Vec<Value> =
        (0..20).map(|it| json!({ "name": format!("E{it}"), "value": "v" })).collect();
    let requests = json!({ "cpu": "8", "memory": "64Gi", "nvidia.com/gpu": "1" });
    json!({
        "metadata": { "name": format!("job-train-{at}"), "namespace": format!("ns{}", at % 50),
            "uid": format!("00000000-0000-0000-0000-{at:012}"), "resourceVersion": "1",
            "creationTimestamp": BEGAN, "ownerReferences": [{ "kind": "Job", "controller": true,
                "name": format!("train-{at}"), "uid": "j" }] },
        "spec": { "queueName": "all", "priority": at % 7, "maximumExecutionTimeSeconds": 7_200,
            "podSets": [{ "name": "main", "count": 4, "template": {
                "metadata": { "labels": { "team": "research", "app": format!("a{at}") } },
                "spec": { "containers": [{ "name": "c", "image": "i", "env": env,
                    "resources": { "requests": requests } }] } } }] },
        "status": {
            "admission": { "clusterQueue": "all", "podSetAssignments": [{ "name": "main",
                "count": 4,
                "flavors": { "cpu": "h100", "memory": "h100", "nvidia.com/gpu": "h100" },
                "resourceUsage": { "cpu": "32", "memory": "256Gi", "nvidia.com/gpu": "4" } }] },
            "admissionChecks": [{ "name": "money", "state": "Pending", "message": "",
                "lastTransitionTime": BEGAN }],
            "conditions": [{ "type": "QuotaReserved", "status": "True", "reason": "QuotaReserved",
                "message": "", "lastTransitionTime": BEGAN }],
        },
    })
}

/// Processor time of this process, in microseconds; Linux counts hundredths of a second.
fn cpu_us() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let rest = stat.rsplit_once(')').unwrap().1;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    (fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()) * 10_000
}
