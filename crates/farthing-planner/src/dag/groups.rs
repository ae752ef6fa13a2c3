//! Labels of one task that no pair of tasks tells apart.

use super::amount::Amount;

/// The groups of a task's labels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Groups {
    /// The group of each label.
    pub(crate) of: Vec<u32>,
    /// How many there are.
    pub(crate) count: usize,
}

impl Groups {
    /// Every label on its own.
    #[cfg(test)]
    pub(crate) fn apart(labels: usize) -> Self {
        Self { of: (0..u32::try_from(labels).unwrap_or(u32::MAX)).collect(), count: labels }
    }

    /// The group of a label.
    pub(crate) fn at(&self, label: usize) -> usize {
        self.of[label] as usize
    }

    /// The least of the labels of each group.
    pub(super) fn least<A: Amount>(&self, costs: &[A]) -> Vec<A> {
        let mut least = vec![A::HUGE; self.count];
        for (group, cost) in self.of.iter().zip(costs) {
            let least = &mut least[*group as usize];
            *least = (*least).min(*cost);
        }
        least
    }

    /// The groups of the labels at these positions, without empty ones; and which were kept.
    pub(crate) fn restricted(&self, keep: &[usize]) -> (Self, Vec<usize>) {
        let mut new = vec![None; self.count];
        for label in keep {
            new[self.at(*label)] = Some(0_u32);
        }
        let mut kept = Vec::new();
        for (group, new) in new.iter_mut().enumerate() {
            if new.is_some() {
                *new = u32::try_from(kept.len()).ok();
                kept.push(group);
            }
        }
        let of = keep.iter().map(|label| new[self.at(*label)].unwrap_or_default()).collect();
        (Self { of, count: kept.len() }, kept)
    }
}
