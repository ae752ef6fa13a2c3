//! From workloads and offers to shapes and machines, and what can be held nowhere.

use super::PackInput;
use super::problem::{Amounts, Content, DIMS, GPUS, Machine, PODS, PRICE_MAX, Problem, Shape};
use super::shares::{Parts, first_fit};
use farthing_model::{Offer, Purchase, Reason, Resources, Workload, WorkloadId};
use std::collections::BTreeMap;

/// Pods of one machine, where nobody limits them.
const PODS_MAX: u64 = 1 << 16;
/// What not holding a pod costs, in prices of the dearest machine.
const WAITING: u64 = 1_000;

/// The problem, and what its numbers stand for.
pub(super) struct Stated<'a> {
    pub(super) problem: Problem,
    /// The offer of each machine; `None` = one that stands for waiting.
    pub(super) offers: Vec<Option<&'a Offer>>,
    /// The workloads of each shape, with their members.
    pub(super) members: Vec<Vec<(&'a Workload, u64)>>,
    /// Those that nothing holds.
    pub(super) nowhere: Vec<(&'a Workload, Reason)>,
    /// Prices of the problem times this are at most those of the offers, in 10^-12 an hour.
    pub(super) grain: i128,
    pub(super) excluded: BTreeMap<&'static str, usize>,
    /// How parts of accelerators are rounded.
    parts: Parts,
}

/// Whether two workloads do not differ in anything that packing looks at.
type Likeness<'a> = (Resources, &'a [String]);

/// `waits` has those that are not to be packed, and why.
pub(super) fn state<'a>(input: &PackInput<'a>, waits: &BTreeMap<WorkloadId, Reason>) -> Stated<'a> {
    let mut excluded = BTreeMap::new();
    let usable = usable(input, &mut excluded);
    let mut groups: BTreeMap<Likeness<'a>, Vec<(&'a Workload, u64)>> = BTreeMap::new();
    let mut nowhere = Vec::new();
    for workload in input.workloads {
        let Some(job) = workload.job() else { continue };
        let held = waits.get(&workload.id).cloned();
        if let Some(reason) = held.or_else(|| misfit(input, workload, &usable)) {
            nowhere.push((*workload, reason));
            continue;
        }
        let like = (workload.resources, workload.residency.as_slice());
        groups.entry(like).or_default().push((workload, u64::from(job.count)));
    }
    let dearest = usable.iter().map(|(_, price)| *price).max().unwrap_or(1).max(1);
    // Waiting costs a thousand times as much, and has to fit as well.
    let grain = dearest / i128::from(PRICE_MAX / WAITING) + 1;
    let members = |all: &Vec<(&Workload, u64)>| all.iter().map(|(_, count)| count).sum::<u64>();
    let asked = groups.iter().map(|((resources, _), all)| (resources.gpu_milli, members(all)));
    let parts = Parts::of(&asked);
    let shapes = groups.iter().map(|((resources, _), all)| Shape {
        need: rounded(resources, parts),
        count: members(all),
    });
    let mut stated = Stated {
        problem: Problem { shapes: shapes.collect(), machines: Vec::new() },
        offers: Vec::new(),
        members: Vec::new(),
        nowhere,
        grain,
        excluded,
        parts,
    };
    for (offer, price) in &usable {
        let machine = Machine {
            room: room(input, offer),
            price: u64::try_from(price / grain).unwrap_or(PRICE_MAX),
            limit: offer.available.map(u64::from),
            takes: groups.keys().map(|(_, residency)| is_allowed(residency, offer)).collect(),
        };
        stated.offer(machine, offer);
    }
    stated.let_wait(u64::try_from(dearest / grain).unwrap_or(1).max(1) * WAITING);
    stated.members = groups.into_values().collect();
    stated
}

impl<'a> Stated<'a> {
    /// The problem with parts of accelerators as they are; `None` where none are rounded.
    pub(super) fn exact(&self) -> Option<Problem> {
        let mut exact = self.problem.clone();
        for (shape, members) in exact.shapes.iter_mut().zip(&self.members) {
            if let Some((workload, _)) = members.first() {
                shape.need = need(&workload.resources);
            }
        }
        let changed = |(one, other): (&Shape, &Shape)| one.need != other.need;
        exact.shapes.iter().zip(&self.problem.shapes).any(changed).then_some(exact)
    }

    /// Whether parts of accelerators as they are have a device each in what machines hold.
    pub(super) fn on_devices(&self, contents: &[Content]) -> bool {
        contents.iter().all(|content| {
            let asked = content.counts.iter().filter_map(|(shape, n)| {
                let (workload, _) = self.members[*shape].first()?;
                Some((workload.resources.gpu_milli, *n))
            });
            first_fit(self.problem.machines[content.machine].room[GPUS], asked.collect())
        })
    }

    /// What one of those who are on a node leaves less of it.
    pub(super) fn need(&self, resources: &Resources) -> Amounts {
        rounded(resources, self.parts)
    }

    /// Which shapes may be where residency is met so far.
    pub(super) fn takes(&self, residency: &[String]) -> Vec<bool> {
        let wanted = self.members.iter().filter_map(|members| members.first());
        wanted.map(|(workload, _)| meets(&workload.residency, residency)).collect()
    }

    /// Adds a machine, unless another is as large, as good and no dearer. They come by price.
    fn offer(&mut self, machine: Machine, offer: &'a Offer) {
        let beats = |known: &Machine| {
            known.limit.is_none()
                && known.room.iter().zip(&machine.room).all(|(known, room)| known >= room)
                && known.takes.iter().zip(&machine.takes).all(|(known, takes)| known >= takes)
        };
        if !self.problem.machines.iter().any(beats) {
            self.problem.machines.push(machine);
            self.offers.push(Some(offer));
        }
    }

    /// Where a shape fits only machines of which there are so many, its pods may wait.
    fn let_wait(&mut self, price: u64) {
        for at in 0..self.problem.shapes.len() {
            let machines = 0..self.problem.machines.len();
            let free = machines
                .filter(|machine| self.problem.machines[*machine].limit.is_none())
                .any(|machine| self.problem.most(machine, at) > 0);
            if !free {
                let mut takes = vec![false; self.problem.shapes.len()];
                takes[at] = true;
                let room = self.problem.shapes[at].need;
                self.problem.machines.push(Machine { room, price, limit: None, takes });
                self.offers.push(None);
            }
        }
    }
}

/// Offers that may be bought, with their prices in 10^-12 an hour, the cheapest first.
fn usable<'a>(
    input: &PackInput<'a>,
    excluded: &mut BTreeMap<&'static str, usize>,
) -> Vec<(&'a Offer, i128)> {
    let mut usable = Vec::new();
    for offer in input.offers {
        let why = match offer.price.rate() {
            _ if offer.purchase == Purchase::Spot => "spot not allowed",
            None => "price unknown",
            Some(rate) if rate.per_hour().currency() != input.currency => "another currency",
            Some(_) if offer.available == Some(0) => "none available",
            Some(rate) => {
                usable.push((offer, rate.per_hour().pico()));
                continue;
            }
        };
        *excluded.entry(why).or_default() += 1;
    }
    usable.sort_by(|(a, price), (b, other)| price.cmp(other).then(a.id.cmp(&b.id)));
    usable
}

/// What one pod needs.
pub(super) const fn need(resources: &Resources) -> Amounts {
    [resources.cpu_milli, resources.memory_bytes, resources.gpu_milli, resources.storage_bytes, 1]
}

/// The same, with a part of an accelerator rounded up.
fn rounded(resources: &Resources, parts: Parts) -> Amounts {
    let mut need = need(resources);
    need[GPUS] = parts.up(need[GPUS]);
    need
}

/// What pods may use of a node.
fn room(input: &PackInput<'_>, offer: &Offer) -> Amounts {
    room_of(input, &offer.capacity)
}

/// What pods may use of a node that has so much.
pub(super) fn room_of(input: &PackInput<'_>, capacity: &Resources) -> Amounts {
    let (all, kept) = (need(capacity), need(&input.nodes.reserve));
    let mut room: Amounts = std::array::from_fn(|d| all[d].saturating_sub(kept[d]));
    room[PODS] = input.nodes.pods.map_or(PODS_MAX, u64::from);
    room
}

fn is_allowed(residency: &[String], offer: &Offer) -> bool {
    meets(residency, &offer.residency)
}

fn meets(wanted: &[String], has: &[String]) -> bool {
    wanted.is_empty() || wanted.iter().any(|one| has.contains(one))
}

/// Why nothing can hold even one member of a workload, if that is so.
fn misfit(input: &PackInput<'_>, workload: &Workload, usable: &[(&Offer, i128)]) -> Option<Reason> {
    let job = workload.job()?;
    if let Some(due) = job.deadline.filter(|due| *due < input.window.to()) {
        return Some(Reason::Deadline { due, earliest: input.window.to() });
    }
    let here: Vec<Amounts> = usable
        .iter()
        .filter(|(offer, _)| is_allowed(&workload.residency, offer))
        .map(|(offer, _)| room(input, offer))
        .collect();
    if here.is_empty() && !usable.is_empty() {
        return Some(Reason::Residency(workload.residency.clone()));
    }
    let need = need(&workload.resources);
    let fits = |room: &Amounts| room.iter().zip(&need).all(|(room, need)| room >= need);
    if here.iter().any(fits) {
        return None;
    }
    // The resource of which even the largest node has too little; else no node has all of it.
    let largest: Amounts =
        std::array::from_fn(|d| here.iter().map(|room| room[d]).max().unwrap_or(0));
    let short = (0..DIMS).find(|d| largest[*d] < need[*d]);
    Some(Reason::NoOffer(match short {
        Some(d) => format!(
            "a member needs {}, the largest node has {} for it",
            amount(d, need[d]),
            amount(d, largest[d])
        ),
        None => "no node has enough of everything that a member needs".to_owned(),
    }))
}

/// An amount of a resource for people.
fn amount(d: usize, amount: u64) -> String {
    let thousandths = |what: &str| {
        let (whole, part) = (amount / 1_000, amount % 1_000);
        if part == 0 { format!("{whole} {what}") } else { format!("{whole}.{part:03} {what}") }
    };
    match d {
        0 => thousandths("cores"),
        2 => thousandths("accelerators"),
        PODS => format!("{amount} pods"),
        _ => format!("{} MiB of {}", amount >> 20, if d == 1 { "memory" } else { "storage" }),
    }
}
