//! The problem as the search sees it: one label for each task, a cost for each label, and a cost
//! for each pair of labels of two tasks with data between them.
//!
//! Costs are moved between tasks and pairs so that the sum of all labels stays what it was and the
//! least of every part rises: the sum of the least parts is then a lower bound, proven by integer
//! arithmetic alone (block-coordinate ascent in the dual of the local polytope). It refuses to
//! know what a label is. Start at [`Energy::forward`].

use super::amount::Amount;

/// Costs of pairs of labels of two tasks, `u` before `v`:
/// `cost(x, y) = table[x][y] + a[x] + b[y]`.
#[derive(Clone, Debug)]
pub(crate) struct Pair<A> {
    pub(crate) u: usize,
    pub(crate) v: usize,
    pub(crate) table: Vec<A>,
    a: Vec<A>,
    b: Vec<A>,
}

/// Labels of each task and their costs.
#[derive(Clone, Debug)]
pub(crate) struct Energy<A> {
    /// Cost of everything, whatever is chosen. After [`Energy::forward`] or
    /// [`Energy::backward`] a lower bound on the whole.
    pub(crate) constant: A,
    /// What was taken from the constant by [`Energy::owe`].
    owed: A,
    /// Cost of each label of each task.
    pub(crate) unary: Vec<Vec<A>>,
    /// What each label is called outside.
    pub(crate) labels: Vec<Vec<u32>>,
    /// At most one for two tasks.
    pub(crate) pairs: Vec<Pair<A>>,
    /// Pairs in which a task is the later one, and those in which it is the earlier one.
    before: Vec<Vec<usize>>,
    after: Vec<Vec<usize>>,
}

impl<A: Amount> Pair<A> {
    /// Costs by rows of the labels of `u`.
    pub(crate) fn new(u: usize, v: usize, table: Vec<A>, rows: usize, columns: usize) -> Self {
        Self { u, v, table, a: vec![A::default(); rows], b: vec![A::default(); columns] }
    }

    /// What two labels cost together.
    pub(crate) fn cost(&self, x: usize, y: usize) -> A {
        self.table[x * self.b.len() + y].plus(self.a[x]).plus(self.b[y])
    }
}

impl<A: Amount> Energy<A> {
    /// A problem in which nothing is known yet.
    pub(crate) fn new(unary: Vec<Vec<A>>, labels: Vec<Vec<u32>>, pairs: Vec<Pair<A>>) -> Self {
        let (mut before, mut after) =
            (vec![Vec::new(); unary.len()], vec![Vec::new(); unary.len()]);
        for (at, pair) in pairs.iter().enumerate() {
            after[pair.u].push(at);
            before[pair.v].push(at);
        }
        let zero = A::default();
        Self { constant: zero, owed: zero, unary, labels, pairs, before, after }
    }

    /// How many pairs of labels there are: the work of one pass.
    pub(crate) fn entries(&self) -> usize {
        self.pairs.iter().map(|pair| pair.table.len()).sum()
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
        let pairs = self.pairs.iter().map(|pair| pair.cost(choice[pair.u], choice[pair.v]));
        tasks.chain(pairs).fold(self.constant, A::plus)
    }

    /// What each label of a task costs while all others stay.
    pub(crate) fn given(&self, choice: &[usize], task: usize) -> Vec<A> {
        let mut costs = self.unary[task].clone();
        for at in &self.before[task] {
            let pair = &self.pairs[*at];
            let x = choice[pair.u];
            for (y, cost) in costs.iter_mut().enumerate() {
                *cost = cost.plus(pair.cost(x, y));
            }
        }
        for at in &self.after[task] {
            let pair = &self.pairs[*at];
            let y = choice[pair.v];
            for (x, cost) in costs.iter_mut().enumerate() {
                *cost = cost.plus(pair.cost(x, y));
            }
        }
        costs
    }

    /// Raises the bound from the first task to the last, and makes a choice on the way: each label
    /// the best for the labels before it and the least that can follow.
    pub(crate) fn forward(&mut self) -> Vec<usize> {
        let mut choice = vec![0; self.unary.len()];
        for task in 0..self.unary.len() {
            let mut scores = self.unary[task].clone();
            for at in &self.before[task] {
                let pair = &self.pairs[*at];
                for (y, score) in scores.iter_mut().enumerate() {
                    *score = score.plus(pair.cost(choice[pair.u], y));
                }
            }
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

    /// Raises the bound from the last task to the first.
    pub(crate) fn backward(&mut self) {
        for task in (0..self.unary.len()).rev() {
            for at in 0..self.after[task].len() {
                self.receive_from_later(self.after[task][at]);
            }
            self.normalise(task);
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
        let columns = pair.b.len();
        let mut least = vec![A::HUGE; columns];
        for (row, a) in pair.table.chunks_exact(columns).zip(&pair.a) {
            for (least, cost) in least.iter_mut().zip(row) {
                *least = (*least).min(cost.plus(*a));
            }
        }
        for ((unary, b), least) in self.unary[pair.v].iter_mut().zip(&mut pair.b).zip(least) {
            *unary = unary.plus(least).plus(*b);
            *b = A::default().minus(least);
        }
    }

    /// Moves to each label of the earlier task the least that a pair costs with it.
    fn receive_from_later(&mut self, at: usize) {
        let pair = &mut self.pairs[at];
        let rows = pair.table.chunks_exact(pair.b.len());
        for ((unary, a), row) in self.unary[pair.u].iter_mut().zip(&mut pair.a).zip(rows) {
            let costs = row.iter().zip(&pair.b).map(|(cost, b)| cost.plus(*b));
            let least = costs.min().unwrap_or_default();
            *unary = unary.plus(least).plus(*a);
            *a = A::default().minus(least);
        }
    }

    /// Moves the least of a task's labels into the constant.
    fn normalise(&mut self, task: usize) {
        let least = self.unary[task].iter().copied().min().unwrap_or_default();
        self.constant = self.constant.plus(least);
        for unary in &mut self.unary[task] {
            *unary = unary.minus(least);
        }
    }

    /// Adds to the cost of each label of a task.
    pub(crate) fn add(&mut self, task: usize, cost: impl Fn(u32) -> A) {
        for (unary, label) in self.unary[task].iter_mut().zip(&self.labels[task]) {
            *unary = unary.plus(cost(*label));
        }
    }

    /// Adds to the cost of each pair of labels of two tasks with a pair.
    pub(crate) fn add_pair(&mut self, from: usize, to: usize, cost: impl Fn(u32, u32) -> A) {
        let (u, v) = (from.min(to), from.max(to));
        let Some(at) = self.after[u].iter().copied().find(|at| self.pairs[*at].v == v) else {
            return;
        };
        let columns = self.labels[v].len();
        for (x, row) in self.pairs[at].table.chunks_exact_mut(columns).enumerate() {
            for (y, entry) in row.iter_mut().enumerate() {
                let (x, y) = (self.labels[u][x], self.labels[v][y]);
                *entry = entry.plus(if from == u { cost(x, y) } else { cost(y, x) });
            }
        }
    }

    /// Takes so much from the constant, instead of what was taken before.
    pub(crate) fn owe(&mut self, owed: A) {
        self.constant = self.constant.plus(self.owed).minus(owed);
        self.owed = owed;
    }

    /// The same problem with only the labels at these positions.
    pub(crate) fn restricted(&self, keep: &[Vec<usize>]) -> Self {
        let pick = |task: usize| keep[task].iter().map(move |at| self.unary[task][*at]);
        let unary = (0..keep.len()).map(|task| pick(task).collect()).collect();
        let name = |task: usize| keep[task].iter().map(move |at| self.labels[task][*at]);
        let labels = (0..keep.len()).map(|task| name(task).collect()).collect();
        let pairs = self.pairs.iter().map(|pair| {
            let (rows, columns) = (&keep[pair.u], &keep[pair.v]);
            let mut table = Vec::with_capacity(rows.len() * columns.len());
            for x in rows {
                let row = &pair.table[x * pair.b.len()..(x + 1) * pair.b.len()];
                table.extend(columns.iter().map(|y| row[*y].plus(pair.a[*x]).plus(pair.b[*y])));
            }
            Pair::new(pair.u, pair.v, table, rows.len(), columns.len())
        });
        let pairs = pairs.collect();
        Self {
            constant: self.constant,
            owed: self.owed,
            unary,
            labels,
            pairs,
            before: self.before.clone(),
            after: self.after.clone(),
        }
    }

    /// Positions of the labels that a solution below `most` may have.
    pub(crate) fn promising(&self, most: A) -> Vec<Vec<usize>> {
        let below = |unary: &A| self.constant.plus(*unary) < most;
        let keep = |unary: &Vec<A>| {
            unary.iter().enumerate().filter(|(_, cost)| below(cost)).map(|(at, _)| at).collect()
        };
        self.unary.iter().map(keep).collect()
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

/// The position of the least, the first of equals.
pub(crate) fn first_least<A: Amount>(costs: &[A]) -> usize {
    (0..costs.len()).min_by_key(|at| (costs[*at], *at)).unwrap_or_default()
}
