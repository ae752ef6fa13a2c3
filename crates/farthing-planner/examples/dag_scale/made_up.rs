//! Made-up offers of five clouds, egress between their regions, and DAGs of many shapes.

use farthing_model::{
    Accelerators, Currency, Dag, Decimal, Edge, EgressRow, EgressTable, HourlyRate, Money,
    Objective, Offer, Place, Policy, Port, Price, PriceKind, Provenance, Purchase, Resources, Run,
    Target, Task, Throughput, Work, WorkloadId,
};
use farthing_planner::{DagInput, Market, plan_dag};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;

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
/// A small generator, the same everywhere.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }

    pub(crate) fn from(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }
}

fn usd(cents_of_cents: u64) -> Money {
    Money::from_pico(i128::from(cents_of_cents) * 100_000_000, Currency::USD)
}

pub(crate) fn offers(dice: &mut Dice) -> Arc<[Offer]> {
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
                        list: None,
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

/// The same offers, of three in four of which there are one to four nodes.
pub(crate) fn few(dice: &mut Dice, offers: &[Offer]) -> Arc<[Offer]> {
    let mut limit = |offer: &Offer| {
        let limited = dice.below(4) > 0;
        let nodes = u32::try_from(dice.from(1, 4)).unwrap();
        Offer { available: limited.then_some(nodes), ..offer.clone() }
    };
    offers.iter().map(&mut limit).collect()
}

/// A price for each ordered pair of regions, as the clouds have them: near ones cheap. With
/// `speeds`, how fast data moves there too.
pub(crate) fn egress(dice: &mut Dice, speeds: bool) -> EgressTable {
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
                gbit_per_s: speeds.then(|| {
                    let near = if from.0 == to.0 { 5 } else { 1 };
                    Decimal::from_int(i64::try_from(near * dice.from(1, 4)).unwrap())
                }),
            });
        }
    }
    EgressTable::new(Currency::USD, rows).unwrap()
}

/// How tasks hang together.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    /// Layers of up to so many tasks; each has data from so many percent of the layer before.
    Layered(u64, u64),
    /// One to three earlier tasks each, any of the last thirty.
    Sparse,
    /// Series and parallel parts of such, down to single tasks.
    SeriesParallel,
    /// Stages of one task, many after it, and one after all of them.
    ForkJoin,
    /// So many percent of all pairs.
    Dense(u64),
}

impl Shape {
    fn pairs(self, dice: &mut Dice, tasks: usize) -> Vec<(usize, usize)> {
        let mut pairs = match self {
            Self::Layered(width, fan) => layered(dice, tasks, width, fan),
            Self::Sparse => (1..tasks)
                .flat_map(|to| {
                    let sources = dice.from(1, 3);
                    let near = (to as u64).min(30);
                    let mut from = |_| (to - usize::try_from(dice.from(1, near)).unwrap(), to);
                    (0..sources).map(&mut from).collect::<Vec<_>>()
                })
                .collect(),
            Self::SeriesParallel => {
                let mut pairs = Vec::new();
                series_parallel(dice, 0, tasks, &mut pairs);
                pairs
            }
            Self::ForkJoin => fork_join(dice, tasks),
            Self::Dense(percent) => (1..tasks)
                .flat_map(|to| (0..to).map(move |from| (from, to)))
                .filter(|_| dice.below(100) < percent)
                .collect(),
        };
        pairs.sort_unstable();
        pairs.dedup();
        pairs
    }
}

fn layered(dice: &mut Dice, tasks: usize, width: u64, fan: u64) -> Vec<(usize, usize)> {
    let mut layers: Vec<Vec<usize>> = Vec::new();
    let mut at = 0;
    while at < tasks {
        let size = usize::try_from(dice.from(1, width)).unwrap().min(tasks - at);
        layers.push((at..at + size).collect());
        at += size;
    }
    let mut pairs = Vec::new();
    for pair in layers.windows(2) {
        for to in &pair[1] {
            let mut sources: Vec<usize> =
                pair[0].iter().copied().filter(|_| dice.below(100) < fan).collect();
            if sources.is_empty() {
                sources.push(pair[0][usize::try_from(dice.below(pair[0].len() as u64)).unwrap()]);
            }
            pairs.extend(sources.into_iter().map(|from| (from, *to)));
        }
    }
    pairs
}

/// Tasks from `first` on: the first and the last of them are the ends.
fn series_parallel(dice: &mut Dice, first: usize, end: usize, pairs: &mut Vec<(usize, usize)>) {
    let size = end - first;
    if size == 2 {
        pairs.push((first, first + 1));
    } else if size > 2 && (size == 3 || dice.below(2) == 0) {
        // In series: two parts that share a task.
        let middle = first + 1 + usize::try_from(dice.below(size as u64 - 2)).unwrap();
        series_parallel(dice, first, middle + 1, pairs);
        series_parallel(dice, middle, end, pairs);
    } else if size > 3 {
        // In parallel: the ends, and between them parts that each begin and end with a task.
        let mut at = first + 1;
        while at < end - 1 {
            let left = end - 1 - at;
            let part = usize::try_from(dice.from(1, left as u64)).unwrap();
            pairs.push((first, at));
            series_parallel(dice, at, at + part, pairs);
            pairs.push((at + part - 1, end - 1));
            at += part;
        }
    }
}

fn fork_join(dice: &mut Dice, tasks: usize) -> Vec<(usize, usize)> {
    let (mut pairs, mut at) = (Vec::new(), 0);
    while at + 2 < tasks {
        let wide = usize::try_from(dice.from(6, 24)).unwrap().min(tasks - at - 2);
        let join = at + wide + 1;
        pairs.extend((at + 1..join).flat_map(|task| [(at, task), (task, join)]));
        at = join;
    }
    pairs.extend((at + 1..tasks).map(|task| (task - 1, task)));
    pairs
}

/// A DAG with what each task needs, and data in a place at either end.
pub(crate) fn dag(dice: &mut Dice, tasks: usize, shape: Shape) -> Dag {
    let pairs = shape.pairs(dice, tasks);
    let edge = |(from, to): (usize, usize)| {
        let gb = [1, 5, 20, 100, 500, 2_000][usize::try_from(dice.below(6)).unwrap()];
        Edge { from, to, size_bytes: gb * dice.from(50, 150) * 10_000_000 }
    };
    let edges: Vec<Edge> = pairs.into_iter().map(edge).collect();
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
            interruptible: None,
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
        gpu_hours_max_milli: None,
    }
}

/// What is wanted of a DAG.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Wish {
    /// The least cost.
    Cost,
    /// The least cost in so many percent of the time that the fastest machines take.
    Deadline(i64),
    /// The earliest end, then the least cost.
    Time,
    /// The earliest end for so many percent of the least cost.
    TimeFor(i128),
    /// The least cost of machines in one of two clouds for every other task.
    Residency,
}

impl Wish {
    /// The DAG with work instead of hours where time matters: faster machines cost more.
    pub(crate) fn of(self, dice: &mut Dice, mut dag: Dag) -> Dag {
        if self == Self::Cost {
            return dag;
        }
        if self == Self::Residency {
            for task in dag.tasks.iter_mut().step_by(2) {
                task.providers = vec!["aws".to_owned(), "gcp".to_owned()];
            }
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
        dag
    }

    /// Limits such a DAG by what is possible on a market.
    pub(crate) fn limit(self, dag: &mut Dag, market: &Market, table: &EgressTable) {
        let now = Timestamp::UNIX_EPOCH;
        let quick = |dag: &Dag| {
            let (egress, policy) =
                (Some(table), &Policy { boot: SignedDuration::ZERO, ..Policy::default() });
            let input = DagInput { dag, market, egress, policy, now, work_max: 1 };
            plan_dag(&input).unwrap()
        };
        match self {
            Self::Deadline(percent) => {
                let plan = quick(dag);
                let fastest = plan.makespan_bound.unwrap_or(plan.makespan).as_millis();
                let due = i64::try_from(fastest).unwrap() / 100 * percent;
                dag.objective = Objective::Cost;
                dag.deadline = now.checked_add(SignedDuration::from_millis(due)).ok();
            }
            Self::TimeFor(percent) => {
                dag.objective = Objective::Cost;
                let least = quick(dag).cost;
                dag.objective = Objective::Time;
                dag.cost_max = Some(Money::from_pico(least.pico() / 100 * percent, Currency::USD));
            }
            Self::Cost | Self::Time | Self::Residency => {}
        }
    }
}
