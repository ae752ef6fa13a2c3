//! Which node and which accelerators a pod gets that arrives now, where accelerators are shared in
//! thousandths and nothing is moved later.
//!
//! [`place`] is the whole story: for each pod all nodes are ranked by a rule (`rule`), and the
//! lowest rank gets it (`search`). The rules are what ours adds up (`fill`), Fragmentation Gradient
//! Descent as published (`fgd`) and best fit (`best_fit`). A pod is refused only where it fits
//! nowhere. [`check_placement`] verifies what came out and shares no code with what made it.
//!
//! Nothing here knows names, prices or time; a rule sees pods in the order in which they come. Only
//! FGD is told the shapes of all pods beforehand, as its authors do; ours learns from those that
//! have come.

mod best_fit;
mod check;
mod cluster;
mod fgd;
mod fill;
mod learned;
mod rule;
mod search;
#[cfg(test)]
mod tests;

pub use check::{PlacementViolation, check_placement};
pub use cluster::{NodeRoom, PodAsk, RoomError};

use best_fit::BestFit;
use cluster::Cluster;
use fgd::Gradient;
use fill::Fill;
use learned::Shapes;
use search::run;

/// A rule by which nodes are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PlacePolicy {
    /// Ours: what shapes of pods that came can use of a node, and what gaps of one accelerator
    /// will be filled with.
    Farthing,
    /// Fragmentation Gradient Descent (Weng et al., "Beware of Fragmentation: Scheduling
    /// GPU-Sharing Workloads with Fragmentation Gradient Descent", USENIX ATC 2023), with the
    /// steps of scores and the typical pods of its authors' simulator.
    Fgd,
    /// The node with the least left of cores and accelerators, as in the same simulator.
    BestFit,
}

impl PlacePolicy {
    /// All of them, ours first.
    pub const ALL: [Self; 3] = [Self::Farthing, Self::Fgd, Self::BestFit];

    /// As it is written on a command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Farthing => "farthing",
            Self::Fgd => "fgd",
            Self::BestFit => "best-fit",
        }
    }
}

/// Where a pod went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seat {
    /// The node, by its place.
    pub node: usize,
    /// Its accelerators, by their places; each gives what the pod asks of one.
    pub gpus: Vec<usize>,
}

/// Where all pods went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Of each pod, in order of arrival; `None` = it fitted nowhere and was refused.
    pub seats: Vec<Option<Seat>>,
    /// Thousandths of accelerators that pods have.
    pub gpu_milli: u64,
    /// Thousandths of accelerators that there are.
    pub capacity_milli: u64,
}

impl Placed {
    /// How many pods fitted nowhere.
    pub fn refused(&self) -> usize {
        self.seats.iter().filter(|seat| seat.is_none()).count()
    }
}

/// Places pods one after the other on nodes that are empty at first; none leaves.
pub fn place(nodes: &[NodeRoom], pods: &[PodAsk], policy: PlacePolicy) -> Placed {
    let mut cluster = Cluster::of(nodes);
    let shapes = Shapes::of(pods);
    let seats = match policy {
        PlacePolicy::Farthing => run(&mut cluster, &shapes, &mut Fill::new()),
        PlacePolicy::Fgd => run(&mut cluster, &shapes, &mut Gradient::of(&shapes)),
        PlacePolicy::BestFit => run(&mut cluster, &shapes, &mut BestFit),
    };
    let placed = seats.iter().zip(pods).filter(|(seat, _)| seat.is_some());
    let gpu_milli = placed.map(|(_, pod)| pod.all_gpu_milli()).sum();
    let capacity_milli = nodes.iter().map(NodeRoom::gpu_milli).sum();
    Placed { seats, gpu_milli, capacity_milli }
}
