//! Sums of several tables of telemetry as one table: of each series once.

use super::{Columns, FEWER, KIND, LINE, NUMBERS, ROWS_MIN, SampleSums, texts};
use crate::books::columns::{Table, Text};
use crate::books::{BooksError, charge_file, instant};
use bytes::Bytes;
use std::collections::HashMap;
use std::sync::Arc;

/// The sums of tables that come one after the other: of each series once.
#[derive(Default)]
pub(in crate::books) struct Joined {
    /// Texts, each once, by their place; -1 stands for none.
    texts: Vec<Arc<str>>,
    places: HashMap<Arc<str>, i32>,
    /// The texts of each series, its place, and its sums.
    keys: Vec<Box<[i32]>>,
    known: HashMap<Box<[i32]>, usize>,
    sums: Vec<SampleSums>,
    rows: usize,
    /// Whether there is something that cannot be summed.
    is_other: bool,
}

impl Joined {
    /// Adds a table of at most so many series.
    pub(in crate::books) fn add(&mut self, table: &Table<'_>, most: usize) {
        self.rows += table.len();
        if self.is_other {
            return;
        }
        let columns = Columns::of_table(table);
        let summed = columns.as_ref().and_then(|columns| Some((columns, columns.summed(most)?)));
        let Some((columns, summed)) = summed else {
            self.is_other = true;
            return;
        };
        // What sums are of is told by all texts but the first, which says that they are sums.
        let texts: Vec<Option<Text<'_>>> = columns.texts[1..].to_vec();
        let mut places: Vec<Vec<i32>> = Vec::with_capacity(texts.len());
        for text in &texts {
            let values = text.iter().flat_map(|text| text.values());
            places.push(values.map(|text| self.place(text)).collect());
        }
        self.is_other |= texts.iter().any(Option::is_none);
        for (row, sums) in summed {
            let place = |(text, places): (&Option<Text<'_>>, &Vec<i32>)| {
                text.and_then(|text| text.index(row)).map_or(-1, |index| places[index])
            };
            let key: Box<[i32]> = texts.iter().zip(&places).map(place).collect();
            if let Some(at) = self.known.get(&key) {
                self.sums[*at].add(&sums);
                continue;
            }
            self.known.insert(key.clone(), self.keys.len());
            self.keys.push(key);
            self.sums.push(sums);
        }
    }

    fn place(&mut self, text: &str) -> i32 {
        if let Some(place) = self.places.get(text) {
            return *place;
        }
        // Two thousand million texts do not fit into a file.
        let place = i32::try_from(self.texts.len()).unwrap_or(i32::MAX);
        let text: Arc<str> = Arc::from(text);
        self.texts.push(Arc::clone(&text));
        self.places.insert(text, place);
        place
    }

    /// The table of sums, if they are much fewer than the rows.
    pub(in crate::books) fn finish(
        self,
        file: &str,
    ) -> Result<Option<(&'static str, Bytes)>, BooksError> {
        let limit = 10_u128.pow(38);
        let fits = |sums: &SampleSums| sums.numbers().iter().all(|one| one.unsigned_abs() < limit);
        let is_worth = self.rows >= ROWS_MIN && self.sums.len() <= self.rows / FEWER;
        if self.is_other || !is_worth || !self.sums.iter().all(fits) {
            return Ok(None);
        }
        let mut small = Table::new(file);
        for (at, name) in texts().skip(1).enumerate() {
            let text = |key: &[i32]| usize::try_from(key[at]).ok();
            small.text(name, self.keys.iter().map(|key| Some(&*self.texts[text(key)?])));
        }
        let instant = |nanos| instant(Some(nanos));
        small.instant("from", self.sums.iter().map(|sums| instant(sums.from)))?;
        small.instant("to", self.sums.iter().map(|sums| instant(sums.to)))?;
        for (at, name) in NUMBERS.into_iter().enumerate() {
            small.decimal(name, 0, self.sums.iter().map(|sums| Some(sums.numbers()[at])))?;
        }
        let kind = ("farthing.kind", KIND.to_owned());
        let lines = vec![kind, ("farthing.format", charge_file::FORMAT.to_owned())];
        small.finish(lines, None).map(|bytes| Some((LINE, bytes)))
    }
}
