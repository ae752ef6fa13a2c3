//! Shrinking: a smaller case that breaks the same law. Parts are taken away as long as it is still
//! broken; each try is a whole run, and there are only so many.

use super::case::{Case, Crew};
use super::laws::Law;
use super::{Outcome, Sim};
use farthing_model::Mode;

/// The smallest case that was found in `tries` runs, and what it comes to.
pub fn shrink(broken: &Outcome, tries: u32) -> Outcome {
    let Some(breach) = &broken.breach else { return broken.clone() };
    let (law, mut best, mut left) = (breach.law, broken.clone(), tries);
    loop {
        let mut smaller = false;
        for case in parts_taken(&best.case) {
            if left == 0 {
                return best;
            }
            left -= 1;
            if let Some(outcome) = still_broken(&case, law) {
                (best, smaller) = (outcome, true);
                break;
            }
        }
        if !smaller {
            return best;
        }
    }
}

fn still_broken(case: &Case, law: Law) -> Option<Outcome> {
    let outcome = Sim::of(case);
    outcome.breach.as_ref().is_some_and(|breach| breach.law == law).then_some(outcome)
}

/// Cases with less in them, the boldest first.
fn parts_taken(case: &Case) -> Vec<Case> {
    let mut all = Vec::new();
    for ticks in [case.ticks / 4, case.ticks / 2, case.ticks * 3 / 4, case.ticks.saturating_sub(1)]
    {
        if ticks > 0 && ticks < case.ticks {
            all.push(Case { ticks, ..case.clone() });
        }
    }
    for jobs in [0, case.jobs / 2, case.jobs.saturating_sub(1)] {
        if jobs < case.jobs {
            all.push(Case { jobs, ..case.clone() });
        }
    }
    if case.service {
        all.push(Case { service: false, ..case.clone() });
    }
    if case.crew != Crew::One {
        all.push(Case { crew: Crew::One, ..case.clone() });
    }
    if case.mode != Mode::Enforce {
        all.push(Case { mode: Mode::Enforce, ..case.clone() });
    }
    // Half of the troubles at a time, then one by one.
    let troubles: Vec<_> = case.troubles.iter().copied().collect();
    if troubles.len() > 3 {
        let (first, second) = troubles.split_at(troubles.len() / 2);
        for half in [first, second] {
            all.push(Case { troubles: half.iter().copied().collect(), ..case.clone() });
        }
    }
    for trouble in &troubles {
        let mut fewer = case.clone();
        fewer.troubles.remove(trouble);
        all.push(fewer);
    }
    all.dedup();
    all
}
