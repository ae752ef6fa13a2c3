//! How often the search for anomalies cries wolf on load that was recorded: the Philly cluster,
//! node by node and virtual cluster by virtual cluster, and how soon it finds a doubling there.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failed test")]
#![allow(clippy::print_stdout, reason = "what was measured is told")]

use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampSecondType,
};
use arrow_array::{Array as _, ArrayRef, RecordBatch};
use farthing_ledger::anomaly;
use farthing_model::{Currency, Money};
use jiff::{SignedDuration, Timestamp};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

type Hours = BTreeMap<Timestamp, Money>;

const HOUR_S: i64 = 3_600;

fn data(name: &str) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/philly");
    let path = folder.join(name);
    if path.exists() {
        return Some(path);
    }
    assert!(!folder.exists() || std::env::var_os("CI").is_none(), "{} is missing", path.display());
    println!("skipped: {} is not here", path.display());
    None
}

fn batches(path: &Path) -> Vec<RecordBatch> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    reader.build().unwrap().map(Result::unwrap).collect()
}

/// A column as whole numbers, whatever width it has; times in seconds.
fn whole(column: &ArrayRef) -> Vec<i64> {
    let rows = 0..column.len();
    if let Some(column) = column.as_primitive_opt::<Int64Type>() {
        return rows.map(|row| column.value(row)).collect();
    }
    if let Some(column) = column.as_primitive_opt::<Int32Type>() {
        return rows.map(|row| i64::from(column.value(row))).collect();
    }
    if let Some(column) = column.as_primitive_opt::<Int16Type>() {
        return rows.map(|row| i64::from(column.value(row))).collect();
    }
    if let Some(column) = column.as_primitive_opt::<Int8Type>() {
        return rows.map(|row| i64::from(column.value(row))).collect();
    }
    if let Some(column) = column.as_primitive_opt::<TimestampMillisecondType>() {
        return rows.map(|row| column.value(row).div_euclid(1_000)).collect();
    }
    if let Some(column) = column.as_primitive_opt::<TimestampSecondType>() {
        return rows.map(|row| column.value(row)).collect();
    }
    if let Some(column) = column.as_primitive_opt::<TimestampMicrosecondType>() {
        return rows.map(|row| column.value(row).div_euclid(1_000_000)).collect();
    }
    if let Some(column) = column.as_primitive_opt::<Float64Type>() {
        #[allow(clippy::cast_possible_truncation, reason = "seconds of a trace")]
        return rows.map(|row| column.value(row) as i64).collect();
    }
    panic!("{:?} is not read here", column.data_type())
}

/// A column of names, whichever way it is kept.
fn names(column: &ArrayRef) -> Vec<String> {
    if let Some(names) = column.as_string_opt::<i32>() {
        return names.iter().map(|name| name.unwrap().to_owned()).collect();
    }
    if let Some(names) = column.as_string_opt::<i64>() {
        return names.iter().map(|name| name.unwrap().to_owned()).collect();
    }
    if let Some(names) = column.as_string_view_opt() {
        return names.iter().map(|name| name.unwrap().to_owned()).collect();
    }
    if let Some(words) = column.as_any_dictionary_opt() {
        let values = names(words.values());
        return words.normalized_keys().into_iter().map(|key| values[key].clone()).collect();
    }
    whole(column).into_iter().map(|number| number.to_string()).collect()
}

/// Whole units of a minute or a second as money: only how they compare matters.
fn hours(sums: &BTreeMap<i64, i64>) -> Hours {
    let (first, last) = (*sums.keys().next().unwrap(), *sums.keys().last().unwrap());
    (first..=last)
        .map(|hour| {
            let spent = sums.get(&hour).copied().unwrap_or(0);
            let at = Timestamp::from_second(hour * HOUR_S).unwrap();
            (at, Money::from_pico(i128::from(spent) * 1_000_000, Currency::USD))
        })
        .collect()
}

/// Runs of hours that are called anomalies, and hours of which anything can be said.
fn alarms(hours: &Hours) -> (usize, usize) {
    let (mut runs, mut before, mut judged) = (0, false, 0);
    for hour in hours.keys() {
        judged += usize::from(farthing_ledger::usual(hours, *hour).unwrap().is_some());
        let now = anomaly(hours, *hour).unwrap().is_some();
        runs += usize::from(now && !before);
        before = now;
    }
    (runs, judged)
}

/// Plants a doubling that lasts six hours, at an hour each: how many are found within two hours.
fn found(hours: &Hours) -> (usize, usize) {
    let starts: Vec<Timestamp> = hours.keys().copied().skip(8 * 7 * 24).step_by(23).collect();
    let (mut found, mut planted) = (0, 0);
    for start in starts {
        let end = start + SignedDuration::from_hours(6);
        let mut doubled = hours.clone();
        for (_, money) in doubled.range_mut(start..end) {
            *money = money.checked_mul_int(2).unwrap();
        }
        let second = start + SignedDuration::from_hours(1);
        if !hours.contains_key(&second) || hours[&start].is_zero() {
            continue;
        }
        planted += 1;
        found += usize::from(anomaly(&doubled, second).unwrap().is_some());
    }
    (found, planted)
}

#[test]
fn the_nodes_of_a_recorded_cluster_raise_few_alarms() {
    let Some(path) = data("philly_node_sequence.parquet") else { return };
    let mut sums = BTreeMap::new();
    for batch in batches(&path) {
        let times = whole(batch.column_by_name("time").unwrap());
        let active = whole(batch.column_by_name("nodes_active").unwrap());
        for (time, active) in times.into_iter().zip(active) {
            *sums.entry(time.div_euclid(HOUR_S)).or_default() += active;
        }
    }
    let hours = hours(&sums);
    let (runs, judged) = alarms(&hours);
    let (found, planted) = found(&hours);
    println!(
        "philly nodes: {runs} alarms in {judged} hours; {found} of {planted} doublings found \
         within two hours"
    );
    // About one in two weeks at most, and four of five doublings.
    assert!(judged > 1_000 && runs * 24 * 14 <= judged, "{runs} in {judged}");
    assert!(found * 100 >= planted * 80, "{found} of {planted}");
}

#[test]
fn the_teams_of_a_recorded_cluster_raise_alarms_that_are_counted() {
    let Some(path) = data("philly_jobs.parquet") else { return };
    let mut teams: BTreeMap<String, BTreeMap<i64, i64>> = BTreeMap::new();
    for batch in batches(&path) {
        let submitted = whole(batch.column_by_name("submit_time").unwrap());
        let lengths = whole(batch.column_by_name("duration_s").unwrap());
        let gpus = whole(batch.column_by_name("num_gpus").unwrap());
        let vc = names(batch.column_by_name("vc").unwrap());
        for (row, from) in submitted.into_iter().enumerate() {
            let sums = teams.entry(vc[row].clone()).or_default();
            let to = from + lengths[row].clamp(0, 30 * 24 * HOUR_S);
            for hour in from.div_euclid(HOUR_S)..=to.div_euclid(HOUR_S) {
                let inside = to.min((hour + 1) * HOUR_S) - from.max(hour * HOUR_S);
                *sums.entry(hour).or_default() += inside * gpus[row];
            }
        }
    }
    let (mut runs, mut judged, mut steady) = (0, 0, (0, 0));
    for sums in teams.values() {
        let hours = hours(sums);
        let (more, of) = alarms(&hours);
        (runs, judged) = (runs + more, judged + of);
        // A team that spends most hours: of one that runs a job now and then nothing is usual.
        let busy = hours.values().filter(|money| !money.is_zero()).count();
        if busy * 10 >= hours.len() * 9 {
            steady = (steady.0 + more, steady.1 + of);
        }
    }
    println!(
        "philly virtual clusters: {runs} alarms in {judged} hours of {} teams; of those that spend \
         in nine of ten hours {} in {}",
        teams.len(),
        steady.0,
        steady.1
    );
    assert!(judged > 1_000);
}
