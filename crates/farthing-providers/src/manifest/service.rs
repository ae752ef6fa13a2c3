//! The part of `kind: Workload` that is about services.

use super::fault::Report;
use super::fields::{Fields, items};
use super::object::Reader;
use super::{scalar, shape};
use crate::yaml::{Node, Value};
use farthing_model::{Bucket, BucketRate, Decimal, Requests, Service, Slo, Split, split};

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
    let requests = fields.get("requests").and_then(|node| requests(node, reader, report));
    let throughput = fields.get("throughput").map(|node| {
        let read = |node: &Node, report: &mut Report| {
            let items = items(node, "throughput", report).iter();
            items.filter_map(|item| bucket_rate(item, report)).collect::<Vec<_>>()
        };
        from_list_or_file(node, "throughput", reader, report, read)
    });
    let slo = fields.get("slo").and_then(|node| slo(node, report));
    let split = fields.get("split").map_or(Split::default(), |node| slices(node, report));
    let replicas_min = fields.read("replicas", scalar::whole, report).unwrap_or(1);
    if report.faults.len() != before {
        return None;
    }
    Some(Service { requests: requests?, throughput: throughput?, slo, split, replicas_min })
}

fn from_list_or_file<T: Default>(
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

fn requests(node: &Node, reader: &Reader<'_>, report: &mut Report) -> Option<Requests> {
    let fields = Fields::open(node, "spec.requests", &shape::REQUESTS, report)?;
    let rate_per_s = fields.read("rate", scalar::request_rate, report);
    let buckets = from_list_or_file(fields.get("buckets")?, "buckets", reader, report, buckets);
    Some(Requests { rate_per_s: rate_per_s?, buckets })
}

fn buckets(node: &Node, report: &mut Report) -> Vec<Bucket> {
    let before = report.faults.len();
    let items = items(node, "buckets", report).iter();
    let mut buckets: Vec<Bucket> = items.filter_map(|item| bucket(item, report)).collect();
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
    for (index, bucket) in buckets.iter().enumerate() {
        let same = |other: &Bucket| {
            (other.input_tokens, other.output_tokens) == (bucket.input_tokens, bucket.output_tokens)
        };
        if buckets[..index].iter().any(same) {
            let (input, output) = (bucket.input_tokens, bucket.output_tokens);
            report.fault(node.spot, format!("the bucket {input} in, {output} out is given twice"));
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
    })
}

fn slo(node: &Node, report: &mut Report) -> Option<Slo> {
    let fields = Fields::open(node, "spec.slo", &shape::SLO, report)?;
    let ttft = fields.read("ttft", scalar::some_duration, report);
    let tpot = fields.read("tpot", scalar::some_duration, report);
    Some(Slo { ttft: ttft?, tpot: tpot? })
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
