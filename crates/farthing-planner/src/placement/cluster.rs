//! Nodes with what is left of them, and what a pod asks of one.

use super::Seat;

/// Thousandths of one accelerator.
pub(super) const WHOLE: u64 = 1_000;
/// Accelerators of a node, at most.
const GPUS_MAX: u32 = 1_024;
/// Cores in thousandths and memory in MiB, at most: products with accelerators fit 64 bits.
const AMOUNT_MAX: u64 = 1 << 40;
/// Models of accelerators, at most: a set of them is 128 bits.
const MODELS_MAX: u8 = 128;

/// A node as it is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeRoom {
    cpu_milli: u64,
    memory_mib: u64,
    gpus: u32,
    model: u8,
}

/// What a pod asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PodAsk {
    pub(super) cpu_milli: u64,
    pub(super) memory_mib: u64,
    /// How many accelerators.
    pub(super) gpus: u32,
    /// Thousandths of each of them.
    pub(super) gpu_milli: u64,
    /// A bit for each model that will do; all of them where the pod does not say.
    pub(super) models: u128,
}

/// An amount that no node has and no pod may ask for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RoomError {
    /// Too much of a resource.
    #[error("{what} is {amount}, and at most {most} can be")]
    TooMuch {
        /// Which resource.
        what: &'static str,
        /// How much.
        amount: u64,
        /// How much can be.
        most: u64,
    },
    /// A part of an accelerator that is none.
    #[error("{gpu_milli} thousandths of each of {gpus} accelerators: {right}")]
    Part {
        /// How many accelerators.
        gpus: u32,
        /// Thousandths of each.
        gpu_milli: u64,
        /// What would be right.
        right: &'static str,
    },
}

impl NodeRoom {
    /// A node with cores in thousandths, memory in MiB and accelerators of a model, which the
    /// caller numbers.
    ///
    /// # Errors
    /// More than 2^40 of cores or memory, 1,024 accelerators, or 128 models.
    pub fn new(cpu_milli: u64, memory_mib: u64, gpus: u32, model: u8) -> Result<Self, RoomError> {
        limits(cpu_milli, memory_mib, gpus)?;
        most("models", u64::from(model), u64::from(MODELS_MAX - 1))?;
        Ok(Self { cpu_milli, memory_mib, gpus, model })
    }

    /// Thousandths of accelerators that it has.
    pub fn gpu_milli(&self) -> u64 {
        u64::from(self.gpus) * WHOLE
    }

    pub(super) const fn parts(&self) -> (u64, u64, u32, u8) {
        (self.cpu_milli, self.memory_mib, self.gpus, self.model)
    }
}

impl PodAsk {
    /// A pod that asks for cores in thousandths, memory in MiB, and thousandths of each of some
    /// accelerators, of any model.
    ///
    /// # Errors
    /// More than 2^40 of cores or memory, 1,024 accelerators, more than a whole one of each, or
    /// none of some.
    pub fn new(
        cpu_milli: u64,
        memory_mib: u64,
        gpus: u32,
        gpu_milli: u64,
    ) -> Result<Self, RoomError> {
        limits(cpu_milli, memory_mib, gpus)?;
        let wrong = |right| Err(RoomError::Part { gpus, gpu_milli, right });
        match (gpus, gpu_milli) {
            (0, 1..) => return wrong("no accelerators have no parts"),
            (1.., 0) => return wrong("at least one thousandth of each"),
            (_, 1_001..) => return wrong("at most 1000, which is a whole one"),
            _ => {}
        }
        Ok(Self { cpu_milli, memory_mib, gpus, gpu_milli, models: u128::MAX })
    }

    /// The same, where only some models will do: a bit for each by its number.
    #[must_use]
    pub const fn only_on(self, models: u128) -> Self {
        Self { models, ..self }
    }

    /// Thousandths of accelerators that it asks for in all.
    pub fn all_gpu_milli(&self) -> u64 {
        u64::from(self.gpus) * self.gpu_milli
    }

    /// Whether it takes a part of one accelerator, which others may share.
    pub(super) const fn is_shared(&self) -> bool {
        self.gpus == 1 && self.gpu_milli < WHOLE
    }
}

fn limits(cpu_milli: u64, memory_mib: u64, gpus: u32) -> Result<(), RoomError> {
    most("cores in thousandths", cpu_milli, AMOUNT_MAX)?;
    most("memory in MiB", memory_mib, AMOUNT_MAX)?;
    most("accelerators", u64::from(gpus), u64::from(GPUS_MAX))
}

const fn most(what: &'static str, amount: u64, most: u64) -> Result<(), RoomError> {
    if amount > most { Err(RoomError::TooMuch { what, amount, most }) } else { Ok(()) }
}

/// A node with what is left of it.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) cpu_milli: u64,
    pub(super) memory_mib: u64,
    /// Thousandths that are left of each accelerator.
    pub(super) left: Vec<u64>,
    pub(super) model: u8,
}

impl Node {
    pub(super) fn gpu_milli(&self) -> u64 {
        self.left.iter().sum()
    }

    pub(super) const fn is_model_of(&self, models: u128) -> bool {
        models >> self.model & 1 == 1
    }

    /// Whether a pod fits.
    pub(super) fn fits(&self, pod: &PodAsk) -> bool {
        if self.cpu_milli < pod.cpu_milli || self.memory_mib < pod.memory_mib {
            return false;
        }
        if pod.gpus == 0 {
            return pod.models == u128::MAX || self.is_model_of(pod.models);
        }
        let with = self.left.iter().filter(|left| **left >= pod.gpu_milli).count();
        self.is_model_of(pod.models) && with >= pod.gpus as usize
    }

    /// The accelerators that a pod of several, or of whole ones, gets: those of which the least is
    /// left that is enough, the first of equals.
    pub(super) fn fullest(&self, pod: &PodAsk) -> Vec<usize> {
        let all = self.left.iter().enumerate().filter(|(_, left)| **left >= pod.gpu_milli);
        let mut all: Vec<(u64, usize)> = all.map(|(at, left)| (*left, at)).collect();
        all.sort_unstable();
        all.into_iter().take(pod.gpus as usize).map(|(_, at)| at).collect()
    }

    pub(super) fn take(&mut self, pod: &PodAsk, gpus: &[usize]) {
        self.cpu_milli -= pod.cpu_milli;
        self.memory_mib -= pod.memory_mib;
        for gpu in gpus {
            self.left[*gpu] -= pod.gpu_milli;
        }
    }

    pub(super) fn give_back(&mut self, pod: &PodAsk, gpus: &[usize]) {
        self.cpu_milli += pod.cpu_milli;
        self.memory_mib += pod.memory_mib;
        for gpu in gpus {
            self.left[*gpu] += pod.gpu_milli;
        }
    }
}

/// All nodes, as they fill.
#[derive(Clone, Debug)]
pub(super) struct Cluster {
    pub(super) nodes: Vec<Node>,
}

impl Cluster {
    pub(super) fn of(nodes: &[NodeRoom]) -> Self {
        let node = |room: &NodeRoom| Node {
            cpu_milli: room.cpu_milli,
            memory_mib: room.memory_mib,
            left: vec![WHOLE; room.gpus as usize],
            model: room.model,
        };
        Self { nodes: nodes.iter().map(node).collect() }
    }

    pub(super) fn take(&mut self, pod: &PodAsk, seat: &Seat) {
        self.nodes[seat.node].take(pod, &seat.gpus);
    }
}
