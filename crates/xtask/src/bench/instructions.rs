//! Instructions of inner loops, counted by callgrind and held against what was recorded: a machine
//! that is busy changes times, and not these.
//!
//! The recorded counts are in `bench/instructions.json`; `xtask instructions` writes them again
//! after a change that is meant. They depend on the compiler and on the processor's instructions
//! that libraries choose among, so a loop may take [`TOLERANCE_PERCENT`] more. Where valgrind is
//! absent, a line says so.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::{Figure, Row, first_line, unmeasured};
use crate::programs::program;
use crate::tasks::root;

/// Package and example, and the loops that it has by name.
const LOOPS: [(&str, &str, &[&str]); 2] = [
    ("farthing-ledger", "ledger_loops", &["meter", "telemetry", "rows", "sums", "explain"]),
    ("farthing-providers", "exposition_loops", &["exposition"]),
];
/// What is counted in these examples.
const COUNTED: &str = "*counted_work*";
/// How much more than recorded a loop may take.
const TOLERANCE_PERCENT: f64 = 5.0;
const RECORDED: &str = "bench/instructions.json";

/// The rows of all loops, or why there are none.
pub(super) fn measured() -> (Vec<Row>, Option<String>) {
    if !has_valgrind() {
        return (Vec::new(), Some("instructions: left out, valgrind is not here".to_owned()));
    }
    let recorded = match recorded() {
        Ok(recorded) => recorded,
        Err(error) => return (vec![unmeasured("instructions", format!("{error:#}"))], None),
    };
    let rows = names().map(|(package, example, name)| {
        let bench = bench(name);
        let figure = each(package, example, name).and_then(|value| {
            let was = recorded.get(name).copied();
            let was = was.with_context(|| format!("{RECORDED} has no `{name}`"))?;
            let limit = was * (1.0 + TOLERANCE_PERCENT / 100.0);
            let more = json!({ "recorded": was, "tolerance_percent": TOLERANCE_PERCENT });
            let more = more.as_object().cloned().unwrap_or_default();
            Ok(Figure { value, limit, unit: "instr".to_owned(), more })
        });
        Row { bench, outcome: figure.map_err(|error| format!("{error:#}")) }
    });
    (rows.collect(), None)
}

/// Counts all loops and writes what they take.
///
/// # Errors
/// A loop cannot be counted, or the file cannot be written.
#[expect(clippy::print_stdout, reason = "the counts are the output of this task")]
pub(crate) fn record() -> Result<()> {
    if !has_valgrind() {
        bail!("valgrind is not here: instructions cannot be counted");
    }
    let mut counts = BTreeMap::new();
    for (package, example, name) in names() {
        let each = each(package, example, name)?;
        println!("{:<28} {each:>10.1} instructions", bench(name));
        counts.insert(name, each);
    }
    let rustc = first_line(Command::new("rustc").arg("--version"));
    let text = serde_json::to_string_pretty(&json!({ "each": counts, "rustc": rustc }))?;
    fs::write(root().join(RECORDED), text + "\n").context("cannot write the counts")
}

fn names() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    LOOPS.into_iter().flat_map(|(package, example, names)| {
        names.iter().map(move |name| (package, example, *name))
    })
}

fn bench(name: &str) -> String {
    format!("instructions-{name}")
}

fn has_valgrind() -> bool {
    let mut asked = Command::new("valgrind");
    let asked = asked.arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    asked.is_ok_and(|status| status.success())
}

/// What was recorded, by loop.
fn recorded() -> Result<BTreeMap<String, f64>> {
    let text = fs::read_to_string(root().join(RECORDED))
        .with_context(|| format!("{RECORDED} cannot be read: `xtask instructions` writes it"))?;
    let all: Value = serde_json::from_str(&text).with_context(|| format!("{RECORDED} is wrong"))?;
    let each = all["each"].as_object().with_context(|| format!("{RECORDED} has no `each`"))?;
    Ok(each.iter().filter_map(|(name, count)| Some((name.clone(), count.as_f64()?))).collect())
}

/// Instructions for each unit of a loop.
fn each(package: &str, example: &str, name: &str) -> Result<f64> {
    let program = program(package, Some(example))?;
    let out = std::env::temp_dir().join(format!("farthing-callgrind-{}", std::process::id()));
    let counted = count(&program, name, &out);
    let _ = fs::remove_file(&out);
    counted
}

fn count(program: &Path, name: &str, out: &Path) -> Result<f64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", &format!("--toggle-collect={COUNTED}")])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(program)
        .arg(name)
        .current_dir(root())
        .output()
        .context("cannot start valgrind")?;
    let talk = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() {
        bail!("{name} ended with {} under valgrind", output.status);
    }
    let instructions = collected(&talk).context("callgrind says no count")?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let units = printed.lines().find_map(|line| {
        let line: Value = serde_json::from_str(line).ok()?;
        line["units"].as_f64().filter(|units| *units > 0.0)
    });
    Ok(instructions / units.context("it printed no units")?)
}

/// The count in what callgrind says: `==17== Collected : 3246512`.
fn collected(talk: &str) -> Option<f64> {
    let line = talk.lines().find(|line| line.contains("Collected : "))?;
    let count: f64 = line.rsplit_once(": ")?.1.trim().parse().ok()?;
    // Nothing is counted where the function is not found.
    (count > 0.0).then_some(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_read_and_nothing_counted_is_none() {
        let talk = "==17== Events    : Ir\n==17== Collected : 3246512\n==17== \n";
        assert_eq!(collected(talk), Some(3_246_512.0));
        assert_eq!(collected(&talk.replace("3246512", "0")), None);
        assert_eq!(collected("==17== no such tool"), None);
    }

    #[test]
    fn every_loop_is_recorded() {
        let recorded = recorded().unwrap();
        let loops: Vec<_> = names().map(|(_, _, name)| name).collect();
        assert!(loops.iter().all(|name| recorded.get(*name).is_some_and(|count| *count > 0.0)));
        assert_eq!(recorded.len(), loops.len());
    }
}
