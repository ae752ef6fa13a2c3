//! How long a spot machine stays, and how long none is to be had: totals over observed
//! availability.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;

use crate::table::{Table, write_csv};

/// Set, zone, hardware, count.
type Series<'a> = (&'a str, &'a str, &'a str, i64);

/// Observed seconds up and down, and the changes between them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spells {
    pub(crate) series: u32,
    pub(crate) up_s: i64,
    pub(crate) down_s: i64,
    pub(crate) losses: i64,
    pub(crate) gains: i64,
}

impl Spells {
    /// Adds one series of equally spaced observations; each holds for one gap.
    pub(crate) fn observe(&mut self, available: &[bool], gap_s: i64) {
        self.series += 1;
        for (at, &up) in available.iter().enumerate() {
            *(if up { &mut self.up_s } else { &mut self.down_s }) += gap_s;
            match available.get(at + 1) {
                Some(false) if up => self.losses += 1,
                Some(true) if !up => self.gains += 1,
                _ => {}
            }
        }
    }

    /// Mean spells in thousandths of an hour. Time divided by *ended* spells: the estimate for
    /// spells that the observation may cut short at either end (exponential, right-censored); none
    /// ended means no estimate.
    fn means(self) -> (Option<i64>, Option<i64>) {
        let mean =
            |time: i64, ended: i64| (ended > 0).then(|| (time * 1000 / 3600 + ended / 2) / ended);
        (mean(self.up_s, self.losses), mean(self.down_s, self.gains))
    }
}

/// `data/spot.csv`: the single-node sets (the polarity of the multi-node sets is not checked at the
/// source).
pub(crate) fn csv(shared: &Path) -> Result<String> {
    let table = Table::open(&shared.join("data/spot-traces/spot_traces.parquet"))?;
    let (sets, zones, hardware) = (table.texts("set")?, table.texts("zone")?, table.texts("hw")?);
    let (counts, ticks) = (table.integers("hw_count")?, table.integers("tick")?);
    let (gaps, available) = (table.integers("gap_s")?, table.integers("available")?);
    let mut series: BTreeMap<Series<'_>, Vec<(i64, i64, bool)>> = BTreeMap::new();
    for at in (0..sets.len()).filter(|&at| sets[at].contains("/1-node/")) {
        let key = (sets[at].as_str(), zones[at].as_str(), hardware[at].as_str(), counts[at]);
        series.entry(key).or_default().push((ticks[at], gaps[at], available[at] == 1));
    }
    let mut pools: BTreeMap<&str, Spells> = BTreeMap::new();
    for ((set, ..), mut points) in series {
        points.sort_unstable();
        let up: Vec<bool> = points.iter().map(|point| point.2).collect();
        let provider = if set.contains("/gcp-") { "gcp" } else { "aws" };
        for pool in [provider, "any"] {
            pools.entry(pool).or_default().observe(&up, points[0].1);
        }
    }
    write(&pools)
}

fn write(pools: &BTreeMap<&str, Spells>) -> Result<String> {
    let shown = |mean: Option<i64>| {
        mean.map_or(String::new(), |mean| format!("{}.{:03}", mean / 1000, mean % 1000))
    };
    let mut rows = Vec::new();
    for (provider, spells) in pools {
        let (up, down) = spells.means();
        let ended =
            [spells.series.to_string(), spells.losses.to_string(), spells.gains.to_string()];
        let [series, losses, gains] = ended;
        let (source, as_of) = ("skypilot spot-traces 221da1ab", "2023-05-02");
        rows.push([
            (*provider).to_owned(),
            shown(up),
            shown(down),
            series,
            losses,
            gains,
            source.to_owned(),
            as_of.to_owned(),
        ]);
    }
    let header = [
        "provider",
        "mean_up_hours",
        "mean_down_hours",
        "series",
        "losses",
        "gains",
        "source",
        "as_of",
    ];
    write_csv(&header, &rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_over_ended_spells() {
        let mut spells = Spells::default();
        spells.observe(&[true, true, false, true], 3600);
        let expected = Spells { series: 1, up_s: 10_800, down_s: 3600, losses: 1, gains: 1 };
        assert_eq!(spells, expected);
        assert_eq!(spells.means(), (Some(3000), Some(1000)));
        assert_eq!(Spells::default().means(), (None, None));
    }
}
