//! The benchmarks: each row a figure beside its limit, measured in one run on one machine.
//!
//! Programs that measure themselves print one line for each figure,
//! `{"bench": NAME, "value": NUMBER, "limit": NUMBER, "unit": TEXT}`. A unit of something per
//! second (`events/s`) has a least value for its limit; any other has a most. Other keys (sizes,
//! seed) are kept. A program that is missing, fails or prints no figure is a row that fails.
//!
//! Limits are promises for one core that has nothing else to do. Where a figure is of a whole
//! process it is of its processor time, which other programs hardly change. What a program times by
//! the clock is measured again where it is over its limit, up to [`ATTEMPTS`] times, and the best
//! counts; the table says how busy the machine was.

mod growth;
pub(crate) mod instructions;
mod peers;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};

use crate::programs::program;
use crate::tasks::root;

/// Programs that measure themselves: package and example.
const PROGRAMS: [(&str, &str); 18] = [
    ("farthing-planner", "fleet_scale"),
    ("farthing-planner", "serving_scale"),
    ("farthing-planner", "dag_scale"),
    ("farthing-planner", "pack_scale"),
    ("farthing-providers", "catalogue_speed"),
    ("farthing-providers", "exposition_speed"),
    ("farthing-providers", "observe_local"),
    ("farthing-ledger", "report_speed"),
    ("farthing-ledger", "telemetry_speed"),
    ("farthing-ledger", "day_scale"),
    ("farthing-kube", "scale"),
    ("farthing-sim", "events"),
    ("farthing-sim", "spot_windows"),
    ("farthing-sim", "openb_scale"),
    ("farthing-sim", "cluster"),
    ("farthing-sim", "gavel_rounds"),
    ("farthing-server", "load"),
    ("farthing-kube", "kueue_speed"),
];

/// The file whose plan is timed as a whole process, and its limit.
const PLAN_FILE: &str = "examples/research-team.yaml";
const PLAN_MS_MAX: u32 = 100;
/// Runs of the process, after one that warms the file cache.
const PLAN_RUNS: u8 = 20;

/// How often a program that measures itself is run at most.
const ATTEMPTS: usize = 3;
/// Ticks of the processor time that Linux tells, in a second.
const TICKS_PER_SECOND: f64 = 100.0;

/// One line of the table.
#[derive(Clone, Debug, PartialEq)]
struct Row {
    bench: String,
    outcome: Result<Figure, String>,
}

/// A measured value and its limit.
#[derive(Clone, Debug, PartialEq)]
struct Figure {
    value: f64,
    limit: f64,
    unit: String,
    /// Sizes, seed and whatever else the program states.
    more: Map<String, Value>,
}

impl Figure {
    /// Whether more is better.
    fn is_rate(&self) -> bool {
        self.unit.ends_with("/s")
    }

    fn holds(&self) -> bool {
        if self.is_rate() { self.value >= self.limit } else { self.value <= self.limit }
    }

    /// Value over limit; against a limit of nothing at all, the value.
    fn ratio(&self) -> f64 {
        if self.limit > 0.0 { self.value / self.limit } else { self.value }
    }
}

/// Runs everything, prints the table on stdout and writes `bench/results.json`, and how time grows
/// with size as `bench/growth.svg`.
///
/// # Errors
/// A row is over its limit or could not be measured, or the results cannot be written.
#[expect(clippy::print_stdout, reason = "the table is the output of this task")]
pub(crate) fn run() -> Result<()> {
    let mut rows = Vec::new();
    println!("{}", headings());
    let busy = load();
    for step in 0..=PROGRAMS.len() {
        let measured = match step.checked_sub(1) {
            None => vec![plan_process(), demo_rate()],
            Some(at) => best_of(PROGRAMS[at].0, PROGRAMS[at].1),
        };
        for row in &measured {
            println!("{}", line(row));
        }
        rows.extend(measured);
    }
    let (counted, not_counted) = instructions::measured();
    let (beside, left_out) = peers::measured();
    for row in counted.iter().chain(&beside) {
        println!("{}", line(row));
    }
    for why in not_counted.into_iter().chain(left_out) {
        println!("{why}");
    }
    rows.extend(counted.into_iter().chain(beside));
    let load = (busy, load());
    if let (Some(before), Some(after)) = load {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        println!("load {before} before and {after} after, on {cores} cores: above half of the");
        println!("cores, figures by the clock (unit s, and rates of one program) read too slow");
    }
    let text = serde_json::to_string_pretty(&results(&rows, load))?;
    fs::write(root().join("bench/results.json"), text + "\n")
        .context("cannot write bench/results.json")?;
    if let Some(picture) = growth::picture(&growth::curves(&rows)) {
        fs::write(root().join("bench/growth.svg"), picture)
            .context("cannot write bench/growth.svg")?;
    }
    let failed = rows.iter().filter(|row| !row.outcome.as_ref().is_ok_and(Figure::holds)).count();
    if failed > 0 {
        bail!("{failed} of {} rows over their limit or not measured", rows.len());
    }
    Ok(())
}

/// Runs of a program until all its figures hold; of each figure the best.
fn best_of(package: &str, example: &str) -> Vec<Row> {
    let mut best = measure(package, example);
    for _ in 1..ATTEMPTS {
        if best.iter().all(|row| row.outcome.as_ref().is_ok_and(Figure::holds)) {
            break;
        }
        best = better(best, &measure(package, example));
    }
    best
}

/// Of two runs of a program the better of each figure.
fn better(before: Vec<Row>, again: &[Row]) -> Vec<Row> {
    let pick = |old: Row| {
        let new = again.iter().find(|row| row.bench == old.bench).cloned();
        match (&old.outcome, new) {
            (Ok(was), Some(new)) => match &new.outcome {
                Ok(is) if (is.ratio() < was.ratio()) != is.is_rate() => new,
                _ => old,
            },
            (Err(_), Some(new)) => new,
            (_, None) => old,
        }
    };
    before.into_iter().map(pick).collect()
}

/// Processor time of all programs that were run to their end, in seconds.
fn children_cpu_s() -> Result<f64> {
    let stat = fs::read_to_string("/proc/self/stat").context("no processor time is known")?;
    // After the name, which may hold anything: cutime and cstime are the 14th and 15th.
    let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
    let ticks = after.split_ascii_whitespace().skip(13).take(2).map(str::parse::<f64>);
    let ticks: f64 = ticks.sum::<Result<f64, _>>().context("no processor time is known")?;
    Ok(ticks / TICKS_PER_SECOND)
}

/// The mean number of programs that ran in the last minute.
fn load() -> Option<f64> {
    fs::read_to_string("/proc/loadavg").ok()?.split(' ').next()?.parse().ok()
}

/// `farthing plan` on the example as a whole process: its mean processor time in milliseconds.
fn plan_process() -> Row {
    let bench = "plan-example-process".to_owned();
    let timed = || -> Result<Figure> {
        let farthing = program("farthing", None)?;
        time_plan(&farthing)?;
        let (mut times, cpu) = (Vec::new(), children_cpu_s()?);
        for _ in 0..PLAN_RUNS {
            times.push(time_plan(&farthing)?);
        }
        let cpu_ms = (children_cpu_s()? - cpu) * 1e3 / f64::from(PLAN_RUNS);
        times.sort();
        let milliseconds = |at: usize| times[at].as_secs_f64() * 1e3;
        let more = json!({
            "input": PLAN_FILE, "runs": times.len(), "by_the_clock_fastest_ms": milliseconds(0),
            "by_the_clock_median_ms": milliseconds(times.len() / 2),
            "by_the_clock_slowest_ms": milliseconds(times.len() - 1),
        });
        Ok(Figure {
            value: cpu_ms,
            limit: PLAN_MS_MAX.into(),
            unit: "ms".to_owned(),
            more: more.as_object().cloned().unwrap_or_default(),
        })
    };
    Row { bench, outcome: timed().map_err(|error| format!("{error:#}")) }
}

/// A whole day of the demo as fast as it goes: engine, planner, ledger and world, on both sides.
/// Events in a second of processor time.
fn demo_rate() -> Row {
    let bench = "demo-whole-loop".to_owned();
    let timed = || -> Result<Figure> {
        let state = std::env::temp_dir().join(format!("farthing-bench-{}", std::process::id()));
        let farthing = program("farthing", None)?;
        let cpu = children_cpu_s()?;
        let output = Command::new(farthing)
            .args(["up", "--demo", "--no-listen", "--for", "1s", "--speed", "86400", "--data"])
            .arg(&state)
            .stderr(Stdio::null())
            .output()
            .context("cannot start farthing");
        let _ = std::fs::remove_dir_all(&state);
        let output = output?;
        let cpu_s = children_cpu_s()? - cpu;
        if !output.status.success() || cpu_s <= 0.0 {
            bail!("farthing up --demo ended with {}", output.status);
        }
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        let line = printed.lines().last().unwrap_or_default();
        let mut words = line.split(' ');
        let events: u32 = words.next().unwrap_or_default().parse().context("no events")?;
        let rate: f64 = words.nth(1).unwrap_or_default().parse().context("no rate")?;
        let more = json!({
            "events": events, "virtual_hours": 24, "seed": 1, "cpu_s": cpu_s,
            "by_the_clock_events_per_s": rate,
        });
        Ok(Figure {
            value: f64::from(events) / cpu_s,
            limit: 1e5,
            unit: "events/s".to_owned(),
            more: more.as_object().cloned().unwrap_or_default(),
        })
    };
    Row { bench, outcome: timed().map_err(|error| format!("{error:#}")) }
}

fn time_plan(farthing: &Path) -> Result<Duration> {
    let started = Instant::now();
    let output = Command::new(farthing)
        .args(["plan", "-f", PLAN_FILE, "--output", "json"])
        .current_dir(root())
        .stdout(Stdio::piped())
        .output()
        .context("cannot start farthing")?;
    let took = started.elapsed();
    if !output.status.success() {
        bail!("farthing plan: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(took)
}

/// The rows of a program that measures itself.
fn measure(package: &str, example: &str) -> Vec<Row> {
    let printed = || -> Result<String> {
        let output = Command::new(program(package, Some(example))?)
            .current_dir(root())
            .stderr(Stdio::inherit())
            .output()
            .context("cannot start it")?;
        if !output.status.success() {
            bail!("it ended with {}", output.status);
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    match printed() {
        Ok(text) => rows(example, &text),
        Err(error) => vec![unmeasured(example, format!("{error:#}"))],
    }
}

fn unmeasured(bench: &str, why: String) -> Row {
    Row { bench: bench.to_owned(), outcome: Err(why) }
}

/// The figures in what a program printed; a line that is no JSON object is talk.
fn rows(example: &str, printed: &str) -> Vec<Row> {
    let mut found = Vec::new();
    for text in printed.lines() {
        let Ok(Value::Object(mut more)) = serde_json::from_str(text) else { continue };
        // What a measurement says besides, such as sums to compare, is no row.
        if !["bench", "value", "limit", "unit"].iter().any(|key| more.contains_key(*key)) {
            continue;
        }
        let mut take = |key: &str| more.remove(key).unwrap_or(Value::Null);
        let (bench, unit) = (take("bench"), take("unit"));
        let (value, limit) = (take("value").as_f64(), take("limit").as_f64());
        let bench = bench.as_str().unwrap_or(example).to_owned();
        let outcome = match (value, limit, unit.as_str()) {
            (Some(value), Some(limit), Some(unit)) if limit >= 0.0 => {
                Ok(Figure { value, limit, unit: unit.to_owned(), more })
            }
            _ => Err(format!("a line without value, limit from 0 on and unit: {text}")),
        };
        found.push(Row { bench, outcome });
    }
    if found.is_empty() {
        found.push(unmeasured(example, "it printed no figure".to_owned()));
    }
    found
}

fn headings() -> String {
    format!("{:<28} {:>14} {:>14} {:<10} {:>8}  ", "bench", "value", "limit", "unit", "ratio")
}

fn line(row: &Row) -> String {
    match &row.outcome {
        Ok(figure) => {
            let sign = if figure.is_rate() { ">=" } else { "<=" };
            let verdict = if figure.holds() { "ok" } else { "OVER THE LIMIT" };
            format!(
                "{:<28} {:>14.3} {sign} {:>11.3} {:<10} {:>8.3}  {verdict}",
                row.bench,
                figure.value,
                figure.limit,
                figure.unit,
                figure.ratio()
            )
        }
        Err(why) => format!("{:<28} NOT MEASURED: {why}", row.bench),
    }
}

/// Everything as JSON, with the machine and the commit that it was measured on.
fn results(rows: &[Row], (before, after): (Option<f64>, Option<f64>)) -> Value {
    let row = |row: &Row| match &row.outcome {
        Ok(figure) => json!({
            "bench": row.bench, "value": figure.value, "limit": figure.limit,
            "unit": figure.unit, "ratio": figure.ratio(), "holds": figure.holds(),
            "input": figure.more,
        }),
        Err(why) => json!({ "bench": row.bench, "holds": false, "not_measured": why }),
    };
    json!({
        "machine": machine(),
        "load_before": before,
        "load_after": after,
        "commit": first_line(Command::new("git").args(["describe", "--always", "--dirty"])),
        "rustc": first_line(Command::new("rustc").arg("--version")),
        "rows": rows.iter().map(row).collect::<Vec<_>>(),
    })
}

fn machine() -> Value {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, key: &str| {
        let line = text.lines().find(|line| line.starts_with(key));
        line.and_then(|line| line.split_once(':')).map(|(_, value)| value.trim().to_owned())
    };
    json!({
        "cpu": field(&read("/proc/cpuinfo"), "model name"),
        "cores": std::thread::available_parallelism().map_or(1, usize::from),
        "memory": field(&read("/proc/meminfo"), "MemTotal"),
    })
}

fn first_line(command: &mut Command) -> Option<String> {
    let output = command.current_dir(root()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.lines().next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_most_and_for_a_rate_a_least() {
        let printed = r#"talk
{"bench":"gap","value":1.5,"limit":1,"unit":"%","jobs":9}
{"bench":"speed","value":3e5,"limit":1e5,"unit":"events/s"}"#;
        let rows = rows("fleet_scale", printed);
        let held: Vec<bool> =
            rows.iter().map(|row| row.outcome.as_ref().unwrap().holds()).collect();
        assert_eq!(held, [false, true]);
        assert_eq!(rows[0].outcome.as_ref().unwrap().more["jobs"], 9);
        assert!(line(&rows[0]).contains("OVER THE LIMIT"));
        assert!(line(&rows[1]).ends_with("3.000  ok"));
    }

    #[test]
    fn no_figure_or_half_a_figure_is_a_row_that_fails() {
        for printed in ["", "only talk\n", "{\"bench\":\"gap\",\"value\":1}\n", "{\"value\":null}"]
        {
            let rows = rows("fleet_scale", printed);
            assert_eq!(rows.len(), 1, "{printed}");
            assert!(line(&rows[0]).contains("NOT MEASURED"), "{printed}");
            assert_eq!(results(&rows, (None, None))["rows"][0]["holds"], false);
        }
    }

    #[test]
    fn of_two_runs_the_better_of_each_figure_counts() {
        let run = |gap: &str, speed: &str| {
            let gap = format!("{{\"bench\":\"gap\",\"value\":{gap},\"limit\":1,\"unit\":\"%\"}}\n");
            let speed = format!(
                "{{\"bench\":\"speed\",\"value\":{speed},\"limit\":1,\"unit\":\"events/s\"}}"
            );
            rows("x", &(gap + &speed))
        };
        let value = |row: &Row| row.outcome.as_ref().unwrap().value;
        let best: Vec<f64> = better(run("3", "5"), &run("2", "4")).iter().map(value).collect();
        assert_eq!(best, [2.0, 5.0]);
        let best: Vec<f64> = better(run("2", "4"), &run("3", "5")).iter().map(value).collect();
        assert_eq!(best, [2.0, 5.0]);
        let failed = vec![unmeasured("gap", "it crashed".to_owned())];
        assert!(better(failed, &run("3", "5"))[0].outcome.is_ok(), "a later run may succeed");
    }

    #[test]
    fn processor_time_of_children_is_counted() {
        let before = children_cpu_s().unwrap();
        let count = ["-c", "i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done"];
        assert!(Command::new("sh").args(count).status().unwrap().success());
        let took = children_cpu_s().unwrap() - before;
        assert!((0.01..60.0).contains(&took), "{took}");
    }
}
