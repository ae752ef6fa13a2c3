//! `farthing import`: what comes from elsewhere.

mod books;
mod focus;
mod summary;
mod telemetry;

use crate::args::{ImportArgs, ImportWhat, Output};
use crate::home::Home;
use crate::outcome::Outcome;
pub(crate) use telemetry::secret;

/// Imports, and says what came of it.
pub(crate) fn run(args: &ImportArgs, home: &Home, output: Output) -> anyhow::Result<Outcome> {
    match &args.what {
        ImportWhat::Telemetry(args) => telemetry::files(args, home, output),
        ImportWhat::Prometheus(args) => telemetry::server(args, home, output),
        ImportWhat::Focus(args) => focus::run(args, home, output),
    }
}
