//! What the tests of the laws share: an engine in a simulated world whose parts outlive it, so
//! that they can be looked at from outside, crashed and gone on with.
#![allow(dead_code, reason = "each test file uses its own part")]

pub(crate) mod crash;
pub(crate) mod guard;
pub(crate) mod law8;

use farthing_edge::{
    Act, EdgeError, Head, Measure, Measured, MemoryStore, NewRecord, Observe, Quote, Record, Store,
    chain,
};
use farthing_engine::{Body, Config, Engine, Planner, StepRecord};
use farthing_ledger::{Books, Statement, StatementQuery, Weights, statement};
use farthing_model::{
    Currency, Money, Offer, OfferId, Ratio, Receipt, Snapshot, Step, StepId, Window, WorkloadId,
};
use farthing_planner::Effort;
use farthing_sim::{Scenario, SimWorld};
use jiff::{SignedDuration, Timestamp};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

/// Less search than usual: the laws hold for any plan, not only for the best.
pub(crate) const LIGHT: Effort =
    Effort { nodes_max: 50, iterations_max: 20_000, gap: Ratio::from_ppm(20_000), slots_max: 6 };

/// A world that several may hold.
#[derive(Clone, Debug)]
pub(crate) struct SharedWorld(pub(crate) Rc<RefCell<SimWorld>>);

impl SharedWorld {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let mut world = SimWorld::new(scenario).unwrap();
        world.keep_log();
        Self(Rc::new(RefCell::new(world)))
    }

    /// The ids of steps that the world did, in order, as the world itself wrote them down.
    pub(crate) fn did(&self) -> Vec<String> {
        self.did_at().into_iter().map(|(_, id)| id).collect()
    }

    /// The same with the moment of each.
    pub(crate) fn did_at(&self) -> Vec<(Timestamp, String)> {
        let world = self.0.borrow();
        let words = world.log().iter().map(|line| line.split(' ').collect::<Vec<_>>());
        let did = words.filter(|words| words.get(1) == Some(&"did"));
        did.map(|words| (words[0].parse().unwrap(), words[2].to_owned())).collect()
    }

    /// Everything that happened in the world but requests, with no word on what steps are called.
    pub(crate) fn history(&self) -> Vec<String> {
        let world = self.0.borrow();
        let nameless = |line: &String| match line.split(' ').collect::<Vec<_>>().as_slice() {
            [at, what @ ("did" | "refused" | "undid"), _, rest @ ..] => {
                format!("{at} {what} {}", rest.join(" "))
            }
            _ => line.clone(),
        };
        world.log().iter().map(nameless).collect()
    }

    /// What all nodes of the world cost in a window: rates times time, by nobody's books.
    pub(crate) fn bill(&self, window: Window) -> Money {
        let measured = self.0.borrow_mut().measure(window).unwrap();
        let costs = measured.spans.iter().filter_map(|span| {
            assert!(span.window.from() >= window.from() && span.window.to() <= window.to());
            span.price.rate().map(|rate| rate.cost(span.window).unwrap())
        });
        Money::sum(costs, Currency::USD).unwrap()
    }
}

impl Observe for SharedWorld {
    fn observe(&mut self, now: Timestamp) -> Result<Snapshot, EdgeError> {
        self.0.borrow_mut().observe(now)
    }
}

impl Measure for SharedWorld {
    fn measure(&mut self, window: Window) -> Result<Measured, EdgeError> {
        self.0.borrow_mut().measure(window)
    }
}

impl Quote for SharedWorld {
    fn offers(&mut self, now: Timestamp) -> Result<Arc<[Offer]>, EdgeError> {
        self.0.borrow_mut().offers(now)
    }
}

impl Act for SharedWorld {
    fn act(&mut self, step: &Step, now: Timestamp) -> Result<Receipt, EdgeError> {
        self.0.borrow_mut().act(step, now)
    }

    fn outcome_of(&mut self, step: &StepId, now: Timestamp) -> Result<Option<Receipt>, EdgeError> {
        self.0.borrow_mut().outcome_of(step, now)
    }

    fn undo(&mut self, step: &Step, now: Timestamp) -> Result<Receipt, EdgeError> {
        self.0.borrow_mut().undo(step, now)
    }
}

/// A journal that several may hold.
#[derive(Clone, Debug, Default)]
pub(crate) struct SharedStore(Rc<RefCell<MemoryStore>>);

impl SharedStore {
    /// All records after number `after`.
    pub(crate) fn since(&self, after: u64) -> Vec<Record> {
        self.0.borrow().read(after + 1, usize::MAX).unwrap()
    }

    /// Loses the last records, as a store that answers before it has written.
    pub(crate) fn lose(&self, count: usize) {
        let records = self.since(0);
        let kept = &records[..records.len() - count];
        let mut store = MemoryStore::default();
        for record in kept {
            let Record { at, kind, body, .. } = record.clone();
            let head = store.head().unwrap();
            store.append(&head, &[NewRecord { at, kind, body }]).unwrap();
        }
        *self.0.borrow_mut() = store;
    }

    /// All records, after their chain was checked.
    pub(crate) fn verified(&self) -> Vec<Record> {
        let records = self.since(0);
        let head = chain::verify(&Head::GENESIS, &records).expect("the chain holds");
        assert_eq!(head, self.head().unwrap());
        records
    }
}

impl Store for SharedStore {
    fn head(&self) -> Result<Head, EdgeError> {
        self.0.borrow().head()
    }

    fn append(&mut self, expected: &Head, records: &[NewRecord]) -> Result<Vec<Record>, EdgeError> {
        self.0.borrow_mut().append(expected, records)
    }

    fn read(&self, from: u64, limit: usize) -> Result<Vec<Record>, EdgeError> {
        self.0.borrow().read(from, limit)
    }
}

/// What a run leaves when its engine is gone.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    pub(crate) config: Config,
    pub(crate) world: SharedWorld,
    pub(crate) store: SharedStore,
    pub(crate) books: Books,
}

pub(crate) type SimEngine = Engine<SharedWorld, SharedStore>;

impl Parts {
    /// The parts of a scenario at its start, for our planner.
    pub(crate) fn new(scenario: &Scenario, tick: SignedDuration) -> Self {
        Self {
            config: config(scenario, tick),
            world: SharedWorld::new(scenario),
            store: SharedStore::default(),
            books: Books::in_memory(),
        }
    }

    /// An engine on these parts.
    pub(crate) fn open(&self, now: Timestamp) -> SimEngine {
        let parts = (self.store.clone(), self.books.clone());
        Engine::open(self.config.clone(), self.world.clone(), parts, now).unwrap()
    }

    /// What is posted for each workload on each offer, in 10^-12.
    pub(crate) fn posted(&self) -> BTreeMap<(WorkloadId, OfferId), i128> {
        let mut posted = BTreeMap::new();
        let cluster = &self.config.cluster;
        for hour in self.books.posted_hours(cluster).unwrap() {
            let book = self.books.hour(cluster, hour.from()).unwrap().expect("it is listed");
            for charge in book.charges().unwrap() {
                let Some(who) = &charge.attribution else { continue };
                let account = (who.workload.clone(), charge.offer.clone());
                *posted.entry(account).or_default() += charge.cost.pico();
            }
        }
        posted
    }

    /// The statement of a window over these books.
    pub(crate) fn statement(&self, window: Window) -> Statement {
        let (cluster, currency) = (self.config.cluster.clone(), self.config.currency);
        let query = StatementQuery::of(cluster, window, currency);
        statement(&self.books, &query).unwrap()
    }

    /// Journal, ledger and world agree: the chain holds, the books verify and conserve, and they
    /// hold exactly what the nodes of the world cost in `measured`. Returns what was paid.
    pub(crate) fn assert_sound(&self, measured: Window) -> Money {
        self.store.verified();
        let check = farthing_ledger::verify(&self.books, &self.config.cluster).unwrap();
        assert!(check.ok && check.unposted.is_empty(), "the ledger does not verify: {check:?}");
        let statement = self.statement(measured);
        assert!(
            statement.difference.is_zero(),
            "the statement differs by {}",
            statement.difference
        );
        assert_eq!(statement.paid, self.world.bill(measured), "paid is not what the nodes cost");
        statement.paid
    }
}

/// What an engine of our planner is told.
pub(crate) fn config(scenario: &Scenario, tick: SignedDuration) -> Config {
    Config {
        cluster: scenario.cluster.clone(),
        currency: Currency::USD,
        policy: scenario.policy.clone(),
        budgets: scenario.budgets.clone(),
        planner: Planner::Farthing,
        horizon: scenario.end.duration_since(scenario.start),
        tick,
        weights: weights(),
        effort: Effort::default(),
    }
}

pub(crate) fn weights() -> Weights {
    Weights::from_text("gpu 2.50 USD/h\ncpu 0.03 USD/h\nmemory 0.004 USD/h\nstorage 0.0001 USD/h\n")
        .unwrap()
}

/// What the journal says in all about each step that was begun.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    /// The proposal of each step.
    pub(crate) proposed: BTreeMap<String, StepRecord>,
    /// How often each was begun.
    pub(crate) intended: BTreeMap<String, u32>,
    /// When the world says that it happened.
    pub(crate) happened: BTreeMap<String, String>,
    /// Each outcome, in order.
    pub(crate) outcomes: BTreeMap<String, Vec<String>>,
    /// What was posted for each step that was settled.
    pub(crate) settled: BTreeMap<String, Money>,
}

impl Told {
    pub(crate) fn by(records: &[Record]) -> Self {
        let mut told = Self::default();
        for record in records {
            match Body::read(record).unwrap() {
                Body::Planned(plan) => {
                    let steps = plan.steps.into_iter().map(|step| (step.step.clone(), step));
                    told.proposed.extend(steps);
                }
                Body::Intended { step, .. } => *told.intended.entry(step).or_default() += 1,
                Body::Receipted { step, at, outcome, .. } => {
                    told.happened.insert(step.clone(), at);
                    told.outcomes.entry(step).or_default().push(outcome);
                }
                Body::Settled { step, posted } => {
                    let before = told.settled.insert(step.clone(), posted.parse().unwrap());
                    assert!(before.is_none(), "step {step} was settled twice");
                }
                // Law 4, in whatever state a crash left things too.
                Body::Noted { about, text } if about == "check" => panic!("law 4: {text}"),
                _ => {}
            }
        }
        told
    }

    /// Ids of steps that took effect, as the journal says.
    pub(crate) fn done(&self) -> Vec<&String> {
        let done = self.outcomes.iter().filter(|(_, outcomes)| {
            outcomes.iter().any(|outcome| outcome == "done" || outcome == "already-done")
        });
        done.map(|(step, _)| step).collect()
    }

    /// Law 8: each step was begun once, has one outcome, and the world did exactly those that the
    /// journal says it did, each once.
    pub(crate) fn assert_exactly_once(&self, world: &SharedWorld) {
        for (step, times) in &self.intended {
            assert_eq!(*times, 1, "step {step} was begun more than once");
            let outcomes = self.outcomes.get(step).map_or(&[][..], Vec::as_slice);
            assert_eq!(outcomes.len(), 1, "step {step} has outcomes {outcomes:?}");
        }
        for step in self.outcomes.keys() {
            assert!(self.intended.contains_key(step), "step {step} has an outcome and no intent");
        }
        let mut did = world.did();
        did.sort();
        let mut done: Vec<String> = self.done().into_iter().cloned().collect();
        done.sort();
        assert_eq!(did, done, "the world did other steps than the journal says");
    }
}

/// Ticks of a span: from its start to its end, both included.
pub(crate) fn instants(
    from: Timestamp,
    to: Timestamp,
    tick: SignedDuration,
) -> impl Iterator<Item = Timestamp> {
    std::iter::successors(Some(from), move |now| now.checked_add(tick).ok())
        .take_while(move |now| *now <= to)
}

/// Seeds from the environment, to replay one failure (`7`) or to try others (`200..400`).
pub(crate) fn seeds(default: std::ops::Range<u64>) -> Vec<u64> {
    let Ok(text) = std::env::var("FARTHING_SEED") else { return default.collect() };
    let number = |text: &str| text.parse::<u64>().expect("FARTHING_SEED is N or N..M");
    match text.split_once("..") {
        Some((from, to)) => (number(from)..number(to)).collect(),
        None => vec![number(&text)],
    }
}

/// Runs `day` for each seed on as many threads as the machine has, two at least; panics at the end
/// with one command for each seed that failed.
pub(crate) fn each_seed<T: Send>(
    (file, test): (&str, &str),
    seeds: &[u64],
    day: impl Fn(u64) -> T + Sync,
) -> Vec<T> {
    let next = std::sync::atomic::AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(2, usize::from).max(2);
    let work = || {
        let mut results = Vec::new();
        loop {
            let index = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let Some(seed) = seeds.get(index) else { return results };
            let run = std::panic::AssertUnwindSafe(|| day(*seed));
            results.push((*seed, std::panic::catch_unwind(run)));
        }
    };
    let results: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("a thread ends")).collect()
    });
    let (mut good, mut commands) = (Vec::new(), Vec::new());
    for (seed, result) in results {
        match result {
            Ok(value) => good.push(value),
            Err(_) => commands.push(format!(
                "FARTHING_SEED={seed} cargo test --release -p farthing-sim --test {file} {test}"
            )),
        }
    }
    commands.sort();
    let failed = commands.len();
    assert!(commands.is_empty(), "{failed} seeds failed; replay with\n{}", commands.join("\n"));
    good
}
