//! What an exporter says of each accelerator: the rungs of the ladder, scraped every few minutes,
//! however long a measured window is.

use super::SimWorld;
use super::node::{Hold, Holder, SimNode};
use super::time::{MINUTE, window};
use farthing_edge::Measured;
use farthing_model::{
    Attribution, DeviceId, DeviceUse, PerMille, Progress, Reading, Resource, Rung, Rungs, Share,
    proportion,
};
use std::sync::Arc;

/// Between two scrapes.
const SCRAPE: i64 = 5 * MINUTE;
/// Of the time in which a replica serves, how busy its multiprocessors are, in parts per million.
const SERVING_SM_PPM: u32 = 640_000;

/// What ran on a device, in parts per million: `None` where its holder does not use it.
type Ran = Option<(u32, u32)>;

impl SimWorld {
    /// What is said of the accelerators of a node in a span: between two scrapes one record of each
    /// device for whoever has it.
    pub(super) fn scrape(&self, node: &SimNode, paid: (i64, i64), measured: &mut Measured) {
        let Some(since) = self.exporter else { return };
        let (mut from, to) = (paid.0.max(node.ready).max(since), paid.1);
        while from < to {
            let next = (from.div_euclid(SCRAPE) + 1).saturating_mul(SCRAPE).min(to);
            let mut free = true;
            for hold in &node.holds {
                let held = (from.max(hold.from), next.min(hold.to.unwrap_or(i64::MAX)));
                if held.0 < held.1 {
                    free = false;
                    self.records(node, Some(hold), held, measured);
                }
            }
            if free {
                self.records(node, None, (from, next), measured);
            }
            from = next;
        }
    }

    fn records(
        &self,
        node: &SimNode,
        hold: Option<&Hold>,
        span: (i64, i64),
        measured: &mut Measured,
    ) {
        let Some(window) = window(span.0, span.1) else { return };
        let who: Option<Arc<Attribution>> = hold.map(|hold| self.who(hold.who));
        for number in 0..self.offers[node.offer].accelerator_count {
            let ran = hold.and_then(|hold| self.ran(hold, number, span));
            let Ok(device) = DeviceId::new(&format!("{}/gpu{number}", node.id)) else { continue };
            measured.uses.push(DeviceUse {
                source: self.source.clone(),
                node: node.id.clone(),
                device,
                slice: None,
                attribution: who.clone(),
                share: Share::WHOLE,
                copied_to: 1,
                window,
                rungs: rungs(ran),
                memory_bytes: None,
                power_mw: None,
                progress: Progress::default(),
            });
        }
    }

    /// What a holder ran on a device of its node: a job that asked for fewer than there are does
    /// not touch the rest.
    fn ran(&self, hold: &Hold, number: u32, span: (i64, i64)) -> Ran {
        match hold.who {
            Holder::Member { job, .. } => {
                let job = &self.jobs[job];
                let asked = job.workload.resources.gpu_milli.div_ceil(1_000);
                // What asks for no number of them takes all that its node has.
                let takes = asked == 0 || u64::from(number) < asked;
                takes.then(|| (job.use_ppm[Resource::Gpu as usize], job.sm_ppm))
            }
            Holder::Replica { service, replica } => {
                let it = &self.services[service].replicas[replica];
                let busy = i128::from(it.busy_at(span.1) - it.busy_at(span.0));
                let ppm = proportion(busy, 1_000_000, i128::from(span.1 - span.0)).unwrap_or(0);
                Some((u32::try_from(ppm).unwrap_or(0), SERVING_SM_PPM))
            }
        }
    }
}

/// The rungs of a device on which something ran, or nothing. What this exporter is not told to
/// export is missing, as on most clusters.
fn rungs(ran: Ran) -> Rungs {
    let permille = |ppm: u64| {
        let permille = u16::try_from(ppm / 1_000).ok().and_then(PerMille::new);
        Reading::Value(permille.unwrap_or(PerMille::ZERO))
    };
    let (engine, sm) = ran.unwrap_or((0, 0));
    let works = u64::from(engine) * u64::from(sm) / 1_000_000;
    Rungs::NONE
        .with(Rung::Context, permille(if ran.is_some() { 1_000_000 } else { 0 }))
        .with(Rung::Engine, permille(engine.into()))
        .with(Rung::Sm, permille(works))
}
