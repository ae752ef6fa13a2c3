//! A rate over a cycle: points by hour of the cycle, or by time.

use super::fault::Report;
use super::fields::{Fields, items};
use super::{scalar, shape};
use crate::yaml::Node;
use farthing_model::{Decimal, RatePoint};
use jiff::{SignedDuration, Timestamp};

/// Points at most: a week of quarter hours and more.
const POINTS_MAX: usize = 1_500;

/// A day.
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Nanoseconds of an hour in the billionth part of one.
const HOUR: i128 = 3_600;

/// When a point is.
#[derive(Clone, Copy)]
enum When {
    /// Since the cycle began.
    Hour(SignedDuration),
    /// At a moment.
    Time(Timestamp),
}

/// The points of a cycle, the first at its beginning, and its length; `None` only where faults
/// were reported.
pub(super) fn points(node: &Node, report: &mut Report) -> Option<(Vec<RatePoint>, SignedDuration)> {
    let before = report.faults.len();
    let mut read: Vec<(When, Decimal)> = Vec::new();
    for item in items(node, "curve", report) {
        let Some(point) = point(item, report) else { continue };
        let follows = match (read.last(), point.0) {
            (None, _) => Ok(()),
            (Some((When::Hour(last), _)), When::Hour(now)) if *last < now => Ok(()),
            (Some((When::Time(last), _)), When::Time(now)) if *last < now => Ok(()),
            (Some((When::Hour(_), _)), When::Hour(_))
            | (Some((When::Time(_), _)), When::Time(_)) => {
                Err("is not after the point before it: write them in order, each once")
            }
            _ => Err("has `hour` where others have `time`: write one of them for all points"),
        };
        if let Err(what) = follows {
            report.fault(item.spot, format!("a point of `curve` {what}"));
        }
        read.push(point);
    }
    if read.len() > POINTS_MAX {
        report.fault(node.spot, format!("`curve` has more than {POINTS_MAX} points"));
    }
    if report.faults.len() != before {
        return None;
    }
    cycle(&read)
}

fn point(node: &Node, report: &mut Report) -> Option<(When, Decimal)> {
    let fields = Fields::open(node, "curve", &shape::CURVE_POINT, report)?;
    let hour = fields.read("hour", scalar::not_negative, report);
    let time = fields.read("time", scalar::time, report);
    let rate = |text: &str| scalar::measured(text).or_else(|_| scalar::request_rate(text));
    let rate = fields.read("rate", rate, report);
    let given = (fields.get("hour").is_some(), fields.get("time").is_some());
    let when = match given {
        (true, false) => hour.and_then(|hour| {
            let nanos = hour.nano().checked_mul(HOUR).and_then(|it| i64::try_from(it).ok());
            if nanos.is_none() {
                report.fault(node.spot, format!("`hour` {hour} is beyond any cycle"));
            }
            nanos.map(|nanos| When::Hour(SignedDuration::from_nanos(nanos)))
        }),
        (false, true) => time.map(When::Time),
        _ => {
            report.fault(node.spot, "a point of `curve` needs one of `hour` and `time`");
            None
        }
    };
    Some((when?, rate?))
}

/// Hours fill whole days; times last as long after the last point as before it.
fn cycle(read: &[(When, Decimal)]) -> Option<(Vec<RatePoint>, SignedDuration)> {
    let first = read.first()?.0;
    let from = |when: When| match (when, first) {
        (When::Time(at), When::Time(first)) => at.duration_since(first),
        (When::Hour(hour), _) => hour,
        (When::Time(_), When::Hour(_)) => SignedDuration::ZERO,
    };
    let mut points: Vec<RatePoint> = read
        .iter()
        .map(|(when, rate_per_s)| RatePoint { from: from(*when), rate_per_s: *rate_per_s })
        .collect();
    let last = *points.last()?;
    let length = match first {
        When::Hour(_) => {
            let mut days = DAY;
            while days <= last.from {
                days += DAY;
            }
            days
        }
        When::Time(_) => match points.len() {
            1 => DAY,
            count => last.from + (last.from - points[count - 2].from),
        },
    };
    // Before the first hour the last one of the cycle before goes on.
    if points[0].from > SignedDuration::ZERO {
        points.insert(0, RatePoint { from: SignedDuration::ZERO, ..last });
    }
    Some((points, length))
}
