//! The event queue: by time, then by what must come first at one instant, then in order of entry.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Something that happens at an instant. Indices point into the world's own lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Event {
    /// A member of a job is done. `epoch` tells a run from an earlier one of the same member.
    MemberDone { job: usize, member: usize, epoch: u32 },
    /// A node is lost.
    NodeLost(usize),
    /// A spot node is taken away.
    SpotKilled(usize),
    /// A job is submitted.
    JobArrives(usize),
    /// A service is wanted.
    ServiceArrives(usize),
    /// A price may change in this hour.
    PriceHour,
    /// A price changes.
    PriceChanges,
    /// A scheduled member starts.
    MemberStarts { job: usize, member: usize, epoch: u32 },
    /// Replicas that were scheduled start.
    ReplicasStart { service: usize, order: usize },
    /// A node has booted.
    NodeReady(usize),
    /// A replica can serve.
    ReplicaReady { service: usize, replica: usize },
    /// A replica has answered the request at the head of its queue.
    Served { service: usize, replica: usize, epoch: u32 },
    /// A request comes in.
    Request(usize),
}

impl Event {
    /// What must come first at one instant: ends before starts, so that capacity which ends can be
    /// used again at once; answers before requests.
    const fn rank(self) -> u8 {
        match self {
            Self::MemberDone { .. } | Self::NodeLost(_) | Self::SpotKilled(_) => 0,
            Self::JobArrives(_)
            | Self::ServiceArrives(_)
            | Self::PriceHour
            | Self::PriceChanges => 1,
            Self::MemberStarts { .. } | Self::ReplicasStart { .. } => 2,
            Self::NodeReady(_) | Self::ReplicaReady { .. } => 3,
            Self::Served { .. } => 4,
            Self::Request(_) => 5,
        }
    }

    /// A number for the digest.
    pub(super) const fn code(self) -> u64 {
        let (kind, a, b) = match self {
            Self::MemberDone { job, member, .. } => (1, job, member),
            Self::NodeLost(node) => (2, node, 0),
            Self::SpotKilled(node) => (3, node, 0),
            Self::JobArrives(job) => (4, job, 0),
            Self::ServiceArrives(service) => (5, service, 0),
            Self::PriceHour => (6, 0, 0),
            Self::PriceChanges => (7, 0, 0),
            Self::MemberStarts { job, member, .. } => (8, job, member),
            Self::ReplicasStart { service, order } => (9, service, order),
            Self::NodeReady(node) => (10, node, 0),
            Self::ReplicaReady { service, replica } => (11, service, replica),
            Self::Served { service, replica, .. } => (12, service, replica),
            Self::Request(service) => (13, service, 0),
        };
        (kind << 56) ^ ((a as u64) << 24) ^ b as u64
    }

    /// Whether it is one of the many that a log leaves out.
    pub(super) const fn is_request(self) -> bool {
        matches!(self, Self::Served { .. } | Self::Request(_))
    }
}

/// An event with its place in the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    at: i64,
    rank: u8,
    seq: u64,
    event: Event,
}

/// Events to come.
#[derive(Clone, Debug, Default)]
pub(super) struct Queue {
    heap: BinaryHeap<Reverse<Entry>>,
    /// The next request of each service, with its order of entry: half of all events, of which each
    /// service has one to come, need no heap.
    requests: Vec<Option<(i64, u64)>>,
    seq: u64,
}

impl Queue {
    /// Adds an event at `at`, in nanoseconds since the epoch.
    pub(super) fn push(&mut self, at: i64, event: Event) {
        self.seq += 1;
        let entry = Entry { at, rank: event.rank(), seq: self.seq, event };
        if let Event::Request(service) = event {
            if service >= self.requests.len() {
                self.requests.resize(service + 1, None);
            }
            if self.requests[service].is_none() {
                self.requests[service] = Some((at, self.seq));
                return;
            }
        }
        self.heap.push(Reverse(entry));
    }

    /// The next request that is not in the heap: when, its order of entry, and of which service.
    fn request(&self) -> Option<(i64, u64, usize)> {
        let all = self.requests.iter().enumerate();
        all.filter_map(|(service, next)| next.map(|(at, seq)| (at, seq, service))).min()
    }

    /// Takes the next event that is not after `until`.
    pub(super) fn pop_until(&mut self, until: i64) -> Option<(i64, Event)> {
        let next = self.heap.peek().map(|Reverse(entry)| (entry.at, entry.rank, entry.seq));
        if let Some((at, seq, service)) = self.request() {
            let event = Event::Request(service);
            if next.is_none_or(|next| (at, event.rank(), seq) < next) {
                if at > until {
                    return None;
                }
                self.requests[service] = None;
                return Some((at, event));
            }
        }
        if next?.0 > until {
            return None;
        }
        self.heap.pop().map(|Reverse(entry)| (entry.at, entry.event))
    }

    /// When the next event is.
    pub(super) fn next_at(&self) -> Option<i64> {
        let heap = self.heap.peek().map(|Reverse(entry)| entry.at);
        heap.into_iter().chain(self.request().map(|(at, ..)| at)).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_come_before_starts_and_entries_keep_their_order() {
        let mut queue = Queue::default();
        queue.push(5, Event::Request(0));
        queue.push(5, Event::MemberStarts { job: 1, member: 0, epoch: 1 });
        queue.push(5, Event::JobArrives(2));
        queue.push(5, Event::JobArrives(1));
        queue.push(5, Event::MemberDone { job: 0, member: 0, epoch: 1 });
        queue.push(4, Event::Request(9));
        assert_eq!(queue.next_at(), Some(4));
        let order: Vec<Event> =
            std::iter::from_fn(|| queue.pop_until(5)).map(|(_, event)| event).collect();
        assert_eq!(
            order,
            [
                Event::Request(9),
                Event::MemberDone { job: 0, member: 0, epoch: 1 },
                Event::JobArrives(2),
                Event::JobArrives(1),
                Event::MemberStarts { job: 1, member: 0, epoch: 1 },
                Event::Request(0),
            ]
        );
        queue.push(7, Event::Request(0));
        assert_eq!(queue.pop_until(6), None);
    }
}
