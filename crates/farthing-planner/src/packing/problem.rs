//! What is packed, in plain numbers: shapes of pods, kinds of machines, and what one may hold.

/// Resources that run out on a machine: thousandths of cores, bytes of memory, thousandths of
/// accelerators, bytes of storage, and pods.
pub(super) const DIMS: usize = 5;
/// The place of accelerators among them.
pub(super) const GPUS: usize = 2;
/// The place of pods among them: each pod is one.
pub(super) const PODS: usize = 4;
/// An amount of each resource.
pub(super) type Amounts = [u64; DIMS];

/// Pods that do not differ in anything that packing looks at.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    pub(super) need: Amounts,
    pub(super) count: u64,
}

/// A kind of machine.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    /// What pods may use of it.
    pub(super) room: Amounts,
    /// Of a common grain, rounded down, below [`PRICE_MAX`].
    pub(super) price: u64,
    /// How many there are; `None` = as many as are wanted.
    pub(super) limit: Option<u64>,
    /// Which shapes may be on it, by their place.
    pub(super) takes: Vec<bool>,
}

/// Prices are below this, so that what thousands of pods are worth fits 64 bits.
pub(super) const PRICE_MAX: u64 = 1 << 36;

/// A machine with what it holds: shapes, each once and in order, and how many of each.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Content {
    pub(super) machine: usize,
    pub(super) counts: Vec<(usize, u64)>,
}

/// Shapes to be held, and machines to hold them.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    pub(super) shapes: Vec<Shape>,
    pub(super) machines: Vec<Machine>,
}

/// What is still to be held, and how many machines of each kind may still be taken.
#[derive(Clone, Debug)]
pub(super) struct Open {
    pub(super) demand: Vec<u64>,
    pub(super) left: Vec<Option<u64>>,
}

impl Open {
    /// Whether everything is held.
    pub(super) fn is_done(&self) -> bool {
        self.demand.iter().all(|count| *count == 0)
    }

    /// What is still to be held, as the content of one machine.
    pub(super) fn rest(&self) -> Vec<(usize, u64)> {
        let open = self.demand.iter().enumerate().filter(|(_, count)| **count > 0);
        open.map(|(shape, count)| (shape, *count)).collect()
    }

    /// Takes a machine with its content.
    pub(super) fn take(&mut self, content: &Content) {
        for (shape, count) in &content.counts {
            self.demand[*shape] -= count;
        }
        if let Some(left) = &mut self.left[content.machine] {
            *left -= 1;
        }
    }

    /// Gives a machine back, and what it holds is open again.
    pub(super) fn give_back(&mut self, content: &Content) {
        for (shape, count) in &content.counts {
            self.demand[*shape] += count;
        }
        if let Some(left) = &mut self.left[content.machine] {
            *left += 1;
        }
    }
}

/// How often `need` fits into `room`.
pub(super) fn times(room: &Amounts, need: &Amounts) -> u64 {
    let each = room.iter().zip(need).filter(|(_, need)| **need > 0);
    each.map(|(room, need)| room / need).min().unwrap_or(u64::MAX)
}

/// What is left of `room` without `count` times `need`; `None` where that does not fit.
pub(super) fn without(room: &Amounts, need: &Amounts, count: u64) -> Option<Amounts> {
    let mut rest = *room;
    for (rest, need) in rest.iter_mut().zip(need) {
        *rest = rest.checked_sub(need.checked_mul(count)?)?;
    }
    Some(rest)
}

impl Problem {
    /// Everything open.
    pub(super) fn open(&self) -> Open {
        Open {
            demand: self.shapes.iter().map(|shape| shape.count).collect(),
            left: self.machines.iter().map(|machine| machine.limit).collect(),
        }
    }

    /// How many pods of a shape a machine holds.
    pub(super) fn most(&self, machine: usize, shape: usize) -> u64 {
        let machine = &self.machines[machine];
        if machine.takes[shape] { times(&machine.room, &self.shapes[shape].need) } else { 0 }
    }

    /// Whether a machine can hold all of it.
    pub(super) fn holds(&self, machine: usize, counts: &[(usize, u64)]) -> bool {
        let machine = &self.machines[machine];
        let mut room = Some(machine.room);
        for (shape, count) in counts {
            let here = room.filter(|_| machine.takes[*shape]);
            room = here.and_then(|room| without(&room, &self.shapes[*shape].need, *count));
        }
        room.is_some()
    }

    /// The cheapest machine that may still be taken and holds all of it.
    pub(super) fn cheapest(&self, counts: &[(usize, u64)], left: &[Option<u64>]) -> Option<usize> {
        let there = (0..self.machines.len()).filter(|at| left[*at] != Some(0));
        there.filter(|at| self.holds(*at, counts)).min_by_key(|at| (self.machines[*at].price, *at))
    }

    /// What machines cost together.
    pub(super) fn cost(&self, contents: &[Content]) -> u128 {
        contents.iter().map(|content| u128::from(self.machines[content.machine].price)).sum()
    }
}
