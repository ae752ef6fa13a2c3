//! The statement about a service: its mix, its classes of requests, and what a token costs.

use super::apart::found;
use super::scene::Scene;
use super::search::Solution;
use super::{Serving, problem::Problem};
use crate::PlanError;
use crate::service::{BucketRow, MixRow, ServiceReport};
use farthing_model::{Decimal, HourlyRate, Money, MoneyError, Ratio};

/// Units of a rate, and of a share, in one whole.
const NANO: i128 = 1_000_000_000;
/// Tokens that are priced together.
const MILLION: i128 = 1_000_000;
/// Seconds in an hour.
const HOUR: i128 = 3_600;

impl<'a> Scene<'a, '_> {
    /// What is to be said about a service that gets these replicas; `None` where its division is
    /// not known and could not be found again.
    pub(crate) fn report(
        &self,
        serving: &Serving<'a>,
        replicas: &[(usize, u32)],
        known: Option<&Solution>,
    ) -> Result<Option<ServiceReport>, PlanError> {
        let fixed = replicas.iter().map(|(kind, count)| (*kind, i64::from(*count))).collect();
        let fixed = Serving { fixed: Some(fixed), ..serving.clone() };
        let problem = fixed.problem();
        let known = known.cloned().or_else(|| found(&problem, self.input.effort));
        let Some(found) = known else { return Ok(None) };
        let wrong = |source| PlanError::Money {
            object: format!("workload {}", serving.observed.workload.id),
            source,
        };
        let hourly = self.hourly(serving).map_err(wrong)?;
        let statement = Statement { scene: self, serving, problem, found, hourly };
        let mut report = statement.report();
        report.day = self.day(serving)?;
        Ok(Some(report))
    }

    /// What a replica of each kind costs an hour, in 10^-12.
    pub(super) fn hourly(&self, serving: &Serving<'_>) -> Result<Vec<i128>, MoneyError> {
        let zero = Money::zero(self.input.currency);
        let hourly = serving.kinds.iter().map(|kind| {
            let rate = self.input.offers[kind.replica.offer].price.rate();
            let one = rate.map_or(zero, HourlyRate::per_hour);
            Ok(one.checked_mul_int(i128::from(kind.replica.nodes))?.pico())
        });
        hourly.collect()
    }
}

pub(super) struct Statement<'s, 'a> {
    pub(super) scene: &'s Scene<'a, 's>,
    pub(super) serving: &'s Serving<'a>,
    pub(super) problem: Problem,
    found: Solution,
    hourly: Vec<i128>,
}

impl Statement<'_, '_> {
    fn report(&self) -> ServiceReport {
        let counts = self.found.counts.iter().zip(&self.hourly);
        let per_hour = counts.map(|(count, hourly)| i128::from(*count) * hourly).sum();
        let money = |pico| Money::from_pico(pico, self.scene.input.currency);
        let mut buckets = Vec::new();
        let mut tokens = 0_i128;
        for bucket in 0..self.problem.loads.len() {
            let row = self.bucket(bucket);
            let size = i128::from(row.input_tokens) + i128::from(row.output_tokens);
            tokens = tokens.saturating_add(row.rate_per_s.nano().saturating_mul(size));
            buckets.push(row);
        }
        ServiceReport {
            workload: self.serving.observed.workload.id.clone(),
            rate_per_s: Decimal::from_nano(self.serving.rate),
            target: self.serving.target,
            per_hour: money(per_hour),
            per_million_tokens: per_million(per_hour, tokens).map(money),
            tokens: self.tokens(&buckets, per_hour),
            mix: self.used().map(|kind| self.row(kind)).collect(),
            parts: self.problem.parts(),
            buckets,
            day: None,
        }
    }

    /// Kinds with replicas.
    pub(super) fn used(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.found.counts.len()).filter(|kind| self.found.counts[*kind] > 0)
    }

    fn row(&self, kind: usize) -> MixRow {
        let replica = &self.serving.kinds[kind].replica;
        let replicas = u32::try_from(self.found.counts[kind]).unwrap_or(u32::MAX);
        let whole = super::REPLICA * i128::from(replicas);
        MixRow {
            offer: self.scene.input.offers[replica.offer].id.clone(),
            accelerators: replica.accelerators,
            copies: u32::try_from(replica.copies).unwrap_or(u32::MAX),
            nodes_each: replica.nodes,
            replicas,
            load: Ratio::of(self.loaded(kind), whole).unwrap_or(Ratio::ZERO),
            late: self.serving.late(&self.problem, &self.found, kind),
        }
    }

    /// Load of a kind, in 10^-12 replicas.
    fn loaded(&self, kind: usize) -> i128 {
        let loaded = self.problem.loaded(&self.found.shares).unwrap_or_default();
        loaded.get(kind).copied().unwrap_or(0) / self.problem.parts()
    }

    fn bucket(&self, bucket: usize) -> BucketRow {
        let requests = &self.serving.observed.workload.service().map(|it| &it.requests.buckets);
        let known = requests.and_then(|buckets| buckets.get(bucket)).copied();
        let (input_tokens, output_tokens, share) =
            known.map_or((0, 0, 0), |it| (it.input_tokens, it.output_tokens, it.share.nano()));
        let rate = self.serving.rate.saturating_mul(share) / NANO;
        let shares = &self.found.shares[bucket];
        let taken = self.used().enumerate().filter(|(_, kind)| shares[*kind] > 0);
        let taken = taken.map(|(at, kind)| (at, shares[kind]));
        let size = i128::from(input_tokens) + i128::from(output_tokens);
        let cost = self.cost_of(bucket);
        let per_million = cost.and_then(|cost| per_million(cost, rate.checked_mul(size)?));
        BucketRow {
            input_tokens,
            output_tokens,
            rate_per_s: Decimal::from_nano(rate),
            taken: taken.collect(),
            per_million_tokens: per_million
                .map(|pico| Money::from_pico(pico, self.scene.input.currency)),
        }
    }

    /// What a bucket costs an hour.
    pub(super) fn cost_of(&self, bucket: usize) -> Option<i128> {
        self.used().try_fold(0_i128, |sum, kind| sum.checked_add(self.cost_on(bucket, kind)?))
    }

    /// What a bucket costs an hour on a kind: the part that it fills of what is filled.
    pub(super) fn cost_on(&self, bucket: usize, kind: usize) -> Option<i128> {
        let all = self.loaded(kind);
        if all <= 0 {
            return Some(0);
        }
        let load = self.problem.loads[bucket][kind].unwrap_or(0);
        let own = load.checked_mul(self.found.shares[bucket][kind])? / self.problem.parts();
        let hourly = self.hourly[kind].checked_mul(i128::from(self.found.counts[kind]))?;
        farthing_model::proportion(hourly, own, all)
    }
}

/// What a million tokens cost at a cost an hour and tokens a second in 10^-9.
pub(super) fn per_million(per_hour: i128, tokens: i128) -> Option<i128> {
    (tokens > 0).then_some(())?;
    farthing_model::proportion(per_hour, MILLION * NANO, tokens.checked_mul(HOUR)?)
}
