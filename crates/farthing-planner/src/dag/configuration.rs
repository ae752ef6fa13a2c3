//! Which machines run a task, and how long: what its accelerators and throughput say, before any
//! offer is looked at.

use super::DagError;
use super::candidate::{HOUR, MILLI, too_large};
use super::market::Market;
use super::report::Obstacle;
use crate::candidate::run_time;
use farthing_model::{Accelerators, Decimal, Policy, Purchase, Run, Target, Task, Throughput};
use jiff::SignedDuration;

/// The longest run: a hundred thousand years. What is longer is a slip of the pen.
const RUN_MAX: i64 = 3_155_760_000_000_000;
/// Names that a refusal suggests.
const SUGGESTIONS_MAX: usize = 8;

/// How long a task holds its nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Held {
    /// In milliseconds, with boot and expected loss.
    pub(super) run: i64,
    /// How much longer where the nodes boot as late as they do at worst.
    pub(super) late: i64,
}

/// Machines that run a task for the same time.
pub(super) struct Configuration {
    pub(super) machines: Machines,
    /// Least accelerators of a node.
    pub(super) count: u32,
    /// The work alone, in milliseconds.
    pub(super) busy: i64,
    /// With boot and expected loss, for each way to pay.
    pub(super) runs: [Held; 4],
}

pub(super) enum Machines {
    Any,
    With(Vec<usize>),
    Named(String),
}

impl Configuration {
    fn new(machines: Machines, count: u32, busy: i64) -> Self {
        Self { machines, count, busy, runs: [Held { run: busy, late: 0 }; 4] }
    }
}

impl Machines {
    pub(super) fn each(&self, market: &Market, mut ask: impl FnMut(u32)) {
        match self {
            Self::Any => (0..u32::try_from(market.rate.len()).unwrap_or(u32::MAX)).for_each(ask),
            Self::Named(name) => market.machines(name).iter().for_each(|at| ask(*at)),
            Self::With(accelerators) => {
                for accelerator in accelerators {
                    market.with(*accelerator).iter().for_each(|at| ask(*at));
                }
            }
        }
    }
}

/// Which machines run a task how long.
pub(super) fn configurations(
    task: &Task,
    market: &Market,
) -> Result<Result<Vec<Configuration>, Obstacle>, DagError> {
    let mut found = Vec::new();
    let mut unknown = Vec::new();
    let rows = match &task.run {
        Run::Work { throughput, .. } => throughput.as_slice(),
        Run::Fixed(_) | Run::Unknown => &[],
    };
    if task.accelerators.is_empty() && rows.is_empty() {
        let busy = fixed(task)?;
        return Ok(Ok(vec![Configuration::new(Machines::Any, 0, busy)]));
    }
    let asked = of_rows(task, rows);
    for wanted in &asked {
        let meant = market.meant(&wanted.accelerator);
        ambiguous(task, wanted, &meant, market)?;
        if meant.is_empty() {
            unknown.push(wanted.accelerator.to_string());
        }
        for accelerator in meant {
            let Some(busy) = run_on(task, rows, wanted, accelerator, market)? else { continue };
            let machines = Machines::With(vec![accelerator]);
            found.push(Configuration::new(machines, wanted.count, busy));
        }
    }
    for row in rows.iter().filter(|_| task.accelerators.is_empty()) {
        if let Target::InstanceType(name) = &row.target {
            let machines = Machines::Named(name.clone());
            found.push(Configuration::new(machines, 0, work_time(task, row)?));
        }
    }
    if !found.is_empty() {
        return Ok(Ok(found));
    }
    let why = if unknown.is_empty() {
        "no throughput is given for the accelerators that are asked for".to_owned()
    } else {
        format!("no offer has {}; {}", unknown.join(" or "), near(&unknown, market))
    };
    Ok(Err(Obstacle::NoOffer { task: task.name.clone(), why }))
}

/// The accelerators asked for; where none are named, those that throughput was measured on, each
/// once.
fn of_rows(task: &Task, rows: &[Throughput]) -> Vec<Accelerators> {
    if !task.accelerators.is_empty() {
        return task.accelerators.clone();
    }
    let mut asked: Vec<Accelerators> = Vec::new();
    for row in rows {
        if let Target::Accelerator(accelerator) = &row.target {
            let this = Accelerators { accelerator: accelerator.clone(), count: row.count };
            if !asked.contains(&this) {
                asked.push(this);
            }
        }
    }
    asked
}

/// A name may leave the form open and not the memory: 40 and 80 GB are two things.
fn ambiguous(
    task: &Task,
    wanted: &Accelerators,
    meant: &[usize],
    market: &Market,
) -> Result<(), DagError> {
    let kind = |at: &usize| {
        let name = &market.accelerators[*at];
        match name.memory_gb() {
            Some(memory) => format!("{}-{memory}GB", name.model()),
            None => name.model().to_owned(),
        }
    };
    let mut kinds: Vec<String> = meant.iter().map(kind).collect();
    kinds.sort();
    kinds.dedup();
    if kinds.len() < 2 {
        return Ok(());
    }
    let (task, name) = (task.name.clone(), wanted.accelerator.to_string());
    Err(DagError::Ambiguous { task, name, choices: kinds })
}

/// How long a task runs on an accelerator; `None` where no throughput was measured.
fn run_on(
    task: &Task,
    rows: &[Throughput],
    wanted: &Accelerators,
    accelerator: usize,
    market: &Market,
) -> Result<Option<i64>, DagError> {
    if rows.is_empty() {
        return fixed(task).map(Some);
    }
    let matches = |row: &&Throughput| match &row.target {
        Target::Accelerator(query) => {
            row.count == wanted.count && query.matches(&market.accelerators[accelerator])
        }
        Target::InstanceType(_) => false,
    };
    rows.iter().find(matches).map(|row| work_time(task, row)).transpose()
}

fn fixed(task: &Task) -> Result<i64, DagError> {
    match &task.run {
        Run::Fixed(length) => whole_millis(*length).ok_or_else(|| too_large(task)),
        Run::Work { .. } | Run::Unknown => Ok(HOUR),
    }
}

fn whole_millis(length: SignedDuration) -> Option<i64> {
    let millis = (length.as_nanos().checked_add(MILLI - 1)?).div_euclid(MILLI);
    i64::try_from(millis).ok().filter(|millis| (0..=RUN_MAX).contains(millis))
}

/// `work / throughput`, rounded up to a millisecond.
fn work_time(task: &Task, row: &Throughput) -> Result<i64, DagError> {
    let Run::Work { work, .. } = &task.run else { return fixed(task) };
    let rate: Decimal = row.amount;
    if !rate.is_positive() || !row.per.is_positive() || work.amount.nano() < 0 {
        return Err(DagError::NoSpeed(task.name.clone()));
    }
    let millis = || {
        let needed = work.amount.nano().checked_mul(row.per.as_nanos())?;
        let each = rate.nano().checked_mul(MILLI)?;
        let up = needed.div_euclid(each) + i128::from(needed.rem_euclid(each) > 0);
        i64::try_from(up).ok().filter(|millis| *millis <= RUN_MAX)
    };
    millis().ok_or_else(|| too_large(task))
}

/// What the market has instead.
fn near(asked: &[String], market: &Market) -> String {
    let model = |name: &str| name.split('-').next().unwrap_or_default().to_ascii_lowercase();
    let models: Vec<String> = asked.iter().map(|name| model(name)).collect();
    let mut names: Vec<(bool, String)> = market
        .accelerators
        .iter()
        .map(|name| (!models.contains(&model(name.model())), name.to_string()))
        .collect();
    names.sort();
    let names: Vec<String> =
        names.into_iter().map(|(_, name)| name).take(SUGGESTIONS_MAX).collect();
    if names.is_empty() {
        return "there are no accelerators among the offers".to_owned();
    }
    format!("there are {}", names.join(", "))
}

/// How long a task holds its nodes by each way to pay: the boot of what is bought, the work, and on
/// spot the loss that is expected, where that is known. What runs for no time holds
/// nothing, and hours that nobody gave are compared bare.
pub(super) fn runs(task: &Task, policy: &Policy, busy: i64) -> Result<[Held; 4], DagError> {
    let mut runs = [Held { run: busy, late: 0 }; 4];
    if task.run == Run::Unknown || busy == 0 {
        return Ok(runs);
    }
    let work = SignedDuration::from_millis(busy);
    let late = policy.boot_max.saturating_sub(policy.boot).max(SignedDuration::ZERO);
    let late = whole_millis(late).ok_or_else(|| too_large(task))?;
    for (run, purchase) in runs.iter_mut().zip(Purchase::ALL) {
        let how = task.interruptible;
        // Without a known loss spot is what on demand is.
        let whole = run_time(how, purchase, policy, work)
            .or_else(|| run_time(how, Purchase::OnDemand, policy, work));
        run.run = whole.and_then(whole_millis).ok_or_else(|| too_large(task))?;
        run.late = if purchase == Purchase::Owned { 0 } else { late };
    }
    Ok(runs)
}
