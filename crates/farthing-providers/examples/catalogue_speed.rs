//! How fast a whole catalogue is loaded and asked, and how much memory that takes.
//!
//! The catalogue is made up: five clouds, the sizes and the repetition of the real ones, from a
//! seed. Prints one JSON line for each figure, as `bench/README.md` says.

#![allow(clippy::print_stdout, clippy::expect_used, reason = "figures on stdout")]

use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use farthing_model::Purchase;
use farthing_model::offer_table::{Filter, Sizes};
use farthing_providers::catalog::{Catalogue, Options};
use flate2::{Compression, write::GzEncoder};
use parquet::arrow::ArrowWriter;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// Rows of each cloud: together those of the catalogue that the limits are for.
const CLOUDS: [(&str, usize); 5] =
    [("aws", 4_500), ("azure", 56_000), ("gcp", 29_000), ("lambda", 400), ("vast", 100)];
/// Readings of each figure; the median counts.
const RUNS: usize = 9;
const SEED: u64 = 7;
/// Regions of each cloud.
const REGIONS: usize = 60;

struct Machine {
    cloud: &'static str,
    name: String,
    accelerator: &'static str,
    count: u64,
    vcpus: u64,
    price_micro: u64,
    region: String,
}

fn main() {
    let folder = std::env::temp_dir().join(format!("farthing-bench-{}", std::process::id()));
    let machines = machines();
    write_skypilot(&folder.join("csv"), &machines);
    write_parquet(&folder.join("book.parquet"), &machines);
    let fresh = Options::default();
    let (csv, parquet) = (folder.join("csv"), folder.join("book.parquet"));
    let rows = machines.len();
    figure("catalogue-load-csv-gz", time(|| load(&csv, &fresh)), 250.0, rows);
    figure("catalogue-load-parquet", time(|| load(&parquet, &fresh)), 60.0, rows);
    let cached = Options { cache: Some(folder.join("cache")), ..Options::default() };
    // What changed just now is not kept.
    std::thread::sleep(Duration::from_millis(2_500));
    load(&csv, &cached);
    figure("catalogue-load-cached", time(|| load(&csv, &cached)), 60.0, rows);
    let table = load(&csv, &fresh).table;
    let gpu = Filter {
        accelerators: vec!["H100-80GB".parse().expect("a name")],
        count: Sizes::at_least(8),
        purchases: vec![Purchase::OnDemand],
        ..Filter::default()
    };
    let cpu = Filter {
        cpu_milli: Sizes::at_least(32_000),
        memory_bytes: Sizes::at_least(128 << 30),
        purchases: vec![Purchase::OnDemand],
        per_region: Some(1),
        ..Filter::default()
    };
    figure("catalogue-select-gpu", time(|| table.select(&gpu)), 5.0, table.len());
    figure("catalogue-select-cpu", time(|| table.select(&cpu)), 5.0, table.len());
    let _ = fs::remove_dir_all(&folder);
}

fn load(path: &Path, options: &Options) -> Catalogue {
    Catalogue::load(&[PathBuf::from(path)], options).expect("the catalogue was just written")
}

/// The median in milliseconds.
fn time<T>(mut work: impl FnMut() -> T) -> f64 {
    let mut times: Vec<Duration> = (0..RUNS)
        .map(|_| {
            let started = Instant::now();
            let result = work();
            let took = started.elapsed();
            drop(result);
            took
        })
        .collect();
    times.sort();
    times[RUNS / 2].as_secs_f64() * 1e3
}

fn figure(bench: &str, value: f64, limit: f64, rows: usize) {
    println!(
        "{{\"bench\":\"{bench}\",\"value\":{value:.3},\"limit\":{limit},\"unit\":\"ms\",\
         \"rows\":{rows},\"seed\":{SEED},\"runs\":{RUNS},\"peak_mb\":{}}}",
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

fn machines() -> Vec<Machine> {
    let mut state = SEED;
    let mut next = |most: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        (state >> 33) % most
    };
    let mut machines = Vec::new();
    for (cloud, rows) in CLOUDS {
        for at in 0..rows {
            // Every type in every region, as clouds list them.
            let kind = u64::try_from(at / REGIONS).unwrap_or(0);
            let (accelerator, count) = match kind % 40 {
                0 => ("H100", 8),
                1 => ("A100-80GB", 4),
                2 => ("L4", 1),
                _ => ("", 0),
            };
            let vcpus = 1 << (kind % 8);
            machines.push(Machine {
                cloud,
                name: format!("family{}.size{}", kind / 8, kind % 8),
                accelerator,
                count,
                vcpus,
                price_micro: 40_000 * vcpus + 2_500_000 * count + next(20_000),
                region: format!("region-{}", at % REGIONS),
            });
        }
    }
    machines
}

fn dollars(micro: u64) -> String {
    format!("{}.{:06}", micro / 1_000_000, micro % 1_000_000)
}

fn write_skypilot(folder: &Path, machines: &[Machine]) {
    for (cloud, _) in CLOUDS {
        let mut text = String::from(
            "InstanceType,AcceleratorName,AcceleratorCount,vCPUs,MemoryGiB,GpuInfo,Price,\
             SpotPrice,Region,AvailabilityZone\n",
        );
        for it in machines.iter().filter(|it| it.cloud == cloud) {
            let count = if it.count == 0 { String::new() } else { it.count.to_string() };
            let _ = writeln!(
                text,
                "{},{},{count},{},{},,{},{},{},",
                it.name,
                it.accelerator,
                it.vcpus,
                it.vcpus * 4,
                dollars(it.price_micro),
                dollars(it.price_micro / 3),
                it.region,
            );
        }
        let mut gz = GzEncoder::new(Vec::new(), Compression::default());
        gz.write_all(text.as_bytes()).expect("memory takes bytes");
        let path = folder.join(cloud);
        fs::create_dir_all(&path).expect("a folder for the bench");
        let file = path.join("vms.csv.gz");
        fs::write(&file, gz.finish().expect("memory takes bytes")).expect("a file for the bench");
        // As old as a catalogue is, so that it may be kept.
        let before = SystemTime::now() - Duration::from_secs(3_600);
        let times = fs::FileTimes::new().set_modified(before);
        let opened = fs::File::options().write(true).open(&file).expect("it was just written");
        opened.set_times(times).expect("our own file");
    }
}

fn write_parquet(path: &Path, machines: &[Machine]) {
    let text = |cell: &dyn Fn(&Machine) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(machines.iter().map(cell)))
    };
    #[allow(clippy::cast_precision_loss, reason = "millionths of a dollar, below 2^53")]
    let float = |cell: &dyn Fn(&Machine) -> u64, per: f64| -> ArrayRef {
        Arc::new(Float64Array::from_iter_values(machines.iter().map(|it| cell(it) as f64 / per)))
    };
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("provider", text(&|it| it.cloud.to_owned())),
        ("region", text(&|it| it.region.clone())),
        ("instance_type", text(&|it| it.name.clone())),
        ("accelerator", text(&|it| it.accelerator.to_owned())),
        ("accelerator_count", float(&|it| it.count, 1.0)),
        ("vcpus", float(&|it| it.vcpus, 1.0)),
        ("memory_gib", float(&|it| it.vcpus * 4, 1.0)),
        ("purchase", text(&|_| "on-demand".to_owned())),
        ("price", float(&|it| it.price_micro, 1e6)),
        ("currency", text(&|_| "USD".to_owned())),
        ("unit", text(&|_| "hour".to_owned())),
        ("source", text(&|_| "made up".to_owned())),
        ("as_of", text(&|_| "2026-11-24".to_owned())),
    ];
    let batch = RecordBatch::try_from_iter(columns).expect("columns of one length");
    let file = fs::File::create(path).expect("a file for the bench");
    let mut writer = ArrowWriter::try_new(file, batch.schema(), None).expect("a known schema");
    writer.write(&batch).expect("rows of that schema");
    writer.close().expect("a whole file");
}
