//! `/metrics`: the last tick and the totals since the start, as `OpenMetrics` 1.0 text.
//!
//! Money is exact: the digits are those of the ledger. What is not known has no sample, so that
//! nothing that is missing reads as zero.

use crate::publish::View;
use crate::wire;
use farthing_engine::planner::{Planned, Status, Utilisation};
use farthing_engine::{Exposure, Flow, Tick};
use farthing_model::{Limit, Mode, Money, Ratio, Resource, TeamId, gpu_hours};
use std::collections::BTreeSet;
use std::fmt::{self, Display, Write as _};
use std::time::Duration;

/// The content type of [`metrics`].
pub const METRICS_CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// All metrics of a view.
pub fn metrics(view: &View) -> String {
    let mut text = Text::default();
    about(&mut text, view);
    totals(&mut text, view);
    teams(&mut text, view);
    if let Some(last) = &view.last {
        tick(&mut text, &last.tick);
        utilisation(&mut text, view, &last.tick);
        budgets(&mut text, &last.tick);
        gpu_budgets(&mut text, view);
        let name = "farthing_tick_duration_seconds";
        text.family(name, "gauge", "How long the last tick took.");
        text.sample(name, &[], Seconds(last.took));
        if !view.partial {
            let name = "farthing_journal_records";
            text.family(name, "gauge", "Records in the journal.");
            text.sample(name, &[], last.head.seq);
            savings(&mut text, view);
        }
    }
    if let Some(planned) = view.planned.as_ref().and_then(|ticked| ticked.tick.planned.as_ref()) {
        plan(&mut text, planned);
    }
    text.0.push_str("# EOF\n");
    text.0
}

fn about(text: &mut Text, view: &View) {
    let about = &view.about;
    text.family("farthing_build", "info", "What runs.");
    let labels = [("version", about.version.as_str()), ("cluster", about.cluster.as_str())];
    text.sample("farthing_build_info", &labels, 1);
    let name = "farthing_mode";
    text.family(name, "stateset", "How much may be done without a person.");
    for mode in Mode::ALL {
        let set = u8::from(mode == about.policy.mode);
        text.sample(name, &[(name, mode.name())], set);
    }
    text.family("farthing_ticks", "counter", "Ticks that succeeded.");
    text.sample("farthing_ticks_total", &[], view.ticks);
    text.family("farthing_tick_failures", "counter", "Ticks that failed.");
    text.sample("farthing_tick_failures_total", &[], view.failures);
    if !view.partial {
        text.family("farthing_steps_done", "counter", "Steps done since the start.");
        text.sample("farthing_steps_done_total", &[], view.steps_done);
    }
    if let Some(age) = view.age() {
        let name = "farthing_tick_age_seconds";
        text.family(name, "gauge", "Age of the last tick, in real time.");
        text.sample(name, &[], Seconds(age));
    }
}

fn totals(text: &mut Text, view: &View) {
    let currency = view.about.currency;
    let currency = currency.code();
    text.family("farthing_paid", "counter", "What the nodes cost since the start.");
    text.sample("farthing_paid_total", &[("currency", currency)], Number(view.total.paid));
    let help = "Where it went since the start; the four sum to farthing_paid_total.";
    text.family("farthing_cost", "counter", help);
    for (destination, amount) in destinations(&view.total) {
        let labels = [("destination", destination), ("currency", currency)];
        text.sample("farthing_cost_total", &labels, Number(amount));
    }
}

/// What teams without series of their own are together.
const OTHER: &str = "other";

/// What each team had since the start, as many of them as the configuration says; the rest is one
/// team, and what is of no team has an empty name.
fn teams(text: &mut Text, view: &View) {
    let name = "farthing_team_cost";
    let help = "What teams had since the start, allocated and used or idle; all of them, with \
                team=\"\" for nobody's, sum to farthing_cost_total of these destinations.";
    text.family(name, "counter", help);
    // A team of this name is one of the others, as two series of one name are not allowed.
    let named = view.seen_teams.iter().filter(|team| team.as_str() != OTHER);
    let named: BTreeSet<&TeamId> = named.take(view.about.metrics_teams).collect();
    let zero = Money::zero(view.about.currency);
    let none = Flow { paid: zero, used: zero, idle: zero, unallocated: zero, overhead: zero };
    let mut sample = |team: &str, flow: &Flow| {
        for (destination, amount) in [("used", flow.used), ("idle", flow.idle)] {
            let labels = [
                ("team", team),
                ("destination", destination),
                ("currency", view.about.currency.code()),
            ];
            text.sample("farthing_team_cost_total", &labels, Number(amount));
        }
    };
    let (mut all, mut other, mut is_folded) = (none, none, false);
    for (team, flow) in view.teams.iter() {
        // Parts of a sum that fits.
        all = all.checked_add(*flow).unwrap_or(all);
        if named.contains(team) {
            sample(team.as_str(), flow);
        } else {
            other = other.checked_add(*flow).unwrap_or(other);
            is_folded = true;
        }
    }
    if is_folded {
        sample(OTHER, &other);
    }
    // What is nobody's is not told to a team.
    let rest = |whole: Money, part: Money| whole.checked_sub(part).unwrap_or(zero);
    let used = rest(view.total.used, all.used);
    let idle = rest(view.total.idle, all.idle);
    if !view.partial {
        sample("", &Flow { used, idle, ..none });
    }
}

/// Where money went, by name.
fn destinations(flow: &Flow) -> [(&'static str, Money); 4] {
    [
        ("used", flow.used),
        ("idle", flow.idle),
        ("unallocated", flow.unallocated),
        ("overhead", flow.overhead),
    ]
}

fn tick(text: &mut Text, tick: &Tick) {
    let currency = tick.money.paid.currency();
    let currency = currency.code();
    let name = "farthing_tick_paid";
    text.family(name, "gauge", "What the nodes cost in the window of the last tick.");
    text.sample(name, &[("currency", currency)], Number(tick.money.paid));
    let name = "farthing_tick_cost";
    text.family(name, "gauge", "Where it went; the four sum to farthing_tick_paid.");
    for (destination, amount) in destinations(&tick.money) {
        let labels = [("destination", destination), ("currency", currency)];
        text.sample(name, &labels, Number(amount));
    }
    if let Some(coverage) = tick.coverage.ratio() {
        let name = "farthing_coverage_ratio";
        text.family(name, "gauge", "How much of the paid node time was measured.");
        text.sample(name, &[], Share(coverage));
    }
    let name = "farthing_workloads";
    text.family(name, "gauge", "Workloads by state.");
    let counts = wire::WorkloadsJson::of(&tick.snapshot);
    for (state, count) in [
        ("waiting", counts.waiting),
        ("placed", counts.placed),
        ("suspended", counts.suspended),
        ("finished", counts.finished),
    ] {
        text.sample(name, &[("state", state)], count);
    }
    let name = "farthing_steps_held";
    text.family(name, "gauge", "Proposals that were held back.");
    text.sample(name, &[], tick.acted.held.len());
}

fn utilisation(text: &mut Text, view: &View, tick: &Tick) {
    let measured = wire::utilisation(tick);
    let name = "farthing_utilisation_ratio";
    let help = "Used / paid (of=capacity) and used / allocated (of=allocated), last window.";
    text.family(name, "gauge", help);
    for (resource, measured) in measured.iter() {
        for (of, share) in [
            ("capacity", measured.and_then(Utilisation::of_capacity)),
            ("allocated", measured.and_then(Utilisation::of_allocated)),
        ] {
            if let Some(share) = share {
                let labels = [("resource", resource.name()), ("of", of)];
                text.sample(name, &labels, Share(share));
            }
        }
    }
    let name = "farthing_band_ratio";
    text.family(name, "gauge", "The target band of used / paid.");
    for resource in Resource::ALL {
        let band = view.about.policy.bands.get(resource);
        for (edge, share) in [("threshold", band.threshold()), ("max", band.max)] {
            text.sample(name, &[("resource", resource.name()), ("edge", edge)], Share(share));
        }
    }
}

fn budgets(text: &mut Text, tick: &Tick) {
    if tick.budgets.is_empty() {
        return;
    }
    let name = "farthing_budget";
    text.family(name, "gauge", "Budgets in money: limit, posted, and reserved.");
    for state in &tick.budgets {
        let (currency, id) = (state.spent.currency(), state.budget.id.as_str());
        let mut amounts = vec![("spent", state.spent), ("committed", state.committed)];
        if let Limit::Money(limit) = state.limit {
            amounts.push(("limit", limit));
        }
        for (part, amount) in amounts {
            let labels = [("budget", id), ("part", part), ("currency", currency.code())];
            text.sample(name, &labels, Number(amount));
        }
    }
}

/// Budgets in accelerator time, which the configuration bounds as it does those in money.
fn gpu_budgets(text: &mut Text, view: &View) {
    let hours = |exposure: &Exposure| match exposure.state.limit {
        Limit::GpuHoursMilli(limit) => Some((exposure.state.budget.id.clone(), limit)),
        Limit::Money(_) => None,
    };
    if !view.exposures.iter().any(|exposure| hours(exposure).is_some()) {
        return;
    }
    let name = "farthing_budget_gpu_hours";
    text.family(name, "gauge", "Budgets in GPU-hours: limit, posted, and claimed.");
    for exposure in view.exposures.iter() {
        let Some((budget, limit)) = hours(exposure) else { continue };
        for (part, milli) in [
            ("spent", exposure.gpu_hours_milli),
            ("claimed", exposure.gpu_claimed_milli),
            ("limit", limit),
        ] {
            let amount = gpu_hours(milli);
            text.sample(name, &[("budget", budget.as_str()), ("part", part)], Number(amount));
        }
    }
}

fn savings(text: &mut Text, view: &View) {
    let Some(last) = &view.last else { return };
    let name = "farthing_steps_verified";
    text.family(name, "counter", "Steps that ended and were held against the ledger.");
    text.sample("farthing_steps_verified_total", &[], last.open.scores.steps);
    if last.open.scores.predicted.is_empty() {
        return;
    }
    let name = "farthing_saving";
    text.family(name, "gauge", "Saving of verified steps: as predicted, and as realised.");
    for (kind, sums) in
        [("predicted", &last.open.scores.predicted), ("realised", &last.open.scores.realised)]
    {
        for (currency, amount) in sums {
            text.sample(name, &[("kind", kind), ("currency", currency.code())], Number(*amount));
        }
    }
}

fn plan(text: &mut Text, planned: &Planned) {
    let report = &planned.report;
    let currency = report.cost.currency();
    let currency = [("currency", currency.code())];
    let name = "farthing_plan_cost";
    text.family(name, "gauge", "Cost of the last plan over its horizon.");
    text.sample(name, &currency, Number(report.cost));
    if let Some(bound) = report.lower_bound {
        let name = "farthing_plan_lower_bound";
        text.family(name, "gauge", "The proven least cost of what the last plan does.");
        text.sample(name, &currency, Number(bound));
    }
    if let Some(gap) = report.gap {
        let name = "farthing_plan_gap_ratio";
        text.family(name, "gauge", "How far the last plan can be from the optimum.");
        text.sample(name, &[], Share(gap));
    }
    let name = "farthing_plan_status";
    text.family(name, "stateset", "How good the last plan is.");
    for status in [Status::Optimal, Status::Feasible, Status::Infeasible] {
        let set = u8::from(status == report.status);
        text.sample(name, &[(name, status.name())], set);
    }
    let name = "farthing_plan_steps";
    text.family(name, "gauge", "Steps that the last plan proposes.");
    text.sample(name, &[], planned.plan.steps.len());
    let name = "farthing_plan_waiting";
    text.family(name, "gauge", "Members that wait under the last plan.");
    let members = report.waiting.iter().map(|waiting| u64::from(waiting.members));
    text.sample(name, &[], members.sum::<u64>());
}

#[derive(Default)]
struct Text(String);

impl Text {
    /// Opens a family; a name that ends in a unit says so.
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        self.line(format_args!("# TYPE {name} {kind}"));
        for unit in ["seconds", "ratio"] {
            if name.ends_with(unit) {
                self.line(format_args!("# UNIT {name} {unit}"));
            }
        }
        self.line(format_args!("# HELP {name} {help}"));
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.0.push_str(name);
        for (index, (label, text)) in labels.iter().enumerate() {
            let open = if index == 0 { '{' } else { ',' };
            let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            // Writing to a String cannot fail.
            let _ = write!(self.0, "{open}{label}=\"{text}\"");
        }
        if !labels.is_empty() {
            self.0.push('}');
        }
        self.line(format_args!(" {value}"));
    }

    fn line(&mut self, line: fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "{line}");
    }
}

/// The exact number of an amount.
struct Number(Money);

impl Display for Number {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0.to_decimal())
    }
}

/// A ratio with six decimals.
struct Share(Ratio);

impl Display for Share {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ppm = self.0.ppm();
        write!(out, "{}.{:06}", ppm / 1_000_000, ppm % 1_000_000)
    }
}

/// Seconds with six decimals.
struct Seconds(Duration);

impl Display for Seconds {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{:06}", self.0.as_secs(), self.0.subsec_micros())
    }
}
