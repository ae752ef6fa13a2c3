//! What a branch cannot hold: slices that are larger than what is left of a kind's replicas.
//!
//! The relaxation would put half of a slice on a kind that has no room for the whole. Here the
//! room of a kind at its most replicas, less what is on it for certain, says how many slices of a
//! part can be there at all. It knows no prices; everything is exact.

use super::problem::Problem;
use super::state::{Part, State};

/// What became of a branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Narrowed {
    /// It holds no choice.
    Empty,
    /// Its basis is still one of its own.
    Kept,
    /// The basis holds what is gone.
    Lost,
}

/// Takes from the parts of a branch the kinds that have no room for a slice of them, until nothing
/// changes. With `divide`, a part of which only some slices fit becomes two; deeper in the search
/// that makes more parts than it closes branches.
pub(super) fn narrow(problem: &Problem, state: &mut State, divide: bool) -> Narrowed {
    let Some(slices) = problem.slices else { return without_none(problem, state) };
    let room = problem.room * i128::from(slices);
    let left = state.upper.iter().map(|most| room * i128::from(*most)).collect();
    let mut narrowing = Narrowing { problem, left, divide, lost: false };
    if state.parts.iter().any(|part| !narrowing.settles(*part)) {
        return Narrowed::Empty;
    }
    loop {
        let mut changed = false;
        for at in 0..state.parts.len() {
            if settled(state.parts[at]) || state.parts[at].slices == 0 {
                continue;
            }
            let before = state.parts[at];
            narrowing.part(state, at);
            changed |= state.parts[at] != before;
            if state.parts[at].kinds == 0 || !narrowing.settles(state.parts[at]) {
                return Narrowed::Empty;
            }
        }
        if !changed {
            return if narrowing.lost { Narrowed::Lost } else { Narrowed::Kept };
        }
    }
}

/// Whether a part has no choice left.
fn settled(part: Part) -> bool {
    part.kinds.is_power_of_two()
}

struct Narrowing<'p> {
    problem: &'p Problem,
    /// Room by kind, in units of a slice's load, less what is there for certain.
    left: Vec<i128>,
    divide: bool,
    lost: bool,
}

impl Narrowing<'_> {
    /// Takes room for a part that has no choice left; whether there is enough.
    fn settles(&mut self, part: Part) -> bool {
        if !settled(part) {
            return true;
        }
        let kind = part.kinds.trailing_zeros() as usize;
        let load = self.problem.loads[part.bucket][kind].unwrap_or(0);
        self.left[kind] -= load * i128::from(part.slices);
        self.left[kind] >= 0
    }

    /// Takes from a part the kinds that it does not fit on.
    fn part(&mut self, state: &mut State, at: usize) {
        let mut rest = state.parts[at].kinds;
        while rest != 0 {
            let kind = rest.trailing_zeros() as usize;
            rest &= rest - 1;
            let Part { bucket, slices, kinds } = state.parts[at];
            let load = self.problem.loads[bucket][kind].unwrap_or(0);
            let whole = load * i128::from(slices) <= self.left[kind];
            // A load of nothing always fits.
            let fit = if whole { slices.into() } else { self.left[kind] / load };
            if whole || (fit > 0 && !self.divide) {
                continue;
            }
            let others = kinds & !(1 << kind);
            let fit = u32::try_from(fit).unwrap_or(0);
            if fit == 0 {
                self.lost |= state.holds(at, kind);
                state.parts[at].kinds = others;
            } else if others != 0 {
                state.parts[at].slices = fit;
                state.parts.push(Part { bucket, slices: slices - fit, kinds: others });
                state.key.push(others.trailing_zeros() as usize);
                // The shares of the basis were those of the whole part.
                self.lost = true;
            }
        }
    }
}

/// Takes from every part the kinds of which there can be no replica, except where a bucket is no
/// load at all.
fn without_none(problem: &Problem, state: &mut State) -> Narrowed {
    let mut lost = false;
    for at in 0..state.parts.len() {
        let Part { bucket, kinds, .. } = state.parts[at];
        for kind in (0..state.upper.len()).filter(|kind| kinds >> kind & 1 == 1) {
            if state.upper[kind] == 0 && problem.loads[bucket][kind].is_none_or(|load| load > 0) {
                lost |= state.holds(at, kind);
                state.parts[at].kinds &= !(1 << kind);
            }
        }
        if state.parts[at].kinds == 0 {
            return Narrowed::Empty;
        }
    }
    if lost { Narrowed::Lost } else { Narrowed::Kept }
}
