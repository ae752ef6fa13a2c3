//! What is wrong with a deferral: from jobs, slots and the plan alone.

use super::defer::{Deferrable, Deferral, Pausing, Slots};

/// Everything that does not hold, in words; nothing where all does.
pub fn check_defer(slots: &Slots, jobs: &[Deferrable], plan: &Deferral) -> Vec<String> {
    let mut wrong = Vec::new();
    if plan.slots.len() != jobs.len() {
        return vec![format!("{} jobs are planned of {}", plan.slots.len(), jobs.len())];
    }
    let mut cost = 0;
    let mut used = vec![0_u64; slots.power.len()];
    for (at, (job, run)) in jobs.iter().zip(&plan.slots).enumerate() {
        if run.windows(2).any(|pair| pair[0] >= pair[1]) {
            wrong.push(format!("job {at}: its slots are not in order"));
        }
        for slot in run {
            let Some(power) = slots.power.get(*slot).filter(|_| *slot >= job.from) else {
                wrong.push(format!("job {at} runs in slot {slot}, in which it cannot"));
                continue;
            };
            used[*slot] += u64::from(job.accelerators);
            let watt_s =
                i128::from(job.watts) * i128::from(job.accelerators) * i128::from(slots.slot_s);
            let kwh = 3_600_000;
            let of_million =
                power.price * 1_000_000 + slots.carbon_price * i128::from(power.carbon_mg);
            cost += (watt_s * of_million).div_euclid(kwh * 1_000_000);
        }
        if !plan.late.contains(&at) {
            wrong.extend(in_time(slots, job, run).map(|what| format!("job {at}: {what}")));
        }
    }
    for (at, (used, free)) in used.iter().zip(&slots.free).enumerate() {
        if *used > u64::from(*free) {
            wrong.push(format!("slot {at}: {used} accelerators of {free}"));
        }
    }
    if cost != plan.cost {
        wrong.push(format!("the cost is {cost} and not {}", plan.cost));
    }
    if plan.bound.is_some_and(|bound| bound > plan.cost) {
        wrong.push("the bound is above the cost".to_owned());
    }
    wrong
}

/// What is wrong with the run of a job that is not said to be late.
fn in_time(slots: &Slots, job: &Deferrable, run: &[usize]) -> Option<String> {
    if run.last().is_some_and(|last| *last >= job.due) {
        return Some("it is late".to_owned());
    }
    let (mut left_s, mut before) =
        (job.work_s, if job.running { job.from.checked_sub(1) } else { None });
    let mut launches = 0;
    let mut first = true;
    for slot in run {
        // Right before its first slot there may be none: it then runs on from the begin.
        let goes_on =
            before.map_or(first && job.running && *slot == 0, |before| before + 1 == *slot);
        if !goes_on {
            launches += 1;
            let resumes = job.begun || job.running || launches > 1;
            match job.pausing {
                Pausing::Never if resumes => return Some("it is paused".to_owned()),
                Pausing::Loses(lost_s) if resumes => left_s += lost_s,
                _ => {}
            }
        }
        if left_s <= 0 {
            return Some("it runs longer than its work takes".to_owned());
        }
        left_s -= slots.slot_s;
        (before, first) = (Some(*slot), false);
    }
    (left_s > 0).then(|| format!("{left_s} s of its work are not done"))
}
