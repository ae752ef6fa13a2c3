//! The planner as a whole, on cases worked out by hand, and law 3.

use crate::sample::{after, budget, dec, input, job, job_with, now, offer, service, usd, with};
use crate::{Status, check, plan};
use farthing_model::{
    Action, Assignment, Escalation, EscalationAction, Interruptible, Limit, Node, NodeId,
    NodeState, Purchase, Ratio, Reason, Resource, SpotLoss, Window, WorkloadState,
};
use jiff::SignedDuration;
use proptest::prelude::*;

const H100: &str = "H100-80GB";
const A100: &str = "A100-80GB";

/// 4 h at 3 USD is dearer than 10 h at 1 USD and in time; then the deadline decides.
#[test]
fn the_cheapest_in_time_is_chosen_and_says_what_lost() {
    let offers = vec![offer("a100", A100, 1, "1"), offer("h100", H100, 1, "3")];
    let work = job("train", 1, "5", &[(H100, 4), (A100, 10)]);
    let planned = plan(&input(24, offers.clone(), vec![work.clone()])).unwrap();
    let place = &planned.report.placements[0];
    assert_eq!((place.offer.as_ref().unwrap().as_str(), place.cost), ("a100", usd("10")));
    assert_eq!(planned.report.status, Status::Optimal);
    let next = Some((offers[1].id.clone(), usd("12")));
    assert_eq!(place.reasons, [Reason::Cheapest { runner_up: next, considered: 2 }]);
    // What fifo pays: the first configuration listed.
    assert_eq!(place.reference, Some(usd("12")));
    let step = &planned.plan.steps[0];
    assert_eq!((step.saving, step.generation, step.id.as_str()), (usd("2"), 7, "p1/1"));

    let hurried = job_with(work, |job| job.deadline = Some(after(300)));
    let planned = plan(&input(24, offers.clone(), vec![hurried])).unwrap();
    let place = &planned.report.placements[0];
    assert_eq!(place.offer.as_ref().unwrap().as_str(), "h100");
    let late = Reason::CheaperWouldBeLate { offer: offers[0].id.clone(), cost: usd("10") };
    assert_eq!(place.reasons, [Reason::Cheapest { runner_up: None, considered: 1 }, late]);
}

#[test]
fn one_node_is_used_in_turn_and_a_full_one_is_named() {
    let mut cheap = offer("cheap", H100, 1, "1");
    cheap.available = Some(1);
    let dear = offer("dear", H100, 1, "4");
    let work = job_with(job("train", 3, "5", &[(H100, 1)]), |job| job.deadline = Some(after(120)));
    let planned = plan(&input(4, vec![cheap.clone(), dear], vec![work])).unwrap();
    let places: Vec<_> = planned
        .report
        .placements
        .iter()
        .map(|place| (place.offer.as_ref().unwrap().as_str(), place.window.from(), place.members))
        .collect();
    assert_eq!(places.len(), 3, "{places:?}");
    assert!(places.contains(&("cheap", now(), 1)) && places.contains(&("cheap", after(60), 1)));
    assert!(places.contains(&("dear", now(), 1)));
    assert_eq!(planned.report.cost, usd("6"));
    assert_eq!(planned.report.lower_bound, Some(usd("6")));
    let full = Reason::CheaperIsFull { offer: cheap.id, cost: usd("1") };
    assert!(planned.report.placements.iter().any(|place| place.reasons.contains(&full)));
}

/// Why members wait, each with what binds.
#[test]
fn whoever_waits_knows_why() {
    let mut only = offer("only", H100, 1, "2");
    only.available = Some(1);
    let reason = |work, budgets: &[&str]| {
        let mut input = input(4, vec![only.clone()], vec![work]);
        input.budgets = budgets.iter().map(|limit| budget("all", limit)).collect();
        let planned = plan(&input).unwrap();
        assert_eq!(check(&input, &planned), []);
        assert_eq!(planned.report.waiting.len(), 1);
        (planned.report.waiting[0].reason.clone(), planned.report.status, planned.report.cuts)
    };
    let work = job("train", 1, "5", &[(H100, 3)]);
    let late = job_with(work.clone(), |job| job.deadline = Some(after(60)));
    let (why, status, _) = reason(late, &[]);
    assert_eq!(
        (why, status),
        (Reason::Deadline { due: after(60), earliest: after(180) }, Status::Infeasible)
    );
    let there = with(work.clone(), |workload| workload.residency = vec!["us".to_owned()]);
    assert_eq!(reason(there, &[]).0, Reason::Residency(vec!["us".to_owned()]));
    let large = with(work.clone(), |workload| workload.resources.cpu_milli = 17_000);
    assert!(matches!(reason(large, &[]).0, Reason::NoOffer(why) if why.contains("as large")));
    let other = job("train", 1, "5", &[(A100, 3)]);
    assert!(matches!(reason(other, &[]).0, Reason::NoOffer(why) if why.contains("throughput")));
    let (why, _, cuts) = reason(work, &["5"]);
    let (left, needed) = (usd("5"), usd("6"));
    assert_eq!(why, Reason::OverBudget { budget: "all".parse().unwrap(), left, needed });
    assert_eq!((cuts[0].saved, cuts[0].value, cuts[0].members), (usd("6"), dec("5"), 1));
    assert_eq!(cuts[0].retry, Some("2026-12-01T00:00:00Z".parse().unwrap()));
    // Four members of 3 h need the node for longer than there are starts.
    let (why, ..) = reason(job("train", 4, "5", &[(H100, 3)]), &[]);
    assert_eq!(why, Reason::LessValue);
}

/// At the hold rung nothing new is admitted, though the limit is not reached; a soft budget warns.
#[test]
fn the_ladder_holds_new_work() {
    let work = job("train", 1, "5", &[(H100, 1)]);
    let mut input = input(4, vec![offer("h100", H100, 1, "2")], vec![work]);
    let mut state = budget("all", "100");
    state.spent = usd("80");
    let rung = |ppm, action| Escalation {
        at: Ratio::from_ppm(ppm),
        action,
        mode: farthing_model::Mode::Enforce,
    };
    let ladder = [(800_000, EscalationAction::Hold), (810_000, EscalationAction::Cut)];
    state.budget.escalate = ladder.map(|(ppm, action)| rung(ppm, action)).to_vec();
    input.budgets = vec![state];
    let planned = plan(&input).unwrap();
    assert_eq!((planned.plan.steps.len(), planned.report.cuts.len()), (0, 1));
    assert_eq!(planned.report.budgets[0].rung, Some(EscalationAction::Hold));
    // Of a soft budget too: holding is the ladder's business, and the limit's is something else.
    input.budgets[0].budget.hard = false;
    let planned = plan(&input).unwrap();
    assert_eq!((planned.plan.steps.len(), planned.report.cuts.len()), (0, 1));
    // A rung that only recommends holds nobody.
    for rung in &mut input.budgets[0].budget.escalate {
        rung.mode = farthing_model::Mode::Recommend;
    }
    let planned = plan(&input).unwrap();
    assert_eq!((planned.plan.steps.len(), planned.report.cuts.len()), (1, 0));
    assert_eq!(planned.report.budgets[0].forecast, usd("82"));
}

/// The period after this one is not spent before it begins.
#[test]
fn the_next_period_has_a_limit_too() {
    let work = job("train", 3, "5", &[(H100, 2)]);
    let mut input = input(8, vec![offer("h100", H100, 1, "2")], vec![work]);
    let mut state = budget("night", "4");
    state.budget.period = farthing_model::Period::Day;
    input.snapshot.at = after(-240);
    input.horizon = Window::new(after(-240), after(240)).unwrap();
    state.period = state.budget.period.window_at(after(-240)).unwrap();
    input.budgets = vec![state];
    let planned = plan(&input).unwrap();
    let places = &planned.report.placements;
    let today = places.iter().filter(|place| place.window.from() < now()).count();
    // One member a day costs all of its limit: one before midnight, one after, one waits.
    assert_eq!((places.len(), today, planned.report.waiting.len()), (2, 1, 1), "{planned:#?}");
}

/// One hour of work, interrupted at its end at worst: 24 s of expected loss are planned, two
/// minutes of work are lost, one is the restart, and the next plan is ten minutes away.
#[test]
fn spot_with_a_deadline_leaves_time_to_be_interrupted_at_the_worst_moment() {
    let mut spot = offer("spot", H100, 1, "1");
    spot.purchase = Purchase::Spot;
    let sure = offer("sure", H100, 1, "2");
    let seconds = SignedDuration::from_secs;
    let placed = |offers: &[farthing_model::Offer], deadline: SignedDuration| {
        let work = job_with(job("train", 1, "5", &[(H100, 1)]), |job| {
            job.deadline = Some(now() + deadline);
            job.interruptible =
                Some(Interruptible { checkpoint: seconds(60), restart: seconds(60) });
        });
        let mut input = input(24, offers.to_vec(), vec![work]);
        input.policy.spot = Some(SpotLoss { mean_up: seconds(18_000), source: "test".to_owned() });
        let planned = plan(&input).unwrap();
        assert_eq!(check(&input, &planned), []);
        planned.report
    };
    let on = |report: &crate::Report| {
        report.placements.first().map(|place| place.offer.clone().unwrap().to_string())
    };
    let both = [spot.clone(), sure.clone()];
    let least = seconds(3_600 + 24 + 3 * 60 + 600) + SignedDuration::from_millis(10);
    assert_eq!(on(&placed(&both, least)).unwrap(), "spot");
    let tight = placed(&both, least - SignedDuration::from_nanos(1));
    assert_eq!(on(&tight).unwrap(), "sure");
    let why = tight.placements[0].reasons.iter().map(ToString::to_string).collect::<Vec<_>>();
    let words = "spot at 1.01 leaves no time to make up for an interruption";
    assert!(why.iter().any(|why| why == words), "{why:?}");
    // What can run out is no way out.
    let scarce = farthing_model::Offer { available: Some(9), ..sure };
    assert_eq!(on(&placed(&[spot.clone(), scarce], least * 5)).unwrap(), "sure");
    let alone = placed(&[spot], least * 5);
    assert_eq!((on(&alone), alone.status), (None, Status::Infeasible));
    assert!(alone.waiting[0].reason.to_string().contains("make up for them by its deadline"));
}

/// A boot that may be late is planned for where that can be: else what can just be done is done.
#[test]
fn a_deadline_leaves_time_for_a_late_boot_where_it_can() {
    let offers = [offer("fast", H100, 1, "4"), offer("slow", A100, 1, "1")];
    let on = |deadline: i64| {
        let work = job("train", 1, "5", &[(H100, 1), (A100, 2)]);
        let work = job_with(work, |job| job.deadline = Some(after(deadline)));
        let mut input = input(24, offers.to_vec(), vec![work]);
        input.policy.boot = SignedDuration::from_mins(3);
        input.policy.boot_max = SignedDuration::from_mins(15);
        let planned = plan(&input).unwrap();
        assert_eq!(check(&input, &planned), []);
        planned.report.placements.first().map(|place| place.offer.clone().unwrap().to_string())
    };
    assert_eq!(on(135).as_deref(), Some("slow"));
    // The slow one could be late, the fast one cannot; then only it can be in time, if at all.
    assert_eq!(on(134).as_deref(), Some("fast"));
    assert_eq!(on(64).as_deref(), Some("fast"));
    assert_eq!(on(62), None);
}

/// All three could start at 22:00, when half of each run is paid by the next day; then one was
/// moved to an earlier start, which cost this day more than it gave back, and left two behind that
/// had no room any more.
#[test]
fn a_member_moved_to_an_earlier_start_leaves_room_for_those_that_stay() {
    let mut spot = offer("h100", H100, 1, "2");
    spot.available = Some(8);
    let work = job("train", 3, "5", &[(H100, 4)]);
    let mut input = input(24, vec![spot], vec![work]);
    // From 02:00 on, with a start every four hours, the last one at 22:00.
    input.snapshot.at = after(120);
    input.horizon = Window::new(after(120), after(26 * 60)).unwrap();
    input.effort.slots_max = 6;
    let mut state = budget("day", "13");
    state.budget.period = farthing_model::Period::Day;
    state.period = state.budget.period.window_at(now()).unwrap();
    input.budgets = vec![state];
    let planned = plan(&input).unwrap();
    assert_eq!(check(&input, &planned), []);
    let starts: Vec<_> = planned
        .report
        .placements
        .iter()
        .map(|place| (place.window.from(), place.members))
        .collect();
    // 8 USD whole, or 4 on each side of midnight: 12 of 13 today with three at 22:00, none moved.
    assert_eq!(starts, [(after(22 * 60), 3)]);
    // With four more there is room for one whole and two halves: 16.
    input.budgets[0].budget.limit = Limit::Money(usd("17"));
    input.budgets[0].limit = Limit::Money(usd("17"));
    let planned = plan(&input).unwrap();
    assert_eq!(check(&input, &planned), []);
    let today: Vec<_> = planned
        .report
        .placements
        .iter()
        .map(|place| (place.window.from(), place.members))
        .collect();
    assert_eq!(today, [(after(120), 1), (after(22 * 60), 2)]);
}

/// 10 requests/s, half short, half long: H100 does both well, A100 the short ones for less.
#[test]
fn a_mix_is_never_dearer_than_one_kind() {
    let offers = vec![offer("a100", A100, 1, "1"), offer("h100", H100, 1, "4")];
    let speeds = [(A100, "5", "0.5"), (H100, "10", "10")];
    let planned = plan(&input(1, offers, vec![service("chat", "10", &speeds)])).unwrap();
    let mut mix: Vec<_> = planned
        .report
        .placements
        .iter()
        .map(|place| (place.offer.as_ref().unwrap().as_str(), place.members))
        .collect();
    mix.sort_unstable();
    // At 80 % use: A100 alone 14 replicas, H100 alone 2; 5 long ones fill 0.5 / 0.8 of one H100,
    // which takes 3 of the short ones too; the other 2 need 0.5 A100.
    assert_eq!(mix, [("a100", 1), ("h100", 1)]);
    assert_eq!(planned.report.cost, usd("5"));
    assert_eq!(planned.report.status, Status::Optimal);
}

#[test]
fn services_that_do_with_what_they_have_are_left_alone() {
    let offers = vec![offer("a100", A100, 1, "1"), offer("h100", H100, 1, "4")];
    let speeds = [(A100, "5", "5"), (H100, "10", "10")];
    let mut chat = service("chat", "10", &speeds);
    let placed = |offer: &str, members| Assignment {
        offer: offer.parse().unwrap(),
        members,
        nodes_each: 1,
        window: Window::new(now(), after(60)).unwrap(),
    };
    let steps = |observed: &farthing_model::Observed| {
        let input = input(1, offers.clone(), vec![observed.clone()]);
        let planned = plan(&input).unwrap();
        assert_eq!(check(&input, &planned), []);
        let steps = planned.plan.steps.into_iter().map(|step| match step.action {
            Action::Scale { offer, from, to, .. } => (offer.to_string(), from, to),
            other => panic!("{other:?}"),
        });
        steps.collect::<Vec<_>>()
    };
    chat.state = WorkloadState::Placed(vec![placed("a100", 3)]);
    assert_eq!(steps(&chat), []);
    // Over the band, one more; far under it, fewer.
    chat.demand_per_s = Some(dec("15"));
    assert_eq!(steps(&chat), [("a100".to_owned(), 3, 4)]);
    chat.demand_per_s = Some(dec("3"));
    assert_eq!(steps(&chat), [("a100".to_owned(), 3, 1)]);
    // Two H100 at 8 an hour do what three A100 do at 3.
    chat.demand_per_s = None;
    chat.state = WorkloadState::Placed(vec![placed("h100", 2)]);
    assert_eq!(steps(&chat), [("a100".to_owned(), 0, 3), ("h100".to_owned(), 2, 0)]);
}

/// Spot runs longer by the expected loss, and only for work that can take it.
#[test]
fn spot_is_for_work_that_says_how_it_is_interrupted() {
    let mut spot = offer("spot", H100, 1, "1");
    spot.purchase = Purchase::Spot;
    let work = job("train", 1, "5", &[(H100, 10)]);
    let mut input = input(24, vec![offer("h100", H100, 1, "2"), spot], vec![work.clone()]);
    input.policy.spot =
        Some(SpotLoss { mean_up: SignedDuration::from_hours(5), source: "test".to_owned() });
    input.policy.boot = SignedDuration::from_mins(3);
    assert_eq!(plan(&input).unwrap().report.placements[0].cost, usd("20.1"));
    let mins = SignedDuration::from_mins;
    let how = Interruptible { checkpoint: mins(2), restart: mins(10) };
    input.snapshot.workloads = vec![job_with(work, |job| job.interruptible = Some(how))];
    let place = &plan(&input).unwrap().report.placements[0];
    // 10 h of work, 2 interruptions of 12 min each, 3 min of boot.
    assert_eq!(place.window.duration(), mins(600 + 24 + 3));
    assert_eq!(place.cost, usd("10.45"));
}

/// New work buys its own nodes, so that it keeps none that is idle; work that stands and comes
/// back to its nodes before they would be given back does.
#[test]
fn an_idle_node_is_not_kept_for_new_work_and_is_for_what_comes_back_soon() {
    let h100 = offer("h100", H100, 1, "2");
    let node = Node {
        id: NodeId::new("idle").unwrap(),
        offer: h100.id.clone(),
        capacity: h100.capacity,
        price: h100.price.clone(),
        state: NodeState::Ready,
        since: after(-60),
        until: None,
    };
    let released = |work: farthing_model::Observed| {
        let mut input = input(2, vec![h100.clone()], vec![work]);
        input.snapshot.nodes = vec![node.clone()];
        let planned = plan(&input).unwrap();
        assert_eq!(check(&input, &planned), []);
        let actions = planned.plan.steps.iter().map(|step| step.action.name());
        let saved = planned.plan.steps.last().map(|step| step.saving);
        (actions.collect::<Vec<_>>(), saved)
    };
    let work = job("train", 1, "5", &[(H100, 1)]);
    // The job starts now, on the very offer of the node, which is given back all the same.
    assert_eq!(released(work.clone()), (vec!["start", "release"], Some(usd("4"))));
    let comes = |from: i64| {
        let window = Window::new(after(from), after(from + 60)).unwrap();
        let offer = h100.id.clone();
        let there = Assignment { offer, members: 1, nodes_each: 1, window };
        let mut work = work.clone();
        work.state = WorkloadState::Placed(vec![there]);
        released(work)
    };
    assert_eq!(comes(10), (vec![], None), "it would be given back and bought again");
    assert_eq!(comes(11), (vec!["release"], Some(usd("4"))));
}

#[test]
fn idle_nodes_are_given_back_and_owned_ones_stay() {
    let mut owned = offer("owned", A100, 1, "1");
    owned.purchase = Purchase::Owned;
    let offers = vec![offer("h100", H100, 1, "2"), owned];
    let mut work = job("train", 1, "5", &[(H100, 1)]);
    let window = Window::new(after(-30), after(30)).unwrap();
    let assignment = Assignment { offer: offers[0].id.clone(), members: 1, nodes_each: 1, window };
    work.state = WorkloadState::Placed(vec![assignment]);
    let node = |id: &str, offer: usize, since| Node {
        id: NodeId::new(id).unwrap(),
        offer: offers[offer].id.clone(),
        capacity: offers[offer].capacity,
        price: offers[offer].price.clone(),
        state: NodeState::Ready,
        since,
        until: None,
    };
    let mut input = input(2, offers.clone(), vec![work]);
    input.snapshot.nodes = vec![
        node("busy", 0, after(-30)),
        node("idle", 0, after(-60)),
        node("new", 0, after(-5)),
        node("ours", 1, after(-600)),
    ];
    *input.utilisation.get_mut(Resource::Gpu) =
        Some(crate::Utilisation { used_nano: 1, allocated_nano: 2, capacity_nano: 4 });
    let planned = plan(&input).unwrap();
    assert_eq!(check(&input, &planned), []);
    let [step] = planned.plan.steps.as_slice() else { panic!("{:#?}", planned.plan) };
    assert_eq!(step.action, Action::Release { node: "idle".parse().unwrap() });
    assert_eq!((step.saving, step.reasons.as_slice()), (usd("4"), &[Reason::IdleNode][..]));
    let gpu = &planned.report.utilisation[0];
    assert_eq!(gpu.proposal, "under 80.0 %: give back 1 idle node");
    // Half an hour of one GPU in use; paid are busy for that and new until they are given back, and
    // ours for two hours.
    let kept = input.policy.idle_release.as_mins();
    assert!((1..120).contains(&kept), "{kept}");
    assert_eq!(gpu.after, Ratio::of(30, 30 + i128::from(kept) * 2 + 120));
    // It holds cores and says nothing of how many: nobody knows.
    let brings = |planned: &crate::Planned, of: Resource| {
        planned.report.utilisation.iter().find(|row| row.resource == of).unwrap().after
    };
    assert_eq!(brings(&planned, Resource::Cpu), None);
    let mut work = input.snapshot.workloads[0].clone();
    work = with(work, |workload| workload.resources.cpu_milli = 1_000);
    input.snapshot.workloads = vec![work];
    assert!(brings(&plan(&input).unwrap(), Resource::Cpu).is_some_and(|it| it > Ratio::ZERO));
    // Nobody holds anything: that is nothing allocated, and known.
    input.snapshot.workloads = Vec::new();
    let planned = plan(&input).unwrap();
    assert_eq!(brings(&planned, Resource::Gpu), Some(Ratio::ZERO));
    assert_eq!(brings(&planned, Resource::Cpu), Some(Ratio::ZERO));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    /// Law 3: what the meter posts hour by hour for the nodes of each placement is what the plan
    /// said, to the last unit; and the same input gives the same bytes (law 1).
    #[test]
    fn predicted_is_what_is_posted(
        prices in prop::collection::vec(1_u64..4_000_000_000_000, 2..5),
        hours in prop::collection::vec((1_i64..5, 1_u32..4), 1..5),
        boot in 0_i64..300,
        limited in 0_u32..3,
    ) {
        let mut offers: Vec<_> =
            (0..prices.len()).map(|at| offer(&format!("o{at}"), H100, 1, "1")).collect();
        for (offer, price) in offers.iter_mut().zip(&prices) {
            offer.available = (limited > 0).then_some(limited);
            if let farthing_model::Price::Known(rate, _) = &mut offer.price {
                let currency = usd("0").currency();
                let money = farthing_model::Money::from_pico(i128::from(*price), currency);
                *rate = farthing_model::HourlyRate::new(money).unwrap();
            }
        }
        let jobs = hours.iter().enumerate().map(|(at, (hours, count))| {
            let value = (at + 1).to_string();
            job(&format!("job-{at}"), *count, &value, &[(H100, *hours)])
        });
        let mut input = input(6, offers, jobs.collect());
        input.policy.boot = SignedDuration::from_secs(boot);
        let planned = plan(&input).unwrap();
        prop_assert_eq!(check(&input, &planned), []);
        prop_assert_eq!(format!("{:?}", plan(&input)), format!("{:?}", Ok::<_, ()>(&planned)));
        let mut posted = 0;
        for place in &planned.report.placements {
            let rate = input.offers.iter().find(|offer| Some(&offer.id) == place.offer.as_ref());
            let rate = rate.unwrap().price.rate().unwrap();
            for _ in 0..place.members * place.nodes_each {
                let parts = place.window.by_hour().map(|hour| rate.cost(hour).unwrap().pico());
                posted += parts.sum::<i128>();
            }
        }
        prop_assert_eq!(posted, planned.report.cost.pico());
        let steps: i128 = planned.plan.steps.iter().map(|step| step.cost.pico()).sum();
        prop_assert_eq!(posted, steps);
    }
}

/// A step names the next best and, if that is the same machine elsewhere, the best on another one.
#[test]
fn a_step_names_the_next_best_and_the_best_on_another_machine() {
    let offers = vec![
        offer("a100-east", A100, 1, "1"),
        offer("a100-west", A100, 1, "1.1"),
        offer("h100", H100, 1, "3"),
    ];
    let work = job("train", 1, "5", &[(H100, 4), (A100, 10)]);
    let planned = plan(&input(24, offers.clone(), vec![work])).unwrap();
    let next = Some((offers[1].id.clone(), usd("11")));
    let other = Reason::OtherMachine { offer: offers[2].id.clone(), cost: usd("12") };
    let reasons = &planned.report.placements[0].reasons;
    assert_eq!(*reasons, [Reason::Cheapest { runner_up: next, considered: 3 }, other]);
}
