//! `idle`: verdicts on who holds accelerators, and the ladder from allocated to useful.

use super::scalar::{WindowJson, ppm};
use farthing_ledger::{DeviceVerdict, Ladder, Verdict};
use farthing_model::{DeviceId, Money, NodeId, Window};
use serde::Serialize;
use std::collections::BTreeMap;

/// Everything that is said of a window.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct IdleJson {
    /// The window.
    pub window: WindowJson,
    /// The workloads that have accelerators, those that cost most for nothing first.
    pub verdicts: Vec<VerdictJson>,
    /// Devices that nobody has.
    pub unallocated: Vec<DeviceJson>,
    /// What each workload makes of each device.
    pub ladders: Vec<LadderJson>,
}

/// What is said of a workload.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct VerdictJson {
    /// Who.
    pub workload: String,
    /// `UNKNOWN`, `STARTING`, `BUSY`, `STALLED`, `LOADED_IDLE`, `PROBE_ONLY` or `EMPTY_IDLE`.
    pub state: &'static str,
    /// Whether all of it is idle, and nothing speaks against it.
    pub idle: bool,
    /// What speaks against it.
    pub vetoes: Vec<String>,
    /// The least coverage of a device.
    pub coverage: f64,
    /// What it was charged in the window.
    pub spent: String,
    /// What that is in a day.
    pub per_day: String,
    /// The currency of both.
    pub currency: String,
    /// Each device.
    pub devices: Vec<DeviceVerdictJson>,
}

/// What is said of one device of a workload.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DeviceVerdictJson {
    /// Whose.
    pub pod: Option<String>,
    /// Where.
    pub node: String,
    /// Which.
    pub device: String,
    /// The instance on it, where it is partitioned.
    pub instance: Option<u32>,
    /// As for workloads.
    pub state: &'static str,
    /// Why, in words.
    pub why: String,
    /// Records that were there.
    pub records: u32,
    /// Records that were to be expected.
    pub records_expected: u32,
    /// The part of the time that was read.
    pub coverage: f64,
    /// The highest reading of what ran, 0 to 1; `null` without one.
    pub active_most: Option<f64>,
    /// Whether memory was held; `null` when nobody says.
    pub memory_held: Option<bool>,
    /// The highest power, in watts.
    pub power_most_w: Option<f64>,
}

/// A device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeviceJson {
    /// Where.
    pub node: String,
    /// Which.
    pub device: String,
}

/// What a workload makes of a device.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LadderJson {
    /// Where.
    pub node: String,
    /// Which.
    pub device: String,
    /// Who; `null` = nobody.
    pub workload: Option<String>,
    /// The share of the device that is allocated.
    pub allocated: f64,
    /// Rung -> its part of the device, or why there is none.
    pub rungs: BTreeMap<&'static str, RungJson>,
}

/// A rung.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RungJson {
    /// Its part of the device while it was read; `null` when it never was.
    pub value: Option<f64>,
    /// How much of the time it was read.
    pub read: f64,
    /// `not-exported`, `blank` or `unsupported`, for the rest of the time.
    pub missing: Option<&'static str>,
    /// The line that would export it.
    pub export: Option<&'static str>,
}

/// The wire form.
pub fn idle(
    window: Window,
    verdicts: &[Verdict],
    unallocated: &[(NodeId, DeviceId)],
    ladders: &[Ladder],
) -> IdleJson {
    let device = |(node, device): &(NodeId, DeviceId)| DeviceJson {
        node: node.to_string(),
        device: device.to_string(),
    };
    IdleJson {
        window: window.into(),
        verdicts: verdicts.iter().map(verdict).collect(),
        unallocated: unallocated.iter().map(device).collect(),
        ladders: ladders.iter().map(ladder).collect(),
    }
}

fn verdict(verdict: &Verdict) -> VerdictJson {
    VerdictJson {
        workload: verdict.workload.to_string(),
        state: verdict.activity.name(),
        idle: verdict.idle,
        vetoes: verdict.vetoes.iter().map(ToString::to_string).collect(),
        coverage: ppm(verdict.coverage_ppm),
        spent: Money::to_decimal(verdict.spent),
        per_day: Money::to_decimal(verdict.per_day),
        currency: verdict.spent.currency().to_string(),
        devices: verdict.devices.iter().map(of_device).collect(),
    }
}

fn of_device(one: &DeviceVerdict) -> DeviceVerdictJson {
    let evidence = &one.evidence;
    DeviceVerdictJson {
        pod: one.pod.clone(),
        node: one.node.to_string(),
        device: one.device.to_string(),
        instance: one.instance,
        state: one.activity.name(),
        why: one.why.clone(),
        records: evidence.records.0,
        records_expected: evidence.records.1,
        coverage: ppm(evidence.coverage_ppm),
        active_most: evidence.active_most.map(|most| ppm(u32::from(most) * 1_000)),
        memory_held: evidence.held,
        power_most_w: evidence.power_most_mw.map(|most| f64::from(most) / 1e3),
    }
}

fn ladder(one: &Ladder) -> LadderJson {
    let rungs = one.steps.iter().map(|step| {
        let rung = RungJson {
            value: step.device_ppm.map(ppm),
            read: ppm(step.read_ppm),
            missing: step.missing.map(farthing_model::Missing::name),
            export: step.how_to_export(),
        };
        (step.rung.name(), rung)
    });
    LadderJson {
        node: one.node.to_string(),
        device: one.device.to_string(),
        workload: one.workload.as_ref().map(ToString::to_string),
        allocated: ppm(one.allocated_ppm),
        rungs: rungs.collect(),
    }
}
