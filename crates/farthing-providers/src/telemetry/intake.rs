//! From text to series: the loop that every line of an import goes through.
//!
//! Series repeat: a line that starts with the bytes of the last series, or of the one that
//! followed it last time, is that series, and neither its name nor its labels are looked at again.
//! Metrics that the source map does not know are skipped by their name.

use super::faults::{FaultLog, LineFault};
use super::series::{Disorder, MISSING, Store};
use super::sources::Label;
use super::sources::{ResourceName, Rule, Scale, SourceMap, Unit};
use crate::exposition::number::{self, Reading};
use crate::exposition::{Limits, Line, Lines, Sample, Series, StreamError, TimeUnit, What, split};
use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

/// How a text is read.
#[derive(Clone, Copy, Debug, Default)]
pub struct TextOptions {
    /// The moment of lines that say none, in milliseconds since 1970.
    pub at_ms: Option<i64>,
    /// The unit of its times.
    pub unit: TimeUnit,
    /// Later moments cannot have been measured yet, in milliseconds since 1970.
    pub latest_ms: Option<i64>,
    /// What is too much.
    pub limits: Limits,
}

/// What was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Bytes of text.
    pub bytes: u64,
    /// Lines.
    pub lines: u64,
    /// Samples that are kept.
    pub samples: u64,
    /// Samples of metrics that no field is read from.
    pub other: u64,
    /// Samples that say that nothing was measured: NaN, blank values, infinities.
    pub blank: u64,
    /// Samples whose value cannot be: below zero, or above what there is.
    pub impossible: u64,
    /// Samples that came after a later one.
    pub late: u64,
    /// Samples that came twice.
    pub duplicates: u64,
    /// Samples that came twice with two values.
    pub conflicts: u64,
    /// Lines that could not be read.
    pub faults: u64,
}

/// A series that was met before, by its bytes.
#[derive(Clone, Copy, Debug)]
struct Known {
    /// `None`: the rule leaves the series out.
    stream: Option<usize>,
    source: usize,
    unit: Unit,
    /// From here on a value may be a blank one.
    suspicious: i128,
    max: i128,
}

/// No series.
const NONE: usize = usize::MAX;

/// Reads texts into series.
#[derive(Debug)]
pub struct Intake {
    map: Arc<SourceMap>,
    store: Store,
    keys: HashMap<Arc<[u8]>, usize>,
    known: Vec<(Arc<[u8]>, Known)>,
    /// The series that came after each one.
    follow: Vec<usize>,
    last: usize,
    skipped: Vec<u8>,
    totals: Totals,
    faults: FaultLog,
}

impl Intake {
    /// An import that reads by `map`.
    pub fn new(map: SourceMap) -> Self {
        Self {
            map: Arc::new(map),
            store: Store::default(),
            keys: HashMap::new(),
            known: Vec::new(),
            follow: Vec::new(),
            last: NONE,
            skipped: Vec::new(),
            totals: Totals::default(),
            faults: FaultLog::default(),
        }
    }

    /// The source map that it reads by.
    pub fn map(&self) -> &SourceMap {
        &self.map
    }

    /// What was read so far.
    pub const fn totals(&self) -> &Totals {
        &self.totals
    }

    /// Lines that could not be read; of many of one kind the first.
    pub fn faults(&self) -> impl Iterator<Item = &LineFault> {
        self.faults.kept()
    }

    /// Reads a file, compressed or not. `progress` is told how many bytes of it were read.
    ///
    /// # Errors
    /// It cannot be opened. What ends it early is a fault, and what came before stands.
    pub fn read_file(
        &mut self,
        path: &Path,
        options: &TextOptions,
        progress: &mut dyn FnMut(u64),
    ) -> std::io::Result<()> {
        let input = crate::exposition::open(path, &options.limits)?;
        self.read_text(&path.display().to_string(), input, options, progress);
        Ok(())
    }

    /// Reads a text.
    pub fn read_text(
        &mut self,
        name: &str,
        input: impl Read,
        options: &TextOptions,
        progress: &mut dyn FnMut(u64),
    ) {
        let mut lines = Lines::new(input, &options.limits);
        let mut unit = options.unit;
        let mut bytes = 0;
        let mut told = 0;
        let mut count = 0;
        let ended = lines.for_each(|number, line| {
            count = number;
            let read = line.and_then(|line| {
                bytes += line.len() as u64 + 1;
                self.line(line, options, &mut unit)
            });
            if let Err(what) = read {
                self.totals.faults += 1;
                self.faults.add(name, number, &what);
            }
            if bytes - told >= 1 << 24 {
                told = bytes;
                progress(bytes);
            }
        });
        self.last = NONE;
        self.totals.bytes += lines.bytes();
        self.totals.lines += count;
        if let Err(error) = ended {
            self.totals.faults += 1;
            self.faults.end(name, count, &stream_fault(&error));
        }
    }

    fn line(
        &mut self,
        line: &[u8],
        options: &TextOptions,
        unit: &mut TimeUnit,
    ) -> Result<(), What> {
        if let Some(at) = self.same_again(line) {
            let len = self.known[at].0.len();
            let sample = Sample::behind(&line[..len], &line[len..])?;
            return self.sample(at, &sample, options, unit);
        }
        if self.is_skipped(line) {
            self.totals.other += 1;
            return Ok(());
        }
        let Line::Sample(sample) = split(line)? else { return Ok(()) };
        let at = match self.keys.get(sample.key) {
            Some(at) => *at,
            None => match self.meet(&sample, &options.limits)? {
                Some(at) => at,
                None => return Ok(()),
            },
        };
        if self.last != NONE {
            self.follow[self.last] = at;
        }
        self.last = at;
        self.sample(at, &sample, options, unit)
    }

    /// The last series, or the one that followed it before, if the line starts with its bytes.
    fn same_again(&mut self, line: &[u8]) -> Option<usize> {
        if self.last == NONE {
            return None;
        }
        for at in [self.last, self.follow[self.last]] {
            let key = &self.known.get(at)?.0;
            if line.get(key.len()) == Some(&b' ') && line.starts_with(key) {
                self.last = at;
                return Some(at);
            }
        }
        None
    }

    /// Whether the line is of a metric that no field is read from.
    fn is_skipped(&mut self, line: &[u8]) -> bool {
        let end = memchr::memchr3(b'{', b' ', b'\t', line).unwrap_or(line.len());
        let name = &line[..end];
        if name.is_empty() || name[0] == b'#' {
            return false;
        }
        if name == self.skipped {
            return true;
        }
        let is_other = std::str::from_utf8(name).is_ok_and(|name| {
            name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_:".contains(&byte))
                && !name.as_bytes()[0].is_ascii_digit()
                && self.map.rule(name).is_none()
        });
        if is_other {
            self.skipped.clear();
            self.skipped.extend_from_slice(name);
        }
        is_other
    }

    /// Reads the name and the labels of a series that was not met before.
    fn meet(&mut self, sample: &Sample<'_>, limits: &Limits) -> Result<Option<usize>, What> {
        let series = sample.series(limits)?;
        let Some(known) = self.know(&series)? else {
            self.totals.other += 1;
            return Ok(None);
        };
        Ok(Some(self.remember(Arc::from(sample.key), known)))
    }

    fn remember(&mut self, key: Arc<[u8]>, known: Known) -> usize {
        self.known.push((Arc::clone(&key), known));
        self.follow.push(NONE);
        self.keys.insert(key, self.known.len() - 1);
        self.known.len() - 1
    }

    /// A stream for a series; `None` where its metric is not read.
    fn know(&mut self, series: &Series<'_>) -> Result<Option<Known>, What> {
        let map = Arc::clone(&self.map);
        let Some(rule) = map.rule(&series.name) else { return Ok(None) };
        let left_out = Known {
            stream: None,
            source: rule.source,
            unit: rule.unit,
            suspicious: i128::MAX,
            max: i128::MAX,
        };
        let Some(found) = map.canonical(rule, series) else { return Ok(Some(left_out)) };
        let resource = found.labels.iter().find(|(label, _)| *label == Label::Resource);
        let resource = resource.map(|(_, value)| value.as_str());
        let Some(unit) = unit_of(&map, rule, resource) else { return Ok(Some(left_out)) };
        let stream = self.store.stream(rule.source, rule.field, &found);
        let stream = stream.map_err(|full| What::TooMuch(full.to_string()))?;
        let scaled = |whole: i128| match unit.read(whole.to_string().as_bytes()) {
            Some(Reading::Value(value)) => value,
            _ => i128::MAX,
        };
        let missing = map.sources[rule.source].missing.iter().map(|range| *range.start()).min();
        Ok(Some(Known {
            stream: Some(stream),
            source: rule.source,
            unit,
            suspicious: missing.map_or(i128::MAX, scaled),
            // A ratio of two counters may be a little more than one.
            max: rule.max.map_or(i128::MAX, |max| scaled(max).saturating_mul(101) / 100),
        }))
    }

    fn sample(
        &mut self,
        at: usize,
        sample: &Sample<'_>,
        options: &TextOptions,
        unit: &mut TimeUnit,
    ) -> Result<(), What> {
        let known = self.known[at].1;
        let Some(stream) = known.stream else {
            self.totals.other += 1;
            return Ok(());
        };
        let value = self.value(&known, sample.value)?;
        let time = match sample.time {
            Some(text) => {
                let time = unit.read(text)?;
                if options.latest_ms.is_some_and(|latest| time > latest) {
                    let text = crate::exposition::shown(text);
                    return Err(What::Implausible { text, why: "in the future" });
                }
                time
            }
            None => options.at_ms.ok_or(What::NoTime)?,
        };
        self.store.push(stream, time, value).map_err(|full| What::TooMuch(full.to_string()))?;
        self.totals.samples += 1;
        Ok(())
    }

    /// A value as it is kept; what says nothing is [`MISSING`].
    fn value(&mut self, known: &Known, text: &[u8]) -> Result<i64, What> {
        let source = &self.map.sources[known.source];
        let Some(reading) = known.unit.read(text) else {
            if source.missing_text.iter().any(|missing| missing.as_bytes() == text) {
                self.totals.blank += 1;
                return Ok(MISSING);
            }
            return Err(What::Value(crate::exposition::shown(text)));
        };
        let Reading::Value(value) = reading else {
            self.totals.blank += 1;
            return Ok(MISSING);
        };
        if value >= known.suspicious
            && let Some(Reading::Value(whole)) = number::read(text, 0)
            && source.missing.iter().any(|range| range.contains(&whole))
        {
            self.totals.blank += 1;
            return Ok(MISSING);
        }
        match i64::try_from(value) {
            Ok(kept) if kept >= 0 && value <= known.max => Ok(kept),
            _ => {
                self.totals.impossible += 1;
                Ok(MISSING)
            }
        }
    }

    /// Adds the points of a series that did not come as text; `false` where it is not read.
    ///
    /// # Errors
    /// More series than are kept, or a value that is not a number.
    pub(crate) fn push_series<'p>(
        &mut self,
        name: &str,
        labels: &[(String, String)],
        points: impl Iterator<Item = (i64, &'p [u8])>,
    ) -> Result<bool, What> {
        let labels: Vec<(Cow<'_, str>, Cow<'_, str>)> =
            labels.iter().map(|(name, value)| (name.into(), value.into())).collect();
        let key = json_key(name, &labels);
        let series = Series { name: Cow::Borrowed(name), labels };
        let at = if let Some(at) = self.keys.get(key.as_slice()) {
            *at
        } else {
            let Some(known) = self.know(&series)? else { return Ok(false) };
            self.remember(Arc::from(key), known)
        };
        let known = self.known[at].1;
        let Some(stream) = known.stream else { return Ok(false) };
        for (time, text) in points {
            let value = self.value(&known, text)?;
            let pushed = self.store.push(stream, time, value);
            pushed.map_err(|full| What::TooMuch(full.to_string()))?;
            self.totals.samples += 1;
        }
        Ok(true)
    }

    /// Notes something that was wrong in what was read.
    pub(crate) fn note(&mut self, source: &str, what: &str) {
        self.totals.faults += 1;
        self.faults.end(source, 0, what);
    }

    /// Puts everything in order; no more can be read after it.
    pub(crate) fn settle(mut self) -> Settled {
        let Disorder { late, duplicates, conflicts } = self.store.settle();
        self.totals.late += late;
        self.totals.duplicates += duplicates;
        self.totals.conflicts += conflicts;
        Settled { map: self.map, store: self.store, totals: self.totals, faults: self.faults }
    }
}

/// An import that is read to its end.
#[derive(Debug)]
pub(crate) struct Settled {
    pub(crate) map: Arc<SourceMap>,
    pub(crate) store: Store,
    pub(crate) totals: Totals,
    pub(crate) faults: FaultLog,
}

/// The unit of a series' values; `None` where its resource is not one of ours.
fn unit_of(map: &SourceMap, rule: &Rule, resource: Option<&str>) -> Option<Unit> {
    if rule.field.scale() != Scale::ByResource {
        return Some(rule.unit);
    }
    let resource = resource?;
    if super::sources::mig_profile(resource).is_some() {
        return Some(Unit::One);
    }
    Some(match map.resources.get(resource)? {
        ResourceName::Cpu | ResourceName::Gpu => Unit::One,
        ResourceName::GpuCores => Unit::Percent,
        ResourceName::Memory | ResourceName::Storage => Unit::Bytes,
    })
}

/// What a series that did not come as text is known by.
fn json_key(name: &str, labels: &[(Cow<'_, str>, Cow<'_, str>)]) -> Vec<u8> {
    // A byte that no text of a series starts with keeps the two kinds apart.
    let mut key = vec![0];
    key.extend_from_slice(name.as_bytes());
    for (name, value) in labels {
        key.push(0);
        key.extend_from_slice(name.as_bytes());
        key.push(0);
        key.extend_from_slice(value.as_bytes());
    }
    key
}

fn stream_fault(error: &StreamError) -> String {
    match error {
        StreamError::Read { source, .. } => match source.get_ref() {
            Some(inner) if inner.is::<StreamError>() => inner.to_string(),
            _ => error.to_string(),
        },
        StreamError::Bomb(_) => error.to_string(),
    }
}
