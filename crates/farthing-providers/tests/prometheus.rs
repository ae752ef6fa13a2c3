//! A real Prometheus on loopback: what it serves gives the same table as the file it was made from.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    missing_docs,
    reason = "tests"
)]

use farthing_model::Window;
use farthing_providers::catalog::Catalogue;
use farthing_providers::prometheus::{Access, Prometheus, Query};
use farthing_providers::telemetry::{
    Cluster, ClusterOptions, Intake, NodePrices, SourceMap, TextOptions, measure, text,
};
use jiff::{SignedDuration, Timestamp};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Ends with its test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Whether the programs are there; elsewhere a line says that the test was left out, and under
/// `CI=true` that is a failure.
fn is_installed() -> bool {
    let runs = |program: &str| Command::new(program).arg("--version").output().is_ok();
    let there = runs("prometheus") && runs("promtool");
    if !there {
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "prometheus is not installed");
        println!(
            "left out: prometheus and promtool are not installed (apt-get install prometheus)"
        );
    }
    there
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures")
}

/// All fixtures as one `OpenMetrics` text, which `promtool` reads.
fn joined() -> String {
    let mut text = String::new();
    for name in ["kube", "cadvisor", "dcgm"] {
        let one = std::fs::read_to_string(fixtures().join(format!("{name}.om"))).unwrap();
        text += &one.replace("# EOF\n", "");
    }
    text + "# EOF\n"
}

fn window() -> Window {
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    Window::new(at("2026-11-02T10:00:00Z"), at("2026-11-02T11:00:00Z")).unwrap()
}

fn cluster(intake: Intake) -> Cluster {
    let book = Catalogue::default_book();
    let options = ClusterOptions { window: Some(window()), ..ClusterOptions::default() };
    measure(intake, options, NodePrices::new(&book)).unwrap()
}

fn by_file() -> Cluster {
    let mut intake = Intake::new(SourceMap::built_in().unwrap());
    intake.read_text("joined.om", joined().as_bytes(), &TextOptions::default(), &mut |_| {});
    cluster(intake)
}

fn start(data: &Path) -> Option<(Server, String)> {
    let text = data.join("joined.om");
    std::fs::write(&text, joined()).unwrap();
    let blocks = data.join("blocks");
    let made = Command::new("promtool")
        .args(["tsdb", "create-blocks-from", "openmetrics"])
        .args([&text, &blocks])
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    std::fs::write(data.join("none.yml"), "scrape_configs: []\n").unwrap();
    // A port that is free now; another program may take it first, then the next one is tried.
    for _ in 0..3 {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", data.join("none.yml").display()))
            .arg(format!("--storage.tsdb.path={}", blocks.display()))
            .arg("--storage.tsdb.retention.time=100y")
            .arg(format!("--web.listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut server = Server(child);
        let started = Instant::now();
        while started.elapsed() < Duration::from_secs(20) {
            if std::net::TcpStream::connect(address).is_ok() {
                return Some((server, format!("http://{address}")));
            }
            if server.0.try_wait().unwrap().is_some() {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    None
}

fn by_server(url: &str, step: Option<SignedDuration>) -> Cluster {
    let server = Prometheus::new(url, &Access::default()).unwrap();
    let mut intake = Intake::new(SourceMap::built_in().unwrap());
    let query = Query { window: window(), step, select: None, hold: SignedDuration::from_mins(5) };
    // It listens a moment before it is ready, which it says with 503.
    server.read(&query, &mut intake, &mut |_| {}).unwrap();
    cluster(intake)
}

#[test]
fn a_real_prometheus_gives_the_table_of_the_file() {
    if !is_installed() {
        return;
    }
    let data = tempfile::tempdir().unwrap();
    let (_server, url) = start(data.path()).expect("prometheus does not start");
    let (file, served) = (by_file(), by_server(&url, None));
    assert!(file.rows.len() > 40, "{}", file.rows.len());
    assert_eq!(text(&served.rows), text(&file.rows));
    assert_eq!(served.samples, file.samples);
    assert_eq!(served.spans, file.spans);
    // On the grid of the scrapes, values at even distances are the samples.
    let stepped = by_server(&url, Some(SignedDuration::from_secs(120)));
    assert!(stepped.totals.samples >= file.totals.samples);
    assert_eq!(stepped.spans, file.spans);
}

/// What pods use now, by the same server: means over ten minutes of counters and gauges.
#[test]
fn a_real_prometheus_tells_what_pods_use() {
    if !is_installed() {
        return;
    }
    let data = tempfile::tempdir().unwrap();
    let (_server, url) = start(data.path()).expect("prometheus does not start");
    let server = Prometheus::new(&url, &Access::default()).unwrap();
    let at = "2026-11-02T10:30:00Z".parse::<Timestamp>().unwrap();
    let pods = server.pods(at, SignedDuration::from_mins(10)).unwrap();
    let of = |namespace: &str, pod: &str| pods[&(namespace.to_owned(), pod.to_owned())];
    // 60 seconds in each two minutes, without the row of the whole pod.
    let front = of("web", "front-7d9f-a");
    assert_eq!(front.cpu_nano, Some(500_000_000));
    assert_eq!((front.memory_bytes, front.gpu_nano), (Some(1 << 30), None));
    let train = of("ml", "train-0");
    assert_eq!(train.gpu_nano, Some(1_810_000_000), "0.93 and 0.88 of two devices");
    assert!(train.cpu_nano.is_some() && train.memory_bytes.is_some(), "{train:?}");
    // Before anything was scraped nothing is known, which is not nothing.
    let early = "2026-11-01T00:00:00Z".parse::<Timestamp>().unwrap();
    assert!(server.pods(early, SignedDuration::from_mins(10)).unwrap().is_empty());
}
