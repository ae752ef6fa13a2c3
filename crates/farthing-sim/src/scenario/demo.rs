//! The simulated cluster of `farthing up --demo`: a day of the Philly trace and a language model
//! service, on real price rows, after four weeks of such days.

mod history;

use super::{
    IdleNode, JobArrival, PHILLY, RELATIVE_SPEED, START_S, Scenario, ScenarioError, language,
};
use crate::faults::FaultRates;
use crate::random::Random;
use crate::trace::{PhillyJob, Speed, read_philly, read_speeds};
use farthing_model::{
    AcceleratorQuery, Budget, BudgetId, ClusterId, Currency, Decimal, Escalation, EscalationAction,
    Interruptible, Job, Limit, Limits, Mode, Money, NodeId, Offer, Period, Policy, Purchase, Ratio,
    Resources, Scope, SpotLoss, Target, TeamId, Throughput, Work, Workload, WorkloadId,
    WorkloadKind,
};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Seconds of a day.
const DAY_S: u32 = 86_400;
/// What the virtual clusters of the trace are called here, the most active first.
const TEAMS: [&str; 10] = [
    "vision", "speech", "health", "research", "ranking", "robotics", "language", "ads", "safety",
    "search",
];
/// Whose data must stay in the European Union.
const EU_TEAM: &str = "health";
/// Whose budget is tight and hard.
const TIGHT_TEAM: &str = "speech";
/// Whose budget is hard, and holds what they need.
const HARD_TEAM: &str = "research";
/// What most teams ask for out of habit, and what some do.
const HABITS: [&str; 2] = ["H100-80GB-SXM", "A100-80GB-SXM"];
/// Jobs on several accelerators need at least this memory on each, in GB.
const LARGE_GB: u32 = 40;
/// Mean time between the losses of a spot node: `data/spot.csv`, row `any`.
const SPOT_UP_S: i64 = 6_836;

/// One pick of the price book: an accelerator, how many, how paid, and whether in the EU.
type Shape = (String, u32, Purchase, bool);

impl Scenario {
    /// The demo's cluster, from `offers`, the default price book. Same seed and offers, same
    /// scenario.
    ///
    /// # Errors
    /// The price book lacks the accelerators of the demo.
    pub fn demo(seed: u64, offers: &Arc<[Offer]>) -> Result<Self, ScenarioError> {
        let random = Random::new(seed);
        let start = Timestamp::from_second(START_S).map_err(|_| ScenarioError::Time)?;
        let relative = RELATIVE_SPEED.as_bytes();
        let speeds = read_speeds("relative-speed.csv", relative, "relative_speed")
            .map_err(ScenarioError::Trace)?;
        let offers = pick(offers, &speeds, random.fork("availability"));
        let trace =
            read_philly("philly-jobs.csv", PHILLY.as_bytes()).map_err(ScenarioError::Trace)?;
        let day: Vec<&PhillyJob> = trace.iter().filter(|job| job.submit_s < DAY_S).collect();
        let teams = teams(&day);
        let mut jobs = Vec::new();
        for (number, job) in (0_u64..).zip(&day) {
            let draw = random.fork("jobs").fork_number(number);
            let (team, job) = (&teams[&job.vc], *job);
            let name = format!("{team}-{number:04}");
            jobs.push(arrival((&name, job), team, (start, &speeds), draw)?);
        }
        let past = history::Past { start, trace: &trace, teams: &teams, speeds: &speeds };
        jobs.extend(past.jobs(&random.fork("history"))?);
        jobs.push(past.notebook(random.fork("notebook"))?);
        Ok(Self {
            name: "demo".to_owned(),
            seed,
            cluster: ClusterId::new("demo").map_err(ScenarioError::Id)?,
            history: Some(past.begins()),
            exporter: Some(past.exporter()),
            start,
            end: start + SignedDuration::from_secs(DAY_S.into()),
            policy: policy(),
            budgets: budgets(&day, &teams)?,
            jobs,
            services: vec![language::service(past.service())?],
            idle: idle(&offers)?,
            offers,
            noise_ppm: 30_000,
            faults: FaultRates {
                spot_kill_per_hour: u32::try_from(3_600_000_000 / SPOT_UP_S).unwrap_or(0),
                node_loss_per_hour: 500,
                boot_delay: 20_000,
                ..FaultRates::default()
            },
        })
    }
}

fn policy() -> Policy {
    Policy {
        mode: Mode::Enforce,
        limits: Limits { steps_per_hour: 2_000, nodes_per_tick: 500, ..Policy::default().limits },
        spot: Some(SpotLoss {
            mean_up: SignedDuration::from_secs(SPOT_UP_S),
            source: "data/spot.csv, row any".to_owned(),
        }),
        // A boot that is delayed takes up to five times as long.
        boot_max: Policy::default().boot * 5,
        ..Policy::default()
    }
}

/// The cheapest offer of each shape in the EU and elsewhere. On demand there is enough for a
/// cluster of this size; how many there are on spot is ours, as no price list says it.
fn pick(offers: &[Offer], speeds: &[Speed], mut random: Random) -> Arc<[Offer]> {
    let mut best: BTreeMap<Shape, &Offer> = BTreeMap::new();
    for offer in offers {
        let (Some(name), Some(rate)) = (&offer.accelerator, offer.price.rate()) else { continue };
        let count = offer.accelerator_count;
        let known = speeds.iter().any(|speed| speed.accelerator == *name);
        let bought = matches!(offer.purchase, Purchase::OnDemand | Purchase::Spot);
        let sold_in_usd = rate.per_hour().currency() == Currency::USD;
        if !known || !bought || !sold_in_usd || !matches!(count, 1 | 2 | 4 | 8) {
            continue;
        }
        let eu = offer.residency.iter().any(|place| place == "eu");
        let shape = (name.to_string(), count, offer.purchase, eu);
        let there = best.entry(shape).or_insert(offer);
        let order = offer.price.cheaper_first(&there.price).then(offer.id.cmp(&there.id));
        if order.is_lt() {
            *there = offer;
        }
    }
    let mut picked: Vec<Offer> = Vec::with_capacity(best.len());
    for ((_, count, ..), offer) in best {
        let most = 64 / i64::from(count);
        let there = u32::try_from(random.between(most / 2, most)).ok();
        let available = there.filter(|_| offer.purchase == Purchase::Spot);
        picked.push(Offer { available, ..offer.clone() });
    }
    picked.sort_by(|a, b| a.id.cmp(&b.id));
    Arc::from(picked)
}

/// A name for each virtual cluster, the most active first.
fn teams(jobs: &[&PhillyJob]) -> BTreeMap<String, String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for job in jobs {
        *counts.entry(&job.vc).or_default() += 1;
    }
    let mut order: Vec<(&str, usize)> = counts.into_iter().collect();
    order.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    let name = |index: usize| {
        TEAMS.get(index).map_or_else(|| format!("team-{}", index + 1), |name| (*name).to_owned())
    };
    order.iter().enumerate().map(|(index, (vc, _))| ((*vc).to_owned(), name(index))).collect()
}

/// A job of the trace, of a day that begins at `start`.
fn arrival(
    (name, trace): (&str, &PhillyJob),
    team: &str,
    (start, speeds): (Timestamp, &[Speed]),
    mut draw: Random,
) -> Result<JobArrival, ScenarioError> {
    let at = start + SignedDuration::from_secs((trace.submit_s % DAY_S).into());
    let gpu_seconds = i64::from(trace.duration_s) * i64::from(trace.num_gpus);
    let priority = draw.between(1, 3);
    // Twenty minutes of waiting and boot, and one and a half to four times the run time.
    let slack = i64::from(trace.duration_s) * draw.between(150, 400) / 100 + 1_200;
    let deadline = draw.chance(350_000).then(|| at + SignedDuration::from_secs(slack));
    let interruptible = draw.chance(600_000).then_some(Interruptible {
        checkpoint: SignedDuration::from_secs(60),
        restart: SignedDuration::from_secs(90),
    });
    let habit = if draw.chance(700_000) { HABITS[0] } else { HABITS[1] };
    let job = Job {
        count: 1,
        submitted: Some(at),
        work: Some(Work {
            amount: Decimal::from_int(gpu_seconds),
            unit: "A100-seconds".to_owned(),
        }),
        throughput: throughput(trace.num_gpus, speeds, habit)?,
        duration: None,
        deadline,
        quoted_cost: None,
        interruptible,
    };
    let eu = if team == EU_TEAM { vec!["eu".to_owned()] } else { Vec::new() };
    let workload = Workload {
        id: WorkloadId::new(name).map_err(ScenarioError::Id)?,
        team: Some(TeamId::new(team).map_err(ScenarioError::Id)?),
        labels: BTreeMap::from([("vc".to_owned(), trace.vc.clone())]),
        // At least so many accelerators in one machine, as far as machines have them.
        resources: Resources {
            gpu_milli: u64::from(trace.num_gpus.min(8)) * 1_000,
            ..Resources::default()
        },
        residency: eu,
        value: Decimal::from_int((gpu_seconds * priority / 60).max(1)),
        data: None,
        kind: WorkloadKind::Job(job),
    };
    Ok(JobArrival { at, workload: Arc::new(workload), forgotten: false })
}

/// Work per second of a job on each accelerator, its team's habit first.
fn throughput(count: u32, speeds: &[Speed], habit: &str) -> Result<Vec<Throughput>, ScenarioError> {
    let mut rows = Vec::new();
    for speed in speeds {
        let large = speed.accelerator.memory_gb().is_some_and(|memory| memory >= LARGE_GB);
        if count > 1 && !large {
            continue;
        }
        let name = speed.accelerator.to_string();
        let query: AcceleratorQuery =
            name.parse().map_err(|_| ScenarioError::NoOffer(format!("accelerator {name}")))?;
        let amount = speed.speed.checked_mul_int(count.into());
        let row = Throughput {
            target: Target::Accelerator(query),
            count,
            amount: amount.unwrap_or(speed.speed),
            per: SignedDuration::from_secs(1),
        };
        if name == habit {
            rows.insert(0, row);
        } else {
            rows.push(row);
        }
    }
    Ok(rows)
}

/// A daily budget for each team from what its jobs need, and a monthly one for all. Two teams have
/// hard ones.
fn budgets(
    jobs: &[&PhillyJob],
    teams: &BTreeMap<String, String>,
) -> Result<Vec<Budget>, ScenarioError> {
    let mut seconds: BTreeMap<&str, i128> = BTreeMap::new();
    for job in jobs {
        *seconds.entry(teams[&job.vc].as_str()).or_default() +=
            i128::from(job.duration_s) * i128::from(job.num_gpus);
    }
    // Its notebook runs all day.
    *seconds.entry(HARD_TEAM).or_default() += i128::from(DAY_S);
    let usd = |whole: i128| Money::from_pico(whole * 1_000_000_000_000, Currency::USD);
    let rung = |ppm, action, mode| Escalation { at: Ratio::from_ppm(ppm), action, mode };
    let budget = |name: &str, scope, limit, period, hard| {
        Ok(Budget {
            id: BudgetId::new(name).map_err(ScenarioError::Id)?,
            scope,
            limit: Limit::Money(limit),
            period,
            hard,
            escalate: vec![
                rung(800_000, EscalationAction::Notify, Mode::Enforce),
                // A soft one only says what it would do.
                rung(
                    1_000_000,
                    EscalationAction::Hold,
                    if hard { Mode::Enforce } else { Mode::Recommend },
                ),
            ],
            carry: None,
        })
    };
    let team = |name: &str| TeamId::new(name).map(Scope::Team).map_err(ScenarioError::Id);
    let mut all = vec![budget("everything", Scope::All, usd(150_000), Period::Month, false)?];
    for (name, seconds) in seconds {
        // Three dollars for an hour of the reference accelerator; the tight one gets a third.
        let tight = name == TIGHT_TEAM;
        let dollars = if tight { 1 } else { 3 };
        let limit = usd(20 + seconds * dollars / 3_600);
        let hard = tight || name == HARD_TEAM;
        all.push(budget(name, team(name)?, limit, Period::Day, hard)?);
    }
    all.push(budget("assistant", team("assistant")?, usd(400), Period::Day, false)?);
    all.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(all)
}

/// Development machines that somebody forgot.
fn idle(offers: &[Offer]) -> Result<Vec<IdleNode>, ScenarioError> {
    let mut nodes = Vec::new();
    for (number, model) in (1..).zip(["A100", "L4"]) {
        let is = |offer: &&Offer| {
            offer.purchase == Purchase::OnDemand
                && offer.accelerator_count == 1
                && offer.accelerator.as_ref().is_some_and(|name| name.model() == model)
        };
        let no_offer = || ScenarioError::NoOffer(format!("machine with one {model} on demand"));
        let offer = offers.iter().find(is).ok_or_else(no_offer)?;
        let id = NodeId::new(&format!("dev-box-{number}")).map_err(ScenarioError::Id)?;
        nodes.push(IdleNode { id, offer: offer.id.clone() });
    }
    Ok(nodes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_starts_on_the_day_that_is_said() {
        let start = Timestamp::from_second(START_S).unwrap();
        assert_eq!(start.to_string(), "2026-11-02T00:00:00Z");
    }

    #[test]
    fn a_price_book_without_machines_is_refused() {
        let error = Scenario::demo(1, &Arc::from([])).unwrap_err().to_string();
        let expected = "the price book has no machine with one A100 on demand: the demo needs one";
        assert_eq!(error, expected);
    }
}
