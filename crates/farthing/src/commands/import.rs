//! `farthing import`: what comes from elsewhere.

mod focus;

use crate::args::{ImportArgs, ImportWhat, Output};
use crate::home::Home;
use crate::outcome::Outcome;

/// Imports, and says what came of it.
pub(crate) fn run(args: &ImportArgs, home: &Home, output: Output) -> anyhow::Result<Outcome> {
    match &args.what {
        ImportWhat::Focus(args) => focus::run(args, home, output),
    }
}
