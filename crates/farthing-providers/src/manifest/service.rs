//! The part of `kind: Workload` that is about services.

use super::curve;
use super::fault::Report;
use super::fields::{Fields, items};
use super::object::Reader;
use super::{scalar, shape};
use crate::yaml::{Node, Value};
use farthing_model::{
    Bucket, BucketRate, Day, Decimal, Phases, Queue, Ratio, Requests, Service, Sizing, Slo, Split,
    split,
};
use jiff::SignedDuration;
use std::collections::BTreeMap;

/// How far shares may be from one in all, in 10^-9: tables of measured shares are rounded.
const SHARES_OFF_NANO: i128 = 1_000_000;

/// Reads a service; `None` only where faults were reported.
pub(crate) fn service(
    fields: Fields<'_>,
    reader: &Reader<'_>,
    report: &mut Report,
) -> Option<Service> {
    let before = report.faults.len();
    for (name, what) in [
        ("requests", "what comes in, such as {rate: 16/s, buckets: buckets.csv}"),
        ("throughput", "the requests per second that each accelerator serves of each bucket"),
    ] {
        if fields.get(name).is_none() {
            report.fault(fields.spot, format!("`spec.{name}` is missing: {what}"));
        }
    }
    let day = fields.get("requests").and_then(|node| day(node, fields, reader, report));
    let requests =
        fields.get("requests").and_then(|node| requests(node, day.as_ref(), reader, report));
    let throughput = fields
        .get("throughput")
        .map(|node| from_list_or_file(node, "throughput", reader, report, throughput));
    let (slo, queue) = fields.get("slo").and_then(|node| slo(node, report)).unzip();
    let target = fields.read("utilisation", some_share, report);
    let output_weight = fields.read("outputWeight", scalar::positive, report);
    let sizing = Sizing { target, queue: queue.flatten(), day, output_weight };
    let split = fields.get("split").map_or(Split::default(), |node| slices(node, report));
    let replicas_min = fields.read("replicas", scalar::whole, report).unwrap_or(1);
    if report.faults.len() != before {
        return None;
    }
    let (requests, throughput) = (requests?, throughput?);
    Some(Service { requests, throughput, slo, split, replicas_min, sizing })
}

/// A share above zero and at most the whole.
fn some_share(text: &str) -> scalar::Parsed<Ratio> {
    let share = scalar::share(text)?;
    if share == Ratio::ZERO { Err(format!("`{text}` must be above zero")) } else { Ok(share) }
}

/// How long a bought replica is paid before it serves, where nobody says.
const COLD_START: SignedDuration = SignedDuration::from_mins(3);

/// The cycle of the rate, where there is one.
fn day(requests: &Node, spec: Fields<'_>, reader: &Reader<'_>, report: &mut Report) -> Option<Day> {
    let start = spec.get("start").and_then(|node| {
        let fields = Fields::open(node, "spec.start", &shape::START, report)?;
        let cold = fields.read("cold", scalar::duration, report);
        Some((cold, fields.read("penalty", scalar::money, report)))
    });
    let Value::Map(entries) = &requests.value else { return None };
    let curve = entries.iter().find(|(key, node)| key.name == "curve" && !node.is_null());
    let (_, curve) = curve?;
    let (points, length) = from_list_or_file(curve, "curve", reader, report, curve::points)?;
    let (cold, penalty) = start.unwrap_or_default();
    Some(Day { points, length, cold_start: cold.unwrap_or(COLD_START), penalty })
}

pub(super) fn from_list_or_file<T: Default>(
    node: &Node,
    name: &str,
    reader: &Reader<'_>,
    report: &mut Report,
    read: impl FnOnce(&Node, &mut Report) -> T,
) -> T {
    if node.text().is_none() {
        return read(node, report);
    }
    let Some(table) = reader.folder.rows(node, name, report) else { return T::default() };
    report.within(&table.path.display().to_string(), |report| read(&table.node, report))
}

fn requests(
    node: &Node,
    day: Option<&Day>,
    reader: &Reader<'_>,
    report: &mut Report,
) -> Option<Requests> {
    let fields = Fields::open(node, "spec.requests", &shape::REQUESTS, report)?;
    let peak = day.and_then(|day| day.points.iter().map(|point| point.rate_per_s).max());
    let given = fields.get("rate").is_some() || fields.get("curve").is_some();
    if !given {
        report.fault(node.spot, "`spec.requests` has neither `rate` nor `curve`");
    }
    let rate_per_s = match fields.get("rate") {
        Some(_) => fields.read("rate", scalar::request_rate, report),
        None => peak,
    };
    let buckets = from_list_or_file(fields.get("buckets")?, "buckets", reader, report, buckets);
    Some(Requests { rate_per_s: rate_per_s?, buckets })
}

fn buckets(node: &Node, report: &mut Report) -> Vec<Bucket> {
    let before = report.faults.len();
    let items = items(node, "buckets", report);
    let mut buckets: Vec<Bucket> = items.iter().filter_map(|item| bucket(item, report)).collect();
    if report.faults.len() != before {
        return buckets;
    }
    let shares: Vec<i128> = buckets.iter().map(|bucket| bucket.share.nano()).collect();
    let whole = shares.iter().fold(0_i128, |sum, share| sum.saturating_add(*share));
    let one = Decimal::ONE.nano();
    if (whole - one).abs() > SHARES_OFF_NANO {
        let sum = Decimal::from_nano(whole);
        report.fault(node.spot, format!("the shares of `buckets` sum to {sum}, not to 1"));
    } else if let Ok(exact) = split(one, &shares) {
        for (bucket, share) in buckets.iter_mut().zip(exact) {
            bucket.share = Decimal::from_nano(share);
        }
    }
    // Without a fault every item is a bucket.
    for (index, (bucket, item)) in buckets.iter().zip(items).enumerate() {
        let same = |other: &Bucket| {
            (other.input_tokens, other.output_tokens) == (bucket.input_tokens, bucket.output_tokens)
        };
        if buckets[..index].iter().any(same) {
            let (input, output) = (bucket.input_tokens, bucket.output_tokens);
            report.fault(item.spot, format!("the bucket {input} in, {output} out is given twice"));
        }
    }
    buckets
}

fn bucket(node: &Node, report: &mut Report) -> Option<Bucket> {
    let fields = Fields::open(node, "buckets", &shape::BUCKET, report)?;
    let input_tokens = fields.read("input_tokens", scalar::whole, report);
    let output_tokens = fields.read("output_tokens", scalar::whole, report);
    let share = fields.read("share", scalar::measured, report);
    Some(Bucket { input_tokens: input_tokens?, output_tokens: output_tokens?, share: share? })
}

/// The rows of a throughput table; of rows that say the same, one.
fn throughput(node: &Node, report: &mut Report) -> Vec<BucketRate> {
    let mut rows: Vec<BucketRate> = Vec::new();
    let mut said = false;
    let mut seen: BTreeMap<(String, u32, u32, u32), Decimal> = BTreeMap::new();
    for item in items(node, "throughput", report) {
        let entries = if let Value::Map(entries) = &item.value { entries.as_slice() } else { &[] };
        said |= entries.iter().any(|(key, _)| key.name == "requests_per_s");
        let Some(row) = bucket_rate(item, report) else { continue };
        let (input, output) = (row.input_tokens, row.output_tokens);
        let key = (row.accelerator.to_string(), row.count, input, output);
        match seen.insert(key, row.requests_per_s) {
            None => rows.push(row),
            Some(before) if before == row.requests_per_s => {}
            Some(before) => {
                let (name, rate) = (&row.accelerator, row.requests_per_s);
                let what = format!(
                    "{} of {name} serve requests of {input} in, {output} out at {before} and at \
                     {rate} per second: keep one row",
                    row.count
                );
                report.fault(item.spot, what);
            }
        }
    }
    if !said && !rows.is_empty() {
        let what = "no row of `throughput` has `requests_per_s`: the most requests that one serves \
                    within the objective, 0 where it cannot";
        report.fault(node.spot, what);
    }
    rows
}

fn bucket_rate(node: &Node, report: &mut Report) -> Option<BucketRate> {
    let fields = Fields::open(node, "throughput", &shape::BUCKET_RATE, report)?;
    let accelerator = fields.read("accelerator", scalar::accelerator, report);
    let count = fields.read("count", scalar::count, report).unwrap_or(1);
    let input_tokens = fields.read("input_tokens", scalar::whole, report);
    let output_tokens = fields.read("output_tokens", scalar::whole, report);
    let given = fields.get("requests_per_s").is_some();
    let read = fields.read("requests_per_s", scalar::measured, report);
    let requests_per_s = if given { read? } else { Decimal::ZERO };
    Some(BucketRate {
        accelerator: accelerator?,
        count,
        input_tokens: input_tokens?,
        output_tokens: output_tokens?,
        requests_per_s,
        phases: phases(node, fields, report).ok()?,
    })
}

/// What was measured of the phases of a request; an error only where faults were reported.
fn phases(node: &Node, fields: Fields<'_>, report: &mut Report) -> Result<Option<Phases>, ()> {
    let names = ["prefill_s", "decode_s"];
    let given = names.map(|name| fields.get(name).is_some());
    let [prefill_s, decode_s] = names.map(|name| fields.read(name, scalar::measured, report));
    if given == [false; 2] {
        return Ok(None);
    }
    if given != [true; 2] {
        let what = "`prefill_s` and `decode_s` are one measurement: give both or neither";
        report.fault(node.spot, what);
        return Err(());
    }
    let phases = Phases { prefill_s: prefill_s.ok_or(())?, decode_s: decode_s.ok_or(())? };
    if phases.prefill_s.nano().saturating_add(phases.decode_s.nano()) == 0 {
        report.fault(node.spot, "`prefill_s` and `decode_s` are both zero: leave them out");
        return Err(());
    }
    Ok(Some(phases))
}

fn slo(node: &Node, report: &mut Report) -> Option<(Slo, Option<Queue>)> {
    let fields = Fields::open(node, "spec.slo", &shape::SLO, report)?;
    let ttft = fields.read("ttft", scalar::some_duration, report);
    let tpot = fields.read("tpot", scalar::some_duration, report);
    let percentile = fields.read("percentile", some_share, report);
    let prefill = fields.read("prefill", scalar::duration, report);
    let concurrency = fields.read("concurrency", scalar::count, report);
    let (ttft, tpot) = (ttft?, tpot?);
    if percentile.is_none() {
        for name in ["prefill", "concurrency"] {
            if let Some(node) = fields.get(name) {
                let what =
                    format!("`{name}` is for sizing by queueing, which `percentile` asks for");
                report.fault(node.spot, what);
            }
        }
    }
    if percentile == Some(Ratio::ONE) {
        let what = "`percentile`: no number of replicas serves all requests without a wait; write \
                    less than the whole, such as 99%";
        report.fault(node.spot, what);
    }
    let prefill = prefill.unwrap_or(SignedDuration::ZERO);
    if prefill >= ttft {
        report.fault(node.spot, "`prefill` leaves nothing of `ttft` to wait: it must be shorter");
    }
    let queue = percentile.map(|percentile| Queue {
        wait_max: ttft - prefill,
        percentile,
        concurrency: concurrency.unwrap_or(1),
    });
    Some((Slo { ttft, tpot }, queue))
}

fn slices(node: &Node, report: &mut Report) -> Split {
    match &node.value {
        Value::Scalar(text) if text == "continuous" => Split::Continuous,
        Value::Map(_) => Fields::open(node, "spec.split", &shape::SLICES, report)
            .and_then(|fields| fields.read("slices", scalar::count, report))
            .map_or(Split::Continuous, Split::Slices),
        _ => {
            report.fault(node.spot, "`split` is neither `continuous` nor {slices: 4}");
            Split::Continuous
        }
    }
}
