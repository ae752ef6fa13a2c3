//! What jobs on owned nodes save if they start later, in hours in which power is cheap or clean.
//!
//! Asked for by `--power`; the plan itself stays what it is. A rented node costs the same at any
//! hour, its power included, so that only owned ones are looked at. Nothing is forecast: hours that
//! the file does not have are not used.

use crate::args::PowerGiven;
use crate::commands::simulate::power_of;
use crate::outcome::WrongUse;
use crate::show;
use crate::table::{Align, Table};
use farthing_model::{Currency, Money, Offer, Purchase, WorkloadId};
use farthing_planner::shift::{Deferrable, Pausing, Slots, check_defer, defer};
use farthing_planner::{Input, Placement, Planned};
use farthing_sim::trace::PowerHours;
use jiff::Timestamp;
use serde_json::{Value, json};

const SLOT_S: i64 = 900;
const HOUR_S: i64 = 3_600;
/// Slots that are planned at most: four weeks.
const SLOTS_MAX: i64 = 4 * 7 * 96;

/// What could be later.
pub(super) struct Later {
    jobs: Vec<Moved>,
    /// Jobs with a deadline on owned nodes.
    looked_at: usize,
}

struct Moved {
    workload: WorkloadId,
    offer: String,
    planned: Timestamp,
    start: Timestamp,
    due: Timestamp,
    /// 10^-12 of a dollar, carbon at its price included.
    saved: i128,
    saved_mg: i128,
}

/// Looks at a plan, if that is asked for.
pub(super) fn look(
    given: &PowerGiven,
    input: &Input,
    planned: &Planned,
) -> anyhow::Result<Option<Later>> {
    let Some(path) = &given.power else { return Ok(None) };
    let files = (path.as_path(), given.carbon.as_deref());
    let hours = power_of("--power", files, given.zone.as_deref())?;
    let carbon_price = match &given.carbon_price {
        None => 0,
        Some(text) => {
            let price =
                Money::from_decimal(text, Currency::USD).ok().filter(|price| !price.is_negative());
            let wrong = || WrongUse::new(format!("--carbon-price `{text}` is no number from 0 on"));
            price.ok_or_else(wrong)?.pico() / 1_000
        }
    };
    if carbon_price > 0 && !hours.has_carbon {
        return Err(WrongUse::new("--carbon-price: the files of power have no carbon").into());
    }
    let begin_s = input.snapshot.at.as_second();
    let begin_s = begin_s + (SLOT_S - begin_s.rem_euclid(SLOT_S)) % SLOT_S;
    let end_s = hours.start_s + i64::try_from(hours.power.len())? * HOUR_S;
    if begin_s < hours.start_s || begin_s >= end_s {
        let time = |at: i64| Timestamp::from_second(at).map(|at| at.to_string());
        let what = format!(
            "--power has the hours from {} to {}, and the plan begins at {}",
            time(hours.start_s)?,
            time(end_s)?,
            time(begin_s)?
        );
        return Err(WrongUse::new(what).into());
    }
    let count = usize::try_from(((end_s - begin_s) / SLOT_S).min(SLOTS_MAX))?;
    let watts = given.watts.unwrap_or(700);
    let pool = Pool { input, planned, hours: &hours, begin_s, count, watts, carbon_price };
    let mut later = Later { jobs: Vec::new(), looked_at: 0 };
    for offer in input.offers.iter().filter(|offer| offer.purchase == Purchase::Owned) {
        pool.look(offer, &mut later)?;
    }
    Ok(Some(later))
}

/// Owned nodes of one kind over time.
struct Pool<'a> {
    input: &'a Input,
    planned: &'a Planned,
    hours: &'a PowerHours,
    begin_s: i64,
    count: usize,
    watts: u32,
    carbon_price: i128,
}

impl Pool<'_> {
    fn look(&self, offer: &Offer, later: &mut Later) -> anyhow::Result<()> {
        let placements = self.planned.report.placements.iter();
        let here: Vec<&Placement> =
            placements.filter(|one| one.offer.as_ref() == Some(&offer.id)).collect();
        let mut slots = self.slots(offer);
        let (mut jobs, mut of) = (Vec::new(), Vec::new());
        for placement in here {
            match self.deferrable(placement, offer) {
                Some(job) => {
                    jobs.push(job);
                    of.push(placement);
                }
                None => self.hold(placement, offer, &mut slots),
            }
        }
        later.looked_at += jobs.len();
        if jobs.is_empty() {
            return Ok(());
        }
        let plan = defer(&slots, &jobs)?;
        if let Some(fault) = check_defer(&slots, &jobs, &plan).first() {
            anyhow::bail!("the plan over time of {} does not hold: {fault}", offer.id);
        }
        let before: Vec<Vec<usize>> =
            jobs.iter().zip(&of).map(|(job, at)| self.now(job, at)).collect();
        let cost = |job: &Deferrable, run: &[usize]| -> i128 {
            run.iter().map(|slot| slots.cost(job, *slot)).sum()
        };
        let all: i128 = jobs.iter().zip(&before).map(|(job, run)| cost(job, run)).sum();
        if !plan.late.is_empty() || plan.cost >= all {
            return Ok(());
        }
        for (at, job) in jobs.iter().enumerate() {
            let (old, new) = (&before[at], &plan.slots[at]);
            let (Some(start), true) = (new.first(), old != new) else { continue };
            let mg = |run: &[usize]| -> i128 {
                let watt_s =
                    i128::from(job.watts) * i128::from(job.accelerators) * i128::from(SLOT_S);
                let in_slot = |at: &usize| watt_s * i128::from(slots.power[*at].carbon_mg);
                run.iter().map(|at| in_slot(at) / 3_600_000).sum()
            };
            later.jobs.push(Moved {
                workload: of[at].workload.clone(),
                offer: offer.id.to_string(),
                planned: of[at].window.from(),
                start: self.time(*start)?,
                due: self.time(job.due)?,
                saved: cost(job, old) - cost(job, new),
                saved_mg: mg(old) - mg(new),
            });
        }
        Ok(())
    }

    /// Power and accelerators of all nodes, slot by slot.
    fn slots(&self, offer: &Offer) -> Slots {
        let nodes = offer.available.unwrap_or(u32::MAX);
        let free = nodes.saturating_mul(offer.accelerator_count);
        let hour = |slot: usize| {
            let at = self.begin_s + i64::try_from(slot).unwrap_or(0) * SLOT_S;
            usize::try_from((at - self.hours.start_s) / HOUR_S).unwrap_or(0)
        };
        Slots {
            slot_s: SLOT_S,
            power: (0..self.count).map(|slot| self.hours.power[hour(slot)]).collect(),
            free: vec![free; self.count],
            carbon_price: self.carbon_price,
        }
    }

    /// The slot at whose begin a time is or is next, and the one that a time is in.
    fn slot_from(&self, at: Timestamp) -> usize {
        let after = at.as_second() - self.begin_s;
        usize::try_from((after + SLOT_S - 1).div_euclid(SLOT_S)).unwrap_or(0)
    }

    fn time(&self, slot: usize) -> anyhow::Result<Timestamp> {
        Ok(Timestamp::from_second(self.begin_s + i64::try_from(slot)? * SLOT_S)?)
    }

    /// A placement as a job that may wait: a new one with a deadline, within the hours that are
    /// known both as planned and later.
    fn deferrable(&self, placement: &Placement, offer: &Offer) -> Option<Deferrable> {
        let seen = self.input.snapshot.workloads.iter();
        let workload = seen.map(|seen| &seen.workload).find(|one| one.id == placement.workload)?;
        let asked = workload.job()?;
        let deadline = asked.deadline?;
        let due_s = (deadline.as_second() - self.begin_s).div_euclid(SLOT_S);
        let job = Deferrable {
            from: asked.submitted.map_or(0, |at| self.slot_from(at)),
            due: usize::try_from(due_s).ok()?.min(self.count),
            work_s: i64::try_from(placement.window.nanos() / 1_000_000_000).ok()? + 1,
            accelerators: held(placement, offer)?,
            watts: self.watts,
            pausing: Pausing::Never,
            begun: false,
            running: false,
        };
        let ends = *self.now(&job, placement).last()?;
        (!placement.stays && job.accelerators > 0 && ends < job.due).then_some(job)
    }

    /// The slots of a job as it is planned.
    fn now(&self, job: &Deferrable, placement: &Placement) -> Vec<usize> {
        let from = self.slot_from(placement.window.from());
        let needed = usize::try_from((job.work_s + SLOT_S - 1) / SLOT_S).unwrap_or(usize::MAX);
        (from..from.saturating_add(needed)).collect()
    }

    /// Takes what does not wait out of what is free.
    fn hold(&self, placement: &Placement, offer: &Offer, slots: &mut Slots) {
        let from = self.slot_from(placement.window.from()).saturating_sub(1);
        let to = self.slot_from(placement.window.to()).min(slots.free.len());
        let held = held(placement, offer).unwrap_or(u32::MAX);
        let free = slots.free.get_mut(from..to).into_iter().flatten();
        free.for_each(|free| *free = free.saturating_sub(held));
    }
}

/// Accelerators of a placement: whole nodes.
fn held(placement: &Placement, offer: &Offer) -> Option<u32> {
    let nodes = placement.members.checked_mul(placement.nodes_each)?;
    nodes.checked_mul(offer.accelerator_count)
}

impl Later {
    fn saved(&self) -> i128 {
        self.jobs.iter().map(|job| job.saved).sum()
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        if self.jobs.is_empty() {
            let count = self.looked_at;
            return format!("\nNo start is cheaper later, of {count} jobs on owned nodes.\n");
        }
        let (l, r) = (Align::Left, Align::Right);
        let mut table = Table::new(&[
            ("workload", l),
            ("on", l),
            ("planned", l),
            ("later", l),
            ("due", l),
            ("saves USD", r),
            ("saves kg", r),
        ]);
        for job in &self.jobs {
            table.row([
                job.workload.to_string(),
                job.offer.clone(),
                job.planned.to_string(),
                job.start.to_string(),
                job.due.to_string(),
                show::small_money(Money::from_pico(job.saved, Currency::USD)),
                format!("{:.1}", kilograms(job.saved_mg)),
            ]);
        }
        let saved = show::small_money(Money::from_pico(self.saved(), Currency::USD));
        format!("\nLater starts would save {saved} USD of power and carbon:\n\n{}", table.to_text())
    }

    /// For programs.
    pub(super) fn json(&self) -> Value {
        let money = |pico| Money::from_pico(pico, Currency::USD).to_decimal();
        let jobs = self.jobs.iter().map(|job| {
            json!({
                "workload": job.workload.to_string(),
                "offer": job.offer,
                "planned": job.planned.to_string(),
                "start": job.start.to_string(),
                "due": job.due.to_string(),
                "saved": money(job.saved),
                "saved_kg": kilograms(job.saved_mg),
            })
        });
        json!({
            "looked_at": self.looked_at,
            "saved": money(self.saved()),
            "jobs": jobs.collect::<Vec<_>>(),
        })
    }
}

#[allow(clippy::cast_precision_loss, reason = "kilograms to print")]
fn kilograms(mg: i128) -> f64 {
    (mg / 1_000) as f64 / 1_000.0
}
