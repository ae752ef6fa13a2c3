//! Where a branch of the search stands, and what its relaxation says.

/// A bucket, or slices of one, that may be divided over the kinds of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// Which bucket.
    pub(super) bucket: usize,
    /// How many slices of it; 1 where it is whole.
    pub(super) slices: u32,
    /// Kinds that may take it, as bits.
    pub(super) kinds: u64,
}

/// A variable of the basis beside the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Basic {
    /// Replicas of a kind.
    Replicas(usize),
    /// Room left on a kind.
    Slack(usize),
    /// Replicas over the fewest.
    Surplus,
    /// A part on a kind that is not its key.
    Taken(usize, usize),
}

impl Basic {
    /// The part that it is about.
    pub(super) fn part(self) -> Option<usize> {
        match self {
            Self::Taken(part, _) => Some(part),
            Self::Replicas(_) | Self::Slack(_) | Self::Surplus => None,
        }
    }
}

/// Where a branch stands: its bounds, parts and basis.
#[derive(Clone, Debug)]
pub(super) struct State {
    /// Fewest and most replicas by kind.
    pub(super) lower: Vec<i64>,
    pub(super) upper: Vec<i64>,
    /// The parts.
    pub(super) parts: Vec<Part>,
    /// The key of each part.
    pub(super) key: Vec<usize>,
    /// One variable for each row.
    pub(super) work: Vec<Basic>,
    /// Kinds whose replicas stand at their upper bound while they are in no basis.
    pub(super) at_upper: Vec<bool>,
}

impl State {
    /// Whether the basis holds a part on a kind.
    pub(super) fn holds(&self, part: usize, kind: usize) -> bool {
        self.key[part] == kind || self.work.contains(&Basic::Taken(part, kind))
    }
}

/// How a relaxation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// At its optimum, as far as the digits go.
    Optimal,
    /// There seems to be no point; the prices are a ray that should prove it.
    Infeasible,
    /// Iterations ran out.
    Stopped,
}

/// A solved relaxation.
#[derive(Clone, Debug)]
pub(super) struct Relaxed {
    pub(super) end: End,
    /// Prices of the kinds' rows and of the row of the fewest, never negative.
    pub(super) prices: Vec<i64>,
    /// Replicas by kind.
    pub(super) replicas: Vec<i64>,
    /// Parts on kinds that are not their keys, as a proportion of the part.
    pub(super) taken: Vec<(usize, usize, i64)>,
    pub(super) rounds: u32,
}
