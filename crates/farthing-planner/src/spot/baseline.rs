//! What ours is compared with: greedy, Uniform Progress and its variant, spot else on demand, and
//! on demand alone, by the rules of *Can't Be Late* (Wu et al., NSDI 2024) and of the programs that
//! its figures come from, which round the time that is needed up to whole ticks.

use super::{Action, Place, Policy, State, Terms};

/// On demand from the start to the end.
#[derive(Clone, Copy, Debug)]
pub struct OnDemand;

impl Policy for OnDemand {
    fn decide(&mut self, _: &State, _: bool) -> Action {
        Action::OnDemand
    }
}

/// Spot where it is and nothing where it is not, until the time left forces on demand.
#[derive(Clone, Copy, Debug)]
pub struct SpotGreedy(pub Terms);

impl Policy for SpotGreedy {
    fn decide(&mut self, state: &State, available: bool) -> Action {
        let wish = if available { Action::Spot } else { Action::Wait };
        forced(&self.0, state, 2).unwrap_or(wish)
    }
}

/// Spot where it is, on demand where it is not, until the time left forces on demand.
#[derive(Clone, Copy, Debug)]
pub struct SpotElseOnDemand(pub Terms);

impl Policy for SpotElseOnDemand {
    fn decide(&mut self, state: &State, available: bool) -> Action {
        let wish = if available { Action::Spot } else { Action::OnDemand };
        forced(&self.0, state, 1).unwrap_or(wish)
    }
}

/// Progress in proportion to time: what is behind that runs on demand where there is no spot.
#[derive(Clone, Copy, Debug)]
pub struct UniformProgress {
    /// The job.
    pub terms: Terms,
    /// Whether a job on demand goes back to spot only when it is ahead by two launches, the second
    /// condition of the paper.
    pub hysteresis: bool,
}

impl UniformProgress {
    /// Whether the work done is less than its share of the time until so many seconds from now.
    fn is_behind(&self, state: &State, ahead_s: i64, or_even: bool) -> bool {
        let due = i128::from(state.elapsed_s + ahead_s) * i128::from(self.terms.work_s);
        let done = i128::from(state.done_s) * i128::from(self.terms.deadline_s);
        done < due || or_even && done == due
    }
}

impl Policy for UniformProgress {
    fn decide(&mut self, state: &State, available: bool) -> Action {
        let mut wish = match (available, self.is_behind(state, 0, false)) {
            (true, _) => Action::Spot,
            (false, true) => Action::OnDemand,
            (false, false) => Action::Wait,
        };
        if state.on == Some(Place::OnDemand) {
            let ahead_s = 2 * self.terms.overhead_s;
            let stays = self.hysteresis && self.is_behind(state, ahead_s, true);
            if !available || stays {
                wish = Action::OnDemand;
            }
        }
        forced(&self.terms, state, 2).unwrap_or(wish)
    }
}

/// What the time left forces: on demand where only `launches` of them fit, and a job that runs on
/// spot stays on it until it is taken.
fn forced(terms: &Terms, state: &State, launches: i64) -> Option<Action> {
    let tight = |launches: i64| {
        let needed_s = state.remaining_s(terms) + launches * terms.overhead_s;
        needed_s.div_euclid(terms.tick_s) + i64::from(needed_s % terms.tick_s > 0)
            >= state.ticks_left(terms)
    };
    let on_spot = state.on == Some(Place::Spot);
    if tight(1) {
        let runs = on_spot && state.pending_s == 0;
        return Some(if runs { Action::Spot } else { Action::OnDemand });
    }
    (launches > 1 && tight(launches) && !on_spot).then_some(Action::OnDemand)
}
