//! First-fit decreasing, as provisioners of nodes do it: the largest pod first, each into the first
//! node that some machine could still be, and at the end the cheapest machine for each.

use super::problem::{Amounts, Content, DIMS, Problem};

/// Packs everything; `None` where that cannot be, as machines are limited.
pub(super) fn first_fit(problem: &Problem) -> Option<Vec<Content>> {
    let mut order: Vec<usize> = (0..problem.shapes.len()).collect();
    order.sort_by_key(|shape| std::cmp::Reverse((size(problem, *shape), *shape)));
    let mut nodes: Vec<Node> = Vec::new();
    for shape in order {
        // The next of the same shape does not fit where the one before did not.
        let mut from = 0;
        for _ in 0..problem.shapes[shape].count {
            let fits = |node: &Node| node.can_take(problem, shape);
            let at = nodes.iter().skip(from).position(fits).map(|at| at + from);
            from = at.unwrap_or(nodes.len());
            if at.is_none() {
                nodes.push(Node::default());
            }
            nodes[from].take(problem, shape);
        }
    }
    let mut open = problem.open();
    nodes
        .into_iter()
        .map(|node| {
            let machine = problem.cheapest(&node.counts, &open.left)?;
            let mut counts = node.counts;
            counts.sort_unstable();
            let content = Content { machine, counts };
            open.take(&content);
            Some(content)
        })
        .collect()
}

/// The largest share of the largest machine that one pod takes, in millionths.
fn size(problem: &Problem, shape: usize) -> u64 {
    let largest = |d: usize| problem.machines.iter().map(|machine| machine.room[d]).max();
    let share = |d: usize| {
        let need = u128::from(problem.shapes[shape].need[d]) * 1_000_000;
        u64::try_from(need / u128::from(largest(d).unwrap_or(1).max(1))).unwrap_or(u64::MAX)
    };
    (0..DIMS).map(share).max().unwrap_or(0)
}

/// A node that is not bought yet.
#[derive(Default)]
struct Node {
    counts: Vec<(usize, u64)>,
    used: Amounts,
}

impl Node {
    fn can_take(&self, problem: &Problem, shape: usize) -> bool {
        let need = &problem.shapes[shape].need;
        problem.machines.iter().any(|machine| {
            let takes = |shape: usize| machine.takes[shape];
            let mut each = self.used.iter().zip(need).zip(&machine.room);
            each.all(|((used, need), room)| used + need <= *room)
                && takes(shape)
                && self.counts.iter().all(|(held, _)| takes(*held))
        })
    }

    fn take(&mut self, problem: &Problem, shape: usize) {
        for (used, need) in self.used.iter_mut().zip(&problem.shapes[shape].need) {
            *used += need;
        }
        match self.counts.last_mut() {
            Some((last, count)) if *last == shape => *count += 1,
            _ => self.counts.push((shape, 1)),
        }
    }
}
