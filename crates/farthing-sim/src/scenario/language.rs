//! The language model service of the demo: real requests, a real day, measured accelerators.

use super::{AZURE, DAY, LANGUAGE_SPEED, RequestGap, RequestStream, ScenarioError, ServiceArrival};
use crate::trace::{LlmRequest, read_azure, read_day_shape, read_speeds};
use farthing_model::{
    Bucket, BucketRate, Decimal, Requests, Resources, Service, Sizing, Slo, Split, TeamId,
    Workload, WorkloadId, WorkloadKind, split,
};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How many times the traffic of the excerpt comes in: one accelerator would do for its own.
const TIMES: u32 = 4;
/// Prompts are short up to here, in tokens.
const SHORT_PROMPT: u32 = 1_024;
/// Answers are short up to the first and middling up to the second, in tokens.
const ANSWERS: [u32; 2] = [128, 384];
/// The peak that is declared is this many percent of the highest hour's mean rate.
const PEAK_PERCENT: i128 = 115;

/// The service, from `at` on.
pub(super) fn service(at: Timestamp) -> Result<ServiceArrival, ScenarioError> {
    let requests =
        read_azure("azure-llm-conv.csv", AZURE.as_bytes()).map_err(ScenarioError::Trace)?;
    let shape = read_day_shape("day-shape.csv", DAY.as_bytes()).map_err(ScenarioError::Trace)?;
    let (buckets, of_request) = buckets(&requests)?;
    let stream = RequestStream {
        gaps: gaps(&requests, &of_request),
        shape_milli: Some(shape),
        pace_milli: TIMES * 1_000,
    };
    let peak = peak(&requests, &shape);
    let service = Service {
        throughput: throughput(&buckets)?,
        requests: Requests { rate_per_s: peak, buckets },
        // The objective that the speeds were measured within.
        slo: Some(Slo {
            ttft: SignedDuration::from_secs(2),
            tpot: SignedDuration::from_millis(100),
        }),
        split: Split::Continuous,
        replicas_min: 1,
        sizing: Sizing::default(),
    };
    let workload = Workload {
        id: WorkloadId::new("chat").map_err(ScenarioError::Id)?,
        team: Some(TeamId::new("assistant").map_err(ScenarioError::Id)?),
        labels: BTreeMap::new(),
        resources: Resources::default(),
        residency: Vec::new(),
        value: Decimal::from_int(100_000),
        data: None,
        kind: WorkloadKind::Service(service),
    };
    Ok(ServiceArrival { at, workload: Arc::new(workload), stream })
}

/// Sizes of requests: each bucket stands for the mean of what is in it.
fn buckets(requests: &[LlmRequest]) -> Result<(Vec<Bucket>, Vec<u16>), ScenarioError> {
    let class = |request: &LlmRequest| {
        let answer = ANSWERS.iter().filter(|most| request.generated_tokens > **most).count();
        (request.context_tokens > SHORT_PROMPT, answer)
    };
    let mut sums: BTreeMap<(bool, usize), (u64, u64, i128)> = BTreeMap::new();
    for request in requests {
        let sum = sums.entry(class(request)).or_default();
        sum.0 += u64::from(request.context_tokens);
        sum.1 += u64::from(request.generated_tokens);
        sum.2 += 1;
    }
    let counts: Vec<i128> = sums.values().map(|sum| sum.2).collect();
    let shares = split(Decimal::ONE.nano(), &counts)
        .map_err(|_| ScenarioError::NoOffer("request in its trace".to_owned()))?;
    let mean = |sum: u64, count: i128| {
        u32::try_from(i128::from(sum) / count.max(1)).unwrap_or(u32::MAX).max(1)
    };
    let buckets = sums.values().zip(shares).map(|((input, output, count), share)| Bucket {
        input_tokens: mean(*input, *count),
        output_tokens: mean(*output, *count),
        share: Decimal::from_nano(share),
    });
    let place = |request: &LlmRequest| {
        let class = class(request);
        let index = sums.keys().position(|other| *other == class).unwrap_or(0);
        u16::try_from(index).unwrap_or(0)
    };
    Ok((buckets.collect(), requests.iter().map(place).collect()))
}

fn gaps(requests: &[LlmRequest], buckets: &[u16]) -> Arc<[RequestGap]> {
    // From the last request round to the first: a mean gap stands for what the excerpt cut off.
    let span = requests.last().map_or(0, |last| last.offset_ms) * 1_000;
    let mean = span / u32::try_from(requests.len().max(1)).unwrap_or(1);
    let mut before = None;
    let gap = |(request, bucket): (&LlmRequest, &u16)| {
        let at = request.offset_ms * 1_000;
        let micros = before.map_or(mean, |before| at - before);
        before = Some(at);
        RequestGap { micros, bucket: *bucket }
    };
    requests.iter().zip(buckets).map(gap).collect()
}

/// Requests per second that are declared: the mean of the highest hour, and some more.
fn peak(requests: &[LlmRequest], shape: &[u32; 24]) -> Decimal {
    let count = i128::try_from(requests.len()).unwrap_or(0);
    let millis = requests.last().map_or(1, |last| i128::from(last.offset_ms).max(1));
    let highest = i128::from(shape.iter().copied().max().unwrap_or(1_000));
    // requests / s x times x thousandths of the mean x percent, rounded up to a tenth.
    let scaled = count * i128::from(TIMES) * highest * PEAK_PERCENT * 10;
    let tenths = (scaled + millis * 100 - 1) / (millis * 100);
    Decimal::from_nano(tenths * 100_000_000)
}

/// Requests per second of each bucket on each accelerator: measured output tokens per second over
/// the output tokens of a request, rounded down to thousandths. The cost of reading the prompt is
/// inside the measured speed.
fn throughput(buckets: &[Bucket]) -> Result<Vec<BucketRate>, ScenarioError> {
    let speeds = read_speeds("llm-speed.csv", LANGUAGE_SPEED.as_bytes(), "output_tokens_per_s")
        .map_err(ScenarioError::Trace)?;
    let mut rows = Vec::new();
    for speed in &speeds {
        let accelerator = speed.accelerator.to_string();
        for bucket in buckets {
            let nano = speed.speed.nano() / i128::from(bucket.output_tokens);
            rows.push(BucketRate {
                accelerator: accelerator
                    .parse()
                    .map_err(|_| ScenarioError::NoOffer(format!("accelerator {accelerator}")))?,
                count: 1,
                input_tokens: bucket.input_tokens,
                output_tokens: bucket.output_tokens,
                requests_per_s: Decimal::from_nano(nano / 1_000_000 * 1_000_000),
                phases: None,
            });
        }
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_is_what_the_trace_says() {
        let arrival = service(Timestamp::UNIX_EPOCH).unwrap();
        let service = arrival.workload.service().unwrap().clone();
        let shares: i128 = service.requests.buckets.iter().map(|bucket| bucket.share.nano()).sum();
        assert_eq!(shares, Decimal::ONE.nano());
        let buckets = service.requests.buckets.len();
        assert_eq!(buckets, 6);
        assert!(arrival.stream.gaps.iter().all(|gap| usize::from(gap.bucket) < buckets));
        assert_eq!(service.throughput.len(), 4 * buckets);
        assert!(service.throughput.iter().all(|row| row.requests_per_s.is_positive()));
        // 5.03 requests/s x 4 x 1.839 x 1.15
        let peak = service.requests.rate_per_s.nano() / 100_000_000;
        assert!((420..430).contains(&peak), "{peak}");
    }
}
