//! The program: classes, services, limited offers and accounts as rows and variables.
//!
//! This is the small dense statement of the whole decision. [`Program::problem`] writes it down
//! for the solver for one [`Goal`], with all columns or some; nothing here searches.

use crate::account::Account;
use crate::candidate::Class;
use crate::column::{Column, Pool};
use crate::serving::Serving;
use farthing_milp::{Kind, Problem, ProblemError, Row, Sense, VarSpec};
use std::collections::{BTreeMap, BTreeSet};

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Goal {
    /// Everything done, for the least cost.
    Everything,
    /// The most value done, at any cost within the accounts: the least weight lost.
    Value,
    /// The least cost with at most this weight lost.
    Cost(i128),
}

/// A row by its meaning. The order is that of rows in the problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum RowKey {
    /// All members of a class are placed or wait.
    Class(usize),
    /// Nodes of a pool at an instant.
    Pool(usize, usize),
    /// Money of an account.
    Account(usize),
    /// Weight lost.
    Lost,
    /// A row of a service's own.
    Service(usize, usize),
}

/// A variable by its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Members of a column.
    Column(usize),
    /// Members of a class that wait.
    Wait(usize),
    /// Whether a service is served.
    Served(usize),
    /// Replicas of a kind of a service.
    Replicas(usize, usize),
    /// The part of a bucket that a kind takes, or a choice between kinds.
    Inner(usize),
}

/// A variable with its coefficients.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    /// What it means.
    pub(crate) role: Role,
    /// Bounds, kind and cost in 10^-12.
    pub(crate) spec: VarSpec,
    /// Coefficients.
    pub(crate) entries: Vec<(RowKey, i128)>,
}

/// The whole decision.
pub(crate) struct Program<'a> {
    /// Classes of jobs.
    pub(crate) classes: Vec<Class<'a>>,
    /// Their columns, by class.
    pub(crate) columns: Vec<Column>,
    /// Whether a class has any column; one that has none waits, whatever is chosen.
    pub(crate) placeable: Vec<bool>,
    /// Services that are decided about.
    pub(crate) services: Vec<Serving<'a>>,
    /// Limited offers.
    pub(crate) pools: Vec<Pool>,
    /// Hard budgets by period.
    pub(crate) accounts: Vec<Account<'a>>,
    /// What a member of each class is worth, in the unit of weights.
    pub(crate) weights: Vec<i128>,
    /// What each service is worth, in the unit of weights.
    pub(crate) service_weights: Vec<i128>,
    /// How values become weights.
    pub(crate) scale: Scale,
}

/// The unit of weights, so large that the solver's tolerance is a small part of it and its bounds
/// can be rounded to the next whole weight.
const WEIGHT: i128 = 1_000_000;

/// Values as weights: divided by their common divisor, and times one more than what has no value,
/// so that a thing without value is worth less than all others and more than nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scale {
    /// The common divisor of all values, in 10^-9.
    pub(crate) divisor: i128,
    /// One more than the number of members without value.
    pub(crate) factor: i128,
}

impl Scale {
    /// The scale of values with their number.
    pub(crate) fn of(values: impl Iterator<Item = (i128, u32)>) -> Self {
        let mut scale = Self { divisor: 0, factor: 1 };
        for (value, count) in values {
            if value > 0 {
                scale.divisor = gcd(scale.divisor, value);
            } else {
                scale.factor += i128::from(count);
            }
        }
        scale.divisor = scale.divisor.max(1);
        scale
    }

    /// The weight of a value in 10^-9.
    pub(crate) fn weight(self, value: i128) -> Option<i128> {
        let steps = if value > 0 { (value / self.divisor).checked_mul(self.factor)? } else { 1 };
        steps.checked_mul(WEIGHT)
    }

    /// The most value that a weight can stand for, in 10^-9.
    pub(crate) fn value(self, weight: i128) -> Option<i128> {
        weight.div_euclid(WEIGHT).div_euclid(self.factor).checked_mul(self.divisor)
    }
}

/// The greatest common divisor of two numbers that are not negative.
pub(crate) fn gcd(mut a: i128, mut b: i128) -> i128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// A problem with what its parts mean.
pub(crate) struct Written {
    /// For the solver.
    pub(crate) problem: Problem,
    /// Its rows.
    pub(crate) rows: BTreeMap<RowKey, Row>,
    /// Its variables, in order.
    pub(crate) items: Vec<Item>,
}

impl Program<'_> {
    /// All weight there is; what is lost counts against it. `None` on overflow.
    pub(crate) fn weight_total(&self) -> Option<i128> {
        let jobs = (0..self.classes.len()).filter(|class| self.placeable[*class]);
        let jobs = jobs.into_iter().try_fold(0_i128, |sum, class| {
            let size = i128::from(self.classes[class].size);
            sum.checked_add(self.weights[class].checked_mul(size)?)
        })?;
        self.service_weights.iter().try_fold(jobs, |sum, weight| sum.checked_add(*weight))
    }

    /// What one member of a column costs at least, in 10^-12.
    pub(crate) fn floor(&self, column: &Column) -> i128 {
        self.classes[column.class].ways[column.way].floor
    }

    /// Nodes that one member of a column holds.
    pub(crate) fn nodes(&self, column: &Column) -> i128 {
        i128::from(self.classes[column.class].ways[column.way].nodes)
    }

    fn column_item(&self, index: usize, goal: Goal) -> Item {
        let column = &self.columns[index];
        let nodes = self.nodes(column);
        let mut entries = vec![(RowKey::Class(column.class), 1)];
        if let Some(stretch) = column.stretch {
            let instants = stretch.first..stretch.end;
            entries.extend(instants.map(|at| (RowKey::Pool(stretch.pool, at), nodes)));
        }
        entries.extend(column.costs.iter().map(|(at, cost)| (RowKey::Account(*at), *cost)));
        let cost = if goal == Goal::Value { 0 } else { self.floor(column) };
        let upper = Some(i64::from(self.classes[column.class].size));
        let spec = VarSpec { cost, lower: 0, upper, kind: Kind::Integer };
        Item { role: Role::Column(index), spec, entries }
    }

    fn wait_item(&self, class: usize, goal: Goal, penalty: Option<i128>) -> Option<Item> {
        if !self.placeable[class] {
            return None;
        }
        let mut entries = vec![(RowKey::Class(class), 1)];
        let cost = match goal {
            Goal::Everything => penalty?,
            Goal::Value => self.weights[class],
            Goal::Cost(_) => {
                entries.push((RowKey::Lost, self.weights[class]));
                0
            }
        };
        let upper = Some(i64::from(self.classes[class].size));
        let spec = VarSpec { cost, lower: 0, upper, kind: Kind::Integer };
        Some(Item { role: Role::Wait(class), spec, entries })
    }

    /// Writes the program down for a goal, with the given columns.
    ///
    /// `penalty` is what a waiting member costs where the goal is everything; without one nobody
    /// may wait.
    pub(crate) fn problem(
        &self,
        goal: Goal,
        active: &[usize],
        penalty: Option<i128>,
        priced: bool,
    ) -> Result<Written, ProblemError> {
        let mut items: Vec<Item> =
            active.iter().map(|index| self.column_item(*index, goal)).collect();
        let waits =
            (0..self.classes.len()).filter_map(|class| self.wait_item(class, goal, penalty));
        items.extend(waits);
        for (index, service) in self.services.iter().enumerate() {
            items.extend(service.items(index, goal, self.service_weights[index]));
        }
        let mut keys: BTreeSet<RowKey> = BTreeSet::new();
        for item in &items {
            keys.extend(item.entries.iter().map(|(key, _)| *key));
        }
        // What is priced beside the given columns may hold any pool at any instant.
        if priced {
            let pools = self.pools.iter().enumerate();
            keys.extend(pools.flat_map(|(index, pool)| {
                (0..pool.instants.len()).map(move |at| RowKey::Pool(index, at))
            }));
        }
        // A class of which no column is given still has its members.
        let placeable = (0..self.classes.len()).filter(|class| self.placeable[*class]);
        keys.extend(placeable.map(RowKey::Class));
        let mut problem = Problem::new();
        let mut rows = BTreeMap::new();
        for key in keys {
            let (sense, rhs) = self.row(key, goal);
            rows.insert(key, problem.add_row(sense, rhs)?);
        }
        for item in &items {
            let entries: Vec<(Row, i128)> =
                item.entries.iter().map(|(key, a)| (rows[key], *a)).collect();
            problem.add_var(item.spec, &entries)?;
        }
        Ok(Written { problem, rows, items })
    }

    fn row(&self, key: RowKey, goal: Goal) -> (Sense, i128) {
        match key {
            RowKey::Class(class) => (Sense::Equal, i128::from(self.classes[class].size)),
            RowKey::Pool(pool, at) => {
                // A service that is decided about anew gives its nodes back if it is served anew.
                let services = self.services.iter();
                let given: i128 = services.map(|service| service.present_nodes(pool)).sum();
                let pool = &self.pools[pool];
                (Sense::AtMost, (pool.room[at] - given).max(0))
            }
            RowKey::Account(account) => (Sense::AtMost, self.accounts[account].room),
            RowKey::Lost => {
                let most = match goal {
                    Goal::Cost(most) => most,
                    Goal::Everything | Goal::Value => 0,
                };
                // Services lose their weight less what is served.
                let all: i128 = self.service_weights.iter().sum();
                (Sense::AtMost, most - all)
            }
            RowKey::Service(service, row) => self.services[service].row(row),
        }
    }
}
