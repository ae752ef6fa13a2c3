//! Idle verdicts: whether a workload that holds accelerators does nothing with them, and what that
//! costs.
//!
//! A verdict may stop somebody's work, so it is idle only when **all** devices of **all** pods were
//! idle for the **whole** window, enough of it was seen, and nothing speaks against it. What was
//! not seen is unknown. It refuses to act, to know the clock and to guess. Start with [`judge`];
//! one device is judged in `device`,
//! and all workloads of the books by [`watch`].

mod device;
mod energy;
mod survey;
mod watch;

use device::Seen;
pub use energy::{DeviceEnergy, energy};
use farthing_model::{
    Charge, Currency, DeviceId, DeviceUse, Money, MoneyError, NodeId, Progress, Rung, Window,
    WorkloadId, proportion,
};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::fmt;
pub use survey::{Survey, SurveyError, survey};
pub use watch::{Watch, watch};

/// Below this share of expected records nothing is known, in parts per million.
const COVERAGE_MIN_PPM: u32 = 800_000;
/// A day in nanoseconds.
const DAY_NANOS: i128 = 86_400_000_000_000;

/// What a workload does with a device, or with all it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Activity {
    /// Too little was seen.
    Unknown,
    /// Nobody has the device.
    Unallocated,
    /// It is not ready yet, is new in the window, or still loads.
    Starting,
    /// It works.
    Busy,
    /// It does nothing while others that it works with do.
    Stalled,
    /// It holds memory of the device, computes nothing and serves nobody.
    LoadedIdle,
    /// It computes less than 2 %, and no request was counted: health probes.
    ProbeOnly,
    /// It holds the device, and nothing on it.
    EmptyIdle,
}

impl Activity {
    /// The name in tables, files and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "UNKNOWN",
            Self::Unallocated => "UNALLOCATED",
            Self::Starting => "STARTING",
            Self::Busy => "BUSY",
            Self::Stalled => "STALLED",
            Self::LoadedIdle => "LOADED_IDLE",
            Self::ProbeOnly => "PROBE_ONLY",
            Self::EmptyIdle => "EMPTY_IDLE",
        }
    }

    /// Whether a device in this state does nothing for its workload.
    pub const fn is_idle(self) -> bool {
        matches!(self, Self::LoadedIdle | Self::ProbeOnly | Self::EmptyIdle)
    }
}

impl fmt::Display for Activity {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.name())
    }
}

/// A device, or a slice of one, that a pod of the workload has: all of them are to be named, also
/// those that no exporter says anything about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seat {
    /// Whose; `None` where there are no pods.
    pub pod: Option<String>,
    /// Where.
    pub node: NodeId,
    /// Which device.
    pub device: DeviceId,
    /// The GPU instance on it, where it is partitioned.
    pub instance: Option<u32>,
    /// Held from when to when, as far as is known.
    pub held: Window,
    /// When the pod became ready; `None` = it is not.
    pub ready: Option<Timestamp>,
    /// What the device draws when it does nothing, as learned, in milliwatts.
    pub idle_power_mw: Option<u32>,
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// About whom.
    pub workload: &'a WorkloadId,
    /// Over which time.
    pub window: Window,
    /// How often a record of each device is to be expected.
    pub every: SignedDuration,
    /// Everything that it holds.
    pub seats: &'a [Seat],
    /// What those devices did, in any order; records of other devices and workloads do not count.
    pub uses: &'a [DeviceUse],
    /// Whether its devices work in step (a training job), so that one that does nothing while
    /// others work is stalled; replicas of a service do not.
    pub in_step: bool,
    /// An annotation that keeps it, in words.
    pub kept: Option<&'a str>,
    /// Times in which nobody's work is judged idle, and why.
    pub calendar: &'a [(Window, String)],
    /// What it was charged; rows of others do not count.
    pub charges: &'a [Charge],
    /// The currency of the books.
    pub currency: Currency,
}

/// Something that speaks against calling a workload idle.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Veto {
    /// A device drew more than 15 % above what it draws when idle.
    Power {
        /// Which device.
        device: DeviceId,
        /// What it drew at most, in milliwatts.
        most_mw: u32,
        /// What it draws when idle, in milliwatts.
        idle_mw: u32,
    },
    /// Requests, tokens or steps were counted.
    Progress(Progress),
    /// An annotation keeps it.
    Kept(String),
    /// A time in which nothing is judged idle.
    Calendar(String),
}

impl fmt::Display for Veto {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Power { device, most_mw, idle_mw } => write!(
                out,
                "{device} drew {} W, and {} W when idle",
                most_mw / 1_000,
                idle_mw / 1_000
            ),
            Self::Progress(progress) => {
                let Progress { requests, tokens, steps } = progress;
                let counted = [(requests, "requests"), (tokens, "tokens"), (steps, "steps")];
                let moved = counted.iter().filter(|(count, _)| count.is_some_and(|c| c > 0));
                let moved: Vec<_> = moved
                    .map(|(count, name)| format!("{} {name}", count.unwrap_or_default()))
                    .collect();
                write!(out, "{} were counted", moved.join(", "))
            }
            Self::Kept(why) => write!(out, "an annotation keeps it: {why}"),
            Self::Calendar(why) => write!(out, "the calendar keeps it: {why}"),
        }
    }
}

/// What one device was seen to do, and what that is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceVerdict {
    /// Whose.
    pub pod: Option<String>,
    /// Where.
    pub node: NodeId,
    /// Which device.
    pub device: DeviceId,
    /// The GPU instance on it.
    pub instance: Option<u32>,
    /// What it does.
    pub activity: Activity,
    /// Why it is called that, in one line.
    pub why: String,
    /// The evidence.
    pub evidence: Evidence,
}

/// What was seen of one device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// Records that were there, and that were to be expected.
    pub records: (u32, u32),
    /// How much of the time there was a reading of what ran, in parts per million.
    pub coverage_ppm: u32,
    /// The rungs that tell what ran, of those that were read.
    pub read: Vec<Rung>,
    /// The highest of these readings, in thousandths; `None` when there was none.
    pub active_most: Option<u16>,
    /// Whether memory was held: at any time, and it is known.
    pub held: Option<bool>,
    /// The highest power, in milliwatts.
    pub power_most_mw: Option<u32>,
    /// What was counted, in all.
    pub progress: Progress,
}

/// What is said of a workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Of whom.
    pub workload: WorkloadId,
    /// Over which time.
    pub window: Window,
    /// What it does as a whole: busy if any device is, else unknown if any is, else starting if any
    /// is, else what its devices have in common.
    pub activity: Activity,
    /// Whether it is idle: every device is, and there is no veto.
    pub idle: bool,
    /// What speaks against it, sorted.
    pub vetoes: Vec<Veto>,
    /// Each device, in the order of the question.
    pub devices: Vec<DeviceVerdict>,
    /// The least coverage of a device, in parts per million.
    pub coverage_ppm: u32,
    /// What it was charged in the window.
    pub spent: Money,
    /// What that is in a day, rounded down.
    pub per_day: Money,
}

/// Judges a workload.
///
/// # Errors
/// The charges do not add: another currency than the one that is asked, or overflow.
pub fn judge(question: &Question<'_>) -> Result<Verdict, MoneyError> {
    let seen: Vec<Seen<'_>> = question.seats.iter().map(|seat| Seen::of(question, seat)).collect();
    let alone: Vec<(Activity, String)> = seen.iter().map(Seen::alone).collect();
    let works = alone.iter().any(|(activity, _)| *activity == Activity::Busy);
    let mut vetoes = Vec::new();
    let mut devices = Vec::with_capacity(seen.len());
    for (seen, (mut activity, mut why)) in seen.into_iter().zip(alone) {
        if activity.is_idle() && works && question.in_step {
            activity = Activity::Stalled;
            why = format!("others of its job work, and this one does nothing: {why}");
        }
        vetoes.extend(seen.veto());
        devices.push(seen.verdict(activity, why));
    }
    vetoes.extend(counted(&devices).map(Veto::Progress));
    vetoes.extend(question.kept.map(|why| Veto::Kept(why.to_owned())));
    let kept =
        question.calendar.iter().filter(|(kept, _)| kept.intersect(question.window).is_some());
    vetoes.extend(kept.map(|(_, why)| Veto::Calendar(why.clone())));
    vetoes.sort();
    vetoes.dedup();
    let activity = together(&devices);
    let spent = spent(question)?;
    let per_day = proportion(spent.pico(), DAY_NANOS, question.window.nanos());
    Ok(Verdict {
        workload: question.workload.clone(),
        window: question.window,
        activity,
        idle: activity.is_idle() && vetoes.is_empty(),
        vetoes,
        coverage_ppm: devices.iter().map(|one| one.evidence.coverage_ppm).min().unwrap_or(0),
        devices,
        spent,
        per_day: Money::from_pico(per_day.ok_or(MoneyError::Overflow)?, question.currency),
    })
}

/// The most that was counted on any device: counters are of the workload, and are on each.
fn counted(devices: &[DeviceVerdict]) -> Option<Progress> {
    let most = |of: fn(&Progress) -> Option<u64>| {
        devices.iter().filter_map(|one| of(&one.evidence.progress)).max()
    };
    let progress = Progress {
        requests: most(|progress| progress.requests),
        tokens: most(|progress| progress.tokens),
        steps: most(|progress| progress.steps),
    };
    progress.moved().then_some(progress)
}

/// What all devices come to. One that works is enough to say that the workload does; one of which
/// nothing is known is enough to not call it idle.
fn together(devices: &[DeviceVerdict]) -> Activity {
    use Activity::{
        Busy, EmptyIdle, LoadedIdle, ProbeOnly, Stalled, Starting, Unallocated, Unknown,
    };
    let order = [Busy, Unknown, Starting, Stalled, ProbeOnly, LoadedIdle, EmptyIdle, Unallocated];
    let is_there = |activity: &Activity| devices.iter().any(|one| one.activity == *activity);
    order.into_iter().find(is_there).unwrap_or(Unknown)
}

/// What the workload was charged in the window; a charge that reaches out of it counts in
/// proportion.
fn spent(question: &Question<'_>) -> Result<Money, MoneyError> {
    let mut costs = Vec::new();
    for charge in question.charges {
        let is_its = charge.attribution.as_ref().is_some_and(|w| w.workload == *question.workload);
        let Some(inside) = charge.window.intersect(question.window).filter(|_| is_its) else {
            continue;
        };
        let pico = proportion(charge.cost.pico(), inside.nanos(), charge.window.nanos());
        let pico = pico.ok_or(MoneyError::Overflow)?;
        costs.push(Money::from_pico(pico, charge.cost.currency()));
    }
    Money::sum(costs, question.currency)
}

/// Devices that nobody has, by what exporters say: those with records in the window of which none
/// names a workload. A device without records is not in it, as absence is not idleness.
pub fn unallocated(uses: &[DeviceUse], window: Window) -> Vec<(NodeId, DeviceId)> {
    let mut devices: BTreeMap<(&NodeId, &DeviceId), bool> = BTreeMap::new();
    for one in uses.iter().filter(|one| one.window.intersect(window).is_some()) {
        *devices.entry((&one.node, &one.device)).or_insert(true) &= one.attribution.is_none();
    }
    let free = devices.into_iter().filter(|(_, free)| *free);
    free.map(|((node, device), _)| (node.clone(), device.clone())).collect()
}
