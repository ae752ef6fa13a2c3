//! How Workloads are answered: what people choose, and how long things take.

use farthing_model::Mode;
use jiff::SignedDuration;

/// What to do where a decision cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fail {
    /// Let work in.
    Open,
    /// Let no work in.
    Closed,
}

impl Fail {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "fail-open",
            Self::Closed => "fail-closed",
        }
    }
}

/// What holds for all Workloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Below [`Mode::Approve`] all are let in, and told what would have been; only in
    /// [`Mode::Enforce`] those that run are stopped.
    pub mode: Mode,
    /// What to do where the price is not known.
    pub fail: Fail,
    /// So much is set aside at a time for what has no end that is known.
    pub step: SignedDuration,
    /// How long before the end of what is set aside more is asked for.
    pub ahead: SignedDuration,
    /// Between saying that one will be stopped, and stopping it: time for a checkpoint.
    pub grace: SignedDuration,
    /// How long one that was held waits at least before it is tried again.
    pub rest: SignedDuration,
    /// Whether effective priorities are set.
    pub boosts: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            mode: Mode::Enforce,
            fail: Fail::Closed,
            step: SignedDuration::from_hours(1),
            ahead: SignedDuration::from_mins(15),
            grace: SignedDuration::from_mins(5),
            rest: SignedDuration::from_mins(1),
            boosts: false,
        }
    }
}

impl Rules {
    /// Whether work that does not fit waits.
    pub(crate) fn holds(&self) -> bool {
        self.mode >= Mode::Approve
    }

    /// Whether work that runs is stopped.
    pub(crate) fn brakes(&self) -> bool {
        self.mode >= Mode::Enforce
    }
}
