//! The report of a plan: where, when, how much, and why not elsewhere.

use super::DagInput;
use super::candidate::{Candidate, Candidates};
use super::program::{Label, Program, Transfer};
use super::report::{Alternative, DagPlan, Obstacle, SearchReport, TaskPlan, TransferPlan};
use super::solve::Chosen;
use super::timing::NEVER;
use crate::Status;
use farthing_model::{Money, Objective, Place, Port, Purchase, Ratio, Run, Window};
use jiff::{SignedDuration, Timestamp};

/// A plan of nothing, and why.
pub(crate) fn infeasible(input: &DagInput<'_>, obstacles: Vec<Obstacle>) -> DagPlan {
    let none = Money::zero(input.market.currency);
    let mut unknown = Vec::new();
    if obstacles.is_empty() {
        unknown.push(
            "the search ended before it found a plan in time, or proved that there is none"
                .to_owned(),
        );
    }
    let shared = obstacles.iter().any(|it| matches!(it, Obstacle::Available { .. }));
    if shared {
        unknown.push(
            "no plan was found in which the tasks share these nodes in time; that there is none is \
             not proven"
                .to_owned(),
        );
    }
    let search = SearchReport {
        method: "none",
        candidates: 0,
        labels: 0,
        classes: 0,
        nodes: 0,
        work: 0,
        limited: obstacles.is_empty() || shared,
    };
    DagPlan {
        status: Status::Infeasible,
        currency: none.currency(),
        cost: none,
        compute: none,
        egress: none,
        lower_bound: None,
        gap: None,
        start: input.now,
        makespan: SignedDuration::ZERO,
        makespan_bound: None,
        tasks: Vec::new(),
        transfers: Vec::new(),
        critical_path: Vec::new(),
        obstacles,
        unknown,
        unpriced_bytes: 0,
        reference: None,
        baselines: Vec::new(),
        search,
    }
}

/// What is looked up again and again.
pub(super) struct Report<'a, 'p> {
    pub(super) input: &'a DagInput<'a>,
    pub(super) program: &'a Program<'p>,
    pub(super) chosen: &'a Chosen,
    /// When each vertex starts, and by when it must have ended.
    starts: Vec<i64>,
    limits: Vec<i64>,
    /// The same where nodes boot late, if that was planned for.
    worst: Option<(Vec<i64>, Vec<i64>)>,
    /// Transfers that a vertex is in.
    pub(super) around: Vec<Vec<usize>>,
}

/// The report of what was chosen.
pub(crate) fn plan(
    input: &DagInput<'_>,
    program: &Program<'_>,
    candidates: &[Candidates],
    chosen: &Chosen,
) -> DagPlan {
    let timing = &program.problem.timing;
    let mut around = vec![Vec::new(); program.vertices.len()];
    for (at, transfer) in program.transfers.iter().enumerate() {
        around[transfer.from].push(at);
        around[transfer.to].push(at);
    }
    let starts = timing.starts(&chosen.choice);
    let limits = timing.limits(&chosen.choice, &chosen.due);
    let worst = chosen.careful.then(|| program.with_late_boots()).flatten().map(|late| {
        let timing = late.problem.timing;
        (timing.starts(&chosen.choice), timing.limits(&chosen.choice, &chosen.due))
    });
    let report = Report { input, program, chosen, starts, limits, worst, around };
    let sum = chosen.sum;
    let proven = chosen.bound == Some((sum.unpriced, sum.known()))
        && chosen.makespan_bound.is_none_or(|bound| bound == chosen.makespan);
    let reference = report.reference(candidates);
    let bound = chosen.bound.filter(|bound| bound.0 == sum.unpriced).map(|bound| bound.1);
    DagPlan {
        status: if proven { Status::Optimal } else { Status::Feasible },
        currency: input.market.currency,
        cost: report.money(sum.known()),
        compute: report.money(sum.compute),
        egress: report.money(sum.egress),
        lower_bound: bound.map(|bound| report.money(bound)),
        gap: bound.and_then(|bound| gap(sum.known(), bound)),
        start: input.now,
        makespan: SignedDuration::from_millis(chosen.makespan),
        makespan_bound: chosen.makespan_bound.map(SignedDuration::from_millis),
        tasks: report.tasks(candidates, reference.as_ref().map(|(_, labels)| labels.as_slice())),
        transfers: report.transfers(),
        critical_path: report.critical_path(),
        obstacles: Vec::new(),
        unknown: report.unknown(),
        unpriced_bytes: sum.unpriced,
        reference: reference.map(|(cost, _)| cost),
        baselines: report.baselines(candidates),
        search: SearchReport {
            method: chosen.method,
            candidates: candidates.iter().map(|it| it.passed).sum(),
            labels: program.vertices.iter().map(|vertex| vertex.labels.len()).sum(),
            classes: program.routes.classes(),
            nodes: chosen.nodes,
            work: chosen.work,
            limited: !proven,
        },
    }
}

fn gap(cost: i128, bound: i128) -> Option<Ratio> {
    if cost == bound { Some(Ratio::ZERO) } else { Ratio::of(cost - bound, bound) }
}

impl Report<'_, '_> {
    pub(super) fn money(&self, pico: i128) -> Money {
        Money::from_pico(pico, self.input.market.currency)
    }

    fn at(&self, millis: i64) -> Timestamp {
        let after = SignedDuration::from_millis(millis);
        self.input.now.checked_add(after).unwrap_or(Timestamp::MAX)
    }

    pub(super) fn delay(&self, transfer: &Transfer, from: usize, to: usize) -> i64 {
        let tariff = self.program.routes.tariff(from, to);
        transfer.delays.as_ref().map_or(0, |delays| delays[tariff])
    }

    fn tasks(&self, candidates: &[Candidates], reference: Option<&[Label]>) -> Vec<TaskPlan> {
        let tasks = self.input.dag.tasks.iter().enumerate();
        tasks
            .filter_map(|(vertex, task)| {
                let own = self.chosen.labels[vertex].candidate?;
                let start = self.starts[vertex];
                let saving = reference.and_then(|reference| {
                    let there = self.blame(vertex, reference)?;
                    Some(self.money(there - self.blame(vertex, &self.chosen.labels)?))
                });
                let limit = self.limits[vertex];
                let slack = (limit != NEVER).then(|| limit - start - own.run);
                let alternatives = self.alternatives(vertex, &candidates[vertex], own);
                Some(TaskPlan {
                    task: task.name.clone(),
                    offer: self.input.market.offer(own.offer).id.clone(),
                    nodes: task.nodes,
                    overhead: SignedDuration::from_millis(own.run - own.busy),
                    window: Window::new(self.at(start), self.at(start + own.run)).ok(),
                    cost: self.money(own.cost),
                    saving,
                    reasons: self.reasons(vertex, &candidates[vertex], own),
                    alternatives,
                    slack: slack.map(SignedDuration::from_millis),
                })
            })
            .collect()
    }

    /// What a vertex costs with the data that comes to it and what it brings to a fixed place.
    fn blame(&self, vertex: usize, labels: &[Label]) -> Option<i128> {
        let mut sum = labels[vertex].cost();
        for at in &self.around[vertex] {
            let transfer = &self.program.transfers[*at];
            if transfer.to == vertex || transfer.to >= self.program.tasks {
                let (from, to) = (labels[transfer.from].class, labels[transfer.to].class);
                sum += self.program.charge(transfer, from, to)?;
            }
        }
        Some(sum)
    }

    /// What moving the data of a vertex costs if it is in a class, and the bytes without a price.
    fn moving(&self, vertex: usize, class: usize) -> (u128, i128) {
        let mut sum = (0, 0);
        for at in &self.around[vertex] {
            let transfer = &self.program.transfers[*at];
            let of = |it: usize| if it == vertex { class } else { self.chosen.labels[it].class };
            match self.program.charge(transfer, of(transfer.from), of(transfer.to)) {
                Some(charge) => sum.1 += charge,
                None => sum.0 += u128::from(transfer.bytes),
            }
        }
        sum
    }

    /// How long a label runs, with a late boot where that was planned for.
    pub(super) fn run(&self, label: &Label) -> i64 {
        label.run() + if self.worst.is_some() { label.late() } else { 0 }
    }

    /// How late something becomes with another candidate of a vertex; zero if nothing does.
    fn late(&self, (start, limit): (i64, i64), other: &Candidate) -> i64 {
        let late = if self.worst.is_some() { other.late } else { 0 };
        (start + other.run + late).saturating_sub(limit).max(0)
    }

    /// When a vertex can start in a class, and by when it must end there.
    fn between(&self, vertex: usize, class: usize) -> (i64, i64) {
        let worst = self.worst.as_ref().map(|(starts, limits)| (starts, limits));
        let (starts, limits) = worst.unwrap_or((&self.starts, &self.limits));
        let (mut start, mut limit) = (0, self.chosen.due[vertex]);
        for at in &self.around[vertex] {
            let transfer = &self.program.transfers[*at];
            let (from, to) = (&self.chosen.labels[transfer.from], &self.chosen.labels[transfer.to]);
            if transfer.to == vertex {
                let end = starts[transfer.from] + self.run(from);
                start = start.max(end + self.delay(transfer, from.class, class));
            } else {
                let begin = limits[transfer.to].saturating_sub(self.run(to));
                limit = limit.min(begin.saturating_sub(self.delay(transfer, class, to.class)));
            }
        }
        (start, limit)
    }

    /// A cheaper offer that would be late, if there is one, and the next best that would not.
    fn alternatives(
        &self,
        vertex: usize,
        candidates: &Candidates,
        own: Candidate,
    ) -> Vec<Alternative> {
        let (unpriced, moving) = self.moving(vertex, self.chosen.labels[vertex].class);
        let mut others: Vec<((u128, i128), i64, Candidate, i128)> = Vec::new();
        // Many candidates, few classes.
        let mut known = vec![None; self.program.routes.classes()];
        for other in candidates.best.iter().chain(&candidates.second) {
            if other.offer == own.offer {
                continue;
            }
            let class = self.program.class(other);
            let ((bytes, moves), between) = *known[class]
                .get_or_insert_with(|| (self.moving(vertex, class), self.between(vertex, class)));
            let total = self.chosen.sum.known() - own.cost - moving + other.cost + moves;
            let total = (self.chosen.sum.unpriced - unpriced + bytes, total);
            let late = self.late(between, other);
            others.push((total, late, *other, moves - moving));
        }
        others.sort_by_key(|(total, late, other, _)| (*total, *late, other.offer));
        let ours = (self.chosen.sum.unpriced, self.chosen.sum.known());
        let cheaper = others.iter().find(|(total, late, ..)| *late > 0 && *total < ours);
        let mut next = others.iter().filter(|(_, late, ..)| *late == 0);
        let first = next.next();
        // The second one says more if it costs something else than the first.
        let second = next.find(|(total, ..)| first.is_none_or(|(other, ..)| total != other));
        cheaper
            .into_iter()
            .chain(first)
            .chain(second)
            .take(2)
            .map(|(total, late, other, moves)| {
                self.alternative(*total, *late, (*other, own), *moves)
            })
            .collect()
    }

    fn alternative(
        &self,
        (bytes, total): (u128, i128),
        late: i64,
        (other, own): (Candidate, Candidate),
        moves: i128,
    ) -> Alternative {
        let compute = other.cost - own.cost;
        let signed = |pico: i128| {
            let sign = if pico < 0 { "-" } else { "+" };
            format!("{sign}{}", self.money(pico.abs()).rounded(2))
        };
        let parts = format!("machines {}, egress {}", signed(compute), signed(moves));
        let by = |pico: i128| self.money(pico).to_string();
        let priced = bytes <= self.chosen.sum.unpriced;
        let reason = if !priced {
            let more = bytes - self.chosen.sum.unpriced;
            format!("{} would move at a price nobody knows", size(more))
        } else if late > 0 {
            let late = SignedDuration::from_millis(late);
            format!("something would be {late:#} late ({parts})")
        } else {
            match compute + moves {
                0 => "as cheap, and later by name".to_owned(),
                more if more > 0 => format!("dearer by {} ({parts})", by(more)),
                // Only where nodes of it are limited, or the search was.
                less => format!("cheaper by {}, and not free or not found ({parts})", by(-less)),
            }
        };
        let offer = self.input.market.offer(other.offer).id.clone();
        Alternative { offer, total: (bytes == 0).then(|| self.money(total)), reason }
    }

    fn reasons(&self, vertex: usize, candidates: &Candidates, own: Candidate) -> Vec<String> {
        let mut reasons = Vec::new();
        let alone = candidates.best.iter().min_by_key(|it| (it.cost, it.run, it.offer));
        let alone = alone.copied().unwrap_or(own);
        let passed = candidates.passed;
        if own.cost == alone.cost {
            reasons.push(format!("the cheapest of {passed} offers for this task"));
        } else {
            let id = &self.input.market.offer(alone.offer).id;
            let dearer = self.money(own.cost - alone.cost);
            let class = self.program.class(&alone);
            let (bytes, moves) = self.moving(vertex, class);
            let (unpriced, moving) = self.moving(vertex, self.chosen.labels[vertex].class);
            let late = self.late(self.between(vertex, class), &alone);
            let why = if late > 0 {
                format!(
                    "with which something would be {:#} late",
                    SignedDuration::from_millis(late)
                )
            } else if bytes > unpriced {
                format!("with which {} would move at a price nobody knows", size(bytes - unpriced))
            } else if moves > moving {
                format!("with which egress costs {} more", self.money(moves - moving))
            } else {
                "together with the tasks around it".to_owned()
            };
            reasons.push(format!("{dearer} dearer than {id}, {why}"));
        }
        for (first, _) in self.chosen.waits.iter().filter(|(_, last)| *last == vertex) {
            let first = &self.input.dag.tasks[*first].name;
            reasons.push(format!("waits until {first} has left its nodes"));
        }
        let offer = self.input.market.offer(own.offer);
        let asked = self.input.dag.tasks[vertex].accelerators.iter();
        let asked = asked.filter(|it| {
            offer.accelerator.as_ref().is_some_and(|name| it.accelerator.matches(name))
        });
        if let Some(count) = asked.map(|it| it.count).max()
            && offer.accelerator_count > count
        {
            let has = offer.accelerator_count;
            reasons.push(format!("a node has {has} accelerators, and {count} are asked for"));
        }
        reasons.extend(offer.warnings.iter().cloned());
        reasons
    }

    fn transfers(&self) -> Vec<TransferPlan> {
        let dag = self.input.dag;
        let task = |vertex: usize| dag.tasks[vertex].name.clone();
        let place = |vertex: usize, port: Option<&Port>| -> Place {
            let of_task = self.chosen.labels[vertex].candidate;
            match (of_task, port) {
                (Some(candidate), _) => self.input.market.places[candidate.place as usize].clone(),
                (None, Some(port)) => Place { zone: None, ..port.place.clone() },
                (None, None) => {
                    Place { provider: String::new(), region: String::new(), zone: None }
                }
            }
        };
        let tasks = self.program.tasks;
        let ports: Vec<&Port> = dag.inputs.iter().chain(&dag.outputs).collect();
        let transfers = self.program.transfers.iter().map(|transfer| {
            let port = |vertex: usize| vertex.checked_sub(tasks).map(|at| ports[at]);
            let name = |vertex: usize| {
                port(vertex).map_or_else(|| task(vertex), |port| port.place.to_string())
            };
            let classes = [transfer.from, transfer.to].map(|it| self.chosen.labels[it].class);
            let delay = self.delay(transfer, classes[0], classes[1]);
            let charge = self.program.charge(transfer, classes[0], classes[1]);
            TransferPlan {
                from: name(transfer.from),
                to: name(transfer.to),
                from_place: place(transfer.from, port(transfer.from)),
                to_place: place(transfer.to, port(transfer.to)),
                bytes: transfer.bytes,
                cost: charge.map(|charge| self.money(charge)),
                takes: (delay > 0).then(|| SignedDuration::from_millis(delay)),
            }
        });
        transfers.collect()
    }

    fn critical_path(&self) -> Vec<String> {
        let timing = &self.program.problem.timing;
        let ends = timing.ends(&self.chosen.choice);
        let last = (0..ends.len()).max_by_key(|vertex| (ends[*vertex], usize::MAX - *vertex));
        let Some(last) = last else { return Vec::new() };
        let path = timing.path_to(&self.chosen.choice, last).tasks;
        let tasks = path.into_iter().filter_map(|vertex| self.input.dag.tasks.get(vertex));
        tasks.map(|task| task.name.clone()).collect()
    }

    fn unknown(&self) -> Vec<String> {
        let dag = self.input.dag;
        let mut unknown = Vec::new();
        for task in dag.tasks.iter().filter(|task| task.run == Run::Unknown) {
            unknown.push(format!(
                "task {}: nobody says how long it runs (`hours`, or `work` and `throughput`); \
                 prices of one hour are compared",
                task.name
            ));
        }
        unknown.extend(self.spot_without_loss());
        let due = self.chosen.due.iter().any(|due| *due != NEVER);
        if due && !self.chosen.careful && self.program.with_late_boots().is_some() {
            unknown.push(
                "what is due is in time if nodes boot as they usually do, and not if all boot as \
                 late as they do at worst (`bootMax` of a Policy)"
                    .to_owned(),
            );
        }
        for transfer in self.transfers().iter().filter(|transfer| transfer.cost.is_none()) {
            let table = match self.input.egress {
                Some(_) => "the egress table has no price for it",
                None => "there is no egress table (--egress FILE)",
            };
            unknown.push(format!(
                "moving {} from {} ({}) to {} ({}): {table}; it is not in the cost",
                size(transfer.bytes.into()),
                transfer.from,
                transfer.from_place,
                transfer.to,
                transfer.to_place,
            ));
        }
        let wants_time =
            dag.objective == Objective::Time || self.chosen.due.iter().any(|due| *due != NEVER);
        let moves = |transfer: &&Transfer| {
            transfer.bytes > 0
                && self.chosen.labels[transfer.from].class != self.chosen.labels[transfer.to].class
        };
        let untimed = self.program.transfers.iter().filter(moves).filter(|transfer| {
            let classes = [transfer.from, transfer.to].map(|it| self.chosen.labels[it].class);
            self.delay(transfer, classes[0], classes[1]) == 0
        });
        let untimed = untimed.count();
        if wants_time && untimed > 0 {
            unknown.push(format!(
                "{untimed} transfers between places are taken to need no time, as the egress \
                 table does not say how fast they go (column gbit_per_s)"
            ));
        }
        unknown
    }
}

impl Report<'_, '_> {
    /// What is not known of the interruptions of tasks on spot.
    fn spot_without_loss(&self) -> Option<String> {
        let policy = self.input.policy;
        let tasks = self.input.dag.tasks.iter().zip(&self.chosen.labels);
        let names: Vec<&str> = tasks
            .filter(|(task, label)| {
                let spot = label
                    .candidate
                    .is_some_and(|it| self.input.market.offer(it.offer).purchase == Purchase::Spot);
                spot && (task.interruptible.is_none() || policy.spot.is_none())
            })
            .map(|(task, _)| task.name.as_str())
            .collect();
        let first = *names.first()?;
        let who = match names.len() {
            1 => format!("task {first}"),
            many => format!("{first} and {} more tasks", many - 1),
        };
        Some(format!(
            "{who} on spot: nobody says what an interruption costs (`interruptible` of the task, \
             `spot` of a Policy), so none is counted"
        ))
    }
}

/// Bytes as people write them.
fn size(bytes: u128) -> String {
    let nano = i128::try_from(bytes).unwrap_or(i128::MAX);
    format!("{} GB", farthing_model::Decimal::from_nano(nano))
}
