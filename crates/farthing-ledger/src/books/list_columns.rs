//! The columns of the list's price beside the one that was paid, in charges and in telemetry.
//!
//! Files before the fourth format have none: of what is read from them no list price is known.

use super::BooksError;
use super::columns::{Batch, Table, Text, value};
use arrow_array::PrimitiveArray;
use arrow_array::types::Decimal128Type;
use farthing_model::{
    Currency, Decimal, Discounts, HourlyRate, ListPrice, Money, PerResource, Ratio, Resource,
};
use std::fmt::Write as _;
use std::sync::Arc;

/// Names of the columns of the rate, and of what is taken off each resource.
pub(crate) type Names = (&'static str, &'static str);
/// In charges.
pub(crate) const IN_CHARGES: Names = ("x_list_rate", "x_discounts");
/// In telemetry.
pub(super) const IN_TELEMETRY: Names = ("list_rate", "discounts");

/// What a row says, in numbers of its batch: the rate, and which distinct text of discounts.
pub(crate) type ListNumbers = (Option<i128>, Option<usize>);

/// 10^-9 in a millionth.
const NANO_IN_PPM: i128 = 1_000;

/// Writes both columns.
pub(super) fn write<'v, I>(
    table: &mut Table<'_>,
    (rate, discounts): Names,
    lists: impl Fn() -> I,
) -> Result<(), BooksError>
where
    I: Iterator<Item = Option<&'v ListPrice>>,
{
    table.decimal(rate, 12, lists().map(|list| Some(list?.rate.per_hour().pico())))?;
    let texts: Vec<Option<String>> =
        lists().map(|list| Some(to_text(list?.discounts.as_ref()?))).collect();
    table.text(discounts, texts.iter().map(Option::as_deref));
    Ok(())
}

/// `gpu 0.3 cpu 0.05 of 9.80`.
fn to_text(discounts: &Discounts) -> String {
    let mut text = String::new();
    for (resource, off) in discounts.off.iter().filter(|(_, off)| **off > Ratio::ZERO) {
        let off = Decimal::from_nano(i128::from(off.ppm()) * NANO_IN_PPM);
        // Writing to a String cannot fail.
        let _ = write!(text, "{resource} {off} ");
    }
    text + "of " + &discounts.before.per_hour().to_decimal()
}

fn from_text(text: &str, currency: Currency) -> Option<Discounts> {
    let mut words = text.split(' ');
    let mut off = PerResource::default();
    loop {
        match words.next()? {
            "of" => break,
            resource => {
                let resource: Resource = resource.parse().ok()?;
                let share: Decimal = words.next()?.parse().ok()?;
                let ppm = u32::try_from(share.nano() / NANO_IN_PPM).ok()?;
                *off.get_mut(resource) = Ratio::from_ppm(ppm);
            }
        }
    }
    let before = HourlyRate::new(Money::from_decimal(words.next()?, currency).ok()?)?;
    words.next().is_none().then_some(Discounts { before, off })
}

/// Both columns of a batch.
pub(crate) struct Lists<'a> {
    batch: &'a Batch,
    names: Names,
    rate: Option<&'a PrimitiveArray<Decimal128Type>>,
    discounts: Option<Text<'a>>,
    /// Rows beside one another have the same nearly always.
    last: Option<(i128, Option<usize>, Arc<ListPrice>)>,
}

impl<'a> Lists<'a> {
    pub(crate) fn new(batch: &'a Batch, names: Names) -> Result<Self, BooksError> {
        let (rate, discounts) = (batch.optional_decimal(names.0)?, batch.optional_text(names.1)?);
        Ok(Self { batch, names, rate, discounts, last: None })
    }

    /// What a row says, in numbers of the batch.
    pub(crate) fn numbers(&self, row: usize) -> ListNumbers {
        let rate = self.rate.and_then(|rate| value(rate, row));
        (rate, self.discounts.and_then(|text| text.index(row)))
    }

    /// What a row says.
    pub(crate) fn get(
        &mut self,
        row: usize,
        currency: Currency,
    ) -> Result<Option<Arc<ListPrice>>, BooksError> {
        let Some(pico) = self.rate.and_then(|rate| value(rate, row)) else { return Ok(None) };
        let text = self.discounts.and_then(|text| text.index(row));
        if let Some((rate, index, list)) = &self.last
            && (*rate, *index) == (pico, text)
        {
            return Ok(Some(Arc::clone(list)));
        }
        let rate = HourlyRate::new(Money::from_pico(pico, currency));
        let rate = rate.ok_or_else(|| self.batch.wrong(row, self.names.0))?;
        let discounts = self.discounts.and_then(|text| text.get(row)).map(|text| {
            from_text(text, currency).ok_or_else(|| self.batch.wrong(row, self.names.1))
        });
        let list = Arc::new(ListPrice { rate, discounts: discounts.transpose()? });
        self.last = Some((pico, text, Arc::clone(&list)));
        Ok(Some(list))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn discounts_come_back_as_they_were() {
        let before: HourlyRate = "9.801234567891 USD/h".parse().unwrap();
        let off = PerResource::from_fn(|resource| match resource {
            Resource::Gpu => Ratio::from_ppm(300_001),
            Resource::Network => Ratio::ONE,
            _ => Ratio::ZERO,
        });
        let discounts = Discounts { before, off };
        let text = to_text(&discounts);
        assert_eq!(text, "gpu 0.300001 network 1 of 9.801234567891");
        assert_eq!(from_text(&text, Currency::USD), Some(discounts));
        for wrong in ["", "of", "gpu of 1", "gpu 0.1", "gpu 0.1 of 1 of 2", "moon 0.1 of 1"] {
            assert_eq!(from_text(wrong, Currency::USD), None, "{wrong}");
        }
    }
}
