//! Laws 1 to 3: the same input gives the same bytes; planning again after acting proposes nothing;
//! in a noise-free world what a step was predicted to cost is what is posted, to the last unit.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

mod support;

use farthing_engine::{ActionRecord, Held, Planner, decide_again};
use farthing_model::{Charge, Money, NodeId, ReceiptOutcome, Window, WorkloadId, WorkloadState};
use farthing_planner::Input;
use farthing_sim::Scenario;
use jiff::SignedDuration;
use std::collections::BTreeMap;
use support::{Parts, Told, each_seed, instants, seeds};

const TICK: SignedDuration = SignedDuration::from_mins(30);

/// Drives a whole day. Returns its parts after the last tick.
fn day(scenario: &Scenario) -> Parts {
    let parts = Parts::new(scenario, TICK);
    let mut engine = parts.open(scenario.start);
    for now in instants(scenario.start, scenario.end, TICK) {
        engine.tick(now).unwrap();
    }
    engine.close(scenario.end).unwrap();
    parts
}

/// All charges of a run.
fn charges(parts: &Parts, scenario: &Scenario) -> Vec<Charge> {
    let window = Window::new(scenario.start, scenario.end).unwrap();
    parts.books.charges(&parts.config.cluster, window).unwrap()
}

/// Every file under a folder with its bytes, by name.
fn files(folder: &std::path::Path) -> BTreeMap<std::path::PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(files(&path));
        } else {
            all.insert(path.clone(), std::fs::read(&path).unwrap());
        }
    }
    all
}

/// Law 1, also for a day full of faults: they are drawn from the seed too.
#[test]
fn the_same_scenario_twice_gives_the_same_bytes() {
    let seeds = seeds(0..8);
    each_seed(("laws_plan", "the_same_scenario_twice_gives_the_same_bytes"), &seeds, |seed| {
        let scenario = Scenario::random_day(seed).unwrap();
        let (one, two) = (day(&scenario), day(&scenario));
        let records = one.store.verified();
        assert!(records.len() > 40, "seed {seed} has {} records", records.len());
        assert_eq!(records, two.store.verified(), "seed {seed}: the journals differ");
        let charged = charges(&one, &scenario);
        assert!(!charged.is_empty());
        assert_eq!(charged, charges(&two, &scenario), "seed {seed}: the charges differ");
        let logs = (one.world.0.borrow().score().digest, two.world.0.borrow().score().digest);
        assert_eq!(logs.0, logs.1, "seed {seed}: the worlds differ");
    });
}

/// Law 1 from what was kept: the bytes of an input give the plan that the journal has.
#[test]
fn a_plan_made_again_from_kept_bytes_is_the_recorded_one() {
    let seeds = seeds(0..4);
    each_seed(
        ("laws_plan", "a_plan_made_again_from_kept_bytes_is_the_recorded_one"),
        &seeds,
        |seed| {
            let scenario = Scenario::random_day(seed).unwrap();
            let parts = Parts::new(&scenario, TICK);
            let mut engine = parts.open(scenario.start);
            let mut made = 0;
            for now in instants(scenario.start, scenario.end, TICK) {
                let tick = engine.tick(now).unwrap();
                let recorded = engine.open_state().plan.clone();
                let (Some(input), Some(recorded)) = (tick.input, recorded) else { continue };
                if recorded.plan != input.id.as_str() {
                    continue;
                }
                made += 1;
                let bytes = input.to_bytes();
                let back = Input::from_bytes(&bytes).unwrap();
                assert_eq!(back.to_bytes(), bytes, "seed {seed}, {}", recorded.plan);
                let again = decide_again(Planner::Farthing, &back).unwrap();
                assert_eq!(again.record, recorded, "seed {seed}");
                for length in (0..bytes.len()).step_by(bytes.len() / 50 + 1) {
                    assert!(Input::from_bytes(&bytes[..length]).is_err(), "cut to {length}");
                }
            }
            assert!(made > 3, "seed {seed} recorded {made} plans");
        },
    );
}

/// Law 1 for what lies on the disk.
#[test]
fn the_same_scenario_twice_writes_the_same_files() {
    let scenario = Scenario::random_day(3).unwrap();
    let run = |name: &str| {
        let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        if folder.exists() {
            std::fs::remove_dir_all(&folder).unwrap();
        }
        std::fs::create_dir_all(&folder).unwrap();
        let books = farthing_ledger::Books::open_folder(&folder).unwrap();
        let parts = Parts { books, ..Parts::new(&scenario, TICK) };
        let mut engine = parts.open(scenario.start);
        let until = scenario.start + SignedDuration::from_hours(5);
        for now in instants(scenario.start, until, TICK) {
            engine.tick(now).unwrap();
        }
        let all = files(&folder);
        let names = all
            .into_iter()
            .map(|(path, bytes)| (path.strip_prefix(&folder).unwrap().to_owned(), bytes));
        names.collect::<BTreeMap<_, _>>()
    };
    let (one, two) = (run("laws-plan-one"), run("laws-plan-two"));
    assert!(one.len() >= 8, "there are {} files", one.len());
    assert!(one.keys().eq(two.keys()), "the files differ");
    for (name, bytes) in &one {
        assert!(*bytes == two[name], "{} differs", name.display());
    }
}

/// Law 2.
#[test]
fn planning_again_after_acting_proposes_nothing() {
    let seeds = seeds(0..24);
    let name = ("laws_plan", "planning_again_after_acting_proposes_nothing");
    let counts = each_seed(name, &seeds, |seed| {
        let scenario = Scenario::noise_free(seed).unwrap();
        let parts = Parts::new(&scenario, TICK);
        let mut engine = parts.open(scenario.start);
        let (mut acted, mut moving) = (0, 0);
        for now in instants(scenario.start, scenario.end, TICK) {
            let first = engine.tick(now).unwrap();
            let (held, receipts) = (&first.acted.held, &first.acted.receipts);
            // Replicas go when those in their place are there, which takes its time: until then
            // the plan is not yet acted on, and what they hold may be missing elsewhere.
            assert!(
                held.iter().all(|(_, held)| *held == Held::Replacement),
                "seed {seed} at {now}: {held:#?}"
            );
            let moves = !held.is_empty();
            moving += usize::from(moves);
            let failed = receipts.iter().find(|it| it.outcome != ReceiptOutcome::Done);
            assert!(moves || failed.is_none(), "seed {seed} at {now}: {failed:?}");
            acted += receipts.len();
            let again = engine.tick(now).unwrap();
            let steps = again.planned.expect("a plan").plan.steps;
            assert!(moves || steps.is_empty(), "seed {seed} at {now}: again {steps:#?}");
            assert!(moves || again.acted.receipts.is_empty());
        }
        (acted, moving)
    });
    let acted: usize = counts.iter().map(|(acted, _)| acted).sum();
    let moving: usize = counts.iter().map(|(_, moving)| moving).sum();
    println!("{acted} steps on {} days; a service moved in {moving} ticks", counts.len());
    assert!(acted > 4 * counts.len(), "too little was done");
    assert!(moving < 10 * counts.len(), "services move all the time: this tests nothing");
}

/// Law 3. What is posted for a job is what the nodes cost that it held, booting and unused
/// resources included, as that is what a step's cost is about.
#[test]
fn what_was_predicted_is_what_is_posted_for_each_finished_job() {
    let seeds = seeds(0..24);
    let name = ("laws_plan", "what_was_predicted_is_what_is_posted_for_each_finished_job");
    let counts = each_seed(name, &seeds, |seed| {
        let scenario = Scenario::noise_free(seed).unwrap();
        let parts = day(&scenario);
        let told = Told::by(&parts.store.verified());
        let mut predicted: BTreeMap<WorkloadId, i128> = BTreeMap::new();
        for step in told.done() {
            if let ActionRecord::Start { workload, .. } = &told.proposed[step].action {
                let cost: Money = told.proposed[step].cost.parse().unwrap();
                let id = WorkloadId::new(workload).unwrap();
                *predicted.entry(id).or_default() += cost.pico();
            }
        }
        let posted = posted_by_node(&charges(&parts, &scenario));
        let snapshot = {
            use farthing_edge::Observe as _;
            parts.world.clone().observe(scenario.end).unwrap()
        };
        let settled = settled_by_job(&told);
        let mut finished = 0;
        for seen in &snapshot.workloads {
            let id = &seen.workload.id;
            if let (WorkloadState::Finished(_), Some(predicted)) = (&seen.state, predicted.get(id))
            {
                finished += 1;
                assert_eq!(posted.get(id), Some(predicted), "seed {seed}: job {id}");
                assert_eq!(settled.get(id), Some(predicted), "seed {seed}: job {id} as settled");
            }
        }
        finished
    });
    let finished: i32 = counts.iter().sum();
    println!("{finished} finished jobs on {} days", counts.len());
    assert!(finished > 0, "no job was finished");
}

/// What the nodes of each workload cost, in 10^-12. A bought node is held by one workload.
fn posted_by_node(charges: &[Charge]) -> BTreeMap<WorkloadId, i128> {
    let mut holders: BTreeMap<&NodeId, &WorkloadId> = BTreeMap::new();
    for charge in charges {
        if let Some(who) = &charge.attribution {
            let before = holders.insert(&charge.node, &who.workload);
            assert!(before.is_none_or(|before| *before == who.workload), "{} shared", charge.node);
        }
    }
    let mut posted = BTreeMap::new();
    for charge in charges {
        if let Some(holder) = holders.get(&charge.node) {
            *posted.entry((*holder).clone()).or_default() += charge.cost.pico();
        }
    }
    posted
}

/// What the engine itself settled for the steps of each job, in 10^-12.
fn settled_by_job(told: &Told) -> BTreeMap<WorkloadId, i128> {
    let mut settled = BTreeMap::new();
    for (step, posted) in &told.settled {
        if let ActionRecord::Start { workload, .. } = &told.proposed[step].action {
            *settled.entry(WorkloadId::new(workload).unwrap()).or_default() += posted.pico();
        }
    }
    settled
}
