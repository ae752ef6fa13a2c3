//! A guard beside a run: after every tick it reads what the journal and the ledger gained and
//! checks the laws from that alone, with sums of its own.

use super::Parts;
use farthing_edge::{Head, Record, chain};
use farthing_engine::{Body, StepRecord, Tick};
use farthing_model::{
    Action, Budget, Charge, Coverage, Limit, Money, OfferId, Ratio, Scope, Step, TeamId, Window,
    WorkloadId, hour_floor,
};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// What is posted in one hour, in 10^-12.
#[derive(Clone, Debug, Default)]
struct Hour {
    all: i128,
    teams: BTreeMap<TeamId, i128>,
    accounts: BTreeMap<(WorkloadId, OfferId), i128>,
}

/// Budget that was set aside for a step that is not settled.
#[derive(Clone, Debug)]
struct Reservation {
    step: Step,
    amount: i128,
    /// What was posted for its workload on its offer when it was made.
    before: i128,
    begun: bool,
}

/// What the guard knows.
#[derive(Debug)]
pub(crate) struct Guard {
    head: Head,
    proposed: BTreeMap<String, StepRecord>,
    reserved: BTreeMap<String, Reservation>,
    begun: Vec<Timestamp>,
    hours: BTreeMap<Timestamp, Hour>,
    /// Teams of the workloads that were seen.
    teams: BTreeMap<WorkloadId, TeamId>,
    /// Steps that were begun.
    pub(crate) steps: u64,
    /// Steps that a hard budget was checked for.
    pub(crate) budgeted: u64,
    /// Ticks in which nothing could be done, as the data was old.
    pub(crate) stale: u64,
    /// Ticks in which nothing could be done, as too little was measured.
    pub(crate) uncovered: u64,
    /// Steps that a limit held back.
    pub(crate) limited: u64,
    /// Sum of what ticks say was paid.
    pub(crate) paid: i128,
}

impl Guard {
    pub(crate) fn new() -> Self {
        Self {
            head: Head::GENESIS,
            proposed: BTreeMap::new(),
            reserved: BTreeMap::new(),
            begun: Vec::new(),
            hours: BTreeMap::new(),
            teams: BTreeMap::new(),
            steps: 0,
            budgeted: 0,
            stale: 0,
            uncovered: 0,
            limited: 0,
            paid: 0,
        }
    }

    /// Checks what a tick left behind.
    pub(crate) fn after(&mut self, parts: &Parts, tick: &Tick) {
        for seen in &tick.snapshot.workloads {
            if let Some(team) = &seen.workload.team {
                self.teams.insert(seen.workload.id.clone(), team.clone());
            }
        }
        let gained = parts.store.since(self.head.seq);
        self.head = chain::verify(&self.head, &gained).expect("the chain holds");
        self.conserves(tick);
        let begun = gained.iter().any(|record| matches!(body(record), Body::Intended { .. }));
        if begun {
            self.read_ledger(parts, tick);
        }
        let mut nodes = Vec::new();
        for record in &gained {
            self.follow(parts, tick, record, &mut nodes);
        }
        let limits = parts.config.policy.limits;
        let touched: u32 = nodes.iter().sum();
        let alone = nodes.iter().filter(|nodes| **nodes > 0).count() <= 1;
        assert!(
            touched <= limits.nodes_per_tick || alone,
            "law 9: {nodes:?} nodes in one tick, the limit is {}",
            limits.nodes_per_tick
        );
        let held = tick.acted.held.iter();
        let by_limit = held.filter(|(_, held)| held.to_string().starts_with("the limit"));
        self.limited += u64::try_from(by_limit.count()).unwrap();
        self.is_fresh(parts, tick, !nodes.is_empty());
    }

    /// Law 5.
    fn conserves(&mut self, tick: &Tick) {
        let money = tick.money;
        let parts = [money.used, money.idle, money.unallocated, money.overhead];
        let sum: i128 = parts.iter().map(|part| part.pico()).sum();
        assert_eq!(money.paid.pico(), sum, "law 5 at {}: {money:?}", tick.at);
        assert!(parts.iter().all(|part| !part.is_negative()), "law 5: {money:?}");
        self.paid += money.paid.pico();
    }

    /// Law 7.
    fn is_fresh(&mut self, parts: &Parts, tick: &Tick, acted: bool) {
        let limits = parts.config.policy.limits;
        let snapshot = &tick.snapshot;
        let oldest = snapshot.ages.iter().map(|age| snapshot.at.duration_since(age.as_of)).max();
        let stale = oldest.is_some_and(|age| age > limits.age_max);
        assert!(!stale || !acted, "law 7: steps at {} on data {oldest:?} old", tick.at);
        self.stale += u64::from(stale);
        let under = |coverage: Coverage| {
            let ratio = Ratio::of(coverage.measured_nanos, coverage.expected_nanos);
            ratio.is_some_and(|ratio| ratio < limits.coverage_min)
        };
        let uncovered = under(snapshot.coverage) || under(tick.coverage);
        assert!(!uncovered || !acted, "law 7: steps at {} with {:?}", tick.at, tick.coverage);
        self.uncovered += u64::from(uncovered);
    }

    fn follow(&mut self, parts: &Parts, tick: &Tick, record: &Record, nodes: &mut Vec<u32>) {
        match body(record) {
            Body::Planned(plan) => {
                self.proposed = plan.steps.into_iter().map(|it| (it.step.clone(), it)).collect();
            }
            Body::Noted { about, text } if about == "check" => {
                panic!("law 4 at {}: {text}", tick.at);
            }
            Body::Reserved { step, amount, posted_before, .. } => {
                let amount: Money = amount.parse().unwrap();
                let before: Money = posted_before.parse().unwrap();
                let said = self.proposed[&step].to_step().unwrap();
                let (amount, before) = (amount.pico(), before.pico());
                assert_eq!(amount, said.cost.pico(), "what is reserved is what the step costs");
                assert_eq!(before, self.posted(&said), "what was posted before step {step}");
                self.admits(parts, record.at, &said);
                let reservation = Reservation { step: said, amount, before, begun: false };
                self.reserved.insert(step, reservation);
            }
            Body::Intended { step, .. } => {
                let proposal = self.proposed.get(&step).expect("law 10: a step that was planned");
                nodes.push(is_exact(proposal, tick, record.at));
                self.steps += 1;
                if let Some(reservation) = self.reserved.get_mut(&step) {
                    reservation.begun = true;
                }
                self.begin(parts, record.at);
            }
            Body::Receipted { step, outcome, .. }
                if !matches!(&*outcome, "done" | "already-done") =>
            {
                self.reserved.remove(&step);
            }
            Body::Settled { step, .. } | Body::Undone { step, .. } => {
                self.reserved.remove(&step);
            }
            _ => {}
        }
    }

    /// Law 9, for any 60 minutes up to and after this moment.
    fn begin(&mut self, parts: &Parts, at: Timestamp) {
        self.begun.push(at);
        let hour = SignedDuration::from_hours(1);
        let limit = usize::try_from(parts.config.policy.limits.steps_per_hour).unwrap();
        let in_hour = |other: &&Timestamp| at.duration_since(**other).abs() < hour;
        let before = self.begun.iter().filter(in_hour).filter(|other| **other <= at).count();
        assert!(before <= limit, "law 9: {before} steps in the hour before {at}");
    }

    /// Law 6: with what is posted and what is set aside, the step still fits.
    fn admits(&mut self, parts: &Parts, at: Timestamp, step: &Step) {
        let Some(team) = step.action.workload().and_then(|id| self.teams.get(id)).cloned() else {
            return;
        };
        for budget in parts.config.budgets.iter().filter(|budget| budget.hard) {
            let (Limit::Money(limit), Some(period)) = (budget.limit, budget.period.window_at(at))
            else {
                continue;
            };
            if step.cost.is_zero() || !covers(budget, &team) {
                continue;
            }
            let (spent, committed) = (self.spent(budget, period), self.committed(budget, period));
            let needed = inside(step.cost.pico(), step, period);
            let sum = spent + committed + needed;
            assert!(
                sum <= limit.pico(),
                "law 6: budget {} of {limit}: spent {spent}, committed {committed}, step {} \
                 needs {needed}",
                budget.id,
                step.id
            );
            self.budgeted += 1;
        }
    }

    fn spent(&self, budget: &Budget, period: Window) -> i128 {
        let hours = self.hours.range(period.from()..period.to());
        let spent = hours.map(|(_, hour)| match &budget.scope {
            Scope::All => hour.all,
            Scope::Team(team) => hour.teams.get(team).copied().unwrap_or(0),
            Scope::Label(..) | Scope::Within(_) => panic!("the days have no budgets by label"),
        });
        spent.sum()
    }

    /// What is set aside and not yet posted. Steps of one workload on one offer are posted
    /// together, so what was posted since the first of them counts against all.
    fn committed(&self, budget: &Budget, period: Window) -> i128 {
        let mut groups: BTreeMap<(WorkloadId, OfferId), (i128, i128)> = BTreeMap::new();
        for reservation in self.reserved.values().filter(|it| it.begun) {
            let Some(account) = account(&reservation.step.action) else { continue };
            if !self.teams.get(&account.0).is_some_and(|team| covers(budget, team)) {
                continue;
            }
            let rest = inside(reservation.amount, &reservation.step, period);
            let group = groups.entry(account).or_insert((0, reservation.before));
            *group = (group.0 + rest, group.1.min(reservation.before));
        }
        let open = groups.into_iter().map(|(account, (reserved, before))| {
            (reserved - (self.posted_on(&account) - before)).max(0)
        });
        open.sum()
    }

    fn posted(&self, step: &Step) -> i128 {
        account(&step.action).map_or(0, |account| self.posted_on(&account))
    }

    fn posted_on(&self, account: &(WorkloadId, OfferId)) -> i128 {
        self.hours.values().filter_map(|hour| hour.accounts.get(account)).sum()
    }

    /// Reads the hours of the ledger that may have changed since they were last read.
    fn read_ledger(&mut self, parts: &Parts, tick: &Tick) {
        let last = self.hours.keys().next_back().copied();
        let cluster = &parts.config.cluster;
        for hour in parts.books.posted_hours(cluster).unwrap() {
            // A clock that went back posts nothing until it has caught up.
            if last.is_some_and(|last| hour.from() < last) {
                continue;
            }
            let book = parts.books.hour(cluster, hour.from()).unwrap().expect("it is listed");
            let sums = Hour::of(&book.charges().unwrap());
            self.hours.insert(hour_floor(hour.from()), sums);
        }
        assert!(tick.window.is_none() || !self.hours.is_empty(), "what is measured is posted");
    }
}

impl Hour {
    fn of(charges: &[Charge]) -> Self {
        let mut hour = Self::default();
        for charge in charges {
            let cost = charge.cost.pico();
            hour.all += cost;
            let Some(who) = &charge.attribution else { continue };
            if let Some(team) = &who.team {
                *hour.teams.entry(team.clone()).or_default() += cost;
            }
            let account = (who.workload.clone(), charge.offer.clone());
            *hour.accounts.entry(account).or_default() += cost;
        }
        hour
    }
}

fn body(record: &Record) -> Body {
    Body::read(record).expect("the journal is readable")
}

fn covers(budget: &Budget, team: &TeamId) -> bool {
    match &budget.scope {
        Scope::All => true,
        Scope::Team(covered) => covered == team,
        Scope::Label(..) | Scope::Within(_) => panic!("the days have no budgets by label"),
    }
}

fn account(action: &Action) -> Option<(WorkloadId, OfferId)> {
    match action {
        Action::Start { workload, offer, .. } | Action::Scale { workload, offer, .. } => {
            Some((workload.clone(), offer.clone()))
        }
        _ => None,
    }
}

/// The part of an amount over a step's window that falls into a period, rounded down: at most
/// what any careful reservation sets aside.
fn inside(amount: i128, step: &Step, period: Window) -> i128 {
    let (Action::Start { window, .. } | Action::Scale { window, .. }) = &step.action else {
        return amount;
    };
    let inside = window.intersect(period).map_or(0, Window::nanos);
    if inside == window.nanos() { amount } else { amount / window.nanos() * inside }
}

/// Law 10: the step as journalled names all that doing it needs. Returns the nodes it touches.
fn is_exact(proposal: &StepRecord, tick: &Tick, at: Timestamp) -> u32 {
    let step = proposal.to_step().expect("law 10: a complete step");
    let again = StepRecord { reasons: proposal.reasons.clone(), ..StepRecord::of(&step) };
    assert_eq!(*proposal, again, "law 10: nothing is lost on the way");
    assert!(step.expires >= at, "law 10: step {} at {at} expired at {}", step.id, step.expires);
    assert!(!step.reasons.is_empty(), "law 10: step {} says no reason", step.id);
    match &step.action {
        Action::Release { node } => {
            let there = tick.snapshot.nodes.iter().any(|seen| seen.id == *node);
            assert!(there, "law 10: step {} on a node that was not seen", step.id);
        }
        action => {
            let id = action.workload().expect("it acts on a workload");
            let seen = tick.snapshot.workload(id).expect("law 10: a workload that was seen");
            assert_eq!(step.generation, seen.generation, "law 10: step {}", step.id);
        }
    }
    if let Action::Start { members, nodes_each, window, .. } = &step.action {
        assert!(*members > 0 && *nodes_each > 0, "law 10: step {} starts nothing", step.id);
        assert!(window.nanos() > 0 && step.cost.pico() > 0, "law 10: step {} is free", step.id);
    }
    step.action.nodes()
}
