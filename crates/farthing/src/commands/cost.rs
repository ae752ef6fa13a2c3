//! `farthing cost`: the statement.

use super::{newest, print};
use crate::args::{CostArgs, Output, Share};
use crate::home::Home;
use crate::outcome::{Outcome, WrongUse};
use crate::show;
use farthing_ledger::{Key, ShareIdle, StatementQuery, statement};
use farthing_model::Money;

/// Prints who used what, and what it cost.
pub(crate) fn run(args: &CostArgs, home: &Home, output: Output) -> anyhow::Result<Outcome> {
    let by = args.by.iter().map(|name| key(name)).collect::<Result<Vec<_>, _>>()?;
    let cluster = home.cluster(args.cluster.as_deref())?;
    let books = home.books()?;
    let (window, currency) = newest(&books, &cluster, &args.window)?;
    let share_idle = match args.share_idle {
        Share::Separate => ShareIdle::Separate,
        Share::Even => ShareIdle::Even,
        Share::Proportional => ShareIdle::Proportional,
    };
    let query = StatementQuery { by, share_idle, ..StatementQuery::of(cluster, window, currency) };
    let statement = statement(&books, &query)?;
    print(
        output,
        || Ok(show::statement::text(&statement, args.limit)?),
        || Ok(serde_json::to_value(farthing_server::wire::cost(&statement))?),
        || Ok(show::statement::rows(&statement, usize::MAX, Money::to_decimal)?),
    )?;
    Ok(if statement.difference.is_zero() { Outcome::Done } else { Outcome::Failed })
}

/// A key by its name, with a suggestion for a near miss.
fn key(name: &str) -> anyhow::Result<Key> {
    let name = name.trim().replace('-', "_");
    let name = name.as_str();
    if let Some(key) = Key::ALL.into_iter().find(|key| key.name() == name) {
        return Ok(key);
    }
    let near = Key::ALL
        .into_iter()
        .map(|key| (strsim::damerau_levenshtein(key.name(), name), key))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, _)| *distance <= 3);
    let names: Vec<&str> = Key::ALL.iter().map(|key| key.name()).collect();
    let hint = match near {
        Some((_, key)) => format!("did you mean {}?", key.name()),
        None => format!("the keys are {}", names.join(", ")),
    };
    Err(WrongUse::new(format!("--by `{name}` is not a key of the ledger")).hint(hint).into())
}
