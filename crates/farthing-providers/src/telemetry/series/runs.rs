//! The points of one series, kept without loss in little space.
//!
//! Scrapes come at an even pace, and much of what is scraped does not change: points of one value
//! at one distance are one run of 32 bytes, however many they are. Points may come in any order and
//! more than once; [`Runs::settle`] brings them into the one order that does not depend on how they
//! came.

/// The value of a point that was scraped and said nothing.
pub(crate) const MISSING: i64 = i64::MIN;

/// A longer distance between points is a gap and no pace: Prometheus' look-back is as long.
const PACE_MS_MAX: i64 = 300_000;

/// Points of one value at even distances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    /// Milliseconds since 1970 of the first.
    first: i64,
    /// Milliseconds between two; zero for a single one.
    step: u32,
    count: u32,
    value: i64,
}

impl Run {
    const fn last(&self) -> i64 {
        self.first + self.step as i64 * (self.count as i64 - 1)
    }
}

/// A point of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Point {
    /// Milliseconds since 1970.
    pub(crate) at: i64,
    /// In the scale of the field, or [`MISSING`].
    pub(crate) value: i64,
}

/// All points of a series.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Runs {
    runs: Vec<Run>,
    disordered: bool,
}

/// What was found when points were put in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Disorder {
    /// Points that came after a later one.
    pub(crate) late: u64,
    /// Points that came again.
    pub(crate) duplicates: u64,
    /// Points that came again with another value; the larger one stands.
    pub(crate) conflicts: u64,
}

impl Runs {
    /// Adds a point, and says how many bytes more it takes.
    pub(crate) fn push(&mut self, at: i64, value: i64) -> usize {
        if let Some(last) = self.runs.last_mut() {
            let end = last.last();
            if at <= end {
                self.disordered = true;
            } else if last.value == value
                && let Ok(step) = u32::try_from(at - end)
                && (last.count == 1 || last.step == step)
                && last.count < u32::MAX
            {
                last.step = step;
                last.count += 1;
                return 0;
            }
        }
        self.runs.push(Run { first: at, step: 0, count: 1, value });
        size_of::<Run>()
    }

    /// The points, in order once they are settled.
    pub(crate) fn points(&self) -> impl Iterator<Item = Point> + '_ {
        self.runs.iter().flat_map(|run| {
            (0..i64::from(run.count))
                .map(|nth| Point { at: run.first + i64::from(run.step) * nth, value: run.value })
        })
    }

    /// When the first and the last point are, once they are settled.
    pub(crate) fn ends(&self) -> Option<(i64, i64)> {
        Some((self.runs.first()?.first, self.runs.last()?.last()))
    }

    /// Whether there is no point.
    pub(crate) const fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Sorts the points and drops what came twice.
    pub(crate) fn settle(&mut self) -> Disorder {
        let mut found = Disorder::default();
        if !self.disordered {
            return found;
        }
        let mut points: Vec<Point> = self.points().collect();
        found.late = points.windows(2).filter(|pair| pair[1].at < pair[0].at).count() as u64;
        points.sort_unstable();
        let mut sorted = Self::default();
        for pair in points.chunk_by(|a, b| a.at == b.at) {
            // MISSING is the smallest: a value stands over none.
            let Some(last) = pair.last() else { continue };
            let others = pair.iter().filter(|point| point.value != last.value).count() as u64;
            found.conflicts += others;
            found.duplicates += pair.len() as u64 - 1 - others;
            sorted.push(last.at, last.value);
        }
        *self = sorted;
        found
    }

    /// The most common distance between two points, in milliseconds: the pace of the scraper.
    pub(crate) fn pace(&self) -> Option<i64> {
        let mut counts: Vec<(i64, u64)> = Vec::new();
        let mut add = |distance: i64, times: u64| {
            if times == 0 || distance <= 0 {
                return;
            }
            match counts.iter().position(|(known, _)| *known == distance) {
                Some(at) => counts[at].1 += times,
                // Very uneven distances have no pace that is worth more memory.
                None if counts.len() < 64 => counts.push((distance, times)),
                None => {}
            }
        };
        let mut before: Option<i64> = None;
        for run in &self.runs {
            if let Some(before) = before {
                add(run.first - before, 1);
            }
            add(i64::from(run.step), u64::from(run.count) - 1);
            before = Some(run.last());
        }
        // Of two that are as common the shorter: a longer one has missed scrapes in it.
        counts.sort_unstable_by_key(|(distance, count)| (std::cmp::Reverse(*count), *distance));
        counts.first().map(|(distance, _)| *distance).filter(|pace| *pace <= PACE_MS_MAX)
    }
}
