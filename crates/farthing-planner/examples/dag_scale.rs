//! Measures plans of DAGs: 4, 10 and 100 tasks on five clouds with egress by region pair.
//!
//! `dag_scale [SEED]` prints for each size how long a plan takes (prices indexed before), how far
//! it is from the proven least cost, and the lines for `make bench`. Every plan is checked.

// A measurement may fail loudly, and its answer is what it prints.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use farthing_model::{
    Accelerators, Currency, Dag, Decimal, Edge, EgressRow, EgressTable, HourlyRate, Money,
    Objective, Offer, Place, Port, Price, PriceKind, Provenance, Purchase, Resources, Run, Target,
    Task, Throughput, Work, WorkloadId,
};
use farthing_planner::{DAG_WORK_MAX, DagInput, DagPlan, Market, check_dag, plan_dag};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

const CLOUDS: [(&str, usize); 5] =
    [("aws", 20), ("azure", 28), ("gcp", 24), ("lambda", 12), ("vast", 16)];
const KINDS: [(&str, u64); 6] = [
    ("H100-80GB", 300),
    ("A100-80GB", 180),
    ("A100-40GB", 130),
    ("L40S-48GB", 110),
    ("L4-24GB", 60),
    ("T4-16GB", 35),
];
/// DAGs of each size and shape.
const DRAWS: u64 = 12;

/// A small generator, the same everywhere.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }

    fn from(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }
}

fn usd(cents_of_cents: u64) -> Money {
    Money::from_pico(i128::from(cents_of_cents) * 100_000_000, Currency::USD)
}

fn offers(dice: &mut Dice) -> Arc<[Offer]> {
    let mut offers = Vec::new();
    for (provider, regions) in CLOUDS {
        for region in 0..regions {
            let dear = dice.from(90, 135);
            for (kind, cents) in KINDS {
                for count in [1, 2, 4, 8] {
                    if dice.below(100) < 35 {
                        continue;
                    }
                    let price = cents * count * 100 * dear / 100 * dice.from(85, 115) / 100;
                    let place = Place {
                        provider: provider.to_owned(),
                        region: format!("region-{region:02}"),
                        zone: None,
                    };
                    let instance_type = format!("{kind}x{count}");
                    let provenance = Provenance {
                        kind: PriceKind::List,
                        source: "generated".to_owned(),
                        as_of: "2026-11-26".parse().unwrap(),
                    };
                    let rate = HourlyRate::new(usd(price)).unwrap();
                    offers.push(Offer {
                        id: Offer::id_of(&place, &instance_type, Purchase::OnDemand).unwrap(),
                        place,
                        instance_type,
                        accelerator: Some(kind.parse().unwrap()),
                        accelerator_count: u32::try_from(count).unwrap(),
                        capacity: Resources { gpu_milli: count * 1_000, ..Resources::default() },
                        purchase: Purchase::OnDemand,
                        price: Price::Known(rate, provenance),
                        available: None,
                        residency: Vec::new(),
                        warnings: Vec::new(),
                    });
                }
            }
        }
    }
    offers.sort_by(|a, b| a.id.cmp(&b.id));
    offers.into()
}

/// A price for each ordered pair of regions, as the clouds have them: near ones cheap.
fn egress(dice: &mut Dice) -> EgressTable {
    let regions = || {
        CLOUDS.into_iter().flat_map(|(cloud, count)| (0..count).map(move |region| (cloud, region)))
    };
    let mut rows = Vec::new();
    for from in regions() {
        let out = dice.from(80, 190);
        for to in regions().filter(|to| *to != from) {
            let mills = match (from.0 == to.0, from.0) {
                (_, "lambda" | "vast") => 0,
                (true, _) => [10, 20, 20, 50, 80][usize::try_from(dice.below(5)).unwrap()],
                (false, _) => out,
            };
            rows.push(EgressRow {
                from_provider: Some(from.0.to_owned()),
                from_region: Some(format!("region-{:02}", from.1)),
                to_provider: Some(to.0.to_owned()),
                to_region: Some(format!("region-{:02}", to.1)),
                up_to_bytes: None,
                price_per_gb: usd(mills * 10),
                gbit_per_s: None,
            });
        }
    }
    EgressTable::new(Currency::USD, rows).unwrap()
}

/// Layers of tasks; each task has data from `fan` percent of the layer before, at least one.
fn edges(dice: &mut Dice, tasks: usize, width: u64, fan: u64) -> Vec<Edge> {
    let mut layers: Vec<Vec<usize>> = Vec::new();
    let mut at = 0;
    while at < tasks {
        let size = usize::try_from(dice.from(1, width)).unwrap().min(tasks - at);
        layers.push((at..at + size).collect());
        at += size;
    }
    let mut edges = Vec::new();
    for pair in layers.windows(2) {
        for to in &pair[1] {
            let mut sources: Vec<usize> =
                pair[0].iter().copied().filter(|_| dice.below(100) < fan).collect();
            if sources.is_empty() {
                sources.push(pair[0][usize::try_from(dice.below(pair[0].len() as u64)).unwrap()]);
            }
            for from in sources {
                let gb = [1, 5, 20, 100, 500, 2_000][usize::try_from(dice.below(6)).unwrap()];
                edges.push(Edge {
                    from,
                    to: *to,
                    size_bytes: gb * dice.from(50, 150) * 10_000_000,
                });
            }
        }
    }
    edges
}

/// The same with what each task needs, and data in a place at either end.
fn dag(dice: &mut Dice, tasks: usize, width: u64, fan: u64) -> Dag {
    let edges = edges(dice, tasks, width, fan);
    let port = |dice: &mut Dice, task| {
        let (cloud, regions) = CLOUDS[usize::try_from(dice.below(3)).unwrap()];
        let region = dice.below(regions as u64);
        let region = format!("region-{region:02}");
        let place = Place { provider: cloud.to_owned(), region, zone: None };
        Port { task, place, size_bytes: dice.from(10, 3_000) * 1_000_000_000 }
    };
    let task = |dice: &mut Dice, at: usize| {
        let alternatives = dice.from(1, 3);
        let accelerators = (0..alternatives).map(|_| {
            let (kind, _) = KINDS[usize::try_from(dice.below(6)).unwrap()];
            let count = [1, 2, 4, 8][usize::try_from(dice.below(4)).unwrap()];
            Accelerators { accelerator: kind.parse().unwrap(), count }
        });
        Task {
            name: format!("t{at:03}"),
            accelerators: accelerators.collect(),
            resources: Resources::default(),
            nodes: 1,
            run: Run::Fixed(SignedDuration::from_mins(
                i64::try_from(dice.from(10, 1_500)).unwrap(),
            )),
            purchase: Vec::new(),
            providers: Vec::new(),
            regions: Vec::new(),
            residency: Vec::new(),
            deadline: None,
            node_price_max: None,
            price_max: None,
        }
    };
    Dag {
        id: WorkloadId::new("scale").unwrap(),
        team: None,
        labels: BTreeMap::new(),
        inputs: vec![port(dice, 0)],
        outputs: vec![port(dice, tasks - 1)],
        tasks: (0..tasks).map(|at| task(dice, at)).collect(),
        edges,
        objective: Objective::Cost,
        residency: Vec::new(),
        deadline: None,
        cost_max: None,
    }
}

/// What is wanted of a DAG.
#[derive(Clone, Copy, PartialEq)]
enum Wish {
    /// The least cost.
    Cost,
    /// The least cost in half again of the time that the fastest machines take.
    Deadline,
    /// The earliest end, then the least cost.
    Time,
}

impl Wish {
    /// The DAG with work instead of hours where time matters: faster machines cost more.
    fn of(self, dice: &mut Dice, mut dag: Dag, market: &Market, table: &EgressTable) -> Dag {
        if self == Self::Cost {
            return dag;
        }
        for task in &mut dag.tasks {
            let row = |(kind, speed): (&str, u64)| Throughput {
                target: Target::Accelerator(kind.parse().unwrap()),
                count: 1,
                amount: Decimal::from_int(i64::try_from(speed * dice.from(60, 140) / 100).unwrap()),
                per: SignedDuration::from_hours(1),
            };
            let throughput = KINDS.into_iter().map(row).collect();
            let amount = Decimal::from_int(i64::try_from(dice.from(100, 5_000)).unwrap());
            task.accelerators = Vec::new();
            task.run = Run::Work { work: Work { amount, unit: "steps".to_owned() }, throughput };
        }
        dag.objective = Objective::Time;
        if self == Self::Deadline {
            let now = Timestamp::UNIX_EPOCH;
            let input = DagInput { dag: &dag, market, egress: Some(table), now, work_max: 1 };
            let fastest = plan_dag(&input).unwrap().makespan;
            dag.objective = Objective::Cost;
            dag.deadline = now.checked_add(fastest + fastest / 2).ok();
        }
        dag
    }
}

/// The slowest of a few plans in milliseconds, and the widest gap in millionths.
fn measure(name: &str, dags: &[Dag], market: &Market, table: &EgressTable) -> (f64, u32) {
    let (mut slowest, mut widest) = (0.0_f64, 0);
    for dag in dags {
        let now = Timestamp::UNIX_EPOCH;
        let input = DagInput { dag, market, egress: Some(table), now, work_max: DAG_WORK_MAX };
        let (started, processor) = (Instant::now(), processor_ms());
        let plan: DagPlan = plan_dag(&input).unwrap();
        let took = started.elapsed().as_secs_f64() * 1e3;
        let busy = processor_ms() - processor;
        assert_eq!(check_dag(&input, &plan), []);
        let gap = plan.gap.map_or(1_000_000, farthing_model::Ratio::ppm);
        println!(
            "{name}: {} edges, {} labels, cost {}, gap {gap} ppm, {took:.2} ms ({busy:.2} ms of a \
             core), {} ({} nodes, {} M read)",
            dag.edges.len(),
            plan.search.labels,
            plan.cost.rounded(2),
            plan.search.method,
            plan.search.nodes,
            plan.search.work / 1_000_000,
        );
        slowest = slowest.max(took);
        widest = widest.max(gap);
    }
    (slowest, widest)
}

/// Milliseconds that this thread has been on a core, where the system says so.
fn processor_ms() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos: Option<f64> = text.split(' ').next().and_then(|text| text.parse().ok());
    nanos.map_or(0.0, |nanos| nanos / 1e6)
}

/// A line for `make bench`.
fn line(bench: &str, value: f64, limit: f64, unit: &str, more: &str) {
    println!(
        "{{\"bench\":\"{bench}\",\"value\":{value:.4},\"limit\":{limit},\"unit\":\"{unit}\",{more}}}"
    );
}

fn main() {
    let seed = std::env::args().nth(1).map_or(1, |text| text.parse().unwrap());
    let mut dice = Dice(seed);
    let offers = offers(&mut dice);
    let market = Market::new(&offers, Currency::USD);
    let table = egress(&mut dice);
    println!("{} offers, {} egress rows, seed {seed}", offers.len(), table.rows().len());
    let shapes = [
        ("dag-4", 4, 2, 70, Wish::Cost, 10.0),
        ("dag-10", 10, 3, 60, Wish::Cost, 10.0),
        ("dag-10-deadline", 10, 3, 60, Wish::Deadline, 100.0),
        ("dag-100-layered", 100, 8, 30, Wish::Cost, 1_000.0),
        ("dag-100-dense", 100, 12, 80, Wish::Cost, 1_000.0),
        ("dag-100-deadline", 100, 8, 30, Wish::Deadline, 1_000.0),
        ("dag-100-time", 100, 8, 30, Wish::Time, 1_000.0),
    ];
    for (name, tasks, width, fan, wish, limit) in shapes {
        let draw = |_| {
            let plain = dag(&mut dice, tasks, width, fan);
            wish.of(&mut dice, plain, &market, &table)
        };
        let dags: Vec<Dag> = (0..DRAWS).map(draw).collect();
        let (took, gap) = measure(name, &dags, &market, &table);
        let more = format!(
            "\"tasks\":{tasks},\"draws\":{DRAWS},\"offers\":{},\"seed\":{seed}",
            offers.len()
        );
        line(&format!("{name}-time"), took, limit, "ms", &more);
        // Deadlines couple everything: branching rarely closes the last tenths of a percent.
        let widest = if wish == Wish::Cost || tasks < 100 { 0.5 } else { 1.0 };
        line(&format!("{name}-gap"), f64::from(gap) / 1e4, widest, "%", &more);
    }
}
