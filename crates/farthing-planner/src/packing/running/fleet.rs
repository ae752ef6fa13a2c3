//! Nodes with what is on them, as a search changes them.

use super::super::input::{self, Stated};
use super::super::problem::{Amounts, Content, Open, Problem, times, without};
use super::super::whole::construct;
use super::RunningInput;
use farthing_model::WorkloadId;
use std::collections::BTreeMap;

/// A node that stands or is bought.
#[derive(Clone, Debug)]
pub(super) struct Stand {
    /// What pods may still use.
    pub(super) free: Amounts,
    pub(super) price: u64,
    takes: Vec<bool>,
    /// Members of each shape that were on it at first.
    pub(super) first: BTreeMap<usize, u64>,
    /// Members of each shape that came.
    pub(super) guests: BTreeMap<usize, u64>,
    /// Someone on it fits nowhere else, or is not known: it stays.
    pub(super) pinned: bool,
    pub(super) gone: bool,
    /// The machine that it was bought as; `None` = it stood.
    pub(super) bought: Option<usize>,
}

impl Stand {
    /// Members that would have to move.
    pub(super) fn moves(&self) -> u64 {
        self.first.values().sum()
    }

    /// All that is on it.
    pub(super) fn held(&self) -> BTreeMap<usize, u64> {
        let mut held = self.first.clone();
        for (shape, count) in &self.guests {
            *held.entry(*shape).or_default() += count;
        }
        held
    }
}

/// Where members would go.
pub(super) struct Places {
    /// Node, shape, how many.
    pub(super) found: Vec<(usize, usize, u64)>,
    /// Those for whom there is no room.
    pub(super) left: BTreeMap<usize, u64>,
}

/// All nodes.
#[derive(Clone, Debug)]
pub(super) struct Fleet<'p> {
    pub(super) problem: &'p Problem,
    /// Those that stood, in the order of the input, then those that were bought.
    pub(super) stands: Vec<Stand>,
    /// What pods of each shape are worth.
    pub(super) worths: Vec<u64>,
    /// What moving one costs, in the units of prices.
    pub(super) move_units: u64,
    /// Members that run nowhere yet.
    pub(super) waiting: BTreeMap<usize, u64>,
    /// How many of each machine may still be bought.
    left: Vec<Option<u64>>,
    /// Shapes, those that are hardest to place first.
    order: Vec<usize>,
}

impl<'p> Fleet<'p> {
    pub(super) fn of(
        input: &RunningInput<'_>,
        stated: &'p Stated<'_>,
        worths: Vec<u64>,
        move_units: u64,
    ) -> Self {
        let problem = &stated.problem;
        let mut shapes: BTreeMap<&WorkloadId, usize> = BTreeMap::new();
        for (shape, members) in stated.members.iter().enumerate() {
            shapes.extend(members.iter().map(|(workload, _)| (&workload.id, shape)));
        }
        let mut waiting: BTreeMap<usize, u64> =
            problem.shapes.iter().map(|shape| shape.count).enumerate().collect();
        let mut stands = Vec::with_capacity(input.nodes.len());
        for node in input.nodes {
            let mut stand = Stand {
                free: input::room_of(&input.pack, &node.capacity),
                price: price(node.price.per_hour().pico(), stated.grain),
                takes: stated.takes(&node.residency),
                first: BTreeMap::new(),
                guests: BTreeMap::new(),
                pinned: false,
                gone: false,
                bought: None,
            };
            for (id, count) in &node.holds {
                match shapes.get(id) {
                    Some(shape) => {
                        let open = waiting.entry(*shape).or_default();
                        *open = open.saturating_sub(*count);
                        *stand.first.entry(*shape).or_default() += count;
                    }
                    None => stand.pinned = true,
                }
                let known = input.pack.workloads.iter().find(|it| it.id == *id);
                let need = known.map_or([0; 5], |it| stated.need(&it.resources));
                // More than there is on a node that is over already: nothing is left.
                stand.free = without(&stand.free, &need, *count).unwrap_or([0; 5]);
            }
            stands.push(stand);
        }
        waiting.retain(|_, count| *count > 0);
        // Machines that stand for nodes or for waiting are not bought.
        let left = stated.offers.iter().zip(&problem.machines);
        let left = left.map(|(offer, it)| if offer.is_some() { it.limit } else { Some(0) });
        let left = left.collect();
        let mut order: Vec<usize> = (0..problem.shapes.len()).collect();
        order.sort_by_key(|shape| std::cmp::Reverse((largest_part(problem, *shape), *shape)));
        Self { problem, stands, worths, move_units, waiting, left, order }
    }

    /// What all nodes cost in an hour.
    pub(super) fn cost_of_nodes(&self) -> u128 {
        let kept = self.stands.iter().filter(|stand| !stand.gone);
        kept.map(|stand| u128::from(stand.price)).sum()
    }

    /// Members of nodes that are given back.
    pub(super) fn moved(&self) -> u64 {
        self.stands.iter().filter(|stand| stand.gone).map(Stand::moves).sum()
    }

    /// Where members would go on nodes that stay, in the order of these; what is left.
    pub(super) fn places(&self, all: &BTreeMap<usize, u64>, nodes: &[usize]) -> Places {
        let (mut found, mut left) = (Vec::new(), BTreeMap::new());
        let mut free: BTreeMap<usize, Amounts> = BTreeMap::new();
        for shape in self.order.iter().filter(|shape| all.contains_key(shape)) {
            let need = &self.problem.shapes[*shape].need;
            let mut open = all[shape];
            for at in nodes {
                if open == 0 {
                    break;
                }
                let stand = &self.stands[*at];
                if stand.gone || !stand.takes[*shape] {
                    continue;
                }
                let room = free.get(at).unwrap_or(&stand.free);
                let here = times(room, need).min(open);
                if here > 0
                    && let Some(rest) = without(room, need, here)
                {
                    free.insert(*at, rest);
                    found.push((*at, *shape, here));
                    open -= here;
                }
            }
            if open > 0 {
                left.insert(*shape, open);
            }
        }
        Places { found, left }
    }

    /// Puts members where they would go.
    pub(super) fn put(&mut self, places: &Places) {
        for (at, shape, count) in &places.found {
            let (stand, need) = (&mut self.stands[*at], &self.problem.shapes[*shape].need);
            stand.free = without(&stand.free, need, *count).unwrap_or([0; 5]);
            *stand.guests.entry(*shape).or_default() += count;
        }
    }

    /// What may still be bought for members.
    pub(super) fn open(&self, members: &BTreeMap<usize, u64>) -> Open {
        let mut demand = vec![0; self.problem.shapes.len()];
        for (shape, count) in members {
            demand[*shape] = *count;
        }
        Open { demand, left: self.left.clone() }
    }

    /// What to buy for those who found no place; `None` where that costs no less than `below`.
    pub(super) fn bought(&self, left: &BTreeMap<usize, u64>, below: u128) -> Option<Vec<Content>> {
        let worth = |(shape, n): (&usize, &u64)| u128::from(self.worths[*shape]) * u128::from(*n);
        // It costs at least what they are worth: no machine's content is worth more than it.
        if left.iter().map(worth).sum::<u128>() >= below {
            return None;
        }
        if left.is_empty() {
            return Some(Vec::new());
        }
        construct(self.problem, &mut self.open(left), &self.worths, below, &mut 0)
    }

    /// Gives nodes back, with everybody of them in these places and on what is bought.
    pub(super) fn replace(
        &mut self,
        gone: impl IntoIterator<Item = usize>,
        places: &Places,
        bought: &[Content],
    ) {
        for at in gone {
            self.give_back(at);
        }
        self.put(places);
        for content in bought {
            self.buy(content);
        }
    }

    /// Buys a node with its content.
    pub(super) fn buy(&mut self, content: &Content) {
        let machine = &self.problem.machines[content.machine];
        let mut free = machine.room;
        for (shape, count) in &content.counts {
            free = without(&free, &self.problem.shapes[*shape].need, *count).unwrap_or([0; 5]);
        }
        if let Some(left) = &mut self.left[content.machine] {
            *left = left.saturating_sub(1);
        }
        self.stands.push(Stand {
            free,
            price: machine.price,
            takes: machine.takes.clone(),
            first: BTreeMap::new(),
            guests: content.counts.iter().copied().collect(),
            pinned: false,
            gone: false,
            bought: Some(content.machine),
        });
    }

    /// Gives a node back, of which everybody has another place.
    pub(super) fn give_back(&mut self, at: usize) {
        let stand = &mut self.stands[at];
        stand.gone = true;
        if let Some(machine) = stand.bought
            && let Some(left) = &mut self.left[machine]
        {
            *left += 1;
        }
    }
}

fn price(pico: i128, grain: i128) -> u64 {
    u64::try_from(pico / grain).unwrap_or(u64::MAX >> 16)
}

/// The largest part of the largest machine that one pod takes, in millionths.
fn largest_part(problem: &Problem, shape: usize) -> u64 {
    let need = &problem.shapes[shape].need;
    let part = |d: usize| {
        let most = problem.machines.iter().map(|machine| machine.room[d]).max().unwrap_or(1);
        u128::from(need[d]) * 1_000_000 / u128::from(most.max(1))
    };
    u64::try_from((0..need.len()).map(part).max().unwrap_or(0)).unwrap_or(u64::MAX)
}
