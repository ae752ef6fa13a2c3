//! A case: everything that a run depends on, as one short text. A seed draws one; what a text says
//! beside the seed takes the place of what was drawn, so that a run can be replayed and made
//! smaller.

use super::defect::Defect;
use super::trouble::{Trouble, world_rates};
use crate::random::Random;
use crate::scenario::{JobArrival, Scenario, ScenarioError};
use farthing_model::{
    Escalation, EscalationAction, Mode, Ratio, Workload, WorkloadId, WorkloadKind,
};
use jiff::SignedDuration;
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Ticks of a run, if nothing else is said.
const TICKS: u32 = 48;
/// The most jobs of a run.
const JOBS_MAX: u32 = 12;
/// Minutes between ticks: long ones simulate many days, short ones have many steps in an hour.
const INTERVALS: [u32; 8] = [5, 10, 15, 30, 60, 60, 120, 120];
/// Hours of a day, over which the jobs of a scenario come.
const DAY_H: i64 = 24;

/// How many controllers there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crew {
    /// One.
    One,
    /// Two at once, which only the journal keeps apart.
    Two,
    /// Two, of which one leads by a lease.
    Leased,
}

impl Crew {
    const ALL: [Self; 3] = [Self::One, Self::Two, Self::Leased];

    const fn name(self) -> &'static str {
        match self {
            Self::One => "one",
            Self::Two => "two",
            Self::Leased => "leased",
        }
    }
}

/// Everything that a run depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// What everything else is drawn from.
    pub seed: u64,
    /// Ticks of the run.
    pub ticks: u32,
    /// Minutes between them.
    pub every: u32,
    /// Jobs that come.
    pub jobs: u32,
    /// Whether there is a service.
    pub service: bool,
    /// How much is done without a person.
    pub mode: Mode,
    /// How many controllers there are.
    pub crew: Crew,
    /// Troubles that are on.
    pub troubles: BTreeSet<Trouble>,
    /// How often they strike, in per cent of their usual rate.
    pub percent: u32,
    /// Something that is put between a sound engine and a sound world, to be found.
    pub defect: Option<Defect>,
}

/// A text that is no case.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{part}` is no part of a case: {why}")]
pub struct CaseError {
    part: String,
    why: &'static str,
}

impl Case {
    /// The case of a seed: a random subset of troubles in a random small world.
    pub fn of(seed: u64) -> Self {
        let mut draw = Random::new(seed).fork("case");
        let every = *draw.pick(&INTERVALS).unwrap_or(&INTERVALS[0]);
        let jobs = u32::try_from(draw.between(1, JOBS_MAX.into())).unwrap_or(1);
        let service = draw.chance(400_000);
        let mode = if draw.chance(200_000) { Mode::Approve } else { Mode::Enforce };
        let crew = match draw.below(10) {
            0..6 => Crew::One,
            6..8 => Crew::Two,
            _ => Crew::Leased,
        };
        // Swarm testing: with everything on at once, one trouble hides another.
        let share = *draw.pick(&[0, 200_000, 500_000, 800_000]).unwrap_or(&0);
        let on = |trouble: &Trouble| draw.chance(share) && crew.can_meet(*trouble);
        let troubles = Trouble::ALL.into_iter().filter(on).collect();
        let percent = *Random::new(seed).fork("percent").pick(&[30, 100, 300]).unwrap_or(&100);
        let (ticks, defect) = (TICKS, None);
        Self { seed, ticks, every, jobs, service, mode, crew, troubles, percent, defect }
    }

    /// The case of a seed with a defect in it, and with what it needs to be seen.
    pub fn with(defect: Defect, seed: u64) -> Self {
        let mut case = Self { defect: Some(defect), ..Self::of(seed) };
        case.troubles.extend(defect.needs());
        for trouble in defect.needs() {
            match trouble {
                Trouble::Meeting => case.crew = Crew::Two,
                Trouble::LostLease => case.crew = Crew::Leased,
                _ => {}
            }
        }
        if defect == Defect::AsksNobody {
            case.mode = Mode::Approve;
        }
        case
    }

    /// The time between two ticks.
    pub fn interval(&self) -> SignedDuration {
        SignedDuration::from_mins(self.every.into())
    }

    /// The time that the run simulates.
    pub fn length(&self) -> SignedDuration {
        self.interval().saturating_mul(i32::try_from(self.ticks).unwrap_or(i32::MAX))
    }

    /// Whether nothing goes wrong and nothing is other than expected.
    pub fn is_calm(&self) -> bool {
        self.troubles.is_empty()
    }

    /// The world of the case: days of a small scenario, one after the other.
    pub(super) fn scenario(&self) -> Result<Scenario, ScenarioError> {
        let mut all = self.day()?;
        let mut draw = Random::new(self.seed).fork("storm");
        let days = self.length().as_hours() / DAY_H + 1;
        let mut arrivals = Vec::new();
        for number in 0..days {
            let day = Random::new(self.seed).fork_number(number.unsigned_abs()).bits();
            for arrival in Scenario::noise_free(day)?.jobs {
                arrivals.push(shifted(&arrival, number)?);
            }
        }
        let end = all.start + self.length();
        arrivals.retain(|arrival| arrival.at < end);
        // A random few of them, which stay the same few when there are to be fewer.
        let mut jobs = Vec::new();
        for _ in 0..self.jobs {
            let count = u64::try_from(arrivals.len()).unwrap_or(0);
            let Ok(index) = usize::try_from(draw.below(count)) else { break };
            if index < arrivals.len() {
                jobs.push(arrivals.swap_remove(index));
            }
        }
        jobs.sort_by(|a, b| (a.at, &a.workload.id).cmp(&(b.at, &b.workload.id)));
        (all.jobs, all.end) = (jobs, end);
        if !self.service {
            all.services.clear();
        }
        // Requests are what costs a simulation time, and are not what is looked at here.
        all.services.iter_mut().for_each(|service| service.stream.pace_milli = 100);
        self.limits(&mut all);
        all.faults = world_rates(|trouble| self.troubles.contains(&trouble), self.percent);
        Ok(all)
    }

    fn day(&self) -> Result<Scenario, ScenarioError> {
        if self.is_calm() {
            Scenario::noise_free(self.seed)
        } else {
            Scenario::random_day(self.seed)
        }
    }

    /// Limits and ladders: some bind, and some do not.
    fn limits(&self, all: &mut Scenario) {
        let mut draw = Random::new(self.seed).fork("limits");
        all.policy.mode = self.mode;
        let limits = &mut all.policy.limits;
        // In a calm world a plan is to be done at once, whole.
        if draw.chance(300_000) && !self.is_calm() {
            (limits.steps_per_hour, limits.nodes_per_tick) = (6, 3);
        }
        let ages = [120, 3_600, 8 * 3_600];
        limits.age_max = SignedDuration::from_secs(*draw.pick(&ages).unwrap_or(&ages[0]));
        if draw.chance(300_000) {
            limits.coverage_min = Ratio::from_ppm(990_000);
        }
        if draw.chance(400_000) && !self.is_calm() {
            let suspends = draw.chance(500_000);
            let action = if suspends { EscalationAction::Suspend } else { EscalationAction::Cut };
            let rung = Escalation { at: Ratio::from_ppm(600_000), action, mode: Mode::Enforce };
            let hard = all.budgets.iter_mut().filter(|budget| budget.hard);
            hard.for_each(|budget| budget.escalate = vec![rung]);
        }
    }
}

impl Crew {
    /// Whether it has what a trouble needs.
    fn can_meet(self, trouble: Trouble) -> bool {
        match trouble {
            Trouble::Meeting => self == Self::Two,
            Trouble::LostLease => self == Self::Leased,
            _ => true,
        }
    }
}

/// A job of another day, by another name.
fn shifted(arrival: &JobArrival, day: i64) -> Result<JobArrival, ScenarioError> {
    let by = SignedDuration::from_hours(DAY_H * day);
    let mut workload = Workload::clone(&arrival.workload);
    workload.id = WorkloadId::new(&format!("d{day}-{}", workload.id)).map_err(ScenarioError::Id)?;
    if let WorkloadKind::Job(job) = &mut workload.kind {
        job.submitted = job.submitted.map(|at| at + by);
        job.deadline = job.deadline.map(|at| at + by);
    }
    Ok(JobArrival { at: arrival.at + by, workload: Arc::new(workload), ..*arrival })
}

impl fmt::Display for Case {
    /// The seed, and what is other than it draws.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let drawn = Self::of(self.seed);
        write!(out, "{}", self.seed)?;
        for (name, is, was) in [
            ("ticks", self.ticks, drawn.ticks),
            ("every", self.every, drawn.every),
            ("jobs", self.jobs, drawn.jobs),
            ("percent", self.percent, drawn.percent),
        ] {
            if is != was {
                write!(out, ",{name}={is}")?;
            }
        }
        if self.service != drawn.service {
            write!(out, ",service={}", self.service)?;
        }
        if self.mode != drawn.mode {
            write!(out, ",mode={}", self.mode.name())?;
        }
        if self.crew != drawn.crew {
            write!(out, ",crew={}", self.crew.name())?;
        }
        if self.troubles != drawn.troubles {
            let names: Vec<_> = self.troubles.iter().map(|trouble| trouble.name()).collect();
            write!(out, ",troubles={}", names.join("+"))?;
        }
        if let Some(defect) = self.defect {
            write!(out, ",defect={}", defect.name())?;
        }
        Ok(())
    }
}

impl FromStr for Case {
    type Err = CaseError;

    fn from_str(text: &str) -> Result<Self, CaseError> {
        let mut parts = text.split(',');
        let first = parts.next().unwrap_or_default();
        let seed = number(first, first)?;
        let mut case = Self::of(seed);
        for part in parts {
            let wrong = |why| CaseError { part: part.to_owned(), why };
            let (name, value) = part.split_once('=').ok_or_else(|| wrong("it has no `=`"))?;
            match name {
                "ticks" => case.ticks = number(part, value)?,
                "every" => case.every = number::<u32>(part, value)?.max(1),
                "jobs" => case.jobs = number(part, value)?,
                "percent" => case.percent = number(part, value)?,
                "service" => {
                    case.service = value.parse().map_err(|_| wrong("it is `true` or `false`"))?;
                }
                "mode" => {
                    let mode = Mode::ALL.into_iter().find(|mode| mode.name() == value);
                    case.mode = mode.ok_or_else(|| wrong("there is no such mode"))?;
                }
                "crew" => {
                    let crew = Crew::ALL.into_iter().find(|crew| crew.name() == value);
                    case.crew = crew.ok_or_else(|| wrong("it is `one`, `two` or `leased`"))?;
                }
                "troubles" => {
                    let names = value.split('+').filter(|name| !name.is_empty());
                    let all: Option<BTreeSet<Trouble>> = names.map(Trouble::named).collect();
                    case.troubles = all.ok_or_else(|| wrong("there is no such trouble"))?;
                }
                "defect" => {
                    let defect = Defect::named(value);
                    case.defect = Some(defect.ok_or_else(|| wrong("there is no such defect"))?);
                }
                _ => return Err(wrong("there is nothing of that name")),
            }
        }
        Ok(case)
    }
}

fn number<T: FromStr>(part: &str, value: &str) -> Result<T, CaseError> {
    let wrong = |_| CaseError { part: part.to_owned(), why: "it needs a number" };
    value.parse().map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_is_its_text() {
        for seed in 0..200 {
            let drawn = Case::of(seed);
            assert_eq!(drawn.to_string(), seed.to_string());
            assert_eq!(seed.to_string().parse(), Ok(drawn.clone()));
            let mut other = Case::of(seed + 1);
            other.seed = seed;
            (other.ticks, other.defect) = (7, Some(Defect::ALL[0]));
            assert_eq!(other.to_string().parse(), Ok(other.clone()), "{other}");
        }
    }

    #[test]
    fn what_is_no_case_is_named() {
        for (text, part) in [
            ("", ""),
            ("x", "x"),
            ("1,jobs", "jobs"),
            ("1,jobs=many", "jobs=many"),
            ("1,troubles=rain", "troubles=rain"),
            ("1,weather=bad", "weather=bad"),
        ] {
            assert_eq!(text.parse::<Case>().unwrap_err().part, part, "{text}");
        }
    }

    #[test]
    fn fewer_jobs_are_some_of_those_that_were_there() {
        for seed in 0..20 {
            let case = Case { jobs: 6, ..Case::of(seed) };
            let names = |case: &Case| -> BTreeSet<String> {
                let jobs = case.scenario().unwrap().jobs;
                jobs.iter().map(|job| job.workload.id.to_string()).collect()
            };
            let (all, some) = (names(&case), names(&Case { jobs: 3, ..case.clone() }));
            assert!(some.is_subset(&all), "{seed}: {some:?} of {all:?}");
        }
    }
}
