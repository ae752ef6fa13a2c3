//! One trace of requests under one policy.

use super::fleet::{Fleet, SECOND_US};
use super::kinds::Kinds;
use super::rates::{Rates, Survey};
use super::scale::{Scale, View};
use super::{Moment, ServingRule, ServingRun, ServingSpec};
use crate::cluster::accounts::{Hour, Ledger, Posted};
use crate::cluster::error::ClusterError;
use crate::cluster::spec::ClusterSpec;
use crate::score::Histogram;
use crate::trace::requests::{Request, RequestStream};
use farthing_ledger::Books;
use farthing_model::{ClusterId, Currency, Money, Ratio};
use jiff::SignedDuration;
use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, VecDeque};
use std::sync::mpsc::{SyncSender, sync_channel};

/// Hours that the ledger may be behind.
const HOURS_BEHIND: usize = 64;
/// Moments that are kept of a run, at most; longer runs keep every second one of them.
const MOMENTS_MAX: usize = 4_096;
/// Requests between two calls of what tells how far it is.
const TOLD_EACH: u64 = 1 << 16;
/// Requests that wait and are looked at for a replica that cannot serve the first of them.
const LOOKED_AT: usize = 64;

/// What a run is about.
pub struct Service<'a> {
    /// What serves.
    pub spec: &'a ServingSpec,
    /// Its kinds of replicas.
    pub kinds: &'a Kinds,
    /// What the trace comes to.
    pub survey: &'a Survey,
    /// Under which policy.
    pub rule: ServingRule,
    /// Whose books.
    pub cluster: &'a ClusterId,
    /// Where they are kept, if they are.
    pub books: Option<&'a Books>,
    /// The first so many requests.
    pub limit: usize,
}

/// Serves a trace from its first request to its last answer. `told` hears after some requests how
/// many there were.
///
/// # Errors
/// The trace cannot be read, a number does not fit, or the books do not conserve.
pub fn serve(
    service: &Service<'_>,
    requests: RequestStream,
    told: &(dyn Fn(u64) + Sync),
) -> Result<ServingRun, ClusterError> {
    let spec = ClusterSpec {
        pools: service.spec.pools.clone(),
        boot: service.spec.boot,
        idle_release: SignedDuration::ZERO,
        reserve_ppm: 0,
        estimate_error_ppm: 0,
        slack: None,
        seed: 0,
    };
    let (hours, received) = sync_channel::<Hour>(HOURS_BEHIND);
    std::thread::scope(|scope| {
        let ledger = Ledger::new(&spec, service.cluster, service.books)?;
        let posting = scope.spawn(move || {
            let mut ledger = ledger;
            for hour in received {
                ledger.post(&hour)?;
            }
            Ok::<_, ClusterError>(ledger)
        });
        let ran = Run::new(service, hours).and_then(|run| run.drive(requests, told));
        let ledger = posting
            .join()
            .unwrap_or_else(|_| Err(ClusterError::Books("the ledger has stopped".to_owned())));
        // Where both failed, why the ledger did is why the run did.
        let (ledger, (mut run, expected, used_nano)) = (ledger?, ran?);
        run.posted = ledger.close(expected, used_nano)?;
        Ok(run)
    })
}

/// A request that has come.
#[derive(Clone, Copy, Debug)]
struct Comes {
    at_us: i64,
    size: u16,
}

struct Run<'a> {
    service: &'a Service<'a>,
    fleet: Fleet<'a>,
    scale: Box<dyn Scale + 'a>,
    rates: Rates,
    waiting: VecDeque<Comes>,
    /// Places that become free: when, and of which replica.
    ends: BinaryHeap<Reverse<(i64, u32)>>,
    /// Replicas that are ordered: when they are ready.
    boots: BTreeSet<(i64, u32)>,
    decides_s: i64,
    minute_s: i64,
    in_places: u64,
    /// Requests since the last moment was kept, and minutes between two of them.
    came: u64,
    each_minutes: i64,
    ttft: Histogram,
    ran: ServingRun,
}

impl<'a> Run<'a> {
    fn new(service: &'a Service<'a>, hours: SyncSender<Hour>) -> Result<Self, ClusterError> {
        let Service { spec, kinds, survey, rule, .. } = *service;
        let zero = Money::zero(currency(spec));
        let (first_us, boot_s) = (survey.first_us, spec.boot.as_secs());
        // A service that has been there before: its replicas are ready with the first request.
        let begin_s = first_us.div_euclid(SECOND_US);
        let on_s = begin_s - boot_s;
        let mut fleet = Fleet::new((spec, kinds), (on_s, zero), hours)?;
        let mut scale = rule.scale(spec, kinds)?;
        for (kind, count) in scale.first(survey)?.into_iter().enumerate() {
            for _ in 0..count {
                let Some(number) = fleet.order(kind, (on_s, begin_s)) else { break };
                fleet.opens(number);
            }
        }
        fleet.advance(begin_s)?;
        let decides_s = begin_s + scale.every_s();
        Ok(Self {
            service,
            fleet,
            scale,
            rates: Rates::new(kinds.sizes.len(), first_us),
            waiting: VecDeque::new(),
            ends: BinaryHeap::new(),
            boots: BTreeSet::new(),
            decides_s,
            minute_s: begin_s,
            in_places: 0,
            came: 0,
            each_minutes: 1,
            ttft: Histogram::default(),
            ran: empty(zero),
        })
    }

    fn drive(
        mut self,
        requests: RequestStream,
        told: &(dyn Fn(u64) + Sync),
    ) -> Result<(ServingRun, Money, i128), ClusterError> {
        let mut now_us = self.service.survey.first_us;
        for request in requests.take(self.service.limit) {
            let Request { at_us, input_tokens, output_tokens } =
                request.map_err(ClusterError::Trace)?;
            self.advance(at_us)?;
            now_us = at_us;
            let size = self.service.kinds.size(input_tokens, output_tokens);
            self.rates.comes(size);
            self.came += 1;
            self.ran.requests += 1;
            self.ran.events += 1;
            let comes = Comes { at_us, size };
            if !self.begins(comes, at_us) {
                self.waiting.push_back(comes);
            }
            if self.ran.requests.is_multiple_of(TOLD_EACH) {
                told(self.ran.requests);
            }
        }
        while self.in_places > 0 || !self.waiting.is_empty() {
            let Some(next_us) = self.next_us() else { break };
            now_us = now_us.max(next_us);
            self.advance(next_us)?;
        }
        let end_s = now_us.div_euclid(SECOND_US) + 1;
        self.fleet.advance(end_s)?;
        self.fleet.close(end_s)?;
        let survey = self.service.survey;
        let share = |ppm| self.ttft.percentile(Ratio::from_ppm(ppm)).unwrap_or_default();
        let mut ran = self.ran;
        ran.ttft = [share(500_000), share(990_000)];
        ran.makespan_s = end_s - survey.first_us.div_euclid(SECOND_US);
        ran.asked = self.scale.asked();
        ran.least = self.service.kinds.least(&survey.counts, ran.least.currency());
        Ok((ran, self.fleet.expected, self.fleet.used_nano))
    }

    /// When something happens next by itself.
    fn next_us(&self) -> Option<i64> {
        let ends = self.ends.peek().map(|Reverse((at, _))| *at);
        let boots = self.boots.first().map(|(at, _)| *at);
        let clocks = self.decides_s.min(self.minute_s) * SECOND_US;
        [ends, boots, Some(clocks)].into_iter().flatten().min()
    }

    /// Lets time pass up to a moment, and all that happens by then, in order.
    fn advance(&mut self, to_us: i64) -> Result<(), ClusterError> {
        while let Some(now_us) = self.next_us().filter(|next| *next <= to_us) {
            let now_s = now_us.div_euclid(SECOND_US);
            self.fleet.advance(now_s)?;
            self.rates.advance(now_us);
            if self.ends.peek().is_some_and(|Reverse((at, _))| *at <= now_us) {
                self.answered(now_us)?;
            } else if self.boots.first().is_some_and(|(at, _)| *at <= now_us) {
                self.boots(now_us);
            } else if self.minute_s <= now_s {
                self.moment(now_s);
            } else {
                self.decides(now_us)?;
            }
        }
        self.fleet.advance(to_us.div_euclid(SECOND_US))?;
        self.rates.advance(to_us);
        Ok(())
    }

    /// A request gets a place, if there is one.
    fn begins(&mut self, comes: Comes, now_us: i64) -> bool {
        let Some(number) = self.fleet.takes(comes.size) else { return false };
        self.begins_on(number, comes, now_us);
        true
    }

    fn begins_on(&mut self, number: u32, comes: Comes, now_us: i64) {
        let kind = self.fleet.units.get(&number).map_or(0, |unit| unit.kind);
        let takes = self.fleet.kinds.all[kind].takes[usize::from(comes.size)];
        let Some(takes) = takes else { return };
        self.fleet.busy(number, (true, now_us));
        self.in_places += 1;
        self.ends.push(Reverse((now_us + takes.place_us, number)));
        let first_us = now_us + takes.first_us - comes.at_us;
        self.ttft.record(first_us.saturating_mul(1_000));
        let in_time = i128::from(first_us) * 1_000 <= self.service.spec.ttft.as_nanos();
        self.ran.within += u64::from(in_time);
    }

    /// A place is free: who waits gets it, or the replica goes.
    fn answered(&mut self, now_us: i64) -> Result<(), ClusterError> {
        let Some(Reverse((_, number))) = self.ends.pop() else { return Ok(()) };
        self.ran.events += 1;
        self.in_places -= 1;
        self.fleet.busy(number, (false, now_us));
        let Some(unit) = self.fleet.units.get(&number) else { return Ok(()) };
        if unit.leaves {
            if unit.busy == 0 {
                self.ran.events += 1;
                let (whole_s, rest) = (now_us.div_euclid(SECOND_US), now_us % SECOND_US);
                // Paid to the end of the second.
                self.fleet.gone(number, whole_s + i64::from(rest > 0))?;
            }
            return Ok(());
        }
        self.fills(number, now_us, 1);
        Ok(())
    }

    /// Gives a replica so many of those that wait, as far as it can serve them.
    fn fills(&mut self, number: u32, now_us: i64, most: u32) {
        for _ in 0..most {
            let Some(unit) = self.fleet.units.get(&number) else { return };
            let kind = &self.fleet.kinds.all[unit.kind];
            let can = |comes: &Comes| kind.takes[usize::from(comes.size)].is_some();
            let at = self.waiting.iter().take(LOOKED_AT).position(can);
            let Some(comes) = at.and_then(|at| self.waiting.remove(at)) else { return };
            self.begins_on(number, comes, now_us);
        }
    }

    /// A replica that was ordered is ready.
    fn boots(&mut self, now_us: i64) {
        let Some((_, number)) = self.boots.pop_first() else { return };
        self.ran.events += 1;
        let Some(unit) = self.fleet.units.get(&number) else { return };
        let slots = self.fleet.kinds.all[unit.kind].slots;
        self.fleet.opens(number);
        self.fills(number, now_us, slots);
    }

    /// Keeps what there is, once a minute.
    fn moment(&mut self, now_s: i64) {
        self.minute_s = now_s + self.each_minutes * 60;
        let waiting = u64::try_from(self.waiting.len()).unwrap_or(u64::MAX);
        let (requests, ready) = (std::mem::take(&mut self.came), self.fleet.ready(now_s));
        self.ran.most = self.ran.most.max(ready.iter().sum());
        if let Some(last) = self.ran.moments.last_mut() {
            last.requests = requests;
        }
        self.ran.moments.push(Moment { at_s: now_s, requests: 0, ready, waiting });
        if self.ran.moments.len() >= MOMENTS_MAX {
            self.each_minutes *= 2;
            self.thin();
        }
    }

    /// Keeps every second moment, with the requests of both.
    fn thin(&mut self) {
        let all = std::mem::take(&mut self.ran.moments);
        for (at, moment) in all.into_iter().enumerate() {
            match self.ran.moments.last_mut().filter(|_| at % 2 == 1) {
                Some(last) => last.requests += moment.requests,
                None => self.ran.moments.push(moment),
            }
        }
    }

    /// The policy says how many replicas there should be.
    fn decides(&mut self, now_us: i64) -> Result<(), ClusterError> {
        let now_s = now_us.div_euclid(SECOND_US);
        self.decides_s = now_s + self.scale.every_s();
        self.ran.events += 1;
        let live = self.fleet.live();
        let view = View {
            now_s,
            rates: &self.rates,
            in_places: self.in_places,
            waiting: u64::try_from(self.waiting.len()).unwrap_or(u64::MAX),
            live: &live,
            slots: self.fleet.slots(|unit| unit.ready_s <= now_s),
        };
        let wanted = self.scale.decide(&view)?;
        for (kind, (wanted, live)) in wanted.into_iter().zip(live).enumerate() {
            if wanted > live {
                self.adds(kind, wanted - live, now_us);
            } else {
                self.takes_away(kind, live - wanted, now_s)?;
            }
        }
        Ok(())
    }

    /// More replicas: those that were about to go stay, others are ordered.
    fn adds(&mut self, kind: usize, count: u32, now_us: i64) {
        let now_s = now_us.div_euclid(SECOND_US);
        let going = self.fleet.units.iter().filter(|(_, it)| it.kind == kind && it.leaves);
        let going: Vec<u32> = going.map(|(number, _)| *number).take(to_usize(count)).collect();
        let mut left = count - u32::try_from(going.len()).unwrap_or(count);
        for number in going {
            self.fleet.opens(number);
            let Some(unit) = self.fleet.units.get(&number) else { continue };
            let room = self.fleet.kinds.all[kind].slots - unit.busy;
            self.fills(number, now_us, room);
        }
        while left > 0 {
            let ready_s = now_s + self.service.spec.boot.as_secs();
            let Some(number) = self.fleet.order(kind, (now_s, ready_s)) else { return };
            self.boots.insert((ready_s * SECOND_US, number));
            left -= 1;
        }
    }

    /// Fewer replicas: those first that are not ready yet, then the least busy.
    fn takes_away(&mut self, kind: usize, count: u32, now_s: i64) -> Result<(), ClusterError> {
        let live = self.fleet.units.iter().filter(|(_, it)| it.kind == kind && !it.leaves);
        let mut live: Vec<_> = live
            .map(|(number, it)| (it.ready_s <= now_s, it.busy, Reverse(it.ready_s), *number))
            .collect();
        live.sort_unstable();
        for (ready, _, Reverse(ready_s), number) in live.into_iter().take(to_usize(count)) {
            if !ready {
                self.boots.remove(&(ready_s * SECOND_US, number));
            }
            if self.fleet.leaves(number) {
                self.ran.events += 1;
                self.fleet.gone(number, now_s)?;
            }
        }
        Ok(())
    }
}

fn to_usize(count: u32) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

fn currency(spec: &ServingSpec) -> Currency {
    spec.pools.first().map_or(Currency::USD, |pool| pool.price.per_hour().currency())
}

fn empty(zero: Money) -> ServingRun {
    ServingRun {
        posted: Posted {
            paid: zero,
            used: zero,
            idle: zero,
            unallocated: zero,
            overhead: zero,
            used_nano: 0,
            charges: 0,
            hours: Vec::new(),
        },
        requests: 0,
        within: 0,
        ttft: [SignedDuration::ZERO; 2],
        makespan_s: 0,
        events: 0,
        asked: [0, 0],
        most: 0,
        moments: Vec::new(),
        least: zero,
    }
}
