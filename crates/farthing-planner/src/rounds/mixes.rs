//! The ways in which one job alone can be done in time.
//!
//! With `h` seconds to the deadline and `t_k` seconds on kind `k`, the ways are the corners of
//! `{y >= 0: sum of y_k / t_k = 1, sum of y_k <= h}`: one kind with `t_k <= h`, or a slow and a
//! fast one with `t_slow > h >= t_fast` that fill all of `h`. Anything else is a mix of those.

use super::Held;

/// Seconds on one kind, or on two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Way {
    /// The kind and its seconds.
    pub(super) first: (usize, i64),
    /// The faster kind of two.
    pub(super) second: Option<(usize, i64)>,
}

impl Way {
    /// Its kinds; the same twice where it is one.
    pub(super) fn kinds(&self) -> (usize, usize) {
        (self.first.0, self.second.map_or(self.first.0, |(kind, _)| kind))
    }

    /// Kinds with their seconds.
    pub(super) fn parts(&self) -> impl Iterator<Item = (usize, i64)> + use<> {
        std::iter::once(self.first).chain(self.second)
    }
}

/// All ways of a job that has some seconds; `None` is as many as it likes.
pub(super) fn ways(held: &Held, seconds: Option<i64>) -> Vec<Way> {
    let rates = &held.job.rates;
    let able: Vec<(usize, i64)> =
        (0..rates.len()).filter_map(|kind| Some((kind, held.seconds(kind)?))).collect();
    let fits = |needed: i64| seconds.is_none_or(|most| needed <= most);
    let mut ways: Vec<Way> = able
        .iter()
        .filter(|(_, needed)| fits(*needed))
        .map(|first| Way { first: *first, second: None })
        .collect();
    let Some(most) = seconds else { return ways };
    for (slow, _) in able.iter().filter(|(_, needed)| !fits(*needed)) {
        for (fast, needed) in able.iter().filter(|(_, needed)| fits(*needed)) {
            if let Some(way) = both((held.left, most), (*slow, rates[*slow]), (*fast, rates[*fast]))
            {
                ways.push(way);
            } else {
                debug_assert!(*needed <= most);
            }
        }
    }
    ways
}

/// All seconds on two kinds, the least on the fast one that does the work.
fn both(
    (left, most): (i64, i64),
    (slow, slow_rate): (usize, i64),
    (fast, fast_rate): (usize, i64),
) -> Option<Way> {
    let short = i128::from(left) - i128::from(most) * i128::from(slow_rate);
    let faster = i128::from(fast_rate - slow_rate);
    if short <= 0 || faster <= 0 {
        return None;
    }
    let seconds = short / faster + i128::from(short % faster > 0);
    let seconds = i64::try_from(seconds).ok()?.min(most);
    Some(Way { first: (slow, most - seconds), second: Some((fast, seconds)) })
}
