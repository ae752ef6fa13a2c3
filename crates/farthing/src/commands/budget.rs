//! `farthing budget`: limits as they stand, and the gate for whatever wants to spend.

mod running;

use super::{amount, duration, moment, print};
use crate::args::{
    BudgetArgs, BudgetCheckArgs, BudgetOf, BudgetSettleArgs, BudgetShowArgs, BudgetSimulateArgs,
    BudgetWhat, Output,
};
use crate::commands::plan::chain;
use crate::commands::run::reserve::Payer;
use crate::home::Home;
use crate::outcome::{Outcome, WrongUse};
use crate::print::talk;
use crate::show;
use crate::store::Journal;
use farthing_engine::{Answer, Ask, EngineError, Exposure, Gate, HOLD_MAX, Told};
use farthing_ledger::{Books, all_anomalies, outlooks};
use farthing_model::{Budget, ClusterId, Currency, Limit, Money, Scope, TeamId};
use farthing_providers::manifest;
use farthing_server::wire;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Whose journal has the reservations where no loop ran: that of commands that are run and metered.
const RUNS: &str = "runs";

/// Shows budgets, or asks them.
pub(crate) fn run(args: &BudgetArgs, home: &Home, output: Output) -> anyhow::Result<Outcome> {
    if let Some(BudgetWhat::Check(check)) = &args.what
        && check.server.is_some()
    {
        return running::check(check, output);
    }
    let mut asked = match (Asked::open(&args.of, home), &args.what) {
        (Err(why), Some(BudgetWhat::Check(check))) if may_run_elsewhere(&args.of, home) => {
            return running::check_default(check, why, output);
        }
        (asked, _) => asked?,
    };
    match &args.what {
        None => asked.show(&BudgetShowArgs::default(), output),
        Some(BudgetWhat::Show(show)) => asked.show(show, output),
        Some(BudgetWhat::Check(check)) => asked.check(check, output),
        Some(BudgetWhat::Settle(settle)) => asked.settle(settle, output),
        Some(BudgetWhat::Simulate(args)) => asked.simulate(args, output),
        Some(BudgetWhat::Set(args)) => {
            asked.limit((&args.name, &args.limit, &args.why), None, output)
        }
        Some(BudgetWhat::Override(args)) => {
            // Also of no length: that ends one.
            let length = match args.length.as_str() {
                "0s" => SignedDuration::ZERO,
                text => duration("--for", text)?,
            };
            let until = asked.now.checked_add(length).unwrap_or(Timestamp::MAX);
            asked.limit((&args.name, &args.limit, &args.why), Some(until), output)
        }
        Some(BudgetWhat::Reservations) => asked.reservations(output),
    }
}

/// How far the books may be behind the clock before that is said.
const BEHIND: SignedDuration = SignedDuration::from_hours(1);

/// The budgets that are asked.
struct Asked {
    gate: Gate<Journal>,
    books: Books,
    cluster: ClusterId,
    currency: Currency,
    now: Timestamp,
    /// Where the books end, where that is long ago and nobody said of when to speak.
    behind: Option<Timestamp>,
}

impl Asked {
    fn open(of: &BudgetOf, home: &Home) -> anyhow::Result<Self> {
        let wall = Timestamp::now();
        let asked = of.now.as_deref().map(|text| moment("--now", text)).transpose()?;
        let told = manifest::load(&of.config, asked.unwrap_or(wall))
            .map_err(|why| WrongUse::new(chain(&why)))?;
        let cluster = match home.cluster(of.cluster.as_deref()) {
            // Nothing ran here yet: the budgets are those of the manifests, and nothing is spent.
            Err(error) if is_first(&error, of) => ClusterId::new(RUNS)?,
            other => other?,
        };
        home.make_folder()?;
        let books = home.books()?;
        let money = |budget: &Budget| match budget.limit {
            Limit::Money(limit) => Some(limit.currency()),
            Limit::GpuHoursMilli(_) => None,
        };
        let newest = books.posted_hours(&cluster)?.last().copied();
        let newest = newest.map(|hour| books.hour(&cluster, hour.from())).transpose()?.flatten();
        let end = newest.as_ref().map(|book| book.window.to());
        // Books of a time to come are of a simulated cluster, whose time it then is.
        let now = asked.unwrap_or(end.map_or(wall, |end| end.max(wall)));
        let behind = end.filter(|end| asked.is_none() && now.duration_since(*end) > BEHIND);
        let currency = newest.map(|book| book.currency);
        let currency = currency.or_else(|| told.budgets.iter().find_map(money));
        let currency = currency.unwrap_or(Currency::USD);
        told.in_currency(currency).map_err(|why| WrongUse::new(chain(&why)))?;
        let store = open(home, &cluster)?;
        let gate = Gate::open(store, (&books, &cluster), told.budgets, currency)?;
        in_currency(gate.budgets(), currency)?;
        if gate.budgets().is_empty() {
            return Err(WrongUse::new(format!("the loop of {cluster} was told of no budgets"))
                .hint("name their manifests with --config FILE, here or for `farthing up`")
                .into());
        }
        Ok(Self { gate, books, cluster, currency, now, behind })
    }

    fn show(&self, args: &BudgetShowArgs, output: Output) -> anyhow::Result<Outcome> {
        let exposures = self.with_limits("--if", &args.limits)?;
        if let Some(end) = self.behind {
            talk(&format!(
                "the books end at {end}, and this is how budgets stand at {}: of a simulated \
                 cluster, or a loop that has ended, --now {end} says how they stood then",
                self.now
            ));
        }
        let states = self.states(&exposures)?;
        let odd = self.odd()?;
        print(
            output,
            || Ok(show::budget::text(&states) + &show::budget::odd(&odd)),
            || Ok(json!({ "at": self.now.to_string(), "budgets": states, "anomalies": odd })),
            || Ok(show::budget::rows(&states)),
        )?;
        Ok(Outcome::Done)
    }

    /// The budgets as they would stand with other limits.
    fn with_limits(&self, flag: &str, limits: &[String]) -> anyhow::Result<Vec<Exposure>> {
        let mut exposures = self.gate.exposures(self.now)?;
        for text in limits {
            let (name, limit) = text.split_once('=').ok_or_else(|| {
                WrongUse::new(format!("{flag} `{text}` is not NAME=LIMIT"))
                    .hint("write it like research=150000USD")
            })?;
            let limit = any_limit(flag, limit)?;
            let found = exposures.iter_mut().find(|it| it.state.budget.id.as_str() == name);
            let found = found.ok_or_else(|| no_budget(name, self.gate.budgets()))?;
            let tried = found.try_limit(limit);
            tried.map_err(|why| WrongUse::new(format!("{flag} {text}: {why}")))?;
        }
        Ok(exposures)
    }

    /// Teams and workloads whose last hours cost far more than those of past weeks.
    fn odd(&self) -> anyhow::Result<Vec<wire::AnomalyJson>> {
        let books = (&self.books, &self.cluster, self.currency);
        let odd = all_anomalies(books, self.now)?.into_iter();
        Ok(odd.map(|(of, name, odd)| wire::AnomalyJson::of(of, name, &odd)).collect())
    }

    fn states(&self, exposures: &[Exposure]) -> anyhow::Result<Vec<wire::BudgetStateJson>> {
        let books = (&self.books, &self.cluster, self.currency);
        let outlooks = outlooks(books, &wire::looked(exposures), self.now)?;
        Ok(wire::budget_states(exposures, &outlooks, wire::Taken::default())?)
    }

    fn simulate(&self, args: &BudgetSimulateArgs, output: Output) -> anyhow::Result<Outcome> {
        let now = self.states(&self.gate.exposures(self.now)?)?;
        let then = self.states(&self.with_limits("--limit", &args.limits)?)?;
        print(
            output,
            || Ok(show::budget::simulated(&now, &then)),
            || Ok(json!({ "at": self.now.to_string(), "now": now, "then": then })),
            || Ok(show::budget::rows(&then)),
        )?;
        Ok(Outcome::Done)
    }

    fn limit(
        &mut self,
        (name, limit, why): (&str, &str, &str),
        until: Option<Timestamp>,
        output: Output,
    ) -> anyhow::Result<Outcome> {
        let limit = any_limit("the limit", limit)?;
        if !self.gate.budgets().iter().any(|budget| budget.id.as_str() == name) {
            return Err(no_budget(name, self.gate.budgets()).into());
        }
        let told = Told { budget: name, limit, until, why, by: "command line" };
        let told = self.gate.limit(&told, self.now);
        told.map_err(|error| WrongUse::new(error.to_string()))?;
        self.show(&BudgetShowArgs::default(), output)
    }

    fn check(&mut self, args: &BudgetCheckArgs, output: Output) -> anyhow::Result<Outcome> {
        let ask = self.ask(args)?;
        let stranger = ask.team.as_ref().and_then(|team| stranger(team, self.gate.budgets()));
        if let Some(what) = stranger.as_ref().filter(|_| args.strict) {
            return Err(WrongUse::new(what).into());
        }
        let mut checked = self.gate.look(&ask, self.now).map_err(wrong)?;
        let granted = if args.reserve.is_some() {
            match self.gate.claim(&ask, self.now).map_err(wrong)? {
                Answer::Granted(claim) => Some(wire::claim(&claim, self.now)),
                Answer::Refused(short) => {
                    checked.short = short;
                    None
                }
            }
        } else {
            None
        };
        let fits = granted.is_some() || checked.short.is_empty();
        let answer = serde_json::to_value(wire::checked(fits, &checked))?;
        let reservation = granted.map(serde_json::to_value).transpose()?;
        answered(&Answered { amount: ask.amount, answer, reservation, stranger }, output)
    }

    fn ask(&self, args: &BudgetCheckArgs) -> anyhow::Result<Ask> {
        let Payer { team, labels } = Payer::of(args.team.as_deref(), &args.labels)?;
        let hours = args.gpu_hours.as_deref().map(manifest::milli).transpose();
        let hours = hours.map_err(|error| WrongUse::new(format!("--gpu-hours: {error}")))?;
        let amount = amount("--estimate", &args.estimate)?;
        let held = args.reserve.as_deref().map(|text| duration("--reserve", text)).transpose()?;
        if let Some(held) = held.filter(|held| *held > HOLD_MAX) {
            let most = HOLD_MAX.as_hours();
            let what = format!("--reserve {held:#} is longer than {most}h");
            return Err(WrongUse::new(what).hint("reserve for a month, and then again").into());
        }
        let held = held.unwrap_or(SignedDuration::ZERO);
        Ok(Ask {
            what: args.what.clone(),
            team,
            labels,
            amount,
            gpu_hours_milli: hours.unwrap_or(0),
            expires: self.now.checked_add(held).unwrap_or(Timestamp::MAX),
            by: "command line".to_owned(),
        })
    }

    fn settle(&mut self, args: &BudgetSettleArgs, output: Output) -> anyhow::Result<Outcome> {
        let spent = args.spent.as_deref().map(|text| amount("--spent", text)).transpose()?;
        if !self.gate.claims().any(|claim| claim.id == args.id) {
            let names: Vec<&str> = self.gate.claims().map(|claim| claim.id.as_str()).collect();
            let hint = match names.as_slice() {
                [] => "there are none".to_owned(),
                names => format!("there are {}", names.join(", ")),
            };
            return Err(WrongUse::new(format!("there is no reservation `{}`", args.id))
                .hint(hint)
                .into());
        }
        self.gate.settle(&args.id, spent, "settled by hand", self.now).map_err(wrong)?;
        self.show(&BudgetShowArgs::default(), output)
    }

    fn reservations(&self, output: Output) -> anyhow::Result<Outcome> {
        let claims: Vec<_> = self.gate.claims().map(|it| wire::claim(it, self.now)).collect();
        print(
            output,
            || Ok(show::budget::claims(&claims).to_text()),
            || Ok(json!({ "items": claims })),
            || Ok(show::budget::claims(&claims)),
        )?;
        Ok(Outcome::Done)
    }
}

/// What came of asking, here or over HTTP: in the shape of the API.
struct Answered {
    amount: Money,
    /// `fits`, `short`, `soft` and `hard`.
    answer: Value,
    reservation: Option<Value>,
    /// That no hard budget names the team, if so and that is known.
    stranger: Option<String>,
}

/// Tells it.
fn answered(it: &Answered, output: Output) -> anyhow::Result<Outcome> {
    let Answered { amount, answer, reservation, stranger } = it;
    print(
        output,
        || {
            let text = show::budget::answer(*amount, reservation.as_ref(), answer);
            let stranger = stranger.as_ref().map(|what| format!("\n{what}"));
            Ok(text + &stranger.unwrap_or_default())
        },
        || {
            let mut all = answer.clone();
            all["reservation"] = json!(reservation);
            all["unknown_team"] = json!(stranger);
            Ok(all)
        },
        || Ok(show::budget::shortages(answer)),
    )?;
    let fits = answer["fits"].as_bool().unwrap_or(false);
    Ok(if fits { Outcome::Done } else { Outcome::Infeasible })
}

/// The journal of a cluster, to be asked.
pub(crate) fn open(home: &Home, cluster: &ClusterId) -> anyhow::Result<Journal> {
    home.store().open(cluster).map_err(|error| match home.store().remembered(cluster) {
        Some(url) => {
            WrongUse::new(format!("the journal of {cluster} is in {url}: {}", chain(&error)))
                .hint(format!("with a password: PGPASSWORD, or its whole address: --store {url}"))
                .into()
        }
        None => error.into(),
    })
}

/// Whether what is asked may be known to a loop that runs, and not here: nobody said where the
/// budgets are, and there is nothing here, or what there is keeps its journal elsewhere.
fn may_run_elsewhere(of: &BudgetOf, home: &Home) -> bool {
    let unsaid = of.config.is_empty() && of.cluster.is_none() && of.now.is_none();
    let cluster = home.cluster(None);
    unsaid && cluster.map_or(true, |cluster| home.store().remembered(&cluster).is_some())
}

/// Whether only manifests say what the budgets are, as nothing ran here yet.
fn is_first(error: &anyhow::Error, of: &BudgetOf) -> bool {
    of.cluster.is_none() && !of.config.is_empty() && error.is::<WrongUse>()
}

/// That budgets which an older loop was told are in the currency of the books.
pub(crate) fn in_currency(budgets: &[Budget], currency: Currency) -> Result<(), WrongUse> {
    let other = |budget: &&Budget| match budget.limit {
        Limit::Money(limit) => limit.currency() != currency,
        Limit::GpuHoursMilli(_) => false,
    };
    let Some(budget) = budgets.iter().find(other) else { return Ok(()) };
    let (id, limit) = (&budget.id, budget.limit.amount());
    let what = format!("the limit of budget {id} is {limit}, and the books are in {currency}");
    Err(WrongUse::new(what).hint(format!(
        "start the loop with it in {currency}, or name manifests with --config FILE"
    )))
}

/// That no hard budget names a team, if so: it may be mistyped.
fn stranger(team: &TeamId, budgets: &[Budget]) -> Option<String> {
    let scopes = budgets.iter().filter(|budget| budget.hard).map(|budget| &budget.scope);
    let teams = scopes.flat_map(Scope::conditions).filter_map(|condition| match condition {
        Scope::Team(team) => Some(team),
        _ => None,
    });
    let teams: BTreeSet<&TeamId> = teams.collect();
    if teams.contains(team) {
        return None;
    }
    let names: Vec<&str> = teams.into_iter().map(TeamId::as_str).collect();
    Some(match names.as_slice() {
        [] => format!("no hard budget is of team `{team}`, nor of any other"),
        names => {
            format!("no hard budget is of team `{team}`; there are {}", names.join(", "))
        }
    })
}

/// What cannot be claimed or settled at all is the asker's to put right; the rest is a failure.
fn wrong(error: EngineError) -> anyhow::Error {
    match error {
        EngineError::Unfit(why) => WrongUse::new(why.to_string()).into(),
        other => other.into(),
    }
}

/// A limit in money or in accelerator time.
fn any_limit(flag: &str, text: &str) -> anyhow::Result<Limit> {
    if text.contains("GPU") {
        let limit = text.parse::<Limit>();
        return Ok(limit.map_err(|error| WrongUse::new(format!("{flag}: {error}")))?);
    }
    Ok(Limit::Money(amount(flag, text)?))
}

fn no_budget(name: &str, budgets: &[Budget]) -> WrongUse {
    let names: Vec<&str> = budgets.iter().map(|budget| budget.id.as_str()).collect();
    WrongUse::new(format!("there is no budget `{name}`"))
        .hint(format!("there are {}", names.join(", ")))
}
