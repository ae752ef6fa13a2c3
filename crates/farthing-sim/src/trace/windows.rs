//! Windows of spot availability, as studies of spot with deadlines replay them.
//!
//! One row for each tick: `env` (a zone, a kind of machine, a count), `window` (a number in it),
//! `tick` (from 0, ten minutes each) and `available` (1 where spot can be had at that tick, else 0;
//! some publish the inverse; or how many nodes, for gangs of several). Rows of a window follow each
//! other in the order of ticks. Parquet or CSV, told apart by content, read in batches.

use super::table::{ROWS_MAX, TraceError, rows};
use arrow_array::cast::AsArray as _;
use arrow_array::types::{Int8Type, Int16Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, RecordBatch};
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use std::fs::File;
use std::io::{BufReader, Read as _, Seek as _};
use std::path::Path;

const COLUMNS: [&str; 4] = ["env", "window", "tick", "available"];
/// What a file of Parquet begins with.
const MAGIC: &[u8; 4] = b"PAR1";
/// Ticks that a window may have.
const TICKS_MAX: i64 = 100_000;

/// A window: whether spot was there at each tick.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpotWindow {
    /// The zone and kind of machine.
    pub env: String,
    /// Its number among the windows of this environment.
    pub window: u32,
    /// Whether spot was there, for each tick of [`SpotWindow::TICK_S`] seconds.
    pub available: Vec<bool>,
}

impl SpotWindow {
    /// Seconds of a tick.
    pub const TICK_S: i64 = 600;
}

/// Reads all windows of a file, in its order.
///
/// # Errors
/// The file cannot be read or is neither form, a column is missing, a value is not what its column
/// holds, or ticks are missing, twice or out of order.
pub fn read_windows(path: &Path) -> Result<Vec<SpotWindow>, TraceError> {
    read_gang_windows(path, None)
}

/// Reads all windows of a file that says how many nodes there are: spot is there for a gang where
/// all of its nodes are.
///
/// # Errors
/// As [`read_windows`].
pub fn read_gang_windows(path: &Path, gang: Option<u32>) -> Result<Vec<SpotWindow>, TraceError> {
    let name = path.display().to_string();
    let unreadable = |error: std::io::Error| TraceError::File { file: name.clone(), source: error };
    let mut file = File::open(path).map_err(unreadable)?;
    let mut begin = [0; MAGIC.len()];
    let is_parquet = file.read_exact(&mut begin).is_ok() && &begin == MAGIC;
    file.rewind().map_err(unreadable)?;
    let mut windows = Windows { gang, ..Windows::default() };
    if is_parquet {
        parquet(&name, file, &mut windows)?;
    } else {
        rows((&name, BufReader::new(file)), &COLUMNS, |row| {
            let numbers = [row.value(1, "a number")?, row.value(2, "a number")?];
            let available = row.value(3, "0 or 1")?;
            windows.add(row.text(0), numbers, available).map_err(|what| row.error(what))
        })?;
    }
    if windows.all.is_empty() { Err(TraceError::Empty { file: name }) } else { Ok(windows.all) }
}

/// As many windows of each environment as `limit`, spread over them as the published evaluation
/// does it: the numbers in the order of their text, and of those the first, the last, and others at
/// even distances.
pub fn spread(windows: &[SpotWindow], limit: usize) -> Vec<&SpotWindow> {
    let mut envs: Vec<&str> = Vec::new();
    for window in windows {
        if !envs.contains(&window.env.as_str()) {
            envs.push(&window.env);
        }
    }
    let mut picked = Vec::new();
    for env in envs {
        let mut of: Vec<&SpotWindow> = windows.iter().filter(|window| window.env == env).collect();
        of.sort_by_key(|window| window.window.to_string());
        let (last, gaps) = (of.len() - 1, limit.saturating_sub(1).max(1));
        if of.len() <= limit {
            picked.append(&mut of);
        } else {
            picked.extend((0..limit).map(|at| of[nearest(at * last, gaps)]));
        }
    }
    picked
}

/// The whole number nearest to a quotient; between two, the even one.
fn nearest(part: usize, of: usize) -> usize {
    let (whole, twice_rest) = (part / of, part % of * 2);
    whole + usize::from(twice_rest > of || twice_rest == of && whole % 2 == 1)
}

/// What has been read.
#[derive(Default)]
struct Windows {
    all: Vec<SpotWindow>,
    rows: u64,
    /// Nodes that are needed at once; `None` where the file says whether, and not how many.
    gang: Option<u32>,
}

impl Windows {
    /// Takes in a row.
    fn add(&mut self, env: &str, [window, tick]: [i64; 2], available: i64) -> Result<(), String> {
        self.rows += 1;
        if self.rows > ROWS_MAX {
            return Err(format!("more than {ROWS_MAX} rows are not read"));
        }
        let available = match self.gang {
            Some(gang) if available >= 0 => available >= i64::from(gang),
            Some(_) => return Err(format!("available {available} is no number of nodes")),
            None if (0..=1).contains(&available) => available == 1,
            None => return Err(format!("available {available} is neither 0 nor 1")),
        };
        let Ok(window) = u32::try_from(window) else {
            return Err(format!("window {window} is not a number from 0"));
        };
        let goes_on = self.all.last().is_some_and(|last| last.env == env && last.window == window);
        if !goes_on {
            if self.all.iter().any(|before| before.window == window && before.env == env) {
                let what = "its rows must follow each other";
                return Err(format!("window {window} of {env} is there twice: {what}"));
            }
            self.all.push(SpotWindow { env: env.to_owned(), window, available: Vec::new() });
        }
        let Some(last) = self.all.last_mut() else { return Ok(()) };
        let due = i64::try_from(last.available.len()).unwrap_or(i64::MAX);
        if tick != due || tick >= TICKS_MAX {
            let of = format!("window {window} of {env}");
            return Err(format!("tick {tick} of {of}, where tick {due} is due"));
        }
        last.available.push(available);
        Ok(())
    }
}

fn parquet(name: &str, file: File, windows: &mut Windows) -> Result<(), TraceError> {
    let bad = |what: String| TraceError::Parquet { file: name.to_owned(), what };
    let damaged = |error: &dyn std::fmt::Display| bad(format!("{error}; the file is damaged"));
    // Texts are then plain, however the writer kept them.
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options)
        .map_err(|error| damaged(&error))?;
    for batch in builder.build().map_err(|error| damaged(&error))? {
        let batch = batch.map_err(|error| damaged(&error))?;
        let column = |at: usize| {
            batch.column_by_name(COLUMNS[at]).ok_or_else(|| TraceError::Column {
                file: name.to_owned(),
                column: COLUMNS[at],
                expected: COLUMNS.join(", "),
            })
        };
        let columns = [column(0)?, column(1)?, column(2)?, column(3)?];
        take(&batch, columns, windows).map_err(bad)?;
    }
    Ok(())
}

/// Takes in the rows of a batch.
fn take(
    batch: &RecordBatch,
    [env, window, tick, available]: [&ArrayRef; 4],
    windows: &mut Windows,
) -> Result<(), String> {
    let env = env.as_string_opt::<i32>().ok_or("the column `env` holds no texts")?;
    let [window, tick, available] = [(window, "window"), (tick, "tick"), (available, "available")]
        .map(|(array, name)| {
            whole(array).ok_or_else(|| format!("the column `{name}` holds no whole numbers"))
        });
    let (window, tick, available) = (window?, tick?, available?);
    for at in 0..batch.num_rows() {
        if env.is_null(at) {
            return Err(format!("row {}: env is missing", windows.rows + 1));
        }
        windows
            .add(env.value(at), [window[at], tick[at]], available[at])
            .map_err(|what| format!("row {}: {what}", windows.rows))?;
    }
    Ok(())
}

/// The numbers of a column without gaps.
fn whole(array: &ArrayRef) -> Option<Vec<i64>> {
    if array.null_count() > 0 {
        return None;
    }
    let widened = |numbers: &mut dyn Iterator<Item = i64>| Some(numbers.collect());
    if let Some(array) = array.as_primitive_opt::<Int8Type>() {
        return widened(&mut array.values().iter().map(|number| i64::from(*number)));
    }
    if let Some(array) = array.as_primitive_opt::<Int16Type>() {
        return widened(&mut array.values().iter().map(|number| i64::from(*number)));
    }
    if let Some(array) = array.as_primitive_opt::<Int32Type>() {
        return widened(&mut array.values().iter().map(|number| i64::from(*number)));
    }
    if let Some(array) = array.as_boolean_opt() {
        return widened(&mut array.values().iter().map(i64::from));
    }
    Some(array.as_primitive_opt::<Int64Type>()?.values().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn read(text: &str) -> Result<Vec<SpotWindow>, String> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let name = file.path().display().to_string();
        read_windows(file.path()).map_err(|error| error.to_string().replace(&name, "w"))
    }

    #[test]
    fn windows_are_read_in_their_order() {
        let windows = read("tick,env,window,available\n0,b,7,1\n1,b,7,0\n0,a,7,0\n").unwrap();
        let of = |env: &str, available: &[bool]| SpotWindow {
            env: env.to_owned(),
            window: 7,
            available: available.to_vec(),
        };
        assert_eq!(windows, [of("b", &[true, false]), of("a", &[false])]);
    }

    #[test]
    fn a_gang_runs_where_all_of_its_nodes_are() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"env,window,tick,available\na,0,0,4\na,0,1,3\na,0,2,16\n").unwrap();
        let of = |gang| read_gang_windows(file.path(), gang).map(|all| all[0].available.clone());
        assert_eq!(of(Some(4)).unwrap(), [true, false, true]);
        assert_eq!(of(Some(1)).unwrap(), [true; 3]);
        assert!(of(None).unwrap_err().to_string().ends_with("4 is neither 0 nor 1"));
    }

    #[test]
    fn bad_rows_are_named() {
        let head = "env,window,tick,available\n";
        let message = |rows: &str| read(&format!("{head}{rows}")).unwrap_err();
        let twice = "a,0,0,1\na,1,0,1\na,0,1,1\n";
        for (rows, error) in [
            ("a,0,0,2\n", "w, line 2: available 2 is neither 0 nor 1"),
            ("a,0,1,1\n", "w, line 2: tick 1 of window 0 of a, where tick 0 is due"),
            ("a,0,0,1\na,0,0,1\n", "w, line 3: tick 0 of window 0 of a, where tick 1 is due"),
            ("a,-1,0,1\n", "w, line 2: window -1 is not a number from 0"),
            ("", "w: it has no rows"),
            (twice, "w, line 4: window 0 of a is there twice: its rows must follow each other"),
        ] {
            assert_eq!(message(rows), error);
        }
        assert!(read("PAR1 and no more").unwrap_err().ends_with("the file is damaged"));
    }

    #[test]
    fn a_limit_takes_windows_from_all_over() {
        let window = |window| SpotWindow { env: "a".to_owned(), window, available: vec![true] };
        let all: Vec<SpotWindow> = (0..300).map(window).collect();
        let numbers = |limit| -> Vec<u32> {
            spread(&all, limit).iter().map(|window| window.window).collect()
        };
        assert_eq!(numbers(30)[..6], [0, 107, 117, 126, 135, 145]);
        assert_eq!((numbers(30).len(), numbers(30)[29]), (30, 99));
        assert_eq!((numbers(1), numbers(2)), (vec![0], vec![0, 99]));
        assert_eq!(numbers(300).len(), 300);
    }
}
