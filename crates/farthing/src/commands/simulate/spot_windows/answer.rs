//! What a replay found: means of each policy by setting and by environment, and every run.

use super::asked::Jobs;
use crate::commands::simulate::result::{Ran, Simulated, p99, ppm};
use crate::plot;
use crate::plot::lines::{Axes, Series};
use crate::table::{Align, Table};
use farthing_model::{Currency, Money};
use farthing_sim::spot::{SpotRule, SpotRun};
use farthing_sim::trace::SpotWindow;
use serde_json::{Map, Value, json};
use std::path::Path;
use std::time::Duration;

/// The runs of one policy.
pub(super) struct Column {
    pub(super) rule: SpotRule,
    pub(super) runs: Vec<SpotRun>,
    pub(super) took: Duration,
}

/// All of them.
pub(super) struct Answer<'a> {
    pub(super) trace: &'a Path,
    pub(super) asked: &'a Jobs,
    pub(super) windows: &'a [&'a SpotWindow],
    pub(super) columns: &'a [Column],
}

impl Answer<'_> {
    /// The sum of what runs cost, of those that are asked for, and how many they are.
    fn sum(
        &self,
        column: &Column,
        wanted: impl Fn(&SpotRun) -> bool,
    ) -> anyhow::Result<(Money, usize)> {
        let costs: Vec<Money> =
            column.runs.iter().filter(|run| wanted(run)).map(|run| run.cost).collect();
        let currency = self.asked.terms[0].spot_hour.currency();
        Ok((Money::sum(costs.iter().copied(), currency)?, costs.len()))
    }

    fn optimum(&self) -> Option<&Column> {
        self.columns.iter().find(|column| column.rule == SpotRule::Optimal)
    }

    /// A line of means: in money and, where the optimum is known, over it.
    fn line(&self, name: String, wanted: impl Fn(&SpotRun) -> bool) -> anyhow::Result<Vec<String>> {
        let least = self.optimum().map(|column| self.sum(column, &wanted)).transpose()?;
        let mut cells = vec![name];
        for column in self.columns {
            let (sum, count) = self.sum(column, &wanted)?;
            let mean = sum.div_rem(i128::try_from(count.max(1))?)?.0;
            cells.push(match least {
                Some((least, _)) if column.rule != SpotRule::Optimal => ratio(sum, least),
                _ => mean.rounded(2),
            });
        }
        Ok(cells)
    }

    /// For people.
    fn text(&self) -> anyhow::Result<String> {
        let mut header: Vec<(&'static str, Align)> = vec![("", Align::Left)];
        header.extend(self.columns.iter().map(|column| (column.rule.name(), Align::Right)));
        let mut table = Table::new(&header);
        for (at, [deadline, overhead]) in self.asked.names.iter().enumerate() {
            let name = format!("deadline {deadline}, overhead {overhead}");
            table.row(self.line(name, |run| run.terms == at)?);
        }
        let mut envs: Vec<&str> = self.windows.iter().map(|window| window.env.as_str()).collect();
        envs.dedup();
        for env in envs {
            table.row(self.line(env.to_owned(), |run| self.windows[run.window].env == env)?);
        }
        table.row(self.line("all".to_owned(), |_| true)?);
        let late = |column: &Column| column.runs.iter().filter(|run| run.late).count().to_string();
        table.row(std::iter::once("late".to_owned()).chain(self.columns.iter().map(late)));
        let took = |column: &Column| format!("{} ms", column.took.as_millis());
        table.row(std::iter::once("took".to_owned()).chain(self.columns.iter().map(took)));
        let jobs = self.windows.len() * self.asked.terms.len();
        let what = match self.optimum() {
            Some(_) => "mean cost of `optimal`, and the cost of the others over it",
            None => "mean cost",
        };
        Ok(format!("{jobs} jobs, {what}\n\n{}", table.to_text()))
    }

    /// In the shape that all formats have.
    pub(super) fn simulated(&self) -> anyhow::Result<Simulated> {
        let least = self.optimum().map(|column| self.sum(column, |_| true)).transpose()?;
        let policies = self.columns.iter().map(|column| self.policy(column));
        Ok(Simulated {
            trace: self.trace.display().to_string(),
            jobs: self.windows.len() * self.asked.terms.len(),
            currency: Some(Currency::USD),
            lower_bound: least.map(|(sum, _)| sum),
            policies: policies.collect::<anyhow::Result<_>>()?,
            more: Map::new(),
            text: Some(self.text()?),
            table: Some(self.table()),
        })
    }

    fn policy(&self, column: &Column) -> anyhow::Result<Ran> {
        let (cost, _) = self.sum(column, |_| true)?;
        let used: Option<Vec<Money>> = column.runs.iter().map(|run| run.used).collect();
        let used = used.map(|all| Money::sum(all, cost.currency())).transpose()?;
        let mut ends: Vec<i64> = column.runs.iter().filter_map(|run| run.finished_s).collect();
        ends.sort_unstable();
        let count = i64::try_from(ends.len())?;
        let late = column.runs.iter().filter(|run| run.late).count();
        let known = column.rule == SpotRule::Optimal;
        let overruled: u64 = column.runs.iter().map(|run| u64::from(run.overruled)).sum();
        let rows: Vec<Value> = column.runs.iter().map(|run| self.row(run)).collect();
        let more = [("overruled", json!(overruled)), ("rows", json!(rows))];
        Ok(Ran {
            name: column.rule.name(),
            cost: Some(cost),
            paid: Some(cost),
            used,
            idle: used.map(|used| cost.checked_sub(used)).transpose()?,
            utilisation_ppm: used.and_then(|used| ppm(used, cost)),
            makespan_s: ends.last().copied(),
            mean_jct_s: (count > 0).then(|| ends.iter().sum::<i64>() / count),
            p99_jct_s: p99(&ends),
            deadline_misses: Some(late),
            completed: if known { column.runs.len() - late } else { ends.len() },
            events: column.runs.iter().map(|run| u64::from(run.ticks)).sum(),
            wall_ms: u64::try_from(column.took.as_millis())?,
            more: more.map(|(key, value)| (key.to_owned(), value)).into_iter().collect(),
        })
    }

    fn row(&self, run: &SpotRun) -> Value {
        let window = self.windows[run.window];
        let [deadline, overhead] = &self.asked.names[run.terms];
        json!({
            "env": window.env,
            "window": window.window,
            "deadline": deadline,
            "overhead": overhead,
            "deadline_s": self.asked.terms[run.terms].deadline_s,
            "overhead_s": self.asked.terms[run.terms].overhead_s,
            "cost": run.cost.to_decimal(),
            "late": run.late,
            "finished_s": run.finished_s,
        })
    }

    /// For spreadsheets: every run.
    fn table(&self) -> Table {
        let names = ["policy", "env", "window", "deadline", "overhead", "cost", "late"];
        let mut table = Table::new(&names.map(|name| (name, Align::Left)));
        for column in self.columns {
            for run in &column.runs {
                let window = self.windows[run.window];
                let [deadline, overhead] = &self.asked.names[run.terms];
                table.row([
                    column.rule.name().to_owned(),
                    window.env.clone(),
                    window.window.to_string(),
                    deadline.clone(),
                    overhead.clone(),
                    run.cost.to_decimal(),
                    run.late.to_string(),
                ]);
            }
        }
        table
    }

    /// Mean cost of each policy over the slack of the deadlines, all overheads together.
    pub(super) fn picture(&self) -> anyhow::Result<String> {
        let mut deadlines: Vec<i64> =
            self.asked.terms.iter().map(|terms| terms.deadline_s).collect();
        deadlines.sort_unstable();
        deadlines.dedup();
        let mut all = Vec::new();
        for column in self.columns {
            let mut points = Vec::new();
            for deadline_s in &deadlines {
                let of = |run: &SpotRun| self.asked.terms[run.terms].deadline_s == *deadline_s;
                let (sum, count) = self.sum(column, of)?;
                let mean = sum.div_rem(i128::try_from(count.max(1))?)?.0;
                points.push((
                    hours(*deadline_s - self.asked.terms[0].work_s),
                    Some(plot::whole(mean)),
                ));
            }
            all.push(Series { name: column.rule.name().to_owned(), points, steps: false });
        }
        let axes = Axes {
            x: "hours to the deadline beyond those of work",
            y: "mean cost, USD",
            mark: None,
        };
        let jobs = self.windows.len() * self.asked.terms.len();
        Ok(plot::lines::picture(&format!("{jobs} jobs on spot with a deadline"), &axes, &all))
    }
}

/// A sum over another, to three places.
fn ratio(sum: Money, of: Money) -> String {
    if of.is_zero() {
        return "-".to_owned();
    }
    format!("{:.4}", plot::whole(sum) / plot::whole(of))
}

#[allow(clippy::cast_precision_loss, reason = "a length on paper")]
fn hours(seconds: i64) -> f64 {
    seconds as f64 / 3_600.0
}
