//! The four weeks before the demo begins. The trace has two days: each day of the past is one of
//! them, of which a part is drawn, less at weekends.

use super::{DAY_S, HARD_TEAM, arrival};
use crate::random::Random;
use crate::scenario::{JobArrival, ScenarioError};
use crate::trace::{PhillyJob, Speed};
use farthing_model::{Workload, WorkloadId, WorkloadKind, utc_day};
use jiff::civil::Weekday;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How many days there are.
const DAYS: u32 = 28;
/// Since when the service is live, and exporters say what each accelerator does, in days.
const SERVICE_DAYS: u32 = 5;
const EXPORTER_DAYS: u32 = 2;
/// The part of a trace's day that is drawn, in parts per million: of a weekday, of a weekend.
const WEEKDAY_PPM: (i64, i64) = (700_000, 1_000_000);
const WEEKEND_PPM: (i64, i64) = (200_000, 400_000);
/// Somebody opened a notebook so long ago, wanted it for so long, and went home.
const NOTEBOOK_HOURS: i64 = 79;
const NOTEBOOK_S: u32 = 20 * DAY_S;

/// What the past is made of.
pub(super) struct Past<'a> {
    pub(super) start: Timestamp,
    pub(super) trace: &'a [PhillyJob],
    pub(super) teams: &'a BTreeMap<String, String>,
    pub(super) speeds: &'a [Speed],
}

impl Past<'_> {
    /// When it begins.
    pub(super) fn begins(&self) -> Timestamp {
        self.ago(DAYS)
    }

    /// When the service was first there.
    pub(super) fn service(&self) -> Timestamp {
        self.ago(SERVICE_DAYS)
    }

    /// When accelerators were first looked at.
    pub(super) fn exporter(&self) -> Timestamp {
        self.ago(EXPORTER_DAYS)
    }

    fn ago(&self, days: u32) -> Timestamp {
        self.start - SignedDuration::from_secs(i64::from(DAY_S) * i64::from(days))
    }

    /// The jobs of all its days.
    pub(super) fn jobs(&self, random: &Random) -> Result<Vec<JobArrival>, ScenarioError> {
        let mut jobs = Vec::new();
        for ago in (1..=DAYS).rev() {
            let mut draw = random.fork_number(ago.into());
            let from = self.ago(ago);
            let date = utc_day(from);
            let (low, high) = match date.weekday() {
                Weekday::Saturday | Weekday::Sunday => WEEKEND_PPM,
                _ => WEEKDAY_PPM,
            };
            let part = u32::try_from(draw.between(low, high)).unwrap_or(0);
            let which = ago % 2;
            let day = self.trace.iter().filter(|job| job.submit_s / DAY_S == which);
            for (number, job) in (0_u64..).zip(day) {
                let mut draw = draw.fork_number(number);
                // A virtual cluster that is not there on the demo's day has no name.
                let Some(team) = self.teams.get(&job.vc).filter(|_| draw.chance(part)) else {
                    continue;
                };
                let name = format!("{team}-{:02}{:02}-{number:04}", date.month(), date.day());
                jobs.push(arrival((&name, job), team, (from, self.speeds), draw)?);
            }
        }
        Ok(jobs)
    }

    /// A notebook that holds an accelerator since before the weekend, and does nothing with it.
    pub(super) fn notebook(&self, draw: Random) -> Result<JobArrival, ScenarioError> {
        let opened = self.start - SignedDuration::from_hours(NOTEBOOK_HOURS);
        let asked = PhillyJob {
            submit_s: 0,
            duration_s: NOTEBOOK_S,
            num_gpus: 1,
            vc: "notebook".to_owned(),
        };
        let name = format!("{HARD_TEAM}-notebook");
        let arrival = arrival((&name, &asked), HARD_TEAM, (opened, self.speeds), draw)?;
        let mut workload = Workload::clone(&arrival.workload);
        workload.id = WorkloadId::new(&name).map_err(ScenarioError::Id)?;
        workload.labels = BTreeMap::from([("kind".to_owned(), "notebook".to_owned())]);
        if let WorkloadKind::Job(job) = &mut workload.kind {
            // Whoever has state in memory cannot be interrupted, and waits for nobody.
            (job.deadline, job.interruptible) = (None, None);
        }
        Ok(JobArrival { at: opened, workload: Arc::new(workload), forgotten: true })
    }
}
