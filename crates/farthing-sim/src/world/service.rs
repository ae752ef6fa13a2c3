//! Services of the world: every request is an event.
//!
//! A replica answers one request after the other; a request takes `1 / requests_per_s` of its
//! bucket, so that the capacity is exactly the one that plans are made with. What a request waits
//! before its turn counts against the time to first token.

use super::SimWorld;
use super::event::{Event, Queue};
use super::node::Holder;
use super::time::{HOUR, MINUTE, pushed, window};
use crate::scenario::RequestStream;
use crate::score::{Histogram, ServiceScore};
use farthing_model::{
    Assignment, Attribution, Decimal, Offer, Ratio, Service, Workload, WorkloadState,
};
use std::collections::VecDeque;
use std::sync::Arc;

/// Requests that wait for a replica at most; more are turned away.
const BACKLOG_MAX: usize = 1_000_000;
/// Minutes over which the demand is measured.
const DEMAND_MINUTES: i64 = 10;
/// How long marks of busy time are remembered.
const MARKS: i64 = 26 * HOUR;

/// A service.
#[derive(Clone, Debug)]
pub(super) struct SimService {
    pub(super) workload: Arc<Workload>,
    pub(super) who: Arc<Attribution>,
    pub(super) arrives: i64,
    pub(super) arrived: bool,
    pub(super) generation: u64,
    /// As of a job.
    pub(super) before: (u64, i64),
    pub(super) replicas: Vec<Replica>,
    /// Replicas that can serve, by index.
    ready: Vec<usize>,
    /// Replicas that are to start later.
    pub(super) orders: Vec<Option<Order>>,
    backlog: VecDeque<Request>,
    pub(super) stream: Stream,
    /// The end of the last scaling's window.
    pub(super) to: i64,
    slo_wait: Option<i64>,
    /// Requests of each of the last minutes.
    minutes: VecDeque<(i64, u32)>,
    pub(super) count: Counts,
    pub(super) memory_ppm: u32,
}

/// What became of requests.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    arrived: u64,
    served: u64,
    over_slo: u64,
    retried: u64,
    dropped: u64,
    waits: Histogram,
}

/// A replica.
#[derive(Clone, Debug)]
pub(super) struct Replica {
    pub(super) offer: usize,
    pub(super) nodes_each: u32,
    pub(super) nodes: Vec<usize>,
    pub(super) since: i64,
    pub(super) gone: Option<i64>,
    /// Nanoseconds that a request of each bucket takes; 0 = cannot serve it.
    takes: Arc<[i64]>,
    queue: VecDeque<Request>,
    epoch: u32,
    /// When everything in the queue is answered.
    free_at: i64,
    /// Nanoseconds of work taken on in all.
    taken: i64,
    /// Busy nanoseconds up to moments in the past.
    marks: VecDeque<(i64, i64)>,
}

/// Replicas that are to start at a later moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Order {
    pub(super) offer: usize,
    pub(super) nodes_each: u32,
    pub(super) replicas: u32,
    pub(super) from: i64,
}

/// A request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    came: i64,
    bucket: u16,
}

/// A recording that is played.
#[derive(Clone, Debug)]
pub(super) struct Stream {
    recording: RequestStream,
    next: usize,
    /// The minute that `rate_milli` is for.
    minute: i64,
    rate_milli: i64,
}

impl Stream {
    pub(super) fn new(recording: RequestStream) -> Self {
        Self { recording, next: 0, minute: i64::MIN, rate_milli: 1_000 }
    }

    /// Bucket of the request that comes now.
    fn take(&mut self) -> u16 {
        let bucket = self.recording.gaps[self.next].bucket;
        self.next = if self.next + 1 == self.recording.gaps.len() { 0 } else { self.next + 1 };
        bucket
    }

    /// When the next request comes; `None` if there is none at all.
    pub(super) fn next_after(&mut self, now: i64) -> Option<i64> {
        let gap = i64::from(self.recording.gaps.get(self.next)?.micros);
        let minute = now.div_euclid(MINUTE);
        if minute != self.minute {
            self.minute = minute;
            self.rate_milli = self.rate_at(minute).max(1);
        }
        let pace = i64::from(self.recording.pace_milli.max(1));

        Some(now + gap * 1_000_000 / self.rate_milli * 1_000 / pace)
    }

    /// Thousandths of the recorded rate, linear between the middles of hours.
    fn rate_at(&self, minute: i64) -> i64 {
        let Some(shape) = &self.recording.shape_milli else { return 1_000 };
        let since_middle = (minute - 30).rem_euclid(24 * 60);
        let hour = usize::try_from(since_middle / 60).unwrap_or(0);
        let (a, b) = (i64::from(shape[hour]), i64::from(shape[(hour + 1) % 24]));
        a + (b - a) * (since_middle % 60) / 60
    }
}

impl Replica {
    /// Busy nanoseconds up to `now`, which is not in the past.
    fn busy_until(&self, now: i64) -> i64 {
        self.taken - (self.free_at - now).max(0)
    }

    /// Notes how busy it was up to `now`.
    pub(super) fn mark(&mut self, now: i64) {
        if self.marks.back().is_none_or(|last| last.0 < now) {
            self.marks.push_back((now, self.busy_until(now)));
        }
        while self.marks.len() > 2 && self.marks[1].0 < now - MARKS {
            self.marks.pop_front();
        }
    }

    /// Busy nanoseconds up to a moment that has passed: exact at marks, in proportion between.
    pub(super) fn busy_at(&self, moment: i64) -> i64 {
        let after = self.marks.partition_point(|mark| mark.0 < moment);
        match (after.checked_sub(1).map(|before| self.marks[before]), self.marks.get(after)) {
            (_, Some(mark)) if mark.0 == moment => mark.1,
            (Some(before), Some(after)) => {
                let part = i128::from(after.1 - before.1) * i128::from(moment - before.0);
                let part = part / i128::from(after.0 - before.0);
                before.1 + i64::try_from(part).unwrap_or(0)
            }
            (None, Some(first)) => first.1,
            (Some(last), None) => last.1,
            (None, None) => 0,
        }
    }
}

impl SimService {
    /// A service that has not arrived; `None` if the workload is none.
    pub(super) fn new(
        workload: Arc<Workload>,
        who: Arc<Attribution>,
        arrives: i64,
        stream: RequestStream,
    ) -> Option<Self> {
        let slo = workload.service()?.slo;
        Some(Self {
            slo_wait: slo.map(|slo| super::time::length(slo.ttft)),
            workload,
            who,
            arrives,
            arrived: false,
            generation: 1,
            before: (0, i64::MIN),
            replicas: Vec::new(),
            ready: Vec::new(),
            orders: Vec::new(),
            backlog: VecDeque::new(),
            stream: Stream::new(stream),
            to: i64::MIN,
            minutes: VecDeque::new(),
            count: Counts::default(),
            memory_ppm: 850_000,
        })
    }

    fn service(&self) -> Option<&Service> {
        self.workload.service()
    }

    /// Replicas on an offer, there or ordered.
    pub(super) fn on(&self, offer: usize) -> u32 {
        let there =
            self.replicas.iter().filter(|it| it.gone.is_none() && it.offer == offer).count();
        let ordered = self.orders.iter().flatten().filter(|order| order.offer == offer);
        u32::try_from(there).unwrap_or(u32::MAX) + ordered.map(|order| order.replicas).sum::<u32>()
    }

    /// What has become of it.
    pub(super) fn state(&self, offers: &[Offer], now: i64) -> WorkloadState {
        let live = self.replicas.iter().filter(|it| it.gone.is_none());
        let live = live.map(|it| (it.offer, it.nodes_each, it.since, 1));
        let ordered = self.orders.iter().flatten();
        let ordered = ordered.map(|it| (it.offer, it.nodes_each, it.from, it.replicas));
        let mut all: Vec<Assignment> = Vec::new();
        for (offer, nodes_each, from, members) in live.chain(ordered) {
            let Some(window) = window(from, pushed(self.to.max(from + 1), now)) else { continue };
            let offer = &offers[offer].id;
            let same = all
                .iter_mut()
                .find(|other| other.offer == *offer && other.nodes_each == nodes_each);
            if let Some(other) = same {
                other.members += members;
                if window.from() < other.window.from() {
                    other.window = window;
                }
            } else {
                let offer = offer.clone();
                all.push(Assignment { offer, members, nodes_each, window });
            }
        }
        all.sort();
        if all.is_empty() { WorkloadState::Waiting } else { WorkloadState::Placed(all) }
    }

    /// Mean requests per second of the last ten whole minutes; `None` before there were so many.
    pub(super) fn demand(&self, now: i64) -> Option<Decimal> {
        let minute = now.div_euclid(MINUTE);
        let first = minute - DEMAND_MINUTES;
        if self.arrives > first * MINUTE {
            return None;
        }
        let counted = self.minutes.iter().filter(|(at, _)| (first..minute).contains(at));
        let sum: i128 = counted.map(|(_, count)| i128::from(*count)).sum();
        Some(Decimal::from_nano(sum * 1_000_000_000 / i128::from(DEMAND_MINUTES * 60)))
    }

    fn note_request(&mut self, now: i64) {
        self.count.arrived += 1;
        let minute = now.div_euclid(MINUTE);
        match self.minutes.back_mut() {
            Some(last) if last.0 == minute => last.1 += 1,
            _ => {
                self.minutes.push_back((minute, 1));
                while self.minutes.front().is_some_and(|old| old.0 < minute - DEMAND_MINUTES) {
                    self.minutes.pop_front();
                }
            }
        }
    }

    /// Gives a request to the replica that would answer it first; without one it waits.
    fn dispatch(&mut self, index: usize, request: Request, now: i64, queue: &mut Queue) {
        let bucket = usize::from(request.bucket);
        let mut best: Option<(i64, usize, i64)> = None;
        for replica in &self.ready {
            let it = &self.replicas[*replica];
            let takes = it.takes.get(bucket).copied().unwrap_or(0);
            let done = it.free_at.max(now) + takes;
            if takes > 0 && best.is_none_or(|(first, ..)| done < first) {
                best = Some((done, *replica, takes));
            }
        }
        let Some((done, replica, takes)) = best else {
            if self.backlog.len() < BACKLOG_MAX {
                self.backlog.push_back(request);
            } else {
                self.count.dropped += 1;
            }
            return;
        };
        let it = &mut self.replicas[replica];
        it.queue.push_back(request);
        it.free_at = done;
        it.taken += takes;
        if it.queue.len() == 1 {
            queue.push(done, Event::Served { service: index, replica, epoch: it.epoch });
        }
    }

    /// The replica has answered the request at the head of its queue.
    fn served(
        &mut self,
        index: usize,
        (replica, epoch): (usize, u32),
        now: i64,
        queue: &mut Queue,
    ) {
        let it = &mut self.replicas[replica];
        if it.epoch != epoch {
            return;
        }
        let Some(request) = it.queue.pop_front() else { return };
        let wait = now - it.takes[usize::from(request.bucket)] - request.came;
        self.count.served += 1;
        self.count.waits.record(wait);
        self.count.over_slo += u64::from(self.slo_wait.is_some_and(|most| wait > most));
        if let Some(next) = it.queue.front() {
            let at = now + it.takes[usize::from(next.bucket)];
            queue.push(at, Event::Served { service: index, replica, epoch });
        }
    }

    /// What becomes of its requests is counted from now on; those that wait have just come.
    pub(super) fn count_anew(&mut self) {
        let arrived = self.score().open;
        self.count = Counts { arrived, ..Counts::default() };
    }

    /// What became of its requests.
    pub(super) fn score(&self) -> ServiceScore {
        let count = &self.count;
        let queued: usize = self.replicas.iter().map(|it| it.queue.len()).sum();
        let share = |ppm| count.waits.percentile(Ratio::from_ppm(ppm));
        ServiceScore {
            workload: self.workload.id.clone(),
            arrived: count.arrived,
            served: count.served,
            over_slo: count.over_slo,
            retried: count.retried,
            dropped: count.dropped,
            open: u64::try_from(queued + self.backlog.len()).unwrap_or(u64::MAX),
            wait_p50: share(500_000),
            wait_p99: share(990_000),
        }
    }

    /// Nanoseconds that a request of each bucket takes on a replica of this size; `None` if the
    /// offer was not measured.
    pub(super) fn takes(&self, offer: &Offer, nodes_each: u32) -> Option<Arc<[i64]>> {
        let (service, name) = (self.service()?, offer.accelerator.as_ref()?);
        let nodes = |count: u32| count.div_ceil(offer.accelerator_count.max(1));
        let here = |row: &&farthing_model::BucketRate| row.accelerator.matches(name);
        let rows = || service.throughput.iter().filter(here);
        let count = rows().map(|row| row.count).find(|count| nodes(*count) == nodes_each)?;
        let of_bucket = |bucket: &farthing_model::Bucket| {
            let row = rows().find(|row| {
                let sizes = (row.input_tokens, row.output_tokens);
                row.count == count && sizes == (bucket.input_tokens, bucket.output_tokens)
            });
            // As many copies run on a node as it holds, here as one that is as much faster.
            let copies = i128::from((offer.accelerator_count / count.max(1)).max(1));
            let rate = row.map_or(0, |row| row.requests_per_s.nano().saturating_mul(copies));
            // 10^9 ns over rate / 10^9 per s, rounded up.
            let takes = if rate > 0 { (1_000_000_000_000_000_000 + rate - 1) / rate } else { 0 };
            i64::try_from(takes).unwrap_or(0)
        };
        Some(service.requests.buckets.iter().map(of_bucket).collect())
    }
}

impl SimWorld {
    /// A request comes in, and the next one is drawn.
    pub(super) fn request(&mut self, index: usize) {
        let service = &mut self.services[index];
        let bucket = service.stream.take();
        service.note_request(self.now);
        service.dispatch(index, Request { came: self.now, bucket }, self.now, &mut self.queue);
        if let Some(next) = service.stream.next_after(self.now) {
            self.queue.push(next, Event::Request(index));
        }
    }

    /// A replica answered a request.
    pub(super) fn answered(&mut self, index: usize, replica: usize, epoch: u32) {
        self.services[index].served(index, (replica, epoch), self.now, &mut self.queue);
    }

    /// Adds a replica on an offer now; `false`: there is no node for it.
    pub(super) fn add_replica(&mut self, index: usize, offer: usize, nodes_each: u32) -> bool {
        let replica = self.services[index].replicas.len();
        let Some(takes) = self.services[index].takes(&self.offers[offer], nodes_each) else {
            return false;
        };
        let mut nodes = Vec::new();
        for _ in 0..nodes_each {
            let Some(node) = self.take_node(offer, Holder::Replica { service: index, replica })
            else {
                self.free_nodes(&nodes);
                return false;
            };
            nodes.push(node);
        }
        let ready = nodes.iter().map(|node| self.nodes[node].ready).max().unwrap_or(self.now);
        self.services[index].replicas.push(Replica {
            offer,
            nodes_each,
            nodes,
            since: self.now,
            gone: None,
            takes,
            queue: VecDeque::new(),
            epoch: 0,
            free_at: self.now,
            taken: 0,
            marks: VecDeque::from([(self.now, 0)]),
        });
        let event = Event::ReplicaReady { service: index, replica };
        self.queue.push(ready.max(self.now), event);
        true
    }

    /// A replica can serve: what waits goes to it.
    pub(super) fn replica_ready(&mut self, index: usize, replica: usize) {
        let service = &mut self.services[index];
        if service.replicas[replica].gone.is_some() {
            return;
        }
        service.ready.push(replica);
        for request in std::mem::take(&mut service.backlog) {
            service.dispatch(index, request, self.now, &mut self.queue);
        }
    }

    /// Takes a replica away at once; its requests go to the others.
    pub(super) fn remove_replica(&mut self, index: usize, replica: usize) {
        let now = self.now;
        let service = &mut self.services[index];
        let it = &mut service.replicas[replica];
        if it.gone.is_some() {
            return;
        }
        it.gone = Some(now);
        it.taken = it.busy_until(now);
        it.free_at = now;
        it.mark(now);
        it.epoch += 1;
        let requests = std::mem::take(&mut it.queue);
        let nodes = std::mem::take(&mut it.nodes);
        service.ready.retain(|other| *other != replica);
        service.count.retried += u64::try_from(requests.len()).unwrap_or(u64::MAX);
        for request in requests {
            service.dispatch(index, request, now, &mut self.queue);
        }
        self.free_nodes(&nodes);
    }

    /// Replicas that were ordered for now start, as many as there is room for.
    pub(super) fn replicas_start(&mut self, index: usize, order: usize) {
        let Some(due) = self.services[index].orders[order].take() else { return };
        for _ in 0..due.replicas {
            let room = self.live_nodes(due.offer) + u64::from(due.nodes_each);
            let full = self.offers[due.offer].available.is_some_and(|most| room > u64::from(most));
            if full || !self.add_replica(index, due.offer, due.nodes_each) {
                self.tally.starts_refused += 1;
                self.services[index].generation += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::RequestGap;

    fn stream(shape: Option<[u32; 24]>) -> Stream {
        Stream::new(RequestStream {
            gaps: Arc::from([RequestGap { micros: 1_000_000, bucket: 0 }]),
            shape_milli: shape,
            pace_milli: 2_000,
        })
    }

    #[test]
    fn a_recording_is_played_at_its_pace_and_with_the_shape_of_the_day() {
        let mut even = stream(None);
        assert_eq!(even.next_after(0), Some(500_000_000));
        let mut shape = [1_000; 24];
        shape[1] = 4_000;
        let mut shaped = stream(Some(shape));
        // Half past one: four times as many. One o'clock: half way between the two hours.
        let next = |stream: &mut Stream, minute: i64| {
            stream.next_after(minute * MINUTE).unwrap() - minute * MINUTE
        };
        assert_eq!(next(&mut shaped, 90), 125_000_000);
        assert_eq!(next(&mut shaped, 60), 200_000_000);
        assert_eq!(next(&mut shaped, 10), 500_000_000);
    }

    #[test]
    fn busy_time_is_exact_at_marks_and_in_proportion_between() {
        let mut replica = Replica {
            offer: 0,
            nodes_each: 1,
            nodes: Vec::new(),
            since: 0,
            gone: None,
            takes: Arc::from([10]),
            queue: VecDeque::new(),
            epoch: 0,
            free_at: 0,
            taken: 0,
            marks: VecDeque::from([(0, 0)]),
        };
        replica.taken = 30;
        replica.free_at = 110;
        replica.mark(100);
        assert_eq!(replica.busy_at(100), 20);
        assert_eq!(replica.busy_at(50), 10);
        assert_eq!(replica.busy_at(-5), 0);
        replica.mark(200);
        assert_eq!(replica.busy_at(200), 30);
        assert_eq!(replica.busy_at(500), 30);
    }
}
