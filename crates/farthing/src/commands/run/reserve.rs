//! Budget that is set aside for a command: all that it may cost where that is bounded, else an hour
//! at a time. A reservation that nobody settles, because we were killed, ends by itself.

use crate::args::RunPays;
use crate::commands::budget::{self, in_currency};
use crate::commands::plan::chain;
use crate::home::Home;
use crate::outcome::WrongUse;
use crate::store::Journal;
use farthing_engine::{Answer, Ask, Gate, Short};
use farthing_model::{ClusterId, Currency, Money, Scope, TeamId};
use farthing_providers::manifest;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// A reservation counts for so long after the last moment at which its command may still run.
const SETTLED_WITHIN: SignedDuration = SignedDuration::from_mins(5);

/// Who pays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Payer {
    pub(crate) team: Option<TeamId>,
    pub(crate) labels: BTreeMap<String, String>,
}

impl Payer {
    /// As the flags say.
    pub(crate) fn of(team: Option<&str>, asked: &[String]) -> anyhow::Result<Self> {
        let team = team.map(TeamId::new).transpose();
        let team = team.map_err(|error| WrongUse::new(format!("--team: {error}")))?;
        let mut labels = BTreeMap::new();
        for text in asked {
            let (key, value) = text
                .split_once('=')
                .ok_or_else(|| WrongUse::new(format!("--label `{text}` is not KEY=VALUE")))?;
            if text.contains(char::is_control) {
                return Err(
                    WrongUse::new(format!("--label {text:?} has a control character")).into()
                );
            }
            labels.insert(key.to_owned(), value.to_owned());
        }
        Ok(Self { team, labels })
    }

    /// Whoever pays out of a budget: its team or label, where none was named.
    fn out_of(&mut self, scope: &Scope, name: &str) -> Result<(), WrongUse> {
        match scope {
            Scope::Team(team) if self.team.is_none() => self.team = Some(team.clone()),
            Scope::Label(key, value) if !self.labels.contains_key(key) => {
                self.labels.insert(key.clone(), value.clone());
            }
            _ => {}
        }
        if scope.holds(self.team.as_ref(), &self.labels) {
            return Ok(());
        }
        // What is lacking can be added; what is another can only be left out.
        let (mut lacks, mut others) = (Vec::new(), Vec::new());
        for condition in scope.conditions() {
            match condition {
                Scope::Team(own) => match &self.team {
                    None => lacks.push(format!("--team {own}")),
                    Some(team) if team != own => others.push(format!("--team {team}")),
                    Some(_) => {}
                },
                Scope::Label(key, own) => match self.labels.get(key) {
                    None => lacks.push(format!("--label {key}={own}")),
                    Some(value) if value != own => others.push(format!("--label {key}={value}")),
                    Some(_) => {}
                },
                Scope::All | Scope::Within(_) => {}
            }
        }
        let hint = match (lacks.as_slice(), others.as_slice()) {
            (lacks, []) => format!("add {}", lacks.join(" ")),
            (_, others) => format!("leave out {}, or name another budget", others.join(" ")),
        };
        Err(WrongUse::new(format!("budget `{name}` is not of that team and those labels"))
            .hint(hint))
    }
}

/// What is set aside.
pub(crate) struct Reservation {
    gate: Option<Gate<Journal>>,
    /// The books whose budgets are asked are those that are posted in.
    ledger_knows: bool,
    ask: Ask,
    /// Names and amounts of what was granted.
    claims: Vec<(String, Money)>,
}

impl Reservation {
    /// Opens the budgets that must have room, if any must, and finds out who pays.
    pub(crate) fn open(
        args: &RunPays,
        home: &Home,
        (payer, what): (&mut Payer, String),
        (cluster, currency): (&ClusterId, Currency),
    ) -> anyhow::Result<Self> {
        let asks = Self::is_named(args);
        Self::open_if(asks, (args, home), (payer, what), (cluster, currency))
    }

    /// Whether somebody says that budgets must have room.
    pub(crate) fn is_named(args: &RunPays) -> bool {
        args.budget.is_some()
            || args.team.is_some()
            || args.cluster.is_some()
            || !args.config.is_empty()
    }

    /// As [`Self::open`], where it is known already whether budgets must have room.
    pub(crate) fn open_if(
        asks: bool,
        (args, home): (&RunPays, &Home),
        (payer, what): (&mut Payer, String),
        (cluster, currency): (&ClusterId, Currency),
    ) -> anyhow::Result<Self> {
        let now = Timestamp::now();
        let mut reservation = Self {
            gate: None,
            ledger_knows: false,
            ask: Ask {
                // A command may be named anything; who reads it must not be misled.
                what: what.replace(char::is_control, " "),
                team: None,
                labels: BTreeMap::new(),
                amount: Money::zero(currency),
                gpu_hours_milli: 0,
                expires: now,
                by: "farthing run".to_owned(),
            },
            claims: Vec::new(),
        };
        if asks {
            let told =
                manifest::load(&args.config, now).map_err(|why| WrongUse::new(chain(&why)))?;
            told.in_currency(currency).map_err(|why| WrongUse::new(chain(&why)))?;
            let budgets_of = match home.cluster(args.cluster.as_deref()) {
                // Nothing ran here yet: the budgets are those of the manifests.
                Err(error) if args.cluster.is_none() && error.is::<WrongUse>() => cluster.clone(),
                other => other?,
            };
            home.make_folder()?;
            let store = budget::open(home, &budgets_of)?;
            let books = home.books()?;
            let gate = Gate::open(store, (&books, &budgets_of), told.budgets, currency)?;
            in_currency(gate.budgets(), currency)?;
            find(args, &gate, payer)?;
            reservation.ledger_knows = budgets_of == *cluster;
            reservation.gate = Some(gate);
        }
        reservation.ask.team.clone_from(&payer.team);
        reservation.ask.labels.clone_from(&payer.labels);
        Ok(reservation)
    }

    /// Whether anything is asked.
    pub(crate) const fn is_asked(&self) -> bool {
        self.gate.is_some()
    }

    /// Whether there are budgets that are asked.
    pub(crate) fn has_budgets(&self) -> bool {
        self.gate.as_ref().is_some_and(|gate| !gate.budgets().is_empty())
    }

    /// What is set aside altogether.
    pub(crate) fn granted(&self) -> anyhow::Result<Money> {
        let amounts = self.claims.iter().map(|(_, amount)| *amount);
        Ok(Money::sum(amounts, self.ask.amount.currency())?)
    }

    /// Whether there is room for an amount; nothing is set aside.
    pub(crate) fn check(&self, amount: Money, gpu_hours_milli: u64) -> anyhow::Result<Vec<Short>> {
        let Some(gate) = &self.gate else { return Ok(Vec::new()) };
        let ask = Ask { amount, gpu_hours_milli, ..self.ask.clone() };
        Ok(gate.check(&ask, Timestamp::now())?)
    }

    /// Sets aside an amount more, for something that runs until then at the latest; what is short
    /// if there is no room for it.
    pub(crate) fn take(
        &mut self,
        amount: Money,
        gpu_hours_milli: u64,
        until: Timestamp,
    ) -> anyhow::Result<Vec<Short>> {
        let Some(gate) = &mut self.gate else { return Ok(Vec::new()) };
        let expires = until.checked_add(SETTLED_WITHIN).unwrap_or(Timestamp::MAX);
        let ask = Ask { amount, gpu_hours_milli, expires, ..self.ask.clone() };
        match gate.claim(&ask, Timestamp::now())? {
            Answer::Granted(claim) => {
                self.claims.push((claim.id, amount));
                Ok(Vec::new())
            }
            Answer::Refused(short) => Ok(short),
        }
    }

    /// Ends what was set aside; what was spent counts from now on.
    pub(crate) fn settle(&mut self, spent: Option<Money>, why: &str) -> anyhow::Result<()> {
        let Some(gate) = &mut self.gate else { return Ok(()) };
        let now = Timestamp::now();
        let last = self.claims.len().saturating_sub(1);
        let mut left = spent.filter(|_| !self.ledger_knows);
        for (index, (claim, amount)) in self.claims.drain(..).enumerate() {
            // Each takes as much as it held; the last one what is left.
            let part = match left {
                Some(all) if index < last && all.pico() > amount.pico() => Some(amount),
                all => all,
            };
            gate.settle(&claim, part, why, now)?;
            left = match (left, part) {
                (Some(left), Some(part)) => Some(left.checked_sub(part)?),
                _ => None,
            };
        }
        Ok(())
    }
}

/// Finds the budget that was named, and whoever pays out of it.
fn find(args: &RunPays, gate: &Gate<Journal>, payer: &mut Payer) -> anyhow::Result<()> {
    let names: Vec<&str> = gate.budgets().iter().map(|budget| budget.id.as_str()).collect();
    let known = if names.is_empty() {
        "the loop was told of none; name their manifests with --config FILE".to_owned()
    } else {
        format!("there are {}", names.join(", "))
    };
    if let Some(name) = &args.budget {
        let found = gate.budgets().iter().find(|budget| budget.id.as_str() == name);
        let found = found
            .ok_or_else(|| WrongUse::new(format!("there is no budget `{name}`")).hint(known))?;
        payer.out_of(&found.scope, name)?;
    }
    Ok(())
}
