//! A plan of a DAG for people: tasks, what moves, the cost with its proof, and why not elsewhere.

use super::{duration, money, prices, ratio, short_time, window};
use crate::table::{Align, Table};
use farthing_model::{Money, Offer, Window};
use farthing_planner::{DagPlan, Sensitivity, TaskPlan};
use std::fmt::Write as _;

/// The whole plan.
pub(crate) fn text(
    plan: &DagPlan,
    offers: &[Offer],
    solve_us: u128,
    (with_baselines, sensitivity): (bool, &Sensitivity),
) -> String {
    let dates = plan.price_dates(offers);
    let dates = dates.map(|dates| prices::text(&dates, farthing_model::utc_day(plan.start)));
    let mut out = String::new();
    let mut section = |title: &str, body: String| {
        if !body.is_empty() {
            let _ = write!(out, "{title}\n{body}\n\n");
        }
    };
    let obstacles: Vec<String> = plan.obstacles.iter().map(ToString::to_string).collect();
    section("CANNOT BE MET", obstacles.join("\n"));
    if !plan.tasks.is_empty() {
        section("PLAN", steps(plan).to_text());
        section("DATA THAT MOVES", transfers(plan));
        let cost = [Some(cost(plan, solve_us)), dates];
        section("COST", cost.into_iter().flatten().collect::<Vec<_>>().join("\n"));
        section("TIME", time(plan));
        section("NEXT BEST, ALL ELSE IN PLACE", alternatives(plan));
        let asked = !sensitivity.binding.is_empty() || sensitivity.loose > 0;
        if asked {
            section("WHAT BINDS THE PLAN", super::binding::text(sensitivity));
        }
    }
    if with_baselines && !plan.baselines.is_empty() {
        section("BASELINES", baselines(plan));
    }
    section("UNKNOWN", plan.unknown.join("\n"));
    out.trim_end().to_owned()
}

/// A task whole: where, when, its cost as a product, why there, what moves, and what lost.
pub(crate) fn task(plan: &DagPlan, task: &TaskPlan, offer: Option<&Offer>) -> String {
    let when = task.window.map_or_else(|| short_time(plan.start), window);
    let mut lines = vec![
        format!("{}: {} x {}", task.task, task.nodes, task.offer),
        format!("when      {when}"),
        format!("costs     {} {}", money(task.cost), plan.currency),
    ];
    if let Some((rate, from)) =
        offer.and_then(|it| Some((it.price.rate()?, it.price.provenance()?)))
    {
        let hours = task.window.map_or(0.0, |it| it.duration().as_secs_f64() / 3_600.0);
        lines.push(format!(
            "          {} x {hours:.3} h x {rate} ({} price of {}, {})",
            task.nodes,
            from.kind.name(),
            from.as_of,
            from.source,
        ));
    }
    if task.overhead.is_positive() {
        let of_it = duration(task.overhead);
        lines.push(format!("          {of_it} of it boot and expected loss"));
    }
    lines.extend(task.saving.map(|saved| format!("saves     {}", money(saved))));
    lines.extend(task.reasons.iter().map(|reason| format!("because   {reason}")));
    for transfer in &plan.transfers {
        let (name, other) = if transfer.to == task.task {
            ("has from ", &transfer.from)
        } else if transfer.from == task.task {
            ("gives to ", &transfer.to)
        } else {
            continue;
        };
        let gb = farthing_model::Decimal::from_nano(transfer.bytes.into());
        let cost = transfer.cost.map_or_else(|| "an unknown price".to_owned(), money);
        let takes = transfer.takes.map_or_else(String::new, |it| format!(", {}", duration(it)));
        lines.push(format!("{name} {other} {gb} GB for {cost}{takes}"));
    }
    let slack = task.slack.map(|slack| format!("slack     {}", duration(slack)));
    lines.extend(slack);
    if plan.critical_path.contains(&task.task) {
        lines.push("decides   when everything ends".to_owned());
    }
    for other in &task.alternatives {
        let total = other.total.map_or_else(|| "an unknown total".to_owned(), money);
        lines.push(format!("instead   {} for {total}: {}", other.offer, other.reason));
    }
    lines.join("\n")
}

/// The tasks as a table, also for CSV.
pub(crate) fn steps(plan: &DagPlan) -> Table {
    let mut table = Table::new(&[
        ("task", Align::Left),
        ("offer", Align::Left),
        ("nodes", Align::Right),
        ("start", Align::Left),
        ("end", Align::Left),
        ("cost", Align::Right),
        ("saves", Align::Right),
        ("why", Align::Left),
    ]);
    for task in &plan.tasks {
        let at = |of: fn(Window) -> jiff::Timestamp| {
            task.window.map_or_else(|| short_time(plan.start), |window| short_time(of(window)))
        };
        table.row([
            task.task.clone(),
            task.offer.to_string(),
            task.nodes.to_string(),
            at(Window::from),
            at(Window::to),
            money(task.cost),
            task.saving.map_or_else(|| "-".to_owned(), money),
            task.reasons.join("; "),
        ]);
    }
    table
}

fn transfers(plan: &DagPlan) -> String {
    let mut table = Table::new(&[
        ("from", Align::Left),
        ("to", Align::Left),
        ("route", Align::Left),
        ("GB", Align::Right),
        ("cost", Align::Right),
        ("takes", Align::Left),
    ]);
    for transfer in plan.transfers.iter().filter(|transfer| transfer.bytes > 0) {
        let stays = (&transfer.from_place.provider, &transfer.from_place.region)
            == (&transfer.to_place.provider, &transfer.to_place.region);
        let route = if stays {
            format!("stays in {}", transfer.from_place)
        } else {
            format!("{} to {}", transfer.from_place, transfer.to_place)
        };
        table.row([
            transfer.from.clone(),
            transfer.to.clone(),
            route,
            farthing_model::Decimal::from_nano(transfer.bytes.into()).to_string(),
            transfer.cost.map_or_else(|| "unknown".to_owned(), money),
            transfer.takes.map_or_else(|| "-".to_owned(), duration),
        ]);
    }
    if table.is_empty() { String::new() } else { table.to_text() }
}

fn cost(plan: &DagPlan, solve_us: u128) -> String {
    let with = |name: &str, amount: Option<Money>| {
        amount.map_or_else(String::new, |amount| format!("{name}{}", money(amount)))
    };
    let proof = match plan.lower_bound {
        Some(bound) => {
            format!("; proven lower bound {}, gap {}", money(bound), ratio(plan.gap))
        }
        None => String::new(),
    };
    let search = &plan.search;
    format!(
        "{} {}: nodes {}, egress {}{proof} ({}, {}, {}.{:03} ms)\n{} offers pass, {} are left by \
         dominance in {} classes of places{}",
        money(plan.cost),
        plan.currency,
        money(plan.compute),
        money(plan.egress),
        plan.status.name(),
        search.method,
        solve_us / 1_000,
        solve_us % 1_000,
        search.candidates,
        search.labels,
        search.classes,
        with("; each task alone on its cheapest offer: ", plan.reference),
    )
}

fn time(plan: &DagPlan) -> String {
    let end = plan.start.checked_add(plan.makespan).unwrap_or(plan.start);
    let bound = plan.makespan_bound.map_or_else(String::new, |bound| {
        format!(", and none is earlier than {}", duration(bound))
    });
    let path = plan.critical_path.join(" -> ");
    format!("ends {end}, {} after the start{bound}; decided by {path}", duration(plan.makespan))
}

fn alternatives(plan: &DagPlan) -> String {
    let mut table = Table::new(&[
        ("task", Align::Left),
        ("instead", Align::Left),
        ("total", Align::Right),
        ("why not", Align::Left),
    ]);
    for task in &plan.tasks {
        for other in &task.alternatives {
            table.row([
                task.task.clone(),
                other.offer.to_string(),
                other.total.map_or_else(|| "unknown".to_owned(), money),
                other.reason.clone(),
            ]);
        }
    }
    if table.is_empty() { String::new() } else { table.to_text() }
}

fn baselines(plan: &DagPlan) -> String {
    let mut table = Table::new(&[
        ("rule", Align::Left),
        ("cost", Align::Right),
        ("against the plan", Align::Right),
        ("takes", Align::Left),
    ]);
    for baseline in &plan.baselines {
        let Some((cost, makespan)) = baseline.outcome else {
            let not = "breaks a limit, or has no price".to_owned();
            table.row([baseline.name.to_owned(), "-".to_owned(), "-".to_owned(), not]);
            continue;
        };
        let more = cost.checked_sub(plan.cost).map_or_else(|_| "-".to_owned(), money);
        table.row([baseline.name.to_owned(), money(cost), more, duration(makespan)]);
    }
    table.to_text()
}
