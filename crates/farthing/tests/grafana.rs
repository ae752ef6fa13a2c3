//! The dashboard for Grafana, panel by panel: each query is asked of a real Prometheus that scrapes
//! a loop, and finds something.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "tests")]

mod program;

use program::Place;
use program::up::Demo;
use serde_json::Value;
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const DASHBOARD: &str = include_str!("../../../deploy/grafana/farthing.json");
const PATIENCE: Duration = Duration::from_secs(60);
/// Panels of what a demo without budgets need not have.
const MAY_BE_EMPTY: [&str; 1] = ["farthing_budget"];

/// A Prometheus that is stopped when the test ends.
struct Prometheus {
    child: Child,
    address: String,
}

impl Prometheus {
    /// Starts one that scrapes `target` each second; `None` where it is not installed.
    fn start(place: &Place, target: &str) -> Option<Self> {
        if !Path::new("/usr/bin/prometheus").exists() {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "there is no Prometheus");
            println!("skipped: there is no Prometheus (apt-get install prometheus)");
            return None;
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = place.file(
            "prometheus.yml",
            format!(
                "scrape_configs: [{{job_name: farthing, scrape_interval: 1s, \
                 static_configs: [{{targets: ['{target}']}}]}}]\n"
            ),
        );
        let address = format!("127.0.0.1:{port}");
        let child = Command::new("/usr/bin/prometheus")
            .args(["--config.file", &config, "--storage.tsdb.path", "tsdb"])
            .arg(format!("--web.listen-address={address}"))
            .current_dir(place.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Some(Self { child, address })
    }

    /// What a query finds, or why it is refused; `None` while nobody answers.
    fn ask(&self, query: &str) -> Option<Value> {
        let mut stream = TcpStream::connect(&self.address).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let body = format!("query={}", encoded(query));
        let (address, length) = (&self.address, body.len());
        let head = format!(
            "POST /api/v1/query HTTP/1.0\r\nHost: {address}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\r\n"
        );
        stream.write_all((head + &body).as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        serde_json::from_str(answer.split_once("\r\n\r\n")?.1).ok()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn encoded(text: &str) -> String {
    let mut all = String::new();
    for byte in text.bytes() {
        let _ = write!(all, "%{byte:02X}");
    }
    all
}

/// The queries of all panels, as Grafana would send them.
fn queries() -> Vec<(String, String)> {
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let mut found = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().unwrap() {
            let query = target["expr"].as_str().unwrap();
            let query = query.replace("$job", ".*").replace("$__rate_interval", "10s");
            found.push((panel["title"].as_str().unwrap().to_owned(), query));
        }
    }
    found
}

#[test]
fn every_panel_finds_something() {
    let place = Place::new();
    let demo = Demo::start(&place, &["--for", "90s", "--speed", "3000"]);
    let Some(prometheus) = Prometheus::start(&place, &demo.address) else { return };
    let queries = queries();
    assert!(queries.len() >= 12, "{queries:?}");
    let end = Instant::now() + PATIENCE;
    for (panel, query) in &queries {
        loop {
            let answer = prometheus.ask(query).unwrap_or(Value::Null);
            assert_ne!(answer["status"], "error", "{panel}: {query}: {answer}");
            let rows = answer["data"]["result"].as_array().map_or(0, Vec::len);
            let empty = MAY_BE_EMPTY.iter().any(|name| query.contains(name));
            if rows > 0 || (empty && answer["status"] == "success") {
                break;
            }
            assert!(Instant::now() < end, "{panel}: {query} finds nothing: {answer}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}
