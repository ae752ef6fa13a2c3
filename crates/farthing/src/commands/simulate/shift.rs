//! Work over time against doing nothing: jobs deferred to cheap or clean hours, a service that
//! lends what it does not need, jobs that grow on what is idle.
//!
//! One module for each; `set` reads the parameters that they share a flag for.

mod elastic;
mod grid;
mod lending;
mod set;

pub(super) use elastic::Elastic;
pub(super) use grid::Grid;
pub(super) use lending::Lending;
