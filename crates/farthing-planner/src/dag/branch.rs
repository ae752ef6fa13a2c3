//! Branch and bound: the lower bound is raised pass by pass, labels that cannot pay go, and where
//! the bound rises no more the problem is cut in two, the part with the least bound first.
//!
//! Where time is short, its prices move to those at which tasks on their own would be just in time
//! (`tradeoff.rs`), as far as that raises the bound. What the bound then misses is that a task runs
//! on one machine: two are as good, and their mean is in time. So a cut is between the slow and the
//! fast labels of the task for which that mean is worth most.

use super::amount::Amount;
use super::energy::Energy;
use super::prices::Prices;
use super::search::{Found, SMALL, Search};
use super::tradeoff::Balance;

/// Entries of tables that dynamic programming may have after the bound has thinned the labels.
const REMAINDER: usize = 1 << 23;
/// Passes over the tables before the first branching, at most.
const ROUNDS_ROOT: usize = 300;
/// Passes at a later node.
const ROUNDS_NODE: usize = 6;
/// The way to other prices is cut into so many parts before new ones are asked for.
const PARTS_MAX: usize = 16;
/// Where prices of time are in tables, they move once in so many passes: making a table costs more
/// than a pass does.
const COUPLED: usize = 3;
/// Rounds after which a shortlist is searched.
const LISTS: [usize; 2] = [3, 9];
/// Entries that may be read in the time that copying one takes, with what is allocated for it.
const COPY: u64 = 4;
/// And entries that may be copied in the time that making an empty table takes.
const TABLE: usize = 32;
/// The part of all work that goes into neighbourhoods of the best choice before branching.
const IMPROVE: u64 = 16;
/// Labels that cannot pay are forgotten if they are more than one of so many.
const FEW: usize = 32;
/// A bound that rose by less than this part of the gap in four passes rises no more.
const SLOW: i128 = 25;
/// Entries of all parts that wait to be searched, at most: 256 MiB in the wider width.
const STORED_MAX: usize = 1 << 24;

/// A part of the problem that is still open.
pub(crate) struct Node<A> {
    pub(crate) energy: Energy<A>,
    pub(crate) prices: Prices<A>,
    /// The best that was proven of it: prices of time that are worse for the bound may be better
    /// for the search.
    pub(crate) bound: A,
    /// How long each task takes where prices of time are as they should be.
    pub(crate) balance: Option<Balance>,
    /// Entries that it holds alone.
    pub(crate) made: usize,
}

impl<A: Amount> Search<'_, A> {
    /// The search where tables are too large for dynamic programming.
    pub(crate) fn branch_and_bound(self) -> Found {
        self.searched().0
    }

    /// All of the problem, of which nothing is known yet.
    fn root(&self) -> Node<A> {
        let (energy, prices) = (self.base.clone(), Prices::none(&self.timing));
        Node { energy, prices, bound: A::default(), balance: None, made: 0 }
    }

    /// Searches all parts that are open.
    pub(crate) fn search(mut self, open: Vec<Node<A>>) -> Found {
        let (bound, method) = self.explore(open);
        self.found(bound, method)
    }

    /// As [`Search::branch_and_bound`], and whether sums were too large for this width.
    pub(crate) fn searched(mut self) -> (Found, bool) {
        let open = vec![self.root()];
        let (bound, method) = self.explore(open);
        let strained = self.base.strained;
        (self.found(bound, method), strained)
    }

    /// Searches all parts that are open; what no choice costs less than.
    fn explore(&mut self, mut open: Vec<Node<A>>) -> (Option<i128>, &'static str) {
        let mut stored = 0_usize;
        let (mut whole, mut sure) = (None, A::default());
        loop {
            let Some(mut node) = next(&mut open) else {
                // All that is left is near: now for the rest.
                let Some(node) = whole.take().filter(|_| self.left < self.ceiling()) else { break };
                sure = self.left;
                (self.near, self.left) = (false, A::HUGE);
                open.push(node);
                continue;
            };
            stored = stored.saturating_sub(node.made);
            self.nodes += 1;
            let few = node.energy.size() / FEW;
            let open_still = self.ascend(&mut node) && self.thin(&mut node, few);
            if !open_still || self.finish(&node, REMAINDER) {
                continue;
            }
            if self.is_over() || stored > STORED_MAX {
                open.push(node);
                break;
            }
            if self.nodes == 1 && self.whole && !self.settle(&mut node, &mut whole) {
                continue;
            }
            stored += self.cut(&mut node, &mut open);
        }
        let left = Some(self.left).filter(|left| *left < self.ceiling());
        let least = open.iter().map(|node| node.bound).chain(left).min();
        let least = least.map(|least| least.max(sure).wide());
        let proven = self.best.as_ref().map(|_| self.ceiling().wide());
        let bound = match (least, proven) {
            (Some(least), Some(proven)) => Some(least.min(proven)),
            (least, proven) => least.or(proven),
        };
        (bound, "branch and bound")
    }

    /// After the root: looks around the best choice, and where the gap is wide, makes the search
    /// content with being near and keeps the node for the rest. Whether the root is still open.
    fn settle(&mut self, node: &mut Node<A>, whole: &mut Option<Node<A>>) -> bool {
        self.focus_on(node);
        let before = self.ceiling();
        self.improve(self.work_max / IMPROVE);
        if self.ceiling() < before {
            if !self.thin(node, 0) {
                return false;
            }
            self.focus_on(node);
        }
        self.near = self.even && self.limit.is_none() && self.best.is_some();
        self.near &= node.bound < self.mark();
        if self.near {
            *whole = Some(Node {
                energy: node.energy.clone(),
                prices: node.prices.clone(),
                bound: node.bound,
                balance: None,
                made: 0,
            });
        }
        !self.near || self.thin(node, 0)
    }

    /// Cuts a node in two; how many entries wait with the parts that are open.
    fn cut(&mut self, node: &mut Node<A>, open: &mut Vec<Node<A>>) -> usize {
        let (task, second) = self.split(node);
        let mut stored = 0;
        for side in [false, true] {
            let keep: Vec<Vec<usize>> = node
                .energy
                .unary
                .iter()
                .enumerate()
                .map(|(other, unary)| {
                    (0..unary.len()).filter(|at| other != task || second[*at] == side).collect()
                })
                .collect();
            let bound = node.bound.max(node.energy.least_of(task, &keep[task]));
            if bound >= self.mark() {
                self.leave(bound);
                continue;
            }
            let (energy, prices) = (node.energy.restricted(&keep), node.prices.clone());
            let made = energy.unshared(task);
            stored += made;
            self.work += COPY * (made + TABLE * energy.pairs.len()) as u64;
            open.push(Node { energy, prices, bound, balance: None, made });
        }
        stored
    }

    /// Solves a node whose labels are decided, or, where nothing is due, whose tables are small.
    fn finish(&mut self, node: &Node<A>, entries_max: usize) -> bool {
        let energy = &node.energy;
        let choice = if energy.is_decided() {
            Some(vec![0; energy.unary.len()])
        } else if self.due.is_none() {
            self.exact(Some(energy), entries_max)
        } else {
            None
        };
        let Some(choice) = choice else { return false };
        self.work += energy.entries() as u64;
        self.consider(&names(energy, &choice));
        true
    }

    /// Raises the bound of a node until it rises no more; whether it is still open.
    pub(crate) fn ascend(&mut self, node: &mut Node<A>) -> bool {
        let root = self.nodes == 1 && self.whole;
        let rounds = if self.nodes == 1 { ROUNDS_ROOT } else { ROUNDS_NODE };
        let mut climb = Climb::new(node);
        let mut before = node.bound.wide();
        for round in 0..rounds {
            let chosen = self.pass(node, round);
            climb.look(node);
            node.bound = node.bound.max(node.energy.constant);
            let (bound, ceiling) = (node.bound.wide(), self.mark().wide());
            if bound >= ceiling || node.energy.is_decided() || self.is_over() {
                node.prices.adopt(climb.good);
                if bound >= ceiling {
                    self.leave(node.bound);
                }
                return bound < ceiling;
            }
            if root && LISTS.contains(&round) {
                self.search_shortlist(node);
            }
            if round % 4 == 3 {
                match self.lighten(node, root) {
                    None => return false,
                    Some(true) => continue,
                    Some(false) => {}
                }
            }
            if self.due.is_some() {
                let coupled = node.prices.couples(&self.timing);
                if !coupled || round.is_multiple_of(COUPLED) {
                    self.propose(node, &chosen, &mut climb);
                }
            }
            if round % 4 == 3 {
                let slow = self.best.is_some() && bound - before < (ceiling - bound) / SLOW;
                if slow {
                    break;
                }
                before = bound;
            }
        }
        if let Some(due) = &self.due {
            // The last prices moved costs; one more pass makes a bound of the best.
            node.prices.adopt(climb.good);
            self.work += node.prices.apply(&mut node.energy, &self.timing, due);
            self.work += 2 * node.energy.entries() as u64;
            node.energy.forward();
            node.energy.backward();
            self.base.strained |= node.energy.strained;
            node.bound = node.bound.max(node.energy.constant);
        }
        true
    }

    /// One pass forward and one back; what was chosen on the way.
    fn pass(&mut self, node: &mut Node<A>, round: usize) -> Vec<usize> {
        self.work += 2 * node.energy.entries() as u64 + 100;
        let choice = node.energy.forward();
        let chosen = names(&node.energy, &choice);
        // To make a choice better reads more than a pass does.
        if !self.whole || round.is_multiple_of(4) || node.energy.is_decided() {
            self.consider(&chosen);
        }
        node.energy.backward();
        self.base.strained |= node.energy.strained;
        chosen
    }

    /// Forgets labels where enough of them cannot pay: `None` if nothing is open then, else
    /// whether the whole search has forgotten them.
    fn lighten(&mut self, node: &mut Node<A>, root: bool) -> Option<bool> {
        let labels = node.energy.size();
        if !self.thin(node, labels / 8) {
            return None;
        }
        if node.energy.size() < labels && self.finish(node, SMALL) {
            return None;
        }
        let half = root && node.energy.size() < self.base.size() / 2;
        if half {
            self.focus_on(node);
        }
        Some(half)
    }

    /// Moves the prices of time towards those that would be right if tasks were on their own: all
    /// the way where that raises the bound, else a part of it.
    fn propose(&mut self, node: &mut Node<A>, chosen: &[usize], climb: &mut Climb<A>) {
        let Some(due) = &self.due else { return };
        if climb.risen || climb.target.is_none() {
            let (target, balance) =
                node.prices.proposed(&node.energy, (&self.timing, due), chosen, self.price_max);
            self.work += balance.work;
            node.balance = Some(balance);
            climb.target = Some(target);
            climb.parts = (climb.parts / 2).max(1);
        } else {
            climb.parts *= 2;
        }
        if climb.parts > PARTS_MAX {
            (climb.target, climb.parts) = (None, 1);
        }
        let next = climb.target.as_ref().map(|target| climb.good.toward(target, climb.parts));
        node.prices.adopt(next.unwrap_or_else(|| climb.good.clone()));
        climb.risen = false;
        self.work += node.prices.apply(&mut node.energy, &self.timing, due);
    }

    /// Forgets the labels that the only open node has not, but those of the best choice.
    fn focus_on(&mut self, node: &mut Node<A>) {
        let mut keep: Vec<Vec<usize>> = Vec::with_capacity(node.energy.labels.len());
        for labels in &node.energy.labels {
            keep.push(labels.iter().map(|label| *label as usize).collect());
        }
        for (keep, label) in keep.iter_mut().zip(self.best_here().into_iter().flatten()) {
            if let Err(at) = keep.binary_search(&label) {
                keep.insert(at, label);
            }
        }
        node.energy.rename_among(&keep);
        self.focus(&keep);
    }

    /// Leaves only the labels that may lead to something better, if more than `few` do not; whether
    /// every task has one.
    fn thin(&mut self, node: &mut Node<A>, few: usize) -> bool {
        let mark = self.mark();
        if node.bound >= mark {
            self.leave(node.bound);
            return false;
        }
        let (mut keep, least) = node.energy.promising(mark);
        self.leave(least);
        if keep.iter().any(Vec::is_empty) {
            return false;
        }
        if let Some(due) = &self.due {
            let labels = &node.energy.labels;
            let alive = |(keep, labels): (&Vec<usize>, &Vec<u32>)| {
                keep.iter().map(|at| labels[*at] as usize).collect()
            };
            let alive: Vec<Vec<usize>> = keep.iter().zip(labels).map(alive).collect();
            self.work += self.timing.entries(&alive);
            let Some(in_time) = self.timing.in_time(&alive, due) else { return false };
            for ((keep, labels), alive) in keep.iter_mut().zip(labels).zip(&in_time) {
                keep.retain(|at| alive.binary_search(&(labels[*at] as usize)).is_ok());
            }
        }
        let left: usize = keep.iter().map(Vec::len).sum();
        if node.energy.size() - left > few {
            node.energy = node.energy.restricted(&keep);
            self.work += COPY * (node.energy.cells() + node.energy.size()) as u64;
        }
        true
    }

    /// Where to cut: a task, and which of its labels are in the second part.
    fn split(&mut self, node: &mut Node<A>) -> (usize, Vec<bool>) {
        if let Some(cut) = self.split_by_time(node) {
            return cut;
        }
        self.split_by_cost(node)
    }

    /// Between slow and fast labels of the task for which it is dearest to be one or the other.
    fn split_by_time(&self, node: &Node<A>) -> Option<(usize, Vec<bool>)> {
        let balance = node.balance.as_ref()?;
        let mut best: Option<(i128, usize, Vec<bool>)> = None;
        for (task, labels) in node.energy.labels.iter().enumerate() {
            let between = i128::from(balance.between[task]);
            let worth = node.prices.task[task].wide().saturating_mul(between);
            if worth == 0 || best.as_ref().is_some_and(|(other, _, _)| *other >= worth) {
                continue;
            }
            let run = |label: &u32| self.timing.run[task][*label as usize];
            let fast: Vec<bool> =
                labels.iter().map(|label| run(label) <= balance.spans[task]).collect();
            if fast.contains(&true) && fast.contains(&false) {
                best = Some((worth, task, fast));
            }
        }
        best.map(|(_, task, fast)| (task, fast))
    }

    /// Apart from all others the label of the best choice so far at the task whose part of the gap
    /// is the greatest.
    fn split_by_cost(&mut self, node: &mut Node<A>) -> (usize, Vec<bool>) {
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
        let takes_it = (0..energy.unary[task].len()).map(|at| at == choice[task]);
        (task, takes_it.collect())
    }
}

/// How prices of time move: from the best so far, by less where they do not get better.
struct Climb<A> {
    /// The highest bound since, and the prices that made it.
    peak: Option<A>,
    good: Prices<A>,
    /// Whether it rose since prices moved.
    risen: bool,
    /// Where prices move, and which part of the way.
    target: Option<Prices<A>>,
    parts: usize,
}

impl<A: Amount> Climb<A> {
    fn new(node: &Node<A>) -> Self {
        Self { peak: None, good: node.prices.clone(), risen: false, target: None, parts: 1 }
    }

    /// Remembers the prices if the bound is the highest.
    fn look(&mut self, node: &Node<A>) {
        if self.peak.is_none_or(|peak| node.energy.constant > peak) {
            self.peak = Some(node.energy.constant);
            self.good = node.prices.clone();
            self.risen = true;
        }
    }
}

/// Takes the part with the least bound, of equals the last.
fn next<A: Amount>(open: &mut Vec<Node<A>>) -> Option<Node<A>> {
    let at = (0..open.len()).rev().min_by_key(|at| open[*at].bound)?;
    Some(open.swap_remove(at))
}

/// What the search calls the labels of a choice.
fn names<A: Amount>(energy: &Energy<A>, choice: &[usize]) -> Vec<usize> {
    choice.iter().zip(&energy.labels).map(|(at, labels)| labels[*at] as usize).collect()
}
