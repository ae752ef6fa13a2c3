//! The choice itself. Proposals that share nothing with others are decided by themselves; small
//! parts that hang together by looking at every choice, large ones by an integer program, one
//! objective after the other.

use super::search::search;
use super::{Arbitration, Duty, Proposal};
use crate::PlanError;
use farthing_milp::{
    Kind, Limits, Outcome, Problem, ProblemError, Row, Sense, Solution, VarSpec, solve,
};
use std::collections::BTreeMap;

/// Sums of money are below this many grains in the solver, which tells no finer ones apart.
const GRAINS_MAX: i128 = 1 << 29;
/// Proposals of a part whose every choice is looked at.
const SMALL: usize = 48;
/// What ranks before money, the first first.
const DUTIES: [Duty; 3] = [Duty::Approved, Duty::Limit, Duty::Work];

/// Proposals that hang together: by what they dispose of, need, or share where that is short.
pub(super) fn parts(asked: &Arbitration<'_>) -> Vec<Vec<usize>> {
    let mut root: Vec<usize> = (0..asked.proposals.len()).collect();
    let mut first_of = BTreeMap::new();
    let short: Vec<bool> = (0..asked.limits.len()).map(|limit| is_short(asked, limit)).collect();
    let mut first_with = vec![None; asked.limits.len()];
    for (at, proposal) in asked.proposals.iter().enumerate() {
        for target in &proposal.targets {
            let first = *first_of.entry(target).or_insert(at);
            join(&mut root, first, at);
        }
        proposal.needs.iter().for_each(|need| join(&mut root, *need, at));
        for (limit, _) in proposal.takes.iter().filter(|(limit, _)| short[*limit]) {
            let first = *first_with[*limit].get_or_insert(at);
            join(&mut root, first, at);
        }
    }
    let mut parts: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for at in 0..root.len() {
        parts.entry(find(&mut root, at)).or_default().push(at);
    }
    parts.into_values().collect()
}

/// Whether all proposals together would take more of a limit than there is.
fn is_short(asked: &Arbitration<'_>, limit: usize) -> bool {
    let takes = asked.proposals.iter().flat_map(|proposal| &proposal.takes);
    let all: u128 = takes.filter(|(at, _)| *at == limit).map(|(_, n)| u128::from(*n)).sum();
    all > u128::from(asked.limits[limit].left)
}

fn find(root: &mut [usize], at: usize) -> usize {
    let mut top = at;
    while root[top] != top {
        root[top] = root[root[top]];
        top = root[top];
    }
    top
}

fn join(root: &mut [usize], one: usize, other: usize) {
    let (one, other) = (find(root, one), find(root, other));
    root[one.max(other)] = one.min(other);
}

/// What a proposal counts in dollars: what stands counts more, unless it brings nothing itself.
pub(super) fn counts(proposal: &Proposal) -> i128 {
    let brings = proposal.brings.pico();
    if brings > 0 { brings.saturating_add(proposal.keeps.pico().max(0)) } else { brings }
}

/// The best choice of one part, and whether that is proven.
pub(super) fn part(
    asked: &Arbitration<'_>,
    part: &[usize],
) -> Result<(Vec<usize>, bool), PlanError> {
    if let [only] = part {
        let proposal = &asked.proposals[*only];
        let fits = proposal.takes.iter().all(|(limit, n)| *n <= asked.limits[*limit].left);
        let wanted = proposal.duty > Duty::Saving || counts(proposal) > 0;
        let chosen = if fits && wanted { vec![*only] } else { Vec::new() };
        return Ok((chosen, true));
    }
    if part.len() <= SMALL
        && let Some(chosen) = search(asked, part)
    {
        return Ok((chosen, true));
    }
    by_program(asked, part)
}

/// The best choice of a large part.
fn by_program(asked: &Arbitration<'_>, part: &[usize]) -> Result<(Vec<usize>, bool), PlanError> {
    let program = Program { asked, part };
    let (mut floors, mut proven, mut best) = (Vec::new(), true, Vec::new());
    for duty in DUTIES {
        let counts = |at: &usize| i128::from(asked.proposals[*at].duty == duty);
        let gains: Vec<i128> = part.iter().map(counts).collect();
        if gains.iter().all(|gain| *gain == 0) {
            continue;
        }
        let (values, is_proven) = program.most(&gains, &floors)?;
        let most = gains.iter().zip(&values).map(|(gain, value)| gain * i128::from(*value)).sum();
        floors.push((gains, most));
        (best, proven) = (values, proven && is_proven);
    }
    let money: Vec<i128> = part.iter().map(|at| counts(&asked.proposals[*at])).collect();
    let all = money.iter().fold(0_i128, |sum, one| sum.saturating_add(one.saturating_abs()));
    let grain = all / GRAINS_MAX + 1;
    let gains: Vec<i128> = money.iter().map(|pico| pico / grain).collect();
    match program.most(&gains, &floors) {
        Ok((values, is_proven)) => (best, proven) = (values, proven && is_proven),
        Err(error) if best.is_empty() => return Err(error),
        Err(_) => proven = false,
    }
    let chosen = part.iter().zip(best).filter(|(_, value)| *value > 0).map(|(at, _)| *at);
    Ok((chosen.collect(), proven))
}

struct Program<'a> {
    asked: &'a Arbitration<'a>,
    part: &'a [usize],
}

impl Program<'_> {
    /// The choice that gains the most, and no less than the floors of what came before.
    fn most(
        &self,
        gains: &[i128],
        floors: &[(Vec<i128>, i128)],
    ) -> Result<(Vec<i64>, bool), PlanError> {
        let problem =
            self.problem(gains, floors).map_err(|source| PlanError::Program { source })?;
        let failed = |source| PlanError::Solver { object: "the proposals together", source };
        match solve(&problem, &Limits::default()).map_err(failed)? {
            Outcome::Optimal(Solution { values, .. }) => Ok((values, true)),
            Outcome::Feasible(Solution { values, .. }, _) => Ok((values, false)),
            // Nothing at all is always a choice, where no floor asks for more.
            _ => Err(failed(farthing_milp::SolveError::Solver(
                "it refused a choice that is known to be allowed".to_owned(),
            ))),
        }
    }

    fn problem(
        &self,
        gains: &[i128],
        floors: &[(Vec<i128>, i128)],
    ) -> Result<Problem, ProblemError> {
        let mut problem = Problem::new();
        let mut entries: Vec<Vec<(Row, i128)>> = vec![Vec::new(); self.part.len()];
        let mut add = |problem: &mut Problem, (sense, rhs), terms: Vec<(usize, i128)>| {
            let row = problem.add_row(sense, rhs)?;
            for (at, amount) in terms {
                entries[at].push((row, amount));
            }
            Ok::<(), ProblemError>(())
        };
        for sharing in self.sharing() {
            add(&mut problem, (Sense::AtMost, 1), sharing.into_iter().map(|at| (at, 1)).collect())?;
        }
        for (at, needed) in self.needs() {
            add(&mut problem, (Sense::AtMost, 0), vec![(at, 1), (needed, -1)])?;
        }
        for (limit, shared) in self.asked.limits.iter().enumerate() {
            let takes = |(at, index): (usize, &usize)| {
                let takes = self.asked.proposals[*index].takes.iter();
                let all: i128 =
                    takes.filter(|(it, _)| *it == limit).map(|(_, n)| i128::from(*n)).sum();
                (all > 0).then_some((at, all))
            };
            let terms: Vec<_> = self.part.iter().enumerate().filter_map(takes).collect();
            if !terms.is_empty() {
                add(&mut problem, (Sense::AtMost, i128::from(shared.left)), terms)?;
            }
        }
        for (gains, floor) in floors {
            let terms = gains.iter().copied().enumerate().filter(|(_, gain)| *gain != 0);
            add(&mut problem, (Sense::AtLeast, *floor), terms.collect())?;
        }
        for (gain, entries) in gains.iter().zip(&entries) {
            let spec = VarSpec { cost: -gain, lower: 0, upper: Some(1), kind: Kind::Integer };
            problem.add_var(spec, entries)?;
        }
        Ok(problem)
    }

    /// Proposals of the part that want the same, by their places in it.
    fn sharing(&self) -> Vec<Vec<usize>> {
        let mut by_target: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        for (at, index) in self.part.iter().enumerate() {
            for target in &self.asked.proposals[*index].targets {
                by_target.entry(target).or_default().push(at);
            }
        }
        let mut sharing: Vec<Vec<usize>> =
            by_target.into_values().filter(|all| all.len() > 1).collect();
        sharing.sort();
        sharing.dedup();
        sharing
    }

    /// Who needs whom, by their places in the part.
    fn needs(&self) -> Vec<(usize, usize)> {
        let place = |index: usize| self.part.binary_search(&index).ok();
        let mut needs = Vec::new();
        for (at, index) in self.part.iter().enumerate() {
            let needed = self.asked.proposals[*index].needs.iter();
            needs.extend(needed.filter_map(|need| Some((at, place(*need)?))));
        }
        needs.sort_unstable();
        needs.dedup();
        needs
    }
}
