//! The columns of telemetry that only uses of devices have.
//!
//! A rung is a number of thousandths, or null with its reason in `rungs_missing`, one `rung=reason`
//! a word. Files before the third format have none of this.

use super::BooksError;
use super::columns::{Batch, Table, value};
use super::segment_file::Entry;
use farthing_model::{DeviceUse, Missing, PerMille, Progress, Reading, Rung, Rungs};

/// The column of a rung.
const fn column(rung: Rung) -> &'static str {
    match rung {
        Rung::Context => "context_per_mille",
        Rung::Engine => "engine_per_mille",
        Rung::Sm => "sm_per_mille",
        Rung::Tensor => "tensor_per_mille",
        Rung::Mfu => "mfu_per_mille",
    }
}

/// Writes them.
pub(super) fn write(table: &mut Table<'_>, entries: &[Entry<'_>]) -> Result<(), BooksError> {
    let uses = || entries.iter().map(|entry| entry.use_of());
    let shares: Vec<_> = uses().map(|one| one.map(|one| one.share.to_string())).collect();
    table.text("share", shares.iter().map(Option::as_deref));
    table.decimal("copied_to", 0, uses().map(|one| one.map(|one| one.copied_to.into())))?;
    for rung in Rung::ALL {
        let reading = |one: &DeviceUse| one.rungs.get(rung).value().map(|value| value.get().into());
        table.decimal(column(rung), 0, uses().map(|one| one.and_then(reading)))?;
    }
    let missing: Vec<_> = uses().map(|one| one.and_then(missing)).collect();
    table.text("rungs_missing", missing.iter().map(Option::as_deref));
    let number =
        |of: fn(&DeviceUse) -> Option<u64>| uses().map(move |one| one.and_then(of).map(i128::from));
    table.decimal("held_bytes", 0, number(|one| one.memory_bytes))?;
    table.decimal("power_mw", 0, number(|one| one.power_mw.map(u64::from)))?;
    table.decimal("requests", 0, number(|one| one.progress.requests))?;
    table.decimal("tokens", 0, number(|one| one.progress.tokens))?;
    table.decimal("steps", 0, number(|one| one.progress.steps))
}

fn missing(one: &DeviceUse) -> Option<String> {
    let words = Rung::ALL.into_iter().filter_map(|rung| match one.rungs.get(rung) {
        Reading::Missing(why) => Some(format!("{}={}", rung.name(), why.name())),
        Reading::Value(_) => None,
    });
    let words: Vec<_> = words.collect();
    (!words.is_empty()).then(|| words.join(" "))
}

/// One row of a batch, as a use of a device.
pub(super) struct UseRows<'a> {
    pub(super) batch: &'a Batch,
    pub(super) row: usize,
}

impl UseRows<'_> {
    /// A number that may be missing.
    pub(super) fn count<T: TryFrom<i128>>(&self, name: &str) -> Result<Option<T>, BooksError> {
        let number = value(self.batch.decimal(name)?, self.row).map(T::try_from);
        number.transpose().map_err(|_| self.batch.wrong(self.row, name))
    }

    pub(super) fn copied_to(&self) -> Result<u16, BooksError> {
        self.count("copied_to")?.ok_or_else(|| self.batch.wrong(self.row, "copied_to"))
    }

    pub(super) fn rungs(&self) -> Result<Rungs, BooksError> {
        let missing = self.batch.text("rungs_missing")?.get(self.row).unwrap_or_default();
        let mut rungs = Rungs::NONE;
        for rung in Rung::ALL {
            let wrong = || self.batch.wrong(self.row, column(rung));
            let reading = match self.count::<u16>(column(rung))? {
                Some(value) => Reading::Value(PerMille::new(value).ok_or_else(wrong)?),
                None => Reading::Missing(why(missing, rung).ok_or_else(wrong)?),
            };
            rungs = rungs.with(rung, reading);
        }
        Ok(rungs)
    }

    pub(super) fn progress(&self) -> Result<Progress, BooksError> {
        Ok(Progress {
            requests: self.count("requests")?,
            tokens: self.count("tokens")?,
            steps: self.count("steps")?,
        })
    }
}

fn why(missing: &str, rung: Rung) -> Option<Missing> {
    let of = |word: &'_ str| {
        word.split_once('=').filter(|(name, _)| *name == rung.name()).map(|w| w.1.to_owned())
    };
    let why = missing.split(' ').find_map(of)?;
    Missing::ALL.into_iter().find(|missing| missing.name() == why)
}
