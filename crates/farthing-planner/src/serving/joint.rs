//! Services with queues that compete for what is limited: decided together.
//!
//! The one program of all decisions knows loads and no queues. Here each such service gets a
//! *menu*: numbers of replicas whose queues are short enough, the cheapest first, and at last not
//! to be served. Choices from all menus are tried in the order of what they lose and cost, and for
//! each the program decides about everything else; so the rest gives way where that is better. The
//! bound is that of the program without queues, which only need more. Refuses to know queues
//! beyond [`Serving::in_time`]. Start at [`choose_together`].

use super::Serving;
use super::apart::counted;
use crate::fleet::{Choice, choose, least_cost};
use crate::program::Program;
use crate::room::Room;
use crate::{Effort, PlanError};
use farthing_model::Queue;
use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

/// Numbers of replicas that are tried for a menu, where all of them are.
const NUMBERS_MAX: usize = 400;
/// Choices from all menus for which the rest is decided anew at most: each is a program of its own.
const PROGRAMS_MAX: usize = 30;
/// Columns of all these programs together, so that a large rest is decided only a few times.
const COLUMNS_MAX: usize = 20_000;
/// Choices that are looked at at most: most do not fit what there is, which is soon seen.
const LOOKS_MAX: usize = 20_000;

/// Replicas by kind; `None` = not served.
type Dish = Option<Vec<(usize, u32)>>;

/// What one service may get, with its cost.
struct Menu {
    service: usize,
    dishes: Vec<(i128, Dish)>,
}

/// Chooses for everything together, where `known` is the choice without queues and `raised` one
/// that keeps them short.
pub(super) fn choose_together(
    program: &mut Program<'_>,
    known: &Choice,
    raised: Choice,
    effort: Effort,
) -> Result<Choice, PlanError> {
    let queues: Vec<(usize, Queue)> = program
        .services
        .iter()
        .enumerate()
        .filter_map(|(at, service)| Some((at, service.queue()?)))
        .collect();
    let menus: Vec<Menu> = queues
        .iter()
        .map(|(at, queue)| Menu {
            service: *at,
            dishes: program.services[*at].menu(*queue, &known.served[*at], effort),
        })
        .collect();
    let services = program.services.clone();
    // The bounds are those of the whole effort; what is tried beside them is one of many.
    let programs = (COLUMNS_MAX / program.columns.len().max(1)).clamp(1, PROGRAMS_MAX);
    let table = Table { program, menus: &menus, effort: effort.of_a_part(), programs };
    let best = table.best(raised);
    program.services = services;
    let mut best = best?;
    // What holds without queues holds with them, for choices of as much weight.
    (best.cost_bound, best.cost_certified) = if best.lost == known.lost {
        (known.cost_bound, known.cost_certified)
    } else {
        least_cost(program, effort, best.lost)?
    };
    best.lost_bound = known.lost_bound;
    best.proven = false;
    best.limit.get_or_insert("queue");
    Ok(best)
}

fn weight(program: &Program<'_>, service: usize) -> i128 {
    program.service_weights.get(service).copied().unwrap_or(0)
}

/// All menus with what they are chosen for.
struct Table<'t, 'a> {
    program: &'t mut Program<'a>,
    menus: &'t [Menu],
    effort: Effort,
    /// Programs that may still be solved.
    programs: usize,
}

impl Table<'_, '_> {
    /// The best choice that was found, no worse than one that is known.
    fn best(mut self, known: Choice) -> Result<Choice, PlanError> {
        let all = self.program.services.clone();
        let rest = self.rest()?;
        let cost = self.cost(&known);
        let mut best = (known, cost);
        let first = vec![0_usize; self.menus.len()];
        let mut waiting = BinaryHeap::from([Reverse((self.worth(&first), first))]);
        let mut seen = BTreeSet::new();
        while let Some(Reverse(((lost, cost), picks))) = waiting.pop() {
            if seen.len() >= LOOKS_MAX || self.programs == 0 {
                break;
            }
            // The rest loses and costs no less than alone.
            if lost + rest.lost_bound > best.0.lost {
                break;
            }
            let as_much = lost + rest.lost_bound == best.0.lost;
            if as_much && rest.cost_bound.is_some_and(|rest| cost + rest >= best.1) {
                continue;
            }
            if !seen.insert(picks.clone()) {
                continue;
            }
            let served = self.served(&all, &picks);
            let fits = self.fits(&served);
            let found = fits.then(|| self.decided(&rest, &served)).flatten();
            best = found
                .filter(|(choice, cost)| (choice.lost, *cost) < (best.0.lost, best.1))
                .unwrap_or(best);
            for (at, menu) in self.menus.iter().enumerate() {
                let mut next = picks.clone();
                next[at] += 1;
                if next[at] < menu.dishes.len() {
                    waiting.push(Reverse((self.worth(&next), next)));
                }
            }
        }
        Ok(best.0)
    }

    /// What everything else loses and costs where nobody of the menus is served.
    fn rest(&mut self) -> Result<Choice, PlanError> {
        let kept = self.program.services.clone();
        for menu in self.menus {
            self.program.services[menu.service].kinds.clear();
        }
        let rest = choose(self.program, self.effort);
        self.program.services = kept;
        let mut rest = rest?;
        // Only what it loses beside them is its own.
        let theirs: i128 = self.menus.iter().map(|menu| weight(self.program, menu.service)).sum();
        let lost = if rest.proven { rest.lost } else { rest.lost_bound };
        rest.lost_bound = lost - theirs;
        Ok(rest)
    }

    /// Weight that picks lose and what they cost.
    fn worth(&self, picks: &[usize]) -> (i128, i128) {
        let picked = self.menus.iter().zip(picks);
        picked.fold((0, 0), |(lost, cost), (menu, pick)| {
            let (own, dish) = &menu.dishes[*pick];
            let none = if dish.is_none() { weight(self.program, menu.service) } else { 0 };
            (lost + none, cost + own)
        })
    }

    /// What each service gets by these picks.
    fn served(&self, all: &[Serving<'_>], picks: &[usize]) -> Vec<Dish> {
        let mut served: Vec<Dish> = vec![None; all.len()];
        for (menu, pick) in self.menus.iter().zip(picks) {
            served[menu.service].clone_from(&menu.dishes[*pick].1);
        }
        served
    }

    /// Whether limited offers and hard budgets carry these alone.
    fn fits(&self, served: &[Dish]) -> bool {
        Room::of(self.program, &[], served).holds()
    }

    /// What is decided with these, and what all of it costs; `None` where the program serves
    /// otherwise. What is best for the rest alone is best beside them if both fit.
    fn decided(&mut self, rest: &Choice, served: &[Dish]) -> Option<(Choice, i128)> {
        let mut both = rest.clone();
        for menu in self.menus {
            both.served[menu.service].clone_from(&served[menu.service]);
            if served[menu.service].is_some() {
                both.lost -= weight(self.program, menu.service);
            }
        }
        if Room::of(self.program, &both.placed, &both.served).holds() {
            let cost = self.cost(&both);
            return Some((both, cost));
        }
        self.programs -= 1;
        let kept = self.program.services.clone();
        for menu in self.menus {
            let service = &mut self.program.services[menu.service];
            match &served[menu.service] {
                None => service.kinds.clear(),
                Some(counts) => {
                    let counts = counts.iter().map(|(kind, count)| (*kind, i64::from(*count)));
                    service.fixed = Some(counts.collect());
                }
            }
        }
        let found = choose(self.program, self.effort);
        self.program.services = kept;
        let choice = found.ok()?;
        let as_picked = self
            .menus
            .iter()
            .all(|menu| choice.served.get(menu.service) == Some(&served[menu.service]));
        let cost = as_picked.then(|| self.cost(&choice))?;
        Some((choice, cost))
    }

    /// What a choice costs, without what stands of the services that it serves.
    fn cost(&self, choice: &Choice) -> i128 {
        let placed = choice.placed.iter().map(|(column, members)| {
            self.program.floor(&self.program.columns[*column]) * i128::from(*members)
        });
        let served = self.program.services.iter().zip(&choice.served);
        let served = served.filter_map(|(service, replicas)| {
            Some(service.price(replicas.as_ref()?) - service.present_cost)
        });
        placed.chain(served).sum()
    }
}

impl Serving<'_> {
    /// What replicas cost over the horizon.
    fn price(&self, replicas: &[(usize, u32)]) -> i128 {
        replicas.iter().map(|(kind, count)| self.kinds[*kind].cost * i128::from(*count)).sum()
    }

    /// Replicas whose queues are short enough, the cheapest first, without those that have no less
    /// of any kind than others; then none. All that there are where those are few.
    fn menu(&self, queue: Queue, given: &Dish, effort: Effort) -> Vec<(i128, Dish)> {
        let mut found: Vec<Vec<(usize, u32)>> = Vec::new();
        if let Some(mut numbers) = self.numbers() {
            numbers.sort_by_key(|counts| (self.price(counts), counts.clone()));
            for counts in numbers {
                let more = |less: &Vec<(usize, u32)>| {
                    less.iter().all(|(kind, count)| {
                        counts.iter().any(|(same, own)| same == kind && own >= count)
                    })
                };
                if !found.iter().any(more)
                    && self.in_time(queue, &counts, effort).as_ref() == Some(&counts)
                {
                    found.push(counts);
                }
            }
        } else {
            let alone = self.alone(effort).map(|it| counted(&it));
            let tries = [given.clone(), alone].into_iter().flatten();
            found.extend(tries.filter_map(|counts| self.in_time(queue, &counts, effort)));
            found.sort_by_key(|counts| (self.price(counts), counts.clone()));
            found.dedup();
        }
        let own =
            |counts: Vec<(usize, u32)>| (self.price(&counts) - self.present_cost, Some(counts));
        found.into_iter().map(own).chain([(0, None)]).collect()
    }

    /// All numbers of replicas that there can be, where they are few.
    fn numbers(&self) -> Option<Vec<Vec<(usize, u32)>>> {
        let ways = self.kinds.iter().try_fold(1_usize, |ways, kind| {
            ways.checked_mul(usize::try_from(kind.most).ok()?.checked_add(1)?)
        });
        ways.filter(|ways| *ways <= NUMBERS_MAX)?;
        let mut all: Vec<Vec<(usize, u32)>> = vec![Vec::new()];
        for (at, kind) in self.kinds.iter().enumerate() {
            let most = u32::try_from(kind.most).ok()?;
            let longer = |counts: Vec<(usize, u32)>| {
                let more = (1..=most).map(move |count| (at, count));
                let with = more.map({
                    let counts = counts.clone();
                    move |one| [counts.as_slice(), &[one]].concat()
                });
                std::iter::once(counts).chain(with)
            };
            all = all.into_iter().flat_map(longer).collect();
        }
        all.retain(|counts| !counts.is_empty());
        Some(all)
    }
}
