//! Our policy: the action with the least expected cost to go, in the zone that was seen so far.
//!
//! [`Prepared`] holds the costs to go in each zone of a grid and is made once for a job;
//! [`Learned`] is one run: it learns which zone this is and weighs the tables by it.

use super::table::{Grid, IDLE, ON_DEMAND, PARTS, SPOT, Table};
use super::zone::{AGES, Belief, CONTEXTS, ONE, Spell, ZonePrior};
use super::{Action, Policy, SpotError, State, Terms};
use farthing_model::Money;

/// Costs to go of a job in every zone that is thought of.
#[derive(Clone, Debug)]
pub struct Prepared {
    terms: Terms,
    prior: ZonePrior,
    zones: Vec<[u64; CONTEXTS]>,
    /// `None` where there is no slack to decide about.
    solved: Option<(Grid, Vec<Table>)>,
}

impl Prepared {
    /// Solves all zones: some tenths of a second for a job of days.
    ///
    /// # Errors
    /// Terms that make no job.
    pub fn new(terms: &Terms, prior: &ZonePrior) -> Result<Self, SpotError> {
        let terms = terms.checked()?;
        let zones = prior.zones();
        let solved = Grid::new(&terms).map(|grid| {
            let tables = zones.iter().map(|ends| Table::new(&grid, ends)).collect();
            (grid, tables)
        });
        Ok(Self { terms, prior: prior.clone(), zones, solved })
    }
}

/// What each action is expected to cost from now to the end, that of the tick included; `None`
/// where it cannot be taken, or could make the job late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CostToGo {
    /// Spot now.
    pub spot: Option<Money>,
    /// On demand now.
    pub on_demand: Option<Money>,
    /// Nothing now.
    pub wait: Option<Money>,
}

/// A run of our policy.
#[derive(Clone, Debug)]
pub struct Learned<'a> {
    prepared: &'a Prepared,
    belief: Belief,
    costs: [Option<u64>; 3],
}

/// In the order in which ties are decided: what keeps most choices open comes first.
const ACTIONS: [Action; 3] = [Action::Wait, Action::Spot, Action::OnDemand];

impl<'a> Learned<'a> {
    /// A run that has seen nothing yet.
    pub fn new(prepared: &'a Prepared) -> Self {
        Self { prepared, belief: Belief::new(&prepared.prior), costs: [None; 3] }
    }

    /// The costs to go that the last decision rests on.
    pub fn cost_to_go(&self) -> CostToGo {
        let terms = &self.prepared.terms;
        let money = |parts: Option<u64>| {
            let pico = i128::from(parts?).checked_mul(terms.on_demand_hour.pico())?;
            let tick = pico.checked_mul(terms.tick_s.into())? / 3_600 / i128::from(PARTS);
            Some(Money::from_pico(tick, terms.on_demand_hour.currency()))
        };
        let [wait, spot, on_demand] = self.costs.map(money);
        CostToGo { spot, on_demand, wait }
    }

    /// The expected cost of an action and of what follows, in parts of a tick on demand.
    fn cost(
        &self,
        (grid, tables): (&Grid, &[Table]),
        (state, spell): (&State, Spell),
        action: Action,
    ) -> Option<u64> {
        let terms = &self.prepared.terms;
        let after = state.after(terms, action);
        let work_s = after.remaining_s(terms);
        let left = usize::try_from(after.ticks_left(terms)).ok()?;
        let time_s = terms.deadline_s - after.elapsed_s;
        let (price, plane, slack_s) = match action {
            Action::OnDemand => (PARTS, ON_DEMAND, time_s - work_s - after.pending_s),
            Action::Wait => (0, IDLE, time_s - work_s),
            Action::Spot => {
                let pending = (after.pending_s + terms.tick_s - 1).div_euclid(terms.tick_s);
                let pending = usize::try_from(pending).unwrap_or(0);
                let since = grid.launch_ticks.saturating_sub(pending).max(1);
                (grid.spot, SPOT + since - 1, time_s - work_s)
            }
        };
        if work_s == 0 {
            return Some(price.into());
        }
        let needed_s = if action == Action::OnDemand { 0 } else { terms.overhead_s };
        if slack_s < needed_s {
            return None;
        }
        let slack = grid.slack_of(slack_s);
        let context = spell.context();
        let (with, without) = (spell.then(true).context(), spell.then(false).context());
        let mut sum = 0;
        for (zone, share) in self.belief.shares() {
            let end = self.prepared.zones[zone][context];
            let with_spot = if context < AGES.len() { end } else { ONE - end };
            for (next, chance) in [(with, with_spot), (without, ONE - with_spot)] {
                sum += tables[zone].cost(left, (next, plane), slack)? * chance / ONE * share;
            }
        }
        Some(u64::from(price) + sum / ONE)
    }
}

impl Policy for Learned<'_> {
    fn decide(&mut self, state: &State, available: bool) -> Action {
        let spell = self.belief.observe(&self.prepared.zones, available);
        self.costs = [None; 3];
        let Some((grid, tables)) = &self.prepared.solved else { return Action::OnDemand };
        let possible = |action: &Action| available || *action != Action::Spot;
        for (at, action) in ACTIONS.iter().enumerate() {
            if possible(action) {
                self.costs[at] = self.cost((grid, tables), (state, spell), *action);
            }
        }
        let found = (0..ACTIONS.len()).filter_map(|at| Some((self.costs[at]?, at)));
        found.min().map_or(Action::OnDemand, |(_, at)| ACTIONS[at])
    }
}
