//! `farthing up --docker` on real containers: a queue that is placed within its budget, metered by
//! control groups, priced and settled, also when the program is killed in the middle.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

#[path = "../../farthing-docker/tests/engine/mod.rs"]
mod engine;
mod program;

use engine::Engine;
use program::{PROGRAM, Place, Run};
use serde_json::Value;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const EXAMPLE: &str = include_str!("../../../examples/containers.yaml");

fn up(place: &Place, engine: &Engine, config: &str, length: &str) -> Run {
    let socket = engine.socket().display().to_string();
    let words = ["up", "--docker", &socket, "--config", config, "--no-listen", "--every", "1s"];
    place.run(&[&words, &["--for", length][..]].concat())
}

fn table(place: &Place, arguments: &[&str]) -> Value {
    let run = place.run(&[arguments, &["--output", "json"]].concat());
    assert_eq!(run.code, 0, "{}{}", run.out, run.said);
    serde_json::from_str(&run.out).unwrap()
}

fn money(row: &Value, name: &str) -> f64 {
    row[name].as_str().unwrap().parse().unwrap()
}

/// Containers that ran to their end, by name.
fn ended(engine: &Engine) -> usize {
    engine.podman("ps --all --filter status=exited --format '{{.Names}}'").lines().count()
}

#[test]
fn a_queue_is_placed_metered_and_priced() {
    let Some(engine) = Engine::start() else { return };
    let place = Place::new();
    // The worker that others started: it works without a limit, and is nobody's to stop.
    engine.podman(&format!(
        "run --detach --name shop-worker-1 --label com.docker.compose.project=shop \
         --label com.docker.compose.service=worker --label farthing.dev/team=media {} \
         sh -c 'while :; do i=0; while [ $i -lt 1000 ]; do i=$((i+1)); done; sleep 0.2; done'",
        engine::IMAGE
    ));
    place.file("queue.yaml", EXAMPLE);
    let run = up(&place, &engine, "queue.yaml", "25s");
    assert_eq!(run.code, 0, "{}{}", run.out, run.said);
    assert!(run.said.contains("done: p"), "{}", run.said);
    assert_eq!(ended(&engine), 4, "{}{}", run.said, engine.podman("ps --all"));
    let cost = table(&place, &["cost", "--by", "workload"]);
    let row = |name: &str| {
        let rows = cost["rows"].as_array().unwrap();
        rows.iter().find(|row| row["workload"] == name).unwrap_or_else(|| panic!("{name}: {cost}"))
    };
    assert!(money(row("resize"), "total") > 0.0 && money(row("resize"), "used") > 0.0, "{cost}");
    assert!(money(row("report"), "total") > 0.0, "{cost}");
    assert!(money(row("shop/worker"), "used") > 0.0, "{cost}");
    assert_eq!(cost["difference"].as_str(), Some("0.00"), "{cost}");
    assert!(money(&cost, "overhead") > 0.0, "what is in no container: {cost}");
    let teams = table(&place, &["cost", "--by", "team"]);
    let names: Vec<_> = teams["rows"].as_array().unwrap().iter().map(|row| &row["team"]).collect();
    assert!(names.contains(&&Value::from("media")) && names.contains(&&Value::from("finance")));
    assert_eq!(place.run(&["verify"]).code, 0);
    assert_eq!(engine.podman("ps --format '{{.Names}}'"), "shop-worker-1");
}

#[test]
fn killed_in_the_middle_it_starts_nothing_twice() {
    let Some(engine) = Engine::start() else { return };
    let place = Place::new();
    let queue = EXAMPLE.replace("count: 3", "count: 6");
    place.file("queue.yaml", queue);
    let socket = engine.socket().display().to_string();
    // Killed again and again, a little later each time, until something was started.
    for round in 0..6_u32 {
        let mut child = Command::new(PROGRAM)
            .args(["up", "--docker", &socket, "--config", "queue.yaml", "--no-listen"])
            .args(["--every", "300ms"])
            .current_dir(place.path())
            .env("FARTHING_DATA", place.state())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let until = Instant::now() + Duration::from_secs(20);
        let before = engine.podman("ps --all --quiet").lines().count();
        while engine.podman("ps --all --quiet").lines().count() == before
            && before < 7
            && Instant::now() < until
        {
            std::thread::sleep(Duration::from_millis(10));
        }
        std::thread::sleep(Duration::from_millis(u64::from(round) * 60));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let run = up(&place, &engine, "queue.yaml", "25s");
    assert_eq!(run.code, 0, "{}{}", run.out, run.said);
    let of = |workload: &str| {
        let filter = format!("ps --all --quiet --filter label=farthing.dev/workload={workload}");
        engine.podman(&filter).lines().count()
    };
    assert_eq!((of("resize"), of("report")), (6, 1), "{}{}", run.said, engine.podman("ps --all"));
    assert_eq!(ended(&engine), 7, "{}", engine.podman("ps --all"));
    assert_eq!(place.run(&["verify"]).code, 0);
}

#[test]
fn what_is_missing_is_said() {
    let place = Place::new();
    let run = |words: &[&str]| place.run(&[&["up", "--no-listen", "--for", "1s"], words].concat());
    let gone = run(&["--docker", "unix:///nowhere/docker.sock"]);
    assert_eq!(gone.code, 2, "{}", gone.said);
    assert!(gone.said.contains("/nowhere/docker.sock: there is no such socket"), "{}", gone.said);
    let far = run(&["--docker", "tcp://10.0.0.1:2375"]);
    assert!(far.said.contains("only a unix socket is spoken to"), "{}", far.said);
    place.file("w.yaml", "kind: Workload\nmetadata: {name: x}\nspec: {cost: 1 USD}\n");
    let none = run(&["--docker", "--config", "w.yaml"]);
    assert_eq!(none.code, 2, "{}", none.said);
    assert!(none.said.contains("workload x does not say what it runs"), "{}", none.said);
}

/// Half a core and 256 MiB for what needs next to nothing.
const LOOSE: &str = "\
kind: Policy
metadata: {name: containers}
spec:
  mode: enforce
  reclaim: {limits: 5s}
---
kind: Workload
metadata: {name: lazy, labels: {team: media}}
spec:
  count: 2
  resources: {cpu: 500m, memory: 256Mi}
  duration: 10m
  container:
    image: localhost/farthing-test:1
    command: [sh, -c, 'while :; do sleep 1; done']
";

#[test]
fn limits_that_are_far_from_needed_are_lowered_while_it_runs() {
    let Some(engine) = Engine::start() else { return };
    let place = Place::new();
    place.file("queue.yaml", LOOSE);
    let run = up(&place, &engine, "queue.yaml", "25s");
    assert_eq!(run.code, 0, "{}{}", run.out, run.said);
    assert!(run.said.contains("done: r"), "{}", run.said);
    let names = engine.podman("ps --format '{{.Names}}'");
    assert_eq!(names.lines().count(), 2, "both run on: {names}");
    // What was written down before it was done: from half a core and 256 MiB to less of both.
    for name in names.lines() {
        let parts: Vec<&str> = name.split('.').collect();
        let [_, _, _, "l", from, to, by] = parts.as_slice() else { panic!("{name}") };
        assert_eq!(*from, format!("500-{}", 256 << 20));
        let (cpu, memory) = to.split_once('-').unwrap();
        let (cpu, memory): (u64, u64) = (cpu.parse().unwrap(), memory.parse().unwrap());
        assert!((20..=350).contains(&cpu) && memory <= 192 << 20, "{name}");
        assert!(by.starts_with('r'), "{name}");
        // The kernel has what the name says.
        let pid = engine.podman(&format!("inspect --format '{{{{.State.Pid}}}}' {name}"));
        let groups = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
        let of = |line: &str| line.splitn(3, ':').nth(2).unwrap().to_owned();
        let own = groups.lines().find(|it| it.contains(":memory:"));
        let path = match own {
            Some(line) => format!("/sys/fs/cgroup/memory{}/memory.limit_in_bytes", of(line)),
            None => format!("/sys/fs/cgroup{}/memory.max", of(groups.lines().last().unwrap())),
        };
        let limit = std::fs::read_to_string(path).unwrap();
        assert_eq!(limit.trim(), memory.to_string());
    }
    // It costs less from then on: the statement has two sizes of the same part of the machine.
    let cost = table(&place, &["cost", "--by", "workload"]);
    assert_eq!(cost["difference"].as_str(), Some("0.00"), "{cost}");
    assert_eq!(place.run(&["verify"]).code, 0);
}
