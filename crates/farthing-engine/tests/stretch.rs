//! Members of an elastic job: taken when a budget is nearly gone, and lent when it would be late
//! and nodes that are paid for anyway have room.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use farthing_edge::{Act, Buyable, EdgeError, Measure, Measured, MemoryStore, Observe, Quote};
use farthing_engine::{Cause, Config, Engine, How, Planner, Tick};
use farthing_ledger::{Books, Weights};
use farthing_model::{
    Action, Age, Asset, Assignment, Attribution, Budget, BudgetId, ClusterId, Coverage, Currency,
    Decimal, Escalation, EscalationAction, Job, Limit, Mode, Money, Node, NodeId, NodeSpan,
    NodeState, Observed, Offer, OfferId, Period, Place, Policy, Price, PriceKind, Provenance,
    Purchase, Ratio, Receipt, ReceiptOutcome, Reclaim, Resource, Resources, Sample, Scope,
    Snapshot, SourceId, Step, StepId, Stretch, TeamId, Terms, Window, Workload, WorkloadId,
    WorkloadKind, WorkloadState, WorkloadTerms,
};
use jiff::{SignedDuration, Timestamp};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

fn at(minute: i64) -> Timestamp {
    let midnight: Timestamp = "2026-11-24T00:00:00Z".parse().unwrap();
    midnight + SignedDuration::from_mins(minute)
}

fn id(text: &str) -> WorkloadId {
    WorkloadId::new(text).unwrap()
}

/// A node of sixteen cores at 1.60 USD an hour, and a job of one core a member.
struct Town {
    members: u32,
    /// Member-minutes that are left, as of a minute; `None`: nobody knows.
    left: Option<(i64, i64)>,
    due: Option<i64>,
    room: u32,
    waits: bool,
    purchase: Purchase,
    generation: u64,
    /// What could be bought for what waits.
    shop: Vec<Buyable>,
    /// What may be bought, by whose pool.
    bought: Vec<(OfferId, u32, Option<String>)>,
}

impl Town {
    fn left(&self, now: Timestamp) -> Option<SignedDuration> {
        let (left, minute) = self.left?;
        let worked = now.duration_since(at(minute)).as_mins() * i64::from(self.members);
        Some(SignedDuration::from_mins((left - worked).max(0)))
    }

    /// What is left is counted anew from a minute on.
    fn count(&mut self, minute: i64) {
        self.left = self.left(at(minute)).map(|left| (left.as_mins(), minute));
    }

    fn offer(&self) -> Offer {
        let place = Place { provider: "lab".to_owned(), region: "here".to_owned(), zone: None };
        Offer {
            id: Offer::id_of(&place, "big", self.purchase).unwrap(),
            place,
            instance_type: "big".to_owned(),
            accelerator: None,
            accelerator_count: 0,
            capacity: NODE,
            purchase: self.purchase,
            price: price(),
            available: None,
            residency: Vec::new(),
            warnings: Vec::new(),
        }
    }
}

const NODE: Resources =
    Resources { cpu_milli: 16_000, memory_bytes: 0, gpu_milli: 0, storage_bytes: 0 };
const EACH: Resources =
    Resources { cpu_milli: 1_000, memory_bytes: 0, gpu_milli: 0, storage_bytes: 0 };

fn price() -> Price {
    let provenance = Provenance {
        kind: PriceKind::List,
        source: "test".to_owned(),
        as_of: jiff::civil::date(2026, 11, 1),
        list: None,
    };
    Price::Known("1.60 USD/h".parse().unwrap(), provenance)
}

#[derive(Clone)]
struct World(Rc<RefCell<Town>>);

fn observed(name: &str, count: u32, state: WorkloadState, town: &Town) -> Observed {
    let deadline = town.due.map(at);
    Observed {
        workload: Arc::new(Workload {
            id: id(name),
            team: Some(TeamId::new("r").unwrap()),
            labels: BTreeMap::new(),
            resources: EACH,
            residency: Vec::new(),
            value: Decimal::ONE,
            data: None,
            kind: WorkloadKind::Job(Job {
                count,
                submitted: None,
                work: None,
                throughput: Vec::new(),
                duration: None,
                deadline,
                quoted_cost: None,
                interruptible: None,
            }),
        }),
        state,
        generation: town.generation,
        since: at(-600),
        demand_per_s: None,
    }
}

impl Observe for World {
    fn observe(&mut self, now: Timestamp) -> Result<Snapshot, EdgeError> {
        let town = self.0.borrow();
        let offer = town.offer();
        let window = Window::new(at(-600), now + SignedDuration::from_hours(1)).unwrap();
        let (members, on) = (town.members, offer.id.clone());
        let placed = Assignment { offer: on.clone(), members, nodes_each: 1, window };
        let stretch = Stretch {
            wanted: members,
            least: 2,
            most: 12,
            pods_each: 1,
            each: EACH,
            offer: Some(on),
            room: town.room,
            left: town.left(now),
        };
        let mut terms = Terms { shared: true, ..Terms::default() };
        let said = WorkloadTerms { stretch: Some(stretch), ..WorkloadTerms::default() };
        terms.workloads.insert(id("r/sweep"), said);
        let state = WorkloadState::Placed(vec![placed]);
        let mut workloads = vec![observed("r/sweep", members, state, &town)];
        for name in ["karpenter", "other"] {
            terms.pools.insert(name.to_owned(), farthing_model::Pool::default());
        }
        if town.waits {
            workloads.push(observed("r/web", 1, WorkloadState::Waiting, &town));
        }
        Ok(Snapshot {
            cluster: ClusterId::new("lab").unwrap(),
            at: now,
            nodes: vec![Node {
                id: NodeId::new("n").unwrap(),
                offer: offer.id,
                capacity: NODE,
                price: price(),
                state: NodeState::Ready,
                since: at(-600),
                until: None,
            }],
            workloads,
            ages: vec![Age { part: "nodes", as_of: now }],
            coverage: Coverage::default(),
            terms: Arc::new(terms),
        })
    }
}

impl Measure for World {
    fn measure(&mut self, window: Window) -> Result<Measured, EdgeError> {
        let town = self.0.borrow();
        let (offer, nanos) = (town.offer(), window.nanos());
        let coverage = Coverage { expected_nanos: nanos, measured_nanos: nanos };
        let mut measured = Measured { coverage, ..Measured::default() };
        measured.spans.push(NodeSpan {
            node: NodeId::new("n").unwrap(),
            asset: Asset::Node,
            offer: offer.id,
            place: offer.place,
            instance_type: "big".to_owned(),
            purchase: town.purchase,
            capacity: NODE,
            price: price(),
            window,
            ready: window.from(),
            held_for: None,
            measured: true,
        });
        for pod in 0..town.members {
            let name = format!("sweep-{pod}");
            let (pod, team) = (Some(name), Some(TeamId::new("r").unwrap()));
            let who = Attribution { pod, team, ..Attribution::of(id("r/sweep")) };
            measured.samples.push(Sample {
                source: SourceId::new("test").unwrap(),
                node: NodeId::new("n").unwrap(),
                device: None,
                slice: None,
                attribution: Some(Arc::new(who)),
                resource: Resource::Cpu,
                window,
                requested_nano: nanos,
                used_nano: Some(nanos),
                held_nano: None,
            });
        }
        Ok(measured)
    }
}

impl Quote for World {
    fn offers(&mut self, _: Timestamp) -> Result<Arc<[Offer]>, EdgeError> {
        Ok(Arc::from([self.0.borrow().offer()]))
    }

    fn to_buy(&mut self, id: &WorkloadId, _: Timestamp) -> Result<Vec<Buyable>, EdgeError> {
        assert_eq!(id.as_str(), "r/web", "it is what waits");
        Ok(self.0.borrow().shop.clone())
    }
}

impl World {
    fn set(&self, action: &Action, (back, now): (bool, Timestamp)) {
        let mut town = self.0.borrow_mut();
        if let Action::Buy { offer, nodes, pool, .. } = action {
            let bought = (offer.clone(), *nodes, pool.clone());
            if back {
                assert_eq!(town.bought.pop(), Some(bought));
            } else {
                town.bought.push(bought);
            }
            return;
        }
        let Action::Scale { workload, from, to, .. } = action else { panic!("{action:?}") };
        assert_eq!(workload.as_str(), "r/sweep");
        let (from, to) = if back { (*to, *from) } else { (*from, *to) };
        assert_eq!(town.members, from, "it is as it was seen");
        town.count(now.duration_since(at(0)).as_mins());
        town.members = to;
        town.generation += 1;
    }
}

impl Act for World {
    fn act(&mut self, step: &Step, now: Timestamp) -> Result<Receipt, EdgeError> {
        self.set(&step.action, (false, now));
        Ok(Receipt { step: step.id.clone(), at: now, outcome: ReceiptOutcome::Done })
    }

    fn outcome_of(&mut self, _: &StepId, _: Timestamp) -> Result<Option<Receipt>, EdgeError> {
        Ok(None)
    }

    fn undo(&mut self, step: &Step, now: Timestamp) -> Result<Receipt, EdgeError> {
        self.set(&step.action, (true, now));
        Ok(Receipt { step: step.id.clone(), at: now, outcome: ReceiptOutcome::Done })
    }
}

struct Run {
    world: World,
    engine: Engine<World, MemoryStore>,
    next: i64,
    last: Option<Tick>,
    notes: Vec<String>,
}

/// Four members, 960 member-minutes of work, due at minute 120, and room for ten more.
fn run(lend: Option<i64>, limit: Option<&str>) -> Run {
    let world = World(Rc::new(RefCell::new(Town {
        members: 4,
        left: Some((960, 0)),
        due: Some(120),
        room: 10,
        waits: false,
        purchase: Purchase::Owned,
        generation: 1,
        shop: Vec::new(),
        bought: Vec::new(),
    })));
    let lend = lend.map(SignedDuration::from_mins);
    let (action, mode) = (EscalationAction::Cut, Mode::Enforce);
    let budget = |limit: &str| Budget {
        id: BudgetId::new("lab").unwrap(),
        scope: Scope::Team(TeamId::new("r").unwrap()),
        limit: Limit::Money(limit.parse().unwrap()),
        period: Period::Day,
        hard: false,
        escalate: vec![Escalation { at: Ratio::from_ppm(500_000), action, mode }],
        carry: None,
    };
    let config = Config {
        cluster: ClusterId::new("lab").unwrap(),
        currency: Currency::USD,
        policy: Policy {
            mode: Mode::Enforce,
            reclaim: Reclaim { lend, ..Reclaim::default() },
            ..Policy::default()
        },
        budgets: limit.map(budget).into_iter().collect(),
        planner: Planner::Farthing,
        horizon: SignedDuration::from_hours(1),
        tick: SignedDuration::from_mins(10),
        weights: Weights::from_text(
            "gpu 1 USD/h\ncpu 0.1 USD/h\nmemory 0 USD/h\nstorage 0 USD/h\n",
        )
        .unwrap(),
        effort: farthing_engine::planner::Effort::default(),
    };
    let parts = (MemoryStore::default(), Books::in_memory());
    let engine = Engine::open(config, world.clone(), parts, at(0)).unwrap();
    Run { world, engine, next: 0, last: None, notes: Vec::new() }
}

/// The same where something waits, and nodes are bought for what waits for twenty minutes.
fn buying(hard: Option<&str>) -> Run {
    let mut run = run(None, hard);
    let mut config = run.engine.config().clone();
    config.policy.buy = Some(SignedDuration::from_mins(20));
    for budget in &mut config.budgets {
        (budget.hard, budget.escalate) = (true, Vec::new());
    }
    let parts = (MemoryStore::default(), Books::in_memory());
    run.engine = Engine::open(config, run.world.clone(), parts, at(0)).unwrap();
    let mut town = run.world.0.borrow_mut();
    town.waits = true;
    let offer = |machine: &str, price: Option<&str>| Offer {
        id: OfferId::new(&format!("lab/here/{machine}/on-demand")).unwrap(),
        instance_type: machine.to_owned(),
        purchase: Purchase::OnDemand,
        price: match (price, town.offer().price) {
            (Some(rate), Price::Known(_, from)) => Price::Known(rate.parse().unwrap(), from),
            _ => Price::Unknown("nobody says".to_owned()),
        },
        ..town.offer()
    };
    let sold = |offer: Offer, pool: Option<&str>| Buyable {
        offer,
        members: 4,
        pool: pool.map(str::to_owned),
        generation: 7,
        how: "`enlarge the group`".to_owned(),
    };
    let shop = vec![
        sold(offer("large", Some("3 USD/h")), Some("karpenter")),
        sold(offer("small", Some("2 USD/h")), Some("other")),
        sold(offer("unknown", None), Some("other")),
    ];
    town.shop = shop;
    drop(town);
    run
}

impl Run {
    /// Ticks of ten minutes, up to a minute.
    fn until(&mut self, minute: i64) {
        while self.next <= minute {
            let tick = self.engine.tick(at(self.next)).unwrap();
            self.notes.extend(tick.notes.iter().cloned());
            self.last = Some(tick);
            self.next += 10;
        }
    }

    fn members(&self) -> u32 {
        self.world.0.borrow().members
    }

    fn lent(&self) -> Vec<Step> {
        let open = self.engine.open_state().in_force();
        let lent = open.filter(|(open, _)| open.reclaim == Some(Cause::Lent));
        lent.map(|(open, _)| open.step.clone()).collect()
    }
}

#[test]
fn a_job_that_would_be_late_is_lent_what_brings_it_there_in_time() {
    let mut run = run(Some(30), None);
    run.until(0);
    // 960 member-minutes in 120: eight.
    assert_eq!(run.members(), 8);
    let step = run.lent().remove(0);
    assert_eq!(step.saving, Money::zero(Currency::USD), "what is paid stays what it is");
    assert_eq!(step.cost, "0.80 USD".parse().unwrap(), "eight cores of sixteen for an hour");
    let why = step.reasons[0].to_string();
    assert!(why.contains("8 members instead of 4, on nodes that are paid for anyway"), "{why}");
    run.until(110);
    assert_eq!(run.members(), 8, "it is in time now");
    assert_eq!(run.lent().len(), 1);
}

#[test]
fn what_is_lent_is_called_in_when_something_waits_and_rests() {
    let mut run = run(Some(30), None);
    run.until(0);
    run.world.0.borrow_mut().waits = true;
    run.until(10);
    assert_eq!(run.members(), 4);
    assert!(run.lent().is_empty());
    let told = "r/sweep gives back what it was lent: r/web waits";
    assert!(run.notes.iter().any(|note| note == told), "{:?}", run.notes);
    // It is not lent again while anything waits, nor right after.
    run.until(20);
    run.world.0.borrow_mut().waits = false;
    run.until(30);
    assert_eq!(run.members(), 4, "it rests");
    run.until(40);
    // 960 - 80 - 120 = 760 member-minutes in 80.
    assert_eq!(run.members(), 10);
}

#[test]
fn nothing_is_lent_that_is_not_there_or_would_have_to_be_bought_or_helps_nobody() {
    let cases: [(&str, fn(&mut Town), u32); 6] = [
        ("as much as there is", |town| town.room = 2, 6),
        ("no room", |town| town.room = 0, 4),
        ("it would be bought", |town| town.purchase = Purchase::OnDemand, 4),
        ("nobody knows what is left", |town| town.left = None, 4),
        ("it is not due", |town| town.due = None, 4),
        ("it is in time", |town| town.due = Some(241), 4),
    ];
    for (what, change, members) in cases {
        let mut run = run(Some(30), None);
        change(&mut run.world.0.borrow_mut());
        run.until(0);
        assert_eq!(run.members(), members, "{what}");
    }
    let mut run = run(None, None);
    run.until(60);
    assert_eq!(run.members(), 4, "no policy says so");
}

#[test]
fn a_budget_takes_the_fewest_members_that_it_needs_and_gives_them_back() {
    let mut run = run(None, Some("2.50 USD"));
    run.world.0.borrow_mut().due = None;
    // 0.40 USD an hour: 2.13 after 320 minutes, and the next hour would bring it to 2.53.
    run.until(310);
    assert_eq!(run.members(), 4);
    run.until(320);
    let tick = run.last.as_ref().unwrap();
    let cut = &tick.reliefs[0].cuts[0];
    assert!(matches!(cut.how, How::Shrink { from: 4, to: 3, .. }), "{cut:?}");
    assert_eq!(cut.frees, "0.10 USD".parse().unwrap());
    assert_eq!(run.members(), 3);
    // It never has fewer than it says.
    run.until(480);
    assert_eq!(run.members(), 2);
    // Whoever opens the journal again gives back what was taken: all of it, with the next day.
    let open = run.engine.open_state().in_force();
    assert_eq!(open.filter(|(open, _)| open.ladder.is_some()).count(), 1);
    run.until(24 * 60 + 10);
    assert_eq!(run.members(), 4, "{:?}", run.notes);
}

#[test]
fn a_job_that_would_be_late_with_fewer_members_loses_its_value() {
    // In time with four members until minute 700, which is 460 more than it needs.
    for (due, loses) in [(700, "0"), (245, "4")] {
        let mut run = run(None, Some("0.75 USD"));
        run.world.0.borrow_mut().due = Some(due);
        run.until(60);
        let tick = run.last.as_ref().unwrap();
        let cut = &tick.reliefs[0].cuts[0];
        assert!(matches!(cut.how, How::Shrink { from: 4, .. }), "{cut:?}");
        assert_eq!(cut.loses_value.to_string(), loses, "due at {due}");
    }
}

#[test]
fn nodes_are_bought_for_what_waits_and_not_when_it_is_over() {
    let mut run = buying(None);
    run.until(10);
    assert!(run.world.0.borrow().bought.is_empty(), "it may find room by itself");
    run.until(60);
    let small = OfferId::new("lab/here/small/on-demand").unwrap();
    let bought = run.world.0.borrow().bought.clone();
    assert_eq!(bought, [(small, 1, Some("other".to_owned()))], "the cheapest, and once");
    let open = run.engine.open_state().in_force();
    let open: Vec<_> = open.map(|(open, _)| open.clone()).collect();
    assert_eq!((open[0].reclaim, open[0].step.generation), (Some(Cause::Bought), 7));
    assert_eq!(open[0].step.cost, "2 USD".parse().unwrap());
    let why = open[0].step.reasons[0].to_string();
    assert!(why.contains("1 members have no room since 2026-11-24T00:00:00Z: 1 x"), "{why}");
    assert!(why.contains("the pool other may not buy it as it is"), "{why}");
    run.world.0.borrow_mut().waits = false;
    run.until(70);
    assert!(run.world.0.borrow().bought.is_empty());
    assert_eq!(run.engine.open_state().in_force().count(), 0);
    let told = "r/web is over: what could be bought for it is as it was";
    assert!(run.notes.iter().any(|note| note == told), "{:?}", run.notes);
}

#[test]
fn nothing_is_bought_beyond_a_hard_budget() {
    // 0.40 USD an hour are spent; two more would be too much.
    let mut run = buying(Some("2 USD"));
    run.until(60);
    assert!(run.world.0.borrow().bought.is_empty());
    let tick = run.last.as_ref().unwrap();
    let held: Vec<String> = tick.acted.held.iter().map(|(_, why)| why.to_string()).collect();
    assert!(held.iter().any(|why| why.starts_with("budget lab has ")), "{held:?}");
}

#[test]
fn where_no_pool_would_buy_it_people_are_told_how() {
    let mut run = buying(None);
    for sold in &mut run.world.0.borrow_mut().shop {
        sold.pool = None;
    }
    run.until(30);
    let steps: Vec<_> = run.engine.open_state().steps.values().cloned().collect();
    let why = steps[0].step.reasons[0].to_string();
    assert!(why.ends_with("no pool would buy it; people do: `enlarge the group`"), "{why}");
}
