//! A shortlist of the labels that look best for each task, searched before all of them are.
//!
//! Passes over it cost a fraction of passes over everything, and what is found holds for
//! everything: its choices are choices. With a better best choice most other labels go. Nothing is
//! proven here.

use super::amount::Amount;
use super::branch::Node;
use super::search::Search;

/// Labels of a task on the list.
const LABELS: usize = 10;
/// A problem is worth a list if it has so many times the labels.
const WORTH: usize = 2;
/// The part of all work that one list may take.
const PART: u64 = 16;

impl<A: Amount> Search<'_, A> {
    /// Searches the shortlist of an open node for a better choice.
    pub(crate) fn search_shortlist(&mut self, node: &Node<A>) {
        let tasks = node.energy.unary.len();
        if node.energy.size() < WORTH * LABELS * tasks {
            return;
        }
        let best = self.best_here();
        let at: Vec<Vec<usize>> = (0..tasks)
            .map(|task| {
                let labels = &node.energy.labels[task];
                let chosen = best.as_ref().map(|best| best[task]);
                let chosen = chosen
                    .and_then(|chosen| labels.iter().position(|label| *label as usize == chosen));
                node.energy.least_labels(task, LABELS, chosen)
            })
            .collect();
        let keep: Vec<Vec<usize>> = node
            .energy
            .labels
            .iter()
            .zip(&at)
            .map(|(labels, at)| at.iter().map(|at| labels[*at] as usize).collect())
            .collect();
        let mut energy = node.energy.restricted(&at);
        energy.rename();
        let (prices, bound) = (node.prices.clone(), node.bound);
        let mut inner = Node { energy, prices, bound, balance: None, made: 0 };
        let mut part = self.part(&keep, self.work_max / PART);
        part.nodes = 1;
        let open = part.ascend(&mut inner);
        let found = if open { part.search(vec![inner]) } else { part.found(None, "") };
        self.work += found.work + 4 * (self.base.size() + 10 * tasks) as u64;
        if let Some((_, better)) = found.best {
            self.take(&better);
        }
    }
}
