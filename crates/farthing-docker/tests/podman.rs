//! Steps on real containers, under Podman's Docker-compatible socket: done once, taken back, and
//! found out after a crash.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod engine;
mod machine;

use engine::{Engine, IMAGE};
use farthing_docker::Docker;
use farthing_edge::{Act, Measure, Observe, Quote};
use farthing_model::{ReceiptOutcome, Resources, Step, StepId, Window, Workload, WorkloadState};
use jiff::{SignedDuration, Timestamp};
use machine::{FOREVER, Machine, does, node, open, placed, seen, shares, start, suspend, task};
use std::collections::BTreeMap;
use std::sync::Arc;

#[test]
fn a_step_is_done_once_and_taken_back_exactly() {
    let Some(engine) = Engine::start() else { return };
    let mut docker = open(&engine, vec![task("train", 2, Some(2), FOREVER)]);
    assert_eq!(seen(&mut docker, "train").state, WorkloadState::Waiting);
    let started = start(&mut docker, "p1-1", "train", 2);
    assert_eq!(does(&mut docker, &started), ReceiptOutcome::Done);
    assert_eq!(does(&mut docker, &started), ReceiptOutcome::AlreadyDone);
    let now = seen(&mut docker, "train");
    assert_eq!(placed(&now).iter().map(|there| there.members).sum::<u32>(), 2);
    assert_eq!(engine.states(), ["farthing.p1-1.0 running", "farthing.p1-1.1 running"]);
    let limits = engine.podman(
        "inspect --format '{{.HostConfig.NanoCpus}} {{.HostConfig.Memory}}' farthing.p1-1.0",
    );
    assert_eq!(limits, format!("100000000 {}", 16 << 20));
    // Each has its part of the machine, and the rest is what the machine has beside them.
    let snapshot = docker.observe(Timestamp::now()).unwrap();
    let nodes: Vec<_> =
        snapshot.nodes.iter().map(|node| (node.id.as_str(), node.capacity.cpu_milli)).collect();
    assert_eq!(nodes, [("box", 3_800), ("box/farthing.p1-1.0", 100), ("box/farthing.p1-1.1", 100)]);
    // What was planned on what was seen before is not done.
    let stale = start(&mut docker, "p2-1", "train", 1);
    let stale = Step { generation: stale.generation + 1, ..stale };
    assert!(matches!(does(&mut docker, &stale), ReceiptOutcome::Conflict(_)));
    // It has something to save: it is asked to end, and started again where it was.
    let halted = suspend(&mut docker, "b3-1", "train");
    assert_eq!(does(&mut docker, &halted), ReceiptOutcome::Done);
    assert_eq!(does(&mut docker, &halted), ReceiptOutcome::AlreadyDone);
    assert_eq!(seen(&mut docker, "train").state, WorkloadState::Suspended);
    let marked = ["farthing.p1-1.0.s.b3-1 exited", "farthing.p1-1.1.s.b3-1 exited"];
    assert_eq!(engine.states(), marked);
    // Another program, which knows of nothing, takes it back.
    let mut other = open(&engine, vec![task("train", 2, Some(2), FOREVER)]);
    other.undo(&halted, Timestamp::now()).unwrap();
    assert_eq!(placed(&seen(&mut other, "train")).len(), 2);
    let ids = "ps --all --quiet --filter status=running";
    assert_eq!(engine.podman(ids).lines().count(), 2, "the same containers run again");
    other.undo(&started, Timestamp::now()).unwrap();
    assert_eq!(engine.podman("ps --all --quiet"), "");
    assert_eq!(seen(&mut other, "train").state, WorkloadState::Waiting);
}

#[test]
fn what_has_nothing_to_save_is_frozen_and_what_ended_is_done() {
    let Some(engine) = Engine::start() else { return };
    let tasks = || vec![task("a", 1, Some(0), FOREVER), task("b", 1, None, "exit 3")];
    let mut docker = open(&engine, tasks());
    let began = start(&mut docker, "p1-1", "a", 1);
    assert_eq!(does(&mut docker, &began), ReceiptOutcome::Done);
    let fails = start(&mut docker, "p1-2", "b", 1);
    assert_eq!(does(&mut docker, &fails), ReceiptOutcome::Done);
    let frozen = suspend(&mut docker, "b2-1", "a");
    assert_eq!(does(&mut docker, &frozen), ReceiptOutcome::Done);
    assert_eq!(engine.states(), ["farthing.p1-1.0.f.b2-1 paused", "farthing.p1-2.0 exited"]);
    assert_eq!(seen(&mut docker, "a").state, WorkloadState::Suspended);
    // What is frozen keeps its memory and no processor.
    let held = docker.observe(Timestamp::now()).unwrap();
    let part = held.nodes.iter().find(|node| node.id.as_str() == "box/farthing.p1-1.0").unwrap();
    assert_eq!((part.capacity.cpu_milli, part.capacity.memory_bytes), (0, 16 << 20));
    docker.undo(&frozen, Timestamp::now()).unwrap();
    assert_eq!(engine.states(), ["farthing.p1-1.0.r.0.b2-1 running", "farthing.p1-2.0 exited"]);
    assert!(matches!(seen(&mut docker, "b").state, WorkloadState::Finished(_)));
    let now = Timestamp::now();
    let window = Window::new(now.checked_sub(SignedDuration::from_secs(60)).unwrap(), now).unwrap();
    let faults = docker.measure(window).unwrap().faults.join("\n");
    assert!(faults.contains("farthing.p1-2.0 failed: exit code 3"), "{faults}");
}

#[test]
fn what_a_crash_left_is_completed_or_never_happened() {
    let Some(engine) = Engine::start() else { return };
    let mut docker = open(&engine, vec![task("train", 2, Some(0), FOREVER)]);
    let offer = docker.offers(Timestamp::now()).unwrap()[0].id.clone();
    let create = |step: &str, member: u32| {
        engine.podman(&format!(
            "create --name farthing.{step}.{member} --cpus 0.1 --memory 16m \
             --label farthing.dev/step={step} --label farthing.dev/workload=train \
             --label 'farthing.dev/offer={offer}' {IMAGE} sh -c \"{FOREVER}\""
        ));
    };
    let mut outcome = |step: &str| {
        let found = docker.outcome_of(&StepId::new(step).unwrap(), Timestamp::now()).unwrap();
        found.map(|receipt| receipt.outcome)
    };
    // Before the first was made, and between making and starting: it never happened.
    assert_eq!(outcome("p1-1"), None);
    create("p1-1", 0);
    assert_eq!(outcome("p1-1"), None);
    assert_eq!(engine.podman("ps --all --quiet"), "");
    // After the first of two was started: the second follows.
    create("p2-1", 0);
    create("p2-1", 1);
    engine.podman("start farthing.p2-1.0");
    assert_eq!(outcome("p2-1"), Some(ReceiptOutcome::Done));
    assert_eq!(engine.podman("ps --quiet").lines().count(), 2);
    // After it was written down that one is to be suspended: both are.
    engine.podman("rename farthing.p2-1.0 farthing.p2-1.0.s.b3-1");
    assert_eq!(outcome("b3-1"), Some(ReceiptOutcome::Done));
    let paused = ["farthing.p2-1.0.f.b3-1 paused", "farthing.p2-1.1.f.b3-1 paused"];
    assert_eq!(engine.states(), paused);
    assert_eq!(outcome("b4-1"), None);
}

#[test]
fn a_silent_engine_is_an_old_snapshot_and_no_step() {
    let Some(mut engine) = Engine::start() else { return };
    let mut docker = open(&engine, vec![task("train", 1, None, FOREVER)]);
    let begin = start(&mut docker, "p1-1", "train", 1);
    engine.fall_silent();
    let now = Timestamp::now().checked_add(SignedDuration::from_secs(5)).unwrap();
    let old = docker.observe(now).unwrap();
    assert!(old.oldest() >= SignedDuration::from_secs(4), "{}", old.oldest());
    let measured = docker.measure(Window::starting(now, SignedDuration::from_secs(1)).unwrap());
    let faults = measured.unwrap().faults.join("\n");
    assert!(faults.contains("the containers are not known since"), "{faults}");
    assert!(faults.contains("nobody listens there"), "{faults}");
    assert!(docker.act(&begin, now).is_err(), "nobody knows whether it was done");
    assert!(docker.outcome_of(&begin.id, now).is_err());
    let gone = Docker::open(&engine.socket(), (node(), Machine::default()), shares(), Vec::new());
    assert!(gone.err().unwrap().to_string().contains("nobody listens there"));
    engine.listen();
    assert_eq!(docker.outcome_of(&begin.id, Timestamp::now()).unwrap(), None);
    assert_eq!(does(&mut docker, &begin), ReceiptOutcome::Done);
}

#[test]
fn only_what_it_started_is_touched() {
    let Some(engine) = Engine::start() else { return };
    engine.podman(&format!(
        "run --detach --name web --label com.docker.compose.project=shop \
         --label com.docker.compose.service=web --label 'team=<b>x</b>' {IMAGE} sh -c \"{FOREVER}\""
    ));
    let mut excluded = task("quiet", 1, None, FOREVER);
    let labels = BTreeMap::from([("farthing.dev/exclude".to_owned(), "true".to_owned())]);
    excluded.workload = Arc::new(Workload { labels, ..(*excluded.workload).clone() });
    let mut absent = task("absent", 1, None, FOREVER);
    absent.image = "localhost/nowhere:1".to_owned();
    let mut large = task("large", 1, None, FOREVER);
    let resources = Resources { cpu_milli: 5_000, memory_bytes: 1 << 20, ..Resources::default() };
    large.workload = Arc::new(Workload { resources, ..(*large.workload).clone() });
    let train = task("train", 1, Some(1), FOREVER);
    let mut docker = open(&engine, vec![excluded, absent, large, train]);
    let snapshot = docker.observe(Timestamp::now()).unwrap();
    let queue: Vec<_> = snapshot.workloads.iter().map(|it| it.workload.id.as_str()).collect();
    assert_eq!(queue, ["large", "train"]);
    let offers = docker.offers(Timestamp::now()).unwrap();
    let room: Vec<_> = offers.iter().map(|it| (it.instance_type.as_str(), it.available)).collect();
    assert_eq!(room, [("share 100m 16Mi", Some(40)), ("share 5 1Mi", Some(0))]);
    // What a step names and what is gone is a conflict: nothing is made in its place.
    let begin = start(&mut docker, "p1-1", "train", 1);
    assert_eq!(does(&mut docker, &begin), ReceiptOutcome::Done);
    let halt = suspend(&mut docker, "b2-1", "train");
    engine.podman("rm --force --time 0 farthing.p1-1.0");
    assert!(matches!(does(&mut docker, &halt), ReceiptOutcome::Conflict(_)));
    assert!(docker.undo(&halt, Timestamp::now()).is_err());
    let over = start(&mut docker, "p3-1", "train", 41);
    let ReceiptOutcome::Conflict(why) = does(&mut docker, &over) else { panic!("there is room") };
    assert!(why.contains("room for 40"), "{why}");
    let many = start(&mut docker, "p4-1", "train", 1_001);
    assert!(matches!(does(&mut docker, &many), ReceiptOutcome::Failed(_)));
    // A command that is not there: nothing is left of it.
    let mut wrong = task("wrong", 2, None, FOREVER);
    wrong.command = vec!["no-such-program".to_owned()];
    let mut docker = open(&engine, vec![wrong]);
    let begin = start(&mut docker, "p5-1", "wrong", 2);
    let outcome = does(&mut docker, &begin);
    assert!(
        matches!(&outcome, ReceiptOutcome::Failed(why) if why.contains("no-such-program")),
        "{outcome:?}"
    );
    assert_eq!(engine.states(), ["web running"]);
}
