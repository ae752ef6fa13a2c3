//! The nouns of Farthing: money, quantities, windows, prices, resources, workloads, budgets,
//! usage, snapshots and plans.
//!
//! This crate is pure: no I/O, no clock, no randomness, no floats, no serialisation. Every other
//! crate speaks in these types. Start with [`Money`] and [`Window`], then [`Offer`],
//! [`Workload`], [`Snapshot`] and [`Plan`].

mod accelerator;
pub mod amount;
mod budget;
mod calm;
mod charge;
mod dag;
mod decimal;
mod device_use;
mod draw;
mod egress;
mod hex;
mod id;
mod mig;
mod mix;
mod money;
mod node;
mod offer;
pub mod offer_table;
mod plan;
mod policy;
mod price;
mod quantity;
mod resource;
mod said;
mod sample;
mod share;
mod sizing;
mod snapshot;
mod split;
mod terms;
mod time;
mod window;
mod workload;

pub use accelerator::{Accelerator, AcceleratorError, AcceleratorQuery};
pub use budget::{
    Budget, Carry, Escalation, EscalationAction, Limit, LimitError, Period, Scope, gpu_hours,
    gpu_rate,
};
pub use calm::{WeekSpan, WeekSpanError};
pub use charge::{Charge, Destination, Detail};
pub use dag::{Accelerators, Dag, Edge, Port, Run, Task};
pub use decimal::{Decimal, DecimalError};
pub use device_use::{DeviceUse, Missing, PROCESSORS, PerMille, Progress, Reading, Rung, Rungs};
pub use draw::Draw;
pub use egress::{EgressRow, EgressSpot, EgressTable, Tariff};
pub use hex::{hex, unhex};
pub use id::{
    BudgetId, ClusterId, DeviceId, IdError, NodeId, OfferId, PlanId, ReservationId, SourceId,
    StepId, TeamId, WorkloadId,
};
pub use mig::{MigDevice, MigError, MigProfile, Placed, fragmented};
pub use mix::Mix;
pub use money::{Currency, Money, MoneyError};
pub use node::{Asset, Node, NodeSpan, NodeState};
pub use offer::{Offer, Place, Purchase};
pub use offer_table::OfferTable;
pub use plan::{Action, Plan, Reason, Receipt, ReceiptOutcome, Step};
pub use policy::{
    Band, BandState, Limits, Mode, NodeRules, Objective, Policy, Ratio, Reclaim, SpotLoss,
};
pub use price::{Discounts, HourlyRate, ListPrice, Price, PriceDates, PriceKind, Provenance};
pub use quantity::{
    ByteSeconds, CoreSeconds, GpuSeconds, Joules, Quantity, QuantityError, Rate, Tokens, Unit,
};
pub use resource::{PerResource, Resource, Resources};
pub use said::{is_excluded, yes_or_no};
pub use sample::{Attribution, Controller, Coverage, Sample, Slice};
pub use share::{Share, ShareError};
pub use sizing::{Day, Queue, RatePoint, Sizing};
pub use snapshot::{Age, Assignment, Observed, Snapshot, WorkloadState};
pub use split::{SplitError, proportion, split, split_money};
pub use terms::{
    Effect, Fit, NodeTerms, Pool, Room, Steering, Stretch, Symptom, Taint, Terms, Toleration,
    WorkloadTerms,
};
pub use time::{
    HOURS_PER_MONTH, HOURS_PER_YEAR, NANOS_PER_HOUR, NANOS_PER_SECOND, hour_floor, midnight,
    parse_duration, utc_day,
};
pub use window::{Window, WindowError};
pub use workload::{
    Bucket, BucketRate, DataLocation, Interruptible, Job, Phases, Requests, Service, Slo, Split,
    Target, Throughput, Work, Workload, WorkloadKind,
};
