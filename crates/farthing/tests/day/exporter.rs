//! What exporters say of the day: a metrics server of cores, and one of accelerators (as that of
//! DCGM has it), both by what the work that is played does. The cluster itself knows neither.

use farthing_edge::{Act, EdgeError, Measure, Measured, Observe, Prepared, Quote};
use farthing_kube::Kube;
use farthing_model::{
    DeviceId, DeviceUse, Offer, PerMille, Progress, Reading, Receipt, Resource, Rung, Rungs,
    Sample, Share, Snapshot, SourceId, Step, StepId, Window, WorkloadId,
};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// A pod that was there in the last half hour, and how busy it was.
#[derive(Clone, Debug)]
pub(crate) struct Use {
    pub(crate) namespace: String,
    pub(crate) pod: String,
    /// Of its cores, in thousandths.
    pub(crate) cores_milli: u64,
    /// How busy its cores and accelerators were, in thousandths.
    pub(crate) busy: u16,
    /// Of its accelerators so many do nothing all the same.
    pub(crate) idle: i128,
}

#[derive(Default)]
pub(crate) struct Exporter {
    uses: BTreeMap<(String, String), Use>,
}

impl Exporter {
    pub(crate) fn set(&mut self, uses: Vec<Use>, _now: Timestamp) {
        let named = uses.into_iter().map(|it| ((it.namespace.clone(), it.pod.clone()), it));
        self.uses = named.collect();
    }

    /// As `metrics.k8s.io` has it.
    pub(crate) fn metrics(&self, now: Timestamp) -> Value {
        let item = |it: &Use| {
            let nano = it.cores_milli * u64::from(it.busy) * 1_000;
            let usage = json!({"cpu": format!("{nano}n"), "memory": "1Gi"});
            json!({
                "metadata": {"name": it.pod, "namespace": it.namespace},
                "timestamp": now.to_string(), "window": "30m0s",
                "containers": [{"name": "c", "usage": usage}],
            })
        };
        let items: Vec<Value> = self.uses.values().map(item).collect();
        json!({"kind": "PodMetricsList", "apiVersion": "metrics.k8s.io/v1beta1", "items": items})
    }

    fn of(&self, sample: &Sample) -> Option<&Use> {
        let who = sample.attribution.as_ref()?;
        let key = (who.namespace.clone()?, who.pod.clone()?);
        self.uses.get(&key)
    }
}

/// The cluster, with what the exporter of accelerators says beside it.
pub(crate) struct Lab {
    pub(crate) kube: Kube,
    pub(crate) exporter: Arc<Mutex<Exporter>>,
}

impl Measure for Lab {
    fn measure(&mut self, window: Window) -> Result<Measured, EdgeError> {
        let mut measured = self.kube.measure(window)?;
        let exporter = self.exporter.lock().unwrap();
        let mut next: BTreeMap<String, usize> = BTreeMap::new();
        let gpus = |sample: &&mut Sample| sample.resource == Resource::Gpu;
        for sample in measured.samples.iter_mut().filter(gpus) {
            let Some(own) = exporter.of(sample) else { continue };
            let devices = sample.requested_nano / sample.window.nanos();
            let mut used = 0;
            for index in 0..devices {
                let busy = if index < own.idle { 0 } else { own.busy };
                let number = next.entry(sample.node.to_string()).or_default();
                measured.uses.push(device(sample, *number, busy));
                *number += 1;
                used += sample.window.nanos() * i128::from(busy) / 1_000;
            }
            sample.used_nano = Some(used);
        }
        Ok(measured)
    }
}

fn device(sample: &Sample, number: usize, busy: u16) -> DeviceUse {
    let value = |milli: u16| Reading::Value(PerMille::new(milli).unwrap());
    DeviceUse {
        source: SourceId::new("dcgm").unwrap(),
        node: sample.node.clone(),
        device: DeviceId::new(&format!("{}-gpu{number}", sample.node)).unwrap(),
        slice: None,
        attribution: sample.attribution.clone(),
        share: Share::WHOLE,
        copied_to: 1,
        window: sample.window,
        rungs: Rungs::NONE
            .with(Rung::Context, value(1_000))
            .with(Rung::Engine, value(busy))
            .with(Rung::Sm, value(busy)),
        memory_bytes: Some(6 << 30),
        power_mw: None,
        progress: Progress::default(),
    }
}

impl Observe for Lab {
    fn observe(&mut self, now: Timestamp) -> Result<Snapshot, EdgeError> {
        self.kube.observe(now)
    }
}

impl Quote for Lab {
    fn offers(&mut self, now: Timestamp) -> Result<Arc<[Offer]>, EdgeError> {
        self.kube.offers(now)
    }
}

impl Act for Lab {
    fn prepare(&mut self, step: &Step, now: Timestamp) -> Result<Prepared, EdgeError> {
        self.kube.prepare(step, now)
    }

    fn recall(&mut self, step: &StepId, before: &str) {
        self.kube.recall(step, before);
    }

    fn tell(&mut self, workload: &WorkloadId, what: &str, why: &str, now: Timestamp) {
        self.kube.tell(workload, what, why, now);
    }

    fn act(&mut self, step: &Step, now: Timestamp) -> Result<Receipt, EdgeError> {
        self.kube.act(step, now)
    }

    fn outcome_of(&mut self, step: &StepId, now: Timestamp) -> Result<Option<Receipt>, EdgeError> {
        self.kube.outcome_of(step, now)
    }

    fn undo(&mut self, step: &Step, now: Timestamp) -> Result<Receipt, EdgeError> {
        self.kube.undo(step, now)
    }
}
