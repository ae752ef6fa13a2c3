//! A server, a manager and a purse in memory, each of which can fail.

use super::stand_in::{self, Manager};
use crate::error::ApiError;
use crate::kueue::cost::{FlavorPrices, Machine};
use crate::kueue::object::Queued;
use crate::kueue::purse::{Ask, Held, Overdraft, Purse, Ran, Room, Used};
use crate::kueue::queues::Queues;
use crate::kueue::rules::Rules;
use crate::kueue::turn::Answering;
use crate::kueue::view::{Turn, View};
use crate::kueue::watchdog::{Barked, Watchdog};
use crate::kueue::write::{Answer, Change, Writes, answer_body, change_body};
use crate::object::Names;
use farthing_edge::{Class, EdgeError};
use farthing_model::{Currency, Money};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

pub(super) const CHECK: &str = "money";
pub(super) const GPU_HOUR: i128 = 2;

pub(super) fn usd(dollars: i128) -> Money {
    Money::from_pico(dollars * 1_000_000_000_000, Currency::USD)
}

/// How a call fails, if it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Break {
    No,
    /// Nothing happens, and that is said.
    Before,
    /// It happens, and that is not said.
    After,
}

/// What goes wrong next, in order.
#[derive(Debug, Default)]
pub(super) struct Luck(pub(super) RefCell<VecDeque<Break>>);

impl Luck {
    fn next(&self) -> Break {
        self.0.borrow_mut().pop_front().unwrap_or(Break::No)
    }
}

/// The API server.
#[derive(Debug, Default)]
pub(super) struct Server {
    pub(super) workloads: RefCell<BTreeMap<String, Value>>,
    pub(super) check: RefCell<Value>,
    pub(super) luck: Luck,
    /// Whether `spec` may be written.
    pub(super) no_brake: bool,
    version: RefCell<u64>,
}

fn refusal(code: u16) -> ApiError {
    ApiError::refused("test", code, b"{}", None)
}

impl Server {
    pub(super) fn put(&self, name: &str, mut it: Value) {
        let mut version = self.version.borrow_mut();
        *version += 1;
        it["metadata"]["resourceVersion"] = json!(version.to_string());
        self.workloads.borrow_mut().insert(name.to_owned(), it);
    }

    pub(super) fn get(&self, name: &str) -> Value {
        self.workloads.borrow()[name].clone()
    }

    fn write(&self, of: &Queued, change: impl FnOnce(&mut Value)) -> Result<(), ApiError> {
        let luck = self.luck.next();
        if luck == Break::Before {
            return Err(refusal(503));
        }
        let found = self.workloads.borrow().get(&*of.key.name).cloned();
        let mut it = found.ok_or_else(|| refusal(404))?;
        if it["metadata"]["resourceVersion"] != *of.version {
            return Err(refusal(409));
        }
        change(&mut it);
        self.put(&of.key.name, it);
        if luck == Break::After { Err(refusal(504)) } else { Ok(()) }
    }
}

impl Writes for Server {
    fn answer(
        &self,
        of: &Queued,
        checks: &[Arc<str>],
        answer: &Answer,
        now: Timestamp,
    ) -> Result<(), ApiError> {
        let body = answer_body(of, checks, answer, now);
        assert_eq!(body["metadata"]["uid"], *of.uid);
        self.write(of, |it| {
            for entry in body["status"]["admissionChecks"].as_array().unwrap() {
                let all = it["status"]["admissionChecks"].as_array_mut().unwrap();
                let own = all.iter_mut().find(|own| own["name"] == entry["name"]);
                *own.expect("only an entry that is there is answered") = entry.clone();
            }
        })
    }

    fn change(&self, of: &Queued, change: &Change) -> Result<(), ApiError> {
        if self.no_brake {
            return Err(refusal(403));
        }
        let body = change_body(of, change);
        self.write(of, |it| {
            for (name, value) in body["metadata"]["annotations"].as_object().unwrap() {
                let notes = it["metadata"]["annotations"].as_object_mut().unwrap();
                if value.is_null() {
                    notes.remove(name);
                } else {
                    notes.insert(name.clone(), value.clone());
                }
            }
            if let Some(active) = body["spec"].get("active") {
                it["spec"]["active"] = active.clone();
            }
        })
    }

    fn say_active(
        &self,
        check: &str,
        (active, _): (bool, &str),
        _now: Timestamp,
    ) -> Result<(), ApiError> {
        assert_eq!(check, CHECK);
        let status = if active { "True" } else { "False" };
        let conditions = json!([{ "type": "Active", "status": status }]);
        self.check.borrow_mut()["status"] = json!({ "conditions": conditions });
        Ok(())
    }
}

/// A purse with one hard budget, as durable as a journal.
#[derive(Debug, Default)]
pub(super) struct Wallet {
    pub(super) limit: i128,
    pub(super) spent: i128,
    pub(super) claims: BTreeMap<String, Held>,
    pub(super) ran: Vec<Ran>,
    pub(super) settled: Vec<(Held, Used)>,
    pub(super) luck: Luck,
    made: usize,
}

impl Wallet {
    pub(super) fn of(limit: i128) -> Self {
        Self { limit: usd(limit).pico(), ..Self::default() }
    }

    pub(super) fn committed(&self) -> i128 {
        self.claims.values().map(|held| held.amount.pico()).sum()
    }

    fn broken(&self) -> Result<bool, EdgeError> {
        match self.luck.next() {
            Break::No => Ok(false),
            Break::Before => Err(EdgeError::new(Class::Transient, "the journal is busy")),
            Break::After => Ok(true),
        }
    }
}

impl Purse for Wallet {
    fn held(&self) -> Vec<Held> {
        self.claims.values().cloned().collect()
    }

    fn reserve(&mut self, ask: &Ask, of: Option<&Held>, now: Timestamp) -> Result<Room, EdgeError> {
        let lost = self.broken()?;
        let old = of.map_or(0, |of| of.amount.pico());
        let all = self.spent + self.committed() - old + ask.amount.pico();
        if all > self.limit && ask.amount.pico() > old {
            let why = "budget all has too little".to_owned();
            return Ok(Room::Short { why, never: ask.amount.pico() > self.limit });
        }
        self.made += 1;
        let held = Held {
            claim: of.map_or_else(|| format!("c{}", self.made), |of| of.claim.clone()),
            uid: ask.uid.clone(),
            what: ask.what.clone(),
            amount: ask.amount,
            at: now,
            until: ask.until,
            counts: true,
            budgets: vec!["all".to_owned()],
            past_s: ask.past_s,
        };
        let other = self.claims.values().any(|it| it.uid == held.uid && it.claim != held.claim);
        assert!(!other, "twice: {held:?}");
        self.claims.insert(held.claim.clone(), held.clone());
        if lost {
            return Err(EdgeError::new(Class::Transient, "the connection ended"));
        }
        Ok(Room::Granted(held))
    }

    fn lacks(&self, ask: &Ask, _now: Timestamp) -> Result<Option<String>, EdgeError> {
        let all = self.spent + self.committed() + ask.amount.pico();
        Ok((all > self.limit).then(|| "budget all has too little".to_owned()))
    }

    fn settle(&mut self, held: &Held, used: Used, _now: Timestamp) -> Result<(), EdgeError> {
        let lost = self.broken()?;
        if let Some(held) = self.claims.remove(&held.claim) {
            self.settled.push((held, used));
        }
        if lost {
            return Err(EdgeError::new(Class::Transient, "the connection ended"));
        }
        Ok(())
    }

    fn learned(&self, kind: &str) -> Vec<i64> {
        let of_kind = self.ran.iter().filter(|ran| ran.kind == kind && ran.complete);
        of_kind.map(|ran| ran.seconds).collect()
    }

    fn learn(&mut self, ran: &Ran, _now: Timestamp) -> Result<(), EdgeError> {
        if !self.ran.contains(ran) {
            self.ran.push(ran.clone());
        }
        Ok(())
    }

    fn posted(&self, now: Timestamp) -> Timestamp {
        now
    }

    fn overdrafts(&self, now: Timestamp) -> Result<Vec<Overdraft>, EdgeError> {
        let ahead: i128 = self.claims.values().map(|held| held.ahead(now).pico()).sum();
        let over = self.spent + ahead - self.limit;
        let by = Money::from_pico(over, Currency::USD);
        Ok(if over > 0 { vec![Overdraft { budget: "all".to_owned(), by }] } else { Vec::new() })
    }
}

/// All of it.
pub(super) struct World {
    pub(super) server: Server,
    pub(super) manager: Manager,
    pub(super) wallet: Wallet,
    pub(super) answering: Answering,
    pub(super) rules: Rules,
    pub(super) now: Timestamp,
    /// Prices are known.
    pub(super) priced: bool,
    /// How long each job runs, in seconds; the others run on.
    pub(super) lengths: BTreeMap<String, i64>,
    /// What jobs have run, in device-seconds, by the second that it happened.
    pub(super) made: usize,
}

impl World {
    pub(super) fn new(limit: i128, rules: Rules) -> Self {
        let server = Server::default();
        *server.check.borrow_mut() = json!({
            "metadata": { "name": CHECK },
            "spec": { "controllerName": "farthing.dev/budget" },
        });
        Self {
            server,
            manager: Manager {
                check: CHECK,
                flavor: "h100",
                quota: 8,
                is_active: false,
                partial: false,
            },
            wallet: Wallet::of(limit),
            answering: Answering::new(rules),
            rules,
            now: "2026-11-10T12:00:00Z".parse().unwrap(),
            priced: true,
            lengths: BTreeMap::new(),
            made: 0,
        }
    }

    /// A Workload of so many pods with one device each.
    pub(super) fn add(&mut self, name: &str, pods: u64, limit_s: Option<i64>) {
        self.made += 1;
        let mut it = json!({
            "metadata": {
                "name": name,
                "namespace": "lab",
                "uid": format!("u{}", self.made),
                "creationTimestamp": self.now.to_string(),
                "annotations": {},
                "ownerReferences": [{
                    "kind": "Job", "name": format!("{name}-1"), "uid": "j", "controller": true,
                }],
            },
            "spec": {
                "active": true,
                "queueName": "all",
                "priority": 0,
                "podSets": [{
                    "name": "main",
                    "count": pods,
                    "template": {
                        "metadata": { "labels": { "team": "research" } },
                        "spec": { "containers": [{
                            "name": "c",
                            "resources": { "requests": { "nvidia.com/gpu": "1" } },
                        }] },
                    },
                }],
            },
        });
        if let Some(limit) = limit_s {
            it["spec"]["maximumExecutionTimeSeconds"] = json!(limit);
        }
        self.server.put(name, it);
    }

    pub(super) fn change(&self, name: &str, change: impl FnOnce(&mut Value)) {
        let mut it = self.server.get(name);
        change(&mut it);
        self.server.put(name, it);
    }

    pub(super) fn free(&self) -> u64 {
        let all = self.server.workloads.borrow();
        let open = all.values().filter(|it| !stand_in::is(it, "Finished"));
        self.manager.quota - open.map(stand_in::given).sum::<u64>()
    }

    /// The manager looks at everything once.
    pub(super) fn manage(&mut self) {
        let check = &self.server.check.borrow()["status"]["conditions"][0]["status"];
        self.manager.is_active = check == "True";
        let names: Vec<String> = self.server.workloads.borrow().keys().cloned().collect();
        let now = self.now.as_second();
        for name in names {
            let mut it = self.server.get(&name);
            let ran = stand_in::since(&it, "Admitted").map(|since| now - since);
            let done = self.lengths.get(&name).zip(ran).is_some_and(|(all, ran)| ran >= *all);
            if done && !stand_in::is(&it, "Finished") {
                stand_in::set(&mut it, "Finished", (true, "Succeeded"), now);
                self.server.put(&name, it);
            } else if let Some(new) = self.manager.look(&it, self.free(), now) {
                self.server.put(&name, new);
            }
        }
    }

    fn queues(&self) -> Queues {
        let (mut queues, mut names) = (Queues::default(), Names::default());
        let mut put = |kind: &'static str, it: &Value| {
            let raw = it.to_string();
            let object = crate::kueue::read(kind, &raw, &mut names, self.now).unwrap();
            queues.put(kind, object);
        };
        put("AdmissionCheck", &self.server.check.borrow());
        for it in self.server.workloads.borrow().values() {
            put("Workload", it);
        }
        queues
    }

    /// We look at everything once.
    pub(super) fn turn(&mut self) -> Turn {
        let machine =
            Machine { has: vec![(Arc::from("nvidia.com/gpu"), 8)], per_hour: usd(8 * GPU_HOUR) };
        let prices = if self.priced {
            FlavorPrices::with([("h100", machine)])
        } else {
            FlavorPrices::default()
        };
        let queues = self.queues();
        let view = View::of(&queues, true, &prices, &|_| None);
        self.answering.turn(&view, (&mut self.wallet, &self.server), self.now)
    }

    /// The watchdog looks once.
    pub(super) fn bark(&self, watchdog: Watchdog) -> Barked {
        let mut barked = Barked::default();
        watchdog.act(&self.queues(), &self.server, self.now, &mut barked);
        barked
    }

    /// This program is killed and starts anew.
    pub(super) fn crash(&mut self) {
        self.answering = Answering::new(self.rules);
    }

    pub(super) fn pass(&mut self, seconds: i64) {
        self.now += SignedDuration::from_secs(seconds);
    }

    /// Both look, again and again, until so much time has passed.
    pub(super) fn run(&mut self, seconds: i64, step: i64) -> Vec<String> {
        let mut lines = Vec::new();
        for _ in 0..(seconds / step) {
            self.manage();
            lines.extend(self.turn().lines);
            self.manage();
            self.pass(step);
        }
        lines
    }

    pub(super) fn runs(&self, name: &str) -> bool {
        let it = self.server.get(name);
        stand_in::is(&it, "Admitted") && !stand_in::is(&it, "Finished")
    }

    pub(super) fn message(&self, name: &str) -> String {
        let it = self.server.get(name);
        it["status"]["admissionChecks"][0]["message"].as_str().unwrap_or_default().to_owned()
    }
}
