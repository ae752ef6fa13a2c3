//! Which variable enters: the dual ratio test with long steps.
//!
//! A row that is out of its bounds asks for prices to move until some variable loses its reduced
//! cost. Where that is a part of a bucket that nothing divides, and all of it can move to the
//! other kind without bringing the row back, a pivot would only be followed by the next one: the
//! part moves whole and the prices go on. So one step does what would be many.

use super::state::Basic;

/// How much below zero a reduced cost may slip for a better pivot.
const SLIP: i128 = 1 << 14;

/// A variable that loses its reduced cost as prices move.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    pub(super) variable: Basic,
    /// Its reduced cost, not negative.
    pub(super) reduced: i64,
    /// How fast it is lost; above zero.
    pub(super) alpha: i64,
}

/// A part that nothing divides, on its way over its kinds.
pub(super) struct Undivided {
    /// All of it.
    pub(super) weight: i64,
    /// The kinds it may move to, from the one it is on, among all of [`Moves::kinds`].
    pub(super) kinds: std::ops::Range<usize>,
}

/// What may change.
#[derive(Default)]
pub(super) struct Moves {
    /// Variables that enter when they lose their reduced cost.
    pub(super) single: Vec<Candidate>,
    /// Parts that may move whole before.
    pub(super) parts: Vec<Undivided>,
    /// The kinds of all of them.
    pub(super) kinds: Vec<Candidate>,
}

/// What enters, and the kinds that parts move to before.
pub(super) struct Step {
    pub(super) entering: Basic,
    pub(super) moved: Vec<(usize, usize)>,
}

/// The next variable to lose its reduced cost.
#[derive(Clone, Copy)]
struct Event {
    at: Candidate,
    /// Reduced cost and speed from where the part is now.
    reduced: i64,
    alpha: i64,
    /// The undivided part that it belongs to.
    of: Option<usize>,
}

impl Event {
    /// Whether it comes before another one; of two at once, the faster.
    fn before(&self, other: &Self) -> bool {
        let ours = i128::from(self.reduced) * i128::from(other.alpha);
        let theirs = i128::from(other.reduced) * i128::from(self.alpha);
        ours < theirs || (ours == theirs && self.alpha > other.alpha)
    }

    /// Whether it comes no later than another one, but for what may slip.
    fn as_good_as(&self, other: &Self) -> bool {
        i128::from(self.reduced) * i128::from(other.alpha)
            <= (i128::from(other.reduced) + SLIP) * i128::from(self.alpha)
    }
}

impl Undivided {
    /// The first kind that is as cheap as the one it is on, as prices move on.
    fn next(
        &self,
        kinds: &[Candidate],
        of: usize,
        on: Option<Candidate>,
        pivot: i64,
    ) -> Option<Event> {
        let (reduced, alpha) = on.map_or((0, 0), |on| (on.reduced, on.alpha));
        let events =
            kinds[self.kinds.clone()].iter().filter(|it| it.alpha - alpha >= pivot).map(|it| {
                Event {
                    at: *it,
                    reduced: (it.reduced - reduced).max(0),
                    alpha: it.alpha - alpha,
                    of: Some(of),
                }
            });
        events.reduce(|a, b| if b.before(&a) { b } else { a })
    }
}

/// The step for a row that is out of its bounds by `excess`; `None` where no variable brings it
/// back. Pivots are at least `pivot`, and what is out by no more than `tiny` is not out.
pub(super) fn step(moves: &Moves, excess: i64, (pivot, tiny): (i64, i64)) -> Option<Step> {
    let Moves { single, parts, kinds } = moves;
    let alone = single.iter().map(|at| {
        let (reduced, alpha) = (at.reduced, at.alpha);
        Event { at: *at, reduced, alpha, of: None }
    });
    let next = |of: usize, on: Option<Candidate>| parts[of].next(kinds, of, on, pivot);
    let first = (0..parts.len()).filter_map(|of| next(of, None));
    let mut events: Vec<Event> = alone.chain(first).collect();
    let mut moved: Vec<(usize, usize)> = Vec::new();
    let mut left = i128::from(excess);
    loop {
        let (at, event) = events
            .iter()
            .copied()
            .enumerate()
            .reduce(|a, b| if b.1.before(&a.1) { b } else { a })?;
        let gain = event.of.map(|of| {
            (i128::from(parts[of].weight) * i128::from(event.alpha)) >> super::fixed::PLACES
        });
        if let (Some(of), Some(gain), Basic::Taken(part, kind)) =
            (event.of, gain.filter(|gain| left - gain > i128::from(tiny)), event.at.variable)
        {
            left -= gain;
            moved.retain(|(other, _)| *other != part);
            moved.push((part, kind));
            match next(of, Some(event.at)) {
                Some(next) => events[at] = next,
                None => {
                    events.swap_remove(at);
                }
            }
            continue;
        }
        let as_good = events.iter().filter(|other| other.as_good_as(&event));
        let best = as_good.max_by_key(|other| other.alpha)?;
        return Some(Step { entering: best.at.variable, moved });
    }
}
