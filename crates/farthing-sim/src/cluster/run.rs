//! One trace on one cluster under one policy.

use super::accounts::{Hour, Ledger, Posted, currency};
use super::error::ClusterError;
use super::policy::ClusterRule;
use super::spec::ClusterSpec;
use super::state::{Cluster, Ended, Pending};
use crate::Random;
use crate::trace::jobs::{JobStream, TraceJob};
use farthing_ledger::Books;
use farthing_model::{ClusterId, Money};
use std::iter::Peekable;
use std::sync::mpsc::sync_channel;

/// Hours that the ledger may be behind.
const HOURS_BEHIND: usize = 64;
/// Jobs between two calls of what tells how far it is.
const TOLD_EACH: u64 = 1_024;

/// What came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterRun {
    /// What the ledger says.
    pub posted: Posted,
    /// Jobs of the trace.
    pub jobs: u64,
    /// Jobs that no kind of node has enough accelerators for: row and accelerators of the largest,
    /// and how many there are.
    pub too_large: Option<(u64, u32, u64)>,
    /// From submission to end of each job that ended, in seconds, ascending.
    pub took_s: Vec<u32>,
    /// Of them, those that were late.
    pub late: u64,
    /// From the first submission to the last end.
    pub makespan_s: i64,
    /// Submissions, starts, ends, and nodes switched on, booted and off.
    pub events: u64,
    /// Questions put to the planner, and those that had an answer from before.
    pub asked: [u64; 2],
    /// Accelerator time of all jobs at the lowest price: no policy can be below.
    pub least: Money,
}

/// What a run is about.
pub struct Replay<'a> {
    /// On which cluster.
    pub spec: &'a ClusterSpec,
    /// Under which policy.
    pub rule: ClusterRule,
    /// Whose books.
    pub cluster: &'a ClusterId,
    /// Where they are kept, if they are.
    pub books: Option<&'a Books>,
}

/// Runs a trace from its first job to the end of its last. `told` hears after some jobs how many
/// there were.
///
/// # Errors
/// The trace cannot be read, a number does not fit, or the books do not conserve.
pub fn replay_cluster(
    replay: &Replay<'_>,
    jobs: JobStream,
    told: &(dyn Fn(u64) + Sync),
) -> Result<ClusterRun, ClusterError> {
    let (hours, received) = sync_channel::<Hour>(HOURS_BEHIND);
    std::thread::scope(|scope| {
        let ledger = Ledger::new(replay.spec, replay.cluster, replay.books)?;
        let posting = scope.spawn(move || {
            let mut ledger = ledger;
            for hour in received {
                ledger.post(&hour)?;
            }
            Ok::<_, ClusterError>(ledger)
        });
        let ran = simulate(replay, jobs, (hours, told));
        let ledger = posting
            .join()
            .unwrap_or_else(|_| Err(ClusterError::Books("the ledger has stopped".to_owned())));
        // Where both failed, why the ledger did is why the run did.
        let (ledger, (mut run, expected, work_nano)) = (ledger?, ran?);
        run.posted = ledger.close(expected, work_nano)?;
        Ok(run)
    })
}

/// What is counted on the way.
struct Tally {
    run: ClusterRun,
    work_nano: i128,
    last_s: i64,
}

type Hours<'a> = (std::sync::mpsc::SyncSender<Hour>, &'a (dyn Fn(u64) + Sync));

fn simulate(
    replay: &Replay<'_>,
    jobs: JobStream,
    (hours, told): Hours<'_>,
) -> Result<(ClusterRun, Money, i128), ClusterError> {
    let spec = replay.spec;
    let mut jobs = jobs.peekable();
    let first_s = match jobs.peek() {
        Some(Ok(job)) => job.submit_s,
        _ => 0,
    };
    let zero = Money::zero(currency(spec));
    let mut cluster = Cluster::new(spec, (first_s, zero), hours);
    let mut policy = replay.rule.policy(spec)?;
    let mut arrivals = Arrivals::new(spec);
    let mut tally = Tally { run: empty(zero), work_nano: 0, last_s: first_s };
    if !replay.rule.switches() {
        cluster.open();
    }
    let mut wakes_s: Option<i64> = None;
    loop {
        let submitted_s = next_s(&mut jobs)?;
        let over = submitted_s.is_none() && cluster.active == 0 && policy.waiting() == 0;
        let next = [submitted_s, cluster.next_s(), wakes_s].into_iter().flatten().min();
        let Some(now_s) = next.filter(|_| !over) else { break };
        let mut ended = |ended: Ended| tally.ended(ended);
        cluster.advance(now_s, !replay.rule.switches(), &mut ended)?;
        if cluster.active == 0 {
            tally.last_s = tally.last_s.max(now_s);
        }
        while let Some(Ok(job)) = jobs.next_if(|job| is_due(job, now_s)) {
            if let Some(pending) = arrivals.pending(job, &mut tally.run) {
                policy.arrive(pending);
            }
            if tally.run.jobs.is_multiple_of(TOLD_EACH) {
                told(tally.run.jobs);
            }
        }
        wakes_s = policy.dispatch(&mut cluster)?;
    }
    if policy.waiting() > 0 {
        let (policy, jobs) = (replay.rule.name(), policy.waiting());
        return Err(ClusterError::Stuck { policy, jobs });
    }
    cluster.close()?;
    let Tally { mut run, work_nano, .. } = tally;
    run.took_s.sort_unstable();
    run.makespan_s = cluster.now_s - first_s;
    run.events = run.jobs + cluster.happened;
    run.asked = policy.asked();
    run.least = least(spec, work_nano)?;
    Ok((run, cluster.expected, work_nano))
}

fn is_due(job: &Result<TraceJob, crate::trace::TraceError>, now_s: i64) -> bool {
    job.as_ref().is_ok_and(|job| job.submit_s <= now_s)
}

/// When the next job is submitted.
fn next_s(jobs: &mut Peekable<JobStream>) -> Result<Option<i64>, ClusterError> {
    if let Some(Err(error)) = jobs.next_if(Result::is_err) {
        return Err(ClusterError::Trace(error));
    }
    Ok(jobs.peek().and_then(|job| job.as_ref().ok()).map(|job| job.submit_s))
}

fn empty(zero: Money) -> ClusterRun {
    let posted = Posted {
        paid: zero,
        used: zero,
        idle: zero,
        unallocated: zero,
        overhead: zero,
        used_nano: 0,
        charges: 0,
        hours: Vec::new(),
    };
    ClusterRun {
        posted,
        jobs: 0,
        too_large: None,
        took_s: Vec::new(),
        late: 0,
        makespan_s: 0,
        events: 0,
        asked: [0, 0],
        least: zero,
    }
}

impl Tally {
    fn ended(&mut self, ended: Ended) {
        self.run.took_s.push(u32::try_from(ended.took_s).unwrap_or(u32::MAX));
        self.run.late += u64::from(ended.late);
        self.work_nano += ended.work_nano;
    }
}

/// Jobs of a trace as a policy sees them.
struct Arrivals<'a> {
    spec: &'a ClusterSpec,
    random: Random,
    most: u64,
}

impl<'a> Arrivals<'a> {
    fn new(spec: &'a ClusterSpec) -> Self {
        let most = spec.pools.iter().map(|pool| pool.capacity().unwrap_or(u64::MAX)).max();
        Self { spec, random: Random::new(spec.seed).fork("estimates"), most: most.unwrap_or(0) }
    }

    /// A job that waits from now on; `None` where the cluster is too small for it.
    fn pending(&mut self, job: TraceJob, run: &mut ClusterRun) -> Option<Pending> {
        run.jobs += 1;
        let row = run.jobs;
        let estimate_s = self.estimate_s(i64::from(job.run_s));
        if u64::from(job.accelerators) > self.most {
            let (at, most, count) = run.too_large.unwrap_or((row, 0, 0));
            let larger = job.accelerators > most;
            let (at, most) = if larger { (row, job.accelerators) } else { (at, most) };
            run.too_large = Some((at, most, count + 1));
            return None;
        }
        let run_s = i64::from(job.run_s);
        let slack = self.spec.slack.map(|slack| job.submit_s + run_s + slack.as_secs());
        Some(Pending {
            row,
            name: job.name,
            team: job.team,
            submit_s: job.submit_s,
            accelerators: job.accelerators,
            run_s,
            estimate_s,
            due_s: job.due_s.or(slack),
        })
    }

    /// Evenly between what is too little and too much by the error, each as likely.
    fn estimate_s(&mut self, run_s: i64) -> i64 {
        let error = i64::from(self.spec.estimate_error_ppm);
        let low = 1_000_000 * 1_000_000 / (1_000_000 + error);
        let ppm = if self.random.chance(500_000) {
            self.random.between(low, 1_000_000)
        } else {
            self.random.between(1_000_000, 1_000_000 + error)
        };
        (i128::from(run_s) * i128::from(ppm) / 1_000_000).try_into().unwrap_or(run_s).max(1)
    }
}

/// Work at the lowest price of an accelerator.
fn least(spec: &ClusterSpec, work_nano: i128) -> Result<Money, ClusterError> {
    const HOUR_NANO: i128 = 3_600_000_000_000;
    let prices = (0..spec.pools.len()).map(|pool| super::policy::price_pico(spec, pool));
    let pico = prices.min().unwrap_or(0);
    let whole = pico.checked_mul(work_nano / 1_000_000_000);
    let whole = whole.ok_or(ClusterError::Money(farthing_model::MoneyError::Overflow))?;
    Ok(Money::from_pico(whole / (HOUR_NANO / 1_000_000_000), currency(spec)))
}
