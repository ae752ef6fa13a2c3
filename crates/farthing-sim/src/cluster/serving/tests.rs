//! Whole runs of small services.

use super::{Kinds, Service, ServingRule, ServingRun, ServingSpec, Survey, serve};
use crate::Random;
use crate::cluster::PoolSpec;
use crate::trace::requests::{Request, RequestStream};
use farthing_model::{BucketRate, ClusterId, Currency, Decimal, HourlyRate, Money, Phases, Ratio};
use jiff::SignedDuration;

const SECOND: i64 = 1_000_000;
const DAY_S: i64 = 86_400;

fn rate(usd: i64) -> HourlyRate {
    HourlyRate::new(Money::from_pico(i128::from(usd) * 1_000_000_000_000, Currency::USD)).unwrap()
}

fn row(accelerator: &str, (rps, prefill_s, decode_s): (&str, &str, &str)) -> BucketRate {
    let number = |text: &str| text.parse::<Decimal>().unwrap();
    BucketRate {
        accelerator: accelerator.parse().unwrap(),
        count: 1,
        input_tokens: 1_000,
        output_tokens: 100,
        requests_per_s: number(rps),
        phases: Some(Phases { prefill_s: number(prefill_s), decode_s: number(decode_s) }),
    }
}

fn pool(name: &str, nodes: u32, price: HourlyRate) -> PoolSpec {
    PoolSpec { name: name.to_owned(), nodes: Some(nodes), accelerators: 1, price }
}

fn spec(pools: Vec<PoolSpec>, throughput: Vec<BucketRate>, boot_s: i64) -> ServingSpec {
    ServingSpec {
        pools,
        throughput,
        ttft: SignedDuration::from_secs(2),
        within: Ratio::from_ppm(990_000),
        boot: SignedDuration::from_secs(boot_s),
        target: Ratio::from_ppm(700_000),
    }
}

/// One request after another, at moments in microseconds.
fn at(moments: &[i64]) -> RequestStream {
    let request = |at_us| Ok(Request { at_us, input_tokens: 900, output_tokens: 120 });
    Box::new(moments.to_vec().into_iter().map(request))
}

fn run(spec: &ServingSpec, rule: ServingRule, moments: &[i64]) -> ServingRun {
    let kinds = Kinds::of(spec).unwrap();
    let survey = Survey::of(&kinds, at(moments), usize::MAX).unwrap();
    let service = Service {
        spec,
        kinds: &kinds,
        survey: &survey,
        rule,
        cluster: &ClusterId::new("test").unwrap(),
        books: None,
        limit: usize::MAX,
    };
    serve(&service, at(moments), &|_| ()).unwrap()
}

/// Two requests at once for ten seconds each, of which the first is for the prompt: the third of
/// three waits for ten.
#[test]
fn who_finds_no_place_waits_for_one() {
    let row = row("H100-80GB", ("0.2", "1", "9"));
    let spec = spec(vec![pool("H100-80GB", 1, rate(36))], vec![row], 0);
    let ran = run(&spec, ServingRule::StaticPeak, &[0, 0, 0]);
    assert_eq!((ran.requests, ran.within, ran.most), (3, 2, 1));
    assert_eq!(ran.ttft[0].as_secs(), 1);
    assert!((11..12).contains(&ran.ttft[1].as_secs()), "{:?}", ran.ttft);
    // Paid to the end of the second after the last answer; one place of two for 30 s is used.
    assert_eq!(ran.makespan_s, 21);
    assert_eq!(ran.posted.paid.to_decimal(), "0.21");
    assert_eq!(ran.posted.used.to_decimal(), "0.15");
    assert_eq!(ran.least.to_decimal(), "0.15");
}

/// A day that is quiet at night and busy at noon.
fn day() -> Vec<i64> {
    let mut draw = Random::new(5);
    let mut moments = Vec::new();
    let mut now = 0;
    while now < DAY_S * SECOND {
        let hour = now / (3_600 * SECOND);
        let per_s = 1 + 7 * (12 - (hour - 12).abs()) / 12;
        moments.push(now);
        // About as a Poisson process: the sum of two even draws.
        let mean = SECOND / per_s;
        now += draw.between(0, mean) + draw.between(0, mean);
    }
    moments
}

#[test]
fn replicas_follow_the_day_and_nobody_waits_for_it() {
    let rows = vec![row("H100-80GB", ("2", "0.5", "3.5")), row("A100-80GB", ("1", "0.6", "5.4"))];
    let pools = vec![pool("H100-80GB", 20, rate(4)), pool("A100-80GB", 20, rate(3))];
    let spec = spec(pools, rows, 180);
    let moments = day();
    let [ours, peak, hpa] = ServingRule::ALL.map(|(rule, _)| run(&spec, rule, &moments));
    for ran in [&ours, &peak, &hpa] {
        assert_eq!(ran.requests, u64::try_from(moments.len()).unwrap());
        assert!(ran.posted.paid.pico() >= ran.least.pico());
        let came: u64 = ran.moments.iter().map(|moment| moment.requests).sum();
        assert!(came + 600 >= ran.requests, "{came} of {}", ran.requests);
    }
    let in_time = |ran: &ServingRun| ran.within * 1_000 / ran.requests;
    assert!(in_time(&ours) >= 990, "{} of {}", ours.within, ours.requests);
    assert!(in_time(&peak) >= 990, "{} of {}", peak.within, peak.requests);
    assert!(ours.posted.paid.pico() * 4 < peak.posted.paid.pico() * 3);
    assert!(ours.posted.paid.pico() < hpa.posted.paid.pico());
    // The same input is the same run.
    assert_eq!(run(&spec, ServingRule::Farthing, &moments), ours);
}

#[test]
fn a_cluster_that_is_too_small_serves_late_and_all() {
    let row = row("H100-80GB", ("1", "1", "1"));
    let spec = spec(vec![pool("H100-80GB", 2, rate(4))], vec![row], 60);
    let moments: Vec<i64> = (0..3_000).map(|at| at * SECOND / 10).collect();
    for (rule, _) in ServingRule::ALL {
        let ran = run(&spec, rule, &moments);
        assert_eq!(ran.requests, 3_000);
        assert!(ran.within < 300, "{rule}: {}", ran.within);
        assert!(ran.most <= 2 && ran.makespan_s >= 1_500, "{rule}: {} s", ran.makespan_s);
    }
}

#[test]
fn what_nothing_is_measured_on_is_named() {
    let row = row("H100-80GB", ("1", "1", "1"));
    let spec = spec(vec![pool("V100-32GB", 2, rate(4))], vec![row], 60);
    let error = Kinds::of(&spec).unwrap_err().to_string();
    assert!(error.contains("`V100-32GB` is in no row of the throughputs"), "{error}");
    assert!(error.contains("they know H100-80GB"), "{error}");
}
