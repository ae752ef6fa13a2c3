//! A service over the cycle of its rate: replicas by span, starts paid ahead, idle gaps.
//!
//! Each span gets the cheapest replicas for its rate; what starts for a span is paid from a cold
//! start before it on. A replica that is not needed for a while is kept where that costs no more
//! than starting it again: `gap <= cold start`, and for the last one of a service
//! `gap <= cold start + penalty / price`.

use super::Serving;
use super::scene::Scene;
use crate::PlanError;
use crate::service::{DayReport, DaySpan};
use farthing_model::{Day, Money, NANOS_PER_HOUR, RatePoint};
use jiff::SignedDuration;

/// Spans of a cycle at most: a week of quarter hours and more.
pub(crate) const SPANS_MAX: usize = 1_500;

/// A cycle with what is needed in each of its spans.
struct Cycle<'d> {
    day: &'d Day,
    /// What a replica of each kind costs an hour, in 10^-12.
    hourly: Vec<i128>,
    /// Replicas by span and kind.
    counts: Vec<Vec<i64>>,
}

impl<'a> Scene<'a, '_> {
    /// The cycle of a service; `None` where it has none, or a span cannot be served.
    pub(super) fn day(&self, serving: &Serving<'a>) -> Result<Option<DayReport>, PlanError> {
        let Some(service) = serving.observed.workload.service() else { return Ok(None) };
        let Some(day) = service.sizing.day.as_ref() else { return Ok(None) };
        if day.points.is_empty() || day.points.len() > SPANS_MAX {
            return Ok(None);
        }
        let object = || format!("workload {}", serving.observed.workload.id);
        let hourly =
            self.hourly(serving).map_err(|source| PlanError::Money { object: object(), source })?;
        let mut needs: Vec<Need> = Vec::with_capacity(day.points.len());
        for point in &day.points {
            let known = day.points[..needs.len()]
                .iter()
                .position(|before| before.rate_per_s == point.rate_per_s);
            match known {
                Some(at) => needs.push(needs[at].clone()),
                None => match self.need(serving, *point)? {
                    Some(need) => needs.push(need),
                    None => return Ok(None),
                },
            }
        }
        let overflow = || PlanError::Overflow(object());
        let report = self.cheapest_day(serving, day, &hourly, &needs);
        report.ok_or_else(overflow).map(Some)
    }

    /// What a span needs: of all kinds, and of each kind alone.
    fn need(&self, serving: &Serving<'a>, point: RatePoint) -> Result<Option<Need>, PlanError> {
        let Some(service) = serving.observed.workload.service() else { return Ok(None) };
        let rate = point.rate_per_s.nano();
        let least = service.replicas_min.max(u32::from(rate > 0));
        let there = self.again(serving, rate, least)?;
        if least == 0 {
            let none = vec![0; there.kinds.len()];
            let alone = vec![Some(none.clone()); there.kinds.len()];
            return Ok(Some(Need { mixed: none, bound: 0, alone }));
        }
        let Some(best) = there.alone(self.input.effort.of_a_part()) else { return Ok(None) };
        let alone = (0..there.kinds.len()).map(|kind| {
            let cost = there.pure_costs().into_iter().find(|(at, _)| *at == kind)?.1;
            let each = there.kinds[kind].cost;
            let count = if each > 0 { cost / each } else { return None };
            let mut counts = vec![0; there.kinds.len()];
            counts[kind] = i64::try_from(count).ok()?;
            // Queues need more than the load says.
            there.queue().is_none().then_some(counts)
        });
        let alone = alone.collect();
        Ok(Some(Need { mixed: best.counts, bound: best.bound, alone }))
    }

    /// The cheapest of the cycle of mixes and the cycles of one kind each.
    fn cheapest_day(
        &self,
        serving: &Serving<'a>,
        day: &Day,
        hourly: &[i128],
        needs: &[Need],
    ) -> Option<DayReport> {
        let kinds = hourly.len();
        let mixed: Vec<Vec<i64>> = needs.iter().map(|need| need.mixed.clone()).collect();
        let pure = (0..kinds).filter_map(|kind| {
            let counts = needs.iter().map(|need| need.alone[kind].clone());
            counts.collect::<Option<Vec<Vec<i64>>>>()
        });
        let mut best: Option<(i128, Cycle<'_>, Vec<i128>)> = None;
        for counts in std::iter::once(mixed).chain(pure) {
            let mut cycle = Cycle { day, hourly: hourly.to_vec(), counts };
            cycle.keep_over_gaps();
            let costs = cycle.costs()?;
            let cost: i128 = costs.iter().sum();
            if best.as_ref().is_none_or(|(least, ..)| cost < *least) {
                best = Some((cost, cycle, costs));
            }
        }
        let (cost, cycle, costs) = best?;
        let money = |pico| Money::from_pico(pico, self.input.currency);
        let horizon = self.input.horizon.duration().as_nanos().max(1);
        let mut lower = 0_i128;
        for (at, need) in needs.iter().enumerate() {
            let span = cycle.span(at).as_nanos();
            lower += farthing_model::proportion(need.bound, span, horizon)?;
        }
        let peak = needs.iter().map(|need| price(hourly, &need.mixed)).max()?;
        let length = day.length.as_nanos();
        let kinds = serving.kinds.iter().map(|kind| {
            let offer = &self.input.offers[kind.replica.offer];
            (offer.id.clone(), kind.replica.accelerators)
        });
        Some(DayReport {
            length: day.length,
            cost: money(cost),
            lower_bound: money(lower.min(cost)),
            flat_cost: money(farthing_model::proportion(peak, length, NANOS_PER_HOUR)?),
            kinds: kinds.collect(),
            idle_gap_min: cycle.gap_min(),
            spans: cycle.spans(&costs, money),
        })
    }
}

/// What a rate needs.
#[derive(Clone)]
struct Need {
    /// The cheapest replicas by kind.
    mixed: Vec<i64>,
    /// No replicas cost less over the horizon, in 10^-12.
    bound: i128,
    /// Replicas of each kind alone, where it can.
    alone: Vec<Option<Vec<i64>>>,
}

/// What counts cost an hour.
fn price(hourly: &[i128], counts: &[i64]) -> i128 {
    hourly.iter().zip(counts).map(|(each, count)| each * i128::from(*count)).sum()
}

impl Cycle<'_> {
    fn from(&self, span: usize) -> SignedDuration {
        self.day.points[span].from
    }

    fn to(&self, span: usize) -> SignedDuration {
        self.day.points.get(span + 1).map_or(self.day.length, |next| next.from)
    }

    fn span(&self, span: usize) -> SignedDuration {
        self.to(span) - self.from(span)
    }

    /// The kind that is kept where one replica must be: the cheapest that is ever used.
    fn last(&self) -> Option<usize> {
        let used = |kind: &usize| self.counts.iter().any(|counts| counts[*kind] > 0);
        (0..self.hourly.len()).filter(used).min_by_key(|kind| (self.hourly[*kind], *kind))
    }

    /// A gap without requests that is no longer than this is kept.
    fn gap_min(&self) -> SignedDuration {
        let penalty = self.day.penalty.map_or(0, Money::pico);
        let hourly = self.last().map_or(0, |kind| self.hourly[kind]);
        let more = if hourly > 0 {
            farthing_model::proportion(penalty, NANOS_PER_HOUR, hourly).unwrap_or(i128::MAX)
        } else {
            i128::MAX
        };
        let all = self.day.cold_start.as_nanos().saturating_add(more);
        let most = self.day.length.as_nanos();
        SignedDuration::from_nanos(i64::try_from(all.min(most)).unwrap_or(i64::MAX))
    }

    /// Keeps replicas over gaps that are too short to give them back.
    fn keep_over_gaps(&mut self) {
        if let Some(last) = self.last() {
            let none: Vec<bool> =
                self.counts.iter().map(|counts| counts.iter().all(|count| *count == 0)).collect();
            let most = self.gap_min();
            for span in self.gaps(&none, most) {
                self.counts[span][last] = 1;
            }
        }
        for kind in 0..self.hourly.len() {
            let top = self.counts.iter().map(|counts| counts[kind]).max().unwrap_or(0);
            // Levels above a thousand are moved together: nobody starts them one by one.
            let step = (top / 1_000).max(1);
            let mut level = 1;
            while level <= top {
                let off: Vec<bool> =
                    self.counts.iter().map(|counts| counts[kind] < level).collect();
                for span in self.gaps(&off, self.day.cold_start) {
                    // Not where all of a service is given back.
                    if self.counts[span].iter().any(|count| *count > 0) {
                        self.counts[span][kind] = level;
                    }
                }
                level += step;
            }
        }
    }

    /// Spans of the runs of `off` around the cycle that are no longer than `most`.
    fn gaps(&self, off: &[bool], most: SignedDuration) -> Vec<usize> {
        let count = off.len();
        let Some(start) = (0..count).find(|span| !off[*span]) else { return Vec::new() };
        let (mut found, mut run, mut length) = (Vec::new(), Vec::new(), SignedDuration::ZERO);
        for step in 1..=count {
            let span = (start + step) % count;
            if off[span] {
                run.push(span);
                length += self.span(span);
                continue;
            }
            if length <= most {
                found.append(&mut run);
            }
            run.clear();
            length = SignedDuration::ZERO;
        }
        found
    }

    /// What is paid in each span, in 10^-12, with the starts for what comes after it.
    fn costs(&self) -> Option<Vec<i128>> {
        let (count, length) = (self.counts.len(), self.day.length.as_nanos());
        let lead = self.day.cold_start.as_nanos().min(length);
        let mut cuts: Vec<i128> = (0..count).map(|span| self.from(span).as_nanos()).collect();
        cuts.extend(cuts.clone().iter().map(|from| (from - lead).rem_euclid(length)));
        cuts.push(length);
        cuts.sort_unstable();
        cuts.dedup();
        let mut costs = Vec::with_capacity(count);
        for span in 0..count {
            let (from, to) = (self.from(span).as_nanos(), self.to(span).as_nanos());
            let inside = cuts.windows(2).filter(|pair| pair[0] >= from && pair[1] <= to);
            let mut sum = 0_i128;
            for pair in inside {
                let each = price(&self.hourly, &self.held(span, pair[0] + lead));
                sum = sum.checked_add(each.checked_mul(pair[1] - pair[0])?)?;
            }
            let cost = sum / NANOS_PER_HOUR + i128::from(sum % NANOS_PER_HOUR > 0);
            let next = &self.counts[(span + 1) % count];
            let begins = self.counts[span].iter().all(|count| *count == 0)
                && next.iter().any(|count| *count > 0);
            let penalty = self.day.penalty.filter(|_| begins).map_or(0, Money::pico);
            costs.push(cost.checked_add(penalty)?);
        }
        Some(costs)
    }

    /// The most of each kind from a span on to a moment, which may lie in the next cycle.
    fn held(&self, span: usize, until: i128) -> Vec<i64> {
        let (count, length) = (self.counts.len(), self.day.length.as_nanos());
        let mut most = self.counts[span].clone();
        for step in 1..=count {
            let turn = if span + step >= count { length } else { 0 };
            let next = (span + step) % count;
            if self.from(next).as_nanos() + turn > until {
                break;
            }
            for (most, count) in most.iter_mut().zip(&self.counts[next]) {
                *most = (*most).max(*count);
            }
        }
        most
    }

    fn spans(&self, costs: &[i128], money: impl Fn(i128) -> Money) -> Vec<DaySpan> {
        let whole = |count: &i64| u32::try_from(*count).unwrap_or(u32::MAX);
        let row = |span: usize| DaySpan {
            from: self.from(span),
            to: self.to(span),
            rate_per_s: self.day.points[span].rate_per_s,
            replicas: self.counts[span].iter().map(whole).collect(),
            cost: money(costs[span]),
        };
        (0..self.counts.len()).map(row).collect()
    }
}
