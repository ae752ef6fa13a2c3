//! A trace of jobs on a cluster under several policies: discrete events under a virtual clock.
//!
//! Jobs come one after another from a reader and are forgotten when they end, so that memory is
//! that of what waits and runs. Whatever the policy, nodes are paid while they are on, and what
//! that comes to is what the ledger meters hour by hour: the books conserve in every run, or the
//! run fails. It knows nothing of where a trace comes from.
//!
//! Start with [`replay_cluster`]; `policy` says who runs next, `state` lets time pass, `planned`
//! asks the planner, `accounts` keeps the books.

mod accounts;
mod error;
mod planned;
mod policy;
mod pool;
mod question;
mod run;
pub mod serving;
mod spec;
mod state;

pub use accounts::{HourSum, Posted};
pub use error::ClusterError;
pub use policy::ClusterRule;
pub use run::{ClusterRun, Replay, replay_cluster};
pub use spec::{ACCELERATORS_MAX, ClusterSpec, NODES_MAX, PoolSpec};
