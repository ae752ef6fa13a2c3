//! Services of a plan for people: the mix, the classes of requests, the day.

use super::{duration, money, small_money};
use crate::table::{Align, Table};
use farthing_model::Money;
use farthing_planner::{DayReport, ServiceReport, TokenRule};
use jiff::SignedDuration;

/// Every service that was decided about; empty where there is none.
pub(crate) fn text(services: &[ServiceReport]) -> String {
    services.iter().map(service).collect::<Vec<_>>().join("\n\n")
}

fn service(service: &ServiceReport) -> String {
    let mut parts = vec![format!(
        "{}: {} requests/s for {} an hour{}; replicas planned with {} of what they can do",
        service.workload,
        service.rate_per_s,
        money(service.per_hour),
        tokens(service),
        service.target,
    )];
    parts.push(mix(service).to_text());
    parts.push(buckets(service).to_text());
    parts.extend(service.day.as_ref().map(day));
    parts.join("\n")
}

/// What a million tokens cost, together and apart, with the rule that told them apart.
fn tokens(service: &ServiceReport) -> String {
    let Some(blended) = service.per_million_tokens.map(small_money) else { return String::new() };
    let Some(apart) = service.tokens else {
        return format!(", {blended} a million tokens (nothing tells prompts from answers)");
    };
    let rule = match apart.rule {
        TokenRule::Measured => "by the time that each takes",
        TokenRule::Declared => "by `outputWeight`",
        TokenRule::Fitted => "fitted to the sizes of requests",
    };
    let part =
        |each: Option<Money>, what: &str| each.map(|it| format!("{} {what}", small_money(it)));
    let parts: Vec<String> =
        [part(apart.input, "in"), part(apart.output, "out")].into_iter().flatten().collect();
    format!(", {blended} a million tokens ({}, {rule})", parts.join(", "))
}

fn mix(service: &ServiceReport) -> Table {
    let mut table = Table::new(&[
        ("offer", Align::Left),
        ("accelerators", Align::Right),
        ("copies", Align::Right),
        ("replicas", Align::Right),
        ("load", Align::Right),
        ("late", Align::Right),
    ]);
    for row in &service.mix {
        table.row([
            row.offer.to_string(),
            row.accelerators.to_string(),
            row.copies.to_string(),
            row.replicas.to_string(),
            row.load.to_string(),
            row.late.map_or_else(|| "-".to_owned(), |late| late.to_string()),
        ]);
    }
    table
}

fn buckets(service: &ServiceReport) -> Table {
    let mut table = Table::new(&[
        ("tokens in", Align::Right),
        ("out", Align::Right),
        ("requests/s", Align::Right),
        ("a million tokens", Align::Right),
        ("served by", Align::Left),
    ]);
    for row in &service.buckets {
        let taken = row.taken.iter().filter_map(|(at, parts)| {
            let kind = service.mix.get(*at)?;
            let share = service.share(*parts);
            Some(format!("{share} {} x {}", kind.accelerators, kind.offer))
        });
        table.row([
            row.input_tokens.to_string(),
            row.output_tokens.to_string(),
            row.rate_per_s.to_string(),
            row.per_million_tokens.map_or_else(|| "-".to_owned(), small_money),
            taken.collect::<Vec<_>>().join(", "),
        ]);
    }
    table
}

fn day(day: &DayReport) -> String {
    let mut table = Table::new(&[
        ("from", Align::Right),
        ("requests/s", Align::Right),
        ("cost", Align::Right),
        ("replicas", Align::Left),
    ]);
    for span in &day.spans {
        let kinds = day.kinds.iter().zip(&span.replicas).filter(|(_, count)| **count > 0);
        let kinds = kinds.map(|((offer, _), count)| format!("{count} x {offer}"));
        table.row([
            duration(span.from),
            span.rate_per_s.to_string(),
            money(span.cost),
            kinds.collect::<Vec<_>>().join(", "),
        ]);
    }
    let daily = SignedDuration::from_hours(24);
    let a_day = day.cost_of(daily).filter(|_| day.length != daily);
    let a_day = a_day.map_or_else(String::new, |cost| format!(", {} a day", money(cost)));
    format!(
        "over {}: {} with starts{a_day}, at least {}; {} if all of the peak stays; nothing is given back \
         over gaps up to {}\n{}",
        duration(day.length),
        money(day.cost),
        money(day.lower_bound),
        money(day.flat_cost),
        duration(day.idle_gap_min),
        table.to_text(),
    )
}
