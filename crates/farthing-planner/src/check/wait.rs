//! Whether requests find a free server in time, by an argument of its own.
//!
//! The planner sizes by Erlang B upwards, rounded to the safe side. Here the reciprocal of it is
//! followed, rounded to the other side, so that what is found is never too many: a plan is wrong
//! only if more requests are late than may be whatever the roundings. Start at
//! [`Audit::waits`].

use super::service::load;
use super::{Audit, Violation};
use crate::{MixRow, Placement, ServiceReport};
use farthing_model::{Observed, Queue, Service, proportion};

/// One whole, of servers and of chances.
const ONE: i128 = 1_000_000_000_000;
/// Units of a decimal in one whole.
const NANO: i128 = 1_000_000_000;
/// Parts per million of one whole.
const PPM: i128 = 1_000_000;
/// Queues of more servers are not followed: the recursion takes a step for each.
const SERVERS_MAX: i128 = 1 << 20;

/// A queue in front of like servers.
#[derive(Clone, Copy, Debug)]
struct Line {
    servers: i128,
    /// Offered load in servers, over [`ONE`]; never too much.
    load: i128,
    /// Requests that come while one may wait, over [`NANO`]; never too few.
    meanwhile: i128,
}

impl Audit<'_> {
    /// Of a service that is placed anew, no more requests wait too long than may, and no more
    /// than the report says.
    pub(super) fn waits(&mut self, observed: &Observed, service: &Service, placed: &[&Placement]) {
        let Some(queue) = service.sizing.queue else { return };
        let services = &self.planned.report.services;
        let said = services.iter().find(|said| said.workload == observed.workload.id);
        let Some(said) = said.filter(|_| placed.iter().any(|placement| !placement.stays)) else {
            return;
        };
        let rate = observed.demand_per_s.unwrap_or(service.requests.rate_per_s).nano();
        let may = PPM - i128::from(queue.percentile.ppm());
        let mut wrong = Vec::new();
        for (at, row) in said.mix.iter().enumerate() {
            let line = self.line((service, queue), (said, at, row), rate);
            let Some(late) = line.and_then(Line::late) else { continue };
            let ppm = late / (ONE / PPM);
            if ppm > may {
                wrong.push("more of its requests wait too long than may");
            }
            // The stated part is rounded to a millionth.
            if row.late.is_some_and(|said| i128::from(said.ppm()) + 1 < ppm) {
                wrong.push("more of its requests wait too long than the report says");
            }
        }
        let workload = &observed.workload.id;
        let violation = |why| Violation::Unserved { workload: workload.clone(), why };
        self.found.extend(wrong.into_iter().map(violation));
    }

    /// The queue in front of a row of the mix; `None` where nothing comes, or numbers do not fit.
    fn line(
        &self,
        (service, queue): (&Service, Queue),
        (said, at, row): (&ServiceReport, usize, &MixRow),
        rate: i128,
    ) -> Option<Line> {
        let offer = *self.offers.get(&row.offer)?;
        let copies = (offer.accelerator_count / row.accelerators.max(1)).max(1);
        let at_once = i128::from(copies) * i128::from(queue.concurrency.max(1));
        let (mut replicas, mut arriving) = (0_i128, 0_i128);
        for (bucket, stated) in service.requests.buckets.iter().zip(&said.buckets) {
            for (_, parts) in stated.taken.iter().filter(|(kind, _)| *kind == at) {
                // Loads are rounded up: one unit less is not too much.
                let whole = load(service, bucket, (offer, row.accelerators), rate)? - 1;
                replicas += proportion(whole.max(0), *parts, said.parts)?;
                let coming = proportion(rate, bucket.share.nano(), NANO)? + 1;
                arriving += proportion(coming, *parts, said.parts)? + 1;
            }
        }
        Some(Line {
            servers: i128::from(row.replicas).checked_mul(at_once)?,
            load: replicas.checked_mul(at_once)?,
            meanwhile: proportion(arriving, queue.wait_max.as_nanos(), NANO)? + 1,
        })
    }
}

impl Line {
    /// The part of the requests that wait too long, over [`ONE`]; never too many. `None` where
    /// nothing comes or numbers do not fit.
    fn late(self) -> Option<i128> {
        let all = self.servers.checked_mul(ONE)?;
        if self.load <= 0 || self.servers > SERVERS_MAX {
            return None;
        }
        if self.load >= all {
            return Some(ONE);
        }
        // What is not blocked for each that is, of k servers: I(0) = 1, I(k) = 1 + k I(k-1) / a.
        let mut reciprocal = ONE;
        for server in 1..=self.servers {
            let grown = proportion(reciprocal, server.checked_mul(ONE)?, self.load);
            // Beyond all digits nobody waits.
            let Some(grown) = grown.filter(|grown| *grown < ONE * ONE) else { return Some(0) };
            reciprocal = ONE + grown + 1;
        }
        // C = 1 / (I (1 - a / c) + a / c).
        let busy = proportion(ONE, self.load, all)? + 1;
        let idle = ONE - busy + 2;
        let waits = proportion(ONE, ONE, proportion(reciprocal, idle, ONE)? + 1 + busy)?;
        // P(wait > t) = C exp(-(c - a) t / s), and a / s requests come in a unit of time.
        let exponent = proportion(all - self.load, self.meanwhile, self.load)? + 1;
        proportion(waits.min(ONE), decay(exponent.checked_mul(ONE / NANO)?), ONE)
    }
}

/// `exp(-x)` over [`ONE`], never too large: `(1 - x / 2^k)^(2^k)`, squared `k` times.
fn decay(exponent: i128) -> i128 {
    const DOUBLINGS: u32 = 18;
    /// Digits that squarings may lose.
    const GUARD: i128 = 1_000_000;
    let small = (exponent.saturating_mul(GUARD) >> DOUBLINGS).saturating_add(1);
    let mut value = (ONE * GUARD - small).max(0);
    for _ in 0..DOUBLINGS {
        value = value * (value / GUARD) / ONE;
    }
    value / GUARD
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::{CHANCE, Waiting, late};

    /// The planner's formulas round up and these down: they enclose what is true, and closely.
    #[test]
    fn the_two_ways_enclose_the_truth() {
        for servers in [1_u64, 2, 3, 7, 20, 60, 300] {
            for part in [1_i128, 30, 60, 80, 90, 97] {
                for wait in [0_i128, 1, 10, 100] {
                    let load = i128::from(servers) * ONE * part / 100;
                    // A mean time of service of 1 s: as many come in a second as the load says.
                    let above = late(Waiting { load, service: 100, wait }, servers).unwrap();
                    let above = above / (CHANCE / ONE) + 1;
                    let meanwhile = load / (ONE / NANO) * wait / 100 + 1;
                    let line = Line { servers: servers.into(), load, meanwhile };
                    let below = line.late().unwrap();
                    let off = above / 1_000 + ONE / 10_000_000;
                    assert!(
                        below <= above && above - below <= off,
                        "{servers} at {part} %, {wait}: {below} to {above}"
                    );
                }
            }
        }
    }

    #[test]
    fn what_does_not_keep_up_is_late_and_what_is_idle_is_not() {
        let line = |load, servers| Line { servers, load, meanwhile: 1 }.late();
        assert_eq!(line(2 * ONE, 2), Some(ONE));
        assert_eq!(line(0, 2), None);
        assert_eq!(line(1, 40), Some(0));
    }
}
