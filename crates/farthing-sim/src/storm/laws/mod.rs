//! The laws, and the auditor who holds a run to them: at the door, with everything that takes
//! effect, after every tick, and at the end. It folds the journal, reads the books and asks the
//! world by itself; the engine is only asked what it believes is open.
//!
//! Each law is a function of its own name: those of one record in `record`, those of money in
//! `money`, those of a tick that is over in `rest`, and those of a whole run in `end`.

mod end;
mod ledger;
mod money;
mod record;
mod rest;
mod spans;
mod story;

use super::case::{Case, Crew};
use super::outside::Process;
use crate::scenario::Scenario;
use crate::world::SimWorld;
use farthing_edge::{Head, Record, chain};
use farthing_engine::Config;
use farthing_ledger::Books;
use farthing_model::{
    Assignment, Coverage, Observed, Snapshot, Step, StepId, Window, Workload, WorkloadId,
    WorkloadState,
};
use jiff::Timestamp;
use ledger::Ledger;
use object_store::memory::InMemory;
use spans::Spans;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use story::{Stories, Story};

/// A law. The numbers are those of ARCHITECTURE.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Law {
    /// 8: the journal is a chain, and nobody writes over what he has not read.
    ChainHolds,
    /// 5: used, idle, unallocated and overhead are what was paid, and none is below zero.
    PartsAreWhole,
    /// 4: the checker refuses no plan.
    CheckerPasses,
    /// 10: a step names its target as seen, its cost, a reason and an end.
    StepsAreExact,
    /// 6: what a step costs is set aside before it is begun.
    ReservedFirst,
    /// 6: no hard budget is exceeded by what is spent, set aside and begun.
    BudgetHolds,
    /// 7: nothing is begun on old data, or on too little.
    DataIsFresh,
    /// 9: steps in an hour, nodes in a tick.
    LimitsHold,
    /// Nothing is begun that a person is to approve and has not.
    ApprovedFirst,
    /// 8: no step is planned, begun, done, receipted or settled twice.
    OnceEach,
    /// 8: no step that was begun is forgotten.
    NoneLost,
    /// 8: the world did what the journal says that it did, when it says, and nothing else.
    JournalIsWorld,
    /// 6: what was set aside is free again when what it was for has ended.
    NothingStaysOpen,
    /// 6: and not before.
    NothingEndsEarly,
    /// 8: an engine believes open what is open.
    Believed,
    /// 3: what is settled for steps is what is posted, once.
    SettledIsPosted,
    /// 5: what is posted is what the nodes cost in the time that was measured.
    PaidIsBill,
    /// Unknown is a value: time that was paid and not measured is told.
    GapsAreTold,
    /// 5: the books are whole, and say what their telemetry does.
    BooksVerify,
    /// Who does not lead does not write.
    OneLeader,
    /// What was taken back is as it was before.
    UndoRestores,
    /// 2: planning again after acting gives nothing to do.
    PlanIsIdempotent,
    /// 3: what a finished job was predicted to cost is what was posted for it.
    PredictedIsPosted,
    /// 1: the same case gives the same bytes.
    SameCaseSameRun,
    /// An engine never panics, and goes on when what was wrong is over.
    GoesOn,
}

impl Law {
    /// All, in the order of tables.
    pub const ALL: [Self; 25] = [
        Self::ChainHolds,
        Self::PartsAreWhole,
        Self::CheckerPasses,
        Self::StepsAreExact,
        Self::ReservedFirst,
        Self::BudgetHolds,
        Self::DataIsFresh,
        Self::LimitsHold,
        Self::ApprovedFirst,
        Self::OnceEach,
        Self::NoneLost,
        Self::JournalIsWorld,
        Self::NothingStaysOpen,
        Self::NothingEndsEarly,
        Self::Believed,
        Self::SettledIsPosted,
        Self::PaidIsBill,
        Self::GapsAreTold,
        Self::BooksVerify,
        Self::OneLeader,
        Self::UndoRestores,
        Self::PlanIsIdempotent,
        Self::PredictedIsPosted,
        Self::SameCaseSameRun,
        Self::GoesOn,
    ];

    /// The name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ChainHolds => "chain-holds",
            Self::PartsAreWhole => "parts-are-whole",
            Self::CheckerPasses => "checker-passes",
            Self::StepsAreExact => "steps-are-exact",
            Self::ReservedFirst => "reserved-first",
            Self::BudgetHolds => "budget-holds",
            Self::DataIsFresh => "data-is-fresh",
            Self::LimitsHold => "limits-hold",
            Self::ApprovedFirst => "approved-first",
            Self::OnceEach => "once-each",
            Self::NoneLost => "none-lost",
            Self::JournalIsWorld => "journal-is-world",
            Self::NothingStaysOpen => "nothing-stays-open",
            Self::NothingEndsEarly => "nothing-ends-early",
            Self::Believed => "believed",
            Self::SettledIsPosted => "settled-is-posted",
            Self::PaidIsBill => "paid-is-bill",
            Self::GapsAreTold => "gaps-are-told",
            Self::BooksVerify => "books-verify",
            Self::OneLeader => "one-leader",
            Self::UndoRestores => "undo-restores",
            Self::PlanIsIdempotent => "plan-is-idempotent",
            Self::PredictedIsPosted => "predicted-is-posted",
            Self::SameCaseSameRun => "same-case-same-run",
            Self::GoesOn => "goes-on",
        }
    }
}

/// A law that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// Which.
    pub law: Law,
    /// When, in the world.
    pub at: Timestamp,
    /// How.
    pub what: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} at {}: {}", self.law.name(), self.at, self.what)
    }
}

/// How often each law was held against something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checked([u64; Law::ALL.len()]);

impl Checked {
    /// How often a law was checked.
    pub const fn of(&self, law: Law) -> u64 {
        self.0[law as usize]
    }

    /// How often any was.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Adds what another run checked.
    pub fn add(&mut self, other: &Self) {
        for (sum, more) in self.0.iter_mut().zip(other.0) {
            *sum += more;
        }
    }
}

/// What a process has before it in its tick.
#[derive(Clone, Debug, Default)]
struct Desk {
    seen: Option<Snapshot>,
    /// Whether all of it was seen now.
    of_one_moment: bool,
    measured: Coverage,
    /// Nodes that the steps of the tick touch.
    nodes: Vec<u32>,
    /// Steps of which the world did not say what became of them.
    unanswered: BTreeSet<StepId>,
    /// The last record before the tick.
    head: u64,
}

/// Who holds a run to the laws.
pub(super) struct Auditor {
    /// What engines are to keep to, whatever they were told.
    config: Config,
    crew: Crew,
    /// Nothing goes wrong in the case.
    calm: bool,
    workloads: BTreeMap<WorkloadId, Arc<Workload>>,
    breaches: Vec<Breach>,
    checked: Checked,
    /// The time of the world, for breaches.
    now: Timestamp,
    begun_at: Option<Timestamp>,
    head: Head,
    stories: Stories,
    desks: BTreeMap<Process, Desk>,
    /// Steps that a process is about to do: written down, and not done yet.
    in_flight: BTreeMap<StepId, Process>,
    /// Steps that another process was told had never happened, while one was about to do them.
    between: BTreeSet<StepId>,
    /// Workloads as they were before a step.
    before: BTreeMap<StepId, Observed>,
    /// When steps were begun.
    begun: Vec<Timestamp>,
    /// What the world did, as it wrote it down itself, and how far that was read.
    did: BTreeMap<String, Vec<Timestamp>>,
    log_read: usize,
    kept: Spans,
    told: Spans,
    ledger: Ledger,
    /// Steps that were settled, and not yet held against the world.
    ends: Vec<Story>,
    /// A run is being ended on purpose: what is in force is settled.
    pub(super) closing: bool,
}

impl Auditor {
    pub(super) fn new(
        case: &Case,
        scenario: &Scenario,
        config: &Config,
        files: &Arc<InMemory>,
    ) -> Self {
        let jobs = scenario.jobs.iter().map(|job| &job.workload);
        let services = scenario.services.iter().map(|service| &service.workload);
        let workloads = jobs.chain(services).map(|it| (it.id.clone(), Arc::clone(it))).collect();
        Self {
            config: config.clone(),
            crew: case.crew,
            calm: case.is_calm(),
            workloads,
            breaches: Vec::new(),
            checked: Checked::default(),
            now: scenario.start,
            begun_at: None,
            head: Head::GENESIS,
            stories: Stories::default(),
            desks: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            between: BTreeSet::new(),
            before: BTreeMap::new(),
            begun: Vec::new(),
            did: BTreeMap::new(),
            log_read: 0,
            kept: Spans::default(),
            told: Spans::default(),
            ledger: Ledger::new(files, &config.cluster),
            ends: Vec::new(),
            closing: false,
        }
    }

    /// The first law that was broken.
    pub(super) fn breach(&self) -> Option<&Breach> {
        self.breaches.first()
    }

    /// How often each law was checked.
    pub(super) const fn checked(&self) -> &Checked {
        &self.checked
    }

    /// Steps that were begun, and how many of them another process took for never done.
    pub(super) fn steps(&self) -> (u64, u64) {
        let begun = u64::try_from(self.begun.len()).unwrap_or(u64::MAX);
        (begun, u64::try_from(self.between.len()).unwrap_or(u64::MAX))
    }

    /// Holds something against a law: what is said is how it is broken.
    fn hold(&mut self, law: Law, broken: Option<String>) {
        self.checked.0[law as usize] += 1;
        if let Some(what) = broken {
            self.breaches.push(Breach { law, at: self.now, what });
        }
    }

    pub(super) fn panicked(&mut self, who: &str) {
        self.hold(Law::GoesOn, Some(format!("{who} panicked")));
    }

    pub(super) fn failed(&mut self, law: Law, what: Option<String>) {
        self.hold(law, what);
    }

    /// A tick of a process begins.
    pub(super) fn tick_begins(&mut self, process: Process) {
        self.desks.insert(process, Desk { head: self.head.seq, ..Desk::default() });
    }

    pub(super) fn stops(&mut self, process: Process) {
        self.in_flight.retain(|_, other| *other != process);
        self.desks.remove(&process);
    }

    /// A process is shown the world, with true ages; `missed`: and something as it was before.
    pub(super) fn observed(&mut self, process: Process, shown: &Snapshot, missed: bool) {
        let desk = self.desks.entry(process).or_default();
        desk.of_one_moment = !missed && shown.ages.iter().all(|age| age.as_of == shown.at);
        desk.seen = Some(shown.clone());
    }

    /// A process is told how much of a window was measured, if any of it was.
    pub(super) fn measured(&mut self, process: Process, coverage: Coverage) {
        self.desks.entry(process).or_default().measured = coverage;
    }

    /// Telemetry of a window is in the books.
    pub(super) fn kept(&mut self, window: Window) {
        self.kept.add(window);
    }

    /// The world did not say what became of a step.
    pub(super) fn unanswered(&mut self, process: Process, step: &StepId) {
        self.desks.entry(process).or_default().unanswered.insert(step.clone());
    }

    /// The world says whether a step never happened. Where somebody who lives is about to do it,
    /// nobody can know better: without a lease, or by one who sleeps for longer.
    pub(super) fn answered(&mut self, step: &StepId, never: bool) {
        if never && self.in_flight.contains_key(step) {
            self.between.insert(step.clone());
        }
    }

    /// A step was tried in the world, which `before` was of its workload.
    pub(super) fn acted(&mut self, step: &Step, before: Option<Observed>, world: &SimWorld) {
        if let Some(before) = before {
            self.before.insert(step.id.clone(), before);
        }
        self.read_log(world);
    }

    /// Nobody is about to do a step any more.
    pub(super) fn has_acted(&mut self, step: &StepId) {
        self.in_flight.remove(step);
    }

    /// Reads what the world wrote down since.
    fn read_log(&mut self, world: &SimWorld) {
        let log = world.log();
        for line in log.get(self.log_read..).unwrap_or_default() {
            let mut words = line.split(' ');
            let (at, what, id) = (words.next(), words.next(), words.next());
            if let (Some(at), Some("did"), Some(id)) = (at, what, id)
                && let Ok(at) = at.parse()
            {
                self.did.entry(id.to_owned()).or_default().push(at);
            }
        }
        self.log_read = log.len();
        self.now = world.now();
    }

    /// Records are in the journal. `known`: whether the process had read all before them;
    /// `leads`: whether it may write.
    pub(super) fn recorded(
        &mut self,
        process: Process,
        (known, leads): (bool, bool),
        records: &[Record],
        books: &Books,
    ) {
        self.now = records.first().map_or(self.now, |record| self.now.max(record.at));
        self.begun_at = self.begun_at.or(records.first().map(|record| record.at));
        self.chain_holds(known, records);
        let broken = (!leads).then(|| format!("process {process} writes and does not lead"));
        self.hold(Law::OneLeader, broken);
        for record in records {
            self.record(process, record, books);
        }
    }

    /// Law 8.
    fn chain_holds(&mut self, known: bool, records: &[Record]) {
        let broken = match chain::verify(&self.head, records) {
            Ok(head) => {
                self.head = head;
                (!known).then(|| {
                    let at = records.first().map_or(0, |record| record.seq);
                    format!("record {at} was decided before what is written ahead of it was read")
                })
            }
            Err(fault) => Some(fault.to_string()),
        };
        self.hold(Law::ChainHolds, broken);
    }

    /// What is undone is as it was, where nothing else can have changed it.
    pub(super) fn undone(&mut self, step: &Step, world: &SimWorld) {
        self.read_log(world);
        let did = self.did.get(step.id.as_str()).and_then(|times| times.last()).copied();
        let Some(before) = self.before.get(&step.id).filter(|_| did == Some(world.now())) else {
            return;
        };
        let after = world.truth(world.now()).workload(&before.workload.id).cloned();
        let is = after.map(|after| after.state);
        let others = self.stories.by_id.values().any(|other: &Story| {
            let same = other.step.action.workload() == step.action.workload();
            same && other.step.id != step.id && other.happened() == did
        });
        if others {
            return;
        }
        let same = is.as_ref().is_some_and(|is| is_alike(is, &before.state));
        let broken = (!same).then(|| {
            format!("step {} was taken back: {:?} before it, {is:?} now", step.id, before.state)
        });
        self.hold(Law::UndoRestores, broken);
    }
}

/// Whether a workload is as it was: when it is to end is moved by time alone.
fn is_alike(one: &WorkloadState, other: &WorkloadState) -> bool {
    let (WorkloadState::Placed(one), WorkloadState::Placed(other)) = (one, other) else {
        return one == other;
    };
    let parts = |there: &[Assignment]| {
        let part = |it: &Assignment| (it.offer.clone(), it.nodes_each, it.members);
        let mut parts: Vec<_> = there.iter().map(part).collect();
        parts.sort();
        parts
    };
    parts(one) == parts(other)
}
