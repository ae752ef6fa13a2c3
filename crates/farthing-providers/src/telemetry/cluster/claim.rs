//! What was asked for and used, instant by instant, in as few pieces as say the same.

use crate::telemetry::series::{Increase, Span, Spans, Step, part_of, value_at};
use farthing_model::NANOS_PER_HOUR;

/// Milliseconds in a UTC hour, at whose edge the books are cut.
pub(super) const HOUR_MS: i64 = 3_600_000;
const _: () = assert!(HOUR_MS as i128 * 1_000_000 == NANOS_PER_HOUR);

/// An amount that was used in a stretch of time, in 10^-9 unit-seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Used {
    pub(super) span: Span,
    pub(super) amount: i128,
}

/// A stretch of time in which nothing that matters changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) span: Span,
    /// In 10^-9 unit-seconds.
    pub(super) requested: i128,
    /// In 10^-9 unit-seconds; `None` where it was not measured.
    pub(super) used: Option<i128>,
    /// Milliseconds in which use was measured.
    pub(super) measured_ms: i64,
    /// The rate that was asked for, which pieces that are joined share.
    rate: i64,
}

/// How a value becomes an amount over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Per {
    /// 10^-9 of cores or devices.
    Nano,
    /// Whole bytes.
    Byte,
}

impl Per {
    /// 10^-9 unit-seconds of a value that holds for some milliseconds.
    pub(super) fn amount(self, value: i64, ms: i64) -> i128 {
        let product = i128::from(value) * i128::from(ms);
        match self {
            Self::Nano => product / 1_000,
            Self::Byte => product * 1_000_000,
        }
    }

    /// Values that held as amounts.
    pub(super) fn used(self, steps: &[Step]) -> Vec<Used> {
        let amount = |step: &Step| self.amount(step.value, step.span.len());
        steps.iter().map(|step| Used { span: step.span, amount: amount(step) }).collect()
    }
}

/// Counted amounts of 10^-9 unit-seconds.
pub(super) fn counted(increases: &[Increase]) -> Vec<Used> {
    increases.iter().map(|it| Used { span: it.span, amount: it.amount.into() }).collect()
}

/// What of a list of amounts is inside of the time in which somebody looked.
pub(super) fn seen(used: &[Used], looked: &Spans) -> Vec<Used> {
    let mut found = Vec::with_capacity(used.len());
    for one in used {
        for span in looked.within(one.span).iter() {
            found.push(Used { span, amount: part_of(one.amount, one.span, span) });
        }
    }
    found
}

/// Puts what was asked for and what was used side by side, inside `within`, cut at `cuts` and at
/// the edges of hours.
///
/// Neighbours are joined where that changes nothing that is charged: with one rate asked for, and
/// no more than that used in both, the larger of the two is what was asked for at every instant.
/// What was measured is not joined with what was not.
/// Where more is used than asked for, every stretch stands for itself.
pub(super) fn pieces(
    within: &Spans,
    asked: (&[Step], Per),
    used: &[Vec<Used>],
    cuts: &[i64],
) -> Vec<Piece> {
    let (requests, per) = asked;
    let mut edges: Vec<i64> = cuts.to_vec();
    let mut both = |span: Span| edges.extend([span.from, span.to]);
    let asked_for = requests.iter().map(|step| step.span);
    let measured = used.iter().flatten().map(|used| used.span);
    within.iter().chain(asked_for).chain(measured).for_each(&mut both);
    for span in within.iter() {
        let first = span.from.div_euclid(HOUR_MS) + 1;
        let last = span.to.div_euclid(HOUR_MS);
        edges.extend((first..=last).map(|hour| hour * HOUR_MS));
    }
    edges.sort_unstable();
    edges.dedup();
    let mut found: Vec<Piece> = Vec::new();
    for pair in edges.windows(2) {
        let Some(span) = Span::new(pair[0], pair[1]).filter(|span| within.contains(span.from))
        else {
            continue;
        };
        let rate = value_at(requests, span.from).unwrap_or(0);
        let mut piece = Piece {
            span,
            requested: per.amount(rate, span.len()),
            used: None,
            measured_ms: 0,
            rate,
        };
        for list in used {
            let next = list.partition_point(|used| used.span.to <= span.from);
            if let Some(used) = list.get(next).filter(|used| used.span.from <= span.from) {
                *piece.used.get_or_insert(0) += part_of(used.amount, used.span, span);
                piece.measured_ms = span.len();
            }
        }
        match found.last_mut() {
            Some(last) if last.joins(&piece, cuts) => last.join(&piece),
            _ => found.push(piece),
        }
    }
    found.retain(|piece| piece.requested > 0 || piece.used > Some(0));
    found
}

impl Piece {
    fn joins(&self, next: &Self, cuts: &[i64]) -> bool {
        self.span.to == next.span.from
            && self.rate == next.rate
            && self.used.is_some() == next.used.is_some()
            && self.used <= Some(self.requested)
            && next.used <= Some(next.requested)
            && self.span.from.div_euclid(HOUR_MS) == next.span.from.div_euclid(HOUR_MS)
            && cuts.binary_search(&next.span.from).is_err()
    }

    fn join(&mut self, next: &Self) {
        self.span.to = next.span.to;
        self.requested += next.requested;
        self.used = self.used.zip(next.used).map(|(a, b)| a + b);
        self.measured_ms += next.measured_ms;
    }
}

/// Sum of steps, at each instant.
pub(super) fn sum(lists: &[&Vec<Step>]) -> Vec<Step> {
    fold(lists, |values| values.sum())
}

/// The largest of steps, at each instant.
pub(super) fn largest(lists: &[&Vec<Step>]) -> Vec<Step> {
    fold(lists, |values| values.max().unwrap_or(0))
}

/// What the first has above the second, at each instant.
pub(super) fn excess(over: &[Step], under: &[Step]) -> Vec<Step> {
    let lists = [&over.to_vec(), &under.to_vec()];
    let mut edges = edges(&lists);
    edges.dedup();
    let above = edges.windows(2).filter_map(|pair| {
        let span = Span::new(pair[0], pair[1])?;
        let value = value_at(over, span.from)? - value_at(under, span.from).unwrap_or(0);
        (value > 0).then_some(Step { span, value })
    });
    above.collect()
}

fn fold(
    lists: &[&Vec<Step>],
    mut of: impl FnMut(&mut dyn Iterator<Item = i64>) -> i64,
) -> Vec<Step> {
    let edges = edges(lists);
    let mut found: Vec<Step> = Vec::new();
    for pair in edges.windows(2) {
        let Some(span) = Span::new(pair[0], pair[1]) else { continue };
        if lists.iter().all(|steps| value_at(steps, span.from).is_none()) {
            continue;
        }
        let value = of(&mut lists.iter().filter_map(|steps| value_at(steps, span.from)));
        match found.last_mut() {
            Some(last) if last.span.to == span.from && last.value == value => {
                last.span.to = span.to;
            }
            _ => found.push(Step { span, value }),
        }
    }
    found
}

fn edges(lists: &[&Vec<Step>]) -> Vec<i64> {
    let ends = lists.iter().flat_map(|steps| steps.iter());
    let mut edges: Vec<i64> = ends.flat_map(|step| [step.span.from, step.span.to]).collect();
    edges.sort_unstable();
    edges.dedup();
    edges
}
