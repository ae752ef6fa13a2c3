//! How many replicas there should be: one policy is one way to answer that.

use super::kinds::Kinds;
use super::question::Question;
use super::rates::{Rates, Survey};
use super::{ServingRule, ServingSpec};
use crate::cluster::error::ClusterError;
use std::collections::{BTreeMap, VecDeque};

/// Minutes for which ours keeps what it once asked for.
const HOLDS_MINUTES: usize = 10;
/// Rates differ by a part of this at least, so that few are asked about.
const GRID: u64 = 20;
/// Seconds in which what waits is to be worked off.
const WORK_OFF_S: u64 = 60;
/// Minutes of a day.
const DAY: usize = 24 * 60;
/// Seconds between two looks of the autoscaler, and for which it keeps what it once asked for.
const LOOKS_S: i64 = 15;
const STABLE_S: i64 = 300;
/// It does nothing within a tenth of its target.
const TOLERANCE: (u128, u128) = (9, 11);
/// It adds so many replicas at a look, or as many as there are if that is more.
const ADDS: u32 = 4;

/// What a policy sees.
pub(super) struct View<'a> {
    pub(super) now_s: i64,
    pub(super) rates: &'a Rates,
    /// Requests that have a place, and that wait.
    pub(super) in_places: u64,
    pub(super) waiting: u64,
    /// Replicas by kind, also those that are not ready.
    pub(super) live: &'a [u32],
    /// Places of those that are ready.
    pub(super) slots: u64,
}

/// How many replicas there should be.
pub(super) trait Scale {
    /// Seconds between two decisions.
    fn every_s(&self) -> i64;

    /// Before the first request, of a service that has been there before.
    fn first(&mut self, survey: &Survey) -> Result<Vec<u32>, ClusterError>;

    /// From now on, by kind.
    fn decide(&mut self, view: &View<'_>) -> Result<Vec<u32>, ClusterError>;

    /// Questions that it put to the planner, and those that had an answer from before.
    fn asked(&self) -> [u64; 2] {
        [0, 0]
    }
}

impl ServingRule {
    pub(super) fn scale<'a>(
        self,
        spec: &'a ServingSpec,
        kinds: &'a Kinds,
    ) -> Result<Box<dyn Scale + 'a>, ClusterError> {
        let question = Question::new(spec, kinds)?;
        Ok(match self {
            Self::Farthing => Box::new(Forecast {
                question,
                mix: (i64::MIN, Vec::new()),
                known: BTreeMap::new(),
                held: VecDeque::new(),
                asked: [0, 0],
                boot_minutes: minutes(spec.boot.as_secs()),
            }),
            Self::StaticPeak => Box::new(StaticPeak { question, units: Vec::new() }),
            Self::Hpa => Box::new(Hpa { spec, kinds, kind: 0, recommended: VecDeque::new() }),
        })
    }
}

fn minutes(seconds: i64) -> usize {
    usize::try_from(seconds.div_euclid(60) + 1).unwrap_or(1)
}

/// Ours.
struct Forecast<'a> {
    question: Question<'a>,
    /// The hour, and what came in the one before it by size.
    mix: (i64, Vec<u64>),
    /// Answers for this mix, by rate.
    known: BTreeMap<u64, Vec<u32>>,
    /// What was asked for in the last minutes.
    held: VecDeque<Vec<u32>>,
    asked: [u64; 2],
    boot_minutes: usize,
}

impl Forecast<'_> {
    /// The rate that is to be served until what is ordered now has come and the next order too:
    /// the highest of the last minutes, of the trend, and of the same time yesterday as today
    /// compares with it.
    fn rate_milli(&self, view: &View<'_>) -> u64 {
        let mean = |minutes, ago| view.rates.milli(minutes, ago);
        let (now, while_ago) = (mean(2, 0).unwrap_or(0), mean(2, self.boot_minutes + 1));
        let trend = while_ago.map_or(0, |before| now + now.saturating_sub(before));
        let last = mean(10, 0).or_else(|| mean(1, 0)).unwrap_or(0);
        let yesterday = || -> Option<u64> {
            let (hour, then) = (mean(60, 0)?, mean(60, DAY)?.max(1));
            let ahead = DAY.checked_sub(self.boot_minutes + 5)?;
            let came = mean(self.boot_minutes + 5, ahead)?;
            // Today may be twice or half of yesterday, and then was told by the last minutes.
            Some(came * hour.clamp(then / 2, then * 2) / then)
        };
        let work_off = view.waiting * 1_000 / WORK_OFF_S;
        now.max(last).max(trend).max(yesterday().unwrap_or(0)) + work_off
    }

    fn answer(&mut self, rate_milli: u64) -> Result<Vec<u32>, ClusterError> {
        let rate_milli = on_grid(rate_milli);
        if let Some(known) = self.known.get(&rate_milli) {
            self.asked[1] += 1;
            return Ok(known.clone());
        }
        self.asked[0] += 1;
        let units = self.question.units(rate_milli, &self.mix.1)?;
        self.known.insert(rate_milli, units.clone());
        Ok(units)
    }
}

/// The next rate that is asked about: a twentieth above the one below it.
fn on_grid(rate_milli: u64) -> u64 {
    let mut at = 100;
    while at < rate_milli {
        at += (at / GRID).max(1);
    }
    at
}

impl Scale for Forecast<'_> {
    fn every_s(&self) -> i64 {
        60
    }

    fn first(&mut self, survey: &Survey) -> Result<Vec<u32>, ClusterError> {
        self.mix = (i64::MIN, survey.before.clone());
        self.answer(survey.before_milli())
    }

    fn decide(&mut self, view: &View<'_>) -> Result<Vec<u32>, ClusterError> {
        let hour = view.now_s.div_euclid(3_600);
        let mix = view.rates.mix();
        if hour != self.mix.0 && mix.iter().any(|count| *count > 0) {
            self.mix = (hour, mix);
            self.known.clear();
        }
        let units = self.answer(self.rate_milli(view))?;
        self.held.push_back(units);
        if self.held.len() > HOLDS_MINUTES {
            self.held.pop_front();
        }
        Ok(most(view.live.len(), self.held.iter()))
    }

    fn asked(&self) -> [u64; 2] {
        self.asked
    }
}

/// The most of each kind.
fn most<'a>(kinds: usize, all: impl Iterator<Item = &'a Vec<u32>>) -> Vec<u32> {
    let mut most = vec![0; kinds];
    for units in all {
        for (most, count) in most.iter_mut().zip(units) {
            *most = (*most).max(*count);
        }
    }
    most
}

/// What the busiest time needs, always.
struct StaticPeak<'a> {
    question: Question<'a>,
    units: Vec<u32>,
}

impl Scale for StaticPeak<'_> {
    fn every_s(&self) -> i64 {
        3_600
    }

    fn first(&mut self, survey: &Survey) -> Result<Vec<u32>, ClusterError> {
        self.units = self.question.units(survey.peak_milli(), &survey.counts)?;
        Ok(self.units.clone())
    }

    fn decide(&mut self, _: &View<'_>) -> Result<Vec<u32>, ClusterError> {
        Ok(self.units.clone())
    }
}

/// `desired = ceil(current x load / target)`, as the Horizontal Pod Autoscaler computes it: nothing
/// is done within its tolerance, and fewer replicas only when five minutes asked for no more.
struct Hpa<'a> {
    spec: &'a ServingSpec,
    kinds: &'a Kinds,
    kind: usize,
    /// What was asked for, and when.
    recommended: VecDeque<(i64, u32)>,
}

impl Hpa<'_> {
    fn of(&self, count: u32) -> Vec<u32> {
        let mut units = vec![0; self.kinds.all.len()];
        units[self.kind] = count.max(1);
        units
    }

    /// Replicas that so many requests at once need.
    fn desired(&self, requests: u64) -> u32 {
        let slots = u128::from(self.kinds.all[self.kind].slots);
        let whole = slots * u128::from(self.spec.target.ppm().max(1));
        let count = (u128::from(requests) * 1_000_000).div_ceil(whole);
        u32::try_from(count).unwrap_or(u32::MAX)
    }
}

impl Scale for Hpa<'_> {
    fn every_s(&self) -> i64 {
        LOOKS_S
    }

    fn first(&mut self, survey: &Survey) -> Result<Vec<u32>, ClusterError> {
        self.kind = self.kinds.cheapest(&survey.before);
        // Requests at once: how many come, times how long each has a place.
        let kind = &self.kinds.all[self.kind];
        let (mut places, mut all) = (0_u128, 0_u128);
        for (takes, count) in kind.takes.iter().zip(&survey.before) {
            let place_us = takes.map_or(0, |takes| takes.place_us);
            places += u128::from(*count) * u128::from(place_us.unsigned_abs());
            all += u128::from(*count);
        }
        let mean_us = places / all.max(1);
        let at_once = u128::from(survey.before_milli()) * mean_us / 1_000_000_000;
        let count = self.desired(u64::try_from(at_once).unwrap_or(u64::MAX));
        Ok(self.of(count))
    }

    fn decide(&mut self, view: &View<'_>) -> Result<Vec<u32>, ClusterError> {
        let live: u32 = view.live.iter().sum();
        let requests = view.in_places + view.waiting;
        // Its metric is a mean over the replicas that are ready.
        let target = u128::from(view.slots.max(1)) * u128::from(self.spec.target.ppm().max(1));
        let load = u128::from(requests) * 1_000_000 * 10;
        let near = load >= target * TOLERANCE.0 && load <= target * TOLERANCE.1;
        let desired = if near { live } else { self.desired(requests) };
        let now_s = view.now_s;
        self.recommended.push_back((now_s, desired));
        while self.recommended.front().is_some_and(|(at, _)| *at < now_s - STABLE_S) {
            self.recommended.pop_front();
        }
        let count = if desired >= live {
            desired.min(live.saturating_add(live.max(ADDS)))
        } else {
            let most = self.recommended.iter().map(|(_, count)| *count).max();
            most.unwrap_or(desired).min(live)
        };
        Ok(self.of(count))
    }
}
