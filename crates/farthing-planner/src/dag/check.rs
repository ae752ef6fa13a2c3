//! Verifies a plan of a DAG from the manifest, the offers and the egress table. It shares no code
//! with what made the plan: everything is computed again, the plain way.

use super::DagInput;
use super::report::{DagPlan, TaskPlan, TransferPlan};
use crate::Status;
use farthing_model::{
    EgressTable, Money, NANOS_PER_HOUR, Offer, Place, Policy, Port, Purchase, Run, Target, Task,
    Throughput,
};
use std::fmt;

const MILLI: i128 = 1_000_000;

/// One thing that is wrong with a plan of a DAG: about what, and what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DagViolation {
    /// A task, a transfer, or the plan.
    pub object: String,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for DagViolation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.object, self.what)
    }
}

/// Everything that is wrong with a plan; empty: it holds.
pub fn check_dag(input: &DagInput<'_>, plan: &DagPlan) -> Vec<DagViolation> {
    let mut check = Check { input, plan, found: Vec::new() };
    if plan.status == Status::Infeasible {
        if !plan.tasks.is_empty() || !plan.cost.is_zero() {
            check.say("plan", "is infeasible and still does something");
        }
        return check.found;
    }
    if plan.tasks.len() != input.dag.tasks.len() {
        check.say("plan", "does not place every task once");
        return check.found;
    }
    for (task, placed) in input.dag.tasks.iter().zip(&plan.tasks) {
        check.task(task, placed);
    }
    check.transfers();
    check.sums();
    check.times();
    check.capacity();
    check.found
}

struct Check<'a> {
    input: &'a DagInput<'a>,
    plan: &'a DagPlan,
    found: Vec<DagViolation>,
}

impl Check<'_> {
    fn say(&mut self, object: impl Into<String>, what: impl Into<String>) {
        self.found.push(DagViolation { object: object.into(), what: what.into() });
    }

    /// Offers are sorted by id.
    fn offer(&self, placed: &TaskPlan) -> Option<&Offer> {
        let offers = self.input.market.offers();
        let at = offers.binary_search_by(|offer| offer.id.cmp(&placed.offer)).ok()?;
        Some(&offers[at])
    }

    fn task(&mut self, task: &Task, placed: &TaskPlan) {
        let name = task.name.clone();
        if placed.task != name || placed.nodes != task.nodes {
            self.say(name, "is another task, or has other nodes, than in the manifest");
            return;
        }
        let Some(offer) = self.offer(placed).cloned() else {
            self.say(name, format!("there is no offer {}", placed.offer));
            return;
        };
        if let Some(why) = self.refuses(task, &offer) {
            self.say(&name, why);
        }
        let window = placed.window.map_or(0, farthing_model::Window::nanos);
        let mut times = run_times(task, &offer).into_iter();
        let is_whole = window % MILLI == 0;
        if !is_whole || !times.any(|busy| held(task, &offer, self.input.policy, busy) == window) {
            self.say(&name, format!("does not run for {window} ns on {}", offer.id));
        }
        let Some(rate) = offer.price.rate() else {
            self.say(name, "has no price");
            return;
        };
        let hour = rate.per_hour().pico() * i128::from(task.nodes);
        let expect = long_product(hour, window, NANOS_PER_HOUR);
        if expect != Some(placed.cost.pico()) || rate.per_hour().currency() != self.plan.currency {
            self.say(&name, format!("does not cost {}", placed.cost));
        }
        let over = |cap: Option<farthing_model::HourlyRate>, price: i128| {
            cap.is_some_and(|cap| price > cap.per_hour().pico())
        };
        if over(task.price_max, hour) || over(task.node_price_max, rate.per_hour().pico()) {
            self.say(name, "is over a cap on an hour");
        }
    }

    /// Why an offer is not for a task.
    fn refuses(&self, task: &Task, offer: &Offer) -> Option<&'static str> {
        let named = |list: &[String], name: &str| {
            list.is_empty() || list.iter().any(|it| it.to_lowercase() == name.to_lowercase())
        };
        let pays = if task.purchase.is_empty() {
            [Purchase::OnDemand, Purchase::Owned].contains(&offer.purchase)
        } else {
            task.purchase.contains(&offer.purchase)
        };
        let enough = task.accelerators.is_empty()
            || task.accelerators.iter().any(|asked| {
                offer.accelerator_count >= asked.count
                    && offer.accelerator.as_ref().is_some_and(|it| asked.accelerator.matches(it))
            });
        // An offer of a place where another offer knows its jurisdiction is in it too.
        let holds = |wanted: &[String]| {
            let there = self.input.market.offers().iter().filter(|other| {
                (&other.place.provider, &other.place.region)
                    == (&offer.place.provider, &offer.place.region)
            });
            wanted.is_empty()
                || there
                    .into_iter()
                    .any(|it| wanted.iter().any(|it_is| it.residency.contains(it_is)))
        };
        if !pays {
            return Some("is paid another way than it may be");
        }
        if !enough || !task.resources.fits_in(offer.capacity) {
            return Some("is on a machine that is too small");
        }
        if !named(&task.providers, &offer.place.provider)
            || !named(&task.regions, &offer.place.region)
        {
            return Some("is at a provider or region that is not named");
        }
        if !holds(&self.input.dag.residency) || !holds(&task.residency) {
            return Some("is outside of its jurisdictions");
        }
        None
    }

    fn transfers(&mut self) {
        let dag = self.input.dag;
        let expected = dag.edges.len() + dag.inputs.len() + dag.outputs.len();
        if self.plan.transfers.len() != expected {
            self.say("plan", "does not move the data of each edge, input and output once");
            return;
        }
        let place =
            |task: usize| self.offer(&self.plan.tasks[task]).map(|offer| offer.place.clone());
        let mut ends: Vec<(Option<Place>, Option<Place>, u64)> = Vec::new();
        ends.extend(dag.edges.iter().map(|it| (place(it.from), place(it.to), it.size_bytes)));
        let port = |port: &Port| (Some(port.place.clone()), place(port.task), port.size_bytes);
        ends.extend(dag.inputs.iter().map(port));
        ends.extend(dag.outputs.iter().map(port).map(|(there, task, size)| (task, there, size)));
        for (transfer, (from, to, bytes)) in self.plan.transfers.iter().zip(ends) {
            let (Some(from), Some(to)) = (from, to) else { continue };
            let object = format!("{} to {}", transfer.from, transfer.to);
            let region = |place: &Place| (place.provider.clone(), place.region.clone());
            let same = region(&from) == region(&transfer.from_place)
                && region(&to) == region(&transfer.to_place);
            if !same || bytes != transfer.bytes {
                self.say(&object, "moves another amount, or between other places");
            }
            let expect = charge(self.input.egress, &from, &to, bytes);
            if expect != transfer.cost.map(Money::pico) {
                self.say(&object, "does not cost what the egress table says");
            }
        }
    }

    fn sums(&mut self) {
        let plan = self.plan;
        let compute: i128 = plan.tasks.iter().map(|task| task.cost.pico()).sum();
        let charges = plan.transfers.iter().filter_map(|transfer| transfer.cost);
        let egress: i128 = charges.map(Money::pico).sum();
        let unpriced = plan.transfers.iter().filter(|transfer| transfer.cost.is_none());
        let unpriced: u128 = unpriced.map(|transfer| u128::from(transfer.bytes)).sum();
        if compute != plan.compute.pico()
            || egress != plan.egress.pico()
            || compute + egress != plan.cost.pico()
        {
            self.say("plan", "costs another sum than its parts");
        }
        if unpriced != plan.unpriced_bytes {
            self.say("plan", "moves another number of bytes without a price");
        }
        if plan.lower_bound.is_some_and(|bound| bound.pico() > plan.cost.pico()) {
            self.say("plan", "costs less than what is said to be the least");
        }
        let is_exact = plan.lower_bound.map(Money::pico) == Some(plan.cost.pico());
        if plan.status == Status::Optimal && !is_exact {
            self.say("plan", "is called optimal without proof");
        }
        if self.input.dag.cost_max.is_some_and(|cap| plan.cost.pico() > cap.pico()) {
            self.say("plan", "costs more than it may");
        }
        let held = plan.tasks.iter().filter_map(|task| {
            let accelerators = self.offer(task)?.accelerator_count;
            let nanos = task.window?.nanos();
            Some(i128::from(accelerators) * i128::from(task.nodes) * nanos)
        });
        let held: i128 = held.sum();
        // A thousandth of an hour.
        let most =
            self.input.dag.gpu_hours_max_milli.map(|milli| i128::from(milli) * 3_600_000_000_000);
        if most.is_some_and(|most| held > most) {
            self.say("plan", "takes more GPU-hours than it may");
        }
    }

    fn times(&mut self) {
        let (dag, plan) = (self.input.dag, self.plan);
        let from = self.input.now;
        let mut last = from;
        for (task, placed) in dag.tasks.iter().zip(&plan.tasks) {
            let Some(window) = placed.window else { continue };
            last = last.max(window.to());
            let due = [task.deadline, dag.deadline].into_iter().flatten().min();
            if due.is_some_and(|due| window.to() > due) {
                self.say(&task.name, "ends after it is due");
            }
            if window.from() < from {
                self.say(&task.name, "starts before the DAG does");
            }
        }
        let ready = |transfer: &TransferPlan, end: jiff::Timestamp| {
            transfer.takes.map_or(Some(end), |takes| end.checked_add(takes).ok())
        };
        for (edge, transfer) in dag.edges.iter().zip(&plan.transfers) {
            let (before, after) = (&plan.tasks[edge.from], &plan.tasks[edge.to]);
            let (Some(before), Some(after)) = (before.window, after.window) else { continue };
            if ready(transfer, before.to()).is_none_or(|ready| after.from() < ready) {
                self.say(&dag.tasks[edge.to].name, "starts before its data is there");
            }
        }
        let outputs = dag.outputs.iter().zip(&plan.transfers[dag.edges.len() + dag.inputs.len()..]);
        for (port, transfer) in outputs {
            let end = plan.tasks[port.task].window.and_then(|window| ready(transfer, window.to()));
            last = last.max(end.unwrap_or(last));
        }
        let makespan = last.duration_since(from);
        if makespan != plan.makespan {
            self.say("plan", format!("does not end {} after it starts", plan.makespan));
        }
        if plan.makespan_bound.is_some_and(|bound| bound > makespan) {
            self.say("plan", "ends before what is said to be the earliest");
        }
    }

    /// Nodes of one offer held at once.
    fn capacity(&mut self) {
        for placed in &self.plan.tasks {
            let Some(available) = self.offer(placed).and_then(|offer| offer.available) else {
                continue;
            };
            let Some(start) = placed.window.map(farthing_model::Window::from) else { continue };
            let holds = |other: &&TaskPlan| {
                other.offer == placed.offer && other.window.is_some_and(|it| it.contains(start))
            };
            let held: u64 =
                self.plan.tasks.iter().filter(holds).map(|it| u64::from(it.nodes)).sum();
            if held > available.into() {
                self.say(&placed.task, format!("{held} nodes held of {available}"));
            }
        }
    }
}

/// `numerator / denominator`, rounded up.
fn up(numerator: i128, denominator: i128) -> i128 {
    let whole = numerator / denominator;
    if numerator % denominator == 0 { whole } else { whole + 1 }
}

/// How many nanoseconds a task that works for so many milliseconds holds its nodes: what is bought
/// boots first, and on spot it is interrupted once in so much of its work, if that is known.
fn held(task: &Task, offer: &Offer, policy: &Policy, busy: i128) -> i128 {
    if busy == 0 || task.run == Run::Unknown {
        return busy * MILLI;
    }
    let mut nanos = busy * MILLI;
    if let (Purchase::Spot, Some(how), Some(spot)) =
        (offer.purchase, task.interruptible, &policy.spot)
        && spot.mean_up.as_nanos() > 0
    {
        let each = (how.checkpoint.as_nanos() + how.restart.as_nanos()) / MILLI;
        nanos += up(nanos * each, spot.mean_up.as_nanos()) * MILLI;
    }
    if offer.purchase != Purchase::Owned {
        nanos += policy.boot.as_nanos();
    }
    up(nanos, MILLI) * MILLI
}

/// The times that a task may work on an offer, in milliseconds.
fn run_times(task: &Task, offer: &Offer) -> Vec<i128> {
    match &task.run {
        Run::Unknown => vec![3_600_000],
        Run::Fixed(length) => vec![up(length.as_nanos(), MILLI)],
        Run::Work { work, throughput } => {
            let mut times = Vec::new();
            for (at, row) in throughput.iter().enumerate() {
                let usable = fits(task, row, offer);
                let earlier = throughput[..at].iter().any(|other| {
                    std::mem::discriminant(&other.target) == std::mem::discriminant(&row.target)
                        && other.count == row.count
                        && fits(task, other, offer)
                });
                if usable && !earlier {
                    let amount = work.amount.nano() * row.per.as_nanos();
                    times.push(up(amount, row.amount.nano() * MILLI));
                }
            }
            times
        }
    }
}

/// Whether a row of throughput is about an offer, as the task would use it.
fn fits(task: &Task, row: &Throughput, offer: &Offer) -> bool {
    match &row.target {
        Target::InstanceType(name) => task.accelerators.is_empty() && *name == offer.instance_type,
        Target::Accelerator(query) => {
            let there = offer.accelerator.as_ref().is_some_and(|name| query.matches(name));
            let asked = task.accelerators.is_empty()
                || task.accelerators.iter().any(|asked| {
                    asked.count == row.count
                        && offer
                            .accelerator
                            .as_ref()
                            .is_some_and(|it| asked.accelerator.matches(it))
                });
            there && asked && offer.accelerator_count >= row.count
        }
    }
}

/// What moving bytes costs, by reading the table from the top for each stretch of bytes.
fn charge(table: Option<&EgressTable>, from: &Place, to: &Place, bytes: u64) -> Option<i128> {
    let inside = (&from.provider, &from.region) == (&to.provider, &to.region);
    let Some(table) = table else { return (inside || bytes == 0).then_some(0) };
    let is = |wanted: &Option<String>, name: &str| wanted.as_ref().is_none_or(|it| it == name);
    let mut rows: Vec<_> = table.rows().iter().collect();
    rows.retain(|row| {
        is(&row.from_provider, &from.provider)
            && is(&row.from_region, &from.region)
            && is(&row.to_provider, &to.provider)
            && is(&row.to_region, &to.region)
            && (!inside || (row.from_region.is_some() && row.to_region.is_some()))
    });
    if inside && rows.is_empty() {
        return Some(0);
    }
    let (mut at, mut sum) = (0_u64, 0_i128);
    while at < bytes {
        let row = rows.iter().find(|row| row.up_to_bytes.is_none_or(|until| until > at))?;
        let until = row.up_to_bytes.map_or(bytes, |until| until.min(bytes));
        sum = sum.checked_add(row.price_per_gb.pico().checked_mul(i128::from(until - at))?)?;
        at = until;
    }
    Some(sum / 1_000_000_000)
}

/// `a x b / c` rounded down, by splitting `b` at `c`; all are not negative.
fn long_product(a: i128, b: i128, c: i128) -> Option<i128> {
    let whole = a.checked_mul(b / c)?;
    let rest = match a.checked_mul(b % c) {
        Some(product) => product / c,
        // A second time: a = q c + r, so a x (b mod c) / c = q x (b mod c) + r x (b mod c) / c.
        None => (a / c).checked_mul(b % c)?.checked_add((a % c).checked_mul(b % c)? / c)?,
    };
    whole.checked_add(rest)
}
