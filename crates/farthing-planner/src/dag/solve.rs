//! From a program to a choice within its deadlines and caps, with what is proven of it.

use super::available::settled;
use super::deadline::{due, fastest, obstacles};
use super::problem::Problem;
use super::program::{Label, Program, Sum};
use super::search::{Found, TooLarge, cheaper};
use super::timing::NEVER;
use super::{DagError, DagInput, Obstacle};
use farthing_model::{Money, Objective};

/// Halvings of a span of time where both time and cost are limited.
const HALVINGS: u64 = 40;
/// Ends that are tried where too few nodes are there for the first.
const LATER: u32 = 12;
/// The part of all work, one of so many, that may be spent beyond it on a first plan.
const OVERDRAFT: u64 = 4;
/// The part of all work, one of so many, that is kept for the cheapest choice that ends first.
const KEPT: u64 = 4;

/// A choice, or what stands against every choice.
pub(crate) enum Solved {
    Plan(Box<Chosen>),
    Obstacles(Vec<Obstacle>),
}

/// A choice with what is proven of it.
pub(crate) struct Chosen {
    pub(crate) choice: Vec<usize>,
    pub(crate) labels: Vec<Label>,
    pub(crate) sum: Sum,
    /// No choice has less of (bytes without a price, known cost).
    pub(crate) bound: Option<(u128, i128)>,
    /// Tasks that also wait for others, until these have left their nodes.
    pub(crate) waits: Vec<(usize, usize)>,
    /// When everything has ended, and, where time is the objective, what no choice is before.
    pub(crate) makespan: i64,
    pub(crate) makespan_bound: Option<i64>,
    /// Whether it is in time also if every node boots as late as it does at worst.
    pub(crate) careful: bool,
    /// When each vertex is due.
    pub(crate) due: Vec<i64>,
    pub(crate) method: &'static str,
    pub(crate) nodes: u64,
    pub(crate) work: u64,
}

/// The best choice of a program.
pub(crate) fn solve(input: &DagInput<'_>, program: &Program<'_>) -> Result<Solved, DagError> {
    solved(input, program).map_err(|TooLarge| DagError::TooLarge("the DAG".to_owned()))
}

fn solved(input: &DagInput<'_>, program: &Program<'_>) -> Result<Solved, TooLarge> {
    let due = due(input.dag, input.now, program.vertices.len());
    let limited = due.iter().any(|due| *due != NEVER);
    let problem = &program.problem;
    let mut work = Work { all: input.work_max, done: 0 };
    let timed = input.dag.objective == Objective::Time;
    if timed
        && input.dag.cost_max.is_none()
        && let Some(plan) = first(input, program, (&due, &mut work), None)?
    {
        return Ok(plan);
    }
    // With a cap the cheapest choice says whether there is any, and where to look from.
    let most = work.left() / if timed { 3 } else { 1 };
    let found = work.cheapest(problem, (limited.then_some(due.as_slice()), None), None, most)?;
    let Some((_, choice)) = &found.best else {
        return Ok(Solved::Obstacles(obstacles(input, problem, &due)?));
    };
    if let Some(obstacle) = over_cap(input, program, choice, &found) {
        return Ok(Solved::Obstacles(vec![obstacle]));
    }
    if timed && let Some(plan) = first(input, program, (&due, &mut work), Some(&found))? {
        return Ok(plan);
    }
    settled(input, program, (due, None), (found, &mut work))
}

/// The work of all searches for one plan.
#[derive(Clone, Copy)]
pub(super) struct Work {
    pub(super) all: u64,
    pub(super) done: u64,
}

impl Work {
    pub(super) fn left(&self) -> u64 {
        self.all.saturating_sub(self.done)
    }

    /// Whether so much more was done than may be that nothing else is begun: what was left too
    /// little for a first plan may be exceeded by a part.
    pub(super) fn is_overdrawn(&self) -> bool {
        self.done >= self.all + self.all / OVERDRAFT
    }

    /// A search with at most so much work.
    pub(super) fn cheapest(
        &mut self,
        problem: &Problem,
        (due, seed): (Option<&[i64]>, Option<&[usize]>),
        enough: Option<i128>,
        most: u64,
    ) -> Result<Found, TooLarge> {
        let found = cheaper(problem, due, seed, enough, most)?;
        self.done += found.work;
        Ok(found)
    }
}

/// Whether even the cheapest choice is over the cap on everything.
fn over_cap(
    input: &DagInput<'_>,
    program: &Program<'_>,
    choice: &[usize],
    found: &Found,
) -> Option<Obstacle> {
    let cap = input.dag.cost_max?;
    let sum = program.sum(&program.chosen(choice));
    let money = |pico| Money::from_pico(pico, cap.currency());
    let (_, bound) = bound(program, found, sum)?;
    let obstacle = Obstacle::Cost { cap, least: money(sum.known()), bound: money(bound) };
    (sum.known() > cap.pico()).then_some(obstacle)
}

/// What is proven of a choice as bytes without a price and known cost.
pub(super) fn bound(program: &Program<'_>, found: &Found, sum: Sum) -> Option<(u128, i128)> {
    let bound = found.bound?;
    let Some((weight, step)) = program.unknown else { return Some((0, bound)) };
    let steps = bound.div_euclid(weight).unsigned_abs() * u128::from(step);
    let known = if steps < sum.unpriced { 0 } else { bound.rem_euclid(weight) };
    Some((steps, known))
}

/// The choice that ends first within the cap on cost, and the cheapest of those; `None` where none
/// was found.
fn first(
    input: &DagInput<'_>,
    program: &Program<'_>,
    (due, work): (&[i64], &mut Work),
    cheap: Option<&Found>,
) -> Result<Option<Solved>, TooLarge> {
    let problem = &program.problem;
    let most = work.left() / 2;
    let Some(fast) = fastest(problem, due, most, &mut work.done)? else { return Ok(None) };
    let mut left = *work;
    let mut within = |at: i64, enough: Option<i128>, seed: &[usize], part: u64| {
        let due: Vec<i64> = due.iter().map(|due| (*due).min(at)).collect();
        let most = work.left() / part;
        let found = work.cheapest(problem, (Some(&due), Some(seed)), enough, most)?;
        Ok::<_, TooLarge>((found, *work))
    };
    let (mut low, mut high, mut seed) = (fast.bound, fast.makespan, fast.choice);
    if let Some(cheap) = cheap {
        // Where something has no price, costs are not in the search as the cap has them.
        let cap = input.dag.cost_max.map(Money::pico).filter(|_| program.unknown.is_none());
        let mut probe = |at: i64| -> Result<Answer, TooLarge> {
            if left.left() <= left.all / KEPT {
                return Ok(Answer::Unsure(false));
            }
            let (found, after) = within(at, cap, &seed, 8)?;
            left = after;
            if affordable(input, program, &found) {
                let end = makespan(problem, &found);
                seed = found.best.map(|(_, choice)| choice).unwrap_or_default();
                return Ok(Answer::Ends(end));
            }
            let over = over(input, program, &found);
            Ok(if over { Answer::Over } else { Answer::Unsure(true) })
        };
        if !matches!(probe(high)?, Answer::Ends(_)) {
            // The cheapest choice is affordable.
            (low, high) = narrowed((low, makespan(problem, cheap)), &mut probe)?;
        }
    }
    let (mut best, mut left) = within(high, None, &seed, 1)?;
    if !affordable(input, program, &best) {
        let Some(cheap) = cheap else { return Ok(None) };
        high = makespan(problem, cheap);
        best = cheap.clone();
    }
    // What nothing costs less than that may end later, nothing costs less than that may not.
    best.bound = best.bound.max(cheap.and_then(|cheap| cheap.bound));
    let early: Vec<i64> = due.iter().map(|due| (*due).min(high)).collect();
    let low = low.min(high);
    let patient = Found { bound: None, ..best.clone() };
    let plan = settled(input, program, (early, Some(low)), (best, &mut left))?;
    if matches!(plan, Solved::Plan(_)) || !program.market.limited {
        return Ok(Some(plan));
    }
    let patient = settled(input, program, (due.to_vec(), Some(low)), (patient, &mut left))?;
    let later = later(input, program, (due, left), (low, high), patient)?;
    Ok(Some(later.unwrap_or(plan)))
}

/// Where too few nodes are there to end first: the plan that ends soonest after that, as near as
/// halvings come, or the patient one, in which tasks wait.
fn later(
    input: &DagInput<'_>,
    program: &Program<'_>,
    (due, mut work): (&[i64], Work),
    (low, high): (i64, i64),
    patient: Solved,
) -> Result<Option<Solved>, TooLarge> {
    let (mut before, mut after, mut found) = (high, None, None);
    if let Solved::Plan(plan) = &patient {
        after = Some(plan.makespan);
        found = Some(patient);
    }
    for turn in 0..LATER {
        if work.is_overdrawn() || (work.left() == 0 && found.is_some()) {
            break;
        }
        let by = match after {
            Some(after) => before + (after - before) / 2,
            None => high.saturating_add((high / 32).max(1) << turn),
        };
        let limits: Vec<i64> = due.iter().map(|due| (*due).min(by)).collect();
        let most = (work.left() / 8).max(work.all / 64);
        let cheap = work.cheapest(&program.problem, (Some(&limits), None), None, most)?;
        let plan = settled(input, program, (limits, Some(low)), (cheap, &mut work))?;
        if let Solved::Plan(plan) = plan {
            after = Some(plan.makespan);
            found = Some(Solved::Plan(plan));
        } else {
            before = by;
        }
        if after.is_some_and(|after| after - before <= after / 1_000) {
            break;
        }
    }
    Ok(found)
}

/// Whether there is an affordable choice that ends by some moment.
enum Answer {
    /// One that ends then.
    Ends(i64),
    /// None.
    Over,
    /// It was not found out; whether there is work left for another question.
    Unsure(bool),
}

/// The moment before which nothing affordable ends and that at which something does, brought
/// nearer to each other. Where a question has no answer, later and earlier ones may have.
fn narrowed(
    (mut low, mut high): (i64, i64),
    probe: &mut impl FnMut(i64) -> Result<Answer, TooLarge>,
) -> Result<(i64, i64), TooLarge> {
    let mut unsure: Option<(i64, i64)> = None;
    for turn in 0..HALVINGS {
        unsure = unsure.filter(|(_, last)| *last >= low);
        let (from, to) = match unsure {
            None => (low, high),
            Some((_, last)) if turn.is_multiple_of(2) => (last + 1, high),
            Some((first, _)) => (low, first),
        };
        let middle = from + (to - from) / 2;
        if from >= to {
            if unsure.is_none() {
                break;
            }
            continue;
        }
        match probe(middle)? {
            Answer::Ends(end) => high = end,
            Answer::Over => low = middle + 1,
            Answer::Unsure(more) => {
                let (first, last) = unsure.unwrap_or((middle, middle));
                unsure = Some((first.min(middle), last.max(middle)));
                if !more {
                    break;
                }
            }
        }
        unsure = unsure.map(|(first, last)| (first.max(low).min(high), last.min(high)));
    }
    Ok((low, high))
}

/// Whether what was found is within the cap on everything.
fn affordable(input: &DagInput<'_>, program: &Program<'_>, found: &Found) -> bool {
    let Some((_, choice)) = &found.best else { return false };
    let cost = program.sum(&program.chosen(choice)).known();
    input.dag.cost_max.is_none_or(|cap| cost <= cap.pico())
}

fn makespan(problem: &Problem, found: &Found) -> i64 {
    found.best.as_ref().map_or(0, |(_, choice)| problem.timing.makespan(choice))
}

/// Whether it is proven that nothing in time is within the cap.
fn over(input: &DagInput<'_>, program: &Program<'_>, found: &Found) -> bool {
    let Some(cap) = input.dag.cost_max else { return false };
    match found.bound {
        None => true,
        Some(least) if program.unknown.is_none() => least > cap.pico(),
        Some(_) => found.is_proven(),
    }
}
