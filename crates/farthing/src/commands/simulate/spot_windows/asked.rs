//! The arguments of a replay on windows of spot.

use crate::commands::duration;
use crate::commands::simulate::format;
use crate::outcome::WrongUse;
use farthing_model::{Currency, Money};
use farthing_planner::spot::Terms;
use farthing_sim::spot::SpotRule;
use farthing_sim::trace::SpotWindow;

/// What each launch loses where nothing was said.
const OVERHEAD: &str = "3m";

/// Nodes of a job at most.
const GANG_MAX: u32 = 10_000;

/// What is to be replayed.
pub(super) struct Jobs {
    pub(super) rules: Vec<SpotRule>,
    /// Each deadline with each overhead.
    pub(super) terms: Vec<Terms>,
    /// Deadline and overhead of each, as they were written.
    pub(super) names: Vec<[String; 2]>,
}

impl Jobs {
    /// Reads them.
    pub(super) fn read(asked: &format::Asked<'_>) -> anyhow::Result<Self> {
        let args = asked.args;
        if args.limit == Some(0) {
            return Err(WrongUse::new("--limit 0 leaves no window").into());
        }
        let of = |name: &&'static str| name.parse::<SpotRule>().map_err(WrongUse::new);
        let rules = asked.policies.iter().map(of).collect::<Result<Vec<_>, _>>()?;
        let work = format::Asked::needed("--work", args.work.as_ref(), "--work 48h")?;
        let deadlines = Some(&args.deadline).filter(|deadlines| !deadlines.is_empty());
        let deadlines = format::Asked::needed("--deadline", deadlines, "--deadline 52h,70h")?;
        let usual = [OVERHEAD.to_owned()];
        let overheads = if args.overhead.is_empty() { &usual } else { args.overhead.as_slice() };
        let gang = args.gang.unwrap_or(1);
        if !(1..=GANG_MAX).contains(&gang) {
            let what = format!("--gang {gang} is no number of nodes from 1 to {GANG_MAX}");
            return Err(WrongUse::new(what).into());
        }
        let [spot_hour, on_demand_hour] = prices(&args.price)?;
        let of_all = |hour: Money| hour.checked_mul_int(gang.into());
        let (spot_hour, on_demand_hour) = (of_all(spot_hour)?, of_all(on_demand_hour)?);
        let work_s = duration("--work", work)?.as_secs();
        let (mut terms, mut names) = (Vec::new(), Vec::new());
        for deadline in deadlines {
            for overhead in overheads {
                let wanted = Terms {
                    tick_s: SpotWindow::TICK_S,
                    work_s,
                    deadline_s: duration("--deadline", deadline)?.as_secs(),
                    overhead_s: overhead_s(overhead)?,
                    spot_hour,
                    on_demand_hour,
                };
                let of = |error| WrongUse::new(format!("--deadline {deadline}: {error}"));
                terms.push(wanted.checked().map_err(of)?);
                names.push([deadline.clone(), overhead.clone()]);
            }
        }
        Ok(Self { rules, terms, names })
    }
}

/// A launch may lose nothing at all.
fn overhead_s(text: &str) -> anyhow::Result<i64> {
    if matches!(text, "0" | "0s" | "0m" | "0h") {
        return Ok(0);
    }
    Ok(duration("--overhead", text)?.as_secs())
}

/// An hour of spot and of on demand.
fn prices(given: &[String]) -> anyhow::Result<[Money; 2]> {
    let mut found = [None, None];
    for price in given {
        let wrong = |what: &str| {
            WrongUse::new(format!("--price {price}: {what}"))
                .hint("write both, like spot=0.9731,on-demand=3.06")
        };
        let (name, amount) = price.split_once('=').ok_or_else(|| wrong("it has no `=`"))?;
        let place = match name.trim() {
            "spot" => &mut found[0],
            "on-demand" => &mut found[1],
            _ => return Err(wrong("it is of neither spot nor on-demand").into()),
        };
        let amount = Money::from_decimal(amount.trim(), Currency::USD)
            .map_err(|error| wrong(&error.to_string()))?;
        if place.replace(amount).is_some() {
            return Err(wrong("it is there twice").into());
        }
    }
    match found {
        [Some(spot), Some(on_demand)] => Ok([spot, on_demand]),
        _ => Err(WrongUse::new("--price needs an hour of spot and of on demand")
            .hint("write both, like spot=0.9731,on-demand=3.06")
            .into()),
    }
}
