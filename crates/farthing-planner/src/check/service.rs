//! Services: whether the replicas of each carry its requests, by an argument of its own.

use super::cover::{Cover, REPLICA, carries, carries_slices};
use super::placement::{current, nodes_for, replica_counts};
use super::{Audit, Violation};
use crate::{MixRow, Placement};
use farthing_model::{Bucket, Observed, Offer, Service, Split, WorkloadState};

/// Ways to read which configuration each placement has, before giving up.
const READINGS_MAX: usize = 64;
/// How much fuller than full a stated division may be, as a part of its room: rounding.
const ROOM_MORE: i128 = 10_000_000;
/// Units of a decimal in one whole.
const NANO: i128 = 1_000_000_000;

/// Replicas of one configuration on one offer.
struct Group<'a> {
    offer: &'a Offer,
    replicas: u32,
    /// Accelerators a replica may use there.
    counts: Vec<u32>,
}

/// Load of a bucket on one replica kind, in 10^-12 replicas, rounded up; `None` = not served.
pub(super) fn load(
    service: &Service,
    bucket: &Bucket,
    kind: (&Offer, u32),
    rate_nano: i128,
) -> Option<i128> {
    let name = kind.0.accelerator.as_ref()?;
    let row = service.throughput.iter().find(|row| {
        row.count == kind.1
            && row.accelerator.matches(name)
            && (row.input_tokens, row.output_tokens) == (bucket.input_tokens, bucket.output_tokens)
    })?;
    let most = row.requests_per_s.nano();
    if most <= 0 {
        return None;
    }
    // As many copies run on a node as it holds.
    let copies = (kind.0.accelerator_count / kind.1.max(1)).max(1);
    let most = most.checked_mul(i128::from(copies))?;
    // rate x share / most, where rate and most are in 10^-9 and share in 10^-9 of a whole.
    let rate = rate_nano.checked_mul(bucket.share.nano())?;
    let scaled = rate.checked_mul(REPLICA / NANO)?;
    Some(scaled / most + i128::from(scaled % most > 0))
}

impl Audit<'_> {
    /// A service is served in full, or waits and has nothing new.
    pub(super) fn service(&mut self, observed: &Observed) {
        let Some(service) = observed.workload.service() else { return };
        let id = &observed.workload.id;
        let placed: Vec<&Placement> = self.placements_of(id).collect();
        let waits = self.planned.report.waiting.iter().any(|row| row.workload == *id);
        self.grown(observed, &placed);
        let wanted = matches!(observed.state, WorkloadState::Waiting | WorkloadState::Placed(_));
        if waits || !wanted {
            if placed.iter().any(|placement| !placement.stays) {
                let workload = id.clone();
                let what = "it has new replicas and waits, or is not wanted";
                self.found.push(Violation::Waiting { workload, what });
            }
            return;
        }
        let replicas: u64 = placed.iter().map(|placement| u64::from(placement.members)).sum();
        if replicas < u64::from(service.replicas_min) {
            let (workload, least) = (id.clone(), service.replicas_min);
            self.found.push(Violation::Replicas { workload, placed: replicas, least });
        }
        self.waits(observed, service, &placed);
        self.day(observed, service);
        let why = match self.covered(observed, service, &placed) {
            Cover::Enough => return,
            Cover::TooLittle => "its replicas do not carry the requests",
            Cover::Open => "that its replicas carry the requests could not be shown",
        };
        self.found.push(Violation::Unserved { workload: id.clone(), why });
    }

    /// What the ladder of a budget cut does not grow on any offer.
    fn grown(&mut self, observed: &Observed, placed: &[&Placement]) {
        let id = &observed.workload.id;
        let Some(held) = self.input.held_back(id) else { return };
        let before: Vec<_> = current(observed, self.input.horizon).collect();
        let more = |placement: &&&Placement| {
            let same = before.iter().filter(|before| {
                Some(&before.offer) == placement.offer.as_ref()
                    && before.nodes_each == placement.nodes_each
            });
            same.map(|before| before.members).sum::<u32>() < placement.members
        };
        if !before.is_empty() && placed.iter().any(|placement| more(&placement)) {
            let (workload, budget) = (id.clone(), held.budget.clone());
            self.found.push(Violation::Grown { workload, budget });
        }
    }

    /// Whether the division that the report states is one, and its replicas carry it; `None` where
    /// it states none, or numbers do not fit.
    fn shown(
        &self,
        observed: &Observed,
        service: &Service,
        placed: &[&Placement],
        rate_nano: i128,
    ) -> Option<bool> {
        let services = &self.planned.report.services;
        let said = services.iter().find(|said| said.workload == observed.workload.id)?;
        // Every row of the mix is a placement of its own.
        if said.mix.len() != placed.len() || said.buckets.len() != service.requests.buckets.len() {
            return Some(false);
        }
        let twice = |(at, row): (usize, &MixRow)| {
            said.mix[..at].iter().any(|other| other.offer == row.offer)
        };
        if said.mix.iter().enumerate().any(twice) {
            return Some(false);
        }
        let sliced = match service.split {
            Split::Continuous => true,
            Split::Slices(slices) => said.parts == i128::from(slices),
        };
        let mut room = Vec::with_capacity(said.mix.len());
        for row in &said.mix {
            let offer = *self.offers.get(&row.offer)?;
            let known = replica_counts(service, offer).contains(&row.accelerators);
            let nodes = nodes_for(row.accelerators, offer.accelerator_count);
            let there = placed.iter().any(|placement| {
                placement.offer.as_ref() == Some(&row.offer)
                    && (placement.members, placement.nodes_each) == (row.replicas, nodes)
            });
            if !known || !there {
                return Some(false);
            }
            let whole = i128::from(row.replicas).checked_mul(REPLICA)?.checked_mul(said.parts)?;
            room.push((offer, row.accelerators, whole.checked_add(whole / ROOM_MORE)?));
        }
        for (row, bucket) in said.buckets.iter().zip(&service.requests.buckets) {
            // What nobody asks for needs no replica.
            if !bucket.share.is_positive() || rate_nano <= 0 {
                continue;
            }
            let mut taken = 0_i128;
            for (at, parts) in &row.taken {
                let (offer, count, left) = room.get_mut(*at)?;
                taken = taken.checked_add(*parts)?;
                let Some(load) = load(service, bucket, (*offer, *count), rate_nano) else {
                    return Some(false);
                };
                *left = left.checked_sub(load.checked_mul(*parts)?)?;
                if *parts < 0 {
                    return Some(false);
                }
            }
            if taken != said.parts {
                return Some(false);
            }
        }
        Some(sliced && room.iter().all(|(_, _, left)| *left >= 0))
    }

    fn covered(&self, observed: &Observed, service: &Service, placed: &[&Placement]) -> Cover {
        let groups: Vec<Group<'_>> = placed
            .iter()
            .filter_map(|placement| {
                let offer = *self.offers.get(placement.offer.as_ref()?)?;
                let counts = replica_counts(service, offer)
                    .into_iter()
                    .filter(|count| {
                        nodes_for(*count, offer.accelerator_count) == placement.nodes_each
                    })
                    .collect();
                Some(Group { offer, replicas: placement.members, counts })
            })
            .filter(|group: &Group<'_>| !group.counts.is_empty())
            .collect();
        let rate = observed.demand_per_s.unwrap_or(service.requests.rate_per_s).nano();
        if self.shown(observed, service, placed, rate) == Some(true) {
            return Cover::Enough;
        }
        let readings: usize =
            groups.iter().fold(1, |all, group| all.saturating_mul(group.counts.len()));
        let mut best = Cover::TooLittle;
        for reading in 0..readings.min(READINGS_MAX) {
            match read(service, &groups, rate, reading) {
                Cover::Enough => return Cover::Enough,
                Cover::Open => best = Cover::Open,
                Cover::TooLittle => {}
            }
        }
        if readings > READINGS_MAX { Cover::Open } else { best }
    }
}

/// One way to read the configurations: a number whose digits choose one for each group.
fn read(service: &Service, groups: &[Group<'_>], rate_nano: i128, mut reading: usize) -> Cover {
    let mut kinds = Vec::with_capacity(groups.len());
    for group in groups {
        kinds.push((group.offer, group.counts[reading % group.counts.len()]));
        reading /= group.counts.len();
    }
    let loads: Vec<Vec<Option<i128>>> = service
        .requests
        .buckets
        .iter()
        .filter(|bucket| bucket.share.is_positive() && rate_nano > 0)
        .map(|bucket| kinds.iter().map(|kind| load(service, bucket, *kind, rate_nano)).collect())
        .collect();
    let room: Vec<i128> = groups.iter().map(|group| i128::from(group.replicas) * REPLICA).collect();
    match service.split {
        Split::Continuous => carries(&loads, &room),
        Split::Slices(slices) => carries_slices(&loads, &room, slices),
    }
}
