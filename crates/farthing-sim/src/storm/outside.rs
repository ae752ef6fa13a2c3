//! The outside of a controller: a world, a journal and files that outlive it, and the one door that
//! every call goes through. At the door it is drawn what goes wrong with the call, and the auditor
//! sees what took effect.
//!
//! It refuses to know what a controller is: a process is a number that stops existing.

use super::case::{Case, Crew};
use super::defect::Defect;
use super::laws::Auditor;
use super::trouble::{Coverage, Op, Trouble};
use crate::faults::FaultCounts;
use crate::random::Random;
use crate::world::SimWorld;
use farthing_edge::{Class, EdgeError, Head, MemoryStore, NewRecord, Record, Store as _};
use farthing_ledger::Books;
use farthing_model::Snapshot;
use jiff::{SignedDuration, Timestamp};
use object_store::memory::InMemory;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A controller from its start to its end.
pub(super) type Process = u64;

/// The longest that a controller sleeps while another one takes the lead.
const SLEEP_MINUTES_MAX: i64 = 45;
/// Ticks for which a disk stays full, at most.
const FULL_TICKS_MAX: i64 = 4;

/// Calls that are remembered.
const TRAIL_MAX: usize = 60;

/// A call, for people who look at what led to a breach.
#[derive(Clone, Debug)]
struct Call {
    at: Timestamp,
    process: Process,
    op: Op,
    about: String,
    came_to: &'static str,
}

/// What a call finds instead of the other side.
#[derive(Clone, Copy, Debug)]
pub(super) struct Broken {
    pub(super) class: Class,
    pub(super) why: &'static str,
}

impl Broken {
    const STOPPED: Self = Self { class: Class::Transient, why: "this process has stopped" };

    /// As an adapter says it.
    pub(super) fn edge(self) -> EdgeError {
        EdgeError::new(self.class, self.why)
    }

    /// As an object store says it.
    pub(super) fn stored(self, path: &str) -> object_store::Error {
        object_store::Error::Generic {
            store: "storm",
            source: format!("{path}: {}", self.why).into(),
        }
    }
}

/// What goes wrong with a call.
#[derive(Clone, Copy, Debug, Default)]
struct Fate {
    fails: Option<Broken>,
    stops: Option<Trouble>,
    loses: bool,
    meets: Option<Trouble>,
    /// Whether who is met comes before the call takes effect.
    first: bool,
}

impl Fate {
    /// What it is, in a word.
    const fn word(&self) -> &'static str {
        match self {
            Self { stops: Some(Trouble::StopBefore), .. } => "stops before it",
            Self { fails: Some(_), stops: None, .. } => "fails",
            Self { fails: Some(_), .. } => "fails, and stops",
            Self { stops: Some(_), .. } => "stops after it",
            Self { loses: true, .. } => "loses the answer",
            Self { meets: Some(_), first: true, .. } => "meets before it",
            Self { meets: Some(_), .. } => "meets after it",
            _ => "",
        }
    }
}

/// What outlives every controller.
pub(super) struct Outside {
    pub(super) world: SimWorld,
    pub(super) journal: MemoryStore,
    /// The files of the books.
    pub(super) files: Arc<InMemory>,
    /// The books as they are, by nobody's door.
    pub(super) books: Books,
    pub(super) auditor: Auditor,
    pub(super) coverage: Coverage,
    pub(super) defect: Option<Defect>,
    /// Nothing goes wrong any more.
    pub(super) calm: bool,
    /// Calls so far.
    pub(super) calls: u64,
    case: Case,
    draws: Vec<Random>,
    /// Processes so far.
    processes: Process,
    stopped: BTreeSet<Process>,
    /// Who holds the lease, where there is one.
    leader: Option<Process>,
    full_ticks: i64,
    /// A controller is in the middle of another one's call.
    pub(super) meeting: bool,
    /// What was seen last, for what is shown again.
    pub(super) seen: Option<Snapshot>,
    /// The last calls, oldest first.
    trail: VecDeque<Call>,
    /// Records of the last append of each process.
    last_append: BTreeMap<Process, usize>,
    counted: FaultCounts,
}

impl Outside {
    pub(super) fn new(
        case: &Case,
        world: SimWorld,
        auditor: Auditor,
        files: Arc<InMemory>,
    ) -> Self {
        let random = Random::new(case.seed).fork("troubles");
        Self {
            world,
            journal: MemoryStore::default(),
            books: Books::new(Arc::clone(&files) as Arc<dyn object_store::ObjectStore>, "memory:"),
            files,
            auditor,
            coverage: Coverage::default(),
            defect: case.defect,
            calm: false,
            calls: 0,
            draws: Trouble::ALL.iter().map(|trouble| random.fork(trouble.name())).collect(),
            case: case.clone(),
            processes: 0,
            stopped: BTreeSet::new(),
            leader: None,
            full_ticks: 0,
            meeting: false,
            seen: None,
            trail: VecDeque::new(),
            last_append: BTreeMap::new(),
            counted: FaultCounts::default(),
        }
    }

    /// Draws whether a trouble strikes now. What is off draws all the same, so that switching one
    /// off does not move another one to another moment.
    pub(super) fn strikes(&mut self, trouble: Trouble, during: Op) -> bool {
        let ppm = trouble.rate() / 100 * self.case.percent;
        let drawn = self.draws[trouble as usize].chance(ppm);
        let strikes = drawn && !self.calm && self.case.troubles.contains(&trouble);
        if strikes {
            self.coverage.struck(trouble, during, 1);
        }
        strikes
    }

    /// The generator of a trouble, for what follows once it struck.
    pub(super) fn draw(&mut self, trouble: Trouble) -> &mut Random {
        &mut self.draws[trouble as usize]
    }

    /// A tick of a controller begins: a disk may be full from now on.
    pub(super) fn tick_begins(&mut self) {
        self.full_ticks = (self.full_ticks - 1).max(0);
        let ppm = Trouble::DiskFull.rate() / 100 * self.case.percent;
        let on = !self.calm && self.case.troubles.contains(&Trouble::DiskFull);
        let drawn = self.draw(Trouble::DiskFull).chance(ppm);
        let ticks = self.draw(Trouble::DiskFull).between(1, FULL_TICKS_MAX);
        if drawn && on {
            self.full_ticks = ticks;
        }
    }

    /// Nothing goes wrong from now on.
    pub(super) fn becomes_calm(&mut self) {
        (self.calm, self.full_ticks) = (true, 0);
        self.world.becomes_calm();
    }

    pub(super) fn is_stopped(&self, process: Process) -> bool {
        self.stopped.contains(&process)
    }

    /// A process stops: nothing of it runs on.
    pub(super) fn stop(&mut self, process: Process) {
        self.stopped.insert(process);
        self.auditor.stops(process);
        if self.defect == Some(Defect::LosesARecord) {
            let lost = self.last_append.remove(&process).unwrap_or(0);
            self.lose(lost);
        }
    }

    /// A process begins, and has the lead, where there is one: who waits is no process yet.
    pub(super) fn begins(&mut self) -> Process {
        self.processes += 1;
        if self.case.crew == Crew::Leased {
            self.leader = Some(self.processes);
        }
        self.processes
    }

    /// Whether a process may write.
    pub(super) fn may_write(&self, process: Process) -> bool {
        self.leader.is_none_or(|leader| leader == process)
    }

    /// What goes wrong with a call of a process.
    fn fate(&mut self, process: Process, op: Op) -> Fate {
        self.calls += 1;
        self.coverage.did(op);
        let mut fate = Fate::default();
        if self.stopped.contains(&process) {
            return Fate { fails: Some(Broken::STOPPED), ..fate };
        }
        if self.full_ticks > 0 && Trouble::DiskFull.can_meet(op) {
            self.coverage.struck(Trouble::DiskFull, op, 1);
            let why = "no space left on device";
            fate.fails = Some(Broken { class: Class::Exhausted, why });
        }
        for trouble in [Trouble::Meeting, Trouble::LostLease] {
            let first = self.draw(trouble).chance(500_000);
            let only = self.case.crew != Crew::One && !self.meeting;
            if only && self.strikes(trouble, op) {
                (fate.meets, fate.first) = (Some(trouble), first);
            }
        }
        if Trouble::ApiError.can_meet(op) && self.strikes(Trouble::ApiError, op) {
            let why = "cannot be reached";
            fate.fails = Some(Broken { class: Class::Transient, why });
        }
        if fate.fails.is_none() && Trouble::LostAnswer.can_meet(op) {
            fate.loses = self.strikes(Trouble::LostAnswer, op);
        }
        for trouble in [Trouble::StopBefore, Trouble::StopAfter] {
            if fate.stops.is_none() && self.strikes(trouble, op) {
                fate.stops = Some(trouble);
            }
        }
        fate
    }

    /// Remembers a call.
    fn remember(&mut self, (process, op): (Process, Op), about: &str, came_to: &'static str) {
        if self.trail.len() == TRAIL_MAX {
            self.trail.pop_front();
        }
        let (at, about) = (self.world.now(), about.to_owned());
        self.trail.push_back(Call { at, process, op, about, came_to });
    }

    /// The last calls, oldest first, a line each.
    pub(super) fn trail(&self) -> Vec<String> {
        let line = |call: &Call| {
            let Call { at, process, op, about, came_to } = call;
            let line = format!("{at} process {process} {} {about} {came_to}", op.name());
            line.trim_end().to_owned()
        };
        self.trail.iter().map(line).collect()
    }

    /// Counts what went wrong in the world since it was last asked, as met by an operation.
    pub(super) fn count(&mut self, op: Op) {
        let now = *self.world.fault_counts();
        for trouble in Trouble::ALL {
            let Some(kind) = trouble.in_world() else { continue };
            let more = now.of(kind) - self.counted.of(kind);
            if more > 0 {
                self.coverage.struck(trouble, op, more);
            }
        }
        self.counted = now;
    }

    /// Appends to the journal for a process, and shows the auditor what stands there then.
    pub(super) fn append(
        &mut self,
        process: Process,
        expected: &Head,
        records: &[NewRecord],
    ) -> Result<Vec<Record>, EdgeError> {
        let skips = self.defect == Some(Defect::SkipsTheLease);
        if !self.may_write(process) && !skips {
            let why = "nothing is written: this replica does not hold the lease";
            return Err(EdgeError::new(Class::Denied, why));
        }
        let records = self.defect.map_or_else(|| records.to_vec(), |it| it.writes(records));
        let head = self.journal.head()?;
        let ignores = self.defect == Some(Defect::IgnoresAConflict);
        let sealed = self.journal.append(if ignores { &head } else { expected }, &records)?;
        self.last_append.insert(process, sealed.len());
        let leads = self.may_write(process);
        self.auditor.recorded(process, (expected == &head, leads), &sealed, &self.books);
        Ok(sealed)
    }

    /// Loses the last records, as a journal that answers before it has written.
    fn lose(&mut self, count: usize) {
        let Ok(records) = self.journal.read(1, usize::MAX) else { return };
        let mut store = MemoryStore::default();
        for record in records.iter().take(records.len().saturating_sub(count)) {
            let Record { at, kind, body, .. } = record.clone();
            let kept =
                store.head().and_then(|head| store.append(&head, &[NewRecord { at, kind, body }]));
            if kept.is_err() {
                return;
            }
        }
        self.journal = store;
    }
}

/// Whoever can run a tick in the middle of another one's call.
pub(super) trait Peer: Send {
    /// Runs a tick `after` the moment at which the other one stands still. `leads`: it takes the
    /// lead, and the other one has lost it.
    fn meets(&mut self, after: SignedDuration, leads: bool);
}

/// The outside, as all processes hold it.
pub(super) struct Hub {
    outside: Mutex<Outside>,
    /// Who is met by the process that runs; nobody while it is being met.
    peer: Mutex<Option<Arc<Mutex<dyn Peer>>>>,
}

impl Hub {
    pub(super) fn new(outside: Outside) -> Arc<Self> {
        Arc::new(Self { outside: Mutex::new(outside), peer: Mutex::new(None) })
    }

    /// The outside itself. A run that failed is looked at all the same.
    pub(super) fn outside(&self) -> MutexGuard<'_, Outside> {
        self.outside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who is met from now on.
    pub(super) fn set_peer(&self, peer: Option<Arc<Mutex<dyn Peer>>>) {
        *self.peer.lock().unwrap_or_else(PoisonError::into_inner) = peer;
    }

    /// A call begins. What is to be done at its end comes back.
    ///
    /// # Errors
    /// It does not take effect.
    pub(super) fn begin(
        &self,
        (process, op): (Process, Op),
        about: &str,
    ) -> Result<Pending, Broken> {
        let fate = {
            let mut outside = self.outside();
            let fate = outside.fate(process, op);
            outside.remember((process, op), about, fate.word());
            fate
        };
        if fate.first {
            self.meet(fate.meets);
        }
        if fate.stops == Some(Trouble::StopBefore) {
            self.outside().stop(process);
            return Err(Broken::STOPPED);
        }
        match fate.fails {
            Some(broken) if fate.stops.is_some() => {
                // It stops after a call that did not reach anything.
                self.outside().stop(process);
                Err(broken)
            }
            Some(broken) => Err(broken),
            None => Ok(Pending(fate)),
        }
    }

    /// A call took effect.
    ///
    /// # Errors
    /// Nobody hears of that.
    pub(super) fn end(&self, process: Process, pending: Pending) -> Result<(), Broken> {
        let fate = pending.0;
        if !fate.first {
            self.meet(fate.meets);
        }
        if fate.stops.is_some() {
            self.outside().stop(process);
            return Err(Broken::STOPPED);
        }
        if fate.loses {
            return Err(Broken { class: Class::Transient, why: "no answer in time" });
        }
        Ok(())
    }

    /// Runs what a call does between [`Hub::begin`] and [`Hub::end`].
    ///
    /// # Errors
    /// It did not take effect, or nobody hears of that.
    pub(super) fn call<T>(
        &self,
        (process, op): (Process, Op),
        about: &str,
        effect: impl FnOnce(&mut Outside) -> T,
    ) -> Result<T, Broken> {
        let pending = self.begin((process, op), about)?;
        let result = {
            let mut outside = self.outside();
            let result = effect(&mut outside);
            outside.count(op);
            result
        };
        self.end(process, pending)?;
        Ok(result)
    }

    /// Lets another controller run a tick, on a thread of its own, as this one stands still in the
    /// middle of whatever it waits for.
    fn meet(&self, trouble: Option<Trouble>) {
        let Some(trouble) = trouble else { return };
        let peer = self.peer.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(peer) = peer else { return };
        let leads = trouble == Trouble::LostLease;
        let after = {
            let mut outside = self.outside();
            outside.meeting = true;
            let minutes = outside.draw(trouble).between(0, SLEEP_MINUTES_MAX);
            SignedDuration::from_mins(if leads { minutes } else { 0 })
        };
        std::thread::scope(|scope| {
            let run = scope.spawn(|| {
                let mut peer = peer.lock().unwrap_or_else(PoisonError::into_inner);
                peer.meets(after, leads);
            });
            if run.join().is_err() {
                self.outside().auditor.panicked("a controller that was met");
            }
        });
        self.outside().meeting = false;
    }
}

/// A call that has begun.
#[derive(Clone, Copy)]
pub(super) struct Pending(Fate);
