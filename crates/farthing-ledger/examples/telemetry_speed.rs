//! How fast a Parquet file of samples is metered and allocated, and in how much memory:
//!
//! `telemetry_speed write FILE [GPUS] [HOURS] [STEP_S]` writes a file of made-up samples, ten
//! series for each GPU (three pods that share it, with cores and memory, and the system's use);
//! `telemetry_speed meter FILE [GPUS] [HOURS]` meters it hour by hour, and prints one JSON line for
//! each figure as `bench/README.md` says, and one of sums that another program can be held to;
//! without arguments, both on a file of 14.4 million samples that is deleted afterwards.

// A measurement may fail loudly, and its answer is what it prints.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use arrow_array::builder::Decimal128Builder;
use arrow_array::{
    ArrayRef, Decimal128Array, DictionaryArray, Int32Array, RecordBatch, StringArray,
    TimestampNanosecondArray,
};
use arrow_schema::DataType;
use farthing_ledger::{MeterInput, Metered, SampleFile, Weights};
use farthing_model::{
    Asset, ClusterId, Currency, NodeId, NodeSpan, OfferId, Place, Price, PriceKind, Provenance,
    Purchase, Resources, Window,
};
use jiff::Timestamp;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

/// 2026-03-01T10:00:00Z.
const START_S: i64 = 1_772_359_200;
const SECOND: i64 = 1_000_000_000;
const HOUR_S: i64 = 3_600;
const GPUS_OF_A_NODE: usize = 8;
const SERIES_OF_A_GPU: usize = 10;
/// Samples of a row group, about.
const ROWS: usize = 1 << 20;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, otherwise: usize| {
        arguments.get(at).map_or(otherwise, |text| text.parse().unwrap())
    };
    let (gpus, hours, step) = (number(2, 1_000), number(3, 4), number(4, 10));
    match arguments.first().map(String::as_str) {
        Some("write") => write(Path::new(&arguments[1]), gpus, hours, step),
        Some("meter") => measure(Path::new(&arguments[1]), gpus, hours),
        _ => {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("samples.parquet");
            // In a process of its own, so that its memory is not counted.
            let program = std::env::current_exe().unwrap();
            let status = std::process::Command::new(program).arg("write").arg(&file).status();
            assert!(status.unwrap().success());
            measure(&file, gpus, hours);
        }
    }
}

/// A column of texts of one tick: the distinct ones, and which of them each series has.
type Texts = (StringArray, Vec<Option<i32>>);

fn texts(of: impl Fn(usize) -> Option<String>, series: usize) -> Texts {
    let (mut values, mut indices) = (Vec::<String>::new(), Vec::with_capacity(series));
    let mut known = std::collections::HashMap::new();
    for one in 0..series {
        indices.push(of(one).map(|text| {
            *known.entry(text.clone()).or_insert_with(|| {
                values.push(text);
                i32::try_from(values.len() - 1).unwrap()
            })
        }));
    }
    (StringArray::from(values), indices)
}

fn gpu_of(series: usize) -> usize {
    series / SERIES_OF_A_GPU
}

/// The pod of a series; none for the system.
fn pod_of(series: usize) -> Option<String> {
    let part = series % SERIES_OF_A_GPU;
    (part < 9).then(|| format!("pod-{:06}-{}", gpu_of(series), part / 3))
}

fn resource_of(series: usize) -> &'static str {
    match series % SERIES_OF_A_GPU {
        9 => "gpu",
        part => ["gpu", "cpu", "memory"][part % 3],
    }
}

/// What a series requests, in 10^-9 units.
fn requested_of(series: usize) -> i128 {
    match (series % SERIES_OF_A_GPU, resource_of(series)) {
        (9, _) => 0,
        (_, "gpu") => SECOND.into(),
        (_, "cpu") => i128::from(4 * SECOND),
        _ => i128::from(SECOND) * (32 << 30),
    }
}

fn write(path: &Path, gpus: usize, hours: usize, step: usize) {
    let series = gpus * SERIES_OF_A_GPU;
    let node = |one: usize| Some(format!("gpu-node-{:05}", gpu_of(one) / GPUS_OF_A_NODE));
    let device =
        |one: usize| (resource_of(one) == "gpu").then(|| format!("GPU-{:08}-5e1f", gpu_of(one)));
    let namespace = |one: usize| pod_of(one).map(|_| format!("team-{}", gpu_of(one) % 17));
    let columns: [(&str, Texts); 9] = [
        ("record", texts(|_| Some("sample".to_owned()), series)),
        ("source", texts(|_| Some("dcgm".to_owned()), series)),
        ("node", texts(node, series)),
        ("device", texts(device, series)),
        ("resource", texts(|one| Some(resource_of(one).to_owned()), series)),
        ("workload", texts(pod_of, series)),
        ("namespace", texts(namespace, series)),
        ("pod", texts(pod_of, series)),
        ("team", texts(namespace, series)),
    ];
    let absent = ["slice", "user", "container", "process"];
    let ticks = hours * 3_600 / step;
    let ticks_at_once = (ROWS / series).max(1);
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(ticks_at_once * series))
        .build();
    let mut writer: Option<ArrowWriter<File>> = None;
    let mut seed = 20_260_301_u64;
    for first in (0..ticks).step_by(ticks_at_once) {
        let here = first..(first + ticks_at_once).min(ticks);
        let count = here.len();
        let mut batch: Vec<(&str, ArrayRef)> = Vec::new();
        for (name, (values, indices)) in &columns {
            let indices: Int32Array = (0..count).flat_map(|_| indices.iter().copied()).collect();
            batch.push((name, Arc::new(DictionaryArray::new(indices, Arc::new(values.clone())))));
        }
        for name in absent {
            let nothing = Int32Array::new_null(count * series);
            let values = Arc::new(StringArray::from(Vec::<String>::new()));
            batch.push((name, Arc::new(DictionaryArray::new(nothing, values))));
        }
        let step_ns = i64::try_from(step).unwrap() * SECOND;
        let at = |tick: usize| START_S * SECOND + i64::try_from(tick).unwrap() * step_ns;
        let times = |later: usize| -> ArrayRef {
            let all = here.clone().flat_map(|tick| std::iter::repeat_n(at(tick + later), series));
            Arc::new(TimestampNanosecondArray::from_iter_values(all).with_timezone("UTC"))
        };
        batch.extend([("from", times(0)), ("to", times(1))]);
        let [requested, used, held] = amounts(series, count, step, &mut seed);
        batch.push(("requested_nano", Arc::new(requested)));
        batch.push(("used_nano", Arc::new(used)));
        batch.push(("held_nano", Arc::new(held)));
        let rows = RecordBatch::try_from_iter_with_nullable(
            batch.into_iter().map(|(name, column)| (name, column, true)),
        );
        let rows = rows.unwrap();
        let writer = writer.get_or_insert_with(|| {
            let file = File::create(path).unwrap();
            ArrowWriter::try_new(file, rows.schema(), Some(properties.clone())).unwrap()
        });
        writer.write(&rows).unwrap();
        writer.flush().unwrap();
    }
    writer.unwrap().close().unwrap();
}

/// What was requested, used and held, tick after tick.
fn amounts(series: usize, ticks: usize, step: usize, seed: &mut u64) -> [Decimal128Array; 3] {
    let kind = DataType::Decimal128(38, 0);
    let mut columns: [Decimal128Builder; 3] =
        std::array::from_fn(|_| Decimal128Builder::new().with_data_type(kind.clone()));
    let length = i128::try_from(step).unwrap();
    for _ in 0..ticks {
        for one in 0..series {
            *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let is_gpu = resource_of(one) == "gpu";
            // A quarter of the device each, and one for the system.
            let share = if is_gpu { 4 } else { 1 };
            let requested = requested_of(one) / share * length;
            let most = if requested == 0 { i128::from(SECOND) / 4 * length } else { requested };
            columns[0].append_value(requested);
            columns[1].append_value(most * i128::from(*seed >> 48) / 65_536);
            columns[2].append_option(is_gpu.then_some(requested));
        }
    }
    columns.map(|mut column| column.finish())
}

fn span(node: usize, window: Window) -> NodeSpan {
    let source = "made up".to_owned();
    let as_of = jiff::civil::date(2026, 3, 1);
    let region = "us-east-1".to_owned();
    NodeSpan {
        node: NodeId::new(&format!("gpu-node-{node:05}")).unwrap(),
        asset: Asset::Node,
        offer: OfferId::new("aws/us-east-1/p5.48xlarge/on-demand").unwrap(),
        place: Place { provider: "aws".to_owned(), region, zone: None },
        instance_type: "p5.48xlarge".to_owned(),
        purchase: Purchase::OnDemand,
        capacity: Resources {
            gpu_milli: 8_000,
            cpu_milli: 192_000,
            memory_bytes: 2 << 40,
            storage_bytes: 28 << 40,
        },
        price: Price::Known(
            "55.04 USD/h".parse().unwrap(),
            Provenance { kind: PriceKind::List, source, as_of, list: None },
        ),
        window,
        ready: window.from(),
        held_for: None,
        measured: true,
    }
}

/// Meters the hours of a file.
fn hours_of(path: &Path, gpus: usize, hours: usize) -> Vec<Metered> {
    let file = SampleFile::open(path).unwrap();
    let cluster = ClusterId::new("speed").unwrap();
    let weights = "gpu 2.50 USD/h\ncpu 0.03 USD/h\nmemory 0.004 USD/h\nstorage 0.0001 USD/h\n";
    let weights = Weights::from_text(weights).unwrap();
    let metered = (0..i64::try_from(hours).unwrap()).map(|hour| {
        let at = |hour: i64| Timestamp::from_second(START_S + hour * HOUR_S).unwrap();
        let window = Window::new(at(hour), at(hour + 1)).unwrap();
        let spans: Vec<NodeSpan> =
            (0..gpus.div_ceil(GPUS_OF_A_NODE)).map(|node| span(node, window)).collect();
        let (cluster, spans, weights) = (&cluster, &spans[..], &weights);
        let currency = Currency::USD;
        file.meter(&MeterInput { cluster, window, currency, spans, samples: &[], weights })
    });
    metered.map(|metered| metered.unwrap()).collect()
}

fn measure(path: &Path, gpus: usize, hours: usize) {
    let before = cpu_s();
    let metered = hours_of(path, gpus, hours);
    let took = cpu_s() - before;
    let mut sums = [0_i128; 4];
    for metered in &metered {
        for (_, usage) in metered.usage.iter() {
            sums[0] += usage.used_nano;
            sums[1] += usage.idle_nano;
            sums[2] += usage.overhead_nano;
        }
        sums[3] += metered.paid.pico();
    }
    let file = File::open(path).unwrap();
    let footer = parquet::file::reader::SerializedFileReader::new(file).unwrap();
    let footer = parquet::file::reader::FileReader::metadata(&footer).file_metadata().num_rows();
    let samples = f64::from(u32::try_from(footer).unwrap());
    // What 144 million would take.
    let seconds = took * 144e6 / samples;
    let charges: usize = metered.iter().map(|metered| metered.charges.len()).sum();
    println!(
        "{{\"bench\":\"meter-parquet\",\"value\":{seconds:.3},\"limit\":20,\"unit\":\"s\",\
         \"samples\":{footer},\"cpu_s\":{took:.2},\"ns_a_sample\":{:.1},\"charges\":{charges}}}",
        took * 1e9 / samples,
    );
    if let Some(memory) = memory_mib() {
        println!(
            "{{\"bench\":\"meter-parquet-memory\",\"value\":{memory},\"limit\":2048,\
             \"unit\":\"MiB\",\"samples\":{footer}}}"
        );
    }
    let [used, idle, overhead, paid] = sums;
    println!(
        "{{\"used_nano\":\"{used}\",\"idle_nano\":\"{idle}\",\"overhead_nano\":\"{overhead}\",\
         \"paid_pico\":\"{paid}\"}}"
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

/// The most memory that this process had, in MiB, where the system says it.
fn memory_mib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? / 1_024)
}
