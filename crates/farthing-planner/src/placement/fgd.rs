//! Fragmentation Gradient Descent, as its authors' simulator has it.
//!
//! What of a node's accelerators a pod that is drawn from the typical ones could not use is the
//! node's fragmentation; a pod goes where it grows least. Memory is not looked at, and pods without
//! accelerators can use none, so that they count as if all were fragmented. Scores are hundredths
//! of a logistic curve over thousandths of an accelerator, rounded down; here the steps of that
//! curve are a table, so that all is whole numbers.

use super::cluster::{Node, PodAsk};
use super::learned::{Group, Shapes, grouped};
use super::rule::Rule;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Pods are typical up to this part of all, the most frequent first, in hundredths.
const TYPICAL_PERCENT: u64 = 95;
/// Units of [`STEPS`] in a thousandth of an accelerator.
const UNIT: i128 = 1_000_000;
/// Where the score of `50 + k` begins, for k from 1: `ln((50 + k) / (50 - k))` accelerators, in
/// 10^-9 of one. Below 50 the curve is the same the other way round.
const STEPS: [i64; 49] = [
    40_005_335,
    80_042_708,
    120_144_312,
    160_342_650,
    200_670_695,
    241_162_057,
    281_851_152,
    322_773_392,
    363_965_377,
    405_465_108,
    447_312_218,
    489_548_225,
    532_216_814,
    575_364_145,
    619_039_208,
    663_294_217,
    708_185_058,
    753_771_802,
    800_119_300,
    847_297_860,
    895_384_047,
    944_461_609,
    994_622_575,
    1_045_968_555,
    1_098_612_289,
    1_152_679_510,
    1_208_311_206,
    1_265_666_373,
    1_324_925_415,
    1_386_294_361,
    1_450_010_176,
    1_516_347_489,
    1_585_627_264,
    1_658_228_077,
    1_734_601_055,
    1_815_289_967,
    1_900_958_761,
    1_992_430_165,
    2_090_741_097,
    2_197_224_577,
    2_313_634_929,
    2_442_347_035,
    2_586_689_344,
    2_751_535_313,
    2_944_438_979,
    3_178_053_830,
    3_476_098_690,
    3_891_820_298,
    4_595_119_850,
];

/// The rule.
pub(super) struct Gradient {
    groups: Vec<Group>,
    /// Typical pods without accelerators.
    without: u64,
    /// All typical pods.
    all: u64,
}

impl Gradient {
    /// Knows how often each shape will come, as its authors' simulator does.
    pub(super) fn of(shapes: &Shapes) -> Self {
        // Pods that differ in memory only are the same to it.
        let mut counts: BTreeMap<(u64, u64, u32, u128), u64> = BTreeMap::new();
        for (pod, count) in shapes.pods.iter().zip(shapes.counts()) {
            let key = (pod.cpu_milli, pod.gpu_milli, pod.gpus, pod.models);
            *counts.entry(key).or_default() += count;
        }
        let total: u64 = counts.values().sum();
        let mut order: Vec<_> = counts.into_iter().map(|(key, count)| (count, key)).collect();
        order.sort_unstable_by_key(|one| Reverse(*one));
        let (mut typical, mut all, mut without) = (Vec::new(), 0, 0);
        for (count, (cpu_milli, gpu_milli, gpus, models)) in order {
            if all * 100 >= total * TYPICAL_PERCENT {
                break;
            }
            all += count;
            without += if gpus == 0 { count } else { 0 };
            typical.push((PodAsk { cpu_milli, memory_mib: 0, gpus, gpu_milli, models }, count));
        }
        let groups = grouped(typical.iter().map(|(pod, count)| (pod, *count)));
        Self { groups, without, all: all.max(1) }
    }
}

impl Rule for Gradient {
    fn learn(&mut self, _: &[PodAsk], _: usize) -> bool {
        false
    }

    /// Fragmented thousandths, summed over all typical pods.
    fn loss(&self, node: &Node) -> i64 {
        let all = node.gpu_milli();
        let mut lost = all * self.without;
        for group in &self.groups {
            let left = group.left(node);
            for (cpu_milli, _, count) in &group.each {
                let usable = if node.cpu_milli >= *cpu_milli { left.usable } else { 0 };
                lost += count * (all - usable);
            }
        }
        i64::try_from(lost).unwrap_or(i64::MAX)
    }

    fn rank(&self, before: i64, after: &Node) -> i64 {
        let growth = i128::from(self.loss(after)) - i128::from(before);
        -score(-growth, self.all)
    }
}

/// The score of what fragmentation shrinks by, in thousandths summed over `all` typical pods.
fn score(shrinks: i128, all: u64) -> i64 {
    let size = |step: i64| i128::from(step) * i128::from(all);
    let reached = |by: i128| STEPS.partition_point(|step| size(*step) <= by * UNIT);
    let below = |by: i128| STEPS.partition_point(|step| size(*step) < by * UNIT);
    if shrinks >= 0 {
        50 + i64::try_from(reached(shrinks)).unwrap_or(49)
    } else {
        // Rounded down, so that anything below nothing is at most 49.
        49 - i64::try_from(below(-shrinks)).unwrap_or(49)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_those_of_the_curve() {
        // 100 / (1 + exp(-x)) for -8, -1, -0.1, 0, 0.1, 1, 8 accelerators.
        let scores = [(-8_000, 0), (-1_000, 26), (-100, 47), (0, 50), (100, 52), (1_000, 73)];
        for (shrinks, expect) in scores {
            assert_eq!(score(shrinks, 1), expect, "{shrinks}");
            assert_eq!(score(shrinks * 7, 7), expect, "{shrinks}");
        }
        assert_eq!(score(8_000, 1), 99);
        assert_eq!(score(-1, 1), 49);
    }
}
