//! Measures packings of made-up pods on a made-up price list.
//!
//! `pack_scale SHAPES PODS CORES_MAX SEED` prints one line: how long, how far from the least, and
//! first-fit decreasing beside it, and what becomes of the nodes when most pods are gone
//! (`running`). Without arguments it prints the rows of `make bench`. Machines have 2, 4 or 8 GiB
//! a core at 0.025 a core and 0.001 a GiB; some of each is kept for the system.

// A measurement may fail loudly, and its answer is what it prints.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::cast_precision_loss)]

mod running;

use farthing_model::{
    Currency, Decimal, HourlyRate, Job, Money, NodeRules, Offer, Place, Price, PriceKind,
    Provenance, Purchase, Resources, Window, Workload, WorkloadId, WorkloadKind,
};
use farthing_planner::{Baseline, PackInput, Packing, check_packing, pack, pack_as};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::time::Instant;

/// Cores of pods, in thousandths.
const CORES: [u64; 11] = [100, 250, 500, 750, 1_000, 1_500, 2_000, 3_000, 4_000, 6_000, 8_000];

/// A small generator, the same everywhere.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }
}

fn offers(cores_max: u64) -> Vec<Offer> {
    let mut offers = Vec::new();
    for cores in [1, 2, 4, 8, 16, 32, 48, 64, 96, 128, 192, 256] {
        for gib in [2, 4, 8].map(|each| cores * each) {
            if cores > cores_max {
                continue;
            }
            let milli = i128::from(cores * 25 + gib);
            let rate = Money::from_pico(milli * 1_000_000_000, Currency::USD);
            let place =
                Place { provider: "made-up".to_owned(), region: "r".to_owned(), zone: None };
            let instance_type = format!("c{cores}m{gib}");
            let provenance = Provenance {
                kind: PriceKind::List,
                source: "generated".to_owned(),
                as_of: "2026-11-01".parse().unwrap(),
                list: None,
            };
            offers.push(Offer {
                id: Offer::id_of(&place, &instance_type, Purchase::OnDemand).unwrap(),
                place,
                instance_type,
                accelerator: None,
                accelerator_count: 0,
                capacity: resources(cores * 1_000, gib << 10),
                purchase: Purchase::OnDemand,
                price: Price::Known(HourlyRate::new(rate).unwrap(), provenance),
                available: None,
                residency: Vec::new(),
                warnings: Vec::new(),
            });
        }
    }
    offers.sort_by(|a, b| a.id.cmp(&b.id));
    offers
}

fn resources(cpu_milli: u64, mib: u64) -> Resources {
    Resources { gpu_milli: 0, cpu_milli, memory_bytes: mib << 20, storage_bytes: 0 }
}

fn workloads(shapes: u64, pods: u64, dice: &mut Dice) -> Vec<Workload> {
    let one = |at: u64, dice: &mut Dice| {
        let cpu = CORES[usize::try_from(dice.below(11)).unwrap()];
        let mib = cpu * (512 + dice.below(15) * 512) / 1_000;
        let count = pods / shapes + u64::from(at < pods % shapes);
        let job = Job {
            count: u32::try_from(count).unwrap(),
            submitted: None,
            work: None,
            throughput: Vec::new(),
            duration: None,
            deadline: None,
            quoted_cost: None,
            interruptible: None,
        };
        Workload {
            id: WorkloadId::new(&format!("w{at:04}")).unwrap(),
            team: None,
            labels: BTreeMap::new(),
            resources: resources(cpu, mib.max(64)),
            residency: Vec::new(),
            value: Decimal::ZERO,
            data: None,
            kind: WorkloadKind::Job(job),
        }
    };
    (0..shapes).map(|at| one(at, dice)).collect()
}

/// Sizes of `make bench`, with limits of time and gap.
const SIZES: [(&str, [u64; 4], f64, f64); 4] = [
    ("pack-1000", [2, 1_000, 256, 1], 0.2, 0.5),
    ("pack-2000", [42, 2_000, 256, 2], 2.0, 0.5),
    ("pack-2000-small", [42, 2_000, 31, 1], 2.0, 0.5),
    ("pack-20000", [400, 20_000, 256, 1], 10.0, 1.0),
];

/// A packing with the time that it took of a processor.
struct Made {
    packing: Packing,
    usual: Packing,
    took_s: f64,
}

fn made(workloads: &[Workload], offers: &[Offer]) -> Made {
    let workloads: Vec<&Workload> = workloads.iter().collect();
    let input = asked(&workloads, offers);
    let started = (Instant::now(), cpu_s());
    let packing = pack(&input).unwrap();
    let took_s = (cpu_s() - started.1).min(started.0.elapsed().as_secs_f64());
    assert_eq!(check_packing(&input, &packing), []);
    let usual = pack_as(Baseline::FfdCheapest, &input).unwrap().unwrap();
    Made { packing, usual, took_s }
}

fn asked<'a>(workloads: &'a [&'a Workload], offers: &'a [Offer]) -> PackInput<'a> {
    let now: Timestamp = "2026-11-24T00:00:00Z".parse().unwrap();
    PackInput {
        workloads,
        offers,
        window: Window::starting(now, SignedDuration::from_hours(1)).unwrap(),
        currency: Currency::USD,
        nodes: NodeRules { reserve: resources(100, 120), pods: Some(250), move_cost: None },
        budgets: &[],
    }
}

/// Processor time of this process.
fn cpu_s() -> f64 {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let nanos: f64 = text.split(' ').next().and_then(|it| it.parse().ok()).unwrap_or(0.0);
    nanos / 1e9
}

/// How far a cost is above a bound, in hundredths of it.
fn over(cost: Money, bound: Money) -> f64 {
    (cost.pico() - bound.pico()) as f64 * 100.0 / bound.pico() as f64
}

fn row(bench: &str, value: f64, limit: f64, unit: &str, more: &str) {
    println!(
        "{{\"bench\": \"{bench}\", \"value\": {value}, \"limit\": {limit}, \
         \"unit\": \"{unit}\"{more}}}"
    );
}

fn bench() {
    for (name, [shapes, pods, cores_max, seed], seconds_max, gap_max) in SIZES {
        let (workloads, offers) = (workloads(shapes, pods, &mut Dice(seed)), offers(cores_max));
        let made = made(&workloads, &offers);
        let bound = made.packing.lower_bound.unwrap();
        let first_fit = over(made.usual.cost, bound);
        let more = format!(
            ", \"shapes\": {shapes}, \"pods\": {pods}, \"seed\": {seed}, \
             \"first_fit_over_bound_percent\": {first_fit:.3}"
        );
        let curve = format!("{more}, \"curve\": \"packing\", \"size\": {pods}");
        // One curve is of machines of one range of sizes.
        let curve = if cores_max > 31 { &curve } else { &more };
        row(&format!("{name}-time"), made.took_s, seconds_max, "s", curve);
        row(&format!("{name}-gap"), over(made.packing.cost, bound), gap_max, "%", &more);
    }
    running::bench();
}

fn main() {
    let numbers: Vec<u64> =
        std::env::args().skip(1).map(|text| text.parse().expect("a number")).collect();
    if numbers.is_empty() {
        return bench();
    }
    let [shapes, pods, cores_max, seed] = numbers[..] else {
        panic!("pack_scale [SHAPES PODS CORES_MAX SEED]")
    };
    let workloads = workloads(shapes, pods, &mut Dice(seed));
    let offers = offers(cores_max);
    let Made { packing, usual, took_s } = made(&workloads, &offers);
    let nodes: u64 = packing.nodes.iter().map(|node| node.count).sum();
    println!(
        "{shapes} shapes, {pods} pods, up to {cores_max} cores, seed {seed}: {:.0} ms, {} on \
         {nodes} nodes, bound {}, gap_ppm {}, first fit {}, rounds {}, columns {}",
        took_s * 1e3,
        packing.cost.rounded(3),
        packing.lower_bound.unwrap().rounded(3),
        packing.gap.unwrap().ppm(),
        usual.cost.rounded(3),
        packing.search.0,
        packing.search.1,
    );
    println!("{}", running::after(&workloads, &offers, seed));
}
