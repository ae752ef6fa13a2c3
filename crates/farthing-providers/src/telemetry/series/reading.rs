//! From points to time: gauges hold, counters increase, replicas agree.

use super::runs::{MISSING, Point};
use super::time::{Span, Step};

/// How points become time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Horizon {
    /// The stretch that is looked at, in milliseconds.
    pub(crate) window: Span,
    /// How long a value holds while no newer one comes: Prometheus' look-back, five minutes.
    pub(crate) hold_ms: i64,
}

/// What a counter counted between two points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Increase {
    pub(crate) span: Span,
    pub(crate) amount: i64,
}

/// A stream of one replica of the scraper, or of one target after another.
pub(crate) type Stream = Vec<Point>;

/// A merged series: points of one stream at a time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Merged {
    /// In order of time.
    pub(crate) points: Vec<Point>,
    /// For points that begin another stream: the point before it in its own stream.
    switches: Vec<(usize, Option<Point>)>,
    /// The most common distance between points.
    pub(crate) pace: Option<i64>,
}

impl Merged {
    /// Takes the first stream until it has a gap, then the one that goes on, and so on: two
    /// replicas say the same things at other moments, by other clocks, and mixing them would make
    /// every difference of their clocks a step back.
    pub(crate) fn of(mut streams: Vec<Stream>, pace: Option<i64>) -> Self {
        streams.retain(|stream| !stream.is_empty());
        if streams.len() <= 1 {
            let points = streams.pop().unwrap_or_default();
            return Self { points, switches: Vec::new(), pace };
        }
        // A scrape may be late by a whole one before another replica is asked.
        let patience = pace.unwrap_or(60_000) * 2;
        let mut merged = Self { pace, ..Self::default() };
        let mut next = vec![0; streams.len()];
        let mut active = 0;
        loop {
            let last = merged.points.last().map_or(i64::MIN, |point| point.at);
            for (stream, next) in streams.iter().zip(&mut next) {
                *next += stream[*next..].partition_point(|point| point.at <= last);
            }
            let ahead = |stream: usize| streams[stream].get(next[stream]).map(|point| point.at);
            let soonest = (0..streams.len()).filter_map(|at| Some((ahead(at)?, at))).min();
            let Some((soonest, by)) = soonest else { break };
            let stays = ahead(active)
                .is_some_and(|own| own == soonest || (last > i64::MIN && own - last <= patience));
            if !stays {
                let before = next[by].checked_sub(1).map(|at| streams[by][at]);
                if !merged.points.is_empty() {
                    merged.switches.push((merged.points.len(), before));
                }
                active = by;
            }
            merged.points.push(streams[active][next[active]]);
        }
        merged
    }

    /// The values over time, each holding until the next point, at most so long as the horizon
    /// says. The last one holds for one pace, if that reaches the end of the window.
    pub(crate) fn steps(&self, horizon: &Horizon) -> Vec<Step> {
        let mut steps: Vec<Step> = Vec::new();
        for (at, point) in self.points.iter().enumerate() {
            let to = match self.points.get(at + 1) {
                Some(next) => next.at.min(point.at.saturating_add(horizon.hold_ms)),
                None => self.end_of(point.at, horizon),
            };
            let span = Span::new(point.at, to).and_then(|span| span.intersect(horizon.window));
            let Some(span) = span.filter(|_| point.value != MISSING) else { continue };
            match steps.last_mut() {
                Some(last) if last.span.to == span.from && last.value == point.value => {
                    last.span.to = span.to;
                }
                _ => steps.push(Step { span, value: point.value }),
            }
        }
        steps
    }

    /// When the series was there, whatever it said.
    pub(crate) fn presence(&self, horizon: &Horizon) -> Vec<Span> {
        let mut spans: Vec<Span> = Vec::new();
        for (at, point) in self.points.iter().enumerate() {
            let to = match self.points.get(at + 1) {
                Some(next) => next.at.min(point.at.saturating_add(horizon.hold_ms)),
                None => self.end_of(point.at, horizon),
            };
            let span = Span::new(point.at, to).and_then(|span| span.intersect(horizon.window));
            match (spans.last_mut(), span) {
                (Some(last), Some(span)) if last.to == span.from => last.to = span.to,
                (_, span) => spans.extend(span),
            }
        }
        spans
    }

    fn end_of(&self, last: i64, horizon: &Horizon) -> i64 {
        let pace = self.pace.unwrap_or(0);
        if last.saturating_add(pace) >= horizon.window.to { horizon.window.to } else { last }
    }

    /// What a counter counted, from point to point, inside the window.
    ///
    /// A value below the last one is a counter that began again: what it shows was counted since.
    /// Points further apart than the horizon holds say nothing of the time between them.
    pub(crate) fn increases(&self, horizon: &Horizon) -> Vec<Increase> {
        let mut found: Vec<Increase> = Vec::new();
        let mut before: Option<Point> = None;
        let mut switches = self.switches.iter().peekable();
        for (at, point) in self.points.iter().enumerate() {
            let switched = switches.next_if(|(first, _)| *first == at);
            if point.value == MISSING || point.value < 0 {
                continue;
            }
            if let Some(last) = before
                && point.at - last.at <= horizon.hold_ms
                && let Some(span) = Span::new(last.at, point.at)
            {
                let same_counter = switched
                    .and_then(|(_, own)| *own)
                    .is_some_and(|own| own.value != MISSING && own.value <= point.value);
                let amount = if point.value >= last.value {
                    point.value - last.value
                } else if same_counter {
                    // Another replica's clock: the counter itself did not go back.
                    0
                } else {
                    point.value
                };
                if let Some(inside) = span.intersect(horizon.window) {
                    let amount = super::time::part_of(amount.into(), span, inside);
                    let amount = i64::try_from(amount).unwrap_or(i64::MAX);
                    found.push(Increase { span: inside, amount });
                }
            }
            before = Some(*point);
        }
        found
    }

    /// The first point that says something.
    pub(crate) fn first(&self) -> Option<Point> {
        self.points.iter().copied().find(|point| point.value != MISSING)
    }
}
