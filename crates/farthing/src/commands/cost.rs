//! `farthing cost`: the statement.

use super::{Covered, covered, keys, print};
use crate::args::{Among, CostArgs, OfWhat, Output, Share};
use crate::home::Home;
use crate::outcome::{Outcome, WrongUse};
use crate::show;
use farthing_ledger::{
    Basis, Books, Filter, Key, ReconcileError, Scope, ShareIdle, Sharing, StatementQuery, Weigh,
    reconcile, statement_with,
};
use farthing_model::{ClusterId, HourlyRate, Money, Window};
use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

/// A read that is over by then needs no progress.
const SILENT: Duration = Duration::from_millis(500);

/// Prints who used what, and what it cost.
pub(crate) fn run(args: &CostArgs, home: &Home, output: Output) -> anyhow::Result<Outcome> {
    let by = by(args)?;
    let clusters = clusters(args.cluster.as_deref(), home)?;
    let books = home.books()?;
    let covered = covered(&books, &clusters, &args.window, args.now.as_deref())?;
    let Covered { window, currency, now } = covered;
    let query = StatementQuery {
        clusters,
        window,
        currency,
        by,
        filter: filter("--filter", args.filter.as_deref())?,
        resources: None,
        basis: match args.basis {
            OfWhat::Reserved => Basis::Reserved,
            OfWhat::Occupied => Basis::Occupied,
            OfWhat::Used => Basis::Used,
        },
        sharing: sharing(args, window)?,
    };
    let meant = format!("`{}` as of {now}", args.window);
    if args.bills {
        return bills(&books, &query, (&meant, args.limit), output);
    }
    let mut progress = Progress::new();
    let statement = statement_with(&books, &query, &mut |done, all| progress.show(done, all))?;
    progress.clear();
    print(
        output,
        || Ok(show::statement::text(&statement, &meant, args.limit)?),
        || Ok(serde_json::to_value(farthing_server::wire::cost(&statement))?),
        || Ok(show::statement::all_rows(&statement)?),
    )?;
    Ok(if statement.difference.is_zero() { Outcome::Done } else { Outcome::Failed })
}

/// Puts imported bills beside what the meter says.
fn bills(
    books: &Books,
    query: &StatementQuery,
    (meant, limit): (&str, usize),
    output: Output,
) -> anyhow::Result<Outcome> {
    let said = reconcile(books, query).map_err(|error| match error {
        ReconcileError::Key(_) => anyhow::Error::from(
            WrongUse::new(error.to_string()).hint("such as --by provider,day --bills"),
        ),
        error => error.into(),
    })?;
    print(
        output,
        || Ok(show::bills::text(&said, meant, limit)),
        || Ok(farthing_server::wire::reconciliation(&said)),
        || Ok(show::bills::rows(&said, usize::MAX, Money::to_decimal)),
    )?;
    Ok(Outcome::Done)
}

/// The keys, with that of the step before them.
fn by(args: &CostArgs) -> anyhow::Result<Vec<Key>> {
    // What a statement is by where nothing is said, no bill knows.
    let is_default = args.by.len() == 2 && args.by[0] == "team" && args.by[1] == "workload";
    let mut by = if args.bills && is_default { vec![Key::Provider] } else { keys(&args.by)? };
    let step = match args.step.as_deref() {
        None => return Ok(by),
        Some("1h" | "hour") => Key::Hour,
        Some("1d" | "24h" | "day") => Key::Day,
        Some(other) => {
            return Err(WrongUse::new(format!("--step `{other}` is not a step"))
                .hint("charges are kept by the UTC hour: 1h or 1d")
                .into());
        }
    };
    by.retain(|key| *key != step);
    by.insert(0, step);
    Ok(by)
}

/// The clusters that are asked for, separated by commas, or that of the last run.
pub(crate) fn clusters(asked: Option<&str>, home: &Home) -> anyhow::Result<Vec<ClusterId>> {
    let Some(asked) = asked else { return Ok(vec![home.cluster(None)?]) };
    let mut clusters = Vec::new();
    for name in asked.split(',') {
        let cluster = home.cluster(Some(name.trim()))?;
        if !clusters.contains(&cluster) {
            clusters.push(cluster);
        }
    }
    Ok(clusters)
}

/// A filter of the command line, with a mark under where it is wrong.
pub(crate) fn filter(flag: &str, text: Option<&str>) -> anyhow::Result<Option<Filter>> {
    let Some(text) = text else { return Ok(None) };
    text.parse().map(Some).map_err(|error: farthing_ledger::FilterError| {
        let space = " ".repeat(error.position.saturating_sub(1));
        let wrong =
            format!("{flag} is wrong at position {}\n    {text}\n    {space}^", error.position);
        WrongUse::new(wrong).hint(error.what).into()
    })
}

fn sharing(args: &CostArgs, window: Window) -> anyhow::Result<Sharing> {
    let flat = args.overhead.as_deref().map(|text| -> anyhow::Result<Money> {
        let rate: HourlyRate =
            text.parse().map_err(|error| WrongUse::new(format!("--overhead: {error}")))?;
        Ok(rate.cost(window)?)
    });
    Ok(Sharing {
        idle: match args.share_idle {
            Share::Separate => ShareIdle::Separate,
            Share::Even => ShareIdle::Even,
            Share::Proportional => ShareIdle::Proportional,
        },
        weigh: if args.by_resource { Weigh::Resource } else { Weigh::Total },
        scope: match args.idle_by {
            Among::Place => Scope::Place,
            Among::Cluster => Scope::Cluster,
            Among::Node => Scope::Node,
        },
        after_filter: args.after_filter,
        common: filter("--share", args.share.as_deref())?,
        common_evenly: args.share_evenly,
        flat: flat.transpose()?,
    })
}

/// How far a long read is, on a terminal only.
struct Progress {
    began: Instant,
    is_terminal: bool,
    shown: Option<usize>,
}

impl Progress {
    fn new() -> Self {
        Self { began: Instant::now(), is_terminal: std::io::stderr().is_terminal(), shown: None }
    }

    fn show(&mut self, done: usize, all: usize) {
        let percent = (done * 100).checked_div(all).unwrap_or(100);
        if !self.is_terminal || self.began.elapsed() < SILENT || self.shown == Some(percent) {
            return;
        }
        self.shown = Some(percent);
        // There is nowhere to tell that stderr is closed.
        let _ = write!(std::io::stderr(), "\rreading {done} of {all} hours ({percent} %)");
    }

    fn clear(&self) {
        if self.shown.is_some() {
            let _ = write!(std::io::stderr(), "\r{:60}\r", "");
        }
    }
}
