//! The cheapest whole choice among contents: of all there are, where they are few, which is then
//! the best packing; else of those that are known.

use super::master::{MasterError, program};
use super::problem::{Amounts, Content, Problem, times, without};
use super::whole::trimmed;
use farthing_milp::{Limits, Outcome, solve};

/// Nodes of the search.
const NODES: u32 = 300;
/// Nodes of the search among all contents.
const NODES_OF_ALL: u32 = 10_000;
/// Contents up to which all are listed.
const LISTED: usize = 600;
/// Steps of listing them.
const STEPS: u32 = 100_000;

/// A choice, and what is proven of it.
pub(super) struct Chosen {
    pub(super) contents: Vec<Content>,
    /// No choice among these contents costs less.
    pub(super) bound: Option<u128>,
}

/// The best choice among some contents; `None` where the search found none in its limits.
pub(super) fn choose(
    problem: &Problem,
    contents: &[Content],
) -> Result<Option<Chosen>, MasterError> {
    choose_within(problem, contents, NODES)
}

/// The best packing, where few enough contents are possible; else `None`.
pub(super) fn best(problem: &Problem) -> Result<Option<Chosen>, MasterError> {
    match every(problem) {
        Some(contents) => choose_within(problem, &contents, NODES_OF_ALL),
        None => Ok(None),
    }
}

fn choose_within(
    problem: &Problem,
    contents: &[Content],
    nodes_max: u32,
) -> Result<Option<Chosen>, MasterError> {
    let mut open = problem.open();
    let program = program(problem, contents, &open, true)?;
    let limits = Limits { nodes_max, ..Limits::default() };
    let (Outcome::Optimal(found) | Outcome::Feasible(found, _)) = solve(&program, &limits)? else {
        return Ok(None);
    };
    let mut taken = Vec::new();
    for (content, often) in contents.iter().zip(&found.values) {
        for _ in 0..*often {
            // What is held twice is left out.
            let Some(content) = trimmed(problem, &open, content) else { break };
            open.take(&content);
            taken.push(content);
        }
    }
    let bound = found.bound.and_then(|bound| u128::try_from(bound).ok());
    Ok(open.is_done().then_some(Chosen { contents: taken, bound }))
}

/// All contents to which nothing can be added; `None` where there are too many.
fn every(problem: &Problem) -> Option<Vec<Content>> {
    let mut listing = Listing { problem, contents: Vec::new(), steps: STEPS };
    for (machine, kind) in problem.machines.iter().enumerate() {
        listing.list(machine, 0, kind.room, &mut Vec::new())?;
    }
    Some(listing.contents)
}

struct Listing<'p> {
    problem: &'p Problem,
    contents: Vec<Content>,
    steps: u32,
}

impl Listing<'_> {
    /// Lists contents with what is held of the shapes before one.
    fn list(
        &mut self,
        machine: usize,
        shape: usize,
        room: Amounts,
        held: &mut Vec<(usize, u64)>,
    ) -> Option<()> {
        self.steps = self.steps.checked_sub(1)?;
        let Some(it) = self.problem.shapes.get(shape) else {
            if !held.is_empty() && !self.can_more(machine, &room, held) {
                self.contents.push(Content { machine, counts: held.clone() });
            }
            return (self.contents.len() <= LISTED).then_some(());
        };
        let takes = self.problem.machines[machine].takes[shape];
        let most = if takes { times(&room, &it.need).min(it.count) } else { 0 };
        for count in (0..=most).rev() {
            let Some(rest) = without(&room, &it.need, count) else { continue };
            if count > 0 {
                held.push((shape, count));
            }
            self.list(machine, shape + 1, rest, held)?;
            if count > 0 {
                held.pop();
            }
        }
        Some(())
    }

    /// Whether one more of some shape fits.
    fn can_more(&self, machine: usize, room: &Amounts, held: &[(usize, u64)]) -> bool {
        let mut shapes = self.problem.shapes.iter().enumerate();
        shapes.any(|(shape, it)| {
            let here = held.iter().find(|(held, _)| *held == shape).map_or(0, |(_, n)| *n);
            self.problem.machines[machine].takes[shape]
                && here < it.count
                && times(room, &it.need) > 0
        })
    }
}
