//! The exact choice of a part that is small: every choice is looked at, or shown not to be better.

use super::choose::counts;
use super::{Arbitration, Duty, Target};
use std::collections::{BTreeMap, BTreeSet};

/// What a choice is worth: approved, limits, work, dollars in 10^-12.
type Worth = [i128; 4];

/// Choices looked at, at most.
const WORK_MAX: u32 = 400_000;

/// The best choice of a part; `None` where that is not proven within the limit of work.
pub(super) fn search(asked: &Arbitration<'_>, part: &[usize]) -> Option<Vec<usize>> {
    let needed: BTreeSet<usize> =
        part.iter().flat_map(|at| asked.proposals[*at].needs.iter().copied()).collect();
    let worth = |at: usize| {
        let proposal = &asked.proposals[at];
        let duty = |duty| i128::from(proposal.duty == duty);
        [duty(Duty::Approved), duty(Duty::Limit), duty(Duty::Work), counts(proposal)]
    };
    // What brings nothing and is needed by nobody is in no best choice.
    let useful = |at: &usize| worth(*at) > [0; 4] || needed.contains(at);
    let order: Vec<usize> = part.iter().copied().filter(useful).collect();
    let worths: Vec<Worth> = order.iter().map(|at| worth(*at)).collect();
    let mut search = Search {
        asked,
        ahead: ahead(asked, &order, &worths),
        order,
        worths,
        left: asked.limits.iter().map(|limit| u128::from(limit.left)).collect(),
        owned: BTreeSet::new(),
        taken: Vec::new(),
        skipped: BTreeSet::new(),
        best: ([0; 4], Vec::new()),
        work: 0,
    };
    search.go(0, [0; 4]);
    (search.work < WORK_MAX).then_some(search.best.1)
}

/// The most that all from each position on come to: of those that want the same first thing, one.
fn ahead(asked: &Arbitration<'_>, order: &[usize], worths: &[Worth]) -> Vec<Worth> {
    let mut ahead = vec![[0; 4]; order.len() + 1];
    let mut by_target: BTreeMap<Option<&Target>, Worth> = BTreeMap::new();
    for position in (0..order.len()).rev() {
        let first = asked.proposals[order[position]].targets.first();
        let (one, mut all) = (worths[position], ahead[position + 1]);
        if one > [0; 4] {
            let most = by_target.entry(first).or_insert([0; 4]);
            if first.is_none() {
                all = plus(all, one);
            } else if one > *most {
                all = plus(less(all, *most), one);
                *most = one;
            }
        }
        ahead[position] = all;
    }
    ahead
}

fn plus(one: Worth, other: Worth) -> Worth {
    std::array::from_fn(|at| one[at].saturating_add(other[at]))
}

fn less(one: Worth, other: Worth) -> Worth {
    std::array::from_fn(|at| one[at].saturating_sub(other[at]))
}

struct Search<'a> {
    asked: &'a Arbitration<'a>,
    order: Vec<usize>,
    worths: Vec<Worth>,
    ahead: Vec<Worth>,
    left: Vec<u128>,
    owned: BTreeSet<&'a Target>,
    taken: Vec<usize>,
    skipped: BTreeSet<usize>,
    best: (Worth, Vec<usize>),
    work: u32,
}

impl Search<'_> {
    fn go(&mut self, position: usize, worth: Worth) {
        self.work += 1;
        let hopeless = plus(worth, self.ahead[position]) <= self.best.0;
        if self.work >= WORK_MAX || hopeless {
            return;
        }
        let Some(at) = self.order.get(position).copied() else {
            let proposals = &self.asked.proposals;
            let has = |need: &usize| self.taken.contains(need);
            if self.taken.iter().all(|at| proposals[*at].needs.iter().all(has)) {
                self.best = (worth, self.taken.clone());
            }
            return;
        };
        let asked = self.asked;
        let proposal = &asked.proposals[at];
        if self.may(at) {
            for (limit, amount) in &proposal.takes {
                self.left[*limit] -= u128::from(*amount);
            }
            self.owned.extend(&proposal.targets);
            self.taken.push(at);
            self.go(position + 1, plus(worth, self.worths[position]));
            self.taken.pop();
            proposal.targets.iter().for_each(|target| {
                self.owned.remove(target);
            });
            for (limit, amount) in &proposal.takes {
                self.left[*limit] += u128::from(*amount);
            }
        }
        self.skipped.insert(at);
        self.go(position + 1, worth);
        self.skipped.remove(&at);
    }

    /// Whether one may be taken beside those that are.
    fn may(&self, at: usize) -> bool {
        let proposal = &self.asked.proposals[at];
        let mut needs: BTreeMap<usize, u128> = BTreeMap::new();
        for (limit, amount) in &proposal.takes {
            *needs.entry(*limit).or_default() += u128::from(*amount);
        }
        !proposal.targets.iter().any(|target| self.owned.contains(target))
            && !proposal.needs.iter().any(|need| self.skipped.contains(need))
            && needs.iter().all(|(limit, amount)| self.left[*limit] >= *amount)
    }
}
