//! The pulse of a target: when it was scraped, and what of a stretch of time that covers.

use crate::telemetry::series::{Span, Spans};
use std::collections::BTreeMap;

/// When something was scraped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Pulse {
    times: Vec<i64>,
    /// Milliseconds between two scrapes, as it should be.
    pace: i64,
}

/// The distances between points of series, of which the most common one is the pace of the
/// scraper: a single series that was seen twice in a row does not set it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Paces(BTreeMap<i64, u64>);

impl Paces {
    pub(super) fn add(&mut self, pace: Option<i64>) {
        if let Some(pace) = pace {
            *self.0.entry(pace).or_default() += 1;
        }
    }

    fn most_common(&self) -> Option<i64> {
        // Of two that are as common the shorter one.
        let most = self.0.iter().max_by_key(|(pace, count)| (**count, std::cmp::Reverse(**pace)));
        most.map(|(pace, _)| *pace)
    }
}

/// What is taken for the pace where no series has two points.
const PACE_MS: i64 = 60_000;

impl Pulse {
    pub(super) fn of(mut times: Vec<i64>, paces: &Paces) -> Self {
        times.sort_unstable();
        times.dedup();
        Self { times, pace: paces.most_common().unwrap_or(PACE_MS) }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    pub(super) const fn pace(&self) -> i64 {
        self.pace
    }

    /// When it was up: between scrapes that are no further apart than a value holds, and for one
    /// pace after the last one where that reaches the end of the window.
    pub(super) fn up(&self, window: Span, hold_ms: i64) -> Spans {
        let between = self.times.windows(2).filter(|pair| pair[1] - pair[0] <= hold_ms);
        let mut spans: Vec<Span> =
            between.filter_map(|pair| Span::new(pair[0], pair[1])?.intersect(window)).collect();
        if let Some(last) = self.times.last()
            && last + self.pace >= window.to
        {
            spans.extend(Span::new(*last, window.to).and_then(|span| span.intersect(window)));
        }
        Spans::of(spans)
    }

    /// How much of a stretch the scrapes in it stand for: each for one pace, or up to the next one
    /// where that comes about when it should.
    pub(super) fn covered(&self, span: Span) -> i64 {
        let first = self.times.partition_point(|at| *at + self.pace * 2 < span.from);
        let mut sum = 0;
        for (at, time) in self.times.iter().enumerate().skip(first) {
            if *time >= span.to {
                break;
            }
            let gap = self.times.get(at + 1).map_or(self.pace, |next| next - time);
            let stands_for = if gap * 2 <= self.pace * 3 { gap } else { self.pace };
            sum += Span::new(*time, time + stands_for)
                .and_then(|own| own.intersect(span))
                .map_or(0, Span::len);
        }
        sum
    }
}
