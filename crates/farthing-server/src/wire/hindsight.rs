//! A past window under other choices, side by side.

use super::scalar::{WindowJson, decimal, hours, seconds, time};
use farthing_engine::Deadlines;
use farthing_ledger::{Choice, Hindsight, KeptAsItWas, Outcome, OutcomeRow};
use farthing_model::{Decimal, Money, Purchase, SpotLoss, WorkloadId};
use jiff::SignedDuration;
use serde::Serialize;

/// What a window cost, and what it would have cost.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HindsightJson {
    /// The whole hours that it covers.
    pub window: WindowJson,
    /// Hours of it that have charges.
    pub hours: u32,
    /// The currency of all amounts.
    pub currency: String,
    /// What was paid: the same as the statement of the window says.
    pub paid: String,
    /// Stretches of nodes without a price, which are in no sum.
    pub unpriced: usize,
    /// How long a node that is bought again is paid before it is usable: so long work waits for it.
    pub boot_s: f64,
    /// Why policies are left out, if some are.
    pub left_out: Option<String>,
    /// As it was, and then each other choice.
    pub policies: Vec<PastPolicyJson>,
}

/// One choice.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PastPolicyJson {
    /// `as-it-was`, `release`, `release-idle`, `reserve`, `on-demand`, `spot`, `reserved` or
    /// `cheapest`.
    pub policy: &'static str,
    /// In words.
    pub name: String,
    /// What would have been paid; the rows sum to it.
    pub cost: String,
    /// What was paid less that; below zero where it would have cost more.
    pub saving: String,
    /// Whether it is the least that it could have cost, and may be more.
    pub at_least: bool,
    /// What stays as it was, as nobody can tell: it is in `cost` as it was paid.
    pub unknown: String,
    /// Hours of nodes that were paid.
    pub node_hours: f64,
    /// Hours of nodes that would have been.
    pub other_node_hours: f64,
    /// How often work would have waited for a node to boot.
    pub waits: u64,
    /// The first of these.
    pub waiting: Vec<PastWaitJson>,
    /// Workloads that wait and meet their deadline all the same.
    pub deadlines_kept: Vec<String>,
    /// Workloads that would have missed their deadline by waiting.
    pub deadlines_missed: Vec<String>,
    /// Workloads that wait and of whose deadline nothing is known any more.
    pub deadlines_unknown: Vec<String>,
    /// Workloads that would have been stopped as idle.
    pub stopped: Vec<String>,
    /// Interruptions of spot nodes to be expected; `null` where that is not known, or none is spot.
    pub interruptions: Option<f64>,
    /// What else would have been otherwise, or is not known, in words.
    pub breaks: Vec<String>,
    /// By offer, and by why it stays as it was; the largest saving first.
    pub rows: Vec<PastRowJson>,
    /// How many rows there are; what is not among `rows` is summed in the last of them.
    pub rows_of: usize,
}

/// Work that would have waited.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PastWaitJson {
    /// Whose.
    pub workload: String,
    /// On which node it ran as it was.
    pub node: String,
    /// When it came.
    pub at: String,
}

/// What a choice makes of one offer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PastRowJson {
    /// What was bought; `null` for the sum of all rows that are not listed.
    pub offer: Option<String>,
    /// What would have been, where that is another.
    pub other: Option<String>,
    /// Where its price is from.
    pub source: Option<String>,
    /// The day of that price: what it was in the window is not known.
    pub as_of: Option<String>,
    /// Why it stays as it was, if it does.
    pub kept: Option<&'static str>,
    /// What was paid.
    pub was: String,
    /// What would have been.
    pub cost: String,
    /// Hours of nodes that were paid.
    pub node_hours: f64,
    /// Hours of nodes that would have been.
    pub other_node_hours: f64,
}

/// What belongs to all choices.
#[derive(Clone, Copy, Debug)]
pub struct Hind<'a> {
    /// How long a node boots.
    pub boot: SignedDuration,
    /// How often spot is taken away, if that is known.
    pub spot: Option<&'a SpotLoss>,
    /// Whether choices were left out, as they are about what all teams share.
    pub is_part: bool,
    /// Rows and waits of a choice, at most.
    pub limit: usize,
}

/// The wire form, with what becomes of deadlines under each choice.
pub fn hindsight(found: &Hindsight, deadlines: &[Deadlines], of: Hind<'_>) -> HindsightJson {
    let others = found.outcomes.iter().zip(deadlines);
    let others = others.map(|(outcome, deadlines)| policy(outcome, deadlines, of));
    HindsightJson {
        window: found.window.into(),
        hours: found.hours,
        currency: found.paid.currency().to_string(),
        paid: found.paid.to_decimal(),
        unpriced: found.unpriced,
        boot_s: seconds(of.boot),
        left_out: of.is_part.then(|| {
            "what nodes that all teams share would have cost otherwise says what others have: only \
             those who see all teams can ask for it"
                .to_owned()
        }),
        policies: std::iter::once(as_it_was(found)).chain(others).collect(),
    }
}

fn as_it_was(found: &Hindsight) -> PastPolicyJson {
    let any = found.outcomes.first();
    let node_hours = any.map_or(0.0, |any| node_hours(&any.rows, |row| row.node_nanos));
    PastPolicyJson {
        policy: "as-it-was",
        name: "as it was".to_owned(),
        cost: found.paid.to_decimal(),
        saving: Money::zero(found.paid.currency()).to_decimal(),
        at_least: false,
        unknown: Money::zero(found.paid.currency()).to_decimal(),
        node_hours,
        other_node_hours: node_hours,
        waits: 0,
        waiting: Vec::new(),
        deadlines_kept: Vec::new(),
        deadlines_missed: Vec::new(),
        deadlines_unknown: Vec::new(),
        stopped: Vec::new(),
        interruptions: None,
        breaks: Vec::new(),
        rows: Vec::new(),
        rows_of: 0,
    }
}

fn policy(outcome: &Outcome, deadlines: &Deadlines, of: Hind<'_>) -> PastPolicyJson {
    let (policy, name) = named(outcome.choice);
    let names = |all: &[WorkloadId]| {
        all.iter().take(of.limit).map(ToString::to_string).collect::<Vec<String>>()
    };
    let stopped = outcome.stopped.iter().take(of.limit).map(ToString::to_string).collect();
    let waiting = outcome.late.iter().take(of.limit).map(|late| PastWaitJson {
        workload: late.workload.to_string(),
        node: late.node.to_string(),
        at: time(late.at),
    });
    let is_unseen =
        |row: &&OutcomeRow| matches!(row.kept, Some(KeptAsItWas::Unseen | KeptAsItWas::NoOffer));
    PastPolicyJson {
        policy,
        name,
        cost: outcome.cost.to_decimal(),
        saving: outcome.saving.to_decimal(),
        at_least: matches!(outcome.choice, Choice::Reserve(_)),
        unknown: sum(outcome.rows.iter().filter(is_unseen), outcome, |row| row.was),
        node_hours: node_hours(&outcome.rows, |row| row.node_nanos),
        other_node_hours: node_hours(&outcome.rows, |row| row.other_nanos),
        waits: outcome.late_count,
        waiting: waiting.collect(),
        deadlines_kept: names(&deadlines.kept),
        deadlines_missed: names(&deadlines.missed),
        deadlines_unknown: names(&deadlines.unknown),
        stopped,
        interruptions: interruptions(outcome, of.spot),
        breaks: breaks(outcome, of),
        rows: rows(outcome, of.limit),
        rows_of: outcome.rows.len(),
    }
}

fn named(choice: Choice) -> (&'static str, String) {
    match choice {
        Choice::Release { after, idle_too: false } => {
            ("release", format!("idle nodes released after {after:#}"))
        }
        Choice::Release { after, idle_too: true } => {
            ("release-idle", format!("idle work stopped after {after:#} too"))
        }
        Choice::Reserve(free) => ("reserve", format!("{free} of each kind kept free")),
        Choice::Paid(purchase) => match purchase {
            Purchase::OnDemand => ("on-demand", "all nodes on demand".to_owned()),
            Purchase::Spot => ("spot", "all nodes on spot".to_owned()),
            Purchase::Reserved | Purchase::Owned => ("reserved", "all nodes reserved".to_owned()),
        },
        Choice::Cheapest => ("cheapest", "cheapest with these accelerators".to_owned()),
    }
}

/// What a choice would have broken, or nobody knows of it.
fn breaks(outcome: &Outcome, of: Hind<'_>) -> Vec<String> {
    let mut breaks = Vec::new();
    match outcome.choice {
        Choice::Release { .. } if outcome.late_count > 0 => breaks.push(format!(
            "work came to a node that was released {} times, and waits {:#} for another one to \
             boot; whether one could be had at once is not known",
            outcome.late_count, of.boot
        )),
        Choice::Reserve(_) => breaks.push(
            "whether the work fits onto fewer nodes, and could have been moved, is not known: it \
             is the least that any packing comes to"
                .to_owned(),
        ),
        Choice::Paid(Purchase::Spot) => breaks.push(of.spot.map_or_else(
            || "how often spot nodes are taken away is not known".to_owned(),
            |spot| {
                let up = spot.mean_up;
                format!("a spot node is taken away once in {up:#} ({})", spot.source)
            },
        )),
        Choice::Paid(Purchase::Reserved) => breaks.push(
            "what is reserved is paid for its whole term, also outside of this window".to_owned(),
        ),
        Choice::Release { .. } | Choice::Paid(_) => {}
        Choice::Cheapest => breaks.push(
            "data may have to move, and residency is not looked at: work runs in other places"
                .to_owned(),
        ),
    }
    if matches!(outcome.choice, Choice::Paid(_) | Choice::Cheapest) {
        breaks.push("prices are those of the book now; availability is not looked at".to_owned());
    }
    if !outcome.stopped.is_empty() {
        let count = outcome.stopped.len();
        breaks.push(format!("{count} workloads that verdicts call idle are stopped"));
    }
    breaks
}

/// How often nodes that are on spot then would be taken away, by the mean time between that.
fn interruptions(outcome: &Outcome, spot: Option<&SpotLoss>) -> Option<f64> {
    let changed = outcome.rows.iter().filter(|row| row.kept.is_none());
    let nanos: i128 = changed.map(|row| row.other_nanos).sum();
    let is_spot = outcome.choice == Choice::Paid(Purchase::Spot) && nanos > 0;
    let up = spot.filter(|_| is_spot)?.mean_up.as_nanos();
    (up > 0).then(|| decimal(Decimal::from_nano(nanos * 10 / up * 100_000_000)))
}

fn node_hours(rows: &[OutcomeRow], nanos: fn(&OutcomeRow) -> i128) -> f64 {
    let nodes = rows.iter().filter(|row| row.kept != Some(KeptAsItWas::NotANode));
    hours(nodes.map(nanos).sum(), 1)
}

/// A sum of a part of what fits.
fn sum<'a>(
    rows: impl Iterator<Item = &'a OutcomeRow>,
    outcome: &Outcome,
    amount: fn(&OutcomeRow) -> Money,
) -> String {
    let zero = Money::zero(outcome.cost.currency());
    rows.fold(zero, |sum, row| sum.checked_add(amount(row)).unwrap_or(sum)).to_decimal()
}

/// The first rows, and the rest as one.
fn rows(outcome: &Outcome, limit: usize) -> Vec<PastRowJson> {
    let listed = if outcome.rows.len() > limit { limit.saturating_sub(1) } else { limit };
    let mut json: Vec<PastRowJson> = outcome.rows.iter().take(listed).map(row).collect();
    let rest = outcome.rows.get(listed..).unwrap_or_default();
    if !rest.is_empty() {
        json.push(PastRowJson {
            offer: None,
            other: None,
            source: None,
            as_of: None,
            kept: None,
            was: sum(rest.iter(), outcome, |row| row.was),
            cost: sum(rest.iter(), outcome, |row| row.cost),
            node_hours: node_hours(rest, |row| row.node_nanos),
            other_node_hours: node_hours(rest, |row| row.other_nanos),
        });
    }
    json
}

fn row(row: &OutcomeRow) -> PastRowJson {
    PastRowJson {
        offer: Some(row.offer.to_string()),
        other: row.other.as_ref().map(ToString::to_string),
        source: row.price.as_ref().map(|price| price.source.clone()),
        as_of: row.price.as_ref().map(|price| price.as_of.to_string()),
        kept: row.kept.map(KeptAsItWas::why),
        was: row.was.to_decimal(),
        cost: row.cost.to_decimal(),
        node_hours: hours(row.node_nanos, 1),
        other_node_hours: hours(row.other_nanos, 1),
    }
}
