//! Developer tasks: regenerate what is generated, and measure.
//!
//! - `prices`, `traces`, `spot`, `all`: the data files under `data/`, from the shared data folder.
//! - `references`: the pages of `docs/reference` that the program itself prints.
//! - `bench`: figures beside their limits.
//! - `instructions`: what inner loops take, counted by callgrind, for `bench` to hold them to.
//!
//! Nothing here runs in the product, and nothing here reaches the network: the inputs are files
//! and our own programs, the outputs are small files that are committed. `--check` compares
//! instead of writing. Start at [`tasks::outputs`].

mod bench;
mod catalog;
mod decimal;
mod gcp;
mod machines;
mod names;
mod prices;
mod programs;
mod references;
mod report;
mod spot;
mod table;
mod tasks;
#[cfg(test)]
mod tests;
mod traces;
mod weights;

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

const USAGE: &str = "usage: xtask <prices|traces|spot|all> --shared DIR [--check]
       xtask references [--check]
       xtask bench
       xtask instructions";

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (mut task, mut shared, mut check) = (None, None, false);
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--shared" => shared = Some(PathBuf::from(rest.next().context(USAGE)?)),
            "--check" => check = true,
            name if task.is_none() => task = Some(name.to_owned()),
            _ => bail!(USAGE),
        }
    }
    let task = task.context(USAGE)?;
    let outputs = match task.as_str() {
        "bench" => return bench::run(),
        "instructions" => return bench::instructions::record(),
        "references" => references::outputs(&programs::program("farthing", None)?)?,
        _ => tasks::outputs(&task, &shared.context(USAGE)?)?,
    };
    let stale = tasks::settle(&outputs, check)?;
    if stale > 0 && check {
        bail!("{stale} files differ from what {task} makes: run without --check");
    }
    Ok(())
}
