//! Measures placements of pods that share accelerators, for `make bench`.
//!
//! `openb_scale [FOLDER]`: nodes.csv and all other CSV in a folder, by default the published
//! arrivals beside the repository; made-up ones of that size where they are not there, for which
//! only time and the comparison with the baselines count. Time is the processor's, of the slowest
//! run of ours.

// A measurement may fail loudly, and its answer is what it prints.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::cast_precision_loss, missing_docs)]

use farthing_model::Draw;
use farthing_planner::placement::{NodeRoom, PlacePolicy, PodAsk, check_placement, place};
use farthing_sim::trace::{read_openb_nodes, read_openb_pods};
use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// What of all accelerators is not allocated in the mean, in hundredths, at most.
const UNALLOCATED_PERCENT_MAX: f64 = 4.5;
/// Seconds of a run, at most.
const SECONDS_MAX: f64 = 0.3;

fn main() {
    let given = std::env::args().nth(1).map(PathBuf::from);
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/openb-arrivals");
    let folder = given.unwrap_or(shared);
    let published = folder.join("nodes.csv").exists();
    let (nodes, traces) = if published { read(&folder) } else { made_up() };
    let mut sums = [0_u64; 3];
    let (mut below, mut slowest) = (0, 0.0_f64);
    for (name, pods) in &traces {
        let mut ppm = [0; 3];
        for (at, policy) in PlacePolicy::ALL.into_iter().enumerate() {
            let started = (Instant::now(), cpu_s());
            let placed = place(&nodes, pods, policy);
            let took = (cpu_s() - started.1).min(started.0.elapsed().as_secs_f64());
            if policy == PlacePolicy::Farthing {
                slowest = slowest.max(took);
            }
            assert_eq!(check_placement(&nodes, pods, &placed), []);
            ppm[at] = placed.gpu_milli * 1_000_000 / placed.capacity_milli.max(1);
            sums[at] += ppm[at];
        }
        below += u32::from(ppm[0] < ppm[1].max(ppm[2]));
        println!("{name}: farthing {}, fgd {}, best-fit {} ppm", ppm[0], ppm[1], ppm[2]);
    }
    let mean = |at: usize| sums[at] as f64 / traces.len() as f64 / 10_000.0;
    let of = format!(
        "\"traces\": {}, \"published\": {published}, \"farthing_percent\": {:.3}, \
         \"fgd_percent\": {:.3}, \"best_fit_percent\": {:.3}",
        traces.len(),
        mean(0),
        mean(1),
        mean(2)
    );
    let row = |bench: &str, value: f64, limit: f64, unit: &str| {
        println!(
            "{{\"bench\": \"{bench}\", \"value\": {value}, \"limit\": {limit}, \
             \"unit\": \"{unit}\", {of}}}"
        );
    };
    if published {
        row("openb-unallocated", 100.0 - mean(0), UNALLOCATED_PERCENT_MAX, "%");
    }
    row("openb-below-a-baseline", f64::from(below), 0.0, "traces");
    row("openb-seconds", slowest, SECONDS_MAX, "s");
}

type Traces = Vec<(String, Vec<PodAsk>)>;

fn read(folder: &Path) -> (Vec<NodeRoom>, Traces) {
    let open = |path: &Path| -> Box<dyn Read> {
        let file = File::open(path).unwrap();
        if path.extension().is_some_and(|it| it == "gz") {
            Box::new(MultiGzDecoder::new(file))
        } else {
            Box::new(file)
        }
    };
    let nodes = read_openb_nodes("nodes.csv", open(&folder.join("nodes.csv"))).unwrap();
    let mut paths: Vec<PathBuf> =
        folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let traces = paths.iter().filter_map(|path| {
        let name = path.file_name()?.to_str()?.to_owned();
        let is_trace = name.contains(".csv") && name != "nodes.csv";
        is_trace.then(|| (name.clone(), read_openb_pods(&name, open(path), &nodes.models).unwrap()))
    });
    let traces = traces.collect();
    (nodes.nodes, traces)
}

/// Nodes and pods of about the published sizes.
fn made_up() -> (Vec<NodeRoom>, Traces) {
    let node = |at: usize| match at % 5 {
        0 | 1 => NodeRoom::new(96_000, 393_216, 8, 0).unwrap(),
        2 => NodeRoom::new(104_000, 524_288, 2, 1).unwrap(),
        3 => NodeRoom::new(32_000, 131_072, 4, 2).unwrap(),
        _ => NodeRoom::new(16_000, 122_880, 2, 3).unwrap(),
    };
    let pods = |seed| {
        let mut draw = Draw::new(seed);
        let mut one = || {
            let cpu = [3_000, 6_000, 8_000, 11_000, 12_000, 16_000][draw.below(6)];
            let milli = [100, 200, 250, 300, 450, 500, 650, 800][draw.below(8)];
            match draw.below(20) {
                0..=1 => PodAsk::new(2 * cpu, 16_384, 0, 0),
                2..=9 => PodAsk::new(cpu, 16_384, 1, 1_000),
                10..=18 => PodAsk::new(cpu, 8_192, 1, milli),
                _ => PodAsk::new(2 * cpu, 65_536, 2, 1_000),
            }
            .unwrap()
        };
        (0..9_000).map(|_| one()).collect()
    };
    let traces = (1..=5).map(|seed| (format!("made up, seed {seed}"), pods(seed))).collect();
    ((0..1_200).map(node).collect(), traces)
}

/// Processor time of this process.
fn cpu_s() -> f64 {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let nanos: f64 = text.split(' ').next().and_then(|it| it.parse().ok()).unwrap_or(0.0);
    nanos / 1e9
}
