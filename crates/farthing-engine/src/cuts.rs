//! Which of several cuts free enough and lose the least.
//!
//! A knapsack turned around: of all sets that free what is needed, the one whose loss is least,
//! first in value and then in money. It is searched whole, so that the answer is proven, up to a
//! limit of work; past that the best that was found is taken and said not to be proven. Refuses to
//! know what is cut; start at [`least_loss`].

/// Sets that are looked at, at most: twenty cuts are searched whole.
const WORK_MAX: u32 = 1 << 21;

/// Cuts that are searched, at most: of more the ones that lose the least are taken.
const CUTS_MAX: usize = 2_000;

/// A cut: what it frees, and what it loses. None is below zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    /// Money, in 10^-12.
    pub(crate) frees: i128,
    /// Value in 10^-9, and money in 10^-12.
    pub(crate) loses: (i128, i128),
}

/// What is to be cut.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Chosen {
    /// Which, ascending.
    pub(crate) cuts: Vec<usize>,
    /// Whether they free what is needed; else all there are were taken.
    pub(crate) enough: bool,
    /// Whether no set that frees as much loses less.
    pub(crate) proven: bool,
}

/// Of the sets of `cuts` that free `need` the one that loses the least; of several that do, the
/// first found, which depends on the order of `cuts` alone. The sums of `cuts` must fit.
pub(crate) fn least_loss(cuts: &[Cut], need: i128) -> Chosen {
    // What frees most comes first, so that hopeless ends are seen early.
    let mut order: Vec<usize> = (0..cuts.len()).filter(|index| cuts[*index].frees > 0).collect();
    order.sort_by_key(|index| (-cuts[*index].frees, cuts[*index].loses, *index));
    let mut ahead = vec![0; order.len() + 1];
    for (position, index) in order.iter().enumerate().rev() {
        ahead[position] = ahead[position + 1] + cuts[*index].frees;
    }
    if need <= 0 {
        return Chosen { cuts: Vec::new(), enough: true, proven: true };
    }
    if ahead[0] < need {
        order.sort_unstable();
        return Chosen { cuts: order, enough: false, proven: true };
    }
    let mut search = Search { cuts, order: &order, ahead: &ahead, best: None, work: 0 };
    search.greedy(need);
    let searched = order.len() <= CUTS_MAX;
    if searched {
        search.go(0, need, (0, 0), &mut Vec::new());
    }
    let proven = searched && search.work < WORK_MAX;
    let mut chosen = search.best.map(|(_, chosen)| chosen).unwrap_or_default();
    chosen.sort_unstable();
    Chosen { cuts: chosen, enough: true, proven }
}

struct Search<'a> {
    cuts: &'a [Cut],
    order: &'a [usize],
    /// What all from a position on free together.
    ahead: &'a [i128],
    best: Option<((i128, i128), Vec<usize>)>,
    work: u32,
}

impl Search<'_> {
    /// Begins with what loses the least, one after the other.
    fn greedy(&mut self, need: i128) {
        let mut by_loss = self.order.to_vec();
        by_loss.sort_by_key(|index| (self.cuts[*index].loses, *index));
        let (mut freed, mut loss, mut taken) = (0, (0, 0), Vec::new());
        for index in by_loss {
            if freed >= need {
                break;
            }
            let cut = self.cuts[index];
            freed += cut.frees;
            loss = (loss.0 + cut.loses.0, loss.1 + cut.loses.1);
            taken.push(index);
        }
        // What came early may not be needed any more.
        let mut kept = taken.clone();
        for index in taken.into_iter().rev() {
            let cut = self.cuts[index];
            if freed - cut.frees >= need {
                freed -= cut.frees;
                loss = (loss.0 - cut.loses.0, loss.1 - cut.loses.1);
                kept.retain(|other| *other != index);
            }
        }
        let taken = kept;
        self.best = Some((loss, taken));
    }

    fn go(&mut self, position: usize, need: i128, loss: (i128, i128), taken: &mut Vec<usize>) {
        if self.work >= WORK_MAX || self.best.as_ref().is_some_and(|(best, _)| loss >= *best) {
            return;
        }
        self.work += 1;
        if need <= 0 {
            self.best = Some((loss, taken.clone()));
            return;
        }
        if self.ahead[position] < need {
            return;
        }
        let index = self.order[position];
        let cut = self.cuts[index];
        taken.push(index);
        let with = (loss.0 + cut.loses.0, loss.1 + cut.loses.1);
        self.go(position + 1, need - cut.frees, with, taken);
        taken.pop();
        self.go(position + 1, need, loss, taken);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loss(cuts: &[Cut], chosen: &[usize]) -> (i128, i128) {
        let of = |index: &usize| cuts[*index].loses;
        chosen.iter().map(of).fold((0, 0), |sum, loss| (sum.0 + loss.0, sum.1 + loss.1))
    }

    /// Against every subset, for a thousand small cases.
    #[test]
    fn nothing_that_frees_as_much_loses_less() {
        let mut state = 11_u64;
        let mut draw = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            i128::from((state >> 33) % below)
        };
        for _ in 0..1_000 {
            let count = usize::try_from(draw(9)).unwrap();
            let cuts: Vec<Cut> =
                (0..count).map(|_| Cut { frees: draw(20), loses: (draw(4), draw(10)) }).collect();
            let need = draw(60);
            let chosen = least_loss(&cuts, need);
            let frees = |set: u32| {
                let inside = (0..count).filter(move |index| set >> index & 1 == 1);
                inside.collect::<Vec<_>>()
            };
            let best = (0..1_u32 << count)
                .map(frees)
                .filter(|set| set.iter().map(|index| cuts[*index].frees).sum::<i128>() >= need)
                .map(|set| loss(&cuts, &set))
                .min();
            assert!(chosen.proven);
            assert_eq!(chosen.enough, best.is_some(), "{cuts:?} {need}");
            if let Some(best) = best {
                assert_eq!(loss(&cuts, &chosen.cuts), best, "{cuts:?} {need}");
                let freed: i128 = chosen.cuts.iter().map(|index| cuts[*index].frees).sum();
                assert!(freed >= need);
            }
        }
    }

    #[test]
    fn what_cannot_be_searched_whole_is_said_not_to_be_proven() {
        let cut = |index: i128| Cut { frees: 1_000 + index % 7, loses: (0, 1_000 + index % 5) };
        let cuts: Vec<Cut> = (0..200).map(cut).collect();
        let chosen = least_loss(&cuts, 100_000);
        assert!(chosen.enough && !chosen.proven);
        let freed: i128 = chosen.cuts.iter().map(|index| cuts[*index].frees).sum();
        assert!(freed >= 100_000);
    }
}
