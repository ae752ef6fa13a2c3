//! Spot and deadlines: whether a job still ends in time if it is interrupted at the worst moment.
//!
//! The moment is looked for, not reasoned about: where the job would end, were it interrupted after
//! `y` of its work, is piecewise linear in `y`, so that only the ends of its pieces are tried.

use super::placement::{Run, holds, may_be_in, runs};
use super::{Audit, Violation};
use crate::Placement;
use farthing_model::{Job, Offer, Purchase, Workload};
use jiff::Timestamp;

/// How a job is interrupted, in nanoseconds.
#[derive(Clone, Copy)]
struct Interruption {
    /// Work on the spot nodes.
    work: i128,
    /// The most of it that is done again or needed to go on: what two checkpoint lengths lose, and
    /// the restart. Never more than all that there is to do.
    lost: i128,
    /// Until the job is planned anew.
    replan: i128,
}

impl Interruption {
    /// When the job ends, counted from its first work, if it is interrupted after `done` of it and
    /// goes on where all of it takes `again`. `None` on overflow.
    fn end(self, done: i128, again: i128) -> Option<i128> {
        let left = (self.work - done + self.lost).min(self.work);
        let rest = if self.work == 0 {
            again
        } else {
            let scaled = again.checked_mul(left)?;
            scaled / self.work + i128::from(scaled % self.work > 0)
        };
        done.checked_add(self.replan)?.checked_add(rest)
    }

    /// The latest of all.
    fn latest(self, again: i128) -> Option<i128> {
        // All is done again up to the second of these, and less and less from then on.
        let moments = [0, self.lost.min(self.work), self.work];
        moments
            .into_iter()
            .map(|done| self.end(done, again))
            .try_fold(0, |latest: i128, end| Some(latest.max(end?)))
    }
}

impl Audit<'_> {
    /// A new placement on spot of a job with a deadline: some offer that is not spot and has no
    /// limit must still end it in time. A baseline does not promise deadlines.
    pub(super) fn way_out(
        &mut self,
        placement: &Placement,
        (workload, job): (&Workload, &Job),
        way: &Run,
    ) {
        let (Some(deadline), Some(how)) = (job.deadline, job.interruptible) else { return };
        if self.planned.report.policy != "farthing" {
            return;
        }
        let lost = how.checkpoint.as_nanos().saturating_mul(2);
        let interruption = Interruption {
            work: way.work,
            lost: lost.saturating_add(how.restart.as_nanos()),
            replan: self.input.policy.replan.as_nanos(),
        };
        let start = placement.window.from();
        let outs = self.input.offers.iter().filter(|offer| self.is_out(workload, offer));
        let mut ends = outs.flat_map(|out| {
            let again = runs(job, out, &self.input.policy);
            let boots = self.boot_nanos(Purchase::Spot) + self.boot_nanos(out.purchase);
            again.into_iter().filter_map(move |again| {
                let latest = interruption.latest(again.work)?.checked_add(boots)?;
                Timestamp::from_nanosecond(start.as_nanosecond().checked_add(latest)?).ok()
            })
        });
        if !ends.any(|end| end <= deadline) {
            let (workload, offer) = (workload.id.clone(), placement.offer.clone());
            self.found.push(Violation::NoWayOut { workload, offer, deadline });
        }
    }

    /// Whether an interrupted member can always be had there.
    fn is_out(&self, workload: &Workload, offer: &Offer) -> bool {
        let rate = offer.price.rate().map(|rate| rate.per_hour().currency());
        offer.purchase != Purchase::Spot
            && offer.available.is_none()
            && rate == Some(self.input.currency)
            && may_be_in(workload, offer)
            && holds(offer, workload)
    }

    /// How long a node takes to boot at worst.
    fn boot_nanos(&self, purchase: Purchase) -> i128 {
        let policy = &self.input.policy;
        if purchase == Purchase::Owned { 0 } else { policy.boot.max(policy.boot_max).as_nanos() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// No moment is worse than those that are tried.
        #[test]
        fn the_worst_moment_is_among_those_tried(
            work in 0_i128..500, lost in 0_i128..700, again in 0_i128..900, replan in 0_i128..50,
        ) {
            let interruption = Interruption { work, lost, replan };
            let latest = interruption.latest(again).unwrap();
            for done in 0..=work {
                prop_assert!(interruption.end(done, again).unwrap() <= latest, "after {done}");
            }
            // And what the planner wants is never less.
            prop_assert!(latest <= work.max(again) + lost + replan);
        }
    }
}
