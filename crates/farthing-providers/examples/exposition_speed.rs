//! How fast metrics are imported as text, on one core, beside copying the same bytes.
//!
//! The text is made up from a seed: the metrics and labels of a cluster's exporters, scrape after
//! scrape as a scraper writes them, and series after series as an export of a Prometheus has them.
//! Prints one JSON line for each figure, as `bench/README.md` says.

#![allow(clippy::print_stdout, clippy::expect_used, reason = "figures on stdout")]

use farthing_providers::exposition::{Limits, Line, Lines, split};
use farthing_providers::telemetry::{Intake, SourceMap, TextOptions};
use std::fmt::Write as _;
use std::fs;
use std::time::Instant;

/// Readings of each figure; the median counts.
const RUNS: usize = 7;
const SEED: u64 = 7;
const NODES: usize = 25;
/// Devices of each node.
const DEVICES: usize = 8;
/// Pods of each node.
const PODS: usize = 40;
const SCRAPES: i64 = 60;
/// Seconds between two scrapes.
const PACE: i64 = 30;
const START: i64 = 1_793_613_600;

fn main() {
    let series = series();
    let by_scrape = text(&series, true);
    let by_series = text(&series, false);
    let lines = series.len() * usize::try_from(SCRAPES).unwrap_or(0);
    let rate = |text: &str, work: &mut dyn FnMut(&str)| megabytes_per_second(text, work);
    let copied = rate(&by_scrape, &mut |text| {
        std::hint::black_box(text.as_bytes().to_vec());
    });
    let split_only = rate(&by_scrape, &mut |text| {
        let mut samples = 0_usize;
        Lines::new(text.as_bytes(), &Limits::default())
            .for_each(|_, line| {
                let read = line.and_then(split);
                samples += usize::from(matches!(read, Ok(Line::Sample(_))));
            })
            .expect("memory can be read");
        assert_eq!(samples, lines);
    });
    let scrapes = rate(&by_scrape, &mut |text| import(text, lines));
    let export = rate(&by_series, &mut |text| import(text, lines));
    let sizes = (lines, by_scrape.len() >> 20);
    figure("exposition-lines", split_only, (500.0, copied), sizes);
    figure("exposition-import-scrapes", scrapes, (300.0, copied), sizes);
    figure("exposition-import-export", export, (300.0, copied), sizes);
}

fn import(text: &str, lines: usize) {
    let map = SourceMap::built_in().expect("the map that ships");
    let mut intake = Intake::new(map);
    intake.read_text("bench", text.as_bytes(), &TextOptions::default(), &mut |_| {});
    let totals = intake.totals();
    assert_eq!(totals.faults, 0);
    assert_eq!(usize::try_from(totals.samples + totals.other).unwrap_or(0), lines);
}

/// The median rate.
fn megabytes_per_second(text: &str, work: &mut dyn FnMut(&str)) -> f64 {
    let mut times: Vec<f64> = (0..RUNS)
        .map(|_| {
            let started = Instant::now();
            work(text);
            started.elapsed().as_secs_f64()
        })
        .collect();
    times.sort_by(f64::total_cmp);
    #[allow(clippy::cast_precision_loss, reason = "far below 2^53")]
    let bytes = text.len() as f64;
    bytes / 1e6 / times[RUNS / 2]
}

fn figure(bench: &str, value: f64, (limit, copied): (f64, f64), (lines, mib): (usize, usize)) {
    println!(
        "{{\"bench\":\"{bench}\",\"value\":{value:.1},\"limit\":{limit},\"unit\":\"MB/s\",\
         \"of_copying\":{:.3},\"copying\":{copied:.0},\"lines\":{lines},\"mib\":{mib},\
         \"seed\":{SEED},\"runs\":{RUNS},\"peak_mb\":{}}}",
        value / copied,
        peak_mb()
    );
}

/// The most memory that this process has had.
fn peak_mb() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
    let kb = line.split_whitespace().nth(1).and_then(|kb| kb.parse::<u64>().ok());
    kb.unwrap_or(0) / 1_024
}

/// A series, and what is added to its value with each scrape, in thousandths.
struct Made {
    key: String,
    first: u64,
    step: u64,
}

fn series() -> Vec<Made> {
    let mut state = SEED;
    let mut next = |most: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        (state >> 33) % most
    };
    let mut all = Vec::new();
    let mut add = |key: String, first: u64, step: u64| all.push(Made { key, first, step });
    for node in 0..NODES {
        for gpu in 0..DEVICES {
            let own = format!(
                "gpu=\"{gpu}\",UUID=\"GPU-{node:08x}-{gpu:04x}-4e5f-8a9b-0c1d2e3f4a5b\",\
                 pci_bus_id=\"00000000:{gpu:02x}:00.0\",device=\"nvidia{gpu}\",\
                 modelName=\"NVIDIA H100 80GB HBM3\",Hostname=\"node-{node}\",\
                 DCGM_FI_DRIVER_VERSION=\"570.133.20\",container=\"main\",namespace=\"team-{gpu}\",\
                 pod=\"train-{node}-{gpu}\""
            );
            for metric in ["GR_ENGINE_ACTIVE", "SM_ACTIVE", "PIPE_TENSOR_ACTIVE", "DRAM_ACTIVE"] {
                add(format!("DCGM_FI_PROF_{metric}{{{own}}}"), next(900), next(2));
            }
            for metric in ["GPU_UTIL", "FB_USED", "POWER_USAGE", "SM_CLOCK", "GPU_TEMP"] {
                add(format!("DCGM_FI_DEV_{metric}{{{own}}}"), next(90_000), next(100));
            }
        }
        for pod in 0..PODS {
            let own =
                format!("namespace=\"team-{}\",pod=\"web-{node}-{pod}-7d9f8c6b5-x2x4z\"", pod % 9);
            let id =
                format!("id=\"/kubepods.slice/kubepods-burstable.slice/pod{node:06x}{pod:06x}\"");
            let used =
                format!("container=\"main\",image=\"registry.example.com/web:1.2.3\",{id},{own}");
            add(
                format!("container_cpu_usage_seconds_total{{{used}}}"),
                next(9_000_000),
                next(60_000),
            );
            add(
                format!("container_memory_working_set_bytes{{{used}}}"),
                next(1 << 40),
                next(1 << 20),
            );
            let uid = format!("uid=\"{node:08x}-{pod:04x}-4a4b-8c8d-0e0f1a1b2c2d\"");
            for resource in ["cpu", "memory"] {
                add(
                    format!(
                        "kube_pod_container_resource_requests{{{own},{uid},container=\"main\",\
                         node=\"node-{node}\",resource=\"{resource}\",unit=\"core\"}}"
                    ),
                    next(4_000_000),
                    0,
                );
            }
        }
    }
    all
}

fn text(series: &[Made], by_scrape: bool) -> String {
    let mut text = String::new();
    let mut line = |it: &Made, at: i64| {
        let value = it.first + it.step * u64::try_from(at).unwrap_or(0);
        let time = START + PACE * at;
        let _ = writeln!(text, "{} {}.{:03} {time}", it.key, value / 1_000, value % 1_000);
    };
    if by_scrape {
        for at in 0..SCRAPES {
            for it in series {
                line(it, at);
            }
        }
    } else {
        for it in series {
            for at in 0..SCRAPES {
                line(it, at);
            }
        }
    }
    text
}
