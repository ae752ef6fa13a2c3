//! Sums of an hour's samples by series, inside of the hour's own file of telemetry.
//!
//! An explanation asks what was measured for a row: how many samples, how much in all, the least
//! and the most. So a file of many samples has a second, small table that says this of each series,
//! where the [rollup](super::rollup) is in a file of charges, and with a seal of its own: however
//! often was measured, the end of the file is all that is read. A file without one is read by the
//! columns that matter. `verify` compares it with the rows.
//!
//! It refuses to know what is charged, and whom it is asked about.

mod joined;

use super::columns::{Batch, Sealed, Table, Text, value};
use super::rollup::{Groups, indices};
use super::segment_file::is_telemetry;
use super::who::{IN_CHARGES, IN_TELEMETRY, Who};
use super::{Books, BooksError, COMPACTED, Hour, Segment};
use arrow_array::PrimitiveArray;
use arrow_array::types::{Decimal128Type, TimestampNanosecondType};
use bytes::Bytes;
use farthing_model::{
    Attribution, ClusterId, NANOS_PER_SECOND, NodeId, Resource, SourceId, proportion,
};
use jiff::Timestamp;
pub(super) use joined::Joined;
use object_store::path::Path;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The line of the footer that says where it is.
const LINE: &str = "farthing.samples";
/// Its `farthing.kind`.
const KIND: &str = "samples";
/// Rows for each series at least, and in all: with fewer it would save little.
pub(super) const FEWER: usize = 8;
const ROWS_MIN: usize = 1_024;
/// How much of a file's end is read at first: a footer and some hundred series.
const TAIL_BYTES: u64 = 128 << 10;

/// The texts that set series apart, beside those of who it is.
const BY: [&str; 4] = ["record", "source", "node", "resource"];
/// Its numbers, in the order of [`SampleSums::numbers`].
const NUMBERS: [&str; 6] =
    ["count", "requested_nano", "used_nano", "measured_nanos", "used_min_nano", "used_max_nano"];

/// What some samples say together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SampleSums {
    /// How many there are.
    pub(crate) count: u64,
    /// The start of the first and the end of the last, in nanoseconds.
    pub(crate) from: i64,
    pub(crate) to: i64,
    /// All that was requested and used, in 10^-9 unit-seconds.
    pub(crate) requested_nano: i128,
    pub(crate) used_nano: i128,
    /// The time measured, summed over samples.
    pub(crate) measured_nanos: i128,
    /// The least and the greatest use of one, in 10^-9 units.
    pub(crate) used_min_nano: i128,
    pub(crate) used_max_nano: i128,
}

/// Whose samples are asked for: the source, the node and the resource of some are told.
pub(crate) type Series = (SourceId, NodeId, Resource);

/// Which samples are asked for, by their texts as they are kept, and as values where no file has
/// them by themselves.
pub(crate) struct Asked<'a> {
    /// On which nodes, and which resources.
    pub(crate) places: &'a dyn Fn(&str, Resource) -> bool,
    /// The columns of charges that say so of whom, and which of their texts are asked for.
    pub(crate) texts: Vec<AskedText<'a>>,
    /// Of whom, as a value; also whether those of nobody are asked for.
    pub(crate) whom: &'a dyn Fn(Option<&Attribution>) -> bool,
}

/// A column of charges, and which of its texts are asked for.
pub(crate) type AskedText<'a> = (&'static str, Box<dyn Fn(Option<&str>) -> bool + 'a>);

/// Which rows of a batch are asked for.
struct AskedRows<'b> {
    node: Text<'b>,
    resource: Text<'b>,
    /// By node and resource.
    places: Vec<Vec<bool>>,
    workload: Text<'b>,
    nobody: bool,
    /// The answer for each distinct text, and for none.
    texts: Vec<(Option<Text<'b>>, Vec<bool>, bool)>,
}

impl Asked<'_> {
    fn rows<'b>(&self, batch: &'b Batch) -> Result<AskedRows<'b>, BooksError> {
        let (node, resource) = (batch.text("node")?, batch.text("resource")?);
        let resources: Vec<Option<Resource>> =
            resource.values().map(|name| name.parse().ok()).collect();
        let of_node = |node: &'b str| {
            let is_asked = |resource: &Option<Resource>| {
                resource.is_some_and(|resource| (self.places)(node, resource))
            };
            resources.iter().map(is_asked).collect()
        };
        let mut texts = Vec::with_capacity(self.texts.len());
        for (name, is_asked) in &self.texts {
            let at = IN_CHARGES.iter().position(|column| column == name);
            let text = at.map(|at| batch.optional_text(IN_TELEMETRY[at])).transpose()?.flatten();
            let values = text.into_iter().flat_map(Text::values);
            texts.push((text, values.map(|text| is_asked(Some(text))).collect(), is_asked(None)));
        }
        Ok(AskedRows {
            node,
            resource,
            places: node.values().map(of_node).collect(),
            workload: batch.text("workload")?,
            nobody: (self.whom)(None),
            texts,
        })
    }
}

impl AskedRows<'_> {
    fn has(&self, row: usize) -> bool {
        let place = self.node.index(row).zip(self.resource.index(row));
        if !place.is_some_and(|(node, resource)| self.places[node][resource]) {
            return false;
        }
        if self.workload.index(row).is_none() {
            return self.nobody;
        }
        self.texts.iter().all(|(text, held, missing)| {
            text.and_then(|text| text.index(row)).map_or(*missing, |index| held[index])
        })
    }
}

impl SampleSums {
    /// Of one sample; `None` where it says no amount, as the meter does not take it either.
    fn of((from, to): (i64, i64), requested_nano: i128, used_nano: Option<i128>) -> Option<Self> {
        let nanos = i128::from(to) - i128::from(from);
        let used = used_nano.unwrap_or(0);
        // A rate: amount / time.
        let rate = proportion(used, NANOS_PER_SECOND, nanos)?;
        Some(Self {
            count: 1,
            from,
            to,
            requested_nano,
            used_nano: used,
            measured_nanos: used_nano.map_or(0, |_| nanos),
            used_min_nano: rate,
            used_max_nano: rate,
        })
    }

    /// Adds those of other samples.
    pub(crate) fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.from = self.from.min(other.from);
        self.to = self.to.max(other.to);
        self.requested_nano = self.requested_nano.saturating_add(other.requested_nano);
        if other.measured_nanos == 0 {
            // Nobody looked: that is no use, and not the least of all.
            return;
        }
        if self.measured_nanos == 0 {
            (self.used_min_nano, self.used_max_nano) = (other.used_min_nano, other.used_max_nano);
        }
        self.used_nano = self.used_nano.saturating_add(other.used_nano);
        self.measured_nanos += other.measured_nanos;
        self.used_min_nano = self.used_min_nano.min(other.used_min_nano);
        self.used_max_nano = self.used_max_nano.max(other.used_max_nano);
    }

    fn numbers(&self) -> [i128; NUMBERS.len()] {
        [
            self.count.into(),
            self.requested_nano,
            self.used_nano,
            self.measured_nanos,
            self.used_min_nano,
            self.used_max_nano,
        ]
    }
}

/// The columns of rows that are summed, of a table in the making or of a batch.
struct Columns<'a> {
    rows: usize,
    texts: Vec<Option<Text<'a>>>,
    times: [&'a PrimitiveArray<TimestampNanosecondType>; 2],
    requested: &'a PrimitiveArray<Decimal128Type>,
    used: &'a PrimitiveArray<Decimal128Type>,
}

fn texts() -> impl Iterator<Item = &'static str> {
    BY.into_iter().chain(IN_TELEMETRY)
}

impl<'a> Columns<'a> {
    fn of_table(table: &'a Table<'_>) -> Option<Self> {
        Some(Self {
            rows: table.len(),
            texts: texts().map(|name| table.text_column(name)).collect(),
            times: [table.instant_column("from")?, table.instant_column("to")?],
            requested: table.decimal_column("requested_nano")?,
            used: table.decimal_column("used_nano")?,
        })
    }

    fn of_batch(batch: &'a Batch) -> Result<Self, BooksError> {
        Ok(Self {
            rows: batch.len(),
            texts: texts().map(|name| batch.optional_text(name)).collect::<Result<_, _>>()?,
            times: [batch.instant("from")?, batch.instant("to")?],
            requested: batch.decimal("requested_nano")?,
            used: batch.decimal("used_nano")?,
        })
    }

    /// Whether a row is a sample; before the third format no column says so.
    fn is_sample(&self, row: usize) -> bool {
        let text = |at: usize| self.texts[at].and_then(|text| text.get(row));
        text(0).map_or_else(|| text(1).is_some(), |record| record == "sample")
    }

    /// The first row of each series and its sums; `None` where there are more than `most`.
    fn summed(&self, most: usize) -> Option<Vec<(usize, SampleSums)>> {
        let mut groups = Groups::one(self.rows);
        for text in self.texts.iter().flatten() {
            groups = groups.by(indices(*text), most)?;
        }
        let is_sample: Vec<bool> = groups.first.iter().map(|row| self.is_sample(*row)).collect();
        let mut sums: Vec<Option<SampleSums>> = vec![None; groups.first.len()];
        for (row, group) in groups.of.iter().enumerate() {
            let group = *group as usize;
            if !is_sample[group] {
                continue;
            }
            let [from, to] = self.times.map(|times| value(times, row));
            let requested = value(self.requested, row);
            let Some(((from, to), requested)) = from.zip(to).zip(requested) else { continue };
            let Some(one) = SampleSums::of((from, to), requested, value(self.used, row)) else {
                continue;
            };
            match &mut sums[group] {
                Some(sums) => sums.add(&one),
                none => *none = Some(one),
            }
        }
        let all = groups.first.into_iter().zip(sums);
        Some(all.filter_map(|(row, sums)| Some((row, sums?))).collect())
    }
}

/// The sums of a table of telemetry, if they are much fewer than its rows.
pub(super) fn of(table: &Table<'_>) -> Result<Option<(&'static str, Bytes)>, BooksError> {
    let mut all = Joined::default();
    if table.len() >= ROWS_MIN {
        all.add(table, table.len() / FEWER);
    }
    all.finish(table.file())
}

/// What reads the sums of some rows of a batch.
type Tell<'t> = &'t mut dyn FnMut(&Batch, &[(usize, SampleSums)]) -> Result<(), BooksError>;

/// Reads what [`of`] wrote, as far as it is asked for.
fn kept(sealed: &Sealed, asked: Option<&Asked<'_>>, tell: Tell<'_>) -> Result<(), BooksError> {
    if sealed.line("farthing.kind")? != KIND {
        return Err(BooksError::damaged(&sealed.file, "its sums of samples are something else"));
    }
    for batch in sealed.batches()? {
        let batch = batch?;
        let asked = asked.map(|asked| asked.rows(&batch)).transpose()?;
        let rows = (0..batch.len()).filter(|row| asked.as_ref().is_none_or(|it| it.has(*row)));
        tell(&batch, &numbers(&batch, rows)?)?;
    }
    Ok(())
}

/// The sums in some rows.
fn numbers(
    batch: &Batch,
    rows: impl Iterator<Item = usize>,
) -> Result<Vec<(usize, SampleSums)>, BooksError> {
    let times = [batch.instant("from")?, batch.instant("to")?];
    let mut columns = Vec::with_capacity(NUMBERS.len());
    for name in NUMBERS {
        columns.push((batch.decimal(name)?, name));
    }
    let sums = rows.map(|row| {
        let number = |at: usize| {
            let (column, name) = columns[at];
            value(column, row).ok_or_else(|| batch.wrong(row, name))
        };
        let [from, to] = times.map(|times| value(times, row));
        let sums = SampleSums {
            count: u64::try_from(number(0)?).map_err(|_| batch.wrong(row, NUMBERS[0]))?,
            from: from.ok_or_else(|| batch.wrong(row, "from"))?,
            to: to.ok_or_else(|| batch.wrong(row, "to"))?,
            requested_nano: number(1)?,
            used_nano: number(2)?,
            measured_nanos: number(3)?,
            used_min_nano: number(4)?,
            used_max_nano: number(5)?,
        };
        Ok((row, sums))
    });
    sums.collect()
}

/// Sums the rows of a file, batch by batch: a series is told several times.
fn counted(sealed: &Sealed, asked: Option<&Asked<'_>>, tell: Tell<'_>) -> Result<(), BooksError> {
    is_telemetry(sealed)?;
    let numbers = ["from", "to", "requested_nano", "used_nano"];
    let columns: Vec<&str> = texts().chain(numbers).collect();
    for batch in sealed.only(&columns)? {
        let batch = batch?;
        let asked = asked.map(|asked| asked.rows(&batch)).transpose()?;
        // There are not more series than rows.
        let mut summed = Columns::of_batch(&batch)?.summed(batch.len()).unwrap_or_default();
        summed.retain(|(row, _)| asked.as_ref().is_none_or(|asked| asked.has(*row)));
        tell(&batch, &summed)?;
    }
    Ok(())
}

fn series(batch: &Batch, row: usize) -> Result<Series, BooksError> {
    let parse = |name| Ok((batch.text(name)?.get(row), name));
    let (source, node, resource) = (parse("source")?, parse("node")?, parse("resource")?);
    Ok((
        batch.parse(source.0, row, source.1)?,
        batch.parse(node.0, row, node.1)?,
        batch.parse(resource.0, row, resource.1)?,
    ))
}

/// Each sample that is asked for, by itself.
fn one_by_one(segments: &[Segment], asked: &Asked<'_>, add: Add<'_>) {
    let nanos = |at: Timestamp| i64::try_from(at.as_nanosecond()).ok();
    for sample in segments.iter().flat_map(|segment| &segment.samples) {
        if !(asked.places)(sample.node.as_str(), sample.resource)
            || !(asked.whom)(sample.attribution.as_deref())
        {
            continue;
        }
        let times = nanos(sample.window.from()).zip(nanos(sample.window.to()));
        let sums =
            times.and_then(|times| SampleSums::of(times, sample.requested_nano, sample.used_nano));
        if let Some(sums) = sums {
            add((sample.source.clone(), sample.node.clone(), sample.resource), &sums);
        }
    }
}

/// What takes the sums of a series, or of a part of it.
type Add<'t> = &'t mut dyn FnMut(Series, &SampleSums);

/// All series with who they are of.
type Sums = BTreeMap<(Series, Option<Arc<Attribution>>), SampleSums>;

/// What a file says of all series.
fn all(read: impl FnOnce(Tell<'_>) -> Result<(), BooksError>) -> Result<Sums, BooksError> {
    let mut all = Sums::new();
    read(&mut |batch, rows| {
        let mut who = Who::new(batch, IN_TELEMETRY)?;
        for (row, sums) in rows {
            let known = all.entry((series(batch, *row)?, who.get(batch, *row)?));
            known.and_modify(|known| known.add(sums)).or_insert_with(|| sums.clone());
        }
        Ok(())
    })?;
    Ok(all)
}

impl Books {
    /// What the samples of the UTC hour that holds `at` say that are asked for; a series may be
    /// told in several parts.
    ///
    /// # Errors
    /// A file that cannot be read or is damaged.
    pub(crate) fn sample_sums(
        &self,
        (cluster, at): (&ClusterId, Timestamp),
        asked: &Asked<'_>,
        add: Add<'_>,
    ) -> Result<(), BooksError> {
        let files = self.list(&Hour::of(at).telemetry(cluster))?;
        // What was folded in may be there once more, or newer.
        if files.len() > 1 && files.iter().any(|path| path.filename() == Some(COMPACTED)) {
            one_by_one(&self.read_segments(&files)?, asked, add);
            return Ok(());
        }
        for path in &files {
            let tell: Tell<'_> = &mut |batch, rows| {
                for (row, sums) in rows {
                    add(series(batch, *row)?, sums);
                }
                Ok(())
            };
            if let Some(sums) = self.kept_sample_sums(path) {
                kept(&sums, Some(asked), tell)?;
            } else {
                let sealed = Sealed::open(&self.name(path), self.read(path)?)?;
                counted(&sealed, Some(asked), tell)?;
            }
        }
        Ok(())
    }

    /// The sums in a file, by its end; whatever is wrong with it is said by reading it whole.
    fn kept_sample_sums(&self, path: &Path) -> Option<Sealed> {
        let tail = self.tail(path, TAIL_BYTES, None)?;
        Sealed::open(&self.name(path), self.inside(path, tail, LINE)?).ok()
    }

    /// The first file of an hour's telemetry whose sums do not say what its samples do.
    ///
    /// # Errors
    /// A file that cannot be read or is damaged.
    pub(crate) fn wrong_sample_sums(
        &self,
        cluster: &ClusterId,
        at: Timestamp,
    ) -> Result<Option<String>, BooksError> {
        for path in self.list(&Hour::of(at).telemetry(cluster))? {
            let sealed = Sealed::open(&self.name(&path), self.read(&path)?)?;
            let Some(sums) = sealed.inside(LINE)? else { continue };
            let says = all(|tell| kept(&sums, None, tell))?;
            if says != all(|tell| counted(&sealed, None, tell))? {
                return Ok(Some(self.name(&path)));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::super::segment_file::{encode_each, sealed, table};
    use super::*;
    use farthing_model::{Sample, Window, WorkloadId};
    use proptest::prelude::*;

    /// 2026-03-01T10:00:00Z.
    const HOUR: i64 = 1_772_359_200;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(HOUR + second).unwrap()
    }

    fn cluster() -> ClusterId {
        ClusterId::new("sums").unwrap()
    }

    /// One of few series in a tick, by any number.
    fn sample(number: u64, tick: i64) -> Sample {
        let part = |shift: u32, of: u64| (number >> shift) % of;
        let who = Attribution::of(WorkloadId::new(&format!("job-{}", part(0, 4))).unwrap());
        let resource = Resource::ALL[usize::try_from(part(3, 4)).unwrap()];
        Sample {
            source: SourceId::new(["cgroup", "nvml"][usize::from(part(2, 2) > 0)]).unwrap(),
            node: NodeId::new(&format!("node-{}", part(8, 3))).unwrap(),
            device: None,
            slice: None,
            attribution: (part(10, 5) > 0).then(|| Arc::new(who)),
            resource,
            window: Window::new(at(tick), at(tick + 1)).unwrap(),
            requested_nano: i128::from(part(13, 1_000)),
            used_nano: (part(23, 3) > 0).then(|| i128::from(part(25, 1_000)) - 10),
            held_nano: None,
        }
    }

    fn segment(numbers: &[u64]) -> Segment {
        let samples = numbers.iter().zip(0..).map(|(number, tick)| sample(*number, tick)).collect();
        Segment { samples, ..Segment::empty(Window::new(at(0), at(3_600)).unwrap()) }
    }

    const ASKED: [Option<&str>; 3] = [None, Some("job-2"), Some("nobody")];

    fn add(all: &mut BTreeMap<Series, SampleSums>, of: Series, sums: &SampleSums) {
        let known = all.entry(of);
        known.and_modify(|known| known.add(sums)).or_insert_with(|| sums.clone());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        /// What the end of a file says is what its samples say, one by one.
        #[test]
        fn sums_are_those_of_the_samples(
            numbers in prop::collection::vec(any::<u64>(), 1..3_000),
        ) {
            let segment = segment(&numbers);
            let books = Books::in_memory();
            books.put_segment(&cluster(), &segment).unwrap();
            let segments = [segment];
            for asked in ASKED {
                let is_asked = |who: Option<&Attribution>| match asked {
                    Some(name) => who.is_some_and(|who| who.workload.as_str() == name),
                    None => who.is_none(),
                };
                let asked = Asked {
                    places: &|node, resource| node != "node-1" || resource == Resource::Cpu,
                    texts: vec![("x_workload", Box::new(move |name| name == asked))],
                    whom: &is_asked,
                };
                let (mut kept, mut one) = (BTreeMap::new(), BTreeMap::new());
                let place = (&cluster(), at(0));
                books.sample_sums(place, &asked, &mut |of, sums| add(&mut kept, of, sums)).unwrap();
                one_by_one(&segments, &asked, &mut |of, sums| add(&mut one, of, sums));
                prop_assert_eq!(kept, one);
            }
            prop_assert_eq!(books.wrong_sample_sums(&cluster(), at(0)).unwrap(), None);
        }
    }

    /// Of many samples the end of the file is read; sums that are of others are found.
    #[test]
    fn sums_of_other_samples_are_found() {
        let numbers: Vec<u64> =
            (0..2_000_u64).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect();
        let (one, other) = (segment(&numbers), segment(&numbers[..1_900]));
        let books = Books::in_memory();
        books.put_segment(&cluster(), &one).unwrap();
        let path = books.list(&Hour::of(at(0)).telemetry(&cluster())).unwrap().remove(0);
        let name = books.name(&path);
        let sums = books.kept_sample_sums(&path).unwrap();
        let series = all(|tell| kept(&sums, None, tell)).unwrap();
        assert!((20..200).contains(&series.len()), "{} series", series.len());
        let sums = of(&table(&name, std::slice::from_ref(&other)).unwrap()).unwrap();
        let table = table(&name, std::slice::from_ref(&one)).unwrap();
        books.write(&path, sealed(table, sums).unwrap()).unwrap();
        assert_eq!(books.wrong_sample_sums(&cluster(), at(0)).unwrap(), Some(name));
    }

    /// A file that is written in groups of rows says what its segments do, and has sums of all of
    /// them, of each series once.
    #[test]
    fn ticks_are_folded_in_groups() {
        let numbers: Vec<u64> =
            (0..3_000_u64).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect();
        let ticks: Vec<Segment> = numbers
            .chunks(250)
            .zip(0..)
            .map(|(numbers, tick)| {
                let window = Window::new(at(tick * 300), at(tick * 300 + 300)).unwrap();
                Segment { samples: segment(numbers).samples, ..Segment::empty(window) }
            })
            .collect();
        let write = |rows_min: usize| {
            let books = Books::in_memory();
            let path = Hour::of(at(0)).telemetry(&cluster()).join(COMPACTED);
            let each = ticks.iter().cloned().map(Ok);
            let bytes = encode_each(&books.name(&path), rows_min, each).unwrap();
            books.write(&path, bytes).unwrap();
            let sums = all(|tell| kept(&books.kept_sample_sums(&path).unwrap(), None, tell));
            assert_eq!(books.wrong_sample_sums(&cluster(), at(0)).unwrap(), None);
            (books.segments(&cluster(), at(0)).unwrap(), sums.unwrap())
        };
        let (whole, sums) = write(usize::MAX);
        assert_eq!(whole, ticks);
        assert!((20..200).contains(&sums.len()), "{} series", sums.len());
        for rows_min in [1, 600, 2_999] {
            assert_eq!(write(rows_min), (whole.clone(), sums.clone()), "{rows_min}");
        }
    }
}
