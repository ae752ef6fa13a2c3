//! Which branches a branch of the search becomes.
//!
//! Kinds that exclude each other come first, then divided slices that fill replicas, counts, and
//! small slices. Refuses to know what is proven about them. Start at [`Search::division`].

use super::super::fixed::{ONE, PLACES};
use super::super::state::{Part, Relaxed, State};
use super::{Search, WHOLE};

/// Replicas that a slice fills from which on it decides more than a replica of a kind does, and is
/// branched on first.
const LARGE: i128 = 2;

impl Search<'_> {
    /// Two branches that between them hold every choice of one, without its relaxed point.
    pub(super) fn division(&self, state: &State, relaxed: &Relaxed) -> Option<Vec<State>> {
        if let Some(children) = self.between_rivals(state) {
            return Some(children);
        }
        if let Some(children) = self.between_slices(state, relaxed, LARGE) {
            return Some(children);
        }
        let open =
            (0..self.problem.kinds.len()).filter(|kind| state.lower[*kind] < state.upper[*kind]);
        let scored = open.map(|kind| {
            let (whole, rest) = self.relaxation.replicas(relaxed.replicas[kind]);
            let off = i128::from(rest.min(ONE - rest));
            ((off * self.problem.kinds[kind].cost.max(1)) >> PLACES, off, whole, kind)
        });
        let best =
            scored.max_by_key(|(score, off, _, kind)| (*score, *off, std::cmp::Reverse(*kind)));
        // Where a relaxation has no point, what it stopped at may be out of bounds.
        let at = |whole: i64, kind: usize| {
            Self::at(state, kind, whole.clamp(state.lower[kind], state.upper[kind] - 1))
        };
        if let Some((_, _, whole, kind)) = best.filter(|(_, off, ..)| *off > i128::from(WHOLE)) {
            return Some(at(whole, kind));
        }
        if let Some(children) = self.between_slices(state, relaxed, 0) {
            return Some(children);
        }
        let (_, _, whole, kind) = best?;
        Some(at(whole, kind))
    }

    /// At most `whole` replicas of a kind, or more.
    fn at(state: &State, kind: usize, whole: i64) -> Vec<State> {
        let (mut below, mut above) = (state.clone(), state.clone());
        below.upper[kind] = whole.max(state.lower[kind]);
        above.lower[kind] = (whole + 1).min(state.upper[kind]);
        vec![below, above]
    }

    /// Of kinds of which one may be used: this one not, or the others not.
    pub(super) fn between_rivals(&self, state: &State) -> Option<Vec<State>> {
        let open = |kind: &&usize| state.upper[**kind] > 0;
        let group =
            self.problem.rivals.iter().find(|group| group.iter().filter(open).count() > 1)?;
        let first = *group.iter().find(open)?;
        let (mut without, mut only) = (state.clone(), state.clone());
        without.upper[first] = 0;
        for kind in group.iter().filter(|kind| **kind != first) {
            only.upper[*kind] = 0;
        }
        let possible = |state: &State| state.lower.iter().zip(&state.upper).all(|(l, u)| l <= u);
        Some(vec![without, only].into_iter().filter(possible).collect())
    }

    /// At most so many slices of a divided part on a kind, or more, of slices that fill at least so
    /// many replicas.
    fn between_slices(
        &self,
        state: &State,
        relaxed: &Relaxed,
        replicas: i128,
    ) -> Option<Vec<State>> {
        let room = self.problem.room * i128::from(self.problem.slices?) * replicas;
        let divided = relaxed.taken.iter().filter_map(|(part, kind, share)| {
            let slices = i128::from(state.parts[*part].slices) * i128::from(*share);
            let whole = u32::try_from(slices >> PLACES).ok()?;
            let rest = slices - (i128::from(whole) << PLACES);
            let off = rest.min(i128::from(ONE) - rest);
            let load = self.problem.loads[state.parts[*part].bucket][*kind]?;
            let open = off > i128::from(WHOLE) && load >= room;
            open.then_some((
                off.checked_mul(load >> 20)?,
                *part,
                *kind,
                whole,
                rest * 2 > i128::from(ONE),
            ))
        });
        let (_, part, kind, whole, up) =
            divided.max_by_key(|(score, part, ..)| (*score, std::cmp::Reverse(*part)))?;
        let Part { bucket, slices, kinds } = state.parts[part];
        let more = whole + 1;
        // At least `more` slices there: these go there, and the rest may.
        let mut above = state.clone();
        above.parts[part].slices = slices - more;
        above.parts.push(Part { bucket, slices: more, kinds: 1 << kind });
        above.key.push(kind);
        // At most `whole` there: all others go elsewhere.
        let mut below = state.clone();
        below.parts[part].slices = whole;
        let elsewhere = kinds & !(1 << kind);
        below.parts.push(Part { bucket, slices: slices - whole, kinds: elsewhere });
        below.key.push(self.relaxation.cheapest(bucket, elsewhere, &relaxed.prices));
        Some(if up { vec![above, below] } else { vec![below, above] })
    }
}
