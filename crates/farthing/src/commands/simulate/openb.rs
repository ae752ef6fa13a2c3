//! Arrivals of pods that share accelerators: how much of them is allocated after the last one.
//!
//! Start with [`Openb`]. A folder as the trace is every CSV in it; runs go over all cores. Nothing
//! here has a price, so that what other formats say in money is null.

use super::file::read;
use super::format::{Asked, Format, Policies};
use super::result::{Ran, Simulated, part};
use crate::outcome::WrongUse;
use crate::table::{Align, Table};
use anyhow::Context as _;
use farthing_model::Draw;
use farthing_planner::placement::{NodeRoom, PlacePolicy, Placed, PodAsk, check_placement, place};
use farthing_sim::trace::{OpenbNodes, read_openb_nodes, read_openb_pods};
use serde_json::{Map, json};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Bytes that a file may have when it is unpacked.
const UNPACKED_BYTES_MAX: u64 = 1 << 30;
/// Orders that are drawn of a trace, at most.
const SEEDS_MAX: u32 = 100;
/// Files of a folder, at most.
const TRACES_MAX: usize = 1_000;

/// Pods in the order in which they arrive, none of which leaves.
pub(super) struct Openb;

impl Format for Openb {
    fn name(&self) -> &'static str {
        "openb"
    }

    fn what(&self) -> &'static str {
        "pods as they arrive (pod,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec), CSV or gzipped \
         CSV, or a folder of them"
    }

    fn takes(&self) -> &'static [&'static str] {
        &["--nodes", "--seed", "--seeds", "--limit"]
    }

    fn policies(&self) -> Policies {
        let all = &["farthing", "fgd", "best-fit"];
        Policies { all, usual: all }
    }

    fn run(&self, asked: &Asked<'_>) -> anyhow::Result<Simulated> {
        let path = Asked::needed("--nodes", asked.args.nodes.as_deref(), "--nodes nodes.csv")?;
        let nodes = read("--nodes", (path, UNPACKED_BYTES_MAX), read_openb_nodes)?;
        let orders = orders(asked, path, &nodes)?;
        let policies = PlacePolicy::ALL.into_iter();
        let policies: Vec<PlacePolicy> =
            policies.filter(|policy| asked.policies.contains(&policy.name())).collect();
        let runs = replayed(&nodes.nodes, &orders, &policies)?;
        let mut rans = Vec::new();
        for name in &asked.policies {
            rans.push(ran(name, runs.iter().filter(|run| run.policy.name() == *name), &orders)?);
        }
        let (trace, jobs) = (asked.trace.display().to_string(), orders.iter());
        let table = table(&runs, &orders);
        Ok(Simulated {
            trace,
            jobs: jobs.map(|order| order.pods.len()).sum(),
            currency: None,
            lower_bound: None,
            policies: rans,
            more: Map::new(),
            text: Some(table.to_text()),
            table: Some(table),
        })
    }
}

/// Pods in the order in which they arrive.
struct Order {
    trace: String,
    /// Drawn from it; `None` = as in the file.
    seed: Option<u64>,
    pods: Vec<PodAsk>,
}

/// A policy on an order.
struct Run {
    order: usize,
    policy: PlacePolicy,
    placed: Placed,
    took: Duration,
}

impl Run {
    /// Millionths of all accelerators that pods have.
    fn ppm(&self) -> u64 {
        let all = u128::from(self.placed.capacity_milli).max(1);
        u64::try_from(u128::from(self.placed.gpu_milli) * 1_000_000 / all).unwrap_or(0)
    }
}

/// The trace, or those of the folder, each as it is and in an order of each seed.
fn orders(asked: &Asked<'_>, nodes: &Path, known: &OpenbNodes) -> anyhow::Result<Vec<Order>> {
    let mut orders = Vec::new();
    if asked.args.seeds.is_some_and(|seeds| seeds > SEEDS_MAX) {
        return Err(WrongUse::new(format!("--seeds: at most {SEEDS_MAX} orders are drawn")).into());
    }
    for path in files(asked.trace, nodes)? {
        let file = (path.as_path(), UNPACKED_BYTES_MAX);
        let mut pods =
            read("--trace", file, |name, file| read_openb_pods(name, file, &known.models))?;
        pods.truncate(asked.args.limit.unwrap_or(usize::MAX));
        if pods.is_empty() {
            return Err(WrongUse::new("--limit 0 leaves no pod").into());
        }
        let trace = path.display().to_string();
        for seed in seeds(asked) {
            let (mut drawn, mut draw) = (pods.clone(), Draw::new(seed));
            for at in (1..drawn.len()).rev() {
                drawn.swap(at, draw.below(at + 1));
            }
            orders.push(Order { trace: trace.clone(), seed: Some(seed), pods: drawn });
        }
        orders.push(Order { trace, seed: None, pods });
    }
    orders.sort_by(|a, b| (&a.trace, a.seed).cmp(&(&b.trace, b.seed)));
    Ok(orders)
}

/// The seeds of orders that are drawn: none where nobody asks for one.
fn seeds(asked: &Asked<'_>) -> impl Iterator<Item = u64> {
    let (first, many) = (asked.args.seed, asked.args.seeds);
    let many = many.unwrap_or(u32::from(first.is_some()));
    let first = first.unwrap_or(1);
    (0..u64::from(many)).map(move |at| first.wrapping_add(at))
}

/// The files of a trace: itself, or each CSV in it that is not the nodes.
fn files(trace: &Path, nodes: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if !trace.is_dir() {
        return Ok(vec![trace.to_owned()]);
    }
    let of = |error| WrongUse::new(format!("--trace {}: {error}", trace.display()));
    let nodes = nodes.canonicalize().ok();
    let mut files = Vec::new();
    for entry in std::fs::read_dir(trace).map_err(of)? {
        let path = entry.map_err(of)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        let is_csv =
            Path::new(name.trim_end_matches(".gz")).extension().is_some_and(|it| it == "csv");
        if is_csv && path.canonicalize().ok() != nodes {
            files.push(path);
        }
    }
    files.sort();
    if files.is_empty() || files.len() > TRACES_MAX {
        let what = format!("{} files of CSV, 1 to {TRACES_MAX} can be replayed", files.len());
        return Err(WrongUse::new(format!("--trace {}: {what}", trace.display())).into());
    }
    Ok(files)
}

/// All policies on all orders, each checked, as many at a time as there are cores.
fn replayed(
    nodes: &[NodeRoom],
    orders: &[Order],
    policies: &[PlacePolicy],
) -> anyhow::Result<Vec<Run>> {
    let all = orders.len() * policies.len();
    super::pool::all(all, |at| {
        let (order, policy) = (at / policies.len(), policies[at % policies.len()]);
        let started = Instant::now();
        let placed = place(nodes, &orders[order].pods, policy);
        let took = started.elapsed();
        let wrong = check_placement(nodes, &orders[order].pods, &placed);
        if let Some(wrong) = wrong.into_iter().next() {
            return Err(wrong).context(format!("{} placed wrongly", policy.name()));
        }
        Ok(Run { order, policy, placed, took })
    })
}

/// A policy over all orders: the mean allocation, and each run.
fn ran<'r>(
    name: &'static str,
    runs: impl Iterator<Item = &'r Run>,
    orders: &[Order],
) -> anyhow::Result<Ran> {
    let runs: Vec<&Run> = runs.collect();
    let mean = runs.iter().map(|run| run.ppm()).sum::<u64>() / (runs.len() as u64).max(1);
    let took: Duration = runs.iter().map(|run| run.took).sum();
    let row = |run: &&Run| {
        json!({
            "trace": orders[run.order].trace,
            "seed": orders[run.order].seed,
            "allocation": part(i128::from(run.ppm())),
            "gpu_milli": run.placed.gpu_milli,
            "capacity_milli": run.placed.capacity_milli,
            "refused": run.placed.refused(),
            "wall_ms": u64::try_from(run.took.as_millis()).unwrap_or(u64::MAX),
        })
    };
    let more = json!({
        "allocation": part(i128::from(mean)),
        "rows": runs.iter().map(row).collect::<Vec<_>>(),
    });
    let seats = || runs.iter().map(|run| run.placed.seats.len());
    let refused: usize = runs.iter().map(|run| run.placed.refused()).sum();
    Ok(Ran {
        name,
        cost: None,
        paid: None,
        used: None,
        idle: None,
        utilisation_ppm: Some(i128::from(mean)),
        makespan_s: None,
        mean_jct_s: None,
        p99_jct_s: None,
        deadline_misses: None,
        completed: seats().sum::<usize>() - refused,
        events: u64::try_from(seats().sum::<usize>())?,
        wall_ms: u64::try_from(took.as_millis())?,
        more: more.as_object().cloned().unwrap_or_default(),
    })
}

/// A line for each run, and the mean of each policy.
fn table(runs: &[Run], orders: &[Order]) -> Table {
    let (l, r) = (Align::Left, Align::Right);
    let mut table = Table::new(&[
        ("trace", l),
        ("order", l),
        ("policy", l),
        ("allocated", r),
        ("refused", r),
        ("took", r),
    ]);
    for run in runs {
        let order = &orders[run.order];
        table.row([
            order.trace.clone(),
            order.seed.map_or_else(|| "as it came".to_owned(), |seed| format!("seed {seed}")),
            run.policy.name().to_owned(),
            percent(run.ppm()),
            run.placed.refused().to_string(),
            format!("{} ms", run.took.as_millis()),
        ]);
    }
    for policy in PlacePolicy::ALL {
        let of: Vec<&Run> = runs.iter().filter(|run| run.policy == policy).collect();
        if of.len() > 1 {
            let mean = of.iter().map(|run| run.ppm()).sum::<u64>() / of.len() as u64;
            let cells = ["all", "mean", policy.name(), &percent(mean), "", ""];
            table.row(cells.map(str::to_owned));
        }
    }
    table
}

fn percent(ppm: u64) -> String {
    format!("{}.{:03} %", ppm / 10_000, ppm % 10_000 / 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policies_are_those_of_the_planner() {
        let all = PlacePolicy::ALL.map(PlacePolicy::name);
        assert_eq!(Openb.policies().all, all);
    }
}
