//! Deadlines: what must be left between the planned end of a run and its deadline.
//!
//! Start at [`settle`]. Nothing here chooses: it only says which ways of a class are in time, and
//! how late each may start.
//!
//! # Spot and a deadline
//!
//! A job with a deadline is put on spot only if it keeps its deadline however often and whenever
//! it is interrupted. Let it start at `s`, with work of length `a` there (and `l` of expected
//! loss, which is part of its planned run), of length `b` on a *way out*: an offer that is not
//! spot and has no limit, so that it can always be had. An interruption costs `c` at most: what
//! was done since the last checkpoint (a job saves every two checkpoint lengths, so that it loses
//! one on average, as the expected loss counts, and two at worst) and the restart; or all that
//! was done, if that is less. A node takes `k` to boot at worst, and after an interruption the
//! next plan is made within `i`. Then spot is allowed if
//!
//! ```text
//! s + k + max(a + l, b) + c + i + k  <=  deadline
//! ```
//!
//! *Proof.* Interrupted after `y` of work, `0 <= y <= a`, it has `min(a, a - y + c)` left in units
//! of spot time, and `b/a` times that on the way out, where it starts `i` later and boots for `k`
//! at worst. So it would end there by `s + k + f(y) + i + k` with `f(y) = y + b/a min(a, a-y+c)`.
//! `f` is linear up to `y = min(a, c)` and beyond; it rises to `b + min(a, c)` first, and ends at
//! `a + b/a min(a, c)`. The first is at most `b + c`; the second is at most `a + c` where `b <= a`,
//! and no more than the first otherwise, as `min(a, c) (b/a - 1) <= a (b/a - 1) = b - a`. An
//! interruption before the work begins is `y = 0`, earlier. Thus at the plan that follows any
//! interruption the way out still ends in time, and it has no limit: the job is placed there, or
//! on spot again if the same inequality holds from then on. By induction the last run ends in time,
//! be it uninterrupted, which takes `k + a`, or on the way out. ∎
//!
//! What the proof rests on is the planner's to know and not to prove: that throughput is as
//! measured, that `k` and `i` ([`Policy::boot_max`], [`Policy::replan`]) are true, that the plan is
//! acted on, that the way out does not fail itself. And it is about time, not money: nothing is set
//! aside for the way out, so that a hard budget which has no room for it holds the job back.
//!
//! # Late nodes
//!
//! A run on nodes that are bought is planned so that it is also in time when they boot as late as
//! they do at worst, if any way of its class allows that; else a class that can only just make it
//! would be given up. That is care, and no law.

use crate::Input;
use crate::candidate::{Class, Way};
use farthing_model::{Interruptible, Policy, Purchase};
use jiff::{SignedDuration, Timestamp};

/// Work left and run times are rounded up, each by less than a millisecond.
const ROUNDING: SignedDuration = SignedDuration::from_millis(10);

/// Says of each way of a class what must be left after it, and whether it is in time at all.
pub(crate) fn settle(class: &mut Class<'_>, input: &Input) {
    let Some(deadline) = class.job.deadline else {
        for way in &mut class.ways {
            way.spare = Some(SignedDuration::ZERO);
            way.in_time = class.earliest.checked_add(way.run).is_ok();
        }
        return;
    };
    let spot = |way: &Way| purchase(input, way) == Some(Purchase::Spot);
    let limited = |way: &Way| way.offer.is_none_or(|offer| input.offers[offer].available.is_some());
    let outs: Vec<Way> =
        class.ways.iter().copied().filter(|way| !spot(way) && !limited(way)).collect();
    let loss = class.job.interruptible.and_then(worst_loss);
    for careful in [true, false] {
        for way in &mut class.ways {
            way.spare = if spot(way) {
                loss.and_then(|loss| spare_on_spot(way, &outs, loss, input))
            } else if careful {
                Some(lateness(input, way))
            } else {
                Some(SignedDuration::ZERO)
            };
            way.in_time = ends_by(way, class.earliest, deadline);
        }
        if class.ways.iter().any(|way| way.in_time) {
            break;
        }
    }
}

/// Whether a way that starts at a moment ends by a deadline, with what must be left after it.
pub(crate) fn ends_by(way: &Way, start: Timestamp, deadline: Timestamp) -> bool {
    let end = way.spare.and_then(|spare| way.run.checked_add(spare));
    end.and_then(|end| start.checked_add(end).ok()).is_some_and(|end| end <= deadline)
}

fn purchase(input: &Input, way: &Way) -> Option<Purchase> {
    way.offer.map(|offer| input.offers[offer].purchase)
}

/// How much later than planned the nodes of a way can be there.
fn lateness(input: &Input, way: &Way) -> SignedDuration {
    match purchase(input, way) {
        None | Some(Purchase::Owned) => SignedDuration::ZERO,
        Some(_) => boot_at_worst(&input.policy).saturating_sub(input.policy.boot),
    }
}

fn boot_at_worst(policy: &Policy) -> SignedDuration {
    policy.boot_max.max(policy.boot)
}

/// `c`: two checkpoint lengths of work, and a restart.
fn worst_loss(how: Interruptible) -> Option<SignedDuration> {
    how.checkpoint.checked_mul(2)?.checked_add(how.restart)
}

/// What the inequality of this module wants after the planned end of a run on spot; `None` where
/// there is no way out.
fn spare_on_spot(
    way: &Way,
    outs: &[Way],
    loss: SignedDuration,
    input: &Input,
) -> Option<SignedDuration> {
    let policy = &input.policy;
    let held = way.run.checked_sub(policy.boot)?;
    let boot = boot_at_worst(policy);
    let each = outs.iter().filter_map(|out| {
        let again = match purchase(input, out) {
            Some(Purchase::Owned) => SignedDuration::ZERO,
            _ => boot,
        };
        let work = held.max(out.busy).checked_add(boot)?.checked_add(again)?;
        work.checked_add(loss)?.checked_add(policy.replan)?.checked_add(ROUNDING)
    });
    each.min()?.checked_sub(way.run)
}
