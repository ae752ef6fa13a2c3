//! Our rule: a pod goes where least is lost of what pods like those that came could use.
//!
//! Three measures of a node are added, each of them zero where nothing is lost:
//!
//! - what a pod of each shape could not use of its accelerators, if one came (as in FGD);
//! - what of them cores and memory would not last for, if only that shape came: a node that has
//!   accelerators for eight and cores for three has lost five, long before none fits;
//! - what stays of the gap on each accelerator when many pods came that may be drawn ([`Gaps`]): a
//!   gap that only rare pods fill is lost already.
//!
//! Each is an expectation over the shapes that came so far: nothing of the future is known. What
//! differs by less than [`STEP`] is equal, and of equals the first node is taken: filling nodes in
//! order keeps the others whole, which is worth more than the last thousandths. Weights and step
//! were chosen on arrivals drawn anew from the published pods with other mixes, not on the
//! published orders.

use super::cluster::{Node, PodAsk, WHOLE};
use super::learned::{Group, grouped};
use super::rule::Rule;

/// Fixed point of thousandths of accelerators.
const GRAIN: u32 = 10;
/// The third measure, in halves of the mean of the first two.
const GAPS_HALVES: u64 = 5;
/// Losses that are equal: 60 thousandths of an accelerator.
const STEP: i64 = 60 << GRAIN;
/// Draws of a pod for each gap.
const DRAWS: u32 = 16;

/// What was learned.
pub(super) struct Fill {
    counts: Vec<u64>,
    seen: u64,
    next: u64,
    groups: Vec<Group>,
    /// Pods with accelerators among those learned from.
    all: u64,
    gaps: Gaps,
}

impl Fill {
    /// Knows nothing yet.
    pub(super) fn new() -> Self {
        let gaps = Gaps::of(&[], 0);
        Self { counts: Vec::new(), seen: 0, next: 1, groups: Vec::new(), all: 0, gaps }
    }
}

impl Rule for Fill {
    fn learn(&mut self, pods: &[PodAsk], shape: usize) -> bool {
        self.counts.resize(pods.len(), 0);
        self.counts[shape] += 1;
        self.seen += 1;
        if self.seen < self.next {
            return false;
        }
        // Anew after half as many more: the more came, the less the next ones change.
        self.next = self.seen + (self.seen / 2).max(1);
        self.groups = grouped(pods.iter().zip(self.counts.iter().copied()));
        self.all = self.groups.iter().map(|group| group.count).sum();
        self.gaps = Gaps::of(&self.groups, self.all);
        true
    }

    fn loss(&self, node: &Node) -> i64 {
        let all = node.gpu_milli();
        if all == 0 || self.all == 0 {
            return 0;
        }
        let lost: u64 = self.groups.iter().map(|group| lost(group, node, all)).sum();
        // Both measures were summed over all pods: halved and divided, they are one's mean.
        let lasting = (u128::from(lost) << GRAIN) / u128::from(2 * self.all);
        let gaps: u64 = node.left.iter().map(|left| self.gaps.stays[gap(*left)]).sum();
        i64::try_from(lasting + u128::from(gaps * GAPS_HALVES / 2)).unwrap_or(i64::MAX)
    }

    fn rank(&self, before: i64, after: &Node) -> i64 {
        (self.loss(after) - before).div_euclid(STEP)
    }
}

fn gap(left: u64) -> usize {
    usize::try_from(left.min(WHOLE)).unwrap_or(0)
}

/// Thousandths that pods of a group could not use, by the first two measures, over all of them.
fn lost(group: &Group, node: &Node, all: u64) -> u64 {
    let left = group.left(node);
    if !left.fits {
        return 2 * all * group.count;
    }
    let one = u64::from(group.gpus) * group.gpu_milli;
    let mut lost = 0;
    for (cpu_milli, memory_mib, count) in &group.each {
        let fits = node.cpu_milli >= *cpu_milli && node.memory_mib >= *memory_mib;
        let lasts = if fits {
            let cores = lasting((node.cpu_milli, *cpu_milli), one, left.usable);
            lasting((node.memory_mib, *memory_mib), one, cores) + left.usable
        } else {
            0
        };
        lost += count * (2 * all - lasts);
    }
    lost
}

/// For how many thousandths of accelerators a resource lasts, `most` at most, where each `one`
/// takes so much of it with it.
const fn lasting((there, each): (u64, u64), one: u64, most: u64) -> u64 {
    // No division where it lasts for all.
    if there * one >= most * each { most } else { there * one / each }
}

/// Of each gap on one accelerator, what is expected to stay of it after some draws of a pod from
/// those that came: one that fits goes in, whatever else could be done with it.
struct Gaps {
    /// By thousandths, in fixed point.
    stays: Vec<u64>,
}

impl Gaps {
    fn of(groups: &[Group], all: u64) -> Self {
        // Pods that ask as much of one accelerator are one.
        let mut parts = vec![0_u64; gap(WHOLE) + 1];
        for group in groups {
            parts[gap(group.gpu_milli)] += group.count;
        }
        let parts: Vec<(usize, u64)> =
            parts.into_iter().enumerate().filter(|(_, count)| *count > 0).collect();
        let mut stays: Vec<u64> = (0..=WHOLE).map(|left| left << GRAIN).collect();
        for _ in 0..DRAWS {
            let after = |left: usize| {
                let fitting = parts.iter().take_while(|(part, _)| *part <= left);
                let (mut sum, mut came) = (0, 0);
                for (part, count) in fitting {
                    sum += count * stays[left - part];
                    came += count;
                }
                (sum + (all - came) * stays[left]) / all.max(1)
            };
            stays = (0..stays.len()).map(after).collect();
        }
        Self { stays }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pods(parts: &[(u64, u64)]) -> Vec<(PodAsk, u64)> {
        let pod = |(milli, count): &(u64, u64)| (PodAsk::new(1, 1, 1, *milli).unwrap(), *count);
        parts.iter().map(pod).collect()
    }

    #[test]
    fn a_gap_is_lost_as_far_as_nothing_fills_it() {
        let pods = pods(&[(300, 1), (500, 1)]);
        let groups = grouped(pods.iter().map(|(pod, count)| (pod, *count)));
        let gaps = Gaps::of(&groups, 2);
        assert_eq!(gaps.stays[299], 299 << GRAIN);
        // Sixteen draws: only once in 65,536 none of them is the one that fits.
        assert_eq!(gaps.stays[350] >> GRAIN, 50);
        // 300 and 300, 300 and 500, 500 and 300, or 500 and 500: what stays of 1,000 is 100, 200,
        // 200 or nothing; the first may also be 300, 300 and 300.
        let mean = gaps.stays[1_000] >> GRAIN;
        assert!((120..130).contains(&mean), "{mean}");
    }

    #[test]
    fn cores_that_last_for_fewer_accelerators_are_a_loss_before_none_fits() {
        let pod = PodAsk::new(4_000, 0, 1, 1_000).unwrap();
        let groups = grouped([(&pod, 1)].into_iter());
        let node = |cpu_milli| Node { cpu_milli, memory_mib: 0, left: vec![1_000; 4], model: 0 };
        assert_eq!(lost(&groups[0], &node(16_000), 4_000), 0);
        assert_eq!(lost(&groups[0], &node(8_000), 4_000), 2_000);
        assert_eq!(lost(&groups[0], &node(3_999), 4_000), 8_000);
    }
}
