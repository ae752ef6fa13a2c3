//! The problem as the search sees it: one label for each task, a cost for each label, and a cost
//! for each pair of labels of two tasks with data between them.
//!
//! Costs are moved between tasks and pairs so that the sum of all labels stays what it was and the
//! least of every part rises: the sum of the least parts is then a lower bound, proven by integer
//! arithmetic alone (block-coordinate ascent in the dual of the local polytope). It refuses to
//! know what a label is. Start at [`Energy::forward`].
//!
//! Labels of one task whose pairs all cost the same (machines in one class of places) are a
//! *group*: tables are of groups, so that more labels cost little. And as moving data out of a
//! region costs the same nearly wherever it goes, a pass reads only the entries of a row that are
//! below the row's greatest.

use super::amount::Amount;
use super::groups::Groups;
use std::sync::Arc;

/// Costs of pairs of labels of two tasks, `u` before `v`:
/// `cost(x, y) = table[group of x][group of y] + a[x] + b[y]`.
#[derive(Clone, Debug)]
pub(crate) struct Pair<A> {
    pub(crate) u: usize,
    pub(crate) v: usize,
    table: Arc<Table<A>>,
    a: Vec<A>,
    b: Vec<A>,
}

/// Costs of pairs of groups.
#[derive(Clone, Debug)]
struct Table<A> {
    /// By rows.
    costs: Vec<A>,
    /// The greatest and the least of each row.
    top: Vec<A>,
    bottom: Vec<A>,
    /// Where the entries of each row begin that are below its greatest, and one past the last.
    first: Vec<usize>,
    /// These entries: column and cost.
    below: Vec<(u32, A)>,
}

/// Labels of each task and their costs.
#[derive(Clone, Debug)]
pub(crate) struct Energy<A> {
    /// Cost of everything, whatever is chosen. After [`Energy::forward`] or
    /// [`Energy::backward`] a lower bound on the whole.
    pub(crate) constant: A,
    /// What was taken from the constant by [`Energy::owe`].
    owed: A,
    /// Whether something is too large for this width: then nothing that was proven counts.
    pub(crate) strained: bool,
    /// Cost of each label of each task.
    pub(crate) unary: Vec<Vec<A>>,
    /// For each label what no choice with it costs less than, as far as [`Energy::backward`] saw.
    least: Vec<Vec<A>>,
    /// For each label how much dearer than the best choices with it seemed in the last pass back.
    pub(crate) marginal: Vec<Vec<A>>,
    /// What each label is called outside.
    pub(crate) labels: Vec<Vec<u32>>,
    /// Which labels no pair tells apart.
    pub(crate) groups: Vec<Groups>,
    /// At most one for two tasks.
    pub(crate) pairs: Vec<Pair<A>>,
    /// Pairs in which a task is the later one, and those in which it is the earlier one.
    before: Vec<Vec<usize>>,
    after: Vec<Vec<usize>>,
}

impl<A: Amount> Pair<A> {
    /// Costs by rows of the groups of `u`.
    pub(crate) fn new((u, v): (usize, usize), table: Vec<A>, groups: &[Groups]) -> Self {
        let none = |task: usize| vec![A::default(); groups[task].of.len()];
        let table = Arc::new(Table::new(table, groups[v].count));
        Self { u, v, table, a: none(u), b: none(v) }
    }

    /// The most that it costs.
    pub(crate) fn most(&self) -> A {
        self.table.top.iter().copied().max().unwrap_or_default()
    }
}

impl<A: Amount> Table<A> {
    fn new(costs: Vec<A>, width: usize) -> Self {
        let (mut top, mut bottom) = (Vec::new(), Vec::new());
        let (mut first, mut below) = (vec![0], Vec::new());
        for row in costs.chunks_exact(width.max(1)) {
            let most = row.iter().copied().max().unwrap_or_default();
            bottom.push(row.iter().copied().min().unwrap_or_default());
            let entries = (0_u32..).zip(row).filter(|(_, cost)| **cost < most);
            below.extend(entries.map(|(column, cost)| (column, *cost)));
            top.push(most);
            first.push(below.len());
        }
        Self { costs, top, bottom, first, below }
    }

    /// The entries of a row below its greatest.
    fn below(&self, row: usize) -> &[(u32, A)] {
        &self.below[self.first[row]..self.first[row + 1]]
    }
}

impl<A: Amount> Energy<A> {
    /// A problem in which nothing is known yet.
    pub(crate) fn new(unary: Vec<Vec<A>>, groups: Vec<Groups>, pairs: Vec<Pair<A>>) -> Self {
        let names = |costs: &Vec<A>| (0..u32::try_from(costs.len()).unwrap_or(u32::MAX)).collect();
        let labels = unary.iter().map(names).collect();
        let (mut before, mut after) =
            (vec![Vec::new(); unary.len()], vec![Vec::new(); unary.len()]);
        for (at, pair) in pairs.iter().enumerate() {
            after[pair.u].push(at);
            before[pair.v].push(at);
        }
        let zero = A::default();
        let least = unary.iter().map(|costs| vec![zero; costs.len()]).collect();
        let marginal = unary.clone();
        Self {
            constant: zero,
            owed: zero,
            strained: false,
            unary,
            least,
            marginal,
            labels,
            groups,
            pairs,
            before,
            after,
        }
    }

    /// Calls every label by its position.
    pub(crate) fn rename(&mut self) {
        for labels in &mut self.labels {
            *labels = (0..u32::try_from(labels.len()).unwrap_or(u32::MAX)).collect();
        }
    }

    /// Calls every label by its position among labels in ascending order, of which it is one.
    pub(crate) fn rename_among(&mut self, all: &[Vec<usize>]) {
        for (labels, all) in self.labels.iter_mut().zip(all) {
            for label in labels {
                let at = all.binary_search(&(*label as usize)).unwrap_or_default();
                *label = u32::try_from(at).unwrap_or(u32::MAX);
            }
        }
    }

    /// What no choice with one of these labels of a task costs less than.
    pub(crate) fn least_of(&self, task: usize, keep: &[usize]) -> A {
        keep.iter().map(|at| self.least[task][*at]).min().unwrap_or(A::HUGE)
    }

    /// Positions of so many labels of a task that look best, and of one more, ascending.
    pub(crate) fn least_labels(&self, task: usize, many: usize, and: Option<usize>) -> Vec<usize> {
        let least = &self.least[task];
        let mut all: Vec<usize> = (0..least.len()).collect();
        all.sort_by_key(|at| (Some(*at) != and, least[*at], *at));
        all.truncate(many);
        all.sort_unstable();
        all
    }

    /// How many entries one pass reads.
    pub(crate) fn entries(&self) -> usize {
        let entries = |pair: &Pair<A>| {
            let table = pair.table.below.len() + pair.table.top.len();
            table + pair.a.len() + pair.b.len()
        };
        self.pairs.iter().map(entries).sum()
    }

    /// What two labels of a pair's tasks cost together.
    pub(crate) fn cost(&self, at: usize, x: usize, y: usize) -> A {
        let pair = &self.pairs[at];
        let (rows, columns) = (&self.groups[pair.u], &self.groups[pair.v]);
        pair.table.costs[rows.at(x) * columns.count + columns.at(y)].plus(pair.a[x]).plus(pair.b[y])
    }

    /// How many entries a copy of all tables reads.
    pub(crate) fn cells(&self) -> usize {
        self.pairs.iter().map(|pair| pair.table.costs.len()).sum()
    }

    /// How many entries a copy with other labels of one task does not share.
    pub(crate) fn unshared(&self, task: usize) -> usize {
        let tables = self.around(task).map(|(at, _)| self.pairs[at].table.costs.len());
        let sides = self.pairs.iter().map(|pair| pair.a.len() + pair.b.len());
        2 * tables.sum::<usize>() + sides.sum::<usize>() + 3 * self.size()
    }

    /// How many labels there are.
    pub(crate) fn size(&self) -> usize {
        self.labels.iter().map(Vec::len).sum()
    }

    /// Whether every task has one label.
    pub(crate) fn is_decided(&self) -> bool {
        self.labels.iter().all(|labels| labels.len() == 1)
    }

    /// Pairs that a task is in, with the other task.
    pub(crate) fn around(&self, task: usize) -> impl Iterator<Item = (usize, usize)> + '_ {
        let before = self.before[task].iter().map(|at| (*at, self.pairs[*at].u));
        before.chain(self.after[task].iter().map(|at| (*at, self.pairs[*at].v)))
    }

    /// What a choice costs.
    pub(crate) fn sum(&self, choice: &[usize]) -> A {
        let tasks = self.unary.iter().zip(choice).map(|(unary, label)| unary[*label]);
        let pairs = self.pairs.iter().enumerate();
        let pairs = pairs.map(|(at, pair)| self.cost(at, choice[pair.u], choice[pair.v]));
        tasks.chain(pairs).fold(self.constant, A::plus)
    }

    /// What each label of a task costs while all others stay.
    pub(crate) fn given(&self, choice: &[usize], task: usize) -> Vec<A> {
        let mut costs = self.unary[task].clone();
        self.add_earlier(choice, task, &mut costs);
        let of = &self.groups[task].of;
        for at in &self.after[task] {
            let pair = &self.pairs[*at];
            let (columns, y) = (&self.groups[pair.v], choice[pair.v]);
            let column = pair.table.costs.iter().skip(columns.at(y)).step_by(columns.count);
            let column: Vec<A> = column.map(|cost| cost.plus(pair.b[y])).collect();
            for ((cost, group), a) in costs.iter_mut().zip(of).zip(&pair.a) {
                *cost = cost.plus(column[*group as usize]).plus(*a);
            }
        }
        costs
    }

    /// Adds what the labels of a task cost with those that are chosen before it.
    fn add_earlier(&self, choice: &[usize], task: usize, costs: &mut [A]) {
        let of = &self.groups[task].of;
        let width = self.groups[task].count;
        for at in &self.before[task] {
            let pair = &self.pairs[*at];
            let x = choice[pair.u];
            let first = self.groups[pair.u].at(x) * width;
            let row = &pair.table.costs[first..first + width];
            for ((cost, group), b) in costs.iter_mut().zip(of).zip(&pair.b) {
                *cost = cost.plus(row[*group as usize]).plus(pair.a[x]).plus(*b);
            }
        }
    }

    /// Raises the bound from the first task to the last, and makes a choice on the way: each label
    /// the best for the labels before it and the least that can follow.
    pub(crate) fn forward(&mut self) -> Vec<usize> {
        let mut choice = vec![0; self.unary.len()];
        for task in 0..self.unary.len() {
            let mut scores = self.unary[task].clone();
            self.add_earlier(&choice, task, &mut scores);
            choice[task] = first_least(&scores);
            for at in 0..self.before[task].len() {
                self.receive_from_earlier(self.before[task][at]);
            }
            self.normalise(task);
            let parts = self.before[task].len().max(self.after[task].len());
            for at in &self.after[task] {
                send(&mut self.unary[task], &mut self.pairs[*at].a, parts);
            }
            settle(&mut self.unary[task], parts, self.after[task].len());
        }
        choice
    }

    /// Raises the bound from the last task to the first, after a pass forward.
    ///
    /// When a task has heard from all others, and no part of any other is below zero, the constant
    /// and the cost of a label are a bound on every choice with that label.
    pub(crate) fn backward(&mut self) {
        for task in (0..self.unary.len()).rev() {
            for at in 0..self.after[task].len() {
                self.receive_from_later(self.after[task][at]);
            }
            self.normalise(task);
            self.marginal[task].clone_from(&self.unary[task]);
            for (least, unary) in self.least[task].iter_mut().zip(&self.unary[task]) {
                *least = (*least).max(self.constant.plus(*unary));
            }
            let parts = self.before[task].len().max(self.after[task].len());
            for at in &self.before[task] {
                send(&mut self.unary[task], &mut self.pairs[*at].b, parts);
            }
            settle(&mut self.unary[task], parts, self.before[task].len());
        }
    }

    /// Moves to each label of the later task the least that a pair costs with it.
    fn receive_from_earlier(&mut self, at: usize) {
        let pair = &mut self.pairs[at];
        let (from, to) = (&self.groups[pair.u], &self.groups[pair.v]);
        let side = from.least(&pair.a);
        let tops = pair.table.top.iter().zip(&side).map(|(top, a)| top.plus(*a));
        let any = tops.min().unwrap_or_default();
        let mut least = vec![any; to.count];
        for (row, a) in side.iter().enumerate() {
            if pair.table.bottom[row].plus(*a) >= any {
                continue;
            }
            for (column, cost) in pair.table.below(row) {
                let least = &mut least[*column as usize];
                *least = (*least).min(cost.plus(*a));
            }
        }
        self.strained |= least.iter().any(|least| is_large(*least));
        for ((unary, b), group) in self.unary[pair.v].iter_mut().zip(&mut pair.b).zip(&to.of) {
            let least = least[*group as usize];
            *unary = unary.plus(least).plus(*b);
            *b = A::default().minus(least);
        }
    }

    /// Moves to each label of the earlier task the least that a pair costs with it.
    fn receive_from_later(&mut self, at: usize) {
        let pair = &mut self.pairs[at];
        let (to, from) = (&self.groups[pair.u], &self.groups[pair.v]);
        let side = from.least(&pair.b);
        let any = side.iter().copied().min().unwrap_or_default();
        let row_least = |(row, top): (usize, &A)| {
            let below = pair.table.below(row).iter();
            let costs = below.map(|(column, cost)| cost.plus(side[*column as usize]));
            costs.fold(top.plus(any), A::min)
        };
        let least: Vec<A> = pair.table.top.iter().enumerate().map(row_least).collect();
        self.strained |= least.iter().any(|least| is_large(*least));
        for ((unary, a), group) in self.unary[pair.u].iter_mut().zip(&mut pair.a).zip(&to.of) {
            let least = least[*group as usize];
            *unary = unary.plus(least).plus(*a);
            *a = A::default().minus(least);
        }
    }

    /// Moves the least of a task's labels into the constant.
    fn normalise(&mut self, task: usize) {
        let least = self.unary[task].iter().copied().min().unwrap_or_default();
        self.constant = self.constant.plus(least);
        self.strained |= is_large(least) || is_large(self.constant);
        for unary in &mut self.unary[task] {
            *unary = unary.minus(least);
            self.strained |= is_large(*unary);
        }
    }

    /// Adds to the cost of each label of a task.
    pub(crate) fn add(&mut self, task: usize, cost: impl Fn(u32) -> A) {
        for (unary, label) in self.unary[task].iter_mut().zip(&self.labels[task]) {
            *unary = unary.plus(cost(*label));
        }
    }

    /// Adds to the cost of each pair of groups of two tasks with a pair; the groups are told by a
    /// label of each. How many there are.
    pub(crate) fn add_pair(
        &mut self,
        from: usize,
        to: usize,
        cost: impl Fn(u32, u32) -> A,
    ) -> usize {
        let (u, v) = (from.min(to), from.max(to));
        let Some(at) = self.after[u].iter().copied().find(|at| self.pairs[*at].v == v) else {
            return 0;
        };
        let member = |task: usize| {
            let mut member = vec![0; self.groups[task].count];
            for (group, label) in self.groups[task].of.iter().zip(&self.labels[task]) {
                member[*group as usize] = *label;
            }
            member
        };
        let (rows, columns) = (member(u), member(v));
        let mut costs = self.pairs[at].table.costs.clone();
        for (x, row) in rows.iter().zip(costs.chunks_exact_mut(columns.len())) {
            for (y, entry) in columns.iter().zip(row) {
                *entry = entry.plus(if from == u { cost(*x, *y) } else { cost(*y, *x) });
            }
        }
        let cells = costs.len();
        self.pairs[at].table = Arc::new(Table::new(costs, columns.len()));
        cells
    }

    /// Takes so much from the constant, instead of what was taken before.
    pub(crate) fn owe(&mut self, owed: A) {
        self.constant = self.constant.plus(self.owed).minus(owed);
        self.owed = owed;
    }

    /// The same problem with only the labels at these positions.
    pub(crate) fn restricted(&self, keep: &[Vec<usize>]) -> Self {
        let pick = |all: &[A], keep: &[usize]| keep.iter().map(|at| all[*at]).collect::<Vec<A>>();
        let unary = self.unary.iter().zip(keep).map(|(all, keep)| pick(all, keep)).collect();
        let least = self.least.iter().zip(keep).map(|(all, keep)| pick(all, keep)).collect();
        let names =
            |(all, keep): (&Vec<u32>, &Vec<usize>)| keep.iter().map(|at| all[*at]).collect();
        let labels = self.labels.iter().zip(keep).map(names).collect();
        let (groups, kept): (Vec<Groups>, Vec<Vec<usize>>) =
            self.groups.iter().zip(keep).map(|(groups, keep)| groups.restricted(keep)).unzip();
        let pairs = self.pairs.iter().map(|pair| {
            let (rows, columns) = (&kept[pair.u], &kept[pair.v]);
            let (a, b) = (pick(&pair.a, &keep[pair.u]), pick(&pair.b, &keep[pair.v]));
            let width = self.groups[pair.v].count;
            let whole = rows.len() == self.groups[pair.u].count && columns.len() == width;
            let table = if whole {
                Arc::clone(&pair.table)
            } else {
                let row = |x: &usize| &pair.table.costs[x * width..(x + 1) * width];
                let cells = rows.iter().flat_map(|x| columns.iter().map(move |y| row(x)[*y]));
                Arc::new(Table::new(cells.collect(), columns.len()))
            };
            Pair { u: pair.u, v: pair.v, table, a, b }
        });
        let pairs = pairs.collect();
        Self {
            constant: self.constant,
            owed: self.owed,
            strained: self.strained,
            unary,
            least,
            marginal: self.marginal.iter().zip(keep).map(|(all, keep)| pick(all, keep)).collect(),
            labels,
            groups,
            pairs,
            before: self.before.clone(),
            after: self.after.clone(),
        }
    }

    /// Positions of the labels that a solution below `most` may have, and what none with another
    /// label costs less than.
    pub(crate) fn promising(&self, most: A) -> (Vec<Vec<usize>>, A) {
        let mut others = A::HUGE;
        let mut keep = |least: &Vec<A>| {
            let (mut below, all) = (Vec::new(), least.iter().enumerate());
            for (at, least) in all {
                if *least < most {
                    below.push(at);
                } else {
                    others = others.min(*least);
                }
            }
            below
        };
        let keep = self.least.iter().map(&mut keep).collect();
        (keep, others)
    }
}

/// Moves one of `parts` equal parts of each label's cost to a pair; the cost itself is lowered by
/// [`settle`], after all pairs have their part.
fn send<A: Amount>(unary: &mut [A], side: &mut [A], parts: usize) {
    for (unary, side) in unary.iter().zip(side) {
        *side = side.plus(unary.share(parts));
    }
}

/// Lowers each label's cost by the parts that were sent.
fn settle<A: Amount>(unary: &mut [A], parts: usize, sent: usize) {
    for unary in unary {
        let part = unary.share(parts);
        for _ in 0..sent {
            *unary = unary.minus(part);
        }
    }
}

/// Whether a sum of a few such may wrap.
fn is_large<A: Amount>(amount: A) -> bool {
    amount > A::SAFE || amount < A::default().minus(A::SAFE)
}

/// The position of the least, the first of equals.
pub(crate) fn first_least<A: Amount>(costs: &[A]) -> usize {
    (0..costs.len()).min_by_key(|at| (costs[*at], *at)).unwrap_or_default()
}
