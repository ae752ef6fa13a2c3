//! Which of several cuts free enough and lose the least.
//!
//! A knapsack turned around: of all sets that free what is needed, the one whose loss is least,
//! first in value and then in money. Of the ways to cut one thing at most one is taken. It is
//! searched whole, so that the answer is proven, up to a limit of work; past that the best that was
//! found is taken and said not to be proven. Refuses to know what is cut; start at [`least_loss`].

/// Sets that are looked at, at most: twenty cuts are searched whole.
const WORK_MAX: u32 = 1 << 21;

/// Things of which cuts are searched, at most: of more the ones that lose the least are taken.
const CUTS_MAX: usize = 2_000;

/// Money that is needed or freed, in 10^-12: of what is committed, and of what the period will have
/// cost at its end.
pub(crate) type Frees = [i128; 2];

/// One way to cut a thing: what it frees, and what it loses. None is below zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    /// What it frees.
    pub(crate) frees: Frees,
    /// Value in 10^-9, and money in 10^-12.
    pub(crate) loses: (i128, i128),
}

/// What is to be cut.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Chosen {
    /// Which things, ascending, and in which of their ways.
    pub(crate) cuts: Vec<(usize, usize)>,
    /// Whether they free what is needed; else as much of it as there is.
    pub(crate) enough: bool,
    /// Whether no set that frees as much loses less.
    pub(crate) proven: bool,
}

/// Of the sets of cuts that free `need` the one that loses the least; of several that do, the first
/// found, which depends on the order of `things` alone. Each thing has its ways, of which each
/// frees at least what the one before frees. The sums of all must fit.
pub(crate) fn least_loss(things: &[Vec<Cut>], need: Frees) -> Chosen {
    let most = |index: usize| things[index].last().map_or([0, 0], |way| way.frees);
    // What frees most comes first, so that hopeless ends are seen early.
    let mut order: Vec<usize> = (0..things.len()).filter(|it| most(*it) != [0, 0]).collect();
    order.sort_by_key(|index| {
        let [committed, ahead] = most(*index);
        (-ahead, -committed, things[*index].last().map(|way| way.loses), *index)
    });
    let mut ahead = vec![[0, 0]; order.len() + 1];
    for (position, index) in order.iter().enumerate().rev() {
        ahead[position] = plus(ahead[position + 1], most(*index));
    }
    // More than there is cannot be freed; what there is then goes.
    let need = need.map(|need| need.max(0));
    let goal = [need[0].min(ahead[0][0]), need[1].min(ahead[0][1])];
    let enough = goal == need;
    if goal == [0, 0] {
        return Chosen { cuts: Vec::new(), enough, proven: true };
    }
    let mut search = Search { things, order: &order, ahead: &ahead, best: None, work: 0 };
    search.greedy(goal);
    let searched = order.len() <= CUTS_MAX;
    if searched {
        search.go(0, goal, (0, 0), &mut Vec::new());
    }
    let proven = searched && search.work < WORK_MAX;
    let mut chosen = search.best.map(|(_, chosen)| chosen).unwrap_or_default();
    chosen.sort_unstable();
    Chosen { cuts: chosen, enough, proven }
}

fn plus(one: Frees, other: Frees) -> Frees {
    [one[0] + other[0], one[1] + other[1]]
}

fn less(one: Frees, other: Frees) -> Frees {
    [one[0] - other[0], one[1] - other[1]]
}

fn is_met(need: Frees) -> bool {
    need[0] <= 0 && need[1] <= 0
}

/// Losses of value and of money.
type Loss = (i128, i128);

struct Search<'a> {
    things: &'a [Vec<Cut>],
    order: &'a [usize],
    /// What all from a position on free together.
    ahead: &'a [Frees],
    best: Option<(Loss, Vec<(usize, usize)>)>,
    work: u32,
}

impl Search<'_> {
    fn loss(&self, taken: &[(usize, usize)]) -> Loss {
        let of = |(thing, way): &(usize, usize)| self.things[*thing][*way].loses;
        taken.iter().map(of).fold((0, 0), |sum, loss| (sum.0 + loss.0, sum.1 + loss.1))
    }

    /// Begins with what loses the least, one after the other.
    fn greedy(&mut self, goal: Frees) {
        let mut by_loss = self.order.to_vec();
        by_loss.sort_by_key(|index| (self.things[*index].last().map(|way| way.loses), *index));
        let (mut open, mut taken) = (goal, Vec::new());
        for index in by_loss {
            let (Some(way), false) = (self.things[index].len().checked_sub(1), is_met(open)) else {
                break;
            };
            open = less(open, self.things[index][way].frees);
            taken.push((index, way));
        }
        // What came early may not be needed any more, or not all of it.
        let mut kept = Vec::new();
        while let Some((index, way)) = taken.pop() {
            let without = plus(open, self.things[index][way].frees);
            if is_met(without) {
                open = without;
                continue;
            }
            let milder =
                (0..way).find(|milder| is_met(less(without, self.things[index][*milder].frees)));
            let way = milder.unwrap_or(way);
            open = less(without, self.things[index][way].frees);
            kept.push((index, way));
        }
        self.best = Some((self.loss(&kept), kept));
    }

    fn go(&mut self, position: usize, need: Frees, loss: Loss, taken: &mut Vec<(usize, usize)>) {
        if self.work >= WORK_MAX || self.best.as_ref().is_some_and(|(best, _)| loss >= *best) {
            return;
        }
        self.work += 1;
        if is_met(need) {
            self.best = Some((loss, taken.clone()));
            return;
        }
        let ahead = self.ahead[position];
        if ahead[0] < need[0] || ahead[1] < need[1] {
            return;
        }
        let index = self.order[position];
        for way in (0..self.things[index].len()).rev() {
            let cut = self.things[index][way];
            taken.push((index, way));
            let with = (loss.0 + cut.loses.0, loss.1 + cut.loses.1);
            self.go(position + 1, less(need, cut.frees), with, taken);
            taken.pop();
        }
        self.go(position + 1, need, loss, taken);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Taken = Vec<(usize, usize)>;

    fn loss(things: &[Vec<Cut>], taken: &[(usize, usize)]) -> Loss {
        let of = |(thing, way): &(usize, usize)| things[*thing][*way].loses;
        taken.iter().map(of).fold((0, 0), |sum, loss| (sum.0 + loss.0, sum.1 + loss.1))
    }

    fn freed(things: &[Vec<Cut>], taken: &[(usize, usize)]) -> Frees {
        let of = |(thing, way): &(usize, usize)| things[*thing][*way].frees;
        taken.iter().map(of).fold([0, 0], plus)
    }

    /// Every set of ways, at most one of a thing.
    fn sets(things: &[Vec<Cut>]) -> Vec<Taken> {
        let mut all: Vec<Taken> = vec![Vec::new()];
        for (thing, ways) in things.iter().enumerate() {
            for set in all.clone() {
                for way in 0..ways.len() {
                    all.push(set.iter().copied().chain([(thing, way)]).collect());
                }
            }
        }
        all
    }

    /// Against every set, for a thousand small cases: jobs with one way, services with several.
    #[test]
    fn nothing_that_frees_as_much_loses_less() {
        let mut state = 11_u64;
        let mut draw = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            i128::from((state >> 33) % below)
        };
        for _ in 0..1_000 {
            let mut things = Vec::new();
            for _ in 0..draw(6) {
                let (mut cut, mut ways) = (Cut { frees: [0, 0], loses: (0, 0) }, Vec::new());
                for _ in 0..=draw(3) {
                    cut.frees = plus(cut.frees, [draw(12), draw(20)]);
                    cut.loses = (cut.loses.0 + draw(4), cut.loses.1 + draw(10));
                    ways.push(cut);
                }
                things.push(ways);
            }
            let need = [draw(30), draw(60)];
            let chosen = least_loss(&things, need);
            let all = freed(&things, &most(&things));
            let goal = [need[0].min(all[0]), need[1].min(all[1])];
            let best =
                sets(&things).into_iter().filter(|set| is_met(less(goal, freed(&things, set))));
            let best = best.map(|set| loss(&things, &set)).min();
            assert!(chosen.proven);
            assert_eq!(chosen.enough, goal == need, "{things:?} {need:?}");
            assert_eq!(Some(loss(&things, &chosen.cuts)), best, "{things:?} {need:?}");
            assert!(is_met(less(goal, freed(&things, &chosen.cuts))));
        }
    }

    fn most(things: &[Vec<Cut>]) -> Taken {
        let last = |(thing, ways): (usize, &Vec<Cut>)| Some((thing, ways.len().checked_sub(1)?));
        things.iter().enumerate().filter_map(last).collect()
    }

    #[test]
    fn what_cannot_be_searched_whole_is_said_not_to_be_proven() {
        let cut = |index: i128| {
            let frees = 1_000 + index % 7;
            vec![Cut { frees: [frees, frees], loses: (0, 1_000 + index % 5) }]
        };
        let things: Vec<Vec<Cut>> = (0..200).map(cut).collect();
        let chosen = least_loss(&things, [100_000, 100_000]);
        assert!(chosen.enough && !chosen.proven);
        assert!(freed(&things, &chosen.cuts)[0] >= 100_000);
    }
}
