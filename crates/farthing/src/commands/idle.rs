//! `farthing idle`: who holds accelerators and does nothing with them, and how far up the ladder
//! from allocated to useful each device gets.

use super::{covered, duration, print};
use crate::args::{IdleArgs, Output};
use crate::home::Home;
use crate::outcome::Outcome;
use crate::show;
use farthing_ledger::{Watch, survey};
use farthing_server::wire;

/// Prints a verdict for each workload that has accelerators.
pub(crate) fn run(args: &IdleArgs, home: &Home, output: Output) -> anyhow::Result<Outcome> {
    let cluster = home.cluster(args.cluster.as_deref())?;
    let books = home.books()?;
    let clusters = [cluster.clone()];
    let covered = covered(&books, &clusters, &args.window, args.now.as_deref())?;
    let every = args.every.as_deref().map(|text| duration("--every", text)).transpose()?;
    let (window, currency) = (covered.window, covered.currency);
    let asked = Watch { window, every, calendar: Vec::new(), currency };
    let found = survey(&books, &cluster, &asked)?;
    print(
        output,
        || Ok(show::idle::text(&found)),
        || {
            let said =
                wire::idle(found.window, &found.verdicts, &found.unallocated, &found.ladders);
            let mut value = serde_json::to_value(said)?;
            value["energy"] = found.energy.iter().map(show::idle::energy_json).collect();
            Ok(value)
        },
        || Ok(show::idle::rows(&found.verdicts)),
    )?;
    Ok(Outcome::Done)
}
