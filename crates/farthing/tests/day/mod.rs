//! A day of a small GPU cluster on a real API server, in minutes: the same work once under plain
//! Kubernetes and once with Farthing in mode enforce.
//!
//! What is real: etcd, API server, scheduler and controllers; the engine, its planner, its journal
//! and its ledger, over the same [`Kube`] as `farthing up --kube`; and the price book. What is
//! played: kubelets (kwok), what work does with its time (`work`), an autoscaler that is the same
//! in both days (`pool`), the exporters (`exporter`), and the clock (`warp`), which stands still
//! while the cluster settles and then goes on by half an hour. No figure comes from here: all are
//! read from the ledger, the journal and the objects. Start at [`live`].
#![allow(dead_code, reason = "the program and the test show different parts")]

#[path = "../../../farthing-kube/tests/cluster/mod.rs"]
pub(crate) mod cluster;

mod api;
mod exporter;
mod pool;
mod prices;
pub(crate) mod table;
mod warp;
mod work;

use api::Api;
use exporter::{Exporter, Lab};
use farthing_edge::{MemoryStore, Observe as _, Store as _};
use farthing_engine::{Body, Cause, Config, Engine, Planner, Stage, VerifiedRecord};
use farthing_kube::{Access, Identity, Kube};
use farthing_ledger::{Books, Key, Statement, StatementQuery, statement};
use farthing_model::{Action, ClusterId, Currency, Mode, Money, Window};
use farthing_planner::Effort;
use farthing_providers::manifest;
use jiff::{SignedDuration, Timestamp};
use pool::Pool;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use warp::Warp;
use work::Work;

/// Where the clock goes on to each time.
pub(crate) const TICK: SignedDuration = SignedDuration::from_mins(30);
/// How long the cluster may take to settle.
const PATIENCE: Duration = Duration::from_secs(30);

/// What people tell Farthing, as a manifest.
pub(crate) const TOLD: &str = "\
kind: Policy
metadata: {name: day}
spec:
  mode: enforce
  limits: {stepsPerHour: 60, ageMax: 5m}
  reclaim: {idle: 2h, replicas: 1h, sick: [XidError=True]}
---
kind: Budget
metadata: {name: vision-daily}
spec:
  scope: {team: vision}
  limit: 40 USD
  period: day
  escalate: [{at: 90%, do: suspend}]
";

/// What a day came to.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) paid: Money,
    pub(crate) unallocated: Money,
    pub(crate) idle: Money,
    /// What each team was charged.
    pub(crate) teams: BTreeMap<String, Money>,
    /// Jobs with a deadline, and whether it was kept.
    pub(crate) deadlines: BTreeMap<String, bool>,
    /// Hours of work that jobs got done.
    pub(crate) done: BTreeMap<String, SignedDuration>,
    /// Requests that were served, and all, in thousandths of what a replica serves in a tick.
    pub(crate) served: (u64, u64),
    /// Steps that were done, in words.
    pub(crate) steps: Vec<String>,
    /// Predicted against realised, with why it was done.
    pub(crate) verified: Vec<(Cause, VerifiedRecord)>,
    /// Steps that were taken back at the end.
    pub(crate) undone: usize,
    /// Objects that differ from what people had made, after that.
    pub(crate) changed: Vec<String>,
    pub(crate) ticks: usize,
    pub(crate) took: Duration,
}

/// The moment at which the day begins.
pub(crate) fn midnight() -> Timestamp {
    "2027-03-02T00:00:00Z".parse().unwrap()
}

/// Lives through a day, with or without Farthing; `None` where there is no cluster to be had.
pub(crate) fn live(acts: bool, tell: &mut dyn FnMut(&str)) -> Option<Outcome> {
    let cluster = cluster::start(&[], &[])?;
    let began = Instant::now();
    let mut day = Day::open(&cluster.kubeconfig(), acts);
    let mut ticks = 0;
    for index in 0..=48_i32 {
        let now = midnight() + TICK * index;
        day.tick(now, tell);
        ticks += 1;
    }
    Some(day.close((ticks, began), tell))
}

/// A cluster with the work of midnight, by the clock on the wall; `None` where there is none.
pub(crate) fn begun() -> Option<cluster::Cluster> {
    let cluster = cluster::start(&[], &[])?;
    let api = Api::open(&cluster.kubeconfig());
    Work::default().begin(&api);
    Pool::default().settle(&api, None, Timestamp::now());
    Some(cluster)
}

struct Day {
    acts: bool,
    api: Api,
    warp: Warp,
    exporter: Arc<Mutex<Exporter>>,
    work: Work,
    pool: Pool,
    engine: Engine<Lab, MemoryStore>,
    cluster: ClusterId,
    _folder: tempfile::TempDir,
}

impl Day {
    fn open(kubeconfig: &std::path::Path, acts: bool) -> Self {
        let api = Api::open(kubeconfig);
        let exporter = Arc::new(Mutex::new(Exporter::default()));
        let warp = Warp::start(api.clone(), midnight(), Arc::clone(&exporter));
        let cluster = ClusterId::new(if acts { "with" } else { "without" }).unwrap();
        let (ca, insecure, identity) = (None, false, Identity::Anonymous);
        let access =
            Access { server: warp.address(), ca, insecure, identity, name: cluster.to_string() };
        let mut work = Work::default();
        work.begin(&api);
        let mut pool = Pool::default();
        pool.settle(&api, None, midnight());
        work.remember(&api);
        let kube = Kube::open(access, cluster.clone(), warp.clock(), prices::book()).unwrap();
        assert!(kube.wait(PATIENCE), "{:?}", kube.inventory());
        let folder = tempfile::tempdir().unwrap();
        let books = Books::open_folder(folder.path()).unwrap();
        let told = manifest::parse(TOLD, "the day's manifest", midnight()).unwrap();
        let mut policy = told.policy.unwrap();
        if !acts {
            policy.mode = Mode::Observe;
        }
        let config = Config {
            cluster: cluster.clone(),
            currency: Currency::USD,
            policy,
            budgets: told.budgets,
            planner: Planner::Farthing,
            horizon: SignedDuration::from_hours(1),
            tick: TICK,
            weights: prices::weights(),
            effort: Effort::default(),
        };
        let lab = Lab { kube, exporter: Arc::clone(&exporter) };
        let store = MemoryStore::default();
        let engine = Engine::open(config, lab, (store, books), midnight()).unwrap();
        Self { acts, api, warp, exporter, work, pool, engine, cluster, _folder: folder }
    }

    /// Half an hour goes by, and what happens in it happens at its end.
    fn tick(&mut self, now: Timestamp, tell: &mut dyn FnMut(&str)) {
        self.warp.go_on(now);
        self.work.passes(&self.api, now);
        self.exporter.lock().unwrap().set(self.work.uses(), now);
        self.work.happens(&self.api, now, self.acts, tell);
        self.pool.settle(&self.api, Some(&self.warp), now);
        self.hears(now);
        let tick = self.engine.tick(now).unwrap();
        for receipt in tick.acted.receipts.iter().chain(&tick.resolved) {
            let open = self.engine.open_state().steps.get(&receipt.step);
            if let Some(open) = open {
                self.work.note(now, &open.step, tell);
            }
        }
        for (step, held) in &tick.acted.held {
            tell(&format!(
                "{}  held: {} {held}",
                clock(now),
                farthing_engine::target(&step.action)
            ));
        }
        for note in &tick.notes {
            tell(&format!("{}  note: {note}", clock(now)));
        }
        self.pool.settle(&self.api, Some(&self.warp), now);
        self.work.looks(&self.api, now);
    }

    /// Waits until every watcher has heard how far its stream is.
    fn hears(&mut self, now: Timestamp) {
        let late = Instant::now() + PATIENCE;
        while !self.engine.world_mut().kube.observe(now).unwrap().oldest().is_zero() {
            assert!(Instant::now() < late, "not all watchers hear how far their streams are");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The statement, and everything taken back.
    fn close(mut self, (ticks, began): (usize, Instant), tell: &mut dyn FnMut(&str)) -> Outcome {
        let now = midnight() + TICK * 48;
        let undone = self.undo_all(now, tell);
        self.pool.settle(&self.api, Some(&self.warp), now);
        let changed = self.work.changed(&self.api);
        self.engine.close(now).unwrap();
        let whole = self.statement(Vec::new());
        let by_team = self.statement(vec![Key::Team]);
        let teams = by_team.rows.iter().map(|row| {
            let name = row.keys.first().cloned().unwrap_or_default();
            (name, row.total)
        });
        let teams = teams.collect();
        let (deadlines, done) = (self.work.deadlines(), self.work.done());
        let (served, steps) = (self.work.served(), self.work.steps());
        let (_, store, _) = self.engine.into_parts();
        let verified = verified(&store);
        Outcome {
            paid: whole.paid,
            unallocated: whole.unallocated,
            idle: whole.idle,
            teams,
            deadlines,
            done,
            served,
            steps,
            verified,
            undone,
            changed,
            ticks,
            took: began.elapsed(),
        }
    }

    /// Takes back all that is in force, the newest first, as `farthing undo` does.
    fn undo_all(&mut self, now: Timestamp, tell: &mut dyn FnMut(&str)) -> usize {
        let (mut undone, mut gone) = (0, BTreeSet::new());
        loop {
            let open = self.engine.open_state().steps.values();
            let own = open.filter(|open| open.covered_by.is_none() && open.before.is_some());
            let in_force = own.filter_map(|open| match open.stage {
                Stage::InForce(since) if !gone.contains(&open.step.id) => {
                    Some((since, open.step.id.clone(), open.step.action.clone()))
                }
                _ => None,
            });
            let newest = in_force.max_by_key(|(since, step, _)| (*since, step.clone()));
            let Some((_, step, action)) = newest else { return undone };
            match self.engine.undo(&step, now) {
                Ok(receipt) => {
                    tell(&format!("{}  undone: step {step}", clock(receipt.at)));
                    undone += 1;
                }
                // A node that was given back is its autoscaler's to delete, which it did.
                Err(error) => {
                    assert!(matches!(action, Action::Release { .. }), "{error}");
                    gone.insert(step);
                }
            }
        }
    }

    fn statement(&self, by: Vec<Key>) -> Statement {
        let window = Window::starting(midnight(), SignedDuration::from_hours(24)).unwrap();
        let query = StatementQuery::of(self.cluster.clone(), window, Currency::USD);
        statement(self.engine.books(), &StatementQuery { by, ..query }).unwrap()
    }
}

/// What the journal says was predicted and realised.
fn verified(store: &MemoryStore) -> Vec<(Cause, VerifiedRecord)> {
    let mut causes: BTreeMap<String, Cause> = BTreeMap::new();
    let mut verified = Vec::new();
    for record in store.read(1, usize::MAX).unwrap() {
        match Body::read(&record).unwrap() {
            Body::Reclaimed(reclaimed) => {
                let steps = reclaimed.steps.into_iter().map(|step| step.step);
                causes.extend(steps.map(|step| (step, reclaimed.cause)));
            }
            Body::Verified(record) => {
                if let Some(cause) = causes.get(&record.step) {
                    verified.push((*cause, record));
                }
            }
            _ => {}
        }
    }
    verified
}

/// The time of day.
pub(crate) fn clock(at: Timestamp) -> String {
    let minutes = at.duration_since(midnight()).as_mins();
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

/// A field of an object, by a path with slashes.
pub(crate) fn at<'v>(object: &'v Value, path: &str) -> &'v Value {
    object.pointer(path).unwrap_or(&Value::Null)
}
