//! Collects samples for the books and rows for the table.

use super::claim::{HOUR_MS, Piece};
use super::window;
use crate::telemetry::series::Span;
use crate::telemetry::table::{Measure, Row};
use farthing_model::{Attribution, DeviceId, NodeId, Resource, Sample, Slice, SourceId};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a row of the table is of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Subject {
    pub(super) source: SourceId,
    pub(super) node: Option<NodeId>,
    pub(super) device: Option<DeviceId>,
    pub(super) instance: Option<Arc<str>>,
    /// The partition that the instance is.
    pub(super) slice: Option<Slice>,
    pub(super) workload: Option<Arc<Attribution>>,
    pub(super) of: Option<Arc<str>>,
}

/// What is summed in a row.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    amount: i128,
    measured_ms: i64,
    expected_ms: i64,
}

/// Rows and samples under way.
#[derive(Debug)]
pub(super) struct Tally {
    all: Span,
    /// Below this share, in hundredths, an amount is unknown.
    coverage_min: i64,
    sums: BTreeMap<(i64, Subject, Measure), Sum>,
    pub(super) samples: Vec<Sample>,
}

impl Tally {
    pub(super) fn new(all: Span, coverage_min: i64) -> Self {
        Self { all, coverage_min, sums: BTreeMap::new(), samples: Vec::new() }
    }

    /// Adds to a row, hour by hour; what is expected and not measured lowers its coverage.
    pub(super) fn add(
        &mut self,
        subject: &Subject,
        measure: Measure,
        (span, amount): (Span, i128),
        (measured_ms, expected_ms): (i64, i64),
    ) {
        let mut from = span.from;
        while from < span.to {
            let hour = from.div_euclid(HOUR_MS);
            let to = span.to.min((hour + 1) * HOUR_MS);
            let Some(part) = Span::new(from, to) else { break };
            let sum = self.sums.entry((hour, subject.clone(), measure)).or_default();
            sum.amount += crate::telemetry::series::part_of(amount, span, part);
            let share = |ms: i64| {
                let ms = crate::telemetry::series::part_of(ms.into(), span, part);
                i64::try_from(ms).unwrap_or(i64::MAX)
            };
            sum.measured_ms += share(measured_ms);
            sum.expected_ms += share(expected_ms);
            from = to;
        }
    }

    /// Adds pieces of a claim: rows of what was asked for and used, and samples for the books.
    pub(super) fn claim(
        &mut self,
        subject: &Subject,
        measures: (Measure, Measure),
        resource: Resource,
        pieces: &[Piece],
    ) {
        for piece in pieces {
            let ms = piece.span.len();
            self.add(subject, measures.0, (piece.span, piece.requested), (ms, ms));
            // What a node keeps for itself is set aside, and not measured.
            if subject.workload.is_some() {
                self.add(
                    subject,
                    measures.1,
                    (piece.span, piece.used.unwrap_or(0)),
                    (piece.measured_ms, ms),
                );
            }
        }
        self.sample(subject, resource, pieces);
    }

    /// Adds pieces of a claim as samples for the books alone.
    pub(super) fn sample(&mut self, subject: &Subject, resource: Resource, pieces: &[Piece]) {
        let Some(node) = &subject.node else { return };
        self.samples.extend(pieces.iter().filter_map(|piece| {
            Some(Sample {
                slice: subject.slice,
                held_nano: None,
                source: subject.source.clone(),
                node: node.clone(),
                device: subject.device.clone(),
                attribution: subject.workload.clone(),
                resource,
                window: window(piece.span)?,
                requested_nano: piece.requested,
                used_nano: piece.used,
            })
        }));
    }

    /// The rows, sorted.
    pub(super) fn rows(&self) -> Vec<Row> {
        let row = |((hour, subject, measure), sum): (&(i64, Subject, Measure), &Sum)| {
            let span = Span::new(hour * HOUR_MS, (hour + 1) * HOUR_MS)?.intersect(self.all)?;
            let known = sum.measured_ms * 100 >= sum.expected_ms * self.coverage_min;
            Some(Row {
                window: window(span)?,
                node: subject.node.clone(),
                device: subject.device.clone(),
                instance: subject.instance.clone(),
                workload: subject.workload.clone(),
                of: subject.of.clone(),
                measure: *measure,
                amount: known.then_some(sum.amount),
                measured_ms: sum.measured_ms,
                expected_ms: sum.expected_ms,
                source: subject.source.clone(),
            })
        };
        let mut rows: Vec<Row> = self.sums.iter().filter_map(row).collect();
        rows.sort_unstable();
        rows
    }
}
