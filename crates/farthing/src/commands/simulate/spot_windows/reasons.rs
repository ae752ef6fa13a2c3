//! Why each decision was made: the cost to go of each action, tick by tick.

use super::asked::Jobs;
use crate::args::Output;
use crate::commands::print as print_as;
use crate::outcome::{Outcome, WrongUse};
use crate::table::{Align, Table};
use farthing_model::Money;
use farthing_planner::spot::Action;
use farthing_sim::spot::{Decision, decisions};
use farthing_sim::trace::SpotWindow;
use serde_json::{Value, json};

/// Prints the decisions in one window.
pub(in crate::commands::simulate) fn print(
    all: &[SpotWindow],
    asked: &Jobs,
    id: &str,
    output: Output,
) -> anyhow::Result<Outcome> {
    let [terms] = asked.terms.as_slice() else {
        return Err(WrongUse::new("--explain is of one deadline and one overhead").into());
    };
    let is = |window: &&SpotWindow| format!("{}/{}", window.env, window.window) == id;
    let Some(window) = all.iter().find(is) else {
        let example = all.first().map_or(String::new(), |at| format!("{}/{}", at.env, at.window));
        let wrong = WrongUse::new(format!("--explain {id}: the trace has no such window"));
        return Err(wrong.hint(format!("write it like {example}")).into());
    };
    let made = decisions(window, terms).map_err(|error| WrongUse::new(error.to_string()))?;
    let json =
        || Ok(json!({ "window": id, "decisions": made.iter().map(row).collect::<Vec<_>>() }));
    print_as(output, || Ok(table(&made).to_text()), json, || Ok(table(&made)))?;
    Ok(Outcome::Done)
}

fn name(action: Action) -> &'static str {
    match action {
        Action::Spot => "spot",
        Action::OnDemand => "on-demand",
        Action::Wait => "wait",
    }
}

fn row(made: &Decision) -> Value {
    let money = |amount: Option<Money>| amount.map(Money::to_decimal);
    json!({
        "elapsed_s": made.elapsed_s,
        "remaining_s": made.remaining_s,
        "available": made.available,
        "action": name(made.action),
        "cost_to_go": {
            "spot": money(made.expected.spot),
            "on_demand": money(made.expected.on_demand),
            "wait": money(made.expected.wait),
        },
    })
}

fn table(made: &[Decision]) -> Table {
    let mut table = Table::new(&[
        ("hour", Align::Right),
        ("work left", Align::Right),
        ("there", Align::Left),
        ("done", Align::Left),
        ("if spot", Align::Right),
        ("if on demand", Align::Right),
        ("if nothing", Align::Right),
    ]);
    let hours = |seconds: i64| format!("{}:{:02}", seconds / 3_600, seconds % 3_600 / 60);
    let money = |amount: Option<Money>| amount.map_or("-".to_owned(), |amount| amount.rounded(2));
    for one in made {
        table.row([
            hours(one.elapsed_s),
            hours(one.remaining_s),
            if one.available { "spot" } else { "no spot" }.to_owned(),
            name(one.action).to_owned(),
            money(one.expected.spot),
            money(one.expected.on_demand),
            money(one.expected.wait),
        ]);
    }
    table
}
