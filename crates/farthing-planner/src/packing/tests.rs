use super::knapsack::{Item, fill, prove};
use super::problem::{Amounts, without};
use super::*;
use crate::sample::{after, now, offer as gpu_offer};
use crate::{Baseline, Status};
use farthing_model::{Budget, BudgetId, Limit, Period, Scope, TeamId};
use farthing_model::{Job, Money, Reason, Resources, WorkloadId, WorkloadKind};
use std::collections::BTreeMap;

pub(super) struct Dice(pub(super) u64);

impl Dice {
    /// A number from `low` to `high`.
    pub(super) fn from(&mut self, low: u64, high: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        low + (self.0 >> 33) % (high - low + 1)
    }
}

pub(super) fn offer(name: &str, cores: u64, gib: u64, price: &str) -> Offer {
    let mut offer = gpu_offer(name, "T4-16GB", 1, price);
    offer.accelerator = None;
    offer.accelerator_count = 0;
    offer.capacity = resources(cores * 1_000, gib << 10);
    offer
}

pub(super) fn resources(cpu_milli: u64, mib: u64) -> Resources {
    Resources { gpu_milli: 0, cpu_milli, memory_bytes: mib << 20, storage_bytes: 0 }
}

pub(super) fn pods(name: &str, count: u32, cpu_milli: u64, mib: u64) -> Workload {
    let job = Job {
        count,
        submitted: None,
        work: None,
        throughput: Vec::new(),
        duration: None,
        deadline: None,
        quoted_cost: None,
        interruptible: None,
    };
    Workload {
        id: WorkloadId::new(name).unwrap(),
        team: None,
        labels: BTreeMap::new(),
        resources: resources(cpu_milli, mib),
        residency: Vec::new(),
        value: farthing_model::Decimal::ZERO,
        data: None,
        kind: WorkloadKind::Job(job),
    }
}

struct Case {
    workloads: Vec<Workload>,
    offers: Vec<Offer>,
    nodes: NodeRules,
    budgets: Vec<BudgetState>,
}

impl Case {
    fn with<T>(&self, run: impl FnOnce(&PackInput<'_>) -> T) -> T {
        let workloads: Vec<&Workload> = self.workloads.iter().collect();
        run(&PackInput {
            workloads: &workloads,
            offers: &self.offers,
            window: Window::new(now(), after(60)).unwrap(),
            currency: Currency::USD,
            nodes: self.nodes,
            budgets: &self.budgets,
        })
    }

    /// The packing, checked.
    fn pack(&self) -> Packing {
        self.with(|input| {
            let packing = pack(input).unwrap();
            assert_eq!(check_packing(input, &packing), [], "{packing:?}");
            packing
        })
    }

    fn first_fit(&self) -> Packing {
        self.with(|input| {
            let packing = pack_as(Baseline::FfdCheapest, input).unwrap().unwrap();
            assert_eq!(check_packing(input, &packing), [], "{packing:?}");
            packing
        })
    }

    /// The least cost, by trying every content of every node.
    fn least(&self) -> Money {
        let needs: Vec<_> = self.workloads.iter().map(|it| input::need(&it.resources)).collect();
        let counts: Vec<u64> =
            self.workloads.iter().map(|it| u64::from(it.job().unwrap().count)).collect();
        let mut known = BTreeMap::from([(vec![0; counts.len()], 0)]);
        let pico = least_from(self, &needs, &counts, &mut known);
        Money::from_pico(pico, Currency::USD)
    }
}

fn least_from(
    case: &Case,
    needs: &[Amounts],
    open: &[u64],
    known: &mut BTreeMap<Vec<u64>, i128>,
) -> i128 {
    if let Some(known) = known.get(open) {
        return *known;
    }
    // Whichever node holds the first open pod.
    let first = open.iter().position(|count| *count > 0).unwrap();
    let mut best = i128::MAX;
    for offer in &case.offers {
        let mut room = input::need(&offer.capacity);
        room[4] = case.nodes.pods.map_or(1 << 16, u64::from);
        let mut contents = Vec::new();
        contents_of(&room, needs, open, 0, &mut vec![0; open.len()], &mut contents);
        for content in contents.iter().filter(|content| content[first] > 0) {
            let rest: Vec<u64> = open.iter().zip(content).map(|(open, held)| open - held).collect();
            let price = offer.price.rate().unwrap().per_hour().pico();
            best = best.min(price + least_from(case, needs, &rest, known));
        }
    }
    known.insert(open.to_vec(), best);
    best
}

fn contents_of(
    room: &Amounts,
    needs: &[Amounts],
    open: &[u64],
    at: usize,
    held: &mut Vec<u64>,
    all: &mut Vec<Vec<u64>>,
) {
    if at == needs.len() {
        all.push(held.clone());
        return;
    }
    for count in 0..=open[at] {
        let Some(rest) = without(room, &needs[at], count) else { break };
        held[at] = count;
        contents_of(&rest, needs, open, at + 1, held, all);
    }
    held[at] = 0;
}

#[test]
fn small_packings_are_the_best_there_is() {
    let mut dice = Dice(1);
    let (mut best, mut proven) = (0, 0);
    for _ in 0..120 {
        let shapes = dice.from(1, 3);
        let workloads = (0..shapes).map(|at| {
            let count = u32::try_from(dice.from(1, 4)).unwrap();
            pods(&format!("w{at}"), count, dice.from(1, 30) * 100, dice.from(1, 60) * 100)
        });
        let workloads = workloads.collect();
        let offers = (0..dice.from(1, 4)).map(|at| {
            let (cores, gib) = (dice.from(3, 8), dice.from(6, 24));
            let cents = cores * 3 + gib + dice.from(0, 10);
            offer(&format!("o{at}"), cores, gib, &format!("{}.{:02}", cents / 100, cents % 100))
        });
        let offers = offers.collect();
        let pods = (dice.from(0, 2) == 0).then(|| u32::try_from(dice.from(2, 5)).unwrap());
        let nodes = NodeRules { pods, ..NodeRules::default() };
        let case = Case { workloads, offers, nodes, budgets: Vec::new() };
        let (packing, least) = (case.pack(), case.least());
        let bound = packing.lower_bound.unwrap();
        assert!(bound.pico() <= least.pico(), "{bound} {least}: {:?}", case.workloads);
        assert!(packing.cost.pico() >= least.pico());
        assert!(packing.cost.pico() <= case.first_fit().cost.pico());
        best += u32::from(packing.cost == least);
        proven += u32::from(packing.status == Status::Optimal);
    }
    assert_eq!((best, proven), (120, 120));
}

#[test]
fn contents_of_machines_are_proven() {
    let mut dice = Dice(5);
    for round in 0..300 {
        let room = [dice.from(5, 40), dice.from(5, 40), 0, 0, dice.from(3, 20)];
        let item = |shape: usize, dice: &mut Dice| Item {
            shape,
            need: [dice.from(1, 15), dice.from(0, 15), 0, 0, 1],
            worth: dice.from(1, 100),
            most: dice.from(1, 4),
        };
        let items: Vec<Item> = (0..4).map(|shape| item(shape, &mut dice)).collect();
        let needs: Vec<Amounts> = items.iter().map(|item| item.need).collect();
        let most: Vec<u64> = items.iter().map(|item| item.most).collect();
        let mut contents = Vec::new();
        contents_of(&room, &needs, &most, 0, &mut vec![0; 4], &mut contents);
        let worth = |held: &Vec<u64>| -> u64 {
            items.iter().zip(held).map(|(item, count)| item.worth * count).sum()
        };
        let best = contents.iter().map(worth).max().unwrap();
        let found = fill(&room, &items, 10_000);
        assert_eq!((found.worth, found.upper), (best, best), "{round}: {room:?} {items:?}");
        let short = fill(&room, &items, 1);
        assert!(short.worth <= best && short.upper >= best, "{round}");
        for floor in [0, best.saturating_sub(1), best, best + 3] {
            let held = prove(&room, &items, floor, 10_000).unwrap();
            assert!(held.upper >= best, "{round}: {held:?} {best}");
            let sum: u64 = held.counts.iter().map(|(shape, n)| items[*shape].worth * n).sum();
            assert_eq!(sum, held.worth);
            assert!(held.counts.is_empty() || (sum == best && best > floor), "{round}");
        }
    }
}

#[test]
fn many_pods_are_packed_at_a_small_proven_gap() {
    let mut dice = Dice(3);
    let shapes = (0..20).map(|at| {
        let cpu = dice.from(1, 40) * 100;
        pods(&format!("w{at:02}"), 20, cpu, cpu * dice.from(1, 8) / 2)
    });
    let workloads = shapes.collect();
    let mut offers = Vec::new();
    for cores in [2, 4, 8, 16, 32] {
        for each in [2, 4, 8] {
            let milli = cores * 25 + cores * each;
            let price = format!("{}.{:03}", milli / 1_000, milli % 1_000);
            offers.push(offer(&format!("c{cores:02}m{each}"), cores, cores * each, &price));
        }
    }
    let reserve = resources(100, 120);
    let case = Case {
        workloads,
        offers,
        nodes: NodeRules { reserve, pods: Some(110), move_cost: None },
        budgets: Vec::new(),
    };
    let (ours, usual) = (case.pack(), case.first_fit());
    let gap = ours.gap.unwrap();
    assert!(gap.ppm() <= 5_000, "{gap}: {} {:?}", ours.cost, ours.lower_bound);
    assert!(ours.cost.pico() < usual.cost.pico());
    assert_eq!(case.pack(), ours);
}

#[test]
fn what_fits_nowhere_says_what_is_short() {
    let mut far = pods("far", 1, 100, 10);
    far.residency = vec!["eu".to_owned(), "ch".to_owned()];
    let mut late = pods("late", 1, 100, 10);
    if let WorkloadKind::Job(job) = &mut late.kind {
        job.deadline = Some(after(30));
    }
    let workloads = vec![pods("large", 2, 9_000, 10), pods("fits", 3, 2_000, 10), far, late];
    let mut offers = vec![offer("o", 8, 32, "0.40")];
    offers[0].residency = vec!["us".to_owned()];
    let case = Case { workloads, offers, nodes: NodeRules::default(), budgets: Vec::new() };
    let packing = case.pack();
    let waits: Vec<_> =
        packing.waiting.iter().map(|it| (it.workload.as_str(), it.reason.to_string())).collect();
    let large = "no offer: a member needs 9 cores, the largest node has 8 cores for it";
    assert_eq!(waits[0], ("far", "no offer in eu or ch".to_owned()));
    assert_eq!(waits[1], ("large", large.to_owned()));
    assert!(packing.waiting[2].late && packing.waiting[2].workload.as_str() == "late");
    assert_eq!(packing.status, Status::Infeasible);
    assert_eq!(packing.nodes[0].holds, [(WorkloadId::new("fits").unwrap(), 3)]);
}

#[test]
fn what_there_is_not_enough_for_waits() {
    let mut offers = vec![offer("few", 8, 32, "0.10"), offer("small", 2, 8, "0.30")];
    offers[0].available = Some(2);
    let workloads = vec![pods("large", 3, 8_000, 10), pods("small", 2, 1_000, 10)];
    let case = Case { workloads, offers, nodes: NodeRules::default(), budgets: Vec::new() };
    let packing = case.pack();
    // Two large ones fill the two nodes, and the small ones buy one of their own.
    assert_eq!(packing.waiting.len(), 1, "{packing:?}");
    assert_eq!((packing.waiting[0].workload.as_str(), packing.waiting[0].members), ("large", 1));
    assert_eq!(packing.waiting[0].reason, Reason::Capacity);
    assert_eq!(packing.cost, Money::from_decimal("0.50", Currency::USD).unwrap());
    assert_eq!(packing.lower_bound, None);
}

#[test]
fn the_checker_sees_what_is_wrong() {
    let case = Case {
        workloads: vec![pods("w", 4, 2_000, 1_000)],
        offers: vec![offer("o", 4, 16, "0.20")],
        nodes: NodeRules::default(),
        budgets: Vec::new(),
    };
    let good = case.pack();
    let wrong = |spoil: &dyn Fn(&mut Packing)| {
        let mut bad = good.clone();
        spoil(&mut bad);
        case.with(|input| check_packing(input, &bad)).first().map(ToString::to_string)
    };
    let usd = |text: &str| Money::from_decimal(text, Currency::USD).unwrap();
    let found = [
        wrong(&|it| it.nodes[0].holds[0].1 = 4).unwrap(),
        wrong(&|it| it.nodes[0].count = 1).unwrap(),
        wrong(&|it| it.cost = usd("0.1")).unwrap(),
        wrong(&|it| it.shares[0].cost = usd("0.1")).unwrap(),
        wrong(&|it| it.lower_bound = Some(usd("7"))).unwrap(),
        wrong(&|it| it.nodes[0].offer = farthing_model::OfferId::new("other").unwrap()).unwrap(),
    ];
    assert!(found[0].contains("holds more cores"), "{found:?}");
    assert!(found[1].contains("2 members are placed or wait, and there are 4"), "{found:?}");
    assert!(found[2].contains("the cost is"), "{found:?}");
    assert!(found[3].contains("what the workloads pay"), "{found:?}");
    assert!(found[4].contains("is above the cost"), "{found:?}");
    assert!(found[5].contains("is not an offer"), "{found:?}");
}

#[test]
fn what_a_hard_budget_has_no_room_for_waits() {
    let mut cheap = pods("cheap", 4, 4_000, 10);
    cheap.value = "1".parse().unwrap();
    let mut dear = pods("dear", 4, 4_000, 10);
    dear.value = "9".parse().unwrap();
    for workload in [&mut cheap, &mut dear] {
        workload.team = Some(TeamId::new("research").unwrap());
    }
    let limit = Limit::Money(Money::from_decimal("1.20", Currency::USD).unwrap());
    let zero = Money::zero(Currency::USD);
    let budget = Budget {
        id: BudgetId::new("research").unwrap(),
        scope: Scope::Team(TeamId::new("research").unwrap()),
        limit,
        period: Period::Fixed(Window::new(now(), after(600)).unwrap()),
        hard: true,
        escalate: Vec::new(),
        carry: None,
    };
    let period = Window::new(now(), after(600)).unwrap();
    let (spent, committed, gpu_gone_milli) = (zero, zero, 0);
    let mut state = BudgetState { budget, period, limit, spent, committed, gpu_gone_milli };
    let case = |state: &BudgetState| Case {
        workloads: vec![cheap.clone(), dear.clone(), pods("other", 1, 1_000, 10)],
        offers: vec![offer("o", 8, 32, "0.40")],
        nodes: NodeRules::default(),
        budgets: vec![state.clone()],
    };
    let packing = case(&state).pack();
    assert_eq!(packing.waiting.len(), 1);
    assert_eq!((packing.waiting[0].workload.as_str(), packing.waiting[0].members), ("cheap", 4));
    let reason = packing.waiting[0].reason.to_string();
    assert!(reason.starts_with("budget research has 1.20 left, 1."), "{reason}");
    assert!(packing.budgets[0].forecast.pico() <= limit.amount().pico());
    // Whoever it does not cover is bought for all the same.
    assert!(packing.shares.iter().any(|share| share.workload.as_str() == "other"));
    state.budget.hard = false;
    assert!(case(&state).pack().waiting.is_empty());
}

#[test]
fn a_hard_budget_of_accelerator_time_is_kept_to() {
    let gpus = |name: &str, value: &str| {
        let mut pods = pods(name, 2, 1_000, 10);
        pods.resources.gpu_milli = 2_000;
        pods.value = value.parse().unwrap();
        pods
    };
    let mut node = offer("o", 8, 32, "0.40");
    node.capacity.gpu_milli = 8_000;
    // Two members of two accelerators each for an hour: four hours; both workloads take eight.
    let waits = |hours_milli: u64| {
        let period = Window::new(now(), after(600)).unwrap();
        let zero = Money::zero(Currency::USD);
        let limit = Limit::GpuHoursMilli(hours_milli);
        let budget = Budget {
            id: BudgetId::new("hours").unwrap(),
            scope: Scope::All,
            limit,
            period: Period::Fixed(period),
            hard: true,
            escalate: Vec::new(),
            carry: None,
        };
        let (spent, committed, gpu_gone_milli) = (zero, zero, 0);
        let state = BudgetState { budget, period, limit, spent, committed, gpu_gone_milli };
        let case = Case {
            workloads: vec![gpus("cheap", "1"), gpus("dear", "9")],
            offers: vec![node.clone()],
            nodes: NodeRules::default(),
            budgets: vec![state],
        };
        let waiting = case.pack().waiting;
        waiting.into_iter().map(|it| it.workload.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(waits(8_000), [""; 0]);
    assert_eq!(waits(7_999), ["cheap"]);
    assert_eq!(waits(4_000), ["cheap"]);
    assert_eq!(waits(3_999), ["cheap", "dear"]);
}

/// A part of an accelerator is on one device: two of 600 thousandths never share one, while 600 and
/// 400 do.
#[test]
fn parts_of_accelerators_have_a_device_each() {
    let parts = |name: &str, count: u32, milli: u64| {
        let mut pods = pods(name, count, 100, 10);
        pods.resources.gpu_milli = milli;
        pods
    };
    let mut node = offer("o", 8, 32, "0.40");
    node.capacity.gpu_milli = 2_000;
    let case = |workloads: Vec<Workload>| Case {
        workloads,
        offers: vec![node.clone()],
        nodes: NodeRules::default(),
        budgets: Vec::new(),
    };
    let nodes = |workloads| {
        let packing = case(workloads).pack();
        packing.nodes.iter().map(|node| node.count).sum::<u64>()
    };
    assert_eq!(nodes(vec![parts("a", 3, 600)]), 2);
    assert_eq!(nodes(vec![parts("a", 4, 600), parts("b", 4, 400)]), 2);
    assert_eq!(nodes(vec![parts("a", 2, 600), parts("b", 3, 300)]), 2);
    assert_eq!(nodes(vec![parts("a", 2, 1_500)]), 2);
}
