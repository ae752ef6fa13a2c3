use super::super::tests::{Dice, offer, pods, resources};
use super::*;
use crate::sample::{after, now};
use farthing_model::{Currency, NodeRules, Offer, Window, Workload};

struct Case {
    workloads: Vec<Workload>,
    offers: Vec<Offer>,
    nodes: Vec<StandingNode>,
    move_cost: Money,
}

fn money(milli: i128) -> Money {
    Money::from_pico(milli * 1_000_000_000, Currency::USD)
}

fn node(name: &str, offer: &Offer, holds: &[(&str, u64)]) -> StandingNode {
    let held = |(id, count): &(&str, u64)| (WorkloadId::new(id).unwrap(), *count);
    StandingNode {
        id: NodeId::new(name).unwrap(),
        offer: offer.id.clone(),
        capacity: offer.capacity,
        price: offer.price.rate().unwrap(),
        residency: offer.residency.clone(),
        holds: holds.iter().map(held).collect(),
    }
}

impl Case {
    fn with<T>(&self, run: impl FnOnce(&RunningInput<'_>) -> T) -> T {
        let workloads: Vec<&Workload> = self.workloads.iter().collect();
        let pack = PackInput {
            workloads: &workloads,
            offers: &self.offers,
            window: Window::new(now(), after(60)).unwrap(),
            currency: Currency::USD,
            nodes: NodeRules { reserve: resources(0, 0), pods: None },
            budgets: &[],
        };
        run(&RunningInput { pack, nodes: &self.nodes, move_cost: self.move_cost })
    }

    /// Ours and what is usual, checked.
    fn both(&self) -> (Consolidation, Consolidation) {
        self.with(|input| {
            let ours = consolidate(input).unwrap();
            assert_eq!(check_consolidation(input, &ours), [], "{ours:?}");
            let usual = consolidate_as_usual(input).unwrap();
            assert_eq!(check_consolidation(input, &usual), [], "{usual:?}");
            (ours, usual)
        })
    }
}

#[test]
fn the_node_with_the_fewest_pods_for_its_price_is_given_back() {
    let large = offer("large", 8, 32, "0.8");
    let case = Case {
        workloads: vec![pods("web", 6, 1_000, 1_024)],
        nodes: vec![node("a", &large, &[("web", 4)]), node("b", &large, &[("web", 2)])],
        offers: vec![large],
        move_cost: money(10),
    };
    let (ours, usual) = case.both();
    assert_eq!((ours.cost, ours.moved, ours.disturbance), (money(800), 2, money(20)));
    let web = || WorkloadId::new("web").unwrap();
    let (a, b) = (NodeId::new("a").unwrap(), NodeId::new("b").unwrap());
    let to = NodeAt::Standing(a);
    let moves = RunningStep::Move { workload: web(), members: 2, from: b.clone(), to };
    assert_eq!(ours.steps, [moves, RunningStep::GiveBack { node: b }]);
    assert_eq!(usual.cost, ours.cost);
    assert!(ours.lower_bound.is_some_and(|bound| bound.pico() <= ours.cost.pico()));
}

#[test]
fn nobody_moves_where_moving_costs_more_than_it_saves() {
    let large = offer("large", 8, 32, "0.8");
    let case = Case {
        workloads: vec![pods("web", 6, 1_000, 1_024)],
        nodes: vec![node("a", &large, &[("web", 4)]), node("b", &large, &[("web", 2)])],
        offers: vec![large],
        move_cost: money(401),
    };
    let (ours, _) = case.both();
    assert_eq!((ours.cost, ours.moved, ours.steps.len()), (ours.before, 0, 0));
}

#[test]
fn whoever_is_new_goes_on_nodes_that_stand_before_any_is_bought() {
    let large = offer("large", 8, 32, "0.8");
    let mut case = Case {
        workloads: vec![pods("new", 6, 1_000, 1_024), pods("web", 2, 1_000, 1_024)],
        nodes: vec![node("a", &large, &[("web", 2)])],
        offers: vec![large],
        move_cost: money(10),
    };
    let (ours, _) = case.both();
    assert_eq!((ours.cost, ours.moved, ours.steps.len()), (money(800), 0, 1));
    case.workloads[0] = pods("new", 7, 1_000, 1_024);
    let (ours, _) = case.both();
    assert_eq!((ours.cost, ours.moved), (money(1_600), 0));
    assert!(matches!(ours.steps[0], RunningStep::Buy { node: 0, .. }));
}

#[test]
fn what_fits_nowhere_else_stays_where_it_is() {
    let (small, large) = (offer("small", 4, 16, "0.4"), offer("large", 32, 128, "3.2"));
    let case = Case {
        workloads: vec![pods("big", 1, 20_000, 1_024), pods("web", 2, 1_000, 1_024)],
        nodes: vec![node("a", &large, &[("big", 1)]), node("b", &small, &[("web", 2)])],
        offers: vec![small],
        move_cost: money(1),
    };
    let (ours, _) = case.both();
    assert_eq!((ours.cost, ours.moved), (money(3_200), 2));
    assert_eq!(ours.waiting, BTreeMap::new());
}

#[test]
fn the_checker_finds_steps_that_cannot_be_taken() {
    let large = offer("large", 8, 32, "0.8");
    let case = Case {
        workloads: vec![pods("web", 6, 1_000, 1_024)],
        nodes: vec![node("a", &large, &[("web", 4)]), node("b", &large, &[("web", 2)])],
        offers: vec![large],
        move_cost: money(10),
    };
    let (good, _) = case.both();
    let wrong = |change: &dyn Fn(&mut Consolidation)| {
        let mut made = good.clone();
        change(&mut made);
        case.with(|input| check_consolidation(input, &made))
    };
    assert!(!wrong(&|made| made.steps.reverse()).is_empty());
    assert!(!wrong(&|made| made.cost = money(1)).is_empty());
    assert!(!wrong(&|made| made.moved = 1).is_empty());
    assert!(!wrong(&|made| made.lower_bound = Some(money(900))).is_empty());
    assert!(!wrong(&|made| made.steps.truncate(0)).is_empty());
    let doubled = wrong(&|made| {
        let first = made.steps[0].clone();
        made.steps.insert(0, first);
    });
    assert!(doubled.contains(&StepViolation::Unknown(1)), "{doubled:?}");
}

/// A made-up running set of which most pods are gone.
fn drawn(seed: u64, most: u64) -> Case {
    let mut dice = Dice(seed);
    let offers =
        vec![offer("l", 16, 64, "1.6"), offer("m", 8, 32, "0.81"), offer("s", 4, 16, "0.42")];
    let kinds = [(500, 1_024), (1_000, 2_048), (3_000, 4_096)];
    let (mut counts, mut nodes) = ([0_u64; 3], Vec::new());
    for at in 0..dice.from(1, most) {
        let offer = &offers[usize::try_from(dice.from(0, 2)).unwrap()];
        let (mut cpu, mut holds) = (offer.capacity.cpu_milli, Vec::new());
        for (kind, (milli, _)) in kinds.iter().enumerate() {
            let count = dice.from(0, 2).min(cpu / milli);
            cpu -= count * milli;
            counts[kind] += count;
            if count > 0 {
                holds.push((["w0", "w1", "w2"][kind], count));
            }
        }
        nodes.push(node(&format!("n{at:02}"), offer, &holds));
    }
    let more = dice.from(0, 3);
    let workload = |(kind, name): (usize, &str)| {
        let extra = if kind == 1 { more } else { 0 };
        let count = u32::try_from(counts[kind] + extra).unwrap();
        pods(name, count, kinds[kind].0, kinds[kind].1)
    };
    let workloads = ["w0", "w1", "w2"].into_iter().enumerate().map(workload);
    let workloads = workloads.filter(|it| it.job().unwrap().count > 0).collect();
    Case { workloads, offers, nodes, move_cost: money(i128::from(dice.from(0, 60))) }
}

#[test]
fn steps_can_be_taken_and_are_never_dearer_than_what_is_usual() {
    for seed in 0..60 {
        let case = drawn(seed, 14);
        let (ours, usual) = case.both();
        let all = |it: &Consolidation| it.cost.pico() + it.disturbance.pico();
        assert!(all(&ours) <= all(&usual), "seed {seed}: {ours:?} {usual:?}");
        assert!(ours.cost.pico() <= ours.before.pico() || case.move_cost.pico() >= 0);
        let again = case.both().0;
        assert_eq!(again, ours, "seed {seed}");
    }
}

/// The least that nodes and moves cost where only nodes that stand are used: every choice of nodes
/// that stay, and every way to put the others' pods there.
fn least(case: &Case) -> Option<i128> {
    let needs: Vec<(WorkloadId, u64)> =
        case.workloads.iter().map(|it| (it.id.clone(), it.resources.cpu_milli)).collect();
    let mut best = None;
    for stay in 0..1_u32 << case.nodes.len() {
        let (mut free, mut open, mut cost) = (Vec::new(), Vec::new(), 0);
        for (at, node) in case.nodes.iter().enumerate() {
            let need = |id: &WorkloadId| needs.iter().find(|(known, _)| known == id).unwrap().1;
            let used: u64 = node.holds.iter().map(|(id, count)| need(id) * count).sum();
            if stay >> at & 1 == 1 {
                free.push(node.capacity.cpu_milli - used);
                cost += node.price.per_hour().pico();
            } else {
                for (id, count) in &node.holds {
                    open.extend(std::iter::repeat_n(need(id), usize::try_from(*count).unwrap()));
                    cost += case.move_cost.pico() * i128::from(*count);
                }
            }
        }
        open.sort_unstable_by(|a, b| b.cmp(a));
        if fits(&mut free, &open) {
            best = Some(best.map_or(cost, |best: i128| best.min(cost)));
        }
    }
    best
}

fn fits(free: &mut [u64], open: &[u64]) -> bool {
    let Some((need, rest)) = open.split_first() else { return true };
    (0..free.len()).any(|at| {
        if free[at] < *need {
            return false;
        }
        free[at] -= need;
        let all = fits(free, rest);
        free[at] += need;
        all
    })
}

#[test]
fn small_sets_are_near_the_best_choice_of_nodes_that_stay() {
    let (mut compared, mut dearer) = (0, 0);
    for seed in 100..160 {
        let mut case = drawn(seed, 4);
        // Only who runs already counts, and only cores run out.
        for workload in &mut case.workloads {
            let here = case.nodes.iter().flat_map(|node| &node.holds);
            let here: u64 = here.filter(|(id, _)| *id == workload.id).map(|(_, n)| n).sum();
            let (count, cpu) = (u32::try_from(here).unwrap(), workload.resources.cpu_milli);
            *workload = pods(workload.id.as_str(), count, cpu, 1);
        }
        case.workloads.retain(|it| it.job().unwrap().count > 0);
        let Some(least) = least(&case) else { continue };
        let (ours, _) = case.both();
        let all = ours.cost.pico() + ours.disturbance.pico();
        assert!(all * 100 <= least * 105, "seed {seed}: {all} {least} {ours:?}");
        compared += 1;
        dearer += i32::from(all > least);
    }
    assert!(compared > 40 && dearer * 4 <= compared, "{dearer} of {compared}");
}
