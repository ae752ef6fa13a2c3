//! Which task makes which files, and how they are written or compared.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::names::Names;
use crate::report::Report;
use crate::{catalog, prices, spot, traces, weights};

/// A file of the repository, by its path from the root, and what it should hold.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) path: String,
    pub(crate) text: String,
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// All files of a task, made from the shared folder alone (and the accelerator names of the
/// repository).
pub(crate) fn outputs(task: &str, shared: &Path) -> Result<Vec<Output>> {
    let mut outputs = Vec::new();
    let wants = |name: &str| task == name || task == "all";
    if wants("prices") {
        outputs.extend(price_outputs(shared)?);
    }
    if wants("traces") {
        outputs.extend(trace_outputs(shared)?);
    }
    if wants("spot") {
        outputs.push(Output { path: "data/spot.csv".into(), text: spot::csv(shared)? });
    }
    if outputs.is_empty() {
        bail!("no task {task}: prices, traces, spot or all");
    }
    Ok(outputs)
}

fn price_outputs(shared: &Path) -> Result<Vec<Output>> {
    let names = Names::open(&root().join("data/accelerators.csv"))?;
    let mut rows = catalog::anycloud(shared)?;
    rows.extend(catalog::aws(shared)?);
    let mut report = Report::default();
    let offers = prices::book(&rows, &names, &mut report)?;
    let text = prices::csv(&offers)?;
    let note = include_str!("prices-source.md")
        .replace("{read}", &rows.len().to_string())
        .replace("{rows}", &offers.len().to_string())
        .replace("{bytes}", &text.len().to_string())
        .replace("{faults}", report.markdown(true).trim_end())
        .replace("{scope}", report.markdown(false).trim_end());
    Ok(vec![
        Output { path: "data/prices/default.csv".into(), text },
        Output { path: "data/prices/SOURCE.md".into(), text: note },
        Output { path: "data/weights.yaml".into(), text: weights::yaml(&offers)? },
    ])
}

fn trace_outputs(shared: &Path) -> Result<Vec<Output>> {
    let (jobs, job_rows) = traces::philly(shared)?;
    let (requests, request_rows) = traces::conversation(shared)?;
    let note = include_str!("traces-source.md")
        .replace("{jobs}", &job_rows.to_string())
        .replace("{requests}", &request_rows.to_string());
    Ok(vec![
        Output { path: "data/traces/philly-jobs.csv".into(), text: jobs },
        Output { path: "data/traces/azure-llm-conv.csv".into(), text: requests },
        Output { path: "data/traces/day-shape.csv".into(), text: traces::day_shape(shared)? },
        Output { path: "data/traces/SOURCE.md".into(), text: note },
    ])
}

/// Writes the outputs, or only compares them; how many differ from the files, each named on stderr.
#[expect(clippy::print_stderr, reason = "a developer task talks to the developer")]
pub(crate) fn settle(outputs: &[Output], check: bool) -> Result<usize> {
    let mut stale = 0;
    for Output { path, text } in outputs {
        let file = root().join(path);
        let same = fs::read_to_string(&file).is_ok_and(|found| &found == text);
        stale += usize::from(!same);
        eprintln!("{path}: {} bytes, {}", text.len(), if same { "unchanged" } else { "differs" });
        if !same && !check {
            fs::create_dir_all(file.parent().context("a file has a folder")?)?;
            fs::write(&file, text).with_context(|| format!("cannot write {path}"))?;
        }
        if Path::new(path).extension().is_some_and(|extension| extension == "md") && !check {
            eprintln!("{}", tables(text));
        }
    }
    Ok(stale)
}

/// The counts of a note, for the terminal.
fn tables(note: &str) -> String {
    note.lines().filter(|line| line.starts_with('|')).collect::<Vec<_>>().join("\n")
}
