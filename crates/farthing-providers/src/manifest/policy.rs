//! `kind: Policy`. What is left out keeps the model's default.

use super::alerts::alerts;
use super::fault::Report;
use super::fields::{Fields, items, read};
use super::workload::amounts;
use super::{scalar, shape};
use crate::alert::Settings;
use crate::yaml::Node;
use farthing_model::{
    Band, Limits, Mode, NodeRules, Objective, Policy, Reclaim, Resource, Resources, SpotLoss,
    WeekSpanError,
};

/// Reads the spec; `None` only where faults were reported.
pub(crate) fn policy(spec: &Node, report: &mut Report) -> Option<(Policy, Option<Settings>)> {
    let fields = Fields::open(spec, "spec", &shape::POLICY, report)?;
    let mut policy = Policy::default();
    let modes = Mode::ALL.map(|mode| (mode.name(), mode));
    policy.mode = fields.choice("mode", &modes, report).unwrap_or(policy.mode);
    let objectives =
        [("cost", Objective::Cost), ("time", Objective::Time), ("carbon", Objective::Carbon)];
    policy.objective = fields.choice("objective", &objectives, report).unwrap_or(policy.objective);
    if let Some(node) = fields.get("utilisation") {
        let fields = Fields::open(node, "spec.utilisation", &shape::UTILISATION, report)?;
        for resource in Resource::ALL {
            if let Some(band) = fields.get(resource.name()).and_then(|node| band(node, report)) {
                *policy.bands.get_mut(resource) = band;
            }
        }
    }
    if let Some(node) = fields.get("limits") {
        policy.limits = limits(node, policy.limits, report)?;
    }
    if let Some(node) = fields.get("disruption") {
        let parse = |text: &str| text.parse().map_err(|error: WeekSpanError| error.to_string());
        let spans = items(node, "disruption", report).iter();
        policy.disruption =
            spans.filter_map(|span| read(span, "disruption", parse, report)).collect();
    }
    let idle = fields.read("idleRelease", scalar::duration, report);
    policy.idle_release = idle.unwrap_or(policy.idle_release);
    policy.boot = fields.read("boot", scalar::duration, report).unwrap_or(policy.boot);
    let boot_max = fields.read("bootMax", scalar::duration, report);
    policy.boot_max = boot_max.unwrap_or(policy.boot_max);
    policy.spot = fields.get("spot").and_then(|node| spot(node, report));
    if let Some(node) = fields.get("nodes") {
        policy.nodes = nodes(node, report)?;
    }
    if let Some(node) = fields.get("reclaim") {
        policy.reclaim = reclaim(node, report)?;
    }
    let alerts = fields.get("alerts").and_then(|node| alerts(node, report));
    Some((policy, alerts))
}

fn band(node: &Node, report: &mut Report) -> Option<Band> {
    let fields = Fields::open(node, "utilisation", &shape::BAND, report)?;
    let max = fields.read("max", scalar::share, report);
    let reserve = fields.read("reserve", scalar::share, report);
    let band = Band { max: max?, reserve: reserve? };
    if band.reserve >= band.max {
        report.fault(node.spot, "`reserve` must be below `max`: the band is max - reserve to max");
    }
    Some(band)
}

fn limits(node: &Node, usual: Limits, report: &mut Report) -> Option<Limits> {
    let fields = Fields::open(node, "spec.limits", &shape::LIMITS, report)?;
    let steps = fields.read("stepsPerHour", scalar::whole, report);
    let in_namespace = fields.read("stepsPerNamespace", scalar::whole, report);
    let nodes = fields.read("nodesPerTick", scalar::whole, report);
    let age = fields.read("ageMax", scalar::some_duration, report);
    let coverage = fields.read("coverageMin", scalar::share, report);
    Some(Limits {
        steps_per_hour: steps.unwrap_or(usual.steps_per_hour),
        steps_per_namespace: in_namespace.or(usual.steps_per_namespace),
        nodes_per_tick: nodes.unwrap_or(usual.nodes_per_tick),
        age_max: age.unwrap_or(usual.age_max),
        coverage_min: coverage.unwrap_or(usual.coverage_min),
    })
}

fn nodes(node: &Node, report: &mut Report) -> Option<NodeRules> {
    let fields = Fields::open(node, "spec.nodes", &shape::NODES, report)?;
    let reserve = match fields.get("reserve") {
        Some(node) => amounts(node, "spec.nodes.reserve", report)?,
        None => Resources::default(),
    };
    let pods = fields.read("pods", scalar::count, report);
    Some(NodeRules { reserve, pods, move_cost: fields.read("moveCost", scalar::money, report) })
}

fn reclaim(node: &Node, report: &mut Report) -> Option<Reclaim> {
    let fields = Fields::open(node, "spec.reclaim", &shape::RECLAIM, report)?;
    let mut sick = Vec::new();
    if let Some(node) = fields.get("sick") {
        let symptoms = items(node, "spec.reclaim.sick", report).iter();
        sick.extend(symptoms.filter_map(|it| read(it, "sick", symptom, report)));
    }
    Some(Reclaim {
        idle: fields.read("idle", scalar::some_duration, report),
        replicas: fields.read("replicas", scalar::some_duration, report),
        sick,
    })
}

/// `TYPE=STATUS` of a condition, or a device such as `nvidia.com/gpu`.
fn symptom(text: &str) -> Result<String, String> {
    let is_condition = text.split_once('=').is_some_and(|(kind, status)| {
        !kind.is_empty() && matches!(status, "True" | "False" | "Unknown")
    });
    let is_device = !text.contains('=')
        && text
            .split_once('/')
            .is_some_and(|(group, name)| group.contains('.') && !name.is_empty());
    if is_condition || is_device {
        return Ok(text.to_owned());
    }
    Err(format!(
        "`{text}` is neither a condition, such as `XidError=True`, nor a device, such as \
         `nvidia.com/gpu`"
    ))
}

fn spot(node: &Node, report: &mut Report) -> Option<SpotLoss> {
    let fields = Fields::open(node, "spec.spot", &shape::SPOT, report)?;
    let mean_up = fields.read("meanUp", scalar::some_duration, report);
    let source = fields.read("source", |text| Ok(text.to_owned()), report);
    Some(SpotLoss { mean_up: mean_up?, source: source? })
}
