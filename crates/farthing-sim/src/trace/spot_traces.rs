//! Long recordings of spot availability, cut into windows as studies of spot with deadlines do.
//!
//! One row for each probe: `zone`, `hw` (a kind of machine), `hw_count` (of them on a node), `tick`
//! (from 0, ascending), `available` (how many nodes could be had; 1 and 0 where one was asked for),
//! and where there are some `set` or `campaign` (which recording) and `gap_s` (seconds between two
//! probes; ten minutes where nothing is said). Parquet or CSV. Raw probes of some publish the
//! inverse of `available`: here 1 is always "there was spot".
//!
//! Source: <https://github.com/skypilot-org/spot-traces>. Spot is there in a tick of ten minutes if
//! every probe in it found enough.

use super::jobs::source::{Columns, Source, within};
use super::table::TraceError;
use super::windows::SpotWindow;
use std::path::Path;

const COLUMNS: Columns = Columns {
    needed: &["zone", "hw", "hw_count", "tick", "available"],
    more: &["set", "campaign", "gap_s"],
    separator: b',',
};
/// Probes that are read.
const PROBES_MAX: u64 = 10_000_000;

/// One recording, as it is read.
struct Recording {
    env: String,
    gap_s: i64,
    /// The next probe.
    next: i64,
    ticks: Vec<bool>,
}

/// Reads recordings and cuts each into windows of so many ticks, numbered from 0; what is left at
/// the end is no window. Spot is there where so many nodes are.
///
/// # Errors
/// The file cannot be read or lacks a column; a value is not what its column holds; probes are
/// missing, twice or out of order; no recording is as long as a window.
pub fn read_spot_traces(
    path: &Path,
    (nodes, ticks): (u32, usize),
) -> Result<Vec<SpotWindow>, TraceError> {
    let names = ["spot_traces.parquet", "spot_traces.csv", "spot_traces.csv.gz"];
    let mut source = Source::open(&within(path, &names), COLUMNS)?;
    let (mut all, mut rows) = (Vec::<Recording>::new(), 0);
    while source.advance()? {
        rows += 1;
        if rows > PROBES_MAX {
            return Err(source.error(format!("more than {PROBES_MAX} rows are not read")));
        }
        probe(&source, &mut all, nodes).map_err(|what| source.error(what))?;
    }
    if all.is_empty() {
        return Err(source.fault("it has no rows".to_owned()));
    }
    let (length, mut windows) = (ticks.max(1), Vec::new());
    for recording in &all {
        for (window, available) in (0..).zip(recording.ticks.chunks_exact(length)) {
            let (env, available) = (recording.env.clone(), available.to_vec());
            windows.push(SpotWindow { env, window, available });
        }
    }
    if windows.is_empty() {
        let hours = length as u64 * 600 / 3_600;
        return Err(source.fault(format!("no recording is {hours} h long, as a window is to be")));
    }
    Ok(windows)
}

/// Takes in a row.
fn probe(source: &Source, all: &mut Vec<Recording>, nodes: u32) -> Result<(), String> {
    let cells = &source.cells;
    let (zone, hardware) = (cells.text(0), cells.text(1));
    let count = cells.whole(2, "a number of machines")?;
    let tick = cells.whole(3, "a number of a probe")?;
    let available = cells.whole(4, "a number of nodes")?;
    let gap_s = if cells.has(7) { cells.seconds(7, 1)? } else { SpotWindow::TICK_S };
    if !(1..=SpotWindow::TICK_S).contains(&gap_s) {
        let most = SpotWindow::TICK_S;
        return Err(format!("gap_s {gap_s} is no number of seconds from 1 to {most}"));
    }
    if available < 0 {
        return Err(format!("available {available} is no number of nodes"));
    }
    let recording = if cells.has(5) { cells.text(5) } else { cells.text(6) };
    let recording = recording.rsplit('/').next().unwrap_or_default();
    let env = [zone, hardware, &count.to_string(), recording]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join("_");
    if all.last().is_none_or(|last| last.env != env) {
        if all.iter().any(|before| before.env == env) {
            return Err(format!("{env} is there twice: its rows must follow each other"));
        }
        all.push(Recording { env, gap_s, next: 0, ticks: Vec::new() });
    }
    let Some(last) = all.last_mut() else { return Ok(()) };
    if tick != last.next || gap_s != last.gap_s {
        let (due, gap) = (last.next, last.gap_s);
        let env = &last.env;
        return Err(format!("probe {tick} of {env}, where {due} is due {gap} s after the last"));
    }
    last.next += 1;
    let at = usize::try_from(tick * gap_s / SpotWindow::TICK_S).unwrap_or(usize::MAX);
    let there = available >= i64::from(nodes);
    match last.ticks.get_mut(at) {
        Some(before) => *before &= there,
        None => last.ticks.push(there),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn read(rows: &str, cut: (u32, usize)) -> Result<Vec<SpotWindow>, String> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let head = "set,zone,hw,hw_count,tick,gap_s,available\n";
        file.write_all(format!("{head}{rows}").as_bytes()).unwrap();
        let name = file.path().display().to_string();
        read_spot_traces(file.path(), cut).map_err(|error| error.to_string().replace(&name, "s"))
    }

    #[test]
    fn probes_become_ticks_and_recordings_windows() {
        let probes = [4, 4, 3, 4, 4, 2, 0];
        let row = |(tick, there)| format!("x/a,z,v100,1,{tick},300,{there}\n");
        let rows: String = (0..).zip(probes).map(row).collect();
        let of = |cut| {
            let windows = read(&rows, cut).unwrap();
            windows.into_iter().map(|window| window.available).collect::<Vec<_>>()
        };
        // Two probes each tick; the last tick has one.
        assert_eq!(of((1, 4)), [[true, true, true, false]]);
        assert_eq!(of((4, 2)), [[true, false], [false, false]]);
        assert_eq!(read(&rows, (1, 2)).unwrap()[1].env, "z_v100_1_a");
        assert_eq!(read(&rows, (1, 2)).unwrap()[1].window, 1);
        assert!(read(&rows, (1, 6)).unwrap_err().contains("no recording is 1 h long"));
    }

    #[test]
    fn wrong_rows_are_named() {
        let wrong = |rows: &str| read(rows, (1, 1)).unwrap_err();
        assert_eq!(
            wrong("a,z,k80,1,0,600,1\na,z,k80,1,2,600,1\n"),
            "s, line 3: probe 2 of z_k80_1_a, where 1 is due 600 s after the last"
        );
        assert!(wrong("a,z,k80,1,0,0,1\n").contains("gap_s 0 is no number of seconds"));
        assert!(wrong("a,z,k80,1,0,600,-1\n").contains("available -1 is no number of nodes"));
        let again = "a,z,k80,1,0,600,1\nb,z,k80,1,0,600,1\na,z,k80,1,1,600,1\n";
        assert!(wrong(again).contains("z_k80_1_a is there twice"));
        assert!(wrong("").contains("it has no rows"));
    }
}
