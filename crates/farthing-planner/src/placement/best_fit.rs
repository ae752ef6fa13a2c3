//! Best fit: the node of which the least is left, cores and accelerators by the largest that there
//! are, in hundredths.

use super::cluster::{Node, PodAsk};
use super::rule::Rule;

/// The most cores of a node, in thousandths, in the published simulator.
const CPU_MILLI: u64 = 128_000;
/// The most accelerators of one, in thousandths.
const GPU_MILLI: u64 = 8_000;

/// Knows nothing but what is left.
pub(super) struct BestFit;

impl Rule for BestFit {
    fn learn(&mut self, _: &[PodAsk], _: usize) -> bool {
        false
    }

    fn loss(&self, _: &Node) -> i64 {
        0
    }

    fn rank(&self, _: i64, after: &Node) -> i64 {
        // Hundredths of (cores / most + accelerators / most) / 2, rounded up as its score is
        // rounded down.
        let parts = after.cpu_milli * GPU_MILLI + after.gpu_milli() * CPU_MILLI;
        i64::try_from((parts * 50).div_ceil(CPU_MILLI * GPU_MILLI)).unwrap_or(i64::MAX)
    }
}
