//! The arithmetic of the report: sums, bounds, gap and status.

use super::{Audit, Violation};
use crate::Status;
use farthing_model::{Decimal, Money, Ratio, WorkloadKind};
use std::collections::BTreeSet;

/// Parts in a whole.
const PPM: i128 = 1_000_000;

impl Audit<'_> {
    /// Everything that is a total.
    pub(super) fn totals(&mut self) {
        let report = &self.planned.report;
        let costs = report.placements.iter().map(|placement| placement.cost);
        match Money::sum(costs, self.input.currency) {
            Err(_) => self.found.push(Violation::Overflow("report: cost".to_owned())),
            Ok(is) if is != report.cost => {
                self.found.push(Violation::TotalCost { said: report.cost, is });
            }
            Ok(_) => {}
        }
        match self.value() {
            None => self.found.push(Violation::Overflow("report: value".to_owned())),
            Some(value) if value != report.value => {
                let what = "the value is not that of the members placed";
                self.found.push(Violation::Value(what));
            }
            Some(value) if report.value_bound.is_some_and(|most| most < value) => {
                self.found.push(Violation::Value("the value is above its bound"));
            }
            Some(_) => {}
        }
        self.bounds();
        self.gap();
        self.status();
    }

    /// Value of all members placed; that of a service once, however many replicas it has.
    fn value(&self) -> Option<Decimal> {
        let mut services = BTreeSet::new();
        let mut value = Decimal::ZERO;
        for placement in &self.planned.report.placements {
            let Some(observed) = self.workloads.get(&placement.workload) else { continue };
            let workload = &observed.workload;
            let times = match workload.kind {
                WorkloadKind::Job(_) => i128::from(placement.members),
                WorkloadKind::Service(_) => i128::from(services.insert(&placement.workload)),
            };
            value = value.checked_add(workload.value.checked_mul_int(times)?)?;
        }
        Some(value)
    }

    fn bounds(&mut self) {
        let report = &self.planned.report;
        let order = |low: Option<Money>, high: Option<Money>| match (low, high) {
            (Some(low), Some(high)) => low.compare(high).is_some_and(std::cmp::Ordering::is_le),
            _ => true,
        };
        if !order(report.lower_bound, Some(report.cost)) {
            self.found.push(Violation::Bounds("the lower bound is above the cost"));
        }
        if !order(report.certified_bound, report.lower_bound) {
            self.found.push(Violation::Bounds("the certified bound is above the lower bound"));
        }
        if report.certified_bound.is_some() && report.lower_bound.is_none() {
            self.found.push(Violation::Bounds("a certified bound without a lower bound"));
        }
    }

    fn gap(&mut self) {
        let report = &self.planned.report;
        let is = report.lower_bound.and_then(|bound| {
            let bound = bound.pico();
            let over = report.cost.pico().checked_sub(bound)?;
            if bound <= 0 || over < 0 {
                return None;
            }
            let ppm = over.checked_mul(PPM)?.checked_add(bound / 2)? / bound;
            u32::try_from(ppm).ok().map(Ratio::from_ppm)
        });
        if is != report.gap {
            self.found.push(Violation::Gap { said: report.gap, is });
        }
    }

    fn status(&mut self) {
        let report = &self.planned.report;
        let late = report.waiting.iter().any(|row| row.late);
        let open = report.lower_bound.is_none()
            || report.value_bound.is_none_or(|bound| bound > report.value);
        let what = match report.status {
            Status::Optimal if open => "optimal, with no bound that proves it",
            Status::Optimal | Status::Feasible if late => {
                "something that has a deadline cannot be placed, so the plan is not feasible"
            }
            Status::Infeasible if report.waiting.is_empty() => "infeasible, and nothing waits",
            _ => return,
        };
        self.found.push(Violation::Status(what));
    }
}
