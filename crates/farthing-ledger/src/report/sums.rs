//! Sums of groups: where charges are added up, one by one, as fast as memory allows.
//!
//! It knows groups by the numbers of their cells and refuses to know what these stand for.

use super::group::Numbered;
use crate::meter::Usage;
use farthing_model::{Destination, Mix, PerResource, Resource};
use std::collections::HashMap;
use std::hash::BuildHasherDefault;

/// Resources.
pub(super) const KINDS: usize = Resource::CHARGED.len();

/// The number of a name, or of a word that stands for one.
pub(super) type Cell = u32;

/// Sums of one group: money by resource and position in [`Destination::ALL`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) pico: [[i128; 4]; KINDS],
    /// What these are less than by the prices of lists.
    pub(super) discount: [[i128; 4]; KINDS],
    /// Of the money, that of which nobody measured whether it was used, by destination.
    pub(super) unknown: [i128; 4],
    /// The same in 10^-9 unit-seconds, by resource.
    pub(super) unknown_nano: [i128; KINDS],
    pub(super) usage: PerResource<Usage>,
}

/// 10^24 of a currency and more: with this all sums over resources and destinations are numbers.
const AMOUNT_MAX: u128 = 1 << 120;

/// What a group was charged for one resource and destination.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Amounts {
    pico: i128,
    discount: i128,
    nano: i128,
    /// Of these, that of which nobody measured whether it was used.
    unknown: i128,
    unknown_nano: i128,
}

impl Amounts {
    /// Adds a charge; `None` where a sum is so large that not all sums of it would be numbers.
    pub(super) fn add(&mut self, charge: &Numbered) -> Option<()> {
        let discount = charge.list_pico.checked_sub(charge.pico)?;
        self.pico = self.pico.checked_add(charge.pico)?;
        self.discount = self.discount.checked_add(discount)?;
        self.nano = self.nano.checked_add(charge.nano)?;
        if charge.is_unknown {
            self.unknown = self.unknown.checked_add(charge.pico)?;
            self.unknown_nano = self.unknown_nano.checked_add(charge.nano)?;
        }
        let all = [self.pico, self.discount, self.nano, self.unknown, self.unknown_nano];
        all.iter().all(|sum| sum.unsigned_abs() < AMOUNT_MAX).then_some(())
    }
}

/// Amounts by the cells of their group, with resource and destination in bits above those of the
/// kind.
///
/// Hours have the same rows in the same order as far as the same things run: which entry followed
/// which is tried before anything is looked up, and entries that follow one another lie beside one
/// another.
#[derive(Default)]
pub(super) struct Entries {
    /// The cells of all entries, and how many one has.
    cells: Vec<Cell>,
    width: usize,
    amounts: Vec<Amounts>,
    /// The entry that came after this one the last time.
    next: Vec<usize>,
    last: usize,
    found: HashMap<Box<[Cell]>, usize, BuildHasherDefault<Mix>>,
    sought: Vec<Cell>,
}

/// Bits of a cell of an entry that say the kind of its group.
const KIND_BITS: u32 = 4;

impl Entries {
    fn is(&self, entry: usize, cells: &[Cell]) -> bool {
        let from = entry * self.width;
        self.cells.get(from..from + self.width) == Some(cells)
    }

    /// The amounts of a charge that is in the group of these cells.
    pub(super) fn of(&mut self, group: &[Cell], charge: &Numbered) -> &mut Amounts {
        self.sought.clear();
        self.sought.extend_from_slice(group);
        if let Some(kind) = self.sought.last_mut() {
            let number = charge.resource as u32 * 4 + charge.destination as u32;
            *kind |= number << KIND_BITS;
        }
        self.width = group.len();
        let next = self.next.get(self.last).copied().unwrap_or_default();
        let entry = if self.is(next, &self.sought) {
            next
        } else if self.is(self.last, &self.sought) {
            self.last
        } else {
            self.look_up()
        };
        if let Some(next) = self.next.get_mut(self.last) {
            *next = entry;
        }
        self.last = entry;
        &mut self.amounts[entry]
    }

    fn look_up(&mut self) -> usize {
        if let Some(entry) = self.found.get(&*self.sought) {
            return *entry;
        }
        let entry = self.amounts.len();
        self.cells.extend_from_slice(&self.sought);
        self.amounts.push(Amounts::default());
        self.next.push(0);
        self.found.insert(self.sought.clone().into(), entry);
        entry
    }

    /// The sums of each group, in any order.
    pub(super) fn sums(&self) -> Vec<(Vec<Cell>, Sums)> {
        let mut groups: HashMap<Vec<Cell>, usize, BuildHasherDefault<Mix>> = HashMap::default();
        let entries = || self.cells.chunks_exact(self.width.max(1)).zip(&self.amounts);
        let of_entries = entries().map(|(cells, _)| {
            let mut cells = cells.to_vec();
            if let Some(kind) = cells.last_mut() {
                *kind &= (1 << KIND_BITS) - 1;
            }
            let next = groups.len();
            *groups.entry(cells).or_insert(next)
        });
        let of_entries: Vec<usize> = of_entries.collect();
        let mut all = vec![(Vec::new(), Sums::default()); groups.len()];
        for (cells, group) in groups {
            all[group].0 = cells;
        }
        for ((cells, amounts), group) in entries().zip(of_entries) {
            let number = cells.last().map_or(0, |kind| (kind >> KIND_BITS) as usize);
            let (resource, destination) = (number / 4, Destination::ALL[number % 4]);
            all[group].1.add(Resource::CHARGED[resource], destination, amounts);
        }
        all
    }
}

impl Sums {
    /// Sets what one entry of the group says.
    fn add(&mut self, resource: Resource, destination: Destination, of: &Amounts) {
        let at = destination as usize;
        self.pico[resource as usize][at] += of.pico;
        self.discount[resource as usize][at] += of.discount;
        self.unknown[at] += of.unknown;
        self.unknown_nano[resource as usize] += of.unknown_nano;
        self.usage.get_mut(resource).add(destination, of.nano);
    }

    /// Money of a destination.
    pub(super) fn of(&self, destination: Destination) -> i128 {
        self.pico.iter().map(|pico| pico[destination as usize]).sum()
    }
}
