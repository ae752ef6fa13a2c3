//! Kueue beside the loop: its checks are answered between ticks, out of the loop's own journal, so
//! that what is set aside and what is planned are never counted apart.

use crate::args::{KueueArgs, UpArgs};
use crate::commands::duration;
use crate::outcome::WrongUse;
use crate::print::talk;
use anyhow::Context as _;
use farthing_edge::{Class, EdgeError, Store};
use farthing_engine::{Answer, Claim, Engine, EngineError, RunRecord, Short, Shortage, World};
use farthing_kube::kueue::{Ask, Fail, Held, Kueue, Overdraft, Purse, Ran, Room, Rules, Used};
use farthing_kube::webhook::{Webhook, serve};
use farthing_kube::{Kube, Prices, Standing};
use farthing_model::{Currency, Limit, Mode, Money, Window};
use jiff::{SignedDuration, Timestamp};
use std::net::TcpListener;
use std::path::Path;

/// A reservation counts for so long after the time that it is for: whoever was killed finds it
/// again, and what nobody settles ends by itself.
const KEPT: SignedDuration = SignedDuration::from_hours(24);
/// Labels of a reservation that say whose it is, and how long that had run before.
const UID: &str = "farthing.dev/workload-uid";
const PAST: &str = "farthing.dev/ran-before-s";
/// Who asks.
const BY: &str = "kueue admission check";
/// The books are asked again so often for what they have.
const ASKED: SignedDuration = SignedDuration::from_secs(10);

/// Kueue's checks, and what is remembered to answer them.
pub(super) struct Beside {
    kueue: Kueue,
    /// When this run began: what it meters itself is in the books, or will be.
    started: Timestamp,
    /// Up to when the books have what was spent, and when they were asked.
    posted: Option<(Timestamp, Timestamp)>,
}

impl Beside {
    /// Where the checks are to be answered.
    pub(super) fn open(
        args: &UpArgs,
        kube: &Kube,
        prices: Box<dyn Prices + Send>,
    ) -> anyhow::Result<Option<Self>> {
        let asked = &args.kube.kueue;
        if !asked.kueue {
            return Ok(None);
        }
        let rules = Rules {
            mode: super::told(args, Mode::Enforce)?.policy.map_or(Mode::Enforce, |it| it.mode),
            fail: asked.kueue_fail.into(),
            grace: duration("--kueue-grace", &asked.kueue_grace)?,
            boosts: asked.kueue_boost,
            ..Rules::default()
        };
        let (mode, fail) = (rules.mode.name(), rules.fail.name());
        talk(&format!("answers Kueue's checks of farthing.dev/budget: mode {mode}, {fail}"));
        let kueue = kube.kueue(prices, rules);
        listen(asked, &kueue)?;
        Ok(Some(Self { kueue, started: Timestamp::now(), posted: None }))
    }

    /// Answers what is asked, if anything is.
    fn attend<W: World, S: Store>(&mut self, engine: &mut Engine<W, S>, lease: Option<&Standing>) {
        let now = Timestamp::now();
        // Another replica may lead by now.
        if !self.kueue.is_due(now) || lease.is_some_and(|lease| !lease.holds(now)) {
            return;
        }
        let posted = self.posted(engine, now);
        let mut purse = EnginePurse { engine, posted, started: self.started, now };
        for line in self.kueue.turn(&mut purse, now).lines {
            talk(&line);
        }
    }

    fn posted<W: World, S: Store>(&mut self, engine: &Engine<W, S>, now: Timestamp) -> Timestamp {
        if let Some((posted, asked)) = self.posted
            && now.duration_since(asked).abs() < ASKED
        {
            return posted;
        }
        // Books that cannot be read now are told of by the loop; more is held meanwhile.
        let hours = engine.books().posted_hours(&engine.config().cluster).unwrap_or_default();
        let posted = hours.last().map_or(Timestamp::UNIX_EPOCH, |hour| hour.to());
        self.posted = Some((posted, now));
        posted
    }
}

/// Answers the API server about new jobs, where that is wanted.
fn listen(asked: &KueueArgs, kueue: &Kueue) -> anyhow::Result<()> {
    let (Some(address), Some(certificate), Some(key)) =
        (asked.webhook, &asked.webhook_cert, &asked.webhook_key)
    else {
        return Ok(());
    };
    let read = |path: &Path| {
        std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))
    };
    let (certificate, key) = (read(certificate)?, read(key)?);
    let listener = TcpListener::bind(address)
        .map_err(|error| WrongUse::new(format!("--webhook: {address}: {error}")))?;
    let fail: Fail = asked.kueue_fail.into();
    serve(listener, (&certificate, &key), Webhook::new(kueue.board(), fail)).map_err(|error| {
        let hint = "`farthing kube manifests --webhook` makes a certificate and what belongs to it";
        WrongUse::new(crate::commands::plan::chain(&error)).hint(hint)
    })?;
    talk(&format!("answers the API server about farthing.dev/max-cost on {address}"));
    Ok(())
}

/// Answers what is asked, where Kueue's checks are to be answered.
pub(super) fn attend<W: World, S: Store>(
    beside: &mut Option<Beside>,
    engine: &mut Engine<W, S>,
    lease: Option<&Standing>,
) {
    if let Some(beside) = beside {
        beside.attend(engine, lease);
    }
}

/// The loop's budgets, journal and books as a purse.
struct EnginePurse<'e, W: World, S: Store> {
    engine: &'e mut Engine<W, S>,
    posted: Timestamp,
    started: Timestamp,
    now: Timestamp,
}

#[expect(clippy::needless_pass_by_value, reason = "it is what errors are mapped with")]
fn edge(error: EngineError) -> EdgeError {
    let class = match &error {
        EngineError::Superseded => Class::Conflict,
        EngineError::Store(why) => why.class(),
        _ => Class::Invalid,
    };
    let text = crate::commands::plan::chain(&error);
    EdgeError::new(class, text)
}

fn claim_of(ask: &Ask) -> farthing_engine::Ask {
    let mut labels = ask.labels.clone();
    labels.insert(UID.to_owned(), ask.uid.clone());
    labels.insert(PAST.to_owned(), ask.past_s.to_string());
    farthing_engine::Ask {
        what: ask.what.clone(),
        team: ask.team.clone(),
        labels,
        amount: ask.amount,
        gpu_hours_milli: ask.gpu_hours_milli,
        expires: ask.until.checked_add(KEPT).unwrap_or(Timestamp::MAX),
        by: BY.to_owned(),
    }
}

/// A reservation of ours, with what it says of its Workload.
fn held_of(claim: &Claim, now: Timestamp) -> Option<Held> {
    Some(Held {
        claim: claim.id.clone(),
        uid: claim.ask.labels.get(UID)?.clone(),
        what: claim.ask.what.clone(),
        amount: claim.ask.amount,
        at: claim.at,
        until: claim.ask.expires.checked_sub(KEPT).unwrap_or(claim.ask.expires),
        counts: now < claim.ask.expires,
        budgets: claim.budgets.clone(),
        past_s: claim.ask.labels.get(PAST).and_then(|text| text.parse().ok()).unwrap_or(0),
    })
}

fn words(short: &[Short]) -> String {
    short.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl<W: World, S: Store> EnginePurse<'_, W, S> {
    fn claims(&self) -> impl Iterator<Item = Held> {
        self.engine.open_state().claims.values().filter_map(|it| held_of(it, self.now))
    }

    /// Whether a whole period has not so much.
    fn never(&self, ask: &Ask, short: &[Short], now: Timestamp) -> Result<bool, EngineError> {
        let exposures = self.engine.exposures(now)?;
        Ok(short.iter().any(|short| {
            let of = exposures.iter().find(|it| it.state.budget.id == short.budget);
            of.is_some_and(|it| match (&short.why, it.state.limit) {
                (Shortage::Money { .. }, Limit::Money(limit)) => {
                    ask.amount.checked_sub(limit).is_ok_and(|over| over.pico() > 0)
                }
                (Shortage::GpuHours { .. }, Limit::GpuHoursMilli(limit)) => {
                    ask.gpu_hours_milli > limit
                }
                _ => false,
            })
        }))
    }

    /// What it used that the books do not have and will not: while nobody metered.
    fn unmetered(&self, used: Used) -> Option<Money> {
        let per_hour = used.per_hour?;
        let hours = self.engine.books().posted_hours(&self.engine.config().cluster).ok()?;
        let from = used.to.checked_sub(SignedDuration::from_secs(used.seconds)).ok()?;
        let nanos = gap(from, used.to.min(self.started), &hours);
        let hour = SignedDuration::from_hours(1).as_nanos();
        let all = per_hour.pico().checked_mul(nanos)?;
        Some(Money::from_pico(all / hour + i128::from(all % hour != 0), per_hour.currency()))
    }
}

/// So much of a span lies in no hour of the books, in nanoseconds.
fn gap(from: Timestamp, to: Timestamp, hours: &[Window]) -> i128 {
    let all = to.duration_since(from).as_nanos().max(0);
    let within = hours.iter().map(|hour| {
        let (from, to) = (from.max(hour.from()), to.min(hour.to()));
        to.duration_since(from).as_nanos().max(0)
    });
    (all - within.sum::<i128>()).max(0)
}

impl<W: World, S: Store> Purse for EnginePurse<'_, W, S> {
    fn held(&self) -> Vec<Held> {
        self.claims().collect()
    }

    fn reserve(&mut self, ask: &Ask, of: Option<&Held>, now: Timestamp) -> Result<Room, EdgeError> {
        let claim = claim_of(ask);
        // One whose answer was lost is there all the same, and is the one that counts.
        let own = of.cloned().or_else(|| self.claims().find(|held| held.uid == ask.uid));
        let answer = match &own {
            Some(own) => self.engine.renew(&own.claim, &claim, now),
            None => self.engine.claim(&claim, now),
        };
        match answer.map_err(edge)? {
            Answer::Granted(claim) => held_of(&claim, now).map(Room::Granted).ok_or_else(|| {
                EdgeError::new(Class::Invalid, format!("reservation {} is nobody's", claim.id))
            }),
            Answer::Refused(short) => {
                let never = self.never(ask, &short, now).map_err(edge)?;
                Ok(Room::Short { why: words(&short), never })
            }
        }
    }

    fn lacks(&self, ask: &Ask, now: Timestamp) -> Result<Option<String>, EdgeError> {
        let short = self.engine.lacks(&claim_of(ask), now).map_err(edge)?;
        Ok((!short.is_empty()).then(|| words(&short)))
    }

    fn settle(&mut self, held: &Held, used: Used, now: Timestamp) -> Result<(), EdgeError> {
        let spent = self.unmetered(used);
        match self.engine.settle_claim(&held.claim, spent, "its Workload stopped", now) {
            Err(EngineError::NoClaim(_)) => Ok(()),
            other => other.map_err(edge),
        }
    }

    fn learned(&self, kind: &str) -> Vec<i64> {
        let runs = self.engine.open_state().runs.get(kind).into_iter().flatten();
        let seconds = |run: &RunRecord| i64::try_from(run.wall_ms.div_ceil(1_000)).ok();
        runs.filter(|run| run.complete).filter_map(seconds).collect()
    }

    fn learn(&mut self, ran: &Ran, now: Timestamp) -> Result<(), EdgeError> {
        let known = self.engine.open_state().runs.get(&ran.kind);
        if known.is_some_and(|runs| runs.iter().any(|run| run.run == ran.uid)) {
            return Ok(());
        }
        let from = ran.to.checked_sub(SignedDuration::from_secs(ran.seconds)).unwrap_or(ran.to);
        let record = RunRecord {
            run: ran.uid.clone(),
            kind: ran.kind.clone(),
            from: from.to_string(),
            wall_ms: u64::try_from(ran.seconds).unwrap_or(0).saturating_mul(1_000),
            outcome: if ran.complete { "succeeded" } else { "failed" }.to_owned(),
            complete: ran.complete,
            cost: None,
            expected_ms: None,
            expected_cost: None,
        };
        self.engine.record_run(&record, now).map_err(edge)
    }

    fn posted(&self, _now: Timestamp) -> Timestamp {
        self.posted
    }

    fn overdrafts(&self, now: Timestamp) -> Result<Vec<Overdraft>, EdgeError> {
        let ours: Vec<Held> = self.claims().filter(|held| held.counts).collect();
        let mut found = Vec::new();
        for exposure in self.engine.exposures(now).map_err(edge)? {
            let budget = exposure.state.budget.id.to_string();
            let Limit::Money(limit) = exposure.state.limit else { continue };
            if !exposure.state.budget.hard {
                continue;
            }
            let own = || ours.iter().filter(|held| held.budgets.contains(&budget));
            let currency = limit.currency();
            let over = over(&exposure.state, limit, (own(), currency), now);
            let by = over.map_err(|error| edge(EngineError::Money(error)))?;
            if by.pico() > 0 {
                found.push(Overdraft { budget, by });
            }
        }
        Ok(found)
    }
}

/// How much more than there is: what is spent, what others hold, and what Workloads are yet to use.
fn over<'h>(
    state: &farthing_engine::planner::BudgetState,
    limit: Money,
    (own, currency): (impl Iterator<Item = &'h Held> + Clone, Currency),
    now: Timestamp,
) -> Result<Money, farthing_model::MoneyError> {
    let whole = Money::sum(own.clone().map(|held| held.amount), currency)?;
    let ahead = Money::sum(own.map(|held| held.ahead(now)), currency)?;
    let gone = state.spent.checked_add(state.committed)?.checked_sub(whole)?.checked_add(ahead)?;
    gone.checked_sub(limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_metered_is_what_lies_in_no_hour_of_the_books() {
        let at = |text: &str| -> Timestamp { format!("2026-11-10T{text}:00Z").parse().unwrap() };
        let hour = |from: &str, to: &str| Window::new(at(from), at(to)).unwrap();
        let hours = [hour("10:00", "11:00"), hour("12:00", "13:00")];
        let minutes = |from: &str, to: &str| gap(at(from), at(to), &hours) / 60_000_000_000;
        assert_eq!(minutes("10:15", "10:45"), 0);
        assert_eq!(minutes("10:30", "12:30"), 60);
        assert_eq!(minutes("09:30", "14:00"), 30 + 60 + 60);
        assert_eq!(minutes("12:30", "12:00"), 0);
    }
}
