//! One row of a catalogue that lists machines with their prices, and what becomes of it.

use super::gcp::{Half, Halves, Role};
use crate::catalog::intake::{Intake, LISTED, Machine, Seen};
use crate::catalog::row::{RowError, kind, lower};
use farthing_model::Currency;
use farthing_model::offer_table::{Arch, Row};
use jiff::civil::Date;
use std::borrow::Cow;

/// Why a row has no offer of a purchase.
const NO_PRICE: &str = "no on-demand price";

/// A machine in a zone with both its prices.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Listed<'c> {
    pub(crate) provider: &'c str,
    pub(crate) region: &'c str,
    pub(crate) zone: &'c str,
    /// Empty where the row is of an accelerator alone.
    pub(crate) instance_type: &'c str,
    /// As the catalogue spells it, empty for none.
    pub(crate) accelerator: &'c str,
    pub(crate) count_milli: u64,
    pub(crate) cpu_milli: u64,
    pub(crate) memory_bytes: u64,
    pub(crate) storage_bytes: u64,
    pub(crate) arch: Option<Arch>,
    /// On demand, in 10^-12 US dollars.
    pub(crate) price: Option<i64>,
    pub(crate) spot: Option<i64>,
    pub(crate) as_of: Date,
    pub(crate) dated: bool,
}

/// The rows of one catalogue. Halves of machines wait until all are read.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    halves: Halves,
    source: String,
    /// The terms of the last day: rows come in runs.
    last: Option<((Date, bool), [u32; 2])>,
}

impl Listing {
    pub(crate) fn new(source: String) -> Self {
        Self { source, ..Self::default() }
    }

    /// Takes a row.
    pub(crate) fn take(&mut self, row: &Listed<'_>, intake: &mut Intake) -> Result<(), RowError> {
        if let Cow::Owned(provider) = lower(row.provider) {
            return self.take(&Listed { provider: &provider, ..*row }, intake);
        }
        if row.region.is_empty() {
            return Err(RowError::Missing("Region", "the provider's name of it"));
        }
        let whole = row.count_milli.is_multiple_of(1_000);
        if row.instance_type.is_empty() {
            if row.accelerator.is_empty() {
                return Err(RowError::Missing("InstanceType", "or else an AcceleratorName"));
            }
            // A slice of TPUs is a machine of its own, hosts included.
            if row.accelerator.to_ascii_lowercase().starts_with("tpu") && whole {
                let slice = Listed { instance_type: row.accelerator, ..*row };
                return self.add(&slice, row.accelerator, "", intake);
            }
            let half = self.half(row, intake)?;
            self.halves.accelerator(row, half, intake);
            return Ok(());
        }
        if row.accelerator.is_empty() && row.count_milli == 0 {
            let role = match row.provider {
                "gcp" | "google" => self.halves.role(row.instance_type),
                _ => Role::default(),
            };
            if role.is_host {
                let half = self.half(row, intake)?;
                self.halves.host(row, half);
            }
            // The price of a host that is only sold with accelerators is no price of a machine.
            if role.is_bundle {
                return Ok(());
            }
            return self.add(row, "", "", intake);
        }
        let count = decimal(row.count_milli);
        match (row.accelerator, whole) {
            ("", _) => {
                let note = format!("has {count} accelerators without a name");
                self.add(row, "", &note, intake)
            }
            (name, false) => {
                let note = format!("has {count} of an accelerator {name}, which is not counted");
                self.add(row, "", &note, intake)
            }
            (_, true) if row.count_milli == 0 => Err(RowError::Cell(
                "AcceleratorCount",
                format!("is 0 or empty beside the accelerator {}", row.accelerator),
            )),
            (name, true) => self.add(row, name, "", intake),
        }
    }

    /// Adds the offers of a whole machine.
    fn add(
        &mut self,
        row: &Listed<'_>,
        accelerator: &str,
        note: &str,
        intake: &mut Intake,
    ) -> Result<(), RowError> {
        let count = match accelerator {
            "" => 0,
            _ => u32::try_from(row.count_milli / 1_000)
                .map_err(|_| RowError::Cell("AcceleratorCount", "is too large".to_owned()))?,
        };
        let shape = intake.shape(&Machine {
            provider: row.provider,
            instance_type: row.instance_type,
            accelerator,
            count,
            cpu_milli: row.cpu_milli,
            memory_bytes: row.memory_bytes,
            storage_bytes: row.storage_bytes,
            arch: row.arch,
            note,
        })?;
        let half = self.half(row, intake)?;
        if row.price.is_none() {
            intake.exclude(NO_PRICE, 1);
        }
        for (at, price) in [row.price, row.spot].into_iter().enumerate() {
            if let Some(pico) = price {
                let (site, terms, currency) = (half.site, half.terms[at], half.currency);
                let purchase = LISTED[at];
                intake.push(Row { site, shape, terms, currency, purchase, pico, was: None });
            }
        }
        Ok(())
    }

    fn half(&mut self, row: &Listed<'_>, intake: &mut Intake) -> Result<Half, RowError> {
        let day = (row.as_of, row.dated);
        let known = self.last.filter(|(last, _)| *last == day).map(|(_, terms)| terms);
        let terms = known.unwrap_or_else(|| {
            LISTED.map(|purchase| {
                intake.terms(&Seen {
                    kind: kind(purchase),
                    source: &self.source,
                    as_of: row.as_of,
                    dated: row.dated,
                    available: None,
                })
            })
        });
        self.last = Some((day, terms));
        Ok(Half {
            site: intake.site(row.provider, row.region, row.zone)?,
            terms,
            currency: intake.currency(Currency::USD)?,
            prices: [row.price, row.spot],
        })
    }

    /// Joins the halves of machines.
    pub(crate) fn finish(self, intake: &mut Intake) -> Result<(), RowError> {
        self.halves.join(intake)
    }
}

fn decimal(milli: u64) -> String {
    farthing_model::Decimal::from_nano(i128::from(milli) * 1_000_000).to_string()
}
