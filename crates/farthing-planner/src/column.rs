//! Columns: members of a class that start one way at one moment, and what each takes.
//!
//! Only columns that an optimum may need are made. On an offer without a limit nothing but
//! budgets distinguishes two columns of a class, so that the cheapest is enough, or a few where
//! a period ends within reach; a column on a limited offer must be cheaper than those. What is
//! left out is dominated: exchanging it for what is kept never costs more of anything.

use crate::account::Account;
use crate::candidate::{Class, Way};
use crate::deadline::ends_by;
use crate::standing::Standing;
use crate::{Input, PlanError};
use farthing_model::{MoneyError, Window};
use jiff::Timestamp;

/// Nodes of a limited offer over time.
#[derive(Clone, Debug)]
pub(crate) struct Pool {
    /// Position of the offer in the input.
    pub(crate) offer: usize,
    /// Moments at which somebody may start, ascending; use is greatest at one of them.
    pub(crate) instants: Vec<Timestamp>,
    /// Nodes that nobody holds at each.
    pub(crate) room: Vec<i128>,
}

/// A part of a pool's instants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stretch {
    /// Position of the pool.
    pub(crate) pool: usize,
    /// First instant.
    pub(crate) first: usize,
    /// One past the last.
    pub(crate) end: usize,
}

/// Members of a class that start one way at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    /// Position of the class.
    pub(crate) class: usize,
    /// Position of the way in the class.
    pub(crate) way: usize,
    /// From when to when.
    pub(crate) window: Window,
    /// What of a limited offer it holds.
    pub(crate) stretch: Option<Stretch>,
    /// What one member costs in each account that it touches, in 10^-12.
    pub(crate) costs: Vec<(usize, i128)>,
}

/// Everything that columns are made from.
pub(crate) struct Ground<'a> {
    /// The input.
    pub(crate) input: &'a Input,
    /// The classes.
    pub(crate) classes: &'a [Class<'a>],
    /// What hard budgets leave.
    pub(crate) accounts: &'a [Account<'a>],
    /// What stands.
    pub(crate) standing: &'a [Standing<'a>],
}

/// The slots of the horizon: moments at which a job is tried.
pub(crate) fn slots(input: &Input) -> Vec<Timestamp> {
    let count = i128::from(input.effort.slots_max.max(1));
    let (from, length) = (input.horizon.from().as_nanosecond(), input.horizon.nanos());
    let slot = |index: i128| from + length * index / count;
    (0..count).filter_map(|index| Timestamp::from_nanosecond(slot(index)).ok()).collect()
}

impl Ground<'_> {
    /// Moments at which a class may start: as early as it can, and at each slot after. They must
    /// not depend on what stands, or a plan that was carried out would make room for another.
    fn starts(&self, class: &Class<'_>, slots: &[Timestamp]) -> Vec<Timestamp> {
        let after = slots.iter().copied().filter(|slot| *slot > class.earliest);
        let starts = std::iter::once(class.earliest).chain(after);
        starts.filter(|start| *start < self.input.horizon.to()).collect()
    }

    /// The limited offers that a class or a service may use, by offer.
    pub(crate) fn pools(&self, services: &[usize]) -> Vec<Pool> {
        let slots = slots(self.input);
        let mut pools = Vec::new();
        // Which classes may use an offer, from one look at all ways.
        let mut users: Vec<Vec<&Class<'_>>> = vec![Vec::new(); self.input.offers.len()];
        for class in self.classes {
            for offer in class.ways.iter().filter(|way| way.in_time).filter_map(|way| way.offer) {
                if !users[offer].last().is_some_and(|last| std::ptr::eq(*last, class)) {
                    users[offer].push(class);
                }
            }
        }
        for (index, offer) in self.input.offers.iter().enumerate() {
            let Some(available) = offer.available else { continue };
            let users = users[index].iter();
            let mut instants: Vec<Timestamp> =
                users.flat_map(|class| self.starts(class, &slots)).collect();
            if services.contains(&index) {
                instants.push(self.input.horizon.from());
            }
            if instants.is_empty() {
                continue;
            }
            let here = || self.standing.iter().filter(|stand| stand.offer == Some(index));
            instants.extend(here().map(|stand| stand.window.from()));
            instants.sort_unstable();
            instants.dedup();
            let room = instants
                .iter()
                .map(|instant| {
                    let there =
                        here().filter(|stand| !stand.open && stand.window.contains(*instant));
                    (i128::from(available) - there.map(Standing::nodes).sum::<i128>()).max(0)
                })
                .collect();
            pools.push(Pool { offer: index, instants, room });
        }
        pools
    }

    /// The columns of all classes, by class.
    pub(crate) fn columns(&self, pools: &[Pool]) -> Result<Vec<Column>, PlanError> {
        let slots = slots(self.input);
        let mut pool_of = vec![None; self.input.offers.len()];
        for (index, pool) in pools.iter().enumerate() {
            pool_of[pool.offer] = Some(index);
        }
        let mut columns = Vec::new();
        for (index, class) in self.classes.iter().enumerate() {
            let wrong = |source| PlanError::Money {
                object: format!("workload {}", class.workload.id),
                source,
            };
            // What brings less than nothing is never worth its cost.
            if class.workload.value.nano() < 0 {
                continue;
            }
            let free = self.unlimited(index, class, &slots).map_err(wrong)?;
            // Where no budget counts, a way that is no cheaper than a free one is never needed.
            let counted = self.accounts.iter().any(|account| account.covers(class.workload));
            let cheapest = free.iter().map(|kept| class.ways[kept.way].floor).min();
            let needed =
                |way: &Way| counted || cheapest.is_none_or(|cheapest| way.floor < cheapest);
            let ways = class.ways.iter().enumerate();
            for (position, way) in ways.filter(|(_, way)| way.in_time && needed(way)) {
                let Some(pool) = way.offer.and_then(|offer| pool_of[offer]) else { continue };
                let at = (pool, &pools[pool]);
                let made = self.limited((index, class), (position, way), at, &slots);
                let made = made.map_err(wrong)?.into_iter();
                columns.extend(
                    made.filter(|column| !free.iter().any(|kept| dominates(class, kept, column))),
                );
            }
            columns.extend(free);
        }
        Ok(columns)
    }

    /// The undominated columns of a class on offers without a limit.
    fn unlimited(
        &self,
        index: usize,
        class: &Class<'_>,
        slots: &[Timestamp],
    ) -> Result<Vec<Column>, MoneyError> {
        let mut kept: Vec<Column> = Vec::new();
        let limited =
            |way: &Way| way.offer.is_some_and(|at| self.input.offers[at].available.is_some());
        let ways = class.ways.iter().enumerate();
        for (position, way) in ways.filter(|(_, way)| way.in_time && !limited(way)) {
            let mut seen: Vec<Vec<bool>> = Vec::new();
            let mut starts: Vec<Timestamp> = vec![class.earliest];
            starts.retain(|start| *start < self.input.horizon.to());
            if way.offer.is_some() && self.period_ends(class, way) {
                starts.extend(slots.iter().filter(|start| **start > class.earliest));
            }
            for start in starts {
                let Some(window) = in_time(class, start, way) else { continue };
                // Two windows that lie in the same periods as a whole differ in nothing.
                let inside = self.whole_periods(class, window);
                if let Some(inside) = inside {
                    if seen.contains(&inside) {
                        continue;
                    }
                    seen.push(inside);
                }
                let costs = self.costs(class, way, window)?;
                let column = Column { class: index, way: position, window, stretch: None, costs };
                if !kept.iter().any(|other| dominates(class, other, &column)) {
                    kept.push(column);
                }
            }
        }
        Ok(kept)
    }

    /// Whether a period of a budget of the class ends while a way could run.
    fn period_ends(&self, class: &Class<'_>, way: &Way) -> bool {
        let last = self.input.horizon.to().checked_add(way.run).unwrap_or(Timestamp::MAX);
        let mut accounts = self.accounts.iter().filter(|account| account.covers(class.workload));
        accounts.any(|account| account.period.from() > class.earliest || account.period.to() < last)
    }

    /// For each account of the class whether the window lies in it; `None` if one holds a part of
    /// it.
    fn whole_periods(&self, class: &Class<'_>, window: Window) -> Option<Vec<bool>> {
        let covering = self.accounts.iter().filter(|account| account.covers(class.workload));
        covering
            .map(|account| match window.intersect(account.period) {
                None => Some(false),
                Some(inside) => (inside == window).then_some(true),
            })
            .collect()
    }

    fn costs(
        &self,
        class: &Class<'_>,
        way: &Way,
        window: Window,
    ) -> Result<Vec<(usize, i128)>, MoneyError> {
        let mut costs = Vec::new();
        for (position, account) in self.accounts.iter().enumerate() {
            if account.covers(class.workload) {
                let cost = account.of_way(self.input, way, window)?;
                if cost > 0 {
                    costs.push((position, cost));
                }
            }
        }
        Ok(costs)
    }

    /// Every column of a way on a limited offer that one member at least can have.
    fn limited(
        &self,
        (index, class): (usize, &Class<'_>),
        (position, way): (usize, &Way),
        (at, pool): (usize, &Pool),
        slots: &[Timestamp],
    ) -> Result<Vec<Column>, MoneyError> {
        let mut columns = Vec::new();
        let place = |instant: Timestamp| pool.instants.partition_point(|other| *other < instant);
        let starts = self.starts(class, slots);
        for window in starts.into_iter().filter_map(|start| in_time(class, start, way)) {
            let (first, end) = (place(window.from()), place(window.to()));
            if pool.room[first..end].iter().any(|room| *room < i128::from(way.nodes)) {
                continue;
            }
            let stretch = Some(Stretch { pool: at, first, end });
            let costs = self.costs(class, way, window)?;
            columns.push(Column { class: index, way: position, window, stretch, costs });
        }
        Ok(columns)
    }
}

/// The window of a run, if it ends by the deadline with what must be left after it. A quoted cost
/// says nothing about time.
fn in_time(class: &Class<'_>, start: Timestamp, way: &Way) -> Option<Window> {
    let window = Window::starting(start, way.run)?;
    let late = class.job.deadline.is_some_and(|deadline| !ends_by(way, start, deadline));
    (way.offer.is_none() || !late).then_some(window)
}

/// Whether `kept`, which holds nothing that is limited, takes no more of anything than `other`.
fn dominates(class: &Class<'_>, kept: &Column, other: &Column) -> bool {
    class.ways[kept.way].floor <= class.ways[other.way].floor
        && kept.costs.iter().all(|(account, cost)| {
            let theirs = other.costs.iter().find(|(same, _)| same == account);
            theirs.is_some_and(|(_, theirs)| cost <= theirs)
        })
}
