//! The loop of a real world: this machine or a cluster that is only looked at, or containers that
//! are run.

use super::board::Board;
use super::hearing::Hearing;
use super::kueue::{self, Beside};
use super::lead::Lead;
use super::serve::{self, Front, Listening, Opening};
use super::{Stop, std_duration};
use crate::args::UpArgs;
use crate::commands::covered;
use crate::home::Home;
use crate::inputs::Inputs;
use crate::outcome::Outcome;
use crate::print::talk;
use crate::show;
use farthing_edge::{Act, Class, EdgeError, Measure, Measured, Observe, Quote, Store};
use farthing_engine::{Config, Engine, Journal, Planner, Tick, World};
use farthing_kube::Standing;
use farthing_ledger::{Key, StatementQuery, Weights, statement};
use farthing_model::{
    BandState, Budget, ClusterId, Currency, Mode, Offer, Policy, Receipt, Snapshot, Step, StepId,
    Window, hex,
};
use farthing_planner::Effort;
use farthing_providers::manifest::Manifests;
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use std::time::Instant;

/// Most new notes that are printed below the line of a tick: a thousand nodes can have one each.
const NOTES_MAX: usize = 20;

/// What a run of the loop is about.
pub(super) struct Setting<'s> {
    pub(super) args: &'s UpArgs,
    pub(super) home: &'s Home,
    pub(super) stop: &'s Stop,
    pub(super) cluster: &'s ClusterId,
    /// What the rows of the closing statement are.
    pub(super) by: Key,
    /// Between two ticks.
    pub(super) every: SignedDuration,
    /// The most that is done.
    pub(super) most: Mode,
    /// How the price of a node is split over its resources.
    pub(super) weights: Weights,
    /// The mode of a policy, where nobody names one.
    pub(super) unsaid: Mode,
    /// What this replica leads by, beside the store.
    pub(super) lease: Option<Arc<Standing>>,
    /// How much work the solver may do.
    pub(super) effort: Effort,
    /// Whether anybody looks at what is used, or only at what is asked for.
    pub(super) measures_use: bool,
    /// What the world is, in words.
    pub(super) what: &'static str,
}

/// Runs the loop until it is told to stop; then prints the statement.
pub(super) fn run<W: World>(
    setting: &Setting<'_>,
    world: W,
    board: &mut dyn Board,
    mut beside: Option<Beside>,
) -> anyhow::Result<Outcome> {
    let Setting { args, home, stop, cluster, every, .. } = setting;
    let Some(mut lead) = Lead::take((home, cluster), setting.lease.clone(), stop)? else {
        return Ok(Outcome::Done);
    };
    let told = board.begin(args, setting.unsaid, &|| budgets_before(home, cluster))?;
    let has_tokens = crate::commands::token::are_there(home, cluster)?;
    let listening = Listening::bind(args, has_tokens, told.identity.as_ref())?;
    home.begin(cluster)?;
    let mut hearing = Hearing::open(board, told.alerts.clone())?;
    let store = lead.journal(home, cluster)?;
    let (started, journal) = (Timestamp::now(), home.store().open(cluster)?);
    let mut engine = Engine::open(config(setting, told), world, (store, home.books()?), started)?;
    let (every, policy) = (std_duration(*every)?, engine.config().policy.clone());
    let sessions = serve::sessions(home, cluster, args)?;
    let opening = Opening { world: setting.what, policy, started, every, sessions };
    let id = journal_id(&*journal)?.unwrap_or_default();
    hearing.opened(&id);
    lead.keeps_journal(&id);
    let front = Front::open(listening, &engine, journal, opening)?;
    let (mut next, mut told, mut goes_on) = (Instant::now(), Vec::new(), true);
    let mut inputs = Inputs::open(home.inputs(cluster));
    loop {
        let (began, now) = (Instant::now(), Timestamp::now());
        lead.leads(now)?;
        hearing.hear((&mut engine, &front), setting.most, now)?;
        match engine.tick(now) {
            Ok(tick) => {
                talk(&if setting.measures_use {
                    show::tick::line(&tick, &engine.config().policy)
                } else {
                    show::tick::line_by_requests(&tick)
                });
                talk_about(&tick, &mut told);
                inputs.keep(engine.open_state(), &tick).iter().for_each(|note| talk(note));
                hearing.tell(&mut engine, &tick)?;
                let offers = engine.world_mut().offers(now)?;
                front.publish(tick, began.elapsed(), offers, &engine)?;
            }
            // A full disk or a busy journal is no reason to stop measuring: the next tick tries
            // again from where the last one got to.
            Err(error) => {
                front.failed(now, &error);
                lead.check()?;
                talk(&failed(&error.into(), goes_on));
            }
        }
        // The last tick measures what the ones before it left, so that the books reach the end.
        if !goes_on {
            break;
        }
        next += every;
        goes_on = stop.nap_until(next, &mut |nap| {
            front.attend(nap, &mut engine, Timestamp::now);
            kueue::attend(&mut beside, &mut engine, setting.lease.as_deref());
            if stop.is_to_reload() {
                hearing.again(setting, (&mut engine, &front), setting.what);
            }
        });
    }
    hearing.close(&mut engine, Timestamp::now());
    engine.close(Timestamp::now())?;
    front.close();
    closing(home, cluster, setting.by.clone())
}

/// The budgets that the run before was told.
fn budgets_before(home: &Home, cluster: &ClusterId) -> anyhow::Result<Vec<Budget>> {
    Ok(Journal::open(home.store().open(cluster)?)?.state().budgets.clone())
}

/// Which journal it is: the hash of its first record, in hexadecimal digits.
pub(super) fn journal_id(journal: &dyn Store) -> anyhow::Result<Option<String>> {
    let first = journal.read(1, 1)?;
    Ok(first.first().map(|record| hex(&record.hash)))
}

/// That a tick failed, and what becomes of what it was to do.
fn failed(error: &anyhow::Error, goes_on: bool) -> String {
    let then = if goes_on { "and will be tried again" } else { "and was the last" };
    format!("this tick failed {then}: {error:#}")
}

/// How the loop runs: no more is done than the world allows, whatever a policy does.
fn config(setting: &Setting<'_>, told: Manifests) -> Config {
    let most = setting.most;
    let policy = allowed(told.policy.unwrap_or_default(), most, setting.what);
    Config {
        cluster: setting.cluster.clone(),
        currency: Currency::USD,
        policy,
        budgets: told.budgets,
        planner: Planner::Farthing,
        horizon: SignedDuration::from_hours(1),
        tick: setting.every,
        weights: setting.weights.clone(),
        effort: setting.effort,
    }
}

/// A policy with the most that can be done here.
pub(super) fn allowed(policy: Policy, most: Mode, what: &str) -> Policy {
    if policy.mode > most {
        let (mode, most) = (policy.mode.name(), most.name());
        talk(&format!("nothing acts on {what}: mode {most} instead of {mode}"));
    }
    Policy { mode: policy.mode.min(most), ..policy }
}

/// Proposals and notes of a tick, below its line. Each is told when it is new.
fn talk_about(tick: &Tick, told: &mut Vec<String>) {
    let rows = tick.planned.iter().flat_map(|planned| &planned.report.utilisation);
    let rows = rows.filter(|row| row.state.is_some_and(|state| state != BandState::Within));
    let notes = tick.notes.iter().map(|note| format!("  note: {note}"));
    let rows = rows.map(|row| format!("  {}: {}", row.resource, row.proposal));
    let now: Vec<String> = show::tick::steps(tick).into_iter().chain(notes).chain(rows).collect();
    let new: Vec<&String> = now.iter().filter(|line| !told.contains(line)).collect();
    for line in new.iter().take(NOTES_MAX) {
        talk(line);
    }
    if new.len() > NOTES_MAX {
        talk(&format!("  and {} more notes", new.len() - NOTES_MAX));
    }
    *told = now;
}

/// The statement of everything in the books.
fn closing(home: &Home, cluster: &ClusterId, by: Key) -> anyhow::Result<Outcome> {
    let books = home.books()?;
    let Ok(covered) = covered(&books, std::slice::from_ref(cluster), "7d", None) else {
        talk("stopped before anything was measured: two ticks are needed");
        return Ok(Outcome::Done);
    };
    let all = StatementQuery::of(cluster.clone(), covered.window, covered.currency);
    let (name, with) = match by {
        Key::Process => ("process", "container, user"),
        _ => ("workload", "team, node"),
    };
    let query = StatementQuery { by: vec![by], ..all };
    let statement = statement(&books, &query)?;
    crate::print::data(&show::statement::text(&statement, "the last 7d", 15)?);
    talk(&format!("\n`farthing cost --by {name}` (or {with}) prints it again"));
    Ok(Outcome::Done)
}

/// A world that is measured and quoted, and that nothing acts on.
pub(super) struct Watched<M> {
    pub(super) inner: M,
    /// What it is, in words.
    pub(super) what: &'static str,
}

impl<M: Observe> Observe for Watched<M> {
    fn observe(&mut self, now: Timestamp) -> Result<Snapshot, EdgeError> {
        self.inner.observe(now)
    }
}

impl<M: Measure> Measure for Watched<M> {
    fn measure(&mut self, window: Window) -> Result<Measured, EdgeError> {
        self.inner.measure(window)
    }
}

impl<M: Quote> Quote for Watched<M> {
    fn offers(&mut self, now: Timestamp) -> Result<Arc<[Offer]>, EdgeError> {
        self.inner.offers(now)
    }
}

impl<M> Act for Watched<M> {
    fn act(&mut self, step: &Step, _now: Timestamp) -> Result<Receipt, EdgeError> {
        let message = format!("step {}: nothing acts on {}", step.id, self.what);
        Err(EdgeError::new(Class::Denied, message))
    }

    fn outcome_of(
        &mut self,
        _step: &StepId,
        _now: Timestamp,
    ) -> Result<Option<Receipt>, EdgeError> {
        Ok(None)
    }

    fn undo(&mut self, step: &Step, now: Timestamp) -> Result<Receipt, EdgeError> {
        self.act(step, now)
    }
}
