//! What a job asks for, out of the file that it is submitted with: objects of Kubernetes (`Pod`,
//! `Job`, `JobSet`, `PyTorchJob`, `RayJob`, `Deployment`, `StatefulSet`), sbatch scripts, Compose
//! files and our own `Workload`.
//!
//! It refuses to know prices, budgets and how long anything takes beyond what its file says. Fields
//! that do not bear on that are not looked at: those files have schemas of their own, and belong to
//! others. What is wrong in one object is a fault with its place, and the others go on. Start with
//! [`read`]; a format is a module.

mod compose;
mod kubernetes;
mod pod;
mod sbatch;
#[cfg(test)]
mod tests;
mod workload;

use crate::manifest::{self, Fault};
use crate::yaml::{Node, Spot, Value, documents};
use farthing_model::{AcceleratorQuery, Purchase, Resources};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::path::Path;

/// Longest file that is read, in bytes.
pub const FILE_BYTES_MAX: u64 = 16 << 20;

/// What a file asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Its jobs, in its order.
    pub jobs: Vec<AskedJob>,
    /// What is wrong with the others.
    pub faults: Vec<Fault>,
}

/// One job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedJob {
    /// Where it stands.
    pub spot: Spot,
    /// `Job`, `sbatch` and so on.
    pub kind: &'static str,
    /// Its name, or what stands in for one.
    pub name: String,
    /// Its labels; `team` among them says who pays.
    pub labels: BTreeMap<String, String>,
    /// What it runs.
    pub groups: Vec<Group>,
    /// Or one of these, and how long all of it then takes, as measured.
    pub options: Vec<(Group, SignedDuration)>,
    /// How long it may take altogether.
    pub limit: Option<Limit>,
    /// Whether it takes exactly that long.
    pub exact: bool,
    /// Whether it runs until someone ends it.
    pub endless: bool,
    /// What had to be assumed.
    pub assumptions: Vec<String>,
}

/// How long something may take, and where that is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The longest.
    pub length: SignedDuration,
    /// Which field says so.
    pub from: String,
}

/// Members of one shape.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// What they are, such as `worker`.
    pub role: String,
    /// How many run at the same time.
    pub count: u32,
    /// How often that many run, one after the other.
    pub rounds: u32,
    /// What each asks for.
    pub each: Resources,
    /// Which accelerator, where the file says.
    pub accelerator: Option<AcceleratorQuery>,
    /// Where it must be, as far as offers know of that.
    pub place: PlaceAsked,
    /// The image or program, which tells kinds of work apart.
    pub runs: String,
}

/// Where something must be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlaceAsked {
    /// One of these types of machine; empty = any.
    pub instance_types: Vec<String>,
    /// One of these regions; empty = any.
    pub regions: Vec<String>,
    /// Paid in one of these ways; empty = as the person who asks says.
    pub purchases: Vec<Purchase>,
}

impl AskedJob {
    /// What makes two jobs comparable: the name without what counts them, what they run, and on how
    /// much of what.
    pub fn comparable(&self) -> String {
        let name = self.name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '-' || c == '_');
        let name = if name.is_empty() { &self.name } else { name };
        let groups: Vec<String> = self.groups.iter().map(Group::comparable).collect();
        format!("{name}: {}", groups.join(" + "))
    }

    /// Accelerators that are held at the same time, in thousandths.
    pub fn gpu_milli(&self) -> u64 {
        let of = |group: &Group| group.each.gpu_milli.saturating_mul(group.count.into());
        self.groups.iter().map(of).fold(0, u64::saturating_add)
    }
}

impl Group {
    fn comparable(&self) -> String {
        let gpus = self.each.gpu_milli / 1_000;
        let on = match &self.accelerator {
            Some(accelerator) if gpus > 0 => format!("{gpus}x {accelerator}"),
            None if gpus > 0 => format!("{gpus} GPUs"),
            _ => format!("{}m CPU", self.each.cpu_milli),
        };
        format!("{} {} on {}x {on}", self.role, self.runs, self.count)
    }
}

/// Reads a file, told apart by what is in it.
pub fn read(path: &Path, text: &str, now: Timestamp) -> Asked {
    if sbatch::is_script(text) {
        return sbatch::read(path, text);
    }
    let mut asked = Asked::default();
    let mut ours = false;
    for document in documents(text) {
        match document {
            Ok(node) => {
                for object in items(node) {
                    // Those are read by the schema that they have.
                    match object.get("kind").and_then(Node::text) {
                        Some("Workload" | "Dag") => ours = true,
                        _ => one(path, &object, &mut asked),
                    }
                }
            }
            Err(error) => asked.faults.push(fault(path, error.spot, "", error.what)),
        }
    }
    if ours {
        let (manifests, faults) = manifest::load_lenient(&[path.to_owned()], now);
        asked.jobs.extend(manifests.workloads.iter().map(workload::asked));
        let is_ours = |fault: &Fault| {
            fault.object.as_deref().is_some_and(|object| object.starts_with("Workload"))
        };
        asked.faults.extend(faults.into_iter().filter(is_ours));
    }
    if asked.jobs.is_empty() && asked.faults.is_empty() {
        let what = "there is nothing to run in it: a Pod, Job, JobSet, PyTorchJob, RayJob, \
                    Deployment, StatefulSet, sbatch script, Compose file or Workload is needed";
        asked.faults.push(fault(path, Spot::default(), "", what));
    }
    asked
}

/// The objects of a document: a `List` has several.
fn items(node: Node) -> Vec<Node> {
    let is_list = node.get("kind").and_then(Node::text) == Some("List");
    match node.get("items").map(|items| &items.value) {
        Some(Value::List(items)) if is_list => items.clone(),
        _ => vec![node],
    }
}

fn one(path: &Path, node: &Node, asked: &mut Asked) {
    let found = if node.get("kind").is_some() {
        kubernetes::read(node).map(|job| job.into_iter().collect())
    } else if node.get("services").is_some() {
        compose::read(node)
    } else {
        let what = "neither an object with a `kind` nor a Compose file with `services`";
        Err(Wrong { spot: node.spot, object: String::new(), what: what.to_owned() })
    };
    match found {
        Ok(jobs) => asked.jobs.extend::<Vec<AskedJob>>(jobs),
        Err(wrong) => {
            asked.faults.push(fault(path, wrong.spot, &wrong.object, wrong.what));
        }
    }
}

fn fault(path: &Path, spot: Spot, object: &str, what: impl Into<String>) -> Fault {
    Fault {
        source: path.display().to_string(),
        spot: (spot.line > 0).then_some(spot),
        object: (!object.is_empty()).then(|| object.to_owned()),
        what: what.into(),
    }
}

/// Why an object cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Wrong {
    spot: Spot,
    object: String,
    what: String,
}

impl Wrong {
    fn at(node: &Node, what: impl Into<String>) -> Self {
        Self { spot: node.spot, object: String::new(), what: what.into() }
    }

    /// As [`Self::at`], for a value of a field.
    fn of(name: &str, node: &Node, what: impl std::fmt::Display) -> Self {
        Self::at(node, format!("{name}: {what}"))
    }

    /// Of an object with this name.
    fn named(self, object: &str) -> Self {
        Self { object: object.to_owned(), ..self }
    }
}

/// The value under a path of names.
fn dig<'n>(node: &'n Node, path: &[&str]) -> Option<&'n Node> {
    path.iter().try_fold(node, |node, name| node.get(name))
}

/// The items of a list; none where there is no list.
fn list(node: Option<&Node>) -> &[Node] {
    match node.map(|node| &node.value) {
        Some(Value::List(items)) => items,
        _ => &[],
    }
}

/// The entries of a map that are plain.
fn texts(node: Option<&Node>) -> BTreeMap<String, String> {
    let Some(Value::Map(entries)) = node.map(|node| &node.value) else { return BTreeMap::new() };
    let text =
        |(key, node): &(crate::yaml::Key, Node)| Some((key.name.clone(), node.text()?.to_owned()));
    entries.iter().filter_map(text).collect()
}

/// A whole number under a path, or a default.
fn count(node: &Node, path: &[&str], default: u32) -> Result<u32, Wrong> {
    let Some(found) = dig(node, path).filter(|found| !matches!(found.value, Value::Null)) else {
        return Ok(default);
    };
    let number = found.text().and_then(|text| text.parse::<u32>().ok());
    number.ok_or_else(|| Wrong::of(path.last().unwrap_or(&""), found, "is not a whole number"))
}

/// A number of seconds under a path.
fn seconds(node: &Node, path: &[&str], field: &str) -> Result<Option<Limit>, Wrong> {
    let Some(found) = dig(node, path).filter(|found| !matches!(found.value, Value::Null)) else {
        return Ok(None);
    };
    let number = found.text().and_then(|text| text.parse::<u32>().ok()).filter(|n| *n > 0);
    let number = number
        .ok_or_else(|| Wrong::of(path.last().unwrap_or(&""), found, "is not seconds above zero"))?;
    let length = SignedDuration::from_secs(i64::from(number));
    Ok(Some(Limit { length, from: field.to_owned() }))
}
