//! The cheapest choice of labels, in time: dynamic programming where tables are small, else branch
//! and bound over a lower bound that is raised step by step.
//!
//! Deadlines enter the bound as prices of time: for any paths `P` that end at a task due at `D`,
//! and any prices `w >= 0`, every choice in time costs at least `min (cost + sum w (length of P -
//! D))`, and the sum of run times in it only shifts the costs of labels. Labels that cannot be in
//! time whatever else is chosen go first. Everything is integer arithmetic, so bounds are exact.
//! Work is counted, never time. Start at [`cheapest`].

use super::amount::Amount;
use super::eliminate::exact;
use super::energy::{Energy, Pair};
use super::polish::Polish;
use super::problem::Problem;
use super::timing::{NEVER, Path};

/// Entries of tables that dynamic programming may have at once, before anything else is tried.
const SMALL: usize = 1 << 20;
/// The same after the bound has thinned the labels.
const REMAINDER: usize = 1 << 23;
/// Passes over the tables before the first branching, at most.
const ROUNDS_ROOT: usize = 300;
/// Passes at a later node.
const ROUNDS_NODE: usize = 6;
/// Rounds without a better bound before prices of time move by half as much.
const STALE: u32 = 4;
/// A bound that rose by less than this part of the gap in eight passes rises no more.
const SLOW: i128 = 50;

/// What a search found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// The best choice and its cost; `None` where there is none in time, or none was found.
    pub(crate) best: Option<(i128, Vec<usize>)>,
    /// No choice in time costs less; `None`: no choice is in time.
    pub(crate) bound: Option<i128>,
    /// How it was found.
    pub(crate) method: &'static str,
    /// Branches.
    pub(crate) nodes: u64,
    /// Entries of tables that were read.
    pub(crate) work: u64,
}

impl Found {
    /// Whether nothing is left to search.
    pub(crate) fn is_proven(&self) -> bool {
        match (&self.best, self.bound) {
            (Some((cost, _)), Some(bound)) => bound >= *cost,
            (None, None) => true,
            _ => false,
        }
    }
}

/// The sums of a problem do not fit 128 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLarge;

/// The cheapest choice in which every task ends by its `due` time, within `work_max` entries of
/// tables read. A `seed` that is in time is where the search starts from.
pub(crate) fn cheapest(
    problem: &Problem,
    due: Option<&[i64]>,
    seed: Option<&[usize]>,
    work_max: u64,
) -> Result<Found, TooLarge> {
    let most = |costs: &Vec<i128>| costs.iter().copied().max().unwrap_or(0);
    let parts = problem.unary.iter().map(most).chain(problem.pairs.iter().map(|it| it.2.most()));
    let total = parts.into_iter().try_fold(0_i128, i128::checked_add).ok_or(TooLarge)?;
    let reach = total.checked_add(1).and_then(|total| total.checked_mul(16)).ok_or(TooLarge)?;
    if <i64 as Amount>::of(reach).is_some() {
        Ok(Search::<i64>::new(problem, due, work_max).ok_or(TooLarge)?.run(seed))
    } else {
        Ok(Search::<i128>::new(problem, due, work_max).ok_or(TooLarge)?.run(seed))
    }
}

/// Prices of paths: what an hour less on each is worth.
#[derive(Clone, Debug)]
struct Prices<A> {
    paths: Vec<(Path, i64, A)>,
    task: Vec<A>,
    link: Vec<A>,
}

/// A part of the problem that is still open.
struct Node<A> {
    energy: Energy<A>,
    prices: Prices<A>,
    /// The best that was proven of it: prices of time that are worse for the bound may be better
    /// for the search.
    bound: A,
}

struct Search<'p, A> {
    problem: &'p Problem,
    due: Option<Vec<i64>>,
    /// The problem as it was given: labels are their own positions.
    base: Energy<A>,
    best: Option<(A, Vec<usize>)>,
    /// What was considered last.
    last: Vec<usize>,
    /// The most that prices of time may add up to.
    reach: A,
    work: u64,
    work_max: u64,
    nodes: u64,
}

impl<'p, A: Amount> Search<'p, A> {
    fn new(problem: &'p Problem, due: Option<&[i64]>, work_max: u64) -> Option<Self> {
        let narrow = |costs: &Vec<i128>| costs.iter().map(|cost| A::of(*cost)).collect();
        let unary: Option<Vec<Vec<A>>> = problem.unary.iter().map(narrow).collect();
        let unary = unary?;
        let mut pairs = Vec::with_capacity(problem.pairs.len());
        for (u, v, costs) in &problem.pairs {
            pairs.push(Pair::new((*u, *v), costs.narrow()?, &problem.groups));
        }
        let base = Energy::new(unary, problem.groups.clone(), pairs);
        let most = |costs: &[A]| costs.iter().map(|cost| cost.wide()).max().unwrap_or(0);
        let total: i128 = base.unary.iter().map(|costs| most(costs)).sum::<i128>()
            + base.pairs.iter().map(|pair| pair.most().wide()).sum::<i128>();
        let due = due.filter(|due| due.iter().any(|due| *due != NEVER)).map(<[i64]>::to_vec);
        let (best, work, nodes) = (None, 0, 0);
        let (reach, last) = (A::of(2 * total)?, Vec::new());
        Some(Self { problem, due, base, best, last, reach, work, work_max, nodes })
    }

    fn run(mut self, seed: Option<&[usize]>) -> Found {
        let all: Vec<Vec<usize>> =
            self.base.unary.iter().map(|unary| (0..unary.len()).collect()).collect();
        let alive = match &self.due {
            None => Some(all),
            Some(due) => self.problem.timing.in_time(&all, due),
        };
        let Some(alive) = alive else { return self.found(None, "no choice is in time") };
        if self.is_loose(&alive) {
            self.due = None;
        }
        let root = self.base.restricted(&alive);
        if self.due.is_none()
            && let Some(choice) = exact(&root, SMALL)
        {
            return self.proven(&root, &choice, "dynamic programming");
        }
        if let Some(seed) = seed {
            self.consider(seed);
        }
        self.consider_fastest(&alive);
        self.branch_and_bound(root)
    }

    /// Whether even the slowest labels are in time.
    fn is_loose(&self, alive: &[Vec<usize>]) -> bool {
        let Some(due) = &self.due else { return true };
        let timing = &self.problem.timing;
        let timed = timing.links.iter().any(|link| link.delay.is_some());
        let slowest = |task: usize| {
            let slowest = alive[task].iter().max_by_key(|label| timing.run[task][**label]);
            slowest.copied().unwrap_or_default()
        };
        let choice: Vec<usize> = (0..alive.len()).map(slowest).collect();
        !timed && timing.latest(&choice, due).is_none()
    }

    /// The fastest labels, which are in time if any are where no transfer takes time.
    fn consider_fastest(&mut self, alive: &[Vec<usize>]) {
        if self.due.is_none() {
            return;
        }
        let run = &self.problem.timing.run;
        let cost = |task: usize, label: usize| self.base.unary[task][label];
        let fastest = |task: usize| {
            let key = |label: &&usize| (run[task][**label], cost(task, **label));
            alive[task].iter().min_by_key(key).copied().unwrap_or_default()
        };
        let choice: Vec<usize> = (0..alive.len()).map(fastest).collect();
        self.consider(&choice);
    }

    /// Takes a choice, made better by single moves and brought in time if it is not, if it is the
    /// best so far.
    fn consider(&mut self, choice: &[usize]) {
        if self.last == choice {
            return;
        }
        self.last = choice.to_vec();
        let polish = Polish {
            energy: &self.base,
            timing: self.due.as_ref().map(|due| (&self.problem.timing, due.as_slice())),
        };
        let (work, better) = polish.improved(choice.to_vec());
        self.work += work;
        if let Some((cost, choice)) = better
            && self.best.as_ref().is_none_or(|(best, _)| cost < *best)
        {
            self.best = Some((cost, choice));
        }
    }

    /// The least cost that is not worth looking for.
    fn ceiling(&self) -> A {
        self.best.as_ref().map_or(A::HUGE, |(cost, _)| *cost)
    }

    fn branch_and_bound(mut self, root: Energy<A>) -> Found {
        let tasks = root.unary.len();
        let prices = Prices {
            paths: Vec::new(),
            task: vec![A::default(); tasks],
            link: vec![A::default(); self.problem.timing.links.len()],
        };
        let bound = A::default();
        let mut open = vec![Node { energy: root, prices, bound }];
        let mut rounds = ROUNDS_ROOT;
        let mut stored = 0_usize;
        while let Some(mut node) = open.pop() {
            stored = stored.saturating_sub(node.energy.cells());
            self.nodes += 1;
            let open_still = self.ascend(&mut node, rounds) && self.thin(&mut node, 0);
            rounds = ROUNDS_NODE;
            if !open_still || self.finish(&node, REMAINDER) {
                continue;
            }
            if self.work > self.work_max || stored > STORED_MAX {
                open.push(node);
                break;
            }
            let (task, label) = self.split(&mut node);
            for takes_it in [false, true] {
                let keep: Vec<Vec<usize>> = (0..tasks)
                    .map(|other| {
                        let all = 0..node.energy.unary[other].len();
                        all.filter(|at| other != task || (*at == label) == takes_it).collect()
                    })
                    .collect();
                let energy = node.energy.restricted(&keep);
                stored += energy.cells();
                self.work += energy.entries() as u64;
                open.push(Node { energy, prices: node.prices.clone(), bound: node.bound });
            }
        }
        let least = open.iter().map(|node| node.bound.wide()).min();
        let proven = self.best.as_ref().map(|(cost, _)| cost.wide());
        let bound = match (least, proven) {
            (Some(least), Some(proven)) => Some(least.min(proven)),
            (least, proven) => least.or(proven),
        };
        self.found(bound, "branch and bound")
    }

    /// Solves a node whose labels are decided, or, where nothing is due, whose tables are small.
    fn finish(&mut self, node: &Node<A>, entries_max: usize) -> bool {
        let energy = &node.energy;
        let choice = if energy.is_decided() {
            Some(vec![0; energy.unary.len()])
        } else if self.due.is_none() {
            exact(energy, entries_max)
        } else {
            None
        };
        let Some(choice) = choice else { return false };
        self.work += energy.entries() as u64;
        self.consider(&names(energy, &choice));
        true
    }

    /// Raises the bound of a node until it rises no more; whether it is still open.
    fn ascend(&mut self, node: &mut Node<A>, rounds: usize) -> bool {
        let mut before = node.bound.wide();
        let (mut stale, mut halvings) = (0, 0);
        for round in 0..rounds {
            self.work += 2 * node.energy.entries() as u64 + 100;
            let choice = node.energy.forward();
            let chosen = names(&node.energy, &choice);
            self.consider(&chosen);
            node.energy.backward();
            stale = if node.energy.constant > node.bound { 0 } else { stale + 1 };
            node.bound = node.bound.max(node.energy.constant);
            let (bound, ceiling) = (node.bound.wide(), self.ceiling().wide());
            if bound >= ceiling || node.energy.is_decided() || self.work > self.work_max {
                return bound < ceiling;
            }
            if round % 4 == 3 {
                let labels = node.energy.size();
                if !self.thin(node, labels / 8) {
                    return false;
                }
                let fewer = node.energy.size() < labels;
                if fewer && self.finish(node, SMALL) {
                    return false;
                }
            }
            if self.due.is_some() {
                if stale == STALE {
                    (stale, halvings) = (0, halvings + 1);
                }
                self.reprice(node, &chosen, halvings);
            }
            if round % 8 == 7 {
                let slow = self.best.is_some() && bound - before < (ceiling - bound) / SLOW;
                if slow && (self.due.is_none() || halvings > 9) {
                    break;
                }
                before = bound;
            }
        }
        if self.due.is_some() {
            // The last prices moved costs; one more pass makes a bound of them.
            node.energy.forward();
            node.energy.backward();
            node.bound = node.bound.max(node.energy.constant);
        }
        true
    }

    /// Moves the prices of paths by how late or early each is, in proportion to the gap: time
    /// becomes dearer on paths that are late, and cheaper on those that are not.
    fn reprice(&mut self, node: &mut Node<A>, chosen: &[usize], halvings: u32) {
        let Some(due) = &self.due else { return };
        let timing = &self.problem.timing;
        let ends = timing.ends(chosen);
        let late = (0..ends.len()).filter(|task| ends[*task] > due[*task]);
        let late = late.max_by_key(|task| (ends[*task] - due[*task], usize::MAX - *task));
        let paths = &mut node.prices.paths;
        if let Some(task) = late {
            let path = timing.path_to(chosen, task);
            if paths.iter().all(|(other, _, _)| *other != path) {
                paths.push((path, due[task], A::default()));
            }
        }
        let length = |path: &Path| {
            let tasks: i64 = path.tasks.iter().map(|at| timing.run[*at][chosen[*at]]).sum();
            let delay = |at: &usize| {
                let link = &timing.links[*at];
                timing.delay(*at, chosen[link.from], chosen[link.to])
            };
            tasks + path.links.iter().map(delay).sum::<i64>()
        };
        let over: Vec<i128> =
            paths.iter().map(|(path, due, _)| i128::from(length(path) - due)).collect();
        let norm = over.iter().fold(0_i128, |sum, over| sum.saturating_add(over * over)).max(1);
        let gap = match &self.best {
            Some((best, _)) => best.minus(node.energy.constant),
            None => self.reach.share(8),
        };
        let gap = gap.max(A::default()).min(self.reach).wide() >> halvings;
        let longest =
            over.iter().zip(paths.iter()).map(|(over, (_, due, _))| over + i128::from(*due));
        let most = self.reach.wide() / longest.max().unwrap_or(1).max(1);
        let mut sum = 0_i128;
        for ((_, _, price), over) in paths.iter_mut().zip(&over) {
            let moved = price.wide() + gap.saturating_mul(*over) / norm;
            let moved = moved.clamp(0, most);
            sum += moved;
            *price = A::of(moved).unwrap_or_default();
        }
        if sum > most {
            let parts = usize::try_from(sum / most.max(1)).unwrap_or(1) + 1;
            for (_, _, price) in paths.iter_mut() {
                *price = price.share(parts);
            }
        }
        node.prices.paths.retain(|(_, _, price)| *price > A::default());
        self.apply(node);
    }

    /// Moves the costs of labels from the old prices of time to the new ones.
    fn apply(&self, node: &mut Node<A>) {
        let timing = &self.problem.timing;
        let zero = A::default();
        let (mut task, mut link) = (vec![zero; timing.run.len()], vec![zero; timing.links.len()]);
        for (path, _, price) in &node.prices.paths {
            for at in &path.tasks {
                task[*at] = task[*at].plus(*price);
            }
            for at in &path.links {
                link[*at] = link[*at].plus(*price);
            }
        }
        let due = self.due.iter().flatten().filter(|due| **due != NEVER);
        let horizon = due.max().copied().unwrap_or(0);
        let energy = &mut node.energy;
        for (at, price) in task.iter().enumerate() {
            let by = price.minus(node.prices.task[at]);
            if by != zero {
                energy.add(at, |label| times(by, timing.run[at][label as usize]));
            }
        }
        for (at, price) in link.iter().enumerate() {
            let by = price.minus(node.prices.link[at]);
            if by != zero && timing.links[at].delay.is_some() {
                let it = &timing.links[at];
                // A longer journey is late whatever it is priced at.
                let delay = |x: u32, y: u32| timing.delay(at, x as usize, y as usize).min(horizon);
                energy.add_pair(it.from, it.to, |x, y| times(by, delay(x, y)));
            }
        }
        let all = |paths: &[(Path, i64, A)]| {
            paths.iter().fold(zero, |sum, (_, due, price)| sum.plus(times(*price, *due)))
        };
        let owed = all(&node.prices.paths);
        energy.owe(owed);
        node.prices.task = task;
        node.prices.link = link;
    }

    /// Leaves only the labels that may lead to something better, if more than `few` do not; whether
    /// every task has one.
    fn thin(&mut self, node: &mut Node<A>, few: usize) -> bool {
        let ceiling = self.ceiling();
        if node.bound >= ceiling {
            return false;
        }
        let mut keep = node.energy.promising(ceiling);
        if keep.iter().any(Vec::is_empty) {
            return false;
        }
        if let Some(due) = &self.due {
            let labels = &node.energy.labels;
            let alive = |(keep, labels): (&Vec<usize>, &Vec<u32>)| {
                keep.iter().map(|at| labels[*at] as usize).collect()
            };
            let alive: Vec<Vec<usize>> = keep.iter().zip(labels).map(alive).collect();
            let Some(in_time) = self.problem.timing.in_time(&alive, due) else { return false };
            for ((keep, labels), alive) in keep.iter_mut().zip(labels).zip(&in_time) {
                keep.retain(|at| alive.binary_search(&(labels[*at] as usize)).is_ok());
            }
        }
        let left: usize = keep.iter().map(Vec::len).sum();
        if node.energy.size() - left > few {
            node.energy = node.energy.restricted(&keep);
            self.work += node.energy.cells() as u64;
        }
        true
    }

    /// Where to branch: the label of the best choice so far at the task whose part of the gap is
    /// the greatest.
    fn split(&mut self, node: &mut Node<A>) -> (usize, usize) {
        let choice = node.energy.forward();
        let chosen = names(&node.energy, &choice);
        self.consider(&chosen);
        let energy = &node.energy;
        let part = |task: usize| {
            let own = energy.unary[task][choice[task]].plus(energy.unary[task][choice[task]]);
            energy.around(task).fold(own, |sum, (at, _)| {
                let pair = &energy.pairs[at];
                sum.plus(energy.cost(at, choice[pair.u], choice[pair.v]))
            })
        };
        let open = (0..choice.len()).filter(|task| energy.unary[*task].len() > 1);
        let task =
            open.max_by_key(|task| (part(*task), energy.unary[*task].len(), usize::MAX - *task));
        let task = task.unwrap_or_default();
        (task, choice[task])
    }

    fn proven(mut self, energy: &Energy<A>, choice: &[usize], method: &'static str) -> Found {
        let chosen = names(energy, choice);
        let cost = self.base.sum(&chosen);
        self.best = Some((cost, chosen));
        self.found(Some(cost.wide()), method)
    }

    fn found(self, bound: Option<i128>, method: &'static str) -> Found {
        let best = self.best.map(|(cost, choice)| (cost.wide(), choice));
        Found { best, bound, method, nodes: self.nodes, work: self.work }
    }
}

/// Entries of all tables that wait to be searched, at most: 256 MiB in the wider width.
const STORED_MAX: usize = 1 << 24;

/// A price of a millisecond times a number of them.
fn times<A: Amount>(price: A, millis: i64) -> A {
    A::of(price.wide().saturating_mul(i128::from(millis))).unwrap_or(A::HUGE)
}

/// The outside names of a choice.
fn names<A: Amount>(energy: &Energy<A>, choice: &[usize]) -> Vec<usize> {
    choice.iter().zip(&energy.labels).map(|(at, labels)| labels[*at] as usize).collect()
}
