//! Contiguous excerpts of public traces, and the shape of a day.

use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::table::{Csv, Table, write_csv};

const SECOND: i64 = 1_000_000_000;

/// 2017-11-14 00:00:00 (Tuesday) to 2017-11-16 00:00:00, the trace's own clock, in nanoseconds
/// since 1970.
pub(crate) const PHILLY: (i64, i64) = (1_510_617_600 * SECOND, 1_510_790_400 * SECOND);
/// 2023-11-16 18:20:00 to 18:35:00, the trace's own clock.
pub(crate) const CONVERSATION: (i64, i64) = (1_700_158_800 * SECOND, 1_700_159_700 * SECOND);

/// Jobs of the span: offset of submission in whole seconds, run time, GPUs, virtual cluster. No row
/// is dropped.
pub(crate) fn philly(shared: &Path) -> Result<(String, usize)> {
    let table = Table::open(&shared.join("data/philly/philly_jobs.parquet"))?;
    let (times, vcs) = (table.integers("submit_time")?, table.texts("vc")?);
    let (durations, gpus) = (table.integers("duration_s")?, table.integers("num_gpus")?);
    let mut rows = Vec::new();
    for at in span(&times, PHILLY)? {
        let offset = (times[at] - PHILLY.0) / SECOND;
        rows.push([
            offset.to_string(),
            durations[at].to_string(),
            gpus[at].to_string(),
            vcs[at].clone(),
        ]);
    }
    Ok((write_csv(&["submit_s", "duration_s", "num_gpus", "vc"], &rows)?, rows.len()))
}

/// Requests of the span: offset in whole milliseconds (cut), tokens in, tokens out. No row is
/// dropped.
pub(crate) fn conversation(shared: &Path) -> Result<(String, usize)> {
    let table = Table::open(&shared.join("data/azure-llm-2023/conv.parquet"))?;
    let times = table.integers("ts")?;
    let (context, generated) =
        (table.integers("context_tokens")?, table.integers("generated_tokens")?);
    let mut rows = Vec::new();
    for at in span(&times, CONVERSATION)? {
        let offset = (times[at] - CONVERSATION.0) / (SECOND / 1000);
        rows.push([offset.to_string(), context[at].to_string(), generated[at].to_string()]);
    }
    Ok((write_csv(&["offset_ms", "context_tokens", "generated_tokens"], &rows)?, rows.len()))
}

/// Row numbers within a half-open span; the source must be in the order of time.
fn span(times: &[i64], (from, to): (i64, i64)) -> Result<std::ops::Range<usize>> {
    ensure!(times.is_sorted(), "the source is not in the order of time");
    Ok(times.partition_point(|&time| time < from)..times.partition_point(|&time| time < to))
}

/// The day's shape: requests of each hour over the mean hour, in thousandths, the largest
/// remainders rounded up so that the mean is 1.000 exactly.
pub(crate) fn day_shape(shared: &Path) -> Result<String> {
    let path = shared.join("data/burstgpt-aggregates/hourly_avg.csv");
    let csv =
        Csv::read(std::fs::File::open(&path).with_context(|| format!("no {}", path.display()))?)?;
    let column = csv.index("rph")?;
    let hours: Result<Vec<i128>> = csv
        .rows
        .iter()
        .map(|row| Ok(crate::decimal::Decimal::parse(&row[column])?.units()))
        .collect();
    let thousandths = thousandths(&hours?)?;
    let rows: Vec<[String; 2]> = thousandths
        .iter()
        .enumerate()
        .map(|(hour, part)| [hour.to_string(), format!("{}.{:03}", part / 1000, part % 1000)])
        .collect();
    write_csv(&["hour", "factor"], &rows)
}

/// Shares of `1000 x len` by largest remainder, ties to the earlier one.
pub(crate) fn thousandths(amounts: &[i128]) -> Result<Vec<i128>> {
    let total: i128 = amounts.iter().sum();
    ensure!(total > 0, "nothing to share");
    let whole = 1000 * i128::try_from(amounts.len())?;
    let mut shares: Vec<i128> = amounts.iter().map(|amount| amount * whole / total).collect();
    let mut order: Vec<usize> = (0..amounts.len()).collect();
    order.sort_by_key(|&at| (-(amounts[at] * whole % total), at));
    let missing = usize::try_from(whole - shares.iter().sum::<i128>())?;
    for &at in order.iter().take(missing) {
        shares[at] += 1;
    }
    Ok(shares)
}
