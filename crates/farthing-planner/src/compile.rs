//! From a decision to a plan: exact placements, steps and the report.
//!
//! Start at [`plan`]. Members of a class are alike, so that the earliest and cheapest places go to
//! jobs in the order of submission, then name; whoever is last waits.

mod budgets;

use crate::candidate::Member;
use crate::decision::{Decision, decide};
use crate::reason;
use crate::report::{Cut, Placement, Planned, Report, SolverReport, Status, Waiting};
use crate::room::Room;
use crate::service::ServiceReport;
use crate::serving::Scene;
use crate::standing::Standing;
use crate::utilisation::{Idle, idle, rows};
use crate::{Input, PlanError, unknown};
use farthing_model::{
    Decimal, Money, MoneyError, Offer, Plan, Ratio, Reason, Window, Workload, WorkloadId,
    WorkloadKind, split_money,
};
use std::collections::{BTreeMap, BTreeSet};

/// The best plan for an input, with its report: the most value done in time within the hard
/// budgets, then the least cost.
///
/// # Errors
/// Numbers that do not fit, or a solver that fails. What cannot be placed is no error: it waits,
/// with its reason.
pub fn plan(input: &Input) -> Result<Planned, PlanError> {
    compile(input, Some(&crate::reference(input)?))
}

/// The same plan without the reference beside it: no savings are stated. For who asks very often
/// and only about the plan.
///
/// # Errors
/// As [`plan`].
pub fn plan_alone(input: &Input) -> Result<Planned, PlanError> {
    compile(input, None)
}

fn compile(
    input: &Input,
    reference: Option<&BTreeMap<WorkloadId, Money>>,
) -> Result<Planned, PlanError> {
    let decision = decide(input)?;
    let room = Room::of(&decision.program, &decision.choice.placed, &decision.choice.served);
    let mut draft = Draft {
        input,
        decision: &decision,
        placements: Vec::new(),
        waiting: Vec::new(),
        cuts: Vec::new(),
    };
    draft.stay()?;
    draft.serve(&room)?;
    draft.run(&room)?;
    draft.compare(reference.unwrap_or(&BTreeMap::new()))?;
    draft.finish()
}

/// The error of an amount that belongs to a workload.
pub(crate) fn of_workload(id: &WorkloadId) -> impl Fn(MoneyError) -> PlanError + '_ {
    move |source| PlanError::Money { object: format!("workload {id}"), source }
}

struct Draft<'a, 'd> {
    input: &'a Input,
    decision: &'d Decision<'a>,
    placements: Vec<Placement>,
    waiting: Vec<Waiting>,
    cuts: Vec<Cut>,
}

impl Draft<'_, '_> {
    /// What an offer costs in a window for a number of nodes.
    fn cost(&self, offer: &Offer, nodes: i128, window: Window) -> Result<Money, MoneyError> {
        match offer.price.rate() {
            Some(rate) => rate.cost(window)?.checked_mul_int(nodes),
            None => Ok(Money::zero(self.input.currency)),
        }
    }

    /// What stands and was not decided about, or does with what it has.
    fn stay(&mut self) -> Result<(), PlanError> {
        let decision = self.decision;
        let kept = |stand: &&Standing<'_>| {
            let id = &stand.observed.workload.id;
            let anew = decision.program.services.iter().zip(&decision.choice.served);
            let mut anew = anew.filter(|(_, served)| served.is_some());
            let retired = decision.retired.iter().any(|observed| observed.workload.id == *id);
            !retired && !anew.any(|(service, _)| service.observed.workload.id == *id)
        };
        for stand in decision.standing.iter().filter(kept) {
            self.add_standing(stand)?;
        }
        Ok(())
    }

    fn add_standing(&mut self, stand: &Standing<'_>) -> Result<(), PlanError> {
        let zero = Money::zero(self.input.currency);
        let cost = stand.cost_in(stand.window, zero).map_err(|source| stand.wrong(source))?;
        self.placements.push(Placement {
            workload: stand.observed.workload.id.clone(),
            offer: Some(stand.assignment.offer.clone()),
            members: stand.assignment.members,
            nodes_each: stand.assignment.nodes_each,
            window: stand.window,
            cost,
            reference: None,
            r: None,
            stays: true,
            reasons: vec![Reason::Rule("it is there already".to_owned())],
        });
        Ok(())
    }

    /// Services: new mixes, and those that wait.
    fn serve(&mut self, room: &Room) -> Result<(), PlanError> {
        let decision = self.decision;
        for (index, service) in decision.program.services.iter().enumerate() {
            let id = &service.observed.workload.id;
            let Some(Some(replicas)) = decision.choice.served.get(index) else {
                if !decision.sufficient.contains(id) {
                    self.unserved(index, room);
                }
                continue;
            };
            let reasons = reason::serving(self.input, service, replicas);
            for (kind, members) in replicas {
                let kind = &service.kinds[*kind];
                let offer = &self.input.offers[kind.replica.offer];
                let same = |stand: &&Standing<'_>| {
                    stand.observed.workload.id == *id
                        && stand.offer == Some(kind.replica.offer)
                        && stand.assignment.members == *members
                        && stand.assignment.nodes_each == kind.replica.nodes
                };
                if let Some(stand) = decision.standing.iter().find(same) {
                    self.add_standing(stand)?;
                    continue;
                }
                let window = self.input.horizon;
                let nodes = i128::from(*members) * i128::from(kind.replica.nodes);
                let cost = self.cost(offer, nodes, window).map_err(of_workload(id))?;
                self.placements.push(Placement {
                    workload: id.clone(),
                    offer: Some(offer.id.clone()),
                    members: *members,
                    nodes_each: kind.replica.nodes,
                    window,
                    cost,
                    reference: None,
                    r: None,
                    stays: false,
                    reasons: reasons.clone(),
                });
            }
        }
        for held in &decision.held_back {
            let budget = &held.budget;
            let reason = Reason::Rule(format!(
                "budget {budget} took replicas away: it grows again when they are given back"
            ));
            let (workload, members, late) = (held.workload.clone(), 1, false);
            self.waiting.push(Waiting { workload, members, reason, late });
        }
        for service in &decision.hopeless {
            let workload = &service.observed.workload;
            let reason = reason::hopeless(service, self.input);
            let (workload, members, late) = (workload.id.clone(), 1, false);
            self.waiting.push(Waiting { workload, members, reason, late });
        }
        Ok(())
    }

    fn unserved(&mut self, index: usize, room: &Room) {
        let program = &self.decision.program;
        let workload = &program.services[index].observed.workload;
        let (reason, account, saved) = reason::unserved(program, room, index);
        if let (Some(account), Some(saved)) = (account, saved) {
            self.cut(account, workload, 1, saved);
        }
        let (workload, members, late) = (workload.id.clone(), 1, false);
        self.waiting.push(Waiting { workload, members, reason, late });
    }

    fn cut(&mut self, account: usize, workload: &Workload, members: u32, saved: i128) {
        let program = &self.decision.program;
        let times = i128::from(members);
        self.cuts.push(Cut {
            budget: program.accounts[account].state.budget.id.clone(),
            workload: workload.id.clone(),
            members,
            value: Decimal::from_nano(workload.value.nano().saturating_mul(times)),
            saved: Money::from_pico(saved.saturating_mul(times), self.input.currency),
            retry: reason::retry(program, account),
        });
    }

    /// Jobs: each class is dealt out to its jobs.
    fn run(&mut self, room: &Room) -> Result<(), PlanError> {
        let decision = self.decision;
        for index in 0..decision.program.classes.len() {
            let mut places: Vec<(usize, u32)> = decision
                .choice
                .placed
                .iter()
                .copied()
                .filter(|(column, _)| decision.program.columns[*column].class == index)
                .collect();
            places.sort_by_key(|(at, _)| {
                let column = &decision.program.columns[*at];
                (column.window.from(), decision.program.floor(column), *at)
            });
            let mut places = places.into_iter();
            let mut place = places.next();
            for member in &decision.program.classes[index].jobs {
                let mut open = member.open;
                while let Some((column, left)) = place.as_mut().filter(|_| open > 0) {
                    let count = open.min(*left);
                    self.start(member, *column, count)?;
                    open -= count;
                    *left -= count;
                    if *left == 0 {
                        place = places.next();
                    }
                }
                if open > 0 {
                    self.wait(index, member, open, room);
                }
            }
        }
        Ok(())
    }

    fn start(&mut self, member: &Member<'_>, at: usize, members: u32) -> Result<(), PlanError> {
        let program = &self.decision.program;
        let column = &program.columns[at];
        let class = &program.classes[column.class];
        let way = class.ways[column.way];
        let workload = &member.observed.workload;
        let offer = way.offer.map(|offer| &self.input.offers[offer]);
        let nodes = i128::from(members) * i128::from(way.nodes);
        let cost = match offer {
            Some(offer) => self.cost(offer, nodes, column.window),
            None => Money::from_pico(way.floor, self.input.currency)
                .checked_mul_int(i128::from(members)),
        };
        let start = (column.window.from(), members);
        self.placements.push(Placement {
            workload: workload.id.clone(),
            offer: offer.map(|offer| offer.id.clone()),
            members,
            nodes_each: way.nodes,
            window: column.window,
            cost: cost.map_err(of_workload(&workload.id))?,
            reference: None,
            r: None,
            stays: false,
            reasons: reason::placement(self.input, class, &way, start)?,
        });
        Ok(())
    }

    fn wait(&mut self, index: usize, member: &Member<'_>, members: u32, room: &Room) {
        let program = &self.decision.program;
        let class = &program.classes[index];
        let (reason, account) = reason::waiting(program, room, self.input, index);
        let workload = &member.observed.workload;
        if let Some(account) = account {
            let saved = class.ways.iter().filter(|way| way.in_time).map(|way| way.floor).min();
            self.cut(account, workload, members, saved.unwrap_or(0));
        }
        // Later than this horizon it may still be in time.
        let shortest = class.ways.iter().map(|way| way.run).min();
        let late = class.job.deadline.is_some_and(|deadline| {
            let end = shortest.and_then(|run| self.input.horizon.to().checked_add(run).ok());
            end.is_none_or(|end| end > deadline)
        });
        self.waiting.push(Waiting { workload: workload.id.clone(), members, reason, late });
    }

    /// Fills in `R` and what fifo would have paid, divided over the placements of a workload.
    fn compare(&mut self, reference: &BTreeMap<WorkloadId, Money>) -> Result<(), PlanError> {
        let mut own: BTreeMap<WorkloadId, Vec<usize>> = BTreeMap::new();
        for (index, placement) in self.placements.iter().enumerate() {
            if !placement.stays {
                own.entry(placement.workload.clone()).or_default().push(index);
            }
        }
        for (id, places) in own {
            let Some(observed) = self.input.snapshot.workload(&id) else { continue };
            let job = matches!(observed.workload.kind, WorkloadKind::Job(_));
            let costs: i128 = places.iter().map(|at| self.placements[*at].cost.pico()).sum();
            let mut weights: Vec<i128> = Vec::with_capacity(places.len() + 1);
            for at in &places {
                let placement = &mut self.placements[*at];
                let (times, cost) = if job {
                    (i128::from(placement.members), placement.cost.pico())
                } else {
                    (1, costs)
                };
                placement.r = r(observed.workload.value, times, cost);
                let members = i128::from(placement.members);
                weights.push(if job || costs == 0 { members } else { placement.cost.pico() });
            }
            let waits = self.waiting.iter().filter(|row| job && row.workload == id);
            weights.push(waits.map(|row| i128::from(row.members)).sum());
            let Some(whole) = reference.get(&id) else { continue };
            let parts = split_money(*whole, &weights)
                .map_err(|source| PlanError::Split { object: format!("workload {id}"), source })?;
            for (at, part) in places.into_iter().zip(parts) {
                self.placements[at].reference = Some(part);
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<Planned, PlanError> {
        let input = self.input;
        let idle = idle(input, &self.decision.standing)?;
        let plan = Plan {
            id: input.id.clone(),
            parent: input.parent.clone(),
            at: input.snapshot.at,
            steps: crate::step::steps(input, self.decision, &self.placements, &idle)?,
        };
        let report = self.report(&idle)?;
        Ok(Planned { plan, report })
    }

    fn report(self, idle: &[Idle]) -> Result<Report, PlanError> {
        let (input, decision) = (self.input, self.decision);
        let choice = &decision.choice;
        let costs = self.placements.iter().map(|placement| placement.cost);
        let wrong = |source| PlanError::Money { object: "the plan".to_owned(), source };
        let cost = Money::sum(costs, input.currency).map_err(wrong)?;
        let standing = self.standing_cost(wrong)?;
        let bound = |bound: Option<i128>| {
            let pico = bound?.saturating_add(standing).min(cost.pico());
            Some(Money::from_pico(pico, input.currency))
        };
        let lower_bound = bound(choice.cost_bound);
        let certified_bound = bound(choice.cost_certified.min(choice.cost_bound));
        let value = self.value()?;
        let value_bound = self.value_bound(value);
        let late = self.waiting.iter().any(|row| row.late);
        let nothing = self.placements.is_empty() && !self.waiting.is_empty();
        let proven = choice.proven && lower_bound.is_some() && value_bound == Some(value);
        let status = match (late || nothing, proven) {
            (true, _) => Status::Infeasible,
            (false, true) => Status::Optimal,
            (false, false) => Status::Feasible,
        };
        let gap = lower_bound
            .filter(|bound| bound.pico() > 0)
            .and_then(|bound| Ratio::of(cost.pico() - bound.pico(), bound.pico()));
        let solver = SolverReport {
            columns: choice.columns,
            rows: choice.rows,
            nodes: 0,
            iterations: choice.iterations,
            limit: choice.limit,
        };
        let budgets = input.budgets.iter().map(|state| self.budget(state));
        let budgets = budgets.collect::<Result<_, _>>()?;
        Ok(Report {
            policy: "farthing",
            horizon: input.horizon,
            cost,
            lower_bound,
            certified_bound,
            gap,
            value,
            value_bound,
            status,
            solver,
            utilisation: rows(input, &self.placements, idle),
            budgets,
            excluded: decision.considered.excluded(),
            unknown: unknown::notes(input, &decision.standing, &self.placements),
            services: self.services()?,
            placements: self.placements,
            waiting: self.waiting,
            cuts: self.cuts,
        })
    }

    /// What the services are served by that were decided about.
    fn services(&self) -> Result<Vec<ServiceReport>, PlanError> {
        let Decision { program, choice, standing, .. } = self.decision;
        let scene = Scene {
            input: self.input,
            accounts: &program.accounts,
            pools: &program.pools,
            standing,
        };
        let mut reports = Vec::new();
        let served = program.services.iter().zip(&choice.served).enumerate();
        for (index, (serving, served)) in served {
            let Some(replicas) = served else { continue };
            let known = choice.divisions.get(index);
            reports.extend(scene.report(serving, replicas, known)?);
        }
        Ok(reports)
    }

    /// What stands costs and is no part of the program's cost: jobs and settled services, and what
    /// services have that the program decides about, as its costs are relative to that.
    fn standing_cost(&self, wrong: impl Fn(MoneyError) -> PlanError) -> Result<i128, PlanError> {
        let settled = self.decision.standing.iter().filter(|stand| {
            let id = &stand.observed.workload.id;
            let services = &self.decision.program.services;
            let retired = self.decision.retired.iter().any(|seen| seen.workload.id == *id);
            !retired && !services.iter().any(|service| service.observed.workload.id == *id)
        });
        let zero = Money::zero(self.input.currency);
        let mut total = 0;
        for stand in settled {
            total += stand.cost_in(stand.window, zero).map_err(&wrong)?.pico();
        }
        let services = &self.decision.program.services;
        Ok(total + services.iter().map(|service| service.present_cost).sum::<i128>())
    }

    /// Value of all members placed; that of a service once.
    fn value(&self) -> Result<Decimal, PlanError> {
        let mut services = BTreeSet::new();
        let mut value = 0_i128;
        for placement in &self.placements {
            let Some(observed) = self.input.snapshot.workload(&placement.workload) else {
                continue;
            };
            let times = match observed.workload.kind {
                WorkloadKind::Job(_) => i128::from(placement.members),
                WorkloadKind::Service(_) => i128::from(services.insert(&placement.workload)),
            };
            let more = observed.workload.value.nano().checked_mul(times);
            value = more
                .and_then(|more| value.checked_add(more))
                .ok_or_else(|| PlanError::Overflow("the values of all workloads".to_owned()))?;
        }
        Ok(Decimal::from_nano(value))
    }

    /// The most value that any plan could have: what was done and could not be bettered, and what
    /// the search left open.
    fn value_bound(&self, value: Decimal) -> Option<Decimal> {
        let choice = &self.decision.choice;
        let open = self.decision.program.scale.value(choice.lost - choice.lost_bound)?;
        value.checked_add(Decimal::from_nano(open.max(0)))
    }
}

/// `R = value / cost` in 10^-9 per currency unit; `None` at no cost.
fn r(value: Decimal, times: i128, cost_pico: i128) -> Option<Decimal> {
    const PICO: i128 = 1_000_000_000_000;
    let scaled = value.nano().checked_mul(times)?.checked_mul(PICO)?;
    (cost_pico > 0).then(|| Decimal::from_nano(scaled.div_euclid(cost_pico)))
}
