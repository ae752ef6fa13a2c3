//! Scripts for `sbatch`: the `#SBATCH` lines at their head.

use super::{Asked, AskedJob, Group, Limit, PlaceAsked, fault};
use crate::catalog;
use crate::yaml::Spot;
use farthing_model::{AcceleratorQuery, Resources};
use jiff::SignedDuration;
use std::collections::BTreeMap;
use std::path::Path;

/// What marks a line that the scheduler reads.
const MARK: &str = "#SBATCH";

/// Short options, and what they are called in full.
const SHORT: [(&str, &str); 10] = [
    ("-N", "nodes"),
    ("-n", "ntasks"),
    ("-c", "cpus-per-task"),
    ("-t", "time"),
    ("-J", "job-name"),
    ("-A", "account"),
    ("-G", "gpus"),
    ("-a", "array"),
    ("-p", "partition"),
    ("-C", "constraint"),
];

/// Whether this is a script and not a document.
pub(super) fn is_script(text: &str) -> bool {
    text.starts_with("#!") || text.lines().any(|line| line.starts_with(MARK))
}

/// Reads a script: it is one job.
pub(super) fn read(path: &Path, text: &str) -> Asked {
    let mut asked = Asked::default();
    let mut options: BTreeMap<String, (String, usize)> = BTreeMap::new();
    for (index, line) in text.lines().enumerate() {
        let trimmed = line.trim();
        if let Some(rest) = trimmed.strip_prefix(MARK) {
            for (name, value) in words(rest) {
                options.insert(name, (value, index + 1));
            }
        } else if !trimmed.is_empty() && !trimmed.starts_with('#') {
            // The scheduler reads no further than the first command.
            break;
        }
    }
    match job(&Options(options), path, text) {
        Ok(job) => asked.jobs.push(job),
        Err((line, what)) => {
            asked.faults.push(fault(path, Spot { line, column: 1 }, "sbatch", what));
        }
    }
    asked
}

/// Options of one line: `--name=value`, `--name value`, `-N 4`, `-N4`.
fn words(rest: &str) -> Vec<(String, String)> {
    // What follows a blank and `#` is a comment.
    let rest = rest.split(" #").next().unwrap_or(rest);
    let mut words = rest.split_whitespace().peekable();
    let mut found = Vec::new();
    while let Some(word) = words.next() {
        let mut value_of_next = || match words.peek() {
            Some(next) if !next.starts_with('-') => words.next().unwrap_or_default().to_owned(),
            _ => String::new(),
        };
        if let Some(long) = word.strip_prefix("--") {
            let (name, value) = match long.split_once('=') {
                Some((name, value)) => (name, value.to_owned()),
                None => (long, value_of_next()),
            };
            found.push((name.to_owned(), value));
        } else if let Some((short, long)) = SHORT.iter().find(|(short, _)| word.starts_with(short))
        {
            let value = word[short.len()..].trim_start_matches('=');
            let value = if value.is_empty() { value_of_next() } else { value.to_owned() };
            found.push(((*long).to_owned(), value));
        }
    }
    for (_, value) in &mut found {
        *value = value.trim_matches(['"', '\'']).to_owned();
    }
    found
}

type Bad = (usize, String);

struct Options(BTreeMap<String, (String, usize)>);

impl Options {
    fn get(&self, name: &str) -> Option<(&str, usize)> {
        self.0.get(name).map(|(value, line)| (value.as_str(), *line))
    }

    fn read<T>(
        &self,
        name: &str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Option<T>, Bad> {
        let Some((value, line)) = self.get(name) else { return Ok(None) };
        read(value).map(Some).map_err(|why| (line, format!("--{name} `{value}`: {why}")))
    }

    fn count(&self, name: &str) -> Result<Option<u32>, Bad> {
        self.read(name, |text| {
            // `2-4` nodes: the least.
            let least = text.split('-').next().unwrap_or(text);
            least.parse().map_err(|_| "is not a whole number".to_owned())
        })
    }
}

fn job(options: &Options, path: &Path, text: &str) -> Result<AskedJob, Bad> {
    let mut assumptions = Vec::new();
    let tasks = options.count("ntasks")?;
    let per_node = options.count("ntasks-per-node")?;
    let nodes = match (options.count("nodes")?, tasks, per_node) {
        (Some(nodes), ..) => nodes,
        (None, Some(tasks), Some(per_node)) if per_node > 0 => tasks.div_ceil(per_node),
        _ => 1,
    };
    if nodes == 0 {
        return Err((1, "--nodes is 0".to_owned()));
    }
    let tasks_each = per_node.unwrap_or_else(|| tasks.unwrap_or(nodes).div_ceil(nodes)).max(1);
    let cpus_each = options.count("cpus-per-task")?.unwrap_or(1).saturating_mul(tasks_each);
    let (gpus, accelerator) = gpus(options, (nodes, tasks_each))?;
    let memory = memory(options, cpus_each, gpus)?;
    if memory == 0 {
        assumptions.push("no memory is asked for: any will do".to_owned());
    }
    if gpus > 0 && accelerator.is_none() {
        assumptions.push("which GPU is not said (--gpus h100:8): any will do".to_owned());
    }
    let elements = options.read("array", array)?;
    let (count, rounds) = elements.unwrap_or((1, 1));
    if let Some((together, rounds)) = elements {
        assumptions.push(format!("array: {together} at the same time, {rounds} rounds"));
    }
    let limit = options.read("time", time)?.flatten();
    let limit = limit.map(|length| Limit {
        length: length.saturating_mul(i32::try_from(rounds).unwrap_or(i32::MAX)),
        from: "--time".to_owned(),
    });
    let file = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let name = options.get("job-name").map(|(name, _)| name.to_owned()).or(file);
    let account =
        options.get("account").map(|(account, _)| ("team".to_owned(), account.to_owned()));
    Ok(AskedJob {
        spot: Spot { line: 1, column: 1 },
        kind: "sbatch",
        name: name.unwrap_or_else(|| "sbatch".to_owned()),
        labels: account.into_iter().collect(),
        options: Vec::new(),
        exact: false,
        groups: vec![Group {
            role: "node".to_owned(),
            count: nodes.checked_mul(count).ok_or((1, "too many nodes".to_owned()))?,
            rounds,
            each: Resources {
                gpu_milli: u64::from(gpus) * 1_000,
                cpu_milli: u64::from(cpus_each) * 1_000,
                memory_bytes: memory,
                storage_bytes: 0,
            },
            accelerator,
            place: PlaceAsked::default(),
            runs: command(text),
        }],
        limit,
        endless: false,
        assumptions,
    })
}

/// The last command of the script: what it is about.
fn command(text: &str) -> String {
    let lines = text.lines().map(str::trim);
    let last = lines.rev().find(|line| !line.is_empty() && !line.starts_with('#'));
    let words = last.unwrap_or_default().split_whitespace();
    let words =
        words.filter(|word| !word.starts_with('-') && !matches!(*word, "srun" | "exec" | "time"));
    words.take(2).collect::<Vec<_>>().join(" ")
}

/// From a count, nodes and tasks on each to the GPUs of a node.
type OfNode = fn(u32, u32, u32) -> u32;

/// GPUs of a node, and which.
fn gpus(
    options: &Options,
    (nodes, tasks_each): (u32, u32),
) -> Result<(u32, Option<AcceleratorQuery>), Bad> {
    let forms: [(&str, OfNode); 4] = [
        ("gpus-per-node", |count, _, _| count),
        ("gpus-per-task", |count, _, tasks| count.saturating_mul(tasks)),
        ("gpus", |count, nodes, _| count.div_ceil(nodes)),
        ("gres", |count, _, _| count),
    ];
    for (name, of_node) in forms {
        let Some((value, line)) = options.get(name) else { continue };
        let wrong = |why: String| (line, format!("--{name} `{value}`: {why}"));
        let Some((model, count)) = device(name, value).map_err(wrong)? else { continue };
        let accelerator = match model {
            None => None,
            Some(model) => {
                let known = catalog::accelerator_or_slice(model);
                let name = known.map_or_else(|_| model.to_owned(), |(known, _)| known.to_string());
                Some(name.parse().map_err(|why| wrong(format!("{why}")))?)
            }
        };
        return Ok((of_node(count, nodes, tasks_each), accelerator));
    }
    Ok((0, None))
}

/// `8`, `h100:8`, and of `gres` the part `gpu:h100:8` of a list.
fn device<'t>(name: &str, value: &'t str) -> Result<Option<(Option<&'t str>, u32)>, String> {
    let mut parts = value.split(',');
    let text = if name == "gres" {
        let Some(found) = parts.find(|part| part.split([':', '(']).next() == Some("gpu")) else {
            return Ok(None);
        };
        // What is in brackets says which ones.
        let found = found.split('(').next().unwrap_or(found);
        found.strip_prefix("gpu").unwrap_or(found).trim_start_matches(':')
    } else {
        parts.next().unwrap_or(value)
    };
    let (model, count) = match text.rsplit_once(':') {
        Some((model, count)) => (Some(model), count),
        None if text.is_empty() => (None, "1"),
        None if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') => (None, text),
        None => (Some(text), "1"),
    };
    let count = count.parse().map_err(|_| format!("`{count}` is not a whole number of GPUs"))?;
    Ok(Some((model, count)))
}

/// Memory of a node, in bytes; zero where none is asked for.
fn memory(options: &Options, cpus: u32, gpus: u32) -> Result<u64, Bad> {
    if let Some(memory) = options.read("mem", size)? {
        return Ok(memory);
    }
    for (name, count) in [("mem-per-cpu", cpus), ("mem-per-gpu", gpus)] {
        if let Some(each) = options.read(name, size)? {
            return Ok(each.saturating_mul(count.into()));
        }
    }
    Ok(0)
}

/// `64G`, `512M`, `4T`; a number alone is mebibytes, and all units are powers of two.
fn size(text: &str) -> Result<u64, String> {
    let bad = || "is not a size such as 64G or 512M".to_owned();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match text[digits.len()..].to_ascii_uppercase().as_str() {
        "K" | "KB" => 10,
        "" | "M" | "MB" => 20,
        "G" | "GB" => 30,
        "T" | "TB" => 40,
        _ => return Err(bad()),
    };
    let number: u64 = digits.parse().map_err(|_| bad())?;
    number.checked_mul(1 << shift).ok_or_else(bad)
}

/// `minutes`, `minutes:seconds`, `hours:minutes:seconds`, `days-hours`, `days-hours:minutes`,
/// `days-hours:minutes:seconds`; none for no limit.
fn time(text: &str) -> Result<Option<SignedDuration>, String> {
    if matches!(text.to_ascii_uppercase().as_str(), "UNLIMITED" | "INFINITE" | "0") {
        return Ok(None);
    }
    let bad = || "is not a time such as 90, 2:30:00 or 1-12:00:00".to_owned();
    let numbers = |text: &str| -> Result<Vec<i64>, String> {
        text.split(':').map(|part| part.parse::<u32>().map(i64::from).map_err(|_| bad())).collect()
    };
    let seconds = match text.split_once('-') {
        Some((days, rest)) => {
            let days = i64::from(days.parse::<u32>().map_err(|_| bad())?);
            let rest = match numbers(rest)?[..] {
                [hours] => hours * 3_600,
                [hours, minutes] => hours * 3_600 + minutes * 60,
                [hours, minutes, seconds] => hours * 3_600 + minutes * 60 + seconds,
                _ => return Err(bad()),
            };
            days * 86_400 + rest
        }
        None => match numbers(text)?[..] {
            [minutes] => minutes * 60,
            [minutes, seconds] => minutes * 60 + seconds,
            [hours, minutes, seconds] => hours * 3_600 + minutes * 60 + seconds,
            _ => return Err(bad()),
        },
    };
    Ok(Some(SignedDuration::from_secs(seconds)))
}

/// How many elements of an array run together, and how often: `0-15%4`, `1,3,5`, `0-100:10`.
fn array(text: &str) -> Result<(u32, u32), String> {
    let bad = || "is not an array such as 0-15, 1,3,5 or 0-99%10".to_owned();
    let (list, most) = match text.split_once('%') {
        Some((list, most)) => (list, Some(most.parse::<u32>().map_err(|_| bad())?)),
        None => (text, None),
    };
    let mut all = 0_u32;
    for part in list.split(',') {
        let (range, step) = match part.split_once(':') {
            Some((range, step)) => (range, step.parse::<u32>().map_err(|_| bad())?),
            None => (part, 1),
        };
        let (from, to) = range.split_once('-').unwrap_or((range, range));
        let number = |text: &str| text.trim().parse::<u32>().map_err(|_| bad());
        let (from, to) = (number(from)?, number(to)?);
        let elements = to.checked_sub(from).filter(|_| step > 0).ok_or_else(bad)? / step + 1;
        all = all.checked_add(elements).ok_or_else(bad)?;
    }
    let together = most.filter(|most| *most > 0).unwrap_or(all).min(all);
    Ok((together, all.div_ceil(together.max(1))))
}
