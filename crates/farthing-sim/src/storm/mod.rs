//! Storms: the engine of the product in the simulated world while everything around it goes wrong,
//! held to the laws with everything that takes effect, after every tick, and at the end.
//!
//! ```text
//! Case      what a run depends on: a seed, or a text         case
//!   Sim     drives controllers, clocks and people            here, controller
//!   Hub     the one door of every call, with its troubles    outside, line, shelf
//!   Auditor every law, by folds of its own                   laws
//! shrink    a smaller case that breaks the same law          shrink
//! ```
//!
//! All of a run follows from its case: there is no clock, no hash order and no thread that runs
//! beside another. A call of a controller is where it can be stopped, fail, or meet another
//! controller in the middle of a tick; so a run meets every moment between two effects. Defects
//! (`defect`) are put between a sound engine and a sound world to show that the laws see them.
//!
//! It refuses to know how anything is decided. Start with [`Sim::run`].

mod case;
mod controller;
mod defect;
mod laws;
mod line;
mod outside;
mod shelf;
mod shrink;
mod trouble;

pub use case::{Case, CaseError, Crew};
pub use defect::Defect;
pub use laws::{Breach, Checked, Law};
pub use shrink::shrink;
pub use trouble::{Coverage, Op, Trouble};

use crate::random::Random;
use crate::scenario::Scenario;
use crate::world::SimWorld;
use controller::{Controller, Ticked};
use farthing_edge::{Head, Store as _};
use farthing_engine::{Config, Planner, Stage};
use farthing_ledger::Weights;
use farthing_model::{Currency, Mode, Ratio, StepId};
use farthing_planner::Effort;
use jiff::{SignedDuration, Timestamp};
use laws::Auditor;
use object_store::memory::InMemory;
use outside::{Hub, Outside, Peer};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Less search than usual: the laws hold for any plan, not only for the best.
const LIGHT: Effort =
    Effort { nodes_max: 10, iterations_max: 5_000, gap: Ratio::from_ppm(50_000), slots_max: 4 };
/// How the price of a node is split.
const WEIGHTS: &str = "gpu 2.50 USD/h\ncpu 0.03 USD/h\nmemory 0.004 USD/h\nstorage 0.0001 USD/h\n";
/// Ticks in which an engine must have gone on, when nothing is wrong any more.
const RECOVERY_TICKS: u32 = 3;
/// How far a clock jumps, at most.
const JUMP_MINUTES_MAX: i64 = 150;
/// Ticks that a controller that stopped is away, at most.
const AWAY_TICKS_MAX: u64 = 6;
/// In parts per million: a person approves a proposal, refuses one, takes a step back; the second
/// of two controllers ticks after the first.
const APPROVES: u32 = 600_000;
const REFUSES: u32 = 100_000;
const TAKES_BACK: u32 = 80_000;
const TICKS_TOO: u32 = 300_000;

/// What a run came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The case.
    pub case: Case,
    /// The first law that was broken, if one was.
    pub breach: Option<Breach>,
    /// Time that passed in the world.
    pub simulated: SignedDuration,
    /// Ticks that were tried.
    pub ticks: u64,
    /// Calls to the outside.
    pub calls: u64,
    /// Steps that were begun.
    pub steps: u64,
    /// Steps that one controller did while another one was told that they had never happened.
    pub between: u64,
    /// What went wrong, and during what.
    pub coverage: Coverage,
    /// How often each law was checked.
    pub checked: Checked,
    /// The last calls, where a law was broken: what led to it.
    pub trail: Vec<String>,
    /// The end of the journal.
    pub head: Head,
    /// A digest of all that happened in the world: equal for equal runs.
    pub digest: u64,
}

/// A run.
pub struct Sim {
    case: Case,
    hub: Arc<Hub>,
    crew: [Arc<Mutex<Controller>>; 2],
    /// Which of the crew ticks.
    turn: usize,
    now: Timestamp,
    /// Ticks for which nobody is there.
    away: u64,
    ticks: u64,
    draw: Random,
}

impl std::fmt::Debug for Sim {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Sim({})", self.case)
    }
}

impl Sim {
    /// Runs the case of a seed to its end, or to the first law that is broken.
    pub fn run(seed: u64) -> Outcome {
        Self::of(&Case::of(seed))
    }

    /// Runs a case to its end, or to the first law that is broken.
    pub fn of(case: &Case) -> Outcome {
        match Self::new(case) {
            Ok(sim) => sim.drive(),
            Err(what) => Outcome::impossible(case, what),
        }
    }

    fn new(case: &Case) -> Result<Self, String> {
        let scenario = case.scenario().map_err(|error| error.to_string())?;
        let mut world = SimWorld::new(&scenario).map_err(|error| error.to_string())?;
        world.keep_log();
        let mut config = config(case, &scenario)?;
        let files = Arc::new(InMemory::new());
        let auditor = Auditor::new(case, &scenario, &config, &files);
        let hub = Hub::new(Outside::new(case, world, auditor, files));
        if let Some(defect) = case.defect {
            defect.tells(&mut config);
        }
        let controller = || Arc::new(Mutex::new(Controller::new(Arc::clone(&hub), config.clone())));
        Ok(Self {
            case: case.clone(),
            crew: [controller(), controller()],
            turn: 0,
            now: scenario.start,
            away: 0,
            ticks: 0,
            draw: Random::new(case.seed).fork("driver"),
            hub,
        })
    }

    fn drive(mut self) -> Outcome {
        let start = self.now;
        for _ in 0..self.case.ticks {
            self.jump();
            if self.away > 0 {
                self.away -= 1;
            } else {
                self.turn_of_one();
            }
            if self.is_broken() {
                break;
            }
            self.now = later(self.now, self.case.interval());
        }
        if !self.is_broken() {
            self.end();
        }
        self.crew.iter().for_each(|one| lock(one).ends());
        self.hub.set_peer(None);
        let outside = self.hub.outside();
        let (steps, between) = outside.auditor.steps();
        Outcome {
            case: self.case.clone(),
            breach: outside.auditor.breach().cloned(),
            simulated: outside.world.now().duration_since(start),
            ticks: self.ticks,
            calls: outside.calls,
            steps,
            between,
            coverage: outside.coverage.clone(),
            checked: *outside.auditor.checked(),
            trail: outside.auditor.breach().map(|_| outside.trail()).unwrap_or_default(),
            head: outside.journal.head().unwrap_or(Head::GENESIS),
            digest: outside.world.score().digest,
        }
    }

    fn is_broken(&self) -> bool {
        self.hub.outside().auditor.breach().is_some()
    }

    /// The clock of the machine may jump.
    fn jump(&mut self) {
        let mut outside = self.hub.outside();
        for (trouble, sign) in [(Trouble::ClockAhead, 1), (Trouble::ClockBack, -1)] {
            if outside.strikes(trouble, Op::Observe) {
                let minutes = outside.draw(trouble).between(1, JUMP_MINUTES_MAX);
                self.now = later(self.now, SignedDuration::from_mins(sign * minutes));
            }
        }
    }

    /// One controller ticks; where there are two at once, the other one may after it.
    fn turn_of_one(&mut self) {
        self.tick_of(self.turn);
        if self.case.crew == Crew::Two && self.draw.chance(TICKS_TOO) {
            self.tick_of(1 - self.turn);
        }
    }

    fn tick_of(&mut self, turn: usize) {
        let one = Arc::clone(&self.crew[turn]);
        let other: Arc<Mutex<dyn Peer>> = Arc::clone(&self.crew[1 - turn]) as _;
        self.hub.set_peer(Some(other));
        let mut one = lock(&one);
        self.words_before(&mut one);
        self.ticks += 1;
        match one.tick(self.now) {
            Ticked::Whole(tick) => {
                self.rests(&mut one, &tick);
                // What a person approved some time ago is done as it was approved.
                let at_once = self.case.mode == Mode::Enforce && self.case.crew == Crew::One;
                let calm = self.case.is_calm() && at_once;
                if calm && tick.acted.held.is_empty() {
                    self.plan_is_idempotent(&mut one);
                }
                self.words_after(&mut one);
            }
            Ticked::Failed => {}
            Ticked::Stopped => {
                let at_once = self.draw.chance(500_000);
                let ticks = self.draw.below(AWAY_TICKS_MAX);
                self.away = if at_once { 0 } else { ticks };
                if at_once {
                    self.ticks += 1;
                    if let Ticked::Whole(tick) = one.tick(self.now) {
                        self.rests(&mut one, &tick);
                    }
                }
            }
        }
        // Who lost the lead ends, and the other one goes on.
        if self.case.crew == Crew::Leased && (one.is_deposed() || !one.lives()) {
            one.ends();
            self.turn = 1 - turn;
        }
    }

    /// The laws at rest, where nobody is in the middle of anything.
    fn rests(&self, one: &mut Controller, tick: &farthing_engine::Tick) {
        let process = one.process();
        let Some(engine) = one.engine() else { return };
        let (open, head) = (engine.open_state().clone(), engine.head());
        let outside = &mut *self.hub.outside();
        // Who was deposed in his tick, or met in it, has not heard of all that happened since.
        let heard = outside.journal.head().is_ok_and(|last| last == head);
        if !heard || !outside.may_write(process) {
            return;
        }
        outside.auditor.rests((process, tick), &open, &outside.world, &outside.books);
    }

    /// Law 2: planning again after acting, in a world in which nothing goes wrong.
    fn plan_is_idempotent(&mut self, one: &mut Controller) {
        self.ticks += 1;
        let Ticked::Whole(again) = one.tick(self.now) else { return };
        let steps = again.planned.map(|planned| planned.plan.steps).unwrap_or_default();
        let did = again.acted.receipts.len();
        let idle = steps.is_empty() && did == 0;
        let broken = (!idle).then(|| format!("a second plan has {steps:?}, {did} were done"));
        self.hub.outside().auditor.failed(Law::PlanIsIdempotent, broken);
    }

    /// People approve and refuse what is proposed.
    fn words_before(&mut self, one: &mut Controller) {
        let (now, draw) = (self.now, &mut self.draw);
        let Some(engine) = one.engine().filter(|_| self.case.mode == Mode::Approve) else { return };
        let steps = engine.open_state().steps.values();
        let asked = steps.filter(|open| open.stage == Stage::Proposed && open.approved.is_none());
        let asked: Vec<StepId> = asked.map(|open| open.step.id.clone()).collect();
        for step in asked {
            let (yes, no) = (draw.chance(APPROVES), draw.chance(REFUSES));
            if yes || no {
                // What cannot be written now is said again at another tick, or not at all.
                let _said = engine.approve(&step, yes, "somebody", now);
            }
        }
    }

    /// People take back what was done; most of it right away.
    fn words_after(&mut self, one: &mut Controller) {
        let process = one.process();
        let takes = self.draw.chance(TAKES_BACK) && !self.case.is_calm();
        let Some(engine) = one.engine().filter(|_| takes) else { return };
        let in_force: Vec<StepId> =
            engine.open_state().in_force().map(|(open, _)| open.step.id.clone()).collect();
        if let Some(step) = self.draw.pick(&in_force) {
            // The world may refuse, or not be reached.
            let _undone = engine.undo(step, self.now);
        }
        if self.hub.outside().is_stopped(process) {
            one.ends();
        }
    }

    /// Nothing goes wrong any more: an engine is opened on what is left, goes on, and ends.
    fn end(&mut self) {
        self.crew.iter().for_each(|one| lock(one).ends());
        self.hub.set_peer(None);
        self.hub.outside().becomes_calm();
        self.now = self.now.max(self.hub.outside().world.now());
        let one = Arc::clone(&self.crew[self.turn]);
        let mut one = lock(&one);
        let mut last = None;
        for _ in 0..RECOVERY_TICKS {
            self.now = later(self.now, self.case.interval());
            self.ticks += 1;
            last = Some(one.tick(self.now));
            if let Some(Ticked::Whole(tick)) = &last {
                self.rests(&mut one, tick);
            }
        }
        let went_on = matches!(last, Some(Ticked::Whole(_)));
        self.hub.outside().auditor.closing = true;
        let closed = one.engine().map(|engine| engine.close(self.now));
        let broken = match closed {
            Some(Ok(_)) if went_on => None,
            Some(Err(error)) => Some(format!("the run cannot be ended: {error}")),
            _ => Some("no tick goes well where nothing is wrong any more".to_owned()),
        };
        let calm = self.case.is_calm() && self.case.mode == Mode::Enforce;
        let outside = &mut *self.hub.outside();
        outside.auditor.failed(Law::GoesOn, broken);
        outside.auditor.ends(calm, &outside.journal, &outside.world, &outside.books);
    }
}

impl Outcome {
    fn impossible(case: &Case, what: String) -> Self {
        let breach = Breach { law: Law::GoesOn, at: Timestamp::UNIX_EPOCH, what };
        Self {
            case: case.clone(),
            breach: Some(breach),
            simulated: SignedDuration::ZERO,
            ticks: 0,
            calls: 0,
            steps: 0,
            between: 0,
            coverage: Coverage::default(),
            checked: Checked::default(),
            trail: Vec::new(),
            head: Head::GENESIS,
            digest: 0,
        }
    }

    /// Holds this run against another one of the same case: law 1.
    #[must_use]
    pub fn against(mut self, again: &Self) -> Self {
        let same = self.head == again.head && self.digest == again.digest;
        if !same && self.breach.is_none() {
            let what = format!(
                "the journals end at records {} and {}, the worlds at {:016x} and {:016x}",
                self.head.seq, again.head.seq, self.digest, again.digest
            );
            let at = Timestamp::UNIX_EPOCH;
            self.breach = Some(Breach { law: Law::SameCaseSameRun, at, what });
        }
        self
    }
}

/// What engines are to keep to.
fn config(case: &Case, scenario: &Scenario) -> Result<Config, String> {
    Ok(Config {
        cluster: scenario.cluster.clone(),
        currency: Currency::USD,
        policy: scenario.policy.clone(),
        budgets: scenario.budgets.clone(),
        planner: Planner::Farthing,
        horizon: SignedDuration::from_hours(24),
        tick: case.interval(),
        weights: Weights::from_text(WEIGHTS).map_err(|error| error.to_string())?,
        // Where a plan is to be the last word, it is searched for as usual.
        effort: if case.is_calm() { Effort::default() } else { LIGHT },
    })
}

fn lock(one: &Mutex<Controller>) -> MutexGuard<'_, Controller> {
    one.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A moment moved; at the ends of time it stays.
fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(at)
}
