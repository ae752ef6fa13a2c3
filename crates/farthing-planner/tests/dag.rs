//! Plans of DAGs against trying every combination of offers, and what a plan must never do.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use farthing_model::{
    Accelerators, Currency, Dag, Decimal, Edge, EgressRow, EgressTable, HourlyRate, Interruptible,
    Money, Objective, Offer, Place, Policy, Port, Price, PriceKind, Provenance, Purchase,
    Resources, Run, SpotLoss, Target, Task, Throughput, Work, WorkloadId,
};
use farthing_planner::{
    DagBaseline, DagError, DagInput, DagPlan, Market, Obstacle, Status, check_dag, dag_sensitivity,
    plan_dag,
};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;

const WORK: u64 = 400_000_000;
const KINDS: [&str; 3] = ["H100-80GB-SXM", "A100-80GB-SXM", "L4-24GB"];

struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[usize::try_from(self.below(of.len() as u64)).unwrap()]
    }
}

fn usd(text: &str) -> Money {
    Money::from_decimal(text, Currency::USD).unwrap()
}

fn millis(value: u64) -> SignedDuration {
    SignedDuration::from_millis(i64::try_from(value).unwrap())
}

fn whole(value: u64) -> Decimal {
    Decimal::from_int(i64::try_from(value).unwrap())
}

fn place(text: &str) -> Place {
    let (provider, region) = text.split_once('/').unwrap();
    Place { provider: provider.to_owned(), region: region.to_owned(), zone: None }
}

const PLACES: [&str; 5] = ["aws/east", "aws/west", "gcp/east", "gcp/west", "lambda/one"];

fn offer(name: usize, at: &str, kind: &str, count: u32, price: &str) -> Offer {
    let (place, purchase) = (place(at), Purchase::OnDemand);
    let instance_type = format!("m{name}");
    let provenance = Provenance {
        kind: PriceKind::List,
        source: "made up".to_owned(),
        as_of: "2026-11-26".parse().unwrap(),
        list: None,
    };
    Offer {
        id: Offer::id_of(&place, &instance_type, purchase).unwrap(),
        residency: vec![if at.ends_with("west") { "us" } else { "eu" }.to_owned()],
        place,
        instance_type,
        accelerator: Some(kind.parse().unwrap()),
        accelerator_count: count,
        capacity: Resources { gpu_milli: u64::from(count) * 1_000, ..Resources::default() },
        purchase,
        price: Price::Known(HourlyRate::new(usd(price)).unwrap(), provenance),
        available: None,
        warnings: Vec::new(),
    }
}

fn offers(dice: &mut Dice) -> Arc<[Offer]> {
    let mut offers: Vec<Offer> = (0..8)
        .map(|name| {
            let price = format!("{}.{:03}7", dice.below(40), dice.below(1_000));
            offer(name, dice.pick(&PLACES), dice.pick(&KINDS), dice.pick(&[1, 2]), &price)
        })
        .collect();
    offers.sort_by(|a, b| a.id.cmp(&b.id));
    offers.into()
}

fn egress(dice: &mut Dice, complete: bool) -> EgressTable {
    let speeds = dice.chance(30);
    let mut rows = Vec::new();
    for from in PLACES.map(place) {
        for to in PLACES.map(place) {
            let named = dice.chance(40);
            if from.region == to.region && from.provider == to.provider && !dice.chance(10) {
                continue;
            }
            let tier = dice.chance(30);
            let mut row = |up_to_bytes| EgressRow {
                from_provider: Some(from.provider.clone()),
                from_region: Some(from.region.clone()),
                to_provider: named.then(|| to.provider.clone()),
                to_region: named.then(|| to.region.clone()),
                up_to_bytes,
                price_per_gb: Money::from_pico(
                    i128::from(dice.below(200)) * 1_000_000_000,
                    Currency::USD,
                ),
                gbit_per_s: (speeds && dice.chance(50)).then(|| whole(1 + dice.below(9))),
            };
            if tier {
                rows.push(row(Some(300_000_000_000)));
            }
            rows.push(row(None));
        }
    }
    if !complete {
        rows.retain(|_| dice.chance(60));
    }
    EgressTable::new(Currency::USD, rows).unwrap()
}

fn task(dice: &mut Dice, at: usize) -> Task {
    let kinds: Vec<&str> = KINDS.into_iter().filter(|_| dice.chance(75)).collect();
    let works = dice.chance(60);
    let rows = kinds.iter().map(|kind| Throughput {
        target: Target::Accelerator(kind.parse().unwrap()),
        count: 1,
        amount: whole(1 + dice.below(30)),
        per: SignedDuration::from_mins(1),
    });
    let throughput: Vec<Throughput> = rows.collect();
    let work = Work { amount: whole(dice.below(3_000)), unit: "steps".to_owned() };
    let accelerators =
        kinds.iter().map(|kind| Accelerators { accelerator: kind.parse().unwrap(), count: 1 });
    let works = works && !throughput.is_empty();
    Task {
        name: format!("t{at}"),
        accelerators: if works { Vec::new() } else { accelerators.collect() },
        resources: Resources::default(),
        nodes: dice.pick(&[1, 1, 3]),
        run: if works {
            Run::Work { work, throughput }
        } else {
            Run::Fixed(millis(1 + dice.below(20_000_000)))
        },
        interruptible: None,
        purchase: Vec::new(),
        providers: Vec::new(),
        regions: Vec::new(),
        residency: if dice.chance(8) { vec!["eu".to_owned()] } else { Vec::new() },
        deadline: None,
        node_price_max: dice.chance(8).then(|| HourlyRate::new(usd("25")).unwrap()),
        price_max: None,
    }
}

fn dag(dice: &mut Dice, objective: Objective) -> Dag {
    let tasks = 1 + usize::try_from(dice.below(5)).unwrap();
    let mut edges = Vec::new();
    for to in 0..tasks {
        for from in 0..to {
            if dice.chance(50) {
                edges.push(Edge { from, to, size_bytes: dice.below(900_000_000_000) });
            }
        }
    }
    let port = |dice: &mut Dice| Port {
        task: usize::try_from(dice.below(tasks as u64)).unwrap(),
        place: place(dice.pick(&PLACES)),
        size_bytes: dice.below(2_000_000_000_000),
    };
    Dag {
        id: WorkloadId::new("d").unwrap(),
        team: None,
        labels: BTreeMap::new(),
        inputs: if dice.chance(50) { vec![port(dice)] } else { Vec::new() },
        outputs: if dice.chance(50) { vec![port(dice)] } else { Vec::new() },
        tasks: (0..tasks).map(|at| task(dice, at)).collect(),
        edges,
        objective,
        residency: Vec::new(),
        deadline: None,
        cost_max: None,
        gpu_hours_max_milli: None,
    }
}

/// Price and delay for each pair of offers.
type Cells = Vec<Vec<(Option<i128>, i64)>>;

/// The plain reference: every combination of offers, its cost and its end.
#[derive(Clone)]
struct Reference<'a> {
    dag: &'a Dag,
    policy: &'a Policy,
    /// Nodes of each offer.
    available: Vec<u64>,
    /// For each task: offer, run time in ms, cost.
    ways: Vec<Vec<(usize, i64, i128)>>,
    /// For each transfer: from, to (tasks), and for each pair of offers price and delay. A port
    /// has one offer: the row or column 0.
    moves: Vec<(Option<usize>, Option<usize>, u64, Cells)>,
}

/// Nodes that are ready at once, and spot of which nothing is known.
fn bare() -> Policy {
    Policy { boot: SignedDuration::ZERO, ..Policy::default() }
}

/// Boot and expected loss of so much work, in milliseconds.
fn overhead(task: &Task, offer: &Offer, policy: &Policy, run: i64) -> i64 {
    let boot = i64::try_from(policy.boot.as_millis()).unwrap();
    let (Some(how), Some(spot)) = (task.interruptible, &policy.spot) else { return boot };
    if offer.purchase != Purchase::Spot {
        return boot;
    }
    let each = i64::try_from((how.checkpoint + how.restart).as_millis()).unwrap();
    let up = i64::try_from(spot.mean_up.as_millis()).unwrap();
    boot + (run * each + up - 1) / up
}

fn ways(dag: &Dag, task: &Task, offers: &[Offer], policy: &Policy) -> Vec<(usize, i64, i128)> {
    let mut ways = Vec::new();
    for (at, offer) in offers.iter().enumerate() {
        let name = offer.accelerator.as_ref().unwrap();
        let rate = offer.price.rate().unwrap().per_hour().pico();
        let mut all = [&dag.residency, &task.residency].into_iter().filter(|it| !it.is_empty());
        if !all.all(|wanted| wanted.iter().any(|it| offer.residency.contains(it))) {
            continue;
        }
        let pays = task.purchase.contains(&offer.purchase)
            || (task.purchase.is_empty() && offer.purchase == Purchase::OnDemand);
        if !pays {
            continue;
        }
        if offer.available.is_some_and(|nodes| nodes < task.nodes) {
            continue;
        }
        if task.node_price_max.is_some_and(|cap| rate > cap.per_hour().pico()) {
            continue;
        }
        let run = match &task.run {
            Run::Fixed(length) => {
                let fits = task.accelerators.is_empty()
                    || task.accelerators.iter().any(|it| {
                        it.accelerator.matches(name) && it.count <= offer.accelerator_count
                    });
                fits.then(|| i64::try_from(length.as_millis()).unwrap())
            }
            Run::Work { work, throughput } => throughput
                .iter()
                .find(|row| matches!(&row.target, Target::Accelerator(it) if it.matches(name)))
                .map(|row| {
                    let (all, each) = (work.amount.nano() * 60_000, row.amount.nano());
                    i64::try_from((all + each - 1) / each).unwrap()
                }),
            Run::Unknown => None,
        };
        if let Some(run) = run {
            let run = run + if run > 0 { overhead(task, offer, policy, run) } else { 0 };
            ways.push((at, run, rate * i128::from(task.nodes) * i128::from(run) / 3_600_000));
        }
    }
    ways
}

fn moved(table: &EgressTable, from: &Place, to: &Place, bytes: u64) -> (Option<i128>, i64) {
    let same = from.provider == to.provider && from.region == to.region;
    let fits = |row: &&EgressRow| {
        let is =
            |wanted: &Option<String>, name: &str| wanted.as_deref().is_none_or(|it| it == name);
        let named = row.from_region.is_some() && row.to_region.is_some();
        is(&row.from_provider, &from.provider)
            && is(&row.from_region, &from.region)
            && is(&row.to_provider, &to.provider)
            && is(&row.to_region, &to.region)
            && (!same || named)
    };
    let rows: Vec<&EgressRow> = table.rows().iter().filter(fits).collect();
    if same && rows.is_empty() {
        return (Some(0), 0);
    }
    let (mut done, mut sum) = (0, 0_i128);
    for row in &rows {
        let until = row.up_to_bytes.unwrap_or(u64::MAX).min(bytes);
        if until > done {
            sum += row.price_per_gb.pico() * i128::from(until - done);
            done = until;
        }
    }
    let speed = rows.iter().find_map(|row| row.gbit_per_s);
    let delay = speed.map_or(0, |speed| {
        let nanos = i128::from(bytes) * 8 * 1_000_000_000 / speed.nano();
        i64::try_from((nanos + 999_999) / 1_000_000).unwrap()
    });
    ((done == bytes).then_some(sum / 1_000_000_000), delay)
}

impl<'a> Reference<'a> {
    fn new(dag: &'a Dag, offers: &[Offer], table: &EgressTable, policy: &'a Policy) -> Self {
        let all: Vec<Place> = offers.iter().map(|offer| offer.place.clone()).collect();
        let matrix = |from: &[Place], to: &[Place], bytes: u64| -> Cells {
            let row = |x: &Place| to.iter().map(|y| moved(table, x, y, bytes)).collect();
            from.iter().map(row).collect()
        };
        let mut moves = Vec::new();
        for edge in &dag.edges {
            let cells = matrix(&all, &all, edge.size_bytes);
            moves.push((Some(edge.from), Some(edge.to), edge.size_bytes, cells));
        }
        for port in &dag.inputs {
            let cells = matrix(std::slice::from_ref(&port.place), &all, port.size_bytes);
            moves.push((None, Some(port.task), port.size_bytes, cells));
        }
        for port in &dag.outputs {
            let cells = matrix(&all, std::slice::from_ref(&port.place), port.size_bytes);
            moves.push((Some(port.task), None, port.size_bytes, cells));
        }
        let ways = dag.tasks.iter().map(|task| ways(dag, task, offers, policy)).collect();
        let available = offers.iter().map(|it| it.available.map_or(u64::MAX, Into::into)).collect();
        Self { dag, policy, available, ways, moves }
    }

    /// (end, bytes without a price, cost) of a combination, and the ends of its tasks.
    fn value(&self, choice: &[usize]) -> ((i64, u64, i128), Vec<i64>) {
        let way = |task: usize| self.ways[task][choice[task]];
        let (mut cost, mut unpriced) = (0, 0);
        let mut ends = vec![0_i64; choice.len()];
        let mut last = 0;
        for task in 0..choice.len() {
            let mut start = 0;
            for (from, to, bytes, cells) in &self.moves {
                if *to == Some(task) {
                    let (x, end) = from.map_or((0, 0), |from| (way(from).0, ends[from]));
                    let (price, delay) = cells[x][way(task).0];
                    cost += price.unwrap_or(0);
                    unpriced += if price.is_none() { *bytes } else { 0 };
                    start = start.max(end + delay);
                }
            }
            ends[task] = start + way(task).1;
            cost += way(task).2;
            last = last.max(ends[task]);
        }
        for (from, to, bytes, cells) in &self.moves {
            if to.is_none() {
                let from = from.unwrap();
                let (price, delay) = cells[way(from).0][0];
                cost += price.unwrap_or(0);
                unpriced += if price.is_none() { *bytes } else { 0 };
                last = last.max(ends[from] + delay);
            }
        }
        ((last, unpriced, cost), ends)
    }

    /// Whether no offer has too many nodes in use when a task starts.
    fn fits(&self, choice: &[usize], ends: &[i64]) -> bool {
        let way = |task: usize| self.ways[task][choice[task]];
        let start = |task: usize| ends[task] - way(task).1;
        (0..choice.len()).all(|task| {
            let with = |other: &usize| {
                let runs = start(*other) <= start(task) && start(task) < ends[*other];
                way(*other).0 == way(task).0 && runs
            };
            let held = (0..choice.len()).filter(with);
            let held: u64 = held.map(|other| u64::from(self.dag.tasks[other].nodes)).sum();
            held <= self.available[way(task).0]
        })
    }

    /// The best that is in time where nodes boot late too, if there is one and anything is due.
    fn careful(self, now: Timestamp) -> Option<(i64, u64, i128)> {
        let due =
            self.dag.deadline.is_some() || self.dag.tasks.iter().any(|it| it.deadline.is_some());
        let late = self.policy.boot_max.saturating_sub(self.policy.boot).max(SignedDuration::ZERO);
        if !due || self.dag.objective == Objective::Time {
            return self.best(now);
        }
        let mut worst = self.clone();
        for (_, run, _) in worst.ways.iter_mut().flatten().filter(|(_, run, _)| *run > 0) {
            *run += i64::try_from(late.as_millis()).unwrap();
        }
        worst.best(now).or_else(|| self.best(now))
    }

    /// The best in time, by the objective.
    fn best(&self, now: Timestamp) -> Option<(i64, u64, i128)> {
        let due = |at: Option<Timestamp>| {
            at.map_or(i64::MAX, |at| i64::try_from(at.duration_since(now).as_millis()).unwrap())
        };
        let whole = due(self.dag.deadline);
        let each: Vec<i64> = self.dag.tasks.iter().map(|task| due(task.deadline)).collect();
        let cap = self.dag.cost_max.map_or(i128::MAX, Money::pico);
        let key = |value: &(i64, u64, i128)| match self.dag.objective {
            Objective::Time => *value,
            _ => (0, value.1, value.2),
        };
        if self.ways.iter().any(Vec::is_empty) {
            return None;
        }
        let mut choice = vec![0; self.ways.len()];
        let mut best: Option<(i64, u64, i128)> = None;
        loop {
            let (value, ends) = self.value(&choice);
            let in_time = value.0 <= whole && ends.iter().zip(&each).all(|(end, due)| end <= due);
            let fits = in_time && value.2 <= cap && self.fits(&choice, &ends);
            if fits && best.is_none_or(|best| key(&value) < key(&best)) {
                best = Some(value);
            }
            let next = (0..choice.len()).rev().find(|at| choice[*at] + 1 < self.ways[*at].len());
            let Some(at) = next else { return best };
            choice[at] += 1;
            choice[at + 1..].fill(0);
        }
    }
}

fn plan(input: &DagInput<'_>, seed: u64) -> DagPlan {
    let plan = plan_dag(input).unwrap();
    let wrong = check_dag(input, &plan);
    assert!(wrong.is_empty(), "seed {seed}: {wrong:?}\n{plan:#?}");
    plan
}

fn check(seed: u64, objective: Objective) -> bool {
    let mut dice = Dice(seed * 2 + u64::from(objective == Objective::Time));
    let mut offers = offers(&mut dice);
    let complete = dice.chance(70);
    let table = egress(&mut dice, complete);
    let mut dag = dag(&mut dice, objective);
    let now = Timestamp::from_second(1_800_000_000).unwrap();
    if dice.chance(40) {
        dag.deadline = now.checked_add(millis(dice.below(60_000_000))).ok();
    }
    if dice.chance(30) {
        dag.tasks[0].deadline = now.checked_add(millis(dice.below(20_000_000))).ok();
    }
    // With transfers that have no price, what a cap is compared with is not the whole cost.
    if complete && dice.chance(40) {
        dag.cost_max = Some(usd(&dice.below(400).to_string()));
    }
    let mut policy = if dice.chance(40) { spot(&mut dice, &mut dag, &mut offers) } else { bare() };
    if dice.chance(40) {
        policy.boot_max = policy.boot + millis(dice.below(6_000_000));
    }
    let market = Market::new(&offers, Currency::USD);
    let (egress, policy) = (Some(&table), &policy);
    let input = DagInput { dag: &dag, market: &market, egress, policy, now, work_max: WORK };
    let plan = plan(&input, seed);
    let expect = Reference::new(&dag, &offers, &table, policy).careful(now);
    let found = (plan.status != Status::Infeasible).then(|| {
        let end = i64::try_from(plan.makespan.as_millis()).unwrap();
        (end, u64::try_from(plan.unpriced_bytes).unwrap(), plan.cost.pico())
    });
    let same = match (expect, found, objective) {
        (Some(a), Some(b), Objective::Time) => a == b,
        (Some(a), Some(b), _) => (a.1, a.2) == (b.1, b.2),
        (a, b, _) => a.is_none() && b.is_none(),
    };
    assert!(same, "seed {seed} {objective:?}: expected {expect:?}, found {found:?}\n{plan:#?}");
    if found.is_some() {
        assert_eq!(plan.status, Status::Optimal, "seed {seed} {objective:?}");
        assert_eq!(plan.lower_bound, Some(plan.cost));
        never_better(&plan, objective, seed);
    } else {
        assert!(!plan.obstacles.is_empty(), "seed {seed}: infeasible without a reason");
    }
    found.is_some()
}

/// Some offers become spot and some tasks may use it, and nodes boot.
fn spot(dice: &mut Dice, dag: &mut Dag, offers: &mut Arc<[Offer]>) -> Policy {
    let mut paid = |offer: Offer| {
        let purchase = if dice.chance(50) { Purchase::Spot } else { offer.purchase };
        Offer { purchase, ..offer }
    };
    *offers = offers.iter().cloned().map(&mut paid).collect();
    for task in &mut dag.tasks {
        if dice.chance(70) {
            task.purchase = vec![Purchase::OnDemand, Purchase::Spot];
            let (checkpoint, restart) = (millis(dice.below(90_000)), millis(dice.below(900_000)));
            let known = dice.chance(70);
            task.interruptible = known.then_some(Interruptible { checkpoint, restart });
        }
    }
    let up = millis(1_000_000 + dice.below(20_000_000));
    let spot = dice.chance(80).then(|| SpotLoss { mean_up: up, source: "made up".to_owned() });
    Policy { boot: millis(dice.below(600_000)), spot, ..Policy::default() }
}

/// No rule that keeps all limits is better than the plan.
fn never_better(plan: &DagPlan, objective: Objective, seed: u64) {
    let first = |makespan: SignedDuration| match objective {
        Objective::Time => makespan,
        _ => SignedDuration::ZERO,
    };
    // A plan that cannot but move bytes without a price is no match for one that need not.
    for (cost, makespan) in plan.baselines.iter().filter_map(|baseline| baseline.outcome) {
        let theirs = (first(makespan), 0, cost.pico());
        let ours = (first(plan.makespan), plan.unpriced_bytes, plan.cost.pico());
        assert!(theirs >= ours, "seed {seed} {objective:?}: {:?}", plan.baselines);
    }
}

#[test]
fn plans_equal_trying_everything_for_both_objectives() {
    let mut feasible = 0;
    for seed in 0..2_000 {
        for objective in [Objective::Cost, Objective::Time] {
            feasible += u32::from(check(seed, objective));
        }
    }
    assert!(feasible > 1_500, "{feasible} of 4,000 could be planned");
}

/// Two tasks, 1 TB between them; the cheap offer of each is in another cloud.
fn pair(edge_gb: u64) -> (Arc<[Offer]>, Dag) {
    let mut offers = vec![
        offer(1, "aws/east", "H100-80GB-SXM", 1, "10"),
        offer(2, "gcp/east", "L4-24GB", 1, "1"),
        offer(3, "aws/east", "L4-24GB", 1, "2"),
    ];
    offers.sort_by(|a, b| a.id.cmp(&b.id));
    let task = |name: &str, kind: &str| Task {
        name: name.to_owned(),
        accelerators: vec![Accelerators { accelerator: kind.parse().unwrap(), count: 1 }],
        run: Run::Fixed(SignedDuration::from_hours(10)),
        nodes: 1,
        ..task(&mut Dice(0), 0)
    };
    let mut dag = dag(&mut Dice(0), Objective::Cost);
    dag.tasks = vec![task("train", "H100-80GB"), task("eval", "L4-24GB")];
    for task in &mut dag.tasks {
        (task.node_price_max, task.residency) = (None, Vec::new());
    }
    dag.edges = vec![Edge { from: 0, to: 1, size_bytes: edge_gb * 1_000_000_000 }];
    (dag.inputs, dag.outputs) = (Vec::new(), Vec::new());
    (offers.into(), dag)
}

fn planned(offers: &Arc<[Offer]>, dag: &Dag, table: Option<&EgressTable>) -> DagPlan {
    let market = Market::new(offers, Currency::USD);
    let now = Timestamp::UNIX_EPOCH;
    plan(&DagInput { dag, market: &market, egress: table, policy: &bare(), now, work_max: WORK }, 0)
}

fn flat() -> EgressTable {
    let row = EgressRow {
        from_provider: Some("aws".to_owned()),
        from_region: None,
        to_provider: None,
        to_region: None,
        up_to_bytes: None,
        price_per_gb: usd("0.09"),
        gbit_per_s: None,
    };
    EgressTable::new(Currency::USD, vec![row]).unwrap()
}

#[test]
fn data_moves_only_if_the_saving_is_greater() {
    // Ten hours at 1 USD less save 10 USD; 100 GB at 0.09 USD cost 9 USD, 120 GB cost 10.80 USD.
    let at = |gb| {
        let (offers, dag) = pair(gb);
        let plan = planned(&offers, &dag, Some(&flat()));
        (plan.tasks[1].offer.to_string(), plan.cost.to_decimal(), plan.egress.to_decimal())
    };
    let away = ("gcp/east/m2/on-demand".to_owned(), "119.00".to_owned(), "9.00".to_owned());
    assert_eq!(at(100), away);
    let stays = ("aws/east/m3/on-demand".to_owned(), "120.00".to_owned(), "0.00".to_owned());
    assert_eq!(at(120), stays);
}

#[test]
fn simpler_rules_stand_beside_the_plan_and_say_nothing_where_they_break_a_limit() {
    let (offers, mut dag) = pair(120);
    let costs = |dag: &Dag| -> Vec<(&'static str, Option<String>)> {
        let plan = planned(&offers, dag, Some(&flat()));
        let cost = |it: &DagBaseline| (it.name, it.outcome.map(|(cost, _)| cost.to_decimal()));
        plan.baselines.iter().map(cost).collect()
    };
    let some = |cost: &str| Some(cost.to_owned());
    // Each alone on its cheapest: 100 + 10 USD, and 120 GB that move for 10.80 USD.
    let expect = [
        ("cheapest-each", some("120.80")),
        ("fastest-each", some("120.80")),
        ("step-by-step", some("120.00")),
        ("one-region", some("120.00")),
    ];
    assert_eq!(costs(&dag), expect);
    dag.cost_max = Some(usd("120.50"));
    let expect = [
        ("cheapest-each", None),
        ("fastest-each", None),
        ("step-by-step", some("120.00")),
        ("one-region", some("120.00")),
    ];
    assert_eq!(costs(&dag), expect);
}

#[test]
fn an_unknown_price_of_moving_is_never_taken_for_free() {
    let (offers, mut dag) = pair(1);
    let plan = planned(&offers, &dag, None);
    assert_eq!(plan.tasks[1].offer.to_string(), "aws/east/m3/on-demand");
    assert!(plan.unknown.is_empty(), "{:?}", plan.unknown);
    assert!(plan.tasks[1].alternatives[0].reason.contains("at a price nobody knows"));
    // Where it cannot be avoided it is said, and it is not in the cost.
    dag.tasks[1].providers = vec!["gcp".to_owned()];
    let plan = planned(&offers, &dag, None);
    assert_eq!(plan.unpriced_bytes, 1_000_000_000);
    assert_eq!(plan.transfers[0].cost, None);
    assert!(plan.unknown[0].contains("there is no egress table"), "{:?}", plan.unknown);
}

#[test]
fn a_deadline_that_cannot_be_met_says_by_how_much() {
    let (offers, mut dag) = pair(1);
    let hours = |hours| Timestamp::UNIX_EPOCH.checked_add(SignedDuration::from_hours(hours)).ok();
    dag.deadline = hours(19);
    dag.tasks[0].deadline = hours(9);
    let plan = planned(&offers, &dag, Some(&flat()));
    assert_eq!(plan.status, Status::Infeasible);
    let said: Vec<String> = plan.obstacles.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "the DAG is due at 1970-01-01T19:00:00Z and can end at 1970-01-01T20:00:00Z at the \
             earliest, 1h late",
            "task train is due at 1970-01-01T09:00:00Z and can end at 1970-01-01T10:00:00Z at \
             the earliest, 1h late",
        ]
    );
    (dag.deadline, dag.tasks[0].deadline) = (hours(20), hours(10));
    assert_eq!(planned(&offers, &dag, Some(&flat())).status, Status::Optimal);
}

/// Room for nodes that boot late is left where there is any, and said to be missing where not.
#[test]
fn a_deadline_leaves_room_for_late_boots_where_it_can() {
    let (offers, mut dag) = pair(1);
    let hours = |hours| Timestamp::UNIX_EPOCH.checked_add(SignedDuration::from_hours(hours)).ok();
    let policy = Policy { boot_max: SignedDuration::from_hours(1), ..bare() };
    let market = Market::new(&offers, Currency::USD);
    let table = flat();
    let mut said = |deadline| {
        dag.deadline = hours(deadline);
        let (egress, now) = (Some(&table), Timestamp::UNIX_EPOCH);
        let (dag, market, policy) = (&dag, &market, &policy);
        let plan = plan(&DagInput { dag, market, egress, policy, now, work_max: WORK }, 0);
        assert_eq!(plan.status, Status::Optimal);
        assert_eq!(plan.makespan, SignedDuration::from_hours(20));
        plan.unknown.iter().any(|it| it.contains("`bootMax` of a Policy"))
    };
    // 20 hours in all, and each of two nodes may be an hour late.
    assert!(!said(22));
    assert!(said(21));
}

#[test]
fn a_cap_that_cannot_be_met_says_by_how_much() {
    let (offers, mut dag) = pair(120);
    dag.cost_max = Some(usd("100"));
    let plan = planned(&offers, &dag, Some(&flat()));
    let expect = "everything costs 120.00 USD, which is 20.00 USD over the cap of 100.00 USD";
    assert_eq!(plan.obstacles[0].to_string(), expect);
    dag.cost_max = Some(usd("120"));
    assert_eq!(planned(&offers, &dag, Some(&flat())).status, Status::Optimal);
    dag.tasks[0].node_price_max = HourlyRate::new(usd("9"));
    let plan = planned(&offers, &dag, Some(&flat()));
    let expect = "task train: an hour of one node costs at least 10.00 USD, which is 1.00 USD \
                  over the cap of 9.00 USD";
    assert_eq!(plan.obstacles[0].to_string(), expect);
}

#[test]
fn what_no_offer_meets_is_said_by_the_last_filter() {
    let check = |change: &dyn Fn(&mut Task), expect: &str| {
        let (offers, mut dag) = pair(1);
        change(&mut dag.tasks[0]);
        let plan = planned(&offers, &dag, Some(&flat()));
        assert_eq!(plan.status, Status::Infeasible);
        assert!(plan.obstacles[0].to_string().contains(expect), "{:?}", plan.obstacles);
    };
    check(&|task| task.residency = vec!["us".to_owned()], "jurisdictions");
    check(&|task| task.regions = vec!["north".to_owned()], "providers and regions");
    check(&|task| task.purchase = vec![Purchase::Spot], "sold that way");
    check(&|task| task.accelerators[0].count = 8, "large enough");
    let unknown = "no offer has B200; there are H100-80GB-SXM, L4-24GB";
    check(&|task| task.accelerators[0].accelerator = "B200".parse().unwrap(), unknown);
}

#[test]
fn residency_of_the_dag_and_of_a_task_must_both_hold() {
    let (offers, mut dag) = pair(1);
    dag.residency = vec!["eu".to_owned()];
    assert_eq!(planned(&offers, &dag, Some(&flat())).status, Status::Optimal);
    dag.tasks[1].residency = vec!["us".to_owned()];
    let plan = planned(&offers, &dag, Some(&flat()));
    assert!(matches!(&plan.obstacles[..], [Obstacle::NoOffer { task, .. }] if task == "eval"));
}

/// Plans where offers run out are as good as any in which nothing waits, or say how good any can
/// be; without a deadline waiting costs nothing.
#[test]
fn few_nodes_are_shared_out_as_well_as_trying_everything_does() {
    let (mut feasible, mut found, mut good, mut proven) = (0, 0, 0, 0);
    for seed in 0..600 {
        let mut dice = Dice(seed + 70_000);
        let mut offers = offers(&mut dice).to_vec();
        for offer in &mut offers {
            offer.available = dice.chance(75).then(|| dice.pick(&[1, 1, 3, 4]));
        }
        let offers: Arc<[Offer]> = offers.into();
        let table = egress(&mut dice, true);
        let objective = dice.pick(&[Objective::Cost, Objective::Cost, Objective::Time]);
        let mut dag = dag(&mut dice, objective);
        let now = Timestamp::UNIX_EPOCH;
        let due = dice.chance(60);
        if due {
            dag.deadline = now.checked_add(millis(10_000_000 + dice.below(40_000_000))).ok();
        }
        let market = Market::new(&offers, Currency::USD);
        let (egress, policy) = (Some(&table), &bare());
        let input = DagInput { dag: &dag, market: &market, egress, policy, now, work_max: WORK };
        let plan = plan(&input, seed);
        let mut reference = Reference::new(&dag, &offers, &table, policy);
        let strict = reference.best(now);
        reference.available.fill(u64::MAX);
        let value = |best: (i64, u64, i128)| match objective {
            Objective::Time => i128::from(best.0),
            _ => best.2,
        };
        let Some(loose) = reference.best(now).map(value) else {
            assert_eq!(plan.status, Status::Infeasible, "seed {seed}");
            continue;
        };
        feasible += u32::from(strict.is_some());
        if plan.status == Status::Infeasible {
            assert!(due || objective == Objective::Time, "seed {seed}: nothing is due");
            continue;
        }
        found += u32::from(strict.is_some());
        let millis = |span: SignedDuration| span.as_millis();
        let (is, bound) = match objective {
            Objective::Time => (millis(plan.makespan), plan.makespan_bound.map(millis)),
            _ => (plan.cost.pico(), plan.lower_bound.map(Money::pico)),
        };
        assert!(is >= loose, "seed {seed}: {is} is better than with nodes enough, {loose}");
        if objective == Objective::Cost && !due {
            assert_eq!((is, bound), (loose, Some(loose)), "seed {seed}");
        }
        let least = strict.map_or(i128::MAX, value);
        assert!(bound.is_none_or(|bound| bound <= least), "seed {seed}: {bound:?}, {least}");
        good += u32::from(strict.is_some() && is <= least);
        proven += u32::from(bound == Some(is));
    }
    let counts = format!("{found}, {good} and {proven} of {feasible}");
    assert!(feasible > 250, "{counts}");
    assert!(found * 100 >= feasible * 98, "{counts}");
    assert!(good * 100 >= feasible * 95, "{counts}");
    assert!(proven * 100 >= feasible * 60, "{counts}");
}

#[test]
fn tasks_at_once_never_hold_more_nodes_than_there_are() {
    let (offers, mut dag) = pair(0);
    let mut offers = offers.to_vec();
    for offer in &mut offers {
        offer.available = Some(1);
    }
    // Both at once on L4 machines, of which each offer has one node.
    dag.edges = Vec::new();
    dag.tasks[0] = Task { name: "other".to_owned(), ..dag.tasks[1].clone() };
    let offers: Arc<[Offer]> = offers.into();
    let plan = planned(&offers, &dag, Some(&flat()));
    let used: Vec<String> = plan.tasks.iter().map(|task| task.offer.to_string()).collect();
    // One after the other they share the cheap one.
    assert_eq!(used[0], used[1]);
    assert_eq!((plan.cost.to_decimal().as_str(), plan.status), ("20.00", Status::Optimal));
    assert_eq!(plan.tasks[1].reasons.last().unwrap(), "waits until other has left its nodes");
    // Where there is no time for that they do not.
    dag.deadline = Timestamp::UNIX_EPOCH.checked_add(SignedDuration::from_hours(10)).ok();
    let plan = planned(&offers, &dag, Some(&flat()));
    assert_ne!(plan.tasks[0].offer, plan.tasks[1].offer);
    assert_eq!(plan.cost.to_decimal(), "30.00");
    // What that costs: a deadline too early, or one node too few.
    let market = Market::new(&offers, Currency::USD);
    let (table, policy, now) = (flat(), bare(), Timestamp::UNIX_EPOCH);
    let (egress, dag) = (Some(&table), &dag);
    let input = DagInput { dag, market: &market, egress, policy: &policy, now, work_max: WORK };
    let found = dag_sensitivity(&input, &plan).unwrap();
    let told: Vec<_> = found.binding.iter().map(|it| it.slack.told()).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    let saves = |kind: &str, slack: &str| {
        let at = told.iter().position(|it| (it.0, it.2.as_str()) == (kind, slack)).unwrap();
        (found.binding[at].cost.to_decimal(), found.binding[at].exact)
    };
    assert_eq!(saves("deadline", "none"), ("-10.00".to_owned(), true));
    assert_eq!(saves("capacity", "+1 node"), ("-10.00".to_owned(), true));
}

#[test]
fn a_tenth_more_money_ends_a_plan_sooner_and_says_by_how_much() {
    let (offers, mut dag) = pair(0);
    let mut offers = offers.to_vec();
    // Ten hours on an H100 for 100 USD, or fifty on an L4 for 50 USD.
    let rate = |kind: &str, amount: u64| Throughput {
        target: Target::Accelerator(kind.parse().unwrap()),
        count: 1,
        amount: whole(amount),
        per: SignedDuration::from_hours(1),
    };
    let throughput = vec![rate("H100-80GB-SXM", 5), rate("L4-24GB", 1)];
    dag.tasks.truncate(1);
    dag.edges = Vec::new();
    dag.tasks[0].accelerators = Vec::new();
    let work = Work { amount: whole(50), unit: "steps".to_owned() };
    dag.tasks[0].run = Run::Work { work, throughput };
    dag.objective = Objective::Time;
    dag.cost_max = Some(usd("95"));
    offers.retain(|offer| offer.id.to_string().contains("east"));
    let offers: Arc<[Offer]> = offers.into();
    let plan = planned(&offers, &dag, None);
    assert_eq!((plan.cost.to_decimal().as_str(), plan.makespan.as_hours()), ("50.00", 50));
    let market = Market::new(&offers, Currency::USD);
    let (policy, now) = (bare(), Timestamp::UNIX_EPOCH);
    let input =
        DagInput { dag: &dag, market: &market, egress: None, policy: &policy, now, work_max: WORK };
    let found = dag_sensitivity(&input, &plan).unwrap();
    assert_eq!((found.binding.len(), found.loose, found.unasked), (1, 0, 0));
    let worth = &found.binding[0];
    assert_eq!(worth.slack.told(), ("budget", dag.id.to_string(), "+9.50 USD".to_owned()));
    assert_eq!((worth.sooner.as_hours(), worth.cost.to_decimal().as_str()), (40, "50.00"));
    assert!(worth.exact);
    // Where money is not what is short, nothing binds.
    let dag = Dag { cost_max: Some(usd("100")), ..dag.clone() };
    let plan = planned(&offers, &dag, None);
    let found = dag_sensitivity(&DagInput { dag: &dag, ..input }, &plan).unwrap();
    assert_eq!((plan.makespan.as_hours(), found.binding.len(), found.loose), (10, 0, 1));
}

#[test]
fn a_name_for_two_things_and_a_circle_are_refused() {
    let (offers, mut dag) = pair(1);
    let mut offers = offers.to_vec();
    offers.push(offer(9, "aws/east", "A100-40GB", 1, "1"));
    offers.push(offer(10, "aws/east", "A100-80GB", 1, "1"));
    offers.sort_by(|a, b| a.id.cmp(&b.id));
    let market = Market::new(&offers.into(), Currency::USD);
    let said = |dag: &Dag| -> DagError {
        let now = Timestamp::UNIX_EPOCH;
        plan_dag(&DagInput {
            dag,
            market: &market,
            egress: None,
            policy: &bare(),
            now,
            work_max: WORK,
        })
        .unwrap_err()
    };
    dag.tasks[0].accelerators[0].accelerator = "A100".parse().unwrap();
    let expect =
        "task train: `A100` is more than one accelerator: name one of A100-40GB, A100-80GB";
    assert_eq!(said(&dag).to_string(), expect);
    dag.edges.push(Edge { from: 1, to: 0, size_bytes: 1 });
    let expect = "the tasks wait for each other: train -> eval -> train";
    assert_eq!(said(&dag).to_string(), expect);
}

#[test]
fn numbers_near_the_end_of_128_bits_are_refused_or_exact() {
    let (offers, mut dag) = pair(1_000_000_000);
    let plan = planned(&offers, &dag, Some(&flat()));
    assert_eq!(plan.egress.to_decimal(), "0.00");
    dag.tasks[1].providers = vec!["gcp".to_owned()];
    let plan = planned(&offers, &dag, Some(&flat()));
    assert_eq!(plan.egress.to_decimal(), "90000000.00");
    dag.tasks[0].run = Run::Fixed(SignedDuration::from_secs(i64::MAX));
    let market = Market::new(&offers, Currency::USD);
    let now = Timestamp::UNIX_EPOCH;
    let policy = &bare();
    let input = DagInput { dag: &dag, market: &market, egress: None, policy, now, work_max: WORK };
    assert_eq!(plan_dag(&input), Err(DagError::TooLarge("task train".to_owned())));
}

#[test]
fn the_checker_finds_what_was_changed() {
    let (offers, dag) = pair(100);
    let (market, table) = (Market::new(&offers, Currency::USD), flat());
    let now = Timestamp::UNIX_EPOCH;
    let (egress, policy) = (Some(&table), &bare());
    let input = DagInput { dag: &dag, market: &market, egress, policy, now, work_max: WORK };
    let good = plan(&input, 0);
    let found = |change: &dyn Fn(&mut DagPlan)| {
        let mut plan = good.clone();
        change(&mut plan);
        check_dag(&input, &plan).iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    };
    let cent = usd("0.01");
    let check = |change: &dyn Fn(&mut DagPlan), expect: &str| {
        let said = found(change);
        assert!(said.contains(expect), "{said}");
    };
    check(&|plan| plan.cost = plan.cost.checked_sub(cent).unwrap(), "another sum");
    check(&|plan| plan.tasks[0].cost = cent, "does not cost 0.01 USD");
    check(&|plan| plan.transfers[0].cost = Some(cent), "does not cost what the egress table says");
    check(&|plan| plan.transfers[0].bytes = 1, "moves another amount");
    check(&|plan| plan.tasks[0].offer = offers[1].id.clone(), "too small");
    check(&|plan| plan.tasks[1].window = plan.tasks[0].window, "before its data is there");
    check(&|plan| plan.lower_bound = None, "called optimal without proof");
    check(&|plan| plan.lower_bound = plan.cost.checked_add(cent).ok(), "said to be the least");
    check(&|plan| drop(plan.tasks.pop()), "does not place every task once");
}
