//! Small synthetic days for the tests of the laws: a few jobs, a few offers, one service.

use super::{
    IdleNode, JobArrival, RequestGap, RequestStream, START_S, Scenario, ScenarioError,
    ServiceArrival,
};
use crate::faults::FaultRates;
use crate::random::Random;
use farthing_model::{
    Bucket, BucketRate, Budget, BudgetId, ClusterId, Currency, Decimal, HourlyRate, Interruptible,
    Job, Limit, Limits, Mode, Money, NodeId, Offer, Period, Place, Policy, Price, PriceKind,
    Provenance, Purchase, Requests, Resources, Scope, Service, Sizing, Slo, Split, SpotLoss,
    Target, TeamId, Throughput, Work, Workload, WorkloadId, WorkloadKind,
};
use jiff::civil::date;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The accelerators of the synthetic days, their counts per machine, and dollars an hour for one.
const MACHINES: [(&str, &[u32], i64); 3] =
    [("H100-80GB-SXM", &[1, 8], 4), ("A100-80GB-SXM", &[1, 4], 2), ("L4-24GB", &[1], 1)];
/// Work per second of one accelerator of each kind, in percent of the first.
const SPEEDS: [i64; 3] = [100, 47, 10];
const TEAMS: [&str; 3] = ["red", "green", "blue"];

impl Scenario {
    /// A small day in which everything goes wrong now and then.
    ///
    /// # Errors
    /// Never for any seed; the parts are checked when they are put together.
    pub fn random_day(seed: u64) -> Result<Self, ScenarioError> {
        let mut day = Self::day("random-day", seed)?;
        day.policy.spot = Some(SpotLoss {
            mean_up: SignedDuration::from_hours(6),
            source: "scenario random-day".to_owned(),
        });
        day.noise_ppm = 30_000;
        day.faults = FaultRates::rough();
        Ok(day)
    }

    /// A small day in which everything is as measured and nothing goes wrong.
    ///
    /// # Errors
    /// As [`Scenario::random_day`].
    pub fn noise_free(seed: u64) -> Result<Self, ScenarioError> {
        Self::day("noise-free", seed)
    }

    fn day(name: &str, seed: u64) -> Result<Self, ScenarioError> {
        let random = Random::new(seed).fork(name);
        let start = Timestamp::from_second(START_S).map_err(|_| ScenarioError::Time)?;
        let offers = offers(random.fork("offers"))?;
        let mut draw = random.fork("jobs");
        let count = draw.between(6, 16);
        let jobs = (0..count).map(|number| job(number, start, &mut draw));
        let jobs = jobs.collect::<Result<Vec<_>, _>>()?;
        let idle_offer = random.fork("idle").pick(&offers).map(|offer| offer.id.clone());
        let idle = idle_offer.map(|offer| {
            NodeId::new("forgotten").map(|id| IdleNode { id, offer }).map_err(ScenarioError::Id)
        });
        Ok(Self {
            name: name.to_owned(),
            seed,
            cluster: ClusterId::new(name).map_err(ScenarioError::Id)?,
            history: None,
            exporter: None,
            start,
            end: start + SignedDuration::from_hours(24),
            offers,
            policy: Policy {
                mode: Mode::Enforce,
                limits: Limits {
                    steps_per_hour: 500,
                    nodes_per_tick: 100,
                    ..Policy::default().limits
                },
                ..Policy::default()
            },
            budgets: budgets(random.fork("budgets"))?,
            jobs,
            services: vec![service(start, random.fork("service"))?],
            idle: idle.into_iter().collect::<Result<_, _>>()?,
            noise_ppm: 0,
            faults: FaultRates::default(),
        })
    }
}

fn offers(mut draw: Random) -> Result<Arc<[Offer]>, ScenarioError> {
    let mut all = Vec::new();
    for (name, counts, dollars) in MACHINES {
        for count in counts {
            for purchase in [Purchase::OnDemand, Purchase::Spot] {
                let eu = draw.chance(500_000);
                let region = if eu { "eu-1" } else { "us-1" };
                let per_cent = if purchase == Purchase::Spot { 40 } else { 100 };
                let cents = dollars * i64::from(*count) * per_cent + draw.between(-20, 20);
                let available = (draw.chance(700_000)).then(|| draw.between(2, 8));
                let place =
                    Place { provider: "sim".to_owned(), region: region.to_owned(), zone: None };
                let instance_type = format!("{}-x{count}", name.to_lowercase());
                let id = Offer::id_of(&place, &instance_type, purchase);
                all.push(Offer {
                    id: id.map_err(ScenarioError::Id)?,
                    place,
                    instance_type,
                    accelerator: name.parse().ok(),
                    accelerator_count: *count,
                    capacity: Resources {
                        gpu_milli: u64::from(*count) * 1_000,
                        cpu_milli: u64::from(*count) * 12_000,
                        memory_bytes: u64::from(*count) << 36,
                        storage_bytes: 0,
                    },
                    purchase,
                    price: price(cents)?,
                    available: available.and_then(|count| u32::try_from(count).ok()),
                    residency: vec![if eu { "eu" } else { "us" }.to_owned()],
                    warnings: Vec::new(),
                });
            }
        }
    }
    all.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(Arc::from(all))
}

fn price(cents: i64) -> Result<Price, ScenarioError> {
    let money = Money::from_pico(i128::from(cents) * 10_000_000_000, Currency::USD);
    let rate = HourlyRate::new(money);
    let rate = rate.ok_or_else(|| ScenarioError::NoOffer("price above zero".to_owned()))?;
    let provenance = Provenance {
        kind: PriceKind::List,
        source: "synthetic".to_owned(),
        as_of: date(2026, 11, 1),
        list: None,
    };
    Ok(Price::Known(rate, provenance))
}

fn job(number: i64, start: Timestamp, draw: &mut Random) -> Result<JobArrival, ScenarioError> {
    let at = start + SignedDuration::from_mins(draw.between(0, 20 * 60));
    let gpus = if draw.chance(250_000) { 4 } else { 1 };
    let minutes = draw.between(5, 240);
    let team = TEAMS[usize::try_from(draw.below(3)).unwrap_or(0)];
    let late = at + SignedDuration::from_mins(30 + minutes * draw.between(2, 12));
    let mut throughput = Vec::new();
    for ((name, ..), speed) in MACHINES.iter().zip(SPEEDS) {
        let small = gpus == 1 || *name != "L4-24GB";
        if small && (throughput.is_empty() || draw.chance(700_000)) {
            throughput.push(Throughput {
                target: Target::Accelerator(
                    name.parse().map_err(|_| ScenarioError::NoOffer((*name).to_owned()))?,
                ),
                count: gpus,
                amount: Decimal::from_nano(i128::from(speed) * i128::from(gpus) * 10_000_000),
                per: SignedDuration::from_secs(1),
            });
        }
    }
    let job = Job {
        count: u32::try_from(draw.between(1, 3)).unwrap_or(1),
        submitted: Some(at),
        work: Some(Work {
            amount: Decimal::from_int(minutes * 60 * i64::from(gpus)),
            unit: "steps".to_owned(),
        }),
        throughput,
        duration: None,
        deadline: draw.chance(300_000).then_some(late),
        quoted_cost: None,
        interruptible: draw.chance(600_000).then_some(Interruptible {
            checkpoint: SignedDuration::from_secs(30),
            restart: SignedDuration::from_secs(60),
        }),
    };
    let eu = draw.chance(150_000);
    let workload = Workload {
        id: WorkloadId::new(&format!("job-{number:02}")).map_err(ScenarioError::Id)?,
        team: Some(TeamId::new(team).map_err(ScenarioError::Id)?),
        labels: BTreeMap::new(),
        resources: Resources::default(),
        residency: if eu { vec!["eu".to_owned()] } else { Vec::new() },
        value: Decimal::from_int(minutes * i64::from(gpus) * draw.between(1, 3)),
        data: None,
        kind: WorkloadKind::Job(job),
    };
    Ok(JobArrival { at, workload: Arc::new(workload), forgotten: false })
}

fn service(start: Timestamp, mut draw: Random) -> Result<ServiceArrival, ScenarioError> {
    let bucket = |input_tokens, output_tokens, percent: i128| Bucket {
        input_tokens,
        output_tokens,
        share: Decimal::from_nano(percent * 10_000_000),
    };
    let buckets = vec![bucket(500, 100, 70), bucket(2_000, 400, 30)];
    let mut throughput = Vec::new();
    for ((name, ..), speed) in MACHINES.iter().zip(SPEEDS) {
        for (bucket, base) in buckets.iter().zip([10_000_000, 3_000_000]) {
            throughput.push(BucketRate {
                accelerator: name
                    .parse()
                    .map_err(|_| ScenarioError::NoOffer((*name).to_owned()))?,
                count: 1,
                input_tokens: bucket.input_tokens,
                output_tokens: bucket.output_tokens,
                requests_per_s: Decimal::from_nano(i128::from(speed) * base),
                phases: None,
            });
        }
    }
    let gaps = (0..500).map(|_| RequestGap {
        micros: u32::try_from(draw.between(100_000, 3_900_000)).unwrap_or(2_000_000),
        bucket: u16::from(draw.chance(300_000)),
    });
    let gaps = gaps.collect();
    let shape = [0_i64; 24].map(|_| u32::try_from(draw.between(400, 1_600)).unwrap_or(1_000));
    let service = Service {
        requests: Requests { rate_per_s: Decimal::from_int(1), buckets },
        throughput,
        slo: Some(Slo {
            ttft: SignedDuration::from_secs(2),
            tpot: SignedDuration::from_millis(100),
        }),
        split: Split::Continuous,
        replicas_min: 1,
        sizing: Sizing::default(),
    };
    let workload = Workload {
        id: WorkloadId::new("service").map_err(ScenarioError::Id)?,
        team: Some(TeamId::new(TEAMS[0]).map_err(ScenarioError::Id)?),
        labels: BTreeMap::new(),
        resources: Resources::default(),
        residency: Vec::new(),
        value: Decimal::from_int(10_000),
        data: None,
        kind: WorkloadKind::Service(service),
    };
    let stream = RequestStream { gaps, shape_milli: Some(shape), pace_milli: 1_000 };
    Ok(ServiceArrival { at: start, workload: Arc::new(workload), stream })
}

/// A hard budget that may bind for one team, and one for all that does not.
fn budgets(mut draw: Random) -> Result<Vec<Budget>, ScenarioError> {
    let usd = |whole: i64| Money::from_pico(i128::from(whole) * 1_000_000_000_000, Currency::USD);
    let team = TeamId::new(TEAMS[1]).map_err(ScenarioError::Id)?;
    let budget = |name: &str, scope, dollars, hard| {
        Ok(Budget {
            id: BudgetId::new(name).map_err(ScenarioError::Id)?,
            scope,
            limit: Limit::Money(usd(dollars)),
            period: Period::Day,
            hard,
            escalate: Vec::new(),
            carry: None,
        })
    };
    let tight = draw.between(10, 120);
    Ok(vec![
        budget("all", Scope::All, 5_000, false)?,
        budget("green", Scope::Team(team), tight, true)?,
    ])
}
