//! A machine of which it is said what is measured, and steps on its containers.
#![allow(dead_code, reason = "not every test needs all of it")]

use crate::engine::{Engine, IMAGE};
use farthing_docker::{Docker, Shares, Task};
use farthing_edge::{Act, EdgeError, Measure, Measured, Observe, Quote};
use farthing_model::{
    Action, Age, Asset, Assignment, Attribution, ClusterId, Coverage, Currency, Decimal,
    HourlyRate, Interruptible, Job, Money, Node, NodeId, NodeSpan, NodeState, Observed, OfferId,
    PerResource, Place, Price, PriceKind, Provenance, Purchase, ReceiptOutcome, Resource,
    Resources, Sample, Snapshot, SourceId, Step, StepId, TeamId, Window, Workload, WorkloadId,
    WorkloadKind, WorkloadState,
};
use jiff::{SignedDuration, Timestamp};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

/// A machine of 4 cores and 8 GiB at 1 USD/h on which nothing but containers is.
#[derive(Default)]
pub(crate) struct Machine(pub(crate) Used);

/// What is to be measured of containers, by the first digits of their ids: thousandths of cores,
/// and bytes.
pub(crate) type Used = Rc<RefCell<BTreeMap<String, (i128, i128)>>>;

pub(crate) fn capacity() -> Resources {
    Resources { cpu_milli: 4_000, memory_bytes: 8 << 30, storage_bytes: 1 << 40, gpu_milli: 0 }
}

pub(crate) fn place() -> Place {
    Place { provider: "local".to_owned(), region: "box".to_owned(), zone: None }
}

pub(crate) fn usd(milli: i128) -> Money {
    Money::from_pico(milli * 1_000_000_000, Currency::USD)
}

pub(crate) fn price() -> Price {
    let from = Provenance {
        kind: PriceKind::List,
        source: "test".to_owned(),
        as_of: "2026-11-01".parse().unwrap(),
        list: None,
    };
    Price::Known(HourlyRate::new(usd(1_000)).unwrap(), from)
}

pub(crate) fn node() -> NodeId {
    NodeId::new("box").unwrap()
}

pub(crate) fn offer() -> OfferId {
    OfferId::new("local/box/machine/owned").unwrap()
}

impl Observe for Machine {
    fn observe(&mut self, now: Timestamp) -> Result<Snapshot, EdgeError> {
        let node = Node {
            id: node(),
            offer: offer(),
            capacity: capacity(),
            price: price(),
            state: NodeState::Ready,
            since: now,
            until: None,
        };
        Ok(Snapshot {
            cluster: ClusterId::new("test").unwrap(),
            at: now,
            nodes: vec![node],
            workloads: Vec::new(),
            ages: vec![Age { part: "nodes", as_of: now }, Age { part: "workloads", as_of: now }],
            coverage: Coverage::default(),
            terms: Arc::default(),
        })
    }
}

impl Measure for Machine {
    fn measure(&mut self, window: Window) -> Result<Measured, EdgeError> {
        let span = NodeSpan {
            node: node(),
            asset: Asset::Node,
            offer: offer(),
            place: place(),
            instance_type: "machine".to_owned(),
            purchase: Purchase::Owned,
            capacity: capacity(),
            price: price(),
            window,
            ready: window.from(),
            held_for: None,
            measured: true,
        };
        let used = self.0.borrow();
        let sample = |(id, (cpu_milli, bytes)): (&String, &(i128, i128))| {
            let nanos = window.nanos();
            let who = WorkloadId::new(&format!("container:{id}")).unwrap();
            let who = Attribution { container: Some(id.clone()), ..Attribution::of(who) };
            let who = Arc::new(who);
            [(Resource::Cpu, cpu_milli * nanos / 1_000), (Resource::Memory, bytes * nanos)].map(
                |(resource, used)| Sample {
                    source: SourceId::new("test").unwrap(),
                    node: node(),
                    device: None,
                    slice: None,
                    attribution: Some(Arc::clone(&who)),
                    resource,
                    window,
                    requested_nano: 0,
                    used_nano: Some(used),
                    held_nano: None,
                },
            )
        };
        let samples = used.iter().flat_map(sample).collect();
        Ok(Measured { spans: vec![span], samples, ..Measured::default() })
    }
}

pub(crate) fn shares() -> Shares {
    let mut parts = PerResource::from_fn(|_| Money::zero(Currency::USD));
    *parts.get_mut(Resource::Cpu) = usd(600);
    *parts.get_mut(Resource::Memory) = usd(300);
    *parts.get_mut(Resource::Storage) = usd(100);
    Shares {
        place: place(),
        purchase: Purchase::Owned,
        price: price(),
        parts,
        capacity: capacity(),
        gpus: Vec::new(),
    }
}

pub(crate) fn task(name: &str, count: u32, checkpoint: Option<i64>, script: &str) -> Task {
    let interruptible = checkpoint.map(|seconds| Interruptible {
        checkpoint: SignedDuration::from_secs(seconds),
        restart: SignedDuration::ZERO,
    });
    let job = Job {
        count,
        submitted: None,
        work: None,
        throughput: Vec::new(),
        duration: Some(SignedDuration::from_mins(10)),
        deadline: None,
        quoted_cost: None,
        interruptible,
    };
    let workload = Workload {
        id: WorkloadId::new(name).unwrap(),
        team: Some(TeamId::new("research").unwrap()),
        labels: BTreeMap::from([("team".to_owned(), "research".to_owned())]),
        resources: Resources { cpu_milli: 100, memory_bytes: 16 << 20, ..Resources::default() },
        residency: Vec::new(),
        value: Decimal::ZERO,
        data: None,
        kind: WorkloadKind::Job(job),
    };
    Task {
        workload: Arc::new(workload),
        image: IMAGE.to_owned(),
        command: ["sh", "-c", script].map(str::to_owned).into(),
        environment: BTreeMap::new(),
        volumes: Vec::new(),
    }
}

pub(crate) const FOREVER: &str = "trap 'exit 0' TERM; while :; do sleep 1; done";

pub(crate) fn open(engine: &Engine, tasks: Vec<Task>) -> Docker<Machine> {
    open_with(engine, tasks, Used::default())
}

pub(crate) fn open_with(engine: &Engine, tasks: Vec<Task>, used: Used) -> Docker<Machine> {
    let machine = (node(), Machine(used));
    let mut docker = Docker::open(&engine.socket(), machine, shares(), tasks).unwrap();
    let now = Timestamp::now();
    docker.observe(now).unwrap();
    // What others hold is known from the first measurement on; before, there is no room.
    docker.measure(Window::starting(now, SignedDuration::from_secs(1)).unwrap()).unwrap();
    docker
}

pub(crate) fn seen(docker: &mut Docker<Machine>, name: &str) -> Observed {
    let snapshot = docker.observe(Timestamp::now()).unwrap();
    snapshot.workload(&WorkloadId::new(name).unwrap()).expect("it is in the queue").clone()
}

pub(crate) fn step(id: &str, action: Action, generation: u64) -> Step {
    let zero = Money::zero(Currency::USD);
    Step {
        id: StepId::new(id).unwrap(),
        action,
        generation,
        cost: zero,
        saving: zero,
        reasons: Vec::new(),
        expires: Timestamp::MAX,
    }
}

pub(crate) fn start(docker: &mut Docker<Machine>, id: &str, name: &str, members: u32) -> Step {
    let now = Timestamp::now();
    let offers = docker.offers(now).unwrap();
    let action = Action::Start {
        workload: WorkloadId::new(name).unwrap(),
        offer: offers[0].id.clone(),
        members,
        nodes_each: 1,
        window: Window::starting(now, SignedDuration::from_mins(10)).unwrap(),
    };
    step(id, action, seen(docker, name).generation)
}

pub(crate) fn suspend(docker: &mut Docker<Machine>, id: &str, name: &str) -> Step {
    let workload = WorkloadId::new(name).unwrap();
    step(id, Action::Suspend { workload }, seen(docker, name).generation)
}

pub(crate) fn does(docker: &mut Docker<Machine>, step: &Step) -> ReceiptOutcome {
    docker.act(step, Timestamp::now()).unwrap().outcome
}

pub(crate) fn placed(observed: &Observed) -> &[Assignment] {
    match &observed.state {
        WorkloadState::Placed(there) => there,
        other => panic!("{other:?}"),
    }
}
