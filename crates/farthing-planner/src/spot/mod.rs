//! Spot with a deadline: at each tick spot, on demand or nothing, for one job that can go on.
//!
//! A job of some hours must be done by a deadline. Spot is cheap, is there at some ticks only and
//! can be taken at any; each launch loses an overhead. What is there at the tick that begins is
//! known, nothing of the ticks after it. Time is in seconds and billed by whole ticks.
//!
//! Nothing here knows a cloud, a trace or a clock. Start with [`Policy`]; [`Learned`] is ours, the
//! others are what it is compared with; [`optimal`] knows the future; [`is_safe`] is the safety
//! net, which shares no code with any of them.

mod baseline;
mod learned;
mod net;
mod optimal;
mod table;
#[cfg(test)]
mod tests;
mod zone;

pub use baseline::{OnDemand, SpotElseOnDemand, SpotGreedy, UniformProgress};
pub use learned::{CostToGo, Learned, Prepared};
pub use net::is_safe;
pub use optimal::optimal;
pub use zone::ZonePrior;

use farthing_model::{Money, MoneyError};

/// Ticks until the deadline, at most: a longer job is planned in longer ticks.
pub const TICKS_MAX: i64 = 1_500;

/// What a job needs and what its time costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Length of a tick, in seconds.
    pub tick_s: i64,
    /// Work to be done, in seconds of a running job.
    pub work_s: i64,
    /// From the start to the deadline, in seconds: a whole number of ticks.
    pub deadline_s: i64,
    /// Seconds that each launch loses before work goes on.
    pub overhead_s: i64,
    /// An hour of spot.
    pub spot_hour: Money,
    /// An hour on demand.
    pub on_demand_hour: Money,
}

/// Why a job cannot be planned.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpotError {
    /// A length that is not above zero, or an overhead below it.
    #[error("{what} of {seconds} s: it must be {right}")]
    Length {
        /// Which one.
        what: &'static str,
        /// What was given.
        seconds: i64,
        /// What would be right.
        right: &'static str,
    },
    /// The deadline is between two ticks.
    #[error("a deadline of {deadline_s} s is no whole number of ticks of {tick_s} s")]
    BetweenTicks {
        /// The deadline.
        deadline_s: i64,
        /// The tick.
        tick_s: i64,
    },
    /// More ticks than are planned.
    #[error("{ticks} ticks to the deadline are more than {TICKS_MAX}: use longer ticks")]
    Long {
        /// Ticks.
        ticks: i64,
    },
    /// Spot that is not cheaper than on demand, or a price that is not above zero.
    #[error(
        "spot at {spot} an hour and on demand at {on_demand}: spot must cost something, and less"
    )]
    Prices {
        /// An hour of spot.
        spot: Money,
        /// An hour on demand.
        on_demand: Money,
    },
    /// The exact optimum would take too many states.
    #[error("the lengths have {unit_s} s in common: too fine for the optimum, round them")]
    Fine {
        /// What divides all lengths, in seconds.
        unit_s: i64,
    },
    /// The trace ends before the deadline.
    #[error("the trace has {given} ticks, the deadline is after {needed}")]
    Short {
        /// Ticks of the trace.
        given: usize,
        /// Ticks to the deadline.
        needed: i64,
    },
}

impl Terms {
    /// Checks them.
    ///
    /// # Errors
    /// Lengths or prices that make no job: see [`SpotError`].
    pub fn checked(self) -> Result<Self, SpotError> {
        let above =
            [("a tick", self.tick_s), ("work", self.work_s), ("a deadline", self.deadline_s)];
        if let Some((what, seconds)) = above.into_iter().find(|(_, seconds)| *seconds <= 0) {
            return Err(SpotError::Length { what, seconds, right: "above zero" });
        }
        let longest = self.deadline_s.max(self.tick_s);
        if self.overhead_s < 0 || self.overhead_s > longest {
            let right = "from zero to the deadline";
            return Err(SpotError::Length { what: "an overhead", seconds: self.overhead_s, right });
        }
        if self.deadline_s % self.tick_s != 0 {
            return Err(SpotError::BetweenTicks {
                deadline_s: self.deadline_s,
                tick_s: self.tick_s,
            });
        }
        if self.ticks() > TICKS_MAX {
            return Err(SpotError::Long { ticks: self.ticks() });
        }
        let (spot, on_demand) = (self.spot_hour, self.on_demand_hour);
        let cheaper = spot.compare(on_demand) == Some(std::cmp::Ordering::Less);
        if !cheaper || spot.is_negative() || spot.is_zero() {
            return Err(SpotError::Prices { spot, on_demand });
        }
        Ok(self)
    }

    /// Ticks until the deadline.
    pub fn ticks(&self) -> i64 {
        self.deadline_s / self.tick_s
    }

    /// What ticks cost, rounded down to 10^-12.
    ///
    /// # Errors
    /// Two currencies, or an amount that overflows.
    pub fn cost(&self, spent: Spent) -> Result<Money, MoneyError> {
        let of = |hour: Money, ticks: i64| hour.checked_mul_int(i128::from(ticks * self.tick_s));
        let seconds = of(self.spot_hour, spent.spot)?
            .checked_add(of(self.on_demand_hour, spent.on_demand)?)?;
        Ok(seconds.div_rem(3_600)?.0)
    }
}

/// Ticks that were paid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// On spot.
    pub spot: i64,
    /// On demand.
    pub on_demand: i64,
}

/// Where a job can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// On capacity that can be taken at any tick.
    Spot,
    /// On capacity that stays.
    OnDemand,
}

/// What to do with the tick that begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Run on spot, which is there; launch it if the job is not on it.
    Spot,
    /// Run on demand; launch it if the job is not on it.
    OnDemand,
    /// Pay nothing and get nowhere.
    Wait,
}

/// Where a job stands when a tick begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// Seconds since the start.
    pub elapsed_s: i64,
    /// Seconds of work that are done and saved.
    pub done_s: i64,
    /// Where it runs; spot that was taken is no longer here.
    pub on: Option<Place>,
    /// Seconds of the last launch that are not over.
    pub pending_s: i64,
}

impl State {
    /// Nothing done and nothing running.
    pub const START: Self = Self { elapsed_s: 0, done_s: 0, on: None, pending_s: 0 };

    /// The state as a tick begins: spot that is gone has been taken.
    #[must_use]
    pub fn observed(self, available: bool) -> Self {
        if self.on == Some(Place::Spot) && !available {
            Self { on: None, pending_s: 0, ..self }
        } else {
            self
        }
    }

    /// The state when the tick is over. Work that is done runs no further.
    #[must_use]
    pub fn after(self, terms: &Terms, action: Action) -> Self {
        let elapsed_s = self.elapsed_s + terms.tick_s;
        let on = match action {
            Action::Wait => return Self { elapsed_s, on: None, pending_s: 0, ..self },
            Action::Spot => Place::Spot,
            Action::OnDemand => Place::OnDemand,
        };
        let pending = if self.on == Some(on) { self.pending_s } else { terms.overhead_s };
        let worked = (terms.tick_s - pending).max(0);
        let done_s = (self.done_s + worked).min(terms.work_s);
        Self { elapsed_s, done_s, on: Some(on), pending_s: (pending - terms.tick_s).max(0) }
    }

    /// Work that is left, in seconds.
    pub fn remaining_s(&self, terms: &Terms) -> i64 {
        (terms.work_s - self.done_s).max(0)
    }

    /// Whole ticks until the deadline.
    pub fn ticks_left(&self, terms: &Terms) -> i64 {
        (terms.deadline_s - self.elapsed_s).div_euclid(terms.tick_s)
    }
}

/// A way to decide. It sees only what was there at ticks that have begun.
pub trait Policy {
    /// What to do with the tick that begins; `available` is whether spot is there in it.
    fn decide(&mut self, state: &State, available: bool) -> Action;
}
