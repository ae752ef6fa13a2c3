//! Jobs with deadlines on spot, replayed on windows of availability under several policies.
//!
//! The policies are those of [`farthing_planner::spot`]; this only lets ticks pass, pays them and
//! holds ours to the safety net. It knows nothing of how they decide. Start with [`replay`].

use crate::rule;
use crate::trace::SpotWindow;
use farthing_model::{Money, MoneyError};
use farthing_planner::spot::{
    Action, CostToGo, Learned, OnDemand, Place, Policy, Prepared, Spent, SpotElseOnDemand,
    SpotError, SpotGreedy, State, Terms, UniformProgress, ZonePrior, is_safe, optimal,
};
use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How jobs are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SpotRule {
    /// Ours: the least expected cost to go in the zone that was seen so far.
    Farthing,
    /// Uniform Progress.
    UniformProgress,
    /// Uniform Progress that leaves on demand as soon as there is spot.
    UniformProgressEager,
    /// Spot until on demand is forced.
    SpotGreedy,
    /// Spot where it is, else on demand.
    SpotElseOnDemand,
    /// On demand alone.
    OnDemand,
    /// The least cost with the future known.
    Optimal,
}

impl SpotRule {
    /// All, with their names on the command line.
    pub const ALL: [(Self, &'static str); 7] = [
        (Self::Farthing, "farthing"),
        (Self::UniformProgress, "uniform-progress"),
        (Self::UniformProgressEager, "uniform-progress-eager"),
        (Self::SpotGreedy, "spot-greedy"),
        (Self::SpotElseOnDemand, "spot-else-on-demand"),
        (Self::OnDemand, "on-demand"),
        (Self::Optimal, "optimal"),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        rule::name(&Self::ALL, &self)
    }
}

impl fmt::Display for SpotRule {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.name())
    }
}

impl FromStr for SpotRule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        rule::policy(&Self::ALL, text)
    }
}

/// Why a replay failed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The job cannot be planned.
    #[error(transparent)]
    Spot(SpotError),
    /// Costs cannot be summed.
    #[error(transparent)]
    Money(MoneyError),
    /// A window is too short for a deadline.
    #[error("window {window} of {env}: {source}")]
    Window {
        /// The environment.
        env: String,
        /// The window.
        window: u32,
        /// What is wrong.
        source: SpotError,
    },
}

/// One job in one window under one policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpotRun {
    /// The place of its terms among those that were asked for.
    pub terms: usize,
    /// The place of its window.
    pub window: usize,
    /// What was paid.
    pub cost: Money,
    /// What was paid for seconds in which work went on; of the optimum it is not known.
    pub used: Option<Money>,
    /// Seconds from the start to the end of the work, or `None` where the trace ended first or only
    /// the cost is known.
    pub finished_s: Option<i64>,
    /// Whether it ended after the deadline, or not at all.
    pub late: bool,
    /// Ticks that were decided.
    pub ticks: u32,
    /// Decisions that the safety net put right.
    pub overruled: u32,
}

/// A decision, with what each action was expected to cost from then on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Seconds since the start.
    pub elapsed_s: i64,
    /// Work that was left, in seconds.
    pub remaining_s: i64,
    /// Whether spot was there.
    pub available: bool,
    /// What was done.
    pub action: Action,
    /// What each action was expected to cost.
    pub expected: CostToGo,
}

/// Runs each job in each window under one policy, on so many threads. `progress` is told how many
/// of how many jobs are done. The same answer for any number of threads.
///
/// # Errors
/// Terms that make no job, a window that ends before a deadline, or amounts that overflow.
pub fn replay(
    (windows, terms): (&[&SpotWindow], &[Terms]),
    rule: SpotRule,
    threads: usize,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Vec<SpotRun>, ReplayError> {
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let total = windows.len() * terms.len();
    let work = || {
        let mut runs = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(asked) = terms.get(at) else { return Ok(runs) };
            let asked = asked.checked().map_err(ReplayError::Spot)?;
            let job = Job::new(asked, rule)?;
            for (place, window) in windows.iter().enumerate() {
                let mut run = job.run(window)?;
                (run.terms, run.window) = (at, place);
                runs.push(run);
                progress(done.fetch_add(1, Ordering::Relaxed) + 1, total);
            }
        }
    };
    let threads = threads.clamp(1, terms.len().max(1));
    let parts = std::thread::scope(|scope| {
        let handles: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let joined = handles.into_iter().map(|handle| match handle.join() {
            Ok(part) => part,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        joined.collect::<Result<Vec<Vec<SpotRun>>, ReplayError>>()
    })?;
    let mut runs: Vec<SpotRun> = parts.into_iter().flatten().collect();
    runs.sort_by_key(|run| (run.terms, run.window));
    Ok(runs)
}

/// The decisions of our policy in one window, each with its reasons.
///
/// # Errors
/// As those of [`replay`].
pub fn decisions(window: &SpotWindow, terms: &Terms) -> Result<Vec<Decision>, ReplayError> {
    let terms = terms.checked().map_err(ReplayError::Spot)?;
    let prepared = Prepared::new(&terms, &ZonePrior::default()).map_err(ReplayError::Spot)?;
    let mut policy = Learned::new(&prepared);
    let mut state = State::START;
    let mut all = Vec::new();
    for available in &window.available {
        state = state.observed(*available);
        let wish = policy.decide(&state, *available);
        let action = if is_safe(&terms, &state, wish) { wish } else { Action::OnDemand };
        all.push(Decision {
            elapsed_s: state.elapsed_s,
            remaining_s: state.remaining_s(&terms),
            available: *available,
            action,
            expected: policy.cost_to_go(),
        });
        state = state.after(&terms, action);
        if state.remaining_s(&terms) == 0 {
            break;
        }
    }
    Ok(all)
}

/// A job that is run in many windows.
struct Job {
    terms: Terms,
    rule: SpotRule,
    prepared: Option<Prepared>,
}

impl Job {
    fn new(terms: Terms, rule: SpotRule) -> Result<Self, ReplayError> {
        let prior = ZonePrior::default();
        let prepared = (rule == SpotRule::Farthing).then(|| Prepared::new(&terms, &prior));
        let prepared = prepared.transpose().map_err(ReplayError::Spot)?;
        Ok(Self { terms, rule, prepared })
    }

    fn run(&self, window: &SpotWindow) -> Result<SpotRun, ReplayError> {
        let terms = self.terms;
        let of_window =
            |source| ReplayError::Window { env: window.env.clone(), window: window.window, source };
        let given = window.available.len();
        if usize::try_from(terms.ticks()).is_ok_and(|needed| needed > given) {
            return Err(of_window(SpotError::Short { given, needed: terms.ticks() }));
        }
        match (&self.prepared, self.rule) {
            (Some(prepared), _) => self.ticks(window, &mut Learned::new(prepared)),
            (None, SpotRule::UniformProgress) => {
                self.ticks(window, &mut UniformProgress { terms, hysteresis: true })
            }
            (None, SpotRule::UniformProgressEager) => {
                self.ticks(window, &mut UniformProgress { terms, hysteresis: false })
            }
            (None, SpotRule::SpotGreedy) => self.ticks(window, &mut SpotGreedy(terms)),
            (None, SpotRule::SpotElseOnDemand) => self.ticks(window, &mut SpotElseOnDemand(terms)),
            (None, SpotRule::Optimal) => {
                match optimal(&terms, &window.available).map_err(of_window)? {
                    Some(cost) => Ok(SpotRun { cost, late: false, ..self.nothing() }),
                    // Nothing is in time: on demand from the start ends first.
                    None => self.ticks(window, &mut OnDemand),
                }
            }
            (None, SpotRule::OnDemand | SpotRule::Farthing) => self.ticks(window, &mut OnDemand),
        }
    }

    fn nothing(&self) -> SpotRun {
        let cost = Money::zero(self.terms.spot_hour.currency());
        SpotRun {
            terms: 0,
            window: 0,
            cost,
            used: None,
            finished_s: None,
            late: true,
            ticks: 0,
            overruled: 0,
        }
    }

    /// Lets ticks pass until the work is done or the trace ends.
    fn ticks(&self, window: &SpotWindow, policy: &mut dyn Policy) -> Result<SpotRun, ReplayError> {
        let terms = &self.terms;
        let mut run = self.nothing();
        let mut state = State::START;
        let (mut spent, mut worked_s) = (Spent::default(), [0, 0]);
        for available in &window.available {
            state = state.observed(*available);
            let mut action = policy.decide(&state, *available);
            if self.rule == SpotRule::Farthing && !is_safe(terms, &state, action) {
                action = Action::OnDemand;
                run.overruled += 1;
            }
            if action == Action::Spot && !available {
                action = Action::Wait;
            }
            let after = state.after(terms, action);
            match after.on {
                Some(Place::Spot) => {
                    spent.spot += 1;
                    worked_s[0] += after.done_s - state.done_s;
                }
                Some(Place::OnDemand) => {
                    spent.on_demand += 1;
                    worked_s[1] += after.done_s - state.done_s;
                }
                None => {}
            }
            run.ticks += 1;
            if after.remaining_s(terms) == 0 {
                let launch_s =
                    if state.on == after.on { state.pending_s } else { terms.overhead_s };
                let finished_s = state.elapsed_s + launch_s + after.done_s - state.done_s;
                run.finished_s = Some(finished_s);
                run.late = finished_s > terms.deadline_s;
                break;
            }
            state = after;
        }
        run.cost = terms.cost(spent).map_err(ReplayError::Money)?;
        run.used = Some(self.used(worked_s).map_err(ReplayError::Money)?);
        Ok(run)
    }

    /// What seconds on spot and on demand cost.
    fn used(&self, [spot_s, on_demand_s]: [i64; 2]) -> Result<Money, MoneyError> {
        let spot = self.terms.spot_hour.checked_mul_int(spot_s.into())?;
        let on_demand = self.terms.on_demand_hour.checked_mul_int(on_demand_s.into())?;
        Ok(spot.checked_add(on_demand)?.div_rem(3_600)?.0)
    }
}
