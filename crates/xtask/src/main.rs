//! Developer tasks: regenerate the data files under `data/` from the shared data folder.
//!
//! Nothing here runs in the product, and nothing here reaches the network: the inputs are files,
//! the outputs are small dated files that are committed. Start at [`tasks::outputs`].

mod catalog;
mod decimal;
mod gcp;
mod machines;
mod names;
mod prices;
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

const USAGE: &str = "usage: xtask <prices|traces|spot|all> --shared DIR [--check]";

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
    let (task, shared) = (task.context(USAGE)?, shared.context(USAGE)?);
    let outputs = tasks::outputs(&task, &shared)?;
    let stale = tasks::settle(&outputs, check)?;
    if stale > 0 && check {
        bail!("{stale} files differ from what {task} makes: run without --check");
    }
    Ok(())
}
