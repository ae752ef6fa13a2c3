//! Measuring the world: spans of paid nodes and samples of use, clipped exactly to a window.

use super::SimWorld;
use super::job::requested;
use super::node::{Hold, Holder, SimNode};
use super::time::{at, nanos, window};
use crate::faults::FaultKind;
use farthing_edge::{EdgeError, Measure, Measured};
use farthing_model::{
    Asset, Attribution, Currency, Money, MoneyError, NANOS_PER_SECOND, NodeSpan, Resource, Sample,
    Window, proportion,
};
use std::sync::Arc;

impl Measure for SimWorld {
    fn measure(&mut self, window: Window) -> Result<Measured, EdgeError> {
        self.advance(window.to());
        let span = (nanos(window.from()), nanos(window.to()));
        let mut indices: Vec<usize> = self.nodes.keys().copied().collect();
        indices.sort_by(|a, b| self.nodes[a].id.cmp(&self.nodes[b].id));
        let mut measured = Measured::default();
        for index in indices {
            let node = &self.nodes[&index];
            let Some(paid) = clip(span, (node.since, node.until.unwrap_or(i64::MAX))) else {
                continue;
            };
            let seen = !self.faults.strikes(FaultKind::PartialTelemetry);
            let node = &self.nodes[&index];
            self.spans(node, paid, seen, &mut measured);
            if seen {
                self.samples(node, paid, &mut measured);
                self.scrape(node, paid, &mut measured);
            } else {
                measured.faults.push(format!("node {} did not answer", node.id));
            }
        }
        measured.samples.sort_by(|a, b| order(a).cmp(&order(b)));
        self.coverage = measured.coverage;
        self.disturb(&mut measured.samples);
        Ok(measured)
    }
}

fn order(sample: &Sample) -> impl Ord + '_ {
    (&sample.node, sample.resource, &sample.attribution, sample.window)
}

/// The part of `span` in `other`.
fn clip(span: (i64, i64), other: (i64, i64)) -> Option<(i64, i64)> {
    let (from, to) = (span.0.max(other.0), span.1.min(other.1));
    (from < to).then_some((from, to))
}

/// What `capacity_nano` offers in a span, as a difference of a running total, so that the parts of
/// any cutting sum to the whole. Whole units first: a petabyte since 1970 still fits.
fn offered(capacity_nano: i128, (from, to): (i64, i64)) -> i128 {
    let until = |moment: i64| {
        let moment = i128::from(moment);
        let rest = (capacity_nano % NANOS_PER_SECOND) * moment;
        (capacity_nano / NANOS_PER_SECOND) * moment + rest.div_euclid(NANOS_PER_SECOND)
    };
    until(to) - until(from)
}

impl SimWorld {
    /// What all nodes cost in a window: rates times time, by nobody's books and with nothing drawn.
    pub(crate) fn bill(&self, window: Window) -> Result<Money, MoneyError> {
        let span = (nanos(window.from()), nanos(window.to()));
        let mut measured = Measured::default();
        for node in self.nodes.values() {
            if let Some(paid) = clip(span, (node.since, node.until.unwrap_or(i64::MAX))) {
                self.spans(node, paid, true, &mut measured);
            }
        }
        let known =
            measured.spans.iter().filter_map(|span| Some((span.price.rate()?, span.window)));
        known
            .map(|(rate, window)| rate.cost(window))
            .try_fold(Money::zero(Currency::USD), |sum, cost| sum.checked_add(cost?))
    }

    /// The spans of a node in a window, one for each price.
    fn spans(&self, node: &SimNode, paid: (i64, i64), seen: bool, measured: &mut Measured) {
        let offer = &self.offers[node.offer];
        for (index, (from, price)) in node.prices.iter().enumerate() {
            let next = node.prices.get(index + 1).map_or(i64::MAX, |(from, _)| *from);
            let Some((from, to)) = clip(paid, (*from, next)) else { continue };
            let Some(window) = window(from, to) else { continue };
            measured.coverage.expected_nanos += window.nanos();
            measured.coverage.measured_nanos += if seen { window.nanos() } else { 0 };
            measured.spans.push(NodeSpan {
                node: node.id.clone(),
                asset: Asset::Node,
                offer: offer.id.clone(),
                place: offer.place.clone(),
                instance_type: offer.instance_type.clone(),
                purchase: offer.purchase,
                capacity: offer.capacity,
                price: price.clone(),
                window,
                ready: at(node.ready),
                // Nodes are bought for one holder.
                held_for: node.holds.first().filter(|_| !node.stays).map(|hold| self.who(hold.who)),
                measured: seen,
            });
        }
    }

    /// What each holder of a node used of it in a window.
    fn samples(&self, node: &SimNode, paid: (i64, i64), measured: &mut Measured) {
        for hold in &node.holds {
            let held = (hold.from.max(node.ready), hold.to.unwrap_or(i64::MAX));
            let Some(span) = clip(paid, held) else { continue };
            let Some(window) = window(span.0, span.1) else { continue };
            for resource in Resource::ALL {
                let (requested_nano, used_nano) = self.amounts(node, hold, resource, span);
                if requested_nano == 0 {
                    continue;
                }
                measured.samples.push(Sample {
                    source: self.source.clone(),
                    node: node.id.clone(),
                    device: None,
                    slice: None,
                    attribution: Some(self.who(hold.who)),
                    resource,
                    window,
                    requested_nano,
                    used_nano: Some(used_nano),
                    held_nano: None,
                });
            }
        }
    }

    pub(super) fn who(&self, holder: Holder) -> Arc<Attribution> {
        match holder {
            Holder::Member { job, .. } => Arc::clone(&self.jobs[job].who),
            Holder::Replica { service, .. } => Arc::clone(&self.services[service].who),
        }
    }

    /// Requested and used, in 10^-9 unit-seconds.
    fn amounts(
        &self,
        node: &SimNode,
        hold: &Hold,
        resource: Resource,
        span: (i64, i64),
    ) -> (i128, i128) {
        let capacity = &self.offers[node.offer].capacity;
        // A node is held by one workload alone: all of it is set aside, asked for or not.
        let whole = offered(capacity.nano(resource), span);
        let ppm = |amount: i128, ppm: u32| proportion(amount, ppm.into(), 1_000_000).unwrap_or(0);
        match hold.who {
            Holder::Member { job, .. } => {
                let job = &self.jobs[job];
                let asked = requested(&job.workload.resources, capacity, resource);
                let used = ppm(offered(asked, span), job.use_ppm[resource as usize]);
                (whole, used)
            }
            Holder::Replica { service, replica } => {
                let service = &self.services[service];
                let asked = requested(&service.workload.resources, capacity, resource);
                let amount = offered(asked, span);
                let it = &service.replicas[replica];
                let busy = i128::from(it.busy_at(span.1) - it.busy_at(span.0));
                let used = match resource {
                    // The model stays in memory, busy or not.
                    Resource::Memory | Resource::Storage => ppm(amount, service.memory_ppm),
                    Resource::Gpu | Resource::Cpu | Resource::Network => {
                        proportion(amount, busy, i128::from(span.1 - span.0)).unwrap_or(0)
                    }
                };
                (whole, used)
            }
        }
    }

    /// Repeats and shuffles samples, where that is among the faults.
    fn disturb(&mut self, samples: &mut Vec<Sample>) {
        if self.faults.rates().duplicate_sample > 0 {
            let mut again = Vec::new();
            for sample in samples.iter() {
                if self.faults.strikes(FaultKind::DuplicateSample) {
                    again.push(sample.clone());
                }
            }
            samples.extend(again);
        }
        if self.faults.strikes(FaultKind::SampleOrder) {
            for last in (1..samples.len()).rev() {
                let end = u64::try_from(last + 1).unwrap_or(u64::MAX);
                let other = self.faults.draw(FaultKind::SampleOrder).below(end);
                samples.swap(last, usize::try_from(other).unwrap_or(0));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_of_adjacent_spans_sum_to_that_of_the_whole() {
        let capacity = 1_333_000_000; // 1.333 GPUs
        let cuts = [7_i64, 1_000_003, 1_000_004, 999_999_999_999, 1_800_000_000_000_000_001];
        let parts: i128 = cuts.windows(2).map(|pair| offered(capacity, (pair[0], pair[1]))).sum();
        assert_eq!(parts, offered(capacity, (cuts[0], cuts[4])));
        assert_eq!(offered(8_000_000_000, (0, 1_000_000_000)), 8_000_000_000);
    }
}
