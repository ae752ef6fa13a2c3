//! Events per second of the world itself: a service under load for a week, and small days.
//!
//! Run with `cargo run --release -p farthing-sim --example events`.
#![allow(clippy::print_stdout)]

use farthing_edge::{Act, Measure};
use farthing_model::{
    Action, Currency, Money, Offer, ReceiptOutcome, Step, StepId, Window, WorkloadId,
};
use farthing_sim::{Scenario, SimWorld};
use jiff::SignedDuration;
use std::error::Error;
use std::time::Instant;

/// Requests come so many times faster than in the scenario.
const FASTER: u32 = 10;
const REPLICAS: u32 = 12;

fn main() -> Result<(), Box<dyn Error>> {
    let mut scenario = Scenario::noise_free(1)?;
    scenario.jobs.clear();
    scenario.services[0].stream.pace_milli *= FASTER;
    let is = |offer: &&Offer| offer.id.as_str().contains("h100-80gb-sxm-x1/on-demand");
    let mut offer = scenario.offers.iter().find(is).cloned().ok_or("no offer")?;
    offer.available = None;
    scenario.offers = [offer.clone()].into();
    scenario.idle.clear();
    let mut world = SimWorld::new(&scenario)?;
    let week = Window::starting(scenario.start, SignedDuration::from_hours(7 * 24));
    let action = Action::Scale {
        workload: WorkloadId::new("service")?,
        offer: offer.id,
        from: 0,
        to: REPLICAS,
        nodes_each: 1,
        window: week.ok_or("no week")?,
    };
    let step = Step {
        id: StepId::new("scale")?,
        action,
        generation: 1,
        cost: Money::zero(Currency::USD),
        saving: Money::zero(Currency::USD),
        reasons: Vec::new(),
        expires: scenario.end,
    };
    let begin = Instant::now();
    let receipt = world.act(&step, scenario.start)?;
    if receipt.outcome != ReceiptOutcome::Done {
        return Err(format!("the service was not scaled: {receipt:?}").into());
    }
    let mut now = scenario.start;
    for _ in 0..7 * 24 * 6 {
        let window = Window::starting(now, SignedDuration::from_mins(10)).ok_or("no window")?;
        world.measure(window)?;
        now = window.to();
    }
    let took = begin.elapsed();
    let score = world.score();
    println!("{score}");
    let events = u128::from(score.events) * 1_000_000_000;
    let rate = events / took.as_nanos().max(1);
    println!("{} events in {took:?}: {rate} events/s", score.events);
    println!(
        "{{\"bench\": \"sim-world-alone\", \"value\": {rate}, \"limit\": 100000, \"unit\": \"events/s\", \
         \"events\": {}}}",
        score.events
    );
    Ok(())
}
