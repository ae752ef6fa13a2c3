//! `farthing run` with real processes: what they see, when they are stopped, what they are charged.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "tests")]

mod program;

use farthing_model::{Currency, Money};
use program::podman::podman;
use program::{PROGRAM, Place};
use serde_json::Value;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The statement, which is the end of what was said.
fn statement(said: &str) -> Value {
    let start = said.find("{\n").unwrap_or_else(|| panic!("no statement in {said}"));
    serde_json::from_str(&said[start..]).unwrap_or_else(|error| panic!("{error}: {said}"))
}

fn money(value: &Value) -> Money {
    Money::from_decimal(value.as_str().unwrap(), Currency::USD).unwrap()
}

/// What the books say of a run.
fn in_the_books(place: &Place, told: &Value) -> Value {
    let cost = place.run(&["cost", "--cluster", "runs", "--by", "label:run", "--output", "json"]);
    assert_eq!(cost.code, 0, "{}", cost.said);
    let cost: Value = serde_json::from_str(&cost.out).unwrap();
    assert_eq!(cost["difference"], "0.00", "{cost}");
    let row = cost["rows"].as_array().unwrap().iter().find(|row| row["label:run"] == told["run"]);
    row.unwrap_or_else(|| panic!("{} is not in {cost}", told["run"])).clone()
}

/// Processes whose command line has a word.
fn alive(word: &str) -> usize {
    let mut found = 0;
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        found += usize::from(line.split(|byte| *byte == 0).any(|part| part == word.as_bytes()));
    }
    found
}

fn within(limit: Duration, what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < limit, "not within {limit:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn input_output_and_exit_codes_are_those_of_the_command() {
    let place = Place::new();
    let run = place.shell("printf 'a\\0b' | $FARTHING run -- cat");
    assert_eq!((run.code, run.out.as_str()), (0, "a\0b"));
    assert!(run.said.contains("cat (") && run.said.contains("exited 0"), "{}", run.said);
    for (script, code) in [
        ("$FARTHING run -- sh -c 'exit 7'", 7),
        ("$FARTHING run -- sh -c 'kill -9 $$'", 137),
        ("$FARTHING run -- sh -c 'kill -TERM $$'", 143),
        ("$FARTHING run -- no-such-program", 127),
        ("$FARTHING run -- /etc/passwd", 126),
        ("$FARTHING run", 2),
        ("$FARTHING run --max-cost 20 -- true", 2),
        ("$FARTHING run --deadline yesterday -- true", 2),
        ("$FARTHING run --gpus 9999 -- true", 2),
        ("$FARTHING run --metric-regex '(' -- true", 2),
    ] {
        let run = place.shell(script);
        assert_eq!(run.code, code, "{script}: {}", run.said);
    }
}

#[test]
fn a_command_is_stopped_at_its_cost_and_its_statement_is_what_the_books_say() {
    let place = Place::new();
    let run = place.run(&[
        "run",
        "--output",
        "json",
        "--price",
        "36 USD/h",
        "--max-cost",
        "0.03USD",
        "--grace",
        "1s",
        "--",
        "python3",
        "-c",
        "while True: pass",
    ]);
    assert_eq!(run.code, 124, "{}", run.said);
    let told = statement(&run.said);
    assert_eq!((&told["stopped"], &told["exit_code"]), (&"cost".into(), &124.into()));
    let paid = money(&told["paid"]);
    assert!(paid.pico() <= 30_000_000_000, "{told}");
    let parts = ["used", "waste", "unknown"].map(|part| money(&told[part]));
    assert_eq!(Money::sum(parts, Currency::USD).unwrap(), paid);
    let row = in_the_books(&place, &told);
    assert_eq!((money(&row["total"]), money(&row["used"])), (paid, parts[0]), "{row}");
    assert_eq!(place.run(&["verify", "--cluster", "runs"]).code, 0);
}

#[test]
fn what_does_not_listen_is_killed_with_everything_that_it_started() {
    let place = Place::new();
    let word = format!("{}.125", 100_000 + std::process::id());
    // Two hundred processes, half of them orphans in sessions of their own, none of which minds
    // SIGTERM.
    let script = format!(
        "trap '' TERM; for i in $(seq 100); do sleep {word} & (setsid sleep {word} &); done; \
         while :; do sleep 0.1; done"
    );
    let run = place.run(&[
        "run",
        "--output",
        "json",
        "--deadline",
        "2s",
        "--grace",
        "500ms",
        "--",
        "sh",
        "-c",
        &script,
    ]);
    assert_eq!(run.code, 124, "{}", run.said);
    let told = statement(&run.said);
    assert_eq!((&told["stopped"], &told["killed"]), (&"deadline".into(), &true.into()));
    assert_eq!(alive(&word), 0);
    assert!(told["wall_s"].as_f64().unwrap() < 6.0, "{told}");
}

#[test]
fn a_checkpoint_has_time_and_ends_the_run_early() {
    let place = Place::new();
    let script = "import signal, time, sys\n\
                  def save(*_):\n    time.sleep(0.3); print('saved'); sys.exit(0)\n\
                  signal.signal(signal.SIGTERM, save)\nwhile True: time.sleep(0.05)";
    let run = place.run(&[
        "run",
        "--output",
        "json",
        "--deadline",
        "8s",
        "--grace",
        "6s",
        "--",
        "python3",
        "-c",
        script,
    ]);
    assert_eq!((run.code, run.out.as_str()), (124, "saved\n"), "{}", run.said);
    let told = statement(&run.said);
    assert_eq!((&told["killed"], &told["stopped"]), (&false.into(), &"deadline".into()));
}

#[test]
fn a_budget_without_room_starts_nothing_and_one_with_room_counts_what_was_spent() {
    let place = Place::new();
    let budget = "kind: Budget\nmetadata: {name: research}\nspec:\n  scope: {team: research}\n  \
                  limit: 5 USD\n  period: month\n";
    let file = place.file("team.yaml", budget);
    let asked = ["--config", file.as_str(), "--budget", "research", "--price", "3 USD/h"];
    let run = |limit: &[&str], command: &[&str]| {
        let words = [&["run"], &asked[..], limit, &["--"], command].concat();
        place.run(&words)
    };
    let refused = run(&["--max-cost", "6USD"], &["touch", "started"]);
    assert_eq!(refused.code, 3, "{}", refused.said);
    assert!(refused.said.contains("research"), "{}", refused.said);
    assert!(!place.path().join("started").exists());
    let done = run(&["--max-cost", "4USD"], &["touch", "started"]);
    assert_eq!(done.code, 0, "{}", done.said);
    assert!(place.path().join("started").exists());
    // What was not spent is free again: the same fits once more.
    assert_eq!(run(&["--max-cost", "4USD"], &["true"]).code, 0);
    // An hour at a time, where nothing bounds it: 6 USD do not fit.
    let words =
        ["run", "--config", &file, "--team", "research", "--price", "6 USD/h", "--", "true"];
    assert_eq!(place.run(&words).code, 3);
    assert_eq!(place.run(&["run", "--config", &file, "--budget", "none", "--", "true"]).code, 2);
}

#[test]
fn when_we_are_killed_the_reservation_stays_visible_and_the_command_is_told() {
    let place = Place::new();
    let file = place.file(
        "team.yaml",
        "kind: Budget\nmetadata: {name: research}\nspec: {scope: {team: research}, limit: 5 USD, \
         period: month}\n",
    );
    let word = format!("{}.25", 200_000 + std::process::id());
    let mut run = Command::new(PROGRAM)
        .args(["run", "--config", &file, "--budget", "research", "--deadline", "1h", "--"])
        .args(["sleep", &word])
        .current_dir(place.path())
        .env("FARTHING_DATA", place.state())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // One is the command, one is us, who have it in our arguments.
    within(Duration::from_secs(20), "it runs", || alive(&word) == 2);
    within(Duration::from_secs(5), "it is the command by now", || {
        alive("become") == 0 || alive(&word) == 2
    });
    std::thread::sleep(Duration::from_millis(200));
    run.kill().unwrap();
    run.wait().unwrap();
    within(Duration::from_secs(5), "the command has ended", || alive(&word) == 0);
    let claims = place.run(&["budget", "reservations", "--config", &file, "--cluster", "runs"]);
    assert!(claims.out.contains("run sleep"), "{}{}", claims.out, claims.said);
}

#[test]
fn what_was_achieved_is_read_from_a_file_or_from_the_output() {
    let place = Place::new();
    let by_output = place.run(&[
        "run",
        "--output",
        "json",
        "--price",
        "36 USD/h",
        "--metric-regex",
        "steps=(\\d+)",
        "--metric-unit",
        "step",
        "--",
        "sh",
        "-c",
        "echo steps=5; sleep 0.2; echo steps=400",
    ]);
    assert_eq!((by_output.code, by_output.out.as_str()), (0, "steps=5\nsteps=400\n"));
    let told = statement(&by_output.said);
    assert_eq!(
        (&told["metric"]["value"], &told["metric"]["unit"]),
        (&"400".into(), &"step".into())
    );
    let (paid, one) = (money(&told["paid"]), money(&told["metric"]["cost_per_unit"]));
    assert_eq!(one.pico(), paid.pico() / 400);
    let by_file = place.run(&[
        "run",
        "--output",
        "json",
        "--metric-file",
        "out.txt",
        "--",
        "sh",
        "-c",
        "echo 'loss 0.5 tokens 1.5e3' > out.txt",
    ]);
    assert_eq!(statement(&by_file.said)["metric"]["value"], "1500");
    let none = place.run(&["run", "--metric-file", "none.txt", "--", "true"]);
    assert_eq!(none.code, 0);
    assert!(none.said.contains("none.txt"), "{}", none.said);
}

#[test]
fn a_signal_to_us_is_one_to_the_command() {
    let place = Place::new();
    let script = "import signal, sys, time\nseen = []\n\
                  signal.signal(signal.SIGTERM, lambda *_: seen.append('term'))\n\
                  signal.signal(signal.SIGUSR1, lambda *_: (print(seen), sys.exit(5)))\n\
                  print('ready', flush=True)\nwhile True: time.sleep(0.05)";
    let shell = format!(
        "setsid $FARTHING run -- python3 -c \"{script}\" > out & \
         while ! grep -q ready out; do sleep 0.05; done; \
         pid=$!; kill -TERM $pid; sleep 0.3; kill -USR1 $pid; wait $pid"
    );
    let run = place.shell(&shell);
    assert_eq!(run.code, 5, "{}", run.said);
    assert_eq!(std::fs::read_to_string(place.path().join("out")).unwrap(), "ready\n['term']\n");
}

/// A terminal, with a shell on it that has job control: keys, sizes and stops reach the command as
/// they would without us.
#[test]
fn on_a_terminal_keys_sizes_and_stops_reach_the_command() {
    let place = Place::new();
    let script = r#"
import signal, os, pty, re, select, sys, time, fcntl, struct, termios
def expect(fd, pattern, limit=15):
    seen, until = b'', time.time() + limit
    while time.time() < until:
        if select.select([fd], [], [], 0.1)[0]:
            try: seen += os.read(fd, 4096)
            except OSError: break
        if re.search(pattern, seen): return seen
    sys.exit('no %r in %r' % (pattern, seen))
pid, fd = pty.fork()
if pid == 0:
    os.environ['PS1'] = 'P> '
    # A runner in the background ignores them, and what is ignored stays so.
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP):
        signal.signal(number, signal.SIG_DFL)
    os.execvp('bash', ['bash', '--norc', '--noediting', '-i'])
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack('HHHH', 33, 77, 0, 0))
expect(fd, rb'P> ')
os.write(fd, b'$FARTHING run -- sh -c "stty size; read x; echo got-\\$x"\n')
expect(fd, rb'33 77')
os.write(fd, b'hello\n')
expect(fd, rb'got-hello[\s\S]*exited 0[\s\S]*P> ')
# The line that tells how it goes, then Ctrl-C.
os.write(fd, b'$FARTHING run -- sleep 30\n')
expect(fd, rb'\d+s, [\d.]+ USD, CPU ')
os.write(fd, b'\x03')
expect(fd, rb'killed by SIGINT[\s\S]*P> ')
os.write(fd, b'echo code=$?\n')
expect(fd, rb'code=130')
# Ctrl-Z, then on in the foreground, and in a pipeline.
os.write(fd, b'$FARTHING run -- sh -c "sleep 2; echo woke-\\$((1+1))" | cat\n')
time.sleep(1)
os.write(fd, b'\x1a')
expect(fd, rb'Stopped[\s\S]*P> ')
os.write(fd, b'fg\n')
expect(fd, rb'woke-2[\s\S]*P> ')
os.write(fd, b'exit\n')
print('as without us')
"#;
    let file = place.file("terminal.py", script);
    let run = place.shell(&format!("python3 {file}"));
    assert_eq!((run.code, run.out.as_str()), (0, "as without us\n"), "{}", run.said);
}

#[test]
fn a_container_is_metered_by_its_group_and_stopped_at_the_limit() {
    let place = Place::new();
    let Some(podman) = podman(&place) else { return };
    let run = |limit: &[&str], script: &str| {
        let words = ["run", "--output", "json", "--price", "36 USD/h", "--engine", &podman];
        let container = ["--container", "farthing-test:1", "--memory", "64MiB"];
        let command = ["--", "/bin/sh", "-c", script];
        place.run(&[&words, &container[..], limit, &command].concat())
    };
    let done = run(&[], "i=0; while [ $i -lt 6000000 ]; do i=$((i+1)); done; echo out; exit 9");
    assert_eq!((done.code, done.out.as_str()), (9, "out\n"), "{}", done.said);
    let told = statement(&done.said);
    assert_eq!(told["name"], "farthing-test");
    assert!(told["cpu_core_seconds"].as_f64().unwrap() > 0.3, "{told}");
    assert_eq!(money(&in_the_books(&place, &told)["total"]), money(&told["paid"]));
    // It does not mind SIGTERM, and is gone all the same.
    let stopped =
        run(&["--deadline", "6s", "--grace", "1s"], "trap '' TERM; while :; do sleep 1; done");
    let told = statement(&stopped.said);
    assert_eq!((stopped.code, &told["killed"]), (124, &true.into()), "{}", stopped.said);
    let left = place.shell(&format!("{podman} ps --all --quiet"));
    assert_eq!(left.out, "", "{}", left.said);
    place.shell(&format!("{podman} system reset --force"));
}

#[test]
fn a_machine_that_a_loop_meters_too_is_said_to_be_in_two_books() {
    let place = Place::new();
    let run = || place.run(&["run", "--price", "36 USD/h", "--output", "json", "--", "true"]);
    assert_eq!(statement(&run().said)["also_metered_by"], Value::Null);
    assert_eq!(place.run(&["up", "--no-listen", "--every", "1s", "--for", "3s"]).code, 0);
    let told = statement(&run().said);
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    assert_eq!(told["also_metered_by"], name.trim(), "{told}");
    let told = place.run(&["run", "--price", "36 USD/h", "--", "true"]).said;
    assert!(told.contains("do not add the two"), "{told}");
}
