//! Random cases from a seed: small ones for the exhaustive reference, larger ones for the laws.

use super::{
    at_minute, dec, empty_job, hard_budget, input, minutes, offer, rate, seen, service, work,
    workload,
};
use farthing_model::{
    Band, Interruptible, Observed, Offer, Purchase, Ratio, Resource, Scope, Split, SpotLoss,
    Workload, WorkloadKind,
};
use farthing_planner::Input;
use jiff::SignedDuration;

/// `SplitMix64`: small, seeded, the same everywhere.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        // Mixed first: streams of neighbouring seeds would be one stream, shifted.
        Self(mix(seed.wrapping_mul(0xd6e8_feb8_6659_fd93) ^ 0x1234_5678_9abc_def1))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number from `low` to `high`, both included.
    pub(crate) fn from(&mut self, low: i64, high: i64) -> i64 {
        let span = u64::try_from(high - low + 1).unwrap();
        low + i64::try_from(self.next() % span).unwrap()
    }

    pub(crate) fn count(&mut self, low: i64, high: i64) -> u32 {
        u32::try_from(self.from(low, high)).unwrap()
    }

    /// True in `percent` of the cases.
    pub(crate) fn chance(&mut self, percent: i64) -> bool {
        self.from(1, 100) <= percent
    }

    pub(crate) fn one<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[usize::try_from(self.from(0, i64::try_from(of.len()).unwrap() - 1)).unwrap()]
    }
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

const ACCELERATORS: [&str; 3] = ["H100-80GB", "A100-80GB", "L4-24GB"];
const PLACES: [&str; 2] = ["eu", "us"];
const TEAMS: [&str; 2] = ["red", "blue"];

fn random_offers(dice: &mut Dice, count: u32, limited: i64) -> Vec<Offer> {
    (0..count)
        .map(|index| {
            // The rare third kind keeps rows without an offer, and offers without a row, in play.
            let accelerator =
                if dice.chance(85) { dice.one(&ACCELERATORS[..2]) } else { ACCELERATORS[2] };
            let per_node = [1, 1, 2][usize::try_from(dice.from(0, 2)).unwrap()];
            // Near each other, so that the cheapest hour is seldom the cheapest end.
            let cents = dice.from(150, 400);
            let price = format!("{}.{:02}", cents / 100, cents % 100);
            let mut offer = offer(&format!("offer-{index}"), Some(accelerator), per_node, &price);
            if dice.chance(limited) {
                offer.available = Some(dice.count(0, 3).max(1));
            }
            if dice.chance(20) {
                offer.purchase = Purchase::Owned;
            }
            if dice.chance(60) {
                offer.residency = vec![dice.one(&PLACES).to_owned()];
            }
            offer
        })
        .collect()
}

fn common(dice: &mut Dice, workload: &mut Workload) {
    workload.team = dice.chance(80).then(|| dice.one(&TEAMS).parse().unwrap());
    if dice.chance(8) {
        workload.residency = vec![dice.one(&PLACES).to_owned()];
    }
    workload.value = dec(&dice.from(1, 12).to_string());
    if dice.chance(3) {
        workload.resources.cpu_milli = 65_000; // More than any node has.
    }
}

/// A job; `exact` ones last whole hours, so that slots of an hour lose nothing.
fn random_job(dice: &mut Dice, name: &str, exact: bool, slots: i64, most: i64) -> Observed {
    let mut job = empty_job(dice.count(1, most));
    let quoted = dice.chance(10);
    if quoted {
        let cents = dice.from(10, 1_200);
        job.quoted_cost = Some(super::usd(&format!("{}.{:02}", cents / 100, cents % 100)));
    } else {
        job.work = Some(work("6"));
        for kind in ACCELERATORS {
            if dice.chance(15) {
                continue;
            }
            let amount = if exact {
                dice.one(&["6", "3", "2"]).to_owned()
            } else {
                dice.from(1, 13).to_string()
            };
            job.throughput.push(rate(kind, dice.count(1, 2), &amount, minutes(60)));
        }
    }
    if dice.chance(65) {
        job.deadline = Some(at_minute(60 * dice.from(1, slots + 2)));
    }
    if dice.chance(25) {
        job.submitted = Some(at_minute(60 * dice.from(-1, slots - 1)));
    }
    let mut workload = workload(name, "1", WorkloadKind::Job(job));
    common(dice, &mut workload);
    if quoted {
        workload.resources.cpu_milli = 0;
        workload.residency.clear();
    }
    seen(workload)
}

fn random_service(dice: &mut Dice, name: &str) -> Observed {
    let speeds: Vec<[String; 2]> =
        ACCELERATORS.iter().map(|_| [0, 1].map(|_| dice.from(-1, 6).max(0).to_string())).collect();
    let texts: Vec<[&str; 2]> =
        speeds.iter().map(|pair| [pair[0].as_str(), pair[1].as_str()]).collect();
    let rows: Vec<(&str, &[&str])> =
        ACCELERATORS.iter().zip(&texts).map(|(name, pair)| (*name, pair.as_slice())).collect();
    let shares: &[&str] = dice.one(&[&["0.5", "0.5"], &["0.25", "0.75"], &["0.8", "0.2"]]);
    let mut service = service(&dice.from(1, 6).to_string(), shares, &rows);
    service.replicas_min = dice.count(0, 2);
    let mut workload = workload(name, "1", WorkloadKind::Service(service));
    common(dice, &mut workload);
    let mut observed = seen(workload);
    if dice.chance(20) {
        observed.demand_per_s = Some(dec(&dice.from(1, 6).to_string()));
    }
    observed
}

fn random_budgets(dice: &mut Dice, input: &mut Input) {
    let most = if dice.chance(65) { dice.from(1, 2) } else { 0 };
    for index in 0..most {
        let scope = match dice.from(0, 2) {
            0 => Scope::All,
            _ => Scope::Team(dice.one(&TEAMS).parse().unwrap()),
        };
        let limit = dice.from(4, 28);
        let mut state = hard_budget(&format!("budget-{index}"), scope, &limit.to_string());
        state.spent = super::usd(&dice.from(0, limit / 3).to_string());
        if dice.chance(30) {
            state.committed = super::usd("1.5");
        }
        if dice.chance(20) {
            state.budget.hard = false;
        }
        input.budgets.push(state);
    }
}

/// Lets accelerators be used to the full.
pub(crate) fn full_use(input: &mut Input) {
    *input.policy.bands.get_mut(Resource::Gpu) = Band { max: Ratio::ONE, reserve: Ratio::ZERO };
}

/// A case small enough to try everything: 1-3 classes of 1-3 members, 1-4 offers, 1-4 slots.
pub(crate) fn small(seed: u64) -> Input {
    let mut dice = Dice::new(seed);
    let exact = dice.chance(50);
    let slots = dice.from(1, 4);
    let count = dice.count(1, 7).clamp(2, 5) - 1;
    let offers = random_offers(&mut dice, count, 75);
    // More often three classes than one: there is more to decide.
    let classes = dice.from(0, 5).clamp(1, 3);
    let most = 3;
    let workloads = (0..classes)
        .map(|index| random_job(&mut dice, &format!("job-{index}"), exact, slots, most))
        .collect();
    let mut input = input(60 * slots, offers, workloads);
    input.effort.slots_max = u32::try_from(slots).unwrap();
    if !exact {
        input.policy.boot = minutes(dice.from(0, 5));
    }
    random_budgets(&mut dice, &mut input);
    input
}

/// A small case of 1-2 services of two buckets on 2-3 offers, now and then with a job.
pub(crate) fn serving(seed: u64) -> Input {
    let mut dice = Dice::new(seed ^ 0x5e71_1ce5);
    let count = dice.count(2, 3);
    let mut offers = random_offers(&mut dice, count, 35);
    for (offer, kind) in offers.iter_mut().zip(ACCELERATORS) {
        // Each of another kind, mostly, so that a mixture is worth something.
        if dice.chance(80) {
            offer.accelerator = Some(kind.parse().unwrap());
        }
        offer.accelerator_count = 1;
        offer.available = offer.available.map(|available| available + 1);
    }
    let mut workloads = vec![random_service(&mut dice, "service-0")];
    if dice.chance(30) {
        workloads.push(random_service(&mut dice, "service-1"));
    }
    if dice.chance(40) {
        workloads.push(random_job(&mut dice, "job-0", true, 1, 2));
    }
    workloads.sort_by(|a, b| a.workload.id.cmp(&b.workload.id));
    let mut input = input(60, offers, workloads);
    input.effort.slots_max = 1;
    if dice.chance(70) {
        full_use(&mut input);
    }
    random_budgets(&mut dice, &mut input);
    input
}

/// A medium case with all that a plan can have: spot, boot, multi-node members, slices.
pub(crate) fn medium(seed: u64) -> Input {
    let mut dice = Dice::new(seed ^ 0x3ed1_0000);
    let slots = dice.from(4, 8);
    let count = dice.count(6, 16);
    let mut offers = random_offers(&mut dice, count, 30);
    for offer in &mut offers {
        if dice.chance(25) {
            offer.purchase = Purchase::Spot;
        }
        offer.available = offer.available.map(|available| available * 5);
    }
    let mut workloads: Vec<Observed> = (0..dice.from(4, 12))
        .map(|index| random_job(&mut dice, &format!("job-{index:02}"), false, slots, 12))
        .collect();
    for observed in &mut workloads {
        let mut workload = (*observed.workload).clone();
        if let WorkloadKind::Job(job) = &mut workload.kind
            && dice.chance(50)
        {
            job.interruptible = Some(Interruptible {
                checkpoint: SignedDuration::from_secs(90),
                restart: minutes(6),
            });
        }
        *observed = seen(workload);
    }
    for index in 0..dice.from(0, 2) {
        let mut observed = random_service(&mut dice, &format!("service-{index}"));
        if dice.chance(20) {
            let mut workload = (*observed.workload).clone();
            if let WorkloadKind::Service(service) = &mut workload.kind {
                service.split = Split::Slices(dice.count(1, 4));
            }
            observed = Observed { workload: workload.into(), ..observed };
        }
        workloads.push(observed);
    }
    let mut input = input(60 * slots, offers, workloads);
    input.effort.slots_max = u32::try_from(slots).unwrap();
    input.policy.boot = minutes(dice.from(0, 5));
    input.policy.spot = dice
        .chance(70)
        .then(|| SpotLoss { mean_up: minutes(dice.from(60, 600)), source: "test".into() });
    random_budgets(&mut dice, &mut input);
    input
}

/// A case whose budgets are for a day that ends while its work runs: it is planned in the evening.
pub(crate) fn overnight(mut input: Input) -> Input {
    let evening = at_minute(-90);
    input.snapshot.at = evening;
    input.horizon = farthing_model::Window::new(evening, input.horizon.to()).unwrap();
    for state in &mut input.budgets {
        state.budget.period = farthing_model::Period::Day;
        state.period = state.budget.period.window_at(evening).unwrap();
    }
    input
}
