//! `farthing simulate`: a trace under several policies, side by side.
//!
//! Start with [`run`]: `format` lists the kinds of traces and what they take, one module each
//! replays one kind, `result` prints what came out of any of them.

mod chronus;
mod file;
mod fleet;
mod format;
mod gavel;
mod jobs;
mod journal;
mod names;
mod openb;
mod result;
mod shift;
mod spot_windows;

use crate::args::{Output, SimulateArgs};
use crate::outcome::Outcome;
use farthing_sim::trace::{PowerHours, read_power};
use format::Asked;
use std::ffi::OsStr;
use std::path::Path;

/// Replays the trace. `books` is where those of the simulation are kept, if they are. Fails where a
/// job of ours was late though on demand could have made it.
pub(crate) fn run(
    args: &SimulateArgs,
    books: Option<&str>,
    output: Output,
) -> anyhow::Result<Outcome> {
    let format = format::named(args)?;
    // What the environment says are the books of what is real: a simulation is not put there.
    let real = std::env::var_os("FARTHING_BOOKS");
    let books = books.filter(|given| real.as_deref() != Some(OsStr::new(given)));
    let asked = Asked { books, ..Asked::read(args, format)? };
    if let Some(part) = &args.explain {
        return format.explain(&asked, part, output);
    }
    format.run(&asked)?.print(output)?;
    Ok(Outcome::Done)
}

/// Power by the hour from files that a flag names.
pub(crate) fn power_of(
    flag: &str,
    files: (&Path, Option<&Path>),
    zone: Option<&str>,
) -> anyhow::Result<PowerHours> {
    read_power(files, zone).map_err(|error| file::unreadable(flag, &error).into())
}
