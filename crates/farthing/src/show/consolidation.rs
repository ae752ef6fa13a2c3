//! What becomes of nodes that stand, for people: the steps in their order, what they save.

use super::{money, ratio, window};
use crate::table::{Align, Table};
use farthing_planner::{Consolidation, NodeAt, RunningInput, RunningStep};
use std::fmt::Write as _;

/// Most steps that are shown; all are in JSON and CSV.
const ROWS_MAX: usize = 60;

/// A consolidation, with others beside it.
pub(crate) fn text(
    made: &Consolidation,
    input: &RunningInput<'_>,
    baselines: &[Consolidation],
    solve_ms: u128,
) -> String {
    let mut out = String::new();
    let mut section = |title: &str, body: String| {
        if !body.is_empty() {
            let _ = write!(out, "{title}\n{body}\n\n");
        }
    };
    section("STEPS, IN THIS ORDER", shown(made));
    section("WAITING", waiting(made));
    section("COST", cost(made, input, solve_ms));
    section("BASELINES ON THE SAME INPUT", compare(made, baselines));
    out.trim_end().to_owned()
}

fn shown(made: &Consolidation) -> String {
    if made.steps.is_empty() {
        return "none: nothing that could be given back is worth the moves".to_owned();
    }
    let table = table(made.steps.iter().take(ROWS_MAX)).to_text();
    match made.steps.len().saturating_sub(ROWS_MAX) {
        0 => table,
        more => format!("{table}\n... and {more} more steps: --output json has them all"),
    }
}

/// The steps, also for CSV.
pub(crate) fn steps(made: &Consolidation) -> Table {
    table(made.steps.iter())
}

fn table<'a>(steps: impl Iterator<Item = &'a RunningStep>) -> Table {
    let mut table = Table::new(&[
        ("step", Align::Left),
        ("members", Align::Right),
        ("workload", Align::Left),
        ("from", Align::Left),
        ("to", Align::Left),
    ]);
    for step in steps {
        table.row(match step {
            RunningStep::Buy { node, offer } => row("buy", (None, ""), offer.as_str(), &new(*node)),
            RunningStep::Start { workload, members, to } => {
                row("start", (Some(*members), workload.as_str()), "", &named(to))
            }
            RunningStep::Move { workload, members, from, to } => {
                row("move", (Some(*members), workload.as_str()), from.as_str(), &named(to))
            }
            RunningStep::GiveBack { node } => row("give back", (None, ""), node.as_str(), ""),
        });
    }
    table
}

fn row(step: &str, (members, whose): (Option<u64>, &str), from: &str, to: &str) -> [String; 5] {
    let members = members.map_or_else(String::new, |members| members.to_string());
    [step.to_owned(), members, whose.to_owned(), from.to_owned(), to.to_owned()]
}

fn named(node: &NodeAt) -> String {
    match node {
        NodeAt::Standing(id) => id.to_string(),
        NodeAt::Bought(number) => new(*number),
    }
}

fn new(number: usize) -> String {
    format!("new node {}", number + 1)
}

fn waiting(made: &Consolidation) -> String {
    let line = |(workload, members): (&farthing_model::WorkloadId, &u64)| {
        let why = made.reasons.get(workload).map(ToString::to_string);
        let why = why.unwrap_or_else(|| "no node has room, and no more can be bought".to_owned());
        format!("{workload}: {members} members wait: {why}")
    };
    made.waiting.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn cost(made: &Consolidation, input: &RunningInput<'_>, solve_ms: u128) -> String {
    let currency = made.cost.currency();
    let gone = made.steps.iter().filter(|step| matches!(step, RunningStep::GiveBack { .. }));
    let bought = made.steps.iter().filter(|step| matches!(step, RunningStep::Buy { .. }));
    let (gone, bought) = (gone.count(), bought.count());
    let mut lines = vec![
        format!(
            "{} {currency} for nodes over {}, where it was {}",
            money(made.cost),
            window(input.pack.window),
            money(made.before)
        ),
        format!(
            "{gone} of {} nodes given back, {bought} bought; {} members move, which costs {} \
             ({} each)",
            input.nodes.len(),
            made.moved,
            money(made.disturbance),
            input.move_cost,
        ),
    ];
    let proof = match (made.lower_bound, made.gap) {
        (Some(bound), Some(gap)) if gap.ppm() > 0 => {
            let bound = money(bound);
            format!(
                "proven: no nodes cost less than {bound}, if moves were free (gap {})",
                ratio(Some(gap))
            )
        }
        (Some(_), _) => "proven: no nodes cost less".to_owned(),
        (None, _) => "no bound".to_owned(),
    };
    lines.push(format!("{proof}; planned in {solve_ms} ms"));
    lines.join("\n")
}

fn compare(made: &Consolidation, baselines: &[Consolidation]) -> String {
    if baselines.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&[
        ("policy", Align::Left),
        ("nodes", Align::Right),
        ("moves", Align::Right),
        ("moves cost", Align::Right),
        ("waiting", Align::Right),
    ]);
    for one in std::iter::once(made).chain(baselines) {
        let waiting: u64 = one.waiting.values().sum();
        let (moves, disturbance) = (one.moved.to_string(), money(one.disturbance));
        table.row([
            one.policy.to_owned(),
            money(one.cost),
            moves,
            disturbance,
            waiting.to_string(),
        ]);
    }
    table.to_text()
}
