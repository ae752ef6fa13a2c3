//! Pictures of what commands print, as SVG files: nothing is computed here that a table lacks.
//!
//! Start with [`write`]; [`svg`] is the pen, each other module one picture. Floats are positions
//! on paper only.

pub(crate) mod dag;
pub(crate) mod ladder;
pub(crate) mod lines;
pub(crate) mod plan;
pub(crate) mod replay;
pub(crate) mod serving;
mod svg;

use crate::outcome::WrongUse;
use anyhow::Context as _;
use farthing_model::Money;
use std::io::Write as _;
use std::path::Path;

/// Writes a picture whole or not at all.
///
/// # Errors
/// The name does not end in `.svg`, or the file cannot be written.
pub(crate) fn write(path: &Path, picture: &str) -> anyhow::Result<()> {
    if path.extension().is_none_or(|extension| !extension.eq_ignore_ascii_case("svg")) {
        let what = format!("--plot {}: pictures are written as SVG", path.display());
        return Err(WrongUse::new(what).hint("name it like plan.svg").into());
    }
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let failed = || format!("--plot {} cannot be written", path.display());
    let mut file = tempfile::NamedTempFile::new_in(folder).with_context(failed)?;
    file.write_all(picture.as_bytes()).with_context(failed)?;
    file.persist(path).map_err(|error| error.error).with_context(failed)?;
    Ok(())
}

/// An amount in whole units of money, for drawing.
#[allow(clippy::cast_precision_loss, reason = "a length on paper")]
pub(crate) fn whole(money: Money) -> f64 {
    money.pico() as f64 / 1e12
}
