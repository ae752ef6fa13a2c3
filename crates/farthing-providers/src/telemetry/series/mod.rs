//! Series: what scrapes said of one thing, point by point, and what that means over time.
//!
//! [`Store`] keeps the points of every series that a source map knows; [`Runs`] keeps them small;
//! [`Merged`] makes one series of what several replicas of a scraper saw, and reads it as values
//! that hold or as amounts that were counted. Nothing here knows a metric by name or a cluster.

mod reading;
mod runs;
mod store;
mod time;

pub(crate) use reading::{Horizon, Increase, Merged};
#[cfg(test)]
pub(crate) use runs::Runs;
pub(crate) use runs::{Disorder, MISSING};
pub(crate) use store::{Series, Store};
pub(crate) use time::{Span, Spans, Step, part_of, value_at};

#[cfg(test)]
mod tests;
