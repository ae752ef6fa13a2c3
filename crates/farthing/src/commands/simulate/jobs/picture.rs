//! Three views of the runs: cost over time, utilisation by day and hour, completion times.

use super::answer::paid_by_hour;
use super::asked::Wanted;
use super::runs::Ran;
use crate::plot::replay::{Heat, Replay, Row};

/// The picture of the first seed and value of each policy.
pub(super) fn picture(wanted: &Wanted, all: &[Ran]) -> anyhow::Result<String> {
    let first = |rule| all.iter().find(|ran| ran.rule == rule && ran.variant == 0);
    let mut rows = Vec::new();
    for ran in wanted.rules.iter().filter_map(|rule| first(*rule)) {
        let hours = &ran.run.posted.hours;
        let heat = hours.iter().map(|hour| Heat {
            from_s: hour.from_s,
            paid: crate::plot::whole(hour.paid),
            used: crate::plot::whole(hour.used),
        });
        rows.push(Row {
            name: ran.rule.name(),
            paid: paid_by_hour(ran)?,
            heat: heat.collect(),
            took_s: &ran.run.took_s,
        });
    }
    let jobs = all.first().map_or(0, |ran| ran.run.jobs);
    let title = format!("{jobs} jobs of {} under {} policies", wanted.format, rows.len());
    Ok(Replay { title: &title, rows: &rows }.picture())
}
