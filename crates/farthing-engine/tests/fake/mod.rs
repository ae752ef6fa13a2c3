//! A world made by hand: jobs that wait, one offer, and whatever a test wants to go wrong.
#![allow(dead_code, reason = "each test file uses its own part")]

use farthing_edge::{
    Act, Class, EdgeError, Head, Measure, Measured, MemoryStore, NewRecord, Observe, Quote, Record,
    Store, chain,
};
use farthing_engine::{Body, Config, Engine, Planner};
use farthing_ledger::{Books, Statement, StatementQuery, Weights, statement};
use farthing_model::{
    Action, Age, Asset, Assignment, Attribution, Bucket, BucketRate, ClusterId, Coverage, Currency,
    Decimal, Interruptible, Job, Mode, Money, Node, NodeId, NodeSpan, NodeState, Observed, Offer,
    Place, Policy, Price, PriceKind, Provenance, Purchase, Receipt, ReceiptOutcome, Requests,
    Resource, Resources, Sample, Service, Sizing, Snapshot, SourceId, Split, Step, StepId, Target,
    TeamId, Throughput, Window, Work, Workload, WorkloadId, WorkloadKind, WorkloadState,
};
use jiff::{SignedDuration, Timestamp};
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

/// 2026-11-24T00:00:00Z and so many seconds.
pub(crate) fn at(second: i64) -> Timestamp {
    let midnight: Timestamp = "2026-11-24T00:00:00Z".parse().unwrap();
    midnight + SignedDuration::from_secs(second)
}

pub(crate) fn window(from: i64, to: i64) -> Window {
    Window::new(at(from), at(to)).unwrap()
}

pub(crate) fn usd(text: &str) -> Money {
    Money::from_decimal(text, Currency::USD).unwrap()
}

/// How the world takes a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Done,
    Conflict,
    Failed,
    /// No answer, and no effect.
    LostBefore,
    /// No answer, but done.
    LostAfter,
}

#[derive(Debug)]
pub(crate) struct FakeJob {
    workload: Arc<Workload>,
    state: WorkloadState,
    pub(crate) generation: u64,
    node: Option<NodeId>,
}

/// What is in the world.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) jobs: Vec<FakeJob>,
    nodes: Vec<Node>,
    held: BTreeMap<NodeId, Arc<Attribution>>,
    /// What happens to the next steps; `Done` after that.
    pub(crate) answers: VecDeque<Answer>,
    /// The world cannot say what became of a step.
    pub(crate) mute: bool,
    /// How old the snapshot is.
    pub(crate) age: SignedDuration,
    /// What the snapshot says was measured before.
    pub(crate) coverage: Coverage,
    /// Nothing can be measured.
    pub(crate) blind: bool,
    /// No node answers.
    pub(crate) silent: bool,
    /// Each step that was tried.
    pub(crate) tried: Vec<StepId>,
    /// Each step that took effect.
    pub(crate) done: Vec<Receipt>,
    pub(crate) undone: Vec<StepId>,
    /// Each window that was measured.
    pub(crate) measured: Vec<Window>,
}

/// A world that the test looks at while an engine has it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fake(pub(crate) Rc<RefCell<State>>);

pub(crate) fn offer() -> Offer {
    let place = Place { provider: "lab".to_owned(), region: "here".to_owned(), zone: None };
    let provenance = Provenance {
        kind: PriceKind::List,
        source: "test".to_owned(),
        as_of: jiff::civil::date(2026, 11, 1),
        list: None,
    };
    Offer {
        id: Offer::id_of(&place, "h100-x1", Purchase::OnDemand).unwrap(),
        place,
        instance_type: "h100-x1".to_owned(),
        accelerator: Some("H100-80GB-SXM".parse().unwrap()),
        accelerator_count: 1,
        capacity: Resources {
            gpu_milli: 1_000,
            cpu_milli: 16_000,
            memory_bytes: 1 << 37,
            storage_bytes: 0,
        },
        purchase: Purchase::OnDemand,
        price: Price::Known("3.60 USD/h".parse().unwrap(), provenance),
        available: None,
        residency: Vec::new(),
        warnings: Vec::new(),
    }
}

/// A job of one member that works for an hour.
pub(crate) fn job(name: &str) -> Workload {
    Workload {
        id: WorkloadId::new(name).unwrap(),
        team: Some(TeamId::new("red").unwrap()),
        labels: BTreeMap::from([("project".to_owned(), "alpha".to_owned())]),
        resources: Resources::default(),
        residency: Vec::new(),
        value: Decimal::from_int(100),
        data: None,
        kind: WorkloadKind::Job(Job {
            count: 1,
            submitted: None,
            work: Some(Work { amount: Decimal::from_int(3_600), unit: "steps".to_owned() }),
            throughput: vec![Throughput {
                target: Target::Accelerator("H100-80GB-SXM".parse().unwrap()),
                count: 1,
                amount: Decimal::from_int(1),
                per: SignedDuration::from_secs(1),
            }],
            duration: None,
            deadline: None,
            quoted_cost: None,
            interruptible: None,
        }),
    }
}

impl Fake {
    /// A world in which these jobs wait.
    pub(crate) fn with(names: &[&str]) -> Self {
        let fake = Self::default();
        for name in names {
            fake.0.borrow_mut().jobs.push(FakeJob {
                workload: Arc::new(job(name)),
                state: WorkloadState::Waiting,
                generation: 1,
                node: None,
            });
        }
        fake
    }

    /// A job may be interrupted, and takes so many seconds to be productive again.
    pub(crate) fn interruptible(&self, name: &str, restart_s: i64) {
        let mut state = self.0.borrow_mut();
        let mut jobs = state.jobs.iter_mut();
        let job = jobs.find(|job| job.workload.id.as_str() == name).unwrap();
        let WorkloadKind::Job(it) = &mut Arc::make_mut(&mut job.workload).kind else { return };
        let restart = SignedDuration::from_secs(restart_s);
        it.interruptible = Some(Interruptible { checkpoint: SignedDuration::ZERO, restart });
    }

    /// What has become of a job.
    pub(crate) fn state_of(&self, name: &str) -> WorkloadState {
        let state = self.0.borrow();
        let mut jobs = state.jobs.iter();
        jobs.find(|job| job.workload.id.as_str() == name).unwrap().state.clone()
    }

    /// How many steps took effect.
    pub(crate) fn done(&self) -> usize {
        self.0.borrow().done.len()
    }

    /// A node that is there and does nothing.
    pub(crate) fn forget_node(&self, name: &str, since: i64) {
        let node = node(name, at(since));
        self.0.borrow_mut().nodes.push(node);
    }

    /// A service that one replica is enough for, on so many.
    pub(crate) fn serve(&self, name: &str, replicas: u32) {
        self.serve_at(name, 1, replicas);
    }

    /// A service of so many requests a second, of which a replica carries ten, on so many.
    pub(crate) fn serve_at(&self, name: &str, rate: i64, replicas: u32) {
        let (input_tokens, output_tokens) = (100, 10);
        let service = Service {
            requests: Requests {
                rate_per_s: Decimal::from_int(rate),
                buckets: vec![Bucket { input_tokens, output_tokens, share: Decimal::ONE }],
            },
            throughput: vec![BucketRate {
                accelerator: "H100-80GB-SXM".parse().unwrap(),
                count: 1,
                input_tokens,
                output_tokens,
                requests_per_s: Decimal::from_int(10),
                phases: None,
            }],
            slo: None,
            split: Split::Continuous,
            replicas_min: 1,
            sizing: Sizing::default(),
        };
        let mut workload = job(name);
        workload.kind = WorkloadKind::Service(service);
        let mut state = self.0.borrow_mut();
        let who = Attribution {
            team: workload.team.clone(),
            labels: Arc::new(workload.labels.clone()),
            ..Attribution::of(workload.id.clone())
        };
        for number in 0..replicas {
            let node = node(&format!("{name}-{number}"), at(0));
            state.held.insert(node.id.clone(), Arc::new(who.clone()));
            state.nodes.push(node);
        }
        let there = Assignment {
            offer: offer().id,
            members: replicas,
            nodes_each: 1,
            window: window(0, 86_400),
        };
        state.jobs.push(FakeJob {
            workload: Arc::new(workload),
            state: WorkloadState::Placed(vec![there]),
            generation: 1,
            node: None,
        });
    }

    /// The spans and samples of a window, as a measurement gives them.
    pub(crate) fn look(&self, window: Window) -> Measured {
        self.0.borrow().look(window)
    }
}

fn node(name: &str, since: Timestamp) -> Node {
    let offer = offer();
    Node {
        id: NodeId::new(name).unwrap(),
        offer: offer.id,
        capacity: offer.capacity,
        price: offer.price,
        state: NodeState::Ready,
        since,
        until: None,
    }
}

impl State {
    fn effect(&mut self, step: &Step, now: Timestamp) -> Result<(), String> {
        match &step.action {
            Action::Start { workload, offer, members, nodes_each, window } => {
                let number = self.nodes.len();
                let job = self.jobs.iter_mut().find(|job| job.workload.id == *workload).unwrap();
                if job.generation != step.generation {
                    return Err(format!("it has generation {}", job.generation));
                }
                assert_eq!((*members, *nodes_each), (1, 1));
                let (offer, window) = (offer.clone(), *window);
                job.state = WorkloadState::Placed(vec![Assignment {
                    offer,
                    members: 1,
                    nodes_each: 1,
                    window,
                }]);
                job.generation += 1;
                let node = node(&format!("node-{number:02}"), window.from());
                job.node = Some(node.id.clone());
                let who = Attribution {
                    team: job.workload.team.clone(),
                    labels: Arc::new(job.workload.labels.clone()),
                    ..Attribution::of(workload.clone())
                };
                self.held.insert(node.id.clone(), Arc::new(who));
                self.nodes.push(node);
                Ok(())
            }
            Action::Scale { workload, from, to, .. } => {
                let job = self.jobs.iter_mut().find(|job| job.workload.id == *workload).unwrap();
                let WorkloadState::Placed(there) = &mut job.state else { panic!("it is placed") };
                assert_eq!((there[0].members, *to < *from), (*from, true), "it only shrinks");
                there[0].members = *to;
                job.generation += 1;
                self.replicas(workload, (*from, *to), now);
                Ok(())
            }
            Action::Release { node } => {
                self.nodes.retain(|there| there.id != *node);
                Ok(())
            }
            Action::Suspend { workload } => {
                let job = self.jobs.iter_mut().find(|job| job.workload.id == *workload).unwrap();
                if job.generation != step.generation {
                    return Err(format!("it has generation {}", job.generation));
                }
                self.stop(workload, now, WorkloadState::Suspended);
                Ok(())
            }
            other @ (Action::Resume { .. } | Action::Resize { .. } | Action::Buy { .. }) => {
                panic!("no step of this world: {other:?}")
            }
        }
    }

    /// Nodes of a service come or go.
    fn replicas(&mut self, workload: &WorkloadId, (from, to): (u32, u32), now: Timestamp) {
        for number in to..from {
            let name = format!("{workload}-{number}");
            let mut there = self.nodes.iter_mut().filter(|node| node.until.is_none());
            // Those that came back have the time behind their name.
            let gone = there.find(|node| {
                node.id.as_str() == name || node.id.as_str().starts_with(&format!("{name}."))
            });
            gone.unwrap().until = Some(now);
        }
        let of = |id: &NodeId| id.as_str().starts_with(&format!("{workload}-"));
        let who = self.held.iter().find(|(id, _)| of(id)).map(|(_, who)| Arc::clone(who));
        for number in from..to {
            let back = node(&format!("{workload}-{number}.{}", now.as_second()), now);
            self.held.extend(who.clone().map(|who| (back.id.clone(), who)));
            self.nodes.push(back);
        }
    }

    /// A job gives its node back.
    fn stop(&mut self, workload: &WorkloadId, now: Timestamp, then: WorkloadState) {
        let job = self.jobs.iter_mut().find(|job| job.workload.id == *workload).unwrap();
        job.state = then;
        job.generation += 1;
        let held = job.node.take();
        for node in self.nodes.iter_mut().filter(|node| Some(&node.id) == held.as_ref()) {
            node.until = Some(now);
        }
    }

    /// Jobs end when their window does.
    fn pass(&mut self, now: Timestamp) {
        for job in &mut self.jobs {
            let WorkloadState::Placed(there) = &job.state else { continue };
            let end = there[0].window.to();
            if job.workload.service().is_some() {
                continue;
            }
            if end <= now {
                job.state = WorkloadState::Finished(end);
                job.generation += 1;
                let node = self.nodes.iter_mut().find(|node| Some(&node.id) == job.node.as_ref());
                node.unwrap().until = Some(end);
            }
        }
    }

    fn look(&self, window: Window) -> Measured {
        let mut measured = Measured::default();
        for node in &self.nodes {
            let Some(paid) = node.paid_in(window) else { continue };
            let offer = offer();
            measured.coverage.expected_nanos += paid.nanos();
            measured.coverage.measured_nanos += if self.silent { 0 } else { paid.nanos() };
            let who = self.held.get(&node.id);
            measured.spans.push(NodeSpan {
                node: node.id.clone(),
                asset: Asset::Node,
                offer: offer.id,
                place: offer.place,
                instance_type: offer.instance_type,
                purchase: offer.purchase,
                capacity: node.capacity,
                price: node.price.clone(),
                window: paid,
                ready: node.since,
                held_for: who.cloned(),
                measured: !self.silent,
            });
            for resource in Resource::ALL.into_iter().filter(|_| who.is_some() && !self.silent) {
                let amount = node.capacity.nano(resource) * paid.nanos() / 1_000_000_000;
                measured.samples.push(Sample {
                    source: SourceId::new("fake").unwrap(),
                    node: node.id.clone(),
                    device: None,
                    slice: None,
                    attribution: who.cloned(),
                    resource,
                    window: paid,
                    requested_nano: amount,
                    used_nano: Some(amount / 2),
                    held_nano: None,
                });
            }
        }
        measured
    }
}

fn lost(step: &StepId) -> EdgeError {
    EdgeError::new(Class::Transient, format!("step {step}: no answer"))
}

impl Observe for Fake {
    fn observe(&mut self, now: Timestamp) -> Result<Snapshot, EdgeError> {
        let mut state = self.0.borrow_mut();
        state.pass(now);
        let as_of = now - state.age;
        let seen = |job: &FakeJob| Observed {
            workload: Arc::clone(&job.workload),
            state: job.state.clone(),
            generation: job.generation,
            since: at(0),
            demand_per_s: None,
        };
        Ok(Snapshot {
            cluster: ClusterId::new("lab").unwrap(),
            at: now,
            nodes: state.nodes.iter().filter(|node| node.until.is_none()).cloned().collect(),
            workloads: state.jobs.iter().map(seen).collect(),
            ages: vec![Age { part: "nodes", as_of }, Age { part: "usage", as_of: now }],
            coverage: state.coverage,
            terms: std::sync::Arc::default(),
        })
    }
}

impl Measure for Fake {
    fn measure(&mut self, window: Window) -> Result<Measured, EdgeError> {
        let mut state = self.0.borrow_mut();
        state.pass(window.to());
        if state.blind {
            return Err(EdgeError::new(Class::Transient, "the exporter does not answer"));
        }
        state.measured.push(window);
        Ok(state.look(window))
    }
}

impl Quote for Fake {
    fn offers(&mut self, _: Timestamp) -> Result<Arc<[Offer]>, EdgeError> {
        Ok(Arc::from([offer()]))
    }
}

impl Act for Fake {
    fn act(&mut self, step: &Step, now: Timestamp) -> Result<Receipt, EdgeError> {
        let mut state = self.0.borrow_mut();
        state.tried.push(step.id.clone());
        let receipt = |outcome| Receipt { step: step.id.clone(), at: now, outcome };
        let answer = state.answers.pop_front().unwrap_or(Answer::Done);
        match answer {
            Answer::Conflict => return Ok(receipt(ReceiptOutcome::Conflict("changed".to_owned()))),
            Answer::Failed => return Ok(receipt(ReceiptOutcome::Failed("refused".to_owned()))),
            Answer::LostBefore => return Err(lost(&step.id)),
            Answer::Done | Answer::LostAfter => {}
        }
        if let Err(why) = state.effect(step, now) {
            return Ok(receipt(ReceiptOutcome::Conflict(why)));
        }
        let receipt = receipt(ReceiptOutcome::Done);
        assert!(state.done.iter().all(|done| done.step != step.id), "{} is done twice", step.id);
        state.done.push(receipt.clone());
        if answer == Answer::LostAfter { Err(lost(&step.id)) } else { Ok(receipt) }
    }

    fn outcome_of(&mut self, step: &StepId, _: Timestamp) -> Result<Option<Receipt>, EdgeError> {
        let state = self.0.borrow();
        if state.mute {
            return Err(lost(step));
        }
        Ok(state.done.iter().find(|receipt| receipt.step == *step).cloned())
    }

    fn undo(&mut self, step: &Step, now: Timestamp) -> Result<Receipt, EdgeError> {
        let mut state = self.0.borrow_mut();
        match &step.action {
            Action::Start { workload, .. } => state.stop(workload, now, WorkloadState::Suspended),
            Action::Suspend { workload } => state.stop(workload, now, WorkloadState::Waiting),
            Action::Scale { workload, from, to, .. } => {
                let mut jobs = state.jobs.iter_mut();
                let it = jobs.find(|job| job.workload.id == *workload).unwrap();
                let WorkloadState::Placed(there) = &mut it.state else { panic!("it is placed") };
                assert_eq!(there[0].members, *to, "it is as the step left it");
                there[0].members = *from;
                it.generation += 1;
                state.replicas(workload, (*to, *from), now);
            }
            _ => {
                let text = format!("step {} cannot be taken back", step.id);
                return Err(EdgeError::new(Class::Denied, text));
            }
        }
        state.undone.push(step.id.clone());
        let outcome = ReceiptOutcome::Done;
        Ok(Receipt { step: step.id.clone(), at: now, outcome })
    }
}

/// A journal that the test reads while an engine writes it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shared(Rc<RefCell<MemoryStore>>);

impl Shared {
    /// What all records say; their chain holds.
    pub(crate) fn bodies(&self) -> Vec<Body> {
        let records = self.read(1, usize::MAX).unwrap();
        chain::verify(&Head::GENESIS, &records).unwrap();
        records.iter().map(|record| Body::read(record).unwrap()).collect()
    }

    /// Step and outcome of each receipt, in order.
    pub(crate) fn receipts(&self) -> Vec<(String, String)> {
        let receipt = |body| match body {
            Body::Receipted { step, outcome, .. } => Some((step, outcome)),
            _ => None,
        };
        self.bodies().into_iter().filter_map(receipt).collect()
    }

    /// What was noted, in order.
    pub(crate) fn notes(&self) -> Vec<(String, String)> {
        let note = |body| match body {
            Body::Noted { about, text } => Some((about, text)),
            _ => None,
        };
        self.bodies().into_iter().filter_map(note).collect()
    }
}

impl Store for Shared {
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

/// All that an engine is opened on.
#[derive(Clone, Debug)]
pub(crate) struct Lab {
    pub(crate) world: Fake,
    pub(crate) store: Shared,
    pub(crate) books: Books,
    pub(crate) config: Config,
}

pub(crate) type LabEngine = Engine<Fake, Shared>;

impl Lab {
    /// A lab in a mode, in which these jobs wait.
    pub(crate) fn new(mode: Mode, jobs: &[&str]) -> Self {
        Self {
            world: Fake::with(jobs),
            store: Shared::default(),
            books: Books::in_memory(),
            config: Config {
                cluster: ClusterId::new("lab").unwrap(),
                currency: Currency::USD,
                policy: Policy { mode, ..Policy::default() },
                budgets: Vec::new(),
                planner: Planner::Farthing,
                horizon: SignedDuration::from_hours(12),
                tick: SignedDuration::from_mins(5),
                weights: Weights::from_text(
                    "gpu 2.50 USD/h\ncpu 0.03 USD/h\nmemory 0.004 USD/h\nstorage 0.0001 USD/h\n",
                )
                .unwrap(),
                effort: farthing_engine::planner::Effort::default(),
            },
        }
    }

    pub(crate) fn open(&self, second: i64) -> LabEngine {
        let parts = (self.store.clone(), self.books.clone());
        Engine::open(self.config.clone(), self.world.clone(), parts, at(second)).unwrap()
    }

    /// The statement of the day; the books verify.
    pub(crate) fn statement(&self) -> Statement {
        let check = farthing_ledger::verify(&self.books, &self.config.cluster).unwrap();
        assert!(check.ok && check.unposted.is_empty(), "{check:?}");
        let cluster = self.config.cluster.clone();
        let query = StatementQuery::of(cluster, window(0, 86_400), Currency::USD);
        let statement = statement(&self.books, &query).unwrap();
        assert!(statement.difference.is_zero());
        statement
    }

    /// What the nodes cost from midnight to `second`.
    pub(crate) fn bill(&self, second: i64) -> Money {
        let spans = self.world.look(window(0, second)).spans;
        let costs = spans.iter().map(|span| span.price.rate().unwrap().cost(span.window).unwrap());
        Money::sum(costs, Currency::USD).unwrap()
    }
}
