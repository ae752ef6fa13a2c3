//! Verifies where pods went from nodes and pods alone. Shares no code with what placed them.

use super::{NodeRoom, Placed, PodAsk, Seat};

/// What is wrong with a placement.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlacementViolation {
    /// There are not as many answers as pods.
    #[error("{seats} answers for {pods} pods")]
    Count {
        /// How many answers.
        seats: usize,
        /// How many pods.
        pods: usize,
    },
    /// A pod is where it does not fit.
    #[error("pod {pod} is on node {node}, which has not enough {resource} left")]
    Room {
        /// Which pod.
        pod: usize,
        /// Which node.
        node: usize,
        /// What runs out.
        resource: &'static str,
    },
    /// A pod was refused that fitted.
    #[error("pod {pod} was refused, and it fitted on node {node}")]
    Refused {
        /// Which pod.
        pod: usize,
        /// The first node on which it fitted.
        node: usize,
    },
    /// A sum that is not what its parts come to.
    #[error("{stated} thousandths of accelerators are stated, and pods have {summed}")]
    Sum {
        /// What is stated.
        stated: u64,
        /// What is computed.
        summed: u64,
    },
}

/// What is left of a node.
struct Rest {
    cpu: u64,
    memory: u64,
    gpus: Vec<u64>,
    model: u8,
}

/// Everything that is wrong; nothing for a good placement.
pub fn check_placement(
    nodes: &[NodeRoom],
    pods: &[PodAsk],
    placed: &Placed,
) -> Vec<PlacementViolation> {
    let (seats, count) = (placed.seats.len(), pods.len());
    if seats != count {
        return vec![PlacementViolation::Count { seats, pods: count }];
    }
    let rest = |room: &NodeRoom| {
        let (cpu, memory, gpus, model) = room.parts();
        Rest { cpu, memory, gpus: vec![1_000; gpus as usize], model }
    };
    let mut rests: Vec<Rest> = nodes.iter().map(rest).collect();
    let (mut found, mut summed) = (Vec::new(), 0);
    for (at, (pod, seat)) in pods.iter().zip(&placed.seats).enumerate() {
        if let Some(seat) = seat {
            summed += u64::from(pod.gpus) * pod.gpu_milli;
            found.extend(taken(&mut rests, at, pod, seat));
        } else {
            let node = rests.iter().position(|rest| rest.holds(pod));
            found.extend(node.map(|node| PlacementViolation::Refused { pod: at, node }));
        }
    }
    if summed != placed.gpu_milli {
        found.push(PlacementViolation::Sum { stated: placed.gpu_milli, summed });
    }
    found
}

/// Takes from a node what a pod asks for; what there is too little of.
fn taken(rests: &mut [Rest], at: usize, pod: &PodAsk, seat: &Seat) -> Option<PlacementViolation> {
    let short = |resource| Some(PlacementViolation::Room { pod: at, node: seat.node, resource });
    let Some(rest) = rests.get_mut(seat.node) else { return short("nodes") };
    let (Some(cpu), Some(memory)) =
        (rest.cpu.checked_sub(pod.cpu_milli), rest.memory.checked_sub(pod.memory_mib))
    else {
        return short("cores or memory");
    };
    (rest.cpu, rest.memory) = (cpu, memory);
    if (pod.models >> rest.model) & 1 == 0 {
        return short("accelerators of its models");
    }
    let mut places = seat.gpus.clone();
    places.sort_unstable();
    places.dedup();
    if places.len() != pod.gpus as usize {
        return short("accelerators");
    }
    for place in places {
        let Some(left) = rest.gpus.get_mut(place).filter(|left| **left >= pod.gpu_milli) else {
            return short("of an accelerator");
        };
        *left -= pod.gpu_milli;
    }
    None
}

impl Rest {
    fn holds(&self, pod: &PodAsk) -> bool {
        let enough = self.gpus.iter().filter(|left| **left >= pod.gpu_milli);
        self.cpu >= pod.cpu_milli
            && self.memory >= pod.memory_mib
            && (pod.models >> self.model) & 1 == 1
            && (pod.gpus == 0 || enough.count() >= pod.gpus as usize)
    }
}
