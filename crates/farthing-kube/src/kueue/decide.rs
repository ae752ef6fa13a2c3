//! What to do about one Workload: a pure function of how it stands, what is set aside for it, and
//! what it costs.
//!
//! | it | held | then |
//! | --- | --- | --- |
//! | is finished, evicted, inactive, or waits for quota | yes | settle |
//! | is inactive and we held it | no | wake it when there is room |
//! | has quota, and our entry is Pending | no | ask the budgets, then answer |
//! | has quota, and our entry is Pending | of this admission | answer: a crash came between |
//! | has quota, and our entry is Pending | of one before | settle, then ask |
//! | is let in | no | set aside what it runs on; brake where there is no room |
//! | is let in | for a while yet | nothing, or give back what the books have by now |
//! | is let in | to an end that is near | set aside more; brake where there is no room |
//!
//! It refuses to know budgets, prices and servers: those are asked by whoever carries this out.

use super::cost::Hourly;
use super::object::{CheckState, Queued};
use super::purse::{Held, Used};
use super::rules::{Fail, Rules};
use farthing_model::Money;
use jiff::{SignedDuration, Timestamp};

/// Of a hundred runs of the same kind so many took no longer than what is set aside.
const UPPER_PERCENT: usize = 90;
/// What less time than this costs is not worth a record that gives it back.
const WORTH: SignedDuration = SignedDuration::from_mins(30);

/// Its limit may end so much later than what is set aside: it was let in a moment after.
const TOLERANCE: SignedDuration = SignedDuration::from_mins(1);

/// How one Workload stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen<'s> {
    pub(crate) workload: &'s Queued,
    /// The state of our check's entry; of several the least done.
    pub(crate) entry: Option<CheckState>,
    pub(crate) held: Option<&'s Held>,
    /// What it costs, where it was given something.
    pub(crate) cost: Result<Hourly, &'s str>,
    /// How long those of its kind ran, in seconds.
    pub(crate) learned: &'s [i64],
    /// Up to when the books have what was spent.
    pub(crate) posted: Timestamp,
    pub(crate) now: Timestamp,
    pub(crate) rules: &'s Rules,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Nothing,
    /// Give back what is held.
    Settle(Used),
    /// Set so much aside, then let it in; where there is no room, hold it.
    Reserve(Need),
    /// Let it in: what is held already is for this.
    Ready(String),
    /// Let it in, and nothing is set aside.
    Unpriced(String),
    /// Let it not in, for a reason that is not the budgets'.
    Hold(String),
    /// It runs: set so much aside in place of what is held; where there is no room, brake.
    Cover(Need),
    /// It was held: let it try again where there is room.
    Wake,
}

/// How much has to be set aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Need {
    pub(crate) amount: Money,
    pub(crate) gpu_hours_milli: u64,
    pub(crate) until: Timestamp,
    /// What the time rests on, in words.
    pub(crate) basis: String,
}

/// How long a Workload may run from some moment on.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Length {
    for_: SignedDuration,
    basis: String,
}

/// Says what to do next.
pub(crate) fn next(seen: &Seen<'_>) -> Next {
    let Seen { workload, held, entry, .. } = *seen;
    let over = workload.finished.is_some() || workload.evicted.is_some();
    if over || !workload.active || workload.reserved.is_none() {
        return match held {
            Some(held) => Next::Settle(used(seen, held)),
            None if workload.finished.is_none() && !workload.active && workload.held.is_some() => {
                Next::Wake
            }
            None => Next::Nothing,
        };
    }
    match entry {
        None | Some(CheckState::Retry) => Next::Nothing,
        // It is evicted in a moment: it did not run.
        Some(CheckState::Rejected) => {
            held.map_or(Next::Nothing, |held| Next::Settle(used(seen, held)))
        }
        Some(CheckState::Pending) => pending(seen),
        Some(CheckState::Ready) => ready(seen),
    }
}

/// Quota is reserved, and we are asked.
fn pending(seen: &Seen<'_>) -> Next {
    let Seen { workload, held, now, rules, .. } = *seen;
    if let (Some(held), Some(reserved)) = (held, workload.reserved)
        && held.at < reserved
    {
        return Next::Settle(used(seen, held));
    }
    let cost = match seen.cost {
        Ok(cost) => cost,
        Err(why) => {
            let fail = rules.fail.name();
            return match rules.fail {
                Fail::Closed if rules.holds() => {
                    Next::Hold(format!("UNKNOWN price: {why} ({fail})"))
                }
                _ => Next::Unpriced(format!("let in with an UNKNOWN price: {why} ({fail})")),
            };
        }
    };
    let Some(length) = length(seen, workload.past_s) else {
        // Its time is over: it will be stopped by its own limit.
        return Next::Unpriced("let in: nothing is left of its time".to_owned());
    };
    let Some(need) = need(cost, now, (now, length.for_), length.basis) else {
        return Next::Hold("it may cost more than can be counted".to_owned());
    };
    match held {
        Some(held) if held.counts && held.amount == need_since(cost, held, &need) => {
            Next::Ready(format!("{} is set aside ({})", people(held.amount), need.basis))
        }
        _ => Next::Reserve(need),
    }
}

/// It is let in: whether what is held lasts.
fn ready(seen: &Seen<'_>) -> Next {
    let Seen { workload, held, now, rules, .. } = *seen;
    let Ok(cost) = seen.cost else { return Next::Nothing };
    // Other checks are waited for: nothing runs yet.
    let Some(admitted) = workload.admitted else { return Next::Nothing };
    let ran = now.duration_since(admitted).max(SignedDuration::ZERO);
    let left = workload.limit_s.map(|limit| {
        SignedDuration::from_secs(limit.saturating_sub(workload.past_s)).saturating_sub(ran)
    });
    let longest = |wanted: SignedDuration| left.map_or(wanted, |left| wanted.min(left));
    let from = seen.posted.min(now).max(admitted);
    let cover = |ahead: SignedDuration, basis: &str| {
        need(cost, now, (from, ahead.saturating_add(now.duration_since(from))), basis.to_owned())
    };
    let Some(held) = held.filter(|held| held.counts) else {
        let Some(length) = length(seen, workload.past_s.saturating_add(ran.as_secs())) else {
            return Next::Nothing;
        };
        return cover(length.for_, &length.basis).map_or(Next::Nothing, Next::Cover);
    };
    let lasts = held.until.duration_since(now);
    let end = longest(rules.step);
    let is_more = |left: SignedDuration| left > lasts.max(SignedDuration::ZERO) + TOLERANCE;
    if lasts < rules.ahead && left.is_none_or(is_more) {
        if end <= SignedDuration::ZERO {
            return Next::Nothing;
        }
        return cover(end.max(lasts), "it runs longer than was set aside for")
            .map_or(Next::Nothing, Next::Cover);
    }
    let Some(need) = cover(lasts.max(SignedDuration::ZERO), "what the books have is given back")
    else {
        return Next::Nothing;
    };
    let Ok(less) = held.amount.checked_sub(need.amount) else { return Next::Nothing };
    let is_worth = for_time(cost.money, WORTH).is_some_and(|worth| less.pico() > worth.pico());
    if is_worth { Next::Cover(need) } else { Next::Nothing }
}

/// How long it may run yet after so many seconds: as long as its kind did, at most to its limit; a
/// step where neither is known, or where it ran longer than its kind. `None`: its limit is reached.
fn length(seen: &Seen<'_>, past_s: i64) -> Option<Length> {
    let limit = seen.workload.limit_s.map(|limit| limit.saturating_sub(past_s));
    if limit.is_some_and(|left| left <= 0) {
        return None;
    }
    let limit = limit.map(SignedDuration::from_secs);
    let count = seen.learned.len();
    let usual = upper(seen.learned).map(|all| all.saturating_sub(past_s));
    let (wanted, basis) = match (usual, limit) {
        (Some(left), _) if left > 0 => {
            (SignedDuration::from_secs(left), format!("what {count} earlier runs took"))
        }
        (None, Some(limit)) => (limit, "its limit of time".to_owned()),
        _ => (seen.rules.step, "nothing says how long it runs".to_owned()),
    };
    Some(match limit {
        Some(limit) if limit < wanted => Length { for_: limit, basis: "its limit of time".into() },
        _ => Length { for_: wanted, basis },
    })
}

/// The upper end of how long runs take, by the nearest rank.
fn upper(seconds: &[i64]) -> Option<i64> {
    let mut sorted = seconds.to_vec();
    sorted.sort_unstable();
    let rank = (sorted.len() * UPPER_PERCENT).div_ceil(100);
    sorted.get(rank.checked_sub(1)?).copied()
}

/// What so long costs, rounded up; up to when that is, counted from `now` as far as it is later.
fn need(
    cost: Hourly,
    now: Timestamp,
    (from, length): (Timestamp, SignedDuration),
    basis: String,
) -> Option<Need> {
    let amount = for_time(cost.money, length)?;
    let gpu = i128::from(cost.gpu_milli).checked_mul(length.as_nanos())?;
    let hour = SignedDuration::from_hours(1).as_nanos();
    Some(Need {
        amount,
        gpu_hours_milli: u64::try_from((gpu + hour - 1) / hour).ok()?,
        until: from.checked_add(length).unwrap_or(Timestamp::MAX).max(now),
        basis,
    })
}

/// What `need` was when `held` was set aside: the same, unless what it was given changed.
fn need_since(cost: Hourly, held: &Held, need: &Need) -> Money {
    let length = held.until.duration_since(held.at);
    for_time(cost.money, length).unwrap_or(need.amount)
}

/// What so long costs, to the last unit, rounded up.
pub(crate) fn for_time(per_hour: Money, length: SignedDuration) -> Option<Money> {
    let hour = SignedDuration::from_hours(1).as_nanos();
    let all = per_hour.pico().checked_mul(length.as_nanos().max(0))?;
    Some(Money::from_pico(all / hour + i128::from(all % hour != 0), per_hour.currency()))
}

/// Money for people.
pub(crate) fn people(money: Money) -> String {
    format!("{} {}", money.rounded(2), money.currency())
}

/// What it used of what is held.
pub(crate) fn used(seen: &Seen<'_>, held: &Held) -> Used {
    let Seen { workload, now, .. } = *seen;
    let past = workload.past_s.saturating_sub(held.past_s).max(0);
    let ended = workload.finished.as_ref().map(|finish| finish.at).or(workload.evicted);
    let to = ended.unwrap_or(now).min(now);
    // Kueue adds up admissions that an eviction ended; the one that the end of the job ended not.
    let last = match (workload.admitted, &workload.finished) {
        (Some(admitted), Some(_)) => to.duration_since(admitted).as_secs().max(0),
        _ => 0,
    };
    let per_hour = seen.cost.ok().map(|cost| cost.money);
    Used { to, seconds: past.saturating_add(last), per_hour }
}
