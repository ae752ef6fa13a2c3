//! What was measured in one tick, and how it is cut at the edges of hours.

use crate::amount::{Nanos, amount_in};
use farthing_model::{DeviceUse, NodeSpan, Progress, Sample, Window};

/// What was measured in one tick.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The tick; writing a segment of the same window again replaces it.
    pub window: Window,
    /// What was paid.
    pub spans: Vec<NodeSpan>,
    /// What was used.
    pub samples: Vec<Sample>,
    /// What devices did; not charged.
    pub uses: Vec<DeviceUse>,
}

impl Segment {
    pub(super) const fn empty(window: Window) -> Self {
        Self { window, spans: Vec::new(), samples: Vec::new(), uses: Vec::new() }
    }

    /// Whether nothing was paid or measured.
    pub const fn is_empty(&self) -> bool {
        self.spans.is_empty() && self.samples.is_empty() && self.uses.is_empty()
    }

    /// Whether all of it is inside of its window, and that of one UTC hour.
    pub(super) fn is_of_one_hour(&self) -> bool {
        let within =
            |window: Window| self.window.from() <= window.from() && window.to() <= self.window.to();
        self.window.by_hour().nth(1).is_none()
            && self.spans.iter().all(|span| within(span.window))
            && self.samples.iter().all(|sample| within(sample.window))
            && self.uses.iter().all(|one| within(one.window))
    }

    /// As [`Segment::by_hour`], without a copy of what is not cut.
    pub fn into_hours(self) -> Vec<Self> {
        if self.is_of_one_hour() { vec![self] } else { self.by_hour().collect() }
    }

    /// The parts of a segment in each UTC hour; amounts are cut in proportion and sum.
    pub fn by_hour(&self) -> impl Iterator<Item = Self> + '_ {
        self.window.by_hour().map(|part| {
            let span = |span: &NodeSpan| {
                let window = span.window.intersect(part)?;
                Some(NodeSpan { window, ..span.clone() })
            };
            let sample = |sample: &Sample| {
                let window = sample.window.intersect(part)?;
                let (whole, cut) = (Nanos::of(sample.window), Nanos::of(window));
                // A negative amount is kept as it is: the meter reports it.
                let amount = |nano| amount_in(nano, whole, cut).unwrap_or(nano);
                let requested_nano = amount(sample.requested_nano);
                let used_nano = sample.used_nano.map(amount);
                let held_nano = sample.held_nano.map(amount);
                Some(Sample { window, requested_nano, used_nano, held_nano, ..sample.clone() })
            };
            // A mean holds for each part; what was counted is counted when the interval ends.
            let one = |one: &DeviceUse| {
                let window = one.window.intersect(part)?;
                let ends_here = window.to() == one.window.to();
                let progress = if ends_here { one.progress } else { Progress::default() };
                Some(DeviceUse { window, progress, ..one.clone() })
            };
            let spans = self.spans.iter().filter_map(span).collect();
            let samples = self.samples.iter().filter_map(sample).collect();
            Self { window: part, spans, samples, uses: self.uses.iter().filter_map(one).collect() }
        })
    }
}
