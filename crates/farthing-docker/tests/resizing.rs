//! Limits of real containers, changed while they run: by what was measured, once, and taken back.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod engine;
mod machine;

use engine::{Engine, IMAGE};
use farthing_docker::Docker;
use farthing_edge::{Act, Measure, Observe};
use farthing_model::{
    Action, Fit, ReceiptOutcome, Resources, Step, StepId, Window, Workload, WorkloadId,
};
use jiff::{SignedDuration, Timestamp};
use machine::{FOREVER, Machine, Used, does, node, open_with, seen, start, step, suspend, task};
use std::sync::Arc;

fn size(cpu_milli: u64, memory_mib: u64) -> Resources {
    Resources { cpu_milli, memory_bytes: memory_mib << 20, ..Resources::default() }
}

const NAME: &str = "train";

/// Two containers of half a core and 64 MiB; what is measured of them is in `used`.
fn two(engine: &Engine, used: &Used, script: &str) -> Docker<Machine> {
    let mut task = task(NAME, 2, Some(1), script);
    task.workload = Arc::new(Workload { resources: size(500, 64), ..(*task.workload).clone() });
    let mut docker = open_with(engine, vec![task], Used::clone(used));
    let started = start(&mut docker, "p1-1", NAME, 2);
    assert_eq!(does(&mut docker, &started), ReceiptOutcome::Done);
    docker
}

/// Measures so many times, a second each, from `from` on.
fn measured(docker: &mut Docker<Machine>, from: Timestamp, times: i64) -> Timestamp {
    let second = SignedDuration::from_secs(1);
    for number in 0..times {
        let from = from.checked_add(SignedDuration::from_secs(number)).unwrap();
        docker.measure(Window::starting(from, second).unwrap()).unwrap();
    }
    from.checked_add(SignedDuration::from_secs(times)).unwrap()
}

fn fit(docker: &mut Docker<Machine>) -> Option<Fit> {
    let snapshot = docker.observe(Timestamp::now()).unwrap();
    snapshot.terms.workloads.get(&WorkloadId::new(NAME).unwrap())?.fit.clone()
}

fn resize(docker: &mut Docker<Machine>, id: &str, sizes: (Resources, Resources)) -> Step {
    let workload = WorkloadId::new(NAME).unwrap();
    let window = Window::starting(Timestamp::now(), SignedDuration::from_hours(1)).unwrap();
    let (from, to) = sizes;
    let action = Action::Resize { workload, members: 2, from, to, window };
    step(id, action, seen(docker, NAME).generation)
}

/// Quota of processor time and limit of memory of each running container, as the kernel has them.
fn kernel(engine: &Engine) -> Vec<(u64, u64)> {
    let pids = engine.podman("ps --quiet | xargs -r podman inspect --format '{{.State.Pid}}'");
    let group = |pid: &str, controller: &str| {
        let text = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
        let line = |it: &&str| it.split(':').nth(1).unwrap().split(',').any(|it| it == controller);
        let line = text.lines().find(line).map(|line| (line, format!("/{controller}")));
        let (line, mount) = line.unwrap_or_else(|| (text.lines().last().unwrap(), String::new()));
        format!("/sys/fs/cgroup{mount}{}", line.split(':').nth(2).unwrap())
    };
    let read = |path: String| {
        let text = std::fs::read_to_string(path).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    };
    let of = |pid: &str| {
        let (cpu, memory) = (group(pid, "cpu"), group(pid, "memory"));
        let quota =
            read(format!("{cpu}/cpu.cfs_quota_us")).or_else(|| read(format!("{cpu}/cpu.max")));
        let limit = read(format!("{memory}/memory.limit_in_bytes"));
        (quota.unwrap(), limit.or_else(|| read(format!("{memory}/memory.max"))).unwrap() >> 20)
    };
    pids.lines().map(of).collect()
}

#[test]
fn limits_of_what_runs_are_changed_once_and_taken_back() {
    let Some(engine) = Engine::start() else { return };
    let used = Used::default();
    let mut docker = two(&engine, &used, FOREVER);
    assert_eq!(fit(&mut docker), None, "nothing was measured");
    for id in engine.podman("ps --quiet").lines() {
        used.borrow_mut().insert(id.to_owned(), (50, 3 << 20));
    }
    let from = Timestamp::now().checked_add(SignedDuration::from_secs(2)).unwrap();
    let until = measured(&mut docker, from, 5);
    let found = fit(&mut docker).unwrap();
    assert_eq!((found.members, found.limits, found.since), (2, size(500, 64), from));
    assert_eq!((found.usual, found.peak.cpu_milli, found.last), (size(50, 3), 50, size(50, 3)));
    assert!((3 << 20..64 << 20).contains(&found.peak.memory_bytes), "{found:?}");
    // Half of it: the kernel holds them to it, and what was left is the machine's.
    let step = resize(&mut docker, "r2-1", (size(500, 64), size(100, 32)));
    assert_eq!(does(&mut docker, &step), ReceiptOutcome::Done);
    assert_eq!(kernel(&engine), [(10_000, 32), (10_000, 32)]);
    assert_eq!(does(&mut docker, &step), ReceiptOutcome::AlreadyDone);
    let outcome = docker.outcome_of(&step.id, Timestamp::now()).unwrap();
    assert_eq!(outcome.map(|it| it.outcome), Some(ReceiptOutcome::Done));
    let nodes = docker.observe(Timestamp::now()).unwrap().nodes;
    let cores: Vec<u64> = nodes.iter().map(|node| node.capacity.cpu_milli).collect();
    assert_eq!(cores, [3_800, 100, 100]);
    // It fits anew from then on: what was used of other limits says nothing.
    measured(&mut docker, until, 1);
    assert!(fit(&mut docker).is_none_or(|fit| fit.since >= until && fit.limits == size(100, 32)));
    // Another program that knows of nothing takes it back, exactly.
    let mut other = two_again(&engine, &used);
    other.undo(&step, Timestamp::now()).unwrap();
    assert_eq!(kernel(&engine), [(50_000, 64), (50_000, 64)]);
    assert_eq!(engine.states(), ["farthing.p1-1.0 running", "farthing.p1-1.1 running"]);
    assert_eq!(other.undo(&step, Timestamp::now()).unwrap().outcome, ReceiptOutcome::AlreadyDone);
}

/// As a program that has just started sees them.
fn two_again(engine: &Engine, used: &Used) -> Docker<Machine> {
    let mut task = task(NAME, 2, Some(1), FOREVER);
    task.workload = Arc::new(Workload { resources: size(500, 64), ..(*task.workload).clone() });
    open_with(engine, vec![task], Used::clone(used))
}

#[test]
fn memory_that_is_in_use_is_not_taken_and_what_others_changed_is_left() {
    let Some(engine) = Engine::start() else { return };
    let used = Used::default();
    // A file in memory counts for the container that wrote it.
    let fills = "busybox dd if=/dev/zero of=/dev/shm/f bs=1M count=24; \
                 trap 'exit 0' TERM; while :; do sleep 1; done";
    let mut docker = two(&engine, &used, fills);
    let until = Timestamp::now().checked_add(SignedDuration::from_secs(20)).unwrap();
    loop {
        let step = resize(&mut docker, "r2-1", (size(500, 64), size(100, 25)));
        match does(&mut docker, &step) {
            ReceiptOutcome::Conflict(why) => {
                assert!(why.contains("of memory now, more than 90 % of 25Mi"), "{why}");
                break;
            }
            // They have not written it yet.
            ReceiptOutcome::Done => docker.undo(&step, Timestamp::now()).map(|_| ()).unwrap(),
            other => panic!("{other:?}"),
        }
        assert!(Timestamp::now() < until, "they hold nothing");
    }
    assert_eq!(kernel(&engine), [(50_000, 64), (50_000, 64)], "nothing was changed");
    assert_eq!(engine.states(), ["farthing.p1-1.0 running", "farthing.p1-1.1 running"]);
    // Someone else gives one more meanwhile: neither the step nor its undo touches that.
    let step = resize(&mut docker, "r3-1", (size(500, 64), size(100, 48)));
    assert_eq!(does(&mut docker, &step), ReceiptOutcome::Done);
    let name = format!("farthing.p1-1.0.l.500-{}.100-{}.r3-1", 64 << 20, 48 << 20);
    engine.podman(&format!("update --cpus 0.2 {name}"));
    let refused = docker.undo(&step, Timestamp::now()).unwrap_err().to_string();
    assert!(refused.contains("may use 200m cores"), "{refused}");
    let again = resize(&mut docker, "r4-1", (size(100, 48), size(50, 48)));
    assert!(matches!(does(&mut docker, &again), ReceiptOutcome::Conflict(_)));
    let stale = Step { generation: again.generation + 1, ..again };
    assert!(matches!(does(&mut docker, &stale), ReceiptOutcome::Conflict(_)));
}

#[test]
fn what_a_crash_left_of_it_is_completed_or_never_happened() {
    let Some(engine) = Engine::start() else { return };
    let used = Used::default();
    let mut docker = two(&engine, &used, FOREVER);
    let outcome = |docker: &mut Docker<Machine>, step: &str| {
        let found = docker.outcome_of(&StepId::new(step).unwrap(), Timestamp::now()).unwrap();
        found.map(|receipt| receipt.outcome)
    };
    // After it was written down on one, and nothing was changed.
    let name =
        |memory: u64| format!("farthing.p1-1.0.l.500-{}.100-{}.r2-1", 64_u64 << 20, memory << 20);
    engine.podman(&format!("rename farthing.p1-1.0 {}", name(32)));
    assert_eq!(outcome(&mut docker, "r2-1"), Some(ReceiptOutcome::Done));
    assert_eq!(kernel(&engine), [(10_000, 32), (10_000, 32)], "both");
    let step = resize(&mut docker, "r2-1", (size(500, 64), size(100, 32)));
    docker.undo(&step, Timestamp::now()).unwrap();
    // What cannot be any more: the engine says no, and the names are as they were.
    engine.podman(&format!("rename farthing.p1-1.0 {}", name(0)));
    assert_eq!(outcome(&mut docker, "r2-1"), None);
    assert_eq!(kernel(&engine), [(50_000, 64), (50_000, 64)]);
    assert_eq!(engine.states(), ["farthing.p1-1.0 running", "farthing.p1-1.1 running"]);
    // What stands still is not changed, and says so; what others run is nobody's business here.
    let halted = suspend(&mut docker, "b3-1", NAME);
    let step = resize(&mut docker, "r4-1", (size(500, 64), size(100, 32)));
    assert_eq!(does(&mut docker, &halted), ReceiptOutcome::Done);
    let late = Step { generation: seen(&mut docker, NAME).generation, ..step };
    let ReceiptOutcome::Conflict(why) = does(&mut docker, &late) else { panic!("it stands still") };
    assert!(why.contains("0 of 2 containers"), "{why}");
    let refused = docker.undo(&late, Timestamp::now()).unwrap_err().to_string();
    assert!(refused.contains("stands still"), "{refused}");
    engine.podman(&format!("run --detach --name web --memory 64m {IMAGE} sh -c \"{FOREVER}\""));
    assert_eq!(fit(&mut docker), None);
    assert_eq!(node().as_str(), "box");
}
