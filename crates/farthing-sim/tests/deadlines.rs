//! Deadlines: what spot capacity may be used for, and that no interruption of it makes a job late.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

mod cluster;
mod support;

use farthing_edge::Observe as _;
use farthing_engine::ActionRecord;
use farthing_model::WorkloadState;
use farthing_sim::Scenario;
use jiff::SignedDuration;
use support::{Parts, Told, each_seed, instants, seeds};

const TICK: SignedDuration = SignedDuration::from_mins(5);

fn demo(seed: u64) -> (u64, u64, i128) {
    let scenario = Scenario::demo(seed, &cluster::price_book().into()).unwrap();
    let mut parts = Parts::new(&scenario, TICK);
    parts.config.budgets = scenario.budgets.clone();
    let mut engine = parts.open(scenario.start);
    let mut paid = 0;
    for now in instants(scenario.start, scenario.end, TICK) {
        let tick = engine.tick(now).unwrap();
        paid += tick.money.paid.pico();
    }
    let told = Told::by(&parts.store.verified());
    let seen = parts.world.clone().observe(scenario.end).unwrap();
    let world = parts.world.0.borrow();
    for (index, arrival) in scenario.jobs.iter().enumerate() {
        let Some(seen) = seen.workload(&arrival.workload.id) else { continue };
        let Some(deadline) = arrival.workload.job().unwrap().deadline else { continue };
        let missed = match seen.state {
            WorkloadState::Finished(at) => at > deadline,
            _ => deadline < scenario.end,
        };
        if !missed {
            continue;
        }
        println!("seed {seed}: {} submitted {} deadline {deadline} {:?}", arrival.workload.id, arrival.at, seen.state);
        for line in world.log() {
            if line.contains(&format!("job: {index},")) || line.contains(&format!("JobArrives({index})")) {
                println!("   {line}");
            }
        }
        for (id, step) in &told.proposed {
            if let ActionRecord::Start { workload, offer, from, to, .. } = &step.action {
                if *workload == arrival.workload.id.as_str() {
                    println!("   {id} {offer} {from} {to} {:?} {:?}", told.happened.get(id), told.outcomes.get(id));
                }
            }
        }
    }
    let score = world.score();
    println!("seed {seed}: paid {} {score}", paid / 1_000_000_000_000);
    (score.deadlines_due, score.deadlines_missed, paid)
}

#[test]
fn the_demo_meets_its_deadlines() {
    let seeds = seeds(1..2);
    each_seed(("deadlines", "the_demo_meets_its_deadlines"), &seeds, demo);
}
