//! How many requests came, minute by minute, and of which sizes.

use super::kinds::Kinds;
use crate::trace::TraceError;
use crate::trace::requests::{Request, RequestStream};
use std::collections::VecDeque;

/// Microseconds of a minute.
pub(super) const MINUTE_US: i64 = 60_000_000;
/// Minutes over which the busiest time is looked for.
const PEAK_MINUTES: usize = 10;
/// Minutes that are known of when a service begins: it has served before.
const BEFORE_MINUTES: i64 = 5;
/// Minutes that are remembered: a day and an hour.
const KEPT_MINUTES: usize = 25 * 60;
/// Minutes whose sizes are remembered.
const SIZED_MINUTES: usize = 60;

/// What a trace comes to, as nobody knows it while it runs.
#[derive(Clone, Debug)]
pub struct Survey {
    /// Requests by size.
    pub(super) counts: Vec<u64>,
    /// When the first comes.
    pub(super) first_us: i64,
    /// Requests of the busiest ten minutes.
    pub(super) peak: u64,
    /// Requests of the first minutes, by size.
    pub(super) before: Vec<u64>,
    /// When the last comes.
    pub(super) last_us: i64,
}

impl Survey {
    /// Reads a trace to its end, or its first so many requests.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn of(kinds: &Kinds, requests: RequestStream, limit: usize) -> Result<Self, TraceError> {
        let none = vec![0; kinds.sizes.len()];
        let mut survey =
            Self { counts: none.clone(), first_us: 0, peak: 0, before: none, last_us: 0 };
        let mut minutes: VecDeque<(i64, u64)> = VecDeque::new();
        let mut is_first = true;
        for request in requests.take(limit) {
            let Request { at_us, input_tokens, output_tokens } = request?;
            if is_first {
                (survey.first_us, is_first) = (at_us, false);
            }
            let size = usize::from(kinds.size(input_tokens, output_tokens));
            survey.counts[size] += 1;
            survey.last_us = at_us;
            if at_us < survey.first_us + BEFORE_MINUTES * MINUTE_US {
                survey.before[size] += 1;
            }
            let minute = at_us.div_euclid(MINUTE_US);
            match minutes.back_mut() {
                Some((last, count)) if *last == minute => *count += 1,
                _ => minutes.push_back((minute, 1)),
            }
            let within = i64::try_from(PEAK_MINUTES).unwrap_or(i64::MAX);
            while minutes.front().is_some_and(|(first, _)| *first <= minute - within) {
                minutes.pop_front();
            }
            survey.peak = survey.peak.max(minutes.iter().map(|(_, count)| count).sum());
        }
        Ok(survey)
    }

    /// Requests in all.
    pub fn requests(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The rate of the busiest ten minutes, in thousandths of a request per second.
    pub(super) fn peak_milli(&self) -> u64 {
        let seconds = u64::try_from(PEAK_MINUTES).unwrap_or(1) * 60;
        (self.peak * 1_000).div_ceil(seconds)
    }

    /// The rate of the first minutes, in thousandths of a request per second.
    pub(super) fn before_milli(&self) -> u64 {
        let length = (self.last_us - self.first_us).clamp(1, BEFORE_MINUTES * MINUTE_US);
        let length_ms = u64::try_from(length).unwrap_or(1).div_ceil(1_000);
        (self.before.iter().sum::<u64>() * 1_000_000).div_ceil(length_ms)
    }
}

/// What came so far.
#[derive(Clone, Debug)]
pub(super) struct Rates {
    /// Requests of each minute, the last of which is not over.
    minutes: VecDeque<u64>,
    /// Of the last of them, by size.
    sizes: VecDeque<Vec<u64>>,
    minute: i64,
    none: Vec<u64>,
}

impl Rates {
    pub(super) fn new(sizes: usize, now_us: i64) -> Self {
        let none = vec![0; sizes];
        Self {
            minutes: VecDeque::from([0]),
            sizes: VecDeque::from([none.clone()]),
            minute: now_us.div_euclid(MINUTE_US),
            none,
        }
    }

    /// Lets time pass.
    pub(super) fn advance(&mut self, now_us: i64) {
        let minute = now_us.div_euclid(MINUTE_US);
        while self.minute < minute {
            self.minute += 1;
            self.minutes.push_back(0);
            self.sizes.push_back(self.none.clone());
            if self.minutes.len() > KEPT_MINUTES {
                self.minutes.pop_front();
            }
            if self.sizes.len() > SIZED_MINUTES {
                self.sizes.pop_front();
            }
        }
    }

    /// A request of a size comes now.
    pub(super) fn comes(&mut self, size: u16) {
        if let Some(last) = self.minutes.back_mut() {
            *last += 1;
        }
        if let Some(last) = self.sizes.back_mut() {
            last[usize::from(size)] += 1;
        }
    }

    /// The mean rate of some whole minutes up to so many ago, in thousandths of a request per
    /// second; `None` where not so much is known.
    pub(super) fn milli(&self, minutes: usize, ago: usize) -> Option<u64> {
        let end = self.minutes.len().checked_sub(1 + ago)?;
        let from = end.checked_sub(minutes)?;
        let sum: u64 = self.minutes.range(from..end).sum();
        let seconds = u64::try_from(minutes).ok()? * 60;
        Some((sum * 1_000).div_ceil(seconds.max(1)))
    }

    /// Requests of the last hour by size, as far as it is known.
    pub(super) fn mix(&self) -> Vec<u64> {
        let mut sum = self.none.clone();
        for minute in &self.sizes {
            for (sum, more) in sum.iter_mut().zip(minute) {
                *sum += more;
            }
        }
        sum
    }
}
