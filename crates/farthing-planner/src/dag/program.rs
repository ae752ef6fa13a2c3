//! The DAG as a choice of labels: what may be chosen for each task, what that costs, and what
//! each pair costs that data moves between.
//!
//! Data in a fixed place is a task too: it has one label and runs for no time. A transfer without
//! a known price is dearer than everything that is known, byte by byte: the fewest such bytes come
//! first, then the least cost.

use super::DagError;
use super::candidate::{Candidate, Candidates};
use super::groups::Groups;
use super::market::Market;
use super::problem::{Costs, Problem};
use super::routes::Routes;
use super::timing::{Link, Timing};
use farthing_model::{Dag, Place};
use std::collections::BTreeMap;

/// What stands for a task or for data in a fixed place.
#[derive(Clone, Debug)]
pub(crate) struct Vertex {
    /// Labels, cheapest first, ties by offer id.
    pub(crate) labels: Vec<Label>,
}

/// One choice for a vertex.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Label {
    /// The offer; `None` for data in a fixed place.
    pub(crate) candidate: Option<Candidate>,
    /// The class of its place.
    pub(crate) class: usize,
}

impl Label {
    /// How long, in milliseconds.
    pub(crate) fn run(&self) -> i64 {
        self.candidate.map_or(0, |candidate| candidate.run)
    }

    /// How much longer where its nodes boot as late as they do at worst.
    pub(crate) fn late(&self) -> i64 {
        self.candidate.map_or(0, |candidate| candidate.late)
    }

    /// What the nodes cost, in 10^-12.
    pub(crate) fn cost(&self) -> i128 {
        self.candidate.map_or(0, |candidate| candidate.cost)
    }
}

/// Data that moves.
#[derive(Clone, Debug)]
pub(crate) struct Transfer {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) bytes: u64,
    /// What it costs by each tariff.
    pub(crate) charges: Vec<Option<i128>>,
    /// How long it takes by each tariff, where any says.
    pub(crate) delays: Option<Vec<i64>>,
}

/// Everything that the search and the report need.
#[derive(Clone)]
pub(crate) struct Program<'a> {
    pub(crate) market: &'a Market,
    pub(crate) routes: Routes<'a>,
    /// The tasks of the DAG, then its inputs, then its outputs.
    pub(crate) vertices: Vec<Vertex>,
    /// How many of the vertices are tasks.
    pub(crate) tasks: usize,
    /// The edges of the DAG, then its inputs, then its outputs.
    pub(crate) transfers: Vec<Transfer>,
    /// Position among the places of `routes`, of each place of the market that is in play.
    local: BTreeMap<u32, usize>,
    pub(crate) problem: Problem,
    /// What one step of bytes without a price weighs, and how many bytes a step has.
    pub(crate) unknown: Option<(i128, u64)>,
}

/// The cost of a choice: what is known of it, and the bytes that have no price.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Sum {
    pub(crate) unpriced: u128,
    pub(crate) compute: i128,
    pub(crate) egress: i128,
}

impl Sum {
    /// Compute and egress.
    pub(crate) fn known(self) -> i128 {
        self.compute + self.egress
    }
}

impl<'a> Program<'a> {
    /// States the program. Labels that differ in time only are kept where `timed`.
    pub(crate) fn new(
        dag: &Dag,
        market: &'a Market,
        table: Option<&'a farthing_model::EgressTable>,
        candidates: &[Candidates],
        timed: bool,
    ) -> Result<Self, DagError> {
        let (places, local, ports) = places(dag, market, candidates);
        let routes = Routes::new(&places, table);
        let mut vertices: Vec<Vertex> = Vec::new();
        for candidates in candidates {
            let limited = |offer: u32| market.offer(offer).available.is_some();
            vertices
                .push(Vertex { labels: labels(candidates, &local, &routes, (timed, &limited)) });
        }
        for place in &ports {
            let label = Label { candidate: None, class: routes.class(*place) };
            vertices.push(Vertex { labels: vec![label] });
        }
        let transfers = transfers(dag, &routes);
        let tasks = dag.tasks.len();
        let unknown = unknown(&vertices, &transfers, &routes)?;
        let order = order(dag, vertices.len());
        let mut program =
            Self { market, routes, vertices, tasks, transfers, local, problem: empty(), unknown };
        program.problem = program.problem(order)?;
        Ok(program)
    }

    fn problem(&self, order: Vec<usize>) -> Result<Problem, DagError> {
        let unary = self.vertices.iter().map(|it| it.labels.iter().map(Label::cost).collect());
        let run = self.vertices.iter().map(|it| it.labels.iter().map(Label::run).collect());
        let (groups, classes): (Vec<Groups>, Vec<Vec<usize>>) =
            self.vertices.iter().map(groups).unzip();
        let (mut pairs, mut links) = (Vec::new(), Vec::new());
        for transfer in &self.transfers {
            let (from, to) = (transfer.from, transfer.to);
            let tariff = |x: usize, y: usize| self.routes.tariff(x, y);
            let row = |x: &usize| classes[to].iter().map(|y| tariff(*x, *y)).collect::<Vec<_>>();
            let delay = transfer
                .delays
                .as_ref()
                .map(|delays| classes[from].iter().flat_map(row).map(|at| delays[at]).collect());
            links.push(Link { from, to, delay });
            if transfer.bytes == 0 {
                continue;
            }
            let weights = self.weights(transfer)?;
            let (u, v) = (from.min(to), from.max(to));
            let cell = |(x, y)| {
                let tariff = if from == u { tariff(x, y) } else { tariff(y, x) };
                u32::try_from(tariff).unwrap_or(u32::MAX)
            };
            let cells = classes[u].iter().flat_map(|x| classes[v].iter().map(move |y| (*x, *y)));
            pairs.push((u, v, Costs { cells: cells.map(cell).collect(), costs: weights }));
        }
        let timing = Timing::new(order, run.collect(), links, groups.clone());
        let even = self.unknown.is_none();
        Ok(Problem { unary: unary.collect(), groups, pairs, even, timing })
    }

    /// What moving a transfer's data weighs by each tariff.
    fn weights(&self, transfer: &Transfer) -> Result<Vec<i128>, DagError> {
        let weight = |charge: &Option<i128>| match (charge, self.unknown) {
            (Some(charge), _) => Some(*charge),
            (None, Some((weight, step))) => weight.checked_mul((transfer.bytes / step).into()),
            // No route between labels has such a tariff.
            (None, None) => Some(0),
        };
        let weights: Option<Vec<i128>> = transfer.charges.iter().map(weight).collect();
        weights.ok_or_else(|| DagError::TooLarge("egress".to_owned()))
    }

    /// The class of the place of any candidate.
    pub(crate) fn class(&self, candidate: &Candidate) -> usize {
        self.local.get(&candidate.place).map_or(0, |place| self.routes.class(*place))
    }

    /// What moving a transfer's data between two classes costs.
    pub(crate) fn charge(&self, transfer: &Transfer, from: usize, to: usize) -> Option<i128> {
        transfer.charges[self.routes.tariff(from, to)]
    }

    /// What labels cost together.
    pub(crate) fn sum(&self, labels: &[Label]) -> Sum {
        let mut sum = Sum::default();
        for label in labels {
            sum.compute += label.cost();
        }
        for transfer in &self.transfers {
            match self.charge(transfer, labels[transfer.from].class, labels[transfer.to].class) {
                Some(charge) => sum.egress += charge,
                None => sum.unpriced += u128::from(transfer.bytes),
            }
        }
        sum
    }

    /// The labels of a choice.
    pub(crate) fn chosen(&self, choice: &[usize]) -> Vec<Label> {
        self.vertices.iter().zip(choice).map(|(vertex, at)| vertex.labels[*at]).collect()
    }
}

fn empty() -> Problem {
    let timing = Timing::new(Vec::new(), Vec::new(), Vec::new(), Vec::new());
    Problem { unary: Vec::new(), groups: Vec::new(), pairs: Vec::new(), even: true, timing }
}

/// The labels of a vertex by their class, and the class of each group.
fn groups(vertex: &Vertex) -> (Groups, Vec<usize>) {
    let mut classes: Vec<usize> = vertex.labels.iter().map(|label| label.class).collect();
    classes.sort_unstable();
    classes.dedup();
    let group = |label: &Label| classes.binary_search(&label.class).unwrap_or_default();
    let number = |group: usize| u32::try_from(group).unwrap_or(u32::MAX);
    let of = vertex.labels.iter().map(|label| number(group(label))).collect();
    (Groups { of, count: classes.len() }, classes)
}

/// All places in play, each once; where each place of the market and each port stands among them.
fn places(
    dag: &Dag,
    market: &Market,
    candidates: &[Candidates],
) -> (Vec<Place>, BTreeMap<u32, usize>, Vec<usize>) {
    let mut places = Vec::new();
    let mut local = BTreeMap::new();
    let all = candidates.iter().flat_map(|it| it.best.iter().chain(&it.second));
    for candidate in all {
        local.entry(candidate.place).or_insert_with(|| {
            places.push(market.places[candidate.place as usize].clone());
            places.len() - 1
        });
    }
    let ports = dag.inputs.iter().chain(&dag.outputs).map(|port| {
        let same = |place: &Place| {
            (&place.provider, &place.region) == (&port.place.provider, &port.place.region)
        };
        places.iter().position(same).unwrap_or_else(|| {
            places.push(Place { zone: None, ..port.place.clone() });
            places.len() - 1
        })
    });
    let ports = ports.collect();
    (places, local, ports)
}

/// The best candidates of each class: one, or one for each run time that is worth its price. An
/// offer of which there are only so many nodes may be taken by another task, so that it
/// dominates nothing.
fn labels(
    candidates: &Candidates,
    local: &BTreeMap<u32, usize>,
    routes: &Routes<'_>,
    (timed, limited): (bool, &dyn Fn(u32) -> bool),
) -> Vec<Label> {
    let is_limited = |label: &Label| label.candidate.is_some_and(|it| limited(it.offer));
    let some_limited = candidates.best.iter().any(|candidate| limited(candidate.offer));
    let second = candidates.second.iter().filter(|_| some_limited);
    let mut all: Vec<Label> = candidates
        .best
        .iter()
        .chain(second)
        .chain(&candidates.rest)
        .map(|candidate| {
            let class = local.get(&candidate.place).map_or(0, |place| routes.class(*place));
            Label { candidate: Some(*candidate), class }
        })
        .collect();
    let offer = |label: &Label| label.candidate.map(|candidate| candidate.offer);
    all.sort_by_key(|label| (label.cost(), label.run(), offer(label)));
    // In this order a label is dominated if an earlier one of its class is as fast, with a late
    // boot too.
    let mut fast: Vec<Vec<(i64, i64)>> = vec![Vec::new(); routes.classes()];
    all.retain(|label| {
        let (run, worst) = (label.run(), label.run() + label.late());
        let fast = &mut fast[label.class];
        let keep = !fast.iter().any(|(r, w)| !timed || (*r <= run && *w <= worst));
        if keep && !is_limited(label) {
            fast.push((run, worst));
        }
        keep
    });
    all
}

fn transfers(dag: &Dag, routes: &Routes<'_>) -> Vec<Transfer> {
    let tasks = dag.tasks.len();
    let transfer = |from, to, bytes| Transfer {
        from,
        to,
        bytes,
        charges: routes.charges(bytes),
        delays: routes.delays(bytes),
    };
    let edges = dag.edges.iter().map(|edge| transfer(edge.from, edge.to, edge.size_bytes));
    let inputs = dag.inputs.iter().enumerate();
    let inputs = inputs.map(|(at, port)| transfer(tasks + at, port.task, port.size_bytes));
    let first = tasks + dag.inputs.len();
    let outputs = dag.outputs.iter().enumerate();
    let outputs = outputs.map(|(at, port)| transfer(port.task, first + at, port.size_bytes));
    edges.chain(inputs).chain(outputs).collect()
}

/// More than everything known can cost, and the step of bytes that it is for; `None` where all
/// transfers have a price wherever they go.
fn unknown(
    vertices: &[Vertex],
    transfers: &[Transfer],
    routes: &Routes<'_>,
) -> Result<Option<(i128, u64)>, DagError> {
    let moving = || transfers.iter().filter(|transfer| transfer.bytes > 0);
    let may_be_unknown = |transfer: &Transfer| {
        let to = &vertices[transfer.to].labels;
        let charge = |x: &Label, y: &Label| transfer.charges[routes.tariff(x.class, y.class)];
        transfer.charges.iter().any(Option::is_none)
            && vertices[transfer.from]
                .labels
                .iter()
                .any(|x| to.iter().any(|y| charge(x, y).is_none()))
    };
    if !moving().any(may_be_unknown) {
        return Ok(None);
    }
    let tasks = vertices.iter().map(|it| it.labels.iter().map(Label::cost).max());
    let moves = moving().map(|it| it.charges.iter().flatten().copied().max());
    let known = tasks.chain(moves).flatten().try_fold(1_i128, i128::checked_add);
    let weight = known.ok_or_else(|| DagError::TooLarge("the DAG".to_owned()))?;
    let step = moving().fold(0, |step, transfer| gcd(step, transfer.bytes));
    Ok(Some((weight, step.max(1))))
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Inputs first, then the tasks in their order, then outputs.
fn order(dag: &Dag, vertices: usize) -> Vec<usize> {
    let tasks = dag.tasks.len();
    let inputs = tasks..tasks + dag.inputs.len();
    let outputs = tasks + dag.inputs.len()..vertices;
    // The caller has refused cycles.
    let order = dag.order().unwrap_or_default();
    inputs.chain(order).chain(outputs).collect()
}
