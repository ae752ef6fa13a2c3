//! How far workloads came: requests, tokens and steps that they counted themselves.
//!
//! Counters of all pods of a workload are one, as its router may count for its workers. What was
//! counted between two scrapes is counted at the second one. Where nobody counts it is unknown, and
//! where a counter stood still it is zero, which is how probes are told from work.

use super::World;
use super::container::pods_named;
use super::owner::Owners;
use crate::telemetry::series::{Span, Spans, Step, value_at};
use crate::telemetry::sources::{Field, Label};
use farthing_model::{Attribution, PerMille, Progress, Reading, Rung, Rungs, WorkloadId};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Fields that count, and what they count of: requests, tokens, steps.
const COUNTED: [(Field, usize); 4] =
    [(Field::Requests, 0), (Field::TokensIn, 1), (Field::TokensOut, 1), (Field::Steps, 2)];
/// Parts of a ratio in a thousandth.
const PER_THOUSANDTH: i64 = 1_000_000;

/// One kind of counter of a workload.
#[derive(Debug, Default)]
struct Counter {
    /// When a scrape saw it, and what had been counted by then in all; sorted.
    totals: Vec<(i64, u64)>,
    /// When somebody counted.
    counted: Spans,
}

impl Counter {
    fn settle(&mut self, spans: Vec<Span>) {
        self.counted = Spans::of(spans);
        self.totals.sort_unstable_by_key(|(at, _)| *at);
        let mut sum = 0_u64;
        for (_, total) in &mut self.totals {
            sum = sum.saturating_add(*total);
            *total = sum;
        }
    }

    /// What was counted after the start of a stretch and up to its end.
    fn over(&self, span: Span) -> Option<u64> {
        if self.counted.within(span).is_empty() {
            return None;
        }
        let until = |at: i64| {
            let next = self.totals.partition_point(|(own, _)| *own <= at);
            next.checked_sub(1).map_or(0, |last| self.totals[last].1)
        };
        Some(until(span.to).saturating_sub(until(span.from)))
    }
}

/// A pod by namespace and name.
type PodName = (Arc<str>, Arc<str>);

/// The counters of all workloads.
#[derive(Debug, Default)]
pub(super) struct Counters {
    of_workload: BTreeMap<WorkloadId, [Counter; 3]>,
    mfu: BTreeMap<PodName, Vec<Step>>,
}

impl Counters {
    pub(super) fn read(world: &World<'_>, owners: &mut Owners<'_>) -> Self {
        let mut found = Self::default();
        let mut spans: BTreeMap<(WorkloadId, usize), Vec<Span>> = BTreeMap::new();
        let store = &world.settled.store;
        for (field, kind) in COUNTED {
            for series in store.of(field) {
                let name = series.get(Label::Namespace).zip(series.get(Label::Pod));
                let Some((namespace, name)) = name else { continue };
                let Some((key, pod)) = pods_named(&world.facts, namespace, name).next() else {
                    continue;
                };
                let at = world.horizon.window.from;
                let Some(who) = owners.of(pod, &key.2, &Arc::from(""), at) else { continue };
                let entry = found.of_workload.entry(who.workload.clone()).or_default();
                let known = spans.entry((who.workload.clone(), kind)).or_default();
                for it in store.merged(series).increases(&world.horizon) {
                    let amount = u64::try_from(it.amount).unwrap_or(0);
                    entry[kind].totals.push((it.span.to, amount));
                    known.push(it.span);
                }
            }
        }
        for ((workload, kind), spans) in spans {
            if let Some(counters) = found.of_workload.get_mut(&workload) {
                counters[kind].settle(spans);
            }
        }
        for series in store.of(Field::Mfu) {
            let name = series.get(Label::Namespace).zip(series.get(Label::Pod));
            let Some((namespace, pod)) = name else { continue };
            let key = (Arc::clone(namespace), Arc::clone(pod));
            let steps = store.merged(series).steps(&world.horizon);
            // Of several ranks in one pod the first that says something.
            found.mfu.entry(key).or_insert(steps);
        }
        found
    }

    /// How far the workload came in a stretch of time.
    pub(super) fn progress(&self, who: &Attribution, span: Span) -> Progress {
        let Some([requests, tokens, steps]) = self.of_workload.get(&who.workload) else {
            return Progress::default();
        };
        Progress {
            requests: requests.over(span),
            tokens: tokens.over(span),
            steps: steps.over(span),
        }
    }

    /// The rungs with what the pod says of its useful operations.
    pub(super) fn with_mfu(&self, who: &Attribution, span: Span, rungs: Rungs) -> Rungs {
        let (Some(namespace), Some(pod)) = (&who.namespace, &who.pod) else { return rungs };
        let key = (Arc::from(namespace.as_str()), Arc::from(pod.as_str()));
        let value = self.mfu.get(&key).and_then(|steps| value_at(steps, span.to - 1));
        let thousandths = value.and_then(|it| u16::try_from(it / PER_THOUSANDTH).ok());
        match thousandths.and_then(|it| PerMille::new(it.min(1_000))) {
            Some(value) => rungs.with(Rung::Mfu, Reading::Value(value)),
            None => rungs,
        }
    }
}
