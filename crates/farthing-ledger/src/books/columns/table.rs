//! Tables in the making: columns from rows.

use super::distinct::Distinct;
use super::{DIGITS, Text, Writer};
use crate::books::BooksError;
use arrow_array::builder::{
    BooleanBuilder, Date32Builder, Decimal128Builder, Int32Builder, TimestampNanosecondBuilder,
};
use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, TimestampNanosecondType};
use arrow_array::{Array, ArrayRef, DictionaryArray, PrimitiveArray, StringArray, new_null_array};
use arrow_schema::{DataType, Field, Schema};
use bytes::Bytes;
use jiff::{Timestamp, civil::Date};
use std::sync::Arc;

/// A table in the making.
pub(in crate::books) struct Table<'a> {
    file: &'a str,
    pub(super) fields: Vec<Field>,
    pub(super) columns: Vec<ArrayRef>,
}

impl<'a> Table<'a> {
    pub(in crate::books) const fn new(file: &'a str) -> Self {
        Self { file, fields: Vec::new(), columns: Vec::new() }
    }

    fn push(&mut self, name: &str, column: ArrayRef) {
        self.fields.push(Field::new(name, column.data_type().clone(), true));
        self.columns.push(column);
    }

    /// Text, each distinct value once.
    pub(in crate::books) fn text<'v>(
        &mut self,
        name: &str,
        values: impl Iterator<Item = Option<&'v str>>,
    ) {
        let mut keys = Int32Builder::with_capacity(values.size_hint().0);
        let mut distinct = Distinct::default();
        values.for_each(|value| keys.append_option(value.map(|value| distinct.key(value))));
        let (keys, texts) = (keys.finish(), StringArray::from_iter_values(distinct.texts()));
        self.push(name, Arc::new(DictionaryArray::new(keys, Arc::new(texts))));
    }

    /// Exact numbers in units of 10^-`scale`.
    pub(in crate::books) fn decimal(
        &mut self,
        name: &str,
        scale: i8,
        values: impl Iterator<Item = Option<i128>>,
    ) -> Result<(), BooksError> {
        let kind = DataType::Decimal128(DIGITS, scale);
        let limit = 10_u128.pow(DIGITS.into());
        let (rows, mut builder) = (values.size_hint().0, None);
        let mut count = 0;
        for (row, value) in values.enumerate() {
            if value.is_some_and(|value| value.unsigned_abs() >= limit) {
                return Err(self.too_large(name, row));
            }
            count = row + 1;
            let Some(builder) = &mut builder else {
                // Many columns have no value at all.
                if value.is_some() {
                    let new = Decimal128Builder::with_capacity(rows.max(count));
                    let mut new = new.with_data_type(kind.clone());
                    new.append_nulls(row);
                    new.append_option(value);
                    builder = Some(new);
                }
                continue;
            };
            builder.append_option(value);
        }
        let column = match builder {
            Some(mut builder) => Arc::new(builder.finish()),
            None => self.nothing(&kind, count),
        };
        self.push(name, column);
        Ok(())
    }

    /// A column without a value, which all such columns of a kind share.
    fn nothing(&self, kind: &DataType, rows: usize) -> ArrayRef {
        let mut known = self.columns.iter();
        let known = known.find(|column| {
            column.data_type() == kind && column.len() == rows && column.null_count() == rows
        });
        known.map_or_else(|| new_null_array(kind, rows), Arc::clone)
    }

    /// Instants, in nanoseconds UTC.
    pub(in crate::books) fn instant(
        &mut self,
        name: &str,
        values: impl Iterator<Item = Option<Timestamp>>,
    ) -> Result<(), BooksError> {
        let mut builder = TimestampNanosecondBuilder::new();
        for (row, value) in values.enumerate() {
            let nanos = value.map(|at| i64::try_from(at.as_nanosecond())).transpose();
            builder.append_option(nanos.map_err(|_| self.too_large(name, row))?);
        }
        self.push(name, Arc::new(builder.finish().with_timezone("UTC")));
        Ok(())
    }

    /// Days.
    pub(in crate::books) fn day(&mut self, name: &str, values: impl Iterator<Item = Option<Date>>) {
        let mut builder = Date32Builder::new();
        let since_1970 = |day: Date| (day - jiff::civil::date(1970, 1, 1)).get_days();
        values.for_each(|day| builder.append_option(day.map(since_1970)));
        self.push(name, Arc::new(builder.finish()));
    }

    /// Yes or no.
    pub(in crate::books) fn flag(
        &mut self,
        name: &str,
        values: impl Iterator<Item = Option<bool>>,
    ) {
        let mut builder = BooleanBuilder::new();
        values.for_each(|value| builder.append_option(value));
        self.push(name, Arc::new(builder.finish()));
    }

    fn too_large(&self, name: &str, row: usize) -> BooksError {
        BooksError::Row {
            file: self.file.to_owned(),
            row: row as u64,
            what: format!("{name} does not fit into its column"),
        }
    }

    /// The columns so far.
    pub(in crate::books) fn schema(self) -> Schema {
        Schema::new(self.fields)
    }

    pub(in crate::books) const fn file(&self) -> &'a str {
        self.file
    }

    /// Rows.
    pub(in crate::books) fn len(&self) -> usize {
        self.columns.first().map_or(0, Array::len)
    }

    fn column(&self, name: &str) -> Option<&ArrayRef> {
        let index = self.fields.iter().position(|field| field.name() == name)?;
        self.columns.get(index)
    }

    /// A column of text, by its name.
    pub(in crate::books) fn text_column(&self, name: &str) -> Option<Text<'_>> {
        Text::of(self.column(name)?)
    }

    /// A column of exact numbers, by its name.
    pub(in crate::books) fn decimal_column(
        &self,
        name: &str,
    ) -> Option<&PrimitiveArray<Decimal128Type>> {
        self.column(name)?.as_primitive_opt()
    }

    /// A column of instants, by its name.
    pub(in crate::books) fn instant_column(
        &self,
        name: &str,
    ) -> Option<&PrimitiveArray<TimestampNanosecondType>> {
        self.column(name)?.as_primitive_opt()
    }

    /// The whole file, sealed; `inside`, if anything, lies between the rows and the footer, which
    /// says where by a line of this name.
    pub(in crate::books) fn finish(
        self,
        metadata: Vec<(&str, String)>,
        inside: Option<(&str, Bytes)>,
    ) -> Result<Bytes, BooksError> {
        let mut writer = Writer::of_one(self.file, self.len());
        let place = writer.add(self, inside.as_ref().map(|(_, inside)| inside))?.inside;
        let line = inside.map(|(name, _)| name).zip(place);
        writer.finish(metadata.into_iter().chain(line).collect())
    }
}
