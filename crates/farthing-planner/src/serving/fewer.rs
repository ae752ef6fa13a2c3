//! A service with fewer replicas: which would go, and which part of its requests is then carried.
//!
//! What carries is counted up to the use that what stands may have, for requests that are divided
//! at will; queues get longer before that, which is not counted. Refuses to know why there should
//! be fewer, and what anyone saves. Start at [`fewer_replicas`].

use super::apart::found;
use super::problem::Problem;
use super::scene::Scene;
use super::{PPM, Serving, wanted};
use crate::standing::{Standing, standing};
use crate::{Input, PlanError};
use farthing_model::{HourlyRate, OfferId, Ratio, WorkloadId};

/// Different numbers of replicas that are looked at, at most: of more, several go at once.
const STEPS_MAX: i64 = 64;
/// Halvings of the part that is carried: to a millionth.
const HALVINGS: u32 = 20;

/// A service with fewer replicas than it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fewer {
    /// What goes, by offer.
    pub gone: Vec<Gone>,
    /// The part of its requests that what is left carries, rounded down.
    pub carried: Ratio,
}

/// Replicas that go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gone {
    /// From where.
    pub offer: OfferId,
    /// How many there are.
    pub from: u32,
    /// How many are left.
    pub to: u32,
    /// Nodes of each.
    pub nodes_each: u32,
    /// The part of all requests that was carried before and is not without them.
    pub unserved: Ratio,
}

/// What a service carries now, and with ever fewer replicas: down to the fewest that it may have,
/// and to one at least. In each step those go that carry the least for what they cost.
///
/// `None` where it has no more than that, or nobody knows what its replicas carry or cost.
///
/// # Errors
/// Numbers do not fit.
pub fn fewer_replicas(
    input: &Input,
    workload: &WorkloadId,
) -> Result<Option<(Ratio, Vec<Fewer>)>, PlanError> {
    let Some(observed) = input.snapshot.workload(workload) else { return Ok(None) };
    let Some(service) = wanted(observed) else { return Ok(None) };
    let standing: Vec<Standing<'_>> =
        standing(input).into_iter().filter(|it| it.observed.workload.id == *workload).collect();
    let scene = Scene { input, accounts: &[], pools: &[], standing: &standing };
    let serving = scene.serving(observed, service, Serving::limit(input, service))?;
    let Some(pack) = Pack::of(input, &serving, &standing) else { return Ok(None) };
    let floor = i64::from(service.replicas_min.max(1));
    let now = pack.carried(&pack.counts);
    let steps = pack.shrink(floor, now);
    Ok((!steps.is_empty()).then_some((Ratio::from_ppm(now), steps)))
}

/// The replicas of a service that stand, as a question about loads.
struct Pack<'a> {
    input: &'a Input,
    problem: Problem,
    /// What stands, with its kind in the problem and what a replica costs an hour.
    stands: Vec<(&'a Standing<'a>, usize, i128)>,
    counts: Vec<i64>,
}

impl<'a> Pack<'a> {
    /// `None` where something stands that is not a kind of the service, or costs nobody knows what.
    fn of(input: &'a Input, serving: &Serving<'_>, standing: &'a [Standing<'a>]) -> Option<Self> {
        let mut problem = serving.problem();
        (problem.least, problem.slices, problem.rivals) = (0, None, Vec::new());
        let mut counts = vec![0_i64; serving.kinds.len()];
        let mut stands = Vec::new();
        for stand in standing {
            let kind = serving.kinds.iter().rposition(|kind| {
                Some(kind.replica.offer) == stand.offer
                    && kind.replica.nodes == stand.assignment.nodes_each
            })?;
            let hourly = stand.rate.map(HourlyRate::per_hour)?;
            let nodes = i128::from(stand.assignment.nodes_each);
            let hourly = hourly.checked_mul_int(nodes).ok()?.pico();
            counts[kind] += i64::from(stand.assignment.members);
            stands.push((stand, kind, hourly));
        }
        let known = serving.kinds.iter().any(|kind| kind.loads.iter().any(Option::is_some));
        (known && !stands.is_empty()).then_some(Self { input, problem, stands, counts })
    }

    /// The part of all requests that so many replicas carry, in 10^-6.
    fn carried(&self, counts: &[i64]) -> u32 {
        let whole = u32::try_from(PPM).unwrap_or(u32::MAX);
        if self.carries(counts, whole) {
            return whole;
        }
        let (mut low, mut high) = (0, whole);
        for _ in 0..HALVINGS {
            let middle = low + (high - low) / 2;
            if self.carries(counts, middle) {
                low = middle;
            } else {
                high = middle;
            }
        }
        low
    }

    fn carries(&self, counts: &[i64], part: u32) -> bool {
        if part == 0 {
            return true;
        }
        let mut problem = self.problem.clone();
        for (kind, count) in problem.kinds.iter_mut().zip(counts) {
            (kind.fewest, kind.most) = (*count, *count);
        }
        let scaled = |load: &mut Option<i128>| {
            *load = load.map(|load| {
                let part = load.saturating_mul(i128::from(part));
                part.div_euclid(PPM) + i128::from(part.rem_euclid(PPM) > 0)
            });
        };
        problem.loads.iter_mut().flatten().for_each(scaled);
        found(&problem, self.input.effort.of_a_part()).is_some()
    }

    /// Ever fewer replicas, down to `floor` of them.
    fn shrink(&self, floor: i64, carried: u32) -> Vec<Fewer> {
        let total: i64 = self.counts.iter().sum();
        let at_once = (total - floor).div_euclid(STEPS_MAX) + 1;
        let (mut counts, mut left, mut carried) = (self.counts.clone(), total, carried);
        let mut lost = vec![0_u32; self.stands.len()];
        let mut there: Vec<i64> =
            self.stands.iter().map(|(stand, ..)| i64::from(stand.assignment.members)).collect();
        let mut steps = Vec::new();
        while left > floor {
            let mut best: Option<(i128, i128, usize, i64, u32)> = None;
            for (at, (_, kind, hourly)) in self.stands.iter().enumerate() {
                let less = at_once.min(left - floor).min(there[at]);
                if less == 0 {
                    continue;
                }
                counts[*kind] -= less;
                let then = self.carried(&counts).min(carried);
                counts[*kind] += less;
                let (loses, saves) = (i128::from(carried - then), hourly * i128::from(less));
                // Less is lost for each dollar, or as much and more is saved.
                let better = best.is_none_or(|(least, most, ..)| {
                    let (a, b) = (loses.saturating_mul(most), least.saturating_mul(saves));
                    a < b || (a == b && saves > most)
                });
                if better {
                    best = Some((loses, saves, at, less, then));
                }
            }
            let Some((_, _, at, less, then)) = best else { break };
            counts[self.stands[at].1] -= less;
            there[at] -= less;
            left -= less;
            lost[at] += carried - then;
            carried = then;
            steps.push(self.fewer(&there, &lost, carried));
        }
        steps
    }

    fn fewer(&self, there: &[i64], lost: &[u32], carried: u32) -> Fewer {
        let gone =
            self.stands.iter().zip(there).zip(lost).filter_map(|(((stand, ..), to), lost)| {
                let to = u32::try_from(*to).ok()?;
                let from = stand.assignment.members;
                (to < from).then(|| Gone {
                    offer: stand.assignment.offer.clone(),
                    from,
                    to,
                    nodes_each: stand.assignment.nodes_each,
                    unserved: Ratio::from_ppm(*lost),
                })
            });
        Fewer { gone: gone.collect(), carried: Ratio::from_ppm(carried) }
    }
}
