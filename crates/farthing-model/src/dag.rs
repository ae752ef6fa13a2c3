//! Tasks with data between them: what is to be run, in which order, and how much moves.

use crate::accelerator::AcceleratorQuery;
use crate::id::{TeamId, WorkloadId};
use crate::money::Money;
use crate::offer::{Place, Purchase};
use crate::policy::Objective;
use crate::price::HourlyRate;
use crate::resource::Resources;
use crate::workload::{Interruptible, Throughput, Work};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// Tasks, the data between them, and what is wanted of the whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dag {
    /// Its name.
    pub id: WorkloadId,
    /// Who pays.
    pub team: Option<TeamId>,
    /// All labels, for statements and budgets.
    pub labels: BTreeMap<String, String>,
    /// The tasks, in the order of the file; each name once.
    pub tasks: Vec<Task>,
    /// What must be done before what, and the data that moves; each pair once.
    pub edges: Vec<Edge>,
    /// Data that is somewhere before it starts.
    pub inputs: Vec<Port>,
    /// Data that must be somewhere at the end.
    pub outputs: Vec<Port>,
    /// Cost or time.
    pub objective: Objective,
    /// Jurisdictions of which one must hold for the place of every task; empty = anywhere.
    pub residency: Vec<String>,
    /// All tasks to be done by.
    pub deadline: Option<Timestamp>,
    /// The most that everything may cost, egress included.
    pub cost_max: Option<Money>,
    /// The most accelerator time that everything may take, in thousandths of an hour: all
    /// accelerators of the nodes that are held count, used or not.
    pub gpu_hours_max_milli: Option<u64>,
}

/// One task: it holds its nodes as long as it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Its name, unique in the DAG.
    pub name: String,
    /// Accelerators of which one kind is enough; empty = any machine, or those of the throughput.
    pub accelerators: Vec<Accelerators>,
    /// What one node must have.
    pub resources: Resources,
    /// How many nodes.
    pub nodes: u32,
    /// How long it runs.
    pub run: Run,
    /// How it takes an interruption; `None` = not known, so that none is counted on spot.
    pub interruptible: Option<Interruptible>,
    /// Ways to pay; empty = on demand only.
    pub purchase: Vec<Purchase>,
    /// Only these providers; empty = all.
    pub providers: Vec<String>,
    /// Only these regions; empty = all.
    pub regions: Vec<String>,
    /// Jurisdictions of which one must hold, beside those of the DAG; empty = anywhere.
    pub residency: Vec<String>,
    /// To be done by.
    pub deadline: Option<Timestamp>,
    /// The most that an hour of one node may cost.
    pub node_price_max: Option<HourlyRate>,
    /// The most that an hour of all its nodes may cost.
    pub price_max: Option<HourlyRate>,
}

/// So many accelerators of a kind on each node, at least.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accelerators {
    /// Which.
    pub accelerator: AcceleratorQuery,
    /// How many on each node.
    pub count: u32,
}

/// How long a task runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Run {
    /// So long, on any machine that meets the request.
    Fixed(SignedDuration),
    /// Work by measured throughput; the first row that matches a machine wins. A row's count is
    /// of one node, its rate of all nodes together.
    Work {
        /// What is to be done.
        work: Work,
        /// How fast, where.
        throughput: Vec<Throughput>,
    },
    /// Nobody said: prices of one hour are compared.
    Unknown,
}

/// One task before another, and what moves between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// Position of the earlier task.
    pub from: usize,
    /// Position of the later task.
    pub to: usize,
    /// How much the earlier hands over; zero is order only.
    pub size_bytes: u64,
}

/// Data of a task in a fixed place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// Position of the task.
    pub task: usize,
    /// Where the data is, or must go.
    pub place: Place,
    /// How much.
    pub size_bytes: u64,
}

impl Dag {
    /// Positions of the tasks, each after all that it waits for; ties by position.
    ///
    /// # Errors
    /// A cycle, as positions of its tasks in order, the first of the file first.
    pub fn order(&self) -> Result<Vec<usize>, Vec<usize>> {
        let mut waits = vec![0_usize; self.tasks.len()];
        for edge in &self.edges {
            waits[edge.to] += 1;
        }
        let mut order = Vec::with_capacity(self.tasks.len());
        let mut free: Vec<usize> = (0..self.tasks.len()).filter(|at| waits[*at] == 0).collect();
        while let Some(first) = free.iter().min().copied() {
            free.retain(|at| *at != first);
            order.push(first);
            for edge in self.edges.iter().filter(|edge| edge.from == first) {
                waits[edge.to] -= 1;
                if waits[edge.to] == 0 {
                    free.push(edge.to);
                }
            }
        }
        if order.len() == self.tasks.len() { Ok(order) } else { Err(self.cycle(&waits)) }
    }

    /// A cycle among the tasks that still wait: go back along what they wait for until one repeats.
    fn cycle(&self, waits: &[usize]) -> Vec<usize> {
        let mut path: Vec<usize> = waits.iter().position(|waits| *waits > 0).into_iter().collect();
        while let Some(last) = path.last().copied() {
            let before = self.edges.iter().find(|edge| edge.to == last && waits[edge.from] > 0);
            let Some(edge) = before else { break };
            if let Some(start) = path.iter().position(|at| *at == edge.from) {
                let mut cycle = path.split_off(start);
                cycle.reverse();
                let least = cycle.iter().enumerate().min_by_key(|(_, task)| **task);
                let first = least.map_or(0, |(at, _)| at);
                cycle.rotate_left(first);
                return cycle;
            }
            path.push(edge.from);
        }
        path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dag(tasks: usize, edges: &[(usize, usize)]) -> Dag {
        let task = |at: usize| Task {
            name: format!("t{at}"),
            accelerators: Vec::new(),
            resources: Resources::default(),
            nodes: 1,
            run: Run::Unknown,
            interruptible: None,
            purchase: Vec::new(),
            providers: Vec::new(),
            regions: Vec::new(),
            residency: Vec::new(),
            deadline: None,
            node_price_max: None,
            price_max: None,
        };
        Dag {
            id: WorkloadId::new("d").unwrap(),
            team: None,
            labels: BTreeMap::new(),
            tasks: (0..tasks).map(task).collect(),
            edges: edges
                .iter()
                .map(|(from, to)| Edge { from: *from, to: *to, size_bytes: 0 })
                .collect(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            objective: Objective::Cost,
            residency: Vec::new(),
            deadline: None,
            cost_max: None,
            gpu_hours_max_milli: None,
        }
    }

    #[test]
    fn tasks_come_after_what_they_wait_for() {
        assert_eq!(dag(4, &[(3, 0), (0, 1), (3, 2), (2, 1)]).order(), Ok(vec![3, 0, 2, 1]));
        assert_eq!(dag(3, &[]).order(), Ok(vec![0, 1, 2]));
    }

    #[test]
    fn a_cycle_is_named_in_its_order() {
        assert_eq!(dag(4, &[(3, 0), (0, 1), (1, 2), (2, 0)]).order(), Err(vec![0, 1, 2]));
        assert_eq!(dag(1, &[(0, 0)]).order(), Err(vec![0]));
    }
}
