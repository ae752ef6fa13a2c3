//! Work over time against doing nothing: jobs deferred on hourly power, a service that lends what
//! it does not need, jobs that grow on idle accelerators.
//!
//! Each of the three lets time pass under the decisions of [`farthing_planner::shift`] and under
//! those of who does nothing, and pays both by the same rules. A decision sees what was known at
//! its time alone; only what is called `foresight` sees more, to say what that would be worth.

mod deferral;
mod elastic;
mod lending;
#[cfg(test)]
mod tests;

pub use deferral::{DeferRule, DeferRun, DeferSpec, DeferWork, bound, run_deferral};
pub use elastic::{ElasticJob, ElasticRule, ElasticRun, ElasticSpec, run_elastic};
pub use lending::{LendRule, LendRun, LendSpec, run_lending};
