//! What is taken back from what runs, in a small world made by hand: an elastic service, a notebook
//! with two accelerators, and a node that may be sick.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use farthing_edge::{Act, EdgeError, Measure, Measured, MemoryStore, Observe, Quote};
use farthing_engine::{Cause, Config, Engine, Planner, Stage, VerifiedRecord};
use farthing_ledger::{Books, Weights};
use farthing_model::{
    Action, Age, Asset, Assignment, Attribution, ClusterId, Coverage, Currency, Decimal, DeviceId,
    DeviceUse, Fit, Mode, Money, Node, NodeId, NodeSpan, NodeState, NodeTerms, Observed, Offer,
    OfferId, PerMille, PerResource, Place, Policy, Price, PriceKind, Progress, Provenance,
    Purchase, Reading, Receipt, ReceiptOutcome, Reclaim, Requests, Resource, Resources, Rung,
    Rungs, Sample, Service, Share, Sizing, Snapshot, SourceId, Split, Step, StepId, Symptom, Terms,
    Window, Workload, WorkloadId, WorkloadKind, WorkloadState, WorkloadTerms,
};
use jiff::{SignedDuration, Timestamp};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

fn at(minute: i64) -> Timestamp {
    let midnight: Timestamp = "2026-11-24T00:00:00Z".parse().unwrap();
    midnight + SignedDuration::from_mins(minute)
}

fn id(text: &str) -> WorkloadId {
    WorkloadId::new(text).unwrap()
}

/// What is in the world, and what is said of it.
struct Town {
    web: u32,
    notebook: u32,
    /// How busy each core of the service is, in thousandths; `None`: nobody measures.
    busy: Option<i128>,
    /// How busy each of the notebook's two accelerators is; `None`: its exporter is down.
    gpus: [Option<u16>; 2],
    elastic: bool,
    sick: bool,
    /// How limits of the service fit it, where that can be changed.
    fit: Option<Fit>,
    /// Of the service and of the notebook.
    generations: [u64; 2],
    done: Vec<Step>,
}

#[derive(Clone)]
struct World(Rc<RefCell<Town>>);

fn place() -> Place {
    Place { provider: "lab".to_owned(), region: "here".to_owned(), zone: None }
}

fn offer() -> OfferId {
    Offer::id_of(&place(), "big", Purchase::OnDemand).unwrap()
}

fn price() -> Price {
    let provenance = Provenance {
        kind: PriceKind::List,
        source: "test".to_owned(),
        as_of: jiff::civil::date(2026, 11, 1),
        list: None,
    };
    Price::Known("8 USD/h".parse().unwrap(), provenance)
}

const NODE: Resources =
    Resources { cpu_milli: 64_000, memory_bytes: 64 << 30, gpu_milli: 4_000, storage_bytes: 0 };

fn service(name: &str, replicas: u32, each: Resources, town: &Town) -> Observed {
    let from = at(-600);
    let window = Window::new(from, at(6_000)).unwrap();
    let placed = Assignment { offer: offer(), members: replicas, nodes_each: 1, window };
    let state =
        if replicas == 0 { WorkloadState::Suspended } else { WorkloadState::Placed(vec![placed]) };
    Observed {
        workload: Arc::new(Workload {
            id: id(name),
            team: None,
            labels: std::collections::BTreeMap::new(),
            resources: each,
            residency: Vec::new(),
            value: Decimal::ONE,
            data: None,
            kind: WorkloadKind::Service(Service {
                requests: Requests { rate_per_s: Decimal::ZERO, buckets: Vec::new() },
                throughput: Vec::new(),
                slo: None,
                split: Split::Continuous,
                replicas_min: replicas,
                sizing: Sizing::default(),
            }),
        }),
        state,
        generation: town.generations[usize::from(name != "s/web")],
        since: from,
        demand_per_s: None,
    }
}

const WEB: Resources =
    Resources { cpu_milli: 4_000, memory_bytes: 0, gpu_milli: 0, storage_bytes: 0 };
const NOTEBOOK: Resources =
    Resources { cpu_milli: 2_000, memory_bytes: 0, gpu_milli: 2_000, storage_bytes: 0 };

impl Observe for World {
    fn observe(&mut self, now: Timestamp) -> Result<Snapshot, EdgeError> {
        let town = self.0.borrow();
        let mut terms = Terms::default();
        let elastic = town.elastic.then_some((2, 8));
        let fit = town.fit.clone();
        let of_web = WorkloadTerms { elastic, fit, ..WorkloadTerms::default() };
        terms.workloads.insert(id("s/web"), of_web);
        if town.sick {
            let xid = Symptom { name: "XidError=True".to_owned(), says: "Xid 79".to_owned() };
            let node = NodeTerms { symptoms: vec![xid], ..NodeTerms::default() };
            terms.nodes.insert(NodeId::new("n").unwrap(), node);
        }
        Ok(Snapshot {
            cluster: ClusterId::new("lab").unwrap(),
            at: now,
            nodes: vec![Node {
                id: NodeId::new("n").unwrap(),
                offer: offer(),
                capacity: NODE,
                price: price(),
                state: NodeState::Ready,
                since: at(-600),
                until: None,
            }],
            workloads: vec![
                service("r/notebook", town.notebook, NOTEBOOK, &town),
                service("s/web", town.web, WEB, &town),
            ],
            ages: vec![Age { part: "nodes", as_of: now }],
            coverage: Coverage::default(),
            terms: Arc::new(terms),
        })
    }
}

fn sample(name: &str, pod: u32, resource: Resource, window: Window) -> Sample {
    let who = Attribution { pod: Some(format!("{name}-{pod}")), ..Attribution::of(id(name)) };
    Sample {
        source: SourceId::new("test").unwrap(),
        node: NodeId::new("n").unwrap(),
        device: None,
        slice: None,
        attribution: Some(Arc::new(who)),
        resource,
        window,
        requested_nano: 0,
        used_nano: None,
        held_nano: None,
    }
}

impl Measure for World {
    fn measure(&mut self, window: Window) -> Result<Measured, EdgeError> {
        let town = self.0.borrow();
        let nanos = window.nanos();
        let coverage = Coverage { expected_nanos: nanos, measured_nanos: nanos };
        let mut measured = Measured { coverage, ..Measured::default() };
        measured.spans.push(NodeSpan {
            node: NodeId::new("n").unwrap(),
            asset: Asset::Node,
            offer: offer(),
            place: place(),
            instance_type: "big".to_owned(),
            purchase: Purchase::OnDemand,
            capacity: NODE,
            price: price(),
            window,
            ready: window.from(),
            held_for: None,
            measured: true,
        });
        for pod in 0..town.web {
            let used_nano = town.busy.map(|milli| 4 * nanos * milli / 1_000);
            let cores = sample("s/web", pod, Resource::Cpu, window);
            measured.samples.push(Sample { requested_nano: 4 * nanos, used_nano, ..cores });
        }
        for pod in 0..town.notebook {
            let gpus = sample("r/notebook", pod, Resource::Gpu, window);
            for (number, busy) in town.gpus.iter().enumerate() {
                let Some(busy) = busy else { continue };
                measured.uses.push(gpu(&gpus, number, *busy));
            }
            measured.samples.push(Sample { requested_nano: 2 * nanos, ..gpus });
        }
        Ok(measured)
    }
}

fn gpu(of: &Sample, number: usize, busy: u16) -> DeviceUse {
    let value = |milli| Reading::Value(PerMille::new(milli).unwrap());
    DeviceUse {
        source: of.source.clone(),
        node: of.node.clone(),
        device: DeviceId::new(&format!("gpu-{number}")).unwrap(),
        slice: None,
        attribution: of.attribution.clone(),
        share: Share::WHOLE,
        copied_to: 1,
        window: of.window,
        rungs: Rungs::NONE
            .with(Rung::Context, value(1_000))
            .with(Rung::Engine, value(busy))
            .with(Rung::Sm, value(busy)),
        memory_bytes: Some(4 << 30),
        power_mw: None,
        progress: Progress::default(),
    }
}

impl Quote for World {
    fn offers(&mut self, _now: Timestamp) -> Result<Arc<[Offer]>, EdgeError> {
        Ok(Arc::from([]))
    }
}

impl World {
    fn set(&self, action: &Action, back: bool) {
        let mut town = self.0.borrow_mut();
        if let Action::Scale { workload, from, to, .. } = action {
            let (from, to) = if back { (*to, *from) } else { (*from, *to) };
            let replicas =
                if workload.as_str() == "s/web" { &mut town.web } else { &mut town.notebook };
            assert_eq!(*replicas, from, "it is as it was seen");
            *replicas = to;
        }
        if let (Action::Resize { from, to, .. }, Some(fit)) = (action, &mut town.fit) {
            let (from, to) = if back { (*to, *from) } else { (*from, *to) };
            assert_eq!(fit.limits, from, "it is as it was seen");
            fit.limits = to;
        }
        let is_web = action.workload().is_some_and(|it| it.as_str() == "s/web");
        town.generations[usize::from(!is_web)] += 1;
    }
}

impl Act for World {
    fn act(&mut self, step: &Step, now: Timestamp) -> Result<Receipt, EdgeError> {
        self.set(&step.action, false);
        self.0.borrow_mut().done.push(step.clone());
        Ok(Receipt { step: step.id.clone(), at: now, outcome: ReceiptOutcome::Done })
    }

    fn outcome_of(&mut self, _: &StepId, _: Timestamp) -> Result<Option<Receipt>, EdgeError> {
        Ok(None)
    }

    fn undo(&mut self, step: &Step, now: Timestamp) -> Result<Receipt, EdgeError> {
        self.set(&step.action, true);
        Ok(Receipt { step: step.id.clone(), at: now, outcome: ReceiptOutcome::Done })
    }
}

struct Run {
    world: World,
    engine: Engine<World, MemoryStore>,
    /// The minute of the next tick.
    next: i64,
    verified: Vec<VerifiedRecord>,
    notes: Vec<String>,
}

/// A town in which all is idle, a mode, and a policy that takes back all that it can.
fn run(mode: Mode) -> Run {
    let half = SignedDuration::from_mins(30);
    let sick = vec!["XidError=True".to_owned()];
    let (idle, replicas) = (Some(half * 2), Some(half));
    run_with(mode, Reclaim { idle, replicas, sick, ..Reclaim::default() })
}

fn run_with(mode: Mode, reclaim: Reclaim) -> Run {
    let town = Town {
        web: 8,
        notebook: 1,
        busy: Some(150),
        gpus: [Some(0), Some(0)],
        elastic: true,
        sick: false,
        fit: None,
        generations: [1, 1],
        done: Vec::new(),
    };
    let world = World(Rc::new(RefCell::new(town)));
    let config = Config {
        cluster: ClusterId::new("lab").unwrap(),
        currency: Currency::USD,
        policy: Policy { mode, reclaim, ..Policy::default() },
        budgets: Vec::new(),
        planner: Planner::Farthing,
        horizon: SignedDuration::from_hours(1),
        tick: SignedDuration::from_mins(10),
        weights: Weights::from_text(
            "gpu 1 USD/h\ncpu 0.05 USD/h\nmemory 0 USD/h\nstorage 0 USD/h\n",
        )
        .unwrap(),
        effort: farthing_engine::planner::Effort::default(),
    };
    let parts = (MemoryStore::default(), Books::in_memory());
    let engine = Engine::open(config, world.clone(), parts, at(0)).unwrap();
    Run { world, engine, next: 0, verified: Vec::new(), notes: Vec::new() }
}

impl Run {
    /// Ticks of ten minutes, up to a minute.
    fn until(&mut self, minute: i64) {
        while self.next <= minute {
            let tick = self.engine.tick(at(self.next)).unwrap();
            self.verified.extend(tick.verified);
            self.notes.extend(tick.notes);
            self.next += 10;
        }
    }

    fn replicas(&self) -> (u32, u32) {
        let town = self.world.0.borrow();
        (town.web, town.notebook)
    }

    fn in_force(&self, cause: Cause) -> Vec<StepId> {
        let open = self.engine.open_state().in_force();
        let own = open.filter(|(open, _)| open.reclaim == Some(cause));
        own.map(|(open, _)| open.step.id.clone()).collect()
    }

    fn proposed(&self) -> Vec<StepId> {
        let steps = self.engine.open_state().steps.values();
        let own = steps.filter(|it| it.stage == Stage::Proposed && it.reclaim.is_some());
        own.map(|open| open.step.id.clone()).collect()
    }
}

#[test]
fn nothing_is_taken_unless_a_policy_says_so() {
    let mut run = run_with(Mode::Enforce, Reclaim::default());
    run.world.0.borrow_mut().sick = true;
    run.until(240);
    assert_eq!(run.replicas(), (8, 1));
    assert!(run.world.0.borrow().done.is_empty());
}

/// Eight members of four cores and 8 GiB, of which none ever needed more than half a core and one
/// GiB.
fn loose() -> Fit {
    let size = |cpu_milli: u64, mib: u64| Resources {
        cpu_milli,
        memory_bytes: mib << 20,
        ..Resources::default()
    };
    let cents = |cents: i128| Money::from_pico(cents * 10_000_000_000, Currency::USD);
    let mut prices = PerResource::from_fn(|_| cents(0));
    *prices.get_mut(Resource::Cpu) = cents(640);
    *prices.get_mut(Resource::Memory) = cents(160);
    Fit {
        members: 8,
        limits: size(4_000, 8 << 10),
        usual: size(300, 1 << 10),
        peak: size(500, 1 << 10),
        last: size(200, 1 << 10),
        since: at(0),
        price: Some((prices, NODE)),
    }
}

#[test]
fn limits_fit_what_is_used_and_are_given_back_when_they_are_full() {
    let limits = Some(SignedDuration::from_mins(30));
    let mut run = run_with(Mode::Enforce, Reclaim { limits, ..Reclaim::default() });
    {
        let mut town = run.world.0.borrow_mut();
        (town.elastic, town.fit) = (false, Some(loose()));
    }
    run.until(20);
    assert!(run.world.0.borrow().done.is_empty(), "not seen for long enough");
    run.until(30);
    let [step] = <[Step; 1]>::try_from(run.world.0.borrow().done.clone()).unwrap();
    let Action::Resize { members, from, to, .. } = &step.action else { panic!("{step:?}") };
    // The most that any used is 70 % of it: 0.5 / 0.7 cores, 1 GiB / 0.7 and a little.
    assert_eq!((*members, *from), (8, loose().limits));
    assert_eq!((to.cpu_milli, to.memory_bytes), (720, 1_468 << 20));
    // Of 6.40 USD for 64 cores and 1.60 for 64 GiB in an hour.
    let hour = |cores_milli: i128, mib: i128| cores_milli * 8 * 100_000_000 + mib * 8 * 24_414_062;
    let near = |money: Money, pico: i128| (money.pico() - pico).abs() < 1_000_000;
    assert!(near(step.cost, hour(720, 1_468)), "{:?}", step.cost);
    assert!(near(step.saving, hour(3_280, 6_724)), "{:?}", step.saving);
    let why = step.reasons[0].to_string();
    assert!(why.contains("cpu 0.72 instead of 4, as 7.5 % in 99 of 100"), "{why}");
    assert!(why.contains("memory 1468 MiB instead of 8192 MiB"), "{why}");
    // It stays, also where still less would do.
    {
        let mut town = run.world.0.borrow_mut();
        let fit = town.fit.as_mut().unwrap();
        (fit.usual.cpu_milli, fit.peak.cpu_milli) = (20, 20);
    }
    run.until(120);
    assert_eq!((run.world.0.borrow().done.len(), run.in_force(Cause::Limits).len()), (1, 1));
    // 0.648 is 90 % of 0.72.
    run.world.0.borrow_mut().fit.as_mut().unwrap().last.cpu_milli = 647;
    run.until(130);
    assert_eq!(run.in_force(Cause::Limits).len(), 1, "within its band");
    run.world.0.borrow_mut().fit.as_mut().unwrap().last.cpu_milli = 648;
    run.until(140);
    assert!(run.in_force(Cause::Limits).is_empty());
    assert_eq!(run.world.0.borrow().fit.as_ref().unwrap().limits, loose().limits);
    assert!(run.notes.iter().any(|note| note.contains("s/web needs its limits again")));
    // It is left alone for a while; what it saved is the ledger's to say, and said once.
    run.until(160);
    assert_eq!(run.world.0.borrow().done.len(), 1);
    assert!(run.verified.is_empty());
}

#[test]
fn limits_that_somebody_else_changed_are_not_ours_any_more() {
    let limits = Some(SignedDuration::from_mins(30));
    let mut run = run_with(Mode::Recommend, Reclaim { limits, ..Reclaim::default() });
    {
        let mut town = run.world.0.borrow_mut();
        (town.elastic, town.fit) = (false, Some(loose()));
    }
    run.until(40);
    assert!(run.world.0.borrow().done.is_empty(), "it is only proposed");
    assert_eq!(run.proposed().len(), 1);
    let mut run = run_with(Mode::Enforce, Reclaim { limits, ..Reclaim::default() });
    {
        let mut town = run.world.0.borrow_mut();
        (town.elastic, town.fit) = (false, Some(loose()));
    }
    run.until(30);
    assert_eq!(run.in_force(Cause::Limits).len(), 1);
    {
        let mut town = run.world.0.borrow_mut();
        let fit = town.fit.as_mut().unwrap();
        // By hand, and as full as they can be.
        fit.limits.cpu_milli = 2_000;
        (fit.usual, fit.peak, fit.last) = (fit.limits, fit.limits, fit.limits);
    }
    run.until(50);
    assert!(run.in_force(Cause::Limits).is_empty());
    assert_eq!(run.world.0.borrow().fit.as_ref().unwrap().limits.cpu_milli, 2_000);
    assert_eq!(run.world.0.borrow().done.len(), 1);
}

#[test]
fn replicas_go_when_they_were_not_needed_and_come_back_when_they_are() {
    let mut run = run(Mode::Enforce);
    run.until(20);
    assert_eq!(run.replicas(), (8, 1), "not seen for long enough");
    run.until(30);
    // 8 x 15 % = 1.2 filled; at 70 % two are needed.
    assert_eq!(run.replicas().0, 2);
    let first = run.in_force(Cause::Replicas);
    assert_eq!(first.len(), 1);
    // 60 % of two: within the band's 70 to 90, nothing happens.
    run.world.0.borrow_mut().busy = Some(600);
    run.until(90);
    assert_eq!(run.replicas().0, 2);
    // Full: who knows how much more there would be, so all of them come back.
    run.world.0.borrow_mut().busy = Some(1_000);
    run.until(100);
    assert_eq!(run.replicas().0, 8);
    assert!(run.in_force(Cause::Replicas).is_empty());
    assert!(run.notes.iter().any(|note| note == "s/web needs its replicas again: 8 as before"));
    // Not taken again at once, however little is used.
    run.world.0.borrow_mut().busy = Some(100);
    run.until(120);
    assert_eq!(run.replicas().0, 8);
    run.until(140);
    assert_eq!(run.replicas().0, 2);
}

#[test]
fn a_saving_is_what_it_was_said_to_be_also_in_two_steps() {
    let mut run = run(Mode::Enforce);
    run.world.0.borrow_mut().busy = Some(400);
    run.until(30);
    assert_eq!(run.replicas().0, 5, "3.2 filled");
    run.world.0.borrow_mut().busy = Some(200);
    run.until(60);
    assert_eq!(run.replicas().0, 2, "1 of 5 filled");
    run.until(90);
    let step = run.in_force(Cause::Replicas).remove(0);
    // Taken back by a person, in the order in which they were done.
    run.engine.undo(&step, at(90)).unwrap();
    assert_eq!(run.replicas().0, 5);
    let step = run.in_force(Cause::Replicas).remove(0);
    run.engine.undo(&step, at(90)).unwrap();
    assert_eq!(run.replicas().0, 8);
    let scores = &run.engine.open_state().scores;
    assert_eq!(scores.steps, 2, "the one that was uncovered held for no time");
    let (predicted, realised) = (scores.predicted[&Currency::USD], scores.realised[&Currency::USD]);
    // 3 replicas for half an hour, then 6 for half an hour: 4.5 replica-hours, each 4 of 64 cores
    // of the part of the price that cores have.
    let off = predicted.checked_sub(realised).unwrap().pico().abs();
    assert!(off <= 1_000, "{predicted} {realised}");
    let cores: Money = "8 USD".parse().unwrap();
    let cores = cores.pico() * 32 / (32 + 40);
    assert!((predicted.pico() - cores * 4 / 64 * 45 / 10).abs() < 1_000, "{predicted}");
}

#[test]
fn what_is_not_measured_or_not_elastic_stays() {
    let mut run = run(Mode::Enforce);
    run.world.0.borrow_mut().busy = None;
    run.until(120);
    assert_eq!(run.replicas().0, 8, "nobody measures its cores");
    {
        let mut town = run.world.0.borrow_mut();
        (town.busy, town.elastic) = (Some(100), false);
    }
    run.until(240);
    assert_eq!(run.replicas().0, 8, "it does not say that it does with fewer");
}

#[test]
fn idle_is_only_what_does_nothing_with_all_that_it_has() {
    for gpus in [[Some(0), Some(800)], [Some(0), None], [None, None]] {
        let mut run = run(Mode::Enforce);
        run.world.0.borrow_mut().gpus = gpus;
        run.until(240);
        assert_eq!(run.replicas().1, 1, "{gpus:?}");
    }
    let mut run = run(Mode::Enforce);
    run.until(120);
    assert_eq!(run.replicas().1, 0, "all of it did nothing for an hour");
    let why = run.world.0.borrow().done.last().unwrap().reasons[0].to_string();
    assert!(why.starts_with("LOADED_IDLE: all 2 accelerators did nothing for 1h"), "{why}");
    // It comes back when a person says so, and is left alone for a while.
    let step = run.in_force(Cause::Idle).remove(0);
    run.engine.undo(&step, at(120)).unwrap();
    run.until(160);
    assert_eq!(run.replicas().1, 1);
}

#[test]
fn people_are_asked_where_that_is_said_and_not_for_what_is_over() {
    let mut run = run(Mode::Approve);
    run.until(30);
    let [step] = run.proposed().try_into().unwrap();
    assert_eq!(run.replicas().0, 8);
    // It is needed: nobody is to approve it now.
    run.world.0.borrow_mut().busy = Some(800);
    run.until(40);
    assert!(run.proposed().is_empty());
    assert!(run.engine.approve(&step, true, "ada", at(41)).is_err());
    run.world.0.borrow_mut().busy = Some(150);
    run.until(80);
    let proposed = run.proposed();
    let web = |step: &&StepId| {
        let open = &run.engine.open_state().steps[*step];
        open.reclaim == Some(Cause::Replicas)
    };
    let step = proposed.iter().find(web).unwrap().clone();
    run.engine.approve(&step, true, "ada", at(81)).unwrap();
    run.until(90);
    assert_eq!(run.replicas().0, 2);
    // A no holds while its target stays as it is.
    let no = run.proposed();
    for step in &no {
        run.engine.approve(step, false, "ada", at(91)).unwrap();
    }
    run.until(240);
    assert_eq!(run.proposed(), no);
}

#[test]
fn a_sick_node_is_emptied_where_its_word_counts() {
    let mut run = run(Mode::Enforce);
    run.world.0.borrow_mut().sick = true;
    run.until(0);
    let done = run.world.0.borrow().done.clone();
    let [step] = &done[..] else { panic!("{done:?}") };
    assert!(matches!(&step.action, Action::Release { node } if node.as_str() == "n"));
    assert_eq!(step.saving.to_string(), "8.00 USD");
    let why = "the node is sick by XidError=True (Xid 79): its work loses 8.00, moving costs 0.40";
    assert_eq!(step.reasons[0].to_string(), why);
    // The node stays, so that nothing is saved, whatever was said.
    run.until(60);
    let verified: Vec<&str> = run.verified.iter().map(|record| record.realised.as_str()).collect();
    assert_eq!(verified, ["0.00 USD"]);
    assert_eq!(run.verified[0].predicted, "8.00 USD");
}
