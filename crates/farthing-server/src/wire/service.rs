//! A service in a plan: who serves which requests, what a token costs, and its day.

use super::scalar::{decimal, ratio, seconds};
use farthing_engine::planner::{BucketRow, DayReport, DaySpan, MixRow, ServiceReport, TokenCosts};
use farthing_model::Money;
use jiff::SignedDuration;
use serde::Serialize;

/// How a service is served by a plan.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ServiceJson {
    /// Which.
    pub workload: String,
    /// Requests per second that it is sized for.
    pub requests_per_s: f64,
    /// The part of a replica that is planned with.
    pub target: f64,
    /// What its replicas cost an hour.
    pub cost_per_hour: String,
    /// What a million tokens cost, in and out together; `null` where nothing is asked for.
    pub cost_per_million_tokens: Option<String>,
    /// What a million tokens of prompts cost; `null` where there are none, or nothing tells.
    pub cost_per_million_input_tokens: Option<String>,
    /// What a million tokens of answers cost; `null` where there are none, or nothing tells.
    pub cost_per_million_output_tokens: Option<String>,
    /// How the two were told apart: `measured`, `declared` or `fitted`; `null` where they are not.
    pub token_split: Option<&'static str>,
    /// The kinds of replicas.
    pub mix: Vec<MixJson>,
    /// The classes of requests.
    pub buckets: Vec<BucketJson>,
    /// The cycle of its rate; `null` where none was given.
    pub day: Option<DayJson>,
}

/// Replicas of one kind.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MixJson {
    /// Where.
    pub offer: String,
    /// Accelerators of one copy of the model.
    pub accelerators: u32,
    /// Copies that run as one replica: as many as its node holds.
    pub copies: u32,
    /// Nodes of one replica.
    pub nodes_each: u32,
    /// How many.
    pub replicas: u32,
    /// The part of them that the requests fill.
    pub load: f64,
    /// The part of requests that wait too long, at most; `null` without a queue.
    pub late: Option<f64>,
}

/// Requests of one size.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BucketJson {
    /// Prompt length.
    pub input_tokens: u32,
    /// Answer length.
    pub output_tokens: u32,
    /// Requests per second of this size.
    pub requests_per_s: f64,
    /// Who takes which part.
    pub taken: Vec<TakenJson>,
    /// What a million of their tokens cost.
    pub cost_per_million_tokens: Option<String>,
}

/// A part of a bucket on one kind of replicas.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TakenJson {
    /// Where.
    pub offer: String,
    /// Accelerators of one replica there.
    pub accelerators: u32,
    /// Which part of the requests.
    pub share: f64,
}

/// A service over the cycle of its rate.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DayJson {
    /// How long the cycle is.
    pub length_s: f64,
    /// What it costs, starts included.
    pub cost: String,
    /// The same for 24 hours.
    pub cost_per_day: Option<String>,
    /// No schedule of replicas costs less.
    pub lower_bound: String,
    /// What the replicas of the highest rate cost all the time.
    pub flat_cost: String,
    /// A gap without requests up to this is kept.
    pub idle_gap_min_s: f64,
    /// Replicas by span.
    pub spans: Vec<SpanJson>,
}

/// Replicas in a span of the cycle.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SpanJson {
    /// From, since the beginning of the cycle.
    pub from_s: f64,
    /// To.
    pub to_s: f64,
    /// Requests per second.
    pub requests_per_s: f64,
    /// Replicas that serve, by kind; kinds without any are left out.
    pub replicas: Vec<SpanReplicasJson>,
    /// What is paid in the span, with the starts for the next one.
    pub cost: String,
}

/// Replicas of one kind in a span.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SpanReplicasJson {
    /// Where.
    pub offer: String,
    /// Accelerators of one replica.
    pub accelerators: u32,
    /// How many.
    pub replicas: u32,
}

impl ServiceJson {
    /// The wire form of a service.
    pub fn of(service: &ServiceReport) -> Self {
        let part = |which: fn(TokenCosts) -> Option<Money>| {
            service.tokens.and_then(which).map(Money::to_decimal)
        };
        Self {
            workload: service.workload.to_string(),
            requests_per_s: decimal(service.rate_per_s),
            target: ratio(service.target),
            cost_per_hour: service.per_hour.to_decimal(),
            cost_per_million_tokens: service.per_million_tokens.map(Money::to_decimal),
            cost_per_million_input_tokens: part(|it| it.input),
            cost_per_million_output_tokens: part(|it| it.output),
            token_split: service.tokens.map(|it| it.rule.name()),
            mix: service.mix.iter().map(MixJson::of).collect(),
            buckets: service.buckets.iter().map(|row| BucketJson::of(row, service)).collect(),
            day: service.day.as_ref().map(DayJson::of),
        }
    }
}

impl MixJson {
    fn of(row: &MixRow) -> Self {
        Self {
            offer: row.offer.to_string(),
            accelerators: row.accelerators,
            copies: row.copies,
            nodes_each: row.nodes_each,
            replicas: row.replicas,
            load: ratio(row.load),
            late: row.late.map(ratio),
        }
    }
}

impl BucketJson {
    fn of(row: &BucketRow, service: &ServiceReport) -> Self {
        let taken = row.taken.iter().filter_map(|(at, parts)| {
            let kind = service.mix.get(*at)?;
            let (offer, accelerators) = (kind.offer.to_string(), kind.accelerators);
            Some(TakenJson { offer, accelerators, share: ratio(service.share(*parts)) })
        });
        Self {
            input_tokens: row.input_tokens,
            output_tokens: row.output_tokens,
            requests_per_s: decimal(row.rate_per_s),
            taken: taken.collect(),
            cost_per_million_tokens: row.per_million_tokens.map(Money::to_decimal),
        }
    }
}

impl DayJson {
    fn of(day: &DayReport) -> Self {
        Self {
            length_s: seconds(day.length),
            cost: day.cost.to_decimal(),
            cost_per_day: day.cost_of(SignedDuration::from_hours(24)).map(Money::to_decimal),
            lower_bound: day.lower_bound.to_decimal(),
            flat_cost: day.flat_cost.to_decimal(),
            idle_gap_min_s: seconds(day.idle_gap_min),
            spans: day.spans.iter().map(|span| SpanJson::of(span, day)).collect(),
        }
    }
}

impl SpanJson {
    fn of(span: &DaySpan, day: &DayReport) -> Self {
        let replicas = day.kinds.iter().zip(&span.replicas).filter(|(_, count)| **count > 0);
        let replicas = replicas.map(|((offer, accelerators), replicas)| SpanReplicasJson {
            offer: offer.to_string(),
            accelerators: *accelerators,
            replicas: *replicas,
        });
        Self {
            from_s: seconds(span.from),
            to_s: seconds(span.to),
            requests_per_s: decimal(span.rate_per_s),
            replicas: replicas.collect(),
            cost: span.cost.to_decimal(),
        }
    }
}
