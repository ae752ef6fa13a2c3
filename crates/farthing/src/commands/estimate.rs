//! `farthing estimate`: what a job will cost, before it is started.
//!
//! Start with [`run`]. `price` finds the offers that would do and what an hour of them costs,
//! `time` says how long it may take and what that rests on.

mod price;
mod time;

use crate::args::{EstimateArgs, Output, RunPays};
use crate::commands::run::reserve::{Payer, Reservation};
use crate::commands::{cache_folder, duration, price_book, print};
use crate::home::Home;
use crate::outcome::{Outcome, WrongUse};
use crate::print::talk;
use crate::show;
use farthing_engine::{Journal, RunRecord, Short};
use farthing_model::{ClusterId, Currency, Money, TeamId};
use farthing_providers::catalog::Catalogue;
use farthing_providers::estimate::{Asked, AskedJob, FILE_BYTES_MAX, read};
use farthing_providers::text::read_text;
use jiff::{SignedDuration, Timestamp};
pub(crate) use price::{Bought, Priced};
use std::collections::BTreeMap;
use std::path::Path;
pub(crate) use time::Takes;

/// Why budgets are not asked: nobody says who pays.
const NAMES_NOBODY: &str = "--team NAME";
/// The loop that ran last was told of none.
const KNOWS_NO_BUDGETS: &str = "no loop was told of any; --config FILE";
/// Nothing bounds what it costs.
const HAS_NO_COST: &str = "what it costs is not known; --takes DURATION";

/// The estimate of one job.
pub(crate) struct Estimate {
    pub(crate) job: AskedJob,
    /// What it is bought as; or why nothing will do.
    pub(crate) priced: Result<Priced, String>,
    pub(crate) takes: Takes,
    /// What is short in budgets; or what would have to be said for them to be asked.
    pub(crate) short: Result<Vec<Short>, String>,
}

/// Costs, where the time is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ToFinish {
    pub(crate) low: Option<Money>,
    pub(crate) expected: Option<Money>,
    pub(crate) high: Option<Money>,
}

impl Estimate {
    /// What finishing costs.
    pub(crate) fn to_finish(&self) -> ToFinish {
        let Ok(priced) = &self.priced else { return ToFinish::default() };
        let of = |length: Option<SignedDuration>| cost_of(priced.hourly, length?);
        let Takes { low, expected, high, .. } = self.takes;
        ToFinish { low: of(low), expected: of(expected), high: of(high) }
    }
}

/// Prints estimates.
pub(crate) fn run(args: &EstimateArgs, home: &Home, output: Output) -> anyhow::Result<Outcome> {
    let now = Timestamp::now();
    let takes = args.takes.as_deref().map(|text| duration("--takes", text)).transpose()?;
    let book = match &args.prices[..] {
        [] => Catalogue::default_book(),
        paths => price_book(paths, now, cache_folder())?,
    };
    let learned = learned(home, &args.pays)?;
    let mut estimates = Vec::new();
    let mut faults = Vec::new();
    for path in &args.files {
        let asked = asked(path, now)?;
        faults.extend(asked.faults);
        for job in asked.jobs {
            estimates.push(estimate(job, (args, home), &book, (takes, &learned))?);
        }
    }
    for fault in &faults {
        talk(&format!("left out: {fault}"));
    }
    if estimates.is_empty() {
        return Err(WrongUse::new("there is nothing to estimate").into());
    }
    print(
        output,
        || Ok(show::estimate::text(&estimates)),
        || Ok(show::estimate::json(&estimates, &faults)),
        || Ok(show::estimate::table(&estimates)),
    )?;
    let does_not_fit = |estimate: &Estimate| {
        estimate.priced.is_err() || estimate.short.as_ref().is_ok_and(|short| !short.is_empty())
    };
    Ok(match (faults.is_empty(), estimates.iter().any(does_not_fit)) {
        (_, true) => Outcome::Infeasible,
        (false, false) => Outcome::Failed,
        (true, false) => Outcome::Done,
    })
}

/// What is known beforehand of the only job of a file: what it is compared by, how long it was
/// expected to take and what that was expected to cost.
pub(crate) fn expected(path: &Path) -> anyhow::Result<(String, Option<SignedDuration>)> {
    let asked = asked(path, Timestamp::now())?;
    if let Some(fault) = asked.faults.first() {
        return Err(WrongUse::new(fault.to_string()).into());
    }
    let [job] = &asked.jobs[..] else {
        let count = asked.jobs.len();
        return Err(WrongUse::new(format!("{} has {count} jobs, not one", path.display()))
            .hint("name a file with the job that is run")
            .into());
    };
    Ok((job.comparable(), time::stated(job, None).map(|(length, _)| length)))
}

fn asked(path: &Path, now: Timestamp) -> anyhow::Result<Asked> {
    let text = read_text(path, FILE_BYTES_MAX).map_err(|error| WrongUse::new(error.to_string()))?;
    Ok(read(path, &text, now))
}

/// Runs that are remembered, by what they are compared by.
fn learned(home: &Home, pays: &RunPays) -> anyhow::Result<BTreeMap<String, Vec<RunRecord>>> {
    let cluster = ClusterId::new(&pays.post_to)
        .map_err(|error| WrongUse::new(format!("--post-to: {error}")))?;
    if !home.store().has(&cluster)? {
        return Ok(BTreeMap::new());
    }
    Ok(Journal::open(home.store().look(&cluster)?)?.state().runs.clone())
}

fn estimate(
    job: AskedJob,
    (args, home): (&EstimateArgs, &Home),
    book: &Catalogue,
    (stated, learned): (Option<SignedDuration>, &BTreeMap<String, Vec<RunRecord>>),
) -> anyhow::Result<Estimate> {
    let (priced, measured) = match price::price(&job, book, args) {
        Ok((priced, measured)) => (Ok(priced), measured),
        Err(why) => (Err(why), None),
    };
    let runs = learned.get(&job.comparable()).map_or(&[][..], Vec::as_slice);
    let takes = time::takes(&job, stated.or(measured), runs);
    let mut estimate = Estimate { job, priced, takes, short: Ok(Vec::new()) };
    estimate.short = short(&estimate, args, home)?;
    Ok(estimate)
}

/// What the budgets of whoever pays lack, for the upper end of it. Nobody has to say that budgets
/// be asked: it is enough that there are some, and that it is known who pays.
fn short(
    estimate: &Estimate,
    args: &EstimateArgs,
    home: &Home,
) -> anyhow::Result<Result<Vec<Short>, String>> {
    let (Ok(priced), Some(high)) = (&estimate.priced, estimate.to_finish().high) else {
        return Ok(Err(HAS_NO_COST.to_owned()));
    };
    let mut payer = Payer::of(args.pays.team.as_deref(), &args.pays.labels)?;
    if payer.team.is_none() {
        let team = estimate.job.labels.get("team").and_then(|team| TeamId::new(team).ok());
        payer.team = team;
    }
    for (key, value) in &estimate.job.labels {
        payer.labels.entry(key.clone()).or_insert_with(|| value.clone());
    }
    let cluster = ClusterId::new(&args.pays.post_to)?;
    let currency = priced.hourly.currency();
    let what = format!("estimate of {}", estimate.job.name);
    let is_named = Reservation::is_named(&args.pays);
    if !is_named && payer.team.is_none() {
        return Ok(Err(NAMES_NOBODY.to_owned()));
    }
    let ran = match home.cluster(None) {
        Ok(last) => home.store().has(&last),
        Err(_) => Ok(false),
    };
    let ran = match ran {
        Err(error) if !is_named => return Ok(Err(error.to_string())),
        ran => ran.unwrap_or(false),
    };
    let open = Reservation::open_if(
        is_named || ran,
        (&args.pays, home),
        (&mut payer, what),
        (&cluster, currency),
    );
    let reservation = match open {
        // Nobody asked for it: that it cannot be told is no reason not to tell the rest.
        Err(error) if !is_named && error.is::<WrongUse>() => return Ok(Err(error.to_string())),
        open => open?,
    };
    if !reservation.has_budgets() {
        return Ok(Err(KNOWS_NO_BUDGETS.to_owned()));
    }
    let gpu_milli = i128::from(estimate.job.gpu_milli());
    let length = estimate.takes.high.unwrap_or_default();
    let hour = SignedDuration::from_hours(1).as_nanos();
    let gpu_hours = (gpu_milli * length.as_nanos() + hour - 1) / hour;
    reservation.check(high, u64::try_from(gpu_hours).unwrap_or(u64::MAX)).map(Ok)
}

/// What so long costs, to the last unit, rounded up.
pub(crate) fn cost_of(hourly: Money, length: SignedDuration) -> Option<Money> {
    let hour = SignedDuration::from_hours(1).as_nanos();
    let all = hourly.pico().checked_mul(length.as_nanos())?;
    Some(Money::from_pico(all / hour + i128::from(all % hour != 0), hourly.currency()))
}

/// The currency of an estimate, for tables.
pub(crate) fn currency(estimate: &Estimate) -> Currency {
    estimate.priced.as_ref().map_or(Currency::USD, |priced| priced.hourly.currency())
}
