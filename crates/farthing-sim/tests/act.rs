//! Acting: conflicts, idempotence, availability, undo, and answers that get lost.
#![allow(clippy::unwrap_used, clippy::panic)]

mod cluster;

use cluster::*;
use farthing_edge::{Act, Class, Observe};
use farthing_model::*;
use farthing_sim::*;
use jiff::SignedDuration;

const H100: &str = "H100-80GB-SXM";

fn outcome(world: &mut SimWorld, step: &Step, minute: i64) -> ReceiptOutcome {
    world.act(step, at(minute)).unwrap().outcome
}

fn conflict(text: &str) -> ReceiptOutcome {
    ReceiptOutcome::Conflict(text.to_owned())
}

fn one() -> (Offer, SimWorld) {
    let offer = offer(H100, 1, Purchase::OnDemand, None);
    (offer.clone(), world(vec![offer], vec![job("a", H100, 60, true)]))
}

#[test]
fn a_step_is_done_once() {
    let (offer, mut world) = one();
    let step = step("s", 1, start("a", &offer, window(0, 63)));
    assert_eq!(outcome(&mut world, &step, 0), ReceiptOutcome::Done);
    assert_eq!(outcome(&mut world, &step, 0), ReceiptOutcome::AlreadyDone);
    assert_eq!(outcome(&mut world, &step, 500), ReceiptOutcome::AlreadyDone);
    let known = world.outcome_of(&step.id, at(500)).unwrap().unwrap();
    assert_eq!((known.at, known.outcome), (at(0), ReceiptOutcome::Done));
    assert_eq!(world.score().jobs_done, 1);
}

#[test]
fn another_generation_is_a_conflict_and_changes_nothing() {
    let (offer, mut world) = one();
    let stale = step("s", 7, start("a", &offer, window(0, 63)));
    let expected = conflict("workload a has generation 1, not 7");
    assert_eq!(outcome(&mut world, &stale, 0), expected);
    assert_eq!(world.outcome_of(&stale.id, at(0)).unwrap(), None);
    assert!(world.observe(at(1)).unwrap().nodes.is_empty());
    let unknown = step("t", 1, start("b", &offer, window(0, 63)));
    assert_eq!(outcome(&mut world, &unknown, 0), conflict("workload b is not there"));
}

#[test]
fn steps_of_one_plan_do_not_conflict_and_later_ones_do() {
    let offer = offer(H100, 1, Purchase::OnDemand, None);
    let mut many = job("a", H100, 60, false);
    let WorkloadKind::Job(it) = &mut many.kind else { panic!() };
    it.count = 3;
    let mut world = world(vec![offer.clone()], vec![many]);
    let starts = |id: &str| step(id, 1, start("a", &offer, window(0, 63)));
    assert_eq!(outcome(&mut world, &starts("s"), 0), ReceiptOutcome::Done);
    assert_eq!(outcome(&mut world, &starts("t"), 0), ReceiptOutcome::Done);
    let expected = conflict("workload a has generation 3, not 1");
    assert_eq!(outcome(&mut world, &starts("u"), 1), expected);
    let WorkloadState::Placed(there) = seen(&mut world, "a", at(1)).state else { panic!() };
    assert_eq!((there.len(), there[0].members), (1, 2), "alike members are one assignment");
    let more = Action::Start {
        workload: WorkloadId::new("a").unwrap(),
        offer: offer.id.clone(),
        members: 2,
        nodes_each: 1,
        window: window(1, 64),
    };
    let expected = conflict("job a has 1 members that wait");
    assert_eq!(outcome(&mut world, &step("v", 3, more), 1), expected);
    // Members that are done keep their assignment until the whole job is.
    let WorkloadState::Placed(there) = seen(&mut world, "a", at(80)).state else { panic!() };
    assert_eq!(there[0].window, window(0, 63));
    let last = step("w", 3, start("a", &offer, window(80, 143)));
    assert_eq!(outcome(&mut world, &last, 80), ReceiptOutcome::Done);
    assert_eq!(seen(&mut world, "a", at(143)).state, WorkloadState::Finished(at(143)));
}

#[test]
fn an_offer_gives_no_more_than_it_has() {
    let offer = offer(H100, 1, Purchase::OnDemand, Some(1));
    let jobs = ["a", "b", "c"].map(|name| job(name, H100, 60, false));
    let mut world = world(vec![offer.clone()], jobs.into());
    let begin = |name: &str, from| step(name, 1, start(name, &offer, window(from, from + 63)));
    assert_eq!(outcome(&mut world, &begin("a", 0), 0), ReceiptOutcome::Done);
    let full = "sim/r/H100-80GB-SXM-x1/on-demand has no capacity for 1 more nodes";
    let full = ReceiptOutcome::Failed(full.to_owned());
    assert_eq!(outcome(&mut world, &begin("b", 0), 0), full);
    assert_eq!(outcome(&mut world, &begin("b", 62), 0), full);
    // Right behind the first one is room, and then not before it.
    assert_eq!(outcome(&mut world, &begin("b", 63), 0), ReceiptOutcome::Done);
    assert_eq!(outcome(&mut world, &begin("c", 10), 0), full);
    assert_eq!(seen(&mut world, "b", at(126)).state, WorkloadState::Finished(at(126)));
    assert_eq!(world.score().starts_refused, 0);
}

#[test]
fn a_scheduled_start_behind_an_overdue_job_waits_again() {
    let offer = offer(H100, 1, Purchase::OnDemand, Some(1));
    let jobs = ["a", "b"].map(|name| job(name, H100, 60, false));
    let mut world = world(vec![offer.clone()], jobs.into());
    let early = step("s", 1, start("a", &offer, window(0, 30)));
    assert_eq!(outcome(&mut world, &early, 0), ReceiptOutcome::Done);
    let behind = step("t", 1, start("b", &offer, window(30, 93)));
    assert_eq!(outcome(&mut world, &behind, 0), ReceiptOutcome::Done);
    let observed = seen(&mut world, "b", at(31));
    assert_eq!((observed.state, observed.generation), (WorkloadState::Waiting, 3));
    assert_eq!(world.score().starts_refused, 1);
}

#[test]
fn what_was_not_measured_is_refused() {
    let (_, mut world) = one();
    let l4 = offer("L4-24GB", 1, Purchase::OnDemand, None);
    let step_on = |offer: &Offer| step("s", 1, start("a", offer, window(0, 63)));
    let text = "there is no offer sim/r/L4-24GB-x1/on-demand".to_owned();
    assert_eq!(outcome(&mut world, &step_on(&l4), 0), ReceiptOutcome::Failed(text));
    let mut both = cluster::world(vec![l4.clone()], vec![job("a", H100, 60, true)]);
    let text = "job a was not measured on 1 nodes of sim/r/L4-24GB-x1/on-demand".to_owned();
    assert_eq!(outcome(&mut both, &step_on(&l4), 0), ReceiptOutcome::Failed(text));
    let text = "scale does not go with the workload's kind".to_owned();
    let scaled = step("t", 1, scale("a", &l4, 0, 1, window(0, 60)));
    assert_eq!(outcome(&mut both, &scaled, 0), ReceiptOutcome::Failed(text));
}

#[test]
fn suspend_keeps_the_work_and_resume_lets_it_be_placed() {
    let (offer, mut world) = one();
    let name = WorkloadId::new("a").unwrap();
    let suspend =
        |id: &str, generation| step(id, generation, Action::Suspend { workload: name.clone() });
    let resume = step("r", 3, Action::Resume { workload: name.clone() });
    let nothing = conflict("job a has nothing placed to suspend");
    assert_eq!(outcome(&mut world, &suspend("x", 1), 0), nothing);
    let begin = step("s", 1, start("a", &offer, window(0, 63)));
    assert_eq!(outcome(&mut world, &begin, 0), ReceiptOutcome::Done);
    assert_eq!(outcome(&mut world, &suspend("y", 2), 33), ReceiptOutcome::Done);
    let observed = seen(&mut world, "a", at(40));
    assert_eq!(observed.state, WorkloadState::Suspended);
    // Thirty minutes are done, and a minute to be productive again.
    let left = observed.workload.job().unwrap().work.clone().unwrap().amount;
    assert_eq!(left, Decimal::from_int(31 * 60));
    assert!(world.observe(at(40)).unwrap().nodes.is_empty());
    let not_yet = step("t", 3, start("a", &offer, window(40, 74)));
    assert_eq!(outcome(&mut world, &not_yet, 40), conflict("job a is not to be started"));
    assert_eq!(outcome(&mut world, &resume, 50), ReceiptOutcome::Done);
    let again = step("u", 4, start("a", &offer, window(50, 84)));
    assert_eq!(outcome(&mut world, &again, 50), ReceiptOutcome::Done);
    assert_eq!(seen(&mut world, "a", at(90)).state, WorkloadState::Finished(at(84)));
}

#[test]
fn an_idle_node_can_be_given_back_and_one_in_use_cannot() {
    let offer = offer(H100, 1, Purchase::OnDemand, None);
    let mut idle = scenario(vec![offer.clone()], vec![job("a", H100, 60, true)]);
    let forgotten = NodeId::new("dev").unwrap();
    idle.idle = vec![IdleNode { id: forgotten.clone(), offer: offer.id.clone() }];
    let mut world = SimWorld::new(&idle).unwrap();
    let release = |id: &str, node: &NodeId| step(id, 0, Action::Release { node: node.clone() });
    let begin = step("s", 1, start("a", &offer, window(0, 63)));
    assert_eq!(outcome(&mut world, &begin, 0), ReceiptOutcome::Done);
    let nodes = world.observe(at(1)).unwrap().nodes;
    assert_eq!(nodes.len(), 2, "a bought node is never a forgotten one");
    let busy = nodes.iter().find(|node| node.id != forgotten).unwrap().id.clone();
    let in_use = conflict(&format!("node {busy} is in use"));
    assert_eq!(outcome(&mut world, &release("r", &busy), 1), in_use);
    assert_eq!(outcome(&mut world, &release("t", &forgotten), 10), ReceiptOutcome::Done);
    let gone = conflict("node dev is not there any more");
    assert_eq!(outcome(&mut world, &release("u", &forgotten), 11), gone);
    let error = world.undo(&release("t", &forgotten), at(12)).unwrap_err();
    assert_eq!(error.class(), Class::Denied);
    let expected = "step t cannot be undone: a node that was given back cannot be had again";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn undo_takes_back_what_a_step_changed() {
    let (offer, mut world) = one();
    let begin = step("s", 1, start("a", &offer, window(0, 63)));
    let never = world.undo(&begin, at(0)).unwrap_err();
    assert_eq!(never.to_string(), "step s never took effect");
    assert_eq!(outcome(&mut world, &begin, 0), ReceiptOutcome::Done);
    assert_eq!(world.undo(&begin, at(0)).unwrap().outcome, ReceiptOutcome::Done);
    assert_eq!(world.undo(&begin, at(0)).unwrap().outcome, ReceiptOutcome::AlreadyDone);
    let observed = seen(&mut world, "a", at(1));
    assert_eq!((observed.state, observed.generation), (WorkloadState::Waiting, 3));
    assert_eq!(*observed.workload, job("a", H100, 60, true), "it had not begun to work");
    let again = step("t", 3, start("a", &offer, window(1, 64)));
    assert_eq!(outcome(&mut world, &again, 1), ReceiptOutcome::Done);
    let name = WorkloadId::new("a").unwrap();
    let suspend = step("u", 4, Action::Suspend { workload: name.clone() });
    assert_eq!(outcome(&mut world, &suspend, 2), ReceiptOutcome::Done);
    assert_eq!(world.undo(&suspend, at(3)).unwrap().outcome, ReceiptOutcome::Done);
    assert_eq!(seen(&mut world, "a", at(3)).state, WorkloadState::Waiting);
    let ended = world.undo(&again, at(3)).unwrap_err();
    assert_eq!(ended.to_string(), "step t cannot be undone: what it started has ended");
}

#[test]
fn undo_of_a_scaling_sets_the_replicas_back() {
    let mut day = Scenario::noise_free(4).unwrap();
    day.jobs.clear();
    let offer = offer(H100, 1, Purchase::OnDemand, Some(5));
    day.offers = [offer.clone()].into();
    day.idle.clear();
    let mut world = SimWorld::new(&day).unwrap();
    let replicas = |world: &mut SimWorld, minute| match seen(world, "service", at(minute)).state {
        WorkloadState::Placed(there) => there.iter().map(|it| it.members).sum(),
        _ => 0,
    };
    let up = step("up", 1, scale("service", &offer, 0, 2, window(0, 60)));
    let down = step("down", 2, scale("service", &offer, 2, 1, window(5, 60)));
    assert_eq!(outcome(&mut world, &up, 0), ReceiptOutcome::Done);
    assert_eq!(outcome(&mut world, &down, 5), ReceiptOutcome::Done);
    assert_eq!(replicas(&mut world, 6), 1);
    world.undo(&down, at(6)).unwrap();
    assert_eq!(replicas(&mut world, 7), 2);
    let wrong = step("wrong", 4, scale("service", &offer, 1, 3, window(7, 60)));
    let expected = conflict(&format!("service service has 2 replicas on {}, not 1", offer.id));
    assert_eq!(outcome(&mut world, &wrong, 7), expected);
    let many = step("many", 4, scale("service", &offer, 2, 9, window(7, 60)));
    assert!(matches!(outcome(&mut world, &many, 7), ReceiptOutcome::Failed(_)));
    // Replicas that are ordered for later come then.
    let later = step("later", 4, scale("service", &offer, 2, 4, window(30, 60)));
    assert_eq!(outcome(&mut world, &later, 8), ReceiptOutcome::Done);
    assert_eq!(replicas(&mut world, 9), 4, "two are ordered");
    assert_eq!(world.observe(at(29)).unwrap().nodes.len(), 2);
    assert_eq!(world.observe(at(30)).unwrap().nodes.len(), 4);
}

fn faulty(faults: FaultRates) -> (Offer, SimWorld) {
    let offer = offer(H100, 1, Purchase::OnDemand, None);
    let base = scenario(vec![offer.clone()], vec![job("a", H100, 60, true)]);
    (offer, SimWorld::new(&Scenario { faults, ..base }).unwrap())
}

#[test]
fn an_answer_that_is_lost_can_be_asked_for() {
    let none = FaultRates::default();
    let (offer, mut world) = faulty(FaultRates { timeout: 1_000_000, ..none });
    let begin = step("s", 1, start("a", &offer, window(0, 63)));
    assert_eq!(world.act(&begin, at(0)).unwrap_err().class(), Class::Transient);
    let known = world.outcome_of(&begin.id, at(1)).unwrap().unwrap();
    assert_eq!((known.at, known.outcome), (at(0), ReceiptOutcome::Done));
    assert_eq!(world.act(&begin, at(1)).unwrap().outcome, ReceiptOutcome::AlreadyDone);
    let (offer, mut world) = faulty(FaultRates { act_error: 1_000_000, ..none });
    let begin = step("s", 1, start("a", &offer, window(0, 63)));
    assert_eq!(world.act(&begin, at(0)).unwrap_err().class(), Class::Transient);
    assert_eq!(world.outcome_of(&begin.id, at(1)).unwrap(), None);
    assert!(world.observe(at(1)).unwrap().nodes.is_empty());
}

#[test]
fn others_change_a_workload_and_capacity_runs_out() {
    let none = FaultRates::default();
    let (offer, mut world) = faulty(FaultRates { conflict: 1_000_000, ..none });
    let begin = step("s", 1, start("a", &offer, window(0, 63)));
    let expected = conflict("workload a was changed meanwhile");
    assert_eq!(outcome(&mut world, &begin, 0), expected);
    assert_eq!(seen(&mut world, "a", at(0)).generation, 2);
    let (offer, mut world) = faulty(FaultRates { no_capacity: 1_000_000, ..none });
    let begin = step("s", 1, start("a", &offer, window(0, 63)));
    assert!(matches!(outcome(&mut world, &begin, 0), ReceiptOutcome::Failed(_)));
    assert_eq!(world.score().faults.of(FaultKind::NoCapacity), 1);
    assert_eq!(seen(&mut world, "a", at(0)).generation, 1);
}

#[test]
fn the_clock_jumps_when_it_is_asked_to() {
    let (_, mut world) = faulty(FaultRates { clock_jump: 1_000_000, ..FaultRates::default() });
    let jumps: Vec<SignedDuration> = (0..50).filter_map(|_| world.clock_jump()).collect();
    assert_eq!(jumps.len(), 50);
    assert!(jumps.iter().any(SignedDuration::is_negative));
    assert!(jumps.iter().all(|jump| jump.abs() <= SignedDuration::from_mins(10)));
}
