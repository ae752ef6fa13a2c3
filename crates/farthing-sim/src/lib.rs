//! A simulated world under a virtual clock: trace readers, faults, scores.
//!
//! The world implements the contracts of [`farthing_edge`], so that the real engine, planner and
//! ledger run in it unchanged. Everything is drawn from one seed; nothing here reads a real clock.
//! The world knows nothing of planning: it does what steps say and lets time pass.
//!
//! Start with [`Scenario`], which says what happens, then [`SimWorld`], in which it happens. What
//! holds when everything goes wrong is [`storm`].

mod clock;
pub mod cluster;
mod faults;
mod race;
mod random;
pub mod rounds;
mod rule;
mod scenario;
mod score;
pub mod shift;
pub mod spot;
pub mod storm;
pub mod trace;
mod world;

pub use clock::VirtualClock;
pub use faults::{FaultCounts, FaultKind, FaultRates, Faults};
pub use race::{Race, RaceError, RaceResult, RaceTick, Records, config};
pub use random::Random;
pub use scenario::{
    IdleNode, JobArrival, RequestGap, RequestStream, Scenario, ScenarioError, ServiceArrival,
};
pub use score::{Histogram, Score, ServiceScore};
pub use world::{SimWorld, WorldError};
