//! `farthing up --demo`: a simulated cluster through the same engine, under a virtual clock.

use super::Stop;
use super::bell::Bell;
use super::lead::Lead;
use super::serve::{Front, Listening, Opening};
use crate::args::UpArgs;
use crate::commands::{covered, duration};
use crate::home::Home;
use crate::inputs::Inputs;
use crate::outcome::Outcome;
use crate::print::{data, talk};
use crate::show;
use crate::store::Journal;
use anyhow::Context as _;
use farthing_engine::{Flow, Tick};
use farthing_ledger::{Key, Statement, StatementQuery, statement};
use farthing_model::{ClusterId, Mode, Money, Ratio};
use farthing_providers::catalog;
use farthing_server::Sessions;
use farthing_sim::{Race, RaceResult, RaceTick, Records, Scenario};
use jiff::{SignedDuration, Timestamp};
use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// Virtual time between two ticks.
const TICK: SignedDuration = SignedDuration::from_mins(5);
/// Ticks that are printed as one line, so that people can follow.
const TICKS_PER_LINE: u32 = 6;
/// Virtual seconds in a second: a day in half a minute.
const SPEED: u32 = 2_880;
/// How long a demo runs in real time, when nothing is said.
const LENGTH: SignedDuration = SignedDuration::from_secs(30);

/// Runs the simulated cluster, ours beside the policy that ran before.
pub(crate) fn run(args: &UpArgs, home: &Home, stop: &Stop) -> anyhow::Result<Outcome> {
    let speed = args.speed.unwrap_or(SPEED).max(1);
    let book = catalog::default_book();
    let mut scenario = Scenario::demo(args.seed, &book.offers)?;
    let mut bell = Bell::open(None)?;
    let mut identity = None;
    if !args.config.is_empty() {
        let told = super::told(args, Mode::Recommend)?;
        identity = told.identity;
        bell = Bell::open(told.alerts.as_ref())?;
        scenario.policy = told.policy.unwrap_or(scenario.policy);
        // One that is told takes the place of the demo's of its name.
        scenario.budgets.retain(|own| told.budgets.iter().all(|budget| budget.id != own.id));
        scenario.budgets.extend(told.budgets);
    }
    let end = end(args, &scenario, speed)?;
    let weights = crate::wiring::weights(book.offers.iter())?;
    let before = ClusterId::new(&format!("{}-before", scenario.cluster))?;
    let listening = Listening::bind(args, false, identity.as_ref())?;
    let _lead = Lead::at_once(home, &scenario.cluster)?;
    // A demo begins anew each time: what an earlier one left is removed, and nothing else.
    home.forget(&scenario.cluster)?;
    home.forget(&before)?;
    home.begin(&scenario.cluster)?;
    let ours = Records {
        store: home.signed(&scenario.cluster, home.store().open(&scenario.cluster)?)?,
        books: home.books()?,
    };
    let mut race = Race::new(&scenario, &weights, (ours, Records::in_memory()), (TICK, end))?;
    talk(&opening(&scenario, speed, end));
    let pace = pace(speed);
    let opening = Opening {
        world: "a simulated cluster",
        policy: scenario.policy.clone(),
        started: scenario.start,
        every: pace,
        sessions: Sessions::default(),
    };
    let journal = home.store().open(&scenario.cluster)?;
    let front = Front::open(listening, &race.ours, journal, opening)?;
    let (began, mut printed, mut next) = (Instant::now(), Printed::default(), Instant::now());
    let mut inputs = Inputs::open(home.inputs(&scenario.cluster));
    loop {
        let tick_began = Instant::now();
        let Some(tick) = race.step()? else { break };
        if let Some(line) = printed.line(&tick, &scenario)? {
            talk(&line);
        }
        let (took, now) = (tick_began.elapsed(), tick.ours.at);
        inputs.keep(race.ours.open_state(), &tick.ours).iter().for_each(|note| talk(note));
        bell.ring(&mut race.ours, &tick.ours);
        front.publish(tick.ours, took, book.offers.clone(), &race.ours)?;
        next += pace;
        let mut nap = |nap| front.attend(nap, &mut race.ours, || now);
        if !stop.nap_until_signal(next, &mut nap) {
            break;
        }
    }
    let now = race.now();
    bell.close(&mut race.ours, now);
    let result = race.finish()?;
    // What was in force is settled now: nobody is shown a step that cannot be undone any more.
    front.refresh(&race.ours, now);
    let outcome = closing(home, &scenario, &mut race, &result, began.elapsed())?;
    if args.r#for.is_none() {
        stay(&front, &mut race, stop);
    }
    front.close();
    Ok(outcome)
}

/// The simulated time is over: what it left can be looked at until Ctrl-C.
fn stay<T: farthing_edge::Store>(front: &Front, race: &mut Race<Journal, T>, stop: &Stop) {
    let Some(address) = front.ended("the simulated time is over") else { return };
    talk(&format!("http://{address} stays open until Ctrl-C"));
    let now = race.now();
    let mut nap = |nap| front.attend(nap, &mut race.ours, || now);
    while stop.nap_until_signal(Instant::now() + Duration::from_secs(60), &mut nap) {}
}

/// The virtual end: known before the first tick, so that a seed always gives the same run.
fn end(args: &UpArgs, scenario: &Scenario, speed: u32) -> anyhow::Result<Timestamp> {
    let length = match &args.r#for {
        Some(text) => duration("--for", text)?,
        None => LENGTH,
    };
    let virtual_length =
        SignedDuration::from_millis_i128(length.as_millis().saturating_mul(i128::from(speed)));
    let end = scenario.start.checked_add(virtual_length).unwrap_or(scenario.end);
    Ok(end.min(scenario.end))
}

/// Real time of one tick.
fn pace(speed: u32) -> Duration {
    Duration::from_secs_f64(TICK.as_secs_f64() / f64::from(speed))
}

fn opening(scenario: &Scenario, speed: u32, end: Timestamp) -> String {
    format!(
        "A simulated cluster, seed {}: {} jobs arrive (Philly trace), {} service (Azure LLM trace), \
         {} offers.\nIt runs from {} to {end}, {speed} times as fast as real time; prices are real \
         list prices.\nBefore: fifo on demand. Now: farthing, on the same arrivals in a world \
         beside it.\n",
        scenario.seed,
        scenario.jobs.len(),
        scenario.services.len(),
        scenario.offers.len(),
        scenario.start,
    )
}

/// Sums of the ticks since the last line.
#[derive(Default)]
struct Printed {
    ticks: u32,
    ours: Option<Flow>,
    before: Option<Money>,
    steps: usize,
}

impl Printed {
    /// A line every [`TICKS_PER_LINE`] ticks.
    fn line(&mut self, tick: &RaceTick, scenario: &Scenario) -> anyhow::Result<Option<String>> {
        self.ours = Some(match self.ours {
            Some(sum) => sum.checked_add(tick.ours.money)?,
            None => tick.ours.money,
        });
        let paid = tick.before.money.paid;
        self.before = Some(match self.before {
            Some(sum) => sum.checked_add(paid)?,
            None => paid,
        });
        self.steps += tick.ours.acted.receipts.len();
        self.ticks += 1;
        if self.ticks < TICKS_PER_LINE {
            return Ok(None);
        }
        let done = std::mem::take(self);
        let (Some(ours), Some(before)) = (done.ours, done.before) else { return Ok(None) };
        Ok(Some(text(&tick.ours, &ours, before, done.steps, scenario)))
    }
}

fn text(tick: &Tick, ours: &Flow, before: Money, steps: usize, scenario: &Scenario) -> String {
    let (running, waiting) = show::tick::workloads(tick);
    let gpu = tick.usage.get(farthing_model::Resource::Gpu);
    let utilisation = Ratio::of(gpu.used_nano, gpu.paid_nano());
    let band = scenario.policy.bands.get(farthing_model::Resource::Gpu);
    let state = utilisation.map_or("", |ratio| band.state(ratio).name());
    format!(
        "{} | {} | gpu {} {state} | {running} run, {waiting} wait | {steps} steps | before {}",
        show::short_time(tick.at),
        show::tick::flow(ours),
        show::ratio(utilisation),
        show::small_money(before),
    )
}

/// The closing statement, from the ledger.
fn closing<T: farthing_edge::Store>(
    home: &Home,
    scenario: &Scenario,
    race: &mut Race<Journal, T>,
    result: &RaceResult,
    took: Duration,
) -> anyhow::Result<Outcome> {
    let books = home.books()?;
    let cluster = scenario.cluster.clone();
    let covered = covered(&books, std::slice::from_ref(&cluster), "7d", None)?;
    let all = StatementQuery::of(cluster, covered.window, covered.currency);
    let query = StatementQuery { by: vec![Key::Team], ..all };
    let statement = statement(&books, &query).context("the closing statement")?;
    let mut out =
        format!("\nSTATEMENT\n{}\n", show::statement::text(&statement, "the last 7d", 20)?);
    let _ = write!(out, "\n{}", savings(result, &statement));
    let score = race.ours.world_mut().score();
    let rate = u128::from(score.events) * 1_000 / took.as_millis().max(1);
    let _ = write!(out, "\n\nWORLD\n{score}\n{} events, {rate} a second as paced", score.events);
    data(&out);
    talk("\nWhat this run left: farthing cost --by team, farthing explain p1, farthing verify");
    let sound = statement.difference.is_zero() && statement.paid == result.paid;
    Ok(if sound { Outcome::Done } else { Outcome::Failed })
}

/// What was saved: promised by the steps, and found in the two ledgers.
fn savings(result: &RaceResult, statement: &Statement) -> String {
    let share = Ratio::of(result.realised.pico(), result.same_work_before.pico());
    let off = result.realised.pico() - result.predicted.pico();
    let off = Ratio::of(off.abs(), result.predicted.pico().abs());
    let rest = result.same_work_before.checked_sub(result.same_work_posted);
    let lines = [
        ("before", result.same_work_before, "fifo on demand, for the same work".to_owned()),
        ("now", result.paid, "farthing".to_owned()),
        ("realised", result.realised, format!("{} less than before", show::ratio(share))),
        ("predicted", result.predicted, format!("by {} verified steps", result.steps)),
    ];
    let mut out = format!("SAVINGS, FROM THE LEDGERS ({})", statement.currency);
    for (name, amount, words) in lines {
        let _ = write!(out, "\n{name:<10} {:>12}  {words}", show::money(amount));
    }
    let _ = write!(
        out,
        "\nrealised is {} off predicted. Of the cost before, {} is posted in the ledger of that \
         run;\n{} is work that it has still to do, at its own prices (by now it has paid {}).",
        show::ratio(off),
        show::money(result.same_work_posted),
        rest.map_or_else(|_| "the rest".to_owned(), show::money),
        show::money(result.paid_before),
    );
    out
}
