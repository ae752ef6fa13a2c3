//! What came out of a replay, in one shape for all formats, and how it is printed.
//!
//! The keys are fixed in the interface reference. A format adds keys of its own by `more`, and
//! may bring a text or a table that says more than the usual ones.

use crate::args::Output;
use crate::commands::print;
use crate::show;
use crate::table::{Align, Table};
use farthing_model::{Currency, Money};
use serde_json::{Map, Value, json};

/// What came out.
pub(super) struct Simulated {
    /// The trace, as it was named.
    pub(super) trace: String,
    /// Jobs of the trace.
    pub(super) jobs: usize,
    /// Of all amounts, where there are some.
    pub(super) currency: Option<Currency>,
    /// What no policy can be below, where that is provable.
    pub(super) lower_bound: Option<Money>,
    /// In the order in which they were named.
    pub(super) policies: Vec<Ran>,
    /// Keys of the format's own, beside `trace` and `policies`.
    pub(super) more: Map<String, Value>,
    /// Instead of the usual table, for people.
    pub(super) text: Option<String>,
    /// Instead of the usual table, for spreadsheets.
    pub(super) table: Option<Table>,
}

/// What came out under one policy. What is not known is `None`, never zero.
#[derive(Clone, Debug)]
pub(super) struct Ran {
    pub(super) name: &'static str,
    /// What the policy decided about: nodes that were there to be paid whatever it does are in it
    /// where the format says so.
    pub(super) cost: Option<Money>,
    pub(super) paid: Option<Money>,
    pub(super) used: Option<Money>,
    pub(super) idle: Option<Money>,
    /// Millionths of what there was.
    pub(super) utilisation_ppm: Option<i128>,
    pub(super) makespan_s: Option<i64>,
    pub(super) mean_jct_s: Option<i64>,
    pub(super) p99_jct_s: Option<i64>,
    pub(super) deadline_misses: Option<usize>,
    pub(super) completed: usize,
    pub(super) events: u64,
    pub(super) wall_ms: u64,
    /// Keys of the format's own.
    pub(super) more: Map<String, Value>,
}

impl Simulated {
    /// Prints it in the form that was asked for.
    pub(super) fn print(&self, output: Output) -> anyhow::Result<()> {
        let usual = || {
            let table = self.usual().to_text();
            format!("{}\n\n{table}", self.heading())
        };
        print(
            output,
            || Ok(self.text.clone().unwrap_or_else(usual)),
            || Ok(self.json()),
            || Ok(self.table.clone().unwrap_or_else(|| self.usual())),
        )
    }

    fn heading(&self) -> String {
        let bound = self.lower_bound.map(|bound| {
            let late = self.policies.iter().any(|ran| ran.deadline_misses.unwrap_or(0) > 0);
            let who = if late { "no policy that is in time" } else { "no policy" };
            format!(", {who} can be below {} {}", show::money(bound), bound.currency())
        });
        format!("{} jobs of {}{}", self.jobs, self.trace, bound.unwrap_or_default())
    }

    fn json(&self) -> Value {
        let policies: Map<String, Value> =
            self.policies.iter().map(|ran| (ran.name.to_owned(), ran.json())).collect();
        let mut answer = json!({
            "trace": self.trace,
            "jobs": self.jobs,
            "currency": self.currency.map(|currency| currency.to_string()),
            "lower_bound": self.lower_bound.map(Money::to_decimal),
            "policies": policies,
        });
        if let Some(answer) = answer.as_object_mut() {
            answer.extend(self.more.clone());
        }
        answer
    }

    /// A line for each policy.
    fn usual(&self) -> Table {
        let (l, r) = (Align::Left, Align::Right);
        let mut table = Table::new(&[
            ("policy", l),
            ("cost", r),
            ("paid", r),
            ("used", r),
            ("idle", r),
            ("utilisation", r),
            ("makespan", r),
            ("mean completion", r),
            ("p99 completion", r),
            ("late", r),
            ("completed", r),
            ("events", r),
            ("took", r),
        ]);
        self.policies.iter().for_each(|ran| table.row(ran.cells()));
        table
    }
}

impl Ran {
    /// For programs.
    pub(super) fn json(&self) -> Value {
        let money = |amount: Option<Money>| amount.map(Money::to_decimal);
        let mut row = json!({
            "cost": money(self.cost),
            "paid": money(self.paid),
            "used": money(self.used),
            "idle": money(self.idle),
            "utilisation": self.utilisation_ppm.map(part),
            "makespan_s": self.makespan_s,
            "mean_jct_s": self.mean_jct_s,
            "p99_jct_s": self.p99_jct_s,
            "deadline_misses": self.deadline_misses,
            "completed": self.completed,
            "events": self.events,
            "wall_ms": self.wall_ms,
        });
        if let Some(row) = row.as_object_mut() {
            row.extend(self.more.clone());
        }
        row
    }

    fn cells(&self) -> [String; 13] {
        let money = |amount: Option<Money>| amount.map_or_else(unknown, show::money);
        let time = |seconds: Option<i64>| seconds.map_or_else(unknown, length);
        [
            self.name.to_owned(),
            money(self.cost),
            money(self.paid),
            money(self.used),
            money(self.idle),
            self.utilisation_ppm.map_or_else(unknown, |ppm| format!("{:.1} %", part(ppm) * 100.0)),
            time(self.makespan_s),
            time(self.mean_jct_s),
            time(self.p99_jct_s),
            self.deadline_misses.map_or_else(unknown, |late| late.to_string()),
            self.completed.to_string(),
            self.events.to_string(),
            format!("{} ms", self.wall_ms),
        ]
    }
}

fn unknown() -> String {
    "-".to_owned()
}

fn length(seconds: i64) -> String {
    show::duration(jiff::SignedDuration::from_secs(seconds))
}

/// One amount as millionths of another; nothing is no part of anything.
pub(super) fn ppm(part: Money, whole: Money) -> Option<i128> {
    let scaled = part.pico().checked_mul(1_000_000)?;
    scaled.checked_div(whole.pico())
}

/// What 99 of a hundred are not above, of numbers in order.
pub(super) fn p99<T: Copy>(sorted: &[T]) -> Option<T> {
    sorted.get((sorted.len() * 99).div_ceil(100).saturating_sub(1)).copied()
}

#[allow(clippy::cast_precision_loss, reason = "a ratio to print")]
pub(super) fn part(ppm: i128) -> f64 {
    ppm as f64 / 1e6
}
