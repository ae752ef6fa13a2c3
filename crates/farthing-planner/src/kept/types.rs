//! What an [`Input`] is made of, field by field.

use super::KeptError;
use super::bytes::{Bytes, Kept, put_text};
use crate::{BudgetState, Effort, HeldBack, Input, Utilisation};
use farthing_model::{
    Accelerator, AcceleratorQuery, Age, Assignment, Band, Bucket, BucketRate, Budget, BudgetId,
    Carry, ClusterId, Coverage, Currency, DataLocation, Day, Decimal, Discounts, Effect,
    Escalation, EscalationAction, HourlyRate, Interruptible, Job, Limit, Limits, ListPrice, Mode,
    Money, Node, NodeId, NodeRules, NodeState, NodeTerms, Objective, Observed, Offer, OfferId,
    PerResource, Period, Phases, Place, PlanId, Policy, Pool, Price, PriceKind, Provenance,
    Purchase, Queue, RatePoint, Ratio, Reclaim, Requests, Resource, Resources, Room, Scope,
    Service, Sizing, Slo, Snapshot, Split, SpotLoss, Steering, Symptom, Taint, Target, TeamId,
    Terms, Throughput, Toleration, WeekSpan, Window, Work, Workload, WorkloadId, WorkloadKind,
    WorkloadState, WorkloadTerms,
};
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};

macro_rules! structs {
    ($($name:ident { $($field:ident),+ $(,)? })+) => {$(
        impl Kept for $name {
            fn put(&self, out: &mut Vec<u8>) {
                let Self { $($field),+ } = self;
                $($field.put(out);)+
            }

            fn take(from: &mut Bytes<'_>) -> Result<Self, KeptError> {
                Ok(Self { $($field: Kept::take(from)?),+ })
            }
        }
    )+};
}

macro_rules! enums {
    ($($name:ident { $($tag:literal $variant:ident $(($($part:ident),+))?),+ $(,)? })+) => {$(
        impl Kept for $name {
            fn put(&self, out: &mut Vec<u8>) {
                match self {
                    $(Self::$variant $(($($part),+))? => {
                        out.push($tag);
                        $($($part.put(out);)+)?
                    })+
                }
            }

            fn take(from: &mut Bytes<'_>) -> Result<Self, KeptError> {
                match from.byte()? {
                    $($tag => {
                        $($(let $part = Kept::take(from)?;)+)?
                        Ok(Self::$variant $(($($part),+))?)
                    })+
                    _ => Err(KeptError::Value(stringify!($name))),
                }
            }
        }
    )+};
}

/// Those whose text is all of them.
macro_rules! texts {
    ($($name:ty),+ $(,)?) => {$(
        impl Kept for $name {
            fn put(&self, out: &mut Vec<u8>) {
                put_text(&self.to_string(), out);
            }

            fn take(from: &mut Bytes<'_>) -> Result<Self, KeptError> {
                let text = String::take(from)?;
                text.parse().map_err(|_| KeptError::Value(stringify!($name)))
            }
        }
    )+};
}

structs! {
    Input {
        id, parent, snapshot, horizon, currency, offers, budgets, held, policy, utilisation, effort,
    }
    HeldBack { workload, budget }
    BudgetState { budget, period, limit, spent, committed, gpu_gone_milli }
    Utilisation { used_nano, allocated_nano, capacity_nano }
    Effort { nodes_max, iterations_max, gap, slots_max }
    Snapshot { cluster, at, nodes, workloads, ages, coverage, terms }
    Observed { workload, state, generation, since, demand_per_s }
    Assignment { offer, members, nodes_each, window }
    Coverage { expected_nanos, measured_nanos }
    Node { id, offer, capacity, price, state, since, until }
    Place { provider, region, zone }
    Offer {
        id, place, instance_type, accelerator, accelerator_count, capacity, purchase, price,
        available, residency, warnings,
    }
    Resources { gpu_milli, cpu_milli, memory_bytes, storage_bytes }
    Provenance { kind, source, as_of, list }
    ListPrice { rate, discounts }
    Discounts { before, off }
    Band { max, reserve }
    Limits { steps_per_hour, steps_per_namespace, nodes_per_tick, age_max, coverage_min }
    SpotLoss { mean_up, source }
    NodeRules { reserve, pods }
    Reclaim { idle, replicas, sick }
    Policy {
        mode, objective, bands, limits, disruption, idle_release, boot, boot_max, replan, spot,
        nodes, reclaim,
    }
    Budget { id, scope, limit, period, hard, escalate, carry }
    Carry { most, since }
    Escalation { at, action, mode }
    Terms { nodes, workloads, room, pools, shared }
    NodeTerms { taints, cordoned, pool, symptoms, holds }
    Symptom { name, says }
    Taint { key, value, effect }
    Toleration { key, value, effect }
    WorkloadTerms {
        tolerations, selector, more_affinity, priority, disruptions, volumes, undisturbed,
        steered_by, elastic, excluded,
    }
    Room { cpu_milli, memory_bytes, gpu_milli, pods }
    Pool { limit, bought, weight }
    Workload { id, team, labels, resources, residency, value, data, kind }
    Job {
        count, submitted, work, throughput, duration, deadline, quoted_cost, interruptible,
    }
    Work { amount, unit }
    Throughput { target, count, amount, per }
    Interruptible { checkpoint, restart }
    DataLocation { place, size_bytes }
    Service { requests, throughput, slo, split, replicas_min, sizing }
    Requests { rate_per_s, buckets }
    Bucket { input_tokens, output_tokens, share }
    BucketRate { accelerator, count, input_tokens, output_tokens, requests_per_s, phases }
    Phases { prefill_s, decode_s }
    Slo { ttft, tpot }
    Sizing { target, queue, day, output_weight }
    Queue { wait_max, percentile, concurrency }
    Day { points, length, cold_start, penalty }
    RatePoint { from, rate_per_s }
}

enums! {
    WorkloadState { 0 Waiting, 1 Placed(there), 2 Suspended, 3 Finished(at) }
    NodeState { 0 Booting, 1 Ready, 2 Lost }
    Purchase { 0 OnDemand, 1 Spot, 2 Reserved, 3 Owned }
    Price { 0 Known(rate, provenance), 1 Unknown(why) }
    PriceKind { 0 List, 1 Contracted, 2 Effective, 3 SpotQuote, 4 AmortisedOwned }
    Mode { 0 Observe, 1 Recommend, 2 Approve, 3 Enforce }
    Objective { 0 Cost, 1 Time, 2 Carbon }
    Scope { 0 All, 1 Team(team), 2 Label(name, value), 3 Within(scopes) }
    Limit { 0 Money(money), 1 GpuHoursMilli(hours) }
    Period { 0 Day, 1 Week, 2 Month, 3 Quarter, 4 Fixed(window), 5 Rolling(days) }
    EscalationAction { 0 Notify, 1 Hold, 2 Cut, 3 Suspend }
    Effect { 0 NoSchedule, 1 PreferNoSchedule, 2 NoExecute }
    WorkloadKind { 0 Job(job), 1 Service(service) }
    Target { 0 Accelerator(name), 1 InstanceType(name) }
    Split { 0 Continuous, 1 Slices(slices) }
}

texts! {
    PlanId, ClusterId, NodeId, OfferId, WorkloadId, TeamId, BudgetId, Currency, Accelerator,
    AcceleratorQuery, WeekSpan, Date,
}

impl Kept for Steering {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Queue(queue) => {
                out.push(0);
                queue.put(out);
            }
            Self::Replicas { kind, name, least, most } => {
                out.push(1);
                kind.put(out);
                name.put(out);
                (*least, *most).put(out);
            }
        }
    }

    fn take(from: &mut Bytes<'_>) -> Result<Self, KeptError> {
        match from.byte()? {
            0 => Kept::take(from).map(Self::Queue),
            1 => {
                let (kind, name) = Kept::take(from)?;
                let (least, most) = Kept::take(from)?;
                Ok(Self::Replicas { kind, name, least, most })
            }
            _ => Err(KeptError::Value("Steering")),
        }
    }
}

impl Kept for Age {
    fn put(&self, out: &mut Vec<u8>) {
        put_text(self.part, out);
        self.as_of.put(out);
    }

    fn take(from: &mut Bytes<'_>) -> Result<Self, KeptError> {
        let part = String::take(from)?;
        let known = Self::PARTS.into_iter().find(|known| *known == part);
        Ok(Self { part: known.ok_or(KeptError::Value("part"))?, as_of: Kept::take(from)? })
    }
}

impl Kept for Money {
    fn put(&self, out: &mut Vec<u8>) {
        self.pico().put(out);
        self.currency().put(out);
    }

    fn take(from: &mut Bytes<'_>) -> Result<Self, KeptError> {
        let pico = Kept::take(from)?;
        Ok(Self::from_pico(pico, Kept::take(from)?))
    }
}

impl Kept for HourlyRate {
    fn put(&self, out: &mut Vec<u8>) {
        self.per_hour().put(out);
    }

    fn take(from: &mut Bytes<'_>) -> Result<Self, KeptError> {
        Self::new(Kept::take(from)?).ok_or(KeptError::Value("price"))
    }
}

impl Kept for Decimal {
    fn put(&self, out: &mut Vec<u8>) {
        self.nano().put(out);
    }

    fn take(from: &mut Bytes<'_>) -> Result<Self, KeptError> {
        Kept::take(from).map(Self::from_nano)
    }
}

impl Kept for Ratio {
    fn put(&self, out: &mut Vec<u8>) {
        self.ppm().put(out);
    }

    fn take(from: &mut Bytes<'_>) -> Result<Self, KeptError> {
        Kept::take(from).map(Self::from_ppm)
    }
}

impl Kept for Timestamp {
    fn put(&self, out: &mut Vec<u8>) {
        self.as_nanosecond().put(out);
    }

    fn take(from: &mut Bytes<'_>) -> Result<Self, KeptError> {
        Self::from_nanosecond(Kept::take(from)?).map_err(|_| KeptError::Value("moment"))
    }
}

impl Kept for SignedDuration {
    fn put(&self, out: &mut Vec<u8>) {
        (self.as_secs(), self.subsec_nanos()).put(out);
    }

    fn take(from: &mut Bytes<'_>) -> Result<Self, KeptError> {
        let (seconds, nanos): (i64, i32) = Kept::take(from)?;
        let whole = Self::from_secs(seconds).checked_add(Self::from_nanos(nanos.into()));
        whole.ok_or(KeptError::Value("duration"))
    }
}

impl Kept for Window {
    fn put(&self, out: &mut Vec<u8>) {
        (self.from(), self.to()).put(out);
    }

    fn take(from: &mut Bytes<'_>) -> Result<Self, KeptError> {
        let (begin, end) = Kept::take(from)?;
        Self::new(begin, end).map_err(|_| KeptError::Value("window"))
    }
}

impl<T: Kept> Kept for PerResource<T> {
    fn put(&self, out: &mut Vec<u8>) {
        Resource::CHARGED.into_iter().for_each(|resource| self.get(resource).put(out));
    }

    fn take(from: &mut Bytes<'_>) -> Result<Self, KeptError> {
        let all = Resource::CHARGED.into_iter().map(|_| T::take(from));
        let mut all = all.collect::<Result<Vec<T>, _>>()?.into_iter();
        Ok(Self::from_fn(|_| all.next().expect("there is one for each resource")))
    }
}
