//! Measures plans of DAGs: 4, 10 and 100 tasks on five clouds with egress by region pair.
//!
//! `dag_scale [SEED [DRAWS [ONLY [MILLIONS]]]]` prints for each size how long a plan takes (prices
//! indexed before), how far it is from the proven least cost, and the lines for `make bench`; then
//! a matrix of shapes and wishes, with DRAWS DAGs of each (1), and DAGs that share few nodes. Every
//! plan is checked. With SEED the sizes are measured alone, with DRAWS the others alone. With ONLY
//! what has it in its name is measured alone, on the same DAGs. MILLIONS is the work that a plan
//! may take, in millions of entries, instead of what it takes in a program.

// A measurement may fail loudly, and its answer is what it prints.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod made_up;

use farthing_model::{Currency, Dag, EgressTable, Policy};
use farthing_planner::{DAG_WORK_MAX, DagInput, DagPlan, Market, check_dag, plan_dag};
use jiff::{SignedDuration, Timestamp};
use made_up::{Dice, Shape, Wish, dag, egress, few, offers};
use std::time::Instant;

/// DAGs of each size and shape.
const DRAWS: u64 = 12;

/// How long each plan takes in milliseconds of a core, and how wide its gap is in millionths.
fn measure(name: &str, dags: &[Dag], market: &Market, table: &EgressTable) -> Vec<(f64, u32)> {
    let mut figures = Vec::new();
    let work_max = std::env::args()
        .nth(4)
        .map_or(DAG_WORK_MAX, |text| text.parse::<u64>().unwrap() * 1_000_000);
    for dag in dags {
        let now = Timestamp::UNIX_EPOCH;
        let policy = &Policy { boot: SignedDuration::ZERO, ..Policy::default() };
        let egress = Some(table);
        let input = DagInput { dag, market, egress, policy, now, work_max };
        let (started, processor) = (Instant::now(), processor_ms());
        let plan: DagPlan = plan_dag(&input).unwrap();
        let took = started.elapsed().as_secs_f64() * 1e3;
        let busy = processor_ms() - processor;
        assert_eq!(check_dag(&input, &plan), []);
        let gap = plan.gap.map_or(1_000_000, farthing_model::Ratio::ppm);
        println!(
            "{name}: {} edges, {} labels, cost {}, gap {gap} ppm, ends {:#}, {took:.2} ms ({busy:.2} ms of a \
             core), {} ({} nodes, {} M read)",
            dag.edges.len(),
            plan.search.labels,
            plan.cost.rounded(2),
            plan.makespan,
            plan.search.method,
            plan.search.nodes,
            plan.search.work / 1_000_000,
        );
        // Where the system tells how long the thread was on a core, that does not depend on others.
        figures.push((if busy > 0.0 { busy } else { took }, gap));
    }
    figures
}

/// The slowest, and the widest.
fn worst(figures: &[(f64, u32)]) -> (f64, f64) {
    let slowest = figures.iter().map(|figure| figure.0).fold(0.0, f64::max);
    let widest = figures.iter().map(|figure| figure.1).max().unwrap_or(0);
    (slowest, f64::from(widest) / 1e4)
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

/// 100 tasks in every shape, wanted in every way: the distribution over all of them.
fn matrix(dice: &mut Dice, draws: u64, market: &Market, only: &str) {
    let shapes = [
        Shape::Layered(8, 30),
        Shape::Layered(12, 80),
        Shape::Sparse,
        Shape::SeriesParallel,
        Shape::ForkJoin,
        Shape::Dense(10),
    ];
    let wishes = [
        Wish::Cost,
        Wish::Residency,
        Wish::Deadline(105),
        Wish::Deadline(130),
        Wish::Deadline(200),
        Wish::Time,
        Wish::TimeFor(110),
    ];
    let mut all = Vec::new();
    for shape in shapes {
        for (wish, speeds) in wishes
            .into_iter()
            .map(|wish| (wish, false))
            .chain([(Wish::Deadline(130), true), (Wish::Time, true)])
        {
            let table = egress(dice, speeds);
            let draw = |_| {
                let plain = dag(dice, 100, shape);
                wish.of(dice, plain)
            };
            let mut dags: Vec<Dag> = (0..draws).map(draw).collect();
            let timed = if speeds { ", data takes time" } else { "" };
            let name = format!("{shape:?}, {wish:?}{timed}");
            if !name.contains(only) {
                continue;
            }
            for dag in &mut dags {
                wish.limit(dag, market, &table);
            }
            let figures = measure(&name, &dags, market, &table);
            let (slowest, widest) = worst(&figures);
            let proven = figures.iter().filter(|figure| figure.1 == 0).count();
            println!(
                "= {name}: {proven} of {draws} proven, gap {widest} %, {slowest:.0} ms at worst"
            );
            all.extend(figures);
        }
    }
    let (slowest, widest) = worst(&all);
    let proven = all.iter().filter(|figure| figure.1 == 0).count();
    let close = all.iter().filter(|figure| figure.1 <= 5_000).count();
    let mut times: Vec<f64> = all.iter().map(|figure| figure.0).collect();
    times.sort_by(f64::total_cmp);
    if times.is_empty() {
        return;
    }
    let at = |part: usize| times[(times.len() - 1) * part / 100];
    let over = all.len() - close;
    let share = 100.0 * f64::from(u32::try_from(over).unwrap())
        / f64::from(u32::try_from(all.len()).unwrap());
    let more = format!(
        "\"tasks\":100,\"plans\":{},\"proven\":{proven},\"within_half_a_percent\":{close},\
         \"gap_at_worst\":{widest},\"median_ms\":{:.1},\"slowest_ms\":{slowest:.1}",
        all.len(),
        at(50),
    );
    line("dag-100-matrix-p95-time", at(95), 1_000.0, "ms", &more);
    line("dag-100-matrix-over-half-a-percent", share, 15.0, "%", &more);
}

/// 100 tasks that share a few nodes of most offers.
fn scarce(dice: &mut Dice, draws: u64, (all_nodes, market): (&Market, &Market), only: &str) {
    let table = egress(dice, false);
    let mut all = Vec::new();
    for shape in [Shape::Layered(8, 30), Shape::ForkJoin, Shape::Dense(10)] {
        for wish in [Wish::Cost, Wish::Deadline(150), Wish::Time] {
            let draw = |_| {
                let plain = dag(dice, 100, shape);
                wish.of(dice, plain)
            };
            let mut dags: Vec<Dag> = (0..draws).map(draw).collect();
            let name = format!("few nodes, {shape:?}, {wish:?}");
            if name.contains(only) {
                for dag in &mut dags {
                    wish.limit(dag, all_nodes, &table);
                }
                all.extend(measure(&name, &dags, market, &table));
            }
        }
    }
    let (slowest, widest) = worst(&all);
    if !all.is_empty() {
        let more = format!("\"tasks\":100,\"plans\":{},\"gap_at_worst\":{widest}", all.len());
        line("dag-100-few-nodes-time", slowest, 1_000.0, "ms", &more);
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| arguments.get(at).map(|text| text.parse::<u64>().unwrap());
    let (seed, draws) = (number(0).unwrap_or(1), number(1).unwrap_or(0));
    let only = arguments.get(2).map_or("", String::as_str);
    let mut dice = Dice(seed);
    let offers = offers(&mut dice);
    let market = Market::new(&offers, Currency::USD);
    let table = egress(&mut dice, false);
    println!("{} offers, {} egress rows, seed {seed}", offers.len(), table.rows().len());
    let others = |dice: &mut Dice, draws: u64| {
        let mut other = Dice(seed + 1);
        let scarce_market = Market::new(&few(&mut other, &offers), Currency::USD);
        scarce(&mut other, draws, (&market, &scarce_market), only);
        matrix(dice, draws, &market, only);
    };
    if draws > 0 {
        return others(&mut dice, draws);
    }
    let shapes = [
        ("dag-4", 4, Shape::Layered(2, 70), Wish::Cost, 10.0),
        ("dag-10", 10, Shape::Layered(3, 60), Wish::Cost, 10.0),
        ("dag-10-deadline", 10, Shape::Layered(3, 60), Wish::Deadline(150), 100.0),
        ("dag-100-layered", 100, Shape::Layered(8, 30), Wish::Cost, 1_000.0),
        ("dag-100-dense", 100, Shape::Layered(12, 80), Wish::Cost, 1_000.0),
        ("dag-100-deadline", 100, Shape::Layered(8, 30), Wish::Deadline(150), 1_000.0),
        ("dag-100-time", 100, Shape::Layered(8, 30), Wish::Time, 1_000.0),
    ];
    for (name, tasks, shape, wish, limit) in shapes {
        let draw = |_| {
            let plain = dag(&mut dice, tasks, shape);
            wish.of(&mut dice, plain)
        };
        let mut dags: Vec<Dag> = (0..DRAWS).map(draw).collect();
        if !name.contains(only) {
            continue;
        }
        for dag in &mut dags {
            wish.limit(dag, &market, &table);
        }
        let (took, gap) = worst(&measure(name, &dags, &market, &table));
        let more = format!(
            "\"tasks\":{tasks},\"draws\":{DRAWS},\"offers\":{},\"seed\":{seed}",
            offers.len()
        );
        line(&format!("{name}-time"), took, limit, "ms", &more);
        line(&format!("{name}-gap"), gap, 0.5, "%", &more);
    }
    if arguments.is_empty() {
        others(&mut dice, 1);
    }
}
